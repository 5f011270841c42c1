/* Transactions on their coordinator's core: begin, calls to branches, commit, rollback. engine/README.md, section 2.
 *
 *     open --commit--> placed (SCN known) --> stamped on all cores --> visible --> over
 *       \--rollback, failure before the placing, scope's end--> branches undone --> over
 *
 * The transaction's memory is under the core's scope, not the caller's: when the caller's scope ends while it is open, a fiber
 * rolls it back later. */
#include "base/check.h"
#include "base/scope.h"
#include "engine/inside.h"
#include "engine/record.h"

#include <stdio.h>

/* ---- beginning ---- */

static void transaction_free(struct transaction *transaction)
{
    struct engine_core *core = transaction->core;
    check(!transaction->over);
    transaction->over = true;
    snapshot_drop(core->txn, &transaction->snapshot);
    snapshot_drop(core->txn, &transaction->ahead);
    core->active--;
}

static void run_orphan(void *argument)
{
    struct transaction *transaction = argument;
    if (!transaction->over)
        transaction_rollback(transaction);
    scope_close(transaction->scope);
}

/* The caller's scope ends: whatever is still open is rolled back in a fiber of its own, for that takes mail. */
static void orphan(void *argument)
{
    struct transaction *transaction = argument;
    struct engine_core *core = transaction->core;
    struct error error;
    transaction->undo = NULL;
    if (!transaction->over && !fiber_start(core->world->scheduler, transaction->scope, "rollback", run_orphan,
                                           transaction, NULL, &error))
        return;
    check(transaction->over || core->closing, "no fiber can be had to roll a transaction back");
    scope_close(transaction->scope);
}

enum sqlstate transaction_begin(struct world *world, struct engine *engine, struct scope *scope,
                                const struct transaction_options *options, struct transaction **transaction,
                                struct error *error)
{
    struct engine_core *core = engine_core_of(engine, world);
    if (!core || core->closing || !engine_serving(engine))
        return error_set(error, SQLSTATE_CANNOT_CONNECT_NOW,
                         "the database system is not accepting transactions");
    struct scope *own = scope_open(core->scope, "transaction");
    /* Of as many cores as there are: a transaction is small, and thousands may be open. */
    struct transaction *made = scope_alloc_zeroed(own, sizeof *made);
    made->branch = scope_alloc_zeroed(own, world->cores * sizeof made->branch[0]);
    made->ticket = scope_alloc_zeroed(own, world->cores * sizeof made->ticket[0]);
    made->effects = scope_alloc_zeroed(own, world->cores * sizeof made->effects[0]);
    made->core = core;
    made->scope = own;
    made->options = *options;
    made->terms = (struct branch_terms){.transaction = txn_new_id(core->txn),
                                        .isolation = options->isolation,
                                        .read_only = options->read_only,
                                        .lock_timeout_ns = options->lock_timeout_ns,
                                        .started_ns = world->now_ns};
    made->undo = scope_undo(scope, orphan, made);
    core->active++;
    *transaction = made;
    transaction_statement(made);
    return SQLSTATE_OK;
}

void transaction_statement(struct transaction *transaction)
{
    struct txn_core *txn = transaction->core->txn;
    transaction->terms.statement++;
    bool held = transaction->terms.snapshot != 0;
    if (transaction->options.isolation == SERIALIZABLE ||
        (held && transaction->options.isolation == REPEATABLE_READ))
        return;
    snapshot_drop(txn, &transaction->snapshot);
    uint64_t at_least = transaction->options.after_scn;
    if (at_least < transaction->caught_up)
        at_least = transaction->caught_up;
    snapshot_take(txn, &transaction->snapshot, transaction->terms.transaction, at_least);
    transaction->terms.snapshot = transaction->snapshot.scn;
}

enum sqlstate transaction_catch_up(struct transaction *transaction, struct error *error)
{
    uint64_t scn = transaction->after_scn;
    if (transaction->options.isolation != READ_COMMITTED || scn <= transaction->caught_up)
        return SQLSTATE_OK;
    enum sqlstate failed = txn_wait_visible(transaction->core->txn, scn, true, error);
    if (!failed)
        transaction->caught_up = scn;
    return failed;
}

