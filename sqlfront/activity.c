/* What goes on: pg_stat_activity, pg_prepared_statements, pg_cursors, pg_settings as set-returning functions. The
 * sessions of other cores are asked by mail, which copies what is to be shown. */
#include "sqlfront/inside.h"

#include "sqlfront/copy.h"
#include "sqlfront/functions.h"
#include "sqlfront/locks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct session *session_of(const struct call *call)
{
    return call->environment->session;
}

/* ---- sessions of all cores ---- */

/* A session as others see it. */
struct sight {
    uint32_t process, database, role;
    bool own; /* the node's own work */
    char application[64], address[NET_ADDRESS_TEXT_BYTES], query[ACTIVITY_BYTES + 1];
    const char *state;
    uint64_t transaction; /* the engine's; 0 = none has begun */
    int64_t transaction_start, query_start, backend_start, state_change;
    const char *work; /* what it makes progress with: COPY, QUERY ...; NULL = nothing that is told */
    uint32_t work_relation;
    int64_t progress[PROGRESS_FIGURES];
};

struct sight_mail {
    struct mail mail;
    struct sessions_shared *shared;
    uint32_t room, count;
    struct sight *sight;
};

/* Figures of COPY stand where PostgreSQL's view looks for them: bytes done, bytes in all, rows, rows left out, FROM or TO,
 * kind of source. Those of QUERY are our own (doc/sql.md). */
static void progress_take(const struct session *session, struct sight *sight)
{
    if (session->copy) {
        sight->work = "COPY";
        sight->progress[0] = (int64_t)session->copy->bytes;
        sight->progress[2] = (int64_t)session->copy->number;
        sight->progress[4] = 1; /* FROM */
        sight->progress[5] = 3; /* a pipe: what the client sends */
        sight->work_relation = session->copy->relation;
        return;
    }
    if (session->progress.command) {
        sight->work = session->progress.command;
        sight->work_relation = session->progress.relation;
        memcpy(sight->progress, session->progress.figure, sizeof sight->progress);
        if (strcmp(sight->work, "CREATE INDEX") == 0) {
            sight->progress[15] = (int64_t)session->progress.blocks_total;
            sight->progress[16] = progress_blocks(&session->progress);
        } else if (strcmp(sight->work, "ANALYZE") == 0) {
            sight->progress[1] = (int64_t)session->progress.blocks_total;
            sight->progress[2] = progress_blocks(&session->progress);
        }
        return;
    }
    list_each (&session->portals_made, at) {
        const struct portal *portal = container_of(at, struct portal, link);
        struct execution_progress progress;
        if (!portal->execution || !session->fiber)
            continue;
        execution_progress(portal->execution, &progress);
        sight->work = "QUERY";
        sight->progress[0] = (int64_t)progress.rows_given;
        sight->progress[1] = (int64_t)progress.rows_planned;
        sight->progress[2] = (int64_t)progress.steps;
        sight->progress[3] = (int64_t)progress.steps_begun;
        sight->progress[4] = (int64_t)progress.rows_read;
        sight->progress[5] = (int64_t)progress.rows_passed;
        sight->progress[6] = (int64_t)progress.memory_bytes;
        sight->progress[7] = (int64_t)progress.temporary_bytes;
    }
}

static void sight_take(const struct session *session, struct sight *sight)
{
    bool active = session->fiber != NULL;
    *sight = (struct sight){
        .process = session->process,
        .own = session->options.role == NULL,
        .database = session->identity.database,
        .role = session->identity.session_role,
        .state = active                                 ? "active"
                 : session->state == TRANSACTION_FAILED ? "idle in transaction (aborted)"
                 : session->state != TRANSACTION_NONE   ? "idle in transaction"
                                                        : "idle",
        .transaction = session->transaction ? transaction_id(session->transaction) : 0,
        .transaction_start = session->transaction_start,
        .query_start = session->query_start,
        .backend_start = session->backend_start,
        .state_change = session->state_change,
    };
    snprintf(sight->application, sizeof sight->application, "%s",
             settings_get(&session->settings, "application_name"));
    snprintf(sight->address, sizeof sight->address, "%s", session->options.client_address);
    memcpy(sight->query, session->activity, session->activity_bytes);
    progress_take(session, sight);
}

