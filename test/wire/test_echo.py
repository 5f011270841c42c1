"""What clients see of the echo, and what they can and cannot do to the server."""

import os
import random
import selectors
import signal
import socket
import ssl
import struct
import threading
import time

import synodd

LINE_BYTES_MAX = 8192  # ECHO_LINE_BYTES_MAX in node/limits.h


class Lines(synodd.WireTest):
    def test_a_line_comes_back_plain_and_in_tls(self):
        server = self.start_ready()
        for client in server.connect(), server.connect_tls():
            self.closing(client)
            for line in b"hello\n", b"\n", b"\x00\xff\r\n", b"x" * LINE_BYTES_MAX + b"\n":
                self.assertEqual(synodd.echo(client, line), line)

    def test_tls_is_1_3_and_the_certificate_is_the_one_in_the_data_directory(self):
        server = self.start_ready()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(os.path.join(self.data, "tls", "server.crt"))
        client = self.closing(server.connect_tls(context))
        self.assertEqual(client.version(), "TLSv1.3")
        self.assertEqual(synodd.echo(client, b"x\n"), b"x\n")

    def test_the_certificate_survives_a_restart(self):
        def certificate():
            server = self.start_ready()
            with server.connect_tls() as client:
                found = client.getpeercert(binary_form=True)
            self.assertEqual(server.stop(), 0)
            return found
        self.assertEqual(certificate(), certificate())

    def test_a_line_in_pieces_is_answered_when_it_is_whole(self):
        server = self.start_ready()
        for client in server.connect(), server.connect_tls():
            self.closing(client)
            for byte in b"piece by piece":
                client.sendall(bytes([byte]))
            client.sendall(b"\nnext")
            self.assertEqual(synodd.receive_exactly(client, 15), b"piece by piece\n")
            client.sendall(b"\n")
            self.assertEqual(synodd.receive_exactly(client, 5), b"next\n")

    def test_random_lines_in_random_pieces_come_back_unchanged(self):
        server = self.start_ready()
        seed = random.randrange(1 << 32)
        draw = random.Random(seed)
        with self.subTest(seed=seed):
            for connect in server.connect, server.connect_tls:
                text = b"".join(draw.randbytes(draw.choice([0, 1, 10, 100, 5000])).replace(b"\n", b" ") + b"\n"
                                for _ in range(500))
                client = self.closing(connect())
                answer = []
                # One thread only: a TLS connection of Python's takes one at a time. The text fits in what the
                # kernel buffers, or is answered while it is sent.
                at = 0
                while at < len(text):
                    size = draw.choice([1, 7, 4096, 20000])
                    client.sendall(text[at:at + size])
                    at += size
                    whole = text.rfind(b"\n", 0, min(at, len(text))) + 1
                    answer.append(synodd.receive_exactly(client, whole - sum(map(len, answer))))
                self.assertEqual(b"".join(answer), text)

    def test_a_tls_connection_is_closed_in_order(self):
        server = self.start_ready()
        client = server.connect_tls()
        synodd.echo(client, b"x\n")
        client.unwrap().close()

    def test_a_line_that_is_too_long_is_answered_with_an_error_and_closed(self):
        server = self.start_ready()
        for client in server.connect(), server.connect_tls():
            self.closing(client)
            client.sendall(b"good\n" + b"x" * (LINE_BYTES_MAX + 1) + b"\n")
            self.assertEqual(synodd.receive_all(client), b"good\nERROR 54000 line is too long\n")

    def test_an_endless_line_costs_the_server_two_pages(self):
        server = self.start_ready()
        client = self.closing(server.connect())
        try:
            for _ in range(1000):
                client.sendall(b"x" * 100000)
        except OSError:
            pass  # it is closed long before that
        else:
            self.fail("a hundred megabytes were taken")


