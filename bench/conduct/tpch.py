"""TPC-H's 22 queries as a power run, beside PostgreSQL and DuckDB; answers are compared.

The text of the queries, the schema and the rows are those of bench/tpch. Two indexes beside the primary keys keep PostgreSQL
from needing minutes for Q17 and Q20; both servers get them. DuckDB needs none."""

import contextlib
import glob
import os
import subprocess
import tempfile
import time

from . import client, duckdb, figures
from .rounds import Case

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tpch")
TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
INDEXES = ("create index on lineitem (l_partkey, l_suppkey); create index on orders (o_custkey); analyze")
LARGE_ROUNDS_MAX = 2  # from scale 1 on, where a query takes long enough to be told from noise
QUERY_SECONDS_MAX = 120  # a query that takes longer is an error, not the end of the run


def generate(options, scale, directory):
    """Writes the tables; gives the bytes of each."""
    program = os.path.join(options.build, "bench", "tpch_generate")
    for table in TABLES:
        with open(os.path.join(directory, table), "wb") as file:
            subprocess.run([program, str(scale), table], stdout=file, check=True)
    return {table: os.path.getsize(os.path.join(directory, table)) for table in TABLES}


def fill(subject, directory):
    """Makes and fills the tables, and what each wants after that; gives the seconds of COPY alone."""
    with open(os.path.join(HERE, "schema.sql"), encoding="utf-8") as file:
        schema = file.read()
    if subject.name == "duckdb":
        return fill_duck(subject, schema, directory)
    subject.sql(schema)
    began = time.monotonic()
    subject.sql("\n".join(f"\\copy {table} from '{directory}/{table}' with (delimiter '|')" for table in TABLES))
    copied = time.monotonic() - began
    subject.sql(INDEXES)
    return copied


def fill_duck(duck, schema, directory):
    duck.run(schema)
    began = time.monotonic()
    for table in TABLES:
        duck.run(f"copy {table} from '{directory}/{table}' (delimiter '|', header false, quote '', escape '')")
    duck.run("checkpoint")
    return time.monotonic() - began


def queries():
    return sorted(glob.glob(os.path.join(HERE, "query", "*.sql")))


# ---- answers ----

def plain(field):
    """A field so that a numeric of one server equals that of another: 0.1 and 0.10000, char(10) and its padding."""
    if field is None:
        return ("", 0.0)
    try:
        return ("", float(field))
    except ValueError:
        return (str(field).strip(), 0.0)


def same_rows(ours, theirs):
    if len(ours) != len(theirs):
        return False
    for one, other in zip(sorted([plain(field) for field in row] for row in ours),
                          sorted([plain(field) for field in row] for row in theirs)):
        for (text, number), (other_text, other_number) in zip(one, other):
            if text != other_text or abs(number - other_number) > max(0.006, 1e-7 * abs(number)):
                return False
    return True


def compare_answers(bench, answers, label):
    names = [name for name in answers if name != "synod"]
    for number, path in enumerate(queries()):
        query = os.path.basename(path)[:2]
        ours = answers.get("synod", [{}] * 22)[number]
        if "error" in ours:
            bench.expect(f"TPC-H {label}, Q{query}: synod says {ours['error'][:200]}", False)
            continue
        for name in names:
            theirs = answers[name][number]
            if "rows" in ours and "rows" in theirs:
                bench.expect(f"TPC-H {label}, Q{query}: synod and {name} agree", same_rows(ours["rows"], theirs["rows"]))


# ---- the run ----

def ask_all(bench, subject):
    """The answers to all queries, one after the other, over one connection."""
    if subject.name != "duckdb":
        return client.query(bench, subject, queries(), QUERY_SECONDS_MAX)
    texts = []
    for path in queries():
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    return [subject.ask(text) for text in texts]


def show_queries(bench, label, scale, subjects):
    """A line for each query, and each kept as a case of its own."""
    names = list(subjects)
    print(f"    {'ms':>8}" + "".join(f"{name:>13}" for name in names) +
          "".join(f"{'synod/' + name:>18}" for name in names if name != "synod"))
    ratios = {name: [] for name in names if name != "synod"}
    for number, path in enumerate(queries()):
        query = "Q" + os.path.basename(path)[:2]
        case = Case("tpch", f"{label}, {query}", "s", "lower", {"scale": scale, "query": query})
        medians = {}
        for name in names:
            for turn, figure in enumerate(subjects[name]):
                bench.one(case, name, {"value": figure["queries"][number], "round": turn, "other": figure["other"],
                                       "calm": figure["calm"]})
            medians[name] = figures.median([figure["queries"][number] for figure in subjects[name]])
        line = f"    {query:>8}" + "".join(f"{medians[name] * 1e3:13.1f}" for name in names)
        for name in ratios:
            ratios[name].append(medians[name] / medians["synod"] if medians.get("synod") else 0)
            line += f"{ratios[name][-1]:18.2f}"
        print(line)
    for name, values in ratios.items():
        print(f"    geometric mean of the ratios to {name}: {figures.geometric_mean(values):.2f} times")


def at_scale(bench, scale):
    label = f"SF {scale:g}"
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="synod-tpch-", dir=bench.options.directory))
        os.chmod(directory, 0o755)
        text_bytes = sum(generate(bench.options, scale, directory).values())
        subjects = list(stack.enter_context(bench.servers()))
        if "duckdb" in bench.options.peers and duckdb.install():
            subjects.append(duckdb.DuckDB(directory, bench.options))
            stack.callback(subjects[-1].close)
            subjects[-1].pause()
        load = Case("tpch", f"{label}, load by COPY ({text_bytes / 1e6:,.0f} MB of text)", "s", "lower", {"scale": scale})
        bench.compare(load, subjects, lambda subject: {"value": fill(subject, directory), "operations": 1}, rounds=1)
        for table in TABLES:
            os.remove(os.path.join(directory, table))
        size = Case("tpch", f"{label}, bytes on disk", "B", "lower", {"scale": scale}, wants_cpu=False)
        bench.compare(size, subjects, lambda subject: {"value": sum(subject.disk_bytes())}, rounds=1)
        run_power(bench, label, scale, subjects)


def run_power(bench, label, scale, subjects):
    answers = {}

    def measure(subject):
        found = answers[subject.name] = ask_all(bench, subject)
        return {"value": sum(answer.get("seconds", 0) for answer in found), "operations": len(found),
                "queries": [answer.get("seconds", 0) for answer in found]}
    bench.each(subjects, lambda subject: ask_all(bench, subject))  # once, to warm up
    kept = bench.compare(Case("tpch", f"{label}, sum of 22 queries", "s", "lower", {"scale": scale}), subjects, measure,
                         rounds=bench.options.rounds if scale < 1 else min(bench.options.rounds, LARGE_ROUNDS_MAX))
    show_queries(bench, label, scale, kept)
    compare_answers(bench, answers, label)


def work(bench):
    for scale in bench.options.sf:
        at_scale(bench, scale)
