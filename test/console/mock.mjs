// A server that answers like synodd, for states that a real node is not easily brought to: ten thousand tables, a node that
// goes away, locks, a result cut on its way. It speaks the part of restgw/http/openapi.yaml that the console uses.
//
//     node mock.mjs [PORT] [TABLES]      then http://localhost:PORT/console/, any role, password "secret"
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../../restgw/console/dist/", import.meta.url));
// As restgw/http sends it.
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

const AREAS = ["account", "order", "invoice", "shipment", "product", "customer", "payment", "stock", "event", "ticket"];
const KINDS = ["", "_line", "_history", "_note", "_tag", "_audit", "_map", "_total", "_state", "_queue"];

function makeTables(count) {
    const tables = [];
    const schemas = count > 100 ? ["public", "sales", "stock", "billing", "archive"] : ["public", "sales"];
    for (let i = 0; i < count; i++) {
        const name = AREAS[i % 10] + KINDS[Math.floor(i / 10) % 10] + (i >= 100 ? `_${String(Math.floor(i / 100)).padStart(3, "0")}` : "");
        tables.push({ schema: schemas[i % schemas.length], name, kind: "table", owner: "synod", layout: "heap", persistence: "permanent",
            estimated_rows: String((i * 7919 + 13) % 250_000), comment: i === 0 ? "Who pays" : null });
    }
    return tables;
}

const column = (position, name, type, more = {}) => ({ position, name, type, nullable: true, default: null, identity: null, generated: null, comment: null, ...more });

const COLUMNS = [
    column(1, "id", "bigint", { nullable: false, identity: "always" }), column(2, "customer_id", "bigint", { nullable: false }), column(3, "name", "text", { nullable: false, comment: "as printed" }),
    column(4, "amount", "numeric(12,2)", { default: "0" }), column(5, "paid", "boolean", { nullable: false, default: "false" }), column(6, "details", "jsonb"), column(7, "created_at", "timestamp with time zone", { nullable: false, default: "now()" }),
];

const detailOf = (table) => ({
    ...table, size_bytes: "7340032", columns: COLUMNS,
    constraints: [
        { name: `${table.name}_pkey`, kind: "primary_key", definition: "PRIMARY KEY (id)", columns: ["id"], references: null, validated: true },
        { name: `${table.name}_customer_fkey`, kind: "foreign_key", definition: "FOREIGN KEY (customer_id) REFERENCES customer(id)", columns: ["customer_id"], references: "public.customer", validated: true },
        { name: `${table.name}_amount_check`, kind: "check", definition: "CHECK ((amount >= (0)::numeric))", columns: ["amount"], references: null, validated: true },
    ],
});

const indexesOf = (table) => [
    { schema: table.schema, name: `${table.name}_pkey`, method: "btree", definition: `CREATE UNIQUE INDEX ${table.name}_pkey ON ${table.schema}.${table.name} USING btree (id)`, unique: true, primary: true, valid: true, size_bytes: "1064960" },
    { schema: table.schema, name: `${table.name}_created_idx`, method: "btree", definition: `CREATE INDEX ${table.name}_created_idx ON ${table.schema}.${table.name} USING btree (created_at DESC)`, unique: false, primary: false, valid: true, size_bytes: "811008" },
];

const step = (type, rows, cost, more = {}, plans = []) => ({ "Node Type": type, "Startup Cost": 0, "Total Cost": cost, "Plan Rows": rows, "Plan Width": 32, ...more, ...(plans.length ? { Plans: plans } : {}) });
const ran = (ms, rows, loops = 1) => ({ "Actual Startup Time": ms / 10, "Actual Total Time": ms, "Actual Rows": rows, "Actual Loops": loops });

