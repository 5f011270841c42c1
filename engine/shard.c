/* A core's shards and volumes.
 *
 * Root record of a volume (the layer below guards it with a checksum):
 *
 *     0  8  magic "SynodVo1"       8  8  checkpoint SCN         16  8  log position needed
 *    24 36  root of the tree of roots
 *
 * A row of the roots: key u64 shard (big endian); value: the root of the shard's tree.
 *
 * A root:  0  8  page    8  8  rows    16  8  pages    24  8  extents    32  4  height */
#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/inside.h"
#include "engine/memory/memory.h"
#include "engine/row/row.h"
#include "engine/volume_root.h"

#include <stdio.h>

/* A shard's history may take this share of the core's memory before it is merged early. */
#define HISTORY_SHARE     4
#define HISTORY_BYTES_MIN (1024 * 1024)
#define CACHE_SHARE       2

static size_t core_memory(const struct engine_core *core)
{
    return core->options.memory_bytes / core->world->cores;
}

/* ---- root records ---- */

static const char root_magic[8] = "SynodVo1";

static void write_root(struct codec_writer *out, const struct tree_root *root)
{
    codec_write_u64(out, root->page);
    codec_write_u64(out, root->rows);
    codec_write_u64(out, root->pages);
    codec_write_u64(out, root->extents);
    codec_write_u32(out, root->height);
}

static void read_root(struct codec_reader *in, struct tree_root *root)
{
    root->page = codec_read_u64(in);
    root->rows = codec_read_u64(in);
    root->pages = codec_read_u64(in);
    root->extents = codec_read_u64(in);
    root->height = codec_read_u32(in);
}

size_t volume_root_write(uint8_t *record, const struct volume_root *root)
{
    struct codec_writer out = codec_writer_of(record, VOLUME_ROOT_BYTES);
    codec_write_raw(&out, bytes_of(root_magic, sizeof root_magic));
    codec_write_u64(&out, root->checkpoint_scn);
    codec_write_u64(&out, root->replay_from);
    write_root(&out, &root->roots);
    check(!out.failed && codec_written(&out).size == VOLUME_ROOT_BYTES);
    return VOLUME_ROOT_BYTES;
}

bool volume_root_read(struct bytes record, struct volume_root *root)
{
    struct codec_reader in = codec_reader_of(record);
    struct bytes magic = codec_read_view(&in, sizeof root_magic);
    root->checkpoint_scn = codec_read_u64(&in);
    root->replay_from = codec_read_u64(&in);
    read_root(&in, &root->roots);
    return codec_read_all(&in) && memcmp(magic.data, root_magic, sizeof root_magic) == 0;
}

void shard_root_write(uint8_t row[static SHARD_ROOT_BYTES], const struct tree_root *root)
{
    struct codec_writer out = codec_writer_of(row, SHARD_ROOT_BYTES);
    write_root(&out, root);
    check(!out.failed && codec_written(&out).size == SHARD_ROOT_BYTES);
}

bool shard_root_read(struct bytes row, struct tree_root *root)
{
    struct codec_reader in = codec_reader_of(row);
    read_root(&in, root);
    return codec_read_all(&in);
}

/* ---- volumes ---- */

