/* Each read alone, who has committed, and the order of each key's values.
 *
 * Who has committed: transactions that ended with OK, and those of unknown outcome whose writes were seen by a read that
 * counts. A commit that is found out so may have read under locks; those reads count from then on and may give away more
 * commits, until nothing new is found. */
#include "base/check.h"
#include "test/witness/inside.h"

#include <inttypes.h>
#include <string.h>

struct look {
    struct witness *witness;
    struct witness_verdict *verdict;
    uint32_t *queue; /* transactions to be looked at (again) */
    size_t queue_count, queue_room;
    uint64_t lists; /* list reads looked at */
};

bool read_counts(const struct witness_transaction *transaction, const struct operation *operation)
{
    if (operation->kind != OPERATION_READ && operation->kind != OPERATION_READ_LIST)
        return false;
    if (transaction->level == WITNESS_STRICT)
        return transaction->committed;
    if (operation->locked)
        return transaction->committed && !operation->undone;
    /* Its own write may stand on one that it saw under its lock, and both may get lost. */
    return transaction->committed || (!transaction->async && !operation->own);
}

/* ---- a transaction alone ---- */

/* What it sees of its own writes, in the order of its operations. */
static void look_at_own_chain(struct look *look, const struct witness_transaction *transaction,
                              struct operation *operation)
{
    struct witness *witness = look->witness;
    uint64_t own = witness->keys[operation->key].own, seen = operation->value;
    if (own) {
        operation->own = 1;
        if (seen != own)
            witness_found(look->verdict, WITNESS_INTERNAL,
                          "T%u wrote %" PRIu64 " to key %u and then saw %" PRIu64, transaction->number, own,
                          operation->key, seen);
    } else if (seen < witness->write_count && witness->writes[seen].transaction == transaction->number) {
        operation->own = 1;
        witness_found(look->verdict, WITNESS_INTERNAL,
                      "T%u saw its own value %" PRIu64 " in key %u, which it had rolled back",
                      transaction->number, seen, operation->key);
    }
}

static void look_at_own_list(struct look *look, const struct witness_transaction *transaction,
                             struct operation *operation)
{
    const struct witness *witness = look->witness;
    uint32_t count = operation->count;
    for (uint64_t own = witness->keys[operation->key].own; own; own = witness->writes[own].below) {
        if (operation->own < count && operation->values[count - 1 - operation->own] == own) {
            operation->own++;
            continue;
        }
        witness_found(look->verdict, WITNESS_INTERNAL,
                      "T%u appended %" PRIu64 " to key %u and did not see it there", transaction->number, own,
                      operation->key);
        return;
    }
    for (uint32_t i = 0; i + operation->own < count; i++) {
        uint64_t value = operation->values[i];
        if (value && value < witness->write_count &&
            witness->writes[value].transaction == transaction->number)
            witness_found(look->verdict, WITNESS_INTERNAL,
                          "T%u saw its own value %" PRIu64 " in key %u where it cannot be",
                          transaction->number, value, operation->key);
    }
}

/* Takes back the writes from operation `mark` to before operation `end`. */
static void undo_own(struct witness *witness, const struct witness_transaction *transaction, size_t mark,
                     size_t end)
{
    for (size_t i = end; i-- > mark;) {
        const struct operation *operation = &transaction->operations[i];
        struct key *key = &witness->keys[operation->key];
        if (operation->kind == OPERATION_WRITE && key->own == operation->value)
            key->own = witness->writes[operation->value].below;
    }
}

static void look_inside(struct look *look, const struct witness_transaction *transaction)
{
    struct witness *witness = look->witness;
    for (size_t i = 0; i < transaction->count; i++) {
        struct operation *operation = &transaction->operations[i];
        if (operation->kind == OPERATION_WRITE) {
            struct key *key = &witness->keys[operation->key];
            witness->writes[operation->value].below = key->own;
            key->own = operation->value;
        } else if (operation->kind == OPERATION_READ)
            look_at_own_chain(look, transaction, operation);
        else if (operation->kind == OPERATION_READ_LIST)
            look_at_own_list(look, transaction, operation);
        else if (operation->kind == OPERATION_UNDO)
            undo_own(witness, transaction, operation->value, i);
    }
    for (size_t i = 0; i < transaction->count; i++) {
        const struct operation *operation = &transaction->operations[i];
        if (operation->kind != OPERATION_WRITE)
            continue;
        const struct write *write = &witness->writes[operation->value];
        witness->keys[operation->key].own = 0;
        if (!write->undone)
            witness->writes[write->below].replaced = true;
    }
}

