/* A process under load: an engine on real cores and a real disk, and clients that write down what they do. */
#ifndef SYNOD_TEST_CRASH_LOAD_H
#define SYNOD_TEST_CRASH_LOAD_H

#include "base/linux/linux.h"
#include "test/crash/diary.h"

struct load {
    const char *directory;
    struct diary *diary;
    uint32_t cores;
    uint32_t clients; /* on each core */
    enum linux_io io;
    enum linux_flush flush;
    bool faults; /* of the disk may happen */
};

#define LOAD_KEYS 400

/* Runs until the process is killed or stops itself; with diary->looks until everything was looked at. Gives an exit status. */
int load_run(const struct load *load);

#endif
