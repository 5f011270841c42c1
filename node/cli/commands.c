/* status, user, key (commands.h): requests to the resources of those names (doc/api.md). */
#include "node/cli/commands.h"

#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static int usage(const char *text)
{
    fprintf(stderr, "usage: synod %s\n", text);
    return 2;
}

/* A list resource, all its pages, as a table. */
static int list_write(struct server *server, const char *path, const struct print_column *columns,
                      size_t count, const struct print_options *options)
{
    json_t *all = json_array();
    char *next = text_copy(path, strlen(path));
    bool done = true;
    while (next && done) {
        struct reply reply;
        done = server_call(server, "GET", next, NULL, &reply);
        free(next);
        const char *cursor = json_string_value(json_object_get(reply.body, "next_cursor"));
        next = done && cursor ? text_make("%s?cursor=%s", path, cursor) : NULL;
        if (done)
            json_array_extend(all, json_object_get(reply.body, "items"));
        reply_free(&reply);
    }
    free(next);
    if (done)
        print_items(all, columns, count, options, stdout);
    json_decref(all);
    return !done;
}

/* ---- status ---- */

int command_status(struct server *server, const struct print_options *options)
{
    static const struct print_column columns[] = {
        {"process", "process_id"},     {"role", "role"},
        {"database", "database"},      {"application", "application_name"},
        {"client", "client_address"},  {"state", "state"},
        {"since", "state_changed_at"}, {"statement", "query"},
    };
    struct print_options own = *options;
    struct reply reply;
    own.cut = true;
    if (!server_call(server, "GET", "/v1", NULL, &reply))
        return 1;
    if (options->format == PRINT_ALIGNED) {
        const char *name = json_string_value(json_object_get(reply.body, "server"));
        const char *version = json_string_value(json_object_get(reply.body, "version"));
        printf("%s %s at %s\n\n", name ? name : "synod", version ? version : "?",
               server_options(server)->url);
    }
    reply_free(&reply);
    return list_write(server, "/v1/activity", columns, COUNT(columns), &own);
}

/* ---- users ---- */

char *password_read(const char *prompt)
{
    struct termios before, silent;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    char *line = NULL;
    size_t room = 0;
    if (terminal) {
        silent = before;
        silent.c_lflag &= (tcflag_t)~ECHO;
        fputs(prompt, stderr);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    ssize_t size = getline(&line, &room, stdin);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        putc('\n', stderr);
    }
    if (size < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

/* A path with a name in it, written as URLs want it. */
static char *path_make(const char *prefix, const char *name, const char *suffix)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    struct buffer path = {0};
    buffer_text(&path, prefix);
    for (; *name; name++) {
        if (strchr(plain, *name))
            buffer_add(&path, name, 1);
        else
            buffer_format(&path, "%%%02X", (unsigned char)*name);
    }
    buffer_text(&path, suffix);
    return path.data;
}

static int user_password(struct server *server, const char *name, bool create)
{
    char *password = password_read("New password: ");
    if (!password || !*password) {
        fputs("synod: no password was given\n", stderr);
        free(password);
        return 1;
    }
    struct reply reply;
    bool done;
    if (create)
        done =
            server_call(server, "POST", "/v1/roles",
                        json_pack("{s:s, s:b, s:s}", "name", name, "login", 1, "password", password), &reply);
    else {
        char *path = path_make("/v1/roles/", name, "/actions/update");
        done = server_call(server, "POST", path, json_pack("{s:s}", "password", password), &reply);
        free(path);
    }
    memset(password, 0, strlen(password));
    free(password);
    reply_free(&reply);
    if (done)
        printf(create ? "user %s created\n" : "password of %s changed\n", name);
    return !done;
}

int command_user(struct server *server, const struct print_options *options, int count, char **words)
{
    static const struct print_column columns[] = {
        {"name", "name"},
        {"login", "login"},
        {"superuser", "superuser"},
        {"create role", "create_role"},
        {"create database", "create_database"},
        {"member of", "member_of"},
    };
    if (count == 1 && strcmp(words[0], "list") == 0)
        return list_write(server, "/v1/roles", columns, COUNT(columns), options);
    if (count == 2 && strcmp(words[0], "create") == 0)
        return user_password(server, words[1], true);
    if (count == 2 && strcmp(words[0], "password") == 0)
        return user_password(server, words[1], false);
    if (count == 2 && strcmp(words[0], "drop") == 0) {
        struct reply reply;
        char *path = path_make("/v1/roles/", words[1], "/actions/delete");
        bool done = server_call(server, "POST", path, NULL, &reply);
        free(path);
        reply_free(&reply);
        if (done)
            printf("user %s dropped\n", words[1]);
        return !done;
    }
    return usage("user list | user create NAME | user password NAME | user drop NAME");
}

/* ---- API keys ---- */

static json_t *scopes_of(const char *scopes)
{
    json_t *list = json_array();
    while (*scopes) {
        size_t size = strcspn(scopes, ",");
        if (size)
            json_array_append_new(list, json_stringn(scopes, size));
        scopes += size + (scopes[size] == ',');
    }
    return list;
}

static int key_create(struct server *server, const struct key_options *key, const char *name)
{
    struct reply reply;
    json_t *body = json_object();
    const struct print_column texts[] = {
        {"name", name}, {"role", key->role}, {"database", key->database}, {"expires_at", key->expires}};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (texts[i].member)
            json_object_set_new(body, texts[i].title, json_string(texts[i].member));
    if (key->scopes)
        json_object_set_new(body, "scopes", scopes_of(key->scopes));
    bool done = server_call(server, "POST", "/v1/api-keys", body, &reply);
    const char *id = json_string_value(json_object_get(reply.body, "key_id"));
    const char *secret = json_string_value(json_object_get(reply.body, "api_key"));
    if (done && id && secret)
        printf("key %s: it is shown this once\n%s\n", id, secret);
    reply_free(&reply);
    return !done;
}

int command_key(struct server *server, const struct print_options *options, const struct key_options *key,
                int count, char **words)
{
    static const struct print_column columns[] = {
        {"id", "key_id"},          {"name", "name"},
        {"role", "role"},          {"database", "database"},
        {"scopes", "scopes"},      {"created", "created_at"},
        {"expires", "expires_at"}, {"last used", "last_used_at"},
    };
    if (count == 1 && strcmp(words[0], "list") == 0)
        return list_write(server, "/v1/api-keys", columns, COUNT(columns), options);
    if ((count == 1 || count == 2) && strcmp(words[0], "create") == 0)
        return key_create(server, key, count == 2 ? words[1] : NULL);
    if (count == 2 && strcmp(words[0], "drop") == 0) {
        struct reply reply;
        char *path = path_make("/v1/api-keys/", words[1], "/actions/delete");
        bool done = server_call(server, "POST", path, NULL, &reply);
        free(path);
        reply_free(&reply);
        if (done)
            printf("key %s dropped\n", words[1]);
        return !done;
    }
    return usage("key list | key create [NAME] | key drop ID");
}
