"""What a server costs before it does any work: connections, start, recovery, idling."""

import time

from . import client, machine, pgbench
from .rounds import Case

IDLE_CONNECTIONS = 500


def connections(bench):
    """Memory of idle connections; connections made, asked one thing and closed."""
    def held(server):
        before = server.memory_bytes()
        process = client.start(bench, server, "hold", clients=IDLE_CONNECTIONS)
        try:
            if not process.stdout.readline():
                raise RuntimeError(f"{server.name}: {process.stderr.read()[-600:]}")
            return {"value": max(1, server.memory_bytes() - before) / IDLE_CONNECTIONS}
        finally:
            process.stdin.close()
            process.wait()

    with bench.servers() as started:
        case = Case("connections", f"memory of an idle connection ({IDLE_CONNECTIONS} held, each has asked one thing)", "B",
                    "lower", wants_cpu=False)
        bench.compare(case, started, held)
        for clients in (1, 8):
            case = Case("connections", f"connect (SCRAM), select 1, close; {clients} at a time", "/s", axes={"clients": clients})
            bench.compare(case, started, lambda server, clients=clients: client.play(
                bench, server, "connect", clients=clients, seconds=bench.options.seconds))


def restarted(server, after):
    """Seconds from the start of the process to the first answer, and the processor time till then."""
    after(server)
    seconds = server.launch()
    return {"value": seconds, "operations": 1, "server_seconds": server.cpu_seconds()}


def start(bench):
    """Start after a clean stop, and after SIGKILL amidst updates: until the first statement is answered."""
    scale = bench.options.scale

    def strike(server):
        pgbench.play(server, "tpcb-like", 8, "prepared", bench.options.seconds)
        server.kill()

    with bench.servers() as started:
        bench.compare(Case("start", "start, hardly any data", "s", "lower"), started,
                      lambda server: restarted(server, lambda server: server.stop()))
        bench.each(started, lambda server: pgbench.fill(server, scale))
        bench.compare(Case("start", f"start, scale {scale}", "s", "lower"), started,
                      lambda server: restarted(server, lambda server: server.stop()))
        bench.compare(Case("start", f"recovery after SIGKILL amidst {bench.options.seconds:g} s of TPC-B-like, scale {scale}",
                           "s", "lower"), started, lambda server: restarted(server, lambda server: None), before=strike)
        answers = bench.each(started, lambda server: server.sql(pgbench.SUMS))
        bench.expect("recovery: balances agree on all servers after SIGKILL", set(answers.values()) == {"t"})


def idle(bench):
    """Processor time and memory of a server that has data and nothing to do."""
    seconds = max(2.0, 2 * bench.options.seconds)

    def measure(server):
        used = machine.running_seconds(server.process.pid)
        time.sleep(seconds)
        return {"value": max(1e-6, machine.running_seconds(server.process.pid) - used) / seconds * 1e3}

    with bench.servers() as started:
        bench.each(started, lambda server: pgbench.fill(server, bench.options.scale))
        bench.each(started, lambda server: server.sql("checkpoint", may_fail=True))
        with bench.awake(started[0]), bench.awake(started[-1]):
            time.sleep(2)  # what a load leaves behind is done
        bench.compare(Case("idle", "processor time while idle", "ms/s", "lower", wants_cpu=False), started, measure)
        bench.compare(Case("idle", f"memory while idle, scale {bench.options.scale}", "B", "lower", wants_cpu=False), started,
                      lambda server: {"value": server.memory_bytes()})
        bench.compare(Case("idle", f"bytes on disk, scale {bench.options.scale}", "B", "lower", wants_cpu=False), started,
                      lambda server: {"value": sum(server.disk_bytes())}, rounds=1)
