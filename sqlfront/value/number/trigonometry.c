/* Angles, in radians and in degrees.
 *
 * Functions of degrees give exact results where there are any (sind(30) is 0.5): angles are brought into the first
 * quadrant and the library's result is divided by its own idea of a known one, so that both are wrong alike. The
 * known ones are calculated at run time by the same functions, lest the compiler round them better. */
#include "sqlfront/value/number/tables.h"

#include <math.h>

#define RADIANS_PER_DEGREE 0.0174532925199432957692

static enum sqlstate raise_input(struct error *error)
{
    return error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range");
}

static enum sqlstate give(double f, struct value *result)
{
    *result = value_float(f);
    return SQLSTATE_OK;
}

/* ---- radians ---- */

static enum sqlstate arc_cosine(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].f < -1 || arguments[0].f > 1)
        return raise_input(call->error);
    return give(acos(arguments[0].f), result);
}

static enum sqlstate arc_sine(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].f < -1 || arguments[0].f > 1)
        return raise_input(call->error);
    return give(asin(arguments[0].f), result);
}

static enum sqlstate arc_tangent(struct call *call, const struct value *arguments, struct value *result)
{
    return give(atan(arguments[0].f), result);
}

static enum sqlstate arc_tangent_of_two(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return give(atan2(arguments[0].f, arguments[1].f), result);
}

static enum sqlstate cosine(struct call *call, const struct value *arguments, struct value *result)
{
    if (isinf(arguments[0].f))
        return raise_input(call->error);
    return give(cos(arguments[0].f), result);
}

static enum sqlstate sine(struct call *call, const struct value *arguments, struct value *result)
{
    if (isinf(arguments[0].f))
        return raise_input(call->error);
    return give(sin(arguments[0].f), result);
}

static enum sqlstate tangent(struct call *call, const struct value *arguments, struct value *result)
{
    if (isinf(arguments[0].f))
        return raise_input(call->error);
    return give(tan(arguments[0].f), result);
}

static enum sqlstate cotangent(struct call *call, const struct value *arguments, struct value *result)
{
    if (isinf(arguments[0].f))
        return raise_input(call->error);
    return give(1 / tan(arguments[0].f), result);
}

static enum sqlstate hyperbolic_sine(struct call *call, const struct value *arguments, struct value *result)
{
    return give(sinh(arguments[0].f), result);
}

static enum sqlstate hyperbolic_cosine(struct call *call, const struct value *arguments, struct value *result)
{
    return give(cosh(arguments[0].f), result);
}

static enum sqlstate hyperbolic_tangent(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return give(tanh(arguments[0].f), result);
}

static enum sqlstate area_sine(struct call *call, const struct value *arguments, struct value *result)
{
    return give(asinh(arguments[0].f), result);
}

static enum sqlstate area_cosine(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].f < 1)
        return raise_input(call->error);
    return give(acosh(arguments[0].f), result);
}

static enum sqlstate area_tangent(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].f < -1 || arguments[0].f > 1)
        return raise_input(call->error);
    return give(atanh(arguments[0].f), result);
}

static enum sqlstate pi(struct call *call, const struct value *arguments, struct value *result)
{
    return give(M_PI, result);
}

static enum sqlstate degrees(struct call *call, const struct value *arguments, struct value *result)
{
    double f = arguments[0].f / RADIANS_PER_DEGREE;
    if (isinf(f) && !isinf(arguments[0].f))
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow");
    return give(f, result);
}

static enum sqlstate radians(struct call *call, const struct value *arguments, struct value *result)
{
    double f = arguments[0].f * RADIANS_PER_DEGREE;
    if (f == 0 && arguments[0].f != 0)
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow");
    return give(f, result);
}

/* ---- degrees ---- */

/* Hides a constant from the compiler. */
static double at_run_time(double f)
{
    volatile double hidden = f;
    return hidden;
}

static double sine_to_30(double x)
{
    return sin(x * RADIANS_PER_DEGREE) / sin(at_run_time(30) * RADIANS_PER_DEGREE) / 2;
}

static double cosine_to_60(double x)
{
    volatile double complement = 1 - cos(x * RADIANS_PER_DEGREE);
    volatile double of_60 = 1 - cos(at_run_time(60) * RADIANS_PER_DEGREE);
    return 1 - complement / of_60 / 2;
}

static double sine_to_90(double x)
{
    return x <= 30 ? sine_to_30(x) : cosine_to_60(90 - x);
}

static double cosine_to_90(double x)
{
    return x <= 60 ? cosine_to_60(x) : sine_to_30(90 - x);
}

static enum sqlstate sine_of_degrees(struct call *call, const struct value *arguments, struct value *result)
{
    double x = arguments[0].f;
    if (isnan(x))
        return give(x, result);
    if (isinf(x))
        return raise_input(call->error);
    x = fmod(x, 360);
    int sign = x < 0 ? -1 : 1;
    x = fabs(x);
    if (x > 180) {
        x = 360 - x;
        sign = -sign;
    }
    if (x > 90)
        x = 180 - x;
    return give(sign * sine_to_90(x), result);
}

