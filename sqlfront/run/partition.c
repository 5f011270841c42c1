/* Frames are worked out for each row from those of the row before: both ends only ever move forward. An aggregate whose frame
 * grows at its end alone goes on from where it was; one whose frame begins later than the last starts again. */
#include "sqlfront/run/partition.h"

#include <string.h>

#define STATE_22004 SQLSTATE_PACK('2', '2', '0', '0', '4')
#define STATE_22013 SQLSTATE_PACK('2', '2', '0', '1', '3')
#define STATE_22014 SQLSTATE_PACK('2', '2', '0', '1', '4')
#define STATE_22016 SQLSTATE_PACK('2', '2', '0', '1', '6')

/* Where the rows stand: peers are rows that ORDER BY does not tell apart. */
struct places {
    uint32_t *group;       /* per row */
    uint32_t *group_start; /* per group, and one more: rows */
    uint32_t groups;
};

struct frame {
    uint32_t from, to; /* rows from <= r < to */
};

struct framing {
    const struct partition *partition;
    struct places places;
    struct frame frame;
    int64_t from_rows, to_rows; /* offsets of ROWS and GROUPS */
    struct call call_from, call_to;
    const struct function *in_range_from, *in_range_to;
    const struct type *types[5];
};

static bool peers(const struct partition *partition, uint32_t a, uint32_t b)
{
    for (uint32_t k = 0; k < partition->orders; k++) {
        const struct value *x = &partition->key_value[k][a], *y = &partition->key_value[k][b];
        if (x->null != y->null)
            return false;
        if (!x->null && !value_equal(partition->environment, partition->key[k].type, x, y))
            return false;
    }
    return true;
}

static enum sqlstate array_make(const struct partition *partition, size_t count, size_t size, void **memory,
                                struct error *error)
{
    return scope_alloc_large(partition->scope, (count + 1) * size, 16, memory, error);
}

static enum sqlstate places_find(const struct partition *partition, struct places *places,
                                 struct error *error)
{
    void *group, *start;
    enum sqlstate failed = array_make(partition, partition->rows, sizeof(uint32_t), &group, error);
    if (!failed)
        failed = array_make(partition, partition->rows + 1, sizeof(uint32_t), &start, error);
    if (failed)
        return failed;
    *places = (struct places){.group = group, .group_start = start};
    for (uint32_t r = 0; r < partition->rows; r++) {
        if (r == 0 || !peers(partition, r - 1, r))
            places->group_start[places->groups++] = r;
        places->group[r] = places->groups - 1;
    }
    places->group_start[places->groups] = partition->rows;
    return SQLSTATE_OK;
}

/* ---- frames ---- */

static enum sqlstate offset_check(const struct value *offset, const char *which, bool number,
                                  struct error *error)
{
    if (offset->null)
        return error_set(error, STATE_22004, "frame %s offset must not be null", which);
    if (number && offset->i < 0)
        return error_set(error, STATE_22013, "frame %s offset must not be negative", which);
    return SQLSTATE_OK;
}

static bool has_offset(uint8_t bound)
{
    return bound == BOUND_PRECEDING || bound == BOUND_FOLLOWING;
}

static enum sqlstate in_range_prepare(struct framing *framing, const struct procedure *procedure,
                                      const struct function **function, struct call *call,
                                      const struct type *offset, struct error *error)
{
    const struct partition *partition = framing->partition;
    if (!procedure || !procedure->function)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s",
                         partition->orders ? partition->key[0].type->name : "");
    framing->types[0] = framing->types[1] = partition->key[0].type;
    framing->types[2] = offset;
    framing->types[3] = framing->types[4] = type_builtin(TYPE_BOOL);
    *function = procedure->function;
    *call = (struct call){.environment = partition->environment,
                          .scope = partition->scope,
                          .scope_lasting = partition->scope,
                          .error = error,
                          .result = framing->types[3],
                          .types = framing->types,
                          .arguments = 5,
                          .modifier = -1};
    return SQLSTATE_OK;
}

