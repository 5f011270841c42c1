/* Texts and bytes of values, whatever they are: a value that is read is shown as a text that reads back as the same value, and
 * so are its bytes.
 *
 * An input is  type | form | bytes:  the type by its place below; form 0 is text, 1 the binary form. */
#include "base/check.h"
#include "sqlfront/library/library.h"
#include "test/fuzz/fuzz.h"

static const uint32_t types[] = {
    TYPE_TEXT,          TYPE_BYTEA,         TYPE_JSON,       TYPE_JSONB,          TYPE_ARRAY_OF_INT4,
    TYPE_ARRAY_OF_TEXT, TYPE_UUID,          TYPE_INT2VECTOR, TYPE_NAME,           TYPE_ARRAY_OF_NUMERIC,
    TYPE_CHAR,          TYPE_ARRAY_OF_BOOL, TYPE_BPCHAR,     TYPE_ARRAY_OF_JSONB, TYPE_ARRAY_OF_BYTEA,
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

/* Whether both are the same; types without an order by their text. */
static bool same(struct trial *trial, const struct value *a, const struct value *b)
{
    struct bytes first, second;
    if (trial->type->order != ORDER_NONE) {
        bool equal = value_equal(&trial->environment, trial->type, a, b);
        check(!equal || value_hash(&trial->environment, trial->type, a) ==
                            value_hash(&trial->environment, trial->type, b));
        return equal;
    }
    check(!trial->type->ops->out(&trial->environment, trial->scope, trial->type, a, &first, &trial->error));
    check(!trial->type->ops->out(&trial->environment, trial->scope, trial->type, b, &second, &trial->error));
    return bytes_compare(first, second) == 0;
}

static void goes_around(struct trial *trial, const struct value *value)
{
    const struct type_ops *ops = trial->type->ops;
    struct bytes text, binary;
    struct value again;
    check(!ops->out(&trial->environment, trial->scope, trial->type, value, &text, &trial->error));
    check(!ops->in(&trial->environment, trial->scope, trial->type, -1, text, &again, &trial->error), "%s",
          error_text(&trial->error, ERROR_MESSAGE));
    check(same(trial, value, &again));
    check(!ops->send(&trial->environment, trial->scope, trial->type, value, &binary, &trial->error));
    check(!ops->receive(&trial->environment, trial->scope, trial->type, -1, binary, &again, &trial->error));
    check(same(trial, value, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct trial trial = {.environment = {.type_find = find, .extra_float_digits = 1},
                          .scope = scope_open_root("fuzz", NULL),
                          .type = type_builtin(types[data[0] % TYPES])};
    struct bytes bytes = bytes_of(data + 2, size - 2);
    struct value value;
    check(trial.scope && trial.type && trial.type->ops);
    enum sqlstate failed = data[1] % 2 ? trial.type->ops->receive(&trial.environment, trial.scope, trial.type,
                                                                  -1, bytes, &value, &trial.error)
                                       : trial.type->ops->in(&trial.environment, trial.scope, trial.type, -1,
                                                             bytes, &value, &trial.error);
    check(!failed || error_text(&trial.error, ERROR_MESSAGE));
    if (!failed)
        goes_around(&trial, &value);
    scope_close(trial.scope);
    return 0;
}
