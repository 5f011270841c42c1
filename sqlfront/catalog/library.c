/* What the catalog brings to the library of functions. */
#include "sqlfront/catalog/catalog.h"

const struct library catalog_library = {0};
