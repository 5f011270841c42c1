/* See tree_model.h. */
#include "test/unit/tree_model.h"

#include "base/scope.h"
#include "test/unit/unit.h"

#include <stdlib.h>

/* ---- the array ---- */

void model_open(struct model *model)
{
    model->rows = calloc(MODEL_ROWS_MAX, sizeof *model->rows);
    model->count = 0;
}

void model_close(struct model *model)
{
    for (size_t i = 0; i < model->count; i++)
        free((void *)model->rows[i].key.data);
    free(model->rows);
}

/* Memory of the scope, so that a crash in the middle leaves nothing behind. */
static void *array_of(struct scope *scope, size_t count, size_t size)
{
    struct error error;
    void *memory;
    ck_assert_int_eq(scope_alloc_large(scope, count * size, 16, &memory, &error), SQLSTATE_OK);
    memset(memory, 0, count * size);
    return memory;
}

static struct bytes key_copy(struct bytes key)
{
    uint8_t *copy = malloc(key.size + 1);
    if (key.size)
        memcpy(copy, key.data, key.size);
    return bytes_of(copy, key.size);
}

void model_copy(struct model *to, const struct model *from)
{
    model_open(to);
    for (to->count = 0; to->count < from->count; to->count++) {
        to->rows[to->count] = from->rows[to->count];
        to->rows[to->count].key = key_copy(from->rows[to->count].key);
    }
}

struct model_row *model_find(const struct model *model, struct bytes key, size_t *at)
{
    size_t low = 0, high = model->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(model->rows[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return low < model->count && bytes_compare(model->rows[low].key, key) == 0 ? &model->rows[low] : NULL;
}

void model_set(struct model *model, struct bytes key, uint64_t seed, size_t size)
{
    size_t at;
    struct model_row *row = model_find(model, key, &at);
    if (!row) {
        ck_assert_uint_lt(model->count, MODEL_ROWS_MAX);
        row = &model->rows[at];
        memmove(row + 1, row, (model->count++ - at) * sizeof *row);
        row->key = key_copy(key);
    }
    row->seed = seed;
    row->size = size;
}

void model_remove(struct model *model, struct bytes key)
{
    size_t at;
    struct model_row *row = model_find(model, key, &at);
    if (!row)
        return;
    free((void *)row->key.data);
    memmove(row, row + 1, (--model->count - at) * sizeof *row);
}

/* ---- what rows look like ---- */

static uint8_t value_byte(uint64_t seed, size_t at)
{
    return (uint8_t)((seed + at / 251) * 0x9e3779b97f4a7c15 >> 56) ^ (uint8_t)at;
}

struct bytes model_value(uint64_t seed, size_t size)
{
    static uint8_t *rooms[2];
    static int turn;
    turn = !turn;
    rooms[turn] = realloc(rooms[turn], size + 1);
    for (size_t i = 0; i < size; i++)
        rooms[turn][i] = value_byte(seed, i);
    return bytes_of(rooms[turn], size);
}

bool model_value_is(struct bytes value, uint64_t seed)
{
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] != value_byte(seed, i))
            return false;
    }
    return true;
}

static struct bytes key_mixed(uint64_t number, size_t most, uint8_t *room)
{
    uint64_t state = number * 77;
    static const char *const prefixes[] = {"", "", "a", "customer/",
                                           "customer/0000000000000000000000000000000000/"};
    size_t size = 0, wanted;
    const char *prefix = prefixes[unit_random_below(&state, 5)];
    if (number == 0)
        return bytes_of(room, 0);
    memcpy(room, prefix, size = strlen(prefix));
    for (int i = 0; i < 3; i++)
        room[size++] = (uint8_t)(number >> (16 - 8 * i));
    switch (unit_random_below(&state, 20)) {
    case 0:
        wanted = most;
        break;
    case 1:
        wanted = size + unit_random_below(&state, most - size);
        break;
    default:
        wanted = size + unit_random_below(&state, 12);
    }
    for (; size < wanted; size++)
        room[size] = unit_random_below(&state, 4) ? (uint8_t)unit_random(&state) : 0;
    return bytes_of(room, size);
}

