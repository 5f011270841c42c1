/* ALTER TABLE, subcommand by subcommand (PostgreSQL manual, ALTER TABLE). What changes how rows lie in the table writes them
 * anew; adding a column does not: rows written before have its default as their missing value. */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/find.h"
#include "sqlfront/define/table.h"
#include "sqlfront/evaluate/evaluate.h"

struct alter {
    struct work *work;
    const struct relation *relation; /* as it is now */
    const AlterTableCmd *command;
};

static enum sqlstate look_again(struct alter *alter, struct error *error)
{
    enum sqlstate failed = work_look_again(alter->work, error);
    return failed ? failed
                  : catalog_relation_by_oid(alter->work->view, alter->relation->oid, &alter->relation, error);
}

/* ---- columns ---- */

/* The default of an added column, evaluated once, for the rows that are there: in attmissingval. */
static enum sqlstate missing_store(struct alter *alter, const struct column *column,
                                   const struct expression *bound, struct error *error)
{
    struct work *work = alter->work;
    struct evaluation evaluation = {.environment = work->request->environment};
    const int columns[] = {PG_ATTRIBUTE_ATTHASMISSING, PG_ATTRIBUTE_ATTMISSINGVAL};
    struct value values[] = {value_boolean(true), value_null()}, missing;
    enum sqlstate failed = evaluate_constant(work->scope, &evaluation, bound, &missing, error);
    if (failed || missing.null)
        return failed;
    failed = array_of_one(work->scope, column->type, &missing, &values[1], error);
    return failed ? failed
                  : attribute_set(work, alter->relation->oid, column->number, columns, values, 2, error);
}

static enum sqlstate has_rows(struct alter *alter, bool *any, struct error *error)
{
    return relation_has_rows(alter->work, alter->relation, any, error);
}

/* Rows that are there get a default that differs from row to row (or a generated value): they are written anew. */
static enum sqlstate fill_column(struct alter *alter, const struct relation *before,
                                 const struct column_plan *plan, struct error *error)
{
    struct work *work = alter->work;
    const struct relation *now = alter->relation;
    const struct column *column = &now->column[now->columns - 1];
    struct expression **expressions =
        scope_alloc_zeroed(work->scope, (now->columns + 1) * sizeof(struct expression *));
    struct expression *bound = NULL;
    struct binder_request binder = work_binder(work);
    enum sqlstate failed = SQLSTATE_OK;
    bool any;
    if (plan->make.identity) {
        failed = identity_expression(work, now, column->number, &bound, error);
    } else if (column->default_text) {
        failed = bind_expression_text(&binder, column->default_text, plan->make.generated ? now : NULL,
                                      column->type, column->modifier, &bound, error);
    }
    if (failed || !bound) {
        if (!failed && column->not_null) {
            failed = has_rows(alter, &any, error);
            if (!failed && any)
                failed = column_check_not_null(work, now, column, error);
        }
        return failed;
    }
    if (!plan->make.generated && !plan->make.identity && !(expression_facts(bound) & FACT_VOLATILE))
        return missing_store(alter, column, bound, error);
    if ((failed = has_rows(alter, &any, error)) || !any)
        return failed;
    expressions[now->columns - 1] = bound;
    return table_rewrite(work, before, expressions, error);
}

