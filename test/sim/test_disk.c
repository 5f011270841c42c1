/* The model of disks: what survives, what fails, and that each kind of fault really happens. */
#include "base/scope.h"
#include "test/sim/stage.h"

#include <string.h>

#define SECTOR 512
#define PAGE   4096

/* A file's content as a program found it. */
struct found {
    const char *path;
    bool there;
    size_t size;
    uint8_t bytes[8 * PAGE];
};

static void act_look(struct world *world, void *argument)
{
    struct found *found = argument;
    struct error error = {0};
    struct file *file;
    enum sqlstate failed = disk_open(world, world->scope, found->path, 0, &file, &error);
    found->there = !failed;
    found->size = 0;
    if (failed) {
        must_fail(SQLSTATE_UNDEFINED_FILE, failed, &error);
        return;
    }
    void *memory;
    must(scope_alloc_large(world->scope, sizeof found->bytes, 4096, &memory, &error), &error);
    must(disk_read(world, world->scope, file, memory, sizeof found->bytes, 0, &found->size, &error), &error);
    memcpy(found->bytes, memory, sizeof found->bytes);
}

static void look(struct sim *sim, const char *path, struct found *found)
{
    found->path = path;
    stage_act(sim, 0, act_look, found);
}

static struct file *open_file(struct world *world, const char *path, uint32_t flags)
{
    struct error error = {0};
    struct file *file;
    must(disk_open(world, world->scope, path, flags, &file, &error), &error);
    return file;
}

static void *filled(struct world *world, int with, size_t bytes)
{
    struct error error = {0};
    void *memory = NULL;
    must(scope_alloc_large(world->scope, bytes, 4096, &memory, &error), &error);
    memset(memory, with, bytes);
    return memory;
}

/* Losing power always loses: no mixtures of moods. */
static struct sim *open_losing(uint64_t seed, uint32_t lost_ppm, uint32_t torn_ppm)
{
    struct sim_options options = stage_options(seed, 1);
    options.faults.lost_ppm = lost_ppm;
    options.faults.torn_ppm = torn_ppm;
    return sim_open(&options);
}

/* Whether bytes [from, to) are all the same. One assertion for many bytes: Check notes each. */
static bool all(const struct found *found, size_t from, size_t to, int wanted)
{
    size_t right = 0;
    for (size_t i = from; i < to; i++)
        right += found->bytes[i] == wanted;
    return right == to - from;
}

static size_t count(const struct found *found, int wanted)
{
    size_t right = 0;
    for (size_t i = 0; i < found->size; i++)
        right += found->bytes[i] == wanted;
    return right;
}

/* ---- losing power ---- */

/* Eight pages of 'a', synced; then eight of 'b', not synced. */
static void act_write_and_forget(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file = open_file(world, "/f", DISK_CREATE);
    must(disk_write(world, world->scope, file, filled(world, 'a', 8 * PAGE), 8 * PAGE, 0, &error), &error);
    must(disk_sync(world, world->scope, file, &error), &error);
    must(disk_sync_directory(world, "/", &error), &error);
    must(disk_write(world, world->scope, file, filled(world, 'b', 8 * PAGE), 8 * PAGE, 0, &error), &error);
}

/* How many sectors are old, new, or a mixture of two halves; anything else fails. */
struct tally {
    uint32_t old, new, torn;
};

static void tally_sector(struct tally *tally, const uint8_t *sector)
{
    uint32_t changes = 0, bs = 0;
    bool others = false;
    for (int i = 0; i < SECTOR; i++) {
        others |= sector[i] != 'a' && sector[i] != 'b';
        bs += sector[i] == 'b';
        changes += i && sector[i] != sector[i - 1];
    }
    ck_assert(!others && changes <= 1);
    tally->old += bs == 0;
    tally->new += bs == SECTOR;
    tally->torn += changes;
}

static void lose_and_tally(uint64_t seed, uint32_t lost_ppm, uint32_t torn_ppm, struct tally *tally)
{
    struct found found;
    struct sim *sim = open_losing(seed, lost_ppm, torn_ppm);
    stage_act(sim, 0, act_write_and_forget, NULL);
    sim_lose_power(sim, 0);
    look(sim, "/f", &found);
    ck_assert(found.there);
    ck_assert_uint_eq(found.size, 8 * PAGE);
    for (size_t i = 0; i < found.size; i += SECTOR)
        tally_sector(tally, found.bytes + i);
    sim_close(sim);
}

START_TEST(test_unsynced_sectors_survive_are_lost_or_are_torn)
{
    struct tally tally = {0};
    uint32_t mixed = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct tally one = {0};
        lose_and_tally(seed, 300000, 300000, &one);
        mixed += one.old && one.new;
        tally.old += one.old;
        tally.new += one.new;
        tally.torn += one.torn;
    }
    ck_assert_uint_gt(tally.old, 200);
    ck_assert_uint_gt(tally.new, 200);
    ck_assert_uint_gt(tally.torn, 100);
    ck_assert_uint_gt(mixed, 20);
}
END_TEST

