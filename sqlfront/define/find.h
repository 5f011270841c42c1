/* Things as statements name them. */
#ifndef SYNOD_SQLFRONT_DEFINE_FIND_H
#define SYNOD_SQLFRONT_DEFINE_FIND_H

#include "sqlfront/define/inside.h"

/* The thing that the node names, for COMMENT, ALTER ... OWNER and the like; the role must own it. */
enum sqlstate object_named(struct work *work, ObjectType kind, const Node *name, struct object *object,
                           struct error *error);

/* The column of that name: 42703. */
enum sqlstate column_found(const struct relation *relation, const char *name, const struct column **column,
                           struct error *error);

/* The constraint of that name: 42704 (unless missing_ok: oid 0). */
enum sqlstate constraint_found(const struct relation *relation, const char *name, bool missing_ok,
                               const struct constraint **constraint, struct error *error);

#endif
