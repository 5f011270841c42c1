/* A machine's disk: a tree of names over inodes, each as programs see it and as it would be after a loss of
 * power, and what is open.
 *
 * A change of names (creation, renaming, removal) is one thing: a loss of power keeps all of it or nothing.
 * Until the directory is synced, each change survives or not by itself; a renaming between two directories
 * needs both synced. A file whose creation does not survive is gone, however often it was synced itself. */
#ifndef SYNOD_TEST_SIM_DISK_H
#define SYNOD_TEST_SIM_DISK_H

#include "base/error.h"
#include "test/sim/content.h"

struct disk;
struct inode;
struct sim_node;
struct sim_process;

/* Names of one directory, sorted. */
struct names {
    struct name {
        char *text;
        struct inode *inode; /* holds a reference */
    } * entries;
    uint32_t count, capacity;
};

struct inode {
    struct list_link link; /* in disk->inodes */
    struct disk *disk;
    bool directory;
    struct content content;         /* of a file */
    struct names visible, durable;  /* of a directory */
    uint32_t references;            /* names, changes, handles */
    uint32_t seen;                  /* visible names and handles: while any, its pages take room */
    uint64_t counted;               /* pages in disk->pages_used */
    uint64_t failed_syncs;          /* a sync fails when one of them failed since it began */
    const struct handle *locked_by; /* DISK_LOCK */
};

/* A change of names that is not durable yet. */
struct change {
    struct list_link link;                       /* in disk->changes, oldest first */
    struct inode *from_directory, *to_directory; /* NULL: a creation, a removal */
    bool from_synced, to_synced;
    char *from, *to;
    struct inode *inode;
};

struct disk {
    struct sim_node *node;
    struct memory *memory;
    struct dice dice;
    struct inode *root;
    struct list inodes;
    struct list changes;
    uint64_t pages_used;
    uint64_t pages_room;
    uint32_t unit;        /* sectors the device writes as one: 1 or 8 */
    uint32_t slow_factor; /* 1 = as usual */
};

/* An open file; belongs to a process, while `struct file` belongs to the program's scope. */
struct handle {
    struct list_link link; /* in process->handles */
    struct sim_process *process;
    struct inode *inode;
    uint32_t flags;
    char *path;
};

void disk_model_open(struct disk *disk, struct sim_node *node, uint64_t seed);
void disk_model_close(struct disk *disk);
void disk_model_lose_power(struct disk *disk);

/* Where a path leads. */
struct place {
    struct inode *directory; /* that holds the name; NULL = there is none, or the path is the root */
    const char *name;        /* the last part, within the path that was given */
    struct inode *inode;     /* NULL = no such name */
};

/* Looks a path up as programs see it. Leading and doubled slashes do not matter. */
struct place names_find(const struct disk *disk, const char *path);

/* Changes, as programs see them at once. Require: the place has a directory, and (create) no inode, (remove,
 * rename) an inode; rename replaces what is at `to`. */
struct inode *names_create(struct disk *disk, struct place at, bool directory);
void names_remove(struct disk *disk, struct place at);
void names_rename(struct disk *disk, struct place from, struct place to);

/* Changes of a directory become durable. */
void names_sync(struct disk *disk, struct inode *directory);

/* Each change that is not durable is drawn to survive or not; then all is as it is durable. */
void names_lose_power(struct disk *disk, uint32_t lost_ppm);

/* One more or one less reason for an inode to exist; `seen` ones are visible names and handles. */
void inode_hold(struct inode *inode, bool seen);
void inode_release(struct inode *inode, bool seen);

/* Brings the disk's used room up to date after the content changed. */
void inode_count(struct inode *inode);

void handle_close(struct handle *handle);

#endif
