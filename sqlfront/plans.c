/* What all sessions of a core have together: statements parsed, and their recipes.
 *
 *     text, given types --> statement --> recipes, one for each footing and set of parameter types
 *
 * A recipe may be used by whoever stands on the same footing (database, roles, search path, settings), for parameters of the same
 * types, while the catalog has its version; what each run must hold (privileges, read only) is asked each time (check.c). A
 * temporary table gives its session a schema in its search path and so a footing of its own. Recipes made of a transaction's own
 * catalog, and those of texts with 'now', are never kept.
 *
 * All recipes kept are of one version: the first that is wanted for a newer one drops the others, which else would hold descriptors
 * nobody asks for. Beyond the bound the longest unused statement gives its recipes, and goes itself unless a prepared statement
 * holds it. */
#include "sqlfront/inside.h"

#include "base/crc32c.h"

#include <stdlib.h>

void plans_open(struct sessions *sessions)
{
    struct plans *plans = scope_alloc_zeroed(sessions->scope, sizeof *plans);
    struct metric_set *set = sessions->world->metrics;
    const struct budget *budget = scope_budget(sessions->scope);
    plans->scope = sessions->scope;
    plans->pool = slab_pool_open(sessions->scope);
    map_init(&plans->footings, MAP_OF_BYTES, sessions->scope, sessions->seed);
    map_init(&plans->statements, MAP_OF_BYTES, sessions->scope, sessions->seed);
    list_init(&plans->recent);
    list_init(&plans->recipes);
    plans->bytes_max =
        budget && PLANS_SHARE(budget->limit) < PLANS_BYTES_MAX ? PLANS_SHARE(budget->limit) : PLANS_BYTES_MAX;
    plans->metrics.parsed =
        metric_counter_open(set, "sql_statements_parsed_total", "Statements that had to be parsed");
    plans->metrics.found =
        metric_counter_open(set, "sql_statements_found_total", "Statements found parsed, by their text");
    plans->metrics.made = metric_counter_open(set, "sql_plans_made_total", "Statements bound and planned");
    plans->metrics.used =
        metric_counter_open(set, "sql_plans_used_again_total", "Plans used again, by any session");
    plans->metrics.bytes = metric_gauge_open(set, "sql_plans_kept_bytes",
                                             "Memory of statements and plans kept for all sessions");
    sessions->plans = plans;
}

static void count_bytes(struct plans *plans, size_t more, size_t less)
{
    plans->bytes = plans->bytes + more - less;
    metric_set_value(plans->metrics.bytes, plans->bytes);
}

/* ---- footings ---- */

/* How a footing's key begins. */
struct stands {
    uint32_t database, role, session_role, temporary_schema, schemas;
    bool superuser;
};

static void stands_fill(const struct session *session, struct stands *stands)
{
    const struct catalog_session *identity = &session->identity;
    memset(stands, 0, sizeof *stands); /* bytes between the fields, too */
    stands->database = identity->database;
    stands->role = identity->role;
    stands->session_role = identity->session_role;
    stands->temporary_schema = identity->temporary_schema;
    stands->schemas = identity->search_path_count;
    stands->superuser = session->superuser;
}

static int setting_order(const void *a, const void *b)
{
    const struct setting *left = (*(const struct setting_value *const *)a)->setting,
                         *right = (*(const struct setting_value *const *)b)->setting;
    return (left > right) - (left < right);
}

/* Whether it counts, and is not as it is by itself. What the search path says stands there as schemas. */
static bool setting_counts(const struct setting_value *value)
{
    return value->setting && value->current && setting_binds(value->setting) &&
           strcmp(value->setting->name, "search_path") != 0 &&
           strcmp(value->current, value->setting->preset) != 0;
}

/* Settings in the order of the table. */
static struct bytes key_make(struct session *session, struct scope *scope)
{
    const struct catalog_session *identity = &session->identity;
    const struct setting_value **values;
    size_t count = 0, size = sizeof(struct stands) + identity->search_path_count * sizeof(uint32_t);
    list_each (&session->settings.values, at)
        count++;
    values = scope_alloc(scope, (count + 1) * sizeof *values);
    count = 0;
    list_each (&session->settings.values, at) {
        const struct setting_value *value = container_of(at, struct setting_value, link);
        if (!setting_counts(value))
            continue;
        values[count++] = value;
        size += strlen(value->setting->name) + strlen(value->current) + 2;
    }
    qsort(values, count, sizeof *values, setting_order);
    uint8_t *key = scope_alloc(scope, size), *end = key + sizeof(struct stands);
    struct stands stands;
    stands_fill(session, &stands);
    memcpy(key, &stands, sizeof stands);
    if (identity->search_path_count)
        memcpy(end, identity->search_path, identity->search_path_count * sizeof(uint32_t));
    end += identity->search_path_count * sizeof(uint32_t);
    for (size_t i = 0; i < count; i++) {
        size_t name = strlen(values[i]->setting->name) + 1, text = strlen(values[i]->current) + 1;
        memcpy(end, values[i]->setting->name, name);
        memcpy(end + name, values[i]->current, text);
        end += name + text;
    }
    return bytes_of(key, size);
}

void footing_release(struct plans *plans, struct footing *footing)
{
    if (--footing->holders > 0)
        return;
    map_remove(&plans->footings, bytes_of(footing->key, footing->bytes));
    slab_free(plans->pool, footing, sizeof *footing + footing->bytes);
}

