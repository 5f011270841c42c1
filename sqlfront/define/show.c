/* Kept SQL as people see it: bound again and written with the names the search path asks for. The catalog keeps every name
 * with its schema, so that views and defaults mean the same whatever the path of who uses them. */
#include "sqlfront/define/inside.h"

static enum sqlstate query_show(struct binder_request *binder, const struct sql_kept *kept, unsigned flags,
                                const char **shown, struct error *error)
{
    struct parsed *parsed;
    struct query *query;
    enum sqlstate failed = parse_text(binder->world, binder->scope, kept->text, &parsed, error);
    if (!failed)
        failed = bind_statement(binder, parsed_statement(parsed, 0)->stmt, &query, error);
    for (uint32_t i = 0, at = 0; !failed && kept->relation && i < query->targets; i++)
        if (!query->target[i].hidden && at < kept->relation->columns) /* columns may have been renamed */
            query->target[i].name = kept->relation->column[at++].name;
    return failed ? failed : query_deparse(binder->view, binder->scope, query, flags, shown, error);
}

enum sqlstate bound_text(struct catalog_view *view, struct scope *scope, const struct expression *bound,
                         const struct relation *relation, unsigned flags, const char **text,
                         struct error *error)
{
    struct range range = {0};
    struct query shell = {.range = &range};
    if (relation) { /* a query of one range, so that columns have their names */
        struct range_column *columns = scope_alloc_zeroed(scope, (relation->columns + 1) * sizeof *columns);
        for (uint32_t c = 0; c < relation->columns; c++)
            if (!relation->column[c].dropped)
                columns[c] = (struct range_column){.name = relation->column[c].name,
                                                   .type = relation->column[c].type,
                                                   .modifier = relation->column[c].modifier,
                                                   .collation = relation->column[c].collation};
        range = (struct range){.kind = RANGE_RELATION,
                               .name = relation->name,
                               .columns = relation->columns,
                               .column = columns,
                               .relation = relation};
        shell.ranges = 1;
    }
    return expression_deparse(view, scope, bound, &shell, false, flags, text, error);
}

static enum sqlstate expression_show(struct binder_request *binder, const struct sql_kept *kept,
                                     unsigned flags, const char **shown, struct error *error)
{
    struct expression *bound;
    enum sqlstate failed = bind_expression_text(binder, kept->text, kept->relation, NULL, -1, &bound, error);
    return failed ? failed
                  : bound_text(binder->view, binder->scope, bound, kept->relation, flags, shown, error);
}

enum sqlstate define_show(struct environment *environment, struct scope *scope, const struct sql_kept *kept,
                          const char **shown, struct error *error)
{
    struct binder_request binder = {.world = environment->world,
                                    .scope = scope,
                                    .view = environment->catalog,
                                    .environment = environment,
                                    .parameters_fixed = true};
    const unsigned flags = kept->pretty ? DEPARSE_PRETTY : 0;
    return kept->query ? query_show(&binder, kept, flags, shown, error)
                       : expression_show(&binder, kept, flags, shown, error);
}
