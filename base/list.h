/* Intrusive doubly linked list: the links live inside the things linked, so linking never allocates and never
 * fails.
 *
 *     struct waiter { struct list_link link; int number; };
 *     struct list waiters;
 *     list_init(&waiters);
 *     list_append(&waiters, &w->link);
 *     list_each (&waiters, at)
 *         sum += container_of(at, struct waiter, link)->number;
 *
 * A link that is in no list points at itself, so list_remove() of it is harmless. One core owns a list. */
#ifndef SYNOD_BASE_LIST_H
#define SYNOD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next;
    struct list_link *prev;
};

struct list {
    struct list_link head; /* head.next is the first, head.prev the last; both the head itself when empty */
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void list_link_init(struct list_link *link)
{
    link->next = link;
    link->prev = link;
}

static inline void list_init(struct list *list)
{
    list_link_init(&list->head);
}

static inline bool list_empty(const struct list *list)
{
    return list->head.next == &list->head;
}

/* Whether the link is in some list. Requires: it was initialised. */
static inline bool list_linked(const struct list_link *link)
{
    return link->next != link;
}

static inline void list_insert_before(struct list_link *place, struct list_link *link)
{
    link->prev = place->prev;
    link->next = place;
    place->prev->next = link;
    place->prev = link;
}

static inline void list_append(struct list *list, struct list_link *link)
{
    list_insert_before(&list->head, link);
}

static inline void list_prepend(struct list *list, struct list_link *link)
{
    list_insert_before(list->head.next, link);
}

static inline void list_remove(struct list_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_link_init(link);
}

/* First link, or NULL when the list is empty. */
static inline struct list_link *list_first(const struct list *list)
{
    return list_empty(list) ? NULL : list->head.next;
}

static inline struct list_link *list_last(const struct list *list)
{
    return list_empty(list) ? NULL : list->head.prev;
}

/* Takes the first link out and gives it, or NULL when the list is empty. */
static inline struct list_link *list_take_first(struct list *list)
{
    struct list_link *link = list_first(list);
    if (link)
        list_remove(link);
    return link;
}

/* Moves everything in `from` behind what is in `to`; `from` is empty afterwards. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->head.next->prev = to->head.prev;
    to->head.prev->next = from->head.next;
    from->head.prev->next = &to->head;
    to->head.prev = from->head.prev;
    list_init(from);
}

/* Walks the list; the loop body must not remove `at`. */
#define list_each(list, at) for (struct list_link *at = (list)->head.next; at != &(list)->head; at = at->next)

/* Walks the list; the loop body may remove `at` (and nothing else). */
#define list_each_safe(list, at)                                                               \
    for (struct list_link *at = (list)->head.next, *at##_next = at->next; at != &(list)->head; \
         at = at##_next, at##_next = at->next)

#endif
