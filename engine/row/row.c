/* Opening, reading and writing of a row store; merging is in merge.c, transactions larger than memory in spill.c.
 *
 * The rule of every read: history, spills and tree are looked at with no yield in between, because versions move from the one
 * into the other. When a page is missing, it is fetched (which yields) and the read starts over. */
#include "engine/row/row.h"

#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/row/inside.h"
#include "engine/row/spill.h"

#include <assert.h>
#include <stdio.h>

/* Rows looked at in one call of collect: about 100 us. */
#define COLLECT_ROWS 1000
/* Rows looked at for who has inserted them: the same. */
#define INSERTERS_LOOKS 4096

void row_account(struct store *store)
{
    struct row_store *rows = row_store_of(store);
    rows->store.memory_bytes = history_bytes(rows->history);
    uint64_t resting = tree_root(rows->tree).rows, moving = history_rows(rows->history);
    rows->store.rows_estimate = resting > moving ? resting : moving;
}

static void key_text(struct bytes key, const char *none, char text[68])
{
    size_t shown = key.size < 32 ? key.size : 32;
    for (size_t i = 0; i < shown; i++)
        snprintf(text + 2 * i, 3, "%02x", key.data[i]);
    snprintf(text + 2 * shown, 4, "%s", shown < key.size ? "..." : "");
    if (!key.size)
        snprintf(text, 68, "%s", none);
}

/* Table and keys: of the page on the way to the key, if that is the bad one. */
static void say_where(const struct row_store *rows, uint64_t page, struct bytes key, struct error *error)
{
    char from[68], to[68];
    struct tree_hole hole;
    unsigned long long table = rows->store.table, shard = rows->store.shard;
    if (page != PAGE_NONE && tree_find_hole(rows->tree, key, &hole) && hole.page == page) {
        key_text(bytes_of(hole.from, hole.from_size), "the first", from);
        key_text(bytes_of(hole.to, hole.to_size), "the last", to);
        error_add(error, ERROR_CONTEXT, "table %llu, shard %llu, keys from %s to %s", table, shard, from, to);
    } else {
        key_text(key, "the first", from);
        error_add(error, ERROR_CONTEXT, "table %llu, shard %llu, near key %s", table, shard, from);
    }
}

enum sqlstate row_damaged(const struct row_store *rows, uint64_t page, struct bytes key, struct error *error)
{
    enum sqlstate failed = error_set(error, SQLSTATE_DATA_CORRUPTED, "page %llu holds impossible content",
                                     (unsigned long long)page);
    say_where(rows, page, key, error);
    return failed;
}

bool row_hole(struct row_store *rows, enum sqlstate failed, struct bytes key, struct tree_hole *hole,
              struct error *error)
{
    if ((failed != SQLSTATE_DATA_CORRUPTED && failed != SQLSTATE_IO_ERROR) || volume_failed(rows->volume) ||
        !tree_find_hole(rows->tree, key, hole))
        return false;
    say_where(rows, hole->page, key, error);
    return true;
}

/* Brings in what a look at the tree missed; the caller looks again. */
static enum sqlstate fetch(struct row_store *rows, enum tree_answer answer, uint64_t missing,
                           struct bytes key, struct error *error)
{
    if (answer == TREE_DAMAGED)
        return row_damaged(rows, missing, key, error);
    enum sqlstate failed = tree_fetch(rows->tree, missing, error);
    if (failed) {
        say_where(rows, missing, key, error);
        if (failed == SQLSTATE_DATA_CORRUPTED)
            log_error(rows->world, LOG_ERROR, "page_damaged", error, "a page cannot be read");
    }
    return failed;
}

/* ---- reading ---- */

/* A version that a read has found. */
struct seen {
    bool found;
    struct store_row row; /* its `row` is empty while the version lies in an extent */
    bool extent;
    struct store_large at;   /* there */
    struct extent_hold hold; /* which stays until row_unsee() */
};

static void see_extent(struct row_store *rows, struct seen *seen, uint64_t extent, uint64_t size)
{
    seen->extent = true;
    seen->at = (struct store_large){.at = extent, .size = size};
    volume_extent_hold(rows->volume, &seen->hold, extent, size);
}

static void see_version(struct row_store *rows, struct seen *seen, const struct version *version)
{
    seen->found = version->exists;
    seen->row = (struct store_row){.key = history_key(version->of), .scn = version->scn};
    if (!version->large) {
        seen->row.row = version_row(version);
        return;
    }
    struct store_large large = version_large(version);
    see_extent(rows, seen, large.at, large.size);
}

