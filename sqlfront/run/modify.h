/* MODIFY, in two files: modify.c, and conflict.c for INSERT ... ON CONFLICT. Private to sqlfront/run. */
#ifndef SYNOD_SQLFRONT_RUN_MODIFY_H
#define SYNOD_SQLFRONT_RUN_MODIFY_H

#include "sqlfront/run/write.h"

struct merge_program {
    struct program *condition;
    struct program **set;
};

struct modify {
    struct operation step;
    struct row_writer *writer;
    struct program **set; /* per column; NULL = unchanged, or null */
    struct program *recheck;
    struct program **returning;
    struct merge_program *merge;
    struct program **conflict_set, *conflict_where;
    uint32_t slots;          /* of the input */
    bool may_repeat;         /* a row may come twice */
    bool reads_on;           /* while rows are written */
    struct tuple_table seen; /* keys of rows written, where that matters */
    struct tuple_store seen_keys;
    bool opened;
    bool point_done; /* the only row was looked for; there is no input then */
    enum lock_strength strength;
    /* What the batch has done, for RETURNING: dense. */
    uint32_t done;
    struct value **done_row;   /* per column */
    struct value **done_input; /* per slot */
    struct value *done_system; /* INSERT: of each row SYSTEM_COLUMNS values, in columns of BATCH_ROWS */
};

/* Notes that a row was written; *again when it was before. */
enum sqlstate modify_note_key(struct modify *modify, struct bytes key, bool *again, struct error *error);
/* Adds row `row` of the columns (and of the input) to what RETURNING shows. */
void modify_note_row(struct modify *modify, struct value *const *columns, struct value *const *input,
                     uint32_t row, uint32_t input_row);
/* INSERT: adds the system columns of the row noted last; `replaced`: it was there and has been updated. */
void modify_note_system(struct modify *modify, struct bytes key, bool replaced);
/* INSERT ... ON CONFLICT of the change's rows, which are checked. */
enum sqlstate conflict_insert(struct modify *modify, struct change *change, struct value *const *input,
                              struct error *error);

#endif
