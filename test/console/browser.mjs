// The stage of the console's tests: a Chromium, a page that fails its test on whatever should not happen, and the names of
// cases as the harness wants them (TAP).
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";

// Where playwright-core was installed: beside the test, or in the directory that the caller says.
const require = createRequire((process.env.CONSOLE_MODULES ?? new URL(".", import.meta.url).pathname) + "/");
const { chromium } = require("playwright-core");

export const WAIT_MS = 15_000; // far beyond what a loaded machine needs; only ends what hangs

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync"];

const cases = [];

/** Registers a case. `options` are a browser context's; `refusals`: statuses of the API that the case provokes. */
export function test(name, options, body) {
    cases.push({ name, options, body });
}

/**
 * What a page shows follows what happened to it, if not at once: waits until `get` gives `wanted` (a value or a pattern),
 * and fails with the last it gave when that takes longer than anything may.
 */
export async function becomes(get, wanted, message) {
    const isSo = (got) => wanted instanceof RegExp ? wanted.test(got) : isDeepStrictEqual(got, wanted);
    const until = Date.now() + WAIT_MS;
    let got = await get();
    while (!isSo(got) && Date.now() < until) {
        await new Promise((done) => setTimeout(done, 20));
        got = await get();
    }
    if (wanted instanceof RegExp) assert.match(got, wanted, message);
    else assert.deepEqual(got, wanted, message);
}

/** Opens a page on the console. Whatever it says on the console, every violation of the policy and every request to another host is kept. */
async function openPage(browser, url, options) {
    const { refusals = [], ...context } = options;
    const made = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", ignoreHTTPSErrors: true, acceptDownloads: true, ...context });
    made.setDefaultTimeout(WAIT_MS);
    const page = await made.newPage();
    const wrong = [];
    page.on("console", (message) => {
        const refused = /status of (\d+)/.exec(message.text());
        if (refused && refusals.includes(Number(refused[1]))) return;
        if (/net::ERR_/.test(message.text()) && refusals.includes(0)) return;
        if (["error", "warning"].includes(message.type())) wrong.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => wrong.push(`exception: ${error.stack}`));
    page.on("request", (request) => {
        if (!request.url().startsWith("blob:") && new URL(request.url()).origin !== new URL(url).origin) wrong.push(`another host: ${request.url()}`);
    });
    await page.addInitScript(() => addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
    if (process.env.CONSOLE_SLOW) await (await made.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: Number(process.env.CONSOLE_SLOW) });
    return { page, wrong, context: made };
}

/** Runs all cases; `stage` gives { url, ...what cases want } and takes it down again. */
export async function runAll(stage) {
    const only = process.argv[2] ?? "";
    const tap = process.env.CK_TAP_LOG_FILE_NAME;
    const say = (line) => {
        console.log(line);
        if (tap) appendFileSync(tap, line + "\n");
    };
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: ARGUMENTS });
    let failed = 0;
    for (const [i, one] of cases.entries()) {
        if (!one.name.includes(only)) continue;
        const scene = await stage(one.options);
        const { page, wrong, context } = await openPage(browser, scene.url, one.options.browser ?? {});
        const began = Date.now();
        try {
            await one.body(page, scene);
            if (wrong.length) throw new Error(wrong.join("\n"));
            say(`ok ${i + 1} - ${one.name} (${Date.now() - began} ms)`);
        } catch (error) {
            failed++;
            say(`not ok ${i + 1} - ${one.name}`);
            console.log(String(error.stack).replace(/^/gm, "    "));
            if (wrong.length) console.log("    seen on the page:\n" + wrong.join("\n").replace(/^/gm, "        "));
            if (process.env.CONSOLE_SHOTS) await page.screenshot({ path: `${process.env.CONSOLE_SHOTS}/failed-${i + 1}.png` });
        }
        await context.close();
        await scene.end();
    }
    await browser.close();
    console.log(failed ? `${failed} failed` : "all passed");
    process.exit(failed ? 1 : 0);
}

// ---- what several cases do ----

export async function signIn(page, url, { password = "secret", role = "synod", database = "synod" } = {}) {
    if (page.url() === "about:blank") await page.goto(url);
    await page.getByLabel("Role", { exact: true }).fill(role);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByLabel("Database", { exact: true }).fill(database);
    await page.keyboard.press("Enter");
    await page.locator(".frame").waitFor();
}

/** Goes to a page by its link. The SQL page listens to keys from when its editor has the focus. */
export async function goTo(page, name) {
    const link = page.getByRole("navigation").getByRole("link", { name, exact: true });
    const there = await link.getAttribute("aria-current");
    await link.click();
    if (name === "SQL" && !there) await page.locator(".editor-text:focus").waitFor();
}

/** Puts a text into the editor, the caret where the mark | is, if there is one. */
export async function write(page, text) {
    const area = page.locator(".editor-text");
    const caret = text.indexOf("|");
    await area.fill(text.replace("|", ""));
    if (caret >= 0) {
        await area.focus();
        await area.evaluate((element, at) => element.setSelectionRange(at, at), caret);
    }
}

export const tabNames = (page) => page.locator(".result-tabs [role=tab]").allInnerTexts().then((texts) => texts.map((text) => text.replace(/\s+/g, " ").trim()));

/** The texts of a row of the result that is shown. */
export const rowTexts = (page, n) => page.locator(`.grid-row[aria-rowindex="${n + 1}"] [role=gridcell]`).allInnerTexts();

/** How well a text can be read: WCAG's contrast of the first element that fits, against the first opaque background behind it. */
export const contrast = (page, selector) => page.locator(selector).first().evaluate((element) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    let behind = element;
    while (behind && rgba(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
    const a = light(rgba(getComputedStyle(element).color)), b = light(rgba(getComputedStyle(behind ?? document.body).backgroundColor));
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
});
