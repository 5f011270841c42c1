/* The node log and damaged bytes, in the simulator: what was acknowledged is never skipped, what was dropped never comes
 * back. */
#include "test/unit/log_meeting.h"
#include "test/unit/unit.h"

#include "base/scope.h"
#include "engine/log/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT "/data/log/0000000000000000"

static const struct plan plan_small = {.cores = 1,
                                       .writers = 2,
                                       .records = 4,
                                       .in_a_row = 2,
                                       .payload_max = 300,
                                       .segment_bytes = 272 * 1024,
                                       .cluster = 5,
                                       .expects_damage = true};

/* A log that was ended properly, and its program. */
static struct ledger *ended_log(const struct plan *plan, struct sim_process **process)
{
    struct ledger *ledger = meeting_open(1, plan, NULL);
    *process = meeting_start(ledger);
    meeting_work(ledger, *process);
    meeting_stop(ledger, *process);
    return ledger;
}

/* ---- a program that does what disks and people do ---- */

struct deed {
    void (*run)(struct world *world, struct scope *scope, void *argument);
    void *argument;
};

static void deed_main(struct world *world, void *argument)
{
    struct deed *deed = argument;
    struct scope *scope = scope_open(world->scope, "deed");
    deed->run(world, scope, deed->argument);
    scope_close(scope);
}

static bool has_ended(void *process)
{
    return sim_state(process) == SIM_ENDED;
}

static void do_deed(struct ledger *ledger,
                    void (*run)(struct world *world, struct scope *scope, void *argument), void *argument)
{
    struct deed deed = {run, argument};
    struct sim_process *process = sim_start(
        ledger->sim, 0,
        &(struct sim_program){.name = "deed", .cores = 1, .core_main = deed_main, .argument = &deed});
    ck_assert_int_eq(sim_run(ledger->sim, 60 * SIM_SECOND, has_ended, process), SIM_UNTIL);
}

static void must(enum sqlstate failed, const struct error *error)
{
    ck_assert_msg(!failed, "%s", error_text(error, ERROR_MESSAGE));
}

/* Bytes to be read from, or written to, the first segment. */
struct piece {
    uint64_t offset;
    size_t bytes;
    uint8_t *data;
};

static void read_piece(struct world *world, struct scope *scope, void *argument)
{
    struct piece *piece = argument;
    struct file *file;
    struct error error;
    must(disk_open(world, scope, SEGMENT, DISK_READ_ONLY, &file, &error), &error);
    must(disk_read(world, scope, file, piece->data, piece->bytes, piece->offset, NULL, &error), &error);
}

static void write_piece(struct world *world, struct scope *scope, void *argument)
{
    struct piece *piece = argument;
    struct file *file;
    struct error error;
    must(disk_open(world, scope, SEGMENT, 0, &file, &error), &error);
    must(disk_write_durable(world, scope, file, piece->data, piece->bytes, piece->offset, &error), &error);
}

static void remove_file(struct world *world, struct scope *scope, void *argument)
{
    struct error error;
    (void)scope;
    must(disk_remove(world, argument, &error), &error);
}

static void shorten_file(struct world *world, struct scope *scope, void *argument)
{
    struct file *file;
    struct error error;
    must(disk_open(world, scope, argument, 0, &file, &error), &error);
    must(disk_truncate(world, scope, file, 1000, &error), &error);
}

/* ---- opening what was damaged ---- */

static bool opened_or_not(void *argument)
{
    struct ledger *ledger = argument;
    return ledger->runs > sim_restarts(ledger->process) &&
           (ledger->failed || ledger->started == ledger->plan.cores);
}

/* Starts the program again; gives what opening and replay say. */
static enum sqlstate try_again(struct ledger *ledger, struct sim_process *process)
{
    sim_restart(process);
    enum sim_end end = sim_run(ledger->sim, 60 * SIM_SECOND, opened_or_not, ledger);
    meeting_check(ledger);
    ck_assert_int_eq(end, SIM_UNTIL);
    enum sqlstate failed = ledger->failed;
    meeting_stop(ledger, process);
    return failed;
}

