/* Constraints: rows of pg_constraint, and what makes them hold (PostgreSQL manual, 5.4). */
#include "sqlfront/define/inside.h"

static const struct column *column_named(const struct relation *relation, const char *name)
{
    for (uint32_t c = 0; c < relation->columns; c++)
        if (!relation->column[c].dropped && strcmp(relation->column[c].name, name) == 0)
            return &relation->column[c];
    return NULL;
}

static enum sqlstate numbers_list(struct work *work, uint32_t element, const int64_t *numbers, uint32_t count,
                                  struct value *list, struct error *error)
{
    *list = value_null();
    return count ? list_make(work->scope, element, false, numbers, count, list, error) : SQLSTATE_OK;
}

static enum sqlstate lists_fill(struct work *work, const struct constraint *constraint, struct value *values,
                                struct error *error)
{
    int64_t keys[KEY_COLUMNS_MAX * 50], referenced[KEY_COLUMNS_MAX], operators[KEY_COLUMNS_MAX],
        own[KEY_COLUMNS_MAX], theirs[KEY_COLUMNS_MAX];
    bool foreign = constraint->kind == CONSTRAINT_FOREIGN;
    for (uint32_t i = 0; i < constraint->columns; i++)
        keys[i] = constraint->column[i];
    enum sqlstate failed =
        numbers_list(work, TYPE_INT2, keys, constraint->columns, &values[PG_CONSTRAINT_CONKEY], error);
    if (failed || !foreign)
        return failed;
    for (uint32_t i = 0; i < constraint->columns; i++) {
        referenced[i] = constraint->referenced_column[i];
        operators[i] = constraint->equality[i];
        const struct operator* equality = operator_builtin(constraint->equality[i]);
        const struct operator* left = equality ? catalog_comparison(equality->left, 3) : NULL;
        const struct operator* right = equality ? catalog_comparison(equality->right, 3) : NULL;
        theirs[i] = left ? left->oid : operators[i];
        own[i] = right ? right->oid : operators[i];
    }
    uint32_t count = constraint->columns;
    failed = numbers_list(work, TYPE_INT2, referenced, count, &values[PG_CONSTRAINT_CONFKEY], error);
    if (!failed)
        failed = numbers_list(work, TYPE_OID, operators, count, &values[PG_CONSTRAINT_CONPFEQOP], error);
    if (!failed)
        failed = numbers_list(work, TYPE_OID, theirs, count, &values[PG_CONSTRAINT_CONPPEQOP], error);
    if (!failed)
        failed = numbers_list(work, TYPE_OID, own, count, &values[PG_CONSTRAINT_CONFFEQOP], error);
    return failed;
}

static enum sqlstate depends(struct work *work, const struct relation *relation,
                             const struct constraint *constraint, const struct expression *check,
                             uint32_t oid, struct error *error)
{
    const struct object self = {PG_CONSTRAINT, oid, 0};
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < constraint->columns && !failed; i++)
        failed =
            depend(work, self, (struct object){PG_CLASS, relation->oid, constraint->column[i]}, 'a', error);
    if (!failed && !constraint->columns)
        failed = depend(work, self, (struct object){PG_CLASS, relation->oid, 0}, 'a', error);
    for (uint32_t i = 0; i < constraint->columns && !failed && constraint->kind == CONSTRAINT_FOREIGN; i++)
        failed = depend(work, self,
                        (struct object){PG_CLASS, constraint->referenced, constraint->referenced_column[i]},
                        'n', error);
    if (!failed && constraint->kind == CONSTRAINT_FOREIGN)
        failed = depend(work, self, (struct object){PG_CLASS, constraint->index, 0}, 'n', error);
    if (!failed && check)
        failed = depend_on_expression(work, self, check, relation, error);
    return failed;
}

