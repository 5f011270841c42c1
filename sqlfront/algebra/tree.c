/* Makers of nodes, and what can be told of an expression without evaluating it. */
#include "sqlfront/algebra/walk.h"

/* ---- makers ---- */

struct expression *expression_make(struct scope *scope, enum expression_kind kind, const struct type *type)
{
    struct expression *made = scope_alloc_zeroed(scope, sizeof *made);
    made->kind = (uint8_t)kind;
    made->type = type;
    made->modifier = -1;
    made->position = -1;
    return made;
}

struct expression *expression_constant(struct scope *scope, const struct type *type, struct value value)
{
    struct expression *made = expression_make(scope, EXPRESSION_CONSTANT, type);
    made->constant = value;
    return made;
}

struct expression *expression_column(struct scope *scope, uint32_t range, int32_t number,
                                     const struct type *type, int32_t modifier, uint32_t collation)
{
    struct expression *made = expression_make(scope, EXPRESSION_COLUMN, type);
    made->range = range;
    made->number = number;
    made->modifier = modifier;
    made->collation = collation;
    return made;
}

static uint32_t and_parts(const struct expression *expression)
{
    return expression->kind == EXPRESSION_AND ? expression->arguments : 1;
}

static void and_append(struct expression *into, struct expression *part)
{
    if (part->kind != EXPRESSION_AND) {
        into->argument[into->arguments++] = part;
        return;
    }
    for (uint32_t i = 0; i < part->arguments; i++)
        into->argument[into->arguments++] = part->argument[i];
}

struct expression *expression_and(struct scope *scope, struct expression *a, struct expression *b)
{
    if (!a || !b)
        return a ? a : b;
    struct expression *made = expression_make(scope, EXPRESSION_AND, type_builtin(TYPE_BOOL));
    made->argument = scope_alloc(scope, (and_parts(a) + and_parts(b)) * sizeof *made->argument);
    and_append(made, a);
    and_append(made, b);
    return made;
}

/* ---- children ---- */

struct children {
    struct walk walk;
    void (*visit)(void *argument, struct expression *child);
    void *argument;
};

static void children_visit(struct walk *walk, struct expression **place)
{
    struct children *children = (struct children *)walk;
    children->visit(children->argument, *place);
}

static void children_skip(struct walk *walk, struct query **place)
{
}

void expression_children(const struct expression *expression,
                         void (*visit)(void *argument, struct expression *child), void *argument)
{
    struct children children = {
        .walk = {.expression = children_visit, .query = children_skip}, .visit = visit, .argument = argument};
    walk_expression(&children.walk, (struct expression *)expression);
}

/* ---- facts ---- */

struct facts {
    struct walk walk;
    uint32_t level; /* how many queries below where we began */
    uint32_t found;
};

/* Types whose text depends on settings of the session, or on the catalog. */
static bool text_is_stable(const struct type *type)
{
    if (!type || type->category == 'D' || type->category == 'T' || type->category == 'E' ||
        type->category == 'A' || type->type_type == 'c' || type->oid == TYPE_RECORD)
        return true;
    switch (type->oid) {
    case TYPE_MONEY:
    case TYPE_BYTEA:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_REGPROC:
    case TYPE_REGPROCEDURE:
    case TYPE_REGOPER:
    case TYPE_REGOPERATOR:
    case TYPE_REGCLASS:
    case TYPE_REGTYPE:
    case TYPE_REGCONFIG:
    case TYPE_REGDICTIONARY:
    case TYPE_REGNAMESPACE:
    case TYPE_REGROLE:
    case TYPE_REGCOLLATION:
        return true;
    default:
        return false;
    }
}

static bool text_needs_session(const struct type *type)
{
    return type &&
           ((type->oid >= TYPE_REGPROCEDURE && type->oid <= TYPE_REGTYPE) || type->oid == TYPE_REGPROC ||
            type->oid == TYPE_REGCONFIG || type->oid == TYPE_REGDICTIONARY ||
            type->oid == TYPE_REGNAMESPACE || type->oid == TYPE_REGROLE || type->oid == TYPE_REGCOLLATION);
}

static uint32_t facts_of_procedure(const struct procedure *procedure)
{
    if (!procedure)
        return 0;
    uint32_t found = 0;
    if (procedure->volatility == 'v')
        found |= FACT_VOLATILE | FACT_STABLE;
    else if (procedure->volatility == 's')
        found |= FACT_STABLE;
    if (procedure->function && procedure->function->flags & FUNCTION_SESSION)
        found |= FACT_SESSION;
    return found;
}

static uint32_t facts_of_cast(const struct expression *node)
{
    const struct type *from = node->argument[0]->type;
    uint32_t found = text_is_stable(from) || text_is_stable(node->type) ? FACT_STABLE : 0;
    return found | (text_needs_session(from) || text_needs_session(node->type) ? FACT_SESSION : 0);
}

static uint32_t facts_of_node(const struct expression *node, uint32_t level)
{
    uint32_t found = facts_of_procedure(node->procedure);
    switch (node->kind) {
    case EXPRESSION_COLUMN:
    case EXPRESSION_WHOLE_ROW:
    case EXPRESSION_SYSTEM_COLUMN:
        if (node->level == level)
            found |= FACT_COLUMN;
        else if (node->level > level)
            found |= FACT_OUTER_COLUMN;
        break;
    case EXPRESSION_AGGREGATE:
    case EXPRESSION_GROUPING:
        if (node->level == level)
            found |= FACT_AGGREGATE;
        else if (node->level > level)
            found |= FACT_OUTER_COLUMN;
        break;
    case EXPRESSION_WINDOW:
        found |= level == 0 ? FACT_WINDOW : 0;
        break;
    case EXPRESSION_SET_CALL:
        found |= level == 0 ? FACT_SET_CALL : 0;
        break;
    case EXPRESSION_SUBQUERY:
        found |= FACT_SUBQUERY;
        break;
    case EXPRESSION_PARAMETER:
        found |= node->parameter_source != PARAMETER_SUBQUERY ? FACT_PARAMETER : 0;
        break;
    case EXPRESSION_TIME:
    case EXPRESSION_CURRENT_OF:
        found |= FACT_STABLE;
        break;
    case EXPRESSION_CAST_TEXT:
        found |= facts_of_cast(node);
        break;
    default:
        break;
    }
    return found;
}

static void facts_visit(struct walk *walk, struct expression **place)
{
    struct facts *facts = (struct facts *)walk;
    facts->found |= facts_of_node(*place, facts->level);
    walk_expression(walk, *place);
}

static void facts_visit_query(struct walk *walk, struct query **place)
{
    struct facts *facts = (struct facts *)walk;
    facts->level++;
    if ((*place)->kind != QUERY_SELECT)
        facts->found |= FACT_VOLATILE | FACT_STABLE;
    walk_query(walk, *place);
    facts->level--;
}

uint32_t expression_facts(const struct expression *expression)
{
    if (!expression)
        return 0;
    struct facts facts = {.walk = {.expression = facts_visit, .query = facts_visit_query}};
    struct expression *place = (struct expression *)expression;
    facts_visit(&facts.walk, &place);
    return facts.found;
}
