/* Programs: compiling expressions, running them over batches; values that need no computing.
 *
 * A program is a tree of nodes, each with room for its values over a batch. What does not depend on the row is
 * computed when it is first needed and then kept. */
#include "sqlfront/evaluate/inside.h"

static enum sqlstate raise_unexpected(const struct expression *expression, struct error *error)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "expressions of kind %u cannot be evaluated here",
                     expression->kind);
}

enum sqlstate type_find(struct program *program, uint32_t oid, const struct type **type, struct error *error)
{
    struct environment *environment = program->evaluation->environment;
    *type = environment->type_find(environment, oid);
    if (*type == NULL)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cache lookup failed for type %u", oid);
    return SQLSTATE_OK;
}

/* ---- compiling ---- */

static enum sqlstate make_arguments(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    node->arguments = expression->arguments;
    node->argument = scope_alloc_zeroed(program->scope, (expression->arguments + 1) * sizeof(struct node *));
    for (uint32_t i = 0; i < expression->arguments; i++) {
        if (expression->argument[i] == NULL)
            continue; /* a slice's bound that is not given */
        enum sqlstate failed = step_make(program, expression->argument[i], &node->argument[i], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate make_parameter(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    const struct evaluation *evaluation = program->evaluation;
    if (expression->parameter_source == PARAMETER_OUTER) {
        node->form = NODE_OUTER;
        return SQLSTATE_OK;
    }
    if (expression->parameter_source != PARAMETER_STATEMENT)
        return raise_unexpected(expression, error);
    if (expression->number < 1 || (uint32_t)expression->number > evaluation->parameter_count)
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "no value found for parameter %d",
                         expression->number);
    node->form = NODE_CONSTANT;
    node->known = true;
    node->value = evaluation->parameters[expression->number - 1];
    return SQLSTATE_OK;
}

/* A record or an array of constants is one, too; so is a stable function of such, which is the same all through a
 * statement. */
static bool is_constant(const struct node *node)
{
    const struct expression *expression = node->expression;
    switch (expression->kind) {
    case EXPRESSION_CALL:
    case EXPRESSION_ANY:
    case EXPRESSION_ALL:
    case EXPRESSION_DISTINCT:
    case EXPRESSION_NULLIF:
    case EXPRESSION_IN_LIST:
        if (expression->procedure && expression->procedure->volatility == 'v')
            return false;
        break;
    case EXPRESSION_CASE:
    case EXPRESSION_CAST_ARRAY:
        return false; /* what hangs there besides arguments is not looked at */
    default:
        break;
    }
    for (uint32_t i = 0; i < node->arguments; i++)
        if (node->argument[i] && node->argument[i]->form != NODE_CONSTANT)
            return false;
    return true;
}

static enum sqlstate make_computed(struct program *program, struct node *node, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    uint8_t kind = node->expression->kind;
    if (kind == EXPRESSION_CASE)
        return node_make_case(program, node, error);
    if (kind == EXPRESSION_CAST_ARRAY)
        return node_make_array_cast(program, node, error);
    if ((failed = make_arguments(program, node, error)))
        return failed;
    switch (kind) {
    case EXPRESSION_CALL:
        failed = node_make_call(program, node, error);
        break;
    case EXPRESSION_DISTINCT:
    case EXPRESSION_NULLIF:
    case EXPRESSION_GREATEST:
    case EXPRESSION_LEAST:
    case EXPRESSION_ROW_COMPARE:
        failed = node_make_compare(program, node, error);
        break;
    case EXPRESSION_AND:
    case EXPRESSION_OR:
    case EXPRESSION_NOT:
    case EXPRESSION_TEST:
    case EXPRESSION_COALESCE:
        failed = node_make_logic(program, node, error);
        break;
    case EXPRESSION_ANY:
    case EXPRESSION_ALL:
    case EXPRESSION_IN_LIST:
        failed = node_make_list(program, node, error);
        break;
    case EXPRESSION_ARRAY:
    case EXPRESSION_ROW:
    case EXPRESSION_FIELD:
    case EXPRESSION_SUBSCRIPT:
    case EXPRESSION_ASSIGN_SUBSCRIPT:
    case EXPRESSION_CAST_TEXT:
    case EXPRESSION_TIME:
        failed = node_make_build(program, node, error);
        break;
    default:
        return raise_unexpected(node->expression, error);
    }
    if (!failed && is_constant(node))
        node->form = NODE_CONSTANT;
    return failed;
}

enum sqlstate step_make(struct program *program, const struct expression *expression, struct node **made,
                        struct error *error)
{
    struct world *world = program->evaluation->environment->world;
    enum sqlstate failed = world ? fiber_check_stack(world->scheduler, error) : SQLSTATE_OK;
    if (failed)
        return failed;
    struct node *node = scope_alloc_zeroed(program->scope, sizeof *node);
    node->expression = expression;
    *made = node;
    switch (expression->kind) {
    case EXPRESSION_CONSTANT:
        node->form = NODE_CONSTANT;
        node->known = true;
        node->value = expression->constant;
        return SQLSTATE_OK;
    case EXPRESSION_COLUMN:
        if (expression->number < 0)
            return raise_unexpected(expression, error);
        node->form = NODE_COLUMN;
        return SQLSTATE_OK;
    case EXPRESSION_PARAMETER:
        return make_parameter(program, node, error);
    case EXPRESSION_CASE_VALUE:
        check(program->subject != NULL);
        node->form = NODE_SUBJECT;
        node->subject = program->subject;
        return SQLSTATE_OK;
    case EXPRESSION_RELABEL:
    case EXPRESSION_DOMAIN_VALUE:
        return step_make(program, expression->argument[0], made, error);
    default:
        return make_computed(program, node, error);
    }
}

enum sqlstate program_make(struct scope *scope, struct evaluation *evaluation,
                           const struct expression *expression, struct program **program, struct error *error)
{
    *program = scope_alloc_zeroed(scope, sizeof **program);
    (*program)->scope = scope;
    (*program)->evaluation = evaluation;
    return step_make(*program, expression, &(*program)->root, error);
}

/* ---- running ---- */

/* Rooms are as large as batches are, once those are larger than a handful of rows. */
static void want_room(struct node *node, struct frame *frame)
{
    if (node->room_rows >= frame->rows)
        return;
    node->room_rows = frame->rows <= 1 ? 1 : frame->rows <= 32 ? 32 : BATCH_ROWS;
    check(frame->rows <= BATCH_ROWS);
    node->room = scope_alloc(frame->program->scope, node->room_rows * sizeof node->room[0]);
    node->filled = 0;
}

uint16_t *node_selection(struct node *node, struct frame *frame, int which)
{
    if (node->selection[which] == NULL)
        node->selection[which] = scope_alloc(frame->program->scope, BATCH_ROWS * sizeof(uint16_t));
    return node->selection[which];
}

/* The value is computed with lasting memory, for it is kept. */
static enum sqlstate compute_constant(struct node *node, struct frame *frame)
{
    if (node->known)
        return SQLSTATE_OK;
    struct frame lasting = frame_apart(frame, 1);
    lasting.scratch = frame->program->scope;
    enum sqlstate failed = node->run(node, &lasting, (struct rows){.count = 1}, &node->value);
    node->known = !failed;
    return failed;
}

static enum sqlstate constant_values(struct node *node, struct frame *frame, const struct value **values)
{
    enum sqlstate failed = compute_constant(node, frame);
    if (failed)
        return failed;
    want_room(node, frame);
    for (; node->filled < frame->rows; node->filled++)
        node->room[node->filled] = node->value;
    *values = node->room;
    return SQLSTATE_OK;
}

enum sqlstate node_values(struct node *node, struct frame *frame, struct rows rows,
                          const struct value **values)
{
    const struct evaluation *evaluation = frame->program->evaluation;
    struct world *world = evaluation->environment->world;
    enum sqlstate failed;
    switch (node->form) {
    case NODE_COLUMN:
        check((uint32_t)node->expression->number < frame->batch->columns, "slot %d of %u",
              node->expression->number, frame->batch->columns);
        *values = frame->batch->column[node->expression->number];
        return SQLSTATE_OK;
    case NODE_SUBJECT:
        *values = node->subject->values;
        return SQLSTATE_OK;
    case NODE_CONSTANT:
        return constant_values(node, frame, values);
    case NODE_OUTER:
        want_room(node, frame);
        rows_each(rows, row) node->room[row] = evaluation->outer[node->expression->number];
        *values = node->room;
        return SQLSTATE_OK;
    default:
        if (world && (failed = fiber_check_stack(world->scheduler, frame->error)))
            return failed;
        want_room(node, frame);
        *values = node->room;
        return node->run(node, frame, rows, node->room);
    }
}

static struct frame frame_of(struct program *program, const struct batch *batch, struct scope *scratch,
                             struct error *error)
{
    uint32_t rows = batch->count ? batch_row(batch, batch->count - 1) + 1 : 0;
    return (struct frame){
        .program = program, .batch = batch, .scratch = scratch, .rows = rows, .error = error};
}

enum sqlstate program_run(struct program *program, const struct batch *batch, struct scope *scratch,
                          struct value *result, struct error *error)
{
    struct frame frame = frame_of(program, batch, scratch, error);
    struct rows rows = {.selection = batch->selection, .count = batch->count};
    const struct value *values;
    if (rows.count == 0)
        return SQLSTATE_OK;
    if (program->root->form == NODE_RUN)
        return program->root->run(program->root, &frame, rows, result);
    enum sqlstate failed = node_values(program->root, &frame, rows, &values);
    if (failed)
        return failed;
    rows_each(rows, row) result[row] = values[row];
    return SQLSTATE_OK;
}

enum sqlstate program_view(struct program *program, const struct batch *batch, struct scope *scratch,
                           const struct value **values, struct error *error)
{
    struct frame frame = frame_of(program, batch, scratch, error);
    return node_values(program->root, &frame,
                       (struct rows){.selection = batch->selection, .count = batch->count}, values);
}

/* Keeps those of the rows for which the node is true; `selection` may be what rows->selection points to. */
static enum sqlstate keep_true(struct node *node, struct frame *frame, struct rows *rows, uint16_t *selection)
{
    const struct value *values;
    enum sqlstate failed = node_values(node, frame, *rows, &values);
    if (failed)
        return failed;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < rows->count; at++) {
        uint32_t row = rows_at(*rows, at);
        selection[kept] = (uint16_t)row;
        kept += !values[row].null && values[row].i;
    }
    *rows = (struct rows){.selection = selection, .count = kept};
    return SQLSTATE_OK;
}

enum sqlstate program_select(struct program *program, const struct batch *batch, struct scope *scratch,
                             uint16_t *selection, uint32_t *count, struct error *error)
{
    struct frame frame = frame_of(program, batch, scratch, error);
    struct rows rows = {.selection = batch->selection, .count = batch->count};
    struct node *root = program->root;
    bool all = root->expression->kind == EXPRESSION_AND && root->form == NODE_RUN;
    enum sqlstate failed = SQLSTATE_OK;
    if (!all)
        failed = rows.count ? keep_true(root, &frame, &rows, selection) : SQLSTATE_OK;
    for (uint32_t i = 0; all && !failed && i < root->arguments && rows.count; i++)
        failed = keep_true(root->argument[i], &frame, &rows, selection);
    *count = rows.count;
    return failed;
}

enum sqlstate program_run_row(struct program *program, const struct value *columns, uint32_t count,
                              struct scope *scratch, struct value *result, struct error *error)
{
    const struct value *few[16], **column = few;
    if (count > 16)
        column = scope_alloc(scratch, count * sizeof column[0]);
    for (uint32_t i = 0; i < count; i++)
        column[i] = &columns[i];
    struct batch batch = {.columns = count, .count = 1, .column = column};
    return program_run(program, &batch, scratch, result, error);
}

enum sqlstate evaluate_constant(struct scope *scope, struct evaluation *evaluation,
                                const struct expression *expression, struct value *result,
                                struct error *error)
{
    struct program *program;
    enum sqlstate failed = program_make(scope, evaluation, expression, &program, error);
    if (failed)
        return failed;
    return program_run_row(program, NULL, 0, scope, result, error);
}
