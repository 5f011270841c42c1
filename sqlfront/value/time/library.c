/* What this part of the value library brings. */
#include "sqlfront/value/time/time.h"

const struct library time_library = {0};
