/* Access lists as text and as bits. */
#include "sqlfront/catalog/acl.h"

#include "base/scope.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* In the order in which PostgreSQL writes them. */
static const struct {
    char letter;
    uint32_t bit;
    const char *word;
} privileges[] = {
    {'a', PRIVILEGE_INSERT, "INSERT"},       {'r', PRIVILEGE_SELECT, "SELECT"},
    {'w', PRIVILEGE_UPDATE, "UPDATE"},       {'d', PRIVILEGE_DELETE, "DELETE"},
    {'D', PRIVILEGE_TRUNCATE, "TRUNCATE"},   {'x', PRIVILEGE_REFERENCES, "REFERENCES"},
    {'t', PRIVILEGE_TRIGGER, "TRIGGER"},     {'X', PRIVILEGE_EXECUTE, "EXECUTE"},
    {'U', PRIVILEGE_USAGE, "USAGE"},         {'C', PRIVILEGE_CREATE, "CREATE"},
    {'T', PRIVILEGE_TEMPORARY, "TEMPORARY"}, {'c', PRIVILEGE_CONNECT, "CONNECT"},
};
#define PRIVILEGES (sizeof privileges / sizeof *privileges)

const char *privilege_word(uint32_t privilege)
{
    for (size_t i = 0; i < PRIVILEGES; i++)
        if (privileges[i].bit == privilege)
            return privileges[i].word;
    return "?";
}

uint32_t privilege_of_word(const char *word, size_t length)
{
    if (length == 4 && strncasecmp(word, "TEMP", 4) == 0)
        return PRIVILEGE_TEMPORARY;
    for (size_t i = 0; i < PRIVILEGES; i++)
        if (strlen(privileges[i].word) == length && strncasecmp(word, privileges[i].word, length) == 0)
            return privileges[i].bit;
    return 0;
}

uint32_t acl_all(char kind)
{
    switch (kind) {
    case 'r':
        return PRIVILEGE_INSERT | PRIVILEGE_SELECT | PRIVILEGE_UPDATE | PRIVILEGE_DELETE |
               PRIVILEGE_TRUNCATE | PRIVILEGE_REFERENCES | PRIVILEGE_TRIGGER;
    case 'S':
        return PRIVILEGE_SELECT | PRIVILEGE_UPDATE | PRIVILEGE_USAGE;
    case 'f':
        return PRIVILEGE_EXECUTE;
    case 'n':
        return PRIVILEGE_USAGE | PRIVILEGE_CREATE;
    case 'd':
        return PRIVILEGE_CREATE | PRIVILEGE_TEMPORARY | PRIVILEGE_CONNECT;
    case 'T':
        return PRIVILEGE_USAGE;
    case 'c':
        return PRIVILEGE_INSERT | PRIVILEGE_SELECT | PRIVILEGE_UPDATE | PRIVILEGE_REFERENCES;
    default:
        return 0;
    }
}

struct acl acl_default(struct scope *scope, char kind, const char *owner)
{
    struct acl acl = {0};
    uint32_t everybody = kind == 'f' || kind == 'T' ? acl_all(kind)
                         : kind == 'd'              ? PRIVILEGE_TEMPORARY | PRIVILEGE_CONNECT
                                                    : 0;
    if (everybody)
        acl_grant(scope, &acl, "", owner, everybody, false);
    if (acl_all(kind) && kind != 'c')
        acl_grant(scope, &acl, owner, owner, acl_all(kind), false);
    return acl;
}

/* ---- text ---- */

/* A role's name, in quotes where it needs them; *at moves behind it. */
static char *name_read(struct scope *scope, const char **at, const char *end)
{
    char *name = scope_alloc(scope, (size_t)(end - *at) + 1), *to = name;
    bool quoted = false;
    while (*at < end && (quoted || (**at != '=' && **at != '/'))) {
        if (**at == '"' && quoted && *at + 1 < end && (*at)[1] == '"') {
            *to++ = '"';
            *at += 2;
        } else if (**at == '"') {
            quoted = !quoted;
            *at += 1;
        } else {
            *to++ = *(*at)++;
        }
    }
    *to = 0;
    return name;
}

bool acl_item_parse(struct scope *scope, const char *text, struct acl_item *item)
{
    const char *end = text + strlen(text);
    *item = (struct acl_item){0};
    item->grantee = name_read(scope, &text, end);
    if (text == end || *text++ != '=')
        return false;
    uint32_t last = 0;
    for (; text < end && *text != '/'; text++) {
        if (*text == '*') {
            item->grantable |= last;
            continue;
        }
        last = 0;
        for (size_t i = 0; i < PRIVILEGES; i++)
            if (privileges[i].letter == *text)
                last = privileges[i].bit;
        if (!last)
            return false;
        item->privileges |= last;
    }
    if (text < end)
        text++;
    item->grantor = name_read(scope, &text, end);
    return text == end;
}

static void name_write(struct text *text, const char *name)
{
    bool plain = true;
    for (const char *at = name; *at; at++)
        plain = plain && (isalnum((unsigned char)*at) || *at == '_');
    if (plain)
        text_append(text, name);
    else
        text_identifier(text, name);
}

