/* AGGREGATE: groups by hash, in the order they first came.
 *
 * A group is a tuple of its keys, behind it the states of its aggregates, each at an offset known beforehand. With grouping
 * sets a row is put into a group of each set: keys that are not of the set are null, and the set's number is part of what is
 * hashed and compared.
 *
 * In two phases: PARTIAL gives for each aggregate its state as bytes, FINAL merges those.
 *
 * Memory: when the groups are beyond the grant no new ones are made. Rows of the groups there are go on to be counted, all
 * others are put aside in partitions, which are aggregated one after the other when those groups have gone out
 * (aggregate_part.c). PARTIAL puts nothing aside: its groups go out as they are, and it begins anew. */
#include "sqlfront/run/aggregate.h"

/* ---- opening ---- */

static const struct plan *partial_of(const struct plan *final)
{
    const struct plan *plan = final->input[0];
    while (plan->kind != PLAN_AGGREGATE)
        plan = plan->input[0];
    return plan;
}

/* Buckets from which on a table does not lie in the nearer caches. */
#define LARGE_TABLE 16384
/* A group's table beyond this leaves the caches. */
#define PARTIAL_GROUPS 8192
/* So few of a round's rows found groups again: a larger table would not find many more. */
#define PARTIAL_FAR_SHARE 16

/* A call before this one that takes the very same steps (sum and avg of one thing do). Their results differ when they are
 * finished, which PARTIAL does not do. */
static const struct call_state *same_steps(const struct aggregate_step *aggregate, uint32_t at)
{
    const struct plan *plan = aggregate->step.plan;
    const struct plan_aggregate *call = &plan->aggregate[at];
    if (plan->phase != AGGREGATE_PARTIAL || call->distinct || call->orders || call->filter)
        return NULL;
    for (uint32_t i = 0; i < at; i++) {
        const struct plan_aggregate *other = &plan->aggregate[i];
        bool same = other->aggregate && other->aggregate->step == call->aggregate->step &&
                    other->aggregate->state_bytes == call->aggregate->state_bytes &&
                    other->aggregate->takes_null == call->aggregate->takes_null &&
                    other->arguments == call->arguments && !other->distinct && !other->orders &&
                    !other->filter;
        for (uint32_t a = 0; a < call->arguments && same; a++)
            same = expression_equal(other->argument[a], call->argument[a]);
        if (same)
            return &aggregate->call[i];
    }
    return NULL;
}

static enum sqlstate open_call(struct aggregate_step *aggregate, uint32_t at, struct error *error)
{
    struct operation *step = &aggregate->step;
    struct call_state *call = &aggregate->call[at];
    const struct plan_aggregate *plan = &step->plan->aggregate[at];
    call->plan = plan;
    call->aggregate = plan->aggregate;
    if (plan->aggregate == NULL)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "aggregate function %s is not supported",
                         plan->procedure ? plan->procedure->name : "");
    bool final = step->plan->phase == AGGREGATE_FINAL;
    call->arguments = plan->arguments;
    call->listed = (plan->distinct || plan->orders) && plan->arguments;
    const struct call_state *same = same_steps(aggregate, at);
    call->shares = same != NULL;
    call->offset = same ? same->offset : aggregate->group_bytes;
    aggregate->group_bytes += same ? 0 : (plan->aggregate->state_bytes + 15UL) & ~15UL;
    uint32_t room = plan->arguments + plan->orders + 4; /* two arguments at most, whatever the phase */
    call->types = scope_alloc(step->scope, room * sizeof call->types[0]);
    call->values = scope_alloc(step->scope, room * sizeof call->values[0]);
    call->tuple = scope_alloc(step->scope, room * sizeof call->tuple[0]);
    call->constant = scope_alloc_zeroed(step->scope, room * sizeof(bool));
    /* FINAL is given states, but the functions know the arguments those were made of. */
    const struct plan_aggregate *first = final ? &partial_of(step->plan)->aggregate[at] : plan;
    for (uint32_t i = 0; i < first->arguments; i++) {
        call->types[i] = first->argument[i]->type;
        call->constant[i] = first->argument[i]->kind == EXPRESSION_CONSTANT;
    }
    call->call = (struct call){.environment = operation_environment(step),
                               .result = plan->type,
                               .types = call->types,
                               .arguments = first->arguments,
                               .modifier = -1,
                               .constant = call->constant};
    aggregate->listed += call->listed;
    enum sqlstate failed = operation_programs(step, plan->argument, plan->arguments, &call->argument, error);
    if (!failed)
        failed = operation_program(step, final ? NULL : plan->filter, &call->filter, error);
    return failed || !call->listed ? failed : list_open(step, call, error);
}

