/* What this part of the value library brings. */
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/time.h"

static const struct library *const parts[] = {
    &time_compare_library,  &time_operator_library,
    &time_cast_library,     &time_part_library,
    &time_truncate_library, &time_make_library,
    &time_set_library,      &time_format_library,
    &time_read_library,     NULL,
};

const struct library time_library = {.parts = parts};
