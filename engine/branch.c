/* Branches: a transaction on one core. See engine/README.md, section 2.
 *
 * A write: room is made (may yield), the row is locked (may wait), the newest version is looked at (may read a page), and
 * then, with no yield any more, the effect goes into the log and into the store. */
#include "base/check.h"
#include "base/scope.h"
#include "engine/inside.h"
#include "engine/record.h"
#include "engine/row/row.h"

/* Versions taken back between two yields of a rollback: about 100 us. */
#define ROLLBACK_SLICE 500
/* Of a list of keys: so many are read before it is known whether their pages are in memory, then so many pages at most are read
 * ahead: what devices take side by side. */
#define KEYS_TRIED 4
#define KEYS_AHEAD 32

struct branch *branch_open(struct engine_core *core, const struct branch_terms *terms)
{
    struct branch *branch = slab_alloc(core->pool, sizeof *branch);
    *branch = (struct branch){.core = core, .terms = *terms};
    branch->terms.ticket = (struct log_ticket){0};
    branch->terms.effects = 0;
    branch->terms.after_scn = SCN_NONE;
    branch->terms.wrote = false;
    branch->statement_seen = terms->statement;
    branch->savepoint_seen = branch->savepoint_opened = terms->savepoint;
    list_init(&branch->writers);
    list_init(&branch->marks);
    list_init(&branch->stays);
    list_init(&branch->larges);
    fiber_queue_init(&branch->turn);
    lock_owner_init(&branch->owner, terms->transaction, terms->started_ns);
    list_append(&core->branches, &branch->of_core);
    return branch;
}

static void branch_free(struct branch *branch)
{
    struct engine_core *core = branch->core;
    for (struct list_link *link; (link = list_first(&branch->marks));) {
        struct branch_mark *mark = container_of(link, struct branch_mark, link);
        list_remove(link);
        slab_free(core->pool, mark, sizeof *mark + mark->count * sizeof *mark->at);
    }
    check(list_empty(&branch->writers) && branch->owner.held_count == 0 && !branch->fragments);
    list_remove(&branch->of_core);
    slab_free(core->pool, branch, sizeof *branch);
}

bool branch_idle(const struct branch *branch)
{
    return list_empty(&branch->writers) && branch->owner.held_count == 0 && !branch->terms.wrote;
}

/* Remembers the present state for the savepoints made since the last call: nothing happened between them. */
static void mark_savepoints(struct branch *branch, uint64_t newest)
{
    size_t count = 0;
    list_each (&branch->writers, at)
        count++;
    struct branch_mark *mark = slab_alloc(branch->core->pool, sizeof *mark + count * sizeof *mark->at);
    mark->newest = newest;
    mark->lock_mark = lock_mark(&branch->owner);
    mark->count = 0;
    list_each (&branch->writers, at) {
        struct branch_writer *writer = container_of(at, struct branch_writer, link);
        mark->at[mark->count++] = (struct branch_mark_writer){writer, writer->writer.effects};
    }
    list_append(&branch->marks, &mark->link);
}

void branch_enter(struct branch *branch, const struct branch_terms *terms)
{
    if (terms->savepoint > branch->savepoint_seen) {
        mark_savepoints(branch, terms->savepoint);
        branch->savepoint_seen = terms->savepoint;
    }
    if (terms->statement != branch->statement_seen) {
        list_each (&branch->writers, at) {
            struct branch_writer *writer = container_of(at, struct branch_writer, link);
            writer->statement_mark = writer->writer.effects;
        }
        branch->statement_seen = terms->statement;
    }
    branch->terms.snapshot = terms->snapshot;
    branch->terms.statement = terms->statement;
    branch->terms.savepoint = terms->savepoint;
}

/* ---- reading ---- */

static struct branch_writer *writer_at(const struct branch *branch, const struct shard *shard)
{
    list_each (&branch->writers, at) {
        struct branch_writer *writer = container_of(at, struct branch_writer, link);
        if (writer->shard == shard)
            return writer;
    }
    return NULL;
}

static struct snapshot snapshot_at(const struct branch *branch, const struct shard *shard)
{
    const struct branch_writer *writer = writer_at(branch, shard);
    bool newest = branch->terms.isolation == SERIALIZABLE;
    return (struct snapshot){.scn = newest ? SCN_NEWEST : branch->terms.snapshot,
                             .transaction = branch->terms.transaction,
                             .own_effects = writer ? writer->statement_mark : 0};
}

/* Asks for a lock. An owner waits for one at a time, so while a fragment waits, another of its branch gets what it can
 * have at once and waits its turn for the rest. That hides no deadlock: whoever holds up the first wait holds up the others,
 * and the detector sees the first. */
