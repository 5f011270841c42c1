/* Renaming what others name. The catalog keeps views, defaults, checks and index expressions as SQL, with names in it: when
 * something gets another name (or schema), what depends on it is bound before, while the old names still mean something, and
 * written again afterwards, with the names that hold then.
 *
 *     renewal_begin    pg_depend tells what depends on the things; each text becomes a tree
 *     (the rename)
 *     renewal_end      descriptors in the trees are replaced by those of now, the trees become texts, these are stored */
#include "sqlfront/define/renew.h"

#include "sqlfront/algebra/walk.h"

/* A text that is kept: where, and what it says. */
struct renewed {
    struct renewed *next;
    struct object holder;            /* a rule, default, constraint, index or function */
    const struct relation *relation; /* whose columns expressions name; NULL = nobody's */
    struct query *query;             /* of a rule */
    uint32_t expressions;            /* of the others; an index has its predicate behind them */
    struct expression **expression;
    bool predicate;
};

struct renewal {
    struct renewed *first;
};

/* ---- before ---- */

static struct renewed *renewed_add(struct work *work, struct renewal *renewal, struct object holder,
                                   const struct relation *relation, uint32_t room)
{
    struct renewed *made = scope_alloc_zeroed(work->scope, sizeof *made);
    *made = (struct renewed){.next = renewal->first, .holder = holder, .relation = relation};
    made->expression = scope_alloc_zeroed(work->scope, (room + 1) * sizeof made->expression[0]);
    renewal->first = made;
    return made;
}

static enum sqlstate bind_text(struct work *work, struct renewed *renewed, const char *text,
                               struct error *error)
{
    struct binder_request binder = work_binder(work);
    return bind_expression_text(&binder, text, renewed->relation, NULL, -1,
                                &renewed->expression[renewed->expressions++], error);
}

static enum sqlstate take_rule(struct work *work, struct renewal *renewal, const struct tuple *row,
                               struct error *error)
{
    struct binder_request binder = work_binder(work);
    const struct relation *view;
    struct parsed *parsed;
    enum sqlstate failed =
        catalog_relation_by_oid(work->view, (uint32_t)row->values[PG_REWRITE_EV_CLASS].i, &view, error);
    if (failed || !view || !view->view_text)
        return failed;
    struct renewed *made = renewed_add(
        work, renewal, (struct object){PG_REWRITE, (uint32_t)row->values[PG_REWRITE_OID].i, 0}, view, 0);
    failed = parse_text(binder.world, work->scope, view->view_text, &parsed, error);
    return failed ? failed : bind_statement(&binder, parsed_statement(parsed, 0)->stmt, &made->query, error);
}

static enum sqlstate take_default(struct work *work, struct renewal *renewal, const struct tuple *row,
                                  struct error *error)
{
    const struct relation *relation;
    enum sqlstate failed =
        catalog_relation_by_oid(work->view, (uint32_t)row->values[PG_ATTRDEF_ADRELID].i, &relation, error);
    if (failed || !relation)
        return failed;
    const struct column *column = &relation->column[row->values[PG_ATTRDEF_ADNUM].i - 1];
    if (!column->default_text)
        return SQLSTATE_OK;
    struct renewed *made =
        renewed_add(work, renewal, (struct object){PG_ATTRDEF, (uint32_t)row->values[PG_ATTRDEF_OID].i, 0},
                    column->generated ? relation : NULL, 1);
    return bind_text(work, made, column->default_text, error);
}

static enum sqlstate take_check(struct work *work, struct renewal *renewal, const struct tuple *row,
                                struct error *error)
{
    const struct relation *relation;
    uint32_t oid = (uint32_t)row->values[PG_CONSTRAINT_OID].i;
    enum sqlstate failed = catalog_relation_by_oid(
        work->view, (uint32_t)row->values[PG_CONSTRAINT_CONRELID].i, &relation, error);
    for (uint32_t i = 0; !failed && relation && i < relation->constraints; i++)
        if (relation->constraint[i].oid == oid && relation->constraint[i].check_text) {
            struct renewed *made =
                renewed_add(work, renewal, (struct object){PG_CONSTRAINT, oid, 0}, relation, 1);
            return bind_text(work, made, relation->constraint[i].check_text, error);
        }
    return failed;
}

