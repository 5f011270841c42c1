/* What the cases share. */
#include "test/world/cases.h"

#include "base/scope.h"

#include <stdio.h>
#include <string.h>

const struct world_case *const world_cases[4] = {
    world_clock_cases,
    world_disk_cases,
    world_net_cases,
    world_mail_cases,
};

void must(enum sqlstate failed, const struct error *error)
{
    char text[6];
    sqlstate_text(failed, text);
    ck_assert_msg(!failed, "failed with %s: %s", text, error_text(error, ERROR_MESSAGE));
}

void must_fail(const char *state, enum sqlstate failed, const struct error *error)
{
    char text[6];
    sqlstate_text(failed, text);
    const char *message = failed ? error_text(error, ERROR_MESSAGE) : "";
    ck_assert_msg(!strcmp(text, state), "expected %s, got %s: %s", state, text, message);
    ck_assert_int_eq(error->state, failed);
    ck_assert_msg(message && message[0], "%s has no message", text);
}

const char *path_in(struct world *world, void *place, const char *name)
{
    const struct world_place *where = place;
    size_t bytes = strlen(where->directory) + strlen(name) + 2;
    char *path = scope_alloc(world->scope, bytes);
    snprintf(path, bytes, "%s/%s", where->directory, name);
    return path;
}

uint64_t patience(struct world *world)
{
    return world_now(world) + 60 * SECOND;
}

void event_init(struct event *event, struct world *world)
{
    event->world = world;
    event->happened = false;
    fiber_queue_init(&event->waiting);
}

void event_happens(void *argument)
{
    struct event *event = argument;
    event->happened = true;
    fiber_wake_all(&event->waiting);
}

void event_wait(struct event *event)
{
    uint64_t deadline_ns = patience(event->world);
    while (!event->happened)
        ck_assert_int_eq(fiber_wait(event->world->scheduler, &event->waiting, deadline_ns), FIBER_WOKEN);
}

static void task_main(void *argument)
{
    struct task *task = argument;
    task->run(task);
    event_happens(&task->over);
}

void task_start(struct task *task, struct world *world, struct scope *scope, void (*run)(struct task *task),
                void *with)
{
    struct error error = {0};
    *task = (struct task){.world = world, .run = run, .with = with};
    event_init(&task->over, world);
    must(fiber_start(world->scheduler, scope, "task", task_main, task, &task->fiber, &error), &error);
}

void task_join(struct task *task)
{
    event_wait(&task->over);
}

void task_cancel_waiting(struct task *task, struct world *world, struct scope *scope,
                         void (*run)(struct task *task), void *with)
{
    task_start(task, world, scope, run, with);
    fiber_yield(world->scheduler);
    ck_assert_msg(!task->over.happened, "it did not wait");
    fiber_cancel(task->fiber, SQLSTATE_QUERY_CANCELED, "canceled by the case");
    task_join(task);
    must_fail("57014", task->failed, &task->error);
    ck_assert_str_eq(error_text(&task->error, ERROR_MESSAGE), "canceled by the case");
}

static uint8_t pattern_at(uint64_t place, uint32_t seed)
{
    uint64_t mixed = (place + seed) * 0x9e3779b97f4a7c15ULL;
    return (uint8_t)(mixed >> 56);
}

void pattern_fill(void *bytes, size_t size, uint64_t offset, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = pattern_at(offset + i, seed);
}

bool pattern_holds(const void *bytes, size_t size, uint64_t offset, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)bytes)[i] != pattern_at(offset + i, seed))
            return false;
    return true;
}

void *memory_of(struct scope *scope, size_t bytes)
{
    void *memory;
    struct error error = {0};
    must(scope_alloc_large(scope, bytes, DISK_ALIGNMENT, &memory, &error), &error);
    return memory;
}
