/* Mail between cores: first several cores in this thread, turn by turn; then real threads that hammer each
 * other through full rings. */
#include "test/unit/unit.h"

#include "base/list.h"
#include "base/mailbox.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "base/world.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define UNIT_SLOW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define UNIT_SLOW 1
#endif
#endif

/* ---- a node of three cores ---- */

#define CORES 3

struct core {
    struct world world;
    struct scope *scope; /* root; outlives world.scope */
    uint32_t wakes;      /* others asked for while it slept */
    bool for_long;       /* the last of them, for what takes long */
};

static struct scope *node_scope;
static struct core cores[CORES];
static struct error error;

static void count_wake(struct world *world, uint32_t core, bool takes_long)
{
    (void)world;
    cores[core].wakes++;
    cores[core].for_long = takes_long;
}

static const struct world_ops counting_ops = {.wake = count_wake};

static void core_open(struct core *core, struct mail_room *room, uint32_t number, uint32_t count,
                      const struct world_ops *ops)
{
    struct error problem = {0};
    *core = (struct core){.world = {.ops = ops, .core = number, .cores = count}};
    core->scope = scope_open_root("core", NULL);
    ck_assert_ptr_nonnull(core->scope);
    ck_assert_int_eq(scheduler_open(core->scope, NULL, &core->world.scheduler, &problem), SQLSTATE_OK);
    core->world.scope = scope_open(core->scope, "world");
    mailbox_open(room, &core->world);
}

static void node_open(void)
{
    struct mail_room *room;
    node_scope = scope_open_root("node", NULL);
    ck_assert_int_eq(mail_room_open(node_scope, CORES, &room, &error), SQLSTATE_OK);
    for (uint32_t i = 0; i < CORES; i++)
        core_open(&cores[i], room, i, CORES, &counting_ops);
}

static void node_close(void)
{
    for (uint32_t i = 0; i < CORES; i++)
        scope_close(cores[i].scope);
    scope_close(node_scope);
}

/* One turn of a core's loop; what mailbox_flush() said. */
static bool turn(uint32_t core)
{
    struct world *world = &cores[core].world;
    mailbox_drain(world, UINT32_MAX);
    scheduler_run(world->scheduler, 10000);
    return mailbox_flush(world);
}

static void turn_all(int times)
{
    while (times--) {
        for (uint32_t i = 0; i < CORES; i++)
            turn(i);
    }
}

static struct fiber *start(uint32_t core, void (*run)(void *argument), void *argument)
{
    struct fiber *fiber = NULL;
    ck_assert_int_eq(fiber_start(cores[core].world.scheduler, cores[core].world.scope, "tested", run,
                                 argument, &fiber, &error),
                     SQLSTATE_OK);
    return fiber;
}

/* ---- letters, and what becomes of them ---- */

/* A mail with a number, and the fiber that sends it. */
struct letter {
    struct mail mail;
    uint32_t number;
    uint32_t from, to;
    bool sent, back;
};

static uint32_t delivered[8192], delivered_count; /* numbers, in order */
static uint32_t returned[8192], returned_count;
static struct list kept; /* letters a receiver has not returned yet */

static struct letter *letter_of(struct mail *mail)
{
    return container_of(mail, struct letter, mail);
}

static void come_back(struct world *here, struct mail *mail)
{
    struct letter *letter = letter_of(mail);
    ck_assert_uint_eq(here->core, letter->from);
    ck_assert(!letter->back);
    letter->back = true;
    returned[returned_count++] = letter->number;
}

static void take_note(struct world *here, struct mail *mail)
{
    ck_assert_uint_eq(here->core, letter_of(mail)->to);
    ck_assert_uint_eq(mail->from, letter_of(mail)->from);
    ck_assert_ptr_null(fiber_running(here->scheduler));
    delivered[delivered_count++] = letter_of(mail)->number;
}

static void deliver_and_return(struct world *here, struct mail *mail)
{
    take_note(here, mail);
    mail_return(here, mail);
}

static void deliver_and_keep(struct world *here, struct mail *mail)
{
    take_note(here, mail);
    list_append(&kept, &mail->link);
}

static void return_kept(uint32_t core, uint32_t most)
{
    struct list_link *link;
    while (most-- && (link = list_take_first(&kept)))
        mail_return(&cores[core].world, container_of(link, struct mail, link));
}

static void letters_fill(struct letter *letters, uint32_t count, uint32_t from, uint32_t to,
                         void (*deliver)(struct world *here, struct mail *mail))
{
    for (uint32_t i = 0; i < count; i++)
        letters[i] = (struct letter){
            .mail = {.deliver = deliver, .returned = come_back}, .number = i, .from = from, .to = to};
}

static void send_letter(void *argument)
{
    struct letter *letter = argument;
    mail_send(&cores[letter->from].world, letter->to, &letter->mail);
    letter->sent = true;
}

/* Several letters, one after the other, by one fiber. */
struct batch {
    struct letter *letters;
    uint32_t count;
    uint32_t sent;
};

static void send_batch(void *argument)
{
    struct batch *batch = argument;
    for (; batch->sent < batch->count; batch->sent++)
        send_letter(&batch->letters[batch->sent]);
}

/* Big, and the same in most tests. */
static struct letter letters[4 * MAILBOX_REQUESTS_MAX];

static void open_with_letters(void)
{
    node_open();
    list_init(&kept);
    delivered_count = returned_count = 0;
}

static void check_numbers(const uint32_t *numbers, uint32_t count, uint32_t expected)
{
    ck_assert_uint_eq(count, expected);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(numbers[i], i);
}

