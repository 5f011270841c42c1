/* COPY FROM: what the client sends, cut into lines, fields and values. A line that came in one piece is read where it lies. */
#include "sqlfront/copy.h"

#include <string.h>

#define BAD_COPY SQLSTATE_PACK('2', '2', 'P', '0', '4')

/* Longest line or field: what a value may have. */
#define LINE_BYTES_MAX VALUE_BYTES_MAX

/* ---- bytes ---- */

/* More bytes from the client, when there are none left. Yields. */
static enum sqlstate data_more(struct copy *copy, struct error *error)
{
    struct session_sink *sink = copy->session->options.sink;
    if (copy->data.size > 0 || copy->at_end)
        return SQLSTATE_OK;
    enum sqlstate failed = sink->ops->copy_in(sink, &copy->data, error);
    copy->at_end = !failed && copy->data.size == 0;
    copy->bytes += failed ? 0 : copy->data.size;
    return failed;
}

static enum sqlstate line_append(struct copy *copy, struct bytes bytes, struct error *error)
{
    if (copy->line_size + bytes.size > LINE_BYTES_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "a line of COPY is too long");
    if (copy->line_size + bytes.size + 1 > copy->line_room) {
        void *memory;
        size_t room = 2 * (copy->line_size + bytes.size) + 256;
        enum sqlstate failed = scope_alloc_large(copy->scope, room, 16, &memory, error);
        if (failed)
            return failed;
        if (copy->line_size)
            memcpy(memory, copy->line, copy->line_size);
        if (copy->line)
            scope_free_large(copy->scope, copy->line);
        copy->line = memory;
        copy->line_room = room;
    }
    if (bytes.size)
        memcpy(copy->line + copy->line_size, bytes.data, bytes.size);
    copy->line_size += bytes.size;
    return SQLSTATE_OK;
}

static void data_skip(struct copy *copy, size_t size)
{
    copy->data = bytes_of(copy->data.data + size, copy->data.size - size);
}

/* ---- lines ---- */

/* Where a line's end may be looked for, between pieces. */
struct line_state {
    bool quoted;    /* CSV: within quotes */
    bool escaped;   /* the byte before was a backslash (text) or an escape within quotes (CSV) */
    uint8_t before; /* the last byte */
};

/* The first byte of the bytes that ends the line: a newline that is not escaped or quoted. */
static const uint8_t *line_end(const struct copy *copy, struct line_state *state, struct bytes bytes)
{
    const uint8_t *at = bytes.data, *end = bytes.data + bytes.size;
    if (!state->quoted && !state->escaped) {
        /* Nothing before the newline that could make it another thing: nearly always. */
        const uint8_t *newline = memchr(at, '\n', bytes.size);
        size_t size = newline ? (size_t)(newline - at) : bytes.size;
        if (!memchr(at, copy->format == COPY_TEXT ? '\\' : copy->quote, size))
            return newline;
    }
    for (; at < end; at++) {
        if (copy->format == COPY_TEXT) {
            if (state->escaped)
                state->escaped = false;
            else if (*at == '\\')
                state->escaped = true;
            else if (*at == '\n')
                return at;
            continue;
        }
        if (state->escaped && (*at == (uint8_t)copy->quote || *at == (uint8_t)copy->escape)) {
            state->escaped = false;
            continue;
        }
        if (state->quoted && copy->escape != copy->quote && *at == (uint8_t)copy->escape) {
            state->escaped = true;
            continue;
        }
        state->escaped = false;
        if (*at == (uint8_t)copy->quote)
            state->quoted = !state->quoted;
        else if (*at == '\n' && !state->quoted)
            return at;
    }
    return NULL;
}

/* Where something was wrong with a line: the whole line is shown. */
static enum sqlstate line_wrong(const struct copy *copy, struct bytes line, struct error *error)
{
    error_add(error, ERROR_CONTEXT, "COPY %s, line %lu: \"%.*s%s\"", copy->name, (unsigned long)copy->number,
              (int)(line.size > 100 ? 100 : line.size), (const char *)line.data,
              line.size > 100 ? "..." : "");
    return error->state;
}

