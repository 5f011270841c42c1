/* What clients did to a database and what they saw, and whether any database that keeps its word could have
 * answered so. Knows nothing of the database.
 *
 *     struct witness *witness = witness_open();
 *     struct witness_transaction *t = witness_begin(witness, client, WITNESS_STRICT);
 *     uint64_t value = witness_write(t, key, seen);    write this value into the row ...
 *     witness_read(t, other, row_value);               ... what a row held
 *     witness_end(t, WITNESS_OK, scn);
 *     witness_check(witness, &verdict);
 *
 * Every write of a client is a *value* of its own, so a read tells whose write it saw. A key holds either a
 * list, to which writes append, or a chain: the last value alone, where each write names the one it replaced.
 *
 * Time is the order of calls here: one thread records. */
#ifndef SYNOD_TEST_WITNESS_WITNESS_H
#define SYNOD_TEST_WITNESS_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct witness;
struct witness_transaction;

/* What a transaction was promised. */
enum witness_level {
    WITNESS_STATEMENT = 1, /* READ COMMITTED: each statement's plain reads are of one instant */
    WITNESS_SNAPSHOT, /* REPEATABLE READ: all plain reads are of one instant; nothing it overwrites is newer */
    WITNESS_STRICT,   /* SERIALIZABLE: everything happens at one instant between begin and end */
};

enum witness_outcome {
    WITNESS_UNKNOWN, /* the client never heard; also of transactions that were never ended */
    WITNESS_OK,
    WITNESS_FAILED, /* rolled back: nobody may ever see anything of it */
};

enum witness_kind { WITNESS_LIST = 1, WITNESS_CHAIN };

/* Opens an empty history with memory of its own. */
struct witness *witness_open(void);
void witness_close(struct witness *witness);

/* A new key. At first its list is empty; its chain holds value 0. */
uint32_t witness_key(struct witness *witness, enum witness_kind kind);

/* A client begins. Its first statement begins with it. */
struct witness_transaction *witness_begin(struct witness *witness, uint32_t client, enum witness_level level);

/* Says that its end, if OK, does not promise that the commit survives (synchronous_commit = off), and that its
 * reads may see others' such commits. */
void witness_async(struct witness_transaction *transaction);

/* A new statement begins. */
void witness_statement(struct witness_transaction *transaction);

/* About to write: gives the value to write, never 0. `previous` is the value it replaces (chains; 0 = none). */
uint64_t witness_write(struct witness_transaction *transaction, uint32_t key, uint64_t previous);

/* The last write was refused without ending the transaction: it did not happen. */
void witness_write_refused(struct witness_transaction *transaction, uint64_t value);

/* Saw the value in a chain. `locked`: the newest one, with a lock held until the end that keeps others from
 * writing. */
void witness_read(struct witness_transaction *transaction, uint32_t key, uint64_t value, bool locked);

/* Saw a list; it is copied. */
void witness_read_list(struct witness_transaction *transaction, uint32_t key, const uint64_t *values,
                       size_t count, bool locked);

/* A place to roll back to, and rolling back to it: what was written since never happened, what was locked
 * since is not. */
size_t witness_mark(const struct witness_transaction *transaction);
void witness_rollback_to(struct witness_transaction *transaction, size_t mark);

/* It ended. `scn` is the number the database gave its commit; 0 = none. */
void witness_end(struct witness_transaction *transaction, enum witness_outcome outcome, uint64_t scn);

/* The database has come back: nothing that was under way before can be committed any more. */
void witness_restarted(struct witness *witness);

/* Says that this transaction reads the last state there is, for witness_check_final(). */
void witness_final(struct witness_transaction *transaction);

/* Operations recorded so far. */
uint64_t witness_operations(const struct witness *witness);

/* ---- the verdict ---- */

/* What can be wrong. Cycles are named as in Adya, "Weak Consistency" (1999), and Bailis and others; each kind
 * of them also with the order in which clients heard (REALTIME) or the database's numbers (SCN) as part of
 * the proof. */
enum witness_class {
    WITNESS_MADE_UP,     /* a value that nobody wrote there */
    WITNESS_DUPLICATE,   /* a value twice in one list */
    WITNESS_INTERNAL,    /* own writes not seen, or more of them */
    WITNESS_G1A,         /* saw a value that was rolled back */
    WITNESS_G1B,         /* saw a value its writer had replaced before it committed */
    WITNESS_LOST,        /* an acknowledged commit is not there at the end */
    WITNESS_HALF,        /* a part of a transaction is there at the end, a part is not */
    WITNESS_RESURRECTED, /* something rolled back is there at the end */
    WITNESS_ORDER,       /* two reads of one list, none of which continues the other */
    WITNESS_LOST_UPDATE, /* two committed writes that replaced the same value */
    WITNESS_G0,          /* writes that each replaced the other */
    WITNESS_G1C,         /* writes and reads in a circle */
    WITNESS_G_SINGLE,    /* a circle with one "has not seen": read skew, lost update */
    WITNESS_G2,          /* with more of them: write skew, phantoms */
    WITNESS_REALTIME,    /* a circle only with the order in which clients heard: stale reads */
    WITNESS_SCN,         /* a circle only with the order of commit numbers, or a number given twice */
    WITNESS_CLASSES
};

struct witness_verdict {
    uint64_t counts[WITNESS_CLASSES];
    uint64_t total;
    enum witness_class first; /* what `words` are about: the gravest kind found first */
    char words[600];
};

const char *witness_class_name(enum witness_class class);

/* Judges everything recorded so far: takes time and memory in proportion to it. Only proved facts count: what is
 * found is wrong. Adds to the verdict, which starts zeroed. */
void witness_check(struct witness *witness, struct witness_verdict *verdict);

/* Judges what is there at the end, as the final transactions saw it: all that was acknowledged, nothing that
 * was rolled back, the others whole or not at all. Of keys no final transaction has read it says nothing. */
void witness_check_final(struct witness *witness, struct witness_verdict *verdict);

/* Says what a transaction did and saw, in one line. Numbers are those of verdicts; false when there is no such one. */
bool witness_tell(const struct witness *witness, uint32_t number, char *words, size_t room);

#endif
