/* How the cores of a node come up, share the connections, and go down together.
 *
 * Core 0 leads: it owns the data directory, the listeners and the count of connections; the others follow.
 * Cores meet at gates: a follower sends its gate mail to core 0 and goes on when it comes back, which is when
 * core 0 has got all of them and decided.
 *
 *     core 0                                    every other core
 *     opens data directory, certificate
 *     gate 1 ---- certificate, go? ------------>  takes the certificate
 *     opens the engine                            opens the engine
 *     gate 2 <--- failed?
 *     makes the first catalog ---- go? -------->
 *     opens catalog, sessions, doors              opens catalog, sessions, doors
 *     gate 3 <--- failed? ---- go? ------------>
 *     listens, tells who waits, accepts           serves what it is handed
 *         ... asked to stop (world_stop) ...
 *     stops accepting, drains its doors           drains its doors
 *     waits until every visit is back
 *     gate 4 ---------------------------------->
 *     closes the engine                           closes the engine, returns
 *     closes the data directory, returns
 *
 * A visit is a mail that hands one connection to the least loaded core and comes back when the connection has
 * ended: what is out is what is open, so core 0 counts without asking. Core 0 answers gate 4 only when all
 * are back, so no visit ever comes to a core that has left. */
#include "node/node.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/scope.h"
#include "base/tls/tls.h"
#include "node/certificate.h"
#include "node/datadir.h"
#include "node/echo.h"
#include "node/limits.h"
#include "node/sql.h"
#include "restgw/http/http.h"
#include "restgw/pgwire/pgwire.h"

#define NS_PER_MS 1000000UL

/* One connection on its way to a core, there, and back. Core 0's memory. */
struct node_visit {
    struct mail mail;
    struct echo_visit visit;
    struct pgwire_visit sql;
    struct node *node;
    bool is_sql;
    uint32_t core;              /* where it went */
    struct list_link free_link; /* in visits_free */
};

/* Shared by the cores: first what nobody changes once cores run, then each part with its owner. */
struct node {
    struct node_options options;
    struct echo *doors[CORES_MAX]; /* each slot is set and read by its own core alone */
    struct node_sql *sql;          /* NULL = none */
    struct http *http;             /* NULL = the HTTPS port sends lines back */

    /* Set by core 0 before gate 1, read by the others between gates 1 and 2. */
    struct certificate certificate;

    /* Core 0's. */
    struct scope *scope;
    struct datadir *datadir;
    struct list gate_mails; /* of the followers that have come to the gate, by mail.link */
    uint32_t gate_count;
    struct fiber_queue changed;   /* woken when a follower comes to the gate, or the last visit is back */
    uint32_t visitors[CORES_MAX]; /* connections each core has */
    uint32_t visitors_all;        /* without refusals */
    uint32_t refusals;            /* clients being told that there are too many */
    uint32_t turn;                /* where the search for the least loaded core begins */
    uint64_t visitors_total;      /* since start */
    bool reloadable;              /* the HTTPS port is open */
    struct list visits_free;
    struct error failure; /* state SQLSTATE_OK while nothing went wrong */
};

/* A follower's word to core 0, and the answer. Its memory is the follower's. */
struct node_gate {
    struct mail mail;
    struct node *node;
    bool go;            /* out: core 0's decision */
    struct error error; /* in: what went wrong on this core, or SQLSTATE_OK */
};

/* One of the two ports, for its accepting fiber. */
struct node_port {
    struct world *world;
    struct node *node;
    struct listener *listener;
    struct net_address bound;
    bool tls;
};

/* ---- before and after ---- */

enum sqlstate node_open(struct scope *scope, const struct node_options *options, struct node **node,
                        struct error *error)
{
    void *memory;
    enum sqlstate failed = scope_alloc_large(scope, sizeof **node, 64, &memory, error);
    if (failed)
        return failed;
    struct node *made = memory;
    *made = (struct node){.options = *options};
    struct node_options *own = &made->options;
    own->data = scope_copy_text(scope, options->data);
    own->sql_host = scope_copy_text(scope, options->sql_host);
    own->https_host = scope_copy_text(scope, options->https_host);
    if (options->tls_certificate) {
        own->tls_certificate = scope_copy_text(scope, options->tls_certificate);
        own->tls_key = scope_copy_text(scope, options->tls_key);
    }
    own->connections_max = own->connections_max ? own->connections_max : NODE_CONNECTIONS_DEFAULT;
    own->handshake_timeout_ms =
        own->handshake_timeout_ms ? own->handshake_timeout_ms : ECHO_HANDSHAKE_TIMEOUT_MS;
    own->line_timeout_ms = own->line_timeout_ms ? own->line_timeout_ms : ECHO_LINE_TIMEOUT_MS;
    own->grace_ms = own->grace_ms ? own->grace_ms : NODE_GRACE_MS;
    if (options->password)
        own->password = scope_copy_text(scope, options->password);
    if (options->memory_bytes)
        failed = node_sql_open(scope, own, &made->sql, error);
    if (!failed && options->rest)
        failed = http_open(scope, &made->http, error);
    list_init(&made->gate_mails);
    list_init(&made->visits_free);
    fiber_queue_init(&made->changed);
    *node = made;
    return failed;
}