/* ---- what reads see of others ---- */

static void queue_transaction(struct look *look, struct witness_transaction *transaction)
{
    if (transaction->queued)
        return;
    transaction->queued = true;
    witness_grow(look->witness->scope, (void **)&look->queue, look->queue_count, &look->queue_room,
                 sizeof *look->queue);
    look->queue[look->queue_count++] = transaction->number;
}

/* A committed transaction, or a read that counts, was built on a value of another transaction. False when that is no value
 * of this key. */
static bool see(struct look *look, const struct witness_transaction *reader, uint32_t key, uint64_t value)
{
    struct witness *witness = look->witness;
    if (value == 0 || value >= witness->write_count || witness->writes[value].key != key) {
        witness_found(look->verdict, WITNESS_MADE_UP,
                      "T%u saw %" PRIu64 " in key %u, which nobody wrote there", reader->number, value, key);
        return false;
    }
    struct write *write = &witness->writes[value];
    struct witness_transaction *writer = witness->transactions[write->transaction];
    if (writer == reader)
        return true;
    write->seen = true;
    if (writer->outcome == WITNESS_FAILED || write->undone)
        witness_found(look->verdict, WITNESS_G1A, "T%u saw %" PRIu64 " in key %u, which T%u had rolled back",
                      reader->number, value, key, writer->number);
    else if (!writer->committed) {
        writer->committed = true;
        queue_transaction(look, writer);
    }
    return true;
}

static void see_last(struct look *look, const struct witness_transaction *reader, uint32_t key,
                     uint64_t value)
{
    const struct write *write = &look->witness->writes[value];
    if (write->replaced && write->transaction != reader->number)
        witness_found(look->verdict, WITNESS_G1B,
                      "T%u saw %" PRIu64 " in key %u, which T%u wrote over before it committed",
                      reader->number, value, key, write->transaction);
}

static void see_list(struct look *look, const struct witness_transaction *reader,
                     const struct operation *operation)
{
    struct witness *witness = look->witness;
    uint32_t others = operation->count - operation->own;
    uint64_t number = ++look->lists;
    for (uint32_t i = 0; i < operation->count; i++) {
        uint64_t value = operation->values[i];
        if (!see(look, reader, operation->key, value)) {
            witness->keys[operation->key].bad = true;
            continue;
        }
        if (witness->writes[value].read == number) {
            witness_found(look->verdict, WITNESS_DUPLICATE, "T%u saw %" PRIu64 " twice in key %u",
                          reader->number, value, operation->key);
            witness->keys[operation->key].bad = true;
        }
        witness->writes[value].read = number;
    }
    if (others && operation->values[others - 1] < witness->write_count)
        see_last(look, reader, operation->key, operation->values[others - 1]);
}

/* All that counts by now and was not looked at before. */
static void look_at(struct look *look, struct witness_transaction *transaction)
{
    struct witness *witness = look->witness;
    transaction->queued = false;
    for (size_t i = 0; i < transaction->count; i++) {
        struct operation *operation = &transaction->operations[i];
        bool counts = read_counts(transaction, operation) ||
                      (operation->kind == OPERATION_WRITE && transaction->committed && !operation->undone);
        if (operation->counted || !counts)
            continue;
        operation->counted = true;
        if (operation->kind == OPERATION_READ_LIST)
            see_list(look, transaction, operation);
        uint64_t value = operation->kind == OPERATION_WRITE ? witness->writes[operation->value].previous
                                                            : operation->value;
        if (operation->kind != OPERATION_READ_LIST && value && see(look, transaction, operation->key, value))
            see_last(look, transaction, operation->key, value);
    }
}

static void look_at_all(struct look *look)
{
    struct witness *witness = look->witness;
    for (size_t i = 0; i < witness->transaction_count; i++)
        witness->transactions[i]->committed =
            witness->transactions[i]->outcome == WITNESS_OK && !witness->transactions[i]->async;
    for (size_t i = 0; i < witness->transaction_count; i++)
        look_at(look, witness->transactions[i]);
    while (look->queue_count)
        look_at(look, witness->transactions[look->queue[--look->queue_count]]);
}

/* ---- the order of lists ---- */

/* How much of a list says something about the order of commits: own values at its end only if they were committed. */
static uint32_t ordered_count(const struct witness *witness, const struct witness_transaction *reader,
                              const struct operation *operation)
{
    uint32_t others = operation->count - operation->own;
    if (!reader->committed)
        return others;
    for (uint32_t i = others; i < operation->count; i++)
        if (witness->writes[operation->values[i]].undone)
            return others;
    return operation->count;
}

