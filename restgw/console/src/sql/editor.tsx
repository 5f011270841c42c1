// The editor: a plain textarea, so that undo, input methods, screen readers and phones work as everywhere, over a layer
// that paints the same text in colours. The layer holds only the lines in sight; both use the same font and no line
// is wrapped, so a character stands at the same place in both.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { JSX, Ref } from "preact";
import { readLines, splitStatements, statementAt, type Line, type Statement } from "./lexer";
import { Suggestions, type Suggestion } from "./suggestions";

const LINE_HEIGHT = 20;
const INDENT = "    ";

export interface Mark { from: number; to: number }

export interface Editor {
    focus(): void;
    /** Replaces what is selected, as if typed, so that it can be undone. */
    insert(text: string): void;
    select(from: number, to: number): void;
    selection(): { from: number; to: number };
    statements(): Statement[];
    current(): Statement | undefined;
}

interface Properties {
    value: string;
    onChange(value: string): void;
    error?: Mark | undefined;
    label: string;
    complete(text: string, caret: number, statement: string): Promise<{ from: number; items: Suggestion[] }>;
    onKey?(event: KeyboardEvent): boolean;
    handle: Ref<Editor>;
}

export function SqlEditor(properties: Properties): JSX.Element {
    const { value, error } = properties;
    const area = useRef<HTMLTextAreaElement>(null);
    const moving = useRef<HTMLDivElement>(null);
    const gutter = useRef<HTMLDivElement>(null);
    const old = useRef<Line[]>([]);
    const [view, setView] = useState({ first: 0, last: 60 });
    const [caret, setCaret] = useState({ from: 0, to: 0 });
    const lines = useMemo(() => old.current = readLines(value, old.current), [value]);
    const statements = useMemo(() => splitStatements(lines), [lines]);
    const starts = useMemo(() => startsOf(lines), [lines]);
    const current = statementAt(statements, caret.from);
    const popup = useCompletion(properties, area, value, current);

    // The textarea keeps its own text (and its undo) unless another text was put in from outside.
    useLayoutEffect(() => {
        const element = area.current!;
        if (element.value !== value) {
            element.value = value;
            element.setSelectionRange(0, 0);
            element.scrollTo(0, 0);
            setCaret({ from: 0, to: 0 });
        }
    }, [value]);

    const follow = (): void => {
        const { scrollTop, scrollLeft, clientHeight } = area.current!;
        moving.current!.style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
        gutter.current!.style.transform = `translateY(${-scrollTop}px)`;
        const first = Math.max(0, Math.floor(scrollTop / LINE_HEIGHT) - 10);
        const last = Math.ceil((scrollTop + clientHeight) / LINE_HEIGHT) + 10;
        if (first !== view.first || last !== view.last) setView({ first, last });
    };
    useLayoutEffect(follow);
    useEffect(() => {
        const seen = new ResizeObserver(follow);
        seen.observe(area.current!);
        return () => seen.disconnect();
    }, []);

    const moved = (): void => {
        const { selectionStart: from, selectionEnd: to } = area.current!;
        setCaret((before) => before.from === from && before.to === to ? before : { from, to });
    };
    useEffect(() => {
        const changed = (): void => { if (document.activeElement === area.current) moved(); };
        document.addEventListener("selectionchange", changed);
        return () => document.removeEventListener("selectionchange", changed);
    }, []);

    const state = useRef({ statements, current });
    state.current = { statements, current };
    useEffect(() => {
        const editor: Editor = {
            focus: () => area.current!.focus(),
            insert: (text) => type(area.current!, text),
            select: (from, to) => {
                area.current!.focus();
                area.current!.setSelectionRange(from, to);
                const line = lineOf(startsOf(old.current), from);
                area.current!.scrollTop = Math.max(0, line * LINE_HEIGHT - area.current!.clientHeight / 2);
            },
            selection: () => ({ from: area.current!.selectionStart, to: area.current!.selectionEnd }),
            statements: () => state.current.statements,
            current: () => statementAt(state.current.statements, area.current!.selectionStart),
        };
        if (typeof properties.handle === "function") properties.handle(editor);
        else if (properties.handle) properties.handle.current = editor;
    }, []);

    const onKeyDown = (event: KeyboardEvent): void => {
        if (popup.key(event) || properties.onKey?.(event) || editKey(event, area.current!)) {
            event.preventDefault();
            event.stopPropagation();
        }
    };
    const last = Math.min(lines.length, view.last);
    const shown: number[] = [];
    for (let i = view.first; i < last; i++) shown.push(i);
    const brackets = useMemo(() => caret.from === caret.to ? bracketPair(lines, starts, caret.from) : [], [lines, caret]);

    return (
        <div class="editor" data-digits={String(lines.length).length}>
            <div class="editor-gutter" aria-hidden="true">
                <div ref={gutter}>
                    {shown.map((i) => (
                        <div key={i} class={gutterClass(i, starts, lines, current)} style={{ top: i * LINE_HEIGHT }}>{i + 1}</div>
                    ))}
                </div>
            </div>
            <div class="editor-body">
                <div class="editor-paint" aria-hidden="true">
                    <div ref={moving}>
                        {brackets.map((at) => <Underlay key={`b${at}`} lines={lines} starts={starts} mark={{ from: at, to: at + 1 }} name="bracket" />)}
                        {error && <Underlay lines={lines} starts={starts} mark={error} name="wrong" />}
                        {shown.map((i) => <PaintedLine key={i} line={lines[i]!} index={i} />)}
                        {popup.open && <Probe lines={lines} starts={starts} at={popup.from} found={popup.place} />}
                    </div>
                </div>
                <textarea ref={area} class="editor-text" aria-label={properties.label} wrap="off" spellcheck={false}
                    autocomplete="off" autocapitalize="off" autocorrect="off" rows={4}
                    aria-autocomplete="list" aria-expanded={popup.open} aria-controls="suggestions" aria-haspopup="listbox" role="combobox"
                    aria-multiline="true" {...(popup.open ? { "aria-activedescendant": `suggestion-${popup.chosen}` } : {})}
                    onInput={() => { properties.onChange(area.current!.value); moved(); popup.typed(); }}
                    onScroll={() => { follow(); popup.hide(); }} onKeyDown={onKeyDown} onClick={() => { moved(); popup.close(); }}
                    onBlur={() => popup.close()} />
                {popup.open && <Suggestions items={popup.items} chosen={popup.chosen} left={popup.left - (area.current?.scrollLeft ?? 0)}
                    top={popup.top - (area.current?.scrollTop ?? 0)} pick={popup.pick} />}
            </div>
        </div>
    );
}

