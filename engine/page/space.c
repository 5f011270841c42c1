/* The allocation maps; see space.h. */
#include "engine/page/space.h"

#include "base/check.h"
#include "base/scope.h"

void space_open(struct space *space, struct scope *scope, uint32_t page_bytes)
{
    *space = (struct space){.scope = scope, .page_bytes = page_bytes};
    space->words_in_group = (page_bytes - PAGE_HEADER_BYTES) / 8;
    space->first = SUPERBLOCKS_BYTES / page_bytes;
    space->cursor = space->first / 64;
}

/* ---- growing ---- */

static enum sqlstate grow_array(struct space *space, void *array_pointer, size_t old_bytes, size_t new_bytes,
                                struct error *error)
{
    void *old, *new;
    memcpy(&old, array_pointer, sizeof old);
    enum sqlstate failed = scope_alloc_large(space->scope, new_bytes, 64, &new, error);
    if (failed)
        return failed;
    if (old) {
        memcpy(new, old, old_bytes);
        scope_free_large(space->scope, old);
    }
    memset((uint8_t *)new + old_bytes, 0, new_bytes - old_bytes);
    memcpy(array_pointer, &new, sizeof new);
    return SQLSTATE_OK;
}

/* Makes room for so many groups, doubling. A failure half way leaves larger arrays, which harm nobody. */
static enum sqlstate make_room(struct space *space, uint32_t groups, struct error *error)
{
    uint32_t old = space->groups_room, new = old ? old : 1;
    while (new < groups)
        new *= 2;
    if (new == old)
        return SQLSTATE_OK;
    size_t unit = (size_t)space->words_in_group * 8;
    enum sqlstate failed = grow_array(space, &space->now, old * unit, new *unit, error);
    if (!failed)
        failed = grow_array(space, &space->loose, old * unit, new *unit, error);
    if (!failed)
        failed = grow_array(space, &space->busy, old * unit, new *unit, error);
    if (!failed)
        failed = grow_array(space, &space->hole, old * (size_t)space->words_in_group,
                            new *(size_t)space->words_in_group, error);
    if (!failed)
        failed =
            grow_array(space, &space->group, old * sizeof *space->group, new * sizeof *space->group, error);
    if (!failed)
        space->groups_room = new;
    return failed;
}

/* Which of the 64 places of a word are pages' places in the file. */
static uint64_t places_of_word(const struct space *space, uint64_t word)
{
    uint64_t start = word * 64, mask = UINT64_MAX;
    if (start >= space->places || start + 64 <= space->first)
        return 0;
    if (start < space->first)
        mask &= UINT64_MAX << (space->first - start);
    if (space->places - start < 64)
        mask &= ~(UINT64_MAX << (space->places - start));
    return mask;
}

/* Sets which places of a word are busy, and counts. Gives how many became free. */
static uint32_t set_busy(struct space *space, uint64_t word, uint64_t busy)
{
    struct space_group *group = &space->group[word / space->words_in_group];
    busy |= ~places_of_word(space, word);
    uint32_t freed = (uint32_t)__builtin_popcountll(space->busy[word] & ~busy);
    uint32_t taken = (uint32_t)__builtin_popcountll(busy & ~space->busy[word]);
    space->busy[word] = busy;
    group->free += freed - taken;
    space->free += freed;
    space->free -= taken;
    return freed;
}

enum sqlstate space_grow(struct space *space, uint64_t places, struct error *error)
{
    uint64_t in_group = group_places(space->page_bytes), old = space->places;
    uint64_t groups = (places + in_group - 1) / in_group;
    if (groups > (uint64_t)directory_groups(space->page_bytes) * SUPERBLOCK_DIRECTORIES)
        return error_set(
            error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "a volume cannot have more than %llu pages",
            (unsigned long long)(in_group * directory_groups(space->page_bytes) * SUPERBLOCK_DIRECTORIES));
    enum sqlstate failed = make_room(space, (uint32_t)groups, error);
    if (failed)
        return failed;
    /* Beyond the end of the file everything is busy, so that a search need not look where it ends. */
    for (uint64_t group = space->groups; group < groups; group++)
        memset(space_words(space, space->busy, (uint32_t)group), 0xff, (size_t)space->words_in_group * 8);
    space->groups = (uint32_t)groups;
    space->places = places;
    for (uint64_t word = old / 64; word <= (places - 1) / 64; word++)
        set_busy(space, word, word == old / 64 ? space->busy[word] & ~(UINT64_MAX << old % 64) : 0);
    return SQLSTATE_OK;
}

void space_load(struct space *space, uint32_t group, const uint64_t *words)
{
    uint64_t first = (uint64_t)group * space->words_in_group;
    for (uint32_t i = 0; i < space->words_in_group; i++) {
        uint64_t places = places_of_word(space, first + i);
        space->now[first + i] |= words ? words[i] & places : places;
        space->unknown += words ? 0 : (uint64_t)__builtin_popcountll(places);
        set_busy(space, first + i, space->busy[first + i] | space->now[first + i]);
    }
}