static enum sqlstate add_column(struct alter *alter, struct error *error)
{
    struct work *work = alter->work;
    const struct relation *before = alter->relation;
    const ColumnDef *definition = (const ColumnDef *)alter->command->def;
    struct table_plan plan = {.name = before->name};
    const int column = PG_CLASS_RELNATTS;
    for (uint32_t c = 0; c < before->columns; c++)
        if (!before->column[c].dropped && strcmp(before->column[c].name, definition->colname) == 0) {
            if (!alter->command->missing_ok)
                return error_set(error, SQLSTATE_DUPLICATE_COLUMN,
                                 "column \"%s\" of relation \"%s\" already exists", definition->colname,
                                 before->name);
            work_notice(work, SQLSTATE_DUPLICATE_COLUMN,
                        "column \"%s\" of relation \"%s\" already exists, skipping", definition->colname,
                        before->name);
            return SQLSTATE_OK;
        }
    if (before->columns == COLUMNS_MAX)
        return error_set(error, SQLSTATE_TOO_MANY_COLUMNS, "tables can have at most %d columns", COLUMNS_MAX);
    enum sqlstate failed = column_plan_make(work, &plan, definition, error);
    if (failed)
        return failed;
    int16_t number = (int16_t)(before->columns + 1);
    const struct value count = value_integer(number);
    failed = attribute_insert(work, before->oid, number, &plan.column[0].make, error);
    if (!failed)
        failed = class_set(work, before->oid, &column, &count, 1, error);
    if (!failed)
        failed = look_again(alter, error);
    if (!failed)
        failed = column_finish(work, before->oid, &plan.column[0], number, error);
    if (!failed)
        failed = look_again(alter, error);
    if (!failed && alter->relation->kind == RELATION_TABLE)
        failed = fill_column(alter, before, &plan.column[0], error);
    if (!failed)
        failed = look_again(alter, error);
    if (!failed)
        failed = later_finish(work, before->oid, &plan.checks, true, error);
    if (!failed)
        failed = later_finish(work, before->oid, &plan.keys, true, error);
    return failed ? failed : later_finish(work, before->oid, &plan.foreign, true, error);
}

static enum sqlstate drop_column(struct alter *alter, struct error *error)
{
    const struct column *column;
    struct error missing;
    enum sqlstate failed = column_found(alter->relation, alter->command->name, &column, &missing);
    if (failed && alter->command->missing_ok) {
        work_notice(alter->work, SQLSTATE_OK, "column \"%s\" of relation \"%s\" does not exist, skipping",
                    alter->command->name, alter->relation->name);
        return SQLSTATE_OK;
    }
    if (failed) {
        *error = missing;
        return failed;
    }
    const struct object object = {PG_CLASS, alter->relation->oid, column->number};
    return objects_drop(alter->work, &object, 1, alter->command->behavior == DROP_CASCADE, error);
}

static enum sqlstate column_default(struct alter *alter, struct error *error)
{
    const struct column *column;
    const char *text = NULL;
    struct expression *bound = NULL;
    enum sqlstate failed = column_found(alter->relation, alter->command->name, &column, error);
    if (!failed && column->generated)
        failed =
            error_set(error, SQLSTATE_SYNTAX_ERROR, "column \"%s\" of relation \"%s\" is a generated column",
                      column->name, alter->relation->name);
    if (!failed && column->identity)
        failed =
            error_set(error, SQLSTATE_SYNTAX_ERROR, "column \"%s\" of relation \"%s\" is an identity column",
                      column->name, alter->relation->name);
    if (failed)
        return failed;
    alter->work->column = column->name;
    if (alter->command->def)
        failed = expression_store(alter->work, alter->command->def, NULL, column->type, column->modifier,
                                  &text, &bound, error);
    alter->work->column = NULL;
    if (!failed && bound && bound->kind == EXPRESSION_CONSTANT && bound->constant.null)
        text = NULL;
    return failed ? failed : default_store(alter->work, alter->relation, column->number, text, bound, error);
}

static enum sqlstate not_null(struct alter *alter, bool set, struct error *error)
{
    const struct column *column;
    const int place = PG_ATTRIBUTE_ATTNOTNULL;
    const struct value value = value_boolean(set);
    enum sqlstate failed = column_found(alter->relation, alter->command->name, &column, error);
    for (uint32_t i = 0; i < alter->relation->indexes && !failed && !set; i++)
        for (uint32_t k = 0; k < alter->relation->index[i]->key_columns && !failed; k++)
            if (alter->relation->index[i]->primary && alter->relation->index[i]->column[k] == column->number)
                failed = error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION,
                                   "column \"%s\" is in a primary key", column->name);
    if (!failed && !set && column->identity)
        failed =
            error_set(error, SQLSTATE_SYNTAX_ERROR, "column \"%s\" of relation \"%s\" is an identity column",
                      column->name, alter->relation->name);
    if (!failed && set && !column->not_null)
        failed = column_check_not_null(alter->work, alter->relation, column, error);
    return failed
               ? failed
               : attribute_set(alter->work, alter->relation->oid, column->number, &place, &value, 1, error);
}

