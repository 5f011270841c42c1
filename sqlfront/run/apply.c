/* APPLY: for each row of the first input the second is run, with parameters set from the row. What a subquery in an expression
 * gives is remembered by its parameters, so that the same ones do not run it twice. */
#include "sqlfront/run/operator.h"
#include "sqlfront/value/array/array.h"

/* Answers remembered in one run; beyond, they are worked out again. */
#define ANSWERS_MAX 20000

struct apply {
    struct operation step;
    struct program **parameter;
    struct program *condition;
    struct program *key; /* hashed */
    bool ran;            /* the second input has run before: restart it */

    /* The row of the first input at hand. */
    const struct batch *left;
    uint32_t at;
    const struct value **values; /* of the parameters, per row of the batch */

    /* Subqueries: */
    struct value *answer; /* room for the slot added */
    bool known;           /* `once` */
    struct value once;
    struct tuple_store answers; /* parameters, then the answer */
    struct tuple_table table;
    const struct type **answer_types;
    bool remembers;

    /* hashed: */
    bool built, any_null;
    struct tuple_store keys;
    struct tuple_table key_table;
    const struct type *key_type[1];

    /* JOIN: */
    bool running, matched;
    const struct batch *right;
    uint32_t right_at;
    const struct value **both; /* columns of left and right, for conditions */
    uint16_t *selection;
};

static enum sqlstate open_apply(struct operation *step, struct error *error)
{
    struct apply *apply = (struct apply *)step;
    const struct plan *plan = step->plan;
    uint32_t columns = plan->input[0]->columns + plan->input[1]->columns;
    apply->values = scope_alloc_zeroed(step->scope, (plan->parameters + 1) * sizeof apply->values[0]);
    apply->both = scope_alloc_zeroed(step->scope, (columns + 1) * sizeof apply->both[0]);
    apply->selection = scope_alloc(step->scope, BATCH_ROWS * sizeof(uint16_t));
    apply->answer_types =
        scope_alloc_zeroed(step->scope, (plan->parameters + 1) * sizeof apply->answer_types[0]);
    for (uint32_t i = 0; i < plan->parameters; i++)
        apply->answer_types[i] = plan->parameter_value[i]->type;
    apply->remembers = plan->apply != APPLY_JOIN && plan->parameters > 0 && plan->apply != APPLY_ANY &&
                       plan->apply != APPLY_ALL;
    for (uint32_t i = 0; i < plan->parameters; i++)
        if (apply->answer_types[i]->order == ORDER_NONE)
            apply->remembers = false;
    if (plan->apply != APPLY_JOIN)
        apply->answer_types[plan->parameters] = plan->column[plan->columns - 1];
    enum sqlstate failed =
        operation_programs(step, plan->parameter_value, plan->parameters, &apply->parameter, error);
    if (!failed)
        failed = operation_program(step, plan->condition, &apply->condition, error);
    if (!failed && plan->hashed)
        failed = operation_program(step, plan->key[0].expression, &apply->key, error);
    return failed;
}

/* ---- running the second input ---- */

static enum sqlstate begin_second(struct apply *apply, uint32_t row, struct error *error)
{
    const struct plan *plan = apply->step.plan;
    for (uint32_t i = 0; i < plan->parameters; i++)
        apply->step.execution->evaluation.outer[plan->parameter[i]] = apply->values[i][row];
    enum sqlstate failed = apply->ran ? operation_restart(apply->step.input[1], error) : SQLSTATE_OK;
    apply->ran = true;
    return failed;
}

static enum sqlstate scalar(struct apply *apply, struct value *answer, struct error *error)
{
    const struct batch *batch;
    struct operation *step = &apply->step;
    const struct type *type = step->plan->column[step->plan->columns - 1];
    *answer = value_null();
    bool any = false;
    for (;;) {
        enum sqlstate failed = operation_next(step->input[1], &batch, error);
        if (failed || !batch)
            return failed;
        if (any || batch->count > 1)
            return error_set(error, SQLSTATE_PACK('2', '1', '0', '0', '0'),
                             "more than one row returned by a subquery used as an expression");
        any = true;
        failed = value_copy(step->memory, type, &batch->column[0][batch_row(batch, 0)], answer, error);
        if (failed)
            return failed;
    }
}

