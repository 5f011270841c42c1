/* Procedures and operators by name: built-in ones from the static tables, users' own from pg_proc. */
#include "base/scope.h"
#include "sqlfront/catalog/view.h"

#include <string.h>

/* Users' procedures of one name, in all schemas. */
struct named {
    uint32_t count;
    const struct procedure **procedures;
};

static const uint32_t *oids_of(struct scope *scope, struct scope *scratch, const struct value *list,
                               uint32_t *count)
{
    int64_t *numbers;
    *count = list_numbers(scratch, list, &numbers);
    uint32_t *oids = scope_alloc(scope, (*count + 1) * sizeof *oids);
    for (uint32_t i = 0; i < *count; i++)
        oids[i] = (uint32_t)numbers[i];
    return oids;
}

/* Names and OUT columns, from proallargtypes, proargmodes and proargnames. */
static void describe_arguments(struct scope *scope, struct scope *scratch, const struct value *row,
                               struct procedure *procedure)
{
    const char **names;
    int64_t *modes;
    uint32_t all_count;
    uint32_t name_count = list_texts(scope, &row[PG_PROC_PROARGNAMES], &names);
    uint32_t mode_count = list_numbers(scratch, &row[PG_PROC_PROARGMODES], &modes);
    const uint32_t *all = oids_of(scratch, scratch, &row[PG_PROC_PROALLARGTYPES], &all_count);
    if (!mode_count) {
        procedure->argument_names = name_count ? names : NULL;
        return;
    }
    uint32_t *types = scope_alloc(scope, (all_count + 1) * sizeof *types);
    const char **output_names = scope_alloc(scope, (all_count + 1) * sizeof *output_names);
    const char **input_names = scope_alloc(scope, (all_count + 1) * sizeof *input_names);
    uint32_t inputs = 0;
    char *all_modes = scope_alloc_zeroed(scope, mode_count + 1);
    uint32_t *all_types = scope_alloc(scope, (all_count + 1) * sizeof *all_types);
    const char **all_names = scope_alloc(scope, (all_count + 1) * sizeof *all_names);
    for (uint32_t i = 0; i < all_count && i < mode_count; i++) {
        const char *name = i < name_count ? names[i] : "";
        all_modes[i] = (char)modes[i];
        all_types[i] = all[i];
        all_names[i] = name;
        procedure->all = i + 1;
        if (strchr("ibv", (char)modes[i]))
            input_names[inputs++] = name;
        if (strchr("obt", (char)modes[i])) {
            output_names[procedure->outputs] = name;
            types[procedure->outputs++] = all[i];
        }
    }
    procedure->all_modes = all_modes;
    procedure->all_types = all_types;
    procedure->all_names = all_names;
    procedure->argument_names = name_count ? input_names : NULL;
    procedure->output_types = types;
    procedure->output_names = output_names;
}

static const struct procedure *describe(struct scope *scope, struct scope *scratch, const struct value *row)
{
    struct procedure *procedure = scope_alloc_zeroed(scope, sizeof *procedure);
    int64_t language = row[PG_PROC_PROLANG].i;
    procedure->oid = (uint32_t)row[PG_PROC_OID].i;
    procedure->name = text_of(scope, &row[PG_PROC_PRONAME]);
    procedure->schema = (uint32_t)row[PG_PROC_PRONAMESPACE].i;
    procedure->kind = (char)row[PG_PROC_PROKIND].i;
    procedure->volatility = (char)row[PG_PROC_PROVOLATILE].i;
    procedure->strict = row[PG_PROC_PROISSTRICT].i;
    procedure->returns_set = row[PG_PROC_PRORETSET].i;
    procedure->result = (uint32_t)row[PG_PROC_PRORETTYPE].i;
    procedure->argument_types = oids_of(scope, scratch, &row[PG_PROC_PROARGTYPES], &procedure->arguments);
    procedure->variadic = (uint32_t)row[PG_PROC_PROVARIADIC].i;
    procedure->source = text_of(scope, &row[PG_PROC_PROSRC]);
    procedure->language = language == 12 ? 'i' : language == 14 ? 's' : 'c';
    if (procedure->language == 'i')
        procedure->function = function_find(procedure->source);
    if (!row[PG_PROC_PROARGDEFAULTS].null) {
        const char **texts;
        procedure->defaults = expressions_split(scope, &row[PG_PROC_PROARGDEFAULTS], &texts);
        procedure->default_texts = texts;
    }
    procedure->owner = (uint32_t)row[PG_PROC_PROOWNER].i;
    procedure->acl_text = access_list_text(scope, &row[PG_PROC_PROACL]);
    describe_arguments(scope, scratch, row, procedure);
    return procedure;
}

