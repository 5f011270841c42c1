/* Portals: statements being run, those of the protocol and SQL's cursors (PostgreSQL manual, 55.2.3; DECLARE, FETCH).
 *
 *     portal_make --> READY --portal_run / FETCH--> RUNNING --end of the rows--> DONE
 *                                                      |
 *                                                   an error --> the transaction ends it
 *
 * An execution reads at its statement's snapshot, of which the transaction has one at a time: before anything else is run, whatever
 * is under way is settled, that is, read to its end into a spool. Cursors always read through a spool, of which those that are
 * not SCROLL keep the last CURSOR_PAST_ROWS_MAX rows. */
#include "sqlfront/inside.h"

#include "sqlfront/parse/tree.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct portal *portal_find(struct session *session, const char *name)
{
    return *name ? map_find(&session->portals, bytes_of_text(name)) : session->unnamed;
}

enum sqlstate portal_make(struct session *session, const char *name, struct statement *statement,
                          struct portal **made, struct error *error)
{
    struct portal *there = name ? portal_find(session, name) : NULL;
    if (there && *name)
        return error_set(error, SQLSTATE_PACK('4', '2', 'P', '0', '3'), "cursor \"%s\" already exists", name);
    if (there)
        portal_drop(there);
    struct scope *scope = scope_open(session->scope, "portal");
    struct portal *portal = scope_alloc_zeroed(scope, sizeof *portal);
    portal->name = name && *name ? scope_copy_text(scope, name) : "";
    portal->nameless = !name;
    portal->session = session;
    portal->scope = scope;
    portal->statement = statement;
    portal->depth = session->savepoint ? session->savepoint->depth : 0;
    portal->time = session->environment.statement_time;
    enum sqlstate failed = *portal->name
                               ? map_put(&session->portals, bytes_of_text(portal->name), portal, NULL, error)
                               : SQLSTATE_OK;
    if (failed) {
        scope_close(scope);
        return failed;
    }
    if (name && !*name)
        session->unnamed = portal;
    list_append(&session->portals_made, &portal->link);
    statement_hold(statement);
    *made = portal;
    return SQLSTATE_OK;
}

/* The execution is over: its memory, and the view it read by, go. */
static void execution_end(struct portal *portal)
{
    struct scheduler *scheduler = portal->session->world->scheduler;
    if (portal->execution)
        execution_count(portal->execution);
    if (portal->running)
        fiber_close_scope(scheduler, portal->running);
    portal->running = NULL;
    portal->execution = NULL;
    portal->batch = NULL;
    portal->batch_at = 0;
    portal->complete = true;
}

void portal_drop(struct portal *portal)
{
    struct session *session = portal->session;
    if (*portal->name)
        map_remove(&session->portals, bytes_of_text(portal->name));
    if (session->unnamed == portal)
        session->unnamed = NULL;
    list_remove(&portal->link);
    execution_end(portal);
    if (portal->recipe)
        recipe_release(session->sessions->plans, portal->recipe);
    struct statement *statement = portal->statement;
    fiber_close_scope(session->world->scheduler, portal->scope);
    statement_release(session, statement);
}

void portals_drop(struct session *session, uint64_t depth, bool committed)
{
    list_each_safe (&session->portals_made, at) {
        struct portal *portal = container_of(at, struct portal, link);
        bool older = depth > 0 && portal->depth < depth;
        bool held = portal->hold && portal->complete && (committed || portal->depth == UINT64_MAX);
        if (older)
            continue;
        if (held) {
            portal->depth = UINT64_MAX; /* of no transaction any more */
            continue;
        }
        /* The statement that ends the transaction is itself run by one. */
        if (portal->state == PORTAL_RUNNING && !portal->recipe)
            continue;
        portal_drop(portal);
    }
}

