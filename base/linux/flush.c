/* Durable writes by dedicated threads: a direct write with RWF_DSYNC, or writes and an fdatasync for each file; several in
 * flight at once. (Only of direct writes: a device that cannot be synced takes the flag and does nothing about it.)
 *
 * Why not leave it to io_uring: its sync runs on a worker thread of the kernel, which waits for a scheduler
 * tick when all processors are busy. These threads sleep in the system call itself and are woken ahead of the
 * cores that used up their share. Which way is the better one changes with the load; flush_choice.c chooses.
 */
#include "base/linux/workers.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

/* Pieces of one write: a log batch has a handful. */
#define PIECES_MAX 16

/* How many transfers from the first on continue each other in one file, so that one call writes them. */
static size_t run_length(const struct disk_transfer *transfers, size_t count, size_t *bytes)
{
    size_t length = 1;
    *bytes = transfers[0].size;
    while (length < count && length < PIECES_MAX && transfers[length].file == transfers[0].file &&
           transfers[length].offset == transfers[0].offset + *bytes)
        *bytes += transfers[length++].size;
    return length;
}

/* Writes what continues in one file, however many calls it takes; with RWF_DSYNC in `flags` each ends when it is durable.
 * Gives errno. */
static int write_run(const struct disk_transfer *transfers, size_t length, size_t bytes, int flags)
{
    struct iovec pieces[PIECES_MAX];
    for (size_t i = 0; i < length; i++)
        pieces[i] = (struct iovec){.iov_base = transfers[i].data, .iov_len = transfers[i].size};
    struct iovec *at = pieces;
    uint64_t offset = transfers[0].offset;
    while (bytes) {
        ssize_t written =
            pwritev2(transfers[0].file->descriptor, at, (int)(pieces + length - at), (off_t)offset, flags);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        if (written == 0)
            return EIO; /* a file that takes nothing and says nothing */
        offset += (uint64_t)written;
        bytes -= (size_t)written;
        for (size_t rest = (size_t)written; rest;) {
            size_t part = rest < at->iov_len ? rest : at->iov_len;
            at->iov_base = (char *)at->iov_base + part;
            at->iov_len -= part;
            rest -= part;
            if (!at->iov_len)
                at++;
        }
    }
    return 0;
}

/* Whether an earlier transfer is of the same file. */
static bool synced_before(const struct disk_transfer *transfers, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (transfers[i].file == transfers[index].file)
            return true;
    return false;
}

static void write_and_sync(struct flush *flush)
{
    struct disk_transfer *transfers = flush->transfers;
    size_t length, bytes;
    bool at_once = false;
    for (size_t i = 0; i < flush->count; i += length) {
        length = run_length(transfers + i, flush->count - i, &bytes);
        at_once = length == flush->count && bytes && transfers[i].file->flags & DISK_DIRECT;
        flush->number = write_run(transfers + i, length, bytes, at_once ? RWF_DSYNC : 0);
        if (flush->number) {
            flush->failed = transfers[i].file;
            return;
        }
    }
    for (size_t i = 0; i < flush->count && !at_once; i++) {
        if (synced_before(transfers, i))
            continue;
        /* Never repeated, whatever it says: after a failed sync the kernel may have dropped the dirty pages,
         * and a second one would succeed without them. */
        if (fdatasync(transfers[i].file->descriptor)) {
            flush->number = errno;
            flush->sync_failed = true;
            flush->failed = transfers[i].file;
            return;
        }
    }
}

static void run_flush(struct linux_landing *work)
{
    struct flush *flush = container_of(work, struct flush, landing);
    write_and_sync(flush);
    linux_hand_back(flush->core, work);
}

enum sqlstate linux_flush_open(struct linux_node *node, struct error *error)
{
    struct workers_options options = {
        .name = "synod-flush", .threads_max = FLUSH_THREADS_MAX, .run = run_flush};
    return workers_open(node->scope, &options, &node->flushers, error);
}

void linux_flush_close(struct linux_node *node)
{
    if (node->flushers)
        workers_close(node->flushers);
    node->flushers = NULL;
}

void linux_flush_start(struct linux_core *core, struct flush *flush)
{
    flush->core = core;
    flush->number = 0;
    flush->sync_failed = false;
    flush->failed = NULL;
    workers_put(core->node->flushers, &flush->landing);
}

/* ---- the choice, per core ---- */

void linux_flush_choice_open(struct linux_core *core)
{
    enum linux_flush option = core->node->options.flush;
    core->flush_choice = scope_alloc(core->scope, sizeof *core->flush_choice);
    flush_choice_init(core->flush_choice, option == LINUX_FLUSH_THREAD ? FLUSH_BY_THREAD : FLUSH_BY_RING,
                      option != LINUX_FLUSH_AUTO);
}

struct flush_pick linux_flush_pick(struct linux_core *core, size_t bytes)
{
    return flush_choice_pick(core->flush_choice, bytes);
}

void linux_flush_done(struct linux_core *core, struct flush_pick pick, size_t bytes, uint64_t took_ns,
                      bool succeeded)
{
    flush_choice_measured(core->flush_choice, pick, bytes, took_ns, succeeded);
}
