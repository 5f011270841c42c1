/* A sorted load past the log is some ten times faster than inserting row by row, so rows are sorted first: in memory as long as they
 * fit, else by runs on disk that are merged while they are loaded (Knuth, The Art of Computer Programming 3, 5.4.1). */
#include "sqlfront/define/pile.h"

#include "base/check.h"
#include "base/scope.h"
#include "sqlfront/library/library.h"

#include <string.h>

#define PILE_BYTES_MIN (256UL * 1024)
/* Runs merged at once. When there are as many, they become one. */
#define RUNS_MAX 64
/* A key, and a row. */
#define RUN_COLUMNS 2

void pile_open(struct pile *pile, struct scope *scope, const struct pile_options *options)
{
    size_t room = scope_room(scope) / 8;
    *pile = (struct pile){.options = *options, .scope = scope_open(scope, "pile"), .in_order = true};
    pile->in_memory = scope_open(pile->scope, "rows of a pile");
    pile->account.limit = options->temporary;
    pile->bytes_max = options->memory < room ? options->memory : room;
    if (pile->bytes_max < PILE_BYTES_MIN)
        pile->bytes_max = PILE_BYTES_MIN;
}

/* ---- in memory ---- */

static enum sqlstate pile_grow(struct pile *pile, struct error *error)
{
    size_t room = pile->room ? 2 * pile->room : 1024;
    void *memory;
    enum sqlstate failed = scope_alloc_large(pile->in_memory, room * sizeof *pile->rows, 16, &memory, error);
    if (failed)
        return failed;
    if (pile->count) {
        memcpy(memory, pile->rows, pile->count * sizeof *pile->rows);
        scope_free_large(pile->in_memory, pile->rows);
    }
    pile->rows = memory;
    pile->room = room;
    return SQLSTATE_OK;
}

static enum sqlstate pile_copy(struct scope *scope, struct bytes from, struct bytes *to, struct error *error)
{
    void *memory;
    enum sqlstate failed = SQLSTATE_OK;
    if (from.size < SCOPE_SMALL_BYTES)
        memory = scope_alloc(scope, from.size + 1);
    else
        failed = scope_alloc_large(scope, from.size, 16, &memory, error);
    if (failed)
        return failed;
    if (from.size)
        memcpy(memory, from.data, from.size);
    *to = bytes_of(memory, from.size);
    return SQLSTATE_OK;
}

/* Rows sorted or merged between two breaths. */
#define ROWS_AT_ONCE 512

/* Merge sort; depth is the logarithm of the count. 57014 and the like: then in any order. Yields. */
static enum sqlstate sort(struct scheduler *scheduler, struct pile_row *rows, size_t count,
                          struct pile_row *room, struct error *error)
{
    if (count < 2)
        return SQLSTATE_OK;
    size_t half = count / 2, left = 0, right = half, to = 0;
    enum sqlstate failed = sort(scheduler, rows, half, room, error);
    if (!failed)
        failed = sort(scheduler, rows + half, count - half, room, error);
    if (!failed && count >= ROWS_AT_ONCE) {
        fiber_breathe(scheduler);
        failed = fiber_check_canceled(scheduler, error);
    }
    if (failed)
        return failed;
    memcpy(room, rows, half * sizeof *rows);
    while (left < half && right < count)
        rows[to++] = bytes_compare(rows[right].key, room[left].key) < 0 ? rows[right++] : room[left++];
    memcpy(rows + to, room + left, (half - left) * sizeof *rows);
    return SQLSTATE_OK;
}

static enum sqlstate sort_rows(struct pile *pile, struct error *error)
{
    void *room;
    if (pile->in_order)
        return SQLSTATE_OK;
    enum sqlstate failed =
        scope_alloc_large(pile->in_memory, pile->count * sizeof *pile->rows, 16, &room, error);
    return failed ? failed : sort(pile->options.world->scheduler, pile->rows, pile->count, room, error);
}

/* ---- runs ---- */

static enum sqlstate run_begin(struct pile *pile, struct spill_run **run, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (!pile->spill) {
        const struct spill_options options = {.directory =
                                                  engine_directory(pile->options.engine, pile->options.world),
                                              .account = &pile->account,
                                              .grant = pile->bytes_max};
        failed = spill_open(pile->options.world, pile->scope, &options, &pile->spill, error);
        pile->run_types[0] = pile->run_types[1] = type_builtin(TYPE_BYTEA);
        pile->run = scope_alloc_zeroed(pile->scope, RUNS_MAX * sizeof pile->run[0]);
    }
    if (!failed)
        *run = spill_run_open(pile->spill, pile->scope, RUN_COLUMNS, pile->run_types);
    return failed;
}

