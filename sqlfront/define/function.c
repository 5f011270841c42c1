/* CREATE FUNCTION ... LANGUAGE SQL, and CREATE EXTENSION of those whose functions are built in. */
#include "sqlfront/define/inside.h"

#include <stdlib.h>

#define LANGUAGE_SQL 14

struct draft {
    struct work *work;
    const CreateFunctionStmt *statement;
    const char *name;
    uint32_t schema;
    uint32_t types[100], all[100];
    char modes[100];
    const char *names[100];
    uint32_t arguments, count, outputs, defaults, variadic;
    bool named, modal, set, table;
    struct text default_texts;
    const struct type *result;
    const char *language, *source;
    char volatility, parallel;
    bool strict, definer, leakproof;
    double cost, rows;
};

static enum sqlstate read_parameter(struct draft *draft, const FunctionParameter *parameter,
                                    struct error *error)
{
    struct binder_request binder = work_binder(draft->work);
    const struct type *type;
    int32_t modifier;
    char mode = (char)(parameter->mode == FUNC_PARAM_DEFAULT ? FUNC_PARAM_IN : parameter->mode);
    enum sqlstate failed = bind_type(&binder, parameter->argType, &type, &modifier, error);
    if (failed)
        return failed;
    if (draft->count == 100)
        return error_set(error, SQLSTATE_TOO_MANY_ARGUMENTS, "functions cannot have more than 100 arguments");
    draft->all[draft->count] = type->oid;
    draft->modes[draft->count] = mode;
    draft->names[draft->count] = parameter->name ? parameter->name : "";
    draft->named = draft->named || parameter->name;
    draft->modal = draft->modal || mode != 'i';
    draft->count++;
    if (mode == 'o' || mode == 't' || mode == 'b') {
        draft->outputs++;
        draft->table = draft->table || mode == 't';
    }
    if (mode == 'i' || mode == 'b' || mode == 'v') {
        draft->types[draft->arguments++] = type->oid;
        if (mode == 'v')
            draft->variadic = type->element ? type->element : (uint32_t)TYPE_ANY;
        if (parameter->defexpr) {
            const char *text;
            struct expression *bound;
            failed =
                expression_store(draft->work, parameter->defexpr, NULL, type, modifier, &text, &bound, error);
            if (failed)
                return failed;
            text_format(&draft->default_texts, "%s%s", draft->defaults ? (char[]){EXPRESSION_END, 0} : "",
                        text);
            draft->defaults++;
        } else if (draft->defaults) {
            return error_set(error, SQLSTATE_INVALID_FUNCTION_DEFINITION,
                             "input parameters after one with a default value must also have defaults");
        }
    }
    return SQLSTATE_OK;
}

static enum sqlstate read_result(struct draft *draft, struct error *error)
{
    struct binder_request binder = work_binder(draft->work);
    const TypeName *name = draft->statement->returnType;
    int32_t modifier;
    if (draft->statement->is_procedure) {
        draft->result = type_builtin(draft->outputs ? TYPE_RECORD : TYPE_VOID);
        return SQLSTATE_OK;
    }
    if (name && !draft->table) {
        draft->set = name->setof;
        return bind_type(&binder, name, &draft->result, &modifier, error);
    }
    if (!draft->outputs)
        return error_set(error, SQLSTATE_INVALID_FUNCTION_DEFINITION,
                         "function result type must be specified");
    draft->set = draft->table;
    draft->result = type_builtin(TYPE_RECORD);
    for (uint32_t i = 0; i < draft->count && draft->outputs == 1; i++)
        if (draft->modes[i] == 'o' || draft->modes[i] == 't' || draft->modes[i] == 'b')
            return catalog_type_by_oid(draft->work->view, draft->all[i], &draft->result, error);
    return SQLSTATE_OK;
}

static double number_of(const Node *node)
{
    return IsA(node, Integer) ? intVal(node) : strtod(castNode(Float, node)->fval, NULL);
}

