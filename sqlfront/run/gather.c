/* GATHER: its input runs on the owners of the shards of the table at its leaf, once for each, at the same time; what they give
 * comes here by mail.
 *
 *     coordinator                              owner of a shard
 *     transaction_run_range(all of it)  ──>    steps of its own, over its part of the table
 *       waits                                  aggregate … a batch: mail ──>  copied into `rows` as it comes in
 *     gives `rows`                    <──      done; or its shard is gone: the rest becomes a part again
 *
 * An input that cannot be cut so (an index, points, expressions that need the session) runs here, as any other. */
#include "base/mailbox.h"
#include "sqlfront/run/operator.h"

struct gather {
    struct operation step;
    struct operation *leaf; /* the scan, of the steps that would run here */
    bool may_spread;
    bool here; /* runs here */
    bool read;
    bool cannot; /* an owner could not compile the steps: written by them, so atomic */
    struct tuple_store rows;
    size_t at;
};

/* A batch on its way. */
struct delivery {
    struct mail mail;
    struct gather *gather;
    const struct batch *batch;
    enum sqlstate failed;
    struct error *error;
};

static enum sqlstate keep_batch(struct gather *gather, const struct batch *batch, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < batch->count && !failed; i++) {
        struct tuple *tuple;
        failed = tuple_store_add(&gather->rows, batch->column, batch_row(batch, i), &tuple, error);
    }
    return failed;
}

static void deliver(struct world *here, struct mail *mail)
{
    struct delivery *delivery = container_of(mail, struct delivery, mail);
    delivery->failed = keep_batch(delivery->gather, delivery->batch, delivery->error);
    mail_return(here, mail);
}

static enum sqlstate send_batch(struct gather *gather, struct world *world, struct scope *scope,
                                const struct batch *batch, struct error *error)
{
    struct world *home = operation_world(&gather->step);
    if (world == home)
        return keep_batch(gather, batch, error);
    struct delivery *delivery = scope_alloc_zeroed(scope, sizeof *delivery);
    delivery->mail.deliver = deliver;
    delivery->gather = gather;
    delivery->batch = batch;
    delivery->error = error;
    enum sqlstate failed = mail_call(world, scope, home->core, &delivery->mail, error);
    return failed ? failed : delivery->failed;
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
    execution->request.analyze = false;
    list_init(&execution->operations);
    return execution;
}

static enum sqlstate run_part(struct branch *branch, struct scope *scope, struct range_part *part,
                              void *argument, struct error *error)
{
    struct gather *gather = argument;
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
        if ((failed = send_batch(gather, execution->world, scope, batch, error)))
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

static enum sqlstate open_gather(struct operation *step, struct error *error)
{
    struct gather *gather = (struct gather *)step;
    struct operation *leaf = step->input[0];
    bool plain = true;
    while (leaf->plan->kind != PLAN_SCAN && leaf->input[0] && !leaf->input[1]) {
        uint8_t kind = leaf->plan->kind;
        plain = plain && (kind == PLAN_PROJECT || kind == PLAN_FILTER ||
                          (kind == PLAN_AGGREGATE && leaf->plan->phase == AGGREGATE_PARTIAL));
        plain = plain && !has_session_calls(leaf->plan->condition);
        for (uint32_t i = 0; i < leaf->plan->expressions; i++)
            plain = plain && !has_session_calls(leaf->plan->expression[i]);
        leaf = leaf->input[0];
    }
    const struct plan *scan = leaf->plan;
    gather->leaf = leaf;
    gather->may_spread = plain && scan->kind == PLAN_SCAN && (!scan->index || scan->index->clustered) &&
                         !scan->sample_percent && !has_session_calls(scan->condition);
    return SQLSTATE_OK;
}

/* ---- running ---- */

static enum sqlstate spread(struct gather *gather, struct error *error)
{
    struct operation *step = &gather->step;
    struct bound_ranges ranges;
    enum sqlstate failed = scan_ranges(gather->leaf, step->memory, &ranges, error);
    if (failed)
        return failed;
    if (ranges.count != 1 || ranges.range[0].point) {
        gather->here = true;
        return SQLSTATE_OK;
    }
    struct range_run run = {.table = gather->leaf->plan->relation->store,
                            .range = ranges.range[0].range,
                            .run = run_part,
                            .argument = gather};
    tuple_store_init(&gather->rows, step->memory, step->plan->columns, step->plan->column);
    failed = transaction_run_range(step->execution->request.transaction, &run, error);
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
    size_t left = gather->rows.count - gather->at;
    if (left == 0)
        return SQLSTATE_OK;
    operation_want_room(step, left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS);
    step->batch.count = tuple_store_give(&gather->rows, gather->at, step->room, step->room_rows);
    gather->at += step->batch.count;
    *batch = &step->batch;
    return SQLSTATE_OK;
}

static enum sqlstate restart_gather(struct operation *step, struct error *error)
{
    struct gather *gather = (struct gather *)step;
    gather->read = gather->here = gather->cannot = false;
    gather->at = 0;
    return operation_restart_inputs(step, error);
}

const struct operation_ops gather_ops = {
    .bytes = sizeof(struct gather), .open = open_gather, .next = next_gather, .restart = restart_gather};
