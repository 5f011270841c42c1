/* EXPLAIN (PostgreSQL manual, 14.1): the planner's tree in PostgreSQL's words, as text or JSON; with ANALYZE what really happened. */
#include "sqlfront/inside.h"

#include "sqlfront/explain_slot.h"
#include "sqlfront/parse/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct explanation {
    struct session *session;
    struct scope *scope;
    struct catalog_view *view;
    const struct recipe *recipe;
    const struct execution *execution; /* NULL without ANALYZE */
    bool analyze, verbose, costs, timing, summary, json;
    struct text text;
    struct slot_names names;
    const struct plan *at; /* the node whose expressions are written */
    uint32_t shift;        /* columns further right than the depth says */
};

static const char *join_words(const struct plan *plan)
{
    switch (plan->join) {
    case JOIN_LEFT:
        return " Left";
    case JOIN_RIGHT:
        return " Right";
    case JOIN_FULL:
        return " Full";
    case JOIN_SEMI:
        return " Semi";
    case JOIN_ANTI:
        return " Anti";
    default:
        return "";
    }
}

static const char *node_name(struct scope *scope, const struct plan *plan)
{
    static const char *const set[] = {
        [SET_UNION] = "Union", [SET_INTERSECT] = "Intersect", [SET_EXCEPT] = "Except"};
    char *name = scope_alloc(scope, 64);
    switch (plan->kind) {
    case PLAN_RESULT:
    case PLAN_EMPTY:
    case PLAN_PROJECT:
        return "Result";
    case PLAN_VALUES:
        return "Values Scan";
    case PLAN_SCAN:
        if (plan->bounds.equals == 0 && plan->bounds.low_kind == BOUND_NONE &&
            plan->bounds.high_kind == BOUND_NONE && !plan->index && !plan->ordered)
            return "Seq Scan";
        snprintf(name, 64, "Index%s Scan%s", plan->index_only ? " Only" : "",
                 plan->backward ? " Backward" : "");
        return name;
    case PLAN_FUNCTION:
        return "Function Scan";
    case PLAN_FILTER:
        return "Result";
    case PLAN_SET_PROJECT:
        return "ProjectSet";
    case PLAN_HASH_JOIN:
        snprintf(name, 64, "Hash%s Join", join_words(plan));
        return name;
    case PLAN_MERGE_JOIN:
        snprintf(name, 64, "Merge%s Join", join_words(plan));
        return name;
    case PLAN_LOOKUP_JOIN:
        snprintf(name, 64, "Lookup%s Join", join_words(plan));
        return name;
    case PLAN_NESTED_JOIN:
    case PLAN_APPLY:
        snprintf(name, 64, *join_words(plan) ? "Nested Loop%s Join" : "Nested Loop%s", join_words(plan));
        return name;
    case PLAN_AGGREGATE:
        snprintf(name, 64, "%s%s",
                 plan->phase == AGGREGATE_PARTIAL ? "Partial "
                 : plan->phase == AGGREGATE_FINAL ? "Finalize "
                                                  : "",
                 plan->keys == 0 ? "Aggregate"
                 : plan->sorted  ? "GroupAggregate"
                                 : "HashAggregate");
        return name;
    case PLAN_WINDOW:
        return "WindowAgg";
    case PLAN_SORT:
        return "Sort";
    case PLAN_UNIQUE:
        return "Unique";
    case PLAN_LIMIT:
        return "Limit";
    case PLAN_APPEND:
        return "Append";
    case PLAN_SET_OPERATION:
        snprintf(name, 64, "HashSetOp %s%s", plan->set_operation ? set[plan->set_operation] : "",
                 plan->all ? " All" : "");
        return name;
    case PLAN_RECURSIVE:
        return "Recursive Union";
    case PLAN_WORK_TABLE:
        return "WorkTable Scan";
    case PLAN_COMMON:
        return "Result";
    case PLAN_COMMON_SCAN:
        return "CTE Scan";
    case PLAN_LOCK:
        return "LockRows";
    case PLAN_MODIFY:
        return plan->modify == QUERY_INSERT   ? "Insert"
               : plan->modify == QUERY_UPDATE ? "Update"
               : plan->modify == QUERY_DELETE ? "Delete"
                                              : "Merge";
    case PLAN_GATHER:
        return "Gather";
    default:
        return "Node";
    }
}

