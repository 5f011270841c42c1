/* RECURSIVE and WORK_TABLE: WITH RECURSIVE (PostgreSQL manual 7.8.2). The work table holds the rows of the last round; the second
 * input, which reads it, gives those of the next. Without ALL only rows that were not there before count. */
#include "sqlfront/run/seen_rows.h"
#include "sqlfront/run/with_query.h"

struct recursive {
    struct operation step;
    bool first_ended; /* the non-recursive term */
    bool second_ran;  /* restart it for the next round */
    bool round_begun;
    bool ended;
    struct scope *next_scope;
    struct row_list *next; /* rows for the next round */
    struct seen_rows seen; /* without ALL */
    uint16_t *selection;
};

static enum sqlstate open_recursive(struct operation *step, struct error *error)
{
    struct recursive *recursive = (struct recursive *)step;
    (void)error;
    recursive->selection = scope_alloc(step->scope, BATCH_ROWS * sizeof(uint16_t));
    return SQLSTATE_OK;
}

/* Rows that count go to the next round and out. */
static enum sqlstate take(struct recursive *recursive, const struct batch *input, struct error *error)
{
    struct operation *step = &recursive->step;
    step->batch = *input;
    if (!step->plan->all) {
        enum sqlstate failed =
            seen_rows_take(&recursive->seen, input, recursive->selection, &step->batch.count, error);
        if (failed)
            return failed;
        step->batch.selection = recursive->selection;
    }
    for (uint32_t i = 0; i < step->batch.count; i++) {
        enum sqlstate failed =
            row_list_add(recursive->next, input->column, batch_row(&step->batch, i), error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static void begin_rows(struct recursive *recursive)
{
    struct operation *step = &recursive->step;
    recursive->next_scope = scope_open(step->scope, "round");
    recursive->next = operation_rows(step, recursive->next_scope, step->plan->columns,
                                     (const struct type *const *)step->plan->column);
}

static void next_round(struct recursive *recursive)
{
    struct operation *step = &recursive->step;
    struct common_rows *work = common_rows_of(step->execution, step->plan->common_slot);
    if (work->scope)
        scope_close(work->scope);
    work->scope = recursive->next_scope;
    work->rows = recursive->next;
    work->columns = step->plan->columns;
    work->ended = true;
    begin_rows(recursive);
}

static enum sqlstate begin(struct recursive *recursive, struct error *error)
{
    struct operation *step = &recursive->step;
    begin_rows(recursive);
    return step->plan->all ? SQLSTATE_OK : seen_rows_open(step, step->memory, &recursive->seen, error);
}

static enum sqlstate next_input(struct recursive *recursive, const struct batch **input, struct error *error)
{
    struct operation *step = &recursive->step;
    *input = NULL;
    if (!recursive->first_ended) {
        enum sqlstate failed = operation_next(step->input[0], input, error);
        if (failed || *input)
            return failed;
        recursive->first_ended = true;
    }
    for (;;) {
        enum sqlstate failed = SQLSTATE_OK;
        if (!recursive->round_begun) {
            if (row_list_count(recursive->next) == 0) {
                recursive->ended = true;
                return SQLSTATE_OK;
            }
            next_round(recursive);
            if (recursive->second_ran)
                failed = operation_restart(step->input[1], error);
            recursive->second_ran = recursive->round_begun = true;
        }
        if (!failed)
            failed = operation_next(step->input[1], input, error);
        if (failed || *input)
            return failed;
        recursive->round_begun = false;
    }
}

static enum sqlstate next_recursive(struct operation *step, const struct batch **batch, struct error *error)
{
    struct recursive *recursive = (struct recursive *)step;
    enum sqlstate failed = recursive->next_scope ? SQLSTATE_OK : begin(recursive, error);
    while (!failed && !recursive->ended) {
        const struct batch *input;
        failed = next_input(recursive, &input, error);
        if (failed || !input)
            break;
        failed = take(recursive, input, error);
        if (!failed && step->batch.count > 0) {
            *batch = &step->batch;
            break;
        }
    }
    return failed;
}

static enum sqlstate restart_recursive(struct operation *step, struct error *error)
{
    struct recursive *recursive = (struct recursive *)step;
    if (recursive->next_scope)
        scope_close(recursive->next_scope);
    recursive->next_scope = NULL;
    recursive->first_ended = recursive->round_begun = recursive->ended = false;
    return operation_restart(step->input[0], error);
}

const struct operation_ops recursive_ops = {.bytes = sizeof(struct recursive),
                                            .open = open_recursive,
                                            .next = next_recursive,
                                            .restart = restart_recursive};

/* ---- WORK_TABLE ---- */

struct work_table {
    struct operation step;
    struct row_reader reader;
};

static enum sqlstate next_work_table(struct operation *step, const struct batch **batch, struct error *error)
{
    struct work_table *table = (struct work_table *)step;
    const struct common_rows *work = common_rows_of(step->execution, step->plan->common_slot);
    operation_clear_scratch(step);
    operation_want_room(step, BATCH_ROWS);
    table->reader.scope = step->memory;
    enum sqlstate failed = row_list_read(work->rows, &table->reader, step->scratch, step->room, BATCH_ROWS,
                                         &step->batch.count, error);
    if (!failed && step->batch.count)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_work_table(struct operation *step, struct error *error)
{
    (void)error;
    ((struct work_table *)step)->reader = (struct row_reader){0};
    return SQLSTATE_OK;
}

const struct operation_ops work_table_ops = {
    .bytes = sizeof(struct work_table), .next = next_work_table, .restart = restart_work_table};
