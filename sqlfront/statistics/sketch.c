/* HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007): 4,096 registers, each with the longest run of zeros seen among the
 * hashes that fall to it. The standard error is 1.04 / sqrt(4096) = 1.6 %. Small numbers are counted by the registers that are still
 * zero (linear counting, Whang 1990). Hashes have 64 bits, so there is no correction for large numbers. */
#include "sqlfront/statistics/statistics.h"

#include <math.h>

#define INDEX_BITS 12
static_assert(SKETCH_BYTES == 1 << INDEX_BITS, "a register for each index");

/* Hashes of values are quick ones; this makes every bit depend on all of them (the end of MurmurHash3). */
static uint64_t stir(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdUL;
    hash ^= hash >> 33;
    hash *= 0xc4ceb9fe1a85ec53UL;
    return hash ^ hash >> 33;
}

void sketch_add(uint8_t *registers, uint64_t hash)
{
    hash = stir(hash);
    uint8_t *place = &registers[hash >> (64 - INDEX_BITS)];
    /* The bit set behind the index bounds the run. */
    uint8_t rank = (uint8_t)(__builtin_clzl(hash << INDEX_BITS | 1UL << (INDEX_BITS - 1)) + 1);
    if (rank > *place)
        *place = rank;
}

void sketch_merge(uint8_t *into, const uint8_t *from)
{
    for (uint32_t i = 0; i < SKETCH_BYTES; i++)
        if (from[i] > into[i])
            into[i] = from[i];
}

double sketch_count(const uint8_t *registers)
{
    const double m = SKETCH_BYTES;
    double sum = 0;
    uint32_t zeros = 0;
    for (uint32_t i = 0; i < SKETCH_BYTES; i++) {
        sum += 1.0 / (double)(1UL << registers[i]);
        zeros += registers[i] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    return estimate <= 2.5 * m && zeros ? m * log(m / zeros) : estimate;
}