/* ---- going and coming ---- */

START_TEST(mail_is_delivered_in_order_and_comes_back_in_order)
{
    letters_fill(letters, 100, 0, 1, deliver_and_return);
    struct batch batch = {.letters = letters, .count = 100};
    start(0, send_batch, &batch);
    turn(0);
    ck_assert_uint_eq(batch.sent, 100);
    ck_assert_uint_eq(delivered_count, 0);
    turn(1);
    check_numbers(delivered, delivered_count, 100);
    ck_assert_uint_eq(returned_count, 0);
    turn(0);
    check_numbers(returned, returned_count, 100);
    for (int i = 0; i < 100; i++)
        ck_assert(!letters[i].mail.refused);
}
END_TEST

START_TEST(a_core_writes_to_itself)
{
    letters_fill(letters, 3, 2, 2, deliver_and_return);
    struct batch batch = {.letters = letters, .count = 3};
    start(2, send_batch, &batch);
    turn(2);
    ck_assert_uint_eq(delivered_count, 0);
    turn(2);
    turn(2);
    check_numbers(delivered, delivered_count, 3);
    check_numbers(returned, returned_count, 3);
}
END_TEST

START_TEST(mail_is_returned_any_time_later_in_any_order)
{
    letters_fill(letters, 2, 0, 1, deliver_and_keep);
    struct batch batch = {.letters = letters, .count = 2};
    start(0, send_batch, &batch);
    turn_all(5);
    ck_assert_uint_eq(delivered_count, 2);
    ck_assert_uint_eq(returned_count, 0);
    mail_return(&cores[1].world, &letters[1].mail);
    turn_all(1);
    ck_assert(letters[1].back && !letters[0].back);
    mail_return(&cores[1].world, &letters[0].mail);
    turn_all(2);
    ck_assert(letters[0].back);
}
END_TEST

START_TEST(a_drain_takes_no_more_than_asked_and_begins_elsewhere_each_time)
{
    letters_fill(letters, 10, 0, 2, deliver_and_return);
    letters_fill(letters + 10, 10, 1, 2, deliver_and_return);
    struct batch first = {.letters = letters, .count = 10}, second = {.letters = letters + 10, .count = 10};
    start(0, send_batch, &first);
    start(1, send_batch, &second);
    turn(0);
    turn(1);
    ck_assert_uint_eq(mailbox_drain(&cores[2].world, 4), 4);
    ck_assert_uint_eq(delivered_count, 4);
    mailbox_drain(&cores[2].world, 4);
    ck_assert_uint_eq(delivered_count, 8);
    /* Four from the one, then four from the other: neither starves. */
    ck_assert_uint_eq(delivered[3], 3);
    ck_assert_uint_eq(delivered[4], 0);
    turn_all(2);
    ck_assert_uint_eq(returned_count, 20);
}
END_TEST

/* ---- full rings ---- */

START_TEST(a_sender_waits_while_the_ring_is_full_and_nothing_is_lost_or_reordered)
{
    const uint32_t count = 3 * MAILBOX_REQUESTS_MAX + 5;
    letters_fill(letters, count, 0, 1, deliver_and_return);
    struct batch batch = {.letters = letters, .count = count};
    start(0, send_batch, &batch);
    ck_assert(turn(0));
    ck_assert_uint_eq(batch.sent, MAILBOX_REQUESTS_MAX);
    ck_assert(turn(0));
    ck_assert_uint_eq(batch.sent, MAILBOX_REQUESTS_MAX);
    turn_all(20);
    check_numbers(delivered, delivered_count, count);
    check_numbers(returned, returned_count, count);
}
END_TEST

START_TEST(senders_that_wait_for_room_get_it_in_order_and_newcomers_stand_behind)
{
    const uint32_t count = MAILBOX_REQUESTS_MAX + 20;
    letters_fill(letters, count, 0, 1, deliver_and_return);
    for (uint32_t i = 0; i < count - 1; i++)
        start(0, send_letter, &letters[i]);
    turn(0);
    ck_assert(letters[MAILBOX_REQUESTS_MAX - 1].sent && !letters[MAILBOX_REQUESTS_MAX].sent);
    /* Room for one; a newcomer must not take it. */
    ck_assert_uint_eq(mailbox_drain(&cores[1].world, 1), 1);
    start(0, send_letter, &letters[count - 1]);
    scheduler_run(cores[0].world.scheduler, 100);
    ck_assert(!letters[count - 1].sent);
    ck_assert(mailbox_flush(&cores[0].world));
    scheduler_run(cores[0].world.scheduler, 100);
    ck_assert(letters[MAILBOX_REQUESTS_MAX].sent && !letters[MAILBOX_REQUESTS_MAX + 1].sent);
    turn_all(10);
    check_numbers(delivered, delivered_count, count);
    ck_assert_uint_eq(returned_count, count);
}
END_TEST

START_TEST(waiting_for_room_is_no_cancellation_point)
{
    letters_fill(letters, MAILBOX_REQUESTS_MAX + 1, 0, 1, deliver_and_return);
    struct batch batch = {.letters = letters, .count = MAILBOX_REQUESTS_MAX + 1};
    struct fiber *fiber = start(0, send_batch, &batch);
    turn(0);
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    turn(0);
    ck_assert_uint_eq(batch.sent, MAILBOX_REQUESTS_MAX);
    turn_all(5);
    check_numbers(delivered, delivered_count, MAILBOX_REQUESTS_MAX + 1);
}
END_TEST

