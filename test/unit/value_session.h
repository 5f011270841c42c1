/* A session for tests of values: an environment whose types are the built-in ones. */
#ifndef SYNOD_TEST_UNIT_VALUE_SESSION_H
#define SYNOD_TEST_UNIT_VALUE_SESSION_H

#include "sqlfront/value/value.h"

/* PostgreSQL's defaults, time zone UTC. The root's memory. */
struct environment *value_session_open(struct scope *root);

/* "NAME VALUE", as SET takes them: extra_float_digits, ... */
void value_session_set(const char *setting);

#endif
