/* Where a statement's rows go: a page of JSON, lines of a stream, cells of our own queries, or the bytes of COPY. */
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void result_begin(struct result *result, struct rest *rest, struct scope *scope, enum result_mode mode)
{
    *result = (struct result){
        .mode = mode,
        .rest = rest,
        .scope = scope,
        .options = {.rows_max = PAGE_ROWS_DEFAULT, .bytes_max = PAGE_BYTES_DEFAULT},
    };
    json_out_open(&result->out, scope);
    json_out_open(&result->earlier, scope);
    rest->result = result;
}

void tag_read(const char *tag, char command[static 64], int64_t *count)
{
    size_t size = strnlen(tag, 63), words = size;
    *count = -1;
    while (words > 0 && tag[words - 1] >= '0' && tag[words - 1] <= '9')
        words--;
    if (words < size && words > 0 && tag[words - 1] == ' ') {
        sscanf(tag + words, "%" SCNd64, count);
        words--;
        /* "INSERT 0 5": the first number was once an oid. */
        if (words > 2 && tag[words - 1] == '0' && tag[words - 2] == ' ')
            words -= 2;
        size = words;
    }
    memcpy(command, tag, size);
    command[size] = '\0';
}

/* ---- columns ---- */

void type_name_write(struct json_out *out, struct environment *environment, const struct type *type)
{
    const struct type *element =
        type->element && type->name[0] == '_' ? environment->type_find(environment, type->element) : NULL;
    if (element)
        json_out_format(out, "%s[]", element->name);
    else
        json_out_text(out, type->name);
}

static void modifier_write(struct json_out *out, const struct session_column *column)
{
    int32_t modifier = column->modifier;
    if (modifier < 4)
        return;
    switch (column->type->oid) {
    case TYPE_NUMERIC:
        json_out_name(out, "precision");
        json_out_integer(out, (modifier - 4) >> 16 & 0xffff);
        json_out_name(out, "scale");
        /* 11 bits with a sign (numeric_typmod). */
        json_out_integer(out, (((modifier - 4) & 0x7ff) ^ 1024) - 1024);
        break;
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
        json_out_name(out, "length");
        json_out_integer(out, modifier - 4);
        break;
    default:
        break;
    }
}