// ---- what is painted ----

function PaintedLine({ line, index }: { line: Line; index: number }): JSX.Element {
    return useMemo(() => (
        <div class="editor-line" style={{ top: index * LINE_HEIGHT }}>
            {line.words.map((word) => word.kind === "blank" || word.kind === "word" || word.kind === "mark"
                ? line.text.slice(word.from, word.to)
                : <span class={"sql-" + word.kind}>{line.text.slice(word.from, word.to)}</span>)}
        </div>
    ), [line, index]);
}

// Something drawn beneath a stretch of text: the text before it takes its room, unseen. A stretch over several lines is
// drawn on its first.
function Underlay({ lines, starts, mark, name }: { lines: Line[]; starts: number[]; mark: Mark; name: string }): JSX.Element | null {
    const index = lineOf(starts, mark.from);
    const line = lines[index];
    if (!line) return null;
    const from = mark.from - starts[index]!;
    const text = line.text.slice(from, Math.max(from + 1, mark.to - starts[index]!)) || " ";
    return (
        <div class="editor-line under" style={{ top: index * LINE_HEIGHT }}>
            {line.text.slice(0, from)}<span class={name}>{text}</span>
        </div>
    );
}

// Finds out where on the screen a character is, for the list that opens beneath it.
function Probe({ lines, starts, at, found }: { lines: Line[]; starts: number[]; at: number; found(left: number, top: number): void }): JSX.Element {
    const span = useRef<HTMLSpanElement>(null);
    const index = lineOf(starts, at);
    useLayoutEffect(() => found(span.current!.offsetWidth, (index + 1) * LINE_HEIGHT), [at, index]);
    return (
        <div class="editor-line under" style={{ top: index * LINE_HEIGHT }}>
            <span ref={span}>{lines[index]?.text.slice(0, at - starts[index]!)}</span>
        </div>
    );
}

