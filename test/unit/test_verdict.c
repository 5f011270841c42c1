/* The judge of histories: each kind of anomaly, made by hand, is found and named; what a right database may do
 * passes. */
#include "test/unit/unit.h"
#include "test/witness/queue.h"
#include "test/witness/ring.h"
#include "test/witness/witness.h"

#include <string.h>

#define LEVELS 3

static struct witness *witness;
static struct witness_verdict verdict;
static uint32_t x, y; /* chains */
static uint32_t list;

static void set_up(void)
{
    witness = witness_open();
    verdict = (struct witness_verdict){0};
    x = witness_key(witness, WITNESS_CHAIN);
    y = witness_key(witness, WITNESS_CHAIN);
    list = witness_key(witness, WITNESS_LIST);
}

static void tear_down(void)
{
    witness_close(witness);
}

static struct witness_transaction *begin(enum witness_level level)
{
    return witness_begin(witness, 1, level);
}

static void end(struct witness_transaction *transaction)
{
    witness_end(transaction, WITNESS_OK, 0);
}

/* A transaction that writes a chain and nothing else. */
static uint64_t write_alone(uint32_t key, uint64_t previous)
{
    struct witness_transaction *transaction = begin(WITNESS_STRICT);
    uint64_t value = witness_write(transaction, key, previous);
    end(transaction);
    return value;
}

/* The same for a list: nothing is replaced. */
static uint64_t append_alone(uint32_t key)
{
    return write_alone(key, 0);
}

static void read_list_alone(uint32_t key, size_t count, const uint64_t *values)
{
    struct witness_transaction *transaction = begin(WITNESS_STRICT);
    witness_read_list(transaction, key, values, count, false);
    end(transaction);
}

#define READ_LIST(key, ...) \
    read_list_alone(key, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), (uint64_t[]){__VA_ARGS__})

static void must_be_clean(void)
{
    witness_check(witness, &verdict);
    ck_assert_msg(verdict.total == 0, "%s", verdict.words);
}

static void must_be_found(enum witness_class class)
{
    witness_check(witness, &verdict);
    ck_assert_msg(verdict.counts[class] > 0, "%s was not found; but: %s", witness_class_name(class),
                  verdict.total ? verdict.words : "nothing");
}

static void must_be_first(enum witness_class class)
{
    must_be_found(class);
    ck_assert_msg(verdict.first == class, "%s is told of, not %s", witness_class_name(verdict.first),
                  witness_class_name(class));
    ck_assert(strstr(verdict.words, witness_class_name(class)) == verdict.words);
}

/* ---- values ---- */

START_TEST(nothing_is_clean)
{
    must_be_clean();
}
END_TEST

START_TEST(one_after_the_other_is_clean_at_every_level)
{
    uint64_t last[2] = {0, 0}, seen[60];
    for (uint32_t i = 0; i < 60; i++) {
        struct witness_transaction *transaction = begin(WITNESS_STATEMENT + i % LEVELS);
        witness_read(transaction, x, last[0], i % 2);
        witness_read_list(transaction, list, seen, i, false);
        witness_statement(transaction);
        last[0] = witness_write(transaction, x, last[0]);
        last[1] = witness_write(transaction, y, last[1]);
        seen[i] = witness_write(transaction, list, 0);
        witness_statement(transaction);
        witness_read(transaction, y, last[1], false);
        witness_read_list(transaction, list, seen, i + 1, false);
        witness_end(transaction, WITNESS_OK, i + 1);
    }
    must_be_clean();
    ck_assert_uint_eq(witness_operations(witness), 60 * 9);
}
END_TEST

START_TEST(a_value_nobody_wrote_is_found)
{
    READ_LIST(list, 77);
    must_be_first(WITNESS_MADE_UP);
}
END_TEST

START_TEST(a_value_of_another_key_is_found)
{
    uint64_t value = write_alone(x, 0);
    struct witness_transaction *transaction = begin(WITNESS_SNAPSHOT);
    witness_read(transaction, y, value, false);
    end(transaction);
    must_be_first(WITNESS_MADE_UP);
}
END_TEST

START_TEST(an_empty_place_in_a_list_is_found)
{
    uint64_t value = append_alone(list);
    READ_LIST(list, value, 0);
    must_be_first(WITNESS_MADE_UP);
}
END_TEST

START_TEST(a_value_twice_in_a_list_is_found)
{
    uint64_t value = append_alone(list);
    READ_LIST(list, value, value);
    must_be_first(WITNESS_DUPLICATE);
}
END_TEST

