/* What the two halves of deparsing share. Private to sqlfront/algebra. */
#ifndef SYNOD_SQLFRONT_ALGEBRA_WRITER_H
#define SYNOD_SQLFRONT_ALGEBRA_WRITER_H

#include "base/text.h"
#include "sqlfront/algebra/algebra.h"

/* A query being written, and those around it. */
struct writing {
    struct writing *above;
    const struct query *query;
    const char **names; /* per range, told apart from all others that can be named */
};

struct deparser {
    struct text *text; /* where the text goes now */
    struct scope *scope;
    struct catalog_view *view;
    struct error *error;
    enum sqlstate failed;
    struct writing *writing;
    bool stored;    /* every name with its schema */
    bool pretty;    /* only the parentheses that are needed */
    bool qualified; /* columns with the names of their ranges */
    int indent;
    const struct expression *subject_of; /* the CASE whose tested value CASE_VALUE is */
};

/* The standard widths of ruleutils. */
#define INDENT_STANDARD 8
#define INDENT_JOIN     4
#define INDENT_VARIABLE 4

/* A keyword on a line of its own (appendContextKeyword). */
void write_keyword(struct deparser *writer, const char *keyword, int before, int after, int plus);
void write_expression(struct deparser *writer, const struct expression *expression);
/* A cast that is not shown is left out. */
void write_bare(struct deparser *writer, const struct expression *expression);
/* As the operand of `parent`; in parentheses when the pretty form needs them (get_rule_expr_paren). */
void write_operand(struct deparser *writer, const struct expression *expression, bool bare,
                   const struct expression *parent);
void write_constant(struct deparser *writer, const struct expression *constant, int show_type);
void write_list(struct deparser *writer, struct expression *const *list, uint32_t count);
void write_order(struct deparser *writer, const struct query *query, const struct sort_key *keys,
                 uint32_t count);
void write_key(struct deparser *writer, const struct query *query, const struct sort_key *key, bool number);
/* `result`: the query whose target names the columns get (of a set operation: the first one's); NULL = their own. */
void write_query(struct deparser *writer, const struct query *query, bool names_shown,
                 const struct query *result);
const char *system_column_name(int32_t number);
void write_window(struct deparser *writer, const struct window *window);
void write_type(struct deparser *writer, const struct type *type, int32_t modifier);
void write_name(struct deparser *writer, const char *name);
void write_procedure_name(struct deparser *writer, const struct procedure *procedure);
const struct expression *without_implicit_casts(const struct expression *expression);

#endif
