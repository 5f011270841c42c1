// One table or view: what it is made of, some of its rows, how it would be written as SQL.
import { useMemo, useState } from "preact/hooks";
import type { JSX } from "preact";
import { call, get, path, query } from "../api";
import type { List, Session } from "../contract";
import { everyOne, qualified, readNames, useNames, written, type Relation, type Shelf } from "../names";
import { go, link, tell, useKept, useLoaded } from "../page";
import { Icon } from "../parts/icon";
import { Broken, Button, Check, copy, Empty, Field, FormDialog, Tabs, Waiting } from "../parts/parts";
import { Sql } from "../parts/sql";
import { Grid } from "../sql/grid";
import { ask } from "../sql/run";
import { openSheet } from "../sql/sql";
import { bytes, plural, quoteName, short } from "../words";
import { ddlOf, type Column, type Detail, type Index } from "./ddl";

const SAMPLE = 200;

type What = "columns" | "rows" | "indexes" | "constraints" | "dependents" | "ddl";

export function RelationView({ session, relation, back }: { session: Session; relation: Relation; back: JSX.Element }): JSX.Element {
    const isView = relation.kind.includes("view");
    const sql = written(relation);
    const name = qualified(relation);
    const names = useNames(session.database);
    const [what, setWhat] = useKept<What>("synod.relation", "columns");
    const [dropping, drop] = useState(false);
    const base = isView ? path`/v1/databases/${session.database}/views/${sql}` : path`/v1/databases/${session.database}/tables/${sql}`;
    const { value, problem, again } = useLoaded(name, async (signal) => {
        // Their sizes take a look at every shard, so indexes are a list of their own.
        const [detail, indexes] = await Promise.all([get<Detail>(base, { signal }), isView ? [] : everyOne<Index>(base + "/indexes")]);
        return { ...detail, indexes };
    });
    const choices: { id: What; label: string; count?: number | undefined }[] = [
        { id: "columns", label: "Columns", count: value?.columns?.length }, { id: "rows", label: "Rows" },
        ...(isView ? [] : [{ id: "indexes" as const, label: "Indexes", count: value?.indexes?.length }, { id: "constraints" as const, label: "Constraints", count: value?.constraints?.length }, { id: "dependents" as const, label: "Used by" }]),
        { id: "ddl", label: "DDL" },
    ];
    const chosen = choices.some((one) => one.id === what) ? what : "columns";
    return (
        <div class="relation">
            <header class="page-head">
                {back}
                <h1><Icon name={isView ? "view" : "schema"} /><span class="muted">{relation.schema}.</span>{relation.name}</h1>
                <span class="room" />
                <Button small icon="sql" onClick={() => openSheet(relation.name, `SELECT *\nFROM ${sql}\nLIMIT 100;\n`)}>Query</Button>
                <a class="button small" href={base.replace("/views/", "/tables/") + "/export?format=csv"} download={`${name}.csv`}><Icon name="download" />CSV</a>
                <a class="button small hide-narrow" href={base.replace("/views/", "/tables/") + "/export?format=ndjson"} download={`${name}.ndjson`}><Icon name="download" />NDJSON</a>
                <Button small kind="quiet" icon="trash" title={`Drop ${name}`} onClick={() => drop(true)} />
            </header>
            {value?.comment && <p class="muted pad">{value.comment}</p>}
            {!isView && <Facts value={value} />}
            <div class="pane-tabs"><Tabs label="About this table" choices={choices} chosen={chosen} choose={setWhat} /></div>
            <div class="relation-body" role="tabpanel">
                {problem ? <Broken problem={problem} again={again} />
                    : chosen === "rows" ? <Sample sql={sql} />
                    : !value ? <Waiting />
                    : chosen === "columns" ? <Columns columns={value.columns ?? []} detail={value} />
                    : chosen === "indexes" ? <Indexes detail={value} sql={sql} />
                    : chosen === "constraints" ? <Constraints detail={value} sql={sql} names={names} />
                    : chosen === "dependents" ? <Dependents base={base} name={name} />
                    : <Ddl detail={value} isView={isView} />}
            </div>
            {dropping && <DropDialog base={base} name={name} kind={isView ? "view" : "table"} database={session.database} close={() => drop(false)} />}
        </div>
    );
}

