/* Shares: short work before long work.
 *
 * A client's work is short until it has used FIBER_SHORT_NS of the core; then it is long, whatever anybody thought about it
 * before. Long work runs when no other is ready, and it *rests* while short work is about, even when nobody is ready just
 * now: who asks short questions needs processors outside of this core, too (the clients, the kernel), and if long work took
 * every gap, the next question would come later.
 *
 *     short work used of the core lately      long work may use
 *     0                                       all
 *     5 %                                     80 %
 *     20 % and more                           its share (20 %)
 *
 * What it used it pays for in time: after a stretch of d at a part p of the core the next is due d / p after the stretch
 * began. By its least share it is due even before short work that is ready, so that it never starves: whoever waits
 * for a long statement to let something go waits at most 100 / percent times as long as if nobody else were there. By what it may
 * use now it is free to run when nobody else is ready; it may go REST_NS ahead and then rests, for sleeping and waking up cost
 * something.
 *
 * Times are read at switches, and only while one fiber yields for having had the core for long: point statements alone never
 * pay for it. What short work used is counted when it ended short, so that a long statement's beginning is not held against
 * it. The node's own fibers (log, checkpoints, collection) go with the short work and count for neither. */
#include "base/check.h"
#include "base/scheduler_state.h"

/* The window in which short work is summed up; each counts half as much as the next. */
#define WINDOW_NS (5 * 1000 * 1000)
#define WHOLE     1024
/* Of the core, for each part that short work uses, this many parts are kept free for it and its clients. */
#define ROOM 4
/* A short piece of work costs that beside the fiber's own time: the loop, the mail, the kernel's sending and receiving. */
#define AROUND_NS (10 * 1000)
/* Long work may be so far ahead of what it may use, and so far behind. */
#define REST_NS (800 * 1000)

void shares_open(struct shares *shares)
{
    *shares = (struct shares){.percent = FIBER_LONG_PERCENT};
    list_init(&shares->ready);
}

static uint64_t read_clock(struct scheduler *scheduler)
{
    uint64_t now_ns = scheduler->options.clock(scheduler->options.clock_argument);
    if (now_ns > scheduler->shares.now_ns)
        scheduler->shares.now_ns = now_ns;
    return scheduler->shares.now_ns;
}

/* ---- what short work uses ---- */

static void roll_window(struct shares *shares)
{
    uint64_t passed_ns = shares->now_ns - shares->window_ns, windows = passed_ns / WINDOW_NS;
    if (windows == 0)
        return;
    uint64_t part = shares->window_short_ns * WHOLE / passed_ns;
    if (part > WHOLE)
        part = WHOLE;
    if (windows > 16)
        windows = 16;
    shares->short_part = (shares->short_part >> windows) + (uint32_t)(part - (part >> windows));
    shares->window_ns = shares->now_ns;
    shares->window_short_ns = 0;
}

/* The part of the core that long work may use, of WHOLE. */
static uint32_t long_part(struct shares *shares)
{
    roll_window(shares);
    uint32_t least = WHOLE * shares->percent / 100, kept = ROOM * shares->short_part;
    return kept + least >= WHOLE ? least : WHOLE - kept;
}

/* Its piece of work is over. */
static void settle(struct fiber *fiber)
{
    if (fiber->share == FIBER_SHORT)
        fiber->scheduler->shares.window_short_ns += AROUND_NS + (fiber->helps ? 0 : fiber->used_ns);
    fiber->used_ns = 0;
}

/* ---- what long work uses ---- */

