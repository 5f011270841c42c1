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
    plan.replay_everywhere = plan.follows = true;
    struct ledger *ledger = meeting_open((uint64_t)_i, &plan, NULL);
    struct sim_process *process = meeting_start(ledger);
    meeting_work(ledger, process);
    sim_crash(process, SIM_POWER);
    sim_restart(process);
    meeting_work(ledger, process);
    ck_assert_uint_eq(ledger->replayed, 60);
    (void)sim_run(ledger->sim, SIM_SECOND, NULL, NULL);
    meeting_stop(ledger, process);
    ck_assert_uint_ge(ledger->followed, 120);
    meeting_close(ledger);
}
END_TEST

/* ---- stories: a test's own code on one core, with the log open ---- */

struct story {
    void (*tell)(struct story *story);
    struct log_options options;
    struct world *world;
    struct scope *scope;
    struct node_log *log;
    struct log_port *port;
    struct log_state state;
    enum sqlstate refused; /* opening has failed */
    uint32_t failures;
    uint32_t notices, nowhere;
    bool cut;
};

static void must(enum sqlstate failed, const struct error *error)
{
    ck_assert_msg(!failed, "%s", error_text(error, ERROR_MESSAGE));
}

static void story_failed(void *argument, const struct error *error)
{
    struct story *story = argument;
    ck_assert_ptr_nonnull(error_text(error, ERROR_MESSAGE));
    story->failures++;
}

static void story_main(struct world *world, void *argument)
{
    struct story *story = argument;
    struct error error;
    struct log_options options = story->options;
    options.directory = "log";
    options.segment_bytes = options.segment_bytes ? options.segment_bytes : 512 * 1024;
    options.failed = story_failed;
    options.argument = story;
    story->world = world;
    story->scope = scope_open(world->scope, "story");
    story->refused = node_log_open(world, story->scope, &options, &story->log, &story->state, &error);
    if (!story->refused) {
        must(log_port_open(world, story->scope, story->log, &story->port, &error), &error);
        must(node_log_start(story->log, &error), &error);
        story->tell(story);
    }
    scope_close(story->scope);
}

static struct sim *sim;

static bool has_ended(void *process)
{
    return sim_state(process) == SIM_ENDED;
}

static void set_up(void)
{
    struct sim_options options = {.seed = 7, .nodes = 1, .log_level = LOG_ERROR};
    sim_faults_none(&options.faults);
    sim = sim_open(&options);
}

static void tear_down(void)
{
    sim_close(sim);
}

/* Runs the story to its end, the closing of the log included. */
static void run_story(struct story *story)
{
    struct sim_process *process = sim_start(
        sim, 0,
        &(struct sim_program){.name = "story", .cores = 1, .core_main = story_main, .argument = story});
    ck_assert_int_eq(sim_run(sim, 60 * SIM_SECOND, has_ended, process), SIM_UNTIL);
}

struct waiting {
    struct story *story;
    struct fiber_queue waiter;
    bool done;
    uint64_t position;
};

static void story_placed(void *argument, uint64_t position, struct bytes payload)
{
    struct waiting *waiting = argument;
    (void)payload;
    waiting->done = true;
    waiting->position = position;
    waiting->story->notices++;
    waiting->story->nowhere += position == LOG_NOWHERE;
    fiber_wake_all(&waiting->waiter);
}

static struct log_ticket append(struct story *story, struct waiting *waiting, struct bytes payload)
{
    const struct log_record record = {.topic = 1, .epoch = 1, .kind = 1, .payload = payload};
    const struct log_notice notice = {.placed = story_placed, .argument = waiting};
    *waiting = (struct waiting){.story = story};
    fiber_queue_init(&waiting->waiter);
    return log_port_append_noticed(story->port, &record, NULL, 0, &notice);
}

static uint64_t await_place(struct waiting *waiting)
{
    while (!waiting->done)
        (void)!fiber_wait(waiting->story->world->scheduler, &waiting->waiter, FIBER_NO_DEADLINE);
    return waiting->position;
}

static void append_durably(struct story *story, struct bytes payload)
{
    struct waiting waiting;
    struct error error;
    append(story, &waiting, payload);
    must(log_port_wait_stable(story->port, await_place(&waiting), &error), &error);
}

static void sleep_for(struct story *story, uint64_t ns)
{
    (void)!fiber_sleep_until(story->world->scheduler, story->world->now_ns + ns);
}

