/* linux_run: a node on this machine. Checks limits, chooses the backend, starts a thread per core, listens to
 * signals, joins, tears down.
 *
 *     caller's thread:  limits -> shared things -> threads -> [signals, ends of cores] -> join -> tear down
 *     core's thread:               open -> (all opened?) -> run the world -> close -> end
 *
 * No core runs anything before all have opened, so a failure to open is a failure to start. SIGTERM and
 * SIGINT (and SIGHUP, where somebody wants to know of it) are blocked everywhere and read from a descriptor by the
 * calling thread; the first of the two asks all cores to stop, the second ends the process at once (what is durable
 * is durable). A core's thread has an alternate
 * stack, so that the report on a stack that overflowed has room; the address of its core is kept at the
 * bottom of that stack, which is how the signal's action finds it without a global variable. */
#include "base/linux/limits.h"
#include "base/linux/loop.h"

#include "base/check.h"
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <ucontext.h>
#include <unistd.h>

/* Stack of the report on a bad memory access: backtrace() may load a library to unwind. */
#define REPORT_STACK_BYTES (64 * 1024)
/* How far from the stack pointer an access to a guard page may lie: the frame of one function. */
#define REPORT_FRAME_BYTES (64 * 1024)

/* What linux_run() keeps beside the node. */
struct run {
    struct linux_node *node;
    void (*core_main)(struct world *world, void *argument);
    void *argument;
    int ended;   /* eventfd: a one for each core's thread that is about to end */
    int signals; /* signalfd, -1 = not caught */
    sigset_t mask_before;
    struct sigaction pipe_before, segment_before, bus_before;

    pthread_mutex_t mutex; /* of what follows: the start */
    pthread_cond_t changed;
    uint32_t opened;     /* cores that tried to open */
    bool decided;        /* all have opened, or one has failed */
    struct error failed; /* the first failure of a core */
};

struct core_call {
    struct run *run;
    struct linux_core *core;
};

/* ---- signals ---- */

static void append(char *text, size_t size, size_t *used, const char *more)
{
    while (*more && *used + 1 < size)
        text[(*used)++] = *more++;
}

static void append_number(char *text, size_t size, size_t *used, uintptr_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do
        digits[--at] = "0123456789abcdef"[number % base];
    while (number /= base);
    append(text, size, used, digits + at);
}

/* A bad memory access of a core. Prints what is known and stops; nothing that may allocate or lock, beside
 * what the backtrace itself needs. */
static void report_bad_access(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    char text[512], build[CHECK_BUILD_ID_BYTES];
    size_t used = 0;
    uintptr_t address = (uintptr_t)info->si_addr;
#if defined(__x86_64__)
    uintptr_t stack = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    uintptr_t stack = (uintptr_t)interrupted->uc_mcontext.sp;
#endif
    struct linux_core *core = NULL;
    if (!(interrupted->uc_stack.ss_flags & SS_DISABLE) && interrupted->uc_stack.ss_sp)
        core = *(struct linux_core **)interrupted->uc_stack.ss_sp;
    if (core && core->running)
        core = core->running;
    struct fiber *fiber = core ? fiber_running(core->world.scheduler) : NULL;
    bool near = address + REPORT_FRAME_BYTES > stack && address < stack + REPORT_FRAME_BYTES;
    append(text, sizeof text, &used,
           number == SIGBUS ? "fatal: bus error"
           : near && fiber  ? "fatal: stack overflow"
                            : "fatal: invalid memory access");
    append(text, sizeof text, &used, " at 0x");
    append_number(text, sizeof text, &used, address, 16);
    if (fiber) {
        append(text, sizeof text, &used, " in fiber \"");
        append(text, sizeof text, &used, fiber_name(fiber));
        append(text, sizeof text, &used, "\"");
    }
    if (core) {
        append(text, sizeof text, &used, " of core ");
        append_number(text, sizeof text, &used, core->world.core, 10);
    }
    append(text, sizeof text, &used, ", build ");
    check_build_id(build);
    append(text, sizeof text, &used, build);
    append(text, sizeof text, &used, "\n");
    system_write_error(text, used);
    system_write_backtrace();
    system_stop();
}

static enum sqlstate signals_open(struct run *run, struct error *error)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    if (run->node->options.hangup)
        sigaddset(&mask, SIGHUP);
    run->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signals < 0)
        return linux_error(error, DEED_OTHER, errno, "could not open a descriptor for signals");
    pthread_sigmask(SIG_BLOCK, &mask, &run->mask_before);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction report = {.sa_sigaction = report_bad_access, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGPIPE, &ignore, &run->pipe_before);
    sigaction(SIGSEGV, &report, &run->segment_before);
    sigaction(SIGBUS, &report, &run->bus_before);
    return SQLSTATE_OK;
}

