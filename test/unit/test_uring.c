/* The io_uring backend, beyond what every world must do (test_world.c): the fallbacks for older kernels,
 * forced one by one; buffers, descriptors and queue places that run out; operations that outlive who started
 * them. */
#include "base/linux/uring.h"
#include "test/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MILLISECOND 1000000U
#define SECOND      1000000000UL

/* What a test's core_main gets. */
struct here {
    struct world *world;
    struct scope *scope;
    struct net_address address; /* of the listener in use */
    struct listener *listener;
    struct fiber_queue queue;
    uint32_t count;
    bool flag;
    struct file *file;
    void *memory;
    struct scope *connection; /* of the stream in `memory`, when that is not `scope` */
};

static struct error error;

static void run_tuned(uint32_t features_off, uint32_t receive_buffers, enum linux_flush flush,
                      void (*core_main)(struct world *world, void *argument), void *argument)
{
    struct linux_options options = {.cores = 1,
                                    .io = LINUX_IO_URING,
                                    .flush = flush,
                                    .memory_bytes = 1UL << 30,
                                    .connections_max = 1000,
                                    .log_level = LOG_WARN};
    struct linux_tuning tuning = {.features_off = features_off, .receive_buffers = receive_buffers};
    enum sqlstate failed = linux_run_tuned(&options, &tuning, core_main, argument, &error);
    ck_assert_msg(!failed, "%s", failed ? error_text(&error, ERROR_MESSAGE) : "");
}

/* An assertion that holds costs a system call, too. */
#define OK(call)                                                   \
    do {                                                           \
        enum sqlstate ok_state = (call);                           \
        if (ok_state)                                              \
            ck_abort_msg("%s", error_text(&error, ERROR_MESSAGE)); \
    } while (0)

/* Without each feature alone, without all of them, with all the kernel has. */
static const uint32_t features_off[] = {
    0,
    LINUX_FEATURE_DEFER_TASKRUN,
    LINUX_FEATURE_DEFER_TASKRUN | LINUX_FEATURE_SINGLE_ISSUER,
    LINUX_FEATURE_DEFER_TASKRUN | LINUX_FEATURE_SINGLE_ISSUER | LINUX_FEATURE_COOP_TASKRUN,
    LINUX_FEATURE_MULTISHOT_ACCEPT,
    LINUX_FEATURE_MULTISHOT_RECEIVE,
    LINUX_FEATURE_QUIET_SEND,
    ~(uint32_t)LINUX_FEATURE_URING,
};
#define FEATURE_SETS (int)(sizeof features_off / sizeof *features_off)

static void listen_here(struct here *here)
{
    OK(net_address_parse("127.0.0.1", &here->address) ? SQLSTATE_OK : SQLSTATE_INTERNAL_ERROR);
    here->address.port = 0;
    OK(net_listen(here->world, here->scope, &here->address, &here->listener, &here->address, &error));
}

static struct stream *accept_one(struct here *here, struct scope *scope)
{
    struct net_handover handover;
    struct stream *stream;
    OK(net_accept(here->world, here->listener, &handover, FIBER_NO_DEADLINE, &error));
    OK(net_adopt(here->world, scope, &handover, &stream, &error));
    return stream;
}

static struct stream *connect_one(struct here *here, struct scope *scope)
{
    struct stream *stream;
    OK(net_connect(here->world, scope, &here->address, FIBER_NO_DEADLINE, &stream, &error));
    return stream;
}

static void send_text(struct stream *stream, const void *data, size_t size)
{
    struct bytes piece = bytes_of(data, size);
    OK(stream_send(stream, &piece, 1, FIBER_NO_DEADLINE, &error));
}

static void start(struct here *here, void (*run)(void *argument), void *argument)
{
    OK(fiber_start(here->world->scheduler, here->scope, "test", run, argument, NULL, &error));
}

/* Waits until here->count is `count`; who changes it wakes here->queue. */
static void wait_count(struct here *here, uint32_t count)
{
    while (here->count != count)
        ck_assert_int_eq(fiber_wait(here->world->scheduler, &here->queue, FIBER_NO_DEADLINE), FIBER_WOKEN);
}

static void count_one(struct here *here)
{
    here->count++;
    fiber_wake_all(&here->queue);
}

/* Also for the memory of a test that ends before its fibers do. */
static void here_init(struct here *here, struct world *world)
{
    *here = (struct here){.world = world, .scope = scope_open(world->scope, "test")};
    fiber_queue_init(&here->queue);
}

/* ---- every fallback moves bytes ---- */

#define MEGABYTES 3

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 2654435761U >> 13);
}

