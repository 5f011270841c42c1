/* A pool of small pieces of memory that come and go one by one: row versions, locks, nodes of trees. Scopes
 * give memory back as a whole; a pool lives in a scope and recycles pieces meanwhile.
 *
 * Pieces are cut from slabs of up to SLAB_BYTES, in size classes of 16 bytes up to 512 and then four per power of
 * two up to SLAB_PIECE_BYTES_MAX; larger pieces are blocks of their own. Freed pieces wait in their class for
 * the next of that size; slabs go back with the scope. One core owns a pool. */
#ifndef SYNOD_BASE_SLAB_H
#define SYNOD_BASE_SLAB_H

#include <stddef.h>

struct slab_pool;
struct scope;

/* A slab holds at least 16 of the largest pieces. */
#define SLAB_BYTES           (64 * 1024)
#define SLAB_PIECE_BYTES_MAX 4096

struct slab_pool *slab_pool_open(struct scope *scope);

/* A piece of at least `bytes`, aligned to 16, uninitialised; its content is the caller's until slab_free().
 * Never fails for pieces up to SCOPE_SMALL_BYTES (scope.h says how); above that gives NULL when there is no
 * memory. */
void *slab_alloc(struct slab_pool *pool, size_t bytes);

/* Gives a piece back; `bytes` as it was asked for. */
void slab_free(struct slab_pool *pool, void *piece, size_t bytes);

/* Bytes in pieces that are out now, rounded up to their classes. */
size_t slab_pool_used(const struct slab_pool *pool);

#endif
