/* The scheduler as its driver sees it: turns, choice, stacks, the big stack, abandoning; and everything
 * together against a model. */
#include "test/unit/one_core.h"

#include "base/context.h"
#include "base/list.h"
#include "base/scheduler_state.h"
#include "base/system.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the system's pages, counted and made to fail (linked with --wrap) ---- */

static size_t mapped;      /* bytes, now */
static bool no_big_stacks; /* the system refuses what is larger than a fiber's stack */

void *__real_system_pages_map(size_t bytes, bool guard);
void __real_system_pages_unmap(void *pages, size_t bytes);
void *__wrap_system_pages_map(size_t bytes, bool guard);
void __wrap_system_pages_unmap(void *pages, size_t bytes);

void *__wrap_system_pages_map(size_t bytes, bool guard)
{
    if (no_big_stacks && bytes > 2 * FIBER_STACK_BYTES)
        return NULL;
    mapped += bytes;
    return __real_system_pages_map(bytes, guard);
}

void __wrap_system_pages_unmap(void *pages, size_t bytes)
{
    mapped -= bytes;
    __real_system_pages_unmap(pages, bytes);
}

/* ---- turns ---- */

static void note_letter(void *argument)
{
    note(*(const char *)argument);
}

static void yield_on_and_on(void *argument)
{
    uint32_t *left = argument;
    while ((*left)--)
        fiber_yield(scheduler);
}

START_TEST(a_run_takes_as_many_turns_as_allowed_and_says_so)
{
    uint32_t a = 10, b = 10;
    ck_assert(!scheduler_ready(scheduler));
    ck_assert_uint_eq(scheduler_run(scheduler, 5), 0);
    start(yield_on_and_on, &a);
    start(yield_on_and_on, &b);
    ck_assert_uint_eq(scheduler_run(scheduler, 0), 0);
    ck_assert_uint_eq(scheduler_run(scheduler, 5), 5);
    ck_assert(scheduler_ready(scheduler));
    ck_assert_uint_eq(scheduler_run(scheduler, 100), 22 - 5);
    ck_assert(!scheduler_ready(scheduler));
    struct scheduler_totals totals;
    scheduler_totals(scheduler, &totals);
    ck_assert_uint_eq(totals.switches, 22);
    ck_assert_uint_eq(totals.fibers_started, 2);
}
END_TEST

START_TEST(a_lone_fiber_that_yields_uses_up_its_turns)
{
    uint32_t left = 1000000;
    start(yield_on_and_on, &left);
    ck_assert_uint_eq(scheduler_run(scheduler, 1000), 1000);
    ck_assert_uint_eq(left, 1000000 - 1000);
    left = 0;
    run_all();
}
END_TEST

/* ---- choice ---- */

static const uint32_t *choices;
static uint32_t seen_ready[8], seen_count;

static uint32_t choose(void *argument, uint32_t ready)
{
    ck_assert_ptr_eq(argument, &choices);
    seen_ready[seen_count++] = ready;
    return *choices++;
}

static const struct scheduler_options choosing = {.choose = choose, .choose_argument = &choices};

START_TEST(the_driver_chooses_any_ready_fiber)
{
    core_close();
    core_open_with(&choosing);
    choices = (const uint32_t[]){3, 1, 0};
    start(note_letter, "a");
    start(note_letter, "b");
    start(note_letter, "c");
    start(note_letter, "d");
    run_all();
    ck_assert_str_eq(diary, "dbac");
    /* Nothing to choose with one alone. */
    ck_assert_uint_eq(seen_count, 3);
    ck_assert_uint_eq(seen_ready[0], 4);
    ck_assert_uint_eq(seen_ready[2], 2);
}
END_TEST

static void choose_badly(void *argument)
{
    (void)argument;
    core_open_with(&choosing);
    choices = (const uint32_t[]){2};
    start(note_letter, "a");
    start(note_letter, "b");
    run_all();
}

START_TEST(choosing_what_is_not_there_stops_the_process)
{
    ck_assert(unit_check_fails(choose_badly, NULL, "choose gave 2 of 2 ready fibers"));
}
END_TEST

