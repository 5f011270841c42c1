/* The volume when the outside fails: damaged, foreign, full, broken. */
#include "base/scope.h"
#include "test/sim/stage.h"
#include "test/unit/tree_model.h"
#include "test/unit/unit.h"

#include <stdio.h>

#define PAGE_BYTES 8192
/* Offsets of the superblocks' copies: slot 0 twice, slot 1 twice. */
static const uint64_t superblocks[] = {0, 32768, 65536, 98304};

struct root {
    struct tree_root tree;
    uint64_t commit;
};

/* A volume with a committed tree, in a world; what tests do to it in between lies here. */
struct scene {
    struct sim *sim;
    struct model model;
    uint64_t state;
    uint64_t identity;
    struct volume *volume;
    struct tree *tree;
    uint64_t commits; /* so many were made; each root record has its number */
    uint64_t commit;  /* the one that was opened */
    size_t findings;
    size_t rows_damaged; /* in the ranges of findings */
    enum sqlstate wanted;
    const char *words; /* part of the wanted message */
};

static enum sqlstate scene_open(struct scene *scene, struct world *world, struct error *error)
{
    uint8_t bytes[VOLUME_ROOT_BYTES_MAX];
    size_t size;
    struct root root = {0};
    struct volume_options options = {
        .path = "/data/volume", .page_bytes = PAGE_BYTES, .identity = scene->identity ? scene->identity : 7};
    enum sqlstate failed = volume_open(world, world->scope, &options, &scene->volume, bytes, &size, error);
    if (failed)
        return failed;
    memcpy(&root, bytes, size);
    scene->tree = tree_open(world->scope, scene->volume, &root.tree);
    scene->commit = root.commit;
    return SQLSTATE_OK;
}

static enum sqlstate scene_commit(struct scene *scene, struct error *error)
{
    struct root root = {.tree = tree_root(scene->tree), .commit = scene->commits + 1};
    enum sqlstate failed = volume_commit(scene->volume, bytes_of(&root, sizeof root), error);
    scene->commits += !failed;
    return failed;
}

static enum sqlstate scene_change(struct scene *scene, struct world *world, size_t count, struct error *error)
{
    struct scope *scope = scope_open(world->scope, "change");
    enum sqlstate failed = model_change(scene->tree, scene->volume, scope, &scene->model, KEYS_MIXED, 5000,
                                        20, 20000, count, &scene->state, error);
    scope_close(scope);
    return failed;
}

static void act_fill(struct world *world, void *argument)
{
    struct scene *scene = argument;
    struct error error = {0};
    must(disk_make_directory(world, "/data", &error), &error);
    must(scene_open(scene, world, &error), &error);
    for (int i = 0; i < 8; i++)
        must(scene_change(scene, world, 200, &error), &error);
    must(scene_commit(scene, &error), &error);
}

static void scene_begin(struct scene *scene)
{
    *scene = (struct scene){.state = unit_seed()};
    model_open(&scene->model);
    scene->sim = stage_open(scene->state, 1);
    stage_act(scene->sim, 0, act_fill, scene);
}

static void scene_end(struct scene *scene)
{
    sim_close(scene->sim);
    model_close(&scene->model);
}

/* All is as it was committed. */
static void act_look(struct world *world, void *argument)
{
    struct scene *scene = argument;
    struct error error = {0};
    must(scene_open(scene, world, &error), &error);
    must(model_verify(scene->tree, false, &error), &error);
    must(model_compare(scene->tree, scene->volume, world->scope, &scene->model, &scene->state, &error),
         &error);
}

/* Opening fails as wanted. */
static void act_refused(struct world *world, void *argument)
{
    struct scene *scene = argument;
    struct error error = {0};
    must_fail(scene->wanted, scene_open(scene, world, &error), &error);
    ck_assert_msg(strstr(error_text(&error, ERROR_MESSAGE), scene->words), "%s",
                  error_text(&error, ERROR_MESSAGE));
}

static void rot(struct scene *scene, uint64_t offset)
{
    ck_assert(sim_disk_rot(scene->sim, 0, "/data/volume", offset, 3));
}

/* ---- superblocks ---- */

