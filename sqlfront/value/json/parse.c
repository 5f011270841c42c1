/* JSON text, one token at a time.
 *
 * What may come next:
 *
 *     VALUE          a value                      FIRST_ELEMENT  a value or ]        FIRST_KEY  a string or }
 *     NEXT_ELEMENT   , or ]                       NEXT_MEMBER    , or }              KEY        a string (behind ,)
 *     COLON          :, then a value              NOTHING        the end */
#include "sqlfront/value/json/parse.h"

#include "base/text.h"
#include "base/utf8.h"
#include "sqlfront/value/pace.h"
#include "sqlfront/value/states.h"
#include "sqlfront/value/text/text.h"

#include <stdarg.h>
#include <stdio.h>

enum expect { VALUE, FIRST_ELEMENT, NEXT_ELEMENT, FIRST_KEY, KEY, COLON, NEXT_MEMBER, NOTHING };

void json_parser_start(struct json_parser *parser, struct scope *scope, struct bytes text, bool unescape,
                       struct error *error)
{
    const uint8_t *start = text.size ? text.data : (const uint8_t *)"";
    parser->scope = scope;
    parser->error = error;
    parser->unescape = unescape;
    parser->start = parser->at = parser->line_start = start;
    parser->end = start + text.size;
    parser->line = 1;
    parser->depth = 0;
    parser->expect = VALUE;
    parser->string = parser->text = bytes_of(start, 0);
}

/* ---- errors ---- */

/* Context: the line up to the end of the bad token, at most 50 bytes of it. */
static void add_context(struct json_parser *parser, const uint8_t *token_end)
{
    const uint8_t *from = parser->line_start;
    while (token_end - from >= 50)
        from += character_bytes(*from);
    if (from - parser->line_start <= 3)
        from = parser->line_start;
    bool more = token_end < parser->end && *token_end != '\n' && *token_end != '\r';
    error_add(parser->error, ERROR_CONTEXT, "JSON data, line %u: %s%.*s%s", parser->line,
              from > parser->line_start ? "..." : "", (int)(token_end - from), (const char *)from,
              more ? "..." : "");
}

static enum sqlstate __attribute__((format(printf, 3, 4)))
invalid(struct json_parser *parser, const uint8_t *token_end, const char *detail, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(text, sizeof text, detail, arguments);
    va_end(arguments);
    enum sqlstate failed = error_set(parser->error, SQLSTATE_INVALID_TEXT_REPRESENTATION,
                                     "invalid input syntax for type %s", "json");
    error_add(parser->error, ERROR_DETAIL, "%.*s", (int)utf8_cut(bytes_of_text(text)), text);
    add_context(parser, token_end);
    return failed;
}

static enum sqlstate invalid_token(struct json_parser *parser, const uint8_t *start, const uint8_t *token_end)
{
    return invalid(parser, token_end, "Token \"%.*s\" is invalid.", (int)(token_end - start),
                   (const char *)start);
}

static enum sqlstate ended(struct json_parser *parser)
{
    return invalid(parser, parser->end, "The input string ended unexpectedly.");
}

static enum sqlstate unexpected(struct json_parser *parser)
{
    static const char *const wanted[] = {
        [VALUE] = "JSON value",
        [FIRST_ELEMENT] = "JSON value",
        [NEXT_ELEMENT] = "\",\" or \"]\"",
        [FIRST_KEY] = "string or \"}\"",
        [KEY] = "string",
        [COLON] = "\":\"",
        [NEXT_MEMBER] = "\",\" or \"}\"",
        [NOTHING] = "end of input",
    };
    return invalid(parser, parser->text.data + parser->text.size, "Expected %s, but found \"%.*s\".",
                   wanted[parser->expect], (int)parser->text.size, (const char *)parser->text.data);
}

/* ---- strings ---- */

static const uint8_t *character_end(const struct json_parser *parser, const uint8_t *at)
{
    size_t bytes = at < parser->end ? character_bytes(*at) : 0;
    return bytes > (size_t)(parser->end - at) ? parser->end : at + bytes;
}

