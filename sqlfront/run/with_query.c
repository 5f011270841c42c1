/* COMMON and COMMON_SCAN: a WITH query is run when it is first read, as far as it is read; one that changes data to its end. */
#include "sqlfront/run/with_query.h"

struct common_rows *common_rows_of(struct execution *execution, uint32_t slot)
{
    check(slot < execution->planned->common_slots, "common slot %u", slot);
    if (!execution->common)
        execution->common = scope_alloc_zeroed(execution->scope, (execution->planned->common_slots + 1) *
                                                                     sizeof execution->common[0]);
    if (!execution->common[slot])
        execution->common[slot] = scope_alloc_zeroed(execution->scope, sizeof *execution->common[slot]);
    return execution->common[slot];
}

enum sqlstate common_rows_read(struct common_rows *common, bool *more, struct error *error)
{
    const struct batch *batch = NULL;
    *more = false;
    if (common->ended || !common->source)
        return SQLSTATE_OK;
    check(!common->reading, "a WITH query reads itself");
    common->reading = true;
    enum sqlstate failed = operation_next(common->source, &batch, error);
    common->reading = false;
    if (failed)
        return failed;
    if (!batch) {
        common->ended = true;
        return SQLSTATE_OK;
    }
    for (uint32_t i = 0; i < batch->count && !failed; i++)
        failed = row_list_add(common->rows, batch->column, batch_row(batch, i), error);
    *more = !failed;
    return failed;
}

/* ---- COMMON ---- */

struct common_step {
    struct operation step;
    bool begun;
};

static void empty_rows(struct operation *step, struct common_rows *common, const struct plan *plan)
{
    if (common->scope)
        scope_close(common->scope);
    common->scope = scope_open(step->scope, "common rows");
    common->types = (const struct type *const *)plan->column;
    common->columns = plan->columns;
    common->ended = false;
    common->rows = operation_rows(step, common->scope, plan->columns, common->types);
}

static enum sqlstate open_common(struct operation *step, struct error *error)
{
    const struct plan *plan = step->plan;
    for (uint32_t i = 0; i < plan->commons; i++) {
        struct common_rows *common = common_rows_of(step->execution, plan->common_slots[i]);
        enum sqlstate failed = operation_make(step->execution, plan->common[i], &common->source, error);
        if (failed)
            return failed;
        empty_rows(step, common, plan->common[i]);
    }
    return SQLSTATE_OK;
}

static enum sqlstate finish_changes(struct operation *step, struct error *error)
{
    const struct plan *plan = step->plan;
    for (uint32_t i = 0; i < plan->commons; i++) {
        struct common_rows *common = common_rows_of(step->execution, plan->common_slots[i]);
        for (bool more = plan->common_always[i]; more;) {
            enum sqlstate failed = common_rows_read(common, &more, error);
            if (failed)
                return failed;
        }
    }
    return SQLSTATE_OK;
}

static enum sqlstate next_common(struct operation *step, const struct batch **batch, struct error *error)
{
    enum sqlstate failed = operation_next(step->input[0], batch, error);
    if (failed || *batch)
        return failed;
    return finish_changes(step, error);
}

static enum sqlstate restart_common(struct operation *step, struct error *error)
{
    const struct plan *plan = step->plan;
    for (uint32_t i = 0; i < plan->commons; i++) {
        struct common_rows *common = common_rows_of(step->execution, plan->common_slots[i]);
        bool begun = row_list_count(common->rows) > 0 || common->ended;
        if (plan->common_always[i] && begun)
            continue; /* its changes were made */
        empty_rows(step, common, plan->common[i]);
        enum sqlstate failed = begun ? operation_restart(common->source, error) : SQLSTATE_OK;
        if (failed)
            return failed;
    }
    return operation_restart_inputs(step, error);
}

const struct operation_ops common_ops = {
    .bytes = sizeof(struct common_step), .open = open_common, .next = next_common, .restart = restart_common};

/* ---- COMMON_SCAN ---- */

struct common_scan {
    struct operation step;
    struct row_reader reader;
};

static enum sqlstate next_common_scan(struct operation *step, const struct batch **batch, struct error *error)
{
    struct common_scan *scan = (struct common_scan *)step;
    struct common_rows *common = common_rows_of(step->execution, step->plan->common_slot);
    while (scan->reader.at == row_list_count(common->rows)) {
        bool more;
        enum sqlstate failed = common_rows_read(common, &more, error);
        if (failed)
            return failed;
        if (!more)
            return SQLSTATE_OK;
    }
    operation_clear_scratch(step);
    operation_want_room(step, BATCH_ROWS);
    scan->reader.scope = step->memory;
    enum sqlstate failed = row_list_read(common->rows, &scan->reader, step->scratch, step->room, BATCH_ROWS,
                                         &step->batch.count, error);
    *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_common_scan(struct operation *step, struct error *error)
{
    (void)error;
    ((struct common_scan *)step)->reader = (struct row_reader){0};
    return SQLSTATE_OK;
}

const struct operation_ops common_scan_ops = {
    .bytes = sizeof(struct common_scan), .next = next_common_scan, .restart = restart_common_scan};