START_TEST(test_some_disks_write_512_bytes_as_one_and_some_4096)
{
    uint32_t by_sector = 0, by_page = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct found found;
        struct sim *sim = open_losing(seed, 500000, 0);
        stage_act(sim, 0, act_write_and_forget, NULL);
        sim_lose_power(sim, 0);
        look(sim, "/f", &found);
        bool page_mixed = false, mixed = false;
        for (size_t i = 0; i < found.size; i++) {
            page_mixed |= found.bytes[i] != found.bytes[i / PAGE * PAGE];
            mixed |= found.bytes[i] != found.bytes[0];
        }
        by_sector += page_mixed;
        by_page += mixed && !page_mixed;
        sim_close(sim);
    }
    ck_assert_uint_gt(by_sector, 3);
    ck_assert_uint_gt(by_page, 3);
}
END_TEST

START_TEST(test_a_killed_process_loses_nothing_it_has_written)
{
    struct found found;
    struct sim *sim = open_losing((uint64_t)_i, 1000000, 0);
    struct sim_process *process = stage_start(sim, 0, act_write_and_forget, NULL);
    stage_until_ended(sim, process, NULL);
    sim_crash(process, SIM_KILL);
    look(sim, "/f", &found);
    ck_assert_uint_eq(found.size, 8 * PAGE);
    ck_assert(all(&found, 0, found.size, 'b'));
    sim_close(sim);
}
END_TEST

/* Each of these makes page 3 (and only it) durable in another way. */
static void act_write_durably(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file = open_file(world, "/f", DISK_CREATE | DISK_DIRECT);
    must(disk_sync_directory(world, "/", &error), &error);
    must(disk_write_durable(world, world->scope, file, filled(world, 'd', PAGE), PAGE, 3 * PAGE, &error),
         &error);
    must(disk_write(world, world->scope, file, filled(world, 'x', PAGE), PAGE, 5 * PAGE, &error), &error);
}

START_TEST(test_durable_writes_survive_with_their_size)
{
    uint32_t longer = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct found found;
        struct sim *sim = open_losing(seed, 700000, 100000);
        stage_act(sim, 0, act_write_durably, NULL);
        sim_lose_power(sim, 0);
        look(sim, "/f", &found);
        ck_assert_uint_ge(found.size, 4 * PAGE);
        longer += found.size > 4 * PAGE;
        ck_assert(all(&found, 0, 3 * PAGE, 0) && all(&found, 3 * PAGE, 4 * PAGE, 'd'));
        sim_close(sim);
    }
    ck_assert_uint_gt(longer, 5); /* the unsynced size survives at times */
    ck_assert_uint_lt(longer, 35);
}
END_TEST

static void act_write_forever(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file = open_file(world, "/f", DISK_CREATE);
    must(disk_sync_directory(world, "/", &error), &error);
    for (int i = 0;; i++)
        must(
            disk_write(world, world->scope, file, filled(world, 'a' + i % 26, 8 * PAGE), 8 * PAGE, 0, &error),
            &error);
}

START_TEST(test_a_write_in_flight_at_a_kill_lands_in_part)
{
    uint32_t partly = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct found found;
        struct sim *sim = stage_open(seed, 1);
        struct sim_process *process = stage_start(sim, 0, act_write_forever, NULL);
        stage_wait(sim, SIM_MILLISECOND);
        sim_crash(process, SIM_KILL);
        look(sim, "/f", &found);
        bool differs = false;
        for (size_t i = 0; i < found.size; i++)
            differs |= found.bytes[i] != found.bytes[0];
        partly += differs;
        sim_close(sim);
    }
    ck_assert_uint_gt(partly, 20);
}
END_TEST

/* Overwrites with 'b' while a sync of 'a' is under way, and forgets. */
struct syncing {
    struct world *world;
    struct file *file;
    bool begun, over;
};

static void sync_fiber(void *argument)
{
    struct syncing *syncing = argument;
    struct error error = {0};
    syncing->begun = true;
    must(disk_sync(syncing->world, syncing->world->scope, syncing->file, &error), &error);
    syncing->over = true;
}

static void act_overwrite_during_sync(struct world *world, void *argument)
{
    struct error error = {0};
    struct syncing syncing = {.world = world, .file = open_file(world, "/f", DISK_CREATE)};
    struct scope *scope = world->scope;
    must(disk_sync_directory(world, "/", &error), &error);
    must(disk_write(world, scope, syncing.file, filled(world, 'a', 8 * PAGE), 8 * PAGE, 0, &error), &error);
    must(fiber_start(world->scheduler, scope, "sync", sync_fiber, &syncing, NULL, &error), &error);
    fiber_yield(world->scheduler);
    ck_assert(syncing.begun && !syncing.over);
    must(disk_write(world, scope, syncing.file, filled(world, 'b', 8 * PAGE), 8 * PAGE, 0, &error), &error);
    ck_assert(!syncing.over);
    nap(world, SIM_SECOND);
    ck_assert(syncing.over);
}

