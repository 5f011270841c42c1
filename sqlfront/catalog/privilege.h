/* What a role may do with things. A door of the folder, for sqlfront/define and the functions has_..._privilege. */
#ifndef SYNOD_SQLFRONT_CATALOG_PRIVILEGE_H
#define SYNOD_SQLFRONT_CATALOG_PRIVILEGE_H

#include "sqlfront/catalog/acl.h"

struct membership;

/* The privileges of `role` on a thing of that kind (acl.h) with that owner and list (NULL = default); all bits for owners
 * and superusers. Yields. */
enum sqlstate privileges_on(struct catalog_view *view, uint32_t role, uint32_t owner, char kind,
                            const char *acl_text, uint32_t *granted, struct error *error);

/* The same for a relation, with what its columns grant: bits that all of `columns` have (NULL = all of the relation; none
 * of them = any). Columns are only looked at when bits of `wanted` are missing. Yields. */
enum sqlstate relation_privileges(struct catalog_view *view, uint32_t role, const struct relation *relation,
                                  const int16_t *columns, uint32_t count, uint32_t wanted, uint32_t *granted,
                                  struct error *error);

/* The same for a schema; *name NULL when there is none. Yields. */
enum sqlstate schema_privileges(struct catalog_view *view, uint32_t role, uint32_t schema, uint32_t *granted,
                                const char **name, struct error *error);

/* What a list grants to a role and those it is a member of, and to PUBLIC. */
uint32_t acl_granted(const struct acl *acl, const struct membership *membership);

#endif
