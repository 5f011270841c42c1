/* Opening, reading and writing of a row store; merging is in merge.c.
 *
 * The rule of every read: history and tree are looked at with no yield in between, because merging moves versions from the one
 * into the other. When a page is missing, it is fetched (which yields) and the read starts over. */
#include "engine/row/row.h"

#include "base/check.h"
#include "base/scope.h"
#include "engine/row/inside.h"

#include <stdio.h>

/* Rows looked at in one call of collect: about 100 us. */
#define COLLECT_ROWS 1000

void row_account(struct row_store *rows)
{
    rows->store.memory_bytes = history_bytes(rows->history);
    uint64_t resting = tree_root(rows->tree).rows, moving = history_rows(rows->history);
    rows->store.rows_estimate = resting > moving ? resting : moving;
}

/* "of shard 5 at key 00ff31…": enough to find the table and the place. */
static void key_text(struct bytes key, char text[68])
{
    size_t shown = key.size < 32 ? key.size : 32;
    for (size_t i = 0; i < shown; i++)
        snprintf(text + 2 * i, 3, "%02x", key.data[i]);
    snprintf(text + 2 * shown, 4, "%s", shown < key.size ? "..." : "");
}

static void say_where(const struct row_store *rows, struct bytes key, struct error *error)
{
    char text[68];
    key_text(key, text);
    error_add(error, ERROR_CONTEXT, "shard %llu, near key %s", (unsigned long long)rows->store.shard,
              key.size ? text : "(first)");
}

enum sqlstate row_damaged(const struct row_store *rows, uint64_t page, struct bytes key, struct error *error)
{
    enum sqlstate failed = error_set(error, SQLSTATE_DATA_CORRUPTED, "page %llu holds impossible content",
                                     (unsigned long long)page);
    say_where(rows, key, error);
    return failed;
}

/* Brings in what a look at the tree missed; the caller looks again. */
static enum sqlstate fetch(struct row_store *rows, enum tree_answer answer, uint64_t missing,
                           struct bytes key, struct error *error)
{
    if (answer == TREE_DAMAGED)
        return row_damaged(rows, missing, key, error);
    enum sqlstate failed = tree_fetch(rows->tree, missing, error);
    if (failed)
        say_where(rows, key, error);
    return failed;
}

enum sqlstate row_read_extent(struct row_store *rows, struct scope *scope, struct bytes key,
                              const struct tree_value *value, struct bytes *content, bool *still,
                              struct error *error)
{
    void *memory;
    enum sqlstate failed = scope_alloc_large(scope, value->size, 16, &memory, error);
    if (failed)
        return failed;
    uint64_t extent = value->extent, size = value->size;
    enum sqlstate unread = volume_extent_read(rows->volume, scope, extent, 0, memory, size, error);
    /* While it was read the row may have been changed and its pages used for something else: only if the key has the
     * same extent after the read is what was read, or that it could not be read, worth anything. */
    struct tree_value now;
    uint64_t missing;
    enum tree_answer answer;
    while ((answer = tree_find(rows->tree, key, &now, &missing)) >= TREE_MISSING) {
        failed = fetch(rows, answer, missing, key, error);
        if (failed)
            return failed;
    }
    *still = answer == TREE_FOUND && now.extent == extent && now.size == size;
    if (*still && unread) {
        say_where(rows, key, error);
        return unread;
    }
    *content = bytes_of(memory, size);
    return SQLSTATE_OK;
}

/* ---- reading ---- */

static enum sqlstate row_get(struct store *store, struct scope *scope, const struct snapshot *snapshot,
                             struct bytes key, struct store_row *row, bool *found, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    for (;;) {
        struct history_row *there = history_find(rows->history, key);
        struct version *version = there ? history_visible(there, snapshot) : NULL;
        if (version) {
            *found = version->exists;
            *row = (struct store_row){
                .key = history_key(there), .row = version_row(version), .scn = version->scn};
            return SQLSTATE_OK;
        }
        struct tree_value value;
        uint64_t missing;
        enum tree_answer answer = tree_find(rows->tree, key, &value, &missing);
        if (answer == TREE_ABSENT) {
            *found = false;
            return SQLSTATE_OK;
        }
        enum sqlstate failed = SQLSTATE_OK;
        bool still = true;
        if (answer != TREE_FOUND) {
            failed = fetch(rows, answer, missing, key, error);
            still = false;
        } else if (value.extent)
            failed = row_read_extent(rows, scope, key, &value, &value.inside, &still, error);
        if (failed)
            return failed;
        if (!still)
            continue;
        *found = true;
        *row = (struct store_row){.key = key, .row = value.inside, .scn = SCN_BOTTOM};
        return SQLSTATE_OK;
    }
}

