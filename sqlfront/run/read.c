/* Decoding stored rows and index entries into slots, where they are.
 *
 * The room belongs to the coordinator, which waits meanwhile; several fragments may fill different places of it at the
 * same time and share the arena for what does not lie in the values. */
#include "sqlfront/run/operator.h"

static void add_column(struct reader *reader, uint32_t column, uint32_t slot)
{
    reader->want[reader->decoded] = (uint16_t)column;
    reader->slot[reader->decoded++] = (uint16_t)slot;
}

static void add_system(struct reader *reader, int16_t number, uint32_t slot)
{
    reader->system[reader->systems] = number;
    reader->system_slot[reader->systems++] = (uint16_t)slot;
}

/* Where in an index's entries a column stands: its place among the index's columns, -1 = not there. */
static int entry_column(const struct index *index, int16_t attnum)
{
    for (uint32_t i = 0; i < index->columns; i++)
        if (index->column[i] == attnum)
            return (int)i;
    return -1;
}

static void want_of_entry(struct reader *reader, const struct index *index, int16_t attnum, uint32_t slot)
{
    int at = entry_column(index, attnum);
    check(at >= 0, "column %d is not in index %s", attnum, index->name);
    if ((uint32_t)at >= index->key_columns) {
        add_column(reader, (uint32_t)at - index->key_columns + 1, slot); /* 0 is the row's key */
        return;
    }
    reader->part_slot[at] = (int32_t)slot;
    if (reader->parts <= (uint32_t)at)
        reader->parts = (uint32_t)at + 1;
}

/* Whether the index can answer alone: keys of some types do not give the value back. */
static bool entries_suffice(const struct plan *plan)
{
    const struct index *index = plan->index;
    if (!plan->index_only || index == NULL || index->clustered)
        return false;
    for (uint32_t i = 0; i < plan->wanted; i++) {
        int at = plan->want[i] < 0 ? 0 : entry_column(index, plan->want[i]);
        if (at < 0 || ((uint32_t)at < index->key_columns && plan->want[i] > 0 &&
                       !key_is_exact(index->key_part[at].type)))
            return false;
    }
    return true;
}

void reader_make(struct scope *scope, struct reader *reader, const struct plan *plan)
{
    uint32_t slots = plan->columns + 1;
    *reader = (struct reader){.mode = entries_suffice(plan) ? READER_ENTRIES : READER_ROWS,
                              .relation = plan->relation,
                              .index = plan->index,
                              .columns = plan->columns,
                              .key_slot = plan->wants_key ? (int32_t)plan->columns - 1 : -1};
    reader->want = scope_alloc(scope, slots * sizeof(uint16_t));
    reader->slot = scope_alloc(scope, slots * sizeof(uint16_t));
    reader->system = scope_alloc(scope, slots * sizeof(int16_t));
    reader->system_slot = scope_alloc(scope, slots * sizeof(uint16_t));
    reader->loose_slot = scope_alloc(scope, slots * sizeof(uint16_t));
    uint32_t parts = plan->index ? plan->index->key_columns + 1 : 1;
    reader->part_slot = scope_alloc(scope, parts * sizeof(int32_t));
    for (uint32_t i = 0; i < parts; i++)
        reader->part_slot[i] = -1;
    /* Numerics come last: hardly one of them has bytes. */
    static const enum value_kind loose[] = {VALUE_BYTES, VALUE_NUMERIC};
    for (uint32_t i = 0; i < 2 * plan->columns; i++) {
        uint32_t slot = i % plan->columns;
        if (plan->column[slot]->kind == loose[i / plan->columns] && (int32_t)slot != reader->key_slot)
            reader->loose_slot[reader->loose_slots++] = (uint16_t)slot;
    }
    for (uint32_t i = 0; i < plan->wanted; i++) {
        if (plan->want[i] < 0)
            add_system(reader, plan->want[i], i);
        else if (reader->mode == READER_ENTRIES)
            want_of_entry(reader, plan->index, plan->want[i], i);
        else
            add_column(reader, (uint32_t)plan->want[i] - 1, i);
    }
}

/* ---- memory for bytes ---- */

enum sqlstate row_room_want(struct scope *scope, struct row_room *room, size_t arena_size,
                            struct error *error)
{
    void *memory;
    if (room->arena_size >= arena_size)
        return SQLSTATE_OK;
    size_t size = room->arena_size ? room->arena_size : 4096;
    while (size < arena_size)
        size *= 2;
    enum sqlstate failed = scope_alloc_large(scope, size, 16, &memory, error);
    if (failed)
        return failed;
    if (room->arena && !room->borrowed)
        scope_free_large(scope, room->arena);
    room->arena = memory;
    room->arena_size = size;
    room->borrowed = false;
    return SQLSTATE_OK;
}