START_TEST(test_a_sync_covers_what_was_written_before_it_even_when_overwritten_meanwhile)
{
    size_t as = 0, bs = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct sim_options options = stage_options(seed, 1);
        struct found found;
        options.faults.lost_ppm = 600000;
        options.faults.torn_ppm = 200000;
        options.faults.sync_ns = 10 * SIM_MILLISECOND;
        struct sim *sim = sim_open(&options);
        stage_act(sim, 0, act_overwrite_during_sync, NULL);
        sim_lose_power(sim, 0);
        look(sim, "/f", &found);
        ck_assert_uint_eq(found.size, 8 * PAGE);
        ck_assert_uint_eq(count(&found, 'a') + count(&found, 'b'), found.size);
        as += count(&found, 'a');
        bs += count(&found, 'b');
        sim_close(sim);
    }
    /* What was written meanwhile is not covered, and survives or not. */
    ck_assert(as > 20 * SECTOR && bs > 20 * SECTOR);
}
END_TEST

/* Cut to a page and a half, and grown again: what was cut reads as zero. */
static void act_cut_and_grow(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file = open_file(world, "/f", DISK_CREATE);
    bool sync = *(bool *)argument;
    must(disk_write(world, world->scope, file, filled(world, 'a', 8 * PAGE), 8 * PAGE, 0, &error), &error);
    must(disk_sync(world, world->scope, file, &error), &error);
    must(disk_sync_directory(world, "/", &error), &error);
    must(disk_truncate(world, world->scope, file, PAGE + PAGE / 2, &error), &error);
    must(disk_truncate(world, world->scope, file, 6 * PAGE, &error), &error);
    if (sync)
        must(disk_sync(world, world->scope, file, &error), &error);
}

static size_t zeros_from(const struct found *found)
{
    size_t at = 0;
    while (at < found->size && found->bytes[at] == 'a')
        at++;
    ck_assert(all(found, at, found->size, 0));
    return at;
}

START_TEST(test_what_was_cut_off_reads_as_zero_when_the_file_grows)
{
    bool sync = _i % 2;
    struct found found;
    struct sim *sim = open_losing((uint64_t)_i, 500000, 100000);
    stage_act(sim, 0, act_cut_and_grow, &sync);
    look(sim, "/f", &found);
    ck_assert_uint_eq(found.size, 6 * PAGE);
    ck_assert_uint_eq(zeros_from(&found), PAGE + PAGE / 2);
    sim_lose_power(sim, 0);
    look(sim, "/f", &found);
    if (sync) {
        ck_assert_uint_eq(found.size, 6 * PAGE);
        ck_assert_uint_eq(zeros_from(&found), PAGE + PAGE / 2);
    }
    ck_assert(all(&found, 0, PAGE + PAGE / 2, 'a'));
    ck_assert_uint_eq(count(&found, 'a') + count(&found, 0), found.size);
    sim_close(sim);
}
END_TEST

/* ---- names ---- */

struct names_act {
    bool sync;
};

static void write_new(struct world *world, const char *path, int with)
{
    struct error error = {0};
    struct file *file = open_file(world, path, DISK_CREATE);
    must(disk_write(world, world->scope, file, filled(world, with, 100), 100, 0, &error), &error);
    must(disk_sync(world, world->scope, file, &error), &error);
}

/* /kept holds 'k'; then: /made is made, /new replaces /kept, /gone is removed. */
static void act_change_names(struct world *world, void *argument)
{
    struct error error = {0};
    bool sync = *(bool *)argument;
    write_new(world, "/d/kept", 'k');
    write_new(world, "/d/gone", 'g');
    must(disk_sync_directory(world, "/d", &error), &error);
    write_new(world, "/d/made", 'm');
    write_new(world, "/d/new", 'n');
    must(disk_rename(world, "/d/new", "/d/kept", &error), &error);
    must(disk_remove(world, "/d/gone", &error), &error);
    if (sync)
        must(disk_sync_directory(world, "/d", &error), &error);
}

static void act_make_d(struct world *world, void *argument)
{
    struct error error = {0};
    must(disk_make_directory(world, "/d", &error), &error);
    must(disk_make_directory(world, "/d", &error), &error);
    must(disk_sync_directory(world, "/", &error), &error);
}

static char letter_in(struct sim *sim, const char *path)
{
    struct found found;
    look(sim, path, &found);
    ck_assert(!found.there || found.size == 100);
    return found.there ? (char)found.bytes[0] : '-';
}

