/* What settings mean: the values that some take beyond what their kind says, and what a value does to the session. */
#include "sqlfront/inside.h"

#include "sqlfront/value/time/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- checks ---- */

static enum sqlstate refused(const struct setting *setting, const char *value, const char *detail,
                             struct error *error)
{
    enum sqlstate failed = error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                     "invalid value for parameter \"%s\": \"%s\"", setting->name, value);
    if (detail)
        error_add(error, ERROR_DETAIL, "%s", detail);
    return failed;
}

/* Names of encodings are told apart by their letters and digits alone. */
static enum sqlstate encoding_check(const struct setting *setting, const char *value, const char **kept,
                                    struct error *error)
{
    char plain[32];
    size_t size = 0;
    for (const char *c = value; *c && size < sizeof plain - 1; c++)
        if (isalnum((unsigned char)*c))
            plain[size++] = (char)tolower((unsigned char)*c);
    plain[size] = '\0';
    if (strcmp(plain, "utf8") == 0 || strcmp(plain, "unicode") == 0) {
        *kept = "UTF8";
        return SQLSTATE_OK;
    }
    if (strcmp(plain, "sqlascii") == 0) {
        *kept = "SQL_ASCII"; /* bytes as they are: what we have is UTF-8 */
        return SQLSTATE_OK;
    }
    static const char *const others[] = {"latin", "iso8859", "win", "koi8",  "euc",  "sjis",    "big5",
                                         "gbk",   "gb18030", "uhc", "johab", "mule", "shiftjis"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strncmp(plain, others[i], strlen(others[i])) == 0)
            return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                             "conversion between %s and UTF8 is not supported", value);
    return refused(setting, value, NULL, error);
}

struct date_words {
    const char *style, *order;
};

static bool date_word(const char *word, size_t size, struct date_words *words)
{
    static const struct {
        const char *word, *style, *order;
    } known[] = {
        {"ISO", "ISO", NULL},        {"SQL", "SQL", NULL},     {"POSTGRES", "Postgres", NULL},
        {"GERMAN", "German", "DMY"}, {"YMD", NULL, "YMD"},     {"DMY", NULL, "DMY"},
        {"MDY", NULL, "MDY"},        {"EURO", NULL, "DMY"},    {"EUROPEAN", NULL, "DMY"},
        {"US", NULL, "MDY"},         {"NONEURO", NULL, "MDY"}, {"NONEUROPEAN", NULL, "MDY"},
        {"DEFAULT", "ISO", "MDY"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].word) == size && strncasecmp(word, known[i].word, size) == 0) {
            if (known[i].style)
                words->style = known[i].style;
            if (known[i].order)
                words->order = known[i].order;
            return true;
        }
    return false;
}

static enum sqlstate date_style_check(struct session *session, struct scope *scope,
                                      const struct setting *setting, const char *value, const char **kept,
                                      struct error *error)
{
    static const char *const orders[] = {[DATE_MDY] = "MDY", [DATE_DMY] = "DMY", [DATE_YMD] = "YMD"};
    static const char *const styles[] = {
        [DATE_ISO] = "ISO", [DATE_SQL] = "SQL", [DATE_POSTGRES] = "Postgres", [DATE_GERMAN] = "German"};
    struct date_words words = {.style = styles[session->environment.date_style],
                               .order = orders[session->environment.date_order]};
    for (const char *at = value; *at;) {
        size_t size = strcspn(at, ", \t");
        if (size && !date_word(at, size, &words)) {
            char detail[96];
            snprintf(detail, sizeof detail, "Unrecognized key word: \"%.*s\".", (int)(size < 60 ? size : 60),
                     at);
            return refused(setting, value, detail, error);
        }
        at += size;
        at += strspn(at, ", \t");
    }
    char *text = scope_alloc(scope, 32);
    snprintf(text, 32, "%s, %s", words.style, words.order);
    *kept = text;
    return SQLSTATE_OK;
}

static enum sqlstate zone_check(struct scope *scope, const struct setting *setting, const char *value,
                                const char **kept, struct error *error)
{
    const struct time_zone *zone = zone_named(scope, bytes_of_text(value));
    if (!zone)
        return refused(setting, value, NULL, error);
    *kept = zone->name;
    return SQLSTATE_OK;
}

static enum sqlstate isolation_check(struct session *session, const char *value, struct error *error)
{
    bool differs = strcmp(settings_get(&session->settings, "transaction_isolation"), value) != 0;
    if (!differs || session->state == TRANSACTION_NONE)
        return SQLSTATE_OK;
    if (session->statements_run)
        return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                         "SET TRANSACTION ISOLATION LEVEL must be called before any query");
    if (session->savepoint)
        return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                         "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction");
    return SQLSTATE_OK;
}

static enum sqlstate read_only_check(struct session *session, const char *value, struct error *error)
{
    bool was = strcmp(settings_get(&session->settings, "transaction_read_only"), "on") == 0;
    if (!was || strcmp(value, "on") == 0 || session->state == TRANSACTION_NONE)
        return SQLSTATE_OK;
    if (session->savepoint)
        return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                         "cannot set transaction read-write mode inside a read-only transaction");
    if (session->statements_run)
        return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                         "transaction read-write mode must be set before any query");
    return SQLSTATE_OK;
}