static void signals_close(struct run *run)
{
    if (run->signals < 0)
        return;
    sigaction(SIGPIPE, &run->pipe_before, NULL);
    sigaction(SIGSEGV, &run->segment_before, NULL);
    sigaction(SIGBUS, &run->bus_before, NULL);
    close(run->signals);
    pthread_sigmask(SIG_SETMASK, &run->mask_before, NULL);
}

/* Waits until all cores' threads are about to end, obeying signals meanwhile. */
static void wait_for_end(struct run *run, uint32_t threads)
{
    struct pollfd watched[2] = {{.fd = run->ended, .events = POLLIN}, {.fd = run->signals, .events = POLLIN}};
    uint32_t ended = 0, received = 0;
    while (ended < threads) {
        poll(watched, 2, -1); /* EINTR: both reads find nothing */
        uint64_t more;
        if (read(run->ended, &more, sizeof more) == sizeof more)
            ended += (uint32_t)more;
        struct signalfd_siginfo signal;
        while (run->signals >= 0 && read(run->signals, &signal, sizeof signal) == sizeof signal) {
            if (signal.ssi_signo == SIGHUP) {
                atomic_store(&run->node->hangup_asked, true);
                linux_wake(run->node->core[0]);
                continue;
            }
            if (++received > 1)
                _exit(128 + (int)signal.ssi_signo);
            linux_stop(run->node);
        }
    }
}

/* ---- a core's thread ---- */

static void pin(uint32_t index)
{
    cpu_set_t may, one;
    if (sched_getaffinity(0, sizeof may, &may))
        return;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &may) || index-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        return;
    }
}

/* Says how opening went and waits until it is decided whether all run; true when they do. */
static bool opened_all(struct run *run, enum sqlstate failed, const struct error *error)
{
    pthread_mutex_lock(&run->mutex);
    if (failed && !run->failed.state)
        run->failed = *error;
    if (++run->opened == run->node->options.cores)
        run->decided = true;
    pthread_cond_broadcast(&run->changed);
    while (!run->decided)
        pthread_cond_wait(&run->changed, &run->mutex);
    bool all = !run->failed.state;
    pthread_mutex_unlock(&run->mutex);
    return all;
}

static void *core_thread(void *argument)
{
    struct core_call *call = argument;
    struct run *run = call->run;
    struct linux_core *core = call->core;
    struct error error = {0};
    stack_t report_stack = {.ss_sp = system_pages_map(REPORT_STACK_BYTES, false),
                            .ss_size = REPORT_STACK_BYTES};
    if (report_stack.ss_sp) {
        *(struct linux_core **)report_stack.ss_sp = core;
        sigaltstack(&report_stack, NULL);
    }
    if (run->node->options.pin)
        pin(core->world.core);
    enum sqlstate failed = linux_core_open(core, &error);
    if (opened_all(run, failed, &error)) {
        failed = linux_core_run(core, run->core_main, run->argument, &error);
        pthread_mutex_lock(&run->mutex);
        if (failed && !run->failed.state)
            run->failed = error;
        pthread_mutex_unlock(&run->mutex);
    }
    linux_core_close(core);
    if (report_stack.ss_sp) {
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
        system_pages_unmap(report_stack.ss_sp, REPORT_STACK_BYTES);
    }
    uint64_t one = 1;
    ssize_t written = write(run->ended, &one, sizeof one);
    check(written == sizeof one, "saying that core %u has ended", core->world.core);
    return NULL;
}

/* ---- the node ---- */

static enum sqlstate cores_prepare(struct linux_node *node, struct error *error)
{
    uint32_t cores = node->options.cores;
    for (uint32_t i = 0; i < cores; i++) {
        void *memory;
        enum sqlstate failed = scope_alloc_large(node->scope, sizeof *node->core[i], 64, &memory, error);
        if (failed)
            return failed;
        struct linux_core *core = memory;
        memset(core, 0, sizeof *core);
        node->core[i] = core;
        core->node = node;
        core->backend = node->backend;
        core->world.core = i;
        core->world.cores = cores;
        core->budget.limit = node->options.memory_bytes ? node->options.memory_bytes / cores : SIZE_MAX;
        core->wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        core->reserve_descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (core->wake_descriptor < 0 || core->reserve_descriptor < 0)
            return linux_error(error, DEED_OPEN, errno, "could not open a descriptor of core %u", i);
    }
    return SQLSTATE_OK;
}

static void cores_forget(struct linux_node *node)
{
    for (uint32_t i = 0; i < node->options.cores && node->core[i]; i++) {
        if (node->core[i]->wake_descriptor >= 0)
            close(node->core[i]->wake_descriptor);
        if (node->core[i]->reserve_descriptor >= 0)
            close(node->core[i]->reserve_descriptor);
    }
}

