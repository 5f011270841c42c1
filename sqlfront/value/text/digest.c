/* md5 (RFC 1321) and sha224 ... sha512 (FIPS 180-4) of texts and bytes (PostgreSQL manual, 9.4, 9.5). Not taken from OpenSSL,
 * which only base/tls knows; SHA-256 is base's. */
#include "sqlfront/value/text/text.h"

#include "base/sha256.h"
#include "sqlfront/value/pace.h"
#include "sqlfront/value/text/encode.h"

/* The message in blocks, behind it a bit 1, zeros and its size in bits: what all of these have in common. */
struct tail {
    uint8_t bytes[256];
    size_t size;
};

static struct tail tail_of(struct bytes message, size_t block, bool big_endian)
{
    struct tail tail = {0};
    size_t left = message.size % block, sized = block / 8;
    tail.size = left + 1 + sized <= block ? block : 2 * block;
    if (left)
        memcpy(tail.bytes, message.data + message.size - left, left);
    tail.bytes[left] = 0x80;
    uint64_t bits = (uint64_t)message.size * 8;
    for (size_t i = 0; i < 8; i++)
        tail.bytes[big_endian ? tail.size - 1 - i : tail.size - 8 + i] = (uint8_t)(bits >> 8 * i);
    return tail;
}

/* ---- md5 ---- */

#define MD5_BYTES 16

static const uint32_t md5_sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};
static const uint8_t md5_shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static void md5_block(uint32_t state[static 4], const uint8_t *block)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], word;
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t mixed, place;
        if (i < 16) {
            mixed = (b & c) | (~b & d);
            place = i;
        } else if (i < 32) {
            mixed = (d & b) | (~d & c);
            place = 5 * i + 1;
        } else if (i < 48) {
            mixed = b ^ c ^ d;
            place = 3 * i + 5;
        } else {
            mixed = c ^ (b | ~d);
            place = 7 * i;
        }
        memcpy(&word, block + 4 * (place % 16), 4);
        uint32_t sum = a + mixed + md5_sines[i] + word, shift = md5_shifts[i / 16][i % 4];
        a = d;
        d = c;
        c = b;
        b += sum << shift | sum >> (32 - shift);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

static enum sqlstate md5(struct pace *pace, struct bytes message, uint8_t digest[static MD5_BYTES])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    struct tail tail = tail_of(message, 64, false);
    for (size_t at = 0; at + 64 <= message.size; at += 64) {
        md5_block(state, message.data + at);
        enum sqlstate failed = pace_step(pace, 4 * 64);
        if (failed)
            return failed;
    }
    for (size_t at = 0; at < tail.size; at += 64)
        md5_block(state, tail.bytes + at);
    memcpy(digest, state, MD5_BYTES);
    return SQLSTATE_OK;
}

/* ---- sha512, and sha384, which is its beginning from another start ---- */

#define SHA512_BYTES 64

