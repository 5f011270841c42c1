/* LMDB for peer.c: one file, mapped; commits write their pages and call fdatasync. */
#include "bench/engine/peer.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* LMDB wants the largest size of its file in advance; it takes addresses only. */
#define MAP_BYTES   (64UL << 30)
#define READERS_MAX 1024

static MDB_env *env;
static MDB_dbi table;
static bool lazy;

static void must(int result)
{
    if (result)
        work_fail("lmdb: %s", mdb_strerror(result));
}

static MDB_val key_of(uint64_t number, uint8_t room[static WORK_KEY_BYTES])
{
    work_key(number, room);
    return (MDB_val){WORK_KEY_BYTES, room};
}

static void open_database(const struct work *work, uint64_t log_bytes_max)
{
    (void)log_bytes_max;
    MDB_txn *transaction;
    /* Works that measure no durable commit sync once, at their end. */
    lazy = work_is(work, "update") || work_is(work, "crash");
    mkdir(work->directory, 0700);
    must(mdb_env_create(&env));
    must(mdb_env_set_mapsize(env, MAP_BYTES));
    must(mdb_env_set_maxreaders(env, READERS_MAX));
    must(mdb_env_open(env, work->directory, MDB_NOTLS | (lazy ? MDB_NOSYNC : 0), 0600));
    must(mdb_txn_begin(env, NULL, 0, &transaction));
    must(mdb_dbi_open(transaction, NULL, 0, &table));
    must(mdb_txn_commit(transaction));
}

static void close_database(void)
{
    mdb_env_close(env);
}

static void load(const struct work *work)
{
    MDB_txn *transaction;
    MDB_cursor *cursor;
    uint8_t key_room[WORK_KEY_BYTES], row[WORK_ROW_BYTES];
    must(mdb_txn_begin(env, NULL, 0, &transaction));
    must(mdb_cursor_open(transaction, table, &cursor));
    for (uint64_t number = 0; number < work->rows; number++) {
        MDB_val key = key_of(number, key_room), value = {WORK_ROW_BYTES, row};
        work_row(number, 0, row);
        must(mdb_cursor_put(cursor, &key, &value, MDB_APPEND));
    }
    mdb_cursor_close(cursor);
    must(mdb_txn_commit(transaction));
}

static void *reader_open(void)
{
    MDB_txn *reader;
    must(mdb_txn_begin(env, NULL, MDB_RDONLY, &reader));
    mdb_txn_reset(reader);
    return reader;
}

static void reader_close(void *reader)
{
    mdb_txn_abort(reader);
}

static void read_rows(void *reader, const uint64_t *numbers, uint32_t count)
{
    uint8_t room[WORK_KEY_BYTES];
    must(mdb_txn_renew(reader));
    for (uint32_t i = 0; i < count; i++) {
        MDB_val key = key_of(numbers[i], room), value;
        must(mdb_get(reader, table, &key, &value));
        work_check_row(numbers[i], value.mv_data, value.mv_size);
    }
    mdb_txn_reset(reader);
}

static void scan(void *reader, uint64_t from, uint64_t count)
{
    uint8_t room[WORK_KEY_BYTES];
    MDB_cursor *cursor;
    must(mdb_txn_renew(reader));
    must(mdb_cursor_open(reader, table, &cursor));
    MDB_val key = key_of(from, room), value;
    must(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
    for (uint64_t i = 0; i < count; i++) {
        if (key.mv_size != WORK_KEY_BYTES || work_key_number(key.mv_data) != from + i)
            work_fail("a scan misses row %lu", from + i);
        work_check_row(from + i, value.mv_data, value.mv_size);
        if (i + 1 < count)
            must(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
    }
    mdb_cursor_close(cursor);
    mdb_txn_reset(reader);
}

static uint64_t version_of(void *reader, uint64_t number)
{
    uint8_t room[WORK_KEY_BYTES];
    MDB_val key = key_of(number, room), value;
    must(mdb_txn_renew(reader));
    must(mdb_get(reader, table, &key, &value));
    uint64_t version = work_check_row(number, value.mv_data, value.mv_size);
    mdb_txn_reset(reader);
    return version;
}

static void write_rows(const uint64_t *numbers, const uint64_t *versions, uint32_t count, bool durable)
{
    MDB_txn *transaction;
    uint8_t room[WORK_KEY_BYTES], row[WORK_ROW_BYTES];
    must(mdb_txn_begin(env, NULL, 0, &transaction));
    for (uint32_t i = 0; i < count; i++) {
        MDB_val key = key_of(numbers[i], room), value = {WORK_ROW_BYTES, row};
        work_row(numbers[i], versions[i], row);
        must(mdb_put(transaction, table, &key, &value, 0));
    }
    must(mdb_txn_commit(transaction));
    if (durable && lazy)
        must(mdb_env_sync(env, 1));
}

static void settle(void)
{
    must(mdb_env_sync(env, 1));
}

int main(int count, char **arguments)
{
    static const struct peer_ops ops = {.name = "lmdb",
                                        .open = open_database,
                                        .close = close_database,
                                        .load = load,
                                        .reader_open = reader_open,
                                        .reader_close = reader_close,
                                        .read = read_rows,
                                        .scan = scan,
                                        .version = version_of,
                                        .write = write_rows,
                                        .settle = settle};
    return peer_main(&ops, count, arguments);
}
