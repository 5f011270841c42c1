/* Temporary files of rows (spill.h).
 *
 * A file is blocks of one size. A run is a stream of bytes cut into blocks, wherever those lie; a row may go over several:
 *
 *     block   0  crc32c of what follows, with the run's and the block's numbers put in front   u32
 *             4  bytes used                                                                    u32
 *             8  bytes of the stream
 *
 *     row     0  bytes of the row behind this head                                             u32
 *             4  mark                                                                          u64
 *            12  for each column a tag, and behind it
 *                  0 null | 1 integer or float: 8 bytes | 2 small numeric: scale u8, 8 bytes | 3 size u32, bytes
 *
 * A block that was overwritten by another run's, or never written, has another checksum. Nothing here outlives the process,
 * so numbers are in the machine's own order. */
#include "sqlfront/run/spill.h"

#include "base/check.h"
#include "base/crc32c.h"

#include <stdio.h>
#include <string.h>

/* Blocks: as large as makes a write cheap, as small as lets many runs be written within a small grant. */
#define BLOCK_BYTES_MIN 4096
#define BLOCK_BYTES_MAX (128UL * 1024)
#define GRANT_SHARE     64
#define BLOCK_HEAD      8
#define ROW_HEAD        12
/* Tuples cost more than their bytes on disk: their head and 16 bytes for each value. */
#define TUPLE_HEAD 48

/* What is left to the log and the tables, which stop the node when they find no room: a sixteenth of the disk, or this. Looked
 * at before so many bytes are written. */
#define DISK_LEFT_SHARE 16
#define DISK_LEFT_MAX   (512UL * 1024 * 1024)
#define LOOK_EVERY      (4UL * 1024 * 1024)

#define NAME_BEGIN "temporary-"

enum tag { TAG_NULL, TAG_WORD, TAG_SMALL, TAG_BYTES };

struct spill {
    struct world *world;
    struct scope *scope;
    struct file *file;
    const char *directory;
    struct spill_account *account;
    size_t block_bytes;
    uint64_t looked_at; /* bytes of the file when room was looked for */
    uint64_t blocks;    /* of the file */
    uint64_t written;
    uint32_t runs;
    uint64_t *free; /* block numbers */
    size_t frees, free_room;
};

struct spill_run {
    struct spill *spill;
    struct scope *scope;
    uint32_t number;
    uint32_t columns;
    const struct type *const *types;
    uint8_t *buffer; /* a block, while the run is written */
    size_t used;     /* bytes in it, with the head */
    uint64_t *block; /* their places in the file */
    size_t blocks, block_room;
    uint64_t rows, memory;
};

struct spill_reader {
    struct spill_run *run;
    struct scope *scope;
    uint8_t *buffer;
    size_t at, used; /* in it */
    size_t next;     /* block of the run */
};

/* ---- the file ---- */

static void give_back_account(void *argument)
{
    const struct spill *spill = argument;
    __atomic_fetch_sub(&spill->account->used, spill->blocks * spill->block_bytes, __ATOMIC_RELAXED);
}

enum sqlstate spill_open(struct world *world, struct scope *scope, const struct spill_options *options,
                         struct spill **opened, struct error *error)
{
    struct spill *spill = scope_alloc_zeroed(scope, sizeof *spill);
    size_t size = strlen(options->directory) + 64;
    char *path = scope_alloc(scope, size);
    uint64_t random[2];
    world_random(world, random, sizeof random);
    snprintf(path, size, "%s/" NAME_BEGIN "%016llx%016llx", options->directory, (unsigned long long)random[0],
             (unsigned long long)random[1]);
    spill->world = world;
    spill->scope = scope;
    spill->account = options->account;
    spill->directory = scope_copy_text(scope, options->directory);
    spill->block_bytes = BLOCK_BYTES_MIN;
    while (spill->block_bytes < BLOCK_BYTES_MAX && spill->block_bytes < options->grant / GRANT_SHARE)
        spill->block_bytes *= 2;
    /* Canceled in between, the name would stay. */
    fiber_shield_begin(world->scheduler);
    enum sqlstate failed = disk_open(world, scope, path, DISK_CREATE | DISK_EXCLUSIVE, &spill->file, error);
    if (!failed)
        failed = disk_remove(world, path, error);
    fiber_shield_end(world->scheduler);
    if (failed)
        return failed;
    scope_undo(scope, give_back_account, spill);
    *opened = spill;
    return SQLSTATE_OK;
}

