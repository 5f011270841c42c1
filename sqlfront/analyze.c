/* ANALYZE: one pass over a table on the cores that own it (sqlfront/statistics), written to pg_statistic and pg_class as
 * PostgreSQL has them there: pg_stats shows it, the planner reads it. Whatever is written counts as a change of the catalog, so
 * that plans made without it are made anew. */
#include "sqlfront/analyze.h"

#include "sqlfront/catalog/tuple.h"
#include "sqlfront/inside.h"
#include "sqlfront/parse/tree.h"
#include "sqlfront/statistics/statistics.h"
#include "sqlfront/value/array/array.h"

#include <math.h>
#include <stdlib.h>

/* Rows between two looks at whether others want the core. */
#define ROWS_AT_ONCE 512
/* PostgreSQL's pages, in which pg_class.relpages counts. */
#define PAGE_BYTES 8192
/* pg_statistic.stakind */
#define KIND_COMMON      1
#define KIND_HISTOGRAM   2
#define KIND_CORRELATION 3

struct analysis {
    struct session *session;
    struct scope *scope;
    struct catalog_view *view;
    struct transaction *transaction;
    struct tuple_access access;
    const struct relation *relation;
    uint32_t target;
    uint32_t wanted_count;
    uint16_t *wanted;
    uint32_t cores;
    struct gathering **gathering; /* one per core */
    struct table_size size;       /* as the engine counts it */
};

/* ---- the pass ---- */

struct taking {
    struct gathering *gathering;
    uint64_t place;
    enum sqlstate failed;
    struct error *error;
};

static bool take_row(void *argument, const struct store_row *row)
{
    struct taking *taking = argument;
    taking->failed = gathering_row(taking->gathering, row->row, taking->place++, taking->error);
    return !taking->failed;
}

/* A part's rows, on their owner. Another part of the same core may run between two batches: it takes from the same gathering. */
static enum sqlstate run_part(struct branch *branch, struct scope *scope, struct range_part *part,
                              void *argument, struct error *error)
{
    const struct analysis *analysis = argument;
    struct world *world = branch_world(branch);
    struct taking taking = {
        .gathering = analysis->gathering[world->core], .place = (uint64_t)part->number << 40, .error = error};
    struct store_sink sink = {.take = take_row, .argument = &taking};
    (void)scope;
    uint64_t *done = &analysis->session->progress.rows_done, from = taking.place;
    while (!part->cursor.done) {
        enum sqlstate failed = branch_scan(branch, part->table, &part->cursor, ROWS_AT_ONCE, &sink, error);
        __atomic_fetch_add(done, taking.place - from, __ATOMIC_RELAXED);
        from = taking.place;
        if (!failed)
            failed = taking.failed;
        if (!failed)
            failed = fiber_check_canceled(world->scheduler, error);
        if (failed)
            return failed;
        fiber_breathe(world->scheduler);
    }
    return SQLSTATE_OK;
}

static enum sqlstate gather(struct analysis *analysis, struct error *error)
{
    const struct relation *relation = analysis->relation;
    struct world *world = analysis->session->world;
    /* The owners of the rows have no catalog; types that are not built in are of use without one, but for arrays of them. */
    struct environment *environment =
        scope_copy(analysis->scope, &analysis->session->environment, sizeof *environment);
    environment->catalog = NULL;
    environment->session = NULL;
    enum sqlstate failed = table_measure(world, analysis->session->sessions->options.engine, relation->store,
                                         &analysis->size, error);
    struct gathering_request request = {
        .environment = environment,
        .layout = relation->layout,
        .types = relation->types,
        .wanted = analysis->wanted,
        .wanted_count = analysis->wanted_count,
        .columns = relation->columns,
        .rows_wanted = analysis->target * STATISTICS_ROWS_PER_TARGET,
        .rows_expected = (double)analysis->size.rows,
    };
    struct progress *progress = &analysis->session->progress;
    progress->rows_total = analysis->size.rows;
    progress->blocks_total = analysis->size.bytes / PROGRESS_BLOCK_BYTES;
    progress->figure[0] = 1; /* acquiring sample rows */
    world_random(world, &request.seed, sizeof request.seed);
    analysis->cores = world->cores;
    analysis->gathering = scope_alloc_zeroed(analysis->scope, world->cores * sizeof(struct gathering *));
    for (uint32_t core = 0; core < world->cores && !failed; core++) {
        request.seed += core;
        failed = gathering_open(analysis->scope, &request, &analysis->gathering[core], error);
    }
    const struct range_run run = {
        .table = relation->store, .range = {.to_open = true}, .run = run_part, .argument = analysis};
    return failed ? failed : transaction_run_range(analysis->transaction, &run, error);
}

