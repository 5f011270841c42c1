/* Row functions of a transaction, sent to the core that owns the row. A scope belongs to one core, so what a row's owner
 * gives to another core is copied into memory that core has lent; when it is too small, the call says how much it takes and is made
 * again. */
#include "base/check.h"
#include "base/codec.h"
#include "base/scope.h"
#include "engine/inside.h"

/* Rows up to here come back from another core at the first try; on the calling fiber's stack. */
#define LENT_BYTES 4096

/* Rows a scan brings from another core at once. */
#define SCAN_BATCH_BYTES (128 * 1024)
#define SCAN_BATCH_ROWS  1024

struct row_call {
    struct engine_core *home;
    uint64_t table;
    struct bytes key;
    enum lock_strength strength;
    enum lock_policy policy;
    bool lock;
    const struct effect *effect;
    /* back */
    bool found;
    enum lock_outcome outcome;
    struct scope *scope; /* the caller's: used when the owner is the caller's own core */
    struct bytes row;
    uint8_t *lent;
    size_t lent_bytes;
    size_t row_bytes;
};

static enum sqlstate copy_row(struct scope *scope, struct bytes row, struct bytes *copy, struct error *error)
{
    void *memory = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    if (row.size > SCOPE_SMALL_BYTES)
        failed = scope_alloc_large(scope, row.size, 16, &memory, error);
    else
        memory = scope_alloc(scope, row.size + 1); /* never NULL, so that an empty row is told from none */
    if (failed)
        return failed;
    if (row.size)
        memcpy(memory, row.data, row.size);
    *copy = bytes_of(memory, row.size);
    return SQLSTATE_OK;
}

static enum sqlstate bring(struct branch *branch, struct row_call *call, struct bytes row,
                           struct error *error)
{
    call->row_bytes = row.size;
    if (branch->core == call->home)
        return copy_row(call->scope, row, &call->row, error);
    if (row.size && row.size <= call->lent_bytes)
        memcpy(call->lent, row.data, row.size);
    return SQLSTATE_OK;
}

static enum sqlstate run_read(struct branch *branch, struct scope *scope, void *argument, struct error *error)
{
    struct row_call *call = argument;
    struct store_row row;
    enum sqlstate failed;
    call->found = false;
    if (call->lock)
        failed = branch_lock(branch, scope, call->table, call->key, call->strength, call->policy, &row,
                             &call->found, &call->outcome, error);
    else
        failed = branch_get(branch, scope, call->table, call->key, &row, &call->found, error);
    if (!failed && call->found)
        failed = bring(branch, call, row.row, error);
    return failed;
}

static enum sqlstate read_row(struct transaction *transaction, struct row_call *call, struct error *error)
{
    uint8_t lent[LENT_BYTES];
    call->home = transaction->core;
    call->lent = lent;
    call->lent_bytes = sizeof lent;
    for (;;) {
        call->row = bytes_of(NULL, 0);
        enum sqlstate failed = transaction_run(transaction, call->table, call->key, run_read, call, error);
        if (failed || !call->found || call->row.data)
            return failed;
        if (call->row_bytes <= call->lent_bytes)
            return copy_row(call->scope, bytes_of(call->lent, call->row_bytes), &call->row, error);
        void *memory;
        failed = scope_alloc_large(call->scope, call->row_bytes, 16, &memory, error);
        if (failed)
            return failed;
        call->lent = memory;
        call->lent_bytes = call->row_bytes;
    }
}

enum sqlstate row_get(struct transaction *transaction, struct scope *scope, uint64_t table, struct bytes key,
                      struct bytes *row, bool *found, struct error *error)
{
    struct row_call call = {.table = table, .key = key, .scope = scope};
    enum sqlstate failed = read_row(transaction, &call, error);
    *found = call.found;
    *row = call.row;
    return failed;
}

struct read_call {
    uint64_t table;
    struct bytes key;
    struct store_piece *piece; /* whose memory is the caller's, who waits */
};

static enum sqlstate run_piece(struct branch *branch, struct scope *scope, void *argument,
                               struct error *error)
{
    struct read_call *call = argument;
    return branch_get_piece(branch, scope, call->table, call->key, call->piece, error);
}

enum sqlstate row_get_piece(struct transaction *transaction, uint64_t table, struct bytes key,
                            struct store_piece *piece, struct error *error)
{
    struct read_call call = {.table = table, .key = key, .piece = piece};
    return transaction_run(transaction, table, key, run_piece, &call, error);
}

