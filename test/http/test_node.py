"""synodd's HTTPS port as a whole: the console's files, the description, the certificate taken again, clients that go, the stop."""

import base64
import gzip
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import unittest

import door
import rest

DIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "restgw", "console", "dist")


class NodeTest(unittest.TestCase):
    def start(self, *arguments):
        self.node = rest.Node("--cores", "2", *arguments)
        self.addCleanup(self.node.end)
        self.address = self.node.server.https

    def client(self, kind=door.Http1):
        client = kind(self.address)
        self.addCleanup(client.close)
        return client

    def assert_stops(self):
        self.assertEqual(self.node.server.stop(), 0, self.node.server.said())


class Files(NodeTest):
    def test_the_console_is_served_as_it_was_built(self):
        self.start()
        client = self.client()
        seen = 0
        for folder, _, names in os.walk(DIST):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    content = file.read()
                served = "/console/" + os.path.relpath(path, DIST)
                answer = client.ask("GET", served)
                self.assertEqual((answer.status, answer.body), (200, content), served)
                self.assertEqual("immutable" in answer.headers["cache-control"], served != "/console/index.html", served)
                known = client.ask("GET", served, None, {"If-None-Match": answer.headers["etag"]})
                self.assertEqual((known.status, known.body), (304, b""))
                zipped = client.ask("GET", served, None, {"Accept-Encoding": "gzip, br"})
                if "content-encoding" in zipped.headers:
                    self.assertLess(len(zipped.body), len(content))
                    self.assertEqual(gzip.decompress(zipped.body), content)
                seen += 1
        self.assertGreater(seen, 3)
        page = client.ask("GET", "/console/")
        self.assertIn(b"<title>Synod</title>", page.body)
        for word in "default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'":
            self.assertIn(word, page.headers["content-security-policy"])
        self.assertEqual(page.headers["x-content-type-options"], "nosniff")
        self.assertIn("max-age", page.headers["strict-transport-security"])

    def test_nothing_beside_the_console_is_served(self):
        self.start()
        client = self.client()
        for path in ("/console/assets/", "/console/../node/main.c", "/console/%2e%2e/%2e%2e/etc/passwd", "/console/assets/../index.html",
                     "/console/package.json", "/console//index.html", "/console/index.html%00", "/console/.", "/console/assets"):
            self.assertEqual(client.ask("GET", path).status, 404, path)
        self.assertEqual(client.ask("PUT", "/console/index.html", b"{}").status, 405)

    def test_the_description_lists_what_is_served(self):
        self.start()
        client = self.client(door.Http2)
        answer = client.ask("GET", "/v1/openapi.json")
        self.assertEqual(answer.headers["content-type"], "application/json")
        description = json.loads(answer.body)
        self.assertEqual(description["openapi"][:3], "3.1")
        for path, item in description["paths"].items():
            if "{" in path:
                continue
            answer = client.ask("PROPFIND", path)
            self.assertEqual(answer.status, 405, path)
            methods = {method.upper() for method in item if method in ("get", "post", "put", "patch", "delete")}
            self.assertLessEqual(methods, set(answer.headers["allow"].split(", ")), path)
        self.assertEqual(client.ask("GET", "/healthz").status, 200)


class Certificates(NodeTest):
    def test_sighup_takes_the_certificate_anew(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        certificate, key = door.make_certificate(folder)
        self.start("--tls-cert", certificate, "--tls-key", key)

        def shown():
            return self.client().socket.getpeercert(binary_form=True)

        def shown_by_postgres():
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with socket.create_connection(self.node.server.sql, timeout=door.DEADLINE) as plain:
                plain.sendall(struct.pack("!ii", 8, 80877103))
                self.assertEqual(plain.recv(1), b"S")
                with context.wrap_socket(plain) as inside:
                    return inside.getpeercert(binary_form=True)

        before, kept = shown(), self.client()
        self.assertEqual(shown_by_postgres(), before)
        door.make_certificate(folder, "another")
        self.node.server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + door.DEADLINE
        while shown() == before:
            self.assertLess(time.monotonic(), deadline, self.node.server.said())
        # The cores take it one after the other; connections go to each of them.
        while any(shown_by_postgres() == before for _ in range(8)):
            self.assertLess(time.monotonic(), deadline, self.node.server.said())
        self.assertEqual(shown_by_postgres(), shown())
        host, port = self.node.server.sql
        said = subprocess.run(["psql", "-XAtc", "select 1", f"host={host} port={port} user=synod dbname=synod channel_binding=require"],
                              env={**os.environ, "PGPASSWORD": rest.PASSWORD}, capture_output=True, text=True, check=False)
        self.assertEqual(said.stdout, "1\n", said.stderr)  # bound to the new one
        self.assertEqual(kept.ask("GET", "/healthz").status, 200)
        with open(key, "w", encoding="utf-8") as file:
            file.write("no key")
        self.node.server.process.send_signal(signal.SIGHUP)
        while "certificate_kept" not in self.node.server.said():
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.client().ask("GET", "/healthz").status, 200)
        self.assert_stops()


class Clients(NodeTest):
    def running(self, watcher):
        return int(watcher.rows("select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep(%'")[0][0])

    def test_a_client_that_goes_stops_its_statement(self):
        self.start()
        watcher = self.node.client().open()
        body = b'{"sql":"select pg_sleep(600)"}'
        head = "authorization", "Basic " + base64.b64encode(b"synod:" + rest.PASSWORD.encode()).decode()
        for kind in door.Http1, door.Http2:
            took = []
            for _ in range(3):
                client = kind(self.address)
                if kind is door.Http1:
                    client.send((f"POST /v1/statements HTTP/1.1\r\nHost: x\r\n{head[0]}: {head[1]}\r\nContent-Type: application/json\r\n"
                                 f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
                else:
                    client.begin("POST", "/v1/statements", body, [head])
                deadline = time.monotonic() + door.DEADLINE
                while not self.running(watcher):
                    self.assertLess(time.monotonic(), deadline)
                left = time.monotonic()
                client.close()
                while self.running(watcher):
                    self.assertLess(time.monotonic(), deadline)
                took.append(time.monotonic() - left)
            # The fastest of three, so that it is the door's time and not the machine's.
            self.assertLess(min(took), 5 if door.SANITIZED else 0.3, kind)
        self.assert_stops()

    def test_a_node_with_idle_and_busy_clients_stops(self):
        self.start()
        idle = [self.client(), self.client(door.Http2)]
        for client in idle:
            self.assertEqual(client.ask("GET", "/healthz").status, 200)
        busy = self.node.client().open()
        busy.send("POST", "/v1/statements", {"sql": "select pg_sleep(600)"})
        self.assert_stops()


if __name__ == "__main__":
    door.main()
