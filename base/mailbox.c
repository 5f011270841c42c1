/* Mailboxes: the rings between cores, and what each core does with its ends of them.
 *
 * A ring has one producer, one consumer and slots for pointers. Producer and consumer each write a line of
 * their own, so as long as mail flows a line moves between the processors once for several mails:
 *
 *     producer's line  | tail, head as last seen, wanted |
 *     consumer's line  | head                            |
 *     slots            | ... mail ... mail ...           |     filled: head <= i < tail, slot i % slots
 *
 * A pointer's lowest bit says that the mail is on its way back.
 *
 * Why no wake-up is lost. A core may sleep only after it looked at all its rings *behind* its announcement;
 * whoever fills a ring looks for the announcement *behind* the filling; and a sequentially consistent fence
 * stands between the two steps on either side:
 *
 *     the sender                          the sleeper
 *     tail = ...   (mail is there)        sleeping = true
 *     fence                               fence
 *     if (sleeping) wake                  if (tail says there is mail) do not sleep
 *
 * Fences are totally ordered. If the sender's comes first, the sleeper sees the tail; if the sleeper's comes
 * first, the sender sees `sleeping`. Without them each could read before its own write is out, and both see
 * nothing. The same holds, the other way round, for a core that sleeps while it waits for room: it sets
 * `wanted` on the full ring, fence, looks at the head; the consumer moves the head, fence, looks at `wanted`.
 * So that a mail costs no fence, all mails of a turn share one, in mailbox_flush(). */
#include "base/mailbox.h"
#include "base/check.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "base/world.h"

#include <assert.h>
#include <stdatomic.h>

/* Two cache lines: processors fetch them in pairs. */
#define APART_BYTES 128

struct ring {
    _Alignas(APART_BYTES) atomic_uint tail; /* mails ever put in, modulo 2^32 */
    uint32_t head_seen;                     /* the producer's last look at head */
    atomic_bool wanted;                     /* the producer sleeps and waits for room */
    _Alignas(APART_BYTES) atomic_uint head; /* mails ever taken out, modulo 2^32 */
    _Alignas(APART_BYTES) uintptr_t slot[MAILBOX_REQUESTS_MAX];
};

static_assert((MAILBOX_REQUESTS_MAX & (MAILBOX_REQUESTS_MAX - 1)) == 0, "a slot is found by masking");
static_assert(CORES_MAX <= 64, "sets of cores are words of 64 bits");

/* What waits for room in the ring to one core. */
struct outbox {
    struct list returns;        /* mails, linked by mail.link; these go first */
    struct list requests;       /* mails, in order; as many as there are senders */
    struct fiber_queue senders; /* their fibers, in the same order */
};

struct mailbox {
    struct mail_room *room;
    uint32_t core;
    bool refusing;       /* the core's world has ended */
    uint32_t first;      /* the ring the next drain begins with, so that none is always last */
    uint64_t sent_to;    /* cores whose ring was put into since the last flush */
    uint64_t long_to;    /* of these those with mail that takes long */
    uint64_t taken_from; /* cores whose ring was taken out of since the last flush */
    uint64_t blocked;    /* cores to which something waits in the outbox */
    struct outbox outbox[CORES_MAX];
    _Alignas(APART_BYTES) atomic_bool sleeping; /* set by this core, reset by whoever wakes it */
};

struct mail_room {
    uint32_t cores;
    struct mailbox *mailbox; /* by core */
    struct ring *ring;       /* [from * cores + to] */
};

#define RETURN_BIT ((uintptr_t)1)

/* gcc's thread sanitizer does not model fences and warns. It loses nothing by that: the fences order flags
 * that are atomic themselves, the mails are published by tail and head. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif
static void fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* ---- rings ---- */

static struct ring *ring_between(const struct mailbox *mailbox, uint32_t from, uint32_t to)
{
    return &mailbox->room->ring[from * mailbox->room->cores + to];
}

