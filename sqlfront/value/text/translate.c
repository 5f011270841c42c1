/* PostgreSQL's regular expressions in PCRE2's language.
 *
 *     PostgreSQL                     PCRE2                     why
 *     \m \M \y \Y                    \b(?=\w) \b(?<=\w) \b \B
 *     \Z, $                          \z, $ (end only)          $ never matches before a last newline
 *     \d \s \w in and out of []      [0-9] \s \w               digits are ASCII's
 *     [^x] when newlines stop        [^x\n]
 *     [] and escapes of characters   \x{...}                   so that nothing is special there that is not here
 *     ( ) within (?= ) (?! ) ...     (?: )                     groups there do not capture
 *     * + ? {m,n}, each with ?       the same                  a second quantifier is an error here, possessive there
 *
 * What length a match prefers is not a matter of each quantifier alone, but of the first one in the whole expression
 * (9.7.3.5); translation->shortest says it, and pattern.c sees to it. */
#include "sqlfront/value/text/pattern.h"

#include "base/utf8.h"
#include "sqlfront/value/text/text.h"

/* PostgreSQL's DUPMAX. */
#define REPETITIONS_MAX 255

enum preference { PREFERS_NOTHING, PREFERS_LONGEST, PREFERS_SHORTEST };

struct group {
    bool looks_around; /* this one or one outside */
    enum preference preference;
    bool alternatives;
};

struct translator {
    struct bytes text;
    size_t at;
    struct translation *to;
    struct error *error;
    uint32_t closed; /* groups that capture, already closed: what a reference may name */
    struct group groups[PATTERN_DEPTH_MAX + 1];
    uint32_t captures[PATTERN_DEPTH_MAX + 1];
    uint32_t depth;
    bool quantifiable; /* behind an atom */
    enum preference atom;
};

static enum sqlstate wrong(struct translator *t, const char *what)
{
    return error_set(t->error, SQLSTATE_INVALID_REGULAR_EXPRESSION, "invalid regular expression: %s", what);
}

static bool more(const struct translator *t)
{
    return t->at < t->text.size;
}

static uint8_t peek(const struct translator *t)
{
    return more(t) ? t->text.data[t->at] : 0;
}

static bool next_is(struct translator *t, const char *words)
{
    size_t length = strlen(words);
    if (t->text.size - t->at < length || memcmp(t->text.data + t->at, words, length) != 0)
        return false;
    t->at += length;
    return true;
}

static void put(struct translator *t, const char *words)
{
    text_append(&t->to->out, words);
}

static bool is_word_ascii(uint32_t point)
{
    return (point >= '0' && point <= '9') || (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z');
}

static void put_character(struct translator *t, uint32_t point)
{
    char one[2] = {(char)point, '\0'};
    if (is_word_ascii(point))
        put(t, one);
    else
        text_format(&t->to->out, "\\x{%x}", point);
}

/* The character at `at`, which is moved on. */
static uint32_t read_character(struct translator *t)
{
    uint32_t point = 0xfffd;
    size_t size = utf8_read(bytes_of(t->text.data + t->at, t->text.size - t->at), &point);
    t->at += size ? size : 1;
    return point;
}

/* ---- options ---- */

static bool read_option(uint8_t letter, struct pattern_options *options)
{
    switch (letter) {
    case 'b':
        options->basic = true;
        options->extended = options->literal = false;
        return true;
    case 'c':
        options->ignore_case = false;
        return true;
    case 'e':
        options->extended = true;
        options->basic = options->literal = false;
        return true;
    case 'i':
        options->ignore_case = true;
        return true;
    case 'm':
    case 'n':
        options->newline_stops = options->newline_anchors = true;
        return true;
    case 'p':
        options->newline_stops = true;
        options->newline_anchors = false;
        return true;
    case 'q':
        options->literal = true;
        options->basic = options->extended = false;
        return true;
    case 's':
        options->newline_stops = options->newline_anchors = false;
        return true;
    case 't':
        options->expanded = false;
        return true;
    case 'w':
        options->newline_stops = false;
        options->newline_anchors = true;
        return true;
    case 'x':
        options->expanded = true;
        return true;
    default:
        return false;
    }
}

enum sqlstate pattern_options_read(struct bytes letters, struct pattern_options *options, struct error *error)
{
    for (size_t i = 0; i < letters.size; i++) {
        if (letters.data[i] == 'g')
            options->global = true;
        else if (!read_option(letters.data[i], options))
            return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                             "invalid regular expression option: \"%.*s\"",
                             (int)character_bytes(letters.data[i]), (const char *)letters.data + i);
    }
    return SQLSTATE_OK;
}

