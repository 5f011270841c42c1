// A piece of SQL in the editor's colours, for reading only.
import { useMemo } from "preact/hooks";
import type { JSX } from "preact";
import { readLines } from "../sql/lexer";

export function Sql({ text }: { text: string }): JSX.Element {
    const painted = useMemo(() => readLines(text, []).map((line, i) => [i > 0 ? "\n" : "", ...line.words.map((word) => {
        const piece = line.text.slice(word.from, word.to);
        return word.kind === "blank" || word.kind === "word" || word.kind === "mark" ? piece : <span class={"sql-" + word.kind}>{piece}</span>;
    })]), [text]);
    return <code class="sql">{painted}</code>;
}
