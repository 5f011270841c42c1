/* Seeding of dice; the draws themselves are in the header. */
#include "test/sim/dice.h"

#include <string.h>

/* splitmix64 (Steele, Lea, Flood 2014): spreads few bits over many. */
static uint64_t spread(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

void dice_open(struct dice *dice, uint64_t seed, enum dice_stream stream, uint64_t number)
{
    uint64_t state = seed;
    state = spread(&state) ^ (uint64_t)stream;
    state = spread(&state) ^ number;
    for (int i = 0; i < 4; i++)
        dice->state[i] = spread(&state);
}

void dice_fill(struct dice *dice, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t drawn = dice_next(dice);
        memcpy(at, &drawn, 8);
    }
    if (size) {
        uint64_t drawn = dice_next(dice);
        memcpy(at, &drawn, size);
    }
}
