/* The data directory, in the simulator: what a first start makes, what is refused and why, and that a crash
 * at any moment of a start leaves what the next start opens. */
#include "test/unit/unit.h"

#include "base/crc32c.h"
#include "base/scope.h"
#include "base/tls/tls.h"
#include "node/certificate.h"
#include "node/datadir.h"
#include "node/file.h"
#include "test/sim/sim.h"

#include <stdio.h>
#include <string.h>

/* One program that opens the directory, and what became of it. Lies outside the simulation, so it survives
 * crashes of the program. */
struct trial {
    void (*prepare)(struct world *world, struct scope *scope); /* what happens before; NULL = nothing */
    bool with_certificate;
    bool keep; /* stays in it until it is stopped */

    bool opened;
    struct datadir datadir;
    uint32_t certificate; /* its checksum */
    enum sqlstate failed;
    struct error error;
    struct told {
        bool known;
        struct uuid cluster, node;
        uint32_t certificate;
    } told; /* to the world, by the first start that got so far */
};

static const char path[] = "data";

static void must(enum sqlstate failed, const struct error *error)
{
    ck_assert_msg(!failed, "%s", error_text(error, ERROR_MESSAGE));
}

static enum sqlstate certificate_use(struct world *world, struct scope *scope, uint32_t *checksum,
                                     struct error *error)
{
    static const char *const hosts[2] = {"127.0.0.1", "example.org"};
    struct certificate certificate;
    struct tls_context *context;
    enum sqlstate failed = certificate_load_own(world, scope, path, hosts, &certificate, error);
    if (failed)
        return failed;
    const struct tls_options options = {
        .server = true, .certificate_pem = certificate.chain_pem, .key_pem = certificate.key_pem};
    *checksum = crc32c(certificate.chain_pem);
    return tls_context_open(world, scope, &options, &context, error);
}

static void trial_main(struct world *world, void *argument)
{
    struct trial *trial = argument;
    struct scope *scope = scope_open(world->scope, "trial");
    struct datadir *datadir;
    if (trial->prepare)
        trial->prepare(world, scope);
    error_clear(&trial->error);
    trial->opened = false;
    trial->failed = datadir_open(world, scope, path, &datadir, &trial->error);
    if (!trial->failed && trial->with_certificate)
        trial->failed = certificate_use(world, scope, &trial->certificate, &trial->error);
    if (!trial->failed) {
        trial->datadir = *datadir;
        if (!trial->told.known)
            trial->told = (struct told){true, datadir->cluster, datadir->node, trial->certificate};
        trial->opened = true;
    }
    if (trial->keep)
        (void)world_wait_stop(world, FIBER_NO_DEADLINE);
    fiber_close_scope(world->scheduler, scope);
}

/* ---- a simulation of one machine ---- */

static struct sim *sim;

static void set_up(void)
{
    struct sim_options options = {.seed = 1, .nodes = 1, .log_level = LOG_ERROR};
    sim_faults_none(&options.faults);
    sim = sim_open(&options);
}

static void tear_down(void)
{
    sim_close(sim);
}

static bool is_over(void *process)
{
    enum sim_state state = sim_state(process);
    return state == SIM_ENDED || state == SIM_CRASHED;
}

static struct sim_process *trial_start(struct trial *trial)
{
    return sim_start(
        sim, 0,
        &(struct sim_program){.name = "trial", .cores = 1, .core_main = trial_main, .argument = trial});
}

/* Runs the program to its end. */
static void trial_run(struct trial *trial)
{
    struct sim_process *process = trial_start(trial);
    ck_assert_int_eq(sim_run(sim, 60 * SIM_SECOND, is_over, process), SIM_UNTIL);
    ck_assert_int_eq(sim_state(process), SIM_ENDED);
}

static void trial_opens(struct trial *trial)
{
    trial_run(trial);
    must(trial->failed, &trial->error);
}

static void trial_is_refused(struct trial *trial, enum sqlstate state, const char *sentence)
{
    trial_run(trial);
    ck_assert_msg(trial->failed, "it was opened");
    ck_assert_msg(trial->failed == state, "%s", error_text(&trial->error, ERROR_MESSAGE));
    ck_assert_str_eq(error_text(&trial->error, ERROR_MESSAGE), sentence);
}

static bool same_identity(const struct trial *trial)
{
    return memcmp(&trial->datadir.cluster, &trial->told.cluster, sizeof(struct uuid)) == 0 &&
           memcmp(&trial->datadir.node, &trial->told.node, sizeof(struct uuid)) == 0;
}

/* ---- what others have put there ---- */

static void write_file(struct world *world, struct scope *scope, const char *name, const void *data,
                       size_t size)
{
    struct error error = {0};
    must(disk_make_directory(world, path, &error), &error);
    must(file_replace(world, path, name, bytes_of(data, size), &error), &error);
}