START_TEST(returns_that_find_the_ring_full_go_out_later_in_order_and_before_requests)
{
    /* Core 1 keeps more letters of core 0 than a ring has slots, then fills its own ring to core 0. */
    const uint32_t count = MAILBOX_REQUESTS_MAX + 10;
    letters_fill(letters, count, 0, 1, deliver_and_keep);
    struct batch batch = {.letters = letters, .count = count};
    start(0, send_batch, &batch);
    turn_all(5);
    ck_assert_uint_eq(delivered_count, count);
    delivered_count = 0;
    struct letter *others = letters + count;
    letters_fill(others, MAILBOX_REQUESTS_MAX + 1, 1, 0, deliver_and_return);
    struct batch back = {.letters = others, .count = MAILBOX_REQUESTS_MAX + 1};
    start(1, send_batch, &back);
    turn(1);
    ck_assert_uint_eq(back.sent, MAILBOX_REQUESTS_MAX);
    return_kept(1, UINT32_MAX);
    ck_assert(mailbox_flush(&cores[1].world));
    ck_assert_uint_eq(returned_count, 0);
    turn(0); /* makes room for as many as the ring has slots: returns all */
    ck_assert_uint_eq(delivered_count, MAILBOX_REQUESTS_MAX);
    ck_assert(mailbox_flush(&cores[1].world));
    scheduler_run(cores[1].world.scheduler, 100);
    ck_assert_uint_eq(back.sent, MAILBOX_REQUESTS_MAX);
    mailbox_drain(&cores[0].world, UINT32_MAX);
    check_numbers(returned, returned_count, MAILBOX_REQUESTS_MAX);
    turn_all(5);
    ck_assert_uint_eq(back.sent, back.count);
    check_numbers(delivered, delivered_count, back.count);
    for (uint32_t i = 0; i < count; i++)
        ck_assert(letters[i].back);
}
END_TEST

START_TEST(full_rings_in_both_directions_do_not_block_each_other)
{
    const uint32_t count = 2 * MAILBOX_REQUESTS_MAX;
    letters_fill(letters, count, 0, 1, deliver_and_return);
    letters_fill(letters + count, count, 1, 0, deliver_and_return);
    struct batch there = {.letters = letters, .count = count};
    struct batch here = {.letters = letters + count, .count = count};
    start(0, send_batch, &there);
    start(1, send_batch, &here);
    turn_all(20);
    ck_assert_uint_eq(delivered_count, 2 * count);
    ck_assert_uint_eq(returned_count, 2 * count);
}
END_TEST

/* ---- calls ---- */

/* A call that asks for number + 1. */
struct question {
    struct mail mail;
    uint32_t from, to;
    struct scope *scope;
    uint32_t number;
    enum sqlstate state;
    bool answered;
    struct error error;
};

static void deliver_question(struct world *here, struct mail *mail)
{
    container_of(mail, struct question, mail)->number++;
    mail_return(here, mail);
}

static void deliver_and_keep_question(struct world *here, struct mail *mail)
{
    (void)here;
    container_of(mail, struct question, mail)->number++;
    list_append(&kept, &mail->link);
}

static void ask(void *argument)
{
    struct question *question = argument;
    struct world *here = &cores[question->from].world;
    question->state = mail_call(here, question->scope, question->to, &question->mail, &question->error);
    question->answered = true;
}

static struct question *question_new(struct scope *scope, void (*deliver)(struct world *, struct mail *))
{
    struct question *question = scope_alloc_zeroed(scope, sizeof *question);
    question->mail.deliver = deliver;
    question->to = 1;
    question->scope = scope;
    return question;
}

static void is_gone(void *argument)
{
    *(bool *)argument = true;
}

START_TEST(a_call_gives_the_answer)
{
    struct question *question = question_new(cores[0].scope, deliver_question);
    start(0, ask, question);
    turn(0);
    ck_assert(!question->answered);
    turn_all(2);
    ck_assert(question->answered);
    ck_assert_int_eq(question->state, SQLSTATE_OK);
    ck_assert_uint_eq(question->number, 1);
}
END_TEST

START_TEST(a_core_calls_itself)
{
    struct question *question = question_new(cores[0].scope, deliver_question);
    question->to = 0;
    start(0, ask, question);
    turn_all(4);
    ck_assert(question->answered);
    ck_assert_uint_eq(question->number, 1);
}
END_TEST

START_TEST(a_canceled_call_ends_at_once_and_its_scope_when_the_mail_is_back)
{
    bool gone = false;
    struct scope_gone record;
    struct scope *scope = scope_open(cores[0].scope, "call");
    struct question *question = question_new(scope, deliver_and_keep_question);
    struct fiber *fiber = start(0, ask, question);
    turn_all(2);
    ck_assert(!question->answered);
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    turn_all(2);
    ck_assert(question->answered);
    ck_assert_int_eq(question->state, SQLSTATE_QUERY_CANCELED);
    ck_assert_str_eq(error_text(&question->error, ERROR_MESSAGE), "canceling statement due to user request");
    scope_on_gone(scope, &record, is_gone, &gone);
    scope_close(scope);
    turn_all(2);
    ck_assert(!gone);
    return_kept(1, 1);
    ck_assert(!gone);
    turn(0);
    ck_assert(gone);
}
END_TEST