static void open_sets(struct aggregate_step *aggregate)
{
    struct operation *step = &aggregate->step;
    const struct plan *plan = step->plan;
    aggregate->sets = plan->grouping_sets ? plan->grouping_sets : 1;
    aggregate->in_set = scope_alloc(step->scope, aggregate->sets * sizeof aggregate->in_set[0]);
    for (uint32_t s = 0; s < aggregate->sets; s++) {
        bool *in = aggregate->in_set[s] = scope_alloc_zeroed(step->scope, plan->keys + 1);
        for (uint32_t k = 0; k < plan->keys && !plan->grouping_sets; k++)
            in[k] = true;
        for (uint32_t k = 0; plan->grouping_sets && k < plan->grouping_set[s].keys; k++)
            in[plan->grouping_set[s].key[k]] = true;
    }
}

static enum sqlstate open_aggregate(struct operation *step, struct error *error)
{
    struct aggregate_step *aggregate = (struct aggregate_step *)step;
    const struct plan *plan = step->plan;
    aggregate->keys = plan->keys;
    aggregate->calls = plan->aggregates;
    aggregate->key = scope_alloc_zeroed(step->scope, (plan->keys + 1) * sizeof aggregate->key[0]);
    aggregate->key_types = scope_alloc(step->scope, (plan->keys + 1) * sizeof aggregate->key_types[0]);
    aggregate->key_values = scope_alloc(step->scope, (plan->keys + 1) * sizeof aggregate->key_values[0]);
    aggregate->hash = scope_alloc(step->scope, BATCH_ROWS * sizeof aggregate->hash[0]);
    aggregate->row_group = scope_alloc(step->scope, BATCH_ROWS * sizeof aggregate->row_group[0]);
    aggregate->row_fresh = scope_alloc(step->scope, BATCH_ROWS * sizeof aggregate->row_fresh[0]);
    aggregate->filtered = scope_alloc(step->scope, BATCH_ROWS * sizeof aggregate->filtered[0]);
    aggregate->call = scope_alloc_zeroed(step->scope, (plan->aggregates + 1) * sizeof aggregate->call[0]);
    open_sets(aggregate);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < plan->keys && !failed; i++) {
        aggregate->key_types[i] = plan->key[i].type;
        if (plan->key[i].type->order == ORDER_NONE)
            return error_set(error, SQLSTATE_UNDEFINED_FUNCTION,
                             "could not identify an equality operator for type %s", plan->key[i].type->name);
        failed = operation_program(step, plan->key[i].expression, &aggregate->key[i], error);
    }
    for (uint32_t i = 0; i < plan->aggregates && !failed; i++)
        failed = open_call(aggregate, i, error);
    part_open(step);
    return failed;
}

/* ---- groups ---- */

/* PARTIAL, whose rows come group by group or hardly ever find theirs again: better give the groups and begin anew than
 * work in a table that is too large for the caches. */
static bool gains_little(const struct aggregate_step *aggregate)
{
    return aggregate->step.plan->phase == AGGREGATE_PARTIAL && aggregate->groups >= PARTIAL_GROUPS &&
           aggregate->far < aggregate->rows / PARTIAL_FAR_SHARE;
}

