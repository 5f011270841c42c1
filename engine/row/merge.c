/* Merging: committed versions leave the history for the tree.
 *
 * One leaf at a time: tree_apply() brings in the leaf (yields), then pulls the changes and makes them, and returns, without a
 * yield. Straight after that, still without one, the merged versions are marked in the history, which drops those that no
 * snapshot needs. So at every yield a row's versions are in the one or the other, and none is in neither.
 *
 * A large row lies in an extent already, which changes hands: to the tree when its version is merged, and back to the version
 * (or to the bottom of the chain, if a snapshot still needs what the tree held) when a newer one is. Nothing is copied.
 *
 * What cannot be done in that stretch is to write a row that is too large for a page, but not large, into an extent. The stretch
 * stops before such a row; it is written (with the row held, so that its versions stay), and the next stretch begins there. */
#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/row/inside.h"
#include "engine/row/spill.h"

/* Changes of one stretch: with a leaf or a few of them, about 100 us. */
#define STRETCH_CHANGES 512
/* History rows looked at in one stretch, changed or not. */
#define STRETCH_ROWS 8192

struct merged {
    struct history_row *row;
    struct version *version;
    struct history_old old;
    bool has_old;
};

struct pass {
    struct row_store *rows;
    uint64_t scn, oldest;
    struct bytes to; /* keys below this one, unless to_open */
    bool to_open;
    bool passes_over;      /* pages that cannot be read */
    struct scope *scope;   /* of the pass */
    struct scope *stretch; /* of the stretch: old values that enter the history */
    size_t inside_max;
    /* this stretch */
    struct history_place place;
    struct history_row *at; /* next row to look at; NULL = none left */
    bool begun;             /* `at` is set: not before the tree asks, for bringing in the leaf yields */
    size_t looked;
    struct merged merged[STRETCH_CHANGES];
    size_t count;
    struct history_row *wanted; /* before which it stopped: its new row must be written first */
    /* prepared for the row `held` */
    struct history_row *held;
    struct version *new_version; /* whose row lies in new_extent */
    uint64_t new_extent;
    /* where the next stretch begins */
    uint8_t from[STORE_KEY_BYTES_MAX];
    size_t from_size;
};

/* The version of a row that is to be merged, or NULL. */
static struct version *to_merge(const struct pass *pass, struct history_row *row)
{
    return history_to_merge(row, spill_cap(pass->rows, history_key(row), pass->scn));
}

static bool is_behind(const struct pass *pass, struct bytes key)
{
    return !pass->to_open && bytes_compare(key, pass->to) >= 0;
}

/* ---- the stretch ---- */

static bool next_change(void *argument, struct bytes bound, bool bound_open, struct tree_change *change)
{
    struct pass *pass = argument;
    if (pass->wanted || pass->count == STRETCH_CHANGES)
        return false;
    if (!pass->begun) {
        struct bytes from = bytes_of(pass->from, pass->from_size);
        pass->at = history_seek(pass->rows->history, from, false, false, false, &pass->place);
        pass->begun = true;
    }
    for (; pass->at && pass->looked < STRETCH_ROWS; pass->at = history_step(&pass->place, false)) {
        struct bytes key = history_key(pass->at);
        if ((!bound_open && bytes_compare(key, bound) >= 0) || is_behind(pass, key))
            return false;
        pass->looked++;
        struct version *version = to_merge(pass, pass->at);
        if (!version)
            continue;
        *change = (struct tree_change){.key = key, .remove = !version->exists};
        if (version->large) {
            struct store_large large = version_large(version);
            change->extent = large.at;
            change->extent_size = large.size;
        } else if (version->exists && version->row_bytes > pass->inside_max) {
            if (pass->new_version != version) {
                pass->wanted = pass->at;
                return false;
            }
            change->extent = pass->new_extent;
            change->extent_size = version->row_bytes;
        } else if (version->exists)
            change->value = version_row(version);
        pass->merged[pass->count] = (struct merged){.row = pass->at, .version = version};
        pass->at = history_step(&pass->place, false);
        return true;
    }
    return false;
}

