/* Locks are the engine's, by transaction; sessions say which transactions are theirs. Each core is asked for both, one after
 * the other, so what is shown together may be some microseconds apart.
 *
 * Rows of pg_locks, in PostgreSQL's terms:
 *
 *     lock                      locktype       mode
 *     a transaction             virtualxid     ExclusiveLock, of each that is open
 *                               transactionid  ExclusiveLock, of each that has locked something
 *     a relation                relation       as LOCK TABLE names them
 *     an advisory key           advisory       ShareLock, ExclusiveLock
 *     a row, of table or index  tuple          KEY SHARE .. UPDATE as AccessShareLock, RowShareLock, ExclusiveLock,
 *                                              AccessExclusiveLock; page and tuple tell keys apart, and are no place
 *     a range of keys           page           SIReadLock, of serializable transactions
 *
 * Who waits for a row waits for the row, not for its holder's transaction. */
#include "sqlfront/locks.h"

#include "sqlfront/functions.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 16

/* A session's transaction: its own, or one that holds an advisory lock beyond it. */
struct transaction_sight {
    uint64_t transaction;
    uint32_t process;
    bool own; /* not of an advisory lock */
};

struct transaction_mail {
    struct mail mail;
    struct sessions_shared *shared;
    struct transaction_sight *sight;
    uint32_t room, count;
    bool reading; /* only those of which a portal is open */
};

/* What one core said. */
struct core_sights {
    struct lock_sight *locks;
    size_t count;
    struct transaction_sight *transaction;
    uint32_t transactions;
};

struct lock_sights {
    struct core_sights core[CORES_MAX];
    uint32_t cores;
    struct map processes; /* transaction to struct transaction_sight */
    struct map assigned;  /* transactions that have locked something */
    /* where pg_lock_status() is */
    uint32_t at_core;
    size_t at;
    uint32_t at_row;
};

static struct session *session_of(const struct call *call)
{
    return call->environment->session;
}

/* ---- looking ---- */

static void note_transaction(struct transaction_mail *asked, const struct transaction *transaction,
                             uint32_t process, bool own)
{
    if (asked->count++ < asked->room)
        asked->sight[asked->count - 1] = (struct transaction_sight){
            .transaction = transaction_id(transaction), .process = process, .own = own};
}

static bool reads(const struct session *session)
{
    list_each (&session->portals_made, at)
        if (container_of(at, struct portal, link)->running)
            return true;
    return false;
}

static void transactions_deliver(struct world *here, struct mail *mail)
{
    struct transaction_mail *asked = container_of(mail, struct transaction_mail, mail);
    const struct sessions *sessions = asked->shared->core[here->core];
    asked->count = 0;
    if (sessions)
        list_each (&sessions->all, at) {
            const struct session *session = container_of(at, struct session, link);
            if (session->transaction && (!asked->reading || reads(session)))
                note_transaction(asked, session->transaction, session->process, true);
            if (asked->reading)
                continue;
            list_each (&session->advisory_locks, link) {
                const struct advisory *held = container_of(link, struct advisory, link);
                if (!held->of_transaction)
                    note_transaction(asked, held->transaction, session->process, false);
            }
        }
    mail_return(here, mail);
}

static enum sqlstate look_transactions(struct session *session, struct scope *scope, uint32_t core,
                                       bool reading, struct core_sights *sights, struct error *error)
{
    uint32_t room = 64;
    for (;;) {
        struct transaction_mail *asked = scope_alloc_zeroed(scope, sizeof *asked);
        void *memory;
        enum sqlstate failed = scope_alloc_large(scope, room * sizeof *asked->sight, 16, &memory, error);
        if (failed)
            return failed;
        *asked = (struct transaction_mail){.mail = {.deliver = transactions_deliver},
                                           .shared = session->sessions->shared,
                                           .sight = memory,
                                           .room = room,
                                           .reading = reading};
        failed = mail_call(session->world, scope, core, &asked->mail, error);
        sights->transaction = asked->sight;
        sights->transactions = asked->count < room ? asked->count : room;
        if (failed || asked->count <= room)
            return failed;
        room = asked->count + 64;
    }
}

