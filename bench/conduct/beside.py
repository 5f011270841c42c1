"""Short statements beside a stream of analytic queries: what is left of them."""

import os
import subprocess
import tempfile
import threading
import time

from . import pgbench, servers
from .rounds import Case

# Sums over all accounts, by groups of many and few rows.
STREAM = """select bid, count(*), sum(abalance), avg(abalance) from pgbench_accounts group by bid order by 3 desc limit 3;
select count(*) from (select abalance % 1000, count(*), max(aid) from pgbench_accounts group by 1) as groups;
select sum(abalance) from pgbench_accounts, pgbench_branches where pgbench_accounts.bid = pgbench_branches.bid;
"""
ANSWERED = "answered"
CIRCLES = 20_000  # more than any round has time for


class Stream:
    """One connection that asks the stream's queries in a circle while it is entered; counts those answered."""

    def __init__(self, server, directory):
        self.server, self.count, self.answered = server, 0, 0
        self.script = os.path.join(directory, "stream.sql")
        self.process = None
        self.thread = threading.Thread(target=self._ask)

    def _ask(self):
        with open(self.script, "w", encoding="ascii") as file:
            file.write(STREAM.replace(";\n", f";\n\\echo {ANSWERED}\n") * CIRCLES)
        self.process = subprocess.Popen(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.server.connection(), "-f", self.script],
                                        stdout=subprocess.PIPE, text=True, env=servers.environment())
        for line in self.process.stdout:
            self.count += line.strip() == ANSWERED

    def __enter__(self):
        self.thread.start()
        while not self.count and self.thread.is_alive():  # the round begins when the stream runs
            time.sleep(0.01)
        self.count = 0
        return self

    def __exit__(self, *_):
        self.answered = self.count
        self.process.terminate()
        self.thread.join()
        self.process.wait()


def work(bench):
    options = bench.options
    with tempfile.TemporaryDirectory(prefix="synod-beside-") as directory, bench.servers() as started:
        bench.each(started, lambda server: pgbench.fill(server, options.scale))
        alone = {}

        def quiet(server):
            return pgbench.play(server, "select-only", 8, "prepared", options.seconds)

        def both(server):
            with Stream(server, directory) as stream:
                figure = pgbench.play(server, "select-only", 8, "prepared", options.seconds)
            return {**figure, "queries_per_second": stream.answered / max(1.0, options.seconds)}
        alone = bench.compare(Case("beside", f"point SELECTs alone, 8 clients, scale {options.scale}", "/s"), started, quiet)
        mixed = bench.compare(Case("beside", "point SELECTs beside an analytic stream, 8 clients", "/s", wants_cpu=False),
                              started, both)
        for name in mixed:
            kept = bench.middle(mixed[name], "value") / bench.middle(alone[name], "value")
            slower = bench.middle(mixed[name], "p99_us") / bench.middle(alone[name], "p99_us")
            print(f"    {name:12}kept {kept:.0%} of its point SELECTs, p99 times {slower:.1f}, "
                  f"{bench.middle(mixed[name], 'queries_per_second'):.1f} analytic queries/s")
            bench.one(Case("beside", "share of point SELECTs kept beside an analytic stream", ""), name, {"value": kept})
            bench.one(Case("beside", "analytic queries of the stream", "/s"), name,
                      {"value": bench.middle(mixed[name], "queries_per_second")})
