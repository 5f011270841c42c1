/* CREATE VIEW: the query, bound and written back as SQL, in pg_rewrite (PostgreSQL manual, CREATE VIEW). */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/table.h"

static enum sqlstate columns_of(struct work *work, const struct query *query, const List *names,
                                struct table_plan *plan, struct error *error)
{
    int named = 0;
    for (uint32_t i = 0; i < query->targets; i++) {
        const struct target *target = &query->target[i];
        if (target->hidden)
            continue;
        const char *name = named < list_length(names) ? strVal(list_nth(names, named)) : target->name;
        const struct type *type = target->expression->type;
        named++;
        for (uint32_t c = 0; c < plan->count; c++)
            if (strcmp(plan->column[c].make.name, name) == 0)
                return error_set(error, SQLSTATE_DUPLICATE_COLUMN, "column \"%s\" specified more than once",
                                 name);
        if (type->oid == TYPE_UNKNOWN)
            type = type_builtin(TYPE_TEXT);
        plan_add(work, plan)->make =
            (struct column_make){.name = name,
                                 .type = type,
                                 .modifier = target->expression->modifier,
                                 .collation = collation_shown(target->expression, type)};
    }
    if (named < list_length(names))
        return error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION,
                         "CREATE VIEW specifies more column names than columns");
    return SQLSTATE_OK;
}

static enum sqlstate rule_insert(struct work *work, uint32_t view, const char *text,
                                 const struct query *query, struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_REWRITE);
    uint32_t oid;
    enum sqlstate failed = catalog_new_oid(work->request->catalog, &oid, error);
    const struct object self = {PG_REWRITE, oid, 0};
    if (failed)
        return failed;
    values[PG_REWRITE_OID] = value_integer(oid);
    values[PG_REWRITE_RULENAME] = tuple_text(work->scope, "_RETURN");
    values[PG_REWRITE_EV_CLASS] = value_integer(view);
    values[PG_REWRITE_EV_TYPE] = value_integer('1');
    values[PG_REWRITE_EV_ENABLED] = value_integer('O');
    values[PG_REWRITE_IS_INSTEAD] = value_boolean(true);
    values[PG_REWRITE_EV_QUAL] = tuple_text(work->scope, "<>");
    values[PG_REWRITE_EV_ACTION] = tuple_text(work->scope, text);
    failed = tuple_insert(&work->access, PG_REWRITE, values, error);
    if (!failed)
        failed = depend(work, self, (struct object){PG_CLASS, view, 0}, 'i', error);
    return failed ? failed : depend_on_query(work, self, query, error);
}

static enum sqlstate rule_drop(struct work *work, uint32_t view, struct error *error)
{
    struct tuples found;
    struct tuple_match match = {PG_REWRITE_EV_CLASS, value_integer(view)};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_REWRITE, &match, 1, &found, error);
    for (uint32_t i = 0; i < (failed ? 0 : found.count) && !failed; i++) {
        failed = tuple_delete(&work->access, PG_REWRITE, &found.tuple[i], error);
        if (!failed)
            failed = depend_forget(
                work, (struct object){PG_REWRITE, (uint32_t)found.tuple[i].values[PG_REWRITE_OID].i, 0}, 0, 0,
                error);
    }
    return failed;
}

/* OR REPLACE: old columns stay as they are, new ones come behind them. */
static enum sqlstate check_replaced(struct work *work, const struct relation *old,
                                    const struct table_plan *plan, struct error *error)
{
    if (plan->count < old->columns)
        return error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION, "cannot drop columns from view");
    for (uint32_t c = 0; c < old->columns; c++) {
        const struct column_make *make = &plan->column[c].make;
        const char *from, *to;
        enum sqlstate failed;
        if (strcmp(old->column[c].name, make->name) != 0) {
            failed = error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION,
                               "cannot change name of view column \"%s\" to \"%s\"", old->column[c].name,
                               make->name);
            error_add(error, ERROR_HINT,
                      "Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.");
            return failed;
        }
        if (old->column[c].type == make->type && old->column[c].modifier == make->modifier)
            continue;
        if (old->column[c].type->oid == make->type->oid && old->column[c].modifier == make->modifier)
            continue;
        if ((failed = type_shown(work->view, work->scope, old->column[c].type->oid, old->column[c].modifier,
                                 true, &from, error)) ||
            (failed = type_shown(work->view, work->scope, make->type->oid, make->modifier, true, &to, error)))
            return failed;
        return error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION,
                         "cannot change data type of view column \"%s\" from %s to %s", make->name, from, to);
    }
    return SQLSTATE_OK;
}

