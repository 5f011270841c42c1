/* The binder: names to things, types to everything. From a raw parse tree and a catalog view to a bound query. The rules
 * are PostgreSQL's (manual 10: type conversion; its parser/parse_*.c), errors with its texts, states and positions. */
#ifndef SYNOD_SQLFRONT_BIND_BIND_H
#define SYNOD_SQLFRONT_BIND_BIND_H

#include "sqlfront/algebra/algebra.h"

struct Node;
struct RawStmt;

struct binder_request {
    struct world *world;
    struct scope *scope; /* owns the result */
    struct catalog_view *view;
    struct environment *environment; /* for reading constants */
    const char *text;                /* the statement's source, for positions */
    /* Parameters: types known beforehand (0 = to be inferred); grown and filled in. What nothing tells is 42P18. */
    uint32_t parameters;
    uint32_t *parameter_types; /* in the scope; may be replaced by a longer one */
    bool parameters_fixed;     /* more parameters than given are an error 42P02 */
    const char *column; /* whose default or generation expression it is, for errors; NULL = somebody else's */
    /* Notices (e.g. truncated identifiers). NULL = dropped. */
    void (*notice)(void *argument, const struct error *notice);
    void *notice_argument;
};

/* Binds SELECT (VALUES, TABLE), INSERT, UPDATE, DELETE, MERGE. 0A000 for others. Views are expanded to subqueries. Checks no
 * privileges: the session does, from range->privileges. May yield. */
enum sqlstate bind_statement(struct binder_request *request, const struct Node *statement,
                             struct query **query, struct error *error);

/* An expression over the columns of one relation (range 0): DEFAULT (relation NULL), CHECK, index, generated, USING. `type`
 * NULL = as it comes; else coerced by assignment. May yield. */
enum sqlstate bind_expression(struct binder_request *request, const struct Node *expression,
                              const struct relation *relation, const struct type *type, int32_t modifier,
                              struct expression **bound, struct error *error);

/* The same from text (what the catalog keeps). */
enum sqlstate bind_expression_text(struct binder_request *request, const char *text,
                                   const struct relation *relation, const struct type *type, int32_t modifier,
                                   struct expression **bound, struct error *error);

/* Defaults, checks, generated columns, index expressions of a relation; kept in relation->bound. May yield. */
enum sqlstate bind_table(struct binder_request *request, const struct relation *relation,
                         struct table_bound **bound, struct error *error);

/* A type as written: names, typmods, array bounds. 42704 when there is none. May yield. */
struct TypeName;
enum sqlstate bind_type(struct binder_request *request, const struct TypeName *name, const struct type **type,
                        int32_t *modifier, struct error *error);

/* Coerces to the type by assignment or as an explicit cast; 42804 with PostgreSQL's text when that cannot be. */
enum sqlstate bind_coerce(struct binder_request *request, struct expression *from, const struct type *type,
                          int32_t modifier, bool is_explicit, struct expression **to, struct error *error);

#endif
