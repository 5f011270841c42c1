// Running a statement: what came of it grows while its lines come in.
import { ApiError, cancelOwn, lineGroups, newId, problemOf, send, type Problem } from "../api";
import type { Column, StreamLine, TransactionNote } from "../contract";

export type Cell = string | number | boolean | null | Cell[] | { [name: string]: Cell };

/** One result: its columns and rows, or the tag of a command. */
export interface Result { columns: Column[]; rows: Cell[][] }

export interface Outcome {
    id: string;
    sql: string;
    /** Where the statement stands in the text of its tab, so that an error can be shown there. */
    from: number;
    state: "running" | "done" | "failed" | "cancelled";
    result: Result | null;
    command: string;
    affected: number | null;
    notices: { severity: string; text: string }[];
    problem: Problem | null;
    began: number;
    elapsedMs: number;
    serverUs: number | null;
    /** We stopped reading here: there may be more rows. */
    cut: boolean;
    transaction: TransactionNote | null;
    cancel(): void;
    /** Reads no further: that the client has gone ends the statement, too. */
    leave(): void;
}

/** So many rows are kept; a result that is longer is stopped there (it could be exported as a table instead). */
export const ROWS_MAX = 200_000;

/** Runs one statement. `grown` is called whenever there is more to see. */
export async function run(sql: string, from: number, rowsMax: number, begun: (outcome: Outcome) => void, grown: () => void): Promise<Outcome> {
    const stop = new AbortController();
    const id = newId();
    let told = false;
    const outcome: Outcome = {
        id, sql, from, state: "running", result: null, command: "", affected: null, notices: [], problem: null, began: Date.now(),
        elapsedMs: 0, serverUs: null, cut: false, transaction: null,
        leave: () => stop.abort(),
        cancel: () => {
            told = true;
            // The statement ends with 57014 on its own stream. Should the cancel get lost, leaving does the same.
            cancelOwn(id, () => outcome.state === "running").catch(() => stop.abort());
            setTimeout(() => { if (outcome.state === "running") stop.abort(); }, 3000);
        },
    };
    begun(outcome);
    const began = performance.now();
    try {
        const response = await send("POST", "/v1/statements", { sql }, {
            signal: stop.signal, headers: { Accept: "application/x-ndjson, application/json;q=0.5", "Synod-Statement-Id": id },
        });
        await read(response, outcome, rowsMax, grown, () => { outcome.elapsedMs = performance.now() - began; });
        if (outcome.state === "running") outcome.state = "done";
    } catch (error) {
        outcome.problem = problemOf(error);
        outcome.state = told || outcome.problem.sqlstate === "57014" ? "cancelled" : "failed";
    }
    outcome.elapsedMs = performance.now() - began;
    grown();
    return outcome;
}

async function read(response: Response, outcome: Outcome, rowsMax: number, grown: () => void, tick: () => void): Promise<void> {
    let ended = false;
    for await (const lines of lineGroups(response)) {
        tick();
        for (let i = 0; i < lines.length && !outcome.cut;) {
            if (lines[i]![0] !== "[") {
                ended = note(JSON.parse(lines[i++]!) as StreamLine, outcome) || ended;
                continue;
            }
            let to = i;
            while (to < lines.length && lines[to]![0] === "[") to++;
            const rows = JSON.parse("[" + lines.slice(i, to).join(",") + "]") as Cell[][];
            const room = rowsMax - outcome.result!.rows.length;
            for (const row of rows.length > room ? rows.slice(0, room) : rows) outcome.result!.rows.push(row);
            if (rows.length > room) outcome.cut = true;
            i = to;
        }
        grown();
        if (outcome.cut) return void outcome.leave();
    }
    // The API promises a last line; without it the stream was cut on its way.
    if (!ended) throw new Error("The result ended before its last line: the connection was cut. What is shown is incomplete.");
}

// Takes a line that is no row; true when it is the last.
function note(line: StreamLine, outcome: Outcome): boolean {
    switch (line.type) {
    case "header":
    case "result":
        if (line.columns?.length) outcome.result = { columns: line.columns, rows: [] };
        return false;
    case "notice": {
        const notice = (line as { notice?: typeof line }).notice ?? line;
        outcome.notices.push({ severity: notice.severity ?? "NOTICE", text: [notice.message, notice.detail, notice.hint].filter(Boolean).join("\n") });
        return false;
    }
    case "end":
        outcome.command = line.command ?? "";
        outcome.affected = line.rows_affected ?? null;
        outcome.serverUs = line.stats?.elapsed_us ?? null;
        outcome.transaction = line.transaction ?? null;
        return true;
    case "error":
        outcome.problem = line.problem;
        outcome.state = line.problem.sqlstate === "57014" ? "cancelled" : "failed";
        return true;
    default:
        return false;
    }
}

/** A statement whose rows are wanted as a whole and at once: for pages, not for people. */
export async function ask(sql: string, rowsMax = 1000): Promise<Result> {
    const outcome = await run(sql, 0, rowsMax, () => {}, () => {});
    if (outcome.problem) throw new ApiError(outcome.problem);
    return outcome.result ?? { columns: [], rows: [] };
}

// ---- values as text ----

export function textOf(cell: Cell): string {
    if (cell === null) return "";
    if (typeof cell === "object") return JSON.stringify(cell);
    return String(cell);
}

const csvField = (cell: Cell): string => {
    if (cell === null) return "";
    const text = textOf(cell);
    // An empty text is quoted, so that it differs from null, as COPY does it.
    return text === "" || /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
};

export function csvOf(result: Result): string[] {
    const parts = [result.columns.map((column) => csvField(column.name)).join(",") + "\r\n"];
    for (let i = 0; i < result.rows.length; i += 1000)
        parts.push(result.rows.slice(i, i + 1000).map((row) => row.map(csvField).join(",") + "\r\n").join(""));
    return parts;
}

export function jsonOf(result: Result): string[] {
    const names = uniqueNames(result.columns);
    const parts = ["[\n"];
    result.rows.forEach((row, i) => parts.push("  ", JSON.stringify(Object.fromEntries(row.map((cell, c) => [names[c]!, cell]))), i + 1 < result.rows.length ? ",\n" : "\n"));
    parts.push("]\n");
    return parts;
}

// A result may have two columns of one name, an object may not.
function uniqueNames(columns: Column[]): string[] {
    const seen = new Map<string, number>();
    return columns.map(({ name }) => {
        const times = (seen.get(name) ?? 0) + 1;
        seen.set(name, times);
        return times === 1 ? name : `${name}_${times}`;
    });
}

export const tabsOf = (rows: Cell[][]): string =>
    rows.map((row) => row.map((cell) => textOf(cell).replace(/[\t\n]/g, " ")).join("\t")).join("\n");