START_TEST(test_changes_of_names_survive_or_not_and_a_renaming_does_so_as_one)
{
    uint32_t made = 0, renamed = 0, removed = 0, sometimes = 60;
    for (uint64_t seed = 0; seed < sometimes; seed++) {
        bool sync = false;
        struct sim *sim = open_losing(seed, 500000, 0);
        stage_act(sim, 0, act_make_d, NULL);
        stage_act(sim, 0, act_change_names, &sync);
        ck_assert_int_eq(letter_in(sim, "/d/kept"), 'n');
        sim_lose_power(sim, 0);
        char kept = letter_in(sim, "/d/kept"), new = letter_in(sim, "/d/new");
        ck_assert(kept == 'k' || kept == 'n');
        ck_assert(new == '-' || (new == 'n' && kept == 'k'));
        renamed += kept == 'n';
        made += letter_in(sim, "/d/made") == 'm';
        removed += letter_in(sim, "/d/gone") == '-';
        sim_close(sim);
    }
    ck_assert(made > 10 && made < sometimes - 10);
    ck_assert(renamed > 10 && renamed < sometimes - 10);
    ck_assert(removed > 10 && removed < sometimes - 10);
}
END_TEST

START_TEST(test_changes_of_names_survive_after_a_sync_of_the_directory)
{
    bool sync = true;
    struct sim *sim = open_losing((uint64_t)_i, 1000000, 0);
    stage_act(sim, 0, act_make_d, NULL);
    stage_act(sim, 0, act_change_names, &sync);
    sim_lose_power(sim, 0);
    ck_assert_int_eq(letter_in(sim, "/d/kept"), 'n');
    ck_assert_int_eq(letter_in(sim, "/d/new"), '-');
    ck_assert_int_eq(letter_in(sim, "/d/made"), 'm');
    ck_assert_int_eq(letter_in(sim, "/d/gone"), '-');
    sim_close(sim);
}
END_TEST

static void act_move_between(struct world *world, void *argument)
{
    struct error error = {0};
    int syncs = *(int *)argument;
    must(disk_make_directory(world, "/e", &error), &error);
    must(disk_sync_directory(world, "/", &error), &error);
    write_new(world, "/d/moved", 'm');
    must(disk_sync_directory(world, "/d", &error), &error);
    must(disk_rename(world, "/d/moved", "/e/moved", &error), &error);
    if (syncs & 1)
        must(disk_sync_directory(world, "/d", &error), &error);
    if (syncs & 2)
        must(disk_sync_directory(world, "/e", &error), &error);
}

START_TEST(test_a_renaming_between_directories_is_durable_when_both_are_synced)
{
    uint32_t moved[4] = {0};
    for (int seed = 0; seed < 80; seed++) {
        int syncs = seed % 4;
        struct sim *sim = open_losing((uint64_t)seed, 500000, 0);
        stage_act(sim, 0, act_make_d, NULL);
        stage_act(sim, 0, act_move_between, &syncs);
        sim_lose_power(sim, 0);
        char here = letter_in(sim, "/d/moved"), there = letter_in(sim, "/e/moved");
        ck_assert((here == 'm') != (there == 'm'));
        moved[syncs] += there == 'm';
        sim_close(sim);
    }
    ck_assert_uint_eq(moved[3], 20);
    for (int i = 0; i < 3; i++)
        ck_assert(moved[i] > 2 && moved[i] < 18);
}
END_TEST

static void act_remove_open(struct world *world, void *argument)
{
    struct error error = {0};
    uint64_t before, free_bytes, total;
    struct scope *scope = scope_open(world->scope, "file");
    struct file *file;
    must(disk_space(world, "/", &before, &total, &error), &error);
    must(disk_open(world, scope, "/f", DISK_CREATE, &file, &error), &error);
    must(disk_write(world, scope, file, filled(world, 'a', 3 * PAGE), 3 * PAGE, 0, &error), &error);
    must(disk_remove(world, "/f", &error), &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_remove(world, "/f", &error), &error);
    uint8_t *memory = filled(world, 0, 100);
    must(disk_read(world, scope, file, memory, 100, 0, NULL, &error), &error);
    ck_assert_int_eq(memory[99], 'a');
    must(disk_space(world, "/", &free_bytes, &total, &error), &error);
    ck_assert_uint_eq(before - free_bytes, 3 * PAGE);
    scope_close(scope);
    must(disk_space(world, "/", &free_bytes, &total, &error), &error);
    ck_assert_uint_eq(before, free_bytes);
}

START_TEST(test_a_removed_file_lives_while_it_is_open)
{
    struct sim *sim = stage_open(1, 1);
    stage_act(sim, 0, act_remove_open, NULL);
    sim_close(sim);
}
END_TEST

static void act_lose_tree(struct world *world, void *argument)
{
    struct error error = {0};
    must(disk_make_directory(world, "/lost", &error), &error);
    must(disk_make_directory(world, "/lost/too", &error), &error);
    write_new(world, "/lost/too/f", 'l');
    must(disk_sync_directory(world, "/lost/too", &error), &error);
    must(disk_sync_directory(world, "/lost", &error), &error);
}

