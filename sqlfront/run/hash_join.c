/* HASH_JOIN, and NESTED_JOIN, which is one without keys: the second input in a hash table, the first one looked up in it (DeWitt and others, 1984: hybrid hash join).
 *
 * Tuples of the second input are dealt to partitions by their keys' hash. When they are beyond the grant the largest
 * partition goes to disk, and what comes for it goes there, too; rows of the first input that would look there are put aside
 * beside it. When both inputs are through, each pair of runs is a round of its own, with partitions by other bits:
 *
 *     second input ──> [0] [1] run [3] …      in memory: 0, 1, 3 …   first input ──> looked up in 0, 1, 3 …
 *                                                                             └────> run beside 2
 *     round: run 2 ──> [0] [1] [2] …          run beside 2 ──> looked up
 *
 * A partition that does not get smaller by dealing (many rows of one key) is joined in pieces instead: as many of its tuples
 * as fit, all rows beside it, then the next piece. What a row has found goes with it from piece to piece.
 *
 * The table is an array of chains; the upper 16 bits of an entry say which tags (4 bits of hashes) are in its chain, so that
 * most look-ups that find nothing touch no tuple.
 *
 * null_aware is NOT IN: a row whose key is null could equal anything, and so could a tuple's. With one key and nothing else to
 * ask that decides for all rows at once; else those are candidates, too, and nothing is put aside. */
#include "sqlfront/run/hash_join.h"

#include "sqlfront/run/spill.h"

#define PART_BITS 4
#define PARTS     (1U << PART_BITS)
/* Dealt so often a partition has one hash, or nearly. */
#define LEVELS_MAX 7

/* Two runs that belong together. */
struct pair {
    struct pair *next;
    struct spill_run *build, *probe;
    uint32_t level;
    bool one_key; /* dealing it again would not help */
};

struct part {
    struct scope *scope;
    struct tuple_store store;
    size_t bytes;                    /* of its tuples, about */
    struct spill_run *build, *probe; /* on disk; else NULL */
};

struct hash_join {
    struct join join;
    struct program **left, **right;
    uint32_t *key_at; /* where in the tuple each key stands */
    uint32_t extra;   /* keys that are no slots: behind the slots */
    const struct type **types;
    struct scope *batch_scope;
    const struct value **probe_key;
    const struct value **build_column;
    uint64_t *hash;      /* per row */
    bool *null;          /* per row: a key that must not be null is */
    struct tuple **head; /* per row of the probe batch: first of its chain, or NULL */
    bool null_aware;
    bool decides;                    /* null_aware, and one key decides */
    bool any_null;                   /* a tuple has a null key */
    struct tuple *found;             /* stands for a tuple where there need not be one */
    const struct hash_table *shared; /* built by another core's step */
    struct hash_table own;
    bool told; /* the scan below knows of the table */

    /* This round */
    size_t grant;
    uint32_t level;
    struct scope *build_scope;
    struct part part[PARTS];
    uint64_t kept;                                    /* tuples in partitions in memory */
    uint64_t seen;                                    /* tuples of the round */
    bool any_tuple;                                   /* of the whole input */
    struct spill_reader *build_reader, *probe_reader; /* NULL: the inputs are read */
    struct pair *pair;                                /* of which they are */
    struct scope *pair_scope;
    bool pieces; /* the pair is joined in pieces */
    bool piece_is_last;

    /* Put aside */
    struct scope *spill_scope;
    struct spill *spill;
    struct pair *waiting;
    uint32_t left_needs; /* slots of the first input that are kept of a row, then whether it matched */
    uint32_t *left_need;
    const struct type **left_types;
    struct value *left_value;
    struct value **left_room;
    struct batch left_batch; /* rows that were put aside */
    struct batch kept_batch; /* rows that are looked up now */
    uint16_t *selection;
    bool *was_matched;
    struct spill_run *later; /* rows for the next piece */
    struct value *build_value;
};

static bool nulls_equal(const struct plan *plan, uint32_t key)
{
    return plan->key_nulls_equal && plan->key_nulls_equal[key];
}