/* Whether the producer finds room. */
static bool ring_room(struct ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen < MAILBOX_REQUESTS_MAX)
        return true;
    ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    return tail - ring->head_seen < MAILBOX_REQUESTS_MAX;
}

/* Requires room. */
static void ring_put(struct ring *ring, uintptr_t value)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    ring->slot[tail % MAILBOX_REQUESTS_MAX] = value;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

/* How many the consumer finds. */
static uint32_t ring_filled(const struct ring *ring)
{
    return atomic_load_explicit(&ring->tail, memory_order_acquire) -
           atomic_load_explicit(&ring->head, memory_order_relaxed);
}

/* Requires one. The slot is free for the producer afterwards. */
static uintptr_t ring_take(struct ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uintptr_t value = ring->slot[head % MAILBOX_REQUESTS_MAX];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return value;
}

/* ---- opening ---- */

enum sqlstate mail_room_open(struct scope *scope, uint32_t cores, struct mail_room **opened,
                             struct error *error)
{
    check(cores > 0 && cores <= CORES_MAX, "%u cores", cores);
    struct mail_room *room = scope_alloc_zeroed(scope, sizeof *room);
    room->cores = cores;
    void *memory;
    enum sqlstate failed =
        scope_alloc_large(scope, cores * sizeof(struct mailbox), APART_BYTES, &memory, error);
    if (failed)
        return failed;
    room->mailbox = memory;
    for (uint32_t i = 0; i < cores; i++)
        room->mailbox[i] = (struct mailbox){.room = room, .core = i};
    failed =
        scope_alloc_large(scope, (size_t)cores * cores * sizeof(struct ring), APART_BYTES, &memory, error);
    if (failed)
        return failed;
    room->ring = memory;
    /* Not the slots: pairs that never talk shall not cost pages. */
    for (uint32_t i = 0; i < cores * cores; i++) {
        atomic_init(&room->ring[i].tail, 0);
        atomic_init(&room->ring[i].head, 0);
        atomic_init(&room->ring[i].wanted, false);
        room->ring[i].head_seen = 0;
    }
    *opened = room;
    return SQLSTATE_OK;
}

static void refuse_from_now_on(void *argument)
{
    struct mailbox *mailbox = argument;
    mailbox->refusing = true;
}

void mailbox_open(struct mail_room *room, struct world *here)
{
    check(here->core < room->cores && here->cores == room->cores, "core %u of %u in a room for %u",
          here->core, here->cores, room->cores);
    struct mailbox *mailbox = &room->mailbox[here->core];
    for (uint32_t i = 0; i < room->cores; i++) {
        list_init(&mailbox->outbox[i].returns);
        list_init(&mailbox->outbox[i].requests);
        fiber_queue_init(&mailbox->outbox[i].senders);
    }
    here->mailbox = mailbox;
    scope_undo(here->scope, refuse_from_now_on, mailbox);
}

/* ---- sending ---- */

static uint64_t set_of(uint32_t core)
{
    return (uint64_t)1 << core;
}

/* Whether it went into the ring. What is already waiting for room goes first. */
static bool put(struct mailbox *mailbox, uint32_t core, uintptr_t value)
{
    struct ring *ring = ring_between(mailbox, mailbox->core, core);
    if (mailbox->blocked & set_of(core) || !ring_room(ring))
        return false;
    ring_put(ring, value);
    mailbox->sent_to |= set_of(core);
    return true;
}

