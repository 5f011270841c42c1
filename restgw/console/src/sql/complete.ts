// What could stand at the caret: which names a statement brings in, and which of them fit where the caret is.
import { quoteName } from "../words";
import { KEYWORDS, TYPES, readLine, type Word } from "./lexer";
import type { Suggestion } from "./suggestions";

/** Where names come from. Answers are kept for some seconds; none of them fails, an error is an empty list. */
export interface Names {
    schemas(): Promise<string[]>;
    /** Tables and views whose name begins with or holds the text, the best first. */
    relations(schema: string | null, text: string): Promise<{ schema: string; name: string; kind: string }[]>;
    columns(schema: string | null, relation: string): Promise<{ name: string; type: string }[]>;
    roles(): Promise<string[]>;
}

const MOST = 60;

const FUNCTIONS = ("abs age array_agg array_length array_to_string avg bit_length bool_and bool_or btrim ceil char_length coalesce concat " +
    "concat_ws corr count cume_dist current_database date_part date_trunc dense_rank exp extract first_value floor format " +
    "gen_random_uuid generate_series greatest initcap json_agg json_build_array json_build_object jsonb_agg jsonb_array_elements " +
    "jsonb_build_object jsonb_each jsonb_set jsonb_typeof lag last_value lead least left length ln log lower lpad ltrim make_date max md5 " +
    "min mod now nth_value ntile nullif octet_length overlay percent_rank percentile_cont percentile_disc pg_backend_pid " +
    "pg_cancel_backend pg_database_size pg_relation_size pg_table_size pg_terminate_backend pg_total_relation_size position power " +
    "random rank regexp_match regexp_matches regexp_replace regexp_split_to_table repeat replace reverse right round row_number rpad " +
    "rtrim sign split_part sqrt starts_with stddev string_agg string_to_array strpos substr substring sum to_char to_date to_json " +
    "to_jsonb to_number to_timestamp translate trim trunc unnest upper variance version width_bucket").split(" ");

interface Piece { text: string; kind: Word["kind"]; lower: string }

function piecesOf(text: string): Piece[] {
    const pieces: Piece[] = [];
    let state = "";
    for (const line of text.split("\n")) {
        const read = readLine(line, state);
        state = read.after;
        for (const word of read.words) {
            if (word.kind === "blank" || word.kind === "comment") continue;
            const piece = line.slice(word.from, word.to);
            pieces.push({ text: piece, kind: word.kind, lower: piece.toLowerCase() });
        }
    }
    return pieces;
}

const isName = (piece: Piece | undefined): piece is Piece =>
    !!piece && (piece.kind === "word" || piece.kind === "quoted" || piece.kind === "function");
const nameOf = (piece: Piece): string =>
    piece.kind === "quoted" ? piece.text.slice(1, -1).replace(/""/g, '"') : piece.lower;

interface Source { schema: string | null; relation: string; alias: string }

// The relations a statement names: after FROM, JOIN, UPDATE, INTO, and after the commas that follow.
function sourcesOf(pieces: Piece[]): Source[] {
    const sources: Source[] = [];
    let listing = false;
    for (let i = 0; i < pieces.length; i++) {
        const piece = pieces[i]!;
        if (["from", "join", "update", "into", "table", "using"].includes(piece.lower) && piece.kind === "keyword") listing = true;
        else if (piece.text === "," && listing) { /* the next one of the list */ }
        else {
            if (piece.kind === "keyword" && !["only", "lateral", "as"].includes(piece.lower)) listing = false;
            continue;
        }
        let at = i + 1;
        while (pieces[at]?.lower === "only" || pieces[at]?.lower === "lateral") at++;
        if (!isName(pieces[at])) continue;
        let schema: string | null = null;
        let relation = nameOf(pieces[at]!);
        if (pieces[at + 1]?.text === "." && isName(pieces[at + 2])) {
            schema = relation;
            relation = nameOf(pieces[at + 2]!);
            at += 2;
        }
        at++;
        if (pieces[at]?.lower === "as") at++;
        const alias = isName(pieces[at]) ? nameOf(pieces[at]!) : relation;
        sources.push({ schema, relation, alias });
    }
    return sources;
}

const WANTS_RELATION = new Set(["from", "join", "into", "update", "table", "truncate", "analyze", "vacuum", "only", "view"]);
const WANTS_EXPRESSION = new Set(["select", "where", "and", "or", "not", "on", "by", "having", "set", "when", "then", "else", "case",
    "distinct", "returning", "between", "in", "like", "ilike", "using", "values", "is", "as", "limit", "filter"]);
const WANTS_ROLE = new Set(["role", "user", "owner", "to"]);

// Lower is better; null: does not fit at all. Letters may be left out between ("cn" finds customer_name), but only late.
function fit(name: string, typed: string): number | null {
    const lower = name.toLowerCase();
    if (!typed) return 2;
    if (lower.startsWith(typed)) return lower.length === typed.length ? 0 : 1;
    if (lower.split("_").some((part) => part.startsWith(typed))) return 2;
    if (lower.includes(typed)) return 3;
    let at = 0;
    for (const letter of lower) if (letter === typed[at]) at++;
    return at === typed.length && lower[0] === typed[0] && typed.length > 1 ? 4 : null;
}

function ranked(groups: { items: Suggestion[]; weight: number }[], typed: string): Suggestion[] {
    const seen = new Set<string>();
    const found: { item: Suggestion; rank: number; order: number }[] = [];
    for (const { items, weight } of groups) {
        for (const item of items) {
            const rank = fit(item.text, typed);
            const key = item.kind + "\n" + item.text;
            if (rank === null || seen.has(key) || (rank === 4 && item.kind === "keyword")) continue;
            seen.add(key);
            found.push({ item, rank: rank * 10 + weight, order: found.length });
        }
    }
    found.sort((a, b) => a.rank - b.rank || a.order - b.order);
    return found.slice(0, MOST).map((one) => one.item);
}

