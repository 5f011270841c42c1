/* Arrays and records, made and taken apart; casts through text and of arrays; the time functions without parentheses. */
#include "sqlfront/evaluate/inside.h"
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/json/json.h"

/* Values of all arguments, then row by row their tuple: for what is built from many values. */
struct tuple {
    const struct value **values;
    struct value *value;
};

static struct tuple tuple_make(struct program *program, uint32_t arguments)
{
    return (struct tuple){
        .values = scope_alloc(program->scope, (arguments + 1) * sizeof(const struct value *)),
        .value = scope_alloc(program->scope, (arguments + 1) * sizeof(struct value)),
    };
}

static enum sqlstate tuple_values(struct tuple *tuple, struct node *node, struct frame *frame,
                                  struct rows rows)
{
    for (uint32_t i = 0; i < node->arguments; i++) {
        tuple->values[i] = NULL;
        if (node->argument[i] == NULL)
            continue;
        enum sqlstate failed = node_values(node->argument[i], frame, rows, &tuple->values[i]);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static void tuple_row(struct tuple *tuple, const struct node *node, uint32_t row)
{
    for (uint32_t i = 0; i < node->arguments; i++)
        tuple->value[i] = tuple->values[i] ? tuple->values[i][row] : value_null();
}

/* ---- ARRAY[], ROW() ---- */

struct build {
    struct tuple tuple;
    const struct type *element; /* of an array */
    const struct type **types;  /* of a record's fields */
};

static enum sqlstate run_array(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    struct build *build = node->extra;
    enum sqlstate failed = tuple_values(&build->tuple, node, frame, rows);
    for (uint32_t at = 0; !failed && at < rows.count; at++) {
        uint32_t row = rows_at(rows, at);
        tuple_row(&build->tuple, node, row);
        failed = node->expression->nested
                     ? array_build_nested(frame->scratch, build->element, build->tuple.value, node->arguments,
                                          &result[row], frame->error)
                     : array_build_list(frame->scratch, build->element, build->tuple.value, node->arguments,
                                        &result[row], frame->error);
    }
    return failed;
}

static enum sqlstate run_row(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    struct build *build = node->extra;
    enum sqlstate failed = tuple_values(&build->tuple, node, frame, rows);
    for (uint32_t at = 0; !failed && at < rows.count; at++) {
        uint32_t row = rows_at(rows, at);
        tuple_row(&build->tuple, node, row);
        failed = record_build(frame->scratch, node->expression->type, build->types, build->tuple.value,
                              node->arguments, &result[row], frame->error);
    }
    return failed;
}

static enum sqlstate run_field(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    const struct value *records;
    enum sqlstate failed = node_values(node->argument[0], frame, rows, &records);
    if (failed)
        return failed;
    uint32_t at = (uint32_t)node->expression->number - 1, type;
    rows_each(rows, row) result[row] = records[row].null || at >= record_count(&records[row])
                                           ? value_null()
                                           : record_field(&records[row], at, &type);
    return SQLSTATE_OK;
}

/* A record is null when all its fields are, not null when none is (PostgreSQL manual, 9.2). */
static enum sqlstate run_record_test(struct node *node, struct frame *frame, struct rows rows,
                                     struct value *result)
{
    const struct value *records;
    enum sqlstate failed = node_values(node->argument[0], frame, rows, &records);
    if (failed)
        return failed;
    bool want_null = node->expression->test == TEST_NULL;
    rows_each(rows, row)
    {
        bool truth = want_null || !records[row].null;
        uint32_t fields = records[row].null ? 0 : record_count(&records[row]), type;
        for (uint32_t i = 0; i < fields && truth; i++)
            truth = record_field(&records[row], i, &type).null == want_null;
        result[row] = value_boolean(truth);
    }
    return SQLSTATE_OK;
}

/* ---- a[1], a[1:2], a[1] := x ---- */

static enum sqlstate raise_null_subscript(struct error *error)
{
    return error_set(error, SQLSTATE_NULL_VALUE_NOT_ALLOWED,
                     "array subscript in assignment must not be null");
}

/* Subscripts stand from `from` on. False when one is null. */
static bool read_subscripts(const struct node *node, const struct value *tuple, uint32_t from, uint32_t count,
                            int64_t *subscripts, struct array_bounds *bounds)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!node->expression->slice) {
            if (tuple[from + i].null)
                return false;
            subscripts[i] = tuple[from + i].i;
            continue;
        }
        bool lower = node->argument[from + 2 * i], upper = node->argument[from + 2 * i + 1];
        const struct value *pair = &tuple[from + 2 * i];
        if ((lower && pair[0].null) || (upper && pair[1].null))
            return false;
        bounds[i] = (struct array_bounds){.lower_given = lower,
                                          .upper_given = upper,
                                          .lower = lower ? pair[0].i : 0,
                                          .upper = upper ? pair[1].i : 0};
    }
    return true;
}