/* ---- pg_statistic ---- */

/* The type whose operators order values of this one: pg_operator has none for varchar, enums and arrays of their own. */
static uint32_t operator_type(const struct type *type)
{
    if (type->element && type->length == -1 && type->order == ORDER_ARRAY)
        return TYPE_ANYARRAY;
    if (type->type_type == 'e')
        return TYPE_ANYENUM;
    if (type->type_type == 'c')
        return TYPE_RECORD;
    return type->oid == TYPE_VARCHAR ? TYPE_TEXT : type->oid;
}

static enum sqlstate operator_of(struct analysis *analysis, const char *name, const struct type *type,
                                 uint32_t *oid, struct error *error)
{
    const struct operator* const * found;
    uint32_t count, wanted = operator_type(type);
    enum sqlstate failed =
        catalog_operators(analysis->view, analysis->scope, "pg_catalog", name, &found, &count, error);
    *oid = 0;
    for (uint32_t i = 0; !failed && i < count && *oid == 0; i++)
        if (found[i]->left == wanted && found[i]->right == wanted)
            *oid = found[i]->oid;
    return failed;
}

struct statistic_row {
    struct value *values;
    uint32_t slots;
};

static enum sqlstate fill_slot(struct analysis *analysis, struct statistic_row *row, int kind,
                               uint32_t operator, uint32_t collation, const double *numbers,
                               uint32_t number_count, const struct type *type, const struct value *values,
                               uint32_t value_count, struct error *error)
{
    struct scope *scope = analysis->scope;
    uint32_t slot = row->slots++;
    enum sqlstate failed = SQLSTATE_OK;
    row->values[PG_STATISTIC_STAKIND1 + slot] = value_integer(kind);
    row->values[PG_STATISTIC_STAOP1 + slot] = value_integer(operator);
    row->values[PG_STATISTIC_STACOLL1 + slot] = value_integer(collation);
    if (number_count) {
        struct value *list = scope_alloc(scope, number_count * sizeof *list);
        for (uint32_t i = 0; i < number_count; i++)
            list[i] = value_float((double)(float)numbers[i]);
        failed = array_build_list(scope, type_builtin(TYPE_FLOAT4), list, number_count,
                                  &row->values[PG_STATISTIC_STANUMBERS1 + slot], error);
    }
    if (!failed && value_count)
        failed = array_build_list(scope, type, values, value_count,
                                  &row->values[PG_STATISTIC_STAVALUES1 + slot], error);
    return failed;
}

static enum sqlstate fill_slots(struct analysis *analysis, const struct column *column,
                                const struct column_statistics *statistics, struct statistic_row *row,
                                struct error *error)
{
    uint32_t equal, less;
    enum sqlstate failed = operator_of(analysis, "=", column->type, &equal, error);
    if (!failed)
        failed = operator_of(analysis, "<", column->type, &less, error);
    if (!failed && statistics->commons)
        failed = fill_slot(analysis, row, KIND_COMMON, equal, column->collation, statistics->share,
                           statistics->commons, column->type, statistics->common, statistics->commons, error);
    if (!failed && statistics->bounds)
        failed = fill_slot(analysis, row, KIND_HISTOGRAM, less, column->collation, NULL, 0, column->type,
                           statistics->bound, statistics->bounds, error);
    if (!failed && statistics->has_correlation)
        failed = fill_slot(analysis, row, KIND_CORRELATION, less, column->collation, &statistics->correlation,
                           1, NULL, NULL, 0, error);
    return failed;
}

