/* Cores of one node: mail, and what travels by it. Core 0 acts, the others do what comes until the stop. */
#include "test/world/cases.h"

#include "base/mailbox.h"
#include "base/scope.h"

static void serve_until_stop(struct world *world)
{
    ck_assert_int_eq(world_wait_stop(world, FIBER_NO_DEADLINE), FIBER_WOKEN);
}

/* ---- there and back ---- */

struct sum {
    struct mail mail;
    uint64_t value;
    uint32_t delivered_on;
};

static void add_one(struct world *here, struct mail *mail)
{
    struct sum *sum = container_of(mail, struct sum, mail);
    sum->value++;
    sum->delivered_on = here->core;
    mail_return(here, mail);
}

static void mail_comes_back_from_every_core(struct world *world, void *place)
{
    struct error error = {0};
    if (world->core != 0) {
        serve_until_stop(world);
        return;
    }
    struct sum *sum = scope_alloc_zeroed(world->scope, sizeof *sum);
    sum->mail.deliver = add_one;
    for (uint64_t i = 0; i < 2000; i++) {
        uint32_t core = (uint32_t)(i % world->cores); /* itself, too */
        must(mail_call(world, world->scope, core, &sum->mail, &error), &error);
        ck_assert_uint_eq(sum->value, i + 1);
        ck_assert_uint_eq(sum->delivered_on, core);
        ck_assert_uint_eq(sum->mail.from, 0);
    }
    world_stop(world);
}

static void mail_wakes_a_core_that_sleeps(struct world *world, void *place)
{
    struct error error = {0};
    if (world->core != 0) {
        serve_until_stop(world);
        return;
    }
    struct sum *sum = scope_alloc_zeroed(world->scope, sizeof *sum);
    sum->mail.deliver = add_one;
    for (uint64_t i = 0; i < 20; i++) {
        ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 2 * MILLISECOND),
                         FIBER_TIMED_OUT);
        must(mail_call(world, world->scope, 1, &sum->mail, &error), &error);
    }
    ck_assert_uint_eq(sum->value, 20);
    world_stop(world);
}

/* ---- all to all ---- */

#define CALLERS 40
#define CALLS   200

struct caller {
    struct task task;
    struct sum sum;
};

static void call_all(struct task *task)
{
    struct caller *caller = task->with;
    struct world *world = task->world;
    caller->sum = (struct sum){.mail.deliver = add_one};
    for (uint32_t i = 0; i < CALLS && !task->failed; i++)
        task->failed =
            mail_call(world, world->scope, (world->core + i) % world->cores, &caller->sum.mail, &task->error);
}

/* Delivered on core 0: one more core is done; the last one ends the node. */
struct farewell {
    struct mail mail;
    struct world_place *place;
};

static void count_done(struct world *here, struct mail *mail)
{
    struct world_place *place = container_of(mail, struct farewell, mail)->place;
    mail_return(here, mail);
    if (++place->cores_done == here->cores)
        world_stop(here);
}

static void all_cores_call_all_others_at_once(struct world *world, void *place)
{
    struct error error = {0};
    struct caller *callers = memory_of(world->scope, CALLERS * sizeof *callers);
    struct farewell farewell = {.mail.deliver = count_done, .place = place};
    for (int i = 0; i < CALLERS; i++)
        task_start(&callers[i].task, world, world->scope, call_all, &callers[i]);
    for (int i = 0; i < CALLERS; i++) {
        task_join(&callers[i].task);
        must(callers[i].task.failed, &callers[i].task.error);
        ck_assert_uint_eq(callers[i].sum.value, CALLS);
    }
    must(mail_call(world, world->scope, 0, &farewell.mail, &error), &error);
    serve_until_stop(world); /* a core that has returned would answer nobody */
}

/* ---- more than a ring holds ---- */

struct letter {
    struct mail mail;
    struct letters *sender;
};

/* Core 0's; `kept` is core 1's alone. */
struct letters {
    struct world *world;
    uint32_t returned;
    struct event all_back;
    struct list kept;
};

static void keep(struct world *here, struct mail *mail)
{
    list_append(&container_of(mail, struct letter, mail)->sender->kept, &mail->link);
}

static void count_back(struct world *here, struct mail *mail)
{
    struct letters *letters = container_of(mail, struct letter, mail)->sender;
    ck_assert_ptr_eq(here, letters->world);
    if (++letters->returned == 3 * MAILBOX_REQUESTS_MAX)
        event_happens(&letters->all_back);
}

struct release {
    struct mail mail;
    struct letters *letters;
};

/* Gives all kept letters back at once, and then itself. */
static void return_kept(struct world *here, struct mail *mail)
{
    struct list *kept = &container_of(mail, struct release, mail)->letters->kept;
    struct list_link *link;
    while ((link = list_take_first(kept)))
        mail_return(here, container_of(link, struct mail, link));
    mail_return(here, mail);
}

static void sender_of_more_than_a_ring_waits_and_all_comes_back(struct world *world, void *place)
{
    struct error error = {0};
    if (world->core != 0) {
        serve_until_stop(world);
        return;
    }
    struct letters letters = {.world = world};
    struct letter *each = memory_of(world->scope, 3 * MAILBOX_REQUESTS_MAX * sizeof *each);
    list_init(&letters.kept);
    event_init(&letters.all_back, world);
    for (uint32_t i = 0; i < 3 * MAILBOX_REQUESTS_MAX; i++) {
        struct release *release = scope_alloc_zeroed(world->scope, sizeof *release);
        each[i] = (struct letter){.mail = {.deliver = keep, .returned = count_back}, .sender = &letters};
        mail_send(world, 1, &each[i].mail);
        if (i % 500 != 499)
            continue;
        release->letters = &letters;
        release->mail.deliver = return_kept;
        must(mail_call(world, world->scope, 1, &release->mail, &error), &error);
    }
    struct release last = {.mail.deliver = return_kept, .letters = &letters};
    must(mail_call(world, world->scope, 1, &last.mail, &error), &error);
    event_wait(&letters.all_back);
    world_stop(world);
}

