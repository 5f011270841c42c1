/* sim: plays workloads from seeds.
 *
 *     sim --seed 7                          all workloads, each twice; the hashes must be the same
 *     sim --seed 7 --workload disk --trace  one of them, every event as a line
 *     sim --seeds 1..1000 --jobs 2          many; each in a process of its own, so that a crash of the
 * program itself is one failed seed sim --workload disk --crash-at-every 1    crashes at every turn of the
 * fibers, one play for each
 *
 * A failing play prints the command that repeats it. The exit status is 1 when one failed, 2 for a command
 * line that makes no sense. */
#include "test/sim/workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct command {
    const char *program;
    uint64_t first, last; /* seeds */
    bool many;            /* --seeds */
    const char *workload; /* NULL or "all" */
    bool trace;
    bool once; /* not twice */
    bool broken;
    uint64_t crash_at_every; /* 0 = no */
    uint64_t crash_at_every_write;
    uint64_t crash_from; /* the first of them is so much later */
    uint32_t jobs;
    struct play_options options; /* for all plays */
};

static const char usage[] =
    "usage: sim [--seed N | --seeds A..B] [--workload NAME] [options]\n"
    "  --workload NAME     one workload; \"all\" (the default) are those that are not broken on purpose\n"
    "  --list              the workloads\n"
    "  --trace             every event as a line on standard output (implies --once)\n"
    "  --log               the programs' own log lines from debug up, in the trace\n"
    "  --once              do not play each seed twice to compare the hashes\n"
    "  --peace             no faults\n"
    "  --crash-at N        no other faults, but a crash at the N-th turn of the target's fibers\n"
    "  --crash-at-every N  plays with a crash at turn N, 2N, 3N ... until the workload ends before\n"
    "  --crash-at-write N, --crash-at-every-write N\n"
    "                      the same for changes on the disk, at the end of each; every one in three ways: "
    "the process is\n"
    "                      killed, power is lost with all that was not synced, or with some of it and then "
    "once more\n"
    "  --crash-from N      the first of those N later\n"
    "  --crash-again N     and once more, N writes later\n"
    "  --kill              those crashes kill the process; without it, the machine loses power\n"
    "  --lose-all          a loss of power takes all that was not synced\n"
    "  --limit MS          virtual milliseconds under faults\n"
    "  --jobs N            processes at a time, with --seeds\n";

/* ---- one play ---- */

static void write_trace(void *argument, const char *line, size_t bytes)
{
    fwrite(line, 1, bytes, argument);
}

static void print_replay(const struct command *command, const struct workload *workload,
                         const struct play_options *options)
{
    printf("  replay: %s --seed %" PRIu64 " --workload %s", command->program, options->seed, workload->name);
    if (options->peace)
        printf(" --peace");
    if (options->crash_at)
        printf(" --crash-at %" PRIu64 "%s", options->crash_at,
               options->crash_how == SIM_KILL ? " --kill" : "");
    if (options->crash_at_write)
        printf(" --crash-at-write %" PRIu64 "%s", options->crash_at_write,
               options->crash_how == SIM_KILL ? " --kill" : "");
    if (options->crash_again)
        printf(" --crash-again %" PRIu64, options->crash_again);
    if (options->lose_all)
        printf(" --lose-all");
    if (options->limit_ns)
        printf(" --limit %llu", (unsigned long long)(options->limit_ns / SIM_MILLISECOND));
    printf(" --trace\n");
}

static bool play_and_compare(const struct command *command, const struct workload *workload,
                             const struct play_options *options, struct play_result *result)
{
    struct play_result again;
    play(workload, options, result);
    if (!result->failed && !command->once && !command->trace) {
        play(workload, options, &again);
        if (memcmp(result->totals.hash, again.totals.hash, sizeof again.totals.hash)) {
            result->failed = true;
            snprintf(result->words, sizeof result->words,
                     "the same seed gave another trace: something outside of the world was asked");
        }
    }
    if (result->failed) {
        printf("FAILED %s, seed %" PRIu64 ": %s\n", workload->name, options->seed, result->words);
        print_replay(command, workload, options);
    }
    return !result->failed;
}