/* ***=, ***:, (?xyz) at the beginning. */
static enum sqlstate read_director(struct translator *t)
{
    struct pattern_options *options = &t->to->options;
    if (options->literal || options->extended || options->basic)
        return SQLSTATE_OK;
    if (next_is(t, "***=")) {
        options->literal = true;
        return SQLSTATE_OK;
    }
    bool advanced = next_is(t, "***:");
    if (!advanced && next_is(t, "***"))
        return wrong(t, "quantifier operand invalid");
    bool embedded = t->text.size - t->at > 2 && memcmp(t->text.data + t->at, "(?", 2) == 0 &&
                    t->text.data[t->at + 2] >= 'a' && t->text.data[t->at + 2] <= 'z';
    if (!embedded)
        return SQLSTATE_OK;
    for (t->at += 2; more(t) && peek(t) != ')'; t->at++)
        if (!read_option(peek(t), options))
            return wrong(t, "invalid embedded option");
    if (!more(t))
        return wrong(t, "invalid embedded option");
    t->at++;
    return SQLSTATE_OK;
}

/* ---- escapes ---- */

static int hex_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9'   ? byte - '0'
           : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
           : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                        : -1;
}

static enum sqlstate read_digits(struct translator *t, int base, size_t least, size_t most, uint32_t *point)
{
    size_t count = 0;
    *point = 0;
    for (; more(t) && count < most; t->at++, count++) {
        int digit = hex_digit(peek(t));
        if (digit < 0 || digit >= base)
            break;
        *point = *point * (uint32_t)base + (uint32_t)digit;
        if (*point > 0x10ffff)
            return wrong(t, "invalid escape \\ sequence");
    }
    bool surrogate = *point >= 0xd800 && *point <= 0xdfff;
    return count < least || surrogate ? wrong(t, "invalid escape \\ sequence") : SQLSTATE_OK;
}

/* An escape that stands for one character; false when it is another. `at` stands behind the letter. */
static bool read_character_escape(struct translator *t, uint8_t letter, uint32_t *point,
                                  enum sqlstate *failed)
{
    static const struct {
        uint8_t letter, point;
    } plain[] = {{'a', 7},  {'b', 8},  {'B', '\\'}, {'e', 27}, {'f', 12},
                 {'n', 10}, {'r', 13}, {'t', 9},    {'v', 11}};
    *failed = SQLSTATE_OK;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (plain[i].letter != letter)
            continue;
        *point = plain[i].point;
        return true;
    }
    switch (letter) {
    case 'c':
        if (!more(t)) {
            *failed = wrong(t, "invalid escape \\ sequence");
            return true;
        }
        *point = read_character(t) & 037;
        return true;
    case 'u':
        *failed = read_digits(t, 16, 4, 4, point);
        return true;
    case 'U':
        *failed = read_digits(t, 16, 8, 8, point);
        return true;
    case 'x':
        *failed = read_digits(t, 16, 1, 255, point);
        return true;
    case '0':
        *failed = read_digits(t, 8, 0, 2, point);
        return true;
    default:
        return false;
    }
}

