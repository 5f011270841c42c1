/* Spills: transactions larger than memory.
 *
 * When merging does not make enough room, versions of open writers leave the history for temporary trees, the *spills*. All a large
 * writer has in memory goes at once, in the order of keys: behind what its last spill holds, or, when its keys do not rise, into a
 * new one, a *run*. So a tree is filled from one end to the other, whatever the order in which rows are written, and no page of
 * it is read to be changed (O'Neil et al., "The Log-Structured Merge-Tree", 1996). Who looks for a key asks each run's filter
 * first. Beyond RUNS_MAX runs the last one takes what comes, and leaves are changed in their places.
 * A spill's rows are the row keys, its values what the writer has written there:
 *
 *     for each version, the newest first:   u32 number   u8 exists   u32 bytes   row        (little endian)
 *
 * Only the writer itself sees its spills while it is open, so for everybody else nothing changes. When it commits, they
 * get the SCN (O(1)): from then on reads look into the history, the committed spills and the tree, newest first.
 * When it rolls back, its spills are void (O(1)), or the numbers above a savepoint are. Versions it has written since lie in
 * the history, above those in the spill.
 *
 *     history   [#900 of open T9]   [SCN 90]     [SCN 75, SCN 60]
 *     spills    T9: #3 #2           SCN 80       SCN 80              <- keys below `folded` have left it
 *     tree                          old value    old value
 *
 * That a row has versions in a spill of an open writer also stands for the writer's lock on it: whoever wants a lock asks
 * row_store_holders() first. So the lock leaves memory with the versions. What a savepoint took back stays locked thereby.
 *
 * A committed spill is *folded* (fold.c): leaf by leaf its versions go back into the history (at their place, by SCN) and are merged
 * into the tree at once, as far as `folded` says. Two rules keep the order:
 *
 *   - Folding waits until all snapshots see the commit. So nothing has to be kept for older ones, and the history does not
 *     grow by what memory could not hold before.
 *   - No version of an unfolded key is merged that is newer than the spill (spill_cap): the tree would get the older one
 *     afterwards. That costs no memory, for while a snapshot older than the spill is in use such versions could not leave
 *     the history anyway.
 *
 * A checkpoint thus may have to leave commits out, and says so. All of it is gone after a restart: the log has it. */
#include "engine/row/spill.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/scope.h"

/* Rows of one stretch; with a leaf or a few of them, about 100 us. */
#define STRETCH_ROWS 512
/* Rows of the history looked at in one stretch, taken or not. */
#define STRETCH_LOOKS 8192
/* Runs of a writer: each is looked into by who reads one of its leaves' worth, so there shall not be hundreds. */
#define RUNS_MAX 32
/* Of a filter, for each key: with 6 bits set about 2 of 100 keys that are not there pass. */
#define FILTER_BITS_A_KEY 10
#define FILTER_BITS_SET   6
#define BLOCK_BITS        512
/* A writer with fewer versions in memory is spilled only when no larger one is left. */
#define WRITER_VERSIONS_MIN 256

#define VERSION_HEAD_BYTES 9

/* ---- values ---- */

static bool is_void(const struct spill *spill, uint32_t number)
{
    for (const struct spill_void *at = spill->voids; at; at = at->lower)
        if (number > at->above && number <= at->upto)
            return true;
    return false;
}

bool spill_pick(const struct spill *spill, struct bytes value, const struct snapshot *snapshot,
                struct spilled *found, bool *damaged)
{
    struct codec_reader in = codec_reader_of(value);
    uint32_t upto = spill->scn == SCN_NONE ? snapshot->own_effects : UINT32_MAX;
    while (codec_left(&in)) {
        uint32_t number = codec_read_u32(&in);
        bool exists = codec_read_u8(&in);
        uint32_t bytes = codec_read_u32(&in);
        struct bytes row = codec_read_view(&in, bytes);
        if (in.failed) {
            *damaged = true;
            return false;
        }
        if (number > upto || is_void(spill, number))
            continue;
        *found = (struct spilled){.exists = exists, .row = row, .scn = spill->scn};
        return true;
    }
    return false;
}

/* ---- which keys a run may hold ---- */

static struct bytes lowest_key(const struct spill *spill)
{
    return bytes_of(spill->lowest_key, spill->lowest_size);
}

