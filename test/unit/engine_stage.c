/* See engine_stage.h. */
#include "test/unit/engine_stage.h"

#include <stdio.h>
#include <stdlib.h>

void must(enum sqlstate failed, const struct error *error)
{
    ck_assert_msg(!failed, "%s (%s)", error_text(error, ERROR_MESSAGE),
                  error_text(error, ERROR_DETAIL) ? error_text(error, ERROR_DETAIL) : "");
}

static void core_main(struct world *world, void *argument)
{
    struct stage *stage = argument;
    struct error error;
    if (stage->starts != sim_restarts(stage->process) + 1) {
        stage->starts = sim_restarts(stage->process) + 1;
        memset(stage->engine, 0, engine_size());
    }
    must(engine_open(world, world->scope, &stage->options, stage->engine, &error), &error);
    if (world->core == 0) {
        struct scope *scope = scope_open(world->scope, "story");
        stage->story(stage, world, scope);
        fiber_close_scope(world->scheduler, scope);
        stage->done = true;
        if (stage->crash)
            return;
    }
    must(engine_close(world, stage->engine, &error), &error);
}

static bool story_is_over(void *argument)
{
    struct stage *stage = argument;
    return stage->crash ? stage->done : sim_state(stage->process) == SIM_ENDED;
}

static void trace(void *argument, const char *line, size_t bytes)
{
    (void)argument;
    fwrite(line, 1, bytes, stderr);
}

void stage_open(struct stage *stage, uint32_t cores)
{
    struct sim_options options = {.seed = unit_seed(), .nodes = 1, .log_level = LOG_INFO};
    if (getenv("TRACE"))
        options.trace = trace;
    sim_faults_none(&options.faults);
    *stage = (struct stage){.cores = cores};
    stage->options = (struct engine_options){
        .directory = "data", .memory_bytes = 64 << 20, .cluster = 77, .segment_bytes = 1 << 20};
    stage->engine = aligned_alloc(64, (engine_size() + 63) / 64 * 64);
    stage->sim = sim_open(&options);
}

void play(struct stage *stage, void (*story)(struct stage *stage, struct world *world, struct scope *scope),
          bool crash)
{
    stage->story = story;
    stage->crash = crash;
    stage->done = false;
    if (stage->act == 0)
        stage->process = sim_start(stage->sim, 0,
                                   &(struct sim_program){.name = "engine",
                                                         .cores = stage->cores,
                                                         .core_main = core_main,
                                                         .argument = stage,
                                                         .spared = true});
    else
        sim_restart(stage->process);
    enum sim_end end = sim_run(stage->sim, 600 * SIM_SECOND, story_is_over, stage);
    ck_assert_msg(end == SIM_UNTIL, "the story does not end: %d %s", end,
                  sim_failure(stage->sim) ? sim_failure(stage->sim) : "");
    if (crash)
        sim_crash(stage->process, SIM_POWER);
    stage->act++;
}

void stage_close(struct stage *stage)
{
    sim_close(stage->sim);
    free(stage->engine);
}

struct transaction *begin(struct stage *stage, struct world *world, struct scope *scope,
                          enum isolation isolation)
{
    struct transaction *transaction;
    struct error error;
    must(transaction_begin(world, stage->engine, scope, &(struct transaction_options){.isolation = isolation},
                           &transaction, &error),
         &error);
    return transaction;
}

void commit(struct transaction *transaction)
{
    struct error error;
    must(transaction_commit(transaction, &error), &error);
}

struct bytes number_key(uint64_t number, uint8_t room[static 8])
{
    number = __builtin_bswap64(number);
    memcpy(room, &number, 8);
    return bytes_of(room, 8);
}

bool insert(struct transaction *transaction, uint64_t table, uint64_t number, const char *row)
{
    uint8_t room[8];
    struct error error;
    bool done;
    must(row_insert(transaction, table, number_key(number, room), bytes_of_text(row), &done, &error), &error);
    return done;
}

bool update(struct transaction *transaction, uint64_t table, uint64_t number, const char *row)
{
    uint8_t room[8];
    struct error error;
    bool done;
    must(row_update(transaction, table, number_key(number, room), bytes_of_text(row), &done, &error), &error);
    return done;
}

bool delete_row(struct transaction *transaction, uint64_t table, uint64_t number)
{
    uint8_t room[8];
    struct error error;
    bool done;
    must(row_delete(transaction, table, number_key(number, room), &done, &error), &error);
    return done;
}

const char *get(struct transaction *transaction, struct scope *scope, uint64_t table, uint64_t number)
{
    uint8_t room[8];
    struct error error;
    struct bytes row;
    bool found;
    transaction_statement(transaction);
    must(row_get(transaction, scope, table, number_key(number, room), &row, &found, &error), &error);
    if (!found)
        return "";
    void *memory;
    must(scope_alloc_large(scope, row.size + 1, 1, &memory, &error), &error);
    char *text = memory;
    memcpy(text, row.data, row.size);
    text[row.size] = '\0';
    return text;
}

void create(struct stage *stage, struct world *world, struct scope *scope, uint64_t table,
            enum table_layout layout)
{
    struct error error;
    struct transaction *transaction = begin(stage, world, scope, READ_COMMITTED);
    must(table_create(transaction, table, layout, &error), &error);
    commit(transaction);
}

struct counted {
    uint64_t rows, last;
    bool backward;
};

static bool count_row(void *argument, const struct store_row *row)
{
    struct counted *counted = argument;
    uint64_t number;
    ck_assert_uint_eq(row->key.size, 8);
    memcpy(&number, row->key.data, 8);
    number = __builtin_bswap64(number);
    if (counted->rows)
        ck_assert(counted->backward ? number < counted->last : number > counted->last);
    counted->last = number;
    counted->rows++;
    return true;
}

uint64_t count(struct transaction *transaction, uint64_t table, bool backward)
{
    struct counted counted = {.backward = backward};
    struct error error;
    struct store_sink sink = {.take = count_row, .argument = &counted};
    transaction_statement(transaction);
    must(row_scan(transaction,
                  &(struct row_scan){.table = table, .range = {.to_open = true}, .backward = backward}, &sink,
                  &error),
         &error);
    return counted.rows;
}

static void no_finding(void *argument, const struct engine_finding *finding)
{
    (void)argument;
    ck_abort_msg("verify found: %s", finding->sentence);
}

void verify(struct stage *stage, struct world *world)
{
    struct error error;
    struct engine_findings findings = {.report = no_finding};
    must(engine_verify(world, stage->engine, &findings, &error), &error);
}
