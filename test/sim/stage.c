/* Small worlds for the tests; see stage.h. */
#include "test/sim/stage.h"

#include "base/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Far more than any test needs, for a loaded machine with sanitizers: it only ends what hangs. */
#define TEST_SECONDS 300

int stage_run(TCase *tests)
{
    Suite *suite = suite_create(program_invocation_short_name);
    tcase_set_timeout(tests, TEST_SECONDS);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

struct sim_options stage_options(uint64_t seed, uint32_t nodes)
{
    struct sim_options options = {.seed = seed, .nodes = nodes, .log_level = LOG_INFO};
    sim_faults_none(&options.faults);
    options.faults.split_ppm = 0;
    return options;
}

struct sim *stage_open(uint64_t seed, uint32_t nodes)
{
    struct sim_options options = stage_options(seed, nodes);
    return sim_open(&options);
}

struct sim_process *stage_start(struct sim *sim, uint32_t node, void (*act)(struct world *, void *),
                                void *argument)
{
    struct sim_program program = {.name = "act", .cores = 1, .core_main = act, .argument = argument};
    return sim_start(sim, node, &program);
}

static bool has_ended(void *argument)
{
    return sim_state(argument) == SIM_ENDED;
}

void stage_act(struct sim *sim, uint32_t node, void (*act)(struct world *, void *), void *argument)
{
    stage_until_ended(sim, stage_start(sim, node, act, argument), NULL);
}

void stage_until_ended(struct sim *sim, struct sim_process *process, ...)
{
    va_list more;
    va_start(more, process);
    for (; process; process = va_arg(more, struct sim_process *))
        ck_assert_int_eq(sim_run(sim, 10000 * SIM_SECOND, has_ended, process), SIM_UNTIL);
    va_end(more);
}

static bool never(void *argument)
{
    return false;
}

void stage_wait(struct sim *sim, uint64_t for_ns)
{
    enum sim_end end = sim_run(sim, for_ns, never, NULL);
    ck_assert(end == SIM_DEADLINE || end == SIM_IDLE);
}

void must(enum sqlstate failed, const struct error *error)
{
    char text[6];
    sqlstate_text(failed, text);
    ck_assert_msg(!failed, "%s: %s", text, failed ? error_text(error, ERROR_MESSAGE) : "");
}

void must_fail(enum sqlstate wanted, enum sqlstate failed, const struct error *error)
{
    char text[6], wanted_text[6];
    sqlstate_text(failed, text);
    sqlstate_text(wanted, wanted_text);
    ck_assert_msg(failed == wanted, "%s instead of %s: %s", text, wanted_text,
                  failed ? error_text(error, ERROR_MESSAGE) : "no error");
}

void nap(struct world *world, uint64_t for_ns)
{
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + for_ns), FIBER_TIMED_OUT);
}

struct stream *stage_connect(struct world *world, struct scope *scope, const char *host, uint16_t port)
{
    struct error error = {0};
    struct net_address address;
    struct stream *stream;
    must(net_resolve(world, host, port, &address, &error), &error);
    must(net_connect(world, scope, &address, FIBER_NO_DEADLINE, &stream, &error), &error);
    return stream;
}

struct stream *stage_accept(struct world *world, struct scope *scope, uint16_t port)
{
    struct error error = {0};
    struct net_address address = {.port = port};
    struct listener *listener;
    struct net_handover handover;
    struct stream *stream;
    must(net_listen(world, scope, &address, &listener, NULL, &error), &error);
    must(net_accept(world, listener, &handover, FIBER_NO_DEADLINE, &error), &error);
    must(net_adopt(world, scope, &handover, &stream, &error), &error);
    return stream;
}

size_t stage_receive(struct world *world, struct stream *stream, void *bytes, size_t size,
                     uint64_t patience_ns, enum sqlstate *failed)
{
    struct error error = {0};
    size_t got = 0;
    uint64_t deadline_ns = world_now(world) + patience_ns;
    *failed = SQLSTATE_OK;
    while (got < size) {
        struct bytes view;
        *failed = stream_receive(stream, &view, deadline_ns, &error);
        if (*failed || !view.size)
            break;
        ck_assert_uint_le(view.size, size - got);
        memcpy((uint8_t *)bytes + got, view.data, view.size);
        got += view.size;
    }
    return got;
}

bool same_hash(const struct sim_totals *a, const struct sim_totals *b)
{
    return a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1];
}
