/* The command line, the environment and the file: what is taken, what counts, and how each mistake is named.
 */
#include "test/unit/unit.h"

#include "base/scope.h"
#include "node/limits.h"
#include "node/options.h"

#include <stdio.h>
#include <string.h>

/* ---- a process that is none ---- */

/* NAME=VALUE words of an environment, NULL at the end; the text of the one file there is. */
struct surroundings {
    const char *const *variables;
    const char *file_text; /* of "synod.conf"; NULL = there is no file */
    size_t file_bytes;     /* 0 = as long as the text */
};

static const char *look_up(void *argument, const char *name)
{
    const struct surroundings *around = argument;
    for (const char *const *at = around->variables; at && *at; at++)
        if (strncmp(*at, name, strlen(name)) == 0 && (*at)[strlen(name)] == '=')
            return *at + strlen(name) + 1;
    return NULL;
}

static enum sqlstate file_text(void *argument, struct scope *scope, const char *path, struct bytes *text,
                               struct error *error)
{
    const struct surroundings *around = argument;
    if (!around->file_text || strcmp(path, "synod.conf") != 0)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "could not read file \"%s\"", path);
    *text = bytes_of(around->file_text, around->file_bytes ? around->file_bytes : strlen(around->file_text));
    return SQLSTATE_OK;
}

static struct scope *root;
static struct options options;
static struct error error;

static void set_up(void)
{
    root = scope_open_root("test", NULL);
    memset(&options, 0xee, sizeof options);
    error_clear(&error);
}

static void tear_down(void)
{
    scope_close(root);
}

/* Reads a command line of words separated by blanks, with these surroundings. */
static enum sqlstate read_around(struct surroundings *around, const char *line)
{
    const char *words[64] = {"synodd"};
    int count = 1;
    char *rest = scope_copy_text(root, line);
    for (char *word; (word = strsep(&rest, " "));)
        if (*word)
            words[count++] = word;
    const struct options_source source = {
        .argc = count, .argv = words, .environment = look_up, .file = file_text, .argument = around};
    return options_read(root, &source, &options, &error);
}

static enum sqlstate read_line(const char *line)
{
    return read_around(&(struct surroundings){0}, line);
}

static void refused(const char *line, const char *sentence)
{
    ck_assert_msg(read_line(line) == SQLSTATE_INVALID_PARAMETER_VALUE, "taken: %s", line);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), sentence);
}

static void file_refused(const char *text, const char *sentence)
{
    struct surroundings around = {.file_text = text};
    ck_assert_msg(read_around(&around, "--data d --config synod.conf") == SQLSTATE_CONFIG_FILE_ERROR,
                  "taken: %s", text);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), sentence);
}

/* ---- what is taken ---- */

START_TEST(a_full_command_line_is_taken)
{
    ck_assert(!read_line("--data /var/lib/synod --sql-listen 10.0.0.1:5433 --https-listen [::1]:0 --cores 3 "
                         "--memory 2GB --connections 77 --io classic --flush thread --pin on --long-share 35 "
                         "--log-level debug "
                         "--tls-cert a.pem --tls-key b.pem"));
    ck_assert_int_eq(options.action, OPTIONS_SERVE);
    ck_assert_str_eq(options.data, "/var/lib/synod");
    ck_assert_str_eq(options.sql_listen.host, "10.0.0.1");
    ck_assert_uint_eq(options.sql_listen.port, 5433);
    ck_assert_str_eq(options.https_listen.host, "::1");
    ck_assert_uint_eq(options.https_listen.port, 0);
    ck_assert_uint_eq(options.cores, 3);
    ck_assert_uint_eq(options.memory, 2UL << 30);
    ck_assert_uint_eq(options.connections, 77);
    ck_assert_int_eq(options.io, LINUX_IO_CLASSIC);
    ck_assert_int_eq(options.flush, LINUX_FLUSH_THREAD);
    ck_assert(options.pin);
    ck_assert_uint_eq(options.long_share, 35);
    ck_assert_int_eq(options.log_level, LOG_DEBUG);
    ck_assert_str_eq(options.tls_cert, "a.pem");
    ck_assert_str_eq(options.tls_key, "b.pem");
    ck_assert_ptr_null(options.config);
}
END_TEST

