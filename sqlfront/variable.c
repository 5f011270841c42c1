/* SET, RESET and SET TRANSACTION. */
#include "sqlfront/inside.h"

#include "sqlfront/parse/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* SET TIME ZONE with hours, or an interval of hours and minutes: a POSIX zone, whose sign is the other way. */
static const char *zone_of_minutes(struct scope *scope, long minutes)
{
    char *text = scope_alloc(scope, 48);
    long size = minutes < 0 ? -minutes : minutes;
    if (size % 60)
        snprintf(text, 48, "<%c%02ld:%02ld>%c%02ld:%02ld", minutes < 0 ? '-' : '+', size / 60, size % 60,
                 minutes < 0 ? '+' : '-', size / 60, size % 60);
    else
        snprintf(text, 48, "<%c%02ld>%c%02ld", minutes < 0 ? '-' : '+', size / 60, minutes < 0 ? '+' : '-',
                 size / 60);
    return text;
}

static bool is_plain_identifier(const char *name)
{
    if (!((*name >= 'a' && *name <= 'z') || *name == '_'))
        return false;
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_'))
            return false;
    return true;
}

static enum sqlstate constant_text(struct scope *scope, const A_Const *constant, const char **text,
                                   struct error *error)
{
    char *number;
    switch (nodeTag(&constant->val)) {
    case T_String:
        *text = constant->val.sval.sval;
        return SQLSTATE_OK;
    case T_Float:
        *text = constant->val.fval.fval;
        return SQLSTATE_OK;
    case T_Integer:
        number = scope_alloc(scope, 16);
        snprintf(number, 16, "%d", constant->val.ival.ival);
        *text = number;
        return SQLSTATE_OK;
    case T_Boolean:
        *text = constant->val.boolval.boolval ? "true" : "false";
        return SQLSTATE_OK;
    default:
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "unexpected value of a parameter");
    }
}

/* SET TIME ZONE INTERVAL '+01:30' HOUR TO MINUTE. */
static enum sqlstate interval_text(struct scope *scope, const char *interval, const char **text,
                                   struct error *error)
{
    int hours = 0, minutes = 0;
    char sign = '+';
    const char *at = interval;
    if (*at == '+' || *at == '-')
        sign = *at++;
    if (sscanf(at, "%d:%d", &hours, &minutes) < 1)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "invalid value for parameter \"%s\": \"%s\"", "TimeZone", interval);
    long all = hours * 60L + minutes;
    *text = zone_of_minutes(scope, sign == '-' ? -all : all);
    return SQLSTATE_OK;
}

/* The arguments as one text, as the setting wants them. */
static enum sqlstate arguments_text(struct scope *scope, const char *name, const List *arguments,
                                    const char **value, struct error *error)
{
    const struct setting *setting = setting_find(name);
    bool list = setting && setting->flags & SETTING_LIST, quoted = setting && setting->flags & SETTING_QUOTED;
    bool zone = setting && strcmp(setting->name, "TimeZone") == 0;
    struct text text = text_in(scope);
    if (list_length(arguments) > 1 && !list)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "SET %s takes only one argument", name);
    for (int i = 0; i < list_length(arguments); i++) {
        const Node *argument = list_nth(arguments, i);
        const char *word = "";
        const A_Const *constant = (const A_Const *)argument;
        enum sqlstate failed = SQLSTATE_OK;
        bool interval = IsA(argument, TypeCast);
        if (interval)
            constant = (const A_Const *)((const TypeCast *)argument)->arg;
        if (!IsA(constant, A_Const))
            return error_set(error, SQLSTATE_SYNTAX_ERROR, "unexpected value of a parameter");
        failed = constant_text(scope, constant, &word, error);
        if (!failed && interval)
            failed = interval_text(scope, word, &word, error);
        if (failed)
            return failed;
        if (zone && IsA(&constant->val, Integer) && !interval)
            word = zone_of_minutes(scope, 60L * constant->val.ival.ival);
        if (i > 0)
            text_append(&text, ", ");
        if (quoted && !is_plain_identifier(word))
            text_identifier(&text, word);
        else
            text_append(&text, word);
    }
    return text_end(&text, value, error);
}