/* ---- what a switch preserves ---- */

/* Many live values across a wait, in registers as far as they go. */
static void calculate(void *argument)
{
    uint64_t *result = argument, a = *result, b = a * 3, c = a * 5, d = a * 7, e = a * 11, f = a * 13;
    double x = (double)a, y = x * 0.5, z = x * 0.25;
    for (int i = 0; i < 100; i++) {
        fiber_yield(scheduler);
        a += b ^ c, b += c ^ d, c += d ^ e, d += e ^ f, e += f ^ a, f += a ^ b;
        x += y * 0.5, y += z * 0.5, z += x * 0.001;
    }
    *result = a + b + c + d + e + f + (uint64_t)(x + y + z);
}

START_TEST(values_live_through_switches)
{
    uint64_t together[20], alone[20];
    for (uint64_t i = 0; i < 20; i++) {
        together[i] = alone[i] = i + 1;
        start(calculate, &together[i]);
    }
    run_all();
    for (int i = 0; i < 20; i++) {
        start(calculate, &alone[i]);
        run_all();
        ck_assert_uint_eq(together[i], alone[i]);
    }
}
END_TEST

static void walk_frames(void *argument)
{
    int *count = argument;
    for (void **frame = __builtin_frame_address(0); frame; frame = frame[0])
        ck_assert_int_lt(++*count, 100);
}

START_TEST(the_chain_of_frames_ends)
{
    int count = 0;
    start(walk_frames, &count);
    run_all();
    ck_assert_int_ge(count, 2);
}
END_TEST

static void trace_back(void *argument)
{
    void *frames[64];
    int count = backtrace(frames, 64);
    ck_assert_int_lt(count, 64);
    *(void **)argument = frames[count - 1];
}

static bool in_entry(const void *address)
{
    return (uintptr_t)address - (uintptr_t)context_entry < 32;
}

/* The outermost frame is the entry itself: whoever unwinds has asked for its caller and was told of none. */
START_TEST(a_backtrace_ends_at_the_entry)
{
    void *outermost = NULL;
    start(trace_back, &outermost);
    run_all();
    ck_assert(in_entry(outermost));
}
END_TEST

static void trace_on_big_stack(void *argument)
{
    fiber_call_on_big_stack(scheduler, trace_back, argument);
}

START_TEST(a_backtrace_goes_through_a_call_on_the_big_stack)
{
    void *outermost = NULL;
    start(trace_on_big_stack, &outermost);
    run_all();
    ck_assert(in_entry(outermost));
}
END_TEST

/* ---- stacks ---- */

static struct fiber_queue queue;

static void wait_in_queue(void *argument)
{
    (void)argument;
    (void)fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE);
}

/* A stack with its guard. */
static size_t stack_bytes(void)
{
    size_t page = system_page_bytes();
    return (FIBER_STACK_BYTES + page - 1) / page * page + page;
}

#ifdef __SANITIZE_THREAD__
#define THOUSANDS 500 /* whose clocks grow with the square */
#else
#define THOUSANDS 5000
#endif

START_TEST(thousands_wait_and_their_stacks_are_reused_or_given_back)
{
    fiber_queue_init(&queue);
    size_t before = mapped;
    for (int i = 0; i < THOUSANDS; i++)
        start(wait_in_queue, NULL);
    run_all();
    ck_assert_uint_eq(mapped - before, THOUSANDS * stack_bytes());
    ck_assert_uint_eq(fiber_wake_all(&queue), THOUSANDS);
    run_all();
    ck_assert_uint_eq(mapped - before, FIBER_STACKS_KEPT * stack_bytes());
    for (int i = 0; i < FIBER_STACKS_KEPT; i++)
        start(wait_in_queue, NULL);
    ck_assert_uint_eq(mapped - before, FIBER_STACKS_KEPT * stack_bytes());
    run_all();
    fiber_wake_all(&queue);
    run_all();
    core_close();
    ck_assert_uint_eq(mapped, 0);
    core_open();
}
END_TEST

