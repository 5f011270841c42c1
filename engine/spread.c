/* Fragments spread over the shards of a range, or the owners of a list of keys: as many at once as the caller wants, those
 * that found their shard gone sent again by the new map.
 *
 *     pieces:  [a,k) [k,z)          cut by the map, not begun yet
 *     tasks:   one for each piece that is out; it comes back done, failed, or with a rest, which is cut anew
 *
 * A piece is sent to where the map has its first key at that moment; whether that is right only the owner knows. */
#include "base/check.h"
#include "base/scope.h"
#include "engine/inside.h"

/* So many look-ups take several times what waking a thread does. */
#define LONG_KEYS 64

struct task {
    struct list_link link; /* under way, or spare */
    struct spread *spread;
    struct fragment fragment;
    struct branch_terms terms;
    struct error error;
    uint32_t to;
    uint8_t *at; /* the cursor's memory */
    union {
        struct range_part range;
        struct key_share keys;
    };
};

struct key_piece {
    struct list_link link;
    const uint32_t *number;
    size_t count;
};

struct spread {
    struct transaction *transaction;
    struct scope *scope;
    const struct range_run *range; /* one of the two */
    const struct key_run *keys;
    struct list pieces, under_way, spare;
    uint32_t width, running, begun;
    struct fiber_queue came_back;
    enum sqlstate failed;
    struct error *error;
};

/* ---- on the owner ---- */

static enum sqlstate run_range(struct branch *branch, struct scope *scope, void *argument,
                               struct error *error)
{
    struct task *task = argument;
    const struct range_run *run = task->spread->range;
    struct range_part *part = &task->range;
    struct branch_stay stay;
    part->cursor.scope = scope;
    if (!run->stays)
        return run->run(branch, scope, part, run->argument, error);
    enum sqlstate failed = branch_stay(branch, part->table, &part->cursor.range, &stay, error);
    if (failed)
        return failed;
    failed = run->run(branch, scope, part, run->argument, error);
    branch_leave(&stay);
    return failed;
}

static enum sqlstate run_keys(struct branch *branch, struct scope *scope, void *argument, struct error *error)
{
    struct task *task = argument;
    const struct key_run *run = task->spread->keys;
    return run->run(branch, scope, &task->keys, run->argument, error);
}

/* ---- pieces ---- */

static const struct shard_place *place_of(const struct spread *spread, uint32_t number)
{
    return directory_find(spread->transaction, spread->keys->table, spread->keys->key[number]);
}

/* Sorts keys by the cores that own their shards; keeps their order otherwise. `number` NULL: 0, 1, 2 … */
static enum sqlstate cut_keys(struct spread *spread, const uint32_t *number, size_t count)
{
    const struct engine_core *core = spread->transaction->core;
    size_t counts[CORES_MAX] = {0};
    uint32_t *numbers[CORES_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct shard_place *place = place_of(spread, number ? number[i] : (uint32_t)i);
        if (!place)
            return no_such_table(spread->keys->table, spread->error);
        counts[volume_core(core, place->volume)]++;
    }
    for (uint32_t to = 0; to < core->world->cores; to++) {
        void *memory;
        if (!counts[to])
            continue;
        enum sqlstate failed = scope_alloc_large(spread->scope, counts[to] * sizeof *numbers[to],
                                                 _Alignof(uint32_t), &memory, spread->error);
        if (failed)
            return failed;
        struct key_piece *piece = scope_alloc(spread->scope, sizeof *piece);
        numbers[to] = memory;
        *piece = (struct key_piece){.number = numbers[to], .count = counts[to]};
        list_link_init(&piece->link);
        list_append(&spread->pieces, &piece->link);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t at = number ? number[i] : (uint32_t)i;
        *numbers[volume_core(core, place_of(spread, at)->volume)]++ = at;
    }
    return SQLSTATE_OK;
}

/* What a task that came back has left to do becomes pieces again, of a range the next ones to be begun. */
static enum sqlstate cut_rest(struct spread *spread, const struct task *task)
{
    if (spread->keys) {
        const struct key_share *part = &task->keys;
        return cut_keys(spread, part->number + part->done, part->count - part->done);
    }
    const struct range_run *run = spread->range;
    struct key_range rest = range_rest(&task->range.cursor, spread->scope);
    struct list_link *before = run->backward ? &spread->pieces.head : spread->pieces.head.next;
    range_cut(spread->transaction, spread->scope, run->table, &rest, before);
    return SQLSTATE_OK;
}

/* ---- tasks ---- */

static struct task *task_open(struct spread *spread)
{
    struct list_link *spare = list_take_first(&spread->spare);
    if (spare)
        return container_of(spare, struct task, link);
    struct task *task = scope_alloc(spread->scope, sizeof *task);
    list_link_init(&task->link);
    task->spread = spread;
    task->at = spread->range ? scope_alloc(spread->scope, STORE_KEY_BYTES_MAX) : NULL;
    return task;
}

/* Takes the next piece into the task; gives the key by which its owner is found. */
static struct bytes take_piece(struct spread *spread, struct task *task)
{
    if (spread->keys) {
        const struct key_run *run = spread->keys;
        struct list_link *link = list_take_first(&spread->pieces);
        const struct key_piece *piece = container_of(link, struct key_piece, link);
        task->keys = (struct key_share){.table = run->table,
                                        .part = spread->begun++,
                                        .key = run->key,
                                        .number = piece->number,
                                        .count = piece->count};
        return run->key[piece->number[0]];
    }
    const struct range_run *run = spread->range;
    struct list_link *link = run->backward ? list_last(&spread->pieces) : list_first(&spread->pieces);
    const struct range_piece *piece = container_of(link, struct range_piece, link);
    list_remove(link);
    task->range =
        (struct range_part){.table = run->table,
                            .number = spread->begun++,
                            .cursor = {.range = piece->range, .backward = run->backward, .at = task->at}};
    return piece->range.from;
}

