// Roles and what they may do, the keys of programs, and who changed what.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { call, path, post, query } from "../api";
import type { Session } from "../contract";
import { everyOne } from "../names";
import { go, link, tell, useLoaded } from "../page";
import { Icon } from "../parts/icon";
import { Broken, Button, Check, Dialog, Empty, Field, FormDialog, Search, Tabs, Waiting, copy } from "../parts/parts";
import { get } from "../api";
import type { List } from "../contract";
import { plural, timeOf, when } from "../words";
import { Grants } from "./grants";
import { RoleForm, type Role } from "./role";

type What = "roles" | "keys" | "audit";

export function UsersPage({ session, place }: { session: Session; place: string[] }): JSX.Element {
    const what: What = place[0] === "keys" || place[0] === "audit" ? place[0] : "roles";
    return (
        <div class="page users-page">
            <header class="page-head"><h1>Users</h1>
                <Tabs<What> label="What to show" chosen={what} choose={(id) => go("users", id)} choices={[{ id: "roles", label: "Roles" }, { id: "keys", label: "API keys" }, { id: "audit", label: "Audit log" }]} />
            </header>
            {what === "roles" ? <Roles session={session} chosen={place[1]} /> : what === "keys" ? <Keys session={session} /> : <Audit />}
        </div>
    );
}

// ---- roles ----

function Roles({ session, chosen }: { session: Session; chosen: string | undefined }): JSX.Element {
    const { value, problem, again } = useLoaded("roles", () => everyOne<Role>("/v1/roles"));
    const [filter, setFilter] = useState("");
    const [making, make] = useState(false);
    if (problem) return <Broken problem={problem} again={again} />;
    const listed = (value ?? []).filter((one) => one.name.toLowerCase().includes(filter.toLowerCase()));
    const role = value?.find((one) => one.name === chosen);
    return (
        <div class={"two-panes" + (role ? " has-choice" : "")}>
            <section class="panel roles">
                <div class="panel-head">
                    <Search value={filter} onChange={setFilter} label="Filter roles" /><span class="room" />
                    <Button icon="plus" kind="main" small onClick={() => make(true)}>New role</Button>
                </div>
                {!value ? <Waiting /> : listed.length === 0 ? <Empty icon="users" title="No role fits" /> : (
                    <div class="table-box"><table class="table"><thead><tr><th>Role</th><th>May</th><th class="hide-narrow">Member of</th><th class="hide-narrow">Password valid until</th></tr></thead><tbody>
                        {listed.map((one) => (
                            <tr key={one.name} class={one.name === chosen ? "chosen" : ""}>
                                <td><a href={link("users", "roles", one.name)}><b>{one.name}</b></a> {one.name === session.role && <span class="badge">you</span>}</td>
                                <td><Powers role={one} /></td>
                                <td class="hide-narrow muted">{one.member_of?.join(", ")}</td><td class="hide-narrow muted">{one.valid_until ? when(one.valid_until) : ""}</td>
                            </tr>
                        ))}
                    </tbody></table></div>
                )}
            </section>
            {role ? <RoleView key={role.name} role={role} session={session} all={value ?? []} again={again} />
                : value && <section class="panel hide-narrow"><Empty icon="users" title="Choose a role"><p class="muted">to see and change what it may do.</p></Empty></section>}
            {making && <RoleForm role={null} close={() => make(false)} submit={async (body) => {
                await post("/v1/roles", body);
                tell("ok", `Created ${String(body.name)}`);
                again();
                go("users", "roles", String(body.name));
            }} all={value ?? []} />}
        </div>
    );
}

function Powers({ role }: { role: Role }): JSX.Element {
    const marks: [boolean | undefined, string, string][] = [
        [role.superuser, "everything", "warn"], [role.login, "sign in", ""], [role.create_database && !role.superuser, "create databases", ""],
        [role.create_role && !role.superuser, "create roles", ""], [role.replication && !role.superuser, "replication", ""],
    ];
    const shown = marks.filter(([on]) => on);
    return <>{shown.length ? shown.map(([, word, tone]) => <span key={word} class={"badge " + tone}>{word}</span>) : <span class="faint">group only</span>}</>;
}

