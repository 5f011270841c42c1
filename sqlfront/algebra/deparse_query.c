/* Queries as text: the lines and indentation of pg_get_viewdef(). */
#include "sqlfront/algebra/writer.h"
#include "sqlfront/catalog/names.h"

/* ---- names of ranges: unique among all that can be named (set_rtable_names) ---- */

static bool name_taken(const struct writing *writing, uint32_t before, const char *name)
{
    for (uint32_t i = 0; i < before; i++)
        if (writing->names[i] && strcmp(writing->names[i], name) == 0)
            return true;
    for (writing = writing->above; writing; writing = writing->above)
        for (uint32_t i = 0; writing->query && writing->names && i < writing->query->ranges; i++)
            if (writing->names[i] && strcmp(writing->names[i], name) == 0)
                return true;
    return false;
}

static void names_choose(struct deparser *writer, struct writing *writing)
{
    const struct query *query = writing->query;
    writing->names = scope_alloc_zeroed(writer->scope, (query->ranges + 1) * sizeof(char *));
    for (uint32_t i = 0; i < query->ranges; i++) {
        const char *name = query->range[i].name;
        if (!name)
            continue;
        for (uint32_t suffix = 1; name_taken(writing, i, name); suffix++) {
            struct text text = text_in(writer->scope);
            text_format(&text, "%s_%u", query->range[i].name, suffix);
            if ((writer->failed = text_end(&text, &name, writer->error)))
                return;
        }
        writing->names[i] = name;
    }
}

/* ---- keys ---- */

void write_key(struct deparser *writer, const struct query *query, const struct sort_key *key, bool number)
{
    const struct expression *expression =
        key->expression ? key->expression : query->target[key->target].expression;
    if (number) {
        uint32_t shown = 0;
        for (uint32_t i = 0; i <= key->target; i++)
            shown += !query->target[i].hidden;
        text_format(writer->text, "%u", shown);
        return;
    }
    if (expression->kind == EXPRESSION_CONSTANT) {
        write_constant(writer, expression, 1);
        return;
    }
    bool parens = (writer->pretty && expression->kind != EXPRESSION_COLUMN) ||
                  (expression->kind == EXPRESSION_CALL && !expression->operator_form) ||
                  expression->kind == EXPRESSION_AGGREGATE || expression->kind == EXPRESSION_WINDOW;
    text_append(writer->text, parens ? "(" : "");
    write_expression(writer, expression);
    text_append(writer->text, parens ? ")" : "");
}

void write_order(struct deparser *writer, const struct query *query, const struct sort_key *keys,
                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_append(writer->text, i ? ", " : "");
        write_key(writer, query, &keys[i], query && query->set && !keys[i].expression);
        if (keys[i].descending)
            text_append(writer->text, keys[i].nulls_first ? " DESC" : " DESC NULLS LAST");
        else if (keys[i].nulls_first)
            text_append(writer->text, " NULLS FIRST");
    }
}

void write_window(struct deparser *writer, const struct window *window)
{
    static const char *const modes[] = {
        [FRAME_RANGE] = "RANGE ", [FRAME_ROWS] = "ROWS ", [FRAME_GROUPS] = "GROUPS "};
    static const char *const bounds[] = {[BOUND_UNBOUNDED_PRECEDING] = "UNBOUNDED PRECEDING",
                                         [BOUND_PRECEDING] = " PRECEDING",
                                         [BOUND_CURRENT] = "CURRENT ROW",
                                         [BOUND_FOLLOWING] = " FOLLOWING",
                                         [BOUND_UNBOUNDED_FOLLOWING] = "UNBOUNDED FOLLOWING"};
    static const char *const exclusions[] = {[EXCLUDE_NONE] = "",
                                             [EXCLUDE_CURRENT] = " EXCLUDE CURRENT ROW",
                                             [EXCLUDE_GROUP] = " EXCLUDE GROUP",
                                             [EXCLUDE_TIES] = " EXCLUDE TIES"};
    struct text *text = writer->text;
    const struct query *query = writer->writing->query;
    const char *between = "";
    text_append(text, "(");
    if (window->base) {
        write_name(writer, window->base);
        between = " ";
    }
    for (uint32_t i = 0; !window->base && i < window->partitions; i++) {
        text_append(text, i ? ", " : "PARTITION BY ");
        write_key(writer, query, &window->partition[i], false);
        between = " ";
    }
    if (window->orders && !window->base_orders) {
        text_format(text, "%sORDER BY ", between);
        write_order(writer, query, window->order, window->orders);
        between = " ";
    }
    if (window->frame_given) {
        text_format(text, "%s%s%s", between, modes[window->mode], window->frame_between ? "BETWEEN " : "");
        if (window->from_offset)
            write_bare(writer, window->from_offset);
        text_append(text, bounds[window->from]);
        if (window->frame_between) {
            text_append(text, " AND ");
            if (window->to_offset)
                write_bare(writer, window->to_offset);
            text_append(text, bounds[window->to]);
        }
        text_append(text, exclusions[window->exclusion]);
    }
    text_append(text, ")");
}