START_TEST(own_writes_that_are_not_seen_are_found)
{
    struct witness_transaction *transaction = begin(WITNESS_STATEMENT);
    witness_write(transaction, x, 0);
    witness_read(transaction, x, 0, false);
    end(transaction);
    must_be_first(WITNESS_INTERNAL);
}
END_TEST

START_TEST(own_appends_out_of_order_are_found)
{
    struct witness_transaction *transaction = begin(WITNESS_STRICT);
    uint64_t first = witness_write(transaction, list, 0), second = witness_write(transaction, list, 0);
    witness_read_list(transaction, list, (uint64_t[]){second, first}, 2, false);
    end(transaction);
    must_be_first(WITNESS_INTERNAL);
}
END_TEST

START_TEST(reading_what_was_rolled_back_is_found)
{
    struct witness_transaction *transaction = begin(WITNESS_SNAPSHOT);
    uint64_t value = witness_write(transaction, x, 0);
    witness_end(transaction, WITNESS_FAILED, 0);
    transaction = begin(WITNESS_STATEMENT);
    witness_read(transaction, x, value, false);
    end(transaction);
    must_be_first(WITNESS_G1A);
}
END_TEST

START_TEST(a_read_counts_even_if_its_transaction_fails)
{
    struct witness_transaction *writer = begin(WITNESS_SNAPSHOT);
    uint64_t value = witness_write(writer, x, 0);
    witness_end(writer, WITNESS_FAILED, 0);
    struct witness_transaction *reader = begin(WITNESS_STATEMENT);
    witness_read(reader, x, value, false);
    witness_end(reader, WITNESS_FAILED, 0);
    must_be_first(WITNESS_G1A);
}
END_TEST

START_TEST(a_read_under_locks_of_a_transaction_that_was_lost_may_have_been_lost_with_what_it_saw)
{
    struct witness_transaction *writer = begin(WITNESS_STRICT), *reader = begin(WITNESS_STRICT);
    uint64_t value = witness_write(writer, list, 0);
    witness_read_list(reader, list, &value, 1, true);
    witness_restarted(witness);
    uint64_t later = append_alone(list);
    READ_LIST(list, later);
    must_be_clean();
}
END_TEST

START_TEST(what_an_own_write_stands_on_may_be_lost_with_it)
{
    struct witness_transaction *writer = begin(WITNESS_STATEMENT), *reader = begin(WITNESS_STATEMENT);
    uint64_t value = witness_write(writer, list, 0);
    witness_read_list(reader, list, &value, 1, true);
    uint64_t own = witness_write(reader, list, 0);
    witness_statement(reader);
    witness_read_list(reader, list, (uint64_t[]){value, own}, 2, false);
    witness_restarted(witness);
    uint64_t later = append_alone(list);
    READ_LIST(list, later);
    must_be_clean();
}
END_TEST

START_TEST(seeing_what_a_savepoint_took_back_is_found)
{
    struct witness_transaction *transaction = begin(WITNESS_STRICT);
    size_t mark = witness_mark(transaction);
    uint64_t value = witness_write(transaction, list, 0);
    witness_rollback_to(transaction, mark);
    uint64_t kept = witness_write(transaction, list, 0);
    end(transaction);
    READ_LIST(list, value, kept);
    must_be_found(WITNESS_G1A);
}
END_TEST

START_TEST(seeing_ones_own_value_after_it_was_taken_back_is_found)
{
    struct witness_transaction *transaction = begin(WITNESS_STATEMENT);
    size_t mark = witness_mark(transaction);
    uint64_t value = witness_write(transaction, x, 0);
    witness_rollback_to(transaction, mark);
    witness_read(transaction, x, value, false);
    end(transaction);
    must_be_first(WITNESS_INTERNAL);
}
END_TEST

START_TEST(savepoints_that_are_rolled_back_to_again_are_clean)
{
    struct witness_transaction *transaction = begin(WITNESS_STRICT);
    uint64_t first = witness_write(transaction, list, 0);
    size_t outer = witness_mark(transaction);
    uint64_t second = witness_write(transaction, list, 0);
    size_t inner = witness_mark(transaction);
    uint64_t third = witness_write(transaction, list, 0);
    witness_read_list(transaction, list, (uint64_t[]){first, second, third}, 3, false);
    witness_rollback_to(transaction, inner);
    witness_read_list(transaction, list, (uint64_t[]){first, second}, 2, false);
    witness_rollback_to(transaction, outer);
    witness_rollback_to(transaction, outer);
    witness_read_list(transaction, list, &first, 1, false);
    uint64_t refused = witness_write(transaction, list, 0);
    witness_write_refused(transaction, refused);
    uint64_t last = witness_write(transaction, list, 0);
    witness_read_list(transaction, list, (uint64_t[]){first, last}, 2, false);
    end(transaction);
    READ_LIST(list, first, last);
    must_be_clean();
}
END_TEST