static enum sqlstate take_index(struct work *work, struct renewal *renewal, const struct tuple *row,
                                struct error *error)
{
    const struct relation *relation;
    const struct index *index = NULL;
    uint32_t oid = (uint32_t)row->values[PG_INDEX_INDEXRELID].i;
    enum sqlstate failed =
        catalog_relation_by_oid(work->view, (uint32_t)row->values[PG_INDEX_INDRELID].i, &relation, error);
    for (uint32_t i = 0; !failed && relation && i < relation->indexes; i++)
        if (relation->index[i]->oid == oid)
            index = relation->index[i];
    if (failed || !index || (!index->expressions && !index->predicate_text))
        return failed;
    struct renewed *made =
        renewed_add(work, renewal, (struct object){PG_INDEX, oid, 0}, relation, index->expressions + 1);
    for (uint32_t i = 0; i < index->expressions && !failed; i++)
        failed = bind_text(work, made, index->expression_text[i], error);
    made->predicate = index->predicate_text != NULL;
    return failed || !made->predicate ? failed : bind_text(work, made, index->predicate_text, error);
}

static enum sqlstate take_function(struct work *work, struct renewal *renewal, uint32_t oid,
                                   struct error *error)
{
    const struct procedure *procedure;
    enum sqlstate failed = catalog_procedure_by_oid(work->view, oid, &procedure, error);
    if (failed || !procedure || procedure->defaults == 0)
        return failed;
    struct renewed *made =
        renewed_add(work, renewal, (struct object){PG_PROC, oid, 0}, NULL, procedure->defaults);
    for (uint32_t i = 0; i < procedure->defaults && !failed; i++)
        failed = bind_text(work, made, procedure->default_texts[i], error);
    return failed;
}

static enum sqlstate take(struct work *work, struct renewal *renewal, uint32_t class, uint32_t oid,
                          struct error *error)
{
    static const struct {
        uint32_t class, rows;
        int key;
        enum sqlstate (*take)(struct work *work, struct renewal *renewal, const struct tuple *row,
                              struct error *error);
    } kinds[] = {{PG_REWRITE, PG_REWRITE, PG_REWRITE_OID, take_rule},
                 {PG_ATTRDEF, PG_ATTRDEF, PG_ATTRDEF_OID, take_default},
                 {PG_CONSTRAINT, PG_CONSTRAINT, PG_CONSTRAINT_OID, take_check},
                 {PG_CLASS, PG_INDEX, PG_INDEX_INDEXRELID, take_index}};
    for (const struct renewed *at = renewal->first; at; at = at->next)
        if (at->holder.oid == oid &&
            (at->holder.class == class || (class == PG_CLASS && at->holder.class == PG_INDEX)))
            return SQLSTATE_OK;
    if (class == PG_PROC)
        return take_function(work, renewal, oid, error);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct tuple row;
        struct tuple_match match = {kinds[i].key, value_integer(oid)};
        if (kinds[i].class != class)
            continue;
        enum sqlstate failed = tuple_find(&work->access, work->scope, kinds[i].rows, &match, 1, &row, error);
        return failed || !row.values ? failed : kinds[i].take(work, renewal, &row, error);
    }
    return SQLSTATE_OK;
}

enum sqlstate renewal_begin(struct work *work, struct renewal **renewal, struct error *error)
{
    (void)error;
    *renewal = scope_alloc_zeroed(work->scope, sizeof **renewal);
    return SQLSTATE_OK;
}

enum sqlstate renewal_of(struct work *work, struct renewal *renewal, struct object object,
                         struct error *error)
{
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(object.class)},
                                          {PG_DEPEND_REFOBJID, value_integer(object.oid)}};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_DEPEND, matches, 2, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        if (!object.part || !row[PG_DEPEND_REFOBJSUBID].i || row[PG_DEPEND_REFOBJSUBID].i == object.part)
            failed = take(work, renewal, (uint32_t)row[PG_DEPEND_CLASSID].i, (uint32_t)row[PG_DEPEND_OBJID].i,
                          error);
    }
    if (failed || object.class != PG_CLASS || object.part)
        return failed;
    const struct relation *relation;
    failed = catalog_relation_by_oid(work->view, object.oid, &relation, error);
    return failed || !relation || !relation->row_type
               ? failed
               : renewal_of(work, renewal, (struct object){PG_TYPE, relation->row_type, 0}, error);
}

