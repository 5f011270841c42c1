/* One table of options drives everything: the command line, the environment, the file, and the help.
 *
 * The sources are read from the strongest to the weakest; a value that a stronger source has set is still
 * read and judged in a weaker one (a mistake in the file is found today, not on the day the command line
 * changes), but then forgotten. */
#include "node/options.h"

#include "base/check.h"
#include "base/scope.h"
#include "node/limits.h"

#include <stdio.h>
#include <string.h>

enum option_kind { OPTION_TEXT, OPTION_ADDRESS, OPTION_NUMBER, OPTION_SIZE, OPTION_CHOICE };

/* One word that a choice may be, and what it stands for. */
struct option_choice {
    const char *word;
    int value;
};

struct option {
    const char *name;
    const char *placeholder;
    const char *help;   /* one sentence; with the default where it cannot be written as a value */
    const char *preset; /* the default as one would write it; NULL = none */
    enum option_kind kind;
    bool required;
    bool command_only; /* makes no sense in the file itself */
    size_t offset;     /* of its value in struct options */
    uint64_t least;    /* numbers and sizes */
    uint64_t most;
    const struct option_choice *choices; /* word NULL at the end */
};

static const struct option_choice io_choices[] = {
    {"auto", LINUX_IO_AUTO}, {"uring", LINUX_IO_URING}, {"classic", LINUX_IO_CLASSIC}, {0}};
static const struct option_choice flush_choices[] = {
    {"auto", LINUX_FLUSH_AUTO}, {"ring", LINUX_FLUSH_RING}, {"thread", LINUX_FLUSH_THREAD}, {0}};
static const struct option_choice switch_choices[] = {{"off", 0}, {"on", 1}, {0}};
static const struct option_choice level_choices[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARN}, {"error", LOG_ERROR}, {0}};

#define VALUE(member) offsetof(struct options, member)

static const struct option table[] = {
    {"data", "DIR", "the data directory; made if it is not there", NULL, OPTION_TEXT, .required = true,
     .offset = VALUE(data)},
    {"sql-listen", "HOST:PORT", "where SQL clients connect; port 0 takes any free one", "127.0.0.1:5432",
     OPTION_ADDRESS, .offset = VALUE(sql_listen)},
    {"https-listen", "HOST:PORT", "where HTTPS clients connect", "127.0.0.1:8443", OPTION_ADDRESS,
     .offset = VALUE(https_listen)},
    {"cores", "N", "processors to use (default: all this process may use)", NULL, OPTION_NUMBER,
     .offset = VALUE(cores), .least = 1, .most = CORES_MAX},
    {"memory", "SIZE", "memory to use, as 512MB or 4GB (default: half of what this process may use)", NULL,
     OPTION_SIZE, .offset = VALUE(memory), .least = NODE_MEMORY_MIN, .most = NODE_MEMORY_MAX},
    {"connections", "N", "clients at the same time; one more is refused", "10000", OPTION_NUMBER,
     .offset = VALUE(connections), .least = 1, .most = NODE_CONNECTIONS_MAX},
    {"tls-cert", "FILE", "certificate chain for TLS, PEM (default: a self-made one in DIR/tls)", NULL,
     OPTION_TEXT, .offset = VALUE(tls_cert)},
    {"tls-key", "FILE", "its private key, PEM", NULL, OPTION_TEXT, .offset = VALUE(tls_key)},
    {"log-level", "LEVEL", "least important lines that are logged", "info", OPTION_CHOICE,
     .offset = VALUE(log_level), .choices = level_choices},
    {"io", "WAY", "how to talk to the kernel; auto is uring where it is allowed", "auto", OPTION_CHOICE,
     .offset = VALUE(io), .choices = io_choices},
    {"flush", "WAY", "how durable writes reach the disk; auto measures", "auto", OPTION_CHOICE,
     .offset = VALUE(flush), .choices = flush_choices},
    {"pin", "on|off", "bind each core to a processor of its own", "off", OPTION_CHOICE, .offset = VALUE(pin),
     .choices = switch_choices},
    {"long-share", "PERCENT", "of each core, what long statements get at least beside short ones", "20",
     OPTION_NUMBER, .offset = VALUE(long_share), .least = 1, .most = 100},
    {"config", "FILE", "file with lines NAME = VALUE, # starts a comment", NULL, OPTION_TEXT,
     .command_only = true, .offset = VALUE(config)},
};

enum { OPTIONS = sizeof table / sizeof table[0] };

