/* The node log and crashes, in the simulator: whatever happened, what was reported stable is there, in an order in which
 * causes come first, and what an opening has found stays. */
#include "test/unit/log_meeting.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- crashes ---- */

struct events {
    struct ledger *ledger;
    uint64_t until;
};

static bool so_many_events(void *argument)
{
    const struct events *events = argument;
    struct sim_totals totals;
    sim_totals(events->ledger->sim, &totals);
    return totals.events >= events->until || sim_failure(events->ledger->sim);
}

/* Runs for so many events; false when nothing is left to happen before. */
static bool run_events(struct ledger *ledger, uint64_t count)
{
    struct sim_totals totals;
    sim_totals(ledger->sim, &totals);
    struct events events = {.ledger = ledger, .until = totals.events + count};
    return sim_run(ledger->sim, 10 * SIM_SECOND, so_many_events, &events) == SIM_UNTIL;
}

/* The program is crashed after `at` events, again soon after its next start, and then by a loss of power. Whatever happened,
 * each opening finds what was stable. Gives whether the program was still at work when it was crashed. */
static bool crash_at(const struct plan *plan, uint64_t seed, uint64_t at, enum sim_crash how)
{
    struct ledger *ledger = meeting_open(seed, plan, NULL);
    struct sim_process *process = meeting_start(ledger);
    bool crashed = run_events(ledger, at);
    sim_crash(process, how);
    sim_restart(process);
    if (at % 3 == 0) {
        run_events(ledger, at % 97);
        sim_crash(process, at % 2 ? SIM_KILL : SIM_POWER);
        sim_restart(process);
    }
    meeting_work(ledger, process);
    sim_crash(process, SIM_POWER);
    sim_restart(process);
    meeting_work(ledger, process);
    meeting_stop(ledger, process);
    meeting_close(ledger);
    return crashed;
}

/* Whether the writers of an undisturbed run have not done all after so many events. */
static uint64_t events_of(const struct plan *plan, uint64_t seed)
{
    struct ledger *ledger = meeting_open(seed, plan, NULL);
    struct sim_process *process = meeting_start(ledger);
    struct sim_totals totals;
    meeting_work(ledger, process);
    meeting_stop(ledger, process);
    sim_totals(ledger->sim, &totals);
    meeting_close(ledger);
    return totals.events;
}

static const struct plan brief = {.cores = 1,
                                  .writers = 2,
                                  .records = 4,
                                  .in_a_row = 2,
                                  .payload_max = 120000,
                                  .segment_bytes = 272 * 1024,
                                  .write_bytes_max = 32 * 1024,
                                  .writes_in_flight = 3};

static void crash_everywhere(const struct plan *plan, uint64_t seed, enum sim_crash how)
{
    uint64_t events = events_of(plan, seed);
    for (uint64_t at = 1; at <= events; at++)
        crash_at(plan, seed, at, how);
}

START_TEST(a_process_that_is_killed_at_any_event_finds_its_log)
{
    crash_everywhere(&brief, 11, SIM_KILL);
}
END_TEST

START_TEST(a_machine_that_loses_power_at_any_event_finds_its_log)
{
    crash_everywhere(&brief, 12, SIM_POWER);
}
END_TEST

START_TEST(three_cores_that_lose_power_at_any_event_find_their_log)
{
    struct plan plan = brief;
    plan.cores = 3;
    plan.writers = 1;
    plan.records = 3;
    crash_everywhere(&plan, 13, SIM_POWER);
}
END_TEST

static bool is_crashed(void *process)
{
    return sim_state(process) == SIM_CRASHED;
}