static int hex_value(uint8_t byte)
{
    return byte >= '0' && byte <= '9'   ? byte - '0'
           : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
           : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                        : -1;
}

/* Four hex digits behind \u; `at` stands behind the u and moves on. */
static enum sqlstate read_unit(struct json_parser *parser, const uint8_t *start, const uint8_t **at,
                               uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, ++*at) {
        if (*at == parser->end)
            return invalid_token(parser, start, *at);
        int digit = hex_value(**at);
        if (digit < 0)
            return invalid(parser, character_end(parser, *at),
                           "\"\\u\" must be followed by four hexadecimal digits.");
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return SQLSTATE_OK;
}

static enum sqlstate not_text(struct json_parser *parser, const uint8_t *at, const char *detail)
{
    enum sqlstate failed =
        error_set(parser->error, SQLSTATE_UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence");
    error_add(parser->error, ERROR_DETAIL, "%s", detail);
    add_context(parser, at);
    return failed;
}

/* \uXXXX, or a pair of them. `high` is the first half of a pair just read, or 0. */
static enum sqlstate read_unicode(struct json_parser *parser, const uint8_t *start, const uint8_t **at,
                                  uint32_t *high, struct text *text)
{
    uint32_t unit;
    enum sqlstate failed = read_unit(parser, start, at, &unit);
    if (failed || !parser->unescape)
        return failed;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        if (*high)
            return invalid(parser, *at, "Unicode high surrogate must not follow a high surrogate.");
        *high = unit;
        return SQLSTATE_OK;
    }
    if (unit >= 0xdc00 && unit <= 0xdfff) {
        if (!*high)
            return invalid(parser, *at, "Unicode low surrogate must follow a high surrogate.");
        unit = 0x10000 + ((*high & 0x3ff) << 10) + (unit & 0x3ff);
        *high = 0;
    } else if (*high) {
        return invalid(parser, *at, "Unicode low surrogate must follow a high surrogate.");
    }
    if (unit == 0)
        return not_text(parser, *at, "\\u0000 cannot be converted to text.");
    character_append(text, unit);
    return SQLSTATE_OK;
}

/* A letter behind a backslash. */
static enum sqlstate read_escape(struct json_parser *parser, const uint8_t *start, const uint8_t **at,
                                 uint32_t *high, struct text *text)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (*at == parser->end)
        return invalid_token(parser, start, *at);
    uint8_t letter = **at;
    if (letter == 'u') {
        ++*at;
        return read_unicode(parser, start, at, high, text);
    }
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (*high)
        return invalid(parser, *at, "Unicode low surrogate must follow a high surrogate.");
    if (!found)
        return invalid(parser, character_end(parser, *at), "Escape sequence \"\\%.*s\" is invalid.",
                       (int)(character_end(parser, *at) - *at), (const char *)*at);
    ++*at;
    if (parser->unescape)
        text_bytes(text, bytes_of(&meant[found - letters], 1));
    return SQLSTATE_OK;
}

/* The rest of a string that has an escape at `at`; what is before it is plain. */
static enum sqlstate read_escaped(struct json_parser *parser, const uint8_t *start, const uint8_t *at)
{
    struct text text = text_in(parser->scope);
    uint32_t high = 0;
    if (parser->unescape)
        text_bytes(&text, bytes_of(start + 1, (size_t)(at - start - 1)));
    for (;;) {
        if (at == parser->end)
            return invalid_token(parser, start, at);
        if (*at == '\\') {
            at++;
            enum sqlstate failed = read_escape(parser, start, &at, &high, &text);
            if (failed)
                return failed;
            continue;
        }
        if (high)
            return invalid(parser, at, "Unicode low surrogate must follow a high surrogate.");
        if (*at == '"')
            break;
        const uint8_t *plain = at;
        while (at < parser->end && *at != '"' && *at != '\\' && *at >= 0x20)
            at++;
        if (at < parser->end && *at < 0x20)
            return invalid(parser, at, "Character with value 0x%02x must be escaped.", *at);
        if (parser->unescape)
            text_bytes(&text, bytes_of(plain, (size_t)(at - plain)));
    }
    parser->text = bytes_of(start, (size_t)(at + 1 - start));
    parser->at = at + 1;
    struct value whole = value_bytes("", 0);
    enum sqlstate failed = parser->unescape ? value_of_text(&text, &whole, parser->error) : SQLSTATE_OK;
    parser->string = value_view(&whole);
    return failed;
}

