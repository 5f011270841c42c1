/* Statements: one is prepared (or found ready), bound, and run into a page, a stream of lines, or nothing.
 *
 * An implicit transaction ends with its statement, unless a query that only reads has more rows than the page: then the
 * transaction stays open for the cursor (`rest.implicit`) until the cursor is read to its end, or something else is to be run in
 * the session: then cursors_settle() reads what is left into memory and ends it. */
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- transactions of statements ---- */

enum sqlstate cursors_settle(struct rest *rest, struct error *error)
{
    if (!rest->implicit)
        return SQLSTATE_OK;
    rest->implicit = false;
    list_each (&rest->runs, at) {
        const struct run *run = container_of(at, struct run, link);
        if (run->held && !run->in_transaction)
            session_hold(rest->session, run->portal);
    }
    return session_sync(rest->session, false, error);
}

static enum sqlstate wrong_transaction(struct rest *rest, const struct json *selector, struct error *error)
{
    uint64_t number;
    struct bytes id = json_text(selector, "id");
    const struct outcome *outcome;
    if (id_read(id, &number) && (outcome = outcome_find(rest->api, number)))
        return error_set(error, SQLSTATE_INVALID_TRANSACTION_STATE, "the transaction has ended: it is %s",
                         outcome->state == OUTCOME_COMMITTED     ? "committed"
                         : outcome->state == OUTCOME_ROLLED_BACK ? "rolled back"
                                                                 : "of unknown outcome");
    return error_set(error, SQLSTATE_INVALID_TRANSACTION_STATE,
                     "the transaction is not under way in this session");
}

enum sqlstate selector_take(struct rest *rest, const struct json *selector, bool *replay, struct error *error)
{
    struct rest_transaction *transaction = &rest->transaction;
    uint64_t number;
    *replay = false;
    if (!selector) {
        if (transaction->named)
            return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                             "a transaction is under way in this session: say its id, or end it");
        return cursors_settle(rest, error);
    }
    const struct json *begin = json_member(selector, "begin");
    struct bytes id = json_text(selector, "id");
    int64_t seq = json_integer(selector, "seq", -1);
    if ((begin && begin->kind == HTTP_OBJECT) == (id.data != NULL))
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "transaction: say one of id and begin");
    if (!id.data) {
        enum sqlstate failed = transaction_open(rest, begin, error);
        if (!failed)
            transaction->seq = 1;
        return failed;
    }
    if (!id_read(id, &number) || number != transaction->number || !number)
        return wrong_transaction(rest, selector, error);
    if (seq < 0) {
        transaction->seq++;
        return SQLSTATE_OK;
    }
    if ((uint64_t)seq == transaction->seq && transaction->body.data) {
        *replay = true;
        return SQLSTATE_OK;
    }
    if ((uint64_t)seq != transaction->seq + 1)
        return error_set(error, SQLSTATE_INVALID_TRANSACTION_STATE,
                         "the next statement of the transaction is number %" PRIu64 ", not %" PRId64,
                         transaction->seq + 1, seq);
    transaction->seq++;
    return SQLSTATE_OK;
}

/* ---- preparing and binding ---- */

enum sqlstate ready_describe(struct rest *rest, struct scope *scope, const char *name, struct ready *ready,
                             struct error *error)
{
    struct session_description description;
    enum sqlstate failed = session_describe(rest->session, SESSION_STATEMENT, name, &description, error);
    if (failed)
        return failed;
    *ready = (struct ready){
        .name = name,
        .scope = scope,
        .parameters = description.parameters,
        .types = scope_copy(scope, description.parameter_types,
                            description.parameters * sizeof *description.parameter_types),
        .reads_only = description.reads_only,
        .kind = description.kind,
    };
    if (!description.shape)
        return SQLSTATE_OK;
    struct json_out out;
    json_out_open(&out, scope);
    columns_write(&out, session_environment(rest->session), description.shape);
    ready->columns = json_out_bytes(&out);
    return json_out_outcome(&out, error);
}

static enum sqlstate text_prepare(struct rest *rest, struct scope *scope, const char *sql,
                                  const struct parameters *parameters, struct ready *ready,
                                  struct error *error)
{
    enum sqlstate failed =
        session_prepare(rest->session, "", sql, parameters->type, parameters->count, error);
    return failed ? failed : ready_describe(rest, scope, "", ready, error);
}

