/* SCAN: rows of a table by its key, or by an index and then by their keys, or out of an index alone.
 *
 * A scan is a range (several for an ANY), read piece by piece: each piece is one visit to the owner of the next shard,
 * which decodes rows into this step's room, drops those that fail the condition, and goes on until the room is full. Where
 * it stands is a key, so nothing is open between pieces. What an index finds is fetched by keys, on all owners at once.
 *
 *     next:  range 0 [from ......|.... to)   range 1 [ ... )
 *                                ^ resume: the key behind the last one taken */
#include "sqlfront/run/hash_join.h"

/* A part that has given enough ends the run with this, which nobody else sees. */
#define SQLSTATE_ENOUGH ((enum sqlstate)SQLSTATE_PACK('S', 'Y', '0', '1', '0'))

/* A join's table larger than this is not looked into from here: memory would be waited for, row by row. */
#define LOOK_ENTRIES_MAX (64 * 1024)
/* After so many rows it shows whether looking is worth it: a quarter of them must go. */
#define LOOK_ROWS 4096

/* The first piece is small: many scans find few rows, or are asked for few. */
#define FIRST_ROWS 64
/* Rows looked at in one visit before the owner's core is given up: some 20 ms of work at most. */
#define VISIT_ROWS (64 * 1024)
/* A room is full when fewer places are left: filling them costs more than asking again. */
#define PLACES_MIN  128
#define ARENA_FIRST (16 * 1024)
#define ARENA_MAX   (1024 * 1024)
/* A piece of wide rows ends when it has taken so much beside its room: a thousand of them may be more than there is. */
#define WIDE_BYTES (4 * 1024 * 1024)

struct scan {
    struct operation step;
    struct reader reader;     /* of what is read first: rows, or entries */
    struct reader row_reader; /* of rows found by an index */
    bool by_index;            /* entries are read, rows are fetched */
    uint64_t table;           /* what is read first */
    struct bound_key key;
    struct program **equal, *low, *high;
    struct program *condition;
    bool condition_there; /* owners may ask it */
    /* Rows of which a join above would find nothing in its table */
    const struct hash_table *look; /* NULL: none, or most rows are found */
    uint16_t look_column;
    uint64_t look_rows, look_gone;
    struct sieve sieve; /* what of it they ask of stored rows; `condition` is the rest, then */
    bool begun;
    struct bound_ranges ranges;
    uint32_t range; /* how many were begun */
    bool reading;   /* `rest` is what is left of one */
    struct key_range rest;
    uint8_t *resume[2]; /* one has the bytes of rest.from (rest.to, backward) */
    int resume_used;
    uint32_t rows_wanted;
    size_t arena_wanted;   /* of `first`, for the next piece */
    struct row_room first; /* what is read first: step->room, or row keys */
    struct row_room rows;  /* rows that were fetched */
    struct value *row_key;
    uint16_t *selection;
    struct bytes *keys;
    bool *found;
    /* TABLESAMPLE: a row stays when the hash of its number is below the threshold */
    struct program *percent, *seed;
    uint64_t sample_below, sample_seed, sample_at;
};

/* ---- a visit ---- */

struct visit {
    const struct scan *scan;
    struct row_room *room;
    struct scope
        *local; /* memory for bytes that do not fit, while the owner is the coordinator's core; else NULL */
    size_t widened;  /* bytes taken there */
    uint32_t places; /* rows the room takes */
    uint32_t count;  /* rows in it */
    uint32_t passed; /* of them have passed the condition */
    uint64_t looked;
    uint64_t asked, gone; /* of the join's table; not found there */
    bool filtered;        /* the condition was asked */
    bool overflow;        /* a row did not fit */
    bool resumes;         /* there is more: */
    bool moved;           /* ... from (backward: up to) here; else from where this began */
    uint8_t *resume;
    size_t resume_size;
};

struct visit_part {
    struct visit *visit;
    struct scope *scope;
    struct program *condition;
    uint16_t *selection;
    struct environment *environment; /* of this core, for the sieve */
    enum sqlstate failed;
    struct error *error;
};

static bool is_backward(const struct visit *visit)
{
    return visit->scan->step.plan->backward;
}

