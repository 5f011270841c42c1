/* What this part of the value library brings. */
#include "sqlfront/value/text/text.h"

const struct library text_library = {0};