static uint64_t at_least(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Long work had the core for `ns` until now. What it could have used long ago is lost. */
static void charge(struct scheduler *scheduler, uint64_t ns)
{
    struct shares *shares = &scheduler->shares;
    uint32_t part = long_part(shares);
    uint64_t now_ns = shares->now_ns, began_ns = now_ns - ns;
    scheduler->totals.long_ns += ns;
    shares->due_ns = at_least(shares->due_ns, began_ns - FIBER_STRETCH_NS) + ns * 100 / shares->percent;
    if (shares->due_ns > now_ns + REST_NS) /* it used what nobody wanted */
        shares->due_ns = now_ns + REST_NS;
    shares->free_ns = at_least(shares->free_ns, began_ns - REST_NS) + ns * WHOLE / part;
    if (part == WHOLE && shares->free_ns > now_ns)
        shares->free_ns = now_ns;
    shares->resting = shares->free_ns > now_ns + REST_NS;
}

bool shares_long_is_next(struct scheduler *scheduler)
{
    struct shares *shares = &scheduler->shares;
    if (shares->now_ns >= shares->free_ns)
        shares->resting = false;
    return scheduler->ready_count == 0 || (!shares->resting && shares->now_ns >= shares->due_ns);
}

/* ---- fibers ---- */

static void measure(struct fiber *fiber, bool measured)
{
    struct shares *shares = &fiber->scheduler->shares;
    if (fiber->measured == measured)
        return;
    fiber->measured = measured;
    shares->measured += measured ? 1 : UINT32_MAX;
}

void share_leave(struct fiber *fiber)
{
    struct scheduler *scheduler = fiber->scheduler;
    if (!shares_measure(scheduler))
        return;
    uint64_t now_ns = read_clock(scheduler);
    if (!fiber->began_ns)
        return;
    uint64_t ns = now_ns - fiber->began_ns;
    fiber->began_ns = 0;
    fiber->used_ns += ns;
    if (fiber->share == FIBER_LONG)
        charge(scheduler, ns);
}

static void turn_long(struct fiber *fiber)
{
    if (fiber->share != FIBER_SHORT || fiber->used_ns < FIBER_SHORT_NS)
        return;
    measure(fiber, true);
    fiber->share = FIBER_LONG;
    fiber->scheduler->totals.turned_long++;
}

void share_yields(struct fiber *fiber)
{
    struct scheduler *scheduler = fiber->scheduler;
    if (fiber->share == FIBER_OWN || !scheduler->options.clock) {
        share_leave(fiber);
        return;
    }
    measure(fiber, true);
    share_leave(fiber);
    turn_long(fiber);
}

void share_end(struct fiber *fiber)
{
    share_leave(fiber);
    settle(fiber);
    measure(fiber, false);
}

/* Gives what the piece of work that ends here used. */
static uint64_t begin(struct scheduler *scheduler, enum fiber_share share, bool helps)
{
    struct fiber *self = scheduler->running;
    check(self, "a share begins outside any fiber");
    if (shares_measure(scheduler)) {
        share_leave(self);
        self->began_ns = scheduler->shares.now_ns;
    }
    uint64_t used_ns = self->used_ns;
    settle(self);
    self->share = share;
    self->helps = helps;
    measure(self, share == FIBER_LONG && scheduler->options.clock);
    return used_ns;
}

void fiber_share_begin(struct scheduler *scheduler, enum fiber_share share)
{
    (void)begin(scheduler, share, false);
}

void fiber_share_help_begin(struct scheduler *scheduler, enum fiber_share share)
{
    (void)begin(scheduler, share, true);
}

uint64_t fiber_share_help_end(struct scheduler *scheduler)
{
    return begin(scheduler, FIBER_OWN, false);
}

enum fiber_share fiber_share_now(const struct scheduler *scheduler)
{
    return scheduler->running ? scheduler->running->share : FIBER_OWN;
}

void fiber_share_add(struct scheduler *scheduler, uint64_t ns)
{
    struct fiber *self = scheduler->running;
    check(self, "a share outside any fiber");
    self->used_ns += ns;
    turn_long(self);
}

void fiber_breathe(struct scheduler *scheduler)
{
    if (!scheduler->options.clock)
        return;
    uint64_t began_ns = scheduler->running->began_ns;
    if (!began_ns)
        began_ns = scheduler->shares.now_ns;
    if (scheduler->options.clock(scheduler->options.clock_argument) <= began_ns + FIBER_STRETCH_NS)
        return;
    scheduler->hears = scheduler->ready_count == 0;
    fiber_yield(scheduler);
}

/* ---- the driver ---- */

void scheduler_set_now(struct scheduler *scheduler, uint64_t now_ns)
{
    struct shares *shares = &scheduler->shares;
    if (now_ns > shares->now_ns)
        shares->now_ns = now_ns;
    if (shares->now_ns >= shares->free_ns)
        shares->resting = false;
}

void scheduler_set_long_share(struct scheduler *scheduler, uint32_t percent)
{
    check(percent >= 1 && percent <= 100, "a share of %u %%", percent);
    scheduler->shares.percent = percent;
}
