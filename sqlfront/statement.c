/* Statements: texts parsed once, their recipes (bound and planned) used as long as they hold.
 *
 *     text --parse--> statement --bind, plan--> recipe        both counted by who holds them: the core (plans.c), prepared
 *                     (one text)                (one version   statements, portals that run
 *                                                of the catalog)
 *
 * A recipe holds while the catalog has its version, for sessions on its footing. Those made while the transaction had changed the
 * catalog itself are used once. */
#include "sqlfront/inside.h"

#include "sqlfront/algebra/walk.h"
#include "sqlfront/define/define.h"
#include "sqlfront/parse/tree.h"

#include <string.h>
#include <strings.h>

/* ---- statements ---- */

static bool node_plannable(const struct Node *node)
{
    switch (nodeTag(node)) {
    case T_SelectStmt:
        return !define_into(node);
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        return true;
    default:
        return false;
    }
}

/* Whether no literal of the text means a moment that moves on: 'now', 'today' and so on are read when a statement is bound. */
static bool text_timeless(const char *text)
{
    static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};
    for (const char *at = strchr(text, '\''); at; at = strchr(at + 1, '\'')) {
        const char *word = at + 1;
        while (*word == ' ')
            word++;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (strncasecmp(word, words[i], strlen(words[i])) == 0)
                return false;
    }
    return true;
}

static void statement_fill(struct statement *statement, const struct parsed *parsed, uint32_t index)
{
    const struct RawStmt *raw = parsed_statement(parsed, index);
    statement->node = (const struct Node *)raw->stmt;
    statement->own_text = parsed_statement_text(parsed, index);
    statement->plannable = node_plannable(statement->node);
}

/* What the cache finds a statement by: its text, a zero byte, the types. */
static struct bytes key_make(struct scope *scope, const char *text, size_t size, const uint32_t *types,
                             uint32_t given)
{
    char *key = scope_alloc(scope, size + 1 + given * sizeof *types);
    memcpy(key, text, size + 1);
    if (given)
        memcpy(key + size + 1, types, given * sizeof *types);
    return bytes_of(key, size + 1 + given * sizeof *types);
}

/* Statements that all sessions may run from one tree, at the same time: those that only read it. */
static bool node_shareable(const struct Node *node)
{
    switch (nodeTag(node)) {
    case T_TransactionStmt:
    case T_VariableSetStmt:
    case T_VariableShowStmt:
    case T_DeclareCursorStmt:
    case T_FetchStmt:
    case T_ClosePortalStmt:
    case T_ExecuteStmt:
    case T_DiscardStmt:
        return true;
    default:
        return node_plannable(node);
    }
}

static struct statement *statement_make(struct scope *scope, const char *text,
                                        const struct parameter_types *given)
{
    struct statement *statement = scope_alloc_zeroed(scope, sizeof *statement);
    statement->scope = scope;
    statement->holders = 1;
    statement->text = text;
    statement->timeless = text_timeless(text);
    if (given && given->count) {
        statement->given = given->count;
        statement->given_types = scope_copy(scope, given->oid, given->count * sizeof *given->oid);
    }
    list_link_init(&statement->link);
    list_init(&statement->recipes);
    list_init(&statement->told);
    return statement;
}

