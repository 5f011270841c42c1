/* What violates a constraint, worded as PostgreSQL words it. */
#include "base/text.h"
#include "sqlfront/run/write.h"

/* Longest value shown in "Failing row contains". */
#define SHOWN_BYTES_MAX 64

static void append_value(struct execution *execution, struct scope *scope, struct text *text,
                         const struct type *type, const struct value *value, size_t most)
{
    struct bytes shown;
    struct error unused;
    if (value->null) {
        text_append(text, "null");
        return;
    }
    if (type->ops->out(execution->environment, scope, type, value, &shown, &unused))
        return;
    size_t size = shown.size;
    if (size > most) {
        size = most;
        while (size && (shown.data[size] & 0xc0) == 0x80)
            size--;
    }
    text_bytes(text, bytes_of(shown.data, size));
    if (size < shown.size)
        text_append(text, "...");
}

static const char *ended(struct text *text)
{
    const char *whole;
    struct error unused;
    return text_end(text, &whole, &unused) ? "" : whole;
}

static const char *failing_row(struct row_writer *writer, const struct change *change, uint32_t row)
{
    const struct relation *relation = writer->relation;
    struct text text = text_in(change->scope);
    bool first = true;
    text_append(&text, "(");
    for (uint32_t c = 0; c < relation->columns; c++) {
        if (relation->column[c].dropped)
            continue;
        if (!first)
            text_append(&text, ", ");
        first = false;
        append_value(writer->execution, change->scope, &text, relation->types[c], &change->new[c][row],
                     SHOWN_BYTES_MAX);
    }
    text_append(&text, ")");
    return ended(&text);
}

const char *violation_key(struct execution *execution, struct scope *scope, const struct relation *relation,
                          const int16_t *columns, uint32_t count, const struct value *values)
{
    struct text text = text_in(scope);
    for (uint32_t i = 0; i < count; i++)
        text_format(&text, "%s%s", i ? ", " : "(", relation->column[columns[i] - 1].name);
    text_append(&text, ")=(");
    for (uint32_t i = 0; i < count; i++) {
        text_append(&text, i ? ", " : "");
        append_value(execution, scope, &text, relation->types[columns[i] - 1], &values[i], SIZE_MAX);
    }
    text_append(&text, ")");
    return ended(&text);
}

static void add_names(struct error *error, const struct relation *relation, const char *column,
                      const char *constraint)
{
    error_add(error, ERROR_SCHEMA, "%s", relation->schema_name);
    error_add(error, ERROR_TABLE, "%s", relation->name);
    if (column)
        error_add(error, ERROR_COLUMN, "%s", column);
    if (constraint)
        error_add(error, ERROR_CONSTRAINT, "%s", constraint);
}

enum sqlstate raise_not_null(struct row_writer *writer, const struct change *change, uint32_t row,
                             uint32_t column, struct error *error)
{
    const struct relation *relation = writer->relation;
    const char *name = relation->column[column].name;
    enum sqlstate failed = error_set(
        error, SQLSTATE_NOT_NULL_VIOLATION,
        "null value in column \"%s\" of relation \"%s\" violates not-null constraint", name, relation->name);
    error_add(error, ERROR_DETAIL, "Failing row contains %s.", failing_row(writer, change, row));
    add_names(error, relation, name, NULL);
    return failed;
}

enum sqlstate raise_check(struct row_writer *writer, const struct change *change, uint32_t row,
                          const struct constraint *constraint, struct error *error)
{
    const struct relation *relation = writer->relation;
    enum sqlstate failed = error_set(error, SQLSTATE_CHECK_VIOLATION,
                                     "new row for relation \"%s\" violates check constraint \"%s\"",
                                     relation->name, constraint->name);
    error_add(error, ERROR_DETAIL, "Failing row contains %s.", failing_row(writer, change, row));
    add_names(error, relation, NULL, constraint->name);
    return failed;
}

static void append_index_columns(struct text *text, const struct relation *relation,
                                 const struct index *index)
{
    uint32_t expressions = 0;
    for (uint32_t i = 0; i < index->key_columns; i++) {
        text_append(text, i ? ", " : "(");
        if (index->column[i])
            text_append(text, relation->column[index->column[i] - 1].name);
        else
            text_append(text, index->expression_text[expressions++]);
    }
    text_append(text, ")=(");
}

enum sqlstate raise_duplicate(struct row_writer *writer, const struct index *index,
                              struct value *const *columns, uint32_t row, struct error *error)
{
    const struct relation *relation = writer->relation;
    struct scope *scope = scope_open(writer->execution->scope, "violation");
    struct text text = text_in(scope);
    struct index_writer *with = NULL;
    uint32_t expressions = 0;
    for (uint32_t i = 0; i < writer->indexes; i++)
        if (writer->index[i].index == index)
            with = &writer->index[i];
    append_index_columns(&text, relation, index);
    struct value *bound = scope_alloc(scope, (relation->columns + 1) * sizeof bound[0]);
    bound[0] = value_null();
    for (uint32_t c = 0; c < relation->columns; c++)
        bound[c + 1] = columns[c][row];
    for (uint32_t i = 0; i < index->key_columns; i++) {
        struct value value = value_null();
        const struct type *type = index->key_part[i].type;
        struct error unused;
        if (index->column[i])
            value = columns[index->column[i] - 1][row];
        else if (!with || program_run_row(with->expression[expressions++], bound, relation->columns + 1,
                                          scope, &value, &unused))
            value = value_null();
        text_append(&text, i ? ", " : "");
        append_value(writer->execution, scope, &text, type, &value, SIZE_MAX);
    }
    text_append(&text, ")");
    enum sqlstate failed = error_set(error, SQLSTATE_UNIQUE_VIOLATION,
                                     "duplicate key value violates unique constraint \"%s\"", index->name);
    error_add(error, ERROR_DETAIL, "Key %s already exists.", ended(&text));
    add_names(error, relation, NULL, index->name);
    scope_close(scope);
    return failed;
}
