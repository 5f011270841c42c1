/* Bulk loads in numbered parts, and exports. A load is a session of its own with one transaction; its id is the session's. Every
 * part is a COPY; the last one may come again and is not loaded twice. */
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum load_state { LOAD_OPEN, LOAD_FINISHED, LOAD_ABORTED };

struct load {
    const char *table, *copy; /* its name; the statement */
    enum load_state state;
    uint32_t parts;
    uint64_t rows;
    uint64_t transaction;
    char delimiter;
    const char *null;
};

void loads_drop(struct rest *rest)
{
    rest->load = NULL;
}

static void load_write(struct json_out *out, struct http_call *call, const struct rest *rest)
{
    static const char *const states[] = {"open", "finished", "aborted"};
    const struct load *load = rest->load;
    const struct outcome *outcome = outcome_find(call->api, load->transaction);
    json_out_object(out);
    json_out_name(out, "load_id");
    json_out_text(out, id_text(call->scope, rest->number));
    json_out_name(out, "table");
    json_out_text(out, load->table);
    json_out_name(out, "state");
    json_out_text(out, states[load->state]);
    json_out_name(out, "parts");
    json_out_integer(out, load->parts);
    json_out_name(out, "rows");
    json_out_integer(out, (int64_t)load->rows);
    if (rest->transaction.number || outcome) {
        json_out_name(out, "transaction");
        if (rest->transaction.number)
            transaction_write(out, rest);
        else
            outcome_write(out, outcome);
    }
    json_out_object_end(out);
}

static void load_answer(struct http_call *call, int status, const struct rest *rest)
{
    struct json_out out;
    json_out_open(&out, call->scope);
    load_write(&out, call, rest);
    call_answer(call, status, &out);
}

/* The session of the load the path names, taken. NULL after an answer was given. Yields. */
static struct rest *load_of(struct http_call *call)
{
    uint64_t number;
    bool is = id_read(http_path(call->exchange, "load_id"), &number);
    uint32_t core = is ? id_core(call->api->shared, number) : 0;
    if (is && core != call->world->core && !call->rest) {
        http_pass_on(call->exchange, core);
        call->answered = true;
        return NULL;
    }
    struct rest *rest = is ? rest_find(call->api, number) : NULL;
    if (!rest || !rest->load || strcmp(rest->role, call->principal.role) != 0) {
        call_problem(call, 404, "load-unknown", "Unknown load", "there is no such load, or it was given up");
        return NULL;
    }
    if (rest_take(rest, &call->error)) {
        call_fail(call, &call->error);
        return NULL;
    }
    call->serving = rest;
    return rest;
}

static void names_list(struct text *text, struct http_call *call, const struct json *list)
{
    if (!list || list->kind != HTTP_ARRAY || !list->count)
        return;
    text_append(text, " (");
    for (const struct json *each = list->children; each; each = each->next) {
        text_append(text, each == list->children ? "" : ", ");
        text_identifier(text, scope_text(call->scope, each->text));
    }
    text_append(text, ")");
}

static enum sqlstate load_begin(struct http_call *call, struct rest *rest)
{
    struct scope *scope = rest->scope;
    struct load *load = scope_alloc_zeroed(scope, sizeof *load);
    struct bytes null = json_text(call->body, "null"), delimiter = json_text(call->body, "delimiter");
    struct text text = text_in(scope);
    const char character[2] = {delimiter.size == 1 ? (char)delimiter.data[0] : ',', '\0'};
    load->table = scope_text(scope, json_text(call->body, "table"));
    load->delimiter = character[0];
    load->null = null.data ? scope_text(scope, null) : "";
    text_append(&text, "copy ");
    relation_write(&text, call, load->table);
    names_list(&text, call, json_member(call->body, "columns"));
    text_append(&text, " from stdin with (format csv, delimiter ");
    text_literal(&text, character);
    text_append(&text, ", null ");
    text_literal(&text, load->null);
    if (json_truth(call->body, "header", false))
        text_append(&text, ", header true");
    text_append(&text, ")");
    enum sqlstate failed = text_end(&text, &load->copy, &call->error);
    if (!failed)
        failed = transaction_open(rest, NULL, &call->error);
    if (failed)
        return failed;
    rest->transaction.wrote = true;
    load->transaction = rest->transaction.number;
    rest->load = load;
    /* A table that is not there, or not the caller's to write, is told now. */
    struct text probe = text_in(call->scope);
    const char *sql;
    text_append(&probe, "select from ");
    relation_write(&probe, call, load->table);
    text_append(&probe, " where false");
    failed = text_end(&probe, &sql, &call->error);
    if (!failed)
        failed = query_run(rest, call->scope, "savepoint synod_load", NULL, 0, NULL, &call->error);
    return failed ? failed : query_run(rest, call->scope, sql, NULL, 0, NULL, &call->error);
}