// Keywords as the user writes them: big when the last keyword typed was big.
function keywordsFor(pieces: Piece[]): Suggestion[] {
    const last = [...pieces].reverse().find((piece) => piece.kind === "keyword" && piece.text.length > 1);
    const big = last ? last.text === last.text.toUpperCase() : true;
    return [...KEYWORDS, ...TYPES].map((word) => ({ text: big ? word.toUpperCase() : word, kind: "keyword" }));
}

export async function complete(names: Names, text: string, caret: number, statement: string): Promise<{ from: number; items: Suggestion[] }> {
    const upTo = text.slice(Math.max(0, caret - 20_000), caret);
    const typedMatch = /"?[\w\u0080-\uffff$]*$/.exec(upTo)!;
    const from = caret - typedMatch[0].length;
    const typed = typedMatch[0].replace(/^"/, "").toLowerCase();
    const before = piecesOf(upTo.slice(0, upTo.length - typedMatch[0].length));
    const lastOne = before[before.length - 1];
    // In a string, a comment or a number nothing is offered.
    const here = piecesOf(upTo);
    const end = here[here.length - 1];
    const inside = readStateAt(upTo);
    if (inside || (end && end.kind === "number" && typed)) return { from, items: [] };
    const sources = sourcesOf(piecesOf(statement));
    if (lastOne?.text === ".") return { from, items: await afterDot(names, before, sources, typed) };

    const keyword = [...before].reverse().find((piece) => piece.kind === "keyword");
    const atOnce = lastOne?.lower ?? ";";
    if (WANTS_ROLE.has(atOnce) && !["to"].includes(atOnce)) {
        return { from, items: ranked([{ items: (await names.roles()).map((text) => ({ text, kind: "role", insert: quoteName(text) })), weight: 0 }], typed) };
    }
    const wantsRelation = WANTS_RELATION.has(atOnce) || (lastOne?.text === "," && !!keyword && WANTS_RELATION.has(keyword.lower));
    if (wantsRelation) {
        const [relations, schemas] = await Promise.all([names.relations(null, typed), names.schemas()]);
        return { from, items: ranked([
            { items: relations.map(relationSuggestion), weight: 0 },
            { items: schemas.map((text) => ({ text, kind: "schema", insert: quoteName(text) + "." })), weight: 2 },
            { items: typed ? keywordsFor(before) : [], weight: 8 },
        ], typed) };
    }
    const wantsExpression = WANTS_EXPRESSION.has(atOnce) || "(,=<>+-*/|".includes(lastOne?.text[0] ?? ";");
    if (!typed && !wantsExpression) return { from, items: ranked([{ items: keywordsFor(before), weight: 0 }], typed) };
    const columns = await Promise.all(sources.slice(0, 8).map(async (source) =>
        (await names.columns(source.schema, source.relation)).map((column): Suggestion => (
            { text: column.name, kind: "column", insert: quoteName(column.name), note: sources.length > 1 ? `${source.alias} · ${column.type}` : column.type }))));
    return { from, items: ranked([
        { items: columns.flat(), weight: 0 },
        { items: sources.map((source) => ({ text: source.alias, kind: "alias", insert: quoteName(source.alias) })), weight: 1 },
        { items: FUNCTIONS.map((text) => ({ text, kind: "function", insert: text + "(" })), weight: wantsExpression && typed ? 3 : 6 },
        { items: typed ? keywordsFor(before) : [], weight: wantsExpression ? 5 : 1 },
    ], typed) };
}

function readStateAt(text: string): boolean {
    let state = "";
    const lines = text.split("\n");
    for (const [i, line] of lines.entries()) {
        const read = readLine(line, state);
        state = read.after;
        const last = read.words[read.words.length - 1];
        if (i === lines.length - 1 && last?.kind === "comment") return true;
    }
    return state !== "" && state !== '"';
}

function relationSuggestion(one: { schema: string; name: string; kind: string }): Suggestion {
    const name = one.schema === "public" ? quoteName(one.name) : quoteName(one.schema) + "." + quoteName(one.name);
    return { text: one.name, kind: one.kind === "view" ? "view" : "table", insert: name, note: one.schema };
}

async function afterDot(names: Names, before: Piece[], sources: Source[], typed: string): Promise<Suggestion[]> {
    const owner = before[before.length - 2];
    if (!isName(owner)) return [];
    const name = nameOf(owner);
    const over = before[before.length - 3]?.text === "." && isName(before[before.length - 4]) ? nameOf(before[before.length - 4]!) : null;
    const source = sources.find((one) => one.alias === name && (!over || one.schema === over));
    const columnsOf = async (schema: string | null, relation: string): Promise<Suggestion[]> =>
        (await names.columns(schema, relation)).map((column) => ({ text: column.name, kind: "column", insert: quoteName(column.name), note: column.type }));
    if (source) return ranked([{ items: await columnsOf(source.schema, source.relation), weight: 0 }], typed);
    if (!over && (await names.schemas()).includes(name)) {
        const relations = await names.relations(name, typed);
        return ranked([{ items: relations.map((one) => ({ ...relationSuggestion(one), insert: quoteName(one.name) })), weight: 0 }], typed);
    }
    return ranked([{ items: await columnsOf(over, name), weight: 0 }], typed);
}
