/* Scopes: what they own lives exactly as long as the head of scope.h draws. */
#include "test/unit/unit.h"

#include "base/list.h"
#include "base/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the system's allocator, watched and made to fail (linked with --wrap) ---- */

static size_t system_calls;
static bool system_has_none; /* only around the calls under test: Check allocates, too */
static size_t system_gives;  /* mallocs it grants all the same */

void *__real_malloc(size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    system_calls++;
    if (system_has_none && system_gives == 0)
        return NULL;
    system_gives -= system_has_none;
    return __real_malloc(bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    system_calls++;
    return system_has_none ? NULL : __real_aligned_alloc(alignment, bytes);
}

/* ---- a diary of what happened, one letter each ---- */

static char diary[64];

static void note(void *argument)
{
    strcat(diary, argument);
}

/* ---- memory ---- */

/* Whether every byte is `mark`. (An assertion for each byte would take minutes.) */
static bool all_are(const uint8_t *memory, size_t bytes, uint8_t mark)
{
    for (size_t at = 0; at < bytes; at++) {
        if (memory[at] != mark)
            return false;
    }
    return true;
}

START_TEST(memory_is_aligned_and_belongs_to_nobody_else)
{
    struct piece {
        uint8_t *memory;
        size_t bytes;
        uint8_t mark;
    };
    static struct piece pieces[2000];
    uint64_t random = unit_seed();
    for (int round = 0; round < 5; round++) {
        struct scope *root = scope_open_root("root", NULL);
        for (size_t i = 0; i < 2000; i++) {
            size_t magnitude = (size_t)1 << unit_random_below(&random, i % 100 ? 10 : 21);
            struct piece *piece = &pieces[i];
            piece->bytes = unit_random_below(&random, magnitude);
            piece->mark = (uint8_t)unit_random(&random);
            piece->memory = scope_alloc(root, piece->bytes);
            ck_assert_uint_eq((uintptr_t)piece->memory % 16, 0);
            memset(piece->memory, piece->mark, piece->bytes);
        }
        for (size_t i = 0; i < 2000; i++) {
            ck_assert(all_are(pieces[i].memory, pieces[i].bytes, pieces[i].mark));
        }
        scope_close(root);
    }
}
END_TEST

START_TEST(memory_of_the_largest_small_size_is_given)
{
    struct scope *root = scope_open_root("root", NULL);
    memset(scope_alloc(root, SCOPE_SMALL_BYTES), 1, SCOPE_SMALL_BYTES);
    ck_assert_uint_ge(scope_bytes(root), SCOPE_SMALL_BYTES);
    scope_close(root);
}
END_TEST

START_TEST(zeroed_memory_is_zero_in_used_chunks_too)
{
    struct scope *root = scope_open_root("root", NULL);
    for (int round = 0; round < 3; round++) {
        struct scope *child = scope_open(root, "child");
        uint8_t *memory = scope_alloc_zeroed(child, 3000);
        ck_assert(all_are(memory, 3000, 0));
        memset(memory, 0xff, 3000);
        scope_close(child);
    }
    scope_close(root);
}
END_TEST

START_TEST(copies_are_the_scopes_own)
{
    struct scope *root = scope_open_root("root", NULL);
    char text[] = "text";
    char *copy = scope_copy_text(root, text);
    char *part = scope_copy(root, text, 2);
    text[0] = 'n';
    ck_assert_str_eq(copy, "text");
    ck_assert_int_eq(memcmp(part, "te", 2), 0);
    ck_assert_ptr_nonnull(scope_copy(root, NULL, 0));
    scope_close(root);
}
END_TEST

START_TEST(opening_and_closing_in_a_steady_state_leaves_the_system_alone)
{
    struct scope *root = scope_open_root("root", NULL);
    size_t calls = 0;
    for (int round = 0; round < 100; round++) {
        if (round == 1)
            calls = system_calls;
        struct scope *session = scope_open(root, "session");
        for (int i = 0; i < 100; i++) {
            struct scope *statement = scope_open(session, "statement");
            for (int j = 0; j < 50; j++)
                scope_alloc(statement, 1000);
            scope_close(statement);
        }
        scope_close(session);
    }
    ck_assert_uint_eq(system_calls, calls);
    scope_close(root);
}
END_TEST

START_TEST(a_big_scope_takes_few_chunks)
{
    struct scope *root = scope_open_root("root", NULL);
    size_t before = system_calls, total = 16 * 1024 * 1024;
    for (size_t taken = 0; taken < total; taken += 64)
        scope_alloc(root, 64);
    ck_assert_uint_lt(system_calls - before, 150);
    ck_assert_uint_lt(scope_bytes(root), total * 2);
    scope_close(root);
}
END_TEST

static void alloc_more_than_there_are_addresses(void *root)
{
    volatile size_t bytes = SIZE_MAX; /* what the compiler would refuse to see */
    scope_alloc(root, bytes);
}

START_TEST(a_large_size_asked_of_scope_alloc_is_a_block_that_goes_past_limits)
{
    struct budget budget = {.limit = SCOPE_SMALL_BYTES};
    struct scope *root = scope_open_root("root", &budget);
    struct error error = {0};
    memset(scope_alloc(root, 3 * SCOPE_SMALL_BYTES), 1, 3 * SCOPE_SMALL_BYTES);
    ck_assert_uint_ge(budget.used, 3 * SCOPE_SMALL_BYTES);
    ck_assert_int_eq(scope_check_budget(root, &error), SQLSTATE_OUT_OF_MEMORY);
    ck_assert(unit_check_fails(alloc_more_than_there_are_addresses, root, "use scope_alloc_large()"));
    scope_close(root);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif

#ifdef POISONS
static uint8_t *volatile victim;

static void touch_victim(void *argument)
{
    victim[*(size_t *)argument] = 1;
}

static bool poisoned(size_t offset)
{
    char said[16384];
    unit_run_apart(touch_victim, &offset, said, sizeof said);
    return strstr(said, "use-after-poison");
}

START_TEST(the_address_sanitizer_sees_overruns_and_use_after_the_end)
{
    struct scope *root = scope_open_root("root", NULL);
    struct scope *child = scope_open(root, "child");
    victim = scope_alloc(child, 32);
    scope_alloc(child, 32);
    ck_assert(!poisoned(31));
    ck_assert(poisoned(32));
    victim = scope_alloc(child, 5);
    ck_assert(!poisoned(4));
    ck_assert(poisoned(5));
    victim = scope_alloc(child, 100000);
    ck_assert(!poisoned(99999));
    ck_assert(poisoned(100000));
    scope_close(child);
    ck_assert(poisoned(0));
    victim = (uint8_t *)child;
    ck_assert(poisoned(0));
    scope_close(root);
}
END_TEST
#endif

/* ---- large blocks ---- */

START_TEST(large_blocks_have_the_alignment_asked_for)
{
    struct scope *root = scope_open_root("root", NULL);
    struct error error;
    for (size_t alignment = 1; alignment <= 1 << 21; alignment *= 2) {
        for (size_t bytes = 0; bytes < 100000; bytes = bytes * 7 + 1) {
            void *memory;
            ck_assert_int_eq(scope_alloc_large(root, bytes, alignment, &memory, &error), SQLSTATE_OK);
            ck_assert_uint_eq((uintptr_t)memory % alignment, 0);
            memset(memory, 1, bytes);
        }
    }
    scope_close(root);
}
END_TEST

START_TEST(a_large_block_may_be_freed_before_the_end)
{
    struct budget budget = {.limit = 1 << 22};
    struct scope *root = scope_open_root("root", &budget);
    struct error error;
    void *memory;
    size_t before = budget.used;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(scope_alloc_large(root, 3 << 20, 4096, &memory, &error), SQLSTATE_OK);
        ck_assert_uint_ge(budget.used, 3 << 20);
        scope_free_large(root, memory);
        ck_assert_uint_eq(budget.used, before);
        ck_assert_uint_eq(scope_bytes(root), before);
    }
    scope_close(root);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(a_large_block_past_the_limit_is_an_error)
{
    struct budget node = {.limit = 1 << 20}, session = {.parent = &node, .limit = SIZE_MAX};
    struct scope *root = scope_open_root("root", &node);
    struct scope *child = scope_open_with_budget(root, "child", &session);
    struct error error;
    void *memory;
    size_t before = node.used;
    ck_assert_int_eq(scope_alloc_large(child, 1 << 20, 16, &memory, &error), SQLSTATE_OUT_OF_MEMORY);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "out of memory");
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_DETAIL), "limit of 1048576 bytes"));
    ck_assert_uint_eq(node.used, before);
    ck_assert_int_eq(scope_alloc_large(child, 1 << 19, 16, &memory, &error), SQLSTATE_OK);
    ck_assert_int_eq(scope_check_budget(child, &error), SQLSTATE_OK);
    scope_close(root);
}
END_TEST

