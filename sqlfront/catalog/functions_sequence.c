/* nextval, currval, lastval, setval (PostgreSQL manual, 9.17). What a session was given last it remembers itself. */
#include "sqlfront/catalog/functions.h"

#include <string.h>

static struct sequence_value *remembered(struct sequence_memory *memory, uint32_t relation)
{
    for (uint32_t i = 0; memory && i < memory->count; i++)
        if (memory->value[i].relation == relation)
            return &memory->value[i];
    return NULL;
}

static void remember(struct call *call, uint32_t relation, int64_t value)
{
    struct sequence_memory *memory = call->environment->catalog->session->sequences;
    struct sequence_value *known = remembered(memory, relation);
    if (!memory)
        return;
    if (!known) {
        if (memory->count == memory->room) {
            uint32_t room = memory->room ? 2 * memory->room : 8;
            struct sequence_value *values = scope_alloc(memory->scope, room * sizeof *values);
            if (memory->count)
                memcpy(values, memory->value, memory->count * sizeof *values);
            memory->value = values;
            memory->room = room;
        }
        known = &memory->value[memory->count++];
        known->relation = relation;
    }
    known->value = value;
    memory->last = relation;
}

static enum sqlstate check(struct call *call, uint32_t oid, uint32_t privileges,
                           const struct relation **relation)
{
    struct catalog_view *view = call->environment->catalog;
    uint32_t granted;
    enum sqlstate failed = catalog_relation_by_oid(view, oid, relation, call->error);
    if (!failed && !*relation)
        failed = error_set(call->error, SQLSTATE_UNDEFINED_TABLE, "relation with OID %u does not exist", oid);
    if (!failed && (*relation)->kind != RELATION_SEQUENCE)
        failed =
            error_set(call->error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not a sequence", (*relation)->name);
    if (!failed)
        failed = relation_privileges(view, view->session->role, *relation, NULL, 0, 0, &granted, call->error);
    if (!failed && !(granted & privileges))
        failed = error_set(call->error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied for sequence %s",
                           (*relation)->name);
    return failed;
}

static enum sqlstate nextval(struct call *call, const struct value *arguments, struct value *result)
{
    const struct relation *relation;
    int64_t value;
    enum sqlstate failed =
        check(call, (uint32_t)arguments[0].i, PRIVILEGE_USAGE | PRIVILEGE_UPDATE, &relation);
    if (!failed)
        failed = sequence_next(call->environment->catalog, relation->oid, &value, call->error);
    if (failed)
        return failed;
    remember(call, relation->oid, value);
    *result = value_integer(value);
    return SQLSTATE_OK;
}

static enum sqlstate currval(struct call *call, const struct value *arguments, struct value *result)
{
    const struct relation *relation;
    enum sqlstate failed =
        check(call, (uint32_t)arguments[0].i, PRIVILEGE_USAGE | PRIVILEGE_SELECT, &relation);
    if (failed)
        return failed;
    struct sequence_value *known = remembered(call->environment->catalog->session->sequences, relation->oid);
    if (!known)
        return error_set(call->error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "currval of sequence \"%s\" is not yet defined in this session", relation->name);
    *result = value_integer(known->value);
    return SQLSTATE_OK;
}

static enum sqlstate lastval(struct call *call, const struct value *arguments, struct value *result)
{
    struct sequence_memory *memory = call->environment->catalog->session->sequences;
    struct sequence_value *known = memory && memory->last ? remembered(memory, memory->last) : NULL;
    const struct relation *relation;
    (void)arguments;
    if (!known)
        return error_set(call->error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "lastval is not yet defined in this session");
    enum sqlstate failed = check(call, known->relation, PRIVILEGE_USAGE | PRIVILEGE_SELECT, &relation);
    *result = value_integer(known->value);
    return failed;
}

static enum sqlstate set(struct call *call, const struct value *arguments, bool called, struct value *result)
{
    const struct relation *relation;
    enum sqlstate failed = check(call, (uint32_t)arguments[0].i, PRIVILEGE_UPDATE, &relation);
    if (!failed)
        failed = sequence_set(call->environment->catalog, relation->oid, arguments[1].i, called, call->error);
    if (failed)
        return failed;
    if (called)
        remember(call, relation->oid, arguments[1].i);
    *result = value_integer(arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate setval(struct call *call, const struct value *arguments, struct value *result)
{
    return set(call, arguments, true, result);
}

static enum sqlstate setval3(struct call *call, const struct value *arguments, struct value *result)
{
    return set(call, arguments, arguments[2].i, result);
}

/* Null before the first nextval(). */
static enum sqlstate last_value(struct call *call, const struct value *arguments, struct value *result)
{
    const struct relation *relation;
    struct catalog_view *view = call->environment->catalog;
    struct reading reading;
    const uint64_t key = __builtin_bswap64(1);
    const uint16_t wanted[] = {0, 2};
    struct value values[2];
    struct bytes row;
    bool found = false;
    *result = value_null();
    enum sqlstate failed =
        check(call, (uint32_t)arguments[0].i, PRIVILEGE_USAGE | PRIVILEGE_SELECT, &relation);
    if (!failed)
        failed = reading_begin(view, &reading, call->error);
    if (failed)
        return failed;
    failed = row_get(reading.access.transaction, reading.scope, relation->store, bytes_of(&key, sizeof key),
                     &row, &found, call->error);
    if (!failed && found)
        failed = row_decode(relation->layout, row, wanted, 2, values, call->error);
    if (!failed && found && values[1].i)
        *result = value_integer(values[0].i);
    reading_end(view, &reading);
    return failed;
}

static const struct function functions[] = {
    ASKS("nextval_oid", nextval),
    ASKS("currval_oid", currval),
    ASKS("lastval", lastval),
    ASKS("setval_oid", setval),
    ASKS("setval3_oid", setval3),
    ASKS("pg_sequence_last_value", last_value),
    {0},
};

const struct library sequence_library = {.functions = functions};