function Facts({ value }: { value: Detail | undefined }): JSX.Element {
    const rows = value?.estimated_rows;
    const indexes = value?.indexes?.reduce((sum, one) => sum + Number(one.size_bytes ?? 0), 0) ?? 0;
    const facts: [string, string][] = [
        ["Rows", rows == null || Number(rows) < 0 ? "–" : "≈ " + short(Number(rows))], ["Size", bytes(value?.size_bytes)], ["Indexes", value ? bytes(indexes) : "–"],
        ["Layout", value?.layout ?? "–"], ["Owner", value?.owner ?? "–"],
    ];
    return <dl class="strip">{facts.map(([name, text]) => <div key={name}><dt>{name}</dt><dd>{text}</dd></div>)}</dl>;
}

function Columns({ columns, detail }: { columns: Column[]; detail: Detail }): JSX.Element {
    const keys = useMemo(() => {
        const marks = new Map<string, string[]>();
        for (const one of detail.constraints ?? [])
            for (const column of one.columns ?? [])
                marks.set(column, [...marks.get(column) ?? [], { primary_key: "primary key", foreign_key: one.references ? "→ " + one.references : "foreign key", unique: "unique" }[one.kind] ?? ""]);
        return marks;
    }, [detail]);
    return (
        <div class="table-box"><table class="table"><thead><tr><th class="right">#</th><th>Column</th><th>Type</th><th>Null</th><th class="hide-narrow">Default</th><th class="grow">Notes</th></tr></thead><tbody>
            {columns.map((one, i) => (
                <tr key={one.name}><td class="right faint">{one.position ?? i + 1}</td><td><b>{one.name}</b></td><td class="mono"><Sql text={one.type} /></td><td>{one.nullable === false ? <span class="faint">not null</span> : "yes"}</td>
                    <td class="mono hide-narrow">{one.identity ? <span class="muted">identity</span> : one.generated ? <span class="muted">generated</span> : one.default ? <Sql text={one.default} /> : ""}</td>
                    <td class="grow">{keys.get(one.name)?.filter(Boolean).map((mark) => <span key={mark} class="badge">{mark}</span>)} <span class="muted">{one.comment}</span></td></tr>
            ))}
        </tbody></table></div>
    );
}

function Indexes({ detail, sql }: { detail: Detail; sql: string }): JSX.Element {
    const add = <Button small icon="plus" onClick={() => openSheet("New index", `CREATE INDEX ON ${sql} (${quoteName(detail.columns?.[0]?.name ?? "column")});\n`)}>New index</Button>;
    if (!detail.indexes?.length) return <Empty icon="index" title="No indexes"><p class="muted">Every search of this table reads all of it.</p>{add}</Empty>;
    return (
        <div class="table-box"><table class="table"><thead><tr><th>Index</th><th>Method</th><th></th><th class="right">Size</th><th class="grow hide-narrow">Definition</th></tr></thead><tbody>
            {detail.indexes.map((one) => (
                <tr key={one.name}><td><b>{one.name}</b></td><td>{one.method}</td><td>{one.primary ? <span class="badge">primary</span> : one.unique ? <span class="badge">unique</span> : null}{one.valid === false && <span class="badge bad">not valid</span>}</td>
                    <td class="right mono">{bytes(one.size_bytes)}</td><td class="grow hide-narrow"><Sql text={one.definition} /></td></tr>
            ))}
        </tbody></table><p class="pad">{add}</p></div>
    );
}

const CONSTRAINT_WORDS: Record<string, string> = { primary_key: "primary key", foreign_key: "foreign key", unique: "unique", check: "check", exclusion: "exclusion", trigger: "trigger" };

// The API writes the name of a referenced table as SQL would: without the schema where the search path finds it.
function placeOf(reference: string, names: Shelf): string | null {
    const found = names.relations.find((one) => written(one) === reference)
        ?? names.relations.find((one) => quoteName(one.name) === reference && one.schema === "public") ?? names.relations.find((one) => quoteName(one.name) === reference);
    return found ? qualified(found) : null;
}

function Reference({ to, names }: { to: string; names: Shelf }): JSX.Element {
    const place = placeOf(to, names);
    return place ? <a href={link("schema", place)}>{to}</a> : <>{to}</>;
}

