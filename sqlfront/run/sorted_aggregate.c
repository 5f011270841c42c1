/* AGGREGATE whose input comes sorted by the keys: equal rows are neighbours, so that there is one group at a time. It goes out as soon
 * as the next one begins: in the order of the keys, without a table, and a LIMIT above has its rows early.
 *
 * A batch of the input is cut into stretches of equal keys. The group at its end may go on in the next batch: its keys are copied
 * then, everything else stays where it is. Nothing of a batch is under way when the next one is asked for. */
#include "sqlfront/run/operator.h"

struct sorted_call {
    const struct plan_aggregate *plan;
    const struct aggregate *aggregate;
    struct call call;
    struct program **argument;
    struct program *filter;
    const struct value **values; /* of the arguments, over the batch */
    struct value *tuple;
    bool *counts; /* per row of the batch: the filter lets it in. NULL: no filter */
    uint8_t *state;
};

struct sorted_aggregate {
    struct operation step;
    uint32_t keys, calls;
    struct program **key;
    const struct value **key_values; /* over the batch */
    struct sorted_call *call;
    const struct batch *input; /* NULL: the next one is needed */
    uint32_t at;               /* place in it: rows before are in groups */
    bool ended;
    struct scope *batch_scope; /* of what was computed of the batch */

    bool begun;          /* there is a group */
    struct value *group; /* its keys */
    struct scope *key_scope;
    struct scope *lasting; /* what its states refer to */
    uint8_t *states;
    size_t state_bytes;
    uint16_t *filtered;
};

/* ---- opening ---- */

static enum sqlstate open_call(struct sorted_aggregate *aggregate, struct sorted_call *call,
                               const struct plan_aggregate *plan, struct error *error)
{
    struct operation *step = &aggregate->step;
    struct scope *scope = step->scope;
    uint32_t room = plan->arguments + 1;
    const struct type **types = scope_alloc(scope, room * sizeof types[0]);
    bool *constant = scope_alloc_zeroed(scope, room);
    for (uint32_t i = 0; i < plan->arguments; i++) {
        types[i] = plan->argument[i]->type;
        constant[i] = plan->argument[i]->kind == EXPRESSION_CONSTANT;
    }
    *call = (struct sorted_call){.plan = plan,
                                 .aggregate = plan->aggregate,
                                 .values = scope_alloc(scope, room * sizeof call->values[0]),
                                 .tuple = scope_alloc(scope, room * sizeof call->tuple[0]),
                                 .counts = plan->filter ? scope_alloc(scope, BATCH_ROWS) : NULL,
                                 .call = {.environment = operation_environment(step),
                                          .result = plan->type,
                                          .types = types,
                                          .arguments = plan->arguments,
                                          .modifier = -1,
                                          .constant = constant}};
    enum sqlstate failed = operation_programs(step, plan->argument, plan->arguments, &call->argument, error);
    return failed ? failed : operation_program(step, plan->filter, &call->filter, error);
}

