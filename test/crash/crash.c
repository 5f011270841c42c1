/* Kills a loaded process again and again, and judges what it did and what is left.
 *
 *     crash [--rounds N] [--cores N] [--directory PATH] [--classic] [--fill BYTES | --fail]
 *
 * Each round starts the process over what the last one left, lets it work for a while, and kills it with SIGKILL: sometimes
 * before it has recovered. In the end everything is looked at, and a witness who was told of every deed decides.
 *
 *     --fill BYTES   between kills the file system, which must be a small one of its own, is filled up to BYTES for a while;
 *                    the process must go on when there is room again
 *     --fail         instead of being killed, the process gets EIO for every write and sync from some moment on, and must stop
 *                    by itself */
#include "test/crash/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND 1000000L
/* Longer than anything right takes on a busy machine. */
#define PATIENCE_MS 120000

struct crash {
    struct load load;
    char directory[400];
    uint32_t rounds;
    uint64_t fill; /* bytes to be left free; 0 = no filling */
    bool fails;
    uint64_t random;
};

static struct diary *diary; /* for fails_now(), which the library's calls ask */

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "crash: %s\n", what);
    exit(EXIT_FAILURE);
}

static void sleep_ms(uint64_t ms)
{
    struct timespec rest = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * MILLISECOND};
    while (nanosleep(&rest, &rest) && errno == EINTR)
        ;
}

static uint64_t below(struct crash *crash, uint64_t bound)
{
    crash->random = crash->random * 6364136223846793005u + 1442695040888963407u;
    return (crash->random >> 33) % bound;
}

/* ---- a disk that fails: these take the place of the library's ---- */

ssize_t __real_pwrite64(int file, const void *data, size_t bytes, off_t offset);
ssize_t __real_pwritev64(int file, const void *pieces, int count, off_t offset);
int __real_fdatasync(int file);
ssize_t __wrap_pwrite64(int file, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_pwritev64(int file, const void *pieces, int count, off_t offset);
int __wrap_fdatasync(int file);

static bool fails_now(void)
{
    if (!diary || !__atomic_load_n(&diary->fails, __ATOMIC_ACQUIRE))
        return false;
    errno = EIO;
    return true;
}

ssize_t __wrap_pwrite64(int file, const void *data, size_t bytes, off_t offset)
{
    return fails_now() ? -1 : __real_pwrite64(file, data, bytes, offset);
}

ssize_t __wrap_pwritev64(int file, const void *pieces, int count, off_t offset)
{
    return fails_now() ? -1 : __real_pwritev64(file, pieces, count, offset);
}

int __wrap_fdatasync(int file)
{
    return fails_now() ? -1 : __real_fdatasync(file);
}

/* ---- the process ---- */

static pid_t start(struct crash *crash)
{
    diary->ready = 0;
    pid_t child = fork();
    if (child < 0)
        fail("no process can be had");
    if (child == 0)
        _exit(load_run(&crash->load));
    return child;
}

/* Whether the process has ended; its status then. */
static bool has_ended(pid_t child, int *status)
{
    return waitpid(child, status, WNOHANG) == child;
}

static void check_broken(void)
{
    if (diary->broken)
        fail(diary->words);
}

/* Waits until clients are at work. A process that ends before says why, or was allowed to. */
static bool wait_ready(pid_t child)
{
    int status;
    for (uint64_t waited = 0; !__atomic_load_n(&diary->ready, __ATOMIC_ACQUIRE); waited++) {
        if (has_ended(child, &status)) {
            check_broken();
            if (!WIFEXITED(status))
                fail("the process was stopped by a signal");
            return false;
        }
        if (waited > PATIENCE_MS)
            fail("the process does not get ready");
        sleep_ms(1);
    }
    return true;
}

static void wait_end(pid_t child)
{
    int status;
    for (uint64_t waited = 0; !has_ended(child, &status); waited++) {
        if (waited > PATIENCE_MS)
            fail("the process does not end");
        sleep_ms(1);
    }
    check_broken();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
        fail("the process did not end well");
}

static void kill_it(pid_t child)
{
    int status;
    if (kill(child, SIGKILL) || waitpid(child, &status, 0) != child)
        fail("the process cannot be killed");
    check_broken();
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail("the process ended before it was killed");
}

/* ---- a full disk ---- */

static uint64_t room_left(const struct crash *crash)
{
    struct statvfs figures;
    if (statvfs(crash->directory, &figures))
        fail("the file system does not tell its room");
    return (uint64_t)figures.f_bavail * figures.f_frsize;
}

static void ballast_path(const struct crash *crash, char path[500])
{
    snprintf(path, 500, "%s/ballast", crash->directory);
}

static void fill_up(struct crash *crash)
{
    static const char zeros[64 << 10];
    char path[500];
    ballast_path(crash, path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0)
        fail("no ballast");
    while (room_left(crash) > crash->fill + sizeof zeros && write(file, zeros, sizeof zeros) > 0)
        ;
    close(file);
}

static void make_room(struct crash *crash)
{
    char path[500];
    ballast_path(crash, path);
    if (unlink(path))
        fail("the ballast cannot be thrown off");
}

/* Fills the disk, lets the process live on what it has, makes room: then commits must come about again. */
static void play_full(struct crash *crash)
{
    fill_up(crash);
    sleep_ms(300 + below(crash, 500));
    make_room(crash);
    uint64_t before = __atomic_load_n(&diary->commits, __ATOMIC_RELAXED);
    for (uint64_t waited = 0; __atomic_load_n(&diary->commits, __ATOMIC_RELAXED) < before + 10; waited++) {
        check_broken();
        if (waited > PATIENCE_MS)
            fail("there is room again, and nothing is committed");
        sleep_ms(1);
    }
}

/* ---- rounds ---- */

static void play_round(struct crash *crash)
{
    pid_t child = start(crash);
    if (!crash->fails && !crash->fill && below(crash, 5) == 0) {
        sleep_ms(below(crash, 40)); /* perhaps before it has recovered */
        kill_it(child);
        return;
    }
    if (!wait_ready(child))
        fail("the process has ended without being asked to");
    sleep_ms(30 + below(crash, 300));
    if (crash->fill)
        play_full(crash);
    if (!crash->fails) {
        kill_it(child);
        return;
    }
    __atomic_store_n(&diary->fails, 1, __ATOMIC_RELEASE);
    wait_end(child);
    diary->fails = 0;
}

static void remove_all(const char *path)
{
    DIR *directory = opendir(path);
    for (const struct dirent *entry; directory && (entry = readdir(directory));) {
        char inner[800];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR)
            remove_all(inner);
        else
            unlink(inner);
    }
    if (directory)
        closedir(directory);
    rmdir(path);
}

