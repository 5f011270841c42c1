/* Tables: made and dropped in transactions, while others use them. Users take an object lock on the table first, as SQL
 * does, so nobody drops what is in use. */
#include "test/sim/engine/deal.h"
#include "test/sim/engine/scenarios.h"

#include <inttypes.h>

#define TABLE_FIRST 10
#define TABLES_MAX  2000
#define ROWS        3
#define ACTIVE      6
#define LOCK_CLASS  1

/* A number is used once: a table whose making failed never comes.
 *
 *   NOT_YET -> MAKING -> THERE -> DROPPING -> GONE
 *                 \          ^       /
 *                  \          \-----/   the transaction failed
 *                   -> GONE, or UNKNOWN after a crash or a failure of the log: the next user after a restart finds out. Before
 *                      it nobody sees the commit, and afterwards it may be there. */
enum table_state { NOT_YET, MAKING, THERE, DROPPING, GONE, UNKNOWN };

struct table {
    enum table_state state;
    uint64_t starts;   /* of the process, when the state became MAKING or DROPPING */
    struct cell *rows; /* ROWS of them */
};

struct tables {
    struct table table[TABLES_MAX];
    uint64_t used;
    uint64_t active[ACTIVE]; /* tables in use */
};

static void tables_open(struct stand *stand)
{
    struct tables *tables = stand->state;
    tables->used = ACTIVE;
    for (uint64_t i = 0; i < ACTIVE; i++)
        tables->active[i] = i;
}

static bool tables_set_up(struct client *client)
{
    (void)client;
    return true;
}

static uint64_t number_of(uint64_t table)
{
    return TABLE_FIRST + table;
}

/* What was under way when the process ended is unknown. */
static void settle(struct stand *stand, struct table *table)
{
    if ((table->state == MAKING || table->state == DROPPING) && table->starts != stand->starts)
        table->state = UNKNOWN;
}

static bool lock_table(struct deal *deal, uint64_t table, enum lock_mode mode)
{
    struct lock_object object = {.class = LOCK_CLASS, .low = number_of(table)};
    enum lock_outcome outcome;
    enum sqlstate failed =
        transaction_lock_object(deal->transaction, &object, mode, LOCK_WAIT, &outcome, &deal->error);
    deal_statement(deal);
    return failed ? deal_broke(deal, "transaction_lock_object", failed) : true;
}

static void make(struct client *client, uint64_t at)
{
    struct stand *stand = client->stand;
    struct tables *tables = stand->state;
    struct table *table = &tables->table[at];
    struct deal deal;
    if (!table->rows)
        table->rows = cells_open(stand, number_of(at), ROWS, WITNESS_CHAIN);
    if (!deal_begin(&deal, client, READ_COMMITTED))
        return;
    table->state = MAKING;
    table->starts = stand->starts;
    if (lock_table(&deal, at, LOCK_ACCESS_EXCLUSIVE)) {
        enum sqlstate failed = table_create(deal.transaction, number_of(at), TABLE_ROW, &deal.error);
        if (failed)
            deal_broke(&deal, "table_create", failed);
        deal.wrote |= !failed;
    }
    for (uint64_t i = 0; i < ROWS && !deal.broken; i++)
        deal_write(&deal, &table->rows[i], &(struct seen){0}, 0);
    if (client_chance(client, 30))
        client_sleep(client, SIM_MILLISECOND);
    enum witness_outcome outcome = deal_end(&deal, client_chance(client, 80));
    table->state = outcome == WITNESS_OK ? THERE : outcome == WITNESS_FAILED ? GONE : UNKNOWN;
}

/* An error of a call on a table: that it is not there is an answer. */
static bool not_there(struct deal *deal)
{
    return deal->failed == SQLSTATE_UNDEFINED_TABLE;
}

