/* Keys and certificates of our own making: a node's first one, an authority for a cluster, and those of
 * tests. The profile is that of RFC 5280 (X.509 for the Internet) with the extensions that TLS peers look at.
 */
#include "base/tls/library.h"
#include "base/tls/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* Peers' clocks may be behind ours: a new certificate is valid this long already. */
#define VALID_BEFORE_SECONDS 3600
#define SERIAL_BYTES         16
#define SECONDS_PER_DAY      86400
#define LAST_SECOND          253402300799 /* of the year 9999; certificates cannot name a later one */
#define DNS_NAME_BYTES_MAX   253          /* RFC 1035, 2.3.4, as text */

struct making {
    struct world *world;
    struct scope *scope;
    const struct tls_make *make;
    OSSL_LIB_CTX *openssl;
    struct bytes *certificate_pem;
    struct bytes *key_pem;
    struct error *error;
    enum sqlstate failed;
    /* Freed at the end, whatever happened. */
    EVP_PKEY *key;
    X509 *certificate;
    X509 *authority;
    EVP_PKEY *authority_key;
    GENERAL_NAMES *names;
};

static enum sqlstate refuse(struct making *making, const char *what)
{
    return error_set(making->error, SQLSTATE_INVALID_PARAMETER_VALUE, "%s: %s", what, tls_reason());
}

/* ---- who signs ---- */

static int no_passphrase(char *buffer, int size, int writing, void *argument)
{
    return -1;
}

static BIO *text_of(struct bytes pem)
{
    return pem.size <= TLS_PEM_BYTES_MAX ? BIO_new_mem_buf(pem.data, (int)pem.size) : NULL;
}

static enum sqlstate read_authority(struct making *making)
{
    const struct tls_make *make = making->make;
    if (!make->authority_certificate_pem.size)
        return SQLSTATE_OK;
    BIO *certificate = text_of(make->authority_certificate_pem);
    BIO *key = text_of(make->authority_key_pem);
    making->authority = X509_new_ex(making->openssl, NULL);
    if (certificate && making->authority)
        PEM_read_bio_X509(certificate, &making->authority, no_passphrase, NULL);
    if (key)
        making->authority_key =
            PEM_read_bio_PrivateKey_ex(key, NULL, no_passphrase, NULL, making->openssl, NULL);
    BIO_free(certificate);
    BIO_free(key);
    if (!making->authority_key || !X509_check_private_key(making->authority, making->authority_key))
        return refuse(making, "certificate and key of the authority are unusable");
    if (!X509_check_ca(making->authority))
        return error_set(making->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "the certificate that is to sign is not one of an authority");
    return SQLSTATE_OK;
}

/* ---- what the certificate says ---- */

static enum sqlstate set_serial(struct making *making)
{
    uint8_t bytes[SERIAL_BYTES];
    world_random(making->world, bytes, sizeof bytes);
    bytes[0] = (bytes[0] & 0x3f) | 0x40; /* positive, and always as long (RFC 5280, 4.1.2.2) */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(making->certificate));
    BN_free(number);
    return set ? SQLSTATE_OK : refuse(making, "no serial number");
}

static enum sqlstate set_validity(struct making *making)
{
    int64_t now = world_wall(making->world) / 1000000;
    int64_t end = now + (int64_t)making->make->valid_days * SECONDS_PER_DAY;
    if (!making->make->valid_days || end > LAST_SECOND ||
        !ASN1_TIME_set(X509_getm_notBefore(making->certificate), now - VALID_BEFORE_SECONDS) ||
        !ASN1_TIME_set(X509_getm_notAfter(making->certificate), end))
        return error_set(making->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "a certificate cannot be valid for %u days", making->make->valid_days);
    return SQLSTATE_OK;
}

static enum sqlstate set_subject(struct making *making)
{
    X509_NAME *subject = X509_get_subject_name(making->certificate);
    const char *name = making->make->common_name;
    if (!X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)name, -1,
                                    -1, 0))
        return refuse(making, "the common name is unusable");
    X509_NAME *issuer = making->authority ? X509_get_subject_name(making->authority) : subject;
    return X509_set_issuer_name(making->certificate, issuer) ? SQLSTATE_OK : refuse(making, "no issuer");
}

/* A DNS name as certificates bear them: letters, digits, hyphens, dots; a star for any one label. */
static bool is_dns_name(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*");
    return length > 0 && length <= DNS_NAME_BYTES_MAX && text[length] == '\0';
}

static bool add_name(GENERAL_NAMES *names, int kind, const void *data, int size)
{
    ASN1_STRING *value = kind == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (!value || !name || !ASN1_STRING_set(value, data, size) || !sk_GENERAL_NAME_push(names, name)) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(name);
        return false;
    }
    GENERAL_NAME_set0_value(name, kind, value);
    return true;
}