enum lock_kind { OF_ROW, OF_RANGE, OF_OBJECT };
struct lock_call {
    enum lock_kind kind;
    struct shard *shard; /* of rows and ranges */
    struct bytes key;    /* or where the range begins */
    struct bytes to;
    bool to_open;
    enum lock_strength strength;
    const struct lock_object *object;
    enum lock_mode mode;
};

static enum sqlstate ask(struct branch *branch, const struct lock_call *call,
                         const struct lock_request *request, enum lock_outcome *outcome, struct error *error)
{
    struct lock_table *locks = branch->core->locks;
    struct lock_owner *owner = &branch->owner;
    switch (call->kind) {
    case OF_ROW:
        return lock_row(locks, owner, call->shard->shard, call->key, call->strength, request, outcome, error);
    case OF_RANGE:
        return lock_range(locks, owner, call->shard->shard, call->key, call->to, call->to_open, request,
                          outcome, error);
    case OF_OBJECT:
        return lock_object(locks, owner, call->object, call->mode, request, outcome, error);
    }
    check(false, "a lock of kind %d", call->kind);
    return SQLSTATE_INTERNAL_ERROR;
}

/* Locks that are not in the lock table: of rows that were inserted where none was (insert_bare), and of rows whose versions
 * have left memory. Whose they are stands in the store, and they come into the table when somebody else asks. */
struct uncovering {
    struct engine_core *core;
    const struct shard *shard;
};

static void uncover_one(void *argument, uint64_t holder, struct bytes key)
{
    const struct uncovering *uncovering = argument;
    list_each (&uncovering->core->branches, at) {
        struct branch *branch = container_of(at, struct branch, of_core);
        if (branch->owner.transaction != holder)
            continue;
        lock_row_regain(uncovering->core->locks, &branch->owner, uncovering->shard->shard, key, LOCK_UPDATE);
        return;
    }
    check(false, "transaction %llu has written and is not here", (unsigned long long)holder);
}

/* There are too many rows to look at all of them: everybody who has inserted some holds one key of the range. So the asker waits
 * for all of them, for some perhaps without need. */
static void uncover_all(struct uncovering *uncovering, const struct branch *asker, struct bytes key)
{
    list_each (&uncovering->core->branches, at) {
        struct branch *branch = container_of(at, struct branch, of_core);
        const struct branch_writer *writer = branch == asker ? NULL : writer_at(branch, uncovering->shard);
        if (writer && writer->bare)
            lock_row_regain(uncovering->core->locks, &branch->owner, uncovering->shard->shard, key,
                            LOCK_UPDATE);
    }
}

static enum sqlstate uncover(struct branch *branch, const struct lock_call *call, struct error *error)
{
    struct uncovering uncovering = {.core = branch->core, .shard = call->shard};
    uint8_t behind[STORE_KEY_BYTES_MAX + 1];
    struct key_range range = {.from = call->key, .to = call->to, .to_open = call->to_open};
    bool again = call->shard && call->shard->volume && row_store_spilled(call->shard->store, SCN_NEWEST);
    if ((again || (call->shard && call->shard->bare)) && call->kind == OF_ROW) {
        if (call->key.size)
            memcpy(behind, call->key.data, call->key.size);
        behind[call->key.size] = 0;
        range.to = bytes_of(behind, call->key.size + 1);
    }
    enum sqlstate failed = SQLSTATE_OK;
    while (again && !failed)
        failed = row_store_holders(call->shard->store, branch->owner.transaction, &range, uncover_one,
                                   &uncovering, &again, error);
    if (failed || !call->shard || !call->shard->bare)
        return failed;
    if (!row_store_inserters(call->shard->store, branch->owner.transaction, &range, uncover_one, &uncovering))
        uncover_all(&uncovering, branch, range.from);
    return SQLSTATE_OK;
}

void branch_row_left(struct writer *writer, struct bytes key)
{
    struct branch_writer *one = container_of(writer, struct branch_writer, writer);
    (void)!lock_row_shed(one->branch->core->locks, &one->branch->owner, one->shard->shard, key);
}