enum source { SOURCE_COMMAND, SOURCE_ENVIRONMENT, SOURCE_FILE, SOURCE_PRESET, SOURCES };

/* One place where a value stood: names it in sentences. */
struct place {
    enum source source;
    const char *file;
    uint32_t line;
};

/* What has been read so far. */
struct reading {
    struct scope *scope;
    struct options *options;
    bool set[OPTIONS];               /* has its value */
    uint32_t seen[SOURCES][OPTIONS]; /* stood there: line in the file, else 1; 0 = not */
    struct error *error;
};

/* Room for "environment variable SYNOD_HTTPS_LISTEN" or a path and a line. */
enum { PLACE_BYTES = 320, VARIABLE_BYTES = 40 };

static void variable_of(const struct option *option, char name[static VARIABLE_BYTES])
{
    size_t used = (size_t)snprintf(name, VARIABLE_BYTES, "SYNOD_%s", option->name);
    check(used < VARIABLE_BYTES);
    for (char *at = name; *at; at++)
        *at = *at == '-' ? '_' : *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
}

/* "option --cores", "option cores (environment variable SYNOD_CORES)", "option cores (file x, line 3)". */
static void place_text(const struct place *place, const struct option *option, char text[static PLACE_BYTES])
{
    char variable[VARIABLE_BYTES];
    switch (place->source) {
    case SOURCE_ENVIRONMENT:
        variable_of(option, variable);
        snprintf(text, PLACE_BYTES, "option %s (environment variable %s)", option->name, variable);
        break;
    case SOURCE_FILE:
        snprintf(text, PLACE_BYTES, "option %s (file \"%.200s\", line %u)", option->name, place->file,
                 place->line);
        break;
    default:
        snprintf(text, PLACE_BYTES, "option --%s", option->name);
    }
}

static enum sqlstate place_state(const struct place *place)
{
    return place->source == SOURCE_FILE ? SQLSTATE_CONFIG_FILE_ERROR : SQLSTATE_INVALID_PARAMETER_VALUE;
}

/* ---- values ---- */

/* A decimal number; gives the text behind it, or NULL when there is none or it is too large. */
static const char *number_of(const char *at, uint64_t *number)
{
    const char *start = at;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return NULL;
    }
    *number = value;
    return at > start ? at : NULL;
}

/* 512MB: the units PostgreSQL takes, each 1,024 times the one before; none = bytes. */
static bool size_of(const char *text, uint64_t *bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    const char *at = number_of(text, bytes);
    if (!at)
        return false;
    while (*at == ' ')
        at++;
    if (!*at)
        return true;
    for (unsigned power = 0; power < 5; power++)
        if (strcmp(at, units[power]) == 0)
            return !__builtin_mul_overflow(*bytes, (uint64_t)1 << 10 * power, bytes);
    return false;
}

static void size_text(uint64_t bytes, char text[static 32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    unsigned power = 0;
    while (power < 4 && bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        power++;
    }
    snprintf(text, 32, "%llu%s", (unsigned long long)bytes, units[power]);
}

/* HOST:PORT or [V6]:PORT. A bare V6 address is refused: which colon would start the port? */
static bool address_of(struct scope *scope, const char *text, struct options_address *address)
{
    const char *host = text;
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon)
        return false;
    const char *end = number_of(colon + 1, &port);
    if (!end || *end || port > UINT16_MAX)
        return false;
    size_t length = (size_t)(colon - host);
    if (*host == '[') {
        if (length < 3 || host[length - 1] != ']')
            return false;
        host++;
        length -= 2;
    } else if (memchr(host, ':', length)) {
        return false;
    }
    if (length == 0 || length > 255 || strcspn(host, " \t[]") < length)
        return false;
    char *copy = scope_alloc(scope, length + 1);
    memcpy(copy, host, length);
    copy[length] = '\0';
    address->host = copy;
    address->port = (uint16_t)port;
    return true;
}

/* "auto, uring or classic" */
static void choices_text(const struct option_choice *choices, char text[static 64])
{
    size_t used = 0;
    for (const struct option_choice *choice = choices; choice->word; choice++) {
        const char *before = choice == choices ? "" : choice[1].word ? ", " : " or ";
        used += (size_t)snprintf(text + used, 64 - used, "%s%s", before, choice->word);
        check(used < 64);
    }
}

