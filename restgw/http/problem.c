/* SQLSTATE to HTTP: one table, the first line that fits holds. A whole class ends with its two characters. */
#include "restgw/http/problem.h"

#include "restgw/http/json_out.h"

#include <string.h>

struct rule {
    const char *state; /* five characters, or the two of a class */
    int status;
    enum problem_retry retry;
    const char *type, *title;
};

static const struct rule rules[] = {
    {"08003", 401, PROBLEM_SESSION, "session-expired", "Session expired"},
    {"08007", 503, PROBLEM_ASK_OUTCOME, "outcome-unknown", "Outcome unknown"},
    {"08", 503, PROBLEM_SESSION, "connection-lost", "Connection lost"},
    {"0A", 400, PROBLEM_NEVER, "not-implemented", "Not implemented"},
    {"25P02", 409, PROBLEM_NEVER, "transaction-failed", "Transaction has failed"},
    {"25006", 409, PROBLEM_NEVER, "read-only", "Read-only transaction"},
    {"25", 409, PROBLEM_NEVER, "invalid-transaction-state", "Invalid transaction state"},
    {"26000", 400, PROBLEM_STATEMENT, "unknown-prepared-statement", "Unknown prepared statement"},
    {"28", 401, PROBLEM_SESSION, "unauthorized", "Credentials are refused"},
    {"22", 400, PROBLEM_NEVER, "data-exception", "Data exception"},
    {"23", 409, PROBLEM_NEVER, "constraint-violation", "Constraint violation"},
    {"40001", 409, PROBLEM_TRANSACTION, "serialization-failure", "Serialization failure"},
    {"40P01", 409, PROBLEM_TRANSACTION, "deadlock", "Deadlock"},
    {"40003", 503, PROBLEM_ASK_OUTCOME, "outcome-unknown", "Outcome unknown"},
    {"40002", 409, PROBLEM_NEVER, "constraint-violation", "Constraint violation"},
    {"40", 409, PROBLEM_TRANSACTION, "transaction-rolled-back", "Transaction rolled back"},
    {"42501", 403, PROBLEM_NEVER, "forbidden", "Not permitted"},
    {"42601", 400, PROBLEM_NEVER, "syntax-error", "Syntax error"},
    {"42P01", 400, PROBLEM_NEVER, "undefined-table", "Undefined table"},
    {"42703", 400, PROBLEM_NEVER, "undefined-column", "Undefined column"},
    {"53300", 429, PROBLEM_AFTER_DELAY, "overloaded", "Too many requests"},
    {"53", 503, PROBLEM_AFTER_DELAY, "insufficient-resources", "Insufficient resources"},
    {"54000", 413, PROBLEM_NEVER, "too-large", "Too large"},
    {"54", 400, PROBLEM_NEVER, "too-complex", "Too complex"},
    {"55006", 409, PROBLEM_AFTER_DELAY, "transaction-busy", "Session or object is in use"},
    {"55P03", 409, PROBLEM_TRANSACTION, "lock-not-available", "Lock not available"},
    {"55", 409, PROBLEM_NEVER, "invalid-state", "Object is not in the state this needs"},
    {"57014", 409, PROBLEM_NEVER, "cancelled", "Statement cancelled"},
    {"57P01", 503, PROBLEM_AFTER_DELAY, "shutting-down", "Shutting down"},
    {"57P03", 503, PROBLEM_AFTER_DELAY, "unavailable", "Not available now"},
    {"57P05", 401, PROBLEM_SESSION, "session-expired", "Session expired"},
    {"57", 503, PROBLEM_AFTER_DELAY, "unavailable", "Not available now"},
    {"58", 500, PROBLEM_NEVER, "system-error", "System error"},
    {"F0", 500, PROBLEM_NEVER, "system-error", "System error"},
    {"XX", 500, PROBLEM_NEVER, "internal", "Internal error"},
};

struct problem problem_make(int status, const char *type, const char *title, const char *detail)
{
    return (struct problem){
        .type = type ? type : "bad-request",
        .title = title,
        .status = status,
        .retry = PROBLEM_NEVER,
        .detail = detail,
        .statement_index = -1,
    };
}

