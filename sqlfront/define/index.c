/* CREATE INDEX, and the indexes behind primary keys and unique constraints. */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/table.h"

#include <stdio.h>

#define METHOD_BTREE 403
#define METHOD_HASH  405

/* One column of an index. */
struct part {
    int16_t number; /* 0 = an expression */
    const char *name, *expression;
    const struct type *type;
    int32_t modifier;
    uint32_t collation, operator_class;
    int16_t option;
    const struct expression *bound;
};

struct draft {
    struct work *work;
    const struct index_make *make;
    const struct relation *relation;
    struct part *parts;
    uint32_t count, keys;
    uint32_t method;
};

static const struct column *column_named(const struct relation *relation, const char *name)
{
    for (uint32_t c = 0; c < relation->columns; c++)
        if (!relation->column[c].dropped && strcmp(relation->column[c].name, name) == 0)
            return &relation->column[c];
    return NULL;
}

/* ---- operator classes ---- */

/* The type whose class serves `type`: itself, or what its bytes are. */
static bool class_serves(const struct type *type, uint32_t input)
{
    if (input == type->oid)
        return true;
    if (input == TYPE_TEXT)
        return type->oid == TYPE_VARCHAR;
    if (input == TYPE_OID)
        return type->oid == TYPE_REGCLASS || type->oid == TYPE_REGTYPE || type->oid == TYPE_REGPROC ||
               type->oid == TYPE_REGROLE || type->oid == TYPE_REGNAMESPACE;
    if (input == TYPE_INET)
        return type->oid == TYPE_CIDR;
    if (input == TYPE_ANYARRAY)
        return type->category == 'A';
    if (input == TYPE_ANYENUM)
        return type->type_type == 'e';
    if (input == TYPE_RECORD)
        return type->type_type == 'c';
    return input == TYPE_ANYRANGE && type->type_type == 'r';
}

static enum sqlstate operator_class(struct draft *draft, const IndexElem *element, struct part *part,
                                    struct error *error)
{
    struct work *work = draft->work;
    struct tuples found;
    const char *schema, *name = NULL, *shown;
    struct tuple_match match = {PG_OPCLASS_OPCMETHOD, value_integer(draft->method)};
    if (element->opclass)
        name_of_list(element->opclass, &schema, &name);
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_OPCLASS, &match, 1, &found, error);
    bool named = false, exact = false;
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        uint32_t input = (uint32_t)row[PG_OPCLASS_OPCINTYPE].i;
        if (name ? strcmp(text_of(work->scope, &row[PG_OPCLASS_OPCNAME]), name) != 0
                 : !row[PG_OPCLASS_OPCDEFAULT].i)
            continue;
        named = true;
        if (!class_serves(part->type, input) || exact)
            continue;
        part->operator_class = (uint32_t)row[PG_OPCLASS_OID].i;
        exact = input == part->type->oid;
    }
    if (failed || part->operator_class)
        return failed;
    if ((failed = type_shown(work->view, work->scope, part->type->oid, -1, false, &shown, error)))
        return failed;
    if (name && !named)
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT,
                         "operator class \"%s\" does not exist for access method \"%s\"", name,
                         draft->make->method);
    if (name)
        return error_set(error, SQLSTATE_DATATYPE_MISMATCH,
                         "operator class \"%s\" does not accept data type %s", name, shown);
    failed = error_set(error, SQLSTATE_UNDEFINED_OBJECT,
                       "data type %s has no default operator class for access method \"%s\"", shown,
                       draft->make->method);
    error_add(
        error, ERROR_HINT,
        "You must specify an operator class for the index or define a default operator class for the data "
        "type.");
    return failed;
}

enum sqlstate operator_class_default(struct work *work, const struct type *type, uint32_t *class,
                                     struct error *error)
{
    const struct index_make make = {.method = "btree"};
    struct draft draft = {.work = work, .make = &make, .method = METHOD_BTREE};
    const IndexElem element = {.type = T_IndexElem};
    struct part part = {.type = type};
    enum sqlstate failed = operator_class(&draft, &element, &part, error);
    *class = part.operator_class;
    return failed;
}

