/* Sealing and checking; see format.h. */
#include "engine/page/format.h"

#include "base/crc32c.h"

static const uint8_t superblock_magic[8] = {'S', 'Y', 'N', 'O', 'D', 'V', 'O', 'L'};

static uint32_t checksum_of(const uint8_t *block, size_t bytes)
{
    return crc32c(bytes_of(block + sizeof(uint32_t), bytes - sizeof(uint32_t)));
}

void page_seal(uint8_t *page, uint32_t page_bytes, enum page_kind kind, uint64_t volume, uint64_t number,
               uint64_t generation)
{
    struct page_header header = {.kind = kind, .volume = volume, .number = number, .generation = generation};
    memcpy(page, &header, sizeof header);
    header.checksum = checksum_of(page, page_bytes);
    memcpy(page, &header.checksum, sizeof header.checksum);
}

const char *page_fault(const uint8_t *page, uint32_t page_bytes, enum page_kind kind, uint64_t volume,
                       uint64_t number)
{
    struct page_header header;
    memcpy(&header, page, sizeof header);
    if (header.checksum != checksum_of(page, page_bytes))
        return "its checksum is wrong";
    if (header.volume != volume)
        return "it belongs to another volume";
    if (number_place(header.number) != number_place(number))
        return "it belongs to another place";
    if (header.number != number || !number_is_of(number, header.generation))
        return "it is of another generation";
    if (header.kind != kind)
        return "it is of another kind";
    return NULL;
}

void superblock_seal(struct superblock *superblock)
{
    memcpy(superblock->magic, superblock_magic, sizeof superblock_magic);
    superblock->version = SUPERBLOCK_VERSION;
    superblock->checksum = checksum_of((const uint8_t *)superblock, sizeof *superblock);
}

static const char *layout_fault(const struct superblock *superblock)
{
    uint32_t page_bytes = superblock->page_bytes;
    if (page_bytes < PAGE_BYTES_MIN || page_bytes > PAGE_BYTES_MAX || (page_bytes & (page_bytes - 1)))
        return "the size of its pages is impossible";
    uint64_t first = SUPERBLOCKS_BYTES / page_bytes, places = superblock->places;
    uint64_t in_group = group_places(page_bytes), in_directory = directory_groups(page_bytes);
    if (places < first || places > in_group * in_directory * SUPERBLOCK_DIRECTORIES)
        return "the size of the file is impossible";
    uint64_t groups = (places + in_group - 1) / in_group;
    if (superblock->groups != groups || superblock->directories != (groups + in_directory - 1) / in_directory)
        return "the allocation map is impossible";
    for (uint32_t i = 0; i < superblock->directories; i++) {
        uint64_t place = number_place(superblock->directory[i]);
        if (superblock->directory[i] != PAGE_NONE && (place < first || place >= places))
            return "the allocation map lies outside of the file";
    }
    return NULL;
}

const char *superblock_fault(const struct superblock *superblock)
{
    if (memcmp(superblock->magic, superblock_magic, sizeof superblock_magic) != 0)
        return "it is none";
    if (superblock->checksum != checksum_of((const uint8_t *)superblock, sizeof *superblock))
        return "its checksum is wrong";
    if (superblock->version != SUPERBLOCK_VERSION)
        return "its format is of another version";
    if (superblock->generation == 0 || superblock->generation > UINT64_MAX / 2)
        return "its generation is impossible";
    if (superblock->root_bytes > VOLUME_ROOT_BYTES_MAX)
        return "its root record is too long";
    return layout_fault(superblock);
}