static struct bytes highest_key(const struct spill *spill)
{
    return bytes_of(spill->highest_key, spill->highest_size);
}

static size_t keep_key(uint8_t *room, struct bytes key)
{
    if (key.size)
        memmove(room, key.data, key.size);
    return key.size;
}

/* The block takes the hash's upper half, the bits in it nine of the lower ones each. */
static struct spill_block *block_of(const struct spill *spill, uint64_t hash)
{
    return &spill->block[(hash >> 32) * spill->blocks >> 32];
}

static uint64_t next_bit(uint64_t *bits)
{
    *bits = *bits * 0x9e3779b97f4a7c15u + 1;
    return *bits >> 55;
}

bool spill_may_hold(const struct spill *spill, struct bytes key, uint64_t hash)
{
    if (bytes_compare(key, lowest_key(spill)) < 0 || bytes_compare(key, highest_key(spill)) > 0)
        return false;
    if (!spill->block || spill->keys > spill->keys_max)
        return true;
    const struct spill_block *block = block_of(spill, hash);
    static_assert(sizeof block->word * 8 == BLOCK_BITS);
    uint64_t bits = hash & UINT32_MAX;
    for (int i = 0; i < FILTER_BITS_SET; i++) {
        uint64_t bit = next_bit(&bits);
        if (!(block->word[bit / 64] >> bit % 64 & 1))
            return false;
    }
    return true;
}

/* A key comes into the run. */
static void note_key(const struct row_store *rows, struct spill *spill, struct bytes key)
{
    if (spill->keys == 0 || bytes_compare(key, lowest_key(spill)) < 0)
        spill->lowest_size = keep_key(spill->lowest_key, key);
    if (spill->keys == 0 || bytes_compare(key, highest_key(spill)) > 0)
        spill->highest_size = keep_key(spill->highest_key, key);
    spill->keys++;
    if (!spill->block || spill->keys > spill->keys_max)
        return;
    uint64_t hash = row_key_hash(rows, key), bits = hash & UINT32_MAX;
    struct spill_block *block = block_of(spill, hash);
    for (int i = 0; i < FILTER_BITS_SET; i++) {
        uint64_t bit = next_bit(&bits);
        block->word[bit / 64] |= UINT64_C(1) << bit % 64;
    }
}

/* Without memory there is none, and reads look into the run. */
static void make_filter(struct spill *spill, uint64_t keys)
{
    struct error error;
    void *memory;
    uint64_t blocks = keys * FILTER_BITS_A_KEY / BLOCK_BITS + 1;
    if (scope_alloc_large(spill->scope, blocks * sizeof *spill->block, 64, &memory, &error))
        return;
    memset(memory, 0, blocks * sizeof *spill->block);
    spill->block = memory;
    spill->blocks = blocks;
    spill->keys_max = 2 * keys;
}

/* ---- reading ---- */

/* A writer's newest run, or NULL. */
static struct spill *spill_of(const struct row_store *rows, uint64_t transaction)
{
    list_each (&rows->spills, at) {
        struct spill *spill = container_of(at, struct spill, link);
        if (spill->transaction == transaction)
            return spill;
    }
    return NULL;
}

/* A certain run, or NULL when it is gone. */
static struct spill *find_run(const struct row_store *rows, uint64_t transaction, uint32_t run)
{
    list_each (&rows->spills, at) {
        struct spill *spill = container_of(at, struct spill, link);
        if (spill->transaction == transaction && spill->run == run)
            return spill;
    }
    return NULL;
}

enum sqlstate spill_bring_in(struct row_store *rows, enum tree_answer answer, struct tree *tree,
                             uint64_t missing, struct bytes key, struct error *error)
{
    return answer == TREE_DAMAGED ? row_damaged(rows, missing, key, error) : tree_fetch(tree, missing, error);
}