static enum sqlstate read_string(struct json_parser *parser)
{
    const uint8_t *start = parser->at, *at = start + 1;
    while (at < parser->end && *at != '"' && *at != '\\' && *at >= 0x20)
        at++;
    if (at == parser->end)
        return invalid_token(parser, start, at);
    if (*at == '\\')
        return read_escaped(parser, start, at);
    if (*at < 0x20)
        return invalid(parser, at, "Character with value 0x%02x must be escaped.", *at);
    parser->text = bytes_of(start, (size_t)(at + 1 - start));
    parser->string = bytes_of(start + 1, (size_t)(at - start - 1));
    parser->at = at + 1;
    return SQLSTATE_OK;
}

/* ---- numbers and words ---- */

static bool is_word(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '_' || byte >= 0x80;
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

static enum sqlstate read_number(struct json_parser *parser)
{
    const uint8_t *start = parser->at, *at = start + (*start == '-'), *end = parser->end, *digits;
    bool right = true;
    if (at < end && *at == '0') {
        at++;
    } else {
        digits = at;
        at = skip_digits(at, end);
        right = at > digits;
    }
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        right = right && at > digits;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = skip_digits(at, end);
        right = right && at > digits;
    }
    right = right && (at == end || !is_word(*at));
    while (at < end && is_word(*at))
        at++;
    if (!right)
        return invalid_token(parser, start, at);
    parser->text = bytes_of(start, (size_t)(at - start));
    parser->at = at;
    parser->token = JSON_NUMBER;
    return SQLSTATE_OK;
}

static enum sqlstate read_word(struct json_parser *parser)
{
    static const struct {
        const char *word;
        enum json_token token;
    } words[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};
    const uint8_t *start = parser->at, *at = start;
    while (at < parser->end && is_word(*at))
        at++;
    if (at == start)
        return invalid_token(parser, start, start + 1);
    parser->text = bytes_of(start, (size_t)(at - start));
    parser->at = at;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (bytes_compare(parser->text, bytes_of_text(words[i].word)) != 0)
            continue;
        parser->token = words[i].token;
        return SQLSTATE_OK;
    }
    return invalid_token(parser, start, at);
}

/* ---- grammar ---- */

static void skip_blanks(struct json_parser *parser)
{
    for (; parser->at < parser->end; parser->at++) {
        if (*parser->at == '\n') {
            parser->line++;
            parser->line_start = parser->at + 1;
        } else if (*parser->at != ' ' && *parser->at != '\t' && *parser->at != '\r') {
            return;
        }
    }
}

static bool within_object(const struct json_parser *parser)
{
    uint32_t level = parser->depth - 1;
    return parser->in_object[level / 8] >> level % 8 & 1;
}

