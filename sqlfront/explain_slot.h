/* What the slots of a plan's nodes stand for, in the words of the statement: for EXPLAIN. */
#ifndef SYNOD_SQLFRONT_EXPLAIN_SLOT_H
#define SYNOD_SQLFRONT_EXPLAIN_SLOT_H

#include "sqlfront/plan/plan.h"

/* The tables of a plan, as ranges of a query that expressions can be written over. */
struct slot_names {
    struct scope *scope;
    struct query query;
    const struct plan *leaf[64]; /* of each range */
};

void slot_names_open(struct slot_names *names, struct scope *scope, const struct plan *plan);

/* The expression of a node, over the slots of its input (a scan's: its own), as one over names->query. Slots nobody can name
 * become EXPRESSION_DOMAIN_VALUE, written as "?". */
const struct expression *slot_names_put(struct slot_names *names, const struct plan *plan,
                                        const struct expression *expression);

/* The same for an expression over the node's second input alone (the other side's keys of a join). */
const struct expression *slot_names_put_right(struct slot_names *names, const struct plan *plan,
                                              const struct expression *expression);

#endif