/* What \d and the like are within brackets and outside. */
static const char *class_of(uint8_t letter, bool within)
{
    switch (letter) {
    case 'd':
        return within ? "0-9" : "[0-9]";
    case 'D':
        return within ? "\\x{0}-\\/:-\\x{10ffff}" : "[^0-9]";
    case 's':
        return "\\s";
    case 'S':
        return "\\S";
    case 'w':
        return "\\w";
    case 'W':
        return "\\W";
    default:
        return NULL;
    }
}

static const char *constraint_of(uint8_t letter)
{
    switch (letter) {
    case 'A':
        return "\\A";
    case 'm':
        return "\\b(?=\\w)";
    case 'M':
        return "\\b(?<=\\w)";
    case 'y':
        return "\\b";
    case 'Y':
        return "\\B";
    case 'Z':
        return "\\z";
    default:
        return NULL;
    }
}

static bool looks_around(const struct translator *t)
{
    return t->groups[t->depth].looks_around;
}

/* \1 ... : a reference when it is one digit or there are so many groups, else an octal escape. */
static enum sqlstate read_reference(struct translator *t)
{
    size_t start = t->at;
    uint32_t number = 0;
    for (; more(t) && peek(t) >= '0' && peek(t) <= '9' && number < 100000; t->at++)
        number = number * 10 + (uint32_t)(peek(t) - '0');
    bool reference = t->at - start == 1 || number <= t->closed;
    t->quantifiable = true;
    if (!reference) {
        uint32_t point;
        t->at = start;
        enum sqlstate failed = read_digits(t, 8, 1, 3, &point);
        if (!failed)
            put_character(t, point);
        return failed;
    }
    if (number > t->closed || looks_around(t))
        return wrong(t, "invalid backreference number");
    t->to->references = true;
    text_format(&t->to->out, "\\g{%u}", number);
    return SQLSTATE_OK;
}

/* `at` stands behind the backslash. */
static enum sqlstate read_escape(struct translator *t)
{
    if (!more(t))
        return wrong(t, "invalid escape \\ sequence");
    uint8_t letter = peek(t);
    uint32_t point;
    enum sqlstate failed;
    t->quantifiable = true;
    t->atom = PREFERS_NOTHING;
    if (!is_word_ascii(letter) || t->to->options.extended) {
        put_character(t, read_character(t));
        return SQLSTATE_OK;
    }
    if (letter >= '1' && letter <= '9')
        return read_reference(t);
    t->at++;
    const char *words = class_of(letter, false);
    if (words) {
        bool stops = t->to->options.newline_stops && (letter == 'D' || letter == 'W');
        text_format(&t->to->out, stops ? "(?:(?!\\n)%s)" : "%s", words);
        return SQLSTATE_OK;
    }
    if ((words = constraint_of(letter))) {
        put(t, words);
        t->quantifiable = false;
        return SQLSTATE_OK;
    }
    if (!read_character_escape(t, letter, &point, &failed))
        return wrong(t, "invalid escape \\ sequence");
    if (!failed)
        put_character(t, point);
    return failed;
}

/* ---- brackets ---- */

/* [:name:] */
static enum sqlstate read_class(struct translator *t)
{
    static const char *const names[][2] = {
        {"alnum", "\\p{L}\\p{N}"},
        {"alpha", "\\p{L}\\p{Nl}"},
        {"ascii", "\\x{0}-\\x{7f}"},
        {"blank", "\\h"},
        {"cntrl", "\\p{Cc}"},
        {"digit", "0-9"},
        {"graph", "[:graph:]"},
        {"lower", "\\p{Ll}"},
        {"print", "[:print:]"},
        {"punct", "[:punct:]"},
        {"space", "\\s"},
        {"upper", "\\p{Lu}"},
        {"xdigit", "0-9a-fA-F"},
        {"word", "\\w"},
    };
    size_t start = t->at;
    while (more(t) && peek(t) != ':' && peek(t) != ']')
        t->at++;
    struct bytes name = bytes_of(t->text.data + start, t->at - start);
    if (!next_is(t, ":]"))
        return wrong(t, more(t) ? "invalid character class" : "brackets [] not balanced");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (bytes_compare(name, bytes_of_text(names[i][0])) != 0)
            continue;
        bool cased = t->to->options.ignore_case && (names[i][0][0] == 'l' || names[i][0][0] == 'u');
        put(t, cased ? "\\p{L}" : names[i][1]);
        return SQLSTATE_OK;
    }
    return wrong(t, "invalid character class");
}