static void echo_fiber(void *argument)
{
    struct here *here = argument;
    struct scope *scope = scope_open(here->scope, "echo");
    struct stream *stream = accept_one(here, scope);
    struct bytes view;
    for (;;) {
        OK(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error));
        if (!view.size)
            break;
        send_text(stream, view.data, view.size);
    }
    OK(stream_shutdown(stream, FIBER_NO_DEADLINE, &error));
    scope_close(scope);
    count_one(here);
}

static void send_megabytes(void *argument)
{
    struct here *here = argument;
    struct stream *stream = here->memory;
    static uint8_t data[1 << 20];
    for (size_t sent = 0; sent < MEGABYTES * sizeof data; sent += sizeof data) {
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = pattern(sent + i);
        struct bytes pieces[70]; /* more than go out at once, some of them empty */
        size_t part = sizeof data / 35;
        for (size_t i = 0; i < 70; i++)
            pieces[i] = bytes_of(data + i / 2 * part, i % 2 ? 0 : i == 68 ? sizeof data - 34 * part : part);
        OK(stream_send(stream, pieces, 70, FIBER_NO_DEADLINE, &error));
    }
    OK(stream_shutdown(stream, FIBER_NO_DEADLINE, &error));
}

static void echo_main(struct world *world, void *argument)
{
    struct here here;
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    start(&here, echo_fiber, &here);
    struct stream *stream = connect_one(&here, here.scope);
    here.memory = stream;
    start(&here, send_megabytes, &here);
    size_t got = 0;
    for (;;) {
        struct bytes view;
        OK(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error));
        if (!view.size)
            break;
        size_t right = 0; /* one assertion a view: each costs a system call */
        while (right < view.size && view.data[right] == pattern(got + right))
            right++;
        ck_assert_uint_eq(right, view.size);
        got += view.size;
    }
    ck_assert_uint_eq(got, MEGABYTES << 20);
    wait_count(&here, 1);
}

START_TEST(echoes_megabytes_with_every_set_of_features)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, echo_main, NULL);
}
END_TEST

/* ---- files ---- */

#define PAGES 64

static struct file *open_scratch(struct here *here, uint32_t flags)
{
    char path[128];
    snprintf(path, sizeof path, "test_uring.%d", (int)getpid());
    struct file *file;
    OK(disk_open(here->world, here->scope, path, DISK_CREATE | flags, &file, &error));
    OK(disk_remove(here->world, path, &error));
    return file;
}

static uint8_t *aligned(struct here *here, size_t bytes)
{
    void *memory;
    OK(scope_alloc_large(here->scope, bytes, DISK_ALIGNMENT, &memory, &error));
    return memory;
}

static void fill_page(uint8_t *page, uint64_t seed)
{
    for (size_t i = 0; i < DISK_ALIGNMENT / 8; i++)
        ((uint64_t *)page)[i] = unit_random(&seed);
}

static void check_page(const uint8_t *page, uint64_t seed)
{
    uint8_t wanted[DISK_ALIGNMENT];
    fill_page(wanted, seed);
    ck_assert_mem_eq(page, wanted, DISK_ALIGNMENT);
}

static void write_and_read(struct here *here, uint32_t flags)
{
    struct file *file = open_scratch(here, flags);
    struct disk_transfer transfers[PAGES];
    uint8_t *memory = aligned(here, PAGES * DISK_ALIGNMENT);
    for (size_t i = 0; i < PAGES; i++) {
        fill_page(memory + i * DISK_ALIGNMENT, i);
        transfers[i] = (struct disk_transfer){.file = file,
                                              .data = memory + i * DISK_ALIGNMENT,
                                              .size = DISK_ALIGNMENT,
                                              .offset = i * DISK_ALIGNMENT};
    }
    /* One, a few, and more than the ring takes for durable writes. */
    OK(disk_write_many(here->world, here->scope, transfers, 1, true, &error));
    OK(disk_write_many(here->world, here->scope, transfers + 1, 9, true, &error));
    OK(disk_write_many(here->world, here->scope, transfers + 10, 40, true, &error));
    OK(disk_write_many(here->world, here->scope, transfers + 50, PAGES - 50, false, &error));
    OK(disk_sync(here->world, here->scope, file, &error));
    memset(memory, 0, PAGES * DISK_ALIGNMENT);
    OK(disk_read_many(here->world, here->scope, transfers, PAGES, &error));
    for (size_t i = 0; i < PAGES; i++) {
        ck_assert_uint_eq(transfers[i].done, DISK_ALIGNMENT);
        check_page(memory + i * DISK_ALIGNMENT, i);
    }
    /* Over the end: what is there, and nothing behind it. */
    size_t done = 1;
    OK(disk_truncate(here->world, here->scope, file, PAGES * DISK_ALIGNMENT - 1000, &error));
    OK(disk_read(here->world, here->scope, file, memory, 2 * DISK_ALIGNMENT, (PAGES - 1) * DISK_ALIGNMENT,
                 &done, &error));
    ck_assert_uint_eq(done, DISK_ALIGNMENT - 1000);
    OK(disk_read(here->world, here->scope, file, memory, DISK_ALIGNMENT, PAGES * DISK_ALIGNMENT, &done,
                 &error));
    ck_assert_uint_eq(done, 0);
}

