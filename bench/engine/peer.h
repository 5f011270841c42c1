/* The works, done with threads on an engine of others. What an engine must be able to do for that is here; peer.c does the
 * works, lmdb.c and rocksdb.c are the engines. */
#ifndef SYNOD_BENCH_ENGINE_PEER_H
#define SYNOD_BENCH_ENGINE_PEER_H

#include "bench/engine/work.h"

/* Functions end the program when they fail. `reader` is a thread's own. */
struct peer_ops {
    const char *name;
    /* `log_bytes_max`: what is written must stay in the log up to there, for the crash that comes; 0 = as it likes. */
    void (*open)(const struct work *work, uint64_t log_bytes_max);
    void (*close)(void);
    /* Rows 0 .. work->rows, ascending, into an empty database; durable when it returns. */
    void (*load)(const struct work *work);
    void *(*reader_open)(void);
    void (*reader_close)(void *reader);
    /* Reads and checks rows under one snapshot. */
    void (*read)(void *reader, const uint64_t *numbers, uint32_t count);
    /* Reads and checks `count` rows in order. */
    void (*scan)(void *reader, uint64_t from, uint64_t count);
    /* The version row `number` has. */
    uint64_t (*version)(void *reader, uint64_t number);
    /* Writes rows in one transaction, durable when it returns if asked. */
    void (*write)(const uint64_t *numbers, const uint64_t *versions, uint32_t count, bool durable);
    /* Brings everything from the log to where it rests. */
    void (*settle)(void);
};

int peer_main(const struct peer_ops *ops, int count, char **arguments);

#endif
