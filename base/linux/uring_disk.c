/* Reading and writing files through the ring.
 *
 * One call (disk_read_many, disk_write_many, disk_sync) is a *request*; each transfer is an *operation* of
 * it. Both come from pools of the core, since they must outlive a fiber that was canceled: such a fiber
 * deserts its request and goes, the operations land by themselves, and the last one gives everything back.
 *
 *     fiber:   request taken -> operations submitted -> waits ..................... -> looks, gives back
 *     loop:                              each lands; the last one wakes the fiber, or gives back if deserted
 *
 * From its submission to its landing an operation holds the scope its memory belongs to and the scope of its
 * file.
 *
 * Durable writes go one of two ways, picked per request (flush_choice.h):
 *
 *     by thread   a flush thread writes and syncs (flush.c)
 *     by ring     a single direct write with RWF_DSYNC, which ends when it is durable; others are written,
 *                 then each file is synced once. (A write linked with a sync took 114 us and 43 us of processor
 *                 time where RWF_DSYNC takes 76 and 16: a linked sync runs on a worker thread of the kernel.)
 *
 * Files are not registered with the ring: reading 4 KiB from memory took 2.1 to 2.3 us of processor time with
 * and without. Registered buffers would save pinning the pages of direct transfers, but they must be known
 * beforehand, and memory here is any scope's. */
#include "base/linux/uring.h"
#include "base/linux/workers.h"

#include "base/check.h"

#include <errno.h>
#include <string.h>

/* More in one transfer the kernel cuts itself (at 2 GiB less a page); we cut at whole megabytes. */
#define TRANSFER_BYTES_MAX (1024U * 1024 * 1024)
/* Records made at a time when the pool is empty. */
#define POOL_STEP 64
/* Pieces of a durable write that the ring takes; more go by thread, which joins neighbours. */
#define DURABLE_PIECES_MAX 16

enum deed { DEED_READ, DEED_WRITE, DEED_SYNC };

struct request {
    struct request *next_free;
    struct linux_core *core;
    struct scope *scope; /* held until the request has landed */
    struct fiber_queue waiter;
    uint32_t in_flight; /* operations, the flush counting as one, and so does the fiber while it submits */
    bool landed;        /* in_flight is 0 for good */
    bool deserted;      /* nobody waits any more */
    int number;         /* errno of the first failure, 0 = none */
    enum deed failed_deed;
    struct file *failed;

    /* Durable writes: */
    struct flush_pick pick;
    size_t bytes;
    uint64_t began_ns;
    struct operation *writes;  /* by ring: kept until the end, to become the syncs */
    bool synced;               /* by ring: the syncs have been started, or the write needs none */
    struct flush flush;        /* by thread */
    struct scope *flush_scope; /* by thread: of the flush's copy of the transfers */
};

struct operation {
    struct uring_op op;
    struct operation *next; /* in request->writes, or free */
    struct request *request;
    struct disk_transfer transfer; /* `done` bytes of it are done */
    struct disk_transfer *asked; /* the caller's, which hears what was done unless it has gone; may be NULL */
    bool kept;                   /* it is in request->writes, which gives it back */
    bool durable;                /* a write that ends when it is durable */
    enum deed deed;
};

struct disk_pool {
    struct request *free_requests;
    struct operation *free_operations;
    uint32_t free;              /* in free_operations */
    uint32_t made;              /* operations there are */
    struct fiber_queue waiting; /* for an operation */
};

/* ---- pools ---- */

void uring_disk_open(struct linux_core *core)
{
    struct uring *uring = uring_of(core);
    uring->disk = scope_alloc_zeroed(core->scope, sizeof *uring->disk);
    fiber_queue_init(&uring->disk->waiting);
}

static struct request *request_take(struct linux_core *core, struct scope *scope)
{
    struct disk_pool *pool = uring_of(core)->disk;
    struct request *request = pool->free_requests;
    if (request)
        pool->free_requests = request->next_free;
    else
        request = scope_alloc(core->scope, sizeof *request);
    memset(request, 0, sizeof *request);
    request->core = core;
    request->scope = scope;
    request->in_flight = 1;
    fiber_queue_init(&request->waiter);
    scope_hold(scope);
    return request;
}

static void request_give(struct request *request)
{
    struct disk_pool *pool = uring_of(request->core)->disk;
    request->next_free = pool->free_requests;
    pool->free_requests = request;
}

