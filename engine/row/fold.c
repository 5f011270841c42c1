/* Folding: the versions of a committed spill come back into the history, and from there into the tree, a stretch of keys at a time.
 *
 *     run 3   . . . a a a a | a a a ...        all runs of a commit are folded together: what several have of a key is put
 *     run 2   . b b b | b b b b b ...          back newest first, and what is older than that stays out
 *     run 1   . c c c c c c c | c ...
 *           from       to                      `to`: where the first of them has had its leaves
 *
 * Nobody changes a committed spill but who folds it, with the right to merge. Its pages are brought in first, which yields; while
 * versions of keys below `to` lie in the history already and in the runs still, reads find those in the history. A value in an
 * extent takes a stretch of its own. */
#include "base/log.h"
#include "base/scope.h"
#include "engine/row/inside.h"
#include "engine/row/spill.h"

/* Leaves folded before what came out of them is merged, of all runs together: some 100 KiB. */
#define FOLD_LEAVES 8

struct key {
    uint8_t bytes[STORE_KEY_BYTES_MAX];
    size_t size;
};

struct fold {
    struct row_store *rows;
    uint64_t scn;
    struct key from, to;
    bool to_open;
    struct spill *spill; /* that is being walked */
    bool damaged;
    bool large;    /* the walk stopped before a value in an extent */
    bool behind;   /* the walk has come to `to` */
    struct key at; /* the key of that value */
};

static struct bytes key_of(const struct key *key)
{
    return bytes_of(key->bytes, key->size);
}

static void key_set(struct key *key, struct bytes bytes)
{
    if (bytes.size)
        memmove(key->bytes, bytes.data, bytes.size);
    key->size = bytes.size;
}

/* The first run of the commit at or behind a place in the list, the newest first; NULL = none. */
static struct spill *run_at(const struct fold *fold, struct list_link *at)
{
    for (; at != &fold->rows->spills.head; at = at->next) {
        struct spill *spill = container_of(at, struct spill, link);
        if (spill->scn == fold->scn)
            return spill;
    }
    return NULL;
}

static struct spill *first_run(const struct fold *fold)
{
    return run_at(fold, fold->rows->spills.head.next);
}

static struct spill *next_run(const struct fold *fold, const struct spill *spill)
{
    return run_at(fold, spill->link.next);
}

/* Walks the leaf at `from` of a run. *bound: where the next one begins; *last: there is none. Yields. */
static enum sqlstate walk_leaf(struct fold *fold, const struct key *from, bool first,
                               bool (*visit)(void *argument, struct bytes key,
                                             const struct tree_value *value),
                               struct key *bound, bool *last, struct error *error)
{
    for (;;) {
        struct tree_walk walk = {.from = key_of(from),
                                 .at_end = first,
                                 .ahead = true,
                                 .visit = visit,
                                 .argument = fold,
                                 .bound = bound->bytes};
        uint64_t missing;
        enum tree_answer answer = tree_walk_leaf(fold->spill->tree, &walk, &missing);
        *last = answer == TREE_ABSENT || walk.last;
        bound->size = walk.bound_size;
        if (answer < TREE_MISSING)
            return fold->damaged
                       ? row_damaged(fold->rows, tree_root(fold->spill->tree).page, key_of(from), error)
                       : SQLSTATE_OK;
        enum sqlstate failed =
            spill_bring_in(fold->rows, answer, fold->spill->tree, missing, key_of(from), error);
        if (failed)
            return failed;
    }
}

/* ---- how far ---- */

static bool stop_at_large(void *argument, struct bytes key, const struct tree_value *value)
{
    struct fold *fold = argument;
    fold->large = value->extent != PAGE_NONE;
    if (fold->large)
        key_set(&fold->at, key);
    return !fold->large;
}

static void narrow(struct fold *fold, const struct key *to)
{
    if (!fold->to_open && bytes_compare(key_of(to), key_of(&fold->to)) >= 0)
        return;
    key_set(&fold->to, key_of(to));
    fold->to_open = false;
}

/* Narrows `to` to where the run's next leaves end, or to a value in an extent. */
static enum sqlstate reach(struct fold *fold, bool first, uint32_t leaves, struct error *error)
{
    struct key from, bound;
    bool last = false;
    key_set(&from, key_of(&fold->from));
    for (uint32_t i = 0; i < leaves; i++) {
        enum sqlstate failed = walk_leaf(fold, &from, first && i == 0, stop_at_large, &bound, &last, error);
        if (failed)
            return failed;
        if (fold->large) {
            fold->large = false;
            narrow(fold, &fold->at);
            return SQLSTATE_OK;
        }
        if (last)
            return SQLSTATE_OK;
        key_set(&from, key_of(&bound));
    }
    narrow(fold, &from);
    return SQLSTATE_OK;
}

/* ---- what is there ---- */

static void put_back(struct fold *fold, struct bytes key, struct bytes value)
{
    static const struct snapshot everything = {.scn = SCN_NEWEST};
    struct spilled found;
    if (spill_pick(fold->spill, value, &everything, &found, &fold->damaged))
        history_put_back(fold->rows->history, key, found.row, found.exists, fold->scn);
}

static bool put_back_row(void *argument, struct bytes key, const struct tree_value *value)
{
    struct fold *fold = argument;
    fold->behind = !fold->to_open && bytes_compare(key, key_of(&fold->to)) >= 0;
    if (!fold->behind)
        put_back(fold, key, value->inside);
    return !fold->behind && !fold->damaged;
}

