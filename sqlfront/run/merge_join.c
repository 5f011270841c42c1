/* MERGE_JOIN: both inputs come in the order of the keys; rows whose keys are equal stand side by side once.
 *
 *                 ┌──────────────────────────────────────────────┐
 *                 v                                              │
 *     ALIGN ── keys equal ──> COLLECT ──> RUN ──> PAIRS ──> ENDS ┤   (RUN again: the next batch of the left begins alike)
 *       │ one side is through                │                   │
 *       v                                    └─ no more ──> GROUP_END (RIGHT, FULL: rows of the group that nobody matched)
 *     REST ──> (end)
 *
 *     ALIGN    goes on by the smaller key; a row passed so, or one with a null in its keys, has no partner
 *     COLLECT  the *group*: all rows of the right with this key. Most lie in one batch and stay there; what goes on in the
 *              next batch is copied into a list, of which the grant's part is in memory and the rest on disk
 *     RUN      the *run*: rows of the left's batch with this key
 *     PAIRS    run x group. A list is read chunk by chunk, once for each run, not for each row
 *     ENDS     rows of the run that matched (SEMI) or did not (LEFT, FULL, ANTI)
 *
 * What is found becomes *entries* in the order it goes out: pairs, ends of left rows, ends of right rows. They point into the left's
 * batch and one *source*, the right's batch or a chunk. When there is no room for more, and before either is let go, the condition is
 * asked for all pairs at once and what passes is put into the output; what is in the output is given before a batch is let go.
 *
 * Rows go out in the order of the left's keys (RIGHT: the right's; FULL: in none, as nulls stand in for both). */
#include "sqlfront/run/join.h"
#include "sqlfront/run/row_list.h"

enum merge_state {
    MERGE_ALIGN,
    MERGE_COLLECT,
    MERGE_RUN,
    MERGE_PAIRS,
    MERGE_ENDS,
    MERGE_GROUP_END,
    MERGE_REST,
    MERGE_DONE
};

enum entry_kind { ENTRY_PAIR, ENTRY_LEFT_END, ENTRY_RIGHT_END };

struct entry {
    uint16_t left, right; /* rows of the left's batch, of the source */
    uint8_t kind;
};

struct merge_side {
    struct operation *input;
    const struct plan_key *plan_key;
    struct program **key;
    const struct value **value; /* of the keys, over the batch */
    const struct batch *batch;  /* NULL: the next one is needed */
    uint32_t at;                /* place in it */
    bool ended;
    struct scope *scratch; /* of the keys */
};

struct merge_join {
    struct operation step;
    struct program *condition;
    struct merge_side left, right;
    uint32_t keys, left_columns, right_columns;
    uint8_t state;

    /* The group: places from .. until of the right's batch, or (list != NULL) all of the list. */
    uint32_t from, until;
    struct scope *group_scope;
    struct row_list *list;
    struct value *group_key;
    bool *group_matched; /* RIGHT, FULL: per row of the list */
    struct row_reader reader;
    struct scope *chunk_scope;
    struct value **chunk;
    uint32_t chunk_rows;
    uint64_t chunk_from; /* the number of its first row in the list */

    uint32_t run_until; /* of the left's batch; it begins at left.at */
    uint32_t run_at,
        group_at;        /* the next pair: place in the left's batch; in the right's batch or the chunk */
    bool *left_matched;  /* per row of the left's batch */
    bool *right_matched; /* per row of the right's batch */

    struct entry *entry;
    uint32_t entries;
    bool from_list;             /* the entries' source is the chunk */
    struct value **pair_column; /* for the condition */
    bool *needed;               /* ... which slots it asks for */
    uint16_t *selection;
    bool *passed;
};

/* ---- opening ---- */

static enum sqlstate open_side(struct merge_join *join, struct merge_side *side, uint32_t input,
                               const struct plan_key *key, struct error *error)
{
    struct operation *step = &join->step;
    enum sqlstate failed = SQLSTATE_OK;
    side->input = step->input[input];
    side->plan_key = key;
    side->key = scope_alloc_zeroed(step->scope, (join->keys + 1) * sizeof side->key[0]);
    side->value = scope_alloc_zeroed(step->scope, (join->keys + 1) * sizeof side->value[0]);
    for (uint32_t k = 0; k < join->keys && !failed; k++)
        failed = operation_program(step, key[k].expression, &side->key[k], error);
    return failed;
}