static enum sqlstate subscript(struct node *node, struct frame *frame, const struct build *build,
                               struct value *result)
{
    bool slice = node->expression->slice;
    bool assign = node->expression->kind == EXPRESSION_ASSIGN_SUBSCRIPT;
    const struct value *tuple = build->tuple.value, *new = &tuple[node->arguments - 1];
    uint32_t count = (node->arguments - 1 - assign) / (slice ? 2 : 1);
    int64_t subscripts[ARRAY_DIMENSIONS_MAX];
    struct array_bounds bounds[ARRAY_DIMENSIONS_MAX];
    if (count > ARRAY_DIMENSIONS_MAX)
        return error_set(frame->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "number of array dimensions (%u) exceeds the maximum allowed (%d)", count,
                         ARRAY_DIMENSIONS_MAX);
    bool given = read_subscripts(node, tuple, 1, count, subscripts, bounds);
    *result = value_null();
    if (assign && !given)
        return raise_null_subscript(frame->error);
    if (assign && slice)
        return array_assign_slice(frame->scratch, build->element, &tuple[0], bounds, count, new, result,
                                  frame->error);
    if (assign)
        return array_assign(frame->scratch, build->element, &tuple[0], subscripts, count, new, result,
                            frame->error);
    if (!given || tuple[0].null)
        return SQLSTATE_OK;
    if (slice)
        return array_slice(frame->scratch, build->element, &tuple[0], bounds, count, result, frame->error);
    *result = array_element(&tuple[0], subscripts, count);
    return SQLSTATE_OK;
}

/* j['a'][1] := x: the subscripts are texts. (Reading one is a call.) */
static enum sqlstate subscript_jsonb(struct node *node, struct frame *frame, const struct build *build,
                                     struct value *result)
{
    const struct value *tuple = build->tuple.value, *new = &tuple[node->arguments - 1];
    for (uint32_t i = 1; i + 1 < node->arguments; i++)
        if (tuple[i].null)
            return error_set(frame->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED,
                             "jsonb subscript in assignment must not be null");
    return jsonb_subscript_set(frame->program->evaluation->environment, frame->scratch, &tuple[0], &tuple[1],
                               node->arguments - 2, new, result, frame->error);
}

static enum sqlstate run_subscript(struct node *node, struct frame *frame, struct rows rows,
                                   struct value *result)
{
    struct build *build = node->extra;
    bool jsonb = node->expression->argument[0]->type->oid == TYPE_JSONB;
    enum sqlstate failed = tuple_values(&build->tuple, node, frame, rows);
    for (uint32_t at = 0; !failed && at < rows.count; at++) {
        uint32_t row = rows_at(rows, at);
        tuple_row(&build->tuple, node, row);
        failed = jsonb ? subscript_jsonb(node, frame, build, &result[row])
                       : subscript(node, frame, build, &result[row]);
    }
    return failed;
}

/* ---- casts ---- */