static void put_letters(struct world *world, struct scope *scope)
{
    write_file(world, scope, "letters.txt", "dear", 4);
}

static void put_leftovers(struct world *world, struct scope *scope)
{
    struct error error = {0};
    write_file(world, scope, "synod.lock", "", 0);
    write_file(world, scope, "identity.new", "half an ident", 13);
    must(disk_make_directory(world, "data/lost+found", &error), &error);
}

static void put_file_for_directory(struct world *world, struct scope *scope)
{
    struct error error = {0};
    struct file *file;
    must(disk_open(world, scope, path, DISK_CREATE, &file, &error), &error);
}

/* Rewrites the identity by a rule. */
static void change_identity(struct world *world, struct scope *scope,
                            size_t (*change)(uint8_t block[static 8192], size_t size))
{
    struct error error = {0};
    struct bytes content;
    uint8_t block[8192] = {0};
    must(file_read_whole(world, scope, "data/identity", 4096, &content, &error), &error);
    memcpy(block, content.data, content.size);
    write_file(world, scope, "identity", block, change(block, content.size));
}

static size_t turn_bit(uint8_t block[static 8192], size_t size)
{
    block[40] ^= 1;
    return size;
}

static size_t turn_magic(uint8_t block[static 8192], size_t size)
{
    block[0] ^= 1;
    return size;
}

static size_t cut(uint8_t block[static 8192], size_t size)
{
    return size - 1;
}

static size_t lengthen(uint8_t block[static 8192], size_t size)
{
    return size + 1;
}

static size_t make_newer(uint8_t block[static 8192], size_t size)
{
    const uint32_t format = DATADIR_FORMAT + 1;
    uint32_t crc = 0;
    memcpy(block + 8, &format, 4);
    memcpy(block + 12, &crc, 4);
    crc = crc32c(bytes_of(block, size));
    memcpy(block + 12, &crc, 4);
    return size;
}

#define CHANGE(name)                                                \
    static void do_##name(struct world *world, struct scope *scope) \
    {                                                               \
        change_identity(world, scope, name);                        \
    }
CHANGE(turn_bit)
CHANGE(turn_magic)
CHANGE(cut)
CHANGE(lengthen)
CHANGE(make_newer)

/* ---- opening ---- */

START_TEST(a_first_start_makes_the_directory_and_an_identity)
{
    struct trial trial = {0};
    trial_opens(&trial);
    ck_assert(trial.datadir.fresh);
    ck_assert_int_eq(trial.datadir.cluster.bytes[6] >> 4, 4);
    ck_assert_int_eq(trial.datadir.cluster.bytes[8] >> 6, 2);
    ck_assert(memcmp(&trial.datadir.cluster, &trial.datadir.node, sizeof(struct uuid)) != 0);
    ck_assert_int_gt(trial.datadir.created_us, 0);
}
END_TEST

START_TEST(later_starts_find_the_same_identity)
{
    struct trial trial = {.with_certificate = true};
    trial_opens(&trial);
    int64_t created_us = trial.datadir.created_us;
    for (int i = 0; i < 3; i++) {
        trial_opens(&trial);
        ck_assert(!trial.datadir.fresh);
        ck_assert(same_identity(&trial));
        ck_assert_int_eq(trial.datadir.created_us, created_us);
    }
}
END_TEST

START_TEST(leftovers_of_a_start_cut_short_are_no_hindrance)
{
    struct trial trial = {.prepare = put_leftovers};
    trial_opens(&trial);
    ck_assert(trial.datadir.fresh);
}
END_TEST

START_TEST(a_text_of_an_identity_is_a_uuid)
{
    char text[UUID_TEXT_BYTES];
    struct uuid uuid = {{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x4d, 0xef, 0x80, 1, 2, 3, 4, 5, 6, 0xff}};
    uuid_text(&uuid, text);
    ck_assert_str_eq(text, "01234567-89ab-4def-8001-0203040506ff");
}
END_TEST

/* ---- refusals ---- */

START_TEST(a_directory_with_foreign_things_is_refused_and_left_alone)
{
    struct trial trial = {.prepare = put_letters};
    static const char sentence[] =
        "directory \"data\" is not a data directory of synodd: it holds \"letters.txt\" but no identity";
    trial_is_refused(&trial, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE, sentence);
    ck_assert_ptr_nonnull(error_text(&trial.error, ERROR_HINT));
    /* Had the first attempt left its lock behind, the second would say so. */
    trial.prepare = NULL;
    trial_is_refused(&trial, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE, sentence);
}
END_TEST

