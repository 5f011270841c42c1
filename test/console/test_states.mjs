// The console in every state, against the mock: what it shows, what it does when things go wrong.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { becomes, contrast, goTo, rowTexts, runAll, signIn, tabNames, test, write } from "./browser.mjs";
import { startMock } from "./mock.mjs";

const body = (name, run, options = {}) => test(name, options, run);

body("a wrong password is refused and says why", async (page, { url }) => {
    await page.goto(url);
    await page.getByLabel("Password", { exact: true }).fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByText('password authentication failed for user "synod"').waitFor();
    await becomes(() => page.locator(".frame").count(), 0);
}, { browser: { refusals: [401] } });

body("signing in keeps no key within reach of scripts", async (page, { url }) => {
    await signIn(page, url);
    await page.getByText("live", { exact: true }).waitFor();
    const reach = await page.evaluate(() => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage));
    assert.doesNotMatch(reach, /secret|syns_|synk_|synod=t/);
    await page.reload();
    await page.locator(".frame").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.locator("form").waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem("synod.csrf")), null);
});

body("what cannot be reached is said, and tried again", async (page, { url, mock }) => {
    await signIn(page, url);
    await page.getByText("live", { exact: true }).waitFor();
    mock.goDown();
    await page.getByText("connection lost").waitFor();
    mock.comeBack();
    await page.getByText("live", { exact: true }).waitFor();
}, { browser: { refusals: [0] } });

body("a session that ended asks to sign in again and loses no text", async (page, { url, mock }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT 'precious'");
    mock.endSessions();
    await page.keyboard.press("Control+Enter");
    await page.getByText("Your session has ended").waitFor();
    await signIn(page, url);
    await becomes(() => page.locator(".editor-text").inputValue(), "SELECT 'precious'");
}, { browser: { refusals: [401] } });

body("now: figures and pictures move by themselves", async (page, { url, mock }) => {
    mock.past = 60;
    await signIn(page, url);
    const tile = page.locator(".tile dd").first();
    await page.waitForFunction(() => /\d/.test(document.querySelector(".tile dd")?.textContent ?? ""));
    const before = await tile.innerText();
    await page.waitForFunction((was) => document.querySelector(".tile dd").textContent !== was, before);
    await becomes(() => page.locator(".chart .line").count().then((lines) => lines >= 6), true);
    await becomes(() => page.locator(".chart svg").first().getAttribute("aria-label"), /Throughput, per second: statements [\d,.]+/);
});

body("now: running statements are cancelled, sessions ended, locks explained", async (page, { url, mock }) => {
    await signIn(page, url);
    await page.getByRole("button", { name: "Cancel the statement of 4107" }).click();
    await page.getByText("Process 4107 was told to cancel").waitFor();
    assert.ok(mock.seen.cancelled.includes("/v1/sessions/4107/cancel"));
    await page.getByRole("button", { name: "4112", exact: true }).click();
    await page.getByRole("button", { name: "End session…" }).click();
    await page.getByRole("button", { name: "End the session" }).click();
    await page.getByText("Process 4112 was told to end").waitFor();
    assert.ok(mock.seen.cancelled.includes("/v1/sessions/4112/terminate"));
    await page.getByRole("tab", { name: "Locks" }).click();
    await page.getByText("1 session waits").waitFor();
    await page.getByRole("tab", { name: "Sessions" }).click();
    await page.getByRole("searchbox", { name: "Filter sessions" }).fill("nightly");
    await page.waitForFunction(() => document.querySelectorAll(".sessions tbody tr").length === 1);
    await page.getByRole("searchbox", { name: "Filter sessions" }).fill("nobody at all");
    await page.getByText("No session fits").waitFor();
});

body("sql: the statement at the caret, what is selected, all of them", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT 1;\n\nUPDATE stock SET a = ';' WHERE $$;$$ = ';|';\n-- ; no end\nCREATE TABLE t (a int)");
    await page.keyboard.press("Control+Enter");
    await page.getByText("3 rows affected").first().waitFor();
    await becomes(() => tabNames(page), ["UPDATE"]);
    await page.keyboard.press("Control+Shift+Enter");
    await page.getByRole("tab", { name: "CREATE TABLE" }).waitFor();
    await becomes(() => tabNames(page), ["1 120 rows", "2 UPDATE", "3 CREATE TABLE"]);
    await page.locator(".editor-text").evaluate((area) => { area.focus(); area.setSelectionRange(0, 9); });
    await page.keyboard.press("Control+Enter");
    await page.waitForFunction(() => {
        const tabs = document.querySelectorAll(".result-tabs [role=tab]");
        return tabs.length === 1 && !tabs[0].textContent.includes("Running");
    });
    await becomes(() => tabNames(page), ["120 rows"]);
});