static enum sqlstate row_newest(struct store *store, struct bytes key, struct store_newest *newest,
                                struct error *error)
{
    struct row_store *rows = row_store_of(store);
    for (;;) {
        *newest = (struct store_newest){0};
        struct history_row *there = history_find(rows->history, key);
        if (there) {
            newest->exists = there->newest->exists;
            if (version_settle(there->newest) == SCN_NONE)
                newest->transaction = there->newest->writer->transaction;
            struct version *committed = history_newest_committed(there);
            newest->scn = committed ? committed->scn : SCN_NONE;
            return SQLSTATE_OK;
        }
        struct tree_value value;
        uint64_t missing;
        enum tree_answer answer = tree_find(rows->tree, key, &value, &missing);
        if (answer <= TREE_FOUND) {
            newest->exists = answer == TREE_FOUND;
            newest->scn = newest->exists ? SCN_BOTTOM : SCN_NONE;
            return SQLSTATE_OK;
        }
        enum sqlstate failed = fetch(rows, answer, missing, key, error);
        if (failed)
            return failed;
    }
}

/* ---- scanning: a merge of history and tree, one leaf at a time ---- */

struct scan {
    struct row_store *rows;
    const struct snapshot *snapshot;
    struct store_cursor *cursor;
    const struct store_sink *sink;
    size_t rows_left;
    /* where the scan stands: the next row is beyond this */
    struct bytes from;
    bool at_end, exclusive;
    /* the history's side of the merge, as of now */
    struct history_place place;
    struct history_row *next;
    bool given;   /* cursor->at is the last key given */
    bool stopped; /* the sink has enough, or rows_left is 0 */
    bool ended;   /* the range is through */
    bool large;   /* stopped before a row in an extent, whose key is in `key` */
    struct tree_value value;
    uint8_t key[STORE_KEY_BYTES_MAX];
    size_t key_size;
};

static int in_direction(const struct scan *scan, int order)
{
    return scan->cursor->backward ? -order : order;
}

/* Gives one row; false when the scan is to stop behind it. */
static bool give(struct scan *scan, struct bytes key, struct bytes row, uint64_t scn)
{
    struct store_row out = {.key = key, .row = row, .scn = scn};
    store_cursor_remember(scan->cursor, key);
    scan->rows_left--;
    scan->stopped = !scan->sink->take(scan->sink->argument, &out) || scan->rows_left == 0;
    return !scan->stopped;
}

/* Gives the history's rows before `key` (or all, without) that the snapshot sees; false when the scan is to stop. */
static bool give_history(struct scan *scan, const struct bytes *key)
{
    for (; scan->next; scan->next = history_step(&scan->place, scan->cursor->backward)) {
        struct bytes at = history_key(scan->next);
        if (key && in_direction(scan, bytes_compare(at, *key)) >= 0)
            return true;
        if (store_cursor_ends_before(scan->cursor, at)) {
            scan->ended = true;
            return false;
        }
        struct version *version = history_visible(scan->next, scan->snapshot);
        if (version && version->exists && !give(scan, at, version_row(version), version->scn))
            return false;
    }
    return true;
}

static bool visit_tree_row(void *argument, struct bytes key, const struct tree_value *value)
{
    struct scan *scan = argument;
    if (!give_history(scan, &key))
        return false;
    if (store_cursor_ends_before(scan->cursor, key)) {
        scan->ended = true;
        return false;
    }
    struct version *version = NULL;
    if (scan->next && bytes_compare(history_key(scan->next), key) == 0) {
        version = history_visible(scan->next, scan->snapshot);
        scan->next = history_step(&scan->place, scan->cursor->backward);
    }
    if (version)
        return !version->exists || give(scan, key, version_row(version), version->scn);
    if (!value->extent)
        return give(scan, key, value->inside, SCN_BOTTOM);
    scan->large = true;
    scan->value = *value;
    if (key.size)
        memcpy(scan->key, key.data, key.size);
    scan->key_size = key.size;
    return false;
}

