/* Rings. */
#include "test/witness/ring.h"

bool ring_is_whole(const uint32_t *next, size_t count)
{
    uint32_t at = 0;
    for (size_t visited = 1; visited < count; visited++) {
        at = next[at];
        if (at == 0 || at >= count)
            return false;
    }
    return count == 0 || next[at] == 0;
}
