/* The disk workload: one log for each core, in files of RECORDS_PER_FILE records.
 *
 *     /log/0/000000      whole, synced before the next one was made
 *     /log/0/000001      the last one grows: append, append, sync, promise, append ...
 *     /log/0/new         the next one, or a repaired last one: written, synced, renamed, directory synced
 *
 * What must hold: after any crash, each promised record is there, and what is there is a prefix of what was
 * appended last, record by record. A record that was appended and not promised may be there or not.
 *
 * At a start the last file is written anew from what could be read of it. That matters: after a sync that
 * failed, the system may show records that are not on the disk and never will be. */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/scope.h"
#include "test/sim/dice.h"
#include "test/sim/workload.h"

#include <stdio.h>
#include <string.h>

#define RECORDS_PER_FILE 24
#define RECORDS_MAX      4096
#define PAYLOAD_MAX      3000
#define CORES            2
#define FILE_BYTES_MAX   (RECORDS_PER_FILE * (sizeof(struct header) + PAYLOAD_MAX))

enum mistake {
    RIGHT,
    PROMISES_EARLY,      /* before the sync */
    SYNCS_NO_DIRECTORY,  /* after a renaming */
    RENAMES_EARLY,       /* before the new file is synced */
    TRUSTS_WHAT_IT_SEES, /* repairs by cutting the file, not by writing it anew */
    LOOKS_AT_NO_CHECKSUM,
};

/* In front of each record's payload; the payload follows from number and incarnation. */
struct header {
    uint32_t checksum; /* of the rest and the payload */
    uint32_t size;     /* of the payload */
    uint64_t number;
    uint64_t incarnation;
};

/* What one log must hold; outside of the simulation. */
struct ledger {
    uint64_t appended; /* records of the present incarnation are numbered up to here */
    uint64_t promised;
    uint32_t checksum[RECORDS_MAX]; /* as last appended */
};

struct disk_state {
    struct sim *sim;
    enum mistake mistake;
    struct ledger ledger[CORES];
    uint64_t incarnations;
    uint64_t goal;
};

/* One core's log while it is open. */
struct log_writer {
    struct disk_state *state;
    struct ledger *ledger;
    struct world *world;
    struct scope *scope;
    struct scope *file_scope; /* of the last file */
    struct dice dice;
    struct file *file;
    uint64_t file_number;
    uint64_t file_bytes;
    uint64_t next; /* number of the next record */
    uint64_t incarnation;
    uint8_t *buffer; /* FILE_BYTES_MAX */
};

/* ---- records ---- */

static size_t record_make(struct log_writer *writer, uint64_t number, uint8_t *to)
{
    struct header header = {.size = (uint32_t)dice_below(&writer->dice, PAYLOAD_MAX),
                            .number = number,
                            .incarnation = writer->incarnation};
    uint8_t *payload = to + sizeof header;
    for (uint32_t i = 0; i < header.size; i++)
        payload[i] = (uint8_t)(number * 7 + writer->incarnation * 13 + i);
    header.checksum = crc32c(bytes_of((uint8_t *)&header + 4, sizeof header - 4));
    header.checksum = crc32c_extend(header.checksum, bytes_of(payload, header.size));
    memcpy(to, &header, sizeof header);
    return sizeof header + header.size;
}

/* Whether a whole record with that number begins here; gives its bytes and checksum. */
static bool record_read(const struct log_writer *writer, const uint8_t *from, size_t available,
                        uint64_t number, size_t *bytes, uint32_t *checksum)
{
    struct header header;
    if (available < sizeof header)
        return false;
    memcpy(&header, from, sizeof header);
    if (header.size >= PAYLOAD_MAX || header.size > available - sizeof header)
        return false;
    *bytes = sizeof header + header.size;
    *checksum = header.checksum;
    if (writer->state->mistake == LOOKS_AT_NO_CHECKSUM)
        return header.number == number;
    uint32_t actual = crc32c(bytes_of((uint8_t *)&header + 4, sizeof header - 4));
    actual = crc32c_extend(actual, bytes_of(from + sizeof header, header.size));
    return actual == header.checksum && header.number == number;
}

