/* INTERSECT and EXCEPT, ALL or not: counts each row of both inputs in a hash table.
 *
 * When the table is beyond the grant no new rows get into it: those are put aside by their hash, with the input they are of,
 * and so are rows of the second input that the table does not have. Partitions are worked through one after the other, as
 * in aggregate_part.c; in each all rows of the first input stand before those of the second. */
#include "sqlfront/run/operator.h"
#include "sqlfront/run/spill.h"

#define PART_BITS 4
#define PARTS     (1U << PART_BITS)

struct set_part {
    struct set_part *next;
    struct spill_run *run;
    uint32_t level;
};

struct set_step {
    struct operation step;
    bool built;
    struct scope *scope; /* of the table */
    struct tuple_store
        rows; /* different rows of the first input; the value behind the columns counts those left to give */
    struct tuple_table table;
    const struct type **types; /* of the columns, then the count; on disk the input's number */
    size_t at;
    size_t grant;
    bool full;
    struct value *values;

    struct scope *parts_scope;
    struct spill *spill;
    struct spill_run *part[PARTS];
    struct set_part *waiting;
    uint32_t level; /* of the partition being read; the inputs have 0 */
};

static enum sqlstate open_set(struct operation *step, struct error *error)
{
    struct set_step *set = (struct set_step *)step;
    uint32_t columns = step->plan->columns;
    (void)error;
    set->types = scope_alloc(step->scope, (columns + 1) * sizeof set->types[0]);
    set->values = scope_alloc(step->scope, (columns + 1) * sizeof set->values[0]);
    memcpy(set->types, step->plan->column, columns * sizeof set->types[0]);
    set->types[columns] = type_builtin(TYPE_INT8);
    return SQLSTATE_OK;
}

static uint64_t row_hash(const struct set_step *set, const struct value *values)
{
    uint64_t hash = 0;
    for (uint32_t c = 0; c < set->step.plan->columns; c++)
        hash = hash_combine(
            hash, values[c].null ? HASH_OF_NULL
                                 : value_hash(operation_environment(&set->step), set->types[c], &values[c]));
    return hash;
}

static struct tuple *find(const struct set_step *set, const struct value *values, uint64_t hash)
{
    for (struct tuple *tuple = tuple_table_find(&set->table, hash); tuple; tuple = tuple->next) {
        bool same = tuple->hash == hash;
        for (uint32_t c = 0; c < set->step.plan->columns && same; c++) {
            const struct value *a = &tuple->value[c], *b = &values[c];
            same = a->null == b->null &&
                   (a->null || value_equal(operation_environment(&set->step), set->types[c], a, b));
        }
        if (same)
            return tuple;
    }
    return NULL;
}

/* ---- partitions ---- */

static enum sqlstate put_aside(struct set_step *set, uint64_t hash, bool second, struct error *error)
{
    struct operation *step = &set->step;
    uint32_t columns = step->plan->columns;
    uint32_t at = (uint32_t)(hash_combine(set->level + 1, hash) >> (64 - PART_BITS));
    enum sqlstate failed = SQLSTATE_OK;
    if (!set->spill) {
        set->parts_scope = scope_open(step->memory, "partitions");
        failed = operation_spill(step, set->parts_scope, set->grant, &set->spill, error);
    }
    if (failed)
        return failed;
    if (!set->part[at])
        set->part[at] = spill_run_open(set->spill, set->parts_scope, columns + 1, set->types);
    set->values[columns] = value_integer(second);
    return spill_run_add(set->part[at], set->values, hash, error);
}

static enum sqlstate end_parts(struct set_step *set, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = PARTS; i-- > 0 && !failed;) {
        struct spill_run *run = set->part[i];
        set->part[i] = NULL;
        if (!run)
            continue;
        failed = spill_run_end(run, error);
        struct set_part *part = scope_alloc_zeroed(set->parts_scope, sizeof *part);
        *part = (struct set_part){.next = set->waiting, .run = run, .level = set->level + 1};
        set->waiting = part;
        set->step.figures.partitions++;
    }
    if (set->spill)
        set->step.figures.spilled_bytes = spill_written(set->spill);
    return failed;
}

/* ---- counting ---- */

/* The row stands in set->values. */
static enum sqlstate count_first(struct set_step *set, uint64_t hash, struct error *error)
{
    uint32_t columns = set->step.plan->columns;
    struct tuple *tuple = find(set, set->values, hash);
    if (!tuple) {
        if (set->full)
            return put_aside(set, hash, false, error);
        set->values[columns] = value_integer(0);
        enum sqlstate failed = tuple_store_add_values(&set->rows, set->values, &tuple, error);
        if (!failed) {
            tuple->hash = hash;
            failed = tuple_table_add(&set->table, tuple, error);
        }
        if (failed)
            return failed;
        if (set->rows.count % 64 == 0)
            set->full = operation_is_over(&set->step, scope_bytes(set->scope), set->grant);
    }
    tuple->value[columns].i++;
    return SQLSTATE_OK;
}

