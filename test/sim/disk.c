/* disk_ops of the simulated world. Each call is an operation (operation.h) that takes drawn time, acts on the
 * machine's disk when it lands, and fails as the faults draw it. */
#include "base/check.h"
#include "test/sim/operation.h"

#include <string.h>

/* In the trace; append only. */
enum deed {
    DEED_OPEN,
    DEED_READ,
    DEED_WRITE,
    DEED_SYNC,
    DEED_ALLOCATE,
    DEED_DISCARD,
    DEED_TRUNCATE,
    DEED_RENAME,
    DEED_REMOVE,
    DEED_MAKE_DIRECTORY,
    DEED_LIST,
    DEED_SYNC_DIRECTORY,
    DEED_SPACE,
};

/* What the program holds; lies in the scope it was opened in. */
struct file {
    struct handle *handle;
    struct scope *scope;
    struct sim_core *core;
};

struct disk_operation {
    struct operation base;
    enum deed deed;
    struct disk *disk;
    char *path; /* its own copies */
    char *to;
    struct scope *scope; /* for results */
    uint32_t flags;
    struct file *file; /* its scope is held */
    uint64_t offset, bytes;
    struct disk_transfer *transfers; /* its own copy; the files' scopes are held */
    struct disk_transfer *callers;   /* good while the caller waits */
    size_t transfers_count;
    bool durable;
    uint64_t digest;       /* of what is to be written, when it was asked for */
    uint64_t failed_syncs; /* of the inode, when a sync began */
    /* where results go while the caller waits */
    struct file **opened;
    const char ***names;
    size_t *names_count;
    uint64_t *free_bytes, *total_bytes;
};

static struct disk_operation *of(struct operation *operation)
{
    return container_of(operation, struct disk_operation, base);
}

static struct sim *sim_of(const struct disk_operation *operation)
{
    return operation->base.core->process->sim;
}

/* ---- failing ---- */

static void fail(struct disk_operation *operation, enum sqlstate state, const char *what, const char *path,
                 const char *words)
{
    operation->base.failed =
        error_set(operation->base.error, state, "could not %s \"%s\": %s", what, path, words);
}

static void fail_input_output(struct disk_operation *operation, const char *what, const char *path)
{
    sim_of(operation)->totals.disk_errors++;
    record_core(operation->base.core, TRACE_DISK_FAULT, operation->deed, 0, path);
    fail(operation, SQLSTATE_IO_ERROR, what, path, "Input/output error");
}

/* Whether the disk has room for so many pages more: for none always, even when there is more on it than there is room. */
static bool has_room(const struct disk *disk, uint64_t pages)
{
    return pages == 0 ||
           (disk->pages_used <= disk->pages_room && pages <= disk->pages_room - disk->pages_used);
}

/* ---- the life of an operation ---- */

static void give(struct operation *base)
{
    struct disk_operation *operation = of(base);
    struct memory *memory = operation->disk->memory;
    memory_give_text(memory, operation->path);
    memory_give_text(memory, operation->to);
    memory_give(memory, operation->transfers, operation->transfers_count * sizeof *operation->transfers);
}

/* A crash while it was in flight: it happened, or it did not. */
static void break_off(struct operation *base)
{
    if (dice_below(&of(base)->disk->dice, 2))
        base->land(base);
}

static struct disk_operation *operation_make(struct world *world, enum deed deed, const char *path,
                                             void (*land)(struct operation *))
{
    struct disk_operation *operation = operation_take(world, sizeof *operation);
    operation->disk = &core_of(world)->process->node->disk;
    operation->deed = deed;
    operation->base.land = land;
    operation->base.break_off = break_off;
    operation->base.give = give;
    if (path)
        operation->path = memory_copy_text(operation->disk->memory, path);
    return operation;
}

static enum sqlstate run(struct disk_operation *operation, uint64_t mean_ns, uint64_t bytes,
                         struct error *error)
{
    struct disk *disk = operation->disk;
    uint64_t takes_ns = (dice_latency(&disk->dice, mean_ns) + bytes) * disk->slow_factor;
    const char *path = operation->file ? operation->file->handle->path : operation->path;
    record_core(operation->base.core, TRACE_DISK_START, (uint64_t)operation->deed << 56 ^ bytes,
                operation->offset ^ operation->digest, path);
    return operation_run(&operation->base, takes_ns, error);
}

