/* Conditions on stored rows (struct row_test). Most rows of a selective scan fail, so they are worth a few nanoseconds each, not
 * a decoded copy: integers and short numerics are compared as they lie there, strings are told apart by their first byte. */
#include "sqlfront/value/row_inside.h"

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

bool row_passes(const struct row_layout *layout, struct environment *environment, struct bytes row,
                const struct row_test *test, uint32_t tests)
{
    struct row_parts parts;
    if (!row_find_parts(layout, row, &parts))
        return true;
    for (; tests > 0; test++, tests--) {
        struct value value, other;
        const struct value *against = test->constant;
        if (!row_read_column(layout, &parts, test->column, &value))
            return true;
        if (value.null)
            return false;
        if (test->relation == ROW_EQUAL && test->constants) {
            if (!equals_any(environment, test, &value))
                return false;
            continue;
        }
        if (!test->constants) {
            if (!row_read_column(layout, &parts, test->other, &other))
                return true;
            if (other.null)
                return false;
            against = &other;
        }
        if (!holds(test->relation, order_of(environment, test->type, &value, against)))
            return false;
    }
    return true;
}
