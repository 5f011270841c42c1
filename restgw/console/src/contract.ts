// The parts of the API's answers that the console reads (restgw/http/openapi.yaml is the whole). Members that may be
// missing in an older node are optional; unknown ones are ignored.

export interface List<T> { items: T[]; next_cursor: string | null }

export interface Session {
    session_id: string;
    role: string;
    database: string;
    csrf_token?: string;
    idle_timeout_ms?: number;
    superuser?: boolean;
    server?: { version?: string; node?: string; view?: string };
}

export interface Column { name: string; type: string; nullable?: boolean; table?: string | null }

/** One line of a statement's NDJSON stream that is not a row. */
export type StreamLine =
    | { type: "header"; statement_id: string; columns?: Column[]; transaction?: TransactionNote | null }
    | { type: "result"; index: number; columns?: Column[]; command?: string }
    | { type: "progress"; rows?: number; elapsed_ms?: number }
    | { type: "notice"; severity?: string; message?: string; detail?: string; hint?: string; sqlstate?: string }
    | { type: "end"; status?: string; command?: string; row_count?: number | null; rows_affected?: number | null;
        transaction?: TransactionNote | null; stats?: { elapsed_us?: number; plan_us?: number } }
    | { type: "error"; problem: import("./api").Problem };

export interface TransactionNote { id?: string; state?: string }

export interface PlanNode {
    node: string;
    [member: string]: unknown;
}
