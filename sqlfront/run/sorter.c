/* External merge sort (sorter.h; Knuth, volume 3, 5.4).
 *
 * Rows are tuples in memory, sorted through an array of (first 8 bytes of the first key, tuple): most comparisons touch
 * that array alone. When the grant is full they are sorted and written as a run. At the end runs are merged, as many at
 * once as have buffers within the grant; when there are more, neighbours are first merged to longer runs:
 *
 *     rows ──> [tuples] ─sorted─> run 0, run 1, … run 40    ─merged by 16─>  run 41, 42, 43  ─merged─> out
 *
 * Runs stand in the order in which their rows came, so merging neighbours, the earlier one first among equals, is stable. */
#include "sqlfront/run/sorter.h"

#include "sqlfront/run/spill.h"

/* Runs of items of this length are sorted by insertion. */
#define SHORT_RUN 12
/* Cancellation is looked for when so many items were merged. */
#define LOOK_EVERY 4096
#define FAN_MIN    4
#define FAN_MAX    128

struct item {
    uint64_t prefix;
    struct tuple *tuple;
};

/* A run that is being merged: its first row not given yet. */
struct head {
    struct spill_reader *reader;
    struct scope *scope; /* of the row */
    struct value *value;
    uint64_t prefix;
    uint32_t number; /* among those merged */
};

struct merge {
    struct scope *scope;
    struct head **heap; /* the least on top */
    uint32_t count;
};

struct sorter {
    struct sorter_options options;
    struct scope *rows_scope;
    struct tuple_store rows;
    struct item *item; /* once sorted */
    bool prefixes;     /* hold for all rows so far */
    bool is_sorted;    /* the array's items */
    struct spill *spill;
    struct spill_run **run;
    uint32_t runs, run_room;
    struct merge merge; /* the last one */
    size_t at;
    uint64_t given;
    struct sorter_figures figures;
};

void sorter_open(const struct sorter_options *options, struct sorter **opened)
{
    struct sorter *sorter = scope_alloc_zeroed(options->scope, sizeof *sorter);
    sorter->options = *options;
    sorter->prefixes = true;
    sorter->rows_scope = scope_open(options->scope, "rows");
    tuple_store_init(&sorter->rows, sorter->rows_scope, options->columns, options->types);
    *opened = sorter;
}

/* ---- comparing ---- */

static uint64_t of_signed(int64_t i)
{
    return (uint64_t)i ^ (1ULL << 63);
}

static uint64_t of_bytes(struct bytes bytes)
{
    uint64_t prefix = 0;
    size_t size = bytes.size < 8 ? bytes.size : 8;
    if (size)
        memcpy(&prefix, bytes.data, size);
    return __builtin_bswap64(prefix);
}

static uint64_t of_float(double f)
{
    uint64_t bits;
    if (f != f)
        return UINT64_MAX;
    f = f == 0 ? 0 : f;
    memcpy(&bits, &f, 8);
    return bits >> 63 ? ~bits : bits | 1ULL << 63;
}

static struct bytes unpadded(const struct value *value)
{
    size_t size = value->size;
    while (size && value->p[size - 1] == ' ')
        size--;
    return bytes_of(value->p, size);
}

static int64_t whole_part(const struct value *value)
{
    int64_t whole = value->i;
    for (int16_t scale = value->scale; scale > 0; scale--)
        whole = whole / 10 - (whole % 10 < 0);
    return whole;
}

/* Never the wrong way round: of two rows the lesser has the lesser or the same prefix. */
static uint64_t prefix_of(const struct sorter *sorter, const struct plan_key *key, const struct value *value,
                          bool *holds)
{
    uint64_t prefix = 0;
    (void)sorter;
    if (value->null)
        return key->nulls_first ? 0 : UINT64_MAX;
    switch (key->type->order) {
    case ORDER_INTEGER:
        prefix = of_signed(value->i);
        break;
    case ORDER_FLOAT:
        prefix = of_float(value->f);
        break;
    case ORDER_BYTES:
        prefix = of_bytes(value_view(value));
        break;
    case ORDER_PADDED:
        prefix = of_bytes(unpadded(value));
        break;
    case ORDER_NUMERIC:
        *holds = *holds && value->small;
        prefix = value->small ? of_signed(whole_part(value)) : 0;
        break;
    default:
        break;
    }
    return key->descending ? ~prefix : prefix;
}

static int compare_values(const struct sorter *sorter, const struct value *a, const struct value *b)
{
    const struct sorter_options *options = &sorter->options;
    struct environment *environment = operation_environment(options->step);
    for (uint32_t i = 0; i < options->keys; i++) {
        uint32_t at = options->key_at[i];
        int order = plan_key_compare(environment, &options->key[i], &a[at], &b[at]);
        if (order)
            return order;
    }
    return 0;
}