START_TEST(what_is_not_said_has_its_default)
{
    ck_assert(!read_line("--data d"));
    ck_assert_str_eq(options.sql_listen.host, "127.0.0.1");
    ck_assert_uint_eq(options.sql_listen.port, 5432);
    ck_assert_str_eq(options.https_listen.host, "127.0.0.1");
    ck_assert_uint_eq(options.https_listen.port, 8443);
    ck_assert_uint_eq(options.cores, 0);
    ck_assert_uint_eq(options.memory, 0);
    ck_assert_uint_eq(options.connections, NODE_CONNECTIONS_DEFAULT);
    ck_assert_int_eq(options.io, LINUX_IO_AUTO);
    ck_assert_int_eq(options.flush, LINUX_FLUSH_AUTO);
    ck_assert(!options.pin);
    ck_assert_uint_eq(options.long_share, 20);
    ck_assert_int_eq(options.log_level, LOG_INFO);
    ck_assert_ptr_null(options.tls_cert);
}
END_TEST

START_TEST(a_value_may_follow_an_equals_sign)
{
    ck_assert(!read_line("--data=a=b --cores=2 --sql-listen=name:1"));
    ck_assert_str_eq(options.data, "a=b");
    ck_assert_uint_eq(options.cores, 2);
    ck_assert_str_eq(options.sql_listen.host, "name");
}
END_TEST

START_TEST(help_and_version_need_no_data_directory)
{
    ck_assert(!read_line("--help"));
    ck_assert_int_eq(options.action, OPTIONS_HELP);
    ck_assert(!read_line("--cores 2 --version"));
    ck_assert_int_eq(options.action, OPTIONS_VERSION);
}
END_TEST

START_TEST(help_names_every_option_and_its_default)
{
    static const char *const words[] = {"--data DIR",
                                        "--sql-listen HOST:PORT",
                                        "--https-listen HOST:PORT",
                                        "--cores N",
                                        "--memory SIZE",
                                        "--connections N",
                                        "--tls-cert FILE",
                                        "--tls-key FILE",
                                        "--log-level LEVEL",
                                        "--io WAY",
                                        "--flush WAY",
                                        "--pin on|off",
                                        "--long-share PERCENT",
                                        "--config FILE",
                                        "--help",
                                        "--version",
                                        "127.0.0.1:5432",
                                        "auto, uring or classic",
                                        "SYNOD_SQL_LISTEN"};
    const char *help = options_help(root);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        ck_assert_msg(strstr(help, words[i]), "help does not say %s", words[i]);
}
END_TEST

START_TEST(sizes_are_written_as_in_postgresql)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"67108864", 64UL << 20}, {"67108864B", 64UL << 20}, {"65536kB", 64UL << 20},
                 {"512MB", 512UL << 20},   {"4GB", 4UL << 30},        {"2TB", 2UL << 40}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "--data d --memory %s", sizes[i].text);
        ck_assert_msg(!read_line(line), "%s", sizes[i].text);
        ck_assert_uint_eq(options.memory, sizes[i].bytes);
    }
    struct surroundings around = {.file_text = "memory = 512 MB"};
    ck_assert(!read_around(&around, "--data d --config synod.conf"));
    ck_assert_uint_eq(options.memory, 512UL << 20);
}
END_TEST

/* ---- where it stands ---- */

START_TEST(every_option_can_stand_in_the_environment)
{
    static const char *const variables[] = {"SYNOD_DATA=e",
                                            "SYNOD_SQL_LISTEN=h:1",
                                            "SYNOD_HTTPS_LISTEN=h:2",
                                            "SYNOD_CORES=4",
                                            "SYNOD_MEMORY=100MB",
                                            "SYNOD_CONNECTIONS=5",
                                            "SYNOD_IO=uring",
                                            "SYNOD_FLUSH=ring",
                                            "SYNOD_PIN=on",
                                            "SYNOD_LOG_LEVEL=error",
                                            "SYNOD_TLS_CERT=c",
                                            "SYNOD_TLS_KEY=k",
                                            "SYNOD_CONFIG=synod.conf",
                                            NULL};
    struct surroundings around = {.variables = variables, .file_text = "# nothing\n"};
    ck_assert(!read_around(&around, ""));
    ck_assert_str_eq(options.data, "e");
    ck_assert_uint_eq(options.sql_listen.port, 1);
    ck_assert_uint_eq(options.https_listen.port, 2);
    ck_assert_uint_eq(options.cores, 4);
    ck_assert_uint_eq(options.memory, 100UL << 20);
    ck_assert_uint_eq(options.connections, 5);
    ck_assert_int_eq(options.io, LINUX_IO_URING);
    ck_assert_int_eq(options.flush, LINUX_FLUSH_RING);
    ck_assert(options.pin);
    ck_assert_int_eq(options.log_level, LOG_ERROR);
    ck_assert_str_eq(options.tls_cert, "c");
    ck_assert_str_eq(options.config, "synod.conf");
}
END_TEST