static void mark_left(struct hash_join *hash)
{
    struct operation *step = &hash->join.step;
    const struct plan *plan = step->plan;
    uint32_t columns = hash->join.left_columns;
    bool *needed = scope_alloc_zeroed(step->scope, columns + 1);
    for (uint32_t c = 0; c < columns; c++)
        needed[c] = hash->join.needed[c];
    for (uint32_t i = 0; i < hash->join.outputs; i++)
        if (hash->join.output[i] < columns)
            needed[hash->join.output[i]] = true;
    for (uint32_t k = 0; k < plan->keys; k++)
        join_mark_needed(needed, columns, plan->key[k].expression);
    hash->left_need = scope_alloc(step->scope, (columns + 1) * sizeof hash->left_need[0]);
    hash->left_types = scope_alloc(step->scope, (columns + 1) * sizeof hash->left_types[0]);
    for (uint32_t c = 0; c < columns; c++)
        if (needed[c]) {
            hash->left_types[hash->left_needs] = plan->input[0]->column[c];
            hash->left_need[hash->left_needs++] = c;
        }
    hash->left_types[hash->left_needs] = type_builtin(TYPE_BOOL);
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
    hash->head = scope_alloc(step->scope, BATCH_ROWS * sizeof hash->head[0]);
    hash->types = scope_alloc(step->scope, (columns + plan->keys + 1) * sizeof hash->types[0]);
    hash->build_column = scope_alloc(step->scope, (columns + plan->keys + 1) * sizeof hash->build_column[0]);
    hash->build_value = scope_alloc(step->scope, (columns + plan->keys + 1) * sizeof hash->build_value[0]);
    memcpy(hash->types, plan->input[1]->column, columns * sizeof hash->types[0]);
    hash->found = scope_alloc_zeroed(step->scope, sizeof *hash->found);
    hash->null_aware = plan->null_aware && plan->keys;
    hash->decides = hash->null_aware && plan->keys == 1 && !plan->condition && !nulls_equal(plan, 0);
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
    if (!failed)
        mark_left(hash);
    return failed;
}

/* ---- hashes ---- */

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
    for (uint32_t k = 0; k < plan->keys; k++) {
        for (uint32_t i = 0; i < batch->count && !nulls_equal(plan, k); i++) {
            uint32_t row = batch_row(batch, i);
            hash->null[row] |= values[k][row].null;
        }
        hash_column(environment, keys[k].type, values[k], batch, hash->hash);
    }
}

static uint32_t part_of(uint64_t hash, uint32_t level)
{
    return (uint32_t)(hash_combine(level + 1, hash) >> (64 - PART_BITS));
}

/* ---- partitions ---- */

static enum sqlstate begin_round(struct hash_join *hash)
{
    struct operation *step = &hash->join.step;
    if (hash->build_scope)
        scope_close(hash->build_scope);
    hash->build_scope = scope_open(step->memory, "hash table");
    hash->grant = operation_grant(step, true);
    hash->kept = hash->seen = 0;
    hash->own = (struct hash_table){0};
    tuple_store_init(&hash->join.store, hash->build_scope, 0, NULL);
    for (uint32_t i = 0; i < PARTS; i++) {
        struct part *part = &hash->part[i];
        *part = (struct part){.scope = scope_open(hash->build_scope, "partition")};
        tuple_store_init(&part->store, part->scope, hash->join.right_columns + hash->extra, hash->types);
    }
    return SQLSTATE_OK;
}

static enum sqlstate want_spill(struct hash_join *hash, struct error *error)
{
    struct operation *step = &hash->join.step;
    uint32_t columns = hash->join.left_columns;
    if (hash->spill)
        return SQLSTATE_OK;
    struct scope *scope = hash->spill_scope = scope_open(step->memory, "put aside");
    hash->left_value = scope_alloc(scope, (hash->left_needs + 1) * sizeof hash->left_value[0]);
    hash->left_room = scope_alloc(scope, (columns + 1) * sizeof hash->left_room[0]);
    hash->selection = scope_alloc(scope, BATCH_ROWS * sizeof hash->selection[0]);
    hash->was_matched = scope_alloc_zeroed(scope, BATCH_ROWS);
    struct value *nothing = scope_alloc(scope, BATCH_ROWS * sizeof nothing[0]);
    for (uint32_t i = 0; i < BATCH_ROWS; i++)
        nothing[i] = value_null();
    for (uint32_t c = 0; c < columns; c++)
        hash->left_room[c] = nothing;
    for (uint32_t n = 0; n < hash->left_needs; n++)
        hash->left_room[hash->left_need[n]] = scope_alloc(scope, BATCH_ROWS * sizeof(struct value));
    return operation_spill(step, scope, hash->grant, &hash->spill, error);
}

