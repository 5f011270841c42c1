// What the node tells once a second (GET /v1/events), kept for the last minutes so that pictures are there at once when
// the page is opened again. Runs as long as somebody is signed in.
import { useEffect, useState } from "preact/hooks";

export interface Activity {
    process_id: number;
    session_id?: string | null;
    statement_id?: string | null;
    database?: string | null;
    role?: string | null;
    application_name?: string | null;
    client_address?: string | null;
    backend_type?: string | null;
    state?: string | null;
    wait_event_type?: string | null;
    wait_event?: string | null;
    started_at?: string | null;
    transaction_started_at?: string | null;
    query_started_at?: string | null;
    state_changed_at?: string | null;
    query?: string | null;
}

interface Metrics {
    at: string;
    sessions: number;
    statements_total?: string;
    errors_total?: string;
    rows_total?: string;
    transactions_total?: string;
    statements_per_second?: number;
    latency_us?: { p50?: number; p95?: number; p99?: number };
}

/** One second, as rates. */
export interface Sample {
    at: number;
    sessions: number;
    running: number;
    waiting: number;
    statements: number;
    transactions: number;
    rows: number;
    errors: number;
    p50: number;
    p95: number;
    p99: number;
}

export interface Feed {
    samples: Sample[];
    activity: Activity[];
    /** The node's clock minus ours, in ms: durations are counted on the node's. */
    ahead: number;
    state: "opening" | "live" | "lost";
}

const SECONDS = 300;

let feed: Feed = { samples: [], activity: [], ahead: 0, state: "opening" };
let source: EventSource | null = null;
let last: Metrics | null = null;
const listeners = new Set<() => void>();

function changed(next: Partial<Feed>): void {
    feed = { ...feed, ...next };
    listeners.forEach((listener) => listener());
}

export function startFeed(): void {
    if (source) return;
    const mine = new EventSource("/v1/events?topics=activity,metrics");
    source = mine;
    mine.addEventListener("activity", (event) => {
        const body = JSON.parse(event.data) as { items: Activity[] };
        changed({ activity: body.items.filter((one) => !isWatcher(one)), state: "live" });
    });
    mine.addEventListener("metrics", (event) => takeMetrics(JSON.parse(event.data) as Metrics));
    // The browser tries again by itself, unless the answer was no stream at all: then we do.
    mine.onerror = () => {
        last = null;
        changed({ state: "lost" });
        if (mine.readyState === EventSource.CLOSED && source === mine) {
            source = null;
            setTimeout(() => { if (!source && wanted) startFeed(); }, 3000);
        }
    };
    wanted = true;
}

let wanted = false;

export function stopFeed(): void {
    wanted = false;
    source?.close();
    source = null;
    last = null;
    feed = { samples: [], activity: [], ahead: 0, state: "opening" };
}

function takeMetrics(now: Metrics): void {
    const before = last;
    last = now;
    const at = Date.parse(now.at);
    const client = (feed.activity ?? []).filter(isClient);
    const seconds = before ? (at - Date.parse(before.at)) / 1000 : 0;
    // A counter that went back began anew: the node was started again.
    const rate = (total: keyof Metrics): number =>
        before && seconds > 0 ? Math.max(0, Number(now[total] ?? 0) - Number(before[total] ?? 0)) / seconds : 0;
    const sample: Sample = {
        at, sessions: now.sessions, running: client.filter((one) => one.state === "active").length, waiting: client.filter(isWaiting).length,
        statements: before ? rate("statements_total") : now.statements_per_second ?? 0, transactions: rate("transactions_total"), rows: rate("rows_total"),
        errors: rate("errors_total"), p50: (now.latency_us?.p50 ?? 0) / 1000, p95: (now.latency_us?.p95 ?? 0) / 1000, p99: (now.latency_us?.p99 ?? 0) / 1000,
    };
    const kept = feed.samples.filter((one) => one.at > at - SECONDS * 1000 && one.at < at);
    changed({ samples: [...kept, sample], ahead: at - Date.now(), state: "live" });
}

// The statement by which the node asks itself for these events.
const isWatcher = (one: Activity): boolean => /^select j from \(select pid, .* limit 500$/s.test(one.query ?? "") && !one.session_id;

export const isClient = (one: Activity): boolean => !one.backend_type || one.backend_type === "client backend";
export const isWaiting = (one: Activity): boolean => one.state === "active" && one.wait_event_type === "Lock";

export function useFeed(): Feed {
    const [now, set] = useState(feed);
    useEffect(() => {
        const listener = (): void => set(feed);
        listeners.add(listener);
        listener();
        return () => void listeners.delete(listener);
    }, []);
    return now;
}
