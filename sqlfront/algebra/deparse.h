/* What deparse.c (expressions) and deparse_query.c share. */
#ifndef SYNOD_SQLFRONT_ALGEBRA_DEPARSE_H
#define SYNOD_SQLFRONT_ALGEBRA_DEPARSE_H

#include "base/text.h"
#include "sqlfront/algebra/algebra.h"

/* A query being written, and those around it. */
struct deparse_level {
    const struct query *query;
    const struct deparse_level *outer;
};

struct deparse {
    struct catalog_view *view;
    struct scope *scope;
    struct text text;
    struct error *error;
    enum sqlstate failed; /* the first failure; nothing is written from then on */
    bool qualified;       /* columns with their range's name */
    uint32_t indent;
    const struct deparse_level *level;
};

void deparse_expression(struct deparse *deparse, const struct expression *expression, bool shown);
void deparse_query(struct deparse *deparse, const struct query *query);
void deparse_type(struct deparse *deparse, const struct type *type, int32_t modifier);
void deparse_identifier(struct deparse *deparse, const char *name);
void deparse_sort_key(struct deparse *deparse, const struct sort_key *key, const struct query *query);
/* " OVER (...)" of window `window` of the innermost query. */
void deparse_over(struct deparse *deparse, uint32_t window);
/* The name a range goes by. */
const char *deparse_range_name(struct deparse *deparse, const struct query *query, uint32_t range);

#endif
