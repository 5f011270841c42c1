/* Which places of a volume are in use, and by whom. Three bits for each place, all in memory (3 MiB for a TiB of 128 KiB
 * ... 24 MiB for a TiB of 16 KiB pages):
 *
 *     now     the present generation refers to it; what a commit writes into the allocation map
 *     loose   temporary: no generation refers to it
 *     busy    it may not be given away: now, loose, or referred to by the durable generation or the one being committed
 *
 * On the disk the map consists of groups (format.h), copy on write as all pages: a commit writes the groups that changed
 * and the directories that list them, nothing else, so that its cost follows what was changed and not the volume's size.
 *
 * One durable generation is protected, not two. While generation g+1 is made, everything g refers to stays; once the
 * superblock of g+1 is durable, what only g referred to is free. The older superblock is needed as long as the newer one
 * may be torn, and then its generation is the durable one, hence whole. To protect a second one would double the space
 * that a random update load needs, and opening it would lose commits whose log is gone: it buys nothing. Should both
 * copies of the newest superblock rot, the older generation opens, and pages it has lost since are found to be of
 * another generation, never taken for its own.
 *
 * Renumbering the groups themselves takes places at a time when nothing may fail, so one place for each group and
 * directory is kept in reserve, out of which ordinary pages are never served. */
#ifndef SYNOD_ENGINE_PAGE_SPACE_H
#define SYNOD_ENGINE_PAGE_SPACE_H

#include "engine/page/format.h"

struct space_group {
    uint64_t number;  /* its page; PAGE_NONE = the map has none: nothing was in use */
    uint64_t former;  /* while a commit runs: the number before it */
    uint64_t *frozen; /* while a commit runs and changed the group: its words as they are written */
    uint32_t free;    /* places not busy */
    bool changed;     /* since the last freeze */
    bool renumbered;  /* by the commit under way */
};

struct space_directory {
    uint64_t number, former;
    bool renumbered;
};

struct space {
    struct scope *scope;
    uint32_t page_bytes;
    uint32_t words_in_group;
    uint64_t first;  /* place that is not a superblock's */
    uint64_t places; /* in the file */
    uint64_t room;   /* words each of the maps has memory for; whole groups */
    uint64_t *now, *loose, *busy;
    uint8_t *hole; /* for each word: its places' room was given back to the disk, and none was taken since */
    struct space_group *group;
    struct space_directory directory[SUPERBLOCK_DIRECTORIES];
    uint32_t groups, groups_room;
    uint64_t hole_words;
    uint64_t cursor; /* word where the search for single places goes on */
    uint64_t free;   /* places that are not busy */
    uint64_t held;   /* busy, but neither now nor loose */
    uint64_t loose_count;
    uint64_t unknown;
};

void space_open(struct space *space, struct scope *scope, uint32_t page_bytes);

/* Makes the maps as large as `places`; the new ones are free. Fails with 53200, changing nothing. Does not yield. */
enum sqlstate space_grow(struct space *space, uint64_t places, struct error *error);

/* Words of a group in a map. */
static inline uint64_t *space_words(const struct space *space, uint64_t *map, uint32_t group)
{
    return map + (uint64_t)group * space->words_in_group;
}

static inline uint32_t space_directories(const struct space *space)
{
    uint32_t in_directory = directory_groups(space->page_bytes);
    return (space->groups + in_directory - 1) / in_directory;
}

/* Places kept for the allocation map itself. */
static inline uint64_t space_reserve(const struct space *space)
{
    return space->groups + space_directories(space);
}

/* Places that ordinary pages may take. */
static inline uint64_t space_available(const struct space *space)
{
    uint64_t reserve = space_reserve(space);
    return space->free > reserve ? space->free - reserve : 0;
}

static inline bool space_bit(const uint64_t *map, uint64_t place)
{
    return map[place / 64] >> place % 64 & 1;
}

static inline bool space_valid(const struct space *space, uint64_t place)
{
    return place >= space->first && place < space->places;
}

/* Takes a place; requires one. */
uint64_t space_take(struct space *space, bool loose);

/* Takes contiguous places, loose ones; 0 when there is no such run. */
uint64_t space_take_run(struct space *space, uint64_t count);

/* loose -> now. */
void space_keep(struct space *space, uint64_t place);

/* now -> loose. What is not in use, for a damaged page may name any, is left alone. */
void space_loosen(struct space *space, uint64_t place);

/* Frees a place that is in use; `at_once`: no generation but the present one knows it, so it can be taken again.
 * False, changing nothing, when it is not in use. */
bool space_free(struct space *space, uint64_t place, bool at_once);

/* The same for many places, a word of them; those not in use are passed over. */
void space_keep_word(struct space *space, uint64_t word, uint64_t places);
void space_free_word(struct space *space, uint64_t word, uint64_t places);

/* Words whose 64 places are all free and have room on the disk: finds the last run of them that ends before word *end, at most
 * `most` words; *first and *count say which. False when there is none. */
bool space_find_free_words(const struct space *space, uint64_t end, uint64_t most, uint64_t *first,
                           uint64_t *count);
/* Takes their places, loose, while the disk takes their room; then they are free again, and holes. */
void space_hole_begin(struct space *space, uint64_t first, uint64_t count);
void space_hole_end(struct space *space, uint64_t first, uint64_t count);

/* What was read of a group at opening; NULL = nothing can be known of it. */
void space_load(struct space *space, uint32_t group, const uint64_t *words);

/* Says that a place is in use, whatever was read: a page of the allocation map itself. */
void space_claim(struct space *space, uint64_t place);

/* Gives changed groups and their directories new numbers, of `generation`, and copies of the groups' words (memory of the
 * scope). Fails with 53100 or 53200, changing nothing. Then either space_thaw() of all groups, [from, to) at a time: the
 * generation is durable; or space_unfreeze(): it is not. */
enum sqlstate space_freeze(struct space *space, struct scope *scope, uint64_t generation,
                           struct error *error);
void space_thaw(struct space *space, uint32_t from, uint32_t to);
void space_unfreeze(struct space *space);

#endif
