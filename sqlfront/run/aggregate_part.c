/* Rows of groups that have no room in memory: put aside by their keys' hash, to be aggregated later, partition by partition.
 *
 *     input ──> groups in memory, until they are full ──> out
 *                 rows of other groups ──> partition 0 … 15 of level 0
 *     partition 3 ──> groups in memory ──> out
 *                 rows of other groups ──> partition 0 … 15 of level 1, before partition 4 …
 *
 * Each round gives the groups that fit, so however the keys are spread there is an end. What is kept of a row are the slots
 * of the input that keys, arguments and filters need, and for which grouping set it is. */
#include "sqlfront/run/aggregate.h"

struct needs {
    bool *needed;
    uint32_t slots;
};

static void mark_needed(void *argument, struct expression *expression)
{
    struct needs *needs = argument;
    if (expression->kind == EXPRESSION_COLUMN && (uint32_t)expression->number < needs->slots)
        needs->needed[expression->number] = true;
    expression_children(expression, mark_needed, argument);
}

static void mark(struct needs *needs, struct expression *expression)
{
    if (expression)
        mark_needed(needs, expression);
}

void part_open(struct operation *step)
{
    struct aggregate_step *aggregate = (struct aggregate_step *)step;
    const struct plan *plan = step->plan;
    uint32_t slots = plan->input[0]->columns;
    struct needs needs = {.needed = scope_alloc_zeroed(step->scope, slots + 1), .slots = slots};
    for (uint32_t k = 0; k < plan->keys; k++)
        mark(&needs, plan->key[k].expression);
    for (uint32_t c = 0; c < plan->aggregates; c++) {
        const struct plan_aggregate *call = &plan->aggregate[c];
        for (uint32_t a = 0; a < call->arguments; a++)
            mark(&needs, call->argument[a]);
        for (uint32_t o = 0; o < call->orders; o++)
            mark(&needs, call->order[o].expression);
        mark(&needs, call->filter);
    }
    aggregate->need = scope_alloc(step->scope, (slots + 1) * sizeof aggregate->need[0]);
    aggregate->need_types = scope_alloc(step->scope, (slots + 1) * sizeof aggregate->need_types[0]);
    for (uint32_t s = 0; s < slots; s++)
        if (needs.needed[s]) {
            aggregate->need_types[aggregate->needs] = plan->input[0]->column[s];
            aggregate->need[aggregate->needs++] = s;
        }
    aggregate->need_types[aggregate->needs] = type_builtin(TYPE_INT4);
    aggregate->kept = scope_alloc(step->scope, BATCH_ROWS * sizeof aggregate->kept[0]);
}

/* ---- writing ---- */

/* Partitions of one level are dealt anew by the next: by other bits. */
static uint32_t part_of(uint64_t hash, uint32_t level)
{
    return (uint32_t)(hash_combine(level + 1, hash) >> (64 - PART_BITS));
}

static enum sqlstate begin_parts(struct aggregate_step *aggregate, struct error *error)
{
    struct operation *step = &aggregate->step;
    if (aggregate->spill)
        return SQLSTATE_OK;
    uint32_t slots = step->plan->input[0]->columns;
    struct scope *scope = aggregate->parts_scope = scope_open(step->memory, "partitions");
    aggregate->part_room = scope_alloc_zeroed(scope, (slots + 1) * sizeof aggregate->part_room[0]);
    aggregate->need_value = scope_alloc(scope, (aggregate->needs + 1) * sizeof aggregate->need_value[0]);
    struct value *nothing = scope_alloc(scope, BATCH_ROWS * sizeof nothing[0]);
    for (uint32_t i = 0; i < BATCH_ROWS; i++)
        nothing[i] = value_null();
    for (uint32_t s = 0; s < slots; s++)
        aggregate->part_room[s] = nothing;
    for (uint32_t n = 0; n < aggregate->needs; n++)
        aggregate->part_room[aggregate->need[n]] = scope_alloc(scope, BATCH_ROWS * sizeof(struct value));
    aggregate->part_set = scope_alloc(scope, BATCH_ROWS * sizeof aggregate->part_set[0]);
    return operation_spill(step, scope, aggregate->grant, &aggregate->spill, error);
}

