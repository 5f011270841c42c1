/* money: cents in 64 bits, written as the locale "C" has it: $1,234.56 (PostgreSQL manual, 8.2). */
#include "sqlfront/value/number/number.h"
#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/number/tables.h"
#include "sqlfront/value/wire.h"

#include <math.h>
#include <stdlib.h>

#define CENTS 100

/* ---- text and binary forms ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

struct reader {
    const char *at, *end;
};

static char peek(const struct reader *in)
{
    return in->at < in->end ? *in->at : 0;
}

static void skip_blanks(struct reader *in)
{
    while (is_blank(peek(in)))
        in->at++;
}

static bool take(struct reader *in, char c)
{
    if (peek(in) != c)
        return false;
    in->at++;
    return true;
}

/* Digits with commas among them, and two behind the point, rounded; the sum is negative. False: out of range. */
static bool read_digits(struct reader *in, int64_t *cents)
{
    bool point = false, fits = true;
    int behind = 0;
    for (; in->at < in->end; in->at++) {
        char c = *in->at;
        if (is_digit(c) && (!point || behind < 2)) {
            fits &=
                !__builtin_mul_overflow(*cents, 10, cents) && !__builtin_sub_overflow(*cents, c - '0', cents);
            behind += point;
        } else if (c == '.' && !point)
            point = true;
        else if (c != ',')
            break;
    }
    int64_t half = is_digit(peek(in)) && peek(in) >= '5';
    for (; behind < 2; behind++)
        fits &= !__builtin_mul_overflow(*cents, 10, cents);
    while (is_digit(peek(in)))
        in->at++;
    return fits && !__builtin_sub_overflow(*cents, half, cents);
}

static enum sqlstate money_in(struct environment *environment, struct scope *scope, const struct type *type,
                              int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    struct reader in = {(const char *)text.data, (const char *)text.data + text.size};
    int64_t cents = 0; /* negative, for there is one more of those */
    bool negative = false;
    skip_blanks(&in);
    take(&in, '$');
    skip_blanks(&in);
    if (take(&in, '-') || take(&in, '('))
        negative = true;
    else
        take(&in, '+');
    skip_blanks(&in);
    take(&in, '$');
    skip_blanks(&in);
    bool fits = read_digits(&in, &cents);
    while (in.at < in.end) {
        if (is_blank(*in.at) || *in.at == ')' || *in.at == '$')
            in.at++;
        else if (*in.at == '-') {
            negative = true;
            in.at++;
        } else
            return raise_bad_text(error, "money", text);
    }
    if (!fits || (!negative && cents == INT64_MIN))
        return raise_text_out_of_range(error, "money", text);
    *value = value_integer(negative ? cents : -cents);
    return SQLSTATE_OK;
}

static enum sqlstate money_out(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *text, struct error *error)
{
    char reversed[48], *room = scope_alloc(scope, sizeof reversed);
    uint64_t left = value->i < 0 ? 0 - (uint64_t)value->i : (uint64_t)value->i;
    size_t count = 0, size = 0;
    for (int place = 0; left || place < 3; place++, left /= 10) {
        if (place == 2)
            reversed[count++] = '.';
        else if (place > 2 && place % 3 == 2)
            reversed[count++] = ',';
        reversed[count++] = (char)('0' + left % 10);
    }
    if (value->i < 0)
        room[size++] = '-';
    room[size++] = '$';
    while (count)
        room[size++] = reversed[--count];
    *text = bytes_of(room, size);
    return SQLSTATE_OK;
}

static enum sqlstate money_receive(struct environment *environment, struct scope *scope,
                                   const struct type *type, int32_t modifier, struct bytes binary,
                                   struct value *value, struct error *error)
{
    if (binary.size != 8)
        return raise_bad_binary(error, binary.size < 8);
    *value = value_integer((int64_t)wire_read_u64(binary.data));
    return SQLSTATE_OK;
}

static enum sqlstate money_send(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *binary, struct error *error)
{
    uint8_t *room = scope_alloc(scope, 8);
    wire_write_u64(room, (uint64_t)value->i);
    *binary = bytes_of(room, 8);
    return SQLSTATE_OK;
}

const struct type_ops money_ops = {money_in, money_out, money_receive, money_send};

/* ---- functions ---- */

static enum sqlstate give(struct call *call, bool overflow, int64_t cents, struct value *result)
{
    if (overflow)
        return raise_out_of_range(call->error, "money");
    *result = value_integer(cents);
    return SQLSTATE_OK;
}

static enum sqlstate give_rounded(struct call *call, double cents, struct value *result)
{
    cents = rint(cents);
    return give(call, !(cents >= -0x1p63 && cents < 0x1p63),
                cents >= -0x1p63 && cents < 0x1p63 ? (int64_t)cents : 0, result);
}

