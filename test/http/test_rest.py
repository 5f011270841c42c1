"""Every resource of the REST interface against a real synodd, and every error of its table."""

import base64
import json
import os
import subprocess
import threading
import time
import unittest
import uuid

import rest
from rest import synodd

NODE = None


def setUpModule():
    global NODE
    NODE = rest.Node("--cores", "2")


def tearDownModule():
    NODE.end()


class Case(unittest.TestCase):
    def setUp(self):
        self.clients = []
        self.one = self.client().open()

    def tearDown(self):
        for client in self.clients:
            client.close()

    def client(self, **how):
        client = NODE.client(**how)
        self.clients.append(client)
        return client

    def expect(self, answer, wanted, problem=None, **members):
        self.assertEqual(answer.status, wanted, answer)
        if problem:
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
            self.assertEqual(answer.json["type"].rsplit(":", 1)[-1], problem, answer)
        for name, value in members.items():
            self.assertEqual(answer.json.get(name), value, answer)
        return answer.json if answer.body and answer.headers["Content-Type"] in ("application/json", "application/problem+json") and "json" in answer.headers["Content-Type"] else None

    def table(self, name, columns="id int8 primary key, n int"):
        self.expect(self.one.sql(f"drop table if exists {name}"), 200)
        self.expect(self.one.sql(f"create table {name} ({columns})"), 200)


class Meta(Case):
    def test_capabilities_health_and_description_need_no_credentials(self):
        nobody = self.client(role=None)
        self.assertEqual(self.expect(nobody.get("/healthz"), 200)["status"], "ok")
        self.assertEqual(self.expect(nobody.get("/readyz"), 200)["status"], "ready")
        told = self.expect(nobody.get("/v1"), 200)
        self.assertIn("ndjson", told["capabilities"])
        said = subprocess.run([os.environ["SYNODD"], "--version"], capture_output=True, text=True, check=True).stdout
        self.assertEqual((told["version"], [[told["server_version"]]]), (said.split()[1], self.one.rows("show server_version")))
        server = self.expect(self.one.get("/v1/sessions/current"), 200)["server"]
        self.assertEqual((server["version"], server["server_version"]), (told["version"], told["server_version"]))
        self.assertEqual(self.expect(nobody.get("/v1/openapi.json"), 200)["openapi"], "3.1.0")

    def test_metrics_are_openmetrics_when_asked_and_prometheus_text_otherwise(self):
        text = self.one.get("/metrics")
        self.expect(text, 200)
        self.assertIn(b"# TYPE synod_rest_statements_total counter", text.body)
        self.assertNotIn(b"# EOF", text.body)
        opened = self.one.get("/metrics", Accept="application/openmetrics-text")
        self.assertTrue(opened.body.endswith(b"# EOF\n"))
        self.assertIn(b"# TYPE synod_rest_statements counter\nsynod_rest_statements_total ", opened.body)
        self.assertIn(b'synod_rest_statement_microseconds_bucket{le="+Inf"}', opened.body)

    def test_a_request_can_be_asked_for_by_its_id(self):
        answer = self.one.sql("select 1")
        known = self.expect(self.one.get("/v1/requests/" + answer.headers["Synod-Request-Id"]), 200)
        self.assertEqual((known["state"], known["status"], known["path"]), ("done", 200, "/v1/statements"))
        self.expect(self.one.get(f"/v1/requests/{uuid.uuid4()}"), 404, "request-unknown")

    def test_every_answer_says_not_to_be_stored_and_which_request_it_is_of(self):
        for answer in (self.one.sql("select 1"), self.one.sql("nonsense"), self.one.get("/v1/sessions/1.1.1")):
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertTrue(answer.headers["Synod-Request-Id"])