/* Nodes that only compute columns say nothing PostgreSQL would show: their input stands for them. */
static const struct plan *shown(const struct plan *plan)
{
    while ((plan->kind == PLAN_PROJECT || plan->kind == PLAN_COMMON) && plan->input[0])
        plan = plan->input[0];
    return plan;
}

static const struct relation *relation_of(const struct plan *plan)
{
    if (plan->kind == PLAN_MODIFY)
        return plan->target ? plan->target->relation : NULL;
    return plan->relation;
}

static void expression_write(struct explanation *explanation, struct text *text,
                             const struct expression *expression)
{
    const char *words = NULL;
    struct error error = {0};
    if (!expression)
        return;
    const struct query *query = &explanation->names.query;
    if (explanation->at)
        expression = slot_names_put(&explanation->names, explanation->at, expression);
    if (expression_deparse(explanation->view, explanation->scope, expression, explanation->at ? query : NULL,
                           query->ranges > 1, 0, &words, &error) ||
        !words)
        words = "...";
    text_append(text, words);
}

static const char *expression_words(struct explanation *explanation, const struct expression *expression)
{
    struct text text = text_in(explanation->scope);
    const char *words = "...";
    expression_write(explanation, &text, expression);
    (void)text_end(&text, &words, &(struct error){0});
    return words;
}

