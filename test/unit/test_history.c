/* Histories against a model: for every key all versions ever committed, as a plain array. */
#include "base/scope.h"
#include "engine/history/history.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYS    200
#define WRITERS 6
#define COMMITS 4000

struct past {
    uint64_t scn;
    uint32_t value; /* 0 = deleted */
};

struct model_row {
    struct past *past; /* oldest first; past[0] is "absent since ever" */
    size_t count;
    int open_writer; /* -1 = none */
    uint32_t open[64];
    uint32_t open_number[64];
    size_t open_count;
};

struct model {
    struct history *history;
    struct scope *scope;
    struct model_row row[KEYS];
    struct writer writer[WRITERS];
    uint64_t scn, oldest, transactions, random;
    bool below; /* a tree below is played by `tree` */
    uint32_t tree[KEYS];
};

/* Keys of very different lengths and shared prefixes. */
static struct bytes key_of(unsigned i, char text[32])
{
    const char *form = i % 3 == 0 ? "%u" : i % 3 == 1 ? "prefix/%u" : "a longer prefix/%08u";
    return bytes_of(text, (size_t)snprintf(text, 32, form, i));
}

static void begin(struct model *m, int w)
{
    m->writer[w] = (struct writer){.transaction = ++m->transactions};
}

static void write_one(struct model *m, int w, unsigned k)
{
    struct model_row *row = &m->row[k];
    if ((row->open_writer >= 0 && row->open_writer != w) || row->open_count == 64)
        return;
    char text[32];
    uint32_t value = unit_random_below(&m->random, 4) ? 1 + (uint32_t)unit_random_below(&m->random, 1000) : 0;
    uint8_t bytes[300];
    size_t size = value ? 4 + value % 200 : 0;
    memset(bytes, (int)value, sizeof bytes);
    memcpy(bytes, &value, 4);
    struct effect effect = {
        .kind = value ? EFFECT_UPDATE : EFFECT_DELETE, .key = key_of(k, text), .row = bytes_of(bytes, size)};
    history_apply(m->history, &m->writer[w], &effect);
    row->open_writer = w;
    row->open[row->open_count] = value;
    row->open_number[row->open_count++] = m->writer[w].effects;
}

static void commit(struct model *m, int w)
{
    m->scn++;
    for (unsigned k = 0; k < KEYS; k++) {
        struct model_row *row = &m->row[k];
        if (row->open_writer != w || !row->open_count)
            continue;
        row->past = realloc(row->past, (row->count + 1) * sizeof *row->past);
        row->past[row->count++] = (struct past){m->scn, row->open[row->open_count - 1]};
        row->open_count = 0;
        row->open_writer = -1;
    }
    history_commit(m->history, &m->writer[w], m->scn);
}

static void rollback(struct model *m, int w, uint32_t effects)
{
    for (unsigned k = 0; k < KEYS; k++) {
        struct model_row *row = &m->row[k];
        if (row->open_writer != w)
            continue;
        while (row->open_count && row->open_number[row->open_count - 1] > effects)
            row->open_count--;
        if (!row->open_count)
            row->open_writer = -1;
    }
    while (!history_rollback(m->history, &m->writer[w], effects, 3))
        ;
}

static uint32_t model_value(const struct model *m, unsigned k, const struct snapshot *snapshot)
{
    const struct model_row *row = &m->row[k];
    if (row->open_writer >= 0 && m->writer[row->open_writer].transaction == snapshot->transaction)
        for (size_t i = row->open_count; i-- > 0;)
            if (row->open_number[i] <= snapshot->own_effects)
                return row->open[i];
    for (size_t i = row->count; i-- > 0;)
        if (row->past[i].scn <= snapshot->scn)
            return row->past[i].value;
    return 0;
}

static uint32_t version_value(const struct version *version)
{
    uint32_t value = 0;
    if (!version->exists)
        return 0;
    memcpy(&value, version->row, 4);
    ck_assert_uint_eq(version->row_bytes, 4 + value % 200);
    return value;
}

static uint32_t real_value(struct model *m, unsigned k, const struct snapshot *snapshot)
{
    char text[32];
    struct history_row *row = history_find(m->history, key_of(k, text));
    struct version *version = row ? history_visible(row, snapshot) : NULL;
    if (version)
        return version_value(version);
    return m->below ? m->tree[k] : 0;
}

static void compare(struct model *m)
{
    struct snapshot snapshot = {.scn = m->oldest + unit_random_below(&m->random, m->scn - m->oldest + 1)};
    if (unit_random_below(&m->random, 2)) {
        int w = (int)unit_random_below(&m->random, WRITERS);
        snapshot.transaction = m->writer[w].transaction;
        snapshot.own_effects = (uint32_t)unit_random_below(&m->random, m->writer[w].effects + 1u);
    }
    for (unsigned k = 0; k < KEYS; k++)
        ck_assert_uint_eq(real_value(m, k, &snapshot), model_value(m, k, &snapshot));
}