struct bytes model_key(enum key_shape shape, uint64_t number, size_t most, uint8_t *room)
{
    uint64_t big = __builtin_bswap64(number), state = number;
    size_t size;
    switch (shape) {
    case KEYS_NUMBERS:
        memcpy(room, &big, sizeof big);
        return bytes_of(room, sizeof big);
    case KEYS_LONG:
        size = most / 2 + unit_random_below(&state, most / 2 - 8);
        memset(room, 'x', size);
        memcpy(room + size, &big, sizeof big);
        return bytes_of(room, size + sizeof big);
    case KEYS_MIXED:
    case KEY_SHAPES:
        break;
    }
    return key_mixed(number, most, room);
}

/* ---- changing ---- */

struct source {
    struct volume *volume;
    struct model *model;
    const struct pending *changes;
    const uint64_t *extents;
    size_t count, next;
    bool empty_handed; /* next() has said that there is none left for the leaf */
    struct bytes from;
};

static bool source_next(void *argument, struct bytes bound, bool bound_open, struct tree_change *change)
{
    struct source *source = argument;
    ck_assert(!source->empty_handed);
    if (source->next == source->count ||
        (!bound_open && bytes_compare(source->changes[source->next].key, bound) >= 0)) {
        source->empty_handed = true;
        return false;
    }
    const struct pending *pending = &source->changes[source->next];
    ck_assert(bytes_compare(pending->key, source->from) >= 0);
    *change = (struct tree_change){.key = pending->key, .remove = pending->remove};
    if (source->extents[source->next] != PAGE_NONE) {
        change->extent = source->extents[source->next];
        change->extent_size = pending->size;
    } else if (!pending->remove) {
        change->value = model_value(pending->seed, pending->size);
    }
    source->next++;
    return true;
}

static enum tree_replace source_replaces(void *argument, const struct tree_change *change,
                                         const struct tree_value *old)
{
    struct source *source = argument;
    size_t at;
    const struct model_row *row = model_find(source->model, change->key, &at);
    ck_assert_msg(!row == !old, "a key is %s before a change", old ? "there" : "absent");
    if (row) {
        ck_assert_uint_eq(old->size, row->size);
        ck_assert(old->extent != PAGE_NONE || model_value_is(old->inside, row->seed));
    }
    const struct pending *pending = &source->changes[source->next - 1];
    if (pending->remove)
        model_remove(source->model, change->key);
    else
        model_set(source->model, change->key, pending->seed, pending->size);
    return TREE_REPLACE;
}

static int by_key(const void *a, const void *b)
{
    return bytes_compare(((const struct pending *)a)->key, ((const struct pending *)b)->key);
}

static enum sqlstate write_extents(struct tree *tree, struct volume *volume, struct scope *scope,
                                   const struct pending *changes, size_t count, uint64_t *extents,
                                   struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (size_t i = 0; i < count && !failed; i++) {
        if (changes[i].remove || changes[i].size <= tree_inside_bytes_max(tree))
            continue;
        size_t pages = volume_extent_pages(volume, changes[i].size);
        uint64_t first;
        failed = volume_extent_new(volume, pages, &first, error);
        if (failed)
            break;
        extents[i] = first;
        failed = volume_extent_write(volume, scope, first, 0, model_value(changes[i].seed, changes[i].size),
                                     error);
    }
    return failed;
}

static enum sqlstate apply_all(struct tree *tree, struct source *source, struct error *error)
{
    uint8_t bound[TREE_KEY_BYTES_MAX], from[TREE_KEY_BYTES_MAX];
    size_t bound_size = 0, from_size = source->changes[0].key.size;
    bool last = false;
    if (from_size)
        memcpy(from, source->changes[0].key.data, from_size);
    while (!last) {
        struct tree_merge merge = {.next = source_next, .replaces = source_replaces, .argument = source};
        size_t before = source->next;
        source->from = bytes_of(from, from_size);
        source->empty_handed = false;
        enum sqlstate failed = tree_apply(tree, source->from, &merge, bound, &bound_size, &last, error);
        if (failed) {
            ck_assert_uint_eq(source->next, before);
            return failed;
        }
        ck_assert(last || bytes_compare(bytes_of(bound, bound_size), source->from) > 0);
        memcpy(from, bound, bound_size);
        from_size = bound_size;
    }
    ck_assert_uint_eq(source->next, source->count);
    return SQLSTATE_OK;
}

