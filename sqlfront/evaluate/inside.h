/* What the files of sqlfront/evaluate share: nodes, and what one run of a program is.
 *
 *     program.c  the door; compiling; columns, constants, parameters
 *     call.c     functions and operators, DISTINCT, NULLIF, GREATEST, LEAST, comparing rows
 *     logic.c    AND, OR, NOT, IS, CASE, COALESCE: arguments for the rows that need them
 *     list.c     ANY, ALL, IN
 *     build.c    arrays, records, their parts; casts through text and of arrays; CURRENT_TIMESTAMP and friends */
#ifndef SYNOD_SQLFRONT_EVALUATE_INSIDE_H
#define SYNOD_SQLFRONT_EVALUATE_INSIDE_H

#include "base/check.h"
#include "base/world.h"
#include "sqlfront/evaluate/evaluate.h"

/* The subject of a CASE (or the elements of an array under a cast), for the CASE_VALUEs in it. */
struct subject {
    const struct value *values;
    struct subject *above; /* while compiling */
};

struct program {
    struct scope *scope;
    struct evaluation *evaluation;
    struct node *root;
    struct subject *subject; /* innermost, while compiling */
};

/* One run: for which batch, with what memory. */
struct frame {
    struct program *program;
    const struct batch *batch;
    struct scope *scratch;
    uint32_t rows; /* above every row that is selected */
    struct error *error;
};

/* The rows a node is evaluated for: a selection, or 0 .. count-1. Ascending. */
struct rows {
    const uint16_t *selection;
    uint32_t count;
};

static inline uint32_t rows_at(struct rows rows, uint32_t at)
{
    return rows.selection ? rows.selection[at] : at;
}

/* Walks the rows: `row` is the number of each. */
#define rows_each(rows, row)                                                                               \
    for (uint32_t at_##row = 0, row; at_##row < (rows).count && ((row = rows_at((rows), at_##row)), true); \
         at_##row++)

enum node_form {
    NODE_RUN,      /* computes its values */
    NODE_COLUMN,   /* has them in the batch */
    NODE_SUBJECT,  /* in a subject */
    NODE_CONSTANT, /* the same for all rows and runs: computed (or copied) once */
    NODE_OUTER,    /* the same for all rows of a run */
};

struct node {
    /* NODE_RUN, and NODE_CONSTANT for its one value: result[row] for each of the rows. */
    enum sqlstate (*run)(struct node *node, struct frame *frame, struct rows rows, struct value *result);
    const struct expression *expression;
    uint8_t form;
    uint32_t arguments;
    struct node **argument;
    struct subject *subject;
    void *extra; /* the run function's own */
    /* Rooms, made when first needed. */
    struct value *room;
    uint32_t room_rows;
    uint32_t filled; /* NODE_CONSTANT: rows of the room that have the value */
    struct value value;
    bool known;
    uint16_t *selection[2];
};

enum sqlstate step_make(struct program *program, const struct expression *expression, struct node **node,
                        struct error *error);
/* The values of a node for those rows: values[row]. */
enum sqlstate node_values(struct node *node, struct frame *frame, struct rows rows,
                          const struct value **values);
/* Room for the numbers of some of the rows: one of the node's two. */
uint16_t *node_selection(struct node *node, struct frame *frame, int which);
/* A frame for rows other than the batch's (elements of an array), with `rows` rows. */
static inline struct frame frame_apart(const struct frame *frame, uint32_t rows)
{
    struct frame apart = *frame;
    apart.rows = rows;
    return apart;
}

/* Each fills in node->run and what it needs; the arguments are made already. */
enum sqlstate node_make_call(struct program *program, struct node *node, struct error *error);
enum sqlstate node_make_compare(struct program *program, struct node *node, struct error *error);
enum sqlstate node_make_logic(struct program *program, struct node *node, struct error *error);
enum sqlstate node_make_list(struct program *program, struct node *node, struct error *error);
enum sqlstate node_make_build(struct program *program, struct node *node, struct error *error);
/* CASE and casts of arrays make their arguments themselves. */
enum sqlstate node_make_case(struct program *program, struct node *node, struct error *error);
enum sqlstate node_make_array_cast(struct program *program, struct node *node, struct error *error);

/* A call of a procedure's function. */
struct invocation {
    struct call call;
    const struct function *function;
    const struct kernel *kernel;
    bool strict;
};
enum sqlstate invocation_make(struct program *program, const struct procedure *procedure,
                              const struct type *result, const struct type *const *types, uint32_t arguments,
                              struct invocation **invocation, struct error *error);
/* Calls it once; nulls as its strictness wants. */
enum sqlstate invocation_run(struct invocation *invocation, struct frame *frame,
                             const struct value *arguments, struct value *result);

enum sqlstate type_find(struct program *program, uint32_t oid, const struct type **type, struct error *error);

#endif