class Sessions(Case):
    def test_a_session_is_seen_in_pg_stat_activity_under_its_own_name(self):
        other = self.client().open(application_name="a test's own")
        rows = self.one.rows("select pid, application_name from pg_stat_activity where application_name = $1", "a test's own")
        self.assertEqual(rows, [[other.session["process_id"], "a test's own"]])

    def test_settings_given_at_the_start_and_later_hold(self):
        other = self.client().open(settings={"TimeZone": "Europe/Berlin"})
        self.assertEqual(other.rows("show timezone"), [["Europe/Berlin"]])
        answer = self.expect(other.post("/v1/sessions/current/settings", {"search_path": "a, b", "timezone": "UTC"}), 200)
        self.assertEqual(answer["settings"]["search_path"], "a, b")
        self.assertEqual(other.rows("show search_path"), [["a, b"]])
        self.expect(other.post("/v1/sessions/current/settings", {"nonsense": 1}), 400, sqlstate="42704")
        reset = self.expect(other.post("/v1/sessions/current/reset"), 200)
        self.assertEqual(reset["settings"]["timezone"], "Europe/Berlin")

    def test_a_closed_session_is_over_and_what_it_had_open_is_rolled_back(self):
        self.table("closing")
        other = self.client().open()
        begun = self.expect(other.post("/v1/transactions"), 201)
        self.expect(other.sql("insert into closing values (1, 1)", transaction={"id": begun["transaction_id"]}), 200)
        self.expect(other.post("/v1/sessions/current/close"), 204)
        self.expect(other.sql("select 1"), 401, "session-expired", retry="session")
        self.assertEqual(self.one.rows("select count(*) from closing"), [["0"]])
        state = self.expect(self.one.get("/v1/transactions/" + begun["transaction_id"]), 200)["state"]
        self.assertEqual(state, "rolled_back")

    def test_an_idle_session_ends(self):
        other = self.client().open(idle_timeout_ms=1000)
        process = other.session["process_id"]
        deadline = time.monotonic() + synodd.DEADLINE
        while self.one.rows("select 1 from pg_stat_activity where pid = $1", process):
            self.assertLess(time.monotonic(), deadline)
        self.expect(other.sql("select 1"), 401, "session-expired")

    def test_keep_alive_needs_no_turn_and_has_no_body(self):
        self.assertEqual(self.expect(self.one.post("/v1/sessions/current/keepalive"), 204), None)
        current = self.expect(self.one.get("/v1/sessions/current"), 200)
        self.assertEqual(current["session_id"], self.one.session["session_id"])
        self.assertNotIn("session_key", current)

    def test_another_session_can_be_looked_at_cancelled_and_ended(self):
        other = self.client().open(application_name="to be ended")
        listed = self.expect(self.one.get("/v1/sessions"), 200)["items"]
        self.assertIn(other.session["session_id"], [item["session_id"] for item in listed])
        seen = self.expect(self.one.get("/v1/sessions/" + other.session["session_id"]), 200)
        self.assertEqual(seen["application_name"], "to be ended")
        self.expect(self.one.post(f"/v1/sessions/{other.session['session_id']}/cancel"), 202)
        self.expect(self.one.post(f"/v1/sessions/{other.session['session_id']}/terminate"), 202, told=True)
        self.expect(other.sql("select 1"), 401, "session-expired")
        self.expect(self.one.get("/v1/sessions/1.1.1"), 404, "session-unknown")

    def test_keys_that_are_forged_cut_or_another_kind_are_refused(self):
        key = self.one.key
        for wrong in (key[:-2] + ("AA" if key[-2:] != "AA" else "BB"), key[:-1], "syns_", "x", key[:40] + "Z" + key[41:]):
            answer = self.client(key=wrong).sql("select 1")
            self.expect(answer, 401, "session-expired")
            self.assertIn("Bearer", answer.headers["WWW-Authenticate"])

    def test_who_shows_nothing_or_a_wrong_password_stays_outside(self):
        self.assertIn("Basic", self.client(role=None).sql("select 1").headers["WWW-Authenticate"])
        self.expect(self.client(role=None).sql("select 1"), 401, "credentials-missing")
        self.expect(self.client(role="nobody such").sql("select 1"), 401, sqlstate="28P01")
        self.expect(self.client().ask("GET", "/v1/activity", None, {"Authorization": "Digest x"}), 400, "invalid-header")

    def test_role_and_password_may_come_in_the_body(self):
        nobody = self.client(role=None)
        answer = nobody.post("/v1/sessions", {"role": "synod", "password": rest.PASSWORD, "database": "synod"})
        self.assertEqual(self.expect(answer, 201)["role"], "synod")
        self.expect(nobody.post("/v1/sessions", {"role": "synod", "password": "wrong"}), 401)
        self.expect(self.client().post("/v1/sessions", {"database": "nosuch"}), 400, sqlstate="3D000")

    def test_one_who_fails_often_has_to_wait_and_others_do_not(self):
        self.expect(self.one.sql("create role impatient login password 'right'"), 200)
        # Each core counts for itself.
        guesser = self.client(role="impatient", password="wrong")
        answers = [guesser.sql("select 1").status for _ in range(30)]
        self.assertEqual(answers[:10], [401] * 10)
        self.assertGreaterEqual(answers[-4:].count(429), 3)  # every six seconds one may try again
        late = self.client(role="impatient", password="right").sql("select 1")
        self.expect(late, 429, retry="after_delay")
        self.assertTrue(late.headers["Retry-After"])
        self.expect(self.client().sql("select 1"), 200)

    def test_the_console_has_a_cookie_and_needs_its_token_to_change_anything(self):
        page = self.client()
        answer = page.post("/v1/sessions", {}, {"Synod-Console": "1"})
        made = self.expect(answer, 201)
        self.assertNotIn("session_key", made)
        cookie = answer.headers["Set-Cookie"]
        for word in ("__Host-synod=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(word, cookie)
        show = {"Cookie": cookie.split(";")[0], "Authorization": None}
        page.basic = None
        self.expect(page.ask("GET", "/v1/sessions/current", None, show), 200)
        self.expect(page.post("/v1/statements", {"sql": "select 1"}, show), 403, "csrf")
        self.expect(page.post("/v1/statements", {"sql": "select 1"}, {**show, "Synod-Csrf": "x"}), 403, "csrf")
        self.expect(page.post("/v1/statements", {"sql": "select 1"}, {**show, "Synod-Csrf": made["csrf_token"]}), 200)
        ended = page.post("/v1/sessions/current/close", None, {**show, "Synod-Csrf": made["csrf_token"]})
        self.expect(ended, 204)
        self.assertIn("Max-Age=0", ended.headers["Set-Cookie"])


class Values(Case):
    def one_value(self, expression, *params, **more):
        return self.one.rows(f"select {expression}", *params, **more)[0][0]

    def test_values_lose_nothing(self):
        for expression, value in {
            "true": True, "1::int2": 1, "2147483647": 2147483647, "9223372036854775807": "9223372036854775807",
            "(-9223372036854775808)::int8": "-9223372036854775808", "4294967295::oid": "4294967295",
            "7.00::numeric(12,2)": "7.00", "'NaN'::numeric": "NaN", "123456789012345678901234567890.12": "123456789012345678901234567890.12",
            "0.1::float8": 0.1, "1e300::float8": 1e300, "'NaN'::float8": "NaN", "'-Infinity'::float8": "-Infinity",
            "0.1::float4": 0.1, "'a\"\\é\u0001'": "a\"\\é\u0001", "'x'::char(3)": "x  ", "'\\x00ff'::bytea": "AP8=",
            "date '2024-02-29'": "2024-02-29", "date 'infinity'": "infinity", "date '0044-03-15 BC'": "-000043-03-15",
            "time '12:00:00.000001'": "12:00:00.000001", "timestamp '2024-02-29 12:00:00.000001'": "2024-02-29T12:00:00.000001",
            "timestamptz '2024-02-29 12:00:00+01'": "2024-02-29T11:00:00Z", "timestamp '-infinity'": "-infinity",
            "timestamp '1969-12-31 23:59:59.5'": "1969-12-31T23:59:59.500000",
            "interval '1 year 2 months 3 days 4:05:06.7'": "P1Y2M3DT4H5M6.7S", "'{\"a\": 1.10}'::json": "{\"a\": 1.10}",
            "array[1,null,3]": [1, None, 3], "array[[1,2],[3,4]]": [[1, 2], [3, 4]], "'{}'::int[]": [],
            "array[9223372036854775807]": ["9223372036854775807"], "array['a','b,c']": ["a", "b,c"],
            "row(1, 'a', null)": [1, "a", None], "array[date '2024-02-29']": ["2024-02-29"], "null": None,
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        }.items():
            with self.subTest(expression):
                self.assertEqual(self.one_value(expression), value)

    def test_forms_can_be_chosen(self):
        self.assertEqual(self.one_value("9::int8", result={"int8": "number"}), 9)
        self.assertEqual(self.one_value("'{\"a\": 1}'::jsonb", result={"json": "inline"}), {"a": 1})
        self.assertEqual(self.one.rows("select 1, true, '\\x01'::bytea", result={"values": "text"}), [["1", "t", "\\x01"]])

    def test_parameters_are_read_as_the_statement_wants_them(self):
        for expression, given, value in (
                ("$1::int", 42, 42), ("$1::int8", "9223372036854775807", "9223372036854775807"), ("$1::text", "x", "x"),
                ("$1::bool", True, True), ("$1::numeric", "7.00", "7.00"), ("$1::numeric", 1.50, "1.5"), ("$1::int", None, None),
                ("$1::int[]", [1, None, 3], [1, None, 3]), ("$1::text[]", ["a\"b", "c,d\\"], ["a\"b", "c,d\\"]),
                ("$1::jsonb", {"a": [1, {"b": None}]}, "{\"a\": [1, {\"b\": null}]}"), ("$1::bytea", "AP8=", "AP8="),
                ("$1::bytea", "\\x00ff", "AP8="), ("$1", {"type": "int8", "value": "7"}, "7"),
                ("$1", {"type": "timestamptz", "value": "2024-02-29T11:00:00Z"}, "2024-02-29T11:00:00Z"),
                ("$1::date", "-000043-03-15", "-000043-03-15"), ("$1::date", "+010000-01-01", "+010000-01-01"), ("$1::date", "0000-02-29", "0000-02-29"),
                ("$1::date[]", ["-000043-03-15", "infinity"], ["-000043-03-15", "infinity"]), ("$1::date", "0044-03-15 BC", "-000043-03-15"),
                ("$1::timestamptz", "-000043-03-15T10:00:00.500000Z", "-000043-03-15T10:00:00.500000Z"),
                ("$1::timestamp", "+012345-01-01T00:00:00", "+012345-01-01T00:00:00"), ("$1::text", "-000043-03-15", "-000043-03-15"),
                ("$1::interval", "P1Y2M3DT4H5M6.7S", "P1Y2M3DT4H5M6.7S"), ("pg_typeof($1)::text", {"type": "date", "value": None}, "date")):
            with self.subTest(expression=expression, given=given):
                self.assertEqual(self.one_value(expression, given), value)

    def test_parameters_that_make_no_sense_are_refused(self):
        for expression, given, state in (
                ("$1::int", "x", "22P02"), ("$1::int8", 9007199254740993, "22023"), ("$1::int", [1], "22023"), ("$1::int", {"a": 1}, "22023"),
                ("$1::bytea", "***", "22P02"), ("$1", {"type": "nosuch", "value": 1}, "42704"), ("$1::int", 3000000000, "22003")):
            with self.subTest(expression=expression, given=given):
                self.expect(self.one.sql(f"select {expression}", given), 400, sqlstate=state, transaction_state="none")
        self.expect(self.one.sql("select $1::int, $2::int", 1), 400, sqlstate="22023")

    def test_columns_say_their_type(self):
        answer = self.expect(self.one.sql("select 1.5::numeric(12,2) as a, 'x'::varchar(7) as b, array[1] as c"), 200)
        self.assertEqual([(c["name"], c["type"]) for c in answer["columns"]], [("a", "numeric"), ("b", "varchar"), ("c", "int4[]")])
        self.assertEqual((answer["columns"][0]["precision"], answer["columns"][0]["scale"], answer["columns"][1]["length"]), (12, 2, 7))


class Statements(Case):
    def test_errors_say_where_and_what_to_do(self):
        answer = self.expect(self.one.sql("select 1 +\n nonsense"), 400, sqlstate="42703", retry="never")
        self.assertEqual(answer["position"], 13)
        self.expect(self.one.sql("selec 1"), 400, "syntax-error", sqlstate="42601")
        self.expect(self.one.sql("select 1/0"), 400, sqlstate="22012")
        self.table("constrained", "id int primary key")
        self.expect(self.one.sql("insert into constrained values (1)"), 200)
        answer = self.expect(self.one.sql("insert into constrained values (1)"), 409, sqlstate="23505")
        self.assertEqual((answer["table"], answer["constraint"]), ("constrained", "constrained_pkey"))
        self.expect(self.one.sql("copy constrained to stdout"), 400, "not-implemented", sqlstate="0A000")
        self.expect(self.one.sql("select * from nosuch"), 400, sqlstate="42P01")

    def test_the_body_must_be_as_described(self):
        for body, kind in (({"sql": "select 1", "sqll": 1}, "unknown-member"), ({"sql": 1}, "invalid-value"),
                           ({}, "data-exception"), ({"sql": "select 1", "prepared": "p_"}, "data-exception")):
            self.expect(self.one.post("/v1/statements", body), 400, kind)
        self.expect(self.one.post("/v1/statements", b"{"), 400)
        self.expect(self.one.post("/v1/statements", b"x", {"Content-Type": "text/plain"}), 415)
        self.expect(self.one.ask("PUT", "/v1/statements"), 405)
        self.expect(self.one.post("/v1/statements", {"sql": "select '" + "x" * (17 << 20) + "'"}), 413)

    def test_no_error_of_sql_is_a_failure_of_the_server(self):
        plain = self.client()
        for sql in ("selec", "select 1/0", "select 'a'::int", "select repeat('x', 2000000000)", "select array_fill(0, array[1000000000])",
                    "select nosuch()", "select " + "- " * 50000 + "true", "select 1 union select 'a'", "select '{'::jsonb", "select chr(0)",
                    "select regexp_replace('a', '(', 'b')", "select numeric '1e200000'", "select date '9999999-01-01'", "select (2^63)::int8",
                    "do $$ begin end $$", "listen x", "select pg_read_file('/etc/passwd')", "copy (select 1) to '/etc/passwd'", "alter system set x = 1",
                    "create extension x", "drop database synod", "create table pg_catalog.x (a int)", "savepoint a", "set nosuch = 1",
                    "select 1; select 1/0", "begin; select 1/0", "execute nosuch", "select lag(1)", "select sum(sum(1))"):
            answer = plain.sql(sql)
            self.assertIn(answer.status // 100, (4,), (sql[:60], answer))
            self.assertTrue(answer.json["sqlstate"], sql[:60])

    def test_a_firewall_that_knows_get_post_and_json_lets_everything_through(self):
        paths = self.expect(self.client(role=None).get("/v1/openapi.json"), 200)["paths"]
        for path, methods in paths.items():
            for method, operation in methods.items():
                if path.split("/")[2:3] and path.split("/")[2] in ("sessions", "transactions", "statements", "batches", "prepared", "loads"):
                    self.assertIn(method, ("get", "post", "parameters"), path)
                    self.assertIn("application/json", operation.get("requestBody", {"content": ["application/json"]})["content"] if method != "parameters" else ["application/json"])
                if method in ("put", "patch", "delete"):
                    self.assertIn(path + "/actions/" + ("delete" if method == "delete" else "update"), paths)

    def test_a_text_of_several_statements_gives_several_results(self):
        answer = self.expect(self.one.sql("select 1 as a; select 2 as b, ';' as c; -- the end"), 200)
        self.assertEqual(([r["rows"] for r in answer["results"]], answer["rows"]), ([[[1]]], [[2, ";"]]))

    def test_notices_are_told(self):
        answer = self.expect(self.one.sql("drop table if exists never_there"), 200)
        self.assertEqual(answer["notices"][0]["severity"], "NOTICE")

    def test_pages_follow_one_another_and_the_last_may_be_asked_again(self):
        first = self.expect(self.one.sql("select g from generate_series(1, 10) g", result={"max_rows": 4}), 200)
        self.assertEqual((first["rows"], first["next_cursor"]), ([[1], [2], [3], [4]], "1"))
        path = f"/v1/statements/{first['statement_id']}/rows"
        second = self.expect(self.one.get(path + "?cursor=1"), 200)
        self.assertEqual(self.expect(self.one.get(path + "?cursor=1"), 200), second)
        self.assertEqual(second["rows"], [[5], [6], [7], [8]])
        third = self.expect(self.one.get(path + "?cursor=2"), 200)
        self.assertEqual((third["rows"], third["next_cursor"]), ([[9], [10]], None))
        self.expect(self.one.get(path + "?cursor=9"), 404, "cursor-expired")
        self.expect(self.one.get(path), 400)

    def test_a_cursor_goes_on_past_other_statements_and_shows_one_snapshot(self):
        self.table("pages")
        self.expect(self.one.sql("insert into pages select g, 0 from generate_series(1, 3000) g"), 200)
        first = self.expect(self.one.sql("select id from pages order by id", result={"max_rows": 1000}), 200)
        self.expect(self.one.sql("delete from pages"), 200)
        rows, cursor = first["rows"], first["next_cursor"]
        while cursor:
            page = self.expect(self.one.get(f"/v1/statements/{first['statement_id']}/rows?cursor={cursor}"), 200)
            rows, cursor = rows + page["rows"], page["next_cursor"]
        self.assertEqual([int(row[0]) for row in rows], list(range(1, 3001)))

    def test_of_too_many_cursors_the_oldest_ends(self):
        made = [self.expect(self.one.sql("select generate_series(1, 9)", result={"max_rows": 2}), 200)["statement_id"] for _ in range(70)]
        self.expect(self.one.get(f"/v1/statements/{made[0]}/rows?cursor=1"), 404)
        page = self.expect(self.one.get(f"/v1/statements/{made[-1]}/rows?cursor=1"), 200)
        self.assertEqual(page["rows"], [[3], [4]])

    def test_wide_rows_make_short_pages_and_no_failure(self):
        answer = self.expect(self.one.sql("select repeat('x', 10000) from generate_series(1, 500)", result={"max_bytes": 65536}), 200)
        self.assertLess(answer["row_count"], 40)
        self.assertTrue(answer["next_cursor"])

    def test_what_writes_is_done_as_a_whole_however_little_is_shown(self):
        self.table("returned")
        answer = self.expect(self.one.sql("insert into returned select g, g from generate_series(1, 50) g returning id",
                                          result={"max_rows": 5}), 200)
        self.assertEqual((answer["row_count"], answer["next_cursor"]), (5, "1"))
        self.assertEqual(self.client().open().rows("select count(*) from returned"), [["50"]])
        self.assertEqual(self.expect(self.one.get(f"/v1/statements/{answer['statement_id']}/rows?cursor=1"), 200)["rows"][0], ["6"])

    def test_lines_begin_with_a_header_and_end_with_a_last_line(self):
        answer = self.one.post("/v1/statements", {"sql": "select g, 'x' from generate_series(1, 3000) g"},
                               {"Accept": "application/x-ndjson"})
        self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
        lines = answer.lines
        self.assertEqual((lines[0]["type"], lines[-1]["type"], lines[-1]["row_count"]), ("header", "end", 3000))
        self.assertEqual(lines[1:-1], [[g, "x"] for g in range(1, 3001)])

    def test_an_error_within_a_stream_is_its_last_line(self):
        answer = self.one.post("/v1/statements", {"sql": "select 1/(100000 - g), repeat('x', 100) from generate_series(1, 100000) g"},
                               {"Accept": "application/x-ndjson"})
        self.expect(answer, 200)
        self.assertEqual((answer.lines[-1]["type"], answer.lines[-1]["problem"]["sqlstate"]), ("error", "22012"))
        before = self.one.post("/v1/statements", {"sql": "select nonsense"}, {"Accept": "application/x-ndjson"})
        self.expect(before, 400, sqlstate="42703")

    def test_param_sets_are_done_together_or_not_at_all(self):
        self.table("sets")
        sets = [["1", 10], ["2", 20], ["3", 30]]
        answer = self.expect(self.one.post("/v1/statements", {"sql": "insert into sets values ($1, $2)", "param_sets": sets}), 200)
        self.assertEqual((answer["rows_affected"], answer["rows_affected_sets"]), (3, [1, 1, 1]))
        self.expect(self.one.post("/v1/statements", {"sql": "insert into sets values ($1, $2)", "param_sets": [["4", 1], ["1", 1]]}), 409)
        self.assertEqual(self.one.rows("select count(*) from sets"), [["3"]])

    def test_a_statement_can_be_described(self):
        self.table("described")
        answer = self.expect(self.one.post("/v1/statements/describe", {"sql": "select n from described where id = $1"}), 200)
        self.assertEqual([p["type"] for p in answer["params"]], ["int8"])
        self.assertEqual(([c["type"] for c in answer["columns"]], answer["kind"], answer["read_only"]), (["int4"], "select", True))
        answer = self.expect(self.one.post("/v1/statements/describe", {"sql": "delete from described"}), 200)
        self.assertEqual((answer["columns"], answer["kind"], answer["read_only"]), (None, "delete", False))
        self.expect(self.one.post("/v1/statements/describe", {"sql": "selec"}), 400, sqlstate="42601")

    def test_a_plan_is_a_tree_and_a_text_and_analyze_changes_nothing(self):
        self.table("planned")
        answer = self.expect(self.one.post("/v1/statements/explain", {"sql": "select * from planned where id = 1"}), 200)
        self.assertIn("Plan", answer["plan"][0])
        self.assertIn("planned", answer["text"])
        answer = self.expect(self.one.post("/v1/statements/explain", {"sql": "insert into planned values (1, 1)", "analyze": True}), 200)
        self.assertIn("Execution Time", answer["plan"][0])
        self.assertEqual(self.one.rows("select count(*) from planned"), [["0"]])
        self.expect(self.one.post("/v1/statements/explain", {"sql": "nonsense"}), 400)

    def test_a_statement_ends_at_its_timeout(self):
        self.expect(self.one.sql("select pg_sleep(60)", timeout_ms=50), 409, "statement-timeout", sqlstate="57014")
        self.expect(self.one.sql("select 1"), 200)

    def test_a_statement_that_takes_long_goes_on_without_its_request(self):
        answer = self.one.sql("select pg_sleep(0.3), 7", wait_ms=0)
        self.expect(answer, 202, status="running")
        self.assertEqual(answer.headers["Location"], f"/v1/statements/{answer.json['statement_id']}")
        operations = self.expect(self.one.get("/v1/operations"), 200)["items"]
        self.assertIn(answer.json["statement_id"], [item["operation_id"] for item in operations])
        done = self.expect(self.one.get(answer.headers["Location"] + "?wait_ms=60000"), 200)
        self.assertEqual((done["status"], done["rows"][0][1]), ("complete", 7))
        self.expect(self.one.get("/v1/operations/" + done["statement_id"]), 200, state="complete")
        quick = self.expect(self.one.sql("select 8", wait_ms=60000), 200)
        self.assertEqual(quick["rows"], [[8]])
        self.expect(self.one.sql("select nonsense", wait_ms=60000), 400, sqlstate="42703")

    def test_a_statement_is_cancelled_from_anywhere(self):
        name = str(uuid.uuid4())
        answers = []
        slow = self.client(key=self.one.key)
        thread = threading.Thread(target=lambda: answers.append(
            slow.post("/v1/statements", {"sql": "select pg_sleep(60)"}, {"Synod-Statement-Id": name})))
        thread.start()
        other = self.client().open()
        deadline = time.monotonic() + synodd.DEADLINE
        while not self.expect(other.post(f"/v1/statements/{name}/cancel"), 202)["told"]:
            self.assertLess(time.monotonic(), deadline)
        thread.join()
        self.expect(answers[0], 409, "cancelled", sqlstate="57014")
        self.expect(self.one.get("/v1/statements/" + name), 200, status="cancelled")
        self.expect(self.one.post(f"/v1/statements/{name}/close"), 204)
        self.expect(self.one.get("/v1/statements/" + name), 404, "statement-unknown")

    def test_a_client_that_goes_takes_its_statement_along(self):
        other = self.client().open(application_name="going away")
        other.send("POST", "/v1/statements", {"sql": "select pg_sleep(60)"})
        running = "select 1 from pg_stat_activity where application_name = 'going away' and state = 'active'"
        deadline = time.monotonic() + synodd.DEADLINE
        while not self.one.rows(running):
            self.assertLess(time.monotonic(), deadline)
        other.connection.sock.close()
        began = time.monotonic()
        while self.one.rows(running):
            self.assertLess(time.monotonic(), began + 30)

    def test_the_statements_of_all_cores_are_listed(self):
        clients = [self.client().open() for _ in range(4)]
        started = {self.expect(client.sql("select pg_sleep(60)", wait_ms=0), 202)["statement_id"] for client in clients}
        for path in ("/v1/statements?state=running", "/v1/operations"):
            items = self.expect(self.one.get(path), 200)["items"]
            self.assertLessEqual(started, {item.get("statement_id") or item["operation_id"] for item in items})
        for client in clients:
            self.expect(client.post("/v1/sessions/current/close"), 204)
        self.assertFalse(started & {i["statement_id"] for i in self.expect(self.one.get("/v1/statements"), 200)["items"]})

    def test_statements_are_listed(self):
        name = str(uuid.uuid4())
        self.expect(self.one.post("/v1/statements", {"sql": "select 1", "label": "mine"}, {"Synod-Statement-Id": name}), 200)
        items = self.expect(self.one.get("/v1/statements?state=complete"), 200)["items"]
        self.assertIn((name, "mine"), [(item["statement_id"], item["label"]) for item in items])
        self.expect(self.one.post("/v1/statements", {"sql": "select 1"}, {"Synod-Statement-Id": name}), 409, "statement-exists")


class Transactions(Case):
    def begin(self, **options):
        return self.expect(self.one.post("/v1/transactions", options), 201)["transaction_id"]

    def test_statements_of_a_transaction_are_done_once_and_in_order(self):
        self.table("ordered")
        name = self.begin(isolation="serializable", label="test")
        insert = {"sql": "insert into ordered values (1, 1)", "transaction": {"id": name, "seq": 1}}
        first = self.expect(self.one.post("/v1/statements", insert), 200)
        again = self.one.post("/v1/statements", insert)
        self.assertEqual(self.expect(again, 200), first)
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")
        self.expect(self.one.sql("select 1", transaction={"id": name, "seq": 5}), 409, sqlstate="25000")
        self.expect(self.one.sql("select 1", transaction={"id": "1.1.5", "seq": 1}), 409, sqlstate="25000")
        self.expect(self.one.sql("select 1"), 409, sqlstate="25001")
        self.expect(self.one.get("/v1/transactions/" + name), 200, state="active", seq=1, label="test")
        done = self.expect(self.one.post(f"/v1/transactions/{name}/commit"), 200)
        self.assertEqual(done["state"], "committed")
        self.assertTrue(int(done["commit_scn"]))
        self.assertEqual(self.expect(self.one.post(f"/v1/transactions/{name}/commit"), 200), done)
        self.expect(self.one.post(f"/v1/transactions/{name}/rollback"), 409)
        self.assertEqual(self.one.rows("select count(*) from ordered"), [["1"]])

    def test_a_transaction_begins_and_ends_with_statements(self):
        self.table("short")
        answer = self.expect(self.one.sql("insert into short values (1, 1)", transaction={"begin": {"isolation": "snapshot"}}), 200)
        name = answer["transaction"]["transaction_id"]
        answer = self.expect(self.one.sql("insert into short values (2, 2)", transaction={"id": name, "seq": 2, "then": "commit"}), 200)
        self.assertEqual(answer["transaction"], None)
        self.expect(self.one.get("/v1/transactions/" + name), 200, state="committed")
        self.expect(self.one.sql("insert into short values (3, 3)", transaction={"begin": {}, "then": "rollback"}), 200)
        self.expect(self.one.sql("select 1/0", transaction={"begin": {}, "then": "commit"}), 400, transaction_state="rolled_back")
        self.assertEqual(self.one.rows("select count(*) from short"), [["2"]])

    def test_a_failed_transaction_takes_nothing_more_and_cannot_commit(self):
        name = self.begin()
        self.expect(self.one.sql("select 1/0", transaction={"id": name}), 400, transaction_state="failed", transaction_id=name)
        self.expect(self.one.sql("select 1", transaction={"id": name}), 409, sqlstate="25P02", transaction_state="failed")
        self.expect(self.one.get("/v1/transactions/" + name), 200, state="failed")
        self.expect(self.one.post(f"/v1/transactions/{name}/commit"), 409, sqlstate="25P02", transaction_state="rolled_back")
        self.expect(self.one.post(f"/v1/transactions/{name}/rollback"), 200, state="rolled_back")
        self.expect(self.one.sql("select 1"), 200)

    def test_savepoints_undo_a_part(self):
        self.table("saved")
        name = self.begin()
        for statement in (1, 2):
            self.expect(self.one.sql("insert into saved values ($1, 1)", str(statement), transaction={"id": name}), 200)
            if statement == 1:
                self.expect(self.one.post(f"/v1/transactions/{name}/savepoints", {"name": "half \"way\""}), 201)
        self.expect(self.one.post(f"/v1/transactions/{name}/savepoints/half%20%22way%22/rollback"), 200)
        self.expect(self.one.post(f"/v1/transactions/{name}/savepoints/half%20%22way%22/release"), 200)
        self.expect(self.one.post(f"/v1/transactions/{name}/savepoints/nosuch/release"), 400, sqlstate="3B001")
        self.expect(self.one.post(f"/v1/transactions/{name}/rollback"), 200)

    def test_a_transaction_that_only_reads_cannot_write(self):
        self.table("readable")
        name = self.begin(read_only=True)
        self.expect(self.one.sql("insert into readable values (1, 1)", transaction={"id": name}), 409, "read-only", sqlstate="25006")
        self.expect(self.one.post(f"/v1/transactions/{name}/rollback"), 200)

    def test_outcomes_outlive_the_node(self):
        self.table("outlived")
        name = self.begin()
        self.expect(self.one.sql("insert into outlived values (1, 1)", transaction={"id": name}), 200)
        self.expect(self.one.post(f"/v1/transactions/{name}/commit"), 200)
        lost = self.begin()
        self.expect(self.one.sql("insert into outlived values (2, 2)", transaction={"id": lost}), 200)
        NODE.restart()
        self.one = self.client().open()
        self.expect(self.one.get("/v1/transactions/" + name), 200, state="committed")
        self.expect(self.one.get("/v1/transactions/" + lost), 200, state="rolled_back")
        self.expect(self.one.post(f"/v1/transactions/{name}/commit"), 200, state="committed")
        self.expect(self.one.get("/v1/transactions/1.1.9223372036854775807"), 404, "transaction-unknown")
        self.expect(self.one.get("/v1/transactions/x"), 404, "transaction-unknown")

    def test_transactions_begun_by_sql_are_shown_and_need_no_name(self):
        begun = self.expect(self.one.sql("begin"), 200)
        self.assertEqual(begun["transaction"]["state"], "active")
        self.expect(self.one.sql("select 1"), 200)
        ended = self.expect(self.one.sql("commit"), 200)
        self.assertEqual(ended["transaction"], None)
        self.expect(self.one.get("/v1/transactions/" + begun["transaction"]["transaction_id"]), 200, state="committed")

    def test_a_lock_that_is_not_had_in_time_and_a_deadlock_say_so(self):
        self.table("locked")
        self.expect(self.one.sql("insert into locked values (1, 1), (2, 2)"), 200)
        name = self.begin()
        self.expect(self.one.sql("update locked set n = 3 where id = 1", transaction={"id": name}), 200)
        other = self.client().open(settings={"lock_timeout": "50ms"})
        self.expect(other.sql("update locked set n = 4 where id = 1"), 409, sqlstate="55P03")
        other = self.client().open()
        theirs = self.expect(other.post("/v1/transactions"), 201)["transaction_id"]
        self.expect(other.sql("update locked set n = 4 where id = 2", transaction={"id": theirs}), 200)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            other.sql("update locked set n = 5 where id = 1", transaction={"id": theirs})))
        thread.start()
        answers.append(self.one.sql("update locked set n = 5 where id = 2", transaction={"id": name}))
        if answers[0].status == 409:
            self.one.post(f"/v1/transactions/{name}/rollback")
        thread.join()
        refused = [answer for answer in answers if answer.status != 200]
        self.assertEqual(len(refused), 1, answers)
        self.expect(refused[0], 409, "deadlock", sqlstate="40P01", retry="transaction", transaction_state="failed")

    def test_an_idempotency_key_makes_a_write_happen_once(self):
        self.table("once")
        key = {"Idempotency-Key": str(uuid.uuid4())}
        body = {"sql": "insert into once values (1, 1) returning id"}
        first = self.one.post("/v1/statements", body, key)
        other = self.client().open()
        second = other.post("/v1/statements", body, key)
        self.assertEqual(self.expect(first, 200), self.expect(second, 200))
        self.assertEqual((first.headers["Idempotency-Replayed"], second.headers["Idempotency-Replayed"]), (None, "true"))
        self.expect(self.one.post("/v1/statements", {"sql": "insert into once values (2, 2)"}, key), 422, "idempotency-key-reused")
        for more in ({"wait_ms": 0}, {"transaction": {"begin": {}}}):
            self.expect(self.one.post("/v1/statements", {**body, **more}, key), 400, "invalid-header")
        self.expect(self.one.post("/v1/batches", {"steps": [body]}, key), 400, "invalid-header")
        failing = {"Idempotency-Key": str(uuid.uuid4())}
        self.expect(self.one.post("/v1/statements", body, failing), 409, sqlstate="23505")
        self.expect(self.one.sql("delete from once"), 200)
        self.expect(self.one.post("/v1/statements", body, failing), 200)

    def test_what_is_kept_beside_a_statement_is_not_led_astray_by_its_search_path(self):
        self.expect(self.one.sql("drop schema if exists evil cascade; create schema evil; create type evil.text as enum ('x'); "
                                 "create type evil.int4 as enum ('x'); create type evil.int8 as enum ('x')"), 200)
        self.table("astray")
        other = self.client().open(settings={"search_path": "evil, public, pg_catalog"})
        key = {"Idempotency-Key": str(uuid.uuid4())}
        for _ in range(2):
            self.expect(other.post("/v1/statements", {"sql": "insert into public.astray values (1, 1)"}, key), 200)
        done = self.expect(other.sql("insert into public.astray values (2, 2)", transaction={"begin": {}, "then": "commit"}), 200)
        self.assertEqual(done["transaction"], None)

    def test_a_second_request_with_a_key_under_way_is_told_so(self):
        key = {"Idempotency-Key": str(uuid.uuid4())}
        self.table("slowly")
        body = {"sql": "insert into slowly select 1, 1 from (select pg_sleep(1)) s"}
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.one.post("/v1/statements", body, key)))
        thread.start()
        other = self.client().open()
        watch = self.client().open()
        deadline = time.monotonic() + synodd.DEADLINE
        while not watch.rows("select 1 from pg_stat_activity where query like 'insert into slowly%' and state = 'active'"):
            self.assertLess(time.monotonic(), deadline)
        self.expect(other.post("/v1/statements", body, key), 409, "idempotency-key-in-progress", retry="after_delay")
        thread.join()
        self.expect(answers[0], 200)


