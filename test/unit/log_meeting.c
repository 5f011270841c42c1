/* The program of the node log's tests; see log_meeting.h. */
#include "test/unit/log_meeting.h"

#include "base/scheduler.h"
#include "base/scope.h"
#include "test/unit/unit.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { FOLLOWS_MAX = 2 };

/* In front of a payload's filling. */
struct content {
    uint64_t stamp; /* written by the stamp, for records that are shown to it */
    uint64_t run;
    uint64_t number;
    uint32_t core;
    uint32_t follows;
    struct {
        uint64_t core, number;
    } follow[FOLLOWS_MAX];
};

/* A core of the program. */
struct meeting {
    struct ledger *ledger;
    struct world *world;
    struct scope *scope;
    struct log_port *port;
    uint64_t run;
    uint64_t last_position; /* of a notice */
    uint64_t random;
};

#define broken(ledger, ...) sim_fail((ledger)->sim, __VA_ARGS__)

/* ---- payloads ---- */

static uint8_t filling(const struct content *content, size_t at)
{
    return (uint8_t)(content->run * 3 + content->core * 101 + content->number * 7 + at);
}

static size_t payload_make(struct meeting *meeting, const struct content *content, uint8_t *to)
{
    const struct plan *plan = &meeting->ledger->plan;
    size_t most = unit_random_below(&meeting->random, 8) ? 200 : plan->payload_max;
    size_t bytes = sizeof *content + (most ? unit_random_below(&meeting->random, most) : 0);
    if (bytes > LOG_PAYLOAD_BYTES_MAX)
        bytes = LOG_PAYLOAD_BYTES_MAX;
    memcpy(to, content, sizeof *content);
    for (size_t i = sizeof *content; i < bytes; i++)
        to[i] = filling(content, i);
    return bytes;
}

static bool payload_right(const struct content *content, struct bytes payload)
{
    for (size_t i = sizeof *content; i < payload.size; i++)
        if (payload.data[i] != filling(content, i))
            return false;
    return true;
}

/* ---- reviewing what is in the log ---- */

static enum sqlstate visit(void *argument, uint64_t position, const struct log_record *record,
                           struct error *error)
{
    struct review *review = argument;
    struct meeting *meeting = review->meeting;
    struct ledger *ledger = meeting->ledger;
    struct content content;
    (void)error;
    memcpy(&content, record->payload.data, sizeof content);
    if (record->payload.size < sizeof content || content.run >= meeting->run ||
        content.core >= MEETING_CORES || !payload_right(&content, record->payload) ||
        record->transaction != content.number || record->topic != content.core + 1 ||
        record->sequence != content.number) {
        broken(ledger, "the record at %llu is not one that was appended", (unsigned long long)position);
        return SQLSTATE_OK;
    }
    struct told *told = &ledger->told[content.run][content.core];
    uint64_t *seen = &review->seen[content.run][content.core];
    if (*seen == 0 && ledger->kept_from)
        *seen = content.number - 1;
    if (content.number != *seen + 1)
        broken(ledger, "record %llu of core %u in run %llu follows %llu", (unsigned long long)content.number,
               content.core, (unsigned long long)content.run, (unsigned long long)*seen);
    if (content.number > told->appended || (told->settled && content.number > told->recovered))
        broken(ledger, "record %llu of core %u in run %llu has come back", (unsigned long long)content.number,
               content.core, (unsigned long long)content.run);
    *seen = content.number;
    for (uint32_t i = 0; i < content.follows && !ledger->kept_from; i++)
        if (review->seen[content.run][content.follow[i].core] < content.follow[i].number)
            broken(ledger, "record %llu of core %u in run %llu stands before record %llu of core %llu",
                   (unsigned long long)content.number, content.core, (unsigned long long)content.run,
                   (unsigned long long)content.follow[i].number, (unsigned long long)content.follow[i].core);
    if (position <= review->last_position || content.run < review->run)
        broken(ledger, "the record at %llu is out of order", (unsigned long long)position);
    if (content.run != review->run)
        review->last_stamp = 0;
    if (record->kind >= LOG_KIND_STAMPED) {
        if (content.stamp <= review->last_stamp)
            broken(ledger, "the record at %llu has stamp %llu behind %llu", (unsigned long long)position,
                   (unsigned long long)content.stamp, (unsigned long long)review->last_stamp);
        review->last_stamp = content.stamp;
    }
    if (content.run + 1 == meeting->run && ledger->position[content.core][content.number] &&
        ledger->position[content.core][content.number] != position)
        broken(ledger, "record %llu of core %u is at %llu, and was placed at %llu",
               (unsigned long long)content.number, content.core, (unsigned long long)position,
               (unsigned long long)ledger->position[content.core][content.number]);
    review->run = content.run;
    review->last_position = position;
    review->records++;
    if (ledger->visit_also && !ledger->visit_also(ledger, position, record))
        broken(ledger, "the test did not expect the record at %llu", (unsigned long long)position);
    return SQLSTATE_OK;
}

