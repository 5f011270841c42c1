// The schema browser: on the left every table and view, on the right the one that was chosen. The list holds only what is
// in sight, so ten thousand tables are as quick as ten.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Session } from "../contract";
import { everyOne, qualified, readNames, useNames, type Relation, type Shelf } from "../names";
import { go, link, useKept, useLoaded, useSettled } from "../page";
import { Icon } from "../parts/icon";
import { Broken, Button, Empty, Search, Waiting } from "../parts/parts";
import { openSheet } from "../sql/sql";
import { bytes, count, plural, short } from "../words";
import { RelationView } from "./relation";

const ROW = 28;

type Row = { schema: string; count: number; open: boolean } | { relation: Relation };

const NEW_TABLE = `CREATE TABLE name (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now()
);
`;

export function SchemaPage({ session, place }: { session: Session; place: string[] }): JSX.Element {
    const names = useNames(session.database);
    const [filter, setFilter] = useState("");
    const settled = useSettled(filter, 80);
    const chosen = place[0] ? names.relations.find((one) => qualified(one) === place[0]) : undefined;
    return (
        <div class={"schema-page" + (place[0] ? " has-choice" : "")}>
            <aside class="relations" aria-label="Tables and views">
                <header class="list-head">
                    <h1>Schema</h1><span class="room" />
                    <Button kind="quiet" small icon="refresh" title="Read the list again" onClick={() => void readNames(session.database)} />
                    <Button kind="quiet" small icon="plus" title="New table, as SQL" onClick={() => openSheet("New table", NEW_TABLE)} />
                </header>
                <Search value={filter} onChange={setFilter} label="Filter tables and views" />
                {names.problem && !names.relations.length ? <Broken problem={names.problem} again={() => void readNames(session.database)} />
                    : !names.complete && !names.relations.length ? <Waiting lines={12} />
                    : <RelationList names={names} filter={settled} chosen={place[0] ?? ""} />}
            </aside>
            <section class="relation-pane" aria-label="The chosen table">
                {!place[0] ? <Overview session={session} names={names} />
                    : !chosen && names.complete ? <><Back /><Empty icon="search" title={`There is no ${place[0]}`}><p class="muted">It may have been dropped, or you may not see it with this role.</p>
                        <Button icon="refresh" onClick={() => void readNames(session.database)}>Read the list again</Button></Empty></>
                    : !chosen ? <Waiting />
                    : <RelationView key={place[0]} session={session} relation={chosen} back={<Back />} />}
            </section>
        </div>
    );
}

const Back = (): JSX.Element => <a class="back" href={link("schema")}><Icon name="left" />All tables</a>;

function RelationList({ names, filter, chosen }: { names: Shelf; filter: string; chosen: string }): JSX.Element {
    const [closed, setClosed] = useKept<string[]>("synod.schemas.closed", ["information_schema", "pg_catalog", "synod_rest"]);
    const [view, setView] = useState({ top: 0, height: 600 });
    const [at, setAt] = useState(-1);
    const box = useRef<HTMLDivElement>(null);
    const wanted = filter.trim().toLowerCase();
    const rows = useMemo(() => rowsOf(names, wanted, closed), [names, wanted, closed]);
    useEffect(() => setAt(-1), [wanted]);
    const look = (): void => {
        const { scrollTop: top, clientHeight: height } = box.current!;
        setView((before) => before.top === top && before.height === height ? before : { top, height });
    };
    useEffect(() => {
        const seen = new ResizeObserver(look);
        seen.observe(box.current!);
        return () => seen.disconnect();
    }, []);
    useLayoutEffect(() => {
        if (at < 0) return;
        const { scrollTop, clientHeight } = box.current!;
        if (at * ROW < scrollTop) box.current!.scrollTop = at * ROW;
        else if ((at + 1) * ROW > scrollTop + clientHeight) box.current!.scrollTop = (at + 1) * ROW - clientHeight;
    }, [at]);
    const toggle = (schema: string): void => setClosed(closed.includes(schema) ? closed.filter((one) => one !== schema) : [...closed, schema]);
    const take = (row: Row | undefined): void => {
        if (!row) return;
        if ("relation" in row) go("schema", qualified(row.relation));
        else if (!wanted) toggle(row.schema);
    };
    const key = (event: KeyboardEvent): void => {
        const page = Math.max(1, Math.floor(view.height / ROW) - 1);
        const row = rows[at];
        const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length }[event.key];
        if (step !== undefined) setAt(Math.max(0, Math.min(rows.length - 1, at + step)));
        else if (event.key === "Enter" || event.key === " ") take(row);
        else if (event.key === "ArrowRight" && row && "schema" in row && !row.open) toggle(row.schema);
        else if (event.key === "ArrowLeft" && row && "schema" in row && row.open) toggle(row.schema);
        else return;
        event.preventDefault();
    };
    const first = Math.max(0, Math.floor(view.top / ROW) - 10);
    const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW) + 10);
    const shown: JSX.Element[] = [];
    for (let i = first; i < last; i++) {
        const row = rows[i]!;
        const style = { top: i * ROW };
        if ("schema" in row) {
            shown.push(<div key={"s" + row.schema} id={`row-${i}`} role="treeitem" aria-level={1} aria-expanded={row.open} aria-selected={false} class={"list-schema" + (i === at ? " at" : "")} style={style} onClick={() => take(row)}>
                <Icon name={row.open ? "down" : "right"} /><b>{row.schema}</b><small>{count(row.count)}</small></div>);
        } else {
            const name = qualified(row.relation);
            shown.push(<div key={name + row.relation.kind} id={`row-${i}`} role="treeitem" aria-level={2} aria-selected={name === chosen} class={"list-relation" + (name === chosen ? " chosen" : "") + (i === at ? " at" : "")} style={style}
                title={row.relation.comment ?? name} onClick={() => take(row)}>
                <Icon name={row.relation.kind.includes("view") ? "view" : "schema"} /><span><Found text={row.relation.name} wanted={wanted} /></span>
                <small>{row.relation.estimatedRows !== null && row.relation.estimatedRows >= 0 && !row.relation.kind.includes("view") ? short(row.relation.estimatedRows) : ""}</small></div>);
        }
    }
    return (
        <>
            <div ref={box} class="list" role="tree" tabIndex={0} aria-label="Tables and views" onScroll={look} onKeyDown={key} {...(at >= 0 ? { "aria-activedescendant": `row-${at}` } : {})}>
                <div style={{ height: rows.length * ROW }}>{shown}</div>
                {rows.length === 0 && <Empty icon="search" title={wanted ? "Nothing is called so" : "No tables yet"}>{!wanted && <Button icon="plus" onClick={() => openSheet("New table", NEW_TABLE)}>New table</Button>}</Empty>}
            </div>
            <p class="list-foot">{names.complete ? plural(names.relations.length, "relation") : `reading… ${count(names.relations.length)} so far`}{wanted && `, ${count(rows.filter((row) => "relation" in row).length)} shown`}</p>
        </>
    );
}