static size_t bytes_in_memory(const struct hash_join *hash)
{
    size_t bytes = hash->kept * 3 * sizeof(void *); /* the lists, and the table to come */
    for (uint32_t i = 0; i < PARTS; i++)
        bytes += hash->part[i].bytes;
    return bytes;
}

/* What tuple_store_add() takes for a row. */
static size_t tuple_bytes(const struct tuple *tuple, uint32_t columns, const struct type *const *types)
{
    size_t bytes = sizeof *tuple + columns * sizeof tuple->value[0];
    for (uint32_t c = 0; c < columns; c++) {
        bool outside = types[c]->kind == VALUE_BYTES || types[c]->kind == VALUE_NUMERIC;
        if (outside && !tuple->value[c].null && !tuple->value[c].small)
            bytes += (tuple->value[c].size + 15UL) & ~15UL;
    }
    return bytes;
}

/* The largest partition goes to disk. */
static enum sqlstate put_aside(struct hash_join *hash, struct error *error)
{
    struct part *largest = NULL;
    for (uint32_t i = 0; i < PARTS; i++) {
        struct part *part = &hash->part[i];
        if (!part->build && (!largest || part->bytes > largest->bytes))
            largest = part;
    }
    if (!largest || largest->store.count == 0)
        return SQLSTATE_OK;
    enum sqlstate failed = want_spill(hash, error);
    if (failed)
        return failed;
    uint32_t columns = hash->join.right_columns + hash->extra;
    largest->build = spill_run_open(hash->spill, hash->spill_scope, columns, hash->types);
    largest->probe = spill_run_open(hash->spill, hash->spill_scope, hash->left_needs + 1, hash->left_types);
    for (size_t i = 0; i < largest->store.count && !failed; i++) {
        const struct tuple *tuple = largest->store.tuple[i];
        failed = spill_run_add(largest->build, tuple->value, tuple->hash, error);
        if (!failed && i % BATCH_ROWS == 0)
            failed = operation_breathe(operation_world(&hash->join.step), error);
    }
    hash->kept -= largest->store.count;
    largest->bytes = 0;
    scope_close(largest->scope);
    largest->scope = scope_open(hash->build_scope, "partition");
    tuple_store_init(&largest->store, largest->scope, columns, hash->types);
    return failed;
}

static bool may_put_aside(const struct hash_join *hash)
{
    return (!hash->null_aware || hash->decides) && !hash->pieces;
}

static enum sqlstate add_tuple(struct hash_join *hash, const struct value *const *columns, uint32_t row,
                               uint64_t key_hash, bool null, struct error *error)
{
    struct part *part = &hash->part[hash->pieces ? 0 : part_of(key_hash, hash->level)];
    struct tuple *tuple;
    hash->seen++;
    hash->any_null |= null;
    hash->any_tuple = true;
    if (part->build)
        return spill_run_add_row(part->build, columns, row, key_hash, error);
    enum sqlstate failed = tuple_store_add(&part->store, columns, row, &tuple, error);
    if (failed)
        return failed;
    tuple->hash = key_hash;
    tuple->null_key = null;
    part->bytes += tuple_bytes(tuple, part->store.columns, hash->types);
    hash->kept++;
    return SQLSTATE_OK;
}

static bool is_over(const struct hash_join *hash)
{
    return operation_is_over(&hash->join.step, bytes_in_memory(hash), hash->grant);
}

