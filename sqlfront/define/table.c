/* CREATE TABLE and CREATE TABLE AS.
 *
 * Columns first, then, over the table that is there, defaults, checks, keys and foreign keys, in PostgreSQL's order, so that
 * names chosen for them are the same. */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/table.h"

#include <stdio.h>

/* ---- columns ---- */

static const struct {
    const char *name;
    uint32_t type;
} serials[] = {
    {"serial", TYPE_INT4},  {"serial4", TYPE_INT4},     {"bigserial", TYPE_INT8},
    {"serial8", TYPE_INT8}, {"smallserial", TYPE_INT2}, {"serial2", TYPE_INT2},
};

static uint32_t serial_type(const TypeName *name)
{
    if (list_length(name->names) != 1 || name->arrayBounds || name->pct_type)
        return 0;
    for (size_t i = 0; i < sizeof serials / sizeof *serials; i++)
        if (strcmp(strVal(linitial(name->names)), serials[i].name) == 0)
            return serials[i].type;
    return 0;
}

/* A constraint of the table that comes later, in the order it was written. */
void later_add(struct work *work, struct later *later, const Constraint *constraint)
{
    const Constraint **list = scope_alloc(work->scope, (later->count + 1) * sizeof(Constraint *));
    if (later->count)
        memcpy(list, later->constraint, later->count * sizeof(Constraint *));
    list[later->count++] = constraint;
    later->constraint = list;
}

static List *one_name(struct work *work, const char *name)
{
    String *word = scope_alloc_zeroed(work->scope, sizeof *word);
    List *list = scope_alloc_zeroed(work->scope, sizeof *list);
    word->type = T_String;
    word->sval = (char *)name;
    list->type = T_List;
    list->length = list->max_length = 1;
    list->elements = scope_alloc_zeroed(work->scope, sizeof *list->elements);
    list->elements[0].ptr_value = word;
    return list;
}

static bool takes_attributes(const Constraint *constraint)
{
    return constraint && (constraint->contype == CONSTR_PRIMARY || constraint->contype == CONSTR_UNIQUE ||
                          constraint->contype == CONSTR_FOREIGN);
}

/* DEFERRABLE and INITIALLY DEFERRED stand behind the constraint they belong to. */
static enum sqlstate attribute(Constraint *last, const Constraint *constraint, struct error *error)
{
    if (!takes_attributes(last))
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "misplaced %s clause",
                         constraint->contype == CONSTR_ATTR_DEFERRABLE       ? "DEFERRABLE"
                         : constraint->contype == CONSTR_ATTR_NOT_DEFERRABLE ? "NOT DEFERRABLE"
                         : constraint->contype == CONSTR_ATTR_DEFERRED       ? "INITIALLY DEFERRED"
                                                                             : "INITIALLY IMMEDIATE");
    switch (constraint->contype) {
    case CONSTR_ATTR_DEFERRABLE:
        last->deferrable = true;
        break;
    case CONSTR_ATTR_DEFERRED:
        last->deferrable = last->initdeferred = true;
        break;
    case CONSTR_ATTR_IMMEDIATE:
        last->initdeferred = false;
        break;
    default:
        last->deferrable = false;
    }
    return SQLSTATE_OK;
}

struct column_plan *plan_add(struct work *work, struct table_plan *plan)
{
    if (plan->count == plan->room) {
        uint32_t room = plan->room ? 2 * plan->room : 16;
        struct column_plan *columns = scope_alloc_zeroed(work->scope, room * sizeof *columns);
        if (plan->count)
            memcpy(columns, plan->column, plan->count * sizeof *columns);
        plan->column = columns;
        plan->room = room;
    }
    struct column_plan *column = &plan->column[plan->count++];
    *column = (struct column_plan){.make.modifier = -1};
    return column;
}

