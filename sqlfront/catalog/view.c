/* Views and generations of descriptors.
 *
 *     version 7        generation 7 of database 5  <── views opened while the version is 7
 *     a commit changes the catalog: version 8
 *                      generation 8 of database 5  <── views opened from now on
 *                      generation 7 goes with its last view
 *
 * A transaction that has changed the catalog, and everybody while such a commit is on its way, reads into a generation of
 * the view's own. */
#include "sqlfront/catalog/view.h"

#include "base/check.h"
#include "base/scheduler.h"
#include "base/scope.h"

#include <string.h>

const char absent[] = "";

/* ---- generations ---- */

static struct generation *generation_make(struct catalog *catalog, struct scope *parent, uint32_t database,
                                          uint64_t version)
{
    struct scope *scope = scope_open(parent, "catalog generation");
    struct generation *generation = scope_alloc_zeroed(scope, sizeof *generation);
    list_link_init(&generation->link);
    generation->catalog = catalog;
    generation->database = database;
    generation->version = version;
    generation->scope = scope;
    struct map *const by_number[] = {&generation->relations,  &generation->types,
                                     &generation->schemas,    &generation->roles,
                                     &generation->procedures, &generation->memberships};
    struct map *const by_name[] = {&generation->relation_names, &generation->type_names,
                                   &generation->schema_names, &generation->role_names,
                                   &generation->procedure_names};
    for (size_t i = 0; i < sizeof by_number / sizeof *by_number; i++)
        map_init(by_number[i], MAP_OF_NUMBERS, scope, catalog->seed);
    for (size_t i = 0; i < sizeof by_name / sizeof *by_name; i++)
        map_init(by_name[i], MAP_OF_BYTES, scope, catalog->seed);
    return generation;
}

/* Forgets generations nobody holds and nobody will ask for again. */
static void generations_sweep(struct catalog *catalog, uint64_t version)
{
    struct list_link *at = catalog->generations.head.next;
    while (at != &catalog->generations.head) {
        struct generation *generation = container_of(at, struct generation, link);
        at = at->next;
        if (!generation->holds && generation->version != version) {
            list_remove(&generation->link);
            scope_close(generation->scope);
        }
    }
}

static struct generation *generation_current(struct catalog *catalog, uint32_t database, uint64_t version)
{
    list_each (&catalog->generations, at) {
        struct generation *generation = container_of(at, struct generation, link);
        if (generation->database == database && generation->version == version)
            return generation;
    }
    generations_sweep(catalog, version);
    struct generation *made = generation_make(catalog, catalog->scope, database, version);
    list_append(&catalog->generations, &made->link);
    return made;
}

/* When the core's part of the catalog ends, its generations may go before the views do: nothing is left to tend then. */
static void view_release(void *argument)
{
    struct catalog_view *view = argument;
    struct generation *generation = view->generation;
    if (scope_closing(view->catalog->scope))
        return;
    if (--generation->holds == 0 && generation->version != catalog_version(view->catalog)) {
        list_remove(&generation->link);
        scope_close(generation->scope);
    }
}

enum sqlstate catalog_view_open(struct catalog *catalog, struct scope *scope, struct transaction *transaction,
                                const struct catalog_session *session, bool changed,
                                struct catalog_view **view, struct error *error)
{
    struct catalog_view *made = scope_alloc_zeroed(scope, sizeof *made);
    (void)error;
    made->catalog = catalog;
    made->scope = scope;
    made->transaction = transaction;
    made->session = session;
    made->changed = changed && transaction;
    made->older = session->older && transaction;
    uint64_t version = catalog_version(catalog);
    bool alone = made->changed || made->older ||
                 atomic_load_explicit(&catalog->shared->changing, memory_order_seq_cst) ||
                 version != catalog_version(catalog);
    if (alone) {
        made->generation = generation_make(catalog, scope, session->database, version);
    } else {
        made->generation = generation_current(catalog, session->database, version);
        made->generation->holds++;
        scope_undo(scope, view_release, made);
    }
    *view = made;
    return SQLSTATE_OK;
}

