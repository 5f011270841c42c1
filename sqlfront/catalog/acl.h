/* Access lists: "{grantee=privileges/grantor,...}", as pg_class.relacl and its like hold them (PostgreSQL manual, 5.7). A
 * door of the folder. */
#ifndef SYNOD_SQLFRONT_CATALOG_ACL_H
#define SYNOD_SQLFRONT_CATALOG_ACL_H

#include "sqlfront/catalog/tuple.h"

struct acl_item {
    const char *grantee; /* "" = PUBLIC */
    const char *grantor;
    uint32_t privileges; /* enum privilege */
    uint32_t grantable;
};

struct acl {
    uint32_t count;
    struct acl_item *items;
};

/* All privileges of a kind of object: r relation, S sequence, f function, n schema, d database, T type, c column. */
uint32_t acl_all(char kind);

/* The list a NULL stands for: what owner and PUBLIC have by default. */
struct acl acl_default(struct scope *scope, char kind, const char *owner);

/* Reads a list's text, "{...}" or one item. Memory is the scope's. False when it makes no sense. */
bool acl_parse(struct scope *scope, const char *text, struct acl *acl);
bool acl_item_parse(struct scope *scope, const char *text, struct acl_item *item);
const char *acl_item_text(struct scope *scope, const struct acl_item *item);

/* From and to the column's value. */
enum sqlstate acl_read(struct scope *scope, const struct value *list, struct acl *acl, struct error *error);
enum sqlstate acl_write(struct scope *scope, const struct acl *acl, struct value *list, struct error *error);

/* Grants or takes; memory is the scope's. */
void acl_grant(struct scope *scope, struct acl *acl, const char *grantee, const char *grantor,
               uint32_t privileges, bool with_option);
void acl_revoke(struct acl *acl, const char *grantee, uint32_t privileges, bool option_only);
/* Drops items that grant nothing. */
void acl_tidy(struct acl *acl);
/* Whether a list of default privileges says no more than what holds without it: in one schema nothing, else what acl_default() gives. */
bool acl_needless(struct scope *scope, const struct acl *acl, char kind, const char *owner, bool in_schema);

/* A privilege's word ("SELECT"), and the bit of a word (any case); 0 for an unknown one. */
const char *privilege_word(uint32_t privilege);
uint32_t privilege_of_word(const char *word, size_t length);

#endif
