/* The simulation as a whole: determinism, processes, clocks, and whether it finds mistakes. */
#include "base/check.h"
#include "base/mailbox.h"
#include "base/scope.h"
#include "test/sim/stage.h"
#include "test/sim/workload.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* ---- determinism ---- */

START_TEST(test_same_seed_gives_same_trace)
{
    static const char *const names[] = {"disk", "net", "mail", "echo"};
    const struct workload *workload = workload_find(names[_i % 4]);
    struct play_options options = {.seed = 100 + (uint64_t)_i, .limit_ns = SIM_SECOND / 4};
    struct play_result first, second, other;
    play(workload, &options, &first);
    play(workload, &options, &second);
    ck_assert_msg(!first.failed, "seed %llu: %s", (unsigned long long)options.seed, first.words);
    ck_assert(same_hash(&first.totals, &second.totals));
    ck_assert_uint_eq(first.totals.events, second.totals.events);
    options.seed += 1000;
    play(workload, &options, &other);
    ck_assert(!same_hash(&first.totals, &other.totals));
}
END_TEST

/* What a program learns from elsewhere than its world; here, from a number that outlives the run. */
static void act_on_outside_number(struct world *world, void *argument)
{
    uint64_t *number = argument;
    nap(world, 1000 + (*number)++);
}

static struct sim_totals play_outside_number(uint64_t *number)
{
    struct sim_totals totals;
    struct sim *sim = stage_open(1, 1);
    stage_act(sim, 0, act_on_outside_number, number);
    sim_totals(sim, &totals);
    sim_close(sim);
    return totals;
}

START_TEST(test_what_comes_from_outside_the_world_changes_the_hash)
{
    uint64_t number = 5;
    struct sim_totals first = play_outside_number(&number), second = play_outside_number(&number);
    number = 5;
    struct sim_totals third = play_outside_number(&number);
    ck_assert(!same_hash(&first, &second));
    ck_assert(same_hash(&first, &third));
}
END_TEST

static void act_send_outside_bytes(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file;
    must(disk_open(world, world->scope, "/f", DISK_CREATE, &file, &error), &error);
    must(disk_write(world, world->scope, file, argument, 8, 0, &error), &error);
}

START_TEST(test_one_bit_of_written_bytes_changes_the_hash)
{
    struct sim_totals totals[2];
    for (uint64_t i = 0; i < 2; i++) {
        struct sim *sim = stage_open(1, 1);
        stage_act(sim, 0, act_send_outside_bytes, &i);
        sim_totals(sim, &totals[i]);
        sim_close(sim);
    }
    ck_assert(!same_hash(&totals[0], &totals[1]));
}
END_TEST

/* ---- whether it finds mistakes ---- */

#define SEEDS_TO_FIND 100

START_TEST(test_broken_workloads_are_caught_within_few_seeds)
{
    uint32_t broken = 0;
    for (uint32_t i = 0; workloads[i]; i++) {
        for (const struct workload *workload = workloads[i]; workload->name; workload++) {
            if (!workload->broken || broken++ != (uint32_t)_i)
                continue;
            struct play_options options = {.limit_ns = SIM_SECOND, .log_level = LOG_ERROR};
            struct play_result result = {0};
            while (!result.failed && options.seed < SEEDS_TO_FIND) {
                options.seed++;
                play(workload, &options, &result);
            }
            ck_assert_msg(result.failed, "%s was not caught", workload->name);
        }
    }
    ck_assert_uint_lt((uint32_t)_i, broken);
}
END_TEST

START_TEST(test_a_crash_at_every_turn_loses_nothing_that_was_promised)
{
    const struct workload *workload = workload_find("disk");
    struct play_options options = {
        .seed = 1, .limit_ns = 30 * SIM_MILLISECOND, .crash_how = _i ? SIM_KILL : SIM_POWER};
    struct play_result result;
    uint64_t turns = 0;
    do {
        options.crash_at++;
        play(workload, &options, &result);
        ck_assert_msg(!result.failed, "crash at turn %llu: %s", (unsigned long long)options.crash_at,
                      result.words);
        turns += result.totals.crashes;
    } while (result.totals.crashes);
    ck_assert_uint_gt(turns, 100);
}
END_TEST

