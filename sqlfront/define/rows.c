/* Going through a table's rows. */
#include "sqlfront/define/rows.h"

/* ---- going through a table ---- */

static struct bytes copied(struct walk *walk, struct bytes bytes)
{
    void *memory;
    struct error error;
    if (bytes.size < SCOPE_SMALL_BYTES)
        memory = scope_alloc(walk->scope, bytes.size + 1);
    else if ((walk->failed = scope_alloc_large(walk->scope, bytes.size, 16, &memory, &error)))
        return bytes_of(NULL, 0);
    if (bytes.size)
        memcpy(memory, bytes.data, bytes.size);
    return bytes_of(memory, bytes.size);
}

static bool take(void *argument, const struct store_row *row)
{
    struct walk *walk = argument;
    walk->rows[walk->count++] = (struct taken){.key = copied(walk, row->key), .row = copied(walk, row->row)};
    return !walk->failed && walk->count < ROWS_TAKEN;
}

enum sqlstate rows_next(struct walk *walk, struct error *error)
{
    const struct row_scan scan = {.table = walk->relation->store,
                                  .range = {.from = bytes_of(walk->at, walk->at_size), .to_open = true},
                                  .rows_max = ROWS_TAKEN};
    const struct store_sink sink = {.take = take, .argument = walk};
    walk->scope = scope_open(walk->work->scope, "rows in hand");
    walk->rows = scope_alloc(walk->scope, ROWS_TAKEN * sizeof *walk->rows);
    walk->count = 0;
    enum sqlstate failed = row_scan(walk->work->access.transaction, &scan, &sink, error);
    if (!failed && walk->failed)
        failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    if (!failed && walk->count) {
        struct bytes last = walk->rows[walk->count - 1].key;
        memcpy(walk->at, last.data, last.size);
        walk->at[last.size] = 0; /* the smallest key behind it */
        walk->at_size = last.size + 1;
    }
    return failed;
}

enum sqlstate rows_each(struct work *work, const struct relation *relation,
                        enum sqlstate (*visit)(void *argument, struct scope *scope, struct bytes key,
                                               const struct value *values, struct error *error),
                        void *argument, struct error *error)
{
    struct walk *walk = scope_alloc_zeroed(work->scope, sizeof *walk);
    uint16_t *wanted = scope_alloc(work->scope, (relation->columns + 1) * sizeof *wanted);
    struct value *values = scope_alloc(work->scope, (relation->columns + 1) * sizeof *values);
    enum sqlstate failed;
    walk->work = work;
    walk->relation = relation;
    for (uint32_t c = 0; c < relation->columns; c++)
        wanted[c] = (uint16_t)c;
    if ((failed = transaction_catch_up(work->access.transaction, error)))
        return failed;
    transaction_statement(work->access.transaction);
    do {
        fiber_breathe(work->request->world->scheduler);
        failed = rows_next(walk, error);
        work->request->progress->rows_done += walk->count;
        for (uint32_t i = 0; i < walk->count && !failed; i++) {
            failed =
                row_decode(relation->layout, walk->rows[i].row, wanted, relation->columns, values, error);
            if (!failed)
                failed = visit(argument, walk->scope, walk->rows[i].key, values, error);
        }
        if (!failed)
            failed = fiber_check_canceled(work->request->world->scheduler, error);
        scope_close(walk->scope);
    } while (!failed && walk->count == ROWS_TAKEN);
    return failed;
}

/* ---- expressions over a row ---- */

/* Bound columns count from 1; compiled ones are places in the row. */
static struct expression *as_place(void *argument, const struct expression *node, uint32_t level)
{
    struct scope *scope = argument;
    if (node->kind != EXPRESSION_COLUMN || node->level != level)
        return NULL;
    struct expression *place = scope_copy(scope, node, sizeof *node);
    place->number--;
    return place;
}

enum sqlstate row_program(struct work *work, const struct expression *expression, struct program **program,
                          struct error *error)
{
    struct evaluation *evaluation = scope_alloc_zeroed(work->scope, sizeof *evaluation);
    evaluation->environment = work->request->environment;
    return program_make(work->scope, evaluation,
                        expression_map(work->scope, expression, as_place, work->scope, false), program,
                        error);
}

/* ---- messages ---- */

enum sqlstate key_words(struct work *work, const char *const *names, const struct type *const *types,
                        const struct value *values, uint32_t count, const char **words, struct error *error)
{
    struct text text = text_in(work->scope);
    text_append(&text, "(");
    for (uint32_t i = 0; i < count; i++)
        text_format(&text, "%s%s", i ? ", " : "", names[i]);
    text_append(&text, ")=(");
    for (uint32_t i = 0; i < count; i++) {
        struct bytes shown = bytes_of_text("null");
        text_append(&text, i ? ", " : "");
        if (!values[i].null) {
            enum sqlstate failed = types[i]->ops->out(work->request->environment, work->scope, types[i],
                                                      &values[i], &shown, error);
            if (failed)
                return failed;
        }
        text_bytes(&text, shown);
    }
    text_append(&text, ")");
    return text_end(&text, words, error);
}