static bool changes_something(const struct disk_operation *operation)
{
    switch (operation->deed) {
    case DEED_READ:
    case DEED_LIST:
    case DEED_SPACE:
        return false;
    case DEED_OPEN:
        return operation->flags & DISK_CREATE;
    default:
        return true;
    }
}

static void record_landing(const struct disk_operation *operation, uint64_t figure)
{
    if (changes_something(operation))
        process_wrote(operation->base.core->process);
    record_core(operation->base.core, TRACE_DISK_LAND,
                (uint64_t)operation->deed << 56 ^ (uint64_t)operation->base.failed, figure, NULL);
}

/* ---- open ---- */

static void close_file(void *argument)
{
    struct file *file = argument;
    handle_close(file->handle);
}

/* Opening comes to nothing when nobody waits for it any more. */
static void opened(struct disk_operation *operation, struct inode *inode)
{
    struct sim_process *process = operation->base.core->process;
    if (!operation->base.waited)
        return;
    struct handle *handle = memory_take_zeroed(operation->disk->memory, sizeof *handle);
    *handle = (struct handle){.process = process,
                              .inode = inode,
                              .flags = operation->flags,
                              .path = memory_copy_text(operation->disk->memory, operation->path)};
    list_append(&process->handles, &handle->link);
    inode_hold(inode, true);
    if (operation->flags & DISK_LOCK)
        inode->locked_by = handle;
    struct file *file = scope_alloc(operation->scope, sizeof *file);
    *file = (struct file){.handle = handle, .scope = operation->scope, .core = operation->base.core};
    scope_undo(operation->scope, close_file, file);
    *operation->opened = file;
}

static void land_open(struct operation *base)
{
    struct disk_operation *operation = of(base);
    const char *what = operation->flags & DISK_EXCLUSIVE ? "create file" : "open file";
    struct place place = names_find(operation->disk, operation->path);
    struct inode *inode = place.inode;
    if (dice_chance(&operation->disk->dice, sim_of(operation)->faults.read_error_ppm))
        fail_input_output(operation, what, operation->path);
    else if (inode && (operation->flags & (DISK_CREATE | DISK_EXCLUSIVE)) == (DISK_CREATE | DISK_EXCLUSIVE))
        fail(operation, SQLSTATE_DUPLICATE_FILE, what, operation->path, "File exists");
    else if (inode && inode->directory)
        fail(operation, SQLSTATE_SYSTEM_ERROR, what, operation->path, "Is a directory");
    else if (!place.directory || (!inode && !(operation->flags & DISK_CREATE)))
        fail(operation, SQLSTATE_UNDEFINED_FILE, what, operation->path, "No such file or directory");
    else if (!inode && !has_room(operation->disk, 1))
        fail(operation, SQLSTATE_DISK_FULL, what, operation->path, "No space left on device");
    else if (inode && operation->flags & DISK_LOCK && inode->locked_by)
        base->failed = error_set(base->error, SQLSTATE_LOCK_FILE_EXISTS,
                                 "could not lock file \"%s\": another process has it", operation->path);
    if (!base->failed)
        opened(operation, inode ? inode : names_create(operation->disk, place, false));
    record_landing(operation, 0);
}

static enum sqlstate sim_disk_open(struct world *world, struct scope *scope, const char *path, uint32_t flags,
                                   struct file **opened, struct error *error)
{
    struct disk_operation *operation = operation_make(world, DEED_OPEN, path, land_open);
    operation_hold(&operation->base, scope);
    operation->scope = scope;
    operation->flags = flags;
    operation->opened = opened;
    return run(operation, sim_of(operation)->faults.read_ns, 0, error);
}

/* ---- transfers ---- */

static void hold_files(struct disk_operation *operation)
{
    for (size_t i = 0; i < operation->transfers_count; i++)
        scope_hold(operation->transfers[i].file->scope);
}

static void release_files(struct disk_operation *operation)
{
    for (size_t i = 0; i < operation->transfers_count; i++)
        scope_release(operation->transfers[i].file->scope);
}

