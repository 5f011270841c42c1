/* A column's statistics out of the gatherings, as PostgreSQL's compute_scalar_stats() works them out of its sample (the number
 * of different values apart, when not every row was kept: the sketch of all rows is nearer than any sample's guess). */
#include "sqlfront/statistics/gather.h"

#include <math.h>

/* A value of the sample. `order` is its place among those that are not null, in the order of keys. */
struct sampled {
    struct value value;
    uint32_t order;
    uint32_t same; /* at the first of equal ones: how many follow, itself included */
};

struct column {
    const struct gathering_request *request;
    const struct type *type;
    uint32_t target;
    uint64_t rows, nulls; /* of the table */
    double bytes;
    double sketched; /* different values by the sketch */
    uint32_t kept;   /* rows of the sample */
    uint32_t long_ones;
    bool whole; /* every row was kept */
    uint32_t count;
    struct sampled *sample; /* sorted by value, then by order */
    uint32_t distinct, repeated;
};

/* ---- collecting ---- */

struct source {
    const struct gathering *gathering;
    uint32_t at;
};

/* The kept row that comes next in the order of keys, of all gatherings'. */
static const struct kept_row *next_row(struct source *sources, uint32_t count)
{
    struct source *first = NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct source *source = &sources[i];
        if (source->at < source->gathering->kept_count &&
            (!first || source->gathering->kept[source->at].place < first->gathering->kept[first->at].place))
            first = source;
    }
    return first ? &first->gathering->kept[first->at++] : NULL;
}

static enum sqlstate collect(struct scope *scope, struct column *column, struct gathering *const *gatherings,
                             uint32_t count, uint32_t wanted, struct error *error)
{
    const struct gathering_request *request = column->request;
    struct source *sources = scope_alloc_zeroed(scope, count * sizeof sources[0]);
    uint8_t *registers = scope_alloc_zeroed(scope, SKETCH_BYTES);
    column->whole = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct gathering *gathering = gatherings[i];
        const struct column_sketch *sketch = &gathering->sketch[wanted];
        sources[i].gathering = gathering;
        column->rows += gathering->rows;
        column->nulls += sketch->nulls;
        column->bytes += sketch->bytes;
        column->kept += gathering->kept_count;
        column->whole = column->whole && gathering->share >= 1;
        if (sketch->registers)
            sketch_merge(registers, sketch->registers);
    }
    column->sketched = sketch_count(registers);
    enum sqlstate failed = scope_alloc_large(scope, (column->kept + 1) * sizeof column->sample[0], 16,
                                             (void **)&column->sample, error);
    const struct kept_row *row;
    while (!failed && (row = next_row(sources, count))) {
        struct value value;
        failed = row_decode(request->layout, row->row, &request->wanted[wanted], 1, &value, error);
        if (failed || value.null)
            continue;
        if (column->type->kind == VALUE_BYTES && value.size > STATISTICS_VALUE_BYTES_MAX) {
            column->long_ones++;
            continue;
        }
        column->sample[column->count] = (struct sampled){.value = value, .order = column->count};
        column->count++;
    }
    return failed;
}

/* ---- sorting ---- */

static bool comes_before(const struct column *column, const struct sampled *a, const struct sampled *b)
{
    int order = value_compare(column->request->environment, column->type, &a->value, &b->value);
    return order < 0 || (order == 0 && a->order < b->order);
}

/* Merge sort, bottom up: stable and without recursion. */
static enum sqlstate sort(struct scope *scope, struct column *column, struct error *error)
{
    struct sampled *from = column->sample, *to;
    enum sqlstate failed =
        scope_alloc_large(scope, (column->count + 1) * sizeof to[0], 16, (void **)&to, error);
    if (failed)
        return failed;
    for (uint32_t width = 1; width < column->count; width *= 2) {
        for (uint32_t low = 0; low < column->count; low += 2 * width) {
            uint32_t middle = low + width < column->count ? low + width : column->count;
            uint32_t high = middle + width < column->count ? middle + width : column->count;
            uint32_t left = low, right = middle;
            for (uint32_t at = low; at < high; at++) {
                bool take_right =
                    left == middle || (right < high && comes_before(column, &from[right], &from[left]));
                to[at] = take_right ? from[right++] : from[left++];
            }
        }
        struct sampled *sorted = to;
        to = from;
        from = sorted;
    }
    column->sample = from;
    return SQLSTATE_OK;
}

static void count_equal(struct column *column)
{
    for (uint32_t first = 0; first < column->count;) {
        uint32_t end = first + 1;
        while (end < column->count &&
               value_compare(column->request->environment, column->type, &column->sample[first].value,
                             &column->sample[end].value) == 0)
            end++;
        column->sample[first].same = end - first;
        column->distinct++;
        column->repeated += end - first > 1;
        first = end;
    }
}

/* ---- what comes of it ---- */

static double count_distinct(const struct column *column, const struct column_statistics *statistics)
{
    double present = (double)column->rows * (1 - statistics->null_share);
    if (column->whole && column->long_ones == 0)
        return column->distinct;
    /* A sketch is off by a percent or two; a sample without any value twice says that there are none. */
    if (column->repeated == 0 && column->sketched > 0.9 * present)
        return present;
    return column->sketched < column->distinct ? column->distinct
           : column->sketched > present        ? present
                                               : column->sketched;
}

/* How many of the `count` most common values (by number of occurrences, falling) are clearly commoner than the rest: PostgreSQL's
 * analyze_mcv_list(). Of a sample without replacement the number of occurrences has a hypergeometric distribution. */
