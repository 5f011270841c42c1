/* sum, avg, variance and standard deviation of integers and numerics: exact, with PostgreSQL's scales. */
#include "sqlfront/value/number/exact_sum.h"
#include "sqlfront/value/number/tables.h"

/* ---- sum of smallint and integer: a bigint ---- */

struct integer_sum {
    int64_t sum;
    int64_t count;
};

static enum sqlstate integer_sum_step(struct call *call, void *state, const struct value *arguments)
{
    struct integer_sum *sum = state;
    sum->count++;
    if (__builtin_add_overflow(sum->sum, arguments[0].i, &sum->sum))
        return raise_out_of_range(call->error, "bigint");
    return SQLSTATE_OK;
}

STEP_ROWS(integer_sum_rows, integer_sum_step)

static enum sqlstate integer_sum_merge(struct call *call, void *into, const void *from)
{
    struct integer_sum *sum = into;
    const struct integer_sum *other = from;
    sum->count += other->count;
    if (__builtin_add_overflow(sum->sum, other->sum, &sum->sum))
        return raise_out_of_range(call->error, "bigint");
    return SQLSTATE_OK;
}

static enum sqlstate integer_sum_finish(struct call *call, void *state, struct value *result)
{
    const struct integer_sum *sum = state;
    *result = sum->count ? value_integer(sum->sum) : value_null();
    return SQLSTATE_OK;
}

/* ---- sums of bigint, averages of integers: 128 bits hold any number of them ---- */

struct wide_sum {
    __int128 sum;
    int64_t count;
};

static enum sqlstate wide_step(struct call *call, void *state, const struct value *arguments)
{
    struct wide_sum *sum = state;
    sum->sum += arguments[0].i;
    sum->count++;
    return SQLSTATE_OK;
}

STEP_ROWS(wide_rows, wide_step)

static enum sqlstate wide_merge(struct call *call, void *into, const void *from)
{
    struct wide_sum *sum = into;
    sum->sum += ((const struct wide_sum *)from)->sum;
    sum->count += ((const struct wide_sum *)from)->count;
    return SQLSTATE_OK;
}

static enum sqlstate wide_sum_finish(struct call *call, void *state, struct value *result)
{
    const struct wide_sum *sum = state;
    if (sum->count)
        numeric_of_wide(call->scope, sum->sum, 0, result);
    else
        *result = value_null();
    return SQLSTATE_OK;
}

static enum sqlstate wide_average_finish(struct call *call, void *state, struct value *result)
{
    const struct wide_sum *sum = state;
    *result = value_null();
    if (sum->count == 0)
        return SQLSTATE_OK;
    struct value dividend, divisor = value_small_numeric(sum->count, 0);
    numeric_of_wide(call->scope, sum->sum, 0, &dividend);
    return numeric_divide(call->scope, &dividend, &divisor, result, call->error);
}

/* ---- numerics ---- */

/* What sums, averages and variances of numerics (and variances of integers) need. */
struct moments {
    struct exact_sum sum;
    int64_t count; /* of all, special or not */
    int64_t nan, infinite, minus_infinite;
    struct exact_sum squares; /* sums and averages have none: their state ends before it */
};
#define TOTAL_BYTES offsetof(struct moments, squares)

static void count_special(struct moments *moments, const struct value *value)
{
    enum numeric_sign sign = numeric_sign_of(value);
    moments->nan += sign == NUMERIC_NAN;
    moments->infinite += sign == NUMERIC_INFINITY;
    moments->minus_infinite += sign == NUMERIC_MINUS_INFINITY;
}

static enum sqlstate numeric_sum_step(struct call *call, void *state, const struct value *arguments)
{
    struct moments *moments = state;
    moments->count++;
    if (exact_sum_add_near(&moments->sum, &arguments[0]))
        return SQLSTATE_OK;
    if (numeric_is_special(&arguments[0]))
        count_special(moments, &arguments[0]);
    else
        exact_sum_add(call->scope_lasting, call->scope, &moments->sum, &arguments[0]);
    return SQLSTATE_OK;
}

STEP_ROWS(numeric_sum_rows, numeric_sum_step)

static enum sqlstate numeric_variance_step(struct call *call, void *state, const struct value *arguments)
{
    struct moments *moments = state;
    if (!numeric_is_special(&arguments[0]))
        exact_sum_add_square(call->scope_lasting, call->scope, &moments->squares, &arguments[0]);
    return numeric_sum_step(call, state, arguments);
}

