"""The table in Markdown, and what we lose in plain words."""

from . import figures, summary
from .rounds import OURS

LOST_BELOW = 0.97  # of a ratio; what lies between is alike
NAMES = {"synod": "Synod", "postgresql": "PostgreSQL", "duckdb": "DuckDB", "sqlite": "SQLite", "fastify": "fastify + pg + PostgreSQL"}


def markdown(found):
    """Everything that stands between the markers of doc/performance.md."""
    parts = [machine(found), settings(found), ratios(found), queries(found), growth(found), losses(found), checks(found)]
    return "\n\n".join(part for part in parts if part) + "\n"


def machine(found):
    if not found["runs"]:
        return ""
    run = found["runs"][-1]
    about = run["machine"]
    load = max(one["machine"]["load_average"] for one in found["runs"])
    judged = [case for case in found["cases"] if case["ratios"]]
    noisy = sum(not case["calm"] for case in judged)
    text = (f"Measured {run['at']} at revision {run['revision']} on {about['processors']} processors ({about['processor']}), "
            f"{about['memory_bytes'] / 2**30:.0f} GiB, Linux {about['kernel']}; load average before the run {load:.1f}.")
    if noisy:
        text += (f" **The machine was not calm**: in {noisy} of {len(judged)} cases (marked *) other load or a hypervisor took more "
                 "than 15 % of it in at least one round. Read their processor time; their throughput says little.")
    commands = "\n".join(f"    {command}" for command in dict.fromkeys(one["command"] for one in found["runs"]))
    seconds = sum(found["took"].values())
    return f"{text}\n\nCommands ({seconds / 60:.0f} minutes in all):\n\n{commands}"


def settings(found):
    if not found["settings"]:
        return ""
    return "Settings:\n\n" + "\n".join(f"- {NAMES.get(name, name)}: `{line['settings']}`"
                                       for name, line in found["settings"].items())


def ratios(found):
    lines = ["| work | Synod | peer | times better (least to greatest) | by CPU time | CPU per operation, ours / theirs |",
             "|---|---|---|---|---|---|"]
    for case in found["cases"]:
        if "query" in case["axes"] or not case["ratios"]:
            continue
        for peer, ratio in case["ratios"].items():
            lines.append(row(case, peer, ratio))
    return "\n".join(lines) if len(lines) > 2 else ""


def row(case, peer, ratio):
    ours, theirs = case["subjects"][OURS], case["subjects"][peer]
    times = "-"
    if ratio["median"]:
        times = f"{bold(ratio['median'])} ({figures.brief(ratio['low'])} to {figures.brief(ratio['high'])})"
    cpu = f"{figures.brief(ours['cpu_us'])} / {figures.brief(theirs['cpu_us'])} us" if "cpu" in ratio else "-"
    return (f"| {case['workload']}: {case['case']}{'' if case['calm'] else ' *'} | {figures.scaled(ours['value'], case['unit'])} | "
            f"{NAMES.get(peer, peer)} {figures.scaled(theirs['value'], case['unit'])} | {times} | "
            f"{figures.brief(ratio.get('cpu'))} | {cpu} |")


def bold(value):
    return f"**{figures.brief(value)}**" if value < 1 else figures.brief(value)


def queries(found):
    """TPC-H, a row a query, for each scale."""
    scales = sorted({case["axes"]["scale"] for case in found["cases"] if "query" in case["axes"]})
    means = summary.geometric_means(found["cases"])
    parts = []
    for scale in scales:
        cases = [case for case in found["cases"] if "query" in case["axes"] and case["axes"]["scale"] == scale]
        peers = list(dict.fromkeys(peer for case in cases for peer in case["ratios"]))
        lines = [f"TPC-H, SF {scale:g}, ms (times better):", "",
                 "| query | Synod | " + " | ".join(NAMES.get(peer, peer) for peer in peers) + " |", "|---" * (2 + len(peers)) + "|"]
        for case in cases:
            cells = [f"{figures.brief(case['subjects'][peer]['value'] * 1e3)} ({bold(case['ratios'][peer]['median'] or 0)})"
                     for peer in peers]
            lines.append(f"| {case['axes']['query']} | {figures.brief(case['subjects'][OURS]['value'] * 1e3)} | " + " | ".join(cells) + " |")
        lines.append("| geometric mean | | " + " | ".join(
            f"({bold(means.get(('tpch', scale, peer), 0))})" for peer in peers) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def growth(found):
    if not found["growth"]:
        return ""
    lines = ["Growth: the exponent b of cost = a * size^b (0 flat, 1 linear); by data: seconds of a statement, processor time of a "
             "transaction; by clients: processor time of a transaction.", "", "| what | by | " +
             " | ".join(NAMES[name] for name in ("synod", "postgresql")) + " | |", "|---|---|---|---|---|"]
    kinds = dict.fromkeys((line["axis"], line["what"]) for line in found["growth"])
    for axis, what in kinds:
        of = {line["subject"]: line for line in found["growth"] if (line["axis"], line["what"]) == (axis, what)}
        cells = [f"{of[name]['exponent']:.2f}" if name in of else "-" for name in ("synod", "postgresql")]
        steep = "**grows too fast**" if of.get(OURS, {}).get("steep") else ""
        lines.append(f"| {what} | {axis} | " + " | ".join(cells) + f" | {steep} |")
    return "\n".join(lines)


def losses(found):
    """Cases in which a peer did better, the worst first; TPC-H's queries counted only, for they have a table of their own."""
    lost, queries_lost = [], {}
    for case in found["cases"]:
        for peer, ratio in case["ratios"].items():
            if not ratio["median"] or ratio["median"] >= LOST_BELOW:
                continue
            if "query" in case["axes"]:
                queries_lost.setdefault((case["axes"]["scale"], peer), []).append(case["axes"]["query"])
            else:
                lost.append((ratio["median"], case, peer, ratio.get("cpu")))
    if not lost and not queries_lost:
        return "What we lose: nothing that was measured."
    lines = ["What we lose, the worst first:", ""]
    lines += [loss(*one) for one in sorted(lost, key=lambda one: one[0])]
    for (scale, peer), queries_of in sorted(queries_lost.items()):
        lines.append(f"- TPC-H, SF {scale:g}: {len(queries_of)} of 22 queries are slower than {NAMES.get(peer, peer)}'s: "
                     + ", ".join(queries_of))
    return "\n".join(lines)


def loss(times, case, peer, cpu):
    text = f"- {case['workload']}: {case['case']}: {1 / times:.1f} times worse than {NAMES.get(peer, peer)}"
    if cpu and cpu < 1:
        text += f" (by processor time {1 / cpu:.1f} times worse)"
    elif cpu:
        text += f" (though {cpu:.1f} times better by processor time)"
    return text + ("" if case["calm"] else " *")


def checks(found):
    text = f"Of {found['checks']} checks of answers and consistency, {found['checks'] - len(found['wrong'])} held."
    return text + "".join(f"\n- **did not hold**: {what}" for what in found["wrong"])