/* What was reported stable, or found by an earlier opening, must be there; what is there stays from now on. */
static void settle(struct review *review)
{
    struct meeting *meeting = review->meeting;
    struct ledger *ledger = meeting->ledger;
    for (uint64_t run = 0; run < meeting->run; run++)
        for (uint32_t core = 0; core < ledger->plan.cores; core++) {
            struct told *told = &ledger->told[run][core];
            uint64_t seen = review->seen[run][core];
            uint64_t least = told->settled ? told->recovered : told->stable;
            if (seen < least && !(ledger->kept_from && !seen))
                broken(ledger, "%llu records of core %u in run %llu were stable, %llu are there",
                       (unsigned long long)least, core, (unsigned long long)run, (unsigned long long)seen);
            if (!told->settled)
                told->recovered = seen;
            told->settled = true;
        }
}

static enum sqlstate replay(struct meeting *meeting, struct error *error)
{
    struct ledger *ledger = meeting->ledger;
    struct review *review = &ledger->review[meeting->world->core];
    *review = (struct review){.meeting = meeting};
    const struct log_visitor visitor = {.visit = visit, .argument = review};
    enum sqlstate failed =
        node_log_replay(meeting->world, meeting->scope, ledger->log, ledger->state.first, &visitor, error);
    if (!failed)
        settle(review);
    if (meeting->world->core == 0)
        ledger->replayed = review->records;
    return failed;
}

/* ---- appending ---- */

/* A record on its way; on the writer's stack. */
struct append {
    struct meeting *meeting;
    struct fiber_queue waiter;
    bool done;
    uint64_t number, position;
    bool stamped;
};

static void placed(void *argument, uint64_t position, struct bytes payload)
{
    struct append *append = argument;
    struct meeting *meeting = append->meeting;
    struct ledger *ledger = meeting->ledger;
    uint32_t core = meeting->world->core;
    struct content content;
    memcpy(&content, payload.data, sizeof content);
    if (content.number != append->number || content.core != core || content.run != meeting->run)
        broken(ledger, "a notice shows another record");
    if (position != LOG_NOWHERE) {
        if (position <= meeting->last_position)
            broken(ledger, "a notice of position %llu comes behind that of %llu",
                   (unsigned long long)position, (unsigned long long)meeting->last_position);
        if (append->stamped != (content.stamp != 0))
            broken(ledger, "a notice shows a record that is not stamped as it should be");
        meeting->last_position = position;
        ledger->position[core][append->number] = position;
        ledger->told[meeting->run][core].placed = append->number;
    } else
        ledger->nowhere++;
    append->position = position;
    append->done = true;
    fiber_wake_all(&append->waiter);
}

/* Which records of other cores it follows: the last ones those cores have appended. */
static size_t choose_follows(struct meeting *meeting, struct content *content, struct log_ticket *tickets)
{
    struct ledger *ledger = meeting->ledger;
    size_t count = 0;
    for (uint32_t core = 0; core < ledger->plan.cores; core++) {
        uint64_t last = ledger->told[meeting->run][core].appended;
        if (core == meeting->world->core || !last || unit_random_below(&meeting->random, 2) ||
            content->follows == FOLLOWS_MAX)
            continue;
        content->follow[content->follows].core = core;
        content->follow[content->follows++].number = last;
        tickets[count++] = ledger->ticket[core];
    }
    return count;
}

