/* FROM (parse_clause.c, parse_relation.c): ranges, the names they bring, joins. */
#include "sqlfront/bind/binder.h"

/* ---- ranges and spaces ---- */

uint32_t range_add(struct level *level, enum range_kind kind, const char *name, const char *alias)
{
    struct query *query = level->query;
    struct binder *binder = level->binder;
    query->range = list_grow(binder, query->range, query->ranges, sizeof *query->range);
    level->range_space = list_grow(binder, level->range_space, query->ranges, sizeof(struct space *));
    level->range_space[query->ranges] = NULL;
    query->range[query->ranges] = (struct range){.kind = (uint8_t)kind, .name = name, .alias = alias};
    return query->ranges++;
}

struct space *space_of_range(struct level *level, uint32_t range)
{
    return level->range_space[range];
}

struct space *space_add(struct level *level, uint32_t index, bool name_visible, bool columns_visible)
{
    struct binder *binder = level->binder;
    const struct range *range = &level->query->range[index];
    struct space *space = memory(binder, sizeof *space);
    *space = (struct space){.name = range->name,
                            .range = index,
                            .columns = range->columns,
                            .relation = range->relation,
                            .name_visible = name_visible,
                            .columns_visible = columns_visible};
    space->names = memory(binder, (range->columns + 1) * sizeof(char *));
    space->column = memory(binder, (range->columns + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < range->columns; i++) {
        const struct range_column *column = &range->column[i];
        space->names[i] = column->name;
        if (!column->name)
            continue;
        space->column[i] = column->stands_for
                               ? column->stands_for
                               : expression_column(binder->scope, index, (int32_t)i + 1, column->type,
                                                   column->modifier, column->collation);
    }
    level->range_space[index] = space;
    return space;
}

void space_push(struct level *level, struct space *space)
{
    level->space = list_grow(level->binder, level->space, level->spaces, sizeof(struct space *));
    level->space[level->spaces++] = space;
}

struct from *from_range(struct level *level, uint32_t range)
{
    struct from *item = memory(level->binder, sizeof *item);
    item->kind = FROM_RANGE;
    item->range = range;
    return item;
}

void from_add(struct level *level, struct from *item)
{
    struct query *query = level->query;
    query->from = list_grow(level->binder, query->from, query->froms, sizeof(struct from *));
    query->from[query->froms++] = item;
}

static void range_columns_set(struct level *level, struct range *range, uint32_t columns)
{
    range->columns = columns;
    range->column = memory(level->binder, (columns + 1) * sizeof *range->column);
}

static void range_column_set(struct range *range, uint32_t index, const char *name, const struct type *type,
                             int32_t modifier)
{
    range->column[index] = (struct range_column){
        .name = name, .type = type, .modifier = modifier, .collation = collation_of_type(type)};
}

/* AS t (a, b): new names for the first columns. */
static bool alias_columns(struct level *level, struct range *range, const Alias *alias, const char *what)
{
    struct binder *binder = level->binder;
    uint32_t given = alias ? (uint32_t)list_length(alias->colnames) : 0, visible = 0, at = 0;
    for (uint32_t i = 0; i < range->columns; i++)
        visible += range->column[i].name != NULL;
    if (given > visible) {
        fail(binder, SQLSTATE_INVALID_COLUMN_REFERENCE, -1,
             "%s \"%s\" has %u columns available but %u columns specified", what, range->name, visible,
             given);
        return false;
    }
    for (uint32_t i = 0; i < range->columns && at < given; i++)
        if (range->column[i].name)
            range->column[i].name =
                scope_copy_text(binder->scope, node_string(list_nth(alias->colnames, (int)at++)));
    return true;
}

static const char *alias_name(struct binder *binder, const Alias *alias)
{
    return alias ? scope_copy_text(binder->scope, alias->aliasname) : NULL;
}

/* ---- relations and views ---- */

static bool forward_reference(struct level *level, const char *name)
{
    for (; level; level = level->above) {
        const ListCell *cell;
        foreach(cell, level->future_commons) if (strcmp(((const CommonTableExpr *)lfirst(cell))->ctename,
                                                        name) == 0) return true;
    }
    return false;
}

bool relation_open(struct level *level, const RangeVar *variable, const struct relation **relation)
{
    struct binder *binder = level->binder;
    *relation = NULL;
    if (variable->catalogname) {
        uint32_t database = 0;
        if (catalog_database(binder->view, variable->catalogname, &database, binder->error))
            return false;
        if (database != catalog_view_session(binder->view)->database) {
            fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, variable->location,
                 "cross-database references are not implemented: \"%s.%s.%s\"", variable->catalogname,
                 variable->schemaname, variable->relname);
            return false;
        }
    }
    if (catalog_relation(binder->view, variable->schemaname, variable->relname, relation, binder->error))
        return false;
    if (*relation && ((*relation)->kind == RELATION_INDEX || (*relation)->kind == RELATION_COMPOSITE)) {
        fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, variable->location, "cannot open relation \"%s\"",
             variable->relname);
        fail_detail(binder, (*relation)->kind == RELATION_INDEX
                                ? "This operation is not supported for indexes."
                                : "This operation is not supported for composite types.");
        return false;
    }
    if (*relation)
        return true;
    if (variable->schemaname) {
        fail(binder, SQLSTATE_UNDEFINED_TABLE, variable->location, "relation \"%s.%s\" does not exist",
             variable->schemaname, variable->relname);
        return false;
    }
    fail(binder, SQLSTATE_UNDEFINED_TABLE, variable->location, "relation \"%s\" does not exist",
         variable->relname);
    if (forward_reference(level, variable->relname)) {
        fail_detail(
            binder,
            "There is a WITH item named \"%s\", but it cannot be referenced from this part of the query.",
            variable->relname);
        fail_hint(binder, "Use WITH RECURSIVE, or re-order the WITH items to remove forward references.");
    }
    return false;
}

