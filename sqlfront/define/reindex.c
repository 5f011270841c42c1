/* CREATE INDEX CONCURRENTLY, DROP INDEX CONCURRENTLY, and REINDEX both ways (concurrent.h has what they share).
 *
 *     CREATE    registered, ready, not valid | writers waited for | built | valid
 *     DROP      not valid | statements that read it waited for | not ready | writers waited for | dropped
 *     REINDEX   a second index is made as by CREATE; then both exchange their files, and the second is dropped as by DROP
 *
 * What fails or breaks off in between leaves an index that is not valid, as in PostgreSQL. */
#include "sqlfront/define/concurrent.h"
#include "sqlfront/define/drop.h"

/* ---- CREATE INDEX CONCURRENTLY ---- */

static enum sqlstate register_index(struct stage *stage, struct work *work, struct error *error)
{
    const IndexStmt *statement = (const IndexStmt *)stage->statement;
    struct index_make make;
    enum sqlstate failed = index_from_statement(work, statement, true, &make, error);
    stage->nothing = true;
    if (failed || !make.relation)
        return failed;
    stage->relation = make.relation->oid;
    stage->store = make.relation->store;
    /* Nobody else writes to a temporary table. */
    make.concurrent = make.relation->persistence != 't';
    stage->nothing = !make.concurrent;
    return make.concurrent ? index_create(work, &make, &stage->index, NULL, error)
                           : index_create_filled(work, &make, &stage->index, NULL, error);
}

static enum sqlstate make_valid(struct stage *stage, struct work *work, struct error *error)
{
    const struct relation *relation;
    const struct index *index;
    const int columns[] = {PG_INDEX_INDISVALID};
    const bool values[] = {true};
    enum sqlstate failed = stage_find(stage, work, stage->target, &relation, &index, error);
    if (failed)
        return failed;
    stage->through = relation->store == stage->store;
    return stage->through ? stage_set(work, stage->target, columns, values, 1, error) : SQLSTATE_OK;
}

/* After a failure nobody has to keep its entries any more. */
static enum sqlstate make_unready(struct stage *stage, struct work *work, struct error *error)
{
    const int columns[] = {PG_INDEX_INDISVALID, PG_INDEX_INDISREADY};
    const bool values[] = {false, false};
    return stage_set(work, stage->target, columns, values, 2, error);
}

/* Builds the index and lets `done` make something of it, which leaves stage->through false when the table was written anew
 * meanwhile. */
static enum sqlstate build(struct stage *stage, uint32_t index,
                           enum sqlstate (*done)(struct stage *stage, struct work *work, struct error *error),
                           struct error *error)
{
    struct scheduler *scheduler = stage->request->world->scheduler;
    stage->target = index;
    enum sqlstate failed = stage_wait_writers(stage, error);
    do {
        if (!failed)
            failed = stage_build(stage, index, error);
        if (!failed)
            failed = stage_step(stage, done, error);
    } while (!failed && !stage->through);
    if (failed) {
        struct error unheard = {0};
        fiber_shield_begin(scheduler);
        (void)!stage_step(stage, make_unready, &unheard);
        fiber_shield_end(scheduler);
    }
    return failed;
}

static enum sqlstate create_concurrently(struct stage *stage, struct error *error)
{
    enum sqlstate failed = stage_step(stage, register_index, error);
    return failed || stage->nothing ? failed : build(stage, stage->index, make_valid, error);
}

/* ---- DROP INDEX CONCURRENTLY ---- */

static enum sqlstate find_to_drop(struct stage *stage, struct work *work, struct error *error)
{
    const DropStmt *statement = (const DropStmt *)stage->statement;
    const int columns[] = {PG_INDEX_INDISVALID};
    const bool values[] = {false};
    struct object object;
    struct tuple row, class;
    enum sqlstate failed = index_to_drop(work, statement, &object, error);
    stage->nothing = true;
    if (!failed && object.oid)
        failed = object_may_go(work, object, error);
    if (failed || !object.oid)
        return failed;
    const struct tuple_match match = {PG_INDEX_INDEXRELID, value_integer(object.oid)};
    failed = tuple_find(&work->access, work->scope, PG_INDEX, &match, 1, &row, error);
    if (!failed)
        failed = tuple_by_oid(&work->access, work->scope, PG_CLASS, object.oid, &class, error);
    if (failed || !row.values || !class.values)
        return failed;
    if (class.values[PG_CLASS_RELPERSISTENCE].i == 't')
        return objects_drop(work, &object, 1, false, error);
    stage->nothing = false;
    stage->relation = (uint32_t)row.values[PG_INDEX_INDRELID].i;
    stage->target = object.oid;
    return stage_set(work, object.oid, columns, values, 1, error);
}

