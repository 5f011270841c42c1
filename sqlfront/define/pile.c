/* A sorted load past the log is some ten times faster than inserting row by row; but the rows have to be in memory to be sorted, so a
 * pile that grows beyond PILE_BYTES_MAX is written out as ordinary inserts, and so is what follows. */
#include "sqlfront/define/pile.h"

#include "base/scope.h"

#include <string.h>

#define PILE_BYTES_MAX (256UL * 1024 * 1024)

void pile_open(struct pile *pile, struct scope *scope, struct transaction *transaction, uint64_t table)
{
    *pile = (struct pile){
        .scope = scope_open(scope, "pile"), .transaction = transaction, .table = table, .in_order = true};
}

static enum sqlstate pile_grow(struct pile *pile, struct error *error)
{
    size_t room = pile->room ? 2 * pile->room : 1024;
    void *memory;
    enum sqlstate failed = scope_alloc_large(pile->scope, room * sizeof *pile->rows, 16, &memory, error);
    if (failed)
        return failed;
    if (pile->count) {
        memcpy(memory, pile->rows, pile->count * sizeof *pile->rows);
        scope_free_large(pile->scope, pile->rows);
    }
    pile->rows = memory;
    pile->room = room;
    return SQLSTATE_OK;
}

static enum sqlstate pile_copy(struct pile *pile, struct bytes from, struct bytes *to, struct error *error)
{
    void *memory;
    enum sqlstate failed = SQLSTATE_OK;
    if (from.size < SCOPE_SMALL_BYTES)
        memory = scope_alloc(pile->scope, from.size + 1);
    else
        failed = scope_alloc_large(pile->scope, from.size, 16, &memory, error);
    if (failed)
        return failed;
    if (from.size)
        memcpy(memory, from.data, from.size);
    *to = bytes_of(memory, from.size);
    return SQLSTATE_OK;
}

static enum sqlstate write_all(struct pile *pile, bool *done, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    *done = true;
    for (size_t i = 0; i < pile->count && !failed && *done; i++)
        failed =
            row_insert(pile->transaction, pile->table, pile->rows[i].key, pile->rows[i].row, done, error);
    pile->count = 0;
    pile->writing = true;
    return failed;
}

enum sqlstate pile_add(struct pile *pile, struct bytes key, struct bytes row, bool *done, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    *done = true;
    if (!pile->writing && pile->bytes > PILE_BYTES_MAX)
        failed = write_all(pile, done, error);
    if (failed || !*done)
        return failed;
    if (pile->writing)
        return row_insert(pile->transaction, pile->table, key, row, done, error);
    if (pile->count == pile->room)
        failed = pile_grow(pile, error);
    struct pile_row *added = &pile->rows[pile->count];
    if (!failed)
        failed = pile_copy(pile, key, &added->key, error);
    if (!failed)
        failed = pile_copy(pile, row, &added->row, error);
    if (failed)
        return failed;
    if (pile->count && bytes_compare(pile->rows[pile->count - 1].key, added->key) >= 0)
        pile->in_order = false;
    pile->count++;
    pile->bytes += key.size + row.size + sizeof *added;
    return SQLSTATE_OK;
}

/* Merge sort; depth is the logarithm of the count. */
static void sort(struct pile_row *rows, size_t count, struct pile_row *room)
{
    if (count < 2)
        return;
    size_t half = count / 2, left = 0, right = half, to = 0;
    sort(rows, half, room);
    sort(rows + half, count - half, room);
    memcpy(room, rows, half * sizeof *rows);
    while (left < half && right < count)
        rows[to++] = bytes_compare(rows[right].key, room[left].key) < 0 ? rows[right++] : room[left++];
    memcpy(rows + to, room + left, (half - left) * sizeof *rows);
}

static enum sqlstate next_row(void *argument, struct bytes *key, struct bytes *row, bool *end,
                              struct error *error)
{
    struct pile *pile = argument;
    (void)error;
    *end = pile->at == pile->count;
    if (*end)
        return SQLSTATE_OK;
    *key = pile->rows[pile->at].key;
    *row = pile->rows[pile->at++].row;
    return SQLSTATE_OK;
}

enum sqlstate pile_finish(struct pile *pile, struct bytes *duplicate, struct error *error)
{
    *duplicate = bytes_of(NULL, 0);
    if (pile->writing || pile->count == 0)
        return SQLSTATE_OK;
    if (!pile->in_order) {
        void *room;
        enum sqlstate failed =
            scope_alloc_large(pile->scope, pile->count * sizeof *pile->rows, 16, &room, error);
        if (failed)
            return failed;
        sort(pile->rows, pile->count, room);
    }
    for (size_t i = 1; i < pile->count; i++)
        if (bytes_compare(pile->rows[i - 1].key, pile->rows[i].key) == 0) {
            *duplicate = pile->rows[i].key;
            return SQLSTATE_OK;
        }
    const struct store_source source = {.next = next_row, .argument = pile};
    enum sqlstate failed = table_load(pile->transaction, pile->table, &source, error);
    if (!failed)
        scope_close(pile->scope);
    return failed;
}
