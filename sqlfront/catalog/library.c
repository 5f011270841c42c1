/* What the catalog brings to the library of functions. */
#include "sqlfront/catalog/functions.h"

static const struct library *const parts[] = {
    &show_library, &visible_library, &sequence_library, &privilege_library, &size_library, &activity_library,
    NULL,
};

const struct library catalog_library = {.parts = parts};
