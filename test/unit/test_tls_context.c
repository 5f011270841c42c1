/* TLS contexts and certificates: what is made of good texts, and what is said of bad ones. */
#include "test/unit/tls_meeting.h"
#include "test/unit/unit.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define SEED 1

static struct room room;
static struct paper paper, other;
static struct error error;

static void open_room(void)
{
    room_open(&room, SEED);
    paper = room_paper(&room, NULL, "one");
    other = room_paper(&room, NULL, "two");
    error = (struct error){0};
}

static void close_room(void)
{
    room_close(&room);
}

/* ---- contexts ---- */

static void expect_context(const struct tls_options *options, enum sqlstate state, const char *words)
{
    struct tls_context *context = NULL;
    struct scope *scope = scope_open(room.world.scope, "context");
    error_clear(&error);
    enum sqlstate failed = tls_context_open(&room.world, scope, options, &context, &error);
    const char *message = failed ? error_text(&error, ERROR_MESSAGE) : "no error";
    ck_assert_msg(failed == state && strstr(message, words), "%s, but expected: %s", message, words);
    ck_assert((context == NULL) == (failed != SQLSTATE_OK));
    scope_close(scope);
}

static struct tls_options server_options(void)
{
    return (struct tls_options){.server = true, .certificate_pem = paper.certificate, .key_pem = paper.key};
}

/* The text with one part of it replaced. */
static struct bytes edited(struct bytes text, size_t place, const char *with)
{
    char *copy = scope_copy(room.world.scope, text.data, text.size);
    memcpy(copy + place, with, strlen(with));
    return bytes_of(copy, text.size);
}

static struct bytes joined(struct bytes a, struct bytes b)
{
    char *both = scope_alloc(room.world.scope, a.size + b.size);
    memcpy(both, a.data, a.size);
    memcpy(both + a.size, b.data, b.size);
    return bytes_of(both, a.size + b.size);
}

START_TEST(good_texts_make_a_context)
{
    struct tls_options options = server_options();
    expect_context(&options, SQLSTATE_OK, "");
    options.trust_pem = joined(paper.certificate, other.certificate);
    expect_context(&options, SQLSTATE_OK, "");
    options.certificate_pem = joined(bytes_of_text("words around the certificate\n"), paper.certificate);
    expect_context(&options, SQLSTATE_OK, "");
    expect_context(&(struct tls_options){0}, SQLSTATE_OK, "");
}
END_TEST

START_TEST(a_key_of_another_certificate_is_refused)
{
    struct tls_options options = server_options();
    options.key_pem = other.key;
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR,
                   "the private key does not belong to the certificate: key values mismatch");
}
END_TEST

START_TEST(texts_that_are_no_certificates_are_refused)
{
    const struct bytes bad[] = {
        bytes_of_text("hello"),
        bytes_of_text("\n"),
        paper.key,
        bytes_of_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        bytes_of(paper.certificate.data, paper.certificate.size / 2),
        edited(paper.certificate, 40, "!"),
        joined(paper.certificate, bytes_of(other.certificate.data, 100))};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tls_options options = server_options();
        options.certificate_pem = bad[i];
        expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "the certificate is unusable: ");
        options = server_options();
        options.trust_pem = bad[i];
        expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "the trusted certificate is unusable: ");
    }
}
END_TEST

START_TEST(texts_that_are_no_keys_are_refused)
{
    const struct bytes bad[] = {bytes_of_text("hello"), paper.certificate, bytes_of(paper.key.data, 60),
                                edited(paper.key, 50, "!!!!")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tls_options options = server_options();
        options.key_pem = bad[i];
        expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "the private key is unusable: ");
    }
}
END_TEST

START_TEST(a_key_that_needs_a_passphrase_is_refused_without_asking)
{
    BIO *in = BIO_new_mem_buf(paper.key.data, (int)paper.key.size), *out = BIO_new(BIO_s_mem());
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
    char *text;
    long size = BIO_get_mem_data(out, &text);
    struct tls_options options = server_options();
    options.key_pem = bytes_of(text, (size_t)size);
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "the private key is unusable: ");
    EVP_PKEY_free(key);
    BIO_free(in);
    BIO_free(out);
}
END_TEST

START_TEST(options_that_contradict_each_other_are_refused)
{
    struct tls_options options = {.server = true};
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "a TLS server needs a certificate and its key");
    options.certificate_pem = paper.certificate;
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "a TLS certificate is of no use without its key");
    options = (struct tls_options){.key_pem = paper.key};
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "a TLS key is of no use without its certificate");
    options = server_options();
    options.require_peer = true;
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR,
                   "certificates are required of clients, but none are trusted");
    options = (struct tls_options){.host = ""};
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "the name of the host is empty");
}
END_TEST

