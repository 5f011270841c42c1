/* The node log: every topic of a node, multiplexed into one ordered, durable stream of records.
 *
 * Positions are byte offsets in an endless stream; segment files of a fixed size hold it, oldest first. The
 * log has one owner core, which places records, writes and syncs groups (several in flight) and advances the
 * *stable* position: all before it survives a crash. Every core appends through its *port*: records gather in
 * the core's batch, which goes to the owner as one mail when the core has run its ready fibers.
 *
 * Order. Records of one port keep their order. A record may name what it must follow: `after`, the tickets of
 * other ports' batches (a commit follows the effects that other cores appended); the owner places it behind
 * them. So the stream's order is a causal order, and a stable prefix is a consistent state.
 *
 * A record is small (LOG_PAYLOAD_BYTES_MAX); larger things are cut into parts by those who append them. */
#ifndef SYNOD_ENGINE_LOG_LOG_H
#define SYNOD_ENGINE_LOG_LOG_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct node_log;
struct log_port;
struct scope;
struct world;

/* One record's payload. Bounds the memory of a reader and the cost of a torn tail. */
#define LOG_PAYLOAD_BYTES_MAX (256 * 1024)

struct log_record {
    uint64_t topic;       /* shard, or a system topic */
    uint64_t sequence;    /* in the topic, from 1, by one */
    uint32_t epoch;       /* of the topic's leadership; 1 on a single node */
    uint8_t kind;         /* meaning is the appender's */
    uint64_t transaction; /* id, or 0 */
    struct bytes payload;
};

/* Where a port's batch stands: batch numbers of a core grow by one. */
struct log_ticket {
    uint32_t core;
    uint64_t batch;
};

struct log_options {
    const char *directory;       /* segments live here */
    uint64_t segment_bytes;      /* multiple of DISK_ALIGNMENT; default 64 MiB when 0 */
    size_t write_bytes_max;      /* largest group; default 1 MiB when 0 */
    uint32_t writes_in_flight;   /* groups being written at once; default 4 when 0 */
    uint64_t disk_reserve_bytes; /* new appends are refused (53100) when less is left on the file system */
    uint64_t cluster; /* stamped in every block, so that a foreign segment is never taken for ours */
    /* Called on the owner core when a record of kind >= LOG_KIND_STAMPED is placed, in stream order, before
     * its checksum is made: may change payload bytes in place (the sequencer writes the SCN). Must not yield.
     * May be NULL. */
    void (*stamp)(void *argument, uint64_t position, struct log_record *record, uint8_t *payload);
    /* Called on the owner core each time the stable position has advanced. Must not yield. May be NULL. */
    void (*stable)(void *argument, uint64_t position);
    /* Called once on the owner core when a write or sync has failed: nothing more becomes stable until the node starts
     * again. Must not yield. May be NULL. */
    void (*failed)(void *argument, const struct error *error);
    /* Offered each full segment before it is recycled, oldest first; OK = it may go. A segment that was refused, or that a
     * crash brought back, is offered again. Yields. May be NULL. */
    enum sqlstate (*archive)(void *argument, const char *path, uint64_t first_position, struct error *error);
    void *argument;
};

/* Kinds from here on are shown to `stamp`. */
#define LOG_KIND_STAMPED 0x80

/* What opening found. */
struct log_state {
    uint64_t first;       /* oldest position held */
    uint64_t end;         /* behind the last whole record: appending goes on here */
    uint64_t torn_bytes;  /* behind `end`: unfinished writes that were dropped, never acknowledged */
    uint64_t incarnation; /* grows by one with each opening; stamped in every block */
};

/* Opens (or makes) the log, on its owner core, and finds its end. A tail that was never acknowledged is
 * dropped; damage before the last position known to be stable is an error (XX001) that names segment and
 * position, never skipped: found here where the log's end is looked for, and by node_log_replay() in all it reads. The log ends
 * with `scope` (one below world->scope), when the ports of all cores have closed (their scopes may close at the same time or later; until then this one
 * waits): what was placed is written first. Yields. */
enum sqlstate node_log_open(struct world *world, struct scope *scope, const struct log_options *options,
                            struct node_log **log, struct log_state *state, struct error *error);

/* Reads records in order from `from` (a position at or below a record's, not below log_state.first) to the end found at
 * opening, with read-ahead and up to 16 MiB of memory. Between node_log_open() and node_log_start(), on any core and on several
 * at the same time (each opens the segments itself). The visitor may yield; an error it gives ends the replay. Yields. */
struct log_visitor {
    enum sqlstate (*visit)(void *argument, uint64_t position, const struct log_record *record,
                           struct error *error);
    void *argument;
};
enum sqlstate node_log_replay(struct world *world, struct scope *scope, struct node_log *log, uint64_t from,
                              const struct log_visitor *visitor, struct error *error);

/* Starts placing what is appended. Called once, after replay, on the owner core. Does not yield. */
enum sqlstate node_log_start(struct node_log *log, struct error *error);

