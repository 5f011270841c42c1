/* LIKE and ILIKE (PostgreSQL manual, 9.7.1): % any characters, _ one, \ takes the next as it is. */
#include "sqlfront/value/text/text.h"

#include "sqlfront/value/pace.h"

static enum sqlstate ends_with_escape(struct call *call)
{
    return error_set(call->error, SQLSTATE_INVALID_ESCAPE_SEQUENCE,
                     "LIKE pattern must not end with escape character");
}

/* Bytes of the character at the front, one when bytes are compared. */
static size_t step(const uint8_t *at, const uint8_t *end, bool bytes)
{
    size_t size = bytes ? 1 : character_bytes(*at);
    return size > (size_t)(end - at) ? (size_t)(end - at) : size;
}

/* When a comparison fails, the last % takes one character more; those before it need not: what they took was the first that
 * fits, and any other would only leave less. So the time is at most text times pattern. */
static enum sqlstate match(struct call *call, struct bytes text, struct bytes pattern, bool bytes,
                           bool *found)
{
    static const uint8_t nothing[1];
    const uint8_t *t = text.size ? text.data : nothing, *t_end = t + text.size;
    const uint8_t *p = pattern.size ? pattern.data : nothing, *p_end = p + pattern.size;
    const uint8_t *again_t = NULL, *again_p = NULL; /* behind the last % */
    struct pace pace = pace_of(call);
    *found = false;
    for (;;) {
        if (p < p_end && *p == '%') {
            again_p = ++p;
            again_t = t;
            if (p == p_end) {
                *found = true;
                return SQLSTATE_OK;
            }
            continue;
        }
        if (p == p_end && t == t_end) {
            *found = true;
            return SQLSTATE_OK;
        }
        bool same = p < p_end && t < t_end;
        if (same && *p == '_') {
            p++;
            t += step(t, t_end, bytes);
            continue;
        }
        const uint8_t *literal = p;
        if (p < p_end && *p == '\\' && t < t_end && ++literal == p_end)
            return ends_with_escape(call);
        if (same && *literal == *t) {
            p = literal + 1;
            t++;
            continue;
        }
        if (!again_p || again_t >= t_end)
            return SQLSTATE_OK;
        enum sqlstate failed = pace_step(&pace, 1 + (size_t)(t - again_t));
        if (failed)
            return failed;
        again_t += step(again_t, t_end, bytes);
        t = again_t;
        p = again_p;
    }
}

static enum sqlstate like(struct call *call, const struct value *arguments, bool bytes, bool wanted,
                          struct value *result)
{
    bool found;
    enum sqlstate failed = match(call, value_view(&arguments[0]), value_view(&arguments[1]), bytes, &found);
    *result = value_boolean(found == wanted);
    return failed;
}

static enum sqlstate textlike(struct call *call, const struct value *arguments, struct value *result)
{
    return like(call, arguments, false, true, result);
}

static enum sqlstate textnlike(struct call *call, const struct value *arguments, struct value *result)
{
    return like(call, arguments, false, false, result);
}

static enum sqlstate bytealike(struct call *call, const struct value *arguments, struct value *result)
{
    return like(call, arguments, true, true, result);
}

static enum sqlstate byteanlike(struct call *call, const struct value *arguments, struct value *result)
{
    return like(call, arguments, true, false, result);
}

static enum sqlstate ilike(struct call *call, const struct value *arguments, bool wanted,
                           struct value *result)
{
    struct value both[2];
    for (int i = 0; i < 2; i++) {
        enum sqlstate failed = text_lower(call, &arguments[i], &both[i]);
        if (failed)
            return failed;
    }
    return like(call, both, false, wanted, result);
}

static enum sqlstate texticlike(struct call *call, const struct value *arguments, struct value *result)
{
    return ilike(call, arguments, true, result);
}

static enum sqlstate texticnlike(struct call *call, const struct value *arguments, struct value *result)
{
    return ilike(call, arguments, false, result);
}

/* A pattern with another escape, or none, as one with a backslash. */
static enum sqlstate escape_with(struct call *call, const struct value *arguments, bool bytes,
                                 struct value *result)
{
    struct bytes pattern = value_view(&arguments[0]), mark = value_view(&arguments[1]);
    if (mark.size > 0 && step(mark.data, mark.data + mark.size, bytes) != mark.size) {
        enum sqlstate failed =
            error_set(call->error, SQLSTATE_INVALID_ESCAPE_SEQUENCE, "invalid escape string");
        error_add(call->error, ERROR_HINT, "Escape string must be empty or one character.");
        return failed;
    }
    *result = arguments[0];
    if (mark.size == 1 && *mark.data == '\\')
        return SQLSTATE_OK;
    struct text out = text_in(call->scope);
    bool behind_escape = false;
    for (size_t at = 0, size; at < pattern.size; at += size) {
        size = step(pattern.data + at, pattern.data + pattern.size, bytes);
        bool is_mark = mark.size == size && memcmp(mark.data, pattern.data + at, size) == 0;
        if (is_mark && !behind_escape) {
            text_append(&out, "\\");
            behind_escape = true;
            continue;
        }
        if (pattern.data[at] == '\\' && !behind_escape)
            text_append(&out, "\\");
        text_bytes(&out, bytes_of(pattern.data + at, size));
        behind_escape = false;
    }
    return value_of_text(&out, result, call->error);
}

static enum sqlstate like_escape(struct call *call, const struct value *arguments, struct value *result)
{
    return escape_with(call, arguments, false, result);
}

static enum sqlstate like_escape_bytea(struct call *call, const struct value *arguments, struct value *result)
{
    return escape_with(call, arguments, true, result);
}

static const struct function functions[] = {
    {"textlike", textlike, 0},
    {"textnlike", textnlike, 0},
    {"namelike", textlike, 0},
    {"namenlike", textnlike, 0},
    {"texticlike", texticlike, 0},
    {"texticnlike", texticnlike, 0},
    {"nameiclike", texticlike, 0},
    {"nameicnlike", texticnlike, 0},
    {"bytealike", bytealike, 0},
    {"byteanlike", byteanlike, 0},
    {"like_escape", like_escape, 0},
    {"like_escape_bytea", like_escape_bytea, 0},
    {NULL, NULL, 0},
};

const struct library like_library = {.functions = functions};
