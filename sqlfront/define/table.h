/* A table as a statement describes it, before it is there: CREATE TABLE, and ALTER TABLE ADD COLUMN. */
#ifndef SYNOD_SQLFRONT_DEFINE_TABLE_H
#define SYNOD_SQLFRONT_DEFINE_TABLE_H

#include "sqlfront/define/inside.h"

#define COLLATION_DEFAULT 100
#define COLLATION_C       950

struct column_plan {
    struct column_make make;
    bool serial, not_null_given, null_given;
    const List *sequence_options; /* of an identity */
};

/* Constraints in the order they were written. */
struct later {
    uint32_t count;
    const Constraint *const *constraint;
};

struct like_source {
    const struct relation *source;
    uint32_t options;
};

struct table_plan {
    const char *name;
    struct column_plan *column;
    uint32_t count, room;
    struct later checks, keys, foreign;
    struct like_source *like;
    uint32_t likes;
};

struct column_plan *plan_add(struct work *work, struct table_plan *plan);
void later_add(struct work *work, struct later *later, const Constraint *constraint);

/* Reads a column's definition into the plan, with its constraints. */
enum sqlstate column_plan_make(struct work *work, struct table_plan *plan, const ColumnDef *definition,
                               struct error *error);

/* Sequence and default of a column that is there. */
enum sqlstate column_finish(struct work *work, uint32_t oid, const struct column_plan *column, int16_t number,
                            struct error *error);
enum sqlstate later_finish(struct work *work, uint32_t oid, const struct later *later, bool validate,
                           struct error *error);

/* The tree of an expression that the catalog keeps as text. */
enum sqlstate expression_tree(struct work *work, const char *sql, Node **tree, struct error *error);

bool type_is_collatable(const struct type *type);
/* Of a column that a query gives. */
uint32_t collation_shown(const struct expression *expression, const struct type *type);
enum sqlstate collation_of(struct work *work, const List *names, const struct type *type, uint32_t *collation,
                           struct error *error);

#endif