static void append_one(struct meeting *meeting, struct append *append, uint8_t *room)
{
    struct ledger *ledger = meeting->ledger;
    uint32_t core = meeting->world->core;
    struct told *told = &ledger->told[meeting->run][core];
    struct content content = {.run = meeting->run, .core = core, .number = told->appended + 1};
    struct log_ticket tickets[FOLLOWS_MAX];
    size_t count = choose_follows(meeting, &content, tickets);
    size_t bytes = payload_make(meeting, &content, room);
    *append = (struct append){
        .meeting = meeting, .number = content.number, .stamped = unit_random_below(&meeting->random, 2)};
    fiber_queue_init(&append->waiter);
    ck_assert_uint_lt(content.number, MEETING_RECORDS);
    told->appended = content.number;
    const struct log_record record = {.topic = core + 1,
                                      .sequence = content.number,
                                      .epoch = 1,
                                      .kind = append->stamped ? LOG_KIND_STAMPED : 1,
                                      .transaction = content.number,
                                      .payload = bytes_of(room, bytes)};
    const struct log_notice notice = {.placed = placed, .argument = append};
    ledger->ticket[core] = log_port_append_noticed(meeting->port, &record, tickets, count, &notice);
    if (ledger->ticket[core].core != core || !ledger->ticket[core].batch)
        broken(ledger, "a ticket names core %u, batch %llu", ledger->ticket[core].core,
               (unsigned long long)ledger->ticket[core].batch);
}

static void await_placed(struct append *append)
{
    while (!append->done)
        (void)!fiber_wait(append->meeting->world->scheduler, &append->waiter, FIBER_NO_DEADLINE);
}

/* Appends some records and waits until they are stable; false when the log has failed. */
static bool write_row(struct meeting *meeting, struct append *append, uint8_t *room, uint32_t count)
{
    struct ledger *ledger = meeting->ledger;
    struct told *told = &ledger->told[meeting->run][meeting->world->core];
    struct error error;
    for (uint32_t i = 0; i < count; i++)
        append_one(meeting, &append[i], room);
    for (uint32_t i = 0; i < count; i++)
        await_placed(&append[i]);
    for (uint32_t i = count; i--;) {
        if (append[i].position == LOG_NOWHERE ||
            log_port_wait_stable(meeting->port, append[i].position, &error)) {
            ledger->unknown += append[i].position != LOG_NOWHERE;
            return false;
        }
        if (log_port_stable(meeting->port) <= append[i].position)
            broken(ledger, "a port does not know what it has waited for");
        if (append[i].number > told->stable)
            told->stable = append[i].number;
    }
    return true;
}

static void run_writer(void *argument)
{
    struct meeting *meeting = argument;
    struct ledger *ledger = meeting->ledger;
    const struct plan *plan = &ledger->plan;
    struct world *world = meeting->world;
    struct error error;
    uint8_t *room = scope_alloc(meeting->scope, LOG_PAYLOAD_BYTES_MAX);
    uint32_t most = plan->in_a_row ? plan->in_a_row : 1;
    struct append *append = scope_alloc(meeting->scope, most * sizeof *append);
    fiber_shield_begin(world->scheduler);
    for (uint32_t left = plan->records; left;) {
        if (fiber_check_canceled(world->scheduler, &error))
            break;
        enum sqlstate failed = log_port_make_room(meeting->port, plan->payload_max, &error);
        if (failed == SQLSTATE_DISK_FULL) {
            ledger->refused_full++;
            (void)!fiber_sleep_until(world->scheduler, world->now_ns + 10 * SIM_MILLISECOND);
            continue;
        }
        ledger->refused_failed += failed == SQLSTATE_IO_ERROR;
        uint32_t count = 1 + (uint32_t)unit_random_below(&meeting->random, most);
        count = count < left ? count : left;
        if (failed || !write_row(meeting, append, room, count))
            break;
        left -= count;
        if (plan->pause_ns)
            (void)!fiber_sleep_until(world->scheduler,
                                     world->now_ns + unit_random_below(&meeting->random, 2 * plan->pause_ns));
    }
    fiber_shield_end(world->scheduler);
    ledger->busy--;
}

/* ---- the owner's callbacks ---- */

static void stamp(void *argument, uint64_t position, struct log_record *record, uint8_t *payload)
{
    struct meeting *meeting = argument;
    (void)position;
    if (record->kind < LOG_KIND_STAMPED)
        broken(meeting->ledger, "a record of kind %u is shown to the stamp", record->kind);
    uint64_t number = ++meeting->ledger->stamps;
    memcpy(payload, &number, sizeof number);
}

static void stable(void *argument, uint64_t position)
{
    struct meeting *meeting = argument;
    if (position <= meeting->ledger->last_stable)
        broken(meeting->ledger, "the stable position goes from %llu to %llu",
               (unsigned long long)meeting->ledger->last_stable, (unsigned long long)position);
    meeting->ledger->last_stable = position;
}

