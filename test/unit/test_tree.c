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

int main(void)
{
    TCase *tests = tcase_create("tree");
    tcase_add_test(tests, numbers_are_as_in_an_array);
    tcase_add_test(tests, mixed_keys_are_as_in_an_array);
    tcase_add_test(tests, long_keys_are_as_in_an_array);
    tcase_add_test(tests, small_pages_are_as_in_an_array);
    tcase_add_test(tests, large_pages_are_as_in_an_array);
    return unit_run(tests);
}
