/* Bound statements: what the binder makes of a parse tree, the planner rewrites, and the runner evaluates. The shape is
 * that of PostgreSQL's Query and expression nodes (nodes/primnodes.h, nodes/parsenodes.h of its source), whose semantics hold here
 * too; every name is resolved, every type known, every implicit cast explicit.
 *
 * Trees are immutable after binding and live in one scope (a statement's, a plan's, a relation descriptor's). The
 * planner copies what it changes. All cores may read them. */
#ifndef SYNOD_SQLFRONT_ALGEBRA_ALGEBRA_H
#define SYNOD_SQLFRONT_ALGEBRA_ALGEBRA_H

#include "sqlfront/catalog/catalog.h"

struct expression;
struct query;

/* ---- expressions ---- */

enum expression_kind {
    EXPRESSION_CONSTANT = 1,
    EXPRESSION_COLUMN,    /* a column of a range (bound), or of an operator's input (in a plan: see plan.h) */
    EXPRESSION_PARAMETER, /* $n of the statement, or a value an outer plan node hands down */
    EXPRESSION_CALL, /* function, operator or function-like cast; `nested`: the last argument is an array for VARIADIC "any" */
    EXPRESSION_AGGREGATE,
    EXPRESSION_WINDOW,
    EXPRESSION_AND, /* any number of arguments */
    EXPRESSION_OR,
    EXPRESSION_NOT,
    EXPRESSION_TEST,     /* IS [NOT] NULL / TRUE / FALSE / UNKNOWN */
    EXPRESSION_DISTINCT, /* a IS DISTINCT FROM b: argument[0..1], `procedure` the equality */
    EXPRESSION_NULLIF,   /* likewise; result type of argument[0] */
    EXPRESSION_CASE, /* argument: when, then, when, then, ..., else (always there); simple CASE is bound to comparisons with a
                            EXPRESSION_CASE_VALUE */
    EXPRESSION_CASE_VALUE, /* the tested value of the innermost CASE that has one (`subject`) */
    EXPRESSION_COALESCE,
    EXPRESSION_GREATEST, /* by `procedure`... of the type's order */
    EXPRESSION_LEAST,
    EXPRESSION_ANY, /* argument[0] op ANY (argument[1], an array); `procedure` the operator's */
    EXPRESSION_ALL,
    EXPRESSION_IN_LIST,  /* argument[0] IN (argument[1..]) of one type with equality `procedure` */
    EXPRESSION_SUBQUERY, /* see enum subquery_kind */
    EXPRESSION_ARRAY,    /* ARRAY[...]: elements; `nested`: elements are arrays to be joined */
    EXPRESSION_ROW,      /* ROW(...) */
    EXPRESSION_ROW_COMPARE, /* (a,b) < (c,d): argument: left ones, then right ones; `strategy` 1..6, operators in `procedures` */
    EXPRESSION_FIELD, /* field `number` (from 1) of a record */
    EXPRESSION_SUBSCRIPT, /* argument[0][...]: subscripts follow: index, or lower and upper when `slice` (absent: NULL pointers) */
    EXPRESSION_ASSIGN_SUBSCRIPT, /* as SUBSCRIPT, last argument is the new value: UPDATE t SET a[1] = ... */
    EXPRESSION_CAST_TEXT,        /* through the text forms: out of the one type, in of the other */
    EXPRESSION_CAST_ARRAY,       /* each element by `element` (whose argument is an EXPRESSION_CASE_VALUE) */
    EXPRESSION_RELABEL,          /* same bytes, other type */
    EXPRESSION_DOMAIN_VALUE,     /* kept for domains */
    EXPRESSION_TIME,    /* CURRENT_DATE and friends: `number` an enum time_function, modifier the precision */
    EXPRESSION_DEFAULT, /* DEFAULT in VALUES before it is replaced; never seen by the planner */
    EXPRESSION_GROUPING,      /* GROUPING(...): arguments are grouping expressions */
    EXPRESSION_SET_CALL,      /* a set-returning function in the target list */
    EXPRESSION_WHOLE_ROW,     /* a range as a record: `range`, `level` */
    EXPRESSION_SYSTEM_COLUMN, /* `range`, `level`, `number` one of enum system_column */
    EXPRESSION_CURRENT_OF,    /* WHERE CURRENT OF cursor `name` */
    EXPRESSION_MERGE_ACTION,  /* kept */
};

