// SQL cut into words, a line at a time. What a line begins inside of (a comment, a string) is its state, a short text;
// so after a change only lines whose text or state differs are read again.
//
//   ""  plain      "/2" in a comment, two deep      "'" in a string      "e" in an E'' string
//   '"' in a quoted name                            "$tag$" in a dollar-quoted string

export type Kind = "word" | "keyword" | "type" | "function" | "text" | "quoted" | "number" | "comment" | "operator" | "mark" | "blank";

export interface Word { kind: Kind; from: number; to: number }

export interface Line { text: string; before: string; after: string; words: Word[] }

export const KEYWORDS = ("abort add after all alter always analyze and any as asc at attach authorization before begin between both by " +
    "cache call cascade case cast check close cluster collate collation column comment commit committed concurrently conflict " +
    "constraint copy cost create createdb createrole cross cube current current_date current_role current_time current_timestamp " +
    "current_user cursor cycle database deallocate declare default deferrable deferred delete desc detach disable discard distinct " +
    "do domain drop each else enable encoding end escape except exclude excluding execute exists explain extension external extract " +
    "fetch filter first following for force foreign freeze from full function generated global grant granted group grouping groups " +
    "handler having identity if ilike immediate immutable in include including increment index inherit inherits initially inner " +
    "inout insert instead intersect interval into is isnull isolation join key language last lateral leading leakproof left level " +
    "like limit local localtime localtimestamp lock locked login match materialized maxvalue minvalue mode move natural new next " +
    "no nocreatedb nocreaterole nologin none nosuperuser not nothing notify notnull nowait null nulls of off offset old on only " +
    "operator option options or order ordinality others out outer over overlaps overriding owned owner parallel partition password " +
    "placing policy position preceding prepare preserve primary privileges procedure public range read reassign recursive " +
    "references refresh reindex release rename repeatable replace replica reset restart restrict returning returns revoke right " +
    "role rollback rollup row rows rule savepoint schema scroll security select sequence serializable session session_user set " +
    "setof show similar simple skip snapshot some stable start statement statistics stdin stdout storage strict substring superuser " +
    "symmetric system table tables tablesample tablespace temp temporary then ties to trailing transaction treat trigger trim " +
    "true false truncate trusted type unbounded uncommitted union unique unknown unlisten unlogged until update user using vacuum " +
    "valid validate values variadic verbose view volatile when where window with within without work write zone").split(" ");

export const TYPES = ("bigint bigserial bit bool boolean bpchar bytea char character cidr date decimal double float float4 " +
    "float8 inet int int2 int4 int8 integer interval json jsonb macaddr money numeric oid precision real " +
    "regclass regproc regtype serial smallint smallserial text time timestamp timestamptz timetz uuid varchar varying void xml").split(" ");

const keywords = new Set(KEYWORDS);
const types = new Set(TYPES);

