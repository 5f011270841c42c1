/* Scopes: arenas with an undo list, in a tree.
 *
 * Memory. Each root has a pool of chunks. A scope takes chunks from the pool and hands them out from the
 * front
 * ("bump"); it gives all of them back when it is gone. The scope itself is the first thing in its first
 * chunk, so that opening and closing a small scope is one take and one give of a list:
 *
 *     chunk   | next, bytes | struct scope | allocation | allocation | ... free ... |
 *                                                                    ^next          ^end
 *
 * Chunks have power-of-two sizes from SCOPE_CHUNK_BYTES up to SCOPE_CHUNK_BYTES_MAX and are kept for reuse by
 * size; a larger allocation gets a chunk of its own, which is never kept. Large blocks (scope_alloc_large)
 * are the system allocator's, with a header in front that links them to their scope.
 *
 * Ends. A scope ends when it is closing and neither child nor hold is left; whatever takes the last of them
 * away asks end_idle(). Among a parent's children the closing ones stand in front, the open ones behind in
 * order of opening, so the newest open child is always the last.
 *
 *     SCOPE_OPEN --scope_close--> SCOPE_CLOSING --idle--> SCOPE_ENDING --nothing left to undo--> gone
 *                                       ^---an undo action took a hold---'
 *
 * With the address sanitizer, everything in a chunk that is not an allocation in use is poisoned, with a gap
 * between allocations. */
#include "base/scope.h"
#include "base/check.h"
#include "base/list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define SCOPE_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCOPE_POISONS 1
#endif
#endif

