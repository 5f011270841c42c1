"""The REST interface: point statements over HTTP/1.1 and HTTP/2 inside TLS, and an export as lines of JSON.

PostgreSQL has no such door. Beside it stand a service as applications write it (service.py: fastify and pg, the same requests),
PostgreSQL's own protocol with prepared statements (pgbench) and COPY TO STDOUT (psql), all inside TLS."""

import base64
import contextlib
import copy
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from . import pgbench, servers, service
from .rounds import Bench, Case

POINT = "select abalance from pgbench_accounts where aid = $1"
EXPORT = "select * from pgbench_accounts"

# For wrk: another account with each request. %d rows, a key.
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %(key)s"
request = function()
    return wrk.format(nil, nil, nil, '{"sql":"%(sql)s","params":[' .. math.random(%(rows)d) .. ']}')
end
"""


def ask(server, path, body=None, key=None):
    """One request; gives what came back as JSON."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(address(server) + path, data=json.dumps(body).encode() if body is not None else None,
                                     headers={"Content-Type": "application/json", "Authorization": authority(key)})
    with urllib.request.urlopen(request, context=context, timeout=60) as answer:
        return json.load(answer)


def address(server):
    return f"https://127.0.0.1:{server.https_port}"


def authority(key):
    if key:
        return f"Bearer {key}"
    return "Basic " + base64.b64encode(f"synod:{servers.PASSWORD}".encode()).decode()


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=servers.environment())
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout)[-500:]}")
    return done.stdout


def number(text, said):
    found = re.search(text, said)
    if not found:
        raise RuntimeError(f"no {text} in {said[-500:]}")
    return float(found[1])


def by_wrk(server, clients, seconds, directory, key, rows):
    script = os.path.join(directory, "point.lua")
    with open(script, "w", encoding="ascii") as file:
        file.write(SCRIPT % {"key": key, "sql": POINT, "rows": rows})
    said = run(["wrk", "-t", str(min(2, clients)), "-c", str(clients), "-d", f"{max(1, round(seconds))}s", "--latency", "-s", script,
                address(server) + "/v1/statements"])
    if "Non-2xx" in said:
        raise RuntimeError(f"wrk: {said[-500:]}")
    return {"value": number(r"Requests/sec: +([\d.]+)", said), "operations": number(r"(\d+) requests in", said),
            "p50_us": microseconds(said, "50%"), "p99_us": microseconds(said, "99%")}


