/* The parts of a scan that are the same in every store; see store.h. */
#include "engine/store/store.h"

#include "base/check.h"
#include "base/scope.h"

struct bytes store_cursor_from(const struct store_cursor *cursor, bool *at_end, bool *exclusive)
{
    *at_end = false;
    *exclusive = cursor->started || cursor->backward;
    if (cursor->started)
        return bytes_of(cursor->at, cursor->at_size);
    if (!cursor->backward)
        return cursor->range.from;
    *at_end = cursor->range.to_open;
    return cursor->range.to;
}

bool store_cursor_ends_before(const struct store_cursor *cursor, struct bytes key)
{
    if (cursor->backward)
        return bytes_compare(key, cursor->range.from) < 0;
    return !cursor->range.to_open && bytes_compare(key, cursor->range.to) >= 0;
}

void store_cursor_remember(struct store_cursor *cursor, struct bytes key)
{
    check(key.size <= STORE_KEY_BYTES_MAX);
    if (!cursor->at)
        cursor->at = scope_alloc(cursor->scope, STORE_KEY_BYTES_MAX);
    bytes_copy(cursor->at, key);
    cursor->at_size = key.size;
    cursor->started = true;
}

void store_piece_take(struct store_piece *piece, struct bytes row)
{
    size_t left = piece->offset < row.size ? row.size - piece->offset : 0;
    piece->found = true;
    piece->row_bytes = row.size;
    piece->bytes = left < piece->room ? left : piece->room;
    if (piece->bytes)
        memcpy(piece->into, row.data + piece->offset, piece->bytes);
}