START_TEST(test_a_crash_at_every_turn_finds_the_early_promise)
{
    const struct workload *workload = workload_find("disk-promises-early");
    struct play_options options = {.seed = 1, .limit_ns = 30 * SIM_MILLISECOND, .crash_how = SIM_POWER};
    struct play_result result = {0};
    do {
        options.crash_at++;
        play(workload, &options, &result);
    } while (result.totals.crashes && !result.failed);
    ck_assert(result.failed);
}
END_TEST

/* ---- running ---- */

static void act_nothing(struct world *world, void *argument)
{
}

START_TEST(test_a_world_without_anything_to_do_is_idle)
{
    struct sim_options options = stage_options(1, 1);
    struct sim *sim = sim_open(&options);
    sim_calm(sim);
    stage_start(sim, 0, act_nothing, NULL);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, NULL, NULL), SIM_IDLE);
    sim_close(sim);
}
END_TEST

static void act_fail(struct world *world, void *argument)
{
    sim_fail(argument, "number %d", 7);
    sim_fail(argument, "number %d", 8);
}

START_TEST(test_a_failure_ends_the_run_and_the_first_sentence_stays)
{
    struct sim *sim = stage_open(1, 1);
    stage_start(sim, 0, act_fail, sim);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, NULL, NULL), SIM_FAILED);
    ck_assert_str_eq(sim_failure(sim), "number 7");
    sim_close(sim);
}
END_TEST

static void count_lines(void *argument, const char *line, size_t bytes)
{
    ck_assert_int_eq(line[bytes - 1], '\n');
    ++*(uint64_t *)argument;
}

START_TEST(test_the_trace_has_a_line_for_each_record)
{
    uint64_t lines = 0;
    struct sim_totals totals;
    struct sim_options options = stage_options(1, 1);
    options.trace = count_lines;
    options.trace_argument = &lines;
    struct sim *sim = sim_open(&options);
    sim_note(sim, "a line");
    stage_act(sim, 0, act_nothing, NULL);
    sim_totals(sim, &totals);
    ck_assert_uint_eq(totals.records, lines);
    ck_assert_uint_ge(lines, 4); /* note, start, turn, end */
    sim_close(sim);
}
END_TEST

struct order {
    char text[9];
    size_t used;
};

struct writer {
    struct order *order;
    char letter;
};

static void write_letter(void *argument)
{
    struct writer *writer = argument;
    writer->order->text[writer->order->used++] = writer->letter;
}

static void act_start_writers(struct world *world, void *argument)
{
    struct writer *writers = scope_alloc(world->scope, 8 * sizeof *writers);
    struct error error = {0};
    for (int i = 0; i < 8; i++) {
        writers[i] = (struct writer){argument, (char)('a' + i)};
        must(fiber_start(world->scheduler, world->scope, "writer", write_letter, &writers[i], NULL, &error),
             &error);
    }
    nap(world, SIM_MILLISECOND);
}

START_TEST(test_seeds_differ_in_the_order_fibers_run)
{
    char seen[16][9];
    int different = 0;
    for (uint64_t seed = 0; seed < 16; seed++) {
        struct order order = {{0}, 0};
        struct sim *sim = stage_open(seed, 1);
        stage_act(sim, 0, act_start_writers, &order);
        sim_close(sim);
        ck_assert_uint_eq(strspn(order.text, "abcdefgh"), 8);
        memcpy(seen[seed], order.text, sizeof order.text);
        different += seed && strcmp(seen[seed], seen[seed - 1]);
    }
    ck_assert_int_ge(different, 12);
}
END_TEST

static void act_yield_among_writers(struct world *world, void *argument)
{
    struct order *order = argument;
    struct writer *writers = scope_alloc(world->scope, 7 * sizeof *writers);
    struct error error = {0};
    for (int i = 0; i < 7; i++) {
        writers[i] = (struct writer){order, (char)('a' + i)};
        must(fiber_start(world->scheduler, world->scope, "writer", write_letter, &writers[i], NULL, &error),
             &error);
    }
    fiber_yield(world->scheduler);
    order->text[order->used++] = 'z';
}

START_TEST(test_who_yields_goes_on_after_all_who_were_ready)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct order order = {{0}, 0};
        struct sim *sim = stage_open(seed, 1);
        stage_act(sim, 0, act_yield_among_writers, &order);
        sim_close(sim);
        ck_assert_uint_eq(order.used, 8);
        ck_assert_int_eq(order.text[7], 'z');
    }
}
END_TEST

