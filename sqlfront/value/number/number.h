/* Types and functions of this part of the value library: see library.c for what they are. */
#ifndef SYNOD_SQLFRONT_VALUE_NUMBER_NUMBER_H
#define SYNOD_SQLFRONT_VALUE_NUMBER_NUMBER_H

#include "sqlfront/value/value.h"

extern const struct library number_library;

#endif
