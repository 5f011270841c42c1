"""pgbench's built-in scripts, over numbers of clients, simple and prepared."""

import glob
import os
import re
import subprocess
import tempfile

from . import servers
from .rounds import Case

SECONDS_MAX = 60
SCRIPTS = {"tpcb-like": "TPC-B-like", "simple-update": "simple update", "select-only": "point SELECT"}
# What a consistent database of this schema always answers: what was added to accounts is what the history says.
SUMS = "select coalesce(sum(abalance), 0) = (select coalesce(sum(delta), 0) from pgbench_history) from pgbench_accounts"


def fill(server, scale):
    """The schema of pgbench with its rows, by COPY."""
    run(server, "-i", "-q", "-s", str(scale))


def run(server, *arguments, cwd=None):
    done = subprocess.run(["pgbench", *arguments, server.connection()], capture_output=True, text=True, check=False,
                          cwd=cwd, env=servers.environment())
    if done.returncode:
        raise RuntimeError(f"{server.name}: pgbench {' '.join(arguments)}: {done.stderr[-1000:]}")
    return done.stdout


def latencies(directory, base):
    """Latencies in us, sorted, of the transactions pgbench wrote into its logs."""
    found = []
    for path in glob.glob(os.path.join(directory, base + "*")):
        with open(path, encoding="ascii") as file:
            found += [int(line.split()[2]) for line in file if line.count(" ") >= 3]
    return sorted(found)


def play(server, script, clients, mode, seconds, threads=2):
    """One run: transactions per second, latencies. One too short for a single transaction is run again, longer."""
    with tempfile.TemporaryDirectory() as directory:
        share = 0.02 if script == "select-only" else 0.2
        said = run(server, "-n", "-T", str(max(1, round(seconds))), "-c", str(clients), "-j", str(min(threads, clients)),
                   "-M", mode, "-b", script, "-l", f"--sampling-rate={share}", "--log-prefix=log", cwd=directory)
        sample = latencies(directory, "log")
    done = int(re.search(r"actually processed: (\d+)", said)[1])
    if done == 0 and seconds < SECONDS_MAX:
        return play(server, script, clients, mode, max(2, 2 * seconds), threads)
    rate = float(re.search(r"tps = ([\d.]+)", said)[1])
    figure = {"value": rate, "operations": done}
    if sample:
        figure.update(p50_us=sample[len(sample) // 2], p99_us=sample[len(sample) * 99 // 100])
    return figure


def work(bench):
    options = bench.options
    with bench.servers() as started:
        bench.each(started, lambda server: fill(server, options.scale))
        for script in options.scripts:
            for mode in options.modes:
                for clients in options.clients:
                    case = Case("pgbench", f"{SCRIPTS[script]}, {mode}, {clients} client{'s'[:clients > 1]}", "/s",
                                axes={"script": script, "mode": mode, "clients": clients, "scale": options.scale})
                    bench.compare(case, started, lambda server, script=script, clients=clients, mode=mode:
                                  play(server, script, clients, mode, options.seconds))
        answers = bench.each(started, lambda server: server.sql(SUMS))
        bench.expect("pgbench: balances agree on all servers", set(answers.values()) == {"t"})
        bench.same("pgbench: number of accounts", bench.each(
            started, lambda server: server.sql("select count(*), min(aid), max(aid), sum(bid) from pgbench_accounts")))