static enum sqlstate open_volume(struct engine_core *core, uint32_t number, struct error *error)
{
    struct core_volume *volume = &core->volume[core->volumes];
    uint32_t mine = 1; /* volumes of this core, about */
    size_t cache = core_memory(core) / CACHE_SHARE / mine;
    char path[1024];
    snprintf(path, sizeof path, "%s/volume-%u", core->options.directory, number);
    const struct volume_options options = {.path = scope_copy_text(core->scope, path),
                                           .page_bytes = core->options.page_bytes,
                                           .cache_bytes = cache,
                                           .identity = core->options.cluster ^ ((uint64_t)number << 56)};
    uint8_t record[VOLUME_ROOT_BYTES_MAX];
    size_t record_bytes = 0;
    struct volume_root root = {.checkpoint_scn = SCN_LOADED};
    *volume = (struct core_volume){.number = number};
    enum sqlstate failed =
        volume_open(core->world, core->scope, &options, &volume->volume, record, &record_bytes, error);
    if (failed)
        return failed;
    if (record_bytes && !volume_root_read(bytes_of(record, record_bytes), &root))
        return error_set(error, SQLSTATE_DATA_CORRUPTED, "volume \"%s\" has an impossible root record", path);
    volume->roots = tree_open(core->scope, volume->volume, &root.roots);
    volume->checkpoint_scn = root.checkpoint_scn;
    volume->replay_from = root.replay_from;
    fiber_queue_init(&volume->free);
    fiber_queue_init(&volume->written);
    core->volumes++;
    return SQLSTATE_OK;
}

/* Volumes made when the node had more cores stay; the cores it has now share them out. */
static enum sqlstate count_volumes(struct engine_core *core, uint32_t *count, struct error *error)
{
    const char **names;
    size_t found;
    struct scope *scope = scope_open(core->scope, "names");
    enum sqlstate failed = disk_list(core->world, scope, core->options.directory, &names, &found, error);
    *count = core->world->cores;
    for (size_t i = 0; !failed && i < found; i++) {
        unsigned number;
        char behind;
        if (sscanf(names[i], "volume-%u%c", &number, &behind) == 1 && number < CORES_MAX && number >= *count)
            *count = number + 1;
    }
    scope_close(scope);
    return failed;
}

enum sqlstate volumes_open(struct engine_core *core, struct error *error)
{
    uint32_t count = 0;
    enum sqlstate failed = count_volumes(core, &count, error);
    for (uint32_t number = core->world->core; !failed && number < count; number += core->world->cores)
        failed = open_volume(core, number, error);
    return failed;
}

struct core_volume *volume_by_number(struct engine_core *core, uint32_t number)
{
    for (uint32_t i = 0; i < core->volumes; i++)
        if (core->volume[i].number == number)
            return &core->volume[i];
    return NULL;
}

enum sqlstate volume_shard_root(struct core_volume *volume, uint64_t shard, struct tree_root *root,
                                struct error *error)
{
    uint64_t key = __builtin_bswap64(shard), missing;
    struct tree_value value;
    enum tree_answer answer;
    *root = (struct tree_root){0};
    while ((answer = tree_find(volume->roots, bytes_of(&key, sizeof key), &value, &missing)) ==
           TREE_MISSING) {
        enum sqlstate failed = tree_fetch(volume->roots, missing, error);
        if (failed)
            return failed;
    }
    if (answer == TREE_DAMAGED || (answer == TREE_FOUND && !shard_root_read(value.inside, root)))
        return error_set(error, SQLSTATE_DATA_CORRUPTED, "the root of shard %llu in volume %u is damaged",
                         (unsigned long long)shard, volume->number);
    return SQLSTATE_OK;
}

/* ---- shards ---- */

struct shard *shard_by_number(const struct engine_core *core, uint64_t number)
{
    return map_find_number(&core->by_number, number);
}

static size_t history_bytes_max(const struct engine_core *core)
{
    size_t share = core_memory(core) / HISTORY_SHARE;
    return share > HISTORY_BYTES_MIN ? share : HISTORY_BYTES_MIN;
}