enum sqlstate node_outcome(const struct node *node, struct error *error)
{
    if (node->failure.state)
        *error = node->failure;
    return node->failure.state;
}

uint32_t node_connections(const struct node *node)
{
    return node->visitors_all;
}

uint64_t node_connections_total(const struct node *node)
{
    return node->visitors_total;
}

/* ---- gates ---- */

static void gate_deliver(struct world *here, struct mail *mail)
{
    struct node *node = container_of(mail, struct node_gate, mail)->node;
    list_append(&node->gate_mails, &mail->link);
    node->gate_count++;
    fiber_wake_all(&node->changed);
}

/* A follower comes to the next gate and waits for the decision. Yields. */
static bool gate_pass(struct world *world, struct scope *scope, struct node_gate *gate)
{
    struct error error = {0};
    gate->mail.deliver = gate_deliver;
    gate->go = false;
    fiber_shield_begin(world->scheduler);
    enum sqlstate failed = mail_call(world, scope, 0, &gate->mail, &error);
    fiber_shield_end(world->scheduler);
    return !failed && gate->go;
}

/* Core 0 waits until all followers have come; gives the error of one that failed, if any did. Yields. */
static enum sqlstate gate_wait(struct world *world, struct node *node, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    fiber_shield_begin(world->scheduler);
    while (node->gate_count < world->cores - 1)
        (void)fiber_wait(world->scheduler, &node->changed, FIBER_NO_DEADLINE);
    fiber_shield_end(world->scheduler);
    list_each (&node->gate_mails, at) {
        const struct node_gate *gate = container_of(at, struct node_gate, mail.link);
        if (gate->error.state && !failed) {
            *error = gate->error;
            failed = error->state;
        }
    }
    return failed;
}

/* Core 0 answers all followers. */
static void gate_answer(struct world *world, struct node *node, bool go)
{
    struct list_link *at;
    node->gate_count = 0;
    while ((at = list_take_first(&node->gate_mails))) {
        struct node_gate *gate = container_of(at, struct node_gate, mail.link);
        gate->go = go;
        mail_return(world, &gate->mail);
    }
}

/* ---- visits ---- */

static void visit_deliver(struct world *here, struct mail *mail)
{
    struct node_visit *visit = container_of(mail, struct node_visit, mail);
    if (visit->is_sql)
        pgwire_serve(node_sql_door(visit->node->sql, here), &visit->sql);
    else
        echo_serve(visit->node->doors[here->core], &visit->visit);
}

static void sql_visit_ended(struct world *here, struct pgwire_visit *sql)
{
    mail_return(here, &container_of(sql, struct node_visit, sql)->mail);
}

static void visit_ended(struct world *here, struct echo_visit *echo_visit)
{
    mail_return(here, &container_of(echo_visit, struct node_visit, visit)->mail);
}

static void visit_returned(struct world *here, struct mail *mail)
{
    struct node_visit *visit = container_of(mail, struct node_visit, mail);
    struct node *node = visit->node;
    node->visitors[visit->core]--;
    if (visit->visit.refused)
        node->refusals--;
    else
        node->visitors_all--;
    list_append(&node->visits_free, &visit->free_link);
    if (node->visitors_all + node->refusals == 0)
        fiber_wake_all(&node->changed);
}

/* The core with the fewest connections; among equals the one after that chosen last. */
static uint32_t least_loaded_core(const struct world *world, struct node *node)
{
    uint32_t best = node->turn % world->cores;
    for (uint32_t i = 1; i < world->cores; i++) {
        uint32_t core = (node->turn + i) % world->cores;
        if (node->visitors[core] < node->visitors[best])
            best = core;
    }
    node->turn = best + 1;
    return best;
}

