/* Sequences (PostgreSQL manual, 9.17): one row in a table of their own, (last_value, log_cnt, is_called), under row id 1.
 *
 * nextval() is a transaction of its own that locks the row, so that values come in order on all cores and are not given
 * back by a rollback. It need not wait for its commit to be stable: commits are in the order of the log, so a later commit
 * that used the value is stable only when this one is. After a crash the values given to transactions that are gone
 * are given again, which nobody can tell. */
#include "base/check.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "sqlfront/catalog/view.h"

#include <inttypes.h>

enum { LAST_VALUE, LOG_COUNT, IS_CALLED };

struct shape {
    int64_t start, increment, minimum, maximum;
    bool cycle;
};

static enum sqlstate read_shape(struct catalog_view *view, uint32_t oid, struct shape *shape,
                                struct error *error)
{
    struct reading reading;
    struct tuple tuple;
    struct tuple_match match = {PG_SEQUENCE_SEQRELID, value_integer(oid)};
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = tuple_find(&reading.access, reading.scope, PG_SEQUENCE, &match, 1, &tuple, error);
    if (!failed && !tuple.values)
        failed = error_set(error, SQLSTATE_UNDEFINED_TABLE, "sequence with OID %u does not exist", oid);
    if (!failed)
        *shape = (struct shape){.start = tuple.values[PG_SEQUENCE_SEQSTART].i,
                                .increment = tuple.values[PG_SEQUENCE_SEQINCREMENT].i,
                                .minimum = tuple.values[PG_SEQUENCE_SEQMIN].i,
                                .maximum = tuple.values[PG_SEQUENCE_SEQMAX].i,
                                .cycle = tuple.values[PG_SEQUENCE_SEQCYCLE].i};
    reading_end(view, &reading);
    return failed;
}

/* The next value behind the row's; 2200H when there is none. */
static enum sqlstate advance(const struct relation *relation, const struct shape *shape, struct value *row,
                             int64_t *value, struct error *error)
{
    int64_t next = row[LAST_VALUE].i;
    bool up = shape->increment > 0;
    if (row[IS_CALLED].i && (__builtin_add_overflow(next, shape->increment, &next) || next > shape->maximum ||
                             next < shape->minimum)) {
        if (!shape->cycle)
            return error_set(error, SQLSTATE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
                             "nextval: reached %s value of sequence \"%s\" (%" PRId64 ")",
                             up ? "maximum" : "minimum", relation->name,
                             up ? shape->maximum : shape->minimum);
        next = up ? shape->minimum : shape->maximum;
    }
    *value = next;
    row[LAST_VALUE] = value_integer(next);
    row[IS_CALLED] = value_boolean(true);
    return SQLSTATE_OK;
}

enum deed { DEED_NEXT, DEED_SET };

struct change {
    const struct relation *relation;
    struct shape shape;
    enum deed deed;
    int64_t value;
    bool called;
};

static enum sqlstate change_row(struct transaction *transaction, struct scope *scope, struct change *change,
                                struct error *error)
{
    const struct relation *relation = change->relation;
    const uint64_t key = __builtin_bswap64(1);
    const uint16_t wanted[] = {LAST_VALUE, LOG_COUNT, IS_CALLED};
    struct value values[3];
    struct bytes row;
    bool found, done;
    enum lock_outcome outcome;
    transaction_statement(transaction);
    enum sqlstate failed = row_lock(transaction, scope, relation->store, bytes_of(&key, sizeof key),
                                    LOCK_UPDATE, LOCK_WAIT, &row, &found, &outcome, error);
    if (!failed && !found)
        failed = error_set(error, SQLSTATE_DATA_CORRUPTED, "sequence \"%s\" has no row", relation->name);
    if (!failed)
        failed = row_decode(relation->layout, row, wanted, 3, values, error);
    if (failed)
        return failed;
    if (change->deed == DEED_SET) {
        values[LAST_VALUE] = value_integer(change->value);
        values[IS_CALLED] = value_boolean(change->called);
    } else if ((failed = advance(relation, &change->shape, values, &change->value, error))) {
        return failed;
    }
    failed = row_encode(relation->layout, scope, values, &row, error);
    if (!failed)
        failed = row_update(transaction, relation->store, bytes_of(&key, sizeof key), row, &done, error);
    return failed;
}

/* A sequence made in this very transaction is there for it alone, and changed in it. */
static enum sqlstate apart(struct catalog_view *view, struct change *change, struct error *error)
{
    static const struct transaction_options options = {.isolation = READ_COMMITTED, .commit_async = true};
    struct catalog *catalog = view->catalog;
    struct transaction *transaction;
    struct scope *scope = scope_open(catalog->world->scope, "sequence");
    enum sqlstate failed =
        transaction_begin(catalog->world, catalog->engine, scope, &options, &transaction, error);
    if (!failed) {
        failed = change_row(transaction, scope, change, error);
        if (failed)
            transaction_rollback(transaction);
        else
            failed = transaction_commit(transaction, error);
        uint64_t scn = failed ? SCN_NONE : transaction_scn(transaction);
        if (scn > catalog->async_scn)
            catalog->async_scn = scn;
    }
    if (failed == SQLSTATE_UNDEFINED_TABLE && view->changed) {
        error_clear(error);
        failed = change_row(view->transaction, scope, change, error);
    }
    fiber_close_scope(catalog->world->scheduler, scope);
    return failed;
}

static enum sqlstate sequence_relation(struct catalog_view *view, uint32_t oid,
                                       const struct relation **relation, struct error *error)
{
    enum sqlstate failed = catalog_relation_by_oid(view, oid, relation, error);
    if (!failed && !*relation)
        failed = error_set(error, SQLSTATE_UNDEFINED_TABLE, "relation with OID %u does not exist", oid);
    else if (!failed && (*relation)->kind != RELATION_SEQUENCE)
        failed = error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not a sequence", (*relation)->name);
    return failed;
}

enum sqlstate sequence_next(struct catalog_view *view, uint32_t relation, int64_t *value, struct error *error)
{
    struct change change = {.deed = DEED_NEXT};
    enum sqlstate failed = sequence_relation(view, relation, &change.relation, error);
    if (!failed)
        failed = read_shape(view, relation, &change.shape, error);
    if (!failed)
        failed = apart(view, &change, error);
    *value = change.value;
    return failed;
}

enum sqlstate sequence_set(struct catalog_view *view, uint32_t relation, int64_t value, bool called,
                           struct error *error)
{
    struct change change = {.deed = DEED_SET, .value = value, .called = called};
    enum sqlstate failed = sequence_relation(view, relation, &change.relation, error);
    if (!failed)
        failed = read_shape(view, relation, &change.shape, error);
    if (!failed && (value < change.shape.minimum || value > change.shape.maximum))
        failed = error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                           "setval: value %" PRId64 " is out of bounds for sequence \"%s\" (%" PRId64
                           "..%" PRId64 ")",
                           value, change.relation->name, change.shape.minimum, change.shape.maximum);
    return failed ? failed : apart(view, &change, error);
}
