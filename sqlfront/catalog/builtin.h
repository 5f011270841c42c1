/* What PostgreSQL brings by itself, as static tables made at build time from postgres/rows.copy: procedures, operators, casts,
 * comparisons, and the shapes of the relations of pg_catalog. Sorted by oid unless said. The procedures are linked with the
 * library's functions before main() starts and never change again, so all cores read them freely. */
#ifndef SYNOD_SQLFRONT_CATALOG_BUILTIN_H
#define SYNOD_SQLFRONT_CATALOG_BUILTIN_H

#include "sqlfront/catalog/catalog.h"

extern struct procedure procedures_builtin[];
extern const uint32_t procedures_builtin_count;
extern const uint16_t procedures_by_name[];   /* their places, by name */
extern const uint16_t procedures_by_source[]; /* by prosrc */

extern const struct operator operators_builtin[];
extern const uint32_t operators_builtin_count;
extern const uint16_t operators_by_name[];

/* By source and target. */
extern const struct cast casts_builtin[];
extern const uint32_t casts_builtin_count;

/* By type and strategy: the operator that compares two values of a type, in its default btree operator class. */
struct comparison {
    uint32_t type;
    uint32_t strategy;
    uint32_t operator;
};
extern const struct comparison comparisons_builtin[];
extern const uint32_t comparisons_builtin_count;

struct system_attribute {
    const char *name;
    uint32_t type;
    uint32_t collation;
    bool not_null;
};

#define SYSTEM_INDEX_COLUMNS_MAX 5
struct system_index {
    uint32_t oid;
    const char *name;
    bool unique, primary;
    uint32_t columns;
    int16_t column[SYSTEM_INDEX_COLUMNS_MAX]; /* attnums */
    uint32_t operator_class[SYSTEM_INDEX_COLUMNS_MAX];
};

/* A table of pg_catalog. */
struct system_relation {
    uint32_t oid;
    uint32_t row_type;
    const char *name;
    bool shared;          /* one for all databases */
    const char *acl_text; /* pg_class.relacl */
    uint32_t columns;
    const struct system_attribute *column;
    uint32_t indexes;
    const struct system_index *index;
};
extern const struct system_relation system_relations[];
extern const uint32_t system_relations_count;

/* The shape of a relation of pg_catalog, or NULL. */
const struct system_relation *system_relation_find(uint32_t oid);

/* postgres/rows.copy as it stands: the rows a new node begins with. */
extern const char catalog_rows[], catalog_rows_end[];

/* Places in procedures_builtin (operators_builtin) of that name: *first in the list by name, and how many. */
uint32_t procedures_named(const char *name, uint32_t *first);
uint32_t operators_named(const char *name, uint32_t *first);

#endif
