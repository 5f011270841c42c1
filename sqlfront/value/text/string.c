/* Functions of strings (PostgreSQL manual, 9.4): length, parts, padding, trimming, replacing. Positions and lengths count
 * characters, from 1. */
#include "sqlfront/value/text/text.h"

#include "base/utf8.h"
#include "sqlfront/value/pace.h"

#include <stdio.h>
#include <strings.h>

static enum sqlstate gives(struct value *result, struct bytes bytes)
{
    *result = value_bytes(bytes.data, bytes.size);
    return SQLSTATE_OK;
}

/* ---- length and place ---- */

static enum sqlstate textlen(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((int64_t)character_count(value_view(&arguments[0])));
    return SQLSTATE_OK;
}

static enum sqlstate bpcharlen(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((int64_t)character_count(blanks_cut(value_view(&arguments[0]))));
    return SQLSTATE_OK;
}

static enum sqlstate textoctetlen(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(arguments[0].size);
    return SQLSTATE_OK;
}

static enum sqlstate bit_length(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].size > INT32_MAX / 8)
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    *result = value_integer((int64_t)arguments[0].size * 8);
    return SQLSTATE_OK;
}

/* Where `part` begins in the text, in bytes; SIZE_MAX when nowhere. Equal bytes begin where characters do. */
static size_t found_at(struct bytes text, struct bytes part)
{
    if (part.size == 0)
        return 0;
    const uint8_t *found = text.size ? memmem(text.data, text.size, part.data, part.size) : NULL;
    return found ? (size_t)(found - text.data) : SIZE_MAX;
}

static enum sqlstate textpos(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = value_view(&arguments[0]);
    size_t at = found_at(text, value_view(&arguments[1]));
    *result = value_integer(at == SIZE_MAX ? 0 : 1 + (int64_t)character_count(bytes_of(text.data, at)));
    return SQLSTATE_OK;
}

static enum sqlstate ascii(struct call *call, const struct value *arguments, struct value *result)
{
    uint32_t point;
    *result = value_integer(utf8_read(value_view(&arguments[0]), &point) ? point : 0);
    return SQLSTATE_OK;
}

static enum sqlstate chr(struct call *call, const struct value *arguments, struct value *result)
{
    int32_t number = (int32_t)arguments[0].i;
    uint32_t point = (uint32_t)number;
    if (number < 0)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "character number must be positive");
    if (number == 0)
        return error_set(call->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "null character not permitted");
    if (point > 0x10ffff)
        return error_set(call->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "requested character too large for encoding: %u", point);
    if (point >= 0xd800 && point <= 0xdfff)
        return error_set(call->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "requested character not valid for encoding: %u", point);
    struct text text = text_in(call->scope);
    character_append(&text, point);
    return value_of_text(&text, result, call->error);
}

/* ---- parts ---- */

static enum sqlstate negative_length(struct call *call)
{
    return error_set(call->error, SQLSTATE_SUBSTRING_ERROR, "negative substring length not allowed");
}

/* Characters start .. end-1 (from 1); either may lie outside. */
static struct bytes characters(struct bytes text, int64_t start, int64_t end)
{
    size_t from = character_offset(text, start > 1 ? (size_t)(start - 1) : 0);
    struct bytes rest = bytes_of(text.size ? text.data + from : text.data, text.size - from);
    int64_t wanted = end - (start > 1 ? start : 1);
    rest.size = wanted <= 0 ? 0 : character_offset(rest, (size_t)wanted);
    return rest;
}

static enum sqlstate text_substr(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t start = arguments[1].i, length = arguments[2].i, end = start + length;
    if (length < 0)
        return negative_length(call);
    return gives(result, characters(value_view(&arguments[0]), start, end > INT32_MAX ? INT64_MAX : end));
}

static enum sqlstate text_substr_no_len(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return gives(result, characters(value_view(&arguments[0]), arguments[1].i, INT64_MAX));
}