static void take_longest(struct witness *witness, const struct witness_transaction *transaction,
                         const struct operation *operation)
{
    struct key *key = &witness->keys[operation->key];
    uint32_t count = ordered_count(witness, transaction, operation);
    if (count > key->longest_count) {
        key->longest = operation->values;
        key->longest_count = count;
    }
}

static void compare_with_longest(struct look *look, const struct witness_transaction *transaction,
                                 const struct operation *operation)
{
    struct key *key = &look->witness->keys[operation->key];
    uint32_t count = ordered_count(look->witness, transaction, operation);
    for (uint32_t i = 0; i < count; i++) {
        if (operation->values[i] == key->longest[i])
            continue;
        witness_found(look->verdict, WITNESS_ORDER,
                      "T%u saw %" PRIu64 " at place %u of key %u, where others saw %" PRIu64,
                      transaction->number, operation->values[i], i, operation->key, key->longest[i]);
        key->bad = true;
        return;
    }
}

static void find_lists(struct look *look)
{
    struct witness *witness = look->witness;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < witness->transaction_count; i++) {
            const struct witness_transaction *transaction = witness->transactions[i];
            for (size_t at = 0; at < transaction->count; at++) {
                const struct operation *operation = &transaction->operations[at];
                if (operation->kind != OPERATION_READ_LIST || !read_counts(transaction, operation))
                    continue;
                if (pass == 0)
                    take_longest(witness, transaction, operation);
                else
                    compare_with_longest(look, transaction, operation);
            }
        }
    for (size_t i = 0; i < witness->key_count; i++)
        for (uint32_t at = 0; at < witness->keys[i].longest_count && !witness->keys[i].bad; at++)
            witness->writes[witness->keys[i].longest[at]].place = at + 1;
}

/* ---- the order of chains ---- */

static void link_chain(struct look *look, const struct witness_transaction *transaction, uint64_t value)
{
    struct witness *witness = look->witness;
    const struct write *write = &witness->writes[value];
    struct key *key = &witness->keys[write->key];
    uint64_t previous = write->previous;
    if (previous >= witness->write_count || witness->writes[previous].transaction == transaction->number)
        return;
    uint64_t *next = previous ? &witness->writes[previous].next : &key->first;
    if (*next && *next != value)
        witness_found(look->verdict, WITNESS_LOST_UPDATE,
                      "T%u and T%u both replaced value %" PRIu64 " of key %u by their own",
                      witness->writes[*next].transaction, transaction->number, previous, write->key);
    else
        *next = value;
}

static void find_chains(struct look *look)
{
    struct witness *witness = look->witness;
    for (size_t i = 0; i < witness->transaction_count; i++) {
        const struct witness_transaction *transaction = witness->transactions[i];
        for (size_t at = 0; at < transaction->count && transaction->committed; at++) {
            const struct operation *operation = &transaction->operations[at];
            if (operation->kind == OPERATION_WRITE && !operation->undone &&
                witness->keys[operation->key].kind == WITNESS_CHAIN)
                link_chain(look, transaction, operation->value);
        }
    }
}

/* ---- the door ---- */

/* A history may be judged more than once: what was found before is forgotten. */
static void forget(struct witness *witness)
{
    for (size_t i = 0; i < witness->write_count; i++) {
        struct write *write = &witness->writes[i];
        write->seen = write->replaced = false;
        write->below = write->next = write->read = 0;
        write->place = 0;
    }
    for (size_t i = 0; i < witness->key_count; i++)
        witness->keys[i] = (struct key){.kind = witness->keys[i].kind};
    for (size_t i = 0; i < witness->transaction_count; i++)
        for (size_t at = 0; at < witness->transactions[i]->count; at++) {
            struct operation *operation = &witness->transactions[i]->operations[at];
            operation->counted = false;
            operation->own = 0;
        }
}

void witness_find_versions(struct witness *witness, struct witness_verdict *verdict)
{
    struct look look = {.witness = witness, .verdict = verdict};
    forget(witness);
    for (size_t i = 0; i < witness->transaction_count; i++)
        look_inside(&look, witness->transactions[i]);
    look_at_all(&look);
    find_lists(&look);
    find_chains(&look);
    if (look.queue)
        scope_free_large(witness->scope, look.queue);
}
