// The plan of a statement as a picture: a card for each step, rows flowing up along lines as thick as they are many.
// Warm cards are where the time goes (or the estimated cost, when the statement was not run).
import { useMemo, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import { Button } from "../parts/parts";
import { milliseconds, short } from "../words";

export interface Plan { plan: unknown; text: string; sql: string; analyzed: boolean }

type Members = Record<string, unknown>;

interface Step {
    members: Members;
    title: string;
    subject: string;
    children: Step[];
    rows: number | null;
    estimate: number | null;
    /** Of this step alone, without those below: milliseconds, or cost. */
    own: number;
    all: number;
    x: number;
    y: number;
    index: number;
}

const WIDTH = 196, HEIGHT = 82, GAP_X = 20, GAP_Y = 44;

const number = (value: unknown): number | null => typeof value === "number" ? value : null;

const isTimed = (members: Members): boolean =>
    number(members["Actual Total Time"]) !== null || ((members.Plans as Members[] | undefined) ?? []).some(isTimed);

// Not every step of a measured plan has a time of its own: then it is that of those below. Times and costs never mix.
function stepOf(members: Members, timed: boolean): Step {
    const children = ((members.Plans as Members[] | undefined) ?? []).map((one) => stepOf(one, timed));
    const below = children.reduce((sum, child) => sum + child.all, 0);
    const loops = number(members["Actual Loops"]) ?? 1;
    const actual = number(members["Actual Total Time"]);
    const all = timed ? (actual === null ? below : actual * loops) : number(members["Total Cost"]) ?? 0;
    const rows = number(members["Actual Rows"]);
    const subject = [
        members["Relation Name"] && [members.Schema, members["Relation Name"]].filter(Boolean).join("."),
        members.Alias && members.Alias !== members["Relation Name"] ? String(members.Alias) : "",
        members["Index Name"] && `by ${String(members["Index Name"])}`,
        members["CTE Name"] && `of ${String(members["CTE Name"])}`, members["Function Name"],
        members["Join Type"] && !/Join|Loop/.test(String(members["Join Type"])) ? String(members["Join Type"]).toLowerCase() : "",
    ].filter(Boolean).join(" ");
    return {
        members, children, subject, all, title: [members.Strategy && members.Strategy !== "Plain" ? members.Strategy : "", members.Operation ?? members["Node Type"]].filter(Boolean).join(" "),
        rows: rows === null ? null : rows * loops, estimate: number(members["Plan Rows"]),
        own: Math.max(0, all - below), x: 0, y: 0, index: 0,
    };
}

// Leaves stand side by side, a step above the middle of those it is fed by.
function layOut(root: Step): { steps: Step[]; width: number; height: number } {
    const steps: Step[] = [];
    let right = 0, deepest = 0;
    const put = (step: Step, depth: number): void => {
        deepest = Math.max(deepest, depth);
        step.index = steps.length;
        steps.push(step);
        step.y = depth * (HEIGHT + GAP_Y);
        if (step.children.length === 0) {
            step.x = right;
            right += WIDTH + GAP_X;
            return;
        }
        step.children.forEach((child) => put(child, depth + 1));
        step.x = (step.children[0]!.x + step.children[step.children.length - 1]!.x) / 2;
    };
    put(root, 0);
    return { steps, width: right - GAP_X, height: (deepest + 1) * (HEIGHT + GAP_Y) - GAP_Y };
}

export function PlanView({ plan }: { plan: Plan }): JSX.Element {
    const whole = useMemo(() => ((Array.isArray(plan.plan) ? plan.plan[0] : plan.plan) ?? {}) as Members, [plan]);
    const timed = useMemo(() => isTimed((whole.Plan ?? whole) as Members), [whole]);
    const tree = useMemo(() => layOut(stepOf((whole.Plan ?? whole) as Members, timed)), [whole]);
    const [chosen, choose] = useState(0);
    const [zoom, setZoom] = useState(innerWidth < 760 ? 0.7 : 1);
    const [asText, setAsText] = useState(false);
    const cards = useRef<HTMLDivElement>(null);
    const total = tree.steps[0]!.all || 1;
    const most = Math.max(1, ...tree.steps.map((step) => step.rows ?? step.estimate ?? 0));
    const step = tree.steps[chosen]!;
    const amount = (value: number): string => timed ? milliseconds(value) : `cost ${short(value)}`;

    const key = (event: KeyboardEvent): void => {
        const parent = tree.steps.find((one) => one.children.includes(step));
        const row = parent?.children ?? [step];
        const to = {
            ArrowUp: parent, ArrowDown: step.children[0], ArrowLeft: row[row.indexOf(step) - 1], ArrowRight: row[row.indexOf(step) + 1],
        }[event.key];
        if (!to) return;
        event.preventDefault();
        choose(to.index);
        (cards.current!.querySelector(`[data-step="${to.index}"]`) as HTMLElement).focus();
    };
    const times = [["Planning Time", "planning"], ["Execution Time", "running"]]
        .flatMap(([member, word]) => number(whole[member!]) === null ? [] : [`${milliseconds(number(whole[member!])!)} ${word}`]).join(" · ");
    return (
        <div class="plan">
            <div class="plan-bar">
                <span class="muted">{plan.analyzed ? "Measured; the changes were rolled back" : "Estimated, not run"}{times && ` · ${times}`}</span>
                <span class="room" />
                <Button small kind="quiet" pressed={asText} onClick={() => setAsText(!asText)}>As text</Button>
                <Button small kind="quiet" icon="zoomOut" title="Smaller" onClick={() => setZoom(Math.max(0.4, zoom - 0.2))} />
                <Button small kind="quiet" icon="zoomIn" title="Larger" onClick={() => setZoom(Math.min(1.6, zoom + 0.2))} />
            </div>
            {asText ? <pre class="value" tabIndex={0}>{plan.text}</pre> : (
                <div class="plan-body">
                    <div class="plan-picture" ref={cards}>
                        <div style={{ width: tree.width * zoom + 32, height: tree.height * zoom + 32 }}>
                            <div class="plan-zoom" style={{ transform: `scale(${zoom})`, width: tree.width, height: tree.height }} role="tree" aria-label="Plan" onKeyDown={key}>
                                <svg width={tree.width} height={tree.height} aria-hidden="true">
                                    {tree.steps.flatMap((one) => one.children.map((child) => (
                                        <path key={child.index} d={edge(one, child)} stroke-width={1 + 7 * Math.log1p(child.rows ?? child.estimate ?? 0) / Math.log1p(most)} />
                                    )))}
                                </svg>
                                {tree.steps.map((one) => (
                                    <button key={one.index} type="button" data-step={one.index} role="treeitem" aria-selected={one.index === chosen}
                                        class={"plan-card heat" + heat(one.own / total)} tabIndex={one.index === chosen ? 0 : -1}
                                        style={{ left: one.x, top: one.y, width: WIDTH, height: HEIGHT }} onClick={() => choose(one.index)}>
                                        <b>{one.title}</b>
                                        <span class="plan-subject">{one.subject || "\u00a0"}</span>
                                        <span class="plan-figures">
                                            <span>{rowsText(one)}</span><span>{amount(one.own)}</span>
                                        </span>
                                        <i class="plan-share"><i style={{ width: `${Math.max(1, 100 * one.own / total)}%` }} /></i>
                                    </button>
                                ))}
                            </div>
                        </div>
                    </div>
                    <StepDetails step={step} amount={amount} total={total} />
                </div>
            )}
        </div>
    );
}

function edge(parent: Step, child: Step): string {
    const x1 = parent.x + WIDTH / 2, y1 = parent.y + HEIGHT, x2 = child.x + WIDTH / 2, y2 = child.y, middle = (y1 + y2) / 2;
    return `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`;
}

const heat = (share: number): number => share > 0.5 ? 3 : share > 0.2 ? 2 : share > 0.05 ? 1 : 0;

const rowsText = (step: Step): string => {
    const rows = step.rows ?? step.estimate;
    return rows === null ? "" : `${step.rows === null ? "≈ " : ""}${short(rows)} row${rows === 1 ? "" : "s"}`;
};

// A wrong guess misleads everything above it, so it is said.
function misjudged(step: Step): string | null {
    if (step.rows === null || step.estimate === null) return null;
    const factor = (Math.max(step.rows, 1)) / Math.max(step.estimate, 1);
    if (factor >= 10) return `${short(factor)} times more rows than estimated`;
    if (factor <= 0.1) return `${short(1 / factor)} times fewer rows than estimated`;
    return null;
}

function StepDetails({ step, amount, total }: { step: Step; amount: (value: number) => string; total: number }): JSX.Element {
    const wrong = misjudged(step);
    const shown = Object.entries(step.members).filter(([name, value]) => name !== "Plans" && value !== null && value !== "");
    return (
        <aside class="plan-details" aria-label="The chosen step">
            <h3>{step.title}</h3>
            <p class="muted">{amount(step.own)} of its own ({Math.round(100 * step.own / total)} %), {amount(step.all)} with all below</p>
            {wrong && <p class="warn">{wrong}</p>}
            <dl>{shown.map(([name, value]) => (
                <div key={name}><dt>{name}</dt><dd class="mono">{Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value)}</dd></div>
            ))}</dl>
        </aside>
    );
}