enum sqlstate transactions_reading(struct session *session, struct scope *scope,
                                   struct transaction_list *list, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    *list = (struct transaction_list){0};
    for (uint32_t i = 0; i < session->world->cores && !failed; i++) {
        struct core_sights core = {0};
        void *memory = NULL;
        failed = look_transactions(session, scope, i, true, &core, error);
        if (!failed)
            failed = scope_alloc_large(scope, (list->count + core.transactions + 1) * sizeof(uint64_t), 16,
                                       &memory, error);
        if (failed)
            return failed;
        if (list->count)
            memcpy(memory, list->transaction, list->count * sizeof(uint64_t));
        list->transaction = memory;
        for (uint32_t t = 0; t < core.transactions; t++)
            list->transaction[list->count++] = core.transaction[t].transaction;
    }
    return SQLSTATE_OK;
}

static enum sqlstate look_locks(struct session *session, struct scope *scope, uint32_t core, bool waiting,
                                struct core_sights *sights, struct error *error)
{
    struct engine *engine = session->sessions->options.engine;
    size_t room = 256, count;
    for (;;) {
        void *memory;
        enum sqlstate failed = scope_alloc_large(scope, room * sizeof *sights->locks, 16, &memory, error);
        if (!failed)
            failed = engine_locks(session->world, engine, core, waiting, memory, room, &count, error);
        if (failed)
            return failed;
        sights->locks = memory;
        sights->count = count < room ? count : room;
        if (count <= room || room == LOCKS_SHOWN_MAX)
            return SQLSTATE_OK;
        room = count + 256 < LOCKS_SHOWN_MAX ? count + 256 : LOCKS_SHOWN_MAX;
    }
}

enum sqlstate locks_look(struct session *session, struct scope *scope, bool waiting,
                         struct lock_sights **sights, struct error *error)
{
    struct lock_sights *made = *sights = scope_alloc_zeroed(scope, sizeof *made);
    enum sqlstate failed = SQLSTATE_OK;
    made->cores = session->world->cores;
    map_init(&made->processes, MAP_OF_NUMBERS, scope, session->sessions->seed);
    map_init(&made->assigned, MAP_OF_NUMBERS, scope, session->sessions->seed);
    for (uint32_t i = 0; i < made->cores && !failed; i++) {
        struct core_sights *core = &made->core[i];
        failed = look_locks(session, scope, i, waiting, core, error);
        if (!failed)
            failed = look_transactions(session, scope, i, false, core, error);
        for (uint32_t t = 0; t < core->transactions && !failed; t++)
            failed = map_put_number(&made->processes, core->transaction[t].transaction, &core->transaction[t],
                                    NULL, error);
        for (size_t l = 0; l < core->count && !failed; l++)
            if (core->locks[l].granted)
                failed = map_put_number(&made->assigned, core->locks[l].transaction, made, NULL, error);
    }
    return failed;
}

/* ---- what they are called ---- */

static const char *lock_kind(const struct lock_sight *lock)
{
    return lock->table == 0 ? lock->object.class == LOCK_CLASS_RELATION   ? "relation"
                              : lock->object.class == LOCK_CLASS_ADVISORY ? "advisory"
                                                                          : "object"
           : lock->range    ? "page"
                            : "tuple";
}