static enum sqlstate framing_open(struct framing *framing, const struct partition *partition,
                                  struct error *error)
{
    const struct window *window = partition->window;
    *framing = (struct framing){.partition = partition};
    enum sqlstate failed = places_find(partition, &framing->places, error);
    bool range = window->mode == FRAME_RANGE;
    if (!failed && has_offset(window->from)) {
        failed = offset_check(&partition->from_offset, "starting", !range, error);
        framing->from_rows = partition->from_offset.i;
        if (!failed && range)
            failed = in_range_prepare(framing, window->in_range_from, &framing->in_range_from,
                                      &framing->call_from, window->from_offset->type, error);
    }
    if (!failed && has_offset(window->to)) {
        failed = offset_check(&partition->to_offset, "ending", !range, error);
        framing->to_rows = partition->to_offset.i;
        if (!failed && range)
            failed = in_range_prepare(framing, window->in_range_to, &framing->in_range_to, &framing->call_to,
                                      window->to_offset->type, error);
    }
    return failed;
}

static uint32_t clamp(int64_t row, uint32_t rows)
{
    return row < 0 ? 0 : row > rows ? rows : (uint32_t)row;
}

/* Whether row `at` lies before the frame's start (or, for the end, still in it), as RANGE with an offset says. */
static enum sqlstate range_asks(struct framing *framing, bool start, uint32_t at, uint32_t row, bool *holds,
                                struct error *error)
{
    const struct partition *partition = framing->partition;
    const struct value *value = &partition->key_value[0][at], *base = &partition->key_value[0][row];
    bool descending = partition->key[0].descending, nulls_first = partition->key[0].nulls_first;
    uint8_t bound = start ? partition->window->from : partition->window->to;
    if (value->null || base->null) {
        /* A null is in the frame of nulls alone. */
        bool both = value->null && base->null;
        bool before = value->null ? nulls_first : !nulls_first;
        *holds = start ? !both && before : both || before;
        return SQLSTATE_OK;
    }
    bool preceding = bound == BOUND_PRECEDING, less = !start;
    struct value arguments[5] = {*value, *base, start ? partition->from_offset : partition->to_offset,
                                 value_boolean(preceding != descending), value_boolean(less != descending)};
    struct value answer;
    struct call *call = start ? &framing->call_from : &framing->call_to;
    call->error = error;
    enum sqlstate failed =
        (start ? framing->in_range_from : framing->in_range_to)->run(call, arguments, &answer);
    *holds = start ? !answer.i : answer.i;
    return failed;
}

static enum sqlstate frame_start(struct framing *framing, uint32_t row, struct error *error)
{
    const struct window *window = framing->partition->window;
    uint32_t rows = framing->partition->rows, group = framing->places.group[row];
    struct frame *frame = &framing->frame;
    switch (window->from) {
    case BOUND_UNBOUNDED_PRECEDING:
        frame->from = 0;
        return SQLSTATE_OK;
    case BOUND_CURRENT:
        frame->from = window->mode == FRAME_ROWS ? row : framing->places.group_start[group];
        return SQLSTATE_OK;
    default:
        break;
    }
    int64_t by = window->from == BOUND_PRECEDING ? -framing->from_rows : framing->from_rows;
    if (window->mode == FRAME_ROWS) {
        frame->from = by > rows ? rows : clamp((int64_t)row + by, rows);
    } else if (window->mode == FRAME_GROUPS) {
        int64_t wanted = by > rows ? rows : (int64_t)group + by;
        frame->from = framing->places.group_start[clamp(wanted, framing->places.groups)];
    } else {
        while (frame->from < rows) {
            bool before;
            enum sqlstate failed = range_asks(framing, true, frame->from, row, &before, error);
            if (failed)
                return failed;
            if (!before)
                break;
            frame->from++;
        }
    }
    return SQLSTATE_OK;
}