static enum sqlstate integer_variance_step(struct call *call, void *state, const struct value *arguments)
{
    struct moments *moments = state;
    __int128 i = arguments[0].i;
    moments->count++;
    exact_sum_add_wide(call->scope_lasting, &moments->sum, i, 0);
    exact_sum_add_wide(call->scope_lasting, &moments->squares, i * i, 0);
    return SQLSTATE_OK;
}

static enum sqlstate total_merge(struct call *call, void *into, const void *from)
{
    struct moments *moments = into;
    const struct moments *other = from;
    exact_sum_merge(call->scope_lasting, &moments->sum, &other->sum);
    moments->count += other->count;
    moments->nan += other->nan;
    moments->infinite += other->infinite;
    moments->minus_infinite += other->minus_infinite;
    return SQLSTATE_OK;
}

static enum sqlstate moments_merge(struct call *call, void *into, const void *from)
{
    struct moments *moments = into;
    const struct moments *other = from;
    exact_sum_merge(call->scope_lasting, &moments->squares, &other->squares);
    return total_merge(call, into, from);
}

/* Saved: the four counts, then the sum, then that of the squares. */
static uint8_t *save_total(struct scope *scope, const struct moments *moments, size_t more, size_t *size)
{
    const int64_t counts[4] = {moments->count, moments->nan, moments->infinite, moments->minus_infinite};
    *size = sizeof counts + exact_sum_size(&moments->sum) + more;
    uint8_t *room = scope_alloc(scope, *size);
    memcpy(room, counts, sizeof counts);
    exact_sum_save(&moments->sum, room + sizeof counts);
    return room;
}

static enum sqlstate total_save(struct call *call, const void *state, struct bytes *saved)
{
    size_t size;
    uint8_t *room = save_total(call->scope, state, 0, &size);
    *saved = bytes_of(room, size);
    return SQLSTATE_OK;
}

static enum sqlstate moments_save(struct call *call, const void *state, struct bytes *saved)
{
    const struct moments *moments = state;
    size_t size, squares = exact_sum_size(&moments->squares);
    uint8_t *room = save_total(call->scope, moments, squares, &size);
    exact_sum_save(&moments->squares, room + size - squares);
    *saved = bytes_of(room, size);
    return SQLSTATE_OK;
}

/* *taken: bytes of the total. */
static enum sqlstate load_total(struct call *call, struct moments *moments, struct bytes saved, size_t *taken)
{
    int64_t counts[4];
    if (saved.size < sizeof counts)
        return raise_bad_binary(call->error, true);
    memcpy(counts, saved.data, sizeof counts);
    moments->count = counts[0];
    moments->nan = counts[1];
    moments->infinite = counts[2];
    moments->minus_infinite = counts[3];
    size_t sum = exact_sum_load(call->scope_lasting, &moments->sum,
                                bytes_of(saved.data + sizeof counts, saved.size - sizeof counts));
    *taken = sizeof counts + sum;
    return sum ? SQLSTATE_OK : raise_bad_binary(call->error, false);
}

static enum sqlstate total_load(struct call *call, void *state, struct bytes saved)
{
    size_t taken;
    return load_total(call, state, saved, &taken);
}

static enum sqlstate moments_load(struct call *call, void *state, struct bytes saved)
{
    struct moments *moments = state;
    size_t at;
    enum sqlstate failed = load_total(call, moments, saved, &at);
    if (!failed &&
        !exact_sum_load(call->scope_lasting, &moments->squares, bytes_of(saved.data + at, saved.size - at)))
        failed = raise_bad_binary(call->error, false);
    return failed;
}

/* True when the sum is no finite number; it is in *result. */
static bool finish_special(const struct moments *moments, struct value *result)
{
    if (moments->nan || (moments->infinite && moments->minus_infinite))
        *result = numeric_special(NUMERIC_NAN);
    else if (moments->infinite || moments->minus_infinite)
        *result = numeric_special(moments->infinite ? NUMERIC_INFINITY : NUMERIC_MINUS_INFINITY);
    else
        return false;
    return true;
}

static enum sqlstate numeric_sum_finish(struct call *call, void *state, struct value *result)
{
    const struct moments *moments = state;
    *result = value_null();
    if (moments->count == 0 || finish_special(moments, result))
        return SQLSTATE_OK;
    struct number sum = exact_sum_number(call->scope, &moments->sum);
    return number_pack(call->scope, &sum, result, call->error);
}

static enum sqlstate numeric_average_finish(struct call *call, void *state, struct value *result)
{
    const struct moments *moments = state;
    *result = value_null();
    if (moments->count == 0 || finish_special(moments, result))
        return SQLSTATE_OK;
    struct value sum, count = value_small_numeric(moments->count, 0);
    enum sqlstate failed = numeric_sum_finish(call, state, &sum);
    return failed ? failed : numeric_divide(call->scope, &sum, &count, result, call->error);
}