static enum sqlstate open_sorted(struct operation *step, struct error *error)
{
    struct sorted_aggregate *aggregate = (struct sorted_aggregate *)step;
    const struct plan *plan = step->plan;
    aggregate->keys = plan->keys;
    aggregate->calls = plan->aggregates;
    aggregate->key = scope_alloc_zeroed(step->scope, (plan->keys + 1) * sizeof aggregate->key[0]);
    aggregate->key_values = scope_alloc(step->scope, (plan->keys + 1) * sizeof aggregate->key_values[0]);
    aggregate->group = scope_alloc(step->scope, (plan->keys + 1) * sizeof aggregate->group[0]);
    aggregate->call = scope_alloc_zeroed(step->scope, (plan->aggregates + 1) * sizeof aggregate->call[0]);
    aggregate->filtered = scope_alloc(step->scope, BATCH_ROWS * sizeof aggregate->filtered[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < plan->keys && !failed; i++)
        failed = operation_program(step, plan->key[i].expression, &aggregate->key[i], error);
    for (uint32_t i = 0; i < plan->aggregates && !failed; i++) {
        failed = open_call(aggregate, &aggregate->call[i], &plan->aggregate[i], error);
        aggregate->state_bytes += (plan->aggregate[i].aggregate->state_bytes + 15UL) & ~15UL;
    }
    aggregate->states = scope_alloc(step->scope, aggregate->state_bytes + 16);
    size_t offset = 0;
    for (uint32_t i = 0; i < plan->aggregates; i++) {
        aggregate->call[i].state = aggregate->states + offset;
        offset += (plan->aggregate[i].aggregate->state_bytes + 15UL) & ~15UL;
    }
    return failed;
}

/* ---- a batch ---- */

static enum sqlstate view_call(struct sorted_aggregate *aggregate, struct sorted_call *call,
                               struct error *error)
{
    struct batch some = *aggregate->input;
    enum sqlstate failed = SQLSTATE_OK;
    if (call->filter) {
        failed = program_select(call->filter, aggregate->input, aggregate->batch_scope, aggregate->filtered,
                                &some.count, error);
        some.selection = aggregate->filtered;
        memset(call->counts, 0, BATCH_ROWS);
        for (uint32_t i = 0; i < some.count && !failed; i++)
            call->counts[some.selection[i]] = true;
    }
    for (uint32_t a = 0; a < call->plan->arguments && !failed && some.count; a++)
        failed = program_view(call->argument[a], &some, aggregate->batch_scope, &call->values[a], error);
    return failed;
}

static enum sqlstate want_batch(struct sorted_aggregate *aggregate, struct error *error)
{
    enum sqlstate failed = operation_next(aggregate->step.input[0], &aggregate->input, error);
    aggregate->ended = !failed && aggregate->input == NULL;
    aggregate->at = 0;
    if (aggregate->batch_scope)
        scope_close(aggregate->batch_scope);
    aggregate->batch_scope = scope_open(aggregate->step.memory, "batch");
    for (uint32_t k = 0; k < aggregate->keys && !failed && !aggregate->ended; k++)
        failed = program_view(aggregate->key[k], aggregate->input, aggregate->batch_scope,
                              &aggregate->key_values[k], error);
    for (uint32_t c = 0; c < aggregate->calls && !failed && !aggregate->ended; c++)
        failed = view_call(aggregate, &aggregate->call[c], error);
    return failed;
}

/* The batch goes, the group at its end stays. */
static enum sqlstate keep_keys(struct sorted_aggregate *aggregate, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    struct scope *scope = scope_open(aggregate->step.memory, "group's keys");
    for (uint32_t k = 0; k < aggregate->keys && !failed && aggregate->begun; k++) {
        struct value key = aggregate->group[k];
        failed = value_copy(scope, aggregate->step.plan->key[k].type, &key, &aggregate->group[k], error);
    }
    if (aggregate->key_scope)
        scope_close(aggregate->key_scope);
    aggregate->key_scope = scope;
    return failed;
}

/* ---- groups ---- */

static bool is_group(const struct sorted_aggregate *aggregate, uint32_t row)
{
    struct environment *environment = operation_environment(&aggregate->step);
    const struct plan_key *key = aggregate->step.plan->key;
    for (uint32_t k = 0; k < aggregate->keys; k++) {
        const struct value *a = &aggregate->group[k], *b = &aggregate->key_values[k][row];
        if (a->null || b->null) {
            if (a->null != b->null)
                return false;
        } else if (key[k].type->order == ORDER_INTEGER) {
            if (a->i != b->i)
                return false;
        } else if (!value_equal(environment, key[k].type, a, b)) {
            return false;
        }
    }
    return true;
}

static void begin_group(struct sorted_aggregate *aggregate, uint32_t row)
{
    for (uint32_t k = 0; k < aggregate->keys; k++)
        aggregate->group[k] = aggregate->key_values[k][row];
    memset(aggregate->states, 0, aggregate->state_bytes);
    if (!aggregate->lasting || scope_bytes(aggregate->lasting) > 0) {
        if (aggregate->lasting)
            scope_close(aggregate->lasting);
        aggregate->lasting = scope_open(aggregate->step.memory, "group");
        for (uint32_t c = 0; c < aggregate->calls; c++)
            aggregate->call[c].call.memory = NULL;
    }
    aggregate->begun = true;
}

static void make_ready(struct sorted_aggregate *aggregate, struct sorted_call *call, struct scope *scope,
                       struct error *error)
{
    call->call.scope = scope;
    call->call.scope_lasting = aggregate->lasting;
    call->call.error = error;
}

/* Rows at places from .. until of the batch, of one group. */
static enum sqlstate step_call(struct sorted_aggregate *aggregate, struct sorted_call *call, uint32_t from,
                               uint32_t until, struct error *error)
{
    const struct aggregate *function = call->aggregate;
    uint32_t arguments = call->plan->arguments;
    enum sqlstate failed = SQLSTATE_OK;
    make_ready(aggregate, call, aggregate->batch_scope, error);
    for (uint32_t i = from; i < until && !failed; i++) {
        uint32_t row = batch_row(aggregate->input, i);
        bool null = false;
        if (call->counts && !call->counts[row])
            continue;
        for (uint32_t a = 0; a < arguments; a++) {
            call->tuple[a] = call->values[a][row];
            null |= call->tuple[a].null;
        }
        if (!null || function->takes_null)
            failed = function->step(&call->call, call->state, call->tuple);
    }
    return failed;
}

/* The group becomes a row of the output. */
static enum sqlstate give_group(struct sorted_aggregate *aggregate, struct error *error)
{
    struct operation *step = &aggregate->step;
    uint32_t at = step->batch.count;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t k = 0; k < aggregate->keys && !failed; k++)
        failed = value_copy(step->scratch, step->plan->key[k].type, &aggregate->group[k], &step->room[k][at],
                            error);
    for (uint32_t c = 0; c < aggregate->calls && !failed; c++) {
        struct sorted_call *call = &aggregate->call[c];
        struct value result = {.null = false};
        make_ready(aggregate, call, aggregate->batch_scope, error);
        failed = call->aggregate->finish(&call->call, call->state, &result);
        if (!failed) /* it may lie in the state */
            failed = value_copy(step->scratch, call->plan->type, &result,
                                &step->room[aggregate->keys + c][at], error);
    }
    step->batch.count += !failed;
    aggregate->begun = false;
    return failed;
}