/* The next line without its end; *end when there is none. It is valid until the next bytes are asked for. Yields. */
static enum sqlstate line_next(struct copy *copy, struct bytes *line, bool *end, struct error *error)
{
    struct line_state state = {0};
    copy->line_size = 0;
    *end = false;
    for (;;) {
        enum sqlstate failed = data_more(copy, error);
        if (failed)
            return failed;
        if (copy->at_end) {
            *end = copy->line_size == 0;
            *line = bytes_of(copy->line, copy->line_size);
            if (state.quoted) {
                (void)error_set(error, BAD_COPY, "unterminated CSV quoted field");
                copy->number++;
                return line_wrong(copy, *line, error);
            }
            break;
        }
        const uint8_t *newline = line_end(copy, &state, copy->data);
        size_t size = newline ? (size_t)(newline - copy->data.data) : copy->data.size;
        if (newline && copy->line_size == 0) {
            *line = bytes_of(copy->data.data, size);
            data_skip(copy, size + 1);
            break;
        }
        failed = line_append(copy, bytes_of(copy->data.data, size), error);
        if (failed)
            return failed;
        data_skip(copy, size + (newline ? 1 : 0));
        if (newline) {
            *line = bytes_of(copy->line, copy->line_size);
            break;
        }
    }
    if (line->size > 0 && line->data[line->size - 1] == '\r')
        line->size--;
    if (!*end)
        copy->number++;
    return SQLSTATE_OK;
}

/* ---- fields ---- */

