/* What the log's files share: the log on its owner core, a port on its core, and what goes between.
 *
 *     a core                                     the owner core
 *     append -> parcel (filling) --- mail ---> lane -> place -> group (filling) -> writer -> stable
 *               parcel (returned) <-- mail ---   |                 |
 *     notices run                                positions, stamps  '-> buffers of groups in flight
 *
 * A *parcel* is the records a core appended in one run of its ready fibers: one mail. It is made of *entries*, and cut into
 * *batches*, which is what tickets name: a record that must follow other cores' batches begins a batch of its own. So a batch
 * never waits for a batch that was begun after it, and waits cannot form a circle, whatever shares a mail.
 *
 * A *lane* is the owner's view of one core. */
#ifndef SYNOD_ENGINE_LOG_INSIDE_H
#define SYNOD_ENGINE_LOG_INSIDE_H

#include "base/list.h"
#include "base/mailbox.h"
#include "base/world.h"
#include "engine/log/format.h"
#include "engine/log/reader.h"

#include <stdatomic.h>

#define SEGMENT_BYTES_DEFAULT (64 * 1024 * 1024)
/* Zeros written at once, and one at a time, to leave the disk to those who commit meanwhile. */
#define ZEROS_BYTES              (1024 * 1024)
#define WRITE_BYTES_DEFAULT      (1024 * 1024)
#define WRITES_IN_FLIGHT_DEFAULT 4

/* More writes than the world has threads for durable ones would only queue there. */
#define WRITES_IN_FLIGHT_MAX 16

/* Buffers beside those in flight: one that is filled while all others are being written, one that is full and next. */
#define GROUPS_SPARE 2

/* Segments kept for what comes next, the one made ahead included: a checkpoint frees several at a time, and a renamed segment
 * costs neither allocation nor the journal's work that first writes to fresh blocks do. */
#define SEGMENTS_AHEAD_MAX 4

/* What a core may have appended and not have placed before log_port_make_room() waits: two largest groups. Placed bytes are
 * bounded by the owner's buffers. */
#define PORT_BYTES_MAX (2 * GROUP_BYTES_MAX)

/* Parcels of a port: one is filled, the others are on their way. A trip takes less time than a write. */
#define PORT_PARCELS 4

/* Memory of entries comes in chunks, so that appending allocates nothing in the long run: those of ordinary records, and
 * those of the largest. */
#define CHUNK_BYTES       (64 * 1024)
#define CHUNK_BYTES_LARGE (LOG_PAYLOAD_BYTES_MAX + 16 * 1024)

/* A marker is written when nothing was appended for so long: one small write then, and what was acknowledged last is known to
 * be so after a crash. */
#define MARKER_AFTER_NS (100ull * 1000 * 1000)

/* What nobody waits for goes to the disk after so long by itself; and a group that waits to grow, because others are in
 * flight, waits no longer. */
#define GROUP_AFTER_NS (1000ull * 1000)

/* A group of this size has grown enough, whatever is in flight. */
#define GROUP_BYTES_ENOUGH (128 * 1024)

/* How often the disk's room is looked at while somebody writes, and while it is full. */
#define ROOM_EVERY_NS (250ull * 1000 * 1000)

/* ---- what is appended ---- */

struct entry {
    struct entry *next; /* in the parcel */
    uint64_t batch;
    uint64_t position; /* LOG_NOWHERE until it is placed */
    struct log_notice notice;
    uint32_t record_bytes;
    uint16_t after_count;
    /* then: the tickets, the record as format.h writes it */
    struct log_ticket after[];
};

static inline uint8_t *entry_record(struct entry *entry)
{
    return (uint8_t *)(entry->after + entry->after_count);
}

struct chunk {
    struct chunk *next;
    uint32_t used, room;
    _Alignas(16) uint8_t bytes[];
};

struct parcel {
    struct mail mail;
    struct log_port *port;
    struct entry *first, **last; /* entries in order */
    struct chunk *chunks;        /* that hold them; the first one is being filled */
    size_t bytes;                /* of records */
    uint64_t batch;              /* the last one's number */
    /* the owner's: */
    struct entry *cursor; /* next to be placed */
};

/* ---- a port ---- */

/* A fiber that waits; on its stack. */
struct stable_waiter {
    struct list_link link;
    uint64_t position;
    struct fiber_queue queue;
};

struct room_waiter {
    struct list_link link;
    size_t bytes;
    bool granted;
    struct fiber_queue queue;
};