static enum sqlstate overlaid(struct call *call, const struct value *arguments, int64_t length,
                              struct value *result)
{
    struct bytes whole = value_view(&arguments[0]);
    int64_t start = arguments[2].i;
    if (start <= 0)
        return negative_length(call);
    if (start + length > INT32_MAX)
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    struct text joined = text_in(call->scope);
    text_bytes(&joined, characters(whole, 1, start));
    text_bytes(&joined, value_view(&arguments[1]));
    text_bytes(&joined, characters(whole, start + length, INT64_MAX));
    return value_of_text(&joined, result, call->error);
}

static enum sqlstate textoverlay(struct call *call, const struct value *arguments, struct value *result)
{
    return overlaid(call, arguments, arguments[3].i, result);
}

static enum sqlstate textoverlay_no_len(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return overlaid(call, arguments, (int64_t)character_count(value_view(&arguments[1])), result);
}

static enum sqlstate text_left(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = value_view(&arguments[0]);
    int64_t wanted = arguments[1].i;
    if (wanted < 0)
        wanted += (int64_t)character_count(text);
    return gives(result, bytes_of(text.data, wanted <= 0 ? 0 : character_offset(text, (size_t)wanted)));
}

static enum sqlstate text_right(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = value_view(&arguments[0]);
    int64_t wanted = arguments[1].i, skipped = wanted < 0 ? -wanted : (int64_t)character_count(text) - wanted;
    size_t from = skipped <= 0 ? 0 : character_offset(text, (size_t)skipped);
    return gives(result, bytes_of(text.size ? text.data + from : text.data, text.size - from));
}

static enum sqlstate split_part(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = value_view(&arguments[0]), separator = value_view(&arguments[1]);
    int64_t field = arguments[2].i;
    struct pace pace = pace_of(call);
    enum sqlstate failed;
    if (field == 0)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "field position must not be zero");
    if (text.size == 0 || separator.size == 0)
        return gives(result, text.size && (field == 1 || field == -1) ? text : bytes_of("", 0));
    if (field < 0) { /* from the end: how many fields there are says which it is */
        int64_t fields = 1;
        struct bytes rest = text;
        for (size_t at; (at = found_at(rest, separator)) != SIZE_MAX; fields++) {
            rest = bytes_of(rest.data + at + separator.size, rest.size - at - separator.size);
            if ((failed = pace_step(&pace, at + 16)))
                return failed;
        }
        field += fields + 1;
        if (field <= 0)
            return gives(result, bytes_of("", 0));
    }
    for (;; field--) {
        size_t at = found_at(text, separator);
        if (field == 1)
            return gives(result, bytes_of(text.data, at == SIZE_MAX ? text.size : at));
        if (at == SIZE_MAX)
            return gives(result, bytes_of("", 0));
        text = bytes_of(text.data + at + separator.size, text.size - at - separator.size);
        if ((failed = pace_step(&pace, at + 16)))
            return failed;
    }
}

/* ---- padding and repeating ---- */

static enum sqlstate too_large(struct call *call)
{
    return error_set(call->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "requested length too large");
}

/* Characters of `fill`, over and over, `count` of them. */
static enum sqlstate filled(struct call *call, struct text *text, struct bytes fill, int64_t count)
{
    int64_t characters_of_fill = (int64_t)character_count(fill);
    struct pace pace = pace_of(call);
    for (; count >= characters_of_fill; count -= characters_of_fill) {
        text_bytes(text, fill);
        enum sqlstate failed = pace_step(&pace, fill.size + 16);
        if (failed)
            return failed;
    }
    text_bytes(text, bytes_of(fill.data, character_offset(fill, (size_t)count)));
    return SQLSTATE_OK;
}