static const char *keys_words(struct explanation *explanation, const struct plan_key *keys, uint32_t count)
{
    struct text text = text_in(explanation->scope);
    const char *words = "";
    for (uint32_t i = 0; i < count; i++) {
        text_append(&text, i ? ", " : "");
        expression_write(explanation, &text, keys[i].expression);
        text_append(&text, keys[i].descending ? " DESC" : "");
        if (keys[i].nulls_first != keys[i].descending)
            text_append(&text, keys[i].nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
    (void)text_end(&text, &words, &(struct error){0});
    return words;
}

/* "(a.x = b.y) AND ..." of a join's keys. */
static const char *pairs_words(struct explanation *explanation, const struct plan *plan)
{
    struct text text = text_in(explanation->scope);
    const char *words = "";
    for (uint32_t i = 0; i < plan->keys; i++) {
        const char *right = "?";
        text_append(&text, i ? " AND (" : "(");
        expression_write(explanation, &text, plan->key[i].expression);
        const struct expression *other =
            slot_names_put_right(&explanation->names, plan, plan->right_key[i].expression);
        if (expression_deparse(explanation->view, explanation->scope, other, &explanation->names.query,
                               explanation->names.query.ranges > 1, 0, &right, &(struct error){0}))
            right = "?";
        text_format(&text, " = %s)", right);
    }
    (void)text_end(&text, &words, &(struct error){0});
    return words;
}

/* "(a = 1) AND (b > 2)" of an index's bounds. */
static const char *bounds_words(struct explanation *explanation, const struct plan *plan)
{
    const struct relation *relation = plan->relation;
    const int16_t *columns = plan->index ? plan->index->column : relation->key_column;
    uint32_t count = plan->index ? plan->index->key_columns : relation->key_columns;
    const struct plan_bounds *bounds = &plan->bounds;
    struct text text = text_in(explanation->scope);
    const char *words = "";
    for (uint32_t i = 0; i <= bounds->equals && i < count; i++) {
        const char *name = columns[i] > 0 ? relation->column[columns[i] - 1].name : "expression";
        if (i < bounds->equals) {
            bool any = bounds->any && bounds->any_at == i;
            text_format(&text, "%s(%s = %s", text.size ? " AND " : "", name, any ? "ANY (" : "");
            expression_write(explanation, &text, bounds->equal[i]);
            text_append(&text, any ? "))" : ")");
            continue;
        }
        if (bounds->low_kind != BOUND_NONE) {
            text_format(&text, "%s(%s %s ", text.size ? " AND " : "", name,
                        bounds->low_kind == BOUND_INCLUSIVE ? ">=" : ">");
            expression_write(explanation, &text, bounds->low);
            text_append(&text, ")");
        }
        if (bounds->high_kind != BOUND_NONE) {
            text_format(&text, "%s(%s %s ", text.size ? " AND " : "", name,
                        bounds->high_kind == BOUND_INCLUSIVE ? "<=" : "<");
            expression_write(explanation, &text, bounds->high);
            text_append(&text, ")");
        }
    }
    (void)text_end(&text, &words, &(struct error){0});
    return words;
}

/* ---- text ---- */

/* As PostgreSQL: six columns for each arrow, and two more below the name of a CTE. */
static void line_start(struct explanation *explanation, uint32_t depth)
{
    text_format(&explanation->text, "%*s", (int)(2 + 6 * depth + explanation->shift), "");
}

static void property(struct explanation *explanation, uint32_t depth, const char *name, const char *value)
{
    if (!*value)
        return;
    line_start(explanation, depth);
    text_format(&explanation->text, "%s: ", name);
    text_append(&explanation->text, value);
    text_append(&explanation->text, "\n");
}

static void figures_write(struct explanation *explanation, const struct plan *plan)
{
    struct node_figures figures = {0};
    if (explanation->costs)
        text_format(&explanation->text, "  (cost=%.2f..%.2f rows=%.0f width=%u)", plan->startup_cost,
                    plan->cost, plan->rows, plan->columns * 8);
    if (!explanation->analyze)
        return;
    if (!execution_figures(explanation->execution, plan, &figures) || figures.loops == 0) {
        text_append(&explanation->text, " (never executed)");
        return;
    }
    double loops = (double)figures.loops;
    if (explanation->timing)
        text_format(&explanation->text, " (actual time=%.3f..%.3f rows=%.0f loops=%" PRIu64 ")",
                    (double)figures.first_ns / 1e6 / loops, (double)figures.time_ns / 1e6 / loops,
                    (double)figures.rows / loops, figures.loops);
    else
        text_format(&explanation->text, " (actual rows=%.0f loops=%" PRIu64 ")", (double)figures.rows / loops,
                    figures.loops);
}

static void head_write(struct explanation *explanation, const struct plan *plan)
{
    const struct relation *relation = relation_of(plan);
    text_append(&explanation->text, node_name(explanation->scope, plan));
    if (plan->kind == PLAN_SCAN && plan->index && strstr(node_name(explanation->scope, plan), "Index"))
        text_format(&explanation->text, " using %s", plan->index->name);
    if (relation) {
        text_append(&explanation->text, " on ");
        if (explanation->verbose)
            text_format(&explanation->text, "%s.", relation->schema_name);
        text_append(&explanation->text, relation->name);
        if (plan->alias && strcmp(plan->alias, relation->name) != 0)
            text_format(&explanation->text, " %s", plan->alias);
    } else if (plan->alias && (plan->kind == PLAN_COMMON_SCAN || plan->kind == PLAN_WORK_TABLE)) {
        text_format(&explanation->text, " on %s", plan->alias);
    }
    figures_write(explanation, plan);
    text_append(&explanation->text, "\n");
}

/* What the node took, in PostgreSQL's words: the line below a Sort, a HashAggregate, a Hash. */
static void memory_write(struct explanation *explanation, const struct plan *plan, uint32_t depth)
{
    struct node_figures figures = {0};
    if (!explanation->analyze || !execution_figures(explanation->execution, plan, &figures) || !figures.loops)
        return;
    uint64_t memory = (figures.memory_peak + 1023) / 1024, disk = (figures.spilled_bytes + 1023) / 1024;
    struct text *text = &explanation->text;
    if (plan->kind == PLAN_SORT) {
        line_start(explanation, depth);
        text_format(text, "Sort Method: %s  %s: %" PRIu64 "kB\n",
                    disk                     ? "external merge"
                    : figures.sort_shortened ? "top-N heapsort"
                                             : "quicksort",
                    disk ? "Disk" : "Memory", disk ? disk : memory);
    } else if (plan->kind == PLAN_HASH_JOIN || plan->kind == PLAN_AGGREGATE ||
               plan->kind == PLAN_SET_OPERATION) {
        if (plan->kind == PLAN_AGGREGATE && plan->keys == 0)
            return;
        line_start(explanation, depth);
        text_format(text, "Batches: %u  Memory Usage: %" PRIu64 "kB", figures.partitions + 1, memory);
        if (disk)
            text_format(text, "  Disk Usage: %" PRIu64 "kB", disk);
        text_append(text, "\n");
    } else if (disk) {
        line_start(explanation, depth);
        text_format(text, "Disk Usage: %" PRIu64 "kB\n", disk);
    }
}

static void properties_write(struct explanation *explanation, const struct plan *plan, uint32_t depth)
{
    struct node_figures figures = {0};
    explanation->at =
        plan->kind == PLAN_AGGREGATE && plan->phase == AGGREGATE_FINAL ? plan->input[0]->input[0] : plan;
    switch (plan->kind) {
    case PLAN_SCAN:
    case PLAN_LOOKUP_JOIN:
        if (plan->relation)
            property(explanation, depth, "Index Cond", bounds_words(explanation, plan));
        break;
    case PLAN_SORT:
        property(explanation, depth, "Sort Key", keys_words(explanation, plan->key, plan->keys));
        break;
    case PLAN_AGGREGATE:
        property(explanation, depth, "Group Key",
                 keys_words(explanation, explanation->at->key, explanation->at->keys));
        break;
    case PLAN_HASH_JOIN:
        property(explanation, depth, "Hash Cond", pairs_words(explanation, plan));
        break;
    case PLAN_MERGE_JOIN:
        property(explanation, depth, "Merge Cond", pairs_words(explanation, plan));
        break;
    default:
        break;
    }
    if (plan->condition) {
        bool joins = plan->input[1] || plan->kind == PLAN_LOOKUP_JOIN;
        property(explanation, depth, joins ? "Join Filter" : "Filter",
                 expression_words(explanation, plan->condition));
        if (explanation->analyze && execution_figures(explanation->execution, plan, &figures) &&
            figures.rows_filtered) {
            line_start(explanation, depth);
            text_format(&explanation->text, "Rows Removed by Filter: %" PRIu64 "\n", figures.rows_filtered);
        }
    }
    memory_write(explanation, plan, depth);
}

#define EXPLAIN_DEPTH_MAX 200

static void plan_write(struct explanation *explanation, const struct plan *plan, uint32_t depth);

static void child_write(struct explanation *explanation, const struct plan *plan, uint32_t depth)
{
    if (!plan || depth > EXPLAIN_DEPTH_MAX)
        return;
    line_start(explanation, depth - 1);
    text_append(&explanation->text, "->  ");
    plan_write(explanation, plan, depth);
}

static void plan_write(struct explanation *explanation, const struct plan *plan, uint32_t depth)
{
    const struct plan *outer = plan;
    plan = shown(plan);
    head_write(explanation, plan);
    properties_write(explanation, plan, depth);
    for (; outer != plan; outer = outer->input[0])
        for (uint32_t i = 0; i < outer->commons; i++) {
            line_start(explanation, depth);
            text_format(&explanation->text, "CTE %s\n", outer->common_names[i]);
            explanation->shift += 2;
            child_write(explanation, outer->common[i], depth + 1);
            explanation->shift -= 2;
        }
    for (uint32_t i = 0; i < 2; i++)
        child_write(explanation, plan->input[i], depth + 1);
    for (uint32_t i = 0; plan->append && i < plan->inputs; i++)
        child_write(explanation, plan->append[i], depth + 1);
}

/* ---- JSON ---- */

static void json_member(struct explanation *explanation, uint32_t depth, const char *name, const char *value)
{
    if (!*value)
        return;
    text_format(&explanation->text, ",\n%*s\"%s\": ", (int)(4 + 4 * depth), "", name);
    text_json(&explanation->text, bytes_of_text(value));
}

static void plan_json(struct explanation *explanation, const struct plan *plan, uint32_t depth)
{
    struct node_figures figures = {0};
    plan = shown(plan);
    const struct relation *relation = relation_of(plan);
    text_format(&explanation->text, "{\n%*s\"Node Type\": ", (int)(4 + 4 * depth), "");
    text_json(&explanation->text, bytes_of_text(node_name(explanation->scope, plan)));
    if (relation)
        json_member(explanation, depth, "Relation Name", relation->name);
    if (plan->kind == PLAN_SCAN && plan->index)
        json_member(explanation, depth, "Index Name", plan->index->name);
    if (plan->alias)
        json_member(explanation, depth, "Alias", plan->alias);
    if (explanation->costs)
        text_format(
            &explanation->text,
            ",\n%*s\"Startup Cost\": %.2f,\n%*s\"Total Cost\": %.2f,\n%*s\"Plan Rows\": %.0f,\n%*s\"Plan "
            "Width\": %u",
            (int)(4 + 4 * depth), "", plan->startup_cost, (int)(4 + 4 * depth), "", plan->cost,
            (int)(4 + 4 * depth), "", plan->rows, (int)(4 + 4 * depth), "", plan->columns * 8);
    if (explanation->analyze && execution_figures(explanation->execution, plan, &figures))
        text_format(&explanation->text, ",\n%*s\"Actual Rows\": %" PRIu64 ",\n%*s\"Actual Loops\": %" PRIu64,
                    (int)(4 + 4 * depth), "", figures.loops ? figures.rows / figures.loops : 0,
                    (int)(4 + 4 * depth), "", figures.loops);
    explanation->at = plan;
    if (plan->condition)
        json_member(explanation, depth, "Filter", expression_words(explanation, plan->condition));
    bool any = false;
    for (uint32_t i = 0; i < 2 + (plan->append ? plan->inputs : 0) && depth < EXPLAIN_DEPTH_MAX; i++) {
        const struct plan *child = i < 2 ? plan->input[i] : plan->append[i - 2];
        if (!child)
            continue;
        text_format(&explanation->text, any ? ",\n%*s" : ",\n%*s\"Plans\": [\n%*s",
                    (int)((any ? 6 : 4) + 4 * depth), "", (int)(6 + 4 * depth), "");
        any = true;
        plan_json(explanation, child, depth + 1);
    }
    if (any)
        text_format(&explanation->text, "\n%*s]", (int)(4 + 4 * depth), "");
    text_format(&explanation->text, "\n%*s}", (int)(2 + 4 * depth), "");
}

/* ---- the statement ---- */

static bool option_is_on(const DefElem *option)
{
    bool value = true;
    if (!option->arg)
        return true;
    if (IsA(option->arg, String))
        (void)boolean_read(((const String *)option->arg)->sval, &value);
    else if (IsA(option->arg, Integer))
        value = ((const Integer *)option->arg)->ival;
    else if (IsA(option->arg, Boolean))
        value = ((const Boolean *)option->arg)->boolval;
    return value;
}

static enum sqlstate options_read(struct explanation *explanation, const ExplainStmt *explain,
                                  struct error *error)
{
    bool summary_given = false, timing_given = false;
    explanation->costs = explanation->timing = true;
    for (int i = 0; i < list_length(explain->options); i++) {
        const DefElem *option = list_nth(explain->options, i);
        const char *name = option->defname;
        bool on = option_is_on(option);
        if (strcmp(name, "analyze") == 0)
            explanation->analyze = on;
        else if (strcmp(name, "verbose") == 0)
            explanation->verbose = on;
        else if (strcmp(name, "costs") == 0)
            explanation->costs = on;
        else if (strcmp(name, "timing") == 0) {
            explanation->timing = on;
            timing_given = true;
        } else if (strcmp(name, "summary") == 0) {
            explanation->summary = on;
            summary_given = true;
        } else if (strcmp(name, "format") == 0) {
            const char *format = ((const String *)option->arg)->sval;
            explanation->json = strcasecmp(format, "json") == 0;
            if (!explanation->json && strcasecmp(format, "text") != 0)
                return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                 "EXPLAIN (FORMAT %s) is not supported", format);
        } else if (strcmp(name, "buffers") != 0 && strcmp(name, "wal") != 0 && strcmp(name, "settings") != 0)
            return error_set(error, SQLSTATE_SYNTAX_ERROR, "unrecognized EXPLAIN option \"%s\"", name);
    }
    if (!explanation->analyze && timing_given && explanation->timing)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "EXPLAIN option TIMING requires ANALYZE");
    if (!summary_given)
        explanation->summary = explanation->analyze;
    return SQLSTATE_OK;
}

