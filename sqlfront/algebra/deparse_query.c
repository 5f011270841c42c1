/* Queries as SQL, in the form of PostgreSQL's pg_get_viewdef: clauses on lines of their own, columns with their range. */
#include "base/scope.h"
#include "sqlfront/algebra/deparse.h"
#include "sqlfront/catalog/names.h"

#include <string.h>

static const struct query *present(const struct deparse *deparse)
{
    return deparse->level->query;
}

/* A clause's keyword on a new line, `blanks` before it, further in for queries inside. */
static void clause(struct deparse *deparse, int blanks, const char *word)
{
    text_format(&deparse->text, "\n%*s%s", blanks + 8 * (int)deparse->indent, "", word);
}

const char *deparse_range_name(struct deparse *deparse, const struct query *query, uint32_t range)
{
    (void)deparse;
    const struct range *found = &query->range[range];
    return found->alias ? found->alias : found->name ? found->name : "unnamed_subquery";
}

/* ---- FROM ---- */

static void column_names(struct deparse *deparse, const struct range *range)
{
    text_append(&deparse->text, "(");
    for (uint32_t c = 0; c < range->columns; c++) {
        text_append(&deparse->text, c ? ", " : "");
        deparse_identifier(deparse, range->column[c].name);
    }
    text_append(&deparse->text, ")");
}

static void alias(struct deparse *deparse, const struct query *query, uint32_t range, bool always)
{
    if (!always && !query->range[range].alias)
        return;
    text_append(&deparse->text, " ");
    deparse_identifier(deparse, deparse_range_name(deparse, query, range));
}

static void values_of(struct deparse *deparse, const struct range *range)
{
    text_append(&deparse->text, "VALUES ");
    for (uint32_t r = 0; r < range->values; r++) {
        text_append(&deparse->text, r ? ", (" : "(");
        for (uint32_t c = 0; c < range->columns; c++) {
            text_append(&deparse->text, c ? "," : "");
            deparse_expression(deparse, range->value[r][c], false);
        }
        text_append(&deparse->text, ")");
    }
}

static void functions_of(struct deparse *deparse, const struct range *range)
{
    text_append(&deparse->text, range->functions > 1 ? "ROWS FROM(" : "");
    for (uint32_t f = 0; f < range->functions; f++) {
        text_append(&deparse->text, f ? ", " : "");
        deparse_expression(deparse, range->function[f], true);
    }
    text_append(&deparse->text, range->functions > 1 ? ")" : "");
    text_append(&deparse->text, range->ordinality ? " WITH ORDINALITY" : "");
}

static void range_of(struct deparse *deparse, uint32_t number)
{
    const struct query *query = present(deparse);
    const struct range *range = &query->range[number];
    const char *shown = NULL;
    text_append(&deparse->text, range->lateral && range->kind != RANGE_RELATION ? "LATERAL " : "");
    if (range->relation && (range->kind == RANGE_RELATION || range->from_view)) {
        if (relation_shown(deparse->view, deparse->scope, range->relation->oid, false, &shown,
                           deparse->error))
            shown = NULL;
        text_append(&deparse->text, shown ? shown : range->relation->name);
        alias(deparse, query, number, false);
        return;
    }
    switch (range->kind) {
    case RANGE_SUBQUERY:
        text_append(&deparse->text, "(");
        deparse->indent++;
        deparse_query(deparse, range->query);
        deparse->indent--;
        text_append(&deparse->text, ")");
        alias(deparse, query, number, true);
        column_names(deparse, range);
        return;
    case RANGE_VALUES:
        text_append(&deparse->text, "(");
        values_of(deparse, range);
        text_append(&deparse->text, ")");
        alias(deparse, query, number, true);
        column_names(deparse, range);
        return;
    case RANGE_FUNCTION:
        functions_of(deparse, range);
        alias(deparse, query, number, true);
        column_names(deparse, range);
        return;
    case RANGE_COMMON:
        deparse_identifier(deparse, range->common->name);
        alias(deparse, query, number, false);
        return;
    default:
        deparse_identifier(deparse, range->name ? range->name : "?");
    }
}

static void from_item(struct deparse *deparse, const struct from *from)
{
    static const char *const words[] = {[JOIN_INNER] = "JOIN ",
                                        [JOIN_LEFT] = "LEFT JOIN ",
                                        [JOIN_RIGHT] = "RIGHT JOIN ",
                                        [JOIN_FULL] = "FULL JOIN "};
    if (from->kind == FROM_RANGE) {
        range_of(deparse, from->range);
        return;
    }
    bool cross = from->join == JOIN_INNER && !from->condition;
    text_append(&deparse->text, "(");
    from_item(deparse, from->left);
    clause(deparse, 5, cross ? "CROSS JOIN " : words[from->join]);
    from_item(deparse, from->right);
    if (!cross) {
        text_append(&deparse->text, " ON (");
        if (from->condition)
            deparse_expression(deparse, from->condition, false);
        else
            text_append(&deparse->text, "true");
        text_append(&deparse->text, ")");
    }
    text_append(&deparse->text, ")");
}

/* ---- windows ---- */