/* Makes sure that `count` operations can be taken; false when the core has as many as it may. */
static bool operations_free(struct linux_core *core, uint32_t count)
{
    struct disk_pool *pool = uring_of(core)->disk;
    while (pool->free < count && pool->made < URING_DISK_OPERATIONS_MAX) {
        struct operation *made = scope_alloc(core->scope, POOL_STEP * sizeof *made);
        for (int i = 0; i < POOL_STEP; i++) {
            made[i].next = pool->free_operations;
            pool->free_operations = &made[i];
        }
        pool->free += POOL_STEP;
        pool->made += POOL_STEP;
    }
    return pool->free >= count;
}

static struct operation *operation_take(struct linux_core *core)
{
    struct disk_pool *pool = uring_of(core)->disk;
    struct operation *operation = pool->free_operations;
    pool->free_operations = operation->next;
    pool->free--;
    return operation;
}

/* Gives the operation back and lets one go on who waits for it. */
static void operation_give(struct linux_core *core, struct operation *operation)
{
    struct disk_pool *pool = uring_of(core)->disk;
    operation->next = pool->free_operations;
    pool->free_operations = operation;
    pool->free++;
    fiber_wake_one(&pool->waiting);
}

/* ---- submitting ---- */

static void operation_complete(struct linux_core *core, struct uring_op *op, int32_t result, uint32_t flags);

/* Hands the operation, or what is left of it, to the ring. */
static void operation_submit(struct operation *operation)
{
    struct request *request = operation->request;
    struct disk_transfer *transfer = &operation->transfer;
    struct file *file = transfer->file;
    struct io_uring_sqe *sqe = uring_submission(request->core, &operation->op);
    size_t left = transfer->size - transfer->done;
    unsigned size = left < TRANSFER_BYTES_MAX ? (unsigned)left : TRANSFER_BYTES_MAX;
    uint8_t *data = (uint8_t *)transfer->data + transfer->done;
    uint64_t offset = transfer->offset + transfer->done;
    if (operation->deed == DEED_READ)
        io_uring_prep_read(sqe, file->descriptor, data, size, offset);
    else if (operation->deed == DEED_WRITE)
        io_uring_prep_write(sqe, file->descriptor, data, size, offset);
    else
        io_uring_prep_fsync(sqe, file->descriptor, IORING_FSYNC_DATASYNC);
    if (operation->durable)
        sqe->rw_flags = RWF_DSYNC;
}

/* Starts a new operation, or an old one anew as another deed. */
static void operation_start(struct request *request, struct operation *operation, enum deed deed,
                            struct disk_transfer transfer, bool durable)
{
    operation->op.complete = operation_complete;
    operation->request = request;
    operation->transfer = transfer;
    operation->transfer.done = 0;
    operation->deed = deed;
    operation->durable = durable;
    request->in_flight++;
    scope_hold(transfer.file->scope);
    operation_submit(operation);
}

/* ---- landing ---- */

static void request_fail(struct request *request, int number, enum deed deed, struct file *file)
{
    if (request->number)
        return;
    request->number = number;
    request->failed_deed = deed;
    request->failed = file;
}

static bool synced_before(const struct request *request, const struct operation *until)
{
    for (const struct operation *at = request->writes; at != until; at = at->next)
        if (at->transfer.file == until->transfer.file)
            return true;
    return false;
}

/* All is written: syncs each file once, by the operation of its first write. */
static void start_syncs(struct request *request)
{
    request->synced = true;
    for (struct operation *at = request->writes; at; at = at->next)
        if (!synced_before(request, at))
            operation_start(request, at, DEED_SYNC, (struct disk_transfer){.file = at->transfer.file}, false);
}

/* Something of the request has landed; the last thing ends it. */
static void request_landed(struct request *request)
{
    struct linux_core *core = request->core;
    struct scope *scope = request->scope;
    if (--request->in_flight)
        return;
    if (request->writes && !request->synced && !request->number) {
        start_syncs(request);
        return;
    }
    while (request->writes) {
        struct operation *operation = request->writes;
        request->writes = operation->next;
        operation_give(core, operation);
    }
    request->landed = true;
    if (request->deserted)
        request_give(request);
    else
        fiber_wake_one(&request->waiter);
    scope_release(scope);
}

/* How much of a result counts. What a direct transfer got beyond a multiple of the block cannot be continued:
 * a read has reached the end of the file, a write does that part again. */