/* Room for the bytes of a row; NULL when the arena has not so much left. */
static uint8_t *arena_take(struct row_room *room, size_t size)
{
    if (room->alone && size <= room->arena_size - room->used) {
        uint8_t *taken = room->arena + room->used;
        room->used += size;
        return taken;
    }
    size_t at = __atomic_fetch_add(&room->used, size, __ATOMIC_RELAXED);
    if (at + size <= room->arena_size)
        return room->arena + at;
    __atomic_fetch_sub(&room->used, size, __ATOMIC_RELAXED);
    __atomic_store_n(&room->wanted, size, __ATOMIC_RELAXED);
    return NULL;
}

/* ---- rows ---- */

struct value key_as_tid(struct bytes key)
{
    uint64_t tail = 0;
    size_t size = key.size < 6 ? key.size : 6;
    if (size)
        memcpy(&tail, key.data + key.size - size, size);
    return value_integer((int64_t)(__builtin_bswap64(tail) >> 16));
}

static struct value system_value(const struct reader *reader, int16_t number, const struct store_row *row)
{
    switch (number) {
    case SYSTEM_TABLEOID:
        return value_integer(reader->relation->oid);
    case SYSTEM_XMIN:
        return value_integer((uint32_t)row->scn);
    case SYSTEM_CTID:
        return key_as_tid(row->key);
    default:
        return value_integer(0);
    }
}

static size_t loose_bytes(const struct reader *reader, const struct row_room *room, uint32_t at)
{
    size_t size = 0;
    for (uint32_t i = 0; i < reader->loose_slots; i++) {
        const struct value *value = &room->column[reader->loose_slot[i]][at];
        if (!value->null && !value->small)
            size += value->size;
    }
    return size;
}

/* Values whose bytes, `loose` of them, lie in the row (or in `scope`) move to the arena. */
static bool settle(const struct reader *reader, struct row_room *room, uint32_t at, struct bytes key,
                   size_t loose)
{
    size_t size = loose + (reader->key_slot >= 0 ? key.size : 0);
    uint8_t *bytes = size ? arena_take(room, size) : NULL, *end = loose ? bytes + loose : bytes;
    if (size && bytes == NULL)
        return false;
    for (uint32_t i = 0; i < reader->loose_slots && bytes < end; i++) {
        struct value *value = &room->column[reader->loose_slot[i]][at];
        if (value->null || value->small || !value->size)
            continue;
        bytes_copy(bytes, value_view(value));
        value->p = bytes;
        bytes += value->size;
    }
    if (reader->key_slot >= 0) {
        memcpy(bytes, key.data, key.size);
        room->column[reader->key_slot][at] = value_bytes(bytes, key.size);
    }
    return true;
}

static enum sqlstate decode_parts(const struct reader *reader, struct scope *scope, struct bytes key,
                                  struct row_room *room, uint32_t at, struct error *error)
{
    for (uint32_t i = 0; i < reader->parts; i++) {
        struct value value;
        enum sqlstate failed = key_decode(scope, &reader->index->key_part[i], &key, &value, error);
        if (failed)
            return failed;
        if (reader->part_slot[i] >= 0)
            room->column[reader->part_slot[i]][at] = value;
    }
    return SQLSTATE_OK;
}

bool reader_take(const struct reader *reader, struct scope *scope, const struct store_row *row,
                 struct row_room *room, uint32_t at, enum sqlstate *failed, struct error *error)
{
    struct bytes key = row->key;
    struct value row_key;
    size_t loose;
    *failed = SQLSTATE_OK;
    if (reader->mode == READER_ROWS) {
        *failed = row_decode_at(reader->relation->layout, row->row, reader->want, reader->slot,
                                reader->decoded, room->column, at, &loose, error);
    } else {
        if (reader->key_slot >= 0) {
            *failed = row_decode(reader->index->layout, row->row, (uint16_t[]){0}, 1, &row_key, error);
            key = value_view(&row_key);
        }
        if (!*failed && reader->decoded)
            *failed = row_decode_at(reader->index->layout, row->row, reader->want, reader->slot,
                                    reader->decoded, room->column, at, &loose, error);
        if (!*failed && reader->parts)
            *failed = decode_parts(reader, scope, row->key, room, at, error);
        loose = *failed ? 0 : loose_bytes(reader, room, at);
    }
    for (uint32_t i = 0; i < reader->systems && !*failed; i++)
        room->column[reader->system_slot[i]][at] = system_value(reader, reader->system[i], row);
    if (*failed)
        return false;
    return settle(reader, room, at, key, loose);
}
