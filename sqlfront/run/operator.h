/* What operators are to each other, and what they share. Private to sqlfront/run.
 *
 * A plan is carried out by a tree of *steps*, one for each plan node. A step gives batches; what a batch points to is
 * valid until the step is asked for the next one. Steps live as long as the execution and may be restarted: then they begin
 * anew, with the execution's outer values as they are at that time.
 *
 *     execution.c  the door; making steps           join.c       what hash and nested joins share
 *     tuple.c      rows kept in memory              bounds.c     from bounds to ranges of keys
 *     fetch.c      rows by their keys, and writing  read.c       decoding rows where they are
 *     sieve.c      conditions asked of stored rows      key_order.c  keys sorted before they are looked up
 *
 * and a file for each operator. A transaction's fragments run while a step waits for them only, so nothing is under way
 * between two calls (but GATHER's, gather.c). */
#ifndef SYNOD_SQLFRONT_RUN_OPERATOR_H
#define SYNOD_SQLFRONT_RUN_OPERATOR_H

#include "base/check.h"
#include "base/world.h"
#include "sqlfront/run/run.h"

struct operation;

struct operation_ops {
    size_t bytes; /* of the step's struct, which begins with struct operation */
    /* Compiles what the node has. Inputs are made. Does not yield. May be NULL. */
    enum sqlstate (*open)(struct operation *step, struct error *error);
    /* The next batch, count > 0; NULL at the end, and from then on. May yield. */
    enum sqlstate (*next)(struct operation *step, const struct batch **batch, struct error *error);
    /* Begins anew; inputs that must begin anew are restarted by it. step->memory was emptied. */
    enum sqlstate (*restart)(struct operation *step, struct error *error);
};

struct operation {
    const struct operation_ops *ops;
    const struct plan *plan;
    struct execution *execution;
    struct operation *input[2];
    struct scope *scope;   /* lasts as long as the execution */
    struct scope *memory;  /* of one run, between restarts */
    struct scope *scratch; /* of one batch */
    struct batch batch;
    const struct value **column; /* of the batch: room by default */
    struct value **room;         /* [plan->columns][room_rows] */
    uint32_t room_rows;
    uint64_t wanted; /* rows whoever asks will take, before it asks again or not at all; 0 = all */
    struct node_figures figures;
    struct list_link of_execution;
};

/* The rows of a WITH query or of a recursive one's work table, read by whoever refers to it. */
struct common_rows;

struct foreign_list;
struct hash_table;

/* A hash join's table that all parts of its first input look into. */
struct shared_table {
    const struct plan *plan;
    const struct hash_table *table;
};
struct spill;
struct spill_account;

struct execution {
    struct execution_request request;
    struct world *world;
    struct scope *scope;
    struct budget budget;          /* of that scope: past it the statement ends with 53200 */
    size_t reserve;                /* with less left for all on this core, steps put aside what they can */
    uint64_t *read_elsewhere;      /* rows that scans of fragments have looked at: atomic */
    struct spill_account *account; /* of its temporary files; fragments have the coordinator's */
    const struct planned *planned;
    struct evaluation evaluation;
    struct environment *environment;
    struct operation *root;
    struct list operations;         /* all of them, for figures */
    const struct plan *modify_plan; /* whose rows count: the statement's own; NULL = SELECT */
    struct foreign_list *foreign;   /* keys to be looked at when the statement has ended */
    bool settled;
    struct common_rows **common;
    uint64_t rows;
    struct batch result;
    struct branch *branch; /* in a fragment: whose; NULL on the coordinator */
    struct range_part *part;
    const struct shared_table *shared; /* in a fragment: tables that the coordinator has built for it */
    uint32_t shared_tables;
    enum sqlstate part_lost; /* its shard was replaced: what came counts, the rest is another part's */
    bool modifies;
};

/* ---- steps ---- */

enum sqlstate operation_make(struct execution *execution, const struct plan *plan, struct operation **step,
                             struct error *error);
enum sqlstate operation_next(struct operation *step, const struct batch **batch, struct error *error);
enum sqlstate operation_restart(struct operation *step, struct error *error);
/* Between two stretches of work: lets others have the core when this fiber had it for a while (timers, too, are among the
 * others: what cancels does not come by otherwise), and asks whether it was canceled. Yields. */
enum sqlstate operation_breathe(struct world *world, struct error *error);
/* Restarts the inputs: what most operators have to do. */
enum sqlstate operation_restart_inputs(struct operation *step, struct error *error);

/* Empties the batch's memory. */
void operation_clear_scratch(struct operation *step);
/* Makes step->room large enough, and the batch's columns point there. */
void operation_want_room(struct operation *step, uint32_t rows);
/* Compiles an expression over the node's input row; NULL gives NULL. */
enum sqlstate operation_program(struct operation *step, const struct expression *expression,
                                struct program **program, struct error *error);
enum sqlstate operation_programs(struct operation *step, struct expression *const *expressions,
                                 uint32_t count, struct program ***programs, struct error *error);
