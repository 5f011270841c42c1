/* Figures: what this door counts, and everything any part of the node has registered, summed over the cores. */
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void metrics_open(struct api *api)
{
    struct metric_set *set = api->world->metrics;
    struct metrics *metrics = &api->metrics;
    metrics->sessions = metric_gauge_open(set, "synod_rest_sessions", "REST sessions that are open.");
    metrics->sessions_total = metric_counter_open(set, "synod_rest_sessions_total", "REST sessions opened.");
    metrics->sign_ins_failed =
        metric_counter_open(set, "synod_rest_sign_ins_failed_total", "Sign-ins that failed.");
    metrics->statements = metric_counter_open(set, "synod_rest_statements_total", "Statements run.");
    metrics->errors =
        metric_counter_open(set, "synod_rest_problems_total", "Requests answered with a problem.");
    metrics->rows = metric_counter_open(set, "synod_rest_rows_total", "Rows given.");
    metrics->transactions =
        metric_counter_open(set, "synod_rest_transactions_total", "Transactions with an id that ended.");
    metrics->cancelled = metric_counter_open(set, "synod_rest_cancelled_total", "Statements cancelled.");
    metrics->replayed = metric_counter_open(set, "synod_rest_replayed_total", "Answers given again.");
    metrics->statement_us =
        metric_histogram_open(set, "synod_rest_statement_microseconds", "How long statements took.");
}

/* ---- summed ---- */

enum { SUMS_MAX = 256 };

struct sum {
    const char *name, *help;
    enum metric_kind kind;
    uint64_t value;
    struct metric_histogram *histogram;
};

struct sums {
    struct scope *scope;
    uint32_t count;
    struct sum sum[SUMS_MAX];
};

static void sum_visit(void *argument, const char *name, const char *help, enum metric_kind kind,
                      const struct metric_counter *counter, const struct metric_histogram *histogram)
{
    struct sums *sums = argument;
    struct sum *found = NULL;
    for (uint32_t i = 0; i < sums->count && !found; i++)
        if (strcmp(sums->sum[i].name, name) == 0)
            found = &sums->sum[i];
    if (!found && sums->count == SUMS_MAX)
        return;
    if (!found) {
        found = &sums->sum[sums->count++];
        *found = (struct sum){.name = name, .help = help, .kind = kind};
        if (histogram)
            found->histogram = scope_alloc_zeroed(sums->scope, sizeof *found->histogram);
    }
    if (histogram && found->histogram)
        metric_histogram_merge(found->histogram, histogram);
    else if (counter)
        found->value += metric_value(counter);
}

/* All cores' figures: single words that other cores may read at any time. */
static struct sums *sums_take(struct api *api, struct scope *scope)
{
    struct sums *sums = scope_alloc_zeroed(scope, sizeof *sums);
    sums->scope = scope;
    for (uint32_t core = 0; core < api->shared->cores; core++) {
        const struct api *there = __atomic_load_n(&api->shared->core[core], __ATOMIC_ACQUIRE);
        if (there)
            metric_each(there->world->metrics, sum_visit, sums);
    }
    return sums;
}

/* ---- text ---- */

static void line(struct json_out *out, const char *text)
{
    json_out_raw(out, bytes_of_text(text));
}

static void number_line(struct json_out *out, const char *name, const char *suffix, uint64_t value)
{
    char text[160];
    snprintf(text, sizeof text, "%s%s %" PRIu64 "\n", name, suffix, value);
    line(out, text);
}

/* Buckets at powers of two: low cardinality. */
static void histogram_lines(struct json_out *out, const char *name, const struct metric_histogram *histogram)
{
    uint64_t below = 0;
    uint32_t bucket = 0;
    char text[160];
    for (unsigned power = 4; power <= 26; power++) {
        while (bucket < METRIC_BUCKETS && metric_bucket_floor(bucket) < 1UL << power)
            below += histogram->bucket[bucket++];
        snprintf(text, sizeof text, "%s_bucket{le=\"%lu\"} %" PRIu64 "\n", name, 1UL << power, below);
        line(out, text);
    }
    snprintf(text, sizeof text, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, histogram->count);
    line(out, text);
    number_line(out, name, "_sum", histogram->sum);
    number_line(out, name, "_count", histogram->count);
}

static void family(struct json_out *out, const char *name, const char *help, const char *type, bool open)
{
    char text[400];
    size_t size = strlen(name);
    /* OpenMetrics names a counter's family without the suffix its sample has. */
    bool cut = open && strcmp(type, "counter") == 0 && size > 6 && strcmp(name + size - 6, "_total") == 0;
    int shown = (int)(cut ? size - 6 : size);
    snprintf(text, sizeof text, "# HELP %.*s %s\n# TYPE %.*s %s\n", shown, name, help, shown, name, type);
    line(out, text);
}

static void sums_write(struct json_out *out, const struct sums *sums, bool open)
{
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    for (uint32_t i = 0; i < sums->count; i++) {
        const struct sum *sum = &sums->sum[i];
        family(out, sum->name, sum->help, types[sum->kind], open);
        if (sum->kind == METRIC_HISTOGRAM)
            histogram_lines(out, sum->name, sum->histogram);
        else
            number_line(out, sum->name, "", sum->value);
    }
}

