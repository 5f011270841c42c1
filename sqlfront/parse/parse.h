/* From text to PostgreSQL's raw parse tree, by libpg_query. Who reads the tree includes sqlfront/parse/tree.h.
 *
 * The parser runs on the core's big stack and keeps its tree in a memory context of its own, which the scope owns; it is
 * gone with the scope, on the same core. (libpg_query's memory is the thread's, and outside our budgets: a tree takes some
 * 20 to 60 times the bytes of its text, and the text is bounded.) */
#ifndef SYNOD_SQLFRONT_PARSE_PARSE_H
#define SYNOD_SQLFRONT_PARSE_PARSE_H

#include "base/error.h"
#include "base/scope.h"
#include "base/world.h"

#include <stdbool.h>

struct List;
struct RawStmt;

/* Longest statement text: 54000 beyond. */
#define STATEMENT_BYTES_MAX (64UL * 1024 * 1024)

struct parsed {
    const char *text;        /* the caller's, zero-terminated, must outlive the tree */
    const struct List *list; /* of struct RawStmt; NULL when the text holds no statement */
    uint32_t count;
};

/* Parses. 42601 with position for what is no SQL, 54001 for what nests too deeply, 54000 for what is too long. Does not
 * yield. */
enum sqlstate parse_text(struct world *world, struct scope *scope, const char *text, struct parsed **parsed,
                         struct error *error);

/* Statement `index` of the list. */
const struct RawStmt *parsed_statement(const struct parsed *parsed, uint32_t index);

/* The statement's own text: from the first byte that is not blank to its end, without the semicolon. */
struct bytes parsed_statement_text(const struct parsed *parsed, uint32_t index);

/* Keyword `at` of the grammar, in order; false behind the last. Category: U unreserved, C unreserved but no function or type
 * name, T reserved but such a name, R reserved (pg_get_keywords()). */
struct parse_keyword {
    const char *word;
    char category;
    bool bare_label; /* can be a column's label without AS */
};
bool parse_keyword(uint32_t at, struct parse_keyword *keyword);

#endif
