/* What depends on what (PostgreSQL manual, 5.14): pg_depend, and dropping along it. */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/drop.h"

#include <stdio.h>

enum sqlstate depend(struct work *work, struct object dependent, struct object referenced, char kind,
                     struct error *error)
{
    /* What came with the system cannot be dropped, so nobody need know who depends on it. */
    if (referenced.oid < OID_USER_FIRST)
        return SQLSTATE_OK;
    struct value *values = tuple_make(work->scope, PG_DEPEND);
    values[PG_DEPEND_CLASSID] = value_integer(dependent.class);
    values[PG_DEPEND_OBJID] = value_integer(dependent.oid);
    values[PG_DEPEND_OBJSUBID] = value_integer(dependent.part);
    values[PG_DEPEND_REFCLASSID] = value_integer(referenced.class);
    values[PG_DEPEND_REFOBJID] = value_integer(referenced.oid);
    values[PG_DEPEND_REFOBJSUBID] = value_integer(referenced.part);
    values[PG_DEPEND_DEPTYPE] = value_integer(kind);
    return tuple_insert(&work->access, PG_DEPEND, values, error);
}

static enum sqlstate shared_insert(struct work *work, struct object object, uint32_t role, char kind,
                                   struct error *error)
{
    if (role < OID_USER_FIRST)
        return SQLSTATE_OK;
    struct value *values = tuple_make(work->scope, PG_SHDEPEND);
    bool shared = object.class == PG_DATABASE || object.class == PG_TABLESPACE;
    values[PG_SHDEPEND_DBID] = value_integer(shared ? 0 : work->access.database);
    values[PG_SHDEPEND_CLASSID] = value_integer(object.class);
    values[PG_SHDEPEND_OBJID] = value_integer(object.oid);
    values[PG_SHDEPEND_OBJSUBID] = value_integer(object.part);
    values[PG_SHDEPEND_REFCLASSID] = value_integer(PG_AUTHID);
    values[PG_SHDEPEND_REFOBJID] = value_integer(role);
    values[PG_SHDEPEND_DEPTYPE] = value_integer(kind);
    return tuple_insert(&work->access, PG_SHDEPEND, values, error);
}

enum sqlstate depend_on_owner(struct work *work, struct object object, uint32_t owner, struct error *error)
{
    return shared_insert(work, object, owner, 'o', error);
}

enum sqlstate depend_on_grantees(struct work *work, struct object object, const struct acl *acl,
                                 struct error *error)
{
    struct tuples found;
    bool shared = object.class == PG_DATABASE;
    const struct tuple_match matches[] = {
        {PG_SHDEPEND_DBID, value_integer(shared ? 0 : work->access.database)},
        {PG_SHDEPEND_CLASSID, value_integer(object.class)},
        {PG_SHDEPEND_OBJID, value_integer(object.oid)}};
    uint32_t owner = 0;
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_SHDEPEND, matches, 3, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        if (row[PG_SHDEPEND_DEPTYPE].i == 'o')
            owner = (uint32_t)row[PG_SHDEPEND_REFOBJID].i;
        else if (row[PG_SHDEPEND_OBJSUBID].i == object.part)
            failed = tuple_delete(&work->access, PG_SHDEPEND, &found.tuple[i], error);
    }
    for (uint32_t i = 0; !failed && i < acl->count; i++) {
        const struct role *role;
        if (!acl->items[i].grantee[0])
            continue;
        failed = catalog_role(work->view, acl->items[i].grantee, &role, error);
        if (!failed && role && role->oid != owner)
            failed = shared_insert(work, object, role->oid, 'a', error);
    }
    return failed;
}

enum sqlstate depend_on_new_owner(struct work *work, struct object object, uint32_t owner,
                                  const struct acl *acl, struct error *error)
{
    struct tuples found;
    bool shared = object.class == PG_DATABASE;
    const struct tuple_match matches[] = {
        {PG_SHDEPEND_DBID, value_integer(shared ? 0 : work->access.database)},
        {PG_SHDEPEND_CLASSID, value_integer(object.class)},
        {PG_SHDEPEND_OBJID, value_integer(object.oid)},
        {PG_SHDEPEND_DEPTYPE, value_integer('o')}};
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_SHDEPEND, matches, 4, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++)
        failed = tuple_delete(&work->access, PG_SHDEPEND, &found.tuple[i], error);
    if (!failed)
        failed = depend_on_owner(work, object, owner, error);
    return failed ? failed : depend_on_grantees(work, object, acl, error);
}

