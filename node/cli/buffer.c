/* Growing bytes (buffer.h). */
#include "node/cli/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory)
        return memory;
    fputs("synod: out of memory\n", stderr);
    exit(1);
}

void *memory_get(size_t bytes)
{
    return must(calloc(1, bytes ? bytes : 1));
}

void *memory_resize(void *memory, size_t bytes)
{
    return must(realloc(memory, bytes ? bytes : 1));
}

char *text_copy(const char *text, size_t bytes)
{
    char *copy = memory_get(bytes + 1);
    memcpy(copy, text, bytes);
    return copy;
}

char *text_make(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    return must(size < 0 ? NULL : text);
}

void buffer_add(struct buffer *buffer, const char *data, size_t size)
{
    if (buffer->size + size + 1 > buffer->room) {
        buffer->room = 2 * (buffer->size + size + 1);
        buffer->data = memory_resize(buffer->data, buffer->room);
    }
    if (size)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    must(size < 0 ? NULL : text);
    buffer_add(buffer, text, (size_t)size);
    free(text);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data)
        buffer->data[0] = 0;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

const char *buffer_string(const struct buffer *buffer)
{
    return buffer->data ? buffer->data : "";
}