enum sqlstate catalog_view_renew(const struct catalog_view *view, struct scope *scope,
                                 struct catalog_view **renewed, struct error *error)
{
    return catalog_view_open(view->catalog, scope, view->transaction, view->session, view->changed, renewed,
                             error);
}

void catalog_view_rest(struct catalog_view *view)
{
    view->transaction = NULL;
    view->session = NULL;
    view->changed = false;
}

uint64_t catalog_view_version(const struct catalog_view *view)
{
    return view->generation->version;
}

bool catalog_view_stands(const struct catalog_view *view)
{
    const struct catalog *catalog = view->catalog;
    return !atomic_load_explicit(&catalog->shared->changing, memory_order_seq_cst) &&
           catalog_version(catalog) == catalog_view_version(view);
}

struct world *catalog_view_world(const struct catalog_view *view)
{
    return view->catalog->world;
}

struct transaction *catalog_view_transaction(const struct catalog_view *view)
{
    return view->transaction;
}

const struct catalog_session *catalog_view_session(const struct catalog_view *view)
{
    return view->session;
}

struct catalog *catalog_view_catalog(const struct catalog_view *view)
{
    return view->catalog;
}

struct engine *catalog_engine(const struct catalog *catalog)
{
    return catalog->engine;
}

enum sqlstate catalog_lock_relation(struct catalog_view *view, uint32_t relation, enum lock_mode mode,
                                    enum lock_policy policy, bool *waited, struct error *error)
{
    const struct lock_object object = {
        .class = LOCK_CLASS_RELATION, .high = view->session->database, .low = relation};
    enum lock_outcome outcome;
    enum sqlstate failed = transaction_lock_object(view->transaction, &object, mode, policy, &outcome, error);
    if (waited)
        *waited = !failed && outcome == LOCK_WAITED;
    return failed;
}

/* ---- reading ---- */

enum sqlstate reading_begin(struct catalog_view *view, struct reading *reading, struct error *error)
{
    static const struct transaction_options options = {.isolation = READ_COMMITTED, .read_only = true};
    struct catalog *catalog = view->catalog;
    *reading = (struct reading){.access = {.catalog = catalog, .database = view->generation->database}};
    reading->scope = scope_open(catalog->world->scope, "catalog reading");
    enum sqlstate failed = SQLSTATE_OK;
    if (view->changed) {
        /* What others have changed since an old snapshot counts, too: who writes must know of all indexes. */
        transaction_statement(view->transaction);
        reading->access.transaction = view->transaction;
        failed = transaction_look_ahead(view->transaction, error);
        if (failed)
            scope_close(reading->scope);
        return failed;
    }
    failed =
        transaction_begin(catalog->world, catalog->engine, reading->scope, &options, &reading->own, error);
    if (failed) {
        scope_close(reading->scope);
        return failed;
    }
    transaction_statement(reading->own);
    reading->access.transaction = reading->own;
    return SQLSTATE_OK;
}

enum sqlstate catalog_tuples(struct catalog_view *view, struct scope *scope, uint32_t relation,
                             const struct tuple_match *matches, uint32_t count, struct tuples *found,
                             struct error *error)
{
    struct reading reading;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = tuples_find(&reading.access, scope, relation, matches, count, found, error);
    reading_end(view, &reading);
    return failed;
}

void reading_end(struct catalog_view *view, struct reading *reading)
{
    if (reading->own)
        transaction_rollback(reading->own);
    else
        transaction_look_back(view->transaction);
    fiber_close_scope(view->catalog->world->scheduler, reading->scope);
}

struct bytes name_key(struct scope *scope, uint32_t schema, const char *name)
{
    size_t length = strlen(name);
    uint8_t *key = scope_alloc(scope, sizeof schema + length);
    memcpy(key, &schema, sizeof schema);
    memcpy(key + sizeof schema, name, length);
    return bytes_of(key, sizeof schema + length);
}

/* ---- schemas ---- */

