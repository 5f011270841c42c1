/* The classic backend of a core's loop: one epoll for its sockets and for being woken; files go by worker
 * threads, whose results come through the core's inbox (loop.h).
 *
 * Everything is watched edge-triggered and registered once, so that a receive that finds its bytes there
 * costs one system call and one that waits costs one more, shared with all others that wait. */
#include "base/linux/classic.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Events taken from the kernel at once; what is left comes with the next turn. */
#define EVENTS_PER_TURN 256

int classic_watch(struct classic *classic, int descriptor, uint32_t events, struct watch *watch)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = watch};
    return epoll_ctl(classic->epoll, EPOLL_CTL_ADD, descriptor, &event) ? errno : 0;
}

int classic_watch_by(struct classic *classic, int descriptor, uint32_t events, struct watch *watch)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = watch};
    return epoll_ctl(classic->epoll, EPOLL_CTL_MOD, descriptor, &event) ? errno : 0;
}

/* Reads wake_descriptor empty, so that the next write to it is an event again. */
static void woken(struct watch *watch, uint32_t events)
{
    (void)events;
    struct classic *classic = container_of(watch, struct classic, woken);
    uint64_t wakes;
    while (read(classic->core->wake_descriptor, &wakes, sizeof wakes) < 0 && errno == EINTR)
        ;
}

static enum sqlstate classic_open(struct linux_core *core, struct error *error)
{
    struct classic *classic = scope_alloc_zeroed(core->scope, sizeof *classic);
    classic->core = core;
    classic->woken.ready = woken;
    classic->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (classic->epoll < 0)
        return linux_error(error, DEED_OTHER, errno, "could not open epoll");
    int failed = classic_watch(classic, core->wake_descriptor, EPOLLIN, &classic->woken);
    if (failed) {
        close(classic->epoll);
        return linux_error(error, DEED_OTHER, failed, "could not watch for being woken");
    }
    core->backend_state = classic;
    return SQLSTATE_OK;
}

static void classic_close(struct linux_core *core)
{
    struct classic *classic = core->backend_state;
    close(classic->epoll);
    while (classic->free_buffers) {
        struct receive_buffer *buffer = classic->free_buffers;
        classic->free_buffers = buffer->next;
        scope_free_large(core->scope, buffer);
    }
}

/* Waits in the kernel until `wait_until_ns`. A wait of milliseconds is rounded up, or a core would spin
 * through the last one before each deadline. */
static int wait_for_events(struct classic *classic, struct epoll_event *events, uint64_t wait_until_ns)
{
    uint64_t now_ns = wait_until_ns ? world_now(&classic->core->world) : 0;
    uint64_t wait_ns = wait_until_ns > now_ns ? wait_until_ns - now_ns : 0;
    if (wait_ns && wait_until_ns != FIBER_NO_DEADLINE && !classic->no_pwait2) {
        struct timespec timeout = {.tv_sec = (time_t)(wait_ns / 1000000000U),
                                   .tv_nsec = (long)(wait_ns % 1000000000U)};
        int count = epoll_pwait2(classic->epoll, events, EVENTS_PER_TURN, &timeout, NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        classic->no_pwait2 = true;
    }
    int wait_ms = 0;
    if (wait_until_ns == FIBER_NO_DEADLINE)
        wait_ms = -1;
    else if (wait_ns)
        wait_ms = wait_ns / 1000000U >= 3600000 ? 3600000 : (int)((wait_ns + 999999) / 1000000U);
    return epoll_wait(classic->epoll, events, EVENTS_PER_TURN, wait_ms);
}

/* Takes events from the kernel and tells those they are for at once: kept, they would outlive connections that a
 * fiber closes meanwhile. Gives how many there were. */
static int take_events(struct classic *classic, uint64_t wait_until_ns)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = wait_for_events(classic, events, wait_until_ns);
    for (int i = 0; i < count; i++) { /* -1 (EINTR): nothing yet, and the loop comes again */
        struct watch *watch = events[i].data.ptr;
        watch->ready(watch, events[i].events);
    }
    return count;
}

static void classic_turn(struct linux_core *core, uint64_t wait_until_ns)
{
    (void)take_events(core->backend_state, wait_until_ns);
}

/* There is no word in memory that would tell, so the loop's polling asks the kernel. */
static bool classic_pending(struct linux_core *core)
{
    return take_events(core->backend_state, 0) > 0;
}

static const struct disk_ops classic_disk = {
    .open = linux_disk_open,
    .read = classic_read,
    .write = classic_write,
    .sync = classic_sync,
    .size = linux_disk_size,
    .allocate = linux_disk_allocate,
    .truncate = linux_disk_truncate,
    .discard = linux_disk_discard,
    .rename = linux_disk_rename,
    .remove = linux_disk_remove,
    .make_directory = linux_disk_make_directory,
    .list = linux_disk_list,
    .sync_directory = linux_disk_sync_directory,
    .space = linux_disk_space,
};

const struct linux_backend linux_backend_classic = {
    .name = "classic",
    .open = classic_open,
    .turn = classic_turn,
    .pending = classic_pending,
    .close = classic_close,
    .disk = &classic_disk,
    .net = &classic_net,
};