/* The position a message speaks of. */
static uint64_t position_told(const struct ledger *ledger)
{
    const char *message = error_text(&ledger->error, ERROR_MESSAGE);
    const char *at = strstr(message, "damaged at position ");
    ck_assert_msg(at && strstr(message, "/data/log/"), "%s", message);
    return strtoull(at + strlen("damaged at position "), NULL, 10);
}

/* Groups of the first segment, as they stand there. */
struct groups {
    struct group_head head[64];
    uint32_t count;
    uint8_t *bytes;
};

static void read_groups(struct ledger *ledger, struct groups *groups, size_t bytes)
{
    groups->bytes = malloc(bytes);
    ck_assert_ptr_nonnull(groups->bytes);
    do_deed(ledger, read_piece, &(struct piece){0, bytes, groups->bytes});
    uint64_t at = 0;
    for (groups->count = 0; groups->count < 64 && at < bytes; groups->count++) {
        struct group_head *head = &groups->head[groups->count];
        if (!group_head_read(groups->bytes + at, head) || head->position != at ||
            !group_check(groups->bytes + at, head))
            break;
        at = group_end(head);
    }
}

START_TEST(every_flipped_byte_before_the_last_marker_is_found)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_small, &process);
    struct groups groups;
    read_groups(ledger, &groups, 64 * 1024);
    ck_assert_uint_gt(groups.count, 3);
    ck_assert_int_eq(groups.head[groups.count - 1].kind, GROUP_MARKER);
    for (uint32_t i = 0; i + 1 < groups.count; i++) {
        uint64_t first = groups.head[i].position, end = group_end(&groups.head[i]);
        uint64_t busy = first + groups.head[i].bytes;
        /* Each byte in use, and some of the zeros behind. */
        for (uint64_t at = first; at < end; at += at < busy ? 1 : 97) {
            ck_assert(sim_disk_rot(ledger->sim, 0, SEGMENT, at, (uint32_t)at));
            ck_assert_msg(try_again(ledger, process) == SQLSTATE_DATA_CORRUPTED, "byte %llu",
                          (unsigned long long)at);
            ck_assert_uint_eq(position_told(ledger), first);
            ck_assert(sim_disk_rot(ledger->sim, 0, SEGMENT, at, (uint32_t)at));
        }
    }
    ledger->plan.records = 1;
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    ck_assert_uint_eq(ledger->replayed, 8);
    free(groups.bytes);
    meeting_close(ledger);
}
END_TEST

START_TEST(a_damaged_marker_hides_nothing)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_small, &process);
    struct groups groups;
    read_groups(ledger, &groups, 64 * 1024);
    ck_assert(sim_disk_rot(ledger->sim, 0, SEGMENT, groups.head[groups.count - 1].position + 20, 3));
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    ck_assert_uint_eq(ledger->replayed, 8);
    free(groups.bytes);
    meeting_close(ledger);
}
END_TEST

/* ---- several segments ---- */

static const struct plan plan_long = {.cores = 1,
                                      .writers = 2,
                                      .records = 30,
                                      .in_a_row = 2,
                                      .payload_max = 200000,
                                      .segment_bytes = 272 * 1024,
                                      .write_bytes_max = 64 * 1024,
                                      .cluster = 5,
                                      .expects_damage = true};

static const char *segment_name(uint64_t number)
{
    static char name[64];
    snprintf(name, sizeof name, "/data/log/%016llx", (unsigned long long)(number * 272 * 1024));
    return name;
}

/* How many segments the log has got into. */
static uint64_t segments_of(struct ledger *ledger, struct sim_process *process)
{
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    return ledger->state.end / (272 * 1024) + 1;
}

START_TEST(a_damaged_head_of_any_segment_is_found)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_long, &process);
    ledger->plan.records = 1;
    uint64_t segments = segments_of(ledger, process);
    ck_assert_uint_gt(segments, 4);
    for (uint64_t i = 0; i < segments; i++) {
        ck_assert(sim_disk_rot(ledger->sim, 0, segment_name(i), 30, 1));
        ck_assert_msg(try_again(ledger, process) == SQLSTATE_DATA_CORRUPTED, "segment %llu",
                      (unsigned long long)i);
        /* Where the group before it ended, or where it should begin. */
        ck_assert_uint_le(position_told(ledger), i * 272 * 1024);
        ck_assert_uint_gt(position_told(ledger) + 272 * 1024, i * 272 * 1024);
        ck_assert(sim_disk_rot(ledger->sim, 0, segment_name(i), 30, 1));
    }
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    meeting_close(ledger);
}
END_TEST