/* `behind`: the next key there can be. */
static void resume_at(struct visit *visit, struct bytes key, bool behind)
{
    if (key.size)
        memcpy(visit->resume, key.data, key.size);
    visit->resume_size = key.size;
    if (behind)
        visit->resume[visit->resume_size++] = 0;
    visit->resumes = visit->moved = true;
}

/* More memory for the bytes of this batch. */
static enum sqlstate widen(struct visit *visit, struct error *error)
{
    struct row_room *room = visit->room;
    size_t size = room->wanted > ARENA_FIRST ? room->wanted : ARENA_FIRST;
    void *memory;
    enum sqlstate failed = scope_alloc_large(visit->local, size * 2, 16, &memory, error);
    if (failed)
        return failed;
    room->arena = memory;
    room->arena_size = size * 2;
    room->used = 0;
    visit->widened += size * 2;
    return SQLSTATE_OK;
}

/* Whether the join above may find something for the row. */
static bool may_be_found(struct visit_part *part, struct bytes row)
{
    const struct scan *scan = part->visit->scan;
    struct value value;
    struct error error;
    if (row_decode(scan->reader.relation->layout, row, &scan->look_column, 1, &value, &error))
        return true; /* told when it is decoded */
    part->visit->asked++;
    if (!value.null && hash_table_find(scan->look, hash_combine(0, value_hash_integer(value.i))))
        return true;
    part->visit->gone++;
    return false;
}

static bool take(void *argument, const struct store_row *row)
{
    struct visit_part *part = argument;
    struct visit *visit = part->visit;
    const struct reader *reader = &visit->scan->reader;
    visit->looked++;
    const struct sieve *sieve = &visit->scan->sieve;
    if (sieve->tests &&
        !row_passes(reader->relation->layout, part->environment, row->row, sieve->test, sieve->tests))
        return true;
    if (visit->scan->look && !may_be_found(part, row->row))
        return true;
    for (;;) {
        if (reader_take(reader, part->scope, row, visit->room, visit->count, &part->failed, part->error))
            break;
        if (!part->failed && visit->local)
            part->failed = widen(visit, part->error);
        else
            visit->overflow = !part->failed;
        if (visit->overflow)
            resume_at(visit, row->key, is_backward(visit));
        if (part->failed || visit->overflow)
            return false;
    }
    visit->count++;
    return visit->count < visit->places && visit->widened < WIDE_BYTES;
}

/* Moves the rows that pass to the front. */
static enum sqlstate drop_failing(struct visit_part *part, size_t used)
{
    struct visit *visit = part->visit;
    uint32_t columns = visit->scan->reader.columns, count = visit->count - visit->passed, kept;
    struct scope *scratch = scope_open(part->scope, "condition");
    const struct value **column = scope_alloc(scratch, (columns + 1) * sizeof column[0]);
    for (uint32_t c = 0; c < columns; c++)
        column[c] = visit->room->column[c] + visit->passed;
    struct batch batch = {.columns = columns, .count = count, .column = column};
    enum sqlstate failed =
        program_select(part->condition, &batch, scratch, part->selection, &kept, part->error);
    scope_close(scratch);
    if (failed)
        return failed;
    for (uint32_t c = 0; c < columns && kept < count; c++) {
        struct value *values = visit->room->column[c] + visit->passed;
        for (uint32_t i = 0; i < kept; i++)
            values[i] = values[part->selection[i]];
    }
    if (kept == 0 && !visit->local)
        visit->room->used = used;
    visit->count = visit->passed += kept;
    return SQLSTATE_OK;
}

static bool is_full(const struct visit *visit)
{
    uint32_t least = visit->places > 2 * PLACES_MIN ? PLACES_MIN : 1;
    return visit->overflow || visit->looked >= VISIT_ROWS || visit->widened >= WIDE_BYTES ||
           visit->places - visit->count < least;
}

/* What to ask rows with on this core: on the step's core what the step has, else made for the visit. No condition though
 * there is one: the step will ask it. */
static void ask_here(struct visit_part *part, struct branch *branch)
{
    const struct scan *scan = part->visit->scan;
    struct world *world = branch_world(branch);
    struct error error;
    part->environment = operation_environment(&scan->step);
    if (world == operation_world(&scan->step)) {
        part->condition = scan->condition_there ? scan->condition : NULL;
        return;
    }
    part->environment = scope_copy(part->scope, part->environment, sizeof *part->environment);
    part->environment->world = world;
    part->environment->catalog = NULL;
    part->environment->session = NULL;
    if (!scan->condition_there || !scan->condition)
        return;
    struct evaluation *evaluation =
        scope_copy(part->scope, &scan->step.execution->evaluation, sizeof *evaluation);
    evaluation->environment = part->environment;
    const struct expression *condition = scan->sieve.tests ? scan->sieve.rest : scan->step.plan->condition;
    if (program_make(part->scope, evaluation, condition, &part->condition, &error))
        part->condition = NULL;
}

