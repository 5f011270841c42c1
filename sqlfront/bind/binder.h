/* What the files of the binder share: the state of one statement, of one query in it, and who does what.
 *
 * Functions that give a pointer give NULL when they failed, those that give a bool false; the error is written then, and
 * callers pass the failure up untouched. Where NULL or false is an answer, it is said.
 *
 * PostgreSQL's analyzer (parser/parse_*.c, analyze.c of its source) is the description of what happens here; where its names help,
 * comments give them. */
#ifndef SYNOD_SQLFRONT_BIND_BINDER_H
#define SYNOD_SQLFRONT_BIND_BINDER_H

#include "sqlfront/bind/bind.h"

#include "base/text.h"
#include "sqlfront/parse/parse.h"
#include "sqlfront/parse/tree.h"

/* The statement being bound. */
struct binder {
    struct binder_request *request;
    struct scope *scope;
    struct catalog_view *view;
    struct environment *environment;
    struct error *error;
    const char *text; /* positions are offsets in it; NULL = they mean nothing (texts of the catalog) */
    uint32_t depth;   /* of views and inlined functions within each other */
    uint32_t nesting; /* of the expression node being bound */
    uint32_t queries; /* within each other, at present */
    /* The SQL function whose body this is: $n and names stand for its arguments. */
    const struct procedure *body_of;
    struct expression **body_arguments;
    uint32_t *body_uses; /* how often each is named */
    /* MERGE ... WHEN: which rows may be named is checked where columns are found. */
};

/* Nodes of an expression within each other. Whatever walks bound trees later (planner, evaluator) uses up to half a KiB of
 * the fiber's 1 MiB for each, and most of it does not look how much is left. */
#define NESTING_MAX 1500
/* Queries within each other: a planner's recursion takes more for each. */
#define QUERIES_NESTED_MAX 200

#define BIND_DEPTH_MAX 64 /* views in views, functions in functions: PostgreSQL's stack would end likewise */

/* Where an expression stands: what may be in it, and how errors call the place (ParseExprKind). */
enum place {
    PLACE_OTHER = 1,
    PLACE_JOIN_ON,
    PLACE_FROM_SUBSELECT,
    PLACE_FROM_FUNCTION,
    PLACE_WHERE,
    PLACE_HAVING,
    PLACE_FILTER,
    PLACE_WINDOW_PARTITION,
    PLACE_WINDOW_ORDER,
    PLACE_WINDOW_FRAME_RANGE,
    PLACE_WINDOW_FRAME_ROWS,
    PLACE_WINDOW_FRAME_GROUPS,
    PLACE_SELECT_TARGET,
    PLACE_INSERT_TARGET,
    PLACE_UPDATE_SOURCE,
    PLACE_UPDATE_TARGET,
    PLACE_MERGE_WHEN,
    PLACE_GROUP_BY,
    PLACE_ORDER_BY,
    PLACE_DISTINCT_ON,
    PLACE_LIMIT,
    PLACE_OFFSET,
    PLACE_RETURNING,
    PLACE_VALUES,
    PLACE_VALUES_SINGLE,
    PLACE_CHECK,
    PLACE_DEFAULT,
    PLACE_FUNCTION_DEFAULT,
    PLACE_INDEX,
    PLACE_INDEX_PREDICATE,
    PLACE_ALTER_TYPE,
    PLACE_GENERATED,
};

/* A name in FROM and its columns (ParseNamespaceItem). */
struct space {
    const char *name; /* NULL: a join without alias */
    uint32_t range;
    uint32_t columns;
    const char **names;         /* NULL = dropped, or hidden */
    struct expression **column; /* of level 0, what each stands for */
    const struct relation *relation;
    struct range *through; /* the view whose columns these are, when it is written to */
    bool name_visible, columns_visible;
    bool lateral_only; /* only for LATERAL items, */
    bool lateral_ok;   /* and these may only name it when the join is of a kind that allows it */
};