static enum sqlstate make_dead(struct stage *stage, struct work *work, struct error *error)
{
    const int columns[] = {PG_INDEX_INDISREADY, PG_INDEX_INDISLIVE};
    const bool values[] = {false, false};
    return stage_set(work, stage->target, columns, values, 2, error);
}

static enum sqlstate drop_target(struct stage *stage, struct work *work, struct error *error)
{
    const struct relation *relation;
    const struct index *index;
    const struct object object = {PG_CLASS, stage->target, 0};
    enum sqlstate failed = stage_find(stage, work, stage->target, &relation, &index, error);
    return failed ? failed : objects_drop(work, &object, 1, false, error);
}

/* Takes the index away that is not valid any more. */
static enum sqlstate retire(struct stage *stage, uint32_t index, struct error *error)
{
    const struct define_request *request = stage->request;
    stage->target = index;
    enum sqlstate failed = request->wait_readers(request->argument, error);
    if (!failed) /* those, too, count on all entries being there */
        failed = stage_wait_writers(stage, error);
    if (!failed)
        failed = stage_step(stage, make_dead, error);
    if (!failed)
        failed = stage_wait_writers(stage, error);
    return failed ? failed : stage_step(stage, drop_target, error);
}

static enum sqlstate drop_concurrently(struct stage *stage, struct error *error)
{
    const DropStmt *statement = (const DropStmt *)stage->statement;
    if (list_length(statement->objects) > 1)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "DROP INDEX CONCURRENTLY does not support dropping multiple objects");
    if (statement->behavior == DROP_CASCADE)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "DROP INDEX CONCURRENTLY does not support CASCADE");
    enum sqlstate failed = stage_step(stage, find_to_drop, error);
    return failed || stage->nothing ? failed : retire(stage, stage->target, error);
}

/* ---- REINDEX ---- */

static bool reindex_option(const ReindexStmt *statement, const char *name)
{
    ListCell *cell;
    foreach(cell,
            statement->params) if (strcmp(((const DefElem *)lfirst(cell))->defname, name) == 0) return true;
    return false;
}

static enum sqlstate reindex_options(struct work *work, const ReindexStmt *statement, struct error *error)
{
    ListCell *cell;
    (void)work;
    foreach(cell, statement->params)
    {
        const DefElem *option = lfirst(cell);
        if (strcmp(option->defname, "verbose") != 0 && strcmp(option->defname, "concurrently") != 0 &&
            strcmp(option->defname, "tablespace") != 0) {
            enum sqlstate failed = error_set(error, SQLSTATE_SYNTAX_ERROR,
                                             "unrecognized REINDEX option \"%s\"", option->defname);
            error->position = (uint32_t)option->location + 1;
            return failed;
        }
    }
    return SQLSTATE_OK;
}

/* The indexes a REINDEX means, by number, and their tables. */
struct indexes {
    struct scope *scope;
    uint32_t count;
    struct object *index; /* oid; part: the table's */
};

static enum sqlstate add_rows(struct work *work, const struct tuple_match *match, uint32_t schema,
                              struct indexes *indexes, struct error *error)
{
    struct tuples found;
    enum sqlstate failed =
        tuples_find(&work->access, work->scope, PG_INDEX, match, match ? 1 : 0, &found, error);
    if (failed)
        return failed;
    indexes->index = scope_alloc(indexes->scope, (found.count + 1) * sizeof *indexes->index);
    for (uint32_t i = 0; i < found.count && !failed; i++) {
        const struct value *row = found.tuple[i].values;
        const struct relation *table;
        bool clustered = row[PG_INDEX_INDISPRIMARY].i && row[PG_INDEX_INDIMMEDIATE].i;
        uint32_t oid = (uint32_t)row[PG_INDEX_INDEXRELID].i, of = (uint32_t)row[PG_INDEX_INDRELID].i;
        if (clustered || oid < OID_USER_FIRST)
            continue;
        failed = catalog_relation_by_oid(work->view, of, &table, error);
        if (!failed && table && table->kind == RELATION_TABLE && (!schema || table->schema == schema))
            indexes->index[indexes->count++] = (struct object){PG_CLASS, oid, (int32_t)of};
    }
    return failed;
}