class Batches(Case):
    def test_steps_run_on_conditions(self):
        self.table("steps")
        answer = self.expect(self.one.post("/v1/batches", {"steps": [
            {"sql": "insert into steps values (1, 1)"}, {"sql": "insert into steps values (1, 1)"},
            {"sql": "select 'saved'", "if": {"error": 1}}, {"sql": "select 'never'", "if": {"ok": 1}},
            {"sql": "select $1::int", "params": [5], "if": {"and": [{"ok": 0}, {"not": {"ok": 1}}]}}]}), 200)["results"]
        self.assertEqual([r["status"] for r in answer], ["complete", "failed", "complete", "skipped", "complete"])
        self.assertEqual((answer[1]["problem"]["sqlstate"], answer[1]["problem"]["statement_index"], answer[4]["rows"]), ("23505", 1, [[5]]))

    def test_an_atomic_batch_is_done_as_a_whole_or_not_at_all(self):
        self.table("atomic")
        steps = [{"sql": "insert into atomic values (1, 1)"}, {"sql": "select 1/0"}]
        self.expect(self.one.post("/v1/batches", {"atomic": True, "steps": steps}), 400, statement_index=1, transaction_state="rolled_back")
        self.assertEqual(self.one.rows("select count(*) from atomic"), [["0"]])
        self.expect(self.one.post("/v1/batches", {"atomic": True, "steps": steps[:1]}), 200)
        self.assertEqual(self.one.rows("select count(*) from atomic"), [["1"]])