#ifdef SCOPE_POISONS
#include <sanitizer/asan_interface.h>
#define ALLOCATION_GAP 16
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes)   ((void)(memory), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#define ALLOCATION_GAP                             0
#endif

#define ALLOCATION_ALIGNMENT 16
#define CHUNK_SIZES          7 /* 4, 8, 16, 32, 64, 128, 256 KiB */

static_assert(SCOPE_CHUNK_BYTES << (CHUNK_SIZES - 1) == SCOPE_CHUNK_BYTES_MAX, "one free list for each size");

struct chunk {
    struct chunk *next; /* of the scope, or of the pool's free list */
    size_t bytes;       /* with this header */
};

static_assert(sizeof(struct chunk) % ALLOCATION_ALIGNMENT == 0, "allocations start behind the header");

/* The memory of one root and its descendants. */
struct pool {
    struct chunk *free[CHUNK_SIZES]; /* by size */
    size_t kept;                     /* bytes in the free lists */
    uint8_t *reserve;                /* SCOPE_RESERVE_BYTES for when the system has none */
    size_t reserve_used;     /* bytes cut off the front of it; 0 again when the last chunk came back */
    uint32_t reserve_chunks; /* chunks out of the reserve now */
};

enum scope_phase { SCOPE_OPEN, SCOPE_CLOSING, SCOPE_ENDING };

struct scope {
    uint8_t *next; /* first free byte of the current chunk, aligned */
    uint8_t *end;  /* behind its last */
    struct chunk *chunks;
    struct pool *pool;
    struct budget *budget; /* NULL = no limit anywhere above */
    struct scope *parent;  /* NULL at the root */
    const char *name;
    size_t bytes; /* in chunks and blocks */
    enum scope_phase phase;
    uint32_t holds;
    struct list_link sibling;   /* among the parent's children */
    struct list children;       /* closing ones in front, then open ones, the newest last */
    struct list undo;           /* newest last */
    struct list on_close;       /* newest last */
    struct list blocks;         /* from scope_alloc_large */
    struct scope_undo *tickets; /* forgotten ones, for reuse */
    struct scope_gone *gone;    /* whom to tell, newest first */
};

struct scope_undo {
    struct list_link link; /* in undo or on_close; on its own once it ran or was forgotten */
    struct scope *scope;
    void (*action)(void *argument); /* NULL once forgotten */
    bool foreign;                   /* gives memory of a foreign library back: runs even when abandoned */
    union {
        void *argument;
        struct scope_undo *next; /* forgotten: the next for reuse */
    };
};

/* In front of each large block. */
struct block {
    struct list_link link; /* in the scope's blocks */
    struct scope *scope;
    void *start;  /* what the system gave */
    size_t bytes; /* charged */
};

/* ---- budgets ---- */

static void charge(struct budget *budget, size_t bytes)
{
    for (; budget; budget = budget->parent) {
        budget->used += bytes;
        if (budget->used > budget->peak)
            budget->peak = budget->used;
    }
}

static void discharge(struct budget *budget, size_t bytes)
{
    for (; budget; budget = budget->parent) {
        check(budget->used >= bytes, "%zu bytes come back, %zu are charged", bytes, budget->used);
        budget->used -= bytes;
    }
}

/* The budget that `bytes` more would take past its limit (0: that is past it now), or NULL. */
static const struct budget *limited_by(const struct budget *budget, size_t bytes)
{
    while (budget && budget->used <= budget->limit && bytes <= budget->limit - budget->used)
        budget = budget->parent;
    return budget;
}

/* ---- chunks ---- */

static uint8_t *chunk_body(struct chunk *chunk)
{
    return (uint8_t *)(chunk + 1);
}

/* Which free list holds chunks of at least that many bytes; CHUNK_SIZES when none does. */
static uint32_t chunk_size_index(size_t bytes)
{
    uint32_t index = 0;
    while (index < CHUNK_SIZES && (size_t)SCOPE_CHUNK_BYTES << index < bytes)
        index++;
    return index;
}

static struct chunk *chunk_from_reserve(struct pool *pool, size_t bytes)
{
    bytes = (bytes + ALLOCATION_ALIGNMENT - 1) & ~(size_t)(ALLOCATION_ALIGNMENT - 1);
    check(bytes <= SCOPE_RESERVE_BYTES - pool->reserve_used,
          "the system has no memory, and of the reserve only %zu of %zu bytes are left",
          SCOPE_RESERVE_BYTES - pool->reserve_used, bytes);
    struct chunk *chunk = (struct chunk *)(pool->reserve + pool->reserve_used);
    ASAN_UNPOISON_MEMORY_REGION(chunk, sizeof *chunk);
    pool->reserve_used += bytes;
    pool->reserve_chunks++;
    chunk->bytes = bytes;
    return chunk;
}

static bool chunk_is_of_reserve(const struct pool *pool, const struct chunk *chunk)
{
    return (uintptr_t)chunk - (uintptr_t)pool->reserve < SCOPE_RESERVE_BYTES;
}

/* A chunk of `wanted` bytes; when only the reserve is left, of no more than the `needed` ones. */
static struct chunk *chunk_from_system(struct pool *pool, size_t needed, size_t wanted)
{
    struct chunk *chunk = malloc(wanted);
    if (!chunk)
        return chunk_from_reserve(pool, needed);
    chunk->bytes = wanted;
    ASAN_POISON_MEMORY_REGION(chunk_body(chunk), wanted - sizeof *chunk);
    return chunk;
}

/* Takes a chunk of at least `needed` bytes, and of about `wanted` where that is more. */
static inline struct chunk *chunk_take(struct pool *pool, size_t needed, size_t wanted)
{
    uint32_t index = chunk_size_index(needed > wanted ? needed : wanted);
    if (index == CHUNK_SIZES)
        return chunk_from_system(pool, needed, needed);
    struct chunk *chunk = pool->free[index];
    if (!chunk)
        return chunk_from_system(pool, needed, (size_t)SCOPE_CHUNK_BYTES << index);
    pool->free[index] = chunk->next;
    pool->kept -= chunk->bytes;
    return chunk;
}

static inline void chunk_give(struct pool *pool, struct chunk *chunk)
{
    ASAN_POISON_MEMORY_REGION(chunk_body(chunk), chunk->bytes - sizeof *chunk);
    if (chunk_is_of_reserve(pool, chunk)) {
        if (--pool->reserve_chunks == 0)
            pool->reserve_used = 0;
        return;
    }
    if (chunk->bytes > SCOPE_CHUNK_BYTES_MAX || pool->kept + chunk->bytes > SCOPE_KEPT_BYTES) {
        free(chunk);
        return;
    }
    uint32_t index = (uint32_t)__builtin_ctzl(chunk->bytes / SCOPE_CHUNK_BYTES);
    chunk->next = pool->free[index];
    pool->free[index] = chunk;
    pool->kept += chunk->bytes;
}

static struct pool *pool_open(void)
{
    struct pool *pool = malloc(sizeof *pool);
    if (!pool)
        return NULL;
    *pool = (struct pool){.reserve = malloc(SCOPE_RESERVE_BYTES)};
    if (!pool->reserve) {
        free(pool);
        return NULL;
    }
    ASAN_POISON_MEMORY_REGION(pool->reserve, SCOPE_RESERVE_BYTES);
    return pool;
}

static void pool_close(struct pool *pool)
{
    for (int i = 0; i < CHUNK_SIZES; i++) {
        while (pool->free[i]) {
            struct chunk *chunk = pool->free[i];
            pool->free[i] = chunk->next;
            free(chunk);
        }
    }
    free(pool->reserve);
    free(pool);
}

/* ---- opening ---- */

static inline struct scope *open_in(struct pool *pool, struct scope *parent, const char *name,
                                    struct budget *budget)
{
    struct chunk *chunk = chunk_take(pool, sizeof *chunk + sizeof(struct scope), SCOPE_CHUNK_BYTES);
    struct scope *scope = (struct scope *)chunk_body(chunk);
    ASAN_UNPOISON_MEMORY_REGION(scope, sizeof *scope);
    charge(budget, chunk->bytes);
    chunk->next = NULL;
    scope->chunks = chunk;
    scope->next =
        (uint8_t *)scope + ((sizeof *scope + ALLOCATION_ALIGNMENT - 1) & ~(ALLOCATION_ALIGNMENT - 1UL));
    scope->end = (uint8_t *)chunk + chunk->bytes;
    scope->pool = pool;
    scope->budget = budget;
    scope->parent = parent;
    scope->name = name;
    scope->bytes = chunk->bytes;
    scope->phase = SCOPE_OPEN;
    scope->holds = 0;
    list_link_init(&scope->sibling);
    list_init(&scope->children);
    list_init(&scope->undo);
    list_init(&scope->on_close);
    list_init(&scope->blocks);
    scope->tickets = NULL;
    scope->gone = NULL;
    return scope;
}

struct scope *scope_open_root(const char *name, struct budget *budget)
{
    struct pool *pool = pool_open();
    return pool ? open_in(pool, NULL, name, budget) : NULL;
}

struct scope *scope_open_with_budget(struct scope *parent, const char *name, struct budget *budget)
{
    check(parent->phase != SCOPE_ENDING, "\"%s\" opened while \"%s\" is being undone", name, parent->name);
    struct scope *scope = open_in(parent->pool, parent, name, budget);
    list_append(&parent->children, &scope->sibling);
    return scope;
}

struct scope *scope_open(struct scope *parent, const char *name)
{
    return scope_open_with_budget(parent, name, parent->budget);
}

/* ---- closing ---- */

static void end(struct scope *scope);

/* Closes the open children, newest first. Each that is not gone at once moves to the front of the list. */
static void close_children(struct scope *scope)
{
    struct list_link *last;
    while ((last = list_last(&scope->children)) && !scope_closing(container_of(last, struct scope, sibling)))
        scope_close(container_of(last, struct scope, sibling));
}

/* Runs the newest action; its ticket stays on its own until the owner forgets it. */
static void run_last(struct list *actions)
{
    struct scope_undo *last = container_of(list_last(actions), struct scope_undo, link);
    list_remove(&last->link);
    last->action(last->argument);
}

/* Whether the scope has memory and nothing else: then nobody has a word to say when it closes. */
static bool is_plain(const struct scope *scope)
{
    return !scope->holds && list_empty(&scope->children) && list_empty(&scope->on_close) &&
           list_empty(&scope->undo);
}

void scope_close(struct scope *scope)
{
    if (scope->phase != SCOPE_OPEN)
        return;
    if (is_plain(scope)) { /* most of those of a short statement */
        scope->phase = SCOPE_ENDING;
        end(scope);
        return;
    }
    scope->phase = SCOPE_CLOSING;
    scope->holds++; /* what stops at our word must not end us while we are talking */
    if (scope->parent) {
        list_remove(&scope->sibling);
        list_prepend(&scope->parent->children, &scope->sibling);
    }
    close_children(scope);
    while (!list_empty(&scope->on_close))
        run_last(&scope->on_close);
    scope_release(scope);
}

/* Gives all memory of the scope back; it is no more. */
static void give_back(struct scope *scope)
{
    struct pool *pool = scope->pool;
    struct list_link *link;
    while ((link = list_take_first(&scope->blocks)))
        free(container_of(link, struct block, link)->start);
    discharge(scope->budget, scope->bytes);
    for (struct chunk *chunk = scope->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        chunk_give(pool, chunk);
    }
}

static void end(struct scope *scope)
{
    struct scope *parent = scope->parent;
    struct scope_gone *gone = scope->gone;
    struct pool *pool = scope->pool;
    list_remove(&scope->sibling);
    if (parent)
        parent->holds++; /* until those who wait were told: their records may lie in its memory */
    give_back(scope);
    if (!parent)
        pool_close(pool);
    while (gone) {
        struct scope_gone *told = gone;
        gone = told->next;
        told->told(told->argument);
    }
    if (parent)
        scope_release(parent);
}

/* The last hold of a closing scope has gone. Children opened while it was closing are closed here, when nothing else is in
 * flight. */
static __attribute__((noinline)) void end_idle(struct scope *scope)
{
    scope->phase = SCOPE_ENDING;
    close_children(scope);
    while (!scope->holds && list_empty(&scope->children) && !list_empty(&scope->undo))
        run_last(&scope->undo);
    if (scope->holds || !list_empty(&scope->children))
        scope->phase = SCOPE_CLOSING;
    else
        end(scope);
}

void scope_hold(struct scope *scope)
{
    scope->holds++;
}

void scope_release(struct scope *scope)
{
    check(scope->holds > 0, "\"%s\" released more often than held", scope->name);
    if (--scope->holds == 0 && scope->phase == SCOPE_CLOSING)
        end_idle(scope);
}

static void abandon(struct scope *scope)
{
    struct list_link *child;
    while ((child = list_take_first(&scope->children)))
        abandon(container_of(child, struct scope, sibling));
    while (!list_empty(&scope->undo)) {
        struct scope_undo *last = container_of(list_last(&scope->undo), struct scope_undo, link);
        list_remove(&last->link);
        if (last->foreign)
            last->action(last->argument);
    }
    give_back(scope);
}

void scope_abandon_root(struct scope *root)
{
    check(!root->parent, "\"%s\" is no root", root->name);
    struct pool *pool = root->pool;
    abandon(root);
    pool_close(pool);
}

void scope_on_gone(struct scope *scope, struct scope_gone *record, void (*told)(void *argument),
                   void *argument)
{
    *record = (struct scope_gone){.next = scope->gone, .told = told, .argument = argument};
    scope->gone = record;
}

bool scope_closing(const struct scope *scope)
{
    return scope->phase != SCOPE_OPEN;
}

/* ---- actions ---- */

static struct scope_undo *ticket(struct scope *scope, struct list *list, void (*action)(void *argument),
                                 void *argument)
{
    struct scope_undo *made = scope->tickets;
    if (made)
        scope->tickets = made->next;
    else
        made = scope_alloc(scope, sizeof *made);
    made->scope = scope;
    made->action = action;
    made->foreign = false;
    made->argument = argument;
    list_append(list, &made->link);
    return made;
}

struct scope_undo *scope_undo(struct scope *scope, void (*action)(void *argument), void *argument)
{
    return ticket(scope, &scope->undo, action, argument);
}

struct scope_undo *scope_undo_foreign(struct scope *scope, void (*action)(void *argument), void *argument)
{
    struct scope_undo *made = ticket(scope, &scope->undo, action, argument);
    made->foreign = true;
    return made;
}

struct scope_undo *scope_on_close(struct scope *scope, void (*action)(void *argument), void *argument)
{
    return ticket(scope, &scope->on_close, action, argument);
}

void scope_undo_cancel(struct scope_undo *ticket)
{
    check(ticket->action, "a ticket used twice");
    list_remove(&ticket->link);
    ticket->action = NULL;
    ticket->next = ticket->scope->tickets;
    ticket->scope->tickets = ticket;
}

void scope_undo_now(struct scope_undo *ticket)
{
    bool pending = list_linked(&ticket->link);
    void (*action)(void *argument) = ticket->action;
    void *argument = ticket->argument;
    scope_undo_cancel(ticket);
    if (pending)
        action(argument);
}

/* ---- memory ---- */

/* What a block of that size takes, header included; 0 when that is no number. */
static size_t block_bytes(size_t bytes, size_t alignment, size_t *minimum, size_t *gap)
{
    /* The header stands right in front of the memory, so the gap is a multiple of the alignment. */
    *minimum = alignment < ALLOCATION_ALIGNMENT ? ALLOCATION_ALIGNMENT : alignment;
    *gap = (sizeof(struct block) + *minimum - 1) & ~(*minimum - 1);
    size_t total = (bytes + *gap + *minimum - 1) & ~(*minimum - 1);
    return total < bytes || bytes > PTRDIFF_MAX ? 0 : total;
}

/* A block of its own from the system, charged whatever the limits say; NULL when it has none. */
static void *block_take(struct scope *scope, size_t bytes, size_t alignment)
{
    size_t minimum, gap, total = block_bytes(bytes, alignment, &minimum, &gap);
    uint8_t *start = total ? aligned_alloc(minimum, total) : NULL;
    if (!start)
        return NULL;
    struct block *block = (struct block *)(start + gap) - 1;
    *block = (struct block){.scope = scope, .start = start, .bytes = total};
    list_append(&scope->blocks, &block->link);
    charge(scope->budget, total);
    scope->bytes += total;
    return start + gap;
}

/* The current chunk is full. The new one grows with the scope, by a quarter of what it has; of the two, the
 * one with more room left stays current. */
static __attribute__((noinline)) void *alloc_from_new_chunk(struct scope *scope, size_t bytes)
{
    if (bytes > SCOPE_SMALL_BYTES) {
        void *block = block_take(scope, bytes, ALLOCATION_ALIGNMENT);
        check(block, "the system has no %zu bytes for \"%s\"; use scope_alloc_large()", bytes, scope->name);
        return block;
    }
    bytes = (bytes + ALLOCATION_GAP + ALLOCATION_ALIGNMENT - 1) & ~(size_t)(ALLOCATION_ALIGNMENT - 1);
    size_t wanted = scope->bytes / 4 < SCOPE_CHUNK_BYTES_MAX ? scope->bytes / 4 : SCOPE_CHUNK_BYTES_MAX;
    struct chunk *chunk = chunk_take(scope->pool, sizeof *chunk + bytes, wanted);
    charge(scope->budget, chunk->bytes);
    scope->bytes += chunk->bytes;
    chunk->next = scope->chunks;
    scope->chunks = chunk;
    uint8_t *memory = chunk_body(chunk), *end = (uint8_t *)chunk + chunk->bytes;
    if (end - (memory + bytes) > scope->end - scope->next) {
        scope->next = memory + bytes;
        scope->end = end;
    }
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes - ALLOCATION_GAP);
    return memory;
}