static int hexadecimal(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* What a backslash and what follows it mean; gives the bytes taken. */
static size_t escape_read(struct bytes in, uint8_t *byte)
{
    static const char letters[] = "bfnrtv", bytes[] = "\b\f\n\r\t\v";
    uint8_t first = in.data[0];
    const char *letter = strchr(letters, first);
    size_t size = 1;
    if (first && letter) {
        *byte = (uint8_t)bytes[letter - letters];
    } else if (first >= '0' && first <= '7') {
        unsigned value = 0;
        for (size = 0; size < 3 && size < in.size && in.data[size] >= '0' && in.data[size] <= '7'; size++)
            value = value * 8 + (in.data[size] - '0');
        *byte = (uint8_t)value;
    } else if (first == 'x' && in.size > 1 && hexadecimal(in.data[1]) >= 0) {
        int value = hexadecimal(in.data[1]);
        size = 2;
        if (in.size > 2 && hexadecimal(in.data[2]) >= 0)
            value = value * 16 + hexadecimal(in.data[size++]);
        *byte = (uint8_t)value;
    } else
        *byte = first;
    return size;
}

/* Fields up to here are looked through byte by byte, for most are short; then memchr() is faster. */
#define FIELD_SHORT 16

/* Takes a field off a line in which nothing is escaped or quoted. It stays where it is. */
static struct bytes field_plain(const struct copy *copy, struct bytes *line, bool *null, bool *last)
{
    const uint8_t *start = line->data, *end = start + line->size, *at = start;
    const uint8_t *near = line->size < FIELD_SHORT ? end : start + FIELD_SHORT;
    while (at < near && *at != (uint8_t)copy->delimiter)
        at++;
    if (at == near && at < end) {
        const uint8_t *found = memchr(at, copy->delimiter, (size_t)(end - at));
        at = found ? found : end;
    }
    size_t size = (size_t)(at - start);
    *last = at == end;
    *null = size == copy->null_size && memcmp(start, copy->null, size) == 0;
    *line = *last ? bytes_of(at, 0) : bytes_of(at + 1, line->size - size - 1);
    return bytes_of(start, size);
}

/* Takes a field off a line of text format; `room` has the line's size. */
static struct bytes field_text(const struct copy *copy, struct bytes *line, uint8_t *room, bool *null,
                               bool *last)
{
    const uint8_t *start = line->data;
    size_t at = 0, used = 0;
    *last = true;
    while (at < line->size) {
        uint8_t byte = start[at++];
        if (byte == (uint8_t)copy->delimiter) {
            *last = false;
            at--;
            break;
        }
        if (byte == '\\' && at < line->size) {
            at += escape_read(bytes_of(start + at, line->size - at), &byte);
            room[used++] = byte;
            continue;
        }
        room[used++] = byte;
    }
    *null = at == copy->null_size && memcmp(start, copy->null, at) == 0;
    *line = *last ? bytes_of(start + at, 0) : bytes_of(start + at + 1, line->size - at - 1);
    return bytes_of(room, used);
}

static struct bytes field_csv(const struct copy *copy, struct bytes *line, uint8_t *room, bool *null,
                              bool *last, bool *was_quoted)
{
    const uint8_t *start = line->data;
    size_t at = 0, used = 0;
    bool quoted = false;
    *last = true;
    *was_quoted = false;
    while (at < line->size) {
        uint8_t byte = start[at++];
        if (!quoted && byte == (uint8_t)copy->delimiter) {
            *last = false;
            at--;
            break;
        }
        if (quoted && byte == (uint8_t)copy->escape && at < line->size &&
            (start[at] == (uint8_t)copy->escape || start[at] == (uint8_t)copy->quote)) {
            room[used++] = start[at++];
            continue;
        }
        if (byte == (uint8_t)copy->quote) {
            quoted = !quoted;
            *was_quoted = true;
            continue;
        }
        room[used++] = byte;
    }
    *null = !*was_quoted && used == copy->null_size && memcmp(room, copy->null, used) == 0;
    *line = *last ? bytes_of(start + at, 0) : bytes_of(start + at + 1, line->size - at - 1);
    return bytes_of(room, used);
}

static void context_add(const struct copy *copy, const struct copy_column *column, struct bytes field,
                        bool null, struct error *error)
{
    if (error_text(error, ERROR_CONTEXT))
        return;
    if (!column)
        error_add(error, ERROR_CONTEXT, "COPY %s, line %lu", copy->name, (unsigned long)copy->number);
    else if (null)
        error_add(error, ERROR_CONTEXT, "COPY %s, line %lu, column %s: null input", copy->name,
                  (unsigned long)copy->number, column->name);
    else
        error_add(error, ERROR_CONTEXT, "COPY %s, line %lu, column %s: \"%.*s%s\"", copy->name,
                  (unsigned long)copy->number, column->name, (int)(field.size > 100 ? 100 : field.size),
                  (const char *)field.data, field.size > 100 ? "..." : "");
}

static enum sqlstate value_read(struct copy *copy, struct scope *scope, const struct copy_column *column,
                                struct bytes field, bool null, struct value *value, struct error *error)
{
    *value = value_null();
    if (null)
        return SQLSTATE_OK;
    enum sqlstate failed = column->type->ops->in(&copy->session->environment, scope, column->type,
                                                 column->modifier, field, value, error);
    if (failed)
        context_add(copy, column, field, false, error);
    return failed;
}

/* A field where something is escaped or quoted: written anew into `room`. Escapes may write what is no text. */
static enum sqlstate field_special(struct copy *copy, struct bytes *line, uint8_t *room, struct bytes *field,
                                   bool *null, bool *last, struct error *error)
{
    bool quoted;
    if (copy->format == COPY_CSV) {
        *field = field_csv(copy, line, room, null, last, &quoted);
        return SQLSTATE_OK;
    }
    *field = field_text(copy, line, room, null, last);
    return *null ? SQLSTATE_OK : characters_check(*field, error);
}

/* Room for a line's fields when they cannot stay where they are; *room NULL when they can. */
static enum sqlstate line_room(const struct copy *copy, struct scope *scope, struct bytes line,
                               uint8_t **room, struct error *error)
{
    *room = NULL;
    if (line.size == 0 || !memchr(line.data, copy->format == COPY_TEXT ? '\\' : copy->quote, line.size))
        return SQLSTATE_OK;
    if (line.size >= SCOPE_SMALL_BYTES)
        return scope_alloc_large(scope, line.size + 1, 16, (void **)room, error);
    *room = scope_alloc(scope, line.size + 1);
    return SQLSTATE_OK;
}

static enum sqlstate line_read(struct copy *copy, struct scope *scope, struct bytes line,
                               struct value *const *values, uint32_t row, struct error *error)
{
    const struct bytes whole = line;
    uint8_t *room;
    bool last = false;
    enum sqlstate failed = characters_check(line, error);
    if (failed)
        context_add(copy, NULL, (struct bytes){0}, false, error);
    else
        failed = line_room(copy, scope, line, &room, error);
    if (failed)
        return failed;
    for (uint32_t c = 0; c < copy->columns; c++) {
        const struct copy_column *column = &copy->column[c];
        struct bytes field;
        bool null;
        if (last) {
            (void)error_set(error, BAD_COPY, "missing data for column \"%s\"", column->name);
            return line_wrong(copy, whole, error);
        }
        if (!room)
            field = field_plain(copy, &line, &null, &last);
        else if ((failed = field_special(copy, &line, room, &field, &null, &last, error)))
            return line_wrong(copy, whole, error);
        if (null && column->force_not_null)
            null = false;
        if (!null && column->force_null && field.size == copy->null_size &&
            memcmp(field.data, copy->null, field.size) == 0)
            null = true;
        failed = value_read(copy, scope, column, field, null, &values[c][row], error);
        if (failed)
            return failed;
        if (room)
            room += field.size;
    }
    if (!last && (copy->columns > 0 || whole.size > 0)) {
        (void)error_set(error, BAD_COPY, "extra data after last expected column");
        return line_wrong(copy, whole, error);
    }
    return SQLSTATE_OK;
}

/* HEADER MATCH: the first line names the columns. */
static enum sqlstate header_read(struct copy *copy, struct scope *scope, struct bytes line,
                                 struct error *error)
{
    uint8_t *room = scope_alloc(scope, line.size < SCOPE_SMALL_BYTES ? line.size + 1 : SCOPE_SMALL_BYTES);
    bool null, quoted, last = false;
    if (copy->header != HEADER_MATCH || line.size >= SCOPE_SMALL_BYTES)
        return SQLSTATE_OK;
    const struct bytes whole = line;
    for (uint32_t c = 0; c < copy->columns; c++) {
        const char *name = copy->column[c].name;
        if (last) {
            (void)error_set(error, BAD_COPY, "wrong number of fields in header line: got %u, expected %u", c,
                            copy->columns);
            return line_wrong(copy, whole, error);
        }
        struct bytes field = copy->format == COPY_CSV ? field_csv(copy, &line, room, &null, &last, &quoted)
                                                      : field_text(copy, &line, room, &null, &last);
        if (bytes_compare(field, bytes_of_text(name)) != 0) {
            (void)error_set(error, BAD_COPY,
                            "column name mismatch in header line field %u: got \"%.*s\", expected \"%s\"",
                            c + 1, (int)field.size, (const char *)field.data, name);
            return line_wrong(copy, whole, error);
        }
    }
    return SQLSTATE_OK;
}

static enum sqlstate lines_row(struct copy *copy, struct scope *scope, struct value *const *values,
                               uint32_t row, bool *end, struct error *error)
{
    struct bytes line;
    enum sqlstate failed = line_next(copy, &line, end, error);
    if (!failed && !*end && !copy->begun && copy->header != HEADER_NONE) {
        failed = header_read(copy, scope, line, error);
        if (!failed)
            failed = line_next(copy, &line, end, error);
    }
    copy->begun = true;
    if (failed) {
        if (failed != SQLSTATE_QUERY_CANCELED)
            context_add(copy, NULL, (struct bytes){0}, false, error);
        else
            error_add(error, ERROR_CONTEXT, "COPY %s, line %lu", copy->name, (unsigned long)copy->number + 1);
        return failed;
    }
    if (!*end && line.size == 2 && memcmp(line.data, "\\.", 2) == 0) {
        /* The end in the old way: what may follow is not looked at. */
        while (!failed && !copy->at_end) {
            copy->data = (struct bytes){0};
            failed = data_more(copy, error);
        }
        *end = true;
    }
    return failed || *end ? failed : line_read(copy, scope, line, values, row, error);
}

/* ---- binary ---- */

/* The next `size` bytes in one piece; *got less when there are no more. Yields. */
static enum sqlstate bytes_next(struct copy *copy, size_t size, struct bytes *bytes, struct error *error)
{
    copy->line_size = 0;
    *bytes = bytes_of("", 0);
    if (size == 0)
        return SQLSTATE_OK;
    for (;;) {
        enum sqlstate failed = data_more(copy, error);
        if (failed)
            return failed;
        if (copy->line_size == 0 && copy->data.size >= size) {
            *bytes = bytes_of(copy->data.data, size);
            data_skip(copy, size);
            return SQLSTATE_OK;
        }
        size_t take = size - copy->line_size < copy->data.size ? size - copy->line_size : copy->data.size;
        failed = line_append(copy, bytes_of(copy->data.data, take), error);
        if (failed)
            return failed;
        if (take)
            data_skip(copy, take);
        if (copy->line_size == size || copy->at_end) {
            *bytes = bytes_of(copy->line, copy->line_size);
            return SQLSTATE_OK;
        }
    }
}

static enum sqlstate number_next(struct copy *copy, size_t size, int32_t *number, bool *end,
                                 struct error *error)
{
    struct bytes bytes;
    enum sqlstate failed = bytes_next(copy, size, &bytes, error);
    *end = !failed && bytes.size == 0;
    if (failed || *end)
        return failed;
    if (bytes.size < size)
        return error_set(error, BAD_COPY, "unexpected EOF in COPY data");
    *number = size == 2 ? (int16_t)(bytes.data[0] << 8 | bytes.data[1])
                        : (int32_t)((uint32_t)bytes.data[0] << 24 | (uint32_t)bytes.data[1] << 16 |
                                    (uint32_t)bytes.data[2] << 8 | bytes.data[3]);
    return SQLSTATE_OK;
}

static enum sqlstate signature_read(struct copy *copy, struct error *error)
{
    struct bytes bytes;
    int32_t flags, extension;
    bool end;
    enum sqlstate failed = bytes_next(copy, 11, &bytes, error);
    if (!failed && (bytes.size < 11 || memcmp(bytes.data, "PGCOPY\n\377\r\n\0", 11) != 0))
        failed = error_set(error, BAD_COPY, "COPY file signature not recognized");
    if (!failed)
        failed = number_next(copy, 4, &flags, &end, error);
    if (!failed && end)
        failed = error_set(error, BAD_COPY, "invalid COPY file header (missing flags)");
    if (!failed && flags & 1 << 16)
        failed = error_set(error, BAD_COPY, "invalid COPY file header (WITH OIDS)");
    else if (!failed && (flags >> 16) != 0)
        failed = error_set(error, BAD_COPY, "unrecognized critical flags in COPY file header");
    if (!failed)
        failed = number_next(copy, 4, &extension, &end, error);
    if (!failed && (end || extension < 0))
        failed = error_set(error, BAD_COPY, "invalid COPY file header (missing length)");
    if (!failed && extension > 0)
        failed = bytes_next(copy, (size_t)extension, &bytes, error);
    return failed;
}

static enum sqlstate field_binary(struct copy *copy, struct scope *scope, const struct copy_column *column,
                                  struct value *value, struct error *error)
{
    struct bytes bytes;
    int32_t size;
    bool end;
    *value = value_null();
    enum sqlstate failed = number_next(copy, 4, &size, &end, error);
    if (!failed && end)
        failed = error_set(error, BAD_COPY, "unexpected EOF in COPY data");
    if (failed || size == -1)
        return failed;
    if (size < 0)
        return error_set(error, BAD_COPY, "invalid field size");
    failed = bytes_next(copy, (size_t)size, &bytes, error);
    if (!failed && bytes.size < (size_t)size)
        failed = error_set(error, BAD_COPY, "unexpected EOF in COPY data");
    if (failed)
        return failed;
    /* The value may be a view of its bytes, and these are the stream's. */
    void *kept;
    if (bytes.size < SCOPE_SMALL_BYTES)
        kept = scope_copy(scope, bytes.data, bytes.size ? bytes.size : 1);
    else if ((failed = scope_alloc_large(scope, bytes.size, 16, &kept, error)))
        return failed;
    else
        memcpy(kept, bytes.data, bytes.size);
    failed = column->type->ops->receive(&copy->session->environment, scope, column->type, column->modifier,
                                        bytes_of(kept, bytes.size), value, error);
    if (failed)
        error_add(error, ERROR_CONTEXT, "COPY %s, line %lu, column %s", copy->name,
                  (unsigned long)copy->number, column->name);
    return failed;
}

static enum sqlstate binary_row(struct copy *copy, struct scope *scope, struct value *const *values,
                                uint32_t row, bool *end, struct error *error)
{
    int32_t fields = 0;
    enum sqlstate failed = copy->begun ? SQLSTATE_OK : signature_read(copy, error);
    copy->begun = true;
    if (!failed)
        failed = number_next(copy, 2, &fields, end, error);
    if (failed)
        return failed;
    if (*end || fields == -1) {
        while (!failed && !copy->at_end) {
            copy->data = (struct bytes){0};
            failed = data_more(copy, error);
        }
        *end = true;
        return failed;
    }
    copy->number++;
    if (fields != (int32_t)copy->columns) {
        failed = error_set(error, BAD_COPY, "row field count is %d, expected %u", fields, copy->columns);
        context_add(copy, NULL, (struct bytes){0}, false, error);
        return failed;
    }
    for (uint32_t c = 0; c < copy->columns && !failed; c++)
        failed = field_binary(copy, scope, &copy->column[c], &values[c][row], error);
    return failed;
}

/* Bytes after which a batch of rows is given, however few they are. */
#define ROWS_BYTES (1024UL * 1024)

enum sqlstate copy_in_rows(struct copy *copy, struct scope *scope, struct value *const *values, uint32_t most,
                           uint32_t *count, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    uint64_t until = copy->bytes + ROWS_BYTES;
    *count = 0;
    while (*count < most && copy->bytes < until && !copy->finished && !failed) {
        bool end = false;
        failed = copy->format == COPY_BINARY ? binary_row(copy, scope, values, *count, &end, error)
                                             : lines_row(copy, scope, values, *count, &end, error);
        copy->finished = end;
        *count += !failed && !end;
    }
    return failed;
}
