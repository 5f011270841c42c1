"""Requests and answers at the door: routes, checks, files, streams, the certificate, the stop."""

import http.client
import json
import os
import signal
import ssl
import time
import uuid

import door


class Requests(door.DoorTest):
    def setUp(self):
        super().setUp()
        self.start()

    def both(self):
        """A client of each version."""
        return self.http1(), self.http2()

    def refused(self, status, slug, method, path, body=None):
        for client in self.both():
            answer = client.ask(method, path, body)
            self.assertEqual(answer.status, status, answer.body)
            self.assertEqual(answer.headers["content-type"], "application/problem+json")
            problem = answer.json()
            self.assertEqual(problem["type"], "urn:synod:problem:" + slug, problem)
            self.assertEqual(problem["status"], status)
            self.assertIn("retry", problem)
        return answer

    def test_an_answer_bears_what_every_answer_must(self):
        for client in self.both():
            for _ in range(3):
                answer = client.ask("GET", "/v1/hello")
                self.assertEqual((answer.status, answer.json()), (200, {"hello": "world"}))
                self.assertEqual(answer.headers["cache-control"], "no-store")
                self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
                self.assertEqual(answer.headers["content-length"], "17")
                self.assertIn("max-age", answer.headers["strict-transport-security"])
                self.assertEqual(uuid.UUID(answer.headers["synod-request-id"]).version, 7)

    def test_a_client_may_name_its_request_by_a_uuid_and_by_nothing_else(self):
        mine = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
        for client, many in zip(self.both(), (dict, list)):
            answer = client.ask("GET", "/v1/hello", None, many([("synod-request-id", mine)]))
            self.assertEqual(answer.headers["synod-request-id"], mine)
            answer = client.ask("GET", "/v1/hello", None, many([("synod-request-id", "x" * 36)]))
            self.assertNotIn("x", answer.headers["synod-request-id"])

    def test_numbers_and_texts_arrive_as_they_were_sent(self):
        for number in "12345678901234567890123456789.000000000000000000001", "-0.0e-5", "9223372036854775807", "1E400":
            body = b'{"text":"\\u00e4\\ud83d\\ude00\\n\\"\xc3\xa9", "number": ' + number.encode() + b"}"
            for client in self.both():
                answer = client.ask("POST", "/v1/echo", body)
                self.assertEqual(answer.status, 200, answer.body)
                self.assertIn(b'"number":' + number.encode() + b",", answer.body)
                self.assertEqual(json.loads(answer.body)["text"], 'ä\U0001f600\n"é')

    def test_bodies_that_are_no_json_are_refused(self):
        for body in (b"{", b"[]]", b'{"text":"x"} x', b'{"text":"x",}', b"{'text':'x'}", b'{"text":NaN}', b'{"text":01}',
                     b'{"text":"\x01"}', b'{"text":"\xff"}', b'{"text":"\\ud800"}', b'{"text":"\\u0000"}', b'{"text":"\\x"}',
                     b'{"text":"x","text":"y"}', b'{"text":"x"', b'\xef\xbb\xbf{"text":"x"}', b"nul", b'{"a":1 "b":2}', b"\x00", b'"',
                     b'{"text":tru}', b"[1,]", b"-", b"1.", b'{"text":"\xed\xa0\x80"}'):
            with self.subTest(body=body):
                self.refused(400, "malformed-json", "POST", "/v1/echo", body)

    def test_bodies_that_are_too_deep_are_refused(self):
        self.refused(400, "too-deep", "POST", "/v1/echo", b"[" * 100000)
        self.refused(400, "too-deep", "POST", "/v1/echo", b'{"a":' * 65 + b"1" + b"}" * 65)

    def test_bodies_that_do_not_fit_the_table_are_refused_by_name(self):
        for slug, body, place in (
                ("unknown-member", {"text": "x", "texd": 1}, '"texd"'),
                ("unknown-member", {"text": "x", "params": [{"type": "int4", "valeu": 1}]}, '"params[0].valeu"'),
                ("missing-member", {}, '"text"'),
                ("missing-member", {"text": "x", "params": [{"value": {"any": ["thing"]}}]}, '"params[0].type"'),
                ("invalid-value", {"text": 1}, '"text"'),
                ("invalid-value", {"text": "x", "number": "1"}, '"number"'),
                ("invalid-value", {"text": "x", "color": "blue"}, '"color"'),
                ("invalid-value", {"text": "x", "params": [{"type": "x"}] * 11}, '"params"'),
                ("invalid-value", {"text": "x", "params": [{"type": "x" * 101}]}, '"params[0].type"'),
                ("invalid-value", [], "body")):
            with self.subTest(body=body):
                answer = self.refused(400, slug, "POST", "/v1/echo", json.dumps(body).encode())
                self.assertIn(place, answer.json()["detail"])

    def test_a_body_of_another_type_or_where_none_is_wanted_is_refused(self):
        client = self.http1()
        for kind in "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "":
            answer = client.ask("POST", "/v1/echo", b"{}", {"Content-Type": kind})
            self.assertEqual((answer.status, answer.json()["type"]), (415, "urn:synod:problem:unsupported-media-type"))
        answer = client.ask("POST", "/v1/echo", b'{"text":"x"}', {"Content-Type": "application/json; charset=utf-8"})
        self.assertEqual(answer.status, 200)
        self.refused(400, "unexpected-body", "GET", "/v1/hello", b"{}")
        self.refused(400, "missing-body", "POST", "/v1/echo", b"")

    def test_a_body_that_is_too_large_is_answered_and_not_asked_for_again(self):
        body = b'{"text":"' + b"x" * (17 << 20) + b'"}'
        self.refused(413, "too-large", "POST", "/v1/echo", body)
        self.assert_alive()

    def test_paths_that_are_not_there(self):
        for path in ("/v1", "/v1/", "/v1/hellos", "/v1/hello/", "//v1/hello", "/v1/items", "/v1/items/", "/v1/items/a/b", "/V1/hello",
                     "/v1/./hello", "/v1/x/../hello", "/%76%31/hello", "/v1/hello%00", "/console/..", "/console/../v1/hello",
                     "/console/%2e%2e/%2e%2e/etc/passwd", "/console/..%2f..%2fetc/passwd", "/console/app-1a2b.js/", "/../../etc/passwd",
                     "/console//app-1a2b.js", "/console/app-1a2b.js%00.html", "/etc/passwd", "/."):
            with self.subTest(path=path):
                self.refused(404, "not-found", "GET", path)

    def test_methods_that_are_not_there(self):
        for method in "PUT", "PATCH", "POST", "OPTIONS", "TRACE", "FOO":
            answer = self.refused(405, "method-not-allowed", method, "/v1/items/x")
            self.assertEqual(answer.headers["allow"], "GET, HEAD, DELETE")
        self.refused(405, "method-not-allowed", "POST", "/console/")

    def test_parameters_of_the_path_are_decoded_segment_by_segment(self):
        for path, name in (("a%20b", "a b"), ("a%2Fb", "a/b"), ("%c3%a9", "é"), ("%25", "%"), ("..", ".."), ("a+b", "a+b"),
                           ("'%20or%201=1--", "' or 1=1--")):
            for client in self.both():
                answer = client.ask("GET", "/v1/items/" + path)
                self.assertEqual((answer.status, answer.json()["name"]), (200, name))
        for path in "a%", "a%2", "a%zz", "%00", "%0d%0aset-cookie:x", "%ff", "%1b", "x" * 101:
            self.refused(400, "invalid-parameter", "GET", "/v1/items/" + path)
        self.assertEqual(self.http1().ask("GET", "/v1/items/special").json(), {"hello": "world"})

    def test_parameters_of_the_query_are_checked(self):
        for query in "limit=0", "limit=1001", "limit=", "limit=1x", "limit=1&limit=2", "limit=99999999999999999999", "color=blue", "limit=%zz":
            self.refused(400, "invalid-parameter", "GET", "/v1/items/x?" + query)
        for query in "limits=1", "x", "=1", "%6cimits=1":
            self.refused(400, "unknown-parameter", "GET", "/v1/items/x?" + query)
        self.refused(400, "missing-parameter", "GET", "/v1/sleep")
        for query, limit in (("limit=7&color=red", 7), ("%6Cimit=1000", 1000), ("&&limit=1&", 1), ("", None)):
            self.assertEqual(self.http1().ask("GET", "/v1/items/x?" + query).json()["limit"], limit)

    def test_head_is_get_without_its_body(self):
        for client in self.both():
            answer = client.ask("HEAD", "/v1/hello")
            self.assertEqual((answer.status, answer.body, answer.headers["content-length"]), (200, b"", "17"))
            answer = client.ask("HEAD", "/console/")
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertEqual(client.ask("GET", "/v1/hello").status, 200)

    def test_answers_without_a_body_keep_the_connection(self):
        for client in self.both():
            for _ in range(3):
                answer = client.ask("DELETE", "/v1/items/x")
                self.assertEqual((answer.status, answer.body), (204, b""))

    def test_errors_of_sql_are_problem_documents(self):
        answer = self.http2().ask("GET", "/v1/fail")
        self.assertEqual(answer.status, 409)
        problem = answer.json()
        self.assertEqual(problem["sqlstate"], "40P01")
        self.assertEqual((problem["retry"], problem["transaction_state"]), ("transaction", "rolled_back"))
        self.assertEqual(problem["request_id"], answer.headers["synod-request-id"])

    def test_a_request_that_is_left_without_an_answer_gets_one(self):
        self.refused(500, "internal", "GET", "/v1/forget")

    def test_a_request_can_be_passed_on_to_another_core(self):
        for client in self.both():
            for core in 0, 1, 0, 1, 1:
                self.assertEqual(client.ask("GET", f"/v1/core?core={core}").json(), core)

    def test_streams_come_whole(self):
        for client in self.both():
            for size in 0, 1, 100, 4096, 4097, 70000, 20_000_000:
                answer = client.ask("GET", f"/v1/stream?bytes={size}")
                self.assertEqual((answer.status, len(answer.body)), (200, size))
                self.assertEqual(answer.body[:14], b'["0123456789",'[:size])

    def test_a_stream_flows_without_pauses(self):
        # A loop that slept between pieces although it had something to do took a tenth of a second for each of 64 KiB.
        for client in self.both():
            began = time.monotonic()
            self.assertEqual(len(client.ask("GET", "/v1/stream?bytes=100000000").body), 100_000_000)
            self.assertLess(time.monotonic() - began, 30)

    def test_a_stream_that_fails_is_seen_to_be_cut(self):
        answer = self.http2().ask("GET", "/v1/stream?bytes=700013")
        self.assertLess(answer.status, 0)
        with self.assertRaises((http.client.IncompleteRead, ConnectionError, ssl.SSLError, ValueError)):
            self.http1().ask("GET", "/v1/stream?bytes=700013")
        self.wait_for("requests_open", lambda open: open == 1)

    def test_large_answers_come_whole(self):
        for client in self.both():
            self.assertEqual(client.ask("GET", "/v1/large").body, b"x" * (8 << 20))

    def test_many_requests_on_one_connection_are_all_answered(self):
        client = self.http2()
        for _ in range(4):
            expected = {client.begin("POST", "/v1/echo", b'{"text":"%d"}' % at): str(at) for at in range(90)}
            found = {}
            while len(found) < len(expected):
                kind, _, stream, payload = client.read_frame()
                if kind == door.HEADERS:
                    client.decoder.decode(payload)
                if kind == door.DATA and payload:
                    found[stream] = json.loads(payload)["text"]
            self.assertEqual(found, expected)

    def test_requests_sent_at_once_are_answered_in_order(self):
        client = self.http1()
        client.send(b"".join(b"GET /v1/items/%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % at for at in range(50)))
        for at in range(50):
            self.assertEqual(client.read().json()["name"], str(at))


class Files(door.DoorTest):
    def test_files_have_their_type_their_tag_and_a_strict_policy(self):
        self.start()
        for client in self.http1(), self.http2():
            answer = client.ask("GET", "/console/")
            self.assertEqual((answer.status, answer.body), (200, b"<html>hi</html>"))
            self.assertEqual(answer.headers["content-type"], "text/html; charset=utf-8")
            self.assertIn("default-src 'none'", answer.headers["content-security-policy"])
            self.assertNotIn("unsafe", answer.headers["content-security-policy"])
            self.assertEqual(answer.headers["cache-control"], "no-cache")
            answer = client.ask("GET", "/console/app-1a2b.js")
            self.assertIn("immutable", answer.headers["cache-control"])
            answer = client.ask("GET", "/")
            self.assertEqual((answer.status, answer.headers["location"]), (308, "/console/"))
            self.assertEqual(client.ask("GET", "/healthz").json(), {"status": "ok"})

    def test_a_file_that_is_known_is_not_sent_again(self):
        self.start()
        client = self.http1()
        for _ in range(2):
            answer = client.ask("GET", "/console/", None, {"If-None-Match": '"e1"'})
            self.assertEqual((answer.status, answer.body), (304, b""))
        self.assertEqual(client.ask("GET", "/console/", None, {"If-None-Match": '"e2"'}).status, 200)


class Certificates(door.DoorTest):
    def serial(self):
        client = self.http1()
        return client.socket.getpeercert(binary_form=True)

    def test_tls_1_2_and_1_3_are_spoken_and_nothing_older(self):
        self.start()
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            context = door.anyones_context("http/1.1")
            context.minimum_version = context.maximum_version = version
            self.assertEqual(self.http1(context).ask("GET", "/v1/hello").status, 200)
        context = door.anyones_context("http/1.1")
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.http1(context)
        self.assertEqual(self.http1(door.anyones_context("h2")).socket.selected_alpn_protocol(), "h2")

    def test_another_certificate_is_taken_without_a_restart(self):
        self.start()
        before = self.serial()
        kept = self.http1()
        self.assertEqual(kept.ask("GET", "/v1/hello").status, 200)
        door.make_certificate(self.folder, "another")
        self.door.signal(signal.SIGHUP)
        self.assertEqual(self.door.read_line(), "reloaded ok")
        deadline = time.monotonic() + door.DEADLINE
        while self.serial() == before:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(kept.ask("GET", "/v1/hello").status, 200)
        self.assert_stops()

    def test_a_certificate_that_is_unusable_changes_nothing(self):
        self.start()
        before = self.serial()
        with open(os.path.join(self.folder, "cert.pem"), "w", encoding="utf-8") as file:
            file.write("no certificate")
        self.door.signal(signal.SIGHUP)
        self.assertIn("unusable", self.door.read_line())
        self.assertEqual(self.serial(), before)


class Stops(door.DoorTest):
    def test_what_is_under_way_is_answered_and_idle_connections_are_closed(self):
        self.start()
        idle = [self.http1(), self.http2()]
        for client in idle:
            client.ask("GET", "/v1/hello")
        busy1, busy2 = self.http1(), self.http2()
        busy1.send(b"GET /v1/sleep?ms=700 HTTP/1.1\r\nHost: x\r\n\r\n")
        stream = busy2.begin("GET", "/v1/sleep?ms=700")
        self.wait_for("requests_open", lambda open: open >= 3)
        self.door.signal(signal.SIGTERM)
        answer = busy1.read()
        self.assertEqual((answer.status, answer.headers["connection"]), (200, "close"))
        self.assertEqual(busy2.read(stream).status, 200)
        self.assertEqual(idle[0].socket.recv(1), b"")
        idle[1].wait_end()
        self.assertEqual(self.door.process.wait(door.DEADLINE), 0, self.door.said())

    def test_what_does_not_end_is_cut_at_the_deadline(self):
        self.start()
        busy1, busy2 = self.http1(), self.http2()
        busy1.send(b"GET /v1/sleep?ms=600000 HTTP/1.1\r\nHost: x\r\n\r\n")
        busy2.begin("GET", "/v1/sleep?ms=600000")
        self.wait_for("requests_open", lambda open: open >= 3)
        self.assert_stops()


if __name__ == "__main__":
    door.main()