/* An expression without columns, now; memory of the scope. */
enum sqlstate operation_constant(struct operation *step, struct scope *scope,
                                 const struct expression *expression, struct value *value,
                                 struct error *error);

/* count.c: adds scans, rows they looked at and rows they gave to the figures of what the plan's SCAN or LOOKUP_JOIN goes by. */
void count_scan(const struct execution *execution, const struct plan *plan, uint64_t scans, uint64_t looked,
                uint64_t given);
/* The figures of a relation on this core. */
struct activity *relation_activity(const struct execution *execution, const struct relation *relation);

/* Bytes a step may keep in memory before it puts rows aside, and whether it is beyond that: by its own grant, or because the
 * core is short of memory. */
size_t operation_grant(const struct operation *step, bool hashes);
bool operation_is_over(const struct operation *step, size_t bytes, size_t grant);
/* A temporary file, of the scope. Yields. */
enum sqlstate operation_spill(struct operation *step, struct scope *scope, size_t grant, struct spill **spill,
                              struct error *error);

struct row_list;
/* A list of rows of the node's own columns, or others. */
struct row_list *operation_rows(struct operation *step, struct scope *scope, uint32_t columns,
                                const struct type *const *types);

static inline struct world *operation_world(const struct operation *step)
{
    return step->execution->world;
}
static inline struct environment *operation_environment(const struct operation *step)
{
    return step->execution->environment;
}

#define OPERATION(name) extern const struct operation_ops name##_ops
OPERATION(result);
OPERATION(empty);
OPERATION(values);
OPERATION(scan);
OPERATION(function);
OPERATION(filter);
OPERATION(project);
OPERATION(set_project);
OPERATION(hash_join);
OPERATION(merge_join);
OPERATION(lookup_join);
OPERATION(apply);
OPERATION(aggregate);
OPERATION(sorted_aggregate);
OPERATION(window);
OPERATION(sort);
OPERATION(unique);
OPERATION(limit);
OPERATION(append);
OPERATION(set_operation);
OPERATION(recursive);
OPERATION(work_table);
OPERATION(common);
OPERATION(common_scan);
OPERATION(lock);
OPERATION(modify);
OPERATION(gather);
#undef OPERATION

/* ---- rows kept in memory (tuple.c) ---- */

struct tuple {
    struct tuple *next; /* in its bucket, or free for the owner */
    uint64_t hash;
    bool matched;
    bool null_key;
    _Alignas(16) struct value value[]; /* states of aggregates follow, which want it */
};

struct tuple_store {
    struct scope *scope;
    uint32_t columns;
    const struct type *const *types;
    struct tuple **tuple; /* in the order they were added */
    size_t count, room;
};

void tuple_store_init(struct tuple_store *store, struct scope *scope, uint32_t columns,
                      const struct type *const *types);
/* Adds a copy of a row of columns; gives the tuple. 53200. */
enum sqlstate tuple_store_add(struct tuple_store *store, const struct value *const *columns, uint32_t row,
                              struct tuple **tuple, struct error *error);
enum sqlstate tuple_store_add_values(struct tuple_store *store, const struct value *values,
                                     struct tuple **tuple, struct error *error);
/* Fills `room` from tuples from `at` on; gives how many. */
uint32_t tuple_store_give(const struct tuple_store *store, size_t at, struct value **room, uint32_t rows);

/* A hash table of tuples, chained; grows by itself. */
struct tuple_table {
    struct scope *scope;
    struct tuple **bucket;
    uint64_t mask;
    size_t count;
};
enum sqlstate tuple_table_init(struct tuple_table *table, struct scope *scope, struct error *error);
enum sqlstate tuple_table_add(struct tuple_table *table, struct tuple *tuple, struct error *error);
static inline struct tuple *tuple_table_find(const struct tuple_table *table, uint64_t hash)
{
    return table->bucket[hash & table->mask];
}
static inline uint64_t hash_combine(uint64_t seed, uint64_t hash)
{
    seed ^= hash + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2);
    return seed * 0xff51afd7ed558ccdULL;
}
#define HASH_OF_NULL 0x5bd1e9955bd1e995ULL
/* Combines the hash of each selected row's value into hash[row]. */
void hash_column(struct environment *environment, const struct type *type, const struct value *values,
                 const struct batch *batch, uint64_t *hash);

/* Three-way order of two values under a sort key. */
int plan_key_compare(struct environment *environment, const struct plan_key *key, const struct value *a,
                     const struct value *b);

/* ---- bounds (bounds.c) ---- */

/* A range of an ordered index that bounds give, in memory of the scope. */
struct bound_range {
    struct key_range range;
    bool point; /* range.from is a whole key: one row at most */
};
struct bound_ranges {
    struct bound_range *range;
    uint32_t count;
};
/* What bounds are over: a table's key or an index's. */
struct bound_key {
    const struct key_part *part;
    uint32_t columns;
    bool unique; /* a whole key without nulls is one entry's */
};
struct bound_key bound_key_of(const struct relation *relation, const struct index *index);
/* Whether a value lies outside what the type's width holds: -1 below, 1 above. */
int bound_is_outside(const struct type *type, const struct value *value);
/* equal[0 .. equals-1], low, high: values of the bounds' expressions. Ranges of an ANY come in the order of the index. */
enum sqlstate bounds_make(struct scope *scope, struct environment *environment, const struct bound_key *key,
                          const struct plan_bounds *bounds, const struct value *equal,
                          const struct value *low, const struct value *high, struct bound_ranges *ranges,
                          struct error *error);

