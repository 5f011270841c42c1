/* Every bound of the ground floor, with its reason. Folders above keep their own limits beside these, in the
 * same manner: a name, a figure, and why it is that figure. */
#ifndef SYNOD_BASE_LIMITS_H
#define SYNOD_BASE_LIMITS_H

/* Cores of one node. Every pair of cores has two rings, so memory grows with the square: 64 cores = 4,096
 * pairs. */
#define CORES_MAX 64

/* Usable stack of an ordinary fiber: room for walking statements some thousand levels deep. Pages are committed when
 * touched; an idle connection touches one or two. */
#define FIBER_STACK_BYTES (1024 * 1024)
/* Recursion over a user's input stops with 54001 when less than this is left: room for whatever it calls that does not
 * look. */
#define FIBER_STACK_ROOM_MIN (96 * 1024)
/* Core time after which a statement counts as long: a hundred point statements, or one that reads ten thousand rows. */
#define FIBER_SHORT_NS (2 * 1000 * 1000)
/* Work that a fiber does in one turn of the loop: a short statement on this core waits for it two or three times. A turn
 * without news costs less than 1 us. */
#define FIBER_STRETCH_NS (50 * 1000)
/* What long work gets of a core at least while short work wants all of it, unless it is set otherwise. */
#define FIBER_LONG_PERCENT 20

/* Stack for foreign recursive code, one per core, committed when touched and given back after a deep call. */
#define FIBER_BIG_STACK_BYTES (256UL * 1024 * 1024)
/* Fibers of one core. Each costs at most two kernel mappings, and the kernel's default is 65,530 per process.
 */
#define FIBERS_PER_CORE_MAX 30000
/* Stacks kept for reuse on one core; more are given back to the kernel. 256 stacks of 8 touched KiB = 2 MiB.
 */
#define FIBER_STACKS_KEPT 256

/* Timers armed on one core: one for each fiber and seven more for each connection. */
#define FIBER_TIMERS_MAX 262144

/* Slots of the ring from one core to one other; senders wait while it is full. A mail takes part of a
 * microsecond to deliver, so a full ring is some hundred microseconds of work. */
#define MAILBOX_REQUESTS_MAX 1024

/* Smallest piece of memory a scope takes from its pool; nearly all statements fit in one. */
#define SCOPE_CHUNK_BYTES 4096
/* An allocation above this is its own block, and its failure is an answer (53200), not a stop. */
#define SCOPE_SMALL_BYTES (1024 * 1024)

/* Largest chunk a scope takes for many small allocations: big scopes take few chunks and waste at most this.
 */
#define SCOPE_CHUNK_BYTES_MAX (256 * 1024)
/* Free chunks a root keeps for reuse: a thousand statements of one chunk each. */
#define SCOPE_KEPT_BYTES (4 * 1024 * 1024)
/* What a root sets aside (untouched) for the moment the system has no memory at all: one largest small
 * allocation and 64 chunks beside it, so that work in progress reaches its next scope_check_budget(). */
#define SCOPE_RESERVE_BYTES (SCOPE_SMALL_BYTES + 64 * SCOPE_CHUNK_BYTES)

/* Threads of one pool of a node that makes blocking calls. A device answers 16 reads from threads about as
 * fast as it answers more of them. */
#define WORKERS_PER_POOL_MAX 16
/* Threads for name look-ups, which may each hang for seconds; a node looks up its peers and little else. */
#define RESOLVER_THREADS_MAX 4
/* Threads for durable writes: as many can be in flight. With 32 writers, 8 threads did 24,000 a second, 16
 * did 34,000, and 32 half of that: they only queue for the processors. */
#define FLUSH_THREADS_MAX 16
/* Stack of such a thread; the C library's resolver wants the most of it (some 70 KiB). */
#define WORKER_STACK_BYTES (256 * 1024)

/* What a connection of the classic backend reads at once. Big enough that a bulk load is not all system
 * calls, small enough for the second-level cache. A connection has such a buffer only while its view is in
 * use. */
#define CLASSIC_RECEIVE_BYTES (32 * 1024)
/* Such buffers a core keeps for reuse: 2 MiB. */
#define CLASSIC_RECEIVE_KEPT 64
/* Receives (or sends) that found the kernel ready before the fiber lets others run, so that a peer that
 * floods us does not take the core for itself: 16 x 32 KiB are some 50 us. */
#define CLASSIC_OPERATIONS_PER_TURN 16

/* Records of 16 KiB a TLS stream seals or opens at once, and room beside them for what OpenSSL has to say in
 * between (28 bytes for each KeyUpdate answered). Four fill the 64 KiB a socket takes or gives at a time. */
#define TLS_BUFFER_RECORDS 4
#define TLS_CONTROL_BYTES  1024
/* Such buffers a core keeps for reuse: 1 MiB. A stream has one only while it has text or records to hold. */
#define TLS_BUFFERS_KEPT 16
/* Records sent under one TLS 1.3 key. AES-GCM stays safe for some 2^24 full ones (RFC 8446, 5.5). */
#define TLS_RECORDS_PER_KEY (1 << 22)
/* How long a connection that failed tries to tell its peer why. The alert nearly always fits the socket. */
#define TLS_ALERT_WAIT_NS (100 * 1000 * 1000)
/* One PEM text. The bundles of all public authorities have about 250 KiB. */
#define TLS_PEM_BYTES_MAX (1024 * 1024)
/* Names of application protocols (ALPN) one side offers; a handful is usual. */
#define TLS_PROTOCOLS_BYTES_MAX 1024

/* Text of one error: message, detail, hint and names together. Longer text is cut at a character border. */
#define ERROR_ROOM_BYTES 1024

/* Longest text that grows: PostgreSQL's bound of a value (1 GB), which clients know. */
#define TEXT_BYTES_MAX (1024 * 1024 * 1024)

/* One line of the log. Longer lines are cut and say so. */
#define LOG_LINE_BYTES 2048
/* Lines of one event a core writes at once; beyond that, one a second. Enough for the story of a failure. */
#define LOG_BURST 20
/* Event names a core counts one by one; a bigger program's further names share one count. */
#define LOG_EVENTS_MAX 256

/* Locks of a core that pg_locks shows: a transaction may have locked millions of rows, and nobody reads as many. */
#define LOCKS_SHOWN_MAX 20000

#endif
