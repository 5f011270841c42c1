// The form of a role, for a new one and for one that is there.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { Check, Field, FormDialog } from "../parts/parts";

export interface Role {
    name: string; login?: boolean; superuser?: boolean; create_database?: boolean; create_role?: boolean; inherit?: boolean; replication?: boolean;
    connection_limit?: number; has_password?: boolean | null; valid_until?: string | null; settings?: string[] | null; member_of?: string[]; comment?: string | null;
}

const dayOf = (text: string | null | undefined): string => /^\d{4}-\d\d-\d\d/.exec(text ?? "")?.[0] ?? "";

export function RoleForm({ role, all, close, submit }: { role: Role | null; all: Role[]; close: () => void; submit: (body: Record<string, unknown>) => Promise<void> }): JSX.Element {
    const [name, setName] = useState(role?.name ?? "");
    const [password, setPassword] = useState("");
    const [limit, setLimit] = useState(role?.connection_limit !== undefined && role.connection_limit >= 0 ? String(role.connection_limit) : "");
    const [until, setUntil] = useState(dayOf(role?.valid_until));
    const [group, setGroup] = useState("");
    const [may, setMay] = useState({ login: role?.login ?? true, create_database: role?.create_database ?? false, create_role: role?.create_role ?? false, superuser: role?.superuser ?? false });
    const flag = (key: keyof typeof may, label: string, hint?: string): JSX.Element =>
        <Check label={label} {...(hint ? { hint } : {})} checked={may[key]} onChange={(on) => setMay({ ...may, [key]: on })} />;
    // Of a role that is there only what differs is sent: changing what one may not change is refused as a whole.
    const body = (): Record<string, unknown> => {
        const whole: Record<string, unknown> = { name: name.trim(), ...may, connection_limit: limit === "" ? -1 : Number(limit), valid_until: until ? until + "T00:00:00Z" : null };
        if (!role) {
            if (password) whole.password = password;
            if (group) whole.member_of = [group];
            if (limit === "") delete whole.connection_limit;
            if (!until) delete whole.valid_until;
            return whole;
        }
        const before: Record<string, unknown> = { ...role, connection_limit: role.connection_limit ?? -1, valid_until: dayOf(role.valid_until) ? dayOf(role.valid_until) + "T00:00:00Z" : null };
        return Object.fromEntries(Object.entries(whole).filter(([key, value]) => (before[key] ?? (typeof value === "boolean" ? false : null)) !== value));
    };
    return (
        <FormDialog title={role ? `Change ${role.name}` : "New role"} action={role ? "Save" : "Create role"} close={close} disabled={!name.trim()} submit={() => submit(body())}>
            <Field label="Name"><input value={name} autofocus={!role} maxLength={63} spellcheck={false} autocomplete="off" autocapitalize="off" onInput={(event) => setName(event.currentTarget.value)} /></Field>
            {!role && <Field label="Password" hint={may.login ? "Without one it cannot sign in." : undefined}><input type="password" autocomplete="new-password" value={password} onInput={(event) => setPassword(event.currentTarget.value)} /></Field>}
            <fieldset><legend>It may</legend>
                {flag("login", "Sign in", "Without this it is a group of roles.")}
                {flag("create_database", "Create databases")}
                {flag("create_role", "Create and change roles")}
                {flag("superuser", "Do everything", "No privilege is checked for it any more.")}
            </fieldset>
            <div class="fields">
                <Field label="Connections at most"><input type="number" min="0" placeholder="no limit" value={limit} onInput={(event) => setLimit(event.currentTarget.value)} /></Field>
                <Field label="Password valid until"><input type="date" value={until} onInput={(event) => setUntil(event.currentTarget.value)} /></Field>
            </div>
            {!role && <Field label="Member of"><select value={group} onChange={(event) => setGroup(event.currentTarget.value)}><option value="">no other role</option>{all.map((one) => <option key={one.name}>{one.name}</option>)}</select></Field>}
        </FormDialog>
    );
}
