/* What the files of this folder share: the record, and what a check finds out about it. */
#ifndef SYNOD_TEST_WITNESS_INSIDE_H
#define SYNOD_TEST_WITNESS_INSIDE_H

#include "base/scope.h"
#include "test/witness/witness.h"

enum operation_kind {
    OPERATION_STATEMENT, /* begins */
    OPERATION_WRITE,     /* of `value` */
    OPERATION_REFUSED,   /* a write that did not happen */
    OPERATION_READ,      /* saw `value` */
    OPERATION_READ_LIST, /* saw `values` */
    OPERATION_UNDO,      /* of the operations from number `value` on */
};

struct operation {
    enum operation_kind kind;
    bool locked;
    bool undone;  /* rolled back since */
    bool counted; /* the check has looked at it */
    uint32_t key;
    uint32_t count;         /* of `values` */
    uint32_t own;           /* of `values`, at the end, written by the reader itself; found by the check */
    uint64_t value;         /* see kind */
    uint64_t tick;          /* when it was recorded */
    const uint64_t *values; /* as seen */
};

struct witness_transaction {
    struct witness *witness;
    uint32_t number; /* place in witness->transactions */
    uint32_t client;
    enum witness_level level;
    enum witness_outcome outcome;
    bool async;
    bool final;
    bool ended;
    uint64_t scn;
    uint64_t begun; /* tick */
    uint64_t ended_at;
    struct operation *operations;
    size_t count, room;
    /* found by the check */
    bool committed; /* OK, or unknown and seen by somebody */
    bool queued;
    uint32_t commit_node; /* of the graph; for WITNESS_STRICT its only one */
};

/* One write; its place in witness->writes is its value. */
struct write {
    uint32_t transaction;
    uint32_t key;
    uint64_t previous;
    bool undone;
    /* found by the check */
    bool seen;      /* by a read that counts */
    bool replaced;  /* by a later write of its own transaction */
    uint64_t below; /* the own write of the same key before it */
    uint64_t next;  /* chains: the committed write that replaced it, of another transaction */
    uint32_t place; /* lists: from 1, in the order of the key; 0 = not seen */
    uint64_t read;  /* number of the last list read it was found in */
};

struct key {
    enum witness_kind kind;
    /* found by the check */
    bool bad;                /* its order is contradictory: no more is concluded from it */
    const uint64_t *longest; /* lists: the longest seen */
    uint32_t longest_count;
    uint64_t first; /* chains: the committed write that replaced nothing */
    uint64_t own;   /* while walking one transaction: its newest write here that stands */
};

struct witness {
    struct scope *scope;
    struct witness_transaction **transactions;
    size_t transaction_count, transaction_room;
    struct write *writes; /* the first is nobody's */
    size_t write_count, write_room;
    struct key *keys;
    size_t key_count, key_room;
    uint64_t *restarts; /* ticks */
    size_t restart_count, restart_room;
    uint64_t ticks;
    uint64_t operations;
};

/* Makes room for one more at the end of an array that grows. */
void witness_grow(struct scope *scope, void **array, size_t count, size_t *room, size_t element);

/* Zeroed memory of any size. */
void *witness_memory(struct scope *scope, size_t bytes);

/* Adds a finding; the words tell of the first of the gravest class (the smallest number). */
void witness_found(struct witness_verdict *verdict, enum witness_class class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether the reads of such an operation must be right: those of committed transactions, and plain reads of snapshots,
 * which only see what can no longer be lost. What a transaction saw under locks and did not live to commit may have been
 * lost with it. */
bool read_counts(const struct witness_transaction *transaction, const struct operation *operation);

/* Looks at each read alone, finds who has committed and the order of each key's values. */
void witness_find_versions(struct witness *witness, struct witness_verdict *verdict);

/* Builds the graph of what came before what, and looks for circles. Requires the versions. */
void witness_find_cycles(struct witness *witness, struct witness_verdict *verdict);

#endif