enum sqlstate statement_find(struct session *session, const char *text, const struct parameter_types *given,
                             bool repeats, bool *several, struct statement **found, struct error *error)
{
    struct plans *plans = session->sessions->plans;
    size_t size = strlen(text);
    uint32_t types = given ? given->count : 0;
    bool small = size <= STATEMENT_KEPT_BYTES_MAX && types <= 256, keep = false;
    struct scope *scope = scope_open(session->scope, "statement");
    struct bytes key = {0};
    if (small) {
        key = key_make(scope, text, size, types ? given->oid : NULL, types);
        *found = plans_find(plans, key);
        if (*found) {
            scope_close(scope);
            return SQLSTATE_OK;
        }
        keep = plans_seen_before(plans, key) || repeats;
    }
    if (keep) { /* it is to outlive the session */
        struct scope *lasting = scope_open(plans->scope, "statement");
        key.data = scope_copy(lasting, key.data, key.size);
        scope_close(scope);
        scope = lasting;
    }
    struct parsed *parsed;
    const char *copy = (const char *)key.data;
    enum sqlstate failed = SQLSTATE_OK;
    if (!small) {
        void *memory;
        failed = scope_alloc_large(scope, size + 1, 16, &memory, error);
        if (!failed)
            copy = memcpy(memory, text, size + 1);
    }
    metric_add(plans->metrics.parsed, 1);
    if (!failed)
        failed = parse_text(session->world, scope, copy, &parsed, error);
    if (!failed && several)
        *several = parsed->count > 1;
    if (!failed && parsed->count > 1)
        failed = error_set(error, SQLSTATE_SYNTAX_ERROR,
                           "cannot insert multiple commands into a prepared statement");
    if (failed) {
        scope_close(scope);
        return failed;
    }
    struct statement *statement = *found = statement_make(scope, copy, given);
    if (parsed->count)
        statement_fill(statement, parsed, 0);
    if (keep && statement->node && node_shareable(statement->node))
        plans_keep(plans, statement, key);
    return SQLSTATE_OK;
}

static struct statement *statement_under(struct session *session, struct statement *source)
{
    struct scope *scope = scope_open(session->scope, "statement");
    struct statement *statement = statement_make(scope, source->text, NULL);
    statement->source = source;
    statement->given = source->given;
    statement->given_types = source->given_types;
    statement_hold(source);
    return statement;
}

enum sqlstate statements_parse(struct session *session, const char *text, struct statement **source,
                               uint32_t *count, struct error *error)
{
    struct scope *scope = scope_open(session->scope, "statements");
    struct parsed *parsed;
    void *memory;
    size_t size = strlen(text) + 1;
    enum sqlstate failed = scope_alloc_large(scope, size, 16, &memory, error);
    if (!failed)
        failed = parse_text(session->world, scope, memcpy(memory, text, size), &parsed, error);
    if (failed) {
        scope_close(scope);
        return failed;
    }
    *source = statement_make(scope, memory, NULL);
    (*source)->parsed = parsed;
    *count = parsed->count;
    return SQLSTATE_OK;
}

struct statement *statement_of_text(struct session *session, struct statement *source, uint32_t index)
{
    struct statement *statement = statement_under(session, source);
    statement_fill(statement, source->parsed, index);
    return statement;
}

struct statement *statement_within(struct session *session, struct statement *outer, const struct Node *node)
{
    struct statement *statement = statement_under(session, outer);
    statement->own_text = outer->own_text;
    statement->node = node;
    statement->plannable = node_plannable(node);
    return statement;
}

void statement_hold(struct statement *statement)
{
    statement->holders++;
}

void statement_release(struct session *session, struct statement *statement)
{
    if (--statement->holders > 0)
        return;
    struct statement *source = statement->source;
    plans_drop(session->sessions->plans, statement);
    scope_close(statement->scope);
    if (source)
        statement_release(session, source);
}

/* ---- recipes ---- */

void recipe_release(struct plans *plans, struct recipe *recipe)
{
    if (--recipe->holders > 0)
        return;
    footing_release(plans, recipe->footing);
    scope_close(recipe->scope);
}

/* Who is told notices of binding, which go to whoever binds and to nobody who only uses what was bound. */
struct bind_listener {
    struct session *session;
    bool told;
};

static void bind_notice(void *argument, const struct error *notice)
{
    struct bind_listener *listener = argument;
    listener->told = true;
    session_notice_error(listener->session, SESSION_NOTICE, notice);
}

static void recipe_describe(struct recipe *recipe)
{
    const struct planned *planned = recipe->planned;
    if (recipe->query->kind != QUERY_SELECT && recipe->query->returnings == 0)
        return;
    struct session_column *columns =
        scope_alloc_zeroed(recipe->scope, (planned->results ? planned->results : 1) * sizeof *columns);
    for (uint32_t i = 0; i < planned->results; i++) {
        const struct target *target = &planned->result[i];
        columns[i] = (struct session_column){
            .name = target->name ? target->name : "?column?",
            .type = target->expression->type,
            .modifier = target->expression->modifier,
            .relation = target->relation,
            .number = target->number,
        };
    }
    recipe->shape = (struct session_shape){.count = planned->results, .columns = columns};
}