/* One row for each line of the text; JSON is one row. */
static enum sqlstate explanation_send(struct explanation *explanation, struct portal *portal,
                                      struct error *error)
{
    const char *whole;
    enum sqlstate failed = text_end(&explanation->text, &whole, error);
    if (!failed && explanation->json)
        return sink_text_row(explanation->session, &portal->shape, &whole, error);
    char *at = (char *)whole;
    while (!failed && *at) {
        char *end = strchr(at, '\n');
        if (end)
            *end = '\0';
        const char *line = at;
        failed = sink_text_row(explanation->session, &portal->shape, &line, error);
        at = end ? end + 1 : at + strlen(at);
    }
    return failed;
}

static enum sqlstate analyze_run(struct explanation *explanation, struct portal *inner, struct error *error)
{
    for (;;) {
        struct session_rows rows;
        enum sqlstate failed = portal_pull(inner, 0, &rows, error);
        if (failed || rows.rows == 0) {
            explanation->execution = inner->execution;
            return failed;
        }
    }
}

static enum sqlstate explanation_make(struct explanation *explanation, struct portal *inner,
                                      struct error *error)
{
    struct session *session = explanation->session;
    uint64_t start_ns = world_now(session->world);
    inner->keep = inner->analyze = explanation->analyze;
    enum sqlstate failed = portal_start(inner, error);
    uint64_t planned_ns = world_now(session->world);
    if (!failed && explanation->analyze)
        failed = analyze_run(explanation, inner, error);
    uint64_t end_ns = world_now(session->world);
    if (!failed)
        failed = session_view(session, explanation->scope, &explanation->view, error);
    if (!failed)
        failed = portal_plan(inner, error);
    if (failed)
        return failed;
    const struct plan *plan = inner->planned->plan;
    slot_names_open(&explanation->names, explanation->scope, plan);
    if (explanation->json) {
        text_append(&explanation->text, "[\n  {\n    \"Plan\": ");
        plan_json(explanation, plan, 1);
        if (explanation->summary)
            text_format(&explanation->text, ",\n    \"Planning Time\": %.3f,\n    \"Execution Time\": %.3f",
                        (double)(planned_ns - start_ns) / 1e6, (double)(end_ns - planned_ns) / 1e6);
        text_append(&explanation->text, "\n  }\n]");
        return SQLSTATE_OK;
    }
    plan_write(explanation, plan, 0);
    if (explanation->summary)
        text_format(&explanation->text, "Planning Time: %.3f ms\n", (double)(planned_ns - start_ns) / 1e6);
    if (explanation->summary && explanation->analyze)
        text_format(&explanation->text, "Execution Time: %.3f ms\n", (double)(end_ns - planned_ns) / 1e6);
    return SQLSTATE_OK;
}

