/* Interval treap; see interval.h. Equal lower ends are told apart by address, so that every member has one
 * place. */
#include "engine/lock/interval.h"

#include "base/check.h"

static int order(const struct interval *a, const struct interval *b)
{
    int by_key = bytes_compare(a->from, b->from);
    if (by_key)
        return by_key;
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

/* Order of upper ends: open is furthest, and "up to x" is further than "before x". */
static int end_order(const struct interval *a, const struct interval *b)
{
    if (a->end == INTERVAL_OPEN || b->end == INTERVAL_OPEN)
        return (a->end == INTERVAL_OPEN) - (b->end == INTERVAL_OPEN);
    int by_key = bytes_compare(a->to, b->to);
    if (by_key)
        return by_key;
    return (a->end == INTERVAL_UPTO) - (b->end == INTERVAL_UPTO);
}

/* Whether `key` is not beyond the upper end. */
static bool reaches(const struct interval *interval, struct bytes key)
{
    if (interval->end == INTERVAL_OPEN)
        return true;
    int by_key = bytes_compare(key, interval->to);
    return by_key < 0 || (by_key == 0 && interval->end == INTERVAL_UPTO);
}

bool interval_overlap(const struct interval *a, const struct interval *b)
{
    return reaches(a, b->from) && reaches(b, a->from);
}

static void update(struct interval *node)
{
    const struct interval *furthest = node;
    if (node->left && end_order(node->left->furthest, furthest) > 0)
        furthest = node->left->furthest;
    if (node->right && end_order(node->right->furthest, furthest) > 0)
        furthest = node->right->furthest;
    node->furthest = furthest;
}

/* Cuts a tree into members before `at` and behind it. */
static void split(struct interval *node, const struct interval *at, struct interval **before,
                  struct interval **behind)
{
    if (!node) {
        *before = *behind = NULL;
        return;
    }
    if (order(node, at) < 0) {
        split(node->right, at, &node->right, behind);
        *before = node;
    } else {
        split(node->left, at, before, &node->left);
        *behind = node;
    }
    update(node);
}

static struct interval *merge(struct interval *before, struct interval *behind)
{
    if (!before || !behind)
        return before ? before : behind;
    struct interval *top;
    if (before->priority > behind->priority) {
        before->right = merge(before->right, behind);
        top = before;
    } else {
        behind->left = merge(before, behind->left);
        top = behind;
    }
    update(top);
    return top;
}

void interval_insert(struct interval_set *set, struct interval *interval)
{
    set->seed = set->seed * 1664525u + 1013904223u;
    interval->priority = set->seed ^ set->seed >> 16;
    interval->left = interval->right = NULL;
    update(interval);
    struct interval *before, *behind;
    split(set->root, interval, &before, &behind);
    set->root = merge(merge(before, interval), behind);
    set->count++;
}

static struct interval *without(struct interval *node, struct interval *interval)
{
    check(node, "an interval is removed that is not there");
    if (node == interval)
        return merge(node->left, node->right);
    if (order(interval, node) < 0)
        node->left = without(node->left, interval);
    else
        node->right = without(node->right, interval);
    update(node);
    return node;
}

void interval_remove(struct interval_set *set, struct interval *interval)
{
    set->root = without(set->root, interval);
    set->count--;
}

static bool each(struct interval *node, const struct interval *with,
                 bool (*visit)(void *argument, struct interval *member), void *argument)
{
    if (!node || !reaches(node->furthest, with->from))
        return true;
    if (!each(node->left, with, visit, argument))
        return false;
    if (!reaches(with, node->from))
        return true; /* neither this one nor any to its right begins early enough */
    if (reaches(node, with->from) && !visit(argument, node))
        return false;
    return each(node->right, with, visit, argument);
}

bool interval_each(const struct interval_set *set, const struct interval *with,
                   bool (*visit)(void *argument, struct interval *member), void *argument)
{
    return each(set->root, with, visit, argument);
}
