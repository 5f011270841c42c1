/* Pools of threads, and the jobs that fibers have them do.
 *
 * Rules of a pool:
 * 1. Everything in it is guarded by its mutex, which nobody holds while work runs.
 * 2. A thread sleeps only when the queue is empty. `idle` counts those that sleep or were woken and have not
 *    yet got the mutex; while more work is queued than threads are idle, a thread is started, up to the
 * maximum.
 * 3. Work in the queue is linked through linux_landing.next, which is the inbox's only after it was run.
 *
 * Life of a job:
 *
 *     put ──> run on a thread ──> land on the core ──> the waiting fiber goes on          (landed)
 *                                            └──────> nobody waits: undo, let go of scope (deserted)
 */
#include "base/linux/workers.h"

#include "base/check.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct workers {
    pthread_mutex_t mutex;
    pthread_cond_t work; /* the queue got work, or `closing` was set */
    struct linux_landing *first;
    struct linux_landing **last; /* where the next one is linked */
    uint32_t queued;
    uint32_t idle;
    uint32_t threads;
    uint32_t threads_max;
    bool closing;
    void (*run)(struct linux_landing *work);
    char name[16];
    pthread_t thread[WORKERS_PER_POOL_MAX];
};

/* The next work, waiting for some; NULL when the pool closes. */
static struct linux_landing *take(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    while (!workers->first && !workers->closing) {
        workers->idle++;
        pthread_cond_wait(&workers->work, &workers->mutex);
        workers->idle--;
    }
    struct linux_landing *work = workers->first;
    if (work) {
        workers->first = work->next;
        if (!workers->first)
            workers->last = &workers->first;
        workers->queued--;
    }
    pthread_mutex_unlock(&workers->mutex);
    return work;
}

static void *worker_main(void *argument)
{
    struct workers *workers = argument;
    pthread_setname_np(pthread_self(), workers->name);
    struct linux_landing *work;
    while ((work = take(workers)))
        workers->run(work);
    return NULL;
}

/* Starts one more thread; the mutex is held or the pool not yet known to anyone. The thread takes no signals
 * (they are the node's), and may run on every processor of the process: the core that asks may be pinned, and
 * its workers are meant to run beside it. Gives errno. */
static int start_thread(struct workers *workers)
{
    pthread_attr_t attributes;
    int failed = pthread_attr_init(&attributes);
    if (failed)
        return failed;
    pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES);
    cpu_set_t processors;
    if (!sched_getaffinity(getpid(), sizeof processors, &processors))
        pthread_attr_setaffinity_np(&attributes, sizeof processors, &processors);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&workers->thread[workers->threads], &attributes, worker_main, workers);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!failed)
        workers->threads++;
    return failed;
}

enum sqlstate workers_open(struct scope *scope, const struct workers_options *options,
                           struct workers **workers, struct error *error)
{
    struct workers *opened = scope_alloc_zeroed(scope, sizeof *opened);
    check(options->threads_max >= 1 && options->threads_max <= WORKERS_PER_POOL_MAX);
    check(strlen(options->name) < sizeof opened->name, "a thread's name has at most 15 bytes");
    pthread_mutex_init(&opened->mutex, NULL);
    pthread_cond_init(&opened->work, NULL);
    opened->last = &opened->first;
    opened->threads_max = options->threads_max;
    opened->run = options->run;
    strcpy(opened->name, options->name);
    int failed = start_thread(opened);
    if (failed) {
        (void)linux_error(error, DEED_OTHER, failed, "could not start a worker thread");
        error->state = SQLSTATE_INSUFFICIENT_RESOURCES;
        return error->state;
    }
    *workers = opened;
    return SQLSTATE_OK;
}

void workers_close(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    check(workers->queued == 0, "%u pieces of work are still queued", workers->queued);
    workers->closing = true;
    pthread_cond_broadcast(&workers->work);
    pthread_mutex_unlock(&workers->mutex);
    for (uint32_t i = 0; i < workers->threads; i++)
        pthread_join(workers->thread[i], NULL);
    pthread_cond_destroy(&workers->work);
    pthread_mutex_destroy(&workers->mutex);
}

void workers_put(struct workers *workers, struct linux_landing *work)
{
    work->next = NULL;
    pthread_mutex_lock(&workers->mutex);
    *workers->last = work;
    workers->last = &work->next;
    workers->queued++;
    /* When the system gives no further thread, those there are do the work, only later. */
    if (workers->queued > workers->idle && workers->threads < workers->threads_max)
        (void)start_thread(workers);
    bool sleeps = workers->idle > 0;
    pthread_mutex_unlock(&workers->mutex);
    /* Behind the mutex, or the woken thread would run into it. One that does not sleep yet looks at the queue before. */
    if (sleeps)
        pthread_cond_signal(&workers->work);
}

uint32_t workers_threads(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    uint32_t threads = workers->threads;
    pthread_mutex_unlock(&workers->mutex);
    return threads;
}

uint32_t workers_idle(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    uint32_t idle = workers->idle;
    pthread_mutex_unlock(&workers->mutex);
    return idle;
}

/* ---- jobs ---- */

void linux_job_run(struct linux_landing *work)
{
    struct linux_job *job = container_of(work, struct linux_job, landing);
    job->run(job);
    linux_hand_back(job->core, &job->landing);
}

static void job_land(struct linux_core *core, struct linux_landing *landing)
{
    struct linux_job *job = container_of(landing, struct linux_job, landing);
    job->landed = true;
    if (!job->deserted) {
        fiber_wake_one(&job->waiter);
        return;
    }
    if (job->undo)
        job->undo(job);
    scope_release(job->scope);
}

enum sqlstate linux_job_call_on(struct workers *workers, struct linux_core *core, struct scope *scope,
                                struct linux_job *job, struct error *error)
{
    job->landing.land = job_land;
    job->core = core;
    job->scope = scope;
    job->landed = job->deserted = false;
    fiber_queue_init(&job->waiter);
    scope_hold(scope);
    workers_put(workers, &job->landing);
    enum fiber_wake woken = fiber_wait(core->world.scheduler, &job->waiter, FIBER_NO_DEADLINE);
    /* Canceled, but it has landed before this fiber came to run: then its outcome is known. */
    if (woken == FIBER_CANCELED && !job->landed) {
        job->deserted = true;
        return fiber_check_canceled(core->world.scheduler, error);
    }
    scope_release(scope);
    return SQLSTATE_OK;
}

enum sqlstate linux_job_call(struct linux_core *core, struct scope *scope, struct linux_job *job,
                             struct error *error)
{
    return linux_job_call_on(core->node->workers, core, scope, job, error);
}

/* ---- the node's pools ---- */

enum sqlstate linux_workers_open(struct linux_node *node, struct error *error)
{
    struct workers_options calls = {
        .name = "synod-call", .threads_max = WORKERS_PER_POOL_MAX, .run = linux_job_run};
    enum sqlstate failed = workers_open(node->scope, &calls, &node->workers, error);
    if (failed)
        return failed;
    struct workers_options names = {
        .name = "synod-names", .threads_max = RESOLVER_THREADS_MAX, .run = linux_job_run};
    return workers_open(node->scope, &names, &node->resolvers, error);
}

void linux_workers_close(struct linux_node *node)
{
    if (node->workers)
        workers_close(node->workers);
    if (node->resolvers)
        workers_close(node->resolvers);
    node->workers = node->resolvers = NULL;
}