/* [.x.] or [=x=]: one character, or its name, of which we know none. */
static enum sqlstate read_element(struct translator *t, const char *end, uint32_t *point)
{
    if (!more(t))
        return wrong(t, "brackets [] not balanced");
    *point = read_character(t);
    return next_is(t, end) ? SQLSTATE_OK : wrong(t, "invalid collating element");
}

/* One end of a range. *single is false when it was a class, already written. */
static enum sqlstate read_member(struct translator *t, uint32_t *point, bool *single)
{
    enum sqlstate failed;
    *single = true;
    if (next_is(t, "[.") || next_is(t, "[="))
        return read_element(t, t->text.data[t->at - 1] == '.' ? ".]" : "=]", point);
    if (next_is(t, "[:")) {
        *single = false;
        return read_class(t);
    }
    if (peek(t) != '\\' || t->to->options.extended) {
        *point = read_character(t);
        return SQLSTATE_OK;
    }
    t->at++;
    if (!more(t))
        return wrong(t, "invalid escape \\ sequence");
    uint8_t letter = peek(t);
    if (!is_word_ascii(letter)) {
        *point = read_character(t);
        return SQLSTATE_OK;
    }
    const char *class = class_of(letter, true);
    if (class) {
        t->at++;
        *single = false;
        put(t, class);
        return SQLSTATE_OK;
    }
    if (letter >= '1' && letter <= '7')
        return read_digits(t, 8, 1, 3, point);
    t->at++;
    return read_character_escape(t, letter, point, &failed) ? failed : wrong(t, "invalid escape \\ sequence");
}

/* `at` stands behind the bracket. */
static enum sqlstate read_brackets(struct translator *t)
{
    t->quantifiable = true;
    t->atom = PREFERS_NOTHING;
    if (next_is(t, "[:<:]]") || next_is(t, "[:>:]]")) {
        put(t, constraint_of(t->text.data[t->at - 4] == '<' ? 'm' : 'M'));
        t->quantifiable = false;
        return SQLSTATE_OK;
    }
    bool negated = next_is(t, "^"), first = true;
    put(t, negated ? "[^" : "[");
    if (negated && t->to->options.newline_stops)
        put(t, "\\n");
    for (;; first = false) {
        uint32_t from, to;
        bool single;
        if (!more(t))
            return wrong(t, "brackets [] not balanced");
        if (peek(t) == ']' && !first)
            break;
        enum sqlstate failed = read_member(t, &from, &single);
        if (failed)
            return failed;
        bool range = t->text.size - t->at >= 2 && peek(t) == '-' && t->text.data[t->at + 1] != ']';
        if (!range) {
            if (single)
                put_character(t, from);
            continue;
        }
        t->at++;
        if (!single)
            return wrong(t, "invalid character range");
        size_t before = t->to->out.size;
        if ((failed = read_member(t, &to, &single)))
            return failed;
        if (!single || from > to || t->to->out.size != before)
            return wrong(t, "invalid character range");
        put_character(t, from);
        put(t, "-");
        put_character(t, to);
    }
    t->at++;
    put(t, "]");
    return SQLSTATE_OK;
}

/* ---- groups ---- */

