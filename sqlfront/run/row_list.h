/* Rows in the order they were added, read from any place, any number of times: those of WITH queries, of rounds of a recursion,
 * of what came from other cores, of cursors. The first ones stay in memory, the rest goes to disk when the grant is full.
 * What readers were given from memory stays valid as long as the list. */
#ifndef SYNOD_SQLFRONT_RUN_ROW_LIST_H
#define SYNOD_SQLFRONT_RUN_ROW_LIST_H

#include "sqlfront/run/spill.h"

struct row_list;

struct row_list_options {
    struct world *world;
    struct scope *scope; /* of the list, its rows and its file */
    uint32_t columns;
    const struct type *const *types;
    size_t grant;   /* bytes in memory */
    size_t reserve; /* with less left under the scope's budgets rows go to disk, too */
    struct spill_options spill;
};

struct row_list *row_list_open(const struct row_list_options *options);
/* One of `shares` lists that have the grant together. */
void row_list_share(struct row_list *list, uint32_t shares);
/* Adds a copy. 53200, 53100, 53400. Yields. */
enum sqlstate row_list_add(struct row_list *list, const struct value *const *columns, uint32_t row,
                           struct error *error);
uint64_t row_list_count(const struct row_list *list);
/* Bytes that went to disk. */
uint64_t row_list_spilled(const struct row_list *list);

/* Zeroed but for `at` and `scope`. */
struct row_reader {
    uint64_t at;         /* the next row; may be set to any place before reading */
    struct scope *scope; /* for the reader's buffer; may live shorter than the list */
    uint32_t segment;
    uint64_t segment_at; /* the row the segment's reader is at */
    struct scope *segment_scope;
    struct spill_reader *segment_reader;
};

/* Rows from reader->at on, at most `rows`, into room[column][...]; *count 0 when there are none yet. Bytes lie in the list or in
 * `scope`. Yields. */
enum sqlstate row_list_read(struct row_list *list, struct row_reader *reader, struct scope *scope,
                            struct value **room, uint32_t rows, uint32_t *count, struct error *error);

#endif
