// Numbers, sizes and times as people read them.

export function count(value: number): string {
    return Math.round(value).toLocaleString("en-US");
}

/** 1234 -> 1.2 k: for places where the digits do not fit. */
export function short(value: number): string {
    const size = Math.abs(value);
    if (size >= 1e9) return (value / 1e9).toFixed(1) + " G";
    if (size >= 1e6) return (value / 1e6).toFixed(1) + " M";
    if (size >= 1e4) return (value / 1e3).toFixed(1) + " k";
    if (size >= 100 || Number.isInteger(value)) return count(value);
    return value.toFixed(size >= 10 ? 1 : 2);
}

export function bytes(value: number | string | null | undefined): string {
    if (value === null || value === undefined || value === "") return "–";
    let size = Number(value);
    if (!Number.isFinite(size)) return "–";
    for (const unit of ["B", "KiB", "MiB", "GiB"]) {
        if (size < 1024) return `${unit === "B" || size >= 100 ? Math.round(size) : size.toFixed(1)} ${unit}`;
        size /= 1024;
    }
    return `${size.toFixed(1)} TiB`;
}

export function milliseconds(ms: number): string {
    if (ms < 1) return `${Math.round(ms * 1000)} µs`;
    if (ms < 10) return `${ms.toFixed(1)} ms`;
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
    const seconds = Math.floor(ms / 1000);
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
    return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

/** How long something has lasted, where less than a second is of no interest. */
export const lasted = (ms: number): string => ms < 1000 ? "< 1 s" : ms < 60_000 ? `${Math.floor(ms / 1000)} s` : milliseconds(ms);

/** A time as the API writes it, or as SQL does ("2027-06-30 00:00:00+00"), which not every browser reads. */
export const timeOf = (text: string): Date => new Date(text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"));

export function when(text: string | null | undefined): string {
    if (!text) return "–";
    const time = timeOf(text);
    return Number.isNaN(time.getTime()) ? text : time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

export function plural(n: number, one: string, many = one + "s"): string {
    return `${count(n)} ${n === 1 ? one : many}`;
}

/** A name as SQL wants it: quoted only where it must be. */
export function quoteName(name: string): string {
    return /^[a-z_][a-z0-9_$]*$/.test(name) && !RESERVED.has(name) ? name : `"${name.replace(/"/g, '""')}"`;
}

export const quoteText = (text: string): string => `'${text.replace(/'/g, "''")}'`;

// Words that SQL reserves, so that a table of that name has to be quoted (PostgreSQL 15, appendix C).
const RESERVED = new Set(("all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate " +
    "collation column concurrently constraint create cross current_catalog current_date current_role current_schema " +
    "current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign " +
    "freeze from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like " +
    "limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary " +
    "references returning right select session_user similar some symmetric table tablesample then to trailing true union " +
    "unique user using variadic verbose when where window with").split(" "));
