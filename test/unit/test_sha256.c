/* SHA-256, HMAC and PBKDF2 against published answers (FIPS 180-4 examples, RFC 4231, RFC 7914). */
#include "base/pbkdf2.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static void assert_digest(const uint8_t digest[static SHA256_BYTES], const char *wanted)
{
    char text[2 * SHA256_BYTES + 1];
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    ck_assert_str_eq(text, wanted);
}

START_TEST(published_digests_are_met)
{
    uint8_t digest[SHA256_BYTES];
    sha256(bytes_of_text(""), digest);
    assert_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256(bytes_of_text("abc"), digest);
    assert_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256(bytes_of_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest);
    assert_digest(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}
END_TEST

START_TEST(a_million_bytes_in_any_pieces_give_the_published_digest)
{
    static uint8_t data[1000000];
    uint64_t random = unit_seed();
    memset(data, 'a', sizeof data);
    for (int round = 0; round < 20; round++) {
        struct sha256 sha;
        uint8_t digest[SHA256_BYTES];
        size_t at = 0;
        sha256_begin(&sha);
        while (at < sizeof data) {
            size_t size = unit_random(&random) % 3000;
            if (size > sizeof data - at)
                size = sizeof data - at;
            sha256_add(&sha, bytes_of(data + at, size));
            at += size;
        }
        sha256_end(&sha, digest);
        assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}
END_TEST

START_TEST(published_keyed_digests_are_met)
{
    uint8_t digest[SHA256_BYTES], key[131];
    const struct bytes pieces[2] = {bytes_of_text("what do ya want "), bytes_of_text("for nothing?")};
    hmac_sha256(bytes_of_text("Jefe"), pieces, 2, digest);
    assert_digest(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    const struct bytes whole = bytes_of_text("Test Using Larger Than Block-Size Key - Hash Key First");
    memset(key, 0xaa, sizeof key);
    hmac_sha256(bytes_of(key, sizeof key), &whole, 1, digest);
    assert_digest(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

START_TEST(a_published_derived_key_is_met)
{
    uint8_t key[SHA256_BYTES];
    pbkdf2_sha256(NULL, bytes_of_text("passwd"), bytes_of_text("salt"), 1, key);
    assert_digest(key, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    pbkdf2_sha256(NULL, bytes_of_text("password"), bytes_of_text("salt"), 4096, key);
    assert_digest(key, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a");
}
END_TEST

START_TEST(digests_that_differ_in_one_bit_are_not_the_same)
{
    uint8_t a[SHA256_BYTES] = {1, 2, 3}, b[SHA256_BYTES] = {1, 2, 3};
    ck_assert(sha256_same(a, b));
    for (unsigned bit = 0; bit < 8 * SHA256_BYTES; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert(!sha256_same(a, b));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("sha256");
    tcase_add_test(tests, published_digests_are_met);
    tcase_add_test(tests, a_million_bytes_in_any_pieces_give_the_published_digest);
    tcase_add_test(tests, published_keyed_digests_are_met);
    tcase_add_test(tests, a_published_derived_key_is_met);
    tcase_add_test(tests, digests_that_differ_in_one_bit_are_not_the_same);
    return unit_run(tests);
}