static enum sqlstate read_options(struct draft *draft, struct error *error)
{
    ListCell *cell;
    draft->volatility = 'v';
    draft->parallel = 'u';
    draft->cost = 100;
    foreach(cell, draft->statement->options)
    {
        const DefElem *option = lfirst(cell);
        const char *name = option->defname;
        if (strcmp(name, "as") == 0) {
            const List *list = (const List *)option->arg;
            if (list_length(list) != 1)
                return error_set(error, SQLSTATE_INVALID_FUNCTION_DEFINITION,
                                 "only one AS item needed for language \"sql\"");
            draft->source = strVal(linitial(list));
        } else if (strcmp(name, "language") == 0) {
            draft->language = strVal(option->arg);
        } else if (strcmp(name, "volatility") == 0) {
            draft->volatility = strVal(option->arg)[0];
        } else if (strcmp(name, "strict") == 0) {
            draft->strict = boolVal(option->arg);
        } else if (strcmp(name, "security") == 0) {
            draft->definer = boolVal(option->arg);
        } else if (strcmp(name, "leakproof") == 0) {
            draft->leakproof = boolVal(option->arg);
        } else if (strcmp(name, "cost") == 0) {
            draft->cost = number_of(option->arg);
        } else if (strcmp(name, "rows") == 0) {
            draft->rows = number_of(option->arg);
        } else if (strcmp(name, "parallel") == 0) {
            draft->parallel = strVal(option->arg)[0];
        } else {
            return not_supported(error, "this function option");
        }
    }
    if (!draft->language && !draft->statement->sql_body)
        return error_set(error, SQLSTATE_INVALID_FUNCTION_DEFINITION, "no language specified");
    if (draft->language && strcmp(draft->language, "sql") != 0) {
        if (strcmp(draft->language, "plpgsql") == 0 || strcmp(draft->language, "c") == 0 ||
            strcmp(draft->language, "internal") == 0)
            return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "language \"%s\" is not supported",
                             draft->language);
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "language \"%s\" does not exist", draft->language);
    }
    if (draft->statement->sql_body)
        return not_supported(error, "a function body that is not a string");
    if (!draft->source)
        return error_set(error, SQLSTATE_INVALID_FUNCTION_DEFINITION, "no function body specified");
    return SQLSTATE_OK;
}

static enum sqlstate check_body(struct draft *draft, struct error *error)
{
    struct parsed *parsed;
    return parse_text(draft->work->request->world, draft->work->scope, draft->source, &parsed, error);
}

static enum sqlstate fill_row(struct draft *draft, uint32_t oid, struct value *values, struct error *error)
{
    struct scope *scope = draft->work->scope;
    int64_t types[100], all[100], modes[100];
    const char *defaults;
    for (uint32_t i = 0; i < draft->arguments; i++)
        types[i] = draft->types[i];
    for (uint32_t i = 0; i < draft->count; i++) {
        all[i] = draft->all[i];
        modes[i] = draft->modes[i];
    }
    values[PG_PROC_OID] = value_integer(oid);
    values[PG_PROC_PRONAME] = tuple_text(scope, draft->name);
    values[PG_PROC_PRONAMESPACE] = value_integer(draft->schema);
    values[PG_PROC_PROOWNER] = value_integer(draft->work->session->role);
    values[PG_PROC_PROLANG] = value_integer(LANGUAGE_SQL);
    values[PG_PROC_PROCOST] = value_float(draft->cost);
    values[PG_PROC_PROROWS] = value_float(draft->set ? (draft->rows > 0 ? draft->rows : 1000) : 0);
    values[PG_PROC_PROVARIADIC] = value_integer(draft->variadic);
    values[PG_PROC_PROSUPPORT] = value_integer(0);
    values[PG_PROC_PROKIND] = value_integer(draft->statement->is_procedure ? 'p' : 'f');
    values[PG_PROC_PROSECDEF] = value_boolean(draft->definer);
    values[PG_PROC_PROLEAKPROOF] = value_boolean(draft->leakproof);
    values[PG_PROC_PROISSTRICT] = value_boolean(draft->strict);
    values[PG_PROC_PRORETSET] = value_boolean(draft->set);
    values[PG_PROC_PROVOLATILE] = value_integer(draft->volatility);
    values[PG_PROC_PROPARALLEL] = value_integer(draft->parallel);
    values[PG_PROC_PRONARGS] = value_integer(draft->arguments);
    values[PG_PROC_PRONARGDEFAULTS] = value_integer(draft->defaults);
    values[PG_PROC_PRORETTYPE] = value_integer(draft->result->oid);
    values[PG_PROC_PROSRC] = tuple_text(scope, draft->source);
    enum sqlstate failed =
        list_make(scope, TYPE_OID, true, types, draft->arguments, &values[PG_PROC_PROARGTYPES], error);
    if (!failed && draft->modal)
        failed = list_make(scope, TYPE_OID, false, all, draft->count, &values[PG_PROC_PROALLARGTYPES], error);
    if (!failed && draft->modal)
        failed = list_make(scope, TYPE_CHAR, false, modes, draft->count, &values[PG_PROC_PROARGMODES], error);
    if (!failed && draft->named)
        failed = list_make_texts(scope, TYPE_TEXT, draft->names, draft->count, &values[PG_PROC_PROARGNAMES],
                                 error);
    if (!failed)
        failed = text_end(&draft->default_texts, &defaults, error);
    if (!failed && draft->defaults)
        values[PG_PROC_PROARGDEFAULTS] = tuple_text(scope, defaults);
    return failed;
}

