/* What goes to a client: messages written into a buffer that is sent when it is full, or when the connection is about to wait
 * for its client. Long values are sent from where they lie.
 *
 * Writing never answers. When sending fails, the output is broken: nothing more is sent, and output_flush() tells. Sending is
 * shielded from cancellation (a cancelled statement must not break the stream in the middle of a message); what ends a client
 * that takes nothing is the deadline, or a reset. */
#ifndef SYNOD_RESTGW_PGWIRE_OUTPUT_H
#define SYNOD_RESTGW_PGWIRE_OUTPUT_H

#include "base/world.h"
#include "restgw/pgwire/limits.h"

/* Buffers in reserve, one core's. */
struct output_pool {
    struct world *world;
    struct scope *scope;
    uint32_t kept;
    uint8_t *buffer[WIRE_BUFFERS_KEPT];
};

struct output {
    struct output_pool *pool;
    struct stream *stream;
    uint32_t send_timeout_ms;
    uint32_t used;
    uint8_t *buffer;     /* NULL while there is nothing in it */
    struct error *error; /* the connection's; says why when `broken` */
    bool broken;
    bool sending; /* a send is under way */
};

/* Sends what is in the buffer. Yields. */
enum sqlstate output_flush(struct output *output);

/* Gives the buffer away without sending. */
void output_drop(struct output *output);

/* Begins a message whose body has that many bytes, which the calls below then write. All may yield. */
void output_begin(struct output *output, char type, size_t body);
static inline void output_bytes(struct output *output, struct bytes bytes);
static inline void output_u8(struct output *output, uint8_t number);
static inline void output_u16(struct output *output, uint16_t number);
static inline void output_u32(struct output *output, uint32_t number);
static inline void output_text(struct output *output, const char *text); /* with its zero byte */

/* Room for `size` <= WIRE_BUFFER_BYTES / 2 more bytes in the buffer, for the caller to fill and to count by
 * output_taken(); NULL when broken. May yield. */
uint8_t *output_room(struct output *output, size_t size);
static inline void output_taken(struct output *output, size_t size)
{
    output->used += (uint32_t)size;
}

/* What does not simply go behind the others. */
void output_bytes_otherwise(struct output *output, struct bytes bytes);

static inline void output_bytes(struct output *output, struct bytes bytes)
{
    if (bytes.size == 0)
        return;
    if (__builtin_expect(!output->buffer || output->broken || bytes.size > WIRE_COPY_BYTES_MAX ||
                             output->used + bytes.size > WIRE_BUFFER_BYTES,
                         0)) {
        output_bytes_otherwise(output, bytes);
        return;
    }
    memcpy(output->buffer + output->used, bytes.data, bytes.size);
    output->used += (uint32_t)bytes.size;
}

static inline void output_u8(struct output *output, uint8_t number)
{
    output_bytes(output, bytes_of(&number, 1));
}

static inline void output_u16(struct output *output, uint16_t number)
{
    const uint16_t big = __builtin_bswap16(number);
    output_bytes(output, bytes_of(&big, sizeof big));
}

static inline void output_u32(struct output *output, uint32_t number)
{
    const uint32_t big = __builtin_bswap32(number);
    output_bytes(output, bytes_of(&big, sizeof big));
}

static inline void output_text(struct output *output, const char *text)
{
    output_bytes(output, bytes_of(text, strlen(text) + 1));
}

#endif