function planOf(analyze) {
    const a = (ms, rows, loops) => analyze ? ran(ms, rows, loops) : {};
    const plan = step("Sort", 40, 4210, { "Sort Key": ["sum(o.amount) DESC"], ...(analyze ? { "Actual Rows": 42, "Actual Loops": 1 } : {}) }, [
        step("Aggregate", 40, 4180, { Strategy: "Hashed", "Group Key": ["c.name"], ...a(209, 42) }, [
            step("Hash Join", 90_000, 3100, { "Join Type": "Inner", "Hash Cond": "(o.customer_id = c.id)", ...a(164, 91_410) }, [
                step("Seq Scan", 90_000, 1900, { "Relation Name": "order", Schema: "public", Alias: "o", Filter: "(created_at > '2026-01-01')", "Rows Removed by Filter": 8590, ...a(118, 91_410) }),
                step("Hash", 50, 60, a(1.2, 4200), [step("Index Scan", 50, 55, { "Relation Name": "customer", Schema: "public", Alias: "c", "Index Name": "customer_region_idx", "Index Cond": "(region = 'EU')", ...a(0.9, 4200) })]),
            ]),
        ]),
    ]);
    return { plan: [{ Plan: plan, ...(analyze ? { "Planning Time": 0.41, "Execution Time": 213.02 } : {}) }], text: "Sort  (cost=4209.00..4210.00 rows=40 width=32)\n  Sort Key: (sum(o.amount)) DESC\n  ->  HashAggregate ..." };
}