void api_create_load(struct http_call *call)
{
    char address[NET_ADDRESS_TEXT_BYTES];
    const char *const settings[] = {"application_name", "synod load", NULL};
    struct rest *rest;
    if (!call_allowed(call, SCOPE_SQL))
        return;
    call_address(call, address);
    const struct rest_options options = {
        .role = call->principal.role,
        .database = call->principal.database ? call->principal.database : call->api->options.database,
        .application = "synod load",
        .client = address,
        .settings = settings,
        .scopes = call->principal.scopes,
        .keyed = true,
    };
    enum sqlstate failed = rest_open(call->api, &options, &rest, &call->error);
    if (failed) {
        call_fail(call, &call->error);
        return;
    }
    rest->busy = true;
    failed = load_begin(call, rest);
    if (failed) {
        rest_give(rest);
        rest_close(rest);
        call_fail(call, &call->error);
        return;
    }
    load_answer(call, 201, rest);
    rest_give(rest);
}

void api_get_load(struct http_call *call)
{
    struct rest *rest = load_of(call);
    if (rest)
        load_answer(call, 200, rest);
}

/* ---- parts ---- */

static void csv_field(struct text *text, struct bytes form)
{
    text_append(text, "\"");
    for (size_t i = 0, from = 0; i <= form.size; i++)
        if (i == form.size || form.data[i] == '"') {
            text_bytes(text, bytes_of(form.data + from, i - from));
            if (i < form.size)
                text_append(text, "\"\"");
            from = i + 1;
        }
    text_append(text, "\"");
}

/* Rows of JSON values as CSV. Numbers, strings and so on become the text their type reads; the types are the table's. */
static enum sqlstate rows_csv(struct http_call *call, struct rest *rest, const struct json *rows,
                              struct bytes *csv, struct error *error)
{
    struct text text = text_in(call->scope);
    const char *whole;
    for (const struct json *row = rows->children; row; row = row->next) {
        if (row->kind != HTTP_ARRAY)
            return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "rows holds arrays of values");
        for (const struct json *value = row->children; value; value = value->next) {
            struct bytes form;
            const char separator[2] = {rest->load->delimiter, '\0'};
            if (value != row->children)
                text_append(&text, separator);
            if (value->kind == HTTP_NULL) {
                text_append(&text, rest->load->null);
                continue;
            }
            enum sqlstate failed =
                value->kind == HTTP_OBJECT
                    ? parameter_form(session_environment(rest->session), call->scope, 1, value, TYPE_JSONB,
                                     &form, error)
                    : parameter_form(session_environment(rest->session), call->scope, 1, value,
                                     value->kind == HTTP_ARRAY ? TYPE_ARRAY_OF_TEXT : TYPE_TEXT, &form,
                                     error);
            if (failed)
                return failed;
            csv_field(&text, form);
        }
        text_append(&text, "\n");
    }
    enum sqlstate failed = text_end(&text, &whole, error);
    *csv = bytes_of(whole, text.size);
    return failed;
}

static enum sqlstate part_copy(struct http_call *call, struct rest *rest, struct bytes csv, uint64_t *rows)
{
    struct result *result = scope_alloc(call->scope, sizeof *result);
    char command[64];
    int64_t count;
    /* What went before in the transaction stays when a part is refused. */
    enum sqlstate failed = query_run(rest, call->scope, "savepoint synod_load", NULL, 0, NULL, &call->error);
    if (failed)
        return failed;
    result_begin(result, rest, call->scope, RESULT_COPY);
    result->input = csv;
    failed = session_query(rest->session, rest->load->copy, &call->error);
    rest->result = NULL;
    if (failed) {
        struct error second = {0};
        (void)query_run(rest, call->scope, "rollback to savepoint synod_load", NULL, 0, NULL, &second);
        return failed;
    }
    tag_read(result->tag, command, &count);
    *rows = count > 0 ? (uint64_t)count : 0;
    return query_run(rest, call->scope, "release savepoint synod_load", NULL, 0, NULL, &call->error);
}