enum sqlstate renewal_of_schema(struct work *work, struct renewal *renewal, uint32_t schema,
                                struct error *error)
{
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(PG_NAMESPACE)},
                                          {PG_DEPEND_REFOBJID, value_integer(schema)}};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_DEPEND, matches, 2, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        const struct object object = {(uint32_t)row[PG_DEPEND_CLASSID].i, (uint32_t)row[PG_DEPEND_OBJID].i,
                                      0};
        failed = renewal_of(work, renewal, object, error);
    }
    return failed;
}

/* ---- after: descriptors of now ---- */

struct refresh {
    struct walk walk;
    struct work *work;
    enum sqlstate failed;
    struct error *error;
};

static void refresh_query(struct walk *walk, struct query **place);

static void refresh_type(struct refresh *refresh, const struct type **type)
{
    const struct type *now;
    if (refresh->failed || !*type || (*type)->oid < OID_USER_FIRST)
        return;
    refresh->failed = catalog_type_by_oid(refresh->work->view, (*type)->oid, &now, refresh->error);
    if (!refresh->failed && now)
        *type = now;
}

static void refresh_expression(struct walk *walk, struct expression **place)
{
    struct refresh *refresh = (struct refresh *)walk;
    struct expression *node = *place = scope_copy(refresh->work->scope, *place, sizeof *node);
    const struct procedure *procedure;
    refresh_type(refresh, &node->type);
    if (node->procedure && node->procedure->oid >= OID_USER_FIRST && !refresh->failed) {
        refresh->failed =
            catalog_procedure_by_oid(refresh->work->view, node->procedure->oid, &procedure, refresh->error);
        if (!refresh->failed && procedure)
            node->procedure = procedure;
    }
    if (node->written) {
        struct expression *written = (struct expression *)(uintptr_t)node->written;
        refresh_expression(walk, &written);
        node->written = written;
    }
    walk_expression(walk, node);
}

static bool joins_by_name(const struct from *from)
{
    return from->kind == FROM_JOIN &&
           (from->usings || joins_by_name(from->left) || joins_by_name(from->right));
}

/* A range without alias has the relation's name, or goes on by the one it had when another has that. Its columns have their new names, unless some are joined by name: then it lists the old
 * ones. */
static void refresh_range(struct refresh *refresh, const struct query *query, struct range *range,
                          bool by_name)
{
    const struct relation *now, *before = range->relation;
    for (uint32_t c = 0; c < range->columns; c++)
        refresh_type(refresh, &range->column[c].type);
    if (!before || before->oid < OID_USER_FIRST || refresh->failed)
        return;
    refresh->failed = catalog_relation_by_oid(refresh->work->view, before->oid, &now, refresh->error);
    if (refresh->failed || !now)
        return;
    range->relation = now;
    bool taken = false;
    for (uint32_t i = 0; i < query->ranges; i++)
        taken |= query->range[i].name && strcmp(query->range[i].name, now->name) == 0;
    if (!range->alias && strcmp(range->name, now->name) != 0) {
        if (taken)
            range->alias = range->name;
        else
            range->name = now->name;
    }
    for (uint32_t c = 0; c < range->columns && c < now->columns && c < before->columns && !by_name; c++)
        if (range->column[c].name && strcmp(range->column[c].name, before->column[c].name) == 0)
            range->column[c].name = now->column[c].name;
}

static void refresh_query(struct walk *walk, struct query **place)
{
    struct refresh *refresh = (struct refresh *)walk;
    struct query *query = *place;
    bool by_name = false;
    for (uint32_t i = 0; i < query->froms; i++)
        by_name |= joins_by_name(query->from[i]);
    for (uint32_t i = 0; i < query->ranges; i++)
        refresh_range(refresh, query, &query->range[i], by_name);
    walk_query(walk, query);
}

/* ---- after: texts ---- */

