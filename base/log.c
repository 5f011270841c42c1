/* Log lines: composed on the stack, bounded, and safe to read.
 *
 * What comes from outside (names, messages of errors, words of clients) stands in quotes with everything
 * escaped that could end the quotes or the line, move the cursor of a terminal, or turn the direction of
 * writing: nobody can forge a line. Fixed parts come first, so that cutting never takes them.
 *
 * Holding back: each event has a bucket of LOG_BURST tokens that gains one a second; a line takes one. */
#include "base/log.h"
#include "base/check.h"
#include "base/error.h"
#include "base/scope.h"
#include "base/utf8.h"
#include "base/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ULL

/* How much of one event may still be said. */
struct event {
    const char *name;    /* NULL: free */
    uint64_t counted_ns; /* up to when tokens were added */
    uint64_t held_back;  /* lines since the last one written */
    uint32_t tokens;
};

struct log {
    enum log_level level;
    void (*sink)(void *argument, const char *line, size_t bytes);
    void *sink_argument;
    struct event events[LOG_EVENTS_MAX]; /* hashed by name, linear probing */
    struct event others;                 /* shared by the names that found no place */
};

struct log *log_open(struct scope *scope, enum log_level level,
                     void (*sink)(void *argument, const char *line, size_t bytes), void *sink_argument)
{
    struct log *log = scope_alloc_zeroed(scope, sizeof *log);
    log->level = level;
    log->sink = sink;
    log->sink_argument = sink_argument;
    return log;
}

/* ---- holding back ---- */

static struct event *event_find(struct log *log, const char *name, uint64_t now_ns)
{
    uint32_t hash = 2166136261U; /* FNV-1a; the names are our own literals */
    for (const char *at = name; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619U;
    struct event *event = &log->others;
    for (uint32_t i = 0; i < LOG_EVENTS_MAX; i++) {
        struct event *place = &log->events[(hash + i) % LOG_EVENTS_MAX];
        if (place->name && strcmp(place->name, name) != 0)
            continue;
        event = place;
        break;
    }
    if (!event->name)
        *event = (struct event){.name = name, .counted_ns = now_ns, .tokens = LOG_BURST};
    return event;
}

/* Takes a token; false when there is none, and the line is held back. */
static bool event_take(struct event *event, uint64_t now_ns)
{
    uint64_t seconds = (now_ns - event->counted_ns) / SECOND_NS;
    event->counted_ns += seconds * SECOND_NS;
    event->tokens = seconds < LOG_BURST - event->tokens ? event->tokens + (uint32_t)seconds : LOG_BURST;
    if (event->tokens == 0) {
        event->held_back++;
        return false;
    }
    event->tokens--;
    return true;
}

/* ---- a line ---- */

static const char cut_mark[] = " cut=true";

/* What may follow a text that filled the line: its quote, the mark, the newline. */
#define LINE_TAIL_BYTES (1 + (sizeof cut_mark - 1) + 1)

struct line {
    size_t used;
    bool cut; /* something did not fit; nothing more is put */
    char text[LOG_LINE_BYTES];
};

/* Puts all of it or nothing. */
static void put(struct line *line, const char *text, size_t bytes)
{
    if (line->cut || line->used + bytes > sizeof line->text - LINE_TAIL_BYTES) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->used, text, bytes);
    line->used += bytes;
}

__attribute__((format(printf, 2, 3))) static void put_format(struct line *line, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(line, text, (size_t)bytes < sizeof text ? (size_t)bytes : sizeof text - 1);
}

/* Control characters, line and paragraph separators, and what turns the direction of writing. */
static bool is_harmful(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069);
}

/* The text in quotes behind `lead`. */
static void put_quoted(struct line *line, const char *lead, const char *text)
{
    put_format(line, "%s\"", lead);
    if (line->cut)
        return;
    for (const char *end = text + strlen(text); text < end && !line->cut;) {
        uint32_t point;
        size_t length = utf8_read(bytes_of(text, (size_t)(end - text)), &point);
        if (length == 0)
            put_format(line, "\\x%02x", (uint8_t)*text);
        else if (point == '"' || point == '\\')
            put_format(line, "\\%c", (int)point);
        else if (point == '\n')
            put(line, "\\n", 2);
        else if (is_harmful(point))
            put_format(line, "\\u%04x", point);
        else
            put(line, text, length);
        text += length ? length : 1;
    }
    line->text[line->used++] = '"'; /* the tail has room for it */
}

/* Days since 1970-01-01 as a date of the Gregorian calendar. Counts in years that begin in March, so that the
 * leap day is the last of its year, and in eras of 400 years = 146,097 days. */
static void put_date(struct line *line, int64_t days)
{
    days += 719468; /* since 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* March = 0; five months have 153 days */
    int64_t day = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    put_format(line, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, year + era * 400 + (month <= 2), month, day);
}

static void put_time(struct line *line, int64_t wall_us)
{
    int64_t day_us = 86400 * INT64_C(1000000);
    int64_t days = wall_us / day_us - (wall_us % day_us < 0);
    int64_t us = wall_us - days * day_us;
    int64_t seconds = us / 1000000;
    put_date(line, days);
    put_format(line, "T%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%06" PRId64 "Z", seconds / 3600,
               seconds / 60 % 60, seconds % 60, us % 1000000);
}

static void put_error(struct line *line, const struct error *error)
{
    char state[6];
    sqlstate_text(error->state, state);
    put_format(line, " state=%s", state);
    if (error_text(error, ERROR_MESSAGE))
        put_quoted(line, " message=", error_text(error, ERROR_MESSAGE));
    if (error_text(error, ERROR_DETAIL))
        put_quoted(line, " detail=", error_text(error, ERROR_DETAIL));
}

static void write_line(struct world *world, enum log_level level, const char *name, const struct error *error,
                       const char *format, va_list arguments)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    struct log *log = world->log;
    struct event *event = event_find(log, name, world->now_ns);
    if (!event_take(event, world->now_ns))
        return;
    struct line line;
    line.used = 0;
    line.cut = false;
    put_time(&line, world_wall(world));
    put_format(&line, " %s core=%" PRIu32 " event=%s", levels[level], world->core, name);
    if (event->held_back)
        put_format(&line, " held_back=%" PRIu64, event->held_back);
    event->held_back = 0;
    char sentence[LOG_LINE_BYTES]; /* one that fills it fills the line, too */
    vsnprintf(sentence, sizeof sentence, format, arguments);
    put_quoted(&line, " ", sentence);
    if (error)
        put_error(&line, error);
    if (line.cut) {
        memcpy(line.text + line.used, cut_mark, sizeof cut_mark - 1);
        line.used += sizeof cut_mark - 1;
    }
    line.text[line.used++] = '\n';
    log->sink(log->sink_argument, line.text, line.used);
}

void log_line(struct world *world, enum log_level level, const char *event, const char *format, ...)
{
    if (level < world->log->level)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_line(world, level, event, NULL, format, arguments);
    va_end(arguments);
}

void log_error(struct world *world, enum log_level level, const char *event, const struct error *error,
               const char *format, ...)
{
    if (level < world->log->level)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_line(world, level, event, error, format, arguments);
    va_end(arguments);
}
