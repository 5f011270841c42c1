/* Executions: the door of the runner, and what all steps have in common. */
#include "sqlfront/run/foreign.h"
#include "sqlfront/run/hash_join.h"
#include "sqlfront/run/row_list.h"

#define MEMORY_GRANT_DEFAULT (64UL * 1024 * 1024)
/* What a step keeps however little memory is left: less would not let it get on. */
#define KEPT_BYTES_MIN (64UL * 1024)
/* What is not put aside (wide batches, states that grow, large values) may take most of what the core had left when the
 * statement began, so that it ends before the core has none. */
#define STATEMENT_SHARE(room) ((room) / 4 * 3)
#define RESERVE_SHARE(room)   ((room) / 4)
#define RESERVE_MAX           (64UL * 1024 * 1024)

static const struct operation_ops *const operations[] = {
    [PLAN_RESULT] = &result_ops,
    [PLAN_EMPTY] = &empty_ops,
    [PLAN_VALUES] = &values_ops,
    [PLAN_SCAN] = &scan_ops,
    [PLAN_FUNCTION] = &function_ops,
    [PLAN_FILTER] = &filter_ops,
    [PLAN_PROJECT] = &project_ops,
    [PLAN_SET_PROJECT] = &set_project_ops,
    [PLAN_HASH_JOIN] = &hash_join_ops,
    [PLAN_MERGE_JOIN] = &merge_join_ops,
    [PLAN_NESTED_JOIN] = &hash_join_ops, /* one without keys */
    [PLAN_LOOKUP_JOIN] = &lookup_join_ops,
    [PLAN_APPLY] = &apply_ops,
    [PLAN_AGGREGATE] = &aggregate_ops,
    [PLAN_WINDOW] = &window_ops,
    [PLAN_SORT] = &sort_ops,
    [PLAN_UNIQUE] = &unique_ops,
    [PLAN_LIMIT] = &limit_ops,
    [PLAN_APPEND] = &append_ops,
    [PLAN_SET_OPERATION] = &set_operation_ops,
    [PLAN_RECURSIVE] = &recursive_ops,
    [PLAN_WORK_TABLE] = &work_table_ops,
    [PLAN_COMMON] = &common_ops,
    [PLAN_COMMON_SCAN] = &common_scan_ops,
    [PLAN_LOCK] = &lock_ops,
    [PLAN_MODIFY] = &modify_ops,
    [PLAN_GATHER] = &gather_ops,
};
#define OPERATIONS (sizeof operations / sizeof operations[0])

/* ---- steps ---- */

/* The table that was built for a join of this fragment; NULL: there is none. */
static const struct hash_table *shared_of(const struct execution *execution, const struct plan *plan)
{
    for (uint32_t i = 0; i < execution->shared_tables; i++)
        if (execution->shared[i].plan == plan)
            return execution->shared[i].table;
    return NULL;
}

enum sqlstate operation_make(struct execution *execution, const struct plan *plan, struct operation **made,
                             struct error *error)
{
    enum sqlstate failed = fiber_check_stack(execution->world->scheduler, error);
    if (failed)
        return failed;
    if (plan->kind >= OPERATIONS || operations[plan->kind] == NULL)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "plan nodes of kind %u are not supported",
                         plan->kind);
    const struct operation_ops *ops =
        plan->kind == PLAN_AGGREGATE && plan->sorted ? &sorted_aggregate_ops : operations[plan->kind];
    struct operation *step = scope_alloc_zeroed(execution->scope, ops->bytes);
    step->ops = ops;
    step->plan = plan;
    step->execution = execution;
    step->scope = execution->scope;
    step->batch.columns = plan->columns;
    step->column = scope_alloc_zeroed(step->scope, (plan->columns + 1) * sizeof step->column[0]);
    step->batch.column = step->column;
    list_link_init(&step->of_execution);
    list_append(&execution->operations, &step->of_execution);
    *made = step;
    const struct hash_table *table = shared_of(execution, plan);
    bool alone = point_is_of_modify(execution, plan);
    for (uint32_t i = 0; i < plan->inputs && i < 2 && plan->kind != PLAN_APPEND && !alone; i++)
        if (plan->input[i] && (i == 0 || table == NULL) &&
            (failed = operation_make(execution, plan->input[i], &step->input[i], error)))
            return failed;
    if (table)
        hash_join_share(step, table);
    return ops->open ? ops->open(step, error) : SQLSTATE_OK;
}

static void note_batch(struct operation *step, const struct batch *batch, uint64_t began)
{
    struct node_figures *figures = &step->figures;
    if (step->execution->request.analyze) {
        uint64_t took = world_now(operation_world(step)) - began;
        if (figures->batches == 0)
            figures->first_ns = took;
        figures->time_ns += took;
    }
    figures->loops += figures->loops == 0;
    figures->batches++;
    if (batch)
        figures->rows += batch->count;
}

