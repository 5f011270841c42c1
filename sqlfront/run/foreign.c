/* Foreign keys: what changes mean for them, noted as they happen and settled at the end of the statement (PostgreSQL manual
 * 5.4.5). Nothing of a statement looks at keys before all of it is done, so rows may refer to each other.
 *
 * A child's key must exist: its entry in the parent's index is locked KEY SHARE, so nobody takes it away before this
 * transaction ends. A key that a parent has lost: the children that have it are looked for in a new statement, and then the
 * action is theirs: an error, to be deleted, or to be changed; which may mean something for further keys. */
#include "sqlfront/run/foreign.h"

#include "sqlfront/bind/bind.h"

/* ---- noting ---- */

enum sqlstate foreign_add(struct environment *environment, struct foreign_list *list,
                          const struct constraint *constraint, bool parent_side, bool updated,
                          const struct type *const *types, uint32_t columns, const struct value *values,
                          uint32_t count, struct error *error)
{
    struct foreign_work *work = list->first;
    struct scope *scope = list->scope;
    while (work && (work->constraint->oid != constraint->oid || work->parent_side != parent_side ||
                    work->updated != updated))
        work = work->next;
    enum sqlstate failed;
    if (work == NULL) {
        work = scope_alloc_zeroed(scope, sizeof *work);
        work->constraint = constraint;
        work->parent_side = parent_side;
        work->updated = updated;
        tuple_store_init(&work->rows, scope, count, types);
        if ((failed = tuple_table_init(&work->seen, scope, error)))
            return failed;
        work->next = list->first;
        list->first = work;
    }
    uint64_t hash = 0;
    for (uint32_t i = 0; i < columns; i++)
        hash = hash_combine(hash, value_hash(environment, types[i], &values[i]));
    for (struct tuple *tuple = tuple_table_find(&work->seen, hash); tuple; tuple = tuple->next) {
        bool same = tuple->hash == hash;
        for (uint32_t i = 0; i < columns && same; i++)
            same = value_equal(environment, types[i], &tuple->value[i], &values[i]);
        if (same)
            return SQLSTATE_OK;
    }
    struct tuple *added;
    if ((failed = tuple_store_add_values(&work->rows, values, &added, error)))
        return failed;
    added->hash = hash;
    return tuple_table_add(&work->seen, added, error);
}

enum sqlstate foreign_note_key(struct execution *execution, const struct constraint *constraint,
                               bool parent_side, bool updated, const struct type *const *types,
                               const struct value *values, uint32_t count, struct error *error)
{
    bool waits = !parent_side || (updated ? constraint->on_update : constraint->on_delete) == 'a';
    if (waits && execution->request.deferred && deferred_waits(execution->request.deferred, constraint))
        return deferred_add(execution->request.deferred, execution->environment, constraint, parent_side,
                            updated, types, values, count, error);
    return foreign_add(execution->environment, execution->foreign, constraint, parent_side, updated, types,
                       constraint->columns, values, count, error);
}

static bool values_equal(struct environment *environment, const struct type *type, const struct value *a,
                         const struct value *b)
{
    if (a->null || b->null)
        return a->null == b->null;
    return value_equal(environment, type, a, b);
}

bool columns_changed(struct row_writer *writer, const struct change *change, const int16_t *column,
                     uint32_t count, uint32_t row)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = (uint32_t)column[i] - 1;
        if (!values_equal(writer->execution->environment, writer->relation->types[c], &change->old[c][row],
                          &change->new[c][row]))
            return true;
    }
    return false;
}

static enum sqlstate raise_mixed(struct row_writer *writer, const struct constraint *constraint,
                                 struct error *error)
{
    enum sqlstate failed =
        error_set(error, SQLSTATE_FOREIGN_KEY_VIOLATION,
                  "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
                  writer->relation->name, constraint->name);
    error_add(error, ERROR_DETAIL, "MATCH FULL does not allow mixing of null and nonnull key values.");
    error_add(error, ERROR_SCHEMA, "%s", writer->relation->schema_name);
    error_add(error, ERROR_TABLE, "%s", writer->relation->name);
    error_add(error, ERROR_CONSTRAINT, "%s", constraint->name);
    return failed;
}

