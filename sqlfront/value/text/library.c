/* What this part of the value library brings. */
#include "sqlfront/value/text/text.h"

static const struct library *const parts[] = {
    &compare_library,        &text_type_library,
    &bytea_library,          &uuid_library,
    &enumeration_library,    &string_library,
    &quote_library,          &case_library,
    &digest_library,         &encode_library,
    &like_library,           &regexp_library,
    &text_aggregate_library, NULL,
};

const struct library text_library = {.parts = parts};