static enum sqlstate open_container(struct json_parser *parser, bool object)
{
    uint32_t level = parser->depth;
    if (level == JSON_DEPTH_MAX)
        return error_set(parser->error, SQLSTATE_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    uint8_t bit = (uint8_t)(1 << level % 8);
    parser->in_object[level / 8] =
        (uint8_t)(object ? parser->in_object[level / 8] | bit : parser->in_object[level / 8] & ~bit);
    parser->depth++;
    parser->token = object ? JSON_OBJECT : JSON_ARRAY;
    parser->expect = object ? FIRST_KEY : FIRST_ELEMENT;
    return SQLSTATE_OK;
}

/* What may follow a whole value. */
static void behind_value(struct json_parser *parser)
{
    parser->expect = parser->depth == 0 ? NOTHING : within_object(parser) ? NEXT_MEMBER : NEXT_ELEMENT;
}

static void close_container(struct json_parser *parser, enum json_token token)
{
    parser->depth--;
    parser->token = token;
    behind_value(parser);
}

static bool is_punctuation(uint8_t byte)
{
    return byte == '{' || byte == '}' || byte == '[' || byte == ']' || byte == ',' || byte == ':';
}

/* Reads the token at `at`, whatever it is; punctuation is left to the grammar. */
static enum sqlstate lex(struct json_parser *parser)
{
    uint8_t first = *parser->at;
    if (is_punctuation(first)) {
        parser->text = bytes_of(parser->at, 1);
        parser->at++;
        return SQLSTATE_OK;
    }
    if (first == '"') {
        parser->token = JSON_STRING;
        return read_string(parser);
    }
    return first == '-' || (first >= '0' && first <= '9') ? read_number(parser) : read_word(parser);
}

static enum sqlstate take_value(struct json_parser *parser, uint8_t first)
{
    if (first == '{' || first == '[')
        return open_container(parser, first == '{');
    if (first == ']' && parser->expect == FIRST_ELEMENT) {
        close_container(parser, JSON_ARRAY_END);
        return SQLSTATE_OK;
    }
    if (is_punctuation(first))
        return unexpected(parser);
    behind_value(parser);
    return SQLSTATE_OK;
}

static enum sqlstate take_key(struct json_parser *parser, uint8_t first)
{
    if (first == '}' && parser->expect == FIRST_KEY) {
        close_container(parser, JSON_OBJECT_END);
        return SQLSTATE_OK;
    }
    if (first != '"')
        return unexpected(parser);
    parser->token = JSON_KEY;
    parser->expect = COLON;
    return SQLSTATE_OK;
}

enum sqlstate json_next(struct json_parser *parser)
{
    for (;;) {
        skip_blanks(parser);
        if (parser->at == parser->end) {
            parser->token = JSON_END;
            parser->text = bytes_of(parser->end, 0);
            return parser->expect == NOTHING ? SQLSTATE_OK : ended(parser);
        }
        uint8_t first = *parser->at;
        enum sqlstate failed = lex(parser);
        if (failed)
            return failed;
        switch ((enum expect)parser->expect) {
        case VALUE:
        case FIRST_ELEMENT:
            return take_value(parser, first);
        case FIRST_KEY:
        case KEY:
            return take_key(parser, first);
        case COLON:
            if (first != ':')
                return unexpected(parser);
            parser->expect = VALUE;
            break;
        case NEXT_ELEMENT:
            if (first == ']') {
                close_container(parser, JSON_ARRAY_END);
                return SQLSTATE_OK;
            }
            if (first != ',')
                return unexpected(parser);
            parser->expect = VALUE;
            break;
        case NEXT_MEMBER:
            if (first == '}') {
                close_container(parser, JSON_OBJECT_END);
                return SQLSTATE_OK;
            }
            if (first != ',')
                return unexpected(parser);
            parser->expect = KEY;
            break;
        case NOTHING:
            return unexpected(parser);
        }
    }
}

enum sqlstate json_skip(struct json_parser *parser, struct bytes *whole)
{
    const uint8_t *start = parser->text.data;
    enum sqlstate failed = SQLSTATE_OK;
    if (parser->token == JSON_OBJECT || parser->token == JSON_ARRAY)
        for (uint32_t outside = parser->depth - 1; !failed && parser->depth > outside;)
            failed = json_next(parser);
    *whole = bytes_of(start, (size_t)(parser->text.data + parser->text.size - start));
    return failed;
}

enum sqlstate json_check(struct environment *environment, struct scope *scope, struct bytes text,
                         struct error *error)
{
    struct pace pace = {.environment = environment, .error = error};
    struct json_parser parser;
    json_parser_start(&parser, scope, text, false, error);
    enum sqlstate failed;
    do {
        failed = json_next(&parser);
        if (!failed)
            failed = pace_step(&pace, 64 + parser.text.size);
    } while (!failed && parser.token != JSON_END);
    return failed;
}