static enum sqlstate add_group(struct aggregate_step *aggregate, uint32_t set, uint64_t hash, uint32_t row,
                               struct tuple **added, struct error *error)
{
    struct scope *scope = aggregate->groups_scope;
    size_t bytes =
        sizeof(struct tuple) + (aggregate->keys + 1) * sizeof(struct value) + aggregate->group_bytes;
    struct tuple *group = *added = scope_alloc_zeroed(scope, bytes);
    group->hash = hash;
    *group_place(aggregate, group) = (struct group_place){.number = aggregate->groups, .set = set};
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t k = 0; k < aggregate->keys && !failed; k++) {
        group->value[k] = value_null();
        if (aggregate->in_set[set][k])
            failed = value_copy(scope, aggregate->key_types[k], &aggregate->key_values[k][row],
                                &group->value[k], error);
    }
    if (!failed && aggregate->groups == aggregate->group_room) {
        size_t room = aggregate->group_room ? aggregate->group_room * 2 : 64;
        void *memory;
        failed = scope_alloc_large(scope, room * sizeof aggregate->group[0], 16, &memory, error);
        if (failed)
            return failed;
        if (aggregate->groups)
            memcpy(memory, aggregate->group, aggregate->groups * sizeof aggregate->group[0]);
        if (aggregate->group)
            scope_free_large(scope, aggregate->group);
        aggregate->group = memory;
        aggregate->group_room = room;
    }
    if (failed)
        return failed;
    aggregate->group[aggregate->groups++] = group;
    if (aggregate->groups % 64 == 0 && aggregate->keys && !aggregate->full)
        aggregate->full = operation_is_over(&aggregate->step, scope_bytes(scope), aggregate->grant) ||
                          gains_little(aggregate);
    return tuple_table_add(&aggregate->table, group, error);
}

/* Strings of the same bytes are equal, whatever else is. */
static inline bool same_bytes(const struct type *type, const struct value *a, const struct value *b)
{
    if ((type->order != ORDER_BYTES && type->order != ORDER_PADDED) || a->size != b->size || !a->size)
        return false;
    if (a->size <= 8)
        return load_few(a->p, a->size) == load_few(b->p, b->size);
    return a->p[0] == b->p[0] && memcmp(a->p, b->p, a->size) == 0;
}

static bool is_group(const struct aggregate_step *aggregate, struct tuple *group, uint32_t set, uint32_t row)
{
    struct environment *environment = operation_environment(&aggregate->step);
    if (group_place(aggregate, group)->set != set)
        return false;
    for (uint32_t k = 0; k < aggregate->keys; k++) {
        if (!aggregate->in_set[set][k])
            continue;
        const struct value *a = &group->value[k], *b = &aggregate->key_values[k][row];
        if (a->null || b->null) {
            if (a->null != b->null)
                return false;
        } else if (aggregate->key_types[k]->order == ORDER_INTEGER) {
            if (a->i != b->i)
                return false;
        } else if (!same_bytes(aggregate->key_types[k], a, b) &&
                   !value_equal(environment, aggregate->key_types[k], a, b)) {
            return false;
        }
    }
    return true;
}

static void hash_rows(struct aggregate_step *aggregate, const struct batch *input, uint32_t set)
{
    struct environment *environment = operation_environment(&aggregate->step);
    for (uint32_t i = 0; i < input->count; i++)
        aggregate->hash[batch_row(input, i)] = set;
    for (uint32_t k = 0; k < aggregate->keys; k++)
        if (aggregate->in_set[set][k])
            hash_column(environment, aggregate->key_types[k], aggregate->key_values[k], input,
                        aggregate->hash);
}

/* Many groups lie all over the memory: what rows will look at is asked for together. */
static void ask_for_groups(const struct aggregate_step *aggregate, const struct batch *input)
{
    const struct tuple_table *table = &aggregate->table;
    if (table->mask < LARGE_TABLE)
        return;
    for (uint32_t i = 0; i < input->count; i++)
        __builtin_prefetch(&table->bucket[aggregate->hash[batch_row(input, i)] & table->mask]);
    for (uint32_t i = 0; i < input->count; i++) {
        const struct tuple *tuple = tuple_table_find(table, aggregate->hash[batch_row(input, i)]);
        if (tuple)
            __builtin_prefetch(tuple);
    }
}

