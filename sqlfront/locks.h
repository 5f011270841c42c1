/* Who holds and who waits for locks, on all cores: pg_locks, pg_blocking_pids(), and what pg_stat_activity says of it. */
#ifndef SYNOD_SQLFRONT_LOCKS_H
#define SYNOD_SQLFRONT_LOCKS_H

#include "sqlfront/inside.h"

/* Locks of all cores as they were when they were looked at; memory of a scope. */
struct lock_sights;

/* With `waiting` those that are waited for only. Yields. */
enum sqlstate locks_look(struct session *session, struct scope *scope, bool waiting,
                         struct lock_sights **sights, struct error *error);

/* What the session with that process id waits for, by pg_locks.locktype; NULL = it waits for no lock. */
const char *lock_waited_for(const struct lock_sights *sights, uint32_t process);

/* Transactions of all cores in which a statement is under way, or a cursor open; memory of the scope. Yields. */
struct transaction_list {
    uint64_t *transaction;
    uint32_t count;
};
enum sqlstate transactions_reading(struct session *session, struct scope *scope,
                                   struct transaction_list *list, struct error *error);

/* pg_lock_status() */
enum sqlstate locks_open(struct call *call, const struct value *arguments);
enum sqlstate locks_next(struct call *call, struct value *results, bool *end);

/* pg_blocking_pids(integer) */
enum sqlstate blocking_pids(struct call *call, const struct value *arguments, struct value *result);

#endif
