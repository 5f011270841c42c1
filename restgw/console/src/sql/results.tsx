// What came of the statements that were run last: a tab for each, below it its rows, its tag or its error.
import { useEffect, useState } from "preact/hooks";
import type { JSX } from "preact";
import { Icon } from "../parts/icon";
import { Button, copy, download, Empty } from "../parts/parts";
import { count, milliseconds, plural } from "../words";
import { Grid } from "./grid";
import { PlanView, type Plan } from "./plan";
import { csvOf, jsonOf, ROWS_MAX, tabsOf, type Outcome } from "./run";

export function Results({ outcomes, plan, shown, running, show, jump }: {
    outcomes: Outcome[]; plan: Plan | null; shown: number; running: boolean; show: (index: number) => void; jump: (outcome: Outcome) => void;
}): JSX.Element {
    if (!outcomes.length && !plan) {
        if (running) return <div class="results"><p class="muted pad"><i class="spinner" /> Planning…</p></div>;
        return (
            <Empty icon="sql" title="Results come here">
                <p><kbd>Ctrl</kbd> <kbd>Enter</kbd> runs the statement at the caret, <kbd>Ctrl</kbd> <kbd>Space</kbd> completes names,
                    <kbd>Ctrl</kbd> <kbd>Shift</kbd> <kbd>E</kbd> draws the plan.</p>
            </Empty>
        );
    }
    const outcome = shown >= 0 ? outcomes[shown] : undefined;
    const move = (event: KeyboardEvent): void => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = Math.min(outcomes.length - 1, Math.max(plan ? -1 : 0, shown + step));
        show(next);
        (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-result="${next}"]`)?.focus();
    };
    return (
        <div class="results">
            <div class="result-tabs" role="tablist" aria-label="Results" onKeyDown={move}>
                {plan && <button type="button" role="tab" data-result="-1" aria-selected={shown < 0} tabIndex={shown < 0 ? 0 : -1} onClick={() => show(-1)}><Icon name="plan" />Plan</button>}
                {outcomes.map((one, i) => (
                    <button key={one.id} type="button" role="tab" data-result={i} aria-selected={i === shown} tabIndex={i === shown ? 0 : -1} class={one.state} title={one.sql.slice(0, 500)} onClick={() => show(i)}>
                        {one.state === "running" ? <i class="spinner" /> : one.state === "done" ? null : <Icon name={one.state === "failed" ? "alert" : "stop"} />}
                        {outcomes.length > 1 && <b>{i + 1}</b>}{tabName(one)}
                    </button>
                ))}
            </div>
            {shown < 0 && plan && <PlanView key={plan.sql + plan.analyzed} plan={plan} />}
            {outcome && <OutcomeView key={outcome.id} outcome={outcome} jump={() => jump(outcome)} />}
        </div>
    );
}

function tabName(one: Outcome): string {
    if (one.state === "failed") return "Error";
    if (one.state === "cancelled") return "Cancelled";
    if (one.result) return plural(one.result.rows.length, "row");
    return one.command || (one.state === "running" ? "Running" : "Done");
}

function OutcomeView({ outcome, jump }: { outcome: Outcome; jump: () => void }): JSX.Element {
    const { result } = outcome;
    const rows = result?.rows.length ?? 0;
    const name = `synod-${new Date(outcome.began).toISOString().slice(0, 19).replace(/[:T]/g, "-")}`;
    return (
        <div class="outcome" role="tabpanel">
            <div class="outcome-bar" aria-live="polite">
                <Figures outcome={outcome} />
                <span class="room" />
                {result && rows > 0 && <>
                    <Button small kind="quiet" icon="copy" title="Copy as text with tabs" onClick={() => void copy([result.columns.map((c) => c.name).join("\t"), tabsOf(result.rows)].join("\n"), `${plural(rows, "row")} copied`)}>Copy</Button>
                    <Button small kind="quiet" icon="download" title="Save as CSV" onClick={() => download(name + ".csv", "text/csv", csvOf(result))}>CSV</Button>
                    <Button small kind="quiet" icon="download" title="Save as JSON" onClick={() => download(name + ".json", "application/json", jsonOf(result))}>JSON</Button>
                </>}
            </div>
            {outcome.cut && <p class="banner">Only the first {count(ROWS_MAX)} rows were read. Add a LIMIT or a WHERE; whole tables are exported from the Schema page.</p>}
            {outcome.problem && <ProblemView outcome={outcome} jump={jump} />}
            {outcome.notices.length > 0 && <ul class="notices">{outcome.notices.map((one, i) => <li key={i}><b>{one.severity}</b> {one.text}</li>)}</ul>}
            {result && (rows > 0 ? <Grid result={result} rows={rows} label={`Result, ${plural(rows, "row")}`} />
                : outcome.state === "done" && <NoRows outcome={outcome} />)}
            {!result && outcome.state === "done" && !outcome.notices.length && <Empty icon="check" title={outcome.command || "Done"}>
                {outcome.affected !== null ? <p>{plural(outcome.affected, "row")} affected</p> : <p class="muted">The statement gives no rows.</p>}</Empty>}
            {outcome.state === "running" && rows === 0 && <p class="muted pad"><i class="spinner" /> Waiting for the first row…</p>}
        </div>
    );
}

function NoRows({ outcome }: { outcome: Outcome }): JSX.Element {
    return <Empty icon="schema" title="No rows"><p class="muted">Columns: {outcome.result!.columns.map((one) => one.name).join(", ")}</p></Empty>;
}

function Figures({ outcome }: { outcome: Outcome }): JSX.Element {
    const [, tick] = useState(0);
    const running = outcome.state === "running";
    useEffect(() => {
        if (!running) return;
        const timer = setInterval(() => tick((n) => n + 1), 100);
        return () => clearInterval(timer);
    }, [running]);
    const parts: string[] = [];
    if (outcome.result) parts.push(plural(outcome.result.rows.length, "row"));
    else if (outcome.affected !== null) parts.push(`${plural(outcome.affected, "row")} affected`);
    if (outcome.command) parts.push(outcome.command);
    parts.push(milliseconds(running ? Date.now() - outcome.began : outcome.elapsedMs));
    if (outcome.serverUs !== null) parts.push(`${milliseconds(outcome.serverUs / 1000)} in the database`);
    return <span class="figures">{running && <i class="spinner" />}{parts.join(" · ")}</span>;
}

function ProblemView({ outcome, jump }: { outcome: Outcome; jump: () => void }): JSX.Element {
    const problem = outcome.problem!;
    const cancelled = outcome.state === "cancelled";
    return (
        <div class={cancelled ? "problem calm" : "problem"} role="alert">
            <h3><Icon name={cancelled ? "stop" : "alert"} />{cancelled ? "Cancelled" : problem.detail ?? problem.title}</h3>
            {cancelled && problem.detail && <p>{problem.detail}</p>}
            {problem.error_detail && <p>{problem.error_detail}</p>}
            {problem.hint && <p class="muted">{problem.hint}</p>}
            {problem.position != null && <Excerpt sql={outcome.sql} position={problem.position} />}
            <p class="problem-foot">
                {problem.sqlstate && <code title="SQLSTATE">{problem.sqlstate}</code>}
                {problem.transaction_state === "failed" && <span>The transaction has failed: nothing more can be done in it than ROLLBACK.</span>}
                {!cancelled && <Button small kind="quiet" icon="edit" onClick={jump}>{problem.position != null ? "Go to the place" : "Go to the statement"}</Button>}
            </p>
        </div>
    );
}

// The line of the statement where it went wrong, with a mark beneath, as psql does.
function Excerpt({ sql, position }: { sql: string; position: number }): JSX.Element {
    const at = Array.from(sql).slice(0, position - 1).join("").length;
    const begin = sql.lastIndexOf("\n", at - 1) + 1;
    const end = sql.indexOf("\n", at);
    const line = sql.slice(begin, end < 0 ? sql.length : end);
    const from = Math.max(0, at - begin - 60);
    const number = sql.slice(0, at).split("\n").length;
    return (
        <pre class="excerpt"><span class="faint">LINE {number}: </span>{from > 0 && "…"}{line.slice(from, from + 140)}{"\n"}
            {" ".repeat(`LINE ${number}: `.length + (from > 0 ? 1 : 0) + at - begin - from)}<b>^</b></pre>
    );
}