START_TEST(test_what_lies_in_a_lost_directory_is_lost)
{
    uint32_t lost = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct found found;
        struct sim *sim = open_losing(seed, 1000000, 0);
        stage_act(sim, 0, act_lose_tree, NULL);
        sim_lose_power(sim, 0);
        look(sim, "/lost/too/f", &found);
        lost += !found.there;
        sim_close(sim);
    }
    ck_assert(lost > 8 && lost < 20);
}
END_TEST

static void act_refused_names(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file;
    write_new(world, "/f", 'f');
    must(disk_make_directory(world, "/d", &error), &error);
    must(disk_make_directory(world, "/d/e", &error), &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_open(world, world->scope, "/x", 0, &file, &error), &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_open(world, world->scope, "/x/y", DISK_CREATE, &file, &error),
              &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_open(world, world->scope, "/f/y", DISK_CREATE, &file, &error),
              &error);
    must_fail(SQLSTATE_DUPLICATE_FILE,
              disk_open(world, world->scope, "/f", DISK_CREATE | DISK_EXCLUSIVE, &file, &error), &error);
    must_fail(SQLSTATE_SYSTEM_ERROR, disk_open(world, world->scope, "/d", 0, &file, &error), &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_rename(world, "/x", "/y", &error), &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_rename(world, "/f", "/x/y", &error), &error);
    must_fail(SQLSTATE_SYSTEM_ERROR, disk_rename(world, "/f", "/d", &error), &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_rename(world, "/d", "/f", &error), &error);
    must_fail(SQLSTATE_SYSTEM_ERROR, disk_rename(world, "/d", "/d/e/d", &error), &error);
    must_fail(SQLSTATE_DUPLICATE_FILE, disk_remove(world, "/d", &error), &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_make_directory(world, "/x/y", &error), &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_make_directory(world, "/f", &error), &error);
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_sync_directory(world, "/f", &error), &error);
    const char **names;
    size_t count;
    must_fail(SQLSTATE_UNDEFINED_FILE, disk_list(world, world->scope, "/x", &names, &count, &error), &error);
    must(disk_list(world, world->scope, "//", &names, &count, &error), &error);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(names[0], "d");
    ck_assert_str_eq(names[1], "f");
}

START_TEST(test_names_that_make_no_sense_are_refused)
{
    struct sim *sim = stage_open(1, 1);
    stage_act(sim, 0, act_refused_names, NULL);
    sim_close(sim);
}
END_TEST

/* ---- errors ---- */

struct failing {
    struct sim *sim;
    uint32_t reads, writes, syncs, durables, changed;
};

static void act_fail_often(struct world *world, void *argument)
{
    struct failing *failing = argument;
    struct sim_faults *faults = sim_faults(failing->sim);
    struct error error = {0};
    struct file *file = open_file(world, "/f", DISK_CREATE);
    uint8_t *memory = filled(world, 'a', 2 * PAGE);
    must(disk_write(world, world->scope, file, memory, 2 * PAGE, 0, &error), &error);
    must(disk_sync(world, world->scope, file, &error), &error);
    faults->read_error_ppm = faults->write_error_ppm = faults->sync_error_ppm = 500000;
    for (int i = 0; i < 40; i++) {
        memset(memory, 'b' + i % 20, 2 * PAGE);
        enum sqlstate written = disk_write(world, world->scope, file, memory, 2 * PAGE, 0, &error);
        if (written)
            must_fail(SQLSTATE_IO_ERROR, written, &error);
        enum sqlstate synced = disk_sync(world, world->scope, file, &error);
        if (synced)
            must_fail(SQLSTATE_IO_ERROR, synced, &error);
        enum sqlstate durable = disk_write_durable(world, world->scope, file, memory, PAGE, 0, &error);
        if (durable)
            must_fail(SQLSTATE_IO_ERROR, durable, &error);
        enum sqlstate read = disk_read(world, world->scope, file, memory, 2 * PAGE, 0, NULL, &error);
        if (read)
            must_fail(SQLSTATE_IO_ERROR, read, &error);
        failing->writes += written != SQLSTATE_OK;
        failing->syncs += synced != SQLSTATE_OK;
        failing->durables += durable != SQLSTATE_OK;
        failing->reads += read != SQLSTATE_OK;
    }
}

START_TEST(test_reads_writes_and_syncs_fail_as_often_as_asked_for)
{
    struct sim *sim = stage_open(1, 1);
    struct failing failing = {.sim = sim};
    struct sim_totals totals;
    stage_act(sim, 0, act_fail_often, &failing);
    ck_assert(failing.reads > 8 && failing.reads < 32);
    ck_assert(failing.writes > 8 && failing.writes < 32);
    ck_assert(failing.syncs > 8 && failing.syncs < 32);
    ck_assert(failing.durables > 8 && failing.durables < 40);
    sim_totals(sim, &totals);
    ck_assert_uint_eq(totals.disk_errors, failing.reads + failing.writes + failing.syncs + failing.durables);
    sim_close(sim);
}
END_TEST

