/* Files and directories. */
#include "test/world/cases.h"

#include "base/scope.h"

#include <stdio.h>
#include <string.h>

/* Opens a file of the case's directory. */
static struct file *file_open(struct world *world, void *place, struct scope *scope, const char *name,
                              uint32_t flags)
{
    struct file *file = NULL;
    struct error error = {0};
    must(disk_open(world, scope, path_in(world, place, name), flags, &file, &error), &error);
    ck_assert_ptr_nonnull(file);
    return file;
}

static uint64_t size_of(struct world *world, struct file *file)
{
    uint64_t bytes = UINT64_MAX;
    struct error error = {0};
    must(disk_size(world, file, &bytes, &error), &error);
    return bytes;
}

/* Writes `size` bytes of the pattern. */
static void write_pattern(struct world *world, struct file *file, uint64_t offset, size_t size, uint32_t seed)
{
    struct scope *scope = scope_open(world->scope, "write");
    struct error error = {0};
    void *data = memory_of(scope, size);
    pattern_fill(data, size, offset, seed);
    must(disk_write(world, scope, file, data, size, offset, &error), &error);
    scope_close(scope);
}

/* Asks that the file holds `size` bytes of the pattern there. */
static void expect_pattern(struct world *world, struct file *file, uint64_t offset, size_t size,
                           uint32_t seed)
{
    struct scope *scope = scope_open(world->scope, "read");
    struct error error = {0};
    void *data = memory_of(scope, size);
    must(disk_read(world, scope, file, data, size, offset, NULL, &error), &error);
    ck_assert_msg(pattern_holds(data, size, offset, seed), "bytes differ behind offset %llu",
                  (unsigned long long)offset);
    scope_close(scope);
}

static void expect_zeros(struct world *world, struct file *file, uint64_t offset, size_t size)
{
    struct scope *scope = scope_open(world->scope, "read");
    struct error error = {0};
    uint8_t *data = memory_of(scope, size);
    memset(data, 1, size);
    must(disk_read(world, scope, file, data, size, offset, NULL, &error), &error);
    size_t zeros = 0; /* one assertion for all: Check notes each, and reads its notes back */
    for (size_t i = 0; i < size; i++)
        zeros += data[i] == 0;
    ck_assert_uint_eq(zeros, size);
    scope_close(scope);
}

static void file_gives_back_what_was_written(struct world *world, void *place)
{
    struct scope *scope = scope_open(world->scope, "file");
    struct file *file = file_open(world, place, scope, "a", DISK_CREATE);
    ck_assert_uint_eq(size_of(world, file), 0);
    write_pattern(world, file, 0, 10001, 1);
    write_pattern(world, file, 5000, 10, 2);
    ck_assert_uint_eq(size_of(world, file), 10001);
    expect_pattern(world, file, 0, 5000, 1);
    expect_pattern(world, file, 5000, 10, 2);
    expect_pattern(world, file, 5010, 4991, 1);
    fiber_close_scope(world->scheduler, scope);
    file = file_open(world, place, world->scope, "a", DISK_READ_ONLY);
    expect_pattern(world, file, 0, 5000, 1);
}

static void creating_leaves_an_existing_file_alone(struct world *world, void *place)
{
    write_pattern(world, file_open(world, place, world->scope, "a", DISK_CREATE), 0, 100, 1);
    struct file *again = file_open(world, place, world->scope, "a", DISK_CREATE);
    expect_pattern(world, again, 0, 100, 1);
}

static void exclusive_creation_happens_once(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file;
    file_open(world, place, world->scope, "a", DISK_CREATE | DISK_EXCLUSIVE);
    must_fail("58P02",
              disk_open(world, world->scope, path_in(world, place, "a"), DISK_CREATE | DISK_EXCLUSIVE, &file,
                        &error),
              &error);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "/a\""));
}