static enum sqlstate read_constraint(struct work *work, struct table_plan *plan, struct column_plan *column,
                                     const Constraint *constraint, Constraint **last, struct error *error)
{
    Constraint *copy = scope_copy(work->scope, constraint, sizeof *constraint);
    *last = takes_attributes(copy) ? copy : NULL;
    switch (constraint->contype) {
    case CONSTR_NOTNULL:
        if (column->null_given)
            return error_set(error, SQLSTATE_SYNTAX_ERROR,
                             "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"",
                             column->make.name, plan->name);
        column->make.not_null = true;
        column->not_null_given = true;
        return SQLSTATE_OK;
    case CONSTR_NULL:
        if (column->not_null_given)
            return error_set(error, SQLSTATE_SYNTAX_ERROR,
                             "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"",
                             column->make.name, plan->name);
        column->null_given = true;
        return SQLSTATE_OK;
    case CONSTR_DEFAULT:
        if (column->make.default_tree || column->serial)
            return error_set(error, SQLSTATE_SYNTAX_ERROR,
                             "multiple default values specified for column \"%s\" of table \"%s\"",
                             column->make.name, plan->name);
        column->make.default_tree = constraint->raw_expr;
        return SQLSTATE_OK;
    case CONSTR_IDENTITY:
        if (column->make.identity)
            return error_set(error, SQLSTATE_SYNTAX_ERROR,
                             "multiple identity specifications for column \"%s\" of table \"%s\"",
                             column->make.name, plan->name);
        column->make.identity = constraint->generated_when;
        column->make.not_null = true;
        column->sequence_options = constraint->options;
        return SQLSTATE_OK;
    case CONSTR_GENERATED:
        if (column->make.generated)
            return error_set(error, SQLSTATE_SYNTAX_ERROR,
                             "multiple generation clauses specified for column \"%s\" of table \"%s\"",
                             column->make.name, plan->name);
        column->make.generated = 's';
        column->make.default_tree = constraint->raw_expr;
        return SQLSTATE_OK;
    case CONSTR_CHECK:
        later_add(work, &plan->checks, copy);
        return SQLSTATE_OK;
    case CONSTR_PRIMARY:
    case CONSTR_UNIQUE:
        copy->keys = one_name(work, column->make.name);
        later_add(work, &plan->keys, copy);
        return SQLSTATE_OK;
    case CONSTR_FOREIGN:
        copy->fk_attrs = one_name(work, column->make.name);
        later_add(work, &plan->foreign, copy);
        return SQLSTATE_OK;
    default:
        return not_supported(error, "this kind of constraint");
    }
}

static enum sqlstate check_defaults(const struct table_plan *plan, const struct column_plan *column,
                                    struct error *error)
{
    const char *what = NULL;
    if (column->make.identity && column->make.default_tree && !column->make.generated)
        what = "both default and identity";
    if (column->make.identity && column->make.generated)
        what = "both identity and generation expression";
    if (column->serial && column->make.identity)
        what = "both default and identity";
    if (what)
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "%s specified for column \"%s\" of table \"%s\"", what,
                         column->make.name, plan->name);
    if (column->make.identity && column->make.type->oid != TYPE_INT2 && column->make.type->oid != TYPE_INT4 &&
        column->make.type->oid != TYPE_INT8)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "identity column type must be smallint, integer, or bigint");
    return SQLSTATE_OK;
}

uint32_t collation_shown(const struct expression *expression, const struct type *type)
{
    if (!type_is_collatable(type))
        return 0;
    return expression->collation ? expression->collation : COLLATION_DEFAULT;
}

enum sqlstate collation_of(struct work *work, const List *names, const struct type *type, uint32_t *collation,
                           struct error *error)
{
    *collation = !type_is_collatable(type) ? 0 : type->oid == TYPE_NAME ? COLLATION_C : COLLATION_DEFAULT;
    if (!names)
        return SQLSTATE_OK;
    const char *schema, *name, *shown;
    struct tuple found;
    name_of_list(names, &schema, &name);
    enum sqlstate failed;
    if (!*collation) {
        failed = type_shown(work->view, work->scope, type->oid, -1, false, &shown, error);
        return failed ? failed
                      : error_set(error, SQLSTATE_DATATYPE_MISMATCH,
                                  "collations are not supported by type %s", shown);
    }
    struct tuple_match match = {PG_COLLATION_COLLNAME, value_text(name)};
    failed = tuple_find(&work->access, work->scope, PG_COLLATION, &match, 1, &found, error);
    if (!failed && !found.values)
        failed = error_set(error, SQLSTATE_UNDEFINED_OBJECT,
                           "collation \"%s\" for encoding \"UTF8\" does not exist", name);
    if (!failed)
        *collation = (uint32_t)found.values[PG_COLLATION_OID].i;
    return failed;
}

