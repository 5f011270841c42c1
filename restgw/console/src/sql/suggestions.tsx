// The list that opens beneath the caret.
import { useLayoutEffect, useRef } from "preact/hooks";
import type { JSX } from "preact";

export interface Suggestion {
    text: string;
    kind: "column" | "table" | "view" | "schema" | "function" | "keyword" | "alias" | "role";
    /** What is typed when it is picked, if not `text`. */
    insert?: string;
    /** Said at its right: the type of a column, the schema of a table. */
    note?: string;
}

const LETTERS: Record<Suggestion["kind"], string> = {
    column: "c", table: "t", view: "v", schema: "s", function: "f", keyword: "k", alias: "a", role: "r",
};

export function Suggestions({ items, chosen, left, top, pick }: {
    items: Suggestion[]; chosen: number; left: number; top: number; pick(index: number): void;
}): JSX.Element {
    const list = useRef<HTMLUListElement>(null);
    useLayoutEffect(() => list.current!.children[chosen]?.scrollIntoView({ block: "nearest" }), [chosen, items]);
    return (
        <ul ref={list} id="suggestions" class="suggestions" role="listbox" aria-label="Suggestions" style={{ left, top }}>
            {items.map((item, i) => (
                <li key={item.kind + item.text} id={`suggestion-${i}`} role="option" aria-selected={i === chosen}
                    onMouseDown={(event) => { event.preventDefault(); pick(i); }}>
                    <b class={"kind kind-" + item.kind} title={item.kind}>{LETTERS[item.kind]}</b>
                    <span>{item.text}</span>
                    {item.note && <small>{item.note}</small>}
                </li>
            ))}
        </ul>
    );
}