/* ---- processes ---- */

/* Fibers in every kind of wait, with memory, files, connections and mail about them. */
struct busy {
    uint32_t starts;
    bool without_mail; /* mail that is never returned keeps a process from ending */
};

static void wait_for_disk(void *argument)
{
    struct world *world = argument;
    struct error error = {0};
    struct file *file;
    void *memory;
    must(scope_alloc_large(world->scope, 100000, 4096, &memory, &error), &error);
    memset(memory, 1, 100000);
    must(disk_open(world, world->scope, "/busy", DISK_CREATE, &file, &error), &error);
    for (;;)
        if (disk_write(world, world->scope, file, memory, 100000, 0, &error) ||
            disk_sync(world, world->scope, file, &error))
            return;
}

static void wait_for_connection(void *argument)
{
    struct world *world = argument;
    struct error error = {0};
    struct net_address address = {.port = 77};
    struct listener *listener;
    struct net_handover handover;
    must(net_listen(world, world->scope, &address, &listener, NULL, &error), &error);
    for (struct stream *stream;;) {
        if (net_accept(world, listener, &handover, FIBER_NO_DEADLINE, &error))
            return;
        must(net_adopt(world, world->scope, &handover, &stream, &error), &error);
    }
}

static void wait_for_bytes(void *argument)
{
    struct world *world = argument;
    struct error error = {0};
    struct bytes view;
    struct stream *stream;
    struct net_address address;
    nap(world, SIM_MILLISECOND);
    must(net_resolve(world, "localhost", 77, &address, &error), &error);
    if (net_connect(world, world->scope, &address, FIBER_NO_DEADLINE, &stream, &error))
        return;
    (void)!stream_receive(stream, &view, FIBER_NO_DEADLINE, &error);
}

static void wait_for_room(void *argument)
{
    struct world *world = argument;
    struct error error = {0};
    static const uint8_t much[200000];
    struct bytes piece = bytes_of(much, sizeof much);
    struct stream *stream;
    struct net_address address;
    nap(world, SIM_MILLISECOND);
    must(net_resolve(world, "localhost", 77, &address, &error), &error);
    if (net_connect(world, world->scope, &address, FIBER_NO_DEADLINE, &stream, &error))
        return;
    (void)!stream_send(stream, &piece, 1, FIBER_NO_DEADLINE, &error);
}

static void keep_mail(struct world *here, struct mail *mail)
{
}

static void wait_for_mail(void *argument)
{
    struct world *world = argument;
    struct error error = {0};
    struct mail *mail = scope_alloc_zeroed(world->scope, sizeof *mail);
    mail->deliver = keep_mail;
    (void)!mail_call(world, world->scope, 1 - world->core, mail, &error);
}

static void act_busy(struct world *world, void *argument)
{
    static void (*const waits[])(void *argument) = {wait_for_disk, wait_for_bytes, wait_for_room,
                                                    wait_for_mail};
    struct busy *busy = argument;
    struct error error = {0};
    busy->starts++;
    if (world->core == 0)
        must(
            fiber_start(world->scheduler, world->scope, "listener", wait_for_connection, world, NULL, &error),
            &error);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0] - busy->without_mail; i++)
        must(fiber_start(world->scheduler, world->scope, "busy", waits[i], world, NULL, &error), &error);
    (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
}

static const struct sim_program busy_program = {.name = "busy", .cores = 2, .core_main = act_busy};