void *scope_alloc(struct scope *scope, size_t bytes)
{
    /* `next` and `end` are aligned, so what fits unrounded fits rounded, and nothing can overflow. */
    size_t room = (size_t)(scope->end - scope->next);
    size_t gap = ALLOCATION_GAP; /* a variable: gcc warns of a comparison with the constant 0 */
    if (__builtin_expect(bytes > room || room - bytes < gap, 0))
        return alloc_from_new_chunk(scope, bytes);
    void *memory = scope->next;
    scope->next += (bytes + ALLOCATION_GAP + ALLOCATION_ALIGNMENT - 1) & ~(size_t)(ALLOCATION_ALIGNMENT - 1);
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
    return memory;
}

void *scope_alloc_zeroed(struct scope *scope, size_t bytes)
{
    return memset(scope_alloc(scope, bytes), 0, bytes);
}

void *scope_copy(struct scope *scope, const void *data, size_t bytes)
{
    void *copy = scope_alloc(scope, bytes);
    return bytes ? memcpy(copy, data, bytes) : copy;
}

char *scope_copy_text(struct scope *scope, const char *text)
{
    return scope_copy(scope, text, strlen(text) + 1);
}

static enum sqlstate out_of_memory(const struct scope *scope, size_t bytes, const struct budget *budget,
                                   struct error *error)
{
    enum sqlstate failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    if (!budget)
        error_add(error, ERROR_DETAIL, "The system has none for %zu bytes for \"%s\".", bytes, scope->name);
    else if (bytes)
        error_add(error, ERROR_DETAIL,
                  "%zu bytes for \"%s\" would exceed the limit of %zu bytes; %zu are in use.", bytes,
                  scope->name, budget->limit, budget->used);
    else
        error_add(error, ERROR_DETAIL, "\"%s\" has exceeded the limit of %zu bytes; %zu are in use.",
                  scope->name, budget->limit, budget->used);
    return failed;
}

