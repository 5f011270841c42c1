/* Mail between the cores of a node: the only way one core tells another anything.
 *
 * Every ordered pair of cores has a bounded single-producer single-consumer ring of pointers. A mail lives in
 * its sender's memory; sending lends it to the receiver, and *every mail comes back*: the receiver must end
 * its work on it with mail_return(), which lends no longer and runs `returned` on the sender's core. So the
 * sender knows when the memory is its own again (hold the scope meanwhile).
 *
 * Why it cannot deadlock: delivering never waits (`deliver` and `returned` run in the loop, outside fibers,
 * and must not yield), so every core always drains its rings; a sender that finds its ring full waits as a
 * fiber, which leaves its core free to drain; a return that finds the ring full is chained in the mail itself
 * and goes out at a later turn. Returns go before requests. */
#ifndef SYNOD_BASE_MAILBOX_H
#define SYNOD_BASE_MAILBOX_H

#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct mailbox;   /* one core's end of all its rings */
struct mail_room; /* all rings of one node, shared by its cores */
struct scope;
struct world;

/* Embed in the thing sent. The sender sets deliver, returned and takes_long; mail_send() sets the rest. */
struct mail {
    void (*deliver)(struct world *here, struct mail *mail);  /* on the receiver's core; must not yield */
    void (*returned)(struct world *here, struct mail *mail); /* back on the sender's core; must not yield */
    struct list_link link; /* free for the receiver between deliver and mail_return */
    void *caller;          /* mail_call()'s own */
    uint32_t from;         /* the sender's core */
    bool takes_long;       /* set by the sender: work for the receiver's own thread, beside this core's */
    bool refused;          /* came back undelivered, for the receiver's world had ended */
};

/* Sends to another core (or to this one); mail from one core to another arrives in the order it was sent. May
 * yield while the ring is full; not a cancellation point. Only fibers send. A core whose world has ended
 * takes no mail: it comes back soon, `refused`. */
void mail_send(struct world *here, uint32_t core, struct mail *mail);

/* Gives a mail back to its sender. Never waits. May be called within `deliver` or any time after, in a fiber
 * or not. */
void mail_return(struct world *here, struct mail *mail);

/* Sends, waits until it is returned. `scope` owns the mail's memory: it is held until the mail is back, and
 * when the running fiber is canceled meanwhile the call gives the cancellation's state at once while the mail
 * is still out; whether it was acted on is unknown. A fiber that is canceled already sends nothing. Fails
 * with 57P01 when the mail was refused. `deliver` must be set, `returned` is set here. Yields. */
enum sqlstate mail_call(struct world *here, struct scope *scope, uint32_t core, struct mail *mail,
                        struct error *error);

/* ---- for those who build a world ---- */

/* All rings of a node with that many cores. The memory is the scope's, which must outlive the cores'. */
enum sqlstate mail_room_open(struct scope *scope, uint32_t cores, struct mail_room **room,
                             struct error *error);

/* This core's end; sets world->mailbox. From the end of world->scope on, the core refuses mail. Its loop must
 * move mail until every core of the node has ended, for others may still send some, or have some of ours. */
void mailbox_open(struct mail_room *room, struct world *here);

/* Delivers what has come in, at most `max`; gives how many. Called by the loop each turn. */
uint32_t mailbox_drain(struct world *here, uint32_t max);

/* Sends what waited for room (which may make fibers ready) and wakes (world_ops.wake) each core that sleeps
 * and has mail from here. Called by the loop at the end of each turn. True while something waits for room in
 * a ring; the core may sleep all the same. */
bool mailbox_flush(struct world *here);

/* Whether mail that takes long was sent, to this core or another, since the last flush. */
bool mailbox_sent_long(const struct world *here);

/* Says that this core is about to sleep: from now on others wake it when they send mail or make the room it
 * waits for. False when there is something to do, and the core must not sleep. A wake that comes before the
 * core really sleeps must end that sleep. */
bool mailbox_sleep_begin(struct world *here);
void mailbox_sleep_end(struct world *here);

#endif