/* A core's access, on that core; on the owner core, too; one at a time. `log` is the same pointer on all cores of the node.
 * When `scope` (one below world->scope) closes, what fibers in it still append is placed; the port closes when they have ended. Does not yield. */
enum sqlstate log_port_open(struct world *world, struct scope *scope, struct node_log *log,
                            struct log_port **port, struct error *error);

/* Whether new work may append `bytes`: 53100 while the disk is full, 58030 after a failed write. Work already
 * begun may finish (a reserve is kept for it). Waits while too much is unwritten (back-pressure); a canceled fiber gets its
 * cancellation's state. May yield. */
enum sqlstate log_port_make_room(struct log_port *port, size_t bytes, struct error *error);

/* Appends a copy of the record to this core's batch and gives the batch's ticket. `after` (count may be 0)
 * are tickets of other cores' batches it must follow. It goes to the disk with the next record that somebody waits for, or
 * a little later by itself. Neither yields nor fails. */
struct log_ticket log_port_append(struct log_port *port, const struct log_record *record,
                                  const struct log_ticket *after, size_t after_count);

/* The same for a record to be told about: `placed(argument, position, payload)` runs on this core when the
 * owner has placed (and stamped) it; `payload` then shows the stamped bytes. */
#define LOG_NOWHERE \
    UINT64_MAX /* as a position: the log failed before the record was placed; it never will be */
struct log_notice {
    void (*placed)(void *argument, uint64_t position, struct bytes payload);
    void *argument;
    bool
        lazy; /* nobody will wait for it to be stable: it may go to the disk a little later, with what comes */
};
struct log_ticket log_port_append_noticed(struct log_port *port, const struct log_record *record,
                                          const struct log_ticket *after, size_t after_count,
                                          const struct log_notice *notice);

/* Waits, not cancelable, until the record at `position` (as given to a notice) is stable. Gives 58030 when the log has
 * failed: whether the record survived is unknown (40003 to a client). Yields. */
enum sqlstate log_port_wait_stable(struct log_port *port, uint64_t position, struct error *error);

/* Stable position as this core knows it. */
uint64_t log_port_stable(const struct log_port *port);

/* Says that nothing before `position` is needed any more: whole segments before it, and before the stable position, are
 * archived and recycled, oldest first, until one cannot be. Owner core. Not cancelable. Yields. */
enum sqlstate node_log_truncate(struct node_log *log, uint64_t position, struct error *error);

/* ---- following a log that goes on ----
 *
 * A follower gets the stable records of one topic, or of all, in order, from any that is still there on; never one that a crash
 * could take back. Recent ones come from memory, older ones from segments. It belongs to the owner core, and one fiber uses it.
 *
 * A log that ends waits for its followers to be closed: who is told LOG_FOLLOWED_END, or that the log has failed, closes its
 * scope. Replication is made of these: the stable end is the high-water mark of a member, what a follower acknowledges that of
 * another. */
struct log_follower;

struct log_follow {
    bool all_topics;
    uint64_t topic;
    /* Records before this position are not wanted; it is also where looking begins. 0 = the oldest there is, UINT64_MAX = what
     * becomes stable from now on. */
    uint64_t position;
    /* The first record of the topic that is wanted, by its sequence; if the first that is left is a later one, the follower is
     * told that it is gone. 0 = whatever comes first. */
    uint64_t sequence;
    /* Truncation leaves what the follower has not got yet, or not acknowledged, if that is within so many bytes of the stable
     * end; what is further behind is recycled, and the follower told that its place is gone. 0 = it holds nothing back. */
    uint64_t hold_bytes_max;
    bool acknowledges; /* what it has got is held until log_follower_acknowledge() */
};

/* Begins; between node_log_start() and the log's end. Fails with 58P01 when the position is gone, 53200. Closed with the scope.
 * Does not yield. */
enum sqlstate log_follow(struct node_log *log, struct scope *scope, const struct log_follow *options,
                         struct log_follower **follower, struct error *error);

enum log_followed {
    LOG_FOLLOWED_NOTHING = 1, /* until the deadline */
    LOG_FOLLOWED_RECORD,
    LOG_FOLLOWED_END /* of the log: nothing more will come */
};

/* The next record, when it is stable; its payload is good until the next call. 58P01: it is gone, and the follower of no use any
 * more; 58030: the log has failed, and this was all of it; XX001: a segment is damaged; 57014: its scope was closed. Yields. */
enum sqlstate log_follower_next(struct log_follower *follower, uint64_t deadline_ns, enum log_followed *what,
                                uint64_t *position, struct log_record *record, struct error *error);

/* What is before this position is not needed any more. */
void log_follower_acknowledge(struct log_follower *follower, uint64_t position);

/* The high-water mark. */
uint64_t log_follower_stable(const struct log_follower *follower);

/* Whether a position can still be read (for late subscribers), and figures for views. On any core. */
struct log_figures {
    uint64_t first, placed, stable;
    uint64_t segments;
    uint64_t writes, syncs, bytes_written;
    bool full, failed;
};
void node_log_figures(const struct node_log *log, struct log_figures *figures);

#endif
