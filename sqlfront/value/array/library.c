/* What this part of the value library brings. */
#include "sqlfront/value/array/array.h"

const struct library array_library = {0};
