/* Calls of set-returning functions, as FUNCTION and SET_PROJECT make them. Private to sqlfront/run. */
#ifndef SYNOD_SQLFRONT_RUN_SET_CALL_H
#define SYNOD_SQLFRONT_RUN_SET_CALL_H

#include "sqlfront/run/operator.h"

/* One call (or, in FROM, any other expression: a set of one row). */
struct set_call {
    const struct expression *expression;
    uint32_t columns;                    /* it gives: 1, or the fields of its record */
    const struct type **types;           /* of those */
    bool expands;                        /* its record's fields are the columns */
    const struct set_function *function; /* NULL: a plain expression */
    bool gives_columns;                  /* the function gives the fields themselves */
    uint32_t arguments;
    struct program **argument;
    struct program *whole; /* of a plain expression */
    struct call call;
    const struct type **argument_types;
    struct scope *lasting; /* of one opening */
    struct value *row;     /* what the function gives */
    bool open, once;
};

/* Compiles. `columns` as FROM wants them; 1 in a target list, where a record stays whole. 0A000 when the library does not
 * have the function. */
enum sqlstate set_call_make(struct operation *step, const struct expression *expression, uint32_t columns,
                            bool in_from, struct set_call *call, struct error *error);

/* Begins with the arguments of one row (`columns` NULL: without columns). */
enum sqlstate set_call_open(struct operation *step, struct set_call *call, const struct batch *input,
                            uint32_t row, struct error *error);

/* The next row into results[0 .. columns-1], whose bytes are the scratch scope's; *end instead when there is none. */
enum sqlstate set_call_next(struct operation *step, struct set_call *call, struct value *results, bool *end,
                            struct error *error);

/* A call whose function gives many rows at once; then only the second of these may be called, straight into a batch's columns. */
static inline bool set_call_by_batches(const struct set_call *call)
{
    return call->function && call->function->next_rows;
}
enum sqlstate set_call_next_rows(struct operation *step, struct set_call *call, struct value *const *results,
                                 uint32_t most, uint32_t *count, struct error *error);

#endif
