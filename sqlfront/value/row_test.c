/* Conditions on stored rows (struct row_test). Most rows of a selective scan fail, so they are worth a few nanoseconds each, not
 * a decoded copy: integers and short numerics are compared as they lie there, strings are told apart by their first byte.
 *
 * Tests are prepared for plain rows (row_inside.h): where the column lies, and between which integers it must be. A numeric has
 * such bounds for every scale it may be stored with. */
#include "sqlfront/value/row_inside.h"

enum quick {
    QUICK_NONE, /* any test of any row */
    QUICK_2,    /* an integer of so many bytes between bounds */
    QUICK_4,
    QUICK_8,
    QUICK_PAIR_4, /* two integers of 4 bytes in that relation */
    QUICK_NUMERIC,
    QUICK_TEXT, /* one of the constants */
};

/* ---- preparing ---- */

#define NOTHING ((struct row_bounds){1, 0})

static struct row_bounds bounds_of(uint8_t relation, int64_t constant)
{
    struct row_bounds bounds = {INT64_MIN, INT64_MAX};
    if (relation == ROW_LESS && constant == INT64_MIN)
        return NOTHING;
    if (relation == ROW_GREATER && constant == INT64_MAX)
        return NOTHING;
    if (relation <= ROW_EQUAL)
        bounds.high = constant - (relation == ROW_LESS);
    if (relation >= ROW_EQUAL)
        bounds.low = constant + (relation == ROW_GREATER);
    return bounds;
}

