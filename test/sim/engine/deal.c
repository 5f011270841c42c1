/* Transactions of the stand's clients. */
#include "test/sim/engine/deal.h"

#include "base/check.h"
#include "base/codec.h"

#include <inttypes.h>
#include <string.h>

/* ---- keys and rows ---- */

struct bytes cell_key(uint64_t index, uint8_t room[static CELL_KEY_BYTES_MAX])
{
    size_t more = index % 4 * 11;
    for (int i = 0; i < 8; i++)
        room[i] = (uint8_t)(index >> (56 - 8 * i));
    for (size_t i = 0; i < more; i++)
        room[8 + i] = (uint8_t)('a' + i);
    return bytes_of(room, 8 + more);
}

uint64_t cell_index(struct bytes key)
{
    uint64_t index = 0;
    for (size_t i = 0; i < 8 && i < key.size; i++)
        index = index << 8 | key.data[i];
    return index;
}

/* In front of each row; the values and the filling follow. */
struct row_head {
    uint32_t key; /* of the witness */
    uint32_t count;
    uint64_t bytes; /* of the whole row */
    int64_t number;
};

static uint64_t row_bytes(const struct stand *stand, uint64_t value, uint32_t count)
{
    uint64_t mixed = value * 0x9e3779b97f4a7c15u;
    uint64_t most = (mixed >> 40) % 100 == 0 ? stand->row_bytes_rare : stand->row_bytes;
    return sizeof(struct row_head) + count * sizeof(uint64_t) + (mixed >> 20) % (most + 1);
}

static uint8_t filling(uint64_t value, uint64_t at)
{
    return (uint8_t)(value * 31 + at * 7 + (at >> 8));
}

static bool row_make(struct deal *deal, const struct cell *cell, const uint64_t *values, uint32_t count,
                     int64_t number, struct bytes *row)
{
    struct row_head head = {.key = cell->key, .count = count, .number = number};
    uint64_t value = values[count - 1];
    void *memory;
    head.bytes = row_bytes(deal->client->stand, value, count);
    enum sqlstate failed = scope_alloc_large(deal->scope, head.bytes, 16, &memory, &deal->error);
    if (failed)
        return deal_broke(deal, "memory for a row", failed);
    uint8_t *to = memory;
    size_t used = sizeof head + count * sizeof *values;
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, values, count * sizeof *values);
    for (size_t at = used; at < head.bytes; at++)
        to[at] = filling(value, at);
    *row = bytes_of(to, head.bytes);
    return true;
}

/* Takes a row apart; says so when it is not a whole row of that cell. */
static void row_read(struct deal *deal, const struct cell *cell, struct bytes row, struct seen *seen)
{
    struct stand *stand = deal->client->stand;
    struct row_head head;
    *seen = (struct seen){.there = true};
    if (row.size < sizeof head) {
        stand_fail(stand, "garbage: row %" PRIu64 " of table %" PRIu64 " has %zu bytes", cell->index,
                   cell->table, row.size);
        return;
    }
    memcpy(&head, row.data, sizeof head);
    if (head.key != cell->key || head.bytes != row.size || head.count == 0 ||
        head.count > (row.size - sizeof head) / sizeof(uint64_t)) {
        stand_fail(stand,
                   "garbage: row %" PRIu64 " of table %" PRIu64 " says key %u (%u), %" PRIu64 " bytes (%zu)",
                   cell->index, cell->table, head.key, cell->key, head.bytes, row.size);
        return;
    }
    uint64_t *values = scope_copy(deal->scope, row.data + sizeof head, head.count * sizeof *values);
    seen->number = head.number;
    seen->values = values;
    seen->count = head.count;
    seen->value = values[head.count - 1];
    for (size_t at = sizeof head + head.count * sizeof *values; at < row.size; at++)
        if (row.data[at] != filling(seen->value, at)) {
            stand_fail(stand, "garbage: row %" PRIu64 " of table %" PRIu64 " is not whole at byte %zu",
                       cell->index, cell->table, at);
            return;
        }
}

void cell_open(struct stand *stand, struct cell *cell, uint64_t table, uint64_t index, enum witness_kind kind)
{
    *cell = (struct cell){.table = table, .index = index, .kind = kind};
    if (kind)
        cell->key = witness_key(stand->witness, kind);
}