static enum sqlstate set_names(struct making *making)
{
    const char *const *name = making->make->names;
    if (!name || !*name)
        return SQLSTATE_OK;
    making->names = GENERAL_NAMES_new();
    for (; making->names && *name; name++) {
        struct net_address address = {0};
        bool numeric = net_address_parse(*name, &address);
        if (!numeric && !is_dns_name(*name))
            return error_set(making->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                             "\"%s\" is neither a DNS name nor an address", *name);
        int skipped = address.v6 ? 0 : 12; /* IPv4 stands in the last four bytes */
        if (numeric ? !add_name(making->names, GEN_IPADD, address.ip + skipped, 16 - skipped)
                    : !add_name(making->names, GEN_DNS, *name, (int)strlen(*name)))
            return refuse(making, "the alternative names are unusable");
    }
    if (!making->names || !X509_add1_ext_i2d(making->certificate, NID_subject_alt_name, making->names, 0, 0))
        return refuse(making, "the alternative names are unusable");
    return SQLSTATE_OK;
}

static bool add_extension(struct making *making, X509V3_CTX *context, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, kind, value);
    bool added = extension && X509_add_ext(making->certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

static enum sqlstate set_extensions(struct making *making)
{
    bool authority = making->make->authority;
    X509V3_CTX context;
    X509V3_set_ctx(&context, making->authority ? making->authority : making->certificate, making->certificate,
                   NULL, NULL, 0);
    bool set = add_extension(making, &context, NID_basic_constraints,
                             authority ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
               add_extension(making, &context, NID_key_usage,
                             authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
               (authority || add_extension(making, &context, NID_ext_key_usage, "serverAuth,clientAuth")) &&
               add_extension(making, &context, NID_subject_key_identifier, "hash") &&
               add_extension(making, &context, NID_authority_key_identifier, "keyid:always");
    return set ? set_names(making) : refuse(making, "the certificate's extensions cannot be made");
}

/* ---- making ---- */

static void cleanse(void *argument)
{
    struct bytes *key = argument;
    OPENSSL_cleanse((void *)key->data, key->size);
}

/* Copies what was written to the scope. BIO_free() cleanses what it kept. */
static struct bytes take_text(struct making *making, BIO *text)
{
    char *data;
    long size = BIO_get_mem_data(text, &data);
    return bytes_of(scope_copy(making->scope, data, (size_t)size), (size_t)size);
}

static enum sqlstate write_texts(struct making *making)
{
    BIO *certificate = BIO_new(BIO_s_mem());
    BIO *key = BIO_new(BIO_s_mem());
    bool written = certificate && key && PEM_write_bio_X509(certificate, making->certificate) &&
                   PEM_write_bio_PrivateKey(key, making->key, NULL, NULL, 0, NULL, NULL);
    if (written) {
        struct bytes *kept = scope_alloc(making->scope, sizeof *kept);
        *making->certificate_pem = take_text(making, certificate);
        *making->key_pem = *kept = take_text(making, key);
        scope_undo(making->scope, cleanse, kept);
    }
    BIO_free(certificate);
    BIO_free(key);
    return written ? SQLSTATE_OK : refuse(making, "the certificate cannot be written");
}

static enum sqlstate make(struct making *making)
{
    enum sqlstate failed = read_authority(making);
    if (failed)
        return failed;
    making->key = EVP_PKEY_Q_keygen(making->openssl, NULL, "EC", "P-256");
    making->certificate = X509_new_ex(making->openssl, NULL);
    if (!making->key || !making->certificate || !X509_set_version(making->certificate, X509_VERSION_3) ||
        !X509_set_pubkey(making->certificate, making->key))
        return refuse(making, "no key can be made");
    if ((failed = set_serial(making)) || (failed = set_validity(making)) || (failed = set_subject(making)) ||
        (failed = set_extensions(making)))
        return failed;
    EVP_PKEY *signer = making->authority_key ? making->authority_key : making->key;
    if (!X509_sign(making->certificate, signer, EVP_sha256()))
        return refuse(making, "the certificate cannot be signed");
    return write_texts(making);
}

static void make_on_big_stack(void *argument)
{
    struct making *making = argument;
    ERR_clear_error();
    making->failed = make(making);
    GENERAL_NAMES_free(making->names);
    X509_free(making->certificate);
    X509_free(making->authority);
    EVP_PKEY_free(making->authority_key);
    EVP_PKEY_free(making->key);
}

enum sqlstate tls_make_certificate(struct world *world, struct scope *scope, const struct tls_make *make,
                                   struct bytes *certificate_pem, struct bytes *key_pem, struct error *error)
{
    struct tls_library *library;
    enum sqlstate failed = tls_library_of(world, &library, error);
    if (failed)
        return failed;
    world_home(world);
    struct making making = {.world = world,
                            .scope = scope,
                            .make = make,
                            .openssl = library->openssl,
                            .certificate_pem = certificate_pem,
                            .key_pem = key_pem,
                            .error = error};
    fiber_call_on_big_stack(world->scheduler, make_on_big_stack, &making);
    return making.failed;
}
