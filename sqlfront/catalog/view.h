/* What the look-ups of the catalog share: views, generations and reading through them. The catalog's own. */
#ifndef SYNOD_SQLFRONT_CATALOG_VIEW_H
#define SYNOD_SQLFRONT_CATALOG_VIEW_H

#include "sqlfront/catalog/inside.h"

/* Descriptors of one database read at one version. Nothing in it changes or goes before the generation does. What was not
 * found is remembered, too (the value is `absent`). */
struct generation {
    struct list_link link;
    struct catalog *catalog;
    uint32_t database;
    uint64_t version;
    uint32_t holds;
    struct scope *scope;
    struct map relations, relation_names; /* names: bytes "schema/name" */
    struct map types, type_names;
    struct map schemas, schema_names;
    struct map roles, role_names;
    struct map procedures, procedure_names;
    struct map memberships; /* of a role: struct membership */
};

struct catalog_view {
    struct catalog *catalog;
    struct scope *scope;
    struct transaction *transaction; /* may be NULL */
    const struct catalog_session *session;
    bool changed, older;
    struct generation *generation;
};

/* Reading for a view: in its transaction when that has changed the catalog, else in a short one, so that descriptors are
 * as new as their version says, whatever snapshot the statement has. */
struct reading {
    struct tuple_access access;
    struct scope *scope; /* of what is read; ends with the reading */
    struct transaction *own;
};
enum sqlstate reading_begin(struct catalog_view *view, struct reading *reading, struct error *error);
void reading_end(struct catalog_view *view, struct reading *reading);

/* The key of a name within a schema (or 0), for the maps of names; in the scope. */
struct bytes name_key(struct scope *scope, uint32_t schema, const char *name);

extern const char absent[];

/* Finds the schema of a qualified name; 3F000 when there is none. */
enum sqlstate schema_named(struct catalog_view *view, const char *name, uint32_t *oid, struct error *error);

/* Looks a name up in a schema, or along the search path: `find` answers for one schema with *found NULL or not. */
enum sqlstate along_path(struct catalog_view *view, const char *schema, const char *name,
                         enum sqlstate (*find)(struct catalog_view *view, uint32_t schema, const char *name,
                                               const void **found, struct error *error),
                         const void **found, struct error *error);

/* Reads a relation's descriptor into the generation. */
enum sqlstate relation_describe(struct catalog_view *view, struct reading *reading, uint32_t oid,
                                struct relation **described, struct error *error);

#endif
