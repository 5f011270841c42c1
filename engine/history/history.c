/* Versions in memory; see history.h. */
#include "engine/history/history.h"

#include "base/check.h"
#include "base/scope.h"
#include "base/slab.h"
#include "engine/history/ordered.h"

#include <assert.h>

/* Versions that history_commit() settles at once. */
#define SETTLE_AT_COMMIT 64

struct history {
    struct slab_pool *pool;
    struct ordered rows;
    struct list aging; /* rows that may have versions to collect, longest first */
    uint64_t versions;
    void (*gone)(void *argument, const struct store_large *large, bool kept);
    void *argument;
};

struct history *history_open(struct scope *scope)
{
    struct history *history = scope_alloc_zeroed(scope, sizeof *history);
    history->pool = slab_pool_open(scope);
    ordered_init(&history->rows, history->pool);
    list_init(&history->aging);
    return history;
}

void history_on_large_gone(struct history *history,
                           void (*gone)(void *argument, const struct store_large *large, bool kept),
                           void *argument)
{
    history->gone = gone;
    history->argument = argument;
}

size_t history_bytes(const struct history *history)
{
    return slab_pool_used(history->pool);
}

uint64_t history_rows(const struct history *history)
{
    return history->rows.rows;
}

uint64_t history_versions(const struct history *history)
{
    return history->versions;
}

struct history_row *history_find(const struct history *history, struct bytes key)
{
    return ordered_find(&history->rows, key);
}

struct history_row *history_seek(const struct history *history, struct bytes key, bool at_end, bool backward,
                                 bool exclusive, struct history_place *place)
{
    return ordered_seek(&history->rows, key, at_end, backward, exclusive, place);
}

struct history_row *history_step(struct history_place *place, bool backward)
{
    return ordered_step(place, backward);
}

/* ---- looking ---- */

uint64_t version_settle(struct version *version)
{
    struct writer *writer = version->writer;
    if (!writer || writer->scn == SCN_NONE)
        return version->scn;
    check(writer->versions > 0);
    writer->versions--;
    version->scn = writer->scn;
    version->writer = NULL;
    return version->scn;
}

struct version *history_visible(struct history_row *row, const struct snapshot *snapshot)
{
    for (struct version *version = row->newest; version; version = version->older) {
        uint64_t scn = version_settle(version);
        uint64_t transaction = version->writer ? version->writer->transaction : 0;
        if (snapshot_sees(snapshot, scn, transaction, version->number))
            return version;
    }
    return NULL;
}

struct version *history_newest_committed(struct history_row *row)
{
    struct version *version = row->newest;
    while (version && version_settle(version) == SCN_NONE)
        version = version->older;
    return version;
}

/* ---- adding and removing versions ---- */

static size_t version_bytes(const struct version *version)
{
    return sizeof *version + version->row_bytes;
}

/* The content of a version with a row or a large one. */
static struct bytes content_of(struct bytes row, const struct store_large *large)
{
    return large ? bytes_of(large, sizeof *large) : row;
}

static struct version *version_new(struct history *history, struct history_row *row, struct bytes content)
{
    struct version *version = slab_alloc(history->pool, sizeof *version + content.size);
    check(version, "no memory for a version although room was made");
    *version = (struct version){.of = row, .row_bytes = (uint32_t)content.size};
    if (content.size)
        memcpy(version->row, content.data, content.size);
    history->versions++;
    return version;
}

static void large_go(struct history *history, const struct version *version)
{
    if (!version->large || version->merged)
        return;
    struct store_large large = version_large(version);
    history->gone(history->argument, &large, version->kept);
}

static void version_free(struct history *history, struct version *version)
{
    large_go(history, version);
    if (version->writer) {
        check(version->writer->versions > 0);
        version->writer->versions--;
    }
    history->versions--;
    slab_free(history->pool, version, version_bytes(version));
}

static void chain_free(struct history *history, struct version *version)
{
    while (version) {
        struct version *older = version->older;
        version_free(history, version);
        version = older;
    }
}