struct cell *cells_open(struct stand *stand, uint64_t table, size_t count, enum witness_kind kind)
{
    void *memory;
    struct error error;
    enum sqlstate failed = scope_alloc_large(stand->scope, count * sizeof(struct cell), 16, &memory, &error);
    check(!failed, "no memory for cells");
    struct cell *cells = memory;
    for (size_t i = 0; i < count; i++)
        cell_open(stand, &cells[i], table, i, kind);
    return cells;
}

/* ---- errors ---- */

/* Errors a client must live with. What may not come at all is a finding. */
static bool may_come(const struct deal *deal, enum sqlstate failed)
{
    const struct stand *stand = deal->client->stand;
    switch (failed) {
    case SQLSTATE_SERIALIZATION_FAILURE:
        return deal->isolation == REPEATABLE_READ;
    case SQLSTATE_UNDEFINED_TABLE:
        return deal->expects_no_table;
    case SQLSTATE_DISK_FULL:
        return stand->full;
    case SQLSTATE_IO_ERROR:
    case SQLSTATE_STATEMENT_COMPLETION_UNKNOWN:
        return stand->faults;
    case SQLSTATE_DEADLOCK_DETECTED:
    case SQLSTATE_LOCK_NOT_AVAILABLE:
    case SQLSTATE_OUT_OF_MEMORY:
    case SQLSTATE_QUERY_CANCELED:
    case SQLSTATE_ADMIN_SHUTDOWN:
    case SQLSTATE_CANNOT_CONNECT_NOW:
        return true;
    default:
        return false;
    }
}

bool deal_broke(struct deal *deal, const char *what, enum sqlstate failed)
{
    char state[6];
    deal->broken = true;
    deal->failed = failed;
    if (!failed || may_come(deal, failed))
        return false;
    sqlstate_text(failed, state);
    stand_fail(deal->client->stand, "%s gave %s: %s", what, state, error_text(&deal->error, ERROR_MESSAGE));
    return false;
}

/* ---- beginning ---- */

static enum witness_level level_of(enum isolation isolation)
{
    return isolation == SERIALIZABLE      ? WITNESS_STRICT
           : isolation == REPEATABLE_READ ? WITNESS_SNAPSHOT
                                          : WITNESS_STATEMENT;
}

static enum isolation draw_isolation(struct client *client)
{
    uint32_t levels = client->stand->scenario->levels;
    for (;;) {
        enum isolation isolation = READ_COMMITTED + (enum isolation)client_below(client, 3);
        if (!levels || levels >> isolation & 1)
            return isolation;
    }
}

static bool begin(struct deal *deal, const struct transaction_options *options)
{
    struct stand *stand = deal->client->stand;
    deal->scope = scope_open(deal->client->world->scope, "deal");
    deal->told = witness_begin(stand->witness, deal->client->number, level_of(options->isolation));
    if (options->commit_async)
        witness_async(deal->told);
    enum sqlstate failed = transaction_begin(deal->client->world, stand->engine, deal->scope, options,
                                             &deal->transaction, &deal->error);
    if (!failed)
        return true;
    deal->transaction = NULL;
    deal_broke(deal, "transaction_begin", failed);
    deal_end(deal, false);
    return false;
}

bool deal_begin(struct deal *deal, struct client *client, enum isolation isolation)
{
    struct transaction_options options = {.isolation = isolation};
    *deal = (struct deal){.client = client, .isolation = isolation};
    if (client_chance(client, 10))
        options.lock_timeout_ns = (1 + client_below(client, 50)) * SIM_MILLISECOND;
    return begin(deal, &options);
}

bool deal_begin_async(struct deal *deal, struct client *client, enum isolation isolation)
{
    struct transaction_options options = {
        .isolation = isolation, .commit_async = true, .after_scn = client->after_scn};
    *deal = (struct deal){.client = client, .isolation = isolation, .async = true};
    return begin(deal, &options);
}