START_TEST(a_value_its_writer_replaced_is_found)
{
    struct witness_transaction *transaction = begin(WITNESS_SNAPSHOT);
    uint64_t value = witness_write(transaction, x, 0);
    witness_write(transaction, x, value);
    end(transaction);
    transaction = begin(WITNESS_STATEMENT);
    witness_read(transaction, x, value, false);
    end(transaction);
    must_be_first(WITNESS_G1B);
}
END_TEST

START_TEST(a_list_that_ends_inside_a_transaction_is_found)
{
    struct witness_transaction *transaction = begin(WITNESS_SNAPSHOT);
    uint64_t value = witness_write(transaction, list, 0);
    witness_write(transaction, list, 0);
    end(transaction);
    READ_LIST(list, value);
    must_be_found(WITNESS_G1B);
}
END_TEST

START_TEST(two_orders_of_one_list_are_found)
{
    uint64_t first = append_alone(list), second = append_alone(list);
    READ_LIST(list, first, second);
    READ_LIST(list, second, first);
    must_be_first(WITNESS_ORDER);
}
END_TEST

START_TEST(two_that_replace_the_same_value_are_a_lost_update)
{
    struct witness_transaction *first = begin(WITNESS_SNAPSHOT), *second = begin(WITNESS_SNAPSHOT);
    witness_read(first, x, 0, false);
    witness_read(second, x, 0, false);
    witness_write(first, x, 0);
    witness_write(second, x, 0);
    end(first);
    end(second);
    must_be_first(WITNESS_LOST_UPDATE);
}
END_TEST

/* ---- circles ---- */

START_TEST(g0_is_named)
{
    uint32_t other = witness_key(witness, WITNESS_LIST);
    struct witness_transaction *first = begin(WITNESS_STATEMENT), *second = begin(WITNESS_STATEMENT);
    uint64_t a = witness_write(first, list, 0), b = witness_write(second, list, 0);
    uint64_t c = witness_write(second, other, 0), d = witness_write(first, other, 0);
    end(first);
    end(second);
    READ_LIST(list, a, b);
    READ_LIST(other, c, d);
    must_be_first(WITNESS_G0);
}
END_TEST

START_TEST(g1c_is_named)
{
    struct witness_transaction *first = begin(WITNESS_STATEMENT), *second = begin(WITNESS_STATEMENT);
    uint64_t a = witness_write(first, x, 0), b = witness_write(second, y, 0);
    witness_read(first, y, b, false);
    witness_read(second, x, a, false);
    end(first);
    end(second);
    must_be_first(WITNESS_G1C);
}
END_TEST

/* x and y are written together; the reader has the old x and the new y. */
static void skewed_read(enum witness_level level, bool two_statements)
{
    struct witness_transaction *reader = begin(level), *writer = begin(WITNESS_STRICT);
    witness_read(reader, x, 0, false);
    witness_write(writer, x, 0);
    uint64_t value = witness_write(writer, y, 0);
    end(writer);
    if (two_statements)
        witness_statement(reader);
    witness_read(reader, y, value, false);
    end(reader);
}

START_TEST(read_skew_is_forbidden_where_there_is_one_snapshot)
{
    skewed_read(_i == 1 ? WITNESS_SNAPSHOT : WITNESS_STRICT, true);
    must_be_first(WITNESS_G_SINGLE);
}
END_TEST

START_TEST(read_skew_is_forbidden_within_a_statement)
{
    skewed_read(WITNESS_STATEMENT, false);
    must_be_first(WITNESS_G_SINGLE);
}
END_TEST

START_TEST(read_skew_between_statements_is_what_read_committed_allows)
{
    skewed_read(WITNESS_STATEMENT, true);
    must_be_clean();
}
END_TEST

START_TEST(later_statements_do_not_see_less)
{
    struct witness_transaction *reader = begin(WITNESS_STATEMENT), *writer = begin(WITNESS_STRICT);
    witness_write(writer, x, 0);
    uint64_t value = witness_write(writer, y, 0);
    witness_statement(reader);
    witness_read(reader, y, value, false);
    witness_statement(reader);
    witness_read(reader, x, 0, false);
    end(reader);
    end(writer);
    must_be_first(WITNESS_G_SINGLE);
}
END_TEST

