/* string_agg (PostgreSQL manual, 9.21). The first delimiter is dropped at the end, so it is remembered in case states are
 * joined. */
#include "sqlfront/value/text/text.h"

struct joined {
    struct text text; /* all delimiters and values */
    uint32_t first;   /* bytes of the first delimiter */
    bool any;
};

static enum sqlstate join_step(struct call *call, void *state, const struct value *arguments)
{
    struct joined *joined = state;
    if (arguments[0].null)
        return SQLSTATE_OK;
    if (!joined->any)
        joined->text = text_in(call->scope_lasting);
    struct bytes delimiter = arguments[1].null ? bytes_of("", 0) : value_view(&arguments[1]);
    if (!joined->any)
        joined->first = (uint32_t)delimiter.size;
    joined->any = true;
    text_bytes(&joined->text, delimiter);
    text_bytes(&joined->text, value_view(&arguments[0]));
    if (!joined->text.wanted) /* a batch of long texts is much at once */
        return arguments[0].size < VALUE_STRETCH_BYTES ? SQLSTATE_OK
                                                       : value_breathe(call->environment, call->error);
    const char *whole;
    return text_end(&joined->text, &whole, call->error);
}

static enum sqlstate join_merge(struct call *call, void *into, const void *from)
{
    struct joined *joined = into;
    const struct joined *more = from;
    const char *whole;
    if (!more->any)
        return SQLSTATE_OK;
    if (!joined->any) {
        joined->text = text_in(call->scope_lasting);
        joined->first = more->first;
    }
    joined->any = true;
    text_bytes(&joined->text, bytes_of(more->text.data, more->text.size));
    return text_end(&joined->text, &whole, call->error);
}

static enum sqlstate join_finish(struct call *call, void *state, struct value *result)
{
    struct joined *joined = state;
    *result = value_null();
    if (!joined->any)
        return SQLSTATE_OK;
    enum sqlstate failed = value_of_text(&joined->text, result, call->error);
    if (!failed)
        *result = value_bytes(result->p + joined->first, result->size - joined->first);
    return failed;
}

static enum sqlstate join_save(struct call *call, const void *state, struct bytes *saved)
{
    const struct joined *joined = state;
    *saved = bytes_of(NULL, 0);
    if (!joined->any)
        return SQLSTATE_OK;
    uint8_t *room;
    enum sqlstate failed = value_room(call->scope, 4 + joined->text.size, &room, call->error);
    if (failed)
        return failed;
    memcpy(room, &joined->first, 4);
    if (joined->text.size)
        memcpy(room + 4, joined->text.data, joined->text.size);
    *saved = bytes_of(room, 4 + joined->text.size);
    return SQLSTATE_OK;
}

static enum sqlstate join_load(struct call *call, void *state, struct bytes saved)
{
    struct joined *joined = state;
    const char *whole;
    *joined = (struct joined){.any = saved.size >= 4, .text = text_in(call->scope_lasting)};
    if (!joined->any)
        return SQLSTATE_OK;
    memcpy(&joined->first, saved.data, 4);
    text_bytes(&joined->text, bytes_of(saved.data + 4, saved.size - 4));
    return text_end(&joined->text, &whole, call->error);
}

static const struct aggregate aggregates[] = {
    {"string_agg",
     {TYPE_TEXT, TYPE_TEXT},
     sizeof(struct joined),
     true,
     join_step,
     join_merge,
     join_finish,
     join_save,
     join_load},
    {"string_agg",
     {TYPE_BYTEA, TYPE_BYTEA},
     sizeof(struct joined),
     true,
     join_step,
     join_merge,
     join_finish,
     join_save,
     join_load},
    {0},
};

const struct library text_aggregate_library = {.aggregates = aggregates};