function RoleView({ role, session, all, again }: { role: Role; session: Session; all: Role[]; again: () => void }): JSX.Element {
    const [open, setOpen] = useState<"change" | "password" | "drop" | "member" | null>(null);
    const at = path`/v1/roles/${role.name}`;
    const members = useLoaded("members " + role.name, () => get<List<{ member: string; admin?: boolean }>>(at + "/members"));
    const close = (): void => setOpen(null);
    const facts: [string, JSX.Element | string][] = [
        ["May", <Powers role={role} />], ...(role.has_password == null ? [] : [["Password", role.has_password ? "set" : "none"] as [string, string]]),
        ["Password valid until", role.valid_until && role.valid_until !== "infinity" ? when(role.valid_until) : "no end"], ["Connections", role.connection_limit === undefined || role.connection_limit < 0 ? "no limit" : String(role.connection_limit)],
        ["Member of", role.member_of?.length ? role.member_of.join(", ") : "no other role"], ["Settings", role.settings?.length ? role.settings.join(", ") : "none of its own"],
    ];
    return (
        <section class="panel role" aria-label={role.name}>
            <div class="panel-head"><a class="back" href={link("users", "roles")}><Icon name="left" />All roles</a><h2>{role.name}</h2><span class="room" />
                <Button small icon="edit" onClick={() => setOpen("change")}>Change</Button>
                <Button small icon="key" onClick={() => setOpen("password")}>Password</Button>
                <Button small kind="quiet" icon="trash" title={`Drop ${role.name}`} disabled={role.name === session.role} onClick={() => setOpen("drop")} />
            </div>
            <dl class="facts">{facts.map(([name, text]) => <div key={name}><dt>{name}</dt><dd>{text}</dd></div>)}</dl>
            <h3 class="minor">Members<Button small kind="quiet" icon="plus" title="Add a member" onClick={() => setOpen("member")} /></h3>
            {members.problem ? <Broken problem={members.problem} again={members.again} /> : !members.value ? <Waiting lines={1} />
                : members.value.items.length === 0 ? <p class="muted pad">No role is a member of {role.name}.</p>
                : <ul class="chips">{members.value.items.map((one) => (
                    <li key={one.member}>{one.member}{one.admin && <small>admin</small>}
                        <Button small kind="quiet" icon="close" title={`Remove ${one.member}`} onClick={() => void call("DELETE", at + path`/members/${one.member}`).then(members.again, (error) => tell("problem", `${one.member} was not removed`, String(error.message)))} /></li>
                ))}</ul>}
            <Grants role={role.name} database={session.database} />
            {open === "change" && <RoleForm role={role} all={all} close={close} submit={async (body) => {
                await call("PATCH", at, body);
                tell("ok", `Changed ${role.name}`);
                again();
                if (body.name && body.name !== role.name) go("users", "roles", String(body.name));
            }} />}
            {open === "password" && <PasswordForm role={role} close={close} again={again} />}
            {open === "member" && <MemberForm role={role} all={all} close={close} again={members.again} />}
            {open === "drop" && <FormDialog title={`Drop ${role.name}`} action="Drop role" danger close={close} submit={async () => {
                await call("DELETE", at);
                tell("ok", `Dropped ${role.name}`);
                go("users", "roles");
                again();
            }}><p>It can no longer sign in. A role that owns something or was granted something cannot be dropped before that is given away.</p></FormDialog>}
        </section>
    );
}

