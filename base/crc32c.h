/* CRC-32C (Castagnoli; RFC 3720, appendix B.4): the checksum of everything we write to disk or send. It finds
 * every error burst of up to 32 bits, and processors compute it at memory speed. */
#ifndef SYNOD_BASE_CRC32C_H
#define SYNOD_BASE_CRC32C_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

/* The checksum of a followed by b is crc32c_extend(checksum of a, b); that of nothing is 0. Chooses the
 * processor's instruction where it has one. */
uint32_t crc32c_extend(uint32_t crc, struct bytes bytes);

static inline uint32_t crc32c(struct bytes bytes)
{
    return crc32c_extend(0, bytes);
}

/* The same without the instruction, for processors that lack it and for tests. */
uint32_t crc32c_extend_portable(uint32_t crc, struct bytes bytes);

#endif
