/* From text to dates, times, time stamps and intervals, as liberal as PostgreSQL (manual, appendix B.1). */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_PARSE_H
#define SYNOD_SQLFRONT_VALUE_TIME_PARSE_H

#include "sqlfront/value/time/calendar.h"
#include "sqlfront/value/time/words.h"
#include "sqlfront/value/time/zone.h"

/* ---- a text taken apart (fields.c) ---- */

enum field_kind {
    FIELD_NUMBER,  /* digits, maybe with a point among or before them */
    FIELD_TEXT,    /* letters */
    FIELD_DATE,    /* pieces with - / or . between them; or a zone's name with such in it */
    FIELD_TIME,    /* digits with colons */
    FIELD_ZONE,    /* a sign and digits */
    FIELD_SPECIAL, /* a sign and letters */
};

#define FIELDS_MAX 25
struct fields {
    int count;
    enum field_kind kinds[FIELDS_MAX];
    char *texts[FIELDS_MAX]; /* small letters; in `room` */
    char room[512];
};

/* False when the text has what no date, time or interval has, or too much of it. */
bool fields_split(struct bytes text, struct fields *fields);

/* ---- what can be wrong with a text ---- */

enum fault {
    FAULT_NONE,
    FAULT_FORMAT,
    FAULT_FIELD,     /* out of range */
    FAULT_MONTH_DAY, /* out of range, and would not be with another DateStyle */
    FAULT_INTERVAL,
    FAULT_ZONE,
    FAULT_ZONE_NAME, /* `zone_name` of the parsed thing is no zone */
};

enum sqlstate raise_fault(struct error *error, enum fault fault, const char *type, struct bytes text,
                          const char *zone_name);

/* ---- moments ---- */

enum parsed_kind { PARSED_FIELDS, PARSED_EPOCH, PARSED_LATE, PARSED_EARLY };

struct parsed {
    enum parsed_kind kind;
    struct moment moment;
    int32_t west; /* of the zone written, or the session's */
};

/* A date or time stamp: 22007, 22008, 22009. `type` is for messages. */
enum sqlstate parse_moment(struct environment *environment, struct scope *scope, const char *type,
                           struct bytes text, struct parsed *parsed, struct error *error);

/* A time of day. */
enum sqlstate parse_clock(struct environment *environment, struct scope *scope, const char *type,
                          struct bytes text, struct parsed *parsed, struct error *error);

/* "+hh[:mm[:ss]]", "+hhmm". */
enum fault parse_zone_offset(const char *text, int32_t *west);

/* A fraction that begins with a point, rounded to microseconds; false when it is none. */
bool parse_fraction(const char *text, int *microseconds);

/* ---- intervals ---- */

/* Bits of an interval modifier: which fields INTERVAL ... TO ... keeps (PostgreSQL's INTERVAL_MASK). */
#define RANGE_MONTH  (1 << 1)
#define RANGE_YEAR   (1 << 2)
#define RANGE_DAY    (1 << 3)
#define RANGE_HOUR   (1 << 10)
#define RANGE_MINUTE (1 << 11)
#define RANGE_SECOND (1 << 12)
#define RANGE_FULL   0x7fff

/* 22007, 22008, 22015. */
enum sqlstate parse_span(struct environment *environment, struct bytes text, int range, struct span *span,
                         struct error *error);

static inline const struct time_zone *session_zone(const struct environment *environment)
{
    return environment->zone ? environment->zone : &zone_utc;
}

#endif
