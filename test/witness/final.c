/* What is there at the end. */
#include "test/witness/inside.h"

#include <inttypes.h>

/* What the final transactions saw. */
struct last {
    struct witness *witness;
    struct witness_verdict *verdict;
    bool *known; /* of each key */
    bool *there; /* of each value */
};

static void see_there(struct last *last, uint64_t value)
{
    struct witness *witness = last->witness;
    /* Of a chain all that was replaced counts as there. The writes name each other backwards, so this ends. */
    while (value && value < witness->write_count && !last->there[value]) {
        const struct write *write = &witness->writes[value];
        const struct witness_transaction *writer = witness->transactions[write->transaction];
        last->there[value] = true;
        if (writer->outcome == WITNESS_FAILED || write->undone)
            witness_found(last->verdict, WITNESS_RESURRECTED,
                          "value %" PRIu64 " of key %u is there, which T%u had rolled back", value,
                          write->key, writer->number);
        if (witness->keys[write->key].kind != WITNESS_CHAIN || write->previous >= value)
            break;
        value = write->previous;
    }
}

static void see_final(struct last *last, const struct witness_transaction *transaction)
{
    for (size_t i = 0; i < transaction->count; i++) {
        const struct operation *operation = &transaction->operations[i];
        if (operation->kind == OPERATION_READ)
            see_there(last, operation->value);
        else if (operation->kind == OPERATION_READ_LIST)
            for (uint32_t at = 0; at < operation->count; at++)
                see_there(last, operation->values[at]);
        else
            continue;
        last->known[operation->key] = true;
    }
}

static void judge(struct last *last, const struct witness_transaction *transaction)
{
    uint64_t there = 0, missing = 0, one_there = 0, one_missing = 0;
    for (size_t i = 0; i < transaction->count; i++) {
        const struct operation *operation = &transaction->operations[i];
        if (operation->kind != OPERATION_WRITE || operation->undone || !last->known[operation->key])
            continue;
        if (last->there[operation->value]) {
            there++;
            one_there = operation->value;
        } else {
            missing++;
            one_missing = operation->value;
        }
    }
    if (missing && transaction->outcome == WITNESS_OK && !transaction->async)
        witness_found(
            last->verdict, WITNESS_LOST,
            "T%u was acknowledged (scn %" PRIu64 "), but its value %" PRIu64 " of key %u is not there",
            transaction->number, transaction->scn, one_missing, last->witness->writes[one_missing].key);
    else if (missing && there && transaction->outcome != WITNESS_FAILED)
        witness_found(last->verdict, WITNESS_HALF,
                      "of T%u, value %" PRIu64 " of key %u is there and value %" PRIu64 " of key %u is not",
                      transaction->number, one_there, last->witness->writes[one_there].key, one_missing,
                      last->witness->writes[one_missing].key);
}

void witness_check_final(struct witness *witness, struct witness_verdict *verdict)
{
    struct scope *scope = scope_open(witness->scope, "final state");
    struct last last = {.witness = witness, .verdict = verdict};
    last.known = witness_memory(scope, witness->key_count * sizeof *last.known);
    last.there = witness_memory(scope, witness->write_count * sizeof *last.there);
    for (size_t i = 0; i < witness->transaction_count; i++)
        if (witness->transactions[i]->final)
            see_final(&last, witness->transactions[i]);
    for (size_t i = 0; i < witness->transaction_count; i++)
        judge(&last, witness->transactions[i]);
    scope_close(scope);
}
