/* What functions.c gathers. */
#ifndef SYNOD_SQLFRONT_FUNCTIONS_H
#define SYNOD_SQLFRONT_FUNCTIONS_H

#include "sqlfront/value/value.h"

struct session;

#define FUNCTION(name) \
    enum sqlstate name(struct call *call, const struct value *arguments, struct value *result)

FUNCTION(function_advisory_lock);
FUNCTION(function_advisory_lock_shared);
FUNCTION(function_try_advisory_lock);
FUNCTION(function_try_advisory_lock_shared);
FUNCTION(function_advisory_xact_lock);
FUNCTION(function_advisory_xact_lock_shared);
FUNCTION(function_try_advisory_xact_lock);
FUNCTION(function_try_advisory_xact_lock_shared);
FUNCTION(function_advisory_unlock);
FUNCTION(function_advisory_unlock_shared);
FUNCTION(function_advisory_unlock_all);
FUNCTION(activity_backends);

/* How many there are. Whoever calls this has them linked in, to which the catalog only refers weakly. */
uint32_t session_functions_count(void);

/* activity.c: pg_stat_activity and the like. */
extern const struct set_function session_set_functions[];

#endif
