/* What this part of the value library brings. */
#include "sqlfront/value/array/array.h"

static const struct library *const parts[] = {&record_library, NULL};

const struct library array_library = {.parts = parts};