static enum sqlstate add_batch(struct hash_join *hash, const struct batch *input, struct error *error)
{
    struct operation *step = &hash->join.step;
    const struct plan *plan = step->plan;
    const struct value **keys = scope_alloc(step->scratch, (plan->keys + 1) * sizeof keys[0]);
    enum sqlstate failed = SQLSTATE_OK;
    memcpy(hash->build_column, input->column, hash->join.right_columns * sizeof hash->build_column[0]);
    for (uint32_t k = 0; k < plan->keys && !failed; k++) {
        failed = program_view(hash->right[k], input, step->scratch, &keys[k], error);
        hash->build_column[hash->key_at[k]] = keys[k];
    }
    if (failed)
        return failed;
    hash_keys(hash, plan->right_key, keys, input);
    bool keep_null = join_keeps_right(plan) || hash->null_aware;
    for (uint32_t i = 0; i < input->count && !failed; i++) {
        uint32_t row = batch_row(input, i);
        if (hash->null[row] && !keep_null)
            continue;
        failed = add_tuple(hash, hash->build_column, row, hash->hash[row], hash->null[row], error);
        if (!failed && i % 64 == 63 && may_put_aside(hash) && is_over(hash))
            failed = put_aside(hash, error);
    }
    while (!failed && may_put_aside(hash) && hash->kept && is_over(hash))
        failed = put_aside(hash, error);
    return failed;
}

/* ---- the table ---- */

/* The tuples in memory, in one list, and those with keys in the table. */
static enum sqlstate make_table(struct hash_join *hash, struct error *error)
{
    struct tuple_store *all = &hash->join.store;
    struct hash_table *table = &hash->own;
    void *memory;
    uint64_t buckets = 64;
    while (buckets < hash->kept + hash->kept / 2)
        buckets *= 2;
    enum sqlstate failed =
        scope_alloc_large(hash->build_scope, (hash->kept + 1) * sizeof all->tuple[0], 16, &memory, error);
    if (failed)
        return failed;
    all->tuple = memory;
    for (uint32_t i = 0; i < PARTS; i++) {
        const struct tuple_store *store = &hash->part[i].store;
        if (store->count)
            memcpy(all->tuple + all->count, store->tuple, store->count * sizeof store->tuple[0]);
        all->count += store->count;
    }
    failed = scope_alloc_large(hash->build_scope, buckets * sizeof table->entry[0], 64, &memory, error);
    if (failed)
        return failed;
    table->entry = memset(memory, 0, buckets * sizeof table->entry[0]);
    table->mask = buckets - 1;
    table->count = all->count;
    table->any_null = hash->any_null;
    table->any_tuple = hash->any_tuple;
    /* Backwards: chains are in the order the tuples came. */
    for (size_t i = all->count; i-- > 0;) {
        if (i % 65536 == 65535 && (failed = operation_breathe(operation_world(&hash->join.step), error)))
            return failed;
        if (!all->tuple[i]->null_key)
            hash_table_add(table, all->tuple[i]);
    }
    struct node_figures *figures = &hash->join.step.figures;
    size_t bytes = bytes_in_memory(hash);
    figures->memory_peak = bytes > figures->memory_peak ? bytes : figures->memory_peak;
    return SQLSTATE_OK;
}

static enum sqlstate build(struct join *join, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)join;
    struct operation *step = &join->step;
    if (hash->shared)
        return SQLSTATE_OK;
    hash->any_null = hash->any_tuple = false;
    hash->level = 0;
    enum sqlstate failed = begin_round(hash);
    while (!failed) {
        const struct batch *input;
        if ((failed = operation_next(step->input[1], &input, error)) || input == NULL)
            break;
        operation_clear_scratch(step);
        failed = add_batch(hash, input, error);
    }
    return failed ? failed : make_table(hash, error);
}

enum sqlstate hash_join_build(struct operation *step, const struct hash_table **table, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)step;
    *table = NULL;
    if (step->memory == NULL)
        step->memory = scope_open(step->scope, "run");
    enum sqlstate failed = hash->join.built ? SQLSTATE_OK : build(&hash->join, error);
    hash->join.built = true;
    if (!failed && !hash->spill && (!hash->null_aware || hash->decides))
        *table = &hash->own;
    return failed;
}

void hash_join_share(struct operation *step, const struct hash_table *table)
{
    ((struct hash_join *)step)->shared = table;
}