static void sight_deliver(struct world *here, struct mail *mail)
{
    struct sight_mail *asked = container_of(mail, struct sight_mail, mail);
    const struct sessions *sessions = asked->shared->core[here->core];
    asked->count = 0;
    if (sessions)
        list_each (&sessions->all, at) {
            if (asked->count < asked->room)
                sight_take(container_of(at, struct session, link), &asked->sight[asked->count]);
            asked->count++;
        }
    mail_return(here, mail);
}

/* Asks a core for its sessions, twice when there were more than room. */
static enum sqlstate sight_ask(struct session *session, struct scope *scope, uint32_t core,
                               struct sight_mail **answer, struct error *error)
{
    uint32_t room = 64;
    for (;;) {
        struct sight_mail *asked = scope_alloc_zeroed(scope, sizeof *asked);
        void *memory;
        enum sqlstate failed = scope_alloc_large(scope, room * sizeof(struct sight), 16, &memory, error);
        if (failed)
            return failed;
        *asked = (struct sight_mail){.mail = {.deliver = sight_deliver},
                                     .shared = session->sessions->shared,
                                     .room = room,
                                     .sight = memory};
        failed = mail_call(session->world, scope, core, &asked->mail, error);
        *answer = asked;
        if (failed || asked->count <= room)
            return failed;
        room = asked->count + 64;
    }
}

/* All sessions, as they were when the function was opened. */
struct sights {
    struct sight_mail *core[CORES_MAX];
    uint32_t cores, at_core, at;
    int64_t only;              /* 0 = all */
    struct lock_sights *waits; /* for activity_open(), as the next two */
    uint64_t oldest_transaction, oldest_scn;
    char work[16];
};