/* The leak check of the address sanitizer looks on, too. */
START_TEST(test_a_crash_gives_all_memory_back)
{
    struct sim *sim = stage_open((uint64_t)_i, 1);
    struct busy busy = {0};
    struct sim_program program = busy_program;
    program.argument = &busy;
    struct sim_process *process = sim_start(sim, 0, &program);
    for (int i = 0; i < 5; i++) {
        stage_wait(sim, SIM_MILLISECOND * (uint64_t)(1 + 3 * i));
        ck_assert_uint_gt(sim_memory(process), 100000);
        sim_crash(process, i % 2 ? SIM_KILL : SIM_POWER);
        ck_assert_int_eq(sim_state(process), SIM_CRASHED);
        ck_assert_uint_eq(sim_memory(process), 0);
        sim_restart(process);
    }
    ck_assert_uint_eq(sim_restarts(process), 5);
    stage_wait(sim, SIM_MILLISECOND);
    ck_assert_uint_eq(busy.starts, 12);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_crash_at_every_turn_gives_all_memory_back)
{
    struct busy busy = {0};
    struct sim_program program = busy_program;
    program.argument = &busy;
    for (uint64_t turn = 1; turn < 150; turn++) {
        struct sim *sim = stage_open(7, 1);
        struct sim_process *process = sim_start(sim, 0, &program);
        sim_crash_after(process, turn, turn % 2 ? SIM_KILL : SIM_POWER);
        stage_wait(sim, 10 * SIM_MILLISECOND);
        ck_assert_int_eq(sim_state(process), SIM_CRASHED);
        ck_assert_uint_eq(sim_yields(process), turn);
        ck_assert_uint_eq(sim_memory(process), 0);
        sim_close(sim);
    }
}
END_TEST

struct writes {
    uint32_t starts;
    uint32_t heard[4]; /* since each start */
};

static void act_write_on(struct world *world, void *argument)
{
    struct writes *writes = argument;
    struct error error = {0};
    struct file *file;
    uint64_t size;
    writes->starts++;
    must(disk_open(world, world->scope, "/f", DISK_CREATE, &file, &error), &error);
    for (;;) {
        must(disk_write(world, world->scope, file, "abcd", 4, 0, &error), &error);
        must(disk_size(world, file, &size, &error), &error);
        writes->heard[writes->starts - 1]++;
    }
}

START_TEST(test_a_crash_after_a_write_comes_before_anybody_hears_of_it)
{
    struct writes writes = {0};
    struct sim *sim = stage_open(7, 1);
    struct sim_program program = {
        .name = "writes", .cores = 1, .core_main = act_write_on, .argument = &writes, .respawn = true};
    struct sim_process *process = sim_start(sim, 0, &program);
    /* The first change is the creation. */
    sim_crash_after_writes(process, 10, 5, SIM_KILL);
    while (writes.starts < 3 || writes.heard[2] < 20)
        stage_wait(sim, SIM_MILLISECOND);
    ck_assert_uint_eq(writes.heard[0], 8);
    ck_assert_uint_eq(writes.heard[1], 3);
    ck_assert_uint_eq(writes.starts, 3);
    ck_assert_int_eq(sim_state(process), SIM_RUNNING);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_process_that_is_asked_to_stop_ends_on_all_cores)
{
    struct sim *sim = stage_open((uint64_t)_i, 1);
    struct busy busy = {.without_mail = true};
    struct sim_program program = busy_program;
    program.argument = &busy;
    struct sim_process *process = sim_start(sim, 0, &program);
    stage_wait(sim, 10 * SIM_MILLISECOND);
    sim_stop(process);
    stage_until_ended(sim, process, NULL);
    ck_assert_uint_eq(sim_memory(process), 0);
    sim_close(sim);
}
END_TEST

static void act_stop_itself(struct world *world, void *argument)
{
    uint32_t *stopped = argument;
    if (world->core == 2)
        world_stop(world);
    ck_assert_int_eq(world_wait_stop(world, FIBER_NO_DEADLINE), FIBER_WOKEN);
    ck_assert_int_eq(world_wait_stop(world, FIBER_NO_DEADLINE), FIBER_WOKEN);
    ++*stopped;
}

START_TEST(test_a_process_whose_mail_is_kept_cannot_end)
{
    struct sim *sim = stage_open((uint64_t)_i, 1);
    struct busy busy = {0};
    struct sim_program program = busy_program;
    program.argument = &busy;
    struct sim_process *process = sim_start(sim, 0, &program);
    stage_wait(sim, 10 * SIM_MILLISECOND);
    sim_stop(process);
    stage_wait(sim, 1000 * SIM_SECOND);
    ck_assert_int_eq(sim_state(process), SIM_RUNNING);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_program_can_stop_its_process)
{
    uint32_t stopped = 0;
    struct sim *sim = stage_open(3, 1);
    struct sim_process *process =
        sim_start(sim, 0,
                  &(struct sim_program){
                      .name = "stopper", .cores = 4, .core_main = act_stop_itself, .argument = &stopped});
    stage_until_ended(sim, process, NULL);
    ck_assert_uint_eq(stopped, 4);
    ck_assert_uint_eq(sim_memory(process), 0);
    sim_close(sim);
}
END_TEST

