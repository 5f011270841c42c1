/* AGGREGATE: groups by hash, in the order they first came (so input sorted by the keys gives sorted groups).
 *
 * A group is a tuple of its keys, behind it the states of its aggregates, each at an offset known beforehand. With grouping
 * sets a row is put into a group of each set: keys that are not of the set are null, and the set's number is part of what is
 * hashed and compared.
 *
 * An aggregate with DISTINCT or ORDER BY keeps its arguments in a list for each group; at the end they are sorted and stepped
 * through. (DISTINCT alone sorts by the arguments, as PostgreSQL does.)
 *
 * In two phases: PARTIAL gives for each aggregate its state as bytes, FINAL merges those. */
#include "sqlfront/run/operator.h"

struct call_state {
    const struct plan_aggregate *plan;
    const struct aggregate *aggregate;
    struct call call;
    struct program **argument;
    struct program *filter;
    size_t offset; /* of the state in a group */
    bool listed;
    /* Listed ones: tuples of the arguments, then of the ORDER BY's expressions. */
    uint32_t arguments, orders;
    struct program **order;
    struct plan_key *sort_key;
    const struct type **types;
    const struct value **values; /* over the batch */
    struct value *tuple;
    bool *constant;
};

struct argument_list {
    struct tuple_store store;
};

struct aggregate_step {
    struct operation step;
    struct program **key;
    struct call_state *call;
    uint32_t keys, calls, sets;
    size_t group_bytes;
    const struct type **key_types;
    bool **in_set; /* [set][key] */
    bool read, began_output;
    struct tuple_table table;
    struct tuple **group; /* in order */
    size_t groups, group_room;
    size_t at;
    const struct value **key_values;
    uint64_t *hash;
    struct tuple **row_group; /* per selected row */
    uint16_t *filtered;
};

/* The set a group belongs to stands behind its keys. */
static inline uint32_t *group_set(const struct aggregate_step *step, struct tuple *group)
{
    return (uint32_t *)&group->value[step->keys];
}

static inline void *group_state(const struct aggregate_step *step, struct tuple *group, size_t offset)
{
    return (uint8_t *)&group->value[step->keys + 1] + offset;
}

/* ---- opening ---- */

static enum sqlstate open_listed(struct operation *step, struct call_state *call, struct error *error)
{
    const struct plan_aggregate *plan = call->plan;
    uint32_t room = call->arguments + plan->orders + 1;
    call->sort_key = scope_alloc_zeroed(step->scope, room * sizeof call->sort_key[0]);
    call->order = scope_alloc_zeroed(step->scope, room * sizeof call->order[0]);
    call->orders = plan->orders;
    for (uint32_t i = 0; i < plan->orders; i++) {
        const struct sort_key *key = &plan->order[i];
        const struct type *type = key->expression->type;
        call->sort_key[i] = (struct plan_key){.expression = key->expression,
                                              .type = type,
                                              .descending = key->descending,
                                              .nulls_first = key->nulls_first};
        call->types[call->arguments + i] = type;
        enum sqlstate failed = operation_program(step, key->expression, &call->order[i], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static const struct plan *partial_of(const struct plan *final)
{
    const struct plan *plan = final->input[0];
    while (plan->kind != PLAN_AGGREGATE)
        plan = plan->input[0];
    return plan;
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
    call->offset = aggregate->group_bytes;
    aggregate->group_bytes += (plan->aggregate->state_bytes + 15UL) & ~15UL;
    uint32_t room = plan->arguments + plan->orders + 3; /* two arguments at most, whatever the phase */
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
    if (call->listed)
        aggregate->group_bytes += (sizeof(struct argument_list) + 15) & ~15UL;
    enum sqlstate failed = operation_programs(step, plan->argument, plan->arguments, &call->argument, error);
    if (!failed)
        failed = operation_program(step, final ? NULL : plan->filter, &call->filter, error);
    return failed || !call->listed ? failed : open_listed(step, call, error);
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
    return failed;
}

/* ---- groups ---- */

static enum sqlstate add_group(struct aggregate_step *aggregate, uint32_t set, uint64_t hash, uint32_t row,
                               struct tuple **added, struct error *error)
{
    struct operation *step = &aggregate->step;
    size_t bytes =
        sizeof(struct tuple) + (aggregate->keys + 1) * sizeof(struct value) + aggregate->group_bytes;
    struct tuple *group = *added = scope_alloc_zeroed(step->memory, bytes);
    group->hash = hash;
    *group_set(aggregate, group) = set;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t k = 0; k < aggregate->keys && !failed; k++) {
        group->value[k] = value_null();
        if (aggregate->in_set[set][k])
            failed = value_copy(step->memory, aggregate->key_types[k], &aggregate->key_values[k][row],
                                &group->value[k], error);
    }
    for (uint32_t c = 0; c < aggregate->calls; c++) {
        struct call_state *call = &aggregate->call[c];
        if (!call->listed)
            continue;
        size_t behind = call->offset + ((call->aggregate->state_bytes + 15UL) & ~15UL);
        struct argument_list *list = group_state(aggregate, group, behind);
        tuple_store_init(&list->store, step->memory, call->arguments + call->orders, call->types);
    }
    if (!failed && aggregate->groups == aggregate->group_room) {
        size_t room = aggregate->group_room ? aggregate->group_room * 2 : 64;
        void *memory;
        failed = scope_alloc_large(step->memory, room * sizeof aggregate->group[0], 16, &memory, error);
        if (failed)
            return failed;
        if (aggregate->groups)
            memcpy(memory, aggregate->group, aggregate->groups * sizeof aggregate->group[0]);
        aggregate->group = memory;
        aggregate->group_room = room;
    }
    if (failed)
        return failed;
    aggregate->group[aggregate->groups++] = group;
    return tuple_table_add(&aggregate->table, group, error);
}

static bool is_group(const struct aggregate_step *aggregate, struct tuple *group, uint32_t set, uint32_t row)
{
    struct environment *environment = operation_environment(&aggregate->step);
    if (*group_set(aggregate, group) != set)
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
        } else if (!value_equal(environment, aggregate->key_types[k], a, b)) {
            return false;
        }
    }
    return true;
}