START_TEST(any_copy_of_the_newest_superblock_will_do)
{
    struct scene scene;
    for (int i = 0; i < 4; i++) {
        scene_begin(&scene);
        rot(&scene, superblocks[i] + 100);
        stage_act(scene.sim, 0, act_look, &scene);
        scene_end(&scene);
    }
}
END_TEST

START_TEST(without_a_whole_superblock_a_volume_does_not_open)
{
    struct scene scene;
    scene_begin(&scene);
    for (int i = 0; i < 4; i++)
        rot(&scene, superblocks[i] + 2048);
    scene.wanted = SQLSTATE_DATA_CORRUPTED;
    scene.words = "both superblocks of volume \"/data/volume\" are damaged: its checksum is wrong";
    stage_act(scene.sim, 0, act_refused, &scene);
    scene_end(&scene);
}
END_TEST

START_TEST(a_foreign_volume_is_refused)
{
    struct scene scene;
    scene_begin(&scene);
    scene.identity = 8;
    scene.wanted = SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    scene.words = "belongs to another node or core";
    stage_act(scene.sim, 0, act_refused, &scene);
    scene_end(&scene);
}
END_TEST

/* Opens and commits, or fails for the disk's reason; what opens is the last commit. */
static void act_try(struct world *world, void *argument)
{
    struct scene *scene = argument;
    struct error error = {0};
    enum sqlstate failed = scene_open(scene, world, &error);
    scene->findings += failed != SQLSTATE_OK;
    if (failed) {
        must_fail(SQLSTATE_IO_ERROR, failed, &error);
        return;
    }
    ck_assert_uint_eq(scene->commit, scene->commits);
    must(scene_commit(scene, &error), &error);
}

START_TEST(a_superblock_that_cannot_be_read_is_not_passed_over)
{
    struct scene scene;
    scene_begin(&scene);
    for (int i = 0; i < 60; i++) {
        sim_faults(scene.sim)->read_error_ppm = 100000 + 5000 * (uint32_t)i;
        stage_act(scene.sim, 0, act_try, &scene);
    }
    ck_assert_uint_gt(scene.findings, 5);
    ck_assert_uint_lt(scene.findings, 60);
    sim_faults(scene.sim)->read_error_ppm = 0;
    stage_act(scene.sim, 0, act_look, &scene);
    scene_end(&scene);
}
END_TEST

/* ---- rot ---- */

static void count_finding(void *argument, const char *sentence, struct bytes from, struct bytes to,
                          bool to_open)
{
    struct scene *scene = argument;
    size_t first, behind;
    ck_assert_ptr_nonnull(strstr(sentence, "damaged"));
    scene->findings++;
    model_find(&scene->model, from, &first);
    model_find(&scene->model, to, &behind);
    if (bytes_compare(from, to) == 0 && !to_open)
        behind = first + 1; /* an extent: its row */
    scene->rows_damaged += (to_open ? scene->model.count : behind) - first;
}

/* Verification says which rows cannot be read, and all others can. */
static void act_look_beside(struct world *world, void *argument)
{
    struct scene *scene = argument;
    struct error error = {0};
    size_t unread = 0;
    scene->findings = scene->rows_damaged = 0;
    must(scene_open(scene, world, &error), &error);
    must(tree_verify(scene->tree, count_finding, scene, &error), &error);
    for (size_t i = 0; i < scene->model.count; i++) {
        const struct model_row *row = &scene->model.rows[i];
        struct tree_value value;
        uint64_t missing;
        enum tree_answer answer;
        enum sqlstate failed = SQLSTATE_OK;
        while (!failed && (answer = tree_find(scene->tree, row->key, &value, &missing)) == TREE_MISSING)
            failed = tree_fetch(scene->tree, missing, &error);
        if (!failed && value.extent != PAGE_NONE) {
            struct scope *scope = scope_open(world->scope, "extent");
            void *memory;
            must(scope_alloc_large(scope, value.size, 16, &memory, &error), &error);
            failed = volume_extent_read(scene->volume, scope, value.extent, 0, memory, value.size, &error);
            ck_assert(failed || model_value_is(bytes_of(memory, value.size), row->seed));
            scope_close(scope);
        }
        if (failed)
            must_fail(SQLSTATE_DATA_CORRUPTED, failed, &error);
        else
            ck_assert_int_eq(answer, TREE_FOUND);
        unread += failed != SQLSTATE_OK;
    }
    ck_assert_uint_eq(unread, scene->rows_damaged);
}

