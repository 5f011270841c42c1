// Signing in: the password goes to the node once, what comes back is a cookie that no script can read.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import { keepCsrf, post, problemOf, type Problem } from "./api";
import type { Session } from "./contract";
import { Logo } from "./parts/icon";
import { Button, Field, Wrong } from "./parts/parts";

const LAST = "synod.last";

export function SignIn({ signedIn, ended }: { signedIn: (session: Session) => void; ended: boolean }): JSX.Element {
    const [last] = useState(() => (localStorage.getItem(LAST) ?? "synod\nsynod").split("\n"));
    const [role, setRole] = useState(last[0]!);
    const [database, setDatabase] = useState(last[1] ?? "synod");
    const [password, setPassword] = useState("");
    const [shown, show] = useState(false);
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<Problem | null>(null);
    const field = useRef<HTMLInputElement>(null);
    useLayoutEffect(() => field.current!.focus(), []);

    const submit = async (event: Event): Promise<void> => {
        event.preventDefault();
        setBusy(true);
        setProblem(null);
        try {
            const session = await post<Session>("/v1/sessions", { role, password, database, application_name: "console", idle_timeout_ms: 1_800_000 },
                { headers: { "Synod-Console": "1" }, signingIn: true });
            keepCsrf(session.csrf_token ?? null);
            localStorage.setItem(LAST, `${role}\n${database}`);
            signedIn(session);
        } catch (error) {
            const found = problemOf(error);
            setProblem(found.status === 401 ? { ...found, detail: found.detail ?? "Role or password is wrong.", hint: found.hint ?? "Both are the same as with psql. The first password stands in initial-password in the data directory." } : found);
            setBusy(false);
            field.current!.select();
        }
    };
    return (
        <main class="sign-in">
            <form onSubmit={(event) => void submit(event)} aria-label="Sign in">
                <div class="sign-in-head"><Logo size={44} /><h1>Synod</h1><p>{location.host}</p></div>
                {ended && !problem && <p class="banner">Your session has ended. Please sign in again; your texts are still here.</p>}
                <Field label="Role"><input value={role} required autocomplete="username" autocapitalize="off" spellcheck={false} name="role" onInput={(event) => setRole(event.currentTarget.value)} /></Field>
                <Field label="Password">
                    <span class="with-button">
                        <input ref={field} type={shown ? "text" : "password"} value={password} autocomplete="current-password" name="password" onInput={(event) => setPassword(event.currentTarget.value)} />
                        <Button kind="quiet" small icon="view" pressed={shown} title={shown ? "Hide the password" : "Show the password"} onClick={() => show(!shown)} />
                    </span>
                </Field>
                <Field label="Database"><input value={database} required autocapitalize="off" spellcheck={false} name="database" onInput={(event) => setDatabase(event.currentTarget.value)} /></Field>
                <Wrong problem={problem} />
                <button type="submit" class="button main wide" disabled={busy}>{busy ? "Signing in…" : "Sign in"}</button>
            </form>
        </main>
    );
}