static enum sqlstate indexes_of_all(struct work *work, const ReindexStmt *statement, struct indexes *indexes,
                                    struct error *error)
{
    uint32_t schema = 0, database;
    enum sqlstate failed = SQLSTATE_OK;
    if (statement->kind == REINDEX_OBJECT_SCHEMA) {
        failed = catalog_schema(work->view, statement->name, &schema, error);
        if (!failed && !schema)
            failed = error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "schema \"%s\" does not exist",
                               statement->name);
    } else if (statement->kind == REINDEX_OBJECT_SYSTEM && reindex_option(statement, "concurrently")) {
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "cannot reindex system catalogs concurrently");
    } else if (statement->name) {
        failed = catalog_database(work->view, statement->name, &database, error);
        if (!failed && database != work->session->database)
            failed = error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                               "can only reindex the currently open database");
    }
    /* Indexes of the system's own tables are never anything but whole. */
    if (failed || statement->kind == REINDEX_OBJECT_SYSTEM)
        return failed;
    return add_rows(work, NULL, schema, indexes, error);
}

static enum sqlstate indexes_named(struct work *work, const ReindexStmt *statement, enum lock_mode mode,
                                   struct indexes *indexes, struct error *error)
{
    const RangeVar *name = statement->relation;
    const struct relation *relation;
    bool of_table = statement->kind == REINDEX_OBJECT_TABLE;
    enum sqlstate failed = of_table ? relation_named(work, name, mode, false, &relation, error)
                                    : index_named(work, name, mode, &relation, error);
    if (failed)
        return failed;
    if (!relation)
        return error_set(error, SQLSTATE_UNDEFINED_TABLE,
                         name->schemaname ? "relation \"%s.%s\" does not exist"
                                          : "relation \"%s%s\" does not exist",
                         name->schemaname ? name->schemaname : "", name->relname);
    if (of_table && relation->kind != RELATION_TABLE)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not a table or materialized view",
                         relation->name);
    if (!of_table && relation->kind != RELATION_INDEX)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not an index", relation->name);
    if ((relation->system || relation->oid < OID_USER_FIRST) && mode == LOCK_SHARE_UPDATE_EXCLUSIVE)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "cannot reindex system catalogs concurrently");
    if (relation->system || relation->oid < OID_USER_FIRST)
        return SQLSTATE_OK;
    if ((failed = relation_check_owned(work, relation, error)))
        return failed;
    const struct tuple_match match = {of_table ? PG_INDEX_INDRELID : PG_INDEX_INDEXRELID,
                                      value_integer(relation->oid)};
    return add_rows(work, &match, 0, indexes, error);
}

static enum sqlstate indexes_find(struct work *work, const ReindexStmt *statement, enum lock_mode mode,
                                  struct indexes *indexes, struct error *error)
{
    enum sqlstate failed = reindex_options(work, statement, error);
    if (failed)
        return failed;
    return statement->kind == REINDEX_OBJECT_INDEX || statement->kind == REINDEX_OBJECT_TABLE
               ? indexes_named(work, statement, mode, indexes, error)
               : indexes_of_all(work, statement, indexes, error);
}

static enum sqlstate file_of(struct work *work, uint32_t index, struct tuple *class, uint32_t *file,
                             struct error *error)
{
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, PG_CLASS, index, class, error);
    if (!failed && !class->values)
        failed =
            error_set(error, SQLSTATE_UNDEFINED_OBJECT, "index with OID %u was dropped concurrently", index);
    *file = failed ? 0 : (uint32_t) class->values[PG_CLASS_RELFILENODE].i;
    return failed;
}

