/* Writing rows: what MODIFY and the actions of foreign keys share. Private to sqlfront/run.
 *
 *     write.c      effects and locks of many rows, on their owners at once
 *     writer.c     a relation's rows with constraints, generated columns and indexes
 *     violation.c  the errors, worded as PostgreSQL words them
 *     foreign.c    foreign keys, both sides; what waits for the end of the statement or the transaction */
#ifndef SYNOD_SQLFRONT_RUN_WRITE_H
#define SYNOD_SQLFRONT_RUN_WRITE_H

#include "sqlfront/run/operator.h"

/* ---- write.c ---- */

/* Writes effects to a table, in their order where one core owns them; done[i] tells what branch_write() told. Yields. */
enum sqlstate write_effects(struct execution *execution, uint64_t table, const struct effect *effects,
                            uint32_t count, bool *done, struct error *error);

/* Locks rows and gives their newest state. */
struct lock_request_rows {
    uint64_t table;
    const struct bytes *key;
    uint32_t count;
    enum lock_strength strength;
    enum lock_policy policy;
    /* How the rows were read (NULL: their bytes are not wanted when they are there): only rows that are different now come
     * back. `old[c]` NULL: column c was not read. */
    const struct relation *relation;
    struct value *const *old;
    bool always; /* all rows come back */
    /* LOCK_SKIP: one row after the other in the order of the list, until so many are locked; 0 = all. What is behind the last
     * of them, or behind rows that one core has, may be left untried. */
    uint32_t enough;
};
enum lock_result { ROW_UNTRIED, ROW_SAME, ROW_CHANGED, ROW_GONE, ROW_SKIPPED };
struct locked_row {
    uint8_t result; /* enum lock_result */
    struct bytes row;
};
/* `locked` is zeroed. Memory of `scope`. 55P03, 40P01, 40001. Yields. */
enum sqlstate lock_rows(struct execution *execution, struct scope *scope,
                        const struct lock_request_rows *request, struct locked_row *locked,
                        struct error *error);

/* ---- writer.c ---- */

struct index_writer {
    const struct index *index;
    struct program **expression;
    struct program *predicate;
    bool unique;       /* a key that is there is a violation, unless it holds a null */
    uint32_t *include; /* columns - 1, behind the key columns */
};

struct writing; /* writer.c */

struct row_writer {
    struct operation *step;
    struct execution *execution;
    const struct relation *relation;
    const struct table_bound *bound;
    struct program **generated; /* per column; NULL = none */
    bool any_generated;
    struct program **check;
    uint32_t indexes;
    struct index_writer *index;  /* all but a clustered one */
    const struct index *primary; /* the clustered one; NULL: rows have ids */
    uint16_t *all;               /* 0 .. columns-1 */
    struct activity *activity;   /* the relation's on this core */
    struct writing *writing;     /* what writer_start() began, or NULL */
};

/* Compiles, for the execution. */
enum sqlstate writer_make(struct operation *step, const struct relation *relation,
                          const struct table_bound *bound, struct row_writer **writer, struct error *error);

/* Rows to be written, dense: column c of row i is old[c][i], new[c][i]. */
struct change {
    uint8_t kind; /* QUERY_INSERT, QUERY_UPDATE, QUERY_DELETE */
    uint32_t count;
    struct scope *scope;   /* of everything here */
    struct value **old;    /* UPDATE, DELETE */
    struct value **new;    /* INSERT, UPDATE */
    struct bytes *old_key; /* UPDATE, DELETE: the rows are locked */
    struct bytes *new_key; /* filled in */
};
/* Generated columns, NOT NULL, CHECK; new keys. */
enum sqlstate writer_check(struct row_writer *writer, struct change *change, struct error *error);
/* Writes rows and index entries: 23505. Then foreign keys are noted. Yields. */
enum sqlstate writer_write(struct row_writer *writer, struct change *change, struct error *error);
/* The same, but perhaps the rows are still under way when it gives: the caller may read on, in this transaction too, and what the
 * change points to stays as it is until writer_finish(). */
enum sqlstate writer_start(struct row_writer *writer, struct change *change, struct error *error);
/* Waits for what was begun, if anything was, and gives its failure. Afterwards nothing is under way. Yields. */
enum sqlstate writer_finish(struct row_writer *writer, struct error *error);
/* An index's entry for row `row` of the columns. `unique`: the key alone tells rows apart. *is_in false: the predicate leaves it
 * out. */
enum sqlstate writer_entry(struct row_writer *writer, const struct index_writer *index, struct scope *scope,
                           struct value *const *columns, uint32_t row, struct bytes row_key,
                           struct bytes *key, struct bytes *entry, bool *unique, bool *is_in,
                           struct error *error);
/* Decodes a stored row into values[c] for all columns. */
enum sqlstate writer_decode(struct row_writer *writer, struct bytes row, struct value *values,
                            struct error *error);

/* ---- violation.c ---- */

/* "(a, b)=(1, 2)" of some columns; the scope's. */
const char *violation_key(struct execution *execution, struct scope *scope, const struct relation *relation,
                          const int16_t *columns, uint32_t count, const struct value *values);
enum sqlstate raise_not_null(struct row_writer *writer, const struct change *change, uint32_t row,
                             uint32_t column, struct error *error);
enum sqlstate raise_check(struct row_writer *writer, const struct change *change, uint32_t row,
                          const struct constraint *constraint, struct error *error);
enum sqlstate raise_duplicate(struct row_writer *writer, const struct index *index,
                              struct value *const *columns, uint32_t row, struct error *error);

/* ---- foreign.c ---- */

/* Notes what the change means for foreign keys on both sides. */
enum sqlstate foreign_note(struct row_writer *writer, const struct change *change, struct error *error);
/* At the end of a statement: checks and actions, until there is nothing left. Begins new statements. Yields. */
enum sqlstate foreign_settle(struct execution *execution, struct error *error);

#endif