static enum sqlstate frame_end(struct framing *framing, uint32_t row, struct error *error)
{
    const struct window *window = framing->partition->window;
    uint32_t rows = framing->partition->rows, group = framing->places.group[row];
    struct frame *frame = &framing->frame;
    switch (window->to) {
    case BOUND_UNBOUNDED_FOLLOWING:
        frame->to = rows;
        return SQLSTATE_OK;
    case BOUND_CURRENT:
        frame->to = window->mode == FRAME_ROWS ? row + 1 : framing->places.group_start[group + 1];
        return SQLSTATE_OK;
    default:
        break;
    }
    int64_t by = window->to == BOUND_PRECEDING ? -framing->to_rows : framing->to_rows;
    if (window->mode == FRAME_ROWS) {
        frame->to = by > rows ? rows : clamp((int64_t)row + by + 1, rows);
    } else if (window->mode == FRAME_GROUPS) {
        int64_t wanted = by > rows ? rows : (int64_t)group + by + 1;
        frame->to = framing->places.group_start[clamp(wanted, framing->places.groups)];
    } else {
        while (frame->to < rows) {
            bool inside;
            enum sqlstate failed = range_asks(framing, false, frame->to, row, &inside, error);
            if (failed)
                return failed;
            if (!inside)
                break;
            frame->to++;
        }
    }
    return SQLSTATE_OK;
}

static enum sqlstate frame_of(struct framing *framing, uint32_t row, struct error *error)
{
    enum sqlstate failed = frame_start(framing, row, error);
    return failed ? failed : frame_end(framing, row, error);
}

/* Whether EXCLUDE takes row `at` out of the frame of `row`. */
static bool excluded(const struct framing *framing, uint32_t at, uint32_t row)
{
    switch (framing->partition->window->exclusion) {
    case EXCLUDE_CURRENT:
        return at == row;
    case EXCLUDE_GROUP:
        return framing->places.group[at] == framing->places.group[row];
    case EXCLUDE_TIES:
        return at != row && framing->places.group[at] == framing->places.group[row];
    default:
        return false;
    }
}

/* ---- functions of the row's place ---- */

static enum sqlstate row_number(struct framing *framing, const struct partition_call *call,
                                struct error *error)
{
    (void)error;
    for (uint32_t r = 0; r < framing->partition->rows; r++)
        call->result[r] = value_integer((int64_t)r + 1);
    return SQLSTATE_OK;
}

static enum sqlstate rank(struct framing *framing, const struct partition_call *call, struct error *error)
{
    const struct places *places = &framing->places;
    (void)error;
    for (uint32_t r = 0; r < framing->partition->rows; r++)
        call->result[r] = value_integer((int64_t)places->group_start[places->group[r]] + 1);
    return SQLSTATE_OK;
}

static enum sqlstate dense_rank(struct framing *framing, const struct partition_call *call,
                                struct error *error)
{
    (void)error;
    for (uint32_t r = 0; r < framing->partition->rows; r++)
        call->result[r] = value_integer((int64_t)framing->places.group[r] + 1);
    return SQLSTATE_OK;
}

static enum sqlstate percent_rank(struct framing *framing, const struct partition_call *call,
                                  struct error *error)
{
    const struct places *places = &framing->places;
    uint32_t rows = framing->partition->rows;
    (void)error;
    for (uint32_t r = 0; r < rows; r++)
        call->result[r] =
            value_float(rows <= 1 ? 0 : (double)places->group_start[places->group[r]] / (double)(rows - 1));
    return SQLSTATE_OK;
}

static enum sqlstate cume_dist(struct framing *framing, const struct partition_call *call,
                               struct error *error)
{
    const struct places *places = &framing->places;
    uint32_t rows = framing->partition->rows;
    (void)error;
    for (uint32_t r = 0; r < rows; r++)
        call->result[r] = value_float((double)places->group_start[places->group[r] + 1] / (double)rows);
    return SQLSTATE_OK;
}

static enum sqlstate ntile(struct framing *framing, const struct partition_call *call, struct error *error)
{
    uint32_t rows = framing->partition->rows;
    if (rows == 0)
        return SQLSTATE_OK;
    const struct value *buckets = &call->argument[0][0];
    if (!buckets->null && buckets->i <= 0)
        return error_set(error, STATE_22014, "argument of ntile must be greater than zero");
    for (uint32_t r = 0; r < rows; r++) {
        if (buckets->null) {
            call->result[r] = value_null();
            continue;
        }
        /* The first `rest` buckets have one row more. */
        int64_t each = rows / buckets->i, rest = rows % buckets->i, large = rest * (each + 1);
        int64_t bucket = r < large ? r / (each + 1) : rest + (r - large) / (each ? each : 1);
        call->result[r] = value_integer(bucket + 1);
    }
    return SQLSTATE_OK;
}

