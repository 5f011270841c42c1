#include "sqlfront/settings.h"

#include "sqlfront/inside.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One change, to be undone. */
struct setting_undo {
    struct setting_undo *next; /* older */
    struct setting_value *value;
    uint64_t number;      /* grows */
    char *current, *base; /* as they were; owned */
    uint8_t source;
};

void settings_open(struct settings *settings, struct session *session, struct scope *scope)
{
    *settings = (struct settings){.session = session, .scope = scope, .changes = 1};
    list_init(&settings->values);
}

/* ---- finding ---- */

/* As PostgreSQL's guc_name_compare: by ASCII letters in lower case. */
const struct setting *setting_find(const char *name)
{
    uint32_t low = 0, high = settings_count;
    if (strcasecmp(name, "timezone") == 0 || strcasecmp(name, "time zone") == 0)
        name = "TimeZone";
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = strcasecmp(name, settings_table[middle].name);
        if (order == 0)
            return &settings_table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static struct setting_value *value_find(const struct settings *settings, const struct setting *setting,
                                        const char *name)
{
    list_each (&settings->values, at) {
        struct setting_value *value = container_of(at, struct setting_value, link);
        if (setting ? value->setting == setting : !value->setting && strcasecmp(value->name, name) == 0)
            return value;
    }
    return NULL;
}

const char *settings_get(const struct settings *settings, const char *name)
{
    const struct setting *setting = setting_find(name);
    const struct setting_value *value = value_find(settings, setting, name);
    return value ? value->current : setting ? setting->preset : NULL;
}

enum setting_source settings_source(const struct settings *settings, const struct setting *setting,
                                    const char **reset)
{
    const struct setting_value *value = value_find(settings, setting, setting->name);
    *reset = value && value->reset ? value->reset : setting->preset;
    return value ? (enum setting_source)value->source : SOURCE_DEFAULT;
}

/* ---- texts that come and go ---- */

/* Texts are blocks of their own, so that a session that sets something for each of its million transactions does not grow. One
 * byte in front tells those that had to be taken from the scope, since the system had no memory. */
static char *text_keep(struct settings *settings, const char *text)
{
    void *memory;
    struct error error = {0};
    if (!text)
        return NULL;
    size_t size = strnlen(text, SCOPE_SMALL_BYTES - 2);
    bool large = !scope_alloc_large(settings->scope, size + 2, 1, &memory, &error);
    char *kept = large ? memory : scope_alloc(settings->scope, size + 2);
    kept[0] = large;
    memcpy(kept + 1, text, size);
    kept[size + 1] = '\0';
    return kept + 1;
}

static void text_drop(struct settings *settings, char *text)
{
    if (text && text[-1])
        scope_free_large(settings->scope, text - 1);
}

static struct setting_value *value_make(struct settings *settings, const struct setting *setting,
                                        const char *name)
{
    struct setting_value *value = value_find(settings, setting, name);
    if (value)
        return value;
    value = scope_alloc_zeroed(settings->scope, sizeof *value);
    value->setting = setting;
    value->name = setting ? setting->name : scope_copy_text(settings->scope, name);
    value->current = setting ? text_keep(settings, setting->preset) : NULL;
    value->base = setting ? text_keep(settings, setting->preset) : NULL;
    list_append(&settings->values, &value->link);
    return value;
}

/* ---- reading values ---- */

bool boolean_read(const char *text, bool *value)
{
    static const struct {
        const char *word;
        size_t least;
        bool value;
    } words[] = {{"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false},
                 {"on", 2, true},   {"off", 2, false},   {"1", 1, true},   {"0", 1, false}};
    size_t size = strlen(text);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (size >= words[i].least && size <= strlen(words[i].word) &&
            strncasecmp(text, words[i].word, size) == 0) {
            *value = words[i].value;
            return true;
        }
    return false;
}

/* A unit's worth in the smallest of its family: bytes or microseconds. 0 = no such unit. */
static double unit_worth(const char *unit, bool *is_time)
{
    static const struct {
        const char *name;
        double worth;
        bool is_time;
    } units[] = {
        {"B", 1, false},        {"kB", 1024, false},         {"8kB", 8192, false},
        {"MB", 1048576, false}, {"GB", 1073741824.0, false}, {"TB", 1099511627776.0, false},
        {"us", 1, true},        {"ms", 1000, true},          {"s", 1e6, true},
        {"min", 60e6, true},    {"h", 3600e6, true},         {"d", 86400e6, true},
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(unit, units[i].name) == 0) {
            *is_time = units[i].is_time;
            return units[i].worth;
        }
    return 0;
}

static enum sqlstate number_wrong(const char *name, const char *value, const char *hint, struct error *error)
{
    enum sqlstate failed = error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                     "invalid value for parameter \"%s\": \"%s\"", name, value);
    if (hint)
        error_add(error, ERROR_HINT, "%s", hint);
    return failed;
}

/* A number, perhaps with a unit, in the setting's unit. */
static enum sqlstate number_read(const struct setting *setting, const char *name, const char *value,
                                 double *number, struct error *error)
{
    char *end;
    bool is_time = false, given_time = false;
    *number = strtod(value, &end);
    if (end == value)
        return number_wrong(name, value, NULL, error);
    if (strncasecmp(value, "0x", 2) != 0 && setting->kind == SETTING_INTEGER && !strpbrk(value, ".eE")) {
        char *whole_end;
        long whole = strtol(value, &whole_end, 0); /* 010 is eight */
        if (whole_end >= end)
            *number = (double)whole;
    }
    while (isspace((unsigned char)*end))
        end++;
    if (*end) {
        char unit[8];
        size_t size = 0;
        while (end[size] && !isspace((unsigned char)end[size]) && size < sizeof unit - 1)
            size++;
        memcpy(unit, end, size);
        unit[size] = '\0';
        for (end += size; isspace((unsigned char)*end); end++)
            ;
        double own = setting->unit ? unit_worth(setting->unit, &is_time) : 0;
        double given = unit_worth(unit, &given_time);
        if (*end || own == 0 || given == 0 || is_time != given_time || strcmp(unit, "8kB") == 0)
            return number_wrong(
                name, value,
                own == 0  ? NULL
                : is_time ? "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and "
                            "\"d\"."
                          : "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".",
                error);
        *number = *number * given / own;
    }
    if (setting->kind == SETTING_INTEGER)
        *number = rint(*number);
    if (isnan(*number))
        return number_wrong(name, value, NULL, error);
    if (setting->kind == SETTING_INTEGER && (*number > INT32_MAX || *number < INT32_MIN))
        return number_wrong(name, value, "Value exceeds integer range.", error);
    if (*number >= setting->low && *number <= setting->high)
        return SQLSTATE_OK;
    const char *space = setting->unit ? " " : "", *unit = setting->unit ? setting->unit : "";
    if (setting->kind == SETTING_INTEGER)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "%.0f%s%s is outside the valid range for parameter \"%s\" (%.0f .. %.0f)", *number,
                         space, unit, name, setting->low, setting->high);
    return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                     "%g%s%s is outside the valid range for parameter \"%s\" (%g .. %g)", *number, space,
                     unit, name, setting->low, setting->high);
}