/* ---- parts ---- */

static enum sqlstate part_column(struct draft *draft, const char *name, struct part *part,
                                 struct error *error)
{
    const struct column *column = column_named(draft->relation, name);
    if (!column && draft->make->constraint)
        return error_set(error, SQLSTATE_UNDEFINED_COLUMN, "column \"%s\" named in key does not exist", name);
    if (!column)
        return error_set(error, SQLSTATE_UNDEFINED_COLUMN, "column \"%s\" does not exist", name);
    part->number = column->number;
    part->name = column->name;
    part->type = column->type;
    part->modifier = column->modifier;
    part->collation = column->collation;
    return SQLSTATE_OK;
}

static enum sqlstate part_expression(struct draft *draft, const Node *tree, struct part *part,
                                     struct error *error)
{
    struct expression *bound;
    enum sqlstate failed =
        expression_store(draft->work, tree, draft->relation, NULL, -1, &part->expression, &bound, error);
    if (failed)
        return failed;
    if (expression_facts(bound) & (FACT_SUBQUERY | FACT_AGGREGATE | FACT_WINDOW | FACT_SET_CALL))
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot use subquery in index expression");
    if (expression_facts(bound) & (FACT_VOLATILE | FACT_STABLE))
        return error_set(error, SQLSTATE_INVALID_OBJECT_DEFINITION,
                         "functions in index expression must be marked IMMUTABLE");
    if (bound->kind == EXPRESSION_COLUMN)
        return part_column(draft, draft->relation->column[bound->number - 1].name, part, error);
    part->bound = bound;
    part->type = bound->type;
    part->modifier = bound->modifier;
    part->collation = bound->collation;
    return SQLSTATE_OK;
}

/* The column of an index that an expression becomes is called after its function, else "expr". */
static const char *expression_label(const Node *tree)
{
    while (tree && IsA(tree, TypeCast))
        tree = ((const TypeCast *)tree)->arg;
    if (tree && IsA(tree, FuncCall))
        return strVal(llast(((const FuncCall *)tree)->funcname));
    if (tree && IsA(tree, CoalesceExpr))
        return "coalesce";
    return "expr";
}

/* With a number where another column of the index has the name. */
static const char *name_in_index(struct draft *draft, const char *label)
{
    char *name = scope_alloc(draft->work->scope, NAME_BYTES_MAX + 1);
    for (uint32_t number = 0;; number++) {
        bool taken = false;
        snprintf(name, NAME_BYTES_MAX + 1, number ? "%.50s%u" : "%.63s", label, number);
        for (uint32_t i = 0; i + 1 < draft->count; i++)
            taken = taken || strcmp(draft->parts[i].name, name) == 0;
        if (!taken)
            return name;
    }
}

static enum sqlstate part_make(struct draft *draft, const IndexElem *element, bool key, struct error *error)
{
    struct part *part = &draft->parts[draft->count++];
    enum sqlstate failed = element->name ? part_column(draft, element->name, part, error)
                                         : part_expression(draft, element->expr, part, error);
    if (!failed && element->collation)
        failed = collation_of(draft->work, element->collation, part->type, &part->collation, error);
    if (failed || !key)
        return failed;
    if (!part->name)
        part->name = expression_label(element->expr);
    part->name = name_in_index(draft, part->name);
    if (element->ordering == SORTBY_DESC)
        part->option |= 1;
    if (element->nulls_ordering == SORTBY_NULLS_FIRST ||
        (element->nulls_ordering == SORTBY_NULLS_DEFAULT && part->option & 1))
        part->option |= 2;
    draft->keys++;
    return operator_class(draft, element, part, error);
}

static enum sqlstate parts_make(struct draft *draft, struct error *error)
{
    const struct index_make *make = draft->make;
    size_t room = (size_t)list_length(make->parameters) + (size_t)list_length(make->including) + 1;
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    draft->parts = scope_alloc_zeroed(draft->work->scope, room * sizeof *draft->parts);
    if (list_length(make->parameters) > KEY_COLUMNS_MAX)
        return error_set(error, SQLSTATE_TOO_MANY_COLUMNS, "cannot use more than %d columns in an index",
                         KEY_COLUMNS_MAX);
    foreach(cell, make->parameters) if (!failed) failed = part_make(draft, lfirst(cell), true, error);
    foreach(cell, make->including) if (!failed) failed = part_make(draft, lfirst(cell), false, error);
    return failed;
}