bool range_relation_add(struct level *level, const RangeVar *variable, const struct relation *relation,
                        uint32_t *added)
{
    struct binder *binder = level->binder;
    const char *alias = alias_name(binder, variable->alias);
    *added = range_add(level, RANGE_RELATION, alias ? alias : relation->name, alias);
    struct range *range = &level->query->range[*added];
    range->relation = relation;
    range->only = !variable->inh && variable->location >= 0;
    range_columns_set(level, range, relation->columns);
    range->columns_read = memory(binder, (relation->columns + 64) / 64 * sizeof(uint64_t));
    range->columns_written = memory(binder, (relation->columns + 64) / 64 * sizeof(uint64_t));
    for (uint32_t i = 0; i < relation->columns; i++)
        if (!relation->column[i].dropped) {
            range_column_set(range, i, relation->column[i].name, relation->column[i].type,
                             relation->column[i].modifier);
            range->column[i].collation = relation->column[i].collation;
        }
    return alias_columns(level, range, variable->alias, "table");
}

struct query *view_query(struct level *level, const struct relation *relation)
{
    struct binder *binder = level->binder;
    struct parsed *parsed;
    if (binder->depth >= BIND_DEPTH_MAX)
        return fail(binder, SQLSTATE_STATEMENT_TOO_COMPLEX, -1, "stack depth limit exceeded");
    if (parse_text(binder->request->world, binder->scope, relation->view_text, &parsed, binder->error))
        return NULL;
    struct binder_request *request = memory(binder, sizeof *request);
    *request = *binder->request;
    request->text = NULL;
    request->parameters = 0;
    request->parameter_types = NULL;
    request->parameters_fixed = true;
    struct binder *inner = memory(binder, sizeof *inner);
    *inner = *binder;
    inner->request = request;
    inner->text = NULL;
    inner->depth++;
    inner->body_of = NULL;
    return query_bind(inner, NULL, parsed_statement(parsed, 0)->stmt, false);
}

/* The view's own query in the range's place. Its names are those of the view's columns. */
bool view_expand(struct level *level, uint32_t index, const struct relation *relation)
{
    struct query *query = view_query(level, relation);
    if (!query)
        return false;
    struct range *range = &level->query->range[index];
    range->kind = RANGE_SUBQUERY;
    range->from_view = true;
    range->query = query;
    uint32_t columns = query_columns(query);
    if (columns < range->columns)
        range->columns = columns;
    return true;
}

/* ---- subqueries, VALUES, CTEs ---- */

bool range_subquery_add(struct level *level, struct query *query, const Alias *alias, bool lateral,
                        uint32_t *added)
{
    struct binder *binder = level->binder;
    const char *name = alias_name(binder, alias);
    *added = range_add(level, RANGE_SUBQUERY, name, name);
    struct range *range = &level->query->range[*added];
    range->query = query;
    range->lateral = lateral;
    uint32_t columns = query_columns(query);
    range_columns_set(level, range, columns);
    for (uint32_t i = 0; i < columns; i++) {
        const struct target *target = query_column(query, i);
        range_column_set(range, i, target->name, target->expression->type, target->expression->modifier);
        if (target->expression->collation)
            range->column[i].collation = target->expression->collation;
    }
    return alias_columns(level, range, alias, "table");
}

static const char *values_column_name(struct binder *binder, uint32_t index)
{
    struct text text = text_in(binder->scope);
    text_format(&text, "column%u", index + 1);
    const char *whole = "";
    return text_end(&text, &whole, binder->error) ? "" : whole;
}

