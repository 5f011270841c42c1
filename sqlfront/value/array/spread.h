/* The arguments of a function that takes any number of any type: given one by one, or as an array behind VARIADIC. */
#ifndef SYNOD_SQLFRONT_VALUE_ARRAY_SPREAD_H
#define SYNOD_SQLFRONT_VALUE_ARRAY_SPREAD_H

#include "sqlfront/value/array/array.h"

struct spread {
    uint32_t count;
    bool null; /* VARIADIC null: there is no list at all */
    /* the rest is spread.c's */
    bool variadic;
    struct array array;
    const struct value *values;
    const struct type *const *types;
    const struct type *element;
};

/* The arguments from number `first` on. */
enum sqlstate spread_open(struct call *call, const struct value *arguments, uint32_t first,
                          struct spread *spread);

/* Argument `at` of the list and its type. */
struct value spread_get(const struct spread *spread, uint32_t at, const struct type **type);

#endif
