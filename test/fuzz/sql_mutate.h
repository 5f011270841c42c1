/* New SQL out of old: by tokens, so that most of it is still parsed. */
#ifndef SYNOD_TEST_FUZZ_SQL_MUTATE_H
#define SYNOD_TEST_FUZZ_SQL_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* Changes `text` a little, in a room of `room` bytes; `other` (may be empty) is a text to take pieces from. Gives the new
 * size. The same seed makes the same of the same texts. */
size_t sql_mutate(uint8_t *text, size_t size, size_t room, const uint8_t *other, size_t other_size,
                  unsigned int seed);

#endif