START_TEST(rot_in_any_page_costs_the_rows_it_is_reported_for)
{
    struct scene scene;
    scene_begin(&scene);
    size_t found = 0;
    for (uint64_t place = 131072 / PAGE_BYTES; place < 131072 / PAGE_BYTES + 600; place += 3) {
        if (!sim_disk_rot(scene.sim, 0, "/data/volume", place * PAGE_BYTES + place % PAGE_BYTES, 5))
            break;
        stage_act(scene.sim, 0, act_look_beside, &scene);
        found += scene.findings;
        ck_assert_uint_le(scene.findings, 1);
        ck_assert(sim_disk_rot(scene.sim, 0, "/data/volume", place * PAGE_BYTES + place % PAGE_BYTES, 5));
    }
    ck_assert_uint_gt(found, 20);
    stage_act(scene.sim, 0, act_look, &scene);
    scene_end(&scene);
}
END_TEST

/* ---- failing writes ---- */

static void act_write_fails(struct world *world, void *argument)
{
    struct scene *scene = argument;
    struct error error = {0};
    struct model before;
    must(scene_open(scene, world, &error), &error);
    model_copy(&before, &scene->model);
    must(scene_change(scene, world, 100, &error), &error);
    if (scene->wanted == SQLSTATE_IO_ERROR)
        sim_faults(scene->sim)->write_error_ppm = 1000000;
    else
        sim_faults(scene->sim)->sync_error_ppm = 1000000;
    must_fail(SQLSTATE_IO_ERROR, scene_commit(scene, &error), &error);
    sim_faults(scene->sim)->write_error_ppm = sim_faults(scene->sim)->sync_error_ppm = 0;
    /* Nothing is tried again, and reading goes on. */
    must_fail(SQLSTATE_IO_ERROR, scene_commit(scene, &error), &error);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "takes no more changes"));
    must_fail(SQLSTATE_IO_ERROR, scene_change(scene, world, 10, &error), &error);
    enum sqlstate failed =
        model_compare(scene->tree, scene->volume, world->scope, &scene->model, &scene->state, &error);
    /* What was written and not synced may be gone when the sync fails; it is neither taken for something else nor for
     * rot. */
    if (failed)
        must_fail(SQLSTATE_IO_ERROR, failed, &error);
    ck_assert(volume_failed(scene->volume));
    model_close(&scene->model);
    scene->model = before;
}

START_TEST(after_a_failed_write_nothing_is_committed_and_the_last_commit_stands)
{
    struct scene scene;
    scene_begin(&scene);
    scene.wanted = SQLSTATE_IO_ERROR;
    stage_act(scene.sim, 0, act_write_fails, &scene);
    stage_act(scene.sim, 0, act_look, &scene);
    scene_end(&scene);
}
END_TEST

START_TEST(after_a_failed_sync_nothing_is_committed_and_the_last_commit_stands)
{
    struct scene scene;
    scene_begin(&scene);
    scene.wanted = SQLSTATE_OK;
    stage_act(scene.sim, 0, act_write_fails, &scene);
    stage_act(scene.sim, 0, act_look, &scene);
    scene_end(&scene);
}
END_TEST

/* ---- a full disk ---- */

static void act_fill_up(struct world *world, void *argument)
{
    struct scene *scene = argument;
    struct error error = {0};
    enum sqlstate failed = SQLSTATE_OK;
    must(scene_open(scene, world, &error), &error);
    sim_disk_room(scene->sim, 0, 8 * 1024 * 1024);
    for (int i = 0; i < 200 && !failed; i++)
        failed = scene_change(scene, world, 100, &error);
    must_fail(SQLSTATE_DISK_FULL, failed, &error);
    /* What was changed before can be committed, and read. */
    must(scene_commit(scene, &error), &error);
    must(model_verify(scene->tree, false, &error), &error);
    must(model_compare(scene->tree, scene->volume, world->scope, &scene->model, &scene->state, &error),
         &error);
    /* When there is room again, work goes on. */
    sim_disk_room(scene->sim, 0, 200 * 1024 * 1024);
    must(scene_change(scene, world, 300, &error), &error);
    must(scene_commit(scene, &error), &error);
}