static enum sqlstate padded(struct call *call, const struct value *arguments, struct bytes fill, bool left,
                            struct value *result)
{
    struct bytes text = value_view(&arguments[0]);
    int64_t wanted = arguments[1].i < 0 ? 0 : arguments[1].i, count = (int64_t)character_count(text);
    if (wanted * 4 >= (int64_t)VALUE_BYTES_MAX)
        return too_large(call);
    if (count > wanted)
        return gives(result, bytes_of(text.data, character_offset(text, (size_t)wanted)));
    if (fill.size == 0 || count == wanted)
        return gives(result, text);
    struct text joined = text_in(call->scope);
    enum sqlstate failed = SQLSTATE_OK;
    if (left)
        failed = filled(call, &joined, fill, wanted - count);
    text_bytes(&joined, text);
    if (!left && !failed)
        failed = filled(call, &joined, fill, wanted - count);
    return failed ? failed : value_of_text(&joined, result, call->error);
}

static enum sqlstate lpad(struct call *call, const struct value *arguments, struct value *result)
{
    return padded(call, arguments, value_view(&arguments[2]), true, result);
}

static enum sqlstate rpad(struct call *call, const struct value *arguments, struct value *result)
{
    return padded(call, arguments, value_view(&arguments[2]), false, result);
}

static enum sqlstate lpad_blanks(struct call *call, const struct value *arguments, struct value *result)
{
    return padded(call, arguments, bytes_of(" ", 1), true, result);
}

static enum sqlstate rpad_blanks(struct call *call, const struct value *arguments, struct value *result)
{
    return padded(call, arguments, bytes_of(" ", 1), false, result);
}

static enum sqlstate repeat(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t count = arguments[1].i < 0 ? 0 : arguments[1].i;
    size_t size = arguments[0].size;
    if (count * (int64_t)size >= (int64_t)VALUE_BYTES_MAX)
        return too_large(call);
    uint8_t *room;
    enum sqlstate failed = value_room(call->scope, (size_t)count * size, &room, call->error);
    if (failed)
        return failed;
    size_t whole = (size_t)count * size;
    struct pace pace = pace_of(call);
    for (size_t done = 0;
         done < whole && !failed;) { /* doubling, until a piece is large enough to be copied on and on */
        size_t had = done < VALUE_STRETCH_BYTES ? done : done / size * size;
        if (had > VALUE_STRETCH_BYTES)
            had = VALUE_STRETCH_BYTES > size ? VALUE_STRETCH_BYTES / size * size : size;
        size_t piece = done == 0 ? size : had < whole - done ? had : whole - done;
        memcpy(room + done, done == 0 ? arguments[0].p : room, piece);
        done += piece;
        failed = pace_step(&pace, piece);
    }
    if (failed)
        return failed;
    return gives(result, bytes_of(room, whole));
}

static enum sqlstate text_reverse(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = value_view(&arguments[0]);
    uint8_t *room;
    enum sqlstate failed = value_room(call->scope, text.size, &room, call->error);
    if (failed)
        return failed;
    struct pace pace = pace_of(call);
    for (size_t at = 0; at < text.size && !failed;) {
        size_t size = character_bytes(text.data[at]);
        memcpy(room + text.size - at - size, text.data + at, size);
        at += size;
        failed = pace_step(&pace, size);
    }
    if (failed)
        return failed;
    return gives(result, bytes_of(room, text.size));
}

/* ---- trimming ---- */

/* Whether the character at the front of `one` is among those of `set`. */
static bool among(struct bytes one, struct bytes set)
{
    size_t size = character_bytes(one.data[0]);
    for (size_t at = 0; at < set.size; at += character_bytes(set.data[at]))
        if (size <= set.size - at && memcmp(set.data + at, one.data, size) == 0)
            return true;
    return false;
}

static struct bytes trimmed(struct bytes text, struct bytes set, bool front, bool back)
{
    while (front && text.size > 0 && among(text, set)) {
        size_t size = character_bytes(text.data[0]);
        text = bytes_of(text.data + size, text.size - size);
    }
    while (back && text.size > 0) {
        size_t last = text.size - 1;
        while (last > 0 && (text.data[last] & 0xc0) == 0x80)
            last--;
        if (!among(bytes_of(text.data + last, text.size - last), set))
            break;
        text.size = last;
    }
    return text;
}

