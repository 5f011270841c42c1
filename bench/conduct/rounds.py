"""Rounds: the same work on one server after the other, again and again, and what is kept of each.

Every round becomes one line of JSON: the case (what is compared), the subject (who did it), its value, the processor time
of the server per operation, the client's apart, memory, disk, and how much of the machine anything else took. A round in
which that was more than OTHER_LOAD_MAX is repeated while repeats are left; one that stays keeps `calm: false`."""

import contextlib
import json
import os
import resource
import sys
import tempfile
import time

from . import figures, machine, servers

OTHER_LOAD_MAX = 0.15
OURS = "synod"


class Case:
    """What is compared: `name` within `workload`; `better` is "higher" or "lower"; `axes` is what plots go along."""

    def __init__(self, workload, name, unit, better="higher", axes=None, wants_cpu=True):
        self.workload, self.name, self.unit, self.better = workload, name, unit, better
        self.axes, self.wants_cpu = axes or {}, wants_cpu


def client_seconds():
    """Processor seconds of the programs we started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    def __init__(self, options, raw):
        self.options, self.raw = options, raw
        self.repeats = options.repeats
        self.noisy, self.wrong = [], []
        self.told = set()
        self.seed = 0  # of this round: the same for every server, another one each round

    # ---- servers ----

    @contextlib.contextmanager
    def servers(self, *names, processors=None):
        """Starts servers, all stopped by a signal but while they are measured; removes them in the end."""
        with tempfile.TemporaryDirectory(prefix="synod-bench-", dir=self.options.directory) as directory:
            os.chmod(directory, 0o755)
            started = []
            try:
                for name in names or self.options.servers:
                    server = servers.KINDS[name](directory, self.options, processors)
                    started.append(server)
                    self.tell_settings(server)
                    server.pause()
                yield started
            finally:
                for server in started:
                    server.remove()

    def tell_settings(self, server):
        if server.name not in self.told:
            self.told.add(server.name)
            self.write({"kind": "settings", "subject": server.name, "settings": server.settings(),
                        "version": self.version(server)})

    @staticmethod
    def version(server):
        return server.sql("select version()")

    @contextlib.contextmanager
    def awake(self, server):
        server.resume()
        try:
            yield server
        finally:
            server.pause()

    def each(self, started, deed):
        """deed(server) on each in turn, awake: preparing, loading, checking."""
        given = {}
        for server in started:
            with self.awake(server):
                given[server.name] = deed(server)
        return given

    # ---- rounds ----

    def write(self, line):
        print(json.dumps({"run": self.options.run, **line}), file=self.raw, flush=True)

    def observe(self, server, measure):
        """One round on one server. measure(server) gives {"value": ..., "operations": ..., and what else it knows}."""
        with self.awake(server):
            busy, used, own, client = machine.busy_seconds(), server.cpu_seconds(), machine.own_seconds(), client_seconds()
            began = time.monotonic()
            with machine.MemoryPeak(server) as memory:
                found = measure(server)
            took = time.monotonic() - began
            used = found.pop("server_seconds", server.cpu_seconds() - used)  # a work that restarts the server knows better
            client = client_seconds() - client
            other = machine.busy_seconds() - busy - used - client - (machine.own_seconds() - own)
            data, log = server.disk_bytes()
        operations = found.get("operations", 0)
        return {"seconds": took, "other": max(0.0, other) / (took * os.cpu_count()), "server_seconds": used,
                "client_seconds": client, "memory_bytes": memory.peak, "data_bytes": data, "log_bytes": log,
                "cpu_us": used / operations * 1e6 if operations else None,
                "client_us": client / operations * 1e6 if operations else None, **found}

    def compare(self, case, started, measure, rounds=None, before=None):
        """Rounds of one case on all servers, interleaved; prints a line for each server and the ratios; gives the values.
        before(server) makes each round's start alike and is not measured."""
        kept = {server.name: [] for server in started}
        for number in range(rounds or self.options.rounds):
            self.seed += 1
            for server in started if number % 2 == 0 else reversed(started):
                figure = self.calm_round(server, measure, before)
                figure["calm"] = figure["other"] <= OTHER_LOAD_MAX
                kept[server.name].append(figure)
                self.write_round(case, server.name, number, figure)
        self.show(case, kept)
        return kept

    def calm_round(self, server, measure, before):
        while True:
            if before:
                with self.awake(server):
                    before(server)
            figure = self.observe(server, measure)
            if figure["other"] <= OTHER_LOAD_MAX or self.repeats <= 0:
                return figure
            self.repeats -= 1

    def write_round(self, case, subject, number, figure):
        self.write({"kind": "round", "at": time.strftime("%Y-%m-%dT%H:%M:%S"), "workload": case.workload,
                    "case": case.name, "unit": case.unit, "better": case.better, "axes": case.axes,
                    "subject": subject, "round": number, **figure})

    def one(self, case, subject, figure):
        """Keeps a figure that was not taken by observe(): from a peer that is no server, for instance."""
        figure = {"other": 0.0, "calm": True, **figure}
        self.write_round(case, subject, figure.pop("round", 0), figure)
        return figure

    # ---- printing ----

    def show(self, case, kept):
        calm = all(figure["calm"] for rounds in kept.values() for figure in rounds)
        print(f"{case.workload}: {case.name}" + ("" if calm else "   (other load above 15 %: not to be judged by throughput)"))
        if not calm:
            self.noisy.append(f"{case.workload}: {case.name}")
        for subject, rounds in kept.items():
            print(f"    {subject:12}" + self.line(case, rounds))
        for peer in kept:
            if peer != OURS and OURS in kept:
                print(f"    {OURS} / {peer}: " + self.verdict(case, kept[OURS], kept[peer]))
        sys.stdout.flush()

    @staticmethod
    def line(case, rounds):
        values = [figure["value"] for figure in rounds]
        text = f"{figures.scaled(figures.median(values), case.unit):>16}  spread {figures.spread(values):4.0%}"
        for name, unit in (("cpu_us", "us CPU"), ("client_us", "us client"), ("p50_us", "us p50"), ("p99_us", "us p99")):
            given = [figure[name] for figure in rounds if figure.get(name) is not None]
            if given:
                text += f"  {figures.brief(figures.median(given)):>7} {unit}"
        memory = figures.median([figure.get("memory_bytes", 0) for figure in rounds])
        return text + (f"  {figures.scaled(memory, 'B')}" if memory else "")

    @staticmethod
    def verdict(case, ours, theirs):
        ratios = figures.ratios([figure["value"] for figure in ours], [figure["value"] for figure in theirs], case.better)
        if not ratios:
            return "no ratio"
        text = f"{figures.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})"
        cpu = [figures.median([figure["cpu_us"] for figure in rounds if figure.get("cpu_us")] or [0]) for rounds in (ours, theirs)]
        return text + (f", by processor time {cpu[1] / cpu[0]:.2f}" if case.wants_cpu and all(cpu) else "")

    @staticmethod
    def middle(rounds, field):
        return figures.median([figure[field] for figure in rounds])

    def leave_out(self, workload, why):
        """What cannot be played here, and is no failure."""
        self.write({"kind": "left out", "workload": workload, "why": why})
        print(f"    left out: {why}")

    # ---- checks ----

    def expect(self, what, holds):
        """A condition on the answers, never on speed: what does not hold makes the run fail."""
        self.write({"kind": "check", "what": what, "holds": bool(holds)})
        if not holds:
            self.wrong.append(what)
            print(f"    WRONG: {what}")
        return holds

    def same(self, what, answers):
        """Every server gave the same answer."""
        if len(set(answers.values())) > 1:
            shown = "; ".join(f"{name}: {answer[:300]}" for name, answer in answers.items())
            return self.expect(f"{what}: answers differ: {shown}", False)
        return self.expect(what, True)
