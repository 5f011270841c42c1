/* How many rows: table sizes from the engine, everything else from a sample of the table's rows and from what ANALYZE wrote down
 * (known.c).
 *
 * The sample is taken at some places evenly spread over the key space (keys taken as numbers), a stretch of rows at each, so
 * that rows loaded together do not stand for all. Conditions on one table are asked of the sampled rows themselves, all
 * of them together, so correlated columns and functions cost no assumption; distinct values by the estimator of Haas and
 * Stokes (Duj1, "Estimating the number of classes in a finite population", 1998), as PostgreSQL's ANALYZE does. */
#include "sqlfront/evaluate/evaluate.h"
#include "sqlfront/plan/inside.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_PLACES   16
#define SAMPLE_STRETCH  60
#define SAMPLE_ROWS_MAX (SAMPLE_PLACES * SAMPLE_STRETCH)
/* A sample stays with its table: of wide rows fewer are taken, of very wide ones none. */
#define SAMPLE_BYTES_MAX (1024 * 1024)
/* Below this a table is read whole whatever the estimates say. */
#define SAMPLE_TABLE_MIN 50

/* ---- sizes ---- */

double relation_rows(struct planner *planner, const struct relation *relation)
{
    const struct planner_request *request = planner->request;
    struct table_size size;
    struct error error = {0};
    if (!request->engine || !relation->store ||
        table_measure(request->world, request->engine, relation->store, &size, &error))
        return 1000;
    return size.rows < 1 ? 1 : (double)size.rows;
}

/* ---- the sample ---- */

struct sampling {
    struct scope *scope;
    const struct relation *relation;
    struct bytes row[SAMPLE_ROWS_MAX];
    uint32_t count, until;
    size_t bytes, bytes_until; /* of rows; up to the stretch at hand */
};

static bool take_row(void *argument, const struct store_row *row)
{
    struct sampling *sampling = argument;
    if (sampling->count >= sampling->until || sampling->bytes + row->row.size > sampling->bytes_until)
        return false;
    sampling->bytes += row->row.size;
    sampling->row[sampling->count++] =
        bytes_of(scope_copy(sampling->scope, row->row.data, row->row.size), row->row.size);
    return sampling->count < sampling->until;
}

static bool take_key(void *argument, const struct store_row *row)
{
    uint8_t *into = argument;
    memset(into, 0, 8);
    memcpy(into, row->key.data, row->key.size < 8 ? row->key.size : 8);
    return false;
}

