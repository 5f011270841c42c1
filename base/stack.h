/* Stacks for fibers: mapped when asked for, committed when touched, kept for reuse up to FIBER_STACKS_KEPT.
 *
 *     low                                                            low + pool->bytes
 *     | guard page | ... grows down ... | user's record | struct stack |
 *                                       ^ aligned to a cache line
 *
 * What describes a stack lies at its upper end, where the first page is touched anyway; the fiber puts its
 * own record right below. (Starting each stack at another line of its page, lest a thousand fibers compete
 * for the same sets of the cache, was tried and measured no difference.) */
#ifndef SYNOD_BASE_STACK_H
#define SYNOD_BASE_STACK_H

#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

#define STACK_LINE_BYTES 64

struct stack {
    struct stack *next; /* in the pool, while nobody uses it */
    char *low;          /* of the mapping; the guard page starts here */
    unsigned int name;  /* valgrind's for it */
};

/* The stacks of one core. */
struct stack_pool {
    struct stack *kept; /* the last one given first: its pages are the warmest */
    uint32_t kept_count;
    size_t bytes; /* of each mapping, the guard included */
};

void stack_pool_open(struct stack_pool *pool);

/* Unmaps the stacks kept. */
void stack_pool_close(struct stack_pool *pool);

/* Gives a stack, or NULL when the system has none. */
struct stack *stack_take(struct stack_pool *pool);

/* Gives a stack back. Nothing may run on it. */
void stack_give(struct stack_pool *pool, struct stack *stack);

/* Bytes at its upper end that were ever touched, in whole pages. */
size_t stack_touched(const struct stack_pool *pool, const struct stack *stack);

/* Gives the pages below the stack pointer of whoever is suspended on it back to the system. */
void stack_rest(const struct stack *stack, const void *pointer);

#endif
