"""The description and the server, held together by somebody else's reading of OpenAPI: Prism stands between client and node, refuses
requests the description does not allow (422) and answers that differ from it (500 with its violations).

Prism comes from npm into the build directory, once; without npm, or when it cannot be reached, the test is skipped and says so."""

import os
import shutil
import socket
import subprocess
import unittest

import rest
from rest import synodd

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "restgw", "http", "openapi.yaml")
ROOM = os.path.join(os.environ.get("MESON_BUILD_ROOT", "/tmp"), "prism")


def prism_program():
    program = os.path.join(ROOM, "node_modules", "@stoplight", "prism-cli", "dist", "index.js")
    if os.path.exists(program):
        return program
    if not shutil.which("npm"):
        raise unittest.SkipTest("SKIPPED: there is no npm, so the validating proxy cannot be had")
    os.makedirs(ROOM, exist_ok=True)
    got = subprocess.run(["npm", "install", "--prefix", ROOM, "--no-audit", "--no-fund", "--loglevel=error",
                          "@stoplight/prism-cli@5"], capture_output=True, text=True, timeout=600)
    if got.returncode or not os.path.exists(program):
        raise unittest.SkipTest("SKIPPED: npm cannot be reached: " + got.stderr[-200:])
    return program


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program = prism_program()
        cls.node = rest.Node("--cores", "2")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # The node's certificate is its own.
        cls.proxy = subprocess.Popen(["node", program, "proxy", PAGE, "https://%s:%d" % cls.node.server.https, "--errors", "-p", str(port)],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                     env={**os.environ, "NODE_TLS_REJECT_UNAUTHORIZED": "0"})
        for line in cls.proxy.stdout:
            if "is listening" in line:
                break
        os.environ["REST_PROXY"] = f"127.0.0.1:{port}"
        cls.one = cls.node.client().open()

    @classmethod
    def tearDownClass(cls):
        os.environ.pop("REST_PROXY", None)
        cls.proxy.terminate()
        cls.proxy.stdout.close()
        cls.proxy.wait()
        cls.node.end()

    def ask(self, status, method, path, body=None):
        answer = self.one.ask(method, path, body)
        self.assertEqual(answer.status, status, f"{method} {path}: {answer}")
        self.assertNotIn(b"VIOLATION", answer.body)
        return answer.json if answer.body else None

    def test_everything_that_is_read(self):
        base = "/v1/databases/synod"
        self.ask(200, "POST", "/v1/statements", {"sql": "create table shown (a int primary key, b text)"})
        for path in ("/v1", "/healthz", "/readyz", "/v1/openapi.json", "/v1/sessions", "/v1/sessions/current", "/v1/activity", "/v1/locks",
                     "/v1/settings", "/v1/roles", "/v1/roles/synod", "/v1/roles/synod/members", "/v1/roles/synod/grants", "/v1/databases", base,
                     base + "/schemas", base + "/schemas/public", base + "/tables", base + "/tables/shown", base + "/tables/shown/columns",
                     base + "/tables/shown/constraints", base + "/tables/shown/indexes", base + "/tables/shown/statistics",
                     base + "/tables/shown/dependents", base + "/views", base + "/sequences", base + "/types", base + "/functions",
                     "/v1/api-keys", "/v1/audit-log", "/v1/operations", "/v1/statements", "/v1/prepared"):
            with self.subTest(path):
                self.ask(200, "GET", path)
        self.ask(404, "GET", base + "/tables/nosuch")

    def test_statements_and_transactions(self):
        self.ask(200, "POST", "/v1/statements", {"sql": "select 1, $1::text", "params": ["x"], "result": {"values": "typed"}})
        self.ask(400, "POST", "/v1/statements", {"sql": "selec"})
        page = self.ask(200, "POST", "/v1/statements", {"sql": "select generate_series(1, 5)", "result": {"max_rows": 2}})
        self.ask(200, "GET", f"/v1/statements/{page['statement_id']}/rows?cursor=1")
        self.ask(204, "POST", f"/v1/statements/{page['statement_id']}/close")
        later = self.ask(202, "POST", "/v1/statements", {"sql": "select pg_sleep(0.1)", "wait_ms": 0})
        self.ask(200, "GET", f"/v1/statements/{later['statement_id']}?wait_ms=60000")
        self.ask(200, "GET", f"/v1/operations/{later['statement_id']}")
        self.ask(202, "POST", f"/v1/statements/{later['statement_id']}/cancel")
        self.ask(200, "POST", "/v1/statements/describe", {"sql": "select $1::int"})
        self.ask(200, "POST", "/v1/statements/explain", {"sql": "select 1"})
        self.ask(200, "POST", "/v1/batches", {"steps": [{"sql": "select 1"}, {"sql": "nonsense"}, {"sql": "select 2", "if": {"ok": 1}}]})
        made = self.ask(200, "POST", "/v1/prepared", {"sql": "select 1"})
        self.ask(200, "GET", f"/v1/prepared/{made['prepared_id']}")
        self.ask(200, "POST", "/v1/statements", {"prepared": made["prepared_id"]})
        name = self.ask(201, "POST", "/v1/transactions", {"isolation": "serializable"})["transaction_id"]
        self.ask(201, "POST", f"/v1/transactions/{name}/savepoints", {"name": "a"})
        self.ask(200, "POST", "/v1/statements", {"sql": "select 1", "transaction": {"id": name, "seq": 1}})
        self.ask(200, "POST", f"/v1/transactions/{name}/commit")
        self.ask(200, "GET", f"/v1/transactions/{name}")
        self.ask(409, "POST", f"/v1/transactions/{name}/rollback")

    def test_changes(self):
        base = "/v1/databases/synod"
        self.ask(201, "POST", base + "/tables", {"name": "changed", "columns": [{"name": "a", "type": "int", "nullable": False}]})
        self.ask(200, "PATCH", base + "/tables/changed", {"comment": "x"})
        self.ask(201, "POST", base + "/tables/changed/indexes", {"columns": ["a"]})
        load = self.ask(201, "POST", "/v1/loads", {"table": "changed"})["load_id"]
        self.ask(200, "POST", f"/v1/loads/{load}/parts/1", {"rows": [[1], [2]]})
        self.ask(200, "POST", f"/v1/loads/{load}/finish")
        self.ask(200, "GET", f"/v1/loads/{load}")
        self.ask(200, "DELETE", base + "/tables/changed")
        self.ask(201, "POST", "/v1/roles", {"name": "contracted"})
        self.ask(200, "DELETE", "/v1/roles/contracted")
        key = self.ask(201, "POST", "/v1/api-keys", {"scopes": ["read"]})["key_id"]
        self.ask(200, "GET", f"/v1/api-keys/{key}")
        self.ask(204, "POST", f"/v1/api-keys/{key}/actions/delete")
        self.ask(200, "POST", "/v1/sessions/current/settings", {"timezone": "UTC"})
        self.ask(204, "POST", "/v1/sessions/current/keepalive")


if __name__ == "__main__":
    synodd.main()
