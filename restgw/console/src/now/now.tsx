// What is going on at this moment: figures, pictures, every session, who waits for whom.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { JSX } from "preact";
import { get, path, post } from "../api";
import type { List, Session } from "../contract";
import { tell, tellProblem, useKept, useLoaded } from "../page";
import { Broken, Button, Dialog, Empty, FormDialog, Search, Tabs, Waiting, copy } from "../parts/parts";
import { Sql } from "../parts/sql";
import { count, lasted, milliseconds, plural, short } from "../words";
import { Chart, Spark } from "./chart";
import { isClient, isWaiting, useFeed, type Activity, type Feed, type Sample } from "./feed";

interface Lock {
    kind?: string | null; relation?: string | null; mode?: string | null; granted?: boolean | null; process_id?: number | null;
    blocked_by?: number[] | null; query?: string | null;
}

type Which = "running" | "transactions" | "all" | "locks";

export function NowPage({ session }: { session: Session }): JSX.Element {
    const feed = useFeed();
    const now = useClock(1000) + feed.ahead;
    const [which, setWhich] = useKept<Which>("synod.now", "all");
    const [seconds, setSeconds] = useKept<number>("synod.now.seconds", 120);
    const [filter, setFilter] = useState("");
    const [open, setOpen] = useState<number | null>(null);
    const clients = useMemo(() => feed.activity.filter(isClient), [feed.activity]);
    const groups = {
        running: clients.filter((one) => one.state === "active"),
        transactions: clients.filter((one) => one.state?.startsWith("idle in transaction")),
        all: clients,
    };
    const listed = which === "locks" ? [] : groups[which].filter((one) => matches(one, filter));
    const opened = open === null ? undefined : feed.activity.find((one) => one.process_id === open);
    return (
        <div class="page now-page">
            <header class="page-head">
                <h1>Now</h1>
                <Liveness feed={feed} />
                <span class="room" />
                <div class="segments" role="group" aria-label="Length of the pictures">
                    {[60, 120, 300].map((length) => (
                        <button key={length} type="button" aria-pressed={seconds === length} onClick={() => setSeconds(length)}>{length / 60} min</button>
                    ))}
                </div>
            </header>
            <Tiles samples={feed.samples} />
            <div class="charts">
                <Chart title="Throughput" unit="per second" samples={feed.samples} seconds={seconds} now={now} write={short} series={[
                    { name: "statements", tone: "a", of: (s: Sample) => s.statements, fill: true },
                    { name: "transactions", tone: "b", of: (s: Sample) => s.transactions },
                    { name: "errors", tone: "bad", of: (s: Sample) => s.errors },
                ]} />
                <Chart title="Latency" unit="of a statement" samples={feed.samples} seconds={seconds} now={now} write={(ms) => ms === 0 ? "0" : milliseconds(ms)} series={[
                    { name: "p99", tone: "c", of: (s: Sample) => s.p99 },
                    { name: "p95", tone: "b", of: (s: Sample) => s.p95 },
                    { name: "median", tone: "a", of: (s: Sample) => s.p50, fill: true },
                ]} />
            </div>
            <section class="panel">
                <div class="panel-head">
                    <Tabs<Which> label="Which sessions" chosen={which} choose={setWhich} choices={[
                        { id: "all", label: "Sessions", count: groups.all.length },
                        { id: "running", label: "Running", count: groups.running.length },
                        { id: "transactions", label: "Idle in transaction", count: groups.transactions.length },
                        { id: "locks", label: "Locks" },
                    ]} />
                    <span class="room" />
                    {which !== "locks" && <Search value={filter} onChange={setFilter} label="Filter sessions" />}
                </div>
                {which === "locks" ? <Locks activity={feed.activity} open={setOpen} />
                    : feed.state === "opening" ? <Waiting />
                    : listed.length === 0 ? <Empty icon="now" title={filter ? "No session fits" : which === "running" ? "Nothing is running" : which === "transactions" ? "No transaction is left open" : "No sessions"}>
                        <p class="muted">{filter ? `Nothing holds “${filter}”.` : which === "transactions" ? "Transactions that wait for their client would be listed here: they hold locks and old row versions." : "Statements that take longer than a moment show up here."}</p></Empty>
                    : <SessionTable listed={listed} now={now} own={session} open={setOpen} />}
            </section>
            {opened && <SessionDialog one={opened} now={now} close={() => setOpen(null)} />}
        </div>
    );
}

function useClock(ms: number): number {
    const [now, set] = useState(Date.now());
    useEffect(() => {
        const timer = setInterval(() => set(Date.now()), ms);
        return () => clearInterval(timer);
    }, [ms]);
    return now;
}

