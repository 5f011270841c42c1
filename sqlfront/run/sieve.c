/* Which parts of a scan's condition can be asked of rows as they are stored: comparisons of a column with constants or with
 * another column, by the order of their type. They cannot fail, so asking them first changes no answer; what is left is asked
 * of decoded rows, as ever. */
#include "sqlfront/run/operator.h"
#include "sqlfront/value/array/array.h"

#define DAY_US (24 * 60 * 60 * 1000000LL)

struct maker {
    struct scope *scope;
    struct sieve *sieve;
    const struct plan *plan;
    const struct evaluation *evaluation;
};

static const struct expression *bare(const struct expression *expression)
{
    while (expression->kind == EXPRESSION_RELABEL)
        expression = expression->argument[0];
    return expression;
}

/* The row's column a slot stands for; false for what is none. */
static bool is_stored(const struct maker *maker, const struct expression *expression, uint16_t *column)
{
    const struct expression *slot = bare(expression);
    if (slot->kind != EXPRESSION_COLUMN || slot->number < 0 || (uint32_t)slot->number >= maker->plan->wanted)
        return false;
    int16_t wanted = maker->plan->want[slot->number];
    *column = (uint16_t)(wanted - 1);
    return wanted > 0 && slot->type->kind == expression->type->kind &&
           slot->type->order == expression->type->order;
}

static bool is_constant(const struct maker *maker, const struct expression *expression, struct value *value)
{
    const struct evaluation *evaluation = maker->evaluation;
    expression = bare(expression);
    if (expression->kind == EXPRESSION_CONSTANT)
        *value = expression->constant;
    else if (expression->kind == EXPRESSION_PARAMETER &&
             expression->parameter_source == PARAMETER_STATEMENT && expression->number >= 1 &&
             (uint32_t)expression->number <= evaluation->parameter_count)
        *value = evaluation->parameters[expression->number - 1];
    else
        return false;
    return !value->null;
}

static bool is_comparable(const struct type *type)
{
    return type->order == ORDER_INTEGER || type->order == ORDER_NUMERIC || type->order == ORDER_BYTES ||
           type->order == ORDER_PADDED;
}

static void add(struct maker *maker, struct row_test test)
{
    maker->sieve->test[maker->sieve->tests++] = test;
}

static uint8_t turned(uint8_t strategy)
{
    return strategy == ROW_EQUAL || strategy == ROW_NOT_EQUAL ? strategy : (uint8_t)(6 - strategy);
}

/* A date compared with a finite time stamp: with the day it is in, or the next one. */
static bool as_day(uint8_t strategy, struct value *constant)
{
    if (constant->i == INT64_MAX || constant->i == INT64_MIN || strategy == ROW_EQUAL ||
        strategy == ROW_NOT_EQUAL)
        return false;
    int64_t day = constant->i / DAY_US - (constant->i % DAY_US < 0), rest = constant->i - day * DAY_US;
    bool next = rest && (strategy == ROW_LESS || strategy == ROW_GREATER_EQUAL);
    *constant = value_integer(day + next);
    return true;
}

static bool same_order(const struct type *a, const struct type *b)
{
    return a->oid == b->oid || (a->order == ORDER_INTEGER && b->order == ORDER_INTEGER &&
                                a->category == 'N' && b->category == 'N');
}

static bool add_comparison(struct maker *maker, const struct expression *call)
{
    const struct operator* operator= call->operator;
    if (!call->operator_form ||
        !operator|| call->arguments != 2 || operator->strategy<ROW_LESS || operator->strategy> ROW_NOT_EQUAL)
        return false;
    const struct expression *left = call->argument[0], *right = call->argument[1];
    uint8_t strategy = operator->strategy;
    struct row_test test = {.relation = strategy};
    struct value constant;
    if (!is_stored(maker, left, &test.column)) {
        const struct expression *swap = left;
        left = right;
        right = swap;
        test.relation = strategy = turned(strategy);
        if (!is_stored(maker, left, &test.column))
            return false;
    }
    test.type = left->type;
    if (!is_comparable(left->type))
        return false;
    bool days = left->type->oid == TYPE_DATE && right->type->oid == TYPE_TIMESTAMP;
    if (!days && !same_order(left->type, right->type))
        return false;
    if (is_constant(maker, right, &constant)) {
        if (days && !as_day(strategy, &constant))
            return false;
        test.constant = scope_copy(maker->scope, &constant, sizeof constant);
        test.constants = 1;
    } else if (days || !is_stored(maker, right, &test.other)) {
        return false;
    }
    add(maker, test);
    return true;
}