/* The group of each row; NULL where there is none, and none may be made. *all: none is NULL. */
static enum sqlstate find_groups(struct aggregate_step *aggregate, const struct batch *input, uint32_t set,
                                 bool *all, struct error *error)
{
    *all = true;
    if (aggregate->keys == 0 && aggregate->sets == 1 && aggregate->groups) {
        for (uint32_t i = 0; i < input->count; i++) {
            aggregate->row_group[batch_row(input, i)] = aggregate->group[0];
            aggregate->row_fresh[batch_row(input, i)] = false;
        }
        return SQLSTATE_OK;
    }
    bool may_add = !aggregate->full || aggregate->step.plan->phase == AGGREGATE_PARTIAL;
    hash_rows(aggregate, input, set);
    ask_for_groups(aggregate, input);
    struct tuple *before = NULL;
    aggregate->rows += input->count;
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t row = batch_row(input, i);
        uint64_t hash = aggregate->hash[row];
        aggregate->row_fresh[row] = false;
        if (before && before->hash == hash && is_group(aggregate, before, set, row)) {
            aggregate->row_group[row] = before;
            continue;
        }
        struct tuple *group = tuple_table_find(&aggregate->table, hash);
        while (group && (group->hash != hash || !is_group(aggregate, group, set, row)))
            group = group->next;
        aggregate->far += group != NULL;
        enum sqlstate failed = SQLSTATE_OK;
        if (!group && may_add) {
            failed = add_group(aggregate, set, hash, row, &group, error);
            aggregate->row_fresh[row] = true;
            may_add = !aggregate->full || aggregate->step.plan->phase == AGGREGATE_PARTIAL;
        }
        if (failed)
            return failed;
        *all &= group != NULL;
        before = aggregate->row_group[row] = group;
    }
    return SQLSTATE_OK;
}

/* ---- stepping ---- */

static enum sqlstate step_rows(struct aggregate_step *aggregate, struct call_state *call,
                               const struct batch *input, struct error *error)
{
    const struct aggregate *function = call->aggregate;
    if (function->step_rows) {
        size_t before = offsetof(struct tuple, value) + (aggregate->keys + 1) * sizeof(struct value);
        return function->step_rows(&call->call, (void *const *)aggregate->row_group, before + call->offset,
                                   call->values, input->selection, input->count);
    }
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t row = batch_row(input, i);
        bool null = false;
        for (uint32_t a = 0; a < call->arguments; a++) {
            call->tuple[a] = call->values[a][row];
            null |= call->tuple[a].null;
        }
        struct tuple *group = aggregate->row_group[row];
        enum sqlstate failed = SQLSTATE_OK;
        if (!null || function->takes_null)
            failed = function->step(&call->call, group_state(aggregate, group, call->offset), call->tuple);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* FINAL: the argument is a state as PARTIAL gave it. That of a group's first row becomes the group's. */
static enum sqlstate merge_rows(struct aggregate_step *aggregate, struct call_state *call,
                                const struct batch *input, struct error *error)
{
    const struct aggregate *function = call->aggregate;
    void *from = scope_alloc(aggregate->step.scratch, function->state_bytes + 16UL);
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t row = batch_row(input, i);
        const struct value *saved = &call->values[0][row];
        void *into = group_state(aggregate, aggregate->row_group[row], call->offset);
        void *state = aggregate->row_fresh[row] ? into : from;
        enum sqlstate failed = SQLSTATE_OK;
        if (state == from)
            memset(from, 0, function->state_bytes);
        if (function->load)
            failed = function->load(&call->call, state, value_view(saved));
        else
            memcpy(state, saved->p, function->state_bytes);
        if (!failed && state == from)
            failed = function->merge(&call->call, into, from);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate step_call(struct aggregate_step *aggregate, struct call_state *call,
                               const struct batch *input, struct error *error)
{
    struct operation *step = &aggregate->step;
    struct batch some = *input;
    enum sqlstate failed = SQLSTATE_OK;
    if (call->filter) {
        failed = program_select(call->filter, input, step->scratch, aggregate->filtered, &some.count, error);
        some.selection = aggregate->filtered;
    }
    if (failed || some.count == 0)
        return failed;
    for (uint32_t a = 0; a < call->arguments && !failed; a++)
        failed = program_view(call->argument[a], &some, step->scratch, &call->values[a], error);
    for (uint32_t o = 0; o < call->orders && !failed; o++)
        failed =
            program_view(call->order[o], &some, step->scratch, &call->values[call->arguments + o], error);
    if (failed)
        return failed;
    call->call.scope = step->scratch;
    call->call.scope_lasting = aggregate->groups_scope;
    call->call.error = error;
    if (call->listed)
        return list_add(aggregate, call, &some, error);
    return step->plan->phase == AGGREGATE_FINAL ? merge_rows(aggregate, call, &some, error)
                                                : step_rows(aggregate, call, &some, error);
}

/* The batch's rows into the groups of one set. */
static enum sqlstate add_set(struct aggregate_step *aggregate, const struct batch *input, uint32_t set,
                             struct error *error)
{
    struct batch here = *input;
    bool all;
    enum sqlstate failed = find_groups(aggregate, input, set, &all, error);
    if (!failed && !all) {
        failed = part_put(aggregate, input, set, &here.count, error);
        here.selection = aggregate->kept;
    }
    for (uint32_t c = 0; c < aggregate->calls && here.count && !failed; c++)
        failed =
            aggregate->call[c].shares ? SQLSTATE_OK : step_call(aggregate, &aggregate->call[c], &here, error);
    return failed;
}

static enum sqlstate view_keys(struct aggregate_step *aggregate, const struct batch *input,
                               struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t k = 0; k < aggregate->keys && !failed; k++)
        failed =
            program_view(aggregate->key[k], input, aggregate->step.scratch, &aggregate->key_values[k], error);
    return failed;
}

static enum sqlstate add_batch(struct aggregate_step *aggregate, const struct batch *input,
                               struct error *error)
{
    enum sqlstate failed = view_keys(aggregate, input, error);
    for (uint32_t set = 0; set < aggregate->sets && !failed; set++)
        failed = add_set(aggregate, input, set, error);
    return failed;
}

/* Rows of a partition: each is of one set. */
static enum sqlstate add_part(struct aggregate_step *aggregate, struct error *error)
{
    const struct batch *input = &aggregate->part_batch;
    enum sqlstate failed = view_keys(aggregate, input, error);
    uint16_t *selection = scope_alloc(aggregate->step.scratch, BATCH_ROWS * sizeof selection[0]);
    for (uint32_t set = 0; set < aggregate->sets && !failed; set++) {
        struct batch some = {.columns = input->columns, .column = input->column, .selection = selection};
        for (uint32_t i = 0; i < input->count; i++)
            if (aggregate->part_set[i] == set)
                selection[some.count++] = (uint16_t)i;
        if (some.count)
            failed = add_set(aggregate, &some, set, error);
    }
    return failed;
}

static enum sqlstate begin_groups(struct aggregate_step *aggregate, struct error *error)
{
    struct operation *step = &aggregate->step;
    if (aggregate->groups_scope)
        scope_close(aggregate->groups_scope);
    aggregate->groups_scope = scope_open(step->memory, "groups");
    aggregate->groups = aggregate->group_room = aggregate->at = 0;
    aggregate->group = NULL;
    aggregate->full = false;
    aggregate->rows = aggregate->far = 0;
    aggregate->grant = operation_grant(step, true);
    for (uint32_t c = 0; c < aggregate->calls; c++) {
        struct call_state *call = &aggregate->call[c];
        call->call.memory = NULL;
        if (call->listed)
            list_begin(aggregate, call);
    }
    return tuple_table_init(&aggregate->table, aggregate->groups_scope, error);
}

/* A set without keys has its group even when there are no rows. */
static enum sqlstate add_empty_groups(struct aggregate_step *aggregate, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t set = 0; set < aggregate->sets && !failed; set++) {
        bool empty = true;
        for (uint32_t k = 0; k < aggregate->keys; k++)
            empty &= !aggregate->in_set[set][k];
        struct tuple *group;
        if (empty)
            failed = add_group(aggregate, set, set, 0, &group, error);
    }
    return failed;
}

