/* Rows kept in memory: of cursors that scroll, that outlive their transaction, or that another statement came in between of.
 * Chunks of SPOOL_ROWS rows, column by column, so that they can be given away as they lie. */
#include "sqlfront/inside.h"

#include <string.h>

#define SPOOL_ROWS 256

struct spool_chunk {
    uint32_t rows;
    struct value **column;
    const struct value **given; /* what spool_rows() hands out */
};

struct spool {
    struct scope *scope;
    const struct session_shape *shape;
    uint64_t rows;
    size_t chunks, room;
    struct spool_chunk **chunk;
};

struct spool *spool_open(struct scope *scope, const struct session_shape *shape)
{
    struct spool *spool = scope_alloc_zeroed(scope, sizeof *spool);
    spool->scope = scope;
    spool->shape = shape;
    return spool;
}

static enum sqlstate chunk_add(struct spool *spool, struct error *error)
{
    uint32_t columns = spool->shape->count;
    if (spool->chunks == spool->room) {
        size_t room = spool->room ? 2 * spool->room : 16;
        void *memory;
        enum sqlstate failed =
            scope_alloc_large(spool->scope, room * sizeof *spool->chunk, 16, &memory, error);
        if (failed)
            return failed;
        if (spool->chunks)
            memcpy(memory, spool->chunk, spool->chunks * sizeof *spool->chunk);
        if (spool->chunk)
            scope_free_large(spool->scope, spool->chunk);
        spool->chunk = memory;
        spool->room = room;
    }
    struct spool_chunk *chunk = scope_alloc_zeroed(spool->scope, sizeof *chunk);
    chunk->column = scope_alloc(spool->scope, (columns + 1) * sizeof *chunk->column);
    chunk->given = scope_alloc(spool->scope, (columns + 1) * sizeof *chunk->given);
    for (uint32_t c = 0; c < columns; c++)
        chunk->column[c] = scope_alloc(spool->scope, SPOOL_ROWS * sizeof **chunk->column);
    spool->chunk[spool->chunks++] = chunk;
    return scope_check_budget(spool->scope, error);
}

enum sqlstate spool_add(struct spool *spool, const struct session_rows *rows, struct error *error)
{
    for (uint32_t r = 0; r < rows->rows; r++) {
        uint32_t at = rows->selection ? rows->selection[r] : r, place = (uint32_t)(spool->rows % SPOOL_ROWS);
        enum sqlstate failed = place == 0 ? chunk_add(spool, error) : SQLSTATE_OK;
        if (failed)
            return failed;
        struct spool_chunk *chunk = spool->chunk[spool->chunks - 1];
        for (uint32_t c = 0; c < spool->shape->count && !failed; c++)
            failed = value_copy(spool->scope, spool->shape->columns[c].type, &rows->columns[c][at],
                                &chunk->column[c][place], error);
        if (failed)
            return failed;
        chunk->rows++;
        spool->rows++;
    }
    return SQLSTATE_OK;
}

uint64_t spool_count(const struct spool *spool)
{
    return spool->rows;
}

struct scope *spool_scope(const struct spool *spool)
{
    return spool->scope;
}

void spool_rows(const struct spool *spool, uint64_t at, uint32_t most, struct session_rows *rows)
{
    *rows = (struct session_rows){.shape = spool->shape};
    if (at >= spool->rows)
        return;
    struct spool_chunk *chunk = spool->chunk[at / SPOOL_ROWS];
    uint32_t place = (uint32_t)(at % SPOOL_ROWS);
    for (uint32_t c = 0; c < spool->shape->count; c++)
        chunk->given[c] = chunk->column[c] + place;
    rows->columns = chunk->given;
    rows->rows = chunk->rows - place;
    if (most && rows->rows > most)
        rows->rows = most;
}
