"""DuckDB by its Node package, installed into bench/duckdb/node_modules (git ignores it) on first use."""

import json
import os
import subprocess

from . import node
from .servers import Subject


def install():
    """Whether DuckDB is there, or could be installed."""
    return node.install("duckdb", "@duckdb/node-api")


class DuckDB(Subject):
    """A process that answers statements."""

    name = "duckdb"

    def __init__(self, directory, options):
        self.database = os.path.join(directory, "duck.db")
        self.process = subprocess.Popen(
            ["node", os.path.join(node.folder("duckdb"), "duck.mjs"), self.database, str(options.cores), f"{options.memory}MB"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, statement):
        """{"seconds", "rows"} or {"error"}."""
        self.process.stdin.write(json.dumps(statement) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("DuckDB ended")
        return json.loads(line)

    def run(self, statement):
        answer = self.ask(statement)
        if "error" in answer:
            raise RuntimeError(f"DuckDB: {answer['error'][:500]}")
        return answer

    def disk_bytes(self):
        sizes = [os.path.getsize(path) if os.path.exists(path) else 0 for path in (self.database, self.database + ".wal")]
        return tuple(sizes)

    def close(self):
        self.resume()
        self.process.stdin.close()
        self.process.wait()