struct problem problem_of(const struct error *error)
{
    /* What is in no table is something the statement did: every such state is its author's. */
    struct problem problem = problem_make(400, "statement-error", "The statement failed", NULL);
    char state[6];
    sqlstate_text(error->state, state);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *rule = &rules[i];
        if (strncmp(rule->state, state, strlen(rule->state)) != 0)
            continue;
        problem = problem_make(rule->status, rule->type, rule->title, NULL);
        problem.retry = rule->retry;
        break;
    }
    const char *message = error_text(error, ERROR_MESSAGE);
    if (error->state == SQLSTATE_QUERY_CANCELED && message && strstr(message, "timeout"))
        problem.type = "statement-timeout";
    if (problem.retry == PROBLEM_AFTER_DELAY)
        problem.retry_after_ms = problem.status >= 429 ? 1000 : 20;
    problem.error = error;
    return problem;
}

const char *problem_retry_text(enum problem_retry retry)
{
    static const char *const texts[] = {
        [PROBLEM_NEVER] = "never",
        [PROBLEM_STATEMENT] = "statement",
        [PROBLEM_TRANSACTION] = "transaction",
        [PROBLEM_SESSION] = "session",
        [PROBLEM_AFTER_DELAY] = "after_delay",
        [PROBLEM_ASK_OUTCOME] = "ask_outcome",
    };
    return texts[retry];
}

static void write_text(struct json_out *out, const char *name, const char *value)
{
    json_out_name(out, name);
    json_out_text(out, value);
}

static void write_error(const struct error *error, struct json_out *out)
{
    static const struct {
        const char *name;
        enum error_field field;
    } fields[] = {
        {"hint", ERROR_HINT},
        {"context", ERROR_CONTEXT},
        {"schema", ERROR_SCHEMA},
        {"table", ERROR_TABLE},
        {"column", ERROR_COLUMN},
        {"datatype", ERROR_DATATYPE},
        {"constraint", ERROR_CONSTRAINT},
    };
    char state[6];
    sqlstate_text(error->state, state);
    write_text(out, "sqlstate", state);
    write_text(out, "severity", "ERROR");
    if (error_text(error, ERROR_DETAIL))
        write_text(out, "error_detail", error_text(error, ERROR_DETAIL));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (error_text(error, fields[i].field))
            write_text(out, fields[i].name, error_text(error, fields[i].field));
    }
    if (error->position) {
        json_out_name(out, "position");
        json_out_integer(out, error->position);
    }
}

static void write_id(const uint8_t id[static 16], struct json_out *out)
{
    json_out_name(out, "request_id");
    json_out_format(out, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", id[0], id[1],
                    id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13],
                    id[14], id[15]);
}

void problem_write(const struct problem *problem, struct json_out *out)
{
    const struct error *error = problem->error;
    const char *detail = problem->detail ? problem->detail : error ? error_text(error, ERROR_MESSAGE) : NULL;
    json_out_object(out);
    json_out_name(out, "type");
    json_out_format(out, "urn:synod:problem:%s", problem->type);
    write_text(out, "title", problem->title);
    json_out_name(out, "status");
    json_out_integer(out, problem->status);
    if (detail)
        write_text(out, "detail", detail);
    if (error)
        write_error(error, out);
    if (problem->statement_index >= 0) {
        json_out_name(out, "statement_index");
        json_out_integer(out, problem->statement_index);
    }
    if (problem->transaction_id)
        write_text(out, "transaction_id", problem->transaction_id);
    write_text(out, "transaction_state", problem->transaction_state ? problem->transaction_state : "none");
    write_text(out, "retry", problem_retry_text(problem->retry));
    if (problem->retry_after_ms) {
        json_out_name(out, "retry_after_ms");
        json_out_integer(out, problem->retry_after_ms);
    }
    if (problem->request_id)
        write_id(problem->request_id, out);
    json_out_object_end(out);
}
