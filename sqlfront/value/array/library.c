/* What this part of the value library brings. */
#include "sqlfront/value/array/array.h"

static const struct library *const parts[] = {
    &array_operate_library, &array_set_library,       &array_split_library, &array_format_library,
    &record_library,        &array_aggregate_library, &various_library,     NULL,
};

const struct library array_library = {.parts = parts};