/* The contents are what was appended, whatever the checksums say. */
static bool payload_right(const uint8_t *record)
{
    struct header header;
    memcpy(&header, record, sizeof header);
    for (uint32_t i = 0; i < header.size; i++)
        if (record[sizeof header + i] != (uint8_t)(header.number * 7 + header.incarnation * 13 + i))
            return false;
    return true;
}

/* ---- files ---- */

static void path_of(const struct log_writer *writer, uint64_t number, char path[static 64])
{
    snprintf(path, 64, "/log/%u/%06llu", writer->world->core, (unsigned long long)number);
}

static void path_of_new(const struct log_writer *writer, char path[static 64])
{
    snprintf(path, 64, "/log/%u/new", writer->world->core);
}

static enum sqlstate sync_directory(struct log_writer *writer, const char *path, struct error *error)
{
    if (writer->state->mistake == SYNCS_NO_DIRECTORY)
        return SQLSTATE_OK;
    return disk_sync_directory(writer->world, path, error);
}

/* Writes the first `bytes` of the buffer as file `number` and opens it. */
static enum sqlstate file_make(struct log_writer *writer, uint64_t number, size_t bytes, struct error *error)
{
    struct world *world = writer->world;
    char path[64], new[64], directory[64];
    path_of(writer, number, path);
    path_of_new(writer, new);
    snprintf(directory, sizeof directory, "/log/%u", world->core);
    if (writer->file_scope)
        scope_close(writer->file_scope);
    writer->file_scope = scope_open(writer->scope, "file");
    enum sqlstate failed = disk_open(world, writer->file_scope, new, DISK_CREATE, &writer->file, error);
    if (!failed)
        failed = disk_truncate(world, writer->file_scope, writer->file, 0, error);
    if (!failed && bytes)
        failed = disk_write(world, writer->file_scope, writer->file, writer->buffer, bytes, 0, error);
    if (!failed && writer->state->mistake != RENAMES_EARLY)
        failed = disk_sync(world, writer->file_scope, writer->file, error);
    if (!failed)
        failed = disk_rename(world, new, path, error);
    if (!failed)
        failed = sync_directory(writer, directory, error);
    writer->file_number = number;
    writer->file_bytes = bytes;
    return failed;
}

/* Reads a whole file into the buffer. */
static enum sqlstate file_read(struct log_writer *writer, uint64_t number, uint32_t flags, size_t *bytes,
                               struct error *error)
{
    char path[64];
    path_of(writer, number, path);
    if (writer->file_scope)
        scope_close(writer->file_scope);
    writer->file_scope = scope_open(writer->scope, "file");
    enum sqlstate failed = disk_open(writer->world, writer->file_scope, path, flags, &writer->file, error);
    if (!failed)
        failed = disk_read(writer->world, writer->file_scope, writer->file, writer->buffer, FILE_BYTES_MAX, 0,
                           bytes, error);
    return failed;
}

/* ---- starting ---- */

/* Compares what was found in a file with the ledger; gives the bytes of its whole records. */
static size_t take_stock(struct log_writer *writer, size_t available)
{
    struct disk_state *state = writer->state;
    size_t at = 0, bytes;
    uint32_t checksum;
    while (writer->next < RECORDS_MAX &&
           record_read(writer, writer->buffer + at, available - at, writer->next, &bytes, &checksum)) {
        if (checksum != writer->ledger->checksum[writer->next] || !payload_right(writer->buffer + at))
            sim_fail(state->sim, "record %llu of log %u is not what was appended last",
                     (unsigned long long)writer->next, writer->world->core);
        writer->next++;
        at += bytes;
    }
    return at;
}

static enum sqlstate repair_last(struct log_writer *writer, uint64_t number, size_t bytes,
                                 struct error *error)
{
    if (writer->state->mistake != TRUSTS_WHAT_IT_SEES)
        return file_make(writer, number, bytes, error);
    size_t read;
    enum sqlstate failed = file_read(writer, number, 0, &read, error);
    writer->file_number = number;
    writer->file_bytes = bytes;
    if (!failed)
        failed = disk_truncate(writer->world, writer->file_scope, writer->file, bytes, error);
    return failed ? failed : disk_sync(writer->world, writer->file_scope, writer->file, error);
}

