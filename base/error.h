/* Errors that the outside causes: the world failed, or the user erred.
 *
 * A function that can fail gives an `enum sqlstate`: SQLSTATE_OK, or the state of the error it wrote, once,
 * at the place that knows, into the `struct error` it was passed. Callers pass both up untouched:
 *
 *     enum sqlstate failed = disk_read(w, scope, file, buffer, error);
 *     if (failed)
 *         return failed;
 *
 * "Not found" is an answer, not an error. Our own broken rules are check()s (check.h). */
#ifndef SYNOD_BASE_ERROR_H
#define SYNOD_BASE_ERROR_H

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Five characters of 0-9 A-Z in six bits each, the first in the lowest bits: PostgreSQL's own packing, so
 * that "00000" is 0 and the class (the first two characters) is `state & 0xfff`. */
#define SQLSTATE_PACK(a, b, c, d, e)                                                     \
    ((((a) - '0') & 0x3f) | ((((b) - '0') & 0x3f) << 6) | ((((c) - '0') & 0x3f) << 12) | \
     ((((d) - '0') & 0x3f) << 18) | ((((e) - '0') & 0x3f) << 24))

/* The states the house itself raises; PostgreSQL manual, appendix A. sqlfront/ adds the ones only SQL needs.
 */
enum [[nodiscard]] sqlstate{
    SQLSTATE_OK = 0,
    SQLSTATE_CONNECTION_EXCEPTION = SQLSTATE_PACK('0', '8', '0', '0', '0'),
    SQLSTATE_CONNECTION_DOES_NOT_EXIST = SQLSTATE_PACK('0', '8', '0', '0', '3'),
    SQLSTATE_CONNECTION_FAILURE = SQLSTATE_PACK('0', '8', '0', '0', '6'),
    SQLSTATE_PROTOCOL_VIOLATION = SQLSTATE_PACK('0', '8', 'P', '0', '1'),
    SQLSTATE_FEATURE_NOT_SUPPORTED = SQLSTATE_PACK('0', 'A', '0', '0', '0'),
    SQLSTATE_DATA_EXCEPTION = SQLSTATE_PACK('2', '2', '0', '0', '0'),
    SQLSTATE_INVALID_PARAMETER_VALUE = SQLSTATE_PACK('2', '2', '0', '2', '3'),
    SQLSTATE_ACTIVE_SQL_TRANSACTION = SQLSTATE_PACK('2', '5', '0', '0', '1'),
    SQLSTATE_READ_ONLY_SQL_TRANSACTION = SQLSTATE_PACK('2', '5', '0', '0', '6'),
    SQLSTATE_INVALID_TRANSACTION_STATE = SQLSTATE_PACK('2', '5', '0', '0', '0'),
    SQLSTATE_INVALID_AUTHORIZATION = SQLSTATE_PACK('2', '8', '0', '0', '0'),
    SQLSTATE_SERIALIZATION_FAILURE = SQLSTATE_PACK('4', '0', '0', '0', '1'),
    SQLSTATE_STATEMENT_COMPLETION_UNKNOWN = SQLSTATE_PACK('4', '0', '0', '0', '3'),
    SQLSTATE_DEADLOCK_DETECTED = SQLSTATE_PACK('4', '0', 'P', '0', '1'),
    SQLSTATE_DUPLICATE_TABLE = SQLSTATE_PACK('4', '2', 'P', '0', '7'),
    SQLSTATE_UNDEFINED_TABLE = SQLSTATE_PACK('4', '2', 'P', '0', '1'),
    SQLSTATE_INSUFFICIENT_RESOURCES = SQLSTATE_PACK('5', '3', '0', '0', '0'),
    SQLSTATE_DISK_FULL = SQLSTATE_PACK('5', '3', '1', '0', '0'),
    SQLSTATE_OUT_OF_MEMORY = SQLSTATE_PACK('5', '3', '2', '0', '0'),
    SQLSTATE_TOO_MANY_CONNECTIONS = SQLSTATE_PACK('5', '3', '3', '0', '0'),
    SQLSTATE_CONFIGURATION_LIMIT_EXCEEDED = SQLSTATE_PACK('5', '3', '4', '0', '0'),
    SQLSTATE_PROGRAM_LIMIT_EXCEEDED = SQLSTATE_PACK('5', '4', '0', '0', '0'),
    SQLSTATE_STATEMENT_TOO_COMPLEX = SQLSTATE_PACK('5', '4', '0', '0', '1'),
    SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE = SQLSTATE_PACK('5', '5', '0', '0', '0'),
    SQLSTATE_OBJECT_IN_USE = SQLSTATE_PACK('5', '5', '0', '0', '6'),
    SQLSTATE_LOCK_NOT_AVAILABLE = SQLSTATE_PACK('5', '5', 'P', '0', '3'),
    SQLSTATE_OPERATOR_INTERVENTION = SQLSTATE_PACK('5', '7', '0', '0', '0'),
    SQLSTATE_QUERY_CANCELED = SQLSTATE_PACK('5', '7', '0', '1', '4'),
    SQLSTATE_ADMIN_SHUTDOWN = SQLSTATE_PACK('5', '7', 'P', '0', '1'),
    SQLSTATE_CRASH_SHUTDOWN = SQLSTATE_PACK('5', '7', 'P', '0', '2'),
    SQLSTATE_CANNOT_CONNECT_NOW = SQLSTATE_PACK('5', '7', 'P', '0', '3'),
    SQLSTATE_IDLE_SESSION_TIMEOUT = SQLSTATE_PACK('5', '7', 'P', '0', '5'),
    SQLSTATE_SYSTEM_ERROR = SQLSTATE_PACK('5', '8', '0', '0', '0'),
    SQLSTATE_IO_ERROR = SQLSTATE_PACK('5', '8', '0', '3', '0'),
    SQLSTATE_UNDEFINED_FILE = SQLSTATE_PACK('5', '8', 'P', '0', '1'),
    SQLSTATE_DUPLICATE_FILE = SQLSTATE_PACK('5', '8', 'P', '0', '2'),
    SQLSTATE_CONFIG_FILE_ERROR = SQLSTATE_PACK('F', '0', '0', '0', '0'),
    SQLSTATE_LOCK_FILE_EXISTS = SQLSTATE_PACK('F', '0', '0', '0', '1'),
    SQLSTATE_INTERNAL_ERROR = SQLSTATE_PACK('X', 'X', '0', '0', '0'),
    SQLSTATE_DATA_CORRUPTED = SQLSTATE_PACK('X', 'X', '0', '0', '1'),
    SQLSTATE_INDEX_CORRUPTED = SQLSTATE_PACK('X', 'X', '0', '0', '2'),
};