/* The batch's next stretch of equal keys into its group; *given: the group before it went out, and filled the output. */
static enum sqlstate add_stretch(struct sorted_aggregate *aggregate, bool *given, struct error *error)
{
    const struct batch *input = aggregate->input;
    uint32_t from = aggregate->at, first = batch_row(input, from);
    *given = false;
    if (!aggregate->begun || !is_group(aggregate, first)) {
        enum sqlstate failed = aggregate->begun ? give_group(aggregate, error) : SQLSTATE_OK;
        if (failed)
            return failed;
        *given = aggregate->step.batch.count == BATCH_ROWS;
        if (*given)
            return SQLSTATE_OK;
        begin_group(aggregate, first);
    }
    uint32_t until = from + 1;
    while (until < input->count && is_group(aggregate, batch_row(input, until)))
        until++;
    aggregate->at = until;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t c = 0; c < aggregate->calls && !failed; c++)
        failed = step_call(aggregate, &aggregate->call[c], from, until, error);
    return failed;
}

static enum sqlstate next_sorted(struct operation *step, const struct batch **batch, struct error *error)
{
    struct sorted_aggregate *aggregate = (struct sorted_aggregate *)step;
    enum sqlstate failed = SQLSTATE_OK;
    operation_clear_scratch(step);
    operation_want_room(step, BATCH_ROWS);
    step->batch.count = 0;
    for (bool given = false; !failed && !given && !aggregate->ended;) {
        if (aggregate->input && aggregate->at < aggregate->input->count) {
            failed = add_stretch(aggregate, &given, error);
            continue;
        }
        failed = keep_keys(aggregate, error);
        /* Results are copies: they stay when the batch goes. But who is asked for few rows gives them soon. */
        given = step->wanted && step->batch.count >= step->wanted;
        if (!failed && !given)
            failed = want_batch(aggregate, error);
    }
    if (!failed && aggregate->ended && aggregate->begun)
        failed = give_group(aggregate, error);
    if (!failed && step->batch.count)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_sorted(struct operation *step, struct error *error)
{
    struct sorted_aggregate *aggregate = (struct sorted_aggregate *)step;
    aggregate->input = NULL;
    aggregate->at = 0;
    aggregate->ended = aggregate->begun = false;
    aggregate->batch_scope = aggregate->key_scope = aggregate->lasting =
        NULL; /* went with the step's memory */
    return operation_restart_inputs(step, error);
}

const struct operation_ops sorted_aggregate_ops = {.bytes = sizeof(struct sorted_aggregate),
                                                   .open = open_sorted,
                                                   .next = next_sorted,
                                                   .restart = restart_sorted};