struct shard *shard_open(struct engine_core *core, const struct shard_place *place, uint64_t creator,
                         const struct tree_root *root)
{
    struct scope *scope = scope_open(core->scope, "shard");
    struct shard *shard = scope_alloc_zeroed(scope, sizeof *shard);
    shard->scope = scope;
    shard->core = core;
    shard->shard = place->shard;
    shard->table = place->table;
    shard->layout = place->layout;
    shard->creator = creator;
    fiber_queue_init(&shard->opened);
    if (place->layout == TABLE_MEMORY)
        shard->store = memory_store_open(scope, place->shard, history_bytes_max(core));
    else {
        shard->volume = volume_by_number(core, place->volume);
        check(shard->volume, "shard %llu lies in volume %u, which is not here",
              (unsigned long long)place->shard, place->volume);
        shard->written = root ? *root : (struct tree_root){0};
        const struct row_store_options options = {.world = core->world,
                                                  .volume = shard->volume->volume,
                                                  .root = shard->written,
                                                  .shard = place->shard,
                                                  .table = place->table,
                                                  .memory_bytes = history_bytes_max(core),
                                                  .left = branch_row_left,
                                                  .relieve = volume_relieve,
                                                  .argument = shard};
        shard->store = row_store_open(scope, &options);
    }
    list_append(&core->shards, &shard->of_core);
    struct error error;
    bool failed = map_put_number(&core->by_number, place->shard, shard, NULL, &error);
    check(!failed, "no memory for another shard");
    return shard;
}

/* Gives the tree's pages back. Until then the shard is in the list, so that checkpoints write its root as it is. */
static enum sqlstate drop_rows(struct shard *shard, struct error *error)
{
    struct core_volume *volume = shard->volume;
    const struct tree_root none = {0};
    enum sqlstate failed = SQLSTATE_OK;
    /* Root and pages go in one generation: a checkpoint between the two would leave a root to freed pages. */
    if (shard->written.page != PAGE_NONE)
        failed = volume_put_root(volume, shard->shard, &none, error);
    if (failed)
        return failed;
    shard->written = none;
    failed = row_store_drop(shard->store, error);
    if (failed != SQLSTATE_DATA_CORRUPTED)
        return failed;
    log_error(shard->core->world, LOG_ERROR, "shard_drop", error,
              "pages of dropped shard %llu cannot be found, and stay in use",
              (unsigned long long)shard->shard);
    return SQLSTATE_OK;
}

enum sqlstate shard_drop(struct shard *shard, struct error *error)
{
    struct engine_core *core = shard->core;
    struct core_volume *volume = shard->volume;
    enum sqlstate failed = SQLSTATE_OK;
    check(shard->dropped);
    if (volume) {
        volume_hold(core, volume);
        volume_write_begin(core, volume);
        failed = drop_rows(shard, error);
    }
    check(!shard->users);
    shard->drop_later = failed;
    if (!failed) {
        list_remove(&shard->of_core);
        map_remove_number(&core->by_number, shard->shard);
        /* A transaction that has taken back what it wrote here, and the table with it, does not find the shard at its end. */
        list_each (&core->branches, at)
            branch_forget_shard(container_of(at, struct branch, of_core), shard);
        /* Versions go with the shard's memory: nobody will settle them. */
        list_each (&core->settling, at) {
            struct branch_writer *writer = container_of(at, struct branch_writer, link);
            if (writer->shard == shard) {
                writer->shard = NULL;
                writer->writer.versions = 0;
            }
        }
        scope_close(shard->scope);
    }
    if (volume) {
        volume_write_end(volume);
        volume_release(volume);
    }
    return failed;
}

enum sqlstate no_such_table(uint64_t table, struct error *error)
{
    return error_set(error, SQLSTATE_UNDEFINED_TABLE, "table %llu does not exist", (unsigned long long)table);
}

struct shard *shard_find(struct engine_core *core, const struct branch *branch, uint64_t table,
                         struct bytes key)
{
    const struct shard_place *place = shard_map_find(engine_map(core->engine), table, key);
    if (place) {
        struct shard *shard = shard_by_number(core, place->shard);
        return shard && !shard->gone ? shard : NULL;
    }
    /* One that this transaction is making, the newest first: it may have dropped and made it again. */
    for (struct list_link *at = core->shards.head.prev; at != &core->shards.head; at = at->prev) {
        struct shard *shard = container_of(at, struct shard, of_core);
        if (shard->creator && shard->creator == branch->terms.transaction && shard->table == table &&
            !shard->gone)
            return shard;
    }
    return NULL;
}