/* Whether values of the one type are, as they lie in rows and keys, values of the other. */
static bool same_bytes(const struct column *column, const struct type *type, int32_t modifier)
{
    bool texts = (column->type->oid == TYPE_VARCHAR || column->type->oid == TYPE_TEXT) &&
                 (type->oid == TYPE_VARCHAR || type->oid == TYPE_TEXT);
    if (texts)
        return modifier < 0 || (column->modifier >= 0 && modifier >= column->modifier);
    return column->type->oid == type->oid &&
           (modifier < 0 || modifier == column->modifier ||
            (type->oid == TYPE_VARBIT && column->modifier >= 0 && modifier >= column->modifier));
}

static enum sqlstate refuse_dependent_views(struct alter *alter, const struct column *column,
                                            struct error *error)
{
    struct tuples found;
    struct work *work = alter->work;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_REFOBJID, value_integer(alter->relation->oid)},
                                          {PG_DEPEND_REFOBJSUBID, value_integer(column->number)}};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_DEPEND, matches, 3, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        const char *shown;
        if (row[PG_DEPEND_CLASSID].i != PG_REWRITE)
            continue;
        failed = object_shown(work, (struct object){PG_REWRITE, (uint32_t)row[PG_DEPEND_OBJID].i, 0}, &shown,
                              error);
        if (failed)
            return failed;
        failed = error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                           "cannot alter type of a column used by a view or rule");
        error_add(error, ERROR_DETAIL, "rule _RETURN on %s depends on column \"%s\"", shown, column->name);
    }
    return failed;
}

static void finds_column(void *argument, struct expression *expression)
{
    int32_t *number = argument;
    if (!expression)
        return;
    if (expression->kind == EXPRESSION_COLUMN && expression->number == *number)
        *number = 0;
    expression_children(expression, finds_column, argument);
}

static enum sqlstate refuse_generated(struct alter *alter, const struct column *column, struct error *error)
{
    struct binder_request binder = work_binder(alter->work);
    for (uint32_t c = 0; c < alter->relation->columns; c++) {
        const struct column *other = &alter->relation->column[c];
        struct expression *bound;
        int32_t number = column->number;
        if (!other->generated || other->dropped)
            continue;
        enum sqlstate failed =
            bind_expression_text(&binder, other->default_text, alter->relation, NULL, -1, &bound, error);
        if (failed)
            return failed;
        finds_column(&number, bound);
        if (number)
            continue;
        failed = error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                           "cannot alter type of a column used by a generated column");
        error_add(error, ERROR_DETAIL, "Column \"%s\" is used by generated column \"%s\".", column->name,
                  other->name);
        return failed;
    }
    return SQLSTATE_OK;
}