def microseconds(said, part):
    found = re.search(rf"{part} +([\d.]+)(us|ms|s)\b", said)
    return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def by_h2load(server, clients, streams, seconds, directory, key, statement):
    """The same statement with each request: h2load sends one body. `streams` at once on each connection."""
    body, log = (os.path.join(directory, name) for name in ("body.json", "h2load.log"))
    with open(body, "w", encoding="ascii") as file:
        json.dump({**statement, "params": [4711]}, file)
    if os.path.exists(log):
        os.remove(log)
    said = run(["h2load", "-t", str(min(2, clients)), "-c", str(clients), "-m", str(streams), "-D", str(max(1, round(seconds))),
                "-d", body, "-H", "content-type: application/json", "-H", f"authorization: Bearer {key}",
                f"--log-file={log}", address(server) + "/v1/statements"])
    if number(r"status codes: \d+ 2xx, \d+ 3xx, (\d+) 4xx", said) or number(r"4xx, (\d+) 5xx", said):
        raise RuntimeError(f"h2load: {said[-500:]}")
    with open(log, encoding="ascii") as file:
        took = sorted(int(line.split()[2]) for line in file)
    return {"value": number(r"finished in [\d.]+m?s, ([\d.]+) req/s", said), "operations": number(r"status codes: (\d+) 2xx", said),
            "p50_us": took[len(took) // 2], "p99_us": took[len(took) * 99 // 100]}


def served(server):
    """Whether this build has the interface at all."""
    try:
        return "statements" in ask(server, "/v1").get("capabilities", ())
    except (OSError, ValueError, urllib.error.URLError):
        return False


def work(bench):
    # TLS for both: the other workloads' option may say otherwise.
    options = copy.copy(bench.options)
    options.sslmode = "require"
    inside = Bench(options, bench.raw)
    inside.told = bench.told
    with tempfile.TemporaryDirectory(prefix="synod-rest-") as directory, inside.servers() as started:
        synod = next((server for server in started if server.name == "synod"), None)
        if synod:
            with inside.awake(synod):
                if not served(synod):
                    return bench.leave_out("rest", "this build does not serve it")
        inside.each(started, lambda server: pgbench.fill(server, options.scale))
        keys = {}
        if synod:
            with inside.awake(synod):
                keys["synod"] = ask(synod, "/v1/api-keys", {"name": "bench"})["api_key"]
        with beside(inside, started, directory) as subjects:
            keys.update((subject.name, subject.token) for subject in subjects if subject.name == "fastify")
            points(inside, subjects, directory, keys)
        export(inside, started, keys.get("synod"))
    bench.noisy += inside.noisy
    bench.wrong += inside.wrong
    return None


@contextlib.contextmanager
def beside(bench, started, directory):
    """The servers, and the service in front of PostgreSQL where its packages can be had."""
    postgres = next((server for server in started if server.name == "postgresql"), None)
    if not postgres:
        yield started
        return
    if not service.install():
        bench.leave_out("rest", "the service in front of PostgreSQL: its npm packages are not there")
        yield started
        return
    with bench.awake(postgres):
        other = service.Service(directory, bench.options, postgres)
    other.pause()
    try:
        yield [*started, other]
    finally:
        other.close()


# Program, connections, streams of each; how the case is called.
SHAPES = [
    ("wrk", 8, 1, "HTTP/1.1 by wrk, 8 connections"),
    ("wrk", 32, 1, "HTTP/1.1 by wrk, 32 connections"),
    ("h2load", 1, 1, "HTTP/2 by h2load, 1 stream"),
    ("h2load", 32, 1, "HTTP/2 by h2load, 32 connections"),
    ("h2load", 16, 16, "HTTP/2 by h2load, 16 connections x 16 streams"),
]


def points(bench, subjects, directory, keys):
    seconds, rows = bench.options.seconds, bench.options.scale * 100_000
    statements = {subject.name: {"sql": POINT} for subject in subjects}
    answers = {}
    for subject in subjects:
        if subject.name in keys:
            with bench.awake(subject):
                if subject.name == "synod":
                    statements["synod"] = {"prepared": ask(subject, "/v1/prepared", {"sql": POINT}, keys["synod"])["prepared_id"]}
                given = ask(subject, "/v1/statements", {**statements[subject.name], "params": [4711]}, keys[subject.name])
                answers[subject.name] = str(given["rows"])
    bench.same("REST: a point SELECT", answers)
    for program, clients, streams, said in SHAPES:
        if not shutil.which(program):
            continue

        def measure(subject, program=program, clients=clients, streams=streams):
            if subject.name not in keys:
                return pgbench.play(subject, "select-only", clients * streams, "prepared", seconds)
            if program == "wrk":
                return by_wrk(subject, clients, seconds, directory, keys[subject.name], rows)
            return by_h2load(subject, clients, streams, seconds, directory, keys[subject.name], statements[subject.name])
        bench.compare(Case("rest", f"point SELECT, {said} (fastify: pg before PostgreSQL; PostgreSQL: its own protocol, TLS)", "/s",
                           axes={"script": program, "clients": clients * streams}), subjects, measure)


def export(bench, started, key):
    rows = bench.options.scale * 100_000

    def command(server):
        if server.name != "synod":
            return ["psql", "-XAtq", "-d", server.connection(), "-c", f"copy ({EXPORT}) to stdout"]
        return ["curl", "-sk", "--fail", "-H", "content-type: application/json", "-H", f"authorization: Bearer {key}", "-H",
                "accept: application/x-ndjson", "-d", json.dumps({"sql": EXPORT}), address(server) + "/v1/statements"]

    def measure(server):
        began = time.monotonic()
        done = subprocess.run(command(server), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
                              env=servers.environment())
        if done.returncode:
            raise RuntimeError(f"{server.name}: export: {done.stderr[-300:]}")
        return {"value": rows / (time.monotonic() - began), "operations": rows}

    def count(server):
        said = subprocess.run(command(server), capture_output=True, check=True, env=servers.environment()).stdout
        # Lines of rows alone: header, result and end are objects.
        return str(sum(not line.startswith(b"{") for line in said.splitlines()))
    bench.compare(Case("rest", f"export of {rows:,} rows as NDJSON (PostgreSQL: COPY to stdout, TLS)", " rows/s"), started, measure)
    bench.same("REST: rows of an export", bench.each(started, count))