enum sqlstate spill_clean(struct world *world, const char *directory, struct error *error)
{
    struct scope *scope = scope_open(world->scope, "temporary files");
    const char **names;
    size_t count = 0;
    enum sqlstate failed = disk_list(world, scope, directory, &names, &count, error);
    for (size_t i = 0; i < count && !failed; i++) {
        size_t size = strlen(directory) + strlen(names[i]) + 2;
        char *path = scope_alloc(scope, size);
        if (strncmp(names[i], NAME_BEGIN, strlen(NAME_BEGIN)) != 0)
            continue;
        snprintf(path, size, "%s/%s", directory, names[i]);
        failed = disk_remove(world, path, error);
    }
    fiber_close_scope(world->scheduler, scope);
    return failed;
}

uint64_t spill_written(const struct spill *spill)
{
    return spill->written;
}

size_t spill_buffer_bytes(const struct spill *spill)
{
    return spill->block_bytes;
}

static enum sqlstate look_for_room(struct spill *spill, struct error *error)
{
    uint64_t bytes = spill->blocks * spill->block_bytes, free, total;
    if (bytes && bytes - spill->looked_at < LOOK_EVERY)
        return SQLSTATE_OK;
    spill->looked_at = bytes;
    const char *path = *spill->directory ? spill->directory : "/";
    enum sqlstate failed = disk_space(spill->world, path, &free, &total, error);
    uint64_t left = total / DISK_LEFT_SHARE < DISK_LEFT_MAX ? total / DISK_LEFT_SHARE : DISK_LEFT_MAX;
    if (!failed && free < left)
        failed = error_set(error, SQLSTATE_DISK_FULL,
                           "the disk has only %llu MB left, which temporary files may not take",
                           (unsigned long long)(free >> 20));
    return failed;
}

/* A place for a block: one that was given back, or behind the last. */
static enum sqlstate take_place(struct spill *spill, uint64_t *place, struct error *error)
{
    if (spill->frees) {
        *place = spill->free[--spill->frees];
        return SQLSTATE_OK;
    }
    enum sqlstate failed = look_for_room(spill, error);
    if (failed)
        return failed;
    struct spill_account *account = spill->account;
    uint64_t used = __atomic_add_fetch(&account->used, spill->block_bytes, __ATOMIC_RELAXED);
    *place = spill->blocks++;
    if (account->limit && used > account->limit)
        return error_set(error, SQLSTATE_CONFIGURATION_LIMIT_EXCEEDED,
                         "temporary file size exceeds temp_file_limit (%llukB)",
                         (unsigned long long)(account->limit / 1024));
    uint64_t most = __atomic_load_n(&account->most, __ATOMIC_RELAXED);
    if (used > most)
        __atomic_store_n(&account->most, used, __ATOMIC_RELAXED);
    return SQLSTATE_OK;
}

static enum sqlstate list_add(struct scope *scope, uint64_t **list, size_t *count, size_t *room,
                              uint64_t number, struct error *error)
{
    if (*count == *room) {
        size_t more = *room ? 2 * *room : 16;
        void *memory;
        enum sqlstate failed = scope_alloc_large(scope, more * sizeof **list, 16, &memory, error);
        if (failed)
            return failed;
        if (*count)
            memcpy(memory, *list, *count * sizeof **list);
        if (*list)
            scope_free_large(scope, *list);
        *list = memory;
        *room = more;
    }
    (*list)[(*count)++] = number;
    return SQLSTATE_OK;
}

/* ---- blocks ---- */

static uint32_t block_sum(const struct spill_run *run, uint64_t at, const uint8_t *block, size_t used)
{
    uint64_t head[2] = {run->number, at};
    return crc32c_extend(crc32c(bytes_of(head, sizeof head)), bytes_of(block + 4, used - 4));
}

static enum sqlstate buffer_take(struct spill_run *run, struct error *error)
{
    void *memory;
    enum sqlstate failed = scope_alloc_large(run->scope, run->spill->block_bytes, 16, &memory, error);
    if (failed)
        return failed;
    run->buffer = memory;
    run->used = BLOCK_HEAD;
    return SQLSTATE_OK;
}

static enum sqlstate block_write(struct spill_run *run, struct error *error)
{
    struct spill *spill = run->spill;
    uint64_t place;
    enum sqlstate failed = take_place(spill, &place, error);
    if (failed)
        return failed;
    uint32_t used = (uint32_t)run->used;
    memcpy(run->buffer + 4, &used, 4);
    uint32_t sum = block_sum(run, run->blocks, run->buffer, used);
    memcpy(run->buffer, &sum, 4);
    failed = list_add(run->scope, &run->block, &run->blocks, &run->block_room, place, error);
    if (!failed)
        failed = disk_write(spill->world, run->scope, spill->file, run->buffer, used,
                            place * spill->block_bytes, error);
    spill->written += spill->block_bytes;
    run->used = BLOCK_HEAD;
    return failed;
}