static inline int compare_items(const struct sorter *sorter, const struct item *a, const struct item *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return compare_values(sorter, a->tuple->value, b->tuple->value);
}

/* ---- in memory ---- */

struct sorting {
    const struct sorter *sorter;
    struct error *error;
    size_t since_look;
};

static void sort_short(const struct sorter *sorter, struct item *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct item item = items[i];
        size_t at = i;
        for (; at > 0 && compare_items(sorter, &items[at - 1], &item) > 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static void merge_halves(const struct sorter *sorter, struct item *items, size_t half, size_t count,
                         struct item *room)
{
    if (compare_items(sorter, &items[half - 1], &items[half]) <= 0)
        return;
    memcpy(room, items, half * sizeof items[0]);
    size_t left = 0, right = half, to = 0;
    while (left < half && right < count)
        items[to++] = compare_items(sorter, &items[right], &room[left]) < 0 ? items[right++] : room[left++];
    memcpy(items + to, room + left, (half - left) * sizeof items[0]);
}

/* Depth is the logarithm of the count. */
static enum sqlstate sort_part(struct sorting *sorting, struct item *items, size_t count, struct item *room)
{
    if (count <= SHORT_RUN) {
        sort_short(sorting->sorter, items, count);
        return SQLSTATE_OK;
    }
    size_t half = count / 2;
    enum sqlstate failed = sort_part(sorting, items, half, room);
    if (!failed)
        failed = sort_part(sorting, items + half, count - half, room);
    if (failed)
        return failed;
    merge_halves(sorting->sorter, items, half, count, room);
    sorting->since_look += count;
    if (sorting->since_look < LOOK_EVERY)
        return SQLSTATE_OK;
    sorting->since_look = 0;
    return operation_breathe(operation_world(sorting->sorter->options.step), sorting->error);
}

/* The rows in memory, in order in sorter->item. */
static enum sqlstate sort_rows(struct sorter *sorter, struct error *error)
{
    const struct sorter_options *options = &sorter->options;
    struct sorting sorting = {.sorter = sorter, .error = error};
    size_t count = sorter->rows.count;
    void *items, *room;
    if (count == 0)
        return SQLSTATE_OK;
    enum sqlstate failed =
        scope_alloc_large(sorter->rows_scope, count * sizeof(struct item), 16, &items, error);
    if (failed)
        return failed;
    sorter->item = items;
    bool holds = options->keys > 0;
    for (size_t i = 0; i < count; i++) {
        struct tuple *tuple = sorter->rows.tuple[i];
        sorter->item[i] = (struct item){.tuple = tuple};
        if (holds)
            sorter->item[i].prefix =
                prefix_of(sorter, &options->key[0], &tuple->value[options->key_at[0]], &holds);
    }
    for (size_t i = 0; i < count && !holds; i++)
        sorter->item[i].prefix = 0;
    failed = scope_alloc_large(sorter->rows_scope, (count / 2 + 1) * sizeof(struct item), 16, &room, error);
    if (!failed)
        failed = sort_part(&sorting, sorter->item, count, room);
    size_t used = scope_bytes(sorter->rows_scope);
    if (used > sorter->figures.memory_peak)
        sorter->figures.memory_peak = used;
    if (!failed)
        scope_free_large(sorter->rows_scope, room);
    sorter->is_sorted = !failed;
    return failed;
}

static void empty_rows(struct sorter *sorter)
{
    const struct sorter_options *options = &sorter->options;
    scope_close(sorter->rows_scope);
    sorter->rows_scope = scope_open(options->scope, "rows");
    tuple_store_init(&sorter->rows, sorter->rows_scope, options->columns, options->types);
    sorter->item = NULL;
    sorter->is_sorted = false;
}

/* Keeps the first `limit` of what there is, in memory of their own: the rest's goes back. */
static enum sqlstate shorten(struct sorter *sorter, struct error *error)
{
    enum sqlstate failed = sort_rows(sorter, error);
    if (failed)
        return failed;
    struct tuple_store old = sorter->rows;
    const struct item *item = sorter->item;
    struct scope *old_scope = sorter->rows_scope;
    size_t keep = old.count < sorter->options.limit ? old.count : (size_t)sorter->options.limit;
    sorter->figures.shortened = true;
    sorter->rows_scope = scope_open(sorter->options.scope, "rows");
    tuple_store_init(&sorter->rows, sorter->rows_scope, old.columns, old.types);
    for (size_t i = 0; i < keep && !failed; i++) {
        struct tuple *tuple;
        failed = tuple_store_add_values(&sorter->rows, item[i].tuple->value, &tuple, error);
    }
    scope_close(old_scope);
    sorter->item = NULL;
    sorter->is_sorted = false;
    return failed;
}

/* ---- runs ---- */

static enum sqlstate run_open(struct sorter *sorter, struct spill_run **run, struct error *error)
{
    const struct sorter_options *options = &sorter->options;
    if (!sorter->spill) {
        enum sqlstate failed =
            operation_spill(options->step, options->scope, options->grant, &sorter->spill, error);
        if (failed)
            return failed;
    }
    if (sorter->runs == sorter->run_room) {
        uint32_t room = sorter->run_room ? 2 * sorter->run_room : 16;
        struct spill_run **grown = scope_alloc(options->scope, room * sizeof(struct spill_run *));
        if (sorter->runs)
            memcpy(grown, sorter->run, sorter->runs * sizeof(struct spill_run *));
        sorter->run = grown;
        sorter->run_room = room;
    }
    *run = spill_run_open(sorter->spill, options->scope, options->columns, options->types);
    return SQLSTATE_OK;
}

static enum sqlstate write_rows(struct sorter *sorter, struct error *error)
{
    struct spill_run *run;
    enum sqlstate failed = sort_rows(sorter, error);
    if (!failed)
        failed = run_open(sorter, &run, error);
    for (size_t i = 0; i < sorter->rows.count && i < sorter->options.limit && !failed; i++) {
        failed = spill_run_add(run, sorter->item[i].tuple->value, 0, error);
        if (!failed && i % BATCH_ROWS == 0)
            failed = operation_breathe(operation_world(sorter->options.step), error);
    }
    if (!failed)
        failed = spill_run_end(run, error);
    if (failed)
        return failed;
    sorter->run[sorter->runs++] = run;
    sorter->figures.runs++;
    empty_rows(sorter);
    return SQLSTATE_OK;
}

enum sqlstate sorter_add(struct sorter *sorter, const struct value *const *columns, uint32_t row,
                         struct error *error)
{
    struct tuple *tuple;
    enum sqlstate failed = tuple_store_add(&sorter->rows, columns, row, &tuple, error);
    if (failed || sorter->rows.count % 16)
        return failed;
    uint64_t limit = sorter->options.limit;
    if (limit != UINT64_MAX && sorter->rows.count / 4 >= limit / 2 + BATCH_ROWS)
        return shorten(sorter, error);
    /* Sorting wants an array and half of one more. */
    size_t bytes = scope_bytes(sorter->rows_scope) + sorter->rows.count * sizeof(struct item) * 3 / 2;
    if (operation_is_over(sorter->options.step, bytes, sorter->options.grant))
        return write_rows(sorter, error);
    return SQLSTATE_OK;
}

/* ---- merging ---- */

static bool head_before(const struct sorter *sorter, const struct head *a, const struct head *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix;
    int order = compare_values(sorter, a->value, b->value);
    return order ? order < 0 : a->number < b->number;
}

static void sift_down(const struct sorter *sorter, struct merge *merge, uint32_t at)
{
    struct head *head = merge->heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= merge->count)
            break;
        if (child + 1 < merge->count && head_before(sorter, merge->heap[child + 1], merge->heap[child]))
            child++;
        if (!head_before(sorter, merge->heap[child], head))
            break;
        merge->heap[at] = merge->heap[child];
        at = child;
    }
    merge->heap[at] = head;
}