static void files_main(struct world *world, void *argument)
{
    struct here here;
    (void)argument;
    here_init(&here, world);
    write_and_read(&here, 0);
    write_and_read(&here, DISK_DIRECT);
}

START_TEST(files_keep_what_was_written_with_every_set_of_features_and_by_ring)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_RING, files_main, NULL);
}
END_TEST

START_TEST(files_keep_what_was_written_by_thread)
{
    run_tuned(0, 0, LINUX_FLUSH_THREAD, files_main, NULL);
}
END_TEST

START_TEST(files_keep_what_was_written_by_the_path_of_choice)
{
    run_tuned(0, 0, LINUX_FLUSH_AUTO, files_main, NULL);
}
END_TEST

/* More transfers than the ring has places and the core has operations, while another fiber reads as many. */
#define MANY_TRANSFERS (2 * URING_DISK_OPERATIONS_MAX + 17)

static void read_many_fiber(void *argument)
{
    struct here *here = argument;
    void *transfers_memory, *data;
    struct scope *scope = scope_open(here->scope, "reader");
    OK(scope_alloc_large(scope, MANY_TRANSFERS * sizeof(struct disk_transfer), 16, &transfers_memory,
                         &error));
    OK(scope_alloc_large(scope, MANY_TRANSFERS * 64, 16, &data, &error));
    struct disk_transfer *transfers = transfers_memory;
    for (size_t i = 0; i < MANY_TRANSFERS; i++)
        transfers[i] = (struct disk_transfer){
            .file = here->file, .data = (uint8_t *)data + i * 64, .size = 64, .offset = i * 37 % 4000};
    OK(disk_read_many(here->world, scope, transfers, MANY_TRANSFERS, &error));
    for (size_t i = 0; i < MANY_TRANSFERS; i++) {
        ck_assert_uint_eq(transfers[i].done, 64);
        ck_assert_mem_eq(transfers[i].data, (uint8_t *)here->memory + i * 37 % 4000, 64);
    }
    scope_close(scope);
    count_one(here);
}

static void read_many_main(struct world *world, void *argument)
{
    struct here here;
    (void)argument;
    here_init(&here, world);
    here.file = open_scratch(&here, 0);
    here.memory = aligned(&here, DISK_ALIGNMENT);
    fill_page(here.memory, 7);
    OK(disk_write(world, here.scope, here.file, here.memory, DISK_ALIGNMENT, 0, &error));
    for (int i = 0; i < 3; i++)
        start(&here, read_many_fiber, &here);
    wait_count(&here, 3);
}

START_TEST(more_transfers_than_places_take_turns)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, read_many_main, NULL);
}
END_TEST

/* A write that the kernel cuts short ahead of its limit: the rest fails. */
static void cut_short(struct here *here, uint8_t *page, uint32_t flags)
{
    struct world *world = here->world;
    struct file *file = open_scratch(here, flags);
    struct rlimit before, low = {.rlim_cur = DISK_ALIGNMENT};
    uint64_t size;
    getrlimit(RLIMIT_FSIZE, &before);
    low.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    ck_assert_int_eq(disk_write_durable(world, here->scope, file, page, 2 * DISK_ALIGNMENT, 0, &error),
                     SQLSTATE_DISK_FULL);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    OK(disk_size(world, file, &size, &error));
    ck_assert_uint_eq(size, DISK_ALIGNMENT);
    OK(disk_write_durable(world, here->scope, file, page, 2 * DISK_ALIGNMENT, 0, &error));
}

static void broken_writes_main(struct world *world, void *argument)
{
    struct here here;
    struct file *file;
    (void)argument;
    here_init(&here, world);
    uint8_t *page = aligned(&here, 2 * DISK_ALIGNMENT);
    OK(disk_open(world, here.scope, "/dev/full", 0, &file, &error));
    ck_assert_int_eq(disk_write(world, here.scope, file, page, DISK_ALIGNMENT, 0, &error),
                     SQLSTATE_DISK_FULL);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "could not write file \"/dev/full\": No space left on device");
    ck_assert_int_eq(disk_write_durable(world, here.scope, file, page, DISK_ALIGNMENT, 0, &error),
                     SQLSTATE_DISK_FULL);
    struct disk_transfer two[2] = {{.file = file, .data = page, .size = 10},
                                   {.file = file, .data = page, .size = 10, .offset = 10}};
    ck_assert_int_eq(disk_write_many(world, here.scope, two, 2, true, &error), SQLSTATE_DISK_FULL);
    cut_short(&here, page, 0);
    cut_short(&here, page, DISK_DIRECT);
    /* A descriptor that can be written and not synced. */
    OK(disk_open(world, here.scope, "/dev/null", 0, &file, &error));
    ck_assert_int_ne(disk_write_durable(world, here.scope, file, page, 10, 0, &error), SQLSTATE_OK);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "could not sync file \"/dev/null\": Invalid argument");
}