/* Finds the version of a key that a snapshot sees. Yields, but not behind its find. */
static enum sqlstate row_see(struct row_store *rows, struct scope *scope, const struct snapshot *snapshot,
                             struct bytes key, struct seen *seen, struct error *error)
{
    struct spill_look look = {.rows = rows, .scope = scope, .snapshot = snapshot, .key = key};
    *seen = (struct seen){0};
    for (;;) {
        struct history_row *there = history_find(rows->history, key);
        struct version *version = there ? history_visible(there, snapshot) : NULL;
        enum sqlstate failed = SQLSTATE_OK;
        if (!list_empty(&rows->spills)) {
            bool again;
            failed = spill_look(&look, version, &again, error);
            if (failed)
                return failed;
            if (again)
                continue;
            if (look.there) {
                seen->found = look.found.exists;
                seen->row = (struct store_row){.key = key, .row = look.found.row, .scn = look.found.scn};
                return SQLSTATE_OK;
            }
        }
        if (version) {
            see_version(rows, seen, version);
            return SQLSTATE_OK;
        }
        struct tree_value value;
        uint64_t missing;
        enum tree_answer answer = tree_find(rows->tree, key, &value, &missing);
        if (answer == TREE_ABSENT)
            return SQLSTATE_OK;
        if (answer == TREE_FOUND) {
            seen->found = true;
            seen->row = (struct store_row){.key = key, .row = value.inside, .scn = SCN_BOTTOM};
            if (value.extent)
                see_extent(rows, seen, value.extent, value.size);
            return SQLSTATE_OK;
        }
        failed = fetch(rows, answer, missing, key, error);
        if (failed)
            return failed;
    }
}

static void row_unsee(struct row_store *rows, struct seen *seen)
{
    if (seen->extent)
        volume_extent_release(rows->volume, &seen->hold);
}

/* Reads a part of what lies in an extent. Yields. */
static enum sqlstate read_extent(struct row_store *rows, struct scope *scope, const struct seen *seen,
                                 uint64_t offset, void *into, size_t bytes, struct bytes key,
                                 struct error *error)
{
    enum sqlstate failed = volume_extent_read(rows->volume, scope, seen->at.at, offset, into, bytes, error);
    if (failed)
        say_where(rows, PAGE_NONE, key, error);
    return failed;
}

static enum sqlstate row_get(struct store *store, struct scope *scope, const struct snapshot *snapshot,
                             struct bytes key, struct store_row *row, bool *found, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    struct seen seen;
    enum sqlstate failed = row_see(rows, scope, snapshot, key, &seen, error);
    if (failed)
        return failed;
    *found = seen.found;
    *row = seen.row;
    if (!seen.extent)
        return SQLSTATE_OK;
    void *memory;
    failed = scope_alloc_large(scope, seen.at.size, 16, &memory, error);
    if (!failed)
        failed = read_extent(rows, scope, &seen, 0, memory, seen.at.size, key, error);
    row->key = key; /* that of the history may have gone */
    row->row = bytes_of(memory, seen.at.size);
    row_unsee(rows, &seen);
    return failed;
}

static enum sqlstate row_read(struct store *store, struct scope *scope, const struct snapshot *snapshot,
                              struct bytes key, struct store_piece *piece, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    struct seen seen;
    enum sqlstate failed = row_see(rows, scope, snapshot, key, &seen, error);
    piece->found = !failed && seen.found;
    if (!piece->found)
        return failed;
    if (!seen.extent) {
        store_piece_take(piece, seen.row.row);
        return SQLSTATE_OK;
    }
    uint64_t left = piece->offset < seen.at.size ? seen.at.size - piece->offset : 0;
    piece->row_bytes = seen.at.size;
    piece->bytes = left < piece->room ? (size_t)left : piece->room;
    failed = read_extent(rows, scope, &seen, piece->offset, piece->into, piece->bytes, key, error);
    row_unsee(rows, &seen);
    return failed;
}

void row_store_ahead(struct store *store, const struct bytes *keys, size_t count)
{
    struct row_store *rows = row_store_of(store);
    for (size_t i = 0; i < count; i++) {
        struct tree_value value;
        uint64_t missing;
        if (tree_find(rows->tree, keys[i], &value, &missing) == TREE_MISSING)
            volume_prefetch(rows->volume, &missing, 1);
    }
}

/* Takes over into *newest what the spills have of a key: first of commits, if that is newer than the history's `committed`, then
 * of the transaction itself, unless it has an open version in memory. */
static enum sqlstate newest_spilled(struct spill_look *of_commits, struct spill_look *own,
                                    const struct version *committed, struct store_newest *newest, bool *known,
                                    bool *again, struct error *error)
{
    enum sqlstate failed = spill_look(of_commits, committed, again, error);
    if (!failed && of_commits->there) {
        *known = true;
        newest->scn = of_commits->found.scn;
        if (!newest->transaction)
            newest->exists = of_commits->found.exists;
    }
    if (failed || *again || newest->transaction)
        return failed;
    failed = spill_look(own, NULL, again, error);
    if (!failed && own->there) {
        *known = true;
        newest->transaction = own->snapshot->transaction;
        newest->exists = own->found.exists;
    }
    return failed;
}

