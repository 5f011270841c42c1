/* Names in directories: rename, remove, make, list, make durable; and room on a file system. All of these
 * block in the kernel, and io_uring has only some of them, so both backends have worker threads do them.
 *
 * Each call has a scope of its own, which ends when its job has landed: a canceled caller leaves at once, and
 * the paths stay for the thread that still uses them. */
#include "base/linux/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct directory_job {
    struct linux_job job;
    const char *path;
    const char *to; /* of rename */
    int number;     /* out: errno, 0 = none */
    struct statvfs room;
    char **names; /* of list, from malloc: a thread may not touch a scope */
    size_t count;
};

static struct directory_job *job_open(struct world *world, const char *path,
                                      void (*run)(struct linux_job *job))
{
    struct scope *scope = scope_open(linux_core_of(world)->calls, "directory");
    struct directory_job *job = scope_alloc_zeroed(scope, sizeof *job);
    job->job.run = run;
    job->job.scope = scope;
    job->path = scope_copy_text(scope, path);
    return job;
}

/* Runs the job to its end or the fiber's cancellation; then its scope is closed, and `number` tells errno. */
static enum sqlstate job_finish(struct world *world, struct directory_job *job, int *number,
                                struct error *error)
{
    struct scope *scope = job->job.scope;
    enum sqlstate canceled = linux_job_call(linux_core_of(world), scope, &job->job, error);
    if (!canceled)
        *number = job->number;
    scope_close(scope);
    return canceled;
}

static void run_rename(struct linux_job *job)
{
    struct directory_job *mine = container_of(job, struct directory_job, job);
    mine->number = rename(mine->path, mine->to) ? errno : 0;
}

enum sqlstate linux_disk_rename(struct world *world, const char *from, const char *to, struct error *error)
{
    struct directory_job *job = job_open(world, from, run_rename);
    job->to = scope_copy_text(job->job.scope, to);
    int number;
    enum sqlstate canceled = job_finish(world, job, &number, error);
    if (canceled)
        return canceled;
    if (number)
        return linux_error(error, DEED_OPEN, number, "could not rename file \"%s\" to \"%s\"", from, to);
    return SQLSTATE_OK;
}

/* A file or an empty directory. */
static void run_remove(struct linux_job *job)
{
    struct directory_job *mine = container_of(job, struct directory_job, job);
    mine->number = remove(mine->path) ? errno : 0;
}

enum sqlstate linux_disk_remove(struct world *world, const char *path, struct error *error)
{
    int number;
    enum sqlstate canceled = job_finish(world, job_open(world, path, run_remove), &number, error);
    if (canceled)
        return canceled;
    if (number)
        return linux_error(error, DEED_OPEN, number, "could not remove file \"%s\"", path);
    return SQLSTATE_OK;
}

static void run_make_directory(struct linux_job *job)
{
    struct directory_job *mine = container_of(job, struct directory_job, job);
    mine->number = mkdir(mine->path, 0700) ? errno : 0;
    struct stat there;
    if (mine->number == EEXIST && !stat(mine->path, &there))
        mine->number = S_ISDIR(there.st_mode) ? 0 : ENOTDIR;
}

enum sqlstate linux_disk_make_directory(struct world *world, const char *path, struct error *error)
{
    int number;
    enum sqlstate canceled = job_finish(world, job_open(world, path, run_make_directory), &number, error);
    if (canceled)
        return canceled;
    if (number)
        return linux_error(error, DEED_OPEN, number, "could not create directory \"%s\"", path);
    return SQLSTATE_OK;
}

static void run_sync_directory(struct linux_job *job)
{
    struct directory_job *mine = container_of(job, struct directory_job, job);
    int directory = open(mine->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        mine->number = errno;
        return;
    }
    mine->number = fsync(directory) ? errno : 0;
    close(directory);
}

