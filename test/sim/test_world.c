/* The world's conformance suite (test/world/) on the simulated world: what holds on Linux must hold here, else
 * what is simulated is not what runs. Each case runs with several seeds, and with drawn splits of what is sent. */
#include "test/sim/sim.h"
#include "test/world/cases.h"

#include <errno.h>
#include <stdlib.h>

#define SEEDS 6

static void make_directory(struct world *world, void *place)
{
    struct error error = {0};
    must(disk_make_directory(world, ((struct world_place *)place)->directory, &error), &error);
}

static bool has_ended(void *argument)
{
    return sim_state(argument) == SIM_ENDED;
}

static void run_program(struct sim *sim, const struct sim_program *program)
{
    struct sim_process *process = sim_start(sim, 0, program);
    ck_assert_msg(sim_run(sim, 3600 * SIM_SECOND, has_ended, process) == SIM_UNTIL, "%s hangs",
                  program->name);
    ck_assert_uint_eq(sim_memory(process), 0);
}

static uint32_t cases_of(const struct world_case *cases)
{
    uint32_t count = 0;
    while (cases[count].name)
        count++;
    return count;
}

static void play_case(const struct world_case *world_case, uint64_t seed)
{
    struct sim_options options = {.seed = seed, .nodes = 1, .log_level = LOG_INFO};
    struct world_place place = {.directory = "/case"};
    sim_faults_none(&options.faults);
    options.faults.turns = 1u << seed;
    /* Slow against a turn: the cases cancel operations that must still be in flight. */
    options.faults.write_ns = options.faults.read_ns = options.faults.sync_ns = SIM_MILLISECOND;
    options.faults.split_ppm = (uint32_t)seed * 150000;
    struct sim *sim = sim_open(&options);
    run_program(sim, &(struct sim_program){
                         .name = "directory", .cores = 1, .core_main = make_directory, .argument = &place});
    run_program(sim, &(struct sim_program){.name = world_case->name,
                                           .cores = world_case->cores,
                                           .core_main = world_case->run,
                                           .argument = &place});
    sim_close(sim);
}

#define CASE_TEST(kind)                                                       \
    START_TEST(test_##kind##_case)                                            \
    {                                                                         \
        play_case(&world_##kind##_cases[_i / SEEDS], (uint64_t)(_i % SEEDS)); \
    }                                                                         \
    END_TEST

CASE_TEST(clock)
CASE_TEST(disk)
CASE_TEST(net)
CASE_TEST(mail)

int main(void)
{
    Suite *suite = suite_create(program_invocation_short_name);
    TCase *tests = tcase_create("world");
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, test_clock_case, 0, (int)cases_of(world_clock_cases) * SEEDS);
    tcase_add_loop_test(tests, test_disk_case, 0, (int)cases_of(world_disk_cases) * SEEDS);
    tcase_add_loop_test(tests, test_net_case, 0, (int)cases_of(world_net_cases) * SEEDS);
    tcase_add_loop_test(tests, test_mail_case, 0, (int)cases_of(world_mail_cases) * SEEDS);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
