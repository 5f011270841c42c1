/* Structured log lines for the operator: a time, a level, an event name, a sentence, key=value pairs.
 *
 *     2026-11-20T16:06:58.123456Z warn core=1 event=log_full "log segment 3 cannot grow" state=53100
 *         message="no room" detail="0 bytes are free"                                     (all in one line)
 *
 * Texts stand in quotes, with escapes for whatever could end them or disturb a terminal: \" \\ \n, \u and
 * four hex digits for a character, \x and two for a byte that is not UTF-8. A line that would be longer than
 * LOG_LINE_BYTES is cut and ends with cut=true.
 *
 * Lines leave through the sink the world provides, which never blocks a core. Secrets are never logged: pass
 * names and sizes, not contents. One line per event name and core and second is written beyond a burst of
 * LOG_BURST; the next line that passes says how many were held back (held_back=12, before the sentence). */
#ifndef SYNOD_BASE_LOG_H
#define SYNOD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct error;
struct log; /* one core's */
struct scope;
struct world;

/* Opens a core's log. `sink` takes one whole line with its newline; it must not yield and must not block for
 * long. Lines below `level` are dropped at the cost of one comparison. */
struct log *log_open(struct scope *scope, enum log_level level,
                     void (*sink)(void *argument, const char *line, size_t bytes), void *sink_argument);

/* Writes one line. `event` is a literal in snake_case; `format` gives the sentence. Does not yield. */
void log_line(struct world *world, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same with an error's state, message and detail as pairs behind the sentence. */
void log_error(struct world *world, enum log_level level, const char *event, const struct error *error,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
