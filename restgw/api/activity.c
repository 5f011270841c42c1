/* What goes on: sessions, locks, settings, operations, and live pictures as server-sent events. */
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char activity_sql[] =
    "select pid, json_build_object('process_id', pid, 'session_id', $1::json #>> array[pid::text, "
    "'session_id'], "
    "'statement_id', $1::json #>> array[pid::text, 'statement_id'], 'database', datname, 'role', usename, "
    "'application_name', application_name, 'client_address', client_addr, 'backend_type', backend_type, "
    "'state', state, 'wait_event_type', wait_event_type, 'wait_event', wait_event, 'started_at', "
    "backend_start, "
    "'transaction_started_at', xact_start, 'query_started_at', query_start, 'state_changed_at', "
    "state_change, "
    "'query', query) as j, state from pg_catalog.pg_stat_activity";

static bool names_take(struct http_call *call, const char **names)
{
    if (session_names(call->api, call->scope, names, &call->error) == SQLSTATE_OK)
        return true;
    call_fail(call, &call->error);
    return false;
}

void api_list_activity(struct http_call *call)
{
    struct bytes state = http_query(call->exchange, "state");
    const char *values[2] = {NULL, state.data ? scope_text(call->scope, state) : NULL};
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL) || !names_take(call, &values[0]))
        return;
    items_answer(call, NULL, false,
                 call_format(call,
                             "select j from (%s) a where $2::text is null or state = $2::text order by pid",
                             activity_sql),
                 values, 2);
}

void api_list_sessions(struct http_call *call)
{
    const char *values[1];
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL) || !names_take(call, &values[0]))
        return;
    items_answer(call, NULL, false, call_format(call, "select j from (%s) a order by pid", activity_sql),
                 values, 1);
}

void api_list_locks(struct http_call *call)
{
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL))
        return;
    items_answer(
        call, NULL, false,
        "select json_build_object('kind', l.locktype, 'relation', l.relation::regclass::text, 'mode', "
        "l.mode, "
        "'granted', l.granted, 'process_id', l.pid, 'blocked_by', pg_catalog.pg_blocking_pids(l.pid), "
        "'query', a.query) from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = "
        "l.pid "
        "order by l.pid, l.locktype",
        NULL, 0);
}

void api_list_settings(struct http_call *call)
{
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL))
        return;
    items_answer(
        call, NULL, false,
        "select json_build_object('name', name, 'value', setting, 'unit', unit, 'category', category, "
        "'description', short_desc, 'context', context, 'kind', vartype, 'default', boot_val, "
        "'minimum', min_val, 'maximum', max_val, 'choices', enumvals) from pg_catalog.pg_settings order by "
        "name",
        NULL, 0);
}

/* ---- operations: long work, by the id of the statement that does it ---- */

static const char *operation_state(const struct run *run)
{
    static const char *const words[] = {"running", "complete", "failed", "cancelled", "complete"};
    return words[run->status];
}

static void operation_write(struct json_out *out, const struct run *run)
{
    json_out_object(out);
    json_out_name(out, "operation_id");
    json_out_text(out, run->id);
    json_out_name(out, "kind");
    json_out_text(out, "statement");
    json_out_name(out, "state");
    json_out_text(out, operation_state(run));
    json_out_name(out, "progress");
    if (run->status == RUN_COMPLETE)
        json_out_integer(out, 1);
    else
        json_out_null(out);
    json_out_name(out, "rows");
    json_out_integer(out, (int64_t)run->rows);
    json_out_name(out, "role");
    json_out_text(out, run->rest->role);
    json_out_name(out, "started_at");
    json_out_time(out, run->started_us);
    json_out_name(out, "ended_at");
    if (run->ended_us)
        json_out_time(out, run->ended_us);
    else
        json_out_null(out);
    json_out_name(out, "error");
    if (run->answer >= 400 && run->body.data)
        json_out_value(out, run->body);
    else
        json_out_null(out);
    json_out_name(out, "result");
    json_out_format(out, "/v1/statements/%s", run->id);
    json_out_name(out, "cancellable");
    json_out_boolean(out, run->status == RUN_RUNNING);
    json_out_object_end(out);
}

void api_list_operations(struct http_call *call)
{
    runs_answer(call, false, true, (struct bytes){0}, operation_write);
}

/* Writes the operation the path names. False after an answer was given. Yields. */
static bool operation_show(struct http_call *call, struct json_out *out, bool *running)
{
    const char *id = scope_text(call->scope, http_path(call->exchange, "operation_id"));
    if (run_show(call, call->scope, id, out, running, operation_write))
        call_fail(call, &call->error);
    else if (!out->used)
        call_problem(call, 404, "operation-unknown", "Unknown operation", "there is no such operation here");
    return !call->answered;
}

void api_get_operation(struct http_call *call)
{
    struct json_out out;
    bool running;
    json_out_open(&out, call->scope);
    if (operation_show(call, &out, &running))
        call_answer(call, 200, &out);
}

void api_cancel_operation(struct http_call *call)
{
    const char *id = scope_text(call->scope, http_path(call->exchange, "operation_id"));
    struct json_out shown, out;
    bool running;
    json_out_open(&shown, call->scope);
    if (!operation_show(call, &shown, &running))
        return;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "told");
    json_out_boolean(&out, running && run_stop(call, id));
    json_out_object_end(&out);
    call_answer(call, 202, &out);
}