bool range_values_add(struct level *level, struct expression ***rows, uint32_t count, uint32_t columns,
                      const Alias *alias, uint32_t *added)
{
    struct binder *binder = level->binder;
    const char *name = alias_name(binder, alias);
    *added = range_add(level, RANGE_VALUES, name ? name : "*VALUES*", name);
    struct range *range = &level->query->range[*added];
    range->values = count;
    range->value = rows;
    range_columns_set(level, range, columns);
    for (uint32_t i = 0; i < columns; i++) {
        int32_t modifier = rows[0][i]->modifier;
        for (uint32_t row = 1; row < count; row++)
            if (rows[row][i]->modifier != modifier)
                modifier = -1;
        range_column_set(range, i, values_column_name(binder, i), rows[0][i]->type, modifier);
    }
    return alias_columns(level, range, alias, "VALUES lists");
}

static bool range_common_add(struct level *level, const RangeVar *variable, struct common *common,
                             uint32_t up, uint32_t *added)
{
    struct binder *binder = level->binder;
    const char *alias = alias_name(binder, variable->alias);
    *added = range_add(level, RANGE_COMMON, alias ? alias : common->name, alias);
    struct range *range = &level->query->range[*added];
    range->common = common;
    range->common_level = up;
    range->common_self = common->query == NULL;
    if (common->query && common->query->kind != QUERY_SELECT && common->query->returnings == 0) {
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, variable->location,
             "WITH query \"%s\" does not have a RETURNING clause", common->name);
        return false;
    }
    if (range->common_self)
        common->recursive = true;
    else
        common->references++;
    range_columns_set(level, range, common->columns);
    for (uint32_t i = 0; i < common->columns; i++)
        range->column[i] = common->column[i];
    return alias_columns(level, range, variable->alias, "table");
}

/* Whether there are indexes whose texts the planner has to know the meaning of before it can use them. */
static bool has_indexes_of_text(const struct relation *relation)
{
    for (uint32_t i = 0; i < relation->indexes; i++)
        if (relation->index[i]->predicate_text || relation->index[i]->expressions)
            return true;
    return false;
}

static bool bind_range_variable(struct level *level, const RangeVar *variable, uint32_t *range)
{
    struct common *common = NULL;
    uint32_t up = 0;
    if (!variable->schemaname && !common_find(level, variable->relname, variable->location, &common, &up))
        return false;
    if (common)
        return range_common_add(level, variable, common, up, range);
    const struct relation *relation;
    if (!relation_open(level, variable, &relation) || !range_relation_add(level, variable, relation, range))
        return false;
    level->query->range[*range].privileges |= PRIVILEGE_SELECT;
    struct table_bound *bound;
    if (has_indexes_of_text(relation) &&
        bind_table(level->binder->request, relation, &bound, level->binder->error))
        return false;
    return relation->kind != RELATION_VIEW || view_expand(level, *range, relation);
}

static bool bind_range_subquery(struct level *level, const RangeSubselect *subquery, uint32_t *range)
{
    uint8_t place = level->place;
    level->place = PLACE_FROM_SUBSELECT;
    level->lateral_active = subquery->lateral;
    struct query *query = query_bind(level->binder, level, subquery->subquery, false);
    level->lateral_active = false;
    level->place = place;
    return query && range_subquery_add(level, query, subquery->alias, subquery->lateral, range);
}

/* ---- functions ---- */

static bool column_definitions(struct level *level, const List *definitions, struct expression *function)
{
    struct binder *binder = level->binder;
    uint32_t count = (uint32_t)list_length(definitions), at = 0;
    const struct type **types = memory(binder, (count + 1) * sizeof *types);
    const char **names = memory(binder, (count + 1) * sizeof *names);
    int32_t *modifiers = memory(binder, (count + 1) * sizeof *modifiers);
    const ListCell *cell;
    foreach(cell, definitions)
    {
        const ColumnDef *definition = lfirst(cell);
        names[at] = scope_copy_text(binder->scope, definition->colname);
        for (uint32_t i = 0; i < at; i++)
            if (strcmp(names[i], names[at]) == 0) {
                fail(binder, SQLSTATE_DUPLICATE_COLUMN, definition->location,
                     "column name \"%s\" specified more than once", names[at]);
                return false;
            }
        if (!type_of_name(level, definition->typeName, &types[at], &modifiers[at]))
            return false;
        at++;
    }
    function->type = record_type(binder, count, names, types, modifiers);
    return true;
}

