/* Rows of a table that is there: taken off it a thousand at a time, decoded, put through compiled expressions. Private to
 * sqlfront/define. */
#ifndef SYNOD_SQLFRONT_DEFINE_ROWS_H
#define SYNOD_SQLFRONT_DEFINE_ROWS_H

#include "sqlfront/define/inside.h"
#include "sqlfront/evaluate/evaluate.h"

#define ROWS_TAKEN 1000

struct taken {
    struct bytes key, row;
};

struct walk {
    struct work *work;
    const struct relation *relation;
    struct scope *scope; /* of the rows in hand */
    struct taken *rows;
    uint32_t count;
    uint8_t at[STORE_KEY_BYTES_MAX + 1]; /* where to go on: behind the last key */
    size_t at_size;
    bool failed;
};

/* The next rows, in the order of keys; fewer than ROWS_TAKEN at the end. They are in walk->scope, the caller's to close. Yields. */
enum sqlstate rows_next(struct walk *walk, struct error *error);

/* Gives each row to `visit`: its key, and the values of all columns. Yields. */
enum sqlstate rows_each(struct work *work, const struct relation *relation,
                        enum sqlstate (*visit)(void *argument, struct scope *scope, struct bytes key,
                                               const struct value *values, struct error *error),
                        void *argument, struct error *error);

/* Compiles a bound expression over the columns of a relation, to be run over a row's values. */
enum sqlstate row_program(struct work *work, const struct expression *expression, struct program **program,
                          struct error *error);

/* "(a, b)=(1, x)" */
enum sqlstate key_words(struct work *work, const char *const *names, const struct type *const *types,
                        const struct value *values, uint32_t count, const char **words, struct error *error);

#endif
