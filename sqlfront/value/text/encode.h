/* Bytes as printable text: hex, base64, escape (PostgreSQL manual, 9.5). */
#ifndef SYNOD_SQLFRONT_VALUE_TEXT_ENCODE_H
#define SYNOD_SQLFRONT_VALUE_TEXT_ENCODE_H

#include "base/bytes.h"
#include "base/error.h"

/* Writes 2 characters for each byte. */
void hex_encode(struct bytes bytes, uint8_t *to);

/* Reads pairs of hex digits, blanks allowed between them; `to` has room for half as many bytes. 22023. */
enum sqlstate hex_decode(struct bytes text, uint8_t *to, size_t *size, struct error *error);

/* Characters of the escape form: \\ and \ooo for what is not printable. */
size_t escape_size(struct bytes bytes);
void escape_encode(struct bytes bytes, uint8_t *to);

/* Reads the escape form; `to` has room for as many bytes. 22P02. */
enum sqlstate escape_decode(struct bytes text, uint8_t *to, size_t *size, struct error *error);

#endif