class BadClients(synodd.WireTest):
    def assert_serves(self, server):
        for client in server.connect(), server.connect_tls():
            with client:
                self.assertEqual(synodd.echo(client, b"alive\n"), b"alive\n")

    def test_silent_clients_are_no_trouble(self):
        server = self.start_ready()
        for address in server.sql, server.https:
            for _ in range(20):
                self.closing(synodd.connect(address))
        self.assert_serves(server)
        self.assertEqual(server.stop(), 0, server.said())

    def test_clients_that_connect_and_vanish_are_no_trouble(self):
        server = self.start_ready()
        for address in server.sql, server.https:
            for i in range(100):
                client = synodd.connect(address)
                if i % 2:  # with a reset instead of a close
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if i % 3 == 0:
                    client.send(b"half a line, or a third of a handshake")
                client.close()
        self.assert_serves(server)
        self.assertEqual(server.stop(), 0, server.said())

    def test_garbage_is_refused(self):
        server = self.start_ready()
        draw = random.Random(7)
        for _ in range(50):
            garbage = draw.randbytes(2000)
            for address, most in (server.https, 100), (server.sql, 300):
                with synodd.connect(address) as client:
                    try:
                        client.sendall(garbage)
                        client.shutdown(socket.SHUT_WR)
                        self.assertLess(len(synodd.receive_all(client)), most, "an alert or an error at most")
                    except ConnectionError:
                        pass
        self.assert_serves(server)

    def test_a_tls_client_that_wants_an_old_version_is_refused(self):
        server = self.start_ready()
        # A ClientHello for TLS 1.0 and nothing else.
        body = b"\x03\x01" + bytes(32) + b"\x00" + b"\x00\x02\x00\x2f" + b"\x01\x00"
        hello = b"\x01" + len(body).to_bytes(3, "big") + body
        with synodd.connect(server.https) as client:
            client.sendall(b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello)
            answer = synodd.receive_all(client)
        self.assertEqual(answer[:1], b"\x15", "an alert")
        self.assert_serves(server)

    def test_100000_lines_come_back_whole(self):
        server = self.start_ready()
        client = self.closing(server.connect_tls())
        lines = [b"line %d\n" % i for i in range(100000)]
        for at in range(0, len(lines), 5000):
            text = b"".join(lines[at:at + 5000])
            client.sendall(text)
            self.assertEqual(synodd.receive_exactly(client, len(text)), text)

    def test_more_clients_than_allowed_are_told_so(self):
        server = self.start_ready("--connections", "10")
        clients = [self.closing(server.connect()) for _ in range(10)]
        for client in clients:
            synodd.echo(client, b"x\n")
        for connect in server.connect, server.connect_tls:
            with connect() as late:
                self.assertEqual(synodd.receive_all(late), b"ERROR 53300 sorry, too many clients already\n")
        clients[0].shutdown(socket.SHUT_WR)
        self.assertEqual(synodd.receive_all(clients[0]), b"")
        # Its place is free when the server has noted its end, very soon after the client has.
        deadline = time.monotonic() + synodd.DEADLINE
        while True:
            with server.connect() as late:
                late.sendall(b"x\n")
                if synodd.receive_exactly(late, 2) == b"x\n":
                    break
                self.assertLess(time.monotonic(), deadline)

    def assert_all_answered(self, clients):
        """Each client that asks for TLS is told yes. The clients may still be connecting."""
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client, selectors.EVENT_WRITE, struct.pack("!II", 8, 80877103))
            waiting = len(clients)
            while waiting:
                ready = selector.select(synodd.DEADLINE)
                self.assertTrue(ready, f"{waiting} clients are not answered")
                for key, events in ready:
                    if events & selectors.EVENT_WRITE:
                        self.assertEqual(key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
                        key.fileobj.send(key.data)
                        selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                    else:
                        self.assertEqual(synodd.receive_exactly(key.fileobj, 1), b"S")
                        selector.unregister(key.fileobj)
                        waiting -= 1

    def test_2000_connections_at_once(self):
        server = self.start_ready()
        self.assert_all_answered([self.closing(synodd.connect(server.sql)) for _ in range(2000)])
        self.assertEqual(server.stop(), 0, server.said())

    def test_a_burst_beyond_the_backlog_loses_nobody(self):
        """While the server is stopped the kernel holds 4,096 for it and lets the others try again and again."""
        server = self.start_ready()
        server.process.send_signal(signal.SIGSTOP)
        clients = []
        for _ in range(6000):
            client = self.closing(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.sql)
            clients.append(client)
        server.process.send_signal(signal.SIGCONT)
        self.assert_all_answered(clients)
        self.assertEqual(server.stop(), 0, server.said())


class Idle(synodd.WireTest):
    def processor_ticks(self, server):
        """User and system time of the process so far, in ticks (proc(5), fields 14 and 15)."""
        with open(f"/proc/{server.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def test_an_idle_server_sleeps(self):
        server = self.start_ready()
        for _ in range(100):
            synodd.echo(self.closing(server.connect()), b"x\n")
        synodd.echo(self.closing(server.connect_tls()), b"x\n")
        ticks_per_second = os.sysconf("SC_CLK_TCK")
        before = self.processor_ticks(server)
        time.sleep(3)  # the interval that is measured
        used = self.processor_ticks(server) - before
        # A core that polls would use three seconds. Room is left for what a sanitizer does by itself.
        self.assertLessEqual(used, 0.15 * ticks_per_second)


if __name__ == "__main__":
    synodd.main()
