/* One core's OpenSSL: a library context, the providers in it, and the buffers of the core's TLS streams. */
#include "base/tls/library.h"

#include "base/check.h"

#include <openssl/err.h>
#include <openssl/rand.h>

/* With the address sanitizer, a spare buffer is poisoned, so that it sees who keeps a view too long. */
#if defined(__SANITIZE_ADDRESS__)
#define BUFFERS_POISONED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BUFFERS_POISONED 1
#endif
#endif
#ifdef BUFFERS_POISONED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes)   ((void)(memory), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#endif

static void library_close(void *argument)
{
    struct tls_library *library = argument;
    library->world->tls = NULL;
    BIO_meth_free(library->transport);
    if (library->algorithms)
        OSSL_PROVIDER_unload(library->algorithms);
    if (library->random)
        OSSL_PROVIDER_unload(library->random);
    OSSL_LIB_CTX_free(library->openssl);
}

/* Makes what the library consists of; false when some part cannot be had. The machine's openssl.cnf is not
 * read: what our TLS accepts is said in this folder, the same on every machine. */
static bool library_fill(struct tls_library *library)
{
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    library->transport = tls_transport_new();
    library->openssl = OSSL_LIB_CTX_new();
    if (!library->transport || !library->openssl)
        return false;
    if (!OSSL_PROVIDER_add_builtin(library->openssl, TLS_RANDOM_NAME, tls_random_init))
        return false;
    library->random = OSSL_PROVIDER_load(library->openssl, TLS_RANDOM_NAME);
    if (!library->random)
        return false;
    tls_random_set_world(library->random, library->world);
    library->algorithms = OSSL_PROVIDER_load(library->openssl, "default");
    return library->algorithms &&
           RAND_set_DRBG_type(library->openssl, TLS_RANDOM_NAME, "provider=" TLS_RANDOM_NAME, NULL, NULL);
}

struct making {
    struct tls_library *library;
    bool made;
};

static void make(void *argument)
{
    struct making *making = argument;
    ERR_clear_error();
    making->made = library_fill(making->library);
}

enum sqlstate tls_library_of(struct world *world, struct tls_library **library, struct error *error)
{
    *library = world->tls;
    if (*library)
        return SQLSTATE_OK;
    world_home(world); /* OpenSSL keeps a context's generators per thread, and frees them with the thread */
    if ((*library = world->tls))
        return SQLSTATE_OK;
    struct tls_library *new = scope_alloc_zeroed(world->scope, sizeof *new);
    new->world = world;
    new->records_per_key = TLS_RECORDS_PER_KEY;
    new->gathered = scope_alloc(world->scope, TLS_RECORD_BYTES);
    struct scope_undo *close = scope_undo_foreign(world->scope, library_close, new);
    struct making making = {.library = new};
    fiber_call_on_big_stack(world->scheduler, make, &making);
    if (!making.made) {
        scope_undo_now(close);
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "OpenSSL could not be started: %s", tls_reason());
    }
    *library = world->tls = new;
    return SQLSTATE_OK;
}

enum sqlstate tls_buffer_take(struct tls_library *library, struct tls_buffer **buffer, struct error *error)
{
    if (library->spare) {
        *buffer = library->spare;
        library->spare = (*buffer)->next;
        library->spares--;
        ASAN_UNPOISON_MEMORY_REGION((*buffer)->data, TLS_BUFFER_BYTES);
    } else {
        void *memory;
        enum sqlstate failed =
            scope_alloc_large(library->world->scope, sizeof **buffer, TLS_BUFFER_ALIGNMENT, &memory, error);
        if (failed)
            return failed;
        *buffer = memory;
    }
    (*buffer)->next = NULL;
    (*buffer)->used = 0;
    (*buffer)->sent = 0;
    return SQLSTATE_OK;
}

void tls_buffer_give(struct tls_library *library, struct tls_buffer *buffer)
{
    if (!buffer)
        return;
    if (library->spares == TLS_BUFFERS_KEPT) {
        scope_free_large(library->world->scope, buffer);
        return;
    }
    ASAN_POISON_MEMORY_REGION(buffer->data, TLS_BUFFER_BYTES);
    buffer->next = library->spare;
    library->spare = buffer;
    library->spares++;
}

const char *tls_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    return reason ? reason : "no reason given";
}