/* Whether the procedure is the type's own equality. */
static bool is_equality(const struct procedure *procedure, const struct type *type)
{
    const struct operator* own = catalog_comparison(type->oid, ROW_EQUAL);
    return own && procedure && own->procedure == procedure->oid;
}

static bool add_list(struct maker *maker, const struct expression *list)
{
    struct row_test test = {.relation = ROW_EQUAL, .type = list->argument[0]->type};
    if (!is_stored(maker, list->argument[0], &test.column) || !is_comparable(test.type) ||
        !is_equality(list->procedure, test.type))
        return false;
    struct value *constant, array;
    if (list->kind == EXPRESSION_IN_LIST) {
        constant = scope_alloc(maker->scope, list->arguments * sizeof constant[0]);
        for (uint32_t i = 1; i < list->arguments; i++) {
            if (list->argument[i]->type->oid != test.type->oid ||
                !is_constant(maker, list->argument[i], &constant[test.constants]))
                return false;
            test.constants++;
        }
    } else {
        struct array view;
        if (list->argument[1]->type->element != test.type->oid ||
            !is_constant(maker, list->argument[1], &array))
            return false;
        array_read(&array, &view);
        if (view.count > SCOPE_SMALL_BYTES / sizeof constant[0])
            return false;
        constant = scope_alloc(maker->scope, (view.count + 1) * sizeof constant[0]);
        for (uint32_t i = 0; i < view.count; i++) {
            constant[test.constants] = array_get(&view, i);
            test.constants += !constant[test.constants].null;
        }
    }
    /* Many are better hashed, which the expression does. */
    if (test.constants == 0 || test.constants > 8)
        return false;
    test.constant = constant;
    add(maker, test);
    return true;
}

static bool add_conjunct(struct maker *maker, const struct expression *conjunct)
{
    switch (conjunct->kind) {
    case EXPRESSION_CALL:
        return add_comparison(maker, conjunct);
    case EXPRESSION_IN_LIST:
    case EXPRESSION_ANY:
        return add_list(maker, conjunct);
    default:
        return false;
    }
}

void sieve_make(struct scope *scope, struct sieve *sieve, const struct plan *plan,
                const struct reader *reader, const struct expression *condition,
                const struct evaluation *evaluation)
{
    struct maker maker = {.scope = scope, .sieve = sieve, .plan = plan, .evaluation = evaluation};
    *sieve = (struct sieve){.rest = condition};
    if (!condition || reader->mode != READER_ROWS)
        return;
    bool all = condition->kind == EXPRESSION_AND;
    uint32_t conjuncts = all ? condition->arguments : 1, left = 0;
    sieve->test = scope_alloc(scope, conjuncts * sizeof sieve->test[0]);
    struct expression *rest = scope_copy(scope, condition, sizeof *rest);
    rest->argument = all ? scope_alloc(scope, (conjuncts + 1) * sizeof rest->argument[0]) : NULL;
    for (uint32_t i = 0; i < conjuncts; i++) {
        struct expression *conjunct = all ? condition->argument[i] : (struct expression *)condition;
        if (add_conjunct(&maker, conjunct))
            continue;
        if (!all)
            return;
        rest->argument[left++] = conjunct;
    }
    row_tests_prepare(scope, reader->relation->layout, sieve->test, sieve->tests);
    rest->arguments = left;
    sieve->rest = left == 0 ? NULL : left == 1 ? rest->argument[0] : rest;
}