static void door_write(struct json_out *out, const struct http *http, bool open)
{
    struct http_counts counts;
    http_count(http, &counts);
    const struct {
        const char *name, *help, *type;
        uint64_t value;
    } figures[] = {
        {"synod_http_connections", "Open connections.", "gauge", counts.connections_open},
        {"synod_http_connections_total", "Connections taken.", "counter", counts.connections_total},
        {"synod_http_connections_refused_total", "Connections refused.", "counter",
         counts.connections_refused},
        {"synod_http_requests", "Requests under way.", "gauge", counts.requests_open},
        {"synod_http_requests_total", "Requests that came.", "counter", counts.requests_total},
        {"synod_http_requests_refused_total", "Requests answered 429 or 503 at the door.", "counter",
         counts.refused_total},
        {"synod_http_clients_gone_total", "Requests whose client went before the answer.", "counter",
         counts.gone_total},
        {"synod_http_connections_cut_total", "Connections cut for their behaviour.", "counter",
         counts.cut_total},
        {"synod_http_in_flight_bytes", "Bodies and answers held.", "gauge", counts.bytes_in_flight},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        family(out, figures[i].name, figures[i].help, figures[i].type, open);
        number_line(out, figures[i].name, "", figures[i].value);
    }
}

void api_get_metrics(struct http_call *call)
{
    struct json_out out;
    struct bytes accept = http_header(call->exchange, "accept");
    bool open = accept.data && memmem(accept.data, accept.size, "openmetrics-text", 16);
    if (!call_allowed(call, SCOPE_METRICS | SCOPE_ADMIN))
        return;
    if (call->principal.kind != PRINCIPAL_KEY && !call_superuser(call, false)) {
        struct table table;
        const char *const values[] = {call->principal.role};
        if (call->answered)
            return;
        if (query_house(call->api, call->scope, call->api->options.database,
                        "select pg_catalog.pg_has_role($1, 'pg_monitor', 'usage')::text", values, 1, &table,
                        &call->error)) {
            call_fail(call, &call->error);
            return;
        }
        if (!table.rows || table_cell(&table, 0, 0).data[0] != 't') {
            call_problem(call, 403, "insufficient-privilege", "Insufficient privilege",
                         "figures are for superusers and members of pg_monitor");
            return;
        }
    }
    json_out_open(&out, call->scope);
    sums_write(&out, sums_take(call->api, call->scope), open);
    if (call->api->shared->http)
        door_write(&out, call->api->shared->http, open);
    if (open)
        line(&out, "# EOF\n");
    call_reply(call, 200,
               open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                    : "text/plain; version=0.0.4; charset=utf-8",
               NULL, NULL, json_out_bytes(&out));
}

/* ---- the event ---- */

static const struct sum *sum_named(const struct sums *sums, const char *name)
{
    static const struct sum none;
    for (uint32_t i = 0; i < sums->count; i++)
        if (strcmp(sums->sum[i].name, name) == 0)
            return &sums->sum[i];
    return &none;
}

void metrics_picture(struct api *api, struct picture *before, struct json_out *out)
{
    struct scope *work = scope_open(api->scope, "picture");
    const struct sums *sums = sums_take(api, work);
    const struct sum *histogram = sum_named(sums, "synod_rest_statement_microseconds");
    uint64_t statements = sum_named(sums, "synod_rest_statements_total")->value,
             now_ns = world_now(api->world);
    double seconds = before->at_ns ? (double)(now_ns - before->at_ns) / 1e9 : 0;
    struct metric_histogram recent = {0};
    if (histogram->histogram) {
        recent = *histogram->histogram;
        recent.count -= before->statement_us.count;
        recent.sum -= before->statement_us.sum;
        for (uint32_t i = 0; i < METRIC_BUCKETS; i++)
            recent.bucket[i] -= before->statement_us.bucket[i];
        before->statement_us = *histogram->histogram;
    }
    json_out_object(out);
    json_out_name(out, "at");
    json_out_time(out, wall_us(api));
    json_out_name(out, "sessions");
    json_out_unsigned(out, sum_named(sums, "synod_rest_sessions")->value);
    json_out_name(out, "statements_total");
    json_out_format(out, "%" PRIu64, statements);
    json_out_name(out, "errors_total");
    json_out_format(out, "%" PRIu64, sum_named(sums, "synod_rest_problems_total")->value);
    json_out_name(out, "rows_total");
    json_out_format(out, "%" PRIu64, sum_named(sums, "synod_rest_rows_total")->value);
    json_out_name(out, "transactions_total");
    json_out_format(out, "%" PRIu64, sum_named(sums, "synod_rest_transactions_total")->value);
    json_out_name(out, "statements_per_second");
    json_out_float8(out, seconds > 0 ? (double)(statements - before->statements) / seconds : 0);
    json_out_name(out, "latency_us");
    json_out_object(out);
    json_out_name(out, "p50");
    json_out_unsigned(out, metric_quantile(&recent, 0.50));
    json_out_name(out, "p95");
    json_out_unsigned(out, metric_quantile(&recent, 0.95));
    json_out_name(out, "p99");
    json_out_unsigned(out, metric_quantile(&recent, 0.99));
    json_out_object_end(out);
    json_out_object_end(out);
    before->at_ns = now_ns;
    before->statements = statements;
    scope_close(work);
}

