/* Text that grows: answers, messages, SQL we write ourselves.
 *
 *     struct text text = text_in(scope);
 *     text_format(&text, "ALTER TABLE %s", "");
 *     text_identifier(&text, table->name);
 *     if ((failed = text_end(&text, &sql, error)))
 *         return failed;
 *
 * Appending never answers; when memory or TEXT_BYTES_MAX does not suffice, the text stays as it was from
 * there on, and text_end() tells. Memory that was outgrown goes back with the scope, or at once where it is
 * large. */
#ifndef SYNOD_BASE_TEXT_H
#define SYNOD_BASE_TEXT_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct scope;

struct text {
    struct scope *scope;
    char *data;    /* zero-terminated once something was appended */
    size_t size;   /* bytes, without the zero byte */
    size_t room;   /* bytes of data */
    size_t wanted; /* bytes that could not be had; 0 = nothing failed */
};

/* An empty text whose memory is the scope's. */
static inline struct text text_in(struct scope *scope)
{
    return (struct text){.scope = scope};
}

void text_bytes(struct text *text, struct bytes bytes);
void text_append(struct text *text, const char *appended);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes (RFC 8259, section 7). Bytes that are not UTF-8 become U+FFFD, for JSON has
 * no way to write them. */
void text_json(struct text *text, struct bytes bytes);

/* An SQL identifier in double quotes, those in it doubled (PostgreSQL manual, 4.1.1). Always quoted: what is
 * a keyword is not known here, and 'a' and "a" are the same. */
void text_identifier(struct text *text, const char *name);

/* An SQL string in single quotes, those in it doubled; with a backslash in it, as E'…' with those doubled
 * too, which reads the same whatever standard_conforming_strings says (PostgreSQL manual, 4.1.2). */
void text_literal(struct text *text, const char *value);

/* Gives the zero-terminated whole ("" when nothing was appended), or fails with 53200 (no memory) or 54000
 * (longer than TEXT_BYTES_MAX). `whole` is good until the text grows or the scope is gone; its size is
 * text->size. */
enum sqlstate text_end(struct text *text, const char **whole, struct error *error);

#endif
