/* The planner: from a bound query to a tree of physical operators.
 *
 * A plan node gives batches of rows; a row has `columns` *slots* with the types in `column`. Expressions in a node are over
 * its *input row*: the slots of its first input, then those of its second. In them EXPRESSION_COLUMN has range 0, level 0 and
 * number = slot from 0. Subqueries are gone (they became joins, or APPLY nodes that add a slot), so are aggregates and window
 * functions (slots of the node that computes them). A correlated value is an EXPRESSION_PARAMETER of source PARAMETER_OUTER: slot
 * `number` of the execution's parameters, written by an APPLY (or a NESTED loop) above.
 *
 * Plans are immutable, live in one scope, may be run many times and read by all cores. */
#ifndef SYNOD_SQLFRONT_PLAN_PLAN_H
#define SYNOD_SQLFRONT_PLAN_PLAN_H

#include "sqlfront/algebra/algebra.h"

enum plan_kind {
    PLAN_RESULT = 1, /* one row without slots (under a PROJECT for SELECT 1) */
    PLAN_EMPTY,      /* no rows, of the given slots */
    PLAN_VALUES,
    PLAN_SCAN,     /* rows of a table, by its key or an index, filtered */
    PLAN_FUNCTION, /* functions in FROM */
    PLAN_FILTER,
    PLAN_PROJECT, /* slot i = expression[i] of the input row */
    PLAN_SET_PROJECT, /* the same where some expressions are SET_CALLs at their top: as many rows as the longest gives */
    PLAN_HASH_JOIN,   /* build from the second input, probe with the first */
    PLAN_MERGE_JOIN,  /* both inputs sorted by the keys */
    PLAN_NESTED_JOIN, /* second input kept in memory (spilled), any condition */
    PLAN_LOOKUP_JOIN, /* for each row of the input: rows of a table by key or index */
    PLAN_APPLY,       /* for each row of the first input: run the second with parameters set */
    PLAN_AGGREGATE,
    PLAN_WINDOW,
    PLAN_SORT,
    PLAN_UNIQUE, /* neighbours equal in the keys are one */
    PLAN_LIMIT,
    PLAN_APPEND,        /* all rows of each input; types are equal */
    PLAN_SET_OPERATION, /* INTERSECT, EXCEPT [ALL], by hash */
    PLAN_RECURSIVE,     /* first input once, then the second over the work table until it gives nothing */
    PLAN_WORK_TABLE,    /* scan of the nearest RECURSIVE's work table with that `common_slot` */
    PLAN_COMMON, /* WITH: `commons` are run at most once each, when first read; rows of the only input */
    PLAN_COMMON_SCAN,
    PLAN_LOCK,   /* FOR UPDATE: locks rows by key slots, waits, re-reads and re-checks */
    PLAN_MODIFY, /* INSERT, UPDATE, DELETE, MERGE */
    PLAN_GATHER, /* runs its input once for each shard of the leaf's table on the cores that own them, at the same time */
};

enum bound_kind { BOUND_NONE, BOUND_INCLUSIVE, BOUND_EXCLUSIVE };

/* What part of an ordered index is read: the first `equals` key columns have these values, the next one lies between.
 * Expressions hold no columns (LOOKUP_JOIN: over the input row). A null among them finds nothing. */
struct plan_bounds {
    uint32_t equals;
    struct expression **equal;
    uint8_t low_kind,
        high_kind; /* in the index's own order (a descending column has them swapped by the planner) */
    struct expression *low, *high;
    /* column = ANY(array) on key column `any_at` (< equals): the array expression stands in equal[any_at]. */
    bool any;
    uint32_t any_at;
};

struct plan_aggregate { /* one aggregate call */
    const struct aggregate *aggregate;
    const struct procedure *procedure; /* for EXPLAIN */
    uint32_t arguments;
    struct expression **argument; /* over the input row */
    struct expression *filter;
    bool distinct;
    uint32_t orders;
    struct sort_key *order;
    const struct type *type; /* of the result */
};

struct plan_key { /* for sorting, grouping, hashing: over the input row */
    struct expression *expression;
    const struct type *type;
    bool descending, nulls_first;
};

struct plan_function {
    struct expression *call;
    uint32_t columns;
};