static void hash_rows(struct aggregate_step *aggregate, const struct batch *input, uint32_t set)
{
    struct environment *environment = operation_environment(&aggregate->step);
    for (uint32_t i = 0; i < input->count; i++)
        aggregate->hash[i] = set;
    for (uint32_t k = 0; k < aggregate->keys; k++) {
        if (!aggregate->in_set[set][k])
            continue;
        for (uint32_t i = 0; i < input->count; i++) {
            const struct value *value = &aggregate->key_values[k][batch_row(input, i)];
            aggregate->hash[i] = hash_combine(
                aggregate->hash[i],
                value->null ? HASH_OF_NULL : value_hash(environment, aggregate->key_types[k], value));
        }
    }
}

static enum sqlstate find_groups(struct aggregate_step *aggregate, const struct batch *input, uint32_t set,
                                 struct error *error)
{
    struct tuple *only =
        aggregate->keys == 0 && aggregate->sets == 1 && aggregate->groups ? aggregate->group[0] : NULL;
    if (!only)
        hash_rows(aggregate, input, set);
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t row = batch_row(input, i);
        struct tuple *group = only;
        if (!only) {
            uint64_t hash = aggregate->hash[i];
            group = tuple_table_find(&aggregate->table, hash);
            while (group && (group->hash != hash || !is_group(aggregate, group, set, row)))
                group = group->next;
            enum sqlstate failed = group ? SQLSTATE_OK : add_group(aggregate, set, hash, row, &group, error);
            if (failed)
                return failed;
        }
        aggregate->row_group[row] = group;
    }
    return SQLSTATE_OK;
}

/* ---- stepping ---- */

static struct argument_list *list_of(const struct aggregate_step *aggregate, const struct call_state *call,
                                     struct tuple *group)
{
    return group_state(aggregate, group, call->offset + ((call->aggregate->state_bytes + 15UL) & ~15UL));
}

static enum sqlstate step_rows(struct aggregate_step *aggregate, struct call_state *call,
                               const struct batch *input, struct error *error)
{
    const struct aggregate *function = call->aggregate;
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t row = batch_row(input, i);
        bool null = false;
        for (uint32_t a = 0; a < call->arguments; a++) {
            call->tuple[a] = call->values[a][row];
            null |= call->tuple[a].null;
        }
        struct tuple *group = aggregate->row_group[row];
        enum sqlstate failed = SQLSTATE_OK;
        if (call->listed) {
            struct tuple *added;
            if (!null || function->takes_null)
                failed = tuple_store_add(&list_of(aggregate, call, group)->store, call->values, row, &added,
                                         error);
        } else if (!null || function->takes_null) {
            failed = function->step(&call->call, group_state(aggregate, group, call->offset), call->tuple);
        }
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* FINAL: the argument is a state as PARTIAL gave it. */
static enum sqlstate merge_rows(struct aggregate_step *aggregate, struct call_state *call,
                                const struct batch *input, struct error *error)
{
    const struct aggregate *function = call->aggregate;
    void *from = scope_alloc(aggregate->step.scratch, function->state_bytes + 16UL);
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t row = batch_row(input, i);
        const struct value *saved = &call->values[0][row];
        enum sqlstate failed = SQLSTATE_OK;
        memset(from, 0, function->state_bytes);
        if (function->load)
            failed = function->load(&call->call, from, value_view(saved));
        else
            memcpy(from, saved->p, function->state_bytes);
        if (!failed)
            failed = function->merge(&call->call,
                                     group_state(aggregate, aggregate->row_group[row], call->offset), from);
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
    call->call.scope_lasting = step->memory;
    call->call.error = error;
    return step->plan->phase == AGGREGATE_FINAL ? merge_rows(aggregate, call, &some, error)
                                                : step_rows(aggregate, call, &some, error);
}

static enum sqlstate add_batch(struct aggregate_step *aggregate, const struct batch *input,
                               struct error *error)
{
    struct operation *step = &aggregate->step;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t k = 0; k < aggregate->keys && !failed; k++)
        failed = program_view(aggregate->key[k], input, step->scratch, &aggregate->key_values[k], error);
    for (uint32_t set = 0; set < aggregate->sets && !failed; set++) {
        failed = find_groups(aggregate, input, set, error);
        for (uint32_t c = 0; c < aggregate->calls && !failed; c++)
            failed = step_call(aggregate, &aggregate->call[c], input, error);
    }
    return failed;
}

