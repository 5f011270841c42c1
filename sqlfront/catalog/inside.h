/* What the files of the catalog share. */
#ifndef SYNOD_SQLFRONT_CATALOG_INSIDE_H
#define SYNOD_SQLFRONT_CATALOG_INSIDE_H

#include "base/list.h"
#include "base/map.h"
#include "base/world.h"
#include "sqlfront/catalog/builtin.h"
#include "sqlfront/catalog/tuple.h"

#include <stdatomic.h>

/* Tables of the engine that are the catalog's own: numbers no database has. Counters: key = its number (8 bytes, big-endian),
 * row = the first number not given out yet (8 bytes, little-endian). */
#define TABLE_COUNTERS 1
enum counter { COUNTER_OID = 1, COUNTER_START = 2 };

/* The first databases. Only the first has catalogs of its own; nobody connects to the templates, and a new database begins
 * with what PostgreSQL brings. */
#define DATABASE_SYNOD     5
#define DATABASE_TEMPLATE1 1
#define DATABASE_TEMPLATE0 4

/* What all cores of a node see of each other's changes. `version` grows once for each commit that changed the catalog,
 * after the commit is visible. While such a commit is on its way, `changing` is not 0, and what is read meanwhile is kept
 * by nobody: it may be older than the version says. */
struct catalog_shared {
    _Atomic uint64_t version;
    _Atomic uint64_t changing;
    struct catalog
        *core[CORES_MAX]; /* each set by its core before sessions are there, read there when mail has come */
};

/* How rows of a table of pg_catalog are stored. */
struct system_table {
    const struct system_relation *shape;
    const struct type **types;
    struct row_layout *layout;
    int primary;                   /* place of the index the rows are keyed by; -1 = row ids */
    const struct key_part **parts; /* of each index */
};

struct catalog {
    struct world *world;
    struct scope *scope;
    struct engine *engine;
    struct catalog_shared *shared;
    struct system_table *tables;           /* in the order of system_relations */
    const struct row_layout *entry_layout; /* of index entries: the row's key */
    struct map_seed seed;
    struct map activities;   /* database << 32 | relation to struct activity */
    struct list generations; /* newest first */
    uint64_t row_id;         /* the last one given */
    uint32_t oid_next, oid_end;
    uint64_t async_scn; /* of the last change of a sequence from this core */
};

/* Makes the parts that reading and writing of system tables need; catalog_bootstrap() uses it before there is a catalog. */
enum sqlstate catalog_make(struct world *world, struct scope *scope, struct engine *engine,
                           struct catalog **catalog, struct error *error);

const struct system_table *system_table_find(const struct catalog *catalog, uint32_t relation);
uint64_t system_store(uint32_t database, const struct system_relation *shape, uint32_t relation);

/* The key of a tuple in index `index` (or of the row, for the one it is keyed by), and whether no column of it is null. */
enum sqlstate tuple_key(const struct system_table *table, int index, const struct value *values,
                        struct key_writer *key, bool *whole, struct error *error);

/* Takes `count` numbers from a counter, durably, in a transaction of its own; the first one is *first. Yields. */
enum sqlstate counter_take(struct catalog *catalog, enum counter counter, uint64_t count, uint64_t *first,
                           struct error *error);

/* A built-in type as the catalog shows it: reg* types and access lists with forms that know names. NULL = none. */
const struct type *type_static(uint32_t oid);

/* An environment for reading and writing forms of built-in types without a session. */
struct environment environment_plain(struct world *world);

#endif