/* *scope is opened when something needs memory; the caller closes it. */
static enum sqlstate find_newest(struct row_store *rows, struct scope **scope, uint64_t transaction,
                                 struct bytes key, struct store_newest *newest, struct error *error)
{
    const struct snapshot commits = {.scn = SCN_NEWEST};
    const struct snapshot own = {.transaction = transaction, .own_effects = UINT32_MAX};
    struct spill_look of_commits = {.rows = rows, .snapshot = &commits, .key = key};
    struct spill_look of_own = {.rows = rows, .snapshot = &own, .key = key};
    for (;;) {
        enum sqlstate failed = SQLSTATE_OK;
        *newest = (struct store_newest){0};
        struct history_row *there = history_find(rows->history, key);
        struct version *committed = there ? history_newest_committed(there) : NULL;
        bool known = there != NULL, again = false;
        if (there) {
            newest->exists = there->newest->exists;
            if (version_settle(there->newest) == SCN_NONE)
                newest->transaction = there->newest->writer->transaction;
            newest->scn = committed ? committed->scn : SCN_NONE;
        }
        if (!list_empty(&rows->spills)) {
            if (!*scope)
                *scope = of_commits.scope = of_own.scope = scope_open(rows->scope, "newest");
            failed = newest_spilled(&of_commits, &of_own, committed, newest, &known, &again, error);
        }
        if (failed || (known && !again))
            return failed;
        if (again)
            continue;
        struct tree_value value;
        uint64_t missing;
        enum tree_answer answer = tree_find(rows->tree, key, &value, &missing);
        if (answer <= TREE_FOUND) {
            newest->exists = answer == TREE_FOUND;
            newest->scn = newest->exists ? SCN_BOTTOM : SCN_NONE;
            return SQLSTATE_OK;
        }
        failed = fetch(rows, answer, missing, key, error);
        if (failed)
            return failed;
    }
}

static enum sqlstate row_newest(struct store *store, uint64_t transaction, struct bytes key,
                                struct store_newest *newest, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    struct scope *scope = NULL;
    enum sqlstate failed = find_newest(rows, &scope, transaction, key, newest, error);
    if (scope)
        scope_close(scope);
    return failed;
}

bool row_store_absent(const struct store *store, struct bytes key)
{
    const struct row_store *rows = row_store_of((struct store *)store);
    struct tree_value value;
    uint64_t missing;
    if (history_find(rows->history, key) || tree_find(rows->tree, key, &value, &missing) != TREE_ABSENT)
        return false;
    uint64_t hash = list_empty(&rows->spills) ? 0 : row_key_hash(rows, key);
    list_each (&rows->spills, at) {
        const struct spill *spill = container_of(at, struct spill, link);
        if (spill_may_hold(spill, key, hash) && tree_find(spill->tree, key, &value, &missing) != TREE_ABSENT)
            return false;
    }
    return true;
}

bool row_store_inserters(const struct store *store, uint64_t transaction, const struct key_range *range,
                         void (*found)(void *argument, uint64_t holder, struct bytes key), void *argument)
{
    const struct row_store *rows = row_store_of((struct store *)store);
    struct history_place place;
    struct history_row *row = history_seek(rows->history, range->from, false, false, false, &place);
    for (size_t looked = 0; row; row = history_step(&place, false)) {
        if (!range->to_open && bytes_compare(history_key(row), range->to) >= 0)
            return true;
        if (looked++ == INSERTERS_LOOKS)
            return false;
        const struct writer *writer = history_inserter(row);
        if (writer && writer->transaction != transaction)
            found(argument, writer->transaction, history_key(row));
    }
    return true;
}

/* ---- scanning: a merge of history, spills and tree, one leaf at a time ---- */

/* A row of a spill that the snapshot sees. */
struct above {
    struct bytes key;
    struct spilled version;
    bool large; /* in an extent */
};

struct scan {
    struct row_store *rows;
    const struct snapshot *snapshot;
    struct store_cursor *cursor;
    const struct store_sink *sink;
    size_t rows_left;
    struct barren_walk barren;
    /* where the scan stands: the next row is beyond this */
    struct bytes from;
    bool at_end, exclusive;
    /* the history's side of the merge, as of now */
    struct history_place place;
    struct history_row *next;
    /* the spills' side: what their leaves hold that lie at `from`, in order; none knows anything beyond `edge` */
    struct scope *spilled; /* NULL when no spill concerns the scan */
    struct above *above;
    size_t above_count, above_room, above_at;
    struct bytes edge;
    bool edge_open;
    struct spill *walked;
    bool damaged;
    const struct tree_walk *leaf; /* the one that is walked */
    bool leaf_entered;            /* its first row has been seen */
    bool leaf_within;             /* no row of the leaf lies behind the range's end */
    bool leaf_alone;              /* neither history nor spills have anything among the leaf's rows */
    struct bytes
        unremembered; /* the last key given out of a leaf alone, before the cursor knows it; without data: none */
    bool given;       /* cursor->at is the last key given */
    bool stopped;     /* the sink has enough, or rows_left is 0 */
    bool ended;       /* the range is through */
    bool large;       /* stopped before a row in an extent, whose key is in `key` */
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
    if (scan->barren.looking)
        barren_ends(scan->rows, &scan->barren, key);
    store_cursor_remember(scan->cursor, key);
    scan->rows_left--;
    scan->stopped = !scan->sink->take(scan->sink->argument, &out) || scan->rows_left == 0;
    return !scan->stopped;
}