/* What a row store's checkpoint does, for some keys: the newest committed version up to `scn` goes into the
 * tree. */
static void merge(struct model *m, uint64_t scn)
{
    for (unsigned k = 0; k < KEYS; k++) {
        char text[32];
        struct history_row *row = history_find(m->history, key_of(k, text));
        struct version *version = row ? history_to_merge(row, scn) : NULL;
        if (!version || unit_random_below(&m->random, 3) == 0)
            continue;
        ck_assert_uint_ne(version->scn, SCN_BOTTOM);
        uint32_t old = m->tree[k];
        uint8_t bytes[300];
        memset(bytes, (int)old, sizeof bytes);
        memcpy(bytes, &old, 4);
        const struct history_old below = {.row = bytes_of(bytes, 4 + old % 200)};
        m->tree[k] = version_value(version);
        history_merged(m->history, row, version, old ? &below : NULL, m->oldest);
    }
}

static void check_order(struct model *m)
{
    struct history_place place;
    bool backward = unit_random_below(&m->random, 2), exclusive = unit_random_below(&m->random, 2);
    char text[32];
    struct bytes from = key_of((unsigned)unit_random_below(&m->random, KEYS), text);
    struct history_row *row = history_seek(m->history, from, false, backward, exclusive, &place);
    uint64_t seen = 0, expected = 0;
    for (struct history_row *next; row; row = next, seen++) {
        int order = bytes_compare(history_key(row), from);
        ck_assert(backward ? order <= 0 : order >= 0);
        ck_assert(!exclusive || order != 0);
        next = history_step(&place, backward);
        if (next) {
            int step = bytes_compare(history_key(row), history_key(next));
            ck_assert(backward ? step > 0 : step < 0);
        }
    }
    for (unsigned k = 0; k < KEYS; k++) {
        char other[32];
        struct bytes key = key_of(k, other);
        int order = bytes_compare(key, from);
        if (history_find(m->history, key) && (order == 0 ? !exclusive : (order < 0) == backward))
            expected++;
    }
    ck_assert_uint_eq(seen, expected);
}

static void run_model(bool below)
{
    struct model *m = calloc(1, sizeof *m);
    m->random = unit_seed();
    m->below = below;
    m->scope = scope_open_root("test", NULL);
    m->history = history_open(m->scope);
    m->scn = m->oldest = SCN_BOTTOM;
    for (unsigned k = 0; k < KEYS; k++)
        m->row[k].open_writer = -1;
    for (int w = 0; w < WRITERS; w++)
        begin(m, w);
    for (int step = 0; step < 40000; step++) {
        int w = (int)unit_random_below(&m->random, WRITERS);
        switch (unit_random_below(&m->random, 16)) {
        case 0:
            commit(m, w);
            history_collect(m->history, m->oldest, below, 1000);
            /* The model's writer is reused, so nothing may point at it any more. */
            history_check(m->history);
            ck_assert_uint_eq(m->writer[w].versions, 0);
            begin(m, w);
            break;
        case 1:
            rollback(m, w, (uint32_t)unit_random_below(&m->random, m->writer[w].effects + 1u));
            break;
        case 2:
            rollback(m, w, 0);
            ck_assert_uint_eq(m->writer[w].versions, 0);
            begin(m, w);
            break;
        case 3:
            if (step % 5 == 0)
                m->oldest += unit_random_below(&m->random, m->scn - m->oldest + 1);
            history_collect(m->history, m->oldest, below, unit_random_below(&m->random, 50));
            break;
        case 4:
            if (below)
                merge(m, m->oldest + unit_random_below(&m->random, m->scn - m->oldest + 1));
            break;
        case 5:
            check_order(m);
            break;
        case 6:
            compare(m);
            break;
        default:
            write_one(m, w, (unsigned)unit_random_below(&m->random, KEYS));
        }
    }
    for (int w = 0; w < WRITERS; w++)
        rollback(m, w, 0);
    m->oldest = m->scn;
    if (below)
        for (int i = 0; i < 200; i++)
            merge(m, m->scn);
    compare(m);
    while (history_collect(m->history, m->oldest, below, 1000))
        ;
    compare(m);
    history_check(m->history);
    uint64_t kept = 0;
    for (unsigned k = 0; k < KEYS; k++) {
        kept += !below && m->row[k].count && m->row[k].past[m->row[k].count - 1].value;
        free(m->row[k].past);
    }
    ck_assert_uint_eq(history_rows(m->history), kept);
    ck_assert_uint_eq(history_versions(m->history), kept);
    scope_close(m->scope);
    free(m);
}

START_TEST(a_history_alone_answers_like_a_list_of_all_versions)
{
    run_model(false);
}
END_TEST

