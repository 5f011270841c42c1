"""What a client of PostgreSQL's protocol can rely on, and what one that misbehaves cannot do."""

import os
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sql"))
import synodd  # noqa: E402
import transcript  # noqa: E402
from client import Client, Gone, ServerError, fields_of  # noqa: E402

PASSWORD = {"SYNOD_PASSWORD": "secret"}
IDLE_BYTES_MAX = 40 * 1024  # of memory an idle session may take
START_SECONDS_GOAL = 0.2


class PgwireTest(synodd.WireTest):
    def serve(self, *arguments):
        return self.start_ready(*arguments, environment=PASSWORD)

    def client(self, server, **how):
        how = {"user": "synod", "password": "secret", "database": "synod", **how}
        client = Client(server.sql, **how)
        self.addCleanup(client.close)
        return client

    def assert_refused_login(self, server, state, words, **how):
        with self.assertRaises(ServerError) as caught:
            self.client(server, **how)
        self.assertEqual(caught.exception.state, state)
        self.assertIn(words, caught.exception.message)
        self.assertEqual(caught.exception.fields["S"], "FATAL")


class Login(PgwireTest):
    def test_the_first_password_is_the_one_given_and_no_other(self):
        server = self.serve()
        self.assertEqual(self.client(server).rows("select current_user"), [["synod"]])
        self.assert_refused_login(server, "28P01", 'password authentication failed for user "synod"', password="wrong")
        self.assert_refused_login(server, "28P01", 'password authentication failed for user "nobody"', user="nobody")
        self.assert_refused_login(server, "3D000", 'database "nowhere" does not exist', database="nowhere")
        self.assert_refused_login(server, "42704", 'unrecognized configuration parameter "colour"', colour="red")

    def test_a_password_is_made_and_kept_in_a_file_when_none_is_given(self):
        server = self.start_ready()
        path = os.path.join(self.data, "initial-password")
        with open(path, encoding="utf-8") as file:
            password = file.read().strip()
        self.assertGreaterEqual(len(password), 20)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertIn(password, server.said())
        self.assertEqual(self.client(server, password=password).rows("select 1"), [["1"]])
        self.assertEqual(server.stop(), 0, server.said())
        again = self.start_ready()
        self.assertNotIn(password, again.said(), "it is told once")
        self.assertEqual(self.client(again, password=password).rows("select 1"), [["1"]])

    def test_an_unknown_role_is_asked_the_same_questions_every_time(self):
        server = self.serve()

        def challenge(role):
            with socket.create_connection(server.sql) as plain:
                body = struct.pack("!I", 196608) + b"user\0" + role + b"\0\0"
                plain.sendall(struct.pack("!I", len(body) + 4) + body)
                plain.recv(1000)
                first = b"n,,n=,r=abcdefghijklmnop"
                plain.sendall(transcript.frame(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first))
                answer = plain.recv(1000)[9:].decode()
                return dict(part.split("=", 1) for part in answer.split(","))
        first, again, other = challenge(b"ghost"), challenge(b"ghost"), challenge(b"spook")
        self.assertEqual(first["s"], again["s"])
        self.assertNotEqual(first["s"], other["s"])
        self.assertNotEqual(first["r"], again["r"])

    def test_options_of_the_startup_packet_are_settings(self):
        client = self.client(self.serve(), options="-c work_mem=3MB --statement-timeout=5000 -c search_path=a\\ b")
        self.assertEqual(client.rows("show work_mem"), [["3MB"]])
        self.assertEqual(client.rows("show statement_timeout"), [["5s"]])

    def test_newer_protocols_are_negotiated_down(self):
        server = self.serve()
        with socket.create_connection(server.sql) as plain:
            body = struct.pack("!I", 196610) + b"user\0synod\0_pq_.wish\0x\0\0"
            plain.sendall(struct.pack("!I", len(body) + 4) + body)
            answer = synodd.receive_exactly(plain, 5 + 8 + 10)
        self.assertEqual(answer[:1], b"v")
        self.assertEqual(answer[5:], struct.pack("!II", 196608, 1) + b"_pq_.wish\0")

    def test_tls_is_offered_and_nothing_sent_before_it_counts(self):
        server = self.serve()
        request = struct.pack("!II", 8, 80877103)
        with socket.create_connection(server.sql) as plain:
            plain.sendall(request)
            self.assertEqual(plain.recv(1), b"S")
            with synodd.anyones_context().wrap_socket(plain, server_hostname="localhost") as inside:
                self.assertIn(inside.version(), ("TLSv1.2", "TLSv1.3"))
                body = struct.pack("!I", 196608) + b"user\0synod\0\0"
                inside.sendall(struct.pack("!I", len(body) + 4) + body)
                answer = inside.recv(1000)
                self.assertEqual(answer[:1], b"R")
                self.assertIn(b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0", answer)
        with socket.create_connection(server.sql) as plain:
            plain.sendall(request + b"something behind it")
            self.assertIn(b"received unencrypted data after SSL request", synodd.receive_all(plain))
        with socket.create_connection(server.sql) as plain:
            plain.sendall(struct.pack("!II", 8, 80877104))
            self.assertEqual(plain.recv(1), b"N")

    def test_more_clients_than_allowed_are_told_so(self):
        server = self.serve("--connections", "2")
        kept = [self.client(server) for _ in range(2)]
        self.assert_refused_login(server, "53300", "sorry, too many clients already")
        self.assertEqual(kept[0].rows("select 1"), [["1"]])


class Misuse(PgwireTest):
    def fatal(self, server, data):
        """What is said to who sends that instead of a startup packet."""
        with socket.create_connection(server.sql, synodd.DEADLINE) as plain:
            plain.sendall(data)
            answer = synodd.receive_all(plain)
        return fields_of(answer[5:])

    def test_malformed_startup_packets_are_refused(self):
        server = self.serve()
        self.assertEqual(self.fatal(server, struct.pack("!I", 3))["C"], "08P01")
        self.assertEqual(self.fatal(server, struct.pack("!I", 1 << 30))["C"], "08P01")
        self.assertEqual(self.fatal(server, struct.pack("!II", 9, 196608) + b"x")["C"], "08P01")
        self.assertEqual(self.fatal(server, struct.pack("!II", 8, 131072))["C"], "0A000")
        self.assertEqual(self.fatal(server, struct.pack("!II", 9, 196608) + b"\0")["C"], "28000")

    def test_malformed_messages_end_the_connection_or_the_statement(self):
        server = self.serve()
        for data in b"y\0\0\0\4", b"Q\0\0\0\3", b"D\x7f\xff\xff\xff":
            client = self.client(server)
            client.socket.sendall(data)
            kind, body = client.receive()
            self.assertEqual((kind, fields_of(body)["S"], fields_of(body)["C"]), (b"E", "FATAL", "08P01"))
            with self.assertRaises((Gone, ConnectionError)):
                client.receive()
        client = self.client(server)
        for words in transcript.frame(b"P", b"no zero"), transcript.frame(b"B", b"a\0b\0\0\1"), \
                transcript.frame(b"D", b"Qname\0"), transcript.frame(b"E", b"p\0\0"):
            client.socket.sendall(words + transcript.frame(b"S"))
            self.assertEqual(fields_of(client.receive()[1])["C"], "08P01")
            self.assertEqual(client.receive(), (b"Z", b"I"))
        self.assertEqual(client.rows("select 1"), [["1"]])

    def test_who_only_announces_a_large_message_takes_no_memory(self):
        server = self.serve("--memory", "256MB")
        clients = [self.client(server) for _ in range(50)]
        for client in clients:
            client.socket.sendall(b"B" + struct.pack("!I", (1 << 30) - 1) + b"a little")
        self.assertEqual(self.client(server).rows("select 1"), [["1"]])

    def test_a_statement_longer_than_64_mb_is_refused_and_the_session_lives(self):
        client = self.client(self.serve())
        text = b"select '" + b"x" * (65 << 20) + b"'\0"
        client.query("begin")
        client.send(b"Q", text)
        kind, body = client.receive()
        self.assertEqual((kind, fields_of(body)["S"], fields_of(body)["C"]), (b"E", "ERROR", "54000"))
        self.assertEqual(client.receive(), (b"Z", b"E"))
        client.query("rollback")
        client.send(b"P", b"\0" + text + b"\0\0")
        client.socket.sendall(transcript.frame(b"S"))
        self.assertEqual(fields_of(client.receive()[1])["C"], "54000")
        self.assertEqual(client.receive(), (b"Z", b"I"))
        self.assertEqual(client.rows("select 1"), [["1"]])

    def test_a_parameter_that_memory_does_not_hold_is_refused_and_the_session_lives(self):
        client = self.client(self.serve("--memory", "128MB"))
        client.send(b"P", b"\0select length($1::text)\0\0\0")
        value = b"x" * (300 << 20)
        client.send(b"B", b"\0\0\0\0\0\1" + struct.pack("!I", len(value)) + value + b"\0\0")
        client.socket.sendall(transcript.frame(b"S"))
        self.assertEqual(client.receive()[0], b"1")
        self.assertEqual(fields_of(client.receive()[1])["C"], "53200")
        self.assertEqual(client.receive(), (b"Z", b"I"))
        self.assertEqual(client.rows("select 1"), [["1"]])

    def test_clients_that_vanish_leave_nothing_behind(self):
        server = self.serve()
        watcher = self.client(server)
        for i in range(60):
            client = self.client(server)
            client.query("begin")
            if i % 3 == 0:
                client.socket.sendall(transcript.frame(b"Q", b"select * from generate_series(1, 100000)\0"))
            if i % 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()
        deadline = time.monotonic() + synodd.DEADLINE
        while watcher.rows("select count(*) from pg_stat_get_activity(null)") != [["1"]]:
            self.assertLess(time.monotonic(), deadline)


class Statements(PgwireTest):
    def test_a_statement_is_cancelled_by_its_key_and_the_session_lives(self):
        server = self.serve()
        client = self.client(server)
        process = int(client.rows("select pg_backend_pid()")[0][0])
        other = self.client(server)
        client.send(b"Q", b"select pg_sleep(100)\0")
        while other.rows(f"select state from pg_stat_get_activity({process})") != [["active"]]:
            pass
        self.assertEqual(other.rows(f"select pg_cancel_backend({process})"), [["t"]])
        with self.assertRaises(ServerError) as caught:
            client.query("select 1")  # the answers to the first come first
        self.assertEqual(caught.exception.state, "57014")
        self.assertEqual(caught.exception.message, "canceling statement due to user request")
        while client.receive()[0] != b"Z":
            pass
        self.assertEqual(client.rows("select 2"), [["2"]])

    def test_a_bind_may_have_any_number_of_values_and_formats(self):
        client = self.client(self.serve())
        for count in 1, 8, 9, 40:
            numbers = list(range(count))
            sql = "select " + ", ".join(f"${i + 1}::int4" for i in numbers)
            given = f"B |s|{','.join(map(str, numbers))}|{','.join('0' for _ in numbers)}|{','.join('1' for _ in numbers)}"
            for words in f"P s|{sql}|", given, "E |0", "CS s", "S":
                client.socket.sendall(transcript.message(words))
            answers = {}
            while (kind := client.receive())[0] != b"Z":
                answers[kind[0]] = kind[1]
            values = b"".join(struct.pack("!ii", 4, number) for number in numbers)
            self.assertEqual(answers[b"D"], struct.pack("!H", count) + values)
            cut = transcript.message(given)[5:-1]
            client.socket.sendall(transcript.frame(b"B", cut) + transcript.frame(b"S"))
            self.assertEqual(fields_of(client.receive()[1])["C"], "08P01")
            self.assertEqual(client.receive(), (b"Z", b"I"))

    def test_cancel_requests_with_a_wrong_key_do_nothing(self):
        server = self.serve()
        client = self.client(server)
        process = int(client.rows("select pg_backend_pid()")[0][0])
        sleeper = threading.Thread(target=client.query, args=("select pg_sleep(0.5)",))
        sleeper.start()
        for number in process, 0, 0xffffffff:
            with socket.create_connection(server.sql) as plain:
                plain.sendall(struct.pack("!IIII", 16, 80877102, number, 12345))
                self.assertEqual(plain.recv(1), b"")
        sleeper.join()
        self.assertEqual(client.rows("select 1"), [["1"]])

    def test_statement_timeout_and_idle_timeouts(self):
        server = self.serve()
        client = self.client(server)
        client.query("set statement_timeout = 100")
        with self.assertRaises(ServerError) as caught:
            client.query("select pg_sleep(100)")
        self.assertEqual(caught.exception.state, "57014")
        self.assertEqual(caught.exception.message, "canceling statement due to statement timeout")
        client.query("set idle_in_transaction_session_timeout = 100; begin")
        kind, body = client.receive()
        self.assertEqual((kind, fields_of(body)["C"], fields_of(body)["S"]), (b"E", "25P03", "FATAL"))
        other = self.client(server)
        other.query("set idle_session_timeout = 100")
        self.assertEqual(fields_of(other.receive()[1])["C"], "57P05")

    def test_a_terminated_session_is_told_and_gone(self):
        server = self.serve()
        victim, other = self.client(server), self.client(server)
        process = victim.rows("select pg_backend_pid()")[0][0]
        self.assertEqual(other.rows(f"select pg_terminate_backend({process})"), [["t"]])
        self.assertEqual(fields_of(victim.receive()[1])["C"], "57P01")
        with self.assertRaises((Gone, ConnectionError)):
            victim.receive()

    def test_a_large_value_goes_there_and_back(self):
        client = self.client(self.serve())
        text = "x" * 5_000_000
        [[answer]] = client.rows(f"select '{text}' || 'y'")
        self.assertEqual(answer, text + "y")

    def test_a_slow_reader_holds_only_itself_up(self):
        server = self.serve()
        slow, other = self.client(server), self.client(server)
        slow.send(b"Q", b"select repeat('x', 1000) from generate_series(1, 20000)\0")
        self.assertEqual(other.rows("select 1"), [["1"]])
        rows = 0
        while True:
            kind, _ = slow.receive()
            rows += kind == b"D"
            if kind == b"Z":
                break
        self.assertEqual(rows, 20000)

    def test_a_reader_that_never_reads_is_cut_off_at_the_stop(self):
        server = self.serve()
        slow = self.client(server)
        slow.send(b"Q", b"select repeat('x', 1000) from generate_series(1, 200000)\0")
        slow.receive()
        self.assertEqual(server.stop(), 0, server.said())

    def test_idle_sessions_are_told_of_a_stop(self):
        server = self.serve()
        clients = [self.client(server) for _ in range(5)]
        self.assertEqual(server.stop(), 0, server.said())
        for client in clients:
            self.assertEqual(fields_of(client.receive()[1])["C"], "57P01")

    def test_what_was_committed_is_there_after_a_kill(self):
        server = self.serve()
        client = self.client(server)
        client.query("create table kept (a int primary key); insert into kept values (1), (2)")
        client.query("begin; insert into kept values (3)")
        server.stop(synodd.signal.SIGKILL)
        again = self.serve()
        self.assertEqual(self.client(again).rows("select a from kept order by a"), [["1"], ["2"]])


class Cost(PgwireTest):
    def resident(self, server):
        with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))

    def test_an_idle_session_is_cheap(self):
        server = self.serve("--memory", "1GB")
        warm = [self.client(server) for _ in range(100)]
        before = self.resident(server)
        clients = [self.client(server) for _ in range(500)]
        for client in clients:
            self.assertEqual(client.rows("select 1"), [["1"]])
        each = (self.resident(server) - before) / len(clients)
        print(f"# an idle session takes {each / 1024:.1f} KiB")
        with open(synodd.PROGRAM, "rb") as file:
            shadowed = b"__tsan_init" in file.read()
        if shadowed:
            self.skipTest("the thread sanitizer's shadow of a stack is large")
        self.assertLess(each, 4 * IDLE_BYTES_MAX)
        del warm

    def test_an_empty_directory_is_served_soon(self):
        times = []
        for i in range(3):
            began = time.monotonic()
            server = self.start(data=f"{self.data}-{i}", environment=PASSWORD).wait_ready()
            times.append(time.monotonic() - began)
            self.assertEqual(server.stop(), 0, server.said())
        print(f"# first start took {min(times) * 1000:.0f} ms (goal {START_SECONDS_GOAL * 1000:.0f} ms)")
        self.assertLess(min(times), 30 * START_SECONDS_GOAL)


if __name__ == "__main__":
    synodd.main()