START_TEST(a_directory_in_use_is_refused)
{
    struct trial first = {.keep = true}, second = {0};
    struct sim_process *process = trial_start(&first);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, is_over, process), SIM_DEADLINE);
    ck_assert(first.opened);
    trial_is_refused(&second, SQLSTATE_LOCK_FILE_EXISTS,
                     "data directory \"data\" is in use by another process");
    sim_stop(process);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, is_over, process), SIM_UNTIL);
    second.told = first.told;
    trial_opens(&second);
    ck_assert(same_identity(&second));
}
END_TEST

START_TEST(a_file_in_place_of_the_directory_is_refused)
{
    struct trial trial = {.prepare = put_file_for_directory};
    trial_run(&trial);
    ck_assert_int_eq(trial.failed, SQLSTATE_UNDEFINED_FILE);
    ck_assert_ptr_nonnull(strstr(error_text(&trial.error, ERROR_MESSAGE), "\"data\""));
    ck_assert_ptr_nonnull(error_text(&trial.error, ERROR_HINT));
}
END_TEST

START_TEST(a_newer_format_is_refused)
{
    struct trial trial = {0};
    trial_opens(&trial);
    trial.prepare = do_make_newer;
    trial_is_refused(&trial, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                     "data directory \"data\" has format 2, and this synodd knows formats up to 1");
}
END_TEST

START_TEST(a_damaged_identity_is_refused)
{
    static const struct {
        void (*damage)(struct world *world, struct scope *scope);
        const char *sentence;
    } damages[] = {
        {do_turn_bit, "identity of data directory \"data\" is damaged: its checksum is wrong"},
        {do_turn_magic, "identity of data directory \"data\" is damaged: it does not begin as one"},
        {do_cut, "identity of data directory \"data\" is damaged: it is not 4096 bytes long"},
        {do_lengthen, "identity of data directory \"data\" is damaged: it is not 4096 bytes long"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct trial trial = {0};
        trial_opens(&trial);
        trial.prepare = damages[i].damage;
        trial_is_refused(&trial, SQLSTATE_DATA_CORRUPTED, damages[i].sentence);
        tear_down();
        set_up();
    }
}
END_TEST

START_TEST(every_single_bit_of_the_identity_is_guarded)
{
    struct trial trial = {0};
    trial_opens(&trial);
    uint64_t random = unit_seed();
    for (int i = 0; i < 100; i++) {
        uint64_t bit = unit_random_below(&random, 4096 * 8);
        ck_assert(sim_disk_rot(sim, 0, "data/identity", bit / 8, bit % 8));
        trial_run(&trial);
        ck_assert_int_eq(trial.failed, SQLSTATE_DATA_CORRUPTED);
        ck_assert(sim_disk_rot(sim, 0, "data/identity", bit / 8, bit % 8));
    }
    trial_opens(&trial);
}
END_TEST

START_TEST(a_full_disk_is_told_and_leaves_nothing_wrong)
{
    struct trial trial = {0};
    sim_disk_room(sim, 0, 1000);
    trial_run(&trial);
    ck_assert_int_eq(trial.failed, SQLSTATE_DISK_FULL);
    sim_disk_room(sim, 0, 1 << 30);
    trial_opens(&trial);
    ck_assert(trial.datadir.fresh);
}
END_TEST

/* ---- crashes ---- */

struct run {
    struct trial *trial;
    struct sim_process *process;
};

static bool has_opened_or_is_over(void *argument)
{
    struct run *run = argument;
    return run->trial->opened || is_over(run->process);
}

static void run_until_opened(struct sim_process *process, struct trial *trial)
{
    struct run run = {trial, process};
    trial->opened = false;
    ck_assert_int_eq(sim_run(sim, 60 * SIM_SECOND, has_opened_or_is_over, &run), SIM_UNTIL);
}

/* The directory was opened, with what any earlier start told the world. */
static void assert_kept(const struct trial *trial, const char *when, uint64_t turns)
{
    ck_assert_msg(trial->opened, "%s of turn %llu: %s", when, (unsigned long long)turns,
                  error_text(&trial->error, ERROR_MESSAGE));
    ck_assert_msg(same_identity(trial), "%s of turn %llu: another identity", when, (unsigned long long)turns);
    ck_assert_msg(trial->certificate == trial->told.certificate, "%s of turn %llu: another certificate", when,
                  (unsigned long long)turns);
}

/* Crashes a start after so many turns, starts again (and may crash that, too), and sees that the next start
 * opens the directory with what any earlier one told; and so does one more start after a loss of power, so
 * that what was told was durable. False when the first start opened it before its crash came. */
static bool crash_at(uint64_t first_turns, uint64_t second_turns, enum sim_crash how, bool with_certificate)
{
    struct trial trial = {.with_certificate = with_certificate, .keep = true};
    struct sim_process *process = trial_start(&trial);
    sim_crash_after(process, first_turns, how);
    run_until_opened(process, &trial);
    if (sim_state(process) != SIM_CRASHED)
        return false;
    if (second_turns) {
        sim_restart(process);
        sim_crash_after(process, second_turns, how);
        run_until_opened(process, &trial);
    }
    sim_crash_after(process, 0, how);
    if (sim_state(process) == SIM_CRASHED) {
        sim_restart(process);
        run_until_opened(process, &trial);
    }
    assert_kept(&trial, "after a crash", first_turns);
    sim_crash(process, SIM_POWER);
    sim_restart(process);
    run_until_opened(process, &trial);
    assert_kept(&trial, "after a crash, a start and a loss of power", first_turns);
    return true;
}

static void crash_everywhere(enum sim_crash how, uint64_t seeds)
{
    uint64_t crashes = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        for (uint64_t turns = 1;; turns++) {
            struct sim_options options = {.seed = seed, .nodes = 1, .log_level = LOG_ERROR};
            sim_faults_none(&options.faults);
            /* What is unsynced is lost, kept or torn, as the seed draws. */
            options.faults.lost_ppm = 500000;
            options.faults.torn_ppm = 200000;
            sim_close(sim);
            sim = sim_open(&options);
            if (!crash_at(turns, seed % 3 ? 0 : 1 + turns * 7 % 11, how, seed % 2))
                break;
            crashes++;
        }
    }
    ck_assert_uint_gt(crashes, 10 * seeds); /* a start takes many turns, with a certificate or without */
}