/* Stops before a row in an extent. Gives false. */
static bool stop_at_large(struct scan *scan, struct bytes key)
{
    scan->large = true;
    if (scan->barren.looking)
        barren_ends(scan->rows, &scan->barren, key);
    if (key.size)
        memcpy(scan->key, key.data, key.size);
    scan->key_size = key.size;
    return false;
}

/* The next key of history or spills; false when there is none. */
static bool next_over(const struct scan *scan, struct bytes *key)
{
    const struct above *above = scan->above_at < scan->above_count ? &scan->above[scan->above_at] : NULL;
    if (scan->next)
        *key = history_key(scan->next);
    if (above && (!scan->next || in_direction(scan, bytes_compare(above->key, *key)) < 0))
        *key = above->key;
    return scan->next || above;
}

/* A key of the history at which nothing is given: deleted for good, or for this snapshot only. */
static void note_nothing(struct scan *scan, const struct version *seen)
{
    struct history_row *row = scan->next;
    if (!seen || seen != row->newest || seen->scn == SCN_NONE) {
        barren_ends(scan->rows, &scan->barren, history_key(row));
        return;
    }
    scan->barren.passed++;
    if (seen->scn > scan->barren.scn)
        scan->barren.scn = seen->scn;
}

/* Goes past the next key of history and spills, giving its row when the snapshot sees a version there. *decided: it does.
 * False when the scan is to stop. */
static bool give_over(struct scan *scan, bool *decided)
{
    struct above *above = scan->above_at < scan->above_count ? &scan->above[scan->above_at] : NULL;
    int order = !above        ? -1
                : !scan->next ? 1
                              : in_direction(scan, bytes_compare(history_key(scan->next), above->key));
    struct version *version = order <= 0 ? history_visible(scan->next, scan->snapshot) : NULL;
    struct bytes key = order <= 0 ? history_key(scan->next) : above->key;
    if (order < 0)
        above = NULL;
    /* An own version in memory is newer than one in the spill; of the same commit, too. */
    if (above && version &&
        (version->scn == SCN_NONE || (above->version.scn != SCN_NONE && version->scn >= above->version.scn)))
        above = NULL;
    *decided = version || above;
    bool goes_on = true;
    if (above && above->large)
        goes_on = stop_at_large(scan, key);
    else if (above && above->version.exists)
        goes_on = give(scan, key, above->version.row, above->version.scn);
    else if (!above && version && version->large)
        goes_on = stop_at_large(scan, key);
    else if (!above && version && version->exists)
        goes_on = give(scan, key, version_row(version), version->scn);
    else if (!above && scan->barren.looking)
        note_nothing(scan, version);
    if (order <= 0)
        scan->next = history_step(&scan->place, scan->cursor->backward);
    if (order >= 0)
        scan->above_at++;
    return goes_on;
}

/* Gives the rows of history and spills before `key` (or all, without; `with_it`: and that of the key); false when the scan is to
 * stop. */
static bool give_all_over(struct scan *scan, const struct bytes *key, bool with_it)
{
    struct bytes at;
    bool decided;
    while (next_over(scan, &at)) {
        if (key && in_direction(scan, bytes_compare(at, *key)) >= with_it)
            return true;
        if (store_cursor_ends_before(scan->cursor, at)) {
            scan->ended = true;
            return false;
        }
        if (!give_over(scan, &decided))
            return false;
    }
    return true;
}

/* Whether a key lies beyond what is known of the spills. */
static bool beyond_edge(const struct scan *scan, struct bytes key)
{
    if (!scan->spilled || scan->edge_open)
        return false;
    int order = bytes_compare(key, scan->edge);
    return scan->cursor->backward ? order < 0 : order >= 0;
}

/* Whether all of a leaf lies before the end of the range, so that its rows need not be compared with that one by one. */
static bool lies_within(const struct scan *scan, const struct tree_walk *leaf)
{
    const struct key_range *range = &scan->cursor->range;
    struct bytes bound = bytes_of(leaf->bound, leaf->bound_size);
    if (scan->cursor->backward)
        return range->from.size == 0 || (!leaf->last && bytes_compare(bound, range->from) >= 0);
    return range->to_open || (!leaf->last && bytes_compare(bound, range->to) <= 0);
}