/* What the tree held becomes the bottom of the chain. */
static void keep_old(struct pass *pass, struct merged *merged, const struct tree_value *old)
{
    struct store_large large = {.at = old->extent, .size = old->size};
    struct bytes row = old->extent ? bytes_of(&large, sizeof large) : old->inside;
    merged->has_old = true;
    merged->old = (struct history_old){.large = old->extent};
    if (row.size)
        merged->old.row = bytes_of(scope_copy(pass->stretch, row.data, row.size), row.size);
}

static enum tree_replace change_replaces(void *argument, const struct tree_change *change,
                                         const struct tree_value *old)
{
    struct pass *pass = argument;
    struct merged *merged = &pass->merged[pass->count];
    const struct version *below = history_version_below(merged->row);
    bool keep = below && below->large;
    (void)change;
    if (old && history_needs_bottom(merged->version, pass->oldest)) {
        keep_old(pass, merged, old);
        keep = true;
    }
    if (merged->version == pass->new_version)
        pass->new_version = NULL; /* the extent is the tree's now */
    pass->count++;
    return keep ? TREE_REPLACE_KEEP : TREE_REPLACE;
}

/* An extent that no one took goes back. */
static void give_extent_back(struct pass *pass)
{
    if (!pass->new_version)
        return;
    struct volume *volume = pass->rows->volume;
    volume_extent_free(volume, pass->new_extent, volume_extent_pages(volume, pass->new_version->row_bytes));
    pass->new_version = NULL;
}

/* Gives up what was prepared. */
static void unprepare(struct pass *pass)
{
    give_extent_back(pass);
    if (pass->held)
        history_release(pass->rows->history, pass->held, pass->oldest, true);
    pass->held = NULL;
}

static void remember_from(struct pass *pass, struct bytes key)
{
    if (key.size)
        memmove(pass->from, key.data, key.size);
    pass->from_size = key.size;
}

/* Writes the new value of the held row into an extent. Yields; `version` stays, for its row is held. */
static enum sqlstate prepare_extent(struct pass *pass, struct version *version, struct error *error)
{
    struct volume *volume = pass->rows->volume;
    uint64_t extent;
    enum sqlstate failed =
        volume_extent_new(volume, volume_extent_pages(volume, version->row_bytes), &extent, error);
    if (failed)
        return failed;
    pass->new_extent = extent;
    pass->new_version = version;
    return volume_extent_write(volume, pass->scope, extent, 0, version_row(version), error);
}

static enum sqlstate prepare(struct pass *pass, struct error *error)
{
    struct history_row *row = pass->wanted;
    struct version *version = to_merge(pass, row);
    check(version, "a row that was to be merged is not any more, without a yield");
    if (row != pass->held) {
        unprepare(pass);
        pass->held = row;
        history_hold(row);
    }
    remember_from(pass, history_key(row));
    return prepare_extent(pass, version, error);
}

/* Nothing has yielded since the tree took the changes. */
static void mark_merged(struct pass *pass)
{
    struct row_store *rows = pass->rows;
    for (size_t i = 0; i < pass->count; i++) {
        struct merged *merged = &pass->merged[i];
        history_merged(rows->history, merged->row, merged->version, merged->has_old ? &merged->old : NULL,
                       pass->oldest);
    }
}

/* A stretch has failed: whether for a page that cannot be read. What belongs there stays in memory, and its log with it; the
 * pass goes on behind it. */
static bool pass_over(struct pass *pass, enum sqlstate failed, bool *last, struct error *error)
{
    struct row_store *rows = pass->rows;
    struct bytes from = bytes_of(pass->from, pass->from_size);
    struct tree_hole hole;
    if (!pass->passes_over || !row_hole(rows, failed, from, &hole, error) ||
        (!hole.to_open && bytes_compare(bytes_of(hole.to, hole.to_size), from) <= 0))
        return false;
    log_error(rows->world, LOG_ERROR, "page_damaged", error,
              "a page cannot be read; what was changed there stays in memory and in the log");
    rows->holes++;
    *last = hole.to_open;
    remember_from(pass, bytes_of(hole.to, hole.to_size));
    return true;
}

