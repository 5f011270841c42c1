/* Aggregates of floats: sums, averages, variances, and the statistics of pairs (PostgreSQL manual, 9.21).
 *
 * Squares are summed as distances from the mean so far, which loses no digits where numbers are large and close
 * together (Youngs and Cramer, 1971). */
#include "sqlfront/value/number/tables.h"

#include <math.h>

static enum sqlstate raise_overflow(struct error *error)
{
    return error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow");
}

static enum sqlstate give(double f, struct value *result)
{
    *result = value_float(f);
    return SQLSTATE_OK;
}

/* ---- sum: one addition behind the other, as PostgreSQL's ---- */

struct float_sum {
    double sum;
    int64_t count;
};

static enum sqlstate add(struct float_sum *sum, double f, bool real, struct error *error)
{
    double total = sum->count ? sum->sum + f : f;
    if (real)
        total = (float)total;
    if (isinf(total) && !isinf(sum->sum) && !isinf(f))
        return raise_overflow(error);
    sum->sum = total;
    sum->count++;
    return SQLSTATE_OK;
}

static enum sqlstate sum8_step(struct call *call, void *state, const struct value *arguments)
{
    return add(state, arguments[0].f, false, call->error);
}

static enum sqlstate sum4_step(struct call *call, void *state, const struct value *arguments)
{
    return add(state, arguments[0].f, true, call->error);
}

STEP_ROWS(sum8_rows, sum8_step)
STEP_ROWS(sum4_rows, sum4_step)

static enum sqlstate sum8_merge(struct call *call, void *into, const void *from)
{
    const struct float_sum *other = from;
    return other->count ? add(into, other->sum, false, call->error) : SQLSTATE_OK;
}

static enum sqlstate sum4_merge(struct call *call, void *into, const void *from)
{
    const struct float_sum *other = from;
    return other->count ? add(into, other->sum, true, call->error) : SQLSTATE_OK;
}

static enum sqlstate sum_finish(struct call *call, void *state, struct value *result)
{
    const struct float_sum *sum = state;
    *result = sum->count ? value_float(sum->sum) : value_null();
    return SQLSTATE_OK;
}

/* ---- averages and variances ---- */

struct float_moments {
    double n, sum, squares; /* squares of the distances from the mean */
};

static enum sqlstate moments_step(struct call *call, void *state, const struct value *arguments)
{
    struct float_moments *moments = state;
    double x = arguments[0].f, old_sum = moments->sum;
    moments->n++;
    moments->sum += x;
    if (moments->n == 1) {
        if (!isfinite(x))
            moments->squares = NAN;
        return SQLSTATE_OK;
    }
    double distance = x * moments->n - moments->sum;
    moments->squares += distance * distance / (moments->n * (moments->n - 1));
    if (isinf(moments->sum) || isinf(moments->squares)) {
        if (!isinf(old_sum) && !isinf(x))
            return raise_overflow(call->error);
        moments->squares = NAN;
    }
    return SQLSTATE_OK;
}

static enum sqlstate moments_merge(struct call *call, void *into, const void *from)
{
    struct float_moments *a = into;
    const struct float_moments *b = from;
    if (b->n == 0)
        return SQLSTATE_OK;
    if (a->n == 0) {
        *a = *b;
        return SQLSTATE_OK;
    }
    double n = a->n + b->n, sum = a->sum + b->sum, distance = a->sum / a->n - b->sum / b->n;
    if (isinf(sum) && !isinf(a->sum) && !isinf(b->sum))
        return raise_overflow(call->error);
    double squares = a->squares + b->squares + a->n * b->n * distance * distance / n;
    if (isinf(squares) && !isinf(a->squares) && !isinf(b->squares))
        return raise_overflow(call->error);
    *a = (struct float_moments){n, sum, squares};
    return SQLSTATE_OK;
}

static enum sqlstate average_finish(struct call *call, void *state, struct value *result)
{
    const struct float_moments *moments = state;
    *result = value_null();
    return moments->n == 0 ? SQLSTATE_OK : give(moments->sum / moments->n, result);
}