/* The next block of the run into the reader's buffer. */
static enum sqlstate block_read(struct spill_reader *reader, struct error *error)
{
    const struct spill_run *run = reader->run;
    struct spill *spill = run->spill;
    uint64_t at = reader->next++;
    size_t done;
    uint32_t sum, used;
    enum sqlstate failed = disk_read(spill->world, reader->scope, spill->file, reader->buffer,
                                     spill->block_bytes, run->block[at] * spill->block_bytes, &done, error);
    if (failed)
        return failed;
    memcpy(&sum, reader->buffer, 4);
    memcpy(&used, reader->buffer + 4, 4);
    if (done < BLOCK_HEAD || used < BLOCK_HEAD || used > done ||
        sum != block_sum(run, at, reader->buffer, used))
        return error_set(error, SQLSTATE_DATA_CORRUPTED, "block %llu of a temporary file is damaged",
                         (unsigned long long)run->block[at]);
    reader->used = used;
    reader->at = BLOCK_HEAD;
    return SQLSTATE_OK;
}

/* ---- writing ---- */

struct spill_run *spill_run_open(struct spill *spill, struct scope *scope, uint32_t columns,
                                 const struct type *const *types)
{
    struct spill_run *run = scope_alloc_zeroed(scope, sizeof *run);
    run->spill = spill;
    run->scope = scope;
    run->number = spill->runs++;
    run->columns = columns;
    run->types = types;
    return run;
}

static uint8_t tag_of(const struct type *type, const struct value *value)
{
    if (value->null)
        return TAG_NULL;
    if (type->kind == VALUE_INTEGER || type->kind == VALUE_FLOAT)
        return TAG_WORD;
    return value->small ? TAG_SMALL : TAG_BYTES;
}

static size_t value_size(uint8_t tag, const struct value *value)
{
    static const uint8_t sizes[] = {[TAG_NULL] = 1, [TAG_WORD] = 9, [TAG_SMALL] = 10, [TAG_BYTES] = 5};
    return sizes[tag] + (tag == TAG_BYTES ? (size_t)value->size : 0);
}

static uint8_t *value_write(uint8_t *to, uint8_t tag, const struct value *value)
{
    *to++ = tag;
    if (tag == TAG_SMALL)
        *to++ = (uint8_t)value->scale;
    if (tag == TAG_WORD || tag == TAG_SMALL) {
        memcpy(to, &value->i, 8);
        return to + 8;
    }
    if (tag == TAG_BYTES) {
        memcpy(to, &value->size, 4);
        if (value->size)
            memcpy(to + 4, value->p, value->size);
        return to + 4 + value->size;
    }
    return to;
}

