/* A core's access to the log.
 *
 * Records gather in the parcel that is being filled. The first one wakes the port's fiber, which runs behind all fibers that
 * are ready now, so that one mail takes what they all appended. The fiber runs in a scope of its own and not in the caller's:
 * fibers that finish their work while the caller's scope closes still get what they append placed. Only when the last of them
 * is gone does the port close: it waits for its parcels, bids the owner farewell, and lets the caller's scope go. */
#include "engine/log/inside.h"

#include "base/check.h"
#include "base/scope.h"

/* ---- memory for entries ---- */

static struct chunk *chunk_take(struct log_port *port, size_t bytes)
{
    bool large = bytes > CHUNK_BYTES;
    struct chunk **kept = large ? &port->large : &port->chunks;
    struct chunk *chunk = *kept;
    uint32_t room = large ? CHUNK_BYTES_LARGE : CHUNK_BYTES;
    if (chunk)
        *kept = chunk->next;
    else
        chunk = scope_alloc(port->scope, sizeof *chunk + room);
    chunk->room = room;
    chunk->used = 0;
    return chunk;
}

static void chunks_give(struct log_port *port, struct parcel *parcel)
{
    struct chunk *chunk;
    while ((chunk = parcel->chunks)) {
        struct chunk **kept = chunk->room > CHUNK_BYTES ? &port->large : &port->chunks;
        parcel->chunks = chunk->next;
        chunk->next = *kept;
        *kept = chunk;
    }
}

static struct entry *entry_take(struct log_port *port, size_t tickets, size_t record)
{
    struct parcel *parcel = port->filling;
    size_t bytes = (sizeof(struct entry) + tickets * sizeof(struct log_ticket) + record + 15) / 16 * 16;
    check(bytes <= CHUNK_BYTES_LARGE);
    if (!parcel->chunks || parcel->chunks->room - parcel->chunks->used < bytes) {
        struct chunk *chunk = chunk_take(port, bytes);
        chunk->next = parcel->chunks;
        parcel->chunks = chunk;
    }
    struct entry *entry = (struct entry *)(parcel->chunks->bytes + parcel->chunks->used);
    parcel->chunks->used += (uint32_t)bytes;
    return entry;
}

static void parcel_clear(struct parcel *parcel)
{
    parcel->first = parcel->cursor = NULL;
    parcel->last = &parcel->first;
    parcel->bytes = 0;
}

/* ---- appending ---- */

/* Whether the ticket says anything: own records are in order anyway, and so is what an earlier record followed. */
static bool says_something(const struct log_port *port, const struct log_ticket *ticket)
{
    return ticket->batch && ticket->core != port->world->core && ticket->batch > port->after[ticket->core];
}

struct log_ticket log_port_append_noticed(struct log_port *port, const struct log_record *record,
                                          const struct log_ticket *after, size_t after_count,
                                          const struct log_notice *notice)
{
    struct parcel *parcel = port->filling;
    size_t tickets = 0, bytes = record_bytes(record->payload.size);
    check(record->payload.size <= LOG_PAYLOAD_BYTES_MAX, "a record of %zu bytes", record->payload.size);
    for (size_t i = 0; i < after_count; i++) {
        check(after[i].core < port->world->cores);
        tickets += says_something(port, &after[i]);
    }
    check(tickets <= CORES_MAX, "a record follows %zu batches", tickets);
    struct entry *entry = entry_take(port, tickets, bytes);
    *entry = (struct entry){.position = LOG_NOWHERE, .record_bytes = (uint32_t)bytes};
    for (size_t i = 0; i < after_count; i++)
        if (says_something(port, &after[i])) {
            entry->after[entry->after_count++] = after[i];
            port->after[after[i].core] = after[i].batch;
        }
    if (notice)
        entry->notice = *notice;
    record_write(entry_record(entry), record);
    if (port->fresh || entry->after_count)
        port->batch++;
    port->fresh = false;
    entry->batch = parcel->batch = port->batch;
    if (!parcel->first)
        fiber_wake_all(&port->work);
    *parcel->last = entry;
    parcel->last = &entry->next;
    parcel->bytes += bytes;
    port->unplaced += bytes;
    return (struct log_ticket){.core = port->world->core, .batch = port->batch};
}

struct log_ticket log_port_append(struct log_port *port, const struct log_record *record,
                                  const struct log_ticket *after, size_t after_count)
{
    return log_port_append_noticed(port, record, after, after_count, NULL);
}

/* ---- making room ---- */

static bool room_for(const struct log_port *port, size_t bytes)
{
    size_t ahead = port->unplaced + port->promised;
    return !ahead || ahead + bytes <= PORT_BYTES_MAX;
}

/* Lets those who wait longest through; all, when there is something wrong, for them to see. */
static void grant(struct log_port *port, bool all)
{
    struct list_link *link;
    while ((link = list_first(&port->room_waiters))) {
        struct room_waiter *waiter = container_of(link, struct room_waiter, link);
        if (!all && !room_for(port, waiter->bytes))
            return;
        list_remove(link);
        waiter->granted = true;
        port->promised += waiter->bytes;
        fiber_wake_one(&waiter->queue);
    }
}