static void act_wait_stop_in_vain(struct world *world, void *argument)
{
    uint64_t before = world_now(world);
    ck_assert_int_eq(world_wait_stop(world, before + SIM_SECOND), FIBER_TIMED_OUT);
    ck_assert_uint_ge(world_now(world), before + SIM_SECOND);
    *(bool *)argument = true;
}

START_TEST(test_waiting_for_a_stop_that_does_not_come_times_out)
{
    bool done = false;
    struct sim *sim = stage_open(3, 1);
    stage_act(sim, 0, act_wait_stop_in_vain, &done);
    ck_assert(done);
    sim_close(sim);
}
END_TEST

struct suicide {
    struct sim_process *victim;
    uint32_t starts;
    bool went_on;
};

static void act_crash(struct world *world, void *argument)
{
    struct suicide *suicide = argument;
    if (suicide->starts++)
        return;
    sim_crash(suicide->victim, SIM_KILL);
    nap(world, SIM_MICROSECOND);
    suicide->went_on = true;
}

START_TEST(test_a_fiber_can_crash_its_own_process)
{
    struct suicide suicide = {0};
    struct sim *sim = stage_open(1, 1);
    suicide.victim = stage_start(sim, 0, act_crash, &suicide);
    stage_wait(sim, SIM_SECOND);
    ck_assert_int_eq(sim_state(suicide.victim), SIM_CRASHED);
    ck_assert(!suicide.went_on);
    sim_restart(suicide.victim);
    stage_until_ended(sim, suicide.victim, NULL);
    ck_assert_uint_eq(suicide.starts, 2);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_fiber_can_crash_another_process)
{
    struct suicide suicide = {0};
    bool unused;
    struct sim *sim = stage_open(1, 2);
    suicide.victim = stage_start(sim, 1, act_wait_stop_in_vain, &unused);
    struct sim_process *killer = stage_start(sim, 0, act_crash, &suicide);
    stage_until_ended(sim, killer, NULL);
    ck_assert_int_eq(sim_state(suicide.victim), SIM_CRASHED);
    ck_assert(suicide.went_on);
    sim_close(sim);
}
END_TEST

static void act_end_at_once(struct world *world, void *argument)
{
    ++*(uint32_t *)argument;
}

START_TEST(test_respawned_processes_start_again_until_they_are_stopped)
{
    uint32_t starts = 0;
    struct sim *sim = stage_open(1, 1);
    struct sim_process *process = sim_start(
        sim, 0,
        &(struct sim_program){
            .name = "short", .cores = 1, .core_main = act_end_at_once, .argument = &starts, .respawn = true});
    stage_wait(sim, 10 * SIM_SECOND);
    ck_assert_uint_gt(starts, 10);
    ck_assert_uint_eq(sim_restarts(process) + 1, starts);
    sim_close(sim);
}
END_TEST

