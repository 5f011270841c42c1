/* Statements: texts parsed once, their recipes (bound and planned) used as long as they hold, and prepared statements.
 *
 *     text --parse--> statement --bind, plan--> recipe        both counted by who holds them: the cache by text, prepared
 *                     (one text)                (one version   statements, portals that run
 *                                                of the catalog)
 *
 * A recipe holds while the catalog has its version and no setting changed that binding depends on. Those made while the
 * transaction had changed the catalog itself are used once. */
#include "sqlfront/inside.h"

#include "base/crc32c.h"
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

/* Makes room in the cache. */
static void kept_trim(struct session *session)
{
    while (session->kept_count >= STATEMENTS_KEPT_MAX) {
        struct statement *oldest = container_of(list_take_first(&session->kept), struct statement, link);
        map_remove(&session->kept_statements, bytes_of(oldest->key, oldest->key_bytes));
        session->kept_count--;
        oldest->kept = false;
        statement_release(session, oldest);
    }
}

/* Whether the text came before, not long ago. Only such a one is worth keeping: clients that write values into their
 * statements never send one twice, and what is thrown away at once was never cold. */
static bool seen_before(struct session *session, struct bytes key)
{
    uint32_t hash = crc32c(key) | 1;
    uint32_t *place = &session->seen[hash / 2 % STATEMENTS_SEEN];
    bool seen = *place == hash;
    *place = hash;
    return seen;
}

static void statement_keep(struct session *session, struct statement *statement, struct bytes key)
{
    struct error error = {0};
    kept_trim(session);
    statement->key = (const char *)key.data;
    statement->key_bytes = key.size;
    if (map_put(&session->kept_statements, key, statement, NULL, &error))
        return;
    list_append(&session->kept, &statement->link);
    session->kept_count++;
    statement->kept = true;
    statement_hold(statement);
}