function Constraints({ detail, sql, names }: { detail: Detail; sql: string; names: Shelf }): JSX.Element {
    const add = <Button small icon="plus" onClick={() => openSheet("New constraint", `ALTER TABLE ${sql} ADD CONSTRAINT name CHECK (true);\n`)}>New constraint</Button>;
    if (!detail.constraints?.length) return <Empty icon="lock" title="No constraints"><p class="muted">Any row of the right types may be stored.</p>{add}</Empty>;
    return (
        <div class="table-box"><table class="table"><thead><tr><th>Constraint</th><th>Kind</th><th>References</th><th class="grow">Definition</th></tr></thead><tbody>
            {detail.constraints.map((one) => (
                <tr key={one.name}><td><b>{one.name}</b></td><td><span class="badge">{CONSTRAINT_WORDS[one.kind] ?? one.kind}</span>{one.validated === false && <span class="badge warn">not validated</span>}</td>
                    <td>{one.references ? <Reference to={one.references} names={names} /> : ""}</td><td class="grow"><Sql text={one.definition} /></td></tr>
            ))}
        </tbody></table><p class="pad">{add}</p></div>
    );
}

function Dependents({ base, name }: { base: string; name: string }): JSX.Element {
    const { value, problem, again } = useLoaded(name + " dependents", async () => (await get<List<{ kind: string; name: string }>>(base + "/dependents")).items);
    if (problem) return <Broken problem={problem} again={again} />;
    if (!value) return <Waiting lines={3} />;
    if (value.length === 0) return <Empty icon="plan" title="Nothing depends on it"><p class="muted">Views and foreign keys that use this table are listed here.</p></Empty>;
    return <div class="table-box"><table class="table"><thead><tr><th>Kind</th><th class="grow">Name</th></tr></thead><tbody>
        {value.map((one, i) => <tr key={i}><td><span class="badge">{one.kind}</span></td><td class="grow">{one.name}</td></tr>)}</tbody></table></div>;
}

function Sample({ sql }: { sql: string }): JSX.Element {
    const { value, problem, loading, again } = useLoaded(sql, () => ask(`SELECT * FROM ${sql} LIMIT ${SAMPLE}`, SAMPLE));
    if (problem) return <Broken problem={problem} again={again} />;
    if (!value || loading) return <Waiting lines={10} />;
    if (!value.rows.length) return <Empty icon="schema" title="The table is empty"><Button icon="sql" onClick={() => openSheet("Insert", `INSERT INTO ${sql} (${value.columns.map((one) => quoteName(one.name)).join(", ")})\nVALUES ();\n`)}>Insert a row</Button></Empty>;
    return <><p class="muted pad-small">{value.rows.length === SAMPLE ? `The first ${SAMPLE} rows found` : plural(value.rows.length, "row")}</p><Grid result={value} rows={value.rows.length} label={`Rows of ${sql}`} /></>;
}

function Ddl({ detail, isView }: { detail: Detail; isView: boolean }): JSX.Element {
    const text = ddlOf(detail, isView);
    return (
        <div class="ddl">
            <p class="pad-small"><Button small icon="copy" onClick={() => void copy(text, "DDL copied")}>Copy</Button> <Button small kind="quiet" icon="sql" onClick={() => openSheet(detail.name, text)}>Open as a query</Button></p>
            <pre class="value" tabIndex={0}><Sql text={text} /></pre>
        </div>
    );
}

function DropDialog({ base, name, kind, database, close }: { base: string; name: string; kind: string; database: string; close: () => void }): JSX.Element {
    const [typed, type] = useState("");
    const [cascade, setCascade] = useState(false);
    return (
        <FormDialog title={`Drop ${kind} ${name}`} action={`Drop ${kind}`} danger disabled={typed !== name} close={close} submit={async () => {
            await call("DELETE", base + query({ cascade: cascade || null }));
            tell("ok", `Dropped ${name}`);
            go("schema");
            await readNames(database);
        }}>
            <p>{kind === "table" ? "All its rows and indexes go with it. This cannot be undone." : "Its definition is lost; the tables beneath stay."}</p>
            <Check label="Drop what depends on it as well" hint="CASCADE: views and foreign keys that use it" checked={cascade} onChange={setCascade} />
            <Field label={`Type ${name} to be sure`}><input value={typed} autocomplete="off" spellcheck={false} onInput={(event) => type(event.currentTarget.value)} /></Field>
        </FormDialog>
    );
}