bool deal_open(struct deal *deal, struct client *client)
{
    enum isolation isolation = draw_isolation(client);
    return client_chance(client, client->stand->async_percent) ? deal_begin_async(deal, client, isolation)
                                                               : deal_begin(deal, client, isolation);
}

void deal_statement(struct deal *deal)
{
    if (deal->broken)
        return;
    witness_statement(deal->told);
    transaction_statement(deal->transaction);
}

/* ---- reading ---- */

static void tell_seen(struct deal *deal, const struct cell *cell, const struct seen *seen, bool locked)
{
    if (!cell->kind)
        return;
    if (cell->kind == WITNESS_LIST)
        witness_read_list(deal->told, cell->key, seen->values, seen->count, locked);
    else
        witness_read(deal->told, cell->key, seen->value, locked);
}

bool deal_see(struct deal *deal, const struct cell *cell, struct seen *seen)
{
    uint8_t room[CELL_KEY_BYTES_MAX];
    struct bytes row;
    bool found;
    *seen = (struct seen){0};
    enum sqlstate failed = row_get(deal->transaction, deal->scope, cell->table, cell_key(cell->index, room),
                                   &row, &found, &deal->error);
    if (failed)
        return deal_broke(deal, "row_get", failed);
    if (found)
        row_read(deal, cell, row, seen);
    tell_seen(deal, cell, seen, false);
    return true;
}

bool deal_hold(struct deal *deal, const struct cell *cell, enum lock_strength strength,
               enum lock_policy policy, enum lock_outcome *outcome, struct seen *seen)
{
    uint8_t room[CELL_KEY_BYTES_MAX];
    struct bytes row;
    bool found;
    enum lock_outcome ignored;
    *seen = (struct seen){0};
    outcome = outcome ? outcome : &ignored;
    enum sqlstate failed = row_lock(deal->transaction, deal->scope, cell->table, cell_key(cell->index, room),
                                    strength, policy, &row, &found, outcome, &deal->error);
    if (failed)
        return deal_broke(deal, "row_lock", failed);
    if (*outcome == LOCK_SKIPPED)
        return true;
    if (found)
        row_read(deal, cell, row, seen);
    /* KEY SHARE keeps nobody from writing other columns: what was seen may be old by the next moment. */
    if (strength != LOCK_KEY_SHARE)
        tell_seen(deal, cell, seen, true);
    return true;
}

bool deal_take(struct deal *deal, const struct cell *cell, struct seen *seen)
{
    bool plain = deal->isolation != READ_COMMITTED && client_chance(deal->client, 50);
    if (plain)
        return deal_see(deal, cell, seen);
    enum lock_strength strength = client_chance(deal->client, 50) ? LOCK_UPDATE : LOCK_NO_KEY_UPDATE;
    return deal_hold(deal, cell, strength, LOCK_WAIT, NULL, seen);
}

/* ---- scanning ---- */

struct scanning {
    struct deal *deal;
    const struct cell *cells;
    uint64_t from, to, next; /* `next`: the lowest (backward: highest + 1) index that may come */
    bool backward;
    struct seen *seen;
};

static bool take_row(void *argument, const struct store_row *row)
{
    struct scanning *scanning = argument;
    struct stand *stand = scanning->deal->client->stand;
    uint64_t index = cell_index(row->key);
    uint8_t room[CELL_KEY_BYTES_MAX];
    bool fits = index >= scanning->from && index < scanning->to;
    bool in_order = scanning->backward ? index < scanning->next : index >= scanning->next;
    if (!fits || !in_order || bytes_compare(row->key, cell_key(index, room))) {
        stand_fail(stand, "a scan from %" PRIu64 " to %" PRIu64 " gave row %" PRIu64 " at %" PRIu64 "%s",
                   scanning->from, scanning->to, index, scanning->next,
                   scanning->backward ? " backward" : "");
        return false;
    }
    scanning->next = scanning->backward ? index : index + 1;
    row_read(scanning->deal, &scanning->cells[index], row->row, &scanning->seen[index - scanning->from]);
    return true;
}