enum sqlstate constraint_insert(struct work *work, const struct relation *relation,
                                const struct constraint *constraint, const struct expression *check,
                                uint32_t *oid, struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_CONSTRAINT);
    struct tuple found;
    bool foreign = constraint->kind == CONSTRAINT_FOREIGN;
    const struct tuple_match matches[] = {{PG_CONSTRAINT_CONRELID, value_integer(relation->oid)},
                                          {PG_CONSTRAINT_CONTYPID, value_integer(0)},
                                          {PG_CONSTRAINT_CONNAME, value_text(constraint->name)}};
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_CONSTRAINT, matches, 3, &found, error);
    if (!failed && found.values)
        failed = error_set(error, SQLSTATE_DUPLICATE_OBJECT,
                           "constraint \"%s\" for relation \"%s\" already exists", constraint->name,
                           relation->name);
    if (!failed)
        failed = catalog_new_oid(work->request->catalog, oid, error);
    if (failed)
        return failed;
    values[PG_CONSTRAINT_OID] = value_integer(*oid);
    values[PG_CONSTRAINT_CONNAME] = tuple_text(work->scope, constraint->name);
    values[PG_CONSTRAINT_CONNAMESPACE] = value_integer(relation->schema);
    values[PG_CONSTRAINT_CONTYPE] = value_integer(constraint->kind);
    values[PG_CONSTRAINT_CONDEFERRABLE] = value_boolean(constraint->deferrable);
    values[PG_CONSTRAINT_CONDEFERRED] = value_boolean(constraint->deferred);
    values[PG_CONSTRAINT_CONVALIDATED] = value_boolean(constraint->validated);
    values[PG_CONSTRAINT_CONRELID] = value_integer(relation->oid);
    values[PG_CONSTRAINT_CONTYPID] = value_integer(0);
    values[PG_CONSTRAINT_CONINDID] = value_integer(constraint->index);
    values[PG_CONSTRAINT_CONPARENTID] = value_integer(0);
    values[PG_CONSTRAINT_CONFRELID] = value_integer(constraint->referenced);
    values[PG_CONSTRAINT_CONFUPDTYPE] = value_integer(foreign ? constraint->on_update : ' ');
    values[PG_CONSTRAINT_CONFDELTYPE] = value_integer(foreign ? constraint->on_delete : ' ');
    values[PG_CONSTRAINT_CONFMATCHTYPE] = value_integer(foreign ? constraint->match : ' ');
    values[PG_CONSTRAINT_CONISLOCAL] = value_boolean(true);
    values[PG_CONSTRAINT_CONINHCOUNT] = value_integer(0);
    values[PG_CONSTRAINT_CONNOINHERIT] = value_boolean(constraint->no_inherit);
    if (constraint->check_text)
        values[PG_CONSTRAINT_CONBIN] = tuple_text(work->scope, constraint->check_text);
    failed = lists_fill(work, constraint, values, error);
    if (!failed)
        failed = tuple_insert(&work->access, PG_CONSTRAINT, values, error);
    return failed ? failed : depends(work, relation, constraint, check, *oid, error);
}

/* ---- CHECK ---- */

struct used {
    int16_t column[COLUMNS_MAX];
    uint32_t count;
};

static void note_columns(void *argument, struct expression *expression)
{
    struct used *used = argument;
    if (!expression)
        return;
    if (expression->kind == EXPRESSION_COLUMN && expression->level == 0) {
        for (uint32_t i = 0; i < used->count; i++)
            if (used->column[i] == expression->number)
                return;
        if (used->count < COLUMNS_MAX)
            used->column[used->count++] = (int16_t)expression->number;
    }
    expression_children(expression, note_columns, used);
}

struct violated {
    const char *constraint;
    const struct relation *relation;
};

static enum sqlstate check_violated(void *argument, struct error *error)
{
    const struct violated *violated = argument;
    enum sqlstate failed = error_set(error, SQLSTATE_CHECK_VIOLATION,
                                     "check constraint \"%s\" of relation \"%s\" is violated by some row",
                                     violated->constraint, violated->relation->name);
    error_add(error, ERROR_SCHEMA, "%s", violated->relation->schema_name);
    error_add(error, ERROR_TABLE, "%s", violated->relation->name);
    error_add(error, ERROR_CONSTRAINT, "%s", violated->constraint);
    return failed;
}

