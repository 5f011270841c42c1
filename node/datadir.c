/* Format of DIR/identity, one block, little-endian. Magic, format and checksum stand where they are for ever,
 * so that every program can tell a newer directory from a damaged one.
 *
 *     offset  size  meaning
 *          0     8  "SYNODDIR"
 *          8     4  format of the whole directory, DATADIR_FORMAT
 *         12     4  crc32c of the block, these four bytes taken as zero
 *         16    16  cluster id
 *         32    16  node id
 *         48     8  when it was made, microseconds since 1970-01-01 UTC
 *         56  4040  zero
 *
 * Opening, step by step, and what a crash between two steps leaves:
 *
 *     look    foreign things in it?      nothing touched
 *     lock    synod.lock                 directory with a lock file: taken for ours, empty
 *     look    again, now alone
 *     parent  synced, when no identity   (so that the directory itself cannot be lost after the identity is)
 *     write   identity.new, synced       leftover: removed by the next start
 *     rename  to identity                old or new name; nobody was told the ids yet
 *     sync    the directory              also when the identity was there: whoever renamed it may have been
 *                                        killed before this step, and we are about to tell others its ids
 */
#include "node/datadir.h"

#include "base/crc32c.h"
#include "base/scope.h"
#include "node/file.h"

#include <assert.h>
#include <stdio.h>

struct identity_block {
    char magic[8];
    uint32_t format;
    uint32_t checksum;
    struct uuid cluster;
    struct uuid node;
    int64_t created_us;
    uint8_t zero[4040];
};
static_assert(sizeof(struct identity_block) == 4096, "one block");
static_assert(offsetof(struct identity_block, created_us) == 48, "as drawn");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the block is written as it stands in memory");

static const char magic[8] = {'S', 'Y', 'N', 'O', 'D', 'D', 'I', 'R'};
static const char lock_name[] = "synod.lock";
static const char identity_name[] = "identity";
static const char endpoints_name[] = "endpoints.json";

/* ---- looking ---- */

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

/* Whether the directory is ours or free to become ours. Without an identity it may hold only what a start
 * that was cut short leaves, and what mkfs makes. `has_identity` and `has_lock` are answers. */
static enum sqlstate datadir_look(struct world *world, struct scope *work, const char *path,
                                  bool *has_identity, bool *has_lock, struct error *error)
{
    static const char *const harmless[] = {lock_name, "identity.new", "lost+found", NULL};
    const char **names;
    const char *foreign = NULL;
    size_t count;
    enum sqlstate failed = disk_list(world, work, path, &names, &count, error);
    if (failed)
        return failed;
    *has_identity = false;
    *has_lock = false;
    for (size_t i = 0; i < count; i++) {
        *has_identity |= strcmp(names[i], identity_name) == 0;
        *has_lock |= strcmp(names[i], lock_name) == 0;
        if (!foreign && !is_one_of(names[i], harmless))
            foreign = names[i];
    }
    if (*has_identity || !foreign)
        return SQLSTATE_OK;
    failed = error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "directory \"%s\" is not a data directory of synodd: it holds \"%s\" but no identity",
                       path, foreign);
    error_add(error, ERROR_HINT, "Name an empty directory, or one that does not exist yet.");
    return failed;
}

/* The directory a path stands in. */
static const char *parent_of(struct scope *scope, const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0)
        return ".";
    char *parent = scope_copy(scope, path, length + 1);
    parent[length] = '\0';
    return parent;
}

/* ---- identity ---- */

static uint32_t identity_checksum(const struct identity_block *block)
{
    struct identity_block copy = *block;
    copy.checksum = 0;
    return crc32c(bytes_of(&copy, sizeof copy));
}

static void uuid_draw(struct world *world, struct uuid *uuid)
{
    world_random(world, uuid->bytes, sizeof uuid->bytes);
    uuid->bytes[6] = (uuid->bytes[6] & 0x0f) | 0x40;
    uuid->bytes[8] = (uuid->bytes[8] & 0x3f) | 0x80;
}

static enum sqlstate identity_damaged(const char *path, const char *how, struct error *error)
{
    enum sqlstate failed = error_set(error, SQLSTATE_DATA_CORRUPTED,
                                     "identity of data directory \"%s\" is damaged: %s", path, how);
    error_add(error, ERROR_HINT, "Restore the file \"identity\" from a backup of this directory.");
    return failed;
}

static enum sqlstate identity_read(struct world *world, struct scope *work, struct datadir *datadir,
                                   struct error *error)
{
    struct bytes content;
    const char *path = file_path(work, datadir->path, identity_name);
    enum sqlstate failed = file_read_whole(world, work, path, sizeof(struct identity_block), &content, error);
    if (failed == SQLSTATE_PROGRAM_LIMIT_EXCEEDED ||
        (!failed && content.size < sizeof(struct identity_block)))
        return identity_damaged(datadir->path, "it is not 4096 bytes long", error);
    if (failed)
        return failed;
    const struct identity_block *block = (const struct identity_block *)content.data;
    if (memcmp(block->magic, magic, sizeof magic) != 0)
        return identity_damaged(datadir->path, "it does not begin as one", error);
    if (block->checksum != identity_checksum(block))
        return identity_damaged(datadir->path, "its checksum is wrong", error);
    if (block->format > DATADIR_FORMAT || block->format == 0) {
        failed = error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                           "data directory \"%s\" has format %u, and this synodd knows formats up to %d",
                           datadir->path, block->format, DATADIR_FORMAT);
        error_add(error, ERROR_HINT, "Start the newer synodd that wrote it.");
        return failed;
    }
    datadir->cluster = block->cluster;
    datadir->node = block->node;
    datadir->created_us = block->created_us;
    return SQLSTATE_OK;
}

