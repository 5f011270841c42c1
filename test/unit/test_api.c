/* The REST interface on a core of its own, its loops played by test/fuzz/fake_loop.c: what needs no socket to be seen. */
#include "base/scheduler.h"
#include "base/scope.h"
#include "restgw/http/json_in.h"
#include "test/fuzz/database.h"
#include "test/fuzz/fake_loop.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct fake_door *door;

static void open_door(struct client *client)
{
    door = fake_open(client->world, client->world->scope, client->sessions);
    database_at_end(fake_close, door);
}

static const struct json *document(struct scope *scope, struct bytes text)
{
    const struct json *value;
    struct error error;
    ck_assert_msg(!json_read(scope, text, &value, &error), "%s", error_text(&error, ERROR_MESSAGE));
    return value;
}

static void expect(struct scope *scope, const struct fake_answer *answer, int status, const char *type)
{
    ck_assert_msg(answer->status == status, "%d %.*s", answer->status, (int)answer->body.size,
                  (const char *)answer->body.data);
    if (!type)
        return;
    struct bytes said = json_text(document(scope, answer->body), "type");
    ck_assert_msg(said.size >= strlen(type) &&
                      memcmp(said.data + said.size - strlen(type), type, strlen(type)) == 0,
                  "%.*s", (int)said.size, (const char *)said.data);
}

