/* Recording. */
#include "base/check.h"
#include "test/witness/inside.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *witness_memory(struct scope *scope, size_t bytes)
{
    void *memory;
    struct error error;
    check(!scope_alloc_large(scope, bytes + 1, 16, &memory, &error), "no memory for a history");
    memset(memory, 0, bytes);
    return memory;
}

void witness_grow(struct scope *scope, void **array, size_t count, size_t *room, size_t element)
{
    if (count < *room)
        return;
    size_t wanted = *room ? 2 * *room : 8;
    void *larger = witness_memory(scope, wanted * element);
    if (count)
        memcpy(larger, *array, count * element);
    if (*array)
        scope_free_large(scope, *array);
    *array = larger;
    *room = wanted;
}

struct witness *witness_open(void)
{
    struct scope *scope = scope_open_root("history", NULL);
    check(scope, "no memory for a history");
    struct witness *witness = scope_alloc_zeroed(scope, sizeof *witness);
    witness->scope = scope;
    witness_grow(scope, (void **)&witness->writes, 0, &witness->write_room, sizeof *witness->writes);
    witness->writes[witness->write_count++] = (struct write){.transaction = UINT32_MAX};
    return witness;
}

void witness_close(struct witness *witness)
{
    scope_close(witness->scope);
}

uint32_t witness_key(struct witness *witness, enum witness_kind kind)
{
    witness_grow(witness->scope, (void **)&witness->keys, witness->key_count, &witness->key_room,
                 sizeof *witness->keys);
    witness->keys[witness->key_count] = (struct key){.kind = kind};
    return (uint32_t)witness->key_count++;
}

struct witness_transaction *witness_begin(struct witness *witness, uint32_t client, enum witness_level level)
{
    struct witness_transaction *transaction = scope_alloc_zeroed(witness->scope, sizeof *transaction);
    witness_grow(witness->scope, (void **)&witness->transactions, witness->transaction_count,
                 &witness->transaction_room, sizeof *witness->transactions);
    transaction->witness = witness;
    transaction->number = (uint32_t)witness->transaction_count;
    transaction->client = client;
    transaction->level = level;
    transaction->begun = witness->ticks++;
    witness->transactions[witness->transaction_count++] = transaction;
    return transaction;
}

void witness_async(struct witness_transaction *transaction)
{
    transaction->async = true;
}

static struct operation *operation_add(struct witness_transaction *transaction, enum operation_kind kind,
                                       uint32_t key)
{
    struct witness *witness = transaction->witness;
    check(!transaction->ended, "transaction %u goes on after its end", transaction->number);
    witness_grow(witness->scope, (void **)&transaction->operations, transaction->count, &transaction->room,
                 sizeof *transaction->operations);
    struct operation *operation = &transaction->operations[transaction->count++];
    *operation = (struct operation){.kind = kind, .key = key, .tick = witness->ticks++};
    witness->operations++;
    return operation;
}

void witness_statement(struct witness_transaction *transaction)
{
    operation_add(transaction, OPERATION_STATEMENT, 0);
}

uint64_t witness_write(struct witness_transaction *transaction, uint32_t key, uint64_t previous)
{
    struct witness *witness = transaction->witness;
    check(key < witness->key_count);
    witness_grow(witness->scope, (void **)&witness->writes, witness->write_count, &witness->write_room,
                 sizeof *witness->writes);
    uint64_t value = witness->write_count++;
    witness->writes[value] =
        (struct write){.transaction = transaction->number, .key = key, .previous = previous};
    operation_add(transaction, OPERATION_WRITE, key)->value = value;
    return value;
}

void witness_write_refused(struct witness_transaction *transaction, uint64_t value)
{
    struct operation *last = &transaction->operations[transaction->count - 1];
    check(last->kind == OPERATION_WRITE && last->value == value);
    last->kind = OPERATION_REFUSED;
    transaction->witness->writes[value].undone = true;
}

void witness_read(struct witness_transaction *transaction, uint32_t key, uint64_t value, bool locked)
{
    struct operation *operation = operation_add(transaction, OPERATION_READ, key);
    operation->value = value;
    operation->locked = locked;
}

void witness_read_list(struct witness_transaction *transaction, uint32_t key, const uint64_t *values,
                       size_t count, bool locked)
{
    struct operation *operation = operation_add(transaction, OPERATION_READ_LIST, key);
    operation->values =
        count ? scope_copy(transaction->witness->scope, values, count * sizeof *values) : NULL;
    operation->count = (uint32_t)count;
    operation->locked = locked;
}

size_t witness_mark(const struct witness_transaction *transaction)
{
    return transaction->count;
}

void witness_rollback_to(struct witness_transaction *transaction, size_t mark)
{
    for (size_t i = mark; i < transaction->count; i++) {
        struct operation *operation = &transaction->operations[i];
        operation->undone = true;
        if (operation->kind == OPERATION_WRITE)
            transaction->witness->writes[operation->value].undone = true;
    }
    operation_add(transaction, OPERATION_UNDO, 0)->value = mark;
}

