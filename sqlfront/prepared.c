/* Prepared statements by name. What a session has of one is its name and two holds: of the statement, and of what the client was
 * told of it, both of which it has in common with all sessions that prepared the same. */
#include "sqlfront/inside.h"

#include <string.h>

/* ---- what clients were told ---- */

static bool column_is(const struct session_column *told, const struct session_column *now)
{
    return told->type->oid == now->type->oid && told->modifier == now->modifier &&
           strcmp(told->name, now->name) == 0;
}

static bool shape_is(const struct session_shape *told, const struct session_shape *now)
{
    bool same = !told->columns == !now->columns && told->count == now->count;
    for (uint32_t c = 0; c < told->count && same; c++)
        same = column_is(&told->columns[c], &now->columns[c]);
    return same;
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

static struct told *told_make(struct scope *parent, const struct parameter_types *types,
                              const struct session_shape *shape, const char *kind)
{
    struct scope *scope = scope_open(parent, "told");
    struct told *told = scope_alloc_zeroed(scope, sizeof *told);
    *told = (struct told){.scope = scope, .holders = 1, .kind = kind};
    list_link_init(&told->link);
    if (types->count)
        told->parameters = (struct parameter_types){
            types->count, scope_copy(scope, types->oid, types->count * sizeof *types->oid)};
    if (shape && shape->columns) {
        struct session_column *columns =
            scope_copy(scope, shape->columns, (shape->count ? shape->count : 1) * sizeof *columns);
        for (uint32_t c = 0; c < shape->count; c++) {
            columns[c].name = scope_copy_text(scope, columns[c].name);
            columns[c].type = type_keep(scope, columns[c].type);
        }
        told->shape = (struct session_shape){.count = shape->count, .columns = columns};
    }
    return told;
}

static bool table_column_is(const struct session_column *told, const struct session_column *now)
{
    return told->relation == now->relation && told->number == now->number;
}

/* What is told of a recipe: what others were told of the same, if it is that. */
static struct told *told_of_recipe(struct session *session, struct statement *statement,
                                   const struct recipe *recipe)
{
    const struct parameter_types *types = &recipe->parameters;
    list_each (&statement->told, at) {
        struct told *told = container_of(at, struct told, link);
        bool same = told->reads_only == recipe->planned->reads_only &&
                    told->parameters.count == types->count &&
                    (types->count == 0 ||
                     memcmp(told->parameters.oid, types->oid, types->count * sizeof *types->oid) == 0) &&
                    shape_is(&told->shape, &recipe->shape);
        for (uint32_t c = 0; c < told->shape.count && same; c++)
            same = table_column_is(&told->shape.columns[c], &recipe->shape.columns[c]);
        if (same) {
            told->holders++;
            return told;
        }
    }
    struct scope *parent = statement->kept ? session->sessions->plans->scope : session->scope;
    struct told *told = told_make(parent, types, &recipe->shape, recipe_kind(recipe));
    told->reads_only = recipe->planned->reads_only;
    list_prepend(&statement->told, &told->link);
    return told;
}

static void told_release(struct told *told)
{
    if (--told->holders > 0)
        return;
    list_remove(&told->link);
    scope_close(told->scope);
}

/* ---- prepared statements ---- */

struct prepared *prepared_find(struct session *session, const char *name)
{
    return map_find(&session->prepared, bytes_of_text(name));
}

const struct parameter_types *prepared_types(const struct prepared *prepared)
{
    static const struct parameter_types none;
    return prepared->told ? &prepared->told->parameters : &none;
}

const struct session_shape *prepared_shape(const struct prepared *prepared)
{
    static const struct session_shape none;
    return prepared->told ? &prepared->told->shape : &none;
}

enum sqlstate prepared_check(const struct prepared *prepared, const struct recipe *recipe,
                             struct error *error)
{
    return shape_is(prepared_shape(prepared), &recipe->shape)
               ? SQLSTATE_OK
               : error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
}

void prepared_drop(struct session *session, struct prepared *prepared)
{
    map_remove(&session->prepared, bytes_of_text(prepared->name));
    session->prepared_from_sql -= prepared->from_sql;
    if (prepared->told)
        told_release(prepared->told);
    statement_release(session, prepared->statement);
    slab_free(session->sessions->plans->pool, prepared, prepared->bytes);
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

/* Parameters and the shape of its rows; what the client is told must stay true. */
static enum sqlstate prepared_describe(struct session *session, struct statement *statement,
                                       struct told **told, struct error *error)
{
    struct scope *work = scope_open(session->scope, "describe");
    enum sqlstate failed = SQLSTATE_OK;
    if (statement->plannable) {
        struct recipe *recipe;
        struct catalog_view *view;
        failed = session_view(session, work, &view, error);
        if (!failed)
            failed = statement_recipe(session, statement, NULL, view, &recipe, error);
        if (!failed) {
            *told = told_of_recipe(session, statement, recipe);
            recipe_release(session->sessions->plans, recipe);
        }
    } else {
        const struct parameter_types types = {statement->given, statement->given_types};
        const struct session_shape *shape = NULL;
        failed = utility_shape(session, work, statement, &shape, error);
        if (!failed)
            *told = told_make(session->scope, &types, shape, "utility");
    }
    fiber_close_scope(session->world->scheduler, work);
    return failed;
}

enum sqlstate prepared_make(struct session *session, const char *name, struct statement *statement,
                            bool from_sql, struct error *error)
{
    struct told *told = NULL;
    enum sqlstate failed = statement->node && session->state != TRANSACTION_FAILED
                               ? prepared_describe(session, statement, &told, error)
                               : SQLSTATE_OK;
    if (failed)
        return failed;
    struct slab_pool *pool = session->sessions->plans->pool;
    size_t size = strlen(name) + 1;
    struct prepared *prepared = slab_alloc(pool, sizeof *prepared + size);
    if (prepared) {
        *prepared = (struct prepared){.statement = statement,
                                      .told = told,
                                      .time = session->environment.statement_time,
                                      .bytes = (uint32_t)(sizeof *prepared + size),
                                      .from_sql = from_sql};
        memcpy(prepared->name, name, size);
        failed = map_put(&session->prepared, bytes_of_text(prepared->name), prepared, NULL, error);
    } else
        failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    if (failed) {
        if (told)
            told_release(told);
        if (prepared)
            slab_free(pool, prepared, prepared->bytes);
        return failed;
    }
    session->prepared_from_sql += from_sql;
    statement_hold(statement);
    return SQLSTATE_OK;
}
