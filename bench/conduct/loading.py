"""Filling tables: COPY, INSERT of many rows, durable INSERTs one by one."""

import os
import shutil
import subprocess
import tempfile
import time

from . import client, servers
from .rounds import Case

TABLE = "drop table if exists entry; create table entry (id bigint primary key, number integer, note text)"
NOTE = "an entry of no great length, sixty letters or about as many"


def write_rows(path, rows):
    with open(path, "w", encoding="ascii") as file:
        for row in range(rows):
            file.write(f"{row}\t{row * 7919 % 1000003}\t{NOTE}\n")


def timed(server, command, rows, **how):
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=servers.environment(), **how)
    if done.returncode:
        raise RuntimeError(f"{server.name}: {done.stderr[-600:]}")
    return {"value": rows / (time.monotonic() - began), "operations": rows}


def fresh(server):
    server.sql(TABLE)


def copy(bench):
    rows = bench.options.rows
    with tempfile.TemporaryDirectory(dir=bench.options.directory) as directory, bench.servers() as started:
        path = os.path.join(directory, "rows")
        write_rows(path, rows)
        sizes = {}

        def measure(server):
            figure = timed(server, ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", server.connection(), "-c",
                                    f"\\copy entry from '{path}'"], rows)
            sizes[server.name] = server.disk_bytes()
            return figure
        bench.compare(Case("copy", f"COPY of {rows:,} rows of 80 bytes, in key order", " rows/s", axes={"rows": rows}),
                      started, measure, before=fresh)
        bench.same("COPY: sums of what was loaded", bench.each(
            started, lambda server: server.sql("select count(*), sum(id), sum(number), min(note), max(note) from entry")))
        sqlite_copy(bench, path, directory, rows)


def sqlite_copy(bench, path, directory, rows):
    """SQLite is no server: its .import in one process, synced at the end, for scale."""
    if not shutil.which("sqlite3"):
        return
    case = Case("copy", f"SQLite, .import of {rows:,} rows", " rows/s", axes={"rows": rows})
    database = os.path.join(directory, "lite")
    began = time.monotonic()
    script = (f"pragma journal_mode=wal; pragma synchronous=full;\n"
              f"create table entry (id integer primary key, number integer, note text);\n.mode tabs\n.import {path} entry\n")
    subprocess.run(["sqlite3", database], input=script, text=True, check=True, stdout=subprocess.DEVNULL)
    value = rows / (time.monotonic() - began)
    bench.one(case, "sqlite", {"value": value})
    print(f"copy: SQLite's .import of the same rows: {value:,.0f} rows/s")


def insert(bench):
    options = bench.options
    with bench.servers() as started:
        bench.each(started, fresh)
        for clients in options.clients:
            case = Case("insert", f"durable INSERT of a row, {clients} client{'s'[:clients > 1]}", "/s", axes={"clients": clients})
            bench.compare(case, started, lambda server, clients=clients: client.play(
                bench, server, "insert", clients=clients, seconds=options.seconds, seed=bench.seed))
        case = Case("insert", "INSERT of 1,000 rows in a statement, 2 clients", " statements/s")
        bench.compare(case, started, lambda server: client.play(
            bench, server, "insert", clients=2, batch=1000, seconds=options.seconds, seed=bench.seed))
        bench.each(started, lambda server: bench.expect(
            f"INSERT on {server.name}: keys without gaps", server.sql(
                "select count(*) from (select id / 1000000000, count(*), max(id) % 1000000000 as last from entry"
                " group by 1 having count(*) <> max(id) % 1000000000) as wrong") == "0"))
    sqlite_insert(bench)


def sqlite_insert(bench):
    """SQLite, one connection, each row a synced transaction."""
    import sqlite3
    with tempfile.TemporaryDirectory(dir=bench.options.directory) as directory:
        connection = sqlite3.connect(os.path.join(directory, "lite"), isolation_level=None)
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")
        connection.execute("create table entry (id integer primary key, number integer, note text)")
        done, began = 0, time.monotonic()
        while time.monotonic() - began < bench.options.seconds:
            connection.execute("insert into entry values (?, ?, ?)", (done, done * 7919 % 1000003, NOTE))
            done += 1
        value = done / (time.monotonic() - began)
        connection.close()
    bench.one(Case("insert", "SQLite, durable INSERT of a row, in process", "/s"), "sqlite", {"value": value})
    print(f"insert: SQLite in process, one connection, synced: {value:,.0f} /s")
