/* Taking away the rows of one thing, once all that depends on it is gone. */
#ifndef SYNOD_SQLFRONT_DEFINE_DROP_H
#define SYNOD_SQLFRONT_DEFINE_DROP_H

#include "sqlfront/define/inside.h"

/* Removes the rows, files, dependencies and comments of a thing. That it is gone already is no error. */
enum sqlstate object_remove(struct work *work, struct object object, struct error *error);

/* The index of a DROP INDEX CONCURRENTLY, not locked against those who read and write; oid 0 when there is none and that is fine. */
enum sqlstate index_to_drop(struct work *work, const DropStmt *statement, struct object *object,
                            struct error *error);

/* A function by name and argument types; `word` for messages. */
enum sqlstate function_named(struct work *work, const ObjectWithArgs *function, const char *word,
                             bool missing_ok, const struct procedure **found, struct error *error);

enum sqlstate owner_forget(struct work *work, struct object object, struct error *error);

#endif
