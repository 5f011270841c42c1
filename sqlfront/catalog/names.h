/* Names as SQL writes and reads them: quoted where they must be, with their schema where the search path does not reach
 * them. A door of the folder. */
#ifndef SYNOD_SQLFRONT_CATALOG_NAMES_H
#define SYNOD_SQLFRONT_CATALOG_NAMES_H

#include "sqlfront/catalog/catalog.h"

/* Whether an identifier must be written in quotes: other characters than a-z, 0-9 and _, or a keyword that is not
 * unreserved (PostgreSQL's quote_identifier). */
bool identifier_needs_quotes(const char *name);
/* The identifier as SQL; the scope's, or `name` itself. */
const char *identifier(struct scope *scope, const char *name);

/* Reads "a.b" with quotes and folding to lower case: 42602 when it is no name. `schema` NULL when there is one part. */
enum sqlstate name_parse(struct scope *scope, struct bytes text, const char **schema, const char **name,
                         struct error *error);

/* A relation's name, with its schema when it is not visible (or always): as regclass writes it. NULL = no such relation. */
enum sqlstate relation_shown(struct catalog_view *view, struct scope *scope, uint32_t oid, bool always,
                             const char **shown, struct error *error);
enum sqlstate relation_visible(struct catalog_view *view, const struct relation *relation, bool *visible,
                               struct error *error);

/* A type's name as format_type writes it: "character varying(20)", "integer[]", "s.mood". */
enum sqlstate type_shown(struct catalog_view *view, struct scope *scope, uint32_t oid, int32_t modifier,
                         bool with_modifier, const char **shown, struct error *error);

/* A procedure: name as regproc writes it, or with arguments as regprocedure does. */
enum sqlstate procedure_shown(struct catalog_view *view, struct scope *scope, uint32_t oid, bool arguments,
                              const char **shown, struct error *error);

/* How SQL must call a procedure so that it is this one: with its schema where the name alone would find others. */
enum sqlstate procedure_called(struct catalog_view *view, struct scope *scope,
                               const struct procedure *procedure, const char **called, struct error *error);

#endif