static enum sqlstate exists(struct apply *apply, struct value *answer, struct error *error)
{
    const struct batch *batch;
    enum sqlstate failed = operation_next(apply->step.input[1], &batch, error);
    *answer = value_boolean(batch != NULL);
    return failed;
}

/* Arrays become elements of one with a dimension more. */
static enum sqlstate array_of(struct operation *step, const struct array_builder *builder,
                              struct value *answer, struct error *error)
{
    const struct type *type = builder->element;
    if (!type->element || type->category != 'A' || type->oid == TYPE_INT2VECTOR ||
        type->oid == TYPE_OIDVECTOR)
        return array_builder_end(builder, answer, error);
    const struct type *element =
        operation_environment(step)->type_find(operation_environment(step), type->element);
    return array_build_nested(step->memory, element, builder->values, builder->count, answer, error);
}

static enum sqlstate array(struct apply *apply, struct value *answer, struct error *error)
{
    struct operation *step = &apply->step;
    const struct type *element = step->plan->input[1]->column[0];
    struct array_builder builder = {.scope = step->memory, .element = element};
    for (;;) {
        const struct batch *batch;
        enum sqlstate failed = operation_next(step->input[1], &batch, error);
        if (failed)
            return failed;
        if (!batch)
            return array_of(step, &builder, answer, error);
        for (uint32_t i = 0; i < batch->count && !failed; i++) {
            struct value value;
            failed = value_copy(step->memory, element, &batch->column[0][batch_row(batch, i)], &value, error);
            if (!failed)
                failed = array_builder_add(&builder, value, error);
        }
        if (failed)
            return failed;
    }
}

/* Left columns as if each row of the right batch had the row beside it. */
static void spread(struct apply *apply, uint32_t row, const struct batch *right, struct value **room)
{
    uint32_t columns = apply->step.plan->input[0]->columns;
    for (uint32_t c = 0; c < columns; c++) {
        struct value value = apply->left->column[c][row];
        for (uint32_t i = 0; i < right->count; i++)
            room[c][batch_row(right, i)] = value;
    }
}

static enum sqlstate quantified(struct apply *apply, uint32_t row, struct value *answer, struct error *error)
{
    struct operation *step = &apply->step;
    const struct plan *plan = step->plan;
    bool all = plan->apply == APPLY_ALL;
    uint32_t left = plan->input[0]->columns, right = plan->input[1]->columns;
    *answer = value_boolean(all);
    struct scope *scratch = scope_open(step->memory, "compared");
    struct value **room = scope_alloc(scratch, (left + 1) * sizeof room[0]);
    for (uint32_t c = 0; c < left; c++)
        room[c] = scope_alloc(scratch, BATCH_ROWS * sizeof room[c][0]);
    struct value *truth = scope_alloc(scratch, BATCH_ROWS * sizeof truth[0]);
    enum sqlstate failed;
    for (;;) {
        const struct batch *batch;
        failed = operation_next(step->input[1], &batch, error);
        if (failed || !batch)
            break;
        spread(apply, row, batch, room);
        for (uint32_t c = 0; c < left; c++)
            apply->both[c] = room[c];
        for (uint32_t c = 0; c < right; c++)
            apply->both[left + c] = batch->column[c];
        struct batch both = *batch;
        both.columns = left + right;
        both.column = apply->both;
        failed = program_run(apply->condition, &both, scratch, truth, error);
        bool decided = false;
        for (uint32_t i = 0; i < batch->count && !failed && !decided; i++) {
            const struct value *one = &truth[batch_row(batch, i)];
            if (one->null) {
                *answer = value_null();
            } else if (!!one->i != all) {
                *answer = value_boolean(!all);
                decided = true;
            }
        }
        if (failed || decided)
            break;
    }
    scope_close(scratch);
    return failed;
}

