/* Memory for the simulator's own things, which come and go by the million: free lists by size over a scope.
 * What was given back is poisoned under the address sanitizer. */
#ifndef SYNOD_TEST_SIM_MEMORY_H
#define SYNOD_TEST_SIM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct scope;

/* Blocks of 32 B << i, up to 64 KiB; larger ones go to the scope one by one. */
#define MEMORY_SIZES 12

struct memory {
    struct scope *scope;
    void *free[MEMORY_SIZES];
    uint8_t *next; /* the slab small blocks are cut from */
    uint8_t *end;
    size_t in_use; /* bytes */
};

void memory_open(struct memory *memory, struct scope *scope);

/* Uninitialised, aligned to 16 bytes; never fails (a simulation that outgrows the machine stops). */
void *memory_take(struct memory *memory, size_t bytes);
void *memory_take_zeroed(struct memory *memory, size_t bytes);
char *memory_copy_text(struct memory *memory, const char *text);

/* `bytes` as they were asked for. NULL is harmless. */
void memory_give(struct memory *memory, void *block, size_t bytes);
void memory_give_text(struct memory *memory, char *text);

#endif