enum sqlstate part_put(struct aggregate_step *aggregate, const struct batch *input, uint32_t set,
                       uint32_t *count, struct error *error)
{
    uint32_t level = aggregate->reading ? aggregate->reading->level + 1 : 0;
    enum sqlstate failed = begin_parts(aggregate, error);
    *count = 0;
    for (uint32_t i = 0; i < input->count && !failed; i++) {
        uint32_t row = batch_row(input, i);
        if (aggregate->row_group[row]) {
            aggregate->kept[(*count)++] = (uint16_t)row;
            continue;
        }
        uint32_t at = part_of(aggregate->hash[row], level);
        if (!aggregate->part[at])
            aggregate->part[at] = spill_run_open(aggregate->spill, aggregate->parts_scope,
                                                 aggregate->needs + 1, aggregate->need_types);
        for (uint32_t n = 0; n < aggregate->needs; n++)
            aggregate->need_value[n] = input->column[aggregate->need[n]][row];
        aggregate->need_value[aggregate->needs] = value_integer(set);
        failed = spill_run_add(aggregate->part[at], aggregate->need_value, 0, error);
    }
    return failed;
}

enum sqlstate part_end(struct aggregate_step *aggregate, struct error *error)
{
    struct node_figures *figures = &aggregate->step.figures;
    enum sqlstate failed = SQLSTATE_OK;
    uint32_t level = aggregate->reading ? aggregate->reading->level + 1 : 0;
    if (aggregate->reading) {
        scope_close(aggregate->reader_scope);
        spill_run_drop(aggregate->reading->run);
        aggregate->reading = NULL;
    }
    for (uint32_t i = PARTS; i-- > 0 && !failed;) {
        struct spill_run *run = aggregate->part[i];
        aggregate->part[i] = NULL;
        if (!run)
            continue;
        failed = spill_run_end(run, error);
        struct aggregate_part *part = scope_alloc_zeroed(aggregate->parts_scope, sizeof *part);
        *part = (struct aggregate_part){.next = aggregate->waiting, .run = run, .level = level};
        aggregate->waiting = part;
        figures->partitions++;
    }
    if (aggregate->spill && spill_written(aggregate->spill) > figures->spilled_bytes)
        figures->spilled_bytes = spill_written(aggregate->spill);
    return failed;
}

/* ---- reading ---- */

enum sqlstate part_begin(struct aggregate_step *aggregate, bool *found, struct error *error)
{
    struct aggregate_part *part = aggregate->waiting;
    *found = part != NULL;
    if (!part)
        return SQLSTATE_OK;
    aggregate->waiting = part->next;
    aggregate->reading = part;
    aggregate->input_ended = false;
    aggregate->reader_scope = scope_open(aggregate->parts_scope, "reader");
    return spill_reader_open(part->run, aggregate->reader_scope, &aggregate->reader, error);
}

enum sqlstate part_read(struct aggregate_step *aggregate, struct error *error)
{
    struct operation *step = &aggregate->step;
    struct batch *batch = &aggregate->part_batch;
    *batch = (struct batch){.columns = step->plan->input[0]->columns,
                            .column = (const struct value **)aggregate->part_room};
    while (batch->count < BATCH_ROWS) {
        uint64_t mark;
        bool found;
        enum sqlstate failed =
            spill_reader_next(aggregate->reader, step->scratch, aggregate->need_value, &mark, &found, error);
        if (failed || !found)
            return failed;
        for (uint32_t n = 0; n < aggregate->needs; n++)
            aggregate->part_room[aggregate->need[n]][batch->count] = aggregate->need_value[n];
        aggregate->part_set[batch->count++] = (uint32_t)aggregate->need_value[aggregate->needs].i;
    }
    return SQLSTATE_OK;
}

void part_restart(struct aggregate_step *aggregate)
{
    aggregate->spill = NULL; /* went with the step's memory, as all of it */
    aggregate->parts_scope = NULL;
    aggregate->reading = aggregate->waiting = NULL;
    memset(aggregate->part, 0, sizeof aggregate->part);
}