static void operation_progress(struct operation *operation, int32_t result, bool *finished)
{
    struct disk_transfer *transfer = &operation->transfer;
    bool direct = transfer->file->flags & DISK_DIRECT;
    size_t got = (size_t)result;
    bool short_block = direct && got % DISK_ALIGNMENT && transfer->done + got < transfer->size;
    if (operation->deed == DEED_READ) {
        transfer->done += got;
        *finished = got == 0 || short_block || transfer->done == transfer->size;
        return;
    }
    if (short_block)
        got -= got % DISK_ALIGNMENT;
    if (got == 0 &&
        transfer->size) /* it took nothing and does not say why: as a full disk does at its last block */
        request_fail(operation->request, ENOSPC, DEED_WRITE, transfer->file);
    transfer->done += got;
    *finished = got == 0 || transfer->done == transfer->size;
}

static void operation_complete(struct linux_core *core, struct uring_op *op, int32_t result, uint32_t flags)
{
    struct operation *operation = container_of(op, struct operation, op);
    struct request *request = operation->request;
    struct scope *file_scope = operation->transfer.file->scope;
    bool finished = true;
    (void)flags;
    if (operation->deed == DEED_SYNC) {
        if (result < 0)
            request_fail(request, -result, DEED_SYNC, operation->transfer.file);
    } else if (result == -EINTR || result == -EAGAIN)
        finished = false;
    else if (result < 0)
        request_fail(request, -result, operation->deed, operation->transfer.file);
    else
        operation_progress(operation, result, &finished);
    if (!finished) {
        operation_submit(operation);
        return;
    }
    if (operation->asked && !request->deserted)
        operation->asked->done = operation->transfer.done;
    if (!operation->kept)
        operation_give(core, operation);
    request_landed(request);
    scope_release(file_scope);
}

/* A flush thread has done it. */
static void flush_landed(struct linux_core *core, struct linux_landing *landing)
{
    struct request *request =
        container_of(container_of(landing, struct flush, landing), struct request, flush);
    struct flush *flush = &request->flush;
    struct scope *flush_scope = request->flush_scope;
    (void)core;
    if (flush->number)
        request_fail(request, flush->number, flush->sync_failed ? DEED_SYNC : DEED_WRITE, flush->failed);
    for (size_t i = 0; i < flush->count; i++)
        scope_release(flush->transfers[i].file->scope);
    scope_close(flush_scope);
    request_landed(request);
}

/* ---- the calls ---- */

static enum sqlstate request_error(const struct request *request, struct error *error)
{
    static const char *const phrases[] = {
        [DEED_READ] = "could not read file \"%s\"",
        [DEED_WRITE] = "could not write file \"%s\"",
        [DEED_SYNC] = "could not sync file \"%s\"",
    };
    return linux_error(error, DEED_FILE, request->number, phrases[request->failed_deed],
                       request->failed->path);
}

/* Says that all is submitted, waits for the end, gives the request back. A canceled fiber leaves it to its
 * operations. */
static enum sqlstate request_wait(struct request *request, struct error *error)
{
    struct linux_core *core = request->core;
    enum sqlstate failed = SQLSTATE_OK;
    request_landed(request);
    while (!request->landed) {
        /* Canceled, and yet it has landed before this fiber came to run: then its outcome is known. */
        if (fiber_wait(core->world.scheduler, &request->waiter, FIBER_NO_DEADLINE) == FIBER_CANCELED &&
            !request->landed) {
            request->deserted = true;
            return fiber_check_canceled(core->world.scheduler, error);
        }
    }
    if (request->number)
        failed = request_error(request, error);
    request_give(request);
    return failed;
}

static enum sqlstate transfer_many(struct linux_core *core, struct scope *scope,
                                   struct disk_transfer *transfers, size_t count, enum deed deed,
                                   struct error *error)
{
    struct request *request = request_take(core, scope);
    for (size_t i = 0; i < count; i++) {
        while (!operations_free(core, 1)) {
            if (fiber_wait(core->world.scheduler, &uring_of(core)->disk->waiting, FIBER_NO_DEADLINE) ==
                FIBER_WOKEN)
                continue;
            request->deserted = true;
            request_landed(request);
            return fiber_check_canceled(core->world.scheduler, error);
        }
        struct operation *operation = operation_take(core);
        operation->asked = &transfers[i];
        operation->kept = false;
        operation_start(request, operation, deed, transfers[i], false);
    }
    return request_wait(request, error);
}