/* The head's next row; *found false at the end of its run. Big numbers have no prefix: then none has. */
static enum sqlstate advance(struct sorter *sorter, struct merge *merge, struct head *head, bool *found,
                             struct error *error)
{
    const struct sorter_options *options = &sorter->options;
    uint64_t mark;
    bool holds = true;
    scope_close(head->scope);
    head->scope = scope_open(merge->scope, "row");
    enum sqlstate failed = spill_reader_next(head->reader, head->scope, head->value, &mark, found, error);
    if (failed || !*found)
        return failed;
    bool plain = options->keys && options->key[0].type->order != ORDER_NUMERIC;
    head->prefix = plain ? prefix_of(sorter, &options->key[0], &head->value[options->key_at[0]], &holds) : 0;
    return SQLSTATE_OK;
}

static enum sqlstate merge_open(struct sorter *sorter, struct merge *merge, uint32_t from, uint32_t count,
                                struct error *error)
{
    merge->scope = scope_open(sorter->options.scope, "merge");
    merge->heap = scope_alloc(merge->scope, (count + 1) * sizeof(struct head *));
    merge->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool found;
        struct head *head = scope_alloc_zeroed(merge->scope, sizeof *head);
        head->number = i;
        head->scope = scope_open(merge->scope, "row");
        head->value = scope_alloc(merge->scope, (sorter->options.columns + 1) * sizeof head->value[0]);
        enum sqlstate failed = spill_reader_open(sorter->run[from + i], merge->scope, &head->reader, error);
        if (!failed)
            failed = advance(sorter, merge, head, &found, error);
        if (failed)
            return failed;
        if (found)
            merge->heap[merge->count++] = head;
    }
    for (uint32_t i = merge->count; i-- > 0;)
        sift_down(sorter, merge, i);
    return SQLSTATE_OK;
}

