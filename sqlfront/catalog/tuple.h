/* Rows of pg_catalog, read and written by name of relation and column: what the catalog's own look-ups stand on, and what
 * sqlfront/define writes with. A door of the folder beside catalog.h.
 *
 *     struct tuple_access access = {.catalog = c, .transaction = t, .database = d};
 *     struct tuple_match match = {PG_CLASS_RELNAMESPACE, value_integer(2200)};
 *     tuples_find(&access, scope, PG_CLASS, &match, 1, &found, error);
 *
 * A tuple is an array of values, one for each column, at the places columns.h names. All functions yield. */
#ifndef SYNOD_SQLFRONT_CATALOG_TUPLE_H
#define SYNOD_SQLFRONT_CATALOG_TUPLE_H

#include "sqlfront/catalog/catalog.h"
#include "sqlfront/catalog/columns.h"

struct tuple_access {
    struct catalog *catalog;
    struct transaction *transaction;
    uint32_t database;
};

struct tuple {
    struct bytes key; /* of the row */
    struct value *values;
};

struct tuples {
    uint32_t count;
    struct tuple *tuple;
};

/* A column that must have this value (not null). */
struct tuple_match {
    int column;
    struct value value;
};

/* All tuples that match, in the order of the index that was used (the primary one when there are no matches). Memory is
 * the scope's. `relation` is a table of pg_catalog. */
enum sqlstate tuples_find(const struct tuple_access *access, struct scope *scope, uint32_t relation,
                          const struct tuple_match *matches, uint32_t count, struct tuples *found,
                          struct error *error);

/* The same, as new as the view's version says, whatever snapshot or locks its transaction has: for what everybody may read at
 * any time without being in anybody's way. Yields. */
enum sqlstate catalog_tuples(struct catalog_view *view, struct scope *scope, uint32_t relation,
                             const struct tuple_match *matches, uint32_t count, struct tuples *found,
                             struct error *error);

/* The first of them, or values NULL. */
enum sqlstate tuple_find(const struct tuple_access *access, struct scope *scope, uint32_t relation,
                         const struct tuple_match *matches, uint32_t count, struct tuple *found,
                         struct error *error);

/* By the column `oid`. */
enum sqlstate tuple_by_oid(const struct tuple_access *access, struct scope *scope, uint32_t relation,
                           uint32_t oid, struct tuple *found, struct error *error);

/* Writes. 23505 with the index's name when a unique index has the tuple's key. Later reads of the same transaction see
 * it once transaction_statement() was called. Update: `values` replaces what `old` holds. */
enum sqlstate tuple_insert(const struct tuple_access *access, uint32_t relation, const struct value *values,
                           struct error *error);
enum sqlstate tuple_update(const struct tuple_access *access, uint32_t relation, const struct tuple *old,
                           const struct value *values, struct error *error);
enum sqlstate tuple_delete(const struct tuple_access *access, uint32_t relation, const struct tuple *old,
                           struct error *error);

/* All columns null, in the scope. */
struct value *tuple_make(struct scope *scope, uint32_t relation);

uint32_t tuple_columns(uint32_t relation);

/* A name as a value; copied into the scope. */
struct value tuple_text(struct scope *scope, const char *text);
/* A value of bytes as a zero-terminated text in the scope; NULL for null. */
char *text_of(struct scope *scope, const struct value *value);

/* Lists: int2vector and int2[] (element TYPE_INT2), oidvector and oid[] (TYPE_OID), float4[], "char"[]. Vectors begin at
 * subscript 0, arrays at 1. */
enum sqlstate list_make(struct scope *scope, uint32_t element, bool vector, const int64_t *numbers,
                        uint32_t count, struct value *list, struct error *error);
enum sqlstate list_make_texts(struct scope *scope, uint32_t element, const char *const *texts, uint32_t count,
                              struct value *list, struct error *error);
/* Reading; 0 for null lists. Memory is the scope's. */
uint32_t list_numbers(struct scope *scope, const struct value *list, int64_t **numbers);
uint32_t list_texts(struct scope *scope, const struct value *list, const char ***texts);

/* Between several expressions in one column (pg_index.indexprs, pg_proc.proargdefaults), which are SQL. */
#define EXPRESSION_END '\x1e'
uint32_t expressions_split(struct scope *scope, const struct value *value, const char ***texts);

/* An access list (aclitem[]) as text, "{a=r/b,...}"; NULL for null. */
const char *access_list_text(struct scope *scope, const struct value *list);

/* A new oid, unique in the node: never given before. */
enum sqlstate catalog_new_oid(struct catalog *catalog, uint32_t *oid, struct error *error);

/* The number of the engine's table that holds a relation of a database. */
static inline uint64_t store_number(uint32_t database, uint32_t file)
{
    return (uint64_t)database << 32 | file;
}

#endif
