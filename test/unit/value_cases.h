/* Cases of functions, types and aggregates as lines of text with PostgreSQL's answers (values/README.md), and running
 * them. */
#ifndef SYNOD_TEST_UNIT_VALUE_CASES_H
#define SYNOD_TEST_UNIT_VALUE_CASES_H

#include "sqlfront/value/value.h"

/* Runs all cases of a file of test/unit/values; every answer must be what the file says. `set` is told of lines that
 * change the session's settings and may be NULL. */
void value_cases_run(const char *file);

#endif