static enum sqlstate answer_row(struct apply *apply, uint32_t row, struct value *answer, struct error *error)
{
    enum sqlstate failed = begin_second(apply, row, error);
    if (failed)
        return failed;
    switch (apply->step.plan->apply) {
    case APPLY_SCALAR:
        return scalar(apply, answer, error);
    case APPLY_EXISTS:
        return exists(apply, answer, error);
    case APPLY_ARRAY:
        return array(apply, answer, error);
    default:
        return quantified(apply, row, answer, error);
    }
}

/* ---- answers remembered ---- */

static uint64_t parameters_hash(const struct apply *apply, uint32_t row)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < apply->step.plan->parameters; i++) {
        const struct value *value = &apply->values[i][row];
        hash = hash_combine(hash, value->null ? HASH_OF_NULL
                                              : value_hash(operation_environment(&apply->step),
                                                           apply->answer_types[i], value));
    }
    return hash;
}

static bool parameters_same(const struct apply *apply, const struct tuple *tuple, uint32_t row)
{
    for (uint32_t i = 0; i < apply->step.plan->parameters; i++) {
        const struct value *a = &apply->values[i][row], *b = &tuple->value[i];
        if (a->null != b->null)
            return false;
        /* Equal is not enough: 1.0 and 1.00 are two things to a subquery that shows them. */
        if (!a->null && (a->scale != b->scale ||
                         !value_equal(operation_environment(&apply->step), apply->answer_types[i], a, b)))
            return false;
    }
    return true;
}

static enum sqlstate remembered(struct apply *apply, uint32_t row, struct value *answer, struct error *error)
{
    uint32_t parameters = apply->step.plan->parameters;
    uint64_t hash = parameters_hash(apply, row);
    enum sqlstate failed = SQLSTATE_OK;
    if (!apply->table.bucket) {
        tuple_store_init(&apply->answers, apply->step.memory, parameters + 1, apply->answer_types);
        failed = tuple_table_init(&apply->table, apply->step.memory, error);
        if (failed)
            return failed;
    }
    for (struct tuple *tuple = tuple_table_find(&apply->table, hash); tuple; tuple = tuple->next)
        if (tuple->hash == hash && parameters_same(apply, tuple, row)) {
            *answer = tuple->value[parameters];
            return SQLSTATE_OK;
        }
    failed = answer_row(apply, row, answer, error);
    if (failed || apply->answers.count >= ANSWERS_MAX)
        return failed;
    struct scope *scratch = scope_open(apply->step.memory, "answer");
    struct value *values = scope_alloc(scratch, (parameters + 1) * sizeof values[0]);
    for (uint32_t i = 0; i < parameters; i++)
        values[i] = apply->values[i][row];
    values[parameters] = *answer;
    struct tuple *tuple;
    failed = tuple_store_add_values(&apply->answers, values, &tuple, error);
    scope_close(scratch);
    if (failed)
        return failed;
    tuple->hash = hash;
    *answer = tuple->value[parameters];
    return tuple_table_add(&apply->table, tuple, error);
}

/* ---- x = ANY (subquery without parameters) ---- */

static enum sqlstate build_keys(struct apply *apply, struct error *error)
{
    struct operation *step = &apply->step;
    uint32_t slot = (uint32_t)step->plan->right_key[0].expression->number;
    apply->key_type[0] = step->plan->right_key[0].type;
    tuple_store_init(&apply->keys, step->memory, 1, apply->key_type);
    enum sqlstate failed = tuple_table_init(&apply->key_table, step->memory, error);
    if (!failed)
        failed = begin_second(apply, 0, error);
    while (!failed) {
        const struct batch *batch;
        failed = operation_next(step->input[1], &batch, error);
        if (failed || !batch)
            break;
        for (uint32_t i = 0; i < batch->count && !failed; i++) {
            const struct value *value = &batch->column[slot][batch_row(batch, i)];
            struct tuple *tuple;
            if (value->null) {
                apply->any_null = true;
                continue;
            }
            failed = tuple_store_add_values(&apply->keys, value, &tuple, error);
            if (!failed) {
                tuple->hash = value_hash(operation_environment(step), apply->key_type[0], value);
                failed = tuple_table_add(&apply->key_table, tuple, error);
            }
        }
    }
    apply->built = true;
    return failed;
}