/* ---- probing ---- */

static const struct hash_table *table_of(const struct hash_join *hash)
{
    return hash->shared ? hash->shared : &hash->own;
}

/* The chain each row looks at: entries first, then the tuples, so that the memory of many is on its way at once. */
static void find_heads(struct hash_join *hash, const struct batch *batch)
{
    const struct hash_table *table = table_of(hash);
    bool large = table->mask > 16 * 1024;
    for (uint32_t i = 0; i < batch->count && large; i++)
        __builtin_prefetch(&table->entry[hash->hash[batch_row(batch, i)] & table->mask]);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t row = batch_row(batch, i);
        struct tuple *head = hash->null[row] ? NULL : hash_table_find(table, hash->hash[row]);
        hash->head[row] = head;
        if (large && head)
            __builtin_prefetch(head);
    }
}

/* Rows whose tuples are on disk go there. */
static enum sqlstate divide(struct hash_join *hash, const struct batch *input, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    hash->kept_batch = *input;
    hash->kept_batch.selection = hash->selection;
    hash->kept_batch.count = 0;
    for (uint32_t i = 0; i < input->count && !failed; i++) {
        uint32_t row = batch_row(input, i);
        struct part *part = &hash->part[part_of(hash->hash[row], hash->level)];
        if (!part->build || hash->null[row] || (hash->decides && hash->any_null)) {
            hash->selection[hash->kept_batch.count++] = (uint16_t)row;
            continue;
        }
        for (uint32_t n = 0; n < hash->left_needs; n++)
            hash->left_value[n] = input->column[hash->left_need[n]][row];
        hash->left_value[hash->left_needs] = value_boolean(false);
        failed = spill_run_add(part->probe, hash->left_value, 0, error);
    }
    hash->join.probe = &hash->kept_batch;
    return failed;
}

/* Rows that were put aside, as a batch of the first input. */
static enum sqlstate read_left(struct hash_join *hash, struct error *error)
{
    struct batch *batch = &hash->left_batch;
    *batch =
        (struct batch){.columns = hash->join.left_columns, .column = (const struct value **)hash->left_room};
    while (batch->count < BATCH_ROWS) {
        uint64_t mark;
        bool found;
        enum sqlstate failed =
            spill_reader_next(hash->probe_reader, hash->batch_scope, hash->left_value, &mark, &found, error);
        if (failed || !found)
            return failed;
        for (uint32_t n = 0; n < hash->left_needs; n++)
            hash->left_room[hash->left_need[n]][batch->count] = hash->left_value[n];
        hash->was_matched[batch->count++] = hash->left_value[hash->left_needs].i;
    }
    return SQLSTATE_OK;
}

static bool finds_nothing(const struct hash_join *hash)
{
    uint8_t kind = hash->join.step.plan->join;
    return table_of(hash)->count == 0 && !hash->spill && !hash->join.defers &&
           (kind == JOIN_INNER || kind == JOIN_SEMI || kind == JOIN_RIGHT);
}

/* The scan below is told what finds nothing in the table, where that goes for all there is. */
static void tell_scan(struct hash_join *hash)
{
    const struct plan *plan = hash->join.step.plan;
    struct operation *scan = hash->join.step.input[0];
    bool drops = plan->join == JOIN_INNER || plan->join == JOIN_SEMI || plan->join == JOIN_RIGHT;
    hash->told = true;
    if (!drops || hash->spill || plan->keys != 1 || nulls_equal(plan, 0) || scan->ops != &scan_ops)
        return;
    const struct plan_key *key = &plan->key[0];
    if (key->type->order == ORDER_INTEGER && key->expression->kind == EXPRESSION_COLUMN)
        scan_look_into(scan, table_of(hash), (uint32_t)key->expression->number);
}

