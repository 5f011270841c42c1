/* What a function gives is copied at once: its own memory may be one row's. */
#include "sqlfront/run/set_call.h"

#include "sqlfront/value/array/array.h"

static bool composite(const struct type *type)
{
    return type->oid == TYPE_RECORD || type->type_type == 'c';
}

enum sqlstate set_call_make(struct operation *step, const struct expression *expression, uint32_t columns,
                            bool in_from, struct set_call *call, struct error *error)
{
    const struct type *type = expression->type;
    const struct procedure *procedure = expression->procedure;
    *call = (struct set_call){.expression = expression, .columns = columns};
    call->expands = in_from && composite(type) && type->fields;
    uint32_t fields = composite(type) && type->fields ? type->field_count : 1;
    call->types = scope_alloc_zeroed(step->scope, (fields + 1) * sizeof call->types[0]);
    call->row = scope_alloc_zeroed(step->scope, (fields + 1) * sizeof call->row[0]);
    call->types[0] = type;
    for (uint32_t i = 0; i < fields && composite(type) && type->fields; i++) {
        struct environment *environment = operation_environment(step);
        call->types[i] = environment->type_find(environment, type->fields[i].type);
        if (!call->types[i])
            return error_set(error, SQLSTATE_INTERNAL_ERROR, "cache lookup failed for type %u",
                             type->fields[i].type);
    }
    if (expression->kind != EXPRESSION_SET_CALL)
        return operation_program(step, expression, &call->whole, error);
    call->function = procedure->set_function;
    if (!call->function)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "function %s is not supported yet",
                         procedure->name);
    call->gives_columns = composite(type) && (procedure->outputs > 1 || procedure->result == TYPE_RECORD);
    call->arguments = expression->arguments;
    call->argument_types =
        scope_alloc_zeroed(step->scope, (call->arguments + 1) * sizeof call->argument_types[0]);
    for (uint32_t i = 0; i < call->arguments; i++)
        call->argument_types[i] = expression->argument[i]->type;
    call->call = (struct call){.environment = operation_environment(step),
                               .result = type,
                               .types = call->argument_types,
                               .arguments = call->arguments,
                               .modifier = expression->modifier,
                               .collation = expression->collation};
    return operation_programs(step, expression->argument, call->arguments, &call->argument, error);
}

static enum sqlstate value_of(struct operation *step, struct program *program, const struct batch *input,
                              uint32_t row, struct scope *scope, struct value *value, struct error *error)
{
    if (!input || input->columns == 0)
        return program_run_row(program, NULL, 0, scope, value, error);
    struct value *columns = scope_alloc(step->scratch, (input->columns + 1) * sizeof columns[0]);
    for (uint32_t c = 0; c < input->columns; c++)
        columns[c] = input->column[c][row];
    return program_run_row(program, columns, input->columns, scope, value, error);
}

enum sqlstate set_call_open(struct operation *step, struct set_call *call, const struct batch *input,
                            uint32_t row, struct error *error)
{
    if (call->lasting)
        scope_close(call->lasting);
    call->lasting = scope_open(step->memory, "set of rows");
    call->open = true;
    if (!call->function) {
        call->once = true;
        return value_of(step, call->whole, input, row, call->lasting, &call->row[0], error);
    }
    struct value *arguments = scope_alloc(call->lasting, (call->arguments + 1) * sizeof arguments[0]);
    bool null = false;
    for (uint32_t i = 0; i < call->arguments; i++) {
        enum sqlstate failed =
            value_of(step, call->argument[i], input, row, call->lasting, &arguments[i], error);
        if (!failed)
            failed = value_copy(call->lasting, call->argument_types[i], &arguments[i], &arguments[i], error);
        if (failed)
            return failed;
        null |= arguments[i].null;
    }
    call->call.error = error;
    call->call.scope = call->call.scope_lasting = call->lasting;
    call->call.memory = NULL;
    if (null && call->expression->procedure->strict) {
        call->open = false; /* a set of no rows */
        return SQLSTATE_OK;
    }
    return call->function->open(&call->call, arguments);
}

/* The fields of a record as columns. */
static void expand(const struct set_call *call, struct value *results)
{
    struct value record = call->row[0];
    for (uint32_t i = 0; i < call->columns; i++) {
        uint32_t type;
        results[i] =
            record.null || i >= record_count(&record) ? value_null() : record_field(&record, i, &type);
    }
}

enum sqlstate set_call_next(struct operation *step, struct set_call *call, struct value *results, bool *end,
                            struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    *end = !call->open;
    if (*end)
        return SQLSTATE_OK;
    if (call->function) {
        call->call.error = error;
        call->call.scope = step->scratch;
        failed = call->function->next(&call->call, call->row, end);
        if (failed || *end) {
            call->open = false;
            return failed;
        }
    } else {
        *end = !call->once;
        call->once = false;
        if (*end)
            return SQLSTATE_OK;
    }
    const struct type *type = call->expression->type;
    if (call->expands && !call->gives_columns) {
        expand(call, results);
    } else if (!call->expands && call->gives_columns) {
        return record_build(step->scratch, type, call->types, call->row, type->fields ? type->field_count : 1,
                            results, error);
    } else {
        for (uint32_t i = 0; i < call->columns; i++)
            results[i] = call->row[i];
    }
    for (uint32_t i = 0; i < call->columns && !failed; i++)
        failed =
            value_copy(step->scratch, call->expands ? call->types[i] : type, &results[i], &results[i], error);
    return failed;
}

enum sqlstate set_call_next_rows(struct operation *step, struct set_call *call, struct value *const *results,
                                 uint32_t most, uint32_t *count, struct error *error)
{
    call->call.error = error;
    call->call.scope = step->scratch;
    return call->function->next_rows(&call->call, results, most, count);
}
