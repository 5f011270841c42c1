/* The first password: the file is written before the catalog is made, and a catalog that is not there yet is made with the
 * password of a file that is; so whoever finds the file finds the password that holds, wherever a crash came. */
#include "node/sql.h"

#include "base/log.h"
#include "base/mailbox.h"
#include "base/scope.h"
#include "engine/engine.h"
#include "node/datadir.h"
#include "node/file.h"
#include "node/limits.h"
#include "restgw/api/api.h"
#include "restgw/http/http.h"
#include "restgw/pgwire/pgwire.h"
#include "sqlfront/catalog/catalog.h"
#include "sqlfront/session.h"

#include <string.h>

struct node_sql {
    const struct node_options *options;
    struct engine *engine;
    void *catalog_shared, *sessions_shared;
    uint64_t cluster; /* set by core 0 before its engine opens, read by the others after gate 1 */
    uint8_t secret[32];
    bool started[CORES_MAX];              /* each slot is its own core's, like those below */
    struct sessions *sessions[CORES_MAX]; /* NULL = not open */
    struct pgwire *door[CORES_MAX];
    struct scope *serving[CORES_MAX]; /* that the door lives in */
    void *api_shared;
    struct api *api[CORES_MAX];
};

static const char password_name[] = "initial-password";

static enum sqlstate shared_make(struct scope *scope, size_t bytes, void **memory, struct error *error)
{
    enum sqlstate failed = scope_alloc_large(scope, bytes, 64, memory, error);
    if (!failed)
        memset(*memory, 0, bytes);
    return failed;
}

enum sqlstate node_sql_open(struct scope *scope, const struct node_options *options, struct node_sql **sql,
                            struct error *error)
{
    struct node_sql *made = scope_alloc_zeroed(scope, sizeof *made);
    made->options = options;
    enum sqlstate failed = shared_make(scope, engine_size(), (void **)&made->engine, error);
    if (!failed)
        failed = shared_make(scope, catalog_shared_size(), &made->catalog_shared, error);
    if (!failed)
        failed = shared_make(scope, sessions_shared_size(), &made->sessions_shared, error);
    if (!failed)
        failed = shared_make(scope, api_shared_size(), &made->api_shared, error);
    *sql = made;
    return failed;
}

void node_sql_identify(struct node_sql *sql, struct world *world, const struct datadir *datadir)
{
    memcpy(&sql->cluster, datadir->cluster.bytes, sizeof sql->cluster);
    world_random(world, sql->secret, sizeof sql->secret);
}

enum sqlstate node_sql_start(struct node_sql *sql, struct world *world, struct scope *scope,
                             struct error *error)
{
    const struct engine_options options = {
        .directory = sql->options->data,
        .memory_bytes = sql->options->memory_bytes,
        .cluster = sql->cluster,
    };
    enum sqlstate failed = engine_open(world, scope, &options, sql->engine, error);
    sql->started[world->core] = !failed;
    /* What it tried and found missing is no failure. */
    if (!failed)
        error_clear(error);
    return failed;
}

/* ---- the first password ---- */

/* Letters and digits, 143 bits of them. */
static void password_draw(struct world *world, char password[static 25])
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789ABCDEFGH";
    uint8_t random[24];
    world_random(world, random, sizeof random);
    for (int i = 0; i < 24; i++)
        password[i] = letters[random[i] & 63];
    password[24] = '\0';
}

/* The password of the first role: the one given, that of the file, or a new one. */
static enum sqlstate password_take(struct node_sql *sql, struct world *world, struct scope *scope,
                                   const char **password, bool *made, struct error *error)
{
    const struct node_options *options = sql->options;
    struct bytes content;
    *made = false;
    *password = options->password;
    if (*password)
        return SQLSTATE_OK;
    const char *path = file_path(scope, options->data, password_name);
    enum sqlstate failed = file_read_whole(world, scope, path, NODE_PASSWORD_BYTES_MAX, &content, error);
    *made = true;
    if (!failed && content.size > 1) {
        char *text = scope_copy(scope, content.data, content.size + 1);
        text[strcspn(text, "\n")] = '\0';
        *password = text;
        return SQLSTATE_OK;
    }
    if (failed && failed != SQLSTATE_UNDEFINED_FILE)
        return failed;
    error_clear(error);
    char *drawn = scope_alloc(scope, 32);
    password_draw(world, drawn);
    *password = scope_copy_text(scope, drawn);
    drawn[24] = '\n';
    return file_replace(world, options->data, password_name, bytes_of(drawn, 25), error);
}

