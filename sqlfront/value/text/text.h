/* Types of characters and bytes, and their functions: text, varchar, bpchar, name, "char", bytea, uuid, enums, unknown,
 * cstring (PostgreSQL manual, 8.3, 8.4, 8.7, 8.12, 9.4, 9.5, 9.7, 9.10).
 *
 *     types.c     text and binary forms of the types of characters     compare.c   comparing values of any type
 *     bytea.c     bytea                                                uuid.c      uuid
 *     enumeration.c  enums                                             string.c    functions of 9.4 and 9.5
 *     case.c      upper, lower, initcap; what a character is           digest.c    md5, sha224 ... sha512
 *     encode.c    hex, base64, escape                                  quote.c     quote_*, || with any type
 *     like.c      LIKE, ILIKE                                          translate.c regular expressions into PCRE2's
 *     pattern.c   compiled expressions, finding matches                regexp.c    their functions, SIMILAR TO
 *     aggregate.c string_agg */
#ifndef SYNOD_SQLFRONT_VALUE_TEXT_TEXT_H
#define SYNOD_SQLFRONT_VALUE_TEXT_TEXT_H

#include "base/text.h"
#include "sqlfront/value/value.h"

extern const struct library text_library;

extern const struct type_ops text_ops, name_ops, bpchar_ops, varchar_ops, char_ops, bytea_ops, uuid_ops,
    enum_ops, unknown_ops, cstring_ops;

/* Bytes of a name, without end mark. */
#define NAME_BYTES_MAX 63

/* ---- memory of results ---- */

/* Uninitialised memory for `size` bytes of a value. 54000 beyond VALUE_BYTES_MAX, 53200 when there is none. */
enum sqlstate value_room(struct scope *scope, size_t size, uint8_t **room, struct error *error);

/* Ends a growing text as a value, whose bytes stay the text's. 54000, 53200. */
enum sqlstate value_of_text(struct text *text, struct value *value, struct error *error);

/* The value's text form: type->ops->out with less to write. */
enum sqlstate value_out(struct environment *environment, struct scope *scope, const struct type *type,
                        const struct value *value, struct bytes *text, struct error *error);

/* The value cast to text: its text form, but "true" and "false" for a boolean, and padded text without its blanks. */
enum sqlstate value_as_text(struct environment *environment, struct scope *scope, const struct type *type,
                            const struct value *value, struct bytes *text, struct error *error);

/* The type of that oid, or XX000: whoever has a value of a type has asked for the type before. */
enum sqlstate type_of_oid(struct environment *environment, uint32_t oid, const struct type **type,
                          struct error *error);

/* The name of a type as error messages and format() show it: "character varying" for varchar, "integer[]" for _int4
 * (PostgreSQL's format_type). The scope's or static. */
const char *type_shown_name(struct environment *environment, struct scope *scope, const struct type *type);

/* ---- characters ---- */

/* Bytes of the character that begins with this byte, in text known to be UTF-8. */
static inline size_t character_bytes(uint8_t lead)
{
    return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Characters in the text. */
size_t character_count(struct bytes text);

/* Bytes of the first `characters` characters (of all, when there are fewer). */
size_t character_offset(struct bytes text, size_t characters);

/* The value's modifier applied: padded, cut, or 22001 where other than blanks would be lost (an explicit cast cuts
 * whatever there is). `modifier` is -1 or the length + 4. The result's bytes are the input's or the scope's. */
enum sqlstate bpchar_fit(struct scope *scope, int32_t modifier, bool explicit_cast, struct bytes text,
                         struct value *value, struct error *error);
enum sqlstate varchar_fit(int32_t modifier, bool explicit_cast, struct bytes text, struct value *value,
                          struct error *error);

/* The bytes of padded text that count. */
struct bytes blanks_cut(struct bytes text);

/* Appends a character as UTF-8. */
void character_append(struct text *text, uint32_t point);

/* Unicode's simple case mappings; a character without one is its own. */
uint32_t character_upper(uint32_t point);
uint32_t character_lower(uint32_t point);
bool character_is_letter(uint32_t point);
bool character_is_digit(uint32_t point);

/* Blanks as isspace() sees them in "C". */
static inline bool is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* lower() */
enum sqlstate text_lower(struct call *call, const struct value *text, struct value *result);

/* ---- quotes (quote.c) ---- */

/* Whether SQL reads the name as it stands: a-z, 0-9 and _ alone, and no keyword but the unreserved ones. */
bool name_is_plain(struct bytes name);
void quote_name(struct text *text, struct bytes name); /* only where SQL would not read the name otherwise */
void quote_string(struct text *text, struct bytes string); /* E'...' where there is a backslash */

/* ---- comparing (compare.c): run functions for the tables of every part, by value_compare() of the first argument's
 * type ---- */

enum sqlstate compare_eq(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_ne(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_lt(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_le(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_gt(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_ge(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_cmp(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_larger(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_smaller(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_hash_extended(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate compare_hash(struct call *call, const struct value *arguments, struct value *result);

/* ---- what the files bring, which library.c gathers ---- */

extern const struct library compare_library, text_type_library, bytea_library, uuid_library,
    enumeration_library, string_library, quote_library, case_library, digest_library, encode_library,
    like_library, regexp_library, text_aggregate_library;

#endif
