// Ctrl+K: a few letters of a page's or table's name, Enter, there.
import { useMemo, useState } from "preact/hooks";
import type { JSX } from "preact";
import { qualified, useNames } from "./names";
import { go } from "./page";
import { Icon, type IconName } from "./parts/icon";
import { Dialog } from "./parts/parts";

interface Target { name: string; note: string; icon: IconName; place: string[] }

export function Palette({ database, pages, close }: { database: string; pages: { id: string; name: string; icon: IconName }[]; close: () => void }): JSX.Element {
    const names = useNames(database);
    const [text, setText] = useState("");
    const [chosen, choose] = useState(0);
    const found = useMemo(() => {
        const wanted = text.trim().toLowerCase();
        const targets: Target[] = pages.filter((one) => one.name.toLowerCase().includes(wanted)).map((one) => ({ name: one.name, note: "page", icon: one.icon, place: [one.id] }));
        const begins: Target[] = [], holds: Target[] = [];
        for (const one of names.relations) {
            if (!wanted || begins.length > 40) break;
            const at = one.name.toLowerCase().indexOf(wanted), whole = qualified(one).toLowerCase().indexOf(wanted);
            if (at < 0 && whole < 0) continue;
            (at === 0 ? begins : holds).push({ name: one.name, note: one.schema, icon: one.kind === "view" ? "view" : "schema", place: ["schema", qualified(one)] });
        }
        return [...targets, ...begins, ...holds].slice(0, 12);
    }, [text, names, pages]);
    const take = (target: Target | undefined): void => {
        if (!target) return;
        close();
        go(...target.place);
    };
    const key = (event: KeyboardEvent): void => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step) choose((chosen + step + found.length) % Math.max(1, found.length));
        else if (event.key === "Enter") take(found[chosen]);
        else return;
        event.preventDefault();
    };
    return (
        <Dialog title="Go to" close={close}>
            <input class="palette-input" role="combobox" aria-expanded="true" aria-controls="targets" aria-activedescendant={`target-${chosen}`} aria-label="Name of a table or page" value={text} autofocus
                placeholder={names.complete ? `A page, or one of ${names.relations.length.toLocaleString("en-US")} tables and views` : "A page or a table"} spellcheck={false} autocomplete="off"
                onInput={(event) => { setText(event.currentTarget.value); choose(0); }} onKeyDown={key} />
            <ul id="targets" class="targets" role="listbox" aria-label="Found">
                {found.map((target, i) => (
                    <li key={target.place.join("/")} id={`target-${i}`} role="option" aria-selected={i === chosen} onMouseDown={(event) => { event.preventDefault(); take(target); }}>
                        <Icon name={target.icon} /><span>{target.name}</span><small>{target.note}</small>
                    </li>
                ))}
                {found.length === 0 && <li class="muted">Nothing is called so.</li>}
            </ul>
        </Dialog>
    );
}
