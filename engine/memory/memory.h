/* The memory store: a shard's rows in memory alone, as a history with nothing below it. A single copy: its
 * contents are gone when the node stops, which whoever makes a table of it is told (STORE_DURABLE is not
 * among its abilities). */
#ifndef SYNOD_ENGINE_MEMORY_MEMORY_H
#define SYNOD_ENGINE_MEMORY_MEMORY_H

#include "engine/store/store.h"

/* Opens an empty store; freed with the scope. Versions beyond `memory_bytes` are refused (53200) by
 * make_room. */
struct store *memory_store_open(struct scope *scope, uint64_t shard, size_t memory_bytes);

#endif
