/* libpg_query on the big stack.
 *
 * Its grammar (bison's) keeps its own stack on the heap and gives up beyond a depth of 10,000 with "memory exhausted",
 * which we call 54001. Its errors come by longjmp inside the library, caught there. The library allocates in contexts of
 * the thread: each parse enters one of its own and we leave it open, going back to the one that was current. */
#include "sqlfront/parse/parse.h"

#include "base/fiber.h"
#include "sqlfront/parse/tree.h"

#include <common/keywords.h>
#include <pg_query/pg_query_internal.h>
#include <stdlib.h>
#include <string.h>

extern __thread MemoryContext CurrentMemoryContext;
extern __thread MemoryContext TopMemoryContext;

struct work {
    const char *text;
    MemoryContext context;
    PgQueryInternalParsetreeAndError result;
};

static void parse_on_big_stack(void *argument)
{
    struct work *work = argument;
    work->context = pg_query_enter_memory_context();
    work->result = pg_query_raw_parse(work->text);
    CurrentMemoryContext = TopMemoryContext;
}

static void context_delete(void *argument)
{
    MemoryContextDelete(argument);
}

/* PostgreSQL counts positions in characters, the parser's cursorpos as well, from 1. */
static enum sqlstate parse_failed(const PgQueryError *wrong, struct error *error)
{
    const char *message = wrong->message ? wrong->message : "syntax error";
    enum sqlstate state = SQLSTATE_PACK('4', '2', '6', '0', '1');
    if (strncmp(message, "memory exhausted", 16) == 0) {
        state = error_set(error, SQLSTATE_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
        error_add(error, ERROR_DETAIL, "The statement nests more deeply than the parser can follow.");
        return state;
    }
    state = error_set(error, state, "%s", message);
    error->position = wrong->cursorpos > 0 ? (uint32_t)wrong->cursorpos : 0;
    return state;
}

enum sqlstate parse_text(struct world *world, struct scope *scope, const char *text, struct parsed **parsed,
                         struct error *error)
{
    if (strnlen(text, STATEMENT_BYTES_MAX + 1) > STATEMENT_BYTES_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "statement is longer than %lu bytes",
                         STATEMENT_BYTES_MAX);
    struct work work = {.text = text};
    fiber_call_on_big_stack(world->scheduler, parse_on_big_stack, &work);
    if (work.result.error) {
        enum sqlstate failed = parse_failed(work.result.error, error);
        pg_query_free_error(work.result.error);
        free(work.result.stderr_buffer);
        MemoryContextDelete(work.context);
        return failed;
    }
    free(work.result.stderr_buffer);
    scope_undo_foreign(scope, context_delete, work.context);
    *parsed = scope_alloc_zeroed(scope, sizeof **parsed);
    (*parsed)->text = text;
    (*parsed)->list = work.result.tree;
    (*parsed)->count = (uint32_t)list_length(work.result.tree);
    return SQLSTATE_OK;
}

const struct RawStmt *parsed_statement(const struct parsed *parsed, uint32_t index)
{
    return list_nth(parsed->list, (int)index);
}

struct bytes parsed_statement_text(const struct parsed *parsed, uint32_t index)
{
    const struct RawStmt *raw = parsed_statement(parsed, index);
    const char *from = parsed->text + (raw->stmt_location > 0 ? raw->stmt_location : 0);
    size_t size = raw->stmt_len > 0 ? (size_t)raw->stmt_len : strlen(from);
    while (size > 0 && strchr(" \t\r\n\f\v", *from)) {
        from++;
        size--;
    }
    return bytes_of(from, size);
}

/* Keywords that are no label of a column without AS (the library keeps its own table of them to itself). */
static const char *const labels_with_as[] = {
    "array",   "as",     "char",     "character", "create",    "day",     "except", "fetch",
    "filter",  "for",    "from",     "grant",     "group",     "having",  "hour",   "intersect",
    "into",    "isnull", "limit",    "minute",    "month",     "notnull", "offset", "on",
    "order",   "over",   "overlaps", "precision", "returning", "second",  "to",     "union",
    "varying", "where",  "window",   "with",      "within",    "without", "year"};

static bool needs_as(const char *word)
{
    for (size_t i = 0; i < sizeof labels_with_as / sizeof *labels_with_as; i++)
        if (strcmp(word, labels_with_as[i]) == 0)
            return true;
    return false;
}

bool parse_keyword(uint32_t at, struct parse_keyword *keyword)
{
    static const char categories[] = {[UNRESERVED_KEYWORD] = 'U',
                                      [COL_NAME_KEYWORD] = 'C',
                                      [TYPE_FUNC_NAME_KEYWORD] = 'T',
                                      [RESERVED_KEYWORD] = 'R'};
    if (at >= (uint32_t)ScanKeywords.num_keywords)
        return false;
    const char *word = GetScanKeyword((int)at, &ScanKeywords);
    *keyword = (struct parse_keyword){
        .word = word, .category = categories[ScanKeywordCategories[at]], .bare_label = !needs_as(word)};
    return true;
}
