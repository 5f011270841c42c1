/* The lines of an answer (doc/api.md), written down (print.h). Aligned results are held until their widths are known; others are written
 * as they come, however long they are. */
#include "node/cli/print.h"

#include <stdlib.h>
#include <string.h>

/* Rows of an aligned result whose widths are looked at together; beyond it the next ones are set by themselves. */
#define ROWS_ALIGNED_MAX 10000

struct printing {
    const struct print_options *options;
    FILE *to;
    size_t columns;
    char **name;
    bool *right; /* numbers stand at the right */
    char **cell; /* rows held */
    size_t rows, room;
    size_t given; /* rows, held ones included */
    bool open;    /* a result with columns is under way */
};

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- columns and cells ---- */

static bool is_number(const char *type)
{
    static const char *const numbers[] = {"int2",   "int4",    "int8", "float4",
                                          "float8", "numeric", "oid",  "money"};
    for (size_t i = 0; type && i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(type, numbers[i]) == 0)
            return true;
    return false;
}

static void rows_forget(struct printing *printing)
{
    for (size_t i = 0; i < printing->rows * printing->columns; i++)
        free(printing->cell[i]);
    printing->rows = 0;
}

static void columns_forget(struct printing *printing)
{
    rows_forget(printing);
    for (size_t i = 0; i < printing->columns; i++)
        free(printing->name[i]);
    free(printing->name);
    free(printing->right);
    free(printing->cell);
    printing->name = NULL;
    printing->right = NULL;
    printing->cell = NULL;
    printing->columns = printing->room = printing->given = 0;
    printing->open = false;
}

static void columns_take(struct printing *printing, const json_t *columns)
{
    columns_forget(printing);
    printing->columns = json_array_size(columns);
    printing->name = memory_get(printing->columns * sizeof(char *));
    printing->right = memory_get(printing->columns * sizeof(bool));
    for (size_t i = 0; i < printing->columns; i++) {
        const json_t *column = json_array_get(columns, i);
        const char *name = member(column, "name");
        printing->name[i] = text_copy(name ? name : "?", strlen(name ? name : "?"));
        printing->right[i] = is_number(member(column, "type"));
    }
    printing->open = true;
}

/* A value as text; NULL for null. The caller's. */
static char *cell_text(const json_t *value)
{
    if (json_is_string(value))
        return text_copy(json_string_value(value), json_string_length(value));
    if (!value || json_is_null(value))
        return NULL;
    return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

/* ---- widths: characters, not bytes; lines of a cell one below the other ---- */

static size_t line_width(const char *text, size_t bytes)
{
    size_t width = 0;
    for (size_t i = 0; i < bytes; i++)
        width += (text[i] & 0xc0) != 0x80;
    return width;
}

static size_t text_width(const char *text)
{
    size_t widest = 0;
    for (;;) {
        size_t bytes = strcspn(text, "\n"), width = line_width(text, bytes);
        widest = width > widest ? width : widest;
        if (!text[bytes])
            return widest;
        text += bytes + 1;
    }
}

static void pad(FILE *to, size_t count)
{
    for (; count > 0; count--)
        putc(' ', to);
}

static void dashes(FILE *to, size_t count)
{
    for (; count > 0; count--)
        putc('-', to);
}

/* ---- aligned ---- */

static void head_write(const struct printing *printing, const size_t *width)
{
    FILE *to = printing->to;
    for (size_t c = 0; c < printing->columns; c++) {
        size_t left = width[c] - text_width(printing->name[c]);
        fputs(c ? "| " : " ", to);
        pad(to, left / 2);
        fputs(printing->name[c], to);
        if (c + 1 < printing->columns)
            pad(to, left - left / 2 + 1);
    }
    putc('\n', to);
    for (size_t c = 0; c < printing->columns; c++) {
        if (c)
            putc('+', to);
        dashes(to, width[c] + 2);
    }
    putc('\n', to);
}

/* One row, on as many lines as its longest cell has. */
static void row_write(const struct printing *printing, char *const *cells, const size_t *width)
{
    FILE *to = printing->to;
    const char **rest = memory_get(printing->columns * sizeof *rest);
    bool more = true;
    for (size_t c = 0; c < printing->columns; c++)
        rest[c] = cells[c] ? cells[c] : "";
    while (more) {
        more = false;
        for (size_t c = 0; c < printing->columns; c++) {
            const char *text = rest[c] ? rest[c] : "";
            size_t bytes = strcspn(text, "\n"), left = width[c] - line_width(text, bytes);
            bool goes_on = text[bytes] != 0;
            fputs(c ? "| " : " ", to);
            if (printing->right[c])
                pad(to, left);
            fwrite(text, 1, bytes, to);
            if (!printing->right[c] && (c + 1 < printing->columns || goes_on))
                pad(to, left);
            if (goes_on)
                putc('+', to);
            else if (c + 1 < printing->columns)
                putc(' ', to);
            rest[c] = goes_on ? text + bytes + 1 : NULL;
            more |= goes_on;
        }
        putc('\n', to);
    }
    free(rest);
}

static void aligned_write(struct printing *printing, bool first)
{
    size_t *width = memory_get(printing->columns * sizeof *width);
    for (size_t c = 0; c < printing->columns; c++) {
        width[c] = text_width(printing->name[c]);
        for (size_t r = 0; r < printing->rows; r++) {
            const char *cell = printing->cell[r * printing->columns + c];
            size_t wide = cell ? text_width(cell) : 0;
            width[c] = wide > width[c] ? wide : width[c];
        }
    }
    if (first && printing->options->title)
        fprintf(printing->to, "%s\n", printing->options->title);
    if (first && !printing->options->tuples_only)
        head_write(printing, width);
    for (size_t r = 0; r < printing->rows; r++)
        row_write(printing, &printing->cell[r * printing->columns], width);
    free(width);
    rows_forget(printing);
}

static void expanded_write(struct printing *printing)
{
    size_t widest = 0, first = printing->given - printing->rows;
    for (size_t c = 0; c < printing->columns; c++) {
        size_t width = text_width(printing->name[c]);
        widest = width > widest ? width : widest;
    }
    for (size_t r = 0; r < printing->rows; r++) {
        if (!printing->options->tuples_only)
            fprintf(printing->to, "-[ RECORD %zu ]-\n", first + r + 1);
        for (size_t c = 0; c < printing->columns; c++) {
            const char *cell = printing->cell[r * printing->columns + c];
            fputs(printing->name[c], printing->to);
            pad(printing->to, widest - text_width(printing->name[c]));
            fprintf(printing->to, " | %s\n", cell ? cell : "");
        }
    }
    rows_forget(printing);
}

/* ---- as they come ---- */

static void csv_cell(FILE *to, const char *text)
{
    if (!text)
        return;
    if (*text && !strpbrk(text, "\",\n\r")) {
        fputs(text, to);
        return;
    }
    putc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', to);
        putc(*text, to);
    }
    putc('"', to);
}