enum apply_kind {
    APPLY_JOIN = 1, /* LATERAL: `join` inner or left */
    APPLY_SCALAR,   /* adds a slot: the only row's only column; null when none; 21000 when more */
    APPLY_EXISTS,   /* adds a boolean */
    APPLY_ANY, /* adds a boolean: `condition` (over first input, then second) for some row, with SQL's three values */
    APPLY_ALL,
    APPLY_ARRAY,
    APPLY_ROW, /* adds a slot for each column of the second input */
};

enum aggregate_phase { AGGREGATE_WHOLE, AGGREGATE_PARTIAL, AGGREGATE_FINAL };

/* What MODIFY writes to. Its input row holds, for UPDATE, DELETE and MERGE, every column of the old row and the row's key;
 * new values are computed by MODIFY itself, so that a writer that waited can put the newest row in place of the old one, ask
 * `recheck` and compute them again (READ COMMITTED). */
struct plan_target {
    const struct relation *relation;
    const struct table_bound *bound;
    /* Per column of the relation, over the input row; NULL: unchanged (UPDATE), null (INSERT). Generated columns are MODIFY's
     * business (bound->generated, over the new row). */
    struct expression **set;
    int32_t key_slot; /* the row's key as bytea; -1 for INSERT; null in a row of MERGE that matched nothing */
    int32_t *old_slot;          /* per column: slot of its old value; -1 for dropped ones; NULL for INSERT */
    struct expression *recheck; /* over the input row: the statement's condition; NULL = none */
};

struct plan {
    uint8_t kind;
    uint8_t join;  /* enum join_kind; JOIN_SEMI and JOIN_ANTI give the first input's slots only */
    uint8_t apply; /* enum apply_kind */
    uint8_t phase; /* enum aggregate_phase */
    uint8_t set_operation;
    bool all;
    bool null_aware; /* ANTI for NOT IN: a null on either side makes no match unknown */
    bool backward;   /* SCAN */
    bool
        ordered; /* SCAN, LOOKUP_JOIN: rows must come in the order of the index (LOOKUP_JOIN: of the input) */
    bool sorted; /* AGGREGATE: input comes sorted by the keys */
    bool with_ties;
    bool
        hashed; /* APPLY_ANY: second input does not depend on the row, condition is equality `keys` = `right_keys`: built once */
    bool once;  /* APPLY: no parameters, so that it is run at most once */
    bool ordinality;
    bool wants_key; /* SCAN: the last slot is the row's key as bytea (for MODIFY and LOCK) */
    bool
        for_update; /* SCAN of a MODIFY's target: the row will be written, READ COMMITTED re-check is MODIFY's */

    struct plan *input[2];
    uint32_t inputs; /* how many of input[] there are; of an APPEND: of append[] */
    struct plan **append;
    uint32_t columns; /* slots of the output */
    const struct type **column;
    const char **column_name; /* for EXPLAIN; may be NULL */

    double rows, cost, startup_cost; /* estimates */
    const char *rows_source;         /* for EXPLAIN: where the number comes from; NULL = guess */

    /* Joins, FILTER, SCAN (over its own slots), LOOKUP_JOIN, APPLY: what must be true. NULL = everything. */
    struct expression *condition;
    /* joins, LOOKUP_JOIN: which slots of the input row go out, in order; NULL = all */
    uint32_t outputs;
    const uint16_t *output;

    /* SCAN, LOOKUP_JOIN */
    const struct relation *relation;
    const struct index *index; /* NULL or clustered: the table by its key */
    struct plan_bounds bounds;
    uint32_t wanted; /* columns read: attnums (system columns: negative), slot i = wanted[i] */
    const int16_t *want;
    bool index_only;                                 /* all wanted columns are in the index's entries */
    const char *alias;                               /* for EXPLAIN */
    struct expression *sample_percent, *sample_seed; /* TABLESAMPLE */
    bool sample_system;

    uint32_t expressions; /* PROJECT, SET_PROJECT; */
    struct expression **expression;
    uint32_t value_rows; /* VALUES: expression[row * columns + column] */
    uint32_t functions;  /* FUNCTION */
    struct plan_function *function;

    uint32_t
        keys; /* HASH/MERGE_JOIN: of the first input; AGGREGATE: grouping; SORT, UNIQUE; LIMIT WITH TIES; SET_OPERATION none */
    struct plan_key *key;
    struct plan_key *right_key; /* joins: of the second input, numbered from 0 there */
    bool *key_nulls_equal;      /* joins: IS NOT DISTINCT FROM; NULL = none */