/* A new file, filled; the old one goes. The table is locked against writers. */
static enum sqlstate rebuild(struct work *work, struct object which, struct error *error)
{
    const int columns[] = {PG_INDEX_INDISVALID, PG_INDEX_INDISREADY, PG_INDEX_INDISLIVE};
    const bool values[] = {true, true, true};
    const struct relation *relation;
    struct tuple class;
    uint32_t before;
    bool waited;
    enum sqlstate failed =
        catalog_lock_relation(work->view, (uint32_t)which.part, LOCK_OBJECT_SHARE, LOCK_WAIT, &waited, error);
    if (!failed)
        failed = file_of(work, which.oid, &class, &before, error);
    if (!failed)
        failed = file_new(work, which.oid, error);
    if (!failed)
        failed = stage_set(work, which.oid, columns, values, 3, error);
    if (!failed)
        failed = catalog_relation_by_oid(work->view, (uint32_t)which.part, &relation, error);
    for (uint32_t i = 0; !failed && relation && i < relation->indexes; i++)
        if (relation->index[i]->oid == which.oid)
            failed = index_fill(work, relation, relation->index[i], error);
    return failed ? failed
                  : table_drop(work->access.transaction, store_number(work->access.database, before), error);
}

enum sqlstate define_reindex(struct work *work, const ReindexStmt *statement, struct error *error)
{
    static const char *const words[] = {"INDEX", "TABLE", "SCHEMA", "SYSTEM", "DATABASE"};
    struct indexes indexes = {.scope = work->scope};
    bool named = statement->kind == REINDEX_OBJECT_INDEX || statement->kind == REINDEX_OBJECT_TABLE;
    if (!named && work->request->in_block)
        return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                         "REINDEX %s cannot run inside a transaction block", words[statement->kind]);
    enum sqlstate failed = indexes_find(work, statement, LOCK_OBJECT_SHARE, &indexes, error);
    for (uint32_t i = 0; i < indexes.count && !failed; i++)
        failed = rebuild(work, indexes.index[i], error);
    return failed;
}

/* ---- REINDEX CONCURRENTLY ---- */

struct reindex {
    struct stage stage;
    struct indexes indexes;
};

static enum sqlstate find_to_reindex(struct stage *stage, struct work *work, struct error *error)
{
    struct reindex *reindex = container_of(stage, struct reindex, stage);
    return indexes_find(work, (const ReindexStmt *)stage->statement, LOCK_SHARE_UPDATE_EXCLUSIVE,
                        &reindex->indexes, error);
}

static enum sqlstate copy_rows(struct work *work, uint32_t from, uint32_t to, struct error *error)
{
    struct tuples attributes;
    struct tuple row;
    const struct tuple_match of = {PG_ATTRIBUTE_ATTRELID, value_integer(from)},
                             match = {PG_INDEX_INDEXRELID, value_integer(from)};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_ATTRIBUTE, &of, 1, &attributes, error);
    for (uint32_t i = 0; !failed && i < attributes.count; i++) {
        struct value *copy = tuple_copy(work->scope, PG_ATTRIBUTE, &attributes.tuple[i]);
        copy[PG_ATTRIBUTE_ATTRELID] = value_integer(to);
        failed = tuple_insert(&work->access, PG_ATTRIBUTE, copy, error);
    }
    if (!failed)
        failed = tuple_find(&work->access, work->scope, PG_INDEX, &match, 1, &row, error);
    if (failed || !row.values)
        return failed;
    struct value *copy = tuple_copy(work->scope, PG_INDEX, &row);
    copy[PG_INDEX_INDEXRELID] = value_integer(to);
    copy[PG_INDEX_INDISPRIMARY] = copy[PG_INDEX_INDISVALID] = value_boolean(false);
    copy[PG_INDEX_INDISREADY] = copy[PG_INDEX_INDISLIVE] = value_boolean(true);
    return tuple_insert(&work->access, PG_INDEX, copy, error);
}