static enum sqlstate portal_bind(struct rest *rest, struct scope *scope, const char *portal,
                                 struct ready *ready, const struct parameters *parameters,
                                 struct error *error)
{
    if (parameters->count != ready->parameters)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "the statement has %u parameters, and %u values were given", ready->parameters,
                         parameters->count);
    struct bytes *forms = scope_alloc(scope, (parameters->count + 1) * sizeof *forms);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < parameters->count && !failed; i++)
        failed = parameter_form(session_environment(rest->session), scope, i + 1, parameters->value[i],
                                ready->types[i], &forms[i], error);
    if (failed)
        return failed;
    const struct session_bind bind = {
        .portal = portal, .statement = ready->name, .parameters = parameters->count, .values = forms};
    failed = session_bind(rest->session, &bind, error);
    return failed && *ready->name ? ready_lost(rest, ready, error) : failed;
}

/* ---- running ---- */

/* Runs the portal until the page is full, or to its end. The rows asked for at once grow with what is known of their length. */
static enum sqlstate page_fill(struct result *result, const char *portal, bool gives_rows,
                               struct error *error)
{
    struct session *session = result->rest->session;
    const struct result_options *options = &result->options;
    uint32_t step = PAGE_ROWS_FIRST;
    if (result->mode != RESULT_PAGE || !gives_rows)
        return session_execute(session, portal, 0, error);
    for (;;) {
        uint64_t left = options->rows_max - result->rows;
        result->suspended = false;
        enum sqlstate failed = session_execute(session, portal, left < step ? (uint32_t)left : step, error);
        if (failed || !result->suspended || result->rows >= options->rows_max ||
            result->out.used >= options->bytes_max)
            return failed;
        size_t row = result->rows ? result->out.used / result->rows + 1 : 1;
        size_t fit = (options->bytes_max - result->out.used) / row + 1;
        step = fit < PAGE_ROWS_STEP ? (uint32_t)fit : PAGE_ROWS_STEP;
    }
}

/* What one statement comes to. */
struct outcome_of {
    char command[64];
    int64_t affected;
    bool more;
    int64_t *sets; /* of param_sets */
    uint32_t set_count;
};

static enum sqlstate sets_run(struct rest *rest, struct statement_request *request, struct result *result,
                              struct ready *ready, const char *portal, struct outcome_of *outcome,
                              struct error *error)
{
    const struct json *sets = request->param_sets;
    outcome->sets = scope_alloc(result->scope, (sets->count + 1) * sizeof *outcome->sets);
    outcome->affected = 0;
    for (const struct json *set = sets->children; set; set = set->next) {
        struct scope *work = scope_open(result->scope, "set");
        struct parameters parameters;
        enum sqlstate failed = set->kind == HTTP_ARRAY ? parameters_read(rest, work, set, &parameters, error)
                                                       : error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                                                   "param_sets holds arrays of values");
        int64_t count = -1;
        if (!failed)
            failed = portal_bind(rest, work, portal, ready, &parameters, error);
        if (!failed)
            failed = session_execute(rest->session, portal, 0, error);
        if (!failed) {
            tag_read(result->tag, outcome->command, &count);
            session_forget(rest->session, SESSION_PORTAL, portal);
        } else
            error_add(error, ERROR_CONTEXT, "set %u of param_sets", outcome->set_count + 1);
        scope_close(work);
        if (failed)
            return failed;
        outcome->sets[outcome->set_count++] = count;
        if (count > 0)
            outcome->affected += count;
    }
    return SQLSTATE_OK;
}

static void header_write(struct result *result, const char *id, const struct ready *ready)
{
    struct json_out *out = &result->out;
    json_out_object(out);
    json_out_name(out, "type");
    json_out_text(out, "header");
    json_out_name(out, "statement_id");
    json_out_text(out, id);
    json_out_name(out, "columns");
    if (ready && ready->columns.data)
        json_out_value(out, ready->columns);
    else
        json_out_null(out);
    json_out_name(out, "transaction");
    transaction_write(out, result->rest);
    json_out_object_end(out);
    json_out_line_end(out);
}