/* One shard's part of a scan, or of a list of keys. Like deal_bump(), the simulator allows it to use the deal's memory. */
static bool take_part_row(void *argument, const struct store_row *row)
{
    struct scanning *scanning = argument;
    uint64_t index = cell_index(row->key);
    uint8_t room[CELL_KEY_BYTES_MAX];
    if (index < scanning->from || index >= scanning->to || bytes_compare(row->key, cell_key(index, room)) ||
        scanning->seen[index - scanning->from].there) {
        stand_fail(scanning->deal->client->stand,
                   "fragments from %" PRIu64 " to %" PRIu64 " gave row %" PRIu64 " out of place or twice",
                   scanning->from, scanning->to, index);
        return false;
    }
    row_read(scanning->deal, &scanning->cells[index], row->row, &scanning->seen[index - scanning->from]);
    return true;
}

static enum sqlstate run_part(struct branch *branch, struct scope *scope, struct range_part *part,
                              void *argument, struct error *error)
{
    struct scanning *scanning = argument;
    struct store_sink sink = {.take = take_part_row, .argument = scanning};
    (void)scope;
    while (!part->cursor.done) {
        enum sqlstate failed = branch_scan(branch, part->table, &part->cursor, 5, &sink, error);
        if (failed)
            return failed;
        fiber_yield(branch_world(branch)->scheduler);
    }
    return SQLSTATE_OK;
}

static void take_key_row(void *argument, uint32_t number, const struct store_row *row)
{
    struct scanning *scanning = argument;
    if (row)
        row_read(scanning->deal, &scanning->cells[scanning->from + number], row->row,
                 &scanning->seen[number]);
}

static enum sqlstate run_keys(struct branch *branch, struct scope *scope, struct key_share *part,
                              void *argument, struct error *error)
{
    struct key_sink sink = {.take = take_key_row, .argument = argument};
    while (part->done < part->count) {
        enum sqlstate failed = branch_get_keys(branch, scope, part, 5, &sink, error);
        if (failed)
            return failed;
        fiber_yield(branch_world(branch)->scheduler);
    }
    return SQLSTATE_OK;
}

static enum sqlstate scan_in_fragments(struct deal *deal, struct scanning *scanning)
{
    uint8_t low[CELL_KEY_BYTES_MAX], high[CELL_KEY_BYTES_MAX];
    uint64_t count = scanning->to - scanning->from;
    uint64_t table = scanning->cells[scanning->from].table;
    if (client_chance(deal->client, 50)) {
        struct range_run run = {
            .table = table,
            .range = {.from = cell_key(scanning->from, low), .to = cell_key(scanning->to, high)},
            .backward = scanning->backward,
            .width = (uint32_t)client_below(deal->client, 4),
            .stays = client_chance(deal->client, 30),
            .run = run_part,
            .argument = scanning,
        };
        return transaction_run_range(deal->transaction, &run, &deal->error);
    }
    struct bytes *keys = scope_alloc(deal->scope, count * sizeof *keys);
    for (uint64_t i = 0; i < count; i++)
        keys[i] = cell_key(scanning->from + i, scope_alloc(deal->scope, CELL_KEY_BYTES_MAX));
    struct key_run run = {.table = table, .key = keys, .count = count, .run = run_keys, .argument = scanning};
    return transaction_run_keys(deal->transaction, &run, &deal->error);
}

bool deal_scan(struct deal *deal, const struct cell *cells, uint64_t from, uint64_t to, bool backward,
               struct seen *seen)
{
    uint8_t low[CELL_KEY_BYTES_MAX], high[CELL_KEY_BYTES_MAX];
    struct scanning scanning = {.deal = deal,
                                .cells = cells,
                                .from = from,
                                .to = to,
                                .next = backward ? to : from,
                                .backward = backward,
                                .seen = seen};
    struct row_scan scan = {
        .table = cells[from].table,
        .range = {.from = cell_key(from, low), .to = cell_key(to, high)},
        .backward = backward,
    };
    struct store_sink sink = {.take = take_row, .argument = &scanning};
    memset(seen, 0, (to - from) * sizeof *seen);
    enum sqlstate failed = client_chance(deal->client, 30)
                               ? scan_in_fragments(deal, &scanning)
                               : row_scan(deal->transaction, &scan, &sink, &deal->error);
    if (failed)
        return deal_broke(deal, "row_scan", failed);
    for (uint64_t i = from; i < to; i++)
        tell_seen(deal, &cells[i], &seen[i - from], false);
    return true;
}