static void missing_files_are_told_by_name(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file;
    const char *missing = path_in(world, place, "missing");
    const char *below = path_in(world, place, "missing/below");
    must_fail("58P01", disk_open(world, world->scope, missing, 0, &file, &error), &error);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), missing));
    must_fail("58P01", disk_open(world, world->scope, below, DISK_CREATE, &file, &error), &error);
    must_fail("58P01", disk_remove(world, missing, &error), &error);
    must_fail("58P01", disk_rename(world, missing, path_in(world, place, "b"), &error), &error);
    must_fail("58P01", disk_make_directory(world, below, &error), &error);
    must_fail("58P01", disk_sync_directory(world, missing, &error), &error);
    uint64_t free_bytes, total_bytes;
    must_fail("58P01", disk_space(world, missing, &free_bytes, &total_bytes, &error), &error);
    const char **names;
    size_t count;
    must_fail("58P01", disk_list(world, world->scope, missing, &names, &count, &error), &error);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), missing));
}

static void reads_are_short_only_at_the_end(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file = file_open(world, place, world->scope, "a", DISK_CREATE);
    uint8_t data[64];
    size_t done = 77;
    write_pattern(world, file, 0, 100, 1);
    must(disk_read(world, world->scope, file, data, 50, 50, &done, &error), &error);
    ck_assert_uint_eq(done, 50);
    must(disk_read(world, world->scope, file, data, 50, 80, &done, &error), &error);
    ck_assert_uint_eq(done, 20);
    ck_assert(pattern_holds(data, 20, 80, 1));
    must(disk_read(world, world->scope, file, data, 50, 100, &done, &error), &error);
    ck_assert_uint_eq(done, 0);
    must(disk_read(world, world->scope, file, data, 50, 123456789, &done, &error), &error);
    ck_assert_uint_eq(done, 0);
    must_fail("XX001", disk_read(world, world->scope, file, data, 50, 80, NULL, &error), &error);
}

static void writing_beyond_the_end_leaves_zeros_between(struct world *world, void *place)
{
    struct file *file = file_open(world, place, world->scope, "a", DISK_CREATE);
    write_pattern(world, file, 0, 10, 1);
    write_pattern(world, file, 100000, 10, 2);
    ck_assert_uint_eq(size_of(world, file), 100010);
    expect_zeros(world, file, 10, 99990);
    expect_pattern(world, file, 100000, 10, 2);
}

static void direct_transfers_work_when_aligned(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file = file_open(world, place, world->scope, "a", DISK_CREATE | DISK_DIRECT);
    uint8_t *data = memory_of(world->scope, 8 * DISK_ALIGNMENT);
    size_t done;
    pattern_fill(data, 8 * DISK_ALIGNMENT, 0, 1);
    must(disk_write(world, world->scope, file, data, 8 * DISK_ALIGNMENT, 0, &error), &error);
    must(disk_write_durable(world, world->scope, file, data, DISK_ALIGNMENT, 8 * DISK_ALIGNMENT, &error),
         &error);
    ck_assert_uint_eq(size_of(world, file), 9 * DISK_ALIGNMENT);
    expect_pattern(world, file, 3 * DISK_ALIGNMENT, 2 * DISK_ALIGNMENT, 1);
    /* The end need not be aligned, and a read across it is short. */
    must(disk_truncate(world, world->scope, file, 5000, &error), &error);
    must(disk_read(world, world->scope, file, data, 8 * DISK_ALIGNMENT, 0, &done, &error), &error);
    ck_assert_uint_eq(done, 5000);
    ck_assert(pattern_holds(data, 5000, 0, 1));
}

static void allocated_room_reads_as_zeros_and_spares_what_is_there(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file = file_open(world, place, world->scope, "a", DISK_CREATE);
    write_pattern(world, file, 0, 100, 1);
    must(disk_allocate(world, world->scope, file, 0, 1 << 20, &error), &error);
    ck_assert_uint_eq(size_of(world, file), 1 << 20);
    must(disk_allocate(world, world->scope, file, 4096, 4096, &error), &error); /* never shrinks */
    ck_assert_uint_eq(size_of(world, file), 1 << 20);
    expect_pattern(world, file, 0, 100, 1);
    expect_zeros(world, file, 100, (1 << 20) - 100);
}