/* A sync fails; the next one succeeds, and writes nothing. */
static void act_sync_twice(struct world *world, void *argument)
{
    struct sim *sim = argument;
    struct error error = {0};
    struct file *file = open_file(world, "/f", DISK_CREATE);
    must(disk_sync_directory(world, "/", &error), &error);
    must(disk_write(world, world->scope, file, filled(world, 'a', 8 * PAGE), 8 * PAGE, 0, &error), &error);
    must(disk_sync(world, world->scope, file, &error), &error);
    must(disk_write(world, world->scope, file, filled(world, 'b', 8 * PAGE), 8 * PAGE, 0, &error), &error);
    sim_faults(sim)->sync_error_ppm = 1000000;
    must_fail(SQLSTATE_IO_ERROR, disk_sync(world, world->scope, file, &error), &error);
    sim_faults(sim)->sync_error_ppm = 0;
    must(disk_sync(world, world->scope, file, &error), &error);
}

START_TEST(test_after_a_failed_sync_a_good_one_promises_nothing)
{
    uint32_t deceived = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct found seen, found;
        struct sim *sim = open_losing(seed, 0, 0);
        stage_act(sim, 0, act_sync_twice, sim);
        look(sim, "/f", &seen);
        sim_lose_power(sim, 0);
        look(sim, "/f", &found);
        struct tally tally = {0};
        for (size_t i = 0; i < found.size; i += SECTOR)
            tally_sector(&tally, found.bytes + i);
        ck_assert_uint_gt(tally.old, 0);
        ck_assert_uint_gt(tally.new, 0);
        deceived += memcmp(seen.bytes, found.bytes, sizeof found.bytes) != 0;
        sim_close(sim);
    }
    ck_assert_uint_gt(deceived, 15);
}
END_TEST

static void act_fill(struct world *world, void *argument)
{
    struct error error = {0};
    uint64_t free_bytes, total;
    struct file *file = open_file(world, "/f", DISK_CREATE);
    must(disk_space(world, "/", &free_bytes, &total, &error), &error);
    ck_assert_uint_eq(total, 10 * PAGE);
    ck_assert_uint_eq(free_bytes, 10 * PAGE);
    must(disk_write(world, world->scope, file, filled(world, 'a', 6 * PAGE), 6 * PAGE, 0, &error), &error);
    must(disk_allocate(world, world->scope, file, 20 * PAGE, 2 * PAGE, &error), &error);
    must(disk_space(world, "/", &free_bytes, &total, &error), &error);
    ck_assert_uint_eq(free_bytes, 2 * PAGE);
    must_fail(SQLSTATE_DISK_FULL,
              disk_write(world, world->scope, file, filled(world, 'x', 3 * PAGE), 3 * PAGE, 6 * PAGE, &error),
              &error);
    must_fail(SQLSTATE_DISK_FULL, disk_allocate(world, world->scope, file, 8 * PAGE, 3 * PAGE, &error),
              &error);
    /* What was allocated has its room. */
    must(disk_write(world, world->scope, file, filled(world, 'b', 4 * PAGE), 2 * PAGE, 20 * PAGE, &error),
         &error);
    must(disk_write(world, world->scope, file, filled(world, 'c', 2 * PAGE), 2 * PAGE, 6 * PAGE, &error),
         &error);
    must_fail(SQLSTATE_DISK_FULL, disk_make_directory(world, "/d", &error), &error);
    /* Even when others have taken more than there was. */
    sim_disk_room(argument, 0, 5 * PAGE);
    must(disk_write(world, world->scope, file, filled(world, 'd', 2 * PAGE), 2 * PAGE, 6 * PAGE, &error),
         &error);
    sim_disk_room(argument, 0, 10 * PAGE);
    must(disk_truncate(world, world->scope, file, PAGE, &error), &error);
    must(disk_space(world, "/", &free_bytes, &total, &error), &error);
    ck_assert_uint_eq(free_bytes, 9 * PAGE);
}

START_TEST(test_a_full_disk_says_so_until_there_is_room)
{
    struct sim_options options = stage_options(1, 1);
    options.disk_bytes = 10 * PAGE;
    struct sim *sim = sim_open(&options);
    stage_act(sim, 0, act_fill, sim);
    sim_close(sim);
}
END_TEST

static void act_write_synced(struct world *world, void *argument)
{
    struct error error = {0};
    const char *path = argument;
    struct file *file = open_file(world, path, DISK_CREATE);
    must(disk_write(world, world->scope, file, filled(world, 'a', 8 * PAGE), 8 * PAGE, 0, &error), &error);
    must(disk_sync(world, world->scope, file, &error), &error);
}

