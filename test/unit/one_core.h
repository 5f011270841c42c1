/* What tests of fibers share: a core's ground (root scope, scheduler) without a world, and a diary. */
#ifndef SYNOD_TEST_UNIT_ONE_CORE_H
#define SYNOD_TEST_UNIT_ONE_CORE_H

#include "test/unit/unit.h"

#include "base/scheduler.h"
#include "base/scope.h"

#include <string.h>

static struct scope *root;
static struct scheduler *scheduler;
static struct error error;

/* What happened, one letter each. */
static char diary[256];

static inline void note(char letter)
{
    size_t used = strlen(diary);
    ck_assert_uint_lt(used, sizeof diary - 1);
    diary[used] = letter;
    diary[used + 1] = '\0';
}

static inline void core_open_with(const struct scheduler_options *options)
{
    root = scope_open_root("root", NULL);
    ck_assert_ptr_nonnull(root);
    ck_assert_int_eq(scheduler_open(root, options, &scheduler, &error), SQLSTATE_OK);
    diary[0] = '\0';
}

static inline void core_open(void)
{
    core_open_with(NULL);
}

/* Closes it; every fiber must have ended, and the scope be gone at once. */
static bool core_gone;

static inline void core_is_gone(void *argument)
{
    (void)argument;
    core_gone = true;
}

static inline void core_close(void)
{
    struct scope_gone record;
    core_gone = false;
    ck_assert_uint_eq(scheduler_fibers(scheduler), 0);
    scope_on_gone(root, &record, core_is_gone, NULL);
    scope_close(root);
    ck_assert(core_gone);
}

static inline struct fiber *start_in(struct scope *scope, void (*run)(void *argument), void *argument)
{
    struct fiber *started = NULL;
    ck_assert_int_eq(fiber_start(scheduler, scope, "tested", run, argument, &started, &error), SQLSTATE_OK);
    return started;
}

static inline struct fiber *start(void (*run)(void *argument), void *argument)
{
    return start_in(root, run, argument);
}

/* Runs until no fiber is ready. */
static inline void run_all(void)
{
    while (scheduler_ready(scheduler))
        scheduler_run(scheduler, 1000);
}

#endif
