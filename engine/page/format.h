/* Pages and superblocks as they are on the disk. All integers are little-endian.
 *
 *     byte 0          superblock of slot 0        pages follow from byte 131,072 on: place p is at
 *     byte 32,768     the same, second copy       byte p * page_bytes, so the first place in use is
 *     byte 65,536     superblock of slot 1        131,072 / page_bytes.
 *     byte 98,304     the same, second copy
 *
 * The superblocks' places do not depend on the size of pages, which only they know. Each is written twice, so that a
 * rotten sector does not take a generation away.
 *
 * Page:
 *     offset  size  meaning
 *          0     4  CRC-32C of the rest of the page
 *          4     4  kind (enum page_kind)
 *          8     8  volume id, drawn when the volume was made
 *         16     8  own number: place, and the lowest 24 bits of the generation in the highest
 *         24     8  generation that wrote it
 *         32        body
 *
 * Superblock (4,096 bytes):
 *          0     4  CRC-32C of the rest
 *          4     4  version of the format: 1
 *          8     8  "SYNODVOL"
 *         16     8  identity: whose volume it is (cluster and core)
 *         24     8  volume id
 *         32     8  generation
 *         40     4  bytes of a page
 *         44     4  bytes of the root record, at most 2,048
 *         48     8  places in the file
 *         56     4  groups: pages of the allocation map there are or could be, ceil(places / places of a group)
 *         60     4  directories: pages that list groups, ceil(groups / groups of a directory)
 *         64 1,024  numbers of the directories; 0 = none of its groups has a page
 *      1,088   960  zero
 *      2,048 2,048  the root record
 *
 * A directory's body is the numbers of its groups' pages, 0 = nothing in the group is in use. A group's body is one bit
 * for each place, set when the generation uses it. */
#ifndef SYNOD_ENGINE_PAGE_FORMAT_H
#define SYNOD_ENGINE_PAGE_FORMAT_H

#include "base/bytes.h"
#include "engine/page/page.h"

#include <assert.h>

#define PAGE_BYTES_MIN     4096
#define PAGE_BYTES_MAX     65536
#define PAGE_BYTES_DEFAULT 16384
#define PAGE_HEADER_BYTES  32

#define PLACE_BITS 40
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)
#define AGE_MASK   ((UINT64_C(1) << (64 - PLACE_BITS)) - 1)

enum page_kind { PAGE_OF_LAYER = 1, PAGE_OF_EXTENT, PAGE_OF_GROUP, PAGE_OF_DIRECTORY };

struct page_header {
    uint32_t checksum;
    uint32_t kind;
    uint64_t volume;
    uint64_t number;
    uint64_t generation;
};
static_assert(sizeof(struct page_header) == PAGE_HEADER_BYTES);

static inline uint64_t number_place(uint64_t number)
{
    return number & PLACE_MASK;
}

static inline uint64_t number_of(uint64_t place, uint64_t generation)
{
    return generation << PLACE_BITS | place;
}

static inline bool number_is_of(uint64_t number, uint64_t generation)
{
    return number >> PLACE_BITS == (generation & AGE_MASK);
}

/* The generation a number tells, none being above `present`. */
static inline uint64_t number_generation(uint64_t number, uint64_t present)
{
    return present - ((present - (number >> PLACE_BITS)) & AGE_MASK);
}

/* Fills in the header of a page whose body is complete. */
void page_seal(uint8_t *page, uint32_t page_bytes, enum page_kind kind, uint64_t volume, uint64_t number,
               uint64_t generation);

/* What is wrong with a page as read, or NULL. */
const char *page_fault(const uint8_t *page, uint32_t page_bytes, enum page_kind kind, uint64_t volume,
                       uint64_t number);

#define SUPERBLOCK_BYTES       4096
#define SUPERBLOCK_SLOT_BYTES  65536
#define SUPERBLOCK_COPY_BYTES  32768
#define SUPERBLOCK_SLOTS       2
#define SUPERBLOCK_COPIES      2
#define SUPERBLOCKS_BYTES      (SUPERBLOCK_SLOTS * SUPERBLOCK_SLOT_BYTES)
#define SUPERBLOCK_DIRECTORIES 128
#define SUPERBLOCK_VERSION     1

struct superblock {
    uint32_t checksum;
    uint32_t version;
    uint8_t magic[8];
    uint64_t identity;
    uint64_t volume;
    uint64_t generation;
    uint32_t page_bytes;
    uint32_t root_bytes;
    uint64_t places;
    uint32_t groups;
    uint32_t directories;
    uint64_t directory[SUPERBLOCK_DIRECTORIES];
    uint8_t zero[960];
    uint8_t root[VOLUME_ROOT_BYTES_MAX];
};
static_assert(sizeof(struct superblock) == SUPERBLOCK_BYTES);
static_assert(offsetof(struct superblock, directory) == 64 && offsetof(struct superblock, root) == 2048);

/* Places in a group, groups in a directory. */
static inline uint64_t group_places(uint32_t page_bytes)
{
    return (uint64_t)(page_bytes - PAGE_HEADER_BYTES) * 8;
}

static inline uint32_t directory_groups(uint32_t page_bytes)
{
    return (page_bytes - PAGE_HEADER_BYTES) / 8;
}

static inline uint64_t superblock_offset(uint32_t slot, uint32_t copy)
{
    return (uint64_t)slot * SUPERBLOCK_SLOT_BYTES + (uint64_t)copy * SUPERBLOCK_COPY_BYTES;
}

void superblock_seal(struct superblock *superblock);

/* What is wrong with a superblock as read, or NULL: then all its figures are within their bounds. */
const char *superblock_fault(const struct superblock *superblock);

#endif