static const struct bytes blank = {(const uint8_t *)" ", 1};

static enum sqlstate btrim(struct call *call, const struct value *arguments, struct value *result)
{
    return gives(result, trimmed(value_view(&arguments[0]), value_view(&arguments[1]), true, true));
}

static enum sqlstate ltrim(struct call *call, const struct value *arguments, struct value *result)
{
    return gives(result, trimmed(value_view(&arguments[0]), value_view(&arguments[1]), true, false));
}

static enum sqlstate rtrim(struct call *call, const struct value *arguments, struct value *result)
{
    return gives(result, trimmed(value_view(&arguments[0]), value_view(&arguments[1]), false, true));
}

static enum sqlstate btrim1(struct call *call, const struct value *arguments, struct value *result)
{
    return gives(result, trimmed(value_view(&arguments[0]), blank, true, true));
}

static enum sqlstate ltrim1(struct call *call, const struct value *arguments, struct value *result)
{
    return gives(result, trimmed(value_view(&arguments[0]), blank, true, false));
}

/* ---- joining and replacing ---- */

static enum sqlstate textcat(struct call *call, const struct value *arguments, struct value *result)
{
    uint8_t *room;
    size_t size = (size_t)arguments[0].size + arguments[1].size;
    enum sqlstate failed = value_room(call->scope, size, &room, call->error);
    if (failed)
        return failed;
    if (arguments[0].size)
        memcpy(room, arguments[0].p, arguments[0].size);
    if (arguments[1].size)
        memcpy(room + arguments[0].size, arguments[1].p, arguments[1].size);
    return gives(result, bytes_of(room, size));
}

static enum sqlstate replace_text(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = value_view(&arguments[0]), from = value_view(&arguments[1]),
                 to = value_view(&arguments[2]);
    if (from.size == 0 || found_at(text, from) == SIZE_MAX)
        return gives(result, text);
    struct text replaced = text_in(call->scope);
    struct pace pace = pace_of(call);
    for (size_t at; (at = found_at(text, from)) != SIZE_MAX;) {
        enum sqlstate failed = pace_step(&pace, at + to.size + 16);
        if (failed)
            return failed;
        text_bytes(&replaced, bytes_of(text.data, at));
        text_bytes(&replaced, to);
        text = bytes_of(text.data + at + from.size, text.size - at - from.size);
    }
    text_bytes(&replaced, text);
    return value_of_text(&replaced, result, call->error);
}

/* Each character of `from` becomes the one at its place in `to`, or nothing. */
static enum sqlstate translate(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = value_view(&arguments[0]), from = value_view(&arguments[1]),
                 to = value_view(&arguments[2]);
    struct text translated = text_in(call->scope);
    struct pace pace = pace_of(call);
    for (size_t at = 0, size; at < text.size; at += size) {
        size = character_bytes(text.data[at]);
        enum sqlstate failed = pace_step(&pace, 8 + from.size);
        if (failed)
            return failed;
        size_t in_from = 0, in_to = 0;
        while (in_from < from.size &&
               !(size <= from.size - in_from && memcmp(from.data + in_from, text.data + at, size) == 0)) {
            in_from += character_bytes(from.data[in_from]);
            in_to += in_to < to.size ? character_bytes(to.data[in_to]) : 0;
        }
        if (in_from >= from.size)
            text_bytes(&translated, bytes_of(text.data + at, size));
        else if (in_to < to.size)
            text_bytes(&translated, bytes_of(to.data + in_to, character_bytes(to.data[in_to])));
    }
    return value_of_text(&translated, result, call->error);
}

/* ---- numbers ---- */

static enum sqlstate hex(struct call *call, uint64_t number, struct value *result)
{
    char *room = scope_alloc(call->scope, 20);
    return gives(result, bytes_of(room, (size_t)snprintf(room, 20, "%llx", (unsigned long long)number)));
}

static enum sqlstate to_hex32(struct call *call, const struct value *arguments, struct value *result)
{
    return hex(call, (uint32_t)arguments[0].i, result);
}