static enum sqlstate read_all(struct aggregate_step *aggregate, struct error *error)
{
    struct operation *step = &aggregate->step;
    aggregate->groups = aggregate->group_room = 0;
    for (uint32_t c = 0; c < aggregate->calls; c++)
        aggregate->call[c].call.memory = NULL;
    enum sqlstate failed = tuple_table_init(&aggregate->table, step->memory, error);
    while (!failed) {
        const struct batch *input;
        if ((failed = operation_next(step->input[0], &input, error)) || input == NULL)
            break;
        operation_clear_scratch(step);
        failed = add_batch(aggregate, input, error);
    }
    /* A set without keys has its group even when there are no rows. */
    bool none = aggregate->groups == 0 && step->plan->phase != AGGREGATE_PARTIAL;
    for (uint32_t set = 0; none && set < aggregate->sets && !failed; set++) {
        bool empty = true;
        for (uint32_t k = 0; k < aggregate->keys; k++)
            empty &= !aggregate->in_set[set][k];
        struct tuple *group;
        if (empty)
            failed = add_group(aggregate, set, set, 0, &group, error);
    }
    aggregate->read = true;
    return failed;
}

/* ---- results ---- */

struct list_order {
    struct environment *environment;
    const struct call_state *call;
};

/* By the ORDER BY, then (DISTINCT) by the arguments. */
static int compare_list(const void *argument, const struct tuple *a, const struct tuple *b)
{
    const struct list_order *order = argument;
    const struct call_state *call = order->call;
    for (uint32_t i = 0; i < call->orders; i++) {
        uint32_t at = call->arguments + i;
        int way = plan_key_compare(order->environment, &call->sort_key[i], &a->value[at], &b->value[at]);
        if (way)
            return way;
    }
    for (uint32_t i = 0; i < call->arguments && call->plan->distinct; i++) {
        struct plan_key key = {.type = call->types[i]};
        if (key.type->order == ORDER_NONE)
            continue;
        int way = plan_key_compare(order->environment, &key, &a->value[i], &b->value[i]);
        if (way)
            return way;
    }
    return 0;
}

static bool same_arguments(struct environment *environment, const struct call_state *call,
                           const struct tuple *a, const struct tuple *b)
{
    for (uint32_t i = 0; i < call->arguments; i++) {
        const struct value *x = &a->value[i], *y = &b->value[i];
        if (x->null != y->null)
            return false;
        if (!x->null && !value_equal(environment, call->types[i], x, y))
            return false;
    }
    return true;
}

static enum sqlstate step_list(struct aggregate_step *aggregate, struct call_state *call, struct tuple *group,
                               struct error *error)
{
    struct environment *environment = operation_environment(&aggregate->step);
    struct tuple_store *store = &list_of(aggregate, call, group)->store;
    struct list_order order = {.environment = environment, .call = call};
    enum sqlstate failed =
        tuples_sort(&aggregate->step, store->tuple, store->count, compare_list, &order, error);
    for (size_t i = 0; i < store->count && !failed; i++) {
        struct tuple *tuple = store->tuple[i];
        if (i > 0 && call->plan->distinct && same_arguments(environment, call, store->tuple[i - 1], tuple))
            continue;
        failed =
            call->aggregate->step(&call->call, group_state(aggregate, group, call->offset), tuple->value);
    }
    return failed;
}

static enum sqlstate finish_call(struct aggregate_step *aggregate, struct call_state *call,
                                 struct tuple *group, struct value *result, struct error *error)
{
    struct operation *step = &aggregate->step;
    void *state = group_state(aggregate, group, call->offset);
    call->call.scope = step->scratch;
    call->call.scope_lasting = step->memory;
    call->call.error = error;
    enum sqlstate failed = call->listed ? step_list(aggregate, call, group, error) : SQLSTATE_OK;
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
            grouping_bits(aggregate, &step->plan->grouping[g], *group_set(aggregate, group));
    return SQLSTATE_OK;
}

static enum sqlstate next_aggregate(struct operation *step, const struct batch **batch, struct error *error)
{
    struct aggregate_step *aggregate = (struct aggregate_step *)step;
    enum sqlstate failed = aggregate->read ? SQLSTATE_OK : read_all(aggregate, error);
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
    aggregate->read = false;
    aggregate->at = aggregate->groups = aggregate->group_room = 0;
    return operation_restart_inputs(step, error);
}

const struct operation_ops aggregate_ops = {.bytes = sizeof(struct aggregate_step),
                                            .open = open_aggregate,
                                            .next = next_aggregate,
                                            .restart = restart_aggregate};
