/* Open addressing with linear probing, at most three quarters full. Removing moves the entries behind the gap
 * forward that may stand there, so there are no marks of what was, and a map that lives long stays fast. */
#include "base/map.h"
#include "base/check.h"
#include "base/scope.h"

#include <string.h>

/* Slots of the smallest map. */
#define SLOTS_LEAST 8

/* ---- hashes ---- */

static inline uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* J.-P. Aumasson, D. Bernstein, "SipHash: a fast short-input PRF", 2012, with 1 round a word and 3 at the
 * end. */
uint64_t map_hash(struct map_seed seed, struct bytes bytes)
{
    uint64_t v[4] = {seed.words[0] ^ 0x736f6d6570736575, seed.words[1] ^ 0x646f72616e646f6d,
                     seed.words[0] ^ 0x6c7967656e657261, seed.words[1] ^ 0x7465646279746573};
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    uint64_t word;
    for (; left >= 8; at += 8, left -= 8) {
        memcpy(&word, at, sizeof word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (left)
        memcpy(&word, at, left);
    word |= (uint64_t)bytes.size << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Two multiplications whose halves are folded; unlike a word with a fixed mixer, what collides depends on the
 * seed. (The second seed word is made odd, so that no number is multiplied away.) */
static uint64_t hash_number(struct map_seed seed, uint64_t number)
{
    unsigned __int128 product = (unsigned __int128)(number ^ seed.words[0]) * (seed.words[1] | 1);
    uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);
    product = (unsigned __int128)folded * 0x9e3779b97f4a7c15;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* ---- slots ---- */

void map_init(struct map *map, enum map_keys keys, struct scope *scope, struct map_seed seed)
{
    *map = (struct map){.scope = scope, .seed = seed, .keys = keys};
}

static bool same_key(const struct map *map, const struct map_entry *a, const struct map_entry *b)
{
    if (a->hash != b->hash)
        return false;
    return map->keys == MAP_OF_NUMBERS ? a->number == b->number : bytes_compare(a->key, b->key) == 0;
}

/* The slot of that key, or the free slot where it would stand. There is always a free one. */
static struct map_entry *find_slot(const struct map *map, const struct map_entry *wanted)
{
    size_t at = wanted->hash & map->mask;
    while (map->slots[at].value && !same_key(map, &map->slots[at], wanted))
        at = (at + 1) & map->mask;
    return &map->slots[at];
}

static size_t slots_of(const struct map *map)
{
    return map->slots ? map->mask + 1 : 0;
}

enum sqlstate map_reserve(struct map *map, size_t count, struct error *error)
{
    size_t slots = slots_of(map) ? slots_of(map) : SLOTS_LEAST;
    while (slots / 4 * 3 < count && slots < SIZE_MAX / 2 / sizeof *map->slots)
        slots *= 2;
    if (slots == slots_of(map))
        return SQLSTATE_OK;
    void *memory;
    enum sqlstate failed = scope_alloc_large(map->scope, slots * sizeof *map->slots, 64, &memory, error);
    if (failed)
        return failed;
    memset(memory, 0, slots * sizeof *map->slots);
    struct map before = *map;
    map->slots = memory;
    map->mask = slots - 1;
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&before, &at));)
        *find_slot(map, entry) = *entry;
    if (before.slots)
        scope_free_large(map->scope, before.slots);
    return SQLSTATE_OK;
}

/* ---- entries ---- */

static struct map_entry of_bytes(const struct map *map, struct bytes key)
{
    check(map->keys == MAP_OF_BYTES);
    return (struct map_entry){.hash = map_hash(map->seed, key), .key = key};
}

static struct map_entry of_number(const struct map *map, uint64_t number)
{
    check(map->keys == MAP_OF_NUMBERS);
    return (struct map_entry){.hash = hash_number(map->seed, number), .number = number};
}

static enum sqlstate put(struct map *map, struct map_entry entry, void *value, void **replaced,
                         struct error *error)
{
    check(value != NULL, "NULL marks a free slot");
    enum sqlstate failed = map_reserve(map, map->count + 1, error);
    if (failed)
        return failed;
    struct map_entry *slot = find_slot(map, &entry);
    if (replaced)
        *replaced = slot->value;
    map->count += !slot->value;
    entry.value = value;
    *slot = entry; /* the key, too: its bytes stand in the new value, as a rule */
    return SQLSTATE_OK;
}

enum sqlstate map_put(struct map *map, struct bytes key, void *value, void **replaced, struct error *error)
{
    return put(map, of_bytes(map, key), value, replaced, error);
}

enum sqlstate map_put_number(struct map *map, uint64_t number, void *value, void **replaced,
                             struct error *error)
{
    return put(map, of_number(map, number), value, replaced, error);
}

void *map_find(const struct map *map, struct bytes key)
{
    struct map_entry wanted = of_bytes(map, key);
    return map->slots ? find_slot(map, &wanted)->value : NULL;
}

void *map_find_number(const struct map *map, uint64_t number)
{
    struct map_entry wanted = of_number(map, number);
    return map->slots ? find_slot(map, &wanted)->value : NULL;
}

/* Closes the gap: an entry behind it moves into it unless its hash points behind the gap, in the circle. Its
 * own slot is then the gap. */
static void close_gap(struct map *map, size_t gap)
{
    for (size_t at = (gap + 1) & map->mask; map->slots[at].value; at = (at + 1) & map->mask) {
        size_t moved = (at - map->slots[at].hash) & map->mask; /* steps from where it wants to stand */
        if (moved < ((at - gap) & map->mask))
            continue;
        map->slots[gap] = map->slots[at];
        gap = at;
    }
    map->slots[gap].value = NULL;
}

static void *remove_entry(struct map *map, struct map_entry wanted)
{
    if (!map->slots)
        return NULL;
    struct map_entry *slot = find_slot(map, &wanted);
    void *value = slot->value;
    if (!value)
        return NULL;
    close_gap(map, (size_t)(slot - map->slots));
    map->count--;
    return value;
}

void *map_remove(struct map *map, struct bytes key)
{
    return remove_entry(map, of_bytes(map, key));
}

void *map_remove_number(struct map *map, uint64_t number)
{
    return remove_entry(map, of_number(map, number));
}

void map_clear(struct map *map)
{
    if (map->slots)
        memset(map->slots, 0, slots_of(map) * sizeof *map->slots);
    map->count = 0;
}

const struct map_entry *map_next(const struct map *map, size_t *at)
{
    while (*at < slots_of(map)) {
        const struct map_entry *entry = &map->slots[(*at)++];
        if (entry->value)
            return entry;
    }
    return NULL;
}
