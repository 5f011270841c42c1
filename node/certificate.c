/* The key is written before the certificate, each by file_replace(), so a certificate that is there has its
 * key, wherever a crash came. A pair whose key was taken away is made anew, the old certificate removed
 * first. Before a pair is shown to anybody its directory is synced, also when it was found there: whoever
 * renamed it may have been killed before that. */
#include "node/certificate.h"

#include "base/scope.h"
#include "base/tls/tls.h"
#include "node/file.h"
#include "node/limits.h"

static const char key_name[] = "server.key";
static const char chain_name[] = "server.crt";

/* Ten years: nobody renews it by hand, and clients that trust it have been told this very certificate. */
enum { VALID_DAYS = 3650 };

enum sqlstate certificate_load(struct world *world, struct scope *scope, const char *chain_path,
                               const char *key_path, struct certificate *certificate, struct error *error)
{
    enum sqlstate failed =
        file_read_whole(world, scope, key_path, NODE_PEM_BYTES_MAX, &certificate->key_pem, error);
    if (failed)
        return failed;
    return file_read_whole(world, scope, chain_path, NODE_PEM_BYTES_MAX, &certificate->chain_pem, error);
}

static bool is_wildcard(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static enum sqlstate certificate_make(struct world *world, struct scope *scope, const char *directory,
                                      const char *const hosts[static 2], struct certificate *certificate,
                                      struct error *error)
{
    const char *names[6] = {"localhost", "127.0.0.1", "::1"};
    size_t count = 3;
    for (int i = 0; i < 2; i++) {
        bool known = is_wildcard(hosts[i]);
        for (size_t j = 0; j < count && !known; j++)
            known = strcmp(names[j], hosts[i]) == 0;
        if (!known)
            names[count++] = hosts[i];
    }
    const struct tls_make make = {.common_name = "synodd", .names = names, .valid_days = VALID_DAYS};
    enum sqlstate failed =
        tls_make_certificate(world, scope, &make, &certificate->chain_pem, &certificate->key_pem, error);
    if (!failed)
        failed = file_replace(world, directory, key_name, certificate->key_pem, error);
    if (!failed)
        failed = file_replace(world, directory, chain_name, certificate->chain_pem, error);
    return failed;
}

enum sqlstate certificate_load_own(struct world *world, struct scope *scope, const char *directory,
                                   const char *const hosts[static 2], struct certificate *certificate,
                                   struct error *error)
{
    const char *place = file_path(scope, directory, "tls");
    const char *chain_path = file_path(scope, place, chain_name);
    enum sqlstate failed = disk_make_directory(world, place, error);
    if (!failed)
        failed = disk_sync_directory(world, directory, error);
    if (!failed)
        failed = disk_sync_directory(world, place, error);
    if (failed)
        return failed;
    failed =
        certificate_load(world, scope, chain_path, file_path(scope, place, key_name), certificate, error);
    if (failed != SQLSTATE_UNDEFINED_FILE)
        return failed;
    error_clear(error);
    failed = disk_remove(world, chain_path, error);
    if (failed && failed != SQLSTATE_UNDEFINED_FILE)
        return failed;
    error_clear(error);
    failed = disk_sync_directory(world, place, error);
    if (failed)
        return failed;
    return certificate_make(world, scope, place, hosts, certificate, error);
}
