/* See diary.h. */
#include "test/crash/diary.h"

#include "test/witness/witness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct diary *diary_open(void)
{
    size_t bytes = sizeof(struct diary) + DIARY_LINES_MAX * sizeof(struct diary_line);
    struct diary *diary =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (diary == MAP_FAILED)
        return NULL;
    diary->room = DIARY_LINES_MAX;
    return diary;
}

void diary_write(struct diary *diary, const struct diary_line *line)
{
    uint64_t at = __atomic_fetch_add(&diary->count, 1, __ATOMIC_SEQ_CST);
    if (at >= diary->room) {
        diary_break(diary, "the diary is full");
        return;
    }
    struct diary_line *to = &diary->line[at];
    to->client = line->client;
    to->key = line->key;
    to->what = line->what;
    to->value = line->value;
    to->previous = line->previous;
    __atomic_store_n(&to->kind, line->kind, __ATOMIC_RELEASE);
}

uint64_t diary_value(struct diary *diary)
{
    return __atomic_add_fetch(&diary->values, 1, __ATOMIC_RELAXED);
}

void diary_break(struct diary *diary, const char *format, ...)
{
    uint32_t not_yet = 0;
    if (!__atomic_compare_exchange_n(&diary->broken, &not_yet, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(diary->words, sizeof diary->words, format, arguments);
    va_end(arguments);
}

/* ---- the judgement ---- */

#define CLIENTS_MAX 256

struct reading {
    struct witness *witness;
    uint64_t *values; /* of the process -> of the witness */
    uint64_t values_count;
    struct witness_transaction *open[CLIENTS_MAX];
    size_t mark[CLIENTS_MAX];
};

/* A value that the process made, as the witness knows it. One that nobody was told of is made up. */
static uint64_t value_of(const struct reading *reading, uint64_t value)
{
    if (value == 0)
        return 0;
    if (value > reading->values_count || !reading->values[value])
        return UINT64_MAX;
    return reading->values[value];
}

static void read_line(struct reading *reading, const struct diary_line *line)
{
    struct witness_transaction **open = &reading->open[line->client];
    if (line->kind == DIARY_RESTARTED) {
        witness_restarted(reading->witness);
        memset(reading->open, 0, sizeof reading->open);
        return;
    }
    if (line->kind == DIARY_BEGIN)
        *open = witness_begin(reading->witness, line->client, line->what);
    if (!*open)
        return; /* its beginning was lost with the process, so nothing came of it */
    switch (line->kind) {
    case DIARY_STATEMENT:
        witness_statement(*open);
        break;
    case DIARY_WRITE:
        reading->values[line->value] = witness_write(*open, line->key, value_of(reading, line->previous));
        break;
    case DIARY_REFUSED:
        witness_write_refused(*open, value_of(reading, line->value));
        break;
    case DIARY_READ:
        witness_read(*open, line->key, value_of(reading, line->value), line->what);
        break;
    case DIARY_SAVEPOINT:
        reading->mark[line->client] = witness_mark(*open);
        break;
    case DIARY_BACK:
        witness_rollback_to(*open, reading->mark[line->client]);
        break;
    case DIARY_FINAL:
        witness_final(*open);
        break;
    case DIARY_END:
        witness_end(*open, line->what, line->value);
        *open = NULL;
        break;
    default:
        break;
    }
}

bool diary_judge(const struct diary *diary, uint32_t keys, char *words, unsigned long room)
{
    struct reading reading = {.witness = witness_open(), .values_count = diary->values};
    struct witness_verdict verdict = {0};
    reading.values = calloc(diary->values + 1, sizeof *reading.values);
    if (!reading.values) {
        snprintf(words, room, "no memory for the judgement");
        return false;
    }
    for (uint32_t key = 0; key < keys; key++)
        witness_key(reading.witness, WITNESS_CHAIN);
    uint64_t count = diary->count < diary->room ? diary->count : diary->room;
    for (uint64_t i = 0; i < count; i++)
        if (diary->line[i].kind)
            read_line(&reading, &diary->line[i]);
    witness_check(reading.witness, &verdict);
    if (!verdict.total)
        witness_check_final(reading.witness, &verdict);
    snprintf(words, room, "%s", verdict.total ? verdict.words : "");
    free(reading.values);
    witness_close(reading.witness);
    return verdict.total == 0;
}