function gutterClass(i: number, starts: number[], lines: Line[], current: Statement | undefined): string {
    if (!current) return "";
    const begin = starts[i]!, end = begin + lines[i]!.text.length;
    return begin <= current.to && end >= current.from ? "current" : "";
}

// ---- places ----

function startsOf(lines: Line[]): number[] {
    const starts: number[] = [];
    let at = 0;
    for (const line of lines) {
        starts.push(at);
        at += line.text.length + 1;
    }
    return starts;
}

function lineOf(starts: number[], offset: number): number {
    let low = 0, high = starts.length - 1;
    while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (starts[middle]! <= offset) low = middle;
        else high = middle - 1;
    }
    return low;
}

// The bracket beside the caret and its partner, if both are there. Looks at no more than some hundred lines.
function bracketPair(lines: Line[], starts: number[], caret: number): number[] {
    const brackets: { at: number; mark: string }[] = [];
    const here = lineOf(starts, caret);
    for (let i = Math.max(0, here - 200); i < Math.min(lines.length, here + 200); i++) {
        for (const word of lines[i]!.words) {
            const mark = lines[i]!.text[word.from]!;
            if (word.kind === "mark" && "()[]".includes(mark)) brackets.push({ at: starts[i]! + word.from, mark });
        }
    }
    const mine = brackets.findIndex((one) => one.at === caret - 1 || one.at === caret);
    if (mine < 0) return [];
    const step = "([".includes(brackets[mine]!.mark) ? 1 : -1;
    for (let i = mine, depth = 0; i >= 0 && i < brackets.length; i += step) {
        depth += "([".includes(brackets[i]!.mark) ? step : -step;
        if (depth === 0) return [brackets[mine]!.at, brackets[i]!.at];
    }
    return [];
}

// ---- keys that edit ----

// Types a text the way the keyboard does. There is no other way that leaves the browser's undo intact.
function type(area: HTMLTextAreaElement, text: string): void {
    area.focus();
    const done = text === "" ? document.execCommand("delete") : document.execCommand("insertText", false, text);
    if (!done) {
        area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
        area.dispatchEvent(new Event("input", { bubbles: true }));
    }
}

// Escape hands the next Tab to the browser, so that the keyboard is never caught in the editor.
let leaving = false;

function editKey(event: KeyboardEvent, area: HTMLTextAreaElement): boolean {
    const wasLeaving = leaving;
    if (event.key !== "Shift") leaving = event.key === "Escape";
    const control = event.ctrlKey || event.metaKey;
    if (event.key === "Tab" && !control && !event.altKey) return !wasLeaving && indent(area, event.shiftKey);
    if (control && event.key === "/") return changeLines(area, toggleComment);
    if (event.key === "Enter" && !control && !event.shiftKey && !event.altKey && !event.isComposing) {
        const before = area.value.slice(0, area.selectionStart);
        const line = before.slice(before.lastIndexOf("\n") + 1);
        const blank = /^[ \t]*/.exec(line)![0];
        if (!blank && !line.endsWith("(")) return false;
        type(area, "\n" + blank + (line.endsWith("(") ? INDENT : ""));
        area.blur();
        area.focus(); // scrolls the caret into sight
        return true;
    }
    return false;
}

function indent(area: HTMLTextAreaElement, back: boolean): boolean {
    const selected = area.value.slice(area.selectionStart, area.selectionEnd);
    if (!back && !selected.includes("\n")) {
        const before = area.value.slice(area.value.lastIndexOf("\n", area.selectionStart - 1) + 1, area.selectionStart);
        type(area, " ".repeat(INDENT.length - before.length % INDENT.length));
        return true;
    }
    return changeLines(area, (lines) => lines.map((line) => back ? line.replace(/^( {1,4}|\t)/, "") : line && INDENT + line));
}