void witness_end(struct witness_transaction *transaction, enum witness_outcome outcome, uint64_t scn)
{
    check(!transaction->ended, "transaction %u ends twice", transaction->number);
    transaction->ended = true;
    transaction->outcome = outcome;
    transaction->scn = scn;
    transaction->ended_at = transaction->witness->ticks++;
}

void witness_restarted(struct witness *witness)
{
    witness_grow(witness->scope, (void **)&witness->restarts, witness->restart_count, &witness->restart_room,
                 sizeof *witness->restarts);
    witness->restarts[witness->restart_count++] = witness->ticks++;
}

void witness_final(struct witness_transaction *transaction)
{
    transaction->final = true;
}

uint64_t witness_operations(const struct witness *witness)
{
    return witness->operations;
}

/* ---- the verdict ---- */

const char *witness_class_name(enum witness_class class)
{
    static const char *const names[WITNESS_CLASSES] = {
        [WITNESS_MADE_UP] = "made up",
        [WITNESS_DUPLICATE] = "duplicate",
        [WITNESS_INTERNAL] = "internal",
        [WITNESS_G1A] = "G1a",
        [WITNESS_G1B] = "G1b",
        [WITNESS_ORDER] = "incompatible order",
        [WITNESS_LOST_UPDATE] = "lost update",
        [WITNESS_G0] = "G0",
        [WITNESS_G1C] = "G1c",
        [WITNESS_G_SINGLE] = "G-single",
        [WITNESS_G2] = "G2",
        [WITNESS_REALTIME] = "realtime",
        [WITNESS_SCN] = "scn",
        [WITNESS_LOST] = "lost commit",
        [WITNESS_HALF] = "half a commit",
        [WITNESS_RESURRECTED] = "resurrected",
    };
    return names[class];
}

void witness_found(struct witness_verdict *verdict, enum witness_class class, const char *format, ...)
{
    va_list arguments;
    verdict->counts[class]++;
    if (verdict->total++ && class >= verdict->first)
        return;
    verdict->first = class;
    int used = snprintf(verdict->words, sizeof verdict->words, "%s: ", witness_class_name(class));
    va_start(arguments, format);
    vsnprintf(verdict->words + used, sizeof verdict->words - (size_t)used, format, arguments);
    va_end(arguments);
}

void witness_check(struct witness *witness, struct witness_verdict *verdict)
{
    witness_find_versions(witness, verdict);
    witness_find_cycles(witness, verdict);
}

/* ---- telling ---- */

/* Adds words to a line, as far as there is room. */
struct line {
    char *words;
    size_t room, used;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    if (line->used >= line->room)
        return;
    va_start(arguments, format);
    line->used += (size_t)vsnprintf(line->words + line->used, line->room - line->used, format, arguments);
    va_end(arguments);
}

static void tell_operation(struct line *line, const struct operation *operation)
{
    const char *locked = operation->locked ? "locked " : "";
    switch (operation->kind) {
    case OPERATION_STATEMENT:
        add(line, " ;");
        break;
    case OPERATION_WRITE:
    case OPERATION_REFUSED:
        add(line, " %s %u=%" PRIu64, operation->kind == OPERATION_WRITE ? "write" : "refused", operation->key,
            operation->value);
        break;
    case OPERATION_READ:
        add(line, " %sread %u=%" PRIu64, locked, operation->key, operation->value);
        break;
    case OPERATION_READ_LIST:
        add(line, " %sread %u=[", locked, operation->key);
        for (uint32_t i = 0; i < operation->count; i++)
            add(line, "%s%" PRIu64, i ? " " : "", operation->values[i]);
        add(line, "]");
        break;
    case OPERATION_UNDO:
        add(line, " rollback to %" PRIu64, operation->value);
    }
    if (operation->undone)
        add(line, " (undone)");
}

bool witness_tell(const struct witness *witness, uint32_t number, char *words, size_t room)
{
    static const char *const levels[] = {"", "statement", "snapshot", "strict"};
    static const char *const outcomes[] = {"unknown", "ok", "failed"};
    struct line line = {.words = words, .room = room};
    if (number >= witness->transaction_count)
        return false;
    const struct witness_transaction *transaction = witness->transactions[number];
    add(&line, "T%u client %u %s%s %s scn %" PRIu64 " ticks %" PRIu64 "..%" PRIu64 ":", number,
        transaction->client, levels[transaction->level], transaction->async ? " async" : "",
        outcomes[transaction->outcome], transaction->scn, transaction->begun,
        transaction->ended ? transaction->ended_at : 0);
    for (size_t i = 0; i < transaction->count; i++)
        tell_operation(&line, &transaction->operations[i]);
    return true;
}