function matches(one: Activity, filter: string): boolean {
    const text = [one.process_id, one.role, one.database, one.application_name, one.client_address, one.state, one.query].join(" ");
    return text.toLowerCase().includes(filter.toLowerCase());
}

function Liveness({ feed }: { feed: Feed }): JSX.Element {
    const words = { opening: "connecting", live: "live", lost: "connection lost, trying again" };
    return <span class={"liveness " + feed.state} role="status"><i />{words[feed.state]}</span>;
}

function Tiles({ samples }: { samples: Sample[] }): JSX.Element {
    const last = samples[samples.length - 1];
    const tiles: { name: string; of: (s: Sample) => number; write: (value: number) => string; tone: string; warn?: (value: number) => boolean }[] = [
        { name: "statements / s", of: (s) => s.statements, write: short, tone: "a" },
        { name: "rows / s", of: (s) => s.rows, write: short, tone: "a" },
        { name: "median latency", of: (s) => s.p50, write: milliseconds, tone: "b" },
        { name: "sessions", of: (s) => s.sessions, write: count, tone: "a" },
        { name: "running", of: (s) => s.running, write: count, tone: "a" },
        { name: "waiting for locks", of: (s) => s.waiting, write: count, tone: "c", warn: (value) => value > 0 },
        { name: "errors / s", of: (s) => s.errors, write: short, tone: "bad", warn: (value) => value > 0 },
    ];
    return (
        <dl class="tiles">
            {tiles.map((tile) => (
                <div key={tile.name} class={"tile" + (last && tile.warn?.(tile.of(last)) ? " warn" : "") + (tile.name === "rows / s" ? " hide-narrow" : "")}>
                    <dt>{tile.name}</dt><dd>{last ? tile.write(tile.of(last)) : "–"}</dd>
                    <Spark values={samples.map(tile.of)} tone={tile.tone} />
                </div>
            ))}
        </dl>
    );
}

const since = (text: string | null | undefined, now: number): string =>
    text ? lasted(now - Date.parse(text)) : "–";

// How long the state lasts: a running statement since it began, anything else since it changed.
const began = (one: Activity): string | null | undefined => one.state === "active" ? one.query_started_at : one.state_changed_at ?? one.query_started_at;

function stateWord(one: Activity): { word: string; tone: string } {
    if (isWaiting(one)) return { word: "waits for a lock", tone: "warn" };
    if (one.state === "active") return { word: one.wait_event ? `running · ${one.wait_event}` : "running", tone: "good" };
    if (one.state?.includes("aborted")) return { word: "failed transaction", tone: "bad" };
    if (one.state?.startsWith("idle in transaction")) return { word: "idle in transaction", tone: "warn" };
    return { word: one.state ?? "–", tone: "" };
}

