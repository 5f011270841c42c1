/* HASH_JOIN: the second input in a hash table, the first one looked up in it.
 *
 * null_aware is NOT IN: a row whose key is null could equal anything, and so could a tuple's: those are candidates, too, and
 * if the condition lets one pass the row does not go out. */
#include "sqlfront/run/join.h"

struct hash_join {
    struct join join;
    struct program **left, **right;
    struct tuple_table table;
    uint32_t *key_at; /* where in the tuple each key stands */
    uint32_t extra;   /* keys that are no slots: behind the slots */
    const struct type **types;
    struct scope *batch_scope;
    const struct value **probe_key;
    uint64_t *hash; /* per row of the probe batch */
    bool *null;     /* a key that must not be null is */
    bool any_null;  /* a tuple has a null key */
    size_t scan_at; /* null_aware: tuples looked through */
};

static bool nulls_equal(const struct plan *plan, uint32_t key)
{
    return plan->key_nulls_equal && plan->key_nulls_equal[key];
}

static enum sqlstate open_hash_join(struct operation *step, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)step;
    const struct plan *plan = step->plan;
    uint32_t columns = plan->input[1]->columns;
    hash->left = scope_alloc_zeroed(step->scope, (plan->keys + 1) * sizeof hash->left[0]);
    hash->right = scope_alloc_zeroed(step->scope, (plan->keys + 1) * sizeof hash->right[0]);
    hash->key_at = scope_alloc(step->scope, (plan->keys + 1) * sizeof hash->key_at[0]);
    hash->probe_key = scope_alloc(step->scope, (plan->keys + 1) * sizeof hash->probe_key[0]);
    hash->hash = scope_alloc(step->scope, BATCH_ROWS * sizeof hash->hash[0]);
    hash->null = scope_alloc(step->scope, BATCH_ROWS * sizeof hash->null[0]);
    hash->types = scope_alloc(step->scope, (columns + plan->keys + 1) * sizeof hash->types[0]);
    memcpy(hash->types, plan->input[1]->column, columns * sizeof hash->types[0]);
    enum sqlstate failed = join_open(step, error);
    for (uint32_t i = 0; i < plan->keys && !failed; i++) {
        const struct plan_key *key = &plan->right_key[i];
        failed = operation_program(step, plan->key[i].expression, &hash->left[i], error);
        bool slot = key->expression->kind == EXPRESSION_COLUMN;
        hash->key_at[i] = slot ? (uint32_t)key->expression->number : columns + hash->extra;
        if (!slot)
            hash->types[columns + hash->extra++] = key->type;
        if (!failed)
            failed = operation_program(step, key->expression, &hash->right[i], error);
    }
    return failed;
}

/* The hashes of keys over a batch, and whether one is null that may not be. */
static void hash_keys(struct hash_join *hash, const struct plan_key *keys, const struct value **values,
                      const struct batch *batch)
{
    const struct plan *plan = hash->join.step.plan;
    struct environment *environment = operation_environment(&hash->join.step);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t row = batch_row(batch, i);
        hash->hash[row] = 0;
        hash->null[row] = false;
    }
    for (uint32_t k = 0; k < plan->keys; k++)
        for (uint32_t i = 0; i < batch->count; i++) {
            uint32_t row = batch_row(batch, i);
            const struct value *value = &values[k][row];
            hash->null[row] |= value->null && !nulls_equal(plan, k);
            hash->hash[row] = hash_combine(
                hash->hash[row], value->null ? HASH_OF_NULL : value_hash(environment, keys[k].type, value));
        }
}

static enum sqlstate add_batch(struct hash_join *hash, const struct batch *input, struct error *error)
{
    struct operation *step = &hash->join.step;
    const struct plan *plan = step->plan;
    uint32_t columns = plan->input[1]->columns;
    const struct value **column = scope_alloc(step->scratch, (columns + plan->keys + 1) * sizeof column[0]);
    const struct value **keys = scope_alloc(step->scratch, (plan->keys + 1) * sizeof keys[0]);
    enum sqlstate failed = SQLSTATE_OK;
    memcpy(column, input->column, columns * sizeof column[0]);
    for (uint32_t k = 0; k < plan->keys && !failed; k++) {
        failed = program_view(hash->right[k], input, step->scratch, &keys[k], error);
        column[hash->key_at[k]] = keys[k];
    }
    if (failed)
        return failed;
    hash_keys(hash, plan->right_key, keys, input);
    bool keep_null = join_keeps_right(plan) || plan->null_aware;
    for (uint32_t i = 0; i < input->count && !failed; i++) {
        uint32_t row = batch_row(input, i);
        struct tuple *tuple;
        if (hash->null[row] && !keep_null)
            continue;
        if ((failed = tuple_store_add(&hash->join.store, column, row, &tuple, error)))
            break;
        tuple->hash = hash->hash[row];
        tuple->null_key = hash->null[row];
        hash->any_null |= tuple->null_key;
        if (!tuple->null_key)
            failed = tuple_table_add(&hash->table, tuple, error);
    }
    return failed;
}

