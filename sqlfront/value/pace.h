/* The pace of a function whose one call may take long: it says what it did, and breathes after each stretch of that.
 *
 *     struct pace pace = pace_of(call);
 *     for (...) {
 *         ...
 *         if ((failed = pace_step(&pace, bytes)))
 *             return failed;
 *     }
 */
#ifndef SYNOD_SQLFRONT_VALUE_PACE_H
#define SYNOD_SQLFRONT_VALUE_PACE_H

#include "sqlfront/value/value.h"

struct pace {
    struct environment *environment;
    struct error *error;
    size_t done; /* since the last breath */
};

static inline struct pace pace_of(const struct call *call)
{
    return (struct pace){.environment = call->environment, .error = call->error};
}

/* `bytes` more were handled, or as many steps of a nanosecond or less. May yield; 57014 and the like. */
static inline enum sqlstate pace_step(struct pace *pace, size_t bytes)
{
    pace->done += bytes;
    if (pace->done < VALUE_STRETCH_BYTES)
        return SQLSTATE_OK;
    pace->done = 0;
    return value_breathe(pace->environment, pace->error);
}

#endif
