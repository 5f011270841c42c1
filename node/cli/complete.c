/* Completion (complete.h): keywords, commands, and the names in the catalog, asked for at the first Tab after something was
 * defined. */
#include "node/cli/complete.h"

#include "node/cli/print.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <editline/readline.h>

static const char *const words[] = {"ALTER",       "ANALYZE",     "AND",
                                    "AS",          "ASC",         "BEGIN",
                                    "BETWEEN",     "BY",          "CASCADE",
                                    "CASE",        "COLUMN",      "COMMIT",
                                    "CONFLICT",    "CONSTRAINT",  "CREATE",
                                    "CROSS JOIN",  "DATABASE",    "DEFAULT",
                                    "DELETE FROM", "DESC",        "DISTINCT",
                                    "DROP",        "ELSE",        "END",
                                    "EXCEPT",      "EXISTS",      "EXPLAIN",
                                    "FALSE",       "FETCH",       "FOR",
                                    "FOREIGN KEY", "FROM",        "FULL JOIN",
                                    "FUNCTION",    "GRANT",       "GROUP BY",
                                    "HAVING",      "IF EXISTS",   "IF NOT EXISTS",
                                    "ILIKE",       "IN",          "INDEX",
                                    "INNER JOIN",  "INSERT INTO", "INTERSECT",
                                    "INTO",        "IS",          "JOIN",
                                    "LATERAL",     "LEFT JOIN",   "LIKE",
                                    "LIMIT",       "MERGE INTO",  "NOT",
                                    "NULL",        "OFFSET",      "ON",
                                    "OR",          "ORDER BY",    "PRIMARY KEY",
                                    "REFERENCES",  "RENAME TO",   "RETURNING",
                                    "REVOKE",      "RIGHT JOIN",  "ROLE",
                                    "ROLLBACK",    "SAVEPOINT",   "SCHEMA",
                                    "SELECT",      "SEQUENCE",    "SET",
                                    "SHOW",        "TABLE",       "THEN",
                                    "TO",          "TRUE",        "TRUNCATE",
                                    "UNION",       "UNION ALL",   "UNIQUE",
                                    "UPDATE",      "USING",       "VACUUM",
                                    "VALUES",      "VIEW",        "WHEN",
                                    "WHERE",       "WINDOW",      "WITH",
                                    "\\c",         "\\conninfo",  "\\copy",
                                    "\\d",         "\\df",        "\\di",
                                    "\\dn",        "\\dp",        "\\ds",
                                    "\\dt",        "\\dT",        "\\du",
                                    "\\dv",        "\\echo",      "\\i",
                                    "\\l",         "\\o",         "\\p",
                                    "\\q",         "\\r",         "\\timing",
                                    "\\watch",     "\\x"};
#define WORDS (sizeof words / sizeof words[0])

static struct completing {
    struct server *server;
    struct cells names;
    bool known;
    size_t at; /* in words, then in names */
} completing;

static void names_read(void)
{
    if (completing.known || server_transaction(completing.server) == '!')
        return;
    completing.known = true;
    cells_free(&completing.names);
    (void)cells_read(
        completing.server,
        "SELECT DISTINCT pg_catalog.quote_ident(name) FROM (SELECT relname AS name FROM pg_catalog.pg_class "
        "WHERE "
        "relkind IN ('r', 'v', 'S') AND relnamespace NOT IN ('pg_catalog'::pg_catalog.regnamespace, "
        "'pg_toast'::pg_catalog.regnamespace) AND pg_catalog.pg_table_is_visible(oid) UNION ALL SELECT "
        "a.attname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid WHERE "
        "c.relkind IN ('r', 'v') AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped UNION ALL SELECT "
        "nspname || '.' || relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "relnamespace WHERE relkind IN ('r', 'v') AND c.oid >= 16384) s ORDER BY 1 LIMIT 20000",
        &completing.names);
}

/* A keyword in the case that was begun with. */
static char *cased(const char *word, const char *begun)
{
    char *copy = text_copy(word, strlen(word));
    if (islower((unsigned char)begun[0]))
        for (char *c = copy; *c; c++)
            *c = (char)tolower((unsigned char)*c);
    return copy;
}

static char *next_word(const char *begun, int state)
{
    size_t size = strlen(begun);
    if (state == 0) {
        completing.at = 0;
        names_read();
    }
    while (completing.at < WORDS) {
        const char *word = words[completing.at++];
        bool command = word[0] == '\\';
        if (size && (command ? strncmp(word, begun, size) : strncasecmp(word, begun, size)) == 0)
            return command ? text_copy(word, strlen(word)) : cased(word, begun);
    }
    while (completing.at - WORDS < completing.names.rows) {
        const char *name = completing.names.cell[completing.at++ - WORDS];
        if (name && strncmp(name, begun, size) == 0)
            return text_copy(name, strlen(name));
    }
    return NULL;
}

static char **complete(const char *begun, int from, int to)
{
    rl_attempted_completion_over = 1; /* no names of files */
    return rl_completion_matches(begun, next_word);
}

void complete_open(struct server *server)
{
    static char breaks[] = " \t\n()[],;=<>+-*/'";
    completing.server = server;
    completing.known = false;
    rl_attempted_completion_function = server ? complete : NULL;
    rl_completer_word_break_characters = breaks;
    if (!server)
        cells_free(&completing.names);
}

void complete_forget(void)
{
    completing.known = false;
}