static enum sqlstate shifted(struct framing *framing, const struct partition_call *call, int direction)
{
    uint32_t rows = framing->partition->rows;
    for (uint32_t r = 0; r < rows; r++) {
        int64_t by = 1;
        if (call->argument[1]) {
            if (call->argument[1][r].null) {
                call->result[r] = value_null();
                continue;
            }
            by = call->argument[1][r].i;
        }
        int64_t at = (int64_t)r + direction * by;
        if (at >= 0 && at < rows)
            call->result[r] = call->argument[0][at];
        else
            call->result[r] = call->argument[2] ? call->argument[2][r] : value_null();
    }
    return SQLSTATE_OK;
}

static enum sqlstate lag(struct framing *framing, const struct partition_call *call, struct error *error)
{
    (void)error;
    return shifted(framing, call, -1);
}

static enum sqlstate lead(struct framing *framing, const struct partition_call *call, struct error *error)
{
    (void)error;
    return shifted(framing, call, 1);
}

/* ---- functions of the frame ---- */

/* The n-th row of the frame from its start (n > 0) or its end (n < 0); false when it has not so many. */
static bool frame_row(const struct framing *framing, uint32_t row, int64_t n, uint32_t *found)
{
    const struct frame *frame = &framing->frame;
    if (frame->from >= frame->to)
        return false;
    if (framing->partition->window->exclusion == EXCLUDE_NONE) {
        int64_t at = n > 0 ? frame->from + n - 1 : frame->to + n;
        *found = (uint32_t)at;
        return at >= frame->from && at < frame->to;
    }
    for (uint32_t i = 0; i < frame->to - frame->from; i++) {
        uint32_t at = n > 0 ? frame->from + i : frame->to - 1 - i;
        if (excluded(framing, at, row))
            continue;
        n -= n > 0 ? 1 : -1;
        if (n == 0) {
            *found = at;
            return true;
        }
    }
    return false;
}

static enum sqlstate frame_value(struct framing *framing, const struct partition_call *call, int64_t n,
                                 bool given, struct error *error)
{
    for (uint32_t r = 0; r < framing->partition->rows; r++) {
        enum sqlstate failed = frame_of(framing, r, error);
        if (failed)
            return failed;
        uint32_t at;
        if (given) {
            const struct value *number = &call->argument[1][r];
            if (number->null) {
                call->result[r] = value_null();
                continue;
            }
            if (number->i <= 0)
                return error_set(error, STATE_22016, "argument of nth_value must be greater than zero");
            n = number->i;
        }
        call->result[r] = frame_row(framing, r, n, &at) ? call->argument[0][at] : value_null();
    }
    return SQLSTATE_OK;
}

static enum sqlstate first_value(struct framing *framing, const struct partition_call *call,
                                 struct error *error)
{
    return frame_value(framing, call, 1, false, error);
}

static enum sqlstate last_value(struct framing *framing, const struct partition_call *call,
                                struct error *error)
{
    return frame_value(framing, call, -1, false, error);
}

static enum sqlstate nth_value(struct framing *framing, const struct partition_call *call,
                               struct error *error)
{
    return frame_value(framing, call, 1, true, error);
}

/* ---- aggregates ---- */

struct running {
    struct call call;
    const struct aggregate *aggregate;
    void *state;
    uint32_t arguments;
    uint32_t since_breath; /* rows stepped through */
};

#define BREATHE_EVERY 4096

static enum sqlstate breathe(struct running *running, const struct partition *partition)
{
    if (++running->since_breath < BREATHE_EVERY)
        return SQLSTATE_OK;
    running->since_breath = 0;
    return partition->breathe(partition->argument, running->call.error);
}

static enum sqlstate step_row(struct running *running, const struct partition_call *call, uint32_t row)
{
    struct value arguments[4];
    if (call->filter && (call->filter[row].null || !call->filter[row].i))
        return SQLSTATE_OK;
    for (uint32_t a = 0; a < running->arguments; a++) {
        arguments[a] = call->argument[a][row];
        if (arguments[a].null && !running->aggregate->takes_null)
            return SQLSTATE_OK;
    }
    return running->aggregate->step(&running->call, running->state, arguments);
}

