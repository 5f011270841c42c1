/* synodd: the server's process. Reads the options, runs the node in the real world, says how it ended.
 *
 * Exit status: 0 stopped cleanly when asked to, 1 failed (a sentence on standard error says why), 2 an option
 * was refused. Standard output bears one line, when the node is ready; the log goes to standard error. */
#include "base/check.h"
#include "base/linux/linux.h"
#include "base/scope.h"
#include "node/limits.h"
#include "node/node.h"
#include "node/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The tests of the world build this program once more, with an HTTPS port that sends lines back (node/echo.h). */
#ifndef HTTPS_REST
#define HTTPS_REST true
#endif

enum { EXIT_CLEAN = 0, EXIT_FAILED = 1, EXIT_BAD_OPTION = 2 };

static const char *environment_look_up(void *argument, const char *name)
{
    return getenv(name);
}

/* The configuration file is read before there is a world. */
static enum sqlstate config_read(void *argument, struct scope *scope, const char *path, struct bytes *text,
                                 struct error *error)
{
    void *memory;
    size_t bytes = 0;
    enum sqlstate failed = scope_alloc_large(scope, NODE_CONFIG_BYTES_MAX + 1, 16, &memory, error);
    if (failed)
        return failed;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file;
    while (got >= 0 && bytes <= NODE_CONFIG_BYTES_MAX) {
        got = read(file, (char *)memory + bytes, NODE_CONFIG_BYTES_MAX + 1 - bytes);
        if (got == 0)
            break;
        bytes += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        failed = error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
                           "option --config: could not read file \"%s\": %s", path, strerror(errno));
    if (file >= 0)
        close(file);
    *text = bytes_of(memory, bytes);
    return failed;
}

/* "synodd: sentence", with detail and hint below. */
static int complain(const struct error *error, int status)
{
    char state[6];
    sqlstate_text(error->state, state);
    fprintf(stderr, "synodd: %s (%s)\n", error_text(error, ERROR_MESSAGE), state);
    if (error_text(error, ERROR_DETAIL))
        fprintf(stderr, "detail: %s\n", error_text(error, ERROR_DETAIL));
    if (error_text(error, ERROR_HINT))
        fprintf(stderr, "hint: %s\n", error_text(error, ERROR_HINT));
    return status;
}

static void ready_print(void *argument, const char *sql_address, const char *https_address)
{
    printf("ready sql=%s https=%s\n", sql_address, https_address);
    fflush(stdout);
}

/* Not a line of the log, which is kept and read by others. */
static void password_print(void *argument, const char *password, const char *path)
{
    fprintf(stderr, "synodd: role \"synod\" was made with password %s (also in %s)\n", password, path);
}

/* Every core's first fiber. */
static void core_run(struct world *world, void *node)
{
    char build_id[CHECK_BUILD_ID_BYTES];
    check_build_id(build_id);
    if (world->core == 0)
        log_line(world, LOG_INFO, "start", "synodd %s, build %s, %u cores, %s", SYNOD_VERSION, build_id,
                 world->cores, linux_io_name(world));
    node_core_main(world, node);
}

static int serve(struct scope *scope, const struct options *options)
{
    struct error error = {0};
    struct node *node;
    const char *password = getenv("SYNOD_PASSWORD"); /* an empty one is none */
    size_t memory = options->memory ? options->memory : linux_memory() / 2;
    const struct node_options node_options = {
        .data = options->data,
        .sql_host = options->sql_listen.host,
        .sql_port = options->sql_listen.port,
        .https_host = options->https_listen.host,
        .https_port = options->https_listen.port,
        .rest = HTTPS_REST,
        .tls_certificate = options->tls_cert,
        .tls_key = options->tls_key,
        .memory_bytes = memory / 2,
        .password = password && *password ? password : NULL,
        .connections_max = options->connections,
        .ready = ready_print,
        .password_made = password_print,
    };
    uint32_t processors = linux_processors();
    const struct linux_options linux_options = {
        .cores = options->cores           ? options->cores
                 : processors < CORES_MAX ? processors
                                          : CORES_MAX,
        .pin = options->pin,
        .long_share = options->long_share,
        .io = options->io,
        .flush = options->flush,
        .memory_bytes = memory,
        /* Beside the clients: those being told that there are too many. */
        .connections_max = options->connections + NODE_REFUSALS_MAX,
        .log_level = options->log_level,
        .catch_signals = true,
        .hangup = node_reload,
    };
    enum sqlstate failed = node_open(scope, &node_options, &node, &error);
    if (!failed)
        failed = linux_run(&linux_options, core_run, node, &error);
    if (!failed)
        failed = node_outcome(node, &error);
    return failed ? complain(&error, EXIT_FAILED) : EXIT_CLEAN;
}

static int run(struct scope *scope, int argc, char **argv)
{
    struct error error = {0};
    struct options options;
    const struct options_source source = {
        .argc = argc,
        .argv = (const char *const *)argv,
        .environment = environment_look_up,
        .file = config_read,
    };
    if (options_read(scope, &source, &options, &error))
        return complain(&error, EXIT_BAD_OPTION);
    if (options.action == OPTIONS_HELP) {
        fputs(options_help(scope), stdout);
        return fflush(stdout) ? EXIT_FAILED : EXIT_CLEAN;
    }
    if (options.action == OPTIONS_VERSION) {
        char build_id[CHECK_BUILD_ID_BYTES];
        check_build_id(build_id);
        printf("synodd %s build %s\n", SYNOD_VERSION, build_id);
        return fflush(stdout) ? EXIT_FAILED : EXIT_CLEAN;
    }
    return serve(scope, &options);
}

int main(int argc, char **argv)
{
    struct scope *scope = scope_open_root("process", NULL);
    if (!scope) {
        fputs("synodd: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    int status = run(scope, argc, argv);
    scope_close(scope);
    return status;
}