/* Reads a value that lies in an extent; *still false when the spill has something else for the key afterwards. */
static enum sqlstate read_extent(struct row_store *rows, struct scope *scope, uint64_t transaction,
                                 uint32_t run, struct bytes key, const struct tree_value *value,
                                 struct bytes *content, bool *still, struct error *error)
{
    uint64_t extent = value->extent, size = value->size, missing;
    void *memory;
    enum sqlstate failed = scope_alloc_large(scope, size, 16, &memory, error);
    if (failed)
        return failed;
    enum sqlstate unread = volume_extent_read(rows->volume, scope, extent, 0, memory, size, error);
    *content = bytes_of(memory, size);
    for (;;) {
        struct spill *spill = find_run(rows, transaction, run);
        struct tree_value now = {0};
        enum tree_answer answer = TREE_ABSENT;
        if (spill && !spill_has_folded(spill, key))
            answer = tree_find(spill->tree, key, &now, &missing);
        if (answer <= TREE_FOUND) {
            *still = answer == TREE_FOUND && now.extent == extent && now.size == size;
            return *still ? unread : SQLSTATE_OK;
        }
        /* The page is the tree's only as long as the tree is there; nothing yields before the read begins. */
        failed = spill_bring_in(rows, answer, spill->tree, missing, key, error);
        if (failed)
            return failed;
    }
}

static bool has_nothing(const struct spill_look *look, const struct spill *spill)
{
    const struct spill_nothing *at = look->nothing;
    while (at && (at->transaction != spill->transaction || at->run != spill->run))
        at = at->next;
    return at;
}

/* The value lies in an extent, and reading it yields: either it is the answer, or everything is looked at again. */
static enum sqlstate look_into_extent(struct spill_look *look, uint64_t transaction, uint32_t run,
                                      const struct tree_value *value, bool *again, struct error *error)
{
    struct bytes content;
    bool still, damaged = false;
    uint64_t extent = value->extent;
    enum sqlstate failed =
        read_extent(look->rows, look->scope, transaction, run, look->key, value, &content, &still, error);
    *again = true;
    if (failed || !still)
        return failed;
    look->there =
        spill_pick(find_run(look->rows, transaction, run), content, look->snapshot, &look->found, &damaged);
    *again = !look->there;
    if (damaged)
        return row_damaged(look->rows, extent, look->key, error);
    if (!look->there) {
        struct spill_nothing *nothing = scope_alloc(look->scope, sizeof *nothing);
        *nothing = (struct spill_nothing){.next = look->nothing, .transaction = transaction, .run = run};
        look->nothing = nothing;
    }
    return SQLSTATE_OK;
}

static enum sqlstate look_into(struct spill_look *look, const struct spill *spill, bool *again,
                               struct error *error)
{
    struct tree_value value;
    uint64_t missing;
    bool damaged = false;
    enum tree_answer answer = tree_find(spill->tree, look->key, &value, &missing);
    if (answer == TREE_ABSENT)
        return SQLSTATE_OK;
    if (answer != TREE_FOUND) {
        *again = true;
        return spill_bring_in(look->rows, answer, spill->tree, missing, look->key, error);
    }
    if (value.extent)
        return look_into_extent(look, spill->transaction, spill->run, &value, again, error);
    look->there = spill_pick(spill, value.inside, look->snapshot, &look->found, &damaged);
    return damaged ? row_damaged(look->rows, tree_root(spill->tree).page, look->key, error) : SQLSTATE_OK;
}

enum sqlstate spill_look(struct spill_look *look, const struct version *version, bool *again,
                         struct error *error)
{
    look->there = *again = false;
    if (version && version->scn == SCN_NONE)
        return SQLSTATE_OK; /* the reader's own, and newer than what it has spilled */
    uint64_t hash = row_key_hash(look->rows, look->key);
    list_each (&look->rows->spills, at) {
        const struct spill *spill = container_of(at, struct spill, link);
        if (!spill_concerns(spill, look->snapshot))
            continue;
        if (spill->scn != SCN_NONE && version && version->scn >= spill->scn)
            break;
        if (!spill_may_hold(spill, look->key, hash) || spill_has_folded(spill, look->key) ||
            has_nothing(look, spill))
            continue;
        enum sqlstate failed = look_into(look, spill, again, error);
        if (failed || look->there || *again)
            return failed;
    }
    return SQLSTATE_OK;
}

/* ---- who has written what ---- */

struct first_key {
    const struct key_range *range;
    bool found;
    uint8_t key[STORE_KEY_BYTES_MAX];
    size_t size;
};

static bool take_first(void *argument, struct bytes key, const struct tree_value *value)
{
    struct first_key *first = argument;
    (void)value;
    first->found = first->range->to_open || bytes_compare(key, first->range->to) < 0;
    if (first->found && key.size)
        memcpy(first->key, key.data, key.size);
    first->size = key.size;
    return false;
}