static enum sqlstate to_hex64(struct call *call, const struct value *arguments, struct value *result)
{
    return hex(call, (uint64_t)arguments[0].i, result);
}

/* ---- names ---- */

/* name || oid, the name cut so that the whole is still one. */
static enum sqlstate nameconcatoid(struct call *call, const struct value *arguments, struct value *result)
{
    char suffix[16];
    size_t size = (size_t)snprintf(suffix, sizeof suffix, "_%u", (uint32_t)arguments[1].i);
    struct bytes name = value_view(&arguments[0]);
    if (name.size + size > NAME_BYTES_MAX) {
        name.size = NAME_BYTES_MAX - size;
        name.size = utf8_cut(name);
    }
    struct text joined = text_in(call->scope);
    text_bytes(&joined, name);
    text_append(&joined, suffix);
    return value_of_text(&joined, result, call->error);
}

static enum sqlstate getdatabaseencoding(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    *result = value_text("UTF8");
    return SQLSTATE_OK;
}

/* ---- Unicode ---- */

static bool is_ascii(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 0x80)
            return false;
    return true;
}

static enum sqlstate form_known(struct call *call, const struct value *form)
{
    static const char *const forms[] = {"NFC", "NFD", "NFKC", "NFKD"};
    for (size_t i = 0; i < 4; i++)
        if (form->size == strlen(forms[i]) && strncasecmp((const char *)form->p, forms[i], form->size) == 0)
            return SQLSTATE_OK;
    return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "invalid normalization form: %.*s",
                     (int)form->size, (const char *)form->p);
}

/* All forms of ASCII are ASCII; for the rest we have no tables. */
static enum sqlstate unicode_normalize_func(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    enum sqlstate failed = form_known(call, &arguments[1]);
    if (!failed && !is_ascii(value_view(&arguments[0])))
        failed = error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                           "Unicode normalization of characters beyond ASCII is not supported");
    *result = arguments[0];
    return failed;
}

static enum sqlstate unicode_is_normalized(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    enum sqlstate failed = unicode_normalize_func(call, arguments, result);
    *result = value_boolean(true);
    return failed;
}

static const struct function functions[] = {
    {"textlen", textlen, 0},
    {"bpcharlen", bpcharlen, 0},
    {"textoctetlen", textoctetlen, 0},
    {"bpcharoctetlen", textoctetlen, 0},
    {"RETURN (octet_length($1) * 8)", bit_length, 0},
    {"textpos", textpos, 0},
    {"ascii", ascii, 0},
    {"chr", chr, 0},
    {"text_substr", text_substr, 0},
    {"text_substr_no_len", text_substr_no_len, 0},
    {"textoverlay", textoverlay, 0},
    {"textoverlay_no_len", textoverlay_no_len, 0},
    {"text_left", text_left, 0},
    {"text_right", text_right, 0},
    {"split_part", split_part, 0},
    {"lpad", lpad, 0},
    {"rpad", rpad, 0},
    {"RETURN lpad($1, $2, ' '::text)", lpad_blanks, 0},
    {"RETURN rpad($1, $2, ' '::text)", rpad_blanks, 0},
    {"repeat", repeat, 0},
    {"text_reverse", text_reverse, 0},
    {"btrim", btrim, 0},
    {"ltrim", ltrim, 0},
    {"rtrim", rtrim, 0},
    {"btrim1", btrim1, 0},
    {"ltrim1", ltrim1, 0},
    {"textcat", textcat, 0},
    {"replace_text", replace_text, 0},
    {"translate", translate, 0},
    {"to_hex32", to_hex32, 0},
    {"to_hex64", to_hex64, 0},
    {"nameconcatoid", nameconcatoid, 0},
    {"getdatabaseencoding", getdatabaseencoding, 0},
    {"unicode_normalize_func", unicode_normalize_func, 0},
    {"unicode_is_normalized", unicode_is_normalized, 0},
    {NULL, NULL, 0},
};

const struct library string_library = {.functions = functions};