static enum sqlstate next_probe(struct join *join, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)join;
    const struct plan *plan = join->step.plan;
    enum sqlstate failed = SQLSTATE_OK;
    join->probe = NULL;
    if (finds_nothing(hash))
        return SQLSTATE_OK;
    if (!hash->told)
        tell_scan(hash);
    if (hash->batch_scope)
        scope_close(hash->batch_scope);
    hash->batch_scope = scope_open(join->step.scope, "probe");
    if (hash->probe_reader) {
        failed = read_left(hash, error);
        join->probe = !failed && hash->left_batch.count ? &hash->left_batch : NULL;
    } else {
        failed = operation_next(join->step.input[0], &join->probe, error);
    }
    if (failed || !join->probe)
        return failed;
    const struct batch *input = join->probe;
    for (uint32_t k = 0; k < plan->keys && !failed; k++)
        failed = program_view(hash->left[k], input, hash->batch_scope, &hash->probe_key[k], error);
    if (failed)
        return failed;
    hash_keys(hash, plan->key, hash->probe_key, input);
    if (hash->spill && !hash->pieces)
        failed = divide(hash, input, error);
    if (!failed)
        find_heads(hash, join->probe);
    return failed;
}

static inline bool keys_equal(const struct hash_join *hash, uint32_t row, const struct tuple *tuple)
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
    if (hash->decides)
        return !table_of(hash)->any_tuple || join_pair(join, row, hash->found);
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
    if (hash->null_aware && (table_of(hash)->any_null || hash->null[row]))
        return show_unknown(hash, row);
    if (!join->row_begun)
        join->candidate = hash->head[row];
    join->row_begun = true;
    bool one_will_do = join->condition == NULL && join_gives_left_only(plan);
    uint64_t wanted = hash->hash[row];
    for (; join->candidate; join->candidate = join->candidate->next) {
        if (join->candidate->hash != wanted || !keys_equal(hash, row, join->candidate))
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

/* ---- rounds ---- */

static enum sqlstate defer(struct join *join, uint32_t row, bool matched, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)join;
    for (uint32_t n = 0; n < hash->left_needs; n++)
        hash->left_value[n] = join->probe->column[hash->left_need[n]][row];
    hash->left_value[hash->left_needs] = value_boolean(matched);
    return spill_run_add(hash->later, hash->left_value, 0, error);
}

/* What this round put aside waits, before what waits already. */
static enum sqlstate end_round(struct hash_join *hash, struct error *error)
{
    struct operation *step = &hash->join.step;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = PARTS; i-- > 0 && !failed && !hash->pieces;) {
        struct part *part = &hash->part[i];
        if (!part->build)
            continue;
        failed = spill_run_end(part->build, error);
        if (!failed)
            failed = spill_run_end(part->probe, error);
        struct pair *pair = scope_alloc_zeroed(hash->spill_scope, sizeof *pair);
        *pair =
            (struct pair){.next = hash->waiting,
                          .build = part->build,
                          .probe = part->probe,
                          .level = hash->level + 1,
                          .one_key = !step->plan->keys || spill_run_rows(part->build) > hash->seen / 8 * 7};
        part->build = part->probe = NULL;
        hash->waiting = pair;
        step->figures.partitions++;
    }
    return failed;
}

static void end_pair(struct hash_join *hash)
{
    if (!hash->pair)
        return;
    scope_close(hash->pair_scope);
    spill_run_drop(hash->pair->build);
    spill_run_drop(hash->pair->probe);
    hash->pair = NULL;
    hash->build_reader = hash->probe_reader = NULL;
    hash->pieces = hash->join.defers = false;
    hash->join.was_matched = NULL;
}

/* Tuples of the pair, until all are there or (in pieces) memory is full. */
static enum sqlstate load(struct hash_join *hash, struct error *error)
{
    struct operation *step = &hash->join.step;
    const struct plan *plan = step->plan;
    uint32_t columns = hash->join.right_columns + hash->extra;
    enum sqlstate failed = begin_round(hash);
    for (uint32_t c = 0; c < columns; c++)
        hash->build_column[c] = &hash->build_value[c];
    hash->piece_is_last = true;
    for (uint64_t rows = 1; !failed; rows++) {
        uint64_t mark;
        bool found, null = false;
        if (rows % 64 == 1)
            operation_clear_scratch(step);
        failed =
            spill_reader_next(hash->build_reader, step->scratch, hash->build_value, &mark, &found, error);
        if (failed || !found)
            break;
        for (uint32_t k = 0; k < plan->keys; k++)
            null |= hash->build_value[hash->key_at[k]].null && !nulls_equal(plan, k);
        failed = add_tuple(hash, hash->build_column, 0, mark, null, error);
        if (failed || rows % 64)
            continue;
        failed = operation_breathe(operation_world(step), error);
        while (!failed && may_put_aside(hash) && hash->kept && is_over(hash))
            failed = put_aside(hash, error);
        if (hash->pieces && is_over(hash)) {
            hash->piece_is_last = false;
            break;
        }
    }
    return failed ? failed : make_table(hash, error);
}

