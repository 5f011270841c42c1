/* UTF-8, one character at a time (RFC 3629). */
#ifndef SYNOD_BASE_UTF8_H
#define SYNOD_BASE_UTF8_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

/* Reads the first character of the bytes; gives its length, 0 when it is none: an encoding that is longer
 * than needed, half of a surrogate pair, beyond U+10FFFF, cut off, or no bytes at all. `point` is then
 * unknown. */
size_t utf8_read(struct bytes bytes, uint32_t *point);

/* Size of the longest beginning that does not end within a character: where to cut a text of which only these
 * bytes had room. */
size_t utf8_cut(struct bytes bytes);

#endif
