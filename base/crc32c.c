/* CRC-32C three ways, which tests hold against each other.
 *
 * A message is a polynomial over GF(2), its checksum the remainder of message * x^32 by P. Registers are bit-
 * reversed: the lowest bit is the highest power, so that "times x" is a shift to the right.
 *
 * x86-64. The instruction takes 8 bytes a cycle but answers after 3, so three stretches ("lanes") of the
 * message run side by side. With L bytes in a lane, the checksum of all three is
 *
 *     a * x^(16 L) + b * x^(8 L) + c      (mod P)
 *
 * where the products are one carry-less multiplication each: multiplied with x^(8n - 33), taken as 8 bytes of
 * message and pushed through the instruction, which adds x^32, a reversed register is multiplied with x^(8n)
 * (the 33rd power is lost in multiplying reversed numbers). After V. Gopal et al., "Fast CRC Computation for
 * iSCSI Polynomial Using CRC32 Instruction", Intel, 2011.
 *
 * aarch64. The instruction in one lane; it is fast enough to leave the memory as the limit.
 *
 * Portable. 8 bytes at a time through 8 tables (M. Kounavis, F. Berry, "Novel Table Lookup-Based Algorithms
 * for High-Performance CRC Generation", 2008), which the compiler computes. */
#include "base/crc32c.h"
#include "base/system.h"

#define POLYNOMIAL 0x82f63b78U /* P without its highest power, reversed */

/* ---- tables ---- */

/* Times x. */
#define STEP(value) ((value) >> 1 ^ ((value)&1 ? POLYNOMIAL : 0))

/* Xn = x^(31+n) mod P: the remainder of the single bit n places before the end of a byte string. */
enum {
    X1 = POLYNOMIAL,
    X2 = STEP(X1),
    X3 = STEP(X2),
    X4 = STEP(X3),
    X5 = STEP(X4),
    X6 = STEP(X5),
    X7 = STEP(X6),
    X8 = STEP(X7),
    X9 = STEP(X8),
    X10 = STEP(X9),
    X11 = STEP(X10),
    X12 = STEP(X11),
    X13 = STEP(X12),
    X14 = STEP(X13),
    X15 = STEP(X14),
    X16 = STEP(X15),
    X17 = STEP(X16),
    X18 = STEP(X17),
    X19 = STEP(X18),
    X20 = STEP(X19),
    X21 = STEP(X20),
    X22 = STEP(X21),
    X23 = STEP(X22),
    X24 = STEP(X23),
    X25 = STEP(X24),
    X26 = STEP(X25),
    X27 = STEP(X26),
    X28 = STEP(X27),
    X29 = STEP(X28),
    X30 = STEP(X29),
    X31 = STEP(X30),
    X32 = STEP(X31),
    X33 = STEP(X32),
    X34 = STEP(X33),
    X35 = STEP(X34),
    X36 = STEP(X35),
    X37 = STEP(X36),
    X38 = STEP(X37),
    X39 = STEP(X38),
    X40 = STEP(X39),
    X41 = STEP(X40),
    X42 = STEP(X41),
    X43 = STEP(X42),
    X44 = STEP(X43),
    X45 = STEP(X44),
    X46 = STEP(X45),
    X47 = STEP(X46),
    X48 = STEP(X47),
    X49 = STEP(X48),
    X50 = STEP(X49),
    X51 = STEP(X50),
    X52 = STEP(X51),
    X53 = STEP(X52),
    X54 = STEP(X53),
    X55 = STEP(X54),
    X56 = STEP(X55),
    X57 = STEP(X56),
    X58 = STEP(X57),
    X59 = STEP(X58),
    X60 = STEP(X59),
    X61 = STEP(X60),
    X62 = STEP(X61),
    X63 = STEP(X62),
    X64 = STEP(X63),
};

/* Remainder of byte b with as many bytes behind it as to make its lowest bit Xn of n = `first`: the sum over
 * its bits. Lower bits are further from the end. */
#define BIT(b, place, power) ((b) >> (place)&1 ? (uint32_t)(power) : 0)
#define SUM(b, x8, x7, x6, x5, x4, x3, x2, x1)                                                       \
    (BIT(b, 0, x8) ^ BIT(b, 1, x7) ^ BIT(b, 2, x6) ^ BIT(b, 3, x5) ^ BIT(b, 4, x4) ^ BIT(b, 5, x3) ^ \
     BIT(b, 6, x2) ^ BIT(b, 7, x1))
#define SUMS4(b, ...) \
    SUM(b, __VA_ARGS__), SUM(b + 1, __VA_ARGS__), SUM(b + 2, __VA_ARGS__), SUM(b + 3, __VA_ARGS__)