/* One stretch from pass->from on; *last when it reached the end of all keys. */
static enum sqlstate merge_stretch(struct pass *pass, bool *last, struct error *error)
{
    struct row_store *rows = pass->rows;
    struct bytes from = bytes_of(pass->from, pass->from_size);
    uint8_t bound[STORE_KEY_BYTES_MAX];
    size_t bound_size = 0;
    const struct tree_merge merge = {.next = next_change, .replaces = change_replaces, .argument = pass};
    pass->count = pass->looked = 0;
    pass->wanted = NULL;
    pass->at = NULL;
    pass->begun = false;
    pass->stretch = scope_open(pass->scope, "stretch");
    enum sqlstate failed = tree_apply(rows->tree, from, &merge, bound, &bound_size, last, error);
    if (!failed) {
        /* Where to go on: at the row that must be written, at the next row not looked at, or at the next leaf. */
        if (pass->wanted)
            *last = false;
        else if (pass->at && (pass->looked == STRETCH_ROWS || pass->count == STRETCH_CHANGES)) {
            remember_from(pass, history_key(pass->at));
            *last = false;
        } else
            remember_from(pass, bytes_of(bound, bound_size));
        mark_merged(pass);
    }
    scope_close(pass->stretch);
    if (failed && pass_over(pass, failed, last, error))
        failed = SQLSTATE_OK;
    if (!failed && pass->wanted)
        failed = prepare(pass, error);
    else
        unprepare(pass);
    return failed;
}

/* Finds the next row at or behind pass->from that has something to merge; false when there is none. Yields now and then. */
static bool seek_work(struct pass *pass)
{
    for (;;) {
        struct history_place place;
        struct bytes from = bytes_of(pass->from, pass->from_size);
        struct history_row *row = history_seek(pass->rows->history, from, false, false, false, &place);
        for (size_t looked = 0; row && looked < STRETCH_ROWS; looked++) {
            if (is_behind(pass, history_key(row)))
                return false;
            if (to_merge(pass, row)) {
                remember_from(pass, history_key(row));
                return true;
            }
            row = history_step(&place, false);
        }
        if (!row)
            return false;
        remember_from(pass, history_key(row));
        fiber_yield(pass->rows->world->scheduler);
    }
}

enum sqlstate row_merge_pause(struct row_store *rows, struct error *error)
{
    fiber_yield(rows->world->scheduler);
    return rows->relieve ? rows->relieve(rows->argument, error) : SQLSTATE_OK;
}

static enum sqlstate merge_all(struct pass *pass, size_t room, struct error *error)
{
    struct row_store *rows = pass->rows;
    enum sqlstate failed = SQLSTATE_OK;
    bool last = false;
    while (!failed && !last && seek_work(pass)) {
        if (room && history_bytes(rows->history) < room)
            break;
        failed = merge_stretch(pass, &last, error);
        if (!failed)
            failed = row_merge_pause(rows, error);
    }
    unprepare(pass);
    return failed;
}

enum sqlstate row_merge_begin(struct row_store *rows, struct error *error)
{
    struct scheduler *scheduler = rows->world->scheduler;
    while (rows->merging)
        if (fiber_wait(scheduler, &rows->merged, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
    rows->merging = true;
    return SQLSTATE_OK;
}

void row_merge_end(struct row_store *rows)
{
    rows->merging = false;
    fiber_wake_all(&rows->merged);
}

static struct pass *pass_open(struct row_store *rows, uint64_t scn, uint64_t oldest)
{
    struct scope *scope = scope_open(rows->scope, "merge");
    struct pass *pass = scope_alloc_zeroed(scope, sizeof *pass);
    pass->rows = rows;
    pass->scn = scn;
    pass->oldest = oldest;
    pass->to_open = true;
    pass->scope = scope;
    pass->inside_max = tree_inside_bytes_max(rows->tree);
    return pass;
}

enum sqlstate row_merge(struct row_store *rows, uint64_t scn, uint64_t oldest, size_t room,
                        struct error *error)
{
    struct pass *pass = pass_open(rows, scn, oldest);
    pass->passes_over = true;
    enum sqlstate failed = merge_all(pass, room, error);
    scope_close(pass->scope);
    return failed;
}

enum sqlstate row_merge_range(struct row_store *rows, uint64_t scn, uint64_t oldest, struct bytes from,
                              struct bytes to, bool to_open, struct error *error)
{
    struct pass *pass = pass_open(rows, scn, oldest);
    remember_from(pass, from);
    pass->to = to;
    pass->to_open = to_open;
    enum sqlstate failed = merge_all(pass, 0, error);
    scope_close(pass->scope);
    return failed;
}