/* ---- writing ---- */

/* The row that replaces `before`, with a value of its own, which the witness is told of. */
static bool make_next(struct deal *deal, const struct cell *cell, const struct seen *before, int64_t number,
                      uint64_t *value, struct bytes *row)
{
    uint32_t kept = cell->kind == WITNESS_LIST ? before->count : 0;
    uint64_t *values = scope_alloc(deal->scope, (kept + 1) * sizeof *values);
    if (cell->kind)
        *value = witness_write(deal->told, cell->key, cell->kind == WITNESS_CHAIN ? before->value : 0);
    else
        *value = cell->index + 1;
    if (kept)
        memcpy(values, before->values, kept * sizeof *values);
    values[kept] = *value;
    return row_make(deal, cell, values, kept + 1, number, row);
}

bool deal_write(struct deal *deal, const struct cell *cell, const struct seen *before, int64_t number)
{
    uint8_t room[CELL_KEY_BYTES_MAX];
    struct bytes key = cell_key(cell->index, room), row;
    uint64_t value;
    bool done;
    if (!make_next(deal, cell, before, number, &value, &row))
        return false;
    enum sqlstate failed = before->there
                               ? row_update(deal->transaction, cell->table, key, row, &done, &deal->error)
                               : row_insert(deal->transaction, cell->table, key, row, &done, &deal->error);
    if (failed)
        return deal_broke(deal, before->there ? "row_update" : "row_insert", failed);
    deal->wrote |= done;
    if (done)
        return true;
    if (cell->kind)
        witness_write_refused(deal->told, value);
    return deal_broke(deal, "nothing", SQLSTATE_OK);
}

struct bump {
    struct deal *deal;
    const struct cell *cell;
    int64_t number;
    bool refused;
};

static enum sqlstate run_bump(struct branch *branch, struct scope *scope, void *argument, struct error *error)
{
    struct bump *bump = argument;
    const struct cell *cell = bump->cell;
    uint8_t room[CELL_KEY_BYTES_MAX];
    struct bytes key = cell_key(cell->index, room);
    struct store_row row;
    struct seen before = {0};
    enum lock_outcome outcome;
    uint64_t value;
    bool found, done;
    enum sqlstate failed =
        branch_lock(branch, scope, cell->table, key, LOCK_UPDATE, LOCK_WAIT, &row, &found, &outcome, error);
    if (failed)
        return failed;
    if (found)
        row_read(bump->deal, cell, row.row, &before);
    tell_seen(bump->deal, cell, &before, true);
    struct effect effect = {.kind = found ? EFFECT_UPDATE : EFFECT_INSERT, .key = key};
    if (!make_next(bump->deal, cell, &before, bump->number, &value, &effect.row))
        return bump->deal->failed;
    failed = branch_write(branch, cell->table, &effect, &done, error);
    if (!failed && !done)
        stand_fail(bump->deal->client->stand, "row %" PRIu64 " of table %" PRIu64 " was locked, and %s",
                   cell->index, cell->table, found ? "is gone" : "came to be");
    return failed;
}

/* The fragment uses the deal's memory on another core, which only the simulator allows: all cores are one thread. */
bool deal_bump(struct deal *deal, const struct cell *cell, int64_t number)
{
    struct bump bump = {.deal = deal, .cell = cell, .number = number};
    uint8_t room[CELL_KEY_BYTES_MAX];
    enum sqlstate failed = transaction_run(deal->transaction, cell->table, cell_key(cell->index, room),
                                           run_bump, &bump, &deal->error);
    if (failed)
        return deal_broke(deal, "transaction_run", failed);
    deal->wrote = true;
    return true;
}

bool deal_delete(struct deal *deal, const struct cell *cell, bool *done)
{
    uint8_t room[CELL_KEY_BYTES_MAX];
    enum sqlstate failed =
        row_delete(deal->transaction, cell->table, cell_key(cell->index, room), done, &deal->error);
    deal->wrote |= !failed && *done;
    return failed ? deal_broke(deal, "row_delete", failed) : true;
}