static void columns_of(struct json_out *out, struct environment *environment,
                       const struct session_shape *shape)
{
    json_out_array(out);
    for (uint32_t c = 0; c < shape->count; c++) {
        const struct session_column *column = &shape->columns[c];
        json_out_object(out);
        json_out_name(out, "name");
        json_out_text(out, column->name);
        json_out_name(out, "type");
        type_name_write(out, environment, column->type);
        json_out_name(out, "oid");
        json_out_integer(out, column->type->oid);
        modifier_write(out, column);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

void columns_write(struct json_out *out, struct environment *environment, const struct session_shape *shape)
{
    columns_of(out, environment, shape);
}

static struct bytes columns_text(struct result *result, const struct session_shape *shape)
{
    struct json_out out;
    json_out_open(&out, result->scope);
    columns_of(&out, session_environment(result->rest->session), shape);
    return json_out_bytes(&out);
}

/* ---- streams ---- */

enum sqlstate result_send(struct result *result, struct error *error)
{
    if (!result->streaming) {
        http_stream_begin(result->exchange, result->content_type, result->headers, result->header_count);
        result->streaming = true;
    }
    struct bytes bytes = json_out_bytes(&result->out);
    enum sqlstate failed = json_out_outcome(&result->out, error);
    if (!failed && bytes.size)
        failed = http_stream_write(result->exchange, bytes, error);
    json_out_clear(&result->out);
    return failed;
}

static void progress_write(struct result *result)
{
    struct api *api = result->rest->api;
    if (api->world->now_ns < result->progress_ns + 1000 * NS_PER_MS)
        return;
    bool first = result->progress_ns == 0;
    result->progress_ns = api->world->now_ns;
    if (first)
        return;
    json_out_object(&result->out);
    json_out_name(&result->out, "type");
    json_out_text(&result->out, "progress");
    json_out_name(&result->out, "rows");
    json_out_integer(&result->out, (int64_t)result->rows);
    json_out_object_end(&result->out);
    json_out_line_end(&result->out);
}

/* ---- the sink ---- */

static struct result *result_of(struct session_sink *sink)
{
    return container_of(sink, struct rest, sink)->result;
}

void result_rows_write(struct json_out *out, const struct result *result)
{
    if (!result->columns.data)
        return;
    json_out_name(out, "columns");
    json_out_value(out, result->columns);
    json_out_name(out, "rows");
    json_out_raw(out, bytes_of_text("["));
    json_out_raw(out, json_out_bytes(&result->out));
    json_out_value(out, bytes_of_text("]"));
}

/* Ends a result of a text of several statements, before the next one begins. */
static void earlier_end(struct result *result)
{
    struct json_out *out = &result->earlier;
    char command[64];
    int64_t count;
    if (!result->completed)
        return;
    tag_read(result->tag, command, &count);
    json_out_object(out);
    json_out_name(out, "command");
    json_out_text(out, command);
    json_out_name(out, "row_count");
    json_out_integer(out, (int64_t)result->rows);
    json_out_name(out, "rows_affected");
    if (count < 0 || result->columns.data)
        json_out_null(out);
    else
        json_out_integer(out, count);
    result_rows_write(out, result);
    if (result->truncated) {
        json_out_name(out, "truncated");
        json_out_boolean(out, true);
    }
    json_out_object_end(out);
    json_out_open(&result->out, result->scope);
    result->columns = (struct bytes){0};
    result->rows = 0;
    result->bytes = 0;
    result->truncated = false;
    result->completed = false;
    result->results++;
}

/* Only of texts with several statements: what is prepared was described before. */
static enum sqlstate sink_shape(struct session_sink *sink, const struct session_shape *shape,
                                struct error *error)
{
    struct result *result = result_of(sink);
    if (!result || result->mode == RESULT_CELLS)
        return SQLSTATE_OK;
    if (result->mode == RESULT_PAGE) {
        earlier_end(result);
        result->columns = columns_text(result, shape);
        return SQLSTATE_OK;
    }
    json_out_object(&result->out);
    json_out_name(&result->out, "type");
    json_out_text(&result->out, "result");
    json_out_name(&result->out, "index");
    json_out_integer(&result->out, result->results);
    json_out_name(&result->out, "columns");
    columns_of(&result->out, session_environment(result->rest->session), shape);
    json_out_object_end(&result->out);
    json_out_line_end(&result->out);
    return json_out_outcome(&result->out, error);
}

static enum sqlstate cells_add(struct result *result, const struct session_rows *rows, struct error *error)
{
    struct table *table = &result->table;
    struct environment *environment = session_environment(result->rest->session);
    uint32_t columns = rows->shape->count;
    table->columns = columns;
    if (table->rows + rows->rows > table->room) {
        uint32_t room = 2 * (table->rows + rows->rows) + 8;
        void *memory;
        enum sqlstate failed = scope_alloc_large(result->scope, (size_t)room * columns * sizeof *table->cell,
                                                 16, &memory, error);
        if (failed)
            return failed;
        if (table->rows)
            memcpy(memory, table->cell, (size_t)table->rows * columns * sizeof *table->cell);
        table->cell = memory;
        table->room = room;
    }
    for (uint32_t r = 0; r < rows->rows; r++) {
        uint32_t at = rows->selection ? rows->selection[r] : r;
        for (uint32_t c = 0; c < columns; c++) {
            const struct value *value = &rows->columns[c][at];
            const struct type *type = rows->shape->columns[c].type;
            struct bytes *cell = &table->cell[(size_t)table->rows * columns + c];
            *cell = (struct bytes){0};
            if (value->null)
                continue;
            enum sqlstate failed = type->ops->out(environment, result->scope, type, value, cell, error);
            if (failed)
                return failed;
            char *copy = scope_alloc(result->scope, cell->size + 1);
            if (cell->size)
                memcpy(copy, cell->data, cell->size);
            copy[cell->size] = '\0';
            *cell = bytes_of(copy, cell->size);
        }
        table->rows++;
    }
    return SQLSTATE_OK;
}

static enum sqlstate sink_rows(struct session_sink *sink, const struct session_rows *rows,
                               struct error *error)
{
    struct result *result = result_of(sink);
    if (!result)
        return SQLSTATE_OK;
    if (result->mode == RESULT_CELLS)
        return cells_add(result, rows, error);
    struct environment *environment = session_environment(result->rest->session);
    struct json_out *out = &result->out;
    struct scope *work = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t r = 0; r < rows->rows && !failed; r++) {
        uint32_t at = rows->selection ? rows->selection[r] : r;
        if (result->several && result->mode == RESULT_PAGE &&
            (result->rows >= result->options.rows_max || out->used >= result->options.bytes_max)) {
            result->truncated = true;
            break;
        }
        json_out_array(out);
        for (uint32_t c = 0; c < rows->shape->count && !failed; c++) {
            const struct value *value = &rows->columns[c][at];
            if (value->null) {
                json_out_null(out);
                continue;
            }
            if (!work)
                work = scope_open(result->scope, "row");
            failed = value_write(out, environment, work, &result->options, rows->shape->columns[c].type,
                                 value, error);
        }
        json_out_array_end(out);
        result->rows++;
        if (work && scope_bytes(work) > STREAM_BYTES) {
            scope_close(work);
            work = NULL;
        }
        if (failed || result->mode != RESULT_LINES)
            continue;
        json_out_line_end(out);
        if (out->used >= STREAM_BYTES) {
            progress_write(result);
            failed = result_send(result, error);
        }
    }
    if (work)
        scope_close(work);
    return failed ? failed : json_out_outcome(out, error);
}

static enum sqlstate sink_complete(struct session_sink *sink, const char *tag, struct error *error)
{
    struct result *result = result_of(sink);
    (void)error;
    if (!result)
        return SQLSTATE_OK;
    if (result->several && result->mode == RESULT_PAGE)
        earlier_end(result);
    result->suspended = false;
    result->completed = true;
    snprintf(result->tag, sizeof result->tag, "%s", tag ? tag : "");
    if (result->several && result->mode == RESULT_LINES) {
        char command[64];
        int64_t count;
        tag_read(result->tag, command, &count);
        json_out_object(&result->out);
        json_out_name(&result->out, "type");
        json_out_text(&result->out, "complete");
        json_out_name(&result->out, "index");
        json_out_integer(&result->out, result->results++);
        json_out_name(&result->out, "command");
        json_out_text(&result->out, command);
        json_out_object_end(&result->out);
        json_out_line_end(&result->out);
    }
    return SQLSTATE_OK;
}

static enum sqlstate sink_suspended(struct session_sink *sink, struct error *error)
{
    struct result *result = result_of(sink);
    (void)error;
    if (result)
        result->suspended = true;
    return SQLSTATE_OK;
}

static void sink_notice(struct session_sink *sink, enum session_severity severity, const struct error *error)
{
    static const char *const names[] = {"DEBUG", "LOG", "INFO", "NOTICE", "WARNING"};
    struct result *result = result_of(sink);
    if (!result || result->mode == RESULT_CELLS)
        return;
    if (result->mode == RESULT_LINES) {
        char state[6];
        sqlstate_text(error->state, state);
        json_out_object(&result->out);
        json_out_name(&result->out, "type");
        json_out_text(&result->out, "notice");
        json_out_name(&result->out, "severity");
        json_out_text(&result->out, names[severity]);
        json_out_name(&result->out, "sqlstate");
        json_out_text(&result->out, state);
        json_out_name(&result->out, "message");
        json_out_text(&result->out, error_text(error, ERROR_MESSAGE));
        json_out_object_end(&result->out);
        json_out_line_end(&result->out);
        return;
    }
    if (result->notice_count == NOTICES_MAX) {
        result->notices_lost++;
        return;
    }
    if (!result->notices)
        result->notices = scope_alloc(result->scope, NOTICES_MAX * sizeof *result->notices);
    struct notice *notice = &result->notices[result->notice_count++];
    snprintf(notice->severity, sizeof notice->severity, "%s", names[severity]);
    notice->error = *error;
}

/* Settings are asked for when they are wanted. */
static void sink_parameter(struct session_sink *sink, const char *name, const char *value)
{
    (void)sink;
    (void)name;
    (void)value;
}

static enum sqlstate sink_copy_out_begin(struct session_sink *sink, bool binary, uint32_t columns,
                                         struct error *error)
{
    const struct result *result = result_of(sink);
    (void)columns;
    if (!result || result->mode != RESULT_COPY || binary)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "COPY TO STDOUT cannot be sent as a statement: export the table instead");
    return SQLSTATE_OK;
}