static void failed(void *argument, const struct error *error)
{
    struct meeting *meeting = argument;
    if (!error_text(error, ERROR_MESSAGE))
        broken(meeting->ledger, "the log fails without a reason");
    meeting->ledger->failures++;
    world_stop(meeting->world);
}

static enum sqlstate archive(void *argument, const char *path, uint64_t first, struct error *error)
{
    struct meeting *meeting = argument;
    struct ledger *ledger = meeting->ledger;
    struct file *file;
    struct scope *scope = scope_open(meeting->scope, "archive");
    scope_hold(scope); /* the program may be stopped meanwhile */
    if (first != ledger->archived_from)
        broken(ledger, "segment %llu is offered to the archive instead of %llu", (unsigned long long)first,
               (unsigned long long)ledger->archived_from);
    ledger->archived_from = first;
    enum sqlstate failed = disk_open(meeting->world, scope, path, DISK_READ_ONLY, &file, error);
    scope_close(scope);
    scope_release(scope);
    if (failed)
        return failed;
    if (ledger->archived++ % 2 == 0 && ledger->plan.refuses_archive)
        return error_set(error, SQLSTATE_SYSTEM_ERROR, "the archive is closed");
    ledger->archived_from = first + ledger->plan.segment_bytes;
    return SQLSTATE_OK;
}

/* ---- a core ---- */

static void sleep_a_little(struct world *world)
{
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 20 * SIM_MICROSECOND);
}

static enum sqlstate open_on_owner(struct meeting *meeting, struct error *error)
{
    struct ledger *ledger = meeting->ledger;
    const struct plan *plan = &ledger->plan;
    const struct log_options options = {
        .directory = "/data/log",
        .segment_bytes = plan->segment_bytes,
        .write_bytes_max = plan->write_bytes_max,
        .writes_in_flight = plan->writes_in_flight,
        .disk_reserve_bytes = plan->disk_reserve_bytes,
        .cluster = plan->cluster,
        .stamp = stamp,
        .stable = stable,
        .failed = failed,
        .archive = plan->keep_bytes ? archive : NULL,
        .argument = meeting,
    };
    enum sqlstate failed = disk_make_directory(meeting->world, "/data", error);
    if (!failed)
        failed = disk_sync_directory(meeting->world, "/", error);
    if (!failed)
        failed = node_log_open(meeting->world, meeting->scope, &options, &ledger->log, &ledger->state, error);
    return failed;
}

/* All cores but the owner wait for it, then for each other. */
static enum sqlstate open_and_replay(struct meeting *meeting, struct error *error)
{
    struct ledger *ledger = meeting->ledger;
    struct world *world = meeting->world;
    bool owner = world->core == 0, replays = owner || ledger->plan.replay_everywhere;
    enum sqlstate failed = owner ? open_on_owner(meeting, error) : SQLSTATE_OK;
    if (owner) {
        ledger->failed = failed;
        ledger->archived_from = ledger->state.first; /* what a crash kept is offered once more */
        ledger->ready = true;
    }
    while (!ledger->ready)
        sleep_a_little(world);
    if (ledger->failed)
        return ledger->failed;
    failed = replays ? replay(meeting, error) : SQLSTATE_OK;
    if (failed)
        ledger->failed = failed;
    ledger->gathered++;
    while (ledger->gathered < world->cores)
        sleep_a_little(world);
    failed = ledger->failed;
    if (!failed)
        failed = log_port_open(world, meeting->scope, ledger->log, &meeting->port, error);
    if (!failed && owner)
        failed = node_log_start(ledger->log, error);
    if (owner && !failed)
        ledger->opened++;
    return failed;
}

/* Truncates now and then until the program is stopped. */
static void run_truncator(void *argument)
{
    struct meeting *meeting = argument;
    struct ledger *ledger = meeting->ledger;
    struct world *world = meeting->world;
    struct error error;
    while (fiber_sleep_until(world->scheduler, world->now_ns + 3 * SIM_MILLISECOND) != FIBER_CANCELED) {
        uint64_t stable = log_port_stable(meeting->port);
        if (stable <= ledger->plan.keep_bytes)
            continue;
        ledger->kept_from = stable - ledger->plan.keep_bytes;
        if (node_log_truncate(ledger->log, ledger->kept_from, &error) && !ledger->plan.refuses_archive &&
            !ledger->failures && error.state != SQLSTATE_DISK_FULL)
            broken(ledger, "truncation fails: %s", error_text(&error, ERROR_MESSAGE));
    }
}