/* USING, or the column itself, as the new type. */
static enum sqlstate using_expression(struct alter *alter, const ColumnDef *definition,
                                      const struct column *column, const struct type *type, int32_t modifier,
                                      struct expression **bound, struct error *error)
{
    struct binder_request binder = work_binder(alter->work);
    struct expression *from;
    const char *shown;
    enum sqlstate failed;
    if (definition->raw_default) {
        failed = bind_expression(&binder, (struct Node *)definition->raw_default, alter->relation, NULL, -1,
                                 &from, error);
    } else {
        from = expression_column(alter->work->scope, 0, column->number, column->type, column->modifier,
                                 column->collation);
        failed = SQLSTATE_OK;
    }
    if (!failed)
        failed = bind_coerce(&binder, from, type, modifier, false, bound, error);
    if (failed != SQLSTATE_DATATYPE_MISMATCH)
        return failed;
    if (type_shown(alter->work->view, alter->work->scope, type->oid, modifier, true, &shown, error))
        return error->state;
    if (definition->raw_default) {
        failed = error_set(error, SQLSTATE_DATATYPE_MISMATCH,
                           "result of USING clause for column \"%s\" cannot be cast automatically to type %s",
                           column->name, shown);
        error_add(error, ERROR_HINT, "You might need to add an explicit cast.");
    } else {
        failed = error_set(error, SQLSTATE_DATATYPE_MISMATCH,
                           "column \"%s\" cannot be cast automatically to type %s", column->name, shown);
        error_add(error, ERROR_HINT, "You might need to specify \"USING %s::%s\".",
                  identifier(alter->work->scope, column->name), shown);
    }
    return failed;
}

/* The default must be one of the new type, too. */
static enum sqlstate recast_default(struct alter *alter, const struct column *column, const struct type *type,
                                    int32_t modifier, struct error *error)
{
    const char *text;
    struct expression *bound;
    Node *tree;
    if (!column->default_text || column->generated || column->identity)
        return SQLSTATE_OK;
    enum sqlstate failed = expression_tree(alter->work, column->default_text, &tree, error);
    if (!failed)
        failed = expression_store(alter->work, tree, NULL, type, modifier, &text, &bound, error);
    if (failed == SQLSTATE_DATATYPE_MISMATCH) {
        const char *shown;
        if (type_shown(alter->work->view, alter->work->scope, type->oid, modifier, true, &shown, error))
            return error->state;
        return error_set(error, SQLSTATE_DATATYPE_MISMATCH,
                         "default for column \"%s\" cannot be cast automatically to type %s", column->name,
                         shown);
    }
    return failed ? failed : default_store(alter->work, alter->relation, column->number, text, bound, error);
}

static enum sqlstate attribute_retype(struct alter *alter, const struct column *column,
                                      const struct type *type, int32_t modifier, uint32_t collation,
                                      struct error *error)
{
    const int places[] = {PG_ATTRIBUTE_ATTTYPID, PG_ATTRIBUTE_ATTTYPMOD,     PG_ATTRIBUTE_ATTLEN,
                          PG_ATTRIBUTE_ATTNDIMS, PG_ATTRIBUTE_ATTCOLLATION,  PG_ATTRIBUTE_ATTHASMISSING,
                          PG_ATTRIBUTE_ATTBYVAL, PG_ATTRIBUTE_ATTMISSINGVAL, PG_ATTRIBUTE_ATTSTORAGE};
    const struct value values[] = {value_integer(type->oid),
                                   value_integer(modifier),
                                   value_integer(type->length),
                                   value_integer(type->category == 'A'),
                                   value_integer(collation),
                                   value_boolean(false),
                                   value_boolean(type->length > 0 && type->length <= 8),
                                   value_null(),
                                   value_integer(type->length < 0 ? 'x' : 'p')};
    struct work *work = alter->work;
    enum sqlstate failed =
        attribute_set(work, alter->relation->oid, column->number, places, values, 9, error);
    if (!failed) /* a dependency on the old type goes, one on the new comes */
        failed = depend_forget(work, (struct object){PG_CLASS, alter->relation->oid, column->number}, 'n',
                               PG_TYPE, error);
    if (!failed && type->oid >= OID_USER_FIRST)
        failed = depend(work, (struct object){PG_CLASS, alter->relation->oid, column->number},
                        (struct object){PG_TYPE, type->oid, 0}, 'n', error);
    /* columns of indexes over it have its type */
    for (uint32_t i = 0; i < alter->relation->indexes && !failed; i++) {
        const struct index *index = alter->relation->index[i];
        for (uint32_t c = 0; c < index->columns && !failed; c++)
            if (index->column[c] == column->number)
                failed = attribute_set(work, index->oid, (int16_t)(c + 1), places, values, 3, error);
    }
    return failed;
}