static struct log_figures figures_of(const struct story *story)
{
    struct log_figures figures;
    node_log_figures(story->log, &figures);
    return figures;
}

/* ---- appending and writing ---- */

static void one_write(struct story *story)
{
    append_durably(story, bytes_of_text("warm"));
    for (uint64_t i = 0; i < 5; i++) {
        uint64_t before = figures_of(story).writes;
        append_durably(story, bytes_of_text("row"));
        ck_assert_uint_eq(figures_of(story).writes, before + 1);
    }
}

START_TEST(a_lone_committer_waits_for_one_write)
{
    run_story(&(struct story){.tell = one_write});
}
END_TEST

static void one_batch(struct story *story)
{
    struct waiting waiting[64];
    struct error error;
    uint64_t before = figures_of(story).writes;
    struct log_ticket first = append(story, &waiting[0], bytes_of_text("row"));
    for (int i = 1; i < 64; i++)
        ck_assert_uint_eq(append(story, &waiting[i], bytes_of_text("row")).batch, first.batch);
    for (int i = 0; i < 64; i++)
        (void)await_place(&waiting[i]);
    for (int i = 1; i < 64; i++)
        ck_assert_uint_gt(waiting[i].position, waiting[i - 1].position);
    must(log_port_wait_stable(story->port, waiting[63].position, &error), &error);
    ck_assert_uint_eq(figures_of(story).writes, before + 1);
    ck_assert_uint_eq(append(story, &waiting[0], bytes_of_text("row")).batch, first.batch + 1);
    (void)await_place(&waiting[0]);
}

START_TEST(what_is_appended_in_one_run_is_one_batch_and_one_write)
{
    run_story(&(struct story){.tell = one_batch});
}
END_TEST

static void marker(struct story *story)
{
    append_durably(story, bytes_of_text("row"));
    uint64_t before = figures_of(story).writes;
    sleep_for(story, 90 * SIM_MILLISECOND);
    ck_assert_uint_eq(figures_of(story).writes, before);
    sleep_for(story, 30 * SIM_MILLISECOND);
    ck_assert_uint_eq(figures_of(story).writes, before + 1);
    sleep_for(story, 10 * SIM_SECOND);
    ck_assert_uint_eq(figures_of(story).writes, before + 1);
}

START_TEST(one_marker_is_written_when_traffic_pauses)
{
    run_story(&(struct story){.tell = marker});
}
END_TEST

static void sizes(struct story *story)
{
    uint8_t *payload = scope_alloc_zeroed(story->scope, LOG_PAYLOAD_BYTES_MAX);
    append_durably(story, bytes_of(payload, 0));
    append_durably(story, bytes_of(payload, 1));
    append_durably(story, bytes_of(payload, LOG_PAYLOAD_BYTES_MAX));
    append_durably(story, bytes_of(payload, LOG_PAYLOAD_BYTES_MAX - 1));
}

START_TEST(records_may_have_any_size_up_to_the_largest)
{
    struct story story = {.tell = sizes, .options.write_bytes_max = 4096};
    run_story(&story);
    story.tell = sizes;
    run_story(&story);
    ck_assert_int_eq(story.refused, SQLSTATE_OK);
}
END_TEST

static void leave_unheard(struct story *story)
{
    static struct waiting waiting[100];
    for (int i = 0; i < 100; i++)
        append(story, &waiting[i], bytes_of_text("row"));
}

START_TEST(a_scope_that_closes_with_appends_outstanding_ends)
{
    struct story story = {.tell = leave_unheard};
    run_story(&story);
    ck_assert_uint_eq(story.notices, 100);
    ck_assert_uint_eq(story.nowhere, 0);
}
END_TEST

static void fill_up(struct story *story)
{
    uint8_t *payload = scope_alloc_zeroed(story->scope, LOG_PAYLOAD_BYTES_MAX);
    const struct log_record record = {
        .topic = 1, .epoch = 1, .kind = 1, .payload = bytes_of(payload, LOG_PAYLOAD_BYTES_MAX)};
    struct error error;
    for (int i = 0; i < 200; i++) {
        must(log_port_make_room(story->port, LOG_PAYLOAD_BYTES_MAX, &error), &error);
        log_port_append(story->port, &record, NULL, 0);
    }
    /* What is not placed is 4 MiB at most. */
    ck_assert_uint_gt(figures_of(story).placed + 5 * 1024 * 1024, 200ull * LOG_PAYLOAD_BYTES_MAX);
}

