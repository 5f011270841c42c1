/* Calls between cores.
 *
 *     coordinator's core                          owner's core
 *     fragment_send  ── mail: deliver ──────────> stamp at once, or a worker fiber takes it
 *     fragment_wait  <── mail: returned ───────── the worker has done it
 *          └─ canceled: cancel mail ────────────> the worker's waits end
 *
 * A worker is a fiber of a pool; it waits for the next fragment when it is done, so a call costs no fiber start. The number of
 * workers is bounded by the number of fragments under way, which their senders bound: one per session. */
#include "base/check.h"
#include "base/scope.h"
#include "engine/inside.h"

/* Workers that stay when there is nothing to do; each keeps a stack. */
#define WORKERS_KEPT 256

struct worker {
    struct list_link link; /* in core->idle */
    struct engine_core *core;
    struct fragment *work;
    struct fiber_queue wake;
    struct fiber *fiber;
};

/* The transaction's branch here, made at its first call. */
static struct branch *branch_for(struct engine_core *core, struct fragment *fragment)
{
    if (!*fragment->branch)
        *fragment->branch = branch_open(core, fragment->terms);
    branch_enter(*fragment->branch, fragment->terms);
    return *fragment->branch;
}

static enum sqlstate run_on_branch(struct engine_core *core, struct fragment *fragment, struct error *error)
{
    struct branch *branch = branch_for(core, fragment);
    struct scope *scope = scope_open(core->scope, "fragment");
    branch->fragments++;
    enum sqlstate failed = fragment->run(branch, scope, fragment->argument, error);
    branch->fragments--;
    scope_close(scope);
    *fragment->terms = branch->terms;
    if (!branch->fragments && branch_idle(branch)) {
        /* It read a snapshot and holds nothing: the next call makes it anew. */
        bool gone = branch_stamp(branch, SCN_NONE);
        check(gone);
        *fragment->branch = NULL;
    }
    return failed;
}

enum sqlstate fragment_do(struct engine_core *core, struct fragment *fragment, struct error *error)
{
    switch (fragment->kind) {
    case FRAGMENT_RUN:
        return run_on_branch(core, fragment, error);
    case FRAGMENT_STAMP:
        if (branch_stamp(*fragment->branch, fragment->scn))
            *fragment->branch = NULL;
        return SQLSTATE_OK;
    case FRAGMENT_RELEASE:
        branch_release(*fragment->branch);
        *fragment->branch = NULL;
        return SQLSTATE_OK;
    case FRAGMENT_ROLLBACK:
        branch_rollback(*fragment->branch, fragment->savepoint, fragment->all);
        if (fragment->all)
            *fragment->branch = NULL;
        else
            *fragment->terms = (*fragment->branch)->terms; /* a COMMIT must follow the UNDO, too */
        return SQLSTATE_OK;
    case FRAGMENT_CORE:
        return fragment->core_run(core, fragment->argument, error);
    }
    check(false, "a fragment of kind %d", fragment->kind);
    return SQLSTATE_INTERNAL_ERROR;
}

/* ---- the owner's side ---- */

static void work_on(struct worker *worker, struct fragment *fragment)
{
    struct engine_core *core = worker->core;
    fragment->worker = worker->fiber;
    if (fragment->canceled)
        fiber_cancel(worker->fiber, fragment->canceled_state, fragment->canceled_message);
    fiber_share_help_begin(core->world->scheduler, fragment->share);
    fragment->failed = fragment_do(core, fragment, fragment->error);
    fragment->used_ns = fiber_share_help_end(core->world->scheduler);
    fragment->worker = NULL;
    if (!core->closing)
        fiber_cancel_clear(worker->fiber);
    mail_return(core->world, &fragment->mail);
}

static void run_worker(void *argument)
{
    struct worker *worker = argument;
    struct engine_core *core = worker->core;
    for (;;) {
        struct fragment *fragment = worker->work;
        worker->work = NULL;
        if (!fragment) {
            struct list_link *link = list_take_first(&core->calls);
            fragment = link ? container_of(link, struct fragment, link) : NULL;
        }
        if (fragment) {
            work_on(worker, fragment);
            continue;
        }
        if (core->closing || core->workers > WORKERS_KEPT)
            break;
        list_prepend(&core->idle, &worker->link);
        enum fiber_wake wake = fiber_wait(core->world->scheduler, &worker->wake, FIBER_NO_DEADLINE);
        list_remove(&worker->link);
        if (wake == FIBER_CANCELED && !worker->work)
            break;
    }
    core->workers--;
    slab_free(core->pool, worker, sizeof *worker);
}