/* Whether a run has nothing in a range, as far as can be told without reading. */
static bool is_outside(const struct row_store *rows, const struct spill *spill, const struct key_range *range)
{
    struct bytes from = range->from, to = range->to;
    bool one = !range->to_open && to.size == from.size + 1 && to.data[from.size] == 0 &&
               bytes_compare(bytes_of(to.data, from.size), from) == 0;
    if (one)
        return !spill_may_hold(spill, from, row_key_hash(rows, from));
    return bytes_compare(from, highest_key(spill)) > 0 ||
           (!range->to_open && bytes_compare(to, lowest_key(spill)) <= 0);
}

/* The first key of a spill in a range. */
static enum tree_answer find_first(const struct spill *spill, struct first_key *first, uint64_t *missing)
{
    uint8_t from[STORE_KEY_BYTES_MAX], bound[STORE_KEY_BYTES_MAX];
    struct tree_walk walk = {
        .from = first->range->from, .visit = take_first, .argument = first, .bound = bound};
    first->found = false;
    first->size = SIZE_MAX; /* no key was seen */
    for (;;) {
        enum tree_answer answer = tree_walk_leaf(spill->tree, &walk, missing);
        if (answer != TREE_FOUND || first->size != SIZE_MAX || walk.last)
            return answer;
        memcpy(from, bound, walk.bound_size);
        walk.from = bytes_of(from, walk.bound_size);
        if (!first->range->to_open && bytes_compare(walk.from, first->range->to) >= 0)
            return TREE_FOUND;
    }
}

enum sqlstate row_store_holders(struct store *store, uint64_t transaction, const struct key_range *range,
                                void (*found)(void *argument, uint64_t holder, struct bytes key),
                                void *argument, bool *again, struct error *error)
{
    struct row_store *rows = row_store_of(store);
    struct first_key first = {.range = range};
    *again = false;
    list_each (&rows->spills, at) {
        const struct spill *spill = container_of(at, struct spill, link);
        uint64_t missing;
        if (spill->scn != SCN_NONE)
            break; /* committed ones come last */
        if (spill->transaction == transaction || is_outside(rows, spill, range))
            continue;
        enum tree_answer answer = find_first(spill, &first, &missing);
        if (answer >= TREE_MISSING) {
            *again = true;
            return spill_bring_in(rows, answer, spill->tree, missing, range->from, error);
        }
        if (first.found)
            found(argument, spill->transaction, bytes_of(first.key, first.size));
    }
    return SQLSTATE_OK;
}

/* ---- the writer's end ---- */

static void make_void(struct spill *spill, uint32_t effects)
{
    uint32_t upto = spill->highest;
    for (; spill->voids && spill->voids->above >= effects; spill->voids = spill->voids->lower)
        upto = spill->voids->upto > upto ? spill->voids->upto : upto;
    struct spill_void *made = scope_alloc(spill->scope, sizeof *made);
    *made = (struct spill_void){.lower = spill->voids, .above = effects, .upto = upto};
    spill->voids = made;
    /* Nothing above is left in it: further rollbacks need no range until more is spilled. */
    spill->highest = effects;
}

void spill_rollback(struct row_store *rows, const struct writer *writer, uint32_t effects)
{
    struct spill *spill;
    while (effects == 0 && (spill = spill_of(rows, writer->transaction))) {
        spill->writer = NULL;
        list_remove(&spill->link);
        list_append(&rows->spills_dead, &spill->link);
    }
    list_each (&rows->spills, at) {
        spill = container_of(at, struct spill, link);
        if (spill->transaction == writer->transaction && spill->highest > effects)
            make_void(spill, effects);
    }
}

static struct spill *oldest_open_run(const struct row_store *rows, uint64_t transaction)
{
    struct spill *oldest = NULL;
    list_each (&rows->spills, at) {
        struct spill *spill = container_of(at, struct spill, link);
        if (spill->transaction == transaction && spill->scn == SCN_NONE)
            oldest = spill;
    }
    return oldest;
}

void spill_commit(struct row_store *rows, const struct writer *writer, uint64_t scn)
{
    struct spill *spill;
    /* Newer runs come to stand before older ones. */
    while ((spill = oldest_open_run(rows, writer->transaction))) {
        spill->scn = scn;
        spill->writer = NULL;
        list_remove(&spill->link);
        struct list_link *before = &rows->spills.head;
        list_each (&rows->spills, at) {
            const struct spill *other = container_of(at, struct spill, link);
            if (other->scn == SCN_NONE || other->scn > scn)
                continue;
            before = at;
            break;
        }
        list_insert_before(before, &spill->link);
    }
}

