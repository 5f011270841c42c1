/* See seen_rows.h.
 *
 * A row whose hash nobody has is new, whatever lies on disk. For the others the rows of that hash are looked at: those of a batch in
 * the order in which these stand in the list, so that each piece of it is read once for a batch. */
#include "sqlfront/run/seen_rows.h"

#include <stdlib.h>

#define ENTRIES_FIRST 256

static enum sqlstate make_room(struct seen_rows *seen, uint64_t entries, struct error *error)
{
    struct seen_entry *old = seen->entry;
    uint64_t old_entries = old ? seen->mask + 1 : 0;
    void *memory;
    enum sqlstate failed =
        scope_alloc_large(seen->scope, entries * sizeof seen->entry[0], 64, &memory, error);
    if (failed)
        return failed;
    memset(memory, 0, entries * sizeof seen->entry[0]);
    seen->entry = memory;
    seen->mask = entries - 1;
    for (uint64_t i = 0; i < old_entries; i++) {
        if (!old[i].number)
            continue;
        uint64_t at = old[i].hash & seen->mask;
        while (seen->entry[at].number)
            at = (at + 1) & seen->mask;
        seen->entry[at] = old[i];
    }
    if (old)
        scope_free_large(seen->scope, old);
    return SQLSTATE_OK;
}

enum sqlstate seen_rows_open(struct operation *step, struct scope *scope, struct seen_rows *seen,
                             struct error *error)
{
    const struct plan *plan = step->plan;
    *seen = (struct seen_rows){.step = step, .scope = scope, .reader = {.scope = scope}};
    seen->rows = operation_rows(step, scope, plan->columns, (const struct type *const *)plan->column);
    return make_room(seen, ENTRIES_FIRST, error);
}

/* The next entry of that hash from `at` on, or the free one behind them. */
static uint64_t entry_from(const struct seen_rows *seen, uint64_t hash, uint64_t at)
{
    at &= seen->mask;
    while (seen->entry[at].number && seen->entry[at].hash != hash)
        at = (at + 1) & seen->mask;
    return at;
}

static enum sqlstate add(struct seen_rows *seen, const struct batch *batch, uint32_t row, uint64_t hash,
                         struct error *error)
{
    enum sqlstate failed = row_list_add(seen->rows, batch->column, row, error);
    if (!failed && ++seen->count * 2 > seen->mask)
        failed = make_room(seen, 2 * (seen->mask + 1), error);
    if (failed)
        return failed;
    uint64_t at = hash & seen->mask;
    while (seen->entry[at].number)
        at = (at + 1) & seen->mask;
    seen->entry[at] = (struct seen_entry){.hash = hash, .number = seen->count};
    return SQLSTATE_OK;
}

/* Row `number` of the list becomes seen->last. */
static enum sqlstate look_at(struct seen_rows *seen, uint64_t number, struct error *error)
{
    uint32_t columns = seen->step->plan->columns, count;
    if (seen->last_number == number)
        return SQLSTATE_OK;
    if (seen->last_scope)
        scope_close(seen->last_scope);
    seen->last_scope = scope_open(seen->scope, "seen");
    seen->last = scope_alloc(seen->last_scope, (columns + 1) * sizeof seen->last[0]);
    struct value **room = scope_alloc(seen->last_scope, (columns + 1) * sizeof room[0]);
    for (uint32_t c = 0; c < columns; c++)
        room[c] = &seen->last[c];
    seen->reader.at = number - 1;
    enum sqlstate failed = row_list_read(seen->rows, &seen->reader, seen->last_scope, room, 1, &count, error);
    seen->last_number = failed ? 0 : number;
    return failed;
}

/* Whether row `number` of the list is the batch's. */
static enum sqlstate is_same(struct seen_rows *seen, uint64_t number, const struct batch *batch, uint32_t row,
                             bool *same, struct error *error)
{
    const struct plan *plan = seen->step->plan;
    enum sqlstate failed = look_at(seen, number, error);
    *same = !failed;
    for (uint32_t c = 0; c < plan->columns && *same; c++) {
        const struct value *value = &batch->column[c][row], *other = &seen->last[c];
        *same = value->null == other->null && (value->null || value_equal(operation_environment(seen->step),
                                                                          plan->column[c], value, other));
    }
    return failed;
}

/* A row of the batch whose hash is known. */
struct doubt {
    uint64_t hash, number; /* of the first row with that hash */
    uint32_t place;        /* in the batch's selection */
};

static int by_number(const void *a, const void *b)
{
    uint64_t of_a = ((const struct doubt *)a)->number, of_b = ((const struct doubt *)b)->number;
    return of_a < of_b ? -1 : of_a > of_b;
}

/* Adds it unless it is there. */
static enum sqlstate settle(struct seen_rows *seen, const struct batch *batch, const struct doubt *doubt,
                            bool *is_new, struct error *error)
{
    uint32_t row = batch_row(batch, doubt->place);
    bool same = false;
    uint64_t at = entry_from(seen, doubt->hash, doubt->hash);
    while (seen->entry[at].number && !same) {
        enum sqlstate failed = is_same(seen, seen->entry[at].number, batch, row, &same, error);
        if (failed)
            return failed;
        at = entry_from(seen, doubt->hash, at + 1);
    }
    *is_new = !same;
    return same ? SQLSTATE_OK : add(seen, batch, row, doubt->hash, error);
}

enum sqlstate seen_rows_take(struct seen_rows *seen, const struct batch *batch, uint16_t *selection,
                             uint32_t *count, struct error *error)
{
    struct operation *step = seen->step;
    struct scope *scope = scope_open(seen->scope, "take");
    uint64_t *hash = scope_alloc_zeroed(scope, BATCH_ROWS * sizeof hash[0]);
    struct doubt *doubt = scope_alloc(scope, BATCH_ROWS * sizeof doubt[0]);
    bool *is_new = scope_alloc_zeroed(scope, BATCH_ROWS);
    uint32_t doubts = 0;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t c = 0; c < step->plan->columns; c++)
        hash_column(operation_environment(step), step->plan->column[c], batch->column[c], batch, hash);
    for (uint32_t i = 0; i < batch->count && !failed; i++) {
        uint32_t row = batch_row(batch, i);
        uint64_t at = entry_from(seen, hash[row], hash[row]);
        is_new[i] = !seen->entry[at].number;
        if (is_new[i])
            failed = add(seen, batch, row, hash[row], error);
        else
            doubt[doubts++] = (struct doubt){.hash = hash[row], .number = seen->entry[at].number, .place = i};
    }
    qsort(doubt, doubts, sizeof doubt[0], by_number);
    for (uint32_t i = 0; i < doubts && !failed; i++)
        failed = settle(seen, batch, &doubt[i], &is_new[doubt[i].place], error);
    *count = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        if (is_new[i])
            selection[(*count)++] = (uint16_t)batch_row(batch, i);
    step->figures.spilled_bytes = row_list_spilled(seen->rows);
    scope_close(scope);
    return failed;
}