static uint32_t clearly_common(const struct column *column, const struct column_statistics *statistics,
                               const uint32_t *occurrences, uint32_t count)
{
    double total = (double)column->rows, n = column->kept;
    if (column->whole || total <= 1)
        return count;
    double sum = 0;
    for (uint32_t i = 0; i + 1 < count; i++)
        sum += occurrences[i];
    for (; count > 0; count--) {
        double share = 1 - sum / n - statistics->null_share;
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        double others = statistics->distinct - (count - 1);
        if (others > 1)
            share /= others;
        double k = total * occurrences[count - 1] / n;
        double variance = n * k * (total - k) * (total - n) / (total * total * (total - 1));
        if (occurrences[count - 1] > share * n + 2 * sqrt(variance > 0 ? variance : 0) + 0.5)
            break;
        if (count > 1)
            sum -= occurrences[count - 2];
    }
    return count;
}

/* The places in the sample of the most common values, commonest first, equally common ones in order. */
static uint32_t find_common(const struct column *column, uint32_t *place, uint32_t *occurrences)
{
    uint32_t found = 0;
    for (uint32_t first = 0; first < column->count; first += column->sample[first].same) {
        uint32_t same = column->sample[first].same;
        if (same < 2 || (found == column->target && same <= occurrences[found - 1]))
            continue;
        uint32_t at = found < column->target ? found++ : found - 1;
        for (; at > 0 && occurrences[at - 1] < same; at--) {
            occurrences[at] = occurrences[at - 1];
            place[at] = place[at - 1];
        }
        occurrences[at] = same;
        place[at] = first;
    }
    return found;
}

static enum sqlstate keep_values(struct scope *scope, const struct column *column, const uint32_t *place,
                                 uint32_t count, struct value **values, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    *values = scope_alloc(scope, (count + 1) * sizeof(struct value));
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = value_copy(scope, column->type, &column->sample[place[i]].value, &(*values)[i], error);
    return failed;
}

static enum sqlstate make_common(struct scope *scope, struct scope *scratch, struct column *column,
                                 struct column_statistics *statistics, struct error *error)
{
    uint32_t *place = scope_alloc(scratch, (column->target + 1) * sizeof place[0]);
    uint32_t *occurrences = scope_alloc(scratch, (column->target + 1) * sizeof occurrences[0]);
    uint32_t count = find_common(column, place, occurrences);
    if (count != column->distinct || column->long_ones || statistics->grows || statistics->distinct == 0)
        count = clearly_common(column, statistics, occurrences, count);
    statistics->commons = count;
    statistics->share = scope_alloc(scope, (count + 1) * sizeof statistics->share[0]);
    for (uint32_t i = 0; i < count; i++)
        statistics->share[i] = (double)occurrences[i] / column->kept;
    enum sqlstate failed = keep_values(scope, column, place, count, &statistics->common, error);
    /* What is common has no part in the histogram. */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = place[i], same = column->sample[first].same;
        for (uint32_t j = first; j < first + same; j++)
            column->sample[j].same = UINT32_MAX;
    }
    return failed;
}

static enum sqlstate make_bounds(struct scope *scope, struct scope *scratch, const struct column *column,
                                 struct column_statistics *statistics, struct error *error)
{
    uint32_t bounds = column->distinct - statistics->commons, count = 0;
    if (bounds > column->target)
        bounds = column->target + 1;
    if (bounds < 2)
        return SQLSTATE_OK;
    uint32_t *rest = scope_alloc(scratch, column->count * sizeof rest[0]);
    uint32_t *place = scope_alloc(scratch, bounds * sizeof place[0]);
    for (uint32_t i = 0; i < column->count; i++)
        if (column->sample[i].same != UINT32_MAX)
            rest[count++] = i;
    for (uint32_t i = 0; i < bounds; i++)
        place[i] = rest[(uint64_t)(count - 1) * i / (bounds - 1)];
    statistics->bounds = bounds;
    return keep_values(scope, column, place, bounds, &statistics->bound, error);
}

static void correlate(const struct column *column, struct column_statistics *statistics)
{
    double n = column->count, sum = (n - 1) * n / 2, squares = (n - 1) * n * (2 * n - 1) / 6, products = 0;
    if (column->count < 2)
        return;
    for (uint32_t i = 0; i < column->count; i++)
        products += (double)i * column->sample[i].order;
    statistics->has_correlation = true;
    statistics->correlation = (n * products - sum * sum) / (n * squares - sum * sum);
}

enum sqlstate statistics_column(struct scope *scope, struct gathering *const *gatherings, uint32_t count,
                                uint32_t wanted, uint32_t target, struct column_statistics *statistics,
                                struct error *error)
{
    const struct gathering_request *request = &gatherings[0]->request;
    struct scope *scratch = scope_open(scope, "column statistics");
    struct column column = {
        .request = request, .type = request->types[request->wanted[wanted]], .target = target};
    memset(statistics, 0, sizeof *statistics);
    enum sqlstate failed = collect(scratch, &column, gatherings, count, wanted, error);
    bool ordered = statistics_ordered(column.type);
    if (!failed && column.rows) {
        statistics->null_share = (double)column.nulls / (double)column.rows;
        double present = (double)(column.rows - column.nulls);
        statistics->width = present > 0               ? column.bytes / present
                            : column.type->length > 0 ? column.type->length
                                                      : 0;
    }
    if (!failed && ordered && column.count)
        failed = sort(scratch, &column, error);
    if (!failed && ordered && column.count) {
        count_equal(&column);
        statistics->distinct = count_distinct(&column, statistics);
        statistics->grows =
            (column.whole && column.repeated == 0) || statistics->distinct > 0.1 * (double)column.rows;
        correlate(&column, statistics);
        failed = make_common(scope, scratch, &column, statistics, error);
    }
    if (!failed && ordered && column.count)
        failed = make_bounds(scope, scratch, &column, statistics, error);
    scope_close(scratch);
    return failed;
}