static enum sqlstate open_merge(struct operation *step, struct error *error)
{
    struct merge_join *join = (struct merge_join *)step;
    const struct plan *plan = step->plan;
    join->keys = plan->keys;
    join->left_columns = plan->input[0]->columns;
    join->right_columns = plan->input[1]->columns;
    uint32_t slots = join->left_columns + join->right_columns;
    join->left_matched = scope_alloc(step->scope, BATCH_ROWS);
    join->right_matched = scope_alloc(step->scope, BATCH_ROWS);
    join->passed = scope_alloc(step->scope, BATCH_ROWS);
    join->entry = scope_alloc(step->scope, BATCH_ROWS * sizeof join->entry[0]);
    join->selection = scope_alloc(step->scope, BATCH_ROWS * sizeof join->selection[0]);
    join->group_key = scope_alloc(step->scope, (join->keys + 1) * sizeof join->group_key[0]);
    join->needed = scope_alloc_zeroed(step->scope, slots + 1);
    join_mark_needed(join->needed, slots, plan->condition);
    join->pair_column = scope_alloc_zeroed(step->scope, (slots + 1) * sizeof join->pair_column[0]);
    for (uint32_t i = 0; i < slots; i++)
        if (join->needed[i])
            join->pair_column[i] = scope_alloc(step->scope, BATCH_ROWS * sizeof(struct value));
    enum sqlstate failed = open_side(join, &join->left, 0, plan->key, error);
    if (!failed)
        failed = open_side(join, &join->right, 1, plan->right_key, error);
    return failed ? failed : operation_program(step, plan->condition, &join->condition, error);
}

/* ---- keys ---- */

static inline uint32_t row_of(const struct merge_side *side, uint32_t at)
{
    return batch_row(side->batch, at);
}

static bool null_key(const struct merge_join *join, const struct merge_side *side, uint32_t row)
{
    bool null = false;
    for (uint32_t k = 0; k < join->keys; k++)
        null |= side->value[k][row].null;
    return null;
}

/* The keys of a left row against those of a right one, in the order both come in. */
static int compare_rows(const struct merge_join *join, uint32_t left, uint32_t right)
{
    struct environment *environment = operation_environment(&join->step);
    int order = 0;
    for (uint32_t k = 0; k < join->keys && order == 0; k++)
        order = plan_key_compare(environment, &join->left.plan_key[k], &join->left.value[k][left],
                                 &join->right.value[k][right]);
    return order;
}

/* Whether a row of either side has the group's key. */
static bool is_of_group(const struct merge_join *join, const struct merge_side *side, uint32_t row)
{
    struct environment *environment = operation_environment(&join->step);
    for (uint32_t k = 0; k < join->keys; k++) {
        const struct value *group =
            join->list ? &join->group_key[k] : &join->right.value[k][row_of(&join->right, join->from)];
        if (plan_key_compare(environment, &join->left.plan_key[k], &side->value[k][row], group) != 0)
            return false;
    }
    return true;
}

/* ---- entries, and what goes out ---- */

/* NULL: there are rows of the left alone. */
static const struct value *right_column(const struct merge_join *join, uint32_t column)
{
    if (join->from_list)
        return join->chunk[column];
    return join->right.batch ? join->right.batch->column[column] : NULL;
}

/* Which of the pairs the condition lets pass. */
static enum sqlstate ask_condition(struct merge_join *join, struct error *error)
{
    uint32_t count = 0, slots = join->left_columns + join->right_columns;
    for (uint32_t i = 0; i < join->entries; i++) {
        join->passed[i] = join->condition == NULL;
        if (join->entry[i].kind == ENTRY_PAIR)
            join->selection[count++] = (uint16_t)i;
    }
    if (join->condition == NULL || count == 0)
        return SQLSTATE_OK;
    for (uint32_t c = 0; c < slots; c++) {
        if (!join->needed[c])
            continue;
        bool left = c < join->left_columns;
        const struct value *from =
            left ? join->left.batch->column[c] : right_column(join, c - join->left_columns);
        for (uint32_t i = 0; i < count; i++) {
            const struct entry *entry = &join->entry[join->selection[i]];
            join->pair_column[c][join->selection[i]] = from[left ? entry->left : entry->right];
        }
    }
    struct batch batch = {.columns = slots,
                          .count = count,
                          .selection = join->selection,
                          .column = (const struct value **)join->pair_column};
    operation_clear_scratch(&join->step);
    enum sqlstate failed =
        program_select(join->condition, &batch, join->step.scratch, join->selection, &count, error);
    for (uint32_t i = 0; i < count && !failed; i++)
        join->passed[join->selection[i]] = true;
    return failed;
}

