/* What tests of volumes and trees share: a sorted array to compare a tree with, changes drawn from a seed, and a volume in
 * a simulated world. */
#ifndef SYNOD_TEST_UNIT_TREE_MODEL_H
#define SYNOD_TEST_UNIT_TREE_MODEL_H

#include "base/world.h"
#include "engine/tree/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_ROWS_MAX 20000

struct model_row {
    struct bytes key;
    uint64_t seed; /* the value follows from it */
    size_t size;
};

/* Rows in the order of keys. */
struct model {
    struct model_row *rows;
    size_t count;
};

void model_open(struct model *model);
void model_close(struct model *model);
void model_copy(struct model *to, const struct model *from);

/* The row with that key, or NULL; *at is its place, or where it would be. */
struct model_row *model_find(const struct model *model, struct bytes key, size_t *at);
void model_set(struct model *model, struct bytes key, uint64_t seed, size_t size);
void model_remove(struct model *model, struct bytes key);

/* The value of that seed and size; memory that stays until the next call but one. */
struct bytes model_value(uint64_t seed, size_t size);
bool model_value_is(struct bytes value, uint64_t seed);

/* How keys look. */
enum key_shape {
    KEYS_NUMBERS, /* 8 bytes, big-endian, dense */
    KEYS_MIXED,   /* 0 .. 2,000 bytes, many short, with shared prefixes and zero bytes */
    KEYS_LONG,    /* 1,000 .. 2,000 bytes that differ at the end */
    KEY_SHAPES,
};

/* A key of that shape: the same for the same number. In `room` (TREE_KEY_BYTES_MAX). */
struct bytes model_key(enum key_shape shape, uint64_t number, size_t most, uint8_t *room);

/* Changes to be made to both, in ascending order of keys, one a key. */
struct pending {
    struct bytes key;
    uint64_t seed;
    size_t size;
    bool remove;
};

/* Makes changes to the tree with tree_apply(), large values as extents, and then to the model; sorts them first. Gives the
 * failure, with an unknown part of them made to both alike. */
enum sqlstate model_apply(struct tree *tree, struct volume *volume, struct scope *scope, struct model *model,
                          struct pending *changes, size_t count, struct error *error);

/* Draws changes: `removes` of a hundred are removals, and values have up to `size_most` bytes. Gives the failure. */
enum sqlstate model_change(struct tree *tree, struct volume *volume, struct scope *scope, struct model *model,
                           enum key_shape shape, uint64_t keys, uint32_t removes, size_t size_most,
                           size_t count, uint64_t *state, struct error *error);

/* Compares all rows, forwards and backwards, and some point reads. Gives failures of reading. */
enum sqlstate model_compare(struct tree *tree, struct volume *volume, struct scope *scope,
                            const struct model *model, uint64_t *state, struct error *error);

/* tree_verify() that must find nothing but, when the disk fails, pages that it does not give. */
enum sqlstate model_verify(struct tree *tree, bool disk_fails, struct error *error);

#endif