/* ---- meta ---- */

static void word_answer(struct http_call *call, const char *word)
{
    struct json_out out;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "status");
    json_out_text(&out, word);
    json_out_object_end(&out);
    call_answer(call, 200, &out);
}

void api_get_health(struct http_call *call)
{
    word_answer(call, "ok");
}

void api_get_readiness(struct http_call *call)
{
    word_answer(call, "ready");
}

void api_get_capabilities(struct http_call *call)
{
    static const char *const words[] = {"sessions",    "transactions", "transaction_outcomes",
                                        "statements",  "cursors",      "ndjson",
                                        "async",       "cancel",       "describe",
                                        "explain",     "batches",      "prepared",
                                        "idempotency", "param_sets",   "loads",
                                        "exports",     "catalog",      "roles",
                                        "api_keys",    "audit_log",    "activity",
                                        "operations",  "events",       "metrics"};
    struct json_out out;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "server");
    json_out_text(&out, "synod");
    versions_write(&out);
    json_out_name(&out, "api");
    json_out_text(&out, "v1");
    json_out_name(&out, "capabilities");
    json_out_array(&out);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        json_out_text(&out, words[i]);
    json_out_array_end(&out);
    json_out_name(&out, "limits");
    json_out_object(&out);
    json_out_name(&out, "body_bytes");
    json_out_integer(&out, 16777216);
    json_out_name(&out, "load_part_bytes");
    json_out_integer(&out, 8388608);
    json_out_name(&out, "parameters");
    json_out_integer(&out, 65535);
    json_out_name(&out, "parameter_sets");
    json_out_integer(&out, 10000);
    json_out_name(&out, "sessions");
    json_out_integer(&out, (int64_t)REST_SESSIONS_MAX * call->api->shared->cores);
    json_out_object_end(&out);
    json_out_object_end(&out);
    call_answer(call, 200, &out);
}

/* The file that the loops answer with; a door without files (a test's) asks here. */
void api_get_openapi(struct http_call *call)
{
    for (size_t i = 0; i < api_file_count; i++)
        if (strcmp(api_files[i].path, "/v1/openapi.json") == 0) {
            call_body(call, 200, api_files[i].data, false);
            return;
        }
    call_problem(call, 404, "not-found", "Not found", "there is no such file");
}

/* ---- requests ---- */

struct request_mail {
    struct mail mail;
    struct api_shared *shared;
    const char *id, *role;
    struct request_record record;
    bool found;
};

static void request_deliver(struct world *here, struct mail *mail)
{
    struct request_mail *asked = container_of(mail, struct request_mail, mail);
    const struct api *api = asked->shared->core[here->core];
    for (uint32_t i = 0; api && i < REQUESTS_KEPT && !asked->found; i++) {
        asked->found = strcmp(api->requests[i].id, asked->id) == 0 &&
                       (!api->requests[i].role[0] || strcmp(api->requests[i].role, asked->role) == 0);
        if (asked->found)
            asked->record = api->requests[i];
    }
    mail_return(here, mail);
}

void api_get_request(struct http_call *call)
{
    struct request_mail *mail = scope_alloc_zeroed(call->scope, sizeof *mail);
    struct json_out out;
    *mail = (struct request_mail){.mail = {.deliver = request_deliver},
                                  .shared = call->api->shared,
                                  .id = scope_text(call->scope, http_path(call->exchange, "request_id")),
                                  .role = call->principal.role};
    for (uint32_t core = 0; core < call->api->shared->cores && !mail->found; core++)
        if (mail_call(call->world, call->scope, core, &mail->mail, &call->error)) {
            call_fail(call, &call->error);
            return;
        }
    const struct request_record *record = &mail->record;
    if (!mail->found) {
        call_problem(call, 404, "request-unknown", "Unknown request", "no recent request had this id");
        return;
    }
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "request_id");
    json_out_text(&out, record->id);
    json_out_name(&out, "state");
    json_out_text(&out, record->status ? "done" : "running");
    json_out_name(&out, "method");
    json_out_text(&out, record->method);
    json_out_name(&out, "path");
    json_out_text(&out, record->path);
    json_out_name(&out, "status");
    if (record->status)
        json_out_integer(&out, record->status);
    else
        json_out_null(&out);
    json_out_name(&out, "session_id");
    json_out_text(&out, record->session ? id_text(call->scope, record->session) : NULL);
    json_out_name(&out, "started_at");
    json_out_time(&out, record->started_us);
    json_out_name(&out, "elapsed_us");
    if (record->status)
        json_out_unsigned(&out, record->elapsed_us);
    else
        json_out_null(&out);
    json_out_object_end(&out);
    call_answer(call, 200, &out);
}