static enum sqlstate open_group(struct translator *t)
{
    static const char *const around[] = {"?=", "?!", "?<=", "?<!"};
    if (t->depth == PATTERN_DEPTH_MAX)
        return error_set(t->error, SQLSTATE_STATEMENT_TOO_COMPLEX,
                         "invalid regular expression: regular expression is too complex");
    bool looks = looks_around(t);
    uint32_t captures = 0;
    t->quantifiable = false;
    if (next_is(t, "?:")) {
        put(t, "(?:");
    } else if (peek(t) == '?' && !t->to->options.extended) {
        size_t found = 0;
        while (found < 4 && !next_is(t, around[found]))
            found++;
        if (found == 4)
            return wrong(t, "quantifier operand invalid");
        text_format(&t->to->out, "(%s", around[found]);
        captures = UINT32_MAX; /* a constraint */
        looks = true;
    } else if (looks) {
        put(t, "(?:");
    } else {
        put(t, "(");
        captures = ++t->to->groups;
    }
    t->depth++;
    t->groups[t->depth] = (struct group){.looks_around = looks};
    t->captures[t->depth] = captures;
    return SQLSTATE_OK;
}

static enum sqlstate close_group(struct translator *t)
{
    if (t->depth == 0)
        return wrong(t, "parentheses () not balanced");
    const struct group *group = &t->groups[t->depth];
    uint32_t captures = t->captures[t->depth];
    put(t, ")");
    t->atom = group->alternatives ? PREFERS_LONGEST : group->preference;
    t->quantifiable = captures != UINT32_MAX;
    if (!t->quantifiable)
        t->atom = PREFERS_NOTHING;
    t->closed += captures > 0 && captures != UINT32_MAX;
    t->depth--;
    return SQLSTATE_OK;
}

/* ---- quantifiers ---- */

/* {m}, {m,} or {m,n}; `at` stands behind the brace. */
static enum sqlstate read_bounds(struct translator *t, bool *fixed)
{
    uint32_t bounds[2] = {0, 0}, count = 0;
    bool open = false;
    for (; count < 2; count++) {
        size_t start = t->at;
        for (; more(t) && peek(t) >= '0' && peek(t) <= '9'; t->at++) {
            bounds[count] = bounds[count] * 10 + (uint32_t)(peek(t) - '0');
            if (bounds[count] > REPETITIONS_MAX)
                return wrong(t, "invalid repetition count(s)");
        }
        if (t->at == start) {
            if (count == 0)
                return wrong(t, "invalid repetition count(s)");
            open = true;
            break;
        }
        if (count == 0 && !next_is(t, ",")) {
            count++;
            break;
        }
    }
    if (!next_is(t, "}"))
        return wrong(t, more(t) ? "invalid repetition count(s)" : "braces {} not balanced");
    *fixed = count == 1 && !open;
    if (count == 2 && bounds[0] > bounds[1])
        return wrong(t, "invalid repetition count(s)");
    if (*fixed)
        text_format(&t->to->out, "{%u}", bounds[0]);
    else if (open)
        text_format(&t->to->out, "{%u,}", bounds[0]);
    else
        text_format(&t->to->out, "{%u,%u}", bounds[0], bounds[1]);
    return SQLSTATE_OK;
}

static void skip_ignored(struct translator *t);

static bool at_quantifier(const struct translator *t)
{
    uint8_t byte = peek(t);
    bool digit = t->at + 1 < t->text.size && t->text.data[t->at + 1] >= '0' && t->text.data[t->at + 1] <= '9';
    return more(t) && (byte == '*' || byte == '+' || byte == '?' || (byte == '{' && digit));
}