static enum sqlstate may_run(const struct rest *rest, const struct ready *ready, struct error *error)
{
    if (rest->scopes & SCOPE_SQL || (ready && ready->reads_only))
        return SQLSTATE_OK;
    return error_set(error, STATE_PRIVILEGE, "the API key is only for statements that read");
}

/* A text of several statements. */
static enum sqlstate several_run(struct rest *rest, struct statement_request *request, struct result *result,
                                 struct outcome_of *outcome, struct error *error)
{
    enum sqlstate failed = may_run(rest, NULL, error);
    result->several = true;
    if (!failed && result->mode == RESULT_LINES)
        header_write(result, request->id, NULL);
    if (!failed)
        failed = session_query(rest->session, request->sql, error);
    tag_read(result->tag, outcome->command, &outcome->affected);
    return failed;
}

static enum sqlstate one_run(struct rest *rest, struct statement_request *request, struct result *result,
                             const char *portal, struct outcome_of *outcome, bool *wrote, struct error *error)
{
    struct parameters parameters = {0};
    struct ready described, *ready = &described;
    enum sqlstate failed = parameters_read(rest, result->scope, request->params, &parameters, error);
    if (!failed)
        failed = request->prepared
                     ? ready_find(rest, request->prepared, &ready, error)
                     : text_prepare(rest, result->scope, request->sql, &parameters, ready, error);
    if (!failed)
        failed = may_run(rest, ready, error);
    if (failed)
        return failed;
    *wrote = !ready->reads_only;
    result->columns = ready->columns;
    if (request->param_sets)
        return sets_run(rest, request, result, ready, portal, outcome, error);
    failed = portal_bind(rest, result->scope, portal, ready, &parameters, error);
    if (!failed && result->mode == RESULT_LINES)
        header_write(result, request->id, ready);
    if (!failed)
        failed = page_fill(result, portal, ready->columns.data != NULL, error);
    if (failed)
        return failed;
    tag_read(result->tag, outcome->command, &outcome->affected);
    outcome->more = result->suspended;
    if (outcome->more)
        snprintf(outcome->command, sizeof outcome->command, "%s",
                 strcmp(ready->kind, "insert") == 0   ? "INSERT"
                 : strcmp(ready->kind, "update") == 0 ? "UPDATE"
                 : strcmp(ready->kind, "delete") == 0 ? "DELETE"
                                                      : "SELECT");
    return SQLSTATE_OK;
}

/* ---- the answer ---- */

