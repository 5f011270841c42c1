/* What the parts of the planner share. Private to sqlfront/plan.
 *
 * A *level* is one SELECT (or INSERT ...) being planned; its working query may be changed freely. Columns are named by
 * (range, number) until a plan node's expressions are made, when they are resolved to slots of the node's input. What an
 * operator computed (an aggregate, a window call, a subquery's answer) is a slot with range COMPUTED and the number of
 * the expression in level->computed that it stands for. */
#ifndef SYNOD_SQLFRONT_PLAN_INSIDE_H
#define SYNOD_SQLFRONT_PLAN_INSIDE_H

#include "sqlfront/algebra/walk.h"
#include "sqlfront/plan/plan.h"

/* memcpy() that lets there be nothing to copy from nowhere: a node without slots has no list of them. */
static inline void plan_copy(void *to, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(to, from, bytes);
}

#define COMPUTED 0xffffffffu
/* Pseudo column: the row's key as bytea. */
#define ROW_KEY -100
/* Ranges of one level: a set of them is a word. */
#define RANGES_MAX 64

struct slot {
    uint32_t range;
    int32_t number;
};

struct ordering { /* a path's rows come in this order */
    uint32_t slot;
    bool descending, nulls_first;
    bool constant; /* the same in all rows */
};

/* A plan under construction: which slot is what. */
struct path {
    struct plan *plan;
    struct slot *slot; /* plan->columns of them */
    uint32_t orders;
    struct ordering *order;
    double failing; /* a scan's: rows it reads and does not let through */
};

/* Ways to the same rows that are worth keeping beside the cheapest one, for the order they come in. */
#define PATHS_KEPT_MAX 6
struct paths {
    struct path *path[PATHS_KEPT_MAX];
    uint32_t count;
};

struct outer_use { /* a column of this level that the subquery being planned needs */
    struct expression *source;
    uint32_t parameter;
};

struct condition { /* one conjunct */
    struct expression *expression;
    uint64_t refs;     /* ranges of this level in it */
    uint64_t required; /* must be joined before it may be asked */
    int special;       /* index of the outer, semi or anti join whose ON it belongs to; -1 = a filter */
    /* left = right, hashable, of disjoint sets of ranges */
    bool equality;
    struct expression *left, *right;
    uint64_t left_refs, right_refs;
    int class; /* of equal columns it follows from; -1 = none */
    bool derived;
    int restricts; /* index of the OR over several tables whose part for one of them it is; -1 = none */
    double selectivity;
};

/* The join tree, from FROM. */
struct join_tree {
    bool leaf;
    uint32_t range;
    uint8_t join; /* INNER, LEFT, FULL, SEMI, ANTI (RIGHT was turned around) */
    bool null_aware;
    struct join_tree *left, *right;
    uint32_t conditions; /* ON; of a leaf or inner join: filters */
    struct expression **condition;
};

struct special_join {
    uint8_t join;
    bool null_aware;
    uint64_t min_left, min_right; /* must be there on that side */
    uint64_t left, right;         /* as written */
};

/* Subqueries that are asked before a plan runs, and where it finds their values. */
#define HOISTED_MAX 16
struct hoisted {
    uint32_t count;
    struct expression *node[HOISTED_MAX];
    uint32_t parameter[HOISTED_MAX];
};

struct level {
    struct planner *planner;
    struct level *parent;
    struct query *query;
    struct join_tree *tree; /* NULL: no FROM */
    uint32_t computed, computed_room;
    struct expression **computed_expression;
    uint32_t uses, uses_room;
    struct outer_use *use;           /* of the subquery being planned now */
    uint64_t **wanted;               /* per range: bit set of columns by number */
    bool *wants_key;                 /* per range */
    uint64_t lateral_of[RANGES_MAX]; /* what a lateral leaf refers to */
    double leaf_rows[RANGES_MAX];    /* what a planned leaf gives, its own conditions applied */

    uint32_t conditions, conditions_room;
    struct condition *condition;
    uint32_t specials;
    struct special_join special[RANGES_MAX];
    /* What order would save a sort at the end, and how many rows are wanted: 0 = all. */
    uint32_t wish_orders;
    const struct sort_key *wish;
    double wish_rows;
    /* GROUP BY's or DISTINCT's keys, and what is called for each row: neighbours in any order of them save a table. */
    uint32_t group_wishes, group_calls;
    struct expression **group_wish;
    bool writes; /* INSERT and the like */
    /* Subqueries that depend on nothing here, asked once before the plan runs, and the parameters that hold them. */
    struct hoisted hoisted;
};

