/* A connection of two streams in memory. */
#include "test/unit/pipe_stream.h"

#include "test/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static struct pipe_end *end_of(struct stream *stream)
{
    return container_of(stream, struct pipe_end, stream);
}

static enum sqlstate broken(struct error *error)
{
    return error_set(error, SQLSTATE_CONNECTION_FAILURE, "connection reset by peer");
}

/* Waits in the queue; an error when the wait ended otherwise than by being woken. */
static enum sqlstate wait_in(struct pipe *pipe, struct fiber_queue *queue, uint64_t deadline_ns,
                             struct error *error)
{
    if (pipe->on_wait)
        pipe->on_wait(pipe->on_wait_argument, pipe->waits);
    pipe->waits++;
    switch (fiber_wait(pipe->scheduler, queue, deadline_ns)) {
    case FIBER_WOKEN:
        return SQLSTATE_OK;
    case FIBER_TIMED_OUT:
        return error_set(error, SQLSTATE_IDLE_SESSION_TIMEOUT, "the deadline has come");
    default:
        return fiber_check_canceled(pipe->scheduler, error);
    }
}

static void break_pipe(struct pipe *pipe)
{
    pipe->reset = true;
    for (int i = 0; i < 2; i++) {
        fiber_wake_all(&pipe->ways[i].readers);
        fiber_wake_all(&pipe->ways[i].writers);
    }
}

/* Bytes that have arrived, as far as faults let them through. */
static size_t arrived(const struct pipe_way *way)
{
    uint64_t limit = way->stall_after < way->cut_after ? way->stall_after : way->cut_after;
    if (way->received >= limit)
        return 0;
    return limit - way->received < way->used ? (size_t)(limit - way->received) : way->used;
}

static bool at_end(const struct pipe_way *way)
{
    if (way->received >= way->stall_after)
        return false;
    return way->received >= way->cut_after || (way->ended && !way->used);
}

static void take_out(struct pipe_end *end, size_t size)
{
    struct pipe_way *way = end->in;
    end->view = malloc(size);
    for (size_t i = 0; i < size; i++, way->received++) {
        end->view[i] = way->buffer[way->received % end->pipe->room];
        if (way->received == way->flip_at)
            end->view[i] ^= 0x10;
    }
    way->used -= size;
    fiber_wake_all(&way->writers);
}

static enum sqlstate pipe_receive(struct stream *stream, struct bytes *view, uint64_t deadline_ns,
                                  struct error *error)
{
    struct pipe_end *end = end_of(stream);
    struct pipe *pipe = end->pipe;
    free(end->view);
    end->view = NULL;
    *view = bytes_of(NULL, 0);
    while (!pipe->reset && !end->broken) {
        size_t size = arrived(end->in);
        if (size) {
            size_t most = size < pipe->chunk_max ? size : pipe->chunk_max;
            size_t chunk = 1 + (size_t)unit_random_below(&pipe->random, most);
            take_out(end, chunk);
            *view = bytes_of(end->view, chunk);
            return SQLSTATE_OK;
        }
        if (at_end(end->in))
            return SQLSTATE_OK;
        enum sqlstate failed = wait_in(pipe, &end->in->readers, deadline_ns, error);
        if (failed)
            return failed;
    }
    return broken(error);
}

/* Bytes of `wanted` that can go in now; all of them when nobody will receive them. */
static size_t put_in(struct pipe *pipe, struct pipe_way *way, const uint8_t *data, size_t wanted)
{
    bool lost = way->lost || way->sent >= way->cut_after;
    size_t room = lost ? wanted : pipe->room - way->used;
    size_t size = wanted < room ? wanted : room;
    if (pipe->records) {
        way->tape = realloc(way->tape, way->sent + size + 1);
        memcpy(way->tape + way->sent, data, size);
    }
    for (size_t i = 0; i < size && !lost; i++)
        way->buffer[(way->sent + i) % pipe->room] = data[i];
    way->sent += size;
    way->used += lost ? 0 : size;
    fiber_wake_all(&way->readers);
    return size;
}

static enum sqlstate send_piece(struct pipe_end *end, struct bytes piece, uint64_t deadline_ns,
                                struct error *error)
{
    struct pipe *pipe = end->pipe;
    struct pipe_way *way = end->out;
    while (piece.size && !pipe->reset && !end->broken) {
        if (way->sent + piece.size > way->reset_after)
            break_pipe(pipe);
        size_t size = put_in(pipe, way, piece.data, piece.size);
        piece = bytes_of(piece.data + size, piece.size - size);
        enum sqlstate failed = size ? SQLSTATE_OK : wait_in(pipe, &way->writers, deadline_ns, error);
        if (failed)
            return failed;
    }
    return pipe->reset || end->broken ? broken(error) : SQLSTATE_OK;
}

static enum sqlstate pipe_send(struct stream *stream, const struct bytes *pieces, size_t count,
                               uint64_t deadline_ns, struct error *error)
{
    struct pipe_end *end = end_of(stream);
    enum sqlstate failed = end->out->ended ? broken(error) : SQLSTATE_OK;
    for (size_t i = 0; i < count && !failed; i++)
        failed = send_piece(end, pieces[i], deadline_ns, error);
    end->broken |= failed != SQLSTATE_OK;
    return failed;
}

static enum sqlstate pipe_shutdown(struct stream *stream, uint64_t deadline_ns, struct error *error)
{
    struct pipe_end *end = end_of(stream);
    if (end->pipe->reset || end->broken)
        return broken(error);
    end->out->ended = true;
    fiber_wake_all(&end->out->readers);
    return SQLSTATE_OK;
}

static void pipe_reset(struct stream *stream)
{
    break_pipe(end_of(stream)->pipe);
}

static const struct stream_ops pipe_ops = {
    .receive = pipe_receive, .send = pipe_send, .shutdown = pipe_shutdown, .reset = pipe_reset};

void pipe_open(struct pipe *pipe, struct scheduler *scheduler, uint64_t seed, size_t room, size_t chunk_max)
{
    *pipe = (struct pipe){.scheduler = scheduler, .random = seed, .room = room, .chunk_max = chunk_max};
    for (int i = 0; i < 2; i++) {
        struct pipe_way *way = &pipe->ways[i];
        way->cut_after = way->reset_after = way->stall_after = way->flip_at = PIPE_NEVER;
        way->buffer = malloc(room);
        fiber_queue_init(&way->readers);
        fiber_queue_init(&way->writers);
        pipe->ends[i] = (struct pipe_end){
            .stream.ops = &pipe_ops, .pipe = pipe, .out = &pipe->ways[i], .in = &pipe->ways[1 - i]};
    }
}

void pipe_close(struct pipe *pipe)
{
    for (int i = 0; i < 2; i++) {
        free(pipe->ways[i].buffer);
        free(pipe->ways[i].tape);
        free(pipe->ends[i].view);
    }
}

void pipe_end_close(struct pipe_end *end)
{
    end->out->ended = true;
    end->in->lost = true;
    end->in->used = 0;
    fiber_wake_all(&end->out->readers);
    fiber_wake_all(&end->in->writers);
}
