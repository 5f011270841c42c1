// The catalog as the console knows it: all relations of the database, a page at a time and kept, so that filtering and
// completion never wait. Ten thousand tables are some two megabytes here.
import { useEffect, useState } from "preact/hooks";
import { get, path, problemOf, query, type Problem } from "./api";
import type { List } from "./contract";
import type { Names } from "./sql/complete";
import { quoteName } from "./words";

export interface Relation {
    schema: string;
    name: string;
    kind: "table" | "partitioned_table" | "foreign_table" | "view" | "materialized_view" | "sequence";
    estimatedRows: number | null;
    sizeBytes: number | null;
    comment: string | null;
}

interface TableItem {
    schema: string; name: string; kind?: Relation["kind"]; estimated_rows?: string | null; size_bytes?: string | null; comment?: string | null;
}

export interface Shelf {
    database: string;
    relations: Relation[];
    schemas: string[];
    complete: boolean;
    problem: Problem | null;
}

// The first page is what is seen first; what follows comes in as few requests as the API allows.
const FIRST_PAGE = 1000;
const PAGE = 10_000;
const RELATIONS_MAX = 100_000;

let shelf: Shelf | null = null;
let turn = 0;
const listeners = new Set<() => void>();
const columnsKept = new Map<string, Promise<{ name: string; type: string }[]>>();

function changed(next: Shelf): void {
    shelf = next;
    listeners.forEach((listener) => listener());
}

async function all<T>(url: string, most: number, each: (items: T[]) => void): Promise<void> {
    let cursor: string | null = null;
    let taken = 0;
    do {
        const list: List<T> = await get<List<T>>(url + (url.includes("?") ? "&" : "?") + query({ limit: cursor ? PAGE : FIRST_PAGE, cursor }).slice(1));
        each(list.items);
        taken += list.items.length;
        cursor = list.next_cursor;
    } while (cursor && taken < most);
}

/** Every item of a list, for lists that are short by nature. */
export async function everyOne<T>(url: string): Promise<T[]> {
    const items: T[] = [];
    await all<T>(url, 10_000, (more) => items.push(...more));
    return items;
}

const order = (a: Relation, b: Relation): number =>
    a.schema < b.schema ? -1 : a.schema > b.schema ? 1 : a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

/** Reads the relations again: at first use, after DDL, when asked to. */
export async function readNames(database: string): Promise<void> {
    const mine = ++turn;
    columnsKept.clear();
    const relations: Relation[] = [];
    let schemas: string[] = [];
    const first = shelf?.database !== database;
    const show = (complete: boolean, problem: Problem | null = null): void => {
        if (turn !== mine) return;
        // While an older list is shown, the new one replaces it only as a whole: nothing jumps.
        if (complete || first) changed({ database, relations: [...relations].sort(order), schemas, complete, problem });
    };
    if (first) changed({ database, relations: [], schemas: [], complete: false, problem: null });
    const add = (fallback: Relation["kind"]) => (items: TableItem[]): void => {
        for (const item of items) {
            relations.push({
                schema: item.schema, name: item.name, kind: item.kind ?? fallback, comment: item.comment ?? null,
                estimatedRows: item.estimated_rows == null ? null : Number(item.estimated_rows), sizeBytes: item.size_bytes == null ? null : Number(item.size_bytes),
            });
        }
        show(false);
    };
    try {
        schemas = (await everyOne<{ name: string }>(path`/v1/databases/${database}/schemas`)).map((one) => one.name);
        await all(path`/v1/databases/${database}/tables`, RELATIONS_MAX, add("table"));
        await all(path`/v1/databases/${database}/views`, RELATIONS_MAX, add("view"));
        show(true);
    } catch (error) {
        show(true, problemOf(error));
    }
}

export function useNames(database: string): Shelf {
    const [now, set] = useState(shelf);
    useEffect(() => {
        const listener = (): void => set(shelf);
        listeners.add(listener);
        if (shelf?.database !== database) void readNames(database);
        else listener();
        return () => void listeners.delete(listener);
    }, [database]);
    return now?.database === database ? now : { database, relations: [], schemas: [], complete: false, problem: null };
}

export function forgetNames(): void {
    turn++;
    shelf = null;
    columnsKept.clear();
}

/** Names for completion: whatever is known by now. */
export function namesFor(database: string): Names {
    const known = (): Shelf | null => shelf?.database === database ? shelf : null;
    return {
        schemas: async () => known()?.schemas ?? [],
        relations: async (schema, text) => {
            const begins: Relation[] = [], holds: Relation[] = [];
            for (const one of known()?.relations ?? []) {
                if (schema !== null && one.schema !== schema) continue;
                if (schema === null && !text && (one.schema === "pg_catalog" || one.schema === "information_schema")) continue;
                const at = one.name.toLowerCase().indexOf(text);
                if (at === 0) begins.push(one);
                else if (at > 0) holds.push(one);
                if (begins.length >= 60) break;
            }
            return [...begins, ...holds].slice(0, 60);
        },
        columns: (schema, relation) => {
            const found = known()?.relations.find((one) => one.name === relation && (schema === null ? one.schema !== "pg_catalog" : one.schema === schema))
                ?? known()?.relations.find((one) => one.name === relation && schema === null);
            if (!found) return Promise.resolve([]);
            const key = found.schema + "." + found.name;
            let columns = columnsKept.get(key);
            if (!columns) {
                columns = everyOne<{ name: string; type: string }>(path`/v1/databases/${database}/tables/${written(found)}/columns`).catch(() => []);
                columnsKept.set(key, columns);
            }
            return columns;
        },
        roles: async () => (await everyOne<{ name: string }>("/v1/roles").catch(() => [])).map((role) => role.name),
    };
}

/** A relation's name for people, and in the console's own addresses. */
export const qualified = (one: { schema: string; name: string }): string => `${one.schema}.${one.name}`;

/** A relation's name in paths of the API, which reads it as SQL does. */
export const written = (one: { schema: string; name: string }): string => `${quoteName(one.schema)}.${quoteName(one.name)}`;
