/* Drawn numbers: xoshiro256++ (Blackman and Vigna, 2019), in as many independent streams as there are things
 * that draw.
 *
 * A stream is named by the simulation's seed, what it is for, and a number. One more draw in one stream moves
 * nothing in the others, so a small change in a test or a program leaves most of a run as it was. Integers
 * only: floating point could differ between machines. */
#ifndef SYNOD_TEST_SIM_DICE_H
#define SYNOD_TEST_SIM_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a stream is for. Append only: the numbers are part of what a seed means. */
enum dice_stream {
    DICE_TIES = 1,   /* which of two events of one time comes first */
    DICE_FAULTS,     /* when faults happen, and to whom */
    DICE_PROFILE,    /* how often each fault happens in this run */
    DICE_CORE,       /* one core: who runs next, for how long */
    DICE_DISK,       /* one machine's disk */
    DICE_CLOCK,      /* one machine's clock */
    DICE_ENTROPY,    /* one machine's world_random() */
    DICE_CONNECTION, /* one connection */
    DICE_TEST,       /* for test programs */
};

struct dice {
    uint64_t state[4];
};

void dice_open(struct dice *dice, uint64_t seed, enum dice_stream stream, uint64_t number);

static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t *s = dice->state;
    uint64_t sum = s[0] + s[3];
    uint64_t result = (sum << 23 | sum >> 41) + s[0];
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

/* 0 .. bound-1. Requires bound > 0. */
static inline uint64_t dice_below(struct dice *dice, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)dice_next(dice) * bound) >> 64);
}

/* low .. high, both included. */
static inline uint64_t dice_between(struct dice *dice, uint64_t low, uint64_t high)
{
    return low + dice_below(dice, high - low + 1);
}

/* True in so many of a million cases. Draws nothing when it cannot be. */
static inline bool dice_chance(struct dice *dice, uint32_t per_million)
{
    return per_million && dice_below(dice, 1000000) < per_million;
}

/* A duration with that mean and a long tail: one in a thousand is about seven times the mean. */
static inline uint64_t dice_around(struct dice *dice, uint64_t mean)
{
    uint64_t drawn = dice_next(dice);
    uint64_t doublings = (uint64_t)__builtin_clzll(drawn | 1); /* k in 1 of 2^(k+1) cases: 1 on average */
    uint64_t fraction = (uint64_t)(((unsigned __int128)(drawn << 32 | drawn >> 32) * mean) >> 64);
    return (doublings * mean + fraction) * 2 / 3;
}

/* The same, but never less than a quarter of the mean: what goes through a machine takes its time. */
static inline uint64_t dice_latency(struct dice *dice, uint64_t mean)
{
    return mean / 4 + 1 + dice_around(dice, mean - mean / 4);
}

void dice_fill(struct dice *dice, void *bytes, size_t size);

#endif