void api_put_load_part(struct http_call *call)
{
    struct bytes text = http_path(call->exchange, "part"), type = http_header(call->exchange, "content-type");
    uint64_t part = 0, rows = 0;
    for (size_t i = 0; i < text.size && i < 9; i++)
        part = part * 10 + (uint64_t)(text.data[i] - '0');
    bool json = !(type.size >= 8 && memcmp(type.data, "text/csv", 8) == 0);
    const struct json *body = json ? http_json(call->exchange) : NULL;
    if (json && !body) {
        call->answered = true;
        return;
    }
    struct rest *rest = load_of(call);
    if (!rest)
        return;
    struct load *load = rest->load;
    if (load->state != LOAD_OPEN) {
        (void)error_set(&call->error, SQLSTATE_INVALID_TRANSACTION_STATE, "the load is over");
        call_fail(call, &call->error);
        return;
    }
    if (part > 0 && part == load->parts) {
        load_answer(call, 200, rest);
        return;
    }
    if (part != load->parts + 1) {
        (void)error_set(&call->error, SQLSTATE_INVALID_TRANSACTION_STATE,
                        "the next part of the load is number %u", load->parts + 1);
        call_fail(call, &call->error);
        return;
    }
    struct bytes csv = http_body(call->exchange);
    enum sqlstate failed =
        json ? rows_csv(call, rest, json_member(body, "rows"), &csv, &call->error) : SQLSTATE_OK;
    if (!failed)
        failed = part_copy(call, rest, csv, &rows);
    if (failed) {
        call_fail(call, &call->error);
        return;
    }
    load->parts++;
    load->rows += rows;
    load_answer(call, 200, rest);
}

static void load_end(struct http_call *call, enum load_state state)
{
    struct rest *rest = load_of(call);
    if (!rest)
        return;
    struct load *load = rest->load;
    if (load->state == state) {
        load_answer(call, 200, rest);
        return;
    }
    if (load->state != LOAD_OPEN) {
        (void)error_set(&call->error, SQLSTATE_INVALID_TRANSACTION_STATE, "the load is over");
        call_fail(call, &call->error);
        return;
    }
    enum sqlstate failed = transaction_finish(rest, state == LOAD_FINISHED, &call->error);
    load->state = failed ? LOAD_ABORTED : state;
    if (failed)
        call_fail(call, &call->error);
    else
        load_answer(call, 200, rest);
}

void api_finish_load(struct http_call *call)
{
    load_end(call, LOAD_FINISHED);
}

void api_abort_load(struct http_call *call)
{
    load_end(call, LOAD_ABORTED);
}

/* ---- exports ---- */

static void csv_export(struct http_call *call, struct rest *rest, const char *sql)
{
    struct result *result = scope_alloc(call->scope, sizeof *result);
    result_begin(result, rest, call->scope, RESULT_COPY);
    result->exchange = call->exchange;
    result->content_type = "text/csv; charset=utf-8";
    enum sqlstate failed = session_query(rest->session, sql, &call->error);
    rest->result = NULL;
    if (failed && !result->streaming) {
        call_fail(call, &call->error);
        return;
    }
    call->answered = true;
    call->status = 200;
    struct error error = {0};
    if (!failed)
        failed = result_send(result, &error);
    /* CSV has no words for a failure: the stream is cut, which no client takes for its end. */
    http_stream_end(call->exchange, !failed);
}

void api_export_table(struct http_call *call)
{
    const char *database = scope_text(call->scope, http_path(call->exchange, "database")),
               *table = scope_text(call->scope, http_path(call->exchange, "table")), *sql;
    struct bytes format = http_query(call->exchange, "format");
    bool csv = format.size == 3;
    if (!call_allowed(call, SCOPE_SQL | SCOPE_READ))
        return;
    struct rest *rest = call_session(call, database);
    struct text text = text_in(call->scope);
    if (!rest)
        return;
    text_append(&text, csv ? "copy (select * from " : "select * from ");
    relation_write(&text, call, table);
    if (csv)
        text_append(&text, ") to stdout with (format csv, header true)");
    enum sqlstate failed = text_end(&text, &sql, &call->error);
    if (!failed)
        failed = cursors_settle(rest, &call->error);
    if (failed) {
        call_fail(call, &call->error);
        return;
    }
    if (csv) {
        csv_export(call, rest, sql);
        return;
    }
    struct statement_request request = {.sql = sql, .wait_ms = -1, .lines = true};
    result_options_read(NULL, &request.options);
    memcpy(request.id, call->id, sizeof call->id);
    lines_answer(call, rest, &request);
}