bool type_is_collatable(const struct type *type)
{
    return type->category == 'S' || type->element == TYPE_TEXT || type->element == TYPE_VARCHAR ||
           type->element == TYPE_BPCHAR;
}

enum sqlstate column_plan_make(struct work *work, struct table_plan *plan, const ColumnDef *definition,
                               struct error *error)
{
    struct binder_request binder = work_binder(work);
    struct column_plan *column = plan_add(work, plan);
    Constraint *last = NULL;
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    column->make.name = definition->colname;
    column->make.not_null = definition->is_not_null;
    for (uint32_t c = 0; c + 1 < plan->count; c++)
        if (strcmp(plan->column[c].make.name, definition->colname) == 0)
            return error_set(error, SQLSTATE_DUPLICATE_COLUMN, "column \"%s\" specified more than once",
                             definition->colname);
    uint32_t serial = serial_type(definition->typeName);
    if (serial) {
        column->make.type = type_builtin(serial);
        column->make.not_null = true;
        column->serial = true;
    } else {
        failed = bind_type(&binder, definition->typeName, &column->make.type, &column->make.modifier, error);
    }
    if (!failed && column->make.type->type_type == 'p')
        failed = error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION, "column \"%s\" has pseudo-type %s",
                           definition->colname, column->make.type->name);
    if (!failed)
        failed = collation_of(work, definition->collClause ? definition->collClause->collname : NULL,
                              column->make.type, &column->make.collation, error);
    foreach(cell, definition->constraints)
    {
        const Constraint *constraint = lfirst(cell);
        if (failed)
            return failed;
        if (constraint->contype == CONSTR_ATTR_DEFERRABLE ||
            constraint->contype == CONSTR_ATTR_NOT_DEFERRABLE ||
            constraint->contype == CONSTR_ATTR_DEFERRED || constraint->contype == CONSTR_ATTR_IMMEDIATE)
            failed = attribute(last, constraint, error);
        else
            failed = read_constraint(work, plan, column, constraint, &last, error);
    }
    return failed ? failed : check_defaults(plan, column, error);
}

/* ---- LIKE ---- */

static enum sqlstate copy_columns(struct work *work, struct table_plan *plan, const struct relation *source,
                                  uint32_t options, struct error *error)
{
    for (uint32_t c = 0; c < source->columns; c++) {
        const struct column *from = &source->column[c];
        if (from->dropped)
            continue;
        for (uint32_t k = 0; k < plan->count; k++)
            if (strcmp(plan->column[k].make.name, from->name) == 0)
                return error_set(error, SQLSTATE_DUPLICATE_COLUMN, "column \"%s\" specified more than once",
                                 from->name);
        struct column_plan *column = plan_add(work, plan);
        column->make = (struct column_make){.name = from->name,
                                            .type = from->type,
                                            .modifier = from->modifier,
                                            .collation = from->collation,
                                            .not_null = from->not_null};
        if (from->default_text && !from->generated && !from->identity && options & CREATE_TABLE_LIKE_DEFAULTS)
            column->make.default_text = from->default_text;
        if (from->generated && options & CREATE_TABLE_LIKE_GENERATED) {
            column->make.default_text = from->default_text;
            column->make.generated = from->generated;
        }
        if (from->identity && options & CREATE_TABLE_LIKE_IDENTITY)
            column->make.identity = from->identity;
    }
    return SQLSTATE_OK;
}

static enum sqlstate like(struct work *work, struct table_plan *plan, const TableLikeClause *clause,
                          struct error *error)
{
    const struct relation *source;
    enum sqlstate failed = relation_named(work, clause->relation, LOCK_ACCESS_SHARE, false, &source, error);
    if (failed)
        return failed;
    if (source->kind == RELATION_INDEX || source->kind == RELATION_SEQUENCE)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "relation \"%s\" is invalid in LIKE clause",
                         source->name);
    struct like_source *sources = scope_alloc(work->scope, (plan->likes + 1) * sizeof *sources);
    if (plan->likes)
        memcpy(sources, plan->like, plan->likes * sizeof *sources);
    sources[plan->likes++] = (struct like_source){source, clause->options};
    plan->like = sources;
    failed = catalog_check_relation(work->view, 0, source, PRIVILEGE_SELECT, NULL, 0, error);
    return failed ? failed : copy_columns(work, plan, source, clause->options, error);
}

