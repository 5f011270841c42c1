/* Forms of types that know names. The catalog's own. */
#ifndef SYNOD_SQLFRONT_CATALOG_REG_H
#define SYNOD_SQLFRONT_CATALOG_REG_H

#include "sqlfront/catalog/catalog.h"

/* regclass, regtype, ...: numbers inside, names outside. Unlike other types' forms these may yield, and without
 * environment->catalog they read and write numbers only. */
extern const struct type_ops reg_name_ops;

/* aclitem: its text, checked. */
extern const struct type_ops access_item_ops;

/* The oid of what a reg type's text names; 0 when there is none (to_regclass & co. give null then). */
enum sqlstate reg_find(struct catalog_view *view, struct scope *scope, uint32_t type, struct bytes text,
                       uint32_t *oid, struct error *error);
/* The text of a reg type's value; NULL when nothing has the number. */
enum sqlstate reg_text(struct catalog_view *view, struct scope *scope, uint32_t type, uint32_t oid,
                       const char **text, struct error *error);

#endif