START_TEST(a_large_block_the_system_does_not_have_is_an_error)
{
    struct scope *root = scope_open_root("root", NULL);
    struct error error;
    void *memory;
    size_t sizes[] = {SIZE_MAX, SIZE_MAX - 64, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX - 10, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        error_clear(&error);
        system_has_none = true;
        enum sqlstate failed = scope_alloc_large(root, sizes[i], 4096, &memory, &error);
        system_has_none = false;
        ck_assert_int_eq(failed, SQLSTATE_OUT_OF_MEMORY);
        ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_DETAIL), "The system has none"));
    }
    scope_close(root);
}
END_TEST

static void free_anothers_block(void *argument)
{
    void *memory;
    struct error error;
    struct scope *child = scope_open(argument, "child");
    if (!scope_alloc_large(argument, 100, 16, &memory, &error))
        scope_free_large(child, memory);
}

static void alloc_with_odd_alignment(void *root)
{
    void *memory;
    struct error error;
    (void)scope_alloc_large(root, 100, 24, &memory, &error);
}

START_TEST(large_blocks_are_used_by_the_rules)
{
    struct scope *root = scope_open_root("root", NULL);
    ck_assert(unit_check_fails(free_anothers_block, root, "\"child\" frees a block that is not its own"));
    ck_assert(unit_check_fails(alloc_with_odd_alignment, root, "alignment 24"));
    scope_close(root);
}
END_TEST