static void check_transfer(const struct world *world, const struct disk_transfer *transfer)
{
    const struct file *file = transfer->file;
    check(file->core == core_of(world), "core %u uses a file of core %u: \"%s\"", world->core,
          file->core->world.core, file->handle->path);
    check(!(file->handle->flags & DISK_DIRECT) ||
              !((transfer->offset | transfer->size | (uintptr_t)transfer->data) % DISK_ALIGNMENT),
          "a direct transfer of %zu bytes at offset %llu of \"%s\" is not aligned", transfer->size,
          (unsigned long long)transfer->offset, file->handle->path);
}

static struct disk_operation *transfers_make(struct world *world, struct scope *scope, enum deed deed,
                                             struct disk_transfer *transfers, size_t count, uint64_t *bytes,
                                             void (*land)(struct operation *))
{
    struct disk_operation *operation = operation_make(world, deed, NULL, land);
    struct memory *memory = operation->disk->memory;
    operation_hold(&operation->base, scope);
    operation->callers = transfers;
    operation->transfers_count = count;
    operation->transfers = memory_take(memory, count * sizeof *transfers);
    *bytes = 0;
    for (size_t i = 0; i < count; i++) {
        check_transfer(world, &transfers[i]);
        operation->transfers[i] = transfers[i];
        operation->offset += transfers[i].offset;
        *bytes += transfers[i].size;
    }
    hold_files(operation);
    return operation;
}

/* What stands in the buffer is nobody's business until the read has landed. */
#define NOT_READ_YET 0xdb

static void land_read(struct operation *base)
{
    struct disk_operation *operation = of(base);
    for (size_t i = 0; i < operation->transfers_count; i++) {
        struct disk_transfer *transfer = &operation->transfers[i];
        const struct handle *handle = transfer->file->handle;
        if (dice_chance(&operation->disk->dice, sim_of(operation)->faults.read_error_ppm)) {
            fail_input_output(operation, "read file", handle->path);
            break;
        }
        size_t done = content_read(&handle->inode->content, transfer->offset, transfer->data, transfer->size);
        if (base->waited)
            operation->callers[i].done = done;
    }
    record_landing(operation, 0);
    release_files(operation);
}

static enum sqlstate sim_disk_read(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                                   size_t count, struct error *error)
{
    uint64_t bytes;
    struct disk_operation *operation =
        transfers_make(world, scope, DEED_READ, transfers, count, &bytes, land_read);
    operation->base.break_off = NULL;
    for (size_t i = 0; i < count; i++)
        if (transfers[i].size)
            memset(transfers[i].data, NOT_READ_YET, transfers[i].size);
    return run(operation, sim_of(operation)->faults.read_ns, bytes, error);
}

static uint64_t transfers_digest(const struct disk_operation *operation)
{
    uint64_t digest = 0;
    for (size_t i = 0; i < operation->transfers_count; i++)
        digest = digest * 31 + trace_digest(operation->transfers[i].data, operation->transfers[i].size);
    return digest;
}

/* Where a write lands: where it should, or, for allowed files, somewhere else in the file. */
static uint64_t write_offset(struct disk_operation *operation, const struct disk_transfer *transfer)
{
    struct sim *sim = sim_of(operation);
    struct disk *disk = operation->disk;
    const struct handle *handle = transfer->file->handle;
    uint64_t sectors = handle->inode->content.size / SECTOR_BYTES;
    if (!sectors || !dice_chance(&disk->dice, sim->faults.misdirect_ppm) || !sim->disk_allow ||
        !sim->disk_allow(sim->disk_allow_argument, disk->node->number, handle->path))
        return transfer->offset;
    uint64_t offset = dice_below(&disk->dice, sectors) * SECTOR_BYTES + transfer->offset % SECTOR_BYTES;
    record_core(operation->base.core, TRACE_DISK_FAULT, transfer->offset, offset, handle->path);
    return offset <= CONTENT_BYTES_MAX - transfer->size ? offset : transfer->offset;
}