enum sqlstate check_rows(struct work *work, const struct relation *relation, const char *name,
                         struct expression *condition, struct error *error)
{
    struct violated violated = {name, relation};
    return rows_check(work, relation, condition, check_violated, &violated, error);
}

static enum sqlstate add_check(struct work *work, const struct relation *relation, const Constraint *tree,
                               bool validate, struct error *error)
{
    struct expression *bound;
    struct used *used = scope_alloc_zeroed(work->scope, sizeof *used);
    struct constraint constraint = {.name = tree->conname,
                                    .kind = CONSTRAINT_CHECK,
                                    .validated = !validate || !tree->skip_validation,
                                    .no_inherit = tree->is_no_inherit,
                                    .relation = relation->oid};
    uint32_t oid;
    enum sqlstate failed = expression_store(work, tree->raw_expr, relation, type_builtin(TYPE_BOOL), -1,
                                            &constraint.check_text, &bound, error);
    if (failed)
        return failed;
    if (expression_facts(bound) & FACT_SUBQUERY)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot use subquery in check constraint");
    if (expression_facts(bound) & FACT_AGGREGATE)
        return error_set(error, SQLSTATE_GROUPING_ERROR,
                         "aggregate functions are not allowed in check constraints");
    note_columns(used, bound);
    constraint.columns = used->count;
    constraint.column = used->column;
    const char *second =
        used->count == 1 && used->column[0] > 0 ? relation->column[used->column[0] - 1].name : NULL;
    if (!constraint.name)
        failed = name_choose(work, relation->name, second, "check", relation->schema, true, &constraint.name,
                             error);
    if (!failed && validate && constraint.validated)
        failed = check_rows(work, relation, constraint.name, bound, error);
    if (!failed)
        failed = constraint_insert(work, relation, &constraint, bound, &oid, error);
    if (failed)
        return failed;
    struct tuple class;
    const int column = PG_CLASS_RELCHECKS;
    transaction_statement(work->access.transaction);
    failed = tuple_by_oid(&work->access, work->scope, PG_CLASS, relation->oid, &class, error);
    if (failed)
        return failed;
    const struct value checks = value_integer(class.values[PG_CLASS_RELCHECKS].i + 1);
    return class_set(work, relation->oid, &column, &checks, 1, error);
}

/* ---- PRIMARY KEY, UNIQUE ---- */

static enum sqlstate set_not_null(struct work *work, const struct relation *relation, const List *keys,
                                  bool validate, struct error *error)
{
    const int column = PG_ATTRIBUTE_ATTNOTNULL;
    const struct value yes = value_boolean(true);
    ListCell *cell;
    foreach(cell, keys)
    {
        const struct column *found = column_named(relation, strVal(lfirst(cell)));
        if (!found)
            return error_set(error, SQLSTATE_UNDEFINED_COLUMN, "column \"%s\" named in key does not exist",
                             strVal(lfirst(cell)));
        enum sqlstate failed = SQLSTATE_OK;
        if (!found->not_null && validate)
            failed = column_check_not_null(work, relation, found, error);
        if (!failed && !found->not_null)
            failed = attribute_set(work, relation->oid, found->number, &column, &yes, 1, error);
        if (failed)
            return failed;
    }
    return work_look_again(work, error);
}

static List *elements_of(struct work *work, const List *keys)
{
    List *list = scope_alloc_zeroed(work->scope, sizeof *list);
    int count = list_length(keys);
    list->type = T_List;
    list->length = list->max_length = count;
    list->elements = scope_alloc_zeroed(work->scope, ((size_t)count + 1) * sizeof *list->elements);
    for (int i = 0; i < count; i++) {
        IndexElem *element = scope_alloc_zeroed(work->scope, sizeof *element);
        element->type = T_IndexElem;
        element->name = strVal(list_nth(keys, i));
        list->elements[i].ptr_value = element;
    }
    return list;
}

