/* Bulk loads (load.h). A part ends with a line, quotes considered, and is sent again by its number when its answer was lost. */
#include "node/cli/load.h"

#include <stdlib.h>
#include <string.h>

/* Of a part; the server takes 8 MiB. */
#define PART_BYTES (4UL * 1024 * 1024)
#define PART_TRIES 3

struct loading {
    struct server *server;
    const struct load_options *options;
    char *path; /* of the load */
    struct buffer part;
    bool quoted; /* the part's end lies within quotes */
    unsigned long number, rows;
};

static json_t *columns_of(const char *columns)
{
    json_t *list = json_array();
    while (*columns) {
        columns += strspn(columns, " ,\t");
        size_t size = strcspn(columns, " ,\t");
        if (size)
            json_array_append_new(list, json_stringn(columns, size));
        columns += size;
    }
    return list;
}

static bool begin(struct loading *loading)
{
    const struct load_options *options = loading->options;
    const char delimiter[2] = {options->delimiter, 0};
    struct reply reply;
    json_t *body = json_pack("{s:s, s:s}", "table", options->table, "delimiter", delimiter);
    if (options->columns)
        json_object_set_new(body, "columns", columns_of(options->columns));
    if (options->null)
        json_object_set_new(body, "null", json_string(options->null));
    bool done = server_call(loading->server, "POST", "/v1/loads", body, &reply);
    const char *id = done ? json_string_value(json_object_get(reply.body, "load_id")) : NULL;
    if (id)
        loading->path = text_make("/v1/loads/%s", id);
    reply_free(&reply);
    return id != NULL;
}

static bool send_part(struct loading *loading)
{
    char *path = text_make("%s/parts/%lu", loading->path, ++loading->number);
    bool done = false;
    for (int tried = 0; tried < PART_TRIES && !done && !server_interrupted; tried++) {
        struct reply reply;
        done = server_send(loading->server, path, "text/csv", buffer_string(&loading->part),
                           loading->part.size, &reply);
        bool answered = reply.status != 0;
        reply_free(&reply);
        if (answered)
            break;
    }
    buffer_clear(&loading->part);
    free(path);
    return done;
}

static bool end(struct loading *loading, bool whole)
{
    struct reply reply;
    char *path = text_make("%s/%s", loading->path, whole ? "finish" : "abort");
    bool done = server_call(loading->server, "POST", path, NULL, &reply);
    if (done && whole)
        loading->rows = (unsigned long)json_integer_value(json_object_get(reply.body, "rows"));
    reply_free(&reply);
    free(path);
    free(loading->path);
    return done;
}

bool load_file(struct server *server, const struct load_options *options, FILE *from)
{
    struct loading loading = {.server = server, .options = options};
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    bool first = true;
    if (!begin(&loading))
        return false;
    bool done = true;
    while (done && !server_interrupted && (size = getline(&line, &room, from)) > 0) {
        bool name_line = first && options->header;
        first = false;
        if (name_line)
            continue;
        buffer_add(&loading.part, line, (size_t)size);
        for (ssize_t i = 0; i < size; i++)
            loading.quoted ^= line[i] == '"';
        if (loading.part.size >= PART_BYTES && !loading.quoted)
            done = send_part(&loading);
    }
    if (ferror(from)) {
        perror("synod: reading");
        done = false;
    }
    if (done && loading.part.size)
        done = send_part(&loading);
    done = done && !server_interrupted;
    if (!end(&loading, done))
        done = false;
    if (done)
        printf("%lu rows loaded into %s\n", loading.rows, options->table);
    buffer_free(&loading.part);
    free(line);
    return done;
}
