/* See large_partition.h. */
#include "sqlfront/run/large_partition.h"

/* All lists together have the step's grant. */
static struct row_list *list_open(const struct large_partition *partition, uint32_t columns,
                                  const struct type *const *types)
{
    struct row_list *list = operation_rows(partition->step, partition->scope, columns, types);
    row_list_share(list, partition->calls_room + 2);
    return list;
}

enum sqlstate large_partition_open(struct operation *step, struct scope *scope, uint32_t before,
                                   uint32_t kept, const struct type *const *types, uint32_t calls,
                                   struct large_partition **partition, struct error *error)
{
    struct large_partition *made = *partition = scope_alloc_zeroed(scope, sizeof *made);
    *made = (struct large_partition){
        .step = step, .scope = scope, .before = before, .kept = kept, .types = types, .calls_room = calls};
    made->rows = list_open(made, before, types);
    made->inputs = list_open(made, kept - before, types + before);
    made->result = scope_alloc_zeroed(scope, (calls + 1) * sizeof made->result[0]);
    made->result_reader = scope_alloc_zeroed(scope, (calls + 1) * sizeof made->result_reader[0]);
    made->row_reader.scope = scope;
    (void)error;
    return SQLSTATE_OK;
}

enum sqlstate large_partition_add(struct large_partition *partition, const struct value *const *columns,
                                  uint32_t row, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (partition->count == 0)
        partition->first =
            scope_alloc_zeroed(partition->scope, (partition->kept + 1) * sizeof partition->first[0]);
    for (uint32_t c = 0; c < partition->kept && partition->count == 0 && !failed; c++)
        failed =
            value_copy(partition->scope, partition->types[c], &columns[c][row], &partition->first[c], error);
    if (!failed)
        failed = row_list_add(partition->rows, columns, row, error);
    if (!failed)
        failed = row_list_add(partition->inputs, columns + partition->before, row, error);
    partition->count += !failed;
    return failed;
}

static struct value **batch_room(struct scope *scope, uint32_t columns)
{
    struct value **room = scope_alloc(scope, (columns + 1) * sizeof room[0]);
    for (uint32_t c = 0; c < columns; c++)
        room[c] = scope_alloc(scope, BATCH_ROWS * sizeof room[c][0]);
    return room;
}

enum sqlstate large_partition_load(struct large_partition *partition, struct scope *scope, uint32_t from,
                                   uint32_t columns, struct value **into, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    uint32_t first = from - partition->before, count = 1;
    for (uint32_t i = 0; i < columns && !failed; i++)
        failed = scope_alloc_large(scope, (partition->count + 1) * sizeof into[i][0], 16, (void **)&into[i],
                                   error);
    struct scope *work = scope_open(scope, "load");
    struct row_reader reader = {.scope = work};
    for (uint64_t at = 0; !failed && columns && count; at += count) {
        struct scope *batch = scope_open(work, "batch");
        struct value **room = batch_room(batch, partition->kept - partition->before);
        failed = row_list_read(partition->inputs, &reader, batch, room, BATCH_ROWS, &count, error);
        for (uint32_t i = 0; i < columns && !failed; i++)
            for (uint32_t r = 0; r < count && !failed; r++)
                failed = value_copy(scope, partition->types[from + i], &room[first + i][r], &into[i][at + r],
                                    error);
        scope_close(batch);
        if (!failed)
            failed = operation_breathe(operation_world(partition->step), error);
    }
    scope_close(work);
    return failed;
}

enum sqlstate large_partition_keep(struct large_partition *partition, const struct type *type,
                                   const struct value *results, struct error *error)
{
    const struct type **types = scope_copy(partition->scope, &type, sizeof type);
    uint32_t call = partition->calls++;
    enum sqlstate failed = SQLSTATE_OK;
    check(call < partition->calls_room);
    partition->result[call] = list_open(partition, 1, types);
    partition->result_reader[call].scope = partition->scope;
    for (uint64_t r = 0; r < partition->count && !failed; r++) {
        const struct value *column = results + r;
        failed = row_list_add(partition->result[call], &column, 0, error);
    }
    return failed;
}

/* Lists change over to their disk at different rows, where a read ends early. */
static enum sqlstate read_all(struct row_list *list, struct row_reader *reader, struct scope *scope,
                              struct value *column, uint32_t count, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t done = 0, more = 1; done < count && more && !failed; done += more) {
        struct value *rest = column + done;
        failed = row_list_read(list, reader, scope, &rest, count - done, &more, error);
    }
    return failed;
}

enum sqlstate large_partition_give(struct large_partition *partition, struct scope *scope,
                                   struct value **room, uint32_t *count, struct error *error)
{
    struct node_figures *figures = &partition->step->figures;
    enum sqlstate failed =
        row_list_read(partition->rows, &partition->row_reader, scope, room, BATCH_ROWS, count, error);
    for (uint32_t i = 0; i < partition->calls && *count && !failed; i++)
        failed = read_all(partition->result[i], &partition->result_reader[i], scope,
                          room[partition->before + i], *count, error);
    if (row_list_spilled(partition->rows) > figures->spilled_bytes)
        figures->spilled_bytes = row_list_spilled(partition->rows);
    return failed;
}
