/* What hash and nested joins share: candidate pairs, the condition, and what of that goes out.
 *
 * A join shows pairs (row of the probe batch, tuple of the other input) in the order of probe rows, and behind the last pair
 * of a row its end. When enough pairs are together they are tried: the condition is asked for all at once; then they are
 * walked in order, and what the kind of join gives for each pair and each end goes out. */
#ifndef SYNOD_SQLFRONT_RUN_JOIN_H
#define SYNOD_SQLFRONT_RUN_JOIN_H

#include "sqlfront/run/operator.h"

struct join {
    struct operation step;
    struct program *condition;
    uint32_t left_columns, right_columns;
    uint32_t outputs;
    uint16_t *output;         /* slots of the input row that go out */
    bool *needed;             /* per slot of the input row: by the condition or the output */
    struct tuple_store store; /* of the second input: rows in memory now */
    bool built;
    const struct batch *probe; /* being worked on; NULL = the next is needed */
    uint32_t probe_at;
    bool probe_ended;
    bool row_begun;          /* pairs of the row at probe_at were shown */
    struct tuple *candidate; /* hash join: the next one to show */
    size_t candidate_at;     /* nested join: likewise */
    size_t unmatched_at;     /* RIGHT, FULL: tuples looked at after the end */
    /* Rows of this round whose outcome a later round decides: they go there at their end, with whether they matched. Set by
     * the join that has rounds; what earlier rounds found stands in was_matched[row], NULL = nothing. */
    bool defers;
    const bool *was_matched;
    /* Pairs not tried yet. */
    uint32_t pairs;
    uint16_t *pair_row;
    struct tuple **pair_tuple; /* NULL: the end of a row */
    bool row_matched;          /* the row whose pairs are being walked */
    struct value **pair_column;
    uint16_t *selection;
    bool *passed;
    /* What goes out: a row, a tuple, or both */
    uint16_t *out_row;
    struct tuple **out_tuple;
    bool left_missing; /* tuples nobody matched go out */
};

enum sqlstate join_open(struct operation *step, struct error *error);
/* Goes through probe rows: `show` adds pairs of the row at probe_at with join_pair() until there is no room (false: call
 * again) or it has shown all (true). */
struct join_ops {
    enum sqlstate (*build)(struct join *join, struct error *error);
    /* Makes join->probe the next batch; NULL at the end of the round. */
    enum sqlstate (*next_probe)(struct join *join, struct error *error);
    bool (*show)(struct join *join, uint32_t row);
    /* Other tuples, other rows of the first input: what was put aside. *more false: that was all. May be NULL: one round. */
    enum sqlstate (*next_round)(struct join *join, bool *more, struct error *error);
    /* Keeps a row for the next round. NULL where nothing defers. */
    enum sqlstate (*defer)(struct join *join, uint32_t row, bool matched, struct error *error);
};
enum sqlstate join_next(struct join *join, const struct join_ops *ops, const struct batch **batch,
                        struct error *error);
/* Which slots of the input row the condition and the output need stands in join->needed (outputs: join->output). */
void join_mark_needed(bool *needed, uint32_t slots, struct expression *expression);
enum sqlstate join_restart(struct operation *step, struct error *error);

/* False when there is no room for it. */
static inline bool join_pair(struct join *join, uint32_t row, struct tuple *tuple)
{
    if (join->pairs == BATCH_ROWS)
        return false;
    join->pair_row[join->pairs] = (uint16_t)row;
    join->pair_tuple[join->pairs++] = tuple;
    return true;
}

static inline bool join_keeps_left(const struct plan *plan)
{
    return plan->join == JOIN_LEFT || plan->join == JOIN_FULL;
}
static inline bool join_keeps_right(const struct plan *plan)
{
    return plan->join == JOIN_RIGHT || plan->join == JOIN_FULL;
}
static inline bool join_gives_left_only(const struct plan *plan)
{
    return plan->join == JOIN_SEMI || plan->join == JOIN_ANTI;
}

#endif