static enum sqlstate read_part(struct visit_part *part, struct branch *branch, struct range_part *range)
{
    struct visit *visit = part->visit;
    struct store_sink sink = {.take = take, .argument = part};
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && !range->cursor.done && !is_full(visit)) {
        size_t used = visit->room->used;
        failed = branch_scan(branch, range->table, &range->cursor, visit->places - visit->count, &sink,
                             part->error);
        if (part->failed)
            return part->failed;
        /* The rows that came count, whatever ended the scan. */
        struct error kept = failed ? *part->error : (struct error){0};
        if (part->condition && visit->count > visit->passed) {
            enum sqlstate wrong = drop_failing(part, used);
            if (wrong)
                return wrong;
        } else if (part->condition == NULL) {
            visit->passed = visit->count;
        }
        if (failed)
            *part->error = kept;
        else
            failed = operation_breathe(branch_world(branch), part->error);
    }
    return failed;
}

static enum sqlstate visit_part(struct branch *branch, struct scope *scope, struct range_part *range,
                                void *argument, struct error *error)
{
    struct visit *visit = argument;
    struct visit_part part = {.visit = visit, .scope = scope, .error = error};
    bool backward = is_backward(visit);
    if (visit->resumes)
        return SQLSTATE_ENOUGH;
    if (is_full(visit)) {
        const struct key_range *left = &range->cursor.range;
        visit->resumes = true;
        if (!backward)
            resume_at(visit, left->from, false);
        else if (!left->to_open)
            resume_at(visit, left->to, false);
        return SQLSTATE_ENOUGH;
    }
    ask_here(&part, branch);
    part.selection = part.condition ? scope_alloc(scope, BATCH_ROWS * sizeof(uint16_t)) : NULL;
    visit->filtered = part.condition != NULL;
    visit->local =
        branch_world(branch) == operation_world(&visit->scan->step) ? visit->scan->step.scratch : NULL;
    enum sqlstate failed = read_part(&part, branch, range);
    if (failed || (range->cursor.done && !visit->overflow))
        return failed;
    if (!visit->overflow)
        resume_at(visit, bytes_of(range->cursor.at, range->cursor.at_size), !backward);
    return SQLSTATE_ENOUGH;
}

/* ---- pieces ---- */

static void note_rest(struct scan *scan, const struct visit *visit)
{
    scan->reading = visit->resumes;
    if (!visit->moved)
        return;
    struct bytes edge = bytes_of(visit->resume, visit->resume_size);
    scan->resume_used = !scan->resume_used;
    if (scan->step.plan->backward) {
        scan->rest.to = edge;
        scan->rest.to_open = false;
    } else {
        scan->rest.from = edge;
    }
}

/* Reads on in the range; what came stands in scan->first. */
static enum sqlstate read_piece(struct scan *scan, struct visit *visit, struct error *error)
{
    struct operation *step = &scan->step;
    struct execution *execution = step->execution;
    enum sqlstate failed = SQLSTATE_OK;
    if (scan->arena_wanted > scan->first.arena_size)
        failed = row_room_want(step->scope, &scan->first, scan->arena_wanted, error);
    if (failed)
        return failed;
    struct row_room room = scan->first; /* its arena may be another at the end */
    *visit = (struct visit){
        .scan = scan, .room = &room, .places = scan->rows_wanted, .resume = scan->resume[!scan->resume_used]};
    room.used = room.wanted = 0;
    room.alone = true;
    struct range_run run = {.table = scan->table,
                            .range = scan->rest,
                            .backward = step->plan->backward,
                            .width = 1,
                            .run = visit_part,
                            .argument = visit};
    if (execution->branch) {
        failed = visit_part(execution->branch, step->scratch, execution->part, visit, error);
        if (failed == (enum sqlstate)SQLSTATE_SHARD_MOVED || failed == (enum sqlstate)SQLSTATE_SHARD_SPLIT) {
            execution->part_lost = failed;
            failed = SQLSTATE_OK;
        }
        visit->resumes = !execution->part->cursor.done && !execution->part_lost;
        visit->moved = false;
    } else {
        failed = transaction_run_range(execution->request.transaction, &run, error);
    }
    if (failed && failed != SQLSTATE_ENOUGH)
        return failed;
    note_rest(scan, visit);
    /* The rows that came lie in the arena: it grows when they are done with. */
    if (room.wanted && scan->first.arena_size < ARENA_MAX) {
        size_t wanted = 2 * (scan->first.arena_size + room.wanted);
        scan->arena_wanted = wanted < ARENA_MAX ? wanted : ARENA_MAX;
    } else if (visit->overflow && visit->count == 0 && !visit->local)
        scan->arena_wanted = 2 * room.wanted;
    return SQLSTATE_OK;
}

