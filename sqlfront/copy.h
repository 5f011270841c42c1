/* COPY (PostgreSQL manual, SQL command COPY): what its files share. copy.c reads the options and runs it, copy_out.c writes rows,
 * copy_in.c reads them. */
#ifndef SYNOD_SQLFRONT_COPY_H
#define SYNOD_SQLFRONT_COPY_H

#include "sqlfront/inside.h"

enum copy_format { COPY_TEXT, COPY_CSV, COPY_BINARY };
enum copy_header { HEADER_NONE, HEADER_LINE, HEADER_MATCH };

/* A column that is copied. */
struct copy_column {
    const char *name;
    const struct type *type;
    int32_t modifier;
    int16_t number;
    bool force_quote, force_not_null, force_null;
};

struct copy {
    struct session *session;
    struct scope *scope;
    const char *name;  /* of the table, for errors */
    uint32_t relation; /* its oid; 0 = a query */
    const char *text;  /* the statement's */
    enum copy_format format;
    enum copy_header header;
    char delimiter, quote, escape;
    bool force_quote_all;
    const char *null;
    size_t null_size;
    uint32_t columns;
    struct copy_column *column;
    uint64_t rows;

    /* copy_in.c */
    struct bytes data; /* what the client sent and nobody has read */
    uint64_t bytes;    /* sent so far */
    bool at_end;       /* the client has sent everything */
    bool finished;     /* all rows were read */
    bool begun;
    uint8_t *line; /* a line that did not come in one piece */
    size_t line_room, line_size;
    uint64_t number; /* of the line */
};

/* copy_out.c: runs the portal and gives its rows to the client. Yields. */
enum sqlstate copy_out(struct copy *copy, struct portal *source, struct error *error);

/* copy_in.c: the next rows, at most `most`, into values[column][0 .. *count-1], whose bytes are the scope's; none at the end.
 * Yields. */
enum sqlstate copy_in_rows(struct copy *copy, struct scope *scope, struct value *const *values, uint32_t most,
                           uint32_t *count, struct error *error);

#endif