static enum sqlstate identity_write(struct world *world, struct scope *work, struct datadir *datadir,
                                    struct error *error)
{
    struct identity_block *block = scope_alloc_zeroed(work, sizeof *block);
    enum sqlstate failed = disk_sync_directory(world, parent_of(work, datadir->path), error);
    if (failed)
        return failed;
    uuid_draw(world, &datadir->cluster);
    uuid_draw(world, &datadir->node);
    datadir->created_us = world_wall(world);
    datadir->fresh = true;
    memcpy(block->magic, magic, sizeof magic);
    block->format = DATADIR_FORMAT;
    block->cluster = datadir->cluster;
    block->node = datadir->node;
    block->created_us = datadir->created_us;
    block->checksum = identity_checksum(block);
    return file_replace(world, datadir->path, identity_name, bytes_of(block, sizeof *block), error);
}

/* ---- the door ---- */

static enum sqlstate datadir_lock(struct world *world, struct scope *scope, struct scope *work,
                                  const char *path, struct error *error)
{
    struct file *file;
    const char *lock_path = file_path(work, path, lock_name);
    enum sqlstate failed = disk_open(world, scope, lock_path, DISK_CREATE | DISK_LOCK, &file, error);
    if (failed != SQLSTATE_LOCK_FILE_EXISTS)
        return failed;
    failed = error_set(error, SQLSTATE_LOCK_FILE_EXISTS, "data directory \"%s\" is in use by another process",
                       path);
    error_add(error, ERROR_HINT, "Stop the other synodd first, or name another directory.");
    return failed;
}

static enum sqlstate datadir_open_in(struct world *world, struct scope *scope, struct scope *work,
                                     struct datadir *datadir, struct error *error)
{
    bool has_identity = false, has_lock = false;
    const char *path = datadir->path;
    enum sqlstate failed = datadir_look(world, work, path, &has_identity, &has_lock, error);
    if (failed == SQLSTATE_UNDEFINED_FILE) {
        error_clear(error);
        failed = disk_make_directory(world, path, error);
        /* What is made and still cannot be listed is something else: a file, or a link to nothing. */
        if (!failed)
            failed = datadir_look(world, work, path, &has_identity, &has_lock, error);
        if (failed == SQLSTATE_UNDEFINED_FILE)
            error_add(error, ERROR_HINT,
                      "The data directory's parent must exist, and the path not be a file.");
    }
    /* With our lock in it the directory is ours, and another start may be half way: judge it locked. */
    if (failed && !has_lock)
        return failed;
    failed = datadir_lock(world, scope, work, path, error);
    if (!failed)
        failed = datadir_look(world, work, path, &has_identity, &has_lock, error);
    if (failed)
        return failed;
    if (!has_identity)
        return identity_write(world, work, datadir, error);
    failed = identity_read(world, work, datadir, error);
    if (!failed)
        failed = disk_sync_directory(world, path, error);
    if (!failed)
        failed = datadir_remove_endpoints(world, datadir, error);
    return failed;
}

enum sqlstate datadir_open(struct world *world, struct scope *scope, const char *path,
                           struct datadir **datadir, struct error *error)
{
    struct scope *work = scope_open(scope, "datadir_open");
    *datadir = scope_alloc_zeroed(scope, sizeof **datadir);
    (*datadir)->path = scope_copy_text(scope, path);
    enum sqlstate failed = datadir_open_in(world, scope, work, *datadir, error);
    scope_close(work);
    return failed;
}

void uuid_text(const struct uuid *uuid, char text[static UUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[uuid->bytes[i] >> 4];
        *at++ = digits[uuid->bytes[i] & 15];
    }
    *at = '\0';
}

/* ---- endpoints ---- */

enum sqlstate datadir_write_endpoints(struct world *world, const struct datadir *datadir,
                                      const char *sql_address, const char *https_address, struct error *error)
{
    char cluster[UUID_TEXT_BYTES], node[UUID_TEXT_BYTES], text[512];
    uuid_text(&datadir->cluster, cluster);
    uuid_text(&datadir->node, node);
    /* Addresses are digits, dots, colons and brackets: nothing that JSON would have to escape. */
    int length = snprintf(text, sizeof text,
                          "{\"sql\": \"%s\", \"https\": \"%s\", \"cluster\": \"%s\", \"node\": \"%s\"}\n",
                          sql_address, https_address, cluster, node);
    return file_replace(world, datadir->path, endpoints_name, bytes_of(text, (size_t)length), error);
}

enum sqlstate datadir_remove_endpoints(struct world *world, const struct datadir *datadir,
                                       struct error *error)
{
    struct scope *work = scope_open(world->scope, "datadir_remove_endpoints");
    enum sqlstate failed = disk_remove(world, file_path(work, datadir->path, endpoints_name), error);
    scope_close(work);
    if (failed != SQLSTATE_UNDEFINED_FILE)
        return failed;
    error_clear(error);
    return SQLSTATE_OK;
}
