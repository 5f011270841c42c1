/* LOOKUP_JOIN: for each row of the input, rows of a table by its key or an index.
 *
 * A batch of the input becomes a list of look-ups, each a range of keys. All of them go out at once, one fragment for each core
 * that owns some of the keys. A fragment puts what it finds into the room of its core; a look-up that does not fit, or whose
 * shard goes while it reads, begins anew (what it had found does not count). One whose range lies in several shards is
 * read by the coordinator. Then rows are fetched where entries of an index were found, the condition is asked for all
 * pairs, and pairs go out in the order of the input. */
#include "sqlfront/run/operator.h"

#define PLACES_FIRST 2048
#define ARENA_FIRST  (128 * 1024)

enum look_up_state { LOOK_UP_WAITS, LOOK_UP_DONE, LOOK_UP_NO_ROOM, LOOK_UP_LONG };

struct look_up {
    struct bound_range range;
    uint16_t row;  /* of the input batch */
    uint8_t state; /* enum look_up_state */
    uint32_t try;  /* rows of earlier ones do not count */
};

/* What the fragments of one core found. */
struct core_room {
    struct row_room room;
    uint32_t places, count;
    uint32_t *look_up; /* per place: whose row */
    uint32_t *try;
    bool full;
};

struct pair {
    uint16_t row;
    uint16_t core;
    uint32_t place;
};

struct lookup_join {
    struct operation step;
    struct plan inner; /* the relation's side as a scan: what readers are made from */
    struct reader reader, row_reader;
    bool by_index;
    uint64_t table;
    struct bound_key key;
    struct program **equal, *low, *high, *condition;
    uint32_t left, right; /* slots of either side */

    const struct batch *input;
    struct scope *work; /* of the input batch */
    struct look_up *look_up;
    struct bytes *keys;
    uint32_t *number; /* of the look-ups that are sent: their places in look_up[] */
    uint32_t look_ups;
    struct core_room *cores;
    struct row_room fetched; /* rows of index entries, by pair of the stretch */
    struct pair *pair;
    uint32_t pairs;
    uint32_t row_at;             /* of the input batch: next to go out */
    uint32_t from, until;        /* the stretch of pairs that stands in both.room, */
    uint32_t chosen_at, chosens; /* ... and of those of it that pass the next to go out */
};

static bool gives_left_only(const struct lookup_join *join)
{
    return join->step.plan->join == JOIN_SEMI || join->step.plan->join == JOIN_ANTI;
}

/* ---- opening ---- */

static enum sqlstate open_lookup(struct operation *step, struct error *error)
{
    struct lookup_join *join = (struct lookup_join *)step;
    const struct plan *plan = step->plan;
    join->left = plan->input[0]->columns;
    join->right = plan->wanted + plan->wants_key;
    join->inner = *plan;
    join->inner.columns = join->right;
    join->inner.column = scope_alloc_zeroed(step->scope, (join->right + 1) * sizeof join->inner.column[0]);
    for (uint32_t i = 0; i < plan->wanted; i++)
        join->inner.column[i] =
            plan->want[i] > 0 ? plan->relation->column[plan->want[i] - 1].type : type_builtin(TYPE_OID);
    if (plan->wants_key)
        join->inner.column[plan->wanted] = type_builtin(TYPE_BYTEA);
    bool indexed = plan->index && !plan->index->clustered;
    reader_make(step->scope, &join->reader, &join->inner);
    join->by_index = indexed && join->reader.mode == READER_ROWS;
    join->table = indexed ? plan->index->store : plan->relation->store;
    join->key = bound_key_of(plan->relation, plan->index);
    if (join->by_index) {
        join->row_reader = join->reader;
        join->reader = (struct reader){.mode = READER_ENTRIES,
                                       .relation = plan->relation,
                                       .index = plan->index,
                                       .columns = 1,
                                       .key_slot = 0};
    }
    join->cores = scope_alloc_zeroed(step->scope, operation_world(step)->cores * sizeof join->cores[0]);
    enum sqlstate failed =
        operation_programs(step, plan->bounds.equal, plan->bounds.equals, &join->equal, error);
    if (!failed)
        failed = operation_program(step, plan->bounds.low, &join->low, error);
    if (!failed)
        failed = operation_program(step, plan->bounds.high, &join->high, error);
    if (!failed)
        failed = operation_program(step, plan->condition, &join->condition, error);
    return failed;
}