/* ---- budgets ---- */

START_TEST(a_charge_counts_in_every_ancestor)
{
    struct budget node = {.limit = SIZE_MAX}, session = {.parent = &node, .limit = SIZE_MAX};
    struct scope *root = scope_open_root("root", &node);
    struct scope *child = scope_open_with_budget(root, "session", &session);
    struct scope *grandchild = scope_open(child, "statement");
    scope_alloc(grandchild, 100000);
    ck_assert_uint_eq(session.used, scope_bytes(child) + scope_bytes(grandchild));
    ck_assert_uint_eq(node.used, session.used + scope_bytes(root));
    size_t peak = node.used;
    scope_close(child);
    ck_assert_uint_eq(session.used, 0);
    ck_assert_uint_eq(node.used, scope_bytes(root));
    ck_assert_uint_eq(node.peak, peak);
    scope_close(root);
    ck_assert_uint_eq(node.used, 0);
}
END_TEST

START_TEST(past_the_limit_small_allocations_succeed_and_the_next_check_tells)
{
    struct budget node = {.limit = SIZE_MAX}, session = {.parent = &node, .limit = 100000};
    struct scope *root = scope_open_root("root", &node);
    struct scope *child = scope_open_with_budget(root, "session", &session);
    struct scope *statement = scope_open(child, "statement");
    struct error error;
    scope_alloc(statement, 50000);
    ck_assert_int_eq(scope_check_budget(statement, &error), SQLSTATE_OK);
    memset(scope_alloc(statement, 60000), 1, 60000);
    ck_assert_int_eq(scope_check_budget(statement, &error), SQLSTATE_OUT_OF_MEMORY);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_DETAIL), "exceeded the limit of 100000 bytes"));
    ck_assert_int_eq(scope_check_budget(child, &error), SQLSTATE_OUT_OF_MEMORY);
    ck_assert_int_eq(scope_check_budget(root, &error), SQLSTATE_OK);
    scope_close(statement);
    ck_assert_int_eq(scope_check_budget(child, &error), SQLSTATE_OK);
    scope_close(root);
}
END_TEST

/* ---- a system without memory ---- */

