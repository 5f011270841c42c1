/* One pass over the text builds the tree. Why not a library: those at hand read numbers into doubles or int64 and lose what does
 * not fit, take memory from the system value by value, and cost several microseconds for a small request. */
#include "restgw/http/json_in.h"

#include "base/scope.h"
#include "base/utf8.h"
#include "restgw/http/limits.h"
#include "restgw/http/number.h"

struct reader {
    struct scope *scope;
    struct bytes text;
    size_t at;
    uint32_t depth;
    struct error *error;
};

static enum sqlstate fail(struct reader *reader, const char *what)
{
    return error_set(reader->error, SQLSTATE_PACK('2', '2', 'P', '0', '2'), "%s at byte %zu of the body",
                     what, reader->at + 1);
}

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->text.size) {
        uint8_t byte = reader->text.data[reader->at];
        if (byte != ' ' && byte != '\n' && byte != '\r' && byte != '\t')
            return;
        reader->at++;
    }
}

/* The byte that comes next, 0 at the end. */
static uint8_t peek(const struct reader *reader)
{
    return reader->at < reader->text.size ? reader->text.data[reader->at] : 0;
}

/* ---- strings ---- */

static bool read_hex(struct reader *reader, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t digit = peek(reader), low = digit | 0x20;
        if (digit >= '0' && digit <= '9')
            *value = *value << 4 | (uint32_t)(digit - '0');
        else if (low >= 'a' && low <= 'f')
            *value = *value << 4 | (uint32_t)(low - 'a' + 10);
        else
            return false;
        reader->at++;
    }
    return true;
}