struct common_plan {
    struct common_plan *next;
    const struct common *common;
    uint32_t slot;
    struct plan *plan;
    double rows;
    bool always;
    bool working; /* it is the recursive term's own reference that is asked for */
};

struct planner {
    struct planner_request *request;
    struct scope *scope;
    uint32_t outer_parameters, common_slots;
    struct common_plan *commons;
    uint32_t depth;
};

static inline uint64_t set_of(uint32_t range)
{
    return (uint64_t)1 << range;
}
static inline bool subset(uint64_t a, uint64_t b)
{
    return (a & ~b) == 0;
}

/* ---- making nodes (node.c) ---- */

struct plan *plan_make(struct planner *planner, enum plan_kind kind, uint32_t columns);
void *plan_alloc(struct planner *planner, size_t bytes);
/* A node over one path that keeps its slots (FILTER, SORT, LIMIT, UNIQUE, LOCK ...). */
struct path *path_over(struct planner *planner, enum plan_kind kind, struct path *input);
int path_slot(const struct path *path, uint32_t range, int32_t number); /* -1 = not there */
struct expression *slot_expression(struct planner *planner, const struct path *path, uint32_t slot);

/* The expression over the path's slots; fails with XX000 when something is not there. */
enum sqlstate level_resolve(struct level *level, const struct path *path, const struct expression *expression,
                            struct expression **resolved, struct error *error);
/* Registers what an operator computes; gives its number. */
int32_t level_computed(struct level *level, struct expression *expression);
/* A filter over the path: conditions (not resolved), joined by AND. Does nothing for none. */
enum sqlstate level_filter(struct level *level, struct path **path, struct expression **conditions,
                           uint32_t count, struct error *error);
uint64_t expression_ranges(const struct expression *expression); /* of level 0, nested queries looked into */
/* The expression moved `by` levels down: its columns of outer levels are that much further away. */
struct expression *expression_lower(struct planner *planner, const struct expression *expression,
                                    uint32_t by);
void conjuncts_split(struct planner *planner, struct expression *expression, struct expression ***list,
                     uint32_t *count);
bool type_is_same_key(const struct type *column, const struct type *other);
/* Whether equal values of the two types are equal values and hash alike as they are: of one type, integers, floats. */
bool types_hash_alike(const struct type *a, const struct type *b);
const struct expression *expression_strip_relabel(const struct expression *expression);

/* ---- rewriting (rewrite.c, pull.c, semi.c) ---- */

struct expression *planner_fold(struct planner *planner, const struct expression *expression);
struct query *planner_prepare(struct planner *planner, const struct query *query);
/* min and max of a column that an index begins with become subqueries that read one entry. */
void planner_extremes(struct planner *planner, struct query *query);
enum sqlstate level_build_tree(struct level *level, struct error *error);
enum sqlstate level_pull_up(struct level *level, struct error *error);
enum sqlstate level_semi_joins(struct level *level, struct error *error);
void level_reduce_outer_joins(struct level *level);
void level_collect_wanted(struct level *level);
/* Adds a range to the level's query; false when there is no room. */
bool level_add_ranges(struct level *level, const struct range *ranges, uint32_t count, uint32_t *first);
uint64_t tree_ranges(const struct join_tree *tree);
bool query_is_simple(const struct query *query);
/* A copy of a query one level down whose ranges become this level's from `range_offset` on. */
struct query *query_absorb(struct planner *planner, const struct query *query, uint32_t range_offset);

/* ---- joining (join.c, access.c, estimate.c) ---- */

enum sqlstate level_join(struct level *level, struct path **path, struct error *error);
/* The best way to read one leaf with its own conditions, whatever the order; `kept`: those that come in a useful one. */
enum sqlstate level_leaf(struct level *level, uint32_t range, struct path **best, struct paths *kept,
                         struct error *error);
