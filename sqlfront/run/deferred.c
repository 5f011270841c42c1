/* Foreign keys and unique constraints that wait for the end of the transaction (SET CONSTRAINTS, INITIALLY DEFERRED).
 *
 * They outlive the statements that noted them, and with those the descriptors: what is kept of constraints and types are
 * copies. */
#include "sqlfront/run/foreign.h"

struct deferred_mode {
    struct deferred_mode *next;
    uint32_t constraint;
    bool wait;
};

struct deferred {
    struct scope *scope;
    bool all_set, all_wait;     /* SET CONSTRAINTS ALL */
    struct deferred_mode *mode; /* of single ones; they count more, being later */
    struct foreign_list list;
};

enum sqlstate deferred_open(struct scope *scope, struct deferred **deferred, struct error *error)
{
    *deferred = scope_alloc_zeroed(scope, sizeof **deferred);
    (*deferred)->scope = (*deferred)->list.scope = scope;
    return SQLSTATE_OK;
}

bool deferred_waits(const struct deferred *deferred, const struct constraint *constraint)
{
    if (!constraint->deferrable)
        return false;
    for (const struct deferred_mode *mode = deferred->mode; mode; mode = mode->next)
        if (mode->constraint == constraint->oid)
            return mode->wait;
    return deferred->all_set ? deferred->all_wait : constraint->deferred;
}

static const struct constraint *copy_constraint(struct scope *scope, const struct constraint *constraint)
{
    struct constraint *copy = scope_copy(scope, constraint, sizeof *constraint);
    size_t bytes = constraint->columns * sizeof constraint->column[0];
    copy->name = scope_copy_text(scope, constraint->name);
    copy->column = scope_copy(scope, constraint->column, bytes);
    if (constraint->kind == CONSTRAINT_FOREIGN)
        copy->referenced_column = scope_copy(scope, constraint->referenced_column, bytes);
    copy->check_text = NULL;
    copy->equality = NULL;
    return copy;
}

static const struct type *const *copy_types(struct scope *scope, const struct type *const *types,
                                            uint32_t count)
{
    const struct type **copies = scope_alloc(scope, (count + 1) * sizeof copies[0]);
    for (uint32_t i = 0; i < count; i++) {
        struct type *copy = scope_copy(scope, types[i], sizeof *copy);
        if (copy->order == ORDER_ENUM)
            copy->order = ORDER_INTEGER; /* its labels may go; equality is all that is asked for */
        copies[i] = copy;
    }
    return copies;
}

enum sqlstate deferred_add(struct deferred *deferred, struct environment *environment,
                           const struct constraint *constraint, bool parent_side, bool updated,
                           const struct type *const *types, const struct value *values, uint32_t count,
                           struct error *error)
{
    const struct foreign_work *work = deferred->list.first;
    while (work && (work->constraint->oid != constraint->oid || work->parent_side != parent_side ||
                    work->updated != updated))
        work = work->next;
    const struct constraint *kept = work ? work->constraint : copy_constraint(deferred->scope, constraint);
    const struct type *const *kept_types =
        work ? work->rows.types : copy_types(deferred->scope, types, count);
    return foreign_add(environment, &deferred->list, kept, parent_side, updated, kept_types,
                       constraint->columns, values, count, error);
}

/* Checks those that the filter lets through, and forgets them. */
static enum sqlstate check_some(struct deferred *deferred, const struct execution_request *request,
                                uint32_t constraint, struct error *error)
{
    struct foreign_work **at = &deferred->list.first;
    struct scope *scope = scope_open(request->scope, "deferred");
    struct foreign_list none = {.scope = scope};
    struct execution execution = {.request = *request,
                                  .world = request->world,
                                  .scope = scope,
                                  .environment = request->environment,
                                  .evaluation = {.environment = request->environment},
                                  .foreign = &none};
    enum sqlstate failed = SQLSTATE_OK;
    list_init(&execution.operations);
    if (*at) {
        failed = transaction_catch_up(request->transaction, error);
        transaction_statement(request->transaction);
    }
    while (*at && !failed) {
        struct foreign_work *work = *at;
        if (constraint && work->constraint->oid != constraint) {
            at = &work->next;
            continue;
        }
        *at = work->next;
        work->waited = true;
        failed = foreign_work_run(&execution, work, error);
    }
    scope_close(scope);
    return failed;
}

enum sqlstate deferred_set(struct deferred *deferred, const struct execution_request *request,
                           uint32_t constraint, bool wait, struct error *error)
{
    if (constraint == 0) {
        deferred->all_set = true;
        deferred->all_wait = wait;
        deferred->mode = NULL;
    } else {
        struct deferred_mode *mode = scope_alloc(deferred->scope, sizeof *mode);
        *mode = (struct deferred_mode){.next = deferred->mode, .constraint = constraint, .wait = wait};
        deferred->mode = mode;
    }
    return wait ? SQLSTATE_OK : check_some(deferred, request, constraint, error);
}

bool deferred_any(const struct deferred *deferred)
{
    return deferred->list.first != NULL;
}

enum sqlstate deferred_check(struct deferred *deferred, const struct execution_request *request,
                             struct error *error)
{
    return check_some(deferred, request, 0, error);
}