static void print_result(const struct workload *workload, uint64_t seed, const struct play_result *result)
{
    const struct sim_totals *totals = &result->totals;
    printf("%-20s seed %-6" PRIu64 " %016" PRIx64 "%016" PRIx64 " %8" PRIu64 " events %7.3f s virtual",
           workload->name, seed, totals->hash[0], totals->hash[1], totals->events,
           (double)result->virtual_ns / 1e9);
    printf("  %" PRIu64 " crashes (%" PRIu64 " of power), %" PRIu64 " resets, %" PRIu64 " partitions\n",
           totals->crashes, totals->power_losses, totals->resets, totals->partitions);
}

/* ---- one seed ---- */

static bool chosen(const struct command *command, const struct workload *workload)
{
    if (command->workload && strcmp(command->workload, "all"))
        return !strcmp(command->workload, workload->name);
    return workload->broken == command->broken;
}

/* Plays the chosen workloads; gives how many failed and adds up the events. */
static uint32_t play_seed(const struct command *command, uint64_t seed, uint64_t *events)
{
    uint32_t failed = 0;
    for (uint32_t i = 0; workloads[i]; i++) {
        for (const struct workload *workload = workloads[i]; workload->name; workload++) {
            struct play_options options = command->options;
            struct play_result result;
            if (!chosen(command, workload))
                continue;
            options.seed = seed;
            failed += !play_and_compare(command, workload, &options, &result);
            *events += result.totals.events * (command->once || command->trace ? 1 : 2);
            if (!command->many)
                print_result(workload, seed, &result);
        }
    }
    return failed;
}

/* ---- crashes at every place ---- */

/* Plays in a process of its own, whose end, too, is a finding. */
static bool play_apart(const struct command *command, const struct workload *workload,
                       const struct play_options *options, struct play_result *result)
{
    int ends[2], status = 0;
    fflush(stdout);
    if (pipe(ends)) {
        perror("pipe");
        exit(2);
    }
    pid_t process = fork();
    if (process == 0) {
        close(ends[0]);
        bool right = play_and_compare(command, workload, options, result);
        bool written = write(ends[1], result, sizeof *result) == sizeof *result;
        fflush(stdout);
        _exit(!right || !written);
    }
    close(ends[1]);
    ssize_t got = process < 0 ? 0 : read(ends[0], result, sizeof *result);
    close(ends[0]);
    while (waitpid(process, &status, 0) < 0 && errno == EINTR)
        ;
    if (got == sizeof *result && WIFEXITED(status))
        return WEXITSTATUS(status) == 0;
    *result = (struct play_result){.failed = true, .crashed = true};
    printf("FAILED %s, seed %" PRIu64 ": the program itself stopped (status %d)\n", workload->name,
           options->seed, status);
    print_replay(command, workload, options);
    return false;
}

/* Crashes at turn N, 2N, ... of the target's fibers. */
static uint32_t crash_at_every(const struct command *command, const struct workload *workload, uint64_t seed)
{
    uint32_t failed = 0, plays = 0;
    struct play_result result = {.crashed = true};
    for (uint64_t turn = command->crash_from + command->crash_at_every; result.crashed && failed <= 10;
         turn += command->crash_at_every, plays++) {
        struct play_options options = command->options;
        options.seed = seed;
        options.crash_at = turn;
        failed += !play_apart(command, workload, &options, &result);
    }
    printf("%s, seed %" PRIu64 ": %u plays, a crash at every %" PRIu64 ". turn, %u failed\n", workload->name,
           seed, plays, command->crash_at_every, failed);
    return failed;
}

/* The same for what changes the disk, in three ways. How far behind the first crash the second one comes is another for each
 * place, so that it meets all of the recovery. */