static void drop(struct client *client, uint64_t at)
{
    struct stand *stand = client->stand;
    struct tables *tables = stand->state;
    struct table *table = &tables->table[at];
    struct deal deal;
    if (!deal_begin(&deal, client, READ_COMMITTED))
        return;
    if (!lock_table(&deal, at, LOCK_ACCESS_EXCLUSIVE) || table->state != THERE) {
        deal_end(&deal, false);
        return;
    }
    table->state = DROPPING;
    table->starts = stand->starts;
    enum sqlstate failed = table_drop(deal.transaction, number_of(at), &deal.error);
    if (failed)
        deal_broke(&deal, "table_drop", failed);
    deal.wrote |= !failed;
    enum witness_outcome outcome = deal_end(&deal, client_chance(client, 80));
    table->state = outcome == WITNESS_OK ? GONE : outcome == WITNESS_FAILED ? THERE : UNKNOWN;
    for (uint64_t i = 0; i < ACTIVE && table->state == GONE; i++)
        if (tables->active[i] == at && tables->used < TABLES_MAX)
            tables->active[i] = tables->used++;
}

/* Reads or writes a row. The lock keeps the table as it is; its state when the lock was got says what must be found. */
static void use(struct client *client, uint64_t at)
{
    struct stand *stand = client->stand;
    struct tables *tables = stand->state;
    struct table *table = &tables->table[at];
    struct seen seen;
    struct deal deal;
    uint64_t row = client_below(client, ROWS);
    if (!table->rows || !deal_begin(&deal, client, READ_COMMITTED))
        return;
    if (!lock_table(&deal, at, client_chance(client, 50) ? LOCK_ACCESS_SHARE : LOCK_ROW_EXCLUSIVE)) {
        deal_end(&deal, false);
        return;
    }
    enum table_state expected = table->state;
    uint64_t starts = stand->starts;
    deal.expects_no_table = true;
    bool right = client_chance(client, 50) ? deal_see(&deal, &table->rows[row], &seen)
                                           : deal_take(&deal, &table->rows[row], &seen);
    if (not_there(&deal) && expected == THERE)
        stand_fail(stand, "table %" PRIu64 " is not there, and should be", number_of(at));
    if (right && (expected == GONE || expected == NOT_YET))
        stand_fail(stand, "table %" PRIu64 " is there, and should not be", number_of(at));
    if (right && !seen.there)
        stand_fail(stand, "table %" PRIu64 " is there without its rows", number_of(at));
    deal_statement(&deal);
    if (right && client_chance(client, 50) &&
        deal_hold(&deal, &table->rows[row], LOCK_UPDATE, LOCK_WAIT, NULL, &seen))
        deal_write(&deal, &table->rows[row], &seen, 0);
    if (expected == UNKNOWN && table->state == UNKNOWN && starts == stand->starts && starts > table->starts &&
        (right || not_there(&deal)))
        table->state = right ? THERE : GONE;
    deal_end(&deal, client_chance(client, 90));
}

static void tables_step(struct client *client)
{
    struct stand *stand = client->stand;
    struct tables *tables = stand->state;
    uint64_t slot = client_below(client, ACTIVE), at = tables->active[slot];
    settle(stand, &tables->table[at]);
    switch (tables->table[at].state) {
    case NOT_YET:
        make(client, at);
        break;
    case GONE:
        if (tables->used < TABLES_MAX) {
            tables->active[slot] = tables->used++;
            break;
        }
        /* Most of them could not be made while the disk was full. */
        stand->goal = 0;
        use(client, at);
        break;
    case THERE:
        if (client_chance(client, 15)) {
            drop(client, at);
            break;
        }
        use(client, at);
        break;
    default:
        use(client, at);
    }
}

static void tables_look(struct client *client)
{
    struct stand *stand = client->stand;
    struct tables *tables = stand->state;
    for (uint64_t i = 0; i < tables->used; i++) {
        struct table *table = &tables->table[i];
        settle(stand, table);
        bool there = table_is_there(client, number_of(i));
        if (there && (table->state == GONE || table->state == NOT_YET))
            stand_fail(stand, "table %" PRIu64 " is there at the end, and should not be", number_of(i));
        if (!there && table->state == THERE)
            stand_fail(stand, "table %" PRIu64 " is not there at the end, and should be", number_of(i));
        if (there && table->rows)
            cells_look(client, table->rows, ROWS, NULL, NULL);
    }
}

const struct scenario tables_scenario = {
    .state_bytes = sizeof(struct tables),
    .commits = 400,
    .open = tables_open,
    .set_up = tables_set_up,
    .step = tables_step,
    .look = tables_look,
};
