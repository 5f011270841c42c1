/* The pass over the rows. Which rows are kept is drawn beforehand: a share of all, from how many there should be. The memory is
 * an arena that fills up; when it is full because there are more rows, half of what is kept goes, and so does half of the
 * share. */
#include "sqlfront/statistics/gather.h"

#include <math.h>

/* What a row kept may take in the mean. */
#define ROW_BYTES_MEAN 200
/* Types from here on are not built in. */
#define TYPE_OWN_FIRST 16384

bool statistics_ordered(const struct type *type)
{
    bool made = type->order == ORDER_ARRAY || type->order == ORDER_RECORD;
    return type->order != ORDER_NONE && !(made && type->oid >= TYPE_OWN_FIRST);
}

enum sqlstate gathering_open(struct scope *scope, const struct gathering_request *request,
                             struct gathering **gathering, struct error *error)
{
    struct gathering *g = scope_alloc_zeroed(scope, sizeof *g);
    g->request = *request;
    g->kept_max = request->rows_wanted + request->rows_wanted / 4 + 1;
    /* What is expected may be old; thinning is cheap, and rows that were passed over do not come back. */
    g->share = request->rows_expected > 4.0 * g->kept_max ? request->rows_wanted / request->rows_expected : 1;
    g->random = request->seed;
    g->arena_bytes = (size_t)g->kept_max * ROW_BYTES_MEAN;
    g->values = scope_alloc_zeroed(scope, (request->wanted_count + 1) * sizeof g->values[0]);
    g->sketch = scope_alloc_zeroed(scope, (request->wanted_count + 1) * sizeof g->sketch[0]);
    enum sqlstate failed =
        scope_alloc_large(scope, g->kept_max * sizeof g->kept[0], 16, (void **)&g->kept, error);
    if (!failed)
        failed = scope_alloc_large(scope, g->arena_bytes, 16, (void **)&g->arena, error);
    for (uint32_t w = 0; w < request->wanted_count && !failed; w++) {
        if (statistics_ordered(request->types[request->wanted[w]]))
            g->sketch[w].registers = scope_alloc_zeroed(scope, SKETCH_BYTES);
    }
    *gathering = g;
    return failed;
}

static uint64_t draw(uint64_t *state) /* splitmix64 */
{
    uint64_t x = *state += 0x9e3779b97f4a7c15UL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9UL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebUL;
    return x ^ x >> 31;
}

/* How many rows to pass over before the next one that is kept: each is kept with the same chance. */
static uint64_t next_skip(struct gathering *g)
{
    if (g->share >= 1)
        return 0;
    double chance = ((double)(draw(&g->random) >> 11) + 1) * 0x1p-53;
    return (uint64_t)(log(chance) / log1p(-g->share));
}

/* Bytes as PostgreSQL stores them: short ones with one byte before them, others with four. */
static double value_width(const struct type *type, const struct value *value)
{
    if (type->length > 0)
        return type->length;
    if (type->kind == VALUE_NUMERIC && value->small) {
        uint64_t size = value->i < 0 ? -(uint64_t)value->i : (uint64_t)value->i;
        int digits = 1;
        for (; size >= 10; size /= 10)
            digits++;
        return 3 + 2 * ((digits + 3) / 4);
    }
    return value->size + (value->size <= 126 ? 1 : 4);
}

/* Keeps what is kept with a chance of its own, in place: the arena is in the order of rows. */
static void thin(struct gathering *g, double chance)
{
    uint32_t kept = 0;
    size_t used = 0;
    for (uint32_t i = 0; i < g->kept_count; i++) {
        struct kept_row row = g->kept[i];
        if ((double)(draw(&g->random) >> 11) * 0x1p-53 >= chance)
            continue;
        memmove(g->arena + used, row.row.data, row.row.size);
        row.row.data = g->arena + used;
        used += row.row.size;
        g->kept[kept++] = row;
    }
    g->kept_count = kept;
    g->arena_used = used;
    g->share *= chance;
}

static void keep(struct gathering *g, struct bytes row, uint64_t place)
{
    while (g->kept_count == g->kept_max || row.size > g->arena_bytes - g->arena_used) {
        if (g->kept_count == 0)
            return; /* larger than all there is */
        thin(g, 0.5);
    }
    memcpy(g->arena + g->arena_used, row.data, row.size);
    g->kept[g->kept_count++] =
        (struct kept_row){.place = place, .row = bytes_of(g->arena + g->arena_used, row.size)};
    g->arena_used += row.size;
}

void gatherings_even(struct gathering *const *gatherings, uint32_t count)
{
    double least = 1;
    for (uint32_t i = 0; i < count; i++)
        if (gatherings[i]->share < least)
            least = gatherings[i]->share;
    for (uint32_t i = 0; i < count; i++)
        if (gatherings[i]->share > least)
            thin(gatherings[i], least / gatherings[i]->share);
}

enum sqlstate gathering_row(struct gathering *g, struct bytes row, uint64_t place, struct error *error)
{
    const struct gathering_request *request = &g->request;
    enum sqlstate failed =
        row_decode(request->layout, row, request->wanted, request->wanted_count, g->values, error);
    if (failed)
        return failed;
    if (g->rows++ == 0)
        g->skip = next_skip(g);
    for (uint32_t w = 0; w < request->wanted_count; w++) {
        const struct type *type = request->types[request->wanted[w]];
        struct column_sketch *sketch = &g->sketch[w];
        if (g->values[w].null) {
            sketch->nulls++;
            continue;
        }
        sketch->bytes += value_width(type, &g->values[w]);
        if (sketch->registers)
            sketch_add(sketch->registers, value_hash(request->environment, type, &g->values[w]));
    }
    if (g->skip-- == 0) {
        keep(g, row, place);
        g->skip = next_skip(g);
    }
    return SQLSTATE_OK;
}

uint64_t gathering_rows(const struct gathering *gathering)
{
    return gathering->rows;
}