/* ---- look-ups of a batch ---- */

static enum sqlstate make_look_ups(struct lookup_join *join, struct error *error)
{
    struct operation *step = &join->step;
    const struct plan_bounds *bounds = &step->plan->bounds;
    const struct batch *input = join->input;
    const struct value **equal = scope_alloc(join->work, (bounds->equals + 1) * sizeof equal[0]);
    const struct value *low = NULL, *high = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < bounds->equals && !failed; i++)
        failed = program_view(join->equal[i], input, join->work, &equal[i], error);
    if (!failed && join->low)
        failed = program_view(join->low, input, join->work, &low, error);
    if (!failed && join->high)
        failed = program_view(join->high, input, join->work, &high, error);
    join->look_up = scope_alloc(join->work, (input->count + 1) * sizeof join->look_up[0]);
    join->keys = scope_alloc(join->work, (input->count + 1) * sizeof join->keys[0]);
    join->number = scope_alloc(join->work, (input->count + 1) * sizeof join->number[0]);
    join->look_ups = 0;
    struct value *values = scope_alloc(join->work, (bounds->equals + 1) * sizeof values[0]);
    for (uint32_t i = 0; i < input->count && !failed; i++) {
        uint32_t row = batch_row(input, i);
        struct bound_ranges ranges;
        struct value nothing = value_null();
        for (uint32_t k = 0; k < bounds->equals; k++)
            values[k] = equal[k][row];
        failed = bounds_make(join->work, operation_environment(step), &join->key, bounds, values,
                             low ? &low[row] : &nothing, high ? &high[row] : &nothing, &ranges, error);
        if (!failed && ranges.count > 0)
            join->look_up[join->look_ups++] =
                (struct look_up){.range = ranges.range[0], .row = (uint16_t)row};
    }
    return failed;
}

/* ---- fragments ---- */

struct taking {
    struct lookup_join *join;
    struct core_room *core;
    struct scope *scope;
    uint32_t number; /* of the look-up */
    bool no_room;
    enum sqlstate failed;
    struct error *error;
};

static bool take(void *argument, const struct store_row *row)
{
    struct taking *taking = argument;
    struct core_room *core = taking->core;
    if (core->count == core->places) {
        taking->no_room = true;
        return false;
    }
    if (!reader_take(&taking->join->reader, taking->scope, row, &core->room, core->count, &taking->failed,
                     taking->error)) {
        taking->no_room = !taking->failed;
        return false;
    }
    core->look_up[core->count] = taking->number;
    core->try[core->count++] = taking->join->look_up[taking->number].try;
    return true;
}

static enum sqlstate look_up_one(struct taking *taking, struct branch *branch, struct look_up *look_up,
                                 struct error *error)
{
    struct lookup_join *join = taking->join;
    enum sqlstate failed = SQLSTATE_OK;
    if (look_up->range.point) {
        struct store_row row;
        bool found;
        failed =
            branch_get(branch, taking->scope, join->table, look_up->range.range.from, &row, &found, error);
        if (!failed && found)
            take(taking, &row);
        return failed ? failed : taking->failed;
    }
    struct store_sink sink = {.take = take, .argument = taking};
    struct store_cursor cursor = {
        .range = look_up->range.range, .scope = taking->scope, .backward = join->step.plan->backward};
    while (!failed && !cursor.done && !taking->no_room) {
        failed = branch_scan(branch, join->table, &cursor, BATCH_ROWS, &sink, error);
        if (taking->failed)
            return taking->failed;
        if (!failed)
            failed = fiber_check_canceled(branch_world(branch)->scheduler, error);
    }
    return failed;
}

static enum sqlstate visit(struct branch *branch, struct scope *scope, struct key_share *share,
                           void *argument, struct error *error)
{
    struct lookup_join *join = argument;
    struct core_room *core = &join->cores[branch_world(branch)->core];
    for (; share->done < share->count; share->done++) {
        uint32_t number = join->number[share->number[share->done]];
        struct look_up *look_up = &join->look_up[number];
        if (core->full) {
            look_up->state = LOOK_UP_NO_ROOM;
            continue;
        }
        look_up->try++;
        struct scope *scratch = scope_open(scope, "look-up");
        struct taking taking = {
            .join = join, .core = core, .scope = scratch, .number = number, .error = error};
        enum sqlstate failed = look_up_one(&taking, branch, look_up, error);
        scope_close(scratch);
        if (failed == SQLSTATE_SHARD_SPLIT) {
            error_clear(error);
            look_up->state = LOOK_UP_LONG;
            continue;
        }
        if (failed)
            return failed;
        look_up->state = taking.no_room ? LOOK_UP_NO_ROOM : LOOK_UP_DONE;
        core->full = taking.no_room;
    }
    return SQLSTATE_OK;
}

