/* hashint4 and its kin, value for value PostgreSQL's (Bob Jenkins, lookup3, 2006, as PostgreSQL uses it). */
#include "sqlfront/value/number/hash.h"

#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/number/tables.h"

#include <math.h>

struct mixing {
    uint32_t a, b, c;
};

static uint32_t rotated(uint32_t word, int by)
{
    return word << by | word >> (32 - by);
}

static void mix(struct mixing *m)
{
    m->a -= m->c;
    m->a ^= rotated(m->c, 4);
    m->c += m->b;
    m->b -= m->a;
    m->b ^= rotated(m->a, 6);
    m->a += m->c;
    m->c -= m->b;
    m->c ^= rotated(m->b, 8);
    m->b += m->a;
    m->a -= m->c;
    m->a ^= rotated(m->c, 16);
    m->c += m->b;
    m->b -= m->a;
    m->b ^= rotated(m->a, 19);
    m->a += m->c;
    m->c -= m->b;
    m->c ^= rotated(m->b, 4);
    m->b += m->a;
}

static uint64_t finish(struct mixing *m)
{
    m->c ^= m->b;
    m->c -= rotated(m->b, 14);
    m->a ^= m->c;
    m->a -= rotated(m->c, 11);
    m->b ^= m->a;
    m->b -= rotated(m->a, 25);
    m->c ^= m->b;
    m->c -= rotated(m->b, 16);
    m->a ^= m->c;
    m->a -= rotated(m->c, 4);
    m->b ^= m->a;
    m->b -= rotated(m->a, 14);
    m->c ^= m->b;
    m->c -= rotated(m->b, 24);
    return (uint64_t)m->b << 32 | m->c;
}

static struct mixing begin(size_t size, uint64_t seed)
{
    uint32_t start = 0x9e3779b9U + (uint32_t)size + 3923095;
    struct mixing m = {start, start, start};
    if (seed) {
        m.a += (uint32_t)(seed >> 32);
        m.b += (uint32_t)seed;
        mix(&m);
    }
    return m;
}

uint64_t lookup3(const void *data, size_t size, uint64_t seed)
{
    struct mixing m = begin(size, seed);
    const uint8_t *at = data;
    size_t left = size;
    uint32_t words[3];
    for (; left >= 12; at += 12, left -= 12) {
        memcpy(words, at, 12);
        m.a += words[0];
        m.b += words[1];
        m.c += words[2];
        mix(&m);
    }
    uint8_t last[12] = {0};
    if (left > 8) { /* the lowest byte of c is the size's */
        memcpy(last, at, 8);
        memcpy(last + 9, at + 8, left - 8);
    } else if (left)
        memcpy(last, at, left);
    memcpy(words, last, 12);
    m.a += words[0];
    m.b += words[1];
    m.c += words[2];
    return finish(&m);
}

uint64_t lookup3_word(uint32_t word, uint64_t seed)
{
    struct mixing m = begin(sizeof word, seed);
    m.a += word;
    return finish(&m);
}

uint64_t lookup3_integer(int64_t integer, uint64_t seed)
{
    uint32_t low = (uint32_t)integer, high = (uint32_t)((uint64_t)integer >> 32);
    return lookup3_word(low ^ (integer >= 0 ? high : ~high), seed);
}

/* ---- the functions ---- */

static enum sqlstate give(uint64_t hash, bool extended, struct value *result)
{
    *result = value_integer(extended ? (int64_t)hash : (int32_t)(uint32_t)hash);
    return SQLSTATE_OK;
}

static enum sqlstate hash_word(struct call *call, const struct value *arguments, struct value *result)
{
    return give(lookup3_word((uint32_t)arguments[0].i, 0), false, result);
}

static enum sqlstate hash_word_extended(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return give(lookup3_word((uint32_t)arguments[0].i, (uint64_t)arguments[1].i), true, result);
}

static enum sqlstate hash_integer(struct call *call, const struct value *arguments, struct value *result)
{
    return give(lookup3_integer(arguments[0].i, 0), false, result);
}

static enum sqlstate hash_integer_extended(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return give(lookup3_integer(arguments[0].i, (uint64_t)arguments[1].i), true, result);
}

/* Zeros of both signs are one, and so are all NaNs. */
static uint64_t hash_of_float(double f, uint64_t seed)
{
    uint64_t bits = 0x7ff8000000000000ULL;
    if (f == 0)
        return seed;
    if (!isnan(f))
        memcpy(&bits, &f, sizeof bits);
    return lookup3(&bits, sizeof bits, seed);
}

static enum sqlstate hash_float(struct call *call, const struct value *arguments, struct value *result)
{
    return give(hash_of_float(arguments[0].f, 0), false, result);
}

static enum sqlstate hash_float_extended(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return give(hash_of_float(arguments[0].f, (uint64_t)arguments[1].i), true, result);
}

static uint64_t hash_of_numeric(struct call *call, const struct value *value, uint64_t seed)
{
    if (numeric_is_special(value))
        return seed;
    struct number number = number_of(call->scope, value);
    if (number.count == 0)
        return seed - 1;
    uint64_t hash = lookup3(number.digits, (size_t)number.count * sizeof(uint16_t), seed);
    return hash ^ (uint64_t)(int64_t)number.weight;
}

static enum sqlstate hash_numeric(struct call *call, const struct value *arguments, struct value *result)
{
    return give(hash_of_numeric(call, &arguments[0], 0), false, result);
}

static enum sqlstate hash_numeric_extended(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return give(hash_of_numeric(call, &arguments[0], (uint64_t)arguments[1].i), true, result);
}

static const struct function functions[] = {
    {"hashint2", hash_word},
    {"hashint4", hash_word},
    {"hashoid", hash_word},
    {"hashint8", hash_integer},
    {"time_hash", hash_integer},
    {"timestamp_hash", hash_integer},
    {"hashfloat4", hash_float},
    {"hashfloat8", hash_float},
    {"hash_numeric", hash_numeric},
    {"hashint2extended", hash_word_extended},
    {"hashint4extended", hash_word_extended},
    {"hashoidextended", hash_word_extended},
    {"hashint8extended", hash_integer_extended},
    {"time_hash_extended", hash_integer_extended},
    {"timestamp_hash_extended", hash_integer_extended},
    {"hashfloat4extended", hash_float_extended},
    {"hashfloat8extended", hash_float_extended},
    {"hash_numeric_extended", hash_numeric_extended},
    {0},
};

const struct library hash_library = {.functions = functions};
