/* Errors with positions, lists that grow, and other small things the binder's files share. */
#include "sqlfront/bind/binder.h"

#include "base/fiber.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- errors ---- */

/* Clients count characters from 1; the parser counts bytes. */
static uint32_t position_of(const char *text, int32_t offset)
{
    if (!text || offset < 0)
        return 0;
    uint32_t characters = 1;
    for (int32_t i = 0; i < offset && text[i]; i++)
        characters += ((unsigned char)text[i] & 0xc0) != 0x80;
    return characters;
}

void fail_at(struct binder *binder, int32_t position)
{
    if (!binder->error->position)
        binder->error->position = position_of(binder->text, position);
}

void *fail(struct binder *binder, enum sqlstate state, int32_t position, const char *format, ...)
{
    char message[ERROR_ROOM_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    enum sqlstate set = error_set(binder->error, state, "%s", message);
    if (set)
        fail_at(binder, position);
    return NULL;
}

void fail_hint(struct binder *binder, const char *format, ...)
{
    char text[ERROR_ROOM_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_add(binder->error, ERROR_HINT, "%s", text);
}

void fail_detail(struct binder *binder, const char *format, ...)
{
    char text[ERROR_ROOM_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_add(binder->error, ERROR_DETAIL, "%s", text);
}

bool stack_suffices(struct binder *binder)
{
    return !fiber_check_stack(binder->request->world->scheduler, binder->error);
}

/* ---- lists ---- */

void *memory(struct binder *binder, size_t bytes)
{
    if (bytes <= SCOPE_SMALL_BYTES)
        return scope_alloc_zeroed(binder->scope, bytes ? bytes : 1);
    void *large = NULL;
    if (scope_alloc_large(binder->scope, bytes, 16, &large, binder->error))
        return NULL;
    memset(large, 0, bytes);
    return large;
}

/* Room is 4, 8, 16 ... items. */
void *list_grow(struct binder *binder, void *array, uint32_t count, size_t item)
{
    if (count && (count < 4 || (count & (count - 1))))
        return array;
    void *grown = memory(binder, (count ? 2 * (size_t)count : 4) * item);
    if (grown && count)
        memcpy(grown, array, count * item);
    return grown;
}

/* ---- the parse tree ---- */

const char *node_string(const Node *node)
{
    return ((const String *)node)->sval;
}

static int32_t leftmost(int32_t a, int32_t b)
{
    if (a < 0)
        return b;
    return b < 0 || a < b ? a : b;
}

static int32_t list_position(const List *list)
{
    const ListCell *cell;
    foreach(cell, list)
    {
        int32_t position = node_position(lfirst(cell));
        if (position >= 0)
            return position;
    }
    return -1;
}

int32_t node_position(const Node *node)
{
    if (!node)
        return -1;
    switch (nodeTag(node)) {
    case T_RangeVar:
        return ((const RangeVar *)node)->location;
    case T_ColumnRef:
        return ((const ColumnRef *)node)->location;
    case T_ParamRef:
        return ((const ParamRef *)node)->location;
    case T_A_Const:
        return ((const A_Const *)node)->location;
    case T_FuncCall:
        return leftmost(((const FuncCall *)node)->location, list_position(((const FuncCall *)node)->args));
    case T_A_ArrayExpr:
        return ((const A_ArrayExpr *)node)->location;
    case T_A_Indirection:
        return node_position(((const A_Indirection *)node)->arg);
    case T_ResTarget:
        return ((const ResTarget *)node)->location;
    case T_MultiAssignRef:
        return node_position(((const MultiAssignRef *)node)->source);
    case T_A_Expr: {
        const A_Expr *expression = (const A_Expr *)node;
        return leftmost(expression->location, node_position(expression->lexpr));
    }
    case T_BoolExpr:
        return leftmost(((const BoolExpr *)node)->location, list_position(((const BoolExpr *)node)->args));
    case T_SubLink:
        return leftmost(node_position(((const SubLink *)node)->testexpr), ((const SubLink *)node)->location);
    case T_TypeCast: {
        const TypeCast *cast = (const TypeCast *)node;
        int32_t position = node_position(cast->arg);
        position = leftmost(position, cast->typeName->location);
        return leftmost(position, cast->location);
    }
    case T_CollateClause:
        return node_position(((const CollateClause *)node)->arg);
    case T_CaseExpr:
        return ((const CaseExpr *)node)->location;
    case T_RowExpr:
        return ((const RowExpr *)node)->location;
    case T_CoalesceExpr:
        return ((const CoalesceExpr *)node)->location;
    case T_MinMaxExpr:
        return ((const MinMaxExpr *)node)->location;
    case T_SQLValueFunction:
        return ((const SQLValueFunction *)node)->location;
    case T_GroupingFunc:
        return ((const GroupingFunc *)node)->location;
    case T_GroupingSet:
        return ((const GroupingSet *)node)->location;
    case T_NullTest:
        return leftmost(((const NullTest *)node)->location,
                        node_position((const Node *)((const NullTest *)node)->arg));
    case T_BooleanTest:
        return leftmost(((const BooleanTest *)node)->location,
                        node_position((const Node *)((const BooleanTest *)node)->arg));
    case T_SetToDefault:
        return ((const SetToDefault *)node)->location;
    case T_SortBy:
        return node_position(((const SortBy *)node)->node);
    case T_WindowDef:
        return ((const WindowDef *)node)->location;
    case T_TypeName:
        return ((const TypeName *)node)->location;
    case T_List:
        return list_position((const List *)node);
    default:
        return -1;
    }
}

int32_t expression_position(const struct expression *expression)
{
    int32_t position = expression->position;
    switch (expression->kind) {
    case EXPRESSION_SUBSCRIPT:
    case EXPRESSION_FIELD:
        return expression->arguments ? expression_position(expression->argument[0]) : position;
    case EXPRESSION_CALL:
    case EXPRESSION_SET_CALL:
    case EXPRESSION_DISTINCT:
    case EXPRESSION_NULLIF:
    case EXPRESSION_ANY:
    case EXPRESSION_ALL:
    case EXPRESSION_IN_LIST:
    case EXPRESSION_AND:
    case EXPRESSION_OR:
    case EXPRESSION_NOT:
    case EXPRESSION_TEST:
    case EXPRESSION_RELABEL:
    case EXPRESSION_CAST_TEXT:
    case EXPRESSION_CAST_ARRAY:
        for (uint32_t i = 0; i < expression->arguments; i++)
            position = leftmost(position, expression_position(expression->argument[i]));
        return position;
    default:
        return position;
    }
}

const char *names_text(struct binder *binder, const List *names)
{
    struct text text = text_in(binder->scope);
    const ListCell *cell;
    foreach(cell, names)
    {
        if (text.size)
            text_append(&text, ".");
        const Node *part = lfirst(cell);
        text_append(&text, IsA(part, String) ? node_string(part) : "*");
    }
    const char *whole = "";
    return text_end(&text, &whole, binder->error) ? "" : whole;
}

bool names_split(struct binder *binder, const List *names, const char **schema, const char **name)
{
    *schema = NULL;
    switch (list_length(names)) {
    case 1:
        *name = node_string(linitial(names));
        return true;
    case 2:
        *schema = node_string(linitial(names));
        *name = node_string(lsecond(names));
        return true;
    case 3: {
        uint32_t database = 0;
        if (catalog_database(binder->view, node_string(linitial(names)), &database, binder->error))
            return false;
        if (database != catalog_view_session(binder->view)->database) {
            fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1,
                 "cross-database references are not implemented: %s", names_text(binder, names));
            return false;
        }
        *schema = node_string(lsecond(names));
        *name = node_string(lthird(names));
        return true;
    }
    default:
        fail(binder, SQLSTATE_SYNTAX_ERROR, -1, "improper qualified name (too many dotted names): %s",
             names_text(binder, names));
        return false;
    }
}

/* ---- nodes ---- */

uint32_t collation_of_type(const struct type *type)
{
    switch (type->oid) {
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
        return 100;
    case TYPE_NAME:
        return 950;
    default:
        return type->category == 'A' && type->element
                   ? collation_of_type(type_builtin(type->element) ? type_builtin(type->element)
                                                                   : type_builtin(TYPE_INT4))
                   : 0;
    }
}

struct expression *make(struct binder *binder, enum expression_kind kind, const struct type *type,
                        int32_t position)
{
    struct expression *made = expression_make(binder->scope, kind, type);
    made->position = position;
    if (type)
        made->collation = collation_of_type(type);
    return made;
}

struct expression *make_integer(struct binder *binder, int64_t value, uint32_t type)
{
    return expression_constant(binder->scope, type_builtin(type), value_integer(value));
}

void argument_add(struct binder *binder, struct expression *to, struct expression *argument)
{
    to->argument = list_grow(binder, to->argument, to->arguments, sizeof(struct expression *));
    if (to->argument)
        to->argument[to->arguments++] = argument;
}

struct expression *make_boolean_list(struct binder *binder, enum expression_kind kind, struct expression *a,
                                     struct expression *b, int32_t position)
{
    struct expression *made = make(binder, kind, type_builtin(TYPE_BOOL), position);
    argument_add(binder, made, a);
    if (b)
        argument_add(binder, made, b);
    return made;
}

bool expression_is_unknown(const struct expression *expression)
{
    return expression->type->oid == TYPE_UNKNOWN;
}
