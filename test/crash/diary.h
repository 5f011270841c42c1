/* What the clients of a process did and saw, in memory that outlives its death: shared with the process that kills it.
 *
 * Lines are numbered by one counter, so their order is an order of time. A deed is written down before it is done, an answer
 * after it came. A process that dies may leave a line empty: then what it stood for did not happen, or nobody heard of it. */
#ifndef SYNOD_TEST_CRASH_DIARY_H
#define SYNOD_TEST_CRASH_DIARY_H

#include <stdbool.h>
#include <stdint.h>

enum diary_kind {
    DIARY_BEGIN = 1, /* level */
    DIARY_STATEMENT,
    DIARY_WRITE, /* key, value, previous */
    DIARY_REFUSED,
    DIARY_READ, /* key, value, locked */
    DIARY_SAVEPOINT,
    DIARY_BACK,  /* to the last savepoint */
    DIARY_END,   /* outcome, SCN */
    DIARY_FINAL, /* this transaction sees the last state */
    DIARY_RESTARTED,
};

struct diary_line {
    uint32_t kind; /* written last; 0 = empty */
    uint32_t client;
    uint32_t key;
    uint32_t what;  /* level, outcome, or whether locked */
    uint64_t value; /* or SCN */
    uint64_t previous;
};

/* What is asked of the process, and what it tells beside its lines. */
struct diary {
    uint64_t count; /* lines begun */
    uint64_t room;
    uint64_t values;  /* given out so far */
    uint64_t commits; /* acknowledged */
    uint32_t ready;   /* clients are at work */
    uint32_t looks;   /* look at everything and stop, instead of working */
    uint32_t fails;   /* writes to the disk fail now */
    uint32_t broken;  /* the process has found something wrong, told in `words` */
    char words[400];
    struct diary_line line[];
};

#define DIARY_LINES_MAX (8UL << 20)

/* Opens a diary in memory that children share. */
struct diary *diary_open(void);

void diary_write(struct diary *diary, const struct diary_line *line);

/* A value nobody has written before. */
uint64_t diary_value(struct diary *diary);

/* Says what is wrong; the first counts. */
void diary_break(struct diary *diary, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Gives the lines to a witness and asks for its verdict; false when something is wrong, told in `words`. `keys` are numbered
 * from 0. */
bool diary_judge(const struct diary *diary, uint32_t keys, char *words, unsigned long room);

#endif
