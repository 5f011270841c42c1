/* Time zones, read where they lie: the transitions of a TZif file are searched in its bytes, and what comes after the last of
 * them follows from the POSIX rule at its end. */
#include "sqlfront/value/time/zone.h"

#include "sqlfront/value/time/zone_tables.h"
#include "sqlfront/value/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

const struct time_zone zone_utc = {.name = "UTC", .rule = "UTC0"};

/* ---- POSIX rules: std offset dst [offset],start[/time],end[/time] ---- */

struct rule_day {
    char form; /* M: week of a month, J: day without the leap day, 0: day with it */
    int month, week, day;
    int32_t time; /* seconds after midnight */
};

struct rule {
    struct zone_state standard, summer;
    bool has_summer;
    struct rule_day start, end;
};

struct reader {
    const char *at;
    bool failed;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* None at all will do for standard time: "+5". */
static void read_abbreviation(struct reader *in, char abbreviation[static 12])
{
    size_t size = 0;
    bool quoted = *in->at == '<';
    in->at += quoted;
    while (quoted ? *in->at && *in->at != '>' : is_letter(*in->at)) {
        if (size < 11)
            abbreviation[size++] = *in->at;
        in->at++;
    }
    abbreviation[size] = 0;
    if (quoted)
        in->at += *in->at == '>';
    in->failed |= quoted && size == 0;
}

static int read_number(struct reader *in, int most)
{
    int number = 0;
    in->failed |= !is_digit(*in->at);
    for (; is_digit(*in->at) && number <= most; in->at++)
        number = number * 10 + (*in->at - '0');
    in->failed |= number > most;
    return number;
}

/* [+-]h[:m[:s]] in seconds */
static int32_t read_time(struct reader *in)
{
    int sign = 1;
    if (*in->at == '+' || *in->at == '-')
        sign = *in->at++ == '-' ? -1 : 1;
    int32_t seconds = read_number(in, 167) * 3600;
    if (*in->at == ':') {
        in->at++;
        seconds += read_number(in, 59) * 60;
        if (*in->at == ':') {
            in->at++;
            seconds += read_number(in, 59);
        }
    }
    return sign * seconds;
}

static void read_day(struct reader *in, struct rule_day *day)
{
    *day = (struct rule_day){.time = 2 * 3600};
    in->failed |= *in->at != ',';
    in->at += *in->at == ',';
    if (*in->at == 'M') {
        in->at++;
        day->form = 'M';
        day->month = read_number(in, 12);
        in->failed |= *in->at != '.';
        in->at += *in->at == '.';
        day->week = read_number(in, 5);
        in->failed |= *in->at != '.';
        in->at += *in->at == '.';
        day->day = read_number(in, 6);
        in->failed |= day->month == 0 || day->week == 0;
    } else {
        day->form = *in->at == 'J' ? 'J' : '0';
        in->at += *in->at == 'J';
        day->day = read_number(in, 365);
    }
    if (*in->at == '/') {
        in->at++;
        day->time = read_time(in);
    }
}

/* Zones with summer time but no days for it change as the United States do. */
static bool read_rule(const char *text, struct rule *rule)
{
    struct reader in = {.at = text};
    *rule = (struct rule){0};
    read_abbreviation(&in, rule->standard.abbreviation);
    if (in.failed || !(*in.at == '+' || *in.at == '-' || is_digit(*in.at)))
        return false;
    rule->standard.west = read_time(&in);
    if (in.failed || *in.at == 0)
        return !in.failed;
    rule->has_summer = true;
    rule->summer.daylight = true;
    read_abbreviation(&in, rule->summer.abbreviation);
    in.failed |= rule->summer.abbreviation[0] == 0;
    rule->summer.west = rule->standard.west - 3600;
    if (*in.at && *in.at != ',')
        rule->summer.west = read_time(&in);
    if (*in.at == 0)
        in.at = ",M3.2.0,M11.1.0";
    read_day(&in, &rule->start);
    read_day(&in, &rule->end);
    return !in.failed && *in.at == 0;
}

/* Local seconds at which the rule's day comes in a year. */
static int64_t rule_moment(const struct rule_day *rule, int64_t year)
{
    int64_t days;
    if (rule->form == 'M') {
        days = calendar_days(year, rule->month, 1);
        days += (rule->day - calendar_weekday(days) + 7) % 7 + 7 * (rule->week - 1);
        while (days >= calendar_days(year, rule->month + 1, 1))
            days -= 7;
    } else {
        days = calendar_days(year, 1, 1) + rule->day - (rule->form == 'J');
        if (rule->form == 'J' && rule->day >= 60 && calendar_month_days(year, 2) == 29)
            days++;
    }
    return days * SECONDS_PER_DAY + rule->time;
}

static int64_t year_of(int64_t seconds)
{
    struct moment moment;
    calendar_date(floor_divide(seconds, SECONDS_PER_DAY, NULL), &moment);
    return moment.year;
}

static const struct zone_state *rule_state(const struct rule *rule, int64_t seconds)
{
    if (!rule->has_summer)
        return &rule->standard;
    int64_t year = year_of(seconds - rule->standard.west);
    int64_t start = rule_moment(&rule->start, year) + rule->standard.west;
    int64_t end = rule_moment(&rule->end, year) + rule->summer.west;
    bool summer = start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end;
    return summer ? &rule->summer : &rule->standard;
}

/* The first change after that second; false when there is none. */
static bool rule_next(const struct rule *rule, int64_t seconds, int64_t *next)
{
    if (!rule->has_summer)
        return false;
    int64_t year = year_of(seconds), found = INT64_MAX;
    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t start = rule_moment(&rule->start, y) + rule->standard.west;
        int64_t end = rule_moment(&rule->end, y) + rule->summer.west;
        if (start > seconds && start < found)
            found = start;
        if (end > seconds && end < found)
            found = end;
    }
    *next = found;
    return true;
}

