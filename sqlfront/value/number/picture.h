/* Pictures of numbers: the formats of to_char() and to_number() (PostgreSQL manual, 9.8, table 9.27). */
#ifndef SYNOD_SQLFRONT_VALUE_NUMBER_PICTURE_H
#define SYNOD_SQLFRONT_VALUE_NUMBER_PICTURE_H

#include "sqlfront/value/value.h"

enum picture_sign { PICTURE_PLAIN, PICTURE_IN_FRONT, PICTURE_BEHIND };

/* What the patterns of a picture say together. */
struct picture {
    const struct picture_node *nodes;
    uint32_t count;
    int before, behind; /* digits before and behind the point */
    int multiplier;     /* V: powers of ten */
    int zero_start;     /* place (from 1) of the first 0; 0 = none */
    int zero_end;
    enum picture_sign sign; /* S */
    int digits_before_sign;
    bool decimal, blank, fill, minus, plus, brackets, roman, shifted, exponent, zero, anchored;
};

enum picture_pattern {
    PICTURE_TEXT, /* no pattern: copied */
    PICTURE_COMMA,
    PICTURE_POINT,
    PICTURE_ZERO,
    PICTURE_NINE,
    PICTURE_BLANK,
    PICTURE_CURRENCY_CODE,
    PICTURE_LOCAL_POINT,
    PICTURE_EXPONENT,
    PICTURE_FILL,
    PICTURE_GROUP,
    PICTURE_CURRENCY,
    PICTURE_MINUS,
    PICTURE_PLUS,
    PICTURE_BRACKETS,
    PICTURE_ROMAN,
    PICTURE_ROMAN_SMALL,
    PICTURE_SIGN,
    PICTURE_SPELL,
    PICTURE_ANCHORED_SIGN,
    PICTURE_ORDINAL,
    PICTURE_ORDINAL_SMALL,
    PICTURE_SHIFT,
};

struct picture_node {
    enum picture_pattern pattern;
    struct bytes text; /* of PICTURE_TEXT: one character */
};

/* Reads a format. 42601 when its patterns contradict each other. */
enum sqlstate picture_read(struct scope *scope, struct bytes format, struct picture *picture,
                           struct error *error);

/* Paints digits ("123.45", without sign) into the picture. `spaces` is how many digits it has more before the point. Gives
 * the length; `out` has room for picture_room(). */
size_t picture_room(const struct picture *picture, const char *number);
size_t picture_paint(struct picture *picture, const char *number, int spaces, char sign, char *out);

/* Takes a text apart by the picture: writes sign and digits, and how many digits stood behind the point. */
void picture_take(struct picture *picture, struct bytes text, char *number);

/* "st", "nd", "rd", "th" of a number's digits. */
const char *ordinal_ending(const char *digits, bool small);

#endif
