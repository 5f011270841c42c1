/* CREATE TEMPORARY TABLE ... ON COMMIT DROP and DELETE ROWS: what is done at the end of a transaction. */
#include "sqlfront/define/inside.h"

enum sqlstate on_commit_note(struct work *work, const RangeVar *name, OnCommitAction action, uint32_t oid,
                             struct error *error)
{
    if (action != ONCOMMIT_NOOP && name->relpersistence != 't')
        return error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION,
                         "ON COMMIT can only be used on temporary tables");
    if (action == ONCOMMIT_DROP || action == ONCOMMIT_DELETE_ROWS)
        work->result->on_commit = (struct on_commit){oid, action == ONCOMMIT_DROP};
    return SQLSTATE_OK;
}

static bool empties(const struct on_commit *tables, uint32_t count, uint32_t oid)
{
    for (uint32_t i = 0; i < count; i++)
        if (tables[i].relation == oid)
            return true;
    return false;
}

/* Tables with foreign keys to one that loses its rows must lose theirs, too. */
static enum sqlstate check_referencing(struct work *work, const struct relation *relation,
                                       const struct on_commit *tables, uint32_t count, struct error *error)
{
    for (uint32_t k = 0; k < relation->referencing; k++) {
        const struct relation *other;
        uint32_t oid = relation->referenced_by[k].relation;
        if (empties(tables, count, oid))
            continue;
        enum sqlstate failed = catalog_relation_by_oid(work->view, oid, &other, error);
        if (failed || !other)
            return failed;
        failed = error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                           "unsupported ON COMMIT and foreign key combination");
        error_add(error, ERROR_DETAIL,
                  "Table \"%s\" references \"%s\", but they do not have the same ON COMMIT setting.",
                  other->name, relation->name);
        return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate rows_remove(struct work *work, const struct relation *relation, struct error *error)
{
    bool any;
    enum sqlstate failed = relation_has_rows(work, relation, &any, error);
    if (failed || !any)
        return failed;
    failed = relation_new_files(work, relation, error);
    if (!failed)
        failed = relation_drop_files(work, relation, error);
    return failed ? failed : work_look_again(work, error);
}

enum sqlstate on_commit_run(struct work *work, struct on_commit *tables, uint32_t *count, struct error *error)
{
    struct object *doomed = scope_alloc(work->scope, (*count + 1) * sizeof *doomed);
    uint32_t kept = 0, drops = 0;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < *count && !failed; i++) {
        const struct relation *relation;
        failed = catalog_relation_by_oid(work->view, tables[i].relation, &relation, error);
        if (failed || !relation)
            continue; /* dropped, or the transaction that made it was undone */
        if (tables[i].drop)
            doomed[drops++] = (struct object){PG_CLASS, relation->oid, 0};
        else
            tables[kept++] = tables[i];
    }
    if (failed)
        return failed;
    *count = kept;
    for (uint32_t i = 0; i < kept && !failed; i++) {
        const struct relation *relation;
        failed = catalog_relation_by_oid(work->view, tables[i].relation, &relation, error);
        if (!failed)
            failed = check_referencing(work, relation, tables, kept, error);
        if (!failed)
            failed = rows_remove(work, relation, error);
    }
    return failed || !drops ? failed : objects_drop(work, doomed, drops, true, error);
}
