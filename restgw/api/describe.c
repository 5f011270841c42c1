/* Statements looked at without being run: describe and explain. And batches: several statements in one request. */
#include "restgw/api/inside.h"

#include <string.h>

/* Ends the implicit transaction that preparing began, as it went. */
static void look_end(struct http_call *call, struct rest *rest, bool failed)
{
    struct error second = {0};
    (void)session_sync(rest->session, failed, &second);
    if (failed && !call->answered)
        call_fail(call, &call->error);
}

void api_describe_statement(struct http_call *call)
{
    struct rest *rest = call_allowed(call, SCOPE_SQL | SCOPE_READ) ? call_session(call, NULL) : NULL;
    struct ready ready;
    struct json_out out;
    if (!rest)
        return;
    const struct json *types = json_member(call->body, "param_types");
    uint32_t count = types && types->kind == HTTP_ARRAY ? types->count : 0, at = 0;
    uint32_t *oids = scope_alloc_zeroed(call->scope, (count + 1) * sizeof *oids);
    for (const struct json *type = count ? types->children : NULL; type; type = type->next, at++)
        oids[at] = type->kind == HTTP_STRING ? type_named(scope_text(call->scope, type->text)) : 0;
    const char *sql = scope_text(call->scope, json_text(call->body, "sql"));
    enum sqlstate failed = cursors_settle(rest, &call->error);
    if (!failed)
        failed = session_prepare(rest->session, "", sql, oids, count, &call->error);
    if (!failed)
        failed = ready_describe(rest, call->scope, "", &ready, &call->error);
    if (!failed) {
        json_out_open(&out, call->scope);
        json_out_object(&out);
        json_out_name(&out, "kind");
        json_out_text(&out, ready.kind);
        json_out_name(&out, "read_only");
        json_out_boolean(&out, ready.reads_only);
        json_out_name(&out, "params");
        parameters_write(&out, session_environment(rest->session), ready.types, ready.parameters);
        json_out_name(&out, "columns");
        if (ready.columns.data)
            json_out_value(&out, ready.columns);
        else
            json_out_null(&out);
        json_out_object_end(&out);
        call_answer(call, 200, &out);
    }
    look_end(call, rest, failed != SQLSTATE_OK);
}

/* ---- explain ---- */

/* Runs EXPLAIN with the statement's parameters, into cells. */
static enum sqlstate explain_run(struct http_call *call, struct rest *rest, const char *options,
                                 struct table *table)
{
    struct error *error = &call->error;
    struct parameters parameters;
    const struct json *params = json_member(call->body, "params");
    const char *sql =
        call_format(call, "explain (%s) %s", options, scope_text(call->scope, json_text(call->body, "sql")));
    enum sqlstate failed = parameters_read(
        rest, call->scope, params && params->kind == HTTP_ARRAY ? params : NULL, &parameters, error);
    if (failed)
        return failed;
    struct result *result = scope_alloc(call->scope, sizeof *result);
    struct bytes *forms = scope_alloc(call->scope, (parameters.count + 1) * sizeof *forms);
    for (uint32_t i = 0; i < parameters.count && !failed; i++)
        failed = parameter_form(session_environment(rest->session), call->scope, i + 1, parameters.value[i],
                                parameters.type[i], &forms[i], error);
    result_begin(result, rest, call->scope, RESULT_CELLS);
    const struct session_bind bind = {
        .portal = "", .statement = "", .parameters = parameters.count, .values = forms};
    if (!failed)
        failed = session_prepare(rest->session, "", sql, parameters.type, parameters.count, error);
    if (!failed)
        failed = session_bind(rest->session, &bind, error);
    if (!failed)
        failed = session_execute(rest->session, "", 0, error);
    rest->result = NULL;
    *table = result->table;
    return failed;
}