static enum sqlstate build(struct join *join, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)join;
    struct operation *step = &join->step;
    join->store.columns = join->right_columns + hash->extra;
    join->store.types = hash->types;
    hash->any_null = false;
    enum sqlstate failed = tuple_table_init(&hash->table, step->memory, error);
    while (!failed) {
        const struct batch *input;
        if ((failed = operation_next(step->input[1], &input, error)) || input == NULL)
            break;
        operation_clear_scratch(step);
        failed = add_batch(hash, input, error);
    }
    return failed;
}

static enum sqlstate begin_batch(struct join *join, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)join;
    struct operation *step = &join->step;
    const struct plan *plan = step->plan;
    if (hash->batch_scope)
        scope_close(hash->batch_scope);
    hash->batch_scope = scope_open(step->scope, "probe");
    for (uint32_t k = 0; k < plan->keys; k++) {
        enum sqlstate failed =
            program_view(hash->left[k], join->probe, hash->batch_scope, &hash->probe_key[k], error);
        if (failed)
            return failed;
    }
    hash_keys(hash, plan->key, hash->probe_key, join->probe);
    return SQLSTATE_OK;
}

static bool keys_equal(const struct hash_join *hash, uint32_t row, const struct tuple *tuple)
{
    const struct plan *plan = hash->join.step.plan;
    struct environment *environment = operation_environment(&hash->join.step);
    for (uint32_t k = 0; k < plan->keys; k++) {
        const struct value *left = &hash->probe_key[k][row], *right = &tuple->value[hash->key_at[k]];
        if (left->null || right->null) {
            if (left->null != right->null)
                return false;
        } else if (plan->key[k].type->order == ORDER_INTEGER) {
            if (left->i != right->i)
                return false;
        } else if (!value_equal(environment, plan->key[k].type, left, right)) {
            return false;
        }
    }
    return true;
}

/* NOT IN: also what is unknown is a candidate. */
static bool may_equal(const struct hash_join *hash, uint32_t row, const struct tuple *tuple)
{
    const struct plan *plan = hash->join.step.plan;
    struct environment *environment = operation_environment(&hash->join.step);
    for (uint32_t k = 0; k < plan->keys; k++) {
        const struct value *left = &hash->probe_key[k][row], *right = &tuple->value[hash->key_at[k]];
        if (!left->null && !right->null && !value_equal(environment, plan->key[k].type, left, right))
            return false;
    }
    return true;
}

static bool show_unknown(struct hash_join *hash, uint32_t row)
{
    struct join *join = &hash->join;
    if (!join->row_begun)
        join->candidate_at = 0;
    join->row_begun = true;
    for (; join->candidate_at < join->store.count; join->candidate_at++) {
        struct tuple *tuple = join->store.tuple[join->candidate_at];
        if (may_equal(hash, row, tuple) && !join_pair(join, row, tuple))
            return false;
        if (join->condition == NULL && join->pairs && join->pair_tuple[join->pairs - 1] == tuple)
            return true; /* one will do */
    }
    return true;
}

static bool show(struct join *join, uint32_t row)
{
    struct hash_join *hash = (struct hash_join *)join;
    const struct plan *plan = join->step.plan;
    if (plan->null_aware && (hash->any_null || hash->null[row]))
        return show_unknown(hash, row);
    if (hash->null[row])
        return true;
    if (!join->row_begun)
        join->candidate = tuple_table_find(&hash->table, hash->hash[row]);
    join->row_begun = true;
    bool one_will_do = join->condition == NULL && join_gives_left_only(plan);
    for (; join->candidate; join->candidate = join->candidate->next) {
        if (join->candidate->hash != hash->hash[row] || !keys_equal(hash, row, join->candidate))
            continue;
        if (!join_pair(join, row, join->candidate))
            return false;
        if (one_will_do) {
            join->candidate = NULL;
            return true;
        }
    }
    return true;
}

static enum sqlstate next_hash_join(struct operation *step, const struct batch **batch, struct error *error)
{
    static const struct join_ops ops = {.build = build, .begin_batch = begin_batch, .show = show};
    return join_next((struct join *)step, &ops, batch, error);
}

const struct operation_ops hash_join_ops = {.bytes = sizeof(struct hash_join),
                                            .open = open_hash_join,
                                            .next = next_hash_join,
                                            .restart = join_restart};