enum sqlstate portal_start(struct portal *portal, struct error *error)
{
    struct session *session = portal->session;
    struct statement *statement = portal->statement;
    struct catalog_view *view;
    if (!statement->node)
        return SQLSTATE_OK;
    if (!statement->plannable) {
        const struct session_shape *shape = NULL;
        if (session->state == TRANSACTION_FAILED)
            return SQLSTATE_OK;
        enum sqlstate failed = utility_shape(session, portal->scope, statement, &shape, error);
        if (!failed && shape)
            portal->shape = *shape;
        return failed;
    }
    if (portal->recipe) {
        portal->shape = portal->recipe->shape;
        return SQLSTATE_OK;
    }
    struct scope *work = scope_open(portal->scope, "describe");
    enum sqlstate failed = session_view(session, work, &view, error);
    if (!failed)
        failed = statement_recipe(session, statement, &portal->types, view, &portal->recipe, error);
    if (!failed)
        portal->shape = portal->recipe->shape;
    fiber_close_scope(session->world->scheduler, work);
    return failed;
}

/* Tables that the query (or one of its WITH queries) writes to or locks rows of: their definition stays what it is until the
 * transaction ends, and no DDL under way is overtaken. *waited tells that something may have changed. */
static enum sqlstate written_lock(struct catalog_view *view, const struct query *query, bool *waited,
                                  struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    bool one = false;
    if (query->kind != QUERY_SELECT)
        failed = catalog_lock_relation(view, query->range[query->result].relation->oid, LOCK_ROW_EXCLUSIVE,
                                       LOCK_WAIT, &one, error);
    *waited |= one;
    for (uint32_t i = 0; i < query->locks && !failed; i++) {
        const struct range *range = &query->range[query->lock[i].range];
        if (!range->relation)
            continue;
        failed = catalog_lock_relation(view, range->relation->oid, LOCK_ROW_SHARE, LOCK_WAIT, &one, error);
        *waited |= one;
    }
    for (uint32_t i = 0; i < query->commons && !failed; i++)
        failed = written_lock(view, query->common[i]->query, waited, error);
    return failed;
}

/* Makes sure that the recipe is of the catalog as it is, and stays so where the statement writes: its locks are taken first, then
 * it is looked whether anything was changed before they were granted. */
static enum sqlstate recipe_settle(struct portal *portal, struct transaction *transaction,
                                   struct catalog_view **view, struct error *error)
{
    struct session *session = portal->session;
    struct statement *statement = portal->statement;
    for (bool again = false;; again = true) {
        struct recipe *recipe = portal->recipe;
        bool waited = false, writes = !recipe->planned->reads_only;
        enum sqlstate failed = writes ? written_lock(*view, recipe->query, &waited, error) : SQLSTATE_OK;
        if (failed || (again && !waited))
            return failed;
        bool current =
            recipe->own || session->catalog_changed || recipe->catalog_version == catalog_view_version(*view);
        if (!waited && current && (!writes || catalog_view_stands(*view)))
            return SQLSTATE_OK;
        transaction_statement(transaction);
        failed = session_view(session, portal->running, view, error);
        if (failed)
            return failed;
        failed = statement_recipe(session, statement, &recipe->parameters, *view, &portal->recipe, error);
        if (failed)
            return failed;
        recipe_release(session->sessions->plans, recipe);
        portal->shape = portal->recipe->shape;
    }
}

enum sqlstate portal_plan(struct portal *portal, struct error *error)
{
    if (portal->planned)
        return SQLSTATE_OK;
    return recipe_plan(portal->session, portal->recipe, portal->scope, portal->values, portal->parameters,
                       &portal->planned, error);
}

