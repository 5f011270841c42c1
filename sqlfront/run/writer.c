/* A relation's rows with all that hangs on them: generated columns, NOT NULL and CHECK, keys, index entries.
 *
 * Expressions of constraints and indexes are over the relation's columns by attnum, so they run over a batch whose column 0 is
 * nobody's. */
#include "sqlfront/run/write.h"

/* ---- compiling ---- */

static enum sqlstate make_index(struct row_writer *writer, const struct index *index,
                                const struct index_bound *bound, struct error *error)
{
    struct operation *step = writer->step;
    struct index_writer *made = &writer->index[writer->indexes++];
    *made = (struct index_writer){.index = index, .unique = index_is_key(index)};
    made->expression = scope_alloc_zeroed(step->scope, (index->expressions + 1) * sizeof made->expression[0]);
    made->include = scope_alloc(step->scope, (index->columns + 1) * sizeof made->include[0]);
    for (uint32_t i = index->key_columns; i < index->columns; i++)
        made->include[i - index->key_columns] = (uint32_t)index->column[i] - 1;
    enum sqlstate failed = SQLSTATE_OK;
    if ((index->expressions || index->predicate_text) && bound == NULL)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "index \"%s\" was not bound", index->name);
    for (uint32_t i = 0; i < index->expressions && !failed; i++)
        failed = operation_program(step, bound->expression[i], &made->expression[i], error);
    return failed || !bound ? failed : operation_program(step, bound->predicate, &made->predicate, error);
}

enum sqlstate writer_make(struct operation *step, const struct relation *relation,
                          const struct table_bound *bound, struct row_writer **made, struct error *error)
{
    struct row_writer *writer = *made = scope_alloc_zeroed(step->scope, sizeof *writer);
    enum sqlstate failed = SQLSTATE_OK;
    *writer =
        (struct row_writer){.step = step, .execution = step->execution, .relation = relation, .bound = bound};
    writer->activity = relation_activity(step->execution, relation);
    writer->generated =
        scope_alloc_zeroed(step->scope, (relation->columns + 1) * sizeof writer->generated[0]);
    writer->all = scope_alloc(step->scope, (relation->columns + 1) * sizeof writer->all[0]);
    writer->index = scope_alloc_zeroed(step->scope, (relation->indexes + 1) * sizeof writer->index[0]);
    uint32_t checks = bound ? bound->checks : 0;
    writer->check = scope_alloc_zeroed(step->scope, (checks + 1) * sizeof writer->check[0]);
    for (uint32_t c = 0; c < relation->columns && !failed; c++) {
        writer->all[c] = (uint16_t)c;
        if (bound && bound->generated && bound->generated[c]) {
            writer->any_generated = true;
            failed = operation_program(step, bound->generated[c], &writer->generated[c], error);
        }
    }
    for (uint32_t i = 0; i < checks && !failed; i++)
        failed = operation_program(step, bound->check[i], &writer->check[i], error);
    for (uint32_t i = 0; i < relation->indexes && !failed; i++) {
        const struct index *index = relation->index[i];
        if (index->clustered)
            writer->primary = index;
        else if (index->newer)
            failed = error_set(error, SQLSTATE_SERIALIZATION_FAILURE,
                               "could not serialize access due to concurrent update");
        else if (index->ready)
            failed = make_index(writer, index, bound && bound->index ? bound->index[i] : NULL, error);
    }
    return failed;
}

/* ---- columns as a batch ---- */

static struct batch bound_batch(struct scope *scope, const struct relation *relation,
                                struct value *const *columns, uint32_t count)
{
    const struct value **column = scope_alloc(scope, (relation->columns + 1) * sizeof column[0]);
    column[0] = columns[0];
    for (uint32_t c = 0; c < relation->columns; c++)
        column[c + 1] = columns[c];
    return (struct batch){.columns = relation->columns + 1, .count = count, .column = column};
}

enum sqlstate writer_decode(struct row_writer *writer, struct bytes row, struct value *values,
                            struct error *error)
{
    return row_decode(writer->relation->layout, row, writer->all, writer->relation->columns, values, error);
}

/* ---- checks ---- */

