/* Transactions with an id. Their outcome is remembered: in a ring of this core, and, when they wrote, in a row written by the
 * transaction itself, so that the row is there if and only if the transaction committed.
 *
 *     POST /transactions, "begin" of a statement --> active --commit--> row of outcome, COMMIT --> committed
 *                                                      |                      |
 *                                                      +--error--> failed     +-- the log failed --> unknown: ask again
 *                                                      +--rollback, the session's end --> rolled_back
 */
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- outcomes ---- */

static void outcome_keep(struct rest *rest, enum outcome_state state, uint64_t scn)
{
    struct api *api = rest->api;
    const struct rest_transaction *transaction = &rest->transaction;
    struct outcome *outcome = &api->outcomes[api->outcome_count++ % OUTCOMES_KEPT];
    *outcome = (struct outcome){
        .number = transaction->number,
        .commit_scn = scn,
        .seq = transaction->seq,
        .state = (uint8_t)state,
        .started_us = transaction->started_us,
        .ended_us = wall_us(api),
    };
    snprintf(outcome->role, sizeof outcome->role, "%s", rest->role);
    snprintf(outcome->label, sizeof outcome->label, "%s", transaction->label);
    metric_add(api->metrics.transactions, 1);
}

/* The transaction is over: what is left of it is its outcome. */
static void transaction_leave(struct rest *rest, enum outcome_state state, uint64_t scn)
{
    outcome_keep(rest, state, scn);
    runs_transaction_over(rest);
    if (rest->transaction.memory)
        scope_free_large(rest->scope, rest->transaction.memory);
    rest->transaction = (struct rest_transaction){0};
}

const struct outcome *outcome_find(const struct api *api, uint64_t number)
{
    uint64_t kept = api->outcome_count < OUTCOMES_KEPT ? api->outcome_count : OUTCOMES_KEPT;
    for (uint64_t i = 0; i < kept; i++) {
        const struct outcome *outcome = &api->outcomes[(api->outcome_count - 1 - i) % OUTCOMES_KEPT];
        if (outcome->number == number)
            return outcome;
    }
    return NULL;
}

const char *transaction_state_word(const struct rest *rest)
{
    return session_status(rest->session) == 'E' ? "failed" : "active";
}

const char *problem_transaction_state(const struct rest *rest)
{
    char status = session_status(rest->session);
    return status == 'E' ? "failed" : status == 'T' ? "active" : "none";
}

static void scn_write(struct json_out *out, uint64_t scn)
{
    if (scn)
        json_out_format(out, "%" PRIu64, scn);
    else
        json_out_null(out);
}

static void members_write(struct json_out *out, uint64_t number, const char *state, uint64_t seq,
                          const char *label, uint64_t scn, int64_t started_us, int64_t ended_us)
{
    json_out_object(out);
    json_out_name(out, "transaction_id");
    json_out_format(out, "1.1.%" PRIu64, number);
    json_out_name(out, "state");
    json_out_text(out, state);
    json_out_name(out, "seq");
    json_out_integer(out, (int64_t)seq);
    json_out_name(out, "label");
    json_out_text(out, *label ? label : NULL);
    json_out_name(out, "commit_scn");
    scn_write(out, scn);
    json_out_name(out, "started_at");
    if (started_us)
        json_out_time(out, started_us);
    else
        json_out_null(out);
    json_out_name(out, "ended_at");
    if (ended_us)
        json_out_time(out, ended_us);
    else
        json_out_null(out);
    json_out_object_end(out);
}

void outcome_write(struct json_out *out, const struct outcome *outcome)
{
    static const char *const words[] = {"active", "committed", "rolled_back", "unknown"};
    members_write(out, outcome->number, words[outcome->state], outcome->seq, outcome->label,
                  outcome->commit_scn, outcome->started_us, outcome->ended_us);
}

void transaction_write(struct json_out *out, const struct rest *rest)
{
    const struct rest_transaction *transaction = &rest->transaction;
    if (!transaction->number) {
        json_out_null(out);
        return;
    }
    members_write(out, transaction->number, transaction_state_word(rest), transaction->seq,
                  transaction->label, 0, transaction->started_us, 0);
}

/* ---- begin and end ---- */