static void what_is_discarded_reads_as_zeros_and_the_rest_stays(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file = file_open(world, place, world->scope, "a", DISK_CREATE);
    write_pattern(world, file, 0, 6 * DISK_ALIGNMENT, 1);
    must(disk_discard(world, world->scope, file, DISK_ALIGNMENT, 3 * DISK_ALIGNMENT, &error), &error);
    ck_assert_uint_eq(size_of(world, file), 6 * DISK_ALIGNMENT);
    expect_pattern(world, file, 0, DISK_ALIGNMENT, 1);
    expect_zeros(world, file, DISK_ALIGNMENT, 3 * DISK_ALIGNMENT);
    expect_pattern(world, file, 4 * DISK_ALIGNMENT, 2 * DISK_ALIGNMENT, 1);
    write_pattern(world, file, DISK_ALIGNMENT, DISK_ALIGNMENT, 1);
    expect_pattern(world, file, 0, 2 * DISK_ALIGNMENT, 1);
}

static void truncation_cuts_and_extends(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file = file_open(world, place, world->scope, "a", DISK_CREATE);
    write_pattern(world, file, 0, 10000, 1);
    must(disk_truncate(world, world->scope, file, 77, &error), &error);
    ck_assert_uint_eq(size_of(world, file), 77);
    must(disk_truncate(world, world->scope, file, 20000, &error), &error);
    ck_assert_uint_eq(size_of(world, file), 20000);
    expect_pattern(world, file, 0, 77, 1);
    expect_zeros(world, file, 77, 19923);
}

static void rename_replaces(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file;
    const char *a = path_in(world, place, "a"), *b = path_in(world, place, "b");
    write_pattern(world, file_open(world, place, world->scope, "a", DISK_CREATE), 0, 100, 1);
    write_pattern(world, file_open(world, place, world->scope, "b", DISK_CREATE), 0, 200, 2);
    must(disk_rename(world, a, b, &error), &error);
    must_fail("58P01", disk_open(world, world->scope, a, 0, &file, &error), &error);
    file = file_open(world, place, world->scope, "b", 0);
    ck_assert_uint_eq(size_of(world, file), 100);
    expect_pattern(world, file, 0, 100, 1);
    must(disk_sync_directory(world, ((struct world_place *)place)->directory, &error), &error);
}

static void removed_files_and_empty_directories_are_gone(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file;
    const char *a = path_in(world, place, "a"), *d = path_in(world, place, "d");
    file_open(world, place, world->scope, "a", DISK_CREATE);
    must(disk_remove(world, a, &error), &error);
    must_fail("58P01", disk_open(world, world->scope, a, 0, &file, &error), &error);
    must(disk_make_directory(world, d, &error), &error);
    struct scope *scope = scope_open(world->scope, "file");
    file_open(world, place, scope, "d/f", DISK_CREATE);
    fiber_close_scope(world->scheduler, scope);
    ck_assert_int_ne(disk_remove(world, d, &error), SQLSTATE_OK); /* not empty */
    must(disk_remove(world, path_in(world, place, "d/f"), &error), &error);
    must(disk_remove(world, d, &error), &error);
    must_fail("58P01", disk_remove(world, d, &error), &error);
}

static void listing_is_sorted_and_whole(struct world *world, void *place)
{
    struct error error = {0};
    const char *directory = ((struct world_place *)place)->directory, **names;
    size_t count;
    char name[32];
    must(disk_list(world, world->scope, directory, &names, &count, &error), &error);
    ck_assert_uint_eq(count, 0);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%d", i * 37 % 40);
        struct scope *scope = scope_open(world->scope, "file");
        file_open(world, place, scope, name, DISK_CREATE);
        fiber_close_scope(world->scheduler, scope);
    }
    must(disk_make_directory(world, path_in(world, place, ".hidden"), &error), &error);
    must(disk_list(world, world->scope, directory, &names, &count, &error), &error);
    ck_assert_uint_eq(count, 41);
    ck_assert_str_eq(names[0], ".hidden");
    ck_assert_str_eq(names[1], "0");
    ck_assert_str_eq(names[3], "10");
    for (size_t i = 1; i < count; i++)
        ck_assert_int_lt(strcmp(names[i - 1], names[i]), 0);
}

