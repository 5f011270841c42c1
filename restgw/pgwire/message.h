/* What clients send, decoded: views into the message's bytes, checked for bounds. Knows no connection, so that any bytes can be
 * tried on it. A false answer means that the message is malformed (08P01). */
#ifndef SYNOD_RESTGW_PGWIRE_MESSAGE_H
#define SYNOD_RESTGW_PGWIRE_MESSAGE_H

#include "base/bytes.h"
#include "base/scope.h"
#include "restgw/pgwire/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- before a session ---- */

enum startup_kind { STARTUP_SESSION, STARTUP_TLS, STARTUP_GSS, STARTUP_CANCEL };

struct startup {
    enum startup_kind kind;
    uint16_t major, minor;
    uint32_t process, key; /* CANCEL */
    const char *role;      /* SESSION; "" = none was named */
    const char *database;  /* "" = none */
    const char *options;   /* "" = none */
    uint32_t parameters;   /* others: name, value pairs */
    const char *parameter[2 * WIRE_STARTUP_PARAMETERS_MAX];
    uint32_t unknown; /* names that begin with _pq_., which are about the protocol */
    const char *unknown_name[WIRE_STARTUP_PARAMETERS_MAX];
    bool replication;
};

/* `packet` is what stands behind the length. */
bool startup_read(struct bytes packet, struct startup *startup);

/* ---- within a session ---- */

/* The longest body a message of this type may have; 0 = there is no such message. */
uint32_t message_bytes_max(uint8_t type);

/* Whether it holds a statement's text: if that is too long, the statement is refused, not the client. */
bool message_is_text(uint8_t type);

/* A body that is one text: Query, CopyFail. */
bool message_read_text(struct bytes body, const char **text);

struct message_parse {
    const char *name, *text;
    uint32_t types;
    const uint32_t *type; /* of the scope */
};
bool message_read_parse(struct bytes body, struct scope *scope, struct message_parse *parse);

/* Lists of so many things lie in the message itself; longer ones in a scope, which is opened for them. */
#define MESSAGE_FEW 8

struct message_bind {
    /* Of long lists; NULL = there are none. Who had the message read closes it, malformed or not. */
    struct scope *scope;
    const char *portal, *statement;
    uint32_t formats;
    const int16_t *format;
    uint32_t values;
    const struct bytes *value; /* data NULL = null */
    uint32_t result_formats;
    const int16_t *result_format;
    struct bytes few_values[MESSAGE_FEW];
    int16_t few_formats[MESSAGE_FEW], few_result_formats[MESSAGE_FEW];
};
bool message_read_bind(struct bytes body, struct scope *parent, struct message_bind *bind);

/* Describe and Close. */
bool message_read_name(struct bytes body, char *thing, const char **name);

bool message_read_execute(struct bytes body, const char **portal, uint32_t *rows_max);

#endif