static void frame(struct deparse *deparse, const struct window *window)
{
    static const char *const modes[] = {
        [FRAME_RANGE] = "RANGE", [FRAME_ROWS] = "ROWS", [FRAME_GROUPS] = "GROUPS"};
    static const char *const exclusions[] = {[EXCLUDE_NONE] = "",
                                             [EXCLUDE_CURRENT] = " EXCLUDE CURRENT ROW",
                                             [EXCLUDE_GROUP] = " EXCLUDE GROUP",
                                             [EXCLUDE_TIES] = " EXCLUDE TIES"};
    static const char *const bounds[] = {[BOUND_UNBOUNDED_PRECEDING] = "UNBOUNDED PRECEDING",
                                         [BOUND_PRECEDING] = " PRECEDING",
                                         [BOUND_CURRENT] = "CURRENT ROW",
                                         [BOUND_FOLLOWING] = " FOLLOWING",
                                         [BOUND_UNBOUNDED_FOLLOWING] = "UNBOUNDED FOLLOWING"};
    text_format(&deparse->text, "%s BETWEEN ", modes[window->mode]);
    if (window->from_offset)
        deparse_expression(deparse, window->from_offset, false);
    text_format(&deparse->text, "%s AND ", bounds[window->from]);
    if (window->to_offset)
        deparse_expression(deparse, window->to_offset, false);
    text_format(&deparse->text, "%s%s", bounds[window->to], exclusions[window->exclusion]);
}

void deparse_over(struct deparse *deparse, uint32_t number)
{
    const struct query *query = present(deparse);
    const struct window *window = &query->window[number];
    const char *between = "";
    text_append(&deparse->text, " OVER (");
    for (uint32_t i = 0; i < window->partitions; i++) {
        text_append(&deparse->text, i ? ", " : "PARTITION BY ");
        deparse_sort_key(deparse,
                         &(struct sort_key){.expression = window->partition[i].expression,
                                            .target = window->partition[i].target},
                         query);
        between = " ";
    }
    for (uint32_t i = 0; i < window->orders; i++) {
        text_format(&deparse->text, "%s", i ? ", " : between);
        text_append(&deparse->text, i ? "" : "ORDER BY ");
        deparse_sort_key(deparse, &window->order[i], query);
        between = " ";
    }
    if (window->frame_given) {
        text_append(&deparse->text, between);
        frame(deparse, window);
    }
    text_append(&deparse->text, ")");
}

/* ---- SELECT ---- */

static void target(struct deparse *deparse, const struct target *target)
{
    const struct expression *expression = target->expression;
    const char *own = NULL;
    deparse_expression(deparse, expression, true);
    if (expression->kind == EXPRESSION_COLUMN && expression->level == 0) {
        const struct range *range = &present(deparse)->range[expression->range];
        if (expression->number > 0 && (uint32_t)expression->number <= range->columns)
            own = range->column[expression->number - 1].name;
    }
    if (own ? strcmp(own, target->name) == 0 : strcmp(target->name, "?column?") == 0)
        return;
    text_append(&deparse->text, " AS ");
    deparse_identifier(deparse, target->name);
}

static void keys(struct deparse *deparse, const struct query *query, const struct sort_key *key,
                 uint32_t count, bool order)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sort_key plain = key[i];
        if (!order)
            plain.descending = plain.nulls_first = false;
        text_append(&deparse->text, i ? ", " : "");
        deparse_sort_key(deparse, &plain, query);
    }
}

static void grouping(struct deparse *deparse, const struct query *query)
{
    if (!query->groups && !query->grouping_sets)
        return;
    clause(deparse, 2, "GROUP BY ");
    if (query->grouping_sets <= 1) {
        keys(deparse, query, query->group, query->groups, false);
        return;
    }
    text_append(&deparse->text, "GROUPING SETS (");
    for (uint32_t s = 0; s < query->grouping_sets; s++) {
        text_append(&deparse->text, s ? ", (" : "(");
        for (uint32_t k = 0; k < query->grouping_set[s].keys; k++) {
            text_append(&deparse->text, k ? ", " : "");
            keys(deparse, query, &query->group[query->grouping_set[s].key[k]], 1, false);
        }
        text_append(&deparse->text, ")");
    }
    text_append(&deparse->text, ")");
}

static void plain_select(struct deparse *deparse, const struct query *query)
{
    text_append(&deparse->text, deparse->text.size ? "SELECT " : " SELECT ");
    if (query->distinct_on) {
        text_append(&deparse->text, "DISTINCT ON (");
        keys(deparse, query, query->distinct_key, query->distinct_on, false);
        text_append(&deparse->text, ") ");
    } else if (query->distinct) {
        text_append(&deparse->text, "DISTINCT ");
    }
    bool first = true;
    for (uint32_t i = 0; i < query->targets; i++) {
        if (query->target[i].hidden)
            continue;
        if (!first)
            text_append(&deparse->text, ",");
        if (!first)
            clause(deparse, 4, "");
        target(deparse, &query->target[i]);
        first = false;
    }
    bool from = false;
    for (uint32_t i = 0; i < query->froms; i++) {
        if (query->from[i]->kind == FROM_RANGE && query->range[query->from[i]->range].kind == RANGE_RESULT)
            continue;
        if (!from)
            clause(deparse, 3, "FROM ");
        else
            text_append(&deparse->text, ",");
        if (from)
            clause(deparse, 4, "");
        from_item(deparse, query->from[i]);
        from = true;
    }
    if (query->where) {
        clause(deparse, 2, "WHERE ");
        deparse_expression(deparse, query->where, false);
    }
    grouping(deparse, query);
    if (query->having) {
        clause(deparse, 2, "HAVING ");
        deparse_expression(deparse, query->having, false);
    }
}

