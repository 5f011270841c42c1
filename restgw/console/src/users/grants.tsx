// What a role was granted, and granting more.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { get, path, post } from "../api";
import type { List } from "../contract";
import { tell, tellProblem, useLoaded } from "../page";
import { Broken, Button, Check, Field, FormDialog, Waiting } from "../parts/parts";

interface Grant { kind: string; name: string; privilege: string; grantable?: boolean; granted_by?: string | null }

interface Group { kind: string; name: string; privileges: Grant[] }

function grouped(grants: Grant[]): Group[] {
    const groups = new Map<string, Group>();
    for (const one of grants) {
        const key = one.kind + "\n" + one.name;
        const group = groups.get(key);
        if (group) group.privileges.push(one);
        else groups.set(key, { kind: one.kind, name: one.name, privileges: [one] });
    }
    return [...groups.values()].sort((a, b) => a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : a.name < b.name ? -1 : 1);
}

export function Grants({ role, database }: { role: string; database: string }): JSX.Element {
    const at = path`/v1/roles/${role}/grants`;
    const { value, problem, again } = useLoaded("grants " + role, () => get<List<Grant>>(at));
    const [granting, grant] = useState(false);
    const revoke = async (group: Group, privilege: string): Promise<void> => {
        try {
            await post(at + "/revoke", { privileges: [privilege], kind: group.kind, name: group.name });
            tell("ok", `Revoked ${privilege} on ${group.name}`);
            again();
        } catch (error) {
            tellProblem(`${privilege} on ${group.name} was not revoked`, error);
        }
    };
    return (
        <>
            <h3 class="minor">Granted in {database}<Button small kind="quiet" icon="plus" title="Grant" onClick={() => grant(true)} /></h3>
            {problem ? <Broken problem={problem} again={again} /> : !value ? <Waiting lines={2} /> : value.items.length === 0
                ? <p class="muted pad">Nothing was granted to {role} itself. It may still own things, or have rights through other roles.</p> : (
                <div class="table-box"><table class="table"><tbody>{grouped(value.items).map((group) => (
                    <tr key={group.kind + group.name}><td><span class="badge">{group.kind}</span></td><td class="mono">{group.name}</td>
                        <td class="grow"><ul class="chips">{group.privileges.map((one) => (
                            <li key={one.privilege}>{one.privilege.toLowerCase()}{one.grantable && <small title="may grant it to others">+</small>}
                                {group.kind !== "column" && <Button small kind="quiet" icon="close" title={`Revoke ${one.privilege} on ${group.name}`} onClick={() => void revoke(group, one.privilege)} />}</li>
                        ))}</ul></td></tr>
                ))}</tbody></table></div>
            )}
            {granting && <GrantForm role={role} database={database} close={() => grant(false)} at={at} again={again} />}
        </>
    );
}

const PRIVILEGES: Record<string, string[]> = {
    table: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"], all_tables: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"],
    schema: ["USAGE", "CREATE"], database: ["CONNECT", "CREATE", "TEMPORARY"], sequence: ["USAGE", "SELECT", "UPDATE"], all_sequences: ["USAGE", "SELECT", "UPDATE"],
    function: ["EXECUTE"], all_functions: ["EXECUTE"],
};

const KINDS: Record<string, string> = {
    table: "a table or view", all_tables: "all tables of a schema", schema: "a schema", database: "a database", sequence: "a sequence", all_sequences: "all sequences of a schema",
    function: "a function", all_functions: "all functions of a schema",
};

function GrantForm({ role, database, close, at, again }: { role: string; database: string; close: () => void; at: string; again: () => void }): JSX.Element {
    const [kind, setKind] = useState("table");
    const [name, setName] = useState("");
    const [chosen, choose] = useState<string[]>(["SELECT"]);
    const [option, setOption] = useState(false);
    const hint = kind.startsWith("all_") || kind === "schema" ? "The schema's name." : kind === "table" || kind === "sequence" ? "schema.name" : kind === "function" ? "schema.name(types)" : undefined;
    return (
        <FormDialog title={`Grant to ${role}`} action="Grant" close={close} disabled={!name.trim() || !chosen.length} submit={async () => {
            await post(at, { privileges: chosen, kind, name: name.trim(), grant_option: option });
            tell("ok", `Granted to ${role}`);
            again();
        }}>
            <Field label="On"><select value={kind} onChange={(event) => {
                setKind(event.currentTarget.value);
                choose([PRIVILEGES[event.currentTarget.value]![0]!]);
                setName(event.currentTarget.value === "database" ? database : "");
            }}>{Object.entries(KINDS).map(([id, words]) => <option key={id} value={id}>{words}</option>)}</select></Field>
            <Field label="Name" hint={hint}><input value={name} autofocus spellcheck={false} autocomplete="off" autocapitalize="off" onInput={(event) => setName(event.currentTarget.value)} /></Field>
            <fieldset class="columns"><legend>Privileges</legend>{PRIVILEGES[kind]!.map((one) => (
                <Check key={one} label={one.toLowerCase()} checked={chosen.includes(one)} onChange={(on) => choose(on ? [...chosen, one] : chosen.filter((other) => other !== one))} />
            ))}</fieldset>
            <Check label="It may grant them to others" checked={option} onChange={setOption} />
        </FormDialog>
    );
}