/* The fiber works for the very scope that owns the mail. */
START_TEST(a_scope_closes_while_its_fiber_is_in_a_call)
{
    bool gone = false;
    struct scope_gone record;
    struct scope *scope = scope_open(cores[0].scope, "call");
    struct question *question = question_new(scope, deliver_and_keep_question);
    ck_assert_int_eq(fiber_start(cores[0].world.scheduler, scope, "caller", ask, question, NULL, &error),
                     SQLSTATE_OK);
    turn_all(2);
    scope_on_gone(scope, &record, is_gone, &gone);
    scope_close(scope);
    turn_all(2);
    ck_assert(question->answered);
    ck_assert_int_eq(question->state, SQLSTATE_ADMIN_SHUTDOWN);
    ck_assert_uint_eq(scheduler_fibers(cores[0].world.scheduler), 0);
    ck_assert(!gone);
    return_kept(1, 1);
    turn_all(2);
    ck_assert(gone);
}
END_TEST

START_TEST(a_fiber_that_is_canceled_already_calls_nobody)
{
    struct question *question = question_new(cores[0].scope, deliver_question);
    struct fiber *fiber = start(0, ask, question);
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    turn_all(4);
    ck_assert(question->answered);
    ck_assert_int_eq(question->state, SQLSTATE_QUERY_CANCELED);
    ck_assert_uint_eq(question->number, 0);
}
END_TEST

START_TEST(a_call_canceled_while_it_waits_for_room_ends_when_it_was_sent)
{
    letters_fill(letters, MAILBOX_REQUESTS_MAX, 0, 1, deliver_and_return);
    struct batch batch = {.letters = letters, .count = MAILBOX_REQUESTS_MAX};
    struct question *question = question_new(cores[0].scope, deliver_and_keep_question);
    start(0, send_batch, &batch);
    struct fiber *fiber = start(0, ask, question);
    turn(0);
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    turn(0);
    ck_assert(!question->answered);
    turn_all(5);
    ck_assert(question->answered);
    ck_assert_int_eq(question->state, SQLSTATE_QUERY_CANCELED);
    ck_assert_uint_eq(question->number, 1);
    return_kept(1, 1);
    turn_all(1);
}
END_TEST

START_TEST(a_call_whose_mail_came_back_before_the_canceled_fiber_ran_has_its_answer)
{
    struct question *question = question_new(cores[0].scope, deliver_question);
    struct fiber *fiber = start(0, ask, question);
    turn(0);
    turn(1);
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    turn(0); /* drains first, then the fiber runs */
    ck_assert(question->answered);
    ck_assert_int_eq(question->state, SQLSTATE_OK);
    ck_assert_uint_eq(question->number, 1);
}
END_TEST

/* ---- a core whose world has ended ---- */

START_TEST(mail_to_an_ended_world_comes_back_refused)
{
    letters_fill(letters, 3, 0, 1, deliver_and_return);
    for (int i = 0; i < 2; i++) {
        start(0, send_letter, &letters[i]);
        turn(0); /* the first is in the ring when the world ends */
        if (i == 0)
            scope_close(cores[1].world.scope);
    }
    turn_all(2);
    ck_assert_uint_eq(delivered_count, 0);
    check_numbers(returned, returned_count, 2);
    ck_assert(letters[0].mail.refused && letters[1].mail.refused);
    /* The same mail, sent elsewhere, is taken. */
    letters[0].to = 2;
    letters[0].back = false;
    start(0, send_letter, &letters[0]);
    turn_all(2);
    ck_assert(letters[0].back && !letters[0].mail.refused);
}
END_TEST

START_TEST(a_call_to_an_ended_world_fails_with_57P01)
{
    struct question *question = question_new(cores[0].scope, deliver_question);
    scope_close(cores[1].world.scope);
    start(0, ask, question);
    turn_all(2);
    ck_assert(question->answered);
    ck_assert_int_eq(question->state, SQLSTATE_ADMIN_SHUTDOWN);
    ck_assert_uint_eq(question->number, 0);
}
END_TEST

START_TEST(an_ended_world_still_gets_its_own_mail_back_and_returns_what_it_has)
{
    letters_fill(letters, 2, 0, 1, deliver_and_keep);
    letters[1].from = 1;
    letters[1].to = 0;
    start(0, send_letter, &letters[0]);
    start(1, send_letter, &letters[1]);
    turn_all(2);
    scope_close(cores[1].world.scope);
    mail_return(&cores[1].world, &letters[0].mail);
    mail_return(&cores[0].world, &letters[1].mail);
    turn_all(2);
    ck_assert(letters[0].back && !letters[0].mail.refused);
    ck_assert(letters[1].back && !letters[1].mail.refused);
}
END_TEST

/* ---- sleeping ---- */

START_TEST(a_core_does_not_sleep_when_mail_has_come_in)
{
    ck_assert(mailbox_sleep_begin(&cores[1].world));
    mailbox_sleep_end(&cores[1].world);
    letters_fill(letters, 1, 0, 1, deliver_and_return);
    start(0, send_letter, &letters[0]);
    turn(0);
    ck_assert_uint_eq(cores[1].wakes, 0);
    ck_assert(!mailbox_sleep_begin(&cores[1].world));
    turn_all(2);
    ck_assert(mailbox_sleep_begin(&cores[1].world));
    mailbox_sleep_end(&cores[1].world);
}
END_TEST