static void set_operations(struct deparse *deparse, const struct query *query, const struct set_tree *tree)
{
    static const char *const words[] = {
        [SET_UNION] = "UNION", [SET_INTERSECT] = "INTERSECT", [SET_EXCEPT] = "EXCEPT"};
    if (!tree->operation) {
        const struct query *leaf = query->range[tree->range].query;
        bool wrapped = leaf->orders || leaf->limit || leaf->offset || leaf->commons || leaf->set;
        text_append(&deparse->text, wrapped ? "(" : "");
        deparse_query(deparse, leaf);
        text_append(&deparse->text, wrapped ? ")" : "");
        return;
    }
    bool left = tree->left->operation != 0, right = tree->right->operation != 0;
    text_append(&deparse->text, left ? "(" : "");
    set_operations(deparse, query, tree->left);
    text_append(&deparse->text, left ? ")" : "");
    clause(deparse, 0, words[tree->operation]);
    text_append(&deparse->text, tree->all ? " ALL" : "");
    clause(deparse, 1, "");
    text_append(&deparse->text, right ? "(" : "");
    set_operations(deparse, query, tree->right);
    text_append(&deparse->text, right ? ")" : "");
}

static void commons(struct deparse *deparse, const struct query *query)
{
    bool recursive = false;
    for (uint32_t i = 0; i < query->commons; i++)
        recursive = recursive || query->common[i]->recursive;
    text_format(&deparse->text, "%sWITH %s", deparse->text.size ? "" : " ", recursive ? "RECURSIVE " : "");
    for (uint32_t i = 0; i < query->commons; i++) {
        const struct common *common = query->common[i];
        text_append(&deparse->text, i ? ", " : "");
        deparse_identifier(deparse, common->name);
        text_append(&deparse->text, "(");
        for (uint32_t c = 0; c < common->columns; c++) {
            text_append(&deparse->text, c ? ", " : "");
            deparse_identifier(deparse, common->column[c].name);
        }
        text_append(&deparse->text, ") AS ");
        text_append(&deparse->text, common->materialized == 1   ? "MATERIALIZED "
                                    : common->materialized == 2 ? "NOT MATERIALIZED "
                                                                : "");
        text_append(&deparse->text, "(");
        deparse->indent++;
        deparse_query(deparse, common->query);
        deparse->indent--;
        text_append(&deparse->text, ")");
    }
    clause(deparse, 1, "");
}

/* In a set operation's ORDER BY columns go by their names. */
static void order(struct deparse *deparse, const struct query *query)
{
    clause(deparse, 2, "ORDER BY ");
    for (uint32_t i = 0; i < query->orders; i++) {
        const struct sort_key *key = &query->order[i];
        text_append(&deparse->text, i ? ", " : "");
        if (!query->set) {
            deparse_sort_key(deparse, key, query);
            continue;
        }
        text_format(&deparse->text, "%u", key->target + 1);
        text_append(&deparse->text, key->descending ? " DESC" : "");
        if (key->nulls_first != key->descending)
            text_append(&deparse->text, key->nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

void deparse_query(struct deparse *deparse, const struct query *query)
{
    const struct deparse_level level = {.query = query, .outer = deparse->level};
    if (deparse->failed)
        return;
    if (query->kind != QUERY_SELECT) {
        deparse->failed = error_set(deparse->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                    "a statement that changes data cannot be written as text");
        return;
    }
    deparse->level = &level;
    if (query->commons)
        commons(deparse, query);
    if (query->set)
        set_operations(deparse, query, query->set);
    else
        plain_select(deparse, query);
    if (query->orders)
        order(deparse, query);
    if (query->offset) {
        clause(deparse, 1, "OFFSET ");
        deparse_expression(deparse, query->offset, false);
    }
    if (query->limit) {
        clause(deparse, 1, query->with_ties ? "FETCH FIRST " : "LIMIT ");
        deparse_expression(deparse, query->limit, false);
        text_append(&deparse->text, query->with_ties ? " ROWS WITH TIES" : "");
    }
    deparse->level = level.outer;
}

enum sqlstate query_deparse(struct catalog_view *view, struct scope *scope, const struct query *query,
                            const char **text, struct error *error)
{
    struct deparse deparse = {
        .view = view, .scope = scope, .text = text_in(scope), .error = error, .qualified = true};
    deparse_query(&deparse, query);
    return deparse.failed ? deparse.failed : text_end(&deparse.text, text, error);
}
