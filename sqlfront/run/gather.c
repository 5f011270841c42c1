/* GATHER: its input runs on the owners of the shards of the table at its leaf, once for each, at the same time; what they give
 * comes here by mail.
 *
 *     coordinator                              owner of a shard
 *     hash joins on the way: tables built
 *     a fiber: transaction_run_range  ──>      steps of its own, over its part of the table; joins look into
 *                                              the tables the coordinator built
 *     takes batch after batch,                 aggregate … a batch: mail, and no more until it is back
 *     puts rows aside when they are many <──
 *                                     <──      done; or its shard is gone: the rest becomes a part again
 *     gives the rows
 *
 * An input that cannot be cut so (an index, points, expressions that need the session, a table that did not fit into memory)
 * runs here, as any other. Rows are given when all parts are through: the statement may do other things with its
 * transaction then, which it may not while fragments run. */
#include "base/mailbox.h"
#include "sqlfront/run/hash_join.h"
#include "sqlfront/run/row_list.h"

/* Joins between the gather and its leaf. */
#define JOINS_MAX 32

struct gather {
    struct operation step;
    struct operation *leaf; /* the scan, of the steps that would run here */
    struct operation *join[JOINS_MAX];
    struct shared_table table[JOINS_MAX];
    uint32_t joins;
    bool may_spread;
    bool here; /* runs here */
    bool read;
    bool cannot; /* an owner could not compile the steps: written by them, so atomic */
    struct row_list *rows;
    struct row_reader reader;
    uint64_t used_ns; /* by its parts, of their cores */
};

/* A batch on its way. Its memory is the sender's, who waits until it is back. */
struct delivery {
    struct mail mail;
    struct list_link link; /* of intake.arrived */
    struct intake *intake;
    const struct batch *batch;
    bool mailed;
    bool taken; /* not mailed: the sender, on this core, waits for this */
};

/* What comes in while the parts run. */
struct intake {
    struct gather *gather;
    struct world *world;
    struct scope *scope;
    struct list arrived;
    struct fiber_queue comes; /* the gather waits */
    struct fiber_queue taken; /* senders of this core wait */
    bool closed;              /* nobody takes what comes */
    bool ended;
    enum fiber_share share; /* of the gather's work */
    uint64_t *used_ns;      /* by the parts: in the gather, which is there longer */
    enum sqlstate failed;
    struct error error;
};

static void give_back(struct intake *intake, struct delivery *delivery)
{
    delivery->taken = true;
    if (delivery->mailed)
        mail_return(intake->world, &delivery->mail);
    else
        fiber_wake_all(&intake->taken);
}

static void close_intake(void *argument)
{
    struct intake *intake = argument;
    intake->closed = true;
    while (!list_empty(&intake->arrived)) {
        struct delivery *delivery = container_of(list_first(&intake->arrived), struct delivery, link);
        list_remove(&delivery->link);
        give_back(intake, delivery);
    }
}

static void arrive(struct intake *intake, struct delivery *delivery)
{
    list_link_init(&delivery->link);
    if (intake->closed) {
        give_back(intake, delivery);
        return;
    }
    list_append(&intake->arrived, &delivery->link);
    fiber_wake_one(&intake->comes);
}

static void deliver(struct world *here, struct mail *mail)
{
    struct delivery *delivery = container_of(mail, struct delivery, mail);
    (void)here;
    arrive(delivery->intake, delivery);
}

