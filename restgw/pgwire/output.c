#include "restgw/pgwire/output.h"

#include "base/scope.h"

#define NS_PER_MS 1000000UL

static bool buffer_take(struct output *output)
{
    struct output_pool *pool = output->pool;
    void *memory;
    if (output->buffer)
        return true;
    if (output->broken)
        return false;
    if (pool->kept > 0) {
        output->buffer = pool->buffer[--pool->kept];
        return true;
    }
    if (scope_alloc_large(pool->scope, WIRE_BUFFER_BYTES, 64, &memory, output->error)) {
        output->broken = true;
        return false;
    }
    output->buffer = memory;
    return true;
}

void output_drop(struct output *output)
{
    struct output_pool *pool = output->pool;
    if (output->buffer && pool->kept < WIRE_BUFFERS_KEPT)
        pool->buffer[pool->kept++] = output->buffer;
    else if (output->buffer)
        scope_free_large(pool->scope, output->buffer);
    output->buffer = NULL;
    output->used = 0;
}

static void pieces_send(struct output *output, const struct bytes *pieces, size_t count)
{
    struct world *world = output->pool->world;
    if (output->broken)
        return;
    output->sending = true;
    fiber_shield_begin(world->scheduler);
    if (stream_send(output->stream, pieces, count, world->now_ns + output->send_timeout_ms * NS_PER_MS,
                    output->error))
        output->broken = true;
    fiber_shield_end(world->scheduler);
    output->sending = false;
}

enum sqlstate output_flush(struct output *output)
{
    const struct bytes piece = bytes_of(output->buffer, output->used);
    if (output->used > 0)
        pieces_send(output, &piece, 1);
    output_drop(output);
    return output->broken ? output->error->state : SQLSTATE_OK;
}

uint8_t *output_room(struct output *output, size_t size)
{
    if (output->buffer && output->used + size > WIRE_BUFFER_BYTES) {
        const struct bytes piece = bytes_of(output->buffer, output->used);
        pieces_send(output, &piece, 1);
        output->used = 0;
    }
    if (output->broken || !buffer_take(output))
        return NULL;
    return output->buffer + output->used;
}

void output_bytes_otherwise(struct output *output, struct bytes bytes)
{
    if (bytes.size > WIRE_COPY_BYTES_MAX) {
        /* In slices: a client has its time for each of them, not for all. */
        for (size_t at = 0; at < bytes.size; at += WIRE_SLICE_BYTES) {
            size_t left = bytes.size - at;
            const struct bytes pieces[2] = {
                bytes_of(output->buffer, output->used),
                bytes_of(bytes.data + at, left < WIRE_SLICE_BYTES ? left : WIRE_SLICE_BYTES)};
            pieces_send(output, output->used ? pieces : pieces + 1, output->used ? 2 : 1);
            output->used = 0;
        }
        return;
    }
    uint8_t *room = output_room(output, bytes.size);
    if (room) {
        memcpy(room, bytes.data, bytes.size);
        output_taken(output, bytes.size);
    }
}

void output_begin(struct output *output, char type, size_t body)
{
    const uint32_t length = __builtin_bswap32((uint32_t)body + 4);
    uint8_t head[5] = {(uint8_t)type};
    memcpy(head + 1, &length, sizeof length);
    output_bytes(output, bytes_of(head, sizeof head));
}
