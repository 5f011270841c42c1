// The page where statements are written and run.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import { post, problemOf } from "../api";
import type { Session } from "../contract";
import { namesFor, readNames, useNames } from "../names";
import { go, useKept } from "../page";
import { Icon } from "../parts/icon";
import { Button, Search } from "../parts/parts";
import { count, milliseconds, plural, when } from "../words";
import { complete } from "./complete";
import { SqlEditor, type Editor, type Mark } from "./editor";
import { forgetAll, past, remember, type Past } from "./history";
import { offsetOfPosition } from "./lexer";
import type { Plan } from "./plan";
import { Results } from "./results";
import { ROWS_MAX, run, type Outcome } from "./run";

interface Sheet { id: number; name: string; text: string }

const FIRST = `-- Ctrl+Enter runs the statement the caret is in (or what is selected), Ctrl+Shift+Enter all of them.
SELECT table_schema, table_name, table_type
FROM information_schema.tables
ORDER BY table_schema, table_name
LIMIT 100;
`;

/** What a sheet came to: lives as long as the page, so that leaving for another page loses nothing. */
interface Work { outcomes: Outcome[]; shown: number; plan: Plan | null; running: boolean; stop: boolean; error: { mark: Mark; text: string } | null }

const works = new Map<number, Work>();

function workOf(id: number): Work {
    let work = works.get(id);
    if (!work) works.set(id, work = { outcomes: [], shown: 0, plan: null, running: false, stop: false, error: null });
    return work;
}

/** A text that another page wants to have in a new sheet. */
let asked: { name: string; text: string } | null = null;

export function openSheet(name: string, text: string): void {
    asked = { name, text };
    go("sql");
}

// A statement may outlive the page that began it (another page was looked at meanwhile): whichever is there now is drawn.
// Many rows come at once, so that is at most ten times a second.
const watchers = new Set<() => void>();
let drawing: ReturnType<typeof setTimeout> | null = null;

function drawNow(): void {
    watchers.forEach((watcher) => watcher());
}

function draw(): void {
    drawing ??= setTimeout(() => {
        drawing = null;
        drawNow();
    }, 100);
}

export function forgetWork(): void {
    works.clear();
}