/* A WITH item: its node, and how far it is. */
enum common_state { COMMON_WAITING, COMMON_LEFT, COMMON_RIGHT, COMMON_DONE };
struct common_item {
    const CommonTableExpr *node;
    struct common *common;
    uint8_t state;   /* LEFT: being bound, may not name itself (yet); RIGHT: in its recursive part */
    uint32_t itself; /* how often it names itself */
    uint32_t begun;  /* when, among those of its WITH */
    int32_t named;   /* where it names itself, the last time */
};

/* One query being bound (ParseState). */
struct level {
    struct binder *binder;
    struct level *above;
    struct query *query;
    struct space **space; /* what names may be found, in order */
    uint32_t spaces;
    struct space **range_space; /* per range of the query, NULL = none */
    uint8_t place;
    bool lateral_active;
    bool is_insert_select, locked_from_view;
    bool has_grouping; /* GROUPING (...) is somewhere */
    bool keep_unknown; /* unknown literals of the target list stay unknown (INSERT ... SELECT, UNION) */
    /* WITH lists that are not bound yet: to tell a forward reference. */
    const List *future_commons;
    struct common_item **common_item;
    uint32_t common_items, commons_begun;
    struct common_item *self;        /* the CTE whose whole query this is */
    struct common *recursive_common; /* whose recursive part this is */
    bool binding_window;             /* windows are not nested */
    /* The columns of the relation written to, before FROM hides or shows them. */
    struct space *target_space;
    struct view_target *view; /* when a view is written to: which table that means */
    struct expression *last_set_call;
    struct expression **rows_call; /* SQL functions that give sets, joined to FROM */
    uint32_t *rows_range, rows_calls;
};

/* ---- base.c: errors, lists, small things ---- */

