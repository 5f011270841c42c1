/* COPY TO: rows as text, CSV or binary (PostgreSQL manual, SQL command COPY, "File Formats"). */
#include "sqlfront/copy.h"

#include <string.h>

static void put_u16(struct text *text, uint16_t number)
{
    const uint8_t bytes[2] = {(uint8_t)(number >> 8), (uint8_t)number};
    text_bytes(text, bytes_of(bytes, 2));
}

static void put_u32(struct text *text, uint32_t number)
{
    const uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                              (uint8_t)number};
    text_bytes(text, bytes_of(bytes, 4));
}

/* Text: what could be mistaken is written with a backslash. */
static void text_put(struct text *text, const struct copy *copy, struct bytes form)
{
    static const char plain[] = "\b\f\n\r\t\v\\", letter[] = "bfnrtv\\";
    const uint8_t *at = form.data, *end = form.data + form.size, *from = at;
    for (; at < end; at++) {
        if (*at >= ' ' && *at != '\\' && *at != (uint8_t)copy->delimiter)
            continue;
        const char *found = *at ? strchr(plain, *at) : NULL;
        if (!found && *at != (uint8_t)copy->delimiter)
            continue;
        text_bytes(text, bytes_of(from, (size_t)(at - from)));
        char escaped[2] = {'\\', found ? letter[found - plain] : (char)*at};
        text_bytes(text, bytes_of(escaped, 2));
        from = at + 1;
    }
    text_bytes(text, bytes_of(from, (size_t)(end - from)));
}

static void csv_put(struct text *text, const struct copy *copy, struct bytes form, bool force)
{
    bool quoted = force || (form.size == copy->null_size && memcmp(form.data, copy->null, form.size) == 0) ||
                  (copy->columns == 1 && form.size == 2 && memcmp(form.data, "\\.", 2) == 0);
    for (size_t i = 0; i < form.size && !quoted; i++)
        quoted = form.data[i] == (uint8_t)copy->delimiter || form.data[i] == (uint8_t)copy->quote ||
                 form.data[i] == '\n' || form.data[i] == '\r';
    if (!quoted) {
        text_bytes(text, form);
        return;
    }
    text_bytes(text, bytes_of(&copy->quote, 1));
    for (size_t i = 0; i < form.size; i++) {
        if (form.data[i] == (uint8_t)copy->quote || form.data[i] == (uint8_t)copy->escape)
            text_bytes(text, bytes_of(&copy->escape, 1));
        text_bytes(text, bytes_of(form.data + i, 1));
    }
    text_bytes(text, bytes_of(&copy->quote, 1));
}

static enum sqlstate field_put(struct copy *copy, struct scope *scope, struct text *text, uint32_t c,
                               const struct value *value, struct error *error)
{
    const struct copy_column *column = &copy->column[c];
    struct environment *environment = &copy->session->environment;
    struct bytes form;
    if (copy->format != COPY_BINARY && c > 0)
        text_bytes(text, bytes_of(&copy->delimiter, 1));
    if (value->null) {
        if (copy->format == COPY_BINARY)
            put_u32(text, UINT32_MAX);
        else
            text_append(text, copy->null);
        return SQLSTATE_OK;
    }
    const struct type_ops *ops = column->type->ops;
    enum sqlstate failed = (copy->format == COPY_BINARY ? ops->send : ops->out)(
        environment, scope, column->type, value, &form, error);
    if (failed)
        return failed;
    if (copy->format == COPY_BINARY) {
        put_u32(text, (uint32_t)form.size);
        text_bytes(text, form);
    } else if (copy->format == COPY_CSV)
        csv_put(text, copy, form, copy->force_quote_all || column->force_quote);
    else
        text_put(text, copy, form);
    return SQLSTATE_OK;
}

static enum sqlstate text_send(struct copy *copy, struct text *text, struct error *error)
{
    const char *whole;
    struct session_sink *sink = copy->session->options.sink;
    enum sqlstate failed = text_end(text, &whole, error);
    return failed ? failed : sink->ops->copy_out(sink, bytes_of(whole, text->size), error);
}

/* The file's head goes with the first row, as PostgreSQL sends it. */
static void signature_put(struct text *text, const struct copy *copy)
{
    if (copy->format == COPY_BINARY)
        text_bytes(text, bytes_of("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19));
}

static enum sqlstate row_send(struct copy *copy, struct scope *scope, const struct session_rows *rows,
                              uint32_t at, struct error *error)
{
    struct text text = text_in(scope);
    if (copy->rows == 0)
        signature_put(&text, copy);
    if (copy->format == COPY_BINARY)
        put_u16(&text, (uint16_t)copy->columns);
    for (uint32_t c = 0; c < copy->columns; c++) {
        enum sqlstate failed = field_put(copy, scope, &text, c, &rows->columns[c][at], error);
        if (failed)
            return failed;
    }
    if (copy->format != COPY_BINARY)
        text_append(&text, "\n");
    copy->rows++;
    copy->session->progress.figure[0] += (int64_t)text.size;
    copy->session->progress.figure[2]++;
    return text_send(copy, &text, error);
}

/* What stands before the rows. */
static enum sqlstate head_send(struct copy *copy, struct error *error)
{
    struct text text = text_in(copy->scope);
    if (copy->format == COPY_BINARY || copy->header == HEADER_NONE)
        return SQLSTATE_OK;
    for (uint32_t c = 0; c < copy->columns; c++) {
        if (c > 0)
            text_bytes(&text, bytes_of(&copy->delimiter, 1));
        if (copy->format == COPY_CSV)
            csv_put(&text, copy, bytes_of_text(copy->column[c].name), false);
        else
            text_put(&text, copy, bytes_of_text(copy->column[c].name));
    }
    text_append(&text, "\n");
    return text_send(copy, &text, error);
}

enum sqlstate copy_out(struct copy *copy, struct portal *source, struct error *error)
{
    struct session_sink *sink = copy->session->options.sink;
    bool begun = false;
    for (;;) {
        struct session_rows rows;
        enum sqlstate failed = portal_pull(source, 0, &rows, error);
        /* A statement that fails at once does so before the client was told of a COPY. */
        if (!failed && !begun) {
            begun = true;
            failed = sink->ops->copy_out_begin(sink, copy->format == COPY_BINARY, copy->columns, error);
            if (!failed)
                failed = head_send(copy, error);
        }
        if (failed)
            return failed;
        if (rows.rows == 0)
            break;
        struct scope *scope = scope_open(copy->scope, "rows");
        for (uint32_t r = 0; r < rows.rows && !failed; r++)
            failed = row_send(copy, scope, &rows, rows.selection ? rows.selection[r] : r, error);
        scope_close(scope);
        if (failed)
            return failed;
    }
    if (copy->format == COPY_BINARY) {
        struct text text = text_in(copy->scope);
        if (copy->rows == 0)
            signature_put(&text, copy);
        text_bytes(&text, bytes_of("\377\377", 2));
        enum sqlstate failed = text_send(copy, &text, error);
        if (failed)
            return failed;
    }
    return sink->ops->copy_out_end(sink, error);
}