static int16_t same_column(const struct relation *relation, const struct relation *source, int16_t number)
{
    for (uint32_t c = 0; c < relation->columns && number > 0; c++)
        if (strcmp(relation->column[c].name, source->column[number - 1].name) == 0)
            return relation->column[c].number;
    return 0;
}

/* Checks and indexes of a LIKE's source, made again over the new table from their texts. */
static enum sqlstate like_checks(struct work *work, const struct relation *relation,
                                 const struct relation *source, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < source->constraints && !failed; i++) {
        const struct constraint *check = &source->constraint[i];
        Constraint tree = {.type = T_Constraint, .contype = CONSTR_CHECK, .initially_valid = true};
        if (check->kind != CONSTRAINT_CHECK)
            continue;
        tree.conname = (char *)check->name;
        failed = expression_tree(work, check->check_text, &tree.raw_expr, error);
        if (!failed)
            failed = constraint_add(work, relation, &tree, false, error);
        if (!failed)
            failed = catalog_relation_by_oid(work->view, relation->oid, &relation, error);
    }
    return failed;
}

static enum sqlstate like_index(struct work *work, const struct relation *relation,
                                const struct relation *source, const struct index *index, struct error *error)
{
    List *elements = scope_alloc_zeroed(work->scope, sizeof *elements);
    List *including = scope_alloc_zeroed(work->scope, sizeof *including);
    uint32_t expression = 0, oid;
    enum sqlstate failed = SQLSTATE_OK;
    elements->type = including->type = T_List;
    elements->elements = scope_alloc_zeroed(work->scope, (index->columns + 1) * sizeof(ListCell));
    including->elements = scope_alloc_zeroed(work->scope, (index->columns + 1) * sizeof(ListCell));
    for (uint32_t i = 0; i < index->columns && !failed; i++) {
        IndexElem *element = scope_alloc_zeroed(work->scope, sizeof *element);
        element->type = T_IndexElem;
        if (index->column[i])
            element->name =
                (char *)relation->column[same_column(relation, source, index->column[i]) - 1].name;
        else
            failed = expression_tree(work, index->expression_text[expression++], &element->expr, error);
        if (i < index->key_columns) {
            element->ordering = index->key_part[i].descending ? SORTBY_DESC : SORTBY_ASC;
            element->nulls_ordering = index->key_part[i].nulls_first ? SORTBY_NULLS_FIRST : SORTBY_NULLS_LAST;
            elements->elements[elements->length++].ptr_value = element;
        } else {
            including->elements[including->length++].ptr_value = element;
        }
    }
    struct index_make make = {.method = "btree",
                              .relation = relation,
                              .parameters = elements,
                              .including = including->length ? including : NULL,
                              .unique = index->unique,
                              .primary = index->primary,
                              .deferrable = !index->immediate,
                              .nulls_not_distinct = !index->nulls_distinct,
                              .constraint = index->primary      ? CONSTRAINT_PRIMARY
                                            : index->constraint ? CONSTRAINT_UNIQUE
                                                                : 0};
    Node *predicate = NULL;
    if (!failed && index->predicate_text)
        failed = expression_tree(work, index->predicate_text, &predicate, error);
    make.predicate = predicate;
    return failed ? failed : index_create(work, &make, &oid, NULL, error);
}

static enum sqlstate like_later(struct work *work, uint32_t oid, const struct like_source *like,
                                struct error *error)
{
    const struct relation *relation;
    enum sqlstate failed = catalog_relation_by_oid(work->view, oid, &relation, error);
    if (!failed && like->options & CREATE_TABLE_LIKE_CONSTRAINTS)
        failed = like_checks(work, relation, like->source, error);
    for (uint32_t i = 0; i < like->source->indexes && !failed && like->options & CREATE_TABLE_LIKE_INDEXES;
         i++) {
        failed = catalog_relation_by_oid(work->view, oid, &relation, error);
        if (!failed)
            failed = like_index(work, relation, like->source, like->source->index[i], error);
    }
    return failed;
}