/* One function of FROM: its columns appended to the range's. */
static bool function_columns(struct level *level, struct range *range, struct expression *function,
                             const List *definitions, const char *name, const char *alias, uint32_t functions,
                             int32_t position)
{
    struct binder *binder = level->binder;
    const struct type *type = function->type;
    const struct procedure *procedure =
        function->kind == EXPRESSION_SET_CALL || function->kind == EXPRESSION_CALL ? function->procedure
                                                                                   : NULL;
    uint32_t before = range->columns;
    if (definitions) {
        bool outputs = procedure && procedure->outputs > 1;
        if (type->oid != TYPE_RECORD || outputs) {
            fail(binder, SQLSTATE_SYNTAX_ERROR, position,
                 outputs ? "a column definition list is redundant for a function with OUT parameters"
                 : type_is_composite(type)
                     ? "a column definition list is redundant for a function returning a named composite type"
                     : "a column definition list is only allowed for functions returning \"record\"");
            return false;
        }
        if (!column_definitions(level, definitions, function))
            return false;
        type = function->type;
    } else if (type->oid == TYPE_RECORD && !type->fields) {
        fail(binder, SQLSTATE_SYNTAX_ERROR, position,
             "a column definition list is required for functions returning \"record\"");
        return false;
    }
    if (type->type_type == 'p' && type->oid != TYPE_RECORD && type->oid != TYPE_VOID &&
        type->oid != TYPE_CSTRING) {
        fail(binder, SQLSTATE_DATATYPE_MISMATCH, position,
             "function \"%s\" in FROM has unsupported return type %s", name, type_name(binder, type));
        return false;
    }
    bool composite = type_is_composite(type);
    uint32_t added = composite ? type->field_count : 1;
    struct range_column *columns = memory(binder, (before + added + 2) * sizeof *columns);
    if (before)
        memcpy(columns, range->column, before * sizeof *columns);
    range->column = columns;
    range->columns = before + added;
    for (uint32_t i = 0; composite && i < added; i++) {
        const struct type *field = type_by_oid(binder, type->fields[i].type);
        if (!field)
            return false;
        range_column_set(range, before + i, type->fields[i].name, field, type->fields[i].modifier);
    }
    if (!composite) {
        const char *output = procedure && procedure->outputs == 1 && procedure->output_names
                                 ? procedure->output_names[0]
                                 : NULL;
        const char *column = output && *output ? output : functions == 1 && alias ? alias : name;
        range_column_set(range, before, column, type, function->modifier);
    }
    range->function = list_grow(binder, range->function, range->functions, sizeof(struct expression *));
    range->function_columns = list_grow(binder, range->function_columns, range->functions, sizeof(uint32_t));
    range->function[range->functions] = function;
    range->function_columns[range->functions++] = added;
    return true;
}

/* unnest(a, b) in FROM is ROWS FROM (unnest(a), unnest(b)). */
static bool is_long_unnest(const Node *node, const List *definitions)
{
    if (!IsA(node, FuncCall) || definitions)
        return false;
    const FuncCall *call = (const FuncCall *)node;
    return list_length(call->funcname) == 1 && strcmp(node_string(linitial(call->funcname)), "unnest") == 0 &&
           list_length(call->args) > 1 && !call->agg_order && !call->agg_filter && !call->over &&
           !call->agg_star && !call->agg_distinct && !call->func_variadic;
}

struct from_function {
    struct expression *bound;
    const char *name;
    const List *definitions;
    int32_t position;
};

static bool from_function_bind(struct level *level, const Node *node, const List *definitions,
                               struct from_function *function)
{
    level->last_set_call = NULL;
    uint8_t place = level->place;
    level->place = PLACE_FROM_FUNCTION;
    function->bound = node_bind(level, node);
    level->place = place;
    if (!function->bound)
        return false;
    if (level->last_set_call && level->last_set_call != function->bound) {
        fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, level->last_set_call->position,
             "set-returning functions must appear at top level of FROM");
        return false;
    }
    function->name = target_name(level->binder, node);
    function->definitions = definitions;
    function->position = node_position(node);
    level->last_set_call = NULL;
    return true;
}

/* An SQL function that gives a set is the subquery it stands for. */
static bool bind_function_rows(struct level *level, const RangeFunction *node,
                               struct from_function *functions, uint32_t count, uint32_t *added)
{
    struct binder *binder = level->binder;
    struct expression *call = functions[0].bound;
    if (count > 1 || node->ordinality) {
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, functions[0].position,
             "SQL functions in ROWS FROM and WITH ORDINALITY are not supported");
        return false;
    }
    if (functions[0].definitions && !column_definitions(level, functions[0].definitions, call))
        return false;
    struct query *query = function_rows(level, call);
    if (!query)
        return false;
    if (!type_is_composite(call->type)) /* one column: named as the alias, or the function */
        for (uint32_t i = 0; i < query->targets; i++)
            query->target[i].name = node->alias ? alias_name(binder, node->alias) : functions[0].name;
    bool lateral = false;
    for (uint32_t i = 0; i < call->arguments; i++)
        lateral |= (expression_facts(call->argument[i]) & FACT_COLUMN) != 0;
    if (!range_subquery_add(level, query, node->alias, lateral, added))
        return false;
    if (!node->alias)
        level->query->range[*added].name = functions[0].name;
    return true;
}

