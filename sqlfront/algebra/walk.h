/* Every place in a tree where an expression or a query hangs: for those who rewrite trees (the planner). */
#ifndef SYNOD_SQLFRONT_ALGEBRA_WALK_H
#define SYNOD_SQLFRONT_ALGEBRA_WALK_H

#include "sqlfront/algebra/algebra.h"

/* Whom to show the places to. A place is never shown when it holds NULL. */
struct walk {
    void (*expression)(struct walk *walk, struct expression **place);
    void (*query)(struct walk *walk, struct query **place); /* a query one level down */
};

/* The places of one node; of one query. Does not go further down: the callbacks do, as they like. */
void walk_expression(struct walk *walk, struct expression *expression);
void walk_query(struct walk *walk, struct query *query);

/* Copies of a node (of a query's own structure) whose places may be written to: what hangs there is shared still. */
struct expression *expression_copy_node(struct scope *scope, const struct expression *expression);
struct query *query_copy_node(struct scope *scope, const struct query *query);

#endif