/* Whether no key of the history lies among the leaf's rows, and no spill has any. */
static bool lies_alone(const struct scan *scan, const struct tree_walk *leaf)
{
    struct bytes bound = bytes_of(leaf->bound, leaf->bound_size);
    if (scan->spilled)
        return false;
    if (!scan->next)
        return true;
    if (leaf->last)
        return false;
    int order = bytes_compare(history_key(scan->next), bound);
    return scan->cursor->backward ? order < 0 : order >= 0;
}

/* A row of a leaf all of whose rows are given: the cursor needs to know only the last one. */
static bool give_alone(struct scan *scan, struct bytes key, const struct tree_value *value)
{
    if (value->extent) {
        if (scan->unremembered.data)
            store_cursor_remember(scan->cursor, scan->unremembered);
        scan->unremembered.data = NULL;
        return stop_at_large(scan, key);
    }
    struct store_row out = {.key = key, .row = value->inside, .scn = SCN_BOTTOM};
    if (scan->barren.looking)
        barren_ends(scan->rows, &scan->barren, key);
    scan->rows_left--;
    scan->stopped = !scan->sink->take(scan->sink->argument, &out) || scan->rows_left == 0;
    scan->unremembered = key;
    if (scan->stopped || scan->leaf->left == 0) {
        store_cursor_remember(scan->cursor, key);
        scan->unremembered.data = NULL;
    }
    return !scan->stopped;
}

static bool visit_tree_row(void *argument, struct bytes key, const struct tree_value *value)
{
    struct scan *scan = argument;
    struct bytes over;
    bool decided = false;
    if (!scan->leaf_entered) {
        scan->leaf_within = lies_within(scan, scan->leaf);
        scan->leaf_alone = lies_alone(scan, scan->leaf);
        scan->leaf_entered = true;
    }
    if (scan->leaf_within && scan->leaf_alone)
        return give_alone(scan, key, value);
    bool over_there = scan->next || scan->above_at < scan->above_count;
    if (beyond_edge(scan, key) || (over_there && !give_all_over(scan, &key, false)))
        return false;
    if (!scan->leaf_within && store_cursor_ends_before(scan->cursor, key)) {
        scan->ended = true;
        return false;
    }
    if (over_there && next_over(scan, &over) && bytes_compare(over, key) == 0 && !give_over(scan, &decided))
        return false;
    if (decided)
        return true;
    return value->extent ? stop_at_large(scan, key) : give(scan, key, value->inside, SCN_BOTTOM);
}

/* ---- the spills' side ---- */

static bool gather_row(void *argument, struct bytes key, const struct tree_value *value)
{
    struct scan *scan = argument;
    struct above above = {.large = value->extent != PAGE_NONE};
    if (spill_has_folded(scan->walked, key))
        return true;
    above.version.scn = scan->walked->scn;
    if (!above.large &&
        !spill_pick(scan->walked, value->inside, scan->snapshot, &above.version, &scan->damaged))
        return !scan->damaged;
    if (scan->above_count == scan->above_room) {
        size_t room = scan->above_room ? 2 * scan->above_room : 256;
        struct above *grown = scope_alloc(scan->spilled, room * sizeof *grown);
        if (scan->above_count)
            memcpy(grown, scan->above, scan->above_count * sizeof *grown);
        scan->above = grown;
        scan->above_room = room;
    }
    above.key = bytes_of(scope_copy(scan->spilled, key.data, key.size), key.size);
    scan->above[scan->above_count++] = above;
    return true;
}

/* Two spills' rows in one order; of the same key only the newer stays. An own one is the newest. */
static void merge_above(struct scan *scan, struct above *left, size_t left_count)
{
    size_t right_count = scan->above_count - left_count, count = 0, l = 0, r = 0;
    if (!left_count || !right_count)
        return;
    struct above *right = scan->above + left_count;
    struct above *merged = scope_alloc(scan->spilled, scan->above_count * sizeof *merged);
    while (l < left_count || r < right_count) {
        int order = l == left_count    ? 1
                    : r == right_count ? -1
                                       : in_direction(scan, bytes_compare(left[l].key, right[r].key));
        merged[count++] = order <= 0 ? left[l] : right[r];
        l += order <= 0;
        r += order >= 0;
    }
    scan->above = merged;
    scan->above_count = count;
    scan->above_room = scan->above_count;
}

static void narrow_edge(struct scan *scan, struct bytes edge)
{
    int order = scan->edge_open ? -1 : bytes_compare(edge, scan->edge);
    if (scan->cursor->backward && !scan->edge_open)
        order = -order;
    if (order >= 0)
        return;
    scan->edge = edge.size ? bytes_of(scope_copy(scan->spilled, edge.data, edge.size), edge.size) : edge;
    scan->edge_open = false;
}