static enum sqlstate run_generated(struct row_writer *writer, struct change *change, struct error *error)
{
    const struct relation *relation = writer->relation;
    struct batch batch = bound_batch(change->scope, relation, change->new, change->count);
    for (uint32_t c = 0; c < relation->columns; c++) {
        if (writer->generated[c] == NULL)
            continue;
        struct value *result = scope_alloc(change->scope, change->count * sizeof result[0]);
        enum sqlstate failed = program_run(writer->generated[c], &batch, change->scope, result, error);
        if (failed)
            return failed;
        change->new[c] = result;
    }
    return SQLSTATE_OK;
}

/* The first row that fails anything fails as PostgreSQL has it: its nulls first, then checks by name. */
static enum sqlstate check_rows(struct row_writer *writer, struct change *change, struct error *error)
{
    const struct relation *relation = writer->relation;
    for (uint32_t c = 0; c < relation->columns; c++) {
        if (!relation->column[c].not_null || relation->column[c].dropped)
            continue;
        for (uint32_t i = 0; i < change->count; i++)
            if (change->new[c][i].null)
                return raise_not_null(writer, change, i, c, error);
    }
    uint32_t checks = writer->bound ? writer->bound->checks : 0;
    if (checks == 0)
        return SQLSTATE_OK;
    struct batch batch = bound_batch(change->scope, relation, change->new, change->count);
    for (uint32_t k = 0; k < checks; k++) {
        const struct value *values;
        enum sqlstate failed = program_view(writer->check[k], &batch, change->scope, &values, error);
        if (failed)
            return failed;
        for (uint32_t i = 0; i < change->count; i++)
            if (!values[i].null && !values[i].i)
                return raise_check(writer, change, i, writer->bound->check_constraint[k], error);
    }
    return SQLSTATE_OK;
}

static enum sqlstate make_key(struct row_writer *writer, struct change *change, uint32_t row,
                              struct error *error)
{
    const struct relation *relation = writer->relation;
    if (relation->key_columns == 0) {
        if (change->kind == QUERY_UPDATE) {
            change->new_key[row] = change->old_key[row];
            return SQLSTATE_OK;
        }
        uint64_t id = __builtin_bswap64(catalog_row_id(writer->execution->request.catalog));
        change->new_key[row] = bytes_of(scope_copy(change->scope, &id, sizeof id), sizeof id);
        return SQLSTATE_OK;
    }
    struct key_writer key;
    key.size = 0;
    for (uint32_t i = 0; i < relation->key_columns; i++) {
        const struct value *value = &change->new[relation->key_column[i] - 1][row];
        enum sqlstate failed = key_append(&key, &relation->key_part[i], value, error);
        if (failed)
            return failed;
    }
    change->new_key[row] = bytes_of(scope_copy(change->scope, key.bytes, key.size), key.size);
    return SQLSTATE_OK;
}

enum sqlstate writer_check(struct row_writer *writer, struct change *change, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (change->kind == QUERY_DELETE)
        return SQLSTATE_OK;
    if (writer->any_generated)
        failed = run_generated(writer, change, error);
    if (!failed)
        failed = check_rows(writer, change, error);
    change->new_key = scope_alloc(change->scope, (change->count + 1) * sizeof change->new_key[0]);
    for (uint32_t i = 0; i < change->count && !failed; i++)
        failed = make_key(writer, change, i, error);
    return failed;
}

/* ---- index entries ---- */

