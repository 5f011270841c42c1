/* Directories: what is seen, what is durable, and the changes between. */
#include "test/sim/disk.h"

#include "base/check.h"

#include <string.h>

/* ---- inodes ---- */

static void names_clear(struct disk *disk, struct names *names, bool seen);

static struct inode *inode_make(struct disk *disk, bool directory)
{
    struct inode *inode = memory_take_zeroed(disk->memory, sizeof *inode);
    inode->disk = disk;
    inode->directory = directory;
    content_open(&inode->content, disk->memory);
    list_append(&disk->inodes, &inode->link);
    return inode;
}

void inode_count(struct inode *inode)
{
    uint64_t pages = inode->seen ? inode->content.pages : 0;
    inode->disk->pages_used += pages - inode->counted;
    inode->counted = pages;
}

void inode_hold(struct inode *inode, bool seen)
{
    inode->references++;
    inode->seen += seen;
    inode_count(inode);
}

void inode_release(struct inode *inode, bool seen)
{
    struct disk *disk = inode->disk;
    check(inode->references > 0 && inode->seen >= seen);
    inode->seen -= seen;
    inode_count(inode);
    if (--inode->references)
        return;
    list_remove(&inode->link);
    names_clear(disk, &inode->visible, true);
    names_clear(disk, &inode->durable, false);
    content_close(&inode->content);
    memory_give(disk->memory, inode, sizeof *inode);
}

/* ---- names of a directory ---- */

