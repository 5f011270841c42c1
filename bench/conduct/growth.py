"""Cost as work grows: data 1, 4, 16 times; clients from 1 to 512; one core and two. The exponent of cost = a * size^b is fitted:
0 is flat, 1 linear; what grows faster than linearly is named."""

import os
import tempfile
import time

from . import client, figures, pgbench
from .rounds import Case

LINEAR_MAX = 1.15    # of the exponent by data; noise of short rounds
STATEMENT_SECONDS_MAX = 300
FLAT_MAX = 0.25      # of processor time per operation by data or clients

# Name, statement, exponent expected, on a table of pgbench_accounts' rows.
STATEMENTS = (
    ("scan", "select sum(abalance), count(*) from pgbench_accounts", 1),
    ("group", "select aid % 100, count(*), sum(abalance) from pgbench_accounts group by 1 order by 1", 1),
    ("join", "select count(*), sum(a.abalance) from pgbench_accounts a, pgbench_accounts b where a.aid = b.aid and b.bid > 0", 1),
    ("sort", "select aid from pgbench_accounts order by abalance, filler, aid desc offset 10 limit 1", 1),
    ("update", "update pgbench_accounts set abalance = abalance + 1 where aid % 10 = 3", 1),
    ("index", "create index on pgbench_accounts (bid, abalance)", 1),
)


def work(bench):
    by_data(bench)
    by_clients(bench)
    by_cores(bench)


# ---- data ----

def by_data(bench):
    base = max(1, bench.options.scale // 10)
    costs = {}  # (what, server) -> [(size, cost)]
    for factor in bench.options.factors:
        scale = base * factor
        with bench.servers() as started:
            case = Case("growth", f"load, {scale * 100_000:,} rows", "s", "lower", {"what": "load", "data": scale})
            keep(costs, "load", scale, bench.compare(case, started, lambda server, scale=scale: timed_fill(server, scale),
                                                     rounds=1), "value")
            for what, statement, _ in STATEMENTS:
                case = Case("growth", f"{what}, {scale * 100_000:,} rows", "s", "lower", {"what": what, "data": scale})
                kept = bench.compare(case, started, lambda server, statement=statement: timed(bench, server, statement))
                keep(costs, what, scale, kept, "value")
            for script in ("select-only", "tpcb-like"):
                case = Case("growth", f"{script}, 8 clients, {scale * 100_000:,} rows", "/s",
                            axes={"what": script, "data": scale})
                kept = bench.compare(case, started, lambda server, script=script: pgbench.play(
                    server, script, 8, "prepared", bench.options.seconds))
                keep(costs, script, scale, kept, "cpu_us")
    wanted = {"load": 1, "select-only": 0, "tpcb-like": 0, **{what: exponent for what, _, exponent in STATEMENTS}}
    fit(bench, "data", costs, wanted)


def timed_fill(server, scale):
    began = time.monotonic()
    pgbench.fill(server, scale)
    return {"value": time.monotonic() - began, "operations": 1}


def timed(bench, server, statement):
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="ascii") as file:
        file.write(statement)
        file.flush()
        answer = client.query(bench, server, [file.name], STATEMENT_SECONDS_MAX)[0]
    if "error" in answer:
        raise RuntimeError(f"{server.name}: {statement}: {answer['error']}")
    return {"value": answer["seconds"], "operations": 1}


def keep(costs, what, size, kept, field):
    for name, rounds in kept.items():
        given = [figure[field] for figure in rounds if figure.get(field)]
        if given:
            costs.setdefault((what, name), []).append((size, figures.median(given)))


def fit(bench, axis, costs, wanted):
    """Exponents, kept and printed; those beyond what is wanted are named."""
    print(f"growth by {axis}: exponent b of cost = a * {axis}^b (0 flat, 1 linear)")
    for (what, name), points in costs.items():
        exponent = figures.exponent(*zip(*points))
        if exponent is None:
            continue
        limit = LINEAR_MAX if wanted[what] else FLAT_MAX
        steep = exponent > limit
        bench.write({"kind": "growth", "axis": axis, "what": what, "subject": name, "points": points, "exponent": exponent,
                     "steep": steep})
        said = ("super-linear" if wanted[what] else "not flat") if steep else ""
        print(f"    {what:14}{name:12}{exponent:6.2f}  " + "  ".join(f"{size}: {cost:.4g}" for size, cost in points) + f"  {said}")


# ---- clients ----

def by_clients(bench):
    costs = {}
    with bench.servers() as started:
        bench.each(started, lambda server: pgbench.fill(server, bench.options.scale))
        for script in ("select-only", "tpcb-like"):
            for clients in bench.options.crowd:
                case = Case("growth", f"{script}, {clients} clients", "/s", axes={"what": script, "clients": clients})
                kept = bench.compare(case, started, lambda server, script=script, clients=clients: pgbench.play(
                    server, script, clients, "prepared", bench.options.seconds))
                keep(costs, script, clients, kept, "cpu_us")
    fit(bench, "clients", costs, {"select-only": 0, "tpcb-like": 0})


# ---- cores ----

def by_cores(bench):
    """The servers on one processor and on two (taskset), the clients wherever there is room."""
    processors = sorted(os.sched_getaffinity(0))
    rates = {}
    for count in (1, 2):
        if count > len(processors):
            break
        with bench.servers(processors=processors[:count]) as started:
            bench.each(started, lambda server: pgbench.fill(server, bench.options.scale))
            for script in ("select-only", "tpcb-like"):
                case = Case("growth", f"{script}, 32 clients, servers on {count} core{'s'[:count > 1]}", "/s",
                            axes={"what": script, "cores": count})
                rates[script, count] = bench.compare(case, started, lambda server, script=script: pgbench.play(
                    server, script, 32, "prepared", bench.options.seconds))
            case = Case("growth", f"group by, servers on {count} core{'s'[:count > 1]}", "s", "lower",
                        axes={"what": "group", "cores": count})
            bench.compare(case, started, lambda server: timed(bench, server, STATEMENTS[1][1]))
    for script in ("select-only", "tpcb-like"):
        if (script, 2) in rates:
            for name in rates[script, 2]:
                gain = bench.middle(rates[script, 2][name], "value") / bench.middle(rates[script, 1][name], "value")
                print(f"    {name:12}{script}: {gain:.2f} times faster on two cores than on one (the client needs some of them)")