START_TEST(a_history_over_a_tree_answers_like_a_list_of_all_versions)
{
    run_model(true);
}
END_TEST

START_TEST(a_large_writer_settles_after_its_commit)
{
    struct scope *scope = scope_open_root("test", NULL);
    struct history *history = history_open(scope);
    struct writer writer = {.transaction = 7};
    char text[32];
    for (unsigned i = 0; i < 100000; i++) {
        struct effect effect = {.kind = EFFECT_INSERT,
                                .key = bytes_of(text, (size_t)snprintf(text, 32, "%08u", i)),
                                .row = bytes_of(&i, sizeof i)};
        history_apply(history, &writer, &effect);
    }
    history_commit(history, &writer, 5);
    ck_assert_uint_gt(writer.versions, 0);
    struct snapshot before = {.scn = 4}, after = {.scn = 5};
    for (unsigned i = 0; i < 100000; i++) {
        struct history_row *row =
            history_find(history, bytes_of(text, (size_t)snprintf(text, 32, "%08u", i)));
        ck_assert_ptr_null(history_visible(row, &before));
        ck_assert_ptr_nonnull(history_visible(row, &after));
    }
    ck_assert_uint_eq(writer.versions, 0);
    history_check(history);
    scope_close(scope);
}
END_TEST

static void write_over_an_open_writer(void *argument)
{
    (void)argument;
    struct scope *scope = scope_open_root("test", NULL);
    struct history *history = history_open(scope);
    struct writer one = {.transaction = 1}, two = {.transaction = 2};
    struct effect effect = {.kind = EFFECT_INSERT, .key = bytes_of_text("k"), .row = bytes_of_text("r")};
    history_apply(history, &one, &effect);
    history_apply(history, &two, &effect);
}

/* Recovery keeps one version of each row, the last one of the log, whatever sizes the rows had, and more commits may follow. */
START_TEST(recovered_rows_are_the_last_ones_of_the_log)
{
    struct scope *scope = scope_open_root("recovered", NULL);
    struct history *history = history_open(scope);
    uint32_t expected[KEYS] = {0};
    bool written[KEYS] = {false};
    uint64_t random = unit_seed();
    for (uint64_t scn = 10; scn < 200; scn++) {
        struct history_recovered effects[HISTORY_AHEAD_MAX];
        char text[HISTORY_AHEAD_MAX][32];
        uint8_t rows[HISTORY_AHEAD_MAX][300];
        size_t count = 1 + unit_random_below(&random, HISTORY_AHEAD_MAX);
        for (size_t i = 0; i < count; i++) {
            unsigned k = (unsigned)unit_random_below(&random, KEYS);
            uint32_t value = unit_random_below(&random, 4) ? 1 + (uint32_t)unit_random_below(&random, 9) : 0;
            memset(rows[i], (int)value, sizeof rows[i]);
            memcpy(rows[i], &value, sizeof value);
            effects[i] = (struct history_recovered){.history = history,
                                                    .key = key_of(k, text[i]),
                                                    .row = bytes_of(rows[i], value ? 4 + value % 3 * 100 : 0),
                                                    .exists = value != 0,
                                                    .scn = scn};
            expected[k] = value;
            written[k] = true;
        }
        history_recover_ahead(effects, count);
        for (size_t i = 0; i < count; i++)
            history_recover(&effects[i]);
        history_check(history);
    }
    uint64_t rows = 0;
    for (unsigned k = 0; k < KEYS; k++) {
        char text[32];
        struct history_row *row = history_find(history, key_of(k, text));
        ck_assert_int_eq(row != NULL, written[k]);
        if (!row)
            continue;
        rows++;
        uint32_t value = 0;
        ck_assert_int_eq(row->newest->exists, expected[k] != 0);
        if (expected[k])
            memcpy(&value, row->newest->row, sizeof value);
        ck_assert_uint_eq(value, expected[k]);
        ck_assert_ptr_null(row->newest->older);
    }
    ck_assert_uint_eq(history_rows(history), rows);
    ck_assert_uint_eq(history_versions(history), rows);
    scope_close(scope);
}
END_TEST

START_TEST(two_open_writers_of_one_row_stop_the_process)
{
    ck_assert(unit_check_fails(write_over_an_open_writer, NULL, "two open writers, 1 and 2, change one row"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("history");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_history_alone_answers_like_a_list_of_all_versions);
    tcase_add_test(tests, a_history_over_a_tree_answers_like_a_list_of_all_versions);
    tcase_add_test(tests, a_large_writer_settles_after_its_commit);
    tcase_add_test(tests, recovered_rows_are_the_last_ones_of_the_log);
    tcase_add_test(tests, two_open_writers_of_one_row_stop_the_process);
    return unit_run(tests);
}