static struct value look_up(const struct apply *apply, const struct value *value)
{
    if (value->null)
        return apply->keys.count || apply->any_null ? value_null() : value_boolean(false);
    uint64_t hash = value_hash(operation_environment(&apply->step), apply->key_type[0], value);
    for (const struct tuple *tuple = tuple_table_find(&apply->key_table, hash); tuple; tuple = tuple->next)
        if (tuple->hash == hash &&
            value_equal(operation_environment(&apply->step), apply->key_type[0], value, &tuple->value[0]))
            return value_boolean(true);
    return apply->any_null ? value_null() : value_boolean(false);
}

/* ---- a slot added to each row ---- */

static enum sqlstate next_left(struct apply *apply, struct error *error)
{
    struct operation *step = &apply->step;
    enum sqlstate failed = operation_next(step->input[0], &apply->left, error);
    if (failed || !apply->left)
        return failed;
    operation_clear_scratch(step);
    for (uint32_t i = 0; i < step->plan->parameters && !failed; i++)
        failed = program_view(apply->parameter[i], apply->left, step->scratch, &apply->values[i], error);
    apply->at = 0;
    return failed;
}

static enum sqlstate next_answers(struct apply *apply, const struct batch **batch, struct error *error)
{
    struct operation *step = &apply->step;
    const struct plan *plan = step->plan;
    enum sqlstate failed = next_left(apply, error);
    if (failed || !apply->left)
        return failed;
    const struct value *keys = NULL;
    if (plan->hashed && !apply->built)
        failed = build_keys(apply, error);
    if (!failed && plan->hashed)
        failed = program_view(apply->key, apply->left, step->scratch, &keys, error);
    if (!apply->answer)
        apply->answer = scope_alloc(step->scope, BATCH_ROWS * sizeof apply->answer[0]);
    bool once = plan->once && plan->apply != APPLY_ANY && plan->apply != APPLY_ALL;
    for (uint32_t i = 0; i < apply->left->count && !failed; i++) {
        uint32_t row = batch_row(apply->left, i);
        struct value *answer = &apply->answer[row];
        if (plan->hashed) {
            *answer = look_up(apply, &keys[row]);
        } else if (once) {
            if (!apply->known)
                failed = answer_row(apply, row, &apply->once, error);
            apply->known = true;
            *answer = apply->once;
        } else if (apply->remembers) {
            failed = remembered(apply, row, answer, error);
        } else {
            failed = answer_row(apply, row, answer, error);
        }
    }
    if (failed)
        return failed;
    step->batch = *apply->left;
    step->batch.columns = plan->columns;
    step->batch.column = step->column;
    memcpy(step->column, apply->left->column, (plan->columns - 1) * sizeof step->column[0]);
    step->column[plan->columns - 1] = apply->answer;
    *batch = &step->batch;
    return SQLSTATE_OK;
}

/* ---- LATERAL ---- */

/* Puts rows of the right batch at hand beside the left row, behind those that are there; those the condition is true for
 * stay. */