static enum sqlstate sights_open(struct call *call, const struct value *arguments)
{
    struct session *session = session_of(call);
    struct sights *sights = scope_alloc_zeroed(call->scope_lasting, sizeof *sights);
    sights->cores = session->world->cores;
    sights->only = call->arguments && arguments && !arguments[0].null ? arguments[0].i : 0;
    call->memory = sights;
    for (uint32_t core = 0; core < sights->cores; core++) {
        enum sqlstate failed =
            sight_ask(session, call->scope_lasting, core, &sights->core[core], call->error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static const struct sight *sights_next(struct sights *sights)
{
    for (; sights->at_core < sights->cores; sights->at_core++, sights->at = 0)
        while (sights->at < sights->core[sights->at_core]->count) {
            const struct sight *sight = &sights->core[sights->at_core]->sight[sights->at++];
            if (!sights->only || sights->only == sight->process)
                return sight;
        }
    return NULL;
}

enum sqlstate activity_backends(struct call *call, const struct value *arguments, struct value *result)
{
    const struct sight *sight;
    int64_t count = 0;
    enum sqlstate failed = sights_open(call, NULL);
    if (failed)
        return failed;
    while ((sight = sights_next(call->memory)))
        count += sight->database == (uint32_t)arguments[0].i;
    *result = value_integer(count);
    return SQLSTATE_OK;
}

static struct value time_value(int64_t time)
{
    return time ? value_integer(time) : value_null();
}

static enum sqlstate address_values(struct call *call, const char *address, struct value *host,
                                    struct value *port)
{
    char text[64];
    int number;
    const char *colon = strrchr(address, ':');
    const struct type *type = type_builtin(TYPE_INET);
    *host = value_null();
    *port = value_null();
    if (!colon || sscanf(colon + 1, "%d", &number) != 1)
        return SQLSTATE_OK;
    bool v6 = *address == '[';
    snprintf(text, sizeof text, "%.*s", (int)(colon - address) - 2 * v6, address + v6);
    *port = value_integer(number);
    if (!type || type->ops == &unsupported_ops)
        return SQLSTATE_OK; /* there are no addresses as values yet */
    return type->ops->in(call->environment, call->scope, type, -1, bytes_of_text(text), host, call->error);
}

static enum sqlstate activity_open(struct call *call, const struct value *arguments)
{
    struct session *session = session_of(call);
    struct engine_figures figures;
    enum sqlstate failed = sights_open(call, arguments);
    struct sights *sights = call->memory;
    if (failed)
        return failed;
    engine_figures(session->world, session->sessions->options.engine, &figures);
    sights->oldest_transaction = figures.oldest_transaction;
    sights->oldest_scn = figures.oldest_scn;
    return locks_look(session, call->scope_lasting, true, &sights->waits, call->error);
}

static enum sqlstate activity_next(struct call *call, struct value *results, bool *end)
{
    enum { COLUMNS = 30 };
    struct sights *sights = call->memory;
    const struct sight *sight = sights_next(sights);
    *end = !sight;
    if (!sight)
        return SQLSTATE_OK;
    for (uint32_t i = 0; i < COLUMNS; i++)
        results[i] = value_null();
    results[0] = value_integer(sight->database);
    results[1] = value_integer(sight->process);
    results[2] = value_integer(sight->role);
    results[3] = value_text(sight->application);
    results[4] = value_text(sight->state);
    results[5] = value_text(sight->query);
    const char *waits = lock_waited_for(sights->waits, sight->process);
    if (waits) {
        results[6] = value_text("Lock");
        results[7] = value_text(waits);
    } else if (strncmp(sight->state, "idle", 4) == 0) {
        results[6] = value_text("Client");
        results[7] = value_text("ClientRead");
    }
    results[8] = time_value(sight->transaction_start);
    results[9] = time_value(sight->query_start);
    results[10] = time_value(sight->backend_start);
    results[11] = time_value(sight->state_change);
    /* Only of who holds history back: up to which commit. */
    if (sight->transaction && sight->transaction == sights->oldest_transaction)
        results[16] = value_integer((int64_t)(uint32_t)sights->oldest_scn);
    results[17] = value_text(sight->own ? "autovacuum worker" : "client backend");
    results[18] = value_boolean(false);
    results[25] = value_boolean(false);
    results[27] = value_boolean(false);
    return address_values(call, sight->address, &results[12], &results[14]);
}

/* ---- signals ---- */

struct signal_mail {
    struct mail mail;
    struct sessions_shared *shared;
    uint32_t process;
    bool terminate, found;
};

static void signal_deliver(struct world *here, struct mail *mail)
{
    struct signal_mail *asked = container_of(mail, struct signal_mail, mail);
    struct sessions *sessions = asked->shared->core[here->core];
    if (sessions)
        list_each (&sessions->all, at) {
            struct session *session = container_of(at, struct session, link);
            if (session->process != asked->process)
                continue;
            asked->found = true;
            if (asked->terminate && session->options.terminate)
                session->options.terminate(session->options.argument, SQLSTATE_ADMIN_SHUTDOWN,
                                           "terminating connection due to administrator command");
            else if (session->fiber)
                fiber_cancel(session->fiber, SQLSTATE_QUERY_CANCELED,
                             "canceling statement due to user request");
        }
    mail_return(here, mail);
}

enum sqlstate sessions_signal(struct session *session, uint32_t process, bool terminate, bool *found,
                              struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    *found = false;
    struct scope *work = scope_open(session->scope, "signal");
    for (uint32_t core = 0; core < session->world->cores && !failed && !*found; core++) {
        struct signal_mail *asked = scope_alloc_zeroed(work, sizeof *asked);
        *asked = (struct signal_mail){.mail = {.deliver = signal_deliver},
                                      .shared = session->sessions->shared,
                                      .process = process,
                                      .terminate = terminate};
        failed = mail_call(session->world, work, core, &asked->mail, error);
        *found = asked->found;
    }
    scope_close(work);
    return failed;
}

/* ---- this session's things ---- */

struct walk {
    size_t at;
    struct list_link *link;
};

static enum sqlstate walk_open(struct call *call, const struct value *arguments)
{
    (void)arguments;
    struct walk *walk = scope_alloc_zeroed(call->scope_lasting, sizeof *walk);
    walk->link = session_of(call)->portals_made.head.next;
    call->memory = walk;
    return SQLSTATE_OK;
}

static enum sqlstate prepared_next(struct call *call, struct value *results, bool *end)
{
    struct session *session = session_of(call);
    struct walk *walk = call->memory;
    const struct map_entry *entry;
    do
        entry = map_next(&session->prepared, &walk->at);
    while (entry && entry->key.size == 0);
    *end = !entry;
    if (!entry)
        return SQLSTATE_OK;
    const struct prepared *prepared = entry->value;
    const struct type *array = type_builtin(TYPE_ARRAY_OF_REGTYPE);
    struct text text = text_in(call->scope);
    const char *whole;
    text_append(&text, "{");
    for (uint32_t i = 0; i < prepared_types(prepared)->count; i++)
        text_format(&text, "%s%u", i ? "," : "", prepared_types(prepared)->oid[i]);
    text_append(&text, "}");
    enum sqlstate failed = text_end(&text, &whole, call->error);
    results[0] = value_text(prepared->name);
    results[1] = value_text(prepared->statement->text);
    results[2] = value_integer(prepared->time);
    results[4] = value_boolean(prepared->from_sql);
    results[5] = value_integer(0);
    results[6] = value_integer(0);
    return failed ? failed
                  : array->ops->in(call->environment, call->scope, array, -1, bytes_of_text(whole),
                                   &results[3], call->error);
}

static enum sqlstate cursors_next(struct call *call, struct value *results, bool *end)
{
    struct session *session = session_of(call);
    struct walk *walk = call->memory;
    for (; walk->link != &session->portals_made.head; walk->link = walk->link->next) {
        const struct portal *portal = container_of(walk->link, struct portal, link);
        if (portal->nameless)
            continue;
        walk->link = walk->link->next;
        results[0] = value_text(portal->name);
        results[1] = value_text(portal->statement->text);
        results[2] = value_boolean(portal->hold);
        results[3] = value_boolean(portal->binary);
        results[4] = value_boolean(portal->scroll);
        results[5] = value_integer(portal->time);
        *end = false;
        return SQLSTATE_OK;
    }
    *end = true;
    return SQLSTATE_OK;
}

/* ---- pg_settings ---- */

static struct value text_or_null(const char *text)
{
    return text ? value_text(text) : value_null();
}

static struct value number_value(struct call *call, const struct setting *setting, double number)
{
    if (setting->kind != SETTING_INTEGER && setting->kind != SETTING_REAL)
        return value_null();
    char *text = scope_alloc(call->scope, 40);
    snprintf(text, 40, setting->kind == SETTING_INTEGER ? "%.0f" : "%g", number);
    return value_text(text);
}

static enum sqlstate choices_value(struct call *call, const struct setting *setting, struct value *value)
{
    const struct type *type = type_builtin(TYPE_ARRAY_OF_TEXT);
    struct text text = text_in(call->scope);
    const char *whole;
    *value = value_null();
    if (!setting->choices)
        return SQLSTATE_OK;
    for (const char *const *choice = setting->choices; *choice; choice++)
        text_format(&text, "%s\"%s\"", choice == setting->choices ? "{" : ",", *choice);
    text_append(&text, "}");
    enum sqlstate failed = text_end(&text, &whole, call->error);
    return failed ? failed
                  : type->ops->in(call->environment, call->scope, type, -1, bytes_of_text(whole), value,
                                  call->error);
}

static enum sqlstate settings_next(struct call *call, struct value *results, bool *end)
{
    static const char *const contexts[] = {"internal", "postmaster", "sighup", "superuser-backend",
                                           "backend",  "superuser",  "user"};
    static const char *const kinds[] = {[SETTING_BOOLEAN] = "bool",
                                        [SETTING_INTEGER] = "integer",
                                        [SETTING_REAL] = "real",
                                        [SETTING_STRING] = "string",
                                        [SETTING_ENUM] = "enum"};
    static const char *const sources[] = {"default", "client", "session"};
    struct walk *walk = call->memory;
    const struct settings *settings = &session_of(call)->settings;
    while (walk->at < settings_count && settings_table[walk->at].flags & SETTING_HIDDEN)
        walk->at++;
    *end = walk->at == settings_count;
    if (*end)
        return SQLSTATE_OK;
    const struct setting *setting = &settings_table[walk->at++];
    const char *reset;
    enum setting_source source = settings_source(settings, setting, &reset);
    results[0] = value_text(setting->name);
    results[1] = value_text(settings_get(settings, setting->name));
    results[2] = text_or_null(setting->unit);
    results[3] = value_text(setting->category);
    results[4] = text_or_null(setting->description);
    results[5] = text_or_null(setting->detail);
    results[6] = value_text(contexts[setting->context]);
    results[7] = value_text(kinds[setting->kind]);
    results[8] = value_text(sources[source]);
    results[9] = number_value(call, setting, setting->low);
    results[10] = number_value(call, setting, setting->high);
    results[12] = value_text(setting->preset);
    results[13] = value_text(reset);
    results[14] = value_null();
    results[15] = value_null();
    results[16] = value_boolean(false);
    return choices_value(call, setting, &results[11]);
}

/* pg_stat_get_progress_info(command): process, database, relation, figures. */
static enum sqlstate progress_open(struct call *call, const struct value *arguments)
{
    enum sqlstate failed = sights_open(call, NULL);
    struct sights *sights = call->memory;
    if (!failed && !arguments[0].null)
        snprintf(sights->work, sizeof sights->work, "%.*s", (int)arguments[0].size,
                 (const char *)arguments[0].p);
    return failed;
}

static enum sqlstate progress_next(struct call *call, struct value *results, bool *end)
{
    struct sights *sights = call->memory;
    const struct sight *sight;
    while ((sight = sights_next(sights)))
        if (sight->work && strcasecmp(sight->work, sights->work) == 0)
            break;
    *end = !sight;
    if (!sight)
        return SQLSTATE_OK;
    results[0] = value_integer(sight->process);
    results[1] = value_integer(sight->database);
    results[2] = value_integer(sight->work_relation);
    for (uint32_t i = 0; i < PROGRESS_FIGURES; i++)
        results[3 + i] = value_integer(sight->progress[i]);
    return SQLSTATE_OK;
}

static enum sqlstate nothing_next(struct call *call, struct value *results, bool *end)
{
    (void)call;
    (void)results;
    *end = true;
    return SQLSTATE_OK;
}

const struct set_function session_set_functions[] = {
    {.name = "pg_stat_get_activity", .open = activity_open, .next = activity_next},
    {.name = "pg_lock_status", .open = locks_open, .next = locks_next},
    {.name = "pg_prepared_statement", .open = walk_open, .next = prepared_next},
    {.name = "pg_cursor", .open = walk_open, .next = cursors_next},
    {.name = "show_all_settings", .open = walk_open, .next = settings_next},
    {.name = "pg_prepared_xact", .open = walk_open, .next = nothing_next},
    {.name = "pg_listening_channels", .open = walk_open, .next = nothing_next},
    {.name = "show_all_file_settings", .open = walk_open, .next = nothing_next},
    {.name = "pg_stat_get_wal_senders", .open = walk_open, .next = nothing_next},
    {.name = "pg_get_replication_slots", .open = walk_open, .next = nothing_next},
    {.name = "pg_stat_get_progress_info", .open = progress_open, .next = progress_next},
    {0},
};