/* (n sum(x^2) - sum(x)^2) / (n (n - 1)), or n^2 for the population. */
static enum sqlstate variance(struct call *call, const struct moments *moments, bool sample, bool root,
                              struct value *result)
{
    struct scope *scope = call->scope;
    *result = value_null();
    if (moments->count <= (sample ? 1 : 0))
        return SQLSTATE_OK;
    if (moments->nan || moments->infinite || moments->minus_infinite) {
        *result = numeric_special(NUMERIC_NAN);
        return SQLSTATE_OK;
    }
    struct number count = number_of_integer(scope, moments->count);
    struct number sum = exact_sum_number(scope, &moments->sum);
    struct number squares = exact_sum_number(scope, &moments->squares);
    struct number square = number_multiply(scope, &sum, &sum, 2 * sum.scale);
    struct number above = number_multiply(scope, &count, &squares, squares.scale);
    above = number_subtract(scope, &above, &square);
    if (above.count == 0 || above.sign == NUMERIC_NEGATIVE) {
        *result = value_small_numeric(0, 0);
        return SQLSTATE_OK;
    }
    struct number others = number_of_integer(scope, sample ? moments->count - 1 : moments->count);
    struct number below = number_multiply(scope, &count, &others, 0);
    int scale = number_quotient_scale(&above, &below);
    struct number quotient = number_divide(scope, &above, &below, scale, true);
    if (root)
        quotient = number_square_root(scope, &quotient, scale);
    return number_pack(scope, &quotient, result, call->error);
}

static enum sqlstate variance_sample_finish(struct call *call, void *state, struct value *result)
{
    return variance(call, state, true, false, result);
}

static enum sqlstate variance_population_finish(struct call *call, void *state, struct value *result)
{
    return variance(call, state, false, false, result);
}

static enum sqlstate deviation_sample_finish(struct call *call, void *state, struct value *result)
{
    return variance(call, state, true, true, result);
}

static enum sqlstate deviation_population_finish(struct call *call, void *state, struct value *result)
{
    return variance(call, state, false, true, result);
}

/* clang-format off */
#define MOMENTS(name, type, step, finish) \
    {name, {type}, sizeof(struct moments), false, step, moments_merge, finish, moments_save, moments_load}
#define TOTAL(name, finish) \
    {name, {TYPE_NUMERIC}, TOTAL_BYTES, false, numeric_sum_step, total_merge, finish, total_save, total_load, numeric_sum_rows}
#define VARIANCE(name, finish)                                  \
    MOMENTS(name, TYPE_INT2, integer_variance_step, finish),    \
    MOMENTS(name, TYPE_INT4, integer_variance_step, finish),    \
    MOMENTS(name, TYPE_INT8, integer_variance_step, finish),    \
    MOMENTS(name, TYPE_NUMERIC, numeric_variance_step, finish)

static const struct aggregate aggregates[] = {
    {"sum", {TYPE_INT2}, sizeof(struct integer_sum), false, integer_sum_step, integer_sum_merge, integer_sum_finish, .step_rows = integer_sum_rows},
    {"sum", {TYPE_INT4}, sizeof(struct integer_sum), false, integer_sum_step, integer_sum_merge, integer_sum_finish, .step_rows = integer_sum_rows},
    {"sum", {TYPE_INT8}, sizeof(struct wide_sum), false, wide_step, wide_merge, wide_sum_finish, .step_rows = wide_rows},
    {"avg", {TYPE_INT2}, sizeof(struct wide_sum), false, wide_step, wide_merge, wide_average_finish, .step_rows = wide_rows},
    {"avg", {TYPE_INT4}, sizeof(struct wide_sum), false, wide_step, wide_merge, wide_average_finish, .step_rows = wide_rows},
    {"avg", {TYPE_INT8}, sizeof(struct wide_sum), false, wide_step, wide_merge, wide_average_finish, .step_rows = wide_rows},
    TOTAL("sum", numeric_sum_finish),
    TOTAL("avg", numeric_average_finish),
    VARIANCE("variance", variance_sample_finish),
    VARIANCE("var_samp", variance_sample_finish),
    VARIANCE("var_pop", variance_population_finish),
    VARIANCE("stddev", deviation_sample_finish),
    VARIANCE("stddev_samp", deviation_sample_finish),
    VARIANCE("stddev_pop", deviation_population_finish),
    {0},
};
/* clang-format on */

const struct library exact_aggregate_library = {.aggregates = aggregates};
