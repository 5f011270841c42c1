/* Texts of the catalog that name something which is about to get another name. */
#ifndef SYNOD_SQLFRONT_DEFINE_RENEW_H
#define SYNOD_SQLFRONT_DEFINE_RENEW_H

#include "sqlfront/define/inside.h"

struct renewal;

/* Begins; then tells what will be renamed: a thing (a relation with its row type; only a column of it when `part` is set), or
 * everything in a schema. What depends on it is bound now. Memory is the work's. Yields. */
enum sqlstate renewal_begin(struct work *work, struct renewal **renewal, struct error *error);
enum sqlstate renewal_of(struct work *work, struct renewal *renewal, struct object object,
                         struct error *error);
enum sqlstate renewal_of_schema(struct work *work, struct renewal *renewal, uint32_t schema,
                                struct error *error);

/* The rename is done: looks again, and writes the texts with the names of now. Yields. */
enum sqlstate renewal_end(struct work *work, struct renewal *renewal, struct error *error);

#endif
