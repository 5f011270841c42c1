/* The built-in types as the catalog shows them. Those whose forms know names (of relations, roles, ...) have forms of their
 * own here, since the value library knows no names. */
#include "sqlfront/catalog/inside.h"
#include "sqlfront/catalog/reg.h"
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/text/text.h"

#include <string.h>

static const struct type access_item = {.oid = TYPE_ACLITEM,
                                        .name = "aclitem",
                                        .length = 12,
                                        .category = 'U',
                                        .type_type = 'b',
                                        .kind = VALUE_BYTES,
                                        .order = ORDER_BYTES,
                                        .array = TYPE_ARRAY_OF_ACLITEM,
                                        .ops = &access_item_ops};
static const struct type node_tree = {.oid = 194,
                                      .name = "pg_node_tree",
                                      .length = -1,
                                      .category = 'Z',
                                      .type_type = 'b',
                                      .kind = VALUE_BYTES,
                                      .order = ORDER_BYTES,
                                      .ops = &text_ops};

/* pg_statistic_ext_data.stxdexpr: rows of pg_statistic, of which there are none. */
static const struct type statistics = {.oid = 10028,
                                       .name = "_pg_statistic",
                                       .length = -1,
                                       .category = 'A',
                                       .type_type = 'b',
                                       .kind = VALUE_BYTES,
                                       .order = ORDER_NONE,
                                       .element = 10029,
                                       .ops = &array_ops};

#define REG(oid_, name_, array_)                                                                           \
    {                                                                                                      \
        .oid = oid_, .name = name_, .length = 4, .category = 'N', .type_type = 'b', .kind = VALUE_INTEGER, \
        .width = 4, .order = ORDER_INTEGER, .array = array_, .ops = &reg_name_ops                          \
    }
static const struct type regs[] = {
    REG(TYPE_REGPROC, "regproc", TYPE_ARRAY_OF_REGPROC),
    REG(TYPE_REGPROCEDURE, "regprocedure", TYPE_ARRAY_OF_REGPROCEDURE),
    REG(TYPE_REGOPER, "regoper", TYPE_ARRAY_OF_REGOPER),
    REG(TYPE_REGOPERATOR, "regoperator", TYPE_ARRAY_OF_REGOPERATOR),
    REG(TYPE_REGCLASS, "regclass", TYPE_ARRAY_OF_REGCLASS),
    REG(TYPE_REGTYPE, "regtype", TYPE_ARRAY_OF_REGTYPE),
    REG(TYPE_REGROLE, "regrole", TYPE_ARRAY_OF_REGROLE),
    REG(TYPE_REGNAMESPACE, "regnamespace", TYPE_ARRAY_OF_REGNAMESPACE),
    REG(TYPE_REGCONFIG, "regconfig", TYPE_ARRAY_OF_REGCONFIG),
    REG(TYPE_REGDICTIONARY, "regdictionary", TYPE_ARRAY_OF_REGDICTIONARY),
    REG(TYPE_REGCOLLATION, "regcollation", TYPE_ARRAY_OF_REGCOLLATION),
};

const struct type *type_static(uint32_t oid)
{
    if (oid == TYPE_ACLITEM)
        return &access_item;
    if (oid == node_tree.oid)
        return &node_tree;
    if (oid == statistics.oid)
        return &statistics;
    for (size_t i = 0; i < sizeof regs / sizeof regs[0]; i++)
        if (regs[i].oid == oid)
            return &regs[i];
    return type_builtin(oid);
}

static const struct type *find_static(struct environment *environment, uint32_t oid)
{
    (void)environment;
    return type_static(oid);
}

struct environment environment_plain(struct world *world)
{
    return (struct environment){
        .world = world,
        .type_find = find_static,
        .standard_conforming_strings = true,
        .extra_float_digits = 1,
        .date_order = DATE_MDY,
    };
}
