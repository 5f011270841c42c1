/* The runner: carries out a plan in a transaction and gives its rows in batches.
 *
 *     execution_open -> execution_next ... until the end -> (scope ends)
 *
 * One operator per file (operator.h is their interface). Memory beyond the grant spills to temporary pages. Work that goes on
 * checks for cancellation (fiber_check_canceled) at least every batch. */
#ifndef SYNOD_SQLFRONT_RUN_RUN_H
#define SYNOD_SQLFRONT_RUN_RUN_H

#include "sqlfront/evaluate/evaluate.h"
#include "sqlfront/plan/plan.h"

struct execution;

/* What a plan that finds one row by its key comes down to: read by many, made once, in the plan's scope. NULL: the plan has to
 * be carried out step by step. */
struct point;
const struct point *point_make(struct scope *scope, const struct planned *planned);

struct execution_request {
    struct world *world;
    struct scope *scope; /* of the portal: owns everything of the execution */
    struct engine *engine;
    struct catalog *catalog;
    struct catalog_view *view; /* descriptors the plan refers to are held by it */
    struct transaction *transaction;
    struct environment *environment;
    const struct value *parameters;
    uint32_t parameter_count;
    size_t memory_grant;      /* bytes a sort may keep in memory (work_mem); 0 = default */
    size_t hash_grant;        /* ... a hash table (times hash_mem_multiplier); 0 = default */
    uint64_t temporary_limit; /* bytes in temporary files (temp_file_limit); 0 = no limit */
    bool analyze;             /* EXPLAIN ANALYZE: time and rows per node */
    enum isolation isolation;
    const struct point *point; /* of this plan; NULL = none */
    /* Constraints checked at the end of the transaction (deferred): told here. NULL = all are immediate. */
    struct deferred *deferred;
};

/* Opens; nothing is read yet. Does not yield. */
enum sqlstate execution_open(const struct execution_request *request, const struct planned *planned,
                             struct execution **execution, struct error *error);

/* The next batch (count > 0), valid until the next call; NULL at the end. Yields. */
enum sqlstate execution_next(struct execution *execution, const struct batch **batch, struct error *error);

/* After the end: rows inserted, updated, deleted (or given by a SELECT so far). */
uint64_t execution_rows(const struct execution *execution);

/* Figures of a plan node, for EXPLAIN ANALYZE and the profile: loops, rows, time; false when it never ran. */
struct node_figures {
    uint64_t loops, rows, batches;
    uint64_t time_ns, first_ns; /* with analyze only */
    uint64_t memory_peak, spilled_bytes;
    uint32_t partitions; /* of a hash table; 0 = all was in memory */
    bool sort_shortened; /* only the first rows were kept */
    uint64_t rows_filtered;
};
bool execution_figures(const struct execution *execution, const struct plan *node,
                       struct node_figures *figures);

/* Adds what the execution has done to the figures of its relations (catalog_activity); once, when it is over. Does not yield. */
void execution_count(const struct execution *execution);

/* How far an execution is, told while it runs. Of fragments the rows their scans have looked at count. */
struct execution_progress {
    uint64_t rows_given;                    /* by the statement's last step, or written */
    double rows_planned;                    /* estimate of the same */
    uint64_t steps, steps_begun;            /* of the plan */
    uint64_t rows_read, rows_passed;        /* by scans: looked at and let through; between all steps */
    uint64_t memory_bytes, temporary_bytes; /* held now */
};
void execution_progress(const struct execution *execution, struct execution_progress *progress);

/* ---- constraints that wait for the end of the transaction ---- */

/* One per transaction, in its scope: foreign keys (and unique constraints) to be checked when it commits or at SET CONSTRAINTS. */
enum sqlstate deferred_open(struct scope *scope, struct deferred **deferred, struct error *error);
/* Which constraints wait: SET CONSTRAINTS; oid 0 = all. Checks at once what stops waiting. Yields. */
enum sqlstate deferred_set(struct deferred *deferred, const struct execution_request *request,
                           uint32_t constraint, bool wait, struct error *error);
/* Whether anything waits. */
bool deferred_any(const struct deferred *deferred);
/* Checks everything that waits: 23503 ... Yields. */
enum sqlstate deferred_check(struct deferred *deferred, const struct execution_request *request,
                             struct error *error);

#endif