static enum sqlstate lock(struct branch *branch, const struct lock_call *call, enum lock_policy policy,
                          enum lock_outcome *outcome, struct error *error)
{
    struct scheduler *scheduler = branch->core->world->scheduler;
    uint64_t timeout = branch->terms.lock_timeout_ns;
    uint64_t deadline = timeout ? branch->core->world->now_ns + timeout : FIBER_NO_DEADLINE;
    struct lock_request request = {.policy = policy, .deadline_ns = deadline};
    const struct lock_request at_once = {.policy = LOCK_SKIP};
    bool waited = false;
    for (;;) {
        enum sqlstate failed = uncover(branch, call, error); /* nothing yields from its last look on */
        if (failed)
            return failed;
        if (!branch->owner.waiting || policy != LOCK_WAIT)
            break;
        failed = ask(branch, call, &at_once, outcome, error);
        if (failed || *outcome != LOCK_SKIPPED)
            return failed;
        waited = true;
        enum fiber_wake wake = fiber_wait(scheduler, &branch->turn, deadline);
        if (wake == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (wake == FIBER_TIMED_OUT)
            return error_set(error, SQLSTATE_LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout");
    }
    enum sqlstate failed = ask(branch, call, &request, outcome, error);
    if (!failed && waited && *outcome == LOCK_GRANTED)
        *outcome = LOCK_WAITED;
    fiber_wake_all(&branch->turn);
    return failed;
}

/* What is locked now may have been written by a commit that is not visible yet: nobody must hear of this transaction before
 * that one is. */
static void note_lock(struct branch *branch)
{
    if (branch->core->newest_scn > branch->terms.after_scn)
        branch->terms.after_scn = branch->core->newest_scn;
}

enum sqlstate branch_lock_object(struct branch *branch, const struct lock_object *object, enum lock_mode mode,
                                 enum lock_policy policy, enum lock_outcome *outcome, struct error *error)
{
    const struct lock_call call = {.kind = OF_OBJECT, .object = object, .mode = mode};
    enum sqlstate failed = lock(branch, &call, policy, outcome, error);
    /* Who locks writers out wants to see what they wrote, though they may not have waited for it to be stable. */
    if (!failed && *outcome != LOCK_SKIPPED && mode > LOCK_ROW_EXCLUSIVE)
        note_lock(branch);
    return failed;
}

/* Whether the branch has work at the shard that the shard's replacement waits for. */
static bool is_inside(const struct branch *branch, const struct shard *shard)
{
    list_each (&branch->stays, at)
        if (container_of(at, struct branch_stay, link)->shard == shard)
            return true;
    return writer_at(branch, shard) || lock_owner_holds(&branch->owner, shard->shard);
}

/* Finds the shard and counts this fiber in; waits at the gate of one that is about to be replaced, unless the branch has
 * work there. May yield. */
static enum sqlstate enter_shard(struct branch *branch, uint64_t table, struct bytes key,
                                 struct shard **found, struct error *error)
{
    struct scheduler *scheduler = branch->core->world->scheduler;
    struct shard *shard = shard_find(branch->core, branch, table, key);
    while (shard && shard->gate && !is_inside(branch, shard)) {
        if (fiber_wait(scheduler, &shard->opened, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        shard = shard_find(branch->core, branch, table, key);
    }
    *found = shard;
    if (shard) {
        shard->users++;
        shard->calls++;
        return SQLSTATE_OK;
    }
    /* Either there is no such table, or its shard has gone to another core after this call was sent here. */
    if (shard_map_find(engine_map(branch->core->engine), table, key))
        return error_set(error, SQLSTATE_SHARD_MOVED, "the shard has moved");
    return no_such_table(table, error);
}

static void leave_shard(struct shard *shard)
{
    shard->users--;
}

static enum sqlstate still_there(const struct shard *shard, enum sqlstate failed, struct error *error)
{
    return failed ? failed : shard->gone ? no_such_table(shard->table, error) : SQLSTATE_OK;
}

struct world *branch_world(const struct branch *branch)
{
    return branch->core->world;
}

/* Who reads the newest state locks what it reads. */
static enum sqlstate lock_to_read(struct branch *branch, struct shard *shard, struct bytes key,
                                  struct error *error)
{
    if (branch->terms.isolation != SERIALIZABLE)
        return SQLSTATE_OK;
    const struct lock_call call = {.kind = OF_ROW, .shard = shard, .key = key, .strength = LOCK_SHARE};
    enum lock_outcome outcome;
    enum sqlstate failed = lock(branch, &call, LOCK_WAIT, &outcome, error);
    note_lock(branch);
    return still_there(shard, failed, error);
}

/* The version this branch sees, from a shard it has entered. */
static enum sqlstate get_row(struct branch *branch, struct shard *shard, struct scope *scope,
                             struct bytes key, struct store_row *row, bool *found, struct error *error)
{
    enum sqlstate failed = lock_to_read(branch, shard, key, error);
    if (failed)
        return failed;
    struct snapshot snapshot = snapshot_at(branch, shard);
    return shard->store->ops->get(shard->store, scope, &snapshot, key, row, found, error);
}

enum sqlstate branch_get(struct branch *branch, struct scope *scope, uint64_t table, struct bytes key,
                         struct store_row *row, bool *found, struct error *error)
{
    struct shard *shard;
    enum sqlstate failed = enter_shard(branch, table, key, &shard, error);
    if (failed)
        return failed;
    failed = get_row(branch, shard, scope, key, row, found, error);
    leave_shard(shard);
    return failed;
}

enum sqlstate branch_get_piece(struct branch *branch, struct scope *scope, uint64_t table, struct bytes key,
                               struct store_piece *piece, struct error *error)
{
    struct shard *shard;
    enum sqlstate failed = enter_shard(branch, table, key, &shard, error);
    if (failed)
        return failed;
    failed = lock_to_read(branch, shard, key, error);
    if (!failed) {
        struct snapshot snapshot = snapshot_at(branch, shard);
        failed = shard->store->ops->read(shard->store, scope, &snapshot, key, piece, error);
    }
    leave_shard(shard);
    return failed;
}

/* Pages read on this core so far. */
static uint64_t pages_read(const struct engine_core *core)
{
    uint64_t reads = 0;
    for (uint32_t i = 0; i < core->volumes; i++)
        reads += volume_reads(core->volume[i].volume);
    return reads;
}

/* To look twice for what is in memory costs more than it brings. */
void branch_keys_ahead(struct branch *branch, struct key_share *part)
{
    if (part->look_at == 0) {
        part->look_at = part->done + KEYS_TRIED;
        part->reads = pages_read(branch->core);
    }
    if (part->done < part->look_at)
        return;
    uint64_t reads = pages_read(branch->core);
    size_t left = part->count - part->done;
    for (size_t i = 0; reads != part->reads && i < left && i < KEYS_AHEAD; i++) {
        struct bytes key = part->key[part->number[part->done + i]];
        struct shard *shard = shard_find(branch->core, branch, part->table, key);
        if (shard && shard->volume)
            row_store_ahead(shard->store, &key, 1);
    }
    part->reads = reads;
    part->look_at = part->done + KEYS_AHEAD;
}

enum sqlstate branch_get_keys(struct branch *branch, struct scope *scope, struct key_share *part,
                              size_t keys_max, const struct key_sink *sink, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    struct scope *large = scope_open(scope, "large rows");
    for (size_t taken = 0; part->done < part->count && taken < keys_max && !failed; taken++) {
        branch_keys_ahead(branch, part);
        uint32_t number = part->number[part->done];
        struct store_row row;
        bool found;
        failed = branch_get(branch, large, part->table, part->key[number], &row, &found, error);
        if (failed)
            break;
        sink->take(sink->argument, number, found ? &row : NULL);
        part->done++;
        if (scope_bytes(large)) {
            scope_close(large);
            large = scope_open(scope, "large rows");
        }
    }
    scope_close(large);
    return failed;
}

/* Enters the shard that holds all of a range. From then on it stays what it is, for somebody is inside. */
static enum sqlstate enter_range(struct branch *branch, uint64_t table, const struct key_range *range,
                                 struct shard **shard, struct error *error)
{
    enum sqlstate failed = enter_shard(branch, table, range->from, shard, error);
    if (failed)
        return failed;
    const struct shard_place *place = shard_map_find(engine_map(branch->core->engine), table, range->from);
    if (!place || place->to_open || (!range->to_open && bytes_compare(place->to, range->to) >= 0))
        return SQLSTATE_OK;
    leave_shard(*shard);
    return error_set(error, SQLSTATE_SHARD_SPLIT, "the shard has been split");
}

enum sqlstate branch_scan(struct branch *branch, uint64_t table, struct store_cursor *cursor, size_t rows_max,
                          const struct store_sink *sink, struct error *error)
{
    struct shard *shard;
    enum sqlstate failed = enter_range(branch, table, &cursor->range, &shard, error);
    if (failed)
        return failed;
    if (branch->terms.isolation == SERIALIZABLE) {
        const struct lock_call call = {.kind = OF_RANGE,
                                       .shard = shard,
                                       .key = cursor->range.from,
                                       .to = cursor->range.to,
                                       .to_open = cursor->range.to_open};
        enum lock_outcome outcome;
        failed = lock(branch, &call, LOCK_WAIT, &outcome, error);
        note_lock(branch);
        failed = still_there(shard, failed, error);
    }
    if (!failed) {
        struct snapshot snapshot = snapshot_at(branch, shard);
        uint64_t before = cursor->given;
        failed = shard->store->ops->scan(shard->store, &snapshot, cursor, rows_max, sink, error);
        sizing_scanned(shard, cursor->given, cursor->given - before);
    }
    leave_shard(shard);
    return failed;
}

enum sqlstate branch_stay(struct branch *branch, uint64_t table, const struct key_range *range,
                          struct branch_stay *stay, struct error *error)
{
    enum sqlstate failed = enter_range(branch, table, range, &stay->shard, error);
    list_link_init(&stay->link);
    if (!failed)
        list_append(&branch->stays, &stay->link);
    return failed;
}

void branch_leave(struct branch_stay *stay)
{
    list_remove(&stay->link);
    leave_shard(stay->shard);
}

/* ---- locking and writing ---- */

static enum sqlstate check_unchanged(const struct branch *branch, const struct store_newest *newest,
                                     struct error *error)
{
    if (branch->terms.isolation != REPEATABLE_READ || newest->scn <= branch->terms.snapshot)
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_SERIALIZATION_FAILURE,
                     newest->exists ? "could not serialize access due to concurrent update"
                                    : "could not serialize access due to concurrent delete");
}

/* Locks a row of a shard and looks at its newest version. */
static enum sqlstate lock_and_look(struct branch *branch, struct shard *shard, struct bytes key,
                                   enum lock_strength strength, enum lock_policy policy,
                                   struct store_newest *newest, enum lock_outcome *outcome,
                                   struct error *error)
{
    const struct lock_call call = {.kind = OF_ROW, .shard = shard, .key = key, .strength = strength};
    enum sqlstate failed = lock(branch, &call, policy, outcome, error);
    failed = still_there(shard, failed, error);
    if (failed || *outcome == LOCK_SKIPPED)
        return failed;
    note_lock(branch);
    failed = shard->store->ops->newest(shard->store, branch->terms.transaction, key, newest, error);
    failed = still_there(shard, failed, error);
    if (failed)
        return failed;
    /* KEY SHARE gets on with NO KEY UPDATE, so the row may be another's just now. */
    check(strength == LOCK_KEY_SHARE || !newest->transaction ||
              newest->transaction == branch->terms.transaction,
          "transaction %llu holds a row that %llu has written", (unsigned long long)branch->terms.transaction,
          (unsigned long long)newest->transaction);
    return SQLSTATE_OK;
}

enum sqlstate branch_lock(struct branch *branch, struct scope *scope, uint64_t table, struct bytes key,
                          enum lock_strength strength, enum lock_policy policy, struct store_row *row,
                          bool *found, enum lock_outcome *outcome, struct error *error)
{
    struct shard *shard;
    struct store_newest newest;
    *found = false;
    enum sqlstate failed = enter_shard(branch, table, key, &shard, error);
    if (failed)
        return failed;
    failed = lock_and_look(branch, shard, key, strength, policy, &newest, outcome, error);
    if (!failed && *outcome != LOCK_SKIPPED)
        failed = check_unchanged(branch, &newest, error);
    if (!failed && *outcome != LOCK_SKIPPED) {
        struct snapshot snapshot = {
            .scn = SCN_NEWEST, .transaction = branch->terms.transaction, .own_effects = UINT32_MAX};
        failed = shard->store->ops->get(shard->store, scope, &snapshot, key, row, found, error);
    }
    leave_shard(shard);
    return failed;
}

static struct branch_writer *writer_open(struct branch *branch, struct shard *shard)
{
    struct branch_writer *writer = writer_at(branch, shard);
    if (writer)
        return writer;
    writer = slab_alloc(branch->core->pool, sizeof *writer);
    *writer = (struct branch_writer){
        .branch = branch, .shard = shard, .writer = {.transaction = branch->terms.transaction}};
    writer->floor = log_port_stable(branch->core->port);
    list_append(&branch->writers, &writer->link);
    return writer;
}

static struct log_record shard_record(struct branch *branch, struct shard *shard, uint8_t kind,
                                      const void *payload, size_t bytes)
{
    return (struct log_record){.topic = shard->shard,
                               .sequence = ++shard->sequence,
                               .epoch = 1,
                               .kind = kind,
                               .transaction = branch->terms.transaction,
                               .payload = bytes_of(payload, bytes)};
}

/* Writes an effect's record. Neither yields nor fails: room was made. */
static void log_effect(struct branch *branch, struct shard *shard, const struct effect *effect,
                       uint32_t number, uint32_t large)
{
    struct log_port *port = branch->core->port;
    struct scope *scope = scope_open(branch->core->scope, "record");
    size_t room = record_effect_bytes(effect);
    uint8_t *memory = scope_alloc(scope, room);
    size_t bytes = record_effect_write(memory, room, effect, number, large);
    struct log_record record = shard_record(branch, shard, RECORD_EFFECT, memory, bytes);
    branch->terms.ticket = log_port_append(port, &record, NULL, 0);
    branch->terms.effects++;
    scope_close(scope);
}

static enum sqlstate check_sizes(const struct effect *effect, struct error *error)
{
    if (effect->key.size > STORE_KEY_BYTES_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "key of %zu bytes exceeds the maximum of %d",
                         effect->key.size, STORE_KEY_BYTES_MAX);
    if (effect->row.size > STORE_ROW_BYTES_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "row of %zu bytes exceeds the maximum of %lu", effect->row.size,
                         STORE_ROW_BYTES_MAX);
    return SQLSTATE_OK;
}

/* Whether a row goes to the disk as it comes. Of the directory none does: recovery wants to know it early. */
static bool is_large(const struct branch *branch, const struct shard *shard, const struct effect *effect)
{
    return effect->row.size > branch->core->options.large_bytes && (shard->store->abilities & STORE_LARGE) &&
           shard->shard != SHARD_DIRECTORY;
}

static enum sqlstate make_room(struct branch *branch, struct shard *shard, const struct effect *effect,
                               struct error *error)
{
    struct engine_core *core = branch->core;
    size_t bytes = effect->key.size + (is_large(branch, shard, effect) ? 0 : effect->row.size) + 256;
    enum sqlstate failed = SQLSTATE_OK;
    if (shard->volume)
        failed = log_port_make_room(core->port, bytes, error);
    if (!failed)
        failed = shard->store->ops->make_room(shard->store, bytes, txn_visible(core->txn),
                                              txn_oldest(core->txn), error);
    return still_there(shard, failed, error);
}

static enum lock_strength strength_of(enum effect_kind kind)
{
    return kind == EFFECT_UPDATE ? LOCK_NO_KEY_UPDATE : LOCK_UPDATE;
}

/* Logs and applies. Neither yields nor fails. */
static struct branch_writer *put_row(struct branch *branch, struct shard *shard, const struct effect *effect,
                                     uint32_t large)
{
    struct branch_writer *writer = writer_open(branch, shard);
    if (shard->volume)
        log_effect(branch, shard, effect, writer->writer.effects + 1, large);
    shard->store->ops->apply(shard->store, &writer->writer, effect);
    branch->terms.wrote = true;
    branch->owner.work++;
    return writer;
}

/* Inserts a row where surely none is and nobody has a lock or waits for one: then the version itself stands for the lock, as
 * long as its writer is open (uncover), and there is one hash table less to keep up for each row of a load. Nothing yields
 * between the looks and the writing. False: it must be locked first. */
static bool insert_bare(struct branch *branch, struct shard *shard, const struct effect *effect)
{
    if (effect->kind != EFFECT_INSERT || !shard->volume ||
        !lock_row_idle(branch->core->locks, shard->shard, effect->key) ||
        !row_store_absent(shard->store, effect->key))
        return false;
    note_lock(branch);
    struct branch_writer *writer = put_row(branch, shard, effect, 0);
    shard->bare += !writer->bare;
    writer->bare = true;
    return true;
}

/* Locks the row and says whether it is as the effect needs it. */
static enum sqlstate lock_to_write(struct branch *branch, struct shard *shard, const struct effect *effect,
                                   bool *done, struct error *error)
{
    struct store_newest newest;
    enum lock_outcome outcome;
    enum sqlstate failed = lock_and_look(branch, shard, effect->key, strength_of(effect->kind), LOCK_WAIT,
                                         &newest, &outcome, error);
    /* A key that came since the snapshot is there, whether that sees it or not; one that went is free. */
    if (!failed && effect->kind != EFFECT_INSERT)
        failed = check_unchanged(branch, &newest, error);
    *done = !failed && newest.exists == (effect->kind != EFFECT_INSERT);
    return failed;
}

/* Appends one piece of a large row and writes it to where the row rests. Yields. */
static enum sqlstate write_piece(struct branch *branch, struct shard *shard, const struct store_large *large,
                                 const struct record_part *part, uint8_t *memory, struct error *error)
{
    struct log_port *port = branch->core->port;
    enum sqlstate failed = log_port_make_room(port, part->piece.size + 256, error);
    failed = still_there(shard, failed, error);
    if (failed)
        return failed;
    size_t bytes = record_part_write(memory, LOG_PAYLOAD_BYTES_MAX, part);
    struct log_record record = shard_record(branch, shard, RECORD_PART, memory, bytes);
    log_port_append(port, &record, NULL, 0);
    failed = row_store_large_write(shard->store, large, part->offset, part->piece, error);
    return still_there(shard, failed, error);
}

static enum sqlstate write_pieces(struct branch *branch, struct shard *shard, const struct store_large *large,
                                  struct bytes row, uint32_t name, struct error *error)
{
    void *memory;
    struct scope *scope = scope_open(branch->core->scope, "large row");
    size_t unit = row_store_large_unit(shard->store), most = branch->core->options.large_bytes;
    size_t step = most > unit ? most / unit * unit : unit;
    enum sqlstate failed = scope_alloc_large(scope, LOG_PAYLOAD_BYTES_MAX, 16, &memory, error);
    struct record_part part = {.large = name, .row_bytes = row.size};
    for (; !failed && part.offset < row.size; part.offset += step) {
        size_t left = row.size - part.offset;
        part.piece = bytes_of(row.data + part.offset, left < step ? left : step);
        failed = write_piece(branch, shard, large, &part, memory, error);
    }
    scope_close(scope);
    return failed;
}

/* A row that goes to the disk first. That takes its time, in which the row is locked; but another fragment of this transaction
 * may have written it meanwhile. */
static enum sqlstate write_large(struct branch *branch, struct shard *shard, const struct effect *effect,
                                 bool *done, struct error *error)
{
    struct store_large large;
    uint32_t name = ++branch->larges_written;
    enum sqlstate failed = row_store_large_begin(shard->store, effect->row.size, &large, error);
    if (failed)
        return failed;
    struct branch_large under_way = {.floor = log_port_stable(branch->core->port)};
    list_append(&branch->larges, &under_way.link);
    failed = write_pieces(branch, shard, &large, effect->row, name, error);
    if (!failed)
        failed = lock_to_write(branch, shard, effect, done, error);
    if (!failed && *done) {
        struct effect written = {.kind = effect->kind, .key = effect->key, .large = &large};
        fiber_still_begin(branch->core->world->scheduler);
        struct branch_writer *writer = put_row(branch, shard, &written, name);
        fiber_still_end(branch->core->world->scheduler);
        if (under_way.floor < writer->floor)
            writer->floor = under_way.floor;
    } else {
        row_store_large_drop(shard->store, &large);
    }
    list_remove(&under_way.link);
    return failed;
}

static enum sqlstate write_row(struct branch *branch, struct shard *shard, const struct effect *effect,
                               bool *done, struct error *error)
{
    struct scheduler *scheduler = branch->core->world->scheduler;
    bool large = is_large(branch, shard, effect);
    enum sqlstate failed = make_room(branch, shard, effect, error);
    if (failed)
        return failed;
    fiber_still_begin(scheduler);
    *done = !large && insert_bare(branch, shard, effect);
    fiber_still_end(scheduler);
    if (*done)
        return SQLSTATE_OK;
    failed = lock_to_write(branch, shard, effect, done, error);
    if (failed || !*done)
        return failed;
    if (large)
        return write_large(branch, shard, effect, done, error);
    fiber_still_begin(scheduler);
    (void)put_row(branch, shard, effect, 0);
    fiber_still_end(scheduler);
    return SQLSTATE_OK;
}

enum sqlstate branch_write(struct branch *branch, uint64_t table, const struct effect *effect, bool *done,
                           struct error *error)
{
    if (branch->terms.read_only)
        return error_set(error, SQLSTATE_READ_ONLY_SQL_TRANSACTION,
                         "cannot write rows in a read-only transaction");
    enum sqlstate failed = check_sizes(effect, error);
    if (failed)
        return failed;
    struct shard *shard;
    failed = enter_shard(branch, table, effect->key, &shard, error);
    if (failed)
        return failed;
    failed = write_row(branch, shard, effect, done, error);
    leave_shard(shard);
    return failed;
}

/* ---- the end ---- */

/* Nothing that the writer has inserted stands for a lock any more. */
static void writer_covered(struct branch_writer *writer)
{
    if (writer->shard && writer->bare)
        writer->shard->bare--;
    writer->bare = false;
}

bool branch_stamp(struct branch *branch, uint64_t scn)
{
    struct engine_core *core = branch->core;
    for (struct list_link *link; (link = list_take_first(&branch->writers));) {
        struct branch_writer *writer = container_of(link, struct branch_writer, link);
        check(scn, "a transaction that wrote ends without an SCN");
        writer_covered(writer);
        if (writer->shard)
            writer->shard->store->ops->commit(writer->shard->store, &writer->writer, scn);
        list_append(&core->settling, link);
    }
    if (scn > core->newest_scn)
        core->newest_scn = scn;
    if (lock_release_rows(core->locks, &branch->owner))
        return false;
    branch_free(branch);
    return true;
}

void branch_release(struct branch *branch)
{
    lock_release_all(branch->core->locks, &branch->owner);
    branch_free(branch);
}

static void undo_writer(struct branch *branch, struct branch_writer *writer, uint32_t effects, bool whole)
{
    struct engine_core *core = branch->core;
    if (!writer->shard || writer->writer.effects <= effects)
        return;
    struct store *store = writer->shard->store;
    if (!whole && writer->shard->volume) {
        uint8_t payload[32];
        size_t bytes = record_undo_write(payload, sizeof payload, effects, writer->writer.effects);
        struct log_record record = shard_record(branch, writer->shard, RECORD_UNDO, payload, bytes);
        branch->terms.ticket = log_port_append(core->port, &record, NULL, 0);
    }
    writer->shard->users++;
    while (!store->ops->rollback(store, &writer->writer, effects, ROLLBACK_SLICE))
        fiber_yield(core->world->scheduler);
    writer->shard->users--;
}

static void rollback_all(struct branch *branch)
{
    struct engine_core *core = branch->core;
    for (struct list_link *link; (link = list_first(&branch->writers));) {
        struct branch_writer *writer = container_of(link, struct branch_writer, link);
        undo_writer(branch, writer, 0, true);
        check(writer->writer.versions == 0);
        writer_covered(writer);
        list_remove(link);
        slab_free(core->pool, writer, sizeof *writer);
    }
    lock_release_all(core->locks, &branch->owner);
    branch_free(branch);
}

static uint32_t effects_at(const struct branch_mark *mark, const struct branch_writer *writer)
{
    for (size_t i = 0; i < mark->count; i++)
        if (mark->at[i].writer == writer)
            return mark->at[i].effects;
    return 0;
}

static struct branch_mark *first_mark(const struct branch *branch, uint64_t savepoint)
{
    list_each (&branch->marks, at) {
        struct branch_mark *mark = container_of(at, struct branch_mark, link);
        if (mark->newest >= savepoint)
            return mark;
    }
    return NULL;
}

static void mark_free(struct branch *branch, struct branch_mark *mark)
{
    list_remove(&mark->link);
    slab_free(branch->core->pool, mark, sizeof *mark + mark->count * sizeof *mark->at);
}

/* Marks of this savepoint and newer ones go; the next call marks it anew. A mark that serves older ones stays for them. */
static void forget_marks(struct branch *branch, uint64_t savepoint)
{
    for (struct list_link *last; (last = list_last(&branch->marks));) {
        struct branch_mark *mark = container_of(last, struct branch_mark, link);
        struct list_link *before = mark->link.prev;
        uint64_t older = before == &branch->marks.head
                             ? branch->savepoint_opened
                             : container_of(before, struct branch_mark, link)->newest;
        if (mark->newest < savepoint)
            break;
        if (older + 1 < savepoint) {
            mark->newest = savepoint - 1;
            break;
        }
        mark_free(branch, mark);
    }
    if (branch->savepoint_seen >= savepoint)
        branch->savepoint_seen =
            savepoint > branch->savepoint_opened ? savepoint - 1 : branch->savepoint_opened;
}

void branch_rollback(struct branch *branch, uint64_t savepoint, bool all)
{
    struct engine_core *core = branch->core;
    if (all) {
        rollback_all(branch);
        return;
    }
    /* Marks follow each other without a gap, so the first whose newest savepoint is not older holds the state this
     * one had. A savepoint from before the branch was opened leaves nothing of it. */
    struct branch_mark *mark = NULL;
    uint64_t locks = 0;
    if (savepoint > branch->savepoint_opened) {
        mark = first_mark(branch, savepoint);
        if (!mark)
            return; /* nothing was done here since */
        locks = mark->lock_mark;
    }
    list_each (&branch->writers, at) {
        struct branch_writer *writer = container_of(at, struct branch_writer, link);
        undo_writer(branch, writer, mark ? effects_at(mark, writer) : 0, false);
    }
    /* In SERIALIZABLE what was read stays locked: the client has seen it, savepoint or not. */
    if (branch->terms.isolation != SERIALIZABLE)
        lock_release_since(core->locks, &branch->owner, locks);
    forget_marks(branch, savepoint);
}

/* ---- what ended branches leave behind ---- */

uint64_t branch_floor(const struct engine_core *core, uint64_t visible, uint64_t none)
{
    uint64_t floor = none;
    list_each (&core->branches, at) {
        struct branch *branch = container_of(at, struct branch, of_core);
        list_each (&branch->writers, of) {
            struct branch_writer *writer = container_of(of, struct branch_writer, link);
            floor = writer->floor < floor ? writer->floor : floor;
        }
        list_each (&branch->larges, of) {
            const struct branch_large *large = container_of(of, struct branch_large, link);
            floor = large->floor < floor ? large->floor : floor;
        }
    }
    list_each (&core->settling, at) {
        struct branch_writer *writer = container_of(at, struct branch_writer, link);
        if (writer->writer.scn > visible && writer->floor < floor)
            floor = writer->floor;
    }
    return floor;
}

void branch_forget_shard(struct branch *branch, const struct shard *shard)
{
    struct branch_writer *writer = writer_at(branch, shard);
    if (!writer)
        return;
    check(writer->writer.versions == 0);
    writer_covered(writer);
    writer->shard = NULL;
}

bool branch_writes_at(const struct engine_core *core, const struct shard *shard)
{
    list_each (&core->branches, at) {
        const struct branch_writer *writer = writer_at(container_of(at, struct branch, of_core), shard);
        if (writer && writer->writer.versions)
            return true;
    }
    return false;
}

void branch_sweep(struct engine_core *core)
{
    uint64_t visible = txn_visible(core->txn);
    list_each_safe (&core->settling, at) {
        struct branch_writer *writer = container_of(at, struct branch_writer, link);
        if (writer->writer.versions || writer->writer.scn > visible)
            continue;
        list_remove(at);
        slab_free(core->pool, writer, sizeof *writer);
    }
}
