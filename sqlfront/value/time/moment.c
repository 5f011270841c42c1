/* Fields to a date, a time or a time stamp.
 *
 * Fields are looked at from left to right. Words mostly say what they are; numbers take the place that the fields before
 * them have left open, in the order that DateStyle prefers; some words ("J", "T") say what the next number is. `seen`
 * collects what is known by now, and whatever comes twice is an error. The decisions are PostgreSQL's, which are
 * described in its manual, appendix B.1 and B.3. */
#include "sqlfront/value/time/parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum seen {
    SEEN_YEAR = 1 << 0,
    SEEN_MONTH = 1 << 1,
    SEEN_DAY = 1 << 2,
    SEEN_YEAR_DAY = 1 << 3,
    SEEN_HOUR = 1 << 4,
    SEEN_MINUTE = 1 << 5,
    SEEN_SECOND = 1 << 6,
    SEEN_ZONE = 1 << 7,
    SEEN_DAYLIGHT = 1 << 8, /* "dst" apart from the zone */
    SEEN_HALF = 1 << 9,
    SEEN_ERA = 1 << 10,
    SEEN_WEEKDAY = 1 << 11,
    SEEN_DATE = SEEN_YEAR | SEEN_MONTH | SEEN_DAY,
    SEEN_TIME = SEEN_HOUR | SEEN_MINUTE | SEEN_SECOND,
};