enum sqlstate model_apply(struct tree *tree, struct volume *volume, struct scope *scope, struct model *model,
                          struct pending *changes, size_t count, struct error *error)
{
    if (count == 0)
        return SQLSTATE_OK;
    qsort(changes, count, sizeof *changes, by_key);
    uint64_t *extents = array_of(scope, count, sizeof *extents);
    struct source source = {
        .volume = volume, .model = model, .changes = changes, .extents = extents, .count = count};
    enum sqlstate failed = write_extents(tree, volume, scope, changes, count, extents, error);
    if (!failed)
        failed = apply_all(tree, &source, error);
    /* Those of changes that were not pulled are nobody's. */
    for (size_t i = failed ? source.next : count; i < count; i++) {
        if (extents[i] != PAGE_NONE)
            volume_extent_free(volume, extents[i], volume_extent_pages(volume, changes[i].size));
    }
    scope_free_large(scope, extents);
    return failed;
}

enum sqlstate model_change(struct tree *tree, struct volume *volume, struct scope *scope, struct model *model,
                           enum key_shape shape, uint64_t keys, uint32_t removes, size_t size_most,
                           size_t count, uint64_t *state, struct error *error)
{
    uint8_t room[TREE_KEY_BYTES_MAX];
    struct scope *own = scope_open(scope, "changes");
    struct pending *changes = array_of(own, count, sizeof *changes);
    size_t drawn = 0;
    uint64_t base = unit_random_below(state, keys); /* half of the changes lie near each other */
    for (size_t i = 0; i < count; i++) {
        uint64_t number = unit_random_below(state, 2) ? unit_random_below(state, keys)
                                                      : (base + unit_random_below(state, count)) % keys;
        struct bytes key = model_key(shape, number, tree_key_bytes_max(tree), room);
        bool twice = false;
        for (size_t j = 0; j < drawn; j++)
            twice = twice || bytes_compare(changes[j].key, key) == 0;
        if (twice)
            continue;
        size_t inside = tree_inside_bytes_max(tree), size = unit_random_below(state, 200);
        if (unit_random_below(state, 12) == 0)
            size = unit_random_below(state, size_most + 1);
        else if (unit_random_below(state, 12) == 0 && size_most > inside)
            size = inside - unit_random_below(state, 3);
        changes[drawn++] = (struct pending){.key = bytes_of(scope_copy(own, key.data, key.size), key.size),
                                            .seed = unit_random(state),
                                            .size = size,
                                            .remove = unit_random_below(state, 100) < removes};
    }
    enum sqlstate failed = model_apply(tree, volume, own, model, changes, drawn, error);
    scope_close(own);
    return failed;
}

/* ---- comparing ---- */

struct comparison {
    const struct model *model;
    size_t at;
    bool backward;
    const struct tree_value *extent; /* of the last row visited */
};

static bool compare_row(void *argument, struct bytes key, const struct tree_value *value)
{
    struct comparison *comparison = argument;
    ck_assert_uint_lt(comparison->at, comparison->model->count);
    const struct model_row *row =
        &comparison->model
             ->rows[comparison->backward ? comparison->model->count - 1 - comparison->at : comparison->at];
    ck_assert_int_eq(bytes_compare(row->key, key), 0);
    ck_assert_uint_eq(row->size, value->size);
    ck_assert(value->extent != PAGE_NONE || model_value_is(value->inside, row->seed));
    comparison->at++;
    return true;
}