static void act_wait_for_stop(struct world *world, void *argument)
{
    (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
}

START_TEST(test_drawn_crashes_spare_the_spared_and_end_with_the_calm)
{
    struct sim_options options = stage_options(5, 2);
    struct sim_totals before, after;
    options.faults.crash_every_ns = 100 * SIM_MILLISECOND;
    options.faults.crash_power_ppm = 500000;
    options.faults.pause_every_ns = 100 * SIM_MILLISECOND;
    options.faults.pause_ns = SIM_MILLISECOND;
    struct sim *sim = sim_open(&options);
    struct sim_program program = {.name = "victim", .cores = 1, .core_main = act_wait_for_stop};
    struct sim_process *victim = sim_start(sim, 0, &program);
    program.spared = true;
    struct sim_process *spared = sim_start(sim, 1, &program);
    stage_wait(sim, 20 * SIM_SECOND);
    sim_totals(sim, &before);
    ck_assert_uint_gt(before.crashes, 20);
    ck_assert_uint_gt(before.power_losses, 5);
    ck_assert_uint_lt(before.power_losses, before.crashes);
    ck_assert_uint_gt(before.pauses, 20);
    ck_assert_uint_eq(sim_restarts(spared), 0);
    sim_calm(sim);
    ck_assert_int_eq(sim_state(victim), SIM_RUNNING);
    stage_wait(sim, 20 * SIM_SECOND);
    sim_totals(sim, &after);
    ck_assert_uint_eq(before.crashes, after.crashes);
    sim_close(sim);
}
END_TEST

struct ticker {
    uint64_t ticks;
    uint64_t late_ns; /* the longest */
};

static void act_tick(struct world *world, void *argument)
{
    struct ticker *ticker = argument;
    for (;;) {
        uint64_t deadline_ns = world_now(world) + SIM_MILLISECOND;
        if (fiber_sleep_until(world->scheduler, deadline_ns) == FIBER_CANCELED)
            return;
        uint64_t late_ns = world_now(world) - deadline_ns;
        ticker->late_ns = late_ns > ticker->late_ns ? late_ns : ticker->late_ns;
        ticker->ticks++;
    }
}

START_TEST(test_a_paused_process_gets_no_turn)
{
    struct ticker ticker = {0};
    struct sim *sim = stage_open(1, 1);
    struct sim_process *process = stage_start(sim, 0, act_tick, &ticker);
    stage_wait(sim, 100 * SIM_MILLISECOND);
    uint64_t before = ticker.ticks;
    ck_assert_uint_ge(before, 90);
    ck_assert_uint_lt(ticker.late_ns, SIM_MILLISECOND);
    sim_pause(process);
    ck_assert_int_eq(sim_state(process), SIM_PAUSED);
    stage_wait(sim, SIM_SECOND);
    ck_assert_uint_eq(ticker.ticks, before);
    sim_resume(process);
    stage_wait(sim, 100 * SIM_MILLISECOND);
    ck_assert_uint_gt(ticker.ticks, before + 90);
    ck_assert_uint_gt(ticker.late_ns, 990 * SIM_MILLISECOND);
    sim_close(sim);
}
END_TEST

/* ---- clocks ---- */

struct clocks {
    uint64_t monotonic_ns;
    int64_t wall_us;
};

static void act_read_clocks(struct world *world, void *argument)
{
    struct clocks *clocks = argument;
    clocks->monotonic_ns = world_now(world);
    clocks->wall_us = world_wall(world);
}

static struct clocks read_clocks(struct sim *sim, uint32_t node)
{
    struct clocks clocks;
    stage_act(sim, node, act_read_clocks, &clocks);
    return clocks;
}

START_TEST(test_the_wall_clock_jumps_and_the_monotonic_one_does_not)
{
    struct sim *sim = stage_open(1, 1);
    struct clocks before = read_clocks(sim, 0);
    ck_assert_int_gt(before.wall_us, 1767225600000000); /* 2026 */
    sim_wall_jump(sim, 0, -5000000);
    struct clocks after = read_clocks(sim, 0);
    ck_assert_uint_gt(after.monotonic_ns, before.monotonic_ns);
    ck_assert_uint_lt(after.monotonic_ns - before.monotonic_ns, SIM_MILLISECOND);
    ck_assert_int_lt(after.wall_us, before.wall_us - 4900000);
    ck_assert_int_gt(after.wall_us, before.wall_us - 5000001);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_drifting_clock_runs_faster_by_what_was_asked_for)
{
    struct sim *sim = stage_open(1, 2);
    sim_drift(sim, 0, 10000); /* 1 % */
    struct clocks fast = read_clocks(sim, 0), right = read_clocks(sim, 1);
    stage_wait(sim, 1000 * SIM_SECOND);
    struct clocks fast_later = read_clocks(sim, 0), right_later = read_clocks(sim, 1);
    uint64_t fast_ns = fast_later.monotonic_ns - fast.monotonic_ns;
    uint64_t right_ns = right_later.monotonic_ns - right.monotonic_ns;
    ck_assert_uint_gt(fast_ns, right_ns + 10 * SIM_SECOND - SIM_MILLISECOND);
    ck_assert_uint_lt(fast_ns, right_ns + 10 * SIM_SECOND + SIM_MILLISECOND);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_deadline_comes_when_the_machines_own_clock_says_so)
{
    struct ticker ticker = {0};
    struct sim *sim = stage_open(1, 1);
    stage_start(sim, 0, act_tick, &ticker);
    for (int32_t ppm = -100000; ppm <= 100000; ppm += 40000) {
        sim_drift(sim, 0, ppm);
        stage_wait(sim, 100 * SIM_MILLISECOND);
    }
    ck_assert_uint_gt(ticker.ticks, 550);
    ck_assert_uint_lt(ticker.late_ns, 100 * SIM_MICROSECOND);
    sim_close(sim);
}
END_TEST

START_TEST(test_the_monotonic_clock_begins_anew_after_a_loss_of_power)
{
    struct sim *sim = stage_open(3, 1);
    struct clocks before = read_clocks(sim, 0);
    sim_lose_power(sim, 0);
    struct clocks after = read_clocks(sim, 0);
    ck_assert_uint_lt(after.monotonic_ns, 61 * SIM_SECOND);
    ck_assert_uint_gt(before.monotonic_ns, after.monotonic_ns);
    ck_assert_int_lt(after.wall_us - before.wall_us, 1000000);
    ck_assert_int_ge(after.wall_us, before.wall_us);
    sim_close(sim);
}
END_TEST

static void act_read_time_often(struct world *world, void *argument)
{
    uint64_t before = world->now_ns;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = world_now(world);
        ck_assert_uint_gt(now, before);
        before = now;
    }
    nap(world, 1);
    ck_assert_uint_gt(world_now(world), before);
    ck_assert_uint_gt(world->now_ns, before);
}