enum sqlstate statement_find(struct session *session, const char *text, const uint32_t *types, uint32_t given,
                             bool *several, struct statement **found, struct error *error)
{
    size_t size = strlen(text);
    bool small = size <= STATEMENT_KEPT_BYTES_MAX && given <= 256;
    struct scope *scope = scope_open(session->scope, "statement");
    struct bytes key = {0};
    if (small) {
        key = key_make(scope, text, size, types, given);
        struct statement *kept = map_find(&session->kept_statements, key);
        if (kept) {
            scope_close(scope);
            list_remove(&kept->link);
            list_append(&session->kept, &kept->link);
            statement_hold(kept);
            *found = kept;
            return SQLSTATE_OK;
        }
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
    struct statement *statement = scope_alloc_zeroed(scope, sizeof *statement);
    statement->scope = scope;
    statement->holders = 1;
    statement->text = copy;
    statement->timeless = text_timeless(copy);
    statement->given = given;
    if (given)
        statement->given_types = scope_copy(scope, types, given * sizeof *types);
    list_link_init(&statement->link);
    if (parsed->count)
        statement_fill(statement, parsed, 0);
    if (small && parsed->count && seen_before(session, key))
        statement_keep(session, statement, key);
    *found = statement;
    return SQLSTATE_OK;
}

static struct statement *statement_under(struct session *session, struct statement *source)
{
    struct scope *scope = scope_open(session->scope, "statement");
    struct statement *statement = scope_alloc_zeroed(scope, sizeof *statement);
    *statement = (struct statement){.scope = scope,
                                    .source = source,
                                    .holders = 1,
                                    .text = source->text,
                                    .timeless = source->timeless,
                                    .given = source->given,
                                    .given_types = source->given_types};
    list_link_init(&statement->link);
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
    *source = scope_alloc_zeroed(scope, sizeof **source);
    **source = (struct statement){.scope = scope, .holders = 1, .text = memory, .parsed = parsed};
    list_link_init(&(*source)->link);
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
    if (statement->recipe)
        recipe_release(statement->recipe);
    scope_close(statement->scope);
    if (source)
        statement_release(session, source);
}

/* ---- recipes ---- */

void recipe_release(struct recipe *recipe)
{
    if (--recipe->holders == 0)
        scope_close(recipe->scope);
}

static void bind_notice(void *argument, const struct error *notice)
{
    session_notice_error(argument, SESSION_NOTICE, notice);
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

static enum sqlstate recipe_fill(struct session *session, const struct statement *statement,
                                 struct recipe *recipe, struct error *error)
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
    const struct recipe *before = statement->recipe;
    uint32_t given = before ? before->parameters : statement->given;
    const uint32_t *types = before ? before->parameter_types : statement->given_types;
    struct binder_request bind = {
        .world = session->world,
        .scope = scope,
        .view = recipe->view,
        .environment = &session->environment,
        .text = statement->text,
        .parameters = given,
        .parameter_types = given ? scope_copy(scope, types, given * sizeof *types) : NULL,
        .notice = bind_notice,
        .notice_argument = session,
    };
    failed = bind_statement(&bind, statement->node, &recipe->query, error);
    if (failed)
        return failed;
    recipe->parameters = bind.parameters;
    recipe->parameter_types = bind.parameter_types;
    struct planner_request plan = {
        .world = session->world,
        .scope = scope,
        .view = recipe->view,
        .environment = &session->environment,
        .engine = session->sessions->options.engine,
        .gather = strcmp(settings_get(&session->settings, "max_parallel_workers_per_gather"), "0") != 0,
        .without = session_choices(session)->without,
        .memory = session->grants.memory,
        .hash_memory = session->grants.hash,
    };
    failed = plan_query(&plan, recipe->query, &recipe->planned, error);
    if (!failed) {
        recipe->point = point_make(scope, recipe->planned);
        recipe_describe(recipe);
        recipe->through_views = has_views(recipe->query);
        tending_note(session, recipe->planned->plan);
    }
    return failed;
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
    if (recipe->parameters == 0 || recipe->planned->point || count < recipe->parameters ||
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
        .gather = strcmp(settings_get(&session->settings, "max_parallel_workers_per_gather"), "0") != 0,
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

static bool recipe_holds(const struct session *session, const struct statement *statement, uint64_t version)
{
    const struct recipe *recipe = statement->recipe;
    return recipe && !recipe->own && !session->catalog_changed && !transaction_is_older(session) &&
           statement->timeless && recipe->catalog_version == version &&
           recipe->settings_generation == session->settings.generation;
}

bool statement_recipe_held(struct session *session, struct statement *statement, struct recipe **recipe)
{
    if (!recipe_holds(session, statement, catalog_version(session->sessions->options.catalog)))
        return false;
    *recipe = statement->recipe;
    (*recipe)->holders++;
    return true;
}

enum sqlstate statement_recipe(struct session *session, struct statement *statement,
                               struct catalog_view *view, struct recipe **recipe, struct error *error)
{
    if (!recipe_holds(session, statement, catalog_view_version(view))) {
        struct scope *scope = scope_open(session->scope, "recipe");
        struct recipe *made = scope_alloc_zeroed(scope, sizeof *made);
        *made = (struct recipe){
            .scope = scope,
            .holders = 1,
            .own = session->catalog_changed || session->identity.older,
            .catalog_version = catalog_view_version(view),
            .settings_generation = session->settings.generation,
        };
        enum sqlstate failed = recipe_fill(session, statement, made, error);
        session->environment.catalog = view;
        if (failed) {
            recipe_release(made);
            return failed;
        }
        if (statement->recipe)
            recipe_release(statement->recipe);
        statement->recipe = made;
    }
    *recipe = statement->recipe;
    (*recipe)->holders++;
    return SQLSTATE_OK;
}

/* The words PostgreSQL calls a statement by when it may not run. */
static const char *query_words(const struct query *query)
{
    switch (query->kind) {
    case QUERY_INSERT:
        return "INSERT";
    case QUERY_UPDATE:
        return "UPDATE";
    case QUERY_DELETE:
        return "DELETE";
    case QUERY_MERGE:
        return "MERGE";
    default:
        break;
    }
    if (query->locks == 0)
        return "SELECT";
    switch (query->lock[0].strength) {
    case LOCK_KEY_SHARE:
        return "SELECT FOR KEY SHARE";
    case LOCK_SHARE:
        return "SELECT FOR SHARE";
    case LOCK_NO_KEY_UPDATE:
        return "SELECT FOR NO KEY UPDATE";
    default:
        return "SELECT FOR UPDATE";
    }
}

/* Column privileges: the numbers whose bits are set. */
static uint32_t columns_list(const struct range *range, const uint64_t *bits, int16_t *numbers)
{
    uint32_t count = 0;
    for (uint32_t i = 1; bits && i <= range->columns; i++)
        if (bits[i / 64] >> (i % 64) & 1)
            numbers[count++] = (int16_t)i;
    return count;
}

/* Schemas of the search path were looked at when it was put together. */
static enum sqlstate schema_check(struct catalog_view *view, const struct relation *relation,
                                  struct error *error)
{
    const struct catalog_session *session = catalog_view_session(view);
    for (uint32_t i = 0; i < session->search_path_count; i++)
        if (session->search_path[i] == relation->schema)
            return SQLSTATE_OK;
    return catalog_check_schema(view, relation->schema, PRIVILEGE_USAGE, error);
}

/* `role` 0: the session's. In a view nobody looks at schemas. */
static enum sqlstate range_check(struct catalog_view *view, struct scope *work, const struct range *range,
                                 uint32_t role, struct error *error)
{
    const uint32_t written = PRIVILEGE_INSERT | PRIVILEGE_UPDATE | PRIVILEGE_REFERENCES;
    int16_t *numbers = scope_alloc(work, (range->columns + 1) * sizeof *numbers);
    uint32_t reads = range->privileges & PRIVILEGE_SELECT, writes = range->privileges & written;
    uint32_t others = range->privileges & ~(reads | writes), count;
    enum sqlstate failed = role ? SQLSTATE_OK : schema_check(view, range->relation, error);
    if (!failed && others)
        failed = catalog_check_relation(view, role, range->relation, others, NULL, 0, error);
    if (!failed && writes) {
        count = columns_list(range, range->columns_written, numbers);
        failed =
            catalog_check_relation(view, role, range->relation, writes, count ? numbers : NULL, count, error);
    }
    if (!failed && reads) {
        count = columns_list(range, range->columns_read, numbers);
        failed =
            catalog_check_relation(view, role, range->relation, reads, count ? numbers : NULL, count, error);
    }
    return failed;
}

/* Everything a query reads and writes, subqueries wherever they stand; what stands in a view is asked of its owner. */
struct privileges_walk {
    struct walk walk;
    struct catalog_view *view;
    struct scope *work;
    const struct query *query;
    uint32_t role; /* whose privileges count; 0 = the session's */
    enum sqlstate failed;
    struct error *error;
};

static void query_check(struct privileges_walk *check, const struct query *query)
{
    const struct query *above = check->query;
    uint32_t of_target = check->role;
    check->query = query;
    for (uint32_t i = 0; i < query->throughs && !check->failed; i++) {
        check->failed = range_check(check->view, check->work, &query->through[i], of_target, check->error);
        of_target = query->through[i].relation->owner;
    }
    for (uint32_t i = 0; i < query->ranges && !check->failed; i++) {
        const struct range *range = &query->range[i];
        bool target = query->kind != QUERY_SELECT && i == query->result;
        if (range->relation && range->privileges)
            check->failed =
                range_check(check->view, check->work, range, target ? of_target : check->role, check->error);
    }
    if (!check->failed)
        walk_query(&check->walk, (struct query *)query);
    check->query = above;
}

static void check_query(struct walk *walk, struct query **place)
{
    struct privileges_walk *check = (struct privileges_walk *)walk;
    uint32_t role = check->role;
    for (uint32_t i = 0; i < check->query->ranges; i++)
        if (check->query->range[i].query == *place && check->query->range[i].from_view)
            check->role = check->query->range[i].relation->owner;
    if (!check->failed)
        query_check(check, *place);
    check->role = role;
}

enum sqlstate recipe_check(struct session *session, const struct recipe *recipe, struct catalog_view *view,
                           struct error *error)
{
    if (session->read_only && !recipe->planned->reads_only)
        return error_set(error, SQLSTATE_READ_ONLY_SQL_TRANSACTION,
                         "cannot execute %s in a read-only transaction", query_words(recipe->query));
    if (session->superuser && !recipe->through_views)
        return SQLSTATE_OK;
    struct scope *work = scope_open(session->scope, "privileges");
    struct privileges_walk check = {.walk = {.expression = check_expression, .query = check_query},
                                    .view = view,
                                    .work = work,
                                    .error = error};
    query_check(&check, recipe->query);
    scope_close(work);
    return check.failed;
}

void statements_forget(struct session *session)
{
    struct list_link *at;
    map_clear(&session->kept_statements);
    while ((at = list_take_first(&session->kept))) {
        struct statement *statement = container_of(at, struct statement, link);
        statement->kept = false;
        statement_release(session, statement);
    }
    session->kept_count = 0;
}

static void recipe_forget_own(struct statement *statement)
{
    if (!statement->recipe || !statement->recipe->own)
        return;
    recipe_release(statement->recipe);
    statement->recipe = NULL;
}

void statements_forget_own(struct session *session)
{
    size_t at = 0;
    const struct map_entry *entry;
    list_each (&session->kept, link)
        recipe_forget_own(container_of(link, struct statement, link));
    while ((entry = map_next(&session->prepared, &at)))
        recipe_forget_own(((struct prepared *)entry->value)->statement);
}

/* ---- prepared statements ---- */

struct prepared *prepared_find(struct session *session, const char *name)
{
    return map_find(&session->prepared, bytes_of_text(name));
}

enum sqlstate prepared_check(const struct prepared *prepared, const struct recipe *recipe,
                             struct error *error)
{
    const struct session_shape *told = &prepared->shape, *now = &recipe->shape;
    bool same = !told->columns == !now->columns && told->count == now->count;
    for (uint32_t c = 0; c < told->count && same; c++)
        same = told->columns[c].type->oid == now->columns[c].type->oid &&
               told->columns[c].modifier == now->columns[c].modifier &&
               strcmp(told->columns[c].name, now->columns[c].name) == 0;
    return same ? SQLSTATE_OK
                : error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
}

void prepared_drop(struct session *session, struct prepared *prepared)
{
    map_remove(&session->prepared, bytes_of_text(prepared->name));
    session->prepared_from_sql -= prepared->from_sql;
    statement_release(session, prepared->statement);
    scope_close(prepared->scope);
}

void prepared_drop_all(struct session *session)
{
    for (;;) {
        size_t at = 0;
        const struct map_entry *entry = map_next(&session->prepared, &at);
        if (!entry)
            return;
        prepared_drop(session, entry->value);
    }
}

/* A type that outlives the recipe it was found for: types of the catalog go with their generation, those of rows without a
 * name with the recipe. */
static const struct type *type_keep(struct scope *scope, const struct type *type)
{
    if (type_builtin(type->oid) == type)
        return type;
    struct type *kept = scope_copy(scope, type, sizeof *kept);
    kept->name = scope_copy_text(scope, type->name);
    if (type->labels) {
        struct enum_label *labels = scope_alloc(scope, (type->label_count + 1) * sizeof *labels);
        for (uint32_t i = 0; i < type->label_count; i++)
            labels[i] = (struct enum_label){type->labels[i].oid, type->labels[i].position,
                                            scope_copy_text(scope, type->labels[i].label)};
        kept->labels = labels;
    }
    if (type->fields) {
        struct row_field *fields = scope_alloc(scope, (type->field_count + 1) * sizeof *fields);
        for (uint32_t i = 0; i < type->field_count; i++) {
            fields[i] = type->fields[i];
            fields[i].name = scope_copy_text(scope, fields[i].name);
        }
        kept->fields = fields;
    }
    return kept;
}

/* Parameters and the shape of its rows; what the client is told must stay true. */
static enum sqlstate prepared_describe(struct session *session, struct prepared *prepared,
                                       struct error *error)
{
    struct statement *statement = prepared->statement;
    struct scope *work = scope_open(session->scope, "describe");
    const struct session_shape *shape = NULL;
    struct recipe *recipe = NULL;
    struct catalog_view *view;
    enum sqlstate failed = SQLSTATE_OK;
    uint32_t parameters = statement->given;
    const uint32_t *types = statement->given_types;
    if (statement->plannable) {
        failed = session_view(session, work, &view, error);
        if (!failed)
            failed = statement_recipe(session, statement, view, &recipe, error);
        if (!failed) {
            shape = recipe->shape.columns ? &recipe->shape : NULL;
            parameters = recipe->parameters;
            types = recipe->parameter_types;
        }
    } else
        failed = utility_shape(session, prepared->scope, statement, &shape, error);
    if (!failed && shape) {
        struct session_column *columns =
            scope_copy(prepared->scope, shape->columns, (shape->count ? shape->count : 1) * sizeof *columns);
        for (uint32_t c = 0; c < shape->count; c++) {
            columns[c].name = scope_copy_text(prepared->scope, columns[c].name);
            columns[c].type = type_keep(prepared->scope, columns[c].type);
        }
        prepared->shape = (struct session_shape){.count = shape->count, .columns = columns};
    }
    if (!failed && parameters) {
        prepared->parameters = parameters;
        prepared->parameter_types = scope_copy(prepared->scope, types, parameters * sizeof *types);
    }
    if (recipe)
        recipe_release(recipe);
    fiber_close_scope(session->world->scheduler, work);
    return failed;
}

enum sqlstate prepared_make(struct session *session, const char *name, struct statement *statement,
                            bool from_sql, struct error *error)
{
    struct scope *scope = scope_open(session->scope, "prepared");
    struct prepared *prepared = scope_alloc_zeroed(scope, sizeof *prepared);
    *prepared = (struct prepared){
        .name = scope_copy_text(scope, name),
        .scope = scope,
        .statement = statement,
        .from_sql = from_sql,
        .time = session->environment.statement_time,
    };
    enum sqlstate failed = statement->node && session->state != TRANSACTION_FAILED
                               ? prepared_describe(session, prepared, error)
                               : SQLSTATE_OK;
    if (!failed)
        failed = map_put(&session->prepared, bytes_of_text(prepared->name), prepared, NULL, error);
    if (failed) {
        scope_close(scope);
        return failed;
    }
    session->prepared_from_sql += from_sql;
    statement_hold(statement);
    return SQLSTATE_OK;
}