enum sqlstate owner_forget(struct work *work, struct object object, struct error *error)
{
    struct tuples found;
    bool shared = object.class == PG_DATABASE || object.class == PG_TABLESPACE;
    const struct tuple_match matches[] = {
        {PG_SHDEPEND_DBID, value_integer(shared ? 0 : work->access.database)},
        {PG_SHDEPEND_CLASSID, value_integer(object.class)},
        {PG_SHDEPEND_OBJID, value_integer(object.oid)}};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_SHDEPEND, matches, 3, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++)
        failed = tuple_delete(&work->access, PG_SHDEPEND, &found.tuple[i], error);
    return failed;
}

/* ---- expressions ---- */

/* Queries in queries. */
#define LEVELS_MAX 256

struct noting {
    struct work *work;
    struct object dependent;
    const struct relation *self;
    const struct query *level[LEVELS_MAX]; /* outermost first */
    uint32_t levels;
    struct error *error;
    enum sqlstate failed;
    uint32_t count, room;
    struct object *noted;
};

static void note(struct noting *noting, struct object referenced, char kind)
{
    if (noting->failed || referenced.oid < OID_USER_FIRST)
        return;
    for (uint32_t i = 0; i < noting->count; i++)
        if (memcmp(&noting->noted[i], &referenced, sizeof referenced) == 0)
            return;
    if (noting->count == noting->room) {
        uint32_t room = noting->room ? 2 * noting->room : 16;
        struct object *noted = scope_alloc(noting->work->scope, room * sizeof *noted);
        if (noting->count)
            memcpy(noted, noting->noted, noting->count * sizeof *noted);
        noting->noted = noted;
        noting->room = room;
    }
    noting->noted[noting->count++] = referenced;
    noting->failed = depend(noting->work, noting->dependent, referenced, kind, noting->error);
}

static void note_query(struct noting *noting, const struct query *query);

/* A column of a query's range: of the relation behind it, through joins. */
static void note_column(struct noting *noting, const struct expression *expression)
{
    const struct relation *relation = noting->self;
    if (expression->level < noting->levels) {
        const struct query *query = noting->level[noting->levels - 1 - expression->level];
        if (expression->range >= query->ranges)
            return;
        relation = query->range[expression->range].relation;
    }
    if (relation && expression->number > 0)
        note(noting, (struct object){PG_CLASS, relation->oid, expression->number},
             relation == noting->self ? 'a' : 'n');
}

static void note_constant(struct noting *noting, const struct expression *expression)
{
    if (expression->constant.null)
        return;
    if (expression->type->oid == TYPE_REGCLASS)
        note(noting, (struct object){PG_CLASS, (uint32_t)expression->constant.i, 0}, 'n');
    if (expression->type->oid == TYPE_REGTYPE)
        note(noting, (struct object){PG_TYPE, (uint32_t)expression->constant.i, 0}, 'n');
}

static void note_expression(void *argument, struct expression *expression)
{
    struct noting *noting = argument;
    if (!expression || noting->failed)
        return;
    if (expression->kind == EXPRESSION_COLUMN)
        note_column(noting, expression);
    if (expression->kind == EXPRESSION_CONSTANT)
        note_constant(noting, expression);
    if (expression->procedure)
        note(noting, (struct object){PG_PROC, expression->procedure->oid, 0}, 'n');
    if (expression->type)
        note(noting, (struct object){PG_TYPE, expression->type->oid, 0}, 'n');
    if (expression->written)
        note_expression(noting, (struct expression *)(uintptr_t)expression->written);
    if (expression->query)
        note_query(noting, expression->query);
    expression_children(expression, note_expression, noting);
}

enum sqlstate depend_on_expression(struct work *work, struct object dependent,
                                   const struct expression *expression, const struct relation *self,
                                   struct error *error)
{
    struct noting noting = {.work = work, .dependent = dependent, .self = self, .error = error};
    note_expression(&noting, (struct expression *)expression);
    return noting.failed;
}

static void note_from(struct noting *noting, const struct from *from)
{
    if (!from || noting->failed)
        return;
    note_expression(noting, from->condition);
    note_from(noting, from->left);
    note_from(noting, from->right);
}

static void note_keys(struct noting *noting, const struct sort_key *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        note_expression(noting, keys[i].expression);
}