static enum sqlstate append_parts(const struct index_writer *index, struct scope *scope,
                                  const struct value *bound, uint32_t columns, struct key_writer *key,
                                  bool *any_null, struct error *error)
{
    uint32_t expressions = 0;
    for (uint32_t i = 0; i < index->index->key_columns; i++) {
        struct value value;
        enum sqlstate failed = SQLSTATE_OK;
        if (index->index->column[i])
            value = bound[index->index->column[i]];
        else
            failed = program_run_row(index->expression[expressions++], bound, columns, scope, &value, error);
        *any_null |= !failed && value.null;
        if (!failed)
            failed = key_append(key, &index->index->key_part[i], &value, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

enum sqlstate writer_entry(struct row_writer *writer, const struct index_writer *index, struct scope *scope,
                           struct value *const *columns, uint32_t row, struct bytes row_key,
                           struct bytes *key, struct bytes *entry, bool *unique, bool *is_in,
                           struct error *error)
{
    const struct relation *relation = writer->relation;
    struct scope *scratch = scope_open(scope, "entry");
    struct value *bound = scope_alloc(scratch, (relation->columns + 1) * sizeof bound[0]);
    struct key_writer made;
    struct value truth = value_boolean(true);
    bool any_null = false;
    enum sqlstate failed = SQLSTATE_OK;
    made.size = 0;
    bound[0] = value_null();
    for (uint32_t c = 0; c < relation->columns; c++)
        bound[c + 1] = columns[c][row];
    if (index->predicate)
        failed = program_run_row(index->predicate, bound, relation->columns + 1, scratch, &truth, error);
    *is_in = !failed && !truth.null && truth.i;
    if (*is_in)
        failed = append_parts(index, scratch, bound, relation->columns + 1, &made, &any_null, error);
    *unique = index->unique && (!any_null || !index->index->nulls_distinct);
    if (!failed && *is_in && !*unique) {
        if (made.size + row_key.size > STORE_KEY_BYTES_MAX)
            failed = error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                               "index row size %zu exceeds maximum %d for index \"%s\"",
                               made.size + row_key.size, STORE_KEY_BYTES_MAX, index->index->name);
        else
            memcpy(made.bytes + made.size, row_key.data, row_key.size);
        made.size += (uint32_t)row_key.size;
    }
    if (!failed && *is_in) {
        uint32_t included = index->index->columns - index->index->key_columns;
        struct value *values = scope_alloc(scratch, (included + 1) * sizeof values[0]);
        values[0] = value_bytes(row_key.data, row_key.size);
        for (uint32_t i = 0; i < included; i++)
            values[i + 1] = columns[index->include[i]][row];
        *key = bytes_of(scope_copy(scope, made.bytes, made.size ? made.size : 1), made.size);
        failed = row_encode(index->index->layout, scope, values, entry, error);
    }
    scope_close(scratch);
    return failed;
}

/* ---- writing ---- */

/* Effects on one table, and which row each came of. */
struct effects_of {
    struct effect *effect;
    uint32_t *row;
    bool *done;
    uint32_t count;
};

static struct effects_of effects_room(struct scope *scope, uint32_t count)
{
    return (struct effects_of){.effect = scope_alloc(scope, (count + 1) * sizeof(struct effect)),
                               .row = scope_alloc(scope, (count + 1) * sizeof(uint32_t)),
                               .done = scope_alloc(scope, (count + 1) * sizeof(bool))};
}

static void add_effect(struct effects_of *effects, enum effect_kind kind, struct bytes key, struct bytes row,
                       uint32_t number)
{
    effects->effect[effects->count] =
        (struct effect){.kind = kind, .key = key, .row = kind == EFFECT_DELETE ? bytes_of(NULL, 0) : row};
    effects->row[effects->count++] = number;
}

static enum sqlstate perform(struct row_writer *writer, const struct change *change, uint64_t table,
                             const struct index *index, struct effects_of *effects, struct error *error)
{
    enum sqlstate failed =
        write_effects(writer->execution, table, effects->effect, effects->count, effects->done, error);
    for (uint32_t i = 0; i < effects->count && !failed; i++) {
        if (effects->done[i])
            continue;
        if (effects->effect[i].kind == EFFECT_INSERT && index)
            return raise_duplicate(writer, index, change->new, effects->row[i], error);
        return error_set(error, SQLSTATE_DATA_CORRUPTED, "%s \"%s\" and its rows do not agree",
                         index ? "index" : "relation", index ? index->name : writer->relation->name);
    }
    effects->count = 0;
    return failed;
}

static bool same_bytes(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* `values`: room for a row. */
static enum sqlstate encode(struct row_writer *writer, const struct change *change, uint32_t row,
                            struct value *values, struct bytes *bytes, struct error *error)
{
    const struct relation *relation = writer->relation;
    for (uint32_t c = 0; c < relation->columns; c++)
        values[c] = relation->column[c].dropped ? value_null() : change->new[c][row];
    return row_encode(relation->layout, change->scope, values, bytes, error);
}

/* What the change does to the rows themselves: what leaves its key, and what comes. */
static enum sqlstate table_effects(struct row_writer *writer, struct change *change, struct effects_of *gone,
                                   struct effects_of *come, struct error *error)
{
    struct value *values = scope_alloc(change->scope, (writer->relation->columns + 1) * sizeof values[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < change->count && !failed; i++) {
        struct bytes row = {0};
        bool stays = change->kind == QUERY_UPDATE && same_bytes(change->old_key[i], change->new_key[i]);
        if (change->kind != QUERY_DELETE)
            failed = encode(writer, change, i, values, &row, error);
        if (change->kind != QUERY_INSERT && !stays)
            add_effect(gone, EFFECT_DELETE, change->old_key[i], row, i);
        if (change->kind != QUERY_DELETE)
            add_effect(come, stays ? EFFECT_UPDATE : EFFECT_INSERT, change->new_key[i], row, i);
    }
    return failed;
}

/* What leaves goes first, so that others may come there. */
static enum sqlstate write_table(struct row_writer *writer, struct change *change, struct error *error)
{
    uint64_t table = writer->relation->store;
    struct effects_of gone = effects_room(change->scope, change->count);
    struct effects_of come = effects_room(change->scope, change->count);
    enum sqlstate failed = table_effects(writer, change, &gone, &come, error);
    if (!failed)
        failed = perform(writer, change, table, NULL, &gone, error);
    if (!failed)
        failed = perform(writer, change, table, writer->primary, &come, error);
    return failed;
}

/* An index that is being built may not have an entry yet, or have it for another row with the same key: then there is nothing to
 * delete, and what was to be updated is to be inserted. */
static enum sqlstate sort_out(struct row_writer *writer, struct change *change, const struct index *index,
                              struct effects_of *effects, struct error *error)
{
    uint32_t count = effects->count, kept = 0;
    struct bytes *keys = scope_alloc(change->scope, (count + 1) * sizeof keys[0]);
    struct locked_row *locked = scope_alloc_zeroed(change->scope, (count + 1) * sizeof locked[0]);
    for (uint32_t i = 0; i < count; i++)
        keys[i] = effects->effect[i].key;
    const struct lock_request_rows request = {.table = index->store,
                                              .key = keys,
                                              .count = count,
                                              .strength = LOCK_UPDATE,
                                              .policy = LOCK_WAIT,
                                              .relation = writer->relation,
                                              .always = true};
    enum sqlstate failed = lock_rows(writer->execution, change->scope, &request, locked, error);
    for (uint32_t i = 0; i < count && !failed; i++) {
        struct effect *effect = &effects->effect[i];
        struct value of = value_null();
        if (effect->kind != EFFECT_INSERT && locked[i].result == ROW_CHANGED)
            failed = row_decode(index->layout, locked[i].row, (uint16_t[]){0}, 1, &of, error);
        bool own = !failed && !of.null && same_bytes(value_view(&of), change->old_key[effects->row[i]]);
        if (!own && effect->kind == EFFECT_DELETE)
            continue;
        if (!own)
            effect->kind = EFFECT_INSERT;
        effects->effect[kept] = *effect;
        effects->row[kept++] = effects->row[i];
    }
    effects->count = kept;
    return failed;
}

/* An entry that stays as it is is not written; one whose key stays is updated. */
static enum sqlstate write_index(struct row_writer *writer, struct change *change,
                                 const struct index_writer *index, struct error *error)
{
    struct effects_of gone = effects_room(change->scope, change->count);
    struct effects_of come = effects_room(change->scope, change->count);
    struct bytes old_key = {0}, old_entry = {0}, new_key = {0}, new_entry = {0};
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < change->count && !failed; i++) {
        bool was_in = false, is_in = false, unique;
        if (change->kind != QUERY_INSERT)
            failed = writer_entry(writer, index, change->scope, change->old, i, change->old_key[i], &old_key,
                                  &old_entry, &unique, &was_in, error);
        if (!failed && change->kind != QUERY_DELETE)
            failed = writer_entry(writer, index, change->scope, change->new, i, change->new_key[i], &new_key,
                                  &new_entry, &unique, &is_in, error);
        if (failed)
            break;
        bool same_key = was_in && is_in && same_bytes(old_key, new_key);
        if (same_key && same_bytes(old_entry, new_entry))
            continue;
        if (was_in && !same_key)
            add_effect(&gone, EFFECT_DELETE, old_key, old_entry, i);
        if (is_in)
            add_effect(&come, same_key ? EFFECT_UPDATE : EFFECT_INSERT, new_key, new_entry, i);
    }
    if (!failed && !index->index->valid)
        failed = sort_out(writer, change, index->index, &gone, error);
    if (!failed && !index->index->valid)
        failed = sort_out(writer, change, index->index, &come, error);
    if (!failed)
        failed = perform(writer, change, index->index->store, index->index, &gone, error);
    if (!failed)
        failed = perform(writer, change, index->index->store, index->index, &come, error);
    return failed;
}

/* ---- while the next rows are read ---- */

/* Rows on their way to their owners. A duplicate is told of by the row that was to be inserted, for the columns it came from may be
 * gone by then. */
struct writing {
    struct row_writer *writer;
    struct scope *scope;
    struct effects_of effects;
    struct fiber_queue over;
    bool ended;
    enum sqlstate failed;
    struct error error;
};

static enum sqlstate raise_duplicate_row(struct row_writer *writer, struct scope *scope, struct bytes row,
                                         struct error *error)
{
    uint32_t columns = writer->relation->columns;
    struct value *values = scope_alloc(scope, (columns + 1) * sizeof values[0]);
    struct value **column = scope_alloc(scope, (columns + 1) * sizeof column[0]);
    enum sqlstate failed = writer_decode(writer, row, values, error);
    for (uint32_t c = 0; c < columns; c++)
        column[c] = &values[c];
    return failed ? failed : raise_duplicate(writer, writer->primary, column, 0, error);
}

static void run_writing(void *argument)
{
    struct writing *writing = argument;
    struct row_writer *writer = writing->writer;
    const struct effects_of *effects = &writing->effects;
    writing->failed = write_effects(writer->execution, writer->relation->store, effects->effect,
                                    effects->count, effects->done, &writing->error);
    for (uint32_t i = 0; i < effects->count && !writing->failed; i++)
        if (!effects->done[i])
            writing->failed =
                raise_duplicate_row(writer, writing->scope, effects->effect[i].row, &writing->error);
    writing->ended = true;
    fiber_wake_all(&writing->over);
}

enum sqlstate writer_start(struct row_writer *writer, struct change *change, struct error *error)
{
    struct world *world = operation_world(writer->step);
    if (change->kind != QUERY_INSERT || writer->indexes || change->count < BATCH_ROWS / 2 ||
        world->cores == 1)
        return writer_write(writer, change, error);
    writer->activity->inserted += change->count;
    struct scope *scope = scope_open(writer->step->memory, "writing");
    struct writing *writing = scope_alloc_zeroed(scope, sizeof *writing);
    struct effects_of none = effects_room(change->scope, 0);
    *writing = (struct writing){
        .writer = writer, .scope = scope, .effects = effects_room(change->scope, change->count)};
    fiber_queue_init(&writing->over);
    enum sqlstate failed = table_effects(writer, change, &none, &writing->effects, error);
    if (!failed)
        failed = foreign_note(writer, change, error);
    if (!failed)
        failed = fiber_start(world->scheduler, scope, "writing", run_writing, writing, NULL, error);
    if (failed)
        scope_close(scope);
    else
        writer->writing = writing;
    return failed;
}

enum sqlstate writer_finish(struct row_writer *writer, struct error *error)
{
    struct scheduler *scheduler = operation_world(writer->step)->scheduler;
    struct writing *writing = writer->writing;
    enum sqlstate failed = SQLSTATE_OK;
    if (!writing)
        return SQLSTATE_OK;
    writer->writing = NULL;
    while (!failed && !writing->ended)
        if (fiber_wait(scheduler, &writing->over, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            failed = fiber_check_canceled(scheduler, error);
    if (!failed && writing->failed) {
        failed = writing->failed;
        *error = writing->error;
    }
    fiber_close_scope(scheduler, writing->scope);
    return failed;
}

enum sqlstate writer_write(struct row_writer *writer, struct change *change, struct error *error)
{
    enum sqlstate failed = write_table(writer, change, error);
    for (uint32_t i = 0; i < writer->indexes && !failed; i++)
        failed = write_index(writer, change, &writer->index[i], error);
    if (!failed)
        *(change->kind == QUERY_INSERT   ? &writer->activity->inserted
          : change->kind == QUERY_UPDATE ? &writer->activity->updated
                                         : &writer->activity->deleted) += change->count;
    return failed ? failed : foreign_note(writer, change, error);
}
