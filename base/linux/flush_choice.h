/* Which way a durable write should take: a write through the ring that ends when it is durable, or pwrite and fdatasync on a
 * thread.
 *
 * Neither is better always. The ring saves two hops between threads; but when all processors are
 * busy, the kernel's own worker that ends a durable write may wait for a scheduler tick (125 us become 4 ms),
 * and a thread of ours does not. So both are measured, all the time, under the load there is:
 *
 * - The *present* path carries the flushes. Its score follows from its last few latencies.
 * - The other path is *tried* with one flush now and then, so that its score is of today, too. What tries
 * cost is bounded: together they take at most 1/FLUSH_TRY_SHARE of the time that flushes take, whatever they
 * turn out to cost.
 * - When the other path's score is below a part of the present one's, they change places, and
 *   stay there for as many flushes as make a new score. Gap and stay keep noise from changing them to and fro.
 *
 * The score is the mean of the last FLUSH_SCORE_WINDOW latencies without the largest eighth: a rare hiccup says
 * nothing about the path, and a hiccup in every fourth flush says much (which a median would not hear).
 *
 * Plain figures in, a choice out: no clock, no thread, no I/O. One core owns a choice. */
#ifndef SYNOD_BASE_LINUX_FLUSH_CHOICE_H
#define SYNOD_BASE_LINUX_FLUSH_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

/* Latencies that make a score: many enough that two equal paths with the tails of a shared disk differ by little,
 * few enough that a change of load is heard soon (a path that turned 30 times slower: after eight flushes). */
#define FLUSH_SCORE_WINDOW 32
/* How many of them are left out, the largest. */
#define FLUSH_SCORE_TRIM (FLUSH_SCORE_WINDOW / 8)
/* A score counts from this many latencies on; at the start both paths get that many flushes. */
#define FLUSH_SCORE_MIN 8
/* Tries take at most 1/32 (3 %) of the flush time. */
#define FLUSH_TRY_SHARE 32
/* The thread takes over when its score is below so much of the ring's, the ring when its own is below so much of the thread's.
 * At equal latency a flush by thread takes three times the processor time: 50 to 60 us against 20. */
#define FLUSH_THREAD_PERCENT 65
#define FLUSH_RING_PERCENT   95
/* Larger flushes are not measured: their time is the device's bandwidth, not the path. */
#define FLUSH_MEASURED_BYTES_MAX (256 * 1024)

enum flush_path { FLUSH_BY_RING, FLUSH_BY_THREAD, FLUSH_PATHS };

/* The last latencies of one path. */
struct flush_score {
    uint64_t latency_ns[FLUSH_SCORE_WINDOW];
    uint32_t next;    /* where the next one goes */
    uint32_t count;   /* latencies there are, up to the window */
    uint64_t mean_ns; /* of those that count; 0 while there are too few */
};

struct flush_choice {
    struct flush_score score[FLUSH_PATHS];
    enum flush_path present;
    bool fixed;        /* by an option: nothing is tried */
    bool trying;       /* a try is in flight; the next waits for its outcome */
    int64_t credit_ns; /* what tries may cost now; below zero after one that cost more than expected */
    uint32_t stay;     /* measured flushes until the paths may change places again */
    uint64_t switches; /* how often the paths changed places; for metrics */
    uint64_t tries;
};

/* What was chosen for one flush; give it back with flush_choice_measured() when the flush is done. */
struct flush_pick {
    enum flush_path path;
    bool is_try;
};

/* Starts with `first`; with `fixed`, stays there. */
void flush_choice_init(struct flush_choice *choice, enum flush_path first, bool fixed);

/* Chooses the path of the next flush, which writes `bytes`. */
struct flush_pick flush_choice_pick(struct flush_choice *choice, uint64_t bytes);

/* Says how long the flush took from its start to its completion, and whether it succeeded. Every pick ends
 * here, in any order. */
void flush_choice_measured(struct flush_choice *choice, struct flush_pick pick, uint64_t bytes,
                           uint64_t latency_ns, bool succeeded);

/* The figure by which paths are compared, nanoseconds; 0 while there are fewer than FLUSH_SCORE_MIN
 * latencies. */
uint64_t flush_choice_score(const struct flush_choice *choice, enum flush_path path);

#endif