START_TEST(every_option_but_config_can_stand_in_the_file)
{
    struct surroundings around = {.file_text = "# synodd\n"
                                               "data = /a b#c   # the comment begins behind a blank\n"
                                               "\n"
                                               "  sql-listen=h:1\r\n"
                                               "\thttps-listen = [::]:2\n"
                                               "cores = 4\nmemory = 100MB\nconnections = 5\nio = uring\n"
                                               "flush = ring\npin = on\nlog-level = error\n"
                                               "tls-cert = c\ntls-key = k"};
    ck_assert(!read_around(&around, "--config synod.conf"));
    ck_assert_str_eq(options.data, "/a b#c");
    ck_assert_str_eq(options.sql_listen.host, "h");
    ck_assert_str_eq(options.https_listen.host, "::");
    ck_assert_uint_eq(options.cores, 4);
    ck_assert_uint_eq(options.connections, 5);
    ck_assert_int_eq(options.io, LINUX_IO_URING);
    ck_assert_int_eq(options.flush, LINUX_FLUSH_RING);
    ck_assert(options.pin);
    ck_assert_int_eq(options.log_level, LOG_ERROR);
    ck_assert_str_eq(options.tls_key, "k");
}
END_TEST

START_TEST(command_line_counts_before_environment_before_file_before_default)
{
    static const char *const variables[] = {"SYNOD_CORES=2", "SYNOD_CONNECTIONS=2", NULL};
    struct surroundings around = {.variables = variables,
                                  .file_text = "cores = 3\nconnections = 3\nmemory = 333MB\n"};
    ck_assert(!read_around(&around, "--data d --config synod.conf --cores 1"));
    ck_assert_uint_eq(options.cores, 1);
    ck_assert_uint_eq(options.connections, 2);
    ck_assert_uint_eq(options.memory, 333UL << 20);
    ck_assert_uint_eq(options.sql_listen.port, 5432);
}
END_TEST

START_TEST(an_empty_variable_counts_as_none)
{
    static const char *const variables[] = {"SYNOD_CORES=", NULL};
    struct surroundings around = {.variables = variables};
    ck_assert(!read_around(&around, "--data d"));
    ck_assert_uint_eq(options.cores, 0);
}
END_TEST

START_TEST(a_value_that_does_not_count_must_still_be_one)
{
    struct surroundings around = {.file_text = "cores = many\n"};
    ck_assert(read_around(&around, "--data d --cores 1 --config synod.conf") == SQLSTATE_CONFIG_FILE_ERROR);
}
END_TEST

/* ---- mistakes ---- */

START_TEST(mistakes_on_the_command_line_are_named)
{
    refused("", "option --data DIR is missing");
    refused("--data d --colour red", "unknown option \"--colour\"");
    refused("--data d --colour=red", "unknown option \"--colour\"");
    refused("--data d -c", "unknown option \"-c\"");
    refused("--data d --", "unknown option \"--\"");
    refused("--data d --dat x", "unknown option \"--dat\"");
    refused("--data d red", "unknown argument \"red\"");
    refused("--data d --cores 1 --cores 1", "option --cores is given twice");
    refused("--data", "option --data needs a value: DIR");
    refused("--data --cores 2", "option --data needs a value: DIR");
    refused("--data=", "option --data needs a value: DIR");
    refused("--data d --cores", "option --cores needs a value: N");
    refused("--data d --tls-cert c", "option --tls-cert is given, but option --tls-key is missing");
    refused("--data d --tls-key k", "option --tls-key is given, but option --tls-cert is missing");
}
END_TEST

