"""A service in front of PostgreSQL (fastify and pg, bench/fastify): what an application would put where Synod has its REST interface.

It is charged with what both take, the service's processes and PostgreSQL's. They talk without TLS, as on one machine."""

import http.client
import os
import secrets
import ssl
import subprocess
import time

from . import machine, node, servers


def install():
    """Whether the packages are there, or could be installed."""
    return node.install("fastify", "pg")


class Service(servers.Subject):
    name = "fastify"

    def __init__(self, directory, options, postgres):
        self.postgres, self.token = postgres, secrets.token_urlsafe(32)
        self.https_port = servers.free_port()
        key, certificate = (os.path.join(directory, name) for name in ("service.key", "service.crt"))
        subprocess.run(["openssl", "req", "-new", "-x509", "-days", "30", "-nodes", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        place = {"PGHOST": "127.0.0.1", "PGPORT": str(postgres.port), "PGUSER": "synod", "PGDATABASE": "synod",
                 "NODE_ENV": "production"}
        self.process = subprocess.Popen(
            ["node", os.path.join(node.folder("fastify"), "service.mjs"), str(self.https_port), str(options.cores), key,
             certificate, self.token], env={**servers.environment(), **place}, stdin=subprocess.DEVNULL)
        self._await_answer()

    def _await_answer(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        deadline = time.monotonic() + servers.DEADLINE_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                connection = http.client.HTTPSConnection("127.0.0.1", self.https_port, context=context, timeout=10)
                connection.request("GET", "/")
                connection.getresponse().read()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"the service did not answer ({self.process.poll()})")

    def pause(self):
        super().pause()
        self.postgres.pause()

    def resume(self):
        self.postgres.resume()
        super().resume()

    def cpu_seconds(self):
        return super().cpu_seconds() + self.postgres.cpu_seconds()

    def memory_bytes(self):
        return super().memory_bytes() + self.postgres.memory_bytes()

    def disk_bytes(self):
        return self.postgres.disk_bytes()

    def close(self):
        self.resume()
        for process in machine.tree(self.process.pid):
            os.kill(process, 15)
        self.process.wait()