START_TEST(a_failed_write_or_sync_is_told_in_the_systems_words)
{
    signal(SIGXFSZ, SIG_IGN);
    run_tuned(0, 0, _i ? LINUX_FLUSH_THREAD : LINUX_FLUSH_RING, broken_writes_main, NULL);
}
END_TEST

/* ---- operations outlive who started them ---- */

struct gone {
    struct here *here;
    bool returned, gone;
    struct fiber *reader;
    struct scope *scope;
    enum sqlstate outcome;
};

static void note_gone(void *argument)
{
    ((struct gone *)argument)->gone = true;
}

static void deserting_reader(void *argument)
{
    struct gone *gone = argument;
    struct here *here = gone->here;
    void *memory;
    struct error own;
    OK(scope_alloc_large(gone->scope, 4UL << 20, DISK_ALIGNMENT, &memory, &error));
    struct disk_transfer transfers[4];
    for (size_t i = 0; i < 4; i++)
        transfers[i] = (struct disk_transfer){
            .file = here->file, .data = (uint8_t *)memory + (i << 20), .size = 1 << 20, .offset = i << 20};
    gone->outcome = disk_read_many(here->world, gone->scope, transfers, 4, &own);
    gone->returned = true;
    count_one(here);
}

static void desert_main(struct world *world, void *argument)
{
    struct here here;
    (void)argument;
    here_init(&here, world);
    here.file = open_scratch(&here, DISK_DIRECT);
    uint8_t *data = aligned(&here, 4UL << 20);
    memset(data, 7, 4UL << 20);
    OK(disk_write(world, here.scope, here.file, data, 4UL << 20, 0, &error));
    struct gone gone = {.here = &here, .scope = scope_open(here.scope, "reader")};
    scope_undo(gone.scope, note_gone, &gone);
    /* The fiber belongs to the test's scope, so that only the reads hold the reader's. */
    OK(fiber_start(world->scheduler, here.scope, "reader", deserting_reader, &gone, &gone.reader, &error));
    fiber_yield(world->scheduler); /* it submits and waits */
    ck_assert(!gone.returned);
    fiber_cancel(gone.reader, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    scope_close(gone.scope);
    fiber_yield(world->scheduler);
    ck_assert(gone.returned);
    ck_assert_int_eq(gone.outcome, SQLSTATE_QUERY_CANCELED);
    ck_assert(!gone.gone); /* the kernel has not been asked yet: the reads are still to land */
    while (!gone.gone)
        ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + MILLISECOND),
                         FIBER_TIMED_OUT);
}

START_TEST(a_canceled_read_returns_at_once_and_holds_its_scope_until_it_landed)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, desert_main, NULL);
}
END_TEST

static void deserting_writer(void *argument)
{
    struct gone *gone = argument;
    struct here *here = gone->here;
    struct error own;
    uint8_t *data = scope_alloc_zeroed(gone->scope, 3 * DISK_ALIGNMENT);
    struct disk_transfer transfers[3];
    for (size_t i = 0; i < 3; i++)
        transfers[i] = (struct disk_transfer){.file = here->file,
                                              .data = data + i * DISK_ALIGNMENT,
                                              .size = DISK_ALIGNMENT,
                                              .offset = i * DISK_ALIGNMENT};
    gone->outcome = disk_write_many(here->world, gone->scope, transfers, 3, true, &own);
    gone->returned = true;
}

static void desert_write_main(struct world *world, void *argument)
{
    struct here here;
    (void)argument;
    here_init(&here, world);
    here.file = open_scratch(&here, 0);
    struct gone gone = {.here = &here, .scope = scope_open(here.scope, "writer")};
    scope_undo(gone.scope, note_gone, &gone);
    OK(fiber_start(world->scheduler, here.scope, "writer", deserting_writer, &gone, &gone.reader, &error));
    fiber_yield(world->scheduler);
    fiber_cancel(gone.reader, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    scope_close(gone.scope);
    fiber_yield(world->scheduler);
    ck_assert_int_eq(gone.outcome, SQLSTATE_QUERY_CANCELED);
    ck_assert(!gone.gone);
    while (!gone.gone)
        ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + MILLISECOND),
                         FIBER_TIMED_OUT);
    uint64_t size;
    OK(disk_size(world, here.file, &size, &error));
    ck_assert_uint_eq(size, 3 * DISK_ALIGNMENT); /* it went on to its end */
}