uint64_t spill_cap(const struct row_store *rows, struct bytes key, uint64_t scn)
{
    list_each (&rows->spills, at) {
        const struct spill *spill = container_of(at, struct spill, link);
        if (spill->scn != SCN_NONE && spill->scn <= scn && !spill_has_folded(spill, key))
            scn = spill->scn - 1;
    }
    return scn;
}

uint64_t spill_lowest(const struct row_store *rows)
{
    struct list_link *last = list_last(&rows->spills);
    uint64_t scn = last ? container_of(last, struct spill, link)->scn : SCN_NONE;
    return scn == SCN_NONE ? UINT64_MAX : scn;
}

/* ---- out of memory's way ---- */

struct taken {
    struct history_row *row;
    uint32_t highest;
};

struct spill_pass {
    struct row_store *rows;
    struct spill *spill;
    struct scope *scope, *stretch;
    size_t inside_max;
    /* this stretch */
    struct history_place place;
    struct history_row *at;
    bool begun;
    size_t looked, count;
    struct taken taken[STRETCH_ROWS];
    bool wants; /* the row at `at` is too large for a page */
    bool stops; /* the row at `at` is for the next stretch */
    bool damaged;
    /* the row at `from` in an extent, prepared over yields; good if its newest number still is what it was */
    bool prepared;
    uint32_t number;
    uint64_t extent, extent_size;
    /* where the next stretch begins */
    uint8_t from[STORE_KEY_BYTES_MAX];
    size_t from_size;
};

/* The open writer whose versions of a row may leave memory, or NULL. Large rows lie on the disk already: where a version is one,
 * all of the row's stay, for what is in memory must be newer than what is in the spill. */
static struct writer *writer_to_spill(struct history_row *row)
{
    struct writer *writer = history_open_writer(row);
    for (const struct version *version = row->newest; version && version->scn == SCN_NONE;
         version = version->older)
        if (version->large)
            return NULL;
    return writer;
}

/* Bytes of a row's value: the writer's versions in the history, and those that were spilled before. */
static size_t value_bytes(const struct history_row *row, struct bytes old)
{
    size_t bytes = old.size;
    for (const struct version *version = row->newest; version && version->scn == SCN_NONE;
         version = version->older)
        bytes += VERSION_HEAD_BYTES + version->row_bytes;
    return bytes;
}

static struct bytes value_make(const struct history_row *row, struct bytes old, void *memory, size_t bytes)
{
    struct codec_writer out = codec_writer_of(memory, bytes);
    for (const struct version *version = row->newest; version && version->scn == SCN_NONE;
         version = version->older) {
        codec_write_u32(&out, version->number);
        codec_write_u8(&out, version->exists);
        codec_write_u32(&out, version->row_bytes);
        codec_write_raw(&out, version_row(version));
    }
    codec_write_raw(&out, old);
    check(!out.failed && codec_written(&out).size == bytes);
    return codec_written(&out);
}

static bool give_row(struct spill_pass *pass, struct tree_change *change)
{
    struct history_row *row = pass->at;
    struct bytes key = history_key(row);
    struct tree_value old = {0};
    uint64_t missing;
    /* The leaf is in memory: it is the one that is being changed, or a piece of it. If not, it will be the next time. */
    enum tree_answer answer = tree_find(pass->spill->tree, key, &old, &missing);
    if (answer > TREE_FOUND) {
        pass->damaged = answer == TREE_DAMAGED;
        pass->stops = true;
        return false;
    }
    *change = (struct tree_change){.key = key};
    if (pass->prepared && pass->number == row->newest->number &&
        bytes_compare(key, bytes_of(pass->from, pass->from_size)) == 0) {
        change->extent = pass->extent;
        change->extent_size = pass->extent_size;
        pass->prepared = false;
    } else {
        size_t bytes = value_bytes(row, old.inside);
        if (old.extent || bytes > pass->inside_max) {
            pass->wants = true;
            return false;
        }
        change->value = value_make(row, old.inside, scope_alloc(pass->stretch, bytes), bytes);
    }
    pass->taken[pass->count++] = (struct taken){.row = row, .highest = row->newest->number};
    return true;
}