static enum sqlstate sink_copy_out(struct session_sink *sink, struct bytes row, struct error *error)
{
    struct result *result = result_of(sink);
    result->rows++;
    json_out_raw(&result->out, row);
    return result->out.used >= STREAM_BYTES ? result_send(result, error) : SQLSTATE_OK;
}

static enum sqlstate sink_copy_out_end(struct session_sink *sink, struct error *error)
{
    (void)sink;
    (void)error;
    return SQLSTATE_OK;
}

static enum sqlstate sink_copy_in_begin(struct session_sink *sink, bool binary, uint32_t columns,
                                        struct error *error)
{
    const struct result *result = result_of(sink);
    (void)columns;
    if (!result || result->mode != RESULT_COPY || binary)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "COPY FROM STDIN cannot be sent as a statement: use a load instead");
    return SQLSTATE_OK;
}

static enum sqlstate sink_copy_in(struct session_sink *sink, struct bytes *data, struct error *error)
{
    struct result *result = result_of(sink);
    (void)error;
    *data = result->input_given ? (struct bytes){0} : result->input;
    result->input_given = true;
    return SQLSTATE_OK;
}

const struct session_sink_ops result_sink_ops = {
    .shape = sink_shape,
    .rows = sink_rows,
    .complete = sink_complete,
    .suspended = sink_suspended,
    .notice = sink_notice,
    .parameter = sink_parameter,
    .copy_out_begin = sink_copy_out_begin,
    .copy_out = sink_copy_out,
    .copy_out_end = sink_copy_out_end,
    .copy_in_begin = sink_copy_in_begin,
    .copy_in = sink_copy_in,
};