static struct history_row *row_new(struct history *history, struct bytes key)
{
    check(key.size <= STORE_KEY_BYTES_MAX);
    struct history_row *row = slab_alloc(history->pool, sizeof *row + key.size);
    row->newest = NULL;
    row->holds = 0;
    row->key_bytes = (uint16_t)key.size;
    list_link_init(&row->aging);
    if (key.size)
        memcpy(row->key, key.data, key.size);
    ordered_insert(&history->rows, row);
    return row;
}

static void row_free(struct history *history, struct history_row *row)
{
    ordered_remove(&history->rows, row);
    list_remove(&row->aging);
    slab_free(history->pool, row, sizeof *row + row->key_bytes);
}

static void row_ages(struct history *history, struct history_row *row)
{
    if (!list_linked(&row->aging))
        list_append(&history->aging, &row->aging);
}

void history_apply(struct history *history, struct writer *writer, const struct effect *effect)
{
    check(!writer->ended);
    struct history_row *row = history_find(history, effect->key);
    if (!row)
        row = row_new(history, effect->key);
    struct version *newest = row->newest;
    check(!newest || version_settle(newest) != SCN_NONE || newest->writer == writer,
          "two open writers, %llu and %llu, change one row", (unsigned long long)newest->writer->transaction,
          (unsigned long long)writer->transaction);
    struct version *version = version_new(history, row, content_of(effect->row, effect->large));
    version->large = effect->large;
    version->writer = writer;
    version->number = ++writer->effects;
    version->exists = effect->kind != EFFECT_DELETE;
    version->inserted = effect->kind == EFFECT_INSERT;
    version->written_before = writer->written;
    if (writer->written)
        ((struct version *)writer->written)->written_after = version;
    version->older = newest;
    writer->written = version;
    writer->versions++;
    row->newest = version;
    if (newest || !version->exists)
        row_ages(history, row);
}

void history_commit(struct history *history, struct writer *writer, uint64_t scn)
{
    (void)history;
    check(!writer->ended && scn > SCN_BOTTOM);
    writer->scn = scn;
    writer->ended = true;
    struct version *version = writer->written;
    for (uint32_t settled = 0; version && settled < SETTLE_AT_COMMIT; settled++) {
        version_settle(version);
        version = version->written_before;
    }
    writer->written = NULL;
}

/* Takes a version out of the list of what its open writer has written. */
static void written_remove(struct writer *writer, struct version *version)
{
    if (version->written_after)
        version->written_after->written_before = version->written_before;
    else
        writer->written = version->written_before;
    if (version->written_before)
        version->written_before->written_after = version->written_after;
}

bool history_rollback(struct history *history, struct writer *writer, uint32_t effects, size_t limit)
{
    check(!writer->ended);
    for (size_t taken = 0; taken < limit; taken++) {
        struct version *version = writer->written;
        if (!version || version->number <= effects)
            return true;
        struct history_row *row = version->of;
        check(row->newest == version, "a version lies above one that is rolled back");
        written_remove(writer, version);
        row->newest = version->older;
        version_free(history, version);
        if (!row->newest)
            row_free(history, row);
    }
    struct version *left = writer->written;
    return !left || left->number <= effects;
}

/* ---- to elsewhere and back ---- */

struct writer *history_open_writer(struct history_row *row)
{
    return version_settle(row->newest) == SCN_NONE ? row->newest->writer : NULL;
}

struct writer *history_inserter(struct history_row *row)
{
    for (struct version *version = row->newest; version && version_settle(version) == SCN_NONE;
         version = version->older)
        if (version->inserted)
            return version->writer;
    return NULL;
}

void history_take_out(struct history *history, struct history_row *row)
{
    while (row->newest && version_settle(row->newest) == SCN_NONE) {
        struct version *version = row->newest;
        check(!version->large, "a large row is taken for its bytes");
        written_remove(version->writer, version);
        row->newest = version->older;
        version_free(history, version);
    }
    if (!row->newest)
        row_free(history, row);
}