void api_explain_statement(struct http_call *call)
{
    struct rest *rest = call_allowed(call, SCOPE_SQL | SCOPE_READ) ? call_session(call, NULL) : NULL;
    struct table tree = {0}, text = {0};
    struct json_out out;
    if (!rest)
        return;
    bool analyze = json_truth(call->body, "analyze", false), alone = session_status(rest->session) == 'I';
    const char *verbose = json_truth(call->body, "verbose", false) ? "verbose on, " : "";
    enum sqlstate failed = cursors_settle(rest, &call->error);
    if (!failed && analyze && !(rest->scopes & SCOPE_SQL))
        failed = error_set(&call->error, STATE_PRIVILEGE, "the API key is only for statements that read");
    /* What is analyzed is run, and undone. */
    if (!failed && analyze)
        failed = query_run(rest, call->scope, alone ? "begin" : "savepoint synod_explain", NULL, 0, NULL,
                           &call->error);
    if (!failed)
        failed = explain_run(
            call, rest, call_format(call, "%s%sformat json", verbose, analyze ? "analyze on, " : ""), &tree);
    if (!failed)
        failed = explain_run(call, rest, call_format(call, "%scosts on", verbose), &text);
    if (analyze) {
        struct error second = {0};
        (void)query_run(rest, call->scope, alone ? "rollback" : "rollback to savepoint synod_explain", NULL,
                        0, NULL, &second);
    }
    if (!failed) {
        json_out_open(&out, call->scope);
        json_out_object(&out);
        json_out_name(&out, "plan");
        json_out_value(&out, tree.rows ? table_cell(&tree, 0, 0) : bytes_of_text("null"));
        struct text lines = text_in(call->scope);
        const char *whole;
        for (uint32_t i = 0; i < text.rows; i++) {
            text_bytes(&lines, table_cell(&text, i, 0));
            text_append(&lines, "\n");
        }
        failed = text_end(&lines, &whole, &call->error);
        json_out_name(&out, "text");
        json_out_text(&out, failed ? "" : whole);
        json_out_object_end(&out);
        call_answer(call, 200, &out);
    }
    look_end(call, rest, failed && !call->answered);
}

/* ---- batches ---- */

enum { STEP_SKIPPED, STEP_OK, STEP_FAILED };

/* {"ok": n}, {"error": n}, {"not": c}, {"and": [..]}, {"or": [..]}: as deep as JSON may be. */
static bool condition_holds(const struct json *condition, const uint8_t *done, uint32_t before)
{
    const struct json *member;
    if ((member = json_member(condition, "ok")) && member->kind == HTTP_INTEGER)
        return member->integer >= 0 && member->integer < before && done[member->integer] == STEP_OK;
    if ((member = json_member(condition, "error")) && member->kind == HTTP_INTEGER)
        return member->integer >= 0 && member->integer < before && done[member->integer] == STEP_FAILED;
    if ((member = json_member(condition, "not")))
        return !condition_holds(member, done, before);
    if ((member = json_member(condition, "and"))) {
        for (const struct json *each = member->children; each; each = each->next)
            if (!condition_holds(each, done, before))
                return false;
        return true;
    }
    if ((member = json_member(condition, "or")))
        for (const struct json *each = member->children; each; each = each->next)
            if (condition_holds(each, done, before))
                return true;
    return false;
}

static void step_problem(struct http_call *call, struct rest *rest, struct json_out *out, uint32_t index)
{
    struct problem problem = call_problem_of(call, rest, &call->error);
    problem.statement_index = (int32_t)index;
    problem.request_id = call->head->id;
    json_out_object(out);
    json_out_name(out, "status");
    json_out_text(out, "failed");
    json_out_name(out, "problem");
    problem_write(&problem, out);
    json_out_object_end(out);
}