static void making_a_directory_twice_is_no_error(struct world *world, void *place)
{
    struct error error = {0};
    must(disk_make_directory(world, path_in(world, place, "d"), &error), &error);
    file_open(world, place, world->scope, "d/f", DISK_CREATE);
    must(disk_make_directory(world, path_in(world, place, "d"), &error), &error);
    file_open(world, place, world->scope, "d/f", 0);
    /* But a file is not a directory. */
    ck_assert_int_ne(disk_make_directory(world, path_in(world, place, "d/f"), &error), SQLSTATE_OK);
}

static void sync_succeeds_on_files_and_directories(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file = file_open(world, place, world->scope, "a", DISK_CREATE);
    must(disk_sync(world, world->scope, file, &error), &error); /* nothing written */
    write_pattern(world, file, 0, 100000, 1);
    must(disk_sync(world, world->scope, file, &error), &error);
    must(disk_sync_directory(world, ((struct world_place *)place)->directory, &error), &error);
    expect_pattern(world, file, 0, 100000, 1);
}

static void space_is_told(struct world *world, void *place)
{
    struct error error = {0};
    uint64_t free_bytes = 1, total_bytes = 0;
    must(disk_space(world, ((struct world_place *)place)->directory, &free_bytes, &total_bytes, &error),
         &error);
    ck_assert_uint_gt(total_bytes, 0);
    ck_assert_uint_le(free_bytes, total_bytes);
}

static void lock_is_taken_once(struct world *world, void *place)
{
    struct error error = {0};
    struct file *second;
    struct scope *scope = scope_open(world->scope, "lock");
    const char *path = path_in(world, place, "lock");
    file_open(world, place, scope, "lock", DISK_CREATE | DISK_LOCK);
    must_fail("F0001", disk_open(world, world->scope, path, DISK_CREATE | DISK_LOCK, &second, &error),
              &error);
    file_open(world, place, world->scope, "lock", 0); /* who does not ask for the lock may open it */
    fiber_close_scope(world->scheduler, scope);
    file_open(world, place, world->scope, "lock", DISK_LOCK);
}

/* 20 transfers that cover a file from its start without gaps, every `stride`th next; gives the bytes covered.
 */
static uint64_t cover_file(struct world *world, struct file *file, struct disk_transfer *transfers,
                           uint32_t stride, uint32_t seed)
{
    uint64_t offset = 0;
    for (uint32_t i = 0; i < 20; i++) {
        size_t size = i == 9 ? 0 : 997 * (i % 4 + 1);
        struct disk_transfer *transfer = &transfers[i * stride % 20];
        *transfer = (struct disk_transfer){
            .file = file, .data = memory_of(world->scope, 4096), .size = size, .offset = offset};
        pattern_fill(transfer->data, size, offset, seed);
        offset += size;
    }
    return offset;
}

static void write_two_files(struct world *world, void *place, bool durable)
{
    struct error error = {0};
    struct file *a = file_open(world, place, world->scope, "a", DISK_CREATE);
    struct file *b = file_open(world, place, world->scope, "b", DISK_CREATE);
    struct disk_transfer transfers[40];
    uint64_t a_bytes = cover_file(world, a, transfers, 7, 1);      /* in disorder */
    uint64_t b_bytes = cover_file(world, b, transfers + 20, 1, 2); /* each continues the one before */
    must(disk_write_many(world, world->scope, transfers, 40, durable, &error), &error);
    ck_assert_uint_eq(size_of(world, a), a_bytes);
    ck_assert_uint_eq(size_of(world, b), b_bytes);
    expect_pattern(world, a, 0, a_bytes, 1);
    expect_pattern(world, b, 0, b_bytes, 2);
}

static void one_write_takes_many_transfers_to_several_files(struct world *world, void *place)
{
    write_two_files(world, place, false);
}

static void one_durable_write_takes_many_transfers_to_several_files(struct world *world, void *place)
{
    write_two_files(world, place, true);
}