/* ---- savepoints ---- */

void deal_savepoint(struct deal *deal, struct deal_mark *mark)
{
    mark->savepoint = transaction_savepoint(deal->transaction);
    mark->mark = witness_mark(deal->told);
}

bool deal_rollback_to(struct deal *deal, const struct deal_mark *mark)
{
    enum sqlstate failed = transaction_rollback_to(deal->transaction, mark->savepoint, &deal->error);
    if (failed)
        return deal_broke(deal, "transaction_rollback_to", failed);
    witness_rollback_to(deal->told, mark->mark);
    return true;
}

/* ---- the end ---- */

static enum witness_outcome commit(struct deal *deal, uint64_t *scn)
{
    struct stand *stand = deal->client->stand;
    enum sqlstate failed = transaction_commit(deal->transaction, &deal->error);
    *scn = failed ? 0 : transaction_scn(deal->transaction);
    if (failed)
        deal_broke(deal, "transaction_commit", failed);
    if (failed == SQLSTATE_STATEMENT_COMPLETION_UNKNOWN)
        return WITNESS_UNKNOWN;
    if (failed)
        return WITNESS_FAILED;
    if (deal->wrote && !*scn)
        stand_fail(stand, "a transaction that wrote has no commit number");
    if (deal->async && *scn)
        deal->client->after_scn = *scn;
    else if (*scn > stand->scn)
        stand->scn = *scn;
    stand->commits++;
    return WITNESS_OK;
}

enum witness_outcome deal_end(struct deal *deal, bool wanted)
{
    enum witness_outcome outcome = WITNESS_FAILED;
    uint64_t scn = 0;
    if (deal->transaction && wanted && !deal->broken)
        outcome = commit(deal, &scn);
    else if (deal->transaction)
        transaction_rollback(deal->transaction);
    deal->transaction = NULL;
    witness_end(deal->told, outcome, scn);
    scope_close(deal->scope);
    return outcome;
}

/* ---- all cells ---- */

static void count_shard(void *argument, const struct shard_view *view)
{
    uint64_t *count = argument;
    (void)view;
    ++*count;
}

bool table_is_there(struct client *client, uint64_t table)
{
    struct error error;
    uint64_t count = 0;
    enum sqlstate failed =
        shard_each(client->world, client->stand->engine, table, count_shard, &count, &error);
    return !failed && count > 0;
}

bool cells_set_up(struct client *client, uint64_t table, enum table_layout layout, const struct cell *cells,
                  size_t count, int64_t number)
{
    struct deal deal;
    if (table_is_there(client, table))
        return true;
    if (!deal_begin(&deal, client, READ_COMMITTED))
        return false;
    enum sqlstate failed = table_create(deal.transaction, table, layout, &deal.error);
    if (failed)
        deal_broke(&deal, "table_create", failed);
    deal.wrote = !failed;
    for (size_t i = 0; i < count && !deal.broken; i++)
        (void)deal_write(&deal, &cells[i], &(struct seen){0}, number);
    return deal_end(&deal, true) == WITNESS_OK;
}

/* Cells one deal looks at. */
#define LOOK_CELLS 100

void cells_look(struct client *client, const struct cell *cells, size_t count,
                void (*visit)(void *argument, size_t at, const struct seen *seen), void *argument)
{
    struct seen seen[LOOK_CELLS];
    for (size_t from = 0; from < count; from += LOOK_CELLS) {
        size_t some = count - from < LOOK_CELLS ? count - from : LOOK_CELLS;
        struct deal deal;
        if (!deal_begin(&deal, client, SERIALIZABLE)) {
            stand_fail(client->stand, "the last look cannot begin");
            return;
        }
        witness_final(deal.told);
        bool right = deal_scan(&deal, cells, from, from + some, client_chance(client, 50), seen);
        for (size_t i = 0; right && visit && i < some; i++)
            visit(argument, from + i, &seen[i]);
        if (deal_end(&deal, true) != WITNESS_OK) {
            stand_fail(client->stand, "the last look failed: %s",
                       error_text(&deal.error, ERROR_MESSAGE) ? error_text(&deal.error, ERROR_MESSAGE) : "?");
            return;
        }
    }
}