/* An expression's tree from its text: the target of "SELECT text". */
enum sqlstate expression_tree(struct work *work, const char *sql, Node **tree, struct error *error)
{
    struct text text = text_in(work->scope);
    const char *whole;
    struct parsed *parsed;
    text_format(&text, "SELECT %s", sql);
    enum sqlstate failed = text_end(&text, &whole, error);
    if (!failed)
        failed = parse_text(work->request->world, work->scope, whole, &parsed, error);
    if (!failed)
        *tree =
            ((ResTarget *)linitial(castNode(SelectStmt, parsed_statement(parsed, 0)->stmt)->targetList))->val;
    return failed;
}

/* ---- what comes once the table is there ---- */

/* The sequence behind a serial or identity column; for serial also the default. */
static enum sqlstate column_sequence(struct work *work, const struct relation *relation,
                                     const struct column_plan *column, int16_t number, struct error *error)
{
    struct sequence_make make = {.schema = relation->schema,
                                 .persistence = relation->persistence,
                                 .type = column->make.type,
                                 .options = column->sequence_options,
                                 .owner = relation->owner};
    uint32_t oid;
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    foreach(cell, column->sequence_options)
    {
        const DefElem *option = lfirst(cell);
        if (strcmp(option->defname, "sequence_name") == 0)
            make.name = strVal(llast((List *)option->arg));
    }
    if (!make.name)
        failed = name_choose(work, relation->name, column->make.name, "seq", relation->schema, false,
                             &make.name, error);
    if (!failed)
        failed = sequence_create(work, &make, &oid, error);
    if (!failed)
        failed = sequence_owned_by(work, oid, relation->oid, number, column->serial ? 'a' : 'i', error);
    if (failed || !column->serial)
        return failed;
    struct text text = text_in(work->scope);
    const char *sql;
    Node *tree;
    struct expression *bound;
    if ((failed = work_look_again(work, error)))
        return failed;
    text_format(&text, "nextval('%u'::regclass)", oid);
    failed = text_end(&text, &sql, error);
    if (!failed)
        failed = expression_tree(work, sql, &tree, error);
    if (!failed)
        failed = expression_store(work, tree, NULL, column->make.type, -1, &sql, &bound, error);
    return failed ? failed : default_store(work, relation, number, sql, bound, error);
}

static enum sqlstate column_default(struct work *work, const struct relation *relation,
                                    const struct column_plan *column, int16_t number, struct error *error)
{
    const Node *tree = column->make.default_tree;
    Node *copied = NULL;
    const char *text;
    struct expression *bound;
    enum sqlstate failed = SQLSTATE_OK;
    if (!tree && column->make.default_text) {
        failed = expression_tree(work, column->make.default_text, &copied, error);
        tree = copied;
    }
    if (failed || !tree)
        return failed;
    work->column = column->make.name;
    failed = expression_store(work, tree, column->make.generated ? relation : NULL, column->make.type,
                              column->make.modifier, &text, &bound, error);
    work->column = NULL;
    if (failed)
        return failed;
    if (column->make.generated && expression_facts(bound) & (FACT_VOLATILE | FACT_STABLE))
        return error_set(error, SQLSTATE_INVALID_OBJECT_DEFINITION, "generation expression is not immutable");
    if (bound->kind == EXPRESSION_CONSTANT && bound->constant.null && !column->make.generated)
        return SQLSTATE_OK; /* DEFAULT NULL is none */
    return default_store(work, relation, number, text, bound, error);
}

enum sqlstate column_finish(struct work *work, uint32_t oid, const struct column_plan *column, int16_t number,
                            struct error *error)
{
    const struct relation *relation;
    enum sqlstate failed = catalog_relation_by_oid(work->view, oid, &relation, error);
    if (!failed && (column->serial || column->make.identity))
        failed = column_sequence(work, relation, column, number, error);
    if (!failed && !column->serial)
        failed = column_default(work, relation, column, number, error);
    return failed ? failed : work_look_again(work, error);
}

enum sqlstate later_finish(struct work *work, uint32_t oid, const struct later *later, bool validate,
                           struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < later->count && !failed; i++) {
        const struct relation *relation;
        failed = catalog_relation_by_oid(work->view, oid, &relation, error);
        if (!failed)
            failed = constraint_add(work, relation, later->constraint[i], validate, error);
    }
    return failed;
}

/* ---- CREATE TABLE ---- */