static enum sqlstate cosine_of_degrees(struct call *call, const struct value *arguments, struct value *result)
{
    double x = arguments[0].f;
    int sign = 1;
    if (isnan(x))
        return give(x, result);
    if (isinf(x))
        return raise_input(call->error);
    x = fabs(fmod(x, 360));
    if (x > 180)
        x = 360 - x;
    if (x > 90) {
        x = 180 - x;
        sign = -sign;
    }
    return give(sign * cosine_to_90(x), result);
}

/* The angle between 0 and 90 with the same tangent but for the sign. */
static double fold_tangent(double x, int *sign)
{
    x = fmod(x, 360);
    *sign = x < 0 ? -1 : 1;
    x = fabs(x);
    if (x > 180) {
        x = 360 - x;
        *sign = -*sign;
    }
    if (x > 90) {
        x = 180 - x;
        *sign = -*sign;
    }
    return x;
}

static enum sqlstate tangent_of_degrees(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    int sign;
    if (isnan(arguments[0].f))
        return give(arguments[0].f, result);
    if (isinf(arguments[0].f))
        return raise_input(call->error);
    double x = fold_tangent(arguments[0].f, &sign), at_45 = at_run_time(45);
    volatile double ratio = sine_to_90(x) / cosine_to_90(x), of_45 = sine_to_90(at_45) / cosine_to_90(at_45);
    double tangent = sign * (ratio / of_45);
    return give(tangent == 0 ? 0 : tangent, result);
}

static enum sqlstate cotangent_of_degrees(struct call *call, const struct value *arguments,
                                          struct value *result)
{
    int sign;
    if (isnan(arguments[0].f))
        return give(arguments[0].f, result);
    if (isinf(arguments[0].f))
        return raise_input(call->error);
    double x = fold_tangent(arguments[0].f, &sign), at_45 = at_run_time(45);
    volatile double ratio = cosine_to_90(x) / sine_to_90(x), of_45 = cosine_to_90(at_45) / sine_to_90(at_45);
    double cotangent = sign * (ratio / of_45);
    return give(cotangent == 0 ? 0 : cotangent, result);
}

static double arc_sine_to_1(double x)
{
    if (x <= 0.5)
        return asin(x) / asin(at_run_time(0.5)) * 30;
    return 90 - acos(x) / acos(at_run_time(0.5)) * 60;
}

static double arc_cosine_to_1(double x)
{
    if (x <= 0.5)
        return 90 - asin(x) / asin(at_run_time(0.5)) * 30;
    return acos(x) / acos(at_run_time(0.5)) * 60;
}

static enum sqlstate arc_sine_in_degrees(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    double x = arguments[0].f;
    if (x < -1 || x > 1)
        return raise_input(call->error);
    if (isnan(x))
        return give(x, result);
    return give(x >= 0 ? arc_sine_to_1(x) : -arc_sine_to_1(-x), result);
}

static enum sqlstate arc_cosine_in_degrees(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    double x = arguments[0].f;
    if (x < -1 || x > 1)
        return raise_input(call->error);
    if (isnan(x))
        return give(x, result);
    return give(x >= 0 ? arc_cosine_to_1(x) : 90 + arc_sine_to_1(-x), result);
}

static enum sqlstate arc_tangent_in_degrees(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    return give(atan(arguments[0].f) / atan(at_run_time(1)) * 45, result);
}

static enum sqlstate arc_tangent_of_two_in_degrees(struct call *call, const struct value *arguments,
                                                   struct value *result)
{
    return give(atan2(arguments[0].f, arguments[1].f) / atan(at_run_time(1)) * 45, result);
}

static const struct function functions[] = {
    {"dacos", arc_cosine},
    {"dasin", arc_sine},
    {"datan", arc_tangent},
    {"datan2", arc_tangent_of_two},
    {"dcos", cosine},
    {"dsin", sine},
    {"dtan", tangent},
    {"dcot", cotangent},
    {"dsinh", hyperbolic_sine},
    {"dcosh", hyperbolic_cosine},
    {"dtanh", hyperbolic_tangent},
    {"dasinh", area_sine},
    {"dacosh", area_cosine},
    {"datanh", area_tangent},
    {"dpi", pi},
    {"degrees", degrees},
    {"radians", radians},
    {"dsind", sine_of_degrees},
    {"dcosd", cosine_of_degrees},
    {"dtand", tangent_of_degrees},
    {"dcotd", cotangent_of_degrees},
    {"dasind", arc_sine_in_degrees},
    {"dacosd", arc_cosine_in_degrees},
    {"datand", arc_tangent_in_degrees},
    {"datan2d", arc_tangent_of_two_in_degrees},
    {0},
};

const struct library trigonometry_library = {.functions = functions};
