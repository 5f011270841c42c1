/* JSON text, one token at a time (RFC 8259), with PostgreSQL's words for what is wrong with it.
 *
 *     struct json_parser parser;
 *     json_parser_start(&parser, scope, text, true, error);
 *     while (!(failed = json_next(&parser)) && parser.token != JSON_END) ...
 *
 * Nesting is a bit for each level, not recursion. */
#ifndef SYNOD_SQLFRONT_VALUE_JSON_PARSE_H
#define SYNOD_SQLFRONT_VALUE_JSON_PARSE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/scope.h"

#include <stdbool.h>

/* Levels of json text (54001 beyond). PostgreSQL's stack holds some more than this. */
#define JSON_DEPTH_MAX 6144

enum json_token {
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY,    /* parser->string */
    JSON_STRING, /* parser->string */
    JSON_NUMBER, /* parser->text */
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
    JSON_END,
};

struct environment;

struct json_parser {
    enum json_token token;
    struct bytes string; /* without quotes and escapes, when asked for; the text's or the scope's */
    struct bytes text;   /* the token as it stands */
    uint32_t depth;      /* containers open behind this token */

    struct scope *scope;
    struct error *error;
    bool unescape; /* strings are wanted; else only checked */
    const uint8_t *start, *at, *end;
    const uint8_t *line_start;
    uint32_t line;
    uint8_t expect;                            /* enum in parse.c */
    uint8_t in_object[JSON_DEPTH_MAX / 8 + 1]; /* one bit for each level */
};

/* The text must outlive the parser. With `unescape`, \u0000 and lone surrogates are errors: they are no text. */
void json_parser_start(struct json_parser *parser, struct scope *scope, struct bytes text, bool unescape,
                       struct error *error);

/* The next token. 22P02 with detail and context, 22P05, 54001. */
enum sqlstate json_next(struct json_parser *parser);

/* Having read the first token of a value: reads to its last. `whole` is the value as it stands. */
enum sqlstate json_skip(struct json_parser *parser, struct bytes *whole);

/* Checks a whole text. May yield. */
enum sqlstate json_check(struct environment *environment, struct scope *scope, struct bytes text,
                         struct error *error);

#endif