enum sqlstate node_sql_prepare(struct node_sql *sql, struct world *world, struct scope *scope,
                               struct error *error)
{
    const struct node_options *options = sql->options;
    bool exists, made = false, new_password = false;
    const char *password;
    struct scope *work = scope_open(scope, "first catalog");
    enum sqlstate failed = catalog_exists(world, sql->engine, &exists, error);
    if (!failed && !exists) {
        failed = password_take(sql, world, work, &password, &new_password, error);
        if (!failed)
            failed = catalog_bootstrap(world, sql->engine, password, &made, error);
        if (!failed && new_password && options->password_made)
            options->password_made(options->ready_argument, password,
                                   file_path(work, options->data, password_name));
    }
    if (!failed)
        log_line(world, LOG_INFO, "catalog_open", "catalog %s", made ? "made" : "opened");
    fiber_close_scope(world->scheduler, work);
    return failed ? failed : sessions_clean(world, sql->engine, error);
}

/* ---- serving ---- */

enum sqlstate node_sql_serve(struct node_sql *sql, struct world *world, struct scope *scope,
                             struct tls_context *tls, struct bytes certificate_pem, struct error *error)
{
    struct sessions_options options = {
        .engine = sql->engine,
        .shared = sql->sessions_shared,
        .sql_port = sql->options->sql_port,
    };
    struct pgwire_options door = {
        .tls = tls,
        .certificate_pem = certificate_pem,
        .send_timeout_ms = sql->options->send_timeout_ms,
        .startup_timeout_ms = sql->options->handshake_timeout_ms,
    };
    memcpy(door.secret, sql->secret, sizeof door.secret);
    enum sqlstate failed =
        catalog_open(world, scope, sql->engine, sql->catalog_shared, &options.catalog, error);
    if (!failed)
        failed = sessions_open(world, scope, &options, &door.sessions, error);
    if (!failed) {
        sql->sessions[world->core] = door.sessions;
        sql->door[world->core] = pgwire_open(world, sql->serving[world->core] = scope, &door);
    }
    const struct api_options rest = {
        .sessions = door.sessions, .shared = sql->api_shared, .database = "synod"};
    if (!failed)
        failed = api_open(world, scope, &rest, &sql->api[world->core], error);
    if (!failed)
        error_clear(error);
    return failed;
}

/* To another core and back; it opens its context in a fiber, since OpenSSL wants a big stack. */
struct renewal {
    struct mail mail;
    struct node_sql *sql;
    struct world *here;
    struct bytes certificate_pem, key_pem;
    struct error error;
};

static void renewal_fiber(void *argument)
{
    struct renewal *renewal = argument;
    struct world *here = renewal->here;
    (void)pgwire_renew(renewal->sql->door[here->core], renewal->certificate_pem, renewal->key_pem,
                       &renewal->error);
    mail_return(here, &renewal->mail);
}

static void renewal_deliver(struct world *here, struct mail *mail)
{
    struct renewal *renewal = container_of(mail, struct renewal, mail);
    renewal->here = here;
    struct scope *scope = renewal->sql->serving[here->core]; /* NULL = this core has stopped */
    if (!scope ||
        fiber_start(here->scheduler, scope, "renewal", renewal_fiber, renewal, NULL, &renewal->error))
        mail_return(here, mail);
}

enum sqlstate node_sql_renew(struct node_sql *sql, struct world *world, struct scope *scope,
                             struct bytes certificate_pem, struct bytes key_pem, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t core = 0; core < world->cores && !failed; core++) {
        struct renewal *renewal = scope_alloc_zeroed(scope, sizeof *renewal);
        *renewal = (struct renewal){.mail = {.deliver = renewal_deliver},
                                    .sql = sql,
                                    .certificate_pem = certificate_pem,
                                    .key_pem = key_pem};
        failed = mail_call(world, scope, core, &renewal->mail, error);
        if (!failed && renewal->error.state) {
            *error = renewal->error;
            failed = error->state;
        }
    }
    return failed;
}

void node_sql_rest(struct node_sql *sql, struct world *world, struct http *http)
{
    api_shared_open(sql->api_shared, world, http);
}

void node_sql_routes(struct node_sql *sql, struct http_options *options)
{
    options->routes = api_routes;
    options->route_count = api_route_count;
    options->place = api_place;
    options->serve = api_serve;
    options->argument = sql->api_shared;
}

void node_sql_rest_drain(struct node_sql *sql, struct world *world)
{
    if (sql->api[world->core])
        api_drain(sql->api[world->core]);
    sql->api[world->core] = NULL;
}

struct pgwire *node_sql_door(struct node_sql *sql, const struct world *world)
{
    return sql->door[world->core];
}

void node_sql_stop(struct node_sql *sql, struct world *world)
{
    struct error error = {0};
    if (!sql->started[world->core])
        return;
    sql->started[world->core] = false;
    sql->serving[world->core] = NULL;
    if (sql->sessions[world->core])
        sessions_close(sql->sessions[world->core]);
    if (engine_close(world, sql->engine, &error))
        log_error(world, LOG_WARN, "engine_close_failed", &error, "the last checkpoint could not be made");
}