/* Hands a connection to a core, or refuses it. May yield. */
static void visit_send(struct node_port *port, const struct net_handover *connection)
{
    struct world *world = port->world;
    struct node *node = port->node;
    bool refused = node->visitors_all >= node->options.connections_max;
    if (refused) {
        log_line(world, LOG_WARN, "connection_refused", "a client is refused: %u connections are open",
                 node->visitors_all);
        if (node->refusals >= NODE_REFUSALS_MAX) {
            net_discard(world, connection);
            return;
        }
    }
    struct list_link *free_link = list_take_first(&node->visits_free);
    struct node_visit *visit = free_link ? container_of(free_link, struct node_visit, free_link)
                                         : scope_alloc(node->scope, sizeof *visit);
    uint32_t core = least_loaded_core(world, node);
    *visit = (struct node_visit){
        .mail = {.deliver = visit_deliver, .returned = visit_returned},
        .visit = {.connection = *connection, .tls = port->tls, .refused = refused, .ended = visit_ended},
        .sql = {.connection = *connection, .refused = refused, .ended = sql_visit_ended},
        .is_sql = node->sql && !port->tls,
        .node = node,
        .core = core,
    };
    list_link_init(&visit->free_link);
    node->visitors[core]++;
    if (refused)
        node->refusals++;
    else
        node->visitors_all++;
    node->visitors_total += !refused;
    mail_send(world, core, &visit->mail);
}

/* The fiber of one port. */
static void port_accept(void *argument)
{
    struct node_port *port = argument;
    struct world *world = port->world;
    for (;;) {
        struct net_handover connection;
        struct error error = {0}, canceled;
        enum sqlstate failed = net_accept(world, port->listener, &connection, FIBER_NO_DEADLINE, &error);
        if (!failed) {
            visit_send(port, &connection);
            continue;
        }
        if (fiber_check_canceled(world->scheduler, &canceled))
            return;
        log_error(world, LOG_WARN, "accept_failed", &error, "a connection could not be accepted");
        /* Out of descriptors: that client was refused, the next may find one free. Else: not in a circle. */
        if (failed != SQLSTATE_TOO_MANY_CONNECTIONS &&
            fiber_sleep_until(world->scheduler, world->now_ns + NODE_ACCEPT_PAUSE_MS * NS_PER_MS) ==
                FIBER_CANCELED)
            return;
    }
}

/* ---- one core ---- */

/* Opens this core's TLS context and door. */
static enum sqlstate door_open(struct world *world, struct node *node, struct scope *scope,
                               struct error *error)
{
    const struct tls_options tls = {
        .server = true,
        .certificate_pem = node->certificate.chain_pem,
        .key_pem = node->certificate.key_pem,
        .tls12 = true,
    };
    struct echo_options options = {
        .send_timeout_ms =
            node->options.send_timeout_ms ? node->options.send_timeout_ms : ECHO_SEND_TIMEOUT_MS,
        .handshake_timeout_ms = node->options.handshake_timeout_ms,
        .line_timeout_ms = node->options.line_timeout_ms,
    };
    enum sqlstate failed = tls_context_open(world, scope, &tls, &options.tls, error);
    if (!failed)
        node->doors[world->core] = echo_open(world, scope, &options);
    if (!failed && node->sql)
        failed = node_sql_serve(node->sql, world, scope, options.tls, node->certificate.chain_pem, error);
    if (!failed && node->http)
        failed = http_core_open(node->http, world, scope, error);
    return failed;
}

static void door_drain(struct world *world, struct node *node)
{
    uint64_t deadline_ns = world->now_ns + node->options.grace_ms * NS_PER_MS;
    if (node->http)
        http_stop(node->http, deadline_ns);
    if (node->sql)
        pgwire_drain(node_sql_door(node->sql, world), deadline_ns);
    echo_drain(node->doors[world->core], deadline_ns);
    if (node->http)
        http_drain(node->http, world);
    if (node->sql)
        node_sql_rest_drain(node->sql, world);
}

static enum sqlstate service_open(struct world *world, struct node *node, struct scope *scope,
                                  struct error *error)
{
    return node->sql ? node_sql_start(node->sql, world, scope, error) : SQLSTATE_OK;
}

static void service_close(struct world *world, struct node *node)
{
    if (node->sql)
        node_sql_stop(node->sql, world);
}

static void node_wait_stop(struct world *world)
{
    /* A time-out cannot come; a cancellation asks for the same as a stop. */
    (void)world_wait_stop(world, FIBER_NO_DEADLINE);
}