START_TEST(a_root_without_memory_is_null)
{
    for (size_t granted = 0; granted < 2; granted++) {
        system_has_none = true;
        system_gives = granted;
        struct scope *root = scope_open_root("root", NULL);
        system_has_none = false;
        ck_assert_ptr_null(root);
    }
}
END_TEST

START_TEST(the_reserve_carries_work_to_its_next_check)
{
    struct budget budget = {.limit = SIZE_MAX};
    struct scope *root = scope_open_root("root", &budget);
    struct error error;
    for (int round = 0; round < 3; round++) {
        struct scope *child = scope_open(root, "child");
        scope_alloc(child, 4000);
        system_has_none = true;
        memset(scope_alloc(child, SCOPE_SMALL_BYTES), 1, SCOPE_SMALL_BYTES);
        struct scope *grandchild = scope_open(child, "grandchild");
        memset(scope_alloc(grandchild, 100), 2, 100);
        system_has_none = false;
        ck_assert_int_eq(scope_check_budget(child, &error), SQLSTATE_OUT_OF_MEMORY);
        ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_DETAIL), "The system has none"));
        scope_close(child);
        ck_assert_int_eq(scope_check_budget(root, &error), SQLSTATE_OK);
    }
    scope_close(root);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

static void use_the_reserve_up(void *root)
{
    system_has_none = true;
    for (;;)
        scope_alloc(root, 100000);
}

START_TEST(when_the_reserve_is_gone_too_a_check_stops)
{
    struct scope *root = scope_open_root("root", NULL);
    ck_assert(unit_check_fails(use_the_reserve_up, root, "of the reserve only"));
    scope_close(root);
}
END_TEST

/* ---- ends ---- */

START_TEST(actions_are_undone_in_reverse)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "a");
    scope_undo(root, note, "b");
    scope_undo(root, note, "c");
    scope_close(root);
    ck_assert_str_eq(diary, "cba");
}
END_TEST

START_TEST(closing_a_parent_closes_its_children_newest_first)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "r");
    for (int i = 0; i < 3; i++) {
        struct scope *child = scope_open(root, "child");
        scope_undo(child, note, (char *[]){"1", "2", "3"}[i]);
        scope_undo(scope_open(child, "grandchild"), note, (char *[]){"a", "b", "c"}[i]);
    }
    scope_close(root);
    ck_assert_str_eq(diary, "c3b2a1r");
}
END_TEST

START_TEST(on_close_runs_at_once_and_undo_after_the_last_hold)
{
    struct scope *root = scope_open_root("root", NULL);
    struct scope *child = scope_open(root, "child");
    scope_undo(child, note, "u");
    scope_on_close(child, note, "1");
    scope_on_close(child, note, "2");
    scope_hold(child);
    scope_hold(child);
    ck_assert(!scope_closing(child));
    scope_close(child);
    ck_assert(scope_closing(child));
    ck_assert_str_eq(diary, "21");
    scope_release(child);
    ck_assert_str_eq(diary, "21");
    scope_release(child);
    ck_assert_str_eq(diary, "21u");
    scope_close(root);
}
END_TEST

START_TEST(a_hold_keeps_memory_and_all_ancestors_alive)
{
    struct budget budget = {.limit = SIZE_MAX};
    struct scope *root = scope_open_root("root", &budget);
    struct scope *child = scope_open(root, "child");
    struct scope *grandchild = scope_open(child, "grandchild");
    scope_undo(root, note, "r");
    scope_undo(child, note, "c");
    scope_undo(grandchild, note, "g");
    char *of_child = scope_copy_text(child, "of the child"), *of_root = scope_copy_text(root, "of the root");
    char *of_grandchild = scope_copy_text(grandchild, "of the grandchild");
    scope_hold(grandchild);
    scope_close(root);
    ck_assert(scope_closing(grandchild));
    ck_assert_str_eq(diary, "");
    ck_assert_str_eq(of_grandchild, "of the grandchild");
    ck_assert_str_eq(of_child, "of the child");
    ck_assert_str_eq(of_root, "of the root");
    scope_copy_text(grandchild, "memory can be had while closing");
    scope_release(grandchild);
    ck_assert_str_eq(diary, "gcr");
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(holding_a_parent_does_not_keep_its_children)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "r");
    scope_undo(scope_open(root, "child"), note, "c");
    scope_hold(root);
    scope_close(root);
    ck_assert_str_eq(diary, "c");
    scope_release(root);
    ck_assert_str_eq(diary, "cr");
}
END_TEST