static enum sqlstate write_row(struct analysis *analysis, const struct column *column,
                               const struct column_statistics *statistics, double rows, struct error *error)
{
    struct statistic_row row = {.values = tuple_make(analysis->scope, PG_STATISTIC)};
    const struct tuple_match match[] = {
        {PG_STATISTIC_STARELID, value_integer(analysis->relation->oid)},
        {PG_STATISTIC_STAATTNUM, value_integer(column->number)},
        {PG_STATISTIC_STAINHERIT, value_boolean(false)},
    };
    double distinct =
        statistics->grows && rows > 0 ? -statistics->distinct / rows : rint(statistics->distinct);
    row.values[PG_STATISTIC_STARELID] = match[0].value;
    row.values[PG_STATISTIC_STAATTNUM] = match[1].value;
    row.values[PG_STATISTIC_STAINHERIT] = match[2].value;
    row.values[PG_STATISTIC_STANULLFRAC] = value_float((double)(float)statistics->null_share);
    row.values[PG_STATISTIC_STAWIDTH] = value_integer((int64_t)statistics->width);
    row.values[PG_STATISTIC_STADISTINCT] = value_float((double)(float)distinct);
    for (int slot = 0; slot < 5; slot++) {
        row.values[PG_STATISTIC_STAKIND1 + slot] = value_integer(0);
        row.values[PG_STATISTIC_STAOP1 + slot] = value_integer(0);
        row.values[PG_STATISTIC_STACOLL1 + slot] = value_integer(0);
    }
    struct tuple old;
    enum sqlstate failed = fill_slots(analysis, column, statistics, &row, error);
    if (!failed)
        failed = tuple_find(&analysis->access, analysis->scope, PG_STATISTIC, match, 3, &old, error);
    if (failed)
        return failed;
    return old.values ? tuple_update(&analysis->access, PG_STATISTIC, &old, row.values, error)
                      : tuple_insert(&analysis->access, PG_STATISTIC, row.values, error);
}

/* ---- pg_class ---- */

static enum sqlstate write_size(struct analysis *analysis, uint32_t oid, double rows, double bytes,
                                struct error *error)
{
    struct tuple old;
    enum sqlstate failed = tuple_by_oid(&analysis->access, analysis->scope, PG_CLASS, oid, &old, error);
    if (failed || !old.values)
        return failed;
    struct value *values = tuple_make(analysis->scope, PG_CLASS);
    memcpy(values, old.values, tuple_columns(PG_CLASS) * sizeof *values);
    values[PG_CLASS_RELTUPLES] = value_float((double)(float)rows);
    values[PG_CLASS_RELPAGES] = value_integer((int64_t)ceil(bytes / PAGE_BYTES));
    return tuple_update(&analysis->access, PG_CLASS, &old, values, error);
}

static enum sqlstate write_sizes(struct analysis *analysis, double rows, struct error *error)
{
    const struct relation *relation = analysis->relation;
    double bytes = (double)analysis->size.bytes;
    enum sqlstate failed = write_size(analysis, relation->oid, rows, bytes, error);
    for (uint32_t i = 0; i < relation->indexes && !failed; i++) {
        const struct index *index = relation->index[i];
        struct table_size size = {0};
        failed = table_measure(analysis->session->world, analysis->session->sessions->options.engine,
                               index->store, &size, error);
        if (!failed)
            failed = index->clustered
                         ? write_size(analysis, index->oid, rows, bytes, error)
                         : write_size(analysis, index->oid, (double)size.rows, (double)size.bytes, error);
    }
    return failed;
}

/* ---- one relation ---- */

static enum sqlstate choose_columns(struct analysis *analysis, const char *const *names, uint32_t count,
                                    struct error *error)
{
    const struct relation *relation = analysis->relation;
    analysis->wanted = scope_alloc(analysis->scope, (relation->columns + 1) * sizeof analysis->wanted[0]);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < relation->columns &&
               (relation->column[at].dropped || strcmp(relation->column[at].name, names[i]) != 0))
            at++;
        if (at == relation->columns)
            return error_set(error, SQLSTATE_UNDEFINED_COLUMN,
                             "column \"%s\" of relation \"%s\" does not exist", names[i], relation->name);
        for (uint32_t j = 0; j < analysis->wanted_count; j++)
            if (analysis->wanted[j] == at)
                return error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '1'),
                                 "column \"%s\" of relation \"%s\" appears more than once", names[i],
                                 relation->name);
        analysis->wanted[analysis->wanted_count++] = (uint16_t)at;
    }
    for (uint32_t c = 0; count == 0 && c < relation->columns; c++)
        if (!relation->column[c].dropped)
            analysis->wanted[analysis->wanted_count++] = (uint16_t)c;
    return SQLSTATE_OK;
}

