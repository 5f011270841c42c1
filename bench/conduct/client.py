"""The load client in C (bench/client), as a function."""

import json
import os
import subprocess

from . import servers


def program(options):
    return os.path.join(os.path.abspath(options.build), "bench", "client", "bench_client")


def arguments(bench, server, work, **given):
    """The command line for a work on a server."""
    command = [program(bench.options), work, "--connection", server.connection()]
    for name, value in given.items():
        command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return command


def load(bench, server, work, **given):
    """Makes and fills the tables of a work."""
    finish(subprocess.run(arguments(bench, server, work, load=True, **given), capture_output=True, text=True,
                          check=False, env=servers.environment()), server, work)


def play(bench, server, work, **given):
    """Plays a work; gives what a round wants."""
    done = subprocess.run(arguments(bench, server, work, **given), capture_output=True, text=True, check=False,
                          env=servers.environment())
    return figure_of(finish(done, server, work))


def start(bench, server, work, **given):
    """The same beside something else: gives the process, to be ended by figure_after()."""
    return subprocess.Popen(arguments(bench, server, work, **given), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.PIPE, text=True, env=servers.environment())


def figure_after(process, server, work):
    out, errors = process.communicate()
    return figure_of(finish(subprocess.CompletedProcess(process.args, process.returncode, out, errors), server, work))


def finish(done, server, work):
    if done.returncode:
        raise RuntimeError(f"{server.name}: bench_client {work}: {done.stderr[-600:]}")
    return done.stdout


def figure_of(said):
    found = json.loads(said.splitlines()[-1])
    return {"value": found["per_second"], "operations": found["done"], "p50_us": found["p50_us"],
            "p99_us": found["p99_us"], "max_us": found["max_us"], "retried": found["retried"], "kinds": found["kinds"]}


def query(bench, server, paths, seconds_max):
    """Runs files of SQL one after the other over one connection: [{"seconds", "rows" or "error"}]."""
    command = [program(bench.options), "query", "--connection", server.connection(), *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**servers.environment(), "PGOPTIONS": f"-c statement_timeout={seconds_max}s"})
    return [json.loads(line) for line in finish(done, server, "query").splitlines()]