/* The row before which the walk stopped because it lies in an extent. */
static enum sqlstate give_large(struct scan *scan, struct error *error)
{
    struct store_row row;
    bool found;
    struct bytes key = bytes_of(scan->key, scan->key_size);
    struct scope *scope = scope_open(scan->cursor->scope, "large row");
    enum sqlstate failed = row_get(&scan->rows->store, scope, scan->snapshot, key, &row, &found, error);
    scan->large = false;
    if (!failed && found)
        give(scan, key, row.row, row.scn);
    scope_close(scope);
    /* Going on behind this key, whether or not it was there in the end. */
    store_cursor_remember(scan->cursor, key);
    return failed;
}

static enum sqlstate scan_leaf(struct scan *scan, struct error *error)
{
    struct row_store *rows = scan->rows;
    struct store_cursor *cursor = scan->cursor;
    uint8_t bound[STORE_KEY_BYTES_MAX];
    struct tree_walk walk = {.backward = cursor->backward,
                             .ahead = true,
                             .visit = visit_tree_row,
                             .argument = scan,
                             .bound = bound,
                             .from = scan->from,
                             .at_end = scan->at_end,
                             .exclusive = scan->exclusive};
    scan->next = history_seek(rows->history, scan->from, scan->at_end, cursor->backward, scan->exclusive,
                              &scan->place);
    uint64_t missing;
    enum tree_answer answer = tree_walk_leaf(rows->tree, &walk, &missing);
    if (answer >= TREE_MISSING)
        return fetch(rows, answer, missing, scan->from, error);
    if (scan->large || scan->stopped || scan->ended)
        return SQLSTATE_OK;
    bool last = answer == TREE_ABSENT || walk.last;
    struct bytes edge = bytes_of(bound, walk.bound_size);
    if (!give_history(scan, last ? NULL : &edge))
        return SQLSTATE_OK;
    if (last) {
        scan->ended = true;
        return SQLSTATE_OK;
    }
    /* Forward the next leaf begins at the edge; backward it ends before it. The place is kept in the scan's own memory, for
     * the cursor remembers rows that were given, not edges. */
    memcpy(scan->key, bound, walk.bound_size);
    scan->from = bytes_of(scan->key, walk.bound_size);
    scan->at_end = false;
    scan->exclusive = cursor->backward;
    scan->ended = store_cursor_ends_before(cursor, scan->from) && !cursor->backward;
    return SQLSTATE_OK;
}

static enum sqlstate row_scan(struct store *store, const struct snapshot *snapshot,
                              struct store_cursor *cursor, size_t rows_max, const struct store_sink *sink,
                              struct error *error)
{
    if (!rows_max)
        return SQLSTATE_OK;
    struct scope *scope = scope_open(cursor->scope, "scan");
    struct scan *scan = scope_alloc_zeroed(scope, sizeof *scan);
    *scan = (struct scan){.rows = row_store_of(store), .snapshot = snapshot, .cursor = cursor, .sink = sink};
    scan->rows_left = rows_max;
    scan->from = store_cursor_from(cursor, &scan->at_end, &scan->exclusive);
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && !scan->stopped && !scan->ended) {
        failed = scan_leaf(scan, error);
        if (failed || !scan->large)
            continue;
        failed = give_large(scan, error);
        scan->from = bytes_of(cursor->at, cursor->at_size);
        scan->at_end = false;
        scan->exclusive = true;
    }
    cursor->done = scan->ended;
    scope_close(scope);
    return failed;
}

/* ---- writing ---- */

static void row_apply(struct store *store, struct writer *writer, const struct effect *effect)
{
    history_apply(row_store_of(store)->history, writer, effect);
    store->memory_bytes = history_bytes(row_store_of(store)->history);
}

static bool row_rollback(struct store *store, struct writer *writer, uint32_t effects, size_t limit)
{
    return history_rollback(row_store_of(store)->history, writer, effects, limit);
}

static void row_commit(struct store *store, struct writer *writer, uint64_t scn)
{
    history_commit(row_store_of(store)->history, writer, scn);
}

static bool row_collect(struct store *store, uint64_t oldest)
{
    bool more = history_collect(row_store_of(store)->history, oldest, true, COLLECT_ROWS);
    row_account(row_store_of(store));
    return more;
}