/* ---- ranges ---- */

static enum sqlstate run_bound(struct scan *scan, struct scope *scope, struct program *program,
                               struct value *value, struct error *error)
{
    *value = value_null();
    return program ? program_run_row(program, NULL, 0, scope, value, error) : SQLSTATE_OK;
}

static enum sqlstate begin_sample(struct scan *scan, struct error *error)
{
    struct value percent, seed;
    enum sqlstate failed = run_bound(scan, scan->step.memory, scan->percent, &percent, error);
    if (!failed)
        failed = run_bound(scan, scan->step.memory, scan->seed, &seed, error);
    if (failed || scan->percent == NULL)
        return failed;
    if (percent.null)
        return error_set(error, SQLSTATE_INVALID_TABLESAMPLE_ARGUMENT,
                         "TABLESAMPLE parameter cannot be null");
    if (scan->seed && seed.null)
        return error_set(error, SQLSTATE_INVALID_TABLESAMPLE_REPEAT,
                         "TABLESAMPLE REPEATABLE parameter cannot be null");
    if (!(percent.f >= 0 && percent.f <= 100))
        return error_set(error, SQLSTATE_INVALID_TABLESAMPLE_ARGUMENT,
                         "sample percentage must be between 0 and 100");
    scan->sample_below = percent.f >= 100 ? UINT64_MAX : (uint64_t)(percent.f / 100 * 0x1p64);
    scan->sample_at = 0;
    if (scan->seed)
        memcpy(&scan->sample_seed, &seed.f, 8);
    else
        world_random(operation_world(&scan->step), &scan->sample_seed, 8);
    return SQLSTATE_OK;
}

