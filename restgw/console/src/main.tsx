// The console: who is signed in, where we are, and the frame around the pages.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ComponentType, JSX } from "preact";
import { get, keepCsrf, keepSession, mayBeSignedIn, onSessionLost, post, problemOf, type Problem } from "./api";
import type { Session } from "./contract";
import { forgetNames } from "./names";
import { startFeed, stopFeed } from "./now/feed";
import { NowPage } from "./now/now";
import { applyTheme, go, link, setTheme, theme, usePlace, type Theme } from "./page";
import { Icon, Logo, type IconName } from "./parts/icon";
import { Broken, Dialog, Notes } from "./parts/parts";
import { Palette } from "./palette";
import { SchemaPage } from "./schema/schema";
import { SignIn } from "./signin";
import { forgetWork, SqlPage } from "./sql/sql";
import { UsersPage } from "./users/users";
import "./style/base.css";
import "./style/parts.css";
import "./style/pages.css";
import "./style/sql.css";

interface Page { id: string; name: string; icon: IconName; show: ComponentType<{ session: Session; place: string[] }> }

const PAGES: Page[] = [
    { id: "now", name: "Now", icon: "now", show: NowPage },
    { id: "sql", name: "SQL", icon: "sql", show: SqlPage },
    { id: "schema", name: "Schema", icon: "schema", show: SchemaPage },
    { id: "users", name: "Users", icon: "users", show: UsersPage },
];

type Who = { state: "asking" } | { state: "out"; ended: boolean } | { state: "unreachable"; problem: Problem } | { state: "in"; session: Session };

function Console(): JSX.Element {
    const [who, setWho] = useState<Who>({ state: "asking" });
    const ask = (): void => {
        setWho({ state: "asking" });
        get<Session>("/v1/sessions/current", { signingIn: true }).then(
            (session) => setWho({ state: "in", session }),
            (error) => {
                const problem = problemOf(error);
                setWho(problem.status === 401 || problem.status === 403 ? { state: "out", ended: false } : { state: "unreachable", problem });
            });
    };
    useEffect(() => {
        onSessionLost(() => setWho((before) => before.state === "in" ? { state: "out", ended: true } : before));
        // Who never signed in here need not be asked for.
        if (mayBeSignedIn()) ask();
        else setWho({ state: "out", ended: false });
    }, []);
    useEffect(() => {
        if (who.state !== "in") return;
        keepSession(who.session.session_id);
        startFeed();
        return () => {
            stopFeed();
            forgetNames();
        };
    }, [who.state]);
    if (who.state === "asking") return <main class="sign-in"><p class="muted"><i class="spinner" /></p></main>;
    if (who.state === "unreachable") return <main class="sign-in"><Broken problem={who.problem} again={ask} /></main>;
    if (who.state === "out") return <><SignIn ended={who.ended} signedIn={(session) => setWho({ state: "in", session })} /><Notes /></>;
    return <Frame session={who.session} leave={() => {
        post("/v1/sessions/current/close").catch(() => {}).finally(() => {
            keepCsrf(null);
            forgetWork();
            setWho({ state: "out", ended: false });
        });
    }} />;
}