/* Each reads what the other writes. */
static void skewed_write(enum witness_level level)
{
    struct witness_transaction *first = begin(level), *second = begin(level);
    witness_read(first, x, 0, false);
    witness_read(second, y, 0, false);
    witness_write(first, y, 0);
    witness_write(second, x, 0);
    end(first);
    end(second);
}

START_TEST(write_skew_is_forbidden_for_serializable)
{
    skewed_write(WITNESS_STRICT);
    must_be_first(WITNESS_G2);
}
END_TEST

START_TEST(write_skew_is_what_snapshots_allow)
{
    skewed_write(_i == 0 ? WITNESS_STATEMENT : WITNESS_SNAPSHOT);
    must_be_clean();
}
END_TEST

START_TEST(levels_mix)
{
    struct witness_transaction *first = begin(WITNESS_STRICT), *second = begin(WITNESS_SNAPSHOT);
    witness_read(first, x, 0, false);
    witness_read(second, y, 0, false);
    witness_write(first, y, 0);
    witness_write(second, x, 0);
    end(first);
    end(second);
    must_be_clean(); /* the second's snapshot is older than its commit */
}
END_TEST

START_TEST(two_snapshots_that_see_two_writes_in_different_orders_are_found)
{
    struct witness_transaction *left = begin(WITNESS_SNAPSHOT), *right = begin(WITNESS_SNAPSHOT);
    uint64_t a = write_alone(x, 0), b = write_alone(y, 0);
    witness_read(left, x, a, false);
    witness_read(left, y, 0, false);
    witness_read(right, x, 0, false);
    witness_read(right, y, b, false);
    end(left);
    end(right);
    must_be_first(WITNESS_G2);
}
END_TEST

START_TEST(a_snapshot_may_not_overwrite_what_it_has_not_seen)
{
    struct witness_transaction *transaction = begin(WITNESS_SNAPSHOT);
    witness_read(transaction, y, 0, false);
    struct witness_transaction *other = begin(WITNESS_STRICT);
    witness_write(other, y, 0);
    uint64_t value = witness_write(other, x, 0);
    end(other);
    witness_write(transaction, x, value);
    end(transaction);
    must_be_first(WITNESS_G_SINGLE);
}
END_TEST

START_TEST(read_committed_may_overwrite_what_it_has_not_seen)
{
    struct witness_transaction *transaction = begin(WITNESS_STATEMENT);
    witness_read(transaction, x, 0, false);
    uint64_t value = write_alone(x, 0);
    witness_read(transaction, x, value, true);
    witness_write(transaction, x, value);
    end(transaction);
    must_be_clean();
}
END_TEST

START_TEST(a_lock_that_did_not_hold_is_found)
{
    struct witness_transaction *transaction = begin(WITNESS_STATEMENT), *other = begin(WITNESS_STATEMENT);
    witness_read(transaction, x, 0, true);
    witness_write(other, x, 0);
    uint64_t value = witness_write(other, y, 0);
    end(other);
    witness_statement(transaction);
    witness_read(transaction, y, value, true);
    end(transaction);
    must_be_first(WITNESS_G_SINGLE);
}
END_TEST

START_TEST(a_lock_given_back_to_a_savepoint_holds_nobody)
{
    struct witness_transaction *transaction = begin(WITNESS_STATEMENT);
    size_t mark = witness_mark(transaction);
    witness_read(transaction, x, 0, true);
    witness_rollback_to(transaction, mark);
    write_alone(x, 0);
    end(transaction);
    must_be_clean();
}
END_TEST

/* ---- time ---- */

START_TEST(a_stale_read_is_found_at_every_level)
{
    write_alone(x, 0);
    struct witness_transaction *transaction = begin(WITNESS_STATEMENT + _i);
    witness_read(transaction, x, 0, false);
    end(transaction);
    must_be_first(WITNESS_REALTIME);
}
END_TEST

START_TEST(a_snapshot_taken_before_the_answer_may_be_old)
{
    struct witness_transaction *transaction = begin(WITNESS_SNAPSHOT);
    write_alone(x, 0);
    witness_read(transaction, x, 0, false);
    end(transaction);
    must_be_clean();
}
END_TEST