static enum sqlstate make_directories(struct log_writer *writer, struct error *error)
{
    char path[64];
    snprintf(path, sizeof path, "/log/%u", writer->world->core);
    enum sqlstate failed = disk_make_directory(writer->world, "/log", error);
    if (!failed)
        failed = sync_directory(writer, "/", error);
    if (!failed)
        failed = disk_make_directory(writer->world, path, error);
    return failed ? failed : sync_directory(writer, "/log", error);
}

/* Reads the files in order until one is not there. Files after a short one are what a lost crash left of the
 * future; there must be none. */
static enum sqlstate recover(struct log_writer *writer, struct error *error)
{
    enum sqlstate failed = make_directories(writer, error);
    uint64_t number = 0;
    size_t bytes, whole = 0;
    if (failed)
        return failed;
    for (;; number++) {
        failed = file_read(writer, number, 0, &bytes, error);
        if (failed == SQLSTATE_UNDEFINED_FILE)
            break;
        if (failed)
            return failed;
        whole = take_stock(writer, bytes);
        if (writer->next < (number + 1) * RECORDS_PER_FILE) {
            number++;
            break;
        }
    }
    if (writer->next < writer->ledger->promised)
        sim_fail(writer->state->sim, "log %u has %llu records after a start, %llu were promised",
                 writer->world->core, (unsigned long long)writer->next,
                 (unsigned long long)writer->ledger->promised);
    sim_note(writer->state->sim, "log %u has %llu records, %llu promised", writer->world->core,
             (unsigned long long)writer->next, (unsigned long long)writer->ledger->promised);
    return number ? repair_last(writer, number - 1, whole, error) : file_make(writer, 0, 0, error);
}

/* ---- appending ---- */

static enum sqlstate append(struct log_writer *writer, bool durable, struct error *error)
{
    struct ledger *ledger = writer->ledger;
    struct scope *scope = scope_open(writer->scope, "record");
    uint8_t *record = scope_alloc(scope, sizeof(struct header) + PAYLOAD_MAX);
    size_t bytes = record_make(writer, writer->next, record);
    memcpy(&ledger->checksum[writer->next], record, sizeof(uint32_t));
    ledger->appended = ++writer->next;
    struct disk_transfer transfer = {
        .file = writer->file, .data = record, .size = bytes, .offset = writer->file_bytes};
    enum sqlstate failed = disk_write_many(writer->world, scope, &transfer, 1, durable, error);
    writer->file_bytes += bytes;
    scope_close(scope);
    return failed;
}

/* Idle for a while, as a log is: what can happen now happens to what is promised. */
static void idle(struct log_writer *writer)
{
    uint64_t pause_ns = dice_around(&writer->dice, 2 * SIM_MILLISECOND);
    (void)!fiber_sleep_until(writer->world->scheduler, writer->world->now_ns + pause_ns);
}

/* The next file begins with a record that is promised as soon as the file is there. */
static enum sqlstate next_file(struct log_writer *writer, struct error *error)
{
    struct ledger *ledger = writer->ledger;
    enum sqlstate failed = disk_sync(writer->world, writer->scope, writer->file, error);
    if (failed)
        return failed;
    size_t bytes = record_make(writer, writer->next, writer->buffer);
    memcpy(&ledger->checksum[writer->next], writer->buffer, sizeof(uint32_t));
    ledger->appended = ++writer->next;
    failed = file_make(writer, writer->file_number + 1, bytes, error);
    if (!failed)
        ledger->promised = writer->next;
    return failed;
}

/* Some records, then a promise. */
static enum sqlstate append_some(struct log_writer *writer, struct error *error)
{
    struct ledger *ledger = writer->ledger;
    uint64_t count = dice_between(&writer->dice, 1, 4);
    bool durable = count == 1 && dice_below(&writer->dice, 2);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint64_t i = 0; i < count && !failed; i++) {
        if (writer->next == (writer->file_number + 1) * RECORDS_PER_FILE)
            failed = next_file(writer, error);
        if (!failed)
            failed = append(writer, durable, error);
    }
    if (!failed && writer->state->mistake == PROMISES_EARLY)
        ledger->promised = writer->next;
    if (!failed && !durable)
        failed = disk_sync(writer->world, writer->scope, writer->file, error);
    if (failed)
        return failed;
    ledger->promised = writer->next;
    return SQLSTATE_OK;
}

