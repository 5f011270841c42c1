/* Deferrable unique constraints (PostgreSQL manual, CREATE TABLE, "Compatibility"): rows may have the same key until the statement, or
 * the transaction, ends. Their index has an entry for each row, as one that is not unique; keys that came are noted, and looked at
 * then.
 *
 * A key is locked while it is looked at, in the index and as if it were an entry, until the transaction ends: of two transactions
 * that bring the same key the second sees the first one's row, or that it is gone. A row that somebody else is deleting is waited
 * for. */
#include "sqlfront/run/foreign.h"

/* ---- noting ---- */

static const struct constraint *constraint_of(const struct relation *relation, const struct index *index)
{
    for (uint32_t i = 0; i < relation->constraints; i++)
        if (relation->constraint[i].index == index->oid && relation->constraint[i].kind != CONSTRAINT_FOREIGN)
            return &relation->constraint[i];
    return NULL;
}

enum sqlstate duplicate_note(struct row_writer *writer, const struct change *change,
                             const struct index *index, struct error *error)
{
    const struct relation *relation = writer->relation;
    const struct constraint *constraint = constraint_of(relation, index);
    const struct type **types = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < change->count && constraint && !failed; i++) {
        struct value values[KEY_COLUMNS_MAX];
        bool any_null = false;
        if (change->kind == QUERY_UPDATE &&
            !columns_changed(writer, change, constraint->column, constraint->columns, i))
            continue;
        for (uint32_t k = 0; k < constraint->columns; k++) {
            values[k] = change->new[constraint->column[k] - 1][i];
            any_null |= values[k].null;
        }
        if (any_null && index->nulls_distinct)
            continue;
        if (types == NULL) {
            types = scope_alloc(writer->execution->foreign->scope, constraint->columns * sizeof types[0]);
            for (uint32_t k = 0; k < constraint->columns; k++)
                types[k] = relation->types[constraint->column[k] - 1];
        }
        failed = foreign_note_key(writer->execution, constraint, false, false, types, values,
                                  constraint->columns, error);
    }
    return failed;
}

/* ---- looking ---- */

struct looking {
    struct execution *execution;
    const struct foreign_work *work;
    const struct relation *relation;
    const struct index *index;
    struct scope *scope;
};

/* What entries of a tuple's key begin with. */
static enum sqlstate prefix_of(const struct looking *looking, const struct tuple *tuple, struct bytes *prefix,
                               struct error *error)
{
    const struct constraint *constraint = looking->work->constraint;
    const struct index *index = looking->index;
    struct key_writer key = {.size = 0};
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t p = 0; p < index->key_columns && !failed; p++)
        for (uint32_t k = 0; k < constraint->columns && !failed; k++)
            if (constraint->column[k] == index->column[p])
                failed = key_append(&key, &index->key_part[p], &tuple->value[k], error);
    *prefix = bytes_of(scope_copy(looking->scope, key.bytes, key.size ? key.size : 1), key.size);
    return failed;
}

/* More than two entries are not needed to know, but some of them may be on their way out. */
#define ENTRIES_LOOKED_AT 64

struct found {
    struct scope *scope;
    struct bytes key[ENTRIES_LOOKED_AT];
    uint32_t count;
};

static bool take_entry(void *argument, const struct store_row *row)
{
    struct found *found = argument;
    found->key[found->count++] =
        bytes_of(scope_copy(found->scope, row->key.data, row->key.size), row->key.size);
    return found->count < ENTRIES_LOOKED_AT;
}

/* How many of the entries are there for good: whoever is deleting one is waited for. */
static enum sqlstate count_entries(const struct looking *looking, struct found *found, uint32_t *count,
                                   struct error *error)
{
    struct locked_row locked[ENTRIES_LOOKED_AT] = {0};
    const struct lock_request_rows request = {.table = looking->index->store,
                                              .key = found->key,
                                              .count = found->count,
                                              .strength = LOCK_SHARE,
                                              .policy = LOCK_WAIT,
                                              .relation = looking->relation};
    enum sqlstate failed = lock_rows(looking->execution, found->scope, &request, locked, error);
    *count = 0;
    for (uint32_t i = 0; i < found->count && !failed; i++)
        *count += locked[i].result == ROW_SAME;
    return failed;
}

