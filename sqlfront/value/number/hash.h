/* PostgreSQL's own hash of bytes, for the functions that show it (hashint4, ...): Jenkins' lookup3. What hashes values
 * inside is value_hash(). */
#ifndef SYNOD_SQLFRONT_VALUE_NUMBER_HASH_H
#define SYNOD_SQLFRONT_VALUE_NUMBER_HASH_H

#include <stddef.h>
#include <stdint.h>

/* 64 bits; without a seed (0) the lower 32 are the hash of 32. */
uint64_t lookup3(const void *data, size_t size, uint64_t seed);
uint64_t lookup3_word(uint32_t word, uint64_t seed);
/* Numbers that fit narrower types hash as those. */
uint64_t lookup3_integer(int64_t integer, uint64_t seed);

#endif