static uint8_t step_run(struct http_call *call, struct rest *rest, const struct json *step, uint32_t index,
                        const uint8_t *done, struct json_out *out)
{
    const struct json *condition = json_member(step, "if");
    struct statement_request request;
    struct result *result;
    struct run *run = NULL;
    if (condition && condition->kind == HTTP_OBJECT && !condition_holds(condition, done, index)) {
        json_out_object(out);
        json_out_name(out, "status");
        json_out_text(out, "skipped");
        json_out_object_end(out);
        return STEP_SKIPPED;
    }
    error_clear(&call->error);
    enum sqlstate failed = request_read(call->scope, step, &request, &call->error);
    if (!failed) {
        const struct json *options = json_member(call->body, "result");
        result_options_read(options, &request.options);
        request.timeout_ms = (uint32_t)json_integer(call->body, "timeout_ms", 0);
        uint8_t id[16];
        world_random(call->world, id, sizeof id);
        uuid_write(id, request.id);
        struct json_out body;
        json_out_open(&body, call->scope);
        result = scope_alloc(call->scope, sizeof *result);
        result_begin(result, rest, call->scope, RESULT_PAGE);
        result->options = request.options;
        failed = cursors_settle(rest, &call->error);
        if (!failed)
            failed = statement_run(rest, &request, result, &run, &body, &call->error);
        rest->result = NULL;
        if (!failed) {
            if (run) {
                run->status = RUN_COMPLETE;
                run_keep(run, 200, json_out_bytes(&body));
            }
            json_out_value(out, json_out_bytes(&body));
        }
    }
    if (failed)
        step_problem(call, rest, out, index);
    return failed ? STEP_FAILED : STEP_OK;
}

static void batch_answer(struct http_call *call, struct rest *rest, struct json_out *results)
{
    struct json_out out;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "results");
    json_out_value(&out, json_out_bytes(results));
    json_out_name(&out, "transaction");
    transaction_write(&out, rest);
    json_out_object_end(&out);
    call_answer(call, 200, &out);
}

void api_create_batch(struct http_call *call)
{
    if (http_header(call->exchange, "idempotency-key").data) {
        call_problem(call, 400, "invalid-header", "Invalid header",
                     "Idempotency-Key is for single statements: a batch in a transaction has its outcome");
        return;
    }
    struct rest *rest = call_allowed(call, SCOPE_SQL | SCOPE_READ) ? call_session(call, NULL) : NULL;
    if (!rest)
        return;
    const struct json *steps = json_member(call->body, "steps"),
                      *selector = json_member(call->body, "transaction");
    bool atomic = json_truth(call->body, "atomic", false), own = false, replay;
    struct json_out results;
    uint8_t *done = scope_alloc_zeroed(call->scope, steps->count + 1);
    enum sqlstate failed = SQLSTATE_OK;
    if (selector && selector->kind == HTTP_OBJECT)
        failed = selector_take(rest, selector, &replay, &call->error);
    else if (rest->transaction.named)
        failed = selector_take(rest, NULL, &replay, &call->error);
    else if (atomic && session_status(rest->session) == 'I') {
        failed = transaction_open(rest, NULL, &call->error);
        own = !failed;
    }
    if (failed) {
        call_fail(call, &call->error);
        return;
    }
    json_out_open(&results, call->scope);
    json_out_array(&results);
    uint32_t index = 0;
    for (const struct json *step = steps->children; step; step = step->next, index++) {
        done[index] = step_run(call, rest, step, index, done, &results);
        if (done[index] == STEP_FAILED && atomic)
            break;
    }
    json_out_array_end(&results);
    bool broken = atomic && index < steps->count;
    struct error second = {0};
    if (own && rest->transaction.number) {
        struct error *said = broken ? &second : &call->error;
        failed = transaction_finish(rest, !broken, said);
    }
    if (broken || failed) {
        struct problem problem = call_problem_of(call, rest, &call->error);
        if (broken)
            problem.statement_index = (int32_t)index;
        if (own && !failed)
            problem.transaction_state = "rolled_back";
        call_refuse(call, &problem);
        return;
    }
    const struct json *then =
        selector && selector->kind == HTTP_OBJECT ? json_member(selector, "then") : NULL;
    if (then && then->kind == HTTP_STRING && rest->transaction.number &&
        transaction_finish(rest, then->text.size == 6, &call->error)) {
        call_fail(call, &call->error);
        return;
    }
    batch_answer(call, rest, &results);
}