static enum sqlstate add_key(struct work *work, const struct relation *relation, const Constraint *tree,
                             bool validate, struct error *error)
{
    bool primary = tree->contype == CONSTR_PRIMARY;
    uint32_t index, constraint;
    enum sqlstate failed = SQLSTATE_OK;
    if (tree->indexname)
        return not_supported(error, "ADD CONSTRAINT ... USING INDEX");
    for (uint32_t i = 0; i < relation->indexes && primary; i++)
        if (relation->index[i]->primary)
            return error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION,
                             "multiple primary keys for table \"%s\" are not allowed", relation->name);
    for (int i = 0; i < list_length(tree->keys); i++)
        for (int k = 0; k < i; k++)
            if (strcmp(strVal(list_nth(tree->keys, i)), strVal(list_nth(tree->keys, k))) == 0)
                return error_set(error, SQLSTATE_DUPLICATE_COLUMN,
                                 "column \"%s\" appears twice in %s constraint",
                                 strVal(list_nth(tree->keys, i)), primary ? "primary key" : "unique");
    if (primary)
        failed = set_not_null(work, relation, tree->keys, validate, error);
    if (!failed && primary)
        failed = catalog_relation_by_oid(work->view, relation->oid, &relation, error);
    if (failed)
        return failed;
    const struct index_make make = {
        .name = tree->conname,
        .method = "btree",
        .relation = relation,
        .parameters = elements_of(work, tree->keys),
        .including = tree->including ? elements_of(work, tree->including) : NULL,
        .unique = true,
        .primary = primary,
        .deferrable = tree->deferrable,
        .deferred = tree->initdeferred,
        .nulls_not_distinct = tree->nulls_not_distinct,
        .constraint = primary ? CONSTRAINT_PRIMARY : CONSTRAINT_UNIQUE,
    };
    return validate ? index_create_filled(work, &make, &index, &constraint, error)
                    : index_create(work, &make, &index, &constraint, error);
}

/* ---- FOREIGN KEY ---- */

struct foreign {
    struct work *work;
    const struct relation *relation, *referenced;
    const Constraint *tree;
    struct constraint constraint;
    int16_t own[KEY_COLUMNS_MAX], theirs[KEY_COLUMNS_MAX];
    uint32_t equality[KEY_COLUMNS_MAX];
    uint32_t referenced_count;
};

static enum sqlstate columns_of(const struct relation *relation, const List *names, int16_t *numbers,
                                uint32_t *count, struct error *error)
{
    ListCell *cell;
    *count = 0;
    if (list_length(names) > KEY_COLUMNS_MAX)
        return error_set(error, SQLSTATE_TOO_MANY_COLUMNS, "cannot have more than %d keys in a foreign key",
                         KEY_COLUMNS_MAX);
    foreach(cell, names)
    {
        const struct column *column = column_named(relation, strVal(lfirst(cell)));
        if (!column)
            return error_set(error, SQLSTATE_UNDEFINED_COLUMN,
                             "column \"%s\" referenced in foreign key constraint does not exist",
                             strVal(lfirst(cell)));
        numbers[(*count)++] = column->number;
    }
    return SQLSTATE_OK;
}

/* The primary key's columns, when the statement names none. */
static enum sqlstate referenced_primary(struct foreign *foreign, struct error *error)
{
    for (uint32_t i = 0; i < foreign->referenced->indexes; i++) {
        const struct index *index = foreign->referenced->index[i];
        if (!index->primary)
            continue;
        if (!index->immediate)
            return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                             "cannot use a deferrable primary key for referenced table \"%s\"",
                             foreign->referenced->name);
        foreign->constraint.index = index->oid;
        foreign->referenced_count = index->key_columns;
        memcpy(foreign->theirs, index->column, index->key_columns * sizeof *foreign->theirs);
        return SQLSTATE_OK;
    }
    return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "there is no primary key for referenced table \"%s\"",
                     foreign->referenced->name);
}

static bool same_set(const struct index *index, const int16_t *columns, uint32_t count)
{
    if (index->key_columns != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < count; k++)
            found = found || index->column[k] == columns[i];
        if (!found)
            return false;
    }
    return true;
}