static enum sqlstate put(struct spill_run *run, const uint8_t *data, size_t size, struct error *error)
{
    while (size) {
        size_t room = run->spill->block_bytes - run->used, some = size < room ? size : room;
        memcpy(run->buffer + run->used, data, some);
        run->used += some;
        data += some;
        size -= some;
        enum sqlstate failed = run->used == run->spill->block_bytes ? block_write(run, error) : SQLSTATE_OK;
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* Values are at columns[c][row]. */
static enum sqlstate add(struct spill_run *run, const struct value *const *columns, uint32_t row,
                         uint64_t mark, struct error *error)
{
    enum sqlstate failed = run->buffer ? SQLSTATE_OK : buffer_take(run, error);
    uint64_t size = 0, bytes = 0;
    for (uint32_t c = 0; c < run->columns; c++) {
        const struct value *value = &columns[c][row];
        uint8_t tag = tag_of(run->types[c], value);
        size += value_size(tag, value);
        bytes += tag == TAG_BYTES ? (value->size + 15UL) & ~15UL : 0;
    }
    if (!failed && size > UINT32_MAX)
        failed = error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "a row is too long to be put aside");
    if (failed)
        return failed;
    run->rows++;
    run->memory += TUPLE_HEAD + run->columns * sizeof(struct value) + bytes;
    uint32_t head = (uint32_t)size;
    size_t whole = ROW_HEAD + (size_t)size;
    bool fits = whole < run->spill->block_bytes - run->used;
    struct scope *scope = fits ? NULL : scope_open(run->scope, "long row");
    void *memory = run->buffer + run->used;
    if (!fits)
        failed = scope_alloc_large(scope, whole, 16, &memory, error);
    if (!failed) {
        uint8_t *to = memory;
        memcpy(to, &head, 4);
        memcpy(to + 4, &mark, 8);
        to += ROW_HEAD;
        for (uint32_t c = 0; c < run->columns; c++)
            to = value_write(to, tag_of(run->types[c], &columns[c][row]), &columns[c][row]);
    }
    if (fits)
        run->used += whole;
    else if (!failed)
        failed = put(run, memory, whole, error);
    if (scope)
        scope_close(scope);
    return failed;
}

enum sqlstate spill_run_add_row(struct spill_run *run, const struct value *const *columns, uint32_t row,
                                uint64_t mark, struct error *error)
{
    return add(run, columns, row, mark, error);
}

enum sqlstate spill_run_add(struct spill_run *run, const struct value *values, uint64_t mark,
                            struct error *error)
{
    const struct value *few[64], **columns = few;
    struct scope *scope = NULL;
    if (run->columns > 64) {
        scope = scope_open(run->scope, "wide row");
        columns = scope_alloc(scope, run->columns * sizeof columns[0]);
    }
    for (uint32_t c = 0; c < run->columns; c++)
        columns[c] = &values[c];
    enum sqlstate failed = add(run, columns, 0, mark, error);
    if (scope)
        scope_close(scope);
    return failed;
}

enum sqlstate spill_run_end(struct spill_run *run, struct error *error)
{
    if (!run->buffer)
        return SQLSTATE_OK;
    enum sqlstate failed = run->used > BLOCK_HEAD ? block_write(run, error) : SQLSTATE_OK;
    /* A canceled write may go on with the buffer: then it goes with the scope. */
    if (!failed) {
        scope_free_large(run->scope, run->buffer);
        run->buffer = NULL;
    }
    return failed;
}

uint64_t spill_run_rows(const struct spill_run *run)
{
    return run->rows;
}

uint64_t spill_run_memory(const struct spill_run *run)
{
    return run->memory;
}

void spill_run_drop(struct spill_run *run)
{
    struct spill *spill = run->spill;
    struct error ignored = {0};
    /* Without memory for the list the places are lost until the file goes. */
    for (size_t i = 0; i < run->blocks; i++)
        if (list_add(spill->scope, &spill->free, &spill->frees, &spill->free_room, run->block[i], &ignored))
            break;
    run->blocks = 0;
    run->rows = run->memory = 0;
}

/* ---- reading ---- */

enum sqlstate spill_reader_open(struct spill_run *run, struct scope *scope, struct spill_reader **opened,
                                struct error *error)
{
    check(!run->buffer, "a run is read while it is written");
    struct spill_reader *reader = scope_alloc_zeroed(scope, sizeof *reader);
    void *memory;
    enum sqlstate failed = scope_alloc_large(scope, run->spill->block_bytes, 16, &memory, error);
    if (failed)
        return failed;
    reader->run = run;
    reader->scope = scope;
    reader->buffer = memory;
    *opened = reader;
    return SQLSTATE_OK;
}

static enum sqlstate get(struct spill_reader *reader, uint8_t *data, size_t size, struct error *error)
{
    while (size) {
        if (reader->at == reader->used) {
            enum sqlstate failed =
                reader->next < reader->run->blocks
                    ? block_read(reader, error)
                    : error_set(error, SQLSTATE_DATA_CORRUPTED, "a row of a temporary file is cut off");
            if (failed)
                return failed;
        }
        size_t left = reader->used - reader->at, some = size < left ? size : left;
        memcpy(data, reader->buffer + reader->at, some);
        reader->at += some;
        data += some;
        size -= some;
    }
    return SQLSTATE_OK;
}

/* What was written is checked by sums, so a row that makes no sense is a fault of ours. */
static void row_read(const struct spill_run *run, const uint8_t *at, const uint8_t *end, struct value *values)
{
    for (uint32_t c = 0; c < run->columns; c++) {
        struct value *value = &values[c];
        uint8_t tag = *at++;
        *value = (struct value){.null = tag == TAG_NULL};
        if (tag == TAG_SMALL) {
            value->small = true;
            value->scale = *at++;
        }
        if (tag == TAG_WORD || tag == TAG_SMALL) {
            memcpy(&value->i, at, 8);
            at += 8;
        } else if (tag == TAG_BYTES) {
            memcpy(&value->size, at, 4);
            value->p = at + 4;
            at += 4 + (size_t)value->size;
        }
    }
    check(at == end, "a row of a temporary file has %td bytes too many", end - at);
}

enum sqlstate spill_reader_next(struct spill_reader *reader, struct scope *scope, struct value *values,
                                uint64_t *mark, bool *found, struct error *error)
{
    const struct spill_run *run = reader->run;
    uint8_t head[ROW_HEAD];
    uint32_t size;
    *found = reader->at < reader->used || reader->next < run->blocks;
    if (!*found)
        return SQLSTATE_OK;
    enum sqlstate failed = get(reader, head, sizeof head, error);
    if (failed)
        return failed;
    memcpy(&size, head, 4);
    memcpy(mark, head + 4, 8);
    void *memory = NULL;
    if (size <= SCOPE_SMALL_BYTES)
        memory = scope_alloc(scope, size + 1UL);
    else
        failed = scope_alloc_large(scope, size, 16, &memory, error);
    if (!failed)
        failed = get(reader, memory, size, error);
    if (!failed)
        row_read(run, memory, (uint8_t *)memory + size, values);
    return failed;
}