static enum sqlstate replace(struct work *work, const struct relation *old, const struct table_plan *plan,
                             struct error *error)
{
    const int column = PG_CLASS_RELNATTS;
    const struct value count = value_integer(plan->count);
    enum sqlstate failed = relation_check_owned(work, old, error);
    if (!failed)
        failed = check_replaced(work, old, plan, error);
    for (uint32_t c = old->columns; c < plan->count && !failed; c++)
        failed = attribute_insert(work, old->oid, (int16_t)(c + 1), &plan->column[c].make, error);
    if (!failed && plan->count > old->columns)
        failed = class_set(work, old->oid, &column, &count, 1, error);
    return failed ? failed : rule_drop(work, old->oid, error);
}

static bool refers_to_temporary(const struct query *query, const struct work *work)
{
    for (uint32_t i = 0; i < query->ranges; i++) {
        const struct range *range = &query->range[i];
        if (range->relation && range->relation->persistence == 't')
            return true;
        if (range->kind == RANGE_SUBQUERY && range->query && !range->relation &&
            refers_to_temporary(range->query, work))
            return true;
    }
    return false;
}

enum sqlstate define_view(struct work *work, const ViewStmt *statement, struct error *error)
{
    struct binder_request binder = work_binder(work);
    struct table_plan plan = {.name = statement->view->relname};
    const struct relation *old = NULL;
    struct query *query;
    const char *text;
    uint32_t schema, oid;
    char persistence;
    RangeVar name = *statement->view;
    if (statement->withCheckOption != NO_CHECK_OPTION)
        return not_supported(error, "WITH CHECK OPTION");
    if (!IsA(statement->query, SelectStmt))
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "views must be made of a SELECT");
    if (((const SelectStmt *)statement->query)->intoClause)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "views must not contain SELECT INTO");
    enum sqlstate failed = bind_statement(&binder, (struct Node *)statement->query, &query, error);
    if (!failed && name.relpersistence == 'p' && refers_to_temporary(query, work)) {
        name.relpersistence = 't';
        work_notice(work, SQLSTATE_OK, "view \"%s\" will be a temporary view", name.relname);
    }
    if (!failed)
        failed = creation_schema_of(work, &name, &schema, &persistence, error);
    if (!failed)
        failed = columns_of(work, query, statement->aliases, &plan, error);
    if (!failed)
        failed = query_deparse(work->view, work->scope, query, DEPARSE_STORED, &text, error);
    if (failed)
        return failed;
    struct tuple found;
    const struct tuple_match matches[] = {{PG_CLASS_RELNAME, value_text(plan.name)},
                                          {PG_CLASS_RELNAMESPACE, value_integer(schema)}};
    failed = tuple_find(&work->access, work->scope, PG_CLASS, matches, 2, &found, error);
    if (!failed && found.values && statement->replace)
        failed = catalog_relation_by_oid(work->view, (uint32_t)found.values[PG_CLASS_OID].i, &old, error);
    if (failed)
        return failed;
    if (old && old->kind != RELATION_VIEW)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not a view", old->name);
    if (old) {
        oid = old->oid;
        failed = catalog_lock_relation(work->view, oid, LOCK_ACCESS_EXCLUSIVE, LOCK_WAIT, NULL, error);
        if (!failed)
            failed = replace(work, old, &plan, error);
    } else {
        struct column_make *columns = scope_alloc(work->scope, (plan.count + 1) * sizeof *columns);
        for (uint32_t c = 0; c < plan.count; c++)
            columns[c] = plan.column[c].make;
        const struct relation_make make = {.name = plan.name,
                                           .schema = schema,
                                           .kind = RELATION_VIEW,
                                           .persistence = persistence,
                                           .owner = work->session->role,
                                           .columns = plan.count,
                                           .column = columns};
        failed = relation_create(work, &make, &oid, error);
    }
    if (!failed)
        failed = rule_insert(work, oid, text, query, error);
    return failed ? failed : work_look_again(work, error);
}