/* `size` is unused in a count: there the second input is counted for INTERSECT ALL. */
static enum sqlstate count_second(struct set_step *set, uint64_t hash, struct error *error)
{
    const struct plan *plan = set->step.plan;
    struct tuple *tuple = find(set, set->values, hash);
    if (!tuple)
        return set->full ? put_aside(set, hash, true, error) : SQLSTATE_OK;
    struct value *count = &tuple->value[plan->columns];
    tuple->matched = true;
    if (plan->set_operation == SET_EXCEPT)
        count->i -= count->i > 0;
    else
        count->size += count->size < count->i; /* no more than the first has */
    return SQLSTATE_OK;
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

static enum sqlstate begin_table(struct set_step *set, struct error *error)
{
    if (set->scope)
        scope_close(set->scope);
    set->scope = scope_open(set->step.memory, "rows");
    set->grant = operation_grant(&set->step, true);
    set->full = false;
    set->at = 0;
    tuple_store_init(&set->rows, set->scope, set->step.plan->columns + 1, set->types);
    return tuple_table_init(&set->table, set->scope, error);
}

static enum sqlstate end_table(struct set_step *set, struct error *error)
{
    struct node_figures *figures = &set->step.figures;
    if (scope_bytes(set->scope) > figures->memory_peak)
        figures->memory_peak = scope_bytes(set->scope);
    decide(set);
    return end_parts(set, error);
}

static enum sqlstate count_batch(struct set_step *set, const struct batch *batch, bool second,
                                 struct error *error)
{
    uint32_t columns = set->step.plan->columns;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < batch->count && !failed; i++) {
        uint32_t row = batch_row(batch, i);
        for (uint32_t c = 0; c < columns; c++)
            set->values[c] = batch->column[c][row];
        uint64_t hash = row_hash(set, set->values);
        failed = second ? count_second(set, hash, error) : count_first(set, hash, error);
    }
    return failed;
}

static enum sqlstate build(struct set_step *set, struct error *error)
{
    struct operation *step = &set->step;
    enum sqlstate failed = begin_table(set, error);
    set->level = 0;
    set->built = true;
    for (int input = 0; input < 2; input++) {
        const struct batch *batch = NULL;
        while (!failed && !(failed = operation_next(step->input[input], &batch, error)) && batch)
            failed = count_batch(set, batch, input == 1, error);
    }
    return failed ? failed : end_table(set, error);
}

/* The same over a partition. */
static enum sqlstate build_part(struct set_step *set, struct set_part *part, struct error *error)
{
    struct operation *step = &set->step;
    struct scope *scope = scope_open(set->parts_scope, "reader"), *row = scope_open(scope, "row");
    struct spill_reader *reader;
    bool found = true;
    enum sqlstate failed = begin_table(set, error);
    set->level = part->level;
    if (!failed)
        failed = spill_reader_open(part->run, scope, &reader, error);
    for (uint64_t rows = 1; !failed; rows++) {
        uint64_t hash;
        failed = spill_reader_next(reader, row, set->values, &hash, &found, error);
        if (failed || !found)
            break;
        failed = set->values[step->plan->columns].i ? count_second(set, hash, error)
                                                    : count_first(set, hash, error);
        if (rows % BATCH_ROWS || failed)
            continue;
        scope_close(row);
        row = scope_open(scope, "row");
        failed = operation_breathe(operation_world(step), error);
    }
    scope_close(scope);
    spill_run_drop(part->run);
    return failed ? failed : end_table(set, error);
}

static enum sqlstate next_set(struct operation *step, const struct batch **batch, struct error *error)
{
    struct set_step *set = (struct set_step *)step;
    uint32_t columns = step->plan->columns, count = 0;
    enum sqlstate failed = set->built ? SQLSTATE_OK : build(set, error);
    operation_want_room(step, BATCH_ROWS);
    while (!failed && count == 0) {
        for (; set->at < set->rows.count && count < BATCH_ROWS; set->at++) {
            struct tuple *tuple = set->rows.tuple[set->at];
            for (; tuple->value[columns].i > 0 && count < BATCH_ROWS; tuple->value[columns].i--, count++)
                for (uint32_t c = 0; c < columns; c++)
                    step->room[c][count] = tuple->value[c];
            if (tuple->value[columns].i > 0)
                break;
        }
        if (count || !set->waiting)
            break;
        struct set_part *part = set->waiting;
        set->waiting = part->next;
        failed = build_part(set, part, error);
    }
    step->batch.count = count;
    if (!failed && count)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_set(struct operation *step, struct error *error)
{
    struct set_step *set = (struct set_step *)step;
    set->built = false;
    /* They went with the step's memory. */
    set->scope = set->parts_scope = NULL;
    set->spill = NULL;
    set->waiting = NULL;
    memset(set->part, 0, sizeof set->part);
    set->rows.count = set->at = 0;
    return operation_restart_inputs(step, error);
}

const struct operation_ops set_operation_ops = {
    .bytes = sizeof(struct set_step), .open = open_set, .next = next_set, .restart = restart_set};