/* ---- cancellation ---- */

struct held_call {
    struct task task;
    struct scope *scope;
    struct letter *letter; /* in the scope */
};

static void call_and_be_kept(struct task *task)
{
    struct held_call *call = task->with;
    task->failed = mail_call(task->world, call->scope, 1, &call->letter->mail, &task->error);
}

static void canceled_call_returns_at_once_and_holds_its_scope(struct world *world, void *place)
{
    struct error error = {0};
    if (world->core != 0) {
        serve_until_stop(world);
        return;
    }
    struct letters letters = {.world = world};
    struct event gone;
    struct held_call call = {.scope = scope_open(world->scope, "letter")};
    list_init(&letters.kept);
    event_init(&gone, world);
    scope_undo(call.scope, event_happens, &gone);
    call.letter = scope_alloc(call.scope, sizeof *call.letter);
    *call.letter = (struct letter){.mail.deliver = keep, .sender = &letters};
    task_cancel_waiting(&call.task, world, world->scope, call_and_be_kept, &call);
    scope_close(call.scope);
    struct sum sum = {.mail.deliver = add_one};
    must(mail_call(world, world->scope, 1, &sum.mail, &error), &error); /* behind the letter, in order */
    ck_assert(!gone.happened);
    struct release release = {.mail.deliver = return_kept, .letters = &letters};
    must(mail_call(world, world->scope, 1, &release.mail, &error), &error);
    event_wait(&gone);
    world_stop(world);
}

/* ---- connections that change cores ---- */

struct handed_over {
    struct mail mail;
    struct net_handover connection;
    struct task echoing;
    struct scope *scope;
    struct event *over; /* core 0's */
};

static void echo_here(struct task *task)
{
    struct handed_over *handed = task->with;
    struct world *world = task->world;
    struct stream *stream;
    struct bytes view;
    task->failed = net_adopt(world, handed->scope, &handed->connection, &stream, &task->error);
    while (!task->failed) {
        task->failed = stream_receive(stream, &view, FIBER_NO_DEADLINE, &task->error);
        if (task->failed || !view.size)
            break;
        task->failed = stream_send(stream, &view, 1, FIBER_NO_DEADLINE, &task->error);
    }
    scope_close(handed->scope);
    mail_return(world, &handed->mail);
}

static void serve_connection(struct world *here, struct mail *mail)
{
    struct handed_over *handed = container_of(mail, struct handed_over, mail);
    handed->scope = scope_open(here->scope, "connection");
    task_start(&handed->echoing, here, here->scope, echo_here, handed);
}

static void connection_is_back(struct world *here, struct mail *mail)
{
    event_happens(container_of(mail, struct handed_over, mail)->over);
}

static const struct net_address loopback = {.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}};

struct dialer {
    struct net_address address;
    struct stream *stream;
};

static void dial(struct task *task)
{
    struct dialer *dialer = task->with;
    task->failed = net_connect(task->world, task->world->scope, &dialer->address, patience(task->world),
                               &dialer->stream, &task->error);
}

static void connection_is_adopted_by_another_core(struct world *world, void *place)
{
    struct error error = {0};
    if (world->core != 0) {
        serve_until_stop(world);
        return;
    }
    struct listener *listener;
    struct dialer dialer;
    struct task dialing;
    must(net_listen(world, world->scope, &loopback, &listener, &dialer.address, &error), &error);
    for (uint32_t i = 0; i < 6; i++) {
        struct handed_over *handed = scope_alloc_zeroed(world->scope, sizeof *handed);
        struct event over;
        event_init(&over, world);
        handed->mail.deliver = serve_connection;
        handed->mail.returned = connection_is_back;
        handed->over = &over;
        task_start(&dialing, world, world->scope, dial, &dialer);
        must(net_accept(world, listener, &handed->connection, patience(world), &error), &error);
        task_join(&dialing);
        must(dialing.failed, &dialing.error);
        mail_send(world, i % world->cores, &handed->mail);
        for (uint32_t round = 0; round < 20; round++) {
            uint8_t text[300];
            struct bytes piece = bytes_of(text, sizeof text), view;
            pattern_fill(text, sizeof text, 0, round);
            must(stream_send(dialer.stream, &piece, 1, patience(world), &error), &error);
            for (size_t at = 0; at < sizeof text; at += view.size) {
                must(stream_receive(dialer.stream, &view, patience(world), &error), &error);
                ck_assert_uint_gt(view.size, 0);
                ck_assert(pattern_holds(view.data, view.size, at, round));
            }
        }
        must(stream_shutdown(dialer.stream, patience(world), &error), &error);
        event_wait(&over);
        must(handed->echoing.failed, &handed->echoing.error);
    }
    world_stop(world);
}

const struct world_case world_mail_cases[] = {
    {"mail_comes_back_from_every_core", 3, mail_comes_back_from_every_core},
    {"mail_wakes_a_core_that_sleeps", 2, mail_wakes_a_core_that_sleeps},
    {"all_cores_call_all_others_at_once", 4, all_cores_call_all_others_at_once},
    {"sender_of_more_than_a_ring_waits_and_all_comes_back", 2,
     sender_of_more_than_a_ring_waits_and_all_comes_back},
    {"canceled_call_returns_at_once_and_holds_its_scope", 2,
     canceled_call_returns_at_once_and_holds_its_scope},
    {"connection_is_adopted_by_another_core", 3, connection_is_adopted_by_another_core},
    {NULL},
};