export function SqlPage({ session }: { session: Session }): JSX.Element {
    const [sheets, setSheets] = useKept<Sheet[]>("synod.sheets", [{ id: 1, name: "Query 1", text: FIRST }]);
    const [chosen, choose] = useKept<number>("synod.sheet", 1);
    const [split, setSplit] = useKept<number>("synod.split", 42);
    const [history, setHistory] = useState(false);
    const [, redraw] = useState(0);
    const editor = useRef<Editor>(null);
    const frame = useRef<HTMLDivElement>(null);
    const names = useNames(session.database);
    const sheet = sheets.find((one) => one.id === chosen) ?? sheets[0]!;
    const work = workOf(sheet.id);
    const source = useMemo(() => namesFor(session.database), [session.database]);

    useEffect(() => {
        const watcher = (): void => redraw((n) => n + 1);
        watchers.add(watcher);
        if (asked) {
            addSheet(asked.name, asked.text);
            asked = null;
        }
        editor.current?.focus();
        return () => void watchers.delete(watcher);
    }, []);

    const setText = (text: string): void => {
        if (work.error) work.error = null;
        setSheets(sheets.map((one) => one.id === sheet.id ? { ...one, text } : one));
    };
    function addSheet(name?: string, text = ""): void {
        const id = Math.max(0, ...sheets.map((one) => one.id)) + 1;
        setSheets([...sheets, { id, name: name ?? `Query ${id}`, text }]);
        choose(id);
        setTimeout(() => editor.current?.focus());
    }
    function closeSheet(id: number): void {
        workOf(id).stop = true;
        workOf(id).outcomes.find((one) => one.state === "running")?.cancel();
        works.delete(id);
        const left = sheets.filter((one) => one.id !== id);
        setSheets(left.length ? left : [{ id: 1, name: "Query 1", text: "" }]);
        if (id === sheet.id) choose((left[left.length - 1] ?? { id: 1 }).id);
    }

    function wanted(what: "current" | "all"): { from: number; text: string }[] {
        const { from, to } = editor.current!.selection();
        const statements = editor.current!.statements();
        if (what === "all") return statements;
        if (from !== to) {
            // What is selected may cut statements: what is cut is run as it is selected.
            return statements.filter((one) => one.to > from && one.from < to)
                .map((one) => ({ from: Math.max(from, one.from), text: sheet.text.slice(Math.max(from, one.from), Math.min(to, one.to)) }))
                .filter((one) => one.text.trim());
        }
        const current = editor.current!.current();
        return current ? [current] : [];
    }

    async function start(what: "current" | "all"): Promise<void> {
        if (work.running) return;
        const statements = wanted(what);
        if (!statements.length) return;
        Object.assign(work, { outcomes: [], shown: 0, plan: null, running: true, stop: false, error: null });
        drawNow();
        let ddl = false;
        for (const statement of statements) {
            if (work.stop) break;
            const outcome = await run(statement.text, statement.from, ROWS_MAX, (one) => {
                work.outcomes.push(one);
                work.shown = work.outcomes.length - 1;
                draw();
            }, draw);
            remember(outcome, session.database);
            ddl ||= /^\s*(create|alter|drop|comment)\b/i.test(outcome.sql);
            if (outcome.state !== "done") {
                if (outcome.problem?.position) showError(outcome);
                break;
            }
        }
        work.running = false;
        if (ddl) void readNames(session.database);
        drawNow();
    }

    function showError(outcome: Outcome): void {
        const at = outcome.from + offsetOfPosition(outcome.sql, outcome.problem!.position!);
        const word = /^("[^"]*"?|[\w\u0080-\uffff$.]+|\S)/.exec(outcome.sql.slice(at - outcome.from))?.[0] ?? " ";
        work.error = { mark: { from: at, to: at + word.length }, text: outcome.problem!.detail ?? "" };
    }

    function cancel(): void {
        work.stop = true;
        work.outcomes.find((one) => one.state === "running")?.cancel();
    }

    async function explain(analyze: boolean): Promise<void> {
        const [statement] = wanted("current");
        if (!statement || work.running) return;
        work.error = null;
        work.running = true;
        drawNow();
        try {
            const answer = await post<{ plan: unknown; text: string }>("/v1/statements/explain", { sql: statement.text, analyze });
            work.plan = { ...answer, sql: statement.text, analyzed: analyze };
            work.shown = -1;
        } catch (error) {
            const problem = problemOf(error);
            const outcome: Outcome = {
                id: "", sql: statement.text, from: statement.from, state: "failed", result: null, command: "EXPLAIN", affected: null, notices: [],
                problem, began: Date.now(), elapsedMs: 0, serverUs: null, cut: false, transaction: null, cancel: () => {}, leave: () => {},
            };
            Object.assign(work, { outcomes: [outcome], shown: 0, plan: null });
            if (problem.position) showError(outcome);
        }
        work.running = false;
        drawNow();
    }

    const key = (event: KeyboardEvent): boolean => {
        const control = event.ctrlKey || event.metaKey;
        if (control && event.key === "Enter") void start(event.shiftKey ? "all" : "current");
        else if (control && event.key === ".") cancel();
        else if (control && event.shiftKey && event.key.toLowerCase() === "e") void explain(false);
        else if (event.altKey && event.key.toLowerCase() === "n") addSheet();
        else return false;
        return true;
    };

    const drag = (event: PointerEvent): void => {
        const handle = event.currentTarget as HTMLElement;
        const box = frame.current!.getBoundingClientRect();
        handle.setPointerCapture(event.pointerId);
        const move = (next: PointerEvent): void => setSplit(Math.min(85, Math.max(12, 100 * (next.clientY - box.top) / box.height)));
        handle.addEventListener("pointermove", move);
        handle.addEventListener("pointerup", () => handle.removeEventListener("pointermove", move), { once: true });
    };
    const nudge = (event: KeyboardEvent): void => {
        const step = { ArrowUp: -4, ArrowDown: 4 }[event.key];
        if (!step) return;
        event.preventDefault();
        setSplit(Math.min(85, Math.max(12, split + step)));
    };
    const transaction = [...work.outcomes].reverse().find((one) => one.transaction)?.transaction?.state;

    return (
        <div class="sql-page" onKeyDown={(event) => { if (!event.defaultPrevented && key(event)) event.preventDefault(); }}>
            <div class="sheets" role="tablist" aria-label="Queries">
                {sheets.map((one) => (
                    <SheetTab key={one.id} sheet={one} chosen={one.id === sheet.id} running={workOf(one.id).running} choose={() => choose(one.id)}
                        rename={(name) => setSheets(sheets.map((other) => other.id === one.id ? { ...other, name } : other))}
                        close={sheets.length > 1 ? () => closeSheet(one.id) : null} />
                ))}
                <Button icon="plus" kind="quiet" small title="New query" keys="Alt+N" onClick={() => addSheet()} />
            </div>
            <div class="sql-bar" role="toolbar" aria-label="Statement">
                {work.running
                    ? <Button icon="stop" kind="danger" title="Cancel the running statement" keys="Ctrl+." onClick={cancel}>Cancel</Button>
                    : <Button icon="play" kind="main" title="Run the selection, or the statement at the caret" keys="Ctrl+Enter" onClick={() => void start("current")}>Run</Button>}
                <Button icon="playAll" title="Run all statements" keys="Ctrl+Shift+Enter" disabled={work.running} onClick={() => void start("all")}>Run all</Button>
                <span class="divider" />
                <Button icon="plan" kind="quiet" title="Show how the statement would be run" keys="Ctrl+Shift+E" disabled={work.running} onClick={() => void explain(false)}>Explain</Button>
                <Button kind="quiet" title="Run the statement, measure its plan, and roll back what it changed" disabled={work.running} onClick={() => void explain(true)}>Analyze</Button>
                <span class="room" />
                {transaction && transaction !== "none" && /active|failed/.test(transaction) &&
                    <span class={"badge " + (transaction === "failed" ? "bad" : "warn")}>transaction {transaction}</span>}
                <span class="muted hide-narrow">{names.complete ? plural(names.relations.length, "relation") + " known" : "reading names…"}</span>
                <Button icon="history" kind="quiet" pressed={history} onClick={() => setHistory(!history)}>History</Button>
            </div>
            <div class="sql-main">
                <div class="sql-split" ref={frame}>
                    <div class="sql-top" style={{ height: `${split}%` }}>
                        <SqlEditor key={sheet.id} value={sheet.text} onChange={setText} error={work.error?.mark} label={`SQL of ${sheet.name}. Escape, then Tab leaves the editor.`}
                            complete={(text, caret, statement) => complete(source, text, caret, statement)} onKey={key} handle={editor} />
                    </div>
                    <div class="splitter" role="separator" aria-orientation="horizontal" aria-label="Height of the editor" aria-valuenow={Math.round(split)}
                        aria-valuemin={12} aria-valuemax={85} tabIndex={0} onPointerDown={drag} onKeyDown={nudge} />
                    <div class="sql-bottom">
                        <Results outcomes={work.outcomes} plan={work.plan} shown={work.shown} running={work.running}
                            show={(index) => { work.shown = index; drawNow(); }}
                            jump={(outcome) => {
                                const mark = work.error?.mark;
                                editor.current!.select(mark?.from ?? outcome.from, mark?.to ?? outcome.from + outcome.sql.length);
                            }} />
                    </div>
                </div>
                {history && <HistoryPane close={() => setHistory(false)} take={(one) => {
                    editor.current!.focus();
                    editor.current!.insert((sheet.text && !sheet.text.endsWith("\n") ? "\n" : "") + one.sql + ";\n");
                }} />}
            </div>
        </div>
    );
}