static enum sqlstate raise_twice(const struct looking *looking, const struct tuple *tuple,
                                 struct error *error)
{
    const struct constraint *constraint = looking->work->constraint;
    const struct relation *relation = looking->relation;
    enum sqlstate failed =
        error_set(error, SQLSTATE_UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"%s\"",
                  constraint->name);
    error_add(error, ERROR_DETAIL, "Key %s already exists.",
              violation_key(looking->execution, looking->scope, relation, constraint->column,
                            constraint->columns, tuple->value));
    error_add(error, ERROR_SCHEMA, "%s", relation->schema_name);
    error_add(error, ERROR_TABLE, "%s", relation->name);
    error_add(error, ERROR_CONSTRAINT, "%s", constraint->name);
    return failed;
}

/* Entries of the key as they are now, own ones included; an old snapshot is looked past. */
static enum sqlstate find_entries(const struct looking *looking, struct bytes prefix, struct found *found,
                                  struct error *error)
{
    struct transaction *transaction = looking->execution->request.transaction;
    uint8_t *end = scope_alloc(found->scope, prefix.size + 1);
    uint32_t end_size = 0;
    bool bounded = key_after_prefix(prefix, end, &end_size);
    const struct row_scan scan = {
        .table = looking->index->store,
        .range = {.from = prefix, .to = bytes_of(end, end_size), .to_open = !bounded},
        .rows_max = ENTRIES_LOOKED_AT};
    const struct store_sink sink = {.take = take_entry, .argument = found};
    found->count = 0;
    enum sqlstate failed = transaction_look_ahead(transaction, error);
    if (!failed)
        failed = row_scan(transaction, &scan, &sink, error);
    transaction_look_back(transaction);
    return failed;
}

static enum sqlstate look_at(const struct looking *looking, const struct tuple *tuple, struct bytes prefix,
                             struct error *error)
{
    struct scope *scope = scope_open(looking->scope, "entries");
    struct found *found = scope_alloc(scope, sizeof *found);
    uint32_t count = 0;
    found->scope = scope;
    enum sqlstate failed = find_entries(looking, prefix, found, error);
    if (!failed && found->count > 1)
        failed = count_entries(looking, found, &count, error);
    if (failed == SQLSTATE_SERIALIZATION_FAILURE) {
        /* One that came, or went, after the transaction's snapshot cannot be locked; whoever changed it is over. */
        error_clear(error);
        failed = find_entries(looking, prefix, found, error);
        count = found->count;
    }
    if (!failed && count > 1)
        failed = raise_twice(looking, tuple, error);
    scope_close(scope);
    return failed;
}

/* Some of the keys: all are locked before any is looked at. */
static enum sqlstate look_at_some(struct looking *looking, size_t from, uint32_t count, struct error *error)
{
    struct execution *execution = looking->execution;
    struct transaction *transaction = execution->request.transaction;
    struct tuple *const *tuples = looking->work->rows.tuple;
    struct bytes *prefixes = scope_alloc(looking->scope, (count + 1) * sizeof prefixes[0]);
    struct locked_row *locked = scope_alloc_zeroed(looking->scope, (count + 1) * sizeof locked[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = prefix_of(looking, tuples[from + i], &prefixes[i], error);
    const struct lock_request_rows request = {.table = looking->index->store,
                                              .key = prefixes,
                                              .count = count,
                                              .strength = LOCK_UPDATE,
                                              .policy = LOCK_WAIT,
                                              .relation = looking->relation};
    if (!failed)
        failed = lock_rows(execution, looking->scope, &request, locked, error);
    if (!failed)
        failed = transaction_catch_up(transaction, error);
    if (!failed)
        transaction_statement(transaction);
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = look_at(looking, tuples[from + i], prefixes[i], error);
    return failed;
}

enum sqlstate duplicate_work_run(struct execution *execution, struct foreign_work *work, struct error *error)
{
    struct looking looking = {.execution = execution, .work = work};
    enum sqlstate failed = catalog_relation_by_oid(execution->request.view, work->constraint->relation,
                                                   &looking.relation, error);
    if (!failed && looking.relation)
        looking.index = index_of(looking.relation, work->constraint->index);
    if (failed || !looking.index)
        return failed; /* dropped in this transaction: nothing to hold to */
    for (size_t from = 0; from < work->rows.count && !failed; from += BATCH_ROWS) {
        size_t left = work->rows.count - from;
        looking.scope = scope_open(execution->scope, "unique keys");
        failed = look_at_some(&looking, from, left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS, error);
        scope_close(looking.scope);
        if (!failed)
            failed = fiber_check_canceled(execution->world->scheduler, error);
    }
    return failed;
}
