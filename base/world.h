/* The world is an argument: everything a node can learn from or do to the outside goes through this door.
 *
 * A `struct world` is one core's view of it. Two implementations exist: base/linux (io_uring, or epoll and
 * threads) and test/sim (many nodes in one process, virtual time, one seed). What runs in production is what
 * is simulated.
 *
 * All waiting yields the fiber, never the core. Deadlines are absolute, in world_now() nanoseconds. */
#ifndef SYNOD_BASE_WORLD_H
#define SYNOD_BASE_WORLD_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/fiber.h"
#include "base/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk_ops;
struct file;
struct listener;
struct log;
struct mailbox;
struct metric_set;
struct net_ops;
struct scheduler;
struct scope;
struct tls_library;
struct world_ops;

struct world {
    const struct world_ops *ops;
    const struct disk_ops *disk;
    const struct net_ops *net;
    struct scheduler *scheduler;
    struct scope *scope; /* this core's root: everything descends from it */
    struct mailbox *mailbox;
    struct log *log;
    struct metric_set *metrics;
    struct tls_library *tls; /* OpenSSL of this core: NULL until base/tls first needs it */
    uint64_t now_ns;         /* monotonic clock at the start of this turn of the loop */
    uint64_t wall_ns;        /* now_ns when `wall_us` was read */
    int64_t wall_us;         /* wall clock of that turn, for world_wall_of_turn() */
    uint32_t core;           /* 0 .. cores-1 */
    uint32_t cores;
};

/* ---- clock, randomness, process ---- */

struct world_ops {
    /* Monotonic nanoseconds, read now (about 26 ns; prefer world->now_ns, which is as of this turn). */
    uint64_t (*now)(struct world *world);
    /* Microseconds since 1970-01-01 UTC. May jump either way. */
    int64_t (*wall)(struct world *world);
    /* Fills with random bytes fit for keys. */
    void (*random)(struct world *world, void *bytes, size_t size);
    /* Wakes the sleeping core `core` of this node. Callable from any core of the node. `takes_long`: what it has to do is
     * meant to be done beside this core's work. */
    void (*wake)(struct world *world, uint32_t core, bool takes_long);
    /* Asks all cores of this node to stop (what SIGTERM does). Callable from any core. */
    void (*stop)(struct world *world);
    /* Goes on on the core's own thread: for foreign code that keeps something per thread beyond a call. A core that
     * sleeps may be run by another core's thread for a moment. Yields until then. */
    void (*home)(struct world *world);
    /* Waits until the node was asked to stop: FIBER_WOKEN. Yields. */
    enum fiber_wake (*wait_stop)(struct world *world, uint64_t deadline_ns);
};

static inline uint64_t world_now(struct world *world)
{
    return world->ops->now(world);
}

static inline int64_t world_wall(struct world *world)
{
    return world->ops->wall(world);
}

/* The same as of this turn of the loop: read once in it at most, by whoever asks first. */
static inline int64_t world_wall_of_turn(struct world *world)
{
    if (world->wall_ns != world->now_ns) {
        world->wall_ns = world->now_ns;
        world->wall_us = world_wall(world);
    }
    return world->wall_us;
}

static inline void world_random(struct world *world, void *bytes, size_t size)
{
    world->ops->random(world, bytes, size);
}

static inline void world_stop(struct world *world)
{
    world->ops->stop(world);
}

static inline void world_home(struct world *world)
{
    world->ops->home(world);
}

static inline enum fiber_wake world_wait_stop(struct world *world, uint64_t deadline_ns)
{
    return world->ops->wait_stop(world, deadline_ns);
}

/* ---- disk ---- */

enum disk_open_flags {
    DISK_READ_ONLY = 1,
    DISK_CREATE = 2,    /* make it if it is not there (mode 0600) */
    DISK_EXCLUSIVE = 4, /* with DISK_CREATE: fail with 58P02 if it is there */
    DISK_DIRECT = 8,    /* past the page cache: address, offset and size are multiples of disk_alignment() */
    DISK_LOCK = 16,     /* take it for this process alone; fails with F0001 when another process has it */
};

/* One transfer. The memory belongs to the scope passed with it. */
struct disk_transfer {
    struct file *file;
    void *data;      /* written to by reads, read by writes */
    size_t size;     /* bytes */
    uint64_t offset; /* bytes from the start of the file */
    size_t done;     /* out: bytes read; less than size only at the end of the file */
};

/* Contracts are those of the functions below. Errors of all: 53100 disk full, 58030 I/O error, 58P01 no such
 * file, 58000 others; the message names the file and the system's words. A canceled fiber gets its
 * cancellation's state at once; the operation itself goes on to its end and holds `scope` until then, so its
 * outcome is unknown. */