START_TEST(names_of_protocols_have_bounds)
{
    static char long_name[257], names[100][200];
    const char *many[101] = {NULL};
    struct tls_options options = server_options();
    options.protocols = (const char *const[]){"h2", "", NULL};
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "1 to 255 bytes, not 0");
    memset(long_name, 'x', 256);
    options.protocols = (const char *const[]){long_name, NULL};
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "1 to 255 bytes, not 256");
    options.protocols = (const char *const[]){long_name + 1, NULL};
    expect_context(&options, SQLSTATE_OK, "");
    for (int i = 0; i < 100; i++) {
        memset(names[i], 'a', 199);
        many[i] = names[i];
    }
    options.protocols = many;
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR, "too many application protocols: 20000 bytes");
}
END_TEST

START_TEST(a_text_that_is_too_long_is_refused)
{
    void *text;
    ck_assert_int_eq(scope_alloc_large(room.world.scope, TLS_PEM_BYTES_MAX + 1, 16, &text, &error), 0);
    memset(text, '\n', TLS_PEM_BYTES_MAX + 1);
    struct tls_options options = server_options();
    options.trust_pem = bytes_of(text, TLS_PEM_BYTES_MAX + 1);
    expect_context(&options, SQLSTATE_CONFIG_FILE_ERROR,
                   "the trusted certificate is too long: 1048577 bytes");
}
END_TEST

/* ---- certificates ---- */

static enum sqlstate make(const struct tls_make *make, struct paper *made)
{
    error_clear(&error);
    return tls_make_certificate(&room.world, room.world.scope, make, &made->certificate, &made->key, &error);
}

static X509 *parsed(struct bytes pem)
{
    BIO *text = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *certificate = PEM_read_bio_X509(text, NULL, NULL, NULL);
    BIO_free(text);
    ck_assert_ptr_nonnull(certificate);
    return certificate;
}

START_TEST(a_certificate_says_what_was_asked_for)
{
    X509 *certificate = parsed(paper.certificate);
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    char group[32];
    size_t size;
    ck_assert_int_eq(EVP_PKEY_get_group_name(key, group, sizeof group, &size), 1);
    ck_assert_str_eq(group, "prime256v1");
    ck_assert_int_eq(X509_verify(certificate, key), 1);
    ck_assert_int_eq(X509_check_ca(certificate), 0);
    ck_assert_uint_eq(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
    ck_assert_uint_eq(X509_get_extended_key_usage(certificate), XKU_SSL_SERVER | XKU_SSL_CLIENT);
    ck_assert_int_eq(X509_check_host(certificate, "server.test", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(certificate, "one", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "::1", 0), 1);
    ck_assert_int_eq(ASN1_STRING_length(X509_get0_serialNumber(certificate)), 16);
    time_t start = MEETING_WALL_US / 1000000;
    ck_assert_int_eq(ASN1_TIME_cmp_time_t(X509_get0_notBefore(certificate), start - 3600), 0);
    ck_assert_int_eq(ASN1_TIME_cmp_time_t(X509_get0_notAfter(certificate), start + 30 * 86400), 0);
    X509_free(certificate);
}
END_TEST

START_TEST(an_authority_may_sign_and_nothing_else)
{
    struct paper authority = room_authority(&room, "authority");
    struct paper leaf = room_paper(&room, &authority, "leaf");
    X509 *above = parsed(authority.certificate), *below = parsed(leaf.certificate);
    ck_assert_int_eq(X509_check_ca(above), 1);
    ck_assert_uint_eq(X509_get_key_usage(above), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    ck_assert_int_eq(X509_check_issued(above, below), X509_V_OK);
    ck_assert_int_eq(X509_verify(below, X509_get0_pubkey(above)), 1);
    X509_free(above);
    X509_free(below);
}
END_TEST

START_TEST(names_that_are_none_are_refused)
{
    static const char *const bad[] = {"",    "two words",       "new\nline", "umla\xc3\xbct.test",
                                      "a:b", "DNS:x,IP:1.2.3.4"};
    struct paper made;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const names[] = {"good.test", bad[i], NULL};
        struct tls_make wanted = {.common_name = "x", .names = names, .valid_days = 1};
        ck_assert_int_eq(make(&wanted, &made), SQLSTATE_INVALID_PARAMETER_VALUE);
        ck_assert(strstr(error_text(&error, ERROR_MESSAGE), "is neither a DNS name nor an address"));
    }
    static char long_name[300];
    memset(long_name, 'a', 254);
    struct tls_make wanted = {
        .common_name = "x", .names = (const char *const[]){long_name, NULL}, .valid_days = 1};
    ck_assert_int_eq(make(&wanted, &made), SQLSTATE_INVALID_PARAMETER_VALUE);
}
END_TEST

START_TEST(common_names_have_1_to_64_characters)
{
    static char name[66];
    struct tls_make wanted = {.common_name = name, .valid_days = 1};
    struct paper made;
    ck_assert_int_eq(make(&wanted, &made), SQLSTATE_INVALID_PARAMETER_VALUE);
    memset(name, 'x', 64);
    ck_assert_int_eq(make(&wanted, &made), SQLSTATE_OK);
    name[64] = 'x';
    ck_assert_int_eq(make(&wanted, &made), SQLSTATE_INVALID_PARAMETER_VALUE);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "the common name is unusable: string too long");
}
END_TEST

START_TEST(days_that_no_calendar_has_are_refused)
{
    static const uint32_t bad[] = {0, 2913000, 3650000, UINT32_MAX};
    struct paper made;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tls_make wanted = {.common_name = "x", .valid_days = bad[i]};
        ck_assert_int_eq(make(&wanted, &made), SQLSTATE_INVALID_PARAMETER_VALUE);
        ck_assert(strstr(error_text(&error, ERROR_MESSAGE), "a certificate cannot be valid for "));
    }
    struct tls_make wanted = {.common_name = "x", .valid_days = 36500};
    ck_assert_int_eq(make(&wanted, &made), SQLSTATE_OK);
}
END_TEST

