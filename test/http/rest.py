"""A client of the REST interface, for its tests: one connection, JSON in and out."""

import base64
import http.client
import json
import os
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "wire"))
import synodd  # noqa: E402

PASSWORD = "the first password"


class Node:
    """A synodd with a data directory of its own."""

    def __init__(self, *arguments):
        self.directory = tempfile.TemporaryDirectory()
        self.arguments = arguments
        self.start()

    def start(self):
        data = os.path.join(self.directory.name, "data")
        self.server = synodd.Server("--data", data, *synodd.ANY_PORTS, "--memory", "1GB", "--io", synodd.IO,
                                    *self.arguments, environment={"SYNOD_PASSWORD": PASSWORD}).wait_ready()

    def restart(self):
        self.server.stop()
        self.server.end()
        self.start()

    def client(self, **how):
        return Client(self.server.https, **how)

    def end(self):
        """A node that ended by itself has said why."""
        if self.server.process.poll() is not None:
            print(self.server.said(), file=sys.stderr)
        self.server.end()
        self.directory.cleanup()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        return [json.loads(line) for line in self.body.decode().splitlines()]

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


class Client:
    def __init__(self, address, role="synod", password=PASSWORD, key=None, timeout=60):
        # The proxy of the contract test speaks plain HTTP.
        proxy = os.environ.get("REST_PROXY")
        if proxy:
            host, port = proxy.rsplit(":", 1)
            self.connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
        else:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.connection = http.client.HTTPSConnection(*address, context=context, timeout=timeout)
        self.basic = "Basic " + base64.b64encode(f"{role}:{password}".encode()).decode() if role else None
        self.key = key
        self.transaction = None

    def send(self, method, path, body=None, headers=None):
        given = dict(headers or {})
        if self.key:
            given.setdefault("Authorization", "Bearer " + self.key)
        elif self.basic:
            given.setdefault("Authorization", self.basic)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            given.setdefault("Content-Type", "application/json")
        self.connection.request(method, path, body, given)

    def ask(self, method, path, body=None, headers=None):
        self.send(method, path, body, {name: value for name, value in (headers or {}).items() if value is not None})
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def get(self, path, **headers):
        return self.ask("GET", path, None, headers)

    def post(self, path, body=None, headers=None):
        return self.ask("POST", path, body, headers)

    def open(self, **options):
        """Signs in; from now on the session's key is shown."""
        answer = self.post("/v1/sessions", options)
        assert answer.status == 201, answer
        self.session = answer.json
        self.key = self.session["session_key"]
        return self

    def sql(self, text, *params, **more):
        body = {"sql": text, **more}
        if params:
            body["params"] = list(params)
        return self.post("/v1/statements", body)

    def rows(self, text, *params, **more):
        answer = self.sql(text, *params, **more)
        assert answer.status == 200, answer
        return answer.json["rows"]

    def close(self):
        self.connection.close()
