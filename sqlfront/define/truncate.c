/* TRUNCATE: new, empty files for each table and its indexes; undone like any definition. */
#include "sqlfront/define/inside.h"

struct list_of {
    const struct relation **relation;
    uint32_t count;
};

static bool has(const struct list_of *list, uint32_t oid)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->relation[i]->oid == oid)
            return true;
    return false;
}

static void add(struct work *work, struct list_of *list, const struct relation *relation)
{
    const struct relation **longer = scope_alloc(work->scope, (list->count + 1) * sizeof(struct relation *));
    if (list->count)
        memcpy(longer, list->relation, list->count * sizeof(struct relation *));
    longer[list->count++] = relation;
    list->relation = longer;
}

static enum sqlstate check_table(struct work *work, const struct relation *relation, struct error *error)
{
    if (relation->kind != RELATION_TABLE)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not a table", relation->name);
    enum sqlstate failed =
        catalog_check_relation(work->view, 0, relation, PRIVILEGE_TRUNCATE, NULL, 0, error);
    if (!failed && relation->system)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE,
                           "permission denied: \"%s\" is a system catalog", relation->name);
    return failed;
}

/* Tables whose foreign keys point at one of the list must be in it, or come along. */
static enum sqlstate referencing(struct work *work, struct list_of *list, bool cascade, struct error *error)
{
    for (uint32_t i = 0; i < list->count; i++)
        for (uint32_t k = 0; k < list->relation[i]->referencing; k++) {
            const struct constraint *constraint = &list->relation[i]->referenced_by[k];
            const struct relation *other;
            if (has(list, constraint->relation))
                continue;
            enum sqlstate failed = catalog_relation_by_oid(work->view, constraint->relation, &other, error);
            if (!failed && other)
                failed = catalog_lock_relation(work->view, other->oid, LOCK_ACCESS_EXCLUSIVE, LOCK_WAIT, NULL,
                                               error);
            if (failed || !other)
                return failed;
            if (!cascade) {
                failed = error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                   "cannot truncate a table referenced in a foreign key constraint");
                error_add(error, ERROR_DETAIL, "Table \"%s\" references \"%s\".", other->name,
                          list->relation[i]->name);
                error_add(error, ERROR_HINT,
                          "Truncate table \"%s\" at the same time, or use TRUNCATE ... CASCADE.",
                          other->name);
                return failed;
            }
            work_notice(work, SQLSTATE_OK, "truncate cascades to table \"%s\"", other->name);
            if ((failed = check_table(work, other, error)))
                return failed;
            add(work, list, other);
        }
    return SQLSTATE_OK;
}

static enum sqlstate restart_sequences(struct work *work, const struct relation *relation,
                                       struct error *error)
{
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_REFOBJID, value_integer(relation->oid)},
                                          {PG_DEPEND_CLASSID, value_integer(PG_CLASS)}};
    DefElem restart = {.type = T_DefElem, .defname = (char *)"restart"};
    ListCell cell = {.ptr_value = &restart};
    List options = {.type = T_List, .length = 1, .max_length = 1, .elements = &cell};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_DEPEND, matches, 3, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct relation *sequence;
        failed = catalog_relation_by_oid(work->view, (uint32_t)found.tuple[i].values[PG_DEPEND_OBJID].i,
                                         &sequence, error);
        if (!failed && sequence && sequence->kind == RELATION_SEQUENCE)
            failed = sequence_change(work, sequence, &options, error);
    }
    return failed;
}

enum sqlstate define_truncate(struct work *work, const TruncateStmt *statement, struct error *error)
{
    struct list_of list = {0};
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    foreach(cell, statement->relations)
    {
        const struct relation *relation;
        failed = relation_named(work, lfirst(cell), LOCK_ACCESS_EXCLUSIVE, false, &relation, error);
        if (!failed)
            failed = check_table(work, relation, error);
        if (failed)
            return failed;
        if (!has(&list, relation->oid))
            add(work, &list, relation);
    }
    failed = referencing(work, &list, statement->behavior == DROP_CASCADE, error);
    for (uint32_t i = 0; i < list.count && !failed; i++) {
        failed = relation_new_files(work, list.relation[i], error);
        if (!failed)
            failed = relation_drop_files(work, list.relation[i], error);
        if (!failed && statement->restart_seqs)
            failed = restart_sequences(work, list.relation[i], error);
    }
    return failed ? failed : work_look_again(work, error);
}