void mail_send(struct world *here, uint32_t core, struct mail *mail)
{
    struct mailbox *mailbox = here->mailbox;
    check(core < here->cores, "mail to core %u of %u", core, here->cores);
    check(mail->deliver && mail->returned, "mail must say what becomes of it on either side");
    fiber_may_yield(here->scheduler);
    mail->from = here->core;
    mail->refused = false;
    if (mail->takes_long)
        mailbox->long_to |= set_of(core);
    if (put(mailbox, core, (uintptr_t)mail))
        return;
    struct outbox *outbox = &mailbox->outbox[core];
    mailbox->blocked |= set_of(core);
    list_append(&outbox->requests, &mail->link);
    /* mailbox_flush() takes requests and senders from their lists in step, so no sender may leave early. */
    fiber_shield_begin(here->scheduler);
    enum fiber_wake wake = fiber_wait(here->scheduler, &outbox->senders, FIBER_NO_DEADLINE);
    fiber_shield_end(here->scheduler);
    check(wake == FIBER_WOKEN);
}

void mail_return(struct world *here, struct mail *mail)
{
    struct mailbox *mailbox = here->mailbox;
    uint32_t core = mail->from;
    check(core < here->cores, "mail of core %u of %u", core, here->cores);
    if (put(mailbox, core, (uintptr_t)mail | RETURN_BIT))
        return;
    mailbox->blocked |= set_of(core);
    list_append(&mailbox->outbox[core].returns, &mail->link);
}

/* Sends what waits for room, as far as there is some. The mail is the receiver's as soon as it is in the
 * ring, so it leaves the list before. */
static void unblock(struct mailbox *mailbox, uint32_t core)
{
    struct outbox *outbox = &mailbox->outbox[core];
    struct ring *ring = ring_between(mailbox, mailbox->core, core);
    while (ring_room(ring)) {
        uintptr_t tag = list_empty(&outbox->returns) ? 0 : RETURN_BIT;
        struct list_link *link = list_take_first(tag ? &outbox->returns : &outbox->requests);
        if (!link) {
            mailbox->blocked &= ~set_of(core);
            return;
        }
        ring_put(ring, (uintptr_t)container_of(link, struct mail, link) | tag);
        mailbox->sent_to |= set_of(core);
        if (!tag)
            check(fiber_wake_one(&outbox->senders), "a request waits for room without its sender");
    }
}

/* ---- receiving ---- */

static void receive(struct world *here, uintptr_t value)
{
    struct mail *mail = (struct mail *)(value & ~RETURN_BIT);
    if (value & RETURN_BIT) {
        mail->returned(here, mail);
    } else if (here->mailbox->refusing) {
        mail->refused = true;
        mail_return(here, mail);
    } else {
        mail->deliver(here, mail);
    }
}

uint32_t mailbox_drain(struct world *here, uint32_t max)
{
    struct mailbox *mailbox = here->mailbox;
    check(!fiber_running(here->scheduler), "mail is delivered in the loop, not in fibers");
    uint32_t taken = 0, from = mailbox->first;
    for (uint32_t i = 0; i < here->cores; i++) {
        struct ring *ring = ring_between(mailbox, from, here->core);
        uint32_t filled = ring_filled(ring);
        if (filled)
            mailbox->taken_from |= set_of(from);
        for (; filled && taken < max; filled--, taken++)
            receive(here, ring_take(ring));
        if (++from == here->cores)
            from = 0;
    }
    if (++mailbox->first == here->cores)
        mailbox->first = 0;
    return taken;
}

/* ---- waking and sleeping ---- */

/* Takes the lowest core out of a set that is not empty. */
static uint32_t take_core(uint64_t *set)
{
    uint32_t core = (uint32_t)__builtin_ctzll(*set);
    *set &= *set - 1;
    return core;
}

/* Whoever takes the flag back wakes; the others need not. */
static void wake_if(struct world *here, atomic_bool *flag, uint32_t core, bool takes_long)
{
    if (atomic_load_explicit(flag, memory_order_relaxed) &&
        atomic_exchange_explicit(flag, false, memory_order_relaxed))
        here->ops->wake(here, core, takes_long);
}