void history_put_back(struct history *history, struct bytes key, struct bytes content, bool exists,
                      uint64_t scn)
{
    struct history_row *row = history_find(history, key);
    if (!row)
        row = row_new(history, key);
    struct version *newer = NULL, *older = row->newest;
    while (older && (version_settle(older) == SCN_NONE || older->scn > scn)) {
        check(!older->merged, "the tree below holds a newer version than one that comes back");
        newer = older;
        older = older->older;
    }
    if (older && older->scn == scn)
        return;
    struct version *version = version_new(history, row, content);
    version->scn = scn;
    version->exists = exists;
    version->older = older;
    if (newer)
        newer->older = version;
    else
        row->newest = version;
    row_ages(history, row);
}

/* ---- recovery ---- */

void history_recover(const struct history_recovered *effect)
{
    struct history *history = effect->history;
    struct history_row *row = history_find(history, effect->key);
    struct bytes content = content_of(effect->row, effect->large);
    if (!row)
        row = row_new(history, effect->key);
    struct version *version = row->newest;
    if (version && !row->holds) {
        check(!version->writer && version->scn <= effect->scn, "commits come back in another order");
        if (version->older || version->large || effect->large || version->row_bytes != content.size) {
            chain_free(history, version);
            row->newest = version = NULL;
        }
    } else {
        version = NULL; /* what is held stays */
    }
    if (!version) {
        version = version_new(history, row, content);
        version->large = effect->large;
        version->older = row->newest;
        row->newest = version;
    } else if (content.size) {
        memcpy(version->row, content.data, content.size);
    }
    version->scn = effect->scn;
    version->exists = effect->exists;
    version->merged = false;
    if (version->older || !version->exists)
        row_ages(history, row);
}

void history_recover_ahead(const struct history_recovered *effects, size_t count)
{
    struct ordered_look looks[HISTORY_AHEAD_MAX];
    static_assert(HISTORY_AHEAD_MAX <= ORDERED_LOOKS_MAX);
    check(count <= HISTORY_AHEAD_MAX);
    for (size_t i = 0; i < count; i++)
        looks[i] = (struct ordered_look){.ordered = &effects[i].history->rows, .key = effects[i].key};
    ordered_ahead(looks, count);
}

/* ---- leaving ---- */

/* Drops what no snapshot at or above `oldest` sees. True when something left. *gone: the row itself did. */
static bool row_prune(struct history *history, struct history_row *row, uint64_t oldest, bool below,
                      bool *gone)
{
    struct version *newer = NULL, *version = row->newest;
    while (version && !(version_settle(version) != SCN_NONE && version->scn <= oldest)) {
        newer = version;
        version = version->older;
    }
    *gone = false;
    if (!version || row->holds)
        return false;
    bool pruned = version->older != NULL;
    chain_free(history, version->older);
    version->older = NULL;
    if (below ? version->merged : !version->exists) {
        version_free(history, version);
        pruned = true;
        if (newer)
            newer->older = NULL;
        else {
            row_free(history, row);
            *gone = true;
        }
    }
    return pruned;
}

struct version *history_to_merge(struct history_row *row, uint64_t scn)
{
    for (struct version *version = row->newest; version; version = version->older) {
        if (version->merged)
            return NULL;
        if (version_settle(version) != SCN_NONE && version->scn <= scn)
            return version;
    }
    return NULL;
}

void history_hold(struct history_row *row)
{
    row->holds++;
}

void history_release(struct history *history, struct history_row *row, uint64_t oldest, bool below)
{
    check(row->holds > 0);
    bool gone;
    if (--row->holds == 0)
        row_prune(history, row, oldest, below, &gone);
}

bool history_needs_bottom(const struct version *version, uint64_t oldest)
{
    if (version->scn <= oldest)
        return false;
    for (const struct version *at = version->older; at; at = at->older)
        if (at->merged || at->scn == SCN_BOTTOM)
            return false;
    return true;
}

struct version *history_version_below(struct history_row *row)
{
    struct version *version = row->newest;
    while (version && !version->merged)
        version = version->older;
    return version;
}

