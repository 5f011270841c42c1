/* concat, concat_ws, format: texts made of any number of values (PostgreSQL manual, 9.4, 9.4.1). */
#include "sqlfront/value/array/spread.h"

#include "sqlfront/value/text/text.h"

/* ---- concat ---- */

static enum sqlstate joined(struct call *call, const struct value *arguments, uint32_t first,
                            struct bytes separator, struct value *result)
{
    struct spread spread;
    struct text text = text_in(call->scope);
    bool any = false;
    enum sqlstate failed = spread_open(call, arguments, first, &spread);
    *result = value_null();
    if (!failed && spread.null)
        return SQLSTATE_OK;
    for (uint32_t i = 0; i < spread.count && !failed; i++) {
        const struct type *type;
        struct value value = spread_get(&spread, i, &type);
        struct bytes shown;
        if (value.null)
            continue;
        failed = value_out(call->environment, call->scope, type, &value, &shown, call->error);
        if (failed)
            break;
        if (any)
            text_bytes(&text, separator);
        text_bytes(&text, shown);
        any = true;
    }
    return failed ? failed : value_of_text(&text, result, call->error);
}

static enum sqlstate text_concat(struct call *call, const struct value *arguments, struct value *result)
{
    return joined(call, arguments, 0, bytes_of("", 0), result);
}

static enum sqlstate text_concat_ws(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_null();
    return arguments[0].null ? SQLSTATE_OK : joined(call, arguments, 1, value_view(&arguments[0]), result);
}

/* ---- format: %[position$][-][width]type, the width also as *, or *position$ ---- */

struct formatting {
    struct call *call;
    struct bytes format;
    size_t at;
    struct spread arguments;
    uint32_t next; /* argument, from 0, when no position is told */
    struct text out;
};

struct specifier {
    bool left;
    int64_t width;
    uint32_t argument; /* from 0 */
    uint8_t type;
};

static enum sqlstate wrong(struct formatting *f, const char *message)
{
    return error_set(f->call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "%s", message);
}

static enum sqlstate unterminated(struct formatting *f)
{
    enum sqlstate failed = wrong(f, "unterminated format() type specifier");
    error_add(f->call->error, ERROR_HINT, "For a single \"%%\" use \"%%%%\".");
    return failed;
}