START_TEST(malformed_values_are_named)
{
    refused("--data d --cores two", "option --cores: \"two\" is not a whole number");
    refused("--data d --cores 2x", "option --cores: \"2x\" is not a whole number");
    refused("--data d --cores -1", "option --cores: \"-1\" is not a whole number");
    refused("--data d --cores 0", "option --cores: \"0\" is not between 1 and 64");
    refused("--data d --cores 65", "option --cores: \"65\" is not between 1 and 64");
    refused("--data d --cores 18446744073709551617",
            "option --cores: \"18446744073709551617\" is not a whole number");
    refused("--data d --connections 25001", "option --connections: \"25001\" is not between 1 and 25000");
    refused("--data d --memory lots", "option --memory: \"lots\" is not a size");
    refused("--data d --memory 1.5GB", "option --memory: \"1.5GB\" is not a size");
    refused("--data d --memory 4gb", "option --memory: \"4gb\" is not a size");
    refused("--data d --memory 4GBs", "option --memory: \"4GBs\" is not a size");
    refused("--data d --memory 63MB", "option --memory: \"63MB\" is not between 64MB and 128TB");
    refused("--data d --memory 129TB", "option --memory: \"129TB\" is not between 64MB and 128TB");
    refused("--data d --memory 17592186044416TB", "option --memory: \"17592186044416TB\" is not a size");
    refused("--data d --io fast", "option --io: \"fast\" is not one of auto, uring or classic");
    refused("--data d --pin yes", "option --pin: \"yes\" is not one of off or on");
    refused("--data d --log-level all",
            "option --log-level: \"all\" is not one of debug, info, warn or error");
}
END_TEST

START_TEST(malformed_addresses_are_named)
{
    static const char *const texts[] = {"5432",       "host",      "host:",    ":5432",     "host:x",
                                        "host:65536", "host:-1",   "::1:5432", "[::1]",     "[::1:80",
                                        "[]:80",      "[::1]x:80", "ho[st:80", "host:80:80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char line[64], sentence[96];
        snprintf(line, sizeof line, "--data d --sql-listen %s", texts[i]);
        snprintf(sentence, sizeof sentence, "option --sql-listen: \"%s\" is not HOST:PORT", texts[i]);
        refused(line, sentence);
        ck_assert_ptr_nonnull(error_text(&error, ERROR_HINT));
    }
}
END_TEST

START_TEST(mistakes_in_the_environment_name_the_variable)
{
    static const char *const variables[] = {"SYNOD_SQL_LISTEN=nowhere", NULL};
    struct surroundings around = {.variables = variables};
    ck_assert(read_around(&around, "--data d") == SQLSTATE_INVALID_PARAMETER_VALUE);
    ck_assert_str_eq(
        error_text(&error, ERROR_MESSAGE),
        "option sql-listen (environment variable SYNOD_SQL_LISTEN): \"nowhere\" is not HOST:PORT");
}
END_TEST

START_TEST(variables_of_other_names_are_not_ours)
{
    static const char *const variables[] = {"SYNOD_PORT=tcp://10.0.0.1:5432", "SYNOD_SERVICE_HOST=10.0.0.1",
                                            NULL};
    struct surroundings around = {.variables = variables};
    ck_assert(!read_around(&around, "--data d"));
}
END_TEST

START_TEST(mistakes_in_the_file_name_file_and_line)
{
    file_refused("\n# x\ncores = two\n",
                 "option cores (file \"synod.conf\", line 3): \"two\" is not a whole number");
    file_refused("colour = red", "file \"synod.conf\", line 1: unknown option \"colour\"");
    file_refused("--cores = 2", "file \"synod.conf\", line 1: unknown option \"--cores\"");
    file_refused("config = other", "file \"synod.conf\", line 1: misplaced option \"config\"");
    file_refused("cores 2", "file \"synod.conf\", line 1: \"cores 2\" is not NAME = VALUE");
    file_refused("= 2", "file \"synod.conf\", line 1: unknown option \"\"");
    file_refused("cores = # none", "option cores (file \"synod.conf\", line 1) needs a value: N");
    file_refused("cores = 1\n\ncores = 2",
                 "option cores (file \"synod.conf\", line 3) was given before, in line 1");
}
END_TEST

