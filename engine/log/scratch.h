/* A scope for the time of a call that waits: held, so that it does not go when the scope above it closes meanwhile. */
#ifndef SYNOD_ENGINE_LOG_SCRATCH_H
#define SYNOD_ENGINE_LOG_SCRATCH_H

struct scheduler;
struct scope;

struct scope *scratch_open(struct scope *above, const char *name);

/* Lets it go, at once or as soon as what is in flight has landed. Does not yield. */
void scratch_close(struct scope *scratch);

/* The same, and waits until it is gone. Not cancelable. Yields. */
void scratch_close_and_wait(struct scheduler *scheduler, struct scope *scratch);

#endif
