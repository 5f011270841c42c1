/* How many groups a condition on an aggregate leaves: count, sum and avg of a column against a constant.
 *
 * A group has n rows on average, as many as chance deals it (Poisson: the variance is n, too); a column's mean m and variance v are
 * those of the sampled rows. So a count has the mean n and the variance n, a sum n m and n (v + m²), an average m and v / n;
 * how many are beyond the constant says the normal distribution. Real groups differ more in size than that, so the share
 * is not let near nothing or all. */
#include "sqlfront/plan/inside.h"
#include "sqlfront/value/number/numeric.h"

#include <math.h>
#include <string.h>

/* Enough sampled values, and how little of the groups may be left or go. */
#define VALUES_ENOUGH 30
#define SHARE_MIN     0.002

struct spread {
    double mean, variance;
};

static bool as_double(struct planner *planner, const struct type *type, const struct value *value,
                      double *number)
{
    if (value->null)
        return false;
    if (type->oid == TYPE_NUMERIC)
        *number = numeric_to_float(planner->scope, value);
    else if (type->kind == VALUE_INTEGER && type->order == ORDER_INTEGER && type->category == 'N')
        *number = (double)value->i;
    else if (type->kind == VALUE_FLOAT)
        *number = value->f;
    else
        return false;
    return isfinite(*number);
}

static bool column_spread(struct level *level, const struct expression *column, struct spread *spread)
{
    column = expression_strip_relabel(column);
    if (column->kind != EXPRESSION_COLUMN || column->level != 0 || column->number < 1 ||
        level->query->range[column->range].kind != RANGE_RELATION)
        return false;
    const struct sample *sample =
        relation_sample(level->planner, level->query->range[column->range].relation);
    if (!sample || !sample->column[column->number - 1])
        return false;
    double sum = 0, squares = 0, number;
    uint32_t count = 0;
    for (uint32_t i = 0; i < sample->count; i++)
        if (as_double(level->planner, column->type, &sample->column[column->number - 1][i], &number)) {
            sum += number;
            squares += number * number;
            count++;
        }
    if (count < VALUES_ENOUGH)
        return false;
    spread->mean = sum / count;
    spread->variance = fmax(squares / count - spread->mean * spread->mean, 0);
    return true;
}

static bool aggregate_spread(struct level *level, const struct expression *call, double size,
                             struct spread *spread)
{
    struct spread of;
    if (call->kind != EXPRESSION_AGGREGATE || call->level != 0 || call->distinct || call->filter)
        return false;
    if (strcmp(call->procedure->name, "count") == 0) {
        *spread = (struct spread){size, size};
        return true;
    }
    bool sum = strcmp(call->procedure->name, "sum") == 0;
    if ((!sum && strcmp(call->procedure->name, "avg") != 0) || call->arguments != 1 ||
        !column_spread(level, call->argument[0], &of))
        return false;
    *spread = sum ? (struct spread){size * of.mean, size * (of.variance + of.mean * of.mean)}
                  : (struct spread){of.mean, of.variance / size};
    return true;
}

double having_selectivity(struct level *level, const struct expression *condition, double rows, double groups)
{
    const struct operator* operator= condition->operator;
    double usual = condition_selectivity(level, condition), bound;
    if (condition->kind != EXPRESSION_CALL || condition->arguments != 2 ||
        !operator|| operator->strategy == 0 || operator->strategy == 3 || operator->strategy> 5 || groups<1)
        return usual;
    bool turned = condition->argument[0]->kind == EXPRESSION_CONSTANT;
    const struct expression *call = expression_strip_relabel(condition->argument[turned]),
                            *constant = condition->argument[!turned];
    struct spread spread;
    if (constant->kind != EXPRESSION_CONSTANT ||
        !as_double(level->planner, constant->type, &constant->constant, &bound) ||
        !aggregate_spread(level, call, fmax(rows / groups, 1), &spread))
        return usual;
    bool above = (operator->strategy >= 4) != turned;
    double distance = (bound - spread.mean) / sqrt(2 * fmax(spread.variance, 1e-9));
    double share = 0.5 * (above ? erfc(distance) : erfc(-distance));
    return fmin(fmax(share, SHARE_MIN), 1 - SHARE_MIN);
}