START_TEST(a_sleeping_core_is_woken_once_at_the_end_of_the_senders_turn)
{
    letters_fill(letters, 4, 0, 1, deliver_and_return);
    ck_assert(mailbox_sleep_begin(&cores[1].world));
    start(0, send_letter, &letters[0]);
    start(0, send_letter, &letters[1]);
    scheduler_run(cores[0].world.scheduler, 100);
    ck_assert_uint_eq(cores[1].wakes, 0);
    mailbox_flush(&cores[0].world);
    ck_assert_uint_eq(cores[1].wakes, 1);
    start(0, send_letter, &letters[2]);
    turn(0);
    ck_assert_uint_eq(cores[1].wakes, 1);
    mailbox_sleep_end(&cores[1].world);
    turn_all(2);
    ck_assert(mailbox_sleep_begin(&cores[1].world));
    start(0, send_letter, &letters[3]);
    turn(0);
    ck_assert_uint_eq(cores[1].wakes, 2);
    ck_assert_uint_eq(cores[0].wakes + cores[2].wakes, 0);
    mailbox_sleep_end(&cores[1].world);
    turn_all(2);
}
END_TEST

START_TEST(a_wake_for_mail_that_takes_long_says_so)
{
    letters_fill(letters, 3, 0, 1, deliver_and_return);
    letters[1].mail.takes_long = true;
    static const bool expected[] = {false, true, false};
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert(mailbox_sleep_begin(&cores[1].world));
        start(0, send_letter, &letters[i]);
        turn(0);
        ck_assert_uint_eq(cores[1].wakes, i + 1);
        ck_assert(cores[1].for_long == expected[i]);
        mailbox_sleep_end(&cores[1].world);
        turn_all(2);
    }
}
END_TEST

START_TEST(a_core_that_sleeps_for_room_is_woken_when_there_is_some)
{
    letters_fill(letters, MAILBOX_REQUESTS_MAX + 1, 0, 1, deliver_and_keep);
    struct batch batch = {.letters = letters, .count = MAILBOX_REQUESTS_MAX + 1};
    start(0, send_batch, &batch);
    ck_assert(turn(0));
    ck_assert(mailbox_sleep_begin(&cores[0].world));
    mailbox_drain(&cores[1].world, 10);
    ck_assert_uint_eq(cores[0].wakes, 0);
    mailbox_flush(&cores[1].world);
    ck_assert_uint_eq(cores[0].wakes, 1);
    mailbox_sleep_end(&cores[0].world);
    ck_assert(!turn(0));
    turn(0);
    ck_assert_uint_eq(batch.sent, batch.count);
    turn(1);
    return_kept(1, UINT32_MAX);
    turn_all(2);
    ck_assert_uint_eq(returned_count, batch.count);
}
END_TEST

START_TEST(a_core_does_not_sleep_when_room_has_come_or_its_sender_can_go_on)
{
    letters_fill(letters, MAILBOX_REQUESTS_MAX + 1, 0, 1, deliver_and_return);
    struct batch batch = {.letters = letters, .count = MAILBOX_REQUESTS_MAX + 1};
    start(0, send_batch, &batch);
    turn(0);
    mailbox_drain(&cores[1].world, 10);
    ck_assert(!mailbox_sleep_begin(&cores[0].world));
    ck_assert(scheduler_ready(cores[0].world.scheduler));
    turn_all(3);
    ck_assert_uint_eq(returned_count, batch.count);
}
END_TEST

START_TEST(returns_made_after_the_flush_wake_their_sender_before_the_core_sleeps)
{
    letters_fill(letters, 1, 0, 1, deliver_and_keep);
    start(0, send_letter, &letters[0]);
    turn(0);
    turn(1);
    ck_assert(mailbox_sleep_begin(&cores[0].world));
    return_kept(1, 1);
    ck_assert(mailbox_sleep_begin(&cores[1].world));
    ck_assert_uint_eq(cores[0].wakes, 1);
    mailbox_sleep_end(&cores[0].world);
    mailbox_sleep_end(&cores[1].world);
    turn(0);
    ck_assert(letters[0].back);
}
END_TEST

/* ---- broken rules ---- */

static void yield_in_delivery(struct world *here, struct mail *mail)
{
    (void)mail;
    fiber_yield(here->scheduler);
}

static void send_to_one_who_yields(void *argument)
{
    (void)argument;
    letters_fill(letters, 1, 0, 1, yield_in_delivery);
    start(0, send_letter, &letters[0]);
    turn_all(1);
}

static void send_outside(void *argument)
{
    (void)argument;
    letters_fill(letters, 1, 0, 1, deliver_and_return);
    send_letter(&letters[0]);
}

static void send_while_still_within(void *argument)
{
    fiber_still_begin(cores[0].world.scheduler);
    send_letter(argument);
}

/* There is room, so it would not even have waited. */
static void send_while_still(void *argument)
{
    (void)argument;
    letters_fill(letters, 1, 0, 1, deliver_and_return);
    start(0, send_while_still_within, &letters[0]);
    turn_all(1);
}

static void drain_within(void *argument)
{
    (void)argument;
    mailbox_drain(&cores[0].world, 1);
}

static void drain_in_a_fiber(void *argument)
{
    (void)argument;
    start(0, drain_within, NULL);
    turn_all(1);
}

static void send_to_nobody(void *argument)
{
    (void)argument;
    letters_fill(letters, 1, 0, CORES, deliver_and_return);
    start(0, send_letter, &letters[0]);
    turn_all(1);
}

static void send_without_deliver(void *argument)
{
    (void)argument;
    letters_fill(letters, 1, 0, 1, NULL);
    start(0, send_letter, &letters[0]);
    turn_all(1);
}