class Prepared(Case):
    def test_a_prepared_statement_is_named_by_its_content_and_runs_in_any_session(self):
        made = self.expect(self.one.post("/v1/prepared", {"sql": "select $1::int + 1 as next"}), 200)
        self.assertEqual(([p["type"] for p in made["params"]], [c["name"] for c in made["columns"]]), (["int4"], ["next"]))
        self.assertEqual(self.expect(self.one.post("/v1/prepared", {"sql": "select $1::int + 1 as next"}), 200), made)
        for _ in range(3):
            answer = self.client().open().post("/v1/statements", {"prepared": made["prepared_id"], "params": [41]})
            self.assertEqual(self.expect(answer, 200)["rows"], [[42]])
        self.expect(self.one.get("/v1/prepared/" + made["prepared_id"]), 200, sql="select $1::int + 1 as next")
        self.assertIn(made["prepared_id"], [p["prepared_id"] for p in self.expect(self.one.get("/v1/prepared"), 200)["items"]])
        self.expect(self.one.post(f"/v1/prepared/{made['prepared_id']}/close"), 204)
        self.expect(self.one.post("/v1/statements", {"prepared": made["prepared_id"], "params": [1]}), 200)

    def test_an_unknown_one_says_to_prepare_again(self):
        self.expect(self.one.post("/v1/statements", {"prepared": "p_" + "0" * 32}), 400, "unknown-prepared-statement",
                    sqlstate="26000", retry="statement")
        self.expect(self.one.get("/v1/prepared/p_0"), 404, "prepared-unknown")
        self.expect(self.one.post("/v1/prepared", {"sql": "select nonsense"}), 400, sqlstate="42703")

    def test_it_follows_changes_of_its_tables(self):
        self.table("followed")
        made = self.expect(self.one.post("/v1/prepared", {"sql": "select id, n from followed where id = $1"}), 200)
        self.expect(self.one.sql("insert into followed values (1, 5)"), 200)
        self.expect(self.one.post("/v1/statements", {"prepared": made["prepared_id"], "params": ["1"]}), 200)
        self.expect(self.one.sql("alter table followed alter n type text"), 200)
        again = {"prepared": made["prepared_id"], "params": ["1"]}
        self.expect(self.one.post("/v1/statements", again), 400, "unknown-prepared-statement", retry="statement")
        self.assertEqual(self.one.post("/v1/prepared", {"sql": "select id, n from followed where id = $1"}).json["columns"][1]["type"], "text")
        self.assertEqual(self.expect(self.one.post("/v1/statements", again), 200)["rows"], [["1", "5"]])

    def test_one_that_sql_has_deallocated_is_prepared_again(self):
        for client in (self.one, self.client()):
            made = self.expect(client.post("/v1/prepared", {"sql": "select 1 + $1::int as more"}), 200)
            again = {"prepared": made["prepared_id"], "params": [1]}
            self.assertEqual(self.expect(client.post("/v1/statements", again), 200)["rows"], [[2]])
            self.expect(client.sql("deallocate all"), 200)
            if client is self.one:
                self.expect(client.post("/v1/statements", again), 400, "unknown-prepared-statement", retry="statement")
            self.assertEqual(self.expect(client.post("/v1/statements", again), 200)["rows"], [[2]])


