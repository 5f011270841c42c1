// A table of any length: only the rows in sight are in the page. One cell is the current one and moves with the keys, as in
// a spreadsheet; Enter shows its whole value, Ctrl+C copies it (with Shift: the row).
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Column } from "../contract";
import { copy, Dialog, Button } from "../parts/parts";
import { count } from "../words";
import { tabsOf, textOf, type Cell, type Result } from "./run";

const ROW = 26;
const HEAD = 28;
const CHARACTER = 7.3;
const WIDTH_MAX = 380;
const TEXT_MAX = 300;

// What is set in digits below each other.
const NUMBERS = /^(int|integer|bigint|smallint|numeric|float|double|real|oid|money|serial|bigserial|decimal)/;

export function Grid({ result, rows, label }: { result: Result; rows: number; label: string }): JSX.Element {
    const scroller = useRef<HTMLDivElement>(null);
    const [view, setView] = useState({ top: 0, height: 400 });
    const [at, setAt] = useState<{ row: number; column: number } | null>(null);
    const [open, setOpen] = useState<{ column: Column; cell: Cell } | null>(null);
    const [widened, widen] = useState<Record<number, number>>({});
    // Widths come from the first rows and stay, so that nothing moves while rows stream in.
    const sampled = Math.min(rows, 100);
    const widths = useMemo(() => widthsOf(result, sampled), [result, sampled >= 100 ? 100 : sampled]);
    const width = (i: number): number => widened[i] ?? widths[i]!;
    const numberWidth = Math.max(34, String(rows).length * CHARACTER + 18);
    const total = widths.reduce((sum, _, i) => sum + width(i), numberWidth);

    const look = (): void => {
        const { scrollTop: top, clientHeight: height } = scroller.current!;
        setView((before) => before.top === top && before.height === height ? before : { top, height });
    };
    useEffect(() => {
        const seen = new ResizeObserver(look);
        seen.observe(scroller.current!);
        return () => seen.disconnect();
    }, []);

    // Keeps the current cell in sight.
    useLayoutEffect(() => {
        if (!at) return;
        const box = scroller.current!;
        const top = at.row * ROW;
        if (top < box.scrollTop) box.scrollTop = top;
        else if (top + ROW > box.scrollTop + box.clientHeight - HEAD) box.scrollTop = top + ROW - box.clientHeight + HEAD;
        let left = numberWidth;
        for (let i = 0; i < at.column; i++) left += width(i);
        if (left - numberWidth < box.scrollLeft) box.scrollLeft = left - numberWidth;
        else if (left + width(at.column) > box.scrollLeft + box.clientWidth) box.scrollLeft = left + width(at.column) - box.clientWidth;
    }, [at]);

    const page = Math.max(1, Math.floor((view.height - HEAD) / ROW) - 1);
    const key = (event: KeyboardEvent): void => {
        if (event.target !== scroller.current) return;
        const here = at ?? { row: 0, column: 0 };
        const control = event.ctrlKey || event.metaKey;
        const moves: Record<string, [number, number]> = {
            ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], PageDown: [page, 0], PageUp: [-page, 0],
            Home: control ? [-rows, -here.column] : [0, -here.column], End: control ? [rows, widths.length] : [0, widths.length],
        };
        const move = moves[event.key];
        if (move) {
            setAt({ row: limit(here.row + move[0], rows), column: limit(here.column + move[1], widths.length) });
        } else if (event.key === "Enter" && at) {
            setOpen({ column: result.columns[at.column]!, cell: result.rows[at.row]![at.column]! });
        } else if (control && event.key.toLowerCase() === "c" && at && !getSelection()?.toString()) {
            const row = result.rows[at.row]!;
            void copy(event.shiftKey ? tabsOf([row]) : textOf(row[at.column]!), event.shiftKey ? "Row copied" : "Value copied");
        } else return;
        event.preventDefault();
    };

    const first = Math.max(0, Math.floor(view.top / ROW) - 8);
    const last = Math.min(rows, Math.ceil((view.top + view.height) / ROW) + 8);
    const shown: JSX.Element[] = [];
    for (let i = first; i < last; i++) {
        shown.push(<GridRow key={i} index={i} row={result.rows[i]!} columns={result.columns} width={width} numberWidth={numberWidth}
            current={at?.row === i ? at.column : -1} pick={setAt} open={setOpen} widened={widened} widths={widths} />);
    }
    return (
        <>
            <div ref={scroller} class="grid" role="grid" tabIndex={0} aria-label={label} aria-rowcount={rows + 1} aria-colcount={widths.length}
                onScroll={look} onKeyDown={key} onFocus={() => { if (!at && scroller.current!.matches(":focus-visible")) setAt({ row: 0, column: 0 }); }} {...(at ? { "aria-activedescendant": `cell-${at.row}-${at.column}` } : {})}>
                <div class="grid-all" style={{ width: total, height: rows * ROW + HEAD }}>
                    <div class="grid-head" role="row" style={{ width: total }}>
                        <span class="grid-number" style={{ width: numberWidth }} />
                        {result.columns.map((column, i) => (
                            <span key={i} role="columnheader" style={{ width: width(i) }} class={NUMBERS.test(column.type) ? "right" : ""} title={`${column.name} ${column.type}`}>
                                <b>{column.name}</b><small>{column.type}</small>
                                <Grip width={width(i)} set={(next) => widen({ ...widened, [i]: next })} />
                            </span>
                        ))}
                    </div>
                    <div role="rowgroup">{shown}</div>
                </div>
            </div>
            {open && <CellDialog column={open.column} cell={open.cell} close={() => { setOpen(null); scroller.current?.focus(); }} />}
        </>
    );
}

