/* The node's own bounds, beside those of base/limits.h. */
#ifndef SYNOD_NODE_LIMITS_H
#define SYNOD_NODE_LIMITS_H

/* Connections by default. Each costs one descriptor and at most 12 KiB: 10,000 idle ones fit in 120 MiB. */
#define NODE_CONNECTIONS_DEFAULT 10000
/* Most that can be asked for: each connection is one fiber, in the worst case all on one core, which has
 * 30,000 and needs some for itself. */
#define NODE_CONNECTIONS_MAX 25000
/* Clients past the limit that are being told so at the same time; any more are closed without a word, since
 * telling costs what the limit is there to save. */
#define NODE_REFUSALS_MAX 64
/* Least memory a node can be given: the roots and big stacks of a few cores, and something to work with. */
#define NODE_MEMORY_MIN (64UL * 1024 * 1024)
/* Most: what user space of x86-64 and aarch64 can address, so that sums cannot overflow. */
#define NODE_MEMORY_MAX (128UL * 1024 * 1024 * 1024 * 1024)
/* Text of the configuration file. Thirteen options of a line each, and room for a lot of comments. */
#define NODE_CONFIG_BYTES_MAX (1024 * 1024)
/* The file of the first password: a line. */
#define NODE_PASSWORD_BYTES_MAX 1024
/* One PEM file: a chain of a few certificates, or a key, of 2-4 KiB each. */
#define NODE_PEM_BYTES_MAX (256 * 1024)
/* Path of the data directory; the kernel's PATH_MAX is 4,096, and names below the directory need room. */
#define NODE_PATH_BYTES_MAX 3072

/* One line of the echo, without its newline. Long enough for a generous line, short enough that a client
 * which never ends its line cannot hold more than two pages. */
#define ECHO_LINE_BYTES_MAX 8192
/* A client that takes nothing of what it asked for: PostgreSQL leaves it to the kernel's 15 minutes; here
 * the line that waits for it holds its fiber and buffers, so half a minute. */
#define ECHO_SEND_TIMEOUT_MS 30000
/* TLS handshake: two round trips and two signatures; ten seconds forgive a very slow link. */
#define ECHO_HANDSHAKE_TIMEOUT_MS 10000
/* From a line's first byte to its end: a human may type it. */
#define ECHO_LINE_TIMEOUT_MS 60000
/* Running lines at a stop. Service managers kill after 10 (Docker) to 90 (systemd) seconds. */
#define NODE_GRACE_MS 5000
/* How long to wait for a port that is in use, and between two looks. The kernel frees the listener of a
 * killed process a moment after the process is gone (a ring is torn down behind its back), so one that is
 * started at once in its place would be refused for nothing. */
#define NODE_LISTEN_PATIENCE_MS 1000
#define NODE_LISTEN_PAUSE_MS    20
/* Pause after an accept that failed for a reason of the system: it is tried again, but not in a circle. */
#define NODE_ACCEPT_PAUSE_MS 100

#endif