enum sqlstate transaction_look_ahead(struct transaction *transaction, struct error *error)
{
    struct txn_core *txn = transaction->core->txn;
    if (transaction->options.isolation != REPEATABLE_READ)
        return SQLSTATE_OK;
    enum sqlstate failed = SQLSTATE_OK;
    if (transaction->after_scn > transaction->caught_up)
        failed = txn_wait_visible(txn, transaction->after_scn, true, error);
    if (failed)
        return failed;
    if (transaction->after_scn > transaction->caught_up)
        transaction->caught_up = transaction->after_scn;
    snapshot_drop(txn, &transaction->ahead);
    snapshot_take(txn, &transaction->ahead, transaction->terms.transaction, transaction->caught_up);
    transaction->terms.statement++;
    transaction->terms.snapshot = transaction->ahead.scn;
    return SQLSTATE_OK;
}

void transaction_look_back(struct transaction *transaction)
{
    if (transaction->options.isolation != REPEATABLE_READ)
        return;
    snapshot_drop(transaction->core->txn, &transaction->ahead);
    transaction->terms.statement++;
    transaction->terms.snapshot = transaction->snapshot.scn;
}

void transaction_commit_waits(struct transaction *transaction)
{
    transaction->options.commit_async = false;
}

uint64_t transaction_id(const struct transaction *transaction)
{
    return transaction->terms.transaction;
}

uint64_t transaction_scn(const struct transaction *transaction)
{
    return transaction->scn;
}

uint64_t transaction_savepoint(struct transaction *transaction)
{
    return ++transaction->terms.savepoint;
}

/* ---- calls ---- */

void transaction_note(struct transaction *transaction, uint32_t core, const struct branch_terms *terms)
{
    if (terms->ticket.batch > transaction->ticket[core].batch)
        transaction->ticket[core] = terms->ticket;
    if (terms->effects > transaction->effects[core])
        transaction->effects[core] = terms->effects;
    transaction->wrote |= terms->wrote;
    if (terms->after_scn > transaction->after_scn)
        transaction->after_scn = terms->after_scn;
}

static enum sqlstate call(struct transaction *transaction, uint32_t to, struct fragment *fragment,
                          bool cancelable, struct error *error)
{
    struct engine_core *core = transaction->core;
    struct branch_terms terms = transaction->terms;
    fragment->branch = &transaction->branch[to];
    fragment->terms = &terms;
    fragment->error = error;
    enum sqlstate failed;
    if (to == core->world->core)
        failed = fragment_do(core, fragment, error);
    else {
        fragment_send(core, to, fragment);
        failed = fragment_wait(core, to, fragment, cancelable);
    }
    if (!fragment->all)
        transaction_note(transaction, to, &terms);
    return failed;
}

enum sqlstate transaction_run_on(struct transaction *transaction, uint32_t core,
                                 enum sqlstate (*run)(struct branch *branch, struct scope *scope,
                                                      void *argument, struct error *error),
                                 void *argument, struct error *error)
{
    check(!transaction->over, "a transaction is used after its end");
    struct fragment fragment = {.kind = FRAGMENT_RUN, .run = run, .argument = argument};
    return call(transaction, core, &fragment, true, error);
}

enum sqlstate transaction_run(struct transaction *transaction, uint64_t table, struct bytes key,
                              enum sqlstate (*run)(struct branch *branch, struct scope *scope, void *argument,
                                                   struct error *error),
                              void *argument, struct error *error)
{
    /* A shard may be replaced again and again, but each time only after it was in use for a while. */
    for (;;) {
        const struct shard_place *place = directory_find(transaction, table, key);
        if (!place)
            return no_such_table(table, error);
        enum sqlstate failed = transaction_run_on(transaction, volume_core(transaction->core, place->volume),
                                                  run, argument, error);
        if (failed != (enum sqlstate)SQLSTATE_SHARD_MOVED)
            return failed;
        fiber_yield(transaction->core->world->scheduler);
    }
}

/* ---- objects ---- */

struct object_call {
    const struct lock_object *object;
    enum lock_mode mode;
    enum lock_policy policy;
    enum lock_outcome outcome;
};

static enum sqlstate run_object(struct branch *branch, struct scope *scope, void *argument,
                                struct error *error)
{
    struct object_call *object = argument;
    (void)scope;
    return branch_lock_object(branch, object->object, object->mode, object->policy, &object->outcome, error);
}

/* Modes that do not conflict among themselves are taken on the coordinator's core alone; those that conflict with them are
 * taken on every core, in order, so that they meet all of them. */
