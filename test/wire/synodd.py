"""The real synodd, started and watched from outside, for the tests of this folder.

SYNODD names the program, SYNODD_IO how it talks to the kernel (uring or classic); meson sets both. Nothing here
waits by sleeping: a wait ends with the event it is for (a line, the end of a process or of a connection), and its
deadline is far beyond what a loaded machine with sanitizers needs, so that it only ends what hangs."""

import json
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tap import main  # noqa: E402,F401  every test file ends with synodd.main()

PROGRAM = os.environ["SYNODD"]
IO = os.environ["SYNODD_IO"]
DEADLINE = 60  # seconds
NOBODY = 65534
ANY_PORTS = ("--sql-listen", "127.0.0.1:0", "--https-listen", "127.0.0.1:0")


# Clients need descriptors, too: take as many as are allowed.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def address_of(text):
    """("127.0.0.1", 5432) of "127.0.0.1:5432"; brackets of an IPv6 address are taken off."""
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Server:
    """One synodd process."""

    def __init__(self, *arguments, environment=None, **how):
        self.errors = tempfile.TemporaryFile()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNOD_")}
        self.process = subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors, env={**kept, **(environment or {})}, **how)
        self.output = b""
        self.sql = self.https = None

    def said(self):
        """Everything on standard error so far."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def read_output(self, enough):
        """Reads standard output until enough(output) or its end."""
        deadline = time.monotonic() + DEADLINE
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not enough(self.output):
                if not selector.select(deadline - time.monotonic()):
                    raise TimeoutError(f"output so far: {self.output!r}; errors: {self.said()}")
                piece = os.read(self.process.stdout.fileno(), 65536)
                if not piece:
                    return
                self.output += piece

    def wait_ready(self):
        """Waits for the ready line and takes the addresses from it."""
        self.read_output(lambda output: b"\n" in output)
        match = re.fullmatch(r"ready sql=(\S+) https=(\S+)\n", self.output.decode())
        if not match:
            raise AssertionError(f"no ready line: {self.output!r}; errors: {self.said()}")
        self.sql, self.https = address_of(match[1]), address_of(match[2])
        return self

    def wait(self):
        """Waits for the end; gives the exit status (negative: the signal)."""
        status = self.process.wait(DEADLINE)
        self.read_output(lambda output: False)
        return status

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def end(self):
        """For clean-up: whatever state it is in, it is gone afterwards."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def connect(self, receive_buffer=None):
        """A connection to the HTTPS port, which sends lines back."""
        return self.connect_tls(receive_buffer=receive_buffer)

    def connect_tls(self, context=None, receive_buffer=None):
        """The same, with the client's ideas of TLS."""
        client = connect(self.https, receive_buffer)
        context = context or anyones_context()
        try:
            return context.wrap_socket(client, server_hostname="localhost")
        except BaseException:
            client.close()
            raise


def connect(address, receive_buffer=None):
    client = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    client.settimeout(DEADLINE)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        client.connect(address)
    except BaseException:
        client.close()
        raise
    return client


def anyones_context():
    """A TLS client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def receive_exactly(client, count):
    """That many bytes; fails when the server closes before."""
    parts, missing = [], count
    while missing:
        part = client.recv(min(missing, 1 << 20))
        if not part:
            raise AssertionError(f"closed with {missing} of {count} bytes missing")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def receive_all(client):
    """Everything until the server closes in order."""
    parts = []
    while part := client.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def echo(client, line):
    """Sends a line, and gives as much as was sent."""
    client.sendall(line)
    return receive_exactly(client, len(line))


class WireTest(unittest.TestCase):
    """Gives each test a directory of its own, and ends every server it started."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="synod-wire-")
        self.addCleanup(shutil.rmtree, self.root)
        self.data = os.path.join(self.root, "data")

    def run_program(self, *arguments, **how):
        """A process with exactly these arguments."""
        server = Server(*arguments, **how)
        self.addCleanup(server.end)
        return server

    def start(self, *arguments, data=None, **how):
        """A server on free ports and two cores, not yet ready."""
        chosen = ["--data", data or self.data, *ANY_PORTS, "--cores", "2", "--memory", "256MB", "--io", IO]
        given = {name for name in arguments if name.startswith("--")}
        kept = [word for name, value in zip(chosen[::2], chosen[1::2]) if name not in given
                for word in (name, value)]
        return self.run_program(*kept, *arguments, **how)

    def as_nobody(self):
        """How to start a process without privileges: who may do everything proves nothing about limits. Nobody may
        not be able to reach the program, so it is copied."""
        if os.geteuid() != 0:
            return {}
        program = os.path.join(self.root, "synodd")
        shutil.copy(PROGRAM, program)
        os.chmod(self.root, 0o755)
        return {"user": NOBODY, "group": NOBODY, "extra_groups": [], "executable": program}

    def start_ready(self, *arguments, **how):
        return self.start(*arguments, **how).wait_ready()

    def assert_refused(self, server, status, *words):
        """The process ends with the status, says each of the words, and was never ready."""
        self.assertEqual(server.wait(), status, server.said())
        for word in words:
            self.assertIn(word, server.said())
        self.assertEqual(server.output, b"")

    def endpoints(self):
        with open(os.path.join(self.data, "endpoints.json"), encoding="utf-8") as file:
            return json.load(file)

    def closing(self, client):
        """Closes the connection when the test ends."""
        self.addCleanup(client.close)
        return client