/* Writes the error with its position (byte offset in the statement, -1 = none); gives NULL. */
void *fail(struct binder *binder, enum sqlstate state, int32_t position, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void fail_hint(struct binder *binder, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail_detail(struct binder *binder, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Gives an error that came from elsewhere (a type's input function) the position. */
void fail_at(struct binder *binder, int32_t position);
bool stack_suffices(struct binder *binder);

/* Room for one item more in an array of `count` that was made by this function only. NULL when there is no memory. */
void *list_grow(struct binder *binder, void *array, uint32_t count, size_t item);
/* Zeroed memory of any size. */
void *memory(struct binder *binder, size_t bytes);
const char *node_string(const Node *node); /* of a String node */
int32_t node_position(const Node *node);   /* exprLocation: where it begins */
int32_t expression_position(const struct expression *expression);
/* a.b.c as PostgreSQL quotes it in messages: without quotes. */
const char *names_text(struct binder *binder, const List *names);
/* Splits a qualified name: *schema NULL when there is none. 42601/0A000 for too many or foreign parts. */
bool names_split(struct binder *binder, const List *names, const char **schema, const char **name);

struct expression *make(struct binder *binder, enum expression_kind kind, const struct type *type,
                        int32_t position);
struct expression *make_integer(struct binder *binder, int64_t value, uint32_t type);
struct expression *make_boolean_list(struct binder *binder, enum expression_kind kind, struct expression *a,
                                     struct expression *b, int32_t position);
void argument_add(struct binder *binder, struct expression *to, struct expression *argument);
bool expression_is_unknown(const struct expression *expression);
/* What an expression would hand on: its own collation, or the arguments'. */
uint32_t collation_of_type(const struct type *type);

/* ---- type.c ---- */

const struct type *type_by_oid(struct binder *binder, uint32_t oid);
const struct type *builtin(uint32_t oid);
const char *type_name(struct binder *binder, const struct type *type); /* format_type_be */
const char *type_name_oid(struct binder *binder, uint32_t oid);
bool type_of_name(struct level *level, const TypeName *name, const struct type **type, int32_t *modifier);
/* *type NULL when there is none of that name. */
bool type_look_up(struct binder *binder, const TypeName *name, const struct type **type);
/* A record type with these columns. */
const struct type *record_type(struct binder *binder, uint32_t columns, const char *const *names,
                               const struct type *const *types, const int32_t *modifiers);
bool type_is_composite(const struct type *type); /* has (or may have) fields */
bool type_is_array(const struct type *type);
bool type_is_polymorphic(uint32_t oid);
uint32_t range_subtype(uint32_t range); /* 0 = no range type */
uint32_t multirange_range(uint32_t multirange);

/* ---- coerce.c ---- */

enum coercion { COERCE_IMPLICIT_ONLY, COERCE_ASSIGN, COERCE_EXPLICITLY };
enum coercion_form { FORM_IMPLICIT, FORM_EXPLICIT, FORM_CALL };

/* Whether arguments of these types can be given where those are declared. */
bool can_coerce(struct binder *binder, uint32_t count, const uint32_t *from, const uint32_t *to,
                enum coercion context);
/* Without looking whether it can be. */
struct expression *coerce(struct level *level, struct expression *from, const struct type *type,
                          int32_t modifier, enum coercion context, enum coercion_form form, int32_t position);
/* *to NULL when there is no such conversion. */
bool coerce_to_target(struct level *level, struct expression *from, const struct type *type, int32_t modifier,
                      enum coercion context, enum coercion_form form, int32_t position,
                      struct expression **to);
struct expression *coerce_to_boolean(struct level *level, struct expression *from, const char *construct);
struct expression *coerce_to_specific(struct level *level, struct expression *from, uint32_t type,
                                      const char *construct);
/* NULL (an error, or without `context` an answer) when they have none. */
const struct type *common_type(struct binder *binder, struct expression *const *expressions, uint32_t count,
                               const char *context, bool *failed);
int32_t common_modifier(struct expression *const *expressions, uint32_t count, const struct type *type);
struct expression *coerce_to_common(struct level *level, struct expression *from, const struct type *type,
                                    const char *context);
/* How one type becomes another. */
enum pathway { PATHWAY_NONE, PATHWAY_RELABEL, PATHWAY_CALL, PATHWAY_TEXT, PATHWAY_ARRAY };
enum pathway find_pathway(struct binder *binder, uint32_t from, uint32_t to, enum coercion context,
                          uint32_t *procedure);
/* Polymorphic declared types become what the actual ones say; gives the result type (0: error). */
uint32_t enforce_generic(struct binder *binder, const uint32_t *actual, uint32_t *declared, uint32_t count,
                         uint32_t result, bool *failed);

/* ---- resolve.c: which of several functions or operators is meant ---- */

struct candidate {
    const struct procedure *procedure; /* NULL: two that cannot be told apart, or an operator */
    const struct operator* operator;
    uint32_t arguments;
    uint32_t *types;    /* of the arguments as called: variadic ones spread, named ones in their place */
    uint32_t variadics; /* arguments that go into the variadic array */
    uint32_t defaults;  /* arguments left out */
    uint32_t *place; /* of named calls: argument i of the function is argument place[i] of the call; NULL */
};

/* Keeps candidates that the types can be given to; gives how many. */
uint32_t candidates_match(struct binder *binder, struct candidate *candidates, uint32_t count,
                          uint32_t arguments, const uint32_t *types);
/* NULL when none is best. */
struct candidate *candidates_choose(struct binder *binder, struct candidate *candidates, uint32_t count,
                                    uint32_t arguments, const uint32_t *types);

enum find_result { FIND_NONE, FIND_AMBIGUOUS, FIND_FOUND, FIND_COERCION, FIND_FAILED };
struct function_search {
    const char *schema, *name;
    uint32_t arguments;
    const uint32_t *types;
    const char *const *names; /* NULL = positional; else per argument, NULL = positional */
    bool spread, defaults;    /* variadic functions and default values are considered */
    struct candidate found;
    const struct type *coercion;
};
enum find_result function_find_best(struct binder *binder, struct function_search *search);
/* For operators: `left` NULL for prefix ones. Errors written unless `quiet`; NULL also when quiet and none. */
const struct operator* operator_find(struct binder *binder, const List *name, const struct type *left,
                                     const struct type *right, bool quiet, int32_t position);
/* The equality, less and greater of a type, as ORDER BY and GROUP BY need; binary-coercible types are looked through. NULL = none */
const struct operator* type_comparison(struct binder *binder, const struct type *type, int strategy);
const struct procedure *procedure_by_oid(struct binder *binder, uint32_t oid);
/* A procedure of pg_catalog by name and argument types. NULL = an error: what is asked for is always there. */
const struct procedure *procedure_by_types(struct binder *binder, const char *name, uint32_t count,
                                           const uint32_t *types);

/* ---- operator.c ---- */

struct expression *operator_make(struct level *level, const List *name, struct expression *left,
                                 struct expression *right, int32_t position);
struct expression *operator_call(struct level *level, const struct operator* operator,
                                 struct expression * left, struct expression *right, int32_t position);
struct expression *operator_array_make(struct level *level, const List *name, bool any,
                                       struct expression *left, struct expression *right, int32_t position);
struct expression *distinct_make(struct level *level, const List *name, struct expression *left,
                                 struct expression *right, int32_t position);
/* Comparison of rows: NULL-terminated lists of equal length. */
struct expression *row_compare_make(struct level *level, const List *name, struct expression **left,
                                    struct expression **right, uint32_t count, int32_t position);
/* The name of an operator (function) the binder itself asks for, in pg_catalog. */
List *names_of(struct binder *binder, const char *name);

/* ---- function.c ---- */

struct expression *function_bind(struct level *level, const FuncCall *call);
/* A call whose arguments are bound; `call` may be NULL for f(x) written as x.f. */
struct expression *function_apply(struct level *level, const List *name, struct expression **arguments,
                                  uint32_t count, const FuncCall *call, bool is_procedure, int32_t position,
                                  bool column_notation);
struct expression *function_call_builtin(struct level *level, const char *name, uint32_t count,
                                         struct expression **arguments, int32_t position);
/* inline.c: the call's own body in its place, where that is the same; the call itself else. */
struct expression *function_inline(struct level *level, struct expression *call);
/* A call that gives a set, as the query it is; $n are seen from one level further down. */
struct query *function_rows(struct level *level, const struct expression *call);
/* In a target list: that query joined to FROM, laterally; gives what stands for its row. */
struct expression *function_rows_join(struct level *level, struct expression *call);

/* ---- aggregate.c ---- */

struct expression *aggregate_finish(struct level *level, struct expression *aggregate, const FuncCall *call,
                                    uint32_t direct);
struct expression *grouping_bind(struct level *level, const GroupingFunc *node);
/* After everything of a query was bound: nothing ungrouped outside of aggregates, nothing nested. */
bool aggregates_check(struct level *level);
/* Functional dependency, and whether the query has grouping at all, is looked at there. */
const char *place_name(enum place place);

/* ---- column.c ---- */

struct expression *column_bind(struct level *level, const ColumnRef *reference);
/* *found NULL = no such column. */
bool column_find(struct level *level, const char *name, int32_t position, struct expression **found);
bool space_find(struct level *level, const char *schema, const char *name, int32_t position,
                struct space **found, uint32_t *up);
struct expression *space_column(struct level *level, const struct space *space, const char *name, uint32_t up,
                                int32_t position);
struct expression *space_whole(struct level *level, const struct space *space, uint32_t up, int32_t position);
struct expression *column_at_level(struct binder *binder, const struct expression *template, uint32_t up,
                                   int32_t position);
void *fail_missing_range(struct level *level, const char *schema, const char *name, int32_t position);
void column_note_read(struct level *level, uint32_t up, uint32_t range, int32_t number);
/* Field of a record-valued expression; NULL with *missing = true when it has none of that name. */
struct expression *field_of(struct level *level, struct expression *record, const char *name,
                            int32_t position, bool *missing);

/* ---- expression.c ---- */

struct expression *expression_bind(struct level *level, const Node *node, enum place place);
struct expression *node_bind(struct level *level, const Node *node); /* in the place that already holds */
struct expression *array_bind(struct level *level, const A_ArrayExpr *array, const struct type *type,
                              const struct type *element, int32_t modifier);
struct expression *cast_bind(struct level *level, const TypeCast *cast);
struct expression *row_bind(struct level *level, const RowExpr *row);
struct expression *constant_bind(struct binder *binder, const A_Const *constant);
struct expression *parameter_bind(struct level *level, const ParamRef *parameter);
struct expression *collate_bind(struct level *level, const CollateClause *clause);
/* subscript.c */
struct expression *indirection_bind(struct level *level, const A_Indirection *indirection);
struct expression *subscripts_bind(struct level *level, struct expression *container, const List *subscripts,
                                   int32_t position, struct expression *assigned);
/* sublink.c */
struct expression *sublink_bind(struct level *level, const SubLink *link);

/* ---- target.c ---- */

bool targets_bind(struct level *level, const List *list, enum place place, struct target **targets,
                  uint32_t *count);
struct target *target_add(struct level *level, struct expression *expression, const char *name, bool hidden);
const char *target_name(struct binder *binder, const Node *node); /* FigureColname */
void target_origin(struct level *level, struct target *target);
bool targets_settle_unknown(struct level *level, struct target *targets, uint32_t count);
/* All columns of a space (alias.*), as expressions. */
bool space_expand(struct level *level, const struct space *space, uint32_t up, int32_t position,
                  struct expression ***expressions, const char ***names, uint32_t *count);
bool record_expand(struct level *level, struct expression *record, int32_t position,
                   struct expression ***expressions, const char ***names, uint32_t *count);
/* The `*` of a reference or an indirection. */
bool star_expand(struct level *level, const Node *node, struct expression ***expressions, const char ***names,
                 uint32_t *count);
bool node_is_star(const Node *node);

/* ---- from.c ---- */

bool from_bind(struct level *level, const List *list);
uint32_t range_add(struct level *level, enum range_kind kind, const char *name, const char *alias);
struct space *space_add(struct level *level, uint32_t range, bool name_visible, bool columns_visible);
struct space *space_of_range(struct level *level, uint32_t range);
bool range_relation_add(struct level *level, const RangeVar *variable, const struct relation *relation,
                        uint32_t *range);
bool range_subquery_add(struct level *level, struct query *query, const Alias *alias, bool lateral,
                        uint32_t *range);
bool relation_open(struct level *level, const RangeVar *variable, const struct relation **relation);
struct from *from_range(struct level *level, uint32_t range);
void from_add(struct level *level, struct from *item);
void space_push(struct level *level, struct space *space);
bool view_expand(struct level *level, uint32_t range, const struct relation *relation);
struct query *view_query(struct level *level, const struct relation *relation);
bool range_values_add(struct level *level, struct expression ***rows, uint32_t count, uint32_t columns,
                      const Alias *alias, uint32_t *range);

/* ---- clause.c ---- */

struct expression *where_bind(struct level *level, const Node *node, enum place place, const char *name);
bool sort_bind(struct level *level, const List *list, struct sort_key **keys, uint32_t *count,
               enum place place, bool sql99);
bool group_bind(struct level *level, const List *list, bool distinct);
bool distinct_bind(struct level *level);
bool distinct_on_bind(struct level *level, const List *list);
bool windows_bind(struct level *level, const List *definitions);
struct expression *limit_bind(struct level *level, const Node *node, enum place place, const char *name,
                              bool with_ties);
bool sort_key_of(struct binder *binder, const struct expression *expression, const SortBy *by,
                 int32_t position, struct sort_key *key);
bool aggregate_order_bind(struct level *level, const List *list, struct expression *aggregate);
bool window_find(struct level *level, const WindowDef *definition, struct expression *call);

/* ---- select.c, set.c, with.c ---- */

/* A query one level below `above` (NULL: outermost). `keep_unknown`: literals in its target list stay of unknown type. */
struct query *query_bind(struct binder *binder, struct level *above, const Node *statement,
                         bool keep_unknown);
struct level *level_open(struct binder *binder, struct level *above);
bool select_bind(struct level *level, const SelectStmt *select);
/* `self`: the CTE whose recursive definition this may be; its columns are known once the left side is bound. */
bool set_bind(struct level *level, const SelectStmt *select);
bool values_bind(struct level *level, const SelectStmt *select);
bool values_rows(struct level *level, const List *lists, enum place place, struct expression ****rows,
                 uint32_t *count, uint32_t *columns, bool allow_default);
bool commons_bind(struct level *level, const WithClause *with);
/* *found NULL = no CTE of that name. */
bool common_find(struct level *level, const char *name, int32_t position, struct common **found,
                 uint32_t *up);
/* Where the recursive part may name its query, and that it does not aggregate (checkWellFormedRecursion). */
bool recursion_check(struct level *level, const struct query *query, const struct common_item *item);
bool common_columns_set(struct binder *binder, const CommonTableExpr *node, struct common *common,
                        const struct query *query);
bool locks_bind(struct level *level, const List *clauses);
bool query_finish(struct level *level);
/* The target list's visible columns of a query: its results. */
uint32_t query_columns(const struct query *query);
const struct target *query_column(const struct query *query, uint32_t index);

/* ---- modify.c, update.c, conflict.c, merge.c ---- */

bool insert_bind(struct level *level, const InsertStmt *insert);
bool update_bind(struct level *level, const UpdateStmt *update);
bool delete_bind(struct level *level, const DeleteStmt *delete);
bool merge_bind(struct level *level, const MergeStmt *merge);
bool conflict_bind(struct level *level, const OnConflictClause *clause);
bool target_relation_open(struct level *level, const RangeVar *variable, bool in_from, uint32_t privileges);
bool returning_bind(struct level *level, const List *list);
bool assignments_bind(struct level *level, const List *list, struct target **targets, uint32_t *count);
struct expression *assignment_coerce(struct level *level, struct expression *value,
                                     const struct column *column, const List *indirection, int32_t position,
                                     bool is_insert);
bool insert_columns(struct level *level, const List *list, const struct relation *relation,
                    const ResTarget ***items, int16_t **numbers, uint32_t *count);
/* One row of values: of INSERT, of MERGE's action. */
bool insert_values_single(struct level *level, const List *columns, const List *values,
                          struct target **targets, uint32_t *count, enum place place);
struct expression *column_default(struct level *level, const struct relation *relation, uint32_t index);
int16_t relation_column(const struct relation *relation, const char *name); /* 0 = none */
/* view.c: writing to a view of one table. The view's columns as expressions over the table (range 0), and its WHERE. */
struct view_target {
    const struct relation *view, *table;
    uint32_t columns;
    struct expression **column;
    struct expression *where;
    uint64_t *columns_read; /* of the table, by the views' queries */
    uint32_t throughs;
    struct range *through; /* outermost first */
};
struct view_target *view_target_find(struct level *level, const struct relation *view, uint32_t privileges);
/* Privileges on view and table: what the statement needs of the one, the view's owner needs of the other. */
void view_target_privileges(struct level *level, uint32_t privileges);
/* The column of a view that is written to is read, as well. */
void view_note_read(struct range *view, uint32_t index);
/* Gives a space over the table (or EXCLUDED) the view's names. */
void space_of_view(struct level *level, struct space *space, const struct view_target *view);
/* The table's column behind the name in a column list or SET: of the view, or of the table itself. 0 = none; -1 = failed. */
int16_t target_column(struct level *level, const char *name, bool insert);
#endif