/* Writes the five characters and a zero byte. */
void sqlstate_text(enum sqlstate state, char text[static 6]);

/* The fields of PostgreSQL's ErrorResponse that are texts (PostgreSQL manual, 55.8). */
enum error_field {
    ERROR_MESSAGE,
    ERROR_DETAIL,
    ERROR_HINT,
    ERROR_CONTEXT,
    ERROR_SCHEMA,
    ERROR_TABLE,
    ERROR_COLUMN,
    ERROR_DATATYPE,
    ERROR_CONSTRAINT,
    ERROR_FIELDS
};

/* One error. Owned by whoever declared it; holds its own text, so it outlives every scope. */
struct error {
    enum sqlstate state;          /* SQLSTATE_OK while nothing happened */
    uint32_t position;            /* in the statement, in characters from 1; 0 = none */
    uint16_t room_used;           /* bytes of room in use */
    uint16_t field[ERROR_FIELDS]; /* offset in room + 1 of each text; 0 = absent */
    char room[ERROR_ROOM_BYTES];  /* zero-terminated texts, one behind the other */
};

/* Makes the error empty. A declared error starts with this, or as `struct error error = {0};`. */
void error_clear(struct error *error);

/* Sets state and message, forgetting what was there. Gives `state`, so that `return error_set(…)` reads well.
 * Text that does not fit is cut at a UTF-8 character border. `state` must not be SQLSTATE_OK. */
enum sqlstate error_set(struct error *error, enum sqlstate state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds one more text (or replaces it) to an error that was set. */
void error_add(struct error *error, enum error_field field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A text of the error, or NULL when it has none. Valid until the error changes. */
const char *error_text(const struct error *error, enum error_field field);

#endif