START_TEST(an_old_value_after_a_new_one_was_read_is_found)
{
    struct witness_transaction *writer = begin(WITNESS_STRICT);
    uint64_t value = witness_write(writer, x, 0);
    struct witness_transaction *reader = begin(WITNESS_STATEMENT);
    witness_read(reader, x, value, false);
    witness_statement(reader);
    struct witness_transaction *late = begin(WITNESS_STATEMENT);
    witness_read(late, x, 0, false);
    end(late);
    end(reader);
    end(writer);
    must_be_first(WITNESS_REALTIME);
}
END_TEST

START_TEST(an_unknown_commit_that_appears_after_a_restart_is_found)
{
    struct witness_transaction *lost = begin(WITNESS_STRICT);
    uint64_t value = witness_write(lost, x, 0);
    witness_restarted(witness);
    struct witness_transaction *before = begin(WITNESS_STRICT);
    witness_read(before, x, 0, false);
    end(before);
    struct witness_transaction *after = begin(WITNESS_STRICT);
    witness_read(after, x, value, false);
    end(after);
    must_be_first(WITNESS_REALTIME);
}
END_TEST

START_TEST(commit_numbers_must_follow_the_order_of_commits)
{
    struct witness_transaction *first = begin(WITNESS_STRICT);
    uint64_t value = witness_write(first, x, 0);
    struct witness_transaction *second = begin(WITNESS_STRICT);
    witness_write(second, x, value);
    witness_end(second, WITNESS_OK, 5);
    witness_end(first, WITNESS_OK, 6);
    must_be_first(WITNESS_SCN);
}
END_TEST

START_TEST(a_commit_number_given_twice_is_found)
{
    for (int i = 0; i < 2; i++)
        witness_end(begin(WITNESS_STRICT), WITNESS_OK, 5);
    must_be_first(WITNESS_SCN);
}
END_TEST

/* ---- unknown outcomes ---- */

START_TEST(an_unknown_commit_may_count_or_not)
{
    struct witness_transaction *seen = begin(WITNESS_STRICT), *unseen = begin(WITNESS_STRICT);
    uint64_t value = witness_write(seen, list, 0);
    witness_write(seen, x, 0);
    witness_write(unseen, list, 0);
    witness_end(seen, WITNESS_UNKNOWN, 0);
    witness_restarted(witness);
    READ_LIST(list, value);
    must_be_clean();
}
END_TEST

START_TEST(an_unknown_commit_counts_as_a_whole)
{
    struct witness_transaction *transaction = begin(WITNESS_STRICT);
    uint64_t value = witness_write(transaction, list, 0);
    witness_write(transaction, x, 0);
    witness_restarted(witness);
    struct witness_transaction *reader = begin(WITNESS_SNAPSHOT);
    witness_read_list(reader, list, &value, 1, false);
    witness_read(reader, x, 0, false);
    end(reader);
    must_be_first(WITNESS_G_SINGLE);
}
END_TEST

START_TEST(what_an_unknown_commit_built_on_was_committed)
{
    struct witness_transaction *first = begin(WITNESS_STRICT), *second = begin(WITNESS_STRICT);
    uint64_t a = witness_write(first, x, 0);
    witness_write(first, y, 0);
    uint64_t b = witness_write(second, x, a);
    witness_restarted(witness);
    struct witness_transaction *reader = begin(WITNESS_STRICT);
    witness_read(reader, x, b, false);
    witness_read(reader, y, 0, false);
    end(reader);
    must_be_first(WITNESS_G_SINGLE);
}
END_TEST

START_TEST(an_acknowledgement_without_waiting_promises_nothing)
{
    struct witness_transaction *transaction = begin(WITNESS_STRICT);
    witness_async(transaction);
    witness_write(transaction, x, 0);
    end(transaction);
    witness_restarted(witness);
    struct witness_transaction *reader = begin(WITNESS_STRICT);
    witness_final(reader);
    witness_read(reader, x, 0, false);
    end(reader);
    must_be_clean();
    witness_check_final(witness, &verdict);
    ck_assert_uint_eq(verdict.total, 0);
}
END_TEST

/* ---- the end ---- */

static void final_lists(const uint64_t *values, size_t count, uint64_t chain)
{
    struct witness_transaction *reader = begin(WITNESS_STRICT);
    witness_final(reader);
    witness_read_list(reader, list, values, count, false);
    witness_read(reader, x, chain, false);
    end(reader);
    witness_check_final(witness, &verdict);
}

START_TEST(everything_there_is_clean)
{
    uint64_t value = append_alone(list), chain = 0;
    for (int i = 0; i < 3; i++)
        chain = write_alone(x, chain);
    final_lists(&value, 1, chain);
    must_be_clean();
}
END_TEST

