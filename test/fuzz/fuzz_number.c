/* Texts and bytes of numbers and times, whatever they are: a value that is read is shown as a text that reads back as the same
 * value, and so are its bytes; formats and units, whatever they are, answer or fail.
 *
 * An input is  type | form | bytes:  the type by its place below; form 0 is text, 1 the binary form, 2 a text and a format with a
 * zero byte between them, for to_char(), to_number(), to_timestamp() and extract(). */
#include "base/check.h"
#include "sqlfront/library/library.h"
#include "sqlfront/value/time/zone.h"
#include "test/fuzz/fuzz.h"

static const uint32_t types[] = {
    TYPE_NUMERIC, TYPE_INT4,      TYPE_INT8,        TYPE_FLOAT4,   TYPE_FLOAT8,
    TYPE_BOOL,    TYPE_OID,       TYPE_TID,         TYPE_DATE,     TYPE_TIME,
    TYPE_TIMETZ,  TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ, TYPE_INTERVAL, TYPE_INT2,
};
#define TYPES (sizeof types / sizeof types[0])

static const struct type *find(struct environment *environment, uint32_t oid)
{
    return type_builtin(oid);
}

struct trial {
    struct environment environment;
    struct scope *scope;
    const struct type *type;
    struct error error;
};

static bool same(struct trial *trial, const struct value *a, const struct value *b)
{
    bool equal = value_equal(&trial->environment, trial->type, a, b);
    check(!equal ||
          value_hash(&trial->environment, trial->type, a) == value_hash(&trial->environment, trial->type, b));
    return equal;
}

/* Binary forms may hold values that no text reads (an interval beyond all units), and a zone's rule may be further from
 * Greenwich than a written distance may ("z87"): then reading it again fails, and is all that may fail. */
static void goes_around(struct trial *trial, const struct value *value, bool from_text)
{
    const struct type_ops *ops = trial->type->ops;
    struct bytes text, binary;
    struct value again;
    check(!ops->out(&trial->environment, trial->scope, trial->type, value, &text, &trial->error));
    enum sqlstate failed =
        ops->in(&trial->environment, trial->scope, trial->type, -1, text, &again, &trial->error);
    check(!failed || !from_text || trial->type->oid == TYPE_TIMETZ, "%s",
          error_text(&trial->error, ERROR_MESSAGE));
    check(failed || same(trial, value, &again), "%.*s", (int)text.size, (const char *)text.data);
    check(!ops->send(&trial->environment, trial->scope, trial->type, value, &binary, &trial->error));
    failed = ops->receive(&trial->environment, trial->scope, trial->type, -1, binary, &again, &trial->error);
    check(!failed || trial->type->oid == TYPE_TIMETZ, "%s", error_text(&trial->error, ERROR_MESSAGE));
    check(failed || same(trial, value, &again));
}

static void run(struct trial *trial, const char *name, const struct type *result,
                const struct value *arguments)
{
    const struct function *function = function_find(name);
    struct call call = {.environment = &trial->environment,
                        .scope = trial->scope,
                        .scope_lasting = trial->scope,
                        .error = &trial->error,
                        .result = result,
                        .modifier = -1};
    struct value value = {0};
    struct bytes text;
    check(function != NULL, "%s", name);
    if (function->run(&call, arguments, &value) || value.null)
        return;
    check(!result->ops->out(&trial->environment, trial->scope, result, &value, &text, &trial->error));
}

static void try_formats(struct trial *trial, struct bytes input)
{
    const uint8_t *zero = memchr(input.data, 0, input.size);
    if (!zero)
        return;
    struct bytes first = bytes_of(input.data, (size_t)(zero - input.data));
    struct bytes second = bytes_of(zero + 1, input.size - first.size - 1);
    const struct value texts[2] = {value_bytes(first.data, first.size),
                                   value_bytes(second.data, second.size)};
    run(trial, "numeric_to_number", type_builtin(TYPE_NUMERIC), texts);
    run(trial, "to_timestamp", type_builtin(TYPE_TIMESTAMPTZ), texts);
    run(trial, "to_date", type_builtin(TYPE_DATE), texts);
    static const struct {
        uint32_t type;
        const char *to_char, *extract, *trunc;
    } shown[] = {{TYPE_NUMERIC, "numeric_to_char", NULL, NULL},
                 {TYPE_INT4, "int4_to_char", NULL, NULL},
                 {TYPE_FLOAT8, "float8_to_char", NULL, NULL},
                 {TYPE_TIMESTAMP, "timestamp_to_char", "extract_timestamp", "timestamp_trunc"},
                 {TYPE_TIMESTAMPTZ, "timestamptz_to_char", "extract_timestamptz", "timestamptz_trunc"},
                 {TYPE_INTERVAL, "interval_to_char", "extract_interval", "interval_trunc"}};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        const struct type *type = type_builtin(shown[i].type);
        struct value value;
        if (type->ops->in(&trial->environment, trial->scope, type, -1, first, &value, &trial->error))
            continue;
        const struct value formatted[2] = {value, texts[1]}, part[2] = {texts[1], value};
        run(trial, shown[i].to_char, type_builtin(TYPE_TEXT), formatted);
        if (shown[i].extract) {
            run(trial, shown[i].extract, type_builtin(TYPE_NUMERIC), part);
            run(trial, shown[i].trunc, type, part);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct trial trial = {.scope = scope_open_root("fuzz", NULL),
                          .type = type_builtin(types[data[0] % TYPES]),
                          .environment = {.type_find = find,
                                          .extra_float_digits = 1,
                                          .zone = zone_find(bytes_of_text("Europe/Berlin"))}};
    check(trial.scope && trial.environment.zone);
    trial.environment.date_order = data[1] / 4 % 3;
    trial.environment.interval_style = data[1] / 16 % 4;
    struct bytes input = bytes_of(data + 2, size - 2);
    struct value value;
    const struct type_ops *ops = trial.type->ops;
    bool text = data[1] % 4 == 0;
    if (data[1] % 4 == 2)
        try_formats(&trial, input);
    else if (!(text ? ops->in : ops->receive)(&trial.environment, trial.scope, trial.type, -1, input, &value,
                                              &trial.error))
        goes_around(&trial, &value, text);
    scope_close(trial.scope);
    return 0;
}