static enum sqlstate send_batch(struct intake *intake, struct world *world, struct scope *scope,
                                const struct batch *batch, struct error *error)
{
    struct delivery *delivery = scope_alloc_zeroed(scope, sizeof *delivery);
    delivery->intake = intake;
    delivery->batch = batch;
    delivery->mailed = world != intake->world;
    if (delivery->mailed) {
        delivery->mail.deliver = deliver;
        return mail_call(world, scope, intake->world->core, &delivery->mail, error);
    }
    arrive(intake, delivery);
    while (!delivery->taken)
        if (fiber_wait(world->scheduler, &intake->taken, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            break;
    if (!delivery->taken)
        list_remove(&delivery->link);
    return fiber_check_canceled(world->scheduler, error);
}

/* An execution of this core, of the input alone. */
static struct execution *execution_there(const struct gather *gather, struct branch *branch,
                                         struct scope *scope, struct range_part *part)
{
    struct execution *execution = scope_copy(scope, gather->step.execution, sizeof *execution);
    struct environment *environment = scope_copy(scope, execution->environment, sizeof *environment);
    environment->world = branch_world(branch);
    environment->catalog = NULL;
    environment->session = NULL;
    execution->environment = environment;
    execution->evaluation.environment = environment;
    execution->world = environment->world;
    execution->scope = scope;
    execution->branch = branch;
    execution->part = part;
    execution->part_lost = SQLSTATE_OK;
    execution->shared = gather->table;
    execution->shared_tables = gather->joins;
    execution->request.analyze = false;
    list_init(&execution->operations);
    return execution;
}

static enum sqlstate run_part(struct branch *branch, struct scope *scope, struct range_part *part,
                              void *argument, struct error *error)
{
    struct intake *intake = argument;
    struct gather *gather = intake->gather;
    struct execution *execution = execution_there(gather, branch, scope, part);
    struct operation *root;
    if (operation_make(execution, gather->step.plan->input[0], &root, error)) {
        __atomic_store_n(&gather->cannot, true, __ATOMIC_RELAXED);
        return SQLSTATE_OK;
    }
    for (;;) {
        const struct batch *batch;
        enum sqlstate failed = operation_next(root, &batch, error);
        if (failed)
            return failed;
        if (batch == NULL)
            break;
        if ((failed = send_batch(intake, execution->world, scope, batch, error)))
            return failed;
    }
    if (execution->part_lost)
        return error_set(error, execution->part_lost, "a shard was replaced");
    return SQLSTATE_OK;
}

/* ---- opening ---- */

static bool has_session_calls(const struct expression *expression)
{
    return expression && expression_facts(expression) & (FACT_SESSION | FACT_VOLATILE);
}

static bool keys_have_session_calls(const struct plan *plan)
{
    bool any = false;
    for (uint32_t k = 0; k < plan->keys; k++)
        any |= has_session_calls(plan->key[k].expression);
    return any;
}

static bool join_is_plain(const struct plan *plan)
{
    bool kind = plan->join == JOIN_INNER || plan->join == JOIN_LEFT || plan->join == JOIN_SEMI ||
                plan->join == JOIN_ANTI;
    return plan->kind == PLAN_HASH_JOIN && kind && !keys_have_session_calls(plan);
}

static enum sqlstate open_gather(struct operation *step, struct error *error)
{
    struct gather *gather = (struct gather *)step;
    struct operation *leaf = step->input[0];
    bool plain = true;
    (void)error;
    while (leaf->plan->kind != PLAN_SCAN && leaf->input[0]) {
        const struct plan *plan = leaf->plan;
        bool joins = join_is_plain(plan) && gather->joins < JOINS_MAX;
        plain = plain && (plan->kind == PLAN_PROJECT || plan->kind == PLAN_FILTER || joins ||
                          (plan->kind == PLAN_AGGREGATE && plan->phase == AGGREGATE_PARTIAL));
        plain = plain && !has_session_calls(plan->condition);
        for (uint32_t i = 0; i < plan->expressions; i++)
            plain = plain && !has_session_calls(plan->expression[i]);
        if (joins)
            gather->join[gather->joins++] = leaf;
        leaf = leaf->input[0];
    }
    const struct plan *scan = leaf->plan;
    gather->leaf = leaf;
    gather->may_spread = plain && scan->kind == PLAN_SCAN && (!scan->index || scan->index->clustered) &&
                         !scan->sample_percent && !has_session_calls(scan->condition);
    return SQLSTATE_OK;
}

/* ---- running ---- */

static void run_parts(void *argument)
{
    struct intake *intake = argument;
    struct gather *gather = intake->gather;
    struct bound_ranges ranges;
    fiber_share_help_begin(intake->world->scheduler, intake->share);
    intake->failed = scan_ranges(gather->leaf, intake->scope, &ranges, &intake->error);
    if (!intake->failed) {
        struct range_run run = {.table = gather->leaf->plan->relation->store,
                                .range = ranges.range[0].range,
                                .run = run_part,
                                .argument = intake};
        intake->failed =
            transaction_run_range(gather->step.execution->request.transaction, &run, &intake->error);
    }
    *intake->used_ns = fiber_share_help_end(intake->world->scheduler);
    intake->ended = true;
    fiber_wake_one(&intake->comes);
}

static enum sqlstate take_batch(struct gather *gather, struct intake *intake, struct error *error)
{
    struct delivery *delivery = container_of(list_first(&intake->arrived), struct delivery, link);
    const struct batch *batch = delivery->batch;
    enum sqlstate failed = SQLSTATE_OK;
    list_remove(&delivery->link);
    for (uint32_t i = 0; i < batch->count && !failed; i++)
        failed = row_list_add(gather->rows, batch->column, batch_row(batch, i), error);
    give_back(intake, delivery);
    return failed;
}

/* Takes what comes until the parts are through. */
static enum sqlstate take_all(struct gather *gather, struct intake *intake, struct error *error)
{
    struct world *world = intake->world;
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && (!intake->ended || !list_empty(&intake->arrived))) {
        if (!list_empty(&intake->arrived))
            failed = take_batch(gather, intake, error);
        else if (fiber_wait(world->scheduler, &intake->comes, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            failed = fiber_check_canceled(world->scheduler, error);
    }
    if (!failed && intake->failed) {
        failed = intake->failed;
        *error = intake->error;
    }
    return failed;
}

/* The tables of the joins on the way. *all false: one has not room in memory. */
static enum sqlstate build_tables(struct gather *gather, bool *all, struct error *error)
{
    *all = true;
    for (uint32_t i = gather->joins; i-- > 0 && *all;) {
        gather->table[i].plan = gather->join[i]->plan;
        enum sqlstate failed = hash_join_build(gather->join[i], &gather->table[i].table, error);
        if (failed)
            return failed;
        *all = gather->table[i].table != NULL;
    }
    return SQLSTATE_OK;
}

static enum sqlstate spread(struct gather *gather, struct error *error)
{
    struct operation *step = &gather->step;
    struct world *world = operation_world(step);
    struct bound_ranges ranges;
    bool all;
    enum sqlstate failed = scan_ranges(gather->leaf, step->memory, &ranges, error);
    if (failed)
        return failed;
    if (ranges.count != 1 || ranges.range[0].point) {
        gather->here = true;
        return SQLSTATE_OK;
    }
    failed = build_tables(gather, &all, error);
    gather->here = !all;
    if (failed || !all)
        return failed;
    struct scope *scope = scope_open(step->memory, "gather");
    struct intake *intake = scope_alloc_zeroed(scope, sizeof *intake);
    *intake = (struct intake){.gather = gather,
                              .world = world,
                              .scope = scope,
                              .share = fiber_share_now(world->scheduler),
                              .used_ns = &gather->used_ns};
    gather->used_ns = 0;
    list_init(&intake->arrived);
    fiber_queue_init(&intake->comes);
    fiber_queue_init(&intake->taken);
    scope_on_close(scope, close_intake, intake);
    gather->rows = operation_rows(step, step->memory, step->plan->columns,
                                  (const struct type *const *)step->plan->column);
    gather->reader = (struct row_reader){.scope = step->memory};
    failed = fiber_start(world->scheduler, scope, "gather", run_parts, intake, NULL, error);
    if (!failed)
        failed = take_all(gather, intake, error);
    /* Nothing is under way when this gives. */
    fiber_close_scope(world->scheduler, scope);
    fiber_share_add(world->scheduler, gather->used_ns);
    step->figures.spilled_bytes = row_list_spilled(gather->rows);
    gather->here = gather->cannot;
    return failed;
}

static enum sqlstate next_gather(struct operation *step, const struct batch **batch, struct error *error)
{
    struct gather *gather = (struct gather *)step;
    enum sqlstate failed = SQLSTATE_OK;
    if (!gather->read) {
        gather->read = true;
        gather->here = !gather->may_spread;
        if (gather->may_spread)
            failed = spread(gather, error);
    }
    if (failed)
        return failed;
    if (gather->here)
        return operation_next(step->input[0], batch, error);
    operation_clear_scratch(step);
    operation_want_room(step, BATCH_ROWS);
    failed = row_list_read(gather->rows, &gather->reader, step->scratch, step->room, BATCH_ROWS,
                           &step->batch.count, error);
    if (!failed && step->batch.count)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_gather(struct operation *step, struct error *error)
{
    struct gather *gather = (struct gather *)step;
    gather->read = gather->here = gather->cannot = false;
    gather->rows = NULL;
    return operation_restart_inputs(step, error);
}

const struct operation_ops gather_ops = {
    .bytes = sizeof(struct gather), .open = open_gather, .next = next_gather, .restart = restart_gather};
