/* A text taken apart into fields, by their looks alone: what they mean depends on those around them. */
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/parse.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

struct splitter {
    const char *at, *end;
    char *out, *out_end;
    bool failed;
};

/* The next character; 0 at the end. */
static char peek(const struct splitter *in)
{
    return in->at < in->end ? *in->at : 0;
}

static void take(struct splitter *in)
{
    if (in->out >= in->out_end)
        in->failed = true;
    else
        *in->out++ = lower(*in->at);
    in->at++;
}

static void take_digits(struct splitter *in)
{
    while (is_digit(peek(in)) && !in->failed)
        take(in);
}

static bool among(char c, const char *set)
{
    return c && strchr(set, c);
}

static void take_all(struct splitter *in, bool digits, bool letters, const char *others)
{
    char c;
    while ((c = peek(in)) && !in->failed &&
           ((digits && is_digit(c)) || (letters && is_letter(c)) || among(c, others)))
        take(in);
}

/* Begins with a digit: a time, a date, or a number. */
static enum field_kind split_digits(struct splitter *in)
{
    take_digits(in);
    char separator = peek(in);
    if (separator == ':') {
        take(in);
        take_all(in, true, false, ":.");
        return FIELD_TIME;
    }
    if (!among(separator, "-/."))
        return FIELD_NUMBER;
    const char again[2] = {separator};
    take(in);
    if (!is_digit(peek(in))) {
        take_all(in, true, true, again);
        return FIELD_DATE;
    }
    enum field_kind kind = separator == '.' ? FIELD_NUMBER : FIELD_DATE;
    take_digits(in);
    if (peek(in) == separator) {
        kind = FIELD_DATE;
        take_all(in, true, false, again);
    }
    return kind;
}

/* Begins with a letter: a word, a date that begins with a month, or a zone's name with punctuation in it. */
static enum field_kind split_letters(struct splitter *in)
{
    char *start = in->out;
    take_all(in, false, true, "");
    char next = peek(in);
    bool date = among(next, "-/.");
    if ((next == '+' || is_digit(next)) && !in->failed && in->out < in->out_end) {
        *in->out = 0;
        date = moment_word(start) == NULL; /* a word may stand right before a number or zone */
    }
    if (!date)
        return FIELD_TEXT;
    take_all(in, true, true, "+-/_.:");
    return FIELD_DATE;
}

static bool split_sign(struct splitter *in, enum field_kind *kind)
{
    take(in);
    while (is_blank(peek(in)))
        in->at++;
    if (is_digit(peek(in))) {
        *kind = FIELD_ZONE;
        take_all(in, true, false, ":.-");
        return true;
    }
    *kind = FIELD_SPECIAL;
    bool letters = is_letter(peek(in));
    take_all(in, false, true, "");
    return letters;
}

bool fields_split(struct bytes text, struct fields *fields)
{
    struct splitter in = {.at = (const char *)text.data,
                          .end = (const char *)text.data + text.size,
                          .out = fields->room,
                          .out_end = fields->room + sizeof fields->room - 1};
    fields->count = 0;
    while (in.at < in.end) {
        char c = *in.at;
        enum field_kind kind;
        if (is_blank(c)) {
            in.at++;
            continue;
        }
        char *start = in.out;
        if (is_digit(c))
            kind = split_digits(&in);
        else if (c == '.') {
            take(&in);
            take_digits(&in);
            kind = FIELD_NUMBER;
        } else if (is_letter(c))
            kind = split_letters(&in);
        else if (c == '+' || c == '-') {
            if (!split_sign(&in, &kind))
                return false;
        } else if (c > ' ' && c < 127) { /* other punctuation only separates */
            in.at++;
            continue;
        } else
            return false;
        if (in.failed || fields->count == FIELDS_MAX)
            return false;
        *in.out++ = 0;
        fields->texts[fields->count] = start;
        fields->kinds[fields->count++] = kind;
        in.failed |= in.out >= in.out_end;
    }
    return true;
}

enum sqlstate raise_fault(struct error *error, enum fault fault, const char *type, struct bytes text,
                          const char *zone_name)
{
    int size = (int)text.size;
    const char *data = (const char *)text.data;
    enum sqlstate state;
    switch (fault) {
    case FAULT_FIELD:
        return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW,
                         "date/time field value out of range: \"%.*s\"", size, data);
    case FAULT_MONTH_DAY:
        state = error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW,
                          "date/time field value out of range: \"%.*s\"", size, data);
        error_add(error, ERROR_HINT, "Perhaps you need a different \"datestyle\" setting.");
        return state;
    case FAULT_INTERVAL:
        return error_set(error, SQLSTATE_INTERVAL_FIELD_OVERFLOW,
                         "interval field value out of range: \"%.*s\"", size, data);
    case FAULT_ZONE:
        return error_set(error, SQLSTATE_INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                         "time zone displacement out of range: \"%.*s\"", size, data);
    case FAULT_ZONE_NAME:
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "time zone \"%s\" not recognized",
                         zone_name);
    default:
        return error_set(error, SQLSTATE_INVALID_DATETIME_FORMAT,
                         "invalid input syntax for type %s: \"%.*s\"", type, size, data);
    }
}
