/* Who is a member of which role. The catalog's own. */
#ifndef SYNOD_SQLFRONT_CATALOG_ROLE_H
#define SYNOD_SQLFRONT_CATALOG_ROLE_H

#include "sqlfront/catalog/view.h"

#define ROLE_DATABASE_OWNER 6171 /* pg_database_owner: whoever owns the database is a member */

/* A role and all it is a member of, through others; itself first. Empty when there is no such role. */
struct membership {
    uint32_t count;
    const struct role **roles;
};

/* `inherited_only`: those whose privileges it has without SET ROLE. The generation's memory. Yields. */
enum sqlstate membership_of(struct catalog_view *view, uint32_t role, bool inherited_only,
                            const struct membership **found, struct error *error);
bool membership_has(const struct membership *membership, uint32_t role);

#endif