static void disk_core(struct world *world, void *argument)
{
    struct disk_state *state = argument;
    struct error error = {0};
    void *memory;
    struct log_writer *writer = scope_alloc_zeroed(world->scope, sizeof *writer);
    *writer = (struct log_writer){.state = state,
                                  .ledger = &state->ledger[world->core],
                                  .world = world,
                                  .scope = scope_open(world->scope, "log"),
                                  .incarnation = ++state->incarnations};
    uint64_t seed;
    world_random(world, &seed, sizeof seed);
    dice_open(&writer->dice, seed, DICE_TEST, world->core);
    enum sqlstate failed = scope_alloc_large(world->scope, FILE_BYTES_MAX, 16, &memory, &error);
    writer->buffer = memory;
    if (!failed)
        failed = recover(writer, &error);
    while (!failed && writer->next < RECORDS_MAX - 8 && world_wait_stop(world, 0) != FIBER_WOKEN) {
        idle(writer);
        failed = append_some(writer, &error);
    }
    if (failed) {
        log_error(world, LOG_WARN, "log_failed", &error, "the log of core %u cannot go on", world->core);
        world_stop(world);
    }
    scope_close(writer->scope);
}

/* ---- the run ---- */

static bool goal_reached(void *argument)
{
    const struct disk_state *state = argument;
    for (uint32_t i = 0; i < CORES; i++)
        if (state->ledger[i].promised < state->goal)
            return false;
    return true;
}

static void disk_run(struct play *play, const struct workload *workload)
{
    struct scope *scope = scope_open_root("disk workload", NULL);
    struct disk_state *state = scope_alloc_zeroed(scope, sizeof *state);
    state->sim = play->sim;
    state->mistake = workload->variant;
    state->goal = 1500;
    struct sim_process *process = play_target(
        play, 0,
        &(struct sim_program){
            .name = "logs", .cores = CORES, .core_main = disk_core, .argument = state, .respawn = true});
    play_faults(play, 3 * SIM_SECOND, goal_reached, state);
    state->goal = 0;
    for (uint32_t i = 0; i < CORES; i++)
        if (state->ledger[i].promised + 20 > state->goal)
            state->goal = state->ledger[i].promised + 20;
    play_calm(play, 600 * SIM_SECOND, goal_reached, state, "20 more records in each log");
    play_stop(play, process);
    if (!sim_failure(play->sim)) {
        state->goal += 20;
        sim_restart(process);
        (void)!sim_run(play->sim, 600 * SIM_SECOND, goal_reached, state);
    }
    scope_close(scope);
}

const struct workload disk_workloads[] = {
    {.name = "disk", .summary = "logs on a disk, crashes at any time", .nodes = 1, .run = disk_run},
    {.name = "disk-promises-early",
     .summary = "promises before the sync",
     .nodes = 1,
     .broken = true,
     .variant = PROMISES_EARLY,
     .run = disk_run},
    {.name = "disk-no-directory",
     .summary = "forgets to sync directories",
     .nodes = 1,
     .broken = true,
     .variant = SYNCS_NO_DIRECTORY,
     .run = disk_run},
    {.name = "disk-renames-early",
     .summary = "renames a file that is not synced",
     .nodes = 1,
     .broken = true,
     .variant = RENAMES_EARLY,
     .run = disk_run},
    {.name = "disk-trusts",
     .summary = "trusts what it reads after a failed sync",
     .nodes = 1,
     .broken = true,
     .variant = TRUSTS_WHAT_IT_SEES,
     .run = disk_run},
    {.name = "disk-no-checksum",
     .summary = "takes torn records for whole ones",
     .nodes = 1,
     .broken = true,
     .variant = LOOKS_AT_NO_CHECKSUM,
     .run = disk_run},
    {0},
};