START_TEST(who_appends_faster_than_the_disk_writes_has_to_wait)
{
    sim_disk_slow(sim, 0, 10);
    run_story(&(struct story){.tell = fill_up, .options.segment_bytes = 8 << 20});
}
END_TEST

/* ---- options ---- */

static void refused(struct log_options options)
{
    struct story story = {.options = options};
    run_story(&story);
    ck_assert_int_eq(story.refused, SQLSTATE_INVALID_PARAMETER_VALUE);
}

START_TEST(impossible_options_are_refused)
{
    refused((struct log_options){.segment_bytes = 1000});
    refused((struct log_options){.segment_bytes = 4096});
    refused((struct log_options){.write_bytes_max = 3 << 20});
    refused((struct log_options){.writes_in_flight = 17});
    refused((struct log_options){.writes_in_flight = 16, .write_bytes_max = 2 << 20});
}
END_TEST

/* ---- failures ---- */

static void lose_writes_from_now_on(struct story *story)
{
    append_durably(story, bytes_of_text("row"));
    sleep_for(story, 200 * SIM_MILLISECOND);
    sim_faults(sim)->write_error_ppm = 1000000;
    struct waiting waiting;
    struct error error;
    append(story, &waiting, bytes_of_text("lost"));
    ck_assert_int_eq(log_port_wait_stable(story->port, await_place(&waiting), &error), SQLSTATE_IO_ERROR);
    ck_assert_uint_eq(story->failures, 1);
    ck_assert_int_eq(log_port_make_room(story->port, 1, &error), SQLSTATE_IO_ERROR);
    append(story, &waiting, bytes_of_text("too late"));
    ck_assert_uint_eq(await_place(&waiting), LOG_NOWHERE);
    ck_assert_int_eq(log_port_wait_stable(story->port, LOG_NOWHERE, &error), SQLSTATE_IO_ERROR);
    ck_assert(figures_of(story).failed);
    ck_assert_uint_eq(story->failures, 1);
}

static void lose_syncs_from_now_on(struct story *story)
{
    append_durably(story, bytes_of_text("row"));
    sleep_for(story, 200 * SIM_MILLISECOND);
    sim_faults(sim)->sync_error_ppm = 1000000;
    struct waiting waiting;
    struct error error;
    append(story, &waiting, bytes_of_text("lost"));
    ck_assert_int_eq(log_port_wait_stable(story->port, await_place(&waiting), &error), SQLSTATE_IO_ERROR);
    ck_assert_uint_eq(story->failures, 1);
}

START_TEST(a_failed_write_ends_the_log_for_good)
{
    run_story(&(struct story){.tell = lose_writes_from_now_on});
}
END_TEST

START_TEST(a_failed_sync_ends_the_log_for_good)
{
    run_story(&(struct story){.tell = lose_syncs_from_now_on});
}
END_TEST

static void nothing(struct story *story)
{
    append_durably(story, bytes_of_text("row"));
}

START_TEST(a_failed_read_is_no_end)
{
    struct story story = {.tell = nothing};
    run_story(&story);
    sim_faults(sim)->read_error_ppm = 300000;
    for (int i = 0; i < 50; i++) {
        struct story again = {.tell = nothing};
        uint64_t end = story.state.end;
        run_story(&again);
        if (again.refused)
            ck_assert_int_eq(again.refused, SQLSTATE_IO_ERROR);
        else {
            ck_assert_uint_gt(again.state.end, end);
            story.state = again.state;
        }
    }
    sim_faults(sim)->read_error_ppm = 0;
}
END_TEST

/* ---- a full disk ---- */

