/* Snapshots of a core and what collectors may rely on (engine/txn): nothing below txn_oldest() is in use, whatever the order in
 * which snapshots come and go. */
#include "base/scheduler.h"
#include "base/scope.h"
#include "base/world.h"
#include "engine/txn/txn.h"
#include "test/unit/unit.h"

enum { HOLDS = 16, STEPS = 20000 };

static const struct world_ops ops;

struct place {
    struct world world;
    struct txn_shared shared;
    struct txn_core *txn;
    struct scope *scope; /* of the transactions */
};

static void place_open(struct place *place)
{
    struct error error;
    *place = (struct place){.world = {.ops = &ops, .cores = 1}};
    place->world.scope = scope_open_root("test", NULL);
    ck_assert_int_eq(scheduler_open(place->world.scope, NULL, &place->world.scheduler, &error), SQLSTATE_OK);
    place->scope = scope_open(place->world.scope, "transactions");
    ck_assert_int_eq(txn_core_open(&place->world, place->scope, &place->shared, NULL, &place->txn, &error),
                     SQLSTATE_OK);
}

/* The core's fibers hold the scope until they have heard that it closes. */
static void place_close(struct place *place)
{
    scope_close(place->scope);
    while (scheduler_fibers(place->world.scheduler))
        scheduler_run(place->world.scheduler, 100);
    scope_close(place->world.scope);
}

START_TEST(a_snapshot_below_one_that_waits_for_its_own_commits_is_kept)
{
    static struct place place;
    struct snapshot_hold first = {0}, own = {0}, late = {0};
    place_open(&place);
    place.shared.visible = 100;
    snapshot_take(place.txn, &first, 1, 0);
    snapshot_take(place.txn, &own, 2, 105); /* reads its own commit, which is not visible yet */
    snapshot_drop(place.txn, &first);       /* now 105 is the core's oldest */
    snapshot_take(place.txn, &late, 3, 0);
    ck_assert_uint_eq(late.scn, 100);
    place.shared.visible = 200;
    ck_assert_uint_eq(txn_oldest(place.txn), 100);
    snapshot_drop(place.txn, &late);
    ck_assert_uint_eq(txn_oldest(place.txn), 105);
    snapshot_drop(place.txn, &own);
    ck_assert_uint_eq(txn_oldest(place.txn), 200);
    place_close(&place);
}
END_TEST

/* Snapshots at random, some of them ahead of what is visible. */
START_TEST(the_oldest_is_never_above_a_snapshot_in_use_and_never_goes_back)
{
    static struct place place;
    struct snapshot_hold holds[HOLDS] = {0};
    bool held[HOLDS] = {0};
    uint64_t state = 88172645463325252u, before = 0;
    place_open(&place);
    place.shared.visible = 10;
    for (int step = 0; step < STEPS; step++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        int at = (int)(state >> 8 & (HOLDS - 1));
        place.shared.visible += state >> 20 & 1;
        if (held[at])
            snapshot_drop(place.txn, &holds[at]);
        else
            snapshot_take(place.txn, &holds[at], 1, place.shared.visible + (state >> 24 & 7) - 3);
        held[at] = !held[at];
        uint64_t oldest = txn_oldest(place.txn);
        for (int i = 0; i < HOLDS; i++)
            ck_assert(!held[i] || oldest <= holds[i].scn);
        ck_assert_uint_ge(oldest, before);
        before = oldest;
    }
    for (int i = 0; i < HOLDS; i++)
        if (held[i])
            snapshot_drop(place.txn, &holds[i]);
    place_close(&place);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("snapshot");
    tcase_add_test(tests, a_snapshot_below_one_that_waits_for_its_own_commits_is_kept);
    tcase_add_test(tests, the_oldest_is_never_above_a_snapshot_in_use_and_never_goes_back);
    return unit_run(tests);
}