/* ---- rooms ---- */

static enum sqlstate core_room_want(struct lookup_join *join, struct core_room *core, uint32_t places,
                                    size_t arena, struct error *error)
{
    struct operation *step = &join->step;
    enum sqlstate failed = row_room_want(step->scope, &core->room, arena, error);
    if (failed || core->places >= places)
        return failed;
    uint32_t columns = join->reader.columns;
    struct value **column = scope_alloc(step->scope, (columns + 1) * sizeof column[0]);
    for (uint32_t c = 0; c < columns && !failed; c++) {
        void *memory;
        failed = scope_alloc_large(step->scope, places * sizeof(struct value), 16, &memory, error);
        if (!failed && core->places)
            scope_free_large(step->scope, core->room.column[c]);
        column[c] = memory;
    }
    void *numbers;
    if (!failed)
        failed = scope_alloc_large(step->scope, places * 2 * sizeof(uint32_t), 16, &numbers, error);
    if (failed)
        return failed;
    if (core->places)
        scope_free_large(step->scope, core->look_up);
    core->room.column = column;
    core->look_up = numbers;
    core->try = core->look_up + places;
    core->places = places;
    return SQLSTATE_OK;
}

/* Look-ups that are next to each other in the tree go one after the other. */
static void put_in_order(struct lookup_join *join, uint32_t count)
{
    uint32_t *order = scope_alloc(join->work, count * sizeof order[0]);
    struct bytes *keys = scope_alloc(join->work, count * sizeof keys[0]);
    uint32_t *number = scope_alloc(join->work, count * sizeof number[0]);
    key_order(join->work, join->keys, count, order);
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = join->keys[order[i]];
        number[i] = join->number[order[i]];
    }
    memcpy(join->keys, keys, count * sizeof keys[0]);
    memcpy(join->number, number, count * sizeof number[0]);
}

/* The look-ups that have no answer yet go out. Rooms are as large as the last time, or larger where it was too small; what
 * they hold is kept, so it grows with each round: `from` tells where this round's rows begin. */
static enum sqlstate send(struct lookup_join *join, struct error *error)
{
    struct operation *step = &join->step;
    struct transaction *transaction = step->execution->request.transaction;
    uint32_t count = 0;
    for (uint32_t i = 0; i < join->look_ups; i++)
        if (join->look_up[i].state == LOOK_UP_WAITS) {
            join->keys[count] = join->look_up[i].range.range.from;
            join->number[count++] = i;
        }
    if (count == 0)
        return SQLSTATE_OK;
    if (count >= KEYS_ORDERED_MIN)
        put_in_order(join, count);
    struct key_run run = {
        .table = join->table, .key = join->keys, .count = count, .run = visit, .argument = join};
    return transaction_run_keys(transaction, &run, error);
}

/* A range over several shards, read in order. */
static enum sqlstate look_up_long(struct lookup_join *join, uint32_t number, struct error *error)
{
    struct operation *step = &join->step;
    struct core_room *core = &join->cores[operation_world(step)->core];
    struct look_up *look_up = &join->look_up[number];
    struct scope *scratch = scope_open(join->work, "look-up");
    struct taking taking = {.join = join, .core = core, .scope = scratch, .number = number, .error = error};
    struct store_sink sink = {.take = take, .argument = &taking};
    struct row_scan scan = {
        .table = join->table, .range = look_up->range.range, .backward = step->plan->backward};
    look_up->try++;
    enum sqlstate failed = row_scan(step->execution->request.transaction, &scan, &sink, error);
    scope_close(scratch);
    if (!failed)
        failed = taking.failed;
    look_up->state = taking.no_room ? LOOK_UP_LONG : LOOK_UP_DONE;
    core->full = taking.no_room;
    return failed;
}

static bool all_done(const struct lookup_join *join)
{
    for (uint32_t i = 0; i < join->look_ups; i++)
        if (join->look_up[i].state != LOOK_UP_DONE)
            return false;
    return true;
}