START_TEST(fibers_one_after_the_other_share_one_stack)
{
    size_t before = mapped;
    for (int i = 0; i < 100; i++) {
        start(note_letter, "x");
        run_all();
    }
    ck_assert_uint_eq(mapped - before, stack_bytes());
}
END_TEST

static void measure_at_once(void *argument)
{
    *(size_t *)argument = fiber_stack_high_water(scheduler);
}

static __attribute__((noinline)) void touch_40000(void)
{
    volatile char low[40000];
    for (size_t i = 0; i < sizeof low; i += 1000)
        low[i] = 1;
}

static void measure_after_touching(void *argument)
{
    touch_40000();
    *(size_t *)argument = fiber_stack_high_water(scheduler);
}

static __attribute__((noinline)) int levels_until_refused(struct error *error)
{
    volatile char frame[1000];
    frame[0] = 1;
    if (fiber_check_stack(scheduler, error))
        return 0;
    int deeper = levels_until_refused(error);
    return frame[0] + deeper; /* read after the call, or the compiler makes a loop of it */
}

static void recurse_until_refused(void *argument)
{
    struct error error = {0};
    *(int *)argument = levels_until_refused(&error);
    ck_assert_int_eq(error.state, SQLSTATE_STATEMENT_TOO_COMPLEX);
}

START_TEST(recursion_is_refused_before_the_stack_ends)
{
    int levels = 0;
    start(recurse_until_refused, &levels);
    run_all();
    ck_assert_int_gt(levels, (FIBER_STACK_BYTES - FIBER_STACK_ROOM_MIN) / 4000);
    ck_assert_int_lt(levels, FIBER_STACK_BYTES / 1000);
}
END_TEST

START_TEST(a_fiber_knows_how_much_of_its_stack_was_touched)
{
    size_t idle = 0, deep = 0;
    start(measure_at_once, &idle);
    run_all();
#ifndef UNIT_SANITIZED
    ck_assert_uint_le(idle, 2 * system_page_bytes());
#endif
    ck_assert_uint_gt(idle, 0);
    ck_assert_uint_eq(idle % system_page_bytes(), 0);
    start(measure_after_touching, &deep);
    run_all();
    ck_assert_uint_ge(deep, 40000);
    ck_assert_uint_le(deep, stack_bytes());
    ck_assert_uint_gt(deep, idle);
}
END_TEST

START_TEST(the_totals_know_the_deepest_stack_seen)
{
    size_t deep = 0;
    for (int i = 0; i < 64; i++) {
        start(measure_after_touching, &deep);
        run_all();
    }
    struct scheduler_totals totals;
    scheduler_totals(scheduler, &totals);
    ck_assert_uint_ge(totals.stack_high_water, 40000);
}
END_TEST

static __attribute__((noinline)) int overflow(volatile int *depth)
{
    volatile char frame[1024];
    frame[0] = (char)++*depth;
    return *depth < 1000000 ? overflow(depth) + frame[0] : frame[0];
}

static void overflow_fiber(void *argument)
{
    volatile int depth = 0;
    (void)argument;
    overflow(&depth);
}

static void overflow_alone(void *argument)
{
    (void)argument;
    core_open();
    start(overflow_fiber, NULL);
    run_all();
}

START_TEST(a_fiber_that_overflows_its_stack_hits_the_guard)
{
    char said[65536];
    int status = unit_run_apart(overflow_alone, NULL, said, sizeof said);
    ck_assert((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) || strstr(said, "stack-overflow") ||
              strstr(said, "SEGV"));
}
END_TEST

/* ---- the big stack ---- */

/* Frames of 4 KiB and more, all of them touched. */
static __attribute__((noinline)) uint64_t recurse(uint64_t depth)
{
    volatile char frame[4096];
    for (size_t i = 0; i < sizeof frame; i += 512)
        frame[i] = (char)depth;
    return depth ? recurse(depth - 1) + (unsigned char)frame[512] / 256 + 1 : 0;
}

#define DEEP      (100 * 1024 * 1024 / 4096) /* calls: 100 MiB of frames and more */
#define SECOND_NS 1000000000UL

static void recurse_deeply(void *argument)
{
    uint64_t *depth = argument;
    *depth = recurse(*depth);
}

