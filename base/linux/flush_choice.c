/* See the head of flush_choice.h for the idea.
 *
 * Bookkeeping of the bound: each flush on the present path earns latency / FLUSH_TRY_SHARE of credit, each
 * try costs its whole latency (more than it costs truly, since the flush had to be done anyway). A try is
 * made when the credit covers what the other path is expected to take. Credit beyond that is not kept, so
 * that tries never come in a row; a try that took longer than expected leaves a debt, which is worked off
 * first. */
#include "base/linux/flush_choice.h"

#include "base/check.h"

static enum flush_path other_than(enum flush_path path)
{
    return path == FLUSH_BY_RING ? FLUSH_BY_THREAD : FLUSH_BY_RING;
}

/* The mean without the largest ones. */
static uint64_t mean_of(const struct flush_score *score)
{
    uint64_t largest[FLUSH_SCORE_TRIM] = {0}; /* in descending order */
    uint64_t sum = 0;
    uint32_t left_out = score->count / 8;
    for (uint32_t i = 0; i < score->count; i++) {
        uint64_t latency_ns = score->latency_ns[i];
        sum += latency_ns;
        for (uint32_t j = 0; j < left_out && latency_ns; j++) {
            if (latency_ns <= largest[j])
                continue;
            uint64_t smaller = largest[j];
            largest[j] = latency_ns;
            latency_ns = smaller;
        }
    }
    for (uint32_t j = 0; j < left_out; j++)
        sum -= largest[j];
    return sum / (score->count - left_out);
}

static void score_add(struct flush_score *score, uint64_t latency_ns)
{
    score->latency_ns[score->next] = latency_ns;
    score->next = (score->next + 1) % FLUSH_SCORE_WINDOW;
    if (score->count < FLUSH_SCORE_WINDOW)
        score->count++;
    if (score->count >= FLUSH_SCORE_MIN)
        score->mean_ns = mean_of(score);
}

uint64_t flush_choice_score(const struct flush_choice *choice, enum flush_path path)
{
    return choice->score[path].mean_ns;
}

void flush_choice_init(struct flush_choice *choice, enum flush_path first, bool fixed)
{
    *choice = (struct flush_choice){.present = first, .fixed = fixed};
}

struct flush_pick flush_choice_pick(struct flush_choice *choice, uint64_t bytes)
{
    struct flush_pick pick = {.path = choice->present};
    if (choice->fixed || choice->trying || bytes > FLUSH_MEASURED_BYTES_MAX)
        return pick;
    enum flush_path other = other_than(choice->present);
    /* At the start: the present path first, so that there is something to compare with, then the other. */
    if (choice->score[choice->present].count < FLUSH_SCORE_MIN)
        return pick;
    bool unknown = choice->score[other].count < FLUSH_SCORE_MIN;
    if (!unknown && choice->credit_ns < (int64_t)flush_choice_score(choice, other))
        return pick;
    choice->trying = true;
    choice->tries++;
    return (struct flush_pick){.path = other, .is_try = true};
}

/* Lets the paths change places when the other one is clearly better. What tries cost so far is settled: the
 * credit was earned on a path that is now the other. */
static void compare(struct flush_choice *choice)
{
    enum flush_path other = other_than(choice->present);
    uint64_t present_ns = flush_choice_score(choice, choice->present);
    uint64_t other_ns = flush_choice_score(choice, other);
    uint64_t percent = other == FLUSH_BY_RING ? FLUSH_RING_PERCENT : FLUSH_THREAD_PERCENT;
    if (choice->stay || !present_ns || !other_ns || other_ns * 100 >= present_ns * percent)
        return;
    choice->present = other;
    choice->stay = FLUSH_SCORE_WINDOW;
    choice->credit_ns = 0;
    choice->switches++;
}

void flush_choice_measured(struct flush_choice *choice, struct flush_pick pick, uint64_t bytes,
                           uint64_t latency_ns, bool succeeded)
{
    if (pick.is_try) {
        check(choice->trying);
        choice->trying = false;
    }
    if (choice->fixed || !succeeded || bytes > FLUSH_MEASURED_BYTES_MAX)
        return;
    score_add(&choice->score[pick.path], latency_ns);
    if (choice->stay && pick.path == choice->present)
        choice->stay--;
    if (pick.is_try) {
        choice->credit_ns -= (int64_t)latency_ns;
    } else {
        choice->credit_ns += (int64_t)(latency_ns / FLUSH_TRY_SHARE);
        int64_t enough = (int64_t)flush_choice_score(choice, other_than(choice->present));
        if (choice->credit_ns > enough)
            choice->credit_ns = enough;
    }
    compare(choice);
}