START_TEST(a_file_of_zero_bytes_and_binary_is_no_text)
{
    static const char binary[] = "cores\0 = 2\n";
    struct surroundings around = {.file_text = binary, .file_bytes = sizeof binary - 1};
    ck_assert(read_around(&around, "--data d --config synod.conf") == SQLSTATE_CONFIG_FILE_ERROR);
    around = (struct surroundings){.file_text = ""};
    ck_assert(!read_around(&around, "--data d --config synod.conf"));
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
    ck_assert(read_line("--data d --config other.conf") == SQLSTATE_CONFIG_FILE_ERROR);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "could not read file \"other.conf\"");
}
END_TEST

START_TEST(a_file_that_is_too_long_is_refused)
{
    static char text[NODE_CONFIG_BYTES_MAX + 2];
    memset(text, '\n', sizeof text - 1);
    struct surroundings around = {.file_text = text};
    ck_assert(read_around(&around, "--data d --config synod.conf") == SQLSTATE_CONFIG_FILE_ERROR);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "longer than"));
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
    char line[NODE_PATH_BYTES_MAX + 16];
    memset(line, 'd', sizeof line);
    memcpy(line, "--data ", 7);
    line[7 + NODE_PATH_BYTES_MAX] = '\0';
    ck_assert(read_line(line) == SQLSTATE_INVALID_PARAMETER_VALUE);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "option --data is longer than"));
    line[7 + NODE_PATH_BYTES_MAX - 1] = '\0';
    ck_assert(!read_line(line));
}
END_TEST

/* No bytes whatever may do worse than be refused with a sentence. */
START_TEST(random_files_are_taken_or_refused)
{
    static const char *const pieces[] = {"data", "cores",      "memory",   "=",  " ", "\n",   "#",  "4",
                                         "MB",   "sql-listen", "[::1]:80", "\t", "x", "\xff", "io", "auto"};
    uint64_t random = unit_seed();
    for (int round = 0; round < 20000; round++) {
        char text[256] = "";
        uint64_t count = unit_random_below(&random, 20);
        for (uint64_t i = 0; i < count; i++)
            strcat(text, pieces[unit_random_below(&random, sizeof pieces / sizeof pieces[0])]);
        struct surroundings around = {.file_text = text};
        enum sqlstate failed = read_around(&around, "--data d --config synod.conf");
        ck_assert_int_eq(failed, failed ? SQLSTATE_CONFIG_FILE_ERROR : SQLSTATE_OK);
        if (failed)
            ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "line "));
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("options");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_full_command_line_is_taken);
    tcase_add_test(tests, what_is_not_said_has_its_default);
    tcase_add_test(tests, a_value_may_follow_an_equals_sign);
    tcase_add_test(tests, help_and_version_need_no_data_directory);
    tcase_add_test(tests, help_names_every_option_and_its_default);
    tcase_add_test(tests, sizes_are_written_as_in_postgresql);
    tcase_add_test(tests, every_option_can_stand_in_the_environment);
    tcase_add_test(tests, every_option_but_config_can_stand_in_the_file);
    tcase_add_test(tests, command_line_counts_before_environment_before_file_before_default);
    tcase_add_test(tests, an_empty_variable_counts_as_none);
    tcase_add_test(tests, a_value_that_does_not_count_must_still_be_one);
    tcase_add_test(tests, mistakes_on_the_command_line_are_named);
    tcase_add_test(tests, malformed_values_are_named);
    tcase_add_test(tests, malformed_addresses_are_named);
    tcase_add_test(tests, mistakes_in_the_environment_name_the_variable);
    tcase_add_test(tests, variables_of_other_names_are_not_ours);
    tcase_add_test(tests, mistakes_in_the_file_name_file_and_line);
    tcase_add_test(tests, a_file_of_zero_bytes_and_binary_is_no_text);
    tcase_add_test(tests, a_file_that_cannot_be_read_is_an_error);
    tcase_add_test(tests, a_file_that_is_too_long_is_refused);
    tcase_add_test(tests, a_path_that_is_too_long_is_refused);
    tcase_add_test(tests, random_files_are_taken_or_refused);
    return unit_run(tests);
}