START_TEST(damage_in_an_earlier_segment_is_found_by_replay)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_long, &process);
    ledger->plan.records = 1;
    for (uint64_t i = 0; i < 3; i++) {
        ck_assert(sim_disk_rot(ledger->sim, 0, segment_name(i), 5000, 1));
        ck_assert_int_eq(try_again(ledger, process), SQLSTATE_DATA_CORRUPTED);
        ck_assert_uint_ge(position_told(ledger), i * 272 * 1024);
        ck_assert_uint_lt(position_told(ledger), i * 272 * 1024 + 5000);
        ck_assert_ptr_nonnull(strstr(error_text(&ledger->error, ERROR_MESSAGE), segment_name(i)));
        ck_assert(sim_disk_rot(ledger->sim, 0, segment_name(i), 5000, 1));
    }
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    meeting_close(ledger);
}
END_TEST

START_TEST(a_missing_segment_is_found)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_long, &process);
    do_deed(ledger, remove_file, (void *)segment_name(1));
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_DATA_CORRUPTED);
    ck_assert_ptr_nonnull(strstr(error_text(&ledger->error, ERROR_MESSAGE), "is missing"));
    meeting_close(ledger);
}
END_TEST

START_TEST(a_segment_that_was_cut_is_found)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_long, &process);
    do_deed(ledger, shorten_file, (void *)segment_name(1));
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_DATA_CORRUPTED);
    ck_assert_ptr_nonnull(strstr(error_text(&ledger->error, ERROR_MESSAGE), "has a size of 1000 bytes"));
    meeting_close(ledger);
}
END_TEST

START_TEST(a_log_of_another_cluster_is_refused)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_small, &process);
    ledger->plan.cluster = 6;
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE);
    ledger->plan.cluster = 5;
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    meeting_close(ledger);
}
END_TEST

/* ---- what a crash leaves behind the end ---- */

/* Writes a group as the first incarnation would have: one record of `number`. Gives its end. */
static uint64_t forge(struct ledger *ledger, uint64_t position, uint64_t previous, uint64_t stable,
                      uint64_t incarnation, bool torn)
{
    uint8_t *group = calloc(1, DISK_ALIGNMENT);
    static const uint8_t payload[64] = {1, 2, 3};
    const struct log_record record = {
        .topic = 1, .sequence = 1, .epoch = 1, .kind = 1, .transaction = 1, .payload = bytes_of(payload, 64)};
    struct group_head head = {.cluster = 5,
                              .incarnation = incarnation,
                              .position = position,
                              .previous = previous,
                              .stable = stable,
                              .bytes = (uint32_t)(GROUP_HEAD_BYTES + record_bytes(64)),
                              .records = 1,
                              .kind = GROUP_RECORDS};
    ck_assert_ptr_nonnull(group);
    record_write(group + GROUP_HEAD_BYTES, &record);
    record_seal(group + GROUP_HEAD_BYTES, record_bytes(64), incarnation, position + GROUP_HEAD_BYTES);
    group_seal(group, &head);
    group[GROUP_HEAD_BYTES + 50] ^= torn;
    do_deed(ledger, write_piece, &(struct piece){position, DISK_ALIGNMENT, group});
    free(group);
    return group_end(&head);
}

/* Behind the end of the log: a group that is torn, and whole ones that were in flight with it. Then the log is opened and
 * crashed, so that the new incarnation's opening group takes the torn one's place and ends where a whole one begins. */