static uint32_t crash_at_every_write(const struct command *command, const struct workload *workload,
                                     uint64_t seed)
{
    uint32_t failed = 0, plays = 0;
    struct play_result result = {.crashed = true};
    for (uint64_t at = command->crash_from + command->crash_at_every_write; result.crashed && failed <= 10;
         at += command->crash_at_every_write) {
        for (int way = 0; way < 3; way++, plays++) {
            struct play_options options = command->options;
            options.seed = seed;
            options.crash_at_write = at;
            options.crash_how = way == 0 ? SIM_KILL : SIM_POWER;
            options.lose_all = way == 1;
            options.crash_again = way == 2 ? 1 + at * 7 % 41 : 0;
            failed += !play_apart(command, workload, &options, &result);
        }
    }
    printf("%s, seed %" PRIu64 ": %u plays, crashes at every %" PRIu64 ". write, %u failed\n", workload->name,
           seed, plays, command->crash_at_every_write, failed);
    return failed;
}

/* For all chosen workloads and seeds. */
static uint32_t crash_everywhere(const struct command *command)
{
    uint32_t failed = 0;
    for (uint64_t seed = command->first; seed <= command->last; seed++) {
        const struct workload *workload = workload_find(command->workload);
        failed += command->crash_at_every ? crash_at_every(command, workload, seed)
                                          : crash_at_every_write(command, workload, seed);
    }
    return failed;
}

/* ---- many seeds ---- */

/* What a job says at its end. */
struct report {
    uint32_t failed;
    uint64_t events;
};

struct job {
    pid_t process;
    uint64_t seed;
    int pipe;
};

static void job_start(const struct command *command, struct job *job, uint64_t seed)
{
    int ends[2];
    fflush(stdout);
    if (pipe(ends)) {
        perror("pipe");
        exit(2);
    }
    *job = (struct job){.process = fork(), .seed = seed, .pipe = ends[0]};
    if (job->process < 0) {
        perror("fork");
        exit(2);
    }
    if (job->process) {
        close(ends[1]);
        return;
    }
    struct report report = {0};
    close(ends[0]);
    report.failed = play_seed(command, seed, &report.events);
    bool written = write(ends[1], &report, sizeof report) == sizeof report;
    fflush(stdout);
    _exit(!written);
}

/* Waits for a job; gives how many plays of it failed. */
static uint32_t job_end(const struct command *command, struct job *job, uint64_t *events)
{
    struct report report = {0};
    int status = 0;
    ssize_t got = read(job->pipe, &report, sizeof report);
    close(job->pipe);
    while (waitpid(job->process, &status, 0) < 0 && errno == EINTR)
        ;
    job->process = 0;
    *events += report.events;
    if (got == sizeof report && WIFEXITED(status) && !WEXITSTATUS(status))
        return report.failed;
    printf("FAILED seed %" PRIu64 ": the program itself stopped (status %d)\n  replay: %s --seed %" PRIu64
           "%s%s\n",
           job->seed, status, command->program, job->seed, command->workload ? " --workload " : "",
           command->workload ? command->workload : "");
    return 1;
}

