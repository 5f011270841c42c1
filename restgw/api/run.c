/* Statements that can be asked for by their id.
 *
 *     RUNNING --> COMPLETE, maybe with a cursor (`held`): more rows can be asked for, until it is closed or nobody asks
 *        |
 *        +------> FAILED, CANCELLED
 *
 * A session remembers a few that have ended. */
#include "restgw/api/inside.h"

#include <stdio.h>
#include <string.h>

struct run *run_find(struct api *api, const char *id)
{
    return map_find(&api->runs, bytes_of_text(id));
}

struct run *run_open(struct rest *rest, const char *id, const char *sql, const char *label,
                     struct error *error)
{
    struct api *api = rest->api;
    if (run_find(api, id)) {
        (void)error_set(error, SQLSTATE_PACK('4', '2', '7', '1', '0'),
                        "there is a statement with this id already");
        return NULL;
    }
    struct scope *scope = scope_open(rest->scope, "run");
    struct run *run = scope_alloc_zeroed(scope, sizeof *run);
    run->rest = rest;
    run->scope = scope;
    memcpy(run->id, id, sizeof run->id);
    size_t size = sql ? strnlen(sql, 1024) : 0;
    run->sql = sql ? scope_text(scope, bytes_of(sql, size)) : NULL;
    run->label = label ? scope_copy_text(scope, label) : NULL;
    run->started_us = wall_us(api);
    run->used_ns = api->world->now_ns;
    fiber_queue_init(&run->ended);
    if (map_put(&api->runs, bytes_of_text(run->id), run, NULL, error)) {
        scope_close(scope);
        return NULL;
    }
    list_append(&rest->runs, &run->link);
    rest->run_count++;
    return run;
}

/* Gives the rest of its rows up. The session is taken. Yields. */
static void cursor_drop(struct run *run)
{
    if (!run->held)
        return;
    run->held = false;
    run->rest->cursors--;
    if (run->rest->session)
        session_forget(run->rest->session, SESSION_PORTAL, run->portal);
}

void run_forget(struct run *run)
{
    struct rest *rest = run->rest;
    cursor_drop(run);
    map_remove(&rest->api->runs, bytes_of_text(run->id));
    list_remove(&run->link);
    rest->run_count--;
    fiber_wake_all(&run->ended);
    scope_close(run->scope);
}

void runs_drop(struct rest *rest)
{
    while (!list_empty(&rest->runs))
        run_forget(container_of(list_first(&rest->runs), struct run, link));
}

void runs_trim(struct rest *rest)
{
    list_each_safe (&rest->runs, at) {
        struct run *run = container_of(at, struct run, link);
        if (rest->run_count <= STATEMENTS_ENDED_MAX)
            return;
        if (run->status != RUN_RUNNING && !run->held)
            run_forget(run);
    }
}

void runs_transaction_over(struct rest *rest)
{
    list_each (&rest->runs, at) {
        struct run *run = container_of(at, struct run, link);
        if (!run->held || !run->in_transaction)
            continue;
        run->held = false;
        run->status = RUN_CLOSED;
        rest->cursors--;
    }
}

void runs_tick(struct rest *rest, uint64_t now_ns)
{
    struct error error = {0};
    list_each_safe (&rest->runs, at) {
        struct run *run = container_of(at, struct run, link);
        if (!run->held || run->in_transaction || now_ns < run->used_ns + CURSOR_IDLE_MS * NS_PER_MS)
            continue;
        cursor_drop(run);
        run->status = RUN_CLOSED;
    }
    if (rest->cursors == 0)
        (void)cursors_settle(rest, &error);
}

static void body_drop(struct run *run)
{
    if (run->memory)
        scope_free_large(run->scope, run->memory);
    run->memory = NULL;
    run->body = (struct bytes){0};
}

/* What a session keeps of its statements is bounded: pages of the oldest go. */
static void bodies_bound(const struct run *newest)
{
    size_t bytes = 0;
    list_each (&newest->rest->runs, at)
        bytes += container_of(at, struct run, link)->body.size;
    list_each (&newest->rest->runs, at) {
        struct run *run = container_of(at, struct run, link);
        if (bytes <= RUN_BODIES_BYTES_MAX)
            return;
        if (run == newest || run->answer >= 400)
            continue;
        bytes -= run->body.size;
        body_drop(run);
    }
}