enum sqlstate scan_ranges(struct operation *step, struct scope *scope, struct bound_ranges *ranges,
                          struct error *error)
{
    struct scan *scan = (struct scan *)step;
    const struct plan_bounds *bounds = &step->plan->bounds;
    struct value low, high;
    struct value *equal = scope_alloc(scope, (bounds->equals + 1) * sizeof equal[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < bounds->equals && !failed; i++)
        failed = run_bound(scan, scope, scan->equal[i], &equal[i], error);
    if (!failed)
        failed = run_bound(scan, scope, scan->low, &low, error);
    if (!failed)
        failed = run_bound(scan, scope, scan->high, &high, error);
    return failed ? failed
                  : bounds_make(scope, operation_environment(step), &scan->key, bounds, equal, &low, &high,
                                ranges, error);
}

static enum sqlstate begin(struct scan *scan, struct error *error)
{
    struct operation *step = &scan->step;
    enum sqlstate failed = begin_sample(scan, error);
    if (!failed)
        failed = scan_ranges(step, step->memory, &scan->ranges, error);
    scan->begun = true;
    scan->reading = step->execution->branch != NULL; /* a fragment has its part, and nothing else */
    scan->range = scan->reading ? scan->ranges.count : 0;
    scan->rows_wanted = FIRST_ROWS;
    return failed;
}

static struct bound_range *next_range(struct scan *scan)
{
    uint32_t at = scan->range++;
    return &scan->ranges.range[scan->step.plan->backward ? scan->ranges.count - 1 - at : at];
}

/* The rows of the next points, at once: what is found moves to the front. */
static enum sqlstate read_points(struct scan *scan, uint32_t *count, struct error *error)
{
    uint32_t wanted = 0, kept = 0;
    while (wanted < scan->rows_wanted && scan->range < scan->ranges.count)
        scan->keys[wanted++] = next_range(scan)->range.from;
    enum sqlstate failed = fetch_rows(scan->step.execution, scan->step.scope, &scan->reader, scan->table,
                                      scan->keys, wanted, &scan->first, scan->found, error);
    for (uint32_t i = 0; i < wanted && !failed; i++) {
        if (!scan->found[i])
            continue;
        for (uint32_t c = 0; c < scan->reader.columns; c++)
            scan->first.column[c][kept] = scan->first.column[c][i];
        kept++;
    }
    *count = kept;
    return failed;
}

/* ---- batches ---- */

static void want_rooms(struct scan *scan)
{
    struct operation *step = &scan->step;
    uint32_t had = step->room_rows;
    operation_want_room(step, scan->rows_wanted);
    scan->rows.column = step->room;
    if (!scan->by_index)
        scan->first.column = step->room;
    if (step->room_rows == had)
        return;
    if (scan->by_index) {
        scan->row_key = scope_alloc(step->scope, step->room_rows * sizeof scan->row_key[0]);
        scan->first.column = &scan->row_key;
    }
    scan->keys = scope_alloc(step->scope, step->room_rows * sizeof scan->keys[0]);
    scan->found = scope_alloc(step->scope, step->room_rows * sizeof scan->found[0]);
    scan->selection = scope_alloc(step->scope, step->room_rows * sizeof scan->selection[0]);
}

/* Fetches the rows whose keys were found. */
static enum sqlstate fetch_found(struct scan *scan, uint32_t *count, struct error *error)
{
    struct operation *step = &scan->step;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++)
        scan->keys[i] = value_view(&scan->row_key[i]);
    enum sqlstate failed =
        fetch_rows(step->execution, step->scope, &scan->row_reader, step->plan->relation->store, scan->keys,
                   *count, &scan->rows, scan->found, error);
    for (uint32_t i = 0; i < *count && !failed; i++) {
        if (!scan->found[i])
            continue;
        for (uint32_t c = 0; c < step->plan->columns && kept != i; c++)
            step->room[c][kept] = step->room[c][i];
        kept++;
    }
    *count = kept;
    return failed;
}

static uint64_t sample_hash(uint64_t seed, uint64_t at)
{
    uint64_t z = seed + at * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static void sample(struct scan *scan)
{
    struct batch *batch = &scan->step.batch;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        scan->selection[kept] = (uint16_t)i;
        kept += sample_hash(scan->sample_seed, scan->sample_at++) <= scan->sample_below && scan->sample_below;
    }
    batch->selection = scan->selection;
    batch->count = kept;
}

/* Puts `count` rows of the room out, less those that fail. */
static enum sqlstate finish(struct scan *scan, uint32_t count, bool filtered, struct error *error)
{
    struct operation *step = &scan->step;
    uint32_t before = count;
    step->batch.count = count;
    step->batch.selection = NULL;
    if (scan->percent)
        sample(scan);
    if (scan->condition == NULL || filtered || step->batch.count == 0)
        return SQLSTATE_OK;
    enum sqlstate failed = program_select(scan->condition, &step->batch, step->scratch, scan->selection,
                                          &step->batch.count, error);
    step->batch.selection = scan->selection;
    step->figures.rows_filtered += before - step->batch.count;
    return failed;
}

static enum sqlstate read_batch(struct scan *scan, struct error *error)
{
    struct operation *step = &scan->step;
    struct visit visit = {0};
    uint32_t count = 0;
    enum sqlstate failed;
    operation_clear_scratch(step);
    want_rooms(scan);
    step->batch.count = 0;
    if (!scan->reading &&
        scan->ranges.range[step->plan->backward ? scan->ranges.count - 1 - scan->range : scan->range].point) {
        failed = read_points(scan, &count, error);
    } else {
        if (!scan->reading)
            scan->rest = next_range(scan)->range;
        failed = read_piece(scan, &visit, error);
        count = visit.count;
    }
    if (visit.filtered || scan->sieve.tests)
        step->figures.rows_filtered += visit.looked - visit.count - visit.gone;
    scan->look_rows += visit.asked;
    scan->look_gone += visit.gone;
    if (scan->look_rows >= LOOK_ROWS && scan->look_gone < scan->look_rows / 4)
        scan->look = NULL;
    if (step->execution->branch)
        __atomic_fetch_add(step->execution->read_elsewhere, visit.looked, __ATOMIC_RELAXED);
    if (!failed && scan->by_index && count)
        failed = fetch_found(scan, &count, error);
    if (scan->rows_wanted < BATCH_ROWS)
        scan->rows_wanted = BATCH_ROWS;
    return failed ? failed : finish(scan, count, visit.filtered, error);
}