/* Walks the entries in order; what goes out stays at the front of them. */
static uint32_t choose_entries(struct merge_join *join)
{
    const struct plan *plan = join->step.plan;
    bool *right_matched =
        join->from_list && join->group_matched ? join->group_matched + join->chunk_from : join->right_matched;
    bool left_only = join_gives_left_only(plan), keeps_right = join_keeps_right(plan);
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < join->entries; i++) {
        struct entry entry = join->entry[i];
        bool goes = false;
        switch (entry.kind) {
        case ENTRY_PAIR:
            if (!join->passed[i])
                continue;
            join->left_matched[entry.left] = true;
            if (keeps_right)
                right_matched[entry.right] = true;
            goes = !left_only;
            break;
        case ENTRY_LEFT_END:
            goes = join->left_matched[entry.left] == (plan->join == JOIN_SEMI);
            break;
        case ENTRY_RIGHT_END:
            goes = !right_matched[entry.right];
            break;
        }
        if (goes)
            join->entry[chosen++] = entry;
    }
    return chosen;
}

/* Entries become rows of the output. */
static enum sqlstate put_entries(struct merge_join *join, struct error *error)
{
    struct operation *step = &join->step;
    enum sqlstate failed = join->entries ? ask_condition(join, error) : SQLSTATE_OK;
    if (failed || join->entries == 0)
        return failed;
    uint32_t chosen = choose_entries(join), at = step->batch.count;
    join->entries = 0;
    for (uint32_t c = 0; c < step->plan->columns && chosen; c++) {
        uint32_t slot = step->plan->output ? step->plan->output[c] : c;
        struct value *into = step->room[c] + at;
        bool left = slot < join->left_columns;
        uint8_t without = left ? ENTRY_RIGHT_END : ENTRY_LEFT_END;
        const struct value *from = !left              ? right_column(join, slot - join->left_columns)
                                   : join->left.batch ? join->left.batch->column[slot]
                                                      : NULL;
        for (uint32_t i = 0; i < chosen; i++) {
            const struct entry *entry = &join->entry[i];
            into[i] = entry->kind == without ? value_null() : from[left ? entry->left : entry->right];
        }
    }
    step->batch.count += chosen;
    return SQLSTATE_OK;
}

/* False: the output has no room for one more entry. */
static inline bool add_entry(struct merge_join *join, uint8_t kind, uint32_t left, uint32_t right)
{
    if (join->step.batch.count + join->entries == BATCH_ROWS)
        return false;
    join->entry[join->entries++] =
        (struct entry){.left = (uint16_t)left, .right = (uint16_t)right, .kind = kind};
    return true;
}

/* Before a batch or a chunk is let go: nothing of it may be under way. *give: what is in the output goes out first. */
static enum sqlstate settle(struct merge_join *join, bool *give, struct error *error)
{
    enum sqlstate failed = put_entries(join, error);
    *give = join->step.batch.count > 0;
    return failed ? failed : operation_breathe(operation_world(&join->step), error);
}

/* ---- moving on ---- */

/* Lets a row of the side be there, or the side be ended. */
static enum sqlstate want_row(struct merge_join *join, struct merge_side *side, bool *give,
                              struct error *error)
{
    *give = false;
    if (side->ended || (side->batch && side->at < side->batch->count))
        return SQLSTATE_OK;
    enum sqlstate failed = settle(join, give, error);
    if (failed || *give)
        return failed;
    failed = operation_next(side->input, &side->batch, error);
    side->at = 0;
    side->ended = !failed && side->batch == NULL;
    if (failed || side->ended)
        return failed;
    if (side->scratch)
        scope_close(side->scratch);
    side->scratch = scope_open(join->step.memory, "keys");
    for (uint32_t k = 0; k < join->keys && !failed; k++)
        failed = program_view(side->key[k], side->batch, side->scratch, &side->value[k], error);
    memset(side == &join->left ? join->left_matched : join->right_matched, 0, BATCH_ROWS);
    return failed;
}

