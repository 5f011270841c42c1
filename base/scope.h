/* Scopes own lifetimes: memory, and what must be undone.
 *
 * Work has a scope (node > session > transaction > statement > portal). What the work needs is allocated from
 * it, what it opens is registered with it, and closing the scope ends everything in reverse order. Functions
 * that fail return, and clean up nothing on the way out.
 *
 *     open --scope_close()--> closing --(no child, no hold left)--> undo in reverse, memory given back: gone
 *
 * scope_close() never waits. It first closes the children, newest first, and tells every operation that
 * registered with scope_on_close() to stop; then, when the last child and the last hold are gone (at once, if
 * there were none), the undo actions run in reverse and the memory goes back to the pool. So an operation in
 * flight, say a disk read that no one can recall, keeps its buffer until it lands, however early its scope
 * was closed.
 *
 * A scope belongs to one core. Only its root talks to the system's allocator; descendants share the root's
 * pool. */
#ifndef SYNOD_BASE_SCOPE_H
#define SYNOD_BASE_SCOPE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scope;

/* Memory budget: how many bytes the scopes that draw on it may hold together. Budgets form a tree (node >
 * session > statement); a charge counts in every ancestor. One core owns a budget. */
struct budget {
    struct budget *parent; /* NULL at the root */
    size_t limit;          /* bytes; SIZE_MAX = none */
    size_t used;           /* bytes in chunks and blocks now */
    size_t peak;           /* largest `used` so far */
};

/* A pair (action, argument) that a scope runs when it ends. */
struct scope_undo;

/* Opens a root scope with its own memory pool. `budget` may be NULL (no limit) and must outlive the scope.
 * Gives NULL when the system has no memory. */
struct scope *scope_open_root(const char *name, struct budget *budget);

/* Opens a child. `name` is a literal, for diagnosis. Never fails, never yields; about 20 ns. The parent
 * should be open; a child opened while it is closing (by work that has not noticed yet) is closed when the
 * parent's last hold goes. */
struct scope *scope_open(struct scope *parent, const char *name);

/* The same, drawing on a budget of its own (whose parent the caller has set). */
struct scope *scope_open_with_budget(struct scope *parent, const char *name, struct budget *budget);

/* Closes the scope as drawn above. Calling it again on a scope that is closing and not yet gone is harmless
 * (which a caller can only know while it holds the scope). May not be called by an undo action on its own
 * scope. */
void scope_close(struct scope *scope);

/* Gives back all memory of a root and its descendants without running any undo action but those of
 * scope_undo_foreign(), holds or not: what a crash of the process would do. Only the simulator calls this. */
void scope_abandon_root(struct scope *root);

/* Memory, zeroed? No: uninitialised, aligned to 16 bytes, valid until the scope is gone. Up to
 * SCOPE_SMALL_BYTES it never fails: past the budget's limit it succeeds and marks the budget exceeded, which
 * the work finds out at its next scope_check_budget(). When the system has no memory left, it comes out of a
 * reserve of SCOPE_RESERVE_BYTES the root has kept, which scope_check_budget() reports likewise; only when
 * that is used up, too, a check() stops the process. What is larger is a block of its own, which likewise goes past limits,
 * and for which the reserve does not do: for sizes that a user chooses freely there is scope_alloc_large(). */
void *scope_alloc(struct scope *scope, size_t bytes) __attribute__((malloc, alloc_size(2), returns_nonnull));

/* The same, zeroed. */
void *scope_alloc_zeroed(struct scope *scope, size_t bytes)
    __attribute__((malloc, alloc_size(2), returns_nonnull));

/* Memory of any size and alignment (a power of two). Fails with 53200 past the limit or when the system has
 * none. */
enum sqlstate scope_alloc_large(struct scope *scope, size_t bytes, size_t alignment, void **memory,
                                struct error *error);

/* Gives a block from scope_alloc_large() back before the scope ends. */
void scope_free_large(struct scope *scope, void *memory);

/* A copy of a zero-terminated text; of bytes. */
char *scope_copy_text(struct scope *scope, const char *text);
void *scope_copy(struct scope *scope, const void *data, size_t bytes);

/* 53200 when a budget of this scope or an ancestor is past its limit, or the root lives on its reserve, else
 * OK. Cheap: call it once a batch. */
enum sqlstate scope_check_budget(const struct scope *scope, struct error *error);

/* The budget the scope draws on (NULL: none): what a budget of a part of its work is put under. */
struct budget *scope_budget(const struct scope *scope);

/* Bytes that may still be taken before some budget above the scope is at its limit; SIZE_MAX when there is none. */
size_t scope_room(const struct scope *scope);

/* Registers an action to run when the scope ends, in reverse order of registration. The action must not yield
 * and must not open children of the scope. It may hold the scope (closing something takes time): then the
 * actions before it run when that hold is released. Gives a ticket for scope_undo_cancel()/scope_undo_now(),
 * good until it was passed to one of them or the scope is gone. */
struct scope_undo *scope_undo(struct scope *scope, void (*action)(void *argument), void *argument);

/* The same, for memory that a foreign library took from the system and only the library can give back: the
 * action also runs when the root is abandoned, children's before their parents'. It must touch nothing else.
 */
struct scope_undo *scope_undo_foreign(struct scope *scope, void (*action)(void *argument), void *argument);

/* Registers an action to run at the moment scope_close() is called, before anything is undone: "stop what you
 * do". The action must not yield. It is not called when the scope is closing already: ask scope_closing().
 * The ticket is as above; canceling it after the action ran is harmless. */
struct scope_undo *scope_on_close(struct scope *scope, void (*action)(void *argument), void *argument);

/* Forgets a registered action. */
void scope_undo_cancel(struct scope_undo *ticket);

/* Runs a registered action now and forgets it. */
void scope_undo_now(struct scope_undo *ticket);

/* Says that an operation in flight uses memory or things of this scope; pairs with scope_release(). The last
 * release of a closing scope ends it. Holding is allowed while closing, not after it is gone. */
void scope_hold(struct scope *scope);
void scope_release(struct scope *scope);

/* Whom to tell when a scope is gone. The caller's memory; leave it alone until it was told. */
struct scope_gone {
    struct scope_gone *next;
    void (*told)(void *argument);
    void *argument;
};

/* Calls `told` after the scope's undo actions ran and its memory went back (and before its parent, which
 * waits for it, can go). It must not yield. `record` must not lie in the scope itself; the parent's memory
 * will do. An abandoned root tells nobody. */
void scope_on_gone(struct scope *scope, struct scope_gone *record, void (*told)(void *argument),
                   void *argument);

/* True from scope_close() on. */
bool scope_closing(const struct scope *scope);

const char *scope_name(const struct scope *scope);

/* Bytes this scope itself has taken (chunks and blocks), for diagnosis and tests. */
size_t scope_bytes(const struct scope *scope);

#endif
