/* Finding what is built in, and linking procedures with the functions that carry them out.
 *
 * A procedure of language internal names its function in prosrc; the library (and the parts above it, which register as
 * weak symbols in catalog.h) bring functions by that name. The linker cannot put the two together, so a constructor does,
 * before main(): from then on the table is constant. */
#include "sqlfront/catalog/builtin.h"

#include <string.h>

/* The first place of `count`, sorted by what `compare` says, that is not below the key. */
static uint32_t lower_bound(uint32_t count, int (*compare)(uint32_t at, const void *key), const void *key)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(middle, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int compare_number(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int procedure_by_oid(uint32_t at, const void *key)
{
    return compare_number(procedures_builtin[at].oid, *(const uint32_t *)key);
}

static int procedure_by_name(uint32_t at, const void *key)
{
    return strcmp(procedures_builtin[procedures_by_name[at]].name, key);
}

static int procedure_by_source(uint32_t at, const void *key)
{
    return strcmp(procedures_builtin[procedures_by_source[at]].source, key);
}

static int operator_by_oid(uint32_t at, const void *key)
{
    return compare_number(operators_builtin[at].oid, *(const uint32_t *)key);
}

static int operator_by_name(uint32_t at, const void *key)
{
    return strcmp(operators_builtin[operators_by_name[at]].name, key);
}

static int relation_by_oid(uint32_t at, const void *key)
{
    return compare_number(system_relations[at].oid, *(const uint32_t *)key);
}

const struct procedure *procedure_builtin(uint32_t oid)
{
    uint32_t at = lower_bound(procedures_builtin_count, procedure_by_oid, &oid);
    return at < procedures_builtin_count && procedures_builtin[at].oid == oid ? &procedures_builtin[at]
                                                                              : NULL;
}

const struct operator* operator_builtin(uint32_t oid)
{
    uint32_t at = lower_bound(operators_builtin_count, operator_by_oid, &oid);
    return at < operators_builtin_count && operators_builtin[at].oid == oid ? &operators_builtin[at] : NULL;
}

const struct system_relation *system_relation_find(uint32_t oid)
{
    uint32_t at = lower_bound(system_relations_count, relation_by_oid, &oid);
    return at < system_relations_count && system_relations[at].oid == oid ? &system_relations[at] : NULL;
}

uint32_t procedures_named(const char *name, uint32_t *first)
{
    uint32_t at = *first = lower_bound(procedures_builtin_count, procedure_by_name, name);
    while (at < procedures_builtin_count && procedure_by_name(at, name) == 0)
        at++;
    return at - *first;
}

uint32_t operators_named(const char *name, uint32_t *first)
{
    uint32_t at = *first = lower_bound(operators_builtin_count, operator_by_name, name);
    while (at < operators_builtin_count && operator_by_name(at, name) == 0)
        at++;
    return at - *first;
}

static int cast_by_types(uint32_t at, const void *key)
{
    const uint32_t *types = key;
    int order = compare_number(casts_builtin[at].source, types[0]);
    return order ? order : compare_number(casts_builtin[at].target, types[1]);
}

const struct cast *catalog_cast(uint32_t source, uint32_t target)
{
    uint32_t types[2] = {source, target};
    uint32_t at = lower_bound(casts_builtin_count, cast_by_types, types);
    return at < casts_builtin_count && cast_by_types(at, types) == 0 ? &casts_builtin[at] : NULL;
}

static int comparison_by_type(uint32_t at, const void *key)
{
    const uint32_t *wanted = key;
    int order = compare_number(comparisons_builtin[at].type, wanted[0]);
    return order ? order : compare_number(comparisons_builtin[at].strategy, wanted[1]);
}

/* The type whose operator class serves another one, whose bytes are the same; 0 when there is none. */
static uint32_t compared_as(uint32_t type)
{
    switch (type) {
    case TYPE_VARCHAR:
        return TYPE_TEXT;
    case TYPE_CIDR:
        return TYPE_INET;
    case TYPE_REGPROC:
    case TYPE_REGPROCEDURE:
    case TYPE_REGOPER:
    case TYPE_REGOPERATOR:
    case TYPE_REGCLASS:
    case TYPE_REGTYPE:
    case TYPE_REGROLE:
    case TYPE_REGNAMESPACE:
    case TYPE_REGCONFIG:
    case TYPE_REGDICTIONARY:
    case TYPE_REGCOLLATION:
        return TYPE_OID;
    }
    const struct type *found = type_builtin(type);
    if (!found)
        return 0;
    if (found->category == 'A' || found->type_type == 'r' || found->type_type == 'm')
        return found->category == 'A'    ? TYPE_ANYARRAY
               : found->type_type == 'r' ? TYPE_ANYRANGE
                                         : TYPE_ANYMULTIRANGE;
    return 0;
}

const struct operator* catalog_comparison(uint32_t type, int strategy)
{
    for (int attempt = 0; type && attempt < 2; attempt++, type = compared_as(type)) {
        uint32_t wanted[2] = {type, (uint32_t)strategy};
        uint32_t at = lower_bound(comparisons_builtin_count, comparison_by_type, wanted);
        if (at < comparisons_builtin_count && comparison_by_type(at, wanted) == 0)
            return operator_builtin(comparisons_builtin[at].operator);
    }
    return NULL;
}

/* ---- linking ---- */

/* Procedures whose prosrc is `name`, one after the other; *at starts as UINT32_MAX. Of those in SQL the library brings some
 * under their body: || with any type must not depend on being inlined. */
static struct procedure *next_of_source(const char *name, uint32_t *at)
{
    *at = *at == UINT32_MAX ? lower_bound(procedures_builtin_count, procedure_by_source, name) : *at + 1;
    bool found = *at < procedures_builtin_count && procedure_by_source(*at, name) == 0;
    return found ? &procedures_builtin[procedures_by_source[*at]] : NULL;
}

static void link_library(const struct library *library)
{
    struct procedure *procedure;
    for (const struct function *f = library->functions; f && f->name; f++)
        for (uint32_t at = UINT32_MAX; (procedure = next_of_source(f->name, &at));)
            procedure->function = f;
    for (const struct kernel *k = library->kernels; k && k->name; k++)
        for (uint32_t at = UINT32_MAX; (procedure = next_of_source(k->name, &at));)
            procedure->kernel = k;
    for (const struct set_function *s = library->set_functions; s && s->name; s++)
        for (uint32_t at = UINT32_MAX; (procedure = next_of_source(s->name, &at));)
            procedure->set_function = s;
}

static void link_with_parts(const struct library *library)
{
    link_library(library);
    for (size_t at = 0; library->parts && library->parts[at]; at++)
        link_library(library->parts[at]);
}

__attribute__((constructor)) static void link_procedures(void)
{
    const struct library *library;
    for (size_t at = 0; (library = library_part(at)); at++)
        link_with_parts(library);
    link_with_parts(&catalog_library);
    if (&session_library)
        link_with_parts(&session_library);
}
