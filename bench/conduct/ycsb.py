"""YCSB's core workloads A to F."""

from . import client
from .rounds import Case

MIXES = {"A": "50 % read, 50 % update", "B": "95 % read, 5 % update", "C": "read only", "D": "read latest, 5 % insert",
         "E": "short scans, 5 % insert", "F": "read-modify-write"}


def work(bench):
    options = bench.options
    with bench.servers() as started:
        bench.each(started, lambda server: client.load(bench, server, "ycsb", scale=options.rows))
        for mix in options.mixes:
            case = Case("ycsb", f"{mix}: {MIXES[mix]}, {options.workers} clients", "/s", axes={"mix": mix, "rows": options.rows})
            bench.compare(case, started, lambda server, mix=mix: client.play(
                bench, server, "ycsb", clients=options.workers, seconds=options.seconds, scale=options.rows, mix=mix,
                seed=bench.seed))
        bench.same("YCSB: the rows that were loaded are there, with all their fields", bench.each(
            started, lambda server: server.sql("select count(*) >= " + str(options.rows) + ", count(*) = count(distinct"
                                               " ycsb_key), min(length(field0)), max(length(field9)) from usertable")))