/* SET TRANSACTION and SET SESSION CHARACTERISTICS: `prefix` is "transaction_" or "default_transaction_". */
static enum sqlstate characteristics_run(struct session *session, struct scope *scope, const List *options,
                                         const char *prefix, enum setting_scope how, struct error *error)
{
    for (int i = 0; i < list_length(options); i++) {
        const DefElem *option = list_nth(options, i);
        const char *value;
        char name[64];
        snprintf(name, sizeof name, "%s%s", prefix,
                 strncmp(option->defname, "transaction_", 12) == 0 ? option->defname + 12 : option->defname);
        enum sqlstate failed = constant_text(scope, (const A_Const *)option->arg, &value, error);
        if (!failed && strcmp(option->defname, "transaction_isolation") != 0)
            value = strcmp(value, "0") == 0 || strcmp(value, "false") == 0 ? "off" : "on";
        if (!failed)
            failed = settings_set(&session->settings, name, value, how, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate several_run(struct session *session, struct scope *scope, const VariableSetStmt *set,
                                 struct error *error)
{
    if (strcmp(set->name, "TRANSACTION") == 0) {
        if (!transaction_is_block(session))
            session_notice(session, SESSION_WARNING, SQLSTATE_PACK('2', '5', 'P', '0', '1'),
                           "SET TRANSACTION can only be used in transaction blocks");
        return characteristics_run(session, scope, set->args, "transaction_", SET_LOCAL, error);
    }
    if (strcmp(set->name, "SESSION CHARACTERISTICS") == 0)
        return characteristics_run(session, scope, set->args, "default_transaction_", SET_SESSION, error);
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "SET TRANSACTION SNAPSHOT is not supported");
}

enum sqlstate variable_set_run(struct session *session, struct scope *scope, const VariableSetStmt *set,
                               const char **tag, struct error *error)
{
    struct settings *settings = &session->settings;
    enum setting_scope how = set->is_local ? SET_LOCAL : SET_SESSION;
    const char *value;
    enum sqlstate failed;
    *tag = set->kind == VAR_RESET || set->kind == VAR_RESET_ALL ? "RESET" : "SET";
    if (set->is_local && !transaction_is_block(session) && !session->several)
        session_notice(session, SESSION_WARNING, SQLSTATE_PACK('2', '5', 'P', '0', '1'),
                       "SET LOCAL can only be used in transaction blocks");
    switch (set->kind) {
    case VAR_SET_VALUE:
        failed = arguments_text(scope, set->name, set->args, &value, error);
        return failed ? failed : settings_set(settings, set->name, value, how, error);
    case VAR_SET_DEFAULT:
    case VAR_RESET:
        return settings_set(settings, set->name, NULL, how, error);
    case VAR_SET_CURRENT:
        value = settings_get(settings, set->name);
        return settings_set(settings, set->name, value ? scope_copy_text(scope, value) : NULL, how, error);
    case VAR_SET_MULTI:
        return several_run(session, scope, set, error);
    case VAR_RESET_ALL:
        return settings_reset_all(settings, error);
    }
    return SQLSTATE_OK;
}

enum sqlstate variable_setting_text(struct session *session, struct scope *scope, const VariableSetStmt *set,
                                    const char **text, struct error *error)
{
    struct settings *settings = &session->settings;
    const char *value = NULL;
    *text = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    if (set->kind == VAR_SET_VALUE)
        failed = arguments_text(scope, set->name, set->args, &value, error);
    else if (set->kind == VAR_SET_CURRENT)
        failed = settings_show(settings, scope, set->name, &value, error);
    if (failed || !value)
        return failed;
    /* It is checked by being set for a moment. */
    value = scope_copy_text(scope, value);
    uint64_t mark = settings_mark(settings);
    failed = settings_set(settings, set->name, value, SET_LOCAL, error);
    settings_undo_to(settings, mark);
    const struct setting *setting = setting_find(set->name);
    struct text whole = text_in(scope);
    text_format(&whole, "%s=%s", setting ? setting->name : set->name, value);
    return failed ? failed : text_end(&whole, text, error);
}