START_TEST(closing_twice_is_harmless_while_held)
{
    struct scope *root = scope_open_root("root", NULL);
    struct scope *child = scope_open(root, "child");
    scope_on_close(child, note, "s");
    scope_undo(child, note, "u");
    scope_hold(child);
    scope_close(child);
    scope_close(child);
    scope_close(root);
    ck_assert_str_eq(diary, "s");
    scope_close(root);
    scope_release(child);
    ck_assert_str_eq(diary, "su");
}
END_TEST

static void release(void *scope)
{
    note("x");
    scope_release(scope);
}

START_TEST(an_operation_may_land_when_it_is_told_to_stop)
{
    struct scope *root = scope_open_root("root", NULL);
    struct scope *child = scope_open(root, "child");
    scope_undo(child, note, "u");
    scope_hold(child);
    scope_on_close(child, note, "y");
    scope_on_close(child, release, child);
    scope_close(child);
    ck_assert_str_eq(diary, "xyu");
    scope_close(root);
}
END_TEST

static void close_scope(void *scope)
{
    scope_close(scope);
}

START_TEST(a_sibling_may_be_closed_when_one_is_told_to_stop)
{
    struct scope *root = scope_open_root("root", NULL);
    struct scope *elder = scope_open(root, "elder"), *younger = scope_open(root, "younger");
    scope_undo(elder, note, "e");
    scope_undo(younger, note, "y");
    scope_on_close(younger, close_scope, elder);
    scope_close(root);
    ck_assert_str_eq(diary, "ey");
}
END_TEST

START_TEST(a_parent_may_be_closed_again_by_a_child_that_stops)
{
    struct scope *root = scope_open_root("root", NULL);
    struct scope *child = scope_open(root, "child");
    scope_undo(root, note, "r");
    scope_on_close(child, close_scope, root);
    scope_undo(child, close_scope, root);
    scope_close(child);
    ck_assert_str_eq(diary, "r");
}
END_TEST

START_TEST(a_child_opened_while_closing_is_closed_when_the_last_hold_goes)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "r");
    scope_hold(root);
    scope_close(root);
    struct scope *late = scope_open(root, "late");
    scope_undo(late, note, "l");
    ck_assert_str_eq(diary, "");
    scope_hold(late);
    scope_release(root);
    ck_assert(scope_closing(late));
    ck_assert_str_eq(diary, "");
    scope_release(late);
    ck_assert_str_eq(diary, "lr");
}
END_TEST

static void hold(void *scope)
{
    note("h");
    scope_hold(scope);
}

START_TEST(an_action_that_holds_delays_the_actions_before_it)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "a");
    scope_undo(root, hold, root);
    scope_undo(root, note, "c");
    scope_close(root);
    ck_assert_str_eq(diary, "ch");
    scope_release(root);
    ck_assert_str_eq(diary, "cha");
}
END_TEST

static void hold_and_release(void *scope)
{
    scope_hold(scope);
    scope_release(scope);
    scope_close(scope);
    note("b");
}

START_TEST(an_action_may_hold_release_and_close_its_scope)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "a");
    scope_undo(root, hold_and_release, root);
    scope_close(root);
    ck_assert_str_eq(diary, "ba");
}
END_TEST

static void undo_more(void *scope)
{
    scope_undo(scope, note, "m");
}

START_TEST(an_action_registered_while_undoing_runs_next)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "a");
    scope_undo(root, undo_more, root);
    scope_close(root);
    ck_assert_str_eq(diary, "ma");
}
END_TEST

START_TEST(a_canceled_action_does_not_run)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "a");
    struct scope_undo *b = scope_undo(root, note, "b");
    struct scope_undo *s = scope_on_close(root, note, "s");
    scope_undo(root, note, "c");
    scope_undo_cancel(b);
    scope_undo_cancel(s);
    scope_close(root);
    ck_assert_str_eq(diary, "ca");
}
END_TEST

START_TEST(an_action_run_now_does_not_run_again)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "a");
    struct scope_undo *b = scope_undo(root, note, "b");
    scope_undo(root, note, "c");
    scope_undo_now(b);
    ck_assert_str_eq(diary, "b");
    scope_close(root);
    ck_assert_str_eq(diary, "bca");
}
END_TEST

