/* What ANALYZE has found out of a relation, read from pg_statistic once for each descriptor (ANALYZE makes descriptors anew), and
 * what follows from it for conditions on one column: common values by name, the others evenly, ranges by the histogram, as
 * PostgreSQL does (manual, 72.1). */
#include "sqlfront/catalog/tuple.h"
#include "sqlfront/plan/inside.h"
#include "sqlfront/value/array/array.h"

#include <math.h>

/* pg_statistic.stakind */
#define KIND_COMMON    1
#define KIND_HISTOGRAM 2

/* ---- reading ---- */

static struct value *read_values(struct scope *scope, const struct value *list, const struct type *type,
                                 uint32_t *count)
{
    struct array array;
    *count = 0;
    if (list->null)
        return NULL;
    array_read(list, &array);
    if (type && array.element != type->oid)
        return NULL; /* the column has another type by now */
    struct value *values = scope_alloc(scope, (array.count + 1) * sizeof *values);
    for (uint32_t i = 0; i < array.count; i++)
        values[i] = array_get(&array, i);
    *count = array.count;
    return values;
}

static void read_slots(struct scope *scope, const struct column *column, const struct value *row,
                       struct known_column *known)
{
    for (int slot = 0; slot < 5; slot++) {
        int64_t kind = row[PG_STATISTIC_STAKIND1 + slot].i;
        uint32_t count, shares;
        if (kind != KIND_COMMON && kind != KIND_HISTOGRAM)
            continue;
        struct value *values = read_values(scope, &row[PG_STATISTIC_STAVALUES1 + slot], column->type, &count);
        if (kind == KIND_HISTOGRAM) {
            known->bound = values;
            known->bounds = count;
            continue;
        }
        known->share = read_values(scope, &row[PG_STATISTIC_STANUMBERS1 + slot], NULL, &shares);
        known->common = values;
        known->commons = count < shares ? count : shares;
        for (uint32_t i = 0; i < known->commons; i++)
            known->common_share += known->share[i].f;
    }
}

static struct known *read_known(struct catalog_view *view, const struct relation *relation)
{
    struct scope *scope = relation->scope;
    struct known *known = scope_alloc_zeroed(scope, sizeof *known);
    known->column = scope_alloc_zeroed(scope, (relation->columns + 1) * sizeof known->column[0]);
    const struct tuple_match match = {PG_STATISTIC_STARELID, value_integer(relation->oid)};
    struct tuples found;
    struct error error = {0};
    if (relation->system || !catalog_view_transaction(view) || relation->kind != RELATION_TABLE ||
        catalog_tuples(view, scope, PG_STATISTIC, &match, 1, &found, &error))
        return known; /* estimates do without */
    for (uint32_t i = 0; i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        int64_t number = row[PG_STATISTIC_STAATTNUM].i;
        if (number < 1 || number > relation->columns || relation->column[number - 1].dropped)
            continue;
        struct known_column *column = &known->column[number - 1];
        column->there = true;
        column->null_share = row[PG_STATISTIC_STANULLFRAC].f;
        column->distinct = row[PG_STATISTIC_STADISTINCT].f;
        read_slots(scope, &relation->column[number - 1], row, column);
    }
    return known;
}

const struct known_column *relation_known(struct planner *planner, const struct relation *relation,
                                          int32_t number)
{
    struct learned *learned = relation_learned(relation);
    if (number < 1 || planner->request->engine == NULL)
        return NULL;
    if (!learned->known)
        learned->known = read_known(planner->request->view, relation);
    const struct known_column *column = &learned->known->column[number - 1];
    return column->there ? column : NULL;
}

struct learned *relation_learned(const struct relation *relation)
{
    if (!relation->learned) /* the planner's own field: one core, one word */
        ((struct relation *)relation)->learned = scope_alloc_zeroed(relation->scope, sizeof(struct learned));
    return relation->learned;
}

double known_distinct(const struct known_column *known, double rows)
{
    double distinct = known->distinct < 0 ? -known->distinct * rows : known->distinct;
    return distinct > rows ? rows : distinct < 1 ? 1 : distinct;
}

/* ---- conditions on one column ---- */

static int order(struct planner *planner, const struct column *column, const struct value *a,
                 const struct value *b)
{
    return value_compare(planner->request->environment, column->type, a, b);
}

static double equal_share(struct planner *planner, const struct column *column,
                          const struct known_column *known, const struct value *value, double rows)
{
    for (uint32_t i = 0; i < known->commons; i++)
        if (order(planner, column, &known->common[i], value) == 0)
            return known->share[i].f;
    double rest = 1 - known->null_share - known->common_share;
    double others = known_distinct(known, rows) - known->commons;
    if (rest <= 0)
        return 0.1 / (rows < 1 ? 1 : rows);
    double share = others > 1 ? rest / others : rest;
    /* What is not common is not commoner than what is. */
    if (known->commons && share > known->share[known->commons - 1].f)
        share = known->share[known->commons - 1].f;
    return share;
}

/* The share of rows whose value comes before `value` (or is it, when `inclusive`). */
static double below_share(struct planner *planner, const struct column *column,
                          const struct known_column *known, const struct value *value, bool inclusive)
{
    double share = 0, rest = 1 - known->null_share - known->common_share;
    for (uint32_t i = 0; i < known->commons; i++) {
        int compared = order(planner, column, &known->common[i], value);
        if (compared < 0 || (compared == 0 && inclusive))
            share += known->share[i].f;
    }
    uint32_t low = 0, high = known->bounds;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (order(planner, column, &known->bound[middle], value) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (known->bounds < 2)
        return share + rest / 2;
    double within = low == 0 ? 0 : low == known->bounds ? 1 : (low - 0.5) / (known->bounds - 1);
    if (low > 0 && low < known->bounds && column->type->kind == VALUE_INTEGER) {
        double from = (double)known->bound[low - 1].i, to = (double)known->bound[low].i;
        within = (low - 1 + ((double)value->i - from) / (to - from)) / (known->bounds - 1);
    }
    return share + rest * within;
}

bool known_selectivity(struct planner *planner, const struct relation *relation, int32_t number,
                       uint8_t strategy, const struct value *value, double *selectivity)
{
    const struct known_column *known = relation_known(planner, relation, number);
    if (!known || relation->column[number - 1].type->order == ORDER_NONE)
        return false;
    const struct column *column = &relation->column[number - 1];
    double rows = relation_rows(planner, relation), present = 1 - known->null_share;
    if (value == NULL || value->null) { /* some value */
        *selectivity = strategy == 3 ? present / known_distinct(known, rows) : present / 3;
        return true;
    }
    switch (strategy) {
    case 1:
    case 2:
        *selectivity = below_share(planner, column, known, value, strategy == 2);
        return true;
    case 3:
        *selectivity = equal_share(planner, column, known, value, rows);
        return true;
    case 4:
    case 5:
        *selectivity = present - below_share(planner, column, known, value, strategy == 5);
        return true;
    case 6:
        *selectivity = present - equal_share(planner, column, known, value, rows);
        return true;
    default:
        return false;
    }
}