/* The row the left, the right stands at goes on without a partner. False: no room for it now. */
static bool pass_left(struct merge_join *join)
{
    const struct plan *plan = join->step.plan;
    bool goes = join_keeps_left(plan) || plan->join == JOIN_ANTI;
    if (goes && !add_entry(join, ENTRY_LEFT_END, row_of(&join->left, join->left.at), 0))
        return false;
    join->left.at++;
    return true;
}

static bool pass_right(struct merge_join *join)
{
    if (join_keeps_right(join->step.plan) &&
        !add_entry(join, ENTRY_RIGHT_END, 0, row_of(&join->right, join->right.at)))
        return false;
    join->right.at++;
    return true;
}

/* Rows of both sides that have no partner, up to the first that may have one; or to the end of a batch. */
static enum sqlstate align(struct merge_join *join, bool *give, struct error *error)
{
    struct merge_side *left = &join->left, *right = &join->right;
    enum sqlstate failed = want_row(join, left, give, error);
    if (!failed && !*give)
        failed = want_row(join, right, give, error);
    if (failed || *give)
        return failed;
    join->from_list = false;
    if (left->ended || right->ended) {
        join->state = MERGE_REST;
        return SQLSTATE_OK;
    }
    while (left->at < left->batch->count && right->at < right->batch->count) {
        uint32_t l = row_of(left, left->at), r = row_of(right, right->at);
        bool passed;
        if (null_key(join, left, l)) {
            passed = pass_left(join);
        } else if (null_key(join, right, r)) {
            passed = pass_right(join);
        } else {
            int order = compare_rows(join, l, r);
            if (order == 0) {
                join->state = MERGE_COLLECT;
                join->from = right->at;
                return SQLSTATE_OK;
            }
            passed = order < 0 ? pass_left(join) : pass_right(join);
        }
        if (!passed)
            return settle(join, give, error);
    }
    return SQLSTATE_OK;
}

/* One side is through: what the other one has, as far as the join keeps it. */
static enum sqlstate pass_rest(struct merge_join *join, bool *give, struct error *error)
{
    const struct plan *plan = join->step.plan;
    bool of_left = join->right.ended && (join_keeps_left(plan) || plan->join == JOIN_ANTI);
    bool of_right = join->left.ended && join_keeps_right(plan);
    struct merge_side *side = of_left ? &join->left : &join->right;
    enum sqlstate failed = of_left || of_right ? want_row(join, side, give, error) : SQLSTATE_OK;
    if (failed || *give)
        return failed;
    if ((!of_left && !of_right) || side->ended) {
        join->state = MERGE_DONE;
        return settle(join, give, error);
    }
    while (side->at < side->batch->count)
        if (!(of_left ? pass_left(join) : pass_right(join)))
            return settle(join, give, error);
    return SQLSTATE_OK;
}

/* ---- the group ---- */

/* The group's rows in the right's batch, from `from` on, go into the list. */
static enum sqlstate keep_rows(struct merge_join *join, uint32_t from, uint32_t until, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = from; i < until && !failed; i++)
        failed = row_list_add(join->list, join->right.batch->column, row_of(&join->right, i), error);
    return failed;
}

static enum sqlstate begin_list(struct merge_join *join, struct error *error)
{
    struct operation *step = &join->step;
    const struct merge_side *right = &join->right;
    enum sqlstate failed = SQLSTATE_OK;
    join->group_scope = scope_open(step->memory, "group");
    for (uint32_t k = 0; k < join->keys && !failed; k++)
        failed = value_copy(join->group_scope, right->plan_key[k].type,
                            &right->value[k][row_of(right, join->from)], &join->group_key[k], error);
    join->list = operation_rows(step, join->group_scope, join->right_columns,
                                (const struct type *const *)step->plan->input[1]->column);
    return failed ? failed : keep_rows(join, join->from, right->batch->count, error);
}

