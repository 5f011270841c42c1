/* The command line of synodd, and the same options in the environment and in the configuration file.
 *
 * Which one counts: command line, else environment, else file, else the default. Nothing here touches the
 * process: where the words come from is passed in. */
#ifndef SYNOD_NODE_OPTIONS_H
#define SYNOD_NODE_OPTIONS_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/linux/linux.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scope;

/* Where the words come from. */
struct options_source {
    int argc;
    const char *const *argv; /* argv[0] is the program's name and is skipped */
    /* Value of an environment variable, or NULL. An empty value counts as none. */
    const char *(*environment)(void *argument, const char *name);
    /* The whole text of a file. May fail. */
    enum sqlstate (*file)(void *argument, struct scope *scope, const char *path, struct bytes *text,
                          struct error *error);
    void *argument; /* of both */
};

/* HOST:PORT. */
struct options_address {
    const char *host; /* without brackets */
    uint16_t port;    /* 0 = any free one */
};

enum options_action { OPTIONS_SERVE, OPTIONS_HELP, OPTIONS_VERSION };

/* Every option's value. Texts are the scope's. */
struct options {
    enum options_action action; /* if not OPTIONS_SERVE, the rest is unset */
    const char *data;
    struct options_address sql_listen;
    struct options_address https_listen;
    uint32_t cores;       /* 0 = all processors this process may use */
    uint64_t memory;      /* bytes; 0 = half of what this process may use */
    uint32_t connections; /* most at the same time */
    enum linux_io io;
    enum linux_flush flush;
    bool pin;
    uint32_t long_share; /* per cent */
    enum log_level log_level;
    const char *tls_cert; /* NULL = self-made */
    const char *tls_key;
    const char *config; /* NULL = none */
};

/* Reads all options. Fails with 22023 (F0000 when it stands in the file) and a sentence that names the option
 * and where it stood: unknown, repeated, without a value, malformed, out of range, or missing. Does not yield
 * itself. */
enum sqlstate options_read(struct scope *scope, const struct options_source *source, struct options *options,
                           struct error *error);

/* The text that --help prints, made from the same table that parses. */
const char *options_help(struct scope *scope);

#endif