/* Gathers what the leaves of spills at `from` hold. *again: a page had to be read first. */
static enum sqlstate gather(struct scan *scan, bool *again, struct error *error)
{
    struct row_store *rows = scan->rows;
    *again = false;
    scan->above = NULL;
    scan->above_count = scan->above_room = scan->above_at = 0;
    scan->edge_open = true;
    list_each (&rows->spills, at) {
        struct spill *spill = container_of(at, struct spill, link);
        if (!spill_concerns(spill, scan->snapshot))
            continue;
        if (!scan->spilled)
            scan->spilled = scope_open(scan->cursor->scope, "spilled");
        uint8_t bound[STORE_KEY_BYTES_MAX];
        struct tree_walk walk = {.backward = scan->cursor->backward,
                                 .ahead = true,
                                 .visit = gather_row,
                                 .argument = scan,
                                 .bound = bound,
                                 .from = scan->from,
                                 .at_end = scan->at_end,
                                 .exclusive = scan->exclusive};
        uint64_t missing = tree_root(spill->tree).page;
        size_t before = scan->above_count;
        scan->walked = spill;
        enum tree_answer answer = tree_walk_leaf(spill->tree, &walk, &missing);
        if (answer == TREE_MISSING) {
            *again = true;
            return tree_fetch(spill->tree, missing, error);
        }
        if (answer == TREE_DAMAGED || scan->damaged)
            return row_damaged(rows, missing, scan->from, error);
        merge_above(scan, scan->above, before);
        if (answer == TREE_FOUND && !walk.last)
            narrow_edge(scan, bytes_of(bound, walk.bound_size));
    }
    return SQLSTATE_OK;
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

/* What lies at `from` in one leaf of the tree, or up to the edge of what is known of the spills. */
static enum sqlstate walk_leaf(struct scan *scan, struct error *error)
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
    scan->leaf = &walk;
    scan->leaf_entered = false;
    enum tree_answer answer = tree_walk_leaf(rows->tree, &walk, &missing);
    scan->leaf = NULL;
    if (answer >= TREE_MISSING)
        return fetch(rows, answer, missing, scan->from, error);
    if (scan->large || scan->stopped || scan->ended)
        return SQLSTATE_OK;
    bool last = answer == TREE_ABSENT || walk.last;
    struct bytes edge = bytes_of(bound, walk.bound_size);
    if (scan->spilled && !scan->edge_open && (last || beyond_edge(scan, edge))) {
        edge = scan->edge;
        last = false;
    }
    /* A leaf begins with its lower edge and ends before its upper one. */
    if (!give_all_over(scan, last ? NULL : &edge, cursor->backward))
        return SQLSTATE_OK;
    if (last) {
        scan->ended = true;
        return SQLSTATE_OK;
    }
    /* Forward the next leaf begins at the edge; backward it ends before it. The place is kept in the scan's own memory, for
     * the cursor remembers rows that were given, not edges. */
    memcpy(scan->key, edge.data, edge.size);
    scan->from = bytes_of(scan->key, edge.size);
    scan->at_end = false;
    scan->exclusive = cursor->backward;
    scan->ended = store_cursor_ends_before(cursor, scan->from) && !cursor->backward;
    return SQLSTATE_OK;
}

static enum sqlstate scan_leaf(struct scan *scan, struct error *error)
{
    if (list_empty(&scan->rows->spills))
        return walk_leaf(scan, error);
    bool again;
    enum sqlstate failed = gather(scan, &again, error);
    if (!failed && !again)
        failed = walk_leaf(scan, error);
    if (scan->spilled)
        scope_close(scan->spilled);
    scan->spilled = NULL;
    scan->above_count = scan->above_at = 0;
    return failed;
}

/* Where rows were passed over before, nothing is to be seen: goes on behind them. */
static void enter_barren(struct scan *scan)
{
    barren_enter(scan->rows, scan->snapshot, &scan->from, &scan->barren);
    scan->ended = scan->barren.entered && store_cursor_ends_before(scan->cursor, scan->from);
    scan->barren.looking &= !scan->ended;
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
    if (!cursor->backward && !scan->exclusive && list_empty(&scan->rows->spills))
        enter_barren(scan);
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
    if (scan->barren.looking && scan->ended && !cursor->range.to_open)
        barren_ends(scan->rows, &scan->barren, cursor->range.to);
    cursor->done = scan->ended;
    cursor->given += rows_max - scan->rows_left;
    scope_close(scope);
    return failed;
}

/* ---- writing ---- */

static void row_apply(struct store *store, struct writer *writer, const struct effect *effect)
{
    if (effect->kind != EFFECT_DELETE)
        barren_row_comes(row_store_of(store), effect->key);
    history_apply(row_store_of(store)->history, writer, effect);
    store->memory_bytes = history_bytes(row_store_of(store)->history);
}

static bool row_rollback(struct store *store, struct writer *writer, uint32_t effects, size_t limit)
{
    struct row_store *rows = row_store_of(store);
    if (!history_rollback(rows->history, writer, effects, limit))
        return false;
    spill_rollback(rows, writer, effects);
    return true;
}

static void row_commit(struct store *store, struct writer *writer, uint64_t scn)
{
    struct row_store *rows = row_store_of(store);
    history_commit(rows->history, writer, scn);
    spill_commit(rows, writer, scn);
}