enum sqlstate transaction_lock_object(struct transaction *transaction, const struct lock_object *object,
                                      enum lock_mode mode, enum lock_policy policy,
                                      enum lock_outcome *outcome, struct error *error)
{
    struct engine_core *core = transaction->core;
    struct object_call argument = {.object = object, .mode = mode, .policy = policy};
    bool weak = mode <= LOCK_ROW_EXCLUSIVE;
    uint32_t first = weak ? core->world->core : 0, last = weak ? core->world->core : core->world->cores - 1;
    *outcome = LOCK_GRANTED;
    for (uint32_t at = first; at <= last; at++) {
        enum sqlstate failed = transaction_run_on(transaction, at, run_object, &argument, error);
        if (failed)
            return failed;
        if (argument.outcome != LOCK_GRANTED)
            *outcome = argument.outcome;
        if (argument.outcome == LOCK_SKIPPED)
            return SQLSTATE_OK; /* what was taken on other cores goes with the transaction */
    }
    return SQLSTATE_OK;
}

/* ---- rolling back ---- */

static void rollback_branches(struct transaction *transaction, uint64_t savepoint, bool all)
{
    struct engine_core *core = transaction->core;
    for (uint32_t at = 0; at < core->world->cores; at++) {
        struct error error;
        struct fragment fragment = {.kind = FRAGMENT_ROLLBACK, .savepoint = savepoint, .all = all};
        if (transaction->branch[at])
            (void)!call(transaction, at, &fragment, false, &error);
    }
}

enum sqlstate transaction_rollback_to(struct transaction *transaction, uint64_t savepoint,
                                      struct error *error)
{
    (void)error;
    check(!transaction->over && savepoint && savepoint <= transaction->terms.savepoint);
    fiber_shield_begin(transaction->core->world->scheduler);
    rollback_branches(transaction, savepoint, false);
    directory_rollback(transaction, savepoint, false);
    fiber_shield_end(transaction->core->world->scheduler);
    return SQLSTATE_OK;
}

static void append_abort(struct transaction *transaction)
{
    struct log_record record = {.topic = TOPIC_LIFECYCLE,
                                .epoch = 1,
                                .kind = RECORD_ABORT,
                                .transaction = transaction->terms.transaction};
    log_port_append(transaction->core->port, &record, NULL, 0);
}

void transaction_rollback(struct transaction *transaction)
{
    struct engine_core *core = transaction->core;
    fiber_shield_begin(core->world->scheduler);
    rollback_branches(transaction, 0, true);
    directory_rollback(transaction, 0, true);
    if (transaction->wrote)
        append_abort(transaction);
    core->rollbacks++;
    transaction_free(transaction);
    fiber_shield_end(core->world->scheduler);
}

/* ---- committing ---- */

struct placing {
    struct fiber_queue done;
    bool placed;
    uint64_t position;
    struct record_commit commit;
};

static void commit_placed(void *argument, uint64_t position, struct bytes payload)
{
    struct placing *placing = argument;
    placing->placed = true;
    placing->position = position;
    if (position != LOG_NOWHERE) {
        bool right = record_commit_read(payload, &placing->commit);
        check(right, "the log gave back another commit than it was given");
    }
    fiber_wake_all(&placing->done);
}

/* Appends the COMMIT behind all effects and waits until it has its place and SCN. */
static enum sqlstate place_commit(struct transaction *transaction, struct placing *placing,
                                  struct error *error)
{
    struct engine_core *core = transaction->core;
    struct record_commit commit = {.wall_us = world_wall(core->world)};
    struct log_ticket after[CORES_MAX];
    size_t count = 0;
    for (uint32_t at = 0; at < core->world->cores; at++) {
        commit.effects += transaction->effects[at];
        if (transaction->ticket[at].batch && at != core->world->core)
            after[count++] = transaction->ticket[at];
    }
    uint8_t payload[RECORD_COMMIT_BYTES_MAX];
    size_t bytes = record_commit_write(payload, sizeof payload, &commit);
    struct log_record record = {.topic = TOPIC_LIFECYCLE,
                                .epoch = 1,
                                .kind = RECORD_COMMIT,
                                .transaction = transaction->terms.transaction,
                                .payload = bytes_of(payload, bytes)};
    struct log_notice notice = {.placed = commit_placed,
                                .argument = placing,
                                .lazy = transaction->options.commit_async && !transaction->changes};
    *placing = (struct placing){0};
    fiber_queue_init(&placing->done);
    log_port_append_noticed(core->port, &record, after, count, &notice);
    while (!placing->placed)
        (void)!fiber_wait(core->world->scheduler, &placing->done, FIBER_NO_DEADLINE);
    if (placing->position == LOG_NOWHERE)
        return error_set(error, SQLSTATE_IO_ERROR, "the log has failed; the transaction is rolled back");
    return SQLSTATE_OK;
}