/* Events are turns of a core, in which several fibers run; here each turn of a fiber may be the last. */
static void crash_at_yields(const struct plan *plan, uint64_t seed)
{
    struct ledger *ledger = meeting_open(seed, plan, NULL);
    struct sim_process *process = meeting_start(ledger);
    meeting_work(ledger, process);
    uint64_t yields = sim_yields(process);
    meeting_close(ledger);
    for (uint64_t at = 1; at <= yields; at++) {
        ledger = meeting_open(seed, plan, NULL);
        process = meeting_start(ledger);
        sim_crash_after(process, at, at % 2 ? SIM_KILL : SIM_POWER);
        ck_assert_int_eq(sim_run(ledger->sim, 10 * SIM_SECOND, is_crashed, process), SIM_UNTIL);
        sim_restart(process);
        meeting_work(ledger, process);
        sim_crash(process, SIM_POWER);
        sim_restart(process);
        meeting_work(ledger, process);
        meeting_close(ledger);
    }
}

START_TEST(a_crash_at_any_yield_leaves_what_was_stable)
{
    crash_at_yields(&brief, 21 + (uint64_t)_i);
}
END_TEST

/* ---- everything at once ---- */

/* Faults as the seed draws them, over many restarts; then calm, in which all must get done. */
static void weather(uint64_t seed)
{
    uint64_t random = seed;
    struct sim_faults faults;
    struct plan plan = {.cores = 1 + (uint32_t)unit_random_below(&random, 3),
                        .writers = 1 + (uint32_t)unit_random_below(&random, 6),
                        .records = 10 + (uint32_t)unit_random_below(&random, 150),
                        .in_a_row = 1 + (uint32_t)unit_random_below(&random, 5),
                        .payload_max = 1ul << unit_random_below(&random, 18),
                        .segment_bytes = (uint64_t)(68 + unit_random_below(&random, 100)) * 4096,
                        .write_bytes_max = 4096ul << unit_random_below(&random, 7),
                        .writes_in_flight = 1 + (uint32_t)unit_random_below(&random, 6),
                        .pause_ns = (1000ul << unit_random_below(&random, 12)) - 1000,
                        .replay_everywhere = unit_random_below(&random, 2),
                        .respawn = true};
    if (unit_random_below(&random, 2))
        plan.keep_bytes = 4096 + unit_random_below(&random, 1000000);
    plan.refuses_archive = plan.keep_bytes % 2;
    plan.follows = seed % 3;
    plan.follow_hold = seed % 3 == 1 ? 1 << 18 : 0;
    sim_faults_draw(&faults, seed);
    if (unit_random_below(&random, 4)) {
        faults.crash_every_ns = SIM_MILLISECOND << unit_random_below(&random, 6);
        faults.down_ns = SIM_MILLISECOND;
        faults.pause_every_ns *= unit_random_below(&random, 2);
    }
    struct ledger *ledger = meeting_open(seed, &plan, &faults);
    struct sim_process *process = meeting_start(ledger);
    (void)sim_run(ledger->sim, (20 + unit_random_below(&random, 400)) * SIM_MILLISECOND, NULL, NULL);
    meeting_check(ledger);
    sim_calm(ledger->sim);
    meeting_work(ledger, process);
    sim_crash(process, SIM_POWER);
    sim_restart(process);
    meeting_work(ledger, process);
    meeting_close(ledger);
}

START_TEST(in_any_weather_what_was_stable_stays)
{
    weather((uint64_t)_i);
}
END_TEST

/* Seeds that were searched by hand beforehand: SEEDS=from,to */
START_TEST(in_more_weather)
{
    const char *seeds = getenv("SEEDS");
    unsigned long long from, to;
    if (!seeds || sscanf(seeds, "%llu,%llu", &from, &to) != 2)
        return;
    for (; from < to; from++)
        weather(from);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("node_log_crash");
    tcase_set_timeout(tests, 3000);
    tcase_add_test(tests, a_process_that_is_killed_at_any_event_finds_its_log);
    tcase_add_test(tests, a_machine_that_loses_power_at_any_event_finds_its_log);
    tcase_add_test(tests, three_cores_that_lose_power_at_any_event_find_their_log);
    tcase_add_loop_test(tests, a_crash_at_any_yield_leaves_what_was_stable, 0, 3);
    tcase_add_loop_test(tests, in_any_weather_what_was_stable_stays, 0, 60);
    tcase_add_test(tests, in_more_weather);
    return unit_run(tests);
}
