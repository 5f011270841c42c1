// What all pages share: where we are (the address's hash), how it looks, what is told at the edge, and hooks for loading.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { problemOf, type Problem } from "./api";

// ---- where: #/schema/public.orders is ["schema", "public.orders"] ----

export function place(): string[] {
    return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
}

export function go(...segments: string[]): void {
    location.hash = "/" + segments.map(encodeURIComponent).join("/");
}

export const link = (...segments: string[]): string => "#/" + segments.map(encodeURIComponent).join("/");

export function usePlace(): string[] {
    const [now, set] = useState(place);
    useEffect(() => {
        const changed = (): void => set(place());
        addEventListener("hashchange", changed);
        return () => removeEventListener("hashchange", changed);
    }, []);
    return now;
}

// ---- light and dark: the system's choice until the user makes one ----

export type Theme = "system" | "light" | "dark";
const THEME = "synod.theme";

export const theme = (): Theme => (localStorage.getItem(THEME) as Theme | null) ?? "system";

export function setTheme(next: Theme): void {
    if (next === "system") localStorage.removeItem(THEME);
    else localStorage.setItem(THEME, next);
    applyTheme();
}

export function applyTheme(): void {
    const wanted = theme();
    if (wanted === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = wanted;
}

// ---- told at the edge: short notes that go away by themselves ----

export interface Note { id: number; kind: "ok" | "problem"; text: string; detail?: string }

let notes: Note[] = [];
let noteCount = 0;
const listeners = new Set<() => void>();

export function tell(kind: Note["kind"], text: string, detail?: string): void {
    const note: Note = { id: ++noteCount, kind, text, ...(detail ? { detail } : {}) };
    notes = [...notes.slice(-3), note];
    listeners.forEach((listener) => listener());
    setTimeout(() => dismiss(note.id), kind === "ok" ? 4000 : 10000);
}

export function tellProblem(what: string, error: unknown): void {
    const problem = problemOf(error);
    tell("problem", what, problem.detail || problem.title || undefined);
}

export function dismiss(id: number): void {
    notes = notes.filter((note) => note.id !== id);
    listeners.forEach((listener) => listener());
}

export function useNotes(): Note[] {
    const [now, set] = useState(notes);
    useEffect(() => {
        const changed = (): void => set(notes);
        listeners.add(changed);
        return () => void listeners.delete(changed);
    }, []);
    return now;
}

// ---- loading ----

export interface Loaded<T> {
    value: T | undefined;
    problem: Problem | undefined;
    loading: boolean;
    again: () => void;
}

/** Loads when `key` changes, keeps the old value while the new one comes, and drops answers that were overtaken. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
    const [state, set] = useState<{ key: string; value?: T; problem?: Problem; loading: boolean }>({ key, loading: true });
    const [turn, setTurn] = useState(0);
    const latest = useRef(load);
    latest.current = load;
    useEffect(() => {
        const stop = new AbortController();
        set((before) => ({ ...before, key, loading: true }));
        latest.current(stop.signal).then(
            (value) => { if (!stop.signal.aborted) set({ key, value, loading: false }); },
            (error) => { if (!stop.signal.aborted) set({ key, problem: problemOf(error), loading: false }); });
        return () => stop.abort();
    }, [key, turn]);
    const again = useCallback(() => setTurn((before) => before + 1), []);
    return { value: state.value, problem: state.problem, loading: state.loading || state.key !== key, again };
}

/** A value that follows another after it has been still for `ms`. */
export function useSettled<T>(value: T, ms: number): T {
    const [settled, set] = useState(value);
    useEffect(() => {
        const timer = setTimeout(() => set(value), ms);
        return () => clearTimeout(timer);
    }, [value, ms]);
    return settled;
}

/** State kept in this browser under a name. Storage that is full or forbidden only means that it is not kept. */
export function useKept<T>(name: string, first: T): [T, (next: T) => void] {
    const [value, set] = useState<T>(() => {
        try {
            const kept = localStorage.getItem(name);
            return kept === null ? first : JSON.parse(kept) as T;
        } catch {
            return first;
        }
    });
    const keep = useCallback((next: T) => {
        set(next);
        try {
            localStorage.setItem(name, JSON.stringify(next));
        } catch { /* not kept, still used */ }
    }, [name]);
    return [value, keep];
}