static const struct {
    void (*run)(void *argument);
    const char *words;
} sins[] = {
    {send_to_one_who_yields, "a wait outside any fiber"},
    {send_outside, "a wait outside any fiber"},
    {send_while_still, "yields within fiber_still_begin()"},
    {drain_in_a_fiber, "mail is delivered in the loop"},
    {send_to_nobody, "mail to core 3 of 3"},
    {send_without_deliver, "mail must say what becomes of it"},
};

START_TEST(a_broken_rule_stops_the_process)
{
    ck_assert(unit_check_fails(sins[_i].run, NULL, sins[_i].words));
}
END_TEST

START_TEST(no_memory_for_the_rings_is_53200)
{
    struct budget budget = {.limit = 100000};
    struct scope *scope = scope_open_root("small", &budget);
    struct mail_room *room = NULL;
    ck_assert_int_eq(mail_room_open(scope, 64, &room, &error), SQLSTATE_OUT_OF_MEMORY);
    ck_assert_ptr_null(room);
    budget.limit = 600000;
    ck_assert_int_eq(mail_room_open(scope, 64, &room, &error), SQLSTATE_OUT_OF_MEMORY);
    scope_close(scope);
}
END_TEST

/* ---- real threads ----
 *
 * Each core sends every core, itself included, numbered mails through rings kept full by slow draining, some
 * by calls, and answers some at once and some later from a fiber. Cores sleep as soon as they may, so that a
 * lost wake-up shows: everything would stand still until the test's time is over. */

#ifdef UNIT_SLOW
#define MAILS 20000 /* of each sender to each core */
#else
#define MAILS 100000
#endif
#define SENDERS   4    /* fibers of each core to each core */
#define IN_FLIGHT 2000 /* of a core to a core: more than a ring holds, there and back */

struct hammer;

struct parcel {
    struct mail mail;
    struct hammer *sender;
    uint32_t number, to;
};

/* A core of the threads' node. */
struct hammer {
    struct core core;
    pthread_t thread;
    uint64_t random;
    uint32_t sent[CORES], received[CORES]; /* the next number, there and from there */
    uint32_t answered[CORES];              /* calls that came back */
    struct list free[CORES];               /* parcels that are not on their way, by where they go */
    struct fiber_queue wanting[CORES];     /* fibers that want one */
    struct list late;                      /* parcels of others to be returned later */
    uint32_t senders_left;
    uint32_t out;     /* parcels on their way */
    uint32_t blocked; /* turns that ended with something waiting for room */
    bool finished;
    pthread_mutex_t lock; /* of `woken` */
    pthread_cond_t wake;
    bool woken;
};

static struct hammer hammers[CORES];
static atomic_uint hammers_left;
static uint32_t hammer_count;

static void hammer_wake(struct world *world, uint32_t core, bool takes_long)
{
    (void)world;
    (void)takes_long;
    struct hammer *hammer = &hammers[core];
    pthread_mutex_lock(&hammer->lock);
    hammer->woken = true;
    pthread_cond_signal(&hammer->wake);
    pthread_mutex_unlock(&hammer->lock);
}

static const struct world_ops hammer_ops = {.wake = hammer_wake};

static struct hammer *hammer_of(struct world *world)
{
    return container_of(world, struct hammer, core.world);
}

static void deliver_parcel(struct world *here, struct mail *mail)
{
    struct hammer *hammer = hammer_of(here);
    struct parcel *parcel = container_of(mail, struct parcel, mail);
    /* In the order they were sent: none is lost, none is reordered. */
    ck_assert_uint_eq(parcel->number, hammer->received[mail->from]++);
    if (unit_random_below(&hammer->random, 2))
        mail_return(here, mail);
    else
        list_append(&hammer->late, &mail->link);
}

static void parcel_is_back(struct hammer *hammer, struct parcel *parcel)
{
    ck_assert(!parcel->mail.refused);
    hammer->out--;
    list_append(&hammer->free[parcel->to], &parcel->mail.link);
    fiber_wake_one(&hammer->wanting[parcel->to]);
}

static void parcel_returned(struct world *here, struct mail *mail)
{
    parcel_is_back(hammer_of(here), container_of(mail, struct parcel, mail));
}

/* Takes a free parcel for the core and numbers it. Does not yield between numbering and the caller's send. */
static struct parcel *parcel_take(struct hammer *hammer, uint32_t to)
{
    struct list_link *link;
    while (!(link = list_take_first(&hammer->free[to])))
        (void)fiber_wait(hammer->core.world.scheduler, &hammer->wanting[to], FIBER_NO_DEADLINE);
    struct parcel *parcel = container_of(link, struct parcel, mail.link);
    parcel->number = hammer->sent[to]++;
    hammer->out++;
    return parcel;
}

struct errand {
    struct hammer *hammer;
    uint32_t to;
    bool calls; /* every 16th time; the others never wait for an answer, so that rings fill */
};

static void send_parcels(void *argument)
{
    struct errand *errand = argument;
    struct hammer *hammer = errand->hammer;
    struct world *here = &hammer->core.world;
    for (uint32_t i = 0; i < MAILS / SENDERS; i++) {
        struct parcel *parcel = parcel_take(hammer, errand->to);
        if (errand->calls && i % 16 == 0) {
            struct error problem;
            enum sqlstate failed = mail_call(here, here->scope, errand->to, &parcel->mail, &problem);
            ck_assert_int_eq(failed, SQLSTATE_OK);
            hammer->answered[errand->to]++;
            parcel_is_back(hammer, parcel);
        } else {
            parcel->mail.returned = parcel_returned;
            mail_send(here, errand->to, &parcel->mail);
        }
    }
    hammer->senders_left--;
}

