/* See map.h.
 *
 * Directory row:  varint shard, varint volume, u8 layout, u8 to_open, bytes to */
#include "engine/map.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/scope.h"

static int place_order(const struct shard_place *place, uint64_t table, struct bytes from)
{
    if (place->table != table)
        return place->table < table ? -1 : 1;
    return bytes_compare(place->from, from);
}

/* First place that is not before (table, from). */
static size_t lower_bound(const struct shard_map *map, uint64_t table, struct bytes from)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (place_order(&map->place[middle], table, from) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t shard_map_first(const struct shard_map *map, uint64_t table)
{
    return lower_bound(map, table, bytes_of(NULL, 0));
}

const struct shard_place *shard_map_find(const struct shard_map *map, uint64_t table, struct bytes key)
{
    size_t at = lower_bound(map, table, key);
    if (at == map->count || place_order(&map->place[at], table, key) != 0) {
        if (at == 0)
            return NULL;
        at--;
    }
    const struct shard_place *place = &map->place[at];
    if (place->table != table || (!place->to_open && bytes_compare(key, place->to) >= 0))
        return NULL;
    return place;
}

const struct shard_place *shard_map_of(const struct shard_map *map, uint64_t shard)
{
    for (size_t i = 0; i < map->count; i++)
        if (map->place[i].shard == shard)
            return &map->place[i];
    return NULL;
}

static struct bytes copy(struct scope *scope, struct bytes bytes)
{
    return bytes.size ? bytes_of(scope_copy(scope, bytes.data, bytes.size), bytes.size) : bytes_of(NULL, 0);
}

static void add_place(struct shard_map *map, const struct shard_place *place)
{
    struct shard_place *to = &map->place[map->count++];
    *to = *place;
    to->from = copy(map->scope, place->from);
    to->to = copy(map->scope, place->to);
}

static bool is_gone(uint64_t shard, const uint64_t *gone, size_t gone_count)
{
    for (size_t i = 0; i < gone_count; i++)
        if (gone[i] == shard)
            return true;
    return false;
}

struct shard_map *shard_map_change(struct scope *parent, const struct shard_map *old, const uint64_t *gone,
                                   size_t gone_count, const struct shard_place *added, size_t added_count)
{
    struct scope *scope = scope_open(parent, "shard map");
    struct shard_map *map = scope_alloc_zeroed(scope, sizeof *map);
    map->scope = scope;
    map->version = old ? old->version + 1 : 1;
    size_t most = (old ? old->count : 0) + added_count;
    /* Past any limit: what has committed cannot be undone for want of a map. */
    map->place = scope_alloc(scope, (most + 1) * sizeof *map->place);
    for (size_t i = 0; old && i < old->count; i++)
        if (!is_gone(old->place[i].shard, gone, gone_count))
            add_place(map, &old->place[i]);
    for (size_t i = 0; i < added_count; i++) {
        size_t at = lower_bound(map, added[i].table, added[i].from);
        add_place(map, &added[i]);
        struct shard_place last = map->place[map->count - 1];
        memmove(&map->place[at + 1], &map->place[at], (map->count - 1 - at) * sizeof last);
        map->place[at] = last;
    }
    return map;
}

struct bytes shard_place_key(struct scope *scope, const struct shard_place *place)
{
    uint8_t *key = scope_alloc(scope, sizeof(uint64_t) + place->from.size);
    uint64_t table = __builtin_bswap64(place->table);
    memcpy(key, &table, sizeof table);
    if (place->from.size)
        memcpy(key + sizeof table, place->from.data, place->from.size);
    return bytes_of(key, sizeof table + place->from.size);
}

struct bytes shard_place_write(struct scope *scope, const struct shard_place *place)
{
    size_t room = 32 + place->to.size;
    struct codec_writer out = codec_writer_of(scope_alloc(scope, room), room);
    codec_write_varint(&out, place->shard);
    codec_write_varint(&out, place->volume);
    codec_write_u8(&out, (uint8_t)place->layout);
    codec_write_u8(&out, place->to_open);
    codec_write_bytes(&out, place->to);
    check(!out.failed);
    return codec_written(&out);
}

bool shard_place_read(struct bytes key, struct bytes row, struct shard_place *place)
{
    struct codec_reader in = codec_reader_of(key);
    uint64_t table = codec_read_u64(&in);
    *place = (struct shard_place){.table = __builtin_bswap64(table)};
    place->from = codec_read_view(&in, codec_left(&in));
    if (!codec_read_all(&in))
        return false;
    in = codec_reader_of(row);
    place->shard = codec_read_varint(&in);
    place->volume = (uint32_t)codec_read_varint_at_most(&in, CORES_MAX - 1);
    place->layout = codec_read_u8(&in);
    uint8_t to_open = codec_read_u8(&in);
    place->to_open = to_open;
    place->to = codec_read_bytes(&in);
    return codec_read_all(&in) && to_open <= 1 &&
           (place->layout == TABLE_ROW || place->layout == TABLE_MEMORY);
}
