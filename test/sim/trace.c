/* The hash is two lanes of multiply-and-fold, each fed with all words of a record in a different order. */
#include "test/sim/trace.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [TRACE_NOTE] = "note",
    [TRACE_FAILURE] = "FAILURE",
    [TRACE_LOG] = "log",
    [TRACE_START] = "start",
    [TRACE_END] = "end",
    [TRACE_CRASH] = "crash",
    [TRACE_POWER_OFF] = "power_off",
    [TRACE_PAUSE] = "pause",
    [TRACE_RESUME] = "resume",
    [TRACE_STOP] = "stop",
    [TRACE_WALL_JUMP] = "wall_jump",
    [TRACE_DRIFT] = "drift",
    [TRACE_TURN] = "turn",
    [TRACE_WAKE] = "wake",
    [TRACE_RANDOM] = "random",
    [TRACE_DISK_START] = "disk_start",
    [TRACE_DISK_LAND] = "disk_land",
    [TRACE_DISK_FAULT] = "disk_fault",
    [TRACE_DISK_CRASH] = "disk_crash",
    [TRACE_DISK_SLOW] = "disk_slow",
    [TRACE_ROT] = "rot",
    [TRACE_LISTEN] = "listen",
    [TRACE_CONNECT] = "connect",
    [TRACE_CONNECTED] = "connected",
    [TRACE_REFUSED] = "refused",
    [TRACE_ACCEPT] = "accept",
    [TRACE_ADOPT] = "adopt",
    [TRACE_SEND] = "send",
    [TRACE_ARRIVE] = "arrive",
    [TRACE_RECEIVE] = "receive",
    [TRACE_FINISH] = "finish",
    [TRACE_CLOSE] = "close",
    [TRACE_RESET] = "reset",
    [TRACE_STALL] = "stall",
    [TRACE_PARTITION] = "partition",
    [TRACE_HEAL] = "heal",
};

static_assert(sizeof names / sizeof names[0] == TRACE_KINDS, "each kind has a name");

#define KEY_0 0x2d358dccaa6c78a5ull
#define KEY_1 0x8bb84b93962eacc9ull
#define KEY_2 0x4b33a62ed433d4a3ull
#define KEY_3 0x4d5a2da51de1aa47ull

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t trace_digest(const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t digest = KEY_0 ^ size, a, b;
    for (; size >= 16; size -= 16, at += 16) {
        memcpy(&a, at, 8);
        memcpy(&b, at + 8, 8);
        digest = fold(a ^ KEY_1, b ^ digest);
    }
    a = b = 0;
    memcpy(&a, at, size < 8 ? size : 8);
    if (size > 8)
        memcpy(&b, at + 8, size - 8);
    return fold(fold(a ^ KEY_2, b ^ digest) ^ KEY_3, digest + KEY_2);
}

void trace_open(struct trace *trace, void (*sink)(void *argument, const char *line, size_t bytes),
                void *sink_argument)
{
    *trace = (struct trace){.lane = {KEY_0, KEY_1}, .sink = sink, .sink_argument = sink_argument};
}

static void write_line(struct trace *trace, struct trace_place place, enum trace_kind kind, uint64_t a,
                       uint64_t b, const char *text)
{
    char line[512], where[32] = "world";
    if (place.node != UINT32_MAX && place.core != UINT32_MAX)
        snprintf(where, sizeof where, "node%u.%u", place.node + 1, place.core);
    else if (place.node != UINT32_MAX)
        snprintf(where, sizeof where, "node%u", place.node + 1);
    int length = snprintf(line, sizeof line, "%llu.%09llu %-8s %-10s %llu %llx%s%.400s\n",
                          (unsigned long long)(place.now_ns / 1000000000),
                          (unsigned long long)(place.now_ns % 1000000000), where, names[kind],
                          (unsigned long long)a, (unsigned long long)b, text ? " " : "", text ? text : "");
    trace->sink(trace->sink_argument, line, (size_t)length);
}

void trace_record(struct trace *trace, struct trace_place place, enum trace_kind kind, uint64_t a, uint64_t b,
                  const char *text)
{
    uint64_t who = (uint64_t)kind << 48 ^ (uint64_t)place.node << 24 ^ place.core;
    if (text)
        who ^= trace_digest(text, strlen(text));
    trace->lane[0] += fold(place.now_ns ^ trace->lane[0] ^ KEY_0, who ^ KEY_1) ^
                      fold(a ^ KEY_2, b ^ trace->lane[0] ^ KEY_3);
    trace->lane[1] += fold(a ^ trace->lane[1] ^ KEY_1, place.now_ns ^ KEY_3) ^
                      fold(who ^ KEY_0, b ^ trace->lane[1] ^ KEY_2) ^ trace->lane[0];
    trace->records++;
    if (trace->sink)
        write_line(trace, place, kind, a, b, text);
}