export async function startMock({ port = 0, tables: tableCount = 24 } = {}) {
    const tables = makeTables(tableCount);
    const views = [{ schema: "public", name: "revenue_by_month", kind: "view", owner: "synod", definition: " SELECT date_trunc('month', created_at) AS month,\n    sum(amount) AS revenue\n   FROM invoice\n  GROUP BY 1;", columns: [column(1, "month", "timestamp with time zone"), column(2, "revenue", "numeric")] }];
    const roles = [
        { name: "synod", login: true, superuser: true, create_database: true, create_role: true, inherit: true, connection_limit: -1, valid_until: null, settings: null, member_of: [] },
        { name: "app", login: true, superuser: false, create_database: false, create_role: false, inherit: true, connection_limit: 40, valid_until: null, settings: ["work_mem=64MB"], member_of: ["writers"] },
        { name: "reporting", login: true, superuser: false, create_database: false, create_role: false, inherit: true, connection_limit: -1, valid_until: "2027-06-30 00:00:00+00", settings: null, member_of: ["readers"] },
        { name: "readers", login: false, inherit: true, connection_limit: -1, member_of: [] }, { name: "writers", login: false, inherit: true, connection_limit: -1, member_of: ["readers"] },
    ];
    const keys = [{ key_id: "k7Q2", name: "nightly import", role: "app", database: "shop", scopes: ["sql"], created_at: "2026-09-01T08:00:00Z", expires_at: "2027-09-01T08:00:00Z", last_used_at: "2026-11-20T03:00:11Z" }];
    const running = new Map();
    const tokens = new Map();
    const seen = { requests: [], cancelled: [] };
    let down = false;
    const streams = new Set();

    const list = (items, url) => {
        const limit = Number(url.searchParams.get("limit") ?? 1000), from = Number(url.searchParams.get("cursor") ?? 0);
        return { items: items.slice(from, from + limit), next_cursor: from + limit < items.length ? String(from + limit) : null };
    };

    function activity() {
        const now = Date.now();
        const ago = (s) => new Date(now - s * 1000).toISOString();
        const beat = Math.floor(now / 1000);
        const one = (process_id, state, seconds, query, more = {}) => ({ process_id, session_id: null, database: "shop", role: "app", application_name: "checkout", client_address: "10.1.4." + process_id % 250, backend_type: "client backend",
            state, wait_event_type: null, wait_event: null, started_at: ago(86_000 + process_id), transaction_started_at: state === "idle" ? null : ago(seconds), query_started_at: ago(seconds), state_changed_at: ago(seconds), query, ...more });
        return [
            one(4101, "active", 41, "SELECT c.name, sum(o.amount)\nFROM public.\"order\" o JOIN customer c ON c.id = o.customer_id\nGROUP BY c.name ORDER BY 2 DESC", { role: "reporting", application_name: "nightly report" }),
            one(4107, "active", 12, "UPDATE stock SET quantity = quantity - 1 WHERE product_id = 8812", { wait_event_type: "Lock", wait_event: "transactionid" }),
            one(4112, "idle in transaction", 96, "UPDATE stock SET quantity = quantity - 3 WHERE product_id = 8812", { application_name: "warehouse" }),
            one(4115, "idle", beat % 7, "SELECT id, name, price FROM product WHERE id = $1"), one(4116, beat % 2 ? "active" : "idle", 0, "INSERT INTO event (kind, at) VALUES ($1, now())"),
            one(4120, "idle", 310, "COMMIT", { application_name: "psql", role: "synod", client_address: "127.0.0.1" }),
            one(4131, "idle in transaction (aborted)", 22, "SELECT * FROM invoice WHERE paid = 'maybe'", { application_name: "psql", role: "synod" }),
            one(4100, "idle", 0, "", { session_id: "1.1.7", role: "synod", application_name: "console", client_address: "127.0.0.1" }),
            { process_id: 12, state: null, backend_type: "checkpointer", query: null },
        ];
    }

    // Load as it would be on a shop's afternoon, the same at every start.
    function metrics(at) {
        const t = at / 1000;
        const wave = 1 + 0.25 * Math.sin(t / 17) + 0.12 * Math.sin(t / 5.3) + 0.05 * Math.sin(t * 1.7);
        totals.statements += 5200 * wave;
        totals.transactions += 2100 * wave;
        totals.rows += 40_000 * wave;
        totals.errors += Math.floor(t) % 41 < 2 ? 6 : 0;
        const spike = Math.floor(t) % 47 < 3 ? 3.4 : 1;
        return { at: new Date(at).toISOString(), sessions: 8, statements_total: String(Math.floor(totals.statements)), errors_total: String(totals.errors), rows_total: String(Math.floor(totals.rows)),
            transactions_total: String(Math.floor(totals.transactions)), statements_per_second: 5200 * wave, latency_us: { p50: Math.floor(310 * wave), p95: Math.floor(1400 * wave * spike), p99: Math.floor(3900 * wave * spike) } };
    }
    const totals = { statements: 0, transactions: 0, rows: 0, errors: 0 };

    const problem = (response, status, members) => {
        const body = JSON.stringify({ type: "about:blank", title: "Problem", status, retry: "never", transaction_state: "none", request_id: "r1", ...members });
        response.writeHead(status, { "content-type": "application/problem+json", "content-length": Buffer.byteLength(body) }).end(body);
    };
    const json = (response, status, body, headers = {}) => {
        const text = JSON.stringify(body);
        response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", "content-length": Buffer.byteLength(text), ...headers }).end(text);
    };
    const sessionOf = (token) => ({ session_id: "1.1.7", role: tokens.get(token).role, database: tokens.get(token).database, idle_timeout_ms: 3_600_000, expires_at: new Date(Date.now() + 3_600_000).toISOString(), server: { version: "0.1.0", node: "1", view: "1" } });

    const write = (response, text) => new Promise((done) => response.write(text) ? done() : response.once("drain", done));

    async function statement(sql, id, response) {
        const words = sql.replace(/--.*\n/g, "").trim().toLowerCase();
        const bad = /\bselct\b|no_such_table|\bfrm\b/.exec(sql);
        if (bad) {
            const table = bad[0] === "no_such_table";
            return problem(response, 400, { title: table ? "Undefined table" : "Syntax error", detail: table ? 'relation "no_such_table" does not exist' : `syntax error at or near "${bad[0]}"`, sqlstate: table ? "42P01" : "42601", position: Array.from(sql.slice(0, bad.index)).length + 1 });
        }
        if (words.includes("duplicate")) return problem(response, 409, { title: "Unique violation", detail: 'duplicate key value violates unique constraint "product_pkey"', error_detail: "Key (id)=(1) already exists.", sqlstate: "23505", constraint: "product_pkey" });
        response.writeHead(200, { "content-type": "application/x-ndjson" });
        const line = (value) => write(response, JSON.stringify(value) + "\n");
        const began = Date.now();
        const end = (more) => response.end(JSON.stringify({ type: "end", status: "complete", transaction: null, stats: { elapsed_us: (Date.now() - began) * 1000 + 412 }, ...more }) + "\n");
        const gone = new Promise((done) => response.on("close", done));
        if (words.includes("pg_sleep")) {
            await line({ type: "header", statement_id: id, columns: [{ name: "pg_sleep", type: "void" }] });
            await Promise.race([gone, new Promise((done) => running.set(id, done))]);
            seen.cancelled.push(id);
            return void response.end(JSON.stringify({ type: "error", problem: { title: "Query canceled", status: 409, sqlstate: "57014", detail: "canceling statement due to user request", transaction_state: "none", retry: "never" } }) + "\n");
        }
        const series = /generate_series\(1,\s*(\d+)\)/.exec(words);
        if (words.includes("cut_here")) {
            await line({ type: "header", statement_id: id, columns: [{ name: "n", type: "int4" }] });
            await write(response, "[1]\n[2]\n");
            return void response.destroy();
        }
        if (series) {
            await line({ type: "header", statement_id: id, columns: [{ name: "n", type: "int4" }, { name: "square", type: "int8" }, { name: "word", type: "text" }] });
            const rows = Number(series[1]);
            for (let n = 1; n <= rows && !response.destroyed;) {
                let part = "";
                for (const to = Math.min(rows, n + 999); n <= to; n++) part += `[${n},"${BigInt(n) * BigInt(n)}","row ${n}"]\n`;
                await write(response, part);
            }
            return void end({ command: "SELECT", row_count: rows });
        }
        if (/^(create|alter|drop|insert|update|delete|begin|commit|rollback|set)/.test(words)) {
            await line({ type: "header", statement_id: id, columns: [] });
            if (words.includes("if not exists")) await line({ type: "notice", severity: "NOTICE", sqlstate: "42P07", message: 'relation "product" already exists, skipping' });
            const command = words.split(/\s+/).slice(0, /^(create|alter|drop)/.test(words) ? 2 : 1).join(" ").toUpperCase();
            return void end({ command, rows_affected: /^(insert|update|delete)/.test(words) ? 3 : null });
        }
        await line({ type: "header", statement_id: id, columns: [{ name: "id", type: "int8", table: "public.order" }, { name: "customer", type: "text" }, { name: "amount", type: "numeric" }, { name: "paid", type: "bool" }, { name: "details", type: "jsonb" }, { name: "created_at", type: "timestamptz" }] });
        if (!words.includes("where false")) {
            for (let i = 1; i <= 120; i++)
                await line([String(9007199254740990n + BigInt(i)), ["Ada Lovelace", "Grace Hopper", "Edgar Codd", "Jim Gray", "Barbara Liskov"][i % 5], (i * 7.35).toFixed(2), i % 3 === 0 ? null : i % 2 === 0, i % 4 ? `{"sku":"A-${i}","weight":${i}.10,"big":12345678901234567890,"tags":["new","eu"]}` : null, `2026-11-20T08:${String(i % 60).padStart(2, "0")}:11.204518Z`]);
        }
        end({ command: "SELECT", row_count: 120 });
    }

    async function api(request, response, url, body) {
        const at = url.pathname, method = request.method;
        const token = /synod=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
        seen.requests.push(method + " " + at);
        if (at === "/v1/sessions" && method === "POST") {
            if (body.password !== "secret") return problem(response, 401, { title: "Invalid password", detail: `password authentication failed for user "${body.role}"`, sqlstate: "28P01" });
            if (request.headers["synod-console"] !== "1") return problem(response, 400, { title: "Header Synod-Console is missing" });
            const fresh = "t" + Math.random().toString(36).slice(2);
            tokens.set(fresh, { role: body.role, database: body.database });
            return json(response, 201, { ...sessionOf(fresh), csrf_token: "csrf-" + fresh }, { "set-cookie": `synod=${fresh}; Path=/; HttpOnly; SameSite=Strict` });
        }
        if (!token || !tokens.has(token)) return problem(response, 401, { title: "Session expired", detail: "there is no such session", sqlstate: "08003", retry: "session" });
        if (method !== "GET" && request.headers["synod-csrf"] !== "csrf-" + token) return problem(response, 403, { title: "Synod-Csrf is missing or wrong" });
        if (at === "/v1/sessions/current") return json(response, 200, sessionOf(token));
        if (at === "/v1/sessions/current/close") return tokens.delete(token), response.writeHead(204).end();
        if (at === "/v1/events") {
            response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
            const event = (name, data) => response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
            for (let back = mock.past; back > 0; back--) event("metrics", metrics(Date.now() - back * 1000));
            const beat = () => { event("activity", { items: activity(), next_cursor: null }); event("metrics", metrics(Date.now())); };
            beat();
            const timer = setInterval(beat, 1000);
            streams.add(response);
            return void response.on("close", () => { clearInterval(timer); streams.delete(response); });
        }
        if (at === "/v1/statements" && method === "POST") return statement(body.sql, request.headers["synod-statement-id"], response);
        if (at === "/v1/statements/explain") {
            const bad = /\bselct\b/.exec(body.sql);
            if (bad) return problem(response, 400, { title: "Syntax error", detail: 'syntax error at or near "selct"', sqlstate: "42601", position: bad.index + 1 });
            return json(response, 200, planOf(body.analyze));
        }
        let found = /^\/v1\/statements\/([\w-]+)\/cancel$/.exec(at);
        if (found) return running.get(found[1])?.(), json(response, 202, { told: running.delete(found[1]) });
        if (/^\/v1\/sessions\/\d+\/(cancel|terminate)$/.test(at)) return seen.cancelled.push(at), json(response, 202, { told: true });
        if (at === "/v1/locks") return json(response, 200, { next_cursor: null, items: [
            { kind: "transactionid", relation: "public.stock", mode: "ShareLock", granted: false, process_id: 4107, blocked_by: [4112], query: "UPDATE stock SET quantity = quantity - 1 WHERE product_id = 8812" },
            { kind: "relation", relation: "public.stock", mode: "RowExclusiveLock", granted: true, process_id: 4112, blocked_by: null, query: "UPDATE stock SET quantity = quantity - 3 WHERE product_id = 8812" },
            { kind: "relation", relation: "public.order", mode: "AccessShareLock", granted: true, process_id: 4101, blocked_by: null, query: "SELECT c.name, sum(o.amount) ..." }] });
        if (at === "/v1/databases") return json(response, 200, list([{ name: "shop", owner: "synod", encoding: "UTF8", size_bytes: "268435456", comment: "The web shop" }, { name: "synod", owner: "synod", encoding: "UTF8", size_bytes: "9437184", comment: null }], url));
        found = /^\/v1\/databases\/[^/]+\/(.*)$/.exec(at);
        if (found) return catalog(found[1].split("/").map(decodeURIComponent), method, response, url);
        found = /^\/v1\/roles(?:\/([^/]+))?(?:\/(.*))?$/.exec(at);
        if (found) return role(method, found[1] && decodeURIComponent(found[1]), found[2], body, response, url);
        found = /^\/v1\/api-keys(?:\/(.*))?$/.exec(at);
        if (found && method === "GET") return json(response, 200, list(keys, url));
        if (found && method === "POST") {
            keys.push({ key_id: "k" + keys.length, name: body.name, role: body.role, database: body.database, scopes: body.scopes, created_at: new Date().toISOString(), expires_at: body.expires_at ?? null, last_used_at: null });
            return json(response, 201, { ...keys[keys.length - 1], api_key: "synk_k1_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyMTI" });
        }
        if (found && method === "DELETE") return keys.splice(keys.findIndex((one) => one.key_id === found[1]), 1), response.writeHead(204).end();
        if (at === "/v1/audit-log") return json(response, 200, list([
            { id: "3", at: "2026-11-20T09:14:03Z", role: "synod", client_address: "127.0.0.1", action: "grant", subject: "SELECT ON public.invoice TO reporting", outcome: "ok" },
            { id: "2", at: "2026-11-20T09:12:41Z", role: "app", client_address: "10.1.4.7", action: "create_role", subject: "intruder", outcome: "42501" },
            { id: "1", at: "2026-11-19T16:02:10Z", role: "synod", client_address: "127.0.0.1", action: "create_api_key", subject: "nightly import", outcome: "ok" }], url));
        problem(response, 404, { title: "Not found", detail: at });
    }

    function catalog([what, written, part], method, response, url) {
        const name = written?.replace(/"/g, "");
        if (what === "schemas") return json(response, 200, list([...new Set(tables.map((one) => one.schema)), "information_schema", "pg_catalog"].map((schema) => ({ name: schema, owner: "synod" })), url));
        const all = what === "views" ? views : tables;
        if (!name) return json(response, 200, list(all, url));
        const found = all.find((one) => `${one.schema}.${one.name}` === name) ?? (part ? views.find((one) => `${one.schema}.${one.name}` === name) : undefined);
        if (!found) return problem(response, 404, { title: "Not found", detail: `there is no ${name}` });
        if (method === "DELETE") return all.splice(all.indexOf(found), 1), json(response, 200, { ddl: [`DROP TABLE ${name}`] });
        if (part === "indexes") return json(response, 200, list(indexesOf(found), url));
        if (part === "columns") return json(response, 200, list(found.columns ?? COLUMNS, url));
        if (part === "dependents") return json(response, 200, list([{ kind: "view", name: "public.revenue_by_month" }, { kind: "foreign_key", name: "public.order_line_order_fkey" }], url));
        if (part === "export") return void response.writeHead(200, { "content-type": "text/csv" }).end("id,name\r\n1,one\r\n");
        json(response, 200, what === "views" ? found : detailOf(found));
    }

    function role(method, name, part, body, response, url) {
        const found = roles.find((one) => one.name === name);
        if (!name && method === "GET") return json(response, 200, list(roles, url));
        if (!name) {
            if (roles.some((one) => one.name === body.name)) return problem(response, 409, { title: "Duplicate object", detail: `role "${body.name}" already exists`, sqlstate: "42710" });
            const { password: _, ...rest } = body;
            roles.push({ member_of: [], ...rest });
            return json(response, 201, { ddl: [`CREATE ROLE ${body.name}`] });
        }
        if (!found) return problem(response, 404, { title: "Not found" });
        if (part === "members") return method === "GET" ? json(response, 200, list(roles.filter((one) => one.member_of?.includes(name)).map((one) => ({ member: one.name, admin: false })), url)) : (roles.find((one) => one.name === body.member).member_of.push(name), json(response, 201, { ddl: [] }));
        if (part === "grants") return json(response, method === "GET" ? 200 : 201, method === "GET" ? { next_cursor: null, items: [["table", "public.invoice", "SELECT"], ["table", "public.invoice", "INSERT"], ["schema", "public", "USAGE"]].map(([kind, on, privilege]) => ({ kind, name: on, privilege, grantable: false, granted_by: "synod" })) } : { ddl: [] });
        if (part === "grants/revoke") return json(response, 200, { ddl: [] });
        if (method === "PATCH") return Object.assign(found, body), json(response, 200, { ddl: [`ALTER ROLE ${name}`] });
        if (method === "DELETE") return roles.splice(roles.indexOf(found), 1), json(response, 200, { ddl: [`DROP ROLE ${name}`] });
        json(response, 200, found);
    }

    async function file(url, response) {
        const inside = normalize(url.pathname.replace(/^\/console\//, "")).replace(/^(\.\.[/\\])+/, "") || "index.html";
        try {
            const bytes = await readFile(join(DIST, inside === "." || inside === "/" ? "index.html" : inside));
            const type = TYPES[extname(inside)] ?? TYPES[".html"];
            response.writeHead(200, { "content-type": type, "content-security-policy": POLICY, "x-content-type-options": "nosniff" }).end(bytes);
        } catch {
            problem(response, 404, { title: "Not found" });
        }
    }

    const server = createServer(async (request, response) => {
        const url = new URL(request.url, "http://localhost");
        if (down) return void request.socket.destroy();
        if (url.pathname === "/") return void response.writeHead(302, { location: "/console/" }).end();
        if (!url.pathname.startsWith("/v1/")) return file(url, response);
        let text = "";
        for await (const part of request) text += part;
        try {
            await api(request, response, url, text ? JSON.parse(text) : {});
        } catch (error) {
            if (!response.headersSent) problem(response, 500, { title: "The mock failed", detail: String(error.stack) });
        }
    });
    await new Promise((listening) => server.listen(port, "localhost", listening));
    const mock = {
        url: `http://localhost:${server.address().port}/console/`, seen, past: 0,
        goDown: () => { down = true; streams.forEach((one) => one.destroy()); }, comeBack: () => { down = false; },
        endSessions: () => tokens.clear(),
        close: () => { streams.forEach((one) => one.destroy()); server.close(); server.closeAllConnections(); },
    };
    return mock;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const mock = await startMock({ port: Number(process.argv[2] ?? 8080), tables: Number(process.argv[3] ?? 24) });
    mock.past = 120;
    console.log(mock.url);
}