body("sql: values are shown exactly, markup as text", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT * FROM orders");
    await page.keyboard.press("Control+Enter");
    await page.locator('.grid-row[aria-rowindex="4"]').waitFor();
    const row = await rowTexts(page, 3);
    assert.equal(row[0], "9007199254740993");
    assert.equal(row[3], "null");
    await page.locator(".grid").focus();
    for (const key of ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"]) await page.keyboard.press(key);
    const value = await page.locator("dialog .value").innerText();
    assert.match(value, /"weight": 1\.10,\n/);
    assert.match(value, /"big": 12345678901234567890,\n/);
    await page.keyboard.press("Escape");
    await becomes(() => page.locator("dialog").count(), 0);
});

body("sql: an error is shown at its place", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT 1;\nSELECT '😀' AS smile,\n    selct 2;\nSELECT 3");
    await page.keyboard.press("Control+Shift+Enter");
    await page.getByRole("heading", { name: 'syntax error at or near "selct"' }).waitFor();
    await becomes(() => tabNames(page), ["1 120 rows", "2 Error"], "what follows an error is not run");
    await becomes(() => page.locator(".editor-line .wrong").innerText(), "selct");
    await page.getByRole("button", { name: "Go to the place" }).click();
    const selected = await page.locator(".editor-text").evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd));
    assert.equal(selected, "selct");
    await page.keyboard.type("x");
    await becomes(() => page.locator(".editor-line .wrong").count(), 0, "the mark goes when the text changes");
}, { browser: { refusals: [400] } });

body("sql: a constraint's detail and state are told", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "INSERT INTO product VALUES ('duplicate')");
    await page.keyboard.press("Control+Enter");
    await page.getByText("Key (id)=(1) already exists.").waitFor();
    await page.getByText("23505").waitFor();
}, { browser: { refusals: [409] } });

body("sql: a long statement is cancelled", async (page, { url, mock }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT pg_sleep(1000); SELECT 1");
    await page.keyboard.press("Control+Shift+Enter");
    await page.getByText("Waiting for the first row").waitFor();
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByText("canceling statement due to user request").waitFor();
    assert.equal(mock.seen.cancelled.length, 1);
    await becomes(() => tabNames(page), ["Cancelled"]);
    await page.getByRole("button", { name: "Run", exact: true }).waitFor();
});

body("sql: a long result streams, and only what is in sight is in the page", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT * FROM generate_series(1, 150000)");
    await page.keyboard.press("Control+Enter");
    await page.getByRole("tab", { name: "150,000 rows" }).waitFor();
    assert.ok(await page.locator(".grid-row").count() < 120);
    await page.locator(".grid").focus();
    await page.keyboard.press("Control+End");
    await page.getByRole("gridcell", { name: "row 150000" }).waitFor();
    await becomes(() => rowTexts(page, 150000), ["150000", "22500000000", "row 150000"]);
    assert.ok(await page.locator(".grid-row").count() < 120);
});

body("sql: a result without end is stopped at 200,000 rows and says so", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT * FROM generate_series(1, 100000000)");
    await page.keyboard.press("Control+Enter");
    await page.getByText("Only the first 200,000 rows were read").waitFor();
    await page.getByRole("tab", { name: "200,000 rows" }).waitFor();
    await page.getByRole("button", { name: "Run", exact: true }).waitFor();
});

body("sql: a stream that was cut is an error, not a result", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT cut_here");
    await page.keyboard.press("Control+Enter");
    await page.getByText("The node cannot be reached").or(page.getByRole("alert")).first().waitFor();
    await becomes(() => tabNames(page), ["Error"]);
}, { browser: { refusals: [0] } });

body("sql: notices and empty results", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "CREATE TABLE IF NOT EXISTS product (a int); SELECT * FROM orders WHERE false");
    await page.keyboard.press("Control+Shift+Enter");
    await page.getByRole("heading", { name: "No rows" }).waitFor();
    await page.locator('[data-result="0"]').click();
    await page.getByText('relation "product" already exists, skipping').waitFor();
});