static enum sqlstate run_text_cast(struct node *node, struct frame *frame, struct rows rows,
                                   struct value *result)
{
    const struct expression *expression = node->expression;
    const struct type *from = expression->argument[0]->type, *to = expression->type;
    struct environment *environment = frame->program->evaluation->environment;
    const struct value *values;
    enum sqlstate failed = node_values(node->argument[0], frame, rows, &values);
    for (uint32_t at = 0; !failed && at < rows.count; at++) {
        uint32_t row = rows_at(rows, at);
        struct bytes text;
        result[row] = value_null();
        if (values[row].null)
            continue;
        failed = from->ops->out(environment, frame->scratch, from, &values[row], &text, frame->error);
        if (!failed)
            failed = to->ops->in(environment, frame->scratch, to, expression->modifier, text, &result[row],
                                 frame->error);
    }
    return failed;
}

struct array_cast {
    struct subject subject;
    struct node *cast;
    const struct type *element;
};

/* Elements go through the cast in batches of their own. */
static enum sqlstate cast_array(struct node *node, struct frame *frame, const struct value *array,
                                struct value *result)
{
    struct array_cast *extra = node->extra;
    struct array view;
    void *memory;
    array_read(array, &view);
    enum sqlstate failed = scope_alloc_large(frame->scratch, (view.count + BATCH_ROWS) * sizeof(struct value),
                                             16, &memory, frame->error);
    if (failed)
        return failed;
    struct value *elements = memory, *few = elements + view.count;
    for (uint32_t from = 0; from < view.count; from += BATCH_ROWS) {
        uint32_t count = view.count - from < BATCH_ROWS ? view.count - from : BATCH_ROWS;
        for (uint32_t i = 0; i < count; i++)
            few[i] = array_get(&view, from + i);
        struct frame apart = frame_apart(frame, count);
        const struct value *cast;
        extra->subject.values = few;
        if ((failed = node_values(extra->cast, &apart, (struct rows){.count = count}, &cast)))
            return failed;
        memmove(elements + from, cast, count * sizeof cast[0]);
    }
    return array_build(frame->scratch, extra->element, view.dimensions, view.length, view.lower, elements,
                       result, frame->error);
}

static enum sqlstate run_array_cast(struct node *node, struct frame *frame, struct rows rows,
                                    struct value *result)
{
    const struct value *values;
    enum sqlstate failed = node_values(node->argument[0], frame, rows, &values);
    for (uint32_t at = 0; !failed && at < rows.count; at++) {
        uint32_t row = rows_at(rows, at);
        result[row] = value_null();
        if (!values[row].null)
            failed = cast_array(node, frame, &values[row], &result[row]);
    }
    return failed;
}

enum sqlstate node_make_array_cast(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    struct array_cast *extra = scope_alloc_zeroed(program->scope, sizeof *extra);
    node->extra = extra;
    node->run = run_array_cast;
    node->arguments = 1;
    node->argument = scope_alloc(program->scope, sizeof node->argument[0]);
    enum sqlstate failed = step_make(program, expression->argument[0], &node->argument[0], error);
    if (!failed)
        failed = type_find(program, expression->type->element, &extra->element, error);
    if (failed)
        return failed;
    extra->subject.above = program->subject;
    program->subject = &extra->subject;
    failed = step_make(program, expression->element, &extra->cast, error);
    program->subject = extra->subject.above;
    return failed;
}

/* ---- CURRENT_TIMESTAMP and friends ---- */

/* The time of the transaction, converted by the functions that casts have, then rounded. */
struct time_extra {
    struct invocation *convert, *scale; /* NULL = not needed */
};

static enum sqlstate run_time(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    const struct time_extra *extra = node->extra;
    struct value time = value_integer(frame->program->evaluation->environment->transaction_time), converted;
    enum sqlstate failed = SQLSTATE_OK;
    converted = time;
    if (extra->convert)
        failed = invocation_run(extra->convert, frame, &time, &converted);
    if (!failed && extra->scale) {
        struct value arguments[] = {converted, value_integer(node->expression->modifier)};
        failed = invocation_run(extra->scale, frame, arguments, &converted);
    }
    rows_each(rows, row) result[row] = converted;
    return failed;
}

