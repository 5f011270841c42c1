/* INSERT ... ON CONFLICT, row by row: a row may meet one that came before it in the same statement.
 *
 * The key that could be there is locked first, whether it is or not, so that nobody else can put it there meanwhile. Who only
 * wants to do nothing looks without locking before. */
#include "sqlfront/run/modify.h"

struct existing {
    bool found;
    struct bytes key; /* of the row */
    struct bytes row; /* with LOCK: its newest state */
};

static enum sqlstate lock_one(struct modify *modify, uint64_t table, struct bytes key,
                              enum lock_strength strength, bool *found, struct bytes *row,
                              struct error *error)
{
    struct operation *step = &modify->step;
    struct locked_row locked = {0};
    struct lock_request_rows request = {.table = table,
                                        .key = &key,
                                        .count = 1,
                                        .strength = strength,
                                        .policy = LOCK_WAIT,
                                        .relation = modify->writer->relation,
                                        .always = true};
    enum sqlstate failed = lock_rows(step->execution, step->scratch, &request, &locked, error);
    *found = locked.result == ROW_CHANGED;
    *row = locked.row;
    return failed;
}

struct look {
    uint64_t table;
    struct bytes key;
    bool found;
};

static enum sqlstate look_there(struct branch *branch, struct scope *scope, void *argument,
                                struct error *error)
{
    struct look *look = argument;
    struct store_row row;
    return branch_get(branch, scope, look->table, look->key, &row, &look->found, error);
}

/* DO NOTHING: is it plainly there? */
static enum sqlstate look(struct modify *modify, uint64_t table, struct bytes key, bool *found,
                          struct error *error)
{
    struct look look = {.table = table, .key = key};
    enum sqlstate failed =
        transaction_run(modify->step.execution->request.transaction, table, key, look_there, &look, error);
    *found = look.found;
    return failed;
}

/* The key of the arbiter that the row would have, if any. */
static enum sqlstate arbiter_key(struct modify *modify, const struct index *index, struct change *one,
                                 uint64_t *table, struct bytes *key, bool *has_key, struct error *error)
{
    struct row_writer *writer = modify->writer;
    bool unique, is_in;
    struct bytes entry;
    *has_key = true;
    *table = index->store;
    if (index->clustered) {
        *table = writer->relation->store;
        *key = one->new_key[0];
        return SQLSTATE_OK;
    }
    for (uint32_t i = 0; i < writer->indexes; i++) {
        if (writer->index[i].index != index)
            continue;
        enum sqlstate failed = writer_entry(writer, &writer->index[i], one->scope, one->new, 0,
                                            one->new_key[0], key, &entry, &unique, &is_in, error);
        *has_key = !failed && unique && is_in;
        return failed;
    }
    *has_key = false;
    return SQLSTATE_OK;
}

static enum sqlstate find_existing(struct modify *modify, const struct index *index, struct change *one,
                                   struct existing *existing, struct error *error)
{
    bool nothing = modify->step.plan->conflict == CONFLICT_NOTHING, has_key;
    struct bytes key, row;
    uint64_t table;
    enum sqlstate failed = arbiter_key(modify, index, one, &table, &key, &has_key, error);
    existing->found = false;
    if (failed || !has_key)
        return failed;
    if (nothing && ((failed = look(modify, table, key, &existing->found, error)) || existing->found))
        return failed;
    failed = lock_one(modify, table, key, LOCK_NO_KEY_UPDATE, &existing->found, &row, error);
    if (failed || !existing->found || nothing)
        return failed;
    existing->key = key;
    existing->row = row;
    if (index->clustered)
        return SQLSTATE_OK;
    struct value row_key;
    failed = row_decode(index->layout, row, (uint16_t[]){0}, 1, &row_key, error);
    existing->key = value_view(&row_key);
    return failed ? failed
                  : lock_one(modify, modify->writer->relation->store, existing->key, LOCK_NO_KEY_UPDATE,
                             &existing->found, &existing->row, error);
}

