/* Rows as DataRow messages, encoded straight into the output's buffer. */
#ifndef SYNOD_RESTGW_PGWIRE_ROWS_H
#define SYNOD_RESTGW_PGWIRE_ROWS_H

#include "restgw/pgwire/output.h"
#include "sqlfront/session.h"

/* Writes the rows; values become text or binary by their types, in scopes below `parent` where that takes memory. Errors are
 * those of the types, and the output's. May yield. */
enum sqlstate rows_write(struct output *output, struct scope *parent, struct environment *environment,
                         const struct session_rows *rows, struct error *error);

/* RowDescription, or NoData when `shape` is NULL. `plain`: formats are not known yet and said to be text. May yield. */
void shape_write(struct output *output, const struct session_shape *shape, bool plain);

#endif