function SessionTable({ listed, now, own, open }: { listed: Activity[]; now: number; own: Session; open: (id: number) => void }): JSX.Element {
    const sorted = [...listed].sort((a, b) => rank(a) - rank(b) || Date.parse(began(a) ?? "") - Date.parse(began(b) ?? "") || a.process_id - b.process_id);
    return (
        <div class="table-box">
            <table class="table sessions">
                <thead><tr><th class="right">Process</th><th>State</th><th class="right">For</th><th>Role</th><th class="hide-narrow">Database</th><th class="hide-narrow">Client</th><th class="grow">Statement</th><th><span class="unseen">Actions</span></th></tr></thead>
                <tbody>
                    {sorted.slice(0, 500).map((one) => {
                        const { word, tone } = stateWord(one);
                        return (
                            <tr key={one.process_id} class={one.state === "active" ? "" : "resting"}>
                                <td class="right"><button type="button" class="text-button mono" onClick={() => open(one.process_id)}>{one.process_id}</button></td>
                                <td><span class={"state " + tone}><i />{word}</span></td>
                                <td class="right mono">{since(began(one), now)}</td>
                                <td>{one.role ?? "–"}</td>
                                <td class="hide-narrow">{one.database ?? "–"}</td>
                                <td class="hide-narrow muted">{[one.application_name, one.client_address].filter(Boolean).join(" · ") || "–"}</td>
                                <td class="grow statement" title={one.query ?? ""}>{one.session_id === own.session_id ? <span class="badge">this console</span> : null} <Sql text={oneLine(one.query)} /></td>
                                <td class="actions">{one.state === "active" && <Button small icon="stop" title={`Cancel the statement of ${one.process_id}`} onClick={() => void cancel(one)} />}</td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
            {sorted.length > 500 && <p class="muted pad">The first 500 of {count(sorted.length)}: filter to see others.</p>}
        </div>
    );
}

const rank = (one: Activity): number => isWaiting(one) ? 0 : one.state === "active" ? 1 : one.state?.startsWith("idle in") ? 2 : 3;
const oneLine = (text: string | null | undefined): string => (text ?? "").replace(/\s+/g, " ").slice(0, 300);

async function cancel(one: Activity): Promise<void> {
    try {
        const { told } = await post<{ told: boolean }>(path`/v1/sessions/${one.process_id}/cancel`);
        tell("ok", told ? `Process ${one.process_id} was told to cancel its statement` : `Process ${one.process_id} had nothing to cancel any more`);
    } catch (error) {
        tellProblem(`Process ${one.process_id} was not cancelled`, error);
    }
}

function SessionDialog({ one, now, close }: { one: Activity; now: number; close: () => void }): JSX.Element {
    const [ending, end] = useState(false);
    const { word } = stateWord(one);
    const facts: [string, string | null | undefined][] = [
        ["State", word], ["For", since(began(one), now)], ["Waits for", one.wait_event ? `${one.wait_event_type}: ${one.wait_event}` : null],
        ["Role", one.role], ["Database", one.database], ["Application", one.application_name], ["Client", one.client_address],
        ["Connected for", since(one.started_at, now)], ["Transaction for", one.transaction_started_at ? since(one.transaction_started_at, now) : null],
        ["Session", one.session_id], ["Statement", one.statement_id],
    ];
    if (ending) {
        return <FormDialog title={`End process ${one.process_id}`} action="End the session" danger close={() => end(false)} submit={async () => {
            await post(path`/v1/sessions/${one.process_id}/terminate`);
            tell("ok", `Process ${one.process_id} was told to end`);
            close();
        }}><p>The client's connection is closed and its transaction rolled back. What it has committed stays.</p></FormDialog>;
    }
    return (
        <Dialog title={`Process ${one.process_id}`} wide close={close} actions={<>
            <Button kind="danger" onClick={() => end(true)}>End session…</Button>
            <span class="room" />
            {one.query && <Button kind="quiet" icon="copy" onClick={() => void copy(one.query!, "Statement copied")}>Copy statement</Button>}
            {one.state === "active" && <Button icon="stop" onClick={() => void cancel(one)}>Cancel statement</Button>}
        </>}>
            <dl class="facts">{facts.filter(([, value]) => value && value !== "–").map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
            <h3 class="minor">{one.state === "active" ? "Statement" : "Last statement"}</h3>
            <pre class="value" tabIndex={0}>{one.query ? <Sql text={one.query} /> : <span class="faint">none</span>}</pre>
        </Dialog>
    );
}

function Locks({ activity, open }: { activity: Activity[]; open: (id: number) => void }): JSX.Element {
    const beat = Math.floor(useClock(2000) / 2000);
    const { value, problem, again } = useLoaded(String(beat), (signal) => get<List<Lock>>("/v1/locks?limit=1000", { signal }));
    if (problem && !value) return <Broken problem={problem} again={again} />;
    if (!value) return <Waiting />;
    const locks = [...value.items].sort((a, b) => Number(a.granted ?? true) - Number(b.granted ?? true));
    const waiting = locks.filter((one) => one.granted === false);
    if (locks.length === 0) return <Empty icon="lock" title="No locks are reported"><p class="muted">What the node tells in pg_locks is listed here, first what somebody waits for.</p></Empty>;
    return (
        <div class="table-box">
            {waiting.length > 0 && <p class="banner">{plural(waiting.length, "session waits", "sessions wait")} for a lock that somebody else holds.</p>}
            <table class="table">
                <thead><tr><th class="right">Process</th><th>State</th><th>Mode</th><th>On</th><th>Held up by</th><th class="grow hide-narrow">Statement</th></tr></thead>
                <tbody>
                    {locks.map((one, i) => (
                        <tr key={i}>
                            <td class="right">{one.process_id != null ? <Process id={one.process_id} activity={activity} open={open} /> : "–"}</td>
                            <td><span class={one.granted === false ? "state warn" : "state good"}><i />{one.granted === false ? "waits" : "held"}</span></td>
                            <td>{one.mode ?? "–"}</td>
                            <td class="mono">{one.relation ?? one.kind ?? "–"}</td>
                            <td>{one.blocked_by?.length ? one.blocked_by.map((id) => <Process key={id} id={id} activity={activity} open={open} />) : <span class="faint">–</span>}</td>
                            <td class="grow statement hide-narrow"><Sql text={oneLine(one.query)} /></td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function Process({ id, activity, open }: { id: number; activity: Activity[]; open: (id: number) => void }): JSX.Element {
    const known = activity.some((one) => one.process_id === id);
    return known ? <button type="button" class="text-button mono" onClick={() => open(id)}>{id}</button> : <span class="mono">{id}</span>;
}

