/* What this part of the value library brings. */
#include "sqlfront/value/number/number.h"
#include "sqlfront/value/number/tables.h"

static const struct library *const parts[] = {
    &integer_library,
    &number_compare_library,
    &float_library,
    &trigonometry_library,
    &cast_library,
    &numeric_library,
    &numeric_power_library,
    &exact_aggregate_library,
    &float_aggregate_library,
    &general_aggregate_library,
    &series_library,
    &format_library,
    &ordered_aggregate_library,
    &hash_library,
    &money_library,
    NULL,
};

const struct library number_library = {.parts = parts};
