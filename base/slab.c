/* Size classes over slabs; see slab.h. */
#include "base/slab.h"

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/scope.h"

#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_POISONS 1
#endif
#endif
#ifdef SLAB_POISONS
#include <sanitizer/asan_interface.h>
#define poison(piece, bytes)   ASAN_POISON_MEMORY_REGION(piece, bytes)
#define unpoison(piece, bytes) ASAN_UNPOISON_MEMORY_REGION(piece, bytes)
#else
#define poison(piece, bytes)   ((void)(piece), (void)(bytes))
#define unpoison(piece, bytes) ((void)(piece), (void)(bytes))
#endif

/* 32 classes of 16 … 512 bytes, then 4 for each of 1,024, 2,048, 4,096. */
#define SLAB_FINE_CLASSES 32
#define SLAB_CLASSES      (SLAB_FINE_CLASSES + 12)

/* A freed piece: its first eight bytes lead to the next. */
struct piece {
    struct piece *next;
};

struct slab_pool {
    struct scope *scope;
    struct piece *free[SLAB_CLASSES];
    uint8_t *slab;    /* what is left of the newest slab */
    size_t slab_left; /* bytes */
    size_t slab_size; /* of the newest slab, with its chunk's head */
    size_t used;      /* bytes */
};

struct slab_pool *slab_pool_open(struct scope *scope)
{
    struct slab_pool *pool = scope_alloc_zeroed(scope, sizeof *pool);
    pool->scope = scope;
    return pool;
}

/* 600 bytes: in (512, 1024], quarters of 128: the class of 640. */
static uint32_t class_of(size_t bytes, size_t *rounded)
{
    if (bytes <= 512) {
        uint32_t fine = bytes ? (uint32_t)((bytes + 15) / 16 - 1) : 0;
        *rounded = (size_t)(fine + 1) * 16;
        return fine;
    }
    uint32_t power = 63 - (uint32_t)__builtin_clzll(bytes - 1); /* 2^power < bytes <= 2^(power+1) */
    size_t quarter = (size_t)1 << (power - 2);
    size_t steps = (bytes - ((size_t)1 << power) + quarter - 1) / quarter;
    *rounded = ((size_t)1 << power) + steps * quarter;
    return SLAB_FINE_CLASSES + (power - 9) * 4 + (uint32_t)steps - 1;
}

/* The first slab of a pool, for thousands of pools stay small; each is twice the one before, up to SLAB_BYTES. */
#define SLAB_BYTES_FIRST (8 * 1024)
/* With the head of its chunk a slab is a power of two: chunks are. */
#define CHUNK_HEAD_BYTES 64

static struct piece *cut(struct slab_pool *pool, size_t bytes)
{
    if (pool->slab_left < bytes) {
        pool->slab_size = pool->slab_size == 0           ? SLAB_BYTES_FIRST
                          : pool->slab_size < SLAB_BYTES ? 2 * pool->slab_size
                                                         : SLAB_BYTES;
        pool->slab_left = pool->slab_size - CHUNK_HEAD_BYTES;
        pool->slab = scope_alloc(pool->scope, pool->slab_left);
    }
    struct piece *piece = (struct piece *)pool->slab;
    pool->slab += bytes;
    pool->slab_left -= bytes;
    return piece;
}

void *slab_alloc(struct slab_pool *pool, size_t bytes)
{
    size_t rounded;
    if (bytes > SLAB_PIECE_BYTES_MAX) {
        void *block;
        struct error error;
        if (scope_alloc_large(pool->scope, bytes, 16, &block, &error))
            return NULL;
        pool->used += bytes;
        return block;
    }
    uint32_t class = class_of(bytes, &rounded);
    check(class < SLAB_CLASSES && rounded >= bytes);
    pool->used += rounded;
    struct piece *piece = pool->free[class];
    if (piece) {
        unpoison(piece, rounded);
        pool->free[class] = piece->next;
        return piece;
    }
    return cut(pool, rounded);
}

void slab_free(struct slab_pool *pool, void *piece, size_t bytes)
{
    if (bytes > SLAB_PIECE_BYTES_MAX) {
        check(pool->used >= bytes);
        pool->used -= bytes;
        scope_free_large(pool->scope, piece);
        return;
    }
    size_t rounded;
    uint32_t class = class_of(bytes, &rounded);
    check(pool->used >= rounded, "%zu bytes are given back, %zu are out", rounded, pool->used);
    pool->used -= rounded;
    struct piece *freed = piece;
    freed->next = pool->free[class];
    pool->free[class] = freed;
    poison(freed, rounded);
}

size_t slab_pool_used(const struct slab_pool *pool)
{
    return pool->used;
}