static enum sqlstate operator_classes_renew(struct alter *alter, const struct column *column,
                                            const struct type *type, struct error *error);

static enum sqlstate alter_type(struct alter *alter, struct error *error)
{
    struct work *work = alter->work;
    const struct relation *before = alter->relation;
    const ColumnDef *definition = (const ColumnDef *)alter->command->def;
    struct binder_request binder = work_binder(work);
    const struct column *column;
    const struct type *type;
    int32_t modifier;
    uint32_t collation;
    struct expression *bound;
    enum sqlstate failed = column_found(before, alter->command->name, &column, error);
    if (!failed && column->generated)
        failed = not_supported(error, "altering the type of a generated column");
    if (!failed)
        failed = bind_type(&binder, definition->typeName, &type, &modifier, error);
    if (!failed && type->type_type == 'p')
        failed = error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION, "column \"%s\" has pseudo-type %s",
                           column->name, type->name);
    if (!failed)
        failed = collation_of(work, definition->collClause ? definition->collClause->collname : NULL, type,
                              &collation, error);
    if (!failed)
        failed = using_expression(alter, definition, column, type, modifier, &bound, error);
    if (!failed)
        failed = refuse_dependent_views(alter, column, error);
    if (!failed)
        failed = refuse_generated(alter, column, error);
    if (!failed)
        failed = recast_default(alter, column, type, modifier, error);
    if (!failed)
        failed = attribute_retype(alter, column, type, modifier, collation, error);
    if (!failed)
        failed = operator_classes_renew(alter, column, type, error);
    if (failed || before->kind != RELATION_TABLE)
        return failed;
    if (!definition->raw_default && same_bytes(column, type, modifier) && column->missing.null)
        return SQLSTATE_OK;
    struct expression **expressions =
        scope_alloc_zeroed(work->scope, (before->columns + 1) * sizeof(struct expression *));
    expressions[column->number - 1] = bound;
    return table_rewrite(work, before, expressions, error);
}

/* Indexes over a column whose type changed compare by the new type's class. */
static enum sqlstate operator_classes_renew(struct alter *alter, const struct column *column,
                                            const struct type *type, struct error *error)
{
    struct work *work = alter->work;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < alter->relation->indexes && !failed; i++) {
        const struct index *index = alter->relation->index[i];
        struct tuple row;
        int64_t *classes;
        struct tuple_match match = {PG_INDEX_INDEXRELID, value_integer(index->oid)};
        bool touched = false;
        transaction_statement(work->access.transaction);
        failed = tuple_find(&work->access, work->scope, PG_INDEX, &match, 1, &row, error);
        if (failed || !row.values)
            return failed;
        uint32_t count = list_numbers(work->scope, &row.values[PG_INDEX_INDCLASS], &classes);
        for (uint32_t c = 0; c < index->key_columns && c < count && !failed; c++)
            if (index->column[c] == column->number) {
                uint32_t class;
                failed = operator_class_default(work, type, &class, error);
                classes[c] = class;
                touched = true;
            }
        if (failed || !touched)
            continue;
        struct value *values = tuple_copy(work->scope, PG_INDEX, &row);
        failed = list_make(work->scope, TYPE_OID, true, classes, count, &values[PG_INDEX_INDCLASS], error);
        if (!failed)
            failed = tuple_update(&work->access, PG_INDEX, &row, values, error);
    }
    return failed;
}

/* ---- identity and generated columns ---- */

static enum sqlstate identity_sequence(struct work *work, const struct relation *relation, int16_t number,
                                       const struct relation **sequence, struct error *error)
{
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_REFOBJID, value_integer(relation->oid)},
                                          {PG_DEPEND_REFOBJSUBID, value_integer(number)},
                                          {PG_DEPEND_CLASSID, value_integer(PG_CLASS)}};
    *sequence = NULL;
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_DEPEND, matches, 4, &found, error);
    for (uint32_t i = 0; !failed && i < found.count && !*sequence; i++) {
        if (found.tuple[i].values[PG_DEPEND_DEPTYPE].i != 'i')
            continue;
        failed = catalog_relation_by_oid(work->view, (uint32_t)found.tuple[i].values[PG_DEPEND_OBJID].i,
                                         sequence, error);
        if (!failed && *sequence && (*sequence)->kind != RELATION_SEQUENCE)
            *sequence = NULL;
    }
    return failed;
}

