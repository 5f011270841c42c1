/* INTERSECT and EXCEPT, ALL or not: counts each row of both inputs in a hash table. */
#include "sqlfront/run/operator.h"

struct set_step {
    struct operation step;
    bool built;
    struct tuple_store
        rows; /* different rows of the first input; the value behind the columns counts those left to give */
    struct tuple_table table;
    const struct type **types;
    size_t at;
};

static enum sqlstate open_set(struct operation *step, struct error *error)
{
    struct set_step *set = (struct set_step *)step;
    (void)error;
    set->types = scope_alloc(step->scope, (step->plan->columns + 1) * sizeof set->types[0]);
    memcpy(set->types, step->plan->column, step->plan->columns * sizeof set->types[0]);
    set->types[step->plan->columns] = type_builtin(TYPE_INT8);
    return SQLSTATE_OK;
}

static uint64_t row_hash(const struct set_step *set, const struct batch *batch, uint32_t row)
{
    uint64_t hash = 0;
    for (uint32_t c = 0; c < set->step.plan->columns; c++) {
        const struct value *value = &batch->column[c][row];
        hash = hash_combine(hash, value->null
                                      ? HASH_OF_NULL
                                      : value_hash(operation_environment(&set->step), set->types[c], value));
    }
    return hash;
}

static struct tuple *find(const struct set_step *set, const struct batch *batch, uint32_t row, uint64_t hash)
{
    for (struct tuple *tuple = tuple_table_find(&set->table, hash); tuple; tuple = tuple->next) {
        bool same = tuple->hash == hash;
        for (uint32_t c = 0; c < set->step.plan->columns && same; c++) {
            const struct value *a = &tuple->value[c], *b = &batch->column[c][row];
            same = a->null == b->null &&
                   (a->null || value_equal(operation_environment(&set->step), set->types[c], a, b));
        }
        if (same)
            return tuple;
    }
    return NULL;
}

static enum sqlstate count_first(struct set_step *set, const struct batch *batch, struct error *error)
{
    uint32_t columns = set->step.plan->columns;
    struct value *values = scope_alloc(set->step.scratch, (columns + 1) * sizeof values[0]);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t row = batch_row(batch, i);
        uint64_t hash = row_hash(set, batch, row);
        struct tuple *tuple = find(set, batch, row, hash);
        if (!tuple) {
            for (uint32_t c = 0; c < columns; c++)
                values[c] = batch->column[c][row];
            values[columns] = value_integer(0);
            enum sqlstate failed = tuple_store_add_values(&set->rows, values, &tuple, error);
            if (!failed) {
                tuple->hash = hash;
                failed = tuple_table_add(&set->table, tuple, error);
            }
            if (failed)
                return failed;
        }
        tuple->value[columns].i++;
    }
    return SQLSTATE_OK;
}

/* `scale` is unused in a count: there the second input is counted for INTERSECT ALL. */
static void count_second(struct set_step *set, const struct batch *batch)
{
    const struct plan *plan = set->step.plan;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t row = batch_row(batch, i);
        struct tuple *tuple = find(set, batch, row, row_hash(set, batch, row));
        if (!tuple)
            continue;
        struct value *count = &tuple->value[plan->columns];
        tuple->matched = true;
        if (plan->set_operation == SET_EXCEPT)
            count->i -= count->i > 0;
        else
            count->size += count->size < count->i; /* no more than the first has */
    }
}

static void decide(struct set_step *set)
{
    const struct plan *plan = set->step.plan;
    for (size_t i = 0; i < set->rows.count; i++) {
        struct tuple *tuple = set->rows.tuple[i];
        struct value *count = &tuple->value[plan->columns];
        if (plan->set_operation == SET_INTERSECT)
            count->i = plan->all ? count->size : tuple->matched;
        else if (!plan->all)
            count->i = !tuple->matched;
    }
}

static enum sqlstate build(struct set_step *set, struct error *error)
{
    struct operation *step = &set->step;
    const struct batch *batch;
    tuple_store_init(&set->rows, step->memory, step->plan->columns + 1, set->types);
    enum sqlstate failed = tuple_table_init(&set->table, step->memory, error);
    while (!failed && !(failed = operation_next(step->input[0], &batch, error)) && batch) {
        operation_clear_scratch(step);
        failed = count_first(set, batch, error);
    }
    while (!failed && !(failed = operation_next(step->input[1], &batch, error)) && batch)
        count_second(set, batch);
    if (!failed)
        decide(set);
    set->built = true;
    return failed;
}

static enum sqlstate next_set(struct operation *step, const struct batch **batch, struct error *error)
{
    struct set_step *set = (struct set_step *)step;
    uint32_t columns = step->plan->columns, count = 0;
    enum sqlstate failed = set->built ? SQLSTATE_OK : build(set, error);
    if (failed)
        return failed;
    operation_want_room(step, BATCH_ROWS);
    for (; set->at < set->rows.count && count < BATCH_ROWS; set->at++) {
        struct tuple *tuple = set->rows.tuple[set->at];
        for (; tuple->value[columns].i > 0 && count < BATCH_ROWS; tuple->value[columns].i--, count++)
            for (uint32_t c = 0; c < columns; c++)
                step->room[c][count] = tuple->value[c];
        if (tuple->value[columns].i > 0)
            break;
    }
    step->batch.count = count;
    if (count)
        *batch = &step->batch;
    return SQLSTATE_OK;
}

static enum sqlstate restart_set(struct operation *step, struct error *error)
{
    struct set_step *set = (struct set_step *)step;
    set->built = false;
    set->at = 0;
    return operation_restart_inputs(step, error);
}

const struct operation_ops set_operation_ops = {
    .bytes = sizeof(struct set_step), .open = open_set, .next = next_set, .restart = restart_set};