/* ---- TZif ---- */

/* Where the parts of a file lie. Times in it are seconds since 1970. */
struct tzif {
    uint32_t count; /* transitions */
    uint32_t types;
    const uint8_t *times;   /* 8 bytes each */
    const uint8_t *indices; /* of types, 1 byte each */
    const uint8_t *type;    /* 6 bytes each: seconds east, daylight, place of the abbreviation */
    const uint8_t *characters;
    char rule[80]; /* "" = none */
};

static void tzif_open(const struct time_zone *zone, struct tzif *tzif)
{
    *tzif = (struct tzif){0};
    if (!zone->data) {
        snprintf(tzif->rule, sizeof tzif->rule, "%s", zone->rule);
        return;
    }
    const uint8_t *at = zone->data + 20;
    uint32_t counts[6];
    for (int i = 0; i < 6; i++)
        counts[i] = wire_read_u32(at + 4 * i);
    tzif->count = counts[3];
    tzif->types = counts[4];
    tzif->times = zone->data + 44;
    tzif->indices = tzif->times + 8 * (size_t)tzif->count;
    tzif->type = tzif->indices + tzif->count;
    tzif->characters = tzif->type + 6 * (size_t)tzif->types;
    const uint8_t *footer = tzif->characters + counts[5] + 12 * (size_t)counts[2] + counts[1] + counts[0] + 1;
    size_t size = (size_t)(zone->data + zone->size - 1 - footer);
    if (size < sizeof tzif->rule) {
        memcpy(tzif->rule, footer, size);
        tzif->rule[size] = 0;
    }
}

static int64_t tzif_time(const struct tzif *tzif, uint32_t at)
{
    return (int64_t)wire_read_u64(tzif->times + 8 * (size_t)at) - UNIX_EPOCH_SECONDS;
}

static void tzif_type(const struct tzif *tzif, uint32_t type, struct zone_state *state)
{
    const uint8_t *at = tzif->type + 6 * (size_t)type;
    state->west = -(int32_t)wire_read_u32(at);
    state->daylight = at[4];
    snprintf(state->abbreviation, sizeof state->abbreviation, "%s", (const char *)tzif->characters + at[5]);
}