body("sql: names are completed from the catalog", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await page.getByText("relations known").waitFor();
    const offered = () => page.locator("#suggestions [role=option] span").allInnerTexts();
    await write(page, "select * from |");
    await page.keyboard.type("cust");
    await page.locator("#suggestions").waitFor();
    await becomes(() => offered().then((all) => all.slice(0, 2)), ["customer", "customer_line"]);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Tab");
    await becomes(() => page.locator(".editor-text").inputValue(), "select * from sales.customer_line");
    await write(page, "SELECT o.| FROM sales.\"order\" AS o");
    await page.keyboard.press("Control+Space");
    await page.locator("#suggestions").waitFor();
    await becomes(() => offered(), ["id", "customer_id", "name", "amount", "paid", "details", "created_at"]);
    await page.keyboard.type("ca");
    await page.waitForFunction(() => document.querySelectorAll("#suggestions [role=option]").length === 1);
    await page.keyboard.press("Enter");
    await becomes(() => page.locator(".editor-text").inputValue(), "SELECT o.created_at FROM sales.\"order\" AS o");
    await write(page, "SELECT 'cust|'");
    await page.keyboard.press("Control+Space");
    await becomes(() => page.locator("#suggestions").count(), 0, "not in a string");
    await write(page, "sel|");
    await page.keyboard.press("Control+Space");
    await page.locator("#suggestions").waitFor();
    await becomes(() => offered().then((all) => all[0]), "SELECT");
});

body("sql: the editor edits: indent, comment, undo, brackets", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    const value = () => page.locator(".editor-text").inputValue();
    await write(page, "|SELECT (1)\nFROM a");
    await page.keyboard.press("Control+/");
    await becomes(value, "-- SELECT (1)\nFROM a");
    await page.keyboard.press("Control+/");
    await becomes(value, "SELECT (1)\nFROM a");
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Tab");
    await becomes(value, "    SELECT (1)\n    FROM a");
    await page.keyboard.press("Shift+Tab");
    await becomes(value, "SELECT (1)\nFROM a");
    await page.keyboard.press("Control+z");
    await becomes(value, "    SELECT (1)\n    FROM a");
    await write(page, "SELECT |(1 + (2))");
    await page.waitForFunction(() => document.querySelectorAll(".editor .bracket").length === 2);
    await write(page, "    SELECT 1|");
    await page.keyboard.press("Enter");
    await page.keyboard.type("x");
    await becomes(value, "    SELECT 1\n    x");
});

body("sql: a thousand lines are painted where they stand", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    // Chromium itself takes seconds to type a thousand lines into a text area, so they are set.
    await page.locator(".editor-text").evaluate((area) => {
        area.value = Array.from({ length: 1000 }, (_, i) => `SELECT ${i + 1} /* line */;`).join("\n");
        area.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await page.getByText("SELECT 2 /*", { exact: false }).and(page.locator(".editor-line")).waitFor();
    assert.ok(await page.locator(".editor-line").count() < 120);
    await page.locator(".editor-text").evaluate((area) => { area.scrollTop = area.scrollHeight; });
    await page.getByText("SELECT 1000", { exact: false }).and(page.locator(".editor-line")).waitFor();
    const places = await page.evaluate(() => {
        const area = document.querySelector(".editor-text"), line = [...document.querySelectorAll(".editor-line")].at(-1);
        return { painted: line.getBoundingClientRect().top, real: area.getBoundingClientRect().top + 8 + 999 * 20 - area.scrollTop };
    });
    assert.ok(Math.abs(places.painted - places.real) < 1, JSON.stringify(places));
});

body("sql: a plan is a picture that keys walk through", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT sum(amount) FROM orders");
    await page.keyboard.press("Control+Shift+E");
    await page.getByText("Estimated, not run").waitFor();
    await becomes(() => page.locator(".plan-card").count(), 6);
    await becomes(() => page.locator(".plan-zoom path").count(), 5);
    await page.getByRole("button", { name: "Analyze" }).click();
    await page.getByText("213 ms running").waitFor();
    await becomes(() => page.locator(".plan-card").first().innerText(), /42 rows\s+0 µs/, "a step without a time of its own has none");
    await page.locator(".plan-card").first().focus();
    for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"]) await page.keyboard.press(key);
    await page.getByText("84 times more rows than estimated").waitFor();
    await becomes(() => page.locator(".plan-card.heat3").innerText(), /Seq Scan/, "where the time goes is warm");
    await page.getByRole("button", { name: "As text" }).click();
    await page.getByText("HashAggregate", { exact: false }).waitFor();
    await write(page, "EXPLAIN selct");
    await page.keyboard.press("Control+Shift+E");
    await page.getByRole("heading", { name: 'syntax error at or near "selct"' }).waitFor();
}, { browser: { refusals: [400] } });