static enum sqlstate make_step(struct program *program, const char *name, const struct type *result,
                               const struct type *argument, uint32_t arguments, struct invocation **made,
                               struct error *error)
{
    const struct type **types = scope_alloc(program->scope, 2 * sizeof types[0]);
    struct procedure *procedure = scope_alloc_zeroed(program->scope, sizeof *procedure);
    types[0] = argument;
    procedure->name = name;
    procedure->strict = true;
    procedure->function = function_find(name);
    enum sqlstate failed = type_find(program, TYPE_INT4, &types[1], error);
    return failed ? failed : invocation_make(program, procedure, result, types, arguments, made, error);
}

static enum sqlstate make_time(struct program *program, struct node *node, struct error *error)
{
    static const char *const converts[] = {
        [TIME_CURRENT_DATE] = "timestamptz_date",
        [TIME_CURRENT_TIME] = "timestamptz_timetz",
        [TIME_LOCALTIME] = "timestamptz_time",
        [TIME_LOCALTIMESTAMP] = "timestamptz_timestamp",
    };
    static const char *const scales[] = {
        [TIME_CURRENT_TIME] = "timetz_scale",
        [TIME_CURRENT_TIMESTAMP] = "timestamptz_scale",
        [TIME_LOCALTIME] = "time_scale",
        [TIME_LOCALTIMESTAMP] = "timestamp_scale",
    };
    const struct expression *expression = node->expression;
    enum time_function function = (enum time_function)expression->number;
    struct time_extra *extra = scope_alloc_zeroed(program->scope, sizeof *extra);
    const struct type *stamp;
    enum sqlstate failed = type_find(program, TYPE_TIMESTAMPTZ, &stamp, error);
    if (!failed && function != TIME_CURRENT_TIMESTAMP)
        failed = make_step(program, converts[function], expression->type, stamp, 1, &extra->convert, error);
    if (!failed && expression->modifier >= 0 && function != TIME_CURRENT_DATE)
        failed =
            make_step(program, scales[function], expression->type, expression->type, 2, &extra->scale, error);
    node->extra = extra;
    node->run = run_time;
    return failed;
}

/* ---- compiling ---- */

static enum sqlstate make_build(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    struct build *build = scope_alloc_zeroed(program->scope, sizeof *build);
    build->tuple = tuple_make(program, node->arguments);
    node->extra = build;
    if (expression->kind == EXPRESSION_ROW) {
        build->types = scope_alloc(program->scope, (node->arguments + 1) * sizeof build->types[0]);
        for (uint32_t i = 0; i < node->arguments; i++)
            build->types[i] = expression->argument[i]->type;
        return SQLSTATE_OK;
    }
    const struct type *array =
        expression->kind == EXPRESSION_ARRAY ? expression->type : expression->argument[0]->type;
    if (array->oid == TYPE_JSONB)
        return SQLSTATE_OK;
    return array->element ? type_find(program, array->element, &build->element, error)
                          : error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                      "subscripts of type %s are not supported", array->name);
}

enum sqlstate node_make_build(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    switch (expression->kind) {
    case EXPRESSION_ARRAY:
        node->run = run_array;
        return make_build(program, node, error);
    case EXPRESSION_ROW:
        node->run = run_row;
        return make_build(program, node, error);
    case EXPRESSION_SUBSCRIPT:
    case EXPRESSION_ASSIGN_SUBSCRIPT:
        node->run = run_subscript;
        return make_build(program, node, error);
    case EXPRESSION_FIELD:
        node->run = run_field;
        return SQLSTATE_OK;
    case EXPRESSION_TEST:
        node->run = run_record_test;
        return SQLSTATE_OK;
    case EXPRESSION_TIME:
        return make_time(program, node, error);
    default:
        node->run = run_text_cast;
        if (expression->type->ops == &unsupported_ops ||
            expression->argument[0]->type->ops == &unsupported_ops)
            return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cast from %s to %s is not supported",
                             expression->argument[0]->type->name, expression->type->name);
        return SQLSTATE_OK;
    }
}
