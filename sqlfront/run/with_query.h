/* Rows that several steps read: those of a WITH query, and the work table of a recursive one. Private to sqlfront/run. */
#ifndef SYNOD_SQLFRONT_RUN_WITH_QUERY_H
#define SYNOD_SQLFRONT_RUN_WITH_QUERY_H

#include "sqlfront/run/operator.h"
#include "sqlfront/run/row_list.h"

/* One for each common slot of the plan. Readers keep their own place, so the same rows may be read at different speeds. */
struct common_rows {
    struct operation *source; /* of a WITH query: where more rows come from; NULL for work tables */
    struct scope *scope;      /* of the rows */
    struct row_list *rows;
    const struct type *const *types;
    bool ended;
    bool reading; /* the source is being asked */
    uint32_t columns;
};

/* The slot's rows, made at first need. */
struct common_rows *common_rows_of(struct execution *execution, uint32_t slot);

/* One more batch of the source into the rows; *more false at its end. Yields. */
enum sqlstate common_rows_read(struct common_rows *common, bool *more, struct error *error);

#endif