static bool contains(struct bytes text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static const char basic[] = "Basic c3lub2Q6c2VjcmV0"; /* synod:secret */

/* ---- answers ---- */

static void play_answers(struct client *client, void *argument)
{
    struct fake_answer answer;
    open_door(client);
    fake_post(door, client->scope, "/v1/statements",
              "{\"sql\":\"select $1::int + 1, $2::int8, $3::numeric, "
              "null\",\"params\":[41,\"9223372036854775807\",\"1.50\"]}",
              &answer);
    expect(client->scope, &answer, 200, NULL);
    ck_assert(contains(answer.body, "\"rows\":[[42,\"9223372036854775807\",\"1.50\",null]]"));
    fake_post(door, client->scope, "/v1/statements", "{\"sql\":\"select 1/0\"}", &answer);
    expect(client->scope, &answer, 400, "data-exception");
    fake_post(door, client->scope, "/v1/statements", "{\"sql\":\"select 1\",\"nosuch\":1}", &answer);
    expect(client->scope, &answer, 400, "unknown-member");
    fake_post(door, client->scope, "/v1/statements", "{\"sql\":", &answer);
    expect(client->scope, &answer, 400, "malformed-json");
    const struct fake_request stranger = {
        .method = "POST", .target = "/v1/statements", .body = bytes_of_text("{\"sql\":\"select 1\"}")};
    fake_ask(door, client->scope, &stranger, &answer);
    expect(client->scope, &answer, 401, "credentials-missing");
    const struct fake_request forged = {
        .method = "GET", .target = "/v1/sessions/current", .authorization = "Bearer syns_AAAA"};
    fake_ask(door, client->scope, &forged, &answer);
    expect(client->scope, &answer, 401, "session-expired");
}

START_TEST(statements_are_answered_and_refused)
{
    database_try(NULL, play_answers, NULL);
}
END_TEST

/* ---- clients that go ---- */

static const char *active_statements(struct scope *scope)
{
    struct fake_answer answer;
    fake_post(door, scope, "/v1/statements",
              "{\"sql\":\"select count(*)::int from pg_stat_activity where state = 'active' and query like "
              "'%watched%' "
              "and pid <> pg_backend_pid()\"}",
              &answer);
    expect(scope, &answer, 200, NULL);
    return contains(answer.body, "\"rows\":[[0]]") ? "none" : "some";
}

static void play_gone(struct client *client, void *argument)
{
    struct fake_request request = {.method = "POST",
                                   .target = "/v1/statements",
                                   .authorization = basic,
                                   .body = bytes_of_text("{\"sql\":\"select pg_sleep(60) as watched\"}"),
                                   .gone_after_ms = 20};
    struct fake_answer answer;
    open_door(client);
    uint64_t began_ns = client->world->now_ns;
    fake_ask(door, client->scope, &request, &answer);
    ck_assert_int_eq(answer.status, 0);
    ck_assert_uint_lt(client->world->now_ns - began_ns, 30 * 1000000000UL);
    ck_assert_str_eq(active_statements(client->scope), "none");
}

START_TEST(a_client_that_goes_takes_its_statement_along)
{
    database_try(NULL, play_gone, NULL);
}
END_TEST

static void play_stream(struct client *client, void *argument)
{
    const char *sql = "{\"sql\":\"select g, 'watched' from generate_series(1, 200000) g\"}";
    struct fake_request request = {.method = "POST",
                                   .target = "/v1/statements",
                                   .authorization = basic,
                                   .accept = "application/x-ndjson",
                                   .body = bytes_of_text(sql)};
    struct fake_answer answer;
    open_door(client);
    fake_ask(door, client->scope, &request, &answer);
    expect(client->scope, &answer, 200, NULL);
    ck_assert(answer.whole && memcmp(answer.body.data, "{\"type\":\"header\"", 16) == 0);
    ck_assert(contains(bytes_of(answer.body.data + answer.body.size - 300, 300),
                       "\n{\"type\":\"end\",\"status\":\"complete\""));
    size_t lines = 0;
    for (size_t i = 0; i < answer.body.size; i++)
        lines += answer.body.data[i] == '\n';
    ck_assert_uint_eq(lines, 200002);
    request.gone_after_bytes = 100000;
    fake_ask(door, client->scope, &request, &answer);
    ck_assert(!answer.whole);
    ck_assert_uint_lt(answer.body.size, 400000); /* what was under way when it went, and no more */
    ck_assert_str_eq(active_statements(client->scope), "none");
}

START_TEST(a_stream_ends_with_its_last_line_or_with_its_client)
{
    database_try(NULL, play_stream, NULL);
}
END_TEST

/* ---- sessions ---- */

static void play_session(struct client *client, void *argument)
{
    struct fake_answer answer;
    char authorization[160];
    open_door(client);
    fake_post(door, client->scope, "/v1/sessions", "{\"settings\":{\"timezone\":\"Asia/Tokyo\"}}", &answer);
    expect(client->scope, &answer, 201, NULL);
    struct bytes key = json_text(document(client->scope, answer.body), "session_key");
    snprintf(authorization, sizeof authorization, "Bearer %.*s", (int)key.size, (const char *)key.data);
    struct fake_request request = {.method = "POST",
                                   .target = "/v1/statements",
                                   .authorization = authorization,
                                   .body = bytes_of_text("{\"sql\":\"show timezone\"}")};
    fake_ask(door, client->scope, &request, &answer);
    ck_assert(contains(answer.body, "Asia/Tokyo"));
    request.target = "/v1/sessions/current/close";
    request.body = bytes_of(NULL, 0);
    fake_ask(door, client->scope, &request, &answer);
    ck_assert_int_eq(answer.status, 204);
    request.target = "/v1/statements";
    request.body = bytes_of_text("{\"sql\":\"select 1\"}");
    fake_ask(door, client->scope, &request, &answer);
    expect(client->scope, &answer, 401, "session-expired");
}

START_TEST(a_session_lives_until_it_is_closed)
{
    database_try(NULL, play_session, NULL);
}
END_TEST

/* ---- many sessions ---- */

static void play_many(struct client *client, void *argument)
{
    enum { SESSIONS = 256 };
    struct budget *budget = scope_budget(client->world->scope);
    size_t used = 0;
    open_door(client);
    for (int i = 0; i < 2 * SESSIONS; i++) {
        struct scope *scope = scope_open(client->scope, "answer");
        struct fake_answer answer;
        fake_post(door, scope, "/v1/sessions", "{}", &answer);
        ck_assert_int_eq(answer.status, 201);
        scope_close(scope);
        if (i == SESSIONS - 1)
            used = budget->used;
    }
    size_t bytes = (budget->used - used) / SESSIONS;
#ifdef UNIT_SANITIZED /* pieces of scopes have margins then */
    ck_assert_uint_le(bytes, 12288);
#else
    ck_assert_uint_le(bytes, 8192);
#endif
}

START_TEST(an_idle_session_takes_8_kib_at_most)
{
    database_try(NULL, play_many, NULL);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("api");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, statements_are_answered_and_refused);
    tcase_add_test(tests, a_client_that_goes_takes_its_statement_along);
    tcase_add_test(tests, a_stream_ends_with_its_last_line_or_with_its_client);
    tcase_add_test(tests, a_session_lives_until_it_is_closed);
    tcase_add_test(tests, an_idle_session_takes_8_kib_at_most);
    return unit_run(tests);
}
