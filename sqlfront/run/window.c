/* WINDOW: collects the rows of a partition (the input is sorted by its keys), has the arguments of all calls evaluated, and
 * partition.c compute the results. A partition beyond the grant is a large one (large_partition.h). */
#include "sqlfront/run/large_partition.h"
#include "sqlfront/run/operator.h"
#include "sqlfront/run/partition.h"

struct window_call {
    struct program *argument[4];
    struct program *filter;
    uint32_t arguments;
};

struct window_step {
    struct operation step;
    struct program **key;
    struct window_call *call;
    struct program *from_offset, *to_offset;
    const struct type *
        *types; /* of what is kept of a row: its slots, keys, arguments and filters of the calls */
    uint32_t kept;
    bool ended;

    struct scope *scope; /* of the partition */
    struct tuple_store rows;
    struct large_partition *large; /* instead of rows and result; NULL: they fit into memory */
    struct value **result;         /* [call][row] */
    size_t at;
    struct scope *gives; /* bytes of the rows a large partition gave last */
    /* A row of the next partition has been read already. */
    const struct batch *input;
    uint32_t input_at;
    const struct value **columns; /* kept ones of the input batch */
};

static enum sqlstate open_window(struct operation *step, struct error *error)
{
    struct window_step *window = (struct window_step *)step;
    const struct plan *plan = step->plan;
    uint32_t before = plan->input[0]->columns, kept = before + plan->keys + plan->window_calls * 5;
    window->types = scope_alloc_zeroed(step->scope, (kept + 1) * sizeof window->types[0]);
    window->columns = scope_alloc_zeroed(step->scope, (kept + 1) * sizeof window->columns[0]);
    window->key = scope_alloc_zeroed(step->scope, (plan->keys + 1) * sizeof window->key[0]);
    window->call = scope_alloc_zeroed(step->scope, (plan->window_calls + 1) * sizeof window->call[0]);
    window->result = scope_alloc_zeroed(step->scope, (plan->window_calls + 1) * sizeof window->result[0]);
    memcpy(window->types, plan->input[0]->column, before * sizeof window->types[0]);
    window->kept = before;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < plan->keys && !failed; i++) {
        window->types[window->kept++] = plan->key[i].type;
        failed = operation_program(step, plan->key[i].expression, &window->key[i], error);
    }
    for (uint32_t i = 0; i < plan->window_calls && !failed; i++) {
        const struct expression *expression = plan->window_call[i];
        struct window_call *call = &window->call[i];
        if (expression->arguments > 4)
            return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "window functions with %u arguments",
                             expression->arguments);
        call->arguments = expression->arguments;
        for (uint32_t a = 0; a < expression->arguments && !failed; a++) {
            window->types[window->kept++] = expression->argument[a]->type;
            failed = operation_program(step, expression->argument[a], &call->argument[a], error);
        }
        if (!failed && expression->filter) {
            window->types[window->kept++] = expression->filter->type;
            failed = operation_program(step, expression->filter, &call->filter, error);
        }
    }
    if (!failed)
        failed = operation_program(step, plan->window->from_offset, &window->from_offset, error);
    if (!failed)
        failed = operation_program(step, plan->window->to_offset, &window->to_offset, error);
    return failed;
}

