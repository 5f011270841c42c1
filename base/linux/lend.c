/* Lending: a core that sleeps is run by the thread that has mail for it.
 *
 * A hop to a sleeping core and back takes two system calls that wake, two switches of the processor and 20 to 40 us; a core
 * whose thread has nothing else to do runs the sleeping core itself instead: delivers its mail, runs its fibers, sends its
 * mail. Data stays where it is and has one owner at any time; only the thread is another one for a while.
 *
 *                 lend                     borrow
 *       DRIVEN ----------> OFFERED ----------------------> BORROWED ---------> BORROWED_WANTED
 *          ^                 | ^ give back                    |     reclaim         |
 *          '-----------------' '------------------------------'<--------------------' give back, waking
 *               reclaim                                        '<---> BORROWED_SUBMIT
 *
 *     DRIVEN           its own thread runs it
 *     OFFERED          its own thread is in the kernel, with nothing left to submit
 *     BORROWED         another thread runs it; its own may be in the kernel, or wait to have it back
 *     BORROWED_WANTED  the same, and its own thread sleeps on this word
 *     BORROWED_SUBMIT  the borrower waits: its own thread is to hand over to the kernel what is prepared
 *
 * What is prepared for the kernel on a core that is lent only its own thread can hand over, so that thread is woken in the
 * end when there is something; small sends go out at once by a call of their own (uring_net.c). It is woken, too, when there
 * are fibers left that could run: what takes long is done by the core's own thread, beside the borrower. Foreign code that
 * keeps something per thread beyond a call goes home first (world_home()).
 *
 * Nor does a borrower go on where work is dealt out that takes long (mail.takes_long): a part of it may be the lent core's, to
 * be done beside the borrower's.
 *
 * A borrower lends nothing itself meanwhile and borrows one core at a time. */
#include "base/linux/loop.h"

#include "base/check.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum driver { DRIVEN, OFFERED, BORROWED, BORROWED_WANTED, BORROWED_SUBMIT };

/* Mail taken and fibers run for another core before its own thread is woken: one exchange brings a handful. */
#define LEND_ROUNDS 4
#define LEND_MAIL   64
#define LEND_FIBERS 32
#define LEND_NS     20000

/* Looks at a core that is lent before sleeping until it is back: most are back within microseconds. */
#define RECLAIM_LOOKS 200

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void driver_sleep(struct linux_core *core, uint32_t while_it_is)
{
    syscall(SYS_futex, &core->driver, FUTEX_WAIT_PRIVATE, while_it_is, NULL, NULL, 0);
}

static void driver_wake(struct linux_core *core)
{
    syscall(SYS_futex, &core->driver, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* ---- the core's own thread ---- */

void linux_lend(struct linux_core *core)
{
    atomic_store(&core->driver, OFFERED);
}

void linux_reclaim(struct linux_core *core)
{
    for (uint32_t looks = 0;; looks++) {
        uint32_t driver = OFFERED;
        if (atomic_compare_exchange_strong(&core->driver, &driver, DRIVEN))
            return;
        if (driver == BORROWED_SUBMIT) {
            core->backend->submit(core);
            atomic_store(&core->driver, BORROWED);
            driver_wake(core);
        } else if (looks < RECLAIM_LOOKS) {
            pause_a_little();
        } else {
            uint32_t borrowed = BORROWED;
            if (driver == BORROWED_WANTED ||
                atomic_compare_exchange_strong(&core->driver, &borrowed, BORROWED_WANTED))
                driver_sleep(core, BORROWED_WANTED);
        }
    }
}

/* ---- the borrower ---- */

void linux_lent_submit(struct linux_core *core)
{
    uint32_t before = atomic_exchange(&core->driver, BORROWED_SUBMIT);
    check(before == BORROWED || before == BORROWED_WANTED, "core %u is not lent", core->world.core);
    if (before == BORROWED_WANTED)
        driver_wake(core);
    else
        linux_wake(core);
    while (atomic_load(&core->driver) == BORROWED_SUBMIT)
        driver_sleep(core, BORROWED_SUBMIT);
}

static void give_back(struct linux_core *core)
{
    core->lent = false;
    if (atomic_exchange(&core->driver, OFFERED) == BORROWED_WANTED)
        driver_wake(core);
}

/* Whether only its own thread can go on with the core. */
static bool needs_its_thread(struct linux_core *core)
{
    return scheduler_ready(core->world.scheduler) || core->phase_over || core->backend->prepared(core) ||
           scheduler_next_deadline(core->world.scheduler) < core->sleeps_until_ns;
}

bool linux_borrow(struct linux_core *borrower, struct linux_core *core)
{
    struct world *world = &core->world;
    uint32_t driver = OFFERED;
    if (borrower->running || borrower->lent || borrower == core ||
        !atomic_compare_exchange_strong(&core->driver, &driver, BORROWED))
        return false;
    borrower->running = core;
    borrower->borrowed = true;
    core->lent = true;
    core->wanted_home = false;
    mailbox_sleep_end(world);
    world->now_ns = borrower->world.now_ns;
    scheduler_set_now(world->scheduler, world->now_ns);
    bool begins = false;
    for (int round = 0; round < LEND_ROUNDS && !core->wanted_home && !begins; round++) {
        if (!mailbox_drain(world, LEND_MAIL) && !scheduler_ready(world->scheduler))
            break;
        linux_run_fibers(core, LEND_FIBERS, LEND_NS);
        begins = mailbox_sent_long(world);
        mailbox_flush(world);
    }
    bool wake = needs_its_thread(core) || !mailbox_sleep_begin(world);
    borrower->running = NULL;
    give_back(core);
    if (wake)
        linux_wake(core);
    return true;
}