static void return_late(struct hammer *hammer)
{
    struct list_link *link;
    /* Not all at once, so that the rings see returns of every age. */
    for (uint64_t some = unit_random_below(&hammer->random, 400); some--;) {
        if (!(link = list_take_first(&hammer->late)))
            return;
        mail_return(&hammer->core.world, container_of(link, struct mail, link));
    }
}

static void hammer_sleep(struct hammer *hammer)
{
    if (!mailbox_sleep_begin(&hammer->core.world))
        return;
    pthread_mutex_lock(&hammer->lock);
    while (!hammer->woken)
        pthread_cond_wait(&hammer->wake, &hammer->lock);
    hammer->woken = false;
    pthread_mutex_unlock(&hammer->lock);
    mailbox_sleep_end(&hammer->core.world);
}

static void hammer_turn(struct hammer *hammer)
{
    struct world *here = &hammer->core.world;
    mailbox_drain(here, (uint32_t)unit_random_below(&hammer->random, 300));
    return_late(hammer);
    scheduler_run(here->scheduler, 300);
    hammer->blocked += mailbox_flush(here);
    if (!hammer->finished && hammer->senders_left == 0 && hammer->out == 0) {
        hammer->finished = true;
        if (atomic_fetch_sub(&hammers_left, 1) == 1) {
            for (uint32_t i = 0; i < hammer_count; i++)
                hammer_wake(here, i, false);
        }
    }
    if (!scheduler_ready(here->scheduler) && list_empty(&hammer->late))
        hammer_sleep(hammer);
}

static void *hammer_main(void *argument)
{
    struct hammer *hammer = argument;
    struct world *here = &hammer->core.world;
    static struct parcel parcels[CORES][CORES][IN_FLIGHT];
    static struct errand errands[CORES][CORES][SENDERS];
    struct error problem;
    list_init(&hammer->late);
    for (uint32_t to = 0; to < hammer_count; to++) {
        list_init(&hammer->free[to]);
        fiber_queue_init(&hammer->wanting[to]);
        for (int i = 0; i < IN_FLIGHT; i++) {
            struct parcel *parcel = &parcels[here->core][to][i];
            *parcel = (struct parcel){.mail = {.deliver = deliver_parcel}, .sender = hammer, .to = to};
            list_append(&hammer->free[to], &parcel->mail.link);
        }
        for (int i = 0; i < SENDERS; i++) {
            struct errand *errand = &errands[here->core][to][i];
            *errand = (struct errand){.hammer = hammer, .to = to, .calls = i == 0};
            enum sqlstate failed =
                fiber_start(here->scheduler, here->scope, "sender", send_parcels, errand, NULL, &problem);
            ck_assert_int_eq(failed, SQLSTATE_OK);
            hammer->senders_left++;
        }
    }
    while (atomic_load(&hammers_left))
        hammer_turn(hammer);
    return NULL;
}

START_TEST(threads_that_hammer_each_other_lose_nothing_reorder_nothing_and_come_to_an_end)
{
    struct mail_room *room;
    hammer_count = (uint32_t)_i;
    uint64_t seed = unit_seed();
    ck_assert_int_eq(mail_room_open(node_scope, hammer_count, &room, &error), SQLSTATE_OK);
    atomic_store(&hammers_left, hammer_count);
    for (uint32_t i = 0; i < hammer_count; i++) {
        hammers[i] = (struct hammer){.random = seed + i};
        core_open(&hammers[i].core, room, i, hammer_count, &hammer_ops);
        pthread_mutex_init(&hammers[i].lock, NULL);
        pthread_cond_init(&hammers[i].wake, NULL);
    }
    for (uint32_t i = 0; i < hammer_count; i++)
        ck_assert_int_eq(pthread_create(&hammers[i].thread, NULL, hammer_main, &hammers[i]), 0);
    for (uint32_t i = 0; i < hammer_count; i++)
        ck_assert_int_eq(pthread_join(hammers[i].thread, NULL), 0);
    for (uint32_t i = 0; i < hammer_count; i++) {
        for (uint32_t from = 0; from < hammer_count; from++) {
            ck_assert_uint_eq(hammers[i].received[from], MAILS);
            ck_assert_uint_eq(hammers[i].answered[from], (MAILS / SENDERS + 15) / 16);
        }
        ck_assert_uint_gt(hammers[i].blocked, 0);
        ck_assert_uint_eq(scheduler_fibers(hammers[i].core.world.scheduler), 0);
        scope_close(hammers[i].core.scope);
    }
}
END_TEST

/* ---- the narrow place: one core falls asleep while another writes to it ----
 *
 * Core 1 sleeps whenever it may, by looking at a flag, which takes no time. Core 0 wakes it with one letter
 * and sends another a moment later, drawn so that it often falls on the other's falling asleep again. Were
 * the order of announcing and looking not kept on both sides, core 1 would soon sleep on the second letter
 * and both would wait forever. */

#define NAPS 100000

/* Spinning pays while both threads have a processor; on a busy machine it keeps the other from running. */
static void spin(uint32_t *spins)
{
    if (++*spins % 1024 == 0)
        sched_yield();
}

static atomic_bool napper_woken, naps_over;

static void nap_wake(struct world *world, uint32_t core, bool takes_long)
{
    (void)world;
    (void)takes_long;
    if (core == 1)
        atomic_store(&napper_woken, true);
}

static const struct world_ops nap_ops = {.wake = nap_wake};

