/* All parts of the value library, and finding what they bring by name. */
#include "sqlfront/library/library.h"

#include "sqlfront/value/array/array.h"
#include "sqlfront/value/json/json.h"
#include "sqlfront/value/number/number.h"
#include "sqlfront/value/text/text.h"
#include "sqlfront/value/time/time.h"

#include <string.h>

static const struct library *const libraries[] = {
    &number_library, &time_library, &text_library, &json_library, &array_library,
};
#define LIBRARIES (sizeof libraries / sizeof libraries[0])

/* The library itself at 0, then its parts; NULL behind them. */
static const struct library *part_of(const struct library *library, size_t at)
{
    return at == 0 ? library : library->parts ? library->parts[at - 1] : NULL;
}

const struct library *library_part(size_t at)
{
    return at < LIBRARIES ? libraries[at] : NULL;
}

/* Each is asked once for each function of a plan that is not yet in the cache of catalog rows: looking through the
 * list is fast enough (the catalog keeps what it found). */
#define FIND(list)                                                                                   \
    for (size_t at = 0; at < LIBRARIES; at++)                                                        \
        for (size_t i = 0; part_of(libraries[at], i); i++)                                           \
            for (__auto_type found = part_of(libraries[at], i)->list; found && found->name; found++) \
                if (strcmp(found->name, name) == 0)                                                  \
                    return found;                                                                    \
    return NULL

const struct function *function_find(const char *name)
{
    FIND(functions);
}

const struct kernel *kernel_find(const char *name)
{
    FIND(kernels);
}

const struct set_function *set_function_find(const char *name)
{
    FIND(set_functions);
}

static bool takes(const struct aggregate *aggregate, const uint32_t *argument_types, uint32_t arguments)
{
    for (uint32_t i = 0; i < 2; i++)
        if (aggregate->argument_types[i] != (i < arguments ? argument_types[i] : 0))
            return false;
    return arguments <= 2;
}

const struct aggregate *aggregate_find(const char *name, const uint32_t *argument_types, uint32_t arguments)
{
    for (size_t at = 0; at < LIBRARIES; at++)
        for (size_t i = 0; part_of(libraries[at], i); i++)
            for (const struct aggregate *found = part_of(libraries[at], i)->aggregates; found && found->name;
                 found++)
                if (strcmp(found->name, name) == 0 && takes(found, argument_types, arguments))
                    return found;
    return NULL;
}
