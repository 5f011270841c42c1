/* The node log in the simulator. */
#include "test/unit/log_meeting.h"
#include "test/unit/unit.h"

#include "base/scope.h"

#include <stdio.h>
#include <string.h>

static const struct plan small = {
    .cores = 1, .writers = 2, .records = 10, .in_a_row = 3, .payload_max = 3000, .segment_bytes = 512 * 1024};

START_TEST(what_was_appended_is_there_after_a_restart)
{
    struct ledger *ledger = meeting_open(1, &small, NULL);
    struct sim_process *process = meeting_start(ledger);
    meeting_work(ledger, process);
    meeting_stop(ledger, process);
    sim_restart(process);
    meeting_work(ledger, process);
    ck_assert_uint_eq(ledger->replayed, 20);
    ck_assert_uint_eq(ledger->state.incarnation, 2);
    meeting_stop(ledger, process);
    meeting_close(ledger);
}
END_TEST

START_TEST(three_cores)
{
    struct plan plan = small;
    plan.cores = 3;
    plan.replay_everywhere = true;
    struct ledger *ledger = meeting_open((uint64_t)_i, &plan, NULL);
    struct sim_process *process = meeting_start(ledger);
    meeting_work(ledger, process);
    sim_crash(process, SIM_POWER);
    sim_restart(process);
    meeting_work(ledger, process);
    ck_assert_uint_eq(ledger->replayed, 60);
    meeting_stop(ledger, process);
    meeting_close(ledger);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("node_log");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, what_was_appended_is_there_after_a_restart);
    tcase_add_loop_test(tests, three_cores, 0, 20);
    return unit_run(tests);
}
