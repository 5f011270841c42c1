/* Statements that define things: CREATE, ALTER, DROP, GRANT, COMMENT, TRUNCATE, ... They write rows of pg_catalog in the
 * session's transaction, so they are undone with it, and what they change is seen by others when it commits
 * (catalog_commit_begin(), catalog_commit_end() around that). */
#ifndef SYNOD_SQLFRONT_DEFINE_DEFINE_H
#define SYNOD_SQLFRONT_DEFINE_DEFINE_H

#include "sqlfront/catalog/catalog.h"

struct Node;

enum define_severity { DEFINE_NOTICE, DEFINE_WARNING };

/* What a statement needs of its session. Everything is borrowed for the call. */
/* How far a command has come, for the views pg_stat_progress_* (PostgreSQL manual, 28.4); figures stand where those look for
 * them. */
#define PROGRESS_FIGURES 20
struct progress {
    const char *command; /* as pg_stat_get_progress_info() knows it; NULL = nothing is told */
    uint32_t relation;
    uint64_t rows_total, blocks_total; /* of the table that is read */
    uint64_t rows_done;                /* written by the cores that read, so atomic */
    int64_t figure[PROGRESS_FIGURES];
};

/* Of the blocks that are counted so: PostgreSQL's. */
#define PROGRESS_BLOCK_BYTES 8192

/* Blocks of the table that were read: the rows that were tell. */
static inline int64_t progress_blocks(const struct progress *progress)
{
    uint64_t done = __atomic_load_n(&progress->rows_done, __ATOMIC_RELAXED);
    if (done >= progress->rows_total)
        return (int64_t)progress->blocks_total;
    return (int64_t)((double)progress->blocks_total * (double)done / (double)progress->rows_total);
}

struct define_request {
    struct world *world;
    struct scope *scope; /* of the statement */
    struct catalog *catalog;
    struct transaction *transaction;
    /* When a temporary schema is made its number is put into temporary_schema; the session puts it at the front of its
     * path for the statements that follow (and takes it back when the transaction is undone). */
    struct catalog_session *session;
    struct environment *environment;
    bool changed; /* the transaction has changed the catalog before */
    const struct Node *statement;
    const char *text;          /* the source that positions in the statement are of */
    size_t memory;             /* for sorting before the rest goes to disk (maintenance_work_mem) */
    uint64_t temporary;        /* bytes on disk for that (temp_file_limit); 0 = no limit */
    const char *setting;       /* of ALTER ROLE (DATABASE) ... SET: "name=value"; NULL = reset */
    struct progress *progress; /* is told; never NULL */
    uint64_t lock_timeout_ns;  /* 0 = none; of define_concurrently()'s own transactions */
    bool in_block; /* an explicit transaction block, or one of several statements: no CREATE DATABASE */
    void (*notice)(void *argument, enum define_severity severity, const struct error *notice);
    /* Runs a query (SELECT, INSERT, ...) in the transaction, through a view that sees what was defined so far; tells how many
     * rows it gave or wrote. Yields. */
    enum sqlstate (*run)(void *argument, struct catalog_view *view, const struct Node *statement,
                         uint64_t *rows, struct error *error);
    /* Waits until the statements that run now in other sessions have ended, and cursors that are open. Yields. */
    enum sqlstate (*wait_readers)(void *argument, struct error *error);
    void *argument; /* of all three */
};

/* A temporary table that is emptied, or dropped, when a transaction commits. */
struct on_commit {
    uint32_t relation; /* 0 = none */
    bool drop;
};

struct define_result {
    struct on_commit on_commit; /* of the table that was made: the session keeps it */
    bool changed;  /* the catalog was changed: tell catalog_view_open() so, until the transaction ends */
    char tag[64];  /* "CREATE TABLE", "SELECT 3" */
    uint64_t rows; /* of CREATE TABLE AS */
};

/* Where a SELECT INTO puts its rows; NULL when the statement is none. */
struct IntoClause *define_into(const struct Node *statement);

/* Whether a statement is one of these. */
bool define_handles(const struct Node *statement);

/* Carries it out. The transaction's statement has begun. Fails as PostgreSQL does; 0A000 names what is missing. Yields. */
enum sqlstate define_execute(const struct define_request *request, struct define_result *result,
                             struct error *error);

/* Before a transaction commits that may have used them: empties or drops a session's temporary tables. Those that are gone leave the
 * list. request->statement is NULL. Yields. */
enum sqlstate define_on_commit(const struct define_request *request, struct on_commit *tables,
                               uint32_t *count, struct define_result *result, struct error *error);

/* How a statement is called that commits in between, so is carried out by define_concurrently(): CREATE INDEX CONCURRENTLY and
 * its like; NULL = it is none of them. */
const char *define_concurrent_words(const struct Node *statement);

/* Carries one out, in transactions of its own: request->transaction is NULL, and the session has none open. *tag as in
 * define_result. Yields. */
enum sqlstate define_concurrently(const struct define_request *request, const char **tag,
                                  struct error *error);

/* What catalog_session.sql_show does. Yields. */
enum sqlstate define_show(struct environment *environment, struct scope *scope, const struct sql_kept *kept,
                          const char **shown, struct error *error);

/* Drops the temporary things of a session that ends, in a transaction of its own. Yields. */
enum sqlstate define_end_session(struct world *world, struct catalog *catalog,
                                 const struct catalog_session *session, struct error *error);

#endif