/* Digits at `at`; *given tells whether there were any. */
static enum sqlstate read_number(struct formatting *f, int64_t *number, bool *given)
{
    *number = 0;
    *given = false;
    for (; f->at < f->format.size && f->format.data[f->at] >= '0' && f->format.data[f->at] <= '9'; f->at++) {
        *number = *number * 10 + (f->format.data[f->at] - '0');
        *given = true;
        if (*number > INT32_MAX)
            return error_set(f->call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range");
    }
    return f->at < f->format.size ? SQLSTATE_OK : unterminated(f);
}

static enum sqlstate position_is_zero(struct formatting *f)
{
    return wrong(f, "format specifies argument 0, but arguments are numbered from 1");
}

/* The width that stands in an argument. */
static enum sqlstate take_width(struct formatting *f, int64_t position, bool given, struct specifier *spec)
{
    uint32_t at = given ? (uint32_t)position - 1 : f->next++;
    const struct type *type;
    if (given)
        f->next = at + 1;
    if (at >= f->arguments.count)
        return wrong(f, "too few arguments for format()");
    struct value value = spread_get(&f->arguments, at, &type);
    if (value.null) {
        spec->width = 0;
        return SQLSTATE_OK;
    }
    if (type->kind == VALUE_INTEGER && (type->oid == TYPE_INT2 || type->oid == TYPE_INT4)) {
        spec->width = value.i;
    } else {
        const struct type *integer = f->call->environment->type_find(f->call->environment, TYPE_INT4);
        struct bytes shown;
        enum sqlstate failed =
            value_out(f->call->environment, f->call->scope, type, &value, &shown, f->call->error);
        if (!failed)
            failed = integer->ops->in(f->call->environment, f->call->scope, integer, -1, shown, &value,
                                      f->call->error);
        if (failed)
            return failed;
        spec->width = value.i;
    }
    if (spec->width == INT32_MIN)
        return error_set(f->call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range");
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    return SQLSTATE_OK;
}

/* Flags and width behind the position. */
static enum sqlstate read_width(struct formatting *f, struct specifier *spec)
{
    int64_t position;
    bool given;
    while (f->format.data[f->at] == '-') {
        spec->left = true;
        if (++f->at == f->format.size)
            return unterminated(f);
    }
    if (f->format.data[f->at] != '*')
        return read_number(f, &spec->width, &given);
    if (++f->at == f->format.size)
        return unterminated(f);
    enum sqlstate failed = read_number(f, &position, &given);
    if (failed)
        return failed;
    if (given) {
        if (f->format.data[f->at] != '$')
            return wrong(f, "width argument position must be ended by \"$\"");
        if (++f->at == f->format.size)
            return unterminated(f);
        if (position == 0)
            return position_is_zero(f);
    }
    return take_width(f, position, given, spec);
}

/* `at` stands behind the percent sign. */
static enum sqlstate read_specifier(struct formatting *f, struct specifier *spec)
{
    int64_t number;
    bool given, positioned = false;
    *spec = (struct specifier){0};
    enum sqlstate failed = read_number(f, &number, &given);
    if (failed)
        return failed;
    if (given && f->format.data[f->at] == '$') {
        if (number == 0)
            return position_is_zero(f);
        if (++f->at == f->format.size)
            return unterminated(f);
        positioned = true;
        given = false;
    }
    if (given)
        spec->width = number;
    else if ((failed = read_width(f, spec)))
        return failed;
    spec->argument = positioned ? (uint32_t)number - 1 : f->next;
    spec->type = f->format.data[f->at];
    if (spec->type != 's' && spec->type != 'I' && spec->type != 'L') {
        failed = error_set(f->call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                           "unrecognized format() type specifier \"%.*s\"", (int)character_bytes(spec->type),
                           (const char *)f->format.data + f->at);
        error_add(f->call->error, ERROR_HINT, "For a single \"%%\" use \"%%%%\".");
        return failed;
    }
    f->at++;
    if (spec->argument >= f->arguments.count)
        return wrong(f, "too few arguments for format()");
    f->next = spec->argument + 1;
    return SQLSTATE_OK;
}

static void pad(struct text *out, int64_t count)
{
    for (; count > 0; count--)
        text_append(out, " ");
}

static enum sqlstate put_argument(struct formatting *f, const struct specifier *spec)
{
    const struct type *type;
    struct value value = spread_get(&f->arguments, spec->argument, &type), piece;
    struct bytes shown = bytes_of("", 0);
    enum sqlstate failed = SQLSTATE_OK;
    if (value.null && spec->type == 'I')
        return error_set(f->call->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED,
                         "null values cannot be formatted as an SQL identifier");
    if (!value.null)
        failed = value_out(f->call->environment, f->call->scope, type, &value, &shown, f->call->error);
    if (failed)
        return failed;
    struct text text = text_in(f->call->scope);
    if (spec->type == 'I')
        quote_name(&text, shown);
    else if (spec->type == 'L' && value.null)
        text_append(&text, "NULL");
    else if (spec->type == 'L')
        quote_string(&text, shown);
    else
        text_bytes(&text, shown);
    if ((failed = value_of_text(&text, &piece, f->call->error)))
        return failed;
    int64_t blanks = spec->width - (int64_t)character_count(value_view(&piece));
    if (!spec->left)
        pad(&f->out, blanks);
    text_bytes(&f->out, value_view(&piece));
    if (spec->left)
        pad(&f->out, blanks);
    return SQLSTATE_OK;
}

static enum sqlstate text_format_run(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_null();
    if (arguments[0].null)
        return SQLSTATE_OK;
    struct formatting f = {.call = call, .format = value_view(&arguments[0]), .out = text_in(call->scope)};
    enum sqlstate failed = spread_open(call, arguments, 1, &f.arguments);
    while (!failed && f.at < f.format.size) {
        const uint8_t *start = f.format.data + f.at;
        const uint8_t *percent = memchr(start, '%', f.format.size - f.at);
        size_t size = percent ? (size_t)(percent - start) : f.format.size - f.at;
        text_bytes(&f.out, bytes_of(start, size));
        f.at += size;
        if (!percent)
            break;
        if (++f.at == f.format.size)
            return unterminated(&f);
        if (f.format.data[f.at] == '%') {
            text_append(&f.out, "%");
            f.at++;
            continue;
        }
        struct specifier spec;
        failed = read_specifier(&f, &spec);
        if (!failed)
            failed = put_argument(&f, &spec);
    }
    return failed ? failed : value_of_text(&f.out, result, call->error);
}

static const struct function functions[] = {
    {"text_concat", text_concat, 0},
    {"text_concat_ws", text_concat_ws, 0},
    {"text_format", text_format_run, 0},
    {"text_format_nv", text_format_run, 0},
    {NULL, NULL, 0},
};

const struct library array_format_library = {.functions = functions};
