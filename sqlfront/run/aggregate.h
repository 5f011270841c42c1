/* What the files of AGGREGATE share.
 *
 *     aggregate.c       groups, stepping, results         aggregate_list.c    aggregates with DISTINCT or ORDER BY
 *     aggregate_part.c  rows whose groups have no room in memory */
#ifndef SYNOD_SQLFRONT_RUN_AGGREGATE_H
#define SYNOD_SQLFRONT_RUN_AGGREGATE_H

#include "sqlfront/run/operator.h"
#include "sqlfront/run/spill.h"

struct sorter;

/* Partitions that rows without room are dealt to, by 4 bits of their keys' hash. */
#define PART_BITS 4
#define PARTS     (1U << PART_BITS)

struct call_state {
    const struct plan_aggregate *plan;
    const struct aggregate *aggregate;
    struct call call;
    struct program **argument;
    struct program *filter;
    size_t offset; /* of the state in a group */
    bool shares;   /* the state is that of a call before it, which steps it */
    uint32_t arguments, orders;
    const struct type **types;
    const struct value **values; /* over the batch */
    struct value *tuple;
    bool *constant;
    /* Listed ones keep their arguments, then the ORDER BY's expressions, then the group's number, until all rows are read. */
    bool listed;
    struct program **order;
    uint32_t sort_keys; /* the number, the ORDER BY's, with DISTINCT the arguments */
    struct plan_key *sort_key;
    uint32_t *sort_at;
    struct sorter *sorter;
    struct value *group_number; /* per row of a batch */
    /* While results are made: rows out of the sorter. */
    struct value **room;
    uint32_t room_count, room_at;
    struct scope *room_scope, *last_scope;
    struct value *last; /* arguments stepped last */
    bool any_last;
};

/* A partition that waits: rows whose groups had no room when it was written. */
struct aggregate_part {
    struct aggregate_part *next;
    struct spill_run *run;
    uint32_t level;
};

struct aggregate_step {
    struct operation step;
    struct program **key;
    struct call_state *call;
    uint32_t keys, calls, sets, listed;
    size_t group_bytes;
    const struct type **key_types;
    bool **in_set; /* [set][key] */
    bool any_input;
    bool input_ended; /* of the input, or of the partition being read */
    struct scope *groups_scope;
    struct tuple_table table;
    struct tuple **group; /* in order */
    size_t groups, group_room;
    size_t at;
    size_t grant;
    const struct value **key_values;
    uint64_t *hash;
    struct tuple **row_group; /* per row */
    bool *row_fresh;          /* per row: its group is of its making */
    /* PARTIAL: rows of this round, and those that belonged to a group which was not that of the row before */
    uint64_t rows, far;
    uint16_t *filtered;

    /* aggregate_part.c */
    bool full; /* rows of new groups are put aside */
    struct scope *parts_scope;
    struct spill *spill;
    struct spill_run *part[PARTS]; /* being written */
    struct aggregate_part *waiting;
    struct aggregate_part *reading; /* NULL: the input is read */
    struct spill_reader *reader;
    struct scope *reader_scope;
    uint32_t needs; /* slots of the input row that are kept, then the set's number */
    uint32_t *need;
    const struct type **need_types;
    struct value *need_value;
    struct batch part_batch;
    struct value **part_room; /* [slot of the input] */
    uint32_t *part_set;       /* per row: of which set */
    uint64_t *part_hash;
    uint16_t *kept;
};

/* Behind a group's keys. */
struct group_place {
    uint64_t number; /* 0, 1, 2 … in the order they came */
    uint32_t set;
};

static inline struct group_place *group_place(const struct aggregate_step *step, struct tuple *group)
{
    return (struct group_place *)&group->value[step->keys];
}

static inline void *group_state(const struct aggregate_step *step, struct tuple *group, size_t offset)
{
    return (uint8_t *)&group->value[step->keys + 1] + offset;
}

/* ---- aggregate_list.c ---- */

enum sqlstate list_open(struct operation *step, struct call_state *call, struct error *error);
/* A new round of groups. */
void list_begin(struct aggregate_step *aggregate, struct call_state *call);
/* Adds the batch's rows; their groups are aggregate->row_group. Yields. */
enum sqlstate list_add(struct aggregate_step *aggregate, struct call_state *call, const struct batch *input,
                       struct error *error);
/* All rows are there. Yields. */
enum sqlstate list_sort(struct call_state *call, struct error *error);
/* Steps through the list of a group; groups come in the order of their numbers. Yields. */
enum sqlstate list_step(struct aggregate_step *aggregate, struct call_state *call, struct tuple *group,
                        struct error *error);

/* ---- aggregate_part.c ---- */

void part_open(struct operation *step);
/* Puts aside the rows of the batch that have no group; `count` of them are in aggregate->kept after this. Yields. */
enum sqlstate part_put(struct aggregate_step *aggregate, const struct batch *input, uint32_t set,
                       uint32_t *count, struct error *error);
/* The input, or the partition that was read, is through: what was put aside waits. Yields. */
enum sqlstate part_end(struct aggregate_step *aggregate, struct error *error);
/* Begins with the next one that waits; false when none does. Yields. */
enum sqlstate part_begin(struct aggregate_step *aggregate, bool *found, struct error *error);
/* Its next rows, with the slots of the input that are needed, in aggregate->part_batch; count 0 at its end. Yields. */
enum sqlstate part_read(struct aggregate_step *aggregate, struct error *error);
void part_restart(struct aggregate_step *aggregate);

#endif
