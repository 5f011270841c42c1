/* Verifiers of passwords, as pg_authid keeps them (RFC 5803). A door of the folder. */
#ifndef SYNOD_SQLFRONT_CATALOG_SCRAM_H
#define SYNOD_SQLFRONT_CATALOG_SCRAM_H

#include "base/world.h"

/* "SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>" with a fresh salt, in the scope. Takes some 3 ms. */
const char *scram_verifier(struct world *world, struct scope *scope, const char *password);

/* Whether a text is such a verifier, to be kept as it is. */
bool scram_is_verifier(const char *text);

#endif