static enum sqlstate choice_read(struct scope *scope, const struct setting *setting, const char *name,
                                 const char *value, const char **kept, struct error *error)
{
    bool truth;
    for (const char *const *choice = setting->choices; *choice; choice++)
        if (strcasecmp(*choice, value) == 0) {
            *kept = *choice;
            return SQLSTATE_OK;
        }
    if (boolean_read(value, &truth))
        for (const char *const *choice = setting->choices; *choice; choice++)
            if (strcmp(*choice, truth ? "on" : "off") == 0) {
                *kept = *choice;
                return SQLSTATE_OK;
            }
    if (strcmp(setting->name, "client_min_messages") == 0 &&
        (strcasecmp(value, "info") == 0 || strcasecmp(value, "debug") == 0)) {
        *kept = strcasecmp(value, "info") == 0 ? "info" : "debug2";
        return SQLSTATE_OK;
    }
    enum sqlstate failed = error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                     "invalid value for parameter \"%s\": \"%s\"", name, value);
    struct text list = text_in(scope);
    const char *words = "";
    for (const char *const *choice = setting->choices; *choice; choice++)
        text_format(&list, "%s%s", choice == setting->choices ? "" : ", ", *choice);
    if (!text_end(&list, &words, &(struct error){0}))
        error_add(error, ERROR_HINT, "Available values: %s.", words);
    return failed;
}

