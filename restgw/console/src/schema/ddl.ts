// A table or view written as the SQL that would make it.
import { quoteName, quoteText } from "../words";

export interface Column {
    name: string; position?: number; type: string; nullable?: boolean; default?: string | null; identity?: string | null; generated?: string | null; comment?: string | null;
}

export interface Constraint {
    name: string; kind: string; definition: string; columns?: string[] | null; references?: string | null; validated?: boolean; deferrable?: boolean;
}

export interface Index {
    name: string; method?: string; definition: string; unique?: boolean; primary?: boolean; valid?: boolean; predicate?: string | null; size_bytes?: string | null;
}

export interface Detail {
    schema: string; name: string; kind?: string; owner?: string; layout?: string | null; persistence?: string; estimated_rows?: string | null; size_bytes?: string | null; comment?: string | null;
    definition?: string | null; columns?: Column[]; constraints?: Constraint[]; indexes?: Index[];
}

function columnLine(column: Column): string {
    let line = `${quoteName(column.name)} ${column.type}`;
    if (column.identity) line += ` GENERATED ${/default/i.test(column.identity) || column.identity === "d" ? "BY DEFAULT" : "ALWAYS"} AS IDENTITY`;
    else if (column.generated) line += ` GENERATED ALWAYS AS (${column.generated === "s" ? column.default ?? "" : column.generated}) STORED`;
    else if (column.default) line += ` DEFAULT ${column.default}`;
    return column.nullable === false ? line + " NOT NULL" : line;
}

export function ddlOf(detail: Detail, isView: boolean): string {
    const name = `${quoteName(detail.schema)}.${quoteName(detail.name)}`;
    const comments = [
        ...(detail.comment ? [`COMMENT ON ${isView ? "VIEW" : "TABLE"} ${name} IS ${quoteText(detail.comment)};`] : []),
        ...(detail.columns ?? []).filter((one) => one.comment).map((one) => `COMMENT ON COLUMN ${name}.${quoteName(one.name)} IS ${quoteText(one.comment!)};`),
    ];
    if (isView) return [`CREATE VIEW ${name} AS\n${(detail.definition ?? "").trim().replace(/;?$/, ";")}`, ...comments].join("\n\n") + "\n";
    const lines = [
        ...(detail.columns ?? []).map(columnLine),
        ...(detail.constraints ?? []).filter((one) => one.kind !== "trigger").map((one) => `CONSTRAINT ${quoteName(one.name)} ${one.definition}`),
    ];
    // Indexes of constraints come with them.
    const constrained = new Set((detail.constraints ?? []).map((one) => one.name));
    const indexes = (detail.indexes ?? []).filter((one) => !constrained.has(one.name)).map((one) => one.definition.replace(/;?$/, ";"));
    return [`CREATE TABLE ${name} (\n${lines.map((line) => "    " + line).join(",\n")}\n);`, ...indexes, ...comments].join("\n\n") + "\n";
}
