/* Time zones.
 *
 * All zones of the system's tzdata are compiled into the program as they stand (the `zones` script, TZif of RFC 8536), so
 * that finding one never reads a file, any function may do it on any core, and a simulated node knows the same zones
 * every time. Others are made from a rule: a fixed distance, or POSIX's "EST5EDT,M3.2.0,M11.1.0".
 *
 * Times here are seconds since 2000-01-01; distances are seconds west of Greenwich, as PostgreSQL counts them inside. */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_ZONE_H
#define SYNOD_SQLFRONT_VALUE_TIME_ZONE_H

#include "sqlfront/value/time/calendar.h"

/* Immutable. */
struct time_zone {
    const char *name;
    const uint8_t *data; /* TZif, from version 2's header on; NULL when there is only the rule */
    uint32_t size;
    const char *rule; /* POSIX; NULL: what stands at the end of `data` */
};

/* What holds at some time. */
struct zone_state {
    int32_t west;
    bool daylight;
    char abbreviation[12]; /* "CEST", "+03" */
};

extern const struct time_zone zone_utc;

/* A zone of tzdata, whatever the case of its name; NULL when there is none. */
const struct time_zone *zone_find(struct bytes name);
/* The zones one after the other: at < zone_count(). */
const struct time_zone *zone_at(size_t at);
size_t zone_count(void);

/* A zone as SET TIME ZONE and AT TIME ZONE name it: of tzdata, or a POSIX rule ("UTC+3", "<-03>3"). Those come from the scope. NULL
 * when it is none. */
const struct time_zone *zone_named(struct scope *scope, struct bytes name);
/* A fixed distance; its name and abbreviation are "<+03>-03" and "+03", as PostgreSQL's. */
const struct time_zone *zone_fixed(struct scope *scope, int32_t west);

/* What holds in the zone at that second (UTC). */
void zone_state_at(const struct time_zone *zone, int64_t seconds, struct zone_state *state);
/* How far west a local time is. Of two that a clock set back shows, the later; one that is skipped counts as
 * before the change. */
int32_t zone_west_of_local(const struct time_zone *zone, const struct moment *local);

/* A time stamp's local time in the zone. */
int64_t zone_local(const struct time_zone *zone, int64_t timestamp, struct zone_state *state);
/* Back: false when it leaves the range. */
bool zone_timestamp(const struct time_zone *zone, int64_t local, int64_t *timestamp);

/* An abbreviation of PostgreSQL's default list ("PST", "MSK"). Either gives a distance or a zone in which the abbreviation has
 * meant different things. */
struct zone_abbreviation {
    const char *name; /* in small letters */
    int32_t west;
    bool daylight;
    const char *zone; /* NULL, or the zone to ask */
};
const struct zone_abbreviation *zone_abbreviation_find(const char *lower, size_t size);
const struct zone_abbreviation *zone_abbreviation_at(size_t at);
size_t zone_abbreviation_count(void);

/* How far west the abbreviation means in the zone at a local time: what it meant last; false when the zone never
 * used it. */
bool zone_abbreviation_west(const struct time_zone *zone, const char *abbreviation, int64_t local_seconds,
                            struct zone_state *state);

#endif
