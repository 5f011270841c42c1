/* The table of a hash join: made by one step, and once made read by all cores that run parts of its first input. */
#ifndef SYNOD_SQLFRONT_RUN_HASH_JOIN_H
#define SYNOD_SQLFRONT_RUN_HASH_JOIN_H

#include "sqlfront/run/join.h"

struct hash_table {
    uint64_t *entry; /* tags << 48 | the first tuple's address */
    uint64_t mask;
    uint64_t count; /* tuples, those with null keys too */
    bool any_null, any_tuple;
};

#define HASH_ADDRESS_BITS 48
#define HASH_ADDRESS_MASK ((1ULL << HASH_ADDRESS_BITS) - 1)

/* Tags are of other bits than those that choose the entry. */
static inline uint64_t hash_tag(uint64_t hash)
{
    return 1ULL << (HASH_ADDRESS_BITS + (hash >> 60));
}

static inline void hash_table_add(struct hash_table *table, struct tuple *tuple)
{
    uint64_t *entry = &table->entry[tuple->hash & table->mask];
    uint64_t address = (uint64_t)(uintptr_t)tuple;
    check(address <= HASH_ADDRESS_MASK, "an address has more than 48 bits");
    tuple->next = (struct tuple *)(uintptr_t)(*entry & HASH_ADDRESS_MASK);
    *entry = (*entry & ~HASH_ADDRESS_MASK) | hash_tag(tuple->hash) | address;
}

/* The first tuple of the chain that may hold the hash; NULL: none does. */
static inline struct tuple *hash_table_find(const struct hash_table *table, uint64_t hash)
{
    uint64_t entry = table->entry[hash & table->mask];
    return entry & hash_tag(hash) ? (struct tuple *)(uintptr_t)(entry & HASH_ADDRESS_MASK) : NULL;
}

/* A scan whose rows that table is asked for, by the slot `slot`, an integer: those whose value is surely not in it need not be
 * given. */
void scan_look_into(struct operation *scan, const struct hash_table *table, uint32_t slot);

/* Builds the table now. NULL when tuples had to be put aside: then the step must do its work itself. Yields. */
enum sqlstate hash_join_build(struct operation *step, const struct hash_table **table, struct error *error);
/* A step that has not begun looks into that table, and does not ask its second input. */
void hash_join_share(struct operation *step, const struct hash_table *table);

#endif