START_TEST(a_canceled_durable_write_goes_on_to_its_end)
{
    run_tuned(0, 0, _i ? LINUX_FLUSH_THREAD : LINUX_FLUSH_RING, desert_write_main, NULL);
}
END_TEST

/* The world ends while reads are in flight and their fiber has gone. */
static void end_in_flight_main(struct world *world, void *argument)
{
    struct here here;
    bool *returned = argument;
    here_init(&here, world);
    here.file = open_scratch(&here, DISK_DIRECT);
    uint8_t *data = aligned(&here, 4UL << 20);
    memset(data, 7, 4UL << 20);
    OK(disk_write(world, here.scope, here.file, data, 4UL << 20, 0, &error));
    struct gone *gone = scope_alloc_zeroed(here.scope, sizeof *gone);
    struct here *kept = scope_alloc(here.scope, sizeof *kept);
    here_init(kept, world);
    kept->file = here.file;
    *gone = (struct gone){.here = kept, .scope = here.scope};
    OK(fiber_start(world->scheduler, here.scope, "reader", deserting_reader, gone, NULL, &error));
    fiber_yield(world->scheduler);
    *returned = true;
}

START_TEST(a_world_ends_with_reads_in_flight)
{
    bool returned = false;
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, end_in_flight_main, &returned);
    ck_assert(returned);
}
END_TEST

/* ---- buffers run out ---- */

#define HOLDERS 40

static bool all_are(struct bytes view, char byte)
{
    for (size_t i = 0; i < view.size; i++)
        if ((char)view.data[i] != byte)
            return false;
    return true;
}

/* Receives, keeps the view until all have one, checks it. */
static void hold_view_fiber(void *argument)
{
    struct here *here = argument;
    struct scope *scope = scope_open(here->scope, "holder");
    struct stream *stream = accept_one(here, scope);
    struct bytes view;
    OK(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error));
    char first = (char)view.data[0];
    count_one(here);
    wait_count(here, HOLDERS);
    ck_assert(all_are(view, first));
    /* And the rest of what was sent, now that buffers come back. */
    size_t got = view.size;
    while (got < 20000) {
        OK(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error));
        ck_assert(all_are(view, first));
        got += view.size;
    }
    ck_assert_uint_eq(got, 20000);
    send_text(stream, &first, 1);
    scope_close(scope);
}

static void hold_views_main(struct world *world, void *argument)
{
    struct here here;
    struct stream *client[HOLDERS];
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    for (int i = 0; i < HOLDERS; i++)
        start(&here, hold_view_fiber, &here);
    for (int i = 0; i < HOLDERS; i++)
        client[i] = connect_one(&here, here.scope);
    for (int i = 0; i < HOLDERS; i++) {
        static char text[20000];
        memset(text, 'A' + i, sizeof text);
        send_text(client[i], text, sizeof text);
    }
    for (int i = 0; i < HOLDERS; i++) {
        struct bytes view;
        OK(stream_receive(client[i], &view, FIBER_NO_DEADLINE, &error));
        ck_assert_uint_eq(view.size, 1);
        ck_assert_int_eq(view.data[0], 'A' + i);
    }
    if (linux_core_of(world)->features & LINUX_FEATURE_MULTISHOT_RECEIVE)
        ck_assert_uint_le(uring_of(linux_core_of(world))->receive.with_streams, 4);
}

START_TEST(connections_that_find_no_buffer_use_their_own)
{
    run_tuned(features_off[_i], 4, LINUX_FLUSH_AUTO, hold_views_main, NULL);
}
END_TEST

static void flood_fiber(void *argument)
{
    struct here *here = argument;
    static uint8_t data[1 << 20];
    for (int i = 0; i < 16; i++)
        send_text(here->memory, data, sizeof data);
    OK(stream_shutdown(here->memory, FIBER_NO_DEADLINE, &error));
    here->flag = true;
}

static void flood_main(struct world *world, void *argument)
{
    struct here here;
    struct bytes view;
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    here.memory = connect_one(&here, here.scope);
    struct stream *stream = accept_one(&here, here.scope);
    start(&here, flood_fiber, &here);
    OK(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error)); /* the multishot is armed now */
    size_t got = view.size;
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 200 * MILLISECOND),
                     FIBER_TIMED_OUT);
    ck_assert(!here.flag); /* the flood is held back ... */
    const struct receive_buffers *buffers = &uring_of(linux_core_of(world))->receive;
    ck_assert_uint_lt(buffers->with_streams, buffers->count / 2); /* ... and others can receive */
    for (;;) {
        OK(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error));
        if (!view.size)
            break;
        got += view.size;
    }
    ck_assert_uint_eq(got, 16UL << 20);
    ck_assert_uint_eq(buffers->with_streams, 0);
}