static void recurse_in_fiber(void *argument)
{
    fiber_call_on_big_stack(scheduler, recurse_deeply, argument);
    note('b');
    fiber_yield(scheduler);
    note('y');
}

/* Bytes of this process in memory. */
static size_t resident(void)
{
    unsigned long size, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu %lu", &size, &pages), 2);
    fclose(file);
    return pages * system_page_bytes();
}

START_TEST(a_fiber_recurses_100_mib_deep_on_the_big_stack)
{
    uint64_t depth = DEEP;
    start(recurse_in_fiber, &depth);
    run_all();
    ck_assert_uint_eq(depth, DEEP);
    ck_assert_str_eq(diary, "by");
}
END_TEST

START_TEST(outside_a_fiber_the_big_stack_serves_too_and_its_pages_go_back_when_it_is_not_used)
{
    for (int i = 0; i < 2; i++) {
        size_t before = resident();
        uint64_t depth = DEEP;
        fiber_call_on_big_stack(scheduler, recurse_deeply, &depth);
        ck_assert_uint_eq(depth, DEEP);
        size_t deep = resident();
        ck_assert_uint_ge(deep - before, 90 << 20);
        scheduler_tick(scheduler, (uint64_t)(i + 1) * SECOND_NS);
        ck_assert_uint_ge(deep - resident(), 90 << 20);
    }
}
END_TEST

START_TEST(a_big_stack_that_is_always_used_gives_its_pages_back_too)
{
    uint64_t depth = DEEP, shallow;
    fiber_call_on_big_stack(scheduler, recurse_deeply, &depth);
    size_t deep = resident();
    for (uint64_t tick = 1; tick <= 100; tick++) {
        scheduler_tick(scheduler, tick * (SECOND_NS / 1000));
        shallow = 1;
        fiber_call_on_big_stack(scheduler, recurse_deeply, &shallow);
    }
    ck_assert_uint_ge(deep - resident(), 90 << 20);
}
END_TEST

static void tell_where(void *argument)
{
    *(bool *)argument = fiber_is_on_big_stack(scheduler);
}

START_TEST(code_can_ask_whether_it_is_on_the_big_stack)
{
    bool within = false;
    ck_assert(!fiber_is_on_big_stack(scheduler));
    fiber_call_on_big_stack(scheduler, tell_where, &within);
    ck_assert(within);
    ck_assert(!fiber_is_on_big_stack(scheduler));
}
END_TEST

START_TEST(a_shallow_call_keeps_its_pages)
{
    uint64_t depth = 200;
    fiber_call_on_big_stack(scheduler, recurse_deeply, &depth);
    size_t before = resident();
    scheduler_tick(scheduler, SECOND_NS);
    ck_assert_uint_le(before, resident() + (200 << 10));
}
END_TEST

START_TEST(no_room_for_the_big_stack_is_53200)
{
    struct scope *scope = scope_open(root, "second");
    struct scheduler *second = NULL;
    no_big_stacks = true;
    enum sqlstate failed = scheduler_open(scope, NULL, &second, &error);
    no_big_stacks = false;
    ck_assert_int_eq(failed, SQLSTATE_OUT_OF_MEMORY);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "out of memory");
    ck_assert_ptr_null(second);
    scope_close(scope);
}
END_TEST

/* ---- stacks at rest ---- */

#define REST_NS 1000

static struct fiber_queue resting;
static struct fiber *rested[2];

static __attribute__((noinline)) void touch_deeply(void)
{
    volatile char deep[200000];
    for (size_t i = 0; i < sizeof deep; i += 512)
        deep[i] = (char)i;
}

/* Goes deep, waits, and says whether what it had on its stack was there afterwards. */
static void wait_after_depth(void *argument)
{
    char kept[100];
    for (;;) {
        touch_deeply();
        memset(kept, *(const char *)argument, sizeof kept);
        enum fiber_wake wake = fiber_wait(scheduler, &resting, FIBER_NO_DEADLINE);
        for (size_t i = 0; i < sizeof kept; i++)
            ck_assert_int_eq(kept[i], *(const char *)argument);
        if (strlen(diary) < 8)
            note(*(const char *)argument);
        if (wake == FIBER_CANCELED)
            return;
    }
}