/* Too small: everything is forgotten, and asked for again with twice the room. */
static enum sqlstate find_all(struct lookup_join *join, struct error *error)
{
    struct operation *step = &join->step;
    uint32_t cores = operation_world(step)->cores, places = PLACES_FIRST;
    size_t arena = ARENA_FIRST;
    for (;;) {
        enum sqlstate failed = SQLSTATE_OK;
        for (uint32_t c = 0; c < cores && !failed; c++) {
            failed = core_room_want(join, &join->cores[c], places, arena, error);
            join->cores[c].count = 0;
            join->cores[c].full = false;
            join->cores[c].room.used = join->cores[c].room.wanted = 0;
        }
        for (uint32_t i = 0; i < join->look_ups; i++)
            join->look_up[i].state = LOOK_UP_WAITS;
        if (!failed)
            failed = send(join, error);
        for (uint32_t i = 0; i < join->look_ups && !failed; i++)
            if (join->look_up[i].state == LOOK_UP_LONG)
                failed = look_up_long(join, i, error);
        if (failed || all_done(join))
            return failed;
        uint32_t had = 0;
        size_t wanted = 0;
        for (uint32_t c = 0; c < cores; c++) {
            had = join->cores[c].places > had ? join->cores[c].places : had;
            size_t arena_c = join->cores[c].room.arena_size + join->cores[c].room.wanted;
            wanted = arena_c > wanted ? arena_c : wanted;
        }
        if (had > UINT32_MAX / 4)
            return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "too many rows for one look-up");
        places = had * 2;
        arena = wanted * 2;
    }
}

/* ---- pairs ---- */

static bool counts(const struct lookup_join *join, const struct core_room *core, uint32_t place)
{
    return join->look_up[core->look_up[place]].try == core->try[place];
}

/* What was found, in the order of the input; of one look-up in the order it was found. */
static enum sqlstate make_pairs(struct lookup_join *join, struct error *error)
{
    struct operation *step = &join->step;
    uint32_t cores = operation_world(step)->cores, total = 0;
    uint32_t *from = scope_alloc_zeroed(join->work, (join->look_ups + 2) * sizeof from[0]);
    for (uint32_t c = 0; c < cores; c++)
        for (uint32_t p = 0; p < join->cores[c].count; p++)
            if (counts(join, &join->cores[c], p)) {
                from[join->cores[c].look_up[p] + 1]++;
                total++;
            }
    for (uint32_t i = 0; i < join->look_ups; i++)
        from[i + 1] += from[i];
    void *pairs;
    enum sqlstate failed =
        scope_alloc_large(join->work, (total + 1) * sizeof(struct pair), 16, &pairs, error);
    if (failed)
        return failed;
    join->pair = pairs;
    join->pairs = total;
    join->row_at = join->from = join->until = join->chosen_at = join->chosens = 0;
    for (uint32_t c = 0; c < cores; c++)
        for (uint32_t p = 0; p < join->cores[c].count; p++)
            if (counts(join, &join->cores[c], p)) {
                uint32_t number = join->cores[c].look_up[p];
                join->pair[from[number]++] =
                    (struct pair){.row = join->look_up[number].row, .core = (uint16_t)c, .place = p};
            }
    return SQLSTATE_OK;
}

/* Rows in the place of index entries; an entry whose row is gone (which the snapshot does not allow) finds none. */
static enum sqlstate fetch_pairs(struct lookup_join *join, uint32_t from, uint32_t count, bool *found,
                                 struct error *error)
{
    struct operation *step = &join->step;
    struct bytes *keys = scope_alloc(step->scratch, (count + 1) * sizeof keys[0]);
    for (uint32_t i = 0; i < count; i++) {
        const struct pair *pair = &join->pair[from + i];
        keys[i] = value_view(&join->cores[pair->core].room.column[0][pair->place]);
    }
    return fetch_rows(step->execution, step->scope, &join->row_reader, step->plan->relation->store, keys,
                      count, &join->fetched, found, error);
}