START_TEST(test_bit_rot_turns_over_one_bit)
{
    struct found found;
    struct sim *sim = stage_open(1, 1);
    stage_act(sim, 0, act_write_synced, "/f");
    ck_assert(sim_disk_rot(sim, 0, "/f", 5000, 3));
    ck_assert(!sim_disk_rot(sim, 0, "/f", 8 * PAGE, 3));
    ck_assert(!sim_disk_rot(sim, 0, "/none", 0, 3));
    look(sim, "/f", &found);
    ck_assert_int_eq(found.bytes[5000], 'a' ^ 8);
    ck_assert_uint_eq(count(&found, 'a'), 8 * PAGE - 1);
    sim_close(sim);
}
END_TEST

static bool allow_only(void *argument, uint32_t node, const char *path)
{
    return node == 0 && !strcmp(path, argument);
}

static uint32_t bits_turned(const struct found *found)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < found->size; i++)
        bits += (uint32_t)__builtin_popcount(found->bytes[i] ^ 'a');
    return bits;
}

START_TEST(test_drawn_bit_rot_befalls_allowed_files_only)
{
    struct found found;
    struct sim_options options = stage_options(1, 1);
    options.faults.rot_every_ns = SIM_SECOND;
    struct sim *sim = sim_open(&options);
    stage_act(sim, 0, act_write_synced, "/f");
    stage_act(sim, 0, act_write_synced, "/g");
    stage_wait(sim, 30 * SIM_SECOND);
    look(sim, "/f", &found);
    ck_assert_uint_eq(bits_turned(&found), 0);
    sim_disk_allow(sim, allow_only, "/g");
    stage_wait(sim, 30 * SIM_SECOND);
    look(sim, "/f", &found);
    ck_assert_uint_eq(bits_turned(&found), 0);
    look(sim, "/g", &found);
    ck_assert_uint_gt(bits_turned(&found), 10);
    sim_close(sim);
}
END_TEST

static void act_overwrite_one_sector(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file = open_file(world, argument, 0);
    must(disk_write(world, world->scope, file, filled(world, 'b', SECTOR), SECTOR, 3 * SECTOR, &error),
         &error);
}

START_TEST(test_a_misdirected_write_lands_elsewhere_in_the_file)
{
    uint32_t elsewhere = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct found found;
        struct sim *sim = stage_open(seed, 1);
        stage_act(sim, 0, act_write_synced, "/f");
        sim_faults(sim)->misdirect_ppm = 1000000;
        if (seed) /* not allowed in the first round */
            sim_disk_allow(sim, allow_only, "/f");
        stage_act(sim, 0, act_overwrite_one_sector, "/f");
        look(sim, "/f", &found);
        ck_assert_uint_eq(count(&found, 'b'), SECTOR);
        elsewhere += found.bytes[3 * SECTOR] != 'b';
        ck_assert(seed || found.bytes[3 * SECTOR] == 'b');
        sim_close(sim);
    }
    ck_assert_uint_gt(elsewhere, 12);
}
END_TEST

START_TEST(test_a_slow_disk_takes_its_time)
{
    struct sim *sim = stage_open(1, 1);
    uint64_t before = sim_now(sim);
    stage_act(sim, 0, act_write_synced, "/f");
    uint64_t usual = sim_now(sim) - before;
    sim_disk_slow(sim, 0, 1000);
    before = sim_now(sim);
    stage_act(sim, 0, act_write_synced, "/f");
    ck_assert_uint_gt(sim_now(sim) - before, 50 * usual);
    sim_disk_slow(sim, 0, 1);
    before = sim_now(sim);
    stage_act(sim, 0, act_write_synced, "/f");
    ck_assert_uint_lt(sim_now(sim) - before, 10 * usual);
    sim_close(sim);
}
END_TEST

/* ---- locks ---- */