void run_keep(struct run *run, int status, struct bytes body)
{
    struct error error = {0};
    void *memory = NULL;
    body_drop(run);
    run->answer = status;
    if (scope_alloc_large(run->scope, body.size + 1, 16, &memory, &error))
        return;
    memcpy(memory, body.data, body.size);
    run->memory = memory;
    run->body = bytes_of(memory, body.size);
    bodies_bound(run);
}

static const char *status_word(enum run_status status)
{
    static const char *const words[] = {"running", "complete", "failed", "cancelled", "closed"};
    return words[status];
}

void run_write(struct json_out *out, const struct run *run)
{
    json_out_object(out);
    json_out_name(out, "statement_id");
    json_out_text(out, run->id);
    json_out_name(out, "status");
    json_out_text(out, status_word(run->status));
    json_out_name(out, "session_id");
    if (run->rest->number)
        json_out_format(out, "1.1.%llu", (unsigned long long)run->rest->number);
    else
        json_out_null(out);
    json_out_name(out, "label");
    json_out_text(out, run->label);
    json_out_name(out, "sql");
    json_out_text(out, run->sql);
    json_out_name(out, "started_at");
    json_out_time(out, run->started_us);
    json_out_name(out, "rows_so_far");
    json_out_integer(out, (int64_t)run->rows);
    if (run->answer >= 400 && run->body.data) {
        json_out_name(out, "problem");
        json_out_value(out, run->body);
    }
    json_out_object_end(out);
}

/* ---- handlers ---- */

struct run_mail {
    struct mail mail;
    struct api_shared *shared;
    const char *id, *role; /* role NULL = any */
    bool cancel, found;
};

static void run_deliver(struct world *here, struct mail *mail)
{
    struct run_mail *asked = container_of(mail, struct run_mail, mail);
    struct api *api = asked->shared->core[here->core];
    struct run *run = api ? run_find(api, asked->id) : NULL;
    asked->found = run && (!asked->role || strcmp(run->rest->role, asked->role) == 0);
    if (asked->found && asked->cancel && run->status == RUN_RUNNING) {
        run->stop = true;
        if (run->rest->session && run->rest->busy)
            session_interrupt(run->rest->session);
    }
    mail_return(here, mail);
}

/* Asks every core for the statement; UINT32_MAX when none has it. Yields. */
static uint32_t run_ask(struct http_call *call, const char *id, const char *role, bool cancel)
{
    struct api *api = call->api;
    for (uint32_t core = 0; core < api->shared->cores; core++) {
        struct run_mail *mail = scope_alloc_zeroed(call->scope, sizeof *mail);
        *mail = (struct run_mail){.mail = {.deliver = run_deliver},
                                  .shared = api->shared,
                                  .id = id,
                                  .role = role,
                                  .cancel = cancel};
        if (mail_call(api->world, call->scope, core, &mail->mail, &call->error) == SQLSTATE_OK && mail->found)
            return core;
    }
    return UINT32_MAX;
}

/* The statement the path names, here. NULL after an answer was given, or the request went to another core. Yields. */
static struct run *run_of(struct http_call *call)
{
    const char *id = scope_text(call->scope, http_path(call->exchange, "statement_id"));
    struct run *run = run_find(call->api, id);
    if (run && strcmp(run->rest->role, call->principal.role) == 0 && (!call->rest || run->rest == call->rest))
        return run;
    if (!run && !call->rest) {
        uint32_t core = run_ask(call, id, call->principal.role, false);
        if (core != UINT32_MAX && core != call->api->world->core) {
            http_pass_on(call->exchange, core);
            call->answered = true;
            return NULL;
        }
    }
    call_problem(call, 404, "statement-unknown", "Unknown statement",
                 "this session has no statement with this id (any more)");
    return NULL;
}