static bool row_collect(struct store *store, uint64_t oldest)
{
    bool more = history_collect(row_store_of(store)->history, oldest, true, COLLECT_ROWS);
    row_account(store);
    return more;
}

/* ---- large rows ---- */

static void large_gone(void *argument, const struct store_large *large, bool kept)
{
    struct volume *volume = ((struct row_store *)argument)->volume;
    size_t pages = volume_extent_pages(volume, large->size);
    if (kept)
        volume_extent_free_loosened(volume, large->at, pages);
    else
        volume_extent_free(volume, large->at, pages);
}

size_t row_store_large_unit(const struct store *store)
{
    return volume_extent_unit(row_store_of((struct store *)store)->volume);
}

enum sqlstate row_store_large_begin(struct store *store, uint64_t size, struct store_large *large,
                                    struct error *error)
{
    struct volume *volume = row_store_of(store)->volume;
    large->size = size;
    return volume_extent_new(volume, volume_extent_pages(volume, size), &large->at, error);
}

enum sqlstate row_store_large_write(struct store *store, const struct store_large *large, uint64_t offset,
                                    struct bytes piece, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    check(offset + piece.size <= large->size);
    struct scope *scope = scope_open(rows->scope, "large row");
    enum sqlstate failed = volume_extent_write(rows->volume, scope, large->at, offset, piece, error);
    scope_close(scope);
    return failed;
}

enum sqlstate row_store_large_read(struct store *store, const struct store_large *large, uint64_t offset,
                                   void *into, size_t bytes, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    struct scope *scope = scope_open(rows->scope, "large row");
    enum sqlstate failed = volume_extent_read(rows->volume, scope, large->at, offset, into, bytes, error);
    scope_close(scope);
    return failed;
}

void row_store_large_drop(struct store *store, const struct store_large *large)
{
    struct volume *volume = row_store_of(store)->volume;
    volume_extent_free(volume, large->at, volume_extent_pages(volume, large->size));
}

/* ---- making room ---- */

static bool has_room(const struct row_store *rows, size_t bytes)
{
    size_t limit = rows->memory_bytes;
    return bytes <= limit && history_bytes(rows->history) <= limit - bytes;
}

/* Merges, folds what can be folded, and at last moves versions of open writers out. By whoever has the right to merge. */
static enum sqlstate find_room(struct row_store *rows, size_t bytes, uint64_t scn, uint64_t oldest,
                               struct error *error)
{
    /* Down to half, so that not every write comes by here. */
    size_t limit = rows->memory_bytes, room = bytes < limit / 2 ? limit / 2 : 1;
    bool folded = false;
    enum sqlstate failed = row_merge(rows, scn, oldest, room, error);
    while (!failed && !folded && !has_room(rows, bytes)) {
        failed = spill_fold(rows, scn, oldest, &folded, error);
        if (!failed)
            failed = row_merge(rows, scn, oldest, room, error);
    }
    if (!failed && !has_room(rows, bytes))
        failed = spill_out(rows, room, error);
    return failed;
}

static enum sqlstate row_make_room(struct store *store, size_t bytes, uint64_t scn, uint64_t oldest,
                                   struct error *error)
{
    struct row_store *rows = row_store_of(store);
    if (has_room(rows, bytes))
        return SQLSTATE_OK;
    enum sqlstate failed = row_merge_begin(rows, error);
    if (failed)
        return failed;
    if (!has_room(rows, bytes))
        failed = find_room(rows, bytes, scn, oldest, error);
    row_merge_end(rows);
    row_account(&rows->store);
    if (failed || has_room(rows, bytes))
        return failed;
    failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    error_add(error, ERROR_DETAIL,
              "Versions of rows that no one may drop yet take %zu bytes in shard %llu; the limit is %zu.",
              history_bytes(rows->history), (unsigned long long)store->shard, rows->memory_bytes);
    error_add(error, ERROR_HINT, "End old transactions, or write smaller rows.");
    return failed;
}

static void row_changed(struct store *store, uint64_t since, struct bytes from,
                        bool (*take)(void *argument, const struct store_change *change), void *argument)
{
    history_changed(row_store_of(store)->history, since, from, take, argument);
}

/* Between two pieces of a fold others may make room. */
static enum sqlstate fold_all(struct row_store *rows, uint64_t scn, uint64_t oldest, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (bool done = false; !failed && !done;) {
        failed = row_merge_begin(rows, error);
        if (failed)
            break;
        failed = spill_fold(rows, scn, oldest, &done, error);
        row_merge_end(rows);
        fiber_yield(rows->world->scheduler);
    }
    return failed;
}