static void act_hold_lock(struct world *world, void *argument)
{
    open_file(world, "/lock", DISK_CREATE | DISK_LOCK);
    *(bool *)argument = true;
    (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
}

static void act_try_lock(struct world *world, void *argument)
{
    struct error error = {0};
    struct file *file;
    *(enum sqlstate *)argument =
        disk_open(world, world->scope, "/lock", DISK_CREATE | DISK_LOCK, &file, &error);
}

START_TEST(test_a_lock_keeps_other_processes_out_until_its_own_ends)
{
    bool locked = false;
    enum sqlstate outcome = SQLSTATE_OK;
    struct sim *sim = stage_open(1, 2);
    struct sim_process *holder = stage_start(sim, 0, act_hold_lock, &locked);
    stage_wait(sim, SIM_SECOND);
    ck_assert(locked);
    stage_act(sim, 0, act_try_lock, &outcome);
    ck_assert_int_eq(outcome, SQLSTATE_LOCK_FILE_EXISTS);
    stage_act(sim, 1, act_try_lock, &outcome); /* another machine's disk */
    ck_assert_int_eq(outcome, SQLSTATE_OK);
    if (_i == 0)
        sim_stop(holder);
    else
        sim_crash(holder, _i == 1 ? SIM_KILL : SIM_POWER);
    stage_wait(sim, SIM_SECOND);
    stage_act(sim, 0, act_try_lock, &outcome);
    ck_assert_int_eq(outcome, SQLSTATE_OK);
    sim_close(sim);
}
END_TEST

/* ---- what is in flight ---- */

struct canceling {
    struct world *world;
    struct scope *scope;
    struct file *file;
    uint8_t *memory;
    enum sqlstate outcome;
    uint64_t ended_ns;
};

static void read_slowly(void *argument)
{
    struct canceling *canceling = argument;
    struct world *world = canceling->world;
    struct error error = {0};
    canceling->outcome =
        disk_read(world, canceling->scope, canceling->file, canceling->memory, PAGE, 0, NULL, &error);
    canceling->ended_ns = world_now(world);
}

static void note_gone(void *argument)
{
    *(uint64_t *)argument = 1;
}

static void act_cancel_a_read(struct world *world, void *argument)
{
    struct sim *sim = argument;
    struct error error = {0};
    struct fiber *fiber;
    uint64_t gone = 0;
    struct canceling canceling = {.world = world, .file = open_file(world, "/f", DISK_CREATE)};
    must(disk_write(world, world->scope, canceling.file, filled(world, 'a', PAGE), PAGE, 0, &error), &error);
    canceling.scope = scope_open(world->scope, "read");
    canceling.memory = scope_alloc(canceling.scope, PAGE);
    scope_undo(canceling.scope, note_gone, &gone);
    sim_faults(sim)->read_ns = 100 * SIM_SECOND;
    must(fiber_start(world->scheduler, world->scope, "read", read_slowly, &canceling, &fiber, &error),
         &error);
    nap(world, SIM_MILLISECOND);
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    uint64_t before = world_now(world);
    nap(world, SIM_MILLISECOND);
    ck_assert_int_eq(canceling.outcome, SQLSTATE_QUERY_CANCELED);
    ck_assert_uint_lt(canceling.ended_ns - before, SIM_MILLISECOND);
    scope_close(canceling.scope);
    nap(world, SIM_MILLISECOND);
    ck_assert_uint_eq(gone, 0); /* the disk may still write into its memory */
    nap(world, 3000 * SIM_SECOND);
    ck_assert_uint_eq(gone, 1);
}

START_TEST(test_a_canceled_read_goes_on_and_holds_its_scope)
{
    struct sim *sim = stage_open((uint64_t)_i, 1);
    stage_act(sim, 0, act_cancel_a_read, sim);
    sim_close(sim);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("disk");
    tcase_add_test(tests, test_unsynced_sectors_survive_are_lost_or_are_torn);
    tcase_add_test(tests, test_some_disks_write_512_bytes_as_one_and_some_4096);
    tcase_add_loop_test(tests, test_a_killed_process_loses_nothing_it_has_written, 0, 5);
    tcase_add_test(tests, test_durable_writes_survive_with_their_size);
    tcase_add_test(tests, test_a_write_in_flight_at_a_kill_lands_in_part);
    tcase_add_test(tests, test_a_sync_covers_what_was_written_before_it_even_when_overwritten_meanwhile);
    tcase_add_loop_test(tests, test_what_was_cut_off_reads_as_zero_when_the_file_grows, 0, 20);
    tcase_add_test(tests, test_changes_of_names_survive_or_not_and_a_renaming_does_so_as_one);
    tcase_add_loop_test(tests, test_changes_of_names_survive_after_a_sync_of_the_directory, 0, 8);
    tcase_add_test(tests, test_a_renaming_between_directories_is_durable_when_both_are_synced);
    tcase_add_test(tests, test_a_removed_file_lives_while_it_is_open);
    tcase_add_test(tests, test_what_lies_in_a_lost_directory_is_lost);
    tcase_add_test(tests, test_names_that_make_no_sense_are_refused);
    tcase_add_test(tests, test_reads_writes_and_syncs_fail_as_often_as_asked_for);
    tcase_add_test(tests, test_after_a_failed_sync_a_good_one_promises_nothing);
    tcase_add_test(tests, test_a_full_disk_says_so_until_there_is_room);
    tcase_add_test(tests, test_bit_rot_turns_over_one_bit);
    tcase_add_test(tests, test_drawn_bit_rot_befalls_allowed_files_only);
    tcase_add_test(tests, test_a_misdirected_write_lands_elsewhere_in_the_file);
    tcase_add_test(tests, test_a_slow_disk_takes_its_time);
    tcase_add_loop_test(tests, test_a_lock_keeps_other_processes_out_until_its_own_ends, 0, 3);
    tcase_add_loop_test(tests, test_a_canceled_read_goes_on_and_holds_its_scope, 0, 5);
    return stage_run(tests);
}
