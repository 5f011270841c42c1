/* Lists and single things that a query gives as JSON, one text a row. */
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t query_number(struct http_call *call, const char *name, uint64_t otherwise)
{
    struct bytes text = http_query(call->exchange, name);
    uint64_t number = 0;
    if (!text.data || text.size == 0 || text.size > 15)
        return otherwise;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return otherwise;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return number;
}

bool query_truth(struct http_call *call, const char *name)
{
    struct bytes text = http_query(call->exchange, name);
    return text.size == 4 && memcmp(text.data, "true", 4) == 0;
}

static enum sqlstate rows_get(struct http_call *call, const char *database, bool house, const char *sql,
                              const char *const *values, uint32_t count, struct table *table)
{
    if (house)
        return query_house(call->api, call->scope, database ? database : call->api->options.database, sql,
                           values, count, table, &call->error);
    struct rest *rest = call_reader(call, database);
    if (!rest)
        return SQLSTATE_CONNECTION_DOES_NOT_EXIST;
    return session_status(rest->session) == 'I'
               ? query_once(rest, call->scope, sql, values, count, table, &call->error)
               : query_run(rest, call->scope, sql, values, count, table, &call->error);
}

void items_answer(struct http_call *call, const char *database, bool house, const char *sql,
                  const char *const *values, uint32_t count)
{
    uint64_t limit = query_number(call, "limit", 1000), offset = query_number(call, "cursor", 0);
    struct table table;
    struct json_out out;
    const char *paged = call_format(call, "%s limit %" PRIu64 " offset %" PRIu64, sql, limit + 1, offset);
    if (rows_get(call, database, house, paged, values, count, &table)) {
        if (!call->answered)
            call_fail(call, &call->error);
        return;
    }
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "items");
    json_out_array(&out);
    for (uint32_t i = 0; i < table.rows && i < limit; i++)
        json_out_value(&out, table_cell(&table, i, 0));
    json_out_array_end(&out);
    json_out_name(&out, "next_cursor");
    if (table.rows > limit)
        json_out_format(&out, "%" PRIu64, offset + limit);
    else
        json_out_null(&out);
    json_out_object_end(&out);
    call_answer(call, 200, &out);
}

/* What the thing looks like, short: for If-Match. */
static const char *etag_of(struct http_call *call, struct bytes body)
{
    return call_format(call, "\"%016" PRIx64 "\"",
                       map_hash((struct map_seed){{0x73796e6f64, 0x65746167}}, body));
}

void item_answer(struct http_call *call, const char *database, bool house, const char *what, const char *sql,
                 const char *const *values, uint32_t count)
{
    struct table table;
    if (rows_get(call, database, house, sql, values, count, &table)) {
        if (!call->answered)
            call_fail(call, &call->error);
        return;
    }
    if (!table.rows || !table_cell(&table, 0, 0).data) {
        call_problem(call, 404, call_format(call, "%s-unknown", what), call_format(call, "Unknown %s", what),
                     call_format(call, "there is no such %s", what));
        return;
    }
    struct bytes body = table_cell(&table, 0, 0);
    call_reply(call, 200, JSON_TYPE, "etag", etag_of(call, body), body);
}

bool item_matches(struct http_call *call, const char *database, const char *what, const char *sql,
                  const char *const *values, uint32_t count)
{
    struct bytes wanted = http_header(call->exchange, "if-match");
    struct table table;
    if (!wanted.data || (wanted.size == 1 && wanted.data[0] == '*'))
        return true;
    if (rows_get(call, database, false, sql, values, count, &table)) {
        if (!call->answered)
            call_fail(call, &call->error);
        return false;
    }
    if (!table.rows || !table_cell(&table, 0, 0).data) {
        call_problem(call, 404, call_format(call, "%s-unknown", what), call_format(call, "Unknown %s", what),
                     call_format(call, "there is no such %s", what));
        return false;
    }
    const char *now = etag_of(call, table_cell(&table, 0, 0));
    if (wanted.size == strlen(now) && memcmp(wanted.data, now, wanted.size) == 0)
        return true;
    call_problem(call, 412, "precondition-failed", "Precondition failed",
                 "it has changed since it was read: read it again");
    return false;
}

/* ---- DDL ---- */

void ddl_add(struct ddl *ddl, struct text *text)
{
    struct http_call *call = ddl->call;
    const char *whole;
    check(ddl->count < sizeof ddl->text / sizeof ddl->text[0]);
    ddl->text[ddl->count] = "";
    if (text_end(text, &whole, &call->error) == SQLSTATE_OK)
        ddl->text[ddl->count] = whole;
    ddl->count++;
}

static enum sqlstate ddl_execute(struct ddl *ddl, struct rest *rest)
{
    struct http_call *call = ddl->call;
    bool alone = session_status(rest->session) == 'I';
    enum sqlstate failed = cursors_settle(rest, &call->error);
    struct result *result = scope_alloc(call->scope, sizeof *result);
    result_begin(result, rest, call->scope, RESULT_CELLS);
    /* Several are one transaction; one alone may be a statement that must not be in any (CREATE DATABASE). */
    bool block = alone && ddl->count > 1;
    if (!failed && block)
        failed = session_query(rest->session, "begin", &call->error);
    for (uint32_t i = 0; i < ddl->count && !failed; i++)
        failed = session_query(rest->session, ddl->text[i], &call->error);
    struct error second = {0};
    if (block && !failed)
        failed = session_query(rest->session, "commit", &call->error);
    if (block && failed)
        (void)session_query(rest->session, "rollback", &second);
    rest->result = NULL;
    if (!alone)
        rest->transaction.wrote = true;
    return failed;
}

/* A password in what is answered would end in somebody's log. */
static void ddl_text_write(struct json_out *out, const char *text)
{
    static const char word[] = " password '";
    const char *at = strstr(text, word);
    if (!at)
        json_out_text(out, text);
    else
        json_out_format(out, "%.*s password '...'", (int)(at - text), text);
}

void ddl_run(struct ddl *ddl, const char *database, int status, const char *action, const char *subject)
{
    struct http_call *call = ddl->call;
    bool dry = query_truth(call, "dry_run");
    struct json_out out;
    if (call->answered)
        return;
    if (!dry) {
        struct rest *rest = call_session(call, database);
        if (!rest)
            return;
        if (ddl_execute(ddl, rest)) {
            struct error kept = call->error;
            audit_write(call, call->principal.role, action, subject, "failed");
            call_fail(call, &kept);
            return;
        }
        audit_write(call, call->principal.role, action, subject, "done");
    }
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "ddl");
    json_out_array(&out);
    for (uint32_t i = 0; i < ddl->count; i++)
        ddl_text_write(&out, ddl->text[i]);
    json_out_array_end(&out);
    json_out_name(&out, "dry_run");
    json_out_boolean(&out, dry);
    json_out_object_end(&out);
    call_answer(call, status, &out);
}