enum sqlstate identity_expression(struct work *work, const struct relation *relation, int16_t number,
                                  struct expression **bound, struct error *error)
{
    const struct relation *sequence;
    struct binder_request binder = work_binder(work);
    struct text text = text_in(work->scope);
    const char *sql;
    enum sqlstate failed = identity_sequence(work, relation, number, &sequence, error);
    if (!failed && !sequence)
        failed = error_set(error, SQLSTATE_INTERNAL_ERROR, "no owned sequence found");
    if (failed)
        return failed;
    text_format(&text, "nextval('%u'::regclass)", sequence->oid);
    failed = text_end(&text, &sql, error);
    return failed ? failed
                  : bind_expression_text(&binder, sql, NULL, relation->column[number - 1].type, -1, bound,
                                         error);
}

static enum sqlstate add_identity(struct alter *alter, struct error *error)
{
    const Constraint *constraint = (const Constraint *)alter->command->def;
    const struct column *column;
    const int place = PG_ATTRIBUTE_ATTIDENTITY;
    const struct value kind = value_integer(constraint->generated_when);
    enum sqlstate failed = column_found(alter->relation, alter->command->name, &column, error);
    if (failed)
        return failed;
    if (!column->not_null)
        return error_set(
            error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "column \"%s\" of relation \"%s\" must be declared NOT NULL before identity can be added",
            column->name, alter->relation->name);
    if (column->identity)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "column \"%s\" of relation \"%s\" is already an identity column", column->name,
                         alter->relation->name);
    if (column->default_text)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "column \"%s\" of relation \"%s\" already has a default value", column->name,
                         alter->relation->name);
    failed = attribute_set(alter->work, alter->relation->oid, column->number, &place, &kind, 1, error);
    const struct column_plan plan = {.make = {.name = column->name,
                                              .type = column->type,
                                              .modifier = -1,
                                              .identity = constraint->generated_when},
                                     .sequence_options = constraint->options};
    if (!failed)
        failed = look_again(alter, error);
    return failed ? failed : column_finish(alter->work, alter->relation->oid, &plan, column->number, error);
}

static enum sqlstate drop_identity(struct alter *alter, struct error *error)
{
    const struct column *column;
    const struct relation *sequence;
    const int place = PG_ATTRIBUTE_ATTIDENTITY;
    const struct value none = value_integer(0);
    enum sqlstate failed = column_found(alter->relation, alter->command->name, &column, error);
    if (!failed && !column->identity) {
        if (!alter->command->missing_ok)
            return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                             "column \"%s\" of relation \"%s\" is not an identity column", column->name,
                             alter->relation->name);
        work_notice(alter->work, SQLSTATE_OK,
                    "column \"%s\" of relation \"%s\" is not an identity column, skipping", column->name,
                    alter->relation->name);
        return SQLSTATE_OK;
    }
    if (!failed)
        failed = identity_sequence(alter->work, alter->relation, column->number, &sequence, error);
    if (!failed)
        failed = attribute_set(alter->work, alter->relation->oid, column->number, &place, &none, 1, error);
    if (failed || !sequence)
        return failed;
    const struct object object = {PG_CLASS, sequence->oid, 0};
    failed = depend_forget(alter->work, object, 'i', PG_CLASS, error);
    return failed ? failed : objects_drop(alter->work, &object, 1, false, error);
}

