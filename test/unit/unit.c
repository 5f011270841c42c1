/* What unit tests share beside Check. */
#include "test/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int unit_run(TCase *tests)
{
    /* Far more than any test needs, for a loaded machine with sanitizers: it only ends what hangs. */
    tcase_set_timeout(tests, 120);
    Suite *suite = suite_create(program_invocation_short_name);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int unit_run_apart(void (*run)(void *argument), void *argument, char *said, size_t room)
{
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* dying is the point */
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        run(argument);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    size_t used = 0;
    char piece[4096];
    for (ssize_t got; (got = read(ends[0], piece, sizeof piece)) > 0;) {
        size_t kept = (size_t)got < room - 1 - used ? (size_t)got : room - 1 - used;
        memcpy(said + used, piece, kept);
        used += kept;
    }
    said[used] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

bool unit_check_fails(void (*run)(void *argument), void *argument, const char *words)
{
    char said[8192];
    int status = unit_run_apart(run, argument, said, sizeof said);
    bool failed = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, "check failed: ") &&
                  strstr(said, words);
    if (!failed)
        printf("expected a failed check that says \"%s\"; status %d, it said: %s\n", words, status, said);
    return failed;
}

uint64_t unit_seed(void)
{
    const char *given = getenv("SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t state = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    uint64_t seed = given ? strtoull(given, NULL, 0) : unit_random(&state) >> 32;
    printf("SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

uint64_t unit_random(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
}

uint64_t unit_random_below(uint64_t *state, uint64_t bound)
{
    return unit_random(state) % bound;
}