/* The ranges a SCAN would read now. */
enum sqlstate scan_ranges(struct operation *scan, struct scope *scope, struct bound_ranges *ranges,
                          struct error *error);

/* ---- reading rows where they are (read.c) ---- */

/* How stored rows become slots. Immutable, read by all cores. */
enum reader_mode { READER_ROWS, READER_ENTRIES, READER_ROW_KEYS };
struct reader {
    uint8_t mode;
    const struct relation *relation;
    const struct index *index;
    uint32_t columns; /* slots filled, with the key's */
    uint32_t decoded; /* of them from row columns */
    uint16_t *want;   /* columns of the row to decode, and */
    uint16_t *slot;   /* ... in which slot each goes */
    int32_t key_slot; /* where the row's key goes; -1 = nowhere */
    uint32_t systems; /* system columns */
    int16_t *system;
    uint16_t *system_slot;
    uint32_t parts;     /* READER_ENTRIES: key parts decoded (the first ones); */
    int32_t *part_slot; /* ... in which slot each goes; -1 = nowhere */
    uint32_t loose_slots;
    uint16_t *loose_slot; /* whose bytes must be copied; not the key's */
};
void reader_make(struct scope *scope, struct reader *reader, const struct plan *plan);
/* A row's ctid: something that tells rows apart, mostly; we have no places. */
struct value key_as_tid(struct bytes key);

/* What of a condition is asked of rows as they are stored, and what is left of it. */
struct sieve {
    struct row_test *test;
    uint32_t tests;
    const struct expression *rest; /* NULL: nothing */
};
/* Of a condition over the slots of a scan's plan; `reader` is the scan's. */
void sieve_make(struct scope *scope, struct sieve *sieve, const struct plan *plan,
                const struct reader *reader, const struct expression *condition,
                const struct evaluation *evaluation);

/* Room for rows that fragments fill: several may at once, at different places. The coordinator's memory. */
struct row_room {
    struct value **column;
    uint8_t *arena;
    size_t arena_size;
    size_t used;   /* taken from by all with atomic additions */
    size_t wanted; /* a row did not fit: so many bytes would have done */
    bool borrowed; /* the arena is not row_room_want()'s to give back */
    bool alone;    /* one fragment at a time fills it: `used` and `wanted` are plain numbers */
};
/* Puts a row at place `at`. False when its bytes do not fit (room->wanted says so) or make no sense (*failed). */
bool reader_take(const struct reader *reader, struct scope *scope, const struct store_row *row,
                 struct row_room *room, uint32_t at, enum sqlstate *failed, struct error *error);
enum sqlstate row_room_want(struct scope *scope, struct row_room *room, size_t arena_size,
                            struct error *error);

/* ---- one row by its key (point.c) ---- */

/* Whether a row is read and nothing else. */
bool point_reads(const struct point *point);
/* Whether a MODIFY gets its row by `point` itself, so that its SCAN is never asked. */
bool point_is_of_modify(const struct execution *execution, const struct plan *plan);
/* The row as the SCAN's slots, locked, in memory of the scope; *found false: there is none. Yields. */
enum sqlstate point_take_locked(struct execution *execution, const struct point *point, struct scope *scope,
                                enum lock_strength strength, struct value ***columns, bool *found,
                                struct error *error);
/* The only row, then NULL. Yields. */
enum sqlstate point_next(struct execution *execution, const struct point *point, const struct batch **batch,
                         struct error *error);

/* ---- rows by their keys (fetch.c, key_order.c) ---- */

/* Keys that so many are looked up in their own order. */
#define KEYS_ORDERED_MIN 16
/* order[0 ..]: the places of keys in the order of the keys, nearly (key_order.c says how near). */
void key_order(struct scope *scratch, const struct bytes *keys, uint32_t count, uint32_t *order);

/* Reads rows of a table by keys (all views, at most BATCH_ROWS) into places 0 .. count-1; found[i] tells. What
 * the room needs is taken from the scope. Yields. */
enum sqlstate fetch_rows(struct execution *execution, struct scope *scope, const struct reader *reader,
                         uint64_t table, const struct bytes *keys, uint32_t count, struct row_room *room,
                         bool *found, struct error *error);

/* The newest state of a row that the transaction's snapshot sees, locked; in READ COMMITTED. Yields. */
enum sqlstate fetch_locked(struct execution *execution, struct scope *scope, const struct reader *reader,
                           uint64_t table, struct bytes key, enum lock_strength strength,
                           struct row_room *room, bool *found, struct error *error);

#endif