/* ---- following ---- */

/* What a follower of the present run has seen: numbers of each run and core, by one. */
struct following {
    struct meeting *meeting;
    struct scope *scope;
    struct log_follower *follower;
    uint64_t position, run;
    uint64_t seen[MEETING_CORES]; /* of `run` */
};

static void look_at_followed(struct following *following, uint64_t position, const struct log_record *record)
{
    struct ledger *ledger = following->meeting->ledger;
    struct content content;
    memcpy(&content, record->payload.data, sizeof content);
    if (record->payload.size < sizeof content || content.core >= MEETING_CORES ||
        !payload_right(&content, record->payload) || record->sequence != content.number)
        broken(ledger, "a follower is given what was not appended, at %llu", (unsigned long long)position);
    if (position <= following->position || content.run < following->run)
        broken(ledger, "a follower is given the record at %llu behind that at %llu",
               (unsigned long long)position, (unsigned long long)following->position);
    if (position >= log_follower_stable(following->follower))
        broken(ledger, "a follower is given the record at %llu, which is not stable",
               (unsigned long long)position);
    bool new_run = content.run != following->run;
    if (new_run)
        memset(following->seen, 0, sizeof following->seen);
    uint64_t *seen = &following->seen[content.core];
    /* The first of what is left of the log may be any. */
    if (content.number != *seen + 1 && (*seen || !ledger->kept_from))
        broken(ledger, "a follower is given record %llu of core %u in run %llu behind %llu",
               (unsigned long long)content.number, content.core, (unsigned long long)content.run,
               (unsigned long long)*seen);
    *seen = content.number;
    following->run = content.run;
    following->position = position;
    ledger->followed++;
}

static enum sqlstate follow_on(struct following *following, enum log_followed *what, struct error *error)
{
    struct meeting *meeting = following->meeting;
    struct world *world = meeting->world;
    struct log_record record;
    uint64_t position, random = unit_random_below(&meeting->random, 400);
    enum sqlstate failed = log_follower_next(following->follower, world->now_ns + 5 * SIM_MILLISECOND, what,
                                             &position, &record, error);
    if (!failed && *what == LOG_FOLLOWED_RECORD)
        look_at_followed(following, position, &record);
    /* Now and then it has something else to do. */
    if (!failed && *what == LOG_FOLLOWED_RECORD && random < 4)
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + (SIM_MILLISECOND << 2 * random));
    return failed;
}

static void run_follower(void *argument)
{
    struct following *following = argument;
    struct meeting *meeting = following->meeting;
    struct ledger *ledger = meeting->ledger;
    const struct plan *plan = &ledger->plan;
    struct scope *scope = following->scope;
    struct error error;
    enum log_followed what = LOG_FOLLOWED_NOTHING;
    const struct log_follow options = {.all_topics = true, .hold_bytes_max = plan->follow_hold};
    enum sqlstate failed = log_follow(ledger->log, scope, &options, &following->follower, &error);
    while (!failed && what != LOG_FOLLOWED_END) {
        failed = follow_on(following, &what, &error);
        if (failed != SQLSTATE_UNDEFINED_FILE)
            continue;
        if (!ledger->kept_from)
            broken(ledger, "a follower's place is gone, and nothing was truncated");
        ledger->follow_gone++;
        memset(following->seen, 0, sizeof following->seen);
        failed = log_follow(ledger->log, scope, &options, &following->follower, &error);
    }
    if (failed == SQLSTATE_DATA_CORRUPTED && !plan->expects_damage)
        broken(ledger, "a follower is told: %s", error_text(&error, ERROR_MESSAGE));
    for (uint32_t core = 0; core < plan->cores && !failed && following->run == meeting->run; core++)
        if (following->seen[core] < ledger->told[meeting->run][core].stable)
            broken(ledger, "a follower has seen %llu records of core %u, and %llu were stable",
                   (unsigned long long)following->seen[core], core,
                   (unsigned long long)ledger->told[meeting->run][core].stable);
    scope_close(scope);
}

/* In a scope beside the meeting's: it stays until the log ends. */
static void start_follower(struct meeting *meeting)
{
    struct error error;
    struct scope *scope = scope_open(meeting->world->scope, "following");
    struct following *following = scope_alloc_zeroed(scope, sizeof *following);
    following->meeting = meeting;
    following->scope = scope;
    ck_assert(
        !fiber_start(meeting->world->scheduler, scope, "follower", run_follower, following, NULL, &error));
}

