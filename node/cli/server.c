/* Requests by libcurl (server.h). */
#include "node/cli/server.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 15L

volatile sig_atomic_t server_interrupted;

struct server {
    struct server_options options;
    CURL *curl;
    char *database;
    char *key; /* of the session; NULL = none yet */
    char transaction;
};

struct server *server_open(const struct server_options *options)
{
    struct server *server = memory_get(sizeof *server);
    server->options = *options;
    server->database = options->database ? text_copy(options->database, strlen(options->database)) : NULL;
    server->transaction = ' ';
    server->curl = curl_easy_init();
    if (!server->curl) {
        fputs("synod: libcurl cannot be started\n", stderr);
        exit(1);
    }
    return server;
}

char server_transaction(const struct server *server)
{
    return server->transaction;
}

const char *server_database_name(const struct server *server)
{
    return server->database ? server->database : server->options.role ? server->options.role : "";
}

const struct server_options *server_options(const struct server *server)
{
    return &server->options;
}

/* ---- problems ---- */

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* "LINE 2: select fro" and a caret below; `position` counts characters from 1. */
static void place_write(FILE *to, const char *sql, long position)
{
    const char *at = sql, *line = sql;
    long number = 1, column = 0;
    for (long left = position - 1; left > 0 && *at; left--) {
        if (*at == '\n') {
            line = at + 1;
            number++;
        }
        for (at++; (*at & 0xc0) == 0x80; at++)
            ;
    }
    if (line > at)
        line = at;
    for (const char *c = line; c < at; c++)
        column += (*c & 0xc0) != 0x80;
    int head = fprintf(to, "LINE %ld: ", number);
    fprintf(to, "%.*s\n%*s^\n", (int)strcspn(line, "\n"), line, head + (int)column, "");
}

void problem_write(FILE *to, const json_t *problem, const char *sql)
{
    static const struct {
        const char *member, *word;
    } more[] = {{"sql_detail", "DETAIL"}, {"hint", "HINT"}, {"context", "CONTEXT"}};
    const char *severity = member(problem, "severity"), *detail = member(problem, "detail");
    const char *state = member(problem, "sqlstate"), *title = member(problem, "title");
    json_int_t position = json_integer_value(json_object_get(problem, "position"));
    fprintf(to, "%s:  %s", severity ? severity : "ERROR",
            detail  ? detail
            : title ? title
                    : "unknown problem");
    fprintf(to, state ? " (%s)\n" : "\n", state);
    if (position > 0 && sql)
        place_write(to, sql, (long)position);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (member(problem, more[i].member))
            fprintf(to, "%s:  %s\n", more[i].word, member(problem, more[i].member));
}

/* ---- one request ---- */

struct sending {
    struct server *server;
    const char *method, *path, *content_type, *accept;
    const char *data;
    size_t size;
    bool basic; /* by password or API key, not by session */
    size_t (*write)(char *data, size_t size, size_t count, void *argument);
    void *argument;
};

static int look_for_interrupt(void *argument, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    return server_interrupted != 0;
}

static void add_header(struct curl_slist **headers, const char *name, const char *value)
{
    char *line = text_make("%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(*headers, line);
    free(line);
    if (longer)
        *headers = longer;
}

static void add_credentials(const struct sending *sending, struct curl_slist **headers)
{
    const struct server *server = sending->server;
    const char *key = sending->basic ? server->options.api_key : server->key;
    if (key) {
        char *bearer = text_make("Bearer %s", key);
        add_header(headers, "Authorization", bearer);
        free(bearer);
    } else if (sending->basic && server->options.role) {
        curl_easy_setopt(server->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(server->curl, CURLOPT_USERNAME, server->options.role);
        curl_easy_setopt(server->curl, CURLOPT_PASSWORD,
                         server->options.password ? server->options.password : "");
    }
}

/* The status, or 0 when there was no answer, which is said. */
static long request(const struct sending *sending)
{
    const struct server *server = sending->server;
    CURL *curl = server->curl;
    struct curl_slist *headers = NULL;
    char words[CURL_ERROR_SIZE] = "";
    long status = 0;
    char *url = text_make("%s%s", server->options.url, sending->path);
    curl_easy_reset(curl); /* connections are kept */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_for_interrupt);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, sending->write);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, sending->argument);
    if (server->options.insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (server->options.authority)
        curl_easy_setopt(curl, CURLOPT_CAINFO, server->options.authority);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, sending->method);
    if (strcmp(sending->method, "GET") != 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sending->data ? sending->data : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)sending->size);
        add_header(&headers, "Content-Type", sending->content_type);
        add_header(&headers, "Expect", "");
    }
    add_header(&headers, "Accept", sending->accept);
    add_credentials(sending, &headers);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode failed = curl_easy_perform(curl);
    if (failed == CURLE_ABORTED_BY_CALLBACK || server_interrupted)
        fputs("canceled\n", stderr);
    else if (failed && failed != CURLE_WRITE_ERROR) /* the taker stopped it */
        fprintf(stderr, "synod: %s: %s\n", server->options.url,
                words[0] ? words : curl_easy_strerror(failed));
    else
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    free(url);
    return status;
}