START_TEST(a_peer_that_floods_is_held_back)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, flood_main, NULL);
}
END_TEST

/* ---- small sends ---- */

#define LETTERS      100000
#define LETTER_BYTES 60

/* Letters that nobody waits for, some of them in pieces, now and then a large one: more than sockets hold. */
static void write_letters(void *argument)
{
    struct here *here = argument;
    static uint8_t large[10000];
    for (uint32_t i = 0; i < LETTERS; i++) {
        char letter[LETTER_BYTES + 1];
        snprintf(letter, sizeof letter, "%0*u", LETTER_BYTES, i);
        struct bytes pieces[] = {bytes_of(letter, 7), bytes_of(NULL, 0),
                                 bytes_of(letter + 7, LETTER_BYTES - 7)};
        OK(stream_send(here->memory, pieces, 3, FIBER_NO_DEADLINE, &error));
        if (i % 1000 == 0)
            send_text(here->memory, large, sizeof large);
        if (i % 77 == 0)
            fiber_yield(here->world->scheduler);
    }
    OK(stream_shutdown(here->memory, FIBER_NO_DEADLINE, &error));
}

/* Takes exactly `size` bytes out of the stream. */
static void receive_exactly(struct stream *stream, struct bytes *rest, uint8_t *data, size_t size)
{
    while (size) {
        if (!rest->size)
            OK(stream_receive(stream, rest, FIBER_NO_DEADLINE, &error));
        if (!rest->size)
            ck_abort_msg("the stream ended early");
        size_t part = rest->size < size ? rest->size : size;
        memcpy(data, rest->data, part);
        *rest = bytes_of(rest->data + part, rest->size - part);
        data += part;
        size -= part;
    }
}

static void letters_main(struct world *world, void *argument)
{
    struct here here;
    static uint8_t large[10000];
    struct bytes rest = {0};
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    here.memory = connect_one(&here, here.scope);
    struct stream *stream = accept_one(&here, here.scope);
    start(&here, write_letters, &here);
    /* Nobody reads until the writer can write no more. */
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 50 * MILLISECOND),
                     FIBER_TIMED_OUT);
    uint32_t right = 0;
    for (uint32_t i = 0; i < LETTERS; i++) {
        char letter[LETTER_BYTES + 1], wanted[LETTER_BYTES + 1];
        snprintf(wanted, sizeof wanted, "%0*u", LETTER_BYTES, i);
        receive_exactly(stream, &rest, (uint8_t *)letter, LETTER_BYTES);
        right += !memcmp(letter, wanted, LETTER_BYTES);
        if (i % 1000 == 0)
            receive_exactly(stream, &rest, large, sizeof large);
    }
    ck_assert_uint_eq(right, LETTERS);
    ck_assert_uint_eq(rest.size, 0);
    OK(stream_receive(stream, &rest, FIBER_NO_DEADLINE, &error));
    ck_assert_uint_eq(rest.size, 0);
}

START_TEST(small_sends_to_a_slow_reader_arrive_whole_and_in_order)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, letters_main, NULL);
}
END_TEST

static void lost_peer_main(struct world *world, void *argument)
{
    struct here here;
    struct bytes view;
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    struct stream *client = connect_one(&here, here.scope);
    struct stream *peer = accept_one(&here, here.scope);
    stream_reset(peer);
    ck_assert_int_eq(stream_receive(client, &view, FIBER_NO_DEADLINE, &error), SQLSTATE_CONNECTION_FAILURE);
    ck_assert_int_eq(
        stream_send(client, &(struct bytes){(const uint8_t *)"x", 1}, 1, FIBER_NO_DEADLINE, &error),
        SQLSTATE_CONNECTION_FAILURE);
    /* One that has not looked: the first send goes out, a later one hears of it. */
    client = connect_one(&here, here.scope);
    peer = accept_one(&here, here.scope);
    stream_reset(peer);
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed) {
        failed = stream_send(client, &(struct bytes){(const uint8_t *)"x", 1}, 1, FIBER_NO_DEADLINE, &error);
        fiber_yield(world->scheduler);
    }
    ck_assert_int_eq(failed, SQLSTATE_CONNECTION_FAILURE);
}

START_TEST(a_small_send_that_failed_is_told_by_the_next)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, lost_peer_main, NULL);
}
END_TEST