static bool bind_range_function(struct level *level, const RangeFunction *node, uint32_t *added)
{
    struct binder *binder = level->binder;
    struct from_function *functions = NULL;
    uint32_t count = 0;
    const ListCell *cell, *inner;
    level->lateral_active = true;
    foreach(cell, node->functions)
    {
        const List *pair = lfirst(cell);
        const Node *expression = linitial(pair);
        const List *definitions = list_length(pair) > 1 ? lsecond(pair) : NULL;
        if (is_long_unnest(expression, definitions)) {
            FuncCall single = *(const FuncCall *)expression;
            foreach(inner, ((const FuncCall *)expression)->args)
            {
                ListCell argument = {.ptr_value = lfirst(inner)};
                List arguments = {.type = T_List, .length = 1, .max_length = 1, .elements = &argument};
                single.args = &arguments;
                functions = list_grow(binder, functions, count, sizeof *functions);
                if (!from_function_bind(level, (const Node *)&single, NULL, &functions[count++]))
                    return false;
            }
            continue;
        }
        functions = list_grow(binder, functions, count, sizeof *functions);
        if (!from_function_bind(level, expression, definitions, &functions[count++]))
            return false;
    }
    level->lateral_active = false;
    if (node->coldeflist) {
        if (node->is_rowsfrom || count != 1) {
            fail(binder, SQLSTATE_SYNTAX_ERROR, -1,
                 "ROWS FROM() with multiple functions cannot have a column definition list");
            return false;
        }
        if (node->ordinality) {
            fail(binder, SQLSTATE_SYNTAX_ERROR, -1,
                 "WITH ORDINALITY cannot be used with a column definition list");
            return false;
        }
        functions[0].definitions = node->coldeflist;
    }
    const char *alias = alias_name(binder, node->alias);
    const struct expression *only = functions[0].bound;
    if (only->kind == EXPRESSION_SET_CALL && only->procedure->language == 's')
        return bind_function_rows(level, node, functions, count, added);
    *added = range_add(level, RANGE_FUNCTION, alias ? alias : functions[0].name, alias);
    struct range *range = &level->query->range[*added];
    range->lateral = true;
    range->ordinality = node->ordinality;
    for (uint32_t i = 0; i < count; i++)
        if (!function_columns(level, range, functions[i].bound, functions[i].definitions, functions[i].name,
                              alias, count, functions[i].position))
            return false;
    if (node->ordinality)
        range_column_set(range, range->columns++, "ordinality", builtin(TYPE_INT8), -1);
    /* A function that reads nothing of its neighbours needs not be run for each of their rows. */
    uint32_t facts = 0;
    for (uint32_t i = 0; i < count; i++)
        facts |= expression_facts(functions[i].bound);
    range->lateral = facts & FACT_COLUMN;
    return alias_columns(level, range, node->alias, "table");
}

/* ---- TABLESAMPLE ---- */

static bool bind_sample(struct level *level, const RangeTableSample *sample, uint32_t index)
{
    struct binder *binder = level->binder;
    struct range *range = &level->query->range[index];
    const char *method = node_string(llast(sample->method));
    bool system = strcmp(method, "system") == 0;
    if (range->kind != RANGE_RELATION || range->relation->kind != RELATION_TABLE) {
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, node_position(sample->relation),
             "TABLESAMPLE clause can only be applied to tables and materialized views");
        return false;
    }
    if (!system && strcmp(method, "bernoulli") != 0) {
        fail(binder, SQLSTATE_UNDEFINED_OBJECT, sample->location, "tablesample method %s does not exist",
             names_text(binder, sample->method));
        return false;
    }
    if (list_length(sample->args) != 1) {
        fail(binder, SQLSTATE_PACK('2', '2', '0', '2', 'H'), sample->location,
             "tablesample method %s requires %d argument, not %d", method, 1, list_length(sample->args));
        return false;
    }
    struct expression *percent = expression_bind(level, linitial(sample->args), PLACE_FROM_FUNCTION);
    if (!percent || !(percent = coerce_to_specific(level, percent, TYPE_FLOAT4, "TABLESAMPLE")))
        return false;
    struct expression *seed = NULL;
    if (sample->repeatable) {
        seed = expression_bind(level, sample->repeatable, PLACE_FROM_FUNCTION);
        if (!seed || !(seed = coerce_to_specific(level, seed, TYPE_FLOAT8, "REPEATABLE")))
            return false;
    }
    range = &level->query->range[index];
    range->sampled = true;
    range->sample_percent = percent;
    range->sample_seed = seed;
    range->sample_system = system;
    return true;
}