static void notices_write(struct json_out *out, const struct result *result)
{
    json_out_array(out);
    for (uint32_t i = 0; i < result->notice_count; i++) {
        const struct notice *notice = &result->notices[i];
        char state[6];
        sqlstate_text(notice->error.state, state);
        json_out_object(out);
        json_out_name(out, "severity");
        json_out_text(out, notice->severity);
        json_out_name(out, "sqlstate");
        json_out_text(out, state);
        json_out_name(out, "message");
        json_out_text(out, error_text(&notice->error, ERROR_MESSAGE));
        json_out_name(out, "detail");
        json_out_text(out, error_text(&notice->error, ERROR_DETAIL));
        json_out_name(out, "hint");
        json_out_text(out, error_text(&notice->error, ERROR_HINT));
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void counts_write(struct json_out *out, const struct result *result, const struct outcome_of *outcome)
{
    bool writes = strcmp(outcome->command, "SELECT") != 0 && outcome->affected >= 0;
    json_out_name(out, "command");
    json_out_text(out, *outcome->command ? outcome->command : NULL);
    json_out_name(out, "row_count");
    json_out_integer(out, (int64_t)result->rows);
    json_out_name(out, "rows_affected");
    if (writes && !outcome->more)
        json_out_integer(out, outcome->affected);
    else
        json_out_null(out);
    if (!outcome->sets)
        return;
    json_out_name(out, "rows_affected_sets");
    json_out_array(out);
    for (uint32_t i = 0; i < outcome->set_count; i++)
        if (outcome->sets[i] < 0)
            json_out_null(out);
        else
            json_out_integer(out, outcome->sets[i]);
    json_out_array_end(out);
}

static void stats_write(struct json_out *out, struct api *api, uint64_t began_ns)
{
    uint64_t us = (world_now(api->world) - began_ns) / 1000;
    metric_observe(api->metrics.statement_us, us);
    json_out_name(out, "stats");
    json_out_object(out);
    json_out_name(out, "elapsed_us");
    json_out_integer(out, (int64_t)us);
    json_out_object_end(out);
}

static void page_write(struct json_out *out, const char *id, const struct result *result,
                       const struct outcome_of *outcome, const struct run *run, uint64_t began_ns)
{
    json_out_object(out);
    json_out_name(out, "statement_id");
    json_out_text(out, id);
    json_out_name(out, "status");
    json_out_text(out, "complete");
    counts_write(out, result, outcome);
    result_rows_write(out, result);
    if (result->results) {
        json_out_name(out, "results");
        json_out_raw(out, bytes_of_text("["));
        json_out_raw(out, json_out_bytes(&result->earlier));
        json_out_value(out, bytes_of_text("]"));
    }
    json_out_name(out, "next_cursor");
    if (run && run->held)
        json_out_format(out, "%" PRIu64, run->page + 1);
    else
        json_out_null(out);
    json_out_name(out, "transaction");
    transaction_write(out, result->rest);
    json_out_name(out, "notices");
    notices_write(out, result);
    stats_write(out, result->rest->api, began_ns);
    json_out_object_end(out);
}

static void end_line_write(struct result *result, const struct outcome_of *outcome, uint64_t began_ns)
{
    struct json_out *out = &result->out;
    json_out_object(out);
    json_out_name(out, "type");
    json_out_text(out, "end");
    json_out_name(out, "status");
    json_out_text(out, "complete");
    counts_write(out, result, outcome);
    json_out_name(out, "transaction");
    transaction_write(out, result->rest);
    stats_write(out, result->rest->api, began_ns);
    json_out_object_end(out);
    json_out_line_end(out);
}

/* ---- the whole ---- */

struct deadline {
    struct fiber_timer timer;
    struct fiber *fiber;
};

static void deadline_late(void *argument)
{
    const struct deadline *deadline = argument;
    fiber_cancel(deadline->fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to statement timeout");
}

/* The statement's cursor: made when there was no run for the statement yet. */
static enum sqlstate cursor_make(struct rest *rest, const struct statement_request *request,
                                 const struct result *result, const char *portal, bool in_transaction,
                                 struct run **run, struct error *error)
{
    /* Whoever opens cursors and never reads them on loses the oldest. */
    if (rest->cursors >= CURSORS_MAX)
        list_each_safe (&rest->runs, at) {
            struct run *oldest = container_of(at, struct run, link);
            if (!oldest->held || oldest == *run)
                continue;
            run_forget(oldest);
            break;
        }
    enum sqlstate failed = rest_keep(rest, error);
    if (!failed && !*run) {
        *run = run_open(rest, request->id, request->sql ? request->sql : request->prepared, request->label,
                        error);
        failed = *run ? SQLSTATE_OK : error->state;
    }
    if (failed)
        return failed;
    struct run *made = *run;
    made->held = true;
    made->in_transaction = in_transaction;
    made->options = request->options;
    made->rows = result->rows;
    made->used_ns = rest->api->world->now_ns;
    snprintf(made->portal, sizeof made->portal, "%s", portal);
    made->columns = bytes_of_text(scope_text(made->scope, result->columns));
    rest->cursors++;
    return SQLSTATE_OK;
}

/* After the statement ran: its implicit transaction ends, or stays for the cursor; or its own does as `then` says. */
static enum sqlstate statement_end(struct rest *rest, struct statement_request *request,
                                   struct result *result, const char *portal, struct outcome_of *outcome,
                                   bool wrote, struct run **run, struct error *error)
{
    struct bytes then = request->transaction ? json_text(request->transaction, "then") : (struct bytes){0};
    bool commits = then.size == 6, explicit = session_status(rest->session) != 'I';
    enum sqlstate failed = SQLSTATE_OK;
    transaction_look(rest, result->tag);
    if (rest->transaction.number)
        rest->transaction.wrote |= wrote;
    if (outcome->more && then.data && !commits) {
        outcome->more = false;
        session_forget(rest->session, SESSION_PORTAL, portal);
    }
    if (outcome->more)
        failed = cursor_make(rest, request, result, portal, explicit && !commits, run, error);
    else if (explicit && !result->several)
        session_forget(rest->session, SESSION_PORTAL, portal);
    if (failed)
        return failed;
    if (explicit) {
        if (!then.data || !rest->transaction.number)
            return SQLSTATE_OK;
        if (outcome->more)
            session_hold(rest->session, portal);
        return transaction_finish(rest, commits, error);
    }
    if (outcome->more && !wrote && !rest->idempotency) {
        rest->implicit = true;
        return SQLSTATE_OK;
    }
    if (outcome->more)
        session_hold(rest->session, portal);
    return rest->idempotency ? SQLSTATE_OK : session_sync(rest->session, false, error);
}

/* Something went wrong: what is open fails, as SQL has it. With `then` the transaction is over. */
static void statement_fail(struct rest *rest, struct statement_request *request)
{
    struct error second = {0};
    (void)session_sync(rest->session, true, &second);
    if (session_status(rest->session) == 'I' && rest->transaction.number)
        transaction_look(rest, "ROLLBACK");
    if (request->transaction && json_text(request->transaction, "then").data && rest->transaction.number)
        (void)transaction_finish(rest, false, &second);
    runs_transaction_over(rest);
}

enum sqlstate statement_run(struct rest *rest, struct statement_request *request, struct result *result,
                            struct run **run, struct json_out *body, struct error *error)
{
    struct api *api = rest->api;
    struct deadline deadline = {.fiber = fiber_running(api->world->scheduler)};
    struct outcome_of outcome = {.affected = -1};
    uint64_t began_ns = world_now(api->world);
    char portal[16];
    bool wrote = true;
    enum sqlstate failed = SQLSTATE_OK;
    metric_add(api->metrics.statements, 1);
    snprintf(portal, sizeof portal, "r%u", ++rest->portal_number);
    if (request->timeout_ms)
        fiber_timer_set(api->world->scheduler, &deadline.timer,
                        api->world->now_ns + request->timeout_ms * NS_PER_MS, deadline_late, &deadline);
    if (!request->prepared && !request->params && !request->param_sets && text_is_several(request->sql))
        failed = several_run(rest, request, result, &outcome, error);
    else
        failed = one_run(rest, request, result, portal, &outcome, &wrote, error);
    fiber_timer_clear(api->world->scheduler, &deadline.timer);
    if (!failed)
        failed = statement_end(rest, request, result, portal, &outcome, wrote, run, error);
    metric_add(api->metrics.rows, result->rows);
    if (failed) {
        if (failed == SQLSTATE_QUERY_CANCELED)
            metric_add(api->metrics.cancelled, 1);
        statement_fail(rest, request);
        return failed;
    }
    if (result->mode == RESULT_LINES)
        end_line_write(result, &outcome, began_ns);
    else
        page_write(body, request->id, result, &outcome, *run, began_ns);
    return SQLSTATE_OK;
}

enum sqlstate statement_page(struct run *run, struct scope *scope, uint32_t rows_max, struct json_out *body,
                             struct error *error)
{
    struct rest *rest = run->rest;
    struct result *result = scope_alloc(scope, sizeof *result);
    struct outcome_of outcome = {.affected = -1};
    uint64_t began_ns = world_now(rest->api->world);
    result_begin(result, rest, scope, RESULT_PAGE);
    result->options = run->options;
    result->options.rows_max = rows_max;
    result->columns = run->columns;
    enum sqlstate failed = page_fill(result, run->portal, true, error);
    snprintf(outcome.command, sizeof outcome.command, "SELECT");
    run->used_ns = rest->api->world->now_ns;
    if (failed || !result->suspended) {
        struct error second = {0};
        run->held = false;
        rest->cursors--;
        if (failed) {
            rest->implicit = false;
            (void)session_sync(rest->session, true, &second);
            run->status = RUN_FAILED;
            return failed;
        }
        session_forget(rest->session, SESSION_PORTAL, run->portal);
        if (rest->cursors == 0)
            failed = cursors_settle(rest, error);
        if (failed)
            return failed;
    }
    run->page++;
    run->rows += result->rows;
    page_write(body, run->id, result, &outcome, run, began_ns);
    run_keep(run, 200, json_out_bytes(body));
    return SQLSTATE_OK;
}

/* ---- POST /v1/statements ---- */

static void id_make(struct http_call *call, struct statement_request *request)
{
    struct bytes given = http_header(call->exchange, "synod-statement-id");
    request->id_given = uuid_is(given);
    if (request->id_given)
        memcpy(request->id, given.data, 36);
    else
        memcpy(request->id, call->id, sizeof call->id);
}

static bool accepts(struct http_call *call, const char *type)
{
    struct bytes header = http_header(call->exchange, "accept");
    return header.data && memmem(header.data, header.size, type, strlen(type));
}

/* Keeps the answer of a transaction's last statement, to be given again when the same seq comes again. */
static void answer_keep(struct rest *rest, int status, struct bytes body)
{
    struct rest_transaction *transaction = &rest->transaction;
    struct error error = {0};
    void *memory;
    if (transaction->memory)
        scope_free_large(rest->scope, transaction->memory);
    transaction->memory = NULL;
    transaction->body = (struct bytes){0};
    if (!transaction->named || scope_alloc_large(rest->scope, body.size + 1, 16, &memory, &error))
        return;
    memcpy(memory, body.data, body.size);
    transaction->memory = memory;
    transaction->body = bytes_of(memory, body.size);
    transaction->status = status;
}

static struct bytes problem_text(struct http_call *call, const struct problem *problem)
{
    struct json_out out;
    struct problem own = *problem;
    own.request_id = call->head->id;
    json_out_open(&out, call->scope);
    problem_write(&own, &out);
    return json_out_bytes(&out);
}

static void statement_refuse(struct http_call *call, struct rest *rest,
                             const struct statement_request *request, struct run *run)
{
    struct problem problem = call_problem_of(call, rest, &call->error);
    if (request->transaction && json_text(request->transaction, "then").data && !rest->transaction.number)
        problem.transaction_state = "rolled_back";
    struct bytes text = problem_text(call, &problem);
    if (rest->transaction.named)
        answer_keep(rest, problem.status, text);
    if (run) {
        run->status = call->error.state == SQLSTATE_QUERY_CANCELED ? RUN_CANCELLED : RUN_FAILED;
        run->ended_us = wall_us(call->api);
        run_keep(run, problem.status, text);
    }
    call_refuse(call, &problem);
}

/* The same answer again. */
static void replay_answer(struct http_call *call, int status, struct bytes body)
{
    metric_add(call->api->metrics.replayed, 1);
    if (status < 400) {
        call_body(call, status, bytes_of_text(scope_text(call->scope, body)), true);
        return;
    }
    call_reply(call, status, "application/problem+json", "idempotency-replayed", "true",
               bytes_of_text(scope_text(call->scope, body)));
}

/* Has the statement known by the id its client chose, so that it can be cancelled by it. False after an answer was given. */
static bool run_begin(struct http_call *call, struct rest *rest, const struct statement_request *request,
                      struct run **run)
{
    *run = NULL;
    if (!request->id_given)
        return true;
    *run = run_open(rest, request->id, request->sql ? request->sql : request->prepared, request->label,
                    &call->error);
    if (!*run)
        call_problem(call, 409, "statement-exists", "Statement exists",
                     "there is a statement with this id already");
    return *run != NULL;
}

void lines_answer(struct http_call *call, struct rest *rest, struct statement_request *request)
{
    struct result *result = scope_alloc(call->scope, sizeof *result);
    struct run *run;
    if (!run_begin(call, rest, request, &run))
        return;
    result_begin(result, rest, call->scope, RESULT_LINES);
    result->options = request->options;
    result->exchange = call->exchange;
    result->content_type = LINES_TYPE;
    enum sqlstate failed = statement_run(rest, request, result, &run, NULL, &call->error);
    rest->result = NULL;
    if (run)
        run_forget(run); /* its rows were given as they came: nothing is left to be asked for */
    if (failed && !result->streaming) {
        statement_refuse(call, rest, request, NULL);
        return;
    }
    call->answered = true;
    call->status = 200;
    if (failed) {
        struct problem problem = call_problem_of(call, rest, &call->error);
        struct bytes text = problem_text(call, &problem);
        json_out_open(&result->out, call->scope);
        json_out_object(&result->out);
        json_out_name(&result->out, "type");
        json_out_text(&result->out, "error");
        json_out_name(&result->out, "problem");
        json_out_value(&result->out, text);
        json_out_object_end(&result->out);
        json_out_line_end(&result->out);
    }
    struct error error = {0};
    failed = result_send(result, &error);
    http_stream_end(call->exchange, !failed);
}

static void page_answer(struct http_call *call, struct rest *rest, struct statement_request *request)
{
    struct result *result = scope_alloc(call->scope, sizeof *result);
    struct json_out body;
    struct run *run;
    struct idempotency idempotency = {0};
    enum sqlstate failed = SQLSTATE_OK;
    struct bytes key = http_header(call->exchange, "idempotency-key");
    if (!run_begin(call, rest, request, &run))
        return;
    if (key.data) {
        idempotency.key = scope_text(call->scope, key);
        failed = idempotency_begin(call, rest, &idempotency, &call->error);
        if (!failed && idempotency.replayed) {
            (void)session_sync(rest->session, false, &call->error);
            if (run)
                run_forget(run);
            replay_answer(call, idempotency.status, idempotency.body);
            return;
        }
        rest->idempotency = failed ? NULL : &idempotency;
    }
    if (call->answered)
        return;
    json_out_open(&body, call->scope);
    result_begin(result, rest, call->scope, RESULT_PAGE);
    result->options = request->options;
    if (!failed)
        failed = statement_run(rest, request, result, &run, &body, &call->error);
    if (!failed)
        failed = json_out_outcome(&body, &call->error);
    if (!failed && rest->idempotency) {
        failed = idempotency_keep(rest, call->scope, &idempotency, 200, json_out_bytes(&body), &call->error);
        struct error second = {0};
        enum sqlstate synced = session_sync(rest->session, failed != SQLSTATE_OK, &second);
        if (!failed && synced) {
            failed = synced;
            call->error = second;
        }
    }
    rest->idempotency = NULL;
    rest->result = NULL;
    if (failed) {
        statement_refuse(call, rest, request, run);
        runs_trim(rest);
        return;
    }
    if (rest->transaction.named)
        answer_keep(rest, 200, json_out_bytes(&body));
    if (run) {
        run->status = RUN_COMPLETE;
        run->ended_us = wall_us(call->api);
        run->rows = result->rows;
        run_keep(run, 200, json_out_bytes(&body));
        runs_trim(rest);
    }
    call_body(call, 200, json_out_bytes(&body), false);
}

void api_create_statement(struct http_call *call)
{
    struct statement_request request;
    bool replay;
    if (!call_allowed(call, SCOPE_SQL | SCOPE_READ))
        return;
    if (request_read(call->scope, call->body, &request, &call->error)) {
        call_fail(call, &call->error);
        return;
    }
    id_make(call, &request);
    request.lines = accepts(call, LINES_TYPE);
    /* A second statement of a transaction while one is under way is a mistake; without a transaction it waits. */
    if (request.transaction && call->rest && call->rest->busy && json_text(request.transaction, "id").data) {
        (void)error_set(&call->error, SQLSTATE_OBJECT_IN_USE, "a statement of the transaction is under way");
        call_fail(call, &call->error);
        return;
    }
    if (request.transaction && !call_own(call))
        return;
    /* A promise that would not be kept is refused. */
    if (http_header(call->exchange, "idempotency-key").data &&
        (request.transaction || request.lines || request.wait_ms >= 0)) {
        call_problem(call, 400, "invalid-header", "Invalid header",
                     "Idempotency-Key is for a statement that is a transaction of its own and is waited for");
        return;
    }
    if (request.wait_ms >= 0) {
        statement_detach(call, &request);
        return;
    }
    struct rest *rest = call_session(call, NULL);
    if (!rest)
        return;
    if (selector_take(rest, request.transaction, &replay, &call->error)) {
        call_fail(call, &call->error);
        return;
    }
    if (replay)
        replay_answer(call, rest->transaction.status, rest->transaction.body);
    else if (request.lines)
        lines_answer(call, rest, &request);
    else
        page_answer(call, rest, &request);
}

/* ---- statements that go on without their request ---- */

/* The fiber of a detached statement. Its scope is the run's: whoever forgets the run has cancelled us. */
static void detached_run(void *argument)
{
    struct run *run = argument;
    struct rest *rest = run->rest;
    struct api *api = rest->api;
    struct error error = {0};
    struct scope *work = scope_open(run->scope, "detached");
    struct result *result = scope_alloc(work, sizeof *result);
    struct json_out body;
    bool replay;
    enum sqlstate failed = rest_take(rest, &error);
    if (failed) {
        run->status = RUN_FAILED;
        scope_close(work);
        return;
    }
    json_out_open(&body, work);
    if (run->stop)
        failed = error_set(&error, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    if (!failed)
        failed = selector_take(rest, run->request.transaction, &replay, &error);
    result_begin(result, rest, work, RESULT_PAGE);
    result->options = run->request.options;
    if (!failed)
        failed = statement_run(rest, &run->request, result, &run, &body, &error);
    rest->result = NULL;
    run->ended_us = wall_us(api);
    run->rows = result->rows;
    if (failed) {
        struct problem problem = problem_of(&error);
        static const uint8_t nobody[16];
        problem.request_id = nobody;
        problem.transaction_state = problem_transaction_state(rest);
        json_out_open(&body, work);
        problem_write(&problem, &body);
        run->status = failed == SQLSTATE_QUERY_CANCELED ? RUN_CANCELLED : RUN_FAILED;
        run_keep(run, problem.status, json_out_bytes(&body));
    } else {
        run->status = RUN_COMPLETE;
        run_keep(run, 200, json_out_bytes(&body));
    }
    fiber_wake_all(&run->ended);
    scope_close(work);
    rest_give(rest);
}

void statement_detach(struct http_call *call, const struct statement_request *request)
{
    struct rest *rest = call->rest;
    struct error *error = &call->error;
    if (!rest) {
        if (!(rest = call_session(call, NULL)))
            return;
        if (rest_keep(rest, error)) {
            call_fail(call, error);
            return;
        }
        /* The statement's fiber takes it in its turn. */
        call->serving = NULL;
        rest_give(rest);
    }
    struct run *run =
        run_open(rest, request->id, request->sql ? request->sql : request->prepared, request->label, error);
    if (!run) {
        call_problem(call, 409, "statement-exists", "Statement exists",
                     "there is a statement with this id already");
        return;
    }
    const struct json *tree;
    struct bytes text = bytes_of_text(scope_text(run->scope, http_body(call->exchange)));
    run->detached = true;
    enum sqlstate failed = json_read(run->scope, text, &tree, error);
    if (!failed)
        failed = request_read(run->scope, tree, &run->request, error);
    memcpy(run->request.id, request->id, sizeof run->request.id);
    if (!failed)
        failed = fiber_start(call->world->scheduler, run->scope, "statement", detached_run, run, NULL, error);
    if (failed) {
        run_forget(run);
        call_fail(call, error);
        return;
    }
    uint64_t until_ns = call->world->now_ns + (uint64_t)request->wait_ms * NS_PER_MS;
    struct scope *scope = run->scope;
    scope_hold(scope);
    while (run->status == RUN_RUNNING && !scope_closing(scope) && request->wait_ms > 0)
        if (fiber_wait(call->world->scheduler, &run->ended, until_ns) != FIBER_WOKEN)
            break;
    bool gone = scope_closing(scope);
    struct json_out out;
    json_out_open(&out, call->scope);
    if (gone)
        call_problem(call, 404, "statement-unknown", "Unknown statement", "the statement was closed");
    else if (run->status == RUN_RUNNING) {
        const char *location = call_format(call, "/v1/statements/%s", run->id);
        run_write(&out, run);
        call_reply(call, 202, JSON_TYPE, "location", location, json_out_bytes(&out));
    } else if (run->answer >= 400) {
        call_reply(call, run->answer, "application/problem+json", NULL, NULL,
                   bytes_of_text(scope_text(call->scope, run->body)));
    } else if (!run->body.data) {
        run_write(&out, run);
        call_answer(call, 200, &out);
    } else
        call_body(call, 200, bytes_of_text(scope_text(call->scope, run->body)), false);
    scope_release(scope);
}
