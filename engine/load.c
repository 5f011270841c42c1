/* Filling a new table past the log. The rows go straight into the tree of its shard, and the volume is made durable before
 * the transaction can commit; so if the commit is there after a crash, so are the rows, and if it is not, recovery finds a root
 * that the directory does not know and gives its pages back.
 *
 * The shard's core pulls the rows from the core where the caller's source lives, a batch at a time. */
#include "base/check.h"
#include "base/codec.h"
#include "base/scope.h"
#include "engine/inside.h"

#define LOAD_BATCH_BYTES (256 * 1024)

struct load {
    struct engine_core *home; /* where the source lives */
    const struct store_source *source;
    uint64_t shard;
    struct scope *scope; /* home's */
    uint8_t *batch;      /* packed rows: u32 key bytes, u32 row bytes, key, row */
    size_t room, used;
    bool ended;
    /* a row that did not fit into the batch before */
    bool pending;
    struct bytes key, row;
    /* on the shard's core */
    struct engine_core *there;
    struct codec_reader in;
};

static enum sqlstate next_here(struct load *load, struct error *error)
{
    if (load->pending)
        return SQLSTATE_OK;
    enum sqlstate failed =
        load->source->next(load->source->argument, &load->key, &load->row, &load->ended, error);
    load->pending = !failed && !load->ended;
    return failed;
}

/* On the source's core: fills the batch. */
static enum sqlstate fill(struct engine_core *core, void *argument, struct error *error)
{
    struct load *load = argument;
    (void)core;
    load->used = 0;
    for (;;) {
        enum sqlstate failed = next_here(load, error);
        if (failed || load->ended)
            return failed;
        size_t bytes = 2 * sizeof(uint32_t) + load->key.size + load->row.size;
        if (bytes > load->room - load->used) {
            if (load->used)
                return SQLSTATE_OK;
            void *memory;
            failed = scope_alloc_large(load->scope, bytes, 16, &memory, error);
            if (failed)
                return failed;
            scope_free_large(load->scope, load->batch);
            load->batch = memory;
            load->room = bytes;
        }
        struct codec_writer out = codec_writer_of(load->batch + load->used, bytes);
        codec_write_u32(&out, (uint32_t)load->key.size);
        codec_write_u32(&out, (uint32_t)load->row.size);
        codec_write_raw(&out, load->key);
        codec_write_raw(&out, load->row);
        load->used += bytes;
        load->pending = false;
    }
}

/* On the shard's core: the next row of the batch, or of the next one. */
static enum sqlstate pull(void *argument, struct bytes *key, struct bytes *row, bool *end,
                          struct error *error)
{
    struct load *load = argument;
    *end = false;
    if (!codec_left(&load->in)) {
        if (!load->ended) {
            enum sqlstate failed = core_call(load->there, load->home->world->core, fill, load, error);
            if (failed)
                return failed;
            load->in = codec_reader_of(bytes_of(load->batch, load->used));
        }
        if (!codec_left(&load->in)) {
            *end = true;
            return SQLSTATE_OK;
        }
    }
    size_t key_bytes = codec_read_u32(&load->in), row_bytes = codec_read_u32(&load->in);
    *key = codec_read_view(&load->in, key_bytes);
    *row = codec_read_view(&load->in, row_bytes);
    check(!load->in.failed);
    if (key->size > STORE_KEY_BYTES_MAX || row->size > STORE_ROW_BYTES_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "a key or row exceeds the maximum size");
    return SQLSTATE_OK;
}

static enum sqlstate load_there(struct engine_core *core, void *argument, struct error *error)
{
    struct load *load = argument;
    struct shard *shard = shard_by_number(core, load->shard);
    check(shard && shard->creator, "a table is loaded that this transaction has not made");
    load->there = core;
    load->in = codec_reader_of(bytes_of(NULL, 0));
    const struct store_source source = {.next = pull, .argument = load};
    shard->users++;
    enum sqlstate failed = shard->store->ops->load(shard->store, &source, error);
    if (!failed && shard->volume)
        failed = checkpoint_core(core, error);
    shard->users--;
    return failed;
}

enum sqlstate load_shard(struct engine_core *core, struct scope *parent, uint32_t to, uint64_t shard,
                         const struct store_source *source, struct error *error)
{
    struct load load = {.home = core, .source = source, .shard = shard, .room = LOAD_BATCH_BYTES};
    void *memory;
    load.scope = scope_open(parent, "load");
    enum sqlstate failed = scope_alloc_large(load.scope, LOAD_BATCH_BYTES, 16, &memory, error);
    load.batch = memory;
    if (!failed)
        failed = core_call(core, to, load_there, &load, error);
    scope_close(load.scope);
    return failed;
}

enum sqlstate table_load(struct transaction *transaction, uint64_t table, const struct store_source *source,
                         struct error *error)
{
    const struct directory_change *change = transaction->changes;
    while (change && change->place.table != table)
        change = change->next;
    if (!change || !change->create)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "table %llu was not made in this transaction", (unsigned long long)table);
    uint32_t to = volume_core(transaction->core, change->place.volume);
    return load_shard(transaction->core, transaction->scope, to, change->place.shard, source, error);
}