static enum sqlstate step_frame(struct running *running, struct framing *framing,
                                const struct partition_call *call, uint32_t row, uint32_t from, uint32_t to)
{
    bool whole = framing->partition->window->exclusion == EXCLUDE_NONE;
    for (uint32_t at = from; at < to; at++) {
        if (!whole && excluded(framing, at, row))
            continue;
        enum sqlstate failed = step_row(running, call, at);
        if (!failed)
            failed = breathe(running, framing->partition);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate aggregate_over(struct framing *framing, const struct partition_call *call,
                                    struct error *error)
{
    const struct partition *partition = framing->partition;
    const struct expression *expression = call->call;
    const struct type *types[4] = {0};
    struct running running = {.aggregate = expression->aggregate, .arguments = expression->arguments};
    if (!running.aggregate || expression->arguments > 4)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "window function %s is not supported yet",
                         expression->procedure ? expression->procedure->name : "");
    for (uint32_t a = 0; a < expression->arguments; a++)
        types[a] = expression->argument[a]->type;
    running.call = (struct call){.environment = partition->environment,
                                 .scope = partition->scope,
                                 .scope_lasting = partition->scope,
                                 .error = error,
                                 .result = expression->type,
                                 .types = types,
                                 .arguments = expression->arguments,
                                 .modifier = expression->modifier,
                                 .collation = expression->collation};
    running.state = scope_alloc_zeroed(partition->scope, running.aggregate->state_bytes + 1);
    bool whole = partition->window->exclusion == EXCLUDE_NONE;
    struct frame done = {0};
    for (uint32_t r = 0; r < partition->rows; r++) {
        enum sqlstate failed = frame_of(framing, r, error);
        if (!failed)
            failed = breathe(&running, partition);
        if (failed)
            return failed;
        struct frame frame = framing->frame;
        if (frame.to < frame.from)
            frame.to = frame.from;
        if (whole && r > 0 && frame.from == done.from && frame.to == done.to) {
            call->result[r] = call->result[r - 1];
            continue;
        }
        bool grows = whole && r > 0 && frame.from == done.from && frame.to >= done.to;
        if (!grows)
            memset(running.state, 0, running.aggregate->state_bytes);
        failed = step_frame(&running, framing, call, r, grows ? done.to : frame.from, frame.to);
        if (!failed)
            failed = running.aggregate->finish(&running.call, running.state, &call->result[r]);
        /* What the result points to may be the state's own. */
        if (!failed && !call->result[r].null)
            failed =
                value_copy(partition->scope, expression->type, &call->result[r], &call->result[r], error);
        if (failed)
            return failed;
        done = frame;
    }
    return SQLSTATE_OK;
}

/* ---- the door ---- */

static const struct {
    const char *source; /* pg_proc.prosrc */
    enum sqlstate (*compute)(struct framing *framing, const struct partition_call *call, struct error *error);
} functions[] = {
    {"window_row_number", row_number},
    {"window_rank", rank},
    {"window_dense_rank", dense_rank},
    {"window_percent_rank", percent_rank},
    {"window_cume_dist", cume_dist},
    {"window_ntile", ntile},
    {"window_lag", lag},
    {"window_lag_with_offset", lag},
    {"window_lag_with_offset_and_default", lag},
    {"window_lead", lead},
    {"window_lead_with_offset", lead},
    {"window_lead_with_offset_and_default", lead},
    {"window_first_value", first_value},
    {"window_last_value", last_value},
    {"window_nth_value", nth_value},
};

enum sqlstate partition_compute(const struct partition *partition, const struct partition_call *call,
                                struct error *error)
{
    struct framing framing;
    enum sqlstate failed = framing_open(&framing, partition, error);
    if (failed)
        return failed;
    const char *source = call->call->procedure->source;
    for (size_t i = 0; source && i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(functions[i].source, source) == 0)
            return functions[i].compute(&framing, call, error);
    return aggregate_over(&framing, call, error);
}