static void parse(struct crash *crash, int count, char **words)
{
    const char *parent = "/var/tmp";
    for (int i = 1; i < count; i++) {
        bool more = i + 1 < count;
        if (!strcmp(words[i], "--rounds") && more)
            crash->rounds = (uint32_t)strtoul(words[++i], NULL, 10);
        else if (!strcmp(words[i], "--cores") && more)
            crash->load.cores = (uint32_t)strtoul(words[++i], NULL, 10);
        else if (!strcmp(words[i], "--directory") && more)
            parent = words[++i];
        else if (!strcmp(words[i], "--fill") && more)
            crash->fill = strtoull(words[++i], NULL, 10);
        else if (!strcmp(words[i], "--classic"))
            crash->load.io = LINUX_IO_CLASSIC;
        else if (!strcmp(words[i], "--fail"))
            crash->fails = true;
        else
            fail("unknown option");
    }
    snprintf(crash->directory, sizeof crash->directory, "%s/crash-XXXXXX", parent);
}

int main(int count, char **words)
{
    struct crash crash = {.rounds = 5, .load = {.cores = 2, .clients = 8}};
    char verdict[700];
    parse(&crash, count, words);
    if (!mkdtemp(crash.directory))
        fail("no directory can be made");
    char data[500];
    snprintf(data, sizeof data, "%s/data", crash.directory);
    crash.random = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    diary = diary_open();
    if (!diary)
        fail("no memory for a diary");
    crash.load.directory = data;
    crash.load.diary = diary;
    crash.load.faults = crash.fails || crash.fill;
    if (crash.fails) { /* the calls that can be made to fail */
        crash.load.io = LINUX_IO_CLASSIC;
        crash.load.flush = LINUX_FLUSH_THREAD;
    }
    for (uint32_t round = 0; round < crash.rounds; round++)
        play_round(&crash);
    uint64_t commits = diary->commits;
    diary->looks = 1;
    crash.load.faults = false;
    wait_end(start(&crash));
    bool right = diary_judge(diary, LOAD_KEYS, verdict, sizeof verdict);
    printf("%u rounds, %lu commits, %lu lines%s%s\n", crash.rounds, commits, diary->count, right ? "" : ": ",
           verdict);
    if (!right) {
        fprintf(stderr, "what is left lies in %s\n", crash.directory);
        return EXIT_FAILURE;
    }
    remove_all(crash.directory);
    return commits ? EXIT_SUCCESS : EXIT_FAILURE;
}