/* The columns kept of the input batch at hand. */
static enum sqlstate view_columns(struct window_step *window, struct error *error)
{
    struct operation *step = &window->step;
    const struct plan *plan = step->plan;
    const struct batch *input = window->input;
    uint32_t at = plan->input[0]->columns;
    memcpy(window->columns, input->column, at * sizeof window->columns[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < plan->keys && !failed; i++)
        failed = program_view(window->key[i], input, step->scratch, &window->columns[at++], error);
    for (uint32_t i = 0; i < plan->window_calls && !failed; i++) {
        const struct window_call *call = &window->call[i];
        for (uint32_t a = 0; a < call->arguments && !failed; a++)
            failed = program_view(call->argument[a], input, step->scratch, &window->columns[at++], error);
        if (!failed && call->filter)
            failed = program_view(call->filter, input, step->scratch, &window->columns[at++], error);
    }
    return failed;
}

static bool same_partition(const struct window_step *window, uint32_t row)
{
    const struct plan *plan = window->step.plan;
    uint32_t first = plan->input[0]->columns;
    const struct value *of = window->large ? window->large->first : window->rows.tuple[0]->value;
    for (uint32_t i = 0; i < plan->partition_keys; i++) {
        const struct value *a = &of[first + i], *b = &window->columns[first + i][row];
        if (a->null != b->null)
            return false;
        if (!a->null && !value_equal(operation_environment(&window->step), plan->key[i].type, a, b))
            return false;
    }
    return true;
}

static uint64_t rows_of(const struct window_step *window)
{
    return window->large ? window->large->count : window->rows.count;
}

/* The rows so far go over into a large partition. */
static enum sqlstate enlarge(struct window_step *window, struct error *error)
{
    struct operation *step = &window->step;
    struct scope *scope = scope_open(step->memory, "large partition");
    struct large_partition *large;
    const struct value **columns = scope_alloc(scope, (window->kept + 1) * sizeof columns[0]);
    enum sqlstate failed = large_partition_open(step, scope, step->plan->input[0]->columns, window->kept,
                                                window->types, step->plan->window_calls, &large, error);
    for (size_t r = 0; r < window->rows.count && !failed; r++) {
        for (uint32_t c = 0; c < window->kept; c++)
            columns[c] = &window->rows.tuple[r]->value[c];
        failed = large_partition_add(large, columns, 0, error);
    }
    scope_close(window->scope);
    window->scope = scope;
    window->rows.count = 0;
    window->large = large;
    return failed;
}

static enum sqlstate add_row(struct window_step *window, uint32_t row, struct error *error)
{
    struct operation *step = &window->step;
    struct tuple *tuple;
    if (window->large)
        return large_partition_add(window->large, window->columns, row, error);
    enum sqlstate failed = tuple_store_add(&window->rows, window->columns, row, &tuple, error);
    /* The results will take memory, too. */
    if (!failed && window->rows.count % 64 == 0 &&
        operation_is_over(step,
                          scope_bytes(window->scope) +
                              window->rows.count * step->plan->window_calls * sizeof(struct value),
                          operation_grant(step, false)))
        failed = enlarge(window, error);
    return failed;
}

/* Reads up to the first row of another partition, or the end. */
static enum sqlstate collect(struct window_step *window, struct error *error)
{
    struct operation *step = &window->step;
    tuple_store_init(&window->rows, window->scope, window->kept, window->types);
    for (;;) {
        enum sqlstate failed = SQLSTATE_OK;
        if (!window->input || window->input_at == window->input->count) {
            failed = operation_next(step->input[0], &window->input, error);
            window->input_at = 0;
            if (failed || !window->input) {
                window->ended = true;
                return failed;
            }
            operation_clear_scratch(step);
            failed = view_columns(window, error);
        }
        for (; window->input_at < window->input->count && !failed; window->input_at++) {
            uint32_t row = batch_row(window->input, window->input_at);
            if (rows_of(window) > 0 && !same_partition(window, row))
                return SQLSTATE_OK;
            failed = add_row(window, row, error);
        }
        if (failed)
            return failed;
    }
}

static enum sqlstate column_room(const struct window_step *window, struct scope *scope, struct value **column,
                                 struct error *error)
{
    return scope_alloc_large(scope, (rows_of(window) + 1) * sizeof(struct value), 16, (void **)column, error);
}

/* `count` of the columns kept, from `from` on, for all rows. */
static enum sqlstate columns_of(struct window_step *window, struct scope *scope, uint32_t from,
                                uint32_t count, struct value **columns, struct error *error)
{
    if (window->large)
        return large_partition_load(window->large, scope, from, count, columns, error);
    for (uint32_t c = 0; c < count; c++) {
        enum sqlstate failed = column_room(window, scope, &columns[c], error);
        if (failed)
            return failed;
        for (size_t r = 0; r < window->rows.count; r++)
            columns[c][r] = window->rows.tuple[r]->value[from + c];
    }
    return SQLSTATE_OK;
}

static enum sqlstate offset_of(struct window_step *window, struct program *program, struct value *offset,
                               struct error *error)
{
    *offset = value_null();
    return program ? program_run_row(program, NULL, 0, window->scope, offset, error) : SQLSTATE_OK;
}

static enum sqlstate breathe(void *argument, struct error *error)
{
    return operation_breathe(argument, error);
}

/* One call; its columns kept begin at *at. */
static enum sqlstate compute_call(struct window_step *window, struct partition *partition, uint32_t number,
                                  uint32_t *at, struct error *error)
{
    const struct window_call *of = &window->call[number];
    struct partition_call call = {.call = window->step.plan->window_call[number]};
    struct scope *scope = window->large ? scope_open(window->scope, "call") : window->scope;
    struct value *columns[5], *result;
    uint32_t count = of->arguments + (of->filter != NULL);
    enum sqlstate failed = columns_of(window, scope, *at, count, columns, error);
    if (!failed)
        failed = column_room(window, scope, &result, error);
    if (!failed)
        failed = fiber_check_canceled(operation_world(&window->step)->scheduler, error);
    if (failed)
        return failed;
    for (uint32_t a = 0; a < of->arguments; a++)
        call.argument[a] = columns[a];
    if (of->filter)
        call.filter = columns[of->arguments];
    *at += count;
    partition->scope = scope;
    call.result = window->result[number] = result;
    failed = partition_compute(partition, &call, error);
    if (window->large) {
        if (!failed)
            failed = large_partition_keep(window->large, call.call->type, result, error);
        scope_close(scope);
    }
    return failed;
}

static enum sqlstate compute(struct window_step *window, struct error *error)
{
    struct operation *step = &window->step;
    const struct plan *plan = step->plan;
    uint32_t before = plan->input[0]->columns, orders = plan->keys - plan->partition_keys;
    if (rows_of(window) > UINT32_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "a window partition has too many rows");
    struct value **keys = scope_alloc_zeroed(window->scope, (orders + 1) * sizeof keys[0]);
    enum sqlstate failed =
        columns_of(window, window->scope, before + plan->partition_keys, orders, keys, error);
    struct partition partition = {.environment = operation_environment(step),
                                  .scope = window->scope,
                                  .window = plan->window,
                                  .rows = (uint32_t)rows_of(window),
                                  .orders = orders,
                                  .key = plan->key + plan->partition_keys,
                                  .key_value = (const struct value *const *)keys,
                                  .breathe = breathe,
                                  .argument = operation_world(step)};
    if (!failed)
        failed = offset_of(window, window->from_offset, &partition.from_offset, error);
    if (!failed)
        failed = offset_of(window, window->to_offset, &partition.to_offset, error);
    uint32_t at = before + plan->keys;
    for (uint32_t i = 0; i < plan->window_calls && !failed; i++)
        failed = compute_call(window, &partition, i, &at, error);
    window->at = 0;
    return failed;
}

/* The partition's next rows; *count 0 when all were given. */
static enum sqlstate give_rows(struct window_step *window, uint32_t *count, struct error *error)
{
    struct operation *step = &window->step;
    const struct plan *plan = step->plan;
    uint32_t before = plan->input[0]->columns;
    size_t left = window->rows.count - window->at;
    *count = left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS;
    if (window->large) {
        if (window->gives)
            scope_close(window->gives);
        window->gives = scope_open(window->scope, "rows given");
        operation_want_room(step, BATCH_ROWS);
        return large_partition_give(window->large, window->gives, step->room, count, error);
    }
    if (*count == 0)
        return SQLSTATE_OK;
    operation_want_room(step, *count);
    for (uint32_t c = 0; c < before; c++)
        for (uint32_t i = 0; i < *count; i++)
            step->room[c][i] = window->rows.tuple[window->at + i]->value[c];
    for (uint32_t w = 0; w < plan->window_calls; w++)
        memcpy(step->room[before + w], window->result[w] + window->at, *count * sizeof(struct value));
    window->at += *count;
    return SQLSTATE_OK;
}

static enum sqlstate next_window(struct operation *step, const struct batch **batch, struct error *error)
{
    struct window_step *window = (struct window_step *)step;
    uint32_t count;
    enum sqlstate failed;
    while (!(failed = give_rows(window, &count, error)) && count == 0 && !window->ended) {
        if (window->scope)
            scope_close(window->scope);
        window->scope = scope_open(step->memory, "partition");
        window->large = NULL;
        window->gives = NULL;
        failed = collect(window, error);
        if (failed || rows_of(window) == 0)
            return failed;
        failed = compute(window, error);
        if (failed)
            return failed;
    }
    step->batch.count = count;
    if (!failed && count)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_window(struct operation *step, struct error *error)
{
    struct window_step *window = (struct window_step *)step;
    window->ended = false;
    window->scope = window->gives = NULL;
    window->large = NULL;
    window->rows = (struct tuple_store){0};
    window->at = 0;
    window->input = NULL;
    return operation_restart_inputs(step, error);
}

const struct operation_ops window_ops = {
    .bytes = sizeof(struct window_step), .open = open_window, .next = next_window, .restart = restart_window};