/* ---- server-sent events ---- */

static enum sqlstate event_send(struct http_call *call, const char *event, struct bytes data)
{
    struct error *error = &call->error;
    const char *head = call_format(call, "event: %s\ndata: ", event);
    enum sqlstate failed = http_stream_write(call->exchange, bytes_of_text(head), error);
    if (!failed)
        failed = http_stream_write(call->exchange, data, error);
    if (!failed)
        failed = http_stream_write(call->exchange, bytes_of_text("\n\n"), error);
    return failed ? failed : http_stream_flush(call->exchange, error);
}

/* Its core is asked again and again: a message there and back. The client hears of it once a second, and of the end. */
void api_watch_operation(struct http_call *call)
{
    const char *id = scope_text(call->scope, http_path(call->exchange, "operation_id"));
    struct json_out out;
    bool running;
    json_out_open(&out, call->scope);
    if (!operation_show(call, &out, &running))
        return;
    call->answered = true;
    call->status = 200;
    http_stream_begin(call->exchange, "text/event-stream", NULL, 0);
    enum sqlstate failed = event_send(call, running ? "progress" : "end", json_out_bytes(&out));
    for (uint32_t looks = 1; running && !failed && !call->api->draining; looks++) {
        if (fiber_sleep_until(call->world->scheduler, call->world->now_ns + OPERATION_LOOK_MS * NS_PER_MS) ==
            FIBER_CANCELED)
            break;
        struct scope *work = scope_open(call->scope, "event");
        json_out_open(&out, work);
        failed = run_show(call, work, id, &out, &running, operation_write);
        if (!failed && !out.used)
            running = false; /* forgotten: its session is gone */
        else if (!failed && (!running || looks % OPERATION_LOOKS_A_SECOND == 0))
            failed = event_send(call, running ? "progress" : "end", json_out_bytes(&out));
        scope_close(work);
        if (!failed && http_gone(call->exchange))
            break;
    }
    http_stream_end(call->exchange, !failed);
}

/* What the sessions do, as the list that /v1/activity gives. */
static enum sqlstate activity_event(struct http_call *call, struct scope *work, const char *role)
{
    struct table table;
    struct json_out out;
    struct rest *rest;
    struct error *error = &call->error;
    const char *values[1];
    char address[NET_ADDRESS_TEXT_BYTES];
    enum sqlstate failed = session_names(call->api, work, &values[0], error);
    call_address(call, address);
    const char *database = call->principal.database ? call->principal.database : call->api->options.database;
    /* A session beside the caller's own, which may be busy. */
    if (!failed)
        failed = one_off_take(call->api, role, database, address, &rest, error);
    if (failed)
        return failed;
    struct text sql = text_in(work);
    const char *whole;
    text_format(&sql, "select j from (%s) a order by pid limit 500", activity_sql);
    failed = text_end(&sql, &whole, error);
    if (!failed)
        failed = query_once(rest, work, whole, values, 1, &table, error);
    one_off_give(rest);
    if (failed)
        return failed;
    json_out_open(&out, work);
    json_out_object(&out);
    json_out_name(&out, "items");
    json_out_array(&out);
    for (uint32_t i = 0; i < table.rows; i++)
        json_out_value(&out, table_cell(&table, i, 0));
    json_out_array_end(&out);
    json_out_name(&out, "next_cursor");
    json_out_null(&out);
    json_out_object_end(&out);
    return event_send(call, "activity", json_out_bytes(&out));
}

static bool topic_wanted(struct bytes topics, const char *topic)
{
    return topics.data && memmem(topics.data, topics.size, topic, strlen(topic));
}

void api_watch_events(struct http_call *call)
{
    struct bytes topics = http_query(call->exchange, "topics"),
                 text = http_query(call->exchange, "interval_ms");
    enum sqlstate failed = SQLSTATE_OK;
    uint64_t interval_ms = 1000;
    struct picture picture = {0};
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL))
        return;
    if (text.data)
        interval_ms = strtoull(scope_text(call->scope, text), NULL, 10);
    bool activity = !topics.data || topic_wanted(topics, "activity"),
         metrics = !topics.data || topic_wanted(topics, "metrics"), ended = false;
    const char *role = scope_copy_text(call->scope, call->principal.role);
    call->principal.role = role;
    if (call->principal.database)
        call->principal.database = scope_copy_text(call->scope, call->principal.database);
    call->answered = true;
    call->status = 200;
    http_stream_begin(call->exchange, "text/event-stream", NULL, 0);
    while (!failed && !ended) {
        struct scope *work = scope_open(call->scope, "event");
        struct json_out out;
        json_out_open(&out, work);
        if (metrics) {
            metrics_picture(call->api, &picture, &out);
            failed = event_send(call, "metrics", json_out_bytes(&out));
        }
        if (activity && !failed)
            failed = activity_event(call, work, role);
        scope_close(work);
        ended =
            call->api->draining || (call->rest && call->rest->closing) ||
            (!failed && fiber_sleep_until(call->world->scheduler,
                                          call->world->now_ns + interval_ms * NS_PER_MS) == FIBER_CANCELED);
        if (call->rest && !call->rest->closing)
            call->rest->used_ns = call->world->now_ns;
    }
    http_stream_end(call->exchange, !failed);
}