static size_t keep(char *data, size_t size, size_t count, void *argument)
{
    buffer_add(argument, data, size * count);
    return size * count;
}

void reply_free(struct reply *reply)
{
    json_decref(reply->body);
    buffer_free(&reply->text);
    *reply = (struct reply){0};
}

static bool is_success(const struct reply *reply)
{
    return reply->status >= 200 && reply->status < 300;
}

/* What is no success, in words. */
static void say_problem(const struct reply *reply, const char *sql)
{
    if (json_is_object(reply->body))
        problem_write(stderr, reply->body, sql);
    else if (reply->status)
        fprintf(stderr, "synod: the server answered with status %ld\n", reply->status);
}

static bool exchange(struct sending *sending, struct reply *reply)
{
    *reply = (struct reply){0};
    sending->write = keep;
    sending->argument = &reply->text;
    sending->accept = "application/json";
    reply->status = request(sending);
    if (reply->text.size)
        reply->body = json_loadb(reply->text.data, reply->text.size, 0, NULL);
    return is_success(reply);
}

/* ---- the session ---- */

static bool session_begin(struct server *server)
{
    struct reply reply;
    json_t *body = json_pack("{s:s}", "application_name", "synod");
    if (server->database)
        json_object_set_new(body, "database", json_string(server->database));
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    struct sending sending = {.server = server,
                              .method = "POST",
                              .path = "/v1/sessions",
                              .content_type = "application/json",
                              .data = text,
                              .size = strlen(text),
                              .basic = true};
    bool done = exchange(&sending, &reply);
    const char *key = done ? member(reply.body, "session_key") : NULL;
    if (key)
        server->key = text_copy(key, strlen(key));
    else
        say_problem(&reply, NULL);
    const char *database = key ? member(reply.body, "database") : NULL;
    if (database && !server->database)
        server->database = text_copy(database, strlen(database));
    free(text);
    reply_free(&reply);
    return key != NULL;
}

static void session_end(struct server *server)
{
    struct reply reply;
    struct sending sending = {.server = server,
                              .method = "POST",
                              .path = "/v1/sessions/current/close",
                              .content_type = "application/json"};
    if (!server->key)
        return;
    server_interrupted = 0;
    (void)exchange(&sending, &reply);
    reply_free(&reply);
    free(server->key);
    server->key = NULL;
    server->transaction = ' ';
}

void server_database(struct server *server, const char *database)
{
    session_end(server);
    free(server->database);
    server->database = text_copy(database, strlen(database));
}

void server_close(struct server *server)
{
    session_end(server);
    curl_easy_cleanup(server->curl);
    free(server->database);
    free(server);
}

/* The session is over on the server's side: the next request opens another one. */
static void look_for_expiry(struct server *server, const struct reply *reply)
{
    if (reply->status != 401)
        return;
    free(server->key);
    server->key = NULL;
    if (server->transaction != ' ')
        fputs("synod: the session has ended, and its transaction was rolled back\n", stderr);
    server->transaction = ' ';
}

static bool call(struct sending *sending, struct reply *reply)
{
    struct server *server = sending->server;
    *reply = (struct reply){0};
    if (!server->key && !session_begin(server))
        return false;
    if (exchange(sending, reply))
        return true;
    say_problem(reply, NULL);
    look_for_expiry(server, reply);
    return false;
}

