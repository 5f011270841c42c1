/* OpenSSL's random bytes, from the world.
 *
 * A provider with one algorithm: a "generator" that hands every request to world_random(). A library context
 * that names it as its generator (RAND_set_DRBG_type) draws everything from it: keys, nonces, hellos,
 * signatures. So production and the simulator run the same code, no process-wide switch exists, and a seed
 * fixes every byte. The source is provider-rand(7). */
#include "base/tls/library.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* The most OpenSSL may ask for at once, and how strong it may believe the bytes to be, in bits. */
#define REQUEST_BYTES_MAX 65536
#define STRENGTH_BITS     256

/* One per library context; the generators point to it. */
struct random_source {
    struct world *world; /* set as soon as the provider is loaded, before any generator draws */
};

struct generator {
    struct random_source *source;
    int state; /* EVP_RAND_STATE_... */
};

static void *generator_new(void *source, void *parent, const OSSL_DISPATCH *parent_calls)
{
    struct generator *generator = OPENSSL_zalloc(sizeof *generator);
    if (generator)
        *generator = (struct generator){.source = source, .state = EVP_RAND_STATE_UNINITIALISED};
    return generator;
}

static void generator_free(void *generator)
{
    OPENSSL_free(generator);
}

static int generator_instantiate(void *argument, unsigned int strength, int prediction_resistance,
                                 const unsigned char *personal, size_t personal_size,
                                 const OSSL_PARAM parameters[])
{
    struct generator *generator = argument;
    generator->state = EVP_RAND_STATE_READY;
    return strength <= STRENGTH_BITS;
}

static int generator_uninstantiate(void *argument)
{
    struct generator *generator = argument;
    generator->state = EVP_RAND_STATE_UNINITIALISED;
    return 1;
}

static int generator_generate(void *argument, unsigned char *bytes, size_t size, unsigned int strength,
                              int prediction_resistance, const unsigned char *added, size_t added_size)
{
    struct generator *generator = argument;
    if (strength > STRENGTH_BITS || !generator->source->world)
        return 0;
    world_random(generator->source->world, bytes, size);
    return 1;
}

/* There is nothing to stir: the world's bytes need no seed of ours. */
static int generator_reseed(void *generator, int prediction_resistance, const unsigned char *entropy,
                            size_t entropy_size, const unsigned char *added, size_t added_size)
{
    return 1;
}

/* A library context belongs to one core, so there is nothing to lock; OpenSSL asks for the calls all the
 * same.
 */
static int generator_enable_locking(void *generator)
{
    return 1;
}

static int generator_lock(void *generator)
{
    return 1;
}

static void generator_unlock(void *generator)
{
}

static const OSSL_PARAM *generator_gettable(void *generator, void *source)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL), OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
        OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL), OSSL_PARAM_END};
    return gettable;
}

static int generator_get(void *argument, OSSL_PARAM parameters[])
{
    struct generator *generator = argument;
    OSSL_PARAM *state = OSSL_PARAM_locate(parameters, OSSL_RAND_PARAM_STATE);
    OSSL_PARAM *strength = OSSL_PARAM_locate(parameters, OSSL_RAND_PARAM_STRENGTH);
    OSSL_PARAM *request = OSSL_PARAM_locate(parameters, OSSL_RAND_PARAM_MAX_REQUEST);
    return (!state || OSSL_PARAM_set_int(state, generator->state)) &&
           (!strength || OSSL_PARAM_set_uint(strength, STRENGTH_BITS)) &&
           (!request || OSSL_PARAM_set_size_t(request, REQUEST_BYTES_MAX));
}

static const OSSL_DISPATCH generator_calls[] = {
    {OSSL_FUNC_RAND_NEWCTX, (void (*)(void))generator_new},
    {OSSL_FUNC_RAND_FREECTX, (void (*)(void))generator_free},
    {OSSL_FUNC_RAND_INSTANTIATE, (void (*)(void))generator_instantiate},
    {OSSL_FUNC_RAND_UNINSTANTIATE, (void (*)(void))generator_uninstantiate},
    {OSSL_FUNC_RAND_GENERATE, (void (*)(void))generator_generate},
    {OSSL_FUNC_RAND_RESEED, (void (*)(void))generator_reseed},
    {OSSL_FUNC_RAND_ENABLE_LOCKING, (void (*)(void))generator_enable_locking},
    {OSSL_FUNC_RAND_LOCK, (void (*)(void))generator_lock},
    {OSSL_FUNC_RAND_UNLOCK, (void (*)(void))generator_unlock},
    {OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, (void (*)(void))generator_gettable},
    {OSSL_FUNC_RAND_GET_CTX_PARAMS, (void (*)(void))generator_get},
    {0, NULL},
};

static const OSSL_ALGORITHM *provider_query(void *source, int operation, int *no_store)
{
    static const OSSL_ALGORITHM generators[] = {
        {TLS_RANDOM_NAME, "provider=" TLS_RANDOM_NAME, generator_calls, "the world's random bytes"},
        {NULL, NULL, NULL, NULL},
    };
    *no_store = 0;
    return operation == OSSL_OP_RAND ? generators : NULL;
}

static void provider_teardown(void *source)
{
    OPENSSL_free(source);
}

static const OSSL_DISPATCH provider_calls[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))provider_query},
    {OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))provider_teardown},
    {0, NULL},
};

int tls_random_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                    void **context)
{
    *out = provider_calls;
    *context = OPENSSL_zalloc(sizeof(struct random_source));
    return *context != NULL;
}

void tls_random_set_world(OSSL_PROVIDER *provider, struct world *world)
{
    struct random_source *source = OSSL_PROVIDER_get0_provider_ctx(provider);
    source->world = world;
}
