/* The arguments of a function that takes any number of any type. */
#include "sqlfront/value/array/spread.h"

#include "sqlfront/value/text/text.h"

enum sqlstate spread_open(struct call *call, const struct value *arguments, uint32_t first,
                          struct spread *spread)
{
    *spread = (struct spread){.variadic = call->variadic && call->arguments > first};
    if (!spread->variadic) {
        spread->count = call->arguments > first ? call->arguments - first : 0;
        spread->values = arguments + first;
        spread->types = call->types + first;
        return SQLSTATE_OK;
    }
    const struct value *last = &arguments[call->arguments - 1];
    spread->null = last->null;
    if (last->null)
        return SQLSTATE_OK;
    array_read(last, &spread->array);
    spread->count = spread->array.count;
    return type_of_oid(call->environment, spread->array.element, &spread->element, call->error);
}

struct value spread_get(const struct spread *spread, uint32_t at, const struct type **type)
{
    *type = spread->variadic ? spread->element : spread->types[at];
    return spread->variadic ? array_get(&spread->array, at) : spread->values[at];
}