body("sql: results are saved as CSV and JSON", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "SELECT * FROM orders");
    await page.keyboard.press("Control+Enter");
    const save = async (name) => {
        const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name, exact: true }).click()]);
        return readFile(await download.path(), "utf8");
    };
    const csv = (await save("CSV")).split("\r\n");
    assert.equal(csv[0], "id,customer,amount,paid,details,created_at");
    assert.equal(csv[1], '9007199254740991,Grace Hopper,7.35,false,"{""sku"":""A-1"",""weight"":1.10,""big"":12345678901234567890,""tags"":[""new"",""eu""]}",2026-11-20T08:01:11.204518Z');
    assert.equal(csv.length, 122);
    const json = JSON.parse(await save("JSON"));
    assert.equal(json.length, 120);
    assert.equal(json[2].id, "9007199254740993");
    assert.equal(json[2].paid, null);
});

body("sql: history is kept, but no passwords", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await write(page, "UPDATE a SET b = 1; ALTER ROLE app PASSWORD 'very secret'");
    await page.keyboard.press("Control+Shift+Enter");
    await page.getByRole("tab", { name: "ALTER ROLE" }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "History" }).click();
    await page.locator(".past button").first().waitFor();
    await becomes(() => page.locator(".past button").count(), 1);
    await write(page, "");
    await page.locator(".past button").click();
    await becomes(() => page.locator(".editor-text").inputValue(), "UPDATE a SET b = 1;\n");
});

body("sql: sheets are opened, renamed, closed and kept", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "SQL");
    await page.keyboard.press("Alt+n");
    await page.getByRole("tab", { name: "Query 2", selected: true }).waitFor();
    await page.locator(".editor-text").fill("SELECT 'second'");
    await page.getByRole("tab", { name: "Query 2" }).focus();
    await page.keyboard.press("F2");
    await page.getByLabel("Name of the query").fill("Monthly");
    await page.keyboard.press("Enter");
    await page.reload();
    await page.getByRole("tab", { name: "Monthly" }).waitFor();
    await becomes(() => page.locator(".editor-text").inputValue(), "SELECT 'second'");
    await page.getByRole("button", { name: "Close Monthly" }).click();
    await becomes(() => page.getByRole("tab", { name: "Monthly" }).count(), 0);
});

body("schema: ten thousand tables, the first picture within a second", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "Schema");
    await page.getByText("10,001 relations").waitFor();
    // From the start: the page is loaded anew and the list must be there.
    const began = Date.now();
    await page.reload();
    await page.locator(".list-relation").first().waitFor();
    const took = Date.now() - began;
    console.log(`    # first picture with 10,000 tables: ${took} ms`);
    assert.ok(await page.locator(".list-relation").count() < 100);
    await page.getByText("10,001 relations").waitFor();
    await page.getByLabel("Filter tables and views").fill("order_line_042");
    await page.getByText("1 shown").waitFor();
    await becomes(() => page.locator(".list-relation mark").innerText(), "order_line_042");
    await page.locator(".list").focus();
    for (const key of ["ArrowDown", "ArrowDown", "Enter"]) await page.keyboard.press(key);
    await page.locator(".relation h1").getByText("order_line_042").waitFor();
}, { tables: 10_000 });

body("schema: a table from all sides", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "Schema");
    await page.getByText("Largest tables").waitFor();
    await page.locator(".list-relation", { hasText: "invoice_line" }).click();
    await page.getByRole("cell", { name: "customer_id" }).waitFor();
    await page.getByText("→ public.customer").waitFor();
    await page.getByRole("tab", { name: "Indexes" }).click();
    await page.getByText("invoice_line_created_idx", { exact: true }).waitFor();
    await page.getByRole("tab", { name: "Constraints" }).click();
    await page.getByText("FOREIGN KEY", { exact: false }).first().waitFor();
    await page.getByRole("tab", { name: "Used by" }).click();
    await page.getByText("public.revenue_by_month").waitFor();
    await page.getByRole("tab", { name: "Rows" }).click();
    await page.locator('.grid-row[aria-rowindex="2"]').waitFor();
    await page.getByRole("tab", { name: "DDL" }).click();
    const ddl = await page.locator(".ddl .value").innerText();
    assert.match(ddl, /CREATE TABLE public\.invoice_line \(\n    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,/);
    assert.match(ddl, /CREATE INDEX invoice_line_created_idx/);
    assert.doesNotMatch(ddl, /CREATE UNIQUE INDEX invoice_line_pkey/, "an index of a constraint comes with it");
    await page.getByRole("button", { name: "Query", exact: true }).click();
    await page.getByRole("tab", { name: "invoice_line" }).waitFor();
    await becomes(() => page.locator(".editor-text").inputValue(), /FROM public\.invoice_line/);
});

