/* The tree against a sorted array, in a world without faults. */
#include "base/scope.h"
#include "test/sim/stage.h"
#include "test/unit/tree_model.h"
#include "test/unit/unit.h"

#include <stdlib.h>

/* How one test plays. */
struct run {
    uint64_t seed;
    enum key_shape shape;
    uint32_t page_bytes;
    size_t cache_bytes;
    uint64_t keys;
    size_t size_most;
    int rounds;
};

static struct volume *volume_in(struct world *world, uint32_t page_bytes, size_t cache_bytes)
{
    struct error error = {0};
    struct volume *volume;
    uint8_t root[VOLUME_ROOT_BYTES_MAX];
    size_t root_bytes;
    struct volume_options options = {
        .path = "/volume", .page_bytes = page_bytes, .cache_bytes = cache_bytes, .identity = 7};
    must(volume_open(world, world->scope, &options, &volume, root, &root_bytes, &error), &error);
    return volume;
}

static void commit(struct volume *volume, struct tree *tree)
{
    struct error error = {0};
    struct tree_root root = tree_root(tree);
    must(volume_commit(volume, bytes_of(&root, sizeof root), &error), &error);
}

/* No place is in use but those of the tree and its extents, a group and its directory. */
static void no_page_is_lost(struct volume *volume, struct tree *tree, const struct model *model)
{
    struct volume_figures figures;
    commit(volume, tree);
    commit(volume, tree);
    volume_figures(volume, &figures);
    uint64_t page_bytes = volume_page_body_bytes(volume) + 32, used = tree_root(tree).pages + 2, extents = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (model->rows[i].size <= tree_inside_bytes_max(tree))
            continue;
        used += volume_extent_pages(volume, model->rows[i].size);
        extents++;
    }
    ck_assert_uint_eq(figures.held_pages, 0);
    ck_assert_uint_eq(figures.temporary_pages, 0);
    ck_assert_uint_eq(tree_root(tree).extents, extents);
    /* The two more are the reserve for the allocation map. */
    ck_assert_uint_eq(figures.pages - 131072 / page_bytes - figures.free_pages - 2, used);
}

static void act_random_changes(struct world *world, void *argument)
{
    const struct run *run = argument;
    struct error error = {0};
    struct model model;
    uint64_t state = run->seed;
    struct volume *volume = volume_in(world, run->page_bytes, run->cache_bytes);
    struct tree *tree = tree_open(world->scope, volume, &(struct tree_root){0});
    model_open(&model);
    for (int i = 0; i < run->rounds; i++) {
        uint32_t removes = i < run->rounds / 2 ? 30 : 70;
        struct scope *scope = scope_open(world->scope, "round");
        must(model_change(tree, volume, scope, &model, run->shape, run->keys, removes, run->size_most,
                          1 + unit_random_below(&state, 60), &state, &error),
             &error);
        must(model_verify(tree, false, &error), &error);
        if (i % 10 == 0)
            must(model_compare(tree, volume, scope, &model, &state, &error), &error);
        if (unit_random_below(&state, 10) == 0)
            commit(volume, tree);
        scope_close(scope);
    }
    must(model_compare(tree, volume, world->scope, &model, &state, &error), &error);
    no_page_is_lost(volume, tree, &model);
    must(tree_drop(tree, &error), &error);
    ck_assert_uint_eq(tree_root(tree).page, PAGE_NONE);
    model_close(&model);
    model_open(&model);
    no_page_is_lost(volume, tree, &model);
    model_close(&model);
}

static void play(struct run run)
{
    run.seed = run.seed ? run.seed : unit_seed();
    struct sim *sim = stage_open(run.seed, 1);
    stage_act(sim, 0, act_random_changes, &run);
    sim_close(sim);
}

START_TEST(numbers_are_as_in_an_array)
{
    play((struct run){
        .shape = KEYS_NUMBERS, .page_bytes = 16384, .keys = 4000, .size_most = 60000, .rounds = 150});
}
END_TEST

START_TEST(mixed_keys_are_as_in_an_array)
{
    play((struct run){
        .shape = KEYS_MIXED, .page_bytes = 8192, .keys = 3000, .size_most = 20000, .rounds = 200});
}
END_TEST

START_TEST(long_keys_are_as_in_an_array)
{
    play(
        (struct run){.shape = KEYS_LONG, .page_bytes = 8192, .keys = 1000, .size_most = 9000, .rounds = 100});
}
END_TEST

START_TEST(small_pages_are_as_in_an_array)
{
    play((struct run){
        .shape = KEYS_MIXED, .page_bytes = 4096, .keys = 3000, .size_most = 9000, .rounds = 150});
}
END_TEST

START_TEST(large_pages_are_as_in_an_array)
{
    play((struct run){
        .shape = KEYS_MIXED, .page_bytes = 65536, .keys = 3000, .size_most = 99000, .rounds = 60});
}
END_TEST

