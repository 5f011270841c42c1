/* PBKDF2 over HMAC-SHA-256 (RFC 8018), one block: SCRAM's "Hi", what makes guessing passwords dear. */
#ifndef SYNOD_BASE_PBKDF2_H
#define SYNOD_BASE_PBKDF2_H

#include "base/sha256.h"

struct scheduler;

/* 4,096 iterations take one or two milliseconds: the fiber lets others run after each PBKDF2_SLICE of them. Not a
 * cancellation point. `scheduler` NULL = in one piece, for tests. Yields. */
#define PBKDF2_SLICE 128
void pbkdf2_sha256(struct scheduler *scheduler, struct bytes password, struct bytes salt, uint32_t iterations,
                   uint8_t key[static SHA256_BYTES]);

#endif