static enum sqlstate plus(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t sum;
    bool overflow = __builtin_add_overflow(arguments[0].i, arguments[1].i, &sum);
    return give(call, overflow, sum, result);
}

static enum sqlstate minus(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t difference;
    bool overflow = __builtin_sub_overflow(arguments[0].i, arguments[1].i, &difference);
    return give(call, overflow, difference, result);
}

static enum sqlstate times_integer(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t product;
    bool overflow = __builtin_mul_overflow(arguments[0].i, arguments[1].i, &product);
    return give(call, overflow, product, result);
}

static enum sqlstate divided_by_integer(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    if (arguments[1].i == 0)
        return raise_division_by_zero(call->error);
    bool overflow = arguments[0].i == INT64_MIN && arguments[1].i == -1;
    return give(call, overflow, overflow ? 0 : arguments[0].i / arguments[1].i, result);
}

static enum sqlstate times_float(struct call *call, const struct value *arguments, struct value *result)
{
    return give_rounded(call, (double)arguments[0].i * arguments[1].f, result);
}

static enum sqlstate float_times(struct call *call, const struct value *arguments, struct value *result)
{
    return give_rounded(call, arguments[0].f * (double)arguments[1].i, result);
}

static enum sqlstate divided_by_float(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[1].f == 0)
        return raise_division_by_zero(call->error);
    return give_rounded(call, (double)arguments[0].i / arguments[1].f, result);
}

static enum sqlstate divided(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[1].i == 0)
        return raise_division_by_zero(call->error);
    *result = value_float((double)arguments[0].i / (double)arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate of_integer(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value pair[2] = {arguments[0], value_integer(CENTS)};
    return times_integer(call, pair, result);
}

static enum sqlstate to_numeric(struct call *call, const struct value *arguments, struct value *result)
{
    numeric_of_wide(call->scope, arguments[0].i, 2, result);
    return SQLSTATE_OK;
}

static enum sqlstate of_numeric(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value cents = value_small_numeric(CENTS, 0);
    struct value product;
    int64_t integer;
    if (numeric_is_special(&arguments[0]))
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot convert %s to bigint",
                         numeric_sign_of(&arguments[0]) == NUMERIC_NAN ? "NaN" : "infinity");
    if (numeric_multiply(call->scope, &arguments[0], &cents, &product, call->error))
        return call->error->state;
    if (!numeric_to_integer(&product, &integer))
        return raise_out_of_range(call->error, "bigint");
    return give(call, false, integer, result);
}

/* ---- sum ---- */

struct sum {
    int64_t cents;
    bool any;
};

static enum sqlstate sum_step(struct call *call, void *state, const struct value *arguments)
{
    struct sum *sum = state;
    sum->any = true;
    if (__builtin_add_overflow(sum->cents, arguments[0].i, &sum->cents))
        return raise_out_of_range(call->error, "money");
    return SQLSTATE_OK;
}

static enum sqlstate sum_merge(struct call *call, void *into, const void *from)
{
    const struct sum *other = from;
    const struct value value = value_integer(other->cents);
    return other->any ? sum_step(call, into, &value) : SQLSTATE_OK;
}

static enum sqlstate sum_finish(struct call *call, void *state, struct value *result)
{
    const struct sum *sum = state;
    *result = sum->any ? value_integer(sum->cents) : value_null();
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"cash_pl", plus},
    {"cash_mi", minus},
    {"cash_mul_int2", times_integer},
    {"cash_mul_int4", times_integer},
    {"cash_mul_int8", times_integer},
    {"int2_mul_cash", times_integer},
    {"int4_mul_cash", times_integer},
    {"int8_mul_cash", times_integer},
    {"cash_div_int2", divided_by_integer},
    {"cash_div_int4", divided_by_integer},
    {"cash_div_int8", divided_by_integer},
    {"cash_mul_flt4", times_float},
    {"cash_mul_flt8", times_float},
    {"flt4_mul_cash", float_times},
    {"flt8_mul_cash", float_times},
    {"cash_div_flt4", divided_by_float},
    {"cash_div_flt8", divided_by_float},
    {"cash_div_cash", divided},
    {"int4_cash", of_integer},
    {"int8_cash", of_integer},
    {"cash_numeric", to_numeric},
    {"numeric_cash", of_numeric},
    {0},
};

static const struct aggregate aggregates[] = {
    {"sum", {TYPE_MONEY}, sizeof(struct sum), false, sum_step, sum_merge, sum_finish},
    {0},
};

const struct library money_library = {.functions = functions, .aggregates = aggregates};