static enum sqlstate collect(struct merge_join *join, bool *give, struct error *error)
{
    struct merge_side *right = &join->right;
    enum sqlstate failed = SQLSTATE_OK;
    if (join->list == NULL) {
        join->until = join->from + 1;
        while (join->until < right->batch->count && is_of_group(join, right, row_of(right, join->until)))
            join->until++;
        right->at = join->until;
        if (join->until < right->batch->count) {
            join->state = MERGE_RUN;
            return SQLSTATE_OK;
        }
        failed = begin_list(join, error);
    }
    for (bool more = true; more && !failed;) {
        failed = want_row(join, right, give, error);
        if (failed || *give)
            return failed;
        more = false;
        if (right->ended)
            break;
        uint32_t from = right->at;
        while (right->at < right->batch->count && is_of_group(join, right, row_of(right, right->at)))
            right->at++;
        failed = keep_rows(join, from, right->at, error);
        more = right->at == right->batch->count;
    }
    if (failed)
        return failed;
    if (join_keeps_right(join->step.plan)) {
        void *matched;
        failed = scope_alloc_large(join->group_scope, row_list_count(join->list) + 1, 16, &matched, error);
        if (failed)
            return failed;
        join->group_matched = memset(matched, 0, row_list_count(join->list) + 1);
    }
    join->step.figures.spilled_bytes += row_list_spilled(join->list);
    join->state = MERGE_RUN;
    return SQLSTATE_OK;
}

/* Reads the chunk from row `from` of the list on. Nothing points into the one before. */
static enum sqlstate read_chunk(struct merge_join *join, uint64_t from, struct error *error)
{
    if (join->chunk_scope)
        scope_close(join->chunk_scope);
    join->chunk_scope = scope_open(join->group_scope, "chunk");
    if (join->chunk == NULL) {
        struct scope *scope = join->step.scope;
        join->chunk = scope_alloc(scope, (join->right_columns + 1) * sizeof join->chunk[0]);
        for (uint32_t c = 0; c < join->right_columns; c++)
            join->chunk[c] = scope_alloc(scope, BATCH_ROWS * sizeof(struct value));
    }
    join->reader = (struct row_reader){.at = from, .scope = join->chunk_scope};
    join->chunk_from = from;
    join->from_list = true;
    return row_list_read(join->list, &join->reader, join->chunk_scope, join->chunk, BATCH_ROWS,
                         &join->chunk_rows, error);
}

/* Lets the rows that pairs are made with be there: the chunk from `from` on; nothing to do for a group within the batch. */
static enum sqlstate want_chunk(struct merge_join *join, uint64_t from, bool *give, struct error *error)
{
    if (!join->list || (join->from_list && join->chunk_scope && join->chunk_from == from))
        return SQLSTATE_OK;
    enum sqlstate failed = settle(join, give, error);
    return failed || *give ? failed : read_chunk(join, from, error);
}

/* ---- run x group ---- */

/* Rows of the group may have no partner though the left has their key. */
static bool asks_who_is_left(const struct merge_join *join)
{
    return join->condition && join_keeps_right(join->step.plan);
}

/* The left's rows with the group's key; none: the group is through. */
static enum sqlstate begin_run(struct merge_join *join, bool *give, struct error *error)
{
    struct merge_side *left = &join->left;
    enum sqlstate failed = want_row(join, left, give, error);
    if (failed || *give)
        return failed;
    join->run_until = left->at;
    while (!left->ended && join->run_until < left->batch->count &&
           is_of_group(join, left, row_of(left, join->run_until)))
        join->run_until++;
    join->group_at = join->list ? 0 : join->from;
    join->run_at = left->at;
    bool ends = left->ended || join->run_until == left->at;
    if (!ends || asks_who_is_left(join))
        failed = want_chunk(join, 0, give, error);
    if (!failed && !*give)
        join->state = ends ? MERGE_GROUP_END : MERGE_PAIRS;
    return failed;
}

/* Whether that there is a group says all: who matches is known, what it matches with nobody wants. */
static bool group_is_enough(const struct merge_join *join)
{
    return join->condition == NULL && join_gives_left_only(join->step.plan);
}

