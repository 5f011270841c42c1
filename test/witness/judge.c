/* judge: reads histories of list-append as text, and says what is wrong with each. For comparing with the model
 * (test/tool/witness_model.py).
 *
 *     level strict                  statement | snapshot | strict: of the transactions that follow (one statement each)
 *     t 3 10 17 ok                  a transaction of client 3, invoked at 10, answered at 17: ok | fail | info
 *     a 5 901                       appended 901 to key 5; numbers are never used twice
 *     r 5 900 901                   read key 5
 *     .                             the history is whole: judge it
 *
 * For each history it prints one line with the classes found, or "clean". */
#include "base/check.h"
#include "base/scope.h"
#include "test/witness/witness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 65536

struct line {
    char *text;
};

struct told {
    uint32_t client;
    uint64_t invoked, answered;
    enum witness_outcome outcome;
    size_t first, count; /* lines */
    struct witness_transaction *transaction;
};

/* One end of a transaction in time. */
struct event {
    uint64_t time;
    bool answer;
    struct told *told;
};

struct judge {
    enum witness_level level;
    struct told *told;
    size_t told_count;
    struct line *lines;
    size_t line_count;
    uint64_t *values; /* number in the text -> value */
    uint32_t *keys;   /* number in the text -> key, + 1 */
    size_t numbers;   /* room of both */
};

static void *larger(void *array, size_t bytes)
{
    void *memory = realloc(array, bytes);
    check(memory, "no memory");
    return memory;
}

static uint64_t number_at(char **text)
{
    char *end;
    uint64_t number = strtoull(*text, &end, 10);
    check(end != *text, "a number is wanted at \"%s\"", *text);
    *text = end;
    return number;
}

static void make_numbers(struct judge *judge, uint64_t number)
{
    if (number < judge->numbers)
        return;
    size_t wanted = (number + 1) * 2;
    judge->values = larger(judge->values, wanted * sizeof *judge->values);
    judge->keys = larger(judge->keys, wanted * sizeof *judge->keys);
    memset(judge->values + judge->numbers, 0, (wanted - judge->numbers) * sizeof *judge->values);
    memset(judge->keys + judge->numbers, 0, (wanted - judge->numbers) * sizeof *judge->keys);
    judge->numbers = wanted;
}

static void read_transaction(struct judge *judge, char *text)
{
    judge->told = larger(judge->told, (judge->told_count + 1) * sizeof *judge->told);
    struct told *told = &judge->told[judge->told_count++];
    *told = (struct told){.first = judge->line_count};
    told->client = (uint32_t)number_at(&text);
    told->invoked = number_at(&text);
    told->answered = number_at(&text);
    told->outcome = strstr(text, "ok") ? WITNESS_OK : strstr(text, "fail") ? WITNESS_FAILED : WITNESS_UNKNOWN;
}

static void read_line(struct judge *judge, char *text)
{
    if (!strncmp(text, "level ", 6))
        judge->level = !strncmp(text + 6, "strict", 6)     ? WITNESS_STRICT
                       : !strncmp(text + 6, "snapshot", 8) ? WITNESS_SNAPSHOT
                                                           : WITNESS_STATEMENT;
    else if (text[0] == 't')
        read_transaction(judge, text + 1);
    else if (judge->told_count) {
        judge->lines = larger(judge->lines, (judge->line_count + 1) * sizeof *judge->lines);
        judge->lines[judge->line_count++].text = strdup(text);
        judge->told[judge->told_count - 1].count++;
    }
}

/* ---- from text to history ---- */

static uint32_t key_of(struct judge *judge, struct witness *witness, uint64_t number)
{
    make_numbers(judge, number);
    if (!judge->keys[number])
        judge->keys[number] = witness_key(witness, WITNESS_LIST) + 1;
    return judge->keys[number] - 1;
}

/* Values are numbered in the order of writes, which is the order of invocations: known before any is read. */
static void number_values(struct judge *judge, struct event *events, size_t count)
{
    uint64_t next = 1;
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; !events[i].answer && at < events[i].told->count; at++) {
            char *text = judge->lines[events[i].told->first + at].text;
            if (*text++ != 'a')
                continue;
            number_at(&text);
            uint64_t number = number_at(&text);
            make_numbers(judge, number);
            judge->values[number] = next++;
        }
}

static void replay_read(struct judge *judge, struct witness *witness, struct told *told, char *text)
{
    static uint64_t values[LINE_BYTES / 2];
    size_t count = 0;
    uint32_t key = key_of(judge, witness, number_at(&text));
    while (*text == ' ' && text[1] >= '0') {
        uint64_t number = number_at(&text);
        make_numbers(judge, number);
        values[count++] = judge->values[number] ? judge->values[number] : UINT64_MAX;
    }
    witness_read_list(told->transaction, key, values, count, false);
}

static void replay_begin(struct judge *judge, struct witness *witness, struct told *told)
{
    told->transaction = witness_begin(witness, told->client, judge->level);
    for (size_t at = 0; at < told->count; at++) {
        char *text = judge->lines[told->first + at].text;
        if (*text == 'r') {
            replay_read(judge, witness, told, text + 1);
            continue;
        }
        text++;
        uint32_t key = key_of(judge, witness, number_at(&text));
        uint64_t number = number_at(&text);
        uint64_t value = witness_write(told->transaction, key, 0);
        check(value == judge->values[number]);
    }
}

static int compare_events(const void *left, const void *right)
{
    const struct event *a = left, *b = right;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return (int)b->answer - (int)a->answer;
}

static void judge_history(struct judge *judge)
{
    struct witness *witness = witness_open();
    struct event *events = larger(NULL, (2 * judge->told_count + 1) * sizeof *events);
    size_t count = 0;
    for (size_t i = 0; i < judge->told_count; i++) {
        struct told *told = &judge->told[i];
        events[count++] = (struct event){told->invoked, false, told};
        if (told->outcome != WITNESS_UNKNOWN)
            events[count++] = (struct event){told->answered, true, told};
    }
    qsort(events, count, sizeof *events, compare_events);
    number_values(judge, events, count);
    for (size_t i = 0; i < count; i++)
        if (events[i].answer)
            witness_end(events[i].told->transaction, events[i].told->outcome, 0);
        else
            replay_begin(judge, witness, events[i].told);
    struct witness_verdict verdict = {0};
    witness_check(witness, &verdict);
    if (!verdict.total)
        printf("clean");
    for (uint32_t class = 0; class < WITNESS_CLASSES; class ++)
        if (verdict.counts[class])
            printf("%s;", witness_class_name(class));
    printf("\t%s\n", verdict.total ? verdict.words : "");
    fflush(stdout);
    free(events);
    witness_close(witness);
}

static void forget(struct judge *judge)
{
    for (size_t i = 0; i < judge->line_count; i++)
        free(judge->lines[i].text);
    free(judge->lines);
    free(judge->told);
    free(judge->values);
    free(judge->keys);
    *judge = (struct judge){.level = judge->level};
}

int main(void)
{
    static char line[LINE_BYTES];
    struct judge judge = {.level = WITNESS_STRICT};
    while (fgets(line, sizeof line, stdin)) {
        if (line[0] == '.') {
            judge_history(&judge);
            forget(&judge);
        } else
            read_line(&judge, line);
    }
    forget(&judge);
    return 0;
}