/* The value as it is kept: canonical. */
static enum sqlstate value_read(struct settings *settings, struct scope *scope, const struct setting *setting,
                                const char *name, const char *value, const char **kept, struct error *error)
{
    double number;
    bool truth;
    enum sqlstate failed = SQLSTATE_OK;
    *kept = value;
    switch (setting->kind) {
    case SETTING_BOOLEAN:
        if (!boolean_read(value, &truth))
            return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                             "parameter \"%s\" requires a Boolean value", name);
        *kept = truth ? "on" : "off";
        break;
    case SETTING_INTEGER:
    case SETTING_REAL:
        failed = number_read(setting, name, value, &number, error);
        if (!failed) {
            char *text = scope_alloc(scope, 40);
            snprintf(text, 40, setting->kind == SETTING_INTEGER ? "%.0f" : "%g", number);
            *kept = text;
        }
        break;
    case SETTING_ENUM:
        failed = choice_read(scope, setting, name, value, kept, error);
        break;
    default:
        break;
    }
    return failed
               ? failed
               : setting_check(settings->session, scope, setting, scope_copy_text(scope, *kept), kept, error);
}

/* ---- setting ---- */

void settings_report(struct settings *settings)
{
    struct session_sink *sink = settings->session->options.sink;
    if (!settings->untold)
        return;
    settings->untold = false;
    for (uint32_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        struct setting_value *value =
            setting->flags & SETTING_REPORTED ? value_find(settings, setting, setting->name) : NULL;
        if (!value || strcmp(value->told ? value->told : setting->preset, value->current) == 0)
            continue;
        text_drop(settings, value->told);
        value->told = text_keep(settings, value->current);
        sink->ops->parameter(sink, setting->name, value->current);
    }
}

void settings_report_all(struct settings *settings)
{
    struct session_sink *sink = settings->session->options.sink;
    for (uint32_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (!(setting->flags & SETTING_REPORTED))
            continue;
        struct setting_value *value = value_find(settings, setting, setting->name);
        if (value)
            value->told = text_keep(settings, value->current);
        sink->ops->parameter(sink, setting->name, value ? value->current : setting->preset);
    }
    settings->untold = false;
}

/* Lets `current` be the value, which it owns from now on. */
static void value_take(struct settings *settings, struct setting_value *value, char *current)
{
    bool changed = !value->current || !current || strcmp(value->current, current) != 0;
    text_drop(settings, value->current);
    value->current = current;
    if (!changed)
        return;
    settings->changes++;
    if (value->setting) {
        settings->generation += setting_binds(value->setting);
        setting_apply(settings->session, value->setting, current);
        settings->untold |= value->setting->flags & SETTING_REPORTED;
    }
}

static void undo_write(struct settings *settings, struct setting_value *value)
{
    struct setting_undo *undo = settings->undo_free;
    uint64_t number = settings_mark(settings) + 1;
    if (undo)
        settings->undo_free = undo->next;
    else
        undo = scope_alloc(settings->scope, sizeof *undo);
    *undo = (struct setting_undo){
        .next = settings->undo,
        .value = value,
        .number = number,
        .current = text_keep(settings, value->current),
        .base = text_keep(settings, value->base),
        .source = value->source,
    };
    settings->undo = undo;
}