static size_t touched_by(const struct fiber *fiber)
{
    return stack_touched(&scheduler->stacks, fiber->stack);
}

START_TEST(a_fiber_that_waits_for_long_gives_back_the_stack_it_does_not_stand_on)
{
    core_close();
    core_open_with(&(struct scheduler_options){.stack_rest_ns = REST_NS});
    fiber_queue_init(&resting);
    rested[0] = start(wait_after_depth, "a");
    rested[1] = start(wait_after_depth, "b");
    run_all();
    scheduler_tick(scheduler, REST_NS - 1);
    ck_assert_uint_ge(touched_by(rested[0]), 200000);
    /* Both go on once more, so they have not waited for long when they are looked at. */
    fiber_wake_all(&resting);
    run_all();
    scheduler_tick(scheduler, REST_NS);
    ck_assert_uint_ge(touched_by(rested[0]), 200000);
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), 2 * REST_NS);
    scheduler_tick(scheduler, 2 * REST_NS);
    ck_assert_uint_le(touched_by(rested[0]), 100000);
    ck_assert_uint_le(touched_by(rested[1]), 100000);
    /* Nobody is left to be looked at. */
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), FIBER_NO_DEADLINE);
    for (int i = 0; i < 2; i++)
        fiber_cancel(rested[i], SQLSTATE_QUERY_CANCELED, "enough");
    run_all();
    ck_assert_str_eq(diary, "abab");
}
END_TEST

START_TEST(stacks_of_hundreds_of_fibers_are_given_back_one_part_after_the_other)
{
    enum { FIBERS = 200 };
    static struct fiber *fiber[FIBERS];
    core_close();
    core_open_with(&(struct scheduler_options){.stack_rest_ns = REST_NS});
    fiber_queue_init(&resting);
    for (int i = 0; i < FIBERS; i++)
        fiber[i] = start(wait_after_depth, "a");
    run_all();
    int looks = 0;
    for (uint64_t now_ns = REST_NS; now_ns != FIBER_NO_DEADLINE;
         now_ns = scheduler_next_deadline(scheduler)) {
        scheduler_tick(scheduler, now_ns);
        looks++;
    }
    ck_assert_int_gt(looks, 1);
    for (int i = 0; i < FIBERS; i++) {
        ck_assert_uint_le(touched_by(fiber[i]), 100000);
        fiber_cancel(fiber[i], SQLSTATE_QUERY_CANCELED, "enough");
    }
    run_all();
}
END_TEST

/* ---- abandoning ---- */

static void sleep_long(void *argument)
{
    (void)argument;
    (void)fiber_sleep_until(scheduler, 1000);
    note('!');
}

static void never(void *argument)
{
    (void)argument;
    note('!');
}

START_TEST(abandoning_forgets_fibers_in_every_state_and_undoes_nothing)
{
    struct fiber_timer timer = {0};
    fiber_queue_init(&queue);
    scope_undo(root, never, NULL);
    start(wait_in_queue, NULL);
    start(sleep_long, NULL);
    for (int i = 0; i < 10; i++) /* some stacks in the pool */
        start(note_letter, "x");
    run_all();
    start(never, NULL);
    fiber_timer_set(scheduler, &timer, 10, never, NULL);
    scheduler_abandon(scheduler);
    ck_assert_uint_eq(mapped, 0);
    ck_assert_uint_eq(scheduler_fibers(scheduler), 0);
    ck_assert(!scheduler_ready(scheduler));
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), FIBER_NO_DEADLINE);
    ck_assert_uint_eq(scheduler_run(scheduler, 10), 0);
    scope_abandon_root(root);
    ck_assert_str_eq(diary, "xxxxxxxxxx");
    core_open();
}
END_TEST

/* ---- against a model ----
 *
 * Fibers draw what they do next from their own sequence of numbers; the model draws the same and keeps its
 * own lists, as plain arrays. After every deed of the driver both must have written the same log. */

#define ACTORS 40
#define QUEUES 3

