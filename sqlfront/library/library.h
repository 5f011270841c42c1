/* The whole value library: every built-in type and function, found by oid or name. The one door for those who need it
 * as a whole; it alone knows all parts. */
#ifndef SYNOD_SQLFRONT_LIBRARY_LIBRARY_H
#define SYNOD_SQLFRONT_LIBRARY_LIBRARY_H

#include "sqlfront/value/value.h"

/* The built-in type with that oid, or NULL. Arrays are built in when their elements are. */
const struct type *type_builtin(uint32_t oid);

/* The libraries it is made of (each with parts of its own), one by one; NULL behind the last. */
const struct library *library_part(size_t at);

/* By pg_proc.prosrc; NULL when nobody brings it. */
const struct function *function_find(const char *name);
const struct kernel *kernel_find(const char *name);
const struct set_function *set_function_find(const char *name);

/* By pg_proc.proname and argument types. */
const struct aggregate *aggregate_find(const char *name, const uint32_t *argument_types, uint32_t arguments);

#endif