/* Reads one tuple into the map of names: number + 1, so that 0 (absent) can be told from what is not known. */
enum sqlstate catalog_schema(struct catalog_view *view, const char *name, uint32_t *oid, struct error *error)
{
    struct generation *generation = view->generation;
    *oid = 0;
    if (strcmp(name, "pg_catalog") == 0) {
        *oid = SCHEMA_PG_CATALOG;
        return SQLSTATE_OK;
    }
    if (strcmp(name, "pg_temp") == 0) {
        *oid = view->session->temporary_schema;
        return SQLSTATE_OK;
    }
    void *known = map_find(&generation->schema_names, bytes_of_text(name));
    if (known) {
        *oid = known == absent ? 0 : *(uint32_t *)known;
        return SQLSTATE_OK;
    }
    struct reading reading;
    struct tuple found;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    struct tuple_match match = {PG_NAMESPACE_NSPNAME, value_text(name)};
    failed = tuple_find(&reading.access, reading.scope, PG_NAMESPACE, &match, 1, &found, error);
    if (!failed) {
        uint32_t *kept = NULL;
        if (found.values) {
            kept = scope_alloc(generation->scope, sizeof *kept);
            *oid = *kept = (uint32_t)found.values[PG_NAMESPACE_OID].i;
        }
        failed = map_put(&generation->schema_names, bytes_of_text(scope_copy_text(generation->scope, name)),
                         kept ? (void *)kept : (void *)absent, NULL, error);
    }
    reading_end(view, &reading);
    return failed;
}

enum sqlstate catalog_schema_name(struct catalog_view *view, struct scope *scope, uint32_t oid,
                                  const char **name, struct error *error)
{
    struct generation *generation = view->generation;
    *name = NULL;
    if (oid == SCHEMA_PG_CATALOG) {
        *name = "pg_catalog";
        return SQLSTATE_OK;
    }
    const char *known = map_find_number(&generation->schemas, oid);
    if (known) {
        *name = known == absent ? NULL : scope_copy_text(scope, known);
        return SQLSTATE_OK;
    }
    struct reading reading;
    struct tuple found;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, PG_NAMESPACE, oid, &found, error);
    if (!failed) {
        char *kept =
            found.values ? text_of(generation->scope, &found.values[PG_NAMESPACE_NSPNAME]) : (char *)absent;
        failed = map_put_number(&generation->schemas, oid, kept, NULL, error);
        *name = kept == absent ? NULL : scope_copy_text(scope, kept);
    }
    reading_end(view, &reading);
    return failed;
}

enum sqlstate schema_named(struct catalog_view *view, const char *name, uint32_t *oid, struct error *error)
{
    enum sqlstate failed = catalog_schema(view, name, oid, error);
    if (!failed && !*oid)
        failed = error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", name);
    return failed;
}

enum sqlstate along_path(struct catalog_view *view, const char *schema, const char *name,
                         enum sqlstate (*find)(struct catalog_view *view, uint32_t schema, const char *name,
                                               const void **found, struct error *error),
                         const void **found, struct error *error)
{
    *found = NULL;
    if (schema) {
        uint32_t oid;
        enum sqlstate failed = catalog_schema(view, schema, &oid, error);
        return failed || !oid ? failed : find(view, oid, name, found, error);
    }
    for (uint32_t i = 0; i < view->session->search_path_count && !*found; i++) {
        enum sqlstate failed = find(view, view->session->search_path[i], name, found, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* ---- databases ---- */

enum sqlstate catalog_database(struct catalog_view *view, const char *name, uint32_t *oid,
                               struct error *error)
{
    struct reading reading;
    struct tuple found;
    enum sqlstate failed = reading_begin(view, &reading, error);
    *oid = 0;
    if (failed)
        return failed;
    struct tuple_match match = {PG_DATABASE_DATNAME, value_text(name)};
    failed = tuple_find(&reading.access, reading.scope, PG_DATABASE, &match, 1, &found, error);
    if (!failed && found.values)
        *oid = (uint32_t)found.values[PG_DATABASE_OID].i;
    reading_end(view, &reading);
    return failed;
}