/* A function of the same name and arguments in the schema. */
static enum sqlstate find_old(struct draft *draft, struct tuple *old, struct error *error)
{
    struct tuples found;
    struct work *work = draft->work;
    const struct tuple_match match = {PG_PROC_PRONAME, value_text(draft->name)};
    *old = (struct tuple){0};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_PROC, &match, 1, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        int64_t *types;
        uint32_t count = list_numbers(work->scope, &row[PG_PROC_PROARGTYPES], &types);
        bool same = row[PG_PROC_PRONAMESPACE].i == draft->schema && count == draft->arguments;
        for (uint32_t k = 0; k < count && same; k++)
            same = types[k] == draft->types[k];
        if (same)
            *old = found.tuple[i];
    }
    return failed;
}

static enum sqlstate check_replaced(struct draft *draft, const struct value *old, struct error *error)
{
    bool has;
    enum sqlstate failed = catalog_role_has(draft->work->view, draft->work->session->role,
                                            (uint32_t)old[PG_PROC_PROOWNER].i, &has, error);
    if (failed)
        return failed;
    if (!draft->statement->replace)
        return error_set(error, SQLSTATE_DUPLICATE_FUNCTION,
                         "function \"%s\" already exists with same argument types", draft->name);
    if (!has)
        return error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be owner of function %s", draft->name);
    if (old[PG_PROC_PRORETTYPE].i != draft->result->oid || old[PG_PROC_PRORETSET].i != draft->set) {
        failed = error_set(error, SQLSTATE_INVALID_FUNCTION_DEFINITION,
                           "cannot change return type of existing function");
        error_add(error, ERROR_HINT, "Use DROP FUNCTION %s first.", draft->name);
    }
    return failed;
}

static enum sqlstate write(struct draft *draft, struct error *error)
{
    struct work *work = draft->work;
    struct value *values = tuple_make(work->scope, PG_PROC);
    struct tuple old;
    uint32_t oid;
    enum sqlstate failed = find_old(draft, &old, error);
    if (!failed && old.values)
        failed = check_replaced(draft, old.values, error);
    if (failed)
        return failed;
    if (old.values)
        oid = (uint32_t)old.values[PG_PROC_OID].i;
    else
        failed = catalog_new_oid(work->request->catalog, &oid, error);
    if (!failed)
        failed = fill_row(draft, oid, values, error);
    const struct object self = {PG_PROC, oid, 0};
    if (!failed && old.values) {
        values[PG_PROC_PROOWNER] = old.values[PG_PROC_PROOWNER];
        values[PG_PROC_PROACL] = old.values[PG_PROC_PROACL];
        failed = tuple_update(&work->access, PG_PROC, &old, values, error);
        return failed;
    }
    if (!failed)
        failed = tuple_insert(&work->access, PG_PROC, values, error);
    if (!failed)
        failed = depend(work, self, (struct object){PG_NAMESPACE, draft->schema, 0}, 'n', error);
    if (!failed)
        failed = depend_on_owner(work, self, work->session->role, error);
    for (uint32_t i = 0; i < draft->count && !failed; i++)
        failed = depend(work, self, (struct object){PG_TYPE, draft->all[i], 0}, 'n', error);
    if (!failed)
        failed = depend(work, self, (struct object){PG_TYPE, draft->result->oid, 0}, 'n', error);
    return failed;
}

enum sqlstate define_create_function(struct work *work, const CreateFunctionStmt *statement,
                                     struct error *error)
{
    struct draft *draft = scope_alloc_zeroed(work->scope, sizeof *draft);
    const char *schema;
    ListCell *cell;
    draft->work = work;
    draft->statement = statement;
    draft->default_texts = text_in(work->scope);
    name_of_list(statement->funcname, &schema, &draft->name);
    enum sqlstate failed = creation_schema(work, schema, 'p', &draft->schema, error);
    if (!failed)
        failed = read_options(draft, error);
    foreach(cell, statement->parameters) if (!failed) failed = read_parameter(draft, lfirst(cell), error);
    if (!failed)
        failed = read_result(draft, error);
    if (!failed)
        failed = check_body(draft, error);
    if (!failed)
        failed = write(draft, error);
    return failed ? failed : work_look_again(work, error);
}
