/* What this part of the value library brings. */
#include "sqlfront/value/json/json.h"

const struct library json_library = {0};