enum sqlstate explain_run(struct session *session, struct portal *portal, const ExplainStmt *explain,
                          struct error *error)
{
    struct explanation explanation = {.session = session};
    const struct Node *node = (const struct Node *)explain->query;
    struct portal *inner;
    enum sqlstate failed = options_read(&explanation, explain, error);
    if (failed)
        return failed;
    if (IsA(node, DeclareCursorStmt))
        node = (const struct Node *)((const DeclareCursorStmt *)node)->query;
    struct statement *statement;
    struct prepared *prepared = NULL;
    if (IsA(node, ExecuteStmt)) {
        prepared = prepared_find(session, ((const ExecuteStmt *)node)->name);
        if (!prepared)
            return error_set(error, SQLSTATE_PACK('2', '6', '0', '0', '0'),
                             "prepared statement \"%s\" does not exist", ((const ExecuteStmt *)node)->name);
        statement = prepared->statement;
        statement_hold(statement);
    } else
        statement = statement_within(session, portal->statement, node);
    if (!statement->plannable) {
        statement_release(session, statement);
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "EXPLAIN of this statement is not supported");
    }
    failed = portal_make(session, NULL, statement, &inner, error);
    statement_release(session, statement);
    if (failed)
        return failed;
    inner->values = portal->values;
    inner->parameters = portal->parameters;
    if (prepared)
        inner->types = *prepared_types(prepared);
    if (prepared)
        failed = execute_arguments(session, portal, inner, (const ExecuteStmt *)node, prepared, error);
    explanation.scope = scope_open(inner->scope, "explain");
    explanation.text = text_in(explanation.scope);
    if (!failed)
        failed = explanation_make(&explanation, inner, error);
    if (!failed)
        failed = explanation_send(&explanation, portal, error);
    portal_drop(inner);
    return failed;
}