/* Writes each unit of a transfer that the dice let through. */
static void write_in_part(struct disk_operation *operation, const struct disk_transfer *transfer)
{
    struct disk *disk = operation->disk;
    struct inode *inode = transfer->file->handle->inode;
    uint64_t unit = disk->unit * SECTOR_BYTES, end = transfer->offset + transfer->size;
    for (uint64_t at = transfer->offset, next; at < end; at = next) {
        next = (at / unit + 1) * unit < end ? (at / unit + 1) * unit : end;
        if (dice_below(&disk->dice, 2) && has_room(disk, content_pages_missing(&inode->content, at, 1)))
            content_write(&inode->content, at, (const uint8_t *)transfer->data + (at - transfer->offset),
                          next - at, &disk->dice);
        inode_count(inode);
    }
}

/* A crash while it was in flight: sectors landed in any order, as far as it came. */
static void break_off_write(struct operation *base)
{
    struct disk_operation *operation = of(base);
    for (size_t i = 0; i < operation->transfers_count; i++)
        write_in_part(operation, &operation->transfers[i]);
}

static bool write_one(struct disk_operation *operation, const struct disk_transfer *transfer)
{
    struct disk *disk = operation->disk;
    const struct handle *handle = transfer->file->handle;
    struct inode *inode = handle->inode;
    uint64_t offset = write_offset(operation, transfer);
    if (dice_chance(&disk->dice, sim_of(operation)->faults.write_error_ppm)) {
        write_in_part(operation, transfer);
        fail_input_output(operation, "write file", handle->path);
    } else if (offset > CONTENT_BYTES_MAX || transfer->size > CONTENT_BYTES_MAX - offset)
        fail(operation, SQLSTATE_DISK_FULL, "write file", handle->path, "File too large");
    else if (!has_room(disk, content_pages_missing(&inode->content, offset, transfer->size)))
        fail(operation, SQLSTATE_DISK_FULL, "write file", handle->path, "No space left on device");
    else {
        content_write(&inode->content, offset, transfer->data, transfer->size, &disk->dice);
        inode_count(inode);
        if (operation->durable)
            content_make_durable(&inode->content, offset, transfer->size);
    }
    return !operation->base.failed;
}

static void sync_failed(struct disk_operation *operation, const struct handle *handle)
{
    content_sync_begin(&handle->inode->content);
    content_sync_fail(&handle->inode->content, &operation->disk->dice);
    inode_count(handle->inode);
    handle->inode->failed_syncs++;
    fail_input_output(operation, "sync file", handle->path);
}

static void land_write(struct operation *base)
{
    struct disk_operation *operation = of(base);
    size_t count = operation->transfers_count;
    check(transfers_digest(operation) == operation->digest,
          "what is being written to \"%s\" was changed meanwhile",
          operation->transfers[0].file->handle->path);
    size_t first = count > 1 ? dice_below(&operation->disk->dice, count) : 0;
    size_t written = 0;
    while (written < count && write_one(operation, &operation->transfers[(first + written) % count]))
        written++;
    if (!base->failed && operation->durable &&
        dice_chance(&operation->disk->dice, sim_of(operation)->faults.sync_error_ppm))
        sync_failed(operation, operation->transfers[first].file->handle);
    record_landing(operation, operation->disk->pages_used);
    release_files(operation);
}

static enum sqlstate sim_disk_write(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                                    size_t count, bool durable, struct error *error)
{
    uint64_t bytes;
    if (!count)
        return SQLSTATE_OK;
    struct disk_operation *operation =
        transfers_make(world, scope, DEED_WRITE, transfers, count, &bytes, land_write);
    const struct sim_faults *faults = &sim_of(operation)->faults;
    for (size_t i = 0; i < count; i++) {
        check(!(transfers[i].file->handle->flags & DISK_READ_ONLY), "\"%s\" was opened to be read",
              transfers[i].file->handle->path);
        transfers[i].done = transfers[i].size;
    }
    operation->base.break_off = break_off_write;
    operation->durable = durable;
    operation->digest = transfers_digest(operation);
    return run(operation, durable ? faults->write_ns + faults->sync_ns : faults->write_ns, bytes, error);
}

/* ---- what concerns one open file ---- */