static const char *lock_mode_name(const struct lock_sight *lock)
{
    static const char *const modes[] = {
        [LOCK_ACCESS_SHARE] = "AccessShareLock",   [LOCK_ROW_SHARE] = "RowShareLock",
        [LOCK_ROW_EXCLUSIVE] = "RowExclusiveLock", [LOCK_SHARE_UPDATE_EXCLUSIVE] = "ShareUpdateExclusiveLock",
        [LOCK_OBJECT_SHARE] = "ShareLock",         [LOCK_SHARE_ROW_EXCLUSIVE] = "ShareRowExclusiveLock",
        [LOCK_EXCLUSIVE] = "ExclusiveLock",        [LOCK_ACCESS_EXCLUSIVE] = "AccessExclusiveLock"};
    static const char *const strengths[] = {[LOCK_KEY_SHARE] = "AccessShareLock",
                                            [LOCK_SHARE] = "RowShareLock",
                                            [LOCK_NO_KEY_UPDATE] = "ExclusiveLock",
                                            [LOCK_UPDATE] = "AccessExclusiveLock"};
    return lock->range ? "SIReadLock" : lock->table ? strengths[lock->mode] : modes[lock->mode];
}

const char *lock_waited_for(const struct lock_sights *sights, uint32_t process)
{
    for (uint32_t i = 0; i < sights->cores; i++)
        for (size_t l = 0; l < sights->core[i].count; l++) {
            const struct lock_sight *lock = &sights->core[i].locks[l];
            const struct transaction_sight *owner = map_find_number(&sights->processes, lock->transaction);
            if (!lock->granted && owner && owner->process == process)
                return lock_kind(lock);
        }
    return NULL;
}

/* Strong modes of an object are asked for on every core: one of these locks is shown, that which is waited for if any is. */
static bool is_shown_elsewhere(const struct lock_sights *sights, uint32_t core, const struct lock_sight *lock)
{
    for (uint32_t i = 0; i < sights->cores && !lock->table; i++)
        for (size_t l = 0; l < sights->core[i].count && i != core; l++) {
            const struct lock_sight *other = &sights->core[i].locks[l];
            if (other->transaction == lock->transaction && other->mode == lock->mode && !other->table &&
                other->object.class == lock->object.class && other->object.high == lock->object.high &&
                other->object.low == lock->object.low &&
                (other->granted == lock->granted ? i < core : !other->granted))
                return true;
        }
    return false;
}

/* ---- pg_locks ---- */

enum sqlstate locks_open(struct call *call, const struct value *arguments)
{
    (void)arguments;
    return locks_look(session_of(call), call->scope_lasting, false, (struct lock_sights **)&call->memory,
                      call->error);
}

/* The columns that all rows have. */
static void begin_row(struct call *call, struct value *results, const char *kind, const char *mode,
                      uint32_t process, uint64_t transaction, bool granted)
{
    char *virtual = scope_alloc(call->scope, 32);
    for (uint32_t i = 0; i < COLUMNS; i++)
        results[i] = value_null();
    snprintf(virtual, 32, "%u/%u", process, (uint32_t)transaction);
    results[0] = value_text(kind);
    results[10] = value_text(virtual);
    results[11] = value_integer(process);
    results[12] = value_text(mode);
    results[13] = value_boolean(granted);
    results[14] = value_boolean(false);
}

static enum sqlstate lock_row_show(struct call *call, const struct lock_sight *lock, uint32_t process,
                                   struct value *results)
{
    begin_row(call, results, lock_kind(lock), lock_mode_name(lock), process, lock->transaction,
              lock->granted);
    if (!lock->granted)
        results[15] = value_integer(world_wall(call->environment->world) - US_FROM_1970_TO_2000 -
                                    (int64_t)(lock->waits_ns / 1000));
    if (lock->table) {
        uint32_t relation;
        enum sqlstate failed =
            catalog_relation_of_store(call->environment->catalog, lock->table, &relation, call->error);
        if (failed)
            return failed;
        results[1] = value_integer((int64_t)(lock->table >> 32));
        results[2] = value_integer(relation ? relation : (uint32_t)lock->table);
        results[3] = value_integer(lock->key_check >> 15);
        if (!lock->range)
            results[4] = value_integer(lock->key_check & 0x7fff);
        return SQLSTATE_OK;
    }
    results[1] = value_integer((uint32_t)lock->object.high);
    if (lock->object.class == LOCK_CLASS_RELATION) {
        results[2] = value_integer((uint32_t)lock->object.low);
        return SQLSTATE_OK;
    }
    results[7] = value_integer((uint32_t)(lock->object.low >> 32));
    results[8] = value_integer((uint32_t)lock->object.low);
    results[9] = value_integer((int64_t)(lock->object.high >> 32));
    return SQLSTATE_OK;
}

