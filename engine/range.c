/* Ranges of keys, cut where shards begin. */
#include "base/scope.h"
#include "engine/inside.h"

/* The part of a range that lies in a place; false when none does. */
static bool overlap(const struct key_range *range, const struct shard_place *place, struct key_range *part)
{
    part->from = bytes_compare(range->from, place->from) > 0 ? range->from : place->from;
    if (range->to_open || (!place->to_open && bytes_compare(place->to, range->to) < 0)) {
        part->to = place->to;
        part->to_open = place->to_open;
    } else {
        part->to = range->to;
        part->to_open = false;
    }
    return part->to_open || bytes_compare(part->from, part->to) < 0;
}

static struct bytes copy(struct scope *scope, struct bytes bytes)
{
    return bytes.size ? bytes_of(scope_copy(scope, bytes.data, bytes.size), bytes.size) : bytes_of(NULL, 0);
}

static void add_piece(struct scope *scope, const struct key_range *range, struct list_link *before)
{
    struct range_piece *piece = scope_alloc(scope, sizeof *piece);
    list_link_init(&piece->link);
    piece->range = (struct key_range){.from = copy(scope, range->from), .to_open = range->to_open};
    if (!range->to_open)
        piece->range.to = copy(scope, range->to);
    list_insert_before(before, &piece->link);
}

void range_cut(struct transaction *transaction, struct scope *scope, uint64_t table,
               const struct key_range *range, struct list_link *before)
{
    const struct shard_map *map = engine_map(transaction->core->engine);
    size_t at = shard_map_first(map, table);
    if (at == map->count || map->place[at].table != table) {
        /* Not in the map: made in this transaction, as one shard. */
        if (range->to_open || bytes_compare(range->from, range->to) < 0)
            add_piece(scope, range, before);
        return;
    }
    for (; at < map->count && map->place[at].table == table; at++) {
        struct key_range part;
        if (overlap(range, &map->place[at], &part))
            add_piece(scope, &part, before);
    }
}

struct key_range range_rest(const struct store_cursor *cursor, struct scope *scope)
{
    struct key_range rest = cursor->range;
    if (!cursor->started)
        return rest;
    uint8_t *key = scope_alloc(scope, cursor->at_size + 1);
    memcpy(key, cursor->at, cursor->at_size);
    key[cursor->at_size] = 0; /* the next key there can be */
    if (cursor->backward) {
        rest.to = bytes_of(key, cursor->at_size);
        rest.to_open = false;
    } else
        rest.from = bytes_of(key, cursor->at_size + 1);
    return rest;
}