static const uint64_t sha512_start[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
static const uint64_t sha384_start[8] = {
    0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
    0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
};
static const uint64_t sha512_rounds[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static uint64_t turned(uint64_t word, int bits)
{
    return word >> bits | word << (64 - bits);
}

static void sha512_block(uint64_t state[static 8], const uint8_t *block)
{
    uint64_t words[80], s[8];
    for (int i = 0; i < 16; i++) {
        memcpy(&words[i], block + 8 * i, 8);
        words[i] = __builtin_bswap64(words[i]);
    }
    for (int i = 16; i < 80; i++) {
        uint64_t early = words[i - 15], late = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] + (turned(early, 1) ^ turned(early, 8) ^ early >> 7) +
                   (turned(late, 19) ^ turned(late, 61) ^ late >> 6);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 80; i++) {
        uint64_t first = s[7] + (turned(s[4], 14) ^ turned(s[4], 18) ^ turned(s[4], 41)) +
                         ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha512_rounds[i] + words[i];
        uint64_t second = (turned(s[0], 28) ^ turned(s[0], 34) ^ turned(s[0], 39)) +
                          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += first;
        s[0] = first + second;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

static enum sqlstate sha512(struct pace *pace, struct bytes message, const uint64_t *start,
                            uint8_t digest[static SHA512_BYTES])
{
    uint64_t state[8];
    memcpy(state, start, sizeof state);
    struct tail tail = tail_of(message, 128, true);
    for (size_t at = 0; at + 128 <= message.size; at += 128) {
        sha512_block(state, message.data + at);
        enum sqlstate failed = pace_step(pace, 4 * 128);
        if (failed)
            return failed;
    }
    for (size_t at = 0; at < tail.size; at += 128)
        sha512_block(state, tail.bytes + at);
    for (int i = 0; i < 8; i++)
        state[i] = __builtin_bswap64(state[i]);
    memcpy(digest, state, SHA512_BYTES);
    return SQLSTATE_OK;
}

/* SHA-256, or what begins as it, of a message of any size. */
static enum sqlstate sha256_paced(struct pace *pace, struct sha256 *sha, struct bytes message)
{
    enum sqlstate failed = SQLSTATE_OK;
    while (message.size > 0 && !failed) {
        size_t piece = message.size < VALUE_STRETCH_BYTES / 4 ? message.size : VALUE_STRETCH_BYTES / 4;
        sha256_add(sha, bytes_of(message.data, piece));
        message = bytes_of(message.data + piece, message.size - piece);
        failed = pace_step(pace, 4 * piece);
    }
    return failed;
}

/* ---- functions ---- */

static enum sqlstate md5_text(struct call *call, const struct value *arguments, struct value *result)
{
    uint8_t digest[MD5_BYTES], *room = scope_alloc(call->scope, 2 * MD5_BYTES);
    struct pace pace = pace_of(call);
    enum sqlstate failed = md5(&pace, value_view(&arguments[0]), digest);
    if (failed)
        return failed;
    hex_encode(bytes_of(digest, MD5_BYTES), room);
    *result = value_bytes(room, 2 * MD5_BYTES);
    return SQLSTATE_OK;
}

static enum sqlstate gives(struct call *call, const uint8_t *digest, size_t size, struct value *result)
{
    *result = value_bytes(scope_copy(call->scope, digest, size), size);
    return SQLSTATE_OK;
}

static enum sqlstate sha224_bytea(struct call *call, const struct value *arguments, struct value *result)
{
    static const uint32_t start[8] = {
        0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939, 0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4,
    };
    struct sha256 sha;
    uint8_t digest[SHA256_BYTES];
    sha256_begin(&sha);
    memcpy(sha.state, start, sizeof start);
    struct pace pace = pace_of(call);
    enum sqlstate failed = sha256_paced(&pace, &sha, value_view(&arguments[0]));
    if (failed)
        return failed;
    sha256_end(&sha, digest);
    return gives(call, digest, 28, result);
}

static enum sqlstate sha256_bytea(struct call *call, const struct value *arguments, struct value *result)
{
    struct sha256 sha;
    uint8_t digest[SHA256_BYTES];
    struct pace pace = pace_of(call);
    sha256_begin(&sha);
    enum sqlstate failed = sha256_paced(&pace, &sha, value_view(&arguments[0]));
    if (failed)
        return failed;
    sha256_end(&sha, digest);
    return gives(call, digest, SHA256_BYTES, result);
}

static enum sqlstate sha384_bytea(struct call *call, const struct value *arguments, struct value *result)
{
    uint8_t digest[SHA512_BYTES];
    struct pace pace = pace_of(call);
    enum sqlstate failed = sha512(&pace, value_view(&arguments[0]), sha384_start, digest);
    return failed ? failed : gives(call, digest, 48, result);
}

static enum sqlstate sha512_bytea(struct call *call, const struct value *arguments, struct value *result)
{
    uint8_t digest[SHA512_BYTES];
    struct pace pace = pace_of(call);
    enum sqlstate failed = sha512(&pace, value_view(&arguments[0]), sha512_start, digest);
    return failed ? failed : gives(call, digest, SHA512_BYTES, result);
}

static const struct function functions[] = {
    {"md5_text", md5_text, 0},
    {"md5_bytea", md5_text, 0},
    {"sha224_bytea", sha224_bytea, 0},
    {"sha256_bytea", sha256_bytea, 0},
    {"sha384_bytea", sha384_bytea, 0},
    {"sha512_bytea", sha512_bytea, 0},
    {NULL, NULL, 0},
};

const struct library digest_library = {.functions = functions};