/* ---- FROM ---- */

static void write_column_names(struct deparser *writer, const struct range *range)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < range->columns; i++) {
        if (!range->column[i].name)
            continue;
        text_append(writer->text, shown++ ? ", " : "(");
        write_name(writer, range->column[i].name);
    }
    text_append(writer->text, shown ? ")" : "");
}

static bool join_renamed(const struct query *query, const struct range *range)
{
    for (uint32_t i = 0; i < range->columns; i++) {
        const struct expression *column = range->column[i].stands_for;
        while (column->kind != EXPRESSION_COLUMN && column->arguments)
            column = column->argument[0];
        if (column->kind == EXPRESSION_COLUMN &&
            strcmp(query->range[column->range].column[column->number - 1].name, range->column[i].name) != 0)
            return true;
    }
    return false;
}

static bool columns_renamed(const struct range *range)
{
    if (range->relation) {
        for (uint32_t i = 0; i < range->columns; i++)
            if (range->column[i].name && strcmp(range->column[i].name, range->relation->column[i].name) != 0)
                return true;
        return false;
    }
    if (range->kind == RANGE_SUBQUERY) {
        uint32_t at = 0;
        const struct query *query = range->query;
        for (uint32_t i = 0; i < query->targets; i++) {
            if (query->target[i].hidden)
                continue;
            if (strcmp(range->column[at++].name, query->target[i].name) != 0)
                return true;
        }
        return false;
    }
    if (range->kind == RANGE_COMMON) {
        for (uint32_t i = 0; i < range->columns; i++)
            if (strcmp(range->column[i].name, range->common->column[i].name) != 0)
                return true;
        return false;
    }
    return true;
}

static void write_relation_name(struct deparser *writer, const struct relation *relation)
{
    const struct relation *found = NULL;
    struct error ignored;
    bool visible = writer->view && !(writer->stored && relation->persistence != 't') &&
                   !catalog_relation(writer->view, NULL, relation->name, &found, &ignored) && found &&
                   found->oid == relation->oid;
    if (!visible && relation->schema_name)
        text_format(writer->text, "%s.", identifier(writer->scope, relation->schema_name));
    write_name(writer, relation->name);
}

static void write_values(struct deparser *writer, const struct range *range)
{
    writer->indent += INDENT_STANDARD;
    text_append(writer->text, "VALUES ");
    for (uint32_t row = 0; row < range->values; row++) {
        text_append(writer->text, row ? ", (" : "(");
        for (uint32_t i = 0; i < range->columns; i++) {
            text_append(writer->text, i ? "," : "");
            write_bare(writer, range->value[row][i]);
        }
        text_append(writer->text, ")");
    }
    writer->indent -= INDENT_STANDARD;
}

static void write_functions(struct deparser *writer, const struct range *range)
{
    bool many = range->functions > 1, unnest = many;
    for (uint32_t i = 0; i < range->functions; i++)
        unnest &= range->function[i]->kind == EXPRESSION_SET_CALL &&
                  strcmp(range->function[i]->procedure->name, "unnest") == 0;
    text_append(writer->text, unnest ? "UNNEST(" : many ? "ROWS FROM(" : "");
    for (uint32_t i = 0; i < range->functions; i++) {
        text_append(writer->text, i ? ", " : "");
        write_expression(writer, unnest ? range->function[i]->argument[0] : range->function[i]);
    }
    text_append(writer->text, many ? ")" : "");
    text_append(writer->text, range->ordinality ? " WITH ORDINALITY" : "");
}

/* f() AS t(a integer, b text) */
static bool has_definitions(const struct range *range)
{
    const struct expression *function = range->function[0];
    return range->functions == 1 && function->type->oid == TYPE_RECORD && function->procedure &&
           function->procedure->outputs < 2 && function->procedure->result == TYPE_RECORD;
}

