/* Advisory locks (PostgreSQL manual, 13.3.5 and 9.27.10).
 *
 * Those of the transaction are object locks of the session's transaction. Those of the session outlive it, so each is held by
 * a transaction of its own that does nothing else and is rolled back when the lock is given back. A session never waits for
 * itself: what it holds in one way it is given in the other. (A lock that it holds in its transaction only, and then asks for
 * as the session's, is taken for the session when the transaction is over.) Deadlocks through the session's locks are not found by the
 * detector, which sees several owners; lock_timeout and cancellation end them. */
#include "sqlfront/functions.h"
#include "sqlfront/inside.h"

#include <string.h>

/* engine/lock.h leaves classes to us. */
#define LOCK_CLASS_ADVISORY 2

enum advisory_how { ADVISORY_WAIT, ADVISORY_TRY };

static struct session *session_of(const struct call *call)
{
    return call->environment->session;
}

/* PostgreSQL tells keys of one 64-bit number from those of two 32-bit numbers. */
static struct lock_object object_of(struct session *session, const struct call *call,
                                    const struct value *arguments)
{
    struct lock_object object = {.class = LOCK_CLASS_ADVISORY, .high = session->identity.database};
    if (call->arguments == 2) {
        object.high |= 2UL << 32;
        object.low = (uint64_t)(uint32_t)arguments[0].i << 32 | (uint32_t)arguments[1].i;
    } else {
        object.high |= 1UL << 32;
        object.low = (uint64_t)arguments[0].i;
    }
    return object;
}

static struct advisory *advisory_find(struct session *session, const struct lock_object *object, bool shared,
                                      bool of_transaction)
{
    list_each (&session->advisory_locks, at) {
        struct advisory *held = container_of(at, struct advisory, link);
        if (held->object.high == object->high && held->object.low == object->low && held->shared == shared &&
            held->of_transaction == of_transaction)
            return held;
    }
    return NULL;
}

/* Whether what the session holds, in whatever way, makes asking the engine needless. */
static bool advisory_covers(struct session *session, const struct lock_object *object, bool shared)
{
    return advisory_find(session, object, false, false) || advisory_find(session, object, false, true) ||
           (shared &&
            (advisory_find(session, object, true, false) || advisory_find(session, object, true, true)));
}

static struct advisory *advisory_note(struct session *session, struct scope *scope,
                                      const struct lock_object *object, bool shared, bool of_transaction)
{
    struct advisory *held = scope_alloc(scope, sizeof *held);
    *held = (struct advisory){
        .scope = scope, .object = *object, .shared = shared, .of_transaction = of_transaction, .count = 1};
    list_append(&session->advisory_locks, &held->link);
    return held;
}

static enum sqlstate object_lock(struct transaction *transaction, const struct lock_object *object,
                                 bool shared, enum advisory_how how, bool *granted, struct error *error)
{
    enum lock_outcome outcome = LOCK_GRANTED;
    enum sqlstate failed =
        transaction_lock_object(transaction, object, shared ? LOCK_OBJECT_SHARE : LOCK_EXCLUSIVE,
                                how == ADVISORY_TRY ? LOCK_SKIP : LOCK_WAIT, &outcome, error);
    *granted = !failed && outcome != LOCK_SKIPPED;
    return failed;
}

static enum sqlstate session_lock(struct session *session, const struct lock_object *object, bool shared,
                                  enum advisory_how how, bool *granted, struct error *error)
{
    struct advisory *held = advisory_find(session, object, shared, false);
    if (held) {
        held->count++;
        *granted = true;
        return SQLSTATE_OK;
    }
    struct scope *scope = scope_open(session->scope, "advisory lock");
    struct transaction *transaction;
    const char *timeout = settings_get(&session->settings, "lock_timeout");
    struct transaction_options options = {.isolation = READ_COMMITTED, .read_only = true};
    for (; *timeout >= '0' && *timeout <= '9'; timeout++)
        options.lock_timeout_ns = options.lock_timeout_ns * 10 + (uint64_t)(*timeout - '0') * NS_PER_MS;
    bool covered = advisory_covers(session, object, shared);
    enum sqlstate failed = transaction_begin(session->world, session->sessions->options.engine, scope,
                                             &options, &transaction, error);
    *granted = covered;
    if (!failed && !covered)
        failed = object_lock(transaction, object, shared, how, granted, error);
    if (failed || !*granted) {
        fiber_close_scope(session->world->scheduler, scope);
        return failed;
    }
    held = advisory_note(session, scope, object, shared, false);
    held->transaction = transaction;
    held->owed = covered;
    return SQLSTATE_OK;
}

static enum sqlstate transaction_lock(struct session *session, const struct lock_object *object, bool shared,
                                      enum advisory_how how, bool *granted, struct error *error)
{
    struct transaction *transaction;
    enum sqlstate failed = transaction_take(session, &transaction, error);
    *granted = !failed && advisory_covers(session, object, shared);
    if (failed || *granted)
        return failed;
    failed = object_lock(transaction, object, shared, how, granted, error);
    if (!failed && *granted)
        advisory_note(session, session->transaction_scope, object, shared, true);
    return failed;
}