static enum sqlstate uring_read(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                                size_t count, struct error *error)
{
    return transfer_many(linux_core_of(world), scope, transfers, count, DEED_READ, error);
}

/* As request_wait(), then says what the durable request took. */
static enum sqlstate durable_wait(struct request *request, struct error *error)
{
    struct linux_core *core = request->core;
    struct flush_pick pick = request->pick;
    size_t bytes = request->bytes;
    uint64_t began_ns = request->began_ns;
    enum sqlstate failed = request_wait(request, error);
    linux_flush_done(core, pick, bytes, world_now(&core->world) - began_ns, !failed);
    return failed;
}

static enum sqlstate durable_by_thread(struct request *request, const struct disk_transfer *transfers,
                                       size_t count, struct error *error)
{
    struct linux_core *core = request->core;
    struct flush *flush = &request->flush;
    void *copy;
    request->flush_scope = scope_open(core->calls, "flush");
    enum sqlstate failed =
        scope_alloc_large(request->flush_scope, count * sizeof *transfers, 16, &copy, error);
    if (failed) {
        scope_close(request->flush_scope);
        request->deserted = true;
        request_landed(request);
        return failed;
    }
    flush->transfers = memcpy(copy, transfers, count * sizeof *transfers);
    flush->count = count;
    flush->landing.land = flush_landed;
    for (size_t i = 0; i < count; i++)
        scope_hold(transfers[i].file->scope);
    request->in_flight++;
    linux_flush_start(core, flush);
    return durable_wait(request, error);
}

/* Requires operations_free(count). */
static enum sqlstate durable_by_ring(struct request *request, const struct disk_transfer *transfers,
                                     size_t count, struct error *error)
{
    struct linux_core *core = request->core;
    bool at_once = count == 1 && transfers[0].file->flags & DISK_DIRECT;
    for (size_t i = 0; i < count; i++) {
        struct operation *write = operation_take(core);
        write->asked = NULL;
        write->kept = true;
        write->next = request->writes;
        request->writes = write;
        operation_start(request, write, DEED_WRITE, transfers[i], at_once);
    }
    request->synced = at_once;
    return durable_wait(request, error);
}

static enum sqlstate uring_write(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                                 size_t count, bool durable, struct error *error)
{
    struct linux_core *core = linux_core_of(world);
    if (!durable)
        return transfer_many(core, scope, transfers, count, DEED_WRITE, error);
    if (!count)
        return SQLSTATE_OK;
    struct request *request = request_take(core, scope);
    for (size_t i = 0; i < count; i++)
        request->bytes += transfers[i].size;
    request->began_ns = world_now(world);
    request->pick = linux_flush_pick(core, request->bytes);
    /* The ring keeps the operations of all writes until they are synced. To wait here for some while having
     * others could be for ever, so it is the threads' turn when there are not enough. */
    if (request->pick.path == FLUSH_BY_RING && count <= DURABLE_PIECES_MAX &&
        operations_free(core, (uint32_t)count))
        return durable_by_ring(request, transfers, count, error);
    return durable_by_thread(request, transfers, count, error);
}

static enum sqlstate uring_sync(struct world *world, struct scope *scope, struct file *file,
                                struct error *error)
{
    struct linux_core *core = linux_core_of(world);
    struct disk_transfer transfer = {.file = file};
    struct request *request = request_take(core, scope);
    request->began_ns = world_now(world);
    request->pick = linux_flush_pick(core, 0);
    if (request->pick.path == FLUSH_BY_THREAD || !operations_free(core, 1))
        return durable_by_thread(request, &transfer, 1, error);
    struct operation *operation = operation_take(core);
    operation->asked = NULL;
    operation->kept = false;
    operation_start(request, operation, DEED_SYNC, transfer, false);
    return durable_wait(request, error);
}

const struct disk_ops uring_disk_ops = {
    .open = linux_disk_open,
    .read = uring_read,
    .write = uring_write,
    .sync = uring_sync,
    .size = linux_disk_size,
    .allocate = linux_disk_allocate,
    .truncate = linux_disk_truncate,
    .discard = linux_disk_discard,
    .rename = linux_disk_rename,
    .remove = linux_disk_remove,
    .make_directory = linux_disk_make_directory,
    .list = linux_disk_list,
    .sync_directory = linux_disk_sync_directory,
    .space = linux_disk_space,
};
