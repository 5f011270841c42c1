/* The barren stretch: where a scan had to pass over many rows that are gone.
 *
 * Who takes rows from the front of a table again and again (a queue) leaves deleted ones there, which stay in the history until
 * the tree has heard of them: each taker would pass all that those before it have passed. So a store remembers one stretch of
 * keys in which nobody will see a row:
 *
 *     from <= key < to:  nothing, or rows whose newest version is a deletion committed at `scn` or before
 *
 * A scan that begins in it, at a snapshot of `scn` or later, goes on at `to`, and makes it longer when more has gone since. Rows
 * that are deleted stay so; a row that comes (row_apply) where the stretch lies ends it, before anybody can see that row. A
 * scan that waited while anything changed (`changes`) says nothing, for a row may have come where it had already passed; nor
 * does one when rows of open transactions lie in spills, where it does not see them. */
#include "base/scope.h"
#include "engine/row/inside.h"

/* Fewer rows to pass over cost less than remembering them. */
#define BARREN_LEAST 16

struct barren {
    bool known;
    uint64_t scn;
    size_t from_size, to_size;
    uint8_t from[STORE_KEY_BYTES_MAX], to[STORE_KEY_BYTES_MAX];
};

static struct bytes stretch_from(const struct barren *barren)
{
    return bytes_of(barren->from, barren->from_size);
}

static struct bytes stretch_to(const struct barren *barren)
{
    return bytes_of(barren->to, barren->to_size);
}

void barren_enter(struct row_store *rows, const struct snapshot *snapshot, struct bytes *from,
                  struct barren_walk *walk)
{
    struct barren *barren = rows->barren;
    *walk = (struct barren_walk){.looking = true, .from = *from, .changes = rows->changes};
    if (!barren || !barren->known || snapshot->scn < barren->scn ||
        bytes_compare(*from, stretch_from(barren)) < 0 || bytes_compare(*from, stretch_to(barren)) >= 0)
        return;
    walk->from = stretch_from(barren);
    walk->scn = barren->scn;
    walk->entered = true;
    *from = stretch_to(barren);
}

static void copy(uint8_t *to, size_t *size, struct bytes key)
{
    if (key.size)
        memmove(to, key.data, key.size);
    *size = key.size;
}

void barren_ends(struct row_store *rows, struct barren_walk *walk, struct bytes to)
{
    struct barren *barren = rows->barren;
    walk->looking = false;
    if (walk->passed < (walk->entered ? 1 : BARREN_LEAST) || rows->changes != walk->changes ||
        !list_empty(&rows->spills))
        return;
    if (!barren)
        barren = rows->barren = scope_alloc_zeroed(rows->scope, sizeof *barren);
    copy(barren->from, &barren->from_size, walk->from);
    copy(barren->to, &barren->to_size, to);
    barren->scn = walk->scn;
    barren->known = bytes_compare(stretch_from(barren), stretch_to(barren)) < 0;
    rows->changes++;
}

void barren_row_comes(struct row_store *rows, struct bytes key)
{
    struct barren *barren = rows->barren;
    rows->changes++;
    if (barren && barren->known && bytes_compare(key, stretch_from(barren)) >= 0 &&
        bytes_compare(key, stretch_to(barren)) < 0)
        barren->known = false;
}
