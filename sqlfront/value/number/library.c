/* What this part of the value library brings. */
#include "sqlfront/value/number/number.h"

const struct library number_library = {0};
