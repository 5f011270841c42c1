/* Slab pools against a model that knows what every piece holds. */
#include "base/scope.h"
#include "base/slab.h"
#include "test/unit/unit.h"

#include <string.h>

#define PIECES 500

struct held {
    uint8_t *piece;
    size_t bytes;
    uint8_t fill;
};

/* One assertion for all bytes: each is a system call of Check's. */
static void check_content(const struct held *held)
{
    size_t same = 0;
    while (same < held->bytes && held->piece[same] == held->fill)
        same++;
    ck_assert_uint_eq(same, held->bytes);
}

START_TEST(pieces_of_every_size_keep_their_content_while_others_come_and_go)
{
    uint64_t random = unit_seed();
    struct scope *scope = scope_open_root("test", NULL);
    struct slab_pool *pool = slab_pool_open(scope);
    struct held held[PIECES] = {0};
    for (int step = 0; step < 50000; step++) {
        struct held *one = &held[unit_random_below(&random, PIECES)];
        if (one->piece) {
            check_content(one);
            slab_free(pool, one->piece, one->bytes);
            one->piece = NULL;
            continue;
        }
        uint64_t largest = unit_random_below(&random, 10) ? 600 : 3 * SLAB_PIECE_BYTES_MAX / 2;
        one->bytes = 1 + unit_random_below(&random, largest);
        one->fill = (uint8_t)unit_random(&random);
        one->piece = slab_alloc(pool, one->bytes);
        ck_assert_uint_eq((uintptr_t)one->piece % 16, 0);
        memset(one->piece, one->fill, one->bytes);
    }
    for (int i = 0; i < PIECES; i++)
        if (held[i].piece) {
            check_content(&held[i]);
            slab_free(pool, held[i].piece, held[i].bytes);
        }
    ck_assert_uint_eq(slab_pool_used(pool), 0);
    scope_close(scope);
}
END_TEST

START_TEST(a_freed_piece_serves_the_next_of_its_size)
{
    struct scope *scope = scope_open_root("test", NULL);
    struct slab_pool *pool = slab_pool_open(scope);
    for (size_t bytes = 1; bytes <= SLAB_PIECE_BYTES_MAX; bytes++) {
        void *first = slab_alloc(pool, bytes);
        slab_free(pool, first, bytes);
        void *second = slab_alloc(pool, bytes);
        ck_assert_ptr_eq(first, second);
        slab_free(pool, second, bytes);
    }
    scope_close(scope);
}
END_TEST

static void free_twice(void *argument)
{
    (void)argument;
    struct scope *scope = scope_open_root("test", NULL);
    struct slab_pool *pool = slab_pool_open(scope);
    void *piece = slab_alloc(pool, 8192);
    slab_free(pool, slab_alloc(pool, 100), 100);
    slab_free(pool, piece, 16384);
}

START_TEST(giving_back_more_than_was_taken_stops_the_process)
{
    ck_assert(unit_check_fails(free_twice, NULL, "pool->used >= bytes"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("slab");
    tcase_add_test(tests, pieces_of_every_size_keep_their_content_while_others_come_and_go);
    tcase_add_test(tests, a_freed_piece_serves_the_next_of_its_size);
    tcase_add_test(tests, giving_back_more_than_was_taken_stops_the_process);
    return unit_run(tests);
}