body("schema: a view, and a name that is not there", async (page, { url }) => {
    await signIn(page, url);
    await page.goto(url + "#/schema/public.revenue_by_month");
    await page.getByRole("tab", { name: "DDL" }).click();
    await page.getByText("CREATE VIEW public.revenue_by_month AS", { exact: false }).waitFor();
    await page.goto(url + "#/schema/public.gone");
    await page.getByText("There is no public.gone").waitFor();
});

body("schema: dropping wants the name", async (page, { url }) => {
    await signIn(page, url);
    await page.goto(url + "#/schema/public.event");
    await page.getByRole("button", { name: "Drop public.event" }).click();
    assert.ok(await page.getByRole("button", { name: "Drop table" }).isDisabled());
    await page.getByLabel("Type public.event to be sure").fill("public.event");
    await page.getByRole("button", { name: "Drop table" }).click();
    await page.getByText("Dropped public.event").waitFor();
    await page.waitForFunction(() => ![...document.querySelectorAll(".list-relation")].some((one) => one.title === "public.event"));
});

body("users: a role is made, changed, granted to and dropped", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "Users");
    await page.getByRole("button", { name: "New role" }).click();
    await page.getByLabel("Name").fill("app");
    await page.getByRole("button", { name: "Create role" }).click();
    await page.getByText('role "app" already exists').waitFor();
    await page.getByLabel("Name").fill("clerk");
    await page.locator("dialog").getByLabel("Password", { exact: false }).first().fill("s3cret");
    await page.getByRole("button", { name: "Create role" }).click();
    await page.getByRole("heading", { name: "clerk" }).waitFor();
    await page.getByRole("button", { name: "Change", exact: true }).click();
    await page.getByLabel("Create databases").check();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Changed clerk").waitFor();
    await page.getByRole("button", { name: "Grant", exact: true }).click();
    await page.locator("dialog").getByLabel("Name").fill("public.invoice");
    await page.locator("dialog").getByRole("button", { name: "Grant", exact: true }).click();
    await page.getByText("Granted to clerk").waitFor();
    await page.getByRole("button", { name: "Revoke INSERT on public.invoice" }).click();
    await page.getByText("Revoked INSERT on public.invoice").waitFor();
    await page.getByRole("button", { name: "Drop clerk" }).click();
    await page.getByRole("button", { name: "Drop role" }).click();
    await page.getByText("Dropped clerk").waitFor();
    await becomes(() => page.locator("td", { hasText: "clerk" }).count(), 0);
}, { browser: { refusals: [409] } });

body("users: a key is shown once", async (page, { url }) => {
    await signIn(page, url);
    await goTo(page, "Users");
    await page.getByRole("tab", { name: "API keys" }).click();
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Name").fill("importer");
    await page.getByRole("button", { name: "Make key" }).click();
    await becomes(() => page.locator(".secret").innerText(), /^synk_/);
    await page.keyboard.press("Escape");
    await page.getByText("importer").waitFor();
    await becomes(() => page.getByText(/synk_/).count(), 0);
    await page.getByRole("button", { name: "End the key importer" }).click();
    await page.getByRole("button", { name: "End key" }).click();
    await page.getByText("The key is ended").waitFor();
    await page.getByRole("tab", { name: "Audit log" }).click();
    await page.getByText("create_api_key").waitFor();
});

