/* Hash maps: from bytes, or from numbers, to pointers.
 *
 *     map_init(&tables, MAP_OF_BYTES, scope, seed);
 *     failed = map_put(&tables, bytes_of_text(table->name), table, error);
 *     struct table *table = map_find(&tables, bytes_of_text(name));
 *
 * The map keeps a view of each key, not a copy: the bytes usually stand in the value and must not change
 * while it is in the map. The hash is seeded, for the keys may be chosen by somebody who wants them to
 * collide; draw the seed from world_random(). One core owns a map. */
#ifndef SYNOD_BASE_MAP_H
#define SYNOD_BASE_MAP_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scope;

enum map_keys { MAP_OF_BYTES, MAP_OF_NUMBERS };

struct map_seed {
    uint64_t words[2];
};

/* One pair. */
struct map_entry {
    uint64_t hash; /* the map's */
    union {
        struct bytes key;
        uint64_t number;
    };
    void *value; /* never NULL; NULL = the slot is free */
};

struct map {
    struct scope *scope;
    struct map_entry
        *slots; /* linear probing: an entry stands at its hash or behind it, with no gap between */
    size_t count;
    size_t mask; /* slots - 1; the number of slots is a power of two; 0 while there are none */
    struct map_seed seed;
    enum map_keys keys;
};

/* Makes an empty map whose memory is the scope's. */
void map_init(struct map *map, enum map_keys keys, struct scope *scope, struct map_seed seed);

/* Maps the key to `value` (not NULL), instead of what it was mapped to, of which `replaced` (may be NULL)
 * tells. Fails with 53200, changing nothing, when the map must grow and cannot. */
enum sqlstate map_put(struct map *map, struct bytes key, void *value, void **replaced, struct error *error);
enum sqlstate map_put_number(struct map *map, uint64_t number, void *value, void **replaced,
                             struct error *error);

/* What the key is mapped to, or NULL. */
void *map_find(const struct map *map, struct bytes key);
void *map_find_number(const struct map *map, uint64_t number);

/* Takes the key out and gives what it was mapped to, or NULL. */
void *map_remove(struct map *map, struct bytes key);
void *map_remove_number(struct map *map, uint64_t number);

/* Takes everything out; the memory is kept for what comes next. */
void map_clear(struct map *map);

/* Walks the map in no order that means anything; do not change it meanwhile. `*at` starts as 0.
 *
 *     for (size_t at = 0; (entry = map_next(&map, &at));)
 */
const struct map_entry *map_next(const struct map *map, size_t *at);

/* Makes room for `count` entries in all, so that putting up to there cannot fail. Fails with 53200. */
enum sqlstate map_reserve(struct map *map, size_t count, struct error *error);

/* The hash of bytes: SipHash-1-3, which is safe against who does not know the seed. */
uint64_t map_hash(struct map_seed seed, struct bytes bytes);

#endif
