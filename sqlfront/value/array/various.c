/* Functions of any values that need nothing but them: how many are null, their type, their size (PostgreSQL manual, 9.2, 9.26,
 * 9.27.7); names of encodings. */
#include "sqlfront/value/array/spread.h"

#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/text/text.h"

#include <stdio.h>
#include <strings.h>

/* ---- nulls ---- */

static enum sqlstate count_nulls(struct call *call, const struct value *arguments, bool wanted,
                                 struct value *result)
{
    struct spread spread;
    const struct type *type;
    int64_t count = 0;
    enum sqlstate failed = spread_open(call, arguments, 0, &spread);
    for (uint32_t i = 0; i < spread.count && !failed; i++)
        count += spread_get(&spread, i, &type).null == wanted;
    *result = spread.null ? value_null() : value_integer(count);
    return failed;
}

static enum sqlstate pg_num_nulls(struct call *call, const struct value *arguments, struct value *result)
{
    return count_nulls(call, arguments, true, result);
}

static enum sqlstate pg_num_nonnulls(struct call *call, const struct value *arguments, struct value *result)
{
    return count_nulls(call, arguments, false, result);
}

/* ---- type and size ---- */

static enum sqlstate pg_typeof(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(call->types[0]->oid);
    return SQLSTATE_OK;
}

/* What the value takes in a row, which is not what it takes in PostgreSQL's. */
static enum sqlstate pg_column_size(struct call *call, const struct value *arguments, struct value *result)
{
    const struct type *type = call->types[0];
    bool within = type->kind == VALUE_INTEGER || type->kind == VALUE_FLOAT || arguments[0].small;
    int64_t size = within ? (type->width ? type->width : 8) : arguments[0].size;
    bool headed =
        !within && type->width == 0; /* PostgreSQL's header of a short value is one byte, of others four */
    *result = value_integer(size + (headed ? (size < 127 ? 1 : 4) : 0));
    return SQLSTATE_OK;
}

/* Kilobytes and more, halves rounded away from zero, once a unit has reached 10 of the next. */
static enum sqlstate pg_size_pretty(struct call *call, const struct value *arguments, struct value *result)
{
    static const struct {
        const char *name;
        int64_t limit; /* above it the next unit serves */
        bool rounded;
        int shift; /* to the unit, from bytes */
    } units[] = {{"bytes", 10240, false, 0}, {"kB", 20479, true, 10}, {"MB", 20479, true, 20},
                 {"GB", 20479, true, 30},    {"TB", 20479, true, 40}, {"PB", INT64_MAX, true, 50}};
    int64_t size = arguments[0].i;
    char *room = scope_alloc(call->scope, 40);
    for (size_t i = 0;; i++) {
        uint64_t amount = size < 0 ? 0 - (uint64_t)size : (uint64_t)size;
        if (amount >= (uint64_t)units[i].limit && i + 1 < sizeof units / sizeof units[0]) {
            /* One bit more than the unit is kept, to round by. */
            int bits = units[i + 1].shift - units[i].shift + units[i].rounded - units[i + 1].rounded;
            size /= (int64_t)1 << bits;
            continue;
        }
        if (units[i].rounded)
            size = (size + (size > 0 ? 1 : -1)) / 2;
        snprintf(room, 40, "%lld %s", (long long)size, units[i].name);
        *result = value_text(room);
        return SQLSTATE_OK;
    }
}

/* The same of a numeric; fractions of bytes are shown. */
static enum sqlstate pg_size_pretty_numeric(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    struct value cut, bytes = value_integer(0);
    struct text out = text_in(call->scope);
    struct bytes shown;
    enum sqlstate failed = numeric_round_to(call->scope, &arguments[0], 0, true, &cut, call->error);
    if (failed)
        return failed;
    if (!numeric_to_integer(&cut, &bytes.i))
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
    if (bytes.i <= -10240 || bytes.i >= 10240)
        return pg_size_pretty(call, &bytes, result);
    if ((failed = numeric_print(call->scope, &arguments[0], &shown, call->error)))
        return failed;
    text_bytes(&out, shown);
    text_append(&out, " bytes");
    return value_of_text(&out, result, call->error);
}

/* ---- pg_size_bytes: a number, and a unit or none ---- */

static enum sqlstate invalid_size(struct call *call, const struct value *text)
{
    return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "invalid size: \"%.*s\"", (int)text->size,
                     (const char *)text->p);
}

static uint32_t skip_digits(const struct value *text, uint32_t at)
{
    while (at < text->size && text->p[at] >= '0' && text->p[at] <= '9')
        at++;
    return at;
}

/* Where the number that begins at `at` ends; at itself when there is none. */
static uint32_t number_end(const struct value *text, uint32_t at)
{
    uint32_t start = at;
    at += at < text->size && (text->p[at] == '-' || text->p[at] == '+');
    uint32_t digits = at;
    at = skip_digits(text, at);
    uint32_t seen = at - digits;
    if (at < text->size && text->p[at] == '.') {
        uint32_t end = skip_digits(text, at + 1);
        seen += end - at - 1;
        at = end;
    }
    if (seen == 0)
        return start;
    if (at < text->size &&
        (text->p[at] == 'e' || text->p[at] == 'E')) { /* an exponent, unless a unit begins with e */
        uint32_t exponent = at + 1;
        exponent += exponent < text->size && (text->p[exponent] == '-' || text->p[exponent] == '+');
        uint32_t end = skip_digits(text, exponent);
        at = end > exponent ? end : at;
    }
    return at;
}