enum test_kind {
    TEST_NULL = 1,
    TEST_NOT_NULL,
    TEST_TRUE,
    TEST_NOT_TRUE,
    TEST_FALSE,
    TEST_NOT_FALSE,
    TEST_UNKNOWN,
    TEST_NOT_UNKNOWN
};
enum system_column {
    SYSTEM_CTID = -1,
    SYSTEM_XMIN = -2,
    SYSTEM_CMIN = -3,
    SYSTEM_XMAX = -4,
    SYSTEM_CMAX = -5,
    SYSTEM_TABLEOID = -6,
    SYSTEM_COLUMNS = 6 /* how many */
};
enum time_function {
    TIME_CURRENT_DATE = 1,
    TIME_CURRENT_TIME,
    TIME_CURRENT_TIMESTAMP,
    TIME_LOCALTIME,
    TIME_LOCALTIMESTAMP
};

enum subquery_kind {
    SUBQUERY_EXISTS = 1,
    SUBQUERY_SCALAR, /* one row at most: 21000 */
    SUBQUERY_ANY, /* `test` is the comparison of left arguments (argument[]) with columns of the subquery, which appear in it as
                        EXPRESSION_PARAMETER with source PARAMETER_SUBQUERY, number = column from 0 */
    SUBQUERY_ALL,
    SUBQUERY_ARRAY, /* ARRAY(SELECT ...) */
    SUBQUERY_ROW,   /* several columns as a record, for row comparison and multi-assignment */
};

enum parameter_source {
    PARAMETER_STATEMENT = 1, /* $n: number from 1 */
    PARAMETER_SUBQUERY,      /* see SUBQUERY_ANY */
    PARAMETER_OUTER, /* in a plan: slot `number` of the execution, set by a node above (correlation, init plans) */
};

struct expression {
    uint8_t kind; /* enum expression_kind */
    uint8_t test; /* enum test_kind */
    uint8_t subquery_kind;
    uint8_t parameter_source;
    uint8_t strategy;
    bool slice, nested, distinct_not; /* distinct_not: IS NOT DISTINCT FROM */
    bool star;                        /* count(*) */
    bool operator_form;               /* a CALL written as operator (`operator` is set): for deparsing */
    bool syntax_form; /* a CALL the grammar made of EXTRACT (... FROM ...) and the like: for deparsing */
    bool
        cast_form; /* a CALL or RELABEL or CAST_TEXT that came from a cast; `cast_implicit` not to be shown */
    bool cast_implicit;
    bool distinct;    /* aggregate: DISTINCT */
    int32_t position; /* byte offset in the statement's text, -1 unknown: for errors */
    const struct type *type;
    int32_t modifier;
    uint32_t collation;
    uint32_t arguments;
    struct expression **argument;
    struct value constant; /* CONSTANT; bytes in the tree's scope */
    /* COLUMN: range index (from 0) in the query `level` levels up; AGGREGATE, GROUPING: `level` of the query it belongs to */
    uint32_t range, level;
    int32_t
        number; /* COLUMN: column from 1; CALL: how many of the last arguments are defaults nobody wrote; PARAMETER: see
                       above; FIELD; TIME; SYSTEM_COLUMN */
    const struct procedure
        *procedure; /* CALL, AGGREGATE, WINDOW, ANY, ALL, DISTINCT, NULLIF, IN_LIST, SET_CALL */
    const struct operator* operator; /* CALL in operator form, ANY, ALL */
    const struct procedure *
        *procedures; /* ROW_COMPARE: one per pair (equality for <>, = ; the ordering operator's else) */
    struct expression *subject;         /* CASE with a tested value; NULL otherwise */
    struct expression *element;         /* CAST_ARRAY */
    struct query *query;                /* SUBQUERY */
    struct expression *test_expression; /* SUBQUERY_ANY / ALL */
    /* AGGREGATE, WINDOW */
    struct expression *filter;
    struct sort_key *order; /* ORDER BY inside an aggregate; its expressions are over the same input */
    uint32_t orders;
    uint32_t window;                   /* WINDOW: index in query->window */
    const struct aggregate *aggregate; /* of the library, found by the binder */
    const char *name;                  /* CURRENT_OF; a CALL that was a keyword (CURRENT_ROLE): that */
    const struct expression
        *written; /* what stood here, when it is another thing (an SQL function's call, a join's
                                          column): for deparsing */
};