enum sqlstate row_lock(struct transaction *transaction, struct scope *scope, uint64_t table, struct bytes key,
                       enum lock_strength strength, enum lock_policy policy, struct bytes *row, bool *found,
                       enum lock_outcome *outcome, struct error *error)
{
    struct row_call call = {
        .table = table, .key = key, .scope = scope, .lock = true, .strength = strength, .policy = policy};
    enum sqlstate failed = read_row(transaction, &call, error);
    *found = call.found;
    *row = call.row;
    *outcome = call.outcome;
    return failed;
}

static enum sqlstate run_write(struct branch *branch, struct scope *scope, void *argument,
                               struct error *error)
{
    struct row_call *call = argument;
    (void)scope;
    return branch_write(branch, call->table, call->effect, &call->found, error);
}

static enum sqlstate write_row(struct transaction *transaction, uint64_t table, const struct effect *effect,
                               bool *done, struct error *error)
{
    struct row_call call = {.table = table, .effect = effect};
    enum sqlstate failed = transaction_run(transaction, table, effect->key, run_write, &call, error);
    *done = !failed && call.found;
    return failed;
}

enum sqlstate row_insert(struct transaction *transaction, uint64_t table, struct bytes key, struct bytes row,
                         bool *done, struct error *error)
{
    return write_row(transaction, table, &(struct effect){EFFECT_INSERT, key, row}, done, error);
}

enum sqlstate row_update(struct transaction *transaction, uint64_t table, struct bytes key, struct bytes row,
                         bool *done, struct error *error)
{
    return write_row(transaction, table, &(struct effect){EFFECT_UPDATE, key, row}, done, error);
}

enum sqlstate row_delete(struct transaction *transaction, uint64_t table, struct bytes key, bool *done,
                         struct error *error)
{
    return write_row(transaction, table, &(struct effect){EFFECT_DELETE, key, bytes_of(NULL, 0)}, done,
                     error);
}

/* ---- scans ---- */

/* One batch of one shard. From another core the rows come packed: u64 SCN, u32 key bytes, u32 row bytes, key, row. */
struct scan_call {
    struct engine_core *home;
    uint64_t table;
    struct store_cursor cursor; /* its `at` is the coordinator's memory */
    size_t rows_max;
    const struct store_sink *sink; /* the caller's */
    uint8_t *lent;
    size_t lent_bytes;
    /* back */
    size_t used;
    size_t rows;
    size_t wanted; /* bytes a row takes for which there is no room at all */
    size_t last;   /* where the last row begins in `lent` */
    bool ended;    /* a row did not fit any more: the next batch begins with it */
    bool stopped;  /* by the caller's sink */
};

static bool take_here(void *argument, const struct store_row *row)
{
    struct scan_call *call = argument;
    call->rows++;
    call->stopped = !call->sink->take(call->sink->argument, row);
    return !call->stopped;
}

static size_t packed_bytes(const struct store_row *row)
{
    return sizeof(uint64_t) + 2 * sizeof(uint32_t) + row->key.size + row->row.size;
}

static bool pack(void *argument, const struct store_row *row)
{
    struct scan_call *call = argument;
    size_t bytes = packed_bytes(row);
    if (bytes > call->lent_bytes - call->used) {
        if (call->rows)
            call->ended = true;
        else
            call->wanted = bytes;
        return false;
    }
    struct codec_writer out = codec_writer_of(call->lent + call->used, bytes);
    codec_write_u64(&out, row->scn);
    codec_write_u32(&out, (uint32_t)row->key.size);
    codec_write_u32(&out, (uint32_t)row->row.size);
    codec_write_raw(&out, row->key);
    codec_write_raw(&out, row->row);
    call->last = call->used;
    call->used += bytes;
    call->rows++;
    return true;
}

/* The cursor behind the last row that was packed, when the one after it did not fit. */
static void step_back(struct scan_call *call)
{
    struct codec_reader in = codec_reader_of(bytes_of(call->lent + call->last, call->used - call->last));
    (void)codec_read_u64(&in);
    size_t key_bytes = codec_read_u32(&in);
    (void)codec_read_u32(&in);
    struct bytes key = codec_read_view(&in, key_bytes);
    memcpy(call->cursor.at, key.data, key.size);
    call->cursor.at_size = key.size;
    call->cursor.started = true;
    call->cursor.done = false;
}

/* A row that does not fit behind others begins the next batch; one that does not fit at all grows the room. */
static bool pack_while_roomy(void *argument, const struct store_row *row)
{
    struct scan_call *call = argument;
    return pack(call, row) && call->lent_bytes - call->used >= SCAN_BATCH_BYTES / 2;
}