/* ---- loading ---- */

struct rows {
    const struct model *model;
    size_t next;
    size_t fails_at; /* SIZE_MAX = never */
    bool falls;      /* one row out of order */
    struct world *world;
};

static enum sqlstate next_row(void *argument, struct bytes *key, struct bytes *value, bool *end,
                              struct error *error)
{
    struct rows *rows = argument;
    if (rows->next == rows->fails_at && !rows->falls)
        return error_set(error, SQLSTATE_QUERY_CANCELED, "enough");
    if (rows->next == rows->model->count) {
        *end = true;
        return SQLSTATE_OK;
    }
    bool falls = rows->falls && rows->next == rows->fails_at;
    const struct model_row *row = &rows->model->rows[falls ? 0 : rows->next];
    *key = row->key;
    *value = model_value(row->seed, row->size);
    if (rows->next++ % 50 == 0)
        fiber_yield(rows->world->scheduler);
    return SQLSTATE_OK;
}

static void model_draw(struct model *model, const struct run *run, struct tree *tree, uint64_t *state)
{
    uint8_t room[TREE_KEY_BYTES_MAX];
    for (uint64_t i = 0; i < run->keys; i++) {
        size_t size = unit_random_below(state, 100) ? unit_random_below(state, 150)
                                                    : unit_random_below(state, run->size_most);
        model_set(model, model_key(run->shape, i, tree_key_bytes_max(tree), room), unit_random(state), size);
    }
}

/* Commits until told to stop, so that loads and drops meet commits. */
struct committer {
    struct volume *volume;
    struct tree *tree;
    bool stop, stopped;
};

static void commit_on(void *argument)
{
    struct committer *committer = argument;
    while (!committer->stop)
        commit(committer->volume, committer->tree);
    committer->stopped = true;
}

static void act_load(struct world *world, void *argument)
{
    const struct run *run = argument;
    struct error error = {0};
    struct model model, empty;
    uint64_t state = run->seed;
    struct volume *volume = volume_in(world, run->page_bytes, run->cache_bytes);
    struct tree *tree = tree_open(world->scope, volume, &(struct tree_root){0});
    struct committer committer = {.volume = volume, .tree = tree};
    model_open(&model);
    model_open(&empty);
    model_draw(&model, run, tree, &state);
    must(fiber_start(world->scheduler, world->scope, "commits", commit_on, &committer, NULL, &error), &error);
    struct rows rows = {.model = &model, .world = world, .fails_at = model.count * 2 / 3};
    struct tree_source source = {.next = next_row, .argument = &rows};
    must_fail(SQLSTATE_QUERY_CANCELED, tree_load(tree, &source, 90, &error), &error);
    ck_assert_uint_eq(tree_root(tree).page, PAGE_NONE);
    rows = (struct rows){.model = &model, .world = world, .fails_at = model.count / 2, .falls = true};
    must_fail(SQLSTATE_DATA_EXCEPTION, tree_load(tree, &source, 90, &error), &error);
    rows = (struct rows){.model = &model, .world = world, .fails_at = SIZE_MAX};
    must(tree_load(tree, &source, 70 + (uint32_t)unit_random_below(&state, 31), &error), &error);
    must(model_verify(tree, false, &error), &error);
    must(model_compare(tree, volume, world->scope, &model, &state, &error), &error);
    must(model_change(tree, volume, world->scope, &model, run->shape, run->keys, 50, run->size_most, 300,
                      &state, &error),
         &error);
    must(model_verify(tree, false, &error), &error);
    committer.stop = true;
    while (!committer.stopped)
        fiber_yield(world->scheduler);
    no_page_is_lost(volume, tree, &model);
    must(model_verify(tree, false, &error), &error);
    must(model_compare(tree, volume, world->scope, &model, &state, &error), &error);
    must(tree_drop(tree, &error), &error);
    no_page_is_lost(volume, tree, &empty);
    model_close(&model);
    model_close(&empty);
}

static void load(struct run run)
{
    run.seed = unit_seed();
    struct sim *sim = stage_open(run.seed, 1);
    stage_act(sim, 0, act_load, &run);
    sim_close(sim);
}

START_TEST(loaded_numbers_are_as_in_an_array)
{
    load((struct run){.shape = KEYS_NUMBERS, .page_bytes = 16384, .keys = 15000, .size_most = 30000});
}
END_TEST

START_TEST(loaded_mixed_keys_are_as_in_an_array)
{
    load((struct run){.shape = KEYS_MIXED, .page_bytes = 8192, .keys = 8000, .size_most = 30000});
}
END_TEST

START_TEST(loaded_long_keys_are_as_in_an_array)
{
    load((struct run){.shape = KEYS_LONG, .page_bytes = 8192, .keys = 2000, .size_most = 9000});
}
END_TEST

/* ---- verification ---- */