/* One key of an ORDER BY, grouping or DISTINCT. */
struct sort_key {
    struct expression *expression; /* NULL: target `target` of the query */
    uint32_t target;               /* index in query->target */
    bool descending;
    bool nulls_first;
    const struct operator* equality, *less; /* of the type (less: the > operator when descending) */
};

/* ---- queries ---- */

enum range_kind {
    RANGE_RELATION = 1,
    RANGE_SUBQUERY, /* in FROM, or a view */
    RANGE_JOIN,     /* named columns of a join; never scanned itself */
    RANGE_FUNCTION, /* one or several set-returning (or scalar) functions, ROWS FROM */
    RANGE_VALUES,
    RANGE_COMMON, /* a CTE */
    RANGE_RESULT, /* no FROM: one row without columns */
};

struct range_column {
    const char *name;
    const struct type *type;
    int32_t modifier;
    uint32_t collation;
    /* RANGE_JOIN: what it stands for: a column (or COALESCE of two, for merged columns of FULL JOIN USING). */
    struct expression *stands_for;
};

struct range {
    uint8_t kind;
    bool lateral;
    bool only;         /* FROM ONLY t: means nothing, but is shown */
    bool ordinality;   /* RANGE_FUNCTION: last column is the number of the row */
    bool from_view;    /* RANGE_SUBQUERY: privileges are the view owner's */
    const char *name;  /* alias or the relation's name */
    const char *alias; /* NULL when none was written */
    uint32_t columns;
    struct range_column
        *column; /* the numbering of COLUMN: of a relation, dropped ones keep their place (name NULL) */
    const struct relation *relation;
    uint32_t privileges;    /* of enum privilege that the statement needs */
    uint64_t *columns_read; /* bit set by attnum, (columns + 64) / 64 words: for column privileges */
    uint64_t *columns_written;
    struct query *query; /* SUBQUERY */
    uint32_t functions;  /* FUNCTION: expressions of kind SET_CALL or any other */
    struct expression **function;
    uint32_t *function_columns;  /* how many columns each gives */
    uint32_t values;             /* VALUES: rows; */
    struct expression ***value;  /* [row][column] */
    const struct common *common; /* COMMON */
    uint32_t common_level;       /* in whose query it stands, levels up */
    bool common_self;            /* the recursive reference */
    /* TABLESAMPLE */
    bool sampled;
    struct expression *sample_percent, *sample_seed;
    bool sample_system;
};

enum join_kind {
    JOIN_INNER = 1,
    JOIN_LEFT,
    JOIN_RIGHT,
    JOIN_FULL,
    JOIN_SEMI,
    JOIN_ANTI /* the last two: of the planner's */
};

enum from_kind { FROM_RANGE = 1, FROM_JOIN };

/* The FROM clause: query->from is a list (comma); each item a range or a join. */
struct from {
    uint8_t kind;
    uint8_t join;   /* enum join_kind */
    uint32_t range; /* FROM_RANGE: index; FROM_JOIN: of its RANGE_JOIN */
    struct from *left, *right;
    struct expression *condition; /* of a join; NULL = none */
    const char **using;           /* names, when it was written with USING: for deparsing */
    uint32_t usings;
    const char *using_alias;
};

struct target {
    struct expression *expression;
    const char *name;
    bool hidden;       /* only for ORDER BY, GROUP BY or DISTINCT: not part of the result */
    uint32_t relation; /* RowDescription: oid and attnum of a plain column; 0 */
    int16_t number;
    int16_t assigned; /* INSERT, UPDATE: attnum it is assigned to */
};

enum frame_mode { FRAME_RANGE = 1, FRAME_ROWS, FRAME_GROUPS };
enum frame_bound {
    BOUND_UNBOUNDED_PRECEDING = 1,
    BOUND_PRECEDING,
    BOUND_CURRENT,
    BOUND_FOLLOWING,
    BOUND_UNBOUNDED_FOLLOWING
};
enum frame_exclusion { EXCLUDE_NONE, EXCLUDE_CURRENT, EXCLUDE_GROUP, EXCLUDE_TIES };