/* ---- connections ---- */

static void end_on_deadline_main(struct world *world, void *argument)
{
    struct here here;
    struct bytes view;
    struct net_handover handover;
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    ck_assert_int_eq(net_accept(world, here.listener, &handover, world_now(world) + MILLISECOND, &error),
                     SQLSTATE_IDLE_SESSION_TIMEOUT);
    struct stream *client = connect_one(&here, here.scope);
    struct stream *stream = accept_one(&here, here.scope);
    ck_assert_int_eq(stream_receive(stream, &view, world_now(world) + MILLISECOND, &error),
                     SQLSTATE_IDLE_SESSION_TIMEOUT);
    send_text(client, "still there", 11);
    OK(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error));
    ck_assert_mem_eq(view.data, "still there", 11);
    /* Nobody reads: a send that can not end fails at its deadline, and the operation is off the caller's
     * stack. */
    static uint8_t data[1 << 20];
    struct bytes piece = bytes_of(data, sizeof data);
    enum sqlstate failed = SQLSTATE_OK;
    for (int i = 0; i < 64 && !failed; i++)
        failed = stream_send(client, &piece, 1, world_now(world) + 20 * MILLISECOND, &error);
    ck_assert_int_eq(failed, SQLSTATE_IDLE_SESSION_TIMEOUT);
    ck_assert_int_eq(stream_send(client, &piece, 1, FIBER_NO_DEADLINE, &error), SQLSTATE_CONNECTION_FAILURE);
    /* An address that swallows: the connection comes to nothing at the deadline. */
    struct net_address nowhere = {0};
    ck_assert(net_address_parse("192.0.2.1", &nowhere));
    nowhere.port = 9;
    struct stream *none;
    ck_assert_int_ne(net_connect(world, here.scope, &nowhere, world_now(world) + MILLISECOND, &none, &error),
                     SQLSTATE_OK);
}

START_TEST(deadlines_end_what_waits_and_lose_nothing)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, end_on_deadline_main, NULL);
}
END_TEST

static void send_while_reset_fiber(void *argument)
{
    struct here *here = argument;
    static uint8_t data[1 << 20];
    struct bytes piece = bytes_of(data, sizeof data);
    struct error own;
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed)
        failed = stream_send(here->memory, &piece, 1, FIBER_NO_DEADLINE, &own);
    ck_assert_int_eq(failed, SQLSTATE_CONNECTION_FAILURE);
    count_one(here);
}

static void receive_while_reset_fiber(void *argument)
{
    struct here *here = argument;
    struct bytes view;
    struct error own;
    ck_assert_int_eq(stream_receive(here->memory, &view, FIBER_NO_DEADLINE, &own),
                     SQLSTATE_CONNECTION_FAILURE);
    count_one(here);
}

static void reset_main(struct world *world, void *argument)
{
    struct here here;
    struct bytes view;
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    here.memory = connect_one(&here, here.scope);
    struct stream *peer = accept_one(&here, here.scope);
    start(&here, send_while_reset_fiber, &here);
    start(&here, receive_while_reset_fiber, &here);
    /* Until the sender can send no more. */
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 20 * MILLISECOND),
                     FIBER_TIMED_OUT);
    stream_reset(here.memory);
    wait_count(&here, 2);
    enum sqlstate failed = SQLSTATE_OK;
    do
        failed = stream_receive(peer, &view, FIBER_NO_DEADLINE, &error);
    while (!failed && view.size);
    ck_assert_int_eq(failed, SQLSTATE_CONNECTION_FAILURE); /* a reset, no orderly end */
}

START_TEST(a_reset_fails_both_fibers_and_the_peer)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, reset_main, NULL);
}
END_TEST

/* A send that has just succeeded holds nothing any more: who makes another one holds the scope it makes it in. */
static void send_while_closed_fiber(void *argument)
{
    struct here *here = argument;
    scope_hold(here->connection);
    send_while_reset_fiber(here);
    scope_release(here->connection);
}

static void count_gone(void *argument)
{
    count_one(argument);
}

/* A connection's scope is closed while fibers of another scope receive from it and send to it. */
static void close_main(struct world *world, void *argument)
{
    struct here here;
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    here.connection = scope_open(here.scope, "connection");
    scope_undo(here.connection, count_gone, &here);
    here.memory = connect_one(&here, here.connection);
    accept_one(&here, here.scope);
    start(&here, send_while_closed_fiber, &here);
    start(&here, receive_while_reset_fiber, &here);
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 20 * MILLISECOND),
                     FIBER_TIMED_OUT);
    scope_close(here.connection);
    ck_assert_uint_eq(here.count, 0);
    wait_count(&here, 3); /* both fibers, and then the scope itself */
}