START_TEST(a_ticket_whose_action_ran_can_still_be_given_back)
{
    struct scope *root = scope_open_root("root", NULL);
    struct scope_undo *first = scope_on_close(root, note, "1"), *second = scope_on_close(root, note, "2");
    scope_hold(root);
    scope_close(root);
    scope_undo_cancel(first);
    scope_undo_now(second);
    ck_assert_str_eq(diary, "21");
    scope_release(root);
    ck_assert_str_eq(diary, "21");
}
END_TEST

START_TEST(tickets_are_used_again)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo_cancel(scope_undo(root, note, "x"));
    size_t bytes = scope_bytes(root);
    for (int i = 0; i < 100000; i++)
        scope_undo_cancel(scope_undo(root, note, "x"));
    ck_assert_uint_eq(scope_bytes(root), bytes);
    scope_close(root);
    ck_assert_str_eq(diary, "");
}
END_TEST

/* ---- being told ---- */

START_TEST(those_who_wait_are_told_after_the_memory_went_back)
{
    struct budget budget = {.limit = SIZE_MAX};
    struct scope *root = scope_open_root("root", &budget);
    size_t before = budget.used;
    struct scope *child = scope_open(root, "child");
    struct scope_gone *first = scope_alloc(root, sizeof *first), second;
    scope_undo(root, note, "r");
    scope_undo(child, note, "u");
    scope_on_gone(child, first, note, "1");
    scope_on_gone(child, &second, note, "2");
    scope_hold(child);
    scope_close(child);
    ck_assert_str_eq(diary, "");
    scope_release(child);
    ck_assert_str_eq(diary, "u21");
    ck_assert_uint_eq(budget.used, before);
    scope_close(root);
}
END_TEST

START_TEST(those_who_wait_for_a_child_are_told_before_its_parent_goes)
{
    struct scope *root = scope_open_root("root", NULL);
    struct scope *child = scope_open(root, "child");
    struct scope_gone *of_child = scope_alloc(root, sizeof *of_child), of_root;
    scope_undo(root, note, "r");
    scope_on_gone(child, of_child, note, "c");
    scope_on_gone(root, &of_root, note, "g");
    scope_close(root);
    ck_assert_str_eq(diary, "crg");
}
END_TEST

/* ---- abandoning ---- */