    uint32_t
        aggregates; /* AGGREGATE: slots are the keys, then the aggregates, then (grouping_sets) one int4 with the set's bits per GROUPING */
    struct plan_aggregate *aggregate;
    uint32_t grouping_sets; /* 0 = one set with all keys */
    struct grouping_set *grouping_set;
    uint32_t groupings; /* GROUPING(...) calls: keys each asks for, in order */
    struct grouping_set *grouping;

    uint32_t
        window_calls; /* WINDOW: one window; slots are the input's, then the calls'. Input is sorted by partition, then order */
    struct expression **window_call; /* EXPRESSION_WINDOW, arguments and filter over the input row */
    const struct window *window;     /* offsets without columns */
    uint32_t partition_keys;         /* of key[]: first those, then the order's */

    struct expression *limit, *offset; /* LIMIT; SORT: only so many rows are wanted. Without columns */

    uint32_t parameters; /* APPLY, NESTED loops that hand values down: execution slot ... */
    const uint32_t *parameter;
    struct expression **parameter_value; /* ... gets the value of this, over the first input's row */

    uint32_t common_slot; /* COMMON_SCAN, WORK_TABLE, RECURSIVE: which; */
    uint32_t commons;     /* COMMON */
    struct plan **common; /* run in order of need; common_slots[i] is its number */
    const uint32_t *common_slots;
    const char *const *common_names;
    const bool *common_always; /* modifies data: is run to its end even when nobody reads it */

    uint8_t modify; /* enum query_kind */
    struct plan_target *target;
    const struct query *query; /* MODIFY: conflict clause, merge actions */
    uint8_t conflict;
    const struct index *conflict_index;
    /* ON CONFLICT DO UPDATE: over the existing row's columns (by attnum - 1), then EXCLUDED's. */
    struct expression **conflict_set; /* per column; NULL = unchanged */
    struct expression *conflict_where;
    uint32_t merge_actions;
    struct plan_merge *merge;
    /* RETURNING: expressions over the relation's columns (by attnum - 1; new row, for DELETE the old one), then the input's slots. */
    uint32_t returnings;
    struct expression **returning;

    uint32_t locks; /* LOCK */
    struct plan_lock *lock;
};

struct plan_merge {
    bool matched;
    uint8_t kind;                 /* QUERY_INSERT, QUERY_UPDATE, QUERY_DELETE; 0 = nothing */
    struct expression *condition; /* over the input row */
    struct expression **set;      /* per column; NULL = unchanged or NULL */
};

struct plan_lock {
    const struct relation *relation;
    int32_t key_slot; /* bytea; null on the nullable side of a join: not locked */
    enum lock_strength strength;
    uint8_t wait; /* enum lock_clause_wait */
    int32_t *
        old_slot; /* per column: its slot in the input row, which gets the newest value after waiting; -1 = not there */
    struct expression *recheck; /* over the input row; asked again after waiting. NULL = none */
};

/* What a statement is run from. */
struct planned {
    struct plan *plan;
    uint32_t results;            /* visible columns: the first of the plan's slots */
    const struct target *result; /* names, types, origins: for RowDescription */
    uint32_t outer_parameters;   /* execution slots */
    uint32_t common_slots;
    bool reads_only; /* writes nothing, locks nothing */
    bool point;      /* one row by its full key at most: short path */
    uint8_t kind;    /* enum query_kind */
    uint64_t catalog_version;
    double cost;
};

enum plan_without {
    WITHOUT_HASH_JOIN = 1,
    WITHOUT_MERGE_JOIN = 2,
    WITHOUT_NESTED_LOOP = 4, /* look-up joins, too */
    WITHOUT_HASH_AGGREGATE = 8,
    WITHOUT_SORT = 16,
};

struct planner_request {
    struct world *world;
    struct scope *scope;   /* owns the plan */
    struct engine *engine; /* to see how large tables are; NULL = guess */
    struct catalog_view *view;
    struct environment *environment; /* for folding constants */
    const struct value *parameters;  /* values for a custom plan; NULL = generic */
    uint32_t parameter_count;
    bool gather; /* parallel fragments are allowed */
    uint32_t
        without; /* enum plan_without: what settings (enable_hashjoin ...) tell to do without, where there is another way */
    size_t memory;      /* of a step before it puts rows aside (work_mem); 0 = not told */
    size_t hash_memory; /* the same for hash tables */
    double rows_wanted; /* of a cursor: 0 = all */
};

/* Plans. May yield (statistics). */
enum sqlstate plan_query(struct planner_request *request, const struct query *query, struct planned **planned,
                         struct error *error);

#endif