static uint64_t number_of(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

static enum sqlstate end_key(struct transaction *transaction, uint64_t table, bool backward, uint8_t *key,
                             struct error *error)
{
    struct row_scan scan = {.table = table, .range = {.to_open = true}, .backward = backward, .rows_max = 1};
    struct store_sink sink = {.take = take_key, .argument = key};
    return row_scan(transaction, &scan, &sink, error);
}

static enum sqlstate take_sample(struct transaction *transaction, struct sampling *sampling,
                                 struct error *error)
{
    uint64_t table = sampling->relation->store;
    uint8_t first[8] = {0}, last[8] = {0};
    enum sqlstate failed = end_key(transaction, table, false, first, error);
    if (!failed)
        failed = end_key(transaction, table, true, last, error);
    uint64_t low = number_of(first), width = number_of(last) - low;
    struct store_sink sink = {.take = take_row, .argument = sampling};
    for (uint32_t place = 0; place < SAMPLE_PLACES && !failed; place++) {
        uint8_t from[8];
        uint64_t at = low + (uint64_t)((__uint128_t)width * place / SAMPLE_PLACES);
        for (int i = 7; i >= 0; i--, at >>= 8)
            from[i] = (uint8_t)at;
        sampling->until = sampling->count + SAMPLE_STRETCH;
        sampling->bytes_until = SAMPLE_BYTES_MAX / SAMPLE_PLACES * (place + 1);
        struct row_scan scan = {.table = table,
                                .range = {.from = bytes_of(from, sizeof from), .to_open = true},
                                .rows_max = SAMPLE_STRETCH};
        failed = row_scan(transaction, &scan, &sink, error);
        if (width < SAMPLE_PLACES)
            break;
    }
    return failed;
}

static struct sample *decode_sample(const struct sampling *sampling, double rows)
{
    const struct relation *relation = sampling->relation;
    struct scope *scope = sampling->scope;
    struct sample *sample = scope_alloc_zeroed(scope, sizeof *sample);
    sample->rows = rows;
    sample->column = scope_alloc_zeroed(scope, relation->columns * sizeof *sample->column);
    sample->distinct = scope_alloc_zeroed(scope, relation->columns * sizeof *sample->distinct);
    uint16_t *want = scope_alloc_zeroed(scope, relation->columns * sizeof *want);
    struct value *values = scope_alloc_zeroed(scope, relation->columns * sizeof *values);
    uint32_t wanted = 0;
    for (uint32_t c = 0; c < relation->columns; c++)
        if (!relation->column[c].dropped) {
            want[wanted++] = (uint16_t)c;
            sample->column[c] = scope_alloc_zeroed(scope, SAMPLE_ROWS_MAX * sizeof(struct value));
        }
    for (uint32_t r = 0; r < sampling->count; r++) {
        struct error error = {0};
        if (row_decode(relation->layout, sampling->row[r], want, wanted, values, &error))
            continue;
        for (uint32_t w = 0; w < wanted; w++)
            sample->column[want[w]][sample->count] = values[w];
        sample->count++;
    }
    return sample;
}

struct sample *relation_sample(struct planner *planner, const struct relation *relation)
{
    struct transaction *transaction = catalog_view_transaction(planner->request->view);
    struct learned *learned = relation_learned(relation);
    struct sample *sample = learned->sample;
    double rows = relation_rows(planner, relation);
    if (sample && rows < 2 * sample->rows + 100 && rows > sample->rows / 2 - 100)
        return sample->count ? sample : NULL;
    if (!transaction || rows < SAMPLE_TABLE_MIN || !relation->layout || relation->kind != RELATION_TABLE)
        return NULL;
    struct sampling *sampling = scope_alloc_zeroed(planner->scope, sizeof *sampling);
    sampling->scope = relation->scope;
    sampling->relation = relation;
    struct error error = {0};
    if (take_sample(transaction, sampling, &error))
        return NULL;
    sample = decode_sample(sampling, rows);
    learned->sample = sample;
    return sample->count ? sample : NULL;
}

/* ---- distinct values ---- */

static int hash_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double estimate_distinct(struct planner *planner, const struct sample *sample,
                                const struct column *column, const struct value *values)
{
    uint64_t hashes[SAMPLE_ROWS_MAX];
    uint32_t count = 0, distinct = 0, once = 0;
    if (column->type->order == ORDER_NONE)
        return sample->rows;
    for (uint32_t i = 0; i < sample->count; i++)
        if (!values[i].null)
            hashes[count++] = value_hash(planner->request->environment, column->type, &values[i]);
    if (count == 0)
        return 1;
    qsort(hashes, count, sizeof *hashes, hash_order);
    for (uint32_t i = 0; i < count;) {
        uint32_t same = i;
        while (same < count && hashes[same] == hashes[i])
            same++;
        distinct++;
        once += same - i == 1;
        i = same;
    }
    double n = count, d = distinct, f1 = once, total = sample->rows * n / sample->count;
    double estimate = n * d / (n - f1 + f1 * n / (total > n ? total : n));
    return estimate < d ? d : estimate > total ? total : estimate;
}

static bool alone_unique(const struct relation *relation, int32_t number)
{
    if (relation->key_columns == 1 && relation->key_column[0] == number)
        return true;
    for (uint32_t i = 0; i < relation->indexes; i++) {
        const struct index *index = relation->index[i];
        if (index->unique && index->valid && index->key_columns == 1 && index->column[0] == number &&
            !index->predicate_text)
            return true;
    }
    return false;
}

double column_distinct(struct level *level, uint32_t range, int32_t number)
{
    const struct range *from = &level->query->range[range];
    if (from->kind != RANGE_RELATION)
        return level->leaf_rows[range] > 0 ? level->leaf_rows[range] : 200;
    const struct relation *relation = from->relation;
    if (number <= 0 || alone_unique(relation, number))
        return relation_rows(level->planner, relation);
    const struct column *column = &relation->column[number - 1];
    if (column->type->oid == TYPE_BOOL)
        return 2;
    const struct known_column *known = relation_known(level->planner, relation, number);
    if (known && known->distinct != 0)
        return known_distinct(known, relation_rows(level->planner, relation));
    struct sample *sample = relation_sample(level->planner, relation);
    if (!sample || !sample->column[number - 1]) {
        double rows = relation_rows(level->planner, relation);
        return rows < 200 ? rows : 200;
    }
    if (sample->distinct[number - 1] == 0)
        sample->distinct[number - 1] =
            estimate_distinct(level->planner, sample, column, sample->column[number - 1]);
    return sample->distinct[number - 1];
}

struct columns_walk {
    struct walk walk;
    struct level *level;
    double distinct;
    bool any;
};

static void distinct_visit(struct walk *walk, struct expression **place)
{
    struct columns_walk *columns = (struct columns_walk *)walk;
    const struct expression *node = *place;
    if (node->kind == EXPRESSION_COLUMN && node->level == 0) {
        columns->distinct *= column_distinct(columns->level, node->range, node->number);
        columns->any = true;
    }
    walk_expression(walk, *place);
}

static void distinct_skip(struct walk *walk, struct query **place)
{
    (void)walk;
    (void)place;
}

double expression_distinct(struct level *level, const struct expression *expression, double rows)
{
    struct columns_walk columns = {
        .walk = {.expression = distinct_visit, .query = distinct_skip}, .level = level, .distinct = 1};
    struct expression *place = (struct expression *)expression;
    distinct_visit(&columns.walk, &place);
    return columns.distinct > rows ? rows : columns.distinct;
}

/* ---- conditions ---- */

static struct expression *sample_column(void *argument, const struct expression *node, uint32_t level)
{
    struct planner *planner = argument;
    if (node->kind != EXPRESSION_COLUMN || level > 0)
        return NULL;
    return expression_column(planner->scope, 0, node->number - 1, node->type, node->modifier,
                             node->collation);
}

/* What the sample says: of `rows` rows so many are it, and they lie in so many of its stretches. */
struct answer {
    double rows, hits;
    uint32_t places;
};

/* False when the sample cannot be asked. */
static bool ask_sample(struct level *level, const struct expression *expression, uint32_t range,
                       struct answer *answer)
{
    struct planner *planner = level->planner;
    const struct relation *relation = level->query->range[range].relation;
    uint32_t facts = expression_facts(expression);
    if (facts & (FACT_VOLATILE | FACT_SUBQUERY | FACT_PARAMETER | FACT_SESSION | FACT_AGGREGATE |
                 FACT_WINDOW | FACT_SET_CALL | FACT_OUTER_COLUMN))
        return false;
    struct sample *sample = relation_sample(planner, relation);
    if (!sample)
        return false;
    struct error error = {0};
    struct scope *scratch = scope_open(planner->scope, "sample");
    struct evaluation evaluation = {.environment = planner->request->environment};
    struct program *program;
    struct expression *over = expression_map(scratch, expression, sample_column, planner, false);
    uint16_t selection[BATCH_ROWS];
    uint32_t count = 0;
    struct batch batch = {.columns = relation->columns,
                          .count = sample->count,
                          .column = (const struct value **)sample->column};
    bool asked = !program_make(scratch, &evaluation, over, &program, &error) &&
                 !program_select(program, &batch, scratch, selection, &count, &error);
    scope_close(scratch);
    if (!asked)
        return false;
    *answer = (struct answer){.rows = sample->count, .hits = count};
    for (uint32_t i = 0; i < count; i++)
        answer->places += i == 0 || selection[i] / SAMPLE_STRETCH != selection[i - 1] / SAMPLE_STRETCH;
    return true;
}

static uint8_t turned(uint8_t strategy) /* value (operator) column is column (turned operator) value */
{
    return strategy >= 1 && strategy <= 5 ? (uint8_t)(6 - strategy) : strategy;
}

/* column (operator) constant, or parameter: from what ANALYZE knows. */
static bool ask_known(struct level *level, const struct expression *node, double *selectivity)
{
    const struct expression *left = node->argument[0], *right = node->argument[1];
    uint8_t strategy = node->operator->strategy;
    if (left->kind != EXPRESSION_COLUMN) {
        const struct expression *column = right;
        right = left;
        left = column;
        strategy = turned(strategy);
    }
    if (left->kind != EXPRESSION_COLUMN || left->level != 0 || left->number < 1 || strategy == 0 ||
        (right->kind != EXPRESSION_CONSTANT && right->kind != EXPRESSION_PARAMETER))
        return false;
    const struct range *range = &level->query->range[left->range];
    bool constant = right->kind == EXPRESSION_CONSTANT;
    if (range->kind != RANGE_RELATION || (constant && right->type->oid != left->type->oid))
        return false;
    return known_selectivity(level->planner, range->relation, left->number, strategy,
                             constant ? &right->constant : NULL, selectivity);
}

static double call_selectivity(struct level *level, const struct expression *node)
{
    const struct operator* operator= node->operator;
    double known;
    if (!operator|| node->arguments != 2)
        return 0.33;
    if (ask_known(level, node, &known))
        return known;
    if (operator->strategy == 3) {
        uint64_t left = expression_ranges(node->argument[0]), right = expression_ranges(node->argument[1]);
        double a = left ? expression_distinct(level, node->argument[0], 1e18) : 1;
        double b = right ? expression_distinct(level, node->argument[1], 1e18) : 1;
        double most = a > b ? a : b;
        return most > 1 ? 1 / most : 0.5;
    }
    if (operator->strategy == 6)
        return 0.99;
    return operator->strategy ? 0.33 : 0.1;
}

static double test_selectivity(struct level *level, const struct expression *node)
{
    const struct expression *of = node->argument[0];
    const struct known_column *known = NULL;
    if (node->test != TEST_NULL && node->test != TEST_NOT_NULL)
        return 0.5;
    if (of->kind == EXPRESSION_COLUMN && of->level == 0 &&
        level->query->range[of->range].kind == RANGE_RELATION)
        known = relation_known(level->planner, level->query->range[of->range].relation, of->number);
    double nulls = known ? known->null_share : 0.02;
    return node->test == TEST_NULL ? nulls : 1 - nulls;
}

/* column < x and column > y, in either order: the column, or NULL. */
static const struct expression *range_end(const struct expression *node, bool *upper)
{
    if (node->kind != EXPRESSION_CALL || !node->operator|| node->arguments != 2)
        return NULL;
    uint8_t strategy = node->operator->strategy;
    const struct expression *column = node->argument[0];
    if (column->kind != EXPRESSION_COLUMN) {
        column = node->argument[1];
        strategy = turned(strategy);
    }
    *upper = strategy == 1 || strategy == 2;
    return column->kind == EXPRESSION_COLUMN && column->level == 0 &&
                   (*upper || strategy == 4 || strategy == 5)
               ? column
               : NULL;
}

/* Where nothing is known of a range with two ends: PostgreSQL's DEFAULT_RANGE_INEQ_SEL. */
#define RANGE_SHARE 0.005

static double and_selectivity(struct level *level, const struct expression *node)
{
    double selectivity = 1;
    uint64_t done = 0;
    for (uint32_t i = 0; i < node->arguments; i++) {
        double share = condition_selectivity(level, node->argument[i]);
        bool upper, other;
        const struct expression *column = range_end(node->argument[i], &upper);
        if (i < 64 && done >> i & 1)
            continue;
        for (uint32_t j = i + 1; column && j < node->arguments && j < 64; j++) {
            const struct expression *same = range_end(node->argument[j], &other);
            if (!same || other == upper || same->range != column->range || same->number != column->number ||
                done >> j & 1)
                continue;
            /* Both say what they leave out. */
            share += condition_selectivity(level, node->argument[j]) - 1;
            share = share > 0 ? share : RANGE_SHARE;
            done |= 1UL << j;
            break;
        }
        selectivity *= share;
    }
    return selectivity;
}

static double guess(struct level *level, const struct expression *node)
{
    double selectivity = 1;
    switch (node->kind) {
    case EXPRESSION_CONSTANT:
        return !node->constant.null && node->constant.i ? 1 : 0;
    case EXPRESSION_AND:
        return and_selectivity(level, node);
    case EXPRESSION_OR:
        for (uint32_t i = 0; i < node->arguments; i++)
            selectivity *= 1 - condition_selectivity(level, node->argument[i]);
        return 1 - selectivity;
    case EXPRESSION_NOT:
        return 1 - condition_selectivity(level, node->argument[0]);
    case EXPRESSION_TEST:
        return test_selectivity(level, node);
    case EXPRESSION_CALL:
        return call_selectivity(level, node);
    case EXPRESSION_IN_LIST:
    case EXPRESSION_ANY: {
        double distinct = expression_distinct(level, node->argument[0], 1e18);
        double many = node->kind == EXPRESSION_IN_LIST ? node->arguments - 1 : 10;
        return distinct > many ? many / distinct : 0.5;
    }
    case EXPRESSION_SUBQUERY:
        return 0.5;
    default:
        return 0.33;
    }
}

/* From so many hits in so many stretches on the sample tells more than what is known of columns one by one. Neighbours are often
 * alike, so hits in one stretch may be one row's luck. */
#define HITS_ENOUGH   5
#define PLACES_ENOUGH 3

/* A column that is unique by itself, equal to a value: one row, and no sample knows better. */
static bool picks_one(struct level *level, const struct expression *node, double *selectivity)
{
    if (node->kind != EXPRESSION_CALL ||
        !node->operator|| node->arguments != 2 || node->operator->strategy != 3)
        return false;
    const struct expression *column = node->argument[0], *value = node->argument[1];
    if (column->kind != EXPRESSION_COLUMN) {
        column = node->argument[1];
        value = node->argument[0];
    }
    if (column->kind != EXPRESSION_COLUMN || column->level != 0 || column->number < 1 ||
        (value->kind != EXPRESSION_CONSTANT && value->kind != EXPRESSION_PARAMETER))
        return false;
    const struct range *range = &level->query->range[column->range];
    if (range->kind != RANGE_RELATION || !alone_unique(range->relation, column->number))
        return false;
    double rows = relation_rows(level->planner, range->relation);
    *selectivity = rows > 1 ? 1 / rows : 1;
    return true;
}

double condition_selectivity(struct level *level, const struct expression *expression)
{
    uint64_t ranges = expression_ranges(expression);
    struct answer answer = {0};
    double one;
    if (picks_one(level, expression, &one))
        return one < 1e-9 ? 1e-9 : one;
    if (__builtin_popcountll(ranges) == 1) {
        uint32_t range = (uint32_t)__builtin_ctzll(ranges);
        if (level->query->range[range].kind == RANGE_RELATION &&
            ask_sample(level, expression, range, &answer) && answer.hits >= HITS_ENOUGH &&
            answer.places >= PLACES_ENOUGH)
            return answer.hits / answer.rows;
    }
    double selectivity = guess(level, expression);
    /* Few hits, or none, of many rows: the guess may move within what chance explains. */
    if (answer.rows > 0) {
        double low = answer.places < 2 ? 0 : 0.3 * answer.hits / answer.rows;
        double high = answer.hits == 0 ? 0.7 / answer.rows : 2 * answer.hits / answer.rows;
        selectivity = selectivity < low ? low : selectivity > high ? high : selectivity;
    }
    return selectivity < 1e-9 ? 1e-9 : selectivity > 1 ? 1 : selectivity;
}