const char *acl_item_text(struct scope *scope, const struct acl_item *item)
{
    struct text text = text_in(scope);
    const char *whole;
    struct error error;
    name_write(&text, item->grantee);
    text_append(&text, "=");
    for (size_t i = 0; i < PRIVILEGES; i++)
        if (item->privileges & privileges[i].bit)
            text_format(&text, "%c%s", privileges[i].letter, item->grantable & privileges[i].bit ? "*" : "");
    text_append(&text, "/");
    name_write(&text, item->grantor);
    return text_end(&text, &whole, &error) ? "" : whole;
}

static void add(struct scope *scope, struct acl *acl, const struct acl_item *item)
{
    struct acl_item *items = scope_alloc(scope, (acl->count + 1) * sizeof *items);
    if (acl->count)
        memcpy(items, acl->items, acl->count * sizeof *items);
    items[acl->count++] = *item;
    acl->items = items;
}

/* The text form of the array: items between commas, in quotes with backslashes where they need them. */
bool acl_parse(struct scope *scope, const char *text, struct acl *acl)
{
    *acl = (struct acl){0};
    if (!text || *text != '{')
        return false;
    char *item = scope_alloc(scope, strlen(text) + 1), *to = item;
    bool quoted = false;
    for (const char *at = text + 1; *at; at++) {
        if (*at == '\\' && at[1]) {
            *to++ = *++at;
        } else if (*at == '"') {
            quoted = !quoted;
        } else if (!quoted && (*at == ',' || *at == '}')) {
            struct acl_item parsed;
            *to = 0;
            if (to != item && !acl_item_parse(scope, item, &parsed))
                return false;
            if (to != item)
                add(scope, acl, &parsed);
            to = item;
        } else {
            *to++ = *at;
        }
    }
    return true;
}

enum sqlstate acl_read(struct scope *scope, const struct value *list, struct acl *acl, struct error *error)
{
    const char **texts;
    uint32_t count = list_texts(scope, list, &texts);
    *acl = (struct acl){0};
    for (uint32_t i = 0; i < count; i++) {
        struct acl_item item;
        if (!acl_item_parse(scope, texts[i], &item))
            return error_set(error, SQLSTATE_DATA_CORRUPTED, "access list item \"%s\" makes no sense",
                             texts[i]);
        add(scope, acl, &item);
    }
    return SQLSTATE_OK;
}

enum sqlstate acl_write(struct scope *scope, const struct acl *acl, struct value *list, struct error *error)
{
    const char **texts = scope_alloc(scope, (acl->count + 1) * sizeof *texts);
    for (uint32_t i = 0; i < acl->count; i++)
        texts[i] = acl_item_text(scope, &acl->items[i]);
    return list_make_texts(scope, TYPE_ACLITEM, texts, acl->count, list, error);
}

const char *access_list_text(struct scope *scope, const struct value *list)
{
    const char **texts, *whole;
    struct error error;
    if (list->null)
        return NULL;
    uint32_t count = list_texts(scope, list, &texts);
    struct text text = text_in(scope);
    text_append(&text, "{");
    for (uint32_t i = 0; i < count; i++) {
        bool quote = strpbrk(texts[i], "\"\\ ,{}") != NULL;
        text_append(&text, i ? "," : "");
        text_append(&text, quote ? "\"" : "");
        for (const char *at = texts[i]; *at; at++)
            text_format(&text, "%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
        text_append(&text, quote ? "\"" : "");
    }
    text_append(&text, "}");
    return text_end(&text, &whole, &error) ? NULL : whole;
}

/* ---- changing ---- */

void acl_grant(struct scope *scope, struct acl *acl, const char *grantee, const char *grantor, uint32_t bits,
               bool with_option)
{
    for (uint32_t i = 0; i < acl->count; i++)
        if (strcmp(acl->items[i].grantee, grantee) == 0 && strcmp(acl->items[i].grantor, grantor) == 0) {
            acl->items[i].privileges |= bits;
            if (with_option)
                acl->items[i].grantable |= bits;
            return;
        }
    add(scope, acl,
        &(struct acl_item){
            .grantee = grantee, .grantor = grantor, .privileges = bits, .grantable = with_option ? bits : 0});
}

void acl_revoke(struct acl *acl, const char *grantee, uint32_t bits, bool option_only)
{
    for (uint32_t i = 0; i < acl->count; i++)
        if (strcmp(acl->items[i].grantee, grantee) == 0) {
            acl->items[i].grantable &= ~bits;
            if (!option_only)
                acl->items[i].privileges &= ~bits;
        }
}

void acl_tidy(struct acl *acl)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < acl->count; i++)
        if (acl->items[i].privileges)
            acl->items[kept++] = acl->items[i];
    acl->count = kept;
}

static bool acl_holds(const struct acl *acl, const struct acl_item *item)
{
    for (uint32_t i = 0; i < acl->count; i++) {
        const struct acl_item *one = &acl->items[i];
        if (one->privileges == item->privileges && one->grantable == item->grantable &&
            strcmp(one->grantee, item->grantee) == 0 && strcmp(one->grantor, item->grantor) == 0)
            return true;
    }
    return false;
}

bool acl_needless(struct scope *scope, const struct acl *acl, char kind, const char *owner, bool in_schema)
{
    struct acl without = {0};
    if (!in_schema)
        without = acl_default(scope, kind, owner);
    bool same = acl->count == without.count;
    for (uint32_t i = 0; i < acl->count && same; i++)
        same = acl_holds(&without, &acl->items[i]);
    return same;
}