static void fill_the_disk(struct story *story)
{
    uint8_t *payload = scope_alloc_zeroed(story->scope, 100000);
    struct error error;
    uint32_t rows = 0;
    enum sqlstate failed = SQLSTATE_OK;
    sim_disk_room(sim, 0, 3 << 20);
    while (!failed && rows < 1000) {
        failed = log_port_make_room(story->port, 100000, &error);
        if (!failed)
            append_durably(story, bytes_of(payload, 100000));
        rows++;
    }
    ck_assert_int_eq(failed, SQLSTATE_DISK_FULL);
    ck_assert(figures_of(story).full);
    append_durably(story, bytes_of_text("what was begun goes on"));
    ck_assert_int_eq(log_port_make_room(story->port, 1, &error), SQLSTATE_DISK_FULL);
    sim_disk_room(sim, 0, 64 << 20);
    sleep_for(story, 600 * SIM_MILLISECOND);
    must(log_port_make_room(story->port, 100000, &error), &error);
    ck_assert(!figures_of(story).full);
    for (uint32_t i = 0; i < 20; i++)
        append_durably(story, bytes_of(payload, 100000));
    ck_assert_uint_eq(story->failures, 0);
}

START_TEST(a_full_disk_refuses_new_work_until_there_is_room)
{
    struct story story = {.tell = fill_the_disk};
    run_story(&story);
    ck_assert_int_eq(story.refused, SQLSTATE_OK);
}
END_TEST

static void leave_while_full(struct story *story)
{
    static struct waiting waiting[40];
    uint8_t *payload = scope_alloc_zeroed(story->scope, 100000);
    sim_disk_room(sim, 0, 1 << 20);
    for (int i = 0; i < 40; i++)
        append(story, &waiting[i], bytes_of(payload, 100000));
}

START_TEST(a_log_ends_on_a_full_disk)
{
    struct story story = {.tell = leave_while_full};
    run_story(&story);
    ck_assert_uint_eq(story.notices, 40);
    ck_assert_uint_gt(story.nowhere, 0);
    ck_assert_uint_lt(story.nowhere, 40);
}
END_TEST

/* ---- truncation ---- */

static void truncate_log(struct story *story)
{
    uint8_t *payload = scope_alloc_zeroed(story->scope, 100000);
    struct error error;
    for (int i = 0; i < 40; i++)
        append_durably(story, bytes_of(payload, 100000));
    uint64_t stable = log_port_stable(story->port), before = figures_of(story).segments;
    must(node_log_truncate(story->log, 512 * 1024, &error), &error);
    ck_assert_uint_eq(figures_of(story).first, 512 * 1024);
    must(node_log_truncate(story->log, UINT64_MAX, &error), &error);
    ck_assert_uint_gt(figures_of(story).first, stable - 512 * 1024);
    ck_assert_uint_le(figures_of(story).first, stable);
    ck_assert_uint_lt(figures_of(story).segments, before);
    ck_assert_uint_le(figures_of(story).segments, 5);
    for (int i = 0; i < 40; i++)
        append_durably(story, bytes_of(payload, 100000));
}

START_TEST(truncation_gives_segments_back_and_keeps_some_for_later)
{
    struct story story = {.tell = truncate_log};
    run_story(&story);
    uint64_t first = story.state.first;
    story.tell = nothing;
    run_story(&story);
    ck_assert_int_eq(story.refused, SQLSTATE_OK);
    ck_assert_uint_gt(story.state.first, first);
}
END_TEST

#define SEGMENT_BYTES (512 * 1024)

/* A group ends its segment to the byte; the next one is under way when all that is stable may go, and the process is killed. */
static void cut_at_a_border(struct story *story)
{
    uint8_t *payload = scope_alloc_zeroed(story->scope, 200000);
    struct waiting waiting;
    struct error error;
    for (;;) {
        append_durably(story, bytes_of(payload, 100000));
        uint64_t left = SEGMENT_BYTES - log_port_stable(story->port) % SEGMENT_BYTES;
        if (log_port_stable(story->port) < SEGMENT_BYTES || left < 10000 || left > 200000)
            continue;
        append_durably(story, bytes_of(payload, left - 200));
        break;
    }
    ck_assert_uint_eq(log_port_stable(story->port) % SEGMENT_BYTES, 0);
    must(node_log_truncate(story->log, log_port_stable(story->port) - 1, &error), &error);
    sim_disk_slow(sim, 0, 100);
    append(story, &waiting, bytes_of(payload, 100000));
    await_place(&waiting);
    must(node_log_truncate(story->log, UINT64_MAX, &error), &error);
    story->cut = true;
    sleep_for(story, SIM_SECOND);
}

static bool is_cut(void *argument)
{
    return ((struct story *)argument)->cut;
}