class Loads(Case):
    def test_parts_are_loaded_once_and_together(self):
        self.table("loaded", "id int8, n int, x text")
        load = self.expect(self.one.post("/v1/loads", {"table": "public.loaded", "columns": ["id", "n", "x"]}), 201)
        path = "/v1/loads/" + load["load_id"]
        csv = {"Content-Type": "text/csv"}
        self.expect(self.one.post(path + "/parts/1", b'1,10,a\n2,,"b ""c"""\n', csv), 200, parts=1, rows=2)
        self.expect(self.one.post(path + "/parts/1", b'1,10,a\n2,,"b ""c"""\n', csv), 200, parts=1, rows=2)
        self.expect(self.one.post(path + "/parts/2", {"rows": [["9223372036854775807", None, "d\n,\""], [4, 40, None]]}), 200, parts=2, rows=4)
        self.expect(self.one.post(path + "/parts/9", b"", csv), 400)
        self.expect(self.one.post(path + "/parts/9", b"5,5,e\n", csv), 409)
        self.expect(self.one.post(path + "/parts/3", b"x,5,e\n", csv), 400, sqlstate="22P02")
        self.expect(self.one.get(path), 200, state="open", parts=2)
        self.assertEqual(self.one.rows("select count(*) from loaded"), [["0"]])
        done = self.expect(self.one.post(path + "/finish"), 200)
        self.assertEqual((done["state"], done["transaction"]["state"]), ("finished", "committed"))
        self.assertEqual(self.expect(self.one.post(path + "/finish"), 200), done)
        self.expect(self.one.post(path + "/parts/3", b"5,5,e\n", csv), 409)
        self.assertEqual(self.one.rows("select * from loaded order by id"),
                         [["1", 10, "a"], ["2", None, "b \"c\""], ["4", 40, None], ["9223372036854775807", None, "d\n,\""]])

    def test_a_load_that_is_given_up_leaves_nothing(self):
        self.table("given_up")
        load = self.expect(self.one.post("/v1/loads", {"table": "given_up"}), 201)
        self.expect(self.one.post(f"/v1/loads/{load['load_id']}/parts/1", b"1,1\n", {"Content-Type": "text/csv"}), 200)
        self.expect(self.one.post(f"/v1/loads/{load['load_id']}/abort"), 200, state="aborted")
        self.assertEqual(self.one.rows("select count(*) from given_up"), [["0"]])
        self.expect(self.one.post("/v1/loads", {"table": "nosuch"}), 400, sqlstate="42P01")
        self.expect(self.one.get("/v1/loads/1.1.1"), 404, "load-unknown")

    def test_exports_are_lines_or_csv(self):
        self.table("exported", "id int8, x text")
        self.expect(self.one.sql("insert into exported select g, 'row ' || g from generate_series(1, 5000) g"), 200)
        lines = self.one.get("/v1/databases/synod/tables/public.exported/export").lines
        self.assertEqual((lines[0]["type"], len(lines), lines[-1]["row_count"]), ("header", 5002, 5000))
        csv = self.one.get("/v1/databases/synod/tables/exported/export?format=csv").body.decode().splitlines()
        self.assertEqual((csv[0], csv[1], len(csv)), ("id,x", "1,row 1", 5001))
        self.expect(self.one.get("/v1/databases/synod/tables/nosuch/export"), 400, sqlstate="42P01")
        self.expect(self.one.get("/v1/databases/nosuch/tables/x/export"), 404, "database-unknown")