static uint32_t play_seeds(const struct command *command)
{
    struct job jobs[64] = {0};
    uint32_t failed = 0;
    uint64_t events = 0, seeds = command->last - command->first + 1;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (uint64_t i = 0; i < seeds + command->jobs; i++) {
        struct job *job = &jobs[i % command->jobs];
        if (job->process)
            failed += job_end(command, job, &events);
        if (i < seeds)
            job_start(command, job, command->first + i);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double took = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("%" PRIu64 " seeds, %u plays failed, %" PRIu64 " events in %.1f s\n", seeds, failed, events, took);
    return failed;
}

/* ---- the command line ---- */

static _Noreturn void refuse(const char *sentence, const char *word)
{
    fprintf(stderr, "sim: %s%s\n%s", sentence, word, usage);
    exit(2);
}

static uint64_t number_of(const char *option, const char *text)
{
    char *end;
    errno = 0;
    uint64_t number = text ? strtoull(text, &end, 10) : 0;
    if (!text || errno || end == text || *end || *text == '-')
        refuse("a number is wanted by ", option);
    return number;
}

static void read_seeds(struct command *command, const char *text)
{
    char first[32];
    const char *dots = text ? strstr(text, "..") : NULL;
    if (!dots || (size_t)(dots - text) >= sizeof first)
        refuse("A..B is wanted by ", "--seeds");
    snprintf(first, sizeof first, "%.*s", (int)(dots - text), text);
    command->first = number_of("--seeds", first);
    command->last = number_of("--seeds", dots + 2);
    command->many = true;
    if (command->last < command->first)
        refuse("no seed lies in ", text);
}

static _Noreturn void list_workloads(void)
{
    for (uint32_t i = 0; workloads[i]; i++)
        for (const struct workload *workload = workloads[i]; workload->name; workload++)
            printf("%-22s %s%s\n", workload->name, workload->broken ? "(broken) " : "", workload->summary);
    exit(0);
}

/* Options with a value; false when it is none of them. */
static bool read_valued(struct command *command, const char *option, const char *value)
{
    if (!strcmp(option, "--seed"))
        command->first = command->last = number_of(option, value);
    else if (!strcmp(option, "--seeds"))
        read_seeds(command, value);
    else if (!strcmp(option, "--workload"))
        command->workload = value;
    else if (!strcmp(option, "--crash-at"))
        command->options.crash_at = number_of(option, value);
    else if (!strcmp(option, "--crash-at-every"))
        command->crash_at_every = number_of(option, value);
    else if (!strcmp(option, "--crash-at-write"))
        command->options.crash_at_write = number_of(option, value);
    else if (!strcmp(option, "--crash-at-every-write"))
        command->crash_at_every_write = number_of(option, value);
    else if (!strcmp(option, "--crash-again"))
        command->options.crash_again = number_of(option, value);
    else if (!strcmp(option, "--crash-from"))
        command->crash_from = number_of(option, value);
    else if (!strcmp(option, "--limit"))
        command->options.limit_ns = number_of(option, value) * SIM_MILLISECOND;
    else if (!strcmp(option, "--jobs"))
        command->jobs = (uint32_t)number_of(option, value);
    else
        return false;
    return true;
}

static bool read_flag(struct command *command, const char *option)
{
    if (!strcmp(option, "--list"))
        list_workloads();
    else if (!strcmp(option, "--trace"))
        command->trace = true;
    else if (!strcmp(option, "--log"))
        command->options.log_level = LOG_DEBUG;
    else if (!strcmp(option, "--once"))
        command->once = true;
    else if (!strcmp(option, "--peace"))
        command->options.peace = true;
    else if (!strcmp(option, "--kill"))
        command->options.crash_how = SIM_KILL;
    else if (!strcmp(option, "--lose-all"))
        command->options.lose_all = true;
    else if (!strcmp(option, "--broken"))
        command->broken = true;
    else
        return false;
    return true;
}

static void read_command(struct command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (read_flag(command, argv[i]))
            continue;
        if (!read_valued(command, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            refuse("unknown option ", argv[i]);
        i++;
    }
    if (command->workload && strcmp(command->workload, "all") && !workload_find(command->workload))
        refuse("unknown workload ", command->workload);
    if (command->jobs < 1 || command->jobs > 64)
        refuse("1 to 64 are wanted by ", "--jobs");
    if ((command->crash_at_every || command->crash_at_every_write) &&
        (!command->workload || !workload_find(command->workload)))
        refuse("a workload is wanted by ", "--crash-at-every");
    if (command->trace) {
        command->options.trace = write_trace;
        command->options.trace_argument = stdout;
    }
}

int main(int argc, char **argv)
{
    struct command command = {.program = argv[0],
                              .first = 1,
                              .last = 1,
                              .jobs = 1,
                              .options = {.crash_how = SIM_POWER, .log_level = LOG_INFO}};
    uint64_t events = 0;
    uint32_t failed;
    read_command(&command, argc, argv);
    if (command.crash_at_every || command.crash_at_every_write)
        failed = crash_everywhere(&command);
    else if (command.many)
        failed = play_seeds(&command);
    else
        failed = play_seed(&command, command.first, &events);
    return failed ? 1 : 0;
}