static enum sqlstate run_add(struct spill_run *run, struct bytes key, struct bytes row, struct error *error)
{
    const struct value values[RUN_COLUMNS] = {value_bytes(key.data, key.size),
                                              value_bytes(row.data, row.size)};
    return spill_run_add(run, values, 0, error);
}

/* ---- merging ---- */

struct head {
    struct spill_reader *reader;
    struct scope *scope; /* of the row in hand */
    struct value values[RUN_COLUMNS];
};

struct merge {
    struct pile *pile;
    struct scope *scope;
    struct head *heap[RUNS_MAX]; /* smallest key first */
    uint32_t heads;
    struct head *given; /* whose row was given last */
    struct bytes last;  /* its key, to see one that comes again */
    uint8_t last_bytes[STORE_KEY_BYTES_MAX];
    bool any, duplicate;
    int64_t *loaded; /* counts the rows given; NULL = nobody looks */
};

static struct bytes head_key(const struct head *head)
{
    return value_view(&head->values[0]);
}

static void sink_down(struct merge *merge, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < merge->heads; child++)
            if (bytes_compare(head_key(merge->heap[child]), head_key(merge->heap[least])) < 0)
                least = child;
        if (least == at)
            return;
        struct head *moved = merge->heap[at];
        merge->heap[at] = merge->heap[least];
        merge->heap[least] = moved;
        at = least;
    }
}

static enum sqlstate head_advance(struct merge *merge, struct head *head, bool *found, struct error *error)
{
    uint64_t mark;
    if (head->scope)
        scope_close(head->scope);
    head->scope = scope_open(merge->scope, "row of a run");
    return spill_reader_next(head->reader, head->scope, head->values, &mark, found, error);
}

static enum sqlstate merge_open(struct pile *pile, struct merge **opened, struct error *error)
{
    struct scope *scope = scope_open(pile->scope, "merge");
    struct merge *merge = scope_alloc_zeroed(scope, sizeof *merge);
    merge->pile = pile;
    merge->scope = scope;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < pile->runs && !failed; i++) {
        struct head *head = scope_alloc_zeroed(scope, sizeof *head);
        bool found = false;
        failed = spill_reader_open(pile->run[i], scope, &head->reader, error);
        if (!failed)
            failed = head_advance(merge, head, &found, error);
        if (found)
            merge->heap[merge->heads++] = head;
    }
    for (uint32_t i = merge->heads; i-- > 0;)
        sink_down(merge, i);
    *opened = merge;
    return failed;
}

/* The next row in the order of keys, valid until the next call. A key that comes again is the end; merge->duplicate says so. */
static enum sqlstate merge_next(void *argument, struct bytes *key, struct bytes *row, bool *end,
                                struct error *error)
{
    struct merge *merge = argument;
    *end = true;
    if (merge->given) {
        bool found;
        enum sqlstate failed = head_advance(merge, merge->given, &found, error);
        if (failed)
            return failed;
        if (!found)
            merge->heap[0] = merge->heap[--merge->heads];
        sink_down(merge, 0);
    }
    merge->given = NULL;
    if (merge->heads == 0)
        return SQLSTATE_OK;
    *key = head_key(merge->heap[0]);
    *row = value_view(&merge->heap[0]->values[1]);
    if (merge->any && bytes_compare(merge->last, *key) == 0) {
        merge->duplicate = true;
        return SQLSTATE_OK;
    }
    check(key->size <= sizeof merge->last_bytes, "%zu bytes", key->size);
    memcpy(merge->last_bytes, key->data, key->size);
    merge->last = bytes_of(merge->last_bytes, key->size);
    merge->any = true;
    merge->given = merge->heap[0];
    if (merge->loaded)
        ++*merge->loaded;
    *end = false;
    return SQLSTATE_OK;
}

/* Makes one run of all: *duplicate as in pile_finish(). */
static enum sqlstate runs_join(struct pile *pile, struct bytes *duplicate, struct error *error)
{
    struct merge *merge;
    struct spill_run *joined;
    bool end = false;
    enum sqlstate failed = merge_open(pile, &merge, error);
    if (!failed)
        failed = run_begin(pile, &joined, error);
    while (!failed && !end) {
        struct bytes key, row;
        failed = merge_next(merge, &key, &row, &end, error);
        if (!failed && !end)
            failed = run_add(joined, key, row, error);
    }
    if (!failed)
        failed = spill_run_end(joined, error);
    if (failed)
        return failed;
    if (merge->duplicate)
        return pile_copy(pile->scope, merge->last, duplicate, error);
    scope_close(merge->scope);
    for (uint32_t i = 0; i < pile->runs; i++)
        spill_run_drop(pile->run[i]);
    pile->run[0] = joined;
    pile->runs = 1;
    return SQLSTATE_OK;
}