/* A LOOKUP_JOIN of the path with a relation's leaf by `conditions`, or NULL when no index helps. */
enum sqlstate level_lookup(struct level *level, struct path *outer, uint32_t range, uint8_t join,
                           struct condition **conditions, uint32_t count, double rows, struct path **best,
                           struct error *error);

/* ---- ways to join two paths (join.c, merge.c) ---- */

struct joining_request {
    struct path *left, *right; /* left is kept by an outer join, probes a hash join */
    uint8_t join;
    bool null_aware;
    struct condition **conditions; /* of the join itself */
    uint32_t count;
    double rows;
};
/* A node over both, without cost and condition. */
struct path *joined_path(struct level *level, enum plan_kind kind, const struct joining_request *request);
/* Splits an equality into what is asked of the left and of the right path; false: it is none that a join's keys can be. */
bool condition_as_keys(const struct joining_request *request, const struct condition *condition,
                       struct expression **left, struct expression **right);
/* The best merge join, in whatever order its inputs come or are sorted, at once of less cost than `most` or in an order that
 * is useful beyond; NULL: there is none. `left` and `right` are the other ways to the inputs. */
enum sqlstate level_merge_join(struct level *level, const struct joining_request *request,
                               const struct paths *left, const struct paths *right, double most,
                               struct paths *found, struct error *error);

/* ---- orders (order.c) ---- */

bool path_has_order(const struct level *level, const struct path *path, const struct sort_key *wish,
                    uint32_t count);
/* Whether a column stands for the slot: it is that or equal to it. */
bool column_is_equal(const struct level *level, const struct expression *column, const struct slot *slot);
/* Whether rows with equal keys are neighbours. */
bool path_has_groups(struct level *level, const struct path *path, struct expression *const *key,
                     uint32_t count);
/* Keeps the path if its order is useful to somebody and no other one is as ordered and as cheap. */
void paths_keep(struct level *level, struct paths *paths, struct path *path);
/* What the query's first rows, or all of them, cost in this way. */
double first_rows_cost(const struct level *level, const struct path *path);
/* What is still to come for the level's rows: groups, sorting. */
double finishing_cost(struct level *level, const struct path *path);
double sorting_cost(const struct planner *planner, double rows, uint32_t columns);
/* What it costs besides that a hash table of so many rows does not fit into memory. */
double hash_spill_cost(const struct planner *planner, double table_rows, uint32_t columns,
                       double probing_rows);
/* The path under a SORT by expressions of the level. */
enum sqlstate path_sorted(struct level *level, struct path **path, struct expression *const *key,
                          const struct ordering *order, uint32_t count, struct error *error);

double relation_rows(struct planner *planner, const struct relation *relation);
/* A sample of a relation's rows, taken at first need and kept with the descriptor. NULL when there is none. */
struct sample {
    double rows; /* of the table when it was taken */
    uint32_t count;
    struct value **column; /* [attnum - 1][row]; NULL for dropped ones */
    double *distinct;      /* estimates for the table, by attnum - 1; 0 = not made yet */
};
struct sample *relation_sample(struct planner *planner, const struct relation *relation);

/* A column as ANALYZE found it. */
struct known_column {
    bool there;
    double null_share, distinct; /* as pg_statistic has them: distinct < 0 is a share of the rows */
    double common_share;         /* of all common values together */
    uint32_t commons, bounds;
    struct value *common, *share; /* falling */
    struct value *bound;          /* ascending */
};
struct known {
    struct known_column *column; /* [attnum - 1] */
};
/* What hangs on a descriptor. */
struct learned {
    struct sample *sample;
    struct known *known;
};
struct learned *relation_learned(const struct relation *relation);
/* NULL when nothing is known. Yields at first. */
const struct known_column *relation_known(struct planner *planner, const struct relation *relation,
                                          int32_t number);
double known_distinct(const struct known_column *known, double rows);
/* column (operator of that strategy) value, as a share of all rows; `value` NULL: not known now. False when nothing is known. */
bool known_selectivity(struct planner *planner, const struct relation *relation, int32_t number,
                       uint8_t strategy, const struct value *value, double *selectivity);
double column_distinct(struct level *level, uint32_t range, int32_t number);
double expression_distinct(struct level *level, const struct expression *expression, double rows);
double condition_selectivity(struct level *level, const struct expression *expression);
/* The share of `groups` groups of `rows` rows that the condition on aggregates leaves (having.c). */
double having_selectivity(struct level *level, const struct expression *condition, double rows,
                          double groups);

