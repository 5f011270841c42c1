"""From lines of JSON to what is shown: medians, ratios and what did not hold, by case."""

import json

from . import figures
from .rounds import OURS

FIELDS = ("cpu_us", "client_us", "p50_us", "p99_us", "memory_bytes", "data_bytes", "log_bytes", "other")


def read(paths):
    lines = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines += [json.loads(line) for line in file if line.strip()]
    return lines


def summarise(lines):
    """{"runs", "settings", "cases", "growth", "checks", "wrong", "took"}. A case measured in several runs is that of the last."""
    found = {"runs": [line for line in lines if line["kind"] == "run"],
             # Of several runs those of the first: later ones repeat parts.
             "settings": {line["subject"]: line for line in reversed(lines) if line["kind"] == "settings"},
             "growth": list({(line["axis"], line["what"], line["subject"]): line
                             for line in lines if line["kind"] == "growth"}.values()),
             "checks": sum(line["kind"] == "check" for line in lines),
             "wrong": [line["what"] for line in lines if line["kind"] == "check" and not line["holds"]],
             "took": {line["workload"]: line["seconds"] for line in lines if line["kind"] == "took"}}
    rounds = {}
    for line in lines:
        if line["kind"] == "round":
            rounds.setdefault((line["workload"], line["case"]), []).append(line)
    found["cases"] = [case_of([line for line in of_case if line["run"] == of_case[-1]["run"]])
                      for of_case in rounds.values()]
    return found


def case_of(rounds):
    subjects = {}
    for line in rounds:
        subjects.setdefault(line["subject"], []).append(line)
    head = rounds[0]
    case = {name: head[name] for name in ("workload", "case", "unit", "better", "axes")}
    case["rounds"] = max(len(lines) for lines in subjects.values())
    case["calm"] = all(line["calm"] for line in rounds)
    case["subjects"] = {name: subject_of(lines) for name, lines in subjects.items()}
    case["ratios"] = {name: ratio_of(case, subjects[OURS], lines)
                      for name, lines in subjects.items() if name != OURS and OURS in subjects}
    return case


def subject_of(lines):
    values = [line["value"] for line in lines]
    subject = {"value": figures.median(values), "low": min(values), "high": max(values)}
    for field in FIELDS:
        given = [line[field] for line in lines if line.get(field) is not None]
        if given:
            subject[field] = figures.median(given)
    return subject


def ratio_of(case, ours, theirs):
    ratios = figures.ratios([line["value"] for line in ours], [line["value"] for line in theirs], case["better"])
    if not ratios:
        return {"median": None}
    ratio = {"median": figures.median(ratios), "low": min(ratios), "high": max(ratios)}
    cpu = [figures.median([line["cpu_us"] for line in lines if line.get("cpu_us")] or [0]) for lines in (ours, theirs)]
    if all(cpu):
        ratio["cpu"] = cpu[1] / cpu[0]
    return ratio


def geometric_means(cases):
    """(workload, peer) -> geometric mean of the ratios of its cases, where there are several of a kind: TPC-H's queries."""
    found = {}
    for case in cases:
        if "query" in case["axes"]:
            for peer, ratio in case["ratios"].items():
                if ratio["median"]:
                    found.setdefault((case["workload"], case["axes"]["scale"], peer), []).append(ratio["median"])
    return {key: figures.geometric_mean(values) for key, values in found.items()}
