/* What this machine allows: processors, memory of control groups (versions 1 and 2), meanings of error
 * numbers, and the writer of log lines. */
#include "base/linux/loop.h"
#include "base/linux/machine.h"
#include "test/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- memory of control groups ---- */

static char root[64];

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static void make_root(void)
{
    snprintf(root, sizeof root, "test_machine.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file below the root, making its directories. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(full, 0700);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static size_t group_memory(void)
{
    char membership[128], mount[128];
    snprintf(membership, sizeof membership, "%s/cgroup", root);
    snprintf(mount, sizeof mount, "%s/mount", root);
    return machine_group_memory(membership, mount);
}

START_TEST(version_2_group_limits_memory)
{
    put("cgroup", "0::/system.slice/synod.service\n");
    put("mount/system.slice/synod.service/memory.max", "1073741824\n");
    ck_assert_uint_eq(group_memory(), 1073741824);
}
END_TEST

START_TEST(an_ancestor_may_allow_less)
{
    put("cgroup", "0::/a/b/c\n");
    put("mount/a/b/c/memory.max", "max\n");
    put("mount/a/b/memory.max", "5000\n");
    put("mount/a/memory.max", "4000\n");
    put("mount/memory.max", "6000\n");
    ck_assert_uint_eq(group_memory(), 4000);
}
END_TEST

START_TEST(a_container_sees_its_own_group_as_the_root)
{
    put("cgroup", "0::/../../made/by/the/host\n");
    put("mount/memory.max", "777\n");
    ck_assert_uint_eq(group_memory(), 777);
}
END_TEST

START_TEST(version_1_group_limits_memory)
{
    put("cgroup", "11:cpu,cpuacct:/x\n9:memory:/docker/4f2a\n1:name=systemd:/y\n");
    put("mount/memory/docker/4f2a/memory.limit_in_bytes", "2000000\n");
    put("mount/memory/memory.limit_in_bytes", "9223372036854771712\n");
    ck_assert_uint_eq(group_memory(), 2000000);
}
END_TEST

START_TEST(version_1_controllers_share_a_hierarchy)
{
    put("cgroup", "9:hugetlb,memory:/g\n");
    put("mount/memory/g/memory.limit_in_bytes", "123\n");
    ck_assert_uint_eq(group_memory(), 123);
}
END_TEST

START_TEST(no_group_no_limit)
{
    ck_assert_uint_eq(group_memory(), SIZE_MAX);
    put("cgroup", "nonsense\n0::/a\n");
    put("mount/a/memory.max", "max\n");
    put("mount/memory.max", "99999999999999999999999\n");
    ck_assert_uint_eq(group_memory(), SIZE_MAX);
}
END_TEST

START_TEST(memory_and_processors_are_those_of_this_process)
{
    cpu_set_t one;
    ck_assert_uint_ge(linux_memory(), 64UL << 20);
    ck_assert_uint_ge(linux_processors(), 1);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_uint_eq(linux_processors(), 1);
}
END_TEST

/* ---- error numbers ---- */

static const struct {
    enum linux_deed deed;
    int number;
    enum sqlstate state;
} meanings[] = {
    {DEED_OPEN, ENOENT, SQLSTATE_UNDEFINED_FILE},
    {DEED_OPEN, EEXIST, SQLSTATE_DUPLICATE_FILE},
    {DEED_OPEN, EMFILE, SQLSTATE_INSUFFICIENT_RESOURCES},
    {DEED_OPEN, EACCES, SQLSTATE_SYSTEM_ERROR},
    {DEED_FILE, ENOSPC, SQLSTATE_DISK_FULL},
    {DEED_FILE, EDQUOT, SQLSTATE_DISK_FULL},
    {DEED_FILE, EIO, SQLSTATE_IO_ERROR},
    {DEED_FILE, ENOMEM, SQLSTATE_OUT_OF_MEMORY},
    {DEED_FILE, EINVAL, SQLSTATE_SYSTEM_ERROR},
    {DEED_SOCKET, EMFILE, SQLSTATE_TOO_MANY_CONNECTIONS},
    {DEED_SOCKET, ENFILE, SQLSTATE_TOO_MANY_CONNECTIONS},
    {DEED_SOCKET, EADDRINUSE, SQLSTATE_OBJECT_IN_USE},
    {DEED_SOCKET, EADDRNOTAVAIL, SQLSTATE_SYSTEM_ERROR},
    {DEED_SOCKET, ECONNREFUSED, SQLSTATE_CONNECTION_FAILURE},
    {DEED_SOCKET, ECONNRESET, SQLSTATE_CONNECTION_FAILURE},
    {DEED_SOCKET, ENOBUFS, SQLSTATE_OUT_OF_MEMORY},
};

START_TEST(error_numbers_have_their_sqlstate)
{
    struct error error;
    char message[128];
    ck_assert_int_eq(
        linux_error(&error, meanings[_i].deed, meanings[_i].number, "could not %s \"%s\"", "do", "x"),
        meanings[_i].state);
    ck_assert_int_eq(error.state, meanings[_i].state);
    snprintf(message, sizeof message, "could not do \"x\": %s", strerror(meanings[_i].number));
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), message);
    bool files = meanings[_i].number == EMFILE || meanings[_i].number == ENFILE;
    ck_assert_int_eq(error_text(&error, ERROR_HINT) != NULL, files);
}
END_TEST

