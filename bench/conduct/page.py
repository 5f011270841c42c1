"""One self-contained page: bars of ratios, curves over clients, TPC-H by query, growth with its fit. Plots are inline SVG."""

import html
import math

from . import figures
from .rounds import OURS
from .table import NAMES

COLOURS = {"synod": "#0072b2", "postgresql": "#d55e00", "duckdb": "#009e73", "sqlite": "#cc79a7", "fastify": "#e69f00"}
STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid #8884}h3{font-size:1rem;margin-bottom:.2rem}
table{border-collapse:collapse;font-size:13px}td,th{padding:.15rem .6rem;text-align:right;border-bottom:1px solid #8883}
td:first-child,th:first-child{text-align:left}code,pre{font-size:12px}pre{white-space:pre-wrap}.lost{color:#b3261e;font-weight:600}
.noisy{opacity:.6}svg{max-width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:currentColor}.plots{display:flex;
flex-wrap:wrap;gap:1rem}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16191d}.lost{color:#ff8a80}}"""


def write(path, found):
    with open(path, "w", encoding="utf-8") as file:
        file.write(document(found))


def document(found):
    workloads = dict.fromkeys(case["workload"] for case in found["cases"])
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><title>Synod beside its peers</title><style>{STYLE}</style>",
             "<h1>Synod beside its peers</h1>", head(found)]
    for workload in workloads:
        cases = [case for case in found["cases"] if case["workload"] == workload]
        plain = [case for case in cases if "query" not in case["axes"]]
        parts.append(f"<h2>{workload}</h2>")
        parts.append(ratio_bars([case for case in plain if case["ratios"]]))
        parts.append(curves(plain))
        parts += query_bars(cases)
        if workload == "growth":
            parts.append(growth_plots(found["growth"]))
        parts.append(case_table(plain))
    return "\n".join(parts) + "</html>\n"


def text(value):
    return html.escape(str(value))


def head(found):
    if not found["runs"]:
        return ""
    run = found["runs"][-1]
    about = run["machine"]
    noisy = sum(not case["calm"] for case in found["cases"])
    settings = "".join(f"<p><b>{NAMES.get(name, name)}</b> {text(line['version'])}<br><code>{text(line['settings'])}</code></p>"
                       for name, line in found["settings"].items())
    wrong = "".join(f"<li class=lost>{text(what)}</li>" for what in found["wrong"])
    legend = " ".join(f"<span style='color:{COLOURS[name]}'>&#9632; {NAMES[name]}</span>" for name in COLOURS)
    return (f"<p>{text(run['at'])}, revision {text(run['revision'])}, {about['processors']} processors "
            f"({text(about['processor'])}), {about['memory_bytes'] / 2**30:.0f} GiB, Linux {text(about['kernel'])}, "
            f"load average {about['load_average']:.1f} before the run. {noisy} of {len(found['cases'])} cases had other load above "
            f"15 % in some round: they are pale, and only their processor time is to be trusted.</p>"
            f"<pre>{text(chr(10).join(one['command'] for one in found['runs']))}</pre><details><summary>Settings</summary>"
            f"{settings}</details><p>{found['checks'] - len(found['wrong'])} of {found['checks']} checks of answers held.</p>"
            f"<ul>{wrong}</ul><p>{legend}. A bar says how many times better Synod did, its whisker the least and the greatest of "
            "the rounds, the ring the same by processor time of the servers.</p>")


# ---- plots ----

class Plot:
    """An SVG that grows line by line."""

    def __init__(self, width, height):
        self.width, self.height, self.parts = width, height, []

    def line(self, x1, y1, x2, y2, colour="currentColor", width=1.0, opacity=1.0):
        self.parts.append(f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' "
                          f"stroke-width='{width}' opacity='{opacity}'/>")

    def bar(self, x, y, width, height, colour, opacity=1.0, title=""):
        self.parts.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(0.5, width):.1f}' height='{height:.1f}' fill='{colour}' "
                          f"opacity='{opacity}'><title>{text(title)}</title></rect>")

    def ring(self, x, y, colour, filled=False):
        self.parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' stroke='{colour}' stroke-width='1.5' "
                          f"fill='{colour if filled else 'none'}'/>")

    def label(self, x, y, said, anchor="start", opacity=1.0):
        self.parts.append(f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' opacity='{opacity}'>{text(said)}</text>")

    def path(self, points, colour, dashed=False):
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = " stroke-dasharray='4 3'" if dashed else ""
        self.parts.append(f"<polyline points='{drawn}' fill='none' stroke='{colour}' stroke-width='1.8'{dash}/>")

    def svg(self):
        return (f"<svg viewBox='0 0 {self.width} {self.height}' width='{self.width}' height='{self.height}' "
                f"role='img'>{''.join(self.parts)}</svg>")


class Axis:
    """A logarithmic axis from the least to the greatest of some values."""

    def __init__(self, values, low, high):
        values = [value for value in values if value > 0] or [1]
        self.least, self.greatest = math.log10(min(values)), math.log10(max(values))
        if self.greatest - self.least < 0.05:
            self.least, self.greatest = self.least - 0.1, self.greatest + 0.1
        self.low, self.high = low, high

    def at(self, value):
        part = (math.log10(max(value, 1e-12)) - self.least) / (self.greatest - self.least)
        return self.low + max(0.0, min(1.0, part)) * (self.high - self.low)

    def ticks(self):
        wide = self.greatest - self.least > 2.5
        for power in range(math.floor(self.least) - 1, math.ceil(self.greatest) + 1):
            for digit in (1,) if wide else (1, 2, 5):
                value = digit * 10.0 ** power
                if self.least - 1e-9 <= math.log10(value) <= self.greatest + 1e-9:
                    yield value


def short(value):
    for size, name in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"


def ratio_bars(cases):
    rows = [(case, peer, ratio) for case in cases for peer, ratio in case["ratios"].items() if ratio["median"]]
    if not rows:
        return ""
    left, width, step = 430, 900, 20
    plot = Plot(width, step * len(rows) + 34)
    values = [1.0, 0.8, 1.25]
    for _, _, ratio in rows:
        values += [ratio["low"], ratio["high"], ratio.get("cpu", ratio["median"])]
    axis = Axis(values, left, width - 70)
    bottom = step * len(rows) + 6
    for tick in axis.ticks():
        plot.line(axis.at(tick), 2, axis.at(tick), bottom, opacity=0.15)
        plot.label(axis.at(tick), bottom + 14, f"{tick:g}", "middle")
    plot.line(axis.at(1), 2, axis.at(1), bottom, width=1.5)
    for number, (case, peer, ratio) in enumerate(rows):
        y, pale = number * step + 5, 1.0 if case["calm"] else 0.45
        one, end = axis.at(1), axis.at(ratio["median"])
        name = case["case"] + ("" if peer == "postgresql" else f" ({NAMES.get(peer, peer)})")
        plot.label(left - 8, y + 11, name if len(name) < 76 else name[:74] + "…", "end", pale)
        colour = COLOURS["synod"] if ratio["median"] >= 1 else COLOURS.get(peer, "#888")
        plot.bar(min(one, end), y + 2, abs(end - one), 11, colour, pale, f"{ratio['median']:.2f}")
        plot.line(axis.at(ratio["low"]), y + 7.5, axis.at(ratio["high"]), y + 7.5, width=1.2, opacity=pale)
        if "cpu" in ratio:
            plot.ring(axis.at(ratio["cpu"]), y + 7.5, "currentColor")
        plot.label(width - 50, y + 11, figures.brief(ratio["median"]), opacity=pale)
    return plot.svg()


def xy_plot(title, series, x_name, y_name):
    """series: [(name, points, colour, dashed, markers only)]; both axes logarithmic."""
    plot = Plot(440, 280)
    points = [point for _, given, *_ in series for point in given if point[1] > 0]
    across, up = Axis([x for x, _ in points], 56, 420), Axis([y for _, y in points], 232, 30)
    plot.label(56, 16, title)
    for tick in sorted({x for x, _ in points}):
        plot.line(across.at(tick), 30, across.at(tick), 232, opacity=0.08)
        plot.label(across.at(tick), 247, short(tick), "middle")
    for tick in up.ticks():
        plot.line(56, up.at(tick), 420, up.at(tick), opacity=0.15)
        plot.label(50, up.at(tick) + 4, short(tick), "end")
    plot.label(420, 266, x_name, "end")
    plot.label(56, 266, y_name)
    for _, given, colour, dashed, marked in series:
        drawn = [(across.at(x), up.at(y)) for x, y in given if y > 0]
        if not marked:
            plot.path(drawn, colour, dashed)
        if not dashed:
            for x, y in drawn:
                plot.ring(x, y, colour, True)
    return plot.svg()


def curves(cases):
    """Throughput and latency over the number of clients, for each family of cases that has several numbers of them."""
    families = {}
    for case in cases:
        if "clients" in case["axes"]:
            rest = tuple(sorted((name, value) for name, value in case["axes"].items() if name != "clients"))
            families.setdefault((case["workload"], rest), []).append(case)
    plots = []
    for (_, rest), of in families.items():
        if len({case["axes"]["clients"] for case in of}) < 3:
            continue
        title = ", ".join(str(value) for name, value in rest if name in ("script", "mode", "what")) or of[0]["workload"]
        for field, said in (("value", "operations/s"), ("p50_us", "us: p50 solid, p99 dashed")):
            series = []
            for subject in dict.fromkeys(name for case in of for name in case["subjects"]):
                fields = [(field, False)] + ([("p99_us", True)] if field == "p50_us" else [])
                for one, dashed in fields:
                    points = sorted((case["axes"]["clients"], case["subjects"][subject][one]) for case in of
                                    if case["subjects"].get(subject, {}).get(one))
                    if points:
                        series.append((subject, points, COLOURS.get(subject, "#888"), dashed, False))
            if series:
                plots.append(xy_plot(title, series, "clients", said))
    return f"<div class=plots>{''.join(plots)}</div>" if plots else ""


def query_bars(cases):
    parts = []
    for scale in sorted({case["axes"]["scale"] for case in cases if "query" in case["axes"]}):
        of = [case for case in cases if "query" in case["axes"] and case["axes"]["scale"] == scale]
        names = list(dict.fromkeys(name for case in of for name in case["subjects"]))
        plot = Plot(960, 300)
        values = [subject["value"] * 1e3 for case in of for subject in case["subjects"].values()]
        axis = Axis(values + [min(value for value in values if value > 0) / 2], 255, 16)
        for tick in axis.ticks():
            plot.line(46, axis.at(tick), 955, axis.at(tick), opacity=0.15)
            plot.label(40, axis.at(tick) + 4, short(tick), "end")
        wide = 905 / len(of)
        for number, case in enumerate(of):
            plot.label(46 + wide * (number + 0.5), 272, case["axes"]["query"], "middle")
            for turn, name in enumerate(names):
                value = case["subjects"].get(name, {}).get("value", 0) * 1e3
                bar = (wide - 8) / len(names)
                top = axis.at(value) if value > 0 else 255
                plot.bar(46 + wide * number + 4 + bar * turn, top, bar - 1, 255 - top, COLOURS.get(name, "#888"),
                         title=f"{NAMES.get(name, name)} {value:.1f} ms")
        parts += [f"<h3>TPC-H, SF {scale:g}: ms by query (logarithmic)</h3>", plot.svg()]
    return parts


def growth_plots(lines):
    plots = []
    for axis, what in dict.fromkeys((line["axis"], line["what"]) for line in lines):
        series, said = [], []
        for line in (one for one in lines if (one["axis"], one["what"]) == (axis, what)):
            colour, points = COLOURS.get(line["subject"], "#888"), [tuple(point) for point in line["points"]]
            # The fit goes through the middle of the logarithms.
            middle = [figures.geometric_mean([point[i] for point in points]) for i in (0, 1)]
            fit = [(x, middle[1] * (x / middle[0]) ** line["exponent"]) for x, _ in points]
            series += [(line["subject"], points, colour, False, True), (line["subject"], fit, colour, True, False)]
            said.append(f"{NAMES.get(line['subject'], line['subject'])} {line['exponent']:.2f}" + (" !" if line["steep"] else ""))
        plots.append(xy_plot(f"{what}: exponent " + ", ".join(said), series, axis, "cost"))
    return f"<div class=plots>{''.join(plots)}</div>"


# ---- the figures themselves ----

def case_table(cases):
    rows = []
    for case in cases:
        for name, subject in case["subjects"].items():
            ratio = case["ratios"].get(name, {}).get("median")
            cells = [figures.scaled(subject["value"], case["unit"]),
                     f"{figures.brief(subject['low'])} to {figures.brief(subject['high'])}",
                     *(figures.brief(subject.get(field)) for field in ("cpu_us", "client_us", "p50_us", "p99_us")),
                     *(figures.scaled(subject[field], "B") if subject.get(field) else "-" for field in ("memory_bytes", "data_bytes")),
                     f"{subject.get('other', 0):.0%}"]
            lost = f"<span class={'lost' if ratio < 1 else 'won'}>{ratio:.2f}</span>" if ratio and name != OURS else ""
            rows.append(f"<tr class={'calm' if case['calm'] else 'noisy'}><td>{text(case['case'])}<td>{NAMES.get(name, name)}" +
                        "".join(f"<td>{text(cell)}" for cell in cells) + f"<td>{lost}")
    heads = ("case", "", "median", "least to greatest", "CPU us", "client us", "p50 us", "p99 us", "memory", "data", "other load", "ratio")
    return (f"<details><summary>figures</summary><table><tr>{''.join(f'<th>{name}' for name in heads)}{''.join(rows)}</table></details>"
            if rows else "")
