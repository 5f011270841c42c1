/* The row store: a B+-tree on disk (one committed version per row) below a history in memory (the versions since, and those
 * that snapshots still need). engine/README.md, section 4, tells the idea; README.md beside this file the rules. */
#ifndef SYNOD_ENGINE_ROW_ROW_H
#define SYNOD_ENGINE_ROW_ROW_H

#include "engine/store/store.h"
#include "engine/tree/tree.h"

struct row_store_options {
    struct world *world;
    struct volume *volume; /* of this core; must outlive the store */
    struct tree_root root; /* where the shard rests; zero = empty */
    uint64_t shard, table; /* for messages */
    size_t memory_bytes;   /* of the history, before room is made by merging */
    /* An open writer's versions of the row leave memory: row_store_holders() tells of them from now on. May be NULL. Must not
     * yield. */
    void (*left)(struct writer *writer, struct bytes key);
    /* Called between two stretches of a merge, a fold or a spill, by whoever has the right to merge: a place to commit the
     * volume when too many of its pages wait for that. May be NULL. Yields. */
    enum sqlstate (*relieve)(void *argument, struct error *error);
    void *argument;
};

/* Opens; freed with the scope. Reads nothing and does not yield. */
struct store *row_store_open(struct scope *scope, const struct row_store_options *options);

/* Large rows are written before they are applied, straight to where they rest: begun, written from front to end in pieces whose
 * sizes (but the last one's) are multiples of row_store_large_unit(), then applied as effect.large, from when on the store
 * looks after them, or dropped. Nothing refers to one that was not applied, and after a restart nothing is left of it.
 * Writing fails with 53100 or 53200. begin and write yield. */
size_t row_store_large_unit(const struct store *store);
enum sqlstate row_store_large_begin(struct store *store, uint64_t size, struct store_large *large,
                                    struct error *error);
enum sqlstate row_store_large_write(struct store *store, const struct store_large *large, uint64_t offset,
                                    struct bytes piece, struct error *error);
void row_store_large_drop(struct store *store, const struct store_large *large);

/* Reads of one: it must be there as long as that takes. Yields. */
enum sqlstate row_store_large_read(struct store *store, const struct store_large *large, uint64_t offset,
                                   void *into, size_t bytes, struct error *error);

/* Recovery: brings committed effects back, in the order of the log, before anybody reads; of each row one version is kept. Each
 * `store` is a row store. `scn`: all of them are stable up to there. Yields. */
struct row_recovered {
    struct store *store;
    struct effect effect;
    uint64_t scn;
};
#define ROW_RECOVERED_MAX 64
enum sqlstate row_stores_recover(const struct row_recovered *effects, size_t count, uint64_t scn,
                                 struct error *error);

/* Starts reading the pages with these keys that are not in memory, without waiting for them. Does not yield. */
void row_store_ahead(struct store *store, const struct bytes *keys, size_t count);

/* Where the tree is now: what the volume's next root record must say of this shard. After checkpoint() it holds all that
 * the checkpoint promised, once the volume has committed. */
struct tree_root row_store_root(const struct store *store);

/* Whether anything has changed since the tree was last written down (a history with rows, or a changed root). */
bool row_store_dirty(const struct store *store, const struct tree_root *written);

/* Whether versions of a writer who committed above `since`, or is open, lie outside of the history. */
bool row_store_spilled(const struct store *store, uint64_t since);

/* Tells of each open writer but `transaction` that has versions outside of memory of some key in the range, with one such key.
 * *again: a page had to be read, so what was told is not of one moment; ask again. May yield then. */
enum sqlstate row_store_holders(struct store *store, uint64_t transaction, const struct key_range *range,
                                void (*found)(void *argument, uint64_t holder, struct bytes key),
                                void *argument, bool *again, struct error *error);

/* Whether there is no row of that key and no version of one, and never a page had to be read to know it. What is in doubt counts as
 * there. Does not yield. */
bool row_store_absent(const struct store *store, struct bytes key);

/* Tells of rows in the range, in memory, that open writers but `transaction` have inserted: of all, or gives false after a good
 * many looks. Does not yield. */
bool row_store_inserters(const struct store *store, uint64_t transaction, const struct key_range *range,
                         void (*found)(void *argument, uint64_t holder, struct bytes key), void *argument);

/* A key that cuts the rows at rest about in half, in `key` (STORE_KEY_BYTES_MAX); *found false when there is none. Yields. */
enum sqlstate row_store_middle(struct store *store, uint8_t *key, size_t *size, bool *found,
                               struct error *error);

/* Gives all pages of the tree back; the store is empty and of no use afterwards. Yields. */
enum sqlstate row_store_drop(struct store *store, struct error *error);

#endif
