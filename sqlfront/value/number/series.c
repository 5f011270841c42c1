/* generate_series() of numbers. */
#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/number/tables.h"

/* ---- integers ---- */

struct integer_series {
    int64_t next, stop, step;
    bool over;
};

static enum sqlstate open_integers(struct call *call, const struct value *arguments, int64_t step)
{
    struct integer_series *series = scope_alloc(call->scope_lasting, sizeof *series);
    if (step == 0)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "step size cannot equal zero");
    *series = (struct integer_series){arguments[0].i, arguments[1].i, step, false};
    call->memory = series;
    return SQLSTATE_OK;
}

static enum sqlstate integers_open(struct call *call, const struct value *arguments)
{
    return open_integers(call, arguments, 1);
}

static enum sqlstate integers_open_step(struct call *call, const struct value *arguments)
{
    return open_integers(call, arguments, arguments[2].i);
}

/* Running out of the type's range ends a series as passing its end does. */
static enum sqlstate next_integer(struct call *call, struct value *results, bool *end, int64_t least,
                                  int64_t most)
{
    struct integer_series *series = call->memory;
    *end = series->over || (series->step > 0 ? series->next > series->stop : series->next < series->stop);
    if (*end)
        return SQLSTATE_OK;
    results[0] = value_integer(series->next);
    series->over = __builtin_add_overflow(series->next, series->step, &series->next) ||
                   series->next < least || series->next > most;
    return SQLSTATE_OK;
}

static enum sqlstate integers4_next(struct call *call, struct value *results, bool *end)
{
    return next_integer(call, results, end, INT32_MIN, INT32_MAX);
}

static enum sqlstate integers8_next(struct call *call, struct value *results, bool *end)
{
    return next_integer(call, results, end, INT64_MIN, INT64_MAX);
}

/* ---- numerics ---- */

struct numeric_series {
    struct value next, stop, step;
};

static enum sqlstate raise_bound(struct call *call, const char *which, const struct value *value)
{
    return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "%s cannot be %s", which,
                     numeric_sign_of(value) == NUMERIC_NAN ? "NaN" : "infinity");
}

static enum sqlstate open_numerics(struct call *call, const struct value *arguments, const struct value *step)
{
    static const char *const names[] = {"start value", "stop value"};
    const struct value zero = value_small_numeric(0, 0);
    for (int i = 0; i < 2; i++)
        if (numeric_is_special(&arguments[i]))
            return raise_bound(call, names[i], &arguments[i]);
    if (numeric_is_special(step))
        return raise_bound(call, "step size", step);
    if (numeric_compare(step, &zero) == 0)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "step size cannot equal zero");
    struct numeric_series *series = scope_alloc(call->scope_lasting, sizeof *series);
    const struct type *type = call->types[0];
    if (value_copy(call->scope_lasting, type, &arguments[0], &series->next, call->error) ||
        value_copy(call->scope_lasting, type, &arguments[1], &series->stop, call->error) ||
        value_copy(call->scope_lasting, type, step, &series->step, call->error))
        return call->error->state;
    call->memory = series;
    return SQLSTATE_OK;
}

static enum sqlstate numerics_open(struct call *call, const struct value *arguments)
{
    const struct value one = value_small_numeric(1, 0);
    return open_numerics(call, arguments, &one);
}

static enum sqlstate numerics_open_step(struct call *call, const struct value *arguments)
{
    return open_numerics(call, arguments, &arguments[2]);
}

static enum sqlstate numerics_next(struct call *call, struct value *results, bool *end)
{
    struct numeric_series *series = call->memory;
    const struct value zero = value_small_numeric(0, 0);
    int direction = numeric_compare(&series->step, &zero),
        order = numeric_compare(&series->next, &series->stop);
    *end = direction > 0 ? order > 0 : order < 0;
    if (*end)
        return SQLSTATE_OK;
    results[0] = series->next;
    return numeric_add(call->scope_lasting, &results[0], &series->step, &series->next, call->error);
}

static const struct set_function set_functions[] = {
    {"generate_series_int4", integers_open, integers4_next},
    {"generate_series_step_int4", integers_open_step, integers4_next},
    {"generate_series_int8", integers_open, integers8_next},
    {"generate_series_step_int8", integers_open_step, integers8_next},
    {"generate_series_numeric", numerics_open, numerics_next},
    {"generate_series_step_numeric", numerics_open_step, numerics_next},
    {0},
};

const struct library series_library = {.set_functions = set_functions};