static enum sqlstate number_read(struct reading *reading, const struct option *option,
                                 const struct place *place, const char *text, uint64_t *value)
{
    char where[PLACE_BYTES], least[32], most[32];
    place_text(place, option, where);
    bool is_size = option->kind == OPTION_SIZE;
    const char *end = is_size ? NULL : number_of(text, value);
    if (is_size ? !size_of(text, value) : !end || *end) {
        enum sqlstate failed = error_set(reading->error, place_state(place), "%s: \"%.100s\" is not a %s",
                                         where, text, is_size ? "size" : "whole number");
        if (is_size)
            error_add(reading->error, ERROR_HINT,
                      "Write a whole number and one of the units B, kB, MB, GB, TB, for instance 512MB.");
        return failed;
    }
    if (*value >= option->least && *value <= option->most)
        return SQLSTATE_OK;
    if (is_size) {
        size_text(option->least, least);
        size_text(option->most, most);
    } else {
        snprintf(least, sizeof least, "%llu", (unsigned long long)option->least);
        snprintf(most, sizeof most, "%llu", (unsigned long long)option->most);
    }
    return error_set(reading->error, place_state(place), "%s: \"%.100s\" is not between %s and %s", where,
                     text, least, most);
}

static enum sqlstate choice_read(struct reading *reading, const struct option *option,
                                 const struct place *place, const char *text, int *value)
{
    char where[PLACE_BYTES], words[64];
    for (const struct option_choice *choice = option->choices; choice->word; choice++)
        if (strcmp(text, choice->word) == 0) {
            *value = choice->value;
            return SQLSTATE_OK;
        }
    place_text(place, option, where);
    choices_text(option->choices, words);
    return error_set(reading->error, place_state(place), "%s: \"%.100s\" is not one of %s", where, text,
                     words);
}

/* The value's place in struct options, by its type. */
static void *value_place(struct options *options, const struct option *option)
{
    return (char *)options + option->offset;
}

static void choice_store(struct options *options, const struct option *option, int value)
{
    if (option->choices == io_choices)
        options->io = (enum linux_io)value;
    else if (option->choices == flush_choices)
        options->flush = (enum linux_flush)value;
    else if (option->choices == level_choices)
        options->log_level = (enum log_level)value;
    else
        *(bool *)value_place(options, option) = value;
}

/* Judges a value, and stores it when no stronger source has. */
static enum sqlstate value_read(struct reading *reading, const struct option *option,
                                const struct place *place, const char *text)
{
    bool store = !reading->set[option - table];
    struct options_address address;
    char where[PLACE_BYTES];
    uint64_t number = 0;
    int choice = 0;
    enum sqlstate failed = SQLSTATE_OK;
    void *value = value_place(reading->options, option);

    place_text(place, option, where);
    if (!*text)
        return error_set(reading->error, place_state(place), "%s needs a value: %s", where,
                         option->placeholder);
    switch (option->kind) {
    case OPTION_TEXT:
        if (strlen(text) >= NODE_PATH_BYTES_MAX)
            return error_set(reading->error, place_state(place), "%s is longer than %d bytes", where,
                             NODE_PATH_BYTES_MAX - 1);
        if (store)
            *(const char **)value = scope_copy_text(reading->scope, text);
        break;
    case OPTION_ADDRESS:
        if (!address_of(reading->scope, text, &address)) {
            failed =
                error_set(reading->error, place_state(place), "%s: \"%.300s\" is not HOST:PORT", where, text);
            error_add(reading->error, ERROR_HINT,
                      "Write for instance 127.0.0.1:5432, [::1]:5432 or name:5432.");
        } else if (store) {
            *(struct options_address *)value = address;
        }
        break;
    case OPTION_NUMBER:
    case OPTION_SIZE:
        failed = number_read(reading, option, place, text, &number);
        if (failed || !store)
            break;
        if (option->kind == OPTION_SIZE)
            *(uint64_t *)value = number;
        else
            *(uint32_t *)value = (uint32_t)number;
        break;
    case OPTION_CHOICE:
        failed = choice_read(reading, option, place, text, &choice);
        if (!failed && store)
            choice_store(reading->options, option, choice);
        break;
    }
    reading->set[option - table] = true;
    return failed;
}

/* ---- sources ---- */