/* One of the two rows of a transaction itself; false when it has no such. */
static bool transaction_show(struct call *call, struct lock_sights *sights,
                             const struct transaction_sight *transaction, bool is_virtual,
                             struct value *results)
{
    if (!is_virtual && !map_find_number(&sights->assigned, transaction->transaction))
        return false;
    begin_row(call, results, is_virtual ? "virtualxid" : "transactionid", "ExclusiveLock",
              transaction->process, transaction->transaction, true);
    if (is_virtual)
        results[5] = results[10];
    else
        results[6] = value_integer((uint32_t)transaction->transaction);
    return true;
}

enum sqlstate locks_next(struct call *call, struct value *results, bool *end)
{
    struct lock_sights *sights = call->memory;
    *end = false;
    for (; sights->at_core < sights->cores; sights->at_core++, sights->at = 0) {
        const struct core_sights *core = &sights->core[sights->at_core];
        while (sights->at < core->count) {
            const struct lock_sight *lock = &core->locks[sights->at++];
            const struct transaction_sight *owner = map_find_number(&sights->processes, lock->transaction);
            if (owner && !is_shown_elsewhere(sights, sights->at_core, lock))
                return lock_row_show(call, lock, owner->process, results);
        }
        while (sights->at < core->count + 2 * (size_t)core->transactions) {
            size_t at = sights->at++ - core->count;
            const struct transaction_sight *transaction = &core->transaction[at / 2];
            if (transaction->own && transaction_show(call, sights, transaction, at % 2 == 0, results))
                return SQLSTATE_OK;
        }
    }
    *end = true;
    return SQLSTATE_OK;
}

/* ---- who is in whose way ---- */

static enum sqlstate look_waits(struct session *session, struct scope *scope, uint32_t core,
                                struct lock_edge **edges, size_t *count, struct error *error)
{
    struct engine *engine = session->sessions->options.engine;
    for (size_t room = 64;;) {
        void *memory;
        enum sqlstate failed = scope_alloc_large(scope, room * sizeof **edges, 16, &memory, error);
        if (!failed)
            failed = engine_waits(session->world, engine, core, memory, room, count, error);
        *edges = memory;
        if (failed || *count <= room)
            return failed;
        room = *count + 64;
    }
}

enum sqlstate blocking_pids(struct call *call, const struct value *arguments, struct value *result)
{
    struct session *session = session_of(call);
    const struct type *type = type_builtin(TYPE_ARRAY_OF_INT4);
    struct scope *work = scope_open(call->scope, "blockers");
    struct lock_sights *sights;
    struct text text = text_in(work);
    const char *whole, *between = "{";
    enum sqlstate failed = locks_look(session, work, true, &sights, call->error);
    for (uint32_t core = 0; core < session->world->cores && !failed; core++) {
        struct lock_edge *edges;
        size_t count;
        failed = look_waits(session, work, core, &edges, &count, call->error);
        for (size_t i = 0; i < count && !failed; i++) {
            const struct transaction_sight *waiter = map_find_number(&sights->processes, edges[i].waiter);
            const struct transaction_sight *blocker = map_find_number(&sights->processes, edges[i].blocker);
            if (!waiter || !blocker || waiter->process != (uint32_t)arguments[0].i)
                continue;
            text_format(&text, "%s%u", between, blocker->process);
            between = ",";
        }
    }
    if (!failed)
        text_append(&text, *between == '{' ? "{}" : "}");
    if (!failed)
        failed = text_end(&text, &whole, call->error);
    if (!failed)
        failed = type->ops->in(call->environment, call->scope, type, -1, bytes_of_text(whole), result,
                               call->error);
    fiber_close_scope(session->world->scheduler, work);
    return failed;
}