static enum sqlstate merge_pop(struct sorter *sorter, struct merge *merge, struct error *error)
{
    bool found;
    enum sqlstate failed = advance(sorter, merge, merge->heap[0], &found, error);
    if (failed)
        return failed;
    if (!found)
        merge->heap[0] = merge->heap[--merge->count];
    if (merge->count)
        sift_down(sorter, merge, 0);
    return SQLSTATE_OK;
}

/* Runs from .. from + count - 1 become one. */
static enum sqlstate merge_runs(struct sorter *sorter, uint32_t from, uint32_t count, struct spill_run **made,
                                struct error *error)
{
    struct merge merge;
    enum sqlstate failed = run_open(sorter, made, error);
    if (!failed)
        failed = merge_open(sorter, &merge, from, count, error);
    for (uint64_t rows = 0; !failed && merge.count && rows < sorter->options.limit; rows++) {
        failed = spill_run_add(*made, merge.heap[0]->value, 0, error);
        if (!failed)
            failed = merge_pop(sorter, &merge, error);
        if (!failed && rows % BATCH_ROWS == 0)
            failed = operation_breathe(operation_world(sorter->options.step), error);
    }
    if (!failed)
        failed = spill_run_end(*made, error);
    if (failed)
        return failed;
    scope_close(merge.scope);
    for (uint32_t i = 0; i < count; i++)
        spill_run_drop(sorter->run[from + i]);
    return SQLSTATE_OK;
}

static uint32_t fan_of(const struct sorter *sorter)
{
    size_t fan = sorter->options.grant / spill_buffer_bytes(sorter->spill);
    return fan < FAN_MIN ? FAN_MIN : fan > FAN_MAX ? FAN_MAX : (uint32_t)fan;
}

enum sqlstate sorter_sort(struct sorter *sorter, struct error *error)
{
    if (!sorter->runs)
        return sort_rows(sorter, error);
    enum sqlstate failed = sorter->rows.count ? write_rows(sorter, error) : SQLSTATE_OK;
    uint32_t fan = fan_of(sorter);
    while (!failed && sorter->runs > fan) {
        uint32_t made = 0;
        for (uint32_t from = 0; from < sorter->runs && !failed; from += fan) {
            uint32_t count = sorter->runs - from < fan ? sorter->runs - from : fan;
            struct spill_run *run = sorter->run[from];
            if (count > 1)
                failed = merge_runs(sorter, from, count, &run, error);
            sorter->run[made++] = run;
        }
        sorter->runs = made;
    }
    sorter->figures.disk_bytes = sorter->spill ? spill_written(sorter->spill) : 0;
    return failed ? failed : merge_open(sorter, &sorter->merge, 0, sorter->runs, error);
}

/* ---- giving ---- */

static enum sqlstate give_merged(struct sorter *sorter, struct scope *scope, uint32_t columns,
                                 struct value **room, uint32_t rows, uint32_t *count, struct error *error)
{
    struct merge *merge = &sorter->merge;
    while (merge->count && *count < rows && sorter->given < sorter->options.limit) {
        const struct value *value = merge->heap[0]->value;
        enum sqlstate failed = SQLSTATE_OK;
        for (uint32_t c = 0; c < columns && !failed; c++)
            failed = value_copy(scope, sorter->options.types[c], &value[c], &room[c][*count], error);
        if (!failed)
            failed = merge_pop(sorter, merge, error);
        if (failed)
            return failed;
        sorter->given++;
        (*count)++;
    }
    return SQLSTATE_OK;
}

enum sqlstate sorter_give(struct sorter *sorter, struct scope *scope, uint32_t columns, struct value **room,
                          uint32_t rows, uint32_t *count, struct error *error)
{
    *count = 0;
    if (sorter->runs)
        return give_merged(sorter, scope, columns, room, rows, count, error);
    uint64_t left = sorter->rows.count - sorter->at, wanted = sorter->options.limit - sorter->at;
    left = left < wanted ? left : wanted;
    uint32_t some = left < rows ? (uint32_t)left : rows;
    for (uint32_t i = 0; i < some; i++) {
        const struct value *value = sorter->item[sorter->at + i].tuple->value;
        for (uint32_t c = 0; c < columns; c++)
            room[c][i] = value[c];
    }
    sorter->at += some;
    *count = some;
    return SQLSTATE_OK;
}

void sorter_figures(const struct sorter *sorter, struct sorter_figures *figures)
{
    *figures = sorter->figures;
}