static void node_follow(struct world *world, struct node *node, struct scope *scope)
{
    struct node_gate *gate = scope_alloc_zeroed(scope, sizeof *gate);
    gate->node = node;
    if (!gate_pass(world, scope, gate))
        return;
    (void)service_open(world, node, scope, &gate->error);
    bool go = gate_pass(world, scope, gate);
    if (go) {
        (void)door_open(world, node, scope, &gate->error);
        go = gate_pass(world, scope, gate);
    }
    if (go) {
        node_wait_stop(world);
        door_drain(world, node);
        (void)gate_pass(world, scope, gate);
    }
    service_close(world, node);
}

/* ---- core 0 ---- */

/* The user's certificate, or the node's own. */
static enum sqlstate node_certificate(struct world *world, struct node *node, struct scope *scope,
                                      struct certificate *certificate, struct error *error)
{
    const struct node_options *options = &node->options;
    const char *const hosts[2] = {options->sql_host, options->https_host};
    if (options->tls_certificate)
        return certificate_load(world, scope, options->tls_certificate, options->tls_key, certificate, error);
    return certificate_load_own(world, scope, options->data, hosts, certificate, error);
}

struct reload {
    struct world *world;
    struct node *node;
    struct scope *scope;
};

static void reload_fiber(void *argument)
{
    struct reload *reload = argument;
    struct world *world = reload->world;
    struct certificate certificate;
    struct error error = {0};
    enum sqlstate failed = node_certificate(world, reload->node, reload->scope, &certificate, &error);
    if (!failed)
        failed =
            http_reload_certificate(reload->node->http, certificate.chain_pem, certificate.key_pem, &error);
    if (!failed && reload->node->sql)
        failed = node_sql_renew(reload->node->sql, world, reload->scope, certificate.chain_pem,
                                certificate.key_pem, &error);
    if (failed)
        log_error(world, LOG_WARN, "certificate_kept", &error, "the new certificate is not used");
    else
        log_line(world, LOG_INFO, "certificate_reloaded", "connections to come see the new certificate");
    scope_close(reload->scope);
}

void node_reload(struct world *world, void *argument)
{
    struct node *node = argument;
    struct error error = {0};
    if (!node->reloadable)
        return;
    struct scope *scope = scope_open(node->scope, "reload");
    struct reload *reload = scope_alloc(scope, sizeof *reload);
    *reload = (struct reload){world, node, scope};
    if (fiber_start(world->scheduler, scope, "reload", reload_fiber, reload, NULL, &error)) {
        log_error(world, LOG_WARN, "certificate_kept", &error, "the new certificate is not used");
        scope_close(scope);
    }
}

static enum sqlstate node_prepare(struct world *world, struct node *node, struct error *error)
{
    const struct node_options *options = &node->options;
    enum sqlstate failed = datadir_open(world, node->scope, options->data, &node->datadir, error);
    if (failed)
        return failed;
    char name[UUID_TEXT_BYTES];
    uuid_text(&node->datadir->node, name);
    log_line(world, LOG_INFO, "datadir_open", "node %s %s data directory \"%s\"", name,
             node->datadir->fresh ? "made" : "opened", options->data);
    if (node->sql)
        node_sql_identify(node->sql, world, node->datadir);
    return node_certificate(world, node, node->scope, &node->certificate, error);
}

/* One try to open the port. */
static enum sqlstate port_open(struct node_port *port, struct scope *scope, const struct net_address *address,
                               struct error *error)
{
    struct node *node = port->node;
    if (!port->tls || !node->http)
        return net_listen(port->world, scope, address, &port->listener, &port->bound, error);
    struct http_options options = {
        .address = *address,
        .certificate_pem = node->certificate.chain_pem,
        .key_pem = node->certificate.key_pem,
        .files = api_files,
        .file_count = api_file_count,
        .connections_max = node->options.connections_max,
        .send_timeout_ms = node->options.send_timeout_ms,
    };
    if (node->sql)
        node_sql_routes(node->sql, &options);
    enum sqlstate failed = http_listen(node->http, port->world, &options, &port->bound, error);
    node->reloadable = !failed;
    return failed;
}

static enum sqlstate port_listen(struct node_port *port, struct scope *scope, const char *host,
                                 uint16_t number, struct error *error)
{
    struct net_address address;
    enum sqlstate failed = net_resolve(port->world, host, number, &address, error);
    if (failed)
        return failed;
    uint64_t deadline_ns = port->world->now_ns + NODE_LISTEN_PATIENCE_MS * NS_PER_MS;
    for (;;) {
        failed = port_open(port, scope, &address, error);
        if (failed != SQLSTATE_OBJECT_IN_USE || port->world->now_ns >= deadline_ns)
            return failed;
        if (fiber_sleep_until(port->world->scheduler,
                              port->world->now_ns + NODE_LISTEN_PAUSE_MS * NS_PER_MS) == FIBER_CANCELED)
            return failed;
    }
}