function Found({ text, wanted }: { text: string; wanted: string }): JSX.Element {
    const at = wanted ? text.toLowerCase().indexOf(wanted) : -1;
    return at < 0 ? <>{text}</> : <>{text.slice(0, at)}<mark>{text.slice(at, at + wanted.length)}</mark>{text.slice(at + wanted.length)}</>;
}

function rowsOf(names: Shelf, wanted: string, closed: string[]): Row[] {
    const bySchema = new Map<string, Relation[]>();
    if (!wanted) for (const schema of names.schemas) bySchema.set(schema, []);
    for (const one of names.relations) {
        if (wanted && !one.name.toLowerCase().includes(wanted) && !qualified(one).toLowerCase().includes(wanted)) continue;
        const list = bySchema.get(one.schema);
        if (list) list.push(one);
        else bySchema.set(one.schema, [one]);
    }
    const system = (schema: string): number => /^(pg_|information_schema$|synod_rest$)/.test(schema) ? 1 : 0;
    const order = [...bySchema.keys()].sort((a, b) => system(a) - system(b) || (a < b ? -1 : 1));
    return order.flatMap((schema): Row[] => {
        const list = bySchema.get(schema)!;
        const open = wanted !== "" || !closed.includes(schema);
        return [{ schema, count: list.length, open }, ...(open ? list.map((relation) => ({ relation })) : [])];
    });
}

interface DatabaseItem { name: string; owner?: string; encoding?: string; size_bytes?: string | null; comment?: string | null }

function Overview({ session, names }: { session: Session; names: Shelf }): JSX.Element {
    const { value, problem, again } = useLoaded("databases", () => everyOne<DatabaseItem>("/v1/databases"));
    const own = names.relations.filter((one) => !/^(pg_|information_schema$|synod_rest$)/.test(one.schema));
    const largest = [...own].filter((one) => (one.estimatedRows ?? 0) > 0 || (one.sizeBytes ?? 0) > 0)
        .sort((a, b) => (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0) || (b.estimatedRows ?? 0) - (a.estimatedRows ?? 0)).slice(0, 12);
    const most = Math.max(1, ...largest.map((one) => one.sizeBytes ?? one.estimatedRows ?? 0));
    return (
        <div class="page">
            <header class="page-head"><h1>{session.database}</h1></header>
            <section class="panel">
                <div class="panel-head"><h2>Largest tables</h2></div>
                {!names.complete ? <Waiting lines={4} /> : largest.length === 0
                    ? <Empty icon="schema" title="Nothing to compare yet"><p class="muted">Tables with rows will be listed here by their size.</p></Empty>
                    : <div class="table-box"><table class="table"><thead><tr><th>Table</th><th class="right">Rows</th><th class="right">Size</th><th class="grow hide-narrow"><span class="unseen">Share</span></th></tr></thead><tbody>
                        {largest.map((one) => (
                            <tr key={qualified(one)}>
                                <td><a href={link("schema", qualified(one))}>{qualified(one)}</a></td>
                                <td class="right mono">{one.estimatedRows === null || one.estimatedRows < 0 ? "–" : "≈ " + short(one.estimatedRows)}</td><td class="right mono">{bytes(one.sizeBytes)}</td>
                                <td class="grow hide-narrow"><i class="bar"><i style={{ width: `${100 * (one.sizeBytes ?? one.estimatedRows ?? 0) / most}%` }} /></i></td>
                            </tr>
                        ))}
                    </tbody></table></div>}
            </section>
            <section class="panel">
                <div class="panel-head"><h2>Databases</h2><span class="room" /><span class="muted">To work in another one, sign in to it.</span></div>
                {problem ? <Broken problem={problem} again={again} /> : !value ? <Waiting lines={3} /> : (
                    <div class="table-box"><table class="table"><thead><tr><th>Name</th><th>Owner</th><th class="hide-narrow">Encoding</th><th class="right">Size</th><th class="grow hide-narrow">Comment</th></tr></thead><tbody>
                        {value.map((one) => (
                            <tr key={one.name}><td><b>{one.name}</b> {one.name === session.database && <span class="badge">this one</span>}</td><td>{one.owner ?? "–"}</td><td class="hide-narrow">{one.encoding ?? "–"}</td><td class="right mono">{bytes(one.size_bytes)}</td><td class="grow hide-narrow muted">{one.comment ?? ""}</td></tr>
                        ))}
                    </tbody></table></div>
                )}
            </section>
        </div>
    );
}