/* Transitions at or before that second. */
static uint32_t tzif_before(const struct tzif *tzif, int64_t seconds)
{
    uint32_t low = 0, high = tzif->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (tzif_time(tzif, middle) <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void state_in(const struct tzif *tzif, int64_t seconds, struct zone_state *state)
{
    struct rule rule;
    uint32_t before = tzif_before(tzif, seconds);
    if (before == tzif->count && tzif->rule[0] && read_rule(tzif->rule, &rule))
        *state = *rule_state(&rule, seconds);
    else
        tzif_type(tzif, before ? tzif->indices[before - 1] : 0, state);
}

void zone_state_at(const struct time_zone *zone, int64_t seconds, struct zone_state *state)
{
    struct tzif tzif;
    tzif_open(zone, &tzif);
    state_in(&tzif, seconds, state);
}

static bool next_change(const struct tzif *tzif, int64_t seconds, int64_t *next)
{
    struct rule rule;
    uint32_t before = tzif_before(tzif, seconds);
    if (before < tzif->count) {
        *next = tzif_time(tzif, before);
        return true;
    }
    return tzif->rule[0] && read_rule(tzif->rule, &rule) && rule_next(&rule, seconds, next);
}

/* ---- local times ---- */

static int32_t west_of_local(const struct time_zone *zone, int64_t local)
{
    struct tzif tzif;
    struct zone_state before, after;
    int64_t change;
    tzif_open(zone, &tzif);
    state_in(&tzif, local - SECONDS_PER_DAY, &before);
    if (!next_change(&tzif, local - SECONDS_PER_DAY, &change))
        return before.west;
    state_in(&tzif, change, &after);
    int64_t if_before = local + before.west, if_after = local + after.west;
    if (if_before < change && if_after < change)
        return before.west;
    if (if_before > change && if_after >= change)
        return after.west;
    /* Skipped: as before the change. Shown twice: as after it. */
    return if_before > if_after ? before.west : after.west;
}

static int64_t local_seconds(const struct moment *local)
{
    return calendar_days(local->year, local->month, local->day) * SECONDS_PER_DAY + local->hour * 3600L +
           local->minute * 60L + local->second;
}

int32_t zone_west_of_local(const struct time_zone *zone, const struct moment *local)
{
    return west_of_local(zone, local_seconds(local));
}

int64_t zone_local(const struct time_zone *zone, int64_t timestamp, struct zone_state *state)
{
    zone_state_at(zone, floor_divide(timestamp, MICROSECONDS_PER_SECOND, NULL), state);
    return timestamp - state->west * MICROSECONDS_PER_SECOND;
}

bool zone_timestamp(const struct time_zone *zone, int64_t local, int64_t *timestamp)
{
    int32_t west = west_of_local(zone, floor_divide(local, MICROSECONDS_PER_SECOND, NULL));
    return !__builtin_add_overflow(local, west * MICROSECONDS_PER_SECOND, timestamp) &&
           timestamp_valid(*timestamp);
}

/* ---- finding ---- */

size_t zone_count(void)
{
    return zone_table_count;
}

const struct time_zone *zone_at(size_t at)
{
    return &zone_table[at];
}

/* Three-way, without regard to case. */
static int compare_name(const char *name, struct bytes text)
{
    int order = strncasecmp(name, (const char *)text.data, text.size);
    return order ? order : name[text.size] != 0;
}

const struct time_zone *zone_find(struct bytes name)
{
    size_t low = 0, high = zone_table_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_name(zone_table[middle].name, name);
        if (order == 0)
            return &zone_table[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct time_zone *zone_named(struct scope *scope, struct bytes name)
{
    const struct time_zone *found = zone_find(name);
    struct rule rule;
    if (found || name.size == 0 || name.size >= sizeof((struct tzif *)0)->rule ||
        memchr(name.data, 0, name.size))
        return found;
    struct time_zone *made = scope_alloc_zeroed(scope, sizeof *made);
    char *text = scope_alloc(scope, name.size + 1);
    memcpy(text, name.data, name.size);
    text[name.size] = 0;
    if (!read_rule(text, &rule))
        return NULL;
    for (char *at = text; *at; at++) /* as PostgreSQL shows them */
        if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
    made->name = made->rule = text;
    return made;
}

const struct time_zone *zone_fixed(struct scope *scope, int32_t west)
{
    struct time_zone *made = scope_alloc_zeroed(scope, sizeof *made);
    char *text = scope_alloc(scope, 64), number[24];
    uint32_t distance = (uint32_t)abs(west);
    int size = snprintf(number, sizeof number, "%02u", distance / 3600);
    if (distance % 3600)
        size += snprintf(number + size, sizeof number - (size_t)size, ":%02u", distance / 60 % 60);
    if (distance % 60)
        snprintf(number + size, sizeof number - (size_t)size, ":%02u", distance % 60);
    snprintf(text, 64, "<%c%s>%c%s", west > 0 ? '-' : '+', number, west > 0 ? '+' : '-', number);
    made->name = made->rule = text;
    return made;
}

/* ---- abbreviations ---- */

size_t zone_abbreviation_count(void)
{
    return zone_abbreviation_table_count;
}

const struct zone_abbreviation *zone_abbreviation_at(size_t at)
{
    return &zone_abbreviation_table[at];
}

const struct zone_abbreviation *zone_abbreviation_find(const char *lower, size_t size)
{
    size_t low = 0, high = zone_abbreviation_table_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_name(zone_abbreviation_table[middle].name, bytes_of(lower, size));
        if (order == 0)
            return &zone_abbreviation_table[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool zone_abbreviation_west(const struct time_zone *zone, const char *abbreviation, int64_t local,
                            struct zone_state *state)
{
    struct tzif tzif;
    tzif_open(zone, &tzif);
    uint32_t before = tzif_before(&tzif, local);
    for (uint32_t at = before; at > 0; at--) {
        tzif_type(&tzif, tzif.indices[at - 1], state);
        if (strcasecmp(state->abbreviation, abbreviation) == 0)
            return true;
    }
    for (uint32_t at = before; at < tzif.count; at++) {
        tzif_type(&tzif, tzif.indices[at], state);
        if (strcasecmp(state->abbreviation, abbreviation) == 0)
            return true;
    }
    return false;
}
