/* PostgreSQL 15's raw parse tree as libpg_query builds it: the one place that includes PostgreSQL's headers, and takes
 * back the macros of theirs that would change our code. The nodes are described in nodes/parsenodes.h. Trees are read-only:
 * whoever needs something else builds it in a scope of their own. */
#ifndef SYNOD_SQLFRONT_PARSE_TREE_H
#define SYNOD_SQLFRONT_PARSE_TREE_H

#pragma GCC system_header
#include <pg_query.h>
/* libpg_query and the server's headers both name the version they were made for. */
#undef PG_VERSION
#undef PG_VERSION_NUM
#undef PG_MAJORVERSION
/* The server has one thread in a process, the library's variables are each thread's own. */
#define CurrentMemoryContext server_CurrentMemoryContext
#define TopMemoryContext     server_TopMemoryContext
/* Names that sqlfront/algebra has, too: those of the tree begin with TREE_. */
#define JOIN_INNER TREE_JOIN_INNER
#define JOIN_LEFT  TREE_JOIN_LEFT
#define JOIN_FULL  TREE_JOIN_FULL
#define JOIN_RIGHT TREE_JOIN_RIGHT
#define JOIN_SEMI  TREE_JOIN_SEMI
#define JOIN_ANTI  TREE_JOIN_ANTI
#include <postgres.h>
/* */
#include <utils/memutils.h>
#undef CurrentMemoryContext
#undef TopMemoryContext
/* */
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <nodes/value.h>
/* */
#include <catalog/pg_attribute.h>
#undef JOIN_INNER
#undef JOIN_LEFT
#undef JOIN_FULL
#undef JOIN_RIGHT
#undef JOIN_SEMI
#undef JOIN_ANTI
#undef printf
#undef vprintf
#undef fprintf
#undef vfprintf
#undef sprintf
#undef vsprintf
#undef snprintf
#undef vsnprintf
#undef strerror
#undef strerror_r
#undef perror
#undef qsort
/* libpg_query counts these in another order than the server. */
#define LIMIT_OPTION_DEFAULT   ((LimitOption)0)
#define LIMIT_OPTION_COUNT     ((LimitOption)1)
#define LIMIT_OPTION_WITH_TIES ((LimitOption)2)
#undef Min
#undef Max

/* libpg_query 15 counts this enum from "default", the server's headers end with that. (All others, and all structs, are
 * alike: compared by name and order with the library's protobuf description.) */
#define TREE_LIMIT_OPTION_WITH_TIES 2

#endif