/* "t_a_b_idx": the columns' names, "expr" for expressions, one behind the other. */
static enum sqlstate choose_name(struct draft *draft, const char **name, struct error *error)
{
    struct text columns = text_in(draft->work->scope);
    const char *joined, *label = draft->make->primary ? "pkey" : draft->make->constraint ? "key" : "idx";
    for (uint32_t i = 0; i < draft->count && columns.size < NAME_BYTES_MAX; i++)
        text_format(&columns, "%s%s", i ? "_" : "", draft->parts[i].name);
    enum sqlstate failed = text_end(&columns, &joined, error);
    return failed ? failed
                  : name_choose(draft->work, draft->relation->name, draft->make->primary ? NULL : joined,
                                label, draft->relation->schema, draft->make->constraint, name, error);
}

/* ---- rows ---- */

static enum sqlstate index_row(struct draft *draft, uint32_t oid, const char *predicate, struct error *error)
{
    struct work *work = draft->work;
    const struct index_make *make = draft->make;
    struct value *values = tuple_make(work->scope, PG_INDEX);
    int64_t keys[KEY_COLUMNS_MAX * 64], collations[KEY_COLUMNS_MAX], classes[KEY_COLUMNS_MAX],
        options[KEY_COLUMNS_MAX];
    struct text expressions = text_in(work->scope);
    for (uint32_t i = 0; i < draft->count; i++) {
        keys[i] = draft->parts[i].number;
        if (i < draft->keys) {
            collations[i] = draft->parts[i].collation;
            classes[i] = draft->parts[i].operator_class;
            options[i] = draft->parts[i].option;
        }
        if (!draft->parts[i].number)
            text_format(&expressions, "%s%s", expressions.size ? (char[]){EXPRESSION_END, 0} : "",
                        draft->parts[i].expression);
    }
    values[PG_INDEX_INDEXRELID] = value_integer(oid);
    values[PG_INDEX_INDRELID] = value_integer(draft->relation->oid);
    values[PG_INDEX_INDNATTS] = value_integer(draft->count);
    values[PG_INDEX_INDNKEYATTS] = value_integer(draft->keys);
    values[PG_INDEX_INDISUNIQUE] = value_boolean(make->unique);
    values[PG_INDEX_INDNULLSNOTDISTINCT] = value_boolean(make->nulls_not_distinct);
    values[PG_INDEX_INDISPRIMARY] = value_boolean(make->primary);
    values[PG_INDEX_INDISEXCLUSION] = value_boolean(false);
    values[PG_INDEX_INDIMMEDIATE] = value_boolean(!make->deferrable);
    values[PG_INDEX_INDISCLUSTERED] = value_boolean(false);
    values[PG_INDEX_INDISVALID] = value_boolean(!make->concurrent);
    values[PG_INDEX_INDCHECKXMIN] = value_boolean(false);
    values[PG_INDEX_INDISREADY] = value_boolean(true);
    values[PG_INDEX_INDISLIVE] = value_boolean(true);
    values[PG_INDEX_INDISREPLIDENT] = value_boolean(false);
    const char *expression_texts;
    enum sqlstate failed = text_end(&expressions, &expression_texts, error);
    if (!failed && expressions.size)
        values[PG_INDEX_INDEXPRS] = tuple_text(work->scope, expression_texts);
    if (predicate)
        values[PG_INDEX_INDPRED] = tuple_text(work->scope, predicate);
    if (!failed)
        failed = list_make(work->scope, TYPE_INT2, true, keys, draft->count, &values[PG_INDEX_INDKEY], error);
    if (!failed)
        failed = list_make(work->scope, TYPE_OID, true, collations, draft->keys,
                           &values[PG_INDEX_INDCOLLATION], error);
    if (!failed)
        failed =
            list_make(work->scope, TYPE_OID, true, classes, draft->keys, &values[PG_INDEX_INDCLASS], error);
    if (!failed)
        failed =
            list_make(work->scope, TYPE_INT2, true, options, draft->keys, &values[PG_INDEX_INDOPTION], error);
    return failed ? failed : tuple_insert(&work->access, PG_INDEX, values, error);
}

