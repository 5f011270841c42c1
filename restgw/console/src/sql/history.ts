// What was run, kept in this browser only: the last five hundred, none longer than twenty thousand characters.
import type { Outcome } from "./run";

export interface Past { at: number; sql: string; database: string; ms: number; rows: number | null; failed: string | null }

const NAME = "synod.history";
const MOST = 500;
const LENGTH = 20_000;

export function past(): Past[] {
    try {
        return JSON.parse(localStorage.getItem(NAME) ?? "[]") as Past[];
    } catch {
        return [];
    }
}

function keep(list: Past[]): void {
    // A full store loses the older half rather than the newest.
    for (let most = MOST; most > 0; most = Math.floor(most / 2)) {
        try {
            return localStorage.setItem(NAME, JSON.stringify(list.slice(0, most)));
        } catch { /* try with fewer */ }
    }
}

// Statements with a password in them are nobody's history.
const secret = (sql: string): boolean => /\bpassword\b/i.test(sql);

export function remember(outcome: Outcome, database: string): void {
    if (outcome.sql.length > LENGTH || secret(outcome.sql)) return;
    const list = past().filter((one) => one.sql !== outcome.sql || one.database !== database);
    keep([{
        at: outcome.began, sql: outcome.sql, database, ms: outcome.elapsedMs,
        rows: outcome.result ? outcome.result.rows.length : outcome.affected, failed: outcome.problem?.detail ?? null,
    }, ...list]);
}

export const forgetAll = (): void => localStorage.removeItem(NAME);
