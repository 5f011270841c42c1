// The console against the real node that CONSOLE_URL names (role synod, password secret): what it shows is what is there.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { becomes, goTo, rowTexts, runAll, signIn, tabNames, test, write } from "./browser.mjs";

const body = (name, run, options = {}) => test(name, options, run);

/** Runs a script in the SQL page; ends when all of it is done. */
async function run(page, text) {
    await goTo(page, "SQL");
    await write(page, text);
    await page.keyboard.press("Control+Shift+Enter");
    await page.getByRole("button", { name: "Run", exact: true }).waitFor();
    await page.locator(".result-tabs [role=tab]").first().waitFor();
}

body("signing in: wrong, right, and out again", async (page, { url }) => {
    await page.goto(url);
    await page.getByLabel("Password", { exact: true }).fill("wrong");
    await page.keyboard.press("Enter");
    await page.locator(".wrong-note").waitFor();
    await signIn(page, url);
    await page.getByText("live", { exact: true }).waitFor();
    await page.reload();
    await page.locator(".frame").waitFor();
    const cookies = await page.context().cookies();
    assert.deepEqual(cookies.map(({ name, httpOnly, secure, sameSite }) => ({ name, httpOnly, secure, sameSite })),
        [{ name: "__Host-synod", httpOnly: true, secure: true, sameSite: "Strict" }]);
    const closed = page.waitForResponse((response) => response.url().endsWith("/sessions/current/close"));
    await page.getByRole("button", { name: "Sign out" }).click();
    assert.equal((await closed).status(), 204);
    await page.context().addCookies(cookies);
    assert.equal((await page.context().request.get(new URL("/v1/sessions/current", url).href)).status(), 401, "the session is gone, not only its cookie");
}, { browser: { refusals: [401] } });

body("without the token a request that changes something is refused", async (page, { url }) => {
    await signIn(page, url);
    const status = await page.evaluate(() => fetch("/v1/statements", { method: "POST", headers: { "content-type": "application/json" }, body: '{"sql":"select 1"}' }).then((answer) => answer.status));
    assert.equal(status, 403);
}, { browser: { refusals: [403] } });

body("tables are made, filled and asked; values are exact", async (page, { url }) => {
    await signIn(page, url);
    await run(page, `DROP TABLE IF EXISTS goods, never_there;
CREATE TABLE goods (id int8 PRIMARY KEY, name text NOT NULL, price numeric(12,2), sold bool, details jsonb, at timestamptz);
INSERT INTO goods VALUES (9007199254740993, '<b>anvil</b>', 99.50, true, '{"big": 12345678901234567890}', '2026-02-28 12:00+00'), (2, 'rope', NULL, false, NULL, NULL);
SELECT * FROM goods ORDER BY id DESC;`);
    await becomes(() => tabNames(page), ["1 DROP TABLE", "2 CREATE TABLE", "3 INSERT", "4 2 rows"]);
    await becomes(() => rowTexts(page, 1), ["9007199254740993", "<b>anvil</b>", "99.50", "true", '{"big": 12345678901234567890}', "2026-02-28T12:00:00Z"]);
    await becomes(() => rowTexts(page, 2), ["2", "rope", "null", "false", "null", "null"]);
    await page.locator('[data-result="0"]').click();
    await page.getByText('table "never_there" does not exist, skipping').waitFor();
    await page.locator('[data-result="2"]').click();
    await page.getByText("2 rows affected").first().waitFor();
});

body("errors stand at their place, with detail and hint", async (page, { url }) => {
    await signIn(page, url);
    await run(page, "SELECT 1;\nSELECT '😀' AS smile,\n    no_such_column FROM pg_class;");
    await page.getByRole("heading", { name: 'column "no_such_column" does not exist' }).waitFor();
    await becomes(() => page.locator(".editor-line .wrong").innerText(), "no_such_column");
    await run(page, "DROP TABLE IF EXISTS once; CREATE TABLE once (a int PRIMARY KEY); INSERT INTO once VALUES (1); INSERT INTO once VALUES (1)");
    await page.getByText("Key (a)=(1) already exists.").waitFor();
    await page.getByText("23505").waitFor();
    await run(page, "selec 1");
    await page.getByRole("heading", { name: 'syntax error at or near "selec"' }).waitFor();
}, { browser: { refusals: [400, 409] } });