static void check_expression(struct walk *walk, struct expression **place)
{
    walk_expression(walk, *place);
}

/* Whether a view stands in it: then the privileges of others count, too. */
struct views_walk {
    struct walk walk;
    bool found;
};

static void views_query(struct walk *walk, struct query **place)
{
    struct views_walk *views = (struct views_walk *)walk;
    views->found |= (*place)->throughs > 0;
    for (uint32_t i = 0; i < (*place)->ranges; i++)
        views->found |= (*place)->range[i].from_view;
    if (!views->found)
        walk_query(walk, *place);
}

static bool has_views(struct query *query)
{
    struct views_walk views = {.walk = {.expression = check_expression, .query = views_query}};
    views_query(&views.walk, &query);
    return views.found;
}

static bool may_gather(const struct session *session)
{
    return strcmp(settings_get(&session->settings, "max_parallel_workers_per_gather"), "0") != 0;
}

static enum sqlstate recipe_fill(struct session *session, const struct statement *statement,
                                 const struct parameter_types *types, struct recipe *recipe,
                                 struct error *error)
{
    struct transaction *transaction;
    struct scope *scope = recipe->scope;
    enum sqlstate failed = transaction_take(session, &transaction, error);
    if (!failed)
        failed = catalog_view_open(session->sessions->options.catalog, scope, transaction, &session->identity,
                                   session->catalog_changed, &recipe->view, error);
    if (failed)
        return failed;
    session->environment.catalog = recipe->view;
    struct bind_listener listener = {.session = session};
    struct binder_request bind = {
        .world = session->world,
        .scope = scope,
        .view = recipe->view,
        .environment = &session->environment,
        .text = statement->text,
        .parameters = types->count,
        .parameter_types =
            types->count ? scope_copy(scope, types->oid, types->count * sizeof *types->oid) : NULL,
        .notice = bind_notice,
        .notice_argument = &listener,
    };
    failed = bind_statement(&bind, statement->node, &recipe->query, error);
    if (failed)
        return failed;
    recipe->parameters = (struct parameter_types){bind.parameters, bind.parameter_types};
    struct planner_request plan = {
        .world = session->world,
        .scope = scope,
        .view = recipe->view,
        .environment = &session->environment,
        .engine = session->sessions->options.engine,
        .gather = may_gather(session),
        .without = session_choices(session)->without,
        .memory = session->grants.memory,
        .hash_memory = session->grants.hash,
    };
    failed = plan_query(&plan, recipe->query, &recipe->planned, error);
    if (failed)
        return failed;
    recipe->point = point_make(scope, recipe->planned);
    recipe_describe(recipe);
    recipe->through_views = has_views(recipe->query);
    recipe->again = statement->timeless && !recipe->own && !listener.told;
    tending_note(session, recipe->planned->plan);
    metric_add(session->sessions->plans->metrics.made, 1);
    return SQLSTATE_OK;
}

/* Planning for one execution costs about so much of what plans cost (microseconds), for each table. */
#define CUSTOM_PLANNING_COST 60.0
/* So many plans are made for their parameters before they are compared with the generic one: PostgreSQL's number. */
#define CUSTOM_TRIES 5

static uint32_t query_tables(const struct query *query)
{
    return query->ranges ? query->ranges : 1;
}

/* As PostgreSQL's choose_custom_plan(), but that plans so cheap that planning costs more are not tried for better ones. */
static bool custom_is_worth(struct session *session, const struct recipe *recipe, double planning)
{
    const struct choices *choices = session_choices(session);
    if (choices->force_custom || choices->force_generic)
        return choices->force_custom;
    if (recipe->planned->cost < planning)
        return false;
    return recipe->customs < CUSTOM_TRIES || recipe->planned->cost > recipe->customs_cost / recipe->customs;
}

