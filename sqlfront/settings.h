/* Settings of a session: SET, RESET, SHOW and set_config() (PostgreSQL manual, 20.1; SQL command SET).
 *
 * A session keeps only the settings that differ from the preset. Each has up to three values: `current`, what holds now; `base`,
 * what holds when the transaction commits (SET LOCAL changes `current` alone); `reset`, what RESET goes back to. Changes are
 * written down and undone when the transaction, or the savepoint they were made under, is rolled back. */
#ifndef SYNOD_SQLFRONT_SETTINGS_H
#define SYNOD_SQLFRONT_SETTINGS_H

#include "base/list.h"
#include "sqlfront/value/value.h"

struct session;

enum setting_kind { SETTING_BOOLEAN = 1, SETTING_INTEGER, SETTING_REAL, SETTING_STRING, SETTING_ENUM };

/* Who may change it, and when; in the order of how freely. */
enum setting_context {
    CONTEXT_INTERNAL,
    CONTEXT_POSTMASTER,
    CONTEXT_SIGHUP,
    CONTEXT_SUPERUSER_BACKEND,
    CONTEXT_BACKEND,
    CONTEXT_SUPERUSER,
    CONTEXT_USER,
};

enum setting_flags {
    SETTING_REPORTED = 1,   /* clients are told when it changes */
    SETTING_HIDDEN = 2,     /* not in SHOW ALL and pg_settings */
    SETTING_KEPT = 4,       /* RESET ALL leaves it alone */
    SETTING_LIST = 8,       /* SET takes several values */
    SETTING_QUOTED = 16,    /* ... which are identifiers */
    SETTING_EXPLAINED = 32, /* shown by EXPLAIN (SETTINGS) */
};

struct setting {
    const char *name;
    uint8_t kind, context;
    uint8_t flags;
    const char *unit; /* NULL = none */
    double low, high;
    const char *preset;         /* in the unit */
    const char *const *choices; /* of an ENUM */
    const char *category, *description, *detail;
};

extern const struct setting settings_table[]; /* by name, letters' case aside */
extern const uint32_t settings_count;

/* What the session has of a setting. */
struct setting_value {
    struct list_link link;         /* in settings.values */
    const struct setting *setting; /* NULL = a custom one, with a dot in its name */
    const char *name;
    char *current, *base, *reset; /* NULL of `reset` = the preset; of a custom one: it is not there */
    char *told;                   /* what the client knows; NULL = the preset */
    uint8_t source;               /* enum setting_source of `current` */
};

enum setting_source { SOURCE_DEFAULT, SOURCE_CLIENT, SOURCE_SESSION };

struct setting_undo;

struct settings {
    struct session *session;
    struct scope *scope;
    struct list values;
    struct setting_undo *undo; /* newest first */
    struct setting_undo *undo_free;
    bool untold;         /* something changed that the client is to be told of */
    uint64_t generation; /* grows when something changes that bound statements depend on */
    uint64_t changes;    /* grows when anything changes; from 1 */
};

void settings_open(struct settings *settings, struct session *session, struct scope *scope);

/* The setting of that name, letters' case aside; NULL when there is none. */
const struct setting *setting_find(const char *name);

/* What holds now, in the setting's unit; NULL for a custom setting that is not there. */
const char *settings_get(const struct settings *settings, const char *name);

/* Where the value comes from, and what RESET would give. */
enum setting_source settings_source(const struct settings *settings, const struct setting *setting,
                                    const char **reset);

enum setting_scope { SET_SESSION, SET_LOCAL, SET_START };

/* Sets; `value` NULL = back to what RESET gives. 42704, 22023, 55P02, 42501, 25001. May yield. */
enum sqlstate settings_set(struct settings *settings, const char *name, const char *value,
                           enum setting_scope how, struct error *error);
enum sqlstate settings_reset_all(struct settings *settings, struct error *error);

/* Sets without asking whether one may, nor whether it makes sense, and not undone: what the session itself decides. */
void settings_force(struct settings *settings, const char *name, const char *value);

/* What SHOW shows: with units ("4MB"). 42704. The text is the scope's, or static. */
enum sqlstate settings_show(const struct settings *settings, struct scope *scope, const char *name,
                            const char **shown, struct error *error);
const char *setting_shown(struct scope *scope, const struct setting *setting, const char *value);

/* Transactions: a mark to go back to; everything since is undone; the transaction has committed. */
uint64_t settings_mark(const struct settings *settings);
void settings_undo_to(struct settings *settings, uint64_t mark);
void settings_commit(struct settings *settings);

/* PostgreSQL's words for true and false, also cut short; false when it is none. */
bool boolean_read(const char *text, bool *value);

/* Tells the client what changed of the settings it is told of; tells it all of them. May yield. */
void settings_report(struct settings *settings);
void settings_report_all(struct settings *settings);

/* settings_apply.c: checks a value, gives it as it is to be kept (of the scope), and refuses what cannot be: 22023. */
enum sqlstate setting_check(struct session *session, struct scope *scope, const struct setting *setting,
                            const char *value, const char **kept, struct error *error);
/* Whether bound statements depend on it. */
bool setting_binds(const struct setting *setting);
/* Lets the value take effect. */
void setting_apply(struct session *session, const struct setting *setting, const char *value);
/* What operators may take, from work_mem and its like; one of them is about to get the value (NULL: none is). */
void settings_apply_grants(struct session *session, const struct setting *setting, const char *value);

#endif