static bool next_row(void *argument, struct bytes bound, bool bound_open, struct tree_change *change)
{
    struct spill_pass *pass = argument;
    if (pass->wants || pass->stops || pass->count == STRETCH_ROWS)
        return false;
    if (!pass->begun) {
        struct bytes from = bytes_of(pass->from, pass->from_size);
        pass->at = history_seek(pass->rows->history, from, false, false, false, &pass->place);
        pass->begun = true;
    }
    for (; pass->at && pass->looked < STRETCH_LOOKS; pass->at = history_step(&pass->place, false)) {
        if (!bound_open && bytes_compare(history_key(pass->at), bound) >= 0)
            return false;
        pass->looked++;
        struct writer *writer = writer_to_spill(pass->at);
        if (!writer || writer != pass->spill->writer)
            continue;
        if (!give_row(pass, change))
            return false;
        pass->at = history_step(&pass->place, false);
        return true;
    }
    return false;
}

static enum tree_replace always(void *argument, const struct tree_change *change,
                                const struct tree_value *old)
{
    (void)argument;
    (void)change;
    (void)old;
    return TREE_REPLACE;
}

static void unprepare(struct spill_pass *pass)
{
    struct volume *volume = pass->rows->volume;
    if (pass->prepared)
        volume_extent_free(volume, pass->extent, volume_extent_pages(volume, pass->extent_size));
    pass->prepared = false;
}

/* Writes the value of the row at `from` into an extent. What is written is copied first: while the disk works the row may
 * be written to again, or rolled back. */
static enum sqlstate prepare(struct spill_pass *pass, struct error *error)
{
    struct row_store *rows = pass->rows;
    struct volume *volume = rows->volume;
    struct bytes key = bytes_of(pass->from, pass->from_size), old_bytes;
    struct scope *scope = scope_open(pass->scope, "large row");
    struct tree_value old = {0};
    uint64_t missing;
    enum tree_answer answer;
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && (answer = tree_find(pass->spill->tree, key, &old, &missing)) >= TREE_MISSING)
        failed = spill_bring_in(rows, answer, pass->spill->tree, missing, key, error);
    old_bytes = old.inside;
    if (!failed && old.extent) {
        void *memory;
        failed = scope_alloc_large(scope, old.size, 16, &memory, error);
        if (!failed)
            failed = volume_extent_read(volume, scope, old.extent, 0, memory, old.size, error);
        old_bytes = bytes_of(memory, old.size);
    }
    struct history_row *row = history_find(rows->history, key);
    if (!failed && row && writer_to_spill(row) && writer_to_spill(row) == pass->spill->writer) {
        size_t bytes = value_bytes(row, old_bytes);
        void *memory;
        failed = scope_alloc_large(scope, bytes, 16, &memory, error);
        if (!failed) {
            struct bytes value = value_make(row, old_bytes, memory, bytes);
            pass->number = row->newest->number;
            pass->extent_size = bytes;
            failed = volume_extent_new(volume, volume_extent_pages(volume, bytes), &pass->extent, error);
            pass->prepared = !failed;
            if (!failed)
                failed = volume_extent_write(volume, scope, pass->extent, 0, value, error);
        }
    }
    scope_close(scope);
    return failed;
}

static void remember_from(struct spill_pass *pass, struct bytes key)
{
    if (key.size)
        memmove(pass->from, key.data, key.size);
    pass->from_size = key.size;
}

