/* Bytes that grow. A failed allocation ends the program with a sentence: a client has nothing to save. */
#ifndef SYNOD_NODE_CLI_BUFFER_H
#define SYNOD_NODE_CLI_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data; /* ends with a zero byte, which `size` leaves out; NULL = empty */
    size_t size, room;
};

/* Memory of the caller's, never NULL. */
void *memory_get(size_t bytes);
void *memory_resize(void *memory, size_t bytes);
char *text_copy(const char *text, size_t bytes);
/* printf() into memory of the caller's. */
char *text_make(const char *format, ...) __attribute__((format(printf, 1, 2)));

void buffer_add(struct buffer *buffer, const char *data, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Empties it; the memory stays. */
void buffer_clear(struct buffer *buffer);
void buffer_free(struct buffer *buffer);
/* Its text, "" when there is none. */
const char *buffer_string(const struct buffer *buffer);

#endif
