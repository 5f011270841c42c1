/* Whether numbers form one ring: place i holds the next place, and following them from 0 visits all before it is back. */
#ifndef SYNOD_TEST_WITNESS_RING_H
#define SYNOD_TEST_WITNESS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool ring_is_whole(const uint32_t *next, size_t count);

#endif