static enum sqlstate set_identity(struct alter *alter, struct error *error)
{
    const struct column *column;
    const struct relation *sequence;
    ListCell *cell;
    List options = {.type = T_List};
    const List *given = (const List *)alter->command->def;
    enum sqlstate failed = column_found(alter->relation, alter->command->name, &column, error);
    if (!failed && !column->identity)
        failed = error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                           "column \"%s\" of relation \"%s\" is not an identity column", column->name,
                           alter->relation->name);
    options.elements =
        scope_alloc_zeroed(alter->work->scope, ((size_t)list_length(given) + 1) * sizeof(ListCell));
    foreach(cell, given)
    {
        DefElem *option = lfirst(cell);
        if (failed)
            return failed;
        if (strcmp(option->defname, "generated") == 0) {
            const int place = PG_ATTRIBUTE_ATTIDENTITY;
            const struct value kind = value_integer(intVal(option->arg));
            failed =
                attribute_set(alter->work, alter->relation->oid, column->number, &place, &kind, 1, error);
        } else {
            options.elements[options.length++].ptr_value = option;
        }
    }
    if (failed || !options.length)
        return failed;
    failed = identity_sequence(alter->work, alter->relation, column->number, &sequence, error);
    return failed || !sequence ? failed : sequence_change(alter->work, sequence, &options, error);
}

static enum sqlstate drop_expression(struct alter *alter, struct error *error)
{
    const struct column *column;
    const int place = PG_ATTRIBUTE_ATTGENERATED;
    const struct value none = value_integer(0);
    enum sqlstate failed = column_found(alter->relation, alter->command->name, &column, error);
    if (!failed && !column->generated) {
        if (!alter->command->missing_ok)
            return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                             "column \"%s\" of relation \"%s\" is not a stored generated column",
                             column->name, alter->relation->name);
        return SQLSTATE_OK;
    }
    if (!failed)
        failed = default_store(alter->work, alter->relation, column->number, NULL, NULL, error);
    return failed ? failed
                  : attribute_set(alter->work, alter->relation->oid, column->number, &place, &none, 1, error);
}

/* ---- constraints ---- */

static enum sqlstate drop_constraint(struct alter *alter, struct error *error)
{
    const struct constraint *constraint;
    enum sqlstate failed = constraint_found(alter->relation, alter->command->name, alter->command->missing_ok,
                                            &constraint, error);
    if (failed)
        return failed;
    if (!constraint) {
        work_notice(alter->work, SQLSTATE_OK, "constraint \"%s\" of relation \"%s\" does not exist, skipping",
                    alter->command->name, alter->relation->name);
        return SQLSTATE_OK;
    }
    const struct object object = {PG_CONSTRAINT, constraint->oid, 0};
    return objects_drop(alter->work, &object, 1, alter->command->behavior == DROP_CASCADE, error);
}

static enum sqlstate validate_constraint(struct alter *alter, struct error *error)
{
    struct work *work = alter->work;
    const struct constraint *constraint;
    const struct relation *referenced;
    struct expression *bound;
    struct binder_request binder = work_binder(work);
    const int place = PG_CONSTRAINT_CONVALIDATED;
    const struct value yes = value_boolean(true);
    enum sqlstate failed = constraint_found(alter->relation, alter->command->name, false, &constraint, error);
    if (failed || constraint->validated)
        return failed;
    if (constraint->kind == CONSTRAINT_CHECK) {
        failed = bind_expression_text(&binder, constraint->check_text, alter->relation,
                                      type_builtin(TYPE_BOOL), -1, &bound, error);
        if (!failed)
            failed = check_rows(work, alter->relation, constraint->name, bound, error);
    } else if (constraint->kind == CONSTRAINT_FOREIGN) {
        failed = catalog_relation_by_oid(work->view, constraint->referenced, &referenced, error);
        if (!failed)
            failed = rows_check_references(work, alter->relation, referenced, constraint, error);
    }
    return failed ? failed : tuple_set(work, PG_CONSTRAINT, constraint->oid, &place, &yes, 1, error);
}

