/* Files: opening and what changes a file's extent. Rare calls that may wait for the disk, so a worker thread
 * makes them, for both backends. Reading, writing and syncing are the backends' own. */
#include "base/linux/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- open ---- */

struct open_job {
    struct linux_job job;
    const char *path;
    uint32_t flags;
    int descriptor;
    int number;  /* errno, 0 = opened */
    bool locked; /* another process has the lock */
};

/* The lock belongs to the open file, not to the process (as fcntl()'s would), so opening the file a second
 * time within this process is found out, and closing another descriptor of it does not let go. */
static void run_open(struct linux_job *argument)
{
    struct open_job *job = container_of(argument, struct open_job, job);
    int flags = O_CLOEXEC;
    flags |= job->flags & DISK_READ_ONLY ? O_RDONLY : O_RDWR;
    flags |= job->flags & DISK_CREATE ? O_CREAT : 0;
    flags |= job->flags & DISK_EXCLUSIVE ? O_EXCL : 0;
    flags |= job->flags & DISK_DIRECT ? O_DIRECT : 0;
    struct stat status;
    job->descriptor = open(job->path, flags, 0600);
    if (job->descriptor < 0) {
        job->number = errno;
        return;
    }
    if (fstat(job->descriptor, &status) == 0 && S_ISDIR(status.st_mode))
        job->number = EISDIR;
    else if (job->flags & DISK_LOCK && flock(job->descriptor, LOCK_EX | LOCK_NB)) {
        job->number = errno;
        job->locked = job->number == EWOULDBLOCK;
    }
    if (job->number) {
        close(job->descriptor);
        job->descriptor = -1;
    }
}

static void undo_open(struct linux_job *argument)
{
    struct open_job *job = container_of(argument, struct open_job, job);
    if (job->descriptor >= 0)
        close(job->descriptor);
}

static void close_file(void *argument)
{
    struct file *file = argument;
    close(file->descriptor);
}

static enum sqlstate open_answer(const struct open_job *job, struct error *error)
{
    if (job->locked)
        return error_set(error, SQLSTATE_LOCK_FILE_EXISTS,
                         "could not lock file \"%s\": another process has it", job->path);
    if (job->number)
        return linux_error(error, DEED_OPEN, job->number,
                           job->flags & DISK_EXCLUSIVE ? "could not create file \"%s\""
                                                       : "could not open file \"%s\"",
                           job->path);
    return SQLSTATE_OK;
}

enum sqlstate linux_disk_open(struct world *world, struct scope *scope, const char *path, uint32_t flags,
                              struct file **opened, struct error *error)
{
    struct linux_core *core = linux_core_of(world);
    struct scope *call = scope_open(core->calls, "open file");
    struct open_job *job = scope_alloc_zeroed(call, sizeof *job);
    job->job.run = run_open;
    job->job.undo = undo_open;
    job->path = scope_copy_text(call, path);
    job->flags = flags;
    int descriptor = -1;
    enum sqlstate failed = linux_job_call(core, call, &job->job, error);
    if (!failed) {
        failed = open_answer(job, error);
        descriptor = job->descriptor;
    }
    scope_close(call);
    if (failed)
        return failed;
    struct file *file = scope_alloc_zeroed(scope, sizeof *file);
    *file = (struct file){.core = core,
                          .scope = scope,
                          .path = scope_copy_text(scope, path),
                          .descriptor = descriptor,
                          .flags = flags};
    scope_undo(scope, close_file, file);
    *opened = file;
    return SQLSTATE_OK;
}

/* ---- size, allocate, truncate ---- */

/* fstat() of an open file finds the inode in memory and does not wait for the disk. */
enum sqlstate linux_disk_size(struct world *world, struct file *file, uint64_t *bytes, struct error *error)
{
    (void)world;
    struct stat status;
    if (fstat(file->descriptor, &status))
        return linux_error(error, DEED_FILE, errno, "could not stat file \"%s\"", file->path);
    *bytes = (uint64_t)status.st_size;
    return SQLSTATE_OK;
}

struct extent_job {
    struct linux_job job;
    struct file *file;
    uint64_t offset, bytes;
    int number; /* errno, 0 = done */
};

static void run_allocate(struct linux_job *argument)
{
    struct extent_job *job = container_of(argument, struct extent_job, job);
    do
        job->number = fallocate(job->file->descriptor, 0, (off_t)job->offset, (off_t)job->bytes) ? errno : 0;
    while (job->number == EINTR);
    if (job->number == EOPNOTSUPP) /* the C library writes a byte into every block instead */
        job->number = posix_fallocate(job->file->descriptor, (off_t)job->offset, (off_t)job->bytes);
}

static void run_truncate(struct linux_job *argument)
{
    struct extent_job *job = container_of(argument, struct extent_job, job);
    do
        job->number = ftruncate(job->file->descriptor, (off_t)job->bytes) ? errno : 0;
    while (job->number == EINTR);
}

static void run_discard(struct linux_job *argument)
{
    struct extent_job *job = container_of(argument, struct extent_job, job);
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    do
        job->number =
            fallocate(job->file->descriptor, mode, (off_t)job->offset, (off_t)job->bytes) ? errno : 0;
    while (job->number == EINTR);
    if (job->number == EOPNOTSUPP)
        job->number = 0;
}

/* The call that was deserted has landed. */
static void release_file(struct linux_job *argument)
{
    scope_release(container_of(argument, struct extent_job, job)->file->scope);
}

static enum sqlstate extent_call(struct scope *scope, struct file *file, uint64_t offset, uint64_t bytes,
                                 void (*run)(struct linux_job *job), const char *phrase, struct error *error)
{
    struct scope *call = scope_open(file->core->calls, "file extent");
    struct extent_job *job = scope_alloc_zeroed(call, sizeof *job);
    job->job.run = run;
    job->job.undo = release_file;
    job->file = file;
    job->offset = offset;
    job->bytes = bytes;
    scope_hold(file->scope);
    enum sqlstate failed = linux_job_call(file->core, call, &job->job, error);
    if (!failed) {
        scope_release(file->scope);
        if (job->number)
            failed =
                linux_error(error, DEED_FILE, job->number, "could not %s file \"%s\"", phrase, file->path);
    }
    scope_close(call);
    return failed;
}

enum sqlstate linux_disk_allocate(struct world *world, struct scope *scope, struct file *file,
                                  uint64_t offset, uint64_t bytes, struct error *error)
{
    (void)world;
    return extent_call(scope, file, offset, bytes, run_allocate, "extend", error);
}

enum sqlstate linux_disk_truncate(struct world *world, struct scope *scope, struct file *file, uint64_t bytes,
                                  struct error *error)
{
    (void)world;
    return extent_call(scope, file, 0, bytes, run_truncate, "truncate", error);
}

enum sqlstate linux_disk_discard(struct world *world, struct scope *scope, struct file *file, uint64_t offset,
                                 uint64_t bytes, struct error *error)
{
    (void)world;
    return extent_call(scope, file, offset, bytes, run_discard, "give back room of", error);
}