void space_claim(struct space *space, uint64_t place)
{
    space->now[place / 64] |= UINT64_C(1) << place % 64;
    set_busy(space, place / 64, space->busy[place / 64] | space->now[place / 64]);
}

/* ---- taking ---- */

static void take_bit(struct space *space, uint64_t place, bool loose)
{
    uint64_t *map = loose ? space->loose : space->now, bit = UINT64_C(1) << place % 64;
    struct space_group *group = &space->group[place / group_places(space->page_bytes)];
    check(!space_bit(space->busy, place));
    space->busy[place / 64] |= bit;
    space->hole_words -= space->hole[place / 64];
    space->hole[place / 64] = false;
    map[place / 64] |= bit;
    group->free--;
    space->free--;
    if (loose)
        space->loose_count++;
    else
        group->changed = true;
}

/* Next fit: so what is written together lies together where there is room, and old gaps are come upon in turn. */
uint64_t space_take(struct space *space, bool loose)
{
    check(space->free > 0);
    uint64_t words = (uint64_t)space->groups * space->words_in_group, at = space->cursor;
    for (;;) {
        if (at >= words)
            at = 0;
        if (space->group[at / space->words_in_group].free == 0) {
            at = (at / space->words_in_group + 1) * space->words_in_group;
            continue;
        }
        uint64_t open = ~space->busy[at];
        if (open) {
            uint64_t place = at * 64 + (uint64_t)__builtin_ctzll(open);
            space->cursor = at;
            take_bit(space, place, loose);
            return place;
        }
        at++;
    }
}

/* First fit, from the start of the file. */
uint64_t space_take_run(struct space *space, uint64_t count)
{
    uint64_t words = (uint64_t)space->groups * space->words_in_group, run = 0;
    for (uint64_t at = 0; at < words; at++) {
        uint64_t busy = space->busy[at];
        if (busy == UINT64_MAX) {
            run = 0;
            if (space->group[at / space->words_in_group].free == 0)
                at = (at / space->words_in_group + 1) * space->words_in_group - 1;
            continue;
        }
        for (uint32_t bit = 0; bit < 64; bit++) {
            run = busy >> bit & 1 ? 0 : run + 1;
            if (run < count)
                continue;
            uint64_t first = at * 64 + bit + 1 - count;
            for (uint64_t place = first; place < first + count; place++)
                take_bit(space, place, true);
            return first;
        }
    }
    return 0;
}

/* ---- giving back ---- */

static bool is_free_word(const struct space *space, uint64_t word)
{
    return !space->busy[word] && !space->hole[word];
}

bool space_find_free_words(const struct space *space, uint64_t end, uint64_t most, uint64_t *first,
                           uint64_t *count)
{
    while (end > 0 && !is_free_word(space, end - 1))
        end--;
    *count = 0;
    while (end > 0 && *count < most && is_free_word(space, end - 1)) {
        end--;
        ++*count;
    }
    *first = end;
    return *count > 0;
}

void space_hole_begin(struct space *space, uint64_t first, uint64_t count)
{
    for (uint64_t place = first * 64; place < (first + count) * 64; place++)
        take_bit(space, place, true);
}

void space_hole_end(struct space *space, uint64_t first, uint64_t count)
{
    for (uint64_t word = first; word < first + count; word++) {
        space_free_word(space, word, UINT64_MAX);
        space->hole[word] = true;
        space->hole_words++;
    }
}

/* ---- keeping, freeing ---- */

void space_keep(struct space *space, uint64_t place)
{
    uint64_t bit = UINT64_C(1) << place % 64;
    check(space_bit(space->loose, place));
    space->loose[place / 64] &= ~bit;
    space->now[place / 64] |= bit;
    space->loose_count--;
    space->group[place / group_places(space->page_bytes)].changed = true;
}

void space_loosen(struct space *space, uint64_t place)
{
    uint64_t bit = UINT64_C(1) << place % 64;
    if (!space_valid(space, place) || !space_bit(space->now, place))
        return;
    space->now[place / 64] &= ~bit;
    space->loose[place / 64] |= bit;
    space->loose_count++;
    space->group[place / group_places(space->page_bytes)].changed = true;
}

bool space_free(struct space *space, uint64_t place, bool at_once)
{
    uint64_t bit = UINT64_C(1) << place % 64;
    if (!space_valid(space, place))
        return false;
    if (space_bit(space->loose, place)) {
        space->loose[place / 64] &= ~bit;
        space->loose_count--;
    } else if (space_bit(space->now, place)) {
        space->now[place / 64] &= ~bit;
        space->group[place / group_places(space->page_bytes)].changed = true;
    } else {
        return false;
    }
    if (at_once) {
        set_busy(space, place / 64, space->busy[place / 64] & ~bit);
    } else {
        /* Commits look at groups that changed, for places that nobody refers to any more. */
        space->group[place / group_places(space->page_bytes)].changed = true;
        space->held++;
    }
    return true;
}

