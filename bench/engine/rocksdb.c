/* RocksDB for peer.c, with the settings its own guide gives for point reads (a bloom filter, a block cache), without
 * compression, for nobody else here compresses, and with direct reads when the cache is smaller than the data. */
#include "bench/engine/peer.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BLOOM_BITS 10

static rocksdb_t *database;
static rocksdb_options_t *options;
static rocksdb_block_based_table_options_t *blocks;
static rocksdb_cache_t *cache;
static rocksdb_readoptions_t *reading;
static rocksdb_writeoptions_t *durably, *lazily;

static void must(char *error)
{
    if (error)
        work_fail("rocksdb: %s", error);
}

static void open_database(const struct work *work, uint64_t log_bytes_max)
{
    char *error = NULL;
    options = rocksdb_options_create();
    blocks = rocksdb_block_based_options_create();
    cache = rocksdb_cache_create_lru(work->cache);
    rocksdb_block_based_options_set_block_cache(blocks, cache);
    rocksdb_block_based_options_set_filter_policy(blocks, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_options_set_block_based_table_factory(options, blocks);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_increase_parallelism(options, (int)work->cores);
    bool small = work->cache < work->rows * (WORK_KEY_BYTES + WORK_ROW_BYTES);
    rocksdb_options_set_use_direct_reads(options, small);
    if (log_bytes_max)
        rocksdb_options_set_write_buffer_size(options, log_bytes_max);
    reading = rocksdb_readoptions_create();
    durably = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(durably, 1);
    lazily = rocksdb_writeoptions_create();
    database = rocksdb_open(options, work->directory, &error);
    must(error);
}

static void close_database(void)
{
    rocksdb_close(database);
    rocksdb_writeoptions_destroy(lazily);
    rocksdb_writeoptions_destroy(durably);
    rocksdb_readoptions_destroy(reading);
    rocksdb_block_based_options_destroy(blocks);
    rocksdb_options_destroy(options);
    rocksdb_cache_destroy(cache);
}

static void load(const struct work *work)
{
    char *error = NULL, path[4096];
    uint8_t key[WORK_KEY_BYTES], row[WORK_ROW_BYTES];
    snprintf(path, sizeof path, "%s/sorted.sst", work->directory);
    rocksdb_envoptions_t *environment = rocksdb_envoptions_create();
    rocksdb_sstfilewriter_t *writer = rocksdb_sstfilewriter_create(environment, options);
    rocksdb_sstfilewriter_open(writer, path, &error);
    must(error);
    for (uint64_t number = 0; number < work->rows; number++) {
        work_key(number, key);
        work_row(number, 0, row);
        rocksdb_sstfilewriter_put(writer, (const char *)key, sizeof key, (const char *)row, sizeof row,
                                  &error);
        must(error);
    }
    rocksdb_sstfilewriter_finish(writer, &error);
    must(error);
    rocksdb_ingestexternalfileoptions_t *ingesting = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(ingesting, 1);
    const char *const files[] = {path};
    rocksdb_ingest_external_file(database, files, 1, ingesting, &error);
    must(error);
    rocksdb_ingestexternalfileoptions_destroy(ingesting);
    rocksdb_sstfilewriter_destroy(writer);
    rocksdb_envoptions_destroy(environment);
}

static void *reader_open(void)
{
    return rocksdb_readoptions_create();
}

static void reader_close(void *reader)
{
    rocksdb_readoptions_destroy(reader);
}

static uint64_t read_row(void *reader, uint64_t number)
{
    char *error = NULL;
    size_t bytes;
    uint8_t key[WORK_KEY_BYTES];
    work_key(number, key);
    /* A pinned value is a view of the block: the cheapest way there is. */
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned(database, reader, (const char *)key, sizeof key, &error);
    must(error);
    if (!slice)
        work_fail("rocksdb misses row %lu", number);
    const char *row = rocksdb_pinnableslice_value(slice, &bytes);
    uint64_t version = work_check_row(number, row, bytes);
    rocksdb_pinnableslice_destroy(slice);
    return version;
}

/* One read needs no snapshot: each sees the newest state there is when it starts. */
static void read_rows(void *reader, const uint64_t *numbers, uint32_t count)
{
    const rocksdb_snapshot_t *snapshot = count > 1 ? rocksdb_create_snapshot(database) : NULL;
    rocksdb_readoptions_set_snapshot(reader, snapshot);
    for (uint32_t i = 0; i < count; i++)
        read_row(reader, numbers[i]);
    rocksdb_readoptions_set_snapshot(reader, NULL);
    if (snapshot)
        rocksdb_release_snapshot(database, snapshot);
}

static void scan(void *reader, uint64_t from, uint64_t count)
{
    char *error = NULL;
    uint8_t key[WORK_KEY_BYTES];
    work_key(from, key);
    rocksdb_iterator_t *at = rocksdb_create_iterator(database, reader);
    rocksdb_iter_seek(at, (const char *)key, sizeof key);
    for (uint64_t i = 0; i < count; i++) {
        size_t key_bytes, row_bytes;
        const char *found = rocksdb_iter_valid(at) ? rocksdb_iter_key(at, &key_bytes) : NULL;
        if (!found || key_bytes != WORK_KEY_BYTES || work_key_number(found) != from + i)
            work_fail("a scan misses row %lu", from + i);
        const char *row = rocksdb_iter_value(at, &row_bytes);
        work_check_row(from + i, row, row_bytes);
        rocksdb_iter_next(at);
    }
    rocksdb_iter_get_error(at, &error);
    must(error);
    rocksdb_iter_destroy(at);
}

static void write_rows(const uint64_t *numbers, const uint64_t *versions, uint32_t count, bool durable)
{
    char *error = NULL;
    uint8_t key[WORK_KEY_BYTES], row[WORK_ROW_BYTES];
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (uint32_t i = 0; i < count; i++) {
        work_key(numbers[i], key);
        work_row(numbers[i], versions[i], row);
        rocksdb_writebatch_put(batch, (const char *)key, sizeof key, (const char *)row, sizeof row);
    }
    rocksdb_write(database, durable ? durably : lazily, batch, &error);
    must(error);
    rocksdb_writebatch_destroy(batch);
}

/* Memory to the disk; merging goes on as RocksDB sees fit, which is how it would be found. */
static void settle(void)
{
    char *error = NULL;
    rocksdb_flushoptions_t *flushing = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(flushing, 1);
    rocksdb_flush(database, flushing, &error);
    must(error);
    rocksdb_flushoptions_destroy(flushing);
}

int main(int count, char **arguments)
{
    static const struct peer_ops ops = {.name = "rocksdb",
                                        .open = open_database,
                                        .close = close_database,
                                        .load = load,
                                        .reader_open = reader_open,
                                        .reader_close = reader_close,
                                        .read = read_rows,
                                        .scan = scan,
                                        .version = read_row,
                                        .write = write_rows,
                                        .settle = settle};
    return peer_main(&ops, count, arguments);
}