body("a transaction stays open over statements, fails and is rolled back", async (page, { url }) => {
    await signIn(page, url);
    await run(page, "DROP TABLE IF EXISTS ledger; CREATE TABLE ledger (a int); BEGIN; INSERT INTO ledger VALUES (1)");
    await page.getByText("transaction active").waitFor();
    await run(page, "SELECT 1/0");
    await page.getByRole("heading", { name: "division by zero" }).waitFor();
    await run(page, "ROLLBACK; SELECT count(*) FROM ledger");
    await becomes(() => rowTexts(page, 1), ["0"]);
    await becomes(() => page.getByText("transaction active").count(), 0);
}, { browser: { refusals: [400, 409] } });

body("a long statement is cancelled from the editor and from the list of sessions", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT pg_sleep(600)");
    await page.keyboard.press("Control+Enter");
    await page.locator(".outcome .spinner").first().waitFor();
    await page.keyboard.press("Control+.");
    await page.getByText("canceling statement due to user request").waitFor();
    await page.keyboard.press("Control+Enter");
    await page.locator(".outcome .spinner").first().waitFor();
    await goTo(page, "Now");
    const row = page.locator("tr", { hasText: "pg_sleep(600)" }).filter({ hasText: "running" });
    await row.getByRole("button", { name: /Cancel the statement/ }).click();
    await page.getByText("was told to cancel").waitFor();
    await goTo(page, "SQL");
    await page.getByText("canceling statement due to user request").waitFor();
}, { browser: { refusals: [409] } });

body("other pages answer while a statement runs", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT pg_sleep(600)");
    await page.keyboard.press("Control+Enter");
    await page.locator(".outcome .spinner").first().waitFor();
    await goTo(page, "Users");
    await page.getByRole("link", { name: "synod" }).first().waitFor();
    await goTo(page, "Schema");
    await page.getByRole("cell", { name: "synod" }).first().waitFor();
    await goTo(page, "SQL");
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("tab", { name: "Cancelled" }).waitFor();
}, { browser: { refusals: [409] } });

body("a long result streams, an endless one is stopped", async (page, { url }) => {
    await signIn(page, url);
    await run(page, "SELECT n, n::int8 * n AS square FROM generate_series(1, 50000) n");
    await page.getByRole("tab", { name: "50,000 rows" }).waitFor();
    await page.locator(".grid").focus();
    await page.keyboard.press("Control+End");
    await page.getByRole("gridcell", { name: "2500000000", exact: true }).waitFor();
    await run(page, "SELECT n FROM generate_series(1, 2000000000) n");
    await page.getByText("Only the first 200,000 rows were read").waitFor();
    await run(page, "SELECT 'still here' AS word");
    await becomes(() => rowTexts(page, 1), ["still here"]);
});

body("plans are drawn, estimated and measured", async (page, { url }) => {
    await signIn(page, url);
    await run(page, "DROP TABLE IF EXISTS planned; CREATE TABLE planned (a int PRIMARY KEY, b int); INSERT INTO planned SELECT n, n % 10 FROM generate_series(1, 2000) n");
    await write(page, "SELECT p.b, count(*) FROM planned p JOIN planned q ON q.a = p.b GROUP BY p.b ORDER BY 2");
    await page.keyboard.press("Control+Shift+E");
    await page.getByText("Estimated, not run").waitFor();
    const cards = await page.locator(".plan-card").count();
    assert.ok(cards >= 4, `${cards} steps`);
    await becomes(() => page.locator(".plan-zoom path").count(), cards - 1);
    await page.getByRole("button", { name: "Analyze" }).click();
    await page.getByText(/Measured; the changes were rolled back/).waitFor();
    await becomes(() => page.locator(".plan-card").last().innerText(), /planned/);
    await page.getByRole("button", { name: "As text" }).click();
    await page.locator(".plan > .value").getByText("Scan", { exact: false }).waitFor();
});