struct log_port {
    struct world *world;
    struct node_log *log;
    struct scope *scope; /* of its memory and its fiber, below the core's root */
    struct scope *users; /* the caller's; held while the port closes */
    struct lane *lane;
    struct parcel parcel[PORT_PARCELS];
    struct parcel *filling;
    struct list idle;             /* parcels, by mail.link */
    uint32_t out;                 /* parcels at the owner */
    struct chunk *chunks, *large; /* to be used again */
    size_t unplaced;              /* bytes of records in parcels, filling or out */
    size_t promised;              /* bytes that fibers were let through for since the last parcel left */
    bool fresh;                   /* the next record begins a batch */
    uint64_t batch;               /* the last number given */
    uint64_t after[CORES_MAX];    /* batches of other cores that records here follow already */
    struct list stable_waiters;   /* by position */
    struct list room_waiters;     /* first come first served */
    struct fiber_queue work;      /* the port's fiber */
    bool closing;
    struct mail bye;
    bool bye_said;
};

/* ---- the owner ---- */

enum log_life {
    LOG_OPENED,  /* read; takes appends but places none */
    LOG_SERVING, /* places and writes */
    LOG_FAILED,  /* a write has failed: nothing is placed any more, nothing becomes stable */
    LOG_ENDED,   /* no port is left, and everything placed is written */
};

struct lane {
    uint32_t core;
    struct list parcels; /* to be placed, by mail.link */
    uint64_t placed;     /* all batches up to here are */
    bool tell;           /* its waiters want to hear of the stable position */
    bool telling;        /* the mail is out */
    struct mail stable_mail;
    struct node_log *log;
    /* Shared. The port's core stores the pointer when it opens (release), the owner takes it back when the port has said its
     * farewell, which comes by mail behind everything else. */
    _Alignas(64) _Atomic(struct log_port *) port;
    /* Set by the port's core before its fibers wait for a position, behind which it looks at the position once more; taken
     * back by the owner after it published one. Both sides use sequentially consistent operations, so one sees the other. */
    atomic_bool wants;
    atomic_bool
        closing; /* set by the port's core: nobody there is left to wait; reset by the owner with `port` */
    uint64_t batches; /* the port's core's own: numbers go on when a port is opened again */
};

struct segment {
    struct list_link link; /* in node_log.segments, oldest first */
    uint64_t first, bytes;
    struct scope *scope; /* of the open file; NULL = not open */
    struct file *file;
    uint32_t groups; /* that will be written or are */
};

struct group {
    struct list_link link;
    uint8_t *memory; /* aligned; group_room bytes */
    struct group_head head;
    struct segment *segment;
    uint32_t waited; /* records somebody waits for */
    bool written;
};

struct node_log {
    struct world *world;
    struct scope *scope; /* of everything here, below the core's root */
    struct scope *users; /* the caller's; held while the log ends */
    struct log_options options;
    size_t group_room; /* bytes of a group's buffer */
    void *zeros;       /* ZEROS_BYTES, aligned: a new segment must not fail for want of memory */
    uint64_t incarnation;

    /* As found at opening; immutable, read by replays on all cores. */
    struct extents found;
    uint64_t found_end;

    struct list segments;    /* all, oldest first */
    struct segment *current; /* the filling group's, or the next group's */
    struct list segments_free;
    struct fiber_queue files; /* waits for files_busy */
    bool files_busy;          /* somebody makes, renames or removes segments */

    struct group *filling; /* NULL = none */
    struct list full;      /* groups that nothing more fits into, in order */
    struct list in_flight; /* groups being written, in order; the first ones may have been written */
    struct list idle;      /* groups */
    uint64_t end;          /* where the last group that was closed ends */
    bool unmarked;         /* the last stable group had records: no stable head says that it is stable */
    bool mark;             /* a marker is due */
    bool blocked;          /* placing waits for a buffer or a segment */
    struct fiber_queue writers;
    uint32_t writers_running; /* fibers */
    uint32_t writing;         /* of them at the disk */
    uint32_t waited;          /* records in flight that somebody waits for */
    bool overdue;             /* the group that is being filled has waited long enough */
    struct fiber_timer due;   /* when it will have */
    struct fiber_timer marker;

    struct lane *lane; /* one for each core */
    uint32_t lane_first;
    struct fiber_queue tellers;