START_TEST(abandoning_gives_all_memory_back_and_undoes_nothing)
{
    struct budget budget = {.limit = SIZE_MAX};
    struct scope *root = scope_open_root("root", &budget);
    struct scope *held = scope_open(root, "held"), *open = scope_open(root, "open");
    struct scope *below = scope_open(held, "below");
    struct error error;
    void *memory;
    ck_assert_int_eq(scope_alloc_large(below, 2 << 20, 64, &memory, &error), SQLSTATE_OK);
    scope_alloc(below, 500000);
    scope_alloc(open, 5000);
    scope_undo(open, note, "o");
    scope_undo(root, note, "r");
    scope_undo(held, note, "h");
    scope_hold(held);
    scope_close(held);
    scope_abandon_root(root);
    ck_assert_str_eq(diary, "");
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(what_a_foreign_library_holds_goes_back_even_when_abandoned)
{
    struct scope *root = scope_open_root("root", NULL);
    struct scope *child = scope_open(root, "child");
    scope_undo_foreign(root, note, "1");
    scope_undo(root, note, "x");
    scope_undo_foreign(root, note, "2");
    scope_undo_foreign(child, note, "3");
    scope_undo_cancel(scope_undo_foreign(child, note, "x"));
    scope_undo(child, note, "x");
    scope_hold(child);
    scope_abandon_root(root);
    ck_assert_str_eq(diary, "321");
}
END_TEST

START_TEST(what_a_foreign_library_holds_goes_back_in_turn_when_closed)
{
    struct scope *root = scope_open_root("root", NULL);
    scope_undo(root, note, "1");
    scope_undo_foreign(root, note, "2");
    scope_undo(root, note, "3");
    scope_close(root);
    ck_assert_str_eq(diary, "321");
}
END_TEST

/* ---- broken rules ---- */

static void abandon_a_child(void *root)
{
    scope_abandon_root(scope_open(root, "child"));
}

static void open_child(void *scope)
{
    scope_open(scope, "late");
}

static void open_while_undoing(void *root)
{
    scope_undo(root, open_child, root);
    scope_close(root);
}

static void use_a_ticket_twice(void *root)
{
    struct scope_undo *ticket = scope_undo(root, note, "x");
    scope_undo_cancel(ticket);
    scope_undo_now(ticket);
}

START_TEST(broken_rules_stop_the_process)
{
    struct scope *root = scope_open_root("root", NULL);
    ck_assert(unit_check_fails(release, root, "\"root\" released more often than held"));
    ck_assert(unit_check_fails(abandon_a_child, root, "\"child\" is no root"));
    ck_assert(unit_check_fails(open_while_undoing, root, "\"late\" opened while \"root\" is being undone"));
    ck_assert(unit_check_fails(use_a_ticket_twice, root, "a ticket used twice"));
    scope_close(root);
}
END_TEST

/* ---- all of it at random ---- */

#define MODEL_SCOPES 40

/* What a test knows about one of its scopes. */
struct model {
    struct scope *scope; /* NULL: this place is free */
    int parent;
    int holds;
    int undone;     /* actions run so far */
    int registered; /* actions registered; each remembers its number */
    bool closed;
    struct scope_gone gone;
};

struct model_action {
    int model, number;
};

static struct model models[MODEL_SCOPES];
static const uint8_t noise[10000];

/* An action may run only when everything below is gone, nothing is held, and everything registered later ran.
 */
static void model_undo(void *argument)
{
    struct model_action *action = argument;
    struct model *model = &models[action->model];
    ck_assert(model->closed);
    ck_assert_int_eq(model->holds, 0);
    ck_assert_int_eq(action->number, model->registered - 1 - model->undone);
    model->undone++;
    for (int i = 0; i < MODEL_SCOPES; i++)
        ck_assert(!models[i].scope || models[i].parent != action->model);
}

static void model_gone(void *argument)
{
    struct model *model = argument;
    ck_assert_int_eq(model->undone, model->registered);
    model->scope = NULL;
}

static void model_close(int at)
{
    models[at].closed = true;
    for (int i = 0; i < MODEL_SCOPES; i++) {
        if (models[i].scope && models[i].parent == at && !models[i].closed)
            model_close(i);
    }
}

static void model_open(int at, int parent)
{
    struct scope *scope =
        parent < 0 ? scope_open_root("root", NULL) : scope_open(models[parent].scope, "model");
    models[at] = (struct model){.scope = scope, .parent = parent};
    scope_on_gone(scope, &models[at].gone, model_gone, &models[at]);
}

static void model_step(uint64_t *random)
{
    int at = (int)unit_random_below(random, MODEL_SCOPES),
        parent = (int)unit_random_below(random, MODEL_SCOPES);
    struct model *model = &models[at];
    if (!model->scope) {
        if (models[parent].scope && !models[parent].closed)
            model_open(at, parent);
        return;
    }
    struct model_action *action;
    switch (unit_random_below(random, 8)) {
    case 0 ... 2:
        action = scope_alloc(model->scope, sizeof *action);
        *action = (struct model_action){.model = at, .number = model->registered++};
        scope_undo(model->scope, model_undo, action);
        break;
    case 3:
        scope_copy(model->scope, noise, unit_random_below(random, sizeof noise));
        break;
    case 4:
        model->holds++;
        scope_hold(model->scope);
        break;
    case 5 ... 6:
        if (model->holds) {
            model->holds--;
            scope_release(model->scope);
        }
        break;
    case 7:
        if (at != 0) {
            model_close(at);
            scope_close(model->scope);
        }
        break;
    }
}

START_TEST(a_random_tree_of_scopes_ends_in_order)
{
    struct budget budget = {.limit = SIZE_MAX};
    uint64_t random = unit_seed();
    struct scope *root = scope_open_root("all", &budget);
    for (int round = 0; round < 20; round++) {
        models[0] = (struct model){.scope = scope_open(root, "first"), .parent = -1};
        scope_on_gone(models[0].scope, &models[0].gone, model_gone, &models[0]);
        for (int step = 0; step < 5000; step++)
            model_step(&random);
        model_close(0);
        scope_close(models[0].scope);
        for (int i = 0; i < MODEL_SCOPES; i++) {
            while (models[i].scope && models[i].holds) {
                models[i].holds--;
                scope_release(models[i].scope);
            }
        }
        for (int i = 0; i < MODEL_SCOPES; i++)
            ck_assert_ptr_null(models[i].scope);
    }
    ck_assert_uint_eq(budget.used, scope_bytes(root));
    scope_close(root);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("scope");
    tcase_add_test(tests, memory_is_aligned_and_belongs_to_nobody_else);
    tcase_add_test(tests, memory_of_the_largest_small_size_is_given);
    tcase_add_test(tests, zeroed_memory_is_zero_in_used_chunks_too);
    tcase_add_test(tests, copies_are_the_scopes_own);
    tcase_add_test(tests, opening_and_closing_in_a_steady_state_leaves_the_system_alone);
    tcase_add_test(tests, a_big_scope_takes_few_chunks);
    tcase_add_test(tests, a_large_size_asked_of_scope_alloc_is_a_block_that_goes_past_limits);
#ifdef POISONS
    tcase_add_test(tests, the_address_sanitizer_sees_overruns_and_use_after_the_end);
#endif
    tcase_add_test(tests, large_blocks_have_the_alignment_asked_for);
    tcase_add_test(tests, a_large_block_may_be_freed_before_the_end);
    tcase_add_test(tests, a_large_block_past_the_limit_is_an_error);
    tcase_add_test(tests, a_large_block_the_system_does_not_have_is_an_error);
    tcase_add_test(tests, large_blocks_are_used_by_the_rules);
    tcase_add_test(tests, a_charge_counts_in_every_ancestor);
    tcase_add_test(tests, past_the_limit_small_allocations_succeed_and_the_next_check_tells);
    tcase_add_test(tests, a_root_without_memory_is_null);
    tcase_add_test(tests, the_reserve_carries_work_to_its_next_check);
    tcase_add_test(tests, when_the_reserve_is_gone_too_a_check_stops);
    tcase_add_test(tests, actions_are_undone_in_reverse);
    tcase_add_test(tests, closing_a_parent_closes_its_children_newest_first);
    tcase_add_test(tests, on_close_runs_at_once_and_undo_after_the_last_hold);
    tcase_add_test(tests, a_hold_keeps_memory_and_all_ancestors_alive);
    tcase_add_test(tests, holding_a_parent_does_not_keep_its_children);
    tcase_add_test(tests, closing_twice_is_harmless_while_held);
    tcase_add_test(tests, an_operation_may_land_when_it_is_told_to_stop);
    tcase_add_test(tests, a_sibling_may_be_closed_when_one_is_told_to_stop);
    tcase_add_test(tests, a_parent_may_be_closed_again_by_a_child_that_stops);
    tcase_add_test(tests, a_child_opened_while_closing_is_closed_when_the_last_hold_goes);
    tcase_add_test(tests, an_action_that_holds_delays_the_actions_before_it);
    tcase_add_test(tests, an_action_may_hold_release_and_close_its_scope);
    tcase_add_test(tests, an_action_registered_while_undoing_runs_next);
    tcase_add_test(tests, a_canceled_action_does_not_run);
    tcase_add_test(tests, an_action_run_now_does_not_run_again);
    tcase_add_test(tests, a_ticket_whose_action_ran_can_still_be_given_back);
    tcase_add_test(tests, tickets_are_used_again);
    tcase_add_test(tests, those_who_wait_are_told_after_the_memory_went_back);
    tcase_add_test(tests, those_who_wait_for_a_child_are_told_before_its_parent_goes);
    tcase_add_test(tests, abandoning_gives_all_memory_back_and_undoes_nothing);
    tcase_add_test(tests, what_a_foreign_library_holds_goes_back_even_when_abandoned);
    tcase_add_test(tests, what_a_foreign_library_holds_goes_back_in_turn_when_closed);
    tcase_add_test(tests, broken_rules_stop_the_process);
    tcase_add_test(tests, a_random_tree_of_scopes_ends_in_order);
    return unit_run(tests);
}
