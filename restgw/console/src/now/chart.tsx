// Lines over the last minutes. The picture moves left by the clock, so gaps in the data are seen as gaps.
import { useEffect, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";

export interface ChartSeries<T> { name: string; tone: "a" | "b" | "c" | "bad"; of: (sample: T) => number; fill?: boolean }

const HEIGHT = 168, LEFT = 46, BOTTOM = 20, TOP = 8, GAP_MS = 3500;

// 1, 2 or 5 times a power of ten: the smallest that holds the value in four steps.
function niceTop(value: number): number {
    if (value <= 0) return 1;
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 4, 5, 8, 10].map((times) => times * power).find((top) => top >= value * 1.05) ?? 20 * power;
}

export function Chart<T extends { at: number }>({ title, samples, series, write, seconds, now, unit }: {
    title: string; samples: T[]; series: ChartSeries<T>[]; write: (value: number) => string; seconds: number; now: number; unit: string;
}): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    const [width, setWidth] = useState(600);
    const [hover, setHover] = useState<number | null>(null);
    useEffect(() => {
        const seen = new ResizeObserver(([entry]) => setWidth(Math.max(200, Math.round(entry!.contentRect.width))));
        seen.observe(box.current!);
        return () => seen.disconnect();
    }, []);
    const begin = now - seconds * 1000;
    const inSight = samples.filter((sample) => sample.at >= begin - 2000);
    const top = niceTop(Math.max(0, ...inSight.flatMap((sample) => series.map((one) => one.of(sample)))));
    const x = (at: number): number => LEFT + (width - LEFT) * (at - begin) / (seconds * 1000);
    const y = (value: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
    const last = samples[samples.length - 1];
    const pointed = hover === null ? last : nearest(inSight, begin + (hover - LEFT) / (width - LEFT) * seconds * 1000) ?? last;
    const summary = last ? series.map((one) => `${one.name} ${write(one.of(last))}`).join(", ") : "no data yet";
    return (
        <figure class="chart">
            <figcaption>
                <h3>{title}</h3><small class="faint">{unit}</small><span class="room" />
                <span class="legend">{series.map((one) => (
                    <span key={one.name}><i class={"tone-" + one.tone} />{one.name} <b>{pointed ? write(one.of(pointed)) : "–"}</b></span>
                ))}</span>
            </figcaption>
            <div ref={box} class="chart-box" onPointerMove={(event) => setHover(event.clientX - box.current!.getBoundingClientRect().left)} onPointerLeave={() => setHover(null)}>
                <svg width={width} height={HEIGHT} role="img" aria-label={`${title}, ${unit}: ${summary}`}>
                    {[0, 0.25, 0.5, 0.75, 1].map((share) => (
                        <g key={share}>
                            <line class={share === 0 ? "axis" : "rule"} x1={LEFT} x2={width} y1={y(top * share)} y2={y(top * share)} />
                            {(share === 0 || share === 0.5 || share === 1) && <text x={LEFT - 8} y={y(top * share) + 4} text-anchor="end">{write(top * share)}</text>}
                        </g>
                    ))}
                    {ticks(begin, now, seconds).map((at) => (
                        <text key={at} x={x(at)} y={HEIGHT - 4} text-anchor="middle">{new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...(seconds > 150 ? {} : { second: "2-digit" }) })}</text>
                    ))}
                    {series.map((one) => runs(inSight).map((part, i) => {
                        const points = part.map((sample) => `${x(sample.at).toFixed(1)} ${y(one.of(sample)).toFixed(1)}`).join("L");
                        return (
                            <g key={one.name + i}>
                                {one.fill && part.length > 1 && <path class={"area tone-" + one.tone} d={`M${x(part[0]!.at).toFixed(1)} ${y(0)}L${points}L${x(part[part.length - 1]!.at).toFixed(1)} ${y(0)}Z`} />}
                                <path class={"line tone-" + one.tone} d={"M" + points} />
                            </g>
                        );
                    }))}
                    {hover !== null && pointed && <line class="cross" x1={x(pointed.at)} x2={x(pointed.at)} y1={TOP} y2={HEIGHT - BOTTOM} />}
                    {!last && <text class="none" x={(width + LEFT) / 2} y={HEIGHT / 2} text-anchor="middle">Waiting for the first figures</text>}
                </svg>
                {hover !== null && pointed && <span class="chart-time">{new Date(pointed.at).toLocaleTimeString("en-GB")}</span>}
            </div>
        </figure>
    );
}

// Stretches without a gap.
function runs<T extends { at: number }>(samples: T[]): T[][] {
    const parts: T[][] = [];
    for (const sample of samples) {
        const part = parts[parts.length - 1];
        if (part && sample.at - part[part.length - 1]!.at < GAP_MS) part.push(sample);
        else parts.push([sample]);
    }
    return parts;
}

// Whole minutes, and half ones where there is room.
function ticks(begin: number, end: number, seconds: number): number[] {
    const step = seconds > 150 ? 60_000 : 30_000;
    const found: number[] = [];
    for (let at = Math.ceil((begin + 15_000) / step) * step; at < end - 12_000; at += step) found.push(at);
    return found;
}

function nearest<T extends { at: number }>(samples: T[], at: number): T | undefined {
    let best: T | undefined;
    for (const sample of samples) if (!best || Math.abs(sample.at - at) < Math.abs(best.at - at)) best = sample;
    return best;
}

/** A line the size of a word. */
export function Spark({ values, tone }: { values: number[]; tone: string }): JSX.Element {
    const shown = values.slice(-60);
    const top = Math.max(1e-9, ...shown);
    const points = shown.map((value, i) => `${(i + 60 - shown.length) * 100 / 59},${(22 - 20 * value / top).toFixed(1)}`).join(" ");
    return <svg class={"spark tone-" + tone} viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><polyline points={points} /></svg>;
}