START_TEST(a_log_cut_at_a_border_still_opens)
{
    struct story story = {.tell = cut_at_a_border};
    tear_down();
    struct sim_options options = {.seed = (uint64_t)_i, .nodes = 1, .log_level = LOG_ERROR};
    sim_faults_none(&options.faults);
    options.faults.write_ns = SIM_MILLISECOND;
    sim = sim_open(&options);
    struct sim_process *process = sim_start(
        sim, 0,
        &(struct sim_program){.name = "story", .cores = 1, .core_main = story_main, .argument = &story});
    ck_assert_int_eq(sim_run(sim, 60 * SIM_SECOND, is_cut, &story), SIM_UNTIL);
    sim_crash(process, SIM_KILL);
    sim_disk_slow(sim, 0, 1);
    story.tell = nothing;
    run_story(&story);
    ck_assert_int_eq(story.refused, SQLSTATE_OK);
}
END_TEST

START_TEST(segments_of_another_size_may_follow)
{
    struct story story = {.tell = truncate_log};
    run_story(&story);
    story.options.segment_bytes = 1024 * 1024;
    story.tell = nothing;
    run_story(&story);
    story.tell = sizes;
    for (int i = 0; i < 3; i++) {
        run_story(&story);
        ck_assert_int_eq(story.refused, SQLSTATE_OK);
    }
}
END_TEST

/* ---- following ---- */

static void append_numbered(struct story *story, uint64_t topic, uint64_t sequence)
{
    const struct log_record record = {.topic = topic,
                                      .sequence = sequence,
                                      .epoch = 1,
                                      .kind = 1,
                                      .payload = bytes_of(&sequence, sizeof sequence)};
    struct waiting waiting = {.story = story};
    const struct log_notice notice = {.placed = story_placed, .argument = &waiting};
    struct error error;
    fiber_queue_init(&waiting.waiter);
    log_port_append_noticed(story->port, &record, NULL, 0, &notice);
    must(log_port_wait_stable(story->port, await_place(&waiting), &error), &error);
}

static struct log_follower *follow(struct story *story, const struct log_follow *options)
{
    struct log_follower *follower;
    struct error error;
    must(log_follow(story->log, story->scope, options, &follower, &error), &error);
    return follower;
}

/* The next record's sequence, 0 when there is none within a millisecond; its state when it fails. */
static uint64_t next_of(struct story *story, struct log_follower *follower, enum sqlstate *failed)
{
    struct log_record record;
    struct error error;
    uint64_t position;
    enum log_followed what;
    *failed = log_follower_next(follower, story->world->now_ns + SIM_MILLISECOND, &what, &position, &record,
                                &error);
    if (*failed || what != LOG_FOLLOWED_RECORD)
        return 0;
    ck_assert_uint_lt(position, log_follower_stable(follower));
    ck_assert_mem_eq(record.payload.data, &record.sequence, sizeof record.sequence);
    return record.sequence;
}

static void expect_next(struct story *story, struct log_follower *follower, uint64_t sequence)
{
    enum sqlstate failed;
    ck_assert_uint_eq(next_of(story, follower, &failed), sequence);
    ck_assert_int_eq(failed, SQLSTATE_OK);
}

static void follow_a_topic(struct story *story)
{
    for (uint64_t i = 1; i <= 5; i++) {
        append_numbered(story, 1, i);
        append_numbered(story, 2, 10 * i);
    }
    struct log_follower *third = follow(story, &(struct log_follow){.topic = 1, .sequence = 3});
    struct log_follower *fresh = follow(story, &(struct log_follow){.topic = 2, .position = UINT64_MAX});
    struct log_follower *later = follow(story, &(struct log_follow){.topic = 1, .sequence = 7});
    for (uint64_t i = 3; i <= 5; i++)
        expect_next(story, third, i);
    expect_next(story, third, 0);
    expect_next(story, fresh, 0);
    append_numbered(story, 1, 6);
    append_numbered(story, 2, 60);
    append_numbered(story, 1, 7);
    expect_next(story, third, 6);
    expect_next(story, third, 7);
    expect_next(story, fresh, 60);
    expect_next(story, fresh, 0);
    expect_next(story, later, 7);
}

START_TEST(a_follower_gets_its_topic_from_its_sequence_on_and_then_what_comes)
{
    run_story(&(struct story){.tell = follow_a_topic});
}
END_TEST