/* For pg_stat_user_tables. */
static enum sqlstate note_analyzed(struct session *session, struct scope *scope,
                                   const struct relation *relation, struct error *error)
{
    struct catalog *catalog = session->sessions->options.catalog;
    struct activity sum, *own = catalog_activity(catalog, session->identity.database, relation->oid);
    enum sqlstate failed =
        catalog_activity_sum(catalog, scope, session->identity.database, relation->oid, &sum, error);
    int64_t now = world_wall(session->world) - US_FROM_1970_TO_2000;
    bool by_itself = session->options.role == NULL;
    if (failed)
        return failed;
    own->changes_when_analyzed = sum.inserted + sum.updated + sum.deleted;
    *(by_itself ? &own->analyzed_by_itself : &own->analyzed) += 1;
    *(by_itself ? &own->analyzed_by_itself_at : &own->analyzed_at) = now;
    return SQLSTATE_OK;
}

enum sqlstate analyze_relation(struct session *session, struct catalog_view *view,
                               const struct relation *relation, const char *const *columns, uint32_t count,
                               struct error *error)
{
    struct analysis analysis = {
        .session = session,
        .scope = scope_open(session->scope, "analyze"),
        .view = view,
        .transaction = session->transaction,
        .access = {.catalog = session->sessions->options.catalog,
                   .transaction = session->transaction,
                   .database = session->identity.database},
        .relation = relation,
        .target = (uint32_t)atoi(settings_get(&session->settings, "default_statistics_target")),
    };
    session->progress = (struct progress){.command = "ANALYZE", .relation = relation->oid};
    enum sqlstate failed = choose_columns(&analysis, columns, count, error);
    if (!failed)
        failed =
            catalog_lock_relation(view, relation->oid, LOCK_SHARE_UPDATE_EXCLUSIVE, LOCK_WAIT, NULL, error);
    if (!failed) {
        transaction_statement(session->transaction); /* sees what one that was waited for wrote */
        failed = gather(&analysis, error);
    }
    session->progress.figure[0] = 3; /* computing statistics */
    double rows = 0;
    if (!failed)
        gatherings_even(analysis.gathering, analysis.cores);
    for (uint32_t core = 0; core < analysis.cores && !failed; core++)
        rows += (double)gathering_rows(analysis.gathering[core]);
    for (uint32_t w = 0; w < analysis.wanted_count && !failed && rows > 0; w++) {
        struct column_statistics statistics;
        failed = statistics_column(analysis.scope, analysis.gathering, analysis.cores, w, analysis.target,
                                   &statistics, error);
        if (!failed)
            failed = write_row(&analysis, &relation->column[analysis.wanted[w]], &statistics, rows, error);
        if (!failed)
            failed = fiber_check_canceled(session->world->scheduler, error);
        fiber_yield(session->world->scheduler);
    }
    if (!failed)
        failed = write_sizes(&analysis, rows, error);
    if (!failed)
        failed = note_analyzed(session, analysis.scope, relation, error);
    if (!failed) {
        session->catalog_changed = true;
        session->path_version = 0;
    }
    session->progress.command = NULL;
    fiber_close_scope(session->world->scheduler, analysis.scope);
    return failed;
}

/* ---- the statement ---- */

static bool option_is_on(const VacuumStmt *vacuum, const char *name, bool otherwise)
{
    for (int i = 0; i < list_length(vacuum->options); i++) {
        const DefElem *option = list_nth(vacuum->options, i);
        if (strcmp(option->defname, name) != 0)
            continue;
        if (!option->arg)
            return true;
        if (IsA(option->arg, Integer))
            return intVal(option->arg) != 0;
        return !IsA(option->arg, String) ||
               (strcmp(strVal(option->arg), "false") != 0 && strcmp(strVal(option->arg), "off") != 0);
    }
    return otherwise;
}