struct window {
    const char *name;
    uint32_t partitions, orders;
    struct sort_key *partition, *order;
    uint8_t mode, from, to,
        exclusion; /* always filled in: the default is RANGE UNBOUNDED PRECEDING .. CURRENT ROW */
    struct expression *from_offset, *to_offset;
    const struct procedure *in_range_from,
        *in_range_to;   /* RANGE with offset: PostgreSQL's in_range support function */
    bool frame_given;   /* for deparsing */
    bool frame_between; /* written with BETWEEN */
    const char *base;   /* the window it was made from, and whether that had the ORDER BY */
    bool base_orders;
};

/* GROUP BY: sets of keys after expansion of ROLLUP, CUBE and GROUPING SETS; a plain GROUP BY is one set with all. */
struct grouping_set {
    uint32_t keys;
    uint32_t *key; /* indices in query->group */
};

enum set_operation { SET_UNION = 1, SET_INTERSECT, SET_EXCEPT };

/* A tree of set operations over ranges of kind SUBQUERY; columns already cast to the common types. */
struct set_tree {
    uint8_t operation; /* 0 = leaf */
    bool all;
    uint32_t range; /* leaf */
    struct set_tree *left, *right;
    uint32_t columns;
    const struct type **types;
    const struct operator** equality; /* per column, for all = false */
};

struct common { /* WITH name (columns) AS [NOT] MATERIALIZED (query) */
    const char *name;
    struct query *query; /* may modify data */
    uint32_t columns;
    struct range_column *column;
    uint8_t materialized; /* 0 as the planner likes, 1 yes, 2 no */
    bool recursive;       /* refers to itself: query->set is a UNION [ALL] whose right side does */
    uint32_t references;
};

enum lock_clause_wait { WAIT_BLOCK, WAIT_SKIP, WAIT_ERROR };
struct lock_clause { /* FOR UPDATE ... OF range */
    uint32_t range;
    enum lock_strength strength;
    uint8_t wait;
};

enum query_kind { QUERY_SELECT = 1, QUERY_INSERT, QUERY_UPDATE, QUERY_DELETE, QUERY_MERGE };

enum conflict_action { CONFLICT_NONE, CONFLICT_NOTHING, CONFLICT_UPDATE };

struct merge_action {
    bool matched;
    struct expression *condition;
    uint8_t kind; /* QUERY_INSERT, UPDATE, DELETE; 0 = DO NOTHING */
    uint32_t targets;
    struct target *target;
};

struct query {
    uint8_t kind;
    uint32_t ranges;
    struct range *range;
    uint32_t froms;
    struct from **from;
    struct expression *where;
    uint32_t targets;
    struct target *
        target; /* SELECT list; INSERT, UPDATE: what is assigned (INSERT: one for each column of the relation that has
                              a value or default, in order of attnum; UPDATE: those assigned and generated ones that depend) */
    uint32_t groups;
    struct sort_key *group; /* over targets or expressions */
    uint32_t grouping_sets;
    struct grouping_set *grouping_set;
    bool group_distinct;
    bool has_aggregates, has_windows, has_subqueries, has_set_calls, has_modifying_common;
    struct expression *having;
    uint32_t windows;
    struct window *window;
    bool distinct;
    uint32_t distinct_on;          /* keys */
    struct sort_key *distinct_key; /* DISTINCT: all visible targets; DISTINCT ON: those */
    uint32_t orders;
    struct sort_key *order;
    struct expression *limit, *offset; /* int8 */
    bool with_ties;
    struct set_tree
        *set; /* SELECT as set operation: targets are COLUMNs of range 0 of the leftmost leaf; NULL = none */
    uint32_t commons;
    struct common **common;
    uint32_t locks;
    struct lock_clause *lock;

    /* INSERT, UPDATE, DELETE, MERGE */
    uint32_t result; /* range index of the relation written to */
    /* When a view was named: it and the views below it, down to the table, for their privileges. */
    uint32_t throughs;
    struct range *through;
    uint32_t returnings;
    struct target *returning; /* over `ranges` */
    /* INSERT: source rows come from the query's own FROM: one RANGE_VALUES or RANGE_SUBQUERY, or RANGE_RESULT */
    uint8_t conflict;
    const struct index *conflict_index; /* arbiter; NULL = any (DO NOTHING only) */
    uint32_t conflict_excluded;         /* range index of EXCLUDED (kind RANGE_RELATION, never scanned) */
    uint32_t conflict_targets;
    struct target *conflict_target;
    struct expression *conflict_where;
    bool overriding_system, overriding_user;
    uint32_t
        merge_actions; /* MERGE: FROM has source; the join condition is `where`...: see merge_condition */
    struct merge_action *merge_action;
    struct expression *merge_condition;
    struct table_bound
        *bound; /* of the relation written to: checks, defaults, generated columns, index expressions */
};

