/* What the files of this folder bring, which library.c gathers. */
#ifndef SYNOD_SQLFRONT_VALUE_NUMBER_TABLES_H
#define SYNOD_SQLFRONT_VALUE_NUMBER_TABLES_H

#include "sqlfront/value/raise.h"
#include "sqlfront/value/value.h"

extern const struct library integer_library, number_compare_library, float_library, trigonometry_library,
    cast_library, numeric_library, numeric_power_library, exact_aggregate_library, float_aggregate_library,
    general_aggregate_library, series_library, format_library, ordered_aggregate_library, hash_library,
    money_library;

#endif
