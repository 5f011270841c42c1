/* Rows by their keys: one hop when there is one key, one for each core when there are many, which are read in the order of keys. */
#include "sqlfront/run/operator.h"

struct fetch {
    const struct reader *reader;
    uint64_t table;
    const struct bytes *keys;
    const uint32_t *place; /* of each key's row in the room; NULL: its number */
    struct row_room *room;
    bool *found;
    struct scope *scope;
};

/* What one fragment's sink needs. */
struct fetch_part {
    struct fetch *fetch;
    struct scope *scope;
    enum sqlstate failed;
    struct error *error;
};

static void take(void *argument, uint32_t number, const struct store_row *row)
{
    struct fetch_part *part = argument;
    struct fetch *fetch = part->fetch;
    uint32_t place = fetch->place ? fetch->place[number] : number;
    fetch->found[place] = row != NULL;
    if (row == NULL || part->failed)
        return;
    enum sqlstate failed;
    struct error error;
    if (!reader_take(fetch->reader, part->scope, row, fetch->room, place, &failed, &error) && failed) {
        part->failed = failed;
        *part->error = error;
    }
}

static enum sqlstate fetch_many(struct branch *branch, struct scope *scope, struct key_share *share,
                                void *argument, struct error *error)
{
    struct fetch_part part = {.fetch = argument, .scope = scope, .error = error};
    struct key_sink sink = {.take = take, .argument = &part};
    while (share->done < share->count) {
        enum sqlstate failed =
            branch_get_keys(branch, scope, share, share->count - share->done, &sink, error);
        if (failed)
            return failed;
    }
    return part.failed;
}

static enum sqlstate fetch_one(struct branch *branch, struct scope *scope, void *argument,
                               struct error *error)
{
    struct fetch *fetch = argument;
    struct fetch_part part = {.fetch = fetch, .scope = scope, .error = error};
    struct store_row row;
    bool found;
    enum sqlstate failed = branch_get(branch, scope, fetch->table, fetch->keys[0], &row, &found, error);
    if (failed)
        return failed;
    take(&part, 0, found ? &row : NULL);
    return part.failed;
}

/* ---- one row, to be written ---- */

struct locked_fetch {
    struct fetch fetch;
    enum lock_strength strength;
};

/* What the snapshot does not see is not there; of what it sees the newest state counts. */
static enum sqlstate fetch_and_lock(struct branch *branch, struct scope *scope, void *argument,
                                    struct error *error)
{
    struct locked_fetch *locked = argument;
    const struct fetch *fetch = &locked->fetch;
    struct fetch_part part = {.fetch = &locked->fetch, .scope = scope, .error = error};
    struct store_row row;
    enum lock_outcome outcome;
    bool found;
    enum sqlstate failed = branch_get(branch, scope, fetch->table, fetch->keys[0], &row, &found, error);
    if (!failed && found)
        failed = branch_lock(branch, scope, fetch->table, fetch->keys[0], locked->strength, LOCK_WAIT, &row,
                             &found, &outcome, error);
    if (failed)
        return failed;
    take(&part, 0, found ? &row : NULL);
    return part.failed;
}

enum sqlstate fetch_locked(struct execution *execution, struct scope *scope, const struct reader *reader,
                           uint64_t table, struct bytes key, enum lock_strength strength,
                           struct row_room *room, bool *found, struct error *error)
{
    struct locked_fetch locked = {
        .fetch = {.reader = reader, .table = table, .keys = &key, .room = room, .found = found},
        .strength = strength};
    for (;;) {
        room->used = room->wanted = 0;
        enum sqlstate failed =
            transaction_run(execution->request.transaction, table, key, fetch_and_lock, &locked, error);
        if (failed || room->wanted == 0)
            return failed;
        if ((failed = row_room_want(scope, room, 2 * (room->arena_size + room->wanted), error)))
            return failed;
    }
}

/* ---- rows to be read ---- */

static enum sqlstate read_rows(struct transaction *transaction, struct scope *scope, struct fetch *fetch,
                               uint32_t count, struct error *error)
{
    struct key_run run = {
        .table = fetch->table, .key = fetch->keys, .count = count, .run = fetch_many, .argument = fetch};
    struct row_room *room = fetch->room;
    for (;;) {
        room->used = room->wanted = 0;
        enum sqlstate failed =
            count == 1 ? transaction_run(transaction, fetch->table, fetch->keys[0], fetch_one, fetch, error)
                       : transaction_run_keys(transaction, &run, error);
        if (failed || room->wanted == 0)
            return failed;
        /* Somebody's bytes did not fit: once more, with twice the room. */
        if ((failed = row_room_want(scope, room, 2 * (room->arena_size + room->wanted), error)))
            return failed;
    }
}

enum sqlstate fetch_rows(struct execution *execution, struct scope *scope, const struct reader *reader,
                         uint64_t table, const struct bytes *keys, uint32_t count, struct row_room *room,
                         bool *found, struct error *error)
{
    struct fetch fetch = {.reader = reader, .table = table, .keys = keys, .room = room, .found = found};
    if (count < KEYS_ORDERED_MIN)
        return read_rows(execution->request.transaction, scope, &fetch, count, error);
    struct scope *scratch = scope_open(scope, "keys in order");
    uint32_t *order = scope_alloc(scratch, count * sizeof order[0]);
    struct bytes *ordered = scope_alloc(scratch, count * sizeof ordered[0]);
    key_order(scratch, keys, count, order);
    for (uint32_t i = 0; i < count; i++)
        ordered[i] = keys[order[i]];
    fetch.keys = ordered;
    fetch.place = order;
    enum sqlstate failed = read_rows(execution->request.transaction, scope, &fetch, count, error);
    scope_close(scratch);
    return failed;
}