static void note_memory(struct aggregate_step *aggregate)
{
    struct node_figures *figures = &aggregate->step.figures;
    size_t bytes = scope_bytes(aggregate->groups_scope);
    if (bytes > figures->memory_peak)
        figures->memory_peak = bytes;
}

/* Reads until the input, or the partition, is through; PARTIAL until its memory is full. */
static enum sqlstate read_rows(struct aggregate_step *aggregate, struct error *error)
{
    struct operation *step = &aggregate->step;
    enum sqlstate failed = begin_groups(aggregate, error);
    bool partial = step->plan->phase == AGGREGATE_PARTIAL;
    while (!failed && !aggregate->input_ended && !(partial && aggregate->full)) {
        const struct batch *input;
        if (aggregate->reading) {
            operation_clear_scratch(step);
            failed = part_read(aggregate, error);
            aggregate->input_ended = aggregate->part_batch.count == 0;
            if (!failed && !aggregate->input_ended)
                failed = add_part(aggregate, error);
            if (!failed)
                failed = operation_breathe(operation_world(step), error);
            continue;
        }
        if ((failed = operation_next(step->input[0], &input, error)))
            break;
        aggregate->input_ended = input == NULL;
        if (!input)
            break;
        aggregate->any_input = true;
        operation_clear_scratch(step);
        failed = add_batch(aggregate, input, error);
    }
    if (!failed && !aggregate->any_input && !partial)
        failed = add_empty_groups(aggregate, error);
    if (!failed && aggregate->input_ended)
        failed = part_end(aggregate, error);
    for (uint32_t c = 0; c < aggregate->calls && !failed; c++)
        if (aggregate->call[c].listed)
            failed = list_sort(&aggregate->call[c], error);
    note_memory(aggregate);
    return failed;
}

