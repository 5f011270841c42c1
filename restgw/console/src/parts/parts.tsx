// The small parts pages are made of: buttons, empty and broken states, dialogs, notes.
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren, JSX } from "preact";
import { problemOf, type Problem } from "../api";
import { dismiss, tell, useNotes } from "../page";
import { Icon, type IconName } from "./icon";

export function Button({ icon, children, onClick, kind = "", title, disabled, small, pressed, type = "button", keys }: {
    icon?: IconName; children?: ComponentChildren; onClick?: () => void; kind?: "" | "main" | "quiet" | "danger";
    title?: string; disabled?: boolean; small?: boolean; pressed?: boolean; type?: "button" | "submit"; keys?: string;
}): JSX.Element {
    return (
        <button type={type} class={["button", kind, small && "small", !children && "bare"].filter(Boolean).join(" ")} title={keys ? `${title ?? ""} (${keys})` : title}
            {...(!children && title ? { "aria-label": title } : {})} {...(pressed !== undefined ? { "aria-pressed": pressed } : {})}
            {...(keys ? { "aria-keyshortcuts": keys.replace("Ctrl", "Control") } : {})} disabled={disabled ?? false} onClick={onClick}>
            {icon && <Icon name={icon} />}{children}
        </button>
    );
}

/** What stands where there is nothing yet: what would be here, and what to do. */
export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ComponentChildren }): JSX.Element {
    return <div class="empty"><Icon name={icon} /><h3>{title}</h3>{children && <div>{children}</div>}</div>;
}

/** What stands where loading failed. */
export function Broken({ problem, again }: { problem: Problem; again?: () => void }): JSX.Element {
    return (
        <div class="empty broken" role="alert">
            <Icon name="alert" />
            <h3>{problem.title ?? "That did not work"}</h3>
            <div>{problem.detail && problem.detail !== problem.title && <p>{problem.detail}</p>}
                {problem.hint && <p class="muted">{problem.hint}</p>}
                {problem.sqlstate && <p class="faint mono">{problem.sqlstate}</p>}
                {again && <Button icon="refresh" onClick={again}>Try again</Button>}</div>
        </div>
    );
}

/** Grey bars where rows are about to be. */
export function Waiting({ lines = 6, label = "Loading" }: { lines?: number; label?: string }): JSX.Element {
    return <div class="waiting" role="status" aria-label={label}>{Array.from({ length: lines }, (_, i) => <i key={i} class={"w" + i % 4} />)}</div>;
}

/** A problem beneath what was asked for, in a form or above a table. */
export function Wrong({ problem }: { problem: Problem | null | undefined }): JSX.Element | null {
    if (!problem) return null;
    return (
        <div class="wrong-note" role="alert">
            <Icon name="alert" />
            <div><b>{problem.detail ?? problem.title}</b>{problem.hint && <span>{problem.hint}</span>}</div>
        </div>
    );
}

export function Field({ label, hint, children }: { label: string; hint?: ComponentChildren; children: ComponentChildren }): JSX.Element {
    return <label class="field"><span>{label}</span>{children}{hint && <small>{hint}</small>}</label>;
}

export function Check({ label, checked, onChange, hint, disabled }: {
    label: string; checked: boolean; onChange: (on: boolean) => void; hint?: string; disabled?: boolean;
}): JSX.Element {
    return (
        <label class="check">
            <input type="checkbox" checked={checked} disabled={disabled ?? false} onChange={(event) => onChange(event.currentTarget.checked)} />
            <span>{label}{hint && <small>{hint}</small>}</span>
        </label>
    );
}

/** A field that filters; `/` puts the caret into it from anywhere on the page. */
export function Search({ value, onChange, label }: { value: string; onChange: (value: string) => void; label: string }): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    useEffect(() => {
        const key = (event: KeyboardEvent): void => {
            const target = event.target as HTMLElement;
            if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
            event.preventDefault();
            input.current?.focus();
        };
        addEventListener("keydown", key);
        return () => removeEventListener("keydown", key);
    }, []);
    return (
        <div class="search">
            <Icon name="search" />
            <input ref={input} type="search" value={value} placeholder={label} aria-label={label} spellcheck={false} autocomplete="off"
                onInput={(event) => onChange(event.currentTarget.value)} />
        </div>
    );
}

export interface Choice<T extends string> { id: T; label: ComponentChildren; count?: number | undefined }

