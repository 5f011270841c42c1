/* A disk as a whole: opening, losing power, and handles. */
#include "base/check.h"
#include "test/sim/inside.h"

void disk_model_open(struct disk *disk, struct sim_node *node, uint64_t seed)
{
    *disk = (struct disk){.node = node, .memory = &node->sim->memory, .slow_factor = 1};
    dice_open(&disk->dice, seed, DICE_DISK, node->number);
    list_init(&disk->inodes);
    list_init(&disk->changes);
    disk->unit = dice_below(&disk->dice, 2) ? 8 : 1;
    disk->root = memory_take_zeroed(disk->memory, sizeof *disk->root);
    disk->root->disk = disk;
    disk->root->directory = true;
    content_open(&disk->root->content, disk->memory);
    list_append(&disk->inodes, &disk->root->link);
    inode_hold(disk->root, true);
}

/* Changes first, for they hold inodes; then the tree falls from its root. */
void disk_model_close(struct disk *disk)
{
    names_lose_power(disk, 0);
    inode_release(disk->root, true);
    check(list_empty(&disk->inodes) && !disk->pages_used, "inodes are left when a disk is closed");
}

/* Some crashes lose all that was not synced and some nothing, as well as the mixtures: each finds other
 * mistakes. */
static uint32_t mood(struct disk *disk, const struct sim_faults *faults)
{
    uint32_t ppm = faults->lost_ppm;
    if (faults->lose_all)
        return 1000000;
    switch (dice_below(&disk->dice, 4)) {
    case 0:
        return 0;
    case 1:
        return ppm ? 1000000 : 0;
    default:
        return ppm;
    }
}

void disk_model_lose_power(struct disk *disk)
{
    struct sim *sim = disk->node->sim;
    struct power_loss loss = {.dice = &disk->dice, .lost_ppm = mood(disk, &sim->faults), .unit = disk->unit};
    loss.torn_ppm = loss.lost_ppm == 1000000 ? 0 : sim->faults.torn_ppm;
    names_lose_power(disk, mood(disk, &sim->faults));
    list_each (&disk->inodes, at) {
        struct inode *inode = container_of(at, struct inode, link);
        if (inode->directory)
            continue;
        content_lose_power(&inode->content, &loss);
        inode_count(inode);
    }
    sim->totals.sectors_lost += loss.lost;
    sim->totals.sectors_torn += loss.torn;
    record(sim, disk->node->number, EVERYWHERE, TRACE_DISK_CRASH, loss.lost, loss.torn, NULL);
}

void handle_close(struct handle *handle)
{
    struct memory *memory = &handle->process->sim->memory;
    if (handle->inode->locked_by == handle)
        handle->inode->locked_by = NULL;
    list_remove(&handle->link);
    inode_release(handle->inode, true);
    memory_give_text(memory, handle->path);
    memory_give(memory, handle, sizeof *handle);
}
