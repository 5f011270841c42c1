/* What the files of the classic backend share: epoll for sockets, worker threads for files. It works wherever
 * Linux does, Docker's default seccomp profile included, which forbids io_uring. */
#ifndef SYNOD_BASE_LINUX_CLASSIC_H
#define SYNOD_BASE_LINUX_CLASSIC_H

#include "base/linux/loop.h"

/* A descriptor that epoll watches. Embed it; it stays put until the descriptor is closed, which also ends the
 * watching. */
struct watch {
    /* Called in the loop with epoll's events. May only note them and wake fibers: nothing may be freed, since
     * further events of the same batch may be for it. */
    void (*ready)(struct watch *watch, uint32_t events);
};

/* Memory that a receive reads into; lent to one connection while its view is in use. */
struct receive_buffer {
    struct receive_buffer *next; /* among the free ones */
    uint8_t data[CLASSIC_RECEIVE_BYTES];
};

/* A core's backend state. */
struct classic {
    struct linux_core *core;
    int epoll;
    bool no_pwait2;     /* the kernel or its filter has no epoll_pwait2(): waits are in milliseconds */
    struct watch woken; /* of the core's wake_descriptor */
    struct receive_buffer *free_buffers;
    uint32_t buffers_kept; /* in the list */
};

static inline struct classic *classic_of(struct world *world)
{
    return linux_core_of(world)->backend_state;
}

/* Watches the descriptor, edge-triggered: `ready` is told when one of the events comes about, once. Gives
 * errno. */
int classic_watch(struct classic *classic, int descriptor, uint32_t events, struct watch *watch);

/* Hands what is known of a watched descriptor to another watch. */
int classic_watch_by(struct classic *classic, int descriptor, uint32_t events, struct watch *watch);

/* classic_disk.c */
enum sqlstate classic_read(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                           size_t count, struct error *error);
enum sqlstate classic_write(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                            size_t count, bool durable, struct error *error);
enum sqlstate classic_sync(struct world *world, struct scope *scope, struct file *file, struct error *error);

/* classic_net.c */
extern const struct net_ops classic_net;

#endif