/* Does the same to the branches of all cores, at the same time on those that are not this one. */
static void end_branches(struct transaction *transaction, enum fragment_kind kind, uint64_t scn)
{
    struct engine_core *core = transaction->core;
    struct scope *scope = NULL;
    struct fragment *fragments = NULL;
    uint32_t *to = NULL, count = 0;
    struct error error;
    for (uint32_t at = 0; at < core->world->cores; at++) {
        if (!transaction->branch[at] || at == core->world->core)
            continue;
        if (!scope) {
            scope = scope_open(transaction->scope, "end");
            fragments = scope_alloc(scope, core->world->cores * sizeof *fragments);
            to = scope_alloc(scope, core->world->cores * sizeof *to);
        }
        fragments[count] =
            (struct fragment){.kind = kind, .branch = &transaction->branch[at], .scn = scn, .error = &error};
        fragment_send(core, at, &fragments[count]);
        to[count++] = at;
    }
    struct fragment own = {.kind = kind, .branch = &transaction->branch[core->world->core], .scn = scn};
    if (*own.branch)
        (void)!fragment_do(core, &own, &error);
    /* Whom to wait for is known from the sending: a branch that is gone has already been forgotten. */
    for (uint32_t i = 0; i < count; i++)
        (void)!fragment_wait(core, to[i], &fragments[i], false);
    if (scope)
        scope_close(scope);
}

/* Nothing was written: the branches only release. But what was read under locks must be visible to all before anybody hears
 * of it. */
static enum sqlstate commit_read_only(struct transaction *transaction, struct error *error)
{
    struct engine_core *core = transaction->core;
    end_branches(transaction, FRAGMENT_STAMP, SCN_NONE);
    enum sqlstate failed =
        txn_wait_visible(core->txn, transaction->after_scn, transaction->options.commit_async, error);
    end_branches(transaction, FRAGMENT_RELEASE, SCN_NONE);
    transaction_free(transaction);
    return failed;
}

static enum sqlstate commit_written(struct transaction *transaction, struct error *error)
{
    struct engine_core *core = transaction->core;
    struct placing placing;
    enum sqlstate failed = place_commit(transaction, &placing, error);
    if (failed) {
        transaction_rollback(transaction);
        return failed;
    }
    uint64_t scn = transaction->scn = placing.commit.scn;
    if (transaction->changes)
        directory_publish(transaction);
    end_branches(transaction, FRAGMENT_STAMP, scn);
    if (transaction->changes)
        directory_close_shards(transaction);
    sequencer_stamped(core->txn, scn);
    /* Dropped shards go when the commit is stable, and the transaction is what knows them. */
    bool async = transaction->options.commit_async && !transaction->changes;
    /* What is visible is stable, too. */
    failed = txn_wait_visible(core->txn, scn, async, error);
    if (!failed && transaction->changes)
        directory_drop_shards(transaction);
    end_branches(transaction, FRAGMENT_RELEASE, scn);
    core->commits++;
    transaction_free(transaction);
    if (!failed)
        return SQLSTATE_OK;
    char why[256];
    snprintf(why, sizeof why, "%s", error_text(error, ERROR_MESSAGE));
    failed = error_set(error, SQLSTATE_STATEMENT_COMPLETION_UNKNOWN,
                       "it is unknown whether the transaction was committed");
    error_add(error, ERROR_DETAIL, "%s", why);
    return failed;
}

enum sqlstate transaction_commit(struct transaction *transaction, struct error *error)
{
    struct scheduler *scheduler = transaction->core->world->scheduler;
    check(!transaction->over, "a transaction is committed after its end");
    fiber_shield_begin(scheduler);
    enum sqlstate failed =
        transaction->wrote ? commit_written(transaction, error) : commit_read_only(transaction, error);
    fiber_shield_end(scheduler);
    return failed;
}