static enum sqlstate pg_size_bytes(struct call *call, const struct value *arguments, struct value *result)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {{"bytes", 1},      {"b", 1},          {"kb", 1LL << 10}, {"mb", 1LL << 20},
                 {"gb", 1LL << 30}, {"tb", 1LL << 40}, {"pb", 1LL << 50}};
    const struct value *text = &arguments[0];
    uint32_t at = 0, end = text->size;
    while (at < end && is_blank(text->p[at]))
        at++;
    while (end > at && is_blank(text->p[end - 1]))
        end--;
    uint32_t behind = number_end(text, at);
    if (behind == at)
        return invalid_size(call, text);
    struct value number;
    enum sqlstate failed =
        numeric_parse(call->scope, bytes_of(text->p + at, behind - at), &number, call->error);
    if (failed)
        return failed;
    while (behind < end && is_blank(text->p[behind]))
        behind++;
    int64_t factor = behind == end ? 1 : 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0] && behind < end; i++)
        if (end - behind == strlen(units[i].name) &&
            strncasecmp((const char *)text->p + behind, units[i].name, end - behind) == 0)
            factor = units[i].bytes;
    if (factor == 0) {
        failed = invalid_size(call, text);
        error_add(call->error, ERROR_DETAIL, "Invalid size unit: \"%.*s\".", (int)(end - behind),
                  (const char *)text->p + behind);
        error_add(call->error, ERROR_HINT,
                  "Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".");
        return failed;
    }
    struct value unit = value_small_numeric(factor, 0), bytes;
    failed = numeric_multiply(call->scope, &number, &unit, &bytes, call->error);
    if (!failed && !numeric_to_integer(&bytes, &result->i))
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
    *result = value_integer(result->i);
    return failed;
}

/* ---- storage and collation, of which we have one kind ---- */

static enum sqlstate pg_column_compression(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    *result = value_null();
    return SQLSTATE_OK;
}

static enum sqlstate pg_collation_for(struct call *call, const struct value *arguments, struct value *result)
{
    const struct type *type = call->types[0];
    bool collatable = type->category == 'S' || (type->category == 'A' && type->element != TYPE_CHAR);
    if (!collatable)
        return error_set(call->error, SQLSTATE_DATATYPE_MISMATCH, "collations are not supported by type %s",
                         type_shown_name(call->environment, call->scope, type));
    *result = value_text(type->oid == TYPE_NAME ? "\"C\"" : "\"default\"");
    return SQLSTATE_OK;
}

/* ---- encodings ---- */

static enum sqlstate encoding_max_length(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    int64_t number = arguments[0].i;
    *result = number == 6 ? value_integer(4) : number == 0 || number == 8 ? value_integer(1) : value_null();
    return SQLSTATE_OK;
}

static const struct {
    int number;
    const char *name;
} encodings[] = {{0, "SQL_ASCII"}, {6, "UTF8"}, {8, "LATIN1"}};
#define ENCODINGS (sizeof encodings / sizeof encodings[0])

static enum sqlstate encoding_to_char(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_text("");
    for (size_t i = 0; i < ENCODINGS; i++)
        if (encodings[i].number == arguments[0].i)
            *result = value_text(encodings[i].name);
    return SQLSTATE_OK;
}

static enum sqlstate char_to_encoding(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(-1);
    for (size_t i = 0; i < ENCODINGS; i++)
        if (arguments[0].size == strlen(encodings[i].name) &&
            strncasecmp((const char *)arguments[0].p, encodings[i].name, arguments[0].size) == 0)
            *result = value_integer(encodings[i].number);
    return SQLSTATE_OK;
}

/* ---- oidvectortypes: the names of types, with commas ---- */

static enum sqlstate oidvectortypes(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array;
    struct text text = text_in(call->scope);
    array_read(&arguments[0], &array);
    for (uint32_t i = 0; i < array.count; i++) {
        const struct type *type;
        enum sqlstate failed =
            type_of_oid(call->environment, (uint32_t)array_get(&array, i).i, &type, call->error);
        if (failed)
            return failed;
        text_append(&text, i ? ", " : "");
        text_append(&text, type_shown_name(call->environment, call->scope, type));
    }
    return value_of_text(&text, result, call->error);
}

static const struct function functions[] = {
    {"pg_num_nulls", pg_num_nulls, 0},
    {"pg_num_nonnulls", pg_num_nonnulls, 0},
    {"pg_typeof", pg_typeof, 0},
    {"pg_column_size", pg_column_size, 0},
    {"pg_size_pretty", pg_size_pretty, 0},
    {"pg_size_pretty_numeric", pg_size_pretty_numeric, 0},
    {"pg_size_bytes", pg_size_bytes, 0},
    {"pg_column_compression", pg_column_compression, 0},
    {"pg_collation_for", pg_collation_for, 0},
    {"pg_encoding_max_length_sql", encoding_max_length, 0},
    {"PG_encoding_to_char", encoding_to_char, 0},
    {"PG_char_to_encoding", char_to_encoding, 0},
    {"oidvectortypes", oidvectortypes, 0},
    {NULL, NULL, 0},
};

const struct library various_library = {.functions = functions};