static enum sqlstate note_child(struct row_writer *writer, const struct change *change,
                                const struct constraint *constraint, struct error *error)
{
    const struct type *types[KEY_COLUMNS_MAX];
    for (uint32_t k = 0; k < constraint->columns; k++)
        types[k] = writer->relation->types[constraint->column[k] - 1];
    const struct type **lasting = NULL;
    for (uint32_t i = 0; i < change->count; i++) {
        struct value values[KEY_COLUMNS_MAX];
        uint32_t nulls = 0;
        if (change->kind == QUERY_UPDATE &&
            !columns_changed(writer, change, constraint->column, constraint->columns, i))
            continue;
        for (uint32_t k = 0; k < constraint->columns; k++) {
            values[k] = change->new[constraint->column[k] - 1][i];
            nulls += values[k].null;
        }
        if (nulls && nulls < constraint->columns && constraint->match == 'f')
            return raise_mixed(writer, constraint, error);
        if (nulls)
            continue;
        if (lasting == NULL)
            lasting =
                scope_copy(writer->execution->foreign->scope, types, constraint->columns * sizeof types[0]);
        enum sqlstate failed = foreign_note_key(writer->execution, constraint, false, false, lasting, values,
                                                constraint->columns, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* A value of one side's column as the other side's type has it. */
static struct value as_type(const struct type *from, const struct type *to, struct value value)
{
    if (!value.null && from->kind == VALUE_INTEGER && to->kind == VALUE_NUMERIC)
        return value_small_numeric(value.i, 0);
    return value;
}

static enum sqlstate note_parent(struct row_writer *writer, const struct change *change,
                                 const struct constraint *constraint, struct error *error)
{
    const struct relation *relation = writer->relation;
    const struct type **types = NULL;
    bool updated = change->kind == QUERY_UPDATE;
    for (uint32_t i = 0; i < change->count; i++) {
        struct value values[2 * KEY_COLUMNS_MAX];
        bool any_null = false;
        if (updated &&
            !columns_changed(writer, change, constraint->referenced_column, constraint->columns, i))
            continue;
        for (uint32_t k = 0; k < constraint->columns; k++) {
            uint32_t c = (uint32_t)constraint->referenced_column[k] - 1;
            values[k] = change->old[c][i];
            any_null |= values[k].null;
            values[constraint->columns + k] = updated ? change->new[c][i] : value_null();
        }
        if (any_null)
            continue;
        if (types == NULL) {
            types = scope_alloc(writer->execution->foreign->scope, 2 * constraint->columns * sizeof types[0]);
            for (uint32_t k = 0; k < constraint->columns; k++)
                types[k] = types[constraint->columns + k] =
                    relation->types[constraint->referenced_column[k] - 1];
        }
        enum sqlstate failed = foreign_note_key(writer->execution, constraint, true, updated, types, values,
                                                2 * constraint->columns, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

enum sqlstate foreign_note(struct row_writer *writer, const struct change *change, struct error *error)
{
    const struct relation *relation = writer->relation;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < relation->constraints && change->kind != QUERY_DELETE && !failed; i++)
        if (relation->constraint[i].kind == CONSTRAINT_FOREIGN)
            failed = note_child(writer, change, &relation->constraint[i], error);
    for (uint32_t i = 0; i < relation->referencing && change->kind != QUERY_INSERT && !failed; i++)
        failed = note_parent(writer, change, &relation->referenced_by[i], error);
    for (uint32_t i = 0; i < writer->indexes && change->kind != QUERY_DELETE && !failed; i++)
        if (writer->index[i].index->unique && !writer->index[i].index->immediate)
            failed = duplicate_note(writer, change, writer->index[i].index, error);
    return failed;
}

/* ---- errors ---- */

enum sqlstate raise_foreign(struct execution *execution, const struct foreign_work *work,
                            const struct relation *child, const struct relation *parent,
                            const struct value *values, bool restricted, struct error *error)
{
    const struct constraint *constraint = work->constraint;
    struct scope *scope = scope_open(execution->scope, "violation");
    enum sqlstate failed;
    if (work->parent_side) {
        failed = error_set(error, SQLSTATE_FOREIGN_KEY_VIOLATION,
                           "update or delete on table \"%s\" violates foreign key constraint \"%s\" on table "
                           "\"%s\"",
                           parent->name, constraint->name, child->name);
        error_add(error, ERROR_DETAIL, "Key %s is still referenced from table \"%s\".",
                  violation_key(execution, scope, parent, constraint->referenced_column, constraint->columns,
                                values),
                  child->name);
    } else {
        failed = error_set(error, SQLSTATE_FOREIGN_KEY_VIOLATION,
                           "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
                           child->name, constraint->name);
        error_add(error, ERROR_DETAIL, "Key %s is not present in table \"%s\".",
                  violation_key(execution, scope, child, constraint->column, constraint->columns, values),
                  parent->name);
    }
    error_add(error, ERROR_SCHEMA, "%s", child->schema_name);
    error_add(error, ERROR_TABLE, "%s", child->name);
    error_add(error, ERROR_CONSTRAINT, "%s", constraint->name);
    scope_close(scope);
    return failed;
}

/* ---- the parent's keys ---- */

const struct index *index_of(const struct relation *relation, uint32_t oid)
{
    for (uint32_t i = 0; i < relation->indexes; i++)
        if (relation->index[i]->oid == oid)
            return relation->index[i];
    return NULL;
}

/* The key a referenced row would have in the parent's index; *none when its type cannot hold the values. */
static enum sqlstate parent_key(const struct constraint *constraint, const struct relation *parent,
                                const struct index *index, const struct type *const *types,
                                const struct value *values, struct key_writer *key, bool *none,
                                struct error *error)
{
    key->size = 0;
    *none = false;
    for (uint32_t p = 0; p < index->key_columns; p++)
        for (uint32_t k = 0; k < constraint->columns; k++) {
            if (constraint->referenced_column[k] != index->column[p])
                continue;
            const struct type *type = parent->types[index->column[p] - 1];
            struct value value = as_type(types[k], type, values[k]);
            if (bound_is_outside(type, &value)) {
                *none = true;
                return SQLSTATE_OK;
            }
            enum sqlstate failed = key_append(key, &index->key_part[p], &value, error);
            if (failed)
                return failed;
        }
    return SQLSTATE_OK;
}

/* REPEATABLE READ: what came after the snapshot cannot be locked (40001), but as PostgreSQL has it such a key is not there. Gives 40001
 * when the snapshot sees all of them. */
static enum sqlstate see_parents(struct execution *execution, struct scope *scope,
                                 const struct lock_request_rows *request, struct locked_row *locked,
                                 struct error *error)
{
    struct transaction *transaction = execution->request.transaction;
    struct error unseen = *error;
    bool any_missing = false;
    for (uint32_t i = 0; i < request->count; i++) {
        struct bytes row;
        bool found;
        enum sqlstate failed =
            row_get(transaction, scope, request->table, request->key[i], &row, &found, error);
        if (failed)
            return failed;
        locked[i].result = found ? ROW_SAME : ROW_GONE;
        any_missing |= !found;
    }
    if (any_missing) {
        error_clear(error);
        return SQLSTATE_OK;
    }
    *error = unseen;
    return SQLSTATE_SERIALIZATION_FAILURE;
}

/* Which of the keys from `from` on exist now; they are locked. At most BATCH_ROWS. */
static enum sqlstate lock_parents(struct execution *execution, struct scope *scope,
                                  const struct foreign_work *work, const struct relation *parent, size_t from,
                                  uint32_t count, bool *exists, struct error *error)
{
    const struct constraint *constraint = work->constraint;
    const struct index *index = index_of(parent, constraint->index);
    if (index == NULL)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "constraint \"%s\" has no index", constraint->name);
    struct bytes *keys = scope_alloc(scope, (count + 1) * sizeof keys[0]);
    struct locked_row *locked = scope_alloc_zeroed(scope, (count + 1) * sizeof locked[0]);
    uint32_t *number = scope_alloc(scope, (count + 1) * sizeof number[0]), asked = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct key_writer key;
        bool none;
        enum sqlstate failed = parent_key(constraint, parent, index, work->rows.types,
                                          work->rows.tuple[from + i]->value, &key, &none, error);
        if (failed)
            return failed;
        exists[i] = false;
        if (none)
            continue;
        number[asked] = i;
        keys[asked++] = bytes_of(scope_copy(scope, key.bytes, key.size), key.size);
    }
    struct lock_request_rows request = {.table = index->clustered ? parent->store : index->store,
                                        .key = keys,
                                        .count = asked,
                                        .strength = LOCK_KEY_SHARE,
                                        .policy = LOCK_WAIT,
                                        .relation = parent};
    enum sqlstate failed = lock_rows(execution, scope, &request, locked, error);
    if (failed == SQLSTATE_SERIALIZATION_FAILURE && !work->parent_side)
        failed = see_parents(execution, scope, &request, locked, error);
    for (uint32_t i = 0; i < asked && !failed; i++)
        exists[number[i]] = locked[i].result == ROW_SAME;
    return failed;
}

/* ---- the child's rows ---- */

struct children {
    struct execution *execution;
    const struct foreign_work *work;
    const struct relation *child, *parent;
    struct operation *scan;
    struct row_writer *writer;
    const struct index
        *index;      /* whose first columns are the key's; NULL = the table by its own key, or all of it */
    uint32_t equals; /* 0: one pass over all rows */
    uint32_t first_outer;
    struct scope *scope;
};

/* How many of the first key columns of an index are all of the constraint's, 0 = not so. */
static uint32_t leading(const struct constraint *constraint, const int16_t *column, uint32_t columns)
{
    uint32_t equals = 0;
    for (; equals < columns && equals < constraint->columns; equals++) {
        bool is_in = false;
        for (uint32_t k = 0; k < constraint->columns; k++)
            is_in |= constraint->column[k] == column[equals];
        if (!is_in)
            break;
    }
    return equals;
}

static void choose_index(struct children *children)
{
    const struct relation *child = children->child;
    const struct constraint *constraint = children->work->constraint;
    children->equals = leading(constraint, child->key_column, child->key_columns);
    for (uint32_t i = 0; i < child->indexes; i++) {
        const struct index *index = child->index[i];
        uint32_t equals = index->clustered || index->predicate_text || !index->valid
                              ? 0
                              : leading(constraint, index->column, index->key_columns);
        if (equals > children->equals) {
            children->equals = equals;
            children->index = index;
        }
    }
}

/* A plan that reads whole rows and their keys by that index. */
static struct plan *child_plan(struct children *children)
{
    struct scope *scope = children->scope;
    const struct relation *child = children->child;
    const struct constraint *constraint = children->work->constraint;
    struct plan *plan = scope_alloc_zeroed(scope, sizeof *plan);
    const struct type **types = scope_alloc(scope, (child->columns + 1) * sizeof types[0]);
    int16_t *want = scope_alloc(scope, (child->columns + 1) * sizeof want[0]);
    plan->kind = PLAN_SCAN;
    plan->relation = child;
    plan->index = children->index;
    plan->wanted = child->columns;
    plan->want = want;
    plan->wants_key = true;
    plan->columns = child->columns + 1;
    plan->column = types;
    for (uint32_t c = 0; c < child->columns; c++) {
        want[c] = (int16_t)(c + 1);
        types[c] = child->types[c];
    }
    types[child->columns] = type_builtin(TYPE_BYTEA);
    const int16_t *column = children->index ? children->index->column : child->key_column;
    plan->bounds.equals = children->equals;
    plan->bounds.equal = scope_alloc_zeroed(scope, (children->equals + 1) * sizeof plan->bounds.equal[0]);
    for (uint32_t e = 0; e < children->equals; e++)
        for (uint32_t k = 0; k < constraint->columns; k++) {
            if (constraint->column[k] != column[e])
                continue;
            struct expression *outer =
                expression_make(scope, EXPRESSION_PARAMETER, child->types[column[e] - 1]);
            outer->parameter_source = PARAMETER_OUTER;
            outer->number = (int32_t)k;
            plan->bounds.equal[e] = outer;
        }
    return plan;
}

static bool needs_bound(const struct relation *relation)
{
    for (uint32_t c = 0; c < relation->columns; c++)
        if (relation->column[c].generated || relation->column[c].default_text)
            return true;
    for (uint32_t i = 0; i < relation->constraints; i++)
        if (relation->constraint[i].kind == CONSTRAINT_CHECK)
            return true;
    for (uint32_t i = 0; i < relation->indexes; i++)
        if (relation->index[i]->expressions || relation->index[i]->predicate_text)
            return true;
    return false;
}

static enum sqlstate open_children(struct children *children, bool writes, struct error *error)
{
    struct execution *execution = children->execution;
    const struct relation *child = children->child;
    choose_index(children);
    /* The scan has outer values of its own: the key looked for. */
    struct execution *apart = scope_copy(children->scope, execution, sizeof *execution);
    apart->scope = children->scope;
    apart->evaluation.outer = scope_alloc(children->scope, KEY_COLUMNS_MAX * sizeof(struct value));
    list_init(&apart->operations);
    children->execution = apart;
    enum sqlstate failed = operation_make(apart, child_plan(children), &children->scan, error);
    if (failed || !writes)
        return failed;
    struct table_bound *bound = child->bound;
    if (bound == NULL && needs_bound(child)) {
        /* Nobody has written to it yet: its checks and defaults are still texts. */
        struct binder_request request = {.world = execution->world,
                                         .scope = children->scope,
                                         .view = execution->request.view,
                                         .environment = execution->environment};
        failed = bind_table(&request, child, &bound, error);
    }
    return failed ? failed : writer_make(children->scan, child, bound, &children->writer, error);
}

/* The key of the work that a child's row has; NULL when it has another. */
static const struct tuple *find_key(const struct children *children, struct value *const *columns,
                                    uint32_t row)
{
    const struct foreign_work *work = children->work;
    const struct constraint *constraint = work->constraint;
    struct environment *environment = children->execution->environment;
    struct value values[KEY_COLUMNS_MAX];
    uint64_t hash = 0;
    for (uint32_t k = 0; k < constraint->columns; k++) {
        uint32_t c = (uint32_t)constraint->column[k] - 1;
        values[k] = as_type(children->child->types[c], work->rows.types[k], columns[c][row]);
        if (values[k].null)
            return NULL;
        hash = hash_combine(hash, value_hash(environment, work->rows.types[k], &values[k]));
    }
    for (const struct tuple *tuple = tuple_table_find(&work->seen, hash); tuple; tuple = tuple->next) {
        bool same = tuple->hash == hash && !tuple->matched;
        for (uint32_t k = 0; k < constraint->columns && same; k++)
            same = value_equal(environment, work->rows.types[k], &values[k], &tuple->value[k]);
        if (same)
            return tuple;
    }
    return NULL;
}

/* What is done with a batch of children found: dense columns, the row's key behind them. */
struct child_action {
    enum sqlstate (*run)(struct children *children, struct value **columns, uint32_t count,
                         const struct tuple **key, struct error *error);
};

static enum sqlstate act_on_batch(struct children *children, const struct batch *batch,
                                  const struct child_action *action, struct error *error)
{
    uint32_t columns = children->child->columns + 1, found = 0;
    struct scope *scope = scope_open(children->scope, "children");
    struct value **dense = scope_alloc(scope, columns * sizeof dense[0]);
    const struct tuple **key = scope_alloc(scope, (batch->count + 1) * sizeof key[0]);
    for (uint32_t c = 0; c < columns; c++)
        dense[c] = scope_alloc(scope, (batch->count + 1) * sizeof dense[c][0]);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t row = batch_row(batch, i);
        for (uint32_t c = 0; c < columns; c++)
            dense[c][found] = batch->column[c][row];
        key[found] = find_key(children, dense, found);
        found += key[found] != NULL;
    }
    struct scope *whole = children->scope;
    children->scope = scope;
    enum sqlstate failed = found ? action->run(children, dense, found, key, error) : SQLSTATE_OK;
    children->scope = whole;
    scope_close(scope);
    return failed;
}

static enum sqlstate each_child(struct children *children, const struct child_action *action,
                                struct error *error)
{
    const struct foreign_work *work = children->work;
    const struct constraint *constraint = work->constraint;
    size_t passes = children->equals ? work->rows.count : 1;
    for (size_t pass = 0; pass < passes; pass++) {
        const struct tuple *tuple = work->rows.tuple[pass];
        if (children->equals && tuple->matched)
            continue;
        for (uint32_t k = 0; k < constraint->columns; k++)
            children->execution->evaluation.outer[k] = as_type(
                work->rows.types[k], children->child->types[constraint->column[k] - 1], tuple->value[k]);
        enum sqlstate failed = operation_restart(children->scan, error);
        for (;;) {
            const struct batch *batch;
            if (failed || (failed = operation_next(children->scan, &batch, error)))
                return failed;
            if (batch == NULL)
                break;
            failed = act_on_batch(children, batch, action, error);
        }
    }
    return SQLSTATE_OK;
}

/* ---- actions ---- */

static enum sqlstate refuse(struct children *children, struct value **columns, uint32_t count,
                            const struct tuple **key, struct error *error)
{
    return raise_foreign(children->execution, children->work, children->child, children->parent,
                         key[0]->value, false, error);
}

static enum sqlstate refuse_late(struct children *children, struct value **columns, uint32_t count,
                                 const struct tuple **key, struct error *error)
{
    (void)children, (void)columns, (void)count, (void)key;
    return error_set(error, SQLSTATE_SERIALIZATION_FAILURE,
                     "could not serialize access due to concurrent update");
}

/* Locks the rows; those that changed meanwhile are looked at again. */
static enum sqlstate lock_children(struct children *children, struct value **columns, uint32_t *count,
                                   const struct tuple **key, struct bytes *keys, struct error *error)
{
    const struct relation *child = children->child;
    struct locked_row *locked = scope_alloc_zeroed(children->scope, (*count + 1) * sizeof locked[0]);
    for (uint32_t i = 0; i < *count; i++)
        keys[i] = value_view(&columns[child->columns][i]);
    struct lock_request_rows request = {.table = child->store,
                                        .key = keys,
                                        .count = *count,
                                        .strength = LOCK_UPDATE,
                                        .policy = LOCK_WAIT,
                                        .relation = child,
                                        .old = columns};
    uint32_t kept = 0;
    enum sqlstate failed = lock_rows(children->execution, children->scope, &request, locked, error);
    for (uint32_t i = 0; i < *count && !failed; i++) {
        if (locked[i].result == ROW_GONE)
            continue;
        if (locked[i].result == ROW_CHANGED) {
            struct value *newest = scope_alloc(children->scope, (child->columns + 1) * sizeof newest[0]);
            failed = writer_decode(children->writer, locked[i].row, newest, error);
            for (uint32_t c = 0; c < child->columns && !failed; c++)
                columns[c][i] = newest[c];
            key[i] = failed ? NULL : find_key(children, columns, i);
            if (key[i] == NULL)
                continue;
        }
        for (uint32_t c = 0; c <= child->columns && kept != i; c++)
            columns[c][kept] = columns[c][i];
        key[kept] = key[i];
        keys[kept++] = keys[i];
    }
    *count = kept;
    return failed;
}

static enum sqlstate delete_children(struct children *children, struct value **columns, uint32_t count,
                                     const struct tuple **key, struct error *error)
{
    struct bytes *keys = scope_alloc(children->scope, (count + 1) * sizeof keys[0]);
    enum sqlstate failed = lock_children(children, columns, &count, key, keys, error);
    struct change change = {
        .kind = QUERY_DELETE, .count = count, .scope = children->scope, .old = columns, .old_key = keys};
    return failed || count == 0 ? failed : writer_write(children->writer, &change, error);
}

/* CASCADE of an update, SET NULL, SET DEFAULT: what a column of the key becomes. */
static enum sqlstate new_value(struct children *children, char action, uint32_t k, const struct tuple *key,
                               struct value *value, struct error *error)
{
    const struct constraint *constraint = children->work->constraint;
    uint32_t c = (uint32_t)constraint->column[k] - 1;
    const struct table_bound *bound = children->child->bound;
    *value = value_null();
    if (action == 'c')
        *value = as_type(children->work->rows.types[k], children->child->types[c],
                         key->value[constraint->columns + k]);
    if (action == 'd' && bound && bound->defaults[c])
        return evaluate_constant(children->scope, &children->execution->evaluation, bound->defaults[c], value,
                                 error);
    return SQLSTATE_OK;
}

static enum sqlstate change_children(struct children *children, struct value **columns, uint32_t count,
                                     const struct tuple **key, struct error *error)
{
    const struct foreign_work *work = children->work;
    const struct constraint *constraint = work->constraint;
    uint32_t width = children->child->columns;
    char action = work->updated ? constraint->on_update : constraint->on_delete;
    struct bytes *keys = scope_alloc(children->scope, (count + 1) * sizeof keys[0]);
    enum sqlstate failed = lock_children(children, columns, &count, key, keys, error);
    struct change change = {.kind = QUERY_UPDATE,
                            .count = count,
                            .scope = children->scope,
                            .old = columns,
                            .new = scope_copy(children->scope, columns, (width + 1) * sizeof columns[0]),
                            .old_key = keys};
    for (uint32_t k = 0; k < constraint->columns && !failed; k++) {
        struct value *values = scope_alloc(children->scope, (count + 1) * sizeof values[0]);
        change.new[constraint->column[k] - 1] = values;
        for (uint32_t i = 0; i < count && !failed; i++)
            failed = new_value(children, action, k, key[i], &values[i], error);
    }
    if (!failed && count)
        failed = writer_check(children->writer, &change, error);
    if (!failed && count)
        failed = writer_write(children->writer, &change, error);
    return failed;
}

/* ---- work ---- */

static enum sqlstate run_parent_side(struct execution *execution, struct foreign_work *work,
                                     struct children *children, struct error *error)
{
    char action = work->updated ? work->constraint->on_update : work->constraint->on_delete;
    bool checks = action == 'a' || action == 'r';
    enum sqlstate failed = SQLSTATE_OK;
    bool exists[BATCH_ROWS];
    for (size_t i = 0; i < work->rows.count; i++)
        work->rows.tuple[i]->matched = false;
    /* A key that came back is nobody's loss. */
    for (size_t from = 0; from < work->rows.count && action == 'a' && !failed; from += BATCH_ROWS) {
        size_t left = work->rows.count - from;
        uint32_t count = left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS;
        failed = lock_parents(execution, children->scope, work, children->parent, from, count, exists, error);
        for (uint32_t i = 0; i < count && !failed; i++)
            work->rows.tuple[from + i]->matched = exists[i];
    }
    if (!failed)
        failed = open_children(children, !checks, error);
    if (failed)
        return failed;
    const struct child_action refuses = {refuse}, deletes = {delete_children}, changes = {change_children};
    const struct child_action *what = checks                            ? &refuses
                                      : action == 'c' && !work->updated ? &deletes
                                                                        : &changes;
    if (!checks)
        failed = each_child(children, what, error);
    if (failed || (!checks && execution->request.isolation != REPEATABLE_READ))
        return failed;
    /* Children that others have made since the snapshot count, too; what they have made cannot be changed. */
    struct transaction *transaction = execution->request.transaction;
    const struct child_action late = {refuse_late};
    failed = transaction_look_ahead(transaction, error);
    if (!failed)
        failed = each_child(children, checks ? &refuses : &late, error);
    transaction_look_back(transaction);
    return failed;
}

static enum sqlstate run_child_side(struct execution *execution, struct foreign_work *work,
                                    struct children *children, struct error *error)
{
    bool exists[BATCH_ROWS], any_missing = false;
    for (size_t from = 0; from < work->rows.count; from += BATCH_ROWS) {
        size_t left = work->rows.count - from;
        uint32_t count = left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS;
        enum sqlstate failed =
            lock_parents(execution, children->scope, work, children->parent, from, count, exists, error);
        for (uint32_t i = 0; i < count && !failed; i++) {
            work->rows.tuple[from + i]->matched = exists[i];
            any_missing |= !exists[i];
            if (!exists[i] && !work->waited)
                return raise_foreign(execution, work, children->child, children->parent,
                                     work->rows.tuple[from + i]->value, false, error);
        }
        if (failed)
            return failed;
    }
    /* The row that had the key may have lost it since. */
    if (!any_missing)
        return SQLSTATE_OK;
    const struct child_action refuses = {refuse};
    enum sqlstate failed = open_children(children, false, error);
    return failed ? failed : each_child(children, &refuses, error);
}

/* Children that an action writes to are locked as any other table that is written to. Until that was granted their definition,
 * indexes for instance, may have become another: *view is one that knows. It lasts as long as notes of foreign keys do. */
static enum sqlstate lock_child(struct execution *execution, const struct foreign_work *work,
                                struct catalog_view **view, struct error *error)
{
    char action = work->updated ? work->constraint->on_update : work->constraint->on_delete;
    bool waited;
    if (!work->parent_side || action == 'a' || action == 'r')
        return SQLSTATE_OK;
    enum sqlstate failed = catalog_lock_relation(*view, work->constraint->relation, LOCK_ROW_EXCLUSIVE,
                                                 LOCK_WAIT, &waited, error);
    if (failed || (!waited && catalog_view_stands(*view)))
        return failed;
    return catalog_view_renew(*view, execution->scope, view, error);
}

enum sqlstate foreign_work_run(struct execution *execution, struct foreign_work *work, struct error *error)
{
    if (work->constraint->kind != CONSTRAINT_FOREIGN)
        return duplicate_work_run(execution, work, error);
    struct catalog_view *view = execution->request.view;
    struct children children = {.execution = execution, .work = work};
    enum sqlstate failed = lock_child(execution, work, &view, error);
    if (!failed)
        failed = catalog_relation_by_oid(view, work->constraint->relation, &children.child, error);
    if (!failed)
        failed = catalog_relation_by_oid(view, work->constraint->referenced, &children.parent, error);
    if (failed || !children.child || !children.parent)
        return failed; /* dropped in this transaction: nothing to hold to */
    children.scope = scope_open(execution->scope, "foreign key");
    failed = work->parent_side ? run_parent_side(execution, work, &children, error)
                               : run_child_side(execution, work, &children, error);
    scope_close(children.scope);
    return failed;
}

enum sqlstate foreign_settle(struct execution *execution, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    while (execution->foreign->first && !failed) {
        struct foreign_work *work = execution->foreign->first;
        execution->foreign->first = NULL;
        bool looks_for_children = false;
        for (struct foreign_work *at = work; at; at = at->next)
            looks_for_children |= at->parent_side;
        if (looks_for_children) {
            if ((failed = transaction_catch_up(execution->request.transaction, error)))
                return failed;
            transaction_statement(execution->request.transaction);
        }
        /* Notes were put in front: the first is done first. */
        struct foreign_work *in_order = NULL;
        for (struct foreign_work *next; work; work = next) {
            next = work->next;
            work->next = in_order;
            in_order = work;
        }
        for (; in_order && !failed; in_order = in_order->next)
            failed = foreign_work_run(execution, in_order, error);
    }
    return failed;
}