enum deed {
    DEED_WAIT,
    DEED_WAIT_UNTIL,
    DEED_SLEEP,
    DEED_YIELD,
    DEED_CLEAR,
    DEED_WAKE,
    DEED_CANCEL,
    DEED_END
};

/* One step of an actor, drawn from its sequence. */
struct step {
    enum deed deed;
    bool shielded;
    uint32_t queue;
    uint32_t victim;
    uint64_t delay_ns;
};

struct entry {
    uint32_t actor;
    uint32_t outcome; /* of the wait that ended, or 9 at the start of its life */
};

struct actor {
    /* Real: */
    struct fiber *fiber; /* NULL = not alive */
    uint64_t state;      /* of its sequence */
    /* Model: */
    uint64_t model_state;
    bool alive, canceled, shielded, waiting;
    int queue; /* waiting in, or -1 */
    uint64_t deadline_ns, order;
    uint32_t outcome;
};

static struct actor actors[ACTORS];
static struct fiber_queue queues[QUEUES];
static uint64_t now_ns, orders;
static struct entry real_log[100000], model_log[100000];
static uint32_t real_count, model_count;
static uint32_t model_ready[ACTORS], model_ready_count;
static uint32_t model_queue[QUEUES][ACTORS], model_queue_count[QUEUES];

static struct step draw(uint64_t *state)
{
    uint64_t dice = unit_random_below(state, 100);
    struct step step = {.queue = (uint32_t)unit_random_below(state, QUEUES)};
    step.victim = (uint32_t)unit_random_below(state, ACTORS);
    step.delay_ns = 1 + unit_random_below(state, 50);
    step.shielded = unit_random_below(state, 4) == 0;
    step.deed = dice < 20   ? DEED_WAIT
                : dice < 45 ? DEED_WAIT_UNTIL
                : dice < 55 ? DEED_SLEEP
                : dice < 70 ? DEED_YIELD
                : dice < 80 ? DEED_CLEAR
                : dice < 90 ? DEED_WAKE
                : dice < 95 ? DEED_CANCEL
                            : DEED_END;
    return step;
}

static void real_note(struct actor *actor, uint32_t outcome)
{
    real_log[real_count++] = (struct entry){(uint32_t)(actor - actors), outcome};
}

static void act(void *argument)
{
    struct actor *self = argument;
    real_note(self, 9);
    for (;;) {
        struct step step = draw(&self->state);
        if (step.shielded)
            fiber_shield_begin(scheduler);
        switch (step.deed) {
        case DEED_WAIT:
            real_note(self, fiber_wait(scheduler, &queues[step.queue], FIBER_NO_DEADLINE));
            break;
        case DEED_WAIT_UNTIL:
            real_note(self, fiber_wait(scheduler, &queues[step.queue], now_ns + step.delay_ns));
            break;
        case DEED_SLEEP:
            real_note(self, fiber_sleep_until(scheduler, now_ns + step.delay_ns));
            break;
        case DEED_YIELD:
            fiber_yield(scheduler);
            real_note(self, 8);
            break;
        case DEED_CLEAR:
            fiber_cancel_clear(self->fiber);
            break;
        case DEED_WAKE:
            fiber_wake_one(&queues[step.queue]);
            break;
        case DEED_CANCEL:
            if (actors[step.victim].fiber)
                fiber_cancel(actors[step.victim].fiber, SQLSTATE_QUERY_CANCELED, "canceled");
            break;
        case DEED_END:
            break;
        }
        if (step.shielded)
            fiber_shield_end(scheduler);
        if (step.deed == DEED_END)
            break;
    }
    self->fiber = NULL;
}

static void model_note(uint32_t actor, uint32_t outcome)
{
    model_log[model_count++] = (struct entry){actor, outcome};
}

static uint32_t take_at(uint32_t *array, uint32_t *count, uint32_t at)
{
    uint32_t taken = array[at];
    memmove(&array[at], &array[at + 1], (--*count - at) * sizeof *array);
    return taken;
}