/* Changes and commits until told to stop, so that what verification has looked up is gone when it has read it. */
struct changer {
    const struct run *run;
    struct world *world;
    struct volume *volume;
    struct tree *tree;
    struct model model;
    uint64_t state;
    int rounds; /* made so far */
    bool stop, stopped;
};

static void change_on(void *argument)
{
    struct changer *changer = argument;
    struct error error = {0};
    while (!changer->stop) {
        must(model_change(changer->tree, changer->volume, changer->world->scope, &changer->model,
                          changer->run->shape, changer->run->keys, 40, changer->run->size_most, 20,
                          &changer->state, &error),
             &error);
        commit(changer->volume, changer->tree);
        changer->rounds++;
    }
    changer->stopped = true;
}

static void act_verify_beside_changes(struct world *world, void *argument)
{
    const struct run *run = argument;
    struct error error = {0};
    struct volume *volume = volume_in(world, run->page_bytes, 0);
    struct changer changer = {.run = run,
                              .world = world,
                              .volume = volume,
                              .tree = tree_open(world->scope, volume, &(struct tree_root){0}),
                              .state = run->seed};
    model_open(&changer.model);
    must(fiber_start(world->scheduler, world->scope, "changes", change_on, &changer, NULL, &error), &error);
    while (changer.rounds < run->rounds) {
        must(model_verify(changer.tree, false, &error), &error);
        fiber_yield(world->scheduler);
    }
    changer.stop = true;
    while (!changer.stopped)
        fiber_yield(world->scheduler);
    ck_assert_uint_gt(tree_root(changer.tree).extents, 0);
    must(model_verify(changer.tree, false, &error), &error);
    model_close(&changer.model);
}

START_TEST(verification_finds_nothing_while_the_tree_changes)
{
    struct run run = {.seed = unit_seed(),
                      .shape = KEYS_MIXED,
                      .page_bytes = 4096,
                      .keys = 300,
                      .size_most = 600000,
                      .rounds = 100};
    struct sim *sim = stage_open(run.seed, 1);
    stage_act(sim, 0, act_verify_beside_changes, &run);
    sim_close(sim);
}
END_TEST

/* ---- temporary trees ---- */

static void act_temporary(struct world *world, void *argument)
{
    const struct run *run = argument;
    struct error error = {0};
    struct model model;
    uint64_t state = run->seed;
    struct volume *volume = volume_in(world, run->page_bytes, 0);
    struct tree *durable = tree_open(world->scope, volume, &(struct tree_root){0});
    struct tree *tree = tree_open_temporary(world->scope, volume);
    struct volume_figures figures;
    model_open(&model);
    /* More than the cache holds, so that pages are written and read again, and commits in between. */
    for (int i = 0; i < run->rounds; i++) {
        must(model_change(tree, volume, world->scope, &model, run->shape, run->keys, 20, run->size_most, 300,
                          &state, &error),
             &error);
        if (i % 5 == 0)
            commit(volume, durable);
    }
    must(model_verify(tree, false, &error), &error);
    must(model_compare(tree, volume, world->scope, &model, &state, &error), &error);
    volume_figures(volume, &figures);
    ck_assert_uint_ge(figures.temporary_pages, tree_root(tree).pages);
    ck_assert_uint_gt(figures.evictions, 0);
    must(tree_drop(tree, &error), &error);
    /* No generation ever had a page. */
    volume_figures(volume, &figures);
    ck_assert_uint_eq(figures.temporary_pages, 0);
    ck_assert_uint_eq(figures.free_pages, figures.pages - 131072 / run->page_bytes - 2);
    model_close(&model);
}

START_TEST(temporary_trees_outgrow_the_cache_and_leave_nothing)
{
    struct run run = {.seed = unit_seed(),
                      .shape = KEYS_MIXED,
                      .page_bytes = 4096,
                      .keys = 18000,
                      .size_most = 9000,
                      .rounds = 60};
    struct sim *sim = stage_open(run.seed, 1);
    stage_act(sim, 0, act_temporary, &run);
    sim_close(sim);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("tree");
    tcase_add_test(tests, numbers_are_as_in_an_array);
    tcase_add_test(tests, mixed_keys_are_as_in_an_array);
    tcase_add_test(tests, long_keys_are_as_in_an_array);
    tcase_add_test(tests, small_pages_are_as_in_an_array);
    tcase_add_test(tests, large_pages_are_as_in_an_array);
    tcase_add_test(tests, loaded_numbers_are_as_in_an_array);
    tcase_add_test(tests, loaded_mixed_keys_are_as_in_an_array);
    tcase_add_test(tests, loaded_long_keys_are_as_in_an_array);
    tcase_add_test(tests, verification_finds_nothing_while_the_tree_changes);
    tcase_add_test(tests, temporary_trees_outgrow_the_cache_and_leave_nothing);
    return stage_run(tests);
}