static enum sqlstate constraint_row(struct draft *draft, const char *name, uint32_t index, uint32_t *oid,
                                    struct error *error)
{
    int16_t columns[KEY_COLUMNS_MAX];
    for (uint32_t i = 0; i < draft->keys; i++)
        columns[i] = draft->parts[i].number;
    const struct constraint constraint = {
        .name = name,
        .kind = draft->make->constraint,
        .deferrable = draft->make->deferrable,
        .deferred = draft->make->deferred,
        .validated = true,
        .no_inherit = true,
        .relation = draft->relation->oid,
        .index = index,
        .columns = draft->keys,
        .column = columns,
    };
    return constraint_insert(draft->work, draft->relation, &constraint, NULL, oid, error);
}

/* An index goes with the constraint it enforces, else with the columns it is on. */
static enum sqlstate depends(struct draft *draft, uint32_t oid, uint32_t constraint,
                             const struct expression *predicate, struct error *error)
{
    const struct object self = {PG_CLASS, oid, 0};
    struct work *work = draft->work;
    enum sqlstate failed = SQLSTATE_OK;
    if (constraint)
        return depend(work, self, (struct object){PG_CONSTRAINT, constraint, 0}, 'i', error);
    bool any = false;
    for (uint32_t i = 0; i < draft->count && !failed; i++)
        if (draft->parts[i].number) {
            failed =
                depend(work, self, (struct object){PG_CLASS, draft->relation->oid, draft->parts[i].number},
                       'a', error);
            any = true;
        } else {
            failed = depend_on_expression(work, self, draft->parts[i].bound, draft->relation, error);
        }
    if (!failed && predicate)
        failed = depend_on_expression(work, self, predicate, draft->relation, error);
    if (!failed && !any)
        failed = depend(work, self, (struct object){PG_CLASS, draft->relation->oid, 0}, 'a', error);
    return failed;
}

static enum sqlstate columns_rows(struct draft *draft, uint32_t oid, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < draft->count && !failed; i++) {
        const struct part *part = &draft->parts[i];
        const struct column_make column = {.name = part->name,
                                           .type = part->type,
                                           .modifier = part->modifier,
                                           .collation = part->collation,
                                           .of_index = true};
        failed = attribute_insert(draft->work, oid, (int16_t)(i + 1), &column, error);
    }
    return failed;
}

static enum sqlstate predicate_make(struct draft *draft, const char **text, struct expression **bound,
                                    struct error *error)
{
    *text = NULL;
    *bound = NULL;
    if (!draft->make->predicate)
        return SQLSTATE_OK;
    enum sqlstate failed = expression_store(draft->work, draft->make->predicate, draft->relation,
                                            type_builtin(TYPE_BOOL), -1, text, bound, error);
    if (!failed && expression_facts(*bound) & (FACT_VOLATILE | FACT_STABLE))
        failed = error_set(error, SQLSTATE_INVALID_OBJECT_DEFINITION,
                           "functions in index predicate must be marked IMMUTABLE");
    return failed;
}