/* Pairs from .. from + count - 1 as columns of both sides. */
static enum sqlstate show_pairs(struct lookup_join *join, uint32_t from, uint32_t count, struct value **room,
                                bool *found, struct error *error)
{
    memset(found, true, count);
    for (uint32_t c = 0; c < join->left; c++)
        for (uint32_t i = 0; i < count; i++)
            room[c][i] = join->input->column[c][join->pair[from + i].row];
    if (join->by_index) {
        enum sqlstate failed = fetch_pairs(join, from, count, found, error);
        for (uint32_t c = 0; c < join->right && !failed; c++)
            memcpy(room[join->left + c], join->fetched.column[c], count * sizeof(struct value));
        return failed;
    }
    for (uint32_t c = 0; c < join->right; c++)
        for (uint32_t i = 0; i < count; i++) {
            const struct pair *pair = &join->pair[from + i];
            room[join->left + c][i] = join->cores[pair->core].room.column[c][pair->place];
        }
    return SQLSTATE_OK;
}

/* ---- output ---- */

/* A stretch of pairs as columns, and what is known of the input batch. */
struct both {
    struct value **room;
    bool *found;
    bool *matched; /* per row of the input batch: a pair of it passed */
    uint16_t *chosen;
    uint32_t *place_of; /* per row of the input batch: its place in it */
};

struct lookup_output {
    struct lookup_join join;
    struct both both;
};

static struct both both_make(struct lookup_join *join)
{
    struct both both;
    uint32_t columns = join->left + join->right;
    both.room = scope_alloc(join->work, (columns + 1) * sizeof both.room[0]);
    for (uint32_t c = 0; c < columns; c++)
        both.room[c] = scope_alloc(join->work, BATCH_ROWS * sizeof(struct value));
    both.found = scope_alloc(join->work, BATCH_ROWS);
    both.matched = scope_alloc_zeroed(join->work, BATCH_ROWS);
    both.chosen = scope_alloc(join->work, BATCH_ROWS * sizeof(uint16_t));
    both.place_of = scope_alloc(join->work, BATCH_ROWS * sizeof both.place_of[0]);
    for (uint32_t i = 0; i < join->input->count; i++)
        both.place_of[batch_row(join->input, i)] = i;
    return both;
}

/* The next BATCH_ROWS pairs: their rows fetched once, which of them pass, which left rows have one that does. What they point
 * to lives until the stretch behind them. */
static enum sqlstate try_stretch(struct lookup_output *output, struct error *error)
{
    struct lookup_join *join = &output->join;
    const struct both *both = &output->both;
    uint32_t left = join->pairs - join->until, count = left < BATCH_ROWS ? left : BATCH_ROWS, kept = 0;
    join->from = join->until;
    join->until += count;
    join->chosen_at = 0;
    operation_clear_scratch(&join->step);
    enum sqlstate failed = show_pairs(join, join->from, count, both->room, both->found, error);
    if (failed)
        return failed;
    for (uint32_t i = 0; i < count; i++)
        if (both->found[i])
            both->chosen[kept++] = (uint16_t)i;
    struct batch batch = {.columns = join->left + join->right,
                          .count = kept,
                          .selection = both->chosen,
                          .column = (const struct value **)both->room};
    if (join->condition && kept)
        failed = program_select(join->condition, &batch, join->step.scratch, both->chosen, &kept, error);
    join->chosens = failed ? 0 : kept;
    for (uint32_t i = 0; i < join->chosens; i++)
        both->matched[join->pair[join->from + both->chosen[i]].row] = true;
    return failed;
}

/* Which rows have a pair that passes, where nothing else is asked: entries of an index do as they are when there is no condition on
 * their rows. */
static enum sqlstate try_all(struct lookup_output *output, struct error *error)
{
    struct lookup_join *join = &output->join;
    enum sqlstate failed = SQLSTATE_OK;
    if (join->condition == NULL) {
        for (; join->until < join->pairs; join->until++)
            output->both.matched[join->pair[join->until].row] = true;
        return SQLSTATE_OK;
    }
    while (join->until < join->pairs && !failed)
        failed = try_stretch(output, error);
    join->chosens = 0; /* no pair goes out */
    return failed;
}

static enum sqlstate begin_batch(struct lookup_output *output, struct error *error)
{
    struct lookup_join *join = &output->join;
    struct operation *step = &join->step;
    enum sqlstate failed = operation_next(step->input[0], &join->input, error);
    if (failed || !join->input)
        return failed;
    if (join->work)
        scope_close(join->work);
    join->work = scope_open(step->memory, "look-ups");
    output->both = both_make(join);
    failed = make_look_ups(join, error);
    if (!failed)
        failed = find_all(join, error);
    if (!failed)
        failed = make_pairs(join, error);
    if (!failed && join->by_index && !join->fetched.column) {
        join->fetched.column = scope_alloc(step->scope, (join->right + 1) * sizeof join->fetched.column[0]);
        for (uint32_t c = 0; c < join->right; c++)
            join->fetched.column[c] = scope_alloc(step->scope, BATCH_ROWS * sizeof(struct value));
    }
    return failed || !gives_left_only(join) ? failed : try_all(output, error);
}