enum sqlstate linux_disk_sync_directory(struct world *world, const char *path, struct error *error)
{
    int number;
    enum sqlstate canceled = job_finish(world, job_open(world, path, run_sync_directory), &number, error);
    if (canceled)
        return canceled;
    if (number)
        return linux_error(error, DEED_OPEN, number, "could not sync directory \"%s\"", path);
    return SQLSTATE_OK;
}

/* ---- list ---- */

static void names_free(struct directory_job *job)
{
    for (size_t i = 0; i < job->count; i++)
        free(job->names[i]);
    free(job->names);
}

static void undo_list(struct linux_job *job)
{
    names_free(container_of(job, struct directory_job, job));
}

/* Adds a name; false when there is no memory. */
static bool names_add(struct directory_job *job, const char *name)
{
    /* Room doubles whenever the count is a power of two. */
    if ((job->count & (job->count - 1)) == 0) {
        char **grown = realloc(job->names, (job->count ? 2 * job->count : 1) * sizeof *grown);
        if (!grown)
            return false;
        job->names = grown;
    }
    char *copy = strdup(name);
    if (!copy)
        return false;
    job->names[job->count++] = copy;
    return true;
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run_list(struct linux_job *job)
{
    struct directory_job *mine = container_of(job, struct directory_job, job);
    DIR *directory = opendir(mine->path);
    if (!directory) {
        mine->number = errno;
        return;
    }
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (!entry) {
            mine->number = errno;
            break;
        }
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (!names_add(mine, entry->d_name)) {
            mine->number = ENOMEM;
            break;
        }
    }
    closedir(directory);
    if (mine->count)
        qsort(mine->names, mine->count, sizeof *mine->names, name_order);
}

/* Copies the names into the caller's scope: one block for the pointers and the texts behind them. */
static enum sqlstate names_give(const struct directory_job *job, struct scope *scope, const char ***names,
                                size_t *count, struct error *error)
{
    size_t bytes = job->count * sizeof(char *);
    for (size_t i = 0; i < job->count; i++)
        bytes += strlen(job->names[i]) + 1;
    void *memory = NULL;
    enum sqlstate failed = scope_alloc_large(scope, bytes ? bytes : 1, _Alignof(char *), &memory, error);
    if (failed)
        return failed;
    const char **pointers = memory;
    char *text = (char *)(pointers + job->count);
    for (size_t i = 0; i < job->count; i++) {
        pointers[i] = text;
        text = stpcpy(text, job->names[i]) + 1;
    }
    *names = pointers;
    *count = job->count;
    return SQLSTATE_OK;
}

enum sqlstate linux_disk_list(struct world *world, struct scope *scope, const char *path, const char ***names,
                              size_t *count, struct error *error)
{
    struct directory_job *job = job_open(world, path, run_list);
    struct scope *own = job->job.scope;
    job->job.undo = undo_list;
    enum sqlstate failed = linux_job_call(linux_core_of(world), own, &job->job, error);
    if (!failed) {
        if (job->number)
            failed = linux_error(error, DEED_OPEN, job->number, "could not read directory \"%s\"", path);
        else
            failed = names_give(job, scope, names, count, error);
        names_free(job);
    }
    scope_close(own);
    return failed;
}

/* ---- space ---- */

static void run_space(struct linux_job *job)
{
    struct directory_job *mine = container_of(job, struct directory_job, job);
    mine->number = statvfs(mine->path, &mine->room) ? errno : 0;
}

enum sqlstate linux_disk_space(struct world *world, const char *path, uint64_t *free_bytes,
                               uint64_t *total_bytes, struct error *error)
{
    struct directory_job *job = job_open(world, path, run_space);
    struct scope *own = job->job.scope;
    enum sqlstate failed = linux_job_call(linux_core_of(world), own, &job->job, error);
    if (!failed) {
        if (job->number)
            failed = linux_error(error, DEED_OPEN, job->number, "could not read the space of \"%s\"", path);
        *free_bytes = (uint64_t)job->room.f_bavail * job->room.f_frsize;
        *total_bytes = (uint64_t)job->room.f_blocks * job->room.f_frsize;
    }
    scope_close(own);
    return failed;
}
