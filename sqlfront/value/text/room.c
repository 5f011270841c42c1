/* Memory of results, and what all parts of the value library ask about types. */
#include "sqlfront/value/text/text.h"

#include "base/check.h"
#include "base/fiber.h"
#include "base/world.h"

#include <stdio.h>

enum sqlstate value_room(struct scope *scope, size_t size, uint8_t **room, struct error *error)
{
    if (size > VALUE_BYTES_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "invalid memory alloc request size %zu",
                         size);
    void *memory = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    if (size <= SCOPE_SMALL_BYTES)
        memory = scope_alloc(scope, size ? size : 1);
    else
        failed = scope_alloc_large(scope, size, 16, &memory, error);
    *room = memory;
    return failed;
}

enum sqlstate value_breathe(struct environment *environment, struct error *error)
{
    struct world *world = environment->world;
    if (!world || !fiber_can_yield(world->scheduler))
        return SQLSTATE_OK;
    fiber_breathe(world->scheduler);
    return fiber_canceled(world->scheduler) ? fiber_check_canceled(world->scheduler, error) : SQLSTATE_OK;
}

enum sqlstate value_of_text(struct text *text, struct value *value, struct error *error)
{
    const char *whole;
    enum sqlstate failed = text_end(text, &whole, error);
    if (!failed)
        *value = value_bytes(whole, text->size);
    return failed;
}

enum sqlstate value_out(struct environment *environment, struct scope *scope, const struct type *type,
                        const struct value *value, struct bytes *text, struct error *error)
{
    return type->ops->out(environment, scope, type, value, text, error);
}

enum sqlstate value_as_text(struct environment *environment, struct scope *scope, const struct type *type,
                            const struct value *value, struct bytes *text, struct error *error)
{
    if (type->oid == TYPE_BOOL) {
        *text = bytes_of_text(value->i ? "true" : "false");
        return SQLSTATE_OK;
    }
    enum sqlstate failed = value_out(environment, scope, type, value, text, error);
    if (!failed && type->oid == TYPE_BPCHAR)
        *text = blanks_cut(*text);
    return failed;
}

enum sqlstate type_of_oid(struct environment *environment, uint32_t oid, const struct type **type,
                          struct error *error)
{
    *type = environment->type_find(environment, oid);
    if (*type)
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_INTERNAL_ERROR, "cache lookup failed for type %u", oid);
}

const char *type_shown_name(struct environment *environment, struct scope *scope, const struct type *type)
{
    static const struct {
        uint32_t oid;
        const char *name;
    } shown[] = {
        {TYPE_BOOL, "boolean"},
        {TYPE_CHAR, "\"char\""},
        {TYPE_INT2, "smallint"},
        {TYPE_INT4, "integer"},
        {TYPE_INT8, "bigint"},
        {TYPE_FLOAT4, "real"},
        {TYPE_FLOAT8, "double precision"},
        {TYPE_BPCHAR, "character"},
        {TYPE_VARCHAR, "character varying"},
        {TYPE_TIME, "time without time zone"},
        {TYPE_TIMETZ, "time with time zone"},
        {TYPE_TIMESTAMP, "timestamp without time zone"},
        {TYPE_TIMESTAMPTZ, "timestamp with time zone"},
        {TYPE_BIT, "bit"},
        {TYPE_VARBIT, "bit varying"},
    };
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        if (shown[i].oid == type->oid)
            return shown[i].name;
    bool vector = type->oid == TYPE_INT2VECTOR || type->oid == TYPE_OIDVECTOR;
    if (!type->element || vector || type->category != 'A')
        return type->name;
    const struct type *element = environment->type_find(environment, type->element);
    check(element, "array type %s has no element type", type->name);
    const char *name = type_shown_name(environment, scope, element);
    size_t length = strlen(name);
    char *room = scope_alloc(scope, length + 3);
    memcpy(room, name, length);
    memcpy(room + length, "[]", 3);
    return room;
}
