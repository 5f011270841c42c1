/* Evaluating expressions over batches. An expression is compiled once per execution (or kept with a cached plan) into
 * steps over columns of values; a step runs a kernel over all selected rows where there is one, else the scalar function row by
 * row. CASE, AND, OR, COALESCE evaluate their arguments for the rows that need them only (errors and volatile functions
 * happen exactly where PostgreSQL has them happen). */
#ifndef SYNOD_SQLFRONT_EVALUATE_EVALUATE_H
#define SYNOD_SQLFRONT_EVALUATE_EVALUATE_H

#include "sqlfront/algebra/algebra.h"

#define BATCH_ROWS 1024

/* Rows between operators: column[c][r]. Only rows of the selection count (ascending; NULL: 0 .. count-1); all columns share it. The
 * bytes values point to are valid until the operator that gave the batch is asked for the next one. */
struct batch {
    uint32_t columns;
    uint32_t count; /* selected rows */
    const uint16_t *selection;
    const struct value **column;
};

static inline uint32_t batch_row(const struct batch *batch, uint32_t at)
{
    return batch->selection ? batch->selection[at] : at;
}

/* What an execution hands to all expressions in it. */
struct evaluation {
    struct environment *environment;
    const struct value *parameters; /* of the statement, from $1 */
    uint32_t parameter_count;
    struct value *outer; /* PARAMETER_OUTER slots */
};

struct program; /* compiled expression */

/* Compiles. 0A000 for a function the library does not have. `scope` owns the program and its functions' lasting memory.
 * Parameters are read when it runs. */
enum sqlstate program_make(struct scope *scope, struct evaluation *evaluation,
                           const struct expression *expression, struct program **program,
                           struct error *error);

/* Runs for the batch's selected rows: result[row] for each. `scratch` holds what values point to; the caller closes it when
 * the batch is done with. Yields only when a FUNCTION_SESSION function does. */
enum sqlstate program_run(struct program *program, const struct batch *batch, struct scope *scratch,
                          struct value *result, struct error *error);

/* The same without a copy where there need not be one: *values[row], valid until the program runs again and as long as the
 * batch and the scratch scope. */
enum sqlstate program_view(struct program *program, const struct batch *batch, struct scope *scratch,
                           const struct value **values, struct error *error);

/* The rows for which a boolean expression is true: `selection` has room for BATCH_ROWS; *count of them. */
enum sqlstate program_select(struct program *program, const struct batch *batch, struct scope *scratch,
                             uint16_t *selection, uint32_t *count, struct error *error);

/* One row, no columns (constants, parameters) or the given ones: for bounds, limits, defaults, the planner's folding. */
enum sqlstate program_run_row(struct program *program, const struct value *columns, uint32_t count,
                              struct scope *scratch, struct value *result, struct error *error);

/* Compiles and runs an expression without columns once. */
enum sqlstate evaluate_constant(struct scope *scope, struct evaluation *evaluation,
                                const struct expression *expression, struct value *result,
                                struct error *error);

#endif
