/* Reading and writing files by worker threads: each transfer is a job of its own, so that all of a call run
 * at the same time; durable writes go to the flush threads as one piece of work.
 *
 * A call lives in a scope of its own and works on copies of the caller's transfers, because a canceled caller
 * leaves at once, and its transfers may stand on its stack. Until the last job has landed, the call holds the
 * caller's scope (where the bytes are) and those of the files (which would close them). */
#include "base/linux/classic.h"
#include "base/linux/workers.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct disk_call;

/* One transfer on its way. */
struct disk_job {
    struct linux_job job; /* its `waiter` and flags are not used: the call counts its jobs */
    struct disk_call *call;
    struct disk_transfer transfer;
    int number; /* errno, 0 = done */
};

struct disk_call {
    struct linux_core *core;
    struct scope *scope;  /* its own */
    struct scope *caller; /* held */
    struct fiber_queue waiter;
    size_t out;    /* jobs that have not landed */
    bool deserted; /* nobody waits: the last landing ends the call */
    size_t count;
    struct disk_job *jobs;           /* reads and plain writes */
    struct flush flush;              /* durable writes and syncs */
    struct disk_transfer *transfers; /* the flush's */
};

static enum sqlstate call_open(struct linux_core *core, struct scope *caller,
                               const struct disk_transfer *transfers, size_t count, size_t bytes_each,
                               struct disk_call **call, void **memory, struct error *error)
{
    struct scope *scope = scope_open(core->calls, "disk");
    struct disk_call *opened = scope_alloc_zeroed(scope, sizeof *opened);
    enum sqlstate failed = scope_alloc_large(scope, count * bytes_each, _Alignof(max_align_t), memory, error);
    if (failed) {
        scope_close(scope);
        return failed;
    }
    opened->core = core;
    opened->scope = scope;
    opened->caller = caller;
    opened->count = count;
    fiber_queue_init(&opened->waiter);
    scope_hold(caller);
    for (size_t i = 0; i < count; i++)
        scope_hold(transfers[i].file->scope);
    *call = opened;
    return SQLSTATE_OK;
}

static struct file *file_of(const struct disk_call *call, size_t index)
{
    return call->jobs ? call->jobs[index].transfer.file : call->transfers[index].file;
}

/* Lets go of everything; the call's memory goes with it. */
static void call_close(struct disk_call *call)
{
    struct scope *scope = call->scope, *caller = call->caller;
    for (size_t i = 0; i < call->count; i++)
        scope_release(file_of(call, i)->scope);
    scope_close(scope);
    scope_release(caller);
}

/* One job of the call is back. */
static void call_landed(struct disk_call *call)
{
    if (--call->out)
        return;
    if (call->deserted)
        call_close(call);
    else
        fiber_wake_one(&call->waiter);
}

/* Waits for the last landing. Fails when the fiber is canceled before; the call is then no longer the
 * caller's. */
static enum sqlstate call_wait(struct disk_call *call, struct error *error)
{
    struct scheduler *scheduler = call->core->world.scheduler;
    enum fiber_wake woken = fiber_wait(scheduler, &call->waiter, FIBER_NO_DEADLINE);
    if (woken == FIBER_CANCELED && call->out) {
        call->deserted = true;
        return fiber_check_canceled(scheduler, error);
    }
    return SQLSTATE_OK;
}

/* ---- reads, and writes that need not be durable ---- */

/* Reads up to the end of the file. A short read is the end or a signal; where alignment rules, only the end
 * is not aligned, and asking again behind it would be an error. */