static struct disk_operation *file_operation(struct world *world, struct scope *scope, enum deed deed,
                                             struct file *file, void (*land)(struct operation *))
{
    struct disk_operation *operation = operation_make(world, deed, NULL, land);
    check(file->core == core_of(world), "core %u uses a file of core %u", world->core,
          file->core->world.core);
    operation->file = file;
    operation_hold(&operation->base, scope);
    operation_hold(&operation->base, file->scope);
    return operation;
}

static void land_sync(struct operation *base)
{
    struct disk_operation *operation = of(base);
    const struct handle *handle = operation->file->handle;
    struct inode *inode = handle->inode;
    if (inode->failed_syncs != operation->failed_syncs ||
        dice_chance(&operation->disk->dice, sim_of(operation)->faults.sync_error_ppm))
        sync_failed(operation, handle);
    else
        content_sync_end(&inode->content);
    record_landing(operation, inode->content.size);
}

static enum sqlstate sim_disk_sync(struct world *world, struct scope *scope, struct file *file,
                                   struct error *error)
{
    struct disk_operation *operation = file_operation(world, scope, DEED_SYNC, file, land_sync);
    struct inode *inode = file->handle->inode;
    content_sync_begin(&inode->content);
    operation->failed_syncs = inode->failed_syncs;
    return run(operation, sim_of(operation)->faults.sync_ns, 0, error);
}

static enum sqlstate sim_disk_size(struct world *world, struct file *file, uint64_t *bytes,
                                   struct error *error)
{
    *bytes = file->handle->inode->content.size;
    return SQLSTATE_OK;
}

static void land_allocate(struct operation *base)
{
    struct disk_operation *operation = of(base);
    const struct handle *handle = operation->file->handle;
    struct content *content = &handle->inode->content;
    uint64_t offset = operation->offset, bytes = operation->bytes;
    if (offset > CONTENT_BYTES_MAX || bytes > CONTENT_BYTES_MAX - offset)
        fail(operation, SQLSTATE_DISK_FULL, "extend file", handle->path, "File too large");
    else if (!has_room(operation->disk, content_pages_missing(content, offset, bytes)))
        fail(operation, SQLSTATE_DISK_FULL, "extend file", handle->path, "No space left on device");
    else
        content_reserve(content, offset, bytes, &operation->disk->dice);
    inode_count(handle->inode);
    record_landing(operation, content->size);
}

static enum sqlstate sim_disk_allocate(struct world *world, struct scope *scope, struct file *file,
                                       uint64_t offset, uint64_t bytes, struct error *error)
{
    struct disk_operation *operation = file_operation(world, scope, DEED_ALLOCATE, file, land_allocate);
    operation->offset = offset;
    operation->bytes = bytes;
    return run(operation, sim_of(operation)->faults.write_ns, 0, error);
}

/* As if zeros were written; the simulated disk does not get its room back. */
static void land_discard(struct operation *base)
{
    static const uint8_t zeros[DISK_ALIGNMENT];
    struct disk_operation *operation = of(base);
    const struct handle *handle = operation->file->handle;
    struct content *content = &handle->inode->content;
    for (uint64_t done = 0; done < operation->bytes; done += sizeof zeros)
        content_write(content, operation->offset + done, zeros, sizeof zeros, &operation->disk->dice);
    inode_count(handle->inode);
    record_landing(operation, content->size);
}

static enum sqlstate sim_disk_discard(struct world *world, struct scope *scope, struct file *file,
                                      uint64_t offset, uint64_t bytes, struct error *error)
{
    struct disk_operation *operation = file_operation(world, scope, DEED_DISCARD, file, land_discard);
    check(offset % DISK_ALIGNMENT == 0 && bytes % DISK_ALIGNMENT == 0 &&
          offset + bytes <= file->handle->inode->content.size);
    operation->offset = offset;
    operation->bytes = bytes;
    return run(operation, sim_of(operation)->faults.write_ns, 0, error);
}

static void land_truncate(struct operation *base)
{
    struct disk_operation *operation = of(base);
    const struct handle *handle = operation->file->handle;
    if (operation->bytes > CONTENT_BYTES_MAX)
        fail(operation, SQLSTATE_DISK_FULL, "truncate file", handle->path, "File too large");
    else
        content_resize(&handle->inode->content, operation->bytes, &operation->disk->dice);
    inode_count(handle->inode);
    record_landing(operation, handle->inode->content.size);
}