#define SUMS16(b, ...) \
    SUMS4(b, __VA_ARGS__), SUMS4(b + 4, __VA_ARGS__), SUMS4(b + 8, __VA_ARGS__), SUMS4(b + 12, __VA_ARGS__)
#define SUMS64(b, ...)                                                                \
    SUMS16(b, __VA_ARGS__), SUMS16(b + 16, __VA_ARGS__), SUMS16(b + 32, __VA_ARGS__), \
        SUMS16(b + 48, __VA_ARGS__)
#define SUMS256(...)                                                                                        \
    {                                                                                                       \
        SUMS64(0, __VA_ARGS__), SUMS64(64, __VA_ARGS__), SUMS64(128, __VA_ARGS__), SUMS64(192, __VA_ARGS__) \
    }

/* remainder[n][b] is that of byte b with n bytes behind it. */
static const uint32_t remainder[8][256] = {
    SUMS256(X8, X7, X6, X5, X4, X3, X2, X1),         SUMS256(X16, X15, X14, X13, X12, X11, X10, X9),
    SUMS256(X24, X23, X22, X21, X20, X19, X18, X17), SUMS256(X32, X31, X30, X29, X28, X27, X26, X25),
    SUMS256(X40, X39, X38, X37, X36, X35, X34, X33), SUMS256(X48, X47, X46, X45, X44, X43, X42, X41),
    SUMS256(X56, X55, X54, X53, X52, X51, X50, X49), SUMS256(X64, X63, X62, X61, X60, X59, X58, X57),
};

uint32_t crc32c_extend_portable(uint32_t crc, struct bytes bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    crc = ~crc;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        word ^= crc;
        crc = 0;
        for (uint32_t i = 0; i < 8; i++)
            crc ^= remainder[7 - i][word >> (8 * i) & 0xff];
    }
    for (; left > 0; left--)
        crc = crc >> 8 ^ remainder[0][(crc ^ *at++) & 0xff];
    return ~crc;
}

/* ---- processors ---- */

#if defined(__x86_64__)

#include <immintrin.h>

#define WITH_INSTRUCTION __attribute__((target("sse4.2,pclmul")))

/* Lanes of this many bytes, and x^(8n - 33) mod P for one and two of them. Long lanes make the
 * multiplications rare; short ones leave little that must go in one lane. */
#define LONG_LANE    1024
#define LONG_LANE_1  0x170076faU
#define LONG_LANE_2  0xa51b6135U
#define SHORT_LANE   128
#define SHORT_LANE_1 0x0d3b6092U
#define SHORT_LANE_2 0xb9e02b86U

static inline uint64_t word_at(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

WITH_INSTRUCTION static inline uint64_t multiply(uint64_t crc, uint32_t power)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi32_si128((int)power), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

WITH_INSTRUCTION static inline uint64_t three_lanes(uint64_t crc, const uint8_t *at, size_t lane,
                                                    uint32_t power_1, uint32_t power_2)
{
    uint64_t a = crc, b = 0, c = 0;
    for (const uint8_t *end = at + lane; at < end; at += 8) {
        a = _mm_crc32_u64(a, word_at(at));
        b = _mm_crc32_u64(b, word_at(at + lane));
        c = _mm_crc32_u64(c, word_at(at + 2 * lane));
    }
    return c ^ _mm_crc32_u64(0, multiply(a, power_2) ^ multiply(b, power_1));
}

WITH_INSTRUCTION static uint32_t extend_by_instruction(uint32_t start, struct bytes bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    uint64_t crc = ~start;
    for (; left >= 3 * LONG_LANE; at += 3 * LONG_LANE, left -= 3 * LONG_LANE)
        crc = three_lanes(crc, at, LONG_LANE, LONG_LANE_1, LONG_LANE_2);
    for (; left >= 3 * SHORT_LANE; at += 3 * SHORT_LANE, left -= 3 * SHORT_LANE)
        crc = three_lanes(crc, at, SHORT_LANE, SHORT_LANE_1, SHORT_LANE_2);
    for (; left >= 8; at += 8, left -= 8)
        crc = _mm_crc32_u64(crc, word_at(at));
    for (; left > 0; left--)
        crc = _mm_crc32_u8((uint32_t)crc, *at++);
    return ~(uint32_t)crc;
}

#elif defined(__aarch64__)

__attribute__((target("+crc"))) static uint32_t extend_by_instruction(uint32_t start, struct bytes bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    uint32_t crc = ~start;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        __asm__("crc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    }
    for (; left > 0; left--)
        __asm__("crc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(*at++));
    return ~crc;
}

#endif

uint32_t crc32c_extend(uint32_t crc, struct bytes bytes)
{
    return system_has_crc32c() ? extend_by_instruction(crc, bytes) : crc32c_extend_portable(crc, bytes);
}