/* Rows of the first input for the piece that was loaded. */
static enum sqlstate begin_piece(struct hash_join *hash, struct error *error)
{
    uint8_t kind = hash->join.step.plan->join;
    hash->join.defers = !hash->piece_is_last && kind != JOIN_INNER && kind != JOIN_RIGHT;
    hash->join.was_matched = hash->pieces ? hash->was_matched : NULL;
    if (hash->join.defers)
        hash->later = spill_run_open(hash->spill, hash->spill_scope, hash->left_needs + 1, hash->left_types);
    return spill_reader_open(hash->pair->probe, hash->pair_scope, &hash->probe_reader, error);
}

static enum sqlstate next_piece(struct hash_join *hash, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (hash->join.defers) {
        failed = spill_run_end(hash->later, error);
        spill_run_drop(hash->pair->probe);
        hash->pair->probe = hash->later;
    }
    if (!failed)
        failed = load(hash, error);
    return failed ? failed : begin_piece(hash, error);
}

static enum sqlstate begin_pair(struct hash_join *hash, struct pair *pair, struct error *error)
{
    hash->pair = pair;
    hash->pair_scope = scope_open(hash->spill_scope, "round");
    hash->level = pair->level;
    hash->pieces =
        (pair->one_key || pair->level >= LEVELS_MAX) && spill_run_memory(pair->build) > hash->grant;
    enum sqlstate failed = spill_reader_open(pair->build, hash->pair_scope, &hash->build_reader, error);
    if (!failed)
        failed = load(hash, error);
    return failed ? failed : begin_piece(hash, error);
}

static enum sqlstate next_round(struct join *join, bool *more, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)join;
    bool keeps_left = join_keeps_left(join->step.plan) || join->step.plan->join == JOIN_ANTI;
    *more = false;
    if (!hash->spill)
        return SQLSTATE_OK;
    *more = true;
    if (hash->pieces && !hash->piece_is_last)
        return next_piece(hash, error);
    enum sqlstate failed = end_round(hash, error);
    end_pair(hash);
    join->step.figures.spilled_bytes = spill_written(hash->spill);
    while (!failed && hash->waiting) {
        struct pair *pair = hash->waiting;
        hash->waiting = pair->next;
        bool rows = spill_run_rows(pair->probe) > 0, tuples = spill_run_rows(pair->build) > 0;
        if ((rows && (tuples || keeps_left)) || (tuples && join_keeps_right(join->step.plan)))
            return begin_pair(hash, pair, error);
        spill_run_drop(pair->build);
        spill_run_drop(pair->probe);
    }
    *more = false;
    return failed;
}

static enum sqlstate next_hash_join(struct operation *step, const struct batch **batch, struct error *error)
{
    static const struct join_ops ops = {
        .build = build, .next_probe = next_probe, .show = show, .next_round = next_round, .defer = defer};
    return join_next((struct join *)step, &ops, batch, error);
}

static enum sqlstate restart_hash_join(struct operation *step, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)step;
    /* They went with the step's memory. */
    hash->build_scope = hash->spill_scope = hash->pair_scope = NULL;
    hash->spill = NULL;
    hash->waiting = hash->pair = NULL;
    hash->build_reader = hash->probe_reader = NULL;
    hash->pieces = hash->told = false;
    hash->join.store = (struct tuple_store){0};
    return join_restart(step, error);
}

const struct operation_ops hash_join_ops = {.bytes = sizeof(struct hash_join),
                                            .open = open_hash_join,
                                            .next = next_hash_join,
                                            .restart = restart_hash_join};