START_TEST(a_lost_commit_is_found)
{
    append_alone(list);
    final_lists(NULL, 0, 0);
    ck_assert_uint_eq(verdict.counts[WITNESS_LOST], 1);
    must_be_first(WITNESS_LOST);
}
END_TEST

START_TEST(a_lost_replacement_is_found)
{
    uint64_t first = write_alone(x, 0);
    write_alone(x, first);
    final_lists(NULL, 0, first);
    ck_assert_uint_eq(verdict.counts[WITNESS_LOST], 1);
}
END_TEST

START_TEST(half_of_an_unknown_commit_is_found)
{
    struct witness_transaction *transaction = begin(WITNESS_STRICT);
    uint64_t value = witness_write(transaction, list, 0);
    witness_write(transaction, x, 0);
    witness_restarted(witness);
    final_lists(&value, 1, 0);
    ck_assert_uint_eq(verdict.counts[WITNESS_HALF], 1);
}
END_TEST

START_TEST(what_was_rolled_back_and_is_there_is_found)
{
    struct witness_transaction *transaction = begin(WITNESS_STRICT);
    uint64_t value = witness_write(transaction, list, 0);
    witness_end(transaction, WITNESS_FAILED, 0);
    final_lists(&value, 1, 0);
    ck_assert_uint_eq(verdict.counts[WITNESS_RESURRECTED], 1);
}
END_TEST

START_TEST(keys_that_were_not_read_at_the_end_are_nobodys_business)
{
    write_alone(y, 0);
    final_lists(NULL, 0, 0);
    ck_assert_uint_eq(verdict.total, 0);
}
END_TEST

/* ---- size ---- */

/* A history as a right database makes it: reads and commits at one instant, several clients at a time. */
static void make_large(uint32_t operations, uint64_t *stale)
{
    enum { CLIENTS = 16, KEYS = 64, LENGTH = 32 };
    static uint64_t lists[KEYS][LENGTH], chains[KEYS];
    uint32_t key[KEYS], chain[KEYS], length[KEYS];
    struct witness_transaction *open[CLIENTS] = {0};
    uint64_t state = 4711, scn = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        key[i] = witness_key(witness, WITNESS_LIST);
        chain[i] = witness_key(witness, WITNESS_CHAIN);
        length[i] = 0;
        chains[i] = 0;
    }
    while (witness_operations(witness) < operations) {
        uint64_t client = unit_random_below(&state, CLIENTS), at = unit_random_below(&state, KEYS);
        if (!open[client]) {
            open[client] = witness_begin(witness, (uint32_t)client, WITNESS_STRICT);
            continue;
        }
        struct witness_transaction *transaction = open[client];
        open[client] = NULL;
        if (length[at] == LENGTH) {
            key[at] = witness_key(witness, WITNESS_LIST);
            length[at] = 0;
        }
        witness_read_list(transaction, key[at], lists[at], length[at], false);
        lists[at][length[at]++] = witness_write(transaction, key[at], 0);
        uint64_t other = unit_random_below(&state, KEYS);
        witness_read(transaction, chain[other], chains[other], false);
        *stale = chains[other];
        chains[other] = witness_write(transaction, chain[other], chains[other]);
        witness_end(transaction, WITNESS_OK, ++scn);
    }
    struct witness_transaction *reader = begin(WITNESS_SNAPSHOT);
    for (uint32_t i = 0; i < KEYS; i++)
        witness_read(reader, chain[i], chains[i], false);
    end(reader);
}

START_TEST(a_hundred_thousand_operations_are_judged)
{
    uint64_t stale;
    make_large(100000, &stale);
    must_be_clean();
}
END_TEST

START_TEST(one_stale_read_among_a_hundred_thousand_operations_is_found)
{
    uint64_t stale;
    make_large(100000, &stale);
    struct witness_transaction *reader = begin(WITNESS_SNAPSHOT);
    witness_read(reader, x, 0, false);
    end(reader);
    uint64_t value = write_alone(x, 0);
    value = write_alone(x, value);
    reader = begin(WITNESS_SNAPSHOT);
    witness_read(reader, x, value - 1, false);
    end(reader);
    must_be_first(WITNESS_REALTIME);
}
END_TEST

START_TEST(judging_again_says_the_same)
{
    skewed_read(WITNESS_SNAPSHOT, true);
    must_be_first(WITNESS_G_SINGLE);
    struct witness_verdict first = verdict;
    verdict = (struct witness_verdict){0};
    must_be_first(WITNESS_G_SINGLE);
    ck_assert_str_eq(first.words, verdict.words);
    ck_assert_uint_eq(first.total, verdict.total);
}
END_TEST