/* One stretch: a leaf of the spill gets its rows, and they leave the history. */
static enum sqlstate spill_stretch(struct spill_pass *pass, bool *last, struct error *error)
{
    struct row_store *rows = pass->rows;
    uint8_t bound[STORE_KEY_BYTES_MAX], from[STORE_KEY_BYTES_MAX];
    size_t bound_size = 0, from_size = pass->from_size;
    const struct tree_merge merge = {.next = next_row, .replaces = always, .argument = pass};
    if (from_size)
        memcpy(from, pass->from, from_size);
    pass->looked = pass->count = 0;
    pass->begun = pass->wants = pass->stops = false;
    pass->stretch = scope_open(pass->scope, "stretch");
    enum sqlstate failed =
        tree_apply(pass->spill->tree, bytes_of(from, from_size), &merge, bound, &bound_size, last, error);
    if (!failed) {
        bool here = pass->at && (pass->looked == STRETCH_LOOKS || pass->count == STRETCH_ROWS ||
                                 pass->wants || pass->stops);
        unprepare(pass);
        remember_from(pass, here ? history_key(pass->at) : bytes_of(bound, bound_size));
        *last = *last && !here;
        for (size_t i = 0; i < pass->count; i++) {
            if (pass->taken[i].highest > pass->spill->highest)
                pass->spill->highest = pass->taken[i].highest;
            note_key(rows, pass->spill, history_key(pass->taken[i].row));
            if (rows->left)
                rows->left(pass->spill->writer, history_key(pass->taken[i].row));
            history_take_out(rows->history, pass->taken[i].row);
        }
    }
    scope_close(pass->stretch);
    if (!failed && pass->damaged)
        failed = row_damaged(rows, tree_root(pass->spill->tree).page, bytes_of(pass->from, pass->from_size),
                             error);
    if (!failed && pass->wants)
        failed = prepare(pass, error);
    return failed;
}

/* A run for what a writer has in memory from `lowest` on: its last one, if all of that lies behind it. */
static struct spill *spill_open(struct row_store *rows, struct writer *writer, struct bytes lowest)
{
    struct spill *before = spill_of(rows, writer->transaction);
    if (before && (before->run == RUNS_MAX || bytes_compare(highest_key(before), lowest) < 0))
        return before;
    struct scope *scope = scope_open(rows->scope, "spill");
    struct spill *spill = scope_alloc_zeroed(scope, sizeof *spill);
    spill->scope = scope;
    spill->tree = tree_open_temporary(scope, rows->volume);
    spill->writer = writer;
    spill->transaction = writer->transaction;
    spill->run = before ? before->run + 1 : 1;
    make_filter(spill, writer->versions);
    list_link_init(&spill->link);
    list_prepend(&rows->spills, &spill->link);
    log_line(rows->world, LOG_DEBUG, "spill", "versions of transaction %llu in shard %llu leave memory",
             (unsigned long long)writer->transaction, (unsigned long long)rows->store.shard);
    return spill;
}

/* All that one writer has in memory, the key of its first row there being `lowest`. */
static enum sqlstate spill_writer(struct row_store *rows, struct writer *writer, struct bytes lowest,
                                  struct error *error)
{
    struct scope *scope = scope_open(rows->scope, "spilling");
    struct spill_pass *pass = scope_alloc_zeroed(scope, sizeof *pass);
    pass->rows = rows;
    pass->scope = scope;
    pass->spill = spill_open(rows, writer, lowest);
    pass->inside_max = tree_inside_bytes_max(pass->spill->tree);
    remember_from(pass, lowest);
    enum sqlstate failed = SQLSTATE_OK;
    for (bool last = false; !failed && !last;) {
        failed = spill_stretch(pass, &last, error);
        if (!failed)
            failed = row_merge_pause(rows, error);
        if (!pass->spill->writer)
            break; /* it has ended */
    }
    unprepare(pass);
    scope_close(scope);
    return failed;
}

/* The first row of an open writer with at least so many versions in memory, or NULL. Yields now and then, but not behind its
 * find. */
static struct history_row *find_writer(struct row_store *rows, uint64_t versions_min)
{
    uint8_t from[STORE_KEY_BYTES_MAX];
    size_t from_size = 0;
    for (;;) {
        struct history_place place;
        struct history_row *row =
            history_seek(rows->history, bytes_of(from, from_size), false, false, false, &place);
        for (size_t looked = 0; row && looked < STRETCH_LOOKS; looked++) {
            struct writer *writer = writer_to_spill(row);
            if (writer && writer->versions >= versions_min)
                return row;
            row = history_step(&place, false);
        }
        if (!row)
            return NULL;
        from_size = keep_key(from, history_key(row));
        fiber_yield(rows->world->scheduler);
    }
}

enum sqlstate spill_out(struct row_store *rows, size_t room, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint64_t least = WRITER_VERSIONS_MIN; !failed && least; least = least > 1 ? 1 : 0)
        while (!failed && history_bytes(rows->history) >= room) {
            struct history_row *row = find_writer(rows, least);
            if (!row)
                break;
            failed = spill_writer(rows, history_open_writer(row), history_key(row), error);
        }
    return failed;
}
