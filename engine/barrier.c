/* The cores of a node wait for each other. Those that are not core 0 send it a mail, which it keeps until all have come. */
#include "engine/inside.h"

struct barrier_mail {
    struct mail mail;
    struct engine *engine;
    bool failed;
    bool any_failed;
    bool back;
    struct fiber_queue came_back;
};

/* Core 0 may hear of others before it has come to the first barrier itself, so the barrier is set up on first use. */
static struct barrier *barrier_of(struct engine *engine)
{
    if (!engine->barrier.ready) {
        engine->barrier.ready = true;
        list_init(&engine->barrier.arrived);
        fiber_queue_init(&engine->barrier.full);
    }
    return &engine->barrier;
}

static void arrived(struct world *here, struct mail *mail)
{
    struct barrier_mail *one = container_of(mail, struct barrier_mail, mail);
    struct barrier *barrier = barrier_of(one->engine);
    (void)here;
    list_append(&barrier->arrived, &mail->link);
    barrier->count++;
    barrier->any_failed |= one->failed;
    fiber_wake_all(&barrier->full);
}

static void returned(struct world *here, struct mail *mail)
{
    struct barrier_mail *one = container_of(mail, struct barrier_mail, mail);
    (void)here;
    one->any_failed |= mail->refused;
    one->back = true;
    fiber_wake_all(&one->came_back);
}

static bool wait_for_all(struct engine_core *core, bool failed)
{
    struct barrier *barrier = barrier_of(core->engine);
    fiber_shield_begin(core->world->scheduler);
    while (barrier->count < core->world->cores - 1)
        (void)!fiber_wait(core->world->scheduler, &barrier->full, FIBER_NO_DEADLINE);
    fiber_shield_end(core->world->scheduler);
    bool any_failed = barrier->any_failed || failed;
    barrier->count = 0;
    barrier->any_failed = false;
    for (struct list_link *link; (link = list_take_first(&barrier->arrived));) {
        struct barrier_mail *one =
            container_of(container_of(link, struct mail, link), struct barrier_mail, mail);
        one->any_failed = any_failed;
        mail_return(core->world, &one->mail);
    }
    return !any_failed;
}

bool barrier_wait(struct engine_core *core, bool failed)
{
    if (core->world->core == 0)
        return wait_for_all(core, failed);
    struct barrier_mail one = {.engine = core->engine, .failed = failed};
    fiber_queue_init(&one.came_back);
    one.mail = (struct mail){.deliver = arrived, .returned = returned};
    mail_send(core->world, 0, &one.mail);
    fiber_shield_begin(core->world->scheduler);
    while (!one.back)
        (void)!fiber_wait(core->world->scheduler, &one.came_back, FIBER_NO_DEADLINE);
    fiber_shield_end(core->world->scheduler);
    return !one.any_failed;
}