function toggleComment(lines: string[]): string[] {
    const all = lines.every((line) => !line.trim() || line.trimStart().startsWith("--"));
    return lines.map((line) => all ? line.replace(/^(\s*)-- ?/, "$1") : line.trim() ? "-- " + line : line);
}

// Changes the lines the selection touches and selects them again.
function changeLines(area: HTMLTextAreaElement, change: (lines: string[]) => string[]): boolean {
    const from = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const end = area.value.indexOf("\n", Math.max(area.selectionEnd - 1, area.selectionStart));
    const to = end < 0 ? area.value.length : end;
    const before = area.value.slice(from, to);
    const after = change(before.split("\n")).join("\n");
    if (after === before) return true;
    const single = area.selectionStart === area.selectionEnd;
    const caret = Math.max(from, area.selectionStart + after.length - before.length);
    area.setSelectionRange(from, to);
    type(area, after);
    if (single) area.setSelectionRange(caret, caret);
    else area.setSelectionRange(from, from + after.length);
    return true;
}

// ---- completion ----

interface Completion {
    open: boolean;
    items: Suggestion[];
    chosen: number;
    from: number;
    left: number;
    top: number;
    typed(): void;
    close(): void;
    hide(): void;
    pick(index: number): void;
    place(left: number, top: number): void;
    key(event: KeyboardEvent): boolean;
}

function useCompletion(properties: Properties, area: { current: HTMLTextAreaElement | null }, value: string,
    current: Statement | undefined): Completion {
    const [list, set] = useState<{ from: number; items: Suggestion[] } | null>(null);
    const [chosen, choose] = useState(0);
    const moved = useRef(false); // by the arrow keys
    const [at, place] = useState({ left: 0, top: 0 });
    const turn = useRef(0);
    const close = (): void => {
        turn.current++;
        set(null);
    };
    const ask = async (asked: boolean): Promise<void> => {
        const mine = ++turn.current;
        const text = area.current!.value, caret = area.current!.selectionStart;
        if (!asked && !/[\w\u0080-\uffff.$"]$/.test(text.slice(Math.max(0, caret - 1), caret))) return set(null);
        const statement = statementAt(splitStatements(readLines(text, [])), caret) ?? current;
        const found = await properties.complete(text, caret, statement?.text ?? "");
        if (turn.current !== mine) return;
        const word = text.slice(found.from, caret).toLowerCase();
        // One letter is an alias more often than a keyword.
        if (!asked && word.length < 2 && found.items[0]?.kind === "keyword") return set(null);
        const useful = found.items.length > 0 && (asked || !(found.items.length === 1 && found.items[0]!.text.toLowerCase() === word));
        choose(0);
        moved.current = asked;
        set(useful ? found : null);
    };
    const pick = (index: number): void => {
        const item = list?.items[index];
        if (!item) return;
        area.current!.setSelectionRange(list.from, area.current!.selectionEnd);
        type(area.current!, item.insert ?? item.text);
        close();
    };
    void value;
    const key = (event: KeyboardEvent): boolean => {
        if (event.key === " " && event.ctrlKey) {
            void ask(true);
            return true;
        }
        if (!list) return false;
        const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
        if (move !== undefined) {
            moved.current = true;
            choose((before) => Math.abs(move) === 1 ? (before + move + list.items.length) % list.items.length
                : Math.min(list.items.length - 1, Math.max(0, before + move)));
            return true;
        }
        if (event.key === "Escape") close();
        else if (event.key === "Enter" && (event.ctrlKey || event.metaKey || (!moved.current && list.items[chosen]?.kind === "keyword"))) {
            // To run, or a new line behind a keyword that was typed in full: not what the list is asked for.
            close();
            return false;
        } else if ((event.key === "Tab" || event.key === "Enter") && !event.shiftKey) pick(chosen);
        else {
            if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) close();
            return false;
        }
        return true;
    };
    return {
        open: list !== null, items: list?.items ?? [], chosen, from: list?.from ?? 0, left: at.left, top: at.top,
        typed: () => void ask(false), close, hide: () => { if (list) set(null); }, pick, place: (left, top) => place({ left, top }), key,
    };
}
