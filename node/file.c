/* The order of steps in file_replace() is the whole point: content before name, name before directory. */
#include "node/file.h"

#include "base/scope.h"

#include <stdio.h>

const char *file_path(struct scope *scope, const char *directory, const char *name)
{
    size_t size = strlen(directory) + 1 + strlen(name) + 1;
    char *path = scope_alloc(scope, size);
    size_t length = strlen(directory);
    bool slash = length > 0 && directory[length - 1] == '/';
    snprintf(path, size, "%s%s%s", directory, slash ? "" : "/", name);
    return path;
}

enum sqlstate file_read_whole(struct world *world, struct scope *scope, const char *path, size_t bytes_max,
                              struct bytes *content, struct error *error)
{
    struct scope *work = scope_open(scope, "file_read_whole");
    struct file *file;
    void *memory = NULL;
    uint64_t bytes = 0;
    size_t done = 0;
    enum sqlstate failed = disk_open(world, work, path, DISK_READ_ONLY, &file, error);
    if (!failed)
        failed = disk_size(world, file, &bytes, error);
    if (!failed && bytes > bytes_max)
        failed = error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "file \"%s\" is longer than %zu bytes",
                           path, bytes_max);
    if (!failed)
        failed = scope_alloc_large(scope, bytes + 1, 16, &memory, error);
    if (!failed && bytes > 0)
        failed = disk_read(world, scope, file, memory, bytes, 0, &done, error);
    if (!failed) {
        ((char *)memory)[done] = '\0';
        *content = bytes_of(memory, done);
    }
    scope_close(work);
    return failed;
}

static enum sqlstate file_write_new(struct world *world, struct scope *work, const char *path,
                                    struct bytes content, struct error *error)
{
    struct file *file;
    void *memory;
    enum sqlstate failed = disk_remove(world, path, error);
    if (failed && failed != SQLSTATE_UNDEFINED_FILE)
        return failed;
    error_clear(error);
    failed = disk_open(world, work, path, DISK_CREATE | DISK_EXCLUSIVE, &file, error);
    if (failed)
        return failed;
    /* Written from a copy that `work` owns, so that a canceled write never reads the caller's memory late. */
    failed = scope_alloc_large(work, content.size + 1, 16, &memory, error);
    if (failed)
        return failed;
    memcpy(memory, content.data, content.size);
    failed = disk_write(world, work, file, memory, content.size, 0, error);
    if (failed)
        return failed;
    return disk_sync(world, work, file, error);
}

enum sqlstate file_replace(struct world *world, const char *directory, const char *name, struct bytes content,
                           struct error *error)
{
    struct scope *work = scope_open(world->scope, "file_replace");
    const char *path = file_path(work, directory, name);
    size_t size = strlen(path) + sizeof ".new";
    char *new_path = scope_alloc(work, size);
    snprintf(new_path, size, "%s.new", path);
    enum sqlstate failed = file_write_new(world, work, new_path, content, error);
    if (!failed)
        failed = disk_rename(world, new_path, path, error);
    if (!failed)
        failed = disk_sync_directory(world, directory, error);
    scope_close(work);
    return failed;
}