/* ---- joins ---- */

/* What one item of FROM brings. */
struct brought {
    struct from *from;
    struct space **spaces; /* to be seen beside it */
    uint32_t count;
    struct space *columns; /* of the whole item, for USING and NATURAL */
};

static bool bind_item(struct level *level, const Node *node, struct brought *brought);

static void brought_add(struct level *level, struct brought *brought, struct space *space)
{
    brought->spaces = list_grow(level->binder, brought->spaces, brought->count, sizeof(struct space *));
    brought->spaces[brought->count++] = space;
}

static void lateral_state(struct space **spaces, uint32_t count, bool only, bool ok)
{
    for (uint32_t i = 0; i < count; i++) {
        spaces[i]->lateral_only = only;
        spaces[i]->lateral_ok = ok;
    }
}

static bool names_differ(struct level *level, struct space **a, uint32_t a_count, struct space **b,
                         uint32_t b_count)
{
    for (uint32_t i = 0; i < a_count; i++)
        for (uint32_t k = 0; k < b_count; k++) {
            const struct space *one = a[i], *other = b[k];
            if (!one->name_visible || !other->name_visible || !one->name || !other->name ||
                strcmp(one->name, other->name) != 0)
                continue;
            const struct range *one_range = &level->query->range[one->range];
            const struct range *other_range = &level->query->range[other->range];
            if (one_range->relation && other_range->relation && !one_range->alias && !other_range->alias &&
                one_range->relation->oid != other_range->relation->oid)
                continue;
            fail(level->binder, SQLSTATE_DUPLICATE_ALIAS, -1, "table name \"%s\" specified more than once",
                 one->name);
            return false;
        }
    return true;
}

/* Finds the column a USING names on one side. */
static struct expression *using_column(struct level *level, const struct space *space, const char *name,
                                       const char *side, uint32_t *index)
{
    struct expression *found = NULL;
    for (uint32_t i = 0; i < space->columns; i++) {
        if (!space->names[i] || strcmp(space->names[i], name) != 0)
            continue;
        if (found)
            return fail(level->binder, SQLSTATE_AMBIGUOUS_COLUMN, -1,
                        "common column name \"%s\" appears more than once in %s table", name, side);
        found = space->column[i];
        *index = i;
    }
    if (!found)
        return fail(level->binder, SQLSTATE_UNDEFINED_COLUMN, -1,
                    "column \"%s\" specified in USING clause does not exist in %s table", name, side);
    if (found->kind == EXPRESSION_COLUMN)
        column_note_read(level, 0, found->range, found->number);
    return found;
}

static struct expression *merged_column(struct level *level, enum join_kind kind, struct expression *left,
                                        struct expression *right)
{
    struct binder *binder = level->binder;
    struct expression *pair[2] = {left, right};
    bool failed;
    const struct type *type = common_type(binder, pair, 2, "JOIN/USING", &failed);
    if (!type)
        return NULL;
    int32_t modifier = common_modifier(pair, 2, type);
    for (int i = 0; i < 2; i++)
        if (pair[i]->type->oid != type->oid &&
            !(pair[i] = coerce(level, pair[i], type, modifier, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1)))
            return NULL;
    switch (kind) {
    case JOIN_INNER:
        return pair[0]->kind == EXPRESSION_COLUMN || pair[1]->kind != EXPRESSION_COLUMN ? pair[0] : pair[1];
    case JOIN_LEFT:
        return pair[0];
    case JOIN_RIGHT:
        return pair[1];
    default:
        break;
    }
    struct expression *made = make(binder, EXPRESSION_COALESCE, type, -1);
    made->modifier = modifier;
    argument_add(binder, made, pair[0]);
    argument_add(binder, made, pair[1]);
    return made;
}

static void join_column_add(struct level *level, struct range *range, const char *name,
                            struct expression *stands_for)
{
    range->column = list_grow(level->binder, range->column, range->columns, sizeof *range->column);
    range->column[range->columns++] = (struct range_column){.name = name,
                                                            .type = stands_for->type,
                                                            .modifier = stands_for->modifier,
                                                            .collation = stands_for->collation,
                                                            .stands_for = stands_for};
}

struct joining {
    const JoinExpr *node;
    enum join_kind kind;
    struct brought left, right;
    const char **using;
    uint32_t usings;
    bool *left_used, *right_used;
    struct range columns; /* gathers the join's columns */
    struct expression *condition;
};