static void note_ranges(struct noting *noting, const struct query *query)
{
    for (uint32_t i = 0; i < query->commons; i++)
        note_query(noting, query->common[i]->query);
    for (uint32_t i = 0; i < query->ranges; i++) {
        const struct range *range = &query->range[i];
        if (range->kind == RANGE_RELATION && range->relation)
            note(noting, (struct object){PG_CLASS, range->relation->oid, 0}, 'n');
        if (range->kind == RANGE_SUBQUERY &&
            range->relation) /* a view: what is behind it is its own affair */
            note(noting, (struct object){PG_CLASS, range->relation->oid, 0}, 'n');
        else if (range->kind == RANGE_SUBQUERY && range->query)
            note_query(noting, range->query);
    }
    for (uint32_t i = 0; i < query->ranges; i++) {
        const struct range *range = &query->range[i];
        for (uint32_t f = 0; f < range->functions; f++)
            note_expression(noting, range->function[f]);
        for (uint32_t v = 0; v < range->values * range->columns; v++)
            note_expression(noting, range->value[v / range->columns][v % range->columns]);
    }
}

static void note_query(struct noting *noting, const struct query *query)
{
    if (noting->levels == LEVELS_MAX) {
        noting->failed =
            error_set(noting->error, SQLSTATE_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
        return;
    }
    noting->level[noting->levels++] = query;
    note_ranges(noting, query);
    for (uint32_t i = 0; i < query->targets; i++)
        note_expression(noting, query->target[i].expression);
    for (uint32_t i = 0; i < query->froms; i++)
        note_from(noting, query->from[i]);
    note_expression(noting, query->where);
    note_expression(noting, query->having);
    note_expression(noting, query->limit);
    note_expression(noting, query->offset);
    note_keys(noting, query->group, query->groups);
    note_keys(noting, query->order, query->orders);
    note_keys(noting, query->distinct_key, query->distinct_on);
    for (uint32_t i = 0; i < query->windows; i++) {
        note_keys(noting, query->window[i].partition, query->window[i].partitions);
        note_keys(noting, query->window[i].order, query->window[i].orders);
    }
    noting->levels--;
}

enum sqlstate depend_on_query(struct work *work, struct object dependent, const struct query *query,
                              struct error *error)
{
    struct noting noting = {.work = work, .dependent = dependent, .error = error};
    note_query(&noting, query);
    return noting.failed;
}

enum sqlstate depend_forget(struct work *work, struct object dependent, char kind, uint32_t class,
                            struct error *error)
{
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_CLASSID, value_integer(dependent.class)},
                                          {PG_DEPEND_OBJID, value_integer(dependent.oid)}};
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_DEPEND, matches, 2, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        if ((!kind || row[PG_DEPEND_DEPTYPE].i == kind) && (!class || row[PG_DEPEND_REFCLASSID].i == class) &&
            (!dependent.part || row[PG_DEPEND_OBJSUBID].i == dependent.part))
            failed = tuple_delete(&work->access, PG_DEPEND, &found.tuple[i], error);
    }
    return failed;
}

/* ---- dropping ---- */

/* Why a thing is among those to be dropped. */
enum reason {
    ASKED = 1, /* named in the statement */
    PART,      /* of one that is dropped: goes silently */
    CASCADED   /* depends on one: only with CASCADE */
};

struct doomed {
    struct object object;
    enum reason reason;
    struct object because; /* what it depends on */
};

struct drop {
    struct work *work;
    struct doomed *doomed;
    uint32_t count, room;
};

static struct doomed *doomed_find(struct drop *drop, struct object object)
{
    for (uint32_t i = 0; i < drop->count; i++) {
        const struct object *known = &drop->doomed[i].object;
        if (known->class == object.class && known->oid == object.oid &&
            (known->part == object.part || known->part == 0))
            return &drop->doomed[i];
    }
    return NULL;
}

static void doomed_add(struct drop *drop, struct object object, enum reason reason, struct object because)
{
    if (drop->count == drop->room) {
        uint32_t room = drop->room ? 2 * drop->room : 32;
        struct doomed *doomed = scope_alloc(drop->work->scope, room * sizeof *doomed);
        if (drop->count)
            memcpy(doomed, drop->doomed, drop->count * sizeof *doomed);
        drop->doomed = doomed;
        drop->room = room;
    }
    drop->doomed[drop->count++] = (struct doomed){.object = object, .reason = reason, .because = because};
}