function SheetTab({ sheet, chosen, running, choose, rename, close }: {
    sheet: Sheet; chosen: boolean; running: boolean; choose: () => void; rename: (name: string) => void; close: (() => void) | null;
}): JSX.Element {
    const [editing, edit] = useState(false);
    if (editing) {
        const done = (event: Event): void => {
            rename((event.currentTarget as HTMLInputElement).value.trim() || sheet.name);
            edit(false);
        };
        return <input class="sheet-name" value={sheet.name} aria-label="Name of the query" maxLength={60} ref={(input) => input?.select()} onBlur={done}
            onKeyDown={(event) => { if (event.key === "Enter" || event.key === "Escape") done(event); event.stopPropagation(); }} />;
    }
    return (
        <span class={chosen ? "sheet chosen" : "sheet"}>
            <button type="button" role="tab" aria-selected={chosen} title="Double-click or F2 renames" onClick={choose} onDblClick={() => edit(true)}
                onKeyDown={(event) => { if (event.key === "F2") edit(true); }}>
                {running && <i class="spinner" aria-label="running" />}{sheet.name}
            </button>
            {close && <button type="button" class="sheet-close" aria-label={`Close ${sheet.name}`} onClick={close}><Icon name="close" /></button>}
        </span>
    );
}

function HistoryPane({ close, take }: { close: () => void; take: (one: Past) => void }): JSX.Element {
    const [filter, setFilter] = useState("");
    const [list, setList] = useState(past);
    const shown = list.filter((one) => one.sql.toLowerCase().includes(filter.toLowerCase())).slice(0, 200);
    return (
        <aside class="side-pane" aria-label="History" onKeyDown={(event) => { if (event.key === "Escape") close(); }}>
            <header><h2>History</h2><span class="room" />
                {list.length > 0 && <Button kind="quiet" small icon="trash" title="Forget all" onClick={() => { forgetAll(); setList([]); }} />}
                <Button kind="quiet" small icon="close" title="Close" onClick={close} /></header>
            <Search value={filter} onChange={setFilter} label="Filter statements" />
            <p class="faint">Kept in this browser only.</p>
            <ul class="past">
                {shown.map((one) => (
                    <li key={one.at + one.sql}>
                        <button type="button" title="Put it into the editor" onClick={() => take(one)}>
                            <code>{one.sql.length > 300 ? one.sql.slice(0, 300) + "…" : one.sql}</code>
                            <small class={one.failed ? "bad" : ""}>{when(new Date(one.at).toISOString())} · {milliseconds(one.ms)}
                                {one.failed ? " · " + one.failed : one.rows !== null ? ` · ${count(one.rows)} rows` : ""}</small>
                        </button>
                    </li>
                ))}
            </ul>
            {list.length === 0 && <p class="muted">What you run will be listed here.</p>}
            {list.length > 0 && shown.length === 0 && <p class="muted">Nothing holds “{filter}”.</p>}
        </aside>
    );
}

