// The one place that talks to the node: requests, problem documents, streams of lines, server-sent events.
//
// The browser holds no key. The cookie __Host-synod names the session and is out of reach for scripts; what scripts hold
// is the token that every request other than GET has to carry in Synod-Csrf, so that no other site can send one.

/** An error as the API tells it (RFC 9457). `position` counts characters from 1, as PostgreSQL does. */
export interface Problem {
    type?: string;
    title?: string;
    status: number;
    detail?: string | null;
    sqlstate?: string | null;
    hint?: string | null;
    error_detail?: string | null;
    position?: number | null;
    constraint?: string | null;
    table?: string | null;
    transaction_state?: string | null;
    retry?: string | null;
    request_id?: string | null;
}

export class ApiError extends Error {
    constructor(readonly problem: Problem) {
        super(problem.detail || problem.title || `the server answered ${problem.status}`);
    }
}

/** What an error is called and says, whatever was thrown. */
export function problemOf(error: unknown): Problem {
    if (error instanceof ApiError) return error.problem;
    if (error instanceof DOMException && error.name === "AbortError") return { status: 0, title: "Stopped", sqlstate: "57014" };
    const text = error instanceof Error ? error.message : String(error);
    // What fetch() throws when there was no answer; anything else is ours and says what is wrong.
    if (!(error instanceof TypeError)) return { status: 0, title: text };
    return { status: 0, title: "The node cannot be reached", hint: `Is it running, and is the network there? (${text})` };
}

const CSRF = "synod.csrf";

/** The session that is signed in, for those that speak about it. */
let ownSession = "";
export const keepSession = (id: string): void => { ownSession = id; };

/** Cancels a statement of ours: by its id, or, where the node does not know that (yet), as what our session does. */
export async function cancelOwn(statement: string, running: () => boolean): Promise<void> {
    const { told } = await post<{ told: boolean }>(path`/v1/statements/${statement}/cancel`);
    if (!told && running()) await post(path`/v1/sessions/${ownSession}/cancel`);
}

let lost: () => void = () => {};

/** Called when the server no longer knows our session. */
export function onSessionLost(callback: () => void): void {
    lost = callback;
}

export function keepCsrf(token: string | null): void {
    if (token) localStorage.setItem(CSRF, token);
    else localStorage.removeItem(CSRF);
}

/** Whether this browser has signed in and not out again; the session may have ended since. */
export const mayBeSignedIn = (): boolean => localStorage.getItem(CSRF) !== null;

export interface RequestOptions {
    signal?: AbortSignal;
    headers?: Record<string, string>;
    /** A 401 is an answer here, not the end of the session: signing in, and asking whether we are. */
    signingIn?: boolean;
}

/** Sends a request; gives the response if it is 2xx, throws ApiError otherwise. */
export async function send(method: string, path: string, body?: unknown, options: RequestOptions = {}): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
    if (method !== "GET") {
        headers["Synod-Csrf"] = localStorage.getItem(CSRF) ?? "";
        if (body !== undefined) headers["Content-Type"] = "application/json";
    }
    const response = await fetch(path, {
        method, headers, signal: options.signal ?? null, credentials: "same-origin", cache: "no-store",
        body: body === undefined ? null : JSON.stringify(body),
    });
    if (response.ok) return response;
    const problem = await readProblem(response);
    if (response.status === 401 && !options.signingIn) lost();
    throw new ApiError(problem);
}

async function readProblem(response: Response): Promise<Problem> {
    try {
        return { ...(await response.json() as Problem), status: response.status };
    } catch {
        return { status: response.status, title: response.statusText || `HTTP ${response.status}` };
    }
}

export async function call<T>(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<T> {
    const response = await send(method, path, body, options);
    if (response.status === 204) return undefined as T;
    return await response.json() as T;
}

export const get = <T>(path: string, options?: RequestOptions): Promise<T> => call<T>("GET", path, undefined, options);
export const post = <T>(path: string, body?: unknown, options?: RequestOptions): Promise<T> => call<T>("POST", path, body, options);

/** A path of segments, each encoded: path`/v1/roles/${name}`. */
export function path(parts: TemplateStringsArray, ...values: (string | number)[]): string {
    return parts.reduce((all, part, i) => all + part + (i < values.length ? encodeURIComponent(values[i]!) : ""), "");
}

/** Query parameters, leaving out what is empty. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
    const parts = Object.entries(values)
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
    return parts.length ? "?" + parts.join("&") : "";
}

/** The lines of a response, in groups as they came over the network, so that a fast stream costs few turns. */
export async function* lineGroups(response: Response): AsyncGenerator<string[]> {
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    try {
        for (;;) {
            const { done, value } = await reader.read();
            rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
            const lines = rest.split("\n");
            rest = done ? "" : lines.pop()!;
            const full = lines.filter((line) => line !== "");
            if (full.length) yield full;
            if (done) return;
        }
    } finally {
        void reader.cancel().catch(() => {});
    }
}

/** A UUID v7: the ids of statements that we choose, so that they can be cancelled before the first answer. */
export function newId(): string {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const now = Date.now();
    for (let i = 0; i < 6; i++) bytes[i] = Math.floor(now / 2 ** (40 - 8 * i)) & 0xff;
    bytes[6] = (bytes[6]! & 0x0f) | 0x70;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