static enum sqlstate node_announce(struct world *world, struct node *node,
                                   const struct node_port ports[static 2], struct error *error)
{
    char sql[NET_ADDRESS_TEXT_BYTES], https[NET_ADDRESS_TEXT_BYTES];
    net_address_text(&ports[0].bound, sql);
    net_address_text(&ports[1].bound, https);
    enum sqlstate failed = datadir_write_endpoints(world, node->datadir, sql, https, error);
    if (failed)
        return failed;
    log_line(world, LOG_INFO, "node_ready", "listening on %s (sql) and %s (https)", sql, https);
    if (node->options.ready)
        node->options.ready(node->options.ready_argument, sql, https);
    return SQLSTATE_OK;
}

/* From listening to the end of accepting. What `scope` got is the caller's to close. */
static enum sqlstate node_serve(struct world *world, struct node *node, struct scope *scope,
                                struct error *error)
{
    struct node_port *ports = scope_alloc_zeroed(scope, 2 * sizeof *ports);
    ports[0] = (struct node_port){.world = world, .node = node, .tls = false};
    ports[1] = (struct node_port){.world = world, .node = node, .tls = true};
    enum sqlstate failed =
        port_listen(&ports[0], scope, node->options.sql_host, node->options.sql_port, error);
    if (!failed)
        failed = port_listen(&ports[1], scope, node->options.https_host, node->options.https_port, error);
    if (!failed)
        failed = node_announce(world, node, ports, error);
    for (int i = 0; i < 2 && !failed && ports[i].listener; i++)
        failed = fiber_start(world->scheduler, scope, i ? "accept_https" : "accept_sql", port_accept,
                             &ports[i], NULL, error);
    if (!failed)
        node_wait_stop(world);
    return failed;
}

/* Waits until every visit is back. Yields. */
static void visits_wait(struct world *world, struct node *node)
{
    fiber_shield_begin(world->scheduler);
    while (node->visitors_all + node->refusals > 0)
        (void)fiber_wait(world->scheduler, &node->changed, FIBER_NO_DEADLINE);
    fiber_shield_end(world->scheduler);
}

/* Keeps the first failure. */
static void node_fail(struct node *node, enum sqlstate failed, const struct error *error)
{
    if (failed && !node->failure.state)
        node->failure = *error;
}

static void node_run(struct world *world, struct node *node, struct scope *scope);

static void node_lead(struct world *world, struct node *node, struct scope *scope)
{
    struct error error = {0};
    node->scope = scope;
    node_fail(node, node_prepare(world, node, &error), &error);
    node_fail(node, gate_wait(world, node, &error), &error);
    gate_answer(world, node, !node->failure.state);
    if (node->failure.state)
        return;

    node_fail(node, service_open(world, node, scope, &error), &error);
    node_fail(node, gate_wait(world, node, &error), &error);
    if (!node->failure.state && node->sql)
        node_fail(node, node_sql_prepare(node->sql, world, scope, &error), &error);
    if (!node->failure.state && node->sql)
        node_sql_rest(node->sql, world, node->http);
    gate_answer(world, node, !node->failure.state);
    if (!node->failure.state) {
        node_fail(node, door_open(world, node, scope, &error), &error);
        node_fail(node, gate_wait(world, node, &error), &error);
        gate_answer(world, node, !node->failure.state);
    }
    if (!node->failure.state)
        node_run(world, node, scope);
    service_close(world, node);
}

/* From serving to when nobody is left who is served. */
static void node_run(struct world *world, struct node *node, struct scope *scope)
{
    struct error error = {0};
    struct scope *serving = scope_open(scope, "serving");
    node_fail(node, node_serve(world, node, serving, &error), &error);
    node->reloadable = false;
    world_stop(world); /* in case it is for a failure that we stop */
    fiber_close_scope(world->scheduler, serving);
    log_line(world, LOG_INFO, "node_stopping", "closing %u connections", node->visitors_all);
    node_fail(node, datadir_remove_endpoints(world, node->datadir, &error), &error);
    door_drain(world, node);
    visits_wait(world, node);
    (void)gate_wait(world, node, &error);
    gate_answer(world, node, true);
}

void node_core_main(struct world *world, void *node)
{
    struct scope *scope = scope_open(world->scope, "node");
    check(world->cores <= CORES_MAX);
    if (world->core == 0)
        node_lead(world, node, scope);
    else
        node_follow(world, node, scope);
    fiber_close_scope(world->scheduler, scope);
}
