/* Rows of cursors that scroll, that outlive their transaction, or that another statement came in between of: a list that
 * goes to disk beyond work_mem (run/row_list.h). */
#include "sqlfront/inside.h"

#include "sqlfront/run/row_list.h"

#define SPOOL_ROWS 256

struct spool {
    struct scope *scope;
    const struct session_shape *shape;
    struct row_list *rows;
    struct row_reader reader;
    struct scope *given_scope; /* of the rows handed out last */
    struct value **room;
    struct spill_account account;
};

struct spool *spool_open(struct session *session, struct scope *scope, const struct session_shape *shape)
{
    struct spool *spool = scope_alloc_zeroed(scope, sizeof *spool);
    struct engine *engine = session->sessions->options.engine;
    const struct type **types = scope_alloc(scope, (shape->count + 1) * sizeof types[0]);
    for (uint32_t c = 0; c < shape->count; c++)
        types[c] = shape->columns[c].type;
    spool->scope = scope;
    spool->shape = shape;
    spool->account.limit = session->grants.temporary;
    const struct row_list_options options = {.world = session->world,
                                             .scope = scope_open(scope, "rows"),
                                             .columns = shape->count,
                                             .types = types,
                                             .grant = session->grants.memory,
                                             .spill = {.directory = engine_directory(engine, session->world),
                                                       .account = &spool->account,
                                                       .grant = session->grants.memory}};
    spool->rows = row_list_open(&options);
    spool->reader.scope = scope_open(scope, "reader");
    spool->room = scope_alloc(scope, (shape->count + 1) * sizeof spool->room[0]);
    for (uint32_t c = 0; c < shape->count; c++)
        spool->room[c] = scope_alloc(scope, SPOOL_ROWS * sizeof spool->room[c][0]);
    return spool;
}

enum sqlstate spool_add(struct spool *spool, const struct session_rows *rows, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t r = 0; r < rows->rows && !failed; r++)
        failed = row_list_add(spool->rows, rows->columns, rows->selection ? rows->selection[r] : r, error);
    return failed ? failed : scope_check_budget(spool->scope, error);
}

uint64_t spool_count(const struct spool *spool)
{
    return row_list_count(spool->rows);
}

struct scope *spool_scope(const struct spool *spool)
{
    return spool->scope;
}

enum sqlstate spool_rows(struct spool *spool, uint64_t at, uint32_t most, struct session_rows *rows,
                         struct error *error)
{
    *rows = (struct session_rows){.shape = spool->shape};
    if (spool->given_scope)
        scope_close(spool->given_scope);
    spool->given_scope = scope_open(spool->scope, "given");
    spool->reader.at = at;
    rows->columns = (const struct value **)spool->room;
    return row_list_read(spool->rows, &spool->reader, spool->given_scope, spool->room,
                         most && most < SPOOL_ROWS ? most : SPOOL_ROWS, &rows->rows, error);
}
