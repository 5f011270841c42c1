/* Bytes as base64 (RFC 4648). */
#ifndef SYNOD_BASE_BASE64_H
#define SYNOD_BASE_BASE64_H

#include "base/bytes.h"

#include <stddef.h>

enum base64_kind {
    BASE64,     /* section 4, padded */
    BASE64_URL, /* section 5, the alphabet for addresses and file names, not padded */
    BASE64_ANY, /* section 4; read with padding or without, written with it */
};

/* Room that base64_write() needs for so many bytes, with a zero byte at the end. */
#define BASE64_TEXT_BYTES(size) (((size) + 2) / 3 * 4 + 1)

/* Writes them and a zero byte; gives the characters before that. */
size_t base64_write(struct bytes bytes, enum base64_kind kind, char *text);

/* Gives how many bytes were read, or -1 when it is no such text, or the bytes have no room. Of several texts that would mean
 * the same bytes only one is taken: bits left over must be zero. */
ptrdiff_t base64_read(struct bytes text, enum base64_kind kind, uint8_t *bytes, size_t room);

#endif
