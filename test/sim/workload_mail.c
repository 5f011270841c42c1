/* The mail workload: numbered letters between four cores, at times more than the rings hold, and questions
 * that are asked until their scope is closed, which cancels the last one.
 *
 * What must hold: letters from one core to another arrive in the order they were sent, once; each comes back
 * once; each question comes back with its own answer. */
#include "base/check.h"
#include "base/mailbox.h"
#include "base/scope.h"
#include "test/sim/dice.h"
#include "test/sim/workload.h"

#include <string.h>

#define CORES      4
#define BURST_MAX  1500 /* more than MAILBOX_REQUESTS_MAX */
#define BURST_MOST 20   /* of most bursts */

enum mistake {
    RIGHT,
    SENDS_AGAIN_EARLY, /* before the mail is back */
};

struct mail_state {
    struct sim *sim;
    enum mistake mistake;
    uint64_t returned;
    uint64_t calls;
    uint64_t goal;
    /* Letters from core to core in the present incarnation; each sender resets its own rows. */
    uint64_t sent[CORES][CORES];
    uint64_t received[CORES][CORES];
};

/* A burst of letters; on the stack of the fiber that waits for them. */
struct burst {
    struct mail_state *state;
    uint32_t outstanding;
    struct fiber_queue writer;
};

struct letter {
    struct mail mail;
    struct burst *burst;
    uint64_t number;
    uint32_t to;
    bool out;
    struct world *reader; /* that returns it later */
};

/* ---- receiving ---- */

static void reader_fiber(void *argument)
{
    struct letter *letter = argument;
    fiber_yield(letter->reader->scheduler);
    mail_return(letter->reader, &letter->mail);
}

/* One in eight is returned later, by a fiber. */
static void letter_delivered(struct world *here, struct mail *mail)
{
    struct letter *letter = container_of(mail, struct letter, mail);
    struct mail_state *state = letter->burst->state;
    struct error error = {0};
    uint64_t due = ++state->received[mail->from][here->core];
    if (letter->number != due)
        sim_fail(state->sim, "letter %llu from core %u to %u came when %llu was due",
                 (unsigned long long)letter->number, mail->from, here->core, (unsigned long long)due);
    letter->reader = here;
    if (letter->number % 8 ||
        fiber_start(here->scheduler, here->scope, "reader", reader_fiber, letter, NULL, &error))
        mail_return(here, mail);
}

static void letter_returned(struct world *here, struct mail *mail)
{
    struct letter *letter = container_of(mail, struct letter, mail);
    struct burst *burst = letter->burst;
    if (!letter->out)
        sim_fail(burst->state->sim, "a letter came back that was not out");
    if (mail->refused)
        burst->state->received[mail->from][letter->to]++;
    letter->out = false;
    burst->state->returned++;
    if (--burst->outstanding == 0)
        fiber_wake_all(&burst->writer);
}

/* ---- sending ---- */

static void letter_send(struct world *world, struct letter *letter, struct dice *dice)
{
    struct burst *burst = letter->burst;
    letter->to = (uint32_t)dice_below(dice, world->cores);
    letter->number = ++burst->state->sent[world->core][letter->to];
    letter->out = true;
    burst->outstanding++;
    mail_send(world, letter->to, &letter->mail);
}

/* Sends a burst and waits until all of it is back. One fiber of a core sends letters, so that numbers are
 * given in the order of sending. */
static void write_burst(struct world *world, struct scope *scope, struct mail_state *state, struct dice *dice)
{
    struct burst burst = {.state = state};
    uint64_t count = dice_between(dice, 1, dice_below(dice, 16) ? BURST_MOST : BURST_MAX);
    fiber_queue_init(&burst.writer);
    for (uint64_t i = 0; i < count; i++) {
        struct letter *letter = scope_alloc_zeroed(scope, sizeof *letter);
        letter->mail.deliver = letter_delivered;
        letter->mail.returned = letter_returned;
        letter->burst = &burst;
        letter_send(world, letter, dice);
        if (state->mistake == SENDS_AGAIN_EARLY && dice_below(dice, 50) == 0)
            letter_send(world, letter, dice);
    }
    fiber_shield_begin(world->scheduler);
    while (burst.outstanding)
        (void)!fiber_wait(world->scheduler, &burst.writer, FIBER_NO_DEADLINE);
    fiber_shield_end(world->scheduler);
}