static enum sqlstate read_elements(struct work *work, struct table_plan *plan, const CreateStmt *statement,
                                   struct error *error)
{
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    foreach(cell, statement->tableElts)
    {
        Node *element = lfirst(cell);
        if (failed)
            return failed;
        if (IsA(element, ColumnDef)) {
            failed = column_plan_make(work, plan, (ColumnDef *)element, error);
        } else if (IsA(element, TableLikeClause)) {
            failed = like(work, plan, (TableLikeClause *)element, error);
        } else {
            const Constraint *constraint = (Constraint *)element;
            later_add(work,
                      constraint->contype == CONSTR_CHECK     ? &plan->checks
                      : constraint->contype == CONSTR_FOREIGN ? &plan->foreign
                                                              : &plan->keys,
                      constraint);
        }
    }
    return failed;
}

/* The columns of a primary key hold no nulls from the beginning; the primary key comes before unique constraints. */
static enum sqlstate primary_first(struct table_plan *plan, struct error *error)
{
    uint32_t primary = 0;
    for (uint32_t i = 0; i < plan->keys.count; i++) {
        const Constraint *key = plan->keys.constraint[i];
        ListCell *cell;
        if (key->contype != CONSTR_PRIMARY)
            continue;
        if (primary++)
            return error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION,
                             "multiple primary keys for table \"%s\" are not allowed", plan->name);
        foreach(cell, key->keys) for (uint32_t c = 0; c < plan->count;
                                      c++) if (strcmp(plan->column[c].make.name, strVal(lfirst(cell))) == 0)
            plan->column[c]
                .make.not_null = true;
        const Constraint **list = (const Constraint **)plan->keys.constraint;
        memmove(&list[1], &list[0], i * sizeof *list);
        list[0] = key;
    }
    return SQLSTATE_OK;
}

static enum sqlstate table_finish(struct work *work, const struct table_plan *plan, uint32_t oid,
                                  struct error *error)
{
    enum sqlstate failed = work_look_again(work, error);
    for (uint32_t c = 0; c < plan->count && !failed; c++)
        if (plan->column[c].serial || plan->column[c].make.identity || plan->column[c].make.default_tree ||
            plan->column[c].make.default_text)
            failed = column_finish(work, oid, &plan->column[c], (int16_t)(c + 1), error);
    if (!failed)
        failed = later_finish(work, oid, &plan->checks, false, error);
    if (!failed)
        failed = later_finish(work, oid, &plan->keys, false, error);
    for (uint32_t i = 0; i < plan->likes && !failed; i++)
        failed = like_later(work, oid, &plan->like[i], error);
    return failed ? failed : later_finish(work, oid, &plan->foreign, false, error);
}

/* Whether the name is taken, and may be: tells so, and nothing is to be done. */
static enum sqlstate exists(struct work *work, const char *name, uint32_t schema, bool if_not_exists,
                            bool *skip, struct error *error)
{
    struct tuple found;
    const struct tuple_match matches[] = {{PG_CLASS_RELNAME, value_text(name)},
                                          {PG_CLASS_RELNAMESPACE, value_integer(schema)}};
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_CLASS, matches, 2, &found, error);
    *skip = !failed && found.values && if_not_exists;
    if (*skip)
        work_notice(work, SQLSTATE_DUPLICATE_TABLE, "relation \"%s\" already exists, skipping", name);
    else if (!failed && found.values)
        failed = error_set(error, SQLSTATE_DUPLICATE_TABLE, "relation \"%s\" already exists", name);
    return failed;
}

static enum sqlstate table_make(struct work *work, const struct table_plan *plan, uint32_t schema,
                                char persistence, uint32_t *oid, struct error *error)
{
    struct column_make *columns = scope_alloc(work->scope, (plan->count + 1) * sizeof *columns);
    for (uint32_t c = 0; c < plan->count; c++)
        columns[c] = plan->column[c].make;
    const struct relation_make make = {.name = plan->name,
                                       .schema = schema,
                                       .kind = RELATION_TABLE,
                                       .persistence = persistence,
                                       .owner = work->session->role,
                                       .columns = plan->count,
                                       .column = columns};
    return relation_create(work, &make, oid, error);
}

static enum sqlstate check_features(const char *access_method, const char *tablespace, struct error *error)
{
    if (access_method && strcmp(access_method, "heap") != 0)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "access method \"%s\" is not supported",
                         access_method);
    if (tablespace && strcmp(tablespace, "pg_default") != 0)
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "tablespace \"%s\" does not exist", tablespace);
    return SQLSTATE_OK;
}

