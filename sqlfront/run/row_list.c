/* Rows kept in order (row_list.h).
 *
 *     memory: rows 0 … 4,999  |  run: … 70,000  |  run: … 71,200  |  run being written
 *
 * A run is ended, and another begun, when it is long enough or somebody wants to read what is in it. */
#include "sqlfront/run/row_list.h"

#include "sqlfront/run/operator.h"

/* Who goes back reads at most so many rows again. */
#define SEGMENT_ROWS 8192

struct segment {
    struct spill_run *run;
    uint64_t from; /* its first row */
};

struct row_list {
    struct row_list_options options;
    struct scope *rows_scope;
    struct tuple_store rows;
    bool full;
    struct spill *spill;
    struct segment *segment;
    uint32_t segments, room;
    bool writing; /* the last segment */
    uint64_t count;
};

struct row_list *row_list_open(const struct row_list_options *options)
{
    struct row_list *list = scope_alloc_zeroed(options->scope, sizeof *list);
    list->options = *options;
    list->rows_scope = scope_open(options->scope, "rows");
    tuple_store_init(&list->rows, list->rows_scope, options->columns, options->types);
    return list;
}

void row_list_share(struct row_list *list, uint32_t shares)
{
    list->options.grant /= shares;
    list->options.spill.grant /= shares;
}

static enum sqlstate begin_segment(struct row_list *list, struct error *error)
{
    const struct row_list_options *options = &list->options;
    enum sqlstate failed = SQLSTATE_OK;
    if (!list->spill)
        failed = spill_open(options->world, options->scope, &options->spill, &list->spill, error);
    if (failed)
        return failed;
    if (list->segments == list->room) {
        uint32_t room = list->room ? 2 * list->room : 8;
        void *memory;
        failed = scope_alloc_large(options->scope, room * sizeof list->segment[0], 16, &memory, error);
        if (failed)
            return failed;
        if (list->segments)
            memcpy(memory, list->segment, list->segments * sizeof list->segment[0]);
        if (list->segment)
            scope_free_large(options->scope, list->segment);
        list->segment = memory;
        list->room = room;
    }
    list->segment[list->segments++] =
        (struct segment){.run = spill_run_open(list->spill, options->scope, options->columns, options->types),
                         .from = list->count};
    list->writing = true;
    return SQLSTATE_OK;
}

static enum sqlstate end_segment(struct row_list *list, struct error *error)
{
    if (!list->writing)
        return SQLSTATE_OK;
    list->writing = false;
    return spill_run_end(list->segment[list->segments - 1].run, error);
}

enum sqlstate row_list_add(struct row_list *list, const struct value *const *columns, uint32_t row,
                           struct error *error)
{
    const struct row_list_options *options = &list->options;
    enum sqlstate failed = SQLSTATE_OK;
    if (!list->full) {
        struct tuple *tuple;
        failed = tuple_store_add(&list->rows, columns, row, &tuple, error);
        list->count += !failed;
        if (list->count % 16 == 0)
            list->full = scope_bytes(list->rows_scope) > options->grant ||
                         scope_room(options->scope) < options->reserve;
        return failed;
    }
    if (list->writing && list->count - list->segment[list->segments - 1].from >= SEGMENT_ROWS)
        failed = end_segment(list, error);
    if (!failed && !list->writing)
        failed = begin_segment(list, error);
    if (!failed)
        failed = spill_run_add_row(list->segment[list->segments - 1].run, columns, row, 0, error);
    list->count += !failed;
    return failed;
}

uint64_t row_list_count(const struct row_list *list)
{
    return list->count;
}

uint64_t row_list_spilled(const struct row_list *list)
{
    return list->spill ? spill_written(list->spill) : 0;
}

/* ---- reading ---- */

static void leave_segment(struct row_reader *reader)
{
    if (reader->segment_scope)
        scope_close(reader->segment_scope);
    reader->segment_scope = NULL;
    reader->segment_reader = NULL;
}

/* Lets the reader stand before the row at reader->at, which lies on disk. */
static enum sqlstate find_segment(struct row_list *list, struct row_reader *reader, struct error *error)
{
    bool there =
        reader->segment_reader && reader->segment_at <= reader->at &&
        (reader->segment + 1 == list->segments || list->segment[reader->segment + 1].from > reader->at);
    /* The last segment may have been ended since: what was written behind is another's. */
    if (!there) {
        leave_segment(reader);
        uint32_t at = 0, behind = list->segments;
        while (behind - at > 1) {
            uint32_t middle = at + (behind - at) / 2;
            if (list->segment[middle].from <= reader->at)
                at = middle;
            else
                behind = middle;
        }
        reader->segment = at;
        reader->segment_at = list->segment[at].from;
        reader->segment_scope = scope_open(reader->scope, "segment");
        enum sqlstate failed =
            spill_reader_open(list->segment[at].run, reader->segment_scope, &reader->segment_reader, error);
        if (failed)
            return failed;
    }
    while (reader->segment_at < reader->at) {
        uint64_t mark;
        bool found;
        struct scope *scratch = scope_open(reader->scope, "passed over");
        struct value *values = scope_alloc(scratch, (list->options.columns + 1) * sizeof values[0]);
        enum sqlstate failed =
            spill_reader_next(reader->segment_reader, scratch, values, &mark, &found, error);
        scope_close(scratch);
        if (failed)
            return failed;
        reader->segment_at++;
    }
    return SQLSTATE_OK;
}

static enum sqlstate read_disk(struct row_list *list, struct row_reader *reader, struct scope *scope,
                               struct value **room, uint32_t rows, uint32_t *count, struct error *error)
{
    enum sqlstate failed = end_segment(list, error);
    uint32_t columns = list->options.columns;
    struct value *values = scope_alloc(scope, (columns + 1) * sizeof values[0]);
    while (!failed && *count < rows && reader->at < list->count) {
        uint64_t mark;
        bool found;
        failed = find_segment(list, reader, error);
        if (!failed)
            failed = spill_reader_next(reader->segment_reader, scope, values, &mark, &found, error);
        if (failed)
            break;
        check(found, "row %llu of a list is not there", (unsigned long long)reader->at);
        for (uint32_t c = 0; c < columns; c++)
            room[c][*count] = values[c];
        (*count)++;
        reader->at++;
        reader->segment_at++;
    }
    return failed;
}

enum sqlstate row_list_read(struct row_list *list, struct row_reader *reader, struct scope *scope,
                            struct value **room, uint32_t rows, uint32_t *count, struct error *error)
{
    *count = 0;
    if (reader->at >= list->count)
        return SQLSTATE_OK;
    if (reader->at < list->rows.count) {
        *count = tuple_store_give(&list->rows, (size_t)reader->at, room, rows);
        reader->at += *count;
        return SQLSTATE_OK;
    }
    return read_disk(list, reader, scope, room, rows, count, error);
}