enum sqlstate recipe_plan(struct session *session, struct recipe *recipe, struct scope *scope,
                          const struct value *values, uint32_t count, struct planned **planned,
                          struct error *error)
{
    double planning = CUSTOM_PLANNING_COST * query_tables(recipe->query);
    *planned = recipe->planned;
    if (recipe->parameters.count == 0 || recipe->planned->point || count < recipe->parameters.count ||
        !custom_is_worth(session, recipe, planning))
        return SQLSTATE_OK;
    struct planner_request plan = {
        .world = session->world,
        .scope = scope,
        .view = session->environment.catalog, /* of now: the recipe's may have no transaction any more */
        .environment = &session->environment,
        .engine = session->sessions->options.engine,
        .parameters = values,
        .parameter_count = count,
        .gather = may_gather(session),
        .without = session_choices(session)->without,
        .memory = session->grants.memory,
        .hash_memory = session->grants.hash,
    };
    enum sqlstate failed = plan_query(&plan, recipe->query, planned, error);
    if (!failed) {
        recipe->customs++;
        recipe->customs_cost += (*planned)->cost + planning;
    }
    return failed;
}

/* Whether the session reads a catalog that nobody else does: with changes of its own, or as of an old snapshot. */
static bool is_alone(const struct session *session)
{
    return session->catalog_changed || session->identity.older || transaction_is_older(session);
}

bool statement_recipe_held(struct session *session, struct statement *statement,
                           const struct parameter_types *types, struct recipe **recipe)
{
    uint64_t version = catalog_version(session->sessions->options.catalog);
    /* The search path must be known as of this version. */
    if (is_alone(session) || session->path_version != version ||
        session->path_generation != session->settings.generation)
        return false;
    struct recipe *found =
        plans_recipe(session->sessions->plans, statement, session_footing(session), version, types);
    if (!found)
        return false;
    found->holders++;
    *recipe = found;
    return true;
}

/* A new one, held once, alone in the world. */
static enum sqlstate recipe_make(struct session *session, struct statement *statement,
                                 const struct parameter_types *types, uint64_t version, struct recipe **made,
                                 struct error *error)
{
    struct plans *plans = session->sessions->plans;
    const struct parameter_types given = {statement->given, statement->given_types};
    bool alone = is_alone(session), shared = statement->kept && !alone;
    struct scope *scope = scope_open(shared ? plans->scope : session->scope, "recipe");
    struct recipe *recipe = scope_alloc_zeroed(scope, sizeof *recipe);
    *recipe = (struct recipe){.scope = scope,
                              .holders = 1,
                              .footing = session_footing(session),
                              .own = alone,
                              .forced = types && types->oid,
                              .catalog_version = version};
    recipe->footing->holders++;
    list_link_init(&recipe->link);
    list_link_init(&recipe->of_core);
    enum sqlstate failed = recipe_fill(session, statement, recipe->forced ? types : &given, recipe, error);
    if (failed) {
        recipe_release(plans, recipe);
        return failed;
    }
    catalog_view_rest(recipe->view);
    *made = recipe;
    return SQLSTATE_OK;
}

enum sqlstate statement_recipe(struct session *session, struct statement *statement,
                               const struct parameter_types *types, struct catalog_view *view,
                               struct recipe **recipe, struct error *error)
{
    struct plans *plans = session->sessions->plans;
    uint64_t version = catalog_view_version(view);
    struct footing *footing = session_footing(session);
    struct recipe *made = NULL,
                  *found = is_alone(session) ? NULL : plans_recipe(plans, statement, footing, version, types);
    if (!found) {
        enum sqlstate failed = recipe_make(session, statement, types, version, &made, error);
        session->environment.catalog = view;
        if (failed)
            return failed;
        /* Somebody may have been faster. */
        found = made->again ? plans_recipe(plans, statement, footing, version, types) : NULL;
    }
    if (found) {
        found->holders++;
        if (made)
            recipe_release(plans, made);
    } else {
        found = made;
        if (made->again)
            plans_add(plans, statement, made);
    }
    *recipe = found;
    return SQLSTATE_OK;
}

const char *recipe_kind(const struct recipe *recipe)
{
    static const char *const kinds[] = {[QUERY_SELECT] = "select",
                                        [QUERY_INSERT] = "insert",
                                        [QUERY_UPDATE] = "update",
                                        [QUERY_DELETE] = "delete",
                                        [QUERY_MERGE] = "merge"};
    return kinds[recipe->query->kind];
}