static bool using_names(struct level *level, struct joining *joining)
{
    struct binder *binder = level->binder;
    const struct space *left = joining->left.columns, *right = joining->right.columns;
    const ListCell *cell;
    joining->using = memory(binder, ((size_t)list_length(joining->node->usingClause) + left->columns + 1) *
                                        sizeof(char *));
    foreach(cell, joining->node->usingClause)
    {
        const char *name = scope_copy_text(binder->scope, node_string(lfirst(cell)));
        for (uint32_t i = 0; i < joining->usings; i++)
            if (strcmp(joining->using[i], name) == 0) {
                fail(binder, SQLSTATE_DUPLICATE_COLUMN, -1,
                     "column name \"%s\" appears more than once in USING clause", name);
                return false;
            }
        joining->using[joining->usings++] = name;
    }
    for (uint32_t i = 0; joining->node->isNatural && i < left->columns; i++)
        for (uint32_t k = 0; left->names[i] && k < right->columns; k++)
            if (right->names[k] && strcmp(left->names[i], right->names[k]) == 0) {
                joining->using[joining->usings++] = left->names[i];
                break;
            }
    return true;
}

static bool using_bind(struct level *level, struct joining *joining)
{
    struct binder *binder = level->binder;
    List *equal = names_of(binder, "=");
    equal->elements++;
    equal->length = 1;
    for (uint32_t i = 0; i < joining->usings; i++) {
        uint32_t left_index = 0, right_index = 0;
        struct expression *left =
            using_column(level, joining->left.columns, joining->using[i], "left", &left_index);
        struct expression *right =
            left ? using_column(level, joining->right.columns, joining->using[i], "right", &right_index)
                 : NULL;
        if (!right)
            return false;
        joining->left_used[left_index] = joining->right_used[right_index] = true;
        struct expression *compared = operator_make(level, equal, left, right, -1);
        if (!compared || !(compared = coerce_to_boolean(level, compared, "JOIN/USING")))
            return false;
        joining->condition = expression_and(binder->scope, joining->condition, compared);
        struct expression *merged = merged_column(level, joining->kind, left, right);
        if (!merged)
            return false;
        join_column_add(level, &joining->columns, joining->using[i], merged);
    }
    return true;
}

static bool on_bind(struct level *level, struct joining *joining)
{
    struct space **spaces = level->space;
    uint32_t count = level->spaces;
    struct brought both = {0};
    for (uint32_t i = 0; i < joining->left.count; i++)
        brought_add(level, &both, joining->left.spaces[i]);
    for (uint32_t i = 0; i < joining->right.count; i++)
        brought_add(level, &both, joining->right.spaces[i]);
    lateral_state(both.spaces, both.count, false, true);
    level->space = both.spaces;
    level->spaces = both.count;
    joining->condition = where_bind(level, joining->node->quals, PLACE_JOIN_ON, "JOIN/ON");
    level->space = spaces;
    level->spaces = count;
    return joining->condition != NULL;
}

static void join_rest_add(struct level *level, struct joining *joining, const struct space *side,
                          const bool *used)
{
    for (uint32_t i = 0; i < side->columns; i++)
        if (side->names[i] && !used[i])
            join_column_add(level, &joining->columns, side->names[i], side->column[i]);
}

static bool join_sides(struct level *level, struct joining *joining)
{
    const JoinExpr *node = joining->node;
    if (!bind_item(level, node->larg, &joining->left))
        return false;
    bool lateral_ok = joining->kind == JOIN_INNER || joining->kind == JOIN_LEFT;
    lateral_state(joining->left.spaces, joining->left.count, true, lateral_ok);
    uint32_t before = level->spaces;
    for (uint32_t i = 0; i < joining->left.count; i++)
        space_push(level, joining->left.spaces[i]);
    bool bound = bind_item(level, node->rarg, &joining->right);
    level->spaces = before;
    return bound && names_differ(level, joining->left.spaces, joining->left.count, joining->right.spaces,
                                 joining->right.count);
}

static enum join_kind join_kind_of(const JoinExpr *node)
{
    switch ((int)node->jointype) {
    case TREE_JOIN_LEFT:
        return JOIN_LEFT;
    case TREE_JOIN_RIGHT:
        return JOIN_RIGHT;
    case TREE_JOIN_FULL:
        return JOIN_FULL;
    default:
        return JOIN_INNER;
    }
}

/* Columns of a join with an alias are shown as the alias's; merged ones that are no plain column by their name alone. */
static void join_columns_written(struct level *level, struct space *space, bool alias)
{
    struct binder *binder = level->binder;
    for (uint32_t i = 0; i < space->columns; i++) {
        struct expression *column = space->column[i];
        if (!alias && column->kind != EXPRESSION_COALESCE)
            continue;
        column = scope_copy(binder->scope, column, sizeof *column);
        column->written = expression_column(binder->scope, space->range, (int32_t)i + 1, column->type,
                                            column->modifier, column->collation);
        space->column[i] = column;
    }
}