/* A task has come to its end. */
static void settle(struct spread *spread, struct task *task, enum sqlstate failed)
{
    bool again =
        failed == (enum sqlstate)SQLSTATE_SHARD_MOVED || failed == (enum sqlstate)SQLSTATE_SHARD_SPLIT;
    if (!spread->failed && again)
        spread->failed = cut_rest(spread, task);
    else if (!spread->failed && failed) {
        spread->failed = failed;
        *spread->error = task->error;
    }
    list_append(&spread->spare, &task->link);
    if (again)
        fiber_yield(spread->transaction->core->world->scheduler);
}

/* Parts of a range that run at once, or many keys. A few keys are quicker read by the thread that asks for them. */
static bool takes_long(const struct spread *spread, const struct task *task)
{
    return spread->keys ? task->keys.count >= LONG_KEYS : spread->width > 1;
}

static void begin_task(struct spread *spread)
{
    struct transaction *transaction = spread->transaction;
    struct engine_core *core = transaction->core;
    struct task *task = task_open(spread);
    struct bytes key = take_piece(spread, task);
    uint64_t table = spread->keys ? spread->keys->table : spread->range->table;
    const struct shard_place *place = directory_find(transaction, table, key);
    if (!place) {
        settle(spread, task, no_such_table(table, &task->error));
        return;
    }
    task->to = volume_core(core, place->volume);
    if (task->to == core->world->core && !spread->running && list_empty(&spread->pieces)) {
        /* Nothing to do beside it, so it needs no fiber of its own. */
        settle(spread, task,
               transaction_run_on(transaction, task->to, spread->keys ? run_keys : run_range, task,
                                  &task->error));
        return;
    }
    task->terms = transaction->terms;
    task->fragment = (struct fragment){.kind = FRAGMENT_RUN,
                                       .branch = &transaction->branch[task->to],
                                       .terms = &task->terms,
                                       .run = spread->keys ? run_keys : run_range,
                                       .argument = task,
                                       .error = &task->error,
                                       .takes_long = takes_long(spread, task),
                                       .came_back = &spread->came_back};
    spread->running++;
    list_append(&spread->under_way, &task->link);
    fragment_send(core, task->to, &task->fragment);
}

static struct task *find_back(const struct spread *spread)
{
    list_each (&spread->under_way, at) {
        struct task *task = container_of(at, struct task, link);
        if (task->fragment.back)
            return task;
    }
    return NULL;
}

static void take_back(struct spread *spread, struct task *task)
{
    list_remove(&task->link);
    spread->running--;
    fiber_share_add(spread->transaction->core->world->scheduler, task->fragment.used_ns);
    transaction_note(spread->transaction, task->to, &task->terms);
    settle(spread, task, task->fragment.failed);
}

/* The spread has failed: what is out shall give up. */
static void cancel_rest(struct spread *spread)
{
    list_each (&spread->under_way, at) {
        struct task *task = container_of(at, struct task, link);
        if (!task->fragment.back)
            fragment_cancel(spread->transaction->core, task->to, &task->fragment, SQLSTATE_QUERY_CANCELED,
                            "canceling a part of a statement that has failed");
    }
}

static enum sqlstate spread_run(struct spread *spread)
{
    struct scheduler *scheduler = spread->transaction->core->world->scheduler;
    bool gave_up = false;
    for (;;) {
        while (!spread->failed && !list_empty(&spread->pieces) && spread->running < spread->width)
            begin_task(spread);
        if (spread->failed && !gave_up) {
            gave_up = true;
            fiber_shield_begin(scheduler);
            cancel_rest(spread);
        }
        if (!spread->running)
            break;
        struct task *back = find_back(spread);
        if (back)
            take_back(spread, back);
        else if (fiber_wait(scheduler, &spread->came_back, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            spread->failed = fiber_check_canceled(scheduler, spread->error);
    }
    if (gave_up)
        fiber_shield_end(scheduler);
    return spread->failed;
}

/* ---- the doors ---- */

static void spread_open(struct spread *spread, struct transaction *transaction, struct error *error)
{
    check(!transaction->over, "a transaction is used after its end");
    *spread = (struct spread){.transaction = transaction, .width = UINT32_MAX, .error = error};
    spread->scope = scope_open(transaction->scope, "spread");
    list_init(&spread->pieces);
    list_init(&spread->under_way);
    list_init(&spread->spare);
    fiber_queue_init(&spread->came_back);
}

enum sqlstate transaction_run_range(struct transaction *transaction, const struct range_run *run,
                                    struct error *error)
{
    struct spread spread;
    if (!directory_find(transaction, run->table, run->range.from))
        return no_such_table(run->table, error);
    spread_open(&spread, transaction, error);
    spread.range = run;
    if (run->width)
        spread.width = run->width;
    range_cut(transaction, spread.scope, run->table, &run->range, &spread.pieces.head);
    enum sqlstate failed = spread_run(&spread);
    scope_close(spread.scope);
    return failed;
}

enum sqlstate transaction_run_keys(struct transaction *transaction, const struct key_run *run,
                                   struct error *error)
{
    struct spread spread;
    spread_open(&spread, transaction, error);
    spread.keys = run;
    enum sqlstate failed = cut_keys(&spread, NULL, run->count);
    if (!failed)
        failed = spread_run(&spread);
    scope_close(spread.scope);
    return failed;
}