static size_t write_point(uint8_t *to, uint32_t point)
{
    if (point < 0x80) {
        to[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        to[0] = (uint8_t)(0xc0 | point >> 6);
        to[1] = (uint8_t)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        to[0] = (uint8_t)(0xe0 | point >> 12);
        to[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        to[2] = (uint8_t)(0x80 | (point & 0x3f));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | point >> 18);
    to[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
    to[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
    to[3] = (uint8_t)(0x80 | (point & 0x3f));
    return 4;
}

/* Behind "\u". */
static enum sqlstate read_unicode(struct reader *reader, uint8_t *to, size_t *size)
{
    uint32_t point, low;
    if (!read_hex(reader, &point))
        return fail(reader, "four hexadecimal digits are wanted");
    if (point == 0)
        return fail(reader, "U+0000 cannot be stored");
    if (point >= 0xdc00 && point < 0xe000)
        return fail(reader, "half of a surrogate pair");
    if (point >= 0xd800 && point < 0xdc00) {
        if (peek(reader) != '\\')
            return fail(reader, "half of a surrogate pair");
        reader->at++;
        if (peek(reader) != 'u')
            return fail(reader, "half of a surrogate pair");
        reader->at++;
        if (!read_hex(reader, &low) || low < 0xdc00 || low >= 0xe000)
            return fail(reader, "half of a surrogate pair");
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    *size += write_point(to + *size, point);
    return SQLSTATE_OK;
}

static enum sqlstate read_escape(struct reader *reader, uint8_t *to, size_t *size)
{
    static const char named[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    uint8_t byte = peek(reader);
    if (byte == 'u') {
        reader->at++;
        return read_unicode(reader, to, size);
    }
    const char *found = byte ? strchr(named, byte) : NULL;
    if (!found)
        return fail(reader, "there is no such escape");
    reader->at++;
    to[(*size)++] = (uint8_t)meant[found - named];
    return SQLSTATE_OK;
}

/* From reader->at to the closing quote: how many bytes, and whether there are escapes. */
static enum sqlstate scan_string(struct reader *reader, size_t *end, bool *escaped)
{
    const uint8_t *data = reader->text.data;
    size_t at = reader->at, size = reader->text.size;
    *escaped = false;
    while (at < size && data[at] != '"') {
        if (data[at] == '\\') {
            *escaped = true;
            at += 2;
        } else if (data[at] < ' ') {
            reader->at = at;
            return fail(reader, "a control character in a string");
        } else if (data[at] < 0x80) {
            at++;
        } else {
            uint32_t point;
            size_t length = utf8_read(bytes_of(data + at, size - at), &point);
            if (!length) {
                reader->at = at;
                return fail(reader, "what is not UTF-8");
            }
            at += length;
        }
    }
    *end = at;
    if (at < size)
        return SQLSTATE_OK;
    reader->at = size;
    return fail(reader, "a string without its end");
}

/* On the opening quote. */
static enum sqlstate read_string(struct reader *reader, struct bytes *value)
{
    size_t end, size = 0;
    bool escaped;
    void *memory;
    reader->at++;
    enum sqlstate failed = scan_string(reader, &end, &escaped);
    if (failed)
        return failed;
    *value = bytes_of(reader->text.data + reader->at, end - reader->at);
    if (!escaped) {
        reader->at = end + 1;
        return SQLSTATE_OK;
    }
    /* Decoded, a string is never longer than written. */
    if (value->size > SCOPE_CHUNK_BYTES) {
        failed = scope_alloc_large(reader->scope, value->size, 1, &memory, reader->error);
        if (failed)
            return failed;
    } else {
        memory = scope_alloc(reader->scope, value->size);
    }
    uint8_t *to = memory;
    while (reader->at < end) {
        uint8_t byte = reader->text.data[reader->at++];
        if (byte != '\\') {
            to[size++] = byte;
            continue;
        }
        failed = read_escape(reader, to, &size);
        if (failed)
            return failed;
    }
    reader->at = end + 1;
    *value = bytes_of(to, size);
    return SQLSTATE_OK;
}

/* ---- values ---- */

static enum sqlstate read_value(struct reader *reader, struct json *value);

static enum sqlstate read_word(struct reader *reader, const char *word)
{
    size_t size = strlen(word);
    if (reader->text.size - reader->at < size || memcmp(reader->text.data + reader->at, word, size) != 0)
        return fail(reader, "a value is wanted");
    reader->at += size;
    return SQLSTATE_OK;
}

static enum sqlstate read_number(struct reader *reader, struct json *value)
{
    struct bytes rest = bytes_of(reader->text.data + reader->at, reader->text.size - reader->at);
    size_t size = number_length(rest);
    if (!size)
        return fail(reader, "a value is wanted");
    value->text = bytes_of(rest.data, size);
    value->kind = number_integer(value->text, &value->integer) ? HTTP_INTEGER : HTTP_NUMBER;
    reader->at += size;
    return SQLSTATE_OK;
}

static bool order_of_names(const struct json *one, const struct json *other)
{
    return bytes_compare(one->name, other->name) < 0;
}

/* Sorts (a heap, in place) and looks at neighbours: an object of many members must not cost the square of them. */
static bool sorted_twice(const struct json **names, size_t count)
{
    for (size_t end = count, start = count / 2; end > 1;) {
        if (start > 0) {
            start--;
        } else {
            const struct json *last = names[--end];
            names[end] = names[0];
            names[0] = last;
        }
        for (size_t root = start, child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && order_of_names(names[child], names[child + 1]))
                child++;
            if (!order_of_names(names[root], names[child]))
                break;
            const struct json *swapped = names[root];
            names[root] = names[child];
            names[child] = swapped;
        }
    }
    for (size_t i = 1; i < count; i++) {
        if (bytes_compare(names[i - 1]->name, names[i]->name) == 0)
            return true;
    }
    return false;
}

static enum sqlstate refuse_twice(struct reader *reader, const struct json *object)
{
    bool twice = false;
    if (object->count <= 16) {
        for (const struct json *one = object->children; one && !twice; one = one->next) {
            for (const struct json *other = one->next; other && !twice; other = other->next)
                twice = bytes_compare(one->name, other->name) == 0;
        }
    } else {
        void *memory;
        size_t index = 0;
        enum sqlstate failed = scope_alloc_large(reader->scope, object->count * sizeof(struct json *),
                                                 sizeof(void *), &memory, reader->error);
        if (failed)
            return failed;
        const struct json **names = memory;
        for (const struct json *one = object->children; one; one = one->next)
            names[index++] = one;
        twice = sorted_twice(names, object->count);
        scope_free_large(reader->scope, memory);
    }
    return twice ? fail(reader, "a name stands twice in the object that ends") : SQLSTATE_OK;
}

/* One child: of an object with its name. */
static enum sqlstate read_child(struct reader *reader, struct json *parent, struct json ***place)
{
    struct json *child = scope_alloc_zeroed(reader->scope, sizeof *child);
    enum sqlstate failed = SQLSTATE_OK;
    skip_blanks(reader);
    if (parent->kind == HTTP_OBJECT) {
        if (peek(reader) != '"')
            return fail(reader, "a name in quotes is wanted");
        failed = read_string(reader, &child->name);
        skip_blanks(reader);
        if (!failed && peek(reader) != ':')
            failed = fail(reader, "a colon is wanted");
        reader->at++;
    }
    if (!failed)
        failed = read_value(reader, child);
    parent->count++;
    **place = child;
    *place = &child->next;
    return failed ? failed : scope_check_budget(reader->scope, reader->error);
}

/* On the opening bracket. */
static enum sqlstate read_children(struct reader *reader, struct json *value)
{
    uint8_t close = value->kind == HTTP_OBJECT ? '}' : ']';
    struct json **place = &value->children;
    if (++reader->depth > JSON_DEPTH_MAX)
        return error_set(reader->error, SQLSTATE_STATEMENT_TOO_COMPLEX,
                         "the body is more than %d levels deep", JSON_DEPTH_MAX);
    reader->at++;
    skip_blanks(reader);
    if (peek(reader) == close) {
        reader->at++;
        reader->depth--;
        return SQLSTATE_OK;
    }
    for (;;) {
        enum sqlstate failed = read_child(reader, value, &place);
        if (failed)
            return failed;
        skip_blanks(reader);
        uint8_t byte = peek(reader);
        if (byte != ',' && byte != close)
            return fail(reader, close == '}' ? "a comma or } is wanted" : "a comma or ] is wanted");
        reader->at++;
        if (byte == ',')
            continue;
        reader->depth--;
        return value->kind == HTTP_OBJECT ? refuse_twice(reader, value) : SQLSTATE_OK;
    }
}

static enum sqlstate read_value(struct reader *reader, struct json *value)
{
    skip_blanks(reader);
    switch (peek(reader)) {
    case '{':
        value->kind = HTTP_OBJECT;
        return read_children(reader, value);
    case '[':
        value->kind = HTTP_ARRAY;
        return read_children(reader, value);
    case '"':
        value->kind = HTTP_STRING;
        return read_string(reader, &value->text);
    case 't':
    case 'f':
        value->kind = HTTP_BOOLEAN;
        value->truth = peek(reader) == 't';
        return read_word(reader, value->truth ? "true" : "false");
    case 'n':
        value->kind = HTTP_NULL;
        return read_word(reader, "null");
    default:
        return read_number(reader, value);
    }
}

enum sqlstate json_read(struct scope *scope, struct bytes text, const struct json **value,
                        struct error *error)
{
    struct reader reader = {.scope = scope, .text = text, .error = error};
    struct json *root = scope_alloc_zeroed(scope, sizeof *root);
    enum sqlstate failed = read_value(&reader, root);
    skip_blanks(&reader);
    if (!failed && reader.at < text.size)
        failed = fail(&reader, "something behind the value");
    *value = root;
    return failed;
}

/* ---- looking into it ---- */

const struct json *json_member(const struct json *object, const char *name)
{
    struct bytes wanted = bytes_of_text(name);
    for (const struct json *member = object->children; member; member = member->next) {
        if (member->name.size == wanted.size && memcmp(member->name.data, wanted.data, wanted.size) == 0)
            return member;
    }
    return NULL;
}

struct bytes json_text(const struct json *object, const char *name)
{
    const struct json *member = json_member(object, name);
    return member && member->kind == HTTP_STRING ? member->text : bytes_of(NULL, 0);
}

int64_t json_integer(const struct json *object, const char *name, int64_t otherwise)
{
    const struct json *member = json_member(object, name);
    return member && member->kind == HTTP_INTEGER ? member->integer : otherwise;
}

bool json_truth(const struct json *object, const char *name, bool otherwise)
{
    const struct json *member = json_member(object, name);
    return member && member->kind == HTTP_BOOLEAN ? member->truth : otherwise;
}
