// The icons, drawn with one pen on a field of 16 by 16.
import type { JSX } from "preact";

const ICONS = {
    now: "M1.5 8.5h3l2-5.5 3 10 2-4.5h3",
    sql: "M2.5 4.5 6 8l-3.5 3.5M8 12h5.5",
    schema: "M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6",
    users: "M6 7.5a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8zM1.5 13.3c0-2.5 2-4.1 4.5-4.1s4.5 1.6 4.5 4.1M10.6 2.9a2.3 2.3 0 0 1 0 4.4M12.2 9.6c1.4.6 2.3 1.9 2.3 3.7",
    play: "M4.5 2.8v10.4L13 8z",
    playAll: "M2.5 3v10l6-5zM8.5 3v10l6-5z",
    stop: "M4 4h8v8H4z",
    plus: "M8 3v10M3 8h10",
    close: "M4 4l8 8M12 4l-8 8",
    search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4l3.4 3.4",
    history: "M2.6 5.6A5.9 5.9 0 1 1 2.2 9M2.4 2.6v3.2h3.2M8 5v3.3l2.3 1.4",
    download: "M8 2.5v7.7M4.8 7.2 8 10.4l3.2-3.2M2.8 13.3h10.4",
    copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
    refresh: "M13.3 6.2A5.6 5.6 0 0 0 3 5.4M2.7 2.4v3.2h3.2M2.7 9.8A5.6 5.6 0 0 0 13 10.6M13.3 13.6v-3.2h-3.2",
    down: "M4 6.2 8 10l4-3.8",
    right: "M6.2 4 10 8l-3.8 4",
    left: "M9.8 4 6 8l3.8 4",
    sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M3.2 12.8l1.1-1.1M11.7 4.3l1.1-1.1",
    moon: "M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7z",
    screen: "M2 3h12v8H2zM5.5 13.5h5",
    leave: "M6.5 2.5h-4v11h4M10.2 4.8 13.4 8l-3.2 3.2M13 8H6",
    key: "M10.2 9.3a3.4 3.4 0 1 0-3.3-2.6l-4.6 4.6v2.4h2.5v-1.6h1.6v-1.6l1.2-1.2c.8.1 1.7.1 2.6 0zM11 5h.01",
    trash: "M2.8 4.5h10.4M6.3 4.3V2.7h3.4v1.6M4 4.5l.7 9h6.6l.7-9M6.6 7v4M9.4 7v4",
    edit: "M3 13l.6-2.8 7.2-7.2 2.2 2.2-7.2 7.2z",
    view: "M1.5 8S4 3.6 8 3.6 14.5 8 14.5 8 12 12.4 8 12.4 1.5 8 1.5 8zM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6z",
    lock: "M3.5 7.2h9v6.3h-9zM5.4 7V5a2.6 2.6 0 0 1 5.2 0v2",
    plan: "M6 2.2h4v3H6zM1.8 10.8h4v3h-4zM10.2 10.8h4v3h-4zM8 5.2v2.6M3.8 10.8V7.8h8.4v3",
    keyboard: "M1.5 4h13v8h-13zM4 6.5h.01M6.5 6.5h.01M9 6.5h.01M11.5 6.5h.01M4.5 9.5h7",
    alert: "M8 2.2 14.6 13.5H1.4zM8 6.4v3.2M8 11.6h.01",
    check: "M3 8.5 6.4 12 13 4.6",
    menu: "M2.5 4h11M2.5 8h11M2.5 12h11",
    index: "M3 3h10M3 6.3h7M3 9.6h10M3 13h5",
    zoomIn: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4l3.4 3.4M7 5v4M5 7h4",
    zoomOut: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4l3.4 3.4M5 7h4",
} as const;

export type IconName = keyof typeof ICONS;

export function Icon({ name }: { name: IconName }): JSX.Element {
    return <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d={ICONS[name]} /></svg>;
}

/** The mark: six members in a circle and what they agree on. */
export function Logo({ size = 24 }: { size?: number }): JSX.Element {
    const around = [0, 1, 2, 3, 4, 5].map((i) => ({ x: 16 + 9.6 * Math.sin(i * Math.PI / 3), y: 16 - 9.6 * Math.cos(i * Math.PI / 3) }));
    return (
        <svg class="logo" viewBox="0 0 32 32" width={size} height={size} aria-hidden="true" focusable="false">
            <polygon points={around.map((p) => `${p.x.toFixed(1)},${p.y.toFixed(1)}`).join(" ")} />
            {around.map((p) => <circle cx={p.x.toFixed(1)} cy={p.y.toFixed(1)} r="2.7" />)}
            <circle class="centre" cx="16" cy="16" r="3.5" />
        </svg>
    );
}