START_TEST(groups_dropped_by_an_opening_do_not_come_back_with_the_next)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_small, &process);
    struct groups groups;
    read_groups(ledger, &groups, 64 * 1024);
    uint64_t end = group_end(&groups.head[groups.count - 1]);
    uint64_t next = forge(ledger, end, end, end, 1, true);
    for (int i = 0; i < 4; i++)
        next = forge(ledger, next, next, end, 1, false);
    ledger->plan.records = 0;
    for (uint64_t i = 0; i < 4; i++) {
        sim_restart(process);
        ck_assert_int_eq(sim_run(ledger->sim, 60 * SIM_SECOND, opened_or_not, ledger), SIM_UNTIL);
        meeting_check(ledger);
        ck_assert_int_eq(ledger->failed, SQLSTATE_OK);
        ck_assert_uint_eq(ledger->replayed, 8);
        ck_assert_uint_eq(ledger->state.end, end + i * DISK_ALIGNMENT);
        ck_assert_uint_eq(ledger->state.torn_bytes, i ? 0 : next - end);
        sim_crash(process, SIM_POWER);
    }
    free(groups.bytes);
    meeting_close(ledger);
}
END_TEST

START_TEST(a_whole_group_of_an_old_incarnation_is_not_taken_for_one_of_a_new)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_small, &process);
    ledger->plan.records = 0;
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    uint64_t end = ledger->state.end + DISK_ALIGNMENT; /* the opening group of incarnation 2 */
    forge(ledger, end, end, end, 1, false);
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    ck_assert_uint_eq(ledger->replayed, 8);
    ck_assert_uint_eq(ledger->state.end, end);
    meeting_close(ledger);
}
END_TEST

START_TEST(a_group_of_an_incarnation_that_never_opened_is_no_end)
{
    struct sim_process *process;
    struct ledger *ledger = ended_log(&plan_small, &process);
    ledger->plan.records = 0;
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    uint64_t end = ledger->state.end + DISK_ALIGNMENT;
    forge(ledger, end, end, end, 9, false);
    ck_assert_int_eq(try_again(ledger, process), SQLSTATE_OK);
    ck_assert_uint_eq(ledger->state.end, end);
    ck_assert_uint_eq(ledger->state.incarnation, 3);
    meeting_close(ledger);
}
END_TEST

/* The window README.md speaks of: what was acknowledged last, before any later head could say so. */
START_TEST(only_a_pause_makes_rot_in_what_was_acknowledged_last_known)
{
    for (int paused = 0; paused < 2; paused++) {
        struct ledger *ledger = meeting_open(3, &plan_small, NULL);
        struct sim_process *process = meeting_start(ledger);
        struct groups groups;
        meeting_work(ledger, process);
        if (paused)
            (void)sim_run(ledger->sim, 300 * SIM_MILLISECOND, NULL, NULL);
        sim_crash(process, SIM_POWER);
        read_groups(ledger, &groups, 64 * 1024);
        const struct group_head *last = &groups.head[groups.count - 1];
        ck_assert_int_eq(last->kind, paused ? GROUP_MARKER : GROUP_RECORDS);
        last -= paused;
        ck_assert(sim_disk_rot(ledger->sim, 0, SEGMENT, last->position + GROUP_HEAD_BYTES + 9, 0));
        if (!paused) { /* the ledger would miss the records */
            struct told *told = &ledger->told[0][0];
            told->stable = told->stable > last->records ? told->stable - last->records : 0;
        }
        ck_assert_int_eq(try_again(ledger, process), paused ? SQLSTATE_DATA_CORRUPTED : SQLSTATE_OK);
        free(groups.bytes);
        meeting_close(ledger);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("node_log_damage");
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, every_flipped_byte_before_the_last_marker_is_found);
    tcase_add_test(tests, a_damaged_marker_hides_nothing);
    tcase_add_test(tests, a_damaged_head_of_any_segment_is_found);
    tcase_add_test(tests, damage_in_an_earlier_segment_is_found_by_replay);
    tcase_add_test(tests, a_missing_segment_is_found);
    tcase_add_test(tests, a_segment_that_was_cut_is_found);
    tcase_add_test(tests, a_log_of_another_cluster_is_refused);
    tcase_add_test(tests, groups_dropped_by_an_opening_do_not_come_back_with_the_next);
    tcase_add_test(tests, a_whole_group_of_an_old_incarnation_is_not_taken_for_one_of_a_new);
    tcase_add_test(tests, a_group_of_an_incarnation_that_never_opened_is_no_end);
    tcase_add_test(tests, only_a_pause_makes_rot_in_what_was_acknowledged_last_known);
    return unit_run(tests);
}