START_TEST(killed_at_any_turn_the_next_start_opens_it)
{
    crash_everywhere(SIM_KILL, 8);
}
END_TEST

START_TEST(without_power_at_any_turn_the_next_start_opens_it)
{
    crash_everywhere(SIM_POWER, 12);
}
END_TEST

/* ---- endpoints ---- */

static bool listed(struct world *world, struct scope *scope, const char *name)
{
    struct error error = {0};
    const char **names;
    size_t count;
    must(disk_list(world, scope, path, &names, &count, &error), &error);
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void endpoints_main(struct world *world, void *argument)
{
    struct error error = {0};
    struct datadir *datadir;
    struct bytes content;
    bool *done = argument;
    struct scope *scope = scope_open(world->scope, "endpoints");
    must(datadir_open(world, scope, path, &datadir, &error), &error);
    ck_assert(!listed(world, scope, "endpoints.json"));
    must(datadir_remove_endpoints(world, datadir, &error), &error);
    must(datadir_write_endpoints(world, datadir, "127.0.0.1:1", "[::1]:2", &error), &error);
    must(file_read_whole(world, scope, "data/endpoints.json", 1000, &content, &error), &error);
    ck_assert_ptr_nonnull(
        strstr((const char *)content.data, "\"sql\": \"127.0.0.1:1\", \"https\": \"[::1]:2\""));
    must(datadir_remove_endpoints(world, datadir, &error), &error);
    ck_assert(!listed(world, scope, "endpoints.json"));
    /* A start that does not end cleanly leaves them to the next. */
    must(datadir_write_endpoints(world, datadir, "127.0.0.1:1", "[::1]:2", &error), &error);
    *done = true;
    fiber_close_scope(world->scheduler, scope);
}

START_TEST(endpoints_come_and_go_and_old_ones_are_removed)
{
    for (int i = 0; i < 2; i++) {
        bool done = false;
        struct sim_process *process =
            sim_start(sim, 0,
                      &(struct sim_program){
                          .name = "endpoints", .cores = 1, .core_main = endpoints_main, .argument = &done});
        ck_assert_int_eq(sim_run(sim, 60 * SIM_SECOND, is_over, process), SIM_UNTIL);
        ck_assert(done);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("datadir");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_first_start_makes_the_directory_and_an_identity);
    tcase_add_test(tests, later_starts_find_the_same_identity);
    tcase_add_test(tests, leftovers_of_a_start_cut_short_are_no_hindrance);
    tcase_add_test(tests, a_text_of_an_identity_is_a_uuid);
    tcase_add_test(tests, a_directory_with_foreign_things_is_refused_and_left_alone);
    tcase_add_test(tests, a_directory_in_use_is_refused);
    tcase_add_test(tests, a_file_in_place_of_the_directory_is_refused);
    tcase_add_test(tests, a_newer_format_is_refused);
    tcase_add_test(tests, a_damaged_identity_is_refused);
    tcase_add_test(tests, every_single_bit_of_the_identity_is_guarded);
    tcase_add_test(tests, a_full_disk_is_told_and_leaves_nothing_wrong);
    tcase_add_test(tests, killed_at_any_turn_the_next_start_opens_it);
    tcase_add_test(tests, without_power_at_any_turn_the_next_start_opens_it);
    tcase_add_test(tests, endpoints_come_and_go_and_old_ones_are_removed);
    return unit_run(tests);
}