static enum sqlstate make_pairs(struct merge_join *join, bool *give, struct error *error)
{
    const struct merge_side *left = &join->left;
    if (group_is_enough(join)) {
        for (uint32_t at = left->at; at < join->run_until; at++)
            join->left_matched[row_of(left, at)] = true;
        join->state = MERGE_ENDS;
        return SQLSTATE_OK;
    }
    uint32_t from = join->list ? 0 : join->from, until = join->list ? join->chunk_rows : join->until;
    for (; join->run_at < join->run_until; join->run_at++, join->group_at = from) {
        uint32_t row = row_of(left, join->run_at);
        for (; join->group_at < until; join->group_at++)
            if (!add_entry(join, ENTRY_PAIR, row,
                           join->list ? join->group_at : row_of(&join->right, join->group_at)))
                return settle(join, give, error);
    }
    if (join->list && join->chunk_from + join->chunk_rows < row_list_count(join->list)) {
        enum sqlstate failed = want_chunk(join, join->chunk_from + join->chunk_rows, give, error);
        if (failed || *give)
            return failed;
        join->run_at = left->at;
        join->group_at = 0;
        return SQLSTATE_OK;
    }
    join->state = MERGE_ENDS;
    return SQLSTATE_OK;
}

static enum sqlstate end_run(struct merge_join *join, bool *give, struct error *error)
{
    struct merge_side *left = &join->left;
    const struct plan *plan = join->step.plan;
    bool ends = join_keeps_left(plan) || join_gives_left_only(plan);
    for (; left->at < join->run_until; left->at++)
        if (ends && !add_entry(join, ENTRY_LEFT_END, row_of(left, left->at), 0))
            return settle(join, give, error);
    join->state = MERGE_RUN; /* the next batch may begin with the same key */
    return SQLSTATE_OK;
}

static enum sqlstate end_group(struct merge_join *join, bool *give, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (asks_who_is_left(join)) {
        for (bool more = true; more;) {
            uint32_t until = join->list ? join->chunk_rows : join->until;
            for (; join->group_at < until; join->group_at++)
                if (!add_entry(join, ENTRY_RIGHT_END, 0,
                               join->list ? join->group_at : row_of(&join->right, join->group_at)))
                    return settle(join, give, error);
            uint64_t behind = join->chunk_from + join->chunk_rows;
            more = join->list && behind < row_list_count(join->list);
            if (more)
                failed = want_chunk(join, behind, give, error);
            if (failed || *give)
                return failed;
            join->group_at = more ? 0 : join->group_at;
        }
    }
    if (join->list) {
        failed = settle(join, give, error);
        if (failed || *give)
            return failed;
        scope_close(join->group_scope);
        join->list = NULL;
        join->chunk_scope = NULL;
        join->group_matched = NULL;
    }
    join->state = MERGE_ALIGN;
    return SQLSTATE_OK;
}

/* ---- the step ---- */

static enum sqlstate move(struct merge_join *join, bool *give, struct error *error)
{
    switch ((enum merge_state)join->state) {
    case MERGE_ALIGN:
        return align(join, give, error);
    case MERGE_COLLECT:
        return collect(join, give, error);
    case MERGE_RUN:
        return begin_run(join, give, error);
    case MERGE_PAIRS:
        return make_pairs(join, give, error);
    case MERGE_ENDS:
        return end_run(join, give, error);
    case MERGE_GROUP_END:
        return end_group(join, give, error);
    case MERGE_REST:
        return pass_rest(join, give, error);
    case MERGE_DONE:
        break;
    }
    return SQLSTATE_OK;
}

static enum sqlstate next_merge(struct operation *step, const struct batch **batch, struct error *error)
{
    struct merge_join *join = (struct merge_join *)step;
    enum sqlstate failed = SQLSTATE_OK;
    operation_want_room(step, BATCH_ROWS);
    step->batch.count = 0;
    for (bool give = false; !failed && !give && join->state != MERGE_DONE;)
        failed = move(join, &give, error);
    if (!failed && step->batch.count)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_merge(struct operation *step, struct error *error)
{
    struct merge_join *join = (struct merge_join *)step;
    for (int i = 0; i < 2; i++) {
        struct merge_side *side = i ? &join->right : &join->left;
        side->batch = NULL;
        side->scratch = NULL;
        side->ended = false;
        side->at = 0;
    }
    join->state = MERGE_ALIGN;
    join->list = NULL;
    join->group_matched = NULL;
    join->group_scope = join->chunk_scope = NULL;
    join->entries = 0;
    join->from_list = false;
    return operation_restart_inputs(step, error);
}

const struct operation_ops merge_join_ops = {
    .bytes = sizeof(struct merge_join), .open = open_merge, .next = next_merge, .restart = restart_merge};