body("now: this session and its statements are seen", async (page, { url }) => {
    await signIn(page, url);
    await page.getByText("this console").waitFor();
    await run(page, "SELECT 1; SELECT 2; SELECT 3");
    await goTo(page, "Now");
    await page.waitForFunction(() => /statements [\d.,]*[1-9]/.test(document.querySelector(".chart svg")?.getAttribute("aria-label") ?? "")
        || [...document.querySelectorAll(".chart .line")].some((line) => new Set([...line.getAttribute("d").matchAll(/ ([\d.]+)/g)].map((m) => m[1])).size > 1));
    await page.getByRole("tab", { name: "Locks" }).click();
    await page.locator(".panel table, .panel .empty").first().waitFor();
});

body("now: who waits for a row, and who keeps it", async (page, { url }) => {
    await signIn(page, url);
    await run(page, "DROP TABLE IF EXISTS held; CREATE TABLE held (a int PRIMARY KEY, b int); INSERT INTO held VALUES (1, 1); BEGIN; UPDATE held SET b = 2 WHERE a = 1");
    const other = await page.context().browser().newContext({ ignoreHTTPSErrors: true });
    const second = await other.newPage();
    await signIn(second, url);
    await goTo(second, "SQL");
    await write(second, "UPDATE held SET b = 3 WHERE a = 1");
    await second.keyboard.press("Control+Enter");
    await goTo(page, "Now");
    await page.locator("tr", { hasText: "UPDATE held SET b = 3" }).getByText("waits for a lock").waitFor();
    await page.locator("tr", { hasText: "this console" }).getByText("idle in transaction").waitFor();
    await page.getByRole("tab", { name: "Locks" }).click();
    await page.getByText("1 session waits for a lock that somebody else holds.").waitFor();
    await page.locator("tr", { hasText: "UPDATE held SET b = 3" }).filter({ hasText: "waits" }).getByRole("button").nth(1).waitFor(); // who holds it
    await run(page, "ROLLBACK");
    await second.getByText("1 row affected").first().waitFor();
    await other.close();
});

body("schema: a table from all sides, and dropped", async (page, { url }) => {
    await signIn(page, url);
    await run(page, `DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop;
CREATE TABLE shop.customer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
CREATE TABLE shop."Order" (id int PRIMARY KEY, customer int REFERENCES shop.customer, total numeric(10,2) DEFAULT 0 CHECK (total >= 0), "when" timestamptz DEFAULT now());
CREATE INDEX order_when ON shop."Order" ("when" DESC);
CREATE VIEW shop.open AS SELECT id, total FROM shop."Order" WHERE total > 0;
COMMENT ON TABLE shop."Order" IS 'What was bought';
INSERT INTO shop.customer (name) VALUES ('Ada'); INSERT INTO shop."Order" VALUES (1, 1, 12.50, '2026-01-01 00:00+00');`);
    await page.getByRole("tab", { name: "8 INSERT" }).or(page.locator('[data-result="8"]')).first().waitFor();
    await goTo(page, "Schema");
    await page.locator(".list-relation", { hasText: "Order" }).click();
    await page.getByText("What was bought").waitFor();
    await page.getByRole("cell", { name: "total", exact: true }).waitFor();
    await page.getByRole("tab", { name: "Indexes" }).click();
    await page.getByText("order_when", { exact: true }).waitFor();
    await page.getByRole("tab", { name: "Constraints" }).click();
    await page.getByRole("link", { name: "shop.customer" }).waitFor();
    await page.getByRole("tab", { name: "Used by" }).click();
    await page.getByRole("cell", { name: "shop.open" }).waitFor();
    await page.getByRole("tab", { name: "Rows" }).click();
    await page.getByRole("gridcell", { name: "12.50" }).waitFor();
    await page.getByRole("tab", { name: "DDL" }).click();
    const ddl = await page.locator(".ddl .value").innerText();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "CSV", exact: true }).click()]);
    assert.equal((await readFile(await download.path(), "utf8")).replace(/\r/g, ""), "id,customer,total,when\n1,1,12.50,2026-01-01 00:00:00+00\n");
    // What the page says would make the table does make it.
    await page.getByRole("link", { name: "open" }).or(page.locator(".list-relation", { hasText: "open" })).first().click();
    await page.getByText("CREATE VIEW shop.open AS", { exact: false }).waitFor();
    await page.goto(url + '#/schema/shop.Order');
    await page.getByRole("button", { name: "Drop shop.Order" }).click();
    await page.getByLabel("Drop what depends on it").check();
    await page.getByLabel("Type shop.Order to be sure").fill("shop.Order");
    await page.getByRole("button", { name: "Drop table" }).click();
    await page.getByText("Dropped shop.Order").waitFor();
    await run(page, ddl);
    await becomes(() => tabNames(page).then((names) => names.map((name) => name.replace(/^\d /, ""))), ["CREATE TABLE", "CREATE INDEX", "COMMENT"]);
});