function Frame({ session, leave }: { session: Session; leave: () => void }): JSX.Element {
    const place = usePlace();
    const [keys, showKeys] = useState(false);
    const [palette, showPalette] = useState(false);
    const page = PAGES.find((one) => one.id === place[0]) ?? PAGES[0]!;
    useEffect(() => {
        document.title = `${page.name} · ${session.database} · Synod`;
    }, [page, session]);
    useEffect(() => {
        const key = (event: KeyboardEvent): void => {
            const typing = /^(INPUT|TEXTAREA|SELECT)$/.test((event.target as HTMLElement).tagName);
            const control = event.ctrlKey || event.metaKey;
            if (event.altKey && !control && /^[1-4]$/.test(event.key)) go(PAGES[Number(event.key) - 1]!.id);
            else if (control && event.key.toLowerCase() === "k") showPalette(true);
            else if (event.key === "?" && !typing && !control) showKeys(true);
            else return;
            event.preventDefault();
        };
        addEventListener("keydown", key);
        return () => removeEventListener("keydown", key);
    }, []);
    return (
        <div class="frame">
            <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); document.getElementById("content")?.focus(); }}>Skip to the page</a>
            <nav class="rail" aria-label="Pages">
                <a class="brand" href={link("now")} aria-label="Synod"><Logo size={26} /><span>Synod</span></a>
                <ul>
                    {PAGES.map((one, i) => (
                        <li key={one.id}><a href={link(one.id)} {...(one.id === page.id ? { "aria-current": "page" as const } : {})} title={`${one.name} (Alt+${i + 1})`}><Icon name={one.icon} /><span>{one.name}</span></a></li>
                    ))}
                </ul>
                <span class="room" />
                <button type="button" class="rail-button jump" onClick={() => showPalette(true)} title="Go to a table or page (Ctrl+K)"><Icon name="search" /><span>Go to…</span><kbd>Ctrl K</kbd></button>
                <ThemeButton />
                <button type="button" class="rail-button wide-only" onClick={() => showKeys(true)} title="Keys (?)"><Icon name="keyboard" /><span>Keys</span></button>
                <div class="who wide-only"><b>{session.role}</b><small>{session.database}{session.server?.version ? ` · ${session.server.version}` : ""}</small></div>
                <button type="button" class="rail-button" onClick={leave} title={`Sign out ${session.role}`}><Icon name="leave" /><span>Sign out</span></button>
            </nav>
            <main id="content" tabIndex={-1}><page.show session={session} place={place.slice(1)} /></main>
            <Notes />
            {keys && <Keys close={() => showKeys(false)} />}
            {palette && <Palette database={session.database} pages={PAGES} close={() => showPalette(false)} />}
        </div>
    );
}

const THEMES: Record<Theme, { next: Theme; icon: IconName; name: string }> = {
    system: { next: "light", icon: "screen", name: "System" },
    light: { next: "dark", icon: "sun", name: "Light" },
    dark: { next: "system", icon: "moon", name: "Dark" },
};

function ThemeButton(): JSX.Element {
    const [now, set] = useState(theme);
    const { next, icon, name } = THEMES[now];
    return (
        <button type="button" class="rail-button" title={`Colours: ${name}`} onClick={() => { setTheme(next); set(next); }}>
            <Icon name={icon} /><span>{name}</span>
        </button>
    );
}

const KEYS: [string, string][] = [
    ["Ctrl Enter", "Run the selection, or the statement at the caret"], ["Ctrl Shift Enter", "Run all statements"], ["Ctrl .", "Cancel what is running"],
    ["Ctrl Shift E", "Draw the plan of the statement"], ["Ctrl Space", "Complete a name"], ["Ctrl /", "Comment lines, or not"],
    ["Tab, Shift Tab", "Indent, or not (Escape first leaves the editor)"], ["Alt N", "New query"], ["F2", "Rename the query whose tab has the focus"],
    ["Enter, Ctrl C", "In a result: show the value, copy it"], ["Alt 1, Alt 4", "Go to the first page, to the last"], ["Ctrl K", "Go to a table or page"], ["/", "Filter the list of the page"], ["?", "This list"],
];

function Keys({ close }: { close: () => void }): JSX.Element {
    return (
        <Dialog title="Keys" close={close}>
            <dl class="keys">{KEYS.map(([key, what]) => <div key={key}><dt>{key.split(", ").map((one, i) => <span key={one}>{i > 0 && " or "}{one.split(" ").map((part) => <kbd key={part}>{part}</kbd>)}</span>)}</dt><dd>{what}</dd></div>)}</dl>
        </Dialog>
    );
}

applyTheme();
render(<Console />, document.getElementById("page")!);