/* A fragment without a worker waits in `calls` until one is free. */
static void give_to_worker(struct engine_core *core, struct fragment *fragment)
{
    struct list_link *idle = list_take_first(&core->idle);
    if (idle) {
        struct worker *worker = container_of(idle, struct worker, link);
        worker->work = fragment;
        fiber_wake_all(&worker->wake);
        return;
    }
    struct worker *worker = slab_alloc(core->pool, sizeof *worker);
    *worker = (struct worker){.core = core, .work = fragment};
    list_link_init(&worker->link);
    fiber_queue_init(&worker->wake);
    core->workers++;
    struct error error;
    if (!fiber_start(core->world->scheduler, core->scope, "fragment", run_worker, worker, &worker->fiber,
                     &error))
        return;
    core->workers--;
    slab_free(core->pool, worker, sizeof *worker);
    if (core->workers) {
        list_append(&core->calls, &fragment->link);
        return;
    }
    /* Not one fiber can be had, so nobody would ever take it from the queue. */
    if (fragment->error)
        *fragment->error = error;
    fragment->failed = error.state;
    mail_return(core->world, &fragment->mail);
}

static void fragment_delivered(struct world *here, struct mail *mail)
{
    struct fragment *fragment = container_of(mail, struct fragment, mail);
    struct engine_core *core = engine_core_of(fragment->engine, here);
    if (fragment->kind == FRAGMENT_STAMP || fragment->kind == FRAGMENT_RELEASE) {
        fragment->failed = fragment_do(core, fragment, fragment->error);
        mail_return(here, mail);
        return;
    }
    give_to_worker(core, fragment);
}

/* ---- the coordinator's side ---- */

static void fragment_returned(struct world *here, struct mail *mail)
{
    struct fragment *fragment = container_of(mail, struct fragment, mail);
    (void)here;
    if (mail->refused)
        fragment->failed = error_set(fragment->error, SQLSTATE_ADMIN_SHUTDOWN,
                                     "terminating connection due to administrator command");
    fragment->back = true;
    fiber_wake_all(fragment->came_back);
}

void fragment_send(struct engine_core *core, uint32_t to, struct fragment *fragment)
{
    fragment->engine = core->engine;
    fragment->back = false;
    fragment->worker = NULL;
    fragment->canceled = false;
    fragment->share = fiber_share_now(core->world->scheduler);
    fragment->used_ns = 0;
    list_link_init(&fragment->link);
    fiber_queue_init(&fragment->own);
    if (!fragment->came_back)
        fragment->came_back = &fragment->own;
    fragment->mail = (struct mail){
        .deliver = fragment_delivered, .returned = fragment_returned, .takes_long = fragment->takes_long};
    mail_send(core->world, to, &fragment->mail);
}

struct cancel_mail {
    struct mail mail;
    struct fragment *fragment;
    bool back;
    struct fiber_queue came_back;
};

/* The fragment is still out: its mail cannot have been returned before this one, for both travel the same way back. */
static void cancel_delivered(struct world *here, struct mail *mail)
{
    struct fragment *fragment = container_of(mail, struct cancel_mail, mail)->fragment;
    fragment->canceled = true;
    if (fragment->worker)
        fiber_cancel(fragment->worker, fragment->canceled_state, fragment->canceled_message);
    mail_return(here, mail);
}

static void cancel_returned(struct world *here, struct mail *mail)
{
    struct cancel_mail *cancel = container_of(mail, struct cancel_mail, mail);
    (void)here;
    cancel->back = true;
    fiber_wake_all(&cancel->came_back);
}

void fragment_cancel(struct engine_core *core, uint32_t to, struct fragment *fragment, enum sqlstate state,
                     const char *message)
{
    struct scheduler *scheduler = core->world->scheduler;
    fragment->canceled_state = state;
    fragment->canceled_message = message;
    struct cancel_mail cancel = {.fragment = fragment};
    fiber_queue_init(&cancel.came_back);
    cancel.mail = (struct mail){.deliver = cancel_delivered, .returned = cancel_returned};
    mail_send(core->world, to, &cancel.mail);
    fiber_shield_begin(scheduler);
    while (!cancel.back)
        (void)!fiber_wait(scheduler, &cancel.came_back, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
}

enum sqlstate fragment_wait(struct engine_core *core, uint32_t to, struct fragment *fragment, bool cancelable)
{
    struct scheduler *scheduler = core->world->scheduler;
    if (cancelable)
        while (!fragment->back)
            if (fiber_wait(scheduler, fragment->came_back, FIBER_NO_DEADLINE) == FIBER_CANCELED) {
                struct error why = {0};
                if (!fragment->back)
                    fragment_cancel(core, to, fragment, fiber_check_canceled(scheduler, &why),
                                    "canceling statement due to user request");
                break;
            }
    fiber_shield_begin(scheduler);
    while (!fragment->back)
        (void)!fiber_wait(scheduler, fragment->came_back, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
    fiber_share_add(scheduler, fragment->used_ns);
    return fragment->failed;
}

enum sqlstate core_call(struct engine_core *core, uint32_t to,
                        enum sqlstate (*run)(struct engine_core *core, void *argument, struct error *error),
                        void *argument, struct error *error)
{
    if (to == core->world->core)
        return run(core, argument, error);
    struct fragment fragment = {.kind = FRAGMENT_CORE, .core_run = run, .argument = argument, .error = error};
    fragment_send(core, to, &fragment);
    return fragment_wait(core, to, &fragment, false);
}
