/* ANALYZE and VACUUM. */
#ifndef SYNOD_SQLFRONT_ANALYZE_H
#define SYNOD_SQLFRONT_ANALYZE_H

#include "sqlfront/session.h"

struct VacuumStmt;
struct catalog_view;
struct relation;

/* Reads a table through (in the session's transaction, which must have begun) and writes what there is to know of its columns, or of
 * the `count` named ones, into the catalog: 42703 and 42701 for names. `view` is the transaction's. Yields. */
enum sqlstate analyze_relation(struct session *session, struct catalog_view *view,
                               const struct relation *relation, const char *const *columns, uint32_t count,
                               struct error *error);

/* VACUUM and ANALYZE: the engine tidies up by itself, so of the former nothing is left but its ANALYZE. What the role does not own is
 * left out with a warning. Yields. */
enum sqlstate vacuum_run(struct session *session, const struct VacuumStmt *vacuum, const char **tag,
                         struct error *error);

#endif