class Catalog(Case):
    BASE = "/v1/databases/synod"

    def items(self, path):
        return self.expect(self.one.get(path), 200)["items"]

    def names(self, path):
        return [item["name"] for item in self.items(path)]

    def test_tables_are_made_shown_changed_and_dropped(self):
        self.expect(self.one.sql("drop schema if exists shop cascade"), 200)
        self.expect(self.one.post(self.BASE + "/schemas", {"name": "shop"}), 201, ddl=['create schema "shop"'])
        self.assertIn("shop", self.names(self.BASE + "/schemas"))
        body = {"schema": "shop", "name": "Order", "comment": "it's one", "columns": [
            {"name": "id", "type": "int8", "identity": "always"}, {"name": "total", "type": "numeric(12,2)", "nullable": False, "default": "0"},
            {"name": "state", "type": "text"}], "constraints": [{"definition": "primary key (id)"}, {"name": "positive", "definition": "check (total >= 0)"}]}
        dry = self.expect(self.one.post(self.BASE + "/tables?dry_run=true", body), 201)
        self.assertTrue(dry["dry_run"])
        self.assertEqual(self.names(self.BASE + "/tables?schema=shop"), [])
        self.assertEqual(self.expect(self.one.post(self.BASE + "/tables", body), 201)["ddl"], dry["ddl"])
        path = self.BASE + "/tables/shop.Order"
        # A name that is not in small letters is quoted, as in SQL.
        path = self.BASE + "/tables/shop.%22Order%22"
        table = self.expect(self.one.get(path), 200)
        self.assertEqual(([c["name"] for c in table["columns"]], table["comment"]), (["id", "total", "state"], "it's one"))
        self.assertEqual(sorted(c["kind"] for c in table["constraints"]), ["check", "primary_key"])
        self.expect(self.one.sql('alter table shop."Order" rename to orders'), 200)
        path = self.BASE + "/tables/shop.orders"
        self.expect(self.one.post(path + "/columns", {"name": "note", "type": "text"}), 201)
        self.expect(self.one.ask("PATCH", path + "/columns/note", {"name": "remark", "nullable": False, "default": "''"}), 200)
        columns = self.items(path + "/columns")
        self.assertEqual((columns[-1]["name"], columns[-1]["nullable"]), ("remark", False))
        self.expect(self.one.post(path + "/indexes", {"name": "by_state", "columns": ["state"]}), 201)
        self.assertIn("by_state", self.names(path + "/indexes"))
        self.expect(self.one.ask("DELETE", path + "/indexes/by_state"), 200)
        self.expect(self.one.post(path + "/constraints", {"name": "known", "definition": "check (state <> '')"}), 201)
        self.assertIn("known", self.names(path + "/constraints"))
        self.expect(self.one.post(path + "/constraints/known/actions/delete"), 200)
        self.expect(self.one.post(path + "/columns/remark/actions/delete"), 200)
        self.expect(self.one.get(path + "/statistics"), 200)
        self.expect(self.one.post(self.BASE + "/views", {"schema": "shop", "name": "open_orders", "query": "select id from shop.orders"}), 201)
        self.assertEqual([d["name"] for d in self.items(path + "/dependents")], ["shop.open_orders"])
        view = self.expect(self.one.get(self.BASE + "/views/shop.open_orders"), 200)
        self.assertEqual(([c["name"] for c in view["columns"]], self.names(self.BASE + "/views?schema=shop")), (["id"], ["open_orders"]))
        self.expect(self.one.ask("DELETE", path), 400, sqlstate="2BP01")
        self.expect(self.one.ask("DELETE", self.BASE + "/views/shop.open_orders"), 200)
        self.expect(self.one.ask("PATCH", path, {"name": "bills", "comment": None}), 200)
        self.expect(self.one.ask("DELETE", self.BASE + "/tables/shop.bills?cascade=true"), 200)
        self.expect(self.one.get(path), 404, "table-unknown")
        self.expect(self.one.ask("DELETE", self.BASE + "/schemas/shop"), 200)

    def test_a_change_that_comes_too_late_is_refused(self):
        self.table("tagged")
        path = self.BASE + "/tables/tagged"
        tag = self.one.get(path).headers["ETag"]
        self.expect(self.one.ask("PATCH", path, {"comment": "first"}, {"If-Match": tag}), 200)
        self.expect(self.one.ask("PATCH", path, {"comment": "second"}, {"If-Match": tag}), 412, "precondition-failed")
        self.expect(self.one.ask("PATCH", path, {}), 400)

    def test_sequences_types_and_functions(self):
        self.expect(self.one.sql("drop sequence if exists ticket; drop type if exists mood; drop function if exists plus_one(int)"), 200)
        self.expect(self.one.post(self.BASE + "/sequences", {"name": "ticket", "start": 100, "increment": "5", "cycle": True}), 201)
        self.expect(self.one.get(self.BASE + "/sequences/ticket"), 200, start="100", increment="5", cycle=True)
        self.expect(self.one.ask("PATCH", self.BASE + "/sequences/ticket", {"restart": "7"}), 200)
        self.assertEqual(self.one.rows("select nextval('ticket')"), [["7"]])
        self.assertIn("ticket", self.names(self.BASE + "/sequences"))
        self.expect(self.one.post(self.BASE + "/sequences/ticket/actions/delete"), 200)
        self.expect(self.one.post(self.BASE + "/types", {"name": "mood", "labels": ["sad", "it's ok"]}), 201)
        self.expect(self.one.get(self.BASE + "/types/mood"), 200, kind="enum", labels=["sad", "it's ok"])
        self.assertEqual(self.one.rows("select $1::mood, array['sad'::mood]", "it's ok"), [["it's ok", ["sad"]]])
        self.expect(self.one.ask("DELETE", self.BASE + "/types/mood"), 200)
        self.expect(self.one.post(self.BASE + "/types", {"name": "mood"}), 400, "invalid-value")
        self.expect(self.one.post(self.BASE + "/functions", {"name": "plus_one", "arguments": "a int", "returns": "int", "body": "select a + 1"}), 201)
        self.expect(self.one.get(self.BASE + "/functions/plus_one"), 200, language="sql")
        self.assertIn("plus_one", self.names(self.BASE + "/functions"))
        self.expect(self.one.ask("DELETE", self.BASE + "/functions/plus_one(integer)"), 200)
        self.expect(self.one.get(self.BASE + "/functions/plus_one"), 404, "function-unknown")

    def test_databases_are_made_worked_in_and_dropped(self):
        self.expect(self.one.sql("drop database if exists other"), 200)
        self.expect(self.one.post("/v1/databases", {"name": "other"}), 201)
        self.assertIn("other", self.names("/v1/databases"))
        self.expect(self.one.post("/v1/databases/other/tables", {"name": "there", "columns": [{"name": "a", "type": "int"}]}), 201)
        self.assertEqual(self.names("/v1/databases/other/tables"), ["there"])
        self.assertNotIn("there", self.names(self.BASE + "/tables"))
        self.expect(self.one.ask("PATCH", "/v1/databases/other", {"comment": "the other"}), 200)
        self.expect(self.one.get("/v1/databases/other"), 200, comment="the other")
        self.expect(self.one.get("/v1/databases/nosuch"), 404, "database-unknown")
        self.expect(self.one.get("/v1/databases/nosuch/tables"), 404, "database-unknown")

    def test_lists_come_in_pages(self):
        for name in ("a", "b", "c"):
            self.table("listed_" + name)
        seen, cursor = [], None
        while True:
            answer = self.expect(self.one.get(self.BASE + "/tables?limit=2" + (f"&cursor={cursor}" if cursor else "")), 200)
            self.assertLessEqual(len(answer["items"]), 2)
            seen += [item["name"] for item in answer["items"]]
            cursor = answer["next_cursor"]
            if not cursor:
                break
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual({"listed_a", "listed_b", "listed_c"}, set(seen))

    def test_names_are_names_and_nothing_else(self):
        wild = 'a"; drop table x; --'
        self.expect(self.one.post(self.BASE + "/schemas", {"name": wild}), 201)
        self.assertIn(wild, self.names(self.BASE + "/schemas"))
        self.expect(self.one.ask("DELETE", self.BASE + "/schemas/" + "a%22%3B%20drop%20table%20x%3B%20--"), 200)