/** Tabs, moved through with the arrow keys as ARIA asks. */
export function Tabs<T extends string>({ choices, chosen, choose, label }: {
    choices: Choice<T>[]; chosen: T; choose: (id: T) => void; label: string;
}): JSX.Element {
    const move = (event: KeyboardEvent): void => {
        const at = choices.findIndex((one) => one.id === chosen);
        const step = { ArrowRight: 1, ArrowLeft: -1, Home: -at, End: choices.length - 1 - at }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        const next = choices[(at + step + choices.length) % choices.length]!;
        choose(next.id);
        (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-tab="${CSS.escape(next.id)}"]`)?.focus();
    };
    return (
        <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
            {choices.map((one) => (
                <button key={one.id} type="button" role="tab" data-tab={one.id} aria-selected={one.id === chosen}
                    tabIndex={one.id === chosen ? 0 : -1} onClick={() => choose(one.id)}>
                    {one.label}{one.count !== undefined && <small>{one.count}</small>}
                </button>
            ))}
        </div>
    );
}

/** A dialog of the browser's own: it keeps the focus inside, Escape closes it, the page behind it rests. */
export function Dialog({ title, close, children, wide, actions }: {
    title: string; close: () => void; children: ComponentChildren; wide?: boolean; actions?: ComponentChildren;
}): JSX.Element {
    const dialog = useRef<HTMLDialogElement>(null);
    const id = useId();
    // Before the next key comes: who presses Ctrl+K and types on means the dialog.
    useLayoutEffect(() => {
        const before = document.activeElement as HTMLElement | null;
        dialog.current!.showModal();
        return () => before?.focus?.();
    }, []);
    return (
        <dialog ref={dialog} class={wide ? "wide" : ""} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); close(); }}
            onMouseDown={(event) => { if (event.target === dialog.current) close(); }}>
            <div class="dialog">
                <header><h2 id={id}>{title}</h2><Button icon="close" kind="quiet" title="Close" onClick={close} /></header>
                <div class="dialog-body">{children}</div>
                {actions && <footer>{actions}</footer>}
            </div>
        </dialog>
    );
}

/** A dialog with a form: sends, shows what went wrong, closes when it went well. */
export function FormDialog({ title, action, danger, submit, close, children, disabled, wide }: {
    title: string; action: string; danger?: boolean; submit: () => Promise<void>; close: () => void; children: ComponentChildren;
    disabled?: boolean; wide?: boolean;
}): JSX.Element {
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<Problem | null>(null);
    const id = useId();
    const send = async (event: Event): Promise<void> => {
        event.preventDefault();
        setBusy(true);
        setProblem(null);
        try {
            await submit();
            close();
        } catch (error) {
            setProblem(problemOf(error));
            setBusy(false);
        }
    };
    return (
        <Dialog title={title} close={close} wide={wide ?? false} actions={<>
            <Button kind="quiet" onClick={close}>Cancel</Button>
            <button type="submit" form={id} class={"button " + (danger ? "danger" : "main")} disabled={busy || disabled}>{busy ? "Working…" : action}</button>
        </>}>
            <form id={id} onSubmit={(event) => void send(event)}>{children}<Wrong problem={problem} /></form>
        </Dialog>
    );
}

export function Notes(): JSX.Element {
    const notes = useNotes();
    return (
        <div class="notes" role="status" aria-live="polite">
            {notes.map((note) => (
                <div key={note.id} class={"note " + note.kind}>
                    <Icon name={note.kind === "ok" ? "check" : "alert"} />
                    <div><b>{note.text}</b>{note.detail && <span>{note.detail}</span>}</div>
                    <Button icon="close" kind="quiet" small title="Dismiss" onClick={() => dismiss(note.id)} />
                </div>
            ))}
        </div>
    );
}

export async function copy(text: string, what = "Copied"): Promise<void> {
    try {
        await navigator.clipboard.writeText(text);
        tell("ok", what);
    } catch {
        tell("problem", "The browser did not allow copying", "Select the text and copy it with the keyboard.");
    }
}

/** Hands a text to the browser as a file. */
export function download(name: string, type: string, parts: string[]): void {
    const url = URL.createObjectURL(new Blob(parts, { type }));
    const anchor = document.createElement("a");
    anchor.href = url;
    anchor.download = name;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