static __int128 power_of_ten(int exponent)
{
    __int128 power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

/* The same for integers that stand for numerics of `scale`, compared with a constant of its own. */
static struct row_bounds bounds_at_scale(uint8_t relation, const struct value *constant, int scale)
{
    __int128 exact = constant->i;
    if (scale >= constant->scale) {
        exact *= power_of_ten(scale - constant->scale);
    } else {
        /* Between two integers of a shorter scale there is none: at most the lower, at least the upper one. */
        __int128 power = power_of_ten(constant->scale - scale);
        __int128 lower = exact / power - (exact % power < 0);
        bool between = exact % power != 0;
        if (between && relation == ROW_EQUAL)
            return NOTHING;
        if (between)
            relation = relation < ROW_EQUAL ? ROW_LESS_EQUAL : ROW_GREATER;
        exact = lower;
    }
    struct row_bounds all = {INT64_MIN, INT64_MAX};
    if (exact > INT64_MAX)
        return relation < ROW_EQUAL ? all : NOTHING;
    if (exact < INT64_MIN)
        return relation > ROW_EQUAL ? all : NOTHING;
    return bounds_of(relation, (int64_t)exact);
}

static struct row_bounds narrower(struct row_bounds a, struct row_bounds b)
{
    return (struct row_bounds){a.low > b.low ? a.low : b.low, a.high < b.high ? a.high : b.high};
}

static bool has_bounds(const struct row_test *test)
{
    return test->quick == QUICK_2 || test->quick == QUICK_4 || test->quick == QUICK_8 ||
           test->quick == QUICK_NUMERIC;
}

static uint32_t bounds_count(const struct row_test *test)
{
    return test->quick == QUICK_NUMERIC ? NUMERIC_SMALL_SCALE_MAX + 1 : 1;
}

static uint8_t quick_of(const struct row_layout *layout, const struct row_test *test)
{
    const struct row_place *place = &layout->place[test->column];
    bool one = test->constants == 1 && test->relation != ROW_NOT_EQUAL;
    if (test->type->order == ORDER_INTEGER && test->constants == 0)
        return place->form == FORM_SIGNED_4 && layout->place[test->other].form == FORM_SIGNED_4 ? QUICK_PAIR_4
                                                                                                : QUICK_NONE;
    if (test->type->order == ORDER_INTEGER && one)
        return place->form == FORM_SIGNED_2   ? QUICK_2
               : place->form == FORM_SIGNED_4 ? QUICK_4
               : place->form == FORM_SIGNED_8 ? QUICK_8
                                              : QUICK_NONE;
    if (test->type->order == ORDER_NUMERIC && one && place->form == FORM_NUMERIC && test->constant->small)
        return QUICK_NUMERIC;
    bool text = test->type->order == ORDER_BYTES || test->type->order == ORDER_PADDED;
    return text && place->form == FORM_BYTES && test->relation == ROW_EQUAL && test->constants ? QUICK_TEXT
                                                                                               : QUICK_NONE;
}

static void prepare(struct scope *scope, const struct row_layout *layout, struct row_test *test)
{
    const struct row_place *place = &layout->place[test->column];
    test->quick = quick_of(layout, test);
    test->at = (uint16_t)(place->width ? ROW_PLAIN_FIXED + place->fixed_before : place->loose_before);
    if (test->quick == QUICK_PAIR_4)
        test->other_at = (uint16_t)(ROW_PLAIN_FIXED + layout->place[test->other].fixed_before);
    if (!has_bounds(test))
        return;
    struct row_bounds *bounds = scope_alloc(scope, bounds_count(test) * sizeof bounds[0]);
    for (uint32_t scale = 0; scale < bounds_count(test); scale++)
        bounds[scale] = test->quick == QUICK_NUMERIC
                            ? bounds_at_scale(test->relation, test->constant, (int)scale)
                            : bounds_of(test->relation, test->constant->i);
    test->bounds = bounds;
}

/* Plain rows are asked one test instead of two, the others both; long numerics are asked each, too. */
static bool join_bounds(struct scope *scope, struct row_test *into, const struct row_test *test)
{
    if (into->column != test->column || into->quick != test->quick || !has_bounds(into) ||
        into->quick == QUICK_NUMERIC)
        return false;
    struct row_bounds bounds = narrower(into->bounds[0], test->bounds[0]);
    into->bounds = scope_copy(scope, &bounds, sizeof bounds);
    return true;
}

void row_tests_prepare(struct scope *scope, const struct row_layout *layout, struct row_test *test,
                       uint32_t tests)
{
    for (uint32_t i = 0; i < tests; i++)
        prepare(scope, layout, &test[i]);
    for (uint32_t i = 0; i < tests; i++)
        for (uint32_t j = 0; j < i; j++)
            if (!test[j].told && join_bounds(scope, &test[j], &test[i])) {
                test[i].told = true;
                break;
            }
}

/* ---- asking ---- */

static inline bool holds(uint8_t relation, int order)
{
    switch (relation) {
    case ROW_LESS:
        return order < 0;
    case ROW_LESS_EQUAL:
        return order <= 0;
    case ROW_EQUAL:
        return order == 0;
    case ROW_GREATER_EQUAL:
        return order >= 0;
    case ROW_GREATER:
        return order > 0;
    default:
        return order != 0;
    }
}

static inline int order_of(struct environment *environment, const struct type *type, const struct value *a,
                           const struct value *b)
{
    if (type->order == ORDER_INTEGER || (a->small && b->small && a->scale == b->scale))
        return (a->i > b->i) - (a->i < b->i);
    return value_compare(environment, type, a, b);
}

/* Whether two strings differ already at their first byte. Blanks are left to the type, which may not count them. */
static inline bool differ_at_once(const struct type *type, const struct value *a, const struct value *b)
{
    if ((type->order != ORDER_BYTES && type->order != ORDER_PADDED) || !a->size || !b->size)
        return false;
    return a->p[0] != b->p[0] && a->p[0] != ' ' && b->p[0] != ' ';
}

static bool equals_any(struct environment *environment, const struct row_test *test,
                       const struct value *value)
{
    for (uint32_t i = 0; i < test->constants; i++)
        if (!differ_at_once(test->type, value, &test->constant[i]) &&
            order_of(environment, test->type, value, &test->constant[i]) == 0)
            return true;
    return false;
}

/* One test of a value that was read; `other` with a test that has no constants. */
static bool passes(struct environment *environment, const struct row_test *test, const struct value *value,
                   const struct value *other)
{
    if (value->null)
        return false;
    if (test->relation == ROW_EQUAL && test->constants)
        return equals_any(environment, test, value);
    if (test->constants)
        other = test->constant;
    return !other->null && holds(test->relation, order_of(environment, test->type, value, other));
}

static bool is_within(const struct row_bounds *bounds, int64_t i)
{
    return i >= bounds->low && i <= bounds->high;
}

/* Whether a text is one of the constants: without a call where the first bytes tell. */
static bool is_one_of(struct environment *environment, const struct row_test *test, struct bytes text)
{
    struct value value = value_bytes(text.data, text.size);
    return equals_any(environment, test, &value);
}

/* A row that is plain. What makes no sense passes. */
static inline bool passes_plain(const struct row_layout *layout, struct environment *environment,
                                struct bytes row, const struct row_test *test)
{
    int16_t two;
    int32_t four, other_four;
    int64_t eight;
    struct bytes loose;
    struct value value, other = value_null();
    switch (test->quick) {
    case QUICK_2:
        memcpy(&two, row.data + test->at, 2);
        return is_within(test->bounds, two);
    case QUICK_4:
        memcpy(&four, row.data + test->at, 4);
        return is_within(test->bounds, four);
    case QUICK_8:
        memcpy(&eight, row.data + test->at, 8);
        return is_within(test->bounds, eight);
    case QUICK_PAIR_4:
        memcpy(&four, row.data + test->at, 4);
        memcpy(&other_four, row.data + test->other_at, 4);
        return holds(test->relation, (four > other_four) - (four < other_four));
    case QUICK_NUMERIC:
        if (!row_plain_loose(layout, row, test->at, &loose) ||
            (!row_read_short(row, loose, &value) && !row_read_numeric(loose.data, loose.size, &value)))
            return true;
        return value.small ? is_within(&test->bounds[value.scale], value.i)
                           : passes(environment, test, &value, &other);
    case QUICK_TEXT:
        return !row_plain_loose(layout, row, test->at, &loose) || is_one_of(environment, test, loose);
    default:
        if (!row_read_plain(layout, row, test->column, &value) ||
            (!test->constants && !row_read_plain(layout, row, test->other, &other)))
            return true;
        return passes(environment, test, &value, &other);
    }
}

bool row_passes(const struct row_layout *layout, struct environment *environment, struct bytes row,
                const struct row_test *test, uint32_t tests)
{
    struct row_parts parts;
    struct value value, other = value_null();
    if (row_is_plain(layout, row)) {
        for (; tests > 0; test++, tests--)
            if (!test->told && !passes_plain(layout, environment, row, test))
                return false;
        return true;
    }
    if (!row_find_parts(layout, row, &parts))
        return true;
    for (; tests > 0; test++, tests--) {
        if (!row_read_column(layout, &parts, test->column, &value) ||
            (!test->constants && !row_read_column(layout, &parts, test->other, &other)))
            return true;
        if (!passes(environment, test, &value, &other))
            return false;
    }
    return true;
}