static void run_answer(struct http_call *call, const struct run *run, int status)
{
    struct json_out out;
    if (run->status == RUN_COMPLETE && run->body.data) {
        /* The page is the statement's; it may go while the answer is sent. */
        call_body(call, status, bytes_of_text(scope_text(call->scope, run->body)), false);
        return;
    }
    json_out_open(&out, call->scope);
    run_write(&out, run);
    call_answer(call, status, &out);
}

void api_get_statement(struct http_call *call)
{
    struct run *run = run_of(call);
    if (!run)
        return;
    int64_t wait_ms = 0;
    struct bytes wait = http_query(call->exchange, "wait_ms");
    for (size_t i = 0; i < wait.size && wait_ms <= 60000; i++)
        wait_ms = wait_ms * 10 + (wait.data[i] - '0');
    uint64_t until_ns = call->world->now_ns + (uint64_t)wait_ms * NS_PER_MS;
    struct scope *scope = run->scope;
    scope_hold(scope);
    while (run->status == RUN_RUNNING && !scope_closing(scope))
        if (fiber_wait(call->world->scheduler, &run->ended, until_ns) != FIBER_WOKEN)
            break;
    if (scope_closing(scope))
        call_problem(call, 404, "statement-unknown", "Unknown statement", "the statement was closed");
    else
        run_answer(call, run, 200);
    scope_release(scope);
}

/* Takes the statement's session, which is the caller's, or one that was kept for it. */
static bool run_take(struct http_call *call, struct run *run)
{
    if (call->rest)
        return call_session(call, NULL) != NULL;
    if (rest_take(run->rest, &call->error)) {
        call_fail(call, &call->error);
        return false;
    }
    call->serving = run->rest;
    return true;
}

void api_get_statement_rows(struct http_call *call)
{
    struct run *run = run_of(call);
    if (!run || !run_take(call, run))
        return;
    /* It may have gone while we waited for the session. */
    const char *id = scope_text(call->scope, http_path(call->exchange, "statement_id"));
    run = run_find(call->api, id);
    uint64_t page = query_number(call, "cursor", 0);
    if (run && page > 0 && page == run->page && run->body.data) {
        call_body(call, 200, bytes_of_text(scope_text(call->scope, run->body)), false);
        return;
    }
    if (!run || !run->held || page != run->page + 1) {
        call_problem(
            call, 404, "cursor-expired", "Cursor expired",
            "there is no such page: the cursor was closed, ended with its transaction, or is not this one");
        return;
    }
    struct json_out body;
    uint32_t rows_max = (uint32_t)query_number(call, "max_rows", run->options.rows_max);
    json_out_open(&body, call->scope);
    if (statement_page(run, call->scope, rows_max, &body, &call->error))
        call_fail(call, &call->error);
    else
        call_answer(call, 200, &body);
}

void api_cancel_statement(struct http_call *call)
{
    const char *id = scope_text(call->scope, http_path(call->exchange, "statement_id"));
    struct json_out out;
    bool found = run_ask(call, id, call->principal.role, true) != UINT32_MAX;
    if (!found && call_superuser(call, false))
        found = run_ask(call, id, NULL, true) != UINT32_MAX;
    if (call->answered)
        return;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "told");
    json_out_boolean(&out, found);
    json_out_object_end(&out);
    call_answer(call, 202, &out);
}

void api_close_statement(struct http_call *call)
{
    struct run *run = run_of(call);
    if (!run)
        return;
    if (run->status == RUN_RUNNING) {
        run->stop = true;
        session_interrupt(run->rest->session);
    }
    if (!run_take(call, run))
        return;
    run = run_find(call->api, scope_text(call->scope, http_path(call->exchange, "statement_id")));
    if (run)
        run_forget(run);
    call_nothing(call);
}

/* A core's statements as JSON, separated by commas: its text is lent until the asker has copied it. */
struct list_mail {
    struct mail mail;
    struct api_shared *shared;
    const char *role;    /* NULL = of all roles */
    struct bytes status; /* data NULL = any */
    void (*write)(struct json_out *out, const struct run *run);
    bool detached;  /* only those that go on without a request */
    const char *id; /* only this one; NULL = all */
    bool running;   /* it is */
    struct scope *lent;
    struct bytes text;
};