static enum sqlstate next_scan(struct operation *step, const struct batch **batch, struct error *error)
{
    struct scan *scan = (struct scan *)step;
    enum sqlstate failed = scan->begun ? SQLSTATE_OK : begin(scan, error);
    while (!failed && (scan->reading || scan->range < scan->ranges.count)) {
        failed = operation_breathe(operation_world(step), error);
        if (!failed)
            failed = read_batch(scan, error);
        if (!failed && step->batch.count) {
            *batch = &step->batch;
            return SQLSTATE_OK;
        }
    }
    return failed;
}

static enum sqlstate restart_scan(struct operation *step, struct error *error)
{
    struct scan *scan = (struct scan *)step;
    scan->begun = scan->reading = false;
    scan->look = NULL; /* the join tells anew */
    return SQLSTATE_OK;
}

void scan_look_into(struct operation *step, const struct hash_table *table, uint32_t slot)
{
    struct scan *scan = (struct scan *)step;
    const struct plan *plan = step->plan;
    if (scan->by_index || scan->reader.mode != READER_ROWS || slot >= plan->wanted || plan->want[slot] < 1 ||
        table->mask >= LOOK_ENTRIES_MAX || plan->column[slot]->order != ORDER_INTEGER)
        return;
    scan->look = table;
    scan->look_column = (uint16_t)(plan->want[slot] - 1);
    scan->look_rows = scan->look_gone = 0;
}

/* ---- opening ---- */

/* Entries of an index whose rows are fetched: of them only the rows' keys. */
static void make_key_reader(struct scan *scan)
{
    scan->row_reader = scan->reader;
    scan->reader = (struct reader){.mode = READER_ENTRIES,
                                   .relation = scan->step.plan->relation,
                                   .index = scan->step.plan->index,
                                   .columns = 1,
                                   .key_slot = 0};
}

static enum sqlstate open_scan(struct operation *step, struct error *error)
{
    struct scan *scan = (struct scan *)step;
    const struct plan *plan = step->plan;
    const struct plan_bounds *bounds = &plan->bounds;
    bool indexed = plan->index && !plan->index->clustered;
    reader_make(step->scope, &scan->reader, plan);
    scan->by_index = indexed && scan->reader.mode == READER_ROWS;
    scan->table = indexed ? plan->index->store : plan->relation->store;
    scan->key = bound_key_of(plan->relation, plan->index);
    if (scan->by_index)
        make_key_reader(scan);
    for (int i = 0; i < 2; i++)
        scan->resume[i] = scope_alloc(step->scope, STORE_KEY_BYTES_MAX + 1);
    enum sqlstate failed = operation_programs(step, bounds->equal, bounds->equals, &scan->equal, error);
    if (!failed)
        failed = operation_program(step, bounds->low, &scan->low, error);
    if (!failed)
        failed = operation_program(step, bounds->high, &scan->high, error);
    if (!failed)
        failed = operation_program(step, plan->sample_percent, &scan->percent, error);
    if (!failed)
        failed = operation_program(step, plan->sample_seed, &scan->seed, error);
    uint32_t facts = plan->condition ? expression_facts(plan->condition) : 0;
    scan->condition_there =
        plan->condition && !scan->by_index && !scan->percent && !(facts & (FACT_SESSION | FACT_VOLATILE));
    /* Rows found by whole keys are not looked at where they are. */
    bool points = bounds->equals >= scan->key.columns;
    sieve_make(step->scope, &scan->sieve, plan, &scan->reader,
               scan->condition_there && !points ? plan->condition : NULL, &step->execution->evaluation);
    if (!failed)
        failed = operation_program(step, scan->sieve.tests ? scan->sieve.rest : plan->condition,
                                   &scan->condition, error);
    return failed ? failed : row_room_want(step->scope, &scan->first, ARENA_FIRST, error);
}

const struct operation_ops scan_ops = {
    .bytes = sizeof(struct scan), .open = open_scan, .next = next_scan, .restart = restart_scan};