START_TEST(who_cannot_sign_does_not)
{
    struct paper authority = room_authority(&room, "authority"), made;
    struct tls_make wanted = {.common_name = "x", .valid_days = 1};
    const struct paper bad[] = {{authority.certificate, other.key},
                                {bytes_of_text("nonsense"), authority.key},
                                {authority.certificate, bytes_of_text("nonsense")},
                                {authority.certificate, bytes_of(NULL, 0)}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wanted.authority_certificate_pem = bad[i].certificate;
        wanted.authority_key_pem = bad[i].key;
        ck_assert_int_eq(make(&wanted, &made), SQLSTATE_INVALID_PARAMETER_VALUE);
        ck_assert(
            strstr(error_text(&error, ERROR_MESSAGE), "certificate and key of the authority are unusable"));
    }
    wanted.authority_certificate_pem = paper.certificate;
    wanted.authority_key_pem = paper.key;
    ck_assert_int_eq(make(&wanted, &made), SQLSTATE_INVALID_PARAMETER_VALUE);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "the certificate that is to sign is not one of an authority");
}
END_TEST

/* Runs after the key was cleansed and before its memory goes back. */
static struct bytes key_seen;
static bool key_is_zero;

static void look_at_key(void *argument)
{
    key_is_zero = true;
    for (size_t i = 0; i < key_seen.size; i++)
        key_is_zero &= key_seen.data[i] == 0;
}

START_TEST(a_key_does_not_stay_in_memory)
{
    struct scope *scope = scope_open(room.world.scope, "key");
    struct tls_make wanted = {.common_name = "x", .valid_days = 1};
    struct bytes certificate;
    scope_undo(scope, look_at_key, NULL);
    ck_assert_int_eq(tls_make_certificate(&room.world, scope, &wanted, &certificate, &key_seen, &error), 0);
    ck_assert(memmem(key_seen.data, key_seen.size, "BEGIN PRIVATE KEY", 17) != NULL);
    scope_close(scope);
    ck_assert(key_is_zero);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("tls_context");
    tcase_add_checked_fixture(tests, open_room, close_room);
    tcase_add_test(tests, good_texts_make_a_context);
    tcase_add_test(tests, a_key_of_another_certificate_is_refused);
    tcase_add_test(tests, texts_that_are_no_certificates_are_refused);
    tcase_add_test(tests, texts_that_are_no_keys_are_refused);
    tcase_add_test(tests, a_key_that_needs_a_passphrase_is_refused_without_asking);
    tcase_add_test(tests, options_that_contradict_each_other_are_refused);
    tcase_add_test(tests, names_of_protocols_have_bounds);
    tcase_add_test(tests, a_text_that_is_too_long_is_refused);
    tcase_add_test(tests, a_certificate_says_what_was_asked_for);
    tcase_add_test(tests, an_authority_may_sign_and_nothing_else);
    tcase_add_test(tests, names_that_are_none_are_refused);
    tcase_add_test(tests, common_names_have_1_to_64_characters);
    tcase_add_test(tests, days_that_no_calendar_has_are_refused);
    tcase_add_test(tests, who_cannot_sign_does_not);
    tcase_add_test(tests, a_key_does_not_stay_in_memory);
    return unit_run(tests);
}