enum sqlstate operation_breathe(struct world *world, struct error *error)
{
    fiber_breathe(world->scheduler);
    return fiber_check_canceled(world->scheduler, error);
}

enum sqlstate operation_next(struct operation *step, const struct batch **batch, struct error *error)
{
    struct world *world = operation_world(step);
    uint64_t began = step->execution->request.analyze ? world_now(world) : 0;
    *batch = NULL;
    enum sqlstate failed = operation_breathe(world, error);
    if (!failed)
        failed = fiber_check_stack(world->scheduler, error);
    if (!failed)
        failed = scope_check_budget(step->scope, error);
    if (failed)
        return failed;
    if (step->memory == NULL)
        step->memory = scope_open(step->scope, "run");
    failed = step->ops->next(step, batch, error);
    if (!failed)
        note_batch(step, *batch, began);
    return failed;
}

enum sqlstate operation_restart_inputs(struct operation *step, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (int i = 0; i < 2 && !failed; i++)
        if (step->input[i])
            failed = operation_restart(step->input[i], error);
    return failed;
}

enum sqlstate operation_restart(struct operation *step, struct error *error)
{
    step->figures.loops += step->figures.loops != 0;
    if (step->memory) {
        scope_close(step->memory);
        step->memory = scope_open(step->scope, "run");
    }
    return step->ops->restart(step, error);
}

void operation_clear_scratch(struct operation *step)
{
    if (step->scratch)
        scope_close(step->scratch);
    step->scratch = scope_open(step->scope, "batch");
}

void operation_want_room(struct operation *step, uint32_t rows)
{
    uint32_t columns = step->plan->columns;
    if (step->room_rows < rows) {
        step->room_rows = rows <= 1 ? 1 : rows <= 32 ? 32 : BATCH_ROWS;
        check(rows <= BATCH_ROWS);
        step->room = scope_alloc(step->scope, (columns + 1) * sizeof step->room[0]);
        for (uint32_t i = 0; i < columns; i++)
            step->room[i] = scope_alloc(step->scope, step->room_rows * sizeof step->room[0][0]);
    }
    for (uint32_t i = 0; i < columns; i++)
        step->column[i] = step->room[i];
}

enum sqlstate operation_program(struct operation *step, const struct expression *expression,
                                struct program **program, struct error *error)
{
    *program = NULL;
    if (expression == NULL)
        return SQLSTATE_OK;
    return program_make(step->scope, &step->execution->evaluation, expression, program, error);
}