static enum sqlstate may_analyze(struct session *session, struct catalog_view *view, const char *verb,
                                 const struct relation *relation, bool *may, struct error *error)
{
    enum sqlstate failed = catalog_role_has(view, session->identity.role, relation->owner, may, error);
    if (failed)
        return failed;
    if (relation->kind != RELATION_TABLE)
        session_notice(session, SESSION_WARNING, SQLSTATE_OK,
                       "skipping \"%s\" --- cannot %s non-tables or special system tables", relation->name,
                       verb);
    else if (!*may && relation->system)
        session_notice(session, SESSION_WARNING, SQLSTATE_OK, "skipping \"%s\" --- only superuser can %s it",
                       relation->name, verb);
    else if (!*may)
        session_notice(session, SESSION_WARNING, SQLSTATE_OK,
                       "skipping \"%s\" --- only table or database owner can %s it", relation->name, verb);
    *may = *may && relation->kind == RELATION_TABLE;
    return SQLSTATE_OK;
}

static enum sqlstate vacuum_one(struct session *session, struct catalog_view *view, const VacuumStmt *vacuum,
                                const VacuumRelation *one, struct error *error)
{
    const struct relation *relation;
    const RangeVar *name = one->relation;
    bool may;
    enum sqlstate failed = catalog_relation(view, name->schemaname, name->relname, &relation, error);
    if (!failed && !relation)
        failed =
            name->schemaname
                ? error_set(error, SQLSTATE_UNDEFINED_TABLE, "relation \"%s.%s\" does not exist",
                            name->schemaname, name->relname)
                : error_set(error, SQLSTATE_UNDEFINED_TABLE, "relation \"%s\" does not exist", name->relname);
    if (!failed)
        failed =
            may_analyze(session, view, vacuum->is_vacuumcmd ? "vacuum" : "analyze", relation, &may, error);
    if (failed || !may || (vacuum->is_vacuumcmd && !option_is_on(vacuum, "analyze", false)))
        return failed;
    const char *columns[COLUMNS_MAX];
    uint32_t count = 0;
    for (int i = 0; i < list_length(one->va_cols) && count < COLUMNS_MAX; i++)
        columns[count++] = strVal(list_nth(one->va_cols, i));
    return analyze_relation(session, view, relation, columns, count, error);
}

/* All tables of the database that the role owns; not those of pg_catalog, whose look-ups are not planned by statistics. */
static enum sqlstate vacuum_all(struct session *session, struct catalog_view *view, struct scope *scope,
                                struct error *error)
{
    const struct tuple_access access = {.catalog = session->sessions->options.catalog,
                                        .transaction = session->transaction,
                                        .database = session->identity.database};
    struct tuples all;
    enum sqlstate failed = tuples_find(&access, scope, PG_CLASS, NULL, 0, &all, error);
    for (uint32_t i = 0; !failed && i < all.count; i++) {
        const struct value *values = all.tuple[i].values;
        const struct relation *relation;
        bool owner;
        if (values[PG_CLASS_RELKIND].i != RELATION_TABLE || values[PG_CLASS_OID].i < OID_USER_FIRST)
            continue;
        failed = catalog_relation_by_oid(view, (uint32_t)values[PG_CLASS_OID].i, &relation, error);
        if (!failed && relation)
            failed = catalog_role_has(view, session->identity.role, relation->owner, &owner, error);
        if (!failed && relation && owner &&
            (relation->persistence != 't' || relation->schema == session->identity.temporary_schema))
            failed = analyze_relation(session, view, relation, NULL, 0, error);
    }
    return failed;
}

enum sqlstate vacuum_run(struct session *session, const struct VacuumStmt *vacuum, const char **tag,
                         struct error *error)
{
    struct catalog_view *view;
    *tag = vacuum->is_vacuumcmd ? "VACUUM" : "ANALYZE";
    enum sqlstate failed = SQLSTATE_OK;
    if (vacuum->is_vacuumcmd)
        failed = transaction_require_none(session, "VACUUM", error);
    if (failed)
        return failed;
    struct scope *work = scope_open(session->scope, "vacuum");
    failed = session_view(session, work, &view, error);
    if (!failed)
        transaction_statement(session->transaction);
    for (int i = 0; i < list_length(vacuum->rels) && !failed; i++)
        failed = vacuum_one(session, view, vacuum, list_nth(vacuum->rels, i), error);
    if (!failed && list_length(vacuum->rels) == 0 &&
        (!vacuum->is_vacuumcmd || option_is_on(vacuum, "analyze", false)))
        failed = vacuum_all(session, view, work, error);
    session->environment.catalog = NULL;
    fiber_close_scope(session->world->scheduler, work);
    return failed;
}
