"""How synodd ends: asked to, with lines under way, and killed at any moment."""

import os
import random
import signal
import socket

import synodd


def identity_of(data):
    with open(os.path.join(data, "identity"), "rb") as file:
        return file.read()


class CleanStop(synodd.WireTest):
    def test_sigterm_and_sigint_stop_with_status_0_and_free_the_lock(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(signal=number.name):
                server = self.start_ready()
                self.assertEqual(server.stop(number), 0, server.said())

    def test_endpoints_are_gone_afterwards(self):
        server = self.start_ready()
        self.endpoints()
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(os.path.join(self.data, "endpoints.json")))

    def test_idle_connections_are_closed(self):
        server = self.start_ready()
        clients = [self.closing(server.connect()) for _ in range(20)]
        clients += [self.closing(server.connect_tls()) for _ in range(5)]
        for client in clients:
            synodd.echo(client, b"x\n")
        self.assertEqual(server.stop(), 0, server.said())
        for client in clients:
            self.assertEqual(client.recv(1), b"")

    def test_the_port_is_free_at_once(self):
        server = self.start_ready()
        client = self.closing(server.connect())
        synodd.echo(client, b"x\n")
        address = f"127.0.0.1:{server.sql[1]}"
        self.assertEqual(server.stop(), 0)
        self.start_ready("--sql-listen", address)

    def test_a_line_under_way_is_answered(self):
        server = self.start_ready()
        client = self.closing(server.connect())
        synodd.echo(client, b"first\n")
        # Sent behind a whole line, so the half line has reached the server when the answer to that is here.
        client.sendall(b"second\nhalf")
        self.assertEqual(synodd.receive_exactly(client, 7), b"second\n")
        idle = self.closing(server.connect())
        synodd.echo(idle, b"x\n")
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(idle.recv(1), b"", "the stop has come to the connections")
        client.sendall(b" a line\n")
        self.assertEqual(synodd.receive_exactly(client, 12), b"half a line\n")
        self.assertEqual(client.recv(1), b"")
        self.assertEqual(server.wait(), 0, server.said())

    def test_a_client_that_never_ends_its_line_is_cut_off(self):
        server = self.start_ready()
        client = self.closing(server.connect())
        client.sendall(b"first\nhalf")
        self.assertEqual(synodd.receive_exactly(client, 6), b"first\n")
        self.assertEqual(server.stop(), 0, server.said())

    def test_a_stop_while_clients_come_in_crowds(self):
        server = self.start_ready()
        clients = []
        for i in range(200):
            client = self.closing(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.sql)
            clients.append(client)
            if i == 100:
                server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.said())

    def test_a_stop_before_it_is_ready(self):
        for _ in range(5):
            server = self.start()
            server.process.send_signal(signal.SIGTERM)
            status = server.wait()
            # Before the process caught the signal it ends by it; afterwards it stops cleanly.
            self.assertIn(status, (0, -signal.SIGTERM), server.said())
        self.start_ready()


class Killed(synodd.WireTest):
    def test_killed_and_started_again_it_keeps_its_identity(self):
        """On the same ports, too, although the kernel frees those of a killed process a moment late."""
        server = self.start_ready()
        ports = "--sql-listen", f"127.0.0.1:{server.sql[1]}", "--https-listen", f"127.0.0.1:{server.https[1]}"
        self.assertEqual(server.stop(), 0)
        identity = identity_of(self.data)
        for _ in range(20):
            server = self.start_ready(*ports)
            client = self.closing(server.connect())
            synodd.echo(client, b"x\n")
            self.assertEqual(server.stop(signal.SIGKILL), -signal.SIGKILL)
            self.assertEqual(identity_of(self.data), identity)
            self.assertTrue(os.path.exists(os.path.join(self.data, "endpoints.json")), "it was not a clean stop")
        self.assertEqual(self.start_ready().stop(), 0)
        self.assertEqual(identity_of(self.data), identity)

    def test_killed_during_its_first_start_it_starts_all_the_same(self):
        """The moments differ from run to run: after the n-th of the names that a start makes has appeared."""
        names = ["synod.lock", "identity", os.path.join("tls", "server.key"), os.path.join("tls", "server.crt"),
                 "endpoints.json"]
        random.shuffle(names)
        for i, name in enumerate(names * 2):
            data = f"{self.data}-{i}"
            server = self.start(data=data)
            path = os.path.join(data, name)
            while not os.path.exists(path) and server.process.poll() is None:
                pass
            server.process.kill()
            server.wait()
            again = self.start_ready(data=data)
            self.assertEqual(synodd.echo(self.closing(again.connect_tls()), b"x\n"), b"x\n")
            self.assertEqual(again.stop(), 0, again.said())

    def test_endpoints_of_a_killed_server_are_gone_before_the_next_is_ready(self):
        server = self.start_ready()
        self.assertEqual(server.stop(signal.SIGKILL), -signal.SIGKILL)
        before = self.endpoints()
        again = self.start_ready()
        self.assertEqual(synodd.address_of(self.endpoints()["sql"]), again.sql)
        self.assertEqual(self.endpoints()["node"], before["node"])


if __name__ == "__main__":
    synodd.main()
