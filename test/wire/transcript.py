"""Conversations in protocol 3.0, message by message, held with a server and written down so that two servers can be compared.

A conversation is a list of strings, each what the client sends at once; then the server's messages are read until the
next ReadyForQuery (or for as many as a leading number says):

    Q select 1             simple query
    P name|text|oid,oid    Parse            B portal|statement|values|formats|results   Bind (values by comma, ~ = null)
    DS name   DP name      Describe         E portal|rows    CS name   CP name   S   H   F
    d text    c    f text  CopyData, CopyDone, CopyFail      X
several of them in one string are separated by ' ;; '."""

import struct

from client import Client, Gone, columns_of, fields_of, row_of


def text(value):
    return value.encode() + b"\0"


def frame(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


def numbers(words):
    return [int(word) for word in words.split(",") if word]


def formats(words):
    values = numbers(words)
    return struct.pack("!H", len(values)) + b"".join(struct.pack("!h", value) for value in values)


def value_bytes(value):
    if value == "~":
        return struct.pack("!i", -1)
    raw = bytes.fromhex(value[2:]) if value.startswith("0x") else value.encode()
    return struct.pack("!i", len(raw)) + raw


def message(words):
    kind, _, rest = words.partition(" ")
    if kind == "Q":
        return frame(b"Q", text(rest))
    if kind == "P":
        name, sql, types = (rest + "||").split("|")[:3]
        oids = numbers(types)
        return frame(b"P", text(name) + text(sql) + struct.pack("!H", len(oids)) +
                     b"".join(struct.pack("!I", oid) for oid in oids))
    if kind == "B":
        portal, statement, values, given, results = (rest + "||||").split("|")[:5]
        parts = values.split(",") if values else []
        return frame(b"B", text(portal) + text(statement) + formats(given) + struct.pack("!H", len(parts)) +
                     b"".join(value_bytes(part) for part in parts) + formats(results))
    if kind in ("DS", "DP", "CS", "CP"):
        return frame(kind[:1].encode(), kind[1:].encode() + text(rest))
    if kind == "E":
        portal, rows = (rest + "|0").split("|")[:2]
        return frame(b"E", text(portal) + struct.pack("!I", int(rows or 0)))
    if kind == "d":
        return frame(b"d", rest.encode().decode("unicode_escape").encode("latin1"))
    if kind == "f":
        return frame(b"f", text(rest))
    return frame(kind.encode())


def read(kind, body):
    """A message as a line, without what may differ between servers."""
    letter = kind.decode()
    if letter in "EN":
        fields = fields_of(body)
        kept = [f"{name}={fields[name]}" for name in "SCMDHPWstcdn" if name in fields]
        return f"{letter} {' | '.join(kept)}"
    if letter == "T":
        return "T " + ", ".join(f"{name}:{oid}:{size}:{modifier}:{form}"
                                for name, oid, modifier, _, _, size, form in columns_of(body))
    if letter == "D":
        return f"D {row_of(body)}"
    if letter == "t":
        count = struct.unpack_from("!H", body)[0]
        return f"t {list(struct.unpack_from(f'!{count}I', body, 2))}"
    if letter in "CSZ":
        return f"{letter} {body.rstrip(bytes(1)).replace(bytes(1), b'=').decode()}"
    return f"{letter} {body.hex()}" if body else letter


def hold(client, conversation):
    """What the server says, line by line."""
    lines = []
    for words in conversation:
        wanted = None
        if words.split(" ", 1)[0].isdigit():
            count, words = words.split(" ", 1)
            wanted = int(count)
        lines.append("> " + words)
        client.socket.sendall(b"".join(message(part.strip()) for part in words.split(" ;; ")))
        while wanted is None or wanted > 0:
            try:
                kind, body = client.receive()
            except (Gone, ConnectionError):
                return lines + ["closed"]
            # PostgreSQL evaluates what is constant before it describes the rows, others when they come to it.
            if kind == b"E" and lines[-1].startswith("T "):
                lines.pop()
            lines.append(read(kind, body))
            if wanted is not None:
                wanted -= 1
            elif kind == b"Z":
                break
            elif kind == b"G":
                break
    return lines
