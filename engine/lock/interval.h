/* A set of key intervals that finds those overlapping another: a treap by lower end, where every node also
 * knows the largest upper end below it (Cormen et al., "Interval trees"; Seidel and Aragon 1996 for the
 * balance). Intrusive; may hold equal intervals. Points (single keys) are intervals, too. */
#ifndef SYNOD_ENGINE_LOCK_INTERVAL_H
#define SYNOD_ENGINE_LOCK_INTERVAL_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum interval_end {
    INTERVAL_BEFORE, /* keys < to */
    INTERVAL_UPTO,   /* keys <= to */
    INTERVAL_OPEN,   /* no upper end */
};

struct interval {
    struct bytes from; /* keys >= from; memory is the owner's and stays while the interval is in a set */
    struct bytes to;
    enum interval_end end;
    /* the set's own */
    struct interval *left, *right;
    const struct interval *furthest; /* largest upper end in this subtree */
    uint32_t priority;
};

struct interval_set {
    struct interval *root;
    uint32_t seed; /* of the priorities */
    size_t count;
};

static inline struct interval interval_point(struct bytes key)
{
    return (struct interval){.from = key, .to = key, .end = INTERVAL_UPTO};
}

void interval_insert(struct interval_set *set, struct interval *interval);

/* Requires: it is in the set. */
void interval_remove(struct interval_set *set, struct interval *interval);

bool interval_overlap(const struct interval *a, const struct interval *b);

/* Visits members overlapping `with`, by lower end; the visitor gives false to stop. Gives false when it did.
 */
bool interval_each(const struct interval_set *set, const struct interval *with,
                   bool (*visit)(void *argument, struct interval *member), void *argument);

#endif
