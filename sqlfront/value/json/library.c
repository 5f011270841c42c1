/* What this part of the value library brings. */
#include "sqlfront/value/json/json.h"

static const struct library *const parts[] = {
    &jsonb_library,     &json_access_library,   &json_change_library,    &json_build_library,
    &json_each_library, &json_populate_library, &json_aggregate_library, NULL,
};

const struct library json_library = {.parts = parts};
