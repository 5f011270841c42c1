/* The timers of a core: a binary heap over (deadline, order of arming). Places count from 1, as in
 * fiber_timer.place, so the children of place p are 2p and 2p + 1. */
#include "base/check.h"
#include "base/scheduler_state.h"

void timers_open(struct timers *timers, struct scope *scope)
{
    *timers = (struct timers){.scope = scope};
}

static struct timer_entry *entry_at(const struct timers *timers, uint32_t place)
{
    return &timers->segment[(place - 1) / TIMER_SEGMENT_ENTRIES][(place - 1) % TIMER_SEGMENT_ENTRIES];
}

static bool earlier(const struct timer_entry *a, const struct timer_entry *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns : a->order < b->order;
}

static void put(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    *entry_at(timers, place) = entry;
    entry.timer->place = place;
}

/* Puts the entry at the place or above, moving later parents down. */
static void sift_up(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    while (place > 1 && earlier(&entry, entry_at(timers, place / 2))) {
        put(timers, place, *entry_at(timers, place / 2));
        place /= 2;
    }
    put(timers, place, entry);
}

/* Puts the entry at the place or below, moving earlier children up. */
static void sift_down(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    for (uint32_t child; (child = place * 2) <= timers->count; place = child) {
        if (child < timers->count && earlier(entry_at(timers, child + 1), entry_at(timers, child)))
            child++;
        if (!earlier(entry_at(timers, child), &entry))
            break;
        put(timers, place, *entry_at(timers, child));
    }
    put(timers, place, entry);
}

void timers_clear(struct timers *timers, struct fiber_timer *timer)
{
    uint32_t place = timer->place;
    if (place == 0)
        return;
    check(place <= timers->count && entry_at(timers, place)->timer == timer,
          "an armed timer has moved, or is another scheduler's");
    timer->place = 0;
    struct timer_entry last = *entry_at(timers, timers->count--);
    if (place > timers->count)
        return;
    if (place > 1 && earlier(&last, entry_at(timers, place / 2)))
        sift_up(timers, place, last);
    else
        sift_down(timers, place, last);
}

/* A timer that a firing one arms for the past is due at the next tick, not in this one: otherwise a timer
 * that always arms itself again would hold the loop forever. */
void timers_set(struct timers *timers, struct fiber_timer *timer, uint64_t deadline_ns)
{
    timers_clear(timers, timer);
    timer->deadline_ns = deadline_ns;
    if (deadline_ns == FIBER_NO_DEADLINE)
        return;
    if (timers->ticking && deadline_ns <= timers->now_ns)
        deadline_ns = timers->now_ns + 1;
    check(timers->count < FIBER_TIMERS_MAX, "%u timers are armed on this core", timers->count);
    uint32_t segment = timers->count / TIMER_SEGMENT_ENTRIES;
    if (!timers->segment[segment])
        timers->segment[segment] =
            scope_alloc(timers->scope, TIMER_SEGMENT_ENTRIES * sizeof(struct timer_entry));
    sift_up(timers, ++timers->count,
            (struct timer_entry){.deadline_ns = deadline_ns, .order = timers->orders++, .timer = timer});
}

void timers_tick(struct timers *timers, uint64_t now_ns)
{
    check(!timers->ticking, "a timer fires within a timer");
    timers->now_ns = now_ns;
    timers->ticking = true;
    while (timers->count && entry_at(timers, 1)->deadline_ns <= now_ns) {
        struct fiber_timer *timer = entry_at(timers, 1)->timer;
        timers_clear(timers, timer);
        timer->fire(timer->argument);
    }
    timers->ticking = false;
}

uint64_t timers_next(const struct timers *timers)
{
    return timers->count ? entry_at(timers, 1)->deadline_ns : FIBER_NO_DEADLINE;
}

/* ---- fiber.h ---- */

void fiber_timer_set(struct scheduler *scheduler, struct fiber_timer *timer, uint64_t deadline_ns,
                     void (*fire)(void *argument), void *argument)
{
    timer->fire = fire;
    timer->argument = argument;
    timers_set(&scheduler->timers, timer, deadline_ns);
}

void fiber_timer_clear(struct scheduler *scheduler, struct fiber_timer *timer)
{
    timers_clear(&scheduler->timers, timer);
}