static enum sqlstate sim_disk_truncate(struct world *world, struct scope *scope, struct file *file,
                                       uint64_t bytes, struct error *error)
{
    struct disk_operation *operation = file_operation(world, scope, DEED_TRUNCATE, file, land_truncate);
    operation->bytes = bytes;
    return run(operation, sim_of(operation)->faults.write_ns, 0, error);
}

/* ---- names ---- */

/* Whether `inode` is `directory` or somewhere above it. */
static bool is_above(const struct inode *inode, const struct inode *directory)
{
    if (inode == directory)
        return true;
    for (uint32_t i = 0; inode->directory && i < inode->visible.count; i++)
        if (inode->visible.entries[i].inode->directory &&
            is_above(inode->visible.entries[i].inode, directory))
            return true;
    return false;
}

static void land_rename(struct operation *base)
{
    struct disk_operation *operation = of(base);
    struct place from = names_find(operation->disk, operation->path);
    struct place to = names_find(operation->disk, operation->to);
    const char *what = "rename file";
    if (!from.inode || !from.directory || !to.directory)
        fail(operation, SQLSTATE_UNDEFINED_FILE, what, operation->path, "No such file or directory");
    else if (to.inode && to.inode->directory && !from.inode->directory)
        fail(operation, SQLSTATE_SYSTEM_ERROR, what, operation->path, "Is a directory");
    else if (to.inode && to.inode->directory && to.inode->visible.count)
        fail(operation, SQLSTATE_DUPLICATE_FILE, what, operation->path, "Directory not empty");
    else if (to.inode && !to.inode->directory && from.inode->directory)
        fail(operation, SQLSTATE_UNDEFINED_FILE, what, operation->path, "Not a directory");
    else if (from.inode->directory && is_above(from.inode, to.directory))
        fail(operation, SQLSTATE_SYSTEM_ERROR, what, operation->path, "Invalid argument");
    else
        names_rename(operation->disk, from, to);
    record_landing(operation, 0);
}

static enum sqlstate sim_disk_rename(struct world *world, const char *from, const char *to,
                                     struct error *error)
{
    struct disk_operation *operation = operation_make(world, DEED_RENAME, from, land_rename);
    operation->to = memory_copy_text(operation->disk->memory, to);
    operation->digest = trace_digest(to, strlen(to));
    return run(operation, sim_of(operation)->faults.write_ns, 0, error);
}

static void land_remove(struct operation *base)
{
    struct disk_operation *operation = of(base);
    struct place place = names_find(operation->disk, operation->path);
    if (!place.inode || !place.directory)
        fail(operation, SQLSTATE_UNDEFINED_FILE, "remove file", operation->path, "No such file or directory");
    else if (place.inode->directory && place.inode->visible.count)
        fail(operation, SQLSTATE_DUPLICATE_FILE, "remove file", operation->path, "Directory not empty");
    else
        names_remove(operation->disk, place);
    record_landing(operation, operation->disk->pages_used);
}

static enum sqlstate sim_disk_remove(struct world *world, const char *path, struct error *error)
{
    struct disk_operation *operation = operation_make(world, DEED_REMOVE, path, land_remove);
    return run(operation, sim_of(operation)->faults.write_ns, 0, error);
}

static void land_make_directory(struct operation *base)
{
    struct disk_operation *operation = of(base);
    struct place place = names_find(operation->disk, operation->path);
    const char *what = "create directory";
    if (place.inode && !place.inode->directory)
        fail(operation, SQLSTATE_UNDEFINED_FILE, what, operation->path, "Not a directory");
    else if (!place.inode && !place.directory)
        fail(operation, SQLSTATE_UNDEFINED_FILE, what, operation->path, "No such file or directory");
    else if (!place.inode && !has_room(operation->disk, 1))
        fail(operation, SQLSTATE_DISK_FULL, what, operation->path, "No space left on device");
    else if (!place.inode)
        names_create(operation->disk, place, true);
    record_landing(operation, 0);
}

