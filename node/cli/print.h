/* Results as people and programs want to read them. */
#ifndef SYNOD_NODE_CLI_PRINT_H
#define SYNOD_NODE_CLI_PRINT_H

#include "node/cli/server.h"

enum print_format {
    PRINT_ALIGNED,
    PRINT_UNALIGNED, /* a|b, as psql -A */
    PRINT_CSV,       /* RFC 4180, with a line of names */
    PRINT_JSON,      /* an object for each row, one on a line, values as JSON has them */
};

#define PRINT_CELL_MAX 80

struct print_options {
    enum print_format format;
    bool expanded;     /* ALIGNED: a line for each column */
    bool tuples_only;  /* neither names nor counts nor tags */
    bool quiet;        /* no tags */
    bool cut;          /* ALIGNED: cells are one line of at most PRINT_CELL_MAX characters */
    const char *title; /* over the next ALIGNED result; NULL = none */
};

/* Runs a statement and writes what it gives. False when it failed, which is said on standard error. */
bool print_statement(struct server *server, const char *sql, const struct print_options *options, FILE *to);

/* Writes members of the objects in `items` as a result with these columns; lists become "a, b". */
struct print_column {
    const char *title, *member;
};
void print_items(const json_t *items, const struct print_column *columns, size_t count,
                 const struct print_options *options, FILE *to);

/* Runs a query and gives what it finds: cells[row * columns + column], NULL for null, the caller's to free with cells_free(). */
struct cells {
    size_t rows, columns;
    char **cell;
};
bool cells_read(struct server *server, const char *sql, struct cells *cells);
void cells_free(struct cells *cells);

/* A text as a literal of SQL, quotes included. */
void buffer_literal(struct buffer *buffer, const char *text);

#endif