static enum sqlstate row_make_room(struct store *store, size_t bytes, uint64_t scn, uint64_t oldest,
                                   struct error *error)
{
    struct row_store *rows = row_store_of(store);
    size_t limit = rows->memory_bytes;
    if (bytes <= limit && history_bytes(rows->history) <= limit - bytes)
        return SQLSTATE_OK;
    /* Down to half, so that not every write comes by here. */
    enum sqlstate failed = row_merge(rows, scn, oldest, bytes < limit / 2 ? limit / 2 : 1, error);
    row_account(rows);
    if (failed || (bytes <= limit && history_bytes(rows->history) <= limit - bytes))
        return failed;
    failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    error_add(error, ERROR_DETAIL,
              "Versions of rows that no one may drop yet take %zu bytes in shard %llu; the limit is %zu.",
              history_bytes(rows->history), (unsigned long long)store->shard, limit);
    error_add(error, ERROR_HINT, "End old transactions, or make this one smaller.");
    return failed;
}

static void row_changed(struct store *store, uint64_t since, struct bytes from,
                        bool (*take)(void *argument, const struct store_row *row, bool exists),
                        void *argument)
{
    history_changed(row_store_of(store)->history, since, from, take, argument);
}

static enum sqlstate row_checkpoint(struct store *store, uint64_t scn, uint64_t oldest,
                                    struct store_checkpoint *done, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    enum sqlstate failed = row_merge(rows, scn, oldest, 0, error);
    row_account(rows);
    struct tree_root root = tree_root(rows->tree);
    *done = (struct store_checkpoint){.scn = scn, .rows = root.rows, .bytes = root.pages};
    return failed;
}

/* ---- loading, verifying, opening ---- */

static enum sqlstate row_load(struct store *store, const struct store_source *source, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    check(history_rows(rows->history) == 0 && tree_root(rows->tree).rows == 0, "a load needs an empty store");
    struct tree_source from = {.next = source->next, .argument = source->argument};
    enum sqlstate failed = tree_load(rows->tree, &from, 95, error);
    row_account(rows);
    return failed;
}

static void report_finding(void *argument, const char *sentence, struct bytes from, struct bytes to,
                           bool to_open)
{
    const struct store_findings *findings = argument;
    struct key_range range = {.from = from, .to = to, .to_open = to_open};
    findings->report(findings->argument, sentence, &range);
}

static enum sqlstate row_verify(struct store *store, const struct store_findings *findings,
                                struct error *error)
{
    history_check(row_store_of(store)->history);
    return tree_verify(row_store_of(store)->tree, report_finding, (void *)findings, error);
}

static const struct store_ops row_ops = {
    .get = row_get,
    .scan = row_scan,
    .newest = row_newest,
    .make_room = row_make_room,
    .apply = row_apply,
    .rollback = row_rollback,
    .commit = row_commit,
    .collect = row_collect,
    .changed = row_changed,
    .checkpoint = row_checkpoint,
    .load = row_load,
    .verify = row_verify,
};

struct store *row_store_open(struct scope *scope, const struct row_store_options *options)
{
    struct row_store *rows = scope_alloc_zeroed(scope, sizeof *rows);
    rows->store = (struct store){
        .ops = &row_ops, .abilities = STORE_DURABLE | STORE_SORTED_LOAD, .shard = options->shard};
    rows->world = options->world;
    rows->scope = scope;
    rows->volume = options->volume;
    rows->memory_bytes = options->memory_bytes;
    rows->history = history_open(scope);
    rows->tree = tree_open(scope, options->volume, &options->root);
    fiber_queue_init(&rows->merged);
    row_account(rows);
    return &rows->store;
}

struct tree_root row_store_root(const struct store *store)
{
    return tree_root(row_store_of((struct store *)store)->tree);
}

bool row_store_dirty(const struct store *store, const struct tree_root *written)
{
    struct row_store *rows = row_store_of((struct store *)store);
    struct tree_root now = tree_root(rows->tree);
    return history_rows(rows->history) > 0 || now.page != written->page || now.rows != written->rows ||
           now.extents != written->extents;
}

enum sqlstate row_store_drop(struct store *store, struct error *error)
{
    return tree_drop(row_store_of(store)->tree, error);
}
