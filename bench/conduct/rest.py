"""The REST interface: point statements over HTTP/1.1 and HTTP/2 inside TLS, and an export as lines of JSON.

PostgreSQL has no such door. Beside it stand its own protocol with prepared statements (pgbench) and COPY TO STDOUT (psql), inside
TLS as well: what an application would use there."""

import base64
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

from . import pgbench, servers
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


def by_h2load(server, clients, seconds, directory, key):
    """The same statement with each request: h2load sends one body."""
    body = os.path.join(directory, "body.json")
    with open(body, "w", encoding="ascii") as file:
        json.dump({"sql": POINT, "params": [4711]}, file)
    said = run(["h2load", "-t", str(min(2, clients)), "-c", str(clients), "-m", "1", "-D", str(max(1, round(seconds))),
                "-d", body, "-H", "content-type: application/json", "-H", f"authorization: Bearer {key}",
                address(server) + "/v1/statements"])
    if number(r"status codes: \d+ 2xx, \d+ 3xx, (\d+) 4xx", said) or number(r"4xx, (\d+) 5xx", said):
        raise RuntimeError(f"h2load: {said[-500:]}")
    return {"value": number(r"finished in [\d.]+m?s, ([\d.]+) req/s", said), "operations": number(r"status codes: (\d+) 2xx", said)}


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
        key = None
        if synod:
            with inside.awake(synod):
                key = ask(synod, "/v1/api-keys", {"name": "bench"})["api_key"]
        points(inside, started, directory, key)
        export(inside, started, key)
    bench.noisy += inside.noisy
    bench.wrong += inside.wrong
    return None


def points(bench, started, directory, key):
    seconds, rows = bench.options.seconds, bench.options.scale * 100_000
    for program, said in (("wrk", "HTTP/1.1 by wrk"), ("h2load", "HTTP/2 by h2load")):
        if not shutil.which(program):
            continue
        for clients in (8, 32):
            def measure(server, program=program, clients=clients):
                if server.name != "synod":
                    return pgbench.play(server, "select-only", clients, "prepared", seconds)
                if program == "wrk":
                    return by_wrk(server, clients, seconds, directory, key, rows)
                return by_h2load(server, clients, seconds, directory, key)
            bench.compare(Case("rest", f"point SELECT, {said}, {clients} connections (PostgreSQL: its own protocol, TLS)", "/s",
                               axes={"script": program, "clients": clients}), started, measure)


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