static enum sqlstate alter_constraint(struct alter *alter, struct error *error)
{
    const Constraint *wanted = (const Constraint *)alter->command->def;
    const struct constraint *constraint;
    const int places[] = {PG_CONSTRAINT_CONDEFERRABLE, PG_CONSTRAINT_CONDEFERRED};
    const struct value values[] = {value_boolean(wanted->deferrable), value_boolean(wanted->initdeferred)};
    enum sqlstate failed = constraint_found(alter->relation, wanted->conname, false, &constraint, error);
    if (!failed && constraint->kind != CONSTRAINT_FOREIGN)
        failed = error_set(error, SQLSTATE_WRONG_OBJECT_TYPE,
                           "constraint \"%s\" of relation \"%s\" is not a foreign key constraint",
                           constraint->name, alter->relation->name);
    return failed ? failed : tuple_set(alter->work, PG_CONSTRAINT, constraint->oid, places, values, 2, error);
}

/* ---- all of them ---- */

static enum sqlstate change_owner(struct alter *alter, struct error *error)
{
    uint32_t owner;
    enum sqlstate failed = role_of_spec(alter->work, alter->command->newowner, &owner, error);
    return failed
               ? failed
               : owner_change(alter->work, (struct object){PG_CLASS, alter->relation->oid, 0}, owner, error);
}

static enum sqlstate run(struct alter *alter, struct error *error)
{
    switch (alter->command->subtype) {
    case AT_AddColumn:
        return add_column(alter, error);
    case AT_DropColumn:
        return drop_column(alter, error);
    case AT_ColumnDefault:
        return column_default(alter, error);
    case AT_SetNotNull:
    case AT_DropNotNull:
        return not_null(alter, alter->command->subtype == AT_SetNotNull, error);
    case AT_AlterColumnType:
        return alter_type(alter, error);
    case AT_AddIdentity:
        return add_identity(alter, error);
    case AT_SetIdentity:
        return set_identity(alter, error);
    case AT_DropIdentity:
        return drop_identity(alter, error);
    case AT_DropExpression:
        return drop_expression(alter, error);
    case AT_AddConstraint:
        return constraint_add(alter->work, alter->relation, (const Constraint *)alter->command->def, true,
                              error);
    case AT_AlterConstraint:
        return alter_constraint(alter, error);
    case AT_ValidateConstraint:
        return validate_constraint(alter, error);
    case AT_DropConstraint:
        return drop_constraint(alter, error);
    case AT_ChangeOwner:
        return change_owner(alter, error);
    case AT_SetStatistics: /* nothing here reads what these set: a plan does not hang on them */
    case AT_SetStorage:
    case AT_ClusterOn:
    case AT_DropCluster:
    case AT_ReplicaIdentity:
    case AT_SetOptions:
    case AT_ResetOptions:
        return SQLSTATE_OK;
    case AT_SetRelOptions: /* likewise of tables and indexes; those of views say whose rights count */
    case AT_ResetRelOptions:
        return alter->relation->kind == RELATION_VIEW ? not_supported(error, "an option of a view")
                                                      : SQLSTATE_OK;
    default:
        return not_supported(error, "this form of ALTER TABLE");
    }
}

enum sqlstate define_alter_table(struct work *work, const AlterTableStmt *statement, struct error *error)
{
    struct alter alter = {.work = work};
    ListCell *cell;
    enum sqlstate failed =
        relation_owned(work, statement->relation, statement->missing_ok, &alter.relation, error);
    if (failed)
        return failed;
    if (!alter.relation) {
        work_notice(work, SQLSTATE_OK, "relation \"%s\" does not exist, skipping",
                    statement->relation->relname);
        return SQLSTATE_OK;
    }
    if (statement->objtype == OBJECT_TABLE && alter.relation->kind == RELATION_COMPOSITE)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is a composite type",
                         alter.relation->name);
    foreach(cell, statement->cmds)
    {
        alter.command = lfirst(cell);
        failed = run(&alter, error);
        if (!failed)
            failed = look_again(&alter, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}