static void fill_and_cut(struct story *story, uint64_t *sequence, uint64_t until)
{
    struct error error;
    struct log_figures figures;
    for (; *sequence <= until; ++*sequence)
        append_numbered(story, 1, *sequence);
    node_log_figures(story->log, &figures);
    must(node_log_truncate(story->log, figures.stable, &error), &error);
}

static void follow_what_goes(struct story *story)
{
    uint64_t sequence = 1;
    enum sqlstate failed;
    append_numbered(story, 1, sequence++);
    struct log_follower *free_one = follow(story, &(struct log_follow){.topic = 1});
    struct log_follower *holder =
        follow(story, &(struct log_follow){.topic = 1, .hold_bytes_max = 64 << 20, .acknowledges = true});
    struct log_follower *bounded =
        follow(story, &(struct log_follow){.topic = 1, .hold_bytes_max = 600 << 10});
    expect_next(story, bounded, 1);
    /* Each takes a block: these are eleven segments, and more groups than are kept in memory. */
    fill_and_cut(story, &sequence, 1400);
    ck_assert_uint_eq(figures_of(story).first, story->state.first);
    for (uint64_t i = 1; i <= 1400; i++)
        expect_next(story, holder, i);
    log_follower_acknowledge(holder, figures_of(story).stable);
    fill_and_cut(story, &sequence, 1401);
    ck_assert_uint_gt(figures_of(story).first, story->state.first);
    expect_next(story, holder, 1401);
    ck_assert_uint_eq(next_of(story, free_one, &failed), 0);
    ck_assert_int_eq(failed, SQLSTATE_UNDEFINED_FILE);
    (void)next_of(story, bounded, &failed);
    while (!failed) /* what it had in hand when its place went */
        (void)next_of(story, bounded, &failed);
    ck_assert_int_eq(failed, SQLSTATE_UNDEFINED_FILE);
    struct log_follower *late = follow(story, &(struct log_follow){.topic = 1, .sequence = 2});
    ck_assert_uint_eq(next_of(story, late, &failed), 0);
    ck_assert_int_eq(failed, SQLSTATE_UNDEFINED_FILE);
    struct error error;
    ck_assert_int_eq(log_follow(story->log, story->scope,
                                &(struct log_follow){.topic = 1, .position = story->state.first + 1}, &late,
                                &error),
                     SQLSTATE_UNDEFINED_FILE);
    /* Who comes late gets what is left, older and recent. */
    late = follow(story, &(struct log_follow){.topic = 1});
    uint64_t first = next_of(story, late, &failed);
    ck_assert_uint_gt(first, 1);
    for (uint64_t i = first + 1; i <= 1401; i++)
        expect_next(story, late, i);
    expect_next(story, late, 0);
}

START_TEST(truncation_waits_for_a_follower_within_its_bound_and_tells_the_others)
{
    run_story(&(struct story){.tell = follow_what_goes});
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("node_log");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_was_appended_is_there_after_a_restart);
    tcase_add_loop_test(tests, three_cores, 0, 20);
    tcase_add_test(tests, a_lone_committer_waits_for_one_write);
    tcase_add_test(tests, what_is_appended_in_one_run_is_one_batch_and_one_write);
    tcase_add_test(tests, one_marker_is_written_when_traffic_pauses);
    tcase_add_test(tests, records_may_have_any_size_up_to_the_largest);
    tcase_add_test(tests, a_scope_that_closes_with_appends_outstanding_ends);
    tcase_add_test(tests, who_appends_faster_than_the_disk_writes_has_to_wait);
    tcase_add_test(tests, impossible_options_are_refused);
    tcase_add_test(tests, a_failed_write_ends_the_log_for_good);
    tcase_add_test(tests, a_failed_sync_ends_the_log_for_good);
    tcase_add_test(tests, a_failed_read_is_no_end);
    tcase_add_test(tests, a_full_disk_refuses_new_work_until_there_is_room);
    tcase_add_test(tests, a_log_ends_on_a_full_disk);
    tcase_add_test(tests, truncation_gives_segments_back_and_keeps_some_for_later);
    tcase_add_loop_test(tests, a_log_cut_at_a_border_still_opens, 0, 8);
    tcase_add_test(tests, segments_of_another_size_may_follow);
    tcase_add_test(tests, a_follower_gets_its_topic_from_its_sequence_on_and_then_what_comes);
    tcase_add_test(tests, truncation_waits_for_a_follower_within_its_bound_and_tells_the_others);
    return unit_run(tests);
}
