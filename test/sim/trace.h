/* Everything that happens in a simulation, as a 128-bit hash and, when asked for, as text.
 *
 * Two runs of one seed must give the same hash. A record holds no pointer and nothing else that could differ
 * between two runs; bytes written, sent or logged enter by their digest. */
#ifndef SYNOD_TEST_SIM_TRACE_H
#define SYNOD_TEST_SIM_TRACE_H

#include <stddef.h>
#include <stdint.h>

/* trace.c has the names, in the same order. */
enum trace_kind {
    TRACE_NOTE,
    TRACE_FAILURE,
    TRACE_LOG,
    TRACE_START,
    TRACE_END,
    TRACE_CRASH,
    TRACE_POWER_OFF,
    TRACE_PAUSE,
    TRACE_RESUME,
    TRACE_STOP,
    TRACE_WALL_JUMP,
    TRACE_DRIFT,
    TRACE_TURN,
    TRACE_WAKE,
    TRACE_RANDOM,
    TRACE_DISK_START,
    TRACE_DISK_LAND,
    TRACE_DISK_FAULT,
    TRACE_DISK_CRASH,
    TRACE_DISK_SLOW,
    TRACE_ROT,
    TRACE_LISTEN,
    TRACE_CONNECT,
    TRACE_CONNECTED,
    TRACE_REFUSED,
    TRACE_ACCEPT,
    TRACE_ADOPT,
    TRACE_SEND,
    TRACE_ARRIVE,
    TRACE_RECEIVE,
    TRACE_FINISH,
    TRACE_CLOSE,
    TRACE_RESET,
    TRACE_STALL,
    TRACE_PARTITION,
    TRACE_HEAL,
    TRACE_KINDS
};

struct trace {
    uint64_t lane[2];
    uint64_t records;
    void (*sink)(void *argument, const char *line, size_t bytes); /* NULL = hash only */
    void *sink_argument;
};

/* Where and when; core UINT32_MAX when it is the whole node, node UINT32_MAX when it is the whole world. */
struct trace_place {
    uint64_t now_ns;
    uint32_t node;
    uint32_t core;
};

void trace_open(struct trace *trace, void (*sink)(void *argument, const char *line, size_t bytes),
                void *sink_argument);

/* One record. What `a` and `b` are depends on the kind (numbers, sizes, digests); `text` may be NULL. */
void trace_record(struct trace *trace, struct trace_place place, enum trace_kind kind, uint64_t a, uint64_t b,
                  const char *text);

/* A digest of bytes, the same on every machine of this byte order. */
uint64_t trace_digest(const void *data, size_t size);

#endif