START_TEST(a_full_disk_stops_changes_until_there_is_room)
{
    struct scene scene;
    scene_begin(&scene);
    stage_act(scene.sim, 0, act_fill_up, &scene);
    stage_act(scene.sim, 0, act_look, &scene);
    scene_end(&scene);
}
END_TEST

/* ---- room that is given back ---- */

#define GIVEN_BYTES (24U * 1024 * 1024)

static void extent_fill(struct scene *scene, struct world *world, uint8_t with, uint64_t *first)
{
    struct error error;
    void *memory;
    struct scope *scope = scope_open(world->scope, "extent");
    must(scope_alloc_large(scope, GIVEN_BYTES, 16, &memory, &error), &error);
    memset(memory, with, GIVEN_BYTES);
    must(volume_extent_new(scene->volume, volume_extent_pages(scene->volume, GIVEN_BYTES), first, &error),
         &error);
    must(volume_extent_write(scene->volume, scope, *first, 0, bytes_of(memory, GIVEN_BYTES), &error), &error);
    memset(memory, 0, GIVEN_BYTES);
    must(volume_extent_read(scene->volume, scope, *first, 0, memory, GIVEN_BYTES, &error), &error);
    for (size_t i = 0; i < GIVEN_BYTES; i += 1000)
        if (((uint8_t *)memory)[i] != with)
            ck_abort_msg("byte %zu of an extent is %u", i, ((uint8_t *)memory)[i]);
    scope_close(scope);
}

static struct volume_figures figures_of(const struct scene *scene)
{
    struct volume_figures figures;
    volume_figures(scene->volume, &figures);
    return figures;
}

static void act_give_back(struct world *world, void *argument)
{
    struct scene *scene = argument;
    struct error error;
    uint64_t first;
    must(scene_open(scene, world, &error), &error);
    must(scene_commit(scene, &error), &error);
    for (uint8_t with = 1; with < 4; with++) {
        uint64_t before = figures_of(scene).hole_pages;
        extent_fill(scene, world, with, &first);
        ck_assert(!before || figures_of(scene).hole_pages < before);
        must(scene_commit(scene, &error), &error);
        volume_extent_free(scene->volume, first, volume_extent_pages(scene->volume, GIVEN_BYTES));
        must(scene_commit(scene, &error), &error);
        struct volume_figures figures = figures_of(scene);
        ck_assert_uint_ge(figures.hole_pages * PAGE_BYTES, GIVEN_BYTES / 4 * 3);
        ck_assert_uint_le(figures.hole_pages, figures.free_pages);
        ck_assert_uint_eq(figures.temporary_pages, 0);
    }
}

START_TEST(room_that_is_free_goes_back_to_the_disk_and_can_be_used_again)
{
    struct scene scene;
    scene_begin(&scene);
    stage_act(scene.sim, 0, act_give_back, &scene);
    stage_act(scene.sim, 0, act_look, &scene);
    scene_end(&scene);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("volume");
    tcase_add_test(tests, any_copy_of_the_newest_superblock_will_do);
    tcase_add_test(tests, without_a_whole_superblock_a_volume_does_not_open);
    tcase_add_test(tests, a_foreign_volume_is_refused);
    tcase_add_test(tests, a_superblock_that_cannot_be_read_is_not_passed_over);
    tcase_add_test(tests, rot_in_any_page_costs_the_rows_it_is_reported_for);
    tcase_add_test(tests, after_a_failed_write_nothing_is_committed_and_the_last_commit_stands);
    tcase_add_test(tests, after_a_failed_sync_nothing_is_committed_and_the_last_commit_stands);
    tcase_add_test(tests, a_full_disk_stops_changes_until_there_is_room);
    tcase_add_test(tests, room_that_is_free_goes_back_to_the_disk_and_can_be_used_again);
    return stage_run(tests);
}