static const struct option *option_named(const char *name, size_t length)
{
    for (unsigned i = 0; i < OPTIONS; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return &table[i];
    return NULL;
}

/* Refuses a second time; else remembers. */
static enum sqlstate note_seen(struct reading *reading, const struct option *option,
                               const struct place *place)
{
    uint32_t *seen = &reading->seen[place->source][option - table];
    char where[PLACE_BYTES];
    place_text(place, option, where);
    if (*seen && place->source == SOURCE_FILE)
        return error_set(reading->error, place_state(place), "%s was given before, in line %u", where, *seen);
    if (*seen)
        return error_set(reading->error, place_state(place), "%s is given twice", where);
    *seen = place->source == SOURCE_FILE ? place->line : 1;
    return SQLSTATE_OK;
}

/* --name value, or --name=value. */
static enum sqlstate command_read(struct reading *reading, const struct options_source *source)
{
    const struct place place = {.source = SOURCE_COMMAND};
    for (int i = 1; i < source->argc; i++) {
        const char *word = source->argv[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "--version") == 0) {
            reading->options->action = word[2] == 'h' ? OPTIONS_HELP : OPTIONS_VERSION;
            return SQLSTATE_OK;
        }
        size_t length = strcspn(word, "=");
        const struct option *option = NULL;
        if (strncmp(word, "--", 2) == 0)
            option = option_named(word + 2, length - 2);
        if (!option) {
            enum sqlstate failed =
                error_set(reading->error, place_state(&place), "unknown %s \"%.*s\"",
                          *word == '-' ? "option" : "argument", (int)(length < 200 ? length : 200), word);
            error_add(reading->error, ERROR_HINT, "synodd --help lists the options.");
            return failed;
        }
        enum sqlstate failed = note_seen(reading, option, &place);
        if (failed)
            return failed;
        const char *value = word[length] == '=' ? word + length + 1 : "";
        /* What looks like an option is not taken for a value: "--data --cores 2" forgot the directory. */
        if (word[length] != '=' && i + 1 < source->argc && strncmp(source->argv[i + 1], "--", 2) != 0)
            value = source->argv[++i];
        failed = value_read(reading, option, &place, value);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* Variables of other names are not ours to judge: a container platform makes some for every service it
 * knows, and one called synod gives SYNOD_PORT and SYNOD_SERVICE_HOST. An empty one counts as not there. */
static enum sqlstate environment_read(struct reading *reading, const struct options_source *source)
{
    const struct place place = {.source = SOURCE_ENVIRONMENT};
    for (unsigned i = 0; i < OPTIONS; i++) {
        char name[VARIABLE_BYTES];
        variable_of(&table[i], name);
        const char *value = source->environment(source->argument, name);
        if (!value || !*value)
            continue;
        enum sqlstate failed = value_read(reading, &table[i], &place, value);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

/* The part of [at, end) without blanks around it. */
static struct bytes trimmed(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    while (end > at && is_blank(end[-1]))
        end--;
    return bytes_of(at, (size_t)(end - at));
}

/* Where the line's comment begins: a # at its start or behind a blank, so that a path may hold one. */
static const char *comment_of(const char *line, const char *end)
{
    for (const char *at = line; at < end; at++)
        if (*at == '#' && (at == line || is_blank(at[-1])))
            return at;
    return end;
}

static enum sqlstate line_read(struct reading *reading, const struct place *place, const char *line,
                               const char *end)
{
    end = comment_of(line, end);
    struct bytes whole = trimmed(line, end);
    if (whole.size == 0)
        return SQLSTATE_OK;
    const char *equals = memchr(line, '=', (size_t)(end - line));
    if (!equals || memchr(line, '\0', (size_t)(end - line)))
        return error_set(reading->error, place_state(place),
                         "file \"%.200s\", line %u: \"%.*s\" is not NAME = VALUE", place->file, place->line,
                         (int)(whole.size < 100 ? whole.size : 100), whole.data);
    struct bytes name = trimmed(line, equals);
    struct bytes value = trimmed(equals + 1, end);
    const struct option *option = option_named((const char *)name.data, name.size);
    if (!option || option->command_only)
        return error_set(reading->error, place_state(place), "file \"%.200s\", line %u: %s option \"%.*s\"",
                         place->file, place->line, option ? "misplaced" : "unknown",
                         (int)(name.size < 100 ? name.size : 100), name.data);
    enum sqlstate failed = note_seen(reading, option, place);
    if (failed)
        return failed;
    char *text = scope_alloc(reading->scope, value.size + 1);
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    return value_read(reading, option, place, text);
}

static enum sqlstate file_read(struct reading *reading, const struct options_source *source)
{
    struct place place = {.source = SOURCE_FILE, .file = reading->options->config};
    struct bytes text;
    if (!place.file)
        return SQLSTATE_OK;
    enum sqlstate failed = source->file(source->argument, reading->scope, place.file, &text, reading->error);
    if (failed)
        return failed;
    if (text.size > NODE_CONFIG_BYTES_MAX)
        return error_set(reading->error, SQLSTATE_CONFIG_FILE_ERROR,
                         "option config: file \"%.200s\" is longer than %d bytes", place.file,
                         NODE_CONFIG_BYTES_MAX);
    const char *at = (const char *)text.data;
    const char *end = at + text.size;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end)
            line_end = end;
        place.line++;
        failed = line_read(reading, &place, at, line_end);
        if (failed)
            return failed;
        at = line_end + 1;
    }
    return SQLSTATE_OK;
}

static enum sqlstate presets_read(struct reading *reading)
{
    const struct place place = {.source = SOURCE_PRESET};
    for (unsigned i = 0; i < OPTIONS; i++) {
        if (reading->set[i] || (!table[i].preset && !table[i].required))
            continue;
        if (table[i].required) {
            char variable[VARIABLE_BYTES];
            variable_of(&table[i], variable);
            enum sqlstate failed =
                error_set(reading->error, SQLSTATE_INVALID_PARAMETER_VALUE, "option --%s %s is missing",
                          table[i].name, table[i].placeholder);
            error_add(reading->error, ERROR_HINT, "It may also be given as environment variable %s.",
                      variable);
            return failed;
        }
        enum sqlstate failed = value_read(reading, &table[i], &place, table[i].preset);
        check(!failed, "the default of --%s is refused", table[i].name);
    }
    return SQLSTATE_OK;
}

enum sqlstate options_read(struct scope *scope, const struct options_source *source, struct options *options,
                           struct error *error)
{
    struct reading reading = {.scope = scope, .options = options, .error = error};
    memset(options, 0, sizeof *options);
    enum sqlstate failed = command_read(&reading, source);
    if (failed || options->action != OPTIONS_SERVE)
        return failed;
    failed = environment_read(&reading, source);
    if (!failed)
        failed = file_read(&reading, source);
    if (!failed)
        failed = presets_read(&reading);
    if (failed)
        return failed;
    if (!options->tls_cert != !options->tls_key)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "option --tls-%s is given, but option --tls-%s is missing",
                         options->tls_cert ? "cert" : "key", options->tls_cert ? "key" : "cert");
    return SQLSTATE_OK;
}

/* ---- help ---- */

const char *options_help(struct scope *scope)
{
    enum { HELP_BYTES = 8192 };
    char *text = scope_alloc(scope, HELP_BYTES);
    size_t used = (size_t)snprintf(text, HELP_BYTES, "usage: synodd --data DIR [OPTION]...\n\n");
    for (unsigned i = 0; i < OPTIONS; i++) {
        const struct option *option = &table[i];
        char left[64], words[64] = "";
        snprintf(left, sizeof left, "--%s %s", option->name, option->placeholder);
        used += (size_t)snprintf(text + used, HELP_BYTES - used, "  %-26s %s", left, option->help);
        if (option->choices) {
            choices_text(option->choices, words);
            used += (size_t)snprintf(text + used, HELP_BYTES - used, ": %s", words);
        }
        if (option->preset)
            used += (size_t)snprintf(text + used, HELP_BYTES - used, " (default: %s)", option->preset);
        used += (size_t)snprintf(text + used, HELP_BYTES - used, "\n");
        check(used < HELP_BYTES);
    }
    used += (size_t)snprintf(
        text + used, HELP_BYTES - used,
        "  %-26s %s\n  %-26s %s\n\n"
        "Every option may also be set in the environment (--sql-listen as SYNOD_SQL_LISTEN; an empty "
        "variable\n"
        "counts as none) and, except --config, in the configuration file (sql-listen = HOST:PORT). What "
        "counts:\n"
        "command line, else environment, else file, else the default.\n\n"
        "When ready, synodd prints one line \"ready sql=HOST:PORT https=HOST:PORT\" and writes\n"
        "DIR/endpoints.json. SIGTERM and SIGINT stop it cleanly.\n\n"
        "Exit status: 0 stopped cleanly, 1 failed (standard error says why), 2 an option was refused.\n",
        "--help", "print this and end", "--version", "print version and build id and end");
    check(used < HELP_BYTES);
    return text;
}