function PasswordForm({ role, close, again }: { role: Role; close: () => void; again: () => void }): JSX.Element {
    const [password, setPassword] = useState("");
    const [twice, setTwice] = useState("");
    const differ = twice !== "" && twice !== password;
    return (
        <FormDialog title={`Password of ${role.name}`} action="Set password" close={close} disabled={!password || password !== twice} submit={async () => {
            await call("PATCH", path`/v1/roles/${role.name}`, { password });
            tell("ok", `${role.name} has a new password`);
            again();
        }}>
            <Field label="New password"><input type="password" autocomplete="new-password" value={password} onInput={(event) => setPassword(event.currentTarget.value)} /></Field>
            <Field label="Once more" hint={differ ? <span class="bad">They differ.</span> : undefined}><input type="password" autocomplete="new-password" value={twice} onInput={(event) => setTwice(event.currentTarget.value)} /></Field>
        </FormDialog>
    );
}

function MemberForm({ role, all, close, again }: { role: Role; all: Role[]; close: () => void; again: () => void }): JSX.Element {
    const others = all.filter((one) => one.name !== role.name).map((one) => one.name);
    const [member, setMember] = useState(others[0] ?? "");
    const [admin, setAdmin] = useState(false);
    return (
        <FormDialog title={`Add a member to ${role.name}`} action="Add" close={close} disabled={!member} submit={async () => {
            await post(path`/v1/roles/${role.name}/members`, { member, admin });
            again();
        }}>
            <Field label="Role"><select value={member} onChange={(event) => setMember(event.currentTarget.value)}>{others.map((name) => <option key={name}>{name}</option>)}</select></Field>
            <Check label="May add and remove members itself" checked={admin} onChange={setAdmin} />
        </FormDialog>
    );
}

// ---- keys of programs ----

interface ApiKey { key_id: string; name?: string | null; role: string; database?: string | null; scopes?: string[]; created_at: string; expires_at?: string | null; last_used_at?: string | null }

function Keys({ session }: { session: Session }): JSX.Element {
    const { value, problem, again } = useLoaded("keys", () => everyOne<ApiKey>("/v1/api-keys"));
    const [making, make] = useState(false);
    const [made, setMade] = useState<string | null>(null);
    const [ending, end] = useState<ApiKey | null>(null);
    return (
        <section class="panel">
            <div class="panel-head"><span class="muted">For programs: a key is sent as <code>Authorization: Bearer</code> and does what its scopes allow as its role.</span><span class="room" />
                <Button icon="plus" kind="main" small onClick={() => make(true)}>New key</Button></div>
            {problem ? <Broken problem={problem} again={again} /> : !value ? <Waiting /> : value.length === 0
                ? <Empty icon="key" title="No keys yet"><p class="muted">Make one for each program, so that each can be ended alone.</p><Button icon="plus" onClick={() => make(true)}>New key</Button></Empty> : (
                <div class="table-box"><table class="table"><thead><tr><th>Name</th><th>Role</th><th>Scopes</th><th class="hide-narrow">Database</th><th class="hide-narrow">Created</th><th>Expires</th><th class="hide-narrow">Last used</th><th><span class="unseen">Actions</span></th></tr></thead><tbody>
                    {value.map((one) => (
                        <tr key={one.key_id}><td><b>{one.name || "unnamed"}</b><br /><span class="faint mono">{one.key_id}</span></td><td>{one.role}</td><td>{one.scopes?.map((scope) => <span key={scope} class="badge">{scope}</span>)}</td><td class="hide-narrow">{one.database ?? ""}</td>
                            <td class="hide-narrow muted">{when(one.created_at)}</td><td class={one.expires_at && timeOf(one.expires_at).getTime() < Date.now() ? "bad" : "muted"}>{one.expires_at ? when(one.expires_at) : "never"}</td>
                            <td class="hide-narrow muted">{one.last_used_at ? when(one.last_used_at) : "not yet"}</td><td class="actions"><Button small kind="quiet" icon="trash" title={`End the key ${one.name ?? one.key_id}`} onClick={() => end(one)} /></td></tr>
                    ))}
                </tbody></table></div>
            )}
            {making && <KeyForm session={session} close={() => make(false)} made={(key) => { setMade(key); again(); }} />}
            {made && (
                <Dialog title="The new key" close={() => setMade(null)} actions={<Button kind="main" icon="copy" onClick={() => void copy(made, "Key copied")}>Copy</Button>}>
                    <p>This is the only time it is shown: only a digest of it is kept.</p>
                    <pre class="value secret" tabIndex={0}>{made}</pre>
                </Dialog>
            )}
            {ending && <FormDialog title={`End the key ${ending.name || ending.key_id}`} action="End key" danger close={() => end(null)} submit={async () => {
                await call("DELETE", path`/v1/api-keys/${ending.key_id}`);
                tell("ok", "The key is ended");
                again();
            }}><p>Programs that use it are refused from now on.</p></FormDialog>}
        </section>
    );
}