static enum sqlstate run_scan(struct branch *branch, struct scope *scope, void *argument, struct error *error)
{
    struct scan_call *call = argument;
    call->used = call->rows = call->wanted = call->last = 0;
    call->ended = false;
    if (branch->core == call->home) {
        struct store_sink sink = {.take = take_here, .argument = call};
        return branch_scan(branch, call->table, &call->cursor, call->rows_max, &sink, error);
    }
    uint8_t at[STORE_KEY_BYTES_MAX];
    struct store_cursor cursor = call->cursor;
    cursor.scope = scope;
    cursor.at = at;
    if (cursor.at_size)
        memcpy(at, call->cursor.at, cursor.at_size);
    struct store_sink sink = {.take = pack_while_roomy, .argument = call};
    enum sqlstate failed = branch_scan(branch, call->table, &cursor, call->rows_max, &sink, error);
    if (failed || call->wanted)
        return failed;
    if (call->ended) {
        step_back(call);
        return SQLSTATE_OK;
    }
    if (cursor.at_size)
        memcpy(call->cursor.at, at, cursor.at_size);
    call->cursor.at_size = cursor.at_size;
    call->cursor.started = cursor.started;
    call->cursor.done = cursor.done;
    call->cursor.given = cursor.given;
    return SQLSTATE_OK;
}

static void unpack(struct scan_call *call)
{
    struct codec_reader in = codec_reader_of(bytes_of(call->lent, call->used));
    while (codec_left(&in) && !call->stopped) {
        struct store_row row = {.scn = codec_read_u64(&in)};
        size_t key_bytes = codec_read_u32(&in), row_bytes = codec_read_u32(&in);
        row.key = codec_read_view(&in, key_bytes);
        row.row = codec_read_view(&in, row_bytes);
        check(!in.failed);
        call->stopped = !call->sink->take(call->sink->argument, &row);
    }
}

/* All of one shard that the scan wants. `left` counts the rows the whole scan may still give. */
static enum sqlstate scan_shard(struct transaction *transaction, struct scope *scope, struct scan_call *call,
                                size_t *left, struct error *error)
{
    struct bytes from = call->cursor.range.from;
    while (!call->cursor.done && !call->stopped && *left) {
        size_t batch = call->home == transaction->core && *left < SCAN_BATCH_ROWS ? *left : SCAN_BATCH_ROWS;
        call->rows_max = *left < batch ? *left : batch;
        enum sqlstate failed = transaction_run(transaction, call->table, from, run_scan, call, error);
        if (failed)
            return failed;
        if (call->wanted) {
            void *memory;
            failed = scope_alloc_large(scope, call->wanted + SCAN_BATCH_BYTES, 16, &memory, error);
            if (failed)
                return failed;
            call->lent = memory;
            call->lent_bytes = call->wanted + SCAN_BATCH_BYTES;
            continue;
        }
        *left -= call->rows;
        if (call->used)
            unpack(call);
    }
    return SQLSTATE_OK;
}

/* The shards of the range one after the other. Shards may be split meanwhile: then the rest of one is cut anew. */
static enum sqlstate scan_pieces(struct transaction *transaction, struct scope *scope,
                                 const struct row_scan *scan, struct scan_call *call, struct error *error)
{
    size_t left = scan->rows_max ? scan->rows_max : SIZE_MAX;
    uint8_t *at = scope_alloc(scope, STORE_KEY_BYTES_MAX);
    struct list pieces;
    list_init(&pieces);
    range_cut(transaction, scope, scan->table, &scan->range, &pieces.head);
    while (!list_empty(&pieces) && !call->stopped && left) {
        struct list_link *link = scan->backward ? list_last(&pieces) : list_first(&pieces);
        struct range_piece *piece = container_of(link, struct range_piece, link);
        call->cursor = (struct store_cursor){
            .range = piece->range, .backward = scan->backward, .scope = scope, .at = at};
        enum sqlstate failed = scan_shard(transaction, scope, call, &left, error);
        if (failed == (enum sqlstate)SQLSTATE_SHARD_SPLIT) {
            struct key_range rest = range_rest(&call->cursor, scope);
            range_cut(transaction, scope, scan->table, &rest, &piece->link);
        } else if (failed)
            return failed;
        list_remove(&piece->link);
    }
    return SQLSTATE_OK;
}

enum sqlstate row_scan(struct transaction *transaction, const struct row_scan *scan,
                       const struct store_sink *sink, struct error *error)
{
    if (!directory_find(transaction, scan->table, scan->range.from))
        return no_such_table(scan->table, error);
    struct scope *scope = scope_open(transaction->scope, "scan");
    struct scan_call call = {.home = transaction->core, .table = scan->table, .sink = sink};
    void *memory = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    if (transaction->core->world->cores > 1)
        failed = scope_alloc_large(scope, SCAN_BATCH_BYTES, 16, &memory, error);
    call.lent = memory;
    call.lent_bytes = SCAN_BATCH_BYTES;
    if (!failed)
        failed = scan_pieces(transaction, scope, scan, &call, error);
    scope_close(scope);
    return failed;
}