static void write_definitions(struct deparser *writer, const struct range *range)
{
    text_append(writer->text, "(");
    for (uint32_t i = 0; i < range->columns; i++) {
        text_append(writer->text, i ? ", " : "");
        write_name(writer, range->column[i].name);
        text_append(writer->text, " ");
        write_type(writer, range->column[i].type, range->column[i].modifier);
    }
    text_append(writer->text, ")");
}

static void write_nested(struct deparser *writer, const struct query *query, bool names_shown)
{
    int indent = writer->indent;
    bool qualified = writer->qualified;
    text_append(writer->text, "(");
    write_query(writer, query, names_shown, NULL);
    text_append(writer->text, ")");
    writer->indent = indent;
    writer->qualified = qualified;
}

static void write_range(struct deparser *writer, uint32_t index)
{
    const struct range *range = &writer->writing->query->range[index];
    const char *name = writer->writing->names[index];
    bool alias = true;
    const char *own = range->relation               ? range->relation->name
                      : range->kind == RANGE_COMMON ? range->common->name
                                                    : NULL;
    if (range->lateral)
        text_append(writer->text, "LATERAL ");
    switch (range->kind) {
    case RANGE_RELATION:
        text_append(writer->text, range->only ? "ONLY " : "");
        write_relation_name(writer, range->relation);
        break;
    case RANGE_SUBQUERY:
        if (range->from_view)
            write_relation_name(writer, range->relation);
        else
            write_nested(writer, range->query, true);
        break;
    case RANGE_FUNCTION:
        write_functions(writer, range);
        break;
    case RANGE_VALUES:
        text_append(writer->text, "(");
        write_values(writer, range);
        text_append(writer->text, ")");
        break;
    case RANGE_COMMON:
        write_name(writer, range->common->name);
        break;
    default:
        return;
    }
    if (own)
        alias = range->alias || strcmp(name, own) != 0;
    if (alias || columns_renamed(range))
        text_format(writer->text, " %s", identifier(writer->scope, name));
    if (range->kind == RANGE_FUNCTION && has_definitions(range))
        write_definitions(writer, range);
    else if (columns_renamed(range))
        write_column_names(writer, range);
    if (range->sampled) {
        text_format(writer->text, " TABLESAMPLE %s (", range->sample_system ? "system" : "bernoulli");
        write_bare(writer, range->sample_percent);
        text_append(writer->text, ")");
        if (range->sample_seed) {
            text_append(writer->text, " REPEATABLE (");
            write_bare(writer, range->sample_seed);
            text_append(writer->text, ")");
        }
    }
}

static void write_from_item(struct deparser *writer, const struct from *from)
{
    static const char *const joins[] = {[JOIN_INNER] = " JOIN ",
                                        [JOIN_LEFT] = " LEFT JOIN ",
                                        [JOIN_RIGHT] = " RIGHT JOIN ",
                                        [JOIN_FULL] = " FULL JOIN "};
    if (from->kind == FROM_RANGE) {
        write_range(writer, from->range);
        return;
    }
    const struct range *range = &writer->writing->query->range[from->range];
    bool parens = !writer->pretty || range->alias;
    bool right_parens = writer->pretty && from->right->kind != FROM_RANGE &&
                        !writer->writing->query->range[from->right->range].alias;
    text_append(writer->text, parens ? "(" : "");
    write_from_item(writer, from->left);
    bool cross = from->join == JOIN_INNER && !from->condition;
    write_keyword(writer, cross ? " CROSS JOIN " : joins[from->join], -INDENT_STANDARD, INDENT_STANDARD,
                  INDENT_JOIN);
    text_append(writer->text, right_parens ? "(" : "");
    write_from_item(writer, from->right);
    text_append(writer->text, right_parens ? ")" : "");
    if (from->usings) {
        for (uint32_t i = 0; i < from->usings; i++)
            text_format(writer->text, "%s%s", i ? ", " : " USING (",
                        identifier(writer->scope, from->using[i]));
        text_append(writer->text, ")");
        if (from->using_alias)
            text_format(writer->text, " AS %s", identifier(writer->scope, from->using_alias));
    } else if (from->condition) {
        text_append(writer->text, writer->pretty ? " ON " : " ON (");
        write_bare(writer, from->condition);
        text_append(writer->text, writer->pretty ? "" : ")");
    } else if (!cross) {
        text_append(writer->text, " ON TRUE");
    }
    text_append(writer->text, parens ? ")" : "");
    if (range->alias) {
        text_format(writer->text, " %s", identifier(writer->scope, range->alias));
        if (join_renamed(writer->writing->query, range))
            write_column_names(writer, range);
    }
}