/* The quantifier behind an atom, if there is one; then the branch knows what the atom prefers. */
static enum sqlstate read_quantifier(struct translator *t)
{
    enum preference preference = t->atom;
    skip_ignored(t);
    if (at_quantifier(t)) {
        if (!t->quantifiable)
            return wrong(t, "quantifier operand invalid");
        char sign[2] = {(char)peek(t), '\0'};
        bool fixed = false;
        t->at++;
        if (sign[0] == '{') {
            enum sqlstate failed = read_bounds(t, &fixed);
            if (failed)
                return failed;
        } else {
            put(t, sign);
        }
        bool lazy = !t->to->options.extended && next_is(t, "?");
        if (lazy)
            put(t, "?");
        t->to->quantifiers++;
        preference = fixed ? t->atom : lazy ? PREFERS_SHORTEST : PREFERS_LONGEST;
        skip_ignored(t);
        if (at_quantifier(t))
            return wrong(t, "quantifier operand invalid");
    }
    struct group *group = &t->groups[t->depth];
    if (group->preference == PREFERS_NOTHING)
        group->preference = preference;
    t->quantifiable = false;
    t->atom = PREFERS_NOTHING;
    return SQLSTATE_OK;
}

/* ---- the whole ---- */

/* Blanks and comments of the expanded syntax, and (?#...). */
static void skip_ignored(struct translator *t)
{
    while (more(t)) {
        if (t->to->options.expanded && is_blank(peek(t))) {
            t->at++;
        } else if (t->to->options.expanded && peek(t) == '#') {
            while (more(t) && peek(t) != '\n')
                t->at++;
        } else if (!t->to->options.extended && next_is(t, "(?#")) {
            while (more(t) && peek(t) != ')')
                t->at++;
            t->at += more(t);
        } else {
            return;
        }
    }
}

static enum sqlstate read_atom(struct translator *t)
{
    uint8_t byte = peek(t);
    t->quantifiable = true;
    t->atom = PREFERS_NOTHING;
    switch (byte) {
    case '\\':
        t->at++;
        return read_escape(t);
    case '[':
        t->at++;
        return read_brackets(t);
    case '.':
        t->at++;
        put(t, t->to->options.newline_stops ? "[^\\n]" : ".");
        return SQLSTATE_OK;
    case '^':
    case '$':
        t->at++;
        put(t, byte == '^' ? "^" : "$");
        t->quantifiable = false;
        return SQLSTATE_OK;
    case '*':
    case '+':
    case '?':
        return wrong(t, "quantifier operand invalid");
    case '{':
        if (at_quantifier(t))
            return wrong(t, "quantifier operand invalid");
        break;
    default:
        break;
    }
    put_character(t, read_character(t));
    return SQLSTATE_OK;
}

static enum sqlstate translate(struct translator *t)
{
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed) {
        skip_ignored(t);
        if (!more(t))
            break;
        if (next_is(t, "|")) {
            put(t, "|");
            t->to->alternatives = t->groups[t->depth].alternatives = true;
            continue;
        }
        if (next_is(t, "(")) {
            failed = open_group(t);
            continue;
        }
        if (peek(t) == ')') {
            t->at++;
            failed = close_group(t);
        } else {
            failed = read_atom(t);
        }
        if (!failed)
            failed = read_quantifier(t);
    }
    if (!failed && t->depth > 0)
        failed = wrong(t, "parentheses () not balanced");
    return failed;
}

enum sqlstate pattern_translate(struct scope *scope, struct bytes text, const struct pattern_options *options,
                                struct translation *translation, struct error *error)
{
    struct translator *t = scope_alloc_zeroed(scope, sizeof *t);
    *translation = (struct translation){.out = text_in(scope), .options = *options};
    t->text = text;
    t->to = translation;
    t->error = error;
    if (options->basic)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "basic regular expressions are not supported");
    enum sqlstate failed = read_director(t);
    if (!failed && translation->options.basic)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "basic regular expressions are not supported");
    if (!failed && translation->options.literal)
        while (more(t))
            put_character(t, read_character(t));
    else if (!failed)
        failed = translate(t);
    translation->shortest = !t->groups[0].alternatives && t->groups[0].preference == PREFERS_SHORTEST;
    return failed;
}