/* Held for the caller. */
static struct footing *footing_find(struct plans *plans, struct bytes key)
{
    struct error error = {0};
    struct footing *footing = map_find(&plans->footings, key);
    if (!footing) {
        footing = slab_alloc(plans->pool, sizeof *footing + key.size);
        check(footing, "no memory for %zu bytes of settings", key.size);
        *footing = (struct footing){.bytes = (uint32_t)key.size};
        memcpy(footing->key, key.data, key.size);
        /* One that is not found again is nobody else's: recipes on it are its session's alone. */
        (void)map_put(&plans->footings, bytes_of(footing->key, key.size), footing, NULL, &error);
    }
    footing->holders++;
    return footing;
}

struct footing *session_footing(struct session *session)
{
    struct plans *plans = session->sessions->plans;
    struct stands stands;
    stands_fill(session, &stands);
    if (session->footing && session->footing_generation == session->settings.generation &&
        session->footing_path == session->path_changes &&
        memcmp(session->footing->key, &stands, sizeof stands) == 0)
        return session->footing;
    struct scope *work = scope_open(session->scope, "footing");
    struct footing *found = footing_find(plans, key_make(session, work));
    scope_close(work);
    if (session->footing)
        footing_release(plans, session->footing);
    session->footing = found;
    session->footing_generation = session->settings.generation;
    session->footing_path = session->path_changes;
    return found;
}

/* ---- statements ---- */

bool plans_seen_before(struct plans *plans, struct bytes key)
{
    uint32_t hash = crc32c(key) | 1;
    uint32_t *place = &plans->seen[hash / 2 % STATEMENTS_SEEN];
    bool seen = *place == hash;
    *place = hash;
    return seen;
}

struct statement *plans_find(struct plans *plans, struct bytes key)
{
    struct statement *kept = map_find(&plans->statements, key);
    if (!kept)
        return NULL;
    list_remove(&kept->link);
    list_append(&plans->recent, &kept->link);
    statement_hold(kept);
    metric_add(plans->metrics.found, 1);
    return kept;
}

/* Gives up what nobody has used for the longest time, each statement looked at once. */
static void trim(struct plans *plans, size_t most)
{
    for (size_t left = plans->statements.count; left > 0 && plans->bytes > most; left--) {
        struct statement *oldest = container_of(list_take_first(&plans->recent), struct statement, link);
        plans_drop(plans, oldest);
        if (oldest->holders > 1) {
            list_append(&plans->recent, &oldest->link);
            continue;
        }
        map_remove(&plans->statements, bytes_of(oldest->key, oldest->key_bytes));
        count_bytes(plans, 0, oldest->bytes);
        scope_close(oldest->scope);
    }
}

void plans_keep(struct plans *plans, struct statement *statement, struct bytes key)
{
    struct error error = {0};
    statement->key = (const char *)key.data;
    statement->key_bytes = key.size;
    statement->bytes = scope_bytes(statement->scope);
    if (map_put(&plans->statements, key, statement, NULL, &error))
        return;
    list_append(&plans->recent, &statement->link);
    statement->kept = true;
    statement_hold(statement);
    count_bytes(plans, statement->bytes, 0);
    trim(plans, plans->bytes_max);
}

/* ---- recipes ---- */

static void recipe_drop(struct plans *plans, struct recipe *recipe)
{
    list_remove(&recipe->link);
    if (list_linked(&recipe->of_core)) {
        list_remove(&recipe->of_core);
        count_bytes(plans, 0, recipe->bytes);
    }
    recipe_release(plans, recipe);
}

void plans_drop(struct plans *plans, struct statement *statement)
{
    list_each_safe (&statement->recipes, at)
        recipe_drop(plans, container_of(at, struct recipe, link));
}

static void drop_all(struct plans *plans)
{
    struct list_link *at;
    while ((at = list_first(&plans->recipes)))
        recipe_drop(plans, container_of(at, struct recipe, of_core));
}

void plans_forget(struct plans *plans)
{
    drop_all(plans);
    trim(plans, 0);
}

static bool fits(const struct recipe *recipe, const struct footing *footing, uint64_t version,
                 const struct parameter_types *types)
{
    if (recipe->footing != footing || recipe->catalog_version != version)
        return false;
    if (!types || !types->oid)
        return !recipe->forced;
    return types->count == recipe->parameters.count &&
           memcmp(types->oid, recipe->parameters.oid, types->count * sizeof *types->oid) == 0;
}

struct recipe *plans_recipe(struct plans *plans, struct statement *statement, const struct footing *footing,
                            uint64_t version, const struct parameter_types *types)
{
    list_each (&statement->recipes, at) {
        struct recipe *recipe = container_of(at, struct recipe, link);
        if (!fits(recipe, footing, version, types))
            continue;
        if (at != list_first(&statement->recipes)) {
            list_remove(at);
            list_prepend(&statement->recipes, at);
        }
        if (statement->kept && plans->recent.head.prev != &statement->link) {
            list_remove(&statement->link);
            list_append(&plans->recent, &statement->link);
        }
        metric_add(plans->metrics.used, 1);
        return recipe;
    }
    return NULL;
}

void plans_add(struct plans *plans, struct statement *statement, struct recipe *recipe)
{
    uint32_t count = 0;
    if (statement->kept && recipe->catalog_version > plans->version) {
        drop_all(plans);
        plans->version = recipe->catalog_version;
    }
    if (statement->kept && recipe->catalog_version < plans->version)
        return;
    list_each_safe (&statement->recipes, at) {
        struct recipe *other = container_of(at, struct recipe, link);
        if (++count >= RECIPES_OF_STATEMENT_MAX || other->catalog_version != recipe->catalog_version)
            recipe_drop(plans, other);
    }
    recipe->holders++;
    list_prepend(&statement->recipes, &recipe->link);
    if (!statement->kept)
        return;
    recipe->bytes = scope_bytes(recipe->scope);
    list_append(&plans->recipes, &recipe->of_core);
    count_bytes(plans, recipe->bytes, 0);
    trim(plans, plans->bytes_max);
}