/* What was written to `piece` goes behind the text, on a line of its own unless it begins with one (or is the first). */
static void piece_add(struct deparser *writer, struct text *text, struct text *piece, bool first)
{
    const char *whole = "";
    writer->text = text;
    if (writer->failed || (writer->failed = text_end(piece, &whole, writer->error)))
        return;
    if (*whole == '\n') {
        while (text->size && text->data[text->size - 1] == ' ')
            text->data[--text->size] = 0;
    } else if (!first) {
        write_keyword(writer, "", -INDENT_STANDARD, INDENT_STANDARD, INDENT_VARIABLE);
    }
    text_append(text, whole);
}

static void write_from(struct deparser *writer, const struct query *query, const char *word)
{
    bool first = true;
    for (uint32_t i = 0; i < query->froms; i++) {
        const struct from *from = query->from[i];
        if (from->kind == FROM_RANGE && (query->range[from->range].kind == RANGE_RESULT ||
                                         (query->kind != QUERY_SELECT && from->range == query->result)))
            continue;
        if (first) {
            write_keyword(writer, word, -INDENT_STANDARD, INDENT_STANDARD, 2);
            write_from_item(writer, from);
        } else {
            struct text piece = text_in(writer->scope), *text = writer->text;
            text_append(text, ", ");
            writer->text = &piece;
            write_from_item(writer, from);
            piece_add(writer, text, &piece, false);
        }
        first = false;
    }
}

/* ---- SELECT ---- */

/* The name the column would have without AS; NULL when it must be said. */
static const char *own_name(const struct deparser *writer, const struct expression *expression,
                            bool names_shown)
{
    const struct writing *writing = writer->writing;
    if (expression->kind == EXPRESSION_SYSTEM_COLUMN)
        return system_column_name(expression->number);
    if (expression->kind != EXPRESSION_COLUMN)
        return names_shown ? NULL : "?column?";
    for (uint32_t up = 0; up < expression->level && writing; up++)
        writing = writing->above;
    return writing ? writing->query->range[expression->range].column[expression->number - 1].name : NULL;
}

static const char *result_name(const struct query *result, uint32_t shown)
{
    for (uint32_t i = 0; i < result->targets; i++)
        if (!result->target[i].hidden && shown-- == 0)
            return result->target[i].name;
    return NULL;
}

static void write_targets(struct deparser *writer, const struct target *targets, uint32_t count,
                          bool names_shown, const struct query *result)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct target *target = &targets[i];
        if (target->hidden)
            continue;
        struct text piece = text_in(writer->scope), *text = writer->text;
        const struct expression *expression =
            target->expression->written ? target->expression->written : target->expression;
        const char *name = result ? result_name(result, shown) : target->name;
        /* Casts to the common type of a set operation are not its sides' own. */
        if (result && result->set)
            expression = without_implicit_casts(expression);
        const char *own = own_name(writer, expression, names_shown);
        text_append(text, shown ? ", " : " ");
        writer->text = &piece;
        write_expression(writer, expression);
        if (expression->kind == EXPRESSION_WHOLE_ROW && expression->type->type_type == 'c') {
            text_append(&piece, "::");
            write_type(writer, expression->type, -1);
        }
        if (name && (!own || strcmp(own, name) != 0))
            text_format(&piece, " AS %s", identifier(writer->scope, name));
        piece_add(writer, text, &piece, shown == 0);
        shown++;
    }
}

static void write_grouping(struct deparser *writer, const struct query *query)
{
    write_keyword(writer, query->group_distinct ? " GROUP BY DISTINCT " : " GROUP BY ", -INDENT_STANDARD,
                  INDENT_STANDARD, 1);
    if (query->grouping_sets == 1 && query->grouping_set[0].keys == query->groups && query->groups) {
        for (uint32_t i = 0; i < query->groups; i++) {
            text_append(writer->text, i ? ", " : "");
            write_key(writer, query, &query->group[i], false);
        }
        return;
    }
    text_append(writer->text, "GROUPING SETS (");
    for (uint32_t i = 0; i < query->grouping_sets; i++) {
        text_append(writer->text, i ? ", (" : "(");
        for (uint32_t k = 0; k < query->grouping_set[i].keys; k++) {
            text_append(writer->text, k ? ", " : "");
            write_key(writer, query, &query->group[query->grouping_set[i].key[k]], false);
        }
        text_append(writer->text, ")");
    }
    text_append(writer->text, ")");
}

