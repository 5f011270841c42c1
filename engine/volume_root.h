/* Root records of volumes and of shards in them; drawn in shard.c. */
#ifndef SYNOD_ENGINE_VOLUME_ROOT_H
#define SYNOD_ENGINE_VOLUME_ROOT_H

#include "engine/tree/tree.h"

#define VOLUME_ROOT_BYTES (24 + SHARD_ROOT_BYTES)
#define SHARD_ROOT_BYTES  36

struct volume_root {
    uint64_t checkpoint_scn; /* every commit up to here is in the volume's shards */
    uint64_t replay_from;    /* the log is needed from this position */
    struct tree_root roots;
};

size_t volume_root_write(uint8_t *record, const struct volume_root *root);
bool volume_root_read(struct bytes record, struct volume_root *root);
void shard_root_write(uint8_t row[static SHARD_ROOT_BYTES], const struct tree_root *root);
bool shard_root_read(struct bytes row, struct tree_root *root);

#endif