/* ---- levels (level.c, upper.c, apply.c, modify.c) ---- */

/* Plans a query one level down (or the top: parent NULL). The path's slots are its visible targets in order (range 0,
 * number from 1 mean nothing more). */
enum sqlstate planner_query(struct planner *planner, struct level *parent, const struct query *query,
                            struct path **path, struct error *error);
/* FROM and WHERE: rewritten, joined. level->tree may be there already. */
enum sqlstate level_from(struct level *level, struct path **path, struct error *error);
/* WITH over the finished path. */
void level_commons(struct level *level, struct path **path);
enum sqlstate level_upper(struct level *level, struct path **path, struct error *error);
/* Finds out what rows will be grouped by (level->group_wish). */
void level_group_wish(struct level *level);
/* Makes a slot for each subquery in the expression. */
enum sqlstate level_apply(struct level *level, struct path **path, struct expression *expression,
                          struct error *error);
/* Puts a parameter in the place of each subquery that depends on no row of this level; 0A000 for others, naming `where`. */
enum sqlstate level_hoist(struct level *level, struct expression **expression, const char *where,
                          struct error *error);
/* The finished path under what asks those subqueries first. */
enum sqlstate level_hoisted(struct level *level, struct path **path, struct error *error);
/* A PROJECT of expressions, which become the path's slots. */
enum sqlstate level_project(struct level *level, struct path **path, struct expression *const *expressions,
                            uint32_t count, struct error *error);
/* Runs a lateral leaf for each row of the path. */
enum sqlstate level_apply_leaf(struct level *level, struct path *outer, uint32_t range, uint8_t join,
                               struct expression **conditions, uint32_t count, struct path **path,
                               struct error *error);
/* The leaf's own plan: a subquery, function, VALUES, CTE; references to this level's columns become parameters. */
enum sqlstate level_other_leaf(struct level *level, uint32_t range, struct path **path, struct error *error);
enum sqlstate planner_modify(struct planner *planner, struct level *parent, const struct query *query,
                             struct path **path, struct error *error);
/* WITH queries that change data: run whether anybody reads them or not. */
enum sqlstate level_modifying_commons(struct level *level, struct error *error);
/* What MODIFY needs of the relation's old rows. */
void level_want_written(struct level *level);
enum sqlstate planner_set_operation(struct planner *planner, struct level *level, struct path **path,
                                    struct error *error);
enum sqlstate planner_common(struct level *level, const struct common *common, bool self,
                             struct common_plan **plan, struct error *error);

/* ---- costs: microseconds of one core, measured roughly ---- */

#define COST_SCAN_ROW   0.05
#define COST_FOUND_ROW  0.15 /* a row that a look-up gives */
#define COST_FETCH      1.3  /* a row by key in a batch of look-ups */
#define COST_LOOKUP     1.3  /* descending an index, in such a batch */
#define COST_HOP        8.0
#define COST_CONDITION  0.01
#define COST_HASH_BUILD 0.09
#define COST_HASH_PROBE 0.03
#define COST_ROW_OUT    0.02
#define COST_SORT       0.008 /* per row and doubling */
#define COST_AGGREGATE  0.04
#define COST_GROUP      0.08 /* a group of its own in a table */
#define COST_NEIGHBOUR  0.02 /* comparing a row with the one before: sorted groups, merge joins */
#define COST_SPILL      0.5  /* a row that goes to disk and comes back */
/* What a table's own order costs where several cores could have read it side by side. */
#define COST_ONE_CORE 2

/* ---- spread.c ---- */

/* Rows below which it is not worth going to several cores. */
#define GATHER_ROWS_MIN 20000
/* The scan at the end of a chain that may run on its table's owners: projections, conditions, hash joins by their first input.
 * NULL: the chain may not, or is not worth it. */
const struct plan *plan_spread_leaf(const struct plan *top);
/* Has what is worth it gathered from all cores. `any_order`: whoever reads the plan's rows takes them in any order, and takes
 * them all. */
void plan_spread(struct planner *planner, struct plan **place, bool any_order);

#endif