/* ---- rings ---- */

START_TEST(a_ring_is_whole_only_if_it_visits_all)
{
    ck_assert(ring_is_whole((uint32_t[]){2, 0, 1}, 3));
    ck_assert(ring_is_whole((uint32_t[]){0}, 1));
    ck_assert(ring_is_whole(NULL, 0));
    ck_assert(!ring_is_whole((uint32_t[]){1, 0, 2}, 3)); /* two rings */
    ck_assert(!ring_is_whole((uint32_t[]){1, 2, 1}, 3)); /* never back */
    ck_assert(!ring_is_whole((uint32_t[]){1, 2, 3}, 3)); /* outside */
    ck_assert(!ring_is_whole((uint32_t[]){1, 0, 0}, 3)); /* too short */
}
END_TEST

/* ---- queues ---- */

static enum queue_finding judge_queue(struct queue *queue, uint64_t expected)
{
    uint64_t item;
    enum queue_finding finding = queue_check(queue, &item);
    if (finding != QUEUE_RIGHT)
        ck_assert_uint_eq(item, expected);
    ck_assert_ptr_nonnull(queue_finding_name(finding));
    queue_close(queue);
    return finding;
}

static void queue_taken(struct queue *queue, uint64_t item, enum witness_outcome outcome)
{
    queue_take(queue, item);
    queue_take_ended(queue, item, outcome);
}

static struct queue *queue_of(uint64_t items)
{
    struct queue *queue = queue_open();
    for (uint64_t i = 0; i < items; i++)
        queue_put_ended(queue, queue_put(queue), WITNESS_OK);
    ck_assert_uint_eq(queue_items(queue), items);
    return queue;
}

START_TEST(each_item_once_is_right)
{
    struct queue *queue = queue_of(4);
    queue_taken(queue, 0, WITNESS_OK);
    queue_taken(queue, 1, WITNESS_FAILED);
    queue_taken(queue, 1, WITNESS_OK);
    queue_taken(queue, 2, WITNESS_UNKNOWN);
    queue_is_there(queue, 3);
    queue_put_ended(queue, queue_put(queue), WITNESS_FAILED);
    queue_put(queue);
    ck_assert_uint_eq(queue_delivered(queue), 2);
    ck_assert_int_eq(judge_queue(queue, 0), QUEUE_RIGHT);
}
END_TEST

START_TEST(an_item_delivered_twice_is_found)
{
    struct queue *queue = queue_of(2);
    queue_taken(queue, 1, WITNESS_OK);
    queue_taken(queue, 1, WITNESS_OK);
    queue_is_there(queue, 0);
    ck_assert_int_eq(judge_queue(queue, 1), QUEUE_TWICE);
}
END_TEST

START_TEST(an_item_that_vanished_is_found)
{
    struct queue *queue = queue_of(2);
    queue_is_there(queue, 1);
    ck_assert_int_eq(judge_queue(queue, 0), QUEUE_LOST);
}
END_TEST

START_TEST(an_item_nobody_put_is_found)
{
    struct queue *queue = queue_of(0);
    queue_put_ended(queue, queue_put(queue), WITNESS_FAILED);
    queue_taken(queue, 0, WITNESS_OK);
    ck_assert_int_eq(judge_queue(queue, 0), QUEUE_MADE_UP);
    queue = queue_of(1);
    queue_is_there(queue, 0);
    queue_is_there(queue, 5);
    ck_assert_int_eq(judge_queue(queue, 5), QUEUE_MADE_UP);
    queue = queue_of(1);
    queue_is_there(queue, 0);
    queue_taken(queue, 6, WITNESS_OK);
    ck_assert_int_eq(judge_queue(queue, 6), QUEUE_MADE_UP);
}
END_TEST

START_TEST(an_item_that_stayed_is_found)
{
    struct queue *queue = queue_of(1);
    queue_taken(queue, 0, WITNESS_OK);
    queue_is_there(queue, 0);
    ck_assert_int_eq(judge_queue(queue, 0), QUEUE_STAYED);
}
END_TEST