static enum sqlstate put_rows(struct apply *apply, uint32_t row, struct error *error)
{
    struct operation *step = &apply->step;
    const struct plan *plan = step->plan;
    uint32_t left = plan->input[0]->columns, right = plan->input[1]->columns, from = step->batch.count;
    uint32_t count = apply->right->count - apply->right_at;
    if (count > BATCH_ROWS - from)
        count = BATCH_ROWS - from;
    for (uint32_t c = 0; c < left; c++)
        for (uint32_t i = 0; i < count; i++)
            step->room[c][from + i] = apply->left->column[c][row];
    for (uint32_t c = 0; c < right; c++)
        for (uint32_t i = 0; i < count; i++) {
            const struct value *value =
                &apply->right->column[c][batch_row(apply->right, apply->right_at + i)];
            enum sqlstate failed = value_copy(step->scratch, plan->input[1]->column[c], value,
                                              &step->room[left + c][from + i], error);
            if (failed)
                return failed;
        }
    apply->right_at += count;
    uint32_t kept = count;
    if (apply->condition) {
        for (uint32_t i = 0; i < count; i++)
            apply->selection[i] = (uint16_t)(from + i);
        struct batch both = {
            .columns = left + right, .count = count, .selection = apply->selection, .column = step->column};
        uint16_t chosen[BATCH_ROWS];
        enum sqlstate failed = program_select(apply->condition, &both, step->scratch, chosen, &kept, error);
        if (failed)
            return failed;
        for (uint32_t i = 0; i < kept; i++)
            for (uint32_t c = 0; c < left + right; c++)
                step->room[c][from + i] = step->room[c][chosen[i]];
    }
    apply->matched |= kept > 0;
    step->batch.count = from + kept;
    return SQLSTATE_OK;
}

static void put_unmatched(struct apply *apply, uint32_t row)
{
    struct operation *step = &apply->step;
    uint32_t left = step->plan->input[0]->columns, at = step->batch.count++;
    for (uint32_t c = 0; c < step->plan->columns; c++)
        step->room[c][at] = c < left ? apply->left->column[c][row] : value_null();
}

/* Goes on with the left row at hand until its right side ends or the batch is full. */
static enum sqlstate go_on(struct apply *apply, struct error *error)
{
    struct operation *step = &apply->step;
    uint32_t row = batch_row(apply->left, apply->at);
    enum sqlstate failed = SQLSTATE_OK;
    if (!apply->running) {
        failed = begin_second(apply, row, error);
        apply->running = true;
        apply->matched = false;
        apply->right = NULL;
    }
    while (!failed && step->batch.count < BATCH_ROWS) {
        if (apply->right && apply->right_at < apply->right->count) {
            failed = put_rows(apply, row, error);
            continue;
        }
        failed = operation_next(step->input[1], &apply->right, error);
        apply->right_at = 0;
        if (failed || apply->right)
            continue;
        if (!apply->matched && step->plan->join == JOIN_LEFT)
            put_unmatched(apply, row);
        apply->running = false;
        apply->at++;
        break;
    }
    return failed;
}

static enum sqlstate next_joined(struct apply *apply, const struct batch **batch, struct error *error)
{
    struct operation *step = &apply->step;
    operation_want_room(step, BATCH_ROWS);
    step->batch.count = 0;
    step->batch.selection = NULL;
    for (;;) {
        enum sqlstate failed = SQLSTATE_OK;
        if (!apply->left || apply->at == apply->left->count) {
            if (step->batch.count > 0)
                break; /* its rows refer to the left batch at hand */
            failed = next_left(apply, error);
            if (failed || !apply->left)
                return failed;
        }
        failed = go_on(apply, error);
        if (failed)
            return failed;
        if (step->batch.count == BATCH_ROWS)
            break;
    }
    *batch = &step->batch;
    return SQLSTATE_OK;
}

static enum sqlstate next_apply(struct operation *step, const struct batch **batch, struct error *error)
{
    struct apply *apply = (struct apply *)step;
    return step->plan->apply == APPLY_JOIN ? next_joined(apply, batch, error)
                                           : next_answers(apply, batch, error);
}

static enum sqlstate restart_apply(struct operation *step, struct error *error)
{
    struct apply *apply = (struct apply *)step;
    apply->left = NULL;
    apply->running = apply->known = apply->built = apply->any_null = false;
    apply->table = (struct tuple_table){0};
    /* The second input is restarted when it runs next. */
    return operation_restart(step->input[0], error);
}

const struct operation_ops apply_ops = {
    .bytes = sizeof(struct apply), .open = open_apply, .next = next_apply, .restart = restart_apply};