class Roles(Case):
    def test_roles_are_made_used_changed_and_dropped(self):
        self.expect(self.one.sql("drop role if exists clerk; drop role if exists office"), 200)
        self.expect(self.one.post("/v1/roles", {"name": "office"}), 201)
        made = self.expect(self.one.post("/v1/roles", {"name": "clerk", "login": True, "password": "pa''ss", "member_of": ["office"]}), 201)
        self.assertNotIn("pa", "".join(made["ddl"]).replace("password", ""))
        role = self.expect(self.one.get("/v1/roles/clerk"), 200)
        self.assertEqual((role["login"], role["superuser"], role["member_of"]), (True, False, ["office"]))
        self.assertIn("clerk", [r["name"] for r in self.expect(self.one.get("/v1/roles"), 200)["items"]])
        self.assertEqual([m["member"] for m in self.expect(self.one.get("/v1/roles/office/members"), 200)["items"]], ["clerk"])
        clerk = self.client(role="clerk", password="pa''ss").open()
        self.table("guarded")
        self.expect(clerk.sql("select * from guarded"), 403, sqlstate="42501")
        grant = {"privileges": ["SELECT"], "kind": "table", "name": "guarded"}
        self.expect(self.one.post("/v1/roles/clerk/grants", grant), 201)
        self.expect(clerk.sql("select * from guarded"), 200)
        grants = self.expect(self.one.get("/v1/roles/clerk/grants"), 200)["items"]
        self.assertIn(("table", "guarded", "SELECT"), [(g["kind"], g["name"], g["privilege"]) for g in grants])
        self.expect(self.one.post("/v1/roles/clerk/grants/revoke", grant), 200)
        self.expect(clerk.sql("select * from guarded"), 403)
        self.expect(clerk.get("/v1/audit-log"), 403)
        self.expect(clerk.get("/metrics"), 403)
        self.expect(clerk.post("/v1/roles", {"name": "more"}), 403)
        self.expect(self.one.ask("PATCH", "/v1/roles/clerk", {"password": "other"}), 200)
        self.expect(self.client(role="clerk", password="pa''ss").sql("select 1"), 401)
        self.expect(self.client(role="clerk", password="other").sql("select 1"), 200)
        self.expect(self.one.ask("DELETE", "/v1/roles/office/members/clerk"), 200)
        self.expect(self.one.post("/v1/roles/office/members", {"member": "clerk", "admin": True}), 201)
        self.expect(self.one.post("/v1/roles/clerk/actions/delete"), 200)
        self.expect(self.one.get("/v1/roles/clerk"), 404, "role-unknown")
        self.expect(self.one.ask("DELETE", "/v1/roles/office"), 200)

    def test_api_keys_open_what_they_are_for_and_no_more(self):
        made = self.expect(self.one.post("/v1/api-keys", {"name": "reader", "scopes": ["read"]}), 201)
        reader = self.client(key=made["api_key"])
        self.assertEqual(reader.rows("select 1"), [[1]])
        self.table("read_only_for_keys")
        self.expect(reader.sql("insert into read_only_for_keys values (1, 1)"), 403)
        self.expect(reader.get("/v1/roles"), 403, "scope-missing")
        self.expect(reader.post("/v1/api-keys", {"scopes": ["sql"]}), 403)
        session = self.expect(reader.post("/v1/sessions", {}), 201)
        self.expect(self.client(key=session["session_key"]).sql("delete from read_only_for_keys"), 403)
        listed = self.expect(self.one.get("/v1/api-keys"), 200)["items"]
        mine = [key for key in listed if key["key_id"] == made["key_id"]][0]
        self.assertEqual((mine["scopes"], mine["name"], "api_key" in mine), (["read"], "reader", False))
        self.assertEqual(self.one.rows("select count(*) from synod_rest.api_key where digest like '%' || $1 || '%'", made["api_key"][-43:]), [["0"]])
        self.expect(self.one.get("/v1/api-keys/" + made["key_id"]), 200)
        self.expect(self.one.ask("DELETE", "/v1/api-keys/" + made["key_id"]), 204)
        for _ in range(4):
            self.expect(reader.sql("select 1"), 401)
        self.expect(self.one.get("/v1/api-keys/" + made["key_id"]), 404)
        old = self.expect(self.one.post("/v1/api-keys", {"expires_at": "2020-01-01T00:00:00Z"}), 201)
        self.expect(self.client(key=old["api_key"]).sql("select 1"), 401)
        figures = self.expect(self.one.post("/v1/api-keys", {"scopes": ["metrics"]}), 201)
        self.expect(self.client(key=figures["api_key"]).get("/metrics"), 200)
        self.expect(self.client(key=figures["api_key"]).sql("select 1"), 403)

    def test_requests_without_a_session_may_page_and_go_on(self):
        plain = self.client()
        first = self.expect(plain.sql("select g from generate_series(1, 10) g", result={"max_rows": 6}), 200)
        rest_of = self.expect(plain.get(f"/v1/statements/{first['statement_id']}/rows?cursor=1"), 200)
        self.assertEqual(rest_of["rows"], [[7], [8], [9], [10]])
        answer = self.expect(plain.sql("select pg_sleep(0.1), 3", wait_ms=0), 202)
        done = self.expect(plain.get(f"/v1/statements/{answer['statement_id']}?wait_ms=60000"), 200)
        self.assertEqual(done["rows"][0][1], 3)
        self.expect(plain.sql("select 1", transaction={"begin": {}}), 401, "session-missing")
        plain.sql("set timezone = 'Asia/Tokyo'")
        self.assertEqual(plain.rows("show timezone"), [["Etc/UTC"]])

    def test_requests_without_a_session_leave_nothing_to_the_next(self):
        plain = self.client()
        self.table("left_by_others", "id serial primary key, n int")
        for left in ("set search_path = pg_catalog", "select set_config('my.own', 'secret', false)", "create temp table left_over (a int)",
                     "prepare left_over as select 1", "select pg_advisory_lock(4711)", "insert into left_by_others (n) values (1)",
                     "set session authorization default", "begin; declare left_over cursor with hold for select 1; commit"):
            self.expect(plain.sql(left), 200)
            for _ in range(2):  # the node has two cores, and a session of each may be taken
                self.assertEqual(plain.rows("show search_path"), [['"$user", public']], left)
                self.assertIn(plain.rows("select current_setting('my.own', true)"), ([[None]], [[""]]), left)
                self.expect(plain.sql("select * from left_over"), 400, sqlstate="42P01")
                self.expect(plain.sql("execute left_over"), 400, sqlstate="26000")
                self.expect(plain.sql("select lastval()"), 409, sqlstate="55000")
                self.assertEqual(plain.rows("select count(*) from pg_cursors where name = 'left_over'"), [["0"]], left)
        self.assertEqual(self.one.rows("select pg_try_advisory_lock(4711)"), [[True]])

    def test_administrative_acts_are_written_down(self):
        self.expect(self.one.sql("drop role if exists written"), 200)
        self.expect(self.one.post("/v1/roles", {"name": "written"}), 201)
        self.expect(self.one.post("/v1/roles", {"name": "written"}), 400, sqlstate="42710")
        entries = self.expect(self.one.get("/v1/audit-log?limit=10"), 200)["items"]
        written = [(e["action"], e["subject"], e["outcome"], e["role"]) for e in entries]
        self.assertIn(("role.create", "written", "done", "synod"), written)
        self.assertIn(("role.create", "written", "failed", "synod"), written)


