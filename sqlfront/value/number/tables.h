/* What the files of this folder bring, which library.c gathers. */
#ifndef SYNOD_SQLFRONT_VALUE_NUMBER_TABLES_H
#define SYNOD_SQLFRONT_VALUE_NUMBER_TABLES_H

#include "sqlfront/value/raise.h"
#include "sqlfront/value/value.h"

extern const struct library integer_library, number_compare_library, float_library, trigonometry_library,
    cast_library, numeric_library, numeric_power_library, exact_aggregate_library, float_aggregate_library,
    general_aggregate_library, series_library, format_library, ordered_aggregate_library, hash_library,
    money_library;

/* step_rows() of an aggregate of one argument, without a call for each row. */
#define STEP_ROWS(function, step)                                                                   \
    static enum sqlstate function(struct call *call, void *const *states, size_t offset,            \
                                  const struct value *const *arguments, const uint16_t *selection,  \
                                  uint32_t count)                                                   \
    {                                                                                               \
        for (uint32_t at = 0; at < count; at++) {                                                   \
            uint32_t row = selection ? selection[at] : at;                                          \
            if (arguments[0][row].null)                                                             \
                continue;                                                                           \
            enum sqlstate failed = step(call, (uint8_t *)states[row] + offset, &arguments[0][row]); \
            if (failed)                                                                             \
                return failed;                                                                      \
        }                                                                                           \
        return SQLSTATE_OK;                                                                         \
    }

#endif