static void run_read(struct linux_job *job)
{
    struct disk_job *mine = container_of(job, struct disk_job, job);
    struct disk_transfer *transfer = &mine->transfer;
    bool direct = transfer->file->flags & DISK_DIRECT;
    while (transfer->done < transfer->size) {
        ssize_t got = pread(transfer->file->descriptor, (char *)transfer->data + transfer->done,
                            transfer->size - transfer->done, (off_t)(transfer->offset + transfer->done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            mine->number = errno;
        if (got <= 0)
            return;
        transfer->done += (size_t)got;
        if (direct && transfer->done % DISK_ALIGNMENT)
            return;
    }
}

static void run_write(struct linux_job *job)
{
    struct disk_job *mine = container_of(job, struct disk_job, job);
    struct disk_transfer *transfer = &mine->transfer;
    while (transfer->done < transfer->size) {
        ssize_t put = pwrite(transfer->file->descriptor, (const char *)transfer->data + transfer->done,
                             transfer->size - transfer->done, (off_t)(transfer->offset + transfer->done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            mine->number = put ? errno : EIO; /* a file that takes nothing and says nothing */
            return;
        }
        transfer->done += (size_t)put;
    }
}

static void job_land(struct linux_core *core, struct linux_landing *landing)
{
    (void)core;
    call_landed(container_of(landing, struct disk_job, job.landing)->call);
}

/* The first failure, in the order of the transfers. */
static enum sqlstate jobs_answer(const struct disk_call *call, const char *phrase, struct error *error)
{
    for (size_t i = 0; i < call->count; i++)
        if (call->jobs[i].number)
            return linux_error(error, DEED_FILE, call->jobs[i].number, "could not %s file \"%s\"", phrase,
                               call->jobs[i].transfer.file->path);
    return SQLSTATE_OK;
}

static enum sqlstate transfer_all(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                                  size_t count, void (*run)(struct linux_job *job), const char *phrase,
                                  struct error *error)
{
    struct linux_core *core = linux_core_of(world);
    struct disk_call *call;
    void *memory;
    enum sqlstate failed =
        call_open(core, scope, transfers, count, sizeof(struct disk_job), &call, &memory, error);
    if (failed)
        return failed;
    call->jobs = memory;
    call->out = count;
    for (size_t i = 0; i < count; i++) {
        struct disk_job *job = &call->jobs[i];
        *job = (struct disk_job){.call = call, .transfer = transfers[i]};
        job->transfer.done = 0;
        job->job.run = run;
        job->job.core = core;
        job->job.landing.land = job_land;
        workers_put(core->node->workers, &job->job.landing);
    }
    failed = call_wait(call, error);
    if (failed)
        return failed;
    for (size_t i = 0; i < count; i++)
        transfers[i].done = call->jobs[i].transfer.done;
    failed = jobs_answer(call, phrase, error);
    call_close(call);
    return failed;
}

enum sqlstate classic_read(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                           size_t count, struct error *error)
{
    fiber_may_yield(world->scheduler);
    return count ? transfer_all(world, scope, transfers, count, run_read, "read", error) : SQLSTATE_OK;
}

/* ---- durable writes and syncs ---- */

static void flush_land(struct linux_core *core, struct linux_landing *landing)
{
    (void)core;
    call_landed(container_of(landing, struct disk_call, flush.landing));
}

static enum sqlstate flush_answer(const struct flush *flush, struct error *error)
{
    if (!flush->number)
        return SQLSTATE_OK;
    return linux_error(error, DEED_FILE, flush->number,
                       flush->sync_failed ? "could not sync file \"%s\"" : "could not write file \"%s\"",
                       flush->failed->path);
}

static enum sqlstate flush_all(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                               size_t count, struct error *error)
{
    struct linux_core *core = linux_core_of(world);
    struct disk_call *call;
    void *memory;
    enum sqlstate failed = call_open(core, scope, transfers, count, sizeof *transfers, &call, &memory, error);
    if (failed)
        return failed;
    call->transfers = memory;
    memcpy(call->transfers, transfers, count * sizeof *transfers);
    call->out = 1;
    call->flush.landing.land = flush_land;
    call->flush.transfers = call->transfers;
    call->flush.count = count;
    linux_flush_start(core, &call->flush);
    failed = call_wait(call, error);
    if (failed)
        return failed;
    failed = flush_answer(&call->flush, error);
    call_close(call);
    if (!failed)
        for (size_t i = 0; i < count; i++)
            transfers[i].done = transfers[i].size;
    return failed;
}

enum sqlstate classic_write(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                            size_t count, bool durable, struct error *error)
{
    fiber_may_yield(world->scheduler);
    if (!count)
        return SQLSTATE_OK;
    return durable ? flush_all(world, scope, transfers, count, error)
                   : transfer_all(world, scope, transfers, count, run_write, "write", error);
}

enum sqlstate classic_sync(struct world *world, struct scope *scope, struct file *file, struct error *error)
{
    struct disk_transfer nothing = {.file = file};
    return flush_all(world, scope, &nothing, 1, error);
}