/* ---- calling ---- */

struct question {
    struct mail mail;
    uint64_t number;
    uint64_t answer;
};

struct caller {
    struct world *world;
    struct mail_state *state;
    struct scope *scope;
};

static void question_delivered(struct world *here, struct mail *mail)
{
    struct question *question = container_of(mail, struct question, mail);
    question->answer = question->number * 3 + here->core;
    mail_return(here, mail);
}

/* Calls until its scope is closed. */
static void caller_fiber(void *argument)
{
    struct caller *caller = argument;
    struct world *world = caller->world;
    for (uint64_t number = 1;; number++) {
        struct scope *scope = scope_open(caller->scope, "question");
        scope_hold(scope); /* closing the caller's scope closes it, too, and it is not ready for that */
        struct question *question = scope_alloc_zeroed(scope, sizeof *question);
        struct error error = {0};
        uint32_t core = (uint32_t)(number % world->cores);
        question->number = number;
        question->mail.deliver = question_delivered;
        enum sqlstate failed = mail_call(world, scope, core, &question->mail, &error);
        if (!failed && question->answer != number * 3 + core)
            sim_fail(caller->state->sim, "a question came back with a wrong answer");
        scope_close(scope);
        scope_release(scope);
        if (failed)
            return;
        caller->state->calls++;
    }
}

static void mail_core(struct world *world, void *argument)
{
    struct mail_state *state = argument;
    struct dice dice;
    uint64_t seed;
    world_random(world, &seed, sizeof seed);
    dice_open(&dice, seed, DICE_TEST, world->core);
    for (uint32_t i = 0; i < CORES; i++)
        state->sent[world->core][i] = state->received[world->core][i] = 0;
    while (world_wait_stop(world, 0) != FIBER_WOKEN) {
        struct scope *scope = scope_open(world->scope, "round");
        struct caller *caller = scope_alloc(scope, sizeof *caller);
        struct error error = {0};
        *caller = (struct caller){world, state, scope};
        if (fiber_start(world->scheduler, scope, "caller", caller_fiber, caller, NULL, &error))
            sim_fail(state->sim, "a caller has no fiber");
        write_burst(world, scope, state, &dice);
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + dice_around(&dice, 4 * SIM_MILLISECOND));
        fiber_close_scope(world->scheduler, scope);
    }
}

/* ---- the run ---- */

static bool goal_reached(void *argument)
{
    const struct mail_state *state = argument;
    return state->returned >= state->goal;
}

static void mail_run(struct play *play, const struct workload *workload)
{
    struct scope *scope = scope_open_root("mail workload", NULL);
    struct mail_state *state = scope_alloc_zeroed(scope, sizeof *state);
    state->sim = play->sim;
    state->mistake = workload->variant;
    state->goal = 20000;
    struct sim_process *process = play_target(
        play, 0,
        &(struct sim_program){
            .name = "post", .cores = CORES, .core_main = mail_core, .argument = state, .respawn = true});
    play_faults(play, SIM_SECOND / 2, goal_reached, state);
    state->goal = state->returned + 2000;
    play_calm(play, 60 * SIM_SECOND, goal_reached, state, "2000 more letters");
    play_stop(play, process);
    scope_close(scope);
}

const struct workload mail_workloads[] = {
    {.name = "mail", .summary = "numbered mail between the cores of a node", .nodes = 1, .run = mail_run},
    {.name = "mail-sends-again",
     .summary = "sends a mail again before it is back",
     .nodes = 1,
     .broken = true,
     .variant = SENDS_AGAIN_EARLY,
     .run = mail_run},
    {0},
};