/* Puts what is in memory aside as a run. */
static enum sqlstate put_aside(struct pile *pile, struct bytes *duplicate, struct error *error)
{
    struct spill_run *run;
    enum sqlstate failed = sort_rows(pile, error);
    if (!failed && pile->runs == RUNS_MAX)
        failed = runs_join(pile, duplicate, error);
    if (!failed && duplicate->size == 0)
        failed = run_begin(pile, &run, error);
    if (failed || duplicate->size)
        return failed;
    for (size_t i = 0; i < pile->count && !failed; i++)
        failed = run_add(run, pile->rows[i].key, pile->rows[i].row, error);
    if (!failed)
        failed = spill_run_end(run, error);
    if (failed)
        return failed;
    pile->run[pile->runs++] = run;
    scope_close(pile->in_memory);
    pile->in_memory = scope_open(pile->scope, "rows of a pile");
    pile->rows = NULL;
    pile->count = pile->room = pile->bytes = 0;
    pile->in_order = true;
    return SQLSTATE_OK;
}

/* ---- the pile ---- */

enum sqlstate pile_add(struct pile *pile, struct bytes key, struct bytes row, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (pile->duplicate.size)
        return SQLSTATE_OK; /* pile_finish() tells */
    if (pile->bytes > pile->bytes_max)
        failed = put_aside(pile, &pile->duplicate, error);
    if (!failed && pile->count == pile->room)
        failed = pile_grow(pile, error);
    struct pile_row *added = &pile->rows[pile->count];
    if (!failed)
        failed = pile_copy(pile->in_memory, key, &added->key, error);
    if (!failed)
        failed = pile_copy(pile->in_memory, row, &added->row, error);
    if (failed)
        return failed;
    if (pile->count && bytes_compare(pile->rows[pile->count - 1].key, added->key) >= 0)
        pile->in_order = false;
    pile->count++;
    pile->bytes += key.size + row.size + sizeof *added;
    return SQLSTATE_OK;
}

static enum sqlstate next_in_memory(void *argument, struct bytes *key, struct bytes *row, bool *end,
                                    struct error *error)
{
    struct pile *pile = argument;
    (void)error;
    *end = pile->at == pile->count;
    if (*end)
        return SQLSTATE_OK;
    *key = pile->rows[pile->at].key;
    *row = pile->rows[pile->at++].row;
    if (pile->options.loaded)
        ++*pile->options.loaded;
    return SQLSTATE_OK;
}

static enum sqlstate load_memory(struct pile *pile, struct bytes *duplicate, struct error *error)
{
    enum sqlstate failed = sort_rows(pile, error);
    if (failed)
        return failed;
    for (size_t i = 1; i < pile->count; i++)
        if (bytes_compare(pile->rows[i - 1].key, pile->rows[i].key) == 0) {
            *duplicate = pile->rows[i].key;
            return SQLSTATE_OK;
        }
    const struct store_source source = {.next = next_in_memory, .argument = pile};
    return table_load(pile->options.transaction, pile->options.table, &source, error);
}

static enum sqlstate load_runs(struct pile *pile, struct bytes *duplicate, struct error *error)
{
    struct merge *merge;
    enum sqlstate failed = put_aside(pile, duplicate, error);
    if (failed || duplicate->size)
        return failed;
    failed = merge_open(pile, &merge, error);
    const struct store_source source = {.next = merge_next, .argument = merge};
    if (!failed)
        merge->loaded = pile->options.loaded;
    if (!failed)
        failed = table_load(pile->options.transaction, pile->options.table, &source, error);
    if (!failed && merge->duplicate)
        failed = pile_copy(pile->scope, merge->last, duplicate, error);
    return failed;
}

enum sqlstate pile_finish(struct pile *pile, struct bytes *duplicate, struct error *error)
{
    *duplicate = pile->duplicate;
    if (duplicate->size || (pile->count == 0 && pile->runs == 0))
        return SQLSTATE_OK;
    enum sqlstate failed =
        pile->runs ? load_runs(pile, duplicate, error) : load_memory(pile, duplicate, error);
    if (!failed && duplicate->size == 0)
        scope_close(pile->scope);
    return failed;
}