enum sqlstate scope_alloc_large(struct scope *scope, size_t bytes, size_t alignment, void **memory,
                                struct error *error)
{
    check(alignment > 0 && (alignment & (alignment - 1)) == 0, "alignment %zu", alignment);
    size_t minimum, gap, total = block_bytes(bytes, alignment, &minimum, &gap);
    const struct budget *limit = total ? limited_by(scope->budget, total) : NULL;
    if (limit)
        return out_of_memory(scope, bytes, limit, error);
    *memory = block_take(scope, bytes, alignment);
    return *memory ? SQLSTATE_OK : out_of_memory(scope, bytes, NULL, error);
}

void scope_free_large(struct scope *scope, void *memory)
{
    struct block *block = (struct block *)memory - 1;
    check(block->scope == scope, "\"%s\" frees a block that is not its own", scope->name);
    list_remove(&block->link);
    discharge(scope->budget, block->bytes);
    scope->bytes -= block->bytes;
    free(block->start);
}

enum sqlstate scope_check_budget(const struct scope *scope, struct error *error)
{
    const struct budget *limit = limited_by(scope->budget, 0);
    if (__builtin_expect(limit || scope->pool->reserve_chunks, 0))
        return out_of_memory(scope, 0, limit, error);
    return SQLSTATE_OK;
}

/* ---- answers ---- */

const char *scope_name(const struct scope *scope)
{
    return scope->name;
}

size_t scope_bytes(const struct scope *scope)
{
    return scope->bytes;
}

struct budget *scope_budget(const struct scope *scope)
{
    return scope->budget;
}

size_t scope_room(const struct scope *scope)
{
    size_t room = SIZE_MAX;
    for (const struct budget *budget = scope->budget; budget; budget = budget->parent) {
        size_t left = budget->used < budget->limit ? budget->limit - budget->used : 0;
        room = left < room ? left : room;
    }
    return room;
}