static void model_end_wait(uint32_t index, uint32_t outcome)
{
    struct actor *actor = &actors[index];
    if (actor->queue >= 0) {
        uint32_t at = 0;
        while (model_queue[actor->queue][at] != index)
            at++;
        take_at(model_queue[actor->queue], &model_queue_count[actor->queue], at);
    }
    actor->waiting = false;
    actor->outcome = outcome;
    model_ready[model_ready_count++] = index;
}

static void model_wake(uint32_t in)
{
    if (model_queue_count[in])
        model_end_wait(model_queue[in][0], FIBER_WOKEN);
}

static void model_cancel(uint32_t index)
{
    struct actor *actor = &actors[index];
    if (!actor->alive)
        return;
    actor->canceled = true;
    if (actor->waiting && !actor->shielded)
        model_end_wait(index, FIBER_CANCELED);
}

static void model_tick(void)
{
    for (;;) {
        int first = -1;
        for (int i = 0; i < ACTORS; i++) {
            struct actor *actor = &actors[i];
            if (actor->waiting && actor->deadline_ns <= now_ns &&
                (first < 0 || actor->deadline_ns < actors[first].deadline_ns ||
                 (actor->deadline_ns == actors[first].deadline_ns && actor->order < actors[first].order)))
                first = i;
        }
        if (first < 0)
            return;
        model_end_wait((uint32_t)first, FIBER_TIMED_OUT);
    }
}

/* Whether the actor really waits now. */
static bool model_wait(uint32_t index, const struct step *step)
{
    struct actor *actor = &actors[index];
    if (actor->canceled && !step->shielded) {
        model_note(index, FIBER_CANCELED);
        return false;
    }
    actor->waiting = true;
    actor->shielded = step->shielded;
    actor->deadline_ns = step->deed == DEED_WAIT ? FIBER_NO_DEADLINE : now_ns + step->delay_ns;
    actor->order = orders++;
    actor->queue = step->deed == DEED_SLEEP ? -1 : (int)step->queue;
    if (actor->queue >= 0)
        model_queue[actor->queue][model_queue_count[actor->queue]++] = index;
    return true;
}

static void model_turn(void)
{
    uint32_t index = take_at(model_ready, &model_ready_count, 0);
    struct actor *actor = &actors[index];
    model_note(index, actor->outcome);
    for (;;) {
        struct step step = draw(&actor->model_state);
        switch (step.deed) {
        case DEED_WAIT:
        case DEED_WAIT_UNTIL:
        case DEED_SLEEP:
            if (model_wait(index, &step))
                return;
            break;
        case DEED_YIELD:
            actor->outcome = 8;
            actor->queue = -1;
            model_ready[model_ready_count++] = index;
            return;
        case DEED_CLEAR:
            actor->canceled = false;
            break;
        case DEED_WAKE:
            model_wake(step.queue);
            break;
        case DEED_CANCEL:
            model_cancel(step.victim);
            break;
        case DEED_END:
            actor->alive = false;
            return;
        }
    }
}

static void begin(uint32_t index, uint64_t seed)
{
    struct actor *actor = &actors[index];
    actor->state = actor->model_state = seed;
    actor->fiber = start(act, actor);
    actor->alive = true;
    actor->canceled = actor->waiting = false;
    actor->outcome = 9;
    model_ready[model_ready_count++] = index;
}

static void compare(void)
{
    uint64_t next = FIBER_NO_DEADLINE;
    uint32_t alive = 0;
    for (int i = 0; i < ACTORS; i++) {
        alive += actors[i].alive;
        if (actors[i].waiting && actors[i].deadline_ns < next)
            next = actors[i].deadline_ns;
    }
    ck_assert_uint_eq(real_count, model_count);
    ck_assert_int_eq(memcmp(real_log, model_log, real_count * sizeof *real_log), 0);
    ck_assert_uint_eq(scheduler_fibers(scheduler), alive);
    ck_assert_uint_eq(scheduler_ready(scheduler), model_ready_count > 0);
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), next);
    real_count = model_count = 0;
}

static void model_run(uint32_t turns)
{
    uint32_t taken = 0;
    for (; taken < turns && model_ready_count; taken++)
        model_turn();
    ck_assert_uint_eq(scheduler_run(scheduler, turns), taken);
}