static enum sqlstate execution_start(struct portal *portal, struct error *error)
{
    struct session *session = portal->session;
    struct catalog_view *view;
    struct transaction *transaction;
    enum sqlstate failed = portals_settle(session, portal, error);
    if (failed)
        return failed;
    portal->running = scope_open(portal->scope, "execution");
    uint64_t version = catalog_version(session->sessions->options.catalog);
    failed = transaction_take(session, &transaction, error);
    if (!failed)
        failed = transaction_catch_up(transaction, error);
    if (!failed)
        transaction_statement(transaction);
    if (!failed)
        failed = session_view(session, portal->running, &view, error);
    if (!failed)
        failed = recipe_settle(portal, transaction, &view, error);
    /* An index may have been made since the snapshot was taken, which would find nothing in it. */
    if (!failed && (catalog_view_version(view) != version || !catalog_view_stands(view)))
        transaction_statement(transaction);
    if (!failed)
        failed = recipe_check(session, portal->recipe, view, error);
    if (failed)
        return failed;
    if (portal->parameters < portal->recipe->parameters.count)
        return error_set(error, SQLSTATE_PACK('4', '2', 'P', '0', '2'), "there is no parameter $%u",
                         portal->parameters + 1);
    session->statements_run = true;
    portal->planned = NULL;
    if ((failed = portal_plan(portal, error)))
        return failed;
    const struct execution_request request = {
        .world = session->world,
        .scope = portal->running,
        .engine = session->sessions->options.engine,
        .catalog = session->sessions->options.catalog,
        .view = view,
        .transaction = transaction,
        .environment = &session->environment,
        .parameters = portal->values,
        .parameter_count = portal->parameters,
        .analyze = portal->analyze,
        .isolation = session->isolation,
        .point = portal->planned == portal->recipe->planned ? portal->recipe->point : NULL,
        .deferred = session->deferred,
        .memory_grant = session->grants.memory,
        .hash_grant = session->grants.hash,
        .temporary_limit = session->grants.temporary,
    };
    failed = execution_open(&request, portal->planned, &portal->execution, error);
    if (!failed)
        portal->state = PORTAL_RUNNING;
    return failed;
}

/* The next batch. A definition that settles portals looks at the catalog with a view of its own; functions of the portal's
 * rows want one, too. */
static enum sqlstate execution_step(struct portal *portal, struct error *error)
{
    struct session *session = portal->session;
    struct catalog_view *view;
    if (session->environment.catalog)
        return execution_next(portal->execution, &portal->batch, error);
    struct scope *scope = scope_open(portal->scope, "view");
    enum sqlstate failed = session_view(session, scope, &view, error);
    if (!failed)
        failed = execution_next(portal->execution, &portal->batch, error);
    session->environment.catalog = NULL;
    fiber_close_scope(session->world->scheduler, scope);
    return failed;
}

/* The next rows of the execution, past any spool. */
static enum sqlstate execution_pull(struct portal *portal, uint32_t most, struct session_rows *rows,
                                    struct error *error)
{
    struct session *session = portal->session;
    *rows = (struct session_rows){.shape = &portal->shape};
    if (portal->complete)
        return SQLSTATE_OK;
    if (!portal->execution) {
        enum sqlstate failed = execution_start(portal, error);
        if (failed)
            return failed;
    }
    if (portal->batch && portal->batch_at == portal->batch->count)
        portal->batch = NULL;
    if (!portal->batch) {
        enum sqlstate failed = fiber_check_canceled(session->world->scheduler, error);
        if (!failed)
            failed = execution_step(portal, error);
        if (failed)
            return failed;
        portal->batch_at = 0;
    }
    if (!portal->batch) {
        portal->rows = execution_rows(portal->execution);
        if (portal->keep)
            portal->complete = true;
        else
            execution_end(portal);
        return SQLSTATE_OK;
    }
    const struct batch *batch = portal->batch;
    uint32_t count = batch->count - portal->batch_at;
    if (most && count > most)
        count = most;
    rows->columns = batch->column;
    rows->rows = count;
    rows->selection = batch->selection ? batch->selection + portal->batch_at : NULL;
    if (!batch->selection && portal->batch_at > 0) {
        const struct value **columns = scope_alloc(portal->running, batch->columns * sizeof *columns);
        for (uint32_t c = 0; c < batch->columns; c++)
            columns[c] = batch->column[c] + portal->batch_at;
        rows->columns = columns;
    }
    portal->batch_at += count;
    return SQLSTATE_OK;
}