static enum sqlstate log_failed(const struct node_log *log, struct error *error)
{
    const char *why = log_life(log) == LOG_FAILED ? error_text(&log->error, ERROR_MESSAGE) : NULL;
    enum sqlstate failed = error_set(error, SQLSTATE_IO_ERROR, "the log has failed");
    if (why)
        error_add(error, ERROR_DETAIL, "%s", why);
    return failed;
}

static bool log_dead(const struct node_log *log)
{
    enum log_life life = log_life(log);
    return life == LOG_FAILED || life == LOG_ENDED;
}

static enum sqlstate look_for_trouble(const struct log_port *port, size_t bytes, struct error *error)
{
    const struct node_log *log = port->log;
    uint64_t room = atomic_load_explicit(&log->room, memory_order_relaxed);
    if (log_dead(log))
        return log_failed(log, error);
    if (room && bytes <= room)
        return SQLSTATE_OK;
    enum sqlstate failed =
        error_set(error, SQLSTATE_DISK_FULL, "could not extend the log: no space left on device");
    error_add(error, ERROR_DETAIL, "%llu bytes are left beside a reserve of %llu.", (unsigned long long)room,
              (unsigned long long)log->options.disk_reserve_bytes);
    error_add(error, ERROR_HINT, "Free disk space; work goes on by itself then.");
    return failed;
}

enum sqlstate log_port_make_room(struct log_port *port, size_t bytes, struct error *error)
{
    struct scheduler *scheduler = port->world->scheduler;
    enum sqlstate failed = look_for_trouble(port, bytes, error);
    if (failed)
        return failed;
    if (list_empty(&port->room_waiters) && room_for(port, bytes)) {
        port->promised += bytes;
        return SQLSTATE_OK;
    }
    struct room_waiter waiter = {.bytes = bytes};
    fiber_queue_init(&waiter.queue);
    list_append(&port->room_waiters, &waiter.link);
    fiber_wake_all(&port->work); /* promises that were not kept expire */
    enum fiber_wake wake = fiber_wait(scheduler, &waiter.queue, FIBER_NO_DEADLINE);
    if (!waiter.granted) {
        check(wake == FIBER_CANCELED);
        list_remove(&waiter.link);
        grant(port, false);
        return fiber_check_canceled(scheduler, error);
    }
    return look_for_trouble(port, bytes, error);
}

/* ---- parcels coming back ---- */

static void tell_placed(struct parcel *parcel)
{
    for (struct entry *entry = parcel->first, *next; entry; entry = next) {
        struct log_record record = {0};
        next = entry->next;
        if (!entry->notice.placed)
            continue;
        (void)record_read(entry_record(entry), entry->record_bytes, &record);
        entry->notice.placed(entry->notice.argument, entry->position, record.payload);
    }
}

void parcel_back(struct log_port *port, struct parcel *parcel)
{
    tell_placed(parcel);
    port->unplaced -= parcel->bytes;
    port->out--;
    chunks_give(port, parcel);
    parcel_clear(parcel);
    list_append(&port->idle, &parcel->mail.link);
    grant(port, false);
    port_hear(port);
    if (port->filling->first || port->closing)
        fiber_wake_all(&port->work);
}

static void parcel_delivered(struct world *here, struct mail *mail)
{
    struct parcel *parcel = container_of(mail, struct parcel, mail);
    (void)here;
    log_receive(parcel->port->log, parcel);
}

static void parcel_returned(struct world *here, struct mail *mail)
{
    struct parcel *parcel = container_of(mail, struct parcel, mail);
    (void)here;
    parcel_back(parcel->port, parcel);
}

static void send(struct log_port *port)
{
    struct node_log *log = port->log;
    struct parcel *parcel = port->filling;
    port->filling = container_of(list_take_first(&port->idle), struct parcel, mail.link);
    port->fresh = true;
    port->out++;
    parcel->mail = (struct mail){.deliver = parcel_delivered, .returned = parcel_returned};
    if (port->world->core == log->world->core) {
        parcel->mail.from = port->world->core;
        log_receive(log, parcel);
    } else {
        mail_send(port->world, log->world->core, &parcel->mail);
    }
}

/* ---- the port's fiber ---- */

static void bye_delivered(struct world *here, struct mail *mail)
{
    struct log_port *port = container_of(mail, struct log_port, bye);
    struct node_log *log = port->log;
    atomic_store_explicit(&port->lane->closing, false, memory_order_relaxed);
    atomic_store_explicit(&port->lane->port, NULL, memory_order_release);
    fiber_wake_all(&log->keeper);
    mail_return(here, mail);
}

static void bye_returned(struct world *here, struct mail *mail)
{
    struct log_port *port = container_of(mail, struct log_port, bye);
    (void)here;
    port->bye_said = true;
    fiber_wake_all(&port->work);
}