bool mailbox_flush(struct world *here)
{
    struct mailbox *mailbox = here->mailbox;
    for (uint64_t left = mailbox->blocked; left;)
        unblock(mailbox, take_core(&left));
    if (!(mailbox->sent_to | mailbox->taken_from))
        return mailbox->blocked != 0;
    fence();
    while (mailbox->sent_to) {
        uint32_t core = take_core(&mailbox->sent_to);
        wake_if(here, &mailbox->room->mailbox[core].sleeping, core, mailbox->long_to & set_of(core));
    }
    mailbox->long_to = 0;
    while (mailbox->taken_from) {
        uint32_t core = take_core(&mailbox->taken_from);
        wake_if(here, &ring_between(mailbox, core, here->core)->wanted, core, false);
    }
    return mailbox->blocked != 0;
}

bool mailbox_sent_long(const struct world *here)
{
    return here->mailbox->long_to != 0;
}

static bool anything_to_do(struct world *here)
{
    struct mailbox *mailbox = here->mailbox;
    for (uint32_t from = 0; from < here->cores; from++) {
        if (ring_filled(ring_between(mailbox, from, here->core)))
            return true;
    }
    for (uint64_t left = mailbox->blocked; left;) {
        if (ring_room(ring_between(mailbox, here->core, take_core(&left))))
            return true;
    }
    return false;
}

bool mailbox_sleep_begin(struct world *here)
{
    struct mailbox *mailbox = here->mailbox;
    /* Completions may have returned mail since the turn's flush; its flush may have made senders ready. */
    mailbox_flush(here);
    if (scheduler_ready(here->scheduler))
        return false;
    atomic_store_explicit(&mailbox->sleeping, true, memory_order_relaxed);
    for (uint64_t left = mailbox->blocked; left;)
        atomic_store_explicit(&ring_between(mailbox, here->core, take_core(&left))->wanted, true,
                              memory_order_relaxed);
    fence();
    if (!anything_to_do(here))
        return true;
    mailbox_sleep_end(here);
    return false;
}

void mailbox_sleep_end(struct world *here)
{
    struct mailbox *mailbox = here->mailbox;
    atomic_store_explicit(&mailbox->sleeping, false, memory_order_relaxed);
    for (uint64_t left = mailbox->blocked; left;)
        atomic_store_explicit(&ring_between(mailbox, here->core, take_core(&left))->wanted, false,
                              memory_order_relaxed);
}

/* ---- calling ---- */

/* A fiber that waits for its mail; on its stack. */
struct call {
    struct fiber_queue waiter;
    bool back;
};

static void returned_to_caller(struct world *here, struct mail *mail)
{
    (void)here;
    struct call *call = mail->caller;
    call->back = true;
    fiber_wake_one(&call->waiter);
}

/* The caller was canceled and has gone on; only its scope has waited. */
static void returned_to_scope(struct world *here, struct mail *mail)
{
    (void)here;
    scope_release(mail->caller);
}

enum sqlstate mail_call(struct world *here, struct scope *scope, uint32_t core, struct mail *mail,
                        struct error *error)
{
    if (fiber_canceled(here->scheduler))
        return fiber_check_canceled(here->scheduler, error);
    struct call call = {.back = false};
    fiber_queue_init(&call.waiter);
    mail->returned = returned_to_caller;
    mail->caller = &call;
    scope_hold(scope);
    mail_send(here, core, mail);
    while (!call.back) {
        enum fiber_wake wake = fiber_wait(here->scheduler, &call.waiter, FIBER_NO_DEADLINE);
        if (wake != FIBER_CANCELED || call.back)
            continue;
        /* `returned` and `caller` are the sender's even while the mail is lent. */
        mail->returned = returned_to_scope;
        mail->caller = scope;
        return fiber_check_canceled(here->scheduler, error);
    }
    enum sqlstate failed = SQLSTATE_OK;
    if (mail->refused)
        failed =
            error_set(error, SQLSTATE_ADMIN_SHUTDOWN, "terminating connection due to administrator command");
    scope_release(scope);
    return failed;
}