static void *nap(void *argument)
{
    struct world *here = argument;
    uint32_t spins = 0;
    while (!atomic_load_explicit(&naps_over, memory_order_relaxed)) {
        mailbox_drain(here, UINT32_MAX);
        mailbox_flush(here);
        if (!mailbox_sleep_begin(here))
            continue;
        while (!atomic_load(&napper_woken) && !atomic_load_explicit(&naps_over, memory_order_relaxed))
            spin(&spins);
        atomic_store(&napper_woken, false);
        mailbox_sleep_end(here);
    }
    return NULL;
}

static void give_back(struct world *here, struct mail *mail)
{
    mail_return(here, mail);
}

static void note_back(struct world *here, struct mail *mail)
{
    (void)here;
    letter_of(mail)->back = true;
}

static void send_as_told(void *argument)
{
    struct letter **wanted = argument;
    struct world *here = &cores[0].world;
    for (int left = 2 * NAPS; left > 0; fiber_yield(here->scheduler)) {
        if (!*wanted)
            continue;
        mail_send(here, 1, &(*wanted)->mail);
        *wanted = NULL;
        left--;
    }
}

/* A turn of core 0, with something to send or nothing. */
static void turn_of_sender(struct letter **wanted, struct letter *letter)
{
    struct world *here = &cores[0].world;
    *wanted = letter;
    mailbox_drain(here, UINT32_MAX);
    scheduler_run(here->scheduler, 1);
    mailbox_flush(here);
}

START_TEST(no_wake_is_lost_when_mail_meets_falling_asleep)
{
    struct letter first = {.mail = {.deliver = give_back, .returned = note_back}, .to = 1}, second = first;
    struct letter *wanted = NULL;
    uint64_t random = unit_seed();
    uint32_t spins = 0;
    pthread_t napper;
    cores[0].world.ops = cores[1].world.ops = &nap_ops;
    ck_assert_int_eq(pthread_create(&napper, NULL, nap, &cores[1].world), 0);
    start(0, send_as_told, &wanted);
    for (int i = 0; i < NAPS; i++) {
        first.back = second.back = false;
        turn_of_sender(&wanted, &first);
        for (volatile uint64_t wait = unit_random_below(&random, 300); wait > 0; wait--)
            ;
        turn_of_sender(&wanted, &second);
        for (; !first.back || !second.back; spin(&spins))
            turn_of_sender(&wanted, NULL);
    }
    atomic_store(&naps_over, true);
    ck_assert_int_eq(pthread_join(napper, NULL), 0);
    ck_assert_uint_eq(scheduler_fibers(cores[0].world.scheduler), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("mailbox");
    tcase_add_checked_fixture(tests, open_with_letters, node_close);
    tcase_add_test(tests, mail_is_delivered_in_order_and_comes_back_in_order);
    tcase_add_test(tests, a_core_writes_to_itself);
    tcase_add_test(tests, mail_is_returned_any_time_later_in_any_order);
    tcase_add_test(tests, a_drain_takes_no_more_than_asked_and_begins_elsewhere_each_time);
    tcase_add_test(tests, a_sender_waits_while_the_ring_is_full_and_nothing_is_lost_or_reordered);
    tcase_add_test(tests, senders_that_wait_for_room_get_it_in_order_and_newcomers_stand_behind);
    tcase_add_test(tests, waiting_for_room_is_no_cancellation_point);
    tcase_add_test(tests, returns_that_find_the_ring_full_go_out_later_in_order_and_before_requests);
    tcase_add_test(tests, full_rings_in_both_directions_do_not_block_each_other);
    tcase_add_test(tests, a_call_gives_the_answer);
    tcase_add_test(tests, a_core_calls_itself);
    tcase_add_test(tests, a_canceled_call_ends_at_once_and_its_scope_when_the_mail_is_back);
    tcase_add_test(tests, a_scope_closes_while_its_fiber_is_in_a_call);
    tcase_add_test(tests, a_fiber_that_is_canceled_already_calls_nobody);
    tcase_add_test(tests, a_call_canceled_while_it_waits_for_room_ends_when_it_was_sent);
    tcase_add_test(tests, a_call_whose_mail_came_back_before_the_canceled_fiber_ran_has_its_answer);
    tcase_add_test(tests, mail_to_an_ended_world_comes_back_refused);
    tcase_add_test(tests, a_call_to_an_ended_world_fails_with_57P01);
    tcase_add_test(tests, an_ended_world_still_gets_its_own_mail_back_and_returns_what_it_has);
    tcase_add_test(tests, a_core_does_not_sleep_when_mail_has_come_in);
    tcase_add_test(tests, a_sleeping_core_is_woken_once_at_the_end_of_the_senders_turn);
    tcase_add_test(tests, a_wake_for_mail_that_takes_long_says_so);
    tcase_add_test(tests, a_core_that_sleeps_for_room_is_woken_when_there_is_some);
    tcase_add_test(tests, a_core_does_not_sleep_when_room_has_come_or_its_sender_can_go_on);
    tcase_add_test(tests, returns_made_after_the_flush_wake_their_sender_before_the_core_sleeps);
    tcase_add_loop_test(tests, a_broken_rule_stops_the_process, 0, sizeof sins / sizeof *sins);
    tcase_add_test(tests, no_memory_for_the_rings_is_53200);
    tcase_add_test(tests, no_wake_is_lost_when_mail_meets_falling_asleep);
    tcase_add_loop_test(tests, threads_that_hammer_each_other_lose_nothing_reorder_nothing_and_come_to_an_end,
                        2, CORES + 1);
    return unit_run(tests);
}
