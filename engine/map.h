/* The shard map: which shard holds which keys of which table, and which core owns it. Immutable: core 0 makes a new one for
 * each change and publishes the pointer; an old one goes when every core has had mail since, for nobody keeps a pointer
 * to a map over a yield. */
#ifndef SYNOD_ENGINE_MAP_H
#define SYNOD_ENGINE_MAP_H

#include "base/bytes.h"
#include "engine/engine.h"

/* The directory of shards is itself a table: number 0, one shard, number 1, on core 0. */
#define TABLE_DIRECTORY 0
#define SHARD_DIRECTORY 1

struct shard_place {
    uint64_t table;
    struct bytes from, to; /* keys from <= key < to */
    bool to_open;
    uint64_t shard;
    uint32_t volume;
    enum table_layout layout;
    uint64_t
        scn; /* of the commit that made the table, if that was since the start: older snapshots do not see it */
};

struct shard_map {
    struct scope *scope; /* the map's own: everything in it */
    uint64_t version;
    size_t count;
    struct shard_place *place; /* by (table, from) */
};

/* The place whose range holds the key; NULL when the table has none. */
const struct shard_place *shard_map_find(const struct shard_map *map, uint64_t table, struct bytes key);

/* The place of a shard, or NULL. Walks all places. */
const struct shard_place *shard_map_of(const struct shard_map *map, uint64_t shard);

/* Index of the first place of the table, or of where it would be. */
size_t shard_map_first(const struct shard_map *map, uint64_t table);

/* A map with the same places but those whose shard is in `gone`, and with `added` ones; memory from a child of `scope`. */
struct shard_map *shard_map_change(struct scope *scope, const struct shard_map *old, const uint64_t *gone,
                                   size_t gone_count, const struct shard_place *added, size_t added_count);

/* A row of the directory: key = u64 table (big endian), from; value as shard_place_write() has it. */
struct bytes shard_place_key(struct scope *scope, const struct shard_place *place);
struct bytes shard_place_write(struct scope *scope, const struct shard_place *place);
bool shard_place_read(struct bytes key, struct bytes row, struct shard_place *place);

#endif