/* Makes groups that have not gone out yet; none: everything is through. */
static enum sqlstate want_groups(struct aggregate_step *aggregate, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && aggregate->at == aggregate->groups) {
        if (aggregate->input_ended) {
            bool found;
            failed = part_begin(aggregate, &found, error);
            if (failed || !found)
                return failed;
        }
        failed = read_rows(aggregate, error);
    }
    return failed;
}

/* ---- results ---- */

static enum sqlstate finish_call(struct aggregate_step *aggregate, struct call_state *call,
                                 struct tuple *group, struct value *result, struct error *error)
{
    struct operation *step = &aggregate->step;
    void *state = group_state(aggregate, group, call->offset);
    call->call.scope = step->scratch;
    call->call.scope_lasting = aggregate->groups_scope;
    call->call.error = error;
    enum sqlstate failed = call->listed ? list_step(aggregate, call, group, error) : SQLSTATE_OK;
    if (failed)
        return failed;
    result->null = false;
    if (step->plan->phase != AGGREGATE_PARTIAL)
        return call->aggregate->finish(&call->call, state, result);
    struct bytes saved = bytes_of(state, call->aggregate->state_bytes);
    if (call->aggregate->save)
        failed = call->aggregate->save(&call->call, state, &saved);
    *result = value_bytes(saved.data, saved.size);
    return failed;
}

static struct value grouping_bits(const struct aggregate_step *aggregate, const struct grouping_set *asked,
                                  uint32_t set)
{
    int64_t bits = 0;
    for (uint32_t i = 0; i < asked->keys; i++)
        bits = bits << 1 | !aggregate->in_set[set][asked->key[i]];
    return value_integer(bits);
}

static enum sqlstate give_group(struct aggregate_step *aggregate, struct tuple *group, uint32_t at,
                                struct error *error)
{
    struct operation *step = &aggregate->step;
    uint32_t slot = 0;
    for (uint32_t k = 0; k < aggregate->keys; k++)
        step->room[slot++][at] = group->value[k];
    for (uint32_t c = 0; c < aggregate->calls; c++) {
        enum sqlstate failed =
            finish_call(aggregate, &aggregate->call[c], group, &step->room[slot++][at], error);
        if (failed)
            return failed;
    }
    for (uint32_t g = 0; g < step->plan->groupings; g++)
        step->room[slot++][at] =
            grouping_bits(aggregate, &step->plan->grouping[g], group_place(aggregate, group)->set);
    return SQLSTATE_OK;
}

static enum sqlstate next_aggregate(struct operation *step, const struct batch **batch, struct error *error)
{
    struct aggregate_step *aggregate = (struct aggregate_step *)step;
    enum sqlstate failed = want_groups(aggregate, error);
    size_t left = aggregate->groups - aggregate->at;
    if (failed || left == 0)
        return failed;
    uint32_t count = left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS;
    operation_clear_scratch(step);
    operation_want_room(step, count);
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = give_group(aggregate, aggregate->group[aggregate->at++], i, error);
    step->batch.count = count;
    if (!failed)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_aggregate(struct operation *step, struct error *error)
{
    struct aggregate_step *aggregate = (struct aggregate_step *)step;
    aggregate->any_input = aggregate->input_ended = false;
    aggregate->groups_scope = NULL; /* went with the step's memory */
    aggregate->at = aggregate->groups = aggregate->group_room = 0;
    aggregate->group = NULL;
    part_restart(aggregate);
    return operation_restart_inputs(step, error);
}

const struct operation_ops aggregate_ops = {.bytes = sizeof(struct aggregate_step),
                                            .open = open_aggregate,
                                            .next = next_aggregate,
                                            .restart = restart_aggregate};