static void write_window_clause(struct deparser *writer, const struct query *query)
{
    bool first = true;
    for (uint32_t i = 0; i < query->windows; i++) {
        if (!query->window[i].name)
            continue;
        if (first)
            write_keyword(writer, " WINDOW ", -INDENT_STANDARD, INDENT_STANDARD, 1);
        else
            text_append(writer->text, ", ");
        write_name(writer, query->window[i].name);
        text_append(writer->text, " AS ");
        write_window(writer, &query->window[i]);
        first = false;
    }
}

/* SELECT column1, column2 FROM (VALUES ...) that was written VALUES ... */
static const struct range *plain_values(const struct query *query)
{
    if (query->ranges != 1 || query->range[0].kind != RANGE_VALUES || query->range[0].alias || query->where ||
        query->groups || query->having || query->distinct)
        return NULL;
    for (uint32_t i = 0; i < query->targets; i++)
        if (!query->target[i].hidden && (query->target[i].expression->kind != EXPRESSION_COLUMN ||
                                         query->target[i].expression->number != (int32_t)i + 1))
            return NULL;
    return &query->range[0];
}

static void write_basic_select(struct deparser *writer, const struct query *query, bool names_shown,
                               const struct query *result)
{
    writer->indent += INDENT_STANDARD;
    text_append(writer->text, " ");
    const struct range *values = plain_values(query);
    if (values) {
        write_values(writer, values);
        return;
    }
    text_append(writer->text, "SELECT");
    if (query->distinct_on) {
        text_append(writer->text, " DISTINCT ON (");
        for (uint32_t i = 0; i < query->distinct_on; i++) {
            text_append(writer->text, i ? ", " : "");
            write_key(writer, query, &query->distinct_key[i], false);
        }
        text_append(writer->text, ")");
    } else if (query->distinct) {
        text_append(writer->text, " DISTINCT");
    }
    write_targets(writer, query->target, query->targets, names_shown, result);
    write_from(writer, query, " FROM ");
    if (query->where) {
        write_keyword(writer, " WHERE ", -INDENT_STANDARD, INDENT_STANDARD, 1);
        write_bare(writer, query->where);
    }
    if (query->grouping_sets)
        write_grouping(writer, query);
    if (query->having) {
        write_keyword(writer, " HAVING ", -INDENT_STANDARD, INDENT_STANDARD, 0);
        write_bare(writer, query->having);
    }
    write_window_clause(writer, query);
}

static void write_set(struct deparser *writer, const struct query *query, const struct set_tree *tree,
                      bool names_shown, const struct query *result)
{
    static const char *const words[] = {
        [SET_UNION] = "UNION ", [SET_INTERSECT] = "INTERSECT ", [SET_EXCEPT] = "EXCEPT "};
    if (tree->operation == 0) {
        const struct query *leaf = query->range[tree->range].query;
        bool parens = leaf->commons || leaf->orders || leaf->locks || leaf->limit || leaf->offset;
        int indent = writer->indent;
        bool qualified = writer->qualified;
        text_append(writer->text, parens ? "(" : "");
        write_query(writer, leaf, names_shown, result);
        text_append(writer->text, parens ? ")" : "");
        writer->indent = indent;
        writer->qualified = qualified;
        return;
    }
    const struct set_tree *left = tree->left, *right = tree->right;
    bool parens = left->operation && (left->operation != tree->operation || left->all != tree->all);
    int indent = parens ? INDENT_STANDARD : 0;
    if (parens) {
        text_append(writer->text, "(");
        write_keyword(writer, "", indent, 0, 0);
    }
    write_set(writer, query, left, names_shown, result);
    write_keyword(writer, parens ? ") " : "", -indent, 0, 0);
    text_format(writer->text, "%s%s", words[tree->operation], tree->all ? "ALL " : "");
    parens = right->operation;
    indent = parens ? INDENT_STANDARD : 0;
    text_append(writer->text, parens ? "(" : "");
    write_keyword(writer, "", indent, 0, 0);
    write_set(writer, query, right, false, result);
    writer->indent -= indent;
    if (parens)
        write_keyword(writer, ")", 0, 0, 0);
}