struct disk_ops {
    enum sqlstate (*open)(struct world *world, struct scope *scope, const char *path, uint32_t flags,
                          struct file **file, struct error *error);
    enum sqlstate (*read)(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                          size_t count, struct error *error);
    enum sqlstate (*write)(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                           size_t count, bool durable, struct error *error);
    enum sqlstate (*sync)(struct world *world, struct scope *scope, struct file *file, struct error *error);
    enum sqlstate (*size)(struct world *world, struct file *file, uint64_t *bytes, struct error *error);
    enum sqlstate (*allocate)(struct world *world, struct scope *scope, struct file *file, uint64_t offset,
                              uint64_t bytes, struct error *error);
    enum sqlstate (*truncate)(struct world *world, struct scope *scope, struct file *file, uint64_t bytes,
                              struct error *error);
    enum sqlstate (*discard)(struct world *world, struct scope *scope, struct file *file, uint64_t offset,
                             uint64_t bytes, struct error *error);
    enum sqlstate (*rename)(struct world *world, const char *from, const char *to, struct error *error);
    enum sqlstate (*remove)(struct world *world, const char *path, struct error *error);
    enum sqlstate (*make_directory)(struct world *world, const char *path, struct error *error);
    enum sqlstate (*list)(struct world *world, struct scope *scope, const char *path, const char ***names,
                          size_t *count, struct error *error);
    enum sqlstate (*sync_directory)(struct world *world, const char *path, struct error *error);
    enum sqlstate (*space)(struct world *world, const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                           struct error *error);
};

/* Opens a file; it is closed when the scope ends (after the last operation on it). One core owns it. Yields.
 */
static inline enum sqlstate disk_open(struct world *world, struct scope *scope, const char *path,
                                      uint32_t flags, struct file **file, struct error *error)
{
    return world->disk->open(world, scope, path, flags, file, error);
}

/* Reads all transfers, in any order and at the same time; `done` says how much each got. Yields. */
static inline enum sqlstate disk_read_many(struct world *world, struct scope *scope,
                                           struct disk_transfer *transfers, size_t count, struct error *error)
{
    return world->disk->read(world, scope, transfers, count, error);
}

/* Writes all transfers, in any order and at the same time. When `durable`, they survive a crash once this
 * returned OK (the path that does this fastest under the present load is chosen inside). On failure an
 * unknown part was written. Yields. */
static inline enum sqlstate disk_write_many(struct world *world, struct scope *scope,
                                            struct disk_transfer *transfers, size_t count, bool durable,
                                            struct error *error)
{
    return world->disk->write(world, scope, transfers, count, durable, error);
}

/* One read. `done` may be NULL: then a short read fails with XX001. Yields. */
enum sqlstate disk_read(struct world *world, struct scope *scope, struct file *file, void *data, size_t size,
                        uint64_t offset, size_t *done, struct error *error);

/* One write, not durable before disk_sync(). Yields. */
enum sqlstate disk_write(struct world *world, struct scope *scope, struct file *file, const void *data,
                         size_t size, uint64_t offset, struct error *error);

/* One write that is durable when this returns OK. Yields. */
enum sqlstate disk_write_durable(struct world *world, struct scope *scope, struct file *file,
                                 const void *data, size_t size, uint64_t offset, struct error *error);

/* Makes everything written to the file before the call durable, its size included. After a failure the file's
 * unsynced content is unknown: do not sync again and go on; treat the data as lost. Yields. */
static inline enum sqlstate disk_sync(struct world *world, struct scope *scope, struct file *file,
                                      struct error *error)
{
    return world->disk->sync(world, scope, file, error);
}

static inline enum sqlstate disk_size(struct world *world, struct file *file, uint64_t *bytes,
                                      struct error *error)
{
    return world->disk->size(world, file, bytes, error);
}

/* Reserves room on the disk for [offset, offset+bytes), which reads as zero; the file grows to cover it.
 * Yields. */
static inline enum sqlstate disk_allocate(struct world *world, struct scope *scope, struct file *file,
                                          uint64_t offset, uint64_t bytes, struct error *error)
{
    return world->disk->allocate(world, scope, file, offset, bytes, error);
}

static inline enum sqlstate disk_truncate(struct world *world, struct scope *scope, struct file *file,
                                          uint64_t bytes, struct error *error)
{
    return world->disk->truncate(world, scope, file, bytes, error);
}

/* Gives the room of [offset, offset+bytes), both multiples of DISK_ALIGNMENT and within the file, back to the disk: it reads as
 * zeros from now on, the file's size stays, and a later write there may find the disk full. Where the file system cannot do
 * that, nothing happens. Yields. */
static inline enum sqlstate disk_discard(struct world *world, struct scope *scope, struct file *file,
                                         uint64_t offset, uint64_t bytes, struct error *error)
{
    return world->disk->discard(world, scope, file, offset, bytes, error);
}

