"""A PostgreSQL 3.0 client as small as can be: simple queries, texts. The tests of this folder compare two servers with it
and want nothing of a driver between them and the wire."""

import base64
import hashlib
import hmac
import os
import socket
import struct


class ServerError(Exception):
    """An ErrorResponse."""

    def __init__(self, fields):
        self.fields = fields
        self.state = fields.get("C", "")
        self.message = fields.get("M", "")
        super().__init__(f"{self.state} {self.message}")


class Gone(Exception):
    """The server closed the connection."""


class Client:
    """One connection. `address` is (host, port) or the path of a unix socket."""

    def __init__(self, address, user, password=None, database=None, timeout=120, **parameters):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.status = "I"
        self.user, self.password = user, password
        pairs = {"user": user, "database": database or user, **parameters}
        body = struct.pack("!I", 196608)
        body += b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in pairs.items()) + b"\0"
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        self.log_in()

    def close(self):
        try:
            self.socket.sendall(b"X\0\0\0\4")
        except OSError:
            pass
        self.socket.close()

    def receive(self):
        """One message: its type and body."""
        while True:
            if len(self.buffer) >= 5:
                size = struct.unpack_from("!I", self.buffer, 1)[0]
                if len(self.buffer) > size:
                    kind, body = self.buffer[:1], self.buffer[5:size + 1]
                    self.buffer = self.buffer[size + 1:]
                    return kind, body
            more = self.socket.recv(1 << 18)
            if not more:
                raise Gone()
            self.buffer += more

    def send(self, kind, body):
        self.socket.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def log_in(self):
        while True:
            kind, body = self.receive()
            if kind == b"E":
                raise ServerError(fields_of(body))
            if kind == b"R":
                self.authenticate(struct.unpack_from("!I", body)[0], body[4:])
            elif kind == b"Z":
                self.status = body.decode()
                return

    def authenticate(self, method, body):
        if method == 0:
            return
        if method == 3:
            self.send(b"p", self.password.encode() + b"\0")
        elif method == 10:
            self.nonce = base64.b64encode(os.urandom(18)).decode()
            self.first = f"n=,r={self.nonce}"
            first = ("n,," + self.first).encode()
            self.send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first)
        elif method == 11:
            self.send(b"p", self.scram_final(body.decode()))
        elif method != 12:
            raise Gone(f"authentication method {method}")

    def scram_final(self, challenge):
        parts = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        without = f"c=biws,r={parts['r']}"
        signed = f"{self.first},{challenge},{without}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        return f"{without},p={base64.b64encode(proof).decode()}".encode()

    def copy(self, data, piece):
        """Sends what a COPY FROM STDIN asks for, in messages of `piece` bytes."""
        sent = b"".join(b"d" + struct.pack("!I", len(part) + 4) + part
                        for part in (data[at:at + piece] for at in range(0, len(data), piece)))
        self.socket.sendall(sent + b"c\0\0\0\4")

    def query(self, text, data=None, piece=8192):
        """Runs a simple query; gives a list of (columns, rows, tag), raises the ServerError once all was read. COPY FROM STDIN gets
        `data`; what COPY TO STDOUT gives is in `copied`."""
        self.send(b"Q", text.encode() + b"\0")
        results, columns, rows, error = [], [], [], None
        self.copied = b""
        while True:
            kind, body = self.receive()
            if kind == b"T":
                columns, rows = columns_of(body), []
            elif kind == b"D":
                rows.append(row_of(body))
            elif kind == b"C":
                results.append((columns, rows, body[:-1].decode()))
                columns, rows = [], []
            elif kind == b"I":
                results.append(([], [], ""))
            elif kind == b"E":
                error = ServerError(fields_of(body))
            elif kind == b"G" and data is None:
                self.send(b"f", b"no copy here\0")
            elif kind == b"G":
                self.copy(data, piece)
            elif kind == b"d":
                self.copied += body
            elif kind == b"Z":
                self.status = body.decode()
                if error:
                    raise error
                return results

    def rows(self, text):
        """The rows of the last result."""
        return self.query(text)[-1][1]


def fields_of(body):
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


def columns_of(body):
    count, at, columns = struct.unpack_from("!H", body)[0], 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        name = body[at:end].decode()
        table, number, oid, size, modifier, form = struct.unpack_from("!IhIhih", body, end + 1)
        columns.append((name, oid, modifier, table, number, size, form))
        at = end + 19
    return columns


def row_of(body):
    count, at, row = struct.unpack_from("!H", body)[0], 2, []
    for _ in range(count):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        if size < 0:
            row.append(None)
        else:
            row.append(body[at:at + size].decode(errors="replace"))
            at += size
    return row