/* ---- the writer of log lines ---- */

#define LINES      5000
#define LINE_BYTES 100

/* Nobody reads the pipe while lines are written: some are kept, the rest is dropped, none is torn, all are
 * accounted for, and writing them did not wait. */
START_TEST(log_lines_without_room_are_dropped_and_counted)
{
    struct scope *scope = scope_open_root("test", NULL);
    struct log_sink *sink;
    struct error error;
    int ends[2];
    static char text[LINES * LINE_BYTES + 1000];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(log_sink_open(scope, ends[1], &sink, &error), SQLSTATE_OK);
    for (int i = 0; i < LINES; i++) {
        char line[LINE_BYTES + 1];
        snprintf(line, sizeof line, "line %05d %*s", i, LINE_BYTES - 11, "\n");
        ck_assert_uint_eq(strlen(line), LINE_BYTES);
        log_sink_write(sink, line, LINE_BYTES);
    }
    pid_t closer = fork(); /* the sink is closed while the reader reads */
    ck_assert_int_ge(closer, 0);
    if (closer == 0) {
        close(ends[1]);
        size_t used = 0;
        for (ssize_t got; (got = read(ends[0], text + used, sizeof text - 1 - used)) > 0;)
            used += (size_t)got;
        unsigned long kept = 0, dropped = 0;
        int last = -1, number;
        for (char *at = text; *at; at = strchr(at, '\n') + 1) {
            char *lines = strstr(at, "lines=");
            if (sscanf(at, "line %d", &number) == 1) {
                if (number <= last)
                    _exit(1);
                last = number;
                kept++;
            } else if (strstr(at, "event=log_dropped") && lines)
                dropped += strtoul(lines + 6, NULL, 10);
            else
                _exit(2);
        }
        _exit(kept + dropped == LINES && dropped > 0 && kept > 1000 ? 0 : 3);
    }
    log_sink_close(sink);
    close(ends[1]);
    int status;
    ck_assert_int_eq(waitpid(closer, &status, 0), closer);
    ck_assert_int_eq(status, 0);
    close(ends[0]);
    scope_close(scope);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("machine");
    tcase_add_checked_fixture(tests, make_root, remove_root);
    tcase_add_test(tests, version_2_group_limits_memory);
    tcase_add_test(tests, an_ancestor_may_allow_less);
    tcase_add_test(tests, a_container_sees_its_own_group_as_the_root);
    tcase_add_test(tests, version_1_group_limits_memory);
    tcase_add_test(tests, version_1_controllers_share_a_hierarchy);
    tcase_add_test(tests, no_group_no_limit);
    tcase_add_test(tests, memory_and_processors_are_those_of_this_process);
    tcase_add_loop_test(tests, error_numbers_have_their_sqlstate, 0,
                        (int)(sizeof meanings / sizeof *meanings));
    tcase_add_test(tests, log_lines_without_room_are_dropped_and_counted);
    return unit_run(tests);
}