/* Where the name is, or would be. */
static uint32_t names_place(const struct names *names, const char *text, bool *found)
{
    uint32_t low = 0, high = names->count;
    *found = false;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = strcmp(names->entries[middle].text, text);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct inode *names_get(const struct names *names, const char *text)
{
    bool found;
    uint32_t place = names_place(names, text, &found);
    return found ? names->entries[place].inode : NULL;
}

static void names_grow(struct disk *disk, struct names *names)
{
    uint32_t capacity = names->capacity ? 2 * names->capacity : 8;
    struct name *entries = memory_take(disk->memory, capacity * sizeof *entries);
    if (names->count)
        memcpy(entries, names->entries, names->count * sizeof *entries);
    memory_give(disk->memory, names->entries, names->capacity * sizeof *entries);
    names->entries = entries;
    names->capacity = capacity;
}

/* Binds, replacing what was there; NULL unbinds. */
static void names_set(struct disk *disk, struct names *names, const char *text, struct inode *inode,
                      bool seen)
{
    bool found;
    uint32_t place = names_place(names, text, &found);
    if (inode)
        inode_hold(inode, seen);
    if (found && inode) {
        inode_release(names->entries[place].inode, seen);
        names->entries[place].inode = inode;
    } else if (found) {
        inode_release(names->entries[place].inode, seen);
        memory_give_text(disk->memory, names->entries[place].text);
        names->count--;
        memmove(&names->entries[place], &names->entries[place + 1],
                (names->count - place) * sizeof *names->entries);
    } else if (inode) {
        if (names->count == names->capacity)
            names_grow(disk, names);
        memmove(&names->entries[place + 1], &names->entries[place],
                (names->count - place) * sizeof *names->entries);
        names->entries[place] = (struct name){memory_copy_text(disk->memory, text), inode};
        names->count++;
    }
}

static void names_clear(struct disk *disk, struct names *names, bool seen)
{
    for (uint32_t i = 0; i < names->count; i++) {
        memory_give_text(disk->memory, names->entries[i].text);
        inode_release(names->entries[i].inode, seen);
    }
    memory_give(disk->memory, names->entries, names->capacity * sizeof *names->entries);
    *names = (struct names){0};
}

/* ---- paths ---- */

struct place names_find(const struct disk *disk, const char *path)
{
    struct place place = {.inode = disk->root};
    for (;;) {
        path += strspn(path, "/");
        if (!*path)
            return place;
        size_t length = strcspn(path, "/");
        char part[256];
        const char *rest = path + length + strspn(path + length, "/");
        if (!place.inode || !place.inode->directory || length >= sizeof part)
            return (struct place){0};
        memcpy(part, path, length);
        part[length] = '\0';
        if (strcmp(part, ".")) {
            place.directory = place.inode;
            place.name = path;
            place.inode = names_get(&place.directory->visible, part);
        }
        path = rest;
    }
}

/* ---- changes ---- */

/* The last part of a path, without slashes behind it. */
static char *name_copy(struct disk *disk, const char *name)
{
    size_t length = strcspn(name, "/");
    char *copy = memory_take(disk->memory, length + 1);
    memcpy(copy, name, length);
    copy[length] = '\0';
    return copy;
}

static struct change *change_make(struct disk *disk, const struct place *from, const struct place *to,
                                  struct inode *inode)
{
    struct change *change = memory_take_zeroed(disk->memory, sizeof *change);
    change->inode = inode;
    inode_hold(inode, false);
    if (from) {
        change->from_directory = from->directory;
        change->from = name_copy(disk, from->name);
        inode_hold(from->directory, false);
    }
    if (to) {
        change->to_directory = to->directory;
        change->to = name_copy(disk, to->name);
        inode_hold(to->directory, false);
    }
    list_append(&disk->changes, &change->link);
    return change;
}

static void change_give(struct disk *disk, struct change *change)
{
    list_remove(&change->link);
    memory_give_text(disk->memory, change->from);
    memory_give_text(disk->memory, change->to);
    if (change->from_directory)
        inode_release(change->from_directory, false);
    if (change->to_directory)
        inode_release(change->to_directory, false);
    inode_release(change->inode, false);
    memory_give(disk->memory, change, sizeof *change);
}

/* The change reaches the disk. A name that has meanwhile come to mean something else is left alone. */
static void change_harden(struct disk *disk, struct change *change)
{
    if (change->to && change->to_directory)
        names_set(disk, &change->to_directory->durable, change->to, change->inode, false);
    if (change->from && change->from_directory &&
        names_get(&change->from_directory->durable, change->from) == change->inode)
        names_set(disk, &change->from_directory->durable, change->from, NULL, false);
}

struct inode *names_create(struct disk *disk, struct place at, bool directory)
{
    check(at.directory && !at.inode);
    struct inode *inode = inode_make(disk, directory);
    struct change *change = change_make(disk, NULL, &at, inode);
    names_set(disk, &at.directory->visible, change->to, inode, true);
    return inode;
}

void names_remove(struct disk *disk, struct place at)
{
    check(at.directory && at.inode);
    struct change *change = change_make(disk, &at, NULL, at.inode);
    names_set(disk, &at.directory->visible, change->from, NULL, true);
}

void names_rename(struct disk *disk, struct place from, struct place to)
{
    check(from.directory && from.inode && to.directory);
    if (from.inode == to.inode)
        return;
    struct change *change = change_make(disk, &from, &to, from.inode);
    names_set(disk, &to.directory->visible, change->to, from.inode, true);
    names_set(disk, &from.directory->visible, change->from, NULL, true);
}

void names_sync(struct disk *disk, struct inode *directory)
{
    list_each_safe (&disk->changes, at) {
        struct change *change = container_of(at, struct change, link);
        bool touched = change->from_directory == directory || change->to_directory == directory;
        if (!touched)
            continue;
        bool elsewhere =
            (change->from_directory && change->from_directory != directory && !change->from_synced) ||
            (change->to_directory && change->to_directory != directory && !change->to_synced);
        if (change->from_directory == directory)
            change->from_synced = true;
        if (change->to_directory == directory)
            change->to_synced = true;
        if (elsewhere)
            continue;
        change_harden(disk, change);
        change_give(disk, change);
    }
}

/* What is seen becomes what is durable, from here down. */
static void show_durable(struct disk *disk, struct inode *directory)
{
    names_clear(disk, &directory->visible, true);
    for (uint32_t i = 0; i < directory->durable.count; i++) {
        struct name *name = &directory->durable.entries[i];
        names_set(disk, &directory->visible, name->text, name->inode, true);
    }
}

void names_lose_power(struct disk *disk, uint32_t lost_ppm)
{
    struct list_link *link;
    while ((link = list_first(&disk->changes))) {
        struct change *change = container_of(link, struct change, link);
        if (dice_below(&disk->dice, 1000000) >= lost_ppm)
            change_harden(disk, change);
        change_give(disk, change);
    }
    /* Directories that no durable name leads to go when the last name that was seen goes; a walk over the
     * list while it shrinks is avoided by holding each. */
    list_each (&disk->inodes, at)
        inode_hold(container_of(at, struct inode, link), false);
    list_each (&disk->inodes, at)
        if (container_of(at, struct inode, link)->directory)
            show_durable(disk, container_of(at, struct inode, link));
    for (link = disk->inodes.head.next; link != &disk->inodes.head;) {
        struct inode *inode = container_of(link, struct inode, link);
        link = link->next;
        inode_release(inode, false);
    }
}
