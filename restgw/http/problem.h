/* Problem documents (RFC 9457): how every failure is said to a client of the REST interface.
 *
 *     {"type":"urn:synod:problem:serialization-failure","title":"Serialization failure","status":409,
 *      "detail":"could not serialize access ...","sqlstate":"40001", ... ,"transaction_state":"failed","retry":"transaction"}
 *
 * The members of an error of SQL stand under their own names; its DETAIL is `error_detail`, its message `detail`. The members `retry` and `transaction_state` are what drivers act upon. */
#ifndef SYNOD_RESTGW_HTTP_PROBLEM_H
#define SYNOD_RESTGW_HTTP_PROBLEM_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct json_out;

/* What the client may do about it. */
enum problem_retry {
    PROBLEM_NEVER,
    PROBLEM_STATEMENT,   /* send the statement again */
    PROBLEM_TRANSACTION, /* run the transaction again */
    PROBLEM_SESSION,     /* open a session, then again */
    PROBLEM_AFTER_DELAY, /* the same again after retry_after_ms */
    PROBLEM_ASK_OUTCOME, /* GET /v1/transactions/{id} says what came of it */
};

/* All texts are borrowed for the call that writes them. Absent ones are NULL. */
struct problem {
    const char *type;  /* slug: "serialization-failure" */
    const char *title; /* a sentence's beginning, the same for all of one type */
    int status;
    enum problem_retry retry;
    uint32_t retry_after_ms;   /* also becomes Retry-After, in seconds rounded up; 0 = none */
    const char *detail;        /* overrides the error's message */
    const struct error *error; /* NULL, or what SQLSTATE, message, detail, hint, position, names come from */
    const char *transaction_state; /* none | active | failed | rolled_back | unknown; NULL = none */
    const char *transaction_id;    /* NULL = null */
    int32_t statement_index;       /* within a batch; -1 = absent */
    const char *allow;             /* 405: becomes the header Allow */
    const char *authenticate;      /* 401: becomes WWW-Authenticate; NULL = Bearer */
    const uint8_t *request_id;     /* 16 bytes; http_problem() sets it */
};

/* A problem of the gateway itself: `type` is one of the slugs below. */
struct problem problem_make(int status, const char *type, const char *title, const char *detail);

/* The problem an SQL error is: status, type, title and retry by its SQLSTATE. Never a 5xx for what a statement's
 * author did. */
struct problem problem_of(const struct error *error);

/* Writes the document as one object. */
void problem_write(const struct problem *problem, struct json_out *out);

const char *problem_retry_text(enum problem_retry retry);

#endif