static void line_write(const struct printing *printing, char *const *cells)
{
    bool csv = printing->options->format == PRINT_CSV;
    for (size_t c = 0; c < printing->columns; c++) {
        if (c)
            putc(csv ? ',' : '|', printing->to);
        if (csv)
            csv_cell(printing->to, cells[c]);
        else
            fputs(cells[c] ? cells[c] : "", printing->to);
    }
    putc('\n', printing->to);
}

static void json_write(const struct printing *printing, const json_t *row)
{
    json_t *object = json_object();
    for (size_t c = 0; c < printing->columns; c++)
        json_object_set(object, printing->name[c], json_array_get(row, c));
    char *text = json_dumps(object, JSON_COMPACT);
    fprintf(printing->to, "%s\n", text ? text : "{}");
    free(text);
    json_decref(object);
}

/* One line, its blanks single, and not too long. */
static void cell_cut(char *cell)
{
    char *to = cell;
    size_t width = 0;
    for (const char *from = cell; *from; from++) {
        bool blank = *from == ' ' || *from == '\n' || *from == '\t';
        if (blank && (to == cell || to[-1] == ' '))
            continue;
        width += (*from & 0xc0) != 0x80;
        if (width > PRINT_CELL_MAX)
            break;
        *to++ = blank ? ' ' : *from;
    }
    *to = 0;
}

static void row_hold(struct printing *printing, const json_t *row)
{
    if (printing->rows == printing->room) {
        printing->room = printing->room ? 2 * printing->room : 64;
        printing->cell = memory_resize(printing->cell, printing->room * printing->columns * sizeof(char *));
    }
    for (size_t c = 0; c < printing->columns; c++) {
        char *cell = cell_text(json_array_get(row, c));
        if (cell && printing->options->cut && printing->options->format == PRINT_ALIGNED)
            cell_cut(cell);
        printing->cell[printing->rows * printing->columns + c] = cell;
    }
    printing->rows++;
    printing->given++;
}

static void row_take(struct printing *printing, const json_t *row)
{
    switch (printing->options->format) {
    case PRINT_ALIGNED:
        row_hold(printing, row);
        if (printing->rows == ROWS_ALIGNED_MAX && printing->options->expanded)
            expanded_write(printing);
        else if (printing->rows == ROWS_ALIGNED_MAX)
            aligned_write(printing, printing->given == printing->rows);
        return;
    case PRINT_JSON:
        json_write(printing, row);
        return;
    case PRINT_UNALIGNED:
    case PRINT_CSV:
        row_hold(printing, row);
        line_write(printing, printing->cell);
        rows_forget(printing);
        return;
    }
}

/* ---- lines of the answer ---- */

static void result_begin(struct printing *printing, const json_t *columns)
{
    columns_take(printing, columns);
    enum print_format format = printing->options->format;
    if ((format == PRINT_CSV || format == PRINT_UNALIGNED) && !printing->options->tuples_only)
        line_write(printing, printing->name);
}