/* What a part belongs to: dropping it alone is refused, reaching it through something else drops the whole. */
static enum sqlstate whole_of(struct drop *drop, struct object object, struct object *whole, bool *found,
                              struct error *error)
{
    struct tuples tuples;
    const struct tuple_match matches[] = {{PG_DEPEND_CLASSID, value_integer(object.class)},
                                          {PG_DEPEND_OBJID, value_integer(object.oid)},
                                          {PG_DEPEND_OBJSUBID, value_integer(object.part)}};
    *found = false;
    enum sqlstate failed =
        tuples_find(&drop->work->access, drop->work->scope, PG_DEPEND, matches, 3, &tuples, error);
    for (uint32_t i = 0; !failed && i < tuples.count; i++)
        if (tuples.tuple[i].values[PG_DEPEND_DEPTYPE].i == 'i') {
            *whole = (struct object){(uint32_t)tuples.tuple[i].values[PG_DEPEND_REFCLASSID].i,
                                     (uint32_t)tuples.tuple[i].values[PG_DEPEND_REFOBJID].i,
                                     (int32_t)tuples.tuple[i].values[PG_DEPEND_REFOBJSUBID].i};
            *found = true;
        }
    return failed;
}

/* Adds all that depends on doomed[at]. Later ones in the list are dropped first. */
static enum sqlstate find_dependents(struct drop *drop, uint32_t at, struct error *error)
{
    struct object object = drop->doomed[at].object;
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(object.class)},
                                          {PG_DEPEND_REFOBJID, value_integer(object.oid)},
                                          {PG_DEPEND_REFOBJSUBID, value_integer(object.part)}};
    enum sqlstate failed = tuples_find(&drop->work->access, drop->work->scope, PG_DEPEND, matches,
                                       object.part ? 3 : 2, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        struct object dependent = {(uint32_t)row[PG_DEPEND_CLASSID].i, (uint32_t)row[PG_DEPEND_OBJID].i,
                                   (int32_t)row[PG_DEPEND_OBJSUBID].i};
        char kind = (char)row[PG_DEPEND_DEPTYPE].i;
        if (dependent.class == object.class && dependent.oid == object.oid)
            continue;
        struct doomed *known = doomed_find(drop, dependent);
        enum reason reason = kind == 'n' ? CASCADED : PART;
        if (known) {
            if (known->reason == CASCADED && reason == PART)
                known->reason = PART;
            continue;
        }
        bool inner;
        struct object whole;
        failed = kind == 'i' ? SQLSTATE_OK : whole_of(drop, dependent, &whole, &inner, error);
        if (!failed && kind != 'i' && inner && !doomed_find(drop, whole))
            doomed_add(drop, whole, reason, object); /* a view's rule: the view */
        else if (!failed && (kind == 'i' || !inner))
            doomed_add(drop, dependent, reason, object);
    }
    return failed;
}

/* A part of an asked-for thing through which others are reached is as good as asked for; the same goes for what cascaded
 * from a part. */
static enum sqlstate refuse_or_tell(struct drop *drop, bool cascade, struct error *error)
{
    struct text detail = text_in(drop->work->scope);
    uint32_t count = 0;
    const char *first = NULL, *whole;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < drop->count && !failed; i++) {
        const char *shown, *because;
        if (drop->doomed[i].reason != CASCADED)
            continue;
        failed = object_shown(drop->work, drop->doomed[i].object, &shown, error);
        if (!failed && !cascade)
            failed = object_shown(drop->work, drop->doomed[i].because, &because, error);
        if (failed)
            return failed;
        if (!first)
            first = shown;
        if (cascade)
            text_format(&detail, "%sdrop cascades to %s", count ? "\n" : "", shown);
        else
            text_format(&detail, "%s%s depends on %s", count ? "\n" : "", shown, because);
        count++;
    }
    if (!count || (failed = text_end(&detail, &whole, error)))
        return failed;
    if (cascade && count == 1) {
        work_notice(drop->work, SQLSTATE_OK, "drop cascades to %s", first);
    } else if (cascade) {
        struct error notice = {0};
        (void)!error_set(&notice, SQLSTATE_INTERNAL_ERROR, "drop cascades to %u other objects", count);
        error_add(&notice, ERROR_DETAIL, "%s", whole);
        notice.state = SQLSTATE_OK;
        if (drop->work->request->notice)
            drop->work->request->notice(drop->work->request->argument, DEFINE_NOTICE, &notice);
    } else {
        const char *asked;
        uint32_t named = 0;
        for (uint32_t i = 0; i < drop->count; i++)
            named += drop->doomed[i].reason == ASKED;
        if ((failed = object_shown(drop->work, drop->doomed[0].object, &asked, error)))
            return failed;
        if (named == 1)
            failed = error_set(error, SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST,
                               "cannot drop %s because other objects depend on it", asked);
        else
            failed = error_set(error, SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST,
                               "cannot drop desired object(s) because other objects depend on them");
        error_add(error, ERROR_DETAIL, "%s", whole);
        error_add(error, ERROR_HINT, "Use DROP ... CASCADE to drop the dependent objects too.");
    }
    return failed;
}

