/* The ledger of a work queue: items are put once, and whoever takes one removes it. Nothing may be delivered twice, and
 * nothing may get lost. */
#ifndef SYNOD_TEST_WITNESS_QUEUE_H
#define SYNOD_TEST_WITNESS_QUEUE_H

#include "test/witness/witness.h"

struct queue;

/* Memory of its own, until queue_close(). */
struct queue *queue_open(void);
void queue_close(struct queue *queue);

/* A new item is about to be put: gives its number, from 0. Then how that ended. */
uint64_t queue_put(struct queue *queue);
void queue_put_ended(struct queue *queue, uint64_t item, enum witness_outcome outcome);

/* Somebody got the item and is about to remove it. Then how that ended. */
void queue_take(struct queue *queue, uint64_t item);
void queue_take_ended(struct queue *queue, uint64_t item, enum witness_outcome outcome);

/* At the end the item is still there. */
void queue_is_there(struct queue *queue, uint64_t item);

uint64_t queue_items(const struct queue *queue);
uint64_t queue_delivered(const struct queue *queue);

enum queue_finding { QUEUE_RIGHT, QUEUE_TWICE, QUEUE_LOST, QUEUE_MADE_UP, QUEUE_STAYED };
const char *queue_finding_name(enum queue_finding finding);

/* Judges, after queue_is_there() was called for all that is; `item` gets the one concerned. */
enum queue_finding queue_check(const struct queue *queue, uint64_t *item);

#endif
