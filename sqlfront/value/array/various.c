/* Functions of any values that need nothing but them: how many are null, their type, their size (PostgreSQL manual, 9.2, 9.26,
 * 9.27.7); names of encodings. */
#include "sqlfront/value/array/spread.h"

#include "sqlfront/value/text/text.h"

#include <stdio.h>
#include <stdlib.h>
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

/* ---- encodings ---- */

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
    {"PG_encoding_to_char", encoding_to_char, 0},
    {"PG_char_to_encoding", char_to_encoding, 0},
    {"oidvectortypes", oidvectortypes, 0},
    {NULL, NULL, 0},
};

const struct library various_library = {.functions = functions};