static enum sqlstate may_set(struct settings *settings, const struct setting *setting, enum setting_scope how,
                             struct error *error)
{
    switch (setting->context) {
    case CONTEXT_INTERNAL:
        return error_set(error, SQLSTATE_PACK('5', '5', 'P', '0', '2'), "parameter \"%s\" cannot be changed",
                         setting->name);
    case CONTEXT_POSTMASTER:
        return error_set(error, SQLSTATE_PACK('5', '5', 'P', '0', '2'),
                         "parameter \"%s\" cannot be changed without restarting the server", setting->name);
    case CONTEXT_SIGHUP:
        return error_set(error, SQLSTATE_PACK('5', '5', 'P', '0', '2'),
                         "parameter \"%s\" cannot be changed now", setting->name);
    case CONTEXT_SUPERUSER_BACKEND:
    case CONTEXT_BACKEND:
        if (how != SET_START)
            return error_set(error, SQLSTATE_PACK('5', '5', 'P', '0', '2'),
                             "parameter \"%s\" cannot be set after connection start", setting->name);
        return SQLSTATE_OK;
    case CONTEXT_SUPERUSER:
        if (!settings->session->superuser)
            return error_set(error, SQLSTATE_PACK('4', '2', '5', '0', '1'),
                             "permission denied to set parameter \"%s\"", setting->name);
        return SQLSTATE_OK;
    default:
        return SQLSTATE_OK;
    }
}