const limit = (value: number, length: number): number => Math.max(0, Math.min(length - 1, value));

function GridRow({ index, row, columns, width, numberWidth, current, pick, open, widened, widths }: {
    index: number; row: Cell[]; columns: Column[]; width: (i: number) => number; numberWidth: number; current: number;
    pick: (at: { row: number; column: number }) => void; open: (one: { column: Column; cell: Cell }) => void;
    widened: Record<number, number>; widths: number[];
}): JSX.Element {
    return useMemo(() => (
        <div class={index % 2 ? "grid-row odd" : "grid-row"} role="row" aria-rowindex={index + 2} style={{ top: HEAD + index * ROW }}>
            <span class="grid-number" style={{ width: numberWidth }}>{count(index + 1)}</span>
            {columns.map((column, i) => (
                <span key={i} id={`cell-${index}-${i}`} role="gridcell" aria-selected={i === current} style={{ width: width(i) }}
                    class={classOf(row[i] ?? null, column, i === current)} onClick={() => pick({ row: index, column: i })}
                    onDblClick={() => open({ column, cell: row[i] ?? null })}>{shownText(row[i] ?? null)}</span>
            ))}
        </div>
    ), [index, row, columns, current, numberWidth, widened, widths]);
}

function classOf(cell: Cell, column: Column, current: boolean): string {
    let name = NUMBERS.test(column.type) ? "right" : "";
    if (cell === null) name += " null";
    else if (typeof cell === "boolean") name += cell ? " yes" : " no";
    return current ? name + " current" : name;
}

function shownText(cell: Cell): string {
    if (cell === null) return "null";
    const text = textOf(cell);
    return (text.length > TEXT_MAX ? text.slice(0, TEXT_MAX) + "…" : text).replace(/[\r\n\t]+/g, " ⏎ ");
}

function widthsOf(result: Result, rows: number): number[] {
    return result.columns.map((column, i) => {
        let longest = Math.max(column.name.length + column.type.length * 0.85 + 2, 5);
        for (let r = 0; r < rows; r++) longest = Math.max(longest, shownText(result.rows[r]![i] ?? null).length);
        // Later rows tend to be a little longer than the first: numbers grow.
        if (result.rows.length > rows) longest += 3;
        return Math.min(WIDTH_MAX, Math.ceil(longest * CHARACTER + 22));
    });
}

function Grip({ width, set }: { width: number; set: (next: number) => void }): JSX.Element {
    const down = (event: PointerEvent): void => {
        const element = event.currentTarget as HTMLElement;
        const from = event.clientX;
        element.setPointerCapture(event.pointerId);
        const move = (next: PointerEvent): void => set(Math.max(40, width + next.clientX - from));
        element.addEventListener("pointermove", move);
        element.addEventListener("pointerup", () => element.removeEventListener("pointermove", move), { once: true });
        event.preventDefault();
    };
    return <i class="grip" onPointerDown={down} />;
}

function CellDialog({ column, cell, close }: { column: Column; cell: Cell; close: () => void }): JSX.Element {
    const text = pretty(cell);
    return (
        <Dialog title={column.name} wide close={close} actions={<Button icon="copy" onClick={() => void copy(textOf(cell), "Value copied")}>Copy</Button>}>
            <p class="muted">{column.type}{column.table ? ` · ${column.table}` : ""} · {cell === null ? "null" : `${count(textOf(cell).length)} characters`}</p>
            <pre class="value" tabIndex={0}>{cell === null ? "null" : text}</pre>
        </Dialog>
    );
}

// A document is shown with a line for each member; whatever only looks like one stays as it is. Its own characters are
// kept: reading and writing it again would round long numbers.
function pretty(cell: Cell): string {
    const text = textOf(cell);
    if (!/^\s*[[{]/.test(text) || text.length > 1_000_000) return text;
    try {
        JSON.parse(text);
    } catch {
        return text;
    }
    let depth = 0;
    const line = (): string => "\n" + "  ".repeat(depth);
    return text.replace(/"(?:[^"\\]|\\.)*"|[[{]\s*[\]}]|[[\]{},:]|\s+/g, (piece) => {
        if (piece === "{" || piece === "[") return depth++, piece + line();
        if (piece === "}" || piece === "]") return depth--, line() + piece;
        if (piece === ",") return piece + line();
        if (piece === ":") return ": ";
        return /^\s/.test(piece) ? "" : piece;
    });
}