static void one_random_operation(uint64_t *state)
{
    uint32_t index = (uint32_t)unit_random_below(state, ACTORS);
    uint64_t dice = unit_random_below(state, 100);
    if (dice < 30) {
        if (!actors[index].alive)
            begin(index, unit_random(state));
    } else if (dice < 40) {
        fiber_wake_one(&queues[index % QUEUES]);
        model_wake(index % QUEUES);
    } else if (dice < 42) {
        fiber_wake_all(&queues[index % QUEUES]);
        while (model_queue_count[index % QUEUES])
            model_wake(index % QUEUES);
    } else if (dice < 50) {
        if (actors[index].fiber)
            fiber_cancel(actors[index].fiber, SQLSTATE_QUERY_CANCELED, "canceled");
        model_cancel(index);
    } else if (dice < 70) {
        now_ns += unit_random_below(state, 20);
        scheduler_tick(scheduler, now_ns);
        model_tick();
    } else {
        model_run((uint32_t)unit_random_below(state, 20));
    }
}

/* Lets everyone go on until all have ended by themselves. */
static void finish(void)
{
    while (scheduler_fibers(scheduler)) {
        for (uint32_t i = 0; i < QUEUES; i++) {
            fiber_wake_all(&queues[i]);
            while (model_queue_count[i])
                model_wake(i);
        }
        now_ns += 100;
        scheduler_tick(scheduler, now_ns);
        model_tick();
        model_run(100);
        compare();
    }
}

START_TEST(a_hundred_thousand_random_operations_agree_with_a_model)
{
    uint64_t state = unit_seed();
    for (int i = 0; i < QUEUES; i++)
        fiber_queue_init(&queues[i]);
    for (int i = 0; i < 100000; i++) {
        one_random_operation(&state);
        compare();
    }
    finish();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("scheduler");
    tcase_add_checked_fixture(tests, core_open, core_close);
    tcase_add_test(tests, a_run_takes_as_many_turns_as_allowed_and_says_so);
    tcase_add_test(tests, a_lone_fiber_that_yields_uses_up_its_turns);
    tcase_add_test(tests, the_driver_chooses_any_ready_fiber);
    tcase_add_test(tests, choosing_what_is_not_there_stops_the_process);
    tcase_add_test(tests, values_live_through_switches);
    tcase_add_test(tests, the_chain_of_frames_ends);
    tcase_add_test(tests, a_backtrace_ends_at_the_entry);
    tcase_add_test(tests, a_backtrace_goes_through_a_call_on_the_big_stack);
    tcase_add_test(tests, thousands_wait_and_their_stacks_are_reused_or_given_back);
    tcase_add_test(tests, fibers_one_after_the_other_share_one_stack);
    tcase_add_test(tests, recursion_is_refused_before_the_stack_ends);
    tcase_add_test(tests, a_fiber_knows_how_much_of_its_stack_was_touched);
    tcase_add_test(tests, the_totals_know_the_deepest_stack_seen);
    tcase_add_test(tests, a_fiber_that_overflows_its_stack_hits_the_guard);
    tcase_add_test(tests, a_fiber_recurses_100_mib_deep_on_the_big_stack);
    tcase_add_test(tests, outside_a_fiber_the_big_stack_serves_too_and_its_pages_go_back_when_it_is_not_used);
    tcase_add_test(tests, a_big_stack_that_is_always_used_gives_its_pages_back_too);
    tcase_add_test(tests, code_can_ask_whether_it_is_on_the_big_stack);
    tcase_add_test(tests, a_shallow_call_keeps_its_pages);
    tcase_add_test(tests, no_room_for_the_big_stack_is_53200);
    tcase_add_test(tests, a_fiber_that_waits_for_long_gives_back_the_stack_it_does_not_stand_on);
    tcase_add_test(tests, stacks_of_hundreds_of_fibers_are_given_back_one_part_after_the_other);
    tcase_add_test(tests, abandoning_forgets_fibers_in_every_state_and_undoes_nothing);
    tcase_add_test(tests, a_hundred_thousand_random_operations_agree_with_a_model);
    return unit_run(tests);
}