const PLAIN = new RegExp([
    /(?<blank>\s+)/, /(?<comment>--.*)/, /(?<block>\/\*)/, /(?<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)/,
    /(?<parameter>\$\d+)/, /(?<escaped>[eE]')/, /(?<text>(?:[bBxXnN]|[uU]&)?')/, /(?<quoted>(?:[uU]&)?")/,
    /(?<number>(?:\d[\d_]*(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?)/, /(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)/,
    /(?<mark>[()[\],;.])/, /(?<operator>[-+*\/<>=~!@#%^&|`?:]+?(?=--|\/\*|[^-+*\/<>=~!@#%^&|`?:]|$))/, /(?<other>.)/,
].map((part) => part.source).join("|"), "suy");

// A word beside a dot is part of a name, whatever it would be elsewhere: public.order, c.name.
function kindOfWord(text: string, at: number, to: number): Kind {
    const word = text.slice(at, to).toLowerCase();
    if (text[at - 1] === ".") return text[to] === "(" ? "function" : "word";
    if (text[to] === ".") return "word";
    if (keywords.has(word)) return "keyword";
    if (types.has(word)) return "type";
    return text[to] === "(" ? "function" : "word";
}

// Where what we are inside of ends: the index after it, or -1 when not on this line.
function endInside(text: string, from: number, state: string): { to: number; after: string } {
    if (state[0] === "/") {
        let depth = Number(state.slice(1));
        const edge = /\/\*|\*\//g;
        edge.lastIndex = from;
        for (let found = edge.exec(text); found; found = edge.exec(text)) {
            depth += found[0] === "/*" ? 1 : -1;
            if (depth === 0) return { to: edge.lastIndex, after: "" };
        }
        return { to: text.length, after: "/" + depth };
    }
    if (state[0] === "$") {
        const at = text.indexOf(state, from);
        return at < 0 ? { to: text.length, after: state } : { to: at + state.length, after: "" };
    }
    const quote = state === '"' ? '"' : "'";
    for (let i = from; i < text.length; i++) {
        if (state === "e" && text[i] === "\\") i++;
        else if (text[i] === quote) {
            if (text[i + 1] === quote) i++;
            else return { to: i + 1, after: "" };
        }
    }
    return { to: text.length, after: state };
}

const insideKind = (state: string): Kind => state[0] === "/" ? "comment" : state === '"' ? "quoted" : "text";

export function readLine(text: string, before: string): Line {
    const words: Word[] = [];
    let at = 0, opened = 0; // opened: where the comment or string begins that we are inside of
    let state = before;
    while (at < text.length || opened < at) {
        if (state) {
            const { to, after } = endInside(text, at, state);
            words.push({ kind: insideKind(state), from: opened, to });
            state = after;
            opened = at = to;
            if (state) break;
            continue;
        }
        PLAIN.lastIndex = at;
        const found = PLAIN.exec(text);
        if (!found) break;
        const to = PLAIN.lastIndex;
        const group = found.groups!;
        let kind: Kind = "operator";
        if (group.blank !== undefined) kind = "blank";
        else if (group.comment !== undefined) kind = "comment";
        else if (group.block !== undefined) [kind, state] = ["comment", "/1"];
        else if (group.dollar !== undefined) [kind, state] = ["text", group.dollar];
        else if (group.escaped !== undefined) [kind, state] = ["text", "e"];
        else if (group.text !== undefined) [kind, state] = ["text", "'"];
        else if (group.quoted !== undefined) [kind, state] = ["quoted", '"'];
        else if (group.number !== undefined || group.parameter !== undefined) kind = "number";
        else if (group.word !== undefined) kind = kindOfWord(text, at, to);
        else if (group.mark !== undefined) kind = "mark";
        at = to;
        if (state) continue;
        words.push({ kind, from: opened, to });
        opened = at;
    }
    return { text, before, after: state, words };
}

/** The lines of a text; lines of `old` whose text and state are the same are used again. */
export function readLines(text: string, old: Line[]): Line[] {
    const texts = text.split("\n");
    const lines: Line[] = new Array<Line>(texts.length);
    let head = 0;
    while (head < texts.length && head < old.length && old[head]!.text === texts[head]) {
        lines[head] = old[head]!;
        head++;
    }
    const shift = old.length - texts.length;
    let state = head ? lines[head - 1]!.after : "";
    for (let i = head; i < texts.length; i++) {
        const same = old[i + shift] ?? old[i];
        const line = same && same.text === texts[i] && same.before === state ? same : readLine(texts[i]!, state);
        lines[i] = line;
        state = line.after;
    }
    return lines;
}

export interface Statement { from: number; to: number; text: string }

/** The statements of a script: between semicolons that stand outside of quotes, comments and parentheses. */
export function splitStatements(lines: Line[]): Statement[] {
    const statements: Statement[] = [];
    let from = -1, to = 0, depth = 0, offset = 0;
    const text = lines.map((line) => line.text).join("\n");
    const end = (): void => {
        if (from >= 0) statements.push({ from, to, text: text.slice(from, to) });
        from = -1;
        depth = 0;
    };
    for (const line of lines) {
        for (const word of line.words) {
            const mark = word.kind === "mark" ? line.text[word.from] : "";
            if (mark === ";" && depth <= 0) {
                end();
                continue;
            }
            if (mark === "(") depth++;
            if (mark === ")") depth--;
            if (word.kind === "blank" || word.kind === "comment") continue;
            if (from < 0) from = offset + word.from;
            to = offset + word.to;
        }
        offset += line.text.length + 1;
    }
    end();
    return statements;
}

/** The statement the caret is in or right behind; none when it stands in the blank after several of them. */
export function statementAt(statements: Statement[], caret: number): Statement | undefined {
    return statements.find((one) => caret >= one.from && caret <= one.to + 1)
        ?? [...statements].reverse().find((one) => one.to <= caret)
        ?? statements[0];
}

/** The offset in UTF-16 units of a character counted from 1, as PostgreSQL gives positions. */
export function offsetOfPosition(text: string, position: number): number {
    let offset = 0;
    for (let left = position - 1; left > 0 && offset < text.length; left--) offset += text.codePointAt(offset)! > 0xffff ? 2 : 1;
    return offset;
}