static enum sqlstate row_checkpoint(struct store *store, uint64_t scn, uint64_t oldest,
                                    struct store_checkpoint *done, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    enum sqlstate failed = fold_all(rows, scn, oldest, error);
    if (!failed)
        failed = row_merge_begin(rows, error);
    if (failed)
        return failed;
    uint64_t holes = rows->holes;
    failed = row_merge(rows, scn, oldest, 0, error);
    row_merge_end(rows);
    row_account(&rows->store);
    struct tree_root root = tree_root(rows->tree);
    uint64_t lowest = spill_lowest(rows);
    if (rows->holes != holes)
        lowest = SCN_NONE + 1;
    *done = (struct store_checkpoint){
        .scn = lowest <= scn ? lowest - 1 : scn, .rows = root.rows, .bytes = root.pages};
    return failed;
}

/* ---- recovery ---- */

/* What a row takes in memory beside key and content, about. */
#define VERSION_ROOM 256

enum sqlstate row_stores_recover(const struct row_recovered *effects, size_t count, uint64_t scn,
                                 struct error *error)
{
    struct history_recovered recovered[ROW_RECOVERED_MAX];
    static_assert(ROW_RECOVERED_MAX <= HISTORY_AHEAD_MAX);
    check(count <= ROW_RECOVERED_MAX);
    for (size_t i = 0; i < count; i++)
        recovered[i] = (struct history_recovered){.history = row_store_of(effects[i].store)->history,
                                                  .key = effects[i].effect.key,
                                                  .row = effects[i].effect.row,
                                                  .large = effects[i].effect.large,
                                                  .exists = effects[i].effect.kind != EFFECT_DELETE,
                                                  .scn = effects[i].scn};
    history_recover_ahead(recovered, count);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = recovered[i].key.size + recovered[i].row.size + VERSION_ROOM;
        enum sqlstate failed = row_make_room(effects[i].store, bytes, scn, scn, error);
        if (failed)
            return failed;
        history_recover(&recovered[i]);
        effects[i].store->memory_bytes = history_bytes(recovered[i].history);
    }
    return SQLSTATE_OK;
}

/* ---- loading, verifying, opening ---- */

static enum sqlstate row_load(struct store *store, const struct store_source *source, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    check(history_rows(rows->history) == 0 && tree_root(rows->tree).rows == 0, "a load needs an empty store");
    struct tree_source from = {.next = source->next, .argument = source->argument};
    enum sqlstate failed = tree_load(rows->tree, &from, 95, error);
    row_account(&rows->store);
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
    .read = row_read,
    .scan = row_scan,
    .newest = row_newest,
    .make_room = row_make_room,
    .apply = row_apply,
    .rollback = row_rollback,
    .commit = row_commit,
    .collect = row_collect,
    .account = row_account,
    .changed = row_changed,
    .checkpoint = row_checkpoint,
    .load = row_load,
    .verify = row_verify,
};

struct store *row_store_open(struct scope *scope, const struct row_store_options *options)
{
    struct row_store *rows = scope_alloc_zeroed(scope, sizeof *rows);
    rows->store = (struct store){.ops = &row_ops,
                                 .abilities = STORE_DURABLE | STORE_SORTED_LOAD | STORE_LARGE,
                                 .shard = options->shard,
                                 .table = options->table};
    rows->world = options->world;
    rows->scope = scope;
    rows->volume = options->volume;
    rows->memory_bytes = options->memory_bytes;
    rows->left = options->left;
    rows->relieve = options->relieve;
    rows->argument = options->argument;
    rows->history = history_open(scope);
    history_on_large_gone(rows->history, large_gone, rows);
    rows->tree = tree_open(scope, options->volume, &options->root);
    fiber_queue_init(&rows->merged);
    list_init(&rows->spills);
    list_init(&rows->spills_dead);
    world_random(rows->world, &rows->seed, sizeof rows->seed);
    row_account(&rows->store);
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
    return history_rows(rows->history) > 0 || !list_empty(&rows->spills) || !list_empty(&rows->spills_dead) ||
           now.page != written->page || now.rows != written->rows || now.extents != written->extents;
}

enum sqlstate row_store_middle(struct store *store, uint8_t *key, size_t *size, bool *found,
                               struct error *error)
{
    struct row_store *rows = row_store_of(store);
    uint64_t missing;
    enum tree_answer answer;
    while ((answer = tree_middle(rows->tree, key, size, &missing)) >= TREE_MISSING) {
        enum sqlstate failed = fetch(rows, answer, missing, bytes_of(NULL, 0), error);
        if (failed)
            return failed;
    }
    *found = answer == TREE_FOUND;
    return SQLSTATE_OK;
}

bool row_store_spilled(const struct store *store, uint64_t since)
{
    list_each (&row_store_of((struct store *)store)->spills, at) {
        const struct spill *spill = container_of(at, struct spill, link);
        if (spill->scn == SCN_NONE || spill->scn > since)
            return true;
    }
    return false;
}

enum sqlstate row_store_drop(struct store *store, struct error *error)
{
    history_give_up_large(row_store_of(store)->history);
    spill_drop_all(row_store_of(store));
    return tree_drop(row_store_of(store)->tree, error);
}