void space_keep_word(struct space *space, uint64_t word, uint64_t places)
{
    places &= space->loose[word];
    if (!places)
        return;
    space->loose[word] &= ~places;
    space->now[word] |= places;
    space->loose_count -= (uint64_t)__builtin_popcountll(places);
    space->group[word / space->words_in_group].changed = true;
}

void space_free_word(struct space *space, uint64_t word, uint64_t places)
{
    uint64_t loose = places & space->loose[word], now = places & space->now[word];
    space->loose[word] &= ~loose;
    space->now[word] &= ~now;
    space->loose_count -= (uint64_t)__builtin_popcountll(loose);
    space->held += (uint64_t)__builtin_popcountll(now);
    if (now)
        space->group[word / space->words_in_group].changed = true;
    set_busy(space, word, space->busy[word] & ~loose);
}

/* ---- commits ---- */

/* Gives the page at *number a new number, remembering the former one. */
static void renumber(struct space *space, uint64_t *number, uint64_t *former, uint64_t generation)
{
    *former = *number;
    if (*former != PAGE_NONE)
        space_free(space, number_place(*former), false);
    *number = number_of(space_take(space, false), generation);
}

/* One pass over all groups; renumbering changes groups, maybe ones that had not changed. True when it found some. */
static bool renumber_changed(struct space *space, uint64_t generation)
{
    bool found = false;
    for (uint32_t i = 0; i < space->groups; i++) {
        struct space_group *group = &space->group[i];
        struct space_directory *directory = &space->directory[i / directory_groups(space->page_bytes)];
        if (!group->changed || group->renumbered)
            continue;
        found = group->renumbered = true;
        renumber(space, &group->number, &group->former, generation);
        if (!directory->renumbered) {
            directory->renumbered = true;
            renumber(space, &directory->number, &directory->former, generation);
        }
    }
    return found;
}

enum sqlstate space_freeze(struct space *space, struct scope *scope, uint64_t generation, struct error *error)
{
    size_t bytes = (size_t)space->words_in_group * 8;
    void *images;
    /* Which groups change is known only after the numbers are given, so there is room for all. */
    enum sqlstate failed = scope_alloc_large(scope, space->groups * bytes, 64, &images, error);
    if (failed)
        return failed;
    bool changed = false;
    for (uint32_t i = 0; i < space->groups; i++)
        changed = changed || space->group[i].changed;
    if (changed && space->free < space_reserve(space))
        return error_set(error, SQLSTATE_DISK_FULL, "there is no room for the allocation map of a volume");
    while (renumber_changed(space, generation))
        ;
    for (uint32_t i = 0; i < space->groups; i++) {
        struct space_group *group = &space->group[i];
        if (!group->changed)
            continue;
        group->changed = false;
        group->frozen = images;
        memcpy(images, space_words(space, space->now, i), bytes);
        images = (uint8_t *)images + bytes;
    }
    return SQLSTATE_OK;
}

/* What only the former generation referred to is free from now on. */
static void thaw_group(struct space *space, uint32_t index)
{
    uint64_t first = (uint64_t)index * space->words_in_group;
    const uint64_t *frozen = space->group[index].frozen;
    for (uint64_t i = 0; i < space->words_in_group; i++)
        space->held -=
            set_busy(space, first + i, frozen[i] | space->now[first + i] | space->loose[first + i]);
}

void space_thaw(struct space *space, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to && i < space->groups; i++) {
        struct space_group *group = &space->group[i];
        if (group->frozen)
            thaw_group(space, i);
        group->frozen = NULL;
        group->renumbered = false;
        space->directory[i / directory_groups(space->page_bytes)].renumbered = false;
    }
}

/* Takes a renumbering back: the new place was in no durable generation, the former one still is. */
static void restore(struct space *space, uint64_t *number, uint64_t former)
{
    space_free(space, number_place(*number), true);
    *number = former;
    if (former == PAGE_NONE)
        return;
    uint64_t place = number_place(former);
    space->now[place / 64] |= UINT64_C(1) << place % 64;
    space->held--;
}

void space_unfreeze(struct space *space)
{
    for (uint32_t i = 0; i < space->groups; i++) {
        struct space_group *group = &space->group[i];
        if (!group->frozen)
            continue;
        group->frozen = NULL;
        group->changed = true;
        group->renumbered = false;
        restore(space, &group->number, group->former);
    }
    for (uint32_t i = 0; i < SUPERBLOCK_DIRECTORIES; i++) {
        struct space_directory *directory = &space->directory[i];
        if (directory->renumbered)
            restore(space, &directory->number, directory->former);
        directory->renumbered = false;
    }
}