for (const colorScheme of ["light", "dark"]) {
    body(`${colorScheme}: every kind of text can be read`, async (page, { url }) => {
        await signIn(page, url);
        const found = [];
        const judge = async (selector, least = 4.5) => {
            const ratio = await contrast(page, selector);
            if (ratio < least) found.push(`${selector} ${ratio.toFixed(2)}`);
        };
        await page.locator(".sessions tbody tr").first().waitFor();
        for (const selector of ["h1", ".tile dt", ".tile dd", ".sessions td", ".sessions th", ".resting td", ".rail a", ".who small", ".legend", ".state.warn", ".sql-keyword", ".sql-number"]) await judge(selector, selector === ".sessions th" ? 3.5 : 4.5);
        await goTo(page, "SQL");
        await write(page, "-- words\nSELECT 'a', 1, count(*)::text FROM orders");
        await page.keyboard.press("Control+Enter");
        await page.locator(".grid .null").first().waitFor();
        for (const selector of [".editor .sql-comment", ".editor .sql-text", ".editor .sql-type", ".editor .sql-function", ".button.main", ".figures", ".grid .null", ".grid-head small"]) await judge(selector, /comment|null|small/.test(selector) ? 3.5 : 4.5);
        assert.deepEqual(found, []);
    }, { browser: { colorScheme } });
}

body("colours: the user's choice holds against the system's", async (page, { url }) => {
    await signIn(page, url);
    const dark = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await dark();
    await page.getByRole("button", { name: "System" }).click();
    await page.getByRole("button", { name: "Light" }).click();
    const after = await dark();
    assert.notEqual(after, before);
    await page.reload();
    await page.getByRole("button", { name: "Dark" }).waitFor();
    await becomes(dark, after);
});

body("phone: nothing is wider than the screen, all pages are reached", async (page, { url }) => {
    await signIn(page, url);
    const wide = async (name) => {
        const { inner, scroll } = await page.evaluate(() => ({ inner: innerWidth, scroll: Math.max(document.documentElement.scrollWidth, document.querySelector("main").scrollWidth) }));
        assert.ok(scroll <= inner, `${name}: ${scroll} > ${inner}`);
    };
    await page.locator(".sessions tbody tr").first().waitFor();
    await wide("now");
    await goTo(page, "SQL");
    await write(page, "SELECT * FROM orders");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.locator(".grid-row").first().waitFor();
    await wide("sql");
    await goTo(page, "Schema");
    await page.locator(".list-relation").first().click();
    await page.getByRole("cell", { name: "customer_id" }).waitFor();
    await wide("relation");
    await page.getByRole("link", { name: "All tables" }).click();
    await page.locator(".list-relation").first().waitFor();
    await wide("schema");
    await goTo(page, "Users");
    await page.getByRole("link", { name: "reporting" }).click();
    await page.getByRole("heading", { name: "reporting" }).waitFor();
    await wide("users");
}, { browser: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true } });

body("keyboard: all the way without a pointer, the focus always seen", async (page, { url }) => {
    await page.goto(url);
    await page.locator("[name=password]:focus").waitFor();
    await page.keyboard.type("secret");
    await page.keyboard.press("Enter");
    await page.locator(".frame").waitFor();
    const focused = () => page.evaluate(() => {
        const element = document.activeElement, style = getComputedStyle(element);
        return { name: element.getAttribute("aria-label") ?? element.textContent.trim().slice(0, 40), seen: style.outlineStyle !== "none" || style.boxShadow !== "none" || element.matches(".editor-text, .grid") };
    });
    await page.locator(".sessions tbody tr").first().waitFor();
    for (let i = 0; i < 24; i++) {
        await page.keyboard.press("Tab");
        const { name, seen } = await focused();
        assert.ok(seen, `the focus is not seen on "${name}"`);
    }
    await page.keyboard.press("Alt+2");
    await page.locator(".editor-text").waitFor();
    await page.waitForFunction(() => document.activeElement?.classList.contains("editor-text"));
    await page.keyboard.press("Control+a");
    await page.keyboard.type("SELECT * FROM orders ");
    await page.keyboard.press("Control+Enter");
    await page.locator(".grid-row").first().waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab"); // the splitter
    await page.keyboard.press("ArrowUp");
    for (let i = 0; i < 6 && !await page.evaluate(() => document.activeElement.classList.contains("grid")); i++) await page.keyboard.press("Tab");
    await becomes(() => focused().then((one) => one.name), "Result, 120 rows");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator("dialog[open]").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+k");
    await page.keyboard.type("invoice_l");
    await page.getByRole("option", { name: "invoice_line" }).waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".relation h1").getByText("invoice_line").waitFor();
    await page.keyboard.press("?");
    await page.getByRole("heading", { name: "Keys" }).waitFor();
});

await runAll(async ({ tables = 24 }) => {
    const mock = await startMock({ tables });
    return { url: mock.url, mock, end: async () => mock.close() };
});