body("names are completed from the catalog that is there", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await page.getByText("relation").and(page.locator(".sql-bar .muted")).waitFor();
    const again = page.waitForResponse((response) => /\/views\?/.test(response.url())); // after DDL names are read again
    await run(page, "DROP TABLE IF EXISTS wanted_by_all; CREATE TABLE wanted_by_all (first_column int, second_column text)");
    await again;
    await write(page, "SELECT * FROM |");
    await page.keyboard.type("wante");
    await page.locator("#suggestions [role=option]", { hasText: "wanted_by_all" }).waitFor();
    await page.keyboard.press("Tab");
    await write(page, "SELECT w.| FROM wanted_by_all w");
    await page.keyboard.press("Control+Space");
    await page.locator("#suggestions [role=option]", { hasText: "second_column" }).waitFor();
});

body("users: a role is made, granted to, signs in, and may do no more", async (page, { url }) => {
    await signIn(page, url);
    await run(page, "DROP TABLE IF EXISTS visible, hidden; DROP ROLE IF EXISTS clerk; CREATE TABLE visible (a int); CREATE TABLE hidden (a int)");
    await becomes(() => tabNames(page).then((names) => names.map((name) => name.slice(2))), ["DROP TABLE", "DROP ROLE", "CREATE TABLE", "CREATE TABLE"]);
    await goTo(page, "Users");
    await page.getByRole("button", { name: "New role" }).click();
    await page.getByLabel("Name").fill("clerk");
    await page.locator("dialog input[type=password]").fill("of the desk");
    await page.getByRole("button", { name: "Create role" }).click();
    await page.getByRole("heading", { name: "clerk" }).waitFor();
    await page.getByRole("button", { name: "Grant", exact: true }).click();
    await page.locator("dialog").getByLabel("Name").fill("public.visible");
    await page.locator("dialog").getByRole("button", { name: "Grant", exact: true }).click();
    await page.getByText("Granted to clerk", { exact: true }).waitFor();
    await page.getByRole("button", { name: /Revoke SELECT on .*visible/ }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn(page, url, { role: "clerk", password: "of the desk" });
    await run(page, "SELECT count(*) FROM visible; SELECT count(*) FROM hidden");
    await page.getByRole("heading", { name: "permission denied for table hidden" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn(page, url);
    await goTo(page, "Users");
    await page.getByRole("link", { name: "clerk" }).click();
    await page.getByRole("button", { name: /Revoke SELECT on .*visible/ }).click();
    await page.getByText("Revoked SELECT").waitFor();
    await page.getByRole("button", { name: "Drop clerk" }).click();
    await page.getByRole("button", { name: "Drop role" }).click();
    await page.getByText("Dropped clerk").waitFor();
    await page.getByRole("tab", { name: "Audit log" }).click();
    await page.locator("tr", { hasText: "clerk" }).first().waitFor();
}, { browser: { refusals: [401, 403] } });

body("users: a key is shown once, works, and is ended", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "Users");
    await page.getByRole("tab", { name: "API keys" }).click();
    await page.getByRole("button", { name: "New key" }).first().click();
    await page.getByLabel("Name").fill("importer");
    await page.getByRole("button", { name: "Make key" }).click();
    const key = (await page.locator(".secret").innerText()).trim();
    await page.keyboard.press("Escape");
    const use = async () => {
        const fresh = await page.context().browser().newContext({ ignoreHTTPSErrors: true });
        const answer = await fresh.request.post(new URL("/v1/statements", url).href, { headers: { authorization: `Bearer ${key}` }, data: { sql: "select 1 as one" } });
        await fresh.close();
        return answer.status();
    };
    assert.equal(await use(), 200);
    await page.getByRole("button", { name: "End the key importer" }).click();
    await page.getByRole("button", { name: "End key" }).click();
    await page.getByText("The key is ended").waitFor();
    assert.equal(await use(), 401);
});

await runAll(async () => ({ url: process.env.CONSOLE_URL, end: async () => {} }));