START_TEST(test_time_goes_on_while_a_fiber_looks_at_it)
{
    struct sim *sim = stage_open(1, 1);
    sim_drift(sim, 0, -100000);
    stage_act(sim, 0, act_read_time_often, NULL);
    sim_close(sim);
}
END_TEST

static void act_draw(struct world *world, void *argument)
{
    world_random(world, argument, 20);
}

START_TEST(test_random_bytes_follow_from_seed_and_machine)
{
    uint8_t drawn[4][20] = {{0}};
    for (int i = 0; i < 4; i++) {
        struct sim *sim = stage_open(i == 2 ? 2 : 1, 2);
        stage_act(sim, i == 1, act_draw, drawn[i]);
        sim_close(sim);
    }
    ck_assert(memcmp(drawn[0], drawn[1], 20));
    ck_assert(memcmp(drawn[0], drawn[2], 20));
    ck_assert(!memcmp(drawn[0], drawn[3], 20));
}
END_TEST

/* ---- faults ---- */

START_TEST(test_drawn_faults_follow_from_the_seed_and_differ)
{
    uint32_t with_crashes = 0, with_partitions = 0, with_errors = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sim_faults faults, again;
        sim_faults_draw(&faults, seed);
        sim_faults_draw(&again, seed);
        ck_assert(!memcmp(&faults, &again, sizeof faults));
        ck_assert_uint_le((uint64_t)faults.lost_ppm + faults.torn_ppm, 1000000);
        with_crashes += faults.crash_every_ns != 0;
        with_partitions += faults.partition_every_ns != 0;
        with_errors += faults.sync_error_ppm != 0;
    }
    ck_assert_uint_gt(with_crashes, 100);
    ck_assert_uint_lt(with_crashes, 200);
    ck_assert_uint_gt(with_partitions, 50);
    ck_assert_uint_lt(with_partitions, 150);
    ck_assert_uint_gt(with_errors, 50);
}
END_TEST

/* ---- rules that are checked ---- */

static void act_misaligned(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file;
    void *memory;
    must(disk_open(world, world->scope, "/f", DISK_CREATE | DISK_DIRECT, &file, &error), &error);
    must(scope_alloc_large(world->scope, 8192, 4096, &memory, &error), &error);
    memset(memory, 0, 8192);
    must(disk_write(world, world->scope, file, memory, 4096, 4096, &error), &error);
    must(disk_write(world, world->scope, file, memory, 4096, 512, &error), &error);
}

START_TEST(test_misaligned_direct_transfers_stop_the_program)
{
    struct sim *sim = stage_open(1, 1);
    stage_act(sim, 0, act_misaligned, NULL);
}
END_TEST

static void scribble(void *argument)
{
    memset(argument, 0xff, 100);
}

static void act_change_what_is_written(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file;
    uint8_t *memory = scope_alloc_zeroed(world->scope, 100);
    must(disk_open(world, world->scope, "/f", DISK_CREATE, &file, &error), &error);
    must(fiber_start(world->scheduler, world->scope, "scribbler", scribble, memory, NULL, &error), &error);
    must(disk_write(world, world->scope, file, memory, 100, 0, &error), &error);
}