static void advisory_drop(struct session *session, struct advisory *held)
{
    list_remove(&held->link);
    fiber_shield_begin(session->world->scheduler);
    transaction_rollback(held->transaction);
    fiber_shield_end(session->world->scheduler);
    fiber_close_scope(session->world->scheduler, held->scope);
}

void advisory_release_all(struct session *session)
{
    list_each_safe (&session->advisory_locks, at) {
        struct advisory *held = container_of(at, struct advisory, link);
        if (!held->of_transaction)
            advisory_drop(session, held);
    }
}

void advisory_transaction_over(struct session *session)
{
    struct error error;
    bool granted;
    /* Those of the transaction were forgotten before its scope went: see advisory_transaction_ends(). */
    list_each_safe (&session->advisory_locks, at) {
        struct advisory *held = container_of(at, struct advisory, link);
        if (!held->owed || held->of_transaction)
            continue;
        held->owed = false;
        error_clear(&error);
        if (object_lock(held->transaction, &held->object, held->shared, ADVISORY_WAIT, &granted, &error))
            advisory_drop(session, held);
    }
}

void advisory_transaction_ends(struct session *session)
{
    list_each_safe (&session->advisory_locks, at) {
        struct advisory *held = container_of(at, struct advisory, link);
        if (held->of_transaction)
            list_remove(&held->link);
    }
}

/* ---- the functions ---- */

static enum sqlstate lock_session(struct call *call, const struct value *arguments, bool shared,
                                  enum advisory_how how, struct value *result)
{
    struct session *session = session_of(call);
    const struct lock_object object = object_of(session, call, arguments);
    bool granted;
    enum sqlstate failed = session_lock(session, &object, shared, how, &granted, call->error);
    *result = how == ADVISORY_TRY ? value_boolean(granted) : value_bytes("", 0);
    return failed;
}

static enum sqlstate lock_transaction(struct call *call, const struct value *arguments, bool shared,
                                      enum advisory_how how, struct value *result)
{
    struct session *session = session_of(call);
    const struct lock_object object = object_of(session, call, arguments);
    bool granted;
    enum sqlstate failed = transaction_lock(session, &object, shared, how, &granted, call->error);
    *result = how == ADVISORY_TRY ? value_boolean(granted) : value_bytes("", 0);
    return failed;
}

static enum sqlstate unlock(struct call *call, const struct value *arguments, bool shared,
                            struct value *result)
{
    struct session *session = session_of(call);
    const struct lock_object object = object_of(session, call, arguments);
    struct advisory *held = advisory_find(session, &object, shared, false);
    *result = value_boolean(held != NULL);
    if (!held)
        session_notice(session, SESSION_WARNING, SQLSTATE_WARNING, "you don't own a lock of type %s",
                       shared ? "ShareLock" : "ExclusiveLock");
    else if (--held->count == 0)
        advisory_drop(session, held);
    return SQLSTATE_OK;
}

enum sqlstate function_advisory_lock(struct call *call, const struct value *arguments, struct value *result)
{
    return lock_session(call, arguments, false, ADVISORY_WAIT, result);
}

enum sqlstate function_advisory_lock_shared(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    return lock_session(call, arguments, true, ADVISORY_WAIT, result);
}

enum sqlstate function_try_advisory_lock(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return lock_session(call, arguments, false, ADVISORY_TRY, result);
}

enum sqlstate function_try_advisory_lock_shared(struct call *call, const struct value *arguments,
                                                struct value *result)
{
    return lock_session(call, arguments, true, ADVISORY_TRY, result);
}

enum sqlstate function_advisory_xact_lock(struct call *call, const struct value *arguments,
                                          struct value *result)
{
    return lock_transaction(call, arguments, false, ADVISORY_WAIT, result);
}

enum sqlstate function_advisory_xact_lock_shared(struct call *call, const struct value *arguments,
                                                 struct value *result)
{
    return lock_transaction(call, arguments, true, ADVISORY_WAIT, result);
}

enum sqlstate function_try_advisory_xact_lock(struct call *call, const struct value *arguments,
                                              struct value *result)
{
    return lock_transaction(call, arguments, false, ADVISORY_TRY, result);
}

enum sqlstate function_try_advisory_xact_lock_shared(struct call *call, const struct value *arguments,
                                                     struct value *result)
{
    return lock_transaction(call, arguments, true, ADVISORY_TRY, result);
}

enum sqlstate function_advisory_unlock(struct call *call, const struct value *arguments, struct value *result)
{
    return unlock(call, arguments, false, result);
}

enum sqlstate function_advisory_unlock_shared(struct call *call, const struct value *arguments,
                                              struct value *result)
{
    return unlock(call, arguments, true, result);
}

enum sqlstate function_advisory_unlock_all(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    (void)arguments;
    advisory_release_all(session_of(call));
    *result = value_bytes("", 0);
    return SQLSTATE_OK;
}