static void start_fiber(struct meeting *meeting, void (*run)(void *argument))
{
    struct error error;
    ck_assert(!fiber_start(meeting->world->scheduler, meeting->scope, "meeting", run, meeting, NULL, &error));
}

static void program(struct world *world, void *argument)
{
    struct ledger *ledger = argument;
    struct meeting *meeting = scope_alloc_zeroed(world->scope, sizeof *meeting);
    struct error error = {0};
    *meeting =
        (struct meeting){.ledger = ledger, .world = world, .scope = scope_open(world->scope, "meeting")};
    world_random(world, &meeting->random, sizeof meeting->random);
    meeting->run = sim_restarts(ledger->process);
    if (ledger->runs <= meeting->run) { /* the first core to come */
        ledger->runs = meeting->run + 1;
        ledger->ready = false;
        ledger->gathered = ledger->started = ledger->busy = 0;
        ledger->stamps = ledger->last_stable = 0;
        ledger->failed = SQLSTATE_OK;
    }
    ck_assert_uint_lt(meeting->run, MEETING_RUNS);
    enum sqlstate failed = open_and_replay(meeting, &error);
    if (failed) {
        if (error.state)
            ledger->error = error;
        if (failed == SQLSTATE_DATA_CORRUPTED && !ledger->plan.expects_damage)
            broken(ledger, "%s: %s", error_text(&ledger->error, ERROR_MESSAGE),
                   error_text(&ledger->error, ERROR_DETAIL));
        world_stop(world);
    } else {
        memset(ledger->position[world->core], 0, sizeof ledger->position[0]);
        ledger->busy += ledger->plan.writers;
        for (uint32_t i = 0; i < ledger->plan.writers; i++)
            start_fiber(meeting, run_writer);
        if (world->core == 0 && ledger->plan.keep_bytes)
            start_fiber(meeting, run_truncator);
        if (world->core == 0 && ledger->plan.follows)
            start_follower(meeting);
        ledger->started++;
        if (!ledger->plan.leaves)
            (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
    }
    scope_close(meeting->scope);
}

/* ---- from outside ---- */

struct ledger *meeting_open(uint64_t seed, const struct plan *plan, const struct sim_faults *faults)
{
    struct sim_options options = {.seed = seed, .nodes = 1, .log_level = LOG_ERROR};
    struct ledger *ledger = calloc(1, sizeof *ledger);
    ck_assert_ptr_nonnull(ledger);
    if (faults)
        options.faults = *faults;
    else
        sim_faults_none(&options.faults);
    ledger->plan = *plan;
    ledger->sim = sim_open(&options);
    return ledger;
}

void meeting_close(struct ledger *ledger)
{
    sim_close(ledger->sim);
    free(ledger);
}

struct sim_process *meeting_start(struct ledger *ledger)
{
    ledger->process = sim_start(ledger->sim, 0,
                                &(struct sim_program){.name = "meeting",
                                                      .cores = ledger->plan.cores,
                                                      .core_main = program,
                                                      .argument = ledger,
                                                      .respawn = ledger->plan.respawn});
    return ledger->process;
}

void meeting_check(const struct ledger *ledger)
{
    ck_assert_msg(!sim_failure(ledger->sim), "seed %llu: %s", (unsigned long long)sim_seed(ledger->sim),
                  sim_failure(ledger->sim));
}

static bool is_done(void *argument)
{
    struct ledger *ledger = argument;
    if (ledger->runs <= sim_restarts(ledger->process))
        return false; /* the present run has not begun */
    return ledger->failed || (ledger->started == ledger->plan.cores && !ledger->busy);
}

void meeting_work(struct ledger *ledger, struct sim_process *process)
{
    (void)process;
    enum sim_end end = sim_run(ledger->sim, 60 * SIM_SECOND, is_done, ledger);
    meeting_check(ledger);
    ck_assert_int_eq(end, SIM_UNTIL);
    ck_assert_msg(!ledger->failed, "%s", error_text(&ledger->error, ERROR_MESSAGE));
}

static bool is_over(void *process)
{
    return sim_state(process) == SIM_ENDED || sim_state(process) == SIM_CRASHED;
}

void meeting_stop(struct ledger *ledger, struct sim_process *process)
{
    sim_stop(process);
    enum sim_end end = sim_run(ledger->sim, 60 * SIM_SECOND, is_over, process);
    meeting_check(ledger);
    ck_assert_int_eq(end, SIM_UNTIL);
}
