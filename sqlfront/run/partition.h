/* Window functions over one partition held in memory (PostgreSQL manual 4.2.8, 9.22). The WINDOW operator collects a
 * partition's rows, has the arguments of all calls evaluated, and asks here for the results. */
#ifndef SYNOD_SQLFRONT_RUN_PARTITION_H
#define SYNOD_SQLFRONT_RUN_PARTITION_H

#include "sqlfront/plan/plan.h"

/* A call's arguments and filter for every row of the partition. */
struct partition_call {
    const struct expression *call; /* EXPRESSION_WINDOW */
    const struct value *argument[4];
    const struct value *filter; /* NULL = all rows */
    struct value *result;       /* room for all rows */
};

struct partition {
    struct environment *environment;
    struct scope *scope; /* the partition's: results and scratch */
    const struct window *window;
    uint32_t rows;
    uint32_t orders; /* ORDER BY keys */
    const struct plan_key *key;
    const struct value *const *key_value; /* [order key][row] */
    struct value from_offset, to_offset;  /* of the frame, when it has them */
    /* Called now and then while there is much to do; its failure ends the work. May yield. */
    enum sqlstate (*breathe)(void *argument, struct error *error);
    void *argument;
};

/* Computes the results of one call. Errors are PostgreSQL's: 22013 offset of the frame, 22014 ntile, 22016 nth_value, and the
 * aggregates' own. Yields only where `breathe` does. */
enum sqlstate partition_compute(const struct partition *partition, const struct partition_call *call,
                                struct error *error);

#endif
