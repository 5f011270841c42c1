/* Making databases out of nothing. A door of the folder for sqlfront/define. */
#ifndef SYNOD_SQLFRONT_CATALOG_BOOTSTRAP_H
#define SYNOD_SQLFRONT_CATALOG_BOOTSTRAP_H

#include "sqlfront/catalog/tuple.h"

/* Makes the tables of a database's catalogs and fills them with what PostgreSQL brings. Yields. */
enum sqlstate database_fill(struct catalog *catalog, struct transaction *transaction, uint32_t database,
                            struct error *error);

/* The row of a database as CREATE DATABASE makes it. */
void database_row(struct scope *scope, struct value *values, uint32_t oid, const char *name, uint32_t owner);

#endif