struct decoder {
    struct environment *environment;
    struct scope *scope;
    struct fields *fields;
    int at; /* the field looked at */
    uint32_t seen;
    struct parsed *parsed;
    enum moment_part next; /* what a word said the next number is */
    int half;              /* -1 none, 0 am, 1 pm */
    int year_day;
    bool bc, two_digits, julian, text_month;
    const struct time_zone *zone;             /* named with the time */
    const struct zone_abbreviation *changing; /* an abbreviation whose meaning depends on the date */
    const char *bad_zone;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* As strtol() into an int, its overflow told by errno. */
static int read_int(const char *text, char **end)
{
    errno = 0;
    long number = strtol(text, end, 10);
    if (errno == ERANGE || number != (int)number) {
        errno = ERANGE;
        return number < 0 ? INT32_MIN : INT32_MAX;
    }
    return (int)number;
}

bool parse_fraction(const char *text, int *microseconds)
{
    char *end;
    if (text[1] == 0) {
        *microseconds = 0;
        return true;
    }
    errno = 0;
    double fraction = strtod(text, &end);
    if (*end || errno)
        return false;
    *microseconds = (int)__builtin_rint(fraction * 1000000);
    return true;
}

/* ---- runs of digits ---- */

static int two(const char *digits)
{
    return (digits[0] - '0') * 10 + (digits[1] - '0');
}

/* yymmdd, yyyymmdd, hhmmss, hhmm, each maybe with a fraction of a second. */
static enum fault decode_run(struct decoder *decoder, char *digits, uint32_t seen, uint32_t *found)
{
    struct moment *moment = &decoder->parsed->moment;
    char *point = strchr(digits, '.');
    size_t size = strlen(digits);
    if (point) {
        if (!parse_fraction(point, &moment->microsecond))
            return FAULT_FORMAT;
        *point = 0;
        size = strlen(digits);
    } else if ((seen & SEEN_DATE) != SEEN_DATE && size >= 6) {
        *found = SEEN_DATE;
        moment->day = two(digits + size - 2);
        moment->month = two(digits + size - 4);
        digits[size - 4] = 0;
        moment->year = atoi(digits);
        decoder->two_digits = size - 4 == 2;
        return FAULT_NONE;
    }
    if ((seen & SEEN_TIME) == SEEN_TIME || (size != 6 && size != 4))
        return FAULT_FORMAT;
    *found = SEEN_TIME;
    moment->hour = two(digits);
    moment->minute = two(digits + 2);
    moment->second = size == 6 ? two(digits + 4) : 0;
    return FAULT_NONE;
}

/* One number, by what is known already. */
static enum fault decode_number(struct decoder *decoder, char *text, bool text_month, uint32_t seen,
                                uint32_t *found)
{
    struct moment *moment = &decoder->parsed->moment;
    enum date_order order = decoder->environment->date_order;
    size_t size = strlen(text);
    char *end;
    *found = 0;
    int number = read_int(text, &end);
    if (errno == ERANGE)
        return FAULT_FIELD;
    if (end == text)
        return FAULT_FORMAT;
    if (*end == '.') {
        if (end - text > 2)
            return decode_run(decoder, text, seen | SEEN_DATE, found);
        if (!parse_fraction(end, &moment->microsecond))
            return FAULT_FORMAT;
    } else if (*end)
        return FAULT_FORMAT;
    if (size == 3 && (seen & SEEN_DATE) == SEEN_YEAR && number >= 1 && number <= 366) {
        *found = SEEN_YEAR_DAY | SEEN_MONTH | SEEN_DAY;
        decoder->year_day = number;
        return FAULT_NONE;
    }
    switch (seen & SEEN_DATE) {
    case 0: /* the first: a year when it looks like one, else what DateStyle says */
        *found = size >= 3 || order == DATE_YMD ? SEEN_YEAR : order == DATE_DMY ? SEEN_DAY : SEEN_MONTH;
        break;
    case SEEN_YEAR:
        *found = SEEN_MONTH;
        break;
    case SEEN_MONTH:
        *found = text_month && (size >= 3 || order == DATE_YMD) ? SEEN_YEAR : SEEN_DAY;
        break;
    case SEEN_YEAR | SEEN_MONTH:
        *found = SEEN_DAY;
        if (text_month && size >= 3 && decoder->two_digits) { /* what was taken for the year is the day */
            moment->day = moment->year;
            moment->year = number;
            decoder->two_digits = false;
            return FAULT_NONE;
        }
        break;
    case SEEN_DAY:
        *found = SEEN_MONTH;
        break;
    case SEEN_MONTH | SEEN_DAY:
        *found = SEEN_YEAR;
        break;
    case SEEN_DATE:
        return decode_run(decoder, text, seen, found);
    default:
        return FAULT_FORMAT;
    }
    switch (*found) {
    case SEEN_YEAR:
        moment->year = number;
        decoder->two_digits = size <= 2;
        break;
    case SEEN_MONTH:
        moment->month = number;
        break;
    default:
        moment->day = number;
    }
    return FAULT_NONE;
}

/* ---- fields of kind date ---- */

/* Pieces with anything between them; a month's name among them is unambiguous and looked for first. */
static enum fault decode_date(struct decoder *decoder, char *text, uint32_t seen, uint32_t *found)
{
    char *pieces[FIELDS_MAX];
    int count = 0;
    bool text_month = false;
    *found = 0;
    while (*text && count < FIELDS_MAX) {
        while (*text && !is_digit(*text) && !is_letter(*text))
            text++;
        if (!*text)
            return FAULT_FORMAT;
        pieces[count++] = text;
        bool digits = is_digit(*text);
        while (digits ? is_digit(*text) : is_letter(*text))
            text++;
        if (*text)
            *text++ = 0;
    }
    for (int i = 0; i < count; i++) {
        if (!is_letter(*pieces[i]))
            continue;
        const struct word *word = moment_word(pieces[i]);
        if (word && word->kind == WORD_IGNORED)
            continue;
        if (!word || word->kind != WORD_MONTH || ((seen | *found) & SEEN_MONTH))
            return FAULT_FORMAT;
        decoder->parsed->moment.month = word->value;
        text_month = true;
        *found |= SEEN_MONTH;
        pieces[i] = NULL;
    }
    for (int i = 0; i < count; i++) {
        if (!pieces[i])
            continue;
        uint32_t more;
        enum fault fault = decode_number(decoder, pieces[i], text_month, seen | *found, &more);
        if (fault)
            return fault;
        if ((seen | *found) & more)
            return FAULT_FORMAT;
        *found |= more;
    }
    return ((seen | *found) & ~(uint32_t)(SEEN_YEAR_DAY | SEEN_ZONE)) == SEEN_DATE ? FAULT_NONE
                                                                                   : FAULT_FORMAT;
}

enum fault parse_zone_offset(const char *text, int32_t *west)
{
    char *end;
    int minutes = 0, seconds = 0;
    if (*text != '+' && *text != '-')
        return FAULT_FORMAT;
    int hours = read_int(text + 1, &end);
    if (errno == ERANGE)
        return FAULT_ZONE;
    if (*end == ':') {
        minutes = read_int(end + 1, &end);
        if (errno == ERANGE)
            return FAULT_ZONE;
        if (*end == ':') {
            seconds = read_int(end + 1, &end);
            if (errno == ERANGE)
                return FAULT_ZONE;
        }
    } else if (*end == 0 && strlen(text) > 3) {
        minutes = hours % 100;
        hours /= 100;
    }
    if (hours < 0 || hours > 15 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59)
        return FAULT_ZONE;
    int east = (hours * 60 + minutes) * 60 + seconds;
    *west = *text == '-' ? east : -east;
    return *end ? FAULT_FORMAT : FAULT_NONE;
}

static enum fault decode_offset(struct decoder *decoder, const char *text, uint32_t *found)
{
    *found |= SEEN_ZONE;
    return parse_zone_offset(text, &decoder->parsed->west);
}

static enum fault decode_zone_name(struct decoder *decoder, const char *name, uint32_t *found)
{
    decoder->zone = zone_named(decoder->scope, bytes_of_text(name));
    decoder->bad_zone = name;
    *found = SEEN_ZONE;
    return decoder->zone ? FAULT_NONE : FAULT_ZONE_NAME;
}

/* hhmmss-zz: digits and a zone behind them. */
static enum fault decode_run_and_zone(struct decoder *decoder, char *text, uint32_t seen, uint32_t *found)
{
    char *sign = strchr(text, '-');
    uint32_t zone = 0;
    if (!sign)
        return FAULT_FORMAT;
    enum fault fault = decode_offset(decoder, sign, &zone);
    if (fault)
        return fault;
    *sign = 0;
    fault = decode_run(decoder, text, seen, found);
    *found |= zone;
    return fault;
}

/* ---- fields of kind time ---- */

static enum fault decode_time(struct decoder *decoder, const char *text)
{
    struct moment *moment = &decoder->parsed->moment;
    char *end;
    moment->second = moment->microsecond = 0;
    moment->hour = read_int(text, &end);
    if (errno == ERANGE)
        return FAULT_FIELD;
    if (*end != ':')
        return FAULT_FORMAT;
    moment->minute = read_int(end + 1, &end);
    if (errno == ERANGE)
        return FAULT_FIELD;
    if (*end == '.') { /* mm:ss.ss */
        if (!parse_fraction(end, &moment->microsecond))
            return FAULT_FORMAT;
        moment->second = moment->minute;
        moment->minute = moment->hour;
        moment->hour = 0;
    } else if (*end == ':') {
        moment->second = read_int(end + 1, &end);
        if (errno == ERANGE)
            return FAULT_FIELD;
        if (*end == '.' && !parse_fraction(end, &moment->microsecond))
            return FAULT_FORMAT;
        if (*end && *end != '.')
            return FAULT_FORMAT;
    } else if (*end)
        return FAULT_FORMAT;
    if (moment->hour < 0 || moment->minute < 0 || moment->minute > 59 || moment->second < 0 ||
        moment->second > 60 || moment->microsecond < 0 || moment->microsecond > 1000000)
        return FAULT_FIELD;
    return FAULT_NONE;
}

/* Up to 24:00:00, and a second may be one too many. */
static bool time_overflows(const struct moment *moment)
{
    return moment->hour < 0 || moment->hour > 24 || moment->minute < 0 || moment->minute > 59 ||
           moment->second < 0 || moment->second > 60 || moment->microsecond < 0 ||
           moment->microsecond > 1000000 || moment_microseconds_of_day(moment) > MICROSECONDS_PER_DAY;
}

/* ---- numbers that a word before them has named ---- */

static enum fault decode_named_number(struct decoder *decoder, char *text, uint32_t *found)
{
    struct moment *moment = &decoder->parsed->moment;
    enum moment_part part = decoder->next;
    char *end;
    int number = read_int(text, &end);
    decoder->next = PART_NONE;
    if (errno == ERANGE)
        return FAULT_FIELD;
    if (*end == '.' ? part != PART_JULIAN && part != PART_TIME && part != PART_SECOND : *end)
        return FAULT_FORMAT;
    switch (part) {
    case PART_YEAR:
        moment->year = number;
        *found = SEEN_YEAR;
        return FAULT_NONE;
    case PART_MONTH: /* behind a month and an hour, "m" is minutes */
        if ((decoder->seen & SEEN_MONTH) && (decoder->seen & SEEN_HOUR)) {
            moment->minute = number;
            *found = SEEN_MINUTE;
        } else {
            moment->month = number;
            *found = SEEN_MONTH;
        }
        return FAULT_NONE;
    case PART_DAY:
        moment->day = number;
        *found = SEEN_DAY;
        return FAULT_NONE;
    case PART_HOUR:
        moment->hour = number;
        *found = SEEN_HOUR;
        return FAULT_NONE;
    case PART_MINUTE:
        moment->minute = number;
        *found = SEEN_MINUTE;
        return FAULT_NONE;
    case PART_SECOND:
        moment->second = number;
        *found = SEEN_SECOND;
        return *end == '.' && !parse_fraction(end, &moment->microsecond) ? FAULT_FORMAT : FAULT_NONE;
    case PART_JULIAN:
        if (number < 0)
            return FAULT_FIELD;
        *found = SEEN_DATE;
        calendar_date((int64_t)number - JULIAN_EPOCH, moment);
        decoder->julian = true;
        if (*end == '.') {
            double fraction = strtod(end, &end);
            if (*end)
                return FAULT_FORMAT;
            moment_time_of((int64_t)(fraction * (double)MICROSECONDS_PER_DAY), moment);
            *found |= SEEN_TIME;
        }
        return FAULT_NONE;
    case PART_TIME: {
        enum fault fault = decode_run(decoder, text, decoder->seen | SEEN_DATE, found);
        return fault ? fault : *found == SEEN_TIME ? FAULT_NONE : FAULT_FORMAT;
    }
    default:
        return FAULT_FORMAT;
    }
}

/* ---- words ---- */

static void set_now(struct decoder *decoder, int days, bool time)
{
    struct zone_state state;
    struct moment now, *moment = &decoder->parsed->moment;
    int64_t local =
        zone_local(session_zone(decoder->environment), decoder->environment->transaction_time, &state);
    moment_of_timestamp(local + days * MICROSECONDS_PER_DAY, &now);
    moment->year = now.year;
    moment->month = now.month;
    moment->day = now.day;
    if (time) {
        moment_time_of(moment_microseconds_of_day(&now), moment);
        decoder->parsed->west = state.west;
    }
}

static enum fault decode_special(struct decoder *decoder, enum moment_part part, bool clock, uint32_t *found)
{
    switch (part) {
    case PART_NOW:
        set_now(decoder, 0, true);
        *found = clock ? SEEN_TIME : SEEN_DATE | SEEN_TIME | SEEN_ZONE;
        return FAULT_NONE;
    case PART_ZULU:
        moment_time_of(0, &decoder->parsed->moment);
        decoder->parsed->west = 0;
        *found = SEEN_TIME | SEEN_ZONE;
        return FAULT_NONE;
    case PART_YESTERDAY:
    case PART_TODAY:
    case PART_TOMORROW:
        set_now(decoder, part == PART_TODAY ? 0 : part == PART_TOMORROW ? 1 : -1, false);
        *found = SEEN_DATE;
        break;
    default:
        decoder->parsed->kind = part == PART_EPOCH  ? PARSED_EPOCH
                                : part == PART_LATE ? PARSED_LATE
                                                    : PARSED_EARLY;
        *found = SEEN_DATE | SEEN_TIME | SEEN_ZONE;
    }
    return clock ? FAULT_FORMAT : FAULT_NONE;
}

static enum fault decode_abbreviation(struct decoder *decoder, const struct zone_abbreviation *abbreviation,
                                      uint32_t *found)
{
    *found = SEEN_ZONE;
    decoder->parsed->west = abbreviation->west;
    if (abbreviation->zone)
        decoder->changing = abbreviation;
    return FAULT_NONE;
}

static enum fault decode_month(struct decoder *decoder, int month, uint32_t *found)
{
    struct moment *moment = &decoder->parsed->moment;
    *found = SEEN_MONTH;
    if ((decoder->seen & SEEN_MONTH) && !decoder->text_month && !(decoder->seen & SEEN_DAY) &&
        moment->month >= 1 && moment->month <= 31) { /* what was taken for the month is the day */
        moment->day = moment->month;
        *found = SEEN_DAY;
    }
    decoder->text_month = true;
    moment->month = month;
    return FAULT_NONE;
}

/* ISO 8601's T: a time must follow, and a date stand before it unless only a time is asked for. */
static enum fault decode_time_mark(struct decoder *decoder, bool clock)
{
    const struct fields *fields = decoder->fields;
    int next = decoder->at + 1;
    if (!clock && (decoder->seen & SEEN_DATE) != SEEN_DATE)
        return FAULT_FORMAT;
    if (next >= fields->count || (fields->kinds[next] != FIELD_NUMBER && fields->kinds[next] != FIELD_TIME &&
                                  fields->kinds[next] != FIELD_DATE))
        return FAULT_FORMAT;
    decoder->next = PART_TIME;
    return FAULT_NONE;
}

static enum fault decode_word(struct decoder *decoder, const char *text, bool clock, uint32_t *found)
{
    const struct zone_abbreviation *abbreviation = zone_abbreviation_find(text, strlen(text));
    if (abbreviation)
        return decode_abbreviation(decoder, abbreviation, found);
    const struct word *word = moment_word(text);
    switch (word ? word->kind : WORD_UNKNOWN) {
    case WORD_IGNORED:
        return FAULT_NONE;
    case WORD_SPECIAL:
        return decode_special(decoder, (enum moment_part)word->value, clock, found);
    case WORD_MONTH:
        return clock ? FAULT_FORMAT : decode_month(decoder, word->value, found);
    case WORD_DAYLIGHT:
        *found = SEEN_DAYLIGHT;
        decoder->parsed->west -= word->value;
        return FAULT_NONE;
    case WORD_HALF:
        *found = SEEN_HALF;
        decoder->half = word->value;
        return FAULT_NONE;
    case WORD_ERA:
        *found = SEEN_ERA;
        decoder->bc = word->value;
        return FAULT_NONE;
    case WORD_WEEKDAY:
        *found = SEEN_WEEKDAY;
        return clock ? FAULT_FORMAT : FAULT_NONE;
    case WORD_UNIT:
        decoder->next = (enum moment_part)word->value;
        return FAULT_NONE;
    case WORD_TIME:
        return decode_time_mark(decoder, clock);
    default:
        return decode_zone_name(decoder, text, found) ? FAULT_FORMAT : FAULT_NONE;
    }
}

/* ---- checks at the end ---- */

static enum fault check_date(struct decoder *decoder)
{
    struct moment *moment = &decoder->parsed->moment;
    uint32_t seen = decoder->seen;
    if (seen & SEEN_YEAR) {
        if (decoder->julian)
            ; /* the year is right as it is */
        else if (decoder->bc) {
            if (moment->year <= 0)
                return FAULT_FIELD;
            moment->year = 1 - moment->year;
        } else if (decoder->two_digits) {
            if (moment->year < 0)
                return FAULT_FIELD;
            moment->year += moment->year < 70 ? 2000 : moment->year < 100 ? 1900 : 0;
        } else if (moment->year <= 0)
            return FAULT_FIELD;
    }
    if (seen & SEEN_YEAR_DAY) {
        struct moment day;
        calendar_date(calendar_days(moment->year, 1, 1) + decoder->year_day - 1, &day);
        moment->year = day.year;
        moment->month = day.month;
        moment->day = day.day;
    }
    if ((seen & SEEN_MONTH) && (moment->month < 1 || moment->month > 12))
        return FAULT_MONTH_DAY;
    if ((seen & SEEN_DAY) && (moment->day < 1 || moment->day > 31))
        return FAULT_MONTH_DAY;
    if ((seen & SEEN_DATE) == SEEN_DATE && moment->day > calendar_month_days(moment->year, moment->month))
        return FAULT_FIELD;
    return FAULT_NONE;
}

static enum fault check_half(struct decoder *decoder)
{
    struct moment *moment = &decoder->parsed->moment;
    if (decoder->half < 0)
        return FAULT_NONE;
    if (moment->hour > 12)
        return FAULT_FIELD;
    moment->hour = moment->hour % 12 + 12 * decoder->half;
    return FAULT_NONE;
}

/* The zone's distance, now that date and time are known. */
static enum fault settle_zone(struct decoder *decoder, const struct moment *moment)
{
    bool daylight = decoder->seen & SEEN_DAYLIGHT;
    if (decoder->zone || !(decoder->seen & SEEN_ZONE)) {
        if (daylight)
            return FAULT_FORMAT;
        const struct time_zone *zone = decoder->zone ? decoder->zone : session_zone(decoder->environment);
        decoder->parsed->west = zone_west_of_local(zone, moment);
    } else if (decoder->changing) {
        const struct time_zone *zone = zone_find(bytes_of_text(decoder->changing->zone));
        struct zone_state state;
        if (daylight || !zone)
            return FAULT_FORMAT;
        int32_t west = zone_west_of_local(zone, moment);
        int64_t seconds = calendar_days(moment->year, moment->month, moment->day) * SECONDS_PER_DAY +
                          moment_microseconds_of_day(moment) / MICROSECONDS_PER_SECOND + west;
        decoder->parsed->west =
            zone_abbreviation_west(zone, decoder->changing->name, seconds, &state) ? state.west : west;
    }
    return FAULT_NONE;
}

/* ---- dates and time stamps ---- */

static enum fault decode_date_field(struct decoder *decoder, char *text, uint32_t *found)
{
    if (decoder->next == PART_JULIAN) { /* a Julian day and a zone */
        char *sign;
        int number = read_int(text, &sign);
        decoder->next = PART_NONE;
        if (errno == ERANGE || number < 0)
            return FAULT_FIELD;
        calendar_date((int64_t)number - JULIAN_EPOCH, &decoder->parsed->moment);
        moment_time_of(0, &decoder->parsed->moment);
        decoder->julian = true;
        *found = SEEN_DATE | SEEN_TIME;
        return decode_offset(decoder, sign, found);
    }
    if (decoder->next == PART_NONE && (decoder->seen & (SEEN_MONTH | SEEN_DAY)) != (SEEN_MONTH | SEEN_DAY))
        return decode_date(decoder, text, decoder->seen, found);
    /* There is a date already: a zone's name, or hhmmss-zz. */
    if (!is_digit(text[0]) && decoder->next == PART_NONE)
        return decode_zone_name(decoder, text, found);
    bool named = decoder->next == PART_NONE || decoder->next == PART_TIME;
    decoder->next = PART_NONE;
    if (!named || (decoder->seen & SEEN_TIME) == SEEN_TIME)
        return FAULT_FORMAT;
    return decode_run_and_zone(decoder, text, decoder->seen, found);
}

static enum fault decode_number_field(struct decoder *decoder, char *text, uint32_t *found)
{
    if (decoder->next != PART_NONE)
        return decode_named_number(decoder, text, found);
    size_t size = strlen(text);
    char *point = strchr(text, '.');
    if (point && !(decoder->seen & SEEN_DATE))
        return decode_date(decoder, text, decoder->seen, found);
    if (point ? point - text > 2
              : size >= 6 && (!(decoder->seen & SEEN_DATE) || !(decoder->seen & SEEN_TIME)))
        return decode_run(decoder, text, decoder->seen, found);
    return decode_number(decoder, text, decoder->text_month, decoder->seen, found);
}

static enum fault decode_moment_field(struct decoder *decoder, uint32_t *found)
{
    char *text = decoder->fields->texts[decoder->at];
    enum fault fault;
    switch (decoder->fields->kinds[decoder->at]) {
    case FIELD_DATE:
        return decode_date_field(decoder, text, found);
    case FIELD_TIME:
        if (decoder->next != PART_NONE && decoder->next != PART_TIME)
            return FAULT_FORMAT;
        decoder->next = PART_NONE;
        *found = SEEN_TIME;
        if ((fault = decode_time(decoder, text)))
            return fault;
        return time_overflows(&decoder->parsed->moment) ? FAULT_FIELD : FAULT_NONE;
    case FIELD_ZONE:
        return decode_offset(decoder, text, found);
    case FIELD_NUMBER:
        return decode_number_field(decoder, text, found);
    default:
        return decode_word(decoder, text, false, found);
    }
}

static enum fault decode_moment(struct decoder *decoder)
{
    for (; decoder->at < decoder->fields->count; decoder->at++) {
        uint32_t found = 0;
        enum fault fault = decode_moment_field(decoder, &found);
        if (fault)
            return fault;
        if (found & decoder->seen)
            return FAULT_FORMAT;
        decoder->seen |= found;
    }
    if (decoder->parsed->kind != PARSED_FIELDS)
        return FAULT_NONE;
    enum fault fault = check_date(decoder);
    if (!fault)
        fault = check_half(decoder);
    if (!fault && (decoder->seen & SEEN_DATE) != SEEN_DATE)
        fault = FAULT_FORMAT;
    return fault ? fault : settle_zone(decoder, &decoder->parsed->moment);
}

static struct decoder decoder_of(struct environment *environment, struct scope *scope, struct fields *fields,
                                 struct parsed *parsed)
{
    *parsed = (struct parsed){0};
    return (struct decoder){
        .environment = environment, .scope = scope, .fields = fields, .parsed = parsed, .half = -1};
}

enum sqlstate parse_moment(struct environment *environment, struct scope *scope, const char *type,
                           struct bytes text, struct parsed *parsed, struct error *error)
{
    struct fields fields;
    struct decoder decoder = decoder_of(environment, scope, &fields, parsed);
    enum fault fault = fields_split(text, &fields) ? decode_moment(&decoder) : FAULT_FORMAT;
    return fault ? raise_fault(error, fault, type, text, decoder.bad_zone) : SQLSTATE_OK;
}

/* ---- times of day ---- */

static enum fault decode_clock_date_field(struct decoder *decoder, char *text, uint32_t *found)
{
    const struct fields *fields = decoder->fields;
    if (decoder->at == 0 && fields->count >= 2 &&
        (fields->kinds[fields->count - 1] == FIELD_DATE || fields->kinds[1] == FIELD_TIME))
        return decode_date(decoder, text, decoder->seen, found);
    if (!is_digit(text[0]))
        return decode_zone_name(decoder, text, found);
    decoder->next = PART_NONE;
    if ((decoder->seen & SEEN_TIME) == SEEN_TIME)
        return FAULT_FORMAT;
    return decode_run_and_zone(decoder, text, decoder->seen | SEEN_DATE, found);
}

static enum fault decode_clock_number_field(struct decoder *decoder, char *text, uint32_t *found)
{
    const struct fields *fields = decoder->fields;
    if (decoder->next != PART_NONE)
        return decode_named_number(decoder, text, found);
    size_t size = strlen(text);
    char *point = strchr(text, '.');
    if (point) {
        if (decoder->at == 0 && fields->count >= 2 && fields->kinds[fields->count - 1] == FIELD_DATE)
            return decode_date(decoder, text, decoder->seen, found);
        return point - text > 2 ? decode_run(decoder, text, decoder->seen | SEEN_DATE, found) : FAULT_FORMAT;
    }
    if (size > 4)
        return decode_run(decoder, text, decoder->seen | SEEN_DATE, found);
    return decode_number(decoder, text, false, decoder->seen | SEEN_DATE, found);
}

static enum fault decode_clock_field(struct decoder *decoder, uint32_t *found)
{
    char *text = decoder->fields->texts[decoder->at];
    switch (decoder->fields->kinds[decoder->at]) {
    case FIELD_DATE:
        return decode_clock_date_field(decoder, text, found);
    case FIELD_TIME:
        if (decoder->next != PART_NONE && decoder->next != PART_TIME)
            return FAULT_FORMAT;
        decoder->next = PART_NONE;
        *found = SEEN_TIME;
        return decode_time(decoder, text);
    case FIELD_ZONE:
        return decode_offset(decoder, text, found);
    case FIELD_NUMBER:
        return decode_clock_number_field(decoder, text, found);
    default:
        return decode_word(decoder, text, true, found);
    }
}

static enum fault decode_clock(struct decoder *decoder)
{
    for (; decoder->at < decoder->fields->count; decoder->at++) {
        uint32_t found = 0;
        enum fault fault = decode_clock_field(decoder, &found);
        if (fault)
            return fault;
        if (found & decoder->seen)
            return FAULT_FORMAT;
        decoder->seen |= found;
    }
    enum fault fault = check_date(decoder);
    if (!fault)
        fault = check_half(decoder);
    if (fault)
        return fault;
    if (time_overflows(&decoder->parsed->moment))
        return FAULT_FIELD;
    if ((decoder->seen & SEEN_TIME) != SEEN_TIME)
        return FAULT_FORMAT;
    struct moment moment = decoder->parsed->moment;
    if ((decoder->seen & SEEN_DATE) !=
        SEEN_DATE) { /* a zone's distance depends on the day: the session's on today, others' on nothing */
        if (decoder->zone)
            return FAULT_FORMAT;
        struct decoder today = *decoder;
        struct parsed now = {0};
        today.parsed = &now;
        set_now(&today, 0, false);
        moment.year = now.moment.year;
        moment.month = now.moment.month;
        moment.day = now.moment.day;
    }
    return settle_zone(decoder, &moment);
}

enum sqlstate parse_clock(struct environment *environment, struct scope *scope, const char *type,
                          struct bytes text, struct parsed *parsed, struct error *error)
{
    struct fields fields;
    struct decoder decoder = decoder_of(environment, scope, &fields, parsed);
    enum fault fault = fields_split(text, &fields) ? decode_clock(&decoder) : FAULT_FORMAT;
    return fault ? raise_fault(error, fault, type, text, decoder.bad_zone) : SQLSTATE_OK;
}