static enum sqlstate put_back_run(struct fold *fold, bool first, struct error *error)
{
    struct key from, bound;
    bool last = false;
    enum sqlstate failed = SQLSTATE_OK;
    key_set(&from, key_of(&fold->from));
    fold->behind = false;
    while (!failed && !last && !fold->behind) {
        failed = walk_leaf(fold, &from, first, put_back_row, &bound, &last, error);
        if (!fold->to_open && bytes_compare(key_of(&bound), key_of(&fold->to)) >= 0)
            break;
        key_set(&from, key_of(&bound));
        first = false;
    }
    return failed;
}

/* What a run has of the one key `from`, which in some run lies in an extent. */
static enum sqlstate put_back_large(struct fold *fold, struct error *error)
{
    struct row_store *rows = fold->rows;
    struct bytes key = key_of(&fold->from);
    struct tree_value value;
    uint64_t missing;
    enum tree_answer answer;
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && (answer = tree_find(fold->spill->tree, key, &value, &missing)) >= TREE_MISSING)
        failed = spill_bring_in(rows, answer, fold->spill->tree, missing, key, error);
    if (failed || answer == TREE_ABSENT)
        return failed;
    struct scope *scope = scope_open(rows->scope, "large row");
    void *memory;
    if (value.extent) {
        failed = scope_alloc_large(scope, value.size, 16, &memory, error);
        if (!failed)
            failed = volume_extent_read(rows->volume, scope, value.extent, 0, memory, value.size, error);
        value.inside = bytes_of(memory, value.size);
    }
    if (!failed)
        put_back(fold, key, value.inside);
    if (!failed && fold->damaged)
        failed = row_damaged(rows, tree_root(fold->spill->tree).page, key, error);
    scope_close(scope);
    return failed;
}

/* The least key above `from`, in `to`: with a zero byte more there is none between. */
static void set_to_behind(struct fold *fold)
{
    key_set(&fold->to, key_of(&fold->from));
    fold->to_open = false;
    if (fold->to.size < STORE_KEY_BYTES_MAX) {
        fold->to.bytes[fold->to.size++] = 0;
        return;
    }
    while (fold->to.size && fold->to.bytes[fold->to.size - 1] == 0xff)
        fold->to.size--;
    fold->to_open = fold->to.size == 0;
    if (fold->to.size)
        fold->to.bytes[fold->to.size - 1]++;
}

/* ---- a stretch ---- */

/* Brings the next keys' versions back into the history; then the runs no longer count there. */
static enum sqlstate fold_stretch(struct fold *fold, struct error *error)
{
    struct spill *spill = first_run(fold);
    bool first = !spill->folding;
    uint32_t runs = 0;
    enum sqlstate failed = SQLSTATE_OK;
    for (; spill; spill = next_run(fold, spill))
        runs++;
    uint32_t leaves = runs < FOLD_LEAVES ? FOLD_LEAVES / runs : 1;
    for (spill = first_run(fold); spill && !failed; spill = next_run(fold, spill)) {
        fold->spill = spill;
        failed = reach(fold, first, leaves, error);
    }
    bool large = !failed && !fold->to_open && bytes_compare(key_of(&fold->to), key_of(&fold->from)) == 0;
    if (large)
        set_to_behind(fold);
    for (spill = first_run(fold); spill && !failed; spill = next_run(fold, spill)) {
        fold->spill = spill;
        failed = large ? put_back_large(fold, error) : put_back_run(fold, first, error);
    }
    return failed;
}

static void end_stretch(struct fold *fold)
{
    struct spill *next;
    for (struct spill *spill = first_run(fold); spill; spill = next) {
        next = next_run(fold, spill);
        spill->folding = true;
        spill->folded_size = fold->to.size;
        memcpy(spill->folded, fold->to.bytes, fold->to.size);
        if (!fold->to_open)
            continue;
        list_remove(&spill->link);
        list_append(&fold->rows->spills_dead, &spill->link);
    }
}

/* Nobody finds these any more. Pages that cannot be given back are lost until the next start, and no more. */
static void drop_dead(struct row_store *rows)
{
    for (struct list_link *link; (link = list_take_first(&rows->spills_dead));) {
        struct spill *spill = container_of(link, struct spill, link);
        struct error error;
        if (tree_drop(spill->tree, &error))
            log_error(rows->world, LOG_WARN, "spill_drop", &error,
                      "pages of a spill of shard %llu are lost until the next start",
                      (unsigned long long)rows->store.shard);
        scope_close(spill->scope);
    }
}

enum sqlstate spill_fold(struct row_store *rows, uint64_t scn, uint64_t oldest, bool *done,
                         struct error *error)
{
    drop_dead(rows);
    uint64_t lowest = spill_lowest(rows);
    *done = lowest > scn || lowest > oldest;
    if (*done)
        return SQLSTATE_OK;
    struct scope *scope = scope_open(rows->scope, "fold");
    struct fold *fold = scope_alloc_zeroed(scope, sizeof *fold);
    fold->rows = rows;
    fold->scn = lowest;
    fold->to_open = true;
    const struct spill *spill = first_run(fold);
    key_set(&fold->from, bytes_of(spill->folded, spill->folded_size));
    enum sqlstate failed = fold_stretch(fold, error);
    if (!failed) {
        end_stretch(fold);
        failed = row_merge_range(rows, lowest, oldest, key_of(&fold->from), key_of(&fold->to), fold->to_open,
                                 error);
    }
    scope_close(scope);
    return failed;
}

void spill_drop_all(struct row_store *rows)
{
    list_splice(&rows->spills_dead, &rows->spills);
    drop_dead(rows);
}
