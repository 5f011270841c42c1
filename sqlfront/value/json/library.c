/* What this part of the value library brings. */
#include "sqlfront/value/json/json.h"

static const struct library *const parts[] = {&jsonb_library, NULL};

const struct library json_library = {.parts = parts};