bool server_call(struct server *server, const char *method, const char *path, json_t *body,
                 struct reply *reply)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : text_copy("", 0);
    json_decref(body);
    struct sending sending = {.server = server,
                              .method = method,
                              .path = path,
                              .content_type = "application/json",
                              .data = text,
                              .size = strlen(text)};
    bool done = call(&sending, reply);
    free(text);
    return done;
}

bool server_send(struct server *server, const char *path, const char *content_type, const char *data,
                 size_t size, struct reply *reply)
{
    struct sending sending = {.server = server,
                              .method = "POST",
                              .path = path,
                              .content_type = content_type,
                              .data = data,
                              .size = size};
    return call(&sending, reply);
}

/* ---- statements ---- */

struct receiving {
    struct server *server;
    const struct server_lines *lines;
    const char *sql;
    struct buffer line; /* what has come of it */
    bool ended, failed, stopped;
};

static void transaction_note(struct server *server, const json_t *line)
{
    const char *state = member(json_object_get(line, "transaction"), "state");
    if (!state)
        state = member(line, "transaction_state");
    if (!state || strcmp(state, "none") == 0)
        server->transaction = ' ';
    else
        server->transaction = strcmp(state, "active") == 0 ? '*' : strcmp(state, "failed") == 0 ? '!' : ' ';
}

static bool take_line(struct receiving *receiving)
{
    json_t *line = json_loadb(receiving->line.data, receiving->line.size, JSON_DECODE_ANY, NULL);
    buffer_clear(&receiving->line);
    if (!line)
        return true; /* the end is missing then, and that is said */
    const char *type = member(line, "type");
    /* A refused request is answered by a problem alone, whose "type" is an address. */
    const json_t *problem = json_object_get(line, "problem");
    if (type && !problem && json_object_get(line, "retry") && json_object_get(line, "title"))
        problem = line;
    bool goes_on = true;
    if (problem) {
        problem_write(stderr, problem, receiving->sql);
        transaction_note(receiving->server, problem);
        receiving->ended = receiving->failed = true;
    } else {
        goes_on = receiving->lines->take(receiving->lines->argument, line);
        if (type && strcmp(type, "end") == 0) {
            transaction_note(receiving->server, line);
            receiving->ended = true;
        }
    }
    json_decref(line);
    return goes_on;
}

static size_t take_bytes(char *data, size_t size, size_t count, void *argument)
{
    struct receiving *receiving = argument;
    size_t left = size * count;
    while (left) {
        char *end = memchr(data, '\n', left);
        size_t part = end ? (size_t)(end - data) + 1 : left;
        buffer_add(&receiving->line, data, part);
        data += part;
        left -= part;
        if (end && receiving->line.size > 1 && !take_line(receiving)) {
            receiving->stopped = true;
            return 0;
        }
        if (end)
            buffer_clear(&receiving->line);
    }
    return size * count;
}

bool server_statement(struct server *server, const char *sql, bool typed, const struct server_lines *lines)
{
    if (!server->key && !session_begin(server))
        return false;
    json_t *body = json_pack("{s:s, s:{s:s}}", "sql", sql, "result", "values", typed ? "typed" : "text");
    if (!body) {
        fputs("synod: the statement is not UTF-8\n", stderr);
        return false;
    }
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    struct receiving receiving = {.server = server, .lines = lines, .sql = sql};
    const struct sending sending = {.server = server,
                                    .method = "POST",
                                    .path = "/v1/statements",
                                    .content_type = "application/json",
                                    .accept = "application/x-ndjson",
                                    .data = text,
                                    .size = strlen(text),
                                    .write = take_bytes,
                                    .argument = &receiving};
    const struct reply answer = {.status = request(&sending)};
    if (receiving.line.size && !receiving.stopped)
        (void)take_line(&receiving);
    look_for_expiry(server, &answer);
    if (answer.status && !receiving.ended && !receiving.stopped)
        fputs("synod: the answer ended in the middle\n", stderr);
    buffer_free(&receiving.line);
    free(text);
    return answer.status != 0 && receiving.ended && !receiving.failed;
}