static enum sqlstate expression_text(struct work *work, const struct renewed *renewed, uint32_t at,
                                     const char **text, struct error *error)
{
    const struct relation *relation = NULL;
    struct range range = {0};
    struct query shell = {.range = &range};
    enum sqlstate failed = SQLSTATE_OK;
    if (renewed->relation)
        failed = catalog_relation_by_oid(work->view, renewed->relation->oid, &relation, error);
    if (relation) {
        range = (struct range){.kind = RANGE_RELATION,
                               .name = relation->name,
                               .columns = relation->columns,
                               .relation = relation};
        range.column = scope_alloc_zeroed(work->scope, (relation->columns + 1) * sizeof *range.column);
        for (uint32_t c = 0; c < relation->columns; c++)
            if (!relation->column[c].dropped)
                range.column[c] = (struct range_column){.name = relation->column[c].name,
                                                        .type = relation->column[c].type,
                                                        .modifier = relation->column[c].modifier};
        shell.ranges = 1;
    }
    return failed ? failed
                  : expression_deparse(work->view, work->scope, renewed->expression[at], &shell, false,
                                       DEPARSE_STORED, text, error);
}

static enum sqlstate store(struct work *work, const struct renewed *renewed, struct error *error)
{
    static const struct {
        uint32_t class;
        int key, place;
    } places[] = {{PG_REWRITE, PG_REWRITE_OID, PG_REWRITE_EV_ACTION},
                  {PG_ATTRDEF, PG_ATTRDEF_OID, PG_ATTRDEF_ADBIN},
                  {PG_CONSTRAINT, PG_CONSTRAINT_OID, PG_CONSTRAINT_CONBIN},
                  {PG_INDEX, PG_INDEX_INDEXRELID, PG_INDEX_INDEXPRS},
                  {PG_PROC, PG_PROC_OID, PG_PROC_PROARGDEFAULTS}};
    struct text texts = text_in(work->scope);
    const char *text = NULL, *whole, *predicate = NULL;
    uint32_t count = renewed->expressions - renewed->predicate;
    enum sqlstate failed = SQLSTATE_OK;
    if (renewed->query) {
        failed = query_deparse(work->view, work->scope, renewed->query, DEPARSE_STORED, &text, error);
        text_append(&texts, failed ? "" : text);
    }
    for (uint32_t i = 0; i < count && !failed; i++) {
        failed = expression_text(work, renewed, i, &text, error);
        text_format(&texts, "%s%s", i ? (char[]){EXPRESSION_END, 0} : "", failed ? "" : text);
    }
    if (!failed && renewed->predicate)
        failed = expression_text(work, renewed, count, &predicate, error);
    if (!failed)
        failed = text_end(&texts, &whole, error);
    for (size_t i = 0; i < sizeof places / sizeof *places && !failed; i++) {
        struct tuple row;
        struct tuple_match match = {places[i].key, value_integer(renewed->holder.oid)};
        if (places[i].class != renewed->holder.class)
            continue;
        failed = tuple_find(&work->access, work->scope, places[i].class, &match, 1, &row, error);
        if (failed || !row.values)
            return failed;
        struct value *values = tuple_copy(work->scope, places[i].class, &row);
        if (*whole)
            values[places[i].place] = tuple_text(work->scope, whole);
        if (predicate)
            values[PG_INDEX_INDPRED] = tuple_text(work->scope, predicate);
        return tuple_update(&work->access, places[i].class, &row, values, error);
    }
    return failed;
}

enum sqlstate renewal_end(struct work *work, struct renewal *renewal, struct error *error)
{
    struct refresh refresh = {
        .walk = {.expression = refresh_expression, .query = refresh_query}, .work = work, .error = error};
    enum sqlstate failed = renewal->first ? work_look_again(work, error) : SQLSTATE_OK;
    for (struct renewed *at = renewal->first; at && !failed; at = at->next) {
        if (at->query)
            refresh_query(&refresh.walk, &at->query);
        for (uint32_t i = 0; i < at->expressions; i++)
            refresh_expression(&refresh.walk, &at->expression[i]);
        failed = refresh.failed ? refresh.failed : store(work, at, error);
    }
    return failed;
}