enum sqlstate index_create(struct work *work, const struct index_make *make, uint32_t *oid,
                           uint32_t *constraint, struct error *error)
{
    struct draft draft = {.work = work, .make = make, .relation = make->relation, .method = METHOD_BTREE};
    const char *name = make->name, *predicate;
    struct expression *bound;
    uint32_t constraint_oid = 0;
    if (strcmp(make->method, "hash") == 0)
        draft.method = METHOD_HASH;
    else if (strcmp(make->method, "btree") != 0)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "access method \"%s\" is not supported",
                         make->method);
    enum sqlstate failed = parts_make(&draft, error);
    if (!failed)
        failed = predicate_make(&draft, &predicate, &bound, error);
    if (!failed && !name)
        failed = choose_name(&draft, &name, error);
    if (failed)
        return failed;
    const struct relation_make class = {.name = name,
                                        .schema = make->relation->schema,
                                        .kind = RELATION_INDEX,
                                        .persistence = make->relation->persistence,
                                        .owner = make->relation->owner,
                                        .method = draft.method,
                                        .no_file = make->primary && !make->deferrable,
                                        .attributes = draft.count};
    failed = relation_create(work, &class, oid, error);
    if (!failed)
        failed = columns_rows(&draft, *oid, error);
    if (!failed)
        failed = index_row(&draft, *oid, predicate, error);
    if (!failed && make->constraint)
        failed = constraint_row(&draft, name, *oid, &constraint_oid, error);
    if (!failed)
        failed = depends(&draft, *oid, constraint_oid, bound, error);
    if (!failed) {
        const int column = PG_CLASS_RELHASINDEX;
        const struct value yes = value_boolean(true);
        failed = class_set(work, make->relation->oid, &column, &yes, 1, error);
    }
    if (constraint)
        *constraint = constraint_oid;
    return failed ? failed : work_look_again(work, error);
}

enum sqlstate index_create_filled(struct work *work, const struct index_make *make, uint32_t *oid,
                                  uint32_t *constraint, struct error *error)
{
    const struct relation *before = make->relation, *after;
    enum sqlstate failed = index_create(work, make, oid, constraint, error);
    if (!failed)
        failed = catalog_relation_by_oid(work->view, before->oid, &after, error);
    if (failed)
        return failed;
    if (make->primary && !make->deferrable)
        return rows_rekey(work, before, error);
    for (uint32_t i = 0; i < after->indexes; i++)
        if (after->index[i]->oid == *oid)
            return index_fill(work, after, after->index[i], error);
    return error_set(error, SQLSTATE_INTERNAL_ERROR, "index %u is not there", *oid);
}

/* ---- CREATE INDEX ---- */

enum sqlstate index_from_statement(struct work *work, const IndexStmt *statement, bool concurrent,
                                   struct index_make *make, struct error *error)
{
    const struct relation *relation;
    *make = (struct index_make){0};
    enum sqlstate failed =
        relation_named(work, statement->relation,
                       concurrent ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_OBJECT_SHARE, false, &relation, error);
    if (failed)
        return failed;
    if (relation->kind != RELATION_TABLE) {
        failed = error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "cannot create index on relation \"%s\"",
                           relation->name);
        error_add(error, ERROR_DETAIL, "This operation is not supported for %ss.",
                  relation_kind_word(relation->kind));
        return failed;
    }
    if ((failed = relation_check_owned(work, relation, error)))
        return failed;
    if (statement->idxname) {
        struct tuple found;
        const struct tuple_match matches[] = {{PG_CLASS_RELNAME, value_text(statement->idxname)},
                                              {PG_CLASS_RELNAMESPACE, value_integer(relation->schema)}};
        failed = tuple_find(&work->access, work->scope, PG_CLASS, matches, 2, &found, error);
        if (failed)
            return failed;
        if (found.values && statement->if_not_exists) {
            work_notice(work, SQLSTATE_DUPLICATE_TABLE, "relation \"%s\" already exists, skipping",
                        statement->idxname);
            return SQLSTATE_OK;
        }
    }
    *make = (struct index_make){
        .name = statement->idxname,
        .method = statement->accessMethod ? statement->accessMethod : "btree",
        .relation = relation,
        .parameters = statement->indexParams,
        .including = statement->indexIncludingParams,
        .predicate = statement->whereClause,
        .unique = statement->unique,
        .nulls_not_distinct = statement->nulls_not_distinct,
        .concurrent = concurrent,
    };
    return SQLSTATE_OK;
}

enum sqlstate define_index(struct work *work, const IndexStmt *statement, struct error *error)
{
    struct index_make make;
    uint32_t oid;
    enum sqlstate failed = index_from_statement(work, statement, false, &make, error);
    return failed || !make.relation ? failed : index_create_filled(work, &make, &oid, NULL, error);
}