START_TEST(test_changing_what_is_being_written_stops_the_program)
{
    struct sim *sim = stage_open(1, 1);
    stage_act(sim, 0, act_change_what_is_written, NULL);
}
END_TEST

static void act_share_a_file(struct world *world, void *argument)
{
    struct file **file = argument;
    struct error error = {0};
    uint8_t byte = 0;
    if (world->core == 0) {
        must(disk_open(world, world->scope, "/f", DISK_CREATE, file, &error), &error);
        nap(world, SIM_SECOND);
        return;
    }
    nap(world, 10 * SIM_MILLISECOND);
    must(disk_write(world, world->scope, *file, &byte, 1, 0, &error), &error);
}

START_TEST(test_using_another_cores_file_stops_the_program)
{
    struct file *file;
    struct sim *sim = stage_open(1, 1);
    sim_start(sim, 0,
              &(struct sim_program){
                  .name = "sharer", .cores = 2, .core_main = act_share_a_file, .argument = &file});
    stage_wait(sim, SIM_SECOND);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("sim");
    tcase_add_loop_test(tests, test_same_seed_gives_same_trace, 0, 12);
    tcase_add_test(tests, test_what_comes_from_outside_the_world_changes_the_hash);
    tcase_add_test(tests, test_one_bit_of_written_bytes_changes_the_hash);
    tcase_add_loop_test(tests, test_broken_workloads_are_caught_within_few_seeds, 0, 8);
    tcase_add_loop_test(tests, test_a_crash_at_every_turn_loses_nothing_that_was_promised, 0, 2);
    tcase_add_test(tests, test_a_crash_at_every_turn_finds_the_early_promise);
    tcase_add_test(tests, test_a_world_without_anything_to_do_is_idle);
    tcase_add_test(tests, test_a_failure_ends_the_run_and_the_first_sentence_stays);
    tcase_add_test(tests, test_the_trace_has_a_line_for_each_record);
    tcase_add_test(tests, test_seeds_differ_in_the_order_fibers_run);
    tcase_add_test(tests, test_who_yields_goes_on_after_all_who_were_ready);
    tcase_add_loop_test(tests, test_a_crash_gives_all_memory_back, 0, 5);
    tcase_add_test(tests, test_a_crash_at_every_turn_gives_all_memory_back);
    tcase_add_test(tests, test_a_crash_after_a_write_comes_before_anybody_hears_of_it);
    tcase_add_loop_test(tests, test_a_process_that_is_asked_to_stop_ends_on_all_cores, 0, 3);
    tcase_add_test(tests, test_a_process_whose_mail_is_kept_cannot_end);
    tcase_add_test(tests, test_a_program_can_stop_its_process);
    tcase_add_test(tests, test_waiting_for_a_stop_that_does_not_come_times_out);
    tcase_add_test(tests, test_a_fiber_can_crash_its_own_process);
    tcase_add_test(tests, test_a_fiber_can_crash_another_process);
    tcase_add_test(tests, test_respawned_processes_start_again_until_they_are_stopped);
    tcase_add_test(tests, test_drawn_crashes_spare_the_spared_and_end_with_the_calm);
    tcase_add_test(tests, test_a_paused_process_gets_no_turn);
    tcase_add_test(tests, test_the_wall_clock_jumps_and_the_monotonic_one_does_not);
    tcase_add_test(tests, test_a_drifting_clock_runs_faster_by_what_was_asked_for);
    tcase_add_test(tests, test_a_deadline_comes_when_the_machines_own_clock_says_so);
    tcase_add_test(tests, test_the_monotonic_clock_begins_anew_after_a_loss_of_power);
    tcase_add_test(tests, test_time_goes_on_while_a_fiber_looks_at_it);
    tcase_add_test(tests, test_random_bytes_follow_from_seed_and_machine);
    tcase_add_test(tests, test_drawn_faults_follow_from_the_seed_and_differ);
    tcase_add_test_raise_signal(tests, test_misaligned_direct_transfers_stop_the_program, SIGABRT);
    tcase_add_test_raise_signal(tests, test_changing_what_is_being_written_stops_the_program, SIGABRT);
    tcase_add_test_raise_signal(tests, test_using_another_cores_file_stops_the_program, SIGABRT);
    return stage_run(tests);
}