/* Renames, replacing `to`. Durable after disk_sync_directory() of the directory. Yields. */
static inline enum sqlstate disk_rename(struct world *world, const char *from, const char *to,
                                        struct error *error)
{
    return world->disk->rename(world, from, to, error);
}

static inline enum sqlstate disk_remove(struct world *world, const char *path, struct error *error)
{
    return world->disk->remove(world, path, error);
}

/* Makes one directory (mode 0700); that it is there already is no error. Yields. */
static inline enum sqlstate disk_make_directory(struct world *world, const char *path, struct error *error)
{
    return world->disk->make_directory(world, path, error);
}

/* Names in a directory, sorted, without "." and "..", allocated from the scope. Yields. */
static inline enum sqlstate disk_list(struct world *world, struct scope *scope, const char *path,
                                      const char ***names, size_t *count, struct error *error)
{
    return world->disk->list(world, scope, path, names, count, error);
}

/* Makes creations, renames and removals in the directory durable. Yields. */
static inline enum sqlstate disk_sync_directory(struct world *world, const char *path, struct error *error)
{
    return world->disk->sync_directory(world, path, error);
}

/* Bytes a node may still write, and the file system's size. Yields. */
static inline enum sqlstate disk_space(struct world *world, const char *path, uint64_t *free_bytes,
                                       uint64_t *total_bytes, struct error *error)
{
    return world->disk->space(world, path, free_bytes, total_bytes, error);
}

/* What DISK_DIRECT transfers are aligned to: 4,096 on every device we support. */
#define DISK_ALIGNMENT 4096

/* ---- network ---- */

/* A connection on its way from the core that accepted it to the one that will own it. */
struct net_handover {
    uint64_t ticket;
    struct net_address peer;
};

/* Contracts are those of the functions below. */
struct net_ops {
    enum sqlstate (*resolve)(struct world *world, const char *host, uint16_t port,
                             struct net_address *address, struct error *error);
    enum sqlstate (*listen)(struct world *world, struct scope *scope, const struct net_address *address,
                            struct listener **listener, struct net_address *bound, struct error *error);
    enum sqlstate (*accept)(struct world *world, struct listener *listener, struct net_handover *connection,
                            uint64_t deadline_ns, struct error *error);
    enum sqlstate (*adopt)(struct world *world, struct scope *scope, const struct net_handover *connection,
                           struct stream **stream, struct error *error);
    void (*discard)(struct world *world, const struct net_handover *connection);
    enum sqlstate (*connect)(struct world *world, struct scope *scope, const struct net_address *address,
                             uint64_t deadline_ns, struct stream **stream, struct error *error);
};

/* Finds the address of a host name or numeric address. Yields. */
static inline enum sqlstate net_resolve(struct world *world, const char *host, uint16_t port,
                                        struct net_address *address, struct error *error)
{
    return world->net->resolve(world, host, port, address, error);
}

/* Listens; closed with the scope. `bound` gets the real port when address->port is 0. Fails with 55006 when
 * the address is in use. */
static inline enum sqlstate net_listen(struct world *world, struct scope *scope,
                                       const struct net_address *address, struct listener **listener,
                                       struct net_address *bound, struct error *error)
{
    return world->net->listen(world, scope, address, listener, bound, error);
}

/* Waits for a connection. It belongs to nobody until some core of the node adopts (or discards) it. Fails
 * with 53300 when the process has no descriptor left: the connection is refused and accepting can go on.
 * Yields. */
static inline enum sqlstate net_accept(struct world *world, struct listener *listener,
                                       struct net_handover *connection, uint64_t deadline_ns,
                                       struct error *error)
{
    return world->net->accept(world, listener, connection, deadline_ns, error);
}

/* Makes an accepted connection this core's stream, closed with the scope. When the system refuses, the connection
 * is closed. Does not yield. */
static inline enum sqlstate net_adopt(struct world *world, struct scope *scope,
                                      const struct net_handover *connection, struct stream **stream,
                                      struct error *error)
{
    return world->net->adopt(world, scope, connection, stream, error);
}

/* Closes a connection that nobody adopted. */
static inline void net_discard(struct world *world, const struct net_handover *connection)
{
    world->net->discard(world, connection);
}

/* Connects; 08006 when refused or broken, 08001-like states as 08006 with the system's words. Yields. */
static inline enum sqlstate net_connect(struct world *world, struct scope *scope,
                                        const struct net_address *address, uint64_t deadline_ns,
                                        struct stream **stream, struct error *error)
{
    return world->net->connect(world, scope, address, deadline_ns, stream, error);
}

/* Writes "1.2.3.4:5" or "[::1]:5". */
void net_address_text(const struct net_address *address, char text[static NET_ADDRESS_TEXT_BYTES]);

/* Reads a numeric address without port ("127.0.0.1", "::1"); false when it is none. Leaves the port alone. */
bool net_address_parse(const char *text, struct net_address *address);

#endif