const SCOPES: [string, string][] = [["sql", "Run any statement"], ["read", "Run statements that only read"], ["admin", "Catalog, roles, activity"], ["metrics", "Read /metrics"]];

function KeyForm({ session, close, made }: { session: Session; close: () => void; made: (key: string) => void }): JSX.Element {
    const [name, setName] = useState("");
    const [scopes, setScopes] = useState(["sql"]);
    const [days, setDays] = useState("90");
    return (
        <FormDialog title="New key" action="Make key" close={close} disabled={!name.trim() || !scopes.length} submit={async () => {
            const expires_at = days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : undefined;
            const answer = await post<{ api_key: string }>("/v1/api-keys", { name: name.trim(), role: session.role, database: session.database, scopes, ...(expires_at ? { expires_at } : {}) });
            made(answer.api_key);
        }}>
            <Field label="Name" hint="Of the program that will use it."><input value={name} maxLength={200} autofocus onInput={(event) => setName(event.currentTarget.value)} /></Field>
            <fieldset><legend>It may</legend>{SCOPES.map(([scope, words]) => (
                <Check key={scope} label={words} checked={scopes.includes(scope)} onChange={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((one) => one !== scope))} />
            ))}</fieldset>
            <Field label="Expires"><select value={days} onChange={(event) => setDays(event.currentTarget.value)}><option value="7">in 7 days</option><option value="30">in 30 days</option><option value="90">in 90 days</option><option value="365">in a year</option><option value="">never</option></select></Field>
            <p class="muted">As {session.role}, in {session.database}.</p>
        </FormDialog>
    );
}

// ---- who changed what ----

interface Entry { id?: string; at: string; role?: string | null; client_address?: string | null; action: string; subject?: string | null; outcome?: string }

function Audit(): JSX.Element {
    const [cursor, setCursor] = useState<string | null>(null);
    const [pages, setPages] = useState<Entry[]>([]);
    const { value, problem, loading, again } = useLoaded("audit " + (cursor ?? ""), () => get<List<Entry>>("/v1/audit-log" + query({ limit: 200, cursor })));
    if (problem) return <Broken problem={problem} again={again} />;
    const entries = [...pages, ...(value?.items ?? [])];
    return (
        <section class="panel">
            {!value && !pages.length ? <Waiting /> : entries.length === 0 ? <Empty icon="history" title="Nothing was changed yet"><p class="muted">Roles, keys, grants and settings that are changed are listed here with who did it.</p></Empty> : (
                <div class="table-box"><table class="table"><thead><tr><th>When</th><th>Who</th><th>What</th><th class="grow">Subject</th><th>Outcome</th><th class="hide-narrow">From</th></tr></thead><tbody>
                    {entries.map((one, i) => <tr key={one.id ?? i}><td class="muted">{when(one.at)}</td><td>{one.role ?? "–"}</td><td>{one.action}</td><td class="grow mono">{one.subject ?? ""}</td><td><span class={"badge " + (one.outcome && !/^(ok|done|success|succeeded)$/.test(one.outcome) ? "warn" : "")}>{one.outcome ?? "–"}</span></td><td class="hide-narrow muted mono">{one.client_address ?? ""}</td></tr>)}
                </tbody></table>
                    {value?.next_cursor && !loading && <p class="pad"><Button small onClick={() => { setPages(entries); setCursor(value.next_cursor); }}>Older ones</Button></p>}
                    <p class="muted pad">{plural(entries.length, "entry", "entries")}</p></div>
            )}
        </section>
    );
}