static enum sqlstate compare_walk(struct tree *tree, const struct model *model, bool backward, bool ahead,
                                  struct error *error)
{
    uint8_t bound[TREE_KEY_BYTES_MAX], from[TREE_KEY_BYTES_MAX];
    struct comparison comparison = {.model = model, .backward = backward};
    struct tree_walk walk = {.at_end = true,
                             .backward = backward,
                             .ahead = ahead,
                             .visit = compare_row,
                             .argument = &comparison,
                             .bound = bound};
    for (;;) {
        uint64_t missing;
        enum tree_answer answer = tree_walk_leaf(tree, &walk, &missing);
        if (answer == TREE_MISSING) {
            enum sqlstate failed = tree_fetch(tree, missing, error);
            if (failed)
                return failed;
            continue;
        }
        ck_assert_int_eq(answer, TREE_FOUND);
        if (walk.last)
            break;
        memcpy(from, bound, walk.bound_size);
        walk.from = bytes_of(from, walk.bound_size);
        walk.at_end = false;
        walk.exclusive = backward;
    }
    ck_assert_uint_eq(comparison.at, model->count);
    return SQLSTATE_OK;
}

static enum sqlstate find(struct tree *tree, struct bytes key, enum tree_answer *answer,
                          struct tree_value *value, struct error *error)
{
    uint64_t missing;
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && (*answer = tree_find(tree, key, value, &missing)) == TREE_MISSING)
        failed = tree_fetch(tree, missing, error);
    return failed;
}

static enum sqlstate compare_extent(struct volume *volume, struct scope *scope,
                                    const struct tree_value *value, const struct model_row *row,
                                    struct error *error)
{
    struct scope *own = scope_open(scope, "compare extent");
    uint64_t state = row->seed, from = unit_random_below(&state, value->size);
    uint64_t size = unit_random_below(&state, value->size - from) + 1;
    void *memory = array_of(own, value->size, 1);
    enum sqlstate failed = volume_extent_read(volume, own, value->extent, 0, memory, value->size, error);
    ck_assert(failed || model_value_is(bytes_of(memory, value->size), row->seed));
    if (!failed) {
        uint8_t *part = array_of(own, size, 1);
        failed = volume_extent_read(volume, own, value->extent, from, part, size, error);
        ck_assert(failed || memcmp(part, (uint8_t *)memory + from, size) == 0);
    }
    scope_close(own);
    return failed;
}

static enum sqlstate compare_points(struct tree *tree, struct volume *volume, struct scope *scope,
                                    const struct model *model, uint64_t *state, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (int i = 0; i < 20 && model->count && !failed; i++) {
        const struct model_row *row = &model->rows[unit_random_below(state, model->count)];
        enum tree_answer answer;
        struct tree_value value;
        failed = find(tree, row->key, &answer, &value, error);
        if (failed)
            break;
        ck_assert_int_eq(answer, TREE_FOUND);
        ck_assert_uint_eq(value.size, row->size);
        if (value.extent != PAGE_NONE)
            failed = compare_extent(volume, scope, &value, row, error);
        else
            ck_assert(model_value_is(value.inside, row->seed));
        if (failed)
            break;
        /* A key right beside it. */
        uint8_t room[TREE_KEY_BYTES_MAX + 1];
        size_t at;
        memcpy(room, row->key.data, row->key.size);
        room[row->key.size] = 0;
        struct bytes beside = bytes_of(room, row->key.size + (row->key.size < TREE_KEY_BYTES_MAX));
        failed = find(tree, beside, &answer, &value, error);
        ck_assert(failed || (answer == TREE_FOUND) == (model_find(model, beside, &at) != NULL));
    }
    return failed;
}

enum sqlstate model_compare(struct tree *tree, struct volume *volume, struct scope *scope,
                            const struct model *model, uint64_t *state, struct error *error)
{
    ck_assert_uint_eq(tree_root(tree).rows, model->count);
    enum sqlstate failed = compare_walk(tree, model, false, unit_random_below(state, 2), error);
    if (!failed)
        failed = compare_walk(tree, model, true, unit_random_below(state, 2), error);
    return failed ? failed : compare_points(tree, volume, scope, model, state, error);
}

static void unexpected(void *argument, const char *sentence, struct bytes from, struct bytes to, bool to_open)
{
    const bool *disk_fails = argument;
    ck_assert(to_open || bytes_compare(from, to) <= 0);
    if (!*disk_fails || !strstr(sentence, "Input/output error"))
        ck_abort_msg("verification found: %s", sentence);
}

enum sqlstate model_verify(struct tree *tree, bool disk_fails, struct error *error)
{
    return tree_verify(tree, unexpected, &disk_fails, error);
}