static void writing_nothing_succeeds(struct world *world, void *place)
{
    struct error error = {0};
    must(disk_write_many(world, world->scope, NULL, 0, false, &error), &error);
    must(disk_write_many(world, world->scope, NULL, 0, true, &error), &error);
    must(disk_read_many(world, world->scope, NULL, 0, &error), &error);
}

#define MANY 300

static void many_transfers_at_once_each_get_their_bytes(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file = file_open(world, place, world->scope, "a", DISK_CREATE);
    struct disk_transfer *transfers = memory_of(world->scope, MANY * sizeof *transfers);
    write_pattern(world, file, 0, MANY * 1000 - 500, 1);
    for (uint64_t i = 0; i < MANY; i++)
        transfers[i] = (struct disk_transfer){
            .file = file, .data = memory_of(world->scope, 1000), .size = 1000, .offset = i * 7 % MANY * 1000};
    must(disk_read_many(world, world->scope, transfers, MANY, &error), &error);
    for (uint64_t i = 0; i < MANY; i++) {
        size_t expected = transfers[i].offset == (MANY - 1) * 1000 ? 500 : 1000;
        ck_assert_uint_eq(transfers[i].done, expected);
        ck_assert(pattern_holds(transfers[i].data, expected, transfers[i].offset, 1));
    }
}

struct writer {
    struct task task;
    struct file *file;
    uint32_t number;
};

static void write_durably(struct task *task)
{
    struct writer *writer = task->with;
    for (uint64_t i = 0; i < 10; i++) {
        uint8_t data[700];
        uint64_t offset = (i * 24 + writer->number) * sizeof data;
        pattern_fill(data, sizeof data, offset, writer->number);
        task->failed = disk_write_durable(task->world, task->world->scope, writer->file, data, sizeof data,
                                          offset, &task->error);
        if (task->failed)
            return;
    }
}

static void many_fibers_write_durably_at_once(struct world *world, void *place)
{
    struct file *file = file_open(world, place, world->scope, "a", DISK_CREATE);
    struct writer *writers = memory_of(world->scope, 24 * sizeof *writers);
    for (uint32_t i = 0; i < 24; i++) {
        writers[i].file = file;
        writers[i].number = i;
        task_start(&writers[i].task, world, world->scope, write_durably, &writers[i]);
    }
    for (uint32_t i = 0; i < 24; i++) {
        task_join(&writers[i].task);
        must(writers[i].task.failed, &writers[i].task.error);
    }
    ck_assert_uint_eq(size_of(world, file), 240 * 700);
    for (uint64_t i = 0; i < 240; i++)
        expect_pattern(world, file, i * 700, 700, (uint32_t)(i % 24));
}

/* ---- cancellation ---- */

/* A transfer of a fiber that will be canceled: its bytes and its file are in scopes of their own. */
struct abandoned {
    struct task task;
    struct file *file;
    struct scope *memory;
    uint8_t *data;
    size_t size;
    bool write;
    bool durable;
};

static void transfer_until_canceled(struct task *task)
{
    struct abandoned *mine = task->with;
    struct disk_transfer transfers[4];
    for (uint64_t i = 0; i < 4; i++)
        transfers[i] = (struct disk_transfer){.file = mine->file,
                                              .data = mine->data + i * mine->size / 4,
                                              .size = mine->size / 4,
                                              .offset = i * mine->size / 4};
    task->failed = mine->write
                       ? disk_write_many(task->world, mine->memory, transfers, 4, mine->durable, &task->error)
                       : disk_read_many(task->world, mine->memory, transfers, 4, &task->error);
}

/* Cancels a transfer under way, closes the scopes of its bytes and its file at once, and asks that both end
 * all the same, after the operation: were they to end before, it would work on memory that is gone. */
