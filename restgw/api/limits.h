/* The bounds of the REST interface. Those that clients see stand in openapi.yaml, too. */
#ifndef SYNOD_RESTGW_API_LIMITS_H
#define SYNOD_RESTGW_API_LIMITS_H

/* REST sessions of one core. One that was used lately is some 40 KiB with the plans it keeps, an idle one less than 8. */
#define REST_SESSIONS_MAX 10000
/* Requests that may wait for one session: a client with more in flight on one key has 429. One HTTP/2 connection has at most
 * 100 streams. */
#define REST_WAITING_MAX 256
/* How long nobody may use a session: what is taken when the client does not say, and the shortest and longest it may say. */
#define REST_IDLE_DEFAULT_MS (10 * 60 * 1000)
/* Sessions kept for requests without one, on each core: as many as there may be requests on two full connections, since
 * opening one costs more than a statement. They end when nobody wanted them for this long. */
#define ONE_OFF_KEPT    256
#define ONE_OFF_IDLE_MS 60000
/* A session that was not used for so long forgets its plans. */
#define REST_TRIM_MS 10000

/* How often a core looks for sessions and cursors nobody uses any more. */
#define REST_TICK_MS 500
/* A cursor nobody asked for the next page of. It holds back the collecting of old versions of rows. */
#define CURSOR_IDLE_MS (5 * 60 * 1000)
/* A page when the client does not say. */
#define PAGE_ROWS_DEFAULT  1000
#define PAGE_BYTES_DEFAULT (4 * 1024 * 1024)
/* Rows asked for at first, before it is known how long they are; and the most at once. */
#define PAGE_ROWS_FIRST 16
#define PAGE_ROWS_STEP  2048
/* A line stream is handed on when it has this much. */
#define STREAM_BYTES (48 * 1024)
/* Ended statements a session remembers: those whose id the client chose, and asynchronous ones. */
#define STATEMENTS_ENDED_MAX 32
/* Statements that have rows to give, of one session. */
#define CURSORS_MAX 64
/* Bytes of pages and results that a session keeps, so that they may be asked for (again): four of the largest pages. */
#define RUN_BODIES_BYTES_MAX (64UL * 1024 * 1024)

/* Prepared statements one core knows by their content; beyond that the longest unused one goes. Also how many of them one
 * session has ready. */
#define PREPARED_KEPT_MAX        4096
#define PREPARED_PER_SESSION_MAX 256
#define PREPARED_BYTES_MAX       (64 * 1024)
/* Notices of one statement that are answered; more are counted. */
#define NOTICES_MAX 100
/* Outcomes of transactions a core remembers itself; those that wrote stand in a table besides, for OUTCOME_HOURS. */
#define OUTCOMES_KEPT 4096
#define OUTCOME_HOURS 24
/* Passwords found right that a core remembers, so that a client with Basic costs 3 ms once and not each time. */
#define PROOFS_KEPT 256
/* API keys found to hold, and for how long before they are looked at again: so long a revoked one may go on elsewhere. */
#define KEYS_KEPT   1024
#define KEY_HELD_MS 2000
/* Sign-ins that may fail for one role, and from one address, before they have to wait; one more each THROTTLE_REFILL_MS. */
#define THROTTLE_SLOTS     1024
#define THROTTLE_BURST     10
#define THROTTLE_REFILL_MS 6000
/* How often an operation that is watched is looked at, for its end; its progress is told once a second. */
#define OPERATION_LOOK_MS        100
#define OPERATION_LOOKS_A_SECOND 10

/* Requests a core remembers for GET /v1/requests. */
#define REQUESTS_KEPT 2048
/* Loads of a session under way. */
#define LOADS_MAX 4

#endif