/* The second index: stage->index is the first. */
static enum sqlstate register_second(struct stage *stage, struct work *work, struct error *error)
{
    const struct relation *relation;
    const struct index *index;
    const char *name;
    struct tuple class;
    uint32_t file;
    enum sqlstate failed = stage_find(stage, work, stage->index, &relation, &index, error);
    if (!failed)
        failed = file_of(work, stage->index, &class, &file, error);
    if (!failed)
        failed = name_choose(work, index->name, NULL, "ccnew", relation->schema, false, &name, error);
    if (failed)
        return failed;
    const struct relation_make make = {.name = name,
                                       .schema = relation->schema,
                                       .kind = RELATION_INDEX,
                                       .persistence = relation->persistence,
                                       .owner = relation->owner,
                                       .method = (uint32_t) class.values[PG_CLASS_RELAM].i,
                                       .attributes = index->columns};
    stage->store = relation->store;
    failed = relation_create(work, &make, &stage->target, error);
    if (!failed)
        failed = copy_rows(work, stage->index, stage->target, error);
    if (!failed)
        failed = depend(work, (struct object){PG_CLASS, stage->target, 0},
                        (struct object){PG_CLASS, stage->relation, 0}, 'a', error);
    return failed ? failed : work_look_again(work, error);
}

static enum sqlstate exchange(struct stage *stage, struct work *work, struct error *error)
{
    const int columns[] = {PG_INDEX_INDISVALID, PG_INDEX_INDISREADY, PG_INDEX_INDISLIVE},
              at = PG_CLASS_RELFILENODE;
    const bool first[] = {true, true, true}, second[] = {false, true, true};
    const struct relation *relation;
    const struct index *index;
    struct tuple class;
    uint32_t old = 0, new = 0;
    enum sqlstate failed = stage_find(stage, work, stage->index, &relation, &index, error);
    if (failed)
        return failed;
    stage->through = relation->store == stage->store;
    if (!stage->through)
        return SQLSTATE_OK;
    failed = file_of(work, stage->index, &class, &old, error);
    if (!failed)
        failed = file_of(work, stage->target, &class, &new, error);
    const struct value values[] = {value_integer(old), value_integer(new)};
    if (!failed)
        failed = class_set(work, stage->index, &at, &values[1], 1, error);
    if (!failed)
        failed = class_set(work, stage->target, &at, &values[0], 1, error);
    if (!failed)
        failed = stage_set(work, stage->index, columns, first, 3, error);
    return failed ? failed : stage_set(work, stage->target, columns, second, 3, error);
}

static enum sqlstate reindex_concurrently(struct stage *stage, struct error *error)
{
    struct reindex *reindex = container_of(stage, struct reindex, stage);
    reindex->indexes.scope = stage->request->scope;
    enum sqlstate failed = stage_step(stage, find_to_reindex, error);
    for (uint32_t i = 0; i < reindex->indexes.count && !failed; i++) {
        stage->index = reindex->indexes.index[i].oid;
        stage->relation = (uint32_t)reindex->indexes.index[i].part;
        stage->walk.at_size = 0;
        failed = stage_step(stage, register_second, error);
        uint32_t second = stage->target;
        if (!failed)
            failed = build(stage, second, exchange, error);
        if (!failed)
            failed = retire(stage, second, error);
    }
    return failed;
}

/* ---- the door ---- */

const char *define_concurrent_words(const struct Node *statement)
{
    switch (nodeTag(statement)) {
    case T_IndexStmt:
        return ((const IndexStmt *)statement)->concurrent ? "CREATE INDEX CONCURRENTLY" : NULL;
    case T_DropStmt:
        return ((const DropStmt *)statement)->concurrent ? "DROP INDEX CONCURRENTLY" : NULL;
    case T_ReindexStmt:
        return reindex_option((const ReindexStmt *)statement, "concurrently") ? "REINDEX CONCURRENTLY" : NULL;
    default:
        return NULL;
    }
}

enum sqlstate define_concurrently(const struct define_request *request, const char **tag, struct error *error)
{
    struct reindex *reindex = scope_alloc_zeroed(request->scope, sizeof *reindex);
    struct stage *stage = &reindex->stage;
    stage->request = request;
    stage->statement = request->statement;
    switch (nodeTag(stage->statement)) {
    case T_IndexStmt:
        *tag = "CREATE INDEX";
        return create_concurrently(stage, error);
    case T_DropStmt:
        *tag = "DROP INDEX";
        return drop_concurrently(stage, error);
    default:
        *tag = "REINDEX";
        return reindex_concurrently(stage, error);
    }
}