enum sqlstate portal_pull(struct portal *portal, uint32_t most, struct session_rows *rows,
                          struct error *error)
{
    if (portal->spool && portal->at < portal->spool_first + spool_count(portal->spool)) {
        enum sqlstate failed = spool_rows(portal->spool, portal->at - portal->spool_first, most, rows, error);
        rows->shape = &portal->shape;
        portal->at += rows->rows;
        return failed;
    }
    enum sqlstate failed = execution_pull(portal, most, rows, error);
    if (!failed)
        portal->at += rows->rows;
    return failed;
}

static void spool_make(struct portal *portal)
{
    if (portal->spool)
        return;
    portal->spool = spool_open(portal->session, scope_open(portal->scope, "spool"), &portal->shape);
    portal->spool_first = portal->at;
}

enum sqlstate portal_settle(struct portal *portal, struct error *error)
{
    spool_make(portal);
    for (;;) {
        struct session_rows rows;
        enum sqlstate failed = execution_pull(portal, 0, &rows, error);
        if (failed || rows.rows == 0)
            return failed;
        failed = spool_add(portal->spool, &rows, error);
        if (failed)
            return failed;
    }
}

enum sqlstate portals_settle(struct session *session, const struct portal *but, struct error *error)
{
    list_each (&session->portals_made, at) {
        struct portal *portal = container_of(at, struct portal, link);
        if (portal == but || !portal->execution)
            continue;
        enum sqlstate failed = portal_settle(portal, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* ---- running ---- */

static void tag_write(struct portal *portal, uint64_t given)
{
    static const char *const words[] = {[QUERY_SELECT] = "SELECT ",
                                        [QUERY_INSERT] = "INSERT 0 ",
                                        [QUERY_UPDATE] = "UPDATE ",
                                        [QUERY_DELETE] = "DELETE ",
                                        [QUERY_MERGE] = "MERGE "};
    uint8_t kind = portal->recipe->query->kind;
    uint64_t rows = kind == QUERY_SELECT ? given : portal->rows;
    size_t size = strlen(words[kind]), digits = 1;
    for (uint64_t left = rows; left >= 10; left /= 10)
        digits++;
    memcpy(portal->tag, words[kind], size);
    portal->tag[size + digits] = '\0';
    for (; digits > 0; rows /= 10)
        portal->tag[size + --digits] = (char)('0' + rows % 10);
}

enum sqlstate portal_send(struct portal *portal, uint32_t rows_max, bool *more, struct error *error)
{
    struct session_sink *sink = portal->session->options.sink;
    uint64_t given = 0;
    bool visible = portal->shape.columns != NULL;
    *more = false;
    /* What writes is done as a whole, however many of its rows the client wants to see now. */
    if (rows_max && !portal->complete && !portal->recipe->planned->reads_only && visible) {
        enum sqlstate failed = portal_settle(portal, error);
        if (failed)
            return failed;
    }
    for (;;) {
        struct session_rows rows;
        uint32_t most = rows_max ? rows_max - (uint32_t)given : 0;
        *more = rows_max && most == 0;
        if (*more)
            return SQLSTATE_OK;
        enum sqlstate failed = portal_pull(portal, most, &rows, error);
        if (!failed && rows.rows == 0)
            break;
        if (!failed && visible)
            failed = sink->ops->rows(sink, &rows, error);
        if (failed)
            return failed;
        given += rows.rows;
    }
    portal->state = PORTAL_DONE;
    tag_write(portal, given);
    return SQLSTATE_OK;
}

enum sqlstate portal_run(struct portal *portal, uint32_t rows_max, struct error *error)
{
    struct session *session = portal->session;
    struct session_sink *sink = session->options.sink;
    bool reads = portal->recipe && portal->recipe->query->kind == QUERY_SELECT, more = false;
    if (portal->state == PORTAL_FAILED || (portal->state == PORTAL_DONE && !reads))
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE, "portal \"%s\" cannot be run",
                         portal->name);
    if (portal->statement->plannable) {
        enum sqlstate failed = portal_send(portal, rows_max, &more, error);
        if (failed)
            return failed;
        return more ? sink->ops->suspended(sink, error) : sink->ops->complete(sink, portal->tag, error);
    }
    const char *tag = NULL;
    portal->state = PORTAL_RUNNING;
    enum sqlstate failed = utility_run(session, portal, &tag, error);
    portal->state = failed ? PORTAL_FAILED : PORTAL_DONE;
    return failed ? failed : sink->ops->complete(sink, tag, error);
}

/* ---- cursors ---- */

enum sqlstate portal_declare(struct session *session, struct statement *outer,
                             const DeclareCursorStmt *declare, const struct portal *by, struct error *error)
{
    bool hold = declare->options & CURSOR_OPT_HOLD, scroll = declare->options & CURSOR_OPT_SCROLL;
    struct portal *portal;
    if (!hold && !transaction_is_block(session)) {
        enum sqlstate failed = transaction_require_block(session, "DECLARE CURSOR", error);
        return failed;
    }
    if (scroll && declare->options & CURSOR_OPT_NO_SCROLL)
        return error_set(error, SQLSTATE_PACK('4', '2', 'P', '1', '1'),
                         "cannot specify both SCROLL and NO SCROLL");
    if (declare->options & CURSOR_OPT_ASENSITIVE && declare->options & CURSOR_OPT_INSENSITIVE)
        return error_set(error, SQLSTATE_PACK('4', '2', 'P', '1', '1'),
                         "cannot specify both ASENSITIVE and INSENSITIVE");
    struct statement *statement = statement_within(session, outer, (const struct Node *)declare->query);
    statement->given = outer->given;
    statement->given_types = outer->given_types;
    if (!statement->plannable || !IsA(declare->query, SelectStmt)) {
        statement_release(session, statement);
        return error_set(error, SQLSTATE_PACK('4', '2', 'P', '1', '1'),
                         "DECLARE CURSOR can only be used with SELECT");
    }
    enum sqlstate failed = portal_make(session, declare->portalname, statement, &portal, error);
    statement_release(session, statement);
    if (failed)
        return failed;
    portal->is_cursor = true;
    portal->hold = hold;
    portal->scroll = scroll;
    portal->no_scroll = declare->options & CURSOR_OPT_NO_SCROLL;
    portal->binary = declare->options & CURSOR_OPT_BINARY;
    portal->parameters = by->parameters;
    if (by->parameters) {
        portal->values = scope_alloc(portal->scope, by->parameters * sizeof *portal->values);
        for (uint32_t i = 0; i < by->parameters && !failed; i++)
            failed =
                value_copy(portal->scope,
                           session->environment.type_find(
                               &session->environment, by->recipe ? by->recipe->parameters.oid[i] : TYPE_TEXT),
                           &by->values[i], &portal->values[i], error);
    }
    if (!failed)
        failed = portal_start(portal, error);
    if (!failed && portal->binary) {
        struct session_column *columns =
            scope_copy(portal->scope, portal->shape.columns, (portal->shape.count + 1) * sizeof *columns);
        for (uint32_t c = 0; c < portal->shape.count; c++)
            columns[c].format = 1;
        portal->shape.columns = columns;
    }
    /* It reads as of now. */
    if (!failed)
        failed = execution_start(portal, error);
    if (failed)
        portal_drop(portal);
    return failed;
}

/* Forgets rows far behind a cursor that does not scroll. */
static void past_forget(struct portal *portal)
{
    uint64_t kept = spool_count(portal->spool);
    if (portal->scroll || portal->hold || portal->complete || kept < CURSOR_PAST_ROWS_MAX ||
        portal->at < portal->spool_first + kept)
        return;
    struct spool *old = portal->spool;
    portal->spool = NULL;
    spool_make(portal);
    scope_close(spool_scope(old));
}

/* Sees to it that the first `upto` rows are in the spool, as far as there are so many. */
static enum sqlstate cursor_reach(struct portal *portal, uint64_t upto, struct error *error)
{
    spool_make(portal);
    while (!portal->complete && portal->spool_first + spool_count(portal->spool) < upto) {
        struct session_rows rows;
        enum sqlstate failed = execution_pull(portal, 0, &rows, error);
        if (!failed && rows.rows > 0)
            failed = spool_add(portal->spool, &rows, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static uint64_t cursor_rows(const struct portal *portal)
{
    return portal->spool_first + (portal->spool ? spool_count(portal->spool) : 0);
}

struct fetch {
    struct portal *portal;
    bool send;
    uint64_t count; /* rows given */
};

/* Gives rows (from, from+count], in order. */
static enum sqlstate fetch_give(struct fetch *fetch, uint64_t from, uint64_t count, struct error *error)
{
    struct portal *portal = fetch->portal;
    struct session_sink *sink = portal->session->options.sink;
    while (count > 0) {
        struct session_rows rows;
        enum sqlstate failed = spool_rows(portal->spool, from - portal->spool_first,
                                          count > UINT32_MAX ? 0 : (uint32_t)count, &rows, error);
        rows.shape = &portal->shape;
        if (!failed && fetch->send)
            failed = sink->ops->rows(sink, &rows, error);
        if (failed)
            return failed;
        from += rows.rows;
        count -= rows.rows;
        fetch->count += rows.rows;
    }
    return SQLSTATE_OK;
}

static enum sqlstate fetch_forward(struct fetch *fetch, uint64_t count, struct error *error)
{
    enum { PIECE_ROWS = 1024 };
    struct portal *portal = fetch->portal;
    while (count > 0 && !portal->past_end) {
        uint64_t piece = count < PIECE_ROWS ? count : PIECE_ROWS;
        enum sqlstate failed = fiber_check_canceled(portal->session->world->scheduler, error);
        if (!failed)
            failed = cursor_reach(portal, portal->at + piece, error);
        if (failed)
            return failed;
        uint64_t there = cursor_rows(portal) - portal->at, taken = there < piece ? there : piece;
        uint64_t from = portal->at;
        failed = fetch_give(fetch, from, taken, error);
        if (failed)
            return failed;
        portal->at += taken;
        count -= taken;
        portal->past_end = taken < piece;
        past_forget(portal);
    }
    return SQLSTATE_OK;
}

static enum sqlstate backward_check(const struct portal *portal, struct error *error)
{
    if (!portal->no_scroll && (!portal->spool || portal->spool_first == 0))
        return SQLSTATE_OK;
    enum sqlstate failed =
        error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward");
    error_add(error, ERROR_HINT, "Declare it with SCROLL option to enable backward scan.");
    return failed;
}

/* Gives up to `count` rows before the present one, nearest first. */
static enum sqlstate fetch_backward(struct fetch *fetch, uint64_t count, struct error *error)
{
    struct portal *portal = fetch->portal;
    enum sqlstate failed = backward_check(portal, error);
    if (failed)
        return failed;
    spool_make(portal);
    /* The row the cursor stands on is number `at`; behind the end it stands on none. */
    uint64_t place = portal->past_end ? portal->at + 1 : portal->at;
    while (count > 0 && place > 1 && !failed) {
        place--;
        count--;
        failed = fetch_give(fetch, place - 1, 1, error);
    }
    if (count > 0 && place > 0)
        place = 0;
    portal->past_end = false;
    portal->at = place;
    return failed;
}

/* Goes to the row of that number without giving anything; 0 = before the first. */
static enum sqlstate cursor_go(struct portal *portal, uint64_t number, struct error *error)
{
    uint64_t now = portal->past_end ? portal->at + 1 : portal->at;
    enum sqlstate failed = number < now ? backward_check(portal, error) : SQLSTATE_OK;
    if (!failed)
        failed = cursor_reach(portal, number, error);
    if (failed)
        return failed;
    uint64_t rows = cursor_rows(portal);
    portal->past_end = number > rows;
    portal->at = number > rows ? rows : number;
    return SQLSTATE_OK;
}

/* Goes to the row and gives it, if there is one. */
static enum sqlstate fetch_one(struct fetch *fetch, uint64_t number, struct error *error)
{
    struct portal *portal = fetch->portal;
    enum sqlstate failed = cursor_go(portal, number, error);
    if (failed || portal->past_end || portal->at == 0)
        return failed;
    return fetch_give(fetch, portal->at - 1, 1, error);
}

static enum sqlstate fetch_absolute(struct fetch *fetch, long count, struct error *error)
{
    struct portal *portal = fetch->portal;
    if (count >= 0)
        return fetch_one(fetch, (uint64_t)count, error);
    enum sqlstate failed = cursor_reach(portal, UINT64_MAX, error);
    if (failed)
        return failed;
    uint64_t rows = cursor_rows(portal), back = (uint64_t)-count;
    return fetch_one(fetch, back > rows ? 0 : rows - back + 1, error);
}

static enum sqlstate fetch_relative(struct fetch *fetch, long count, struct error *error)
{
    struct portal *portal = fetch->portal;
    uint64_t now = portal->past_end ? portal->at + 1 : portal->at;
    if (count == 0 && (portal->past_end || portal->at == 0))
        return SQLSTATE_OK;
    if (count < 0 && (uint64_t)-count >= now)
        return cursor_go(portal, 0, error);
    if (count > 0 && portal->past_end)
        return SQLSTATE_OK;
    return fetch_one(fetch, now + (uint64_t)count, error);
}

enum sqlstate portal_fetch(struct session *session, const FetchStmt *statement, const char **tag,
                           struct scope *scope, struct error *error)
{
    struct fetch fetch = {.portal = portal_find(session, statement->portalname), .send = !statement->ismove};
    long count = statement->howMany;
    enum sqlstate failed = SQLSTATE_OK;
    if (!fetch.portal)
        return error_set(error, SQLSTATE_PACK('3', '4', '0', '0', '0'), "cursor \"%s\" does not exist",
                         statement->portalname);
    if (!fetch.portal->recipe || !fetch.portal->shape.columns)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE, "portal \"%s\" cannot be run",
                         statement->portalname);
    FetchDirection direction = statement->direction;
    if ((direction == FETCH_FORWARD || direction == FETCH_BACKWARD) && count < 0) {
        direction = direction == FETCH_FORWARD ? FETCH_BACKWARD : FETCH_FORWARD;
        count = -count;
    }
    bool all = count == FETCH_ALL;
    if (count == 0 && (direction == FETCH_FORWARD || direction == FETCH_BACKWARD))
        direction = FETCH_RELATIVE;
    switch (direction) {
    case FETCH_FORWARD:
        failed = fetch_forward(&fetch, all ? UINT64_MAX : (uint64_t)count, error);
        break;
    case FETCH_BACKWARD:
        failed = fetch_backward(&fetch, all ? UINT64_MAX : (uint64_t)count, error);
        break;
    case FETCH_ABSOLUTE:
        failed = fetch_absolute(&fetch, count, error);
        break;
    case FETCH_RELATIVE:
        failed = fetch_relative(&fetch, count, error);
        break;
    }
    char *text = scope_alloc(scope, 32);
    snprintf(text, 32, "%s %" PRIu64, statement->ismove ? "MOVE" : "FETCH", fetch.count);
    *tag = text;
    return failed;
}
