/* What a relation's texts mean: defaults, generated columns, checks, index expressions; bound once per descriptor, in its
 * scope. Two fibers that find it missing both bind it, and the later one's stays: they are the same. */
#include "sqlfront/bind/binder.h"

static enum sqlstate columns_bind(struct binder_request *request, const struct relation *relation,
                                  struct table_bound *bound, struct error *error)
{
    for (uint32_t i = 0; i < relation->columns; i++) {
        const struct column *column = &relation->column[i];
        if (column->dropped || !column->default_text)
            continue;
        struct expression **place = column->generated ? &bound->generated[i] : &bound->defaults[i];
        enum sqlstate failed =
            bind_expression_text(request, column->default_text, column->generated ? relation : NULL,
                                 column->type, column->modifier, place, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate checks_bind(struct binder_request *request, const struct relation *relation,
                                 struct table_bound *bound, struct error *error)
{
    bound->check = scope_alloc_zeroed(request->scope, (relation->constraints + 1) * sizeof *bound->check);
    bound->check_constraint =
        scope_alloc_zeroed(request->scope, (relation->constraints + 1) * sizeof *bound->check_constraint);
    for (uint32_t i = 0; i < relation->constraints; i++) {
        const struct constraint *constraint = &relation->constraint[i];
        if (constraint->kind != CONSTRAINT_CHECK || !constraint->check_text)
            continue;
        enum sqlstate failed =
            bind_expression_text(request, constraint->check_text, relation, type_builtin(TYPE_BOOL), -1,
                                 &bound->check[bound->checks], error);
        if (failed)
            return failed;
        bound->check_constraint[bound->checks++] = constraint;
    }
    return SQLSTATE_OK;
}

static enum sqlstate index_bind(struct binder_request *request, const struct relation *relation,
                                struct index *index, struct index_bound **bound, struct error *error)
{
    struct index_bound *made = scope_alloc_zeroed(request->scope, sizeof *made);
    made->expression =
        scope_alloc_zeroed(request->scope, (index->expressions + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < index->expressions; i++) {
        enum sqlstate failed = bind_expression_text(request, index->expression_text[i], relation, NULL, -1,
                                                    &made->expression[i], error);
        if (failed)
            return failed;
    }
    if (index->predicate_text) {
        enum sqlstate failed = bind_expression_text(request, index->predicate_text, relation,
                                                    type_builtin(TYPE_BOOL), -1, &made->predicate, error);
        if (failed)
            return failed;
    }
    index->bound = made;
    *bound = made;
    return SQLSTATE_OK;
}

enum sqlstate bind_table(struct binder_request *request, const struct relation *relation,
                         struct table_bound **bound, struct error *error)
{
    *bound = relation->bound;
    if (*bound)
        return SQLSTATE_OK;
    struct scope *scope = relation->scope ? relation->scope : request->scope;
    struct binder_request inner = *request;
    inner.scope = scope;
    inner.text = NULL;
    inner.parameters = 0;
    inner.parameter_types = NULL;
    inner.parameters_fixed = true;
    struct table_bound *made = scope_alloc_zeroed(scope, sizeof *made);
    made->defaults = scope_alloc_zeroed(scope, (relation->columns + 1) * sizeof(struct expression *));
    made->generated = scope_alloc_zeroed(scope, (relation->columns + 1) * sizeof(struct expression *));
    made->index = scope_alloc_zeroed(scope, (relation->indexes + 1) * sizeof(struct index_bound *));
    enum sqlstate failed = columns_bind(&inner, relation, made, error);
    if (!failed)
        failed = checks_bind(&inner, relation, made, error);
    for (uint32_t i = 0; !failed && i < relation->indexes; i++)
        failed = index_bind(&inner, relation, relation->index[i], &made->index[i], error);
    if (failed)
        return failed;
    ((struct relation *)(uintptr_t)relation)->bound = made;
    *bound = made;
    return SQLSTATE_OK;
}