/* A custom setting's name: words of letters, digits and underscores with dots between. */
static enum sqlstate custom_check(const char *name, bool may_make, struct error *error)
{
    bool dot = false, starts = true;
    for (const char *c = name; *c; c++) {
        bool letter = isalpha((unsigned char)*c) || *c == '_' || (unsigned char)*c >= 0x80;
        if (*c == '.' && !starts)
            dot = starts = true;
        else if (letter || (!starts && (isdigit((unsigned char)*c) || *c == '$')))
            starts = false;
        else {
            dot = dot && strchr(name, '.');
            starts = true;
            break;
        }
    }
    if (!strchr(name, '.') || !may_make)
        return error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '4'),
                         "unrecognized configuration parameter \"%s\"", name);
    if (!dot || starts) {
        enum sqlstate failed = error_set(error, SQLSTATE_PACK('4', '2', '6', '0', '2'),
                                         "invalid configuration parameter name \"%s\"", name);
        error_add(error, ERROR_DETAIL,
                  "Custom parameter names must be two or more simple identifiers separated by dots.");
        return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate value_set(struct settings *settings, const struct setting *setting, const char *name,
                               const char *kept, enum setting_scope how)
{
    struct setting_value *value = value_make(settings, setting, name);
    if (how == SET_START) {
        text_drop(settings, value->reset);
        value->reset = text_keep(settings, kept);
        value->source = SOURCE_CLIENT;
    } else {
        undo_write(settings, value);
        value->source = SOURCE_SESSION;
    }
    if (how != SET_LOCAL) {
        text_drop(settings, value->base);
        value->base = text_keep(settings, kept);
    }
    value_take(settings, value, text_keep(settings, kept));
    return SQLSTATE_OK;
}

enum sqlstate settings_set(struct settings *settings, const char *name, const char *value,
                           enum setting_scope how, struct error *error)
{
    const struct setting *setting = setting_find(name);
    const struct setting_value *had = value_find(settings, setting, name);
    enum sqlstate failed = setting
                               ? may_set(settings, setting, how, error)
                               : custom_check(name, value != NULL || had != NULL || strchr(name, '.'), error);
    if (failed)
        return failed;
    bool resets = !value;
    if (resets)
        value = had && had->reset ? had->reset : setting ? setting->preset : NULL;
    if (!setting)
        return value || had ? value_set(settings, NULL, name, value, how) : SQLSTATE_OK;
    struct scope *work = scope_open(settings->scope, "setting");
    const char *kept = value;
    failed = value_read(settings, work, setting, name, value, &kept, error);
    if (!failed)
        failed = value_set(settings, setting, name, kept, how);
    if (!failed && resets)
        value_find(settings, setting, name)->source = had && had->reset ? SOURCE_CLIENT : SOURCE_DEFAULT;
    scope_close(work);
    return failed;
}

enum sqlstate settings_reset_all(struct settings *settings, struct error *error)
{
    list_each (&settings->values, at) {
        struct setting_value *value = container_of(at, struct setting_value, link);
        if (value->setting &&
            (value->setting->flags & SETTING_KEPT || value->setting->context < CONTEXT_SUPERUSER))
            continue;
        enum sqlstate failed = settings_set(settings, value->name, NULL, SET_SESSION, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

void settings_force(struct settings *settings, const char *name, const char *value)
{
    const struct setting *setting = setting_find(name);
    if (strcmp(settings_get(settings, name), value) == 0)
        return;
    struct setting_value *made = value_make(settings, setting, name);
    text_drop(settings, made->base);
    made->base = text_keep(settings, value);
    value_take(settings, made, text_keep(settings, value));
}

/* ---- transactions ---- */

uint64_t settings_mark(const struct settings *settings)
{
    return settings->undo ? settings->undo->number : 0;
}

void settings_undo_to(struct settings *settings, uint64_t mark)
{
    while (settings->undo && settings->undo->number > mark) {
        struct setting_undo *undo = settings->undo;
        settings->undo = undo->next;
        text_drop(settings, undo->value->base);
        undo->value->base = undo->base;
        undo->value->source = undo->source;
        value_take(settings, undo->value, undo->current);
        undo->next = settings->undo_free;
        settings->undo_free = undo;
    }
}

void settings_commit(struct settings *settings)
{
    while (settings->undo) {
        struct setting_undo *undo = settings->undo;
        struct setting_value *value = undo->value;
        settings->undo = undo->next;
        text_drop(settings, undo->current);
        text_drop(settings, undo->base);
        undo->next = settings->undo_free;
        settings->undo_free = undo;
        bool same =
            value->base ? value->current && strcmp(value->current, value->base) == 0 : !value->current;
        if (!same)
            value_take(settings, value, text_keep(settings, value->base));
    }
}

/* ---- showing ---- */

/* The largest unit that says the number without a fraction. */
static const char *number_shown(struct scope *scope, const struct setting *setting, const char *value)
{
    static const char *const sizes[] = {"TB", "GB", "MB", "kB", "B"};
    static const char *const times[] = {"d", "h", "min", "s", "ms", "us"};
    bool is_time = false, unused;
    double own = unit_worth(setting->unit, &is_time), number = strtod(value, NULL);
    if (number <= 0)
        return value;
    char *text = scope_alloc(scope, 48);
    for (size_t i = 0; i < (is_time ? 6 : 5); i++) {
        const char *unit = is_time ? times[i] : sizes[i];
        double shown = number * own / unit_worth(unit, &unused);
        if (fabs(rint(shown) / shown - 1) > 1e-8)
            continue;
        snprintf(text, 48, "%.0f%s", rint(shown), unit);
        return text;
    }
    snprintf(text, 48, "%g%s", number, setting->unit);
    return text;
}

const char *setting_shown(struct scope *scope, const struct setting *setting, const char *value)
{
    bool numeric = setting->kind == SETTING_INTEGER || setting->kind == SETTING_REAL;
    if (numeric && setting->unit)
        return number_shown(scope, setting, value);
    if (strcmp(setting->name, "data_directory_mode") == 0 || strcmp(setting->name, "log_file_mode") == 0 ||
        strcmp(setting->name, "unix_socket_permissions") == 0) {
        char *text = scope_alloc(scope, 16);
        snprintf(text, 16, "%04o", (unsigned)strtoul(value, NULL, 10));
        return text;
    }
    return value;
}

enum sqlstate settings_show(const struct settings *settings, struct scope *scope, const char *name,
                            const char **shown, struct error *error)
{
    const struct setting *setting = setting_find(name);
    const char *value = settings_get(settings, name);
    if (!value)
        return error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '4'),
                         "unrecognized configuration parameter \"%s\"", name);
    *shown = setting ? setting_shown(scope, setting, value) : value;
    return SQLSTATE_OK;
}
