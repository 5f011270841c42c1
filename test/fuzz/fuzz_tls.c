/* TLS, whatever the peer's bytes: a handshake fails with one of three states or succeeds, and a stream gives
 * text until its end or its error, which it then repeats.
 *
 * An input is what the peer sends:  role | chunk | bytes
 *     role   bit 0: we are the client; bit 1: TLS 1.2 is refused; bit 2: we demand a certificate (server)
 *     chunk  the most bytes that arrive at once, in 16s; 0 = all
 * Our random numbers and our time are the same for each input, so a conversation that was recorded once works
 * again, up to where it was changed. */
#include "base/check.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "base/tls/tls.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>

enum { ROLE_CLIENT = 1, ROLE_TLS13 = 2, ROLE_DEMANDING = 4, ROLES = 8 };

/* ---- a world that stands still ---- */

static uint64_t random_state;

static uint64_t world_stands_at(struct world *world)
{
    return 1;
}

static int64_t wall_stands_at(struct world *world)
{
    return 1767225600000000; /* 2026-01-01 */
}

/* splitmix64 (Steele et al. 2014) */
static void random_bytes(struct world *world, void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint64_t mixed = random_state += 0x9e3779b97f4a7c15;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
        ((uint8_t *)bytes)[i] = (uint8_t)(mixed ^ mixed >> 31);
    }
}

static void already_home(struct world *here)
{
    (void)here;
}

static const struct world_ops world_ops = {
    .now = world_stands_at, .wall = wall_stands_at, .random = random_bytes, .home = already_home};

static struct world world = {.ops = &world_ops, .cores = 1};
static struct tls_context *contexts[ROLES];

static void open_context(unsigned role, struct bytes certificate, struct bytes key)
{
    static const char *const protocols[] = {"h2", "http/1.1", NULL};
    struct error error;
    struct tls_options options = {.server = !(role & ROLE_CLIENT),
                                  .certificate_pem = certificate,
                                  .key_pem = key,
                                  .trust_pem = certificate,
                                  .require_peer = role & ROLE_DEMANDING,
                                  .tls12 = !(role & ROLE_TLS13),
                                  .host = role & ROLE_CLIENT ? "fuzz.test" : NULL,
                                  .protocols = protocols};
    enum sqlstate failed = tls_context_open(&world, world.scope, &options, &contexts[role], &error);
    check(!failed, "%s", error_text(&error, ERROR_MESSAGE));
}

static void open_world(void)
{
    struct error error;
    struct bytes certificate, key;
    const struct tls_make make = {
        .common_name = "fuzz", .names = (const char *const[]){"fuzz.test", NULL}, .valid_days = 30};
    world.scope = scope_open_root("fuzz", NULL);
    check(world.scope);
    check(!scheduler_open(world.scope, &(struct scheduler_options){0}, &world.scheduler, &error));
    check(!tls_make_certificate(&world, world.scope, &make, &certificate, &key, &error));
    for (unsigned role = 0; role < ROLES; role++)
        open_context(role, certificate, key);
}

/* ---- a stream that says what the input says ---- */

struct script {
    struct stream stream;
    struct bytes left;
    size_t chunk;
    uint8_t *view; /* of its exact size, for the address sanitizer */
};

static enum sqlstate script_receive(struct stream *stream, struct bytes *view, uint64_t deadline_ns,
                                    struct error *error)
{
    struct script *script = (struct script *)stream;
    size_t size = script->left.size < script->chunk ? script->left.size : script->chunk;
    free(script->view);
    script->view = malloc(size + !size);
    check(script->view);
    if (size)
        memcpy(script->view, script->left.data, size);
    *view = bytes_of(script->view, size);
    script->left = bytes_of(script->left.data + size, script->left.size - size);
    return SQLSTATE_OK;
}

static enum sqlstate script_send(struct stream *stream, const struct bytes *pieces, size_t count,
                                 uint64_t deadline_ns, struct error *error)
{
    return SQLSTATE_OK;
}

static enum sqlstate script_shutdown(struct stream *stream, uint64_t deadline_ns, struct error *error)
{
    return SQLSTATE_OK;
}

static void script_reset(struct stream *stream)
{
}

static const struct stream_ops script_ops = {
    .receive = script_receive, .send = script_send, .shutdown = script_shutdown, .reset = script_reset};

/* ---- one conversation ---- */

/* Echoes what comes, until the end. */
static void talk(struct stream *stream, size_t size_max)
{
    struct error error, again;
    struct bytes view;
    enum sqlstate failed;
    size_t received = 0;
    do {
        failed = stream_receive(stream, &view, FIBER_NO_DEADLINE, &error);
        if (!failed && view.size) {
            received += view.size;
            failed = stream_send(stream, &view, 1, FIBER_NO_DEADLINE, &error);
        }
    } while (!failed && view.size);
    check(received < size_max, "%zu bytes of text came out of %zu bytes", received, size_max);
    check(!failed || failed == SQLSTATE_CONNECTION_FAILURE || failed == SQLSTATE_INVALID_AUTHORIZATION);
    check(stream_receive(stream, &view, FIBER_NO_DEADLINE, &again) == failed && !view.size);
    check(!failed || !strcmp(error_text(&error, ERROR_MESSAGE), error_text(&again, ERROR_MESSAGE)));
    check(!stream_shutdown(stream, FIBER_NO_DEADLINE, &error) || failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    random_state = 1;
    if (!world.scope)
        open_world();
    random_state = 2;
    struct script script = {.stream.ops = &script_ops,
                            .left = bytes_of(data + 2, size - 2),
                            .chunk = data[1] ? data[1] * 16 : SIZE_MAX};
    struct scope *scope = scope_open(world.scope, "connection");
    struct stream *stream;
    struct error error;
    enum sqlstate failed =
        tls_open(contexts[data[0] % ROLES], scope, &script.stream, FIBER_NO_DEADLINE, &stream, &error);
    if (failed)
        check(failed == SQLSTATE_CONNECTION_FAILURE || failed == SQLSTATE_PROTOCOL_VIOLATION ||
                  failed == SQLSTATE_INVALID_AUTHORIZATION,
              "%s", error_text(&error, ERROR_MESSAGE));
    else
        talk(stream, size);
    scope_close(scope);
    free(script.view);
    return 0;
}
