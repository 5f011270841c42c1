"""The door alone (door.c), started and watched; clients of HTTP/1.1 and of HTTP/2 frame by frame. DOOR names the program."""

import http.client
import json
import os
import selectors
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import hpack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tap import main  # noqa: E402,F401

PROGRAM = os.environ.get("DOOR")
DEADLINE = 60
# Sanitizers make everything slower and larger; then the tests look at what is done and not at how fast.
SANITIZED = bool(os.environ.get("SANITIZE"))
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def make_certificate(folder, name="localhost"):
    """(certificate, key) as paths."""
    paths = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    return paths


def anyones_context(*protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


class Process:
    """The program under test, until it is stopped."""

    def __init__(self, command):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors)
        self.output = b""

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def read_line(self):
        """The next line of standard output."""
        deadline = time.monotonic() + DEADLINE
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.output:
                if not selector.select(deadline - time.monotonic()):
                    raise TimeoutError(self.said())
                piece = os.read(self.process.stdout.fileno(), 65536)
                if not piece:
                    raise AssertionError(f"it ended: {self.said()}")
                self.output += piece
        line, self.output = self.output.split(b"\n", 1)
        return line.decode()

    def memory(self):
        """Bytes of memory it has in use."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """Asks it to end; gives the exit status."""
        self.signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Http1:
    """A client of HTTP/1.1 on one connection."""

    def __init__(self, address, context=None):
        self.socket = (context or anyones_context("http/1.1")).wrap_socket(connect(address), server_hostname="localhost")

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            headers["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode() + (body or b""))
        return self.read(method)

    def read(self, method="GET"):
        answer = http.client.HTTPResponse(self.socket, method=method)
        answer.begin()
        body = answer.read()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def close(self):
        self.socket.close()


class Http2:
    """A client of HTTP/2 that says exactly what it is told to."""

    def __init__(self, address, window=1 << 30):
        self.socket = anyones_context("h2").wrap_socket(connect(address), server_hostname="localhost")
        self.decoder, self.encoder, self.stream = hpack.Decoder(), hpack.Encoder(), -1
        self.buffer = b""
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, min(window, (1 << 31) - 1))) +
                            frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", window)))

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def block(self, method, path, more=()):
        """A header block that changes no table, so that it can be sent again and again."""
        text = b"\x82" if method == "GET" else b"\x83" if method == "POST" else literal(b":method", method.encode())
        text += b"\x87" + b"\x04" + string(path.encode()) + b"\x01" + string(b"localhost")
        for name, value in more:
            text += literal(name.encode(), value.encode())
        return text

    def begin(self, method, path, body=None, more=()):
        """Sends a request; gives its stream."""
        self.stream += 2
        if body is not None and not any(name == "content-type" for name, _ in more):
            more = [*more, ("content-type", "application/json")]
        flags = END_HEADERS | (END_STREAM if body is None else 0)
        self.send(frame(HEADERS, flags, self.stream, self.block(method, path, more)))
        if body is not None:
            pieces = [body[at:at + 16384] for at in range(0, len(body), 16384)] or [b""]
            self.send(*[frame(DATA, END_STREAM if at == len(pieces) - 1 else 0, self.stream, piece)
                        for at, piece in enumerate(pieces)])
        return self.stream

    def read_frame(self):
        """(type, flags, stream, payload), or None at the end."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                piece = self.socket.recv(1 << 18)
            except ConnectionError:
                return None
            if not piece:
                return None
            self.buffer += piece
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
        payload, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
        return kind, flags, stream, payload

    def read(self, stream):
        """The answer on that stream; the frames of others are passed over. A reset gives its error code as status, negative."""
        status, headers, body = None, {}, []
        while found := self.read_frame():
            kind, flags, of, payload = found
            if kind == HEADERS:
                fields = {name: value for name, value in self.decoder.decode(payload)}
                if of == stream:
                    status, headers = int(fields.pop(":status")), fields
            elif of != stream:
                continue
            elif kind == DATA:
                body.append(payload)
            elif kind == RST_STREAM:
                return Answer(-int.from_bytes(payload, "big"), headers, b"".join(body))
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                return Answer(status, headers, b"".join(body))
        raise ConnectionError("closed before the answer's end")

    def ask(self, method, path, body=None, more=()):
        return self.read(self.begin(method, path, body, more))

    def wait_end(self):
        """Reads until the server closes."""
        while self.read_frame():
            pass

    def close(self):
        self.socket.close()


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def string(text):
    """A string of a header block, not compressed."""
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, size = len(text) - 127, b"\x7f"
    while rest >= 128:
        size += bytes([rest % 128 + 128])
        rest //= 128
    return size + bytes([rest]) + text


def literal(name, value):
    return b"\x00" + string(name) + string(value)


def connect(address):
    client = socket.create_connection(address, DEADLINE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


class DoorTest(unittest.TestCase):
    options = ()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="synod-http-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.certificate = make_certificate(self.folder)
        self.door = None

    def start(self, *options, cores=2, loops=2):
        self.door = Process([PROGRAM, "0", str(cores), str(loops), *self.certificate, *options])
        self.addCleanup(self.door.end)
        line = self.door.read_line()
        self.assertTrue(line.startswith("ready "), line)
        host, port = line.removeprefix("ready ").rsplit(":", 1)
        self.address = host, int(port)
        return self.address

    def http1(self, *arguments):
        client = Http1(self.address, *arguments)
        self.addCleanup(client.close)
        return client

    def http2(self, *arguments):
        client = Http2(self.address, *arguments)
        self.addCleanup(client.close)
        return client

    def counts(self):
        client = Http1(self.address)
        try:
            return client.ask("GET", "/v1/counts").json()
        finally:
            client.close()

    def wait_for(self, what, enough):
        """Asks for the figure until it is enough; the deadline only ends what hangs."""
        deadline = time.monotonic() + DEADLINE
        while not enough(found := self.counts()[what]):
            self.assertLess(time.monotonic(), deadline, f"{what} is {found}; {self.door.said()}")
            time.sleep(0.02)
        return found

    def assert_alive(self):
        self.assertEqual(self.http1().ask("GET", "/v1/hello").json(), {"hello": "world"})

    def assert_stops(self):
        self.assertEqual(self.door.stop(), 0, self.door.said())