static enum sqlstate variance_sample_finish(struct call *call, void *state, struct value *result)
{
    const struct float_moments *moments = state;
    *result = value_null();
    return moments->n <= 1 ? SQLSTATE_OK : give(moments->squares / (moments->n - 1), result);
}

static enum sqlstate variance_population_finish(struct call *call, void *state, struct value *result)
{
    const struct float_moments *moments = state;
    *result = value_null();
    return moments->n == 0 ? SQLSTATE_OK : give(moments->squares / moments->n, result);
}

static enum sqlstate root_of(enum sqlstate failed, struct value *result)
{
    if (!failed && !result->null)
        result->f = sqrt(result->f);
    return failed;
}

static enum sqlstate deviation_sample_finish(struct call *call, void *state, struct value *result)
{
    return root_of(variance_sample_finish(call, state, result), result);
}

static enum sqlstate deviation_population_finish(struct call *call, void *state, struct value *result)
{
    return root_of(variance_population_finish(call, state, result), result);
}

/* ---- pairs (y, x) ---- */

struct pairs {
    double n, sum_x, squares_x, sum_y, squares_y, products;
};

static enum sqlstate pairs_step(struct call *call, void *state, const struct value *arguments)
{
    struct pairs *pairs = state;
    double y = arguments[0].f, x = arguments[1].f, old_x = pairs->sum_x, old_y = pairs->sum_y;
    pairs->n++;
    pairs->sum_x += x;
    pairs->sum_y += y;
    if (pairs->n == 1) {
        if (!isfinite(x))
            pairs->squares_x = pairs->products = NAN;
        if (!isfinite(y))
            pairs->squares_y = pairs->products = NAN;
        return SQLSTATE_OK;
    }
    double distance_x = x * pairs->n - pairs->sum_x, distance_y = y * pairs->n - pairs->sum_y;
    double scale = 1 / (pairs->n * (pairs->n - 1));
    pairs->squares_x += distance_x * distance_x * scale;
    pairs->squares_y += distance_y * distance_y * scale;
    pairs->products += distance_x * distance_y * scale;
    if (isinf(pairs->sum_x) || isinf(pairs->squares_x) || isinf(pairs->sum_y) || isinf(pairs->squares_y) ||
        isinf(pairs->products)) {
        bool finite_x = !isinf(old_x) && !isinf(x), finite_y = !isinf(old_y) && !isinf(y);
        if (((isinf(pairs->sum_x) || isinf(pairs->squares_x)) && finite_x) ||
            ((isinf(pairs->sum_y) || isinf(pairs->squares_y)) && finite_y) ||
            (isinf(pairs->products) && finite_x && finite_y))
            return raise_overflow(call->error);
        if (isinf(pairs->squares_x))
            pairs->squares_x = NAN;
        if (isinf(pairs->squares_y))
            pairs->squares_y = NAN;
        if (isinf(pairs->products))
            pairs->products = NAN;
    }
    return SQLSTATE_OK;
}

static enum sqlstate pairs_merge(struct call *call, void *into, const void *from)
{
    struct pairs *a = into;
    const struct pairs *b = from;
    if (b->n == 0)
        return SQLSTATE_OK;
    if (a->n == 0) {
        *a = *b;
        return SQLSTATE_OK;
    }
    double n = a->n + b->n, x = a->sum_x / a->n - b->sum_x / b->n, y = a->sum_y / a->n - b->sum_y / b->n;
    struct pairs sum = {
        .n = n,
        .sum_x = a->sum_x + b->sum_x,
        .sum_y = a->sum_y + b->sum_y,
        .squares_x = a->squares_x + b->squares_x + a->n * b->n * x * x / n,
        .squares_y = a->squares_y + b->squares_y + a->n * b->n * y * y / n,
        .products = a->products + b->products + a->n * b->n * x * y / n,
    };
    if ((isinf(sum.squares_x) && !isinf(a->squares_x) && !isinf(b->squares_x)) ||
        (isinf(sum.squares_y) && !isinf(a->squares_y) && !isinf(b->squares_y)))
        return raise_overflow(call->error);
    *a = sum;
    return SQLSTATE_OK;
}