static void result_end(struct printing *printing)
{
    const struct print_options *options = printing->options;
    if (!printing->open)
        return;
    if (options->format == PRINT_ALIGNED && options->expanded)
        expanded_write(printing);
    else if (options->format == PRINT_ALIGNED && (printing->rows || printing->given == 0))
        aligned_write(printing, printing->given == printing->rows);
    if (!options->tuples_only && !options->title && !options->expanded &&
        (options->format == PRINT_ALIGNED || options->format == PRINT_UNALIGNED))
        fprintf(printing->to, "(%zu row%s)\n%s", printing->given, printing->given == 1 ? "" : "s",
                options->format == PRINT_ALIGNED ? "\n" : "");
    columns_forget(printing);
}

/* "INSERT 0 3" is what people know, "INSERT 3" what is meant. */
static void tag_write(const struct printing *printing, const json_t *end)
{
    const char *command = member(end, "command");
    const json_t *count = json_object_get(end, "rows_affected");
    if (!command || !*command || printing->options->quiet || printing->options->tuples_only ||
        printing->options->format == PRINT_CSV || printing->options->format == PRINT_JSON)
        return;
    if (json_is_integer(count))
        fprintf(printing->to, "%s %lld\n", command, (long long)json_integer_value(count));
    else
        fprintf(printing->to, "%s\n", command);
}

static bool take(void *argument, const json_t *line)
{
    struct printing *printing = argument;
    const char *type = member(line, "type");
    if (json_is_array(line)) {
        row_take(printing, line);
        return !ferror(printing->to);
    }
    if (!type)
        return true;
    const json_t *columns = json_object_get(line, "columns");
    if ((strcmp(type, "header") == 0 || strcmp(type, "result") == 0) && json_array_size(columns))
        result_begin(printing, columns);
    else if (strcmp(type, "notice") == 0)
        fprintf(stderr, "%s:  %s\n", member(line, "severity") ? member(line, "severity") : "NOTICE",
                member(line, "message") ? member(line, "message") : "");
    else if (strcmp(type, "end") == 0 || strcmp(type, "complete") == 0) {
        bool had_rows = printing->open;
        result_end(printing);
        if (!had_rows)
            tag_write(printing, line);
    }
    return true;
}

bool print_statement(struct server *server, const char *sql, const struct print_options *options, FILE *to)
{
    struct printing printing = {.options = options, .to = to};
    const struct server_lines lines = {.take = take, .argument = &printing};
    bool done = server_statement(server, sql, options->format == PRINT_JSON, &lines);
    if (!done)
        result_end(&printing);
    columns_forget(&printing);
    fflush(to);
    return done;
}

/* ---- lists of objects ---- */

static json_t *joined(json_t *value)
{
    struct buffer text = {0};
    if (!json_is_array(value))
        return json_incref(value);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *part = json_string_value(json_array_get(value, i));
        buffer_format(&text, i ? ", %s" : "%s", part ? part : "?");
    }
    json_t *made = json_string(buffer_string(&text));
    buffer_free(&text);
    return made;
}

void print_items(const json_t *items, const struct print_column *columns, size_t count,
                 const struct print_options *options, FILE *to)
{
    struct printing printing = {.options = options, .to = to};
    json_t *header = json_pack("{s:s, s:[]}", "type", "header", "columns");
    json_t *end = json_pack("{s:s}", "type", "end");
    for (size_t c = 0; c < count; c++)
        json_array_append_new(json_object_get(header, "columns"),
                              json_pack("{s:s}", "name", columns[c].title));
    (void)take(&printing, header);
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *row = json_array();
        for (size_t c = 0; c < count; c++) {
            json_t *value = json_object_get(json_array_get(items, i), columns[c].member);
            json_array_append_new(row, value ? joined(value) : json_null());
        }
        (void)take(&printing, row);
        json_decref(row);
    }
    (void)take(&printing, end);
    json_decref(header);
    json_decref(end);
    columns_forget(&printing);
    fflush(to);
}

/* ---- results for ourselves ---- */

static bool keep(void *argument, const json_t *line)
{
    struct cells *cells = argument;
    if (!json_is_array(line))
        return true;
    cells->columns = json_array_size(line);
    cells->cell = memory_resize(cells->cell, (cells->rows + 1) * cells->columns * sizeof(char *));
    for (size_t c = 0; c < cells->columns; c++)
        cells->cell[cells->rows * cells->columns + c] = cell_text(json_array_get(line, c));
    cells->rows++;
    return true;
}

bool cells_read(struct server *server, const char *sql, struct cells *cells)
{
    const struct server_lines lines = {.take = keep, .argument = cells};
    *cells = (struct cells){0};
    return server_statement(server, sql, false, &lines);
}

void cells_free(struct cells *cells)
{
    for (size_t i = 0; i < cells->rows * cells->columns; i++)
        free(cells->cell[i]);
    free(cells->cell);
    *cells = (struct cells){0};
}

void buffer_literal(struct buffer *buffer, const char *text)
{
    bool escaped = strchr(text, '\\') != NULL;
    buffer_text(buffer, escaped ? " E'" : "'");
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buffer_add(buffer, text, 1);
        buffer_add(buffer, text, 1);
    }
    buffer_text(buffer, "'");
}