static void add_values(TCase *tests)
{
    tcase_add_test(tests, nothing_is_clean);
    tcase_add_test(tests, one_after_the_other_is_clean_at_every_level);
    tcase_add_test(tests, a_value_nobody_wrote_is_found);
    tcase_add_test(tests, a_value_of_another_key_is_found);
    tcase_add_test(tests, an_empty_place_in_a_list_is_found);
    tcase_add_test(tests, a_value_twice_in_a_list_is_found);
    tcase_add_test(tests, own_writes_that_are_not_seen_are_found);
    tcase_add_test(tests, own_appends_out_of_order_are_found);
    tcase_add_test(tests, reading_what_was_rolled_back_is_found);
    tcase_add_test(tests, a_read_counts_even_if_its_transaction_fails);
    tcase_add_test(tests,
                   a_read_under_locks_of_a_transaction_that_was_lost_may_have_been_lost_with_what_it_saw);
    tcase_add_test(tests, what_an_own_write_stands_on_may_be_lost_with_it);
    tcase_add_test(tests, seeing_what_a_savepoint_took_back_is_found);
    tcase_add_test(tests, seeing_ones_own_value_after_it_was_taken_back_is_found);
    tcase_add_test(tests, savepoints_that_are_rolled_back_to_again_are_clean);
    tcase_add_test(tests, a_value_its_writer_replaced_is_found);
    tcase_add_test(tests, a_list_that_ends_inside_a_transaction_is_found);
    tcase_add_test(tests, two_orders_of_one_list_are_found);
    tcase_add_test(tests, two_that_replace_the_same_value_are_a_lost_update);
}

static void add_circles(TCase *tests)
{
    tcase_add_test(tests, g0_is_named);
    tcase_add_test(tests, g1c_is_named);
    tcase_add_loop_test(tests, read_skew_is_forbidden_where_there_is_one_snapshot, 1, 3);
    tcase_add_test(tests, read_skew_is_forbidden_within_a_statement);
    tcase_add_test(tests, read_skew_between_statements_is_what_read_committed_allows);
    tcase_add_test(tests, later_statements_do_not_see_less);
    tcase_add_test(tests, write_skew_is_forbidden_for_serializable);
    tcase_add_loop_test(tests, write_skew_is_what_snapshots_allow, 0, 2);
    tcase_add_test(tests, levels_mix);
    tcase_add_test(tests, two_snapshots_that_see_two_writes_in_different_orders_are_found);
    tcase_add_test(tests, a_snapshot_may_not_overwrite_what_it_has_not_seen);
    tcase_add_test(tests, read_committed_may_overwrite_what_it_has_not_seen);
    tcase_add_test(tests, a_lock_that_did_not_hold_is_found);
    tcase_add_test(tests, a_lock_given_back_to_a_savepoint_holds_nobody);
    tcase_add_loop_test(tests, a_stale_read_is_found_at_every_level, 0, LEVELS);
    tcase_add_test(tests, a_snapshot_taken_before_the_answer_may_be_old);
    tcase_add_test(tests, an_old_value_after_a_new_one_was_read_is_found);
    tcase_add_test(tests, an_unknown_commit_that_appears_after_a_restart_is_found);
    tcase_add_test(tests, commit_numbers_must_follow_the_order_of_commits);
    tcase_add_test(tests, a_commit_number_given_twice_is_found);
}

static void add_ends(TCase *tests)
{
    tcase_add_test(tests, an_unknown_commit_may_count_or_not);
    tcase_add_test(tests, an_unknown_commit_counts_as_a_whole);
    tcase_add_test(tests, what_an_unknown_commit_built_on_was_committed);
    tcase_add_test(tests, an_acknowledgement_without_waiting_promises_nothing);
    tcase_add_test(tests, everything_there_is_clean);
    tcase_add_test(tests, a_lost_commit_is_found);
    tcase_add_test(tests, a_lost_replacement_is_found);
    tcase_add_test(tests, half_of_an_unknown_commit_is_found);
    tcase_add_test(tests, what_was_rolled_back_and_is_there_is_found);
    tcase_add_test(tests, keys_that_were_not_read_at_the_end_are_nobodys_business);
    tcase_add_test(tests, a_hundred_thousand_operations_are_judged);
    tcase_add_test(tests, one_stale_read_among_a_hundred_thousand_operations_is_found);
    tcase_add_test(tests, judging_again_says_the_same);
    tcase_add_test(tests, a_ring_is_whole_only_if_it_visits_all);
    tcase_add_test(tests, each_item_once_is_right);
    tcase_add_test(tests, an_item_delivered_twice_is_found);
    tcase_add_test(tests, an_item_that_vanished_is_found);
    tcase_add_test(tests, an_item_nobody_put_is_found);
    tcase_add_test(tests, an_item_that_stayed_is_found);
}

int main(void)
{
    TCase *tests = tcase_create("verdict");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    add_values(tests);
    add_circles(tests);
    add_ends(tests);
    return unit_run(tests);
}
