#!/usr/bin/env python3
"""What pg_stat_progress_copy and pg_stat_progress_create_index say while a command is under way, and that they say nothing
afterwards: test_progress.py --program SYNODD."""

import argparse
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import servers  # noqa: E402

SETUP = """CREATE TABLE progressing (id integer PRIMARY KEY, n integer);
INSERT INTO progressing SELECT i, i FROM generate_series(1, 400) AS i;"""
# Milliseconds a row.
SLOW = "CREATE INDEX ON progressing (md5(repeat('x', 1000000 + n)))"
INDEX = "SELECT relid::regclass, command, phase, blocks_total >= blocks_done FROM pg_stat_progress_create_index"
COPY = "SELECT relid::regclass, command, type, tuples_processed FROM pg_stat_progress_copy"


def expect(name, got, wanted):
    print(f"{'ok' if got == wanted else 'WRONG'}: {name}: {got}", flush=True)
    return got != wanted


def index(client, other):
    """What is seen first of an index that is being built."""
    building = threading.Thread(target=client.query, args=(SLOW,))
    building.start()
    seen = []
    while not seen and building.is_alive():
        seen = other.rows(INDEX)
    building.join()
    return seen


def copy(client, other):
    """What is seen of a COPY whose client has sent three rows and then thinks."""
    client.send(b"Q", b"COPY progressing FROM STDIN\0")
    while client.receive()[0] != b"G":
        pass
    client.send(b"d", b"5001\t1\n5002\t2\n5003\t3\n")
    seen = []
    while seen != [["progressing", "COPY FROM", "PIPE", "3"]] and len(seen) < 2:
        seen = other.rows(COPY)
    client.send(b"c", b"")
    while client.receive()[0] != b"Z":
        pass
    return seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default=os.environ.get("SYNODD"))
    synod, wrong = servers.Synod(parser.parse_args().program), 0
    try:
        client, other = synod.client(), synod.client()
        client.query(SETUP)
        wrong += expect("an index", index(client, other),
                        [["progressing", "CREATE INDEX", "building index: scanning table", "t"]])
        wrong += expect("an index that is ready", other.rows(INDEX), [])
        wrong += expect("a copy", copy(client, other), [["progressing", "COPY FROM", "PIPE", "3"]])
        wrong += expect("a copy that is done", other.rows(COPY), [])
    finally:
        synod.stop()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