bool history_merged(struct history *history, struct history_row *row, struct version *version,
                    const struct history_old *old, uint64_t oldest)
{
    check(version_settle(version) != SCN_NONE);
    bool needs_bottom = history_needs_bottom(version, oldest);
    struct version *last = version;
    for (struct version *at = version->older; at; at = at->older) {
        at->merged = false;
        last = at;
    }
    version->merged = true;
    version->kept = version->large;
    if (needs_bottom) {
        struct version *bottom = version_new(history, row, old ? old->row : bytes_of(NULL, 0));
        bottom->large = bottom->kept = old && old->large;
        bottom->scn = SCN_BOTTOM;
        bottom->exists = old != NULL;
        last->older = bottom;
    }
    bool gone;
    row_prune(history, row, oldest, true, &gone);
    if (!gone)
        row_ages(history, row);
    return gone;
}

bool history_collect(struct history *history, uint64_t oldest, bool below, size_t limit)
{
    size_t looked = 0, pruned = 0;
    uint64_t waiting = history->rows.rows;
    while (looked < limit && looked < waiting) {
        struct list_link *link = list_take_first(&history->aging);
        if (!link)
            return false;
        looked++;
        struct history_row *row = container_of(link, struct history_row, aging);
        bool gone;
        pruned += row_prune(history, row, oldest, below, &gone);
        if (!gone && (row->newest->older || row->newest->merged || (!below && !row->newest->exists)))
            row_ages(history, row);
    }
    return looked == limit && pruned > 0;
}

/* Versions of a chain that are given from the oldest on without walking the chain once for each. */
#define CHANGED_AT_ONCE 64

/* The `skip`th and following versions committed above `since`, newest first, into `found`; gives how many. */
static size_t committed_above(struct history_row *row, uint64_t since, size_t skip, struct version **found)
{
    size_t seen = 0, count = 0;
    for (struct version *version = row->newest; version && count < CHANGED_AT_ONCE;
         version = version->older) {
        if (version_settle(version) == SCN_NONE)
            continue;
        if (version->scn <= since)
            break;
        if (seen++ >= skip)
            found[count++] = version;
    }
    return count;
}

static bool give_changed(struct history_row *row, uint64_t since,
                         bool (*take)(void *argument, const struct store_change *change), void *argument)
{
    struct version *found[CHANGED_AT_ONCE];
    size_t skip = 0, count;
    while ((count = committed_above(row, since, skip, found)) == CHANGED_AT_ONCE)
        skip += CHANGED_AT_ONCE;
    for (;;) {
        while (count-- > 0) {
            const struct version *version = found[count];
            struct store_change out = {
                .key = history_key(row), .exists = version->exists, .scn = version->scn};
            if (version->large)
                out.large = version_large(version);
            else
                out.row = version_row(version);
            if (!take(argument, &out))
                return false;
        }
        if (!skip)
            return true;
        skip -= CHANGED_AT_ONCE;
        count = committed_above(row, since, skip, found);
    }
}

void history_changed(struct history *history, uint64_t since, struct bytes from,
                     bool (*take)(void *argument, const struct store_change *change), void *argument)
{
    struct history_place place;
    struct history_row *row = history_seek(history, from, false, false, false, &place);
    while (row && give_changed(row, since, take, argument))
        row = history_step(&place, false);
}

void history_give_up_large(struct history *history)
{
    struct history_place place;
    struct history_row *row = history_seek(history, bytes_of(NULL, 0), true, false, false, &place);
    for (; row; row = history_step(&place, false)) {
        for (struct version *version = row->newest; version; version = version->older) {
            large_go(history, version);
            version->large = false;
        }
    }
}

void history_check(const struct history *history)
{
    ordered_check(&history->rows);
    uint64_t versions = 0;
    struct history_place place;
    struct history_row *row = history_seek(history, bytes_of(NULL, 0), true, false, false, &place);
    for (; row; row = history_step(&place, false)) {
        check(row->newest, "a row without a version");
        uint32_t merged = 0;
        for (struct version *version = row->newest; version; version = version->older) {
            versions++;
            merged += version->merged;
            check(version->of == row);
            uint64_t scn = version_settle(version);
            if (!version->older)
                continue;
            uint64_t older = version_settle(version->older);
            check(scn == SCN_NONE || (older != SCN_NONE && older <= scn), "versions are out of order");
            check(scn != SCN_NONE || older != SCN_NONE || version->writer == version->older->writer);
        }
        check(merged <= 1, "two versions claim to be the one below");
    }
    check(versions == history->versions);
}
