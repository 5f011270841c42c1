/* Regular expressions as PostgreSQL has them ("advanced": manual, 9.7.3), found with PCRE2. */
#ifndef SYNOD_SQLFRONT_VALUE_TEXT_PATTERN_H
#define SYNOD_SQLFRONT_VALUE_TEXT_PATTERN_H

#include "base/text.h"
#include "sqlfront/value/value.h"

/* Groups within groups (54001 beyond): what PCRE2 takes, too. */
#define PATTERN_DEPTH_MAX 240

struct pattern_options {
    bool ignore_case;     /* i */
    bool expanded;        /* x: blanks and comments do not count */
    bool literal;         /* q: no expression at all */
    bool newline_stops;   /* n, p: . and [^...] do not match a newline */
    bool newline_anchors; /* n, w: ^ and $ match at newlines */
    bool extended;        /* e: no escapes with letters (POSIX's extended expressions) */
    bool basic;           /* b: POSIX's basic expressions */
    bool global;          /* g: all matches; not the expression's, but stands among the others */
};

/* Reads letters of options, the last argument of the functions. 22023. */
enum sqlstate pattern_options_read(struct bytes letters, struct pattern_options *options,
                                   struct error *error);

/* ---- translating (translate.c) ---- */

struct translation {
    struct text out; /* in PCRE2's language */
    struct pattern_options options;
    uint32_t groups; /* that capture */
    uint32_t quantifiers;
    bool alternatives, references;
    bool shortest; /* the whole prefers the shortest match (9.7.3.5) */
};

/* 2201B, 0A000, 54001. */
enum sqlstate pattern_translate(struct scope *scope, struct bytes text, const struct pattern_options *options,
                                struct translation *translation, struct error *error);

/* ---- matching (pattern.c) ---- */

struct pattern;

struct pattern_span {
    size_t from, to; /* bytes; from = SIZE_MAX: the group took no part */
};

/* The compiled pattern of a call site: made anew only when text or options differ from the last call's. It lives in
 * *kept (start with NULL), whose memory is call->scope_lasting's. `letters` may be NULL; `always` are set beside them.
 * 2201B, 22023, 53200. */
enum sqlstate pattern_of(struct call *call, void **kept, const struct value *text,
                         const struct value *letters, struct pattern_options always,
                         struct pattern **pattern);

bool pattern_is_global(const struct pattern *pattern);
uint32_t pattern_groups(const struct pattern *pattern);

/* The first match at or behind byte `from`. spans[0] is the whole match, spans[i] that of group i, up to pattern_groups();
 * with `spans` NULL it is only told whether there is one. 54000 when finding it takes too many steps. */
enum sqlstate pattern_find(struct pattern *pattern, struct bytes text, size_t from, bool *found,
                           const struct pattern_span **spans, struct error *error);

/* Where to look for the next match behind this one: an empty match moves on by a character. May be text.size + 1: nowhere. */
size_t pattern_next_from(struct bytes text, const struct pattern_span *match);

/* SIMILAR TO's pattern as a regular expression (9.7.2). `escape` NULL = backslash. 22025, 2200C. */
enum sqlstate similar_translate(struct call *call, struct bytes pattern, const struct value *escape,
                                struct value *result);

/* Parameters of the functions of regular expressions: start and the like. 22023: invalid value for parameter. */
enum sqlstate pattern_parameter(struct call *call, const char *name, int64_t value, int64_t least);

/* The byte of character `start` (from 1); text.size + 1 when it lies behind the end. */
size_t pattern_start(struct bytes text, int64_t start);

#endif