/* clang-format off */
#define PAIRS_RESULT(function, none, expression)                                                      \
    static enum sqlstate function(struct call *call, void *state, struct value *result)              \
    {                                                                                                 \
        const struct pairs *p = state;                                                                \
        *result = value_null();                                                                       \
        return none ? SQLSTATE_OK : give(expression, result);                                        \
    }
PAIRS_RESULT(squares_x_finish, p->n < 1, p->squares_x)
PAIRS_RESULT(squares_y_finish, p->n < 1, p->squares_y)
PAIRS_RESULT(products_finish, p->n < 1, p->products)
PAIRS_RESULT(average_x_finish, p->n < 1, p->sum_x / p->n)
PAIRS_RESULT(average_y_finish, p->n < 1, p->sum_y / p->n)
PAIRS_RESULT(covariance_population_finish, p->n < 1, p->products / p->n)
PAIRS_RESULT(covariance_sample_finish, p->n < 2, p->products / (p->n - 1))
PAIRS_RESULT(correlation_finish, p->n < 1 || p->squares_x == 0 || p->squares_y == 0,
             p->products / sqrt(p->squares_x * p->squares_y))
PAIRS_RESULT(determination_finish, p->n < 1 || p->squares_x == 0,
             p->squares_y == 0 ? 1 : p->products * p->products / (p->squares_x * p->squares_y))
PAIRS_RESULT(slope_finish, p->n < 1 || p->squares_x == 0, p->products / p->squares_x)
PAIRS_RESULT(intercept_finish, p->n < 1 || p->squares_x == 0,
             (p->sum_y - p->sum_x * p->products / p->squares_x) / p->n)
/* clang-format on */

static enum sqlstate pairs_count_finish(struct call *call, void *state, struct value *result)
{
    *result = value_integer((int64_t)((const struct pairs *)state)->n);
    return SQLSTATE_OK;
}

/* clang-format off */
#define MOMENTS(name, finish)                                                                              \
    {name, {TYPE_FLOAT4}, sizeof(struct float_moments), false, moments_step, moments_merge, finish},       \
    {name, {TYPE_FLOAT8}, sizeof(struct float_moments), false, moments_step, moments_merge, finish}
#define PAIRS(name, finish) \
    {name, {TYPE_FLOAT8, TYPE_FLOAT8}, sizeof(struct pairs), false, pairs_step, pairs_merge, finish}

static const struct aggregate aggregates[] = {
    {"sum", {TYPE_FLOAT4}, sizeof(struct float_sum), false, sum4_step, sum4_merge, sum_finish, .step_rows = sum4_rows},
    {"sum", {TYPE_FLOAT8}, sizeof(struct float_sum), false, sum8_step, sum8_merge, sum_finish, .step_rows = sum8_rows},
    MOMENTS("avg", average_finish),
    MOMENTS("variance", variance_sample_finish),
    MOMENTS("var_samp", variance_sample_finish),
    MOMENTS("var_pop", variance_population_finish),
    MOMENTS("stddev", deviation_sample_finish),
    MOMENTS("stddev_samp", deviation_sample_finish),
    MOMENTS("stddev_pop", deviation_population_finish),
    PAIRS("regr_count", pairs_count_finish),
    PAIRS("regr_sxx", squares_x_finish),
    PAIRS("regr_syy", squares_y_finish),
    PAIRS("regr_sxy", products_finish),
    PAIRS("regr_avgx", average_x_finish),
    PAIRS("regr_avgy", average_y_finish),
    PAIRS("regr_r2", determination_finish),
    PAIRS("regr_slope", slope_finish),
    PAIRS("regr_intercept", intercept_finish),
    PAIRS("covar_pop", covariance_population_finish),
    PAIRS("covar_samp", covariance_sample_finish),
    PAIRS("corr", correlation_finish),
    {0},
};
/* clang-format on */

const struct library float_aggregate_library = {.aggregates = aggregates};