class Activity(Case):
    def test_activity_locks_and_settings_are_shown(self):
        items = self.expect(self.one.get("/v1/activity"), 200)["items"]
        mine = [item for item in items if item["session_id"] == self.one.session["session_id"]]
        self.assertEqual((len(mine), mine[0]["role"], mine[0]["state"]), (1, "synod", "active"))
        self.assertTrue(all(i["state"] == "idle" for i in self.expect(self.one.get("/v1/activity?state=idle"), 200)["items"]))
        self.expect(self.one.sql("select pg_advisory_lock(7)"), 200)
        locks = self.expect(self.one.get("/v1/locks"), 200)["items"]
        self.assertIn(self.one.session["process_id"], [lock["process_id"] for lock in locks])
        settings = {s["name"]: s for s in self.expect(self.one.get("/v1/settings"), 200)["items"]}
        self.assertEqual(settings["TimeZone"]["value"], "Etc/UTC")

    def test_events_come_once_a_second(self):
        stream = self.client(key=self.one.key)
        stream.send("GET", "/v1/events?topics=metrics,activity&interval_ms=200")
        answer = stream.connection.getresponse()
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
        events = {}
        while not all(events.get(name, 0) >= 2 for name in ("metrics", "activity")):
            name = answer.fp.readline() if not answer.chunked else answer.readline()
            if not name.startswith(b"event: "):
                continue
            data = json.loads(answer.readline()[6:])
            kind = name[7:].strip().decode()
            events[kind] = events.get(kind, 0) + 1
            self.assertIn("latency_us" if kind == "metrics" else "items", data)
        self.expect(self.client(key=self.one.key).sql("select 1"), 200)

    def test_an_operation_is_watched_to_its_end(self):
        started = self.expect(self.one.sql("select pg_sleep(1)", wait_ms=0), 202)
        answer = self.client(key=self.one.key).get(f"/v1/operations/{started['statement_id']}/events")
        self.assertTrue(answer.body.startswith(b"event: progress\n"), answer)
        last = answer.body.decode().strip().split("\n\n")[-1].split("\n")
        self.assertEqual((last[0], json.loads(last[1][6:])["state"]), ("event: end", "complete"))
        slow = self.expect(self.one.sql("select pg_sleep(60)", wait_ms=0), 202)
        self.expect(self.one.post(f"/v1/operations/{slow['statement_id']}/cancel"), 202, told=True)
        ended = self.expect(self.one.get(f"/v1/statements/{slow['statement_id']}?wait_ms=60000"), 200)
        self.assertEqual((ended["status"], ended["problem"]["sqlstate"]), ("cancelled", "57014"))
        self.expect(self.one.get("/v1/operations/nosuch"), 404, "operation-unknown")

    def test_an_operation_is_seen_from_every_core(self):
        slow = self.expect(self.one.sql("select pg_sleep(60)", wait_ms=0), 202)
        path = f"/v1/operations/{slow['statement_id']}"
        others = [self.client().open() for _ in range(4)] + [self.client()]  # sessions go to the cores in turn
        for other in others:
            self.expect(other.get(path), 200, state="running")
            self.assertIn(slow["statement_id"], [item["operation_id"] for item in self.expect(other.get("/v1/operations"), 200)["items"]])
        told = []
        watching = threading.Thread(target=lambda: told.append(others[0].get(path + "/events").body))
        watching.start()
        self.expect(others[1].post(path + "/cancel"), 202, told=True)
        watching.join()
        self.assertIn(b'"state":"cancelled"', told[0].split(b"event: end")[1])
        for other in others[1:]:
            self.expect(other.get(path), 200, state="cancelled")
            self.expect(other.post(path + "/cancel"), 202, told=False)


class Ending(unittest.TestCase):
    def test_a_node_stops_whatever_its_sessions_have_open(self):
        node = rest.Node("--cores", "2")
        clients = [node.client().open() for _ in range(4)]
        clients[0].post("/v1/transactions")
        clients[1].sql("select generate_series(1, 9)", result={"max_rows": 2})
        clients[1].post("/v1/loads", {"table": "nosuch"})
        clients[2].sql("select pg_sleep(60)", wait_ms=0)
        clients[3].send("GET", "/v1/events")
        answer = clients[3].connection.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertEqual(node.server.stop(), 0)
        for client in clients:
            client.close()
        node.end()


class Crowds(Case):
    def test_sessions_that_are_never_closed_end_by_themselves(self):
        opener = self.client()
        keys = []
        for _ in range(2000):
            keys.append(self.expect(opener.post("/v1/sessions", {"idle_timeout_ms": 1000, "application_name": "forgotten"}), 201)["session_key"])
        deadline = time.monotonic() + 60
        while self.one.rows("select count(*) from pg_stat_activity where application_name = 'forgotten'") != [["0"]]:
            self.assertLess(time.monotonic(), deadline)
        for key in keys[::500]:
            self.expect(self.client(key=key).sql("select 1"), 401, "session-expired")

    def test_what_a_session_keeps_of_its_results_is_bounded(self):
        wide = {"sql": "select repeat('x', 1000000) from generate_series(1, 30)", "result": {"max_bytes": 16 << 20, "max_rows": 15}}
        first = [self.expect(self.one.post("/v1/statements", wide), 200)["statement_id"] for _ in range(6)]
        pages = [f"/v1/statements/{one}/rows?cursor=" for one in first]
        for page in pages:
            self.expect(self.one.get(page + "1"), 200)
        again = [self.one.get(page + "1").status for page in pages]
        self.assertEqual((again[0], again[-1], again.count(200)), (404, 200, 4))

    def test_requests_of_one_session_wait_for_their_turn(self):
        answers = []
        self.table("turns")
        self.expect(self.one.sql("insert into turns values (1, 0)"), 200)

        def add():
            client = self.client(key=self.one.key)
            for _ in range(20):
                answers.append(client.sql("update turns set n = n + 1 where id = 1").status)

        threads = [threading.Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(answers), {200})
        self.assertEqual(self.one.rows("select n from turns"), [[160]])

    def test_a_second_statement_of_a_transaction_under_way_is_refused(self):
        name = self.expect(self.one.post("/v1/transactions"), 201)["transaction_id"]
        thread = threading.Thread(target=lambda: self.one.sql("select pg_sleep(1)", transaction={"id": name, "seq": 1}))
        watch = self.client().open()
        thread.start()
        deadline = time.monotonic() + synodd.DEADLINE
        while not watch.rows("select 1 from pg_stat_activity where query = 'select pg_sleep(1)' and state = 'active'"):
            self.assertLess(time.monotonic(), deadline)
        second = self.client(key=self.one.key).sql("select 1", transaction={"id": name, "seq": 2})
        self.expect(second, 409, "transaction-busy", retry="after_delay")
        thread.join()


if __name__ == "__main__":
    synodd.main()