enum sqlstate setting_check(struct session *session, struct scope *scope, const struct setting *setting,
                            const char *value, const char **kept, struct error *error)
{
    const char *name = setting->name;
    *kept = value;
    if (setting->kind == SETTING_STRING && strcmp(name, "client_encoding") == 0)
        return encoding_check(setting, value, kept, error);
    if (strcmp(name, "DateStyle") == 0)
        return date_style_check(session, scope, setting, value, kept, error);
    if (strcmp(name, "TimeZone") == 0)
        return zone_check(scope, setting, value, kept, error);
    if (strcmp(name, "transaction_isolation") == 0)
        return isolation_check(session, value, error);
    if (strcmp(name, "transaction_read_only") == 0)
        return read_only_check(session, value, error);
    if (strcmp(name, "role") == 0)
        return strcasecmp(value, "none") == 0 ? SQLSTATE_OK : session_role_check(session, value, error);
    if (strcmp(name, "session_authorization") == 0) {
        *kept = *value ? value : session->login_role;
        return session_authorization_check(session, *kept, error);
    }
    if (strcmp(name, "default_table_access_method") == 0 && strcmp(value, "heap") != 0 &&
        strcmp(value, "memory") != 0 && strcmp(value, "columnar") != 0) {
        char detail[160];
        snprintf(detail, sizeof detail, "Table access method \"%s\" does not exist.", value);
        return refused(setting, value, detail, error);
    }
    return SQLSTATE_OK;
}

/* ---- effects ---- */

static void date_style_apply(struct environment *environment, const char *value)
{
    environment->date_style = strncmp(value, "ISO", 3) == 0        ? DATE_ISO
                              : strncmp(value, "SQL", 3) == 0      ? DATE_SQL
                              : strncmp(value, "Postgres", 8) == 0 ? DATE_POSTGRES
                                                                   : DATE_GERMAN;
    environment->date_order = strstr(value, "DMY") ? DATE_DMY : strstr(value, "YMD") ? DATE_YMD : DATE_MDY;
}

/* Zones of tzdata are static; one that is made of a rule lives until the next. */
static void zone_apply(struct session *session, const char *value)
{
    struct scope *before = session->zone_scope;
    session->environment.zone = zone_find(bytes_of_text(value));
    session->zone_scope = NULL;
    if (!session->environment.zone) {
        session->zone_scope = scope_open(session->scope, "zone");
        session->environment.zone =
            zone_named(session->zone_scope, bytes_of_text(scope_copy_text(session->zone_scope, value)));
    }
    if (before)
        scope_close(before);
}

static void interval_style_apply(struct environment *environment, const char *value)
{
    environment->interval_style = strcmp(value, "postgres") == 0           ? INTERVAL_POSTGRES
                                  : strcmp(value, "postgres_verbose") == 0 ? INTERVAL_POSTGRES_VERBOSE
                                  : strcmp(value, "sql_standard") == 0     ? INTERVAL_SQL_STANDARD
                                                                           : INTERVAL_ISO_8601;
}

/* The setting's value; of the one that is being set, the new one. */
static double grant_of(const struct session *session, const char *name, const struct setting *setting,
                       const char *value)
{
    const char *text =
        setting && strcmp(setting->name, name) == 0 ? value : settings_get(&session->settings, name);
    return text ? strtod(text, NULL) : 0;
}

void settings_apply_grants(struct session *session, const struct setting *setting, const char *value)
{
    double memory = grant_of(session, "work_mem", setting, value) * 1024;
    double limit = grant_of(session, "temp_file_limit", setting, value);
    session->grants.memory = (size_t)memory;
    session->grants.hash = (size_t)(memory * grant_of(session, "hash_mem_multiplier", setting, value));
    session->grants.temporary = limit < 0 ? 0 : limit < 1 ? 1 : (uint64_t)(limit * 1024);
}

void setting_apply(struct session *session, const struct setting *setting, const char *value)
{
    struct environment *environment = &session->environment;
    const char *name = setting->name;
    if (strcmp(name, "DateStyle") == 0)
        date_style_apply(environment, value);
    else if (strcmp(name, "TimeZone") == 0)
        zone_apply(session, value);
    else if (strcmp(name, "IntervalStyle") == 0)
        interval_style_apply(environment, value);
    else if (strcmp(name, "extra_float_digits") == 0)
        environment->extra_float_digits = atoi(value);
    else if (strcmp(name, "bytea_output") == 0)
        environment->bytea_escape = strcmp(value, "escape") == 0;
    else if (strcmp(name, "standard_conforming_strings") == 0)
        environment->standard_conforming_strings = strcmp(value, "on") == 0;
    else if (strcmp(name, "role") == 0)
        session_role_apply(session, value);
    else if (strcmp(name, "session_authorization") == 0)
        session_authorization_apply(session, value);
    else if (strcmp(name, "work_mem") == 0 || strcmp(name, "hash_mem_multiplier") == 0 ||
             strcmp(name, "temp_file_limit") == 0)
        settings_apply_grants(session, setting, value);
    else if (strcmp(name, "transaction_isolation") == 0)
        transaction_renew(session);
    else if (strcmp(name, "transaction_read_only") == 0 && session->transaction)
        session->read_only = strcmp(value, "on") == 0;
}

bool setting_binds(const struct setting *setting)
{
    static const char *const categories[] = {"Query Tuning", "Version and Platform Compatibility",
                                             "Client Connection Defaults / Locale and Formatting"};
    static const char *const names[] = {"search_path", "max_parallel_workers_per_gather", "work_mem",
                                        "hash_mem_multiplier"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(setting->name, names[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof categories / sizeof categories[0]; i++)
        if (strncmp(setting->category, categories[i], strlen(categories[i])) == 0)
            return strcmp(setting->name, "client_encoding") != 0;
    return false;
}