/* ---- WITH and the rest ---- */

static void write_common_names(struct deparser *writer, const struct common *common)
{
    bool differ = false;
    const struct query *query = common->query;
    uint32_t at = 0;
    const struct target *targets = query->kind == QUERY_SELECT ? query->target : query->returning;
    uint32_t count = query->kind == QUERY_SELECT ? query->targets : query->returnings;
    for (uint32_t i = 0; i < count; i++)
        if (!targets[i].hidden)
            differ |= strcmp(targets[i].name, common->column[at++].name) != 0;
    for (uint32_t i = 0; differ && i < common->columns; i++) {
        text_append(writer->text, i ? ", " : "(");
        write_name(writer, common->column[i].name);
    }
    text_append(writer->text, differ ? ")" : "");
}

static void write_commons(struct deparser *writer, const struct query *query)
{
    bool recursive = false;
    for (uint32_t i = 0; i < query->commons; i++)
        recursive |= query->common[i]->recursive;
    writer->indent += INDENT_STANDARD;
    text_append(writer->text, recursive ? " WITH RECURSIVE " : " WITH ");
    for (uint32_t i = 0; i < query->commons; i++) {
        const struct common *common = query->common[i];
        text_append(writer->text, i ? ", " : "");
        write_name(writer, common->name);
        write_common_names(writer, common);
        text_append(writer->text, common->materialized == 1   ? " AS MATERIALIZED ("
                                  : common->materialized == 2 ? " AS NOT MATERIALIZED ("
                                                              : " AS (");
        write_keyword(writer, "", 0, 0, 0);
        int indent = writer->indent;
        bool qualified = writer->qualified;
        write_query(writer, common->query, true, NULL);
        writer->indent = indent;
        writer->qualified = qualified;
        write_keyword(writer, "", 0, 0, 0);
        text_append(writer->text, ")");
    }
    writer->indent -= INDENT_STANDARD;
    write_keyword(writer, "", 0, 0, 0);
}

static void write_locks(struct deparser *writer, const struct query *query)
{
    static const char *const words[] = {[LOCK_KEY_SHARE] = " FOR KEY SHARE",
                                        [LOCK_SHARE] = " FOR SHARE",
                                        [LOCK_NO_KEY_UPDATE] = " FOR NO KEY UPDATE",
                                        [LOCK_UPDATE] = " FOR UPDATE"};
    for (uint32_t i = 0; i < query->locks; i++) {
        const struct lock_clause *lock = &query->lock[i];
        write_keyword(writer, words[lock->strength], -INDENT_STANDARD, INDENT_STANDARD, 0);
        text_format(writer->text, " OF %s", identifier(writer->scope, writer->writing->names[lock->range]));
        text_append(writer->text, lock->wait == WAIT_ERROR  ? " NOWAIT"
                                  : lock->wait == WAIT_SKIP ? " SKIP LOCKED"
                                                            : "");
    }
}

static void write_select(struct deparser *writer, const struct query *query, bool names_shown,
                         const struct query *result)
{
    if (query->set)
        write_set(writer, query, query->set, names_shown, result);
    else
        write_basic_select(writer, query, names_shown, result);
    if (query->orders) {
        write_keyword(writer, " ORDER BY ", -INDENT_STANDARD, INDENT_STANDARD, 1);
        write_order(writer, query, query->order, query->orders);
    }
    if (query->offset) {
        write_keyword(writer, " OFFSET ", -INDENT_STANDARD, INDENT_STANDARD, 0);
        write_bare(writer, query->offset);
    }
    if (query->limit && query->with_ties) {
        write_keyword(writer, " FETCH FIRST ", -INDENT_STANDARD, INDENT_STANDARD, 0);
        text_append(writer->text, "(");
        write_bare(writer, query->limit);
        text_append(writer->text, ") ROWS WITH TIES");
    } else if (query->limit) {
        write_keyword(writer, " LIMIT ", -INDENT_STANDARD, INDENT_STANDARD, 0);
        if (query->limit->kind == EXPRESSION_CONSTANT && query->limit->constant.null)
            text_append(writer->text, "ALL");
        else
            write_bare(writer, query->limit);
    }
    write_locks(writer, query);
}