enum sqlstate define_create_table(struct work *work, const CreateStmt *statement, struct error *error)
{
    struct table_plan plan = {.name = statement->relation->relname};
    uint32_t schema, oid;
    char persistence;
    bool skip;
    if (statement->inhRelations)
        return not_supported(error, statement->partbound ? "a partition" : "table inheritance");
    if (statement->partspec)
        return not_supported(error, "a partitioned table");
    if (statement->ofTypename)
        return not_supported(error, "a typed table");
    enum sqlstate failed = check_features(statement->accessMethod, statement->tablespacename, error);
    if (!failed)
        failed = on_commit_note(work, statement->relation, statement->oncommit, 0, error);
    if (!failed)
        failed = creation_schema_of(work, statement->relation, &schema, &persistence, error);
    if (!failed)
        failed = exists(work, plan.name, schema, statement->if_not_exists, &skip, error);
    if (failed || skip)
        return failed;
    failed = read_elements(work, &plan, statement, error);
    if (!failed)
        failed = primary_first(&plan, error);
    if (!failed)
        failed = table_make(work, &plan, schema, persistence, &oid, error);
    if (!failed)
        failed = on_commit_note(work, statement->relation, statement->oncommit, oid, error);
    return failed ? failed : table_finish(work, &plan, oid, error);
}

/* ---- CREATE TABLE AS ---- */

static enum sqlstate columns_of_query(struct work *work, const struct query *query, const List *names,
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
        if (type->type_type == 'p')
            return error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION, "column \"%s\" has pseudo-type %s",
                             name, type->name);
        plan_add(work, plan)->make =
            (struct column_make){.name = name,
                                 .type = type,
                                 .modifier = target->expression->modifier,
                                 .collation = collation_shown(target->expression, type)};
    }
    if (named < list_length(names))
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "too many column names were specified");
    return SQLSTATE_OK;
}

enum sqlstate define_create_table_as(struct work *work, const CreateTableAsStmt *statement,
                                     struct error *error)
{
    const IntoClause *into = statement->into;
    struct table_plan plan = {.name = into->rel->relname};
    struct query *query;
    uint32_t schema, oid;
    char persistence;
    bool skip;
    if (statement->objtype == OBJECT_MATVIEW)
        return not_supported(error, "a materialized view");
    if (!IsA(statement->query, SelectStmt))
        return not_supported(error, "CREATE TABLE AS EXECUTE");
    enum sqlstate failed = check_features(into->accessMethod, into->tableSpaceName, error);
    if (!failed)
        failed = on_commit_note(work, into->rel, into->onCommit, 0, error);
    if (!failed)
        failed = creation_schema_of(work, into->rel, &schema, &persistence, error);
    if (!failed)
        failed = exists(work, plan.name, schema, statement->if_not_exists, &skip, error);
    if (failed || skip)
        return failed;
    struct binder_request binder = work_binder(work);
    SelectStmt *select = scope_copy(work->scope, statement->query, sizeof *select);
    select->intoClause = NULL;
    failed = bind_statement(&binder, (Node *)select, &query, error);
    if (!failed)
        failed = columns_of_query(work, query, into->colNames, &plan, error);
    if (!failed)
        failed = table_make(work, &plan, schema, persistence, &oid, error);
    if (!failed)
        failed = on_commit_note(work, into->rel, into->onCommit, oid, error);
    if (!failed)
        failed = work_look_again(work, error);
    if (failed || into->skipData)
        return failed;
    RangeVar *name = scope_copy(work->scope, into->rel, sizeof *name);
    const char *schema_name;
    if ((failed = catalog_schema_name(work->view, work->scope, schema, &schema_name, error)))
        return failed;
    name->schemaname = (char *)schema_name;
    InsertStmt *insert = scope_alloc_zeroed(work->scope, sizeof *insert);
    insert->type = T_InsertStmt;
    insert->relation = name;
    insert->selectStmt = (Node *)select;
    failed = work->request->run(work->request->argument, work->view, (struct Node *)insert,
                                &work->result->rows, error);
    snprintf(work->result->tag, sizeof work->result->tag, "SELECT %llu",
             (unsigned long long)work->result->rows);
    return failed;
}