static const char *isolation_words(struct bytes isolation)
{
    static const char *const words[][2] = {{"serializable", " isolation level serializable"},
                                           {"snapshot", " isolation level repeatable read"},
                                           {"repeatable_read", " isolation level repeatable read"},
                                           {"read_committed", " isolation level read committed"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (isolation.size == strlen(words[i][0]) && memcmp(isolation.data, words[i][0], isolation.size) == 0)
            return words[i][1];
    return "";
}

static enum sqlstate timeout_set(struct rest *rest, struct scope *scope, const struct json *options,
                                 const char *member, const char *setting, struct error *error)
{
    int64_t ms = json_integer(options, member, -1);
    char text[80];
    if (ms < 0)
        return SQLSTATE_OK;
    snprintf(text, sizeof text, "set local %s = %" PRId64, setting, ms > INT32_MAX ? INT32_MAX : ms);
    return query_run(rest, scope, text, NULL, 0, NULL, error);
}

enum sqlstate transaction_open(struct rest *rest, const struct json *options, struct error *error)
{
    static const struct json none = {.kind = HTTP_OBJECT};
    struct api *api = rest->api;
    options = options ? options : &none;
    bool read_only = json_truth(options, "read_only", false);
    if (session_status(rest->session) != 'I')
        return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                         "there is already a transaction in progress in this session");
    enum sqlstate failed = cursors_settle(rest, error);
    if (!failed && !read_only)
        failed = records_ready(api, rest->database, error);
    if (failed)
        return failed;
    struct scope *scope = scope_open(rest->scope, "begin");
    char text[160];
    snprintf(text, sizeof text, "begin%s%s%s", isolation_words(json_text(options, "isolation")),
             read_only ? " read only" : "", json_truth(options, "deferrable", false) ? " deferrable" : "");
    failed = query_run(rest, scope, text, NULL, 0, NULL, error);
    if (!failed)
        failed = timeout_set(rest, scope, options, "timeout_ms", "statement_timeout", error);
    if (!failed)
        failed = timeout_set(rest, scope, options, "lock_timeout_ms", "lock_timeout", error);
    struct bytes label = json_text(options, "label");
    rest->transaction =
        (struct rest_transaction){.number = id_draw(api), .named = true, .started_us = wall_us(api)};
    snprintf(rest->transaction.label, sizeof rest->transaction.label, "%.*s", (int)label.size,
             label.data ? (const char *)label.data : "");
    if (failed) {
        struct error second = {0};
        (void)transaction_finish(rest, false, &second);
    }
    scope_close(scope);
    return failed;
}

/* The row that says that the transaction committed, written in it. */
static enum sqlstate outcome_insert(struct rest *rest, struct scope *scope, struct error *error)
{
    const char *const values[] = {id_text(scope, rest->transaction.number), rest->role,
                                  rest->transaction.label};
    session_elevate_begin(rest->session);
    enum sqlstate failed = query_run(
        rest, scope, "insert into synod_rest.transaction_outcome (id, role, label) values ($1, $2, $3)",
        values, 3, NULL, error);
    session_elevate_end(rest->session);
    return failed;
}

enum sqlstate transaction_finish(struct rest *rest, bool commit, struct error *error)
{
    struct scope *scope = scope_open(rest->scope, "finish");
    struct error second = {0};
    enum sqlstate failed = SQLSTATE_OK;
    bool broken = session_status(rest->session) == 'E';
    if (commit && broken) {
        failed = error_set(error, SQLSTATE_PACK('2', '5', 'P', '0', '2'),
                           "the transaction has failed and was rolled back");
        commit = false;
    }
    /* Nobody may stop this half way: the client is told what came of it. */
    fiber_shield_begin(rest->api->world->scheduler);
    if (commit && rest->transaction.wrote) {
        failed = outcome_insert(rest, scope, error);
        commit = !failed;
    }
    enum sqlstate ended =
        query_run(rest, scope, commit ? "commit" : "rollback", NULL, 0, NULL, failed ? &second : error);
    fiber_shield_end(rest->api->world->scheduler);
    uint64_t scn = commit && !ended ? session_commit_scn(rest->session) : 0;
    if (ended == STATE_UNKNOWN_OUTCOME) {
        failed = error_set(error, SQLSTATE_PACK('0', '8', '0', '0', '7'),
                           "whether the transaction was committed is not known");
        transaction_leave(rest, OUTCOME_UNKNOWN, 0);
    } else {
        if (!failed)
            failed = ended;
        transaction_leave(rest, commit && !ended ? OUTCOME_COMMITTED : OUTCOME_ROLLED_BACK, scn);
    }
    scope_close(scope);
    return failed;
}

void transaction_look(struct rest *rest, const char *tag)
{
    char status = session_status(rest->session);
    if (status == 'I' && rest->transaction.number) {
        bool committed = strcmp(tag, "COMMIT") == 0;
        transaction_leave(rest, committed ? OUTCOME_COMMITTED : OUTCOME_ROLLED_BACK,
                          committed ? session_commit_scn(rest->session) : 0);
    } else if (status != 'I' && !rest->transaction.number)
        rest->transaction =
            (struct rest_transaction){.number = id_draw(rest->api), .started_us = wall_us(rest->api)};
}

/* ---- asking other cores ---- */

struct outcome_mail {
    struct mail mail;
    struct api_shared *shared;
    struct outcome outcome; /* number in; the rest out when found */
    bool found;
};

static void outcome_deliver(struct world *here, struct mail *mail)
{
    struct outcome_mail *asked = container_of(mail, struct outcome_mail, mail);
    struct api *api = asked->shared->core[here->core];
    uint64_t number = asked->outcome.number;
    const struct outcome *kept = api ? outcome_find(api, number) : NULL;
    asked->found = kept != NULL;
    if (kept)
        asked->outcome = *kept;
    else if (api)
        list_each (&api->sessions, at) {
            const struct rest *rest = container_of(at, struct rest, link);
            if (rest->transaction.number != number)
                continue;
            asked->found = true;
            asked->outcome = (struct outcome){
                .number = number, .seq = rest->transaction.seq, .started_us = rest->transaction.started_us};
            snprintf(asked->outcome.role, sizeof asked->outcome.role, "%s", rest->role);
        }
    mail_return(here, mail);
}

/* What is known of a transaction that is not the caller's session's own: by its core, then by the rows. False after an answer
 * was given. Yields. */
static bool outcome_ask(struct http_call *call, uint64_t number, struct outcome *outcome)
{
    struct api *api = call->api;
    struct outcome_mail *mail = scope_alloc_zeroed(call->scope, sizeof *mail);
    mail->mail.deliver = outcome_deliver;
    mail->shared = api->shared;
    mail->outcome.number = number;
    if (mail_call(api->world, call->scope, id_core(api->shared, number), &mail->mail, &call->error)) {
        call_fail(call, &call->error);
        return false;
    }
    const char *database = call->principal.database ? call->principal.database : api->options.database;
    if (mail->found)
        *outcome = mail->outcome;
    else {
        struct table table;
        const char *const values[] = {id_text(call->scope, number)};
        if (records_ready(api, database, &call->error) ||
            query_house(api, call->scope, database,
                        "select role, coalesce(label, ''), (extract(epoch from at) * 1000000)::bigint::text "
                        "from synod_rest.transaction_outcome where id = $1",
                        values, 1, &table, &call->error)) {
            call_fail(call, &call->error);
            return false;
        }
        *outcome = (struct outcome){.number = number, .state = OUTCOME_ROLLED_BACK};
        if (table.rows) {
            outcome->state = OUTCOME_COMMITTED;
            snprintf(outcome->role, sizeof outcome->role, "%s", table_cell(&table, 0, 0).data);
            snprintf(outcome->label, sizeof outcome->label, "%s", table_cell(&table, 0, 1).data);
            sscanf((const char *)table_cell(&table, 0, 2).data, "%" SCNd64, &outcome->ended_us);
        } else if (number < api->shared->started_us * CORES_MAX) {
            /* Drawn before this start: what is not in the table was not committed, unless it is too old to be there. */
            uint64_t age_us = (uint64_t)wall_us(api) - number / CORES_MAX;
            if (age_us > OUTCOME_HOURS * 3600UL * 1000000UL)
                outcome->state = OUTCOME_UNKNOWN;
        } else if (number > (uint64_t)wall_us(api) * CORES_MAX + CORES_MAX * 1000000UL) {
            call_problem(call, 404, "transaction-unknown", "Unknown transaction",
                         "no transaction has had this id yet");
            return false;
        }
    }
    if (*outcome->role && strcmp(outcome->role, call->principal.role) != 0 && !call_superuser(call, false)) {
        if (!call->answered)
            call_problem(call, 404, "transaction-unknown", "Unknown transaction",
                         "there is no such transaction of this role");
        return false;
    }
    return true;
}

/* ---- handlers ---- */

static bool number_take(struct http_call *call, const char *name, uint64_t *number)
{
    if (id_read(http_path(call->exchange, name), number))
        return true;
    call_problem(call, 404, "transaction-unknown", "Unknown transaction", "this is no transaction's id");
    return false;
}

static void transaction_answer(struct http_call *call, int status, const struct rest *rest)
{
    struct json_out out;
    json_out_open(&out, call->scope);
    transaction_write(&out, rest);
    call_answer(call, status, &out);
}

static void outcome_answer(struct http_call *call, const struct outcome *outcome)
{
    struct json_out out;
    json_out_open(&out, call->scope);
    outcome_write(&out, outcome);
    call_answer(call, 200, &out);
}

void api_begin_transaction(struct http_call *call)
{
    if (!call_allowed(call, SCOPE_SQL | SCOPE_READ) || !call_own(call))
        return;
    struct rest *rest = call_session(call, NULL);
    if (!rest)
        return;
    if (transaction_open(rest, call->body, &call->error))
        call_fail(call, &call->error);
    else
        transaction_answer(call, 201, rest);
}

void api_get_transaction(struct http_call *call)
{
    uint64_t number;
    struct outcome outcome;
    if (!number_take(call, "transaction_id", &number))
        return;
    if (call->rest && call->rest->transaction.number == number)
        transaction_answer(call, 200, call->rest);
    else if (outcome_ask(call, number, &outcome))
        outcome_answer(call, &outcome);
}

/* Commits or rolls back the session's transaction, or says again what became of it. */
static void transaction_end(struct http_call *call, bool commit)
{
    uint64_t number;
    struct outcome outcome;
    struct rest *rest = NULL;
    if (!number_take(call, "transaction_id", &number))
        return;
    if (call->rest && call->rest->transaction.number == number && !(rest = call_session(call, NULL)))
        return;
    if (rest && rest->transaction.number == number) {
        if (transaction_finish(rest, commit, &call->error)) {
            struct problem problem = call_problem_of(call, rest, &call->error);
            problem.transaction_id = id_text(call->scope, number);
            problem.transaction_state =
                call->error.state == SQLSTATE_PACK('0', '8', '0', '0', '7') ? "unknown" : "rolled_back";
            call_refuse(call, &problem);
            return;
        }
        const struct outcome *kept = outcome_find(call->api, number);
        outcome_answer(call, kept);
        return;
    }
    if (!outcome_ask(call, number, &outcome))
        return;
    if (outcome.state == (commit ? OUTCOME_COMMITTED : OUTCOME_ROLLED_BACK)) {
        outcome_answer(call, &outcome);
        return;
    }
    (void)error_set(&call->error, SQLSTATE_INVALID_TRANSACTION_STATE,
                    outcome.state == OUTCOME_COMMITTED     ? "the transaction is committed"
                    : outcome.state == OUTCOME_ROLLED_BACK ? "the transaction is rolled back"
                    : outcome.state == OUTCOME_UNKNOWN     ? "what became of the transaction is not known"
                                                           : "the transaction is of another session");
    struct problem problem = call_problem_of(call, NULL, &call->error);
    problem.transaction_id = id_text(call->scope, number);
    problem.transaction_state = outcome.state == OUTCOME_ROLLED_BACK ? "rolled_back"
                                : outcome.state == OUTCOME_UNKNOWN   ? "unknown"
                                : outcome.state == OUTCOME_COMMITTED ? "none"
                                                                     : "active";
    call_refuse(call, &problem);
}

void api_commit_transaction(struct http_call *call)
{
    transaction_end(call, true);
}

void api_rollback_transaction(struct http_call *call)
{
    transaction_end(call, false);
}

/* ---- savepoints ---- */

static void savepoint_do(struct http_call *call, const char *words, struct bytes name, int status)
{
    uint64_t number;
    if (!number_take(call, "transaction_id", &number))
        return;
    struct rest *rest = call_own(call) ? call_session(call, NULL) : NULL;
    if (!rest)
        return;
    struct text text = text_in(call->scope);
    const char *sql;
    text_append(&text, words);
    text_identifier(&text, scope_text(call->scope, name));
    enum sqlstate failed = text_end(&text, &sql, &call->error);
    if (!failed && rest->transaction.number != number)
        failed = error_set(&call->error, SQLSTATE_INVALID_TRANSACTION_STATE,
                           "the transaction is not under way in this session");
    if (!failed)
        failed = query_run(rest, call->scope, sql, NULL, 0, NULL, &call->error);
    if (failed)
        call_fail(call, &call->error);
    else
        transaction_answer(call, status, rest);
}

void api_create_savepoint(struct http_call *call)
{
    savepoint_do(call, "savepoint ", json_text(call->body, "name"), 201);
}

void api_release_savepoint(struct http_call *call)
{
    savepoint_do(call, "release savepoint ", http_path(call->exchange, "savepoint"), 200);
}

void api_rollback_to_savepoint(struct http_call *call)
{
    savepoint_do(call, "rollback to savepoint ", http_path(call->exchange, "savepoint"), 200);
}