static void say_bye(struct log_port *port)
{
    port->lane->batches = port->batch;
    port->bye = (struct mail){.deliver = bye_delivered, .returned = bye_returned};
    mail_send(port->world, port->log->world->core, &port->bye);
    while (!port->bye_said)
        (void)!fiber_wait(port->world->scheduler, &port->work, FIBER_NO_DEADLINE);
}

static void run_port(void *argument)
{
    struct log_port *port = argument;
    struct scheduler *scheduler = port->world->scheduler;
    fiber_shield_begin(scheduler);
    while (!port->closing || port->filling->first || port->out) {
        while (port->filling->first && !list_empty(&port->idle))
            send(port);
        port->promised = 0;
        grant(port, false);
        if (!port->closing || port->out)
            (void)!fiber_wait(scheduler, &port->work, FIBER_NO_DEADLINE);
    }
    say_bye(port);
    struct scope *users = port->users;
    fiber_shield_end(scheduler);
    scope_close(port->scope);
    scope_release(users);
}

static void port_end(void *argument)
{
    struct log_port *port = argument;
    scope_hold(port->users);
    port->closing = true;
    atomic_store_explicit(&port->lane->closing, true, memory_order_release);
    fiber_wake_all(&port->work);
}

enum sqlstate log_port_open(struct world *world, struct scope *scope, struct node_log *log,
                            struct log_port **opened, struct error *error)
{
    check(scope != world->scope, "a port closes with a scope below the world's");
    struct lane *lane = &log->lane[world->core];
    struct scope *own = scope_open(world->scope, "log port");
    struct log_port *port = scope_alloc_zeroed(own, sizeof *port);
    check(!atomic_load_explicit(&lane->port, memory_order_acquire), "core %u has a port already",
          world->core);
    port->world = world;
    port->log = log;
    port->scope = own;
    port->users = scope;
    port->lane = lane;
    port->batch = lane->batches;
    port->fresh = true;
    list_init(&port->idle);
    list_init(&port->stable_waiters);
    list_init(&port->room_waiters);
    fiber_queue_init(&port->work);
    for (uint32_t i = 0; i < PORT_PARCELS; i++) {
        port->parcel[i].port = port;
        parcel_clear(&port->parcel[i]);
        list_append(&port->idle, &port->parcel[i].mail.link);
    }
    port->filling = container_of(list_take_first(&port->idle), struct parcel, mail.link);
    enum sqlstate failed = fiber_start(world->scheduler, own, "log port", run_port, port, NULL, error);
    if (failed) {
        scope_close(own);
        return failed;
    }
    scope_undo(scope, port_end, port);
    atomic_store_explicit(&lane->port, port, memory_order_release);
    *opened = port;
    return SQLSTATE_OK;
}

/* ---- what is stable ---- */

uint64_t log_port_stable(const struct log_port *port)
{
    return atomic_load_explicit(&port->log->stable, memory_order_acquire);
}

/* Wakes whom the position concerns; gives whether others still wait. */
static bool wake_stable(struct log_port *port, uint64_t stable, bool dead)
{
    struct list_link *link;
    while ((link = list_first(&port->stable_waiters))) {
        struct stable_waiter *waiter = container_of(link, struct stable_waiter, link);
        if (!dead && waiter->position >= stable)
            return true;
        list_remove(link);
        fiber_wake_one(&waiter->queue);
    }
    return false;
}

void port_hear(struct log_port *port)
{
    struct node_log *log = port->log;
    bool asked = false;
    for (uint64_t stable = 0; !asked || stable != atomic_load(&log->stable);) {
        stable = atomic_load(&log->stable);
        if (!wake_stable(port, stable, log_dead(log)) || port->world->core == log->world->core)
            break;
        atomic_store(&port->lane->wants, true);
        asked = true;
    }
    if (!list_empty(&port->room_waiters) &&
        (log_dead(log) || !atomic_load_explicit(&log->room, memory_order_relaxed)))
        grant(port, true);
}

enum sqlstate log_port_wait_stable(struct log_port *port, uint64_t position, struct error *error)
{
    struct node_log *log = port->log;
    struct scheduler *scheduler = port->world->scheduler;
    if (position == LOG_NOWHERE)
        return log_failed(log, error);
    if (position < log_port_stable(port))
        return SQLSTATE_OK;
    struct stable_waiter waiter = {.position = position};
    fiber_queue_init(&waiter.queue);
    struct list_link *place = &port->stable_waiters.head;
    while (place->prev != &port->stable_waiters.head &&
           container_of(place->prev, struct stable_waiter, link)->position > position)
        place = place->prev;
    list_insert_before(place, &waiter.link);
    port_hear(port);
    fiber_shield_begin(scheduler);
    while (list_linked(&waiter.link))
        (void)!fiber_wait(scheduler, &waiter.queue, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
    return position < log_port_stable(port) ? SQLSTATE_OK : log_failed(log, error);
}