static enum sqlstate sim_disk_make_directory(struct world *world, const char *path, struct error *error)
{
    struct disk_operation *operation = operation_make(world, DEED_MAKE_DIRECTORY, path, land_make_directory);
    return run(operation, sim_of(operation)->faults.write_ns, 0, error);
}

/* The directory a path leads to, or NULL after failing. */
static struct inode *find_directory(struct disk_operation *operation, const char *what)
{
    struct place place = names_find(operation->disk, operation->path);
    if (place.inode && place.inode->directory)
        return place.inode;
    fail(operation, SQLSTATE_UNDEFINED_FILE, what, operation->path,
         place.inode ? "Not a directory" : "No such file or directory");
    return NULL;
}

static void land_list(struct operation *base)
{
    struct disk_operation *operation = of(base);
    struct inode *directory = find_directory(operation, "read directory");
    void *memory;
    if (directory && base->waited) {
        const struct names *names = &directory->visible;
        base->failed = scope_alloc_large(operation->scope, (names->count + 1) * sizeof(char *), 16, &memory,
                                         base->error);
        for (uint32_t i = 0; !base->failed && i < names->count; i++)
            ((const char **)memory)[i] = scope_copy_text(operation->scope, names->entries[i].text);
        if (!base->failed) {
            *operation->names = memory;
            *operation->names_count = names->count;
        }
    }
    record_landing(operation, 0);
}

static enum sqlstate sim_disk_list(struct world *world, struct scope *scope, const char *path,
                                   const char ***names, size_t *count, struct error *error)
{
    struct disk_operation *operation = operation_make(world, DEED_LIST, path, land_list);
    operation_hold(&operation->base, scope);
    operation->scope = scope;
    operation->names = names;
    operation->names_count = count;
    operation->base.break_off = NULL;
    return run(operation, sim_of(operation)->faults.read_ns, 0, error);
}

static void land_sync_directory(struct operation *base)
{
    struct disk_operation *operation = of(base);
    struct inode *directory = find_directory(operation, "sync directory");
    if (directory && dice_chance(&operation->disk->dice, sim_of(operation)->faults.sync_error_ppm))
        fail_input_output(operation, "sync directory", operation->path);
    else if (directory)
        names_sync(operation->disk, directory);
    record_landing(operation, 0);
}

static enum sqlstate sim_disk_sync_directory(struct world *world, const char *path, struct error *error)
{
    struct disk_operation *operation = operation_make(world, DEED_SYNC_DIRECTORY, path, land_sync_directory);
    return run(operation, sim_of(operation)->faults.sync_ns, 0, error);
}

static void land_space(struct operation *base)
{
    struct disk_operation *operation = of(base);
    const struct disk *disk = operation->disk;
    if (!names_find(disk, operation->path).inode)
        fail(operation, SQLSTATE_UNDEFINED_FILE, "read the space of", operation->path,
             "No such file or directory");
    if (base->waited) {
        *operation->free_bytes =
            disk->pages_used < disk->pages_room ? (disk->pages_room - disk->pages_used) * PAGE_BYTES : 0;
        *operation->total_bytes = disk->pages_room * PAGE_BYTES;
    }
    record_landing(operation, disk->pages_used);
}

static enum sqlstate sim_disk_space(struct world *world, const char *path, uint64_t *free_bytes,
                                    uint64_t *total_bytes, struct error *error)
{
    struct disk_operation *operation = operation_make(world, DEED_SPACE, path, land_space);
    operation->free_bytes = free_bytes;
    operation->total_bytes = total_bytes;
    operation->base.break_off = NULL;
    return run(operation, sim_of(operation)->faults.read_ns, 0, error);
}

const struct disk_ops sim_disk_ops = {
    .open = sim_disk_open,
    .read = sim_disk_read,
    .write = sim_disk_write,
    .sync = sim_disk_sync,
    .size = sim_disk_size,
    .allocate = sim_disk_allocate,
    .truncate = sim_disk_truncate,
    .discard = sim_disk_discard,
    .rename = sim_disk_rename,
    .remove = sim_disk_remove,
    .make_directory = sim_disk_make_directory,
    .list = sim_disk_list,
    .sync_directory = sim_disk_sync_directory,
    .space = sim_disk_space,
};