/* What writes data is shown only within WITH of views' kin (and in tests): without ruleutils' line breaks between items. */
static void write_assignments(struct deparser *writer, const struct target *targets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_append(writer->text, i ? ", " : "");
        write_name(writer, targets[i].name);
        text_append(writer->text, " = ");
        write_expression(writer, targets[i].expression);
    }
}

static void write_insert(struct deparser *writer, const struct query *query)
{
    const struct range *source = &query->range[query->from[0]->range];
    text_append(writer->text, "INSERT INTO ");
    write_relation_name(writer, query->range[query->result].relation);
    text_append(writer->text, " (");
    for (uint32_t i = 0; i < query->targets; i++) {
        text_append(writer->text, i ? ", " : "");
        write_name(writer, query->target[i].name);
    }
    text_append(writer->text, ") SELECT ");
    for (uint32_t i = 0; i < query->targets; i++) {
        text_append(writer->text, i ? ", " : "");
        write_expression(writer, query->target[i].expression);
    }
    if (source->kind != RANGE_RESULT)
        write_from(writer, query, " FROM ");
    if (query->conflict == CONFLICT_NONE)
        return;
    text_append(writer->text, " ON CONFLICT");
    if (query->conflict_index)
        text_format(writer->text, " (%s)", query->conflict_index->name);
    if (query->conflict == CONFLICT_NOTHING) {
        text_append(writer->text, " DO NOTHING");
        return;
    }
    text_append(writer->text, " DO UPDATE SET ");
    write_assignments(writer, query->conflict_target, query->conflict_targets);
    if (query->conflict_where) {
        text_append(writer->text, " WHERE ");
        write_expression(writer, query->conflict_where);
    }
}

static void write_modification(struct deparser *writer, const struct query *query)
{
    if (query->kind == QUERY_INSERT) {
        write_insert(writer, query);
    } else {
        text_append(writer->text, query->kind == QUERY_UPDATE   ? "UPDATE "
                                  : query->kind == QUERY_DELETE ? "DELETE FROM "
                                                                : "MERGE INTO ");
        write_range(writer, query->result);
        if (query->kind == QUERY_UPDATE) {
            text_append(writer->text, " SET ");
            write_assignments(writer, query->target, query->targets);
        }
        write_from(writer, query, query->kind == QUERY_UPDATE ? " FROM " : " USING ");
        const struct expression *where = query->where ? query->where : query->merge_condition;
        if (where) {
            text_append(writer->text, query->merge_condition ? " ON " : " WHERE ");
            write_expression(writer, where);
        }
        for (uint32_t i = 0; i < query->merge_actions; i++) {
            const struct merge_action *action = &query->merge_action[i];
            text_append(writer->text, action->matched ? " WHEN MATCHED" : " WHEN NOT MATCHED");
            if (action->condition) {
                text_append(writer->text, " AND ");
                write_expression(writer, action->condition);
            }
            text_append(writer->text, action->kind == QUERY_INSERT   ? " THEN INSERT "
                                      : action->kind == QUERY_UPDATE ? " THEN UPDATE SET "
                                      : action->kind == QUERY_DELETE ? " THEN DELETE"
                                                                     : " THEN DO NOTHING");
            write_assignments(writer, action->target, action->targets);
        }
    }
    if (query->returnings) {
        text_append(writer->text, " RETURNING");
        write_targets(writer, query->returning, query->returnings, false, NULL);
    }
}

void write_query(struct deparser *writer, const struct query *query, bool names_shown,
                 const struct query *result)
{
    struct writing writing = {.above = writer->writing, .query = query};
    writer->writing = &writing;
    writer->qualified = true;
    names_choose(writer, &writing);
    if (query->commons)
        write_commons(writer, query);
    if (query->kind == QUERY_SELECT)
        write_select(writer, query, names_shown, result);
    else
        write_modification(writer, query);
    writer->writing = writing.above;
}

enum sqlstate query_deparse(struct catalog_view *view, struct scope *scope, const struct query *query,
                            unsigned flags, const char **text, struct error *error)
{
    struct text whole = text_in(scope);
    struct deparser writer = {.text = &whole,
                              .scope = scope,
                              .view = view,
                              .error = error,
                              .stored = flags & DEPARSE_STORED,
                              .pretty = flags & DEPARSE_PRETTY};
    write_query(&writer, query, true, query);
    text_append(&whole, ";");
    return writer.failed ? writer.failed : text_end(&whole, text, error);
}
