/* Aggregates with DISTINCT or ORDER BY: what they are called with is kept until all rows are read, then sorted and stepped
 * through. One sorter serves all groups of a call: its first key is the group's number, and groups go out in that order.
 *
 *     row        arguments | ORDER BY's | group          sorted by  group, ORDER BY's, arguments (DISTINCT)
 *
 * DISTINCT alone sorts by the arguments, as PostgreSQL does. */
#include "sqlfront/run/aggregate.h"
#include "sqlfront/run/sorter.h"

static uint32_t columns_of(const struct call_state *call)
{
    return call->arguments + call->orders + 1;
}

static void add_key(struct call_state *call, uint32_t at, struct plan_key key)
{
    if (key.type->order == ORDER_NONE)
        return;
    call->sort_at[call->sort_keys] = at;
    call->sort_key[call->sort_keys++] = key;
}

enum sqlstate list_open(struct operation *step, struct call_state *call, struct error *error)
{
    const struct plan_aggregate *plan = call->plan;
    call->orders = plan->orders;
    uint32_t room = call->arguments + plan->orders + 2, columns = columns_of(call);
    call->sort_key = scope_alloc_zeroed(step->scope, 2 * room * sizeof call->sort_key[0]);
    call->sort_at = scope_alloc_zeroed(step->scope, 2 * room * sizeof call->sort_at[0]);
    call->order = scope_alloc_zeroed(step->scope, room * sizeof call->order[0]);
    call->last = scope_alloc_zeroed(step->scope, room * sizeof call->last[0]);
    call->group_number = scope_alloc(step->scope, BATCH_ROWS * sizeof call->group_number[0]);
    call->room = scope_alloc(step->scope, columns * sizeof call->room[0]);
    for (uint32_t c = 0; c < columns; c++)
        call->room[c] = scope_alloc(step->scope, BATCH_ROWS * sizeof call->room[c][0]);
    call->types[columns - 1] = type_builtin(TYPE_INT8);
    call->values[columns - 1] = call->group_number;
    add_key(call, columns - 1, (struct plan_key){.type = type_builtin(TYPE_INT8)});
    for (uint32_t i = 0; i < plan->orders; i++) {
        const struct sort_key *key = &plan->order[i];
        const struct type *type = key->expression->type;
        call->types[call->arguments + i] = type;
        add_key(
            call, call->arguments + i,
            (struct plan_key){.type = type, .descending = key->descending, .nulls_first = key->nulls_first});
        enum sqlstate failed = operation_program(step, key->expression, &call->order[i], error);
        if (failed)
            return failed;
    }
    for (uint32_t i = 0; i < call->arguments && plan->distinct; i++)
        add_key(call, i, (struct plan_key){.type = call->types[i]});
    return SQLSTATE_OK;
}

void list_begin(struct aggregate_step *aggregate, struct call_state *call)
{
    const struct sorter_options options = {.step = &aggregate->step,
                                           .scope = scope_open(aggregate->groups_scope, "list"),
                                           .columns = columns_of(call),
                                           .types = call->types,
                                           .keys = call->sort_keys,
                                           .key = call->sort_key,
                                           .key_at = call->sort_at,
                                           .limit = UINT64_MAX,
                                           .grant = operation_grant(&aggregate->step, false) /
                                                    (aggregate->listed ? aggregate->listed : 1)};
    sorter_open(&options, &call->sorter);
    call->room_count = call->room_at = 0;
    call->room_scope = call->last_scope = NULL;
    call->any_last = false;
}

enum sqlstate list_add(struct aggregate_step *aggregate, struct call_state *call, const struct batch *input,
                       struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < input->count && !failed; i++) {
        uint32_t row = batch_row(input, i);
        bool null = false;
        for (uint32_t a = 0; a < call->arguments; a++)
            null |= call->values[a][row].null;
        if (null && !call->aggregate->takes_null)
            continue;
        uint64_t number = group_place(aggregate, aggregate->row_group[row])->number;
        call->group_number[row] = value_integer((int64_t)number);
        failed = sorter_add(call->sorter, call->values, row, error);
    }
    return failed;
}

enum sqlstate list_sort(struct call_state *call, struct error *error)
{
    return sorter_sort(call->sorter, error);
}

static bool same_arguments(struct environment *environment, const struct call_state *call, uint32_t row)
{
    for (uint32_t i = 0; i < call->arguments; i++) {
        const struct value *x = &call->last[i], *y = &call->room[i][row];
        if (x->null != y->null)
            return false;
        if (!x->null && !value_equal(environment, call->types[i], x, y))
            return false;
    }
    return true;
}

/* More rows out of the sorter; what was stepped last outlives the ones before. */
static enum sqlstate refill(struct aggregate_step *aggregate, struct call_state *call, struct error *error)
{
    struct scope *scope = scope_open(aggregate->groups_scope, "last arguments");
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < call->arguments && call->any_last && !failed; i++)
        failed = value_copy(scope, call->types[i], &call->last[i], &call->last[i], error);
    if (call->last_scope)
        scope_close(call->last_scope);
    call->last_scope = scope;
    if (call->room_scope)
        scope_close(call->room_scope);
    call->room_scope = scope_open(aggregate->groups_scope, "arguments");
    call->room_at = 0;
    if (!failed)
        failed = sorter_give(call->sorter, call->room_scope, columns_of(call), call->room, BATCH_ROWS,
                             &call->room_count, error);
    return failed ? failed : operation_breathe(operation_world(&aggregate->step), error);
}

enum sqlstate list_step(struct aggregate_step *aggregate, struct call_state *call, struct tuple *group,
                        struct error *error)
{
    struct environment *environment = operation_environment(&aggregate->step);
    int64_t number = (int64_t)group_place(aggregate, group)->number;
    void *state = group_state(aggregate, group, call->offset);
    call->any_last = false;
    for (;;) {
        if (call->room_at == call->room_count) {
            enum sqlstate failed = refill(aggregate, call, error);
            if (failed || call->room_count == 0)
                return failed;
        }
        uint32_t row = call->room_at;
        if (call->room[columns_of(call) - 1][row].i != number)
            return SQLSTATE_OK;
        call->room_at++;
        if (call->plan->distinct && call->any_last && same_arguments(environment, call, row))
            continue;
        for (uint32_t a = 0; a < call->arguments; a++)
            call->tuple[a] = call->last[a] = call->room[a][row];
        call->any_last = true;
        enum sqlstate failed = call->aggregate->step(&call->call, state, call->tuple);
        if (failed)
            return failed;
    }
}