static void abandon_transfer(struct world *world, void *place, bool write, bool durable)
{
    struct scope *files = scope_open(world->scope, "files");
    struct abandoned mine = {.write = write, .durable = durable, .size = 1 << 20};
    struct event memory_gone, files_gone;
    event_init(&memory_gone, world);
    event_init(&files_gone, world);
    mine.memory = scope_open(world->scope, "memory");
    mine.data = memory_of(mine.memory, mine.size);
    mine.file = file_open(world, place, files, "a", DISK_CREATE);
    write_pattern(world, mine.file, 0, mine.size, 1);
    pattern_fill(mine.data, mine.size, 0, 1);
    scope_undo(files, event_happens, &files_gone);
    scope_undo(mine.memory, event_happens, &memory_gone);
    task_cancel_waiting(&mine.task, world, world->scope, transfer_until_canceled, &mine);
    scope_close(mine.memory);
    scope_close(files);
    event_wait(&memory_gone);
    event_wait(&files_gone);
    /* The file is in order, and none the wiser. */
    struct file *again = file_open(world, place, world->scope, "a", 0);
    ck_assert_uint_eq(size_of(world, again), mine.size);
    expect_pattern(world, again, 0, mine.size, 1);
}

static void canceled_read_returns_at_once_and_holds_its_scopes(struct world *world, void *place)
{
    abandon_transfer(world, place, false, false);
}

static void canceled_write_returns_at_once_and_holds_its_scopes(struct world *world, void *place)
{
    abandon_transfer(world, place, true, false);
}

static void canceled_durable_write_returns_at_once_and_holds_its_scopes(struct world *world, void *place)
{
    abandon_transfer(world, place, true, true);
}

static void sync_until_canceled(struct task *task)
{
    struct file *file = task->with;
    task->failed = disk_sync(task->world, task->world->scope, file, &task->error);
}

static void canceled_sync_holds_the_file(struct world *world, void *place)
{
    struct scope *files = scope_open(world->scope, "files");
    struct file *file = file_open(world, place, files, "a", DISK_CREATE);
    struct event gone;
    struct task task;
    event_init(&gone, world);
    scope_undo(files, event_happens, &gone);
    write_pattern(world, file, 0, 1 << 20, 1);
    task_cancel_waiting(&task, world, world->scope, sync_until_canceled, file);
    scope_close(files);
    event_wait(&gone);
}

/* Calls on names, one after the other, each canceled at its wait. */
enum deed { ALLOCATE, TRUNCATE, RENAME, REMOVE, MAKE, LIST, SYNC_DIRECTORY, SPACE, DEEDS };

struct canceled_call {
    struct task task;
    enum deed deed;
    struct file *file;
    const char *directory, *a, *b, *d;
};

static void call_until_canceled(struct task *task)
{
    struct canceled_call *call = task->with;
    struct world *world = task->world;
    struct scope *scope = scope_open(world->scope, "call");
    const char **names;
    size_t count;
    uint64_t free_bytes, total_bytes;
    switch (call->deed) {
    case ALLOCATE:
        task->failed = disk_allocate(world, scope, call->file, 0, 100000, &task->error);
        break;
    case TRUNCATE:
        task->failed = disk_truncate(world, scope, call->file, 100, &task->error);
        break;
    case RENAME:
        task->failed = disk_rename(world, call->a, call->b, &task->error);
        break;
    case REMOVE:
        task->failed = disk_remove(world, call->b, &task->error);
        break;
    case MAKE:
        task->failed = disk_make_directory(world, call->d, &task->error);
        break;
    case LIST:
        task->failed = disk_list(world, scope, call->directory, &names, &count, &task->error);
        break;
    case SYNC_DIRECTORY:
        task->failed = disk_sync_directory(world, call->directory, &task->error);
        break;
    case SPACE:
        task->failed = disk_space(world, call->directory, &free_bytes, &total_bytes, &task->error);
        break;
    case DEEDS:
        break;
    }
    scope_close(scope);
}

static void canceled_calls_on_names_return_at_once(struct world *world, void *place)
{
    struct scope *files = scope_open(world->scope, "files");
    struct canceled_call call = {
        .directory = ((struct world_place *)place)->directory,
        .file = file_open(world, place, files, "extent", DISK_CREATE),
        .a = path_in(world, place, "a"),
        .b = path_in(world, place, "b"),
        .d = path_in(world, place, "d"),
    };
    for (call.deed = ALLOCATE; call.deed < DEEDS; call.deed++)
        task_cancel_waiting(&call.task, world, world->scope, call_until_canceled, &call);
    fiber_close_scope(world->scheduler, files);
}