enum sqlstate operation_programs(struct operation *step, struct expression *const *expressions,
                                 uint32_t count, struct program ***programs, struct error *error)
{
    *programs = scope_alloc_zeroed(step->scope, (count + 1) * sizeof **programs);
    for (uint32_t i = 0; i < count; i++) {
        enum sqlstate failed = operation_program(step, expressions[i], &(*programs)[i], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

enum sqlstate operation_constant(struct operation *step, struct scope *scope,
                                 const struct expression *expression, struct value *value,
                                 struct error *error)
{
    return evaluate_constant(scope, &step->execution->evaluation, expression, value, error);
}

/* ---- memory ---- */

size_t operation_grant(const struct operation *step, bool hashes)
{
    const struct execution_request *request = &step->execution->request;
    return hashes ? request->hash_grant : request->memory_grant;
}

bool operation_is_over(const struct operation *step, size_t bytes, size_t grant)
{
    return bytes > grant || (bytes > KEPT_BYTES_MIN && scope_room(step->scope) < step->execution->reserve);
}

enum sqlstate operation_spill(struct operation *step, struct scope *scope, size_t grant, struct spill **spill,
                              struct error *error)
{
    const struct execution *execution = step->execution;
    const struct spill_options options = {.directory =
                                              engine_directory(execution->request.engine, execution->world),
                                          .account = execution->account,
                                          .grant = grant};
    return spill_open(execution->world, scope, &options, spill, error);
}

struct row_list *operation_rows(struct operation *step, struct scope *scope, uint32_t columns,
                                const struct type *const *types)
{
    const struct execution *execution = step->execution;
    size_t grant = operation_grant(step, false);
    const struct row_list_options options = {
        .world = execution->world,
        .scope = scope,
        .columns = columns,
        .types = types,
        .grant = grant,
        .reserve = execution->reserve,
        .spill = {.directory = engine_directory(execution->request.engine, execution->world),
                  .account = execution->account,
                  .grant = grant}};
    return row_list_open(&options);
}

/* ---- the door ---- */

/* The statement's own MODIFY is at the top, or under its WITH. */
static const struct plan *modify_of(const struct plan *plan)
{
    while (plan && plan->kind == PLAN_COMMON)
        plan = plan->input[0];
    return plan && plan->kind == PLAN_MODIFY ? plan : NULL;
}

/* Nothing of what steps need: the row and its key are all there is. */
static void open_point(struct execution *execution)
{
    struct scope *scope = execution->scope = execution->request.scope;
    execution->account = scope_alloc_zeroed(scope, sizeof *execution->account);
    execution->read_elsewhere = scope_alloc_zeroed(scope, sizeof *execution->read_elsewhere);
    list_init(&execution->operations);
}

enum sqlstate execution_open(const struct execution_request *request, const struct planned *planned,
                             struct execution **opened, struct error *error)
{
    struct scope *scope = request->scope;
    struct execution *execution = scope_alloc_zeroed(scope, sizeof *execution);
    uint32_t outers = planned->outer_parameters + 1;
    execution->request = *request;
    execution->world = request->world;
    execution->planned = planned;
    *opened = execution;
    if (request->point && point_reads(request->point) && !request->analyze) {
        open_point(execution);
        return SQLSTATE_OK;
    }
    if (execution->request.memory_grant == 0)
        execution->request.memory_grant = MEMORY_GRANT_DEFAULT;
    if (execution->request.hash_grant == 0)
        execution->request.hash_grant = 2 * execution->request.memory_grant;
    size_t room = scope_room(scope);
    execution->budget.parent = scope_budget(scope);
    execution->budget.limit = STATEMENT_SHARE(room);
    execution->reserve = RESERVE_SHARE(room) < RESERVE_MAX ? RESERVE_SHARE(room) : RESERVE_MAX;
    execution->account = scope_alloc_zeroed(scope, sizeof *execution->account);
    execution->account->limit = request->temporary_limit;
    execution->read_elsewhere = scope_alloc_zeroed(scope, sizeof *execution->read_elsewhere);
    scope = execution->scope = scope_open_with_budget(scope, "steps", &execution->budget);
    execution->environment = request->environment;
    execution->evaluation = (struct evaluation){.environment = request->environment,
                                                .parameters = request->parameters,
                                                .parameter_count = request->parameter_count,
                                                .outer = scope_alloc(scope, outers * sizeof(struct value))};
    for (uint32_t i = 0; i < outers; i++)
        execution->evaluation.outer[i] = value_null();
    execution->common = scope_alloc_zeroed(scope, (planned->common_slots + 1) * sizeof(struct common_rows *));
    list_init(&execution->operations);
    execution->modify_plan = modify_of(planned->plan);
    execution->foreign = scope_alloc_zeroed(scope, sizeof *execution->foreign);
    execution->foreign->scope = scope;
    return operation_make(execution, planned->plan, &execution->root, error);
}

enum sqlstate execution_next(struct execution *execution, const struct batch **batch, struct error *error)
{
    if (!execution->root)
        return point_next(execution, execution->request.point, batch, error);
    enum sqlstate failed = operation_next(execution->root, batch, error);
    if (failed)
        return failed;
    if (*batch && !execution->modify_plan)
        execution->rows += (*batch)->count;
    if (*batch || execution->settled)
        return SQLSTATE_OK;
    execution->settled = true;
    return foreign_settle(execution, error);
}

uint64_t execution_rows(const struct execution *execution)
{
    return execution->rows;
}

bool execution_figures(const struct execution *execution, const struct plan *node,
                       struct node_figures *figures)
{
    list_each (&execution->operations, at) {
        const struct operation *step = container_of(at, struct operation, of_execution);
        if (step->plan == node && step->figures.loops) {
            *figures = step->figures;
            return true;
        }
    }
    return false;
}

void execution_progress(const struct execution *execution, struct execution_progress *progress)
{
    *progress = (struct execution_progress){
        .rows_given = execution->rows,
        .rows_planned = execution->planned->plan->rows,
        .memory_bytes = execution->budget.used,
        .rows_read = __atomic_load_n(execution->read_elsewhere, __ATOMIC_RELAXED),
        .temporary_bytes = __atomic_load_n(&execution->account->used, __ATOMIC_RELAXED)};
    list_each (&execution->operations, at) {
        const struct operation *step = container_of(at, struct operation, of_execution);
        const struct node_figures *figures = &step->figures;
        progress->steps++;
        progress->steps_begun += figures->batches > 0;
        progress->rows_passed += figures->rows;
        if (step->plan->kind == PLAN_SCAN)
            progress->rows_read += figures->rows + figures->rows_filtered;
    }
}