static enum sqlstate referenced_unique(struct foreign *foreign, struct error *error)
{
    bool deferrable = false;
    for (uint32_t i = 0; i < foreign->referenced->indexes; i++) {
        const struct index *index = foreign->referenced->index[i];
        if (index->unique && index->valid && !index->predicate_text && !index->expressions &&
            same_set(index, foreign->theirs, foreign->referenced_count)) {
            deferrable |= !index->immediate;
            if (!index->immediate)
                continue;
            foreign->constraint.index = index->oid;
            return SQLSTATE_OK;
        }
    }
    if (deferrable)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "cannot use a deferrable unique constraint for referenced table \"%s\"",
                         foreign->referenced->name);
    return error_set(error, SQLSTATE_INVALID_FOREIGN_KEY,
                     "there is no unique constraint matching given keys for referenced table \"%s\"",
                     foreign->referenced->name);
}

/* The operator that compares the referenced column with ours: of both types, or of the referenced one alone. */
static enum sqlstate equalities(struct foreign *foreign, struct error *error)
{
    struct work *work = foreign->work;
    for (uint32_t i = 0; i < foreign->constraint.columns; i++) {
        const struct column *own = &foreign->relation->column[foreign->own[i] - 1];
        const struct column *theirs = &foreign->referenced->column[foreign->theirs[i] - 1];
        const struct operator* const * found;
        uint32_t count;
        enum sqlstate failed =
            catalog_operators(work->view, work->scope, "pg_catalog", "=", &found, &count, error);
        if (failed)
            return failed;
        for (uint32_t k = 0; k < count; k++)
            if (found[k]->left == theirs->type->oid && found[k]->right == own->type->oid)
                foreign->equality[i] = found[k]->oid;
        const struct operator* same = catalog_comparison(
            theirs->type->type_type == 'e' ? (uint32_t)TYPE_ANYENUM : theirs->type->oid, 3);
        const struct cast *cast = catalog_cast(own->type->oid, theirs->type->oid);
        if (!foreign->equality[i] && same && (own->type == theirs->type || (cast && cast->context == 'i')))
            foreign->equality[i] = same->oid;
        const struct operator* own_same = catalog_comparison(own->type->oid, 3);
        if (!foreign->equality[i] && same && own_same && same == own_same) /* varchar and text */
            foreign->equality[i] = same->oid;
        if (foreign->equality[i])
            continue;
        const char *own_type, *their_type;
        if ((failed = type_shown(work->view, work->scope, own->type->oid, own->modifier, true, &own_type,
                                 error)) ||
            (failed = type_shown(work->view, work->scope, theirs->type->oid, theirs->modifier, true,
                                 &their_type, error)))
            return failed;
        failed = error_set(error, SQLSTATE_DATATYPE_MISMATCH,
                           "foreign key constraint \"%s\" cannot be implemented", foreign->constraint.name);
        error_add(error, ERROR_DETAIL, "Key columns \"%s\" and \"%s\" are of incompatible types: %s and %s.",
                  own->name, theirs->name, own_type, their_type);
        return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate foreign_name(struct foreign *foreign, struct error *error)
{
    struct text columns = text_in(foreign->work->scope);
    const char *joined;
    foreign->constraint.name = foreign->tree->conname;
    if (foreign->constraint.name)
        return SQLSTATE_OK;
    for (uint32_t i = 0; i < foreign->constraint.columns; i++)
        text_format(&columns, "%s%s", i ? "_" : "", foreign->relation->column[foreign->own[i] - 1].name);
    enum sqlstate failed = text_end(&columns, &joined, error);
    return failed ? failed
                  : name_choose(foreign->work, foreign->relation->name, joined, "fkey",
                                foreign->relation->schema, true, &foreign->constraint.name, error);
}

static enum sqlstate has_triggers(struct work *work, uint32_t relation, struct error *error)
{
    /* psql looks for foreign keys only where PostgreSQL keeps its triggers for them */
    const int column = PG_CLASS_RELHASTRIGGERS;
    const struct value yes = value_boolean(true);
    return class_set(work, relation, &column, &yes, 1, error);
}

static enum sqlstate add_foreign(struct work *work, const struct relation *relation, const Constraint *tree,
                                 bool validate, struct error *error)
{
    struct foreign foreign = {.work = work, .relation = relation, .tree = tree};
    uint32_t oid;
    enum sqlstate failed =
        relation_named(work, tree->pktable, LOCK_SHARE_ROW_EXCLUSIVE, false, &foreign.referenced, error);
    if (failed)
        return failed;
    if (foreign.referenced->kind != RELATION_TABLE)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "referenced relation \"%s\" is not a table",
                         foreign.referenced->name);
    if (foreign.referenced->persistence == 'p' ? relation->persistence == 't'
                                               : foreign.referenced->persistence != relation->persistence)
        return error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION,
                         relation->persistence == 't'
                             ? "constraints on temporary tables may reference only temporary tables"
                             : "constraints on permanent tables may reference only permanent tables");
    failed = catalog_check_relation(work->view, 0, foreign.referenced, PRIVILEGE_REFERENCES, NULL, 0, error);
    if (!failed)
        failed = columns_of(relation, tree->fk_attrs, foreign.own, &foreign.constraint.columns, error);
    if (!failed && !tree->pk_attrs)
        failed = referenced_primary(&foreign, error);
    else if (!failed && !(failed = columns_of(foreign.referenced, tree->pk_attrs, foreign.theirs,
                                              &foreign.referenced_count, error)))
        failed = referenced_unique(&foreign, error);
    if (!failed && foreign.referenced_count != foreign.constraint.columns)
        failed = error_set(error, SQLSTATE_INVALID_FOREIGN_KEY,
                           "number of referencing and referenced columns for foreign key disagree");
    if (!failed)
        failed = foreign_name(&foreign, error);
    if (!failed)
        failed = equalities(&foreign, error);
    if (failed)
        return failed;
    struct constraint *constraint = &foreign.constraint;
    constraint->kind = CONSTRAINT_FOREIGN;
    constraint->deferrable = tree->deferrable;
    constraint->deferred = tree->initdeferred;
    constraint->validated = !validate || !tree->skip_validation; /* a new table has no rows */
    constraint->no_inherit = true;
    constraint->relation = relation->oid;
    constraint->column = foreign.own;
    constraint->referenced = foreign.referenced->oid;
    constraint->referenced_column = foreign.theirs;
    constraint->equality = foreign.equality;
    constraint->match = tree->fk_matchtype ? tree->fk_matchtype : 's';
    constraint->on_update = tree->fk_upd_action ? tree->fk_upd_action : 'a';
    constraint->on_delete = tree->fk_del_action ? tree->fk_del_action : 'a';
    if (constraint->match == 'p')
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "MATCH PARTIAL not yet implemented");
    if (tree->fk_del_set_cols)
        return not_supported(error, "ON DELETE SET with a list of columns");
    if (validate && constraint->validated)
        failed = rows_check_references(work, relation, foreign.referenced, constraint, error);
    if (!failed)
        failed = constraint_insert(work, relation, constraint, NULL, &oid, error);
    if (!failed)
        failed = has_triggers(work, relation->oid, error);
    if (!failed)
        failed = has_triggers(work, foreign.referenced->oid, error);
    return failed;
}

enum sqlstate constraint_add(struct work *work, const struct relation *relation, const Constraint *constraint,
                             bool validate, struct error *error)
{
    enum sqlstate failed;
    switch (constraint->contype) {
    case CONSTR_CHECK:
        failed = add_check(work, relation, constraint, validate, error);
        break;
    case CONSTR_PRIMARY:
    case CONSTR_UNIQUE:
        failed = add_key(work, relation, constraint, validate, error);
        break;
    case CONSTR_FOREIGN:
        failed = add_foreign(work, relation, constraint, validate, error);
        break;
    case CONSTR_EXCLUSION:
        return not_supported(error, "an exclusion constraint");
    default:
        return not_supported(error, "this kind of constraint");
    }
    return failed ? failed : work_look_again(work, error);
}