static void open_until_canceled(struct task *task)
{
    struct file *file;
    task->failed =
        disk_open(task->world, task->world->scope, task->with, DISK_CREATE | DISK_LOCK, &file, &task->error);
}

/* The canceled call may land, and close what it opened, after ours: ask until it has. */
static void canceled_open_lets_go_of_its_lock(struct world *world, void *place)
{
    struct error error = {0};
    struct task task;
    struct file *file;
    const char *path = path_in(world, place, "lock");
    uint64_t deadline_ns = patience(world);
    enum sqlstate failed;
    task_cancel_waiting(&task, world, world->scope, open_until_canceled, (void *)path);
    do {
        failed = disk_open(world, world->scope, path, DISK_CREATE | DISK_LOCK, &file, &error);
        ck_assert_uint_lt(world_now(world), deadline_ns);
    } while (failed == SQLSTATE_LOCK_FILE_EXISTS);
    must(failed, &error);
}

const struct world_case world_disk_cases[] = {
    {"file_gives_back_what_was_written", 1, file_gives_back_what_was_written},
    {"creating_leaves_an_existing_file_alone", 1, creating_leaves_an_existing_file_alone},
    {"exclusive_creation_happens_once", 1, exclusive_creation_happens_once},
    {"missing_files_are_told_by_name", 1, missing_files_are_told_by_name},
    {"reads_are_short_only_at_the_end", 1, reads_are_short_only_at_the_end},
    {"writing_beyond_the_end_leaves_zeros_between", 1, writing_beyond_the_end_leaves_zeros_between},
    {"direct_transfers_work_when_aligned", 1, direct_transfers_work_when_aligned},
    {"allocated_room_reads_as_zeros_and_spares_what_is_there", 1,
     allocated_room_reads_as_zeros_and_spares_what_is_there},
    {"what_is_discarded_reads_as_zeros_and_the_rest_stays", 1,
     what_is_discarded_reads_as_zeros_and_the_rest_stays},
    {"truncation_cuts_and_extends", 1, truncation_cuts_and_extends},
    {"rename_replaces", 1, rename_replaces},
    {"removed_files_and_empty_directories_are_gone", 1, removed_files_and_empty_directories_are_gone},
    {"listing_is_sorted_and_whole", 1, listing_is_sorted_and_whole},
    {"making_a_directory_twice_is_no_error", 1, making_a_directory_twice_is_no_error},
    {"sync_succeeds_on_files_and_directories", 1, sync_succeeds_on_files_and_directories},
    {"space_is_told", 1, space_is_told},
    {"lock_is_taken_once", 1, lock_is_taken_once},
    {"one_write_takes_many_transfers_to_several_files", 1, one_write_takes_many_transfers_to_several_files},
    {"one_durable_write_takes_many_transfers_to_several_files", 1,
     one_durable_write_takes_many_transfers_to_several_files},
    {"writing_nothing_succeeds", 1, writing_nothing_succeeds},
    {"many_transfers_at_once_each_get_their_bytes", 1, many_transfers_at_once_each_get_their_bytes},
    {"many_fibers_write_durably_at_once", 1, many_fibers_write_durably_at_once},
    {"canceled_read_returns_at_once_and_holds_its_scopes", 1,
     canceled_read_returns_at_once_and_holds_its_scopes},
    {"canceled_write_returns_at_once_and_holds_its_scopes", 1,
     canceled_write_returns_at_once_and_holds_its_scopes},
    {"canceled_durable_write_returns_at_once_and_holds_its_scopes", 1,
     canceled_durable_write_returns_at_once_and_holds_its_scopes},
    {"canceled_sync_holds_the_file", 1, canceled_sync_holds_the_file},
    {"canceled_calls_on_names_return_at_once", 1, canceled_calls_on_names_return_at_once},
    {"canceled_open_lets_go_of_its_lock", 1, canceled_open_lets_go_of_its_lock},
    {NULL},
};