START_TEST(closing_a_connections_scope_ends_who_uses_it)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, close_main, NULL);
}
END_TEST

#define CONNECTIONS 2000

static void echo_once_fiber(void *argument)
{
    struct here *here = argument;
    struct scope *scope = scope_open(here->scope, "connection");
    struct stream *stream = accept_one(here, scope);
    struct bytes view;
    OK(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error));
    send_text(stream, view.data, view.size);
    OK(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error));
    ck_assert_uint_eq(view.size, 0);
    scope_close(scope);
    count_one(here);
}

static void thousands_main(struct world *world, void *argument)
{
    struct here here;
    static struct stream *client[CONNECTIONS];
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    for (int i = 0; i < CONNECTIONS; i++) {
        start(&here, echo_once_fiber, &here);
        client[i] = connect_one(&here, here.scope);
    }
    const struct receive_buffers *buffers = &uring_of(linux_core_of(world))->receive;
    ck_assert_uint_eq(buffers->with_streams, 0); /* idle connections have none */
    for (int i = 0; i < CONNECTIONS; i++)
        send_text(client[i], &i, sizeof i);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct bytes view;
        OK(stream_receive(client[i], &view, FIBER_NO_DEADLINE, &error));
        ck_assert_uint_eq(view.size, sizeof i);
        ck_assert_mem_eq(view.data, &i, sizeof i);
    }
    for (int i = 0; i < CONNECTIONS; i++)
        OK(stream_shutdown(client[i], FIBER_NO_DEADLINE, &error));
    wait_count(&here, CONNECTIONS);
}

START_TEST(thousands_of_connections)
{
    run_tuned(features_off[_i], 64, LINUX_FLUSH_AUTO, thousands_main, NULL);
}
END_TEST

/* ---- descriptors run out ---- */

static void no_descriptor_main(struct world *world, void *argument)
{
    struct here here;
    struct net_handover handover;
    static int taken[20000];
    int count = 0;
    (void)argument;
    here_init(&here, world);
    listen_here(&here);
    struct sockaddr_storage native;
    socklen_t length = socket_address_native(&here.address, &native);
    int late[2];
    for (int i = 0; i < 2; i++)
        late[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct rlimit before, low;
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    low.rlim_cur = (rlim_t)late[1] + 200;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    while ((taken[count] = dup(late[0])) >= 0)
        count++;
    ck_assert_int_eq(errno, EMFILE);
    connect(late[0], (struct sockaddr *)&native, length);
    ck_assert_int_eq(net_accept(world, here.listener, &handover, FIBER_NO_DEADLINE, &error),
                     SQLSTATE_TOO_MANY_CONNECTIONS);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "Too many open files"));
    while (count)
        close(taken[--count]);
    connect(late[1], (struct sockaddr *)&native, length);
    OK(net_accept(world, here.listener, &handover, FIBER_NO_DEADLINE, &error));
    net_discard(world, &handover);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(late[0]);
    close(late[1]);
}

START_TEST(without_a_descriptor_a_connection_is_refused_and_accepting_goes_on)
{
    run_tuned(features_off[_i], 0, LINUX_FLUSH_AUTO, no_descriptor_main, NULL);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("uring");
    tcase_add_loop_test(tests, echoes_megabytes_with_every_set_of_features, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, files_keep_what_was_written_with_every_set_of_features_and_by_ring, 0,
                        FEATURE_SETS);
    tcase_add_test(tests, files_keep_what_was_written_by_thread);
    tcase_add_test(tests, files_keep_what_was_written_by_the_path_of_choice);
    tcase_add_loop_test(tests, more_transfers_than_places_take_turns, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, a_failed_write_or_sync_is_told_in_the_systems_words, 0, 2);
    tcase_add_loop_test(tests, a_canceled_read_returns_at_once_and_holds_its_scope_until_it_landed, 0,
                        FEATURE_SETS);
    tcase_add_loop_test(tests, a_canceled_durable_write_goes_on_to_its_end, 0, 2);
    tcase_add_loop_test(tests, a_world_ends_with_reads_in_flight, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, connections_that_find_no_buffer_use_their_own, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, a_peer_that_floods_is_held_back, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, small_sends_to_a_slow_reader_arrive_whole_and_in_order, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, a_small_send_that_failed_is_told_by_the_next, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, deadlines_end_what_waits_and_lose_nothing, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, a_reset_fails_both_fibers_and_the_peer, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, closing_a_connections_scope_ends_who_uses_it, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, thousands_of_connections, 0, FEATURE_SETS);
    tcase_add_loop_test(tests, without_a_descriptor_a_connection_is_refused_and_accepting_goes_on, 0,
                        FEATURE_SETS);
    return unit_run(tests);
}