    struct fiber_queue keeper;
    bool ending;
    bool allocation_failed; /* there is no room for the next segment */
    bool used;              /* since the room was looked at */
    bool look_again;        /* there may be room where there was none */
    bool truncating;
    struct fiber_queue truncators; /* wait for their turn */
    struct error error;            /* once it has failed; immutable then */
    struct list followers;
    struct log_recent *recent; /* once anybody has followed */

    /* Published: the owner stores, every core loads. */
    _Alignas(64) atomic_uint_least64_t stable;
    atomic_uint life;
    atomic_uint_least64_t room; /* bytes that may be written before the disk counts as full */
    _Alignas(64) atomic_uint_least64_t placed;
    atomic_uint_least64_t first, segment_count, writes, syncs, bytes_written;
};

static inline enum log_life log_life(const struct node_log *log)
{
    return (enum log_life)atomic_load_explicit(&log->life, memory_order_acquire);
}

/* The owner's figures have no other writer, so adding needs no locked instruction. */
static inline void log_count(atomic_uint_least64_t *figure, uint64_t amount)
{
    atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

/* ---- segment.c: files ---- */

/* One of these at a time: making, renaming, removing. Not cancelable. Yield. */
void segments_lock(struct node_log *log);
void segments_unlock(struct node_log *log);

/* Adds what there is already, behind the last. */
struct segment *segment_add(struct node_log *log, uint64_t first, uint64_t bytes);

/* The one behind, or NULL. */
struct segment *segment_next(const struct node_log *log, const struct segment *segment);

/* Makes a segment behind the last: allocated, named and durable. Yields. */
enum sqlstate segment_make(struct node_log *log, struct error *error);

/* Opens its file for writing. Yields. */
enum sqlstate segment_open(struct node_log *log, struct segment *segment, struct error *error);

/* Closes it, if it is open. */
void segment_close(struct segment *segment);

/* Takes the oldest out and makes it the last, or removes it. Yields. */
enum sqlstate segment_recycle(struct node_log *log, struct error *error);

/* ---- place.c ---- */

/* Records that wait in lanes get their places, as far as there is room. Does not yield. */
void log_place(struct node_log *log);

/* Closes the group that is being filled and puts it behind those that are full. */
void log_close_filling(struct node_log *log);

/* Takes a free buffer for a group at the end of the log; NULL when there is no buffer or no segment. `bytes`: what must fit. */
struct group *log_begin_group(struct node_log *log, size_t bytes);

/* A parcel has arrived. */
void log_receive(struct node_log *log, struct parcel *parcel);

/* Gives all parcels back, not placed. */
void log_refuse(struct node_log *log);

/* ---- write.c ---- */

enum sqlstate writers_open(struct node_log *log, struct error *error);

/* There is something to write. */
void writers_wake(struct node_log *log);

/* Something was placed in the group that is being filled: it is written now, or when it is due. */
void writers_look(struct node_log *log);

/* Everything placed is written, and nothing is being written. */
bool writers_idle(const struct node_log *log);

/* Puts a group without records behind the full ones, unless there is no room for it. */
void log_begin_marker(struct node_log *log);

/* The group that is to be written next, now in flight, or NULL. */
struct group *log_next_group(struct node_log *log);

/* Seals the group and writes it, durably. Yields. */
enum sqlstate group_write(struct node_log *log, struct group *group, struct error *error);

/* Some group has been written: what is stable now? */
void log_advance(struct node_log *log);

/* Nothing becomes stable any more. */
void log_fail(struct node_log *log, const struct error *error);

/* All cores' waiters look again. */
void log_tell_all(struct node_log *log);

/* ---- keep.c ---- */

/* Starts the fiber that makes segments ahead, watches the room on the disk, and ends the log. */
enum sqlstate keeper_open(struct node_log *log, struct error *error);

/* ---- follow.c ---- */

/* A group has become stable: followers get it from memory. */
void log_recent_add(struct node_log *log, const struct group *group);

/* Something has become stable, or never will. */
void log_followers_wake(struct node_log *log);

/* Up to where the log may be cut if nobody but followers needs what is before `position`. */
uint64_t log_followers_hold(const struct node_log *log, uint64_t position);

/* ---- port.c ---- */

/* A parcel is back at its port. */
void parcel_back(struct log_port *port, struct parcel *parcel);

/* Wakes the port's fibers that wait for what is stable now, or for what will never be. */
void port_hear(struct log_port *port);

#endif