static enum sqlstate refuse_parts(struct drop *drop, struct object object, struct error *error)
{
    struct object whole;
    bool inner;
    const char *shown, *owner;
    enum sqlstate failed = whole_of(drop, object, &whole, &inner, error);
    if (failed || !inner || doomed_find(drop, whole))
        return failed;
    if ((failed = object_shown(drop->work, object, &shown, error)) ||
        (failed = object_shown(drop->work, whole, &owner, error)))
        return failed;
    failed = error_set(error, SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop %s because %s requires it",
                       shown, owner);
    error_add(error, ERROR_HINT, "You can drop %s instead.", owner);
    return failed;
}

/* Tables that lose their primary key but stay are keyed by row ids from now on. Index and constraint go first, so that the
 * descriptor says so. */
static enum sqlstate unkey_tables(struct drop *drop, struct error *error)
{
    struct work *work = drop->work;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < drop->count && !failed; i++) {
        const struct relation *before;
        struct tuple row;
        if (drop->doomed[i].object.class != PG_CONSTRAINT)
            continue;
        failed =
            tuple_by_oid(&work->access, work->scope, PG_CONSTRAINT, drop->doomed[i].object.oid, &row, error);
        if (failed || !row.values || row.values[PG_CONSTRAINT_CONTYPE].i != CONSTRAINT_PRIMARY ||
            row.values[PG_CONSTRAINT_CONDEFERRABLE].i)
            continue;
        struct object table = {PG_CLASS, (uint32_t)row.values[PG_CONSTRAINT_CONRELID].i, 0};
        const struct doomed *whole = doomed_find(drop, table);
        if (whole && whole->object.part == 0)
            continue;
        failed = catalog_relation_by_oid(work->view, table.oid, &before, error);
        /* in the order of removal: what depends on the key, then its index, then itself */
        for (uint32_t k = drop->count; k-- > i && !failed;)
            if (drop->doomed[k].object.class != PG_CLASS || drop->doomed[k].object.part == 0)
                failed = object_remove(work, drop->doomed[k].object, error);
        if (!failed && before)
            failed = table_rewrite(work, before, NULL, error);
    }
    return failed;
}

/* All that goes, or why it must not. */
static enum sqlstate objects_doom(struct drop *drop, const struct object *objects, uint32_t count,
                                  bool cascade, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    transaction_statement(drop->work->access.transaction);
    for (uint32_t i = 0; i < count; i++)
        if (!doomed_find(drop, objects[i]))
            doomed_add(drop, objects[i], ASKED, objects[i]);
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = refuse_parts(drop, objects[i], error);
    for (uint32_t at = 0; at < drop->count && !failed; at++)
        failed = find_dependents(drop, at, error);
    return failed ? failed : refuse_or_tell(drop, cascade, error);
}

enum sqlstate object_may_go(struct work *work, struct object object, struct error *error)
{
    struct drop drop = {.work = work};
    return objects_doom(&drop, &object, 1, false, error);
}

enum sqlstate objects_drop(struct work *work, const struct object *objects, uint32_t count, bool cascade,
                           struct error *error)
{
    struct drop drop = {.work = work};
    enum sqlstate failed = objects_doom(&drop, objects, count, cascade, error);
    if (!failed)
        failed = unkey_tables(&drop, error);
    for (uint32_t i = drop.count; i-- > 0 && !failed;)
        failed = object_remove(work, drop.doomed[i].object, error);
    return failed ? failed : work_look_again(work, error);
}