static void list_write(struct api *api, struct list_mail *asked, struct json_out *out)
{
    const struct run *one = asked->id ? run_find(api, asked->id) : NULL;
    if (one && strcmp(one->rest->role, asked->role) == 0) {
        asked->running = one->status == RUN_RUNNING;
        asked->write(out, one);
    }
    if (asked->id)
        return;
    list_each (&api->sessions, at) {
        const struct rest *rest = container_of(at, struct rest, link);
        if (asked->role && strcmp(rest->role, asked->role) != 0)
            continue;
        list_each (&rest->runs, link) {
            const struct run *run = container_of(link, struct run, link);
            struct bytes word = bytes_of_text(status_word(run->status));
            if ((!asked->detached || run->detached) &&
                (!asked->status.data || bytes_compare(asked->status, word) == 0))
                asked->write(out, run);
        }
    }
}

static void list_deliver(struct world *here, struct mail *mail)
{
    struct list_mail *asked = container_of(mail, struct list_mail, mail);
    struct api *api = asked->shared->core[here->core];
    if (asked->lent) {
        scope_close(asked->lent);
        asked->lent = NULL;
    } else if (api && !api->draining) {
        struct json_out out;
        asked->lent = scope_open(api->scope, "list");
        json_out_open(&out, asked->lent);
        list_write(api, asked, &out);
        asked->text = json_out_bytes(&out);
    }
    mail_return(here, mail);
}

/* What a core has of them, added to `out`. Yields. */
static enum sqlstate list_take(struct http_call *call, struct scope *scope, uint32_t core,
                               struct list_mail *mail, struct json_out *out)
{
    /* What was lent must be given back, whatever happens to us. */
    fiber_shield_begin(call->world->scheduler);
    enum sqlstate failed = mail_call(call->world, scope, core, &mail->mail, &call->error);
    if (!failed && mail->lent) {
        if (mail->text.size)
            json_out_value(out, mail->text);
        failed = mail_call(call->world, scope, core, &mail->mail, &call->error);
    }
    fiber_shield_end(call->world->scheduler);
    return failed;
}

enum sqlstate run_show(struct http_call *call, struct scope *scope, const char *id, struct json_out *out,
                       bool *running, void (*write)(struct json_out *out, const struct run *run))
{
    const struct api *api = call->api;
    enum sqlstate failed = SQLSTATE_OK;
    size_t before = out->used;
    *running = false;
    for (uint32_t core = 0; core < api->shared->cores && !failed && out->used == before; core++) {
        struct list_mail *mail = scope_alloc_zeroed(scope, sizeof *mail);
        *mail = (struct list_mail){.mail = {.deliver = list_deliver},
                                   .shared = api->shared,
                                   .role = call->principal.role,
                                   .write = write,
                                   .id = id};
        failed = list_take(call, scope, core, mail, out);
        *running = mail->running;
    }
    return failed;
}

bool run_stop(struct http_call *call, const char *id)
{
    return run_ask(call, id, call->principal.role, true) != UINT32_MAX;
}

void runs_answer(struct http_call *call, bool all, bool detached, struct bytes status,
                 void (*write)(struct json_out *out, const struct run *run))
{
    struct api *api = call->api;
    struct json_out out;
    enum sqlstate failed = SQLSTATE_OK;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "items");
    json_out_array(&out);
    for (uint32_t core = 0; core < api->shared->cores && !failed; core++) {
        struct list_mail *mail = scope_alloc_zeroed(call->scope, sizeof *mail);
        *mail = (struct list_mail){.mail = {.deliver = list_deliver},
                                   .shared = api->shared,
                                   .role = all ? NULL : call->principal.role,
                                   .status = status,
                                   .write = write,
                                   .detached = detached};
        failed = list_take(call, call->scope, core, mail, &out);
    }
    json_out_array_end(&out);
    json_out_name(&out, "next_cursor");
    json_out_null(&out);
    json_out_object_end(&out);
    if (failed)
        call_fail(call, &call->error);
    else
        call_answer(call, 200, &out);
}

void api_list_statements(struct http_call *call)
{
    bool all = call_superuser(call, false);
    if (!call->answered)
        runs_answer(call, all, false, http_query(call->exchange, "state"), run_write);
}