static enum sqlstate read_named(struct catalog_view *view, const char *name, const struct named **found,
                                struct error *error)
{
    struct generation *generation = view->generation;
    if ((*found = map_find(&generation->procedure_names, bytes_of_text(name))))
        return SQLSTATE_OK;
    struct reading reading;
    struct tuples tuples;
    struct named *named = scope_alloc_zeroed(generation->scope, sizeof *named);
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    struct tuple_match match = {PG_PROC_PRONAME, value_text(name)};
    failed = tuples_find(&reading.access, reading.scope, PG_PROC, &match, 1, &tuples, error);
    if (!failed)
        named->procedures = scope_alloc(generation->scope, (tuples.count + 1) * sizeof(struct procedure *));
    for (uint32_t i = 0; !failed && i < tuples.count; i++)
        if (tuples.tuple[i].values[PG_PROC_OID].i >= OID_USER_FIRST)
            named->procedures[named->count++] =
                describe(generation->scope, reading.scope, tuples.tuple[i].values);
    reading_end(view, &reading);
    *found = named;
    return failed ? failed
                  : map_put(&generation->procedure_names,
                            bytes_of_text(scope_copy_text(generation->scope, name)), named, NULL, error);
}

static bool same_arguments(const struct procedure *a, const struct procedure *b)
{
    return a->arguments == b->arguments &&
           memcmp(a->argument_types, b->argument_types, a->arguments * sizeof *a->argument_types) == 0;
}

static bool hidden(const struct procedure *const *list, uint32_t count, const struct procedure *procedure)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i]->schema != procedure->schema && same_arguments(list[i], procedure))
            return true;
    return false;
}

enum sqlstate catalog_procedures(struct catalog_view *view, struct scope *scope, const char *schema,
                                 const char *name, const struct procedure *const **found, uint32_t *count,
                                 struct error *error)
{
    const struct named *named;
    uint32_t first, builtin = procedures_named(name, &first), only = 0;
    *count = 0;
    *found = NULL;
    enum sqlstate failed = schema ? catalog_schema(view, schema, &only, error) : SQLSTATE_OK;
    if (failed || (schema && !only))
        return failed;
    if ((failed = read_named(view, name, &named, error)))
        return failed;
    const struct procedure **list =
        scope_alloc(scope, (builtin + named->count + 1) * sizeof(struct procedure *));
    uint32_t schemas = schema ? 1 : view->session->search_path_count;
    for (uint32_t s = 0; s < schemas; s++) {
        uint32_t wanted = schema ? only : view->session->search_path[s];
        uint32_t before = *count;
        for (uint32_t i = 0; i < builtin; i++) {
            const struct procedure *procedure = &procedures_builtin[procedures_by_name[first + i]];
            if (procedure->schema == wanted && !hidden(list, before, procedure))
                list[(*count)++] = procedure;
        }
        for (uint32_t i = 0; i < named->count; i++)
            if (named->procedures[i]->schema == wanted && !hidden(list, before, named->procedures[i]))
                list[(*count)++] = named->procedures[i];
    }
    *found = list;
    return SQLSTATE_OK;
}

enum sqlstate catalog_procedure_by_oid(struct catalog_view *view, uint32_t oid,
                                       const struct procedure **found, struct error *error)
{
    struct generation *generation = view->generation;
    if ((*found = procedure_builtin(oid)))
        return SQLSTATE_OK;
    void *known = map_find_number(&generation->procedures, oid);
    if (known) {
        *found = known == absent ? NULL : known;
        return SQLSTATE_OK;
    }
    struct reading reading;
    struct tuple tuple;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, PG_PROC, oid, &tuple, error);
    if (!failed && tuple.values)
        *found = describe(generation->scope, reading.scope, tuple.values);
    reading_end(view, &reading);
    if (failed)
        return failed;
    return map_put_number(&generation->procedures, oid, *found ? (void *)*found : (void *)absent, NULL,
                          error);
}

/* There are only built-in operators; all are in pg_catalog. */
enum sqlstate catalog_operators(struct catalog_view *view, struct scope *scope, const char *schema,
                                const char *name, const struct operator* const ** found, uint32_t *count,
                                struct error *error)
{
    uint32_t first, builtin = operators_named(name, &first), only = SCHEMA_PG_CATALOG;
    *count = 0;
    *found = NULL;
    enum sqlstate failed = schema ? catalog_schema(view, schema, &only, error) : SQLSTATE_OK;
    if (failed || only != SCHEMA_PG_CATALOG)
        return failed;
    const struct operator** list = scope_alloc(scope, (builtin + 1) * sizeof(struct operator*));
    for (uint32_t i = 0; i < builtin; i++)
        list[(*count)++] = &operators_builtin[operators_by_name[first + i]];
    *found = list;
    return SQLSTATE_OK;
}

enum sqlstate catalog_operator_by_oid(struct catalog_view *view, uint32_t oid, const struct operator** found,
                                      struct error *error)
{
    (void)view;
    (void)error;
    *found = operator_builtin(oid);
    return SQLSTATE_OK;
}