static void put_left(struct lookup_join *join, uint32_t row)
{
    struct operation *step = &join->step;
    uint32_t at = step->batch.count++;
    for (uint32_t c = 0; c < step->plan->columns; c++)
        step->room[c][at] = c < join->left ? join->input->column[c][row] : value_null();
}

/* LEFT: rows of the input before that place whose pairs have all been seen and none passed. False when there is no room for one. */
static bool put_unmatched(struct lookup_output *output, uint32_t until)
{
    struct lookup_join *join = &output->join;
    for (; join->row_at < until; join->row_at++) {
        uint32_t row = batch_row(join->input, join->row_at);
        if (output->both.matched[row] || join->step.plan->join != JOIN_LEFT)
            continue;
        if (join->step.batch.count == BATCH_ROWS)
            return false;
        put_left(join, row);
    }
    return true;
}

/* Pairs that passed, as far as there is room; those of one call come from one stretch. */
static enum sqlstate put_pairs(struct lookup_output *output, struct error *error)
{
    struct lookup_join *join = &output->join;
    struct operation *step = &join->step;
    const struct both *both = &output->both;
    if (join->chosen_at == join->chosens && join->until < join->pairs) {
        enum sqlstate failed = try_stretch(output, error);
        if (failed)
            return failed;
    }
    for (; join->chosen_at < join->chosens; join->chosen_at++) {
        uint32_t from = both->chosen[join->chosen_at];
        if (!put_unmatched(output, both->place_of[join->pair[join->from + from].row]) ||
            step->batch.count == BATCH_ROWS)
            return SQLSTATE_OK;
        uint32_t at = step->batch.count++;
        for (uint32_t c = 0; c < step->plan->columns; c++)
            step->room[c][at] = both->room[c][from];
    }
    if (join->until == join->pairs)
        put_unmatched(output, join->input->count);
    return SQLSTATE_OK;
}

static void put_left_only(struct lookup_output *output)
{
    struct lookup_join *join = &output->join;
    bool semi = join->step.plan->join == JOIN_SEMI;
    for (; join->row_at < join->input->count && join->step.batch.count < BATCH_ROWS; join->row_at++) {
        uint32_t row = batch_row(join->input, join->row_at);
        if (output->both.matched[row] == semi)
            put_left(join, row);
    }
}

/* Whether the input batch has nothing more to give. */
static bool is_through(const struct lookup_join *join)
{
    if (join->chosen_at < join->chosens || join->until < join->pairs)
        return false;
    bool ends = gives_left_only(join) || join->step.plan->join == JOIN_LEFT;
    return !ends || join->row_at == join->input->count;
}

static enum sqlstate next_lookup(struct operation *step, const struct batch **batch, struct error *error)
{
    struct lookup_output *output = (struct lookup_output *)step;
    struct lookup_join *join = &output->join;
    operation_want_room(step, BATCH_ROWS);
    step->batch.count = 0;
    step->batch.selection = NULL;
    while (step->batch.count == 0) {
        enum sqlstate failed = SQLSTATE_OK;
        if (!join->input || is_through(join)) {
            failed = begin_batch(output, error);
            if (failed || !join->input)
                return failed;
        }
        if (gives_left_only(join))
            put_left_only(output);
        else
            failed = put_pairs(output, error);
        if (failed)
            return failed;
    }
    *batch = &step->batch;
    return SQLSTATE_OK;
}

static enum sqlstate restart_lookup(struct operation *step, struct error *error)
{
    struct lookup_join *join = (struct lookup_join *)step;
    join->input = NULL;
    join->work = NULL;
    join->pairs = join->until = join->chosen_at = join->chosens = 0;
    return operation_restart_inputs(step, error);
}

const struct operation_ops lookup_join_ops = {.bytes = sizeof(struct lookup_output),
                                              .open = open_lookup,
                                              .next = next_lookup,
                                              .restart = restart_lookup};