/* Opens what the cores share. What it has opened when it fails, node_close() closes. */
static enum sqlstate node_open(struct linux_node *node, struct error *error)
{
    enum sqlstate failed = mail_room_open(node->scope, node->options.cores, &node->mail_room, error);
    if (failed)
        return failed;
    failed = cores_prepare(node, error);
    if (failed)
        return failed;
    failed = log_sink_open(node->scope, STDERR_FILENO, &node->log_sink, error);
    if (failed)
        return failed;
    failed = linux_workers_open(node, error);
    if (failed)
        return failed;
    return linux_flush_open(node, error);
}

static void node_close(struct linux_node *node)
{
    if (node->flushers)
        linux_flush_close(node);
    if (node->workers)
        linux_workers_close(node);
    if (node->log_sink)
        log_sink_close(node->log_sink);
    cores_forget(node);
    scope_close(node->scope);
}

/* Starts the threads and waits for their end. A thread the system does not give counts as a core that failed
 * to open. */
static void run_cores(struct run *run)
{
    struct linux_node *node = run->node;
    uint32_t cores = node->options.cores, started = 0;
    struct core_call *calls = scope_alloc(node->scope, cores * sizeof *calls);
    for (; started < cores; started++) {
        calls[started] = (struct core_call){run, node->core[started]};
        int number = pthread_create(&node->core[started]->thread, NULL, core_thread, &calls[started]);
        if (number) {
            pthread_mutex_lock(&run->mutex);
            run->decided = linux_error(&run->failed, DEED_OTHER, number,
                                       "could not start the thread of core %u", started) != SQLSTATE_OK;
            pthread_cond_broadcast(&run->changed);
            pthread_mutex_unlock(&run->mutex);
            break;
        }
        char name[16];
        snprintf(name, sizeof name, "synod-core-%u", started);
        pthread_setname_np(node->core[started]->thread, name);
    }
    wait_for_end(run, started);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(node->core[i]->thread, NULL);
}

/* Chooses how cores talk to the kernel. */
static enum sqlstate choose_backend(struct linux_node *node, struct error *error)
{
    node->backend = &linux_backend_classic;
    if (node->options.io == LINUX_IO_CLASSIC)
        return SQLSTATE_OK;
    enum sqlstate failed = linux_uring_probe(node->options.cores, node->tuning.features_off, error);
    if (failed && (node->options.io == LINUX_IO_URING || failed != SQLSTATE_FEATURE_NOT_SUPPORTED))
        return failed;
    if (failed)
        snprintf(node->why_classic, sizeof node->why_classic, "%s", error_text(error, ERROR_MESSAGE));
    else
        node->backend = &linux_backend_uring;
    return SQLSTATE_OK;
}

enum sqlstate linux_run_tuned(const struct linux_options *options, const struct linux_tuning *tuning,
                              void (*core_main)(struct world *world, void *argument), void *argument,
                              struct error *error)
{
    check(options->cores >= 1 && options->cores <= CORES_MAX, "%u cores", options->cores);
    enum sqlstate failed = linux_limits_raise(options, error);
    if (failed)
        return failed;
    struct scope *scope = scope_open_root("node", NULL);
    if (!scope)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    struct linux_node *node = scope_alloc_zeroed(scope, sizeof *node);
    node->scope = scope;
    node->options = *options;
    node->tuning = *tuning;
    atomic_init(&node->cores_unfinished, options->cores);
    failed = choose_backend(node, error);
    if (failed) {
        scope_close(scope);
        return failed;
    }
    struct run *run = scope_alloc_zeroed(scope, sizeof *run);
    run->node = node;
    run->core_main = core_main;
    run->argument = node->argument = argument;
    run->signals = -1;
    pthread_mutex_init(&run->mutex, NULL);
    pthread_cond_init(&run->changed, NULL);
    run->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (run->ended < 0)
        failed = linux_error(error, DEED_OPEN, errno, "could not open a descriptor for threads");
    if (!failed && options->catch_signals)
        failed = signals_open(run, error);
    if (!failed)
        failed = node_open(node, error);
    if (!failed) {
        run_cores(run);
        failed = run->failed.state;
        if (failed)
            *error = run->failed;
    }
    if (run->ended >= 0)
        close(run->ended);
    signals_close(run);
    pthread_cond_destroy(&run->changed);
    pthread_mutex_destroy(&run->mutex);
    node_close(node);
    return failed;
}

enum sqlstate linux_run(const struct linux_options *options,
                        void (*core_main)(struct world *world, void *argument), void *argument,
                        struct error *error)
{
    return linux_run_tuned(options, &(struct linux_tuning){0}, core_main, argument, error);
}