static bool bind_join(struct level *level, const JoinExpr *node, struct brought *brought)
{
    struct binder *binder = level->binder;
    struct joining *joining = memory(binder, sizeof *joining);
    joining->node = node;
    joining->kind = join_kind_of(node);
    if (!join_sides(level, joining))
        return false;
    joining->left_used = memory(binder, joining->left.columns->columns + 1);
    joining->right_used = memory(binder, joining->right.columns->columns + 1);
    if (node->usingClause || node->isNatural) {
        if (!using_names(level, joining) || !using_bind(level, joining))
            return false;
    } else if (node->quals && !on_bind(level, joining)) {
        return false;
    }
    join_rest_add(level, joining, joining->left.columns, joining->left_used);
    join_rest_add(level, joining, joining->right.columns, joining->right_used);

    const char *alias = alias_name(binder, node->alias);
    uint32_t index = range_add(level, RANGE_JOIN, alias, alias);
    struct range *range = &level->query->range[index];
    range->column = joining->columns.column;
    range->columns = joining->columns.columns;
    if (node->alias) {
        if ((uint32_t)list_length(node->alias->colnames) > range->columns) {
            fail(binder, SQLSTATE_SYNTAX_ERROR, -1, "column alias list for \"%s\" has too many entries",
                 alias);
            return false;
        }
        if (!alias_columns(level, range, node->alias, "join expression"))
            return false;
    }
    struct from *from = memory(binder, sizeof *from);
    *from = (struct from){.kind = FROM_JOIN,
                          .join = (uint8_t)joining->kind,
                          .range = index,
                          .left = joining->left.from,
                          .right = joining->right.from,
                          .condition = joining->condition,
                          .using = joining->using,
                          .usings = joining->usings,
                          .using_alias = alias_name(binder, node->join_using_alias)};
    brought->from = from;
    for (uint32_t i = 0; !alias && i < joining->left.count; i++) {
        joining->left.spaces[i]->columns_visible = false;
        brought_add(level, brought, joining->left.spaces[i]);
    }
    for (uint32_t i = 0; !alias && i < joining->right.count; i++) {
        joining->right.spaces[i]->columns_visible = false;
        brought_add(level, brought, joining->right.spaces[i]);
    }
    brought->columns = space_add(level, index, alias != NULL, true);
    join_columns_written(level, brought->columns, alias != NULL);
    if (node->join_using_alias) { /* USING (...) AS name: the merged columns alone */
        struct space *merged = memory(binder, sizeof *merged);
        *merged = *brought->columns;
        merged->name = alias_name(binder, node->join_using_alias);
        merged->columns = joining->usings;
        merged->name_visible = true;
        merged->columns_visible = false;
        if (!names_differ(level, brought->spaces, brought->count, &merged, 1))
            return false;
        brought_add(level, brought, merged);
    }
    brought_add(level, brought, brought->columns);
    return true;
}

static bool bind_item(struct level *level, const Node *node, struct brought *brought)
{
    uint32_t range;
    bool bound;
    if (!stack_suffices(level->binder))
        return false;
    switch (nodeTag(node)) {
    case T_RangeVar:
        bound = bind_range_variable(level, (const RangeVar *)node, &range);
        break;
    case T_RangeSubselect:
        bound = bind_range_subquery(level, (const RangeSubselect *)node, &range);
        break;
    case T_RangeFunction:
        bound = bind_range_function(level, (const RangeFunction *)node, &range);
        break;
    case T_RangeTableSample:
        if (!bind_item(level, ((const RangeTableSample *)node)->relation, brought))
            return false;
        return bind_sample(level, (const RangeTableSample *)node, brought->from->range);
    case T_JoinExpr:
        return bind_join(level, (const JoinExpr *)node, brought);
    case T_RangeTableFunc:
        fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, ((const RangeTableFunc *)node)->location,
             "XMLTABLE is not supported");
        return false;
    default:
        fail(level->binder, SQLSTATE_INTERNAL_ERROR, -1, "unrecognized node type: %d", (int)nodeTag(node));
        return false;
    }
    if (!bound)
        return false;
    brought->from = from_range(level, range);
    brought->columns = space_add(level, range, level->query->range[range].name != NULL, true);
    brought_add(level, brought, brought->columns);
    return true;
}

bool from_bind(struct level *level, const List *list)
{
    const ListCell *cell;
    foreach(cell, list)
    {
        struct brought brought = {0};
        if (!bind_item(level, lfirst(cell), &brought))
            return false;
        if (!names_differ(level, level->space, level->spaces, brought.spaces, brought.count))
            return false;
        lateral_state(brought.spaces, brought.count, true, true);
        for (uint32_t i = 0; i < brought.count; i++)
            space_push(level, brought.spaces[i]);
        from_add(level, brought.from);
    }
    lateral_state(level->space, level->spaces, false, true);
    return true;
}