/* What the binder makes of a relation's texts, once per descriptor (struct relation.bound). All expressions have the relation as
 * range 0, level 0. */
struct table_bound {
    struct expression *
        *defaults; /* per column; NULL = none (or generated: see there). nextval for identity. */
    struct expression **generated; /* per column; NULL = none */
    uint32_t checks;
    struct expression **check;
    const struct constraint **check_constraint;
    struct index_bound **index; /* per relation->index */
};
struct index_bound {
    struct expression **expression; /* per key column with column[i] == 0 in order */
    struct expression *predicate;   /* NULL = none */
};

/* ---- trees ---- */

/* Calls `visit` for each direct child expression (arguments, filter, order, subject, element, test; not into queries). */
void expression_children(const struct expression *expression,
                         void (*visit)(void *argument, struct expression *child), void *argument);
/* A copy in which `replace` was asked for every node from the top: what it gives (not NULL) stands in the node's place and is not
 * looked into. Queries inside are shared, not copied, unless `into_queries`; then `level` tells how deep. */
struct expression *expression_map(struct scope *scope, const struct expression *expression,
                                  struct expression *(*replace)(void *argument, const struct expression *node,
                                                                uint32_t level),
                                  void *argument, bool into_queries);
/* The same over everything in a query (targets, where, having, from conditions, ranges' functions, values and subqueries, ...). */
struct query *query_map(struct scope *scope, const struct query *query,
                        struct expression *(*replace)(void *argument, const struct expression *node,
                                                      uint32_t level),
                        void *argument);
bool expression_equal(const struct expression *a, const struct expression *b);
uint64_t expression_hash(const struct expression *expression);

enum expression_facts {
    FACT_VOLATILE = 1,
    FACT_STABLE = 2,    /* or volatile */
    FACT_AGGREGATE = 4, /* of this level */
    FACT_WINDOW = 8,
    FACT_SUBQUERY = 16,
    FACT_PARAMETER = 32,
    FACT_SET_CALL = 64,
    FACT_SESSION = 128,      /* calls a function that only the session's core may run */
    FACT_COLUMN = 256,       /* a column of level 0 */
    FACT_OUTER_COLUMN = 512, /* a column of a level above */
};
uint32_t expression_facts(const struct expression *expression);

/* Makers, for binder and planner. */
struct expression *expression_make(struct scope *scope, enum expression_kind kind, const struct type *type);
struct expression *expression_constant(struct scope *scope, const struct type *type, struct value value);
struct expression *expression_column(struct scope *scope, uint32_t range, int32_t number,
                                     const struct type *type, int32_t modifier, uint32_t collation);
struct expression *expression_and(struct scope *scope, struct expression *a,
                                  struct expression *b); /* either may be NULL */

/* A type as format_type() writes it, for errors and texts ("character varying(10)[]"). `modifier_given` false: without
 * modifier. `view` may be NULL when the type and its element are built in. */
const char *type_text(struct catalog_view *view, struct scope *scope, const struct type *type,
                      bool modifier_given, int32_t modifier);

/* For the catalog: names carry their schemas, whatever the search path. For people: only the parentheses that are needed. */
enum deparse_flags { DEPARSE_STORED = 1, DEPARSE_PRETTY = 2 };

/* Texts as PostgreSQL's ruleutils writes them: deparse.c. An expression as pg_get_expr() shows it (`query`: whose ranges its
 * columns are of; `qualified`: with their names before the columns'); a query as pg_get_viewdef() does, with the semicolon. */
enum sqlstate expression_deparse(struct catalog_view *view, struct scope *scope,
                                 const struct expression *expression, const struct query *query,
                                 bool qualified, unsigned flags, const char **text, struct error *error);
enum sqlstate query_deparse(struct catalog_view *view, struct scope *scope, const struct query *query,
                            unsigned flags, const char **text, struct error *error);

#endif