/* The arbiter is one index, or any unique one (DO NOTHING without a target). */
static enum sqlstate find_any(struct modify *modify, struct change *one, struct existing *existing,
                              struct error *error)
{
    const struct index *arbiter = modify->step.plan->conflict_index;
    const struct relation *relation = modify->writer->relation;
    existing->found = false;
    if (arbiter)
        return find_existing(modify, arbiter, one, existing, error);
    for (uint32_t i = 0; i < relation->indexes; i++) {
        if (!relation->index[i]->unique)
            continue;
        if (!relation->index[i]->immediate)
            return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                             "ON CONFLICT does not support deferrable unique constraints/exclusion "
                             "constraints as arbiters");
        enum sqlstate failed = find_existing(modify, relation->index[i], one, existing, error);
        if (failed || existing->found)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate raise_second_time(struct error *error)
{
    enum sqlstate failed = error_set(error, SQLSTATE_CARDINALITY_VIOLATION,
                                     "ON CONFLICT DO UPDATE command cannot affect row a second time");
    error_add(error, ERROR_HINT,
              "Ensure that no rows proposed for insertion within the same command have duplicate constrained "
              "values.");
    return failed;
}

static struct value **values_as_columns(struct scope *scope, struct value *values, uint32_t columns)
{
    struct value **column = scope_alloc(scope, (columns + 1) * sizeof column[0]);
    for (uint32_t c = 0; c < columns; c++)
        column[c] = &values[c];
    return column;
}

static enum sqlstate update_existing(struct modify *modify, struct change *one, struct existing *existing,
                                     struct value *const *input, uint32_t at, struct error *error)
{
    struct scope *scope = modify->step.scratch;
    uint32_t columns = modify->writer->relation->columns;
    struct value *both = scope_alloc(scope, (2 * columns + 1) * sizeof both[0]);
    struct value *new = scope_alloc(scope, (columns + 1) * sizeof new[0]);
    struct value truth = value_boolean(true);
    bool again;
    enum sqlstate failed = modify_note_key(modify, existing->key, &again, error);
    if (!failed && again)
        return raise_second_time(error);
    if (!failed)
        failed = writer_decode(modify->writer, existing->row, both, error);
    for (uint32_t c = 0; c < columns; c++)
        both[columns + c] = one->new[c][0];
    if (!failed && modify->conflict_where)
        failed = program_run_row(modify->conflict_where, both, 2 * columns, scope, &truth, error);
    if (failed || truth.null || !truth.i)
        return failed;
    for (uint32_t c = 0; c < columns && !failed; c++) {
        new[c] = both[c];
        if (modify->conflict_set && modify->conflict_set[c])
            failed = program_run_row(modify->conflict_set[c], both, 2 * columns, scope, &new[c], error);
    }
    struct change change = {.kind = QUERY_UPDATE,
                            .count = 1,
                            .scope = scope,
                            .old = values_as_columns(scope, both, columns),
                            .new = values_as_columns(scope, new, columns),
                            .old_key = &existing->key};
    if (!failed)
        failed = writer_check(modify->writer, &change, error);
    if (!failed)
        failed = writer_write(modify->writer, &change, error);
    if (!failed) {
        modify_note_row(modify, change.new, input, 0, at);
        modify_note_system(modify, change.new_key[0], true);
    }
    return failed;
}

enum sqlstate conflict_insert(struct modify *modify, struct change *change, struct value *const *input,
                              struct error *error)
{
    uint32_t columns = modify->writer->relation->columns;
    struct change one = *change;
    enum sqlstate failed = SQLSTATE_OK;
    one.count = 1;
    for (uint32_t i = 0; i < change->count && !failed; i++) {
        struct existing existing;
        one.new = scope_alloc(change->scope, (columns + 1) * sizeof one.new[0]);
        for (uint32_t c = 0; c < columns; c++)
            one.new[c] = change->new[c] + i;
        one.new_key = change->new_key + i;
        if ((failed = find_any(modify, &one, &existing, error)))
            break;
        if (existing.found && modify->step.plan->conflict == CONFLICT_NOTHING)
            continue;
        if (existing.found) {
            failed = update_existing(modify, &one, &existing, input, i, error);
            continue;
        }
        failed = writer_write(modify->writer, &one, error);
        bool again;
        if (!failed && modify->may_repeat)
            failed = modify_note_key(modify, one.new_key[0], &again, error);
        if (!failed) {
            modify_note_row(modify, one.new, input, 0, i);
            modify_note_system(modify, one.new_key[0], false);
        }
    }
    return failed;
}
