/* A transaction as a client of the stand does it: each call goes to the engine and is told to the witness.
 *
 * Rows are *cells*: each belongs to a key of the witness and holds its values, a number of the scenario's, and filling that
 * follows from the newest value, so that a row that is not whole is noticed. Calls give false when the transaction is
 * broken: then only deal_end() is left. */
#ifndef SYNOD_TEST_SIM_ENGINE_DEAL_H
#define SYNOD_TEST_SIM_ENGINE_DEAL_H

#include "test/sim/engine/stand.h"

/* What was in a row. */
struct seen {
    bool there;
    uint64_t value; /* the newest, 0 when there is no row */
    int64_t number;
    const uint64_t *values; /* of a list; the deal's memory */
    uint32_t count;
};

/* A row, in the stand's memory. Cells of one table are one array: `index` counts from its first. */
struct cell {
    uint64_t table;
    uint64_t index;         /* its key */
    uint32_t key;           /* of the witness */
    enum witness_kind kind; /* 0: the witness is told nothing; the value is index + 1 */
};

/* Makes cells with keys of their own, in the stand's memory. */
struct cell *cells_open(struct stand *stand, uint64_t table, size_t count, enum witness_kind kind);
void cell_open(struct stand *stand, struct cell *cell, uint64_t table, uint64_t index,
               enum witness_kind kind);

/* Whether a table is there; false also when that cannot be asked now. Yields. */
bool table_is_there(struct client *client, uint64_t table);

/* Makes the table of the cells, if need be, and fills it with all of them (none when count is 0), in one transaction.
 * Yields. */
bool cells_set_up(struct client *client, uint64_t table, enum table_layout layout, const struct cell *cells,
                  size_t count, int64_t number);

/* Reads all cells, told as the final state. `visit` may be NULL. Yields. */
void cells_look(struct client *client, const struct cell *cells, size_t count,
                void (*visit)(void *argument, size_t at, const struct seen *seen), void *argument);

struct deal {
    struct client *client;
    struct scope *scope;
    struct transaction *transaction;
    struct witness_transaction *told;
    enum isolation isolation;
    bool async;
    bool wrote;
    bool broken;
    bool expects_no_table; /* 42P01 may come */
    enum sqlstate failed;  /* of what broke it */
    struct error error;
};

#define CELL_KEY_BYTES_MAX 64

/* The bytes of a cell's key: order-preserving, of different lengths. */
struct bytes cell_key(uint64_t index, uint8_t room[static CELL_KEY_BYTES_MAX]);
uint64_t cell_index(struct bytes key);

/* Begins; false when the engine does not take transactions (it stops). */
bool deal_begin(struct deal *deal, struct client *client, enum isolation isolation);

/* Begins as the scenario likes: an isolation drawn from its levels, now and then asynchronously. */
bool deal_open(struct deal *deal, struct client *client);

/* The same, with commit_async, seeing the client's earlier ones. */
bool deal_begin_async(struct deal *deal, struct client *client, enum isolation isolation);

/* The next statement begins. */
void deal_statement(struct deal *deal);

/* Reads the cell as the isolation has it. */
bool deal_see(struct deal *deal, const struct cell *cell, struct seen *seen);

/* Locks the cell's row and reads the newest. `outcome` may be NULL. When skipped, `seen` says it is not there. */
bool deal_hold(struct deal *deal, const struct cell *cell, enum lock_strength strength,
               enum lock_policy policy, enum lock_outcome *outcome, struct seen *seen);

/* Locks or reads for writing, as suits the isolation. */
bool deal_take(struct deal *deal, const struct cell *cell, struct seen *seen);

/* Writes the cell: a new value behind `before`, and the number. False also when somebody else was faster with an insert:
 * then the deal is broken, too, with SQLSTATE_OK. */
bool deal_write(struct deal *deal, const struct cell *cell, const struct seen *before, int64_t number);

/* Reads and writes the cell in one go, in a fragment on the core that owns it. */
bool deal_bump(struct deal *deal, const struct cell *cell, int64_t number);

/* Deletes the row. The witness hears nothing: cells that are deleted are no business of its. */
bool deal_delete(struct deal *deal, const struct cell *cell, bool *done);

/* Scans cells[from..to) (all of one table, one array), in either direction; those without a row are seen absent. */
bool deal_scan(struct deal *deal, const struct cell *cells, uint64_t from, uint64_t to, bool backward,
               struct seen *seen);

/* A savepoint, and rolling back to it. */
struct deal_mark {
    uint64_t savepoint;
    size_t mark;
};
void deal_savepoint(struct deal *deal, struct deal_mark *mark);
bool deal_rollback_to(struct deal *deal, const struct deal_mark *mark);

/* Commits, or rolls back when it is broken or not wanted. The deal is over. */
enum witness_outcome deal_end(struct deal *deal, bool wanted);

/* Notes an error of a call: whether such an error may come. Gives false. */
bool deal_broke(struct deal *deal, const char *what, enum sqlstate failed);

#endif
