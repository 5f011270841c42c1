/* The command line's own command line (cli.h). */
#include "node/cli/cli.h"

#include "node/cli/commands.h"
#include "node/cli/load.h"
#include "node/cli/shell.h"

#include <curl/curl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URL_DEFAULT  "https://127.0.0.1:8443"
#define ROLE_DEFAULT "synod"
/* -c and -f together. */
#define SCRIPTS_MAX 100

static const char help[] =
    "usage: synod [OPTIONS] COMMAND\n"
    "\n"
    "  sql [-c SQL | -f FILE]...   run statements, or an interactive shell\n"
    "  status                      the node and what runs on it\n"
    "  load TABLE FILE             load CSV (- is standard input), all of it or nothing\n"
    "  user list | create NAME | password NAME | drop NAME\n"
    "  key list | create [NAME] | drop ID      API keys, shown once\n"
    "\n"
    "where and who\n"
    "  --url URL            the server [SYNOD_URL, else " URL_DEFAULT "]\n"
    "  -U, --user ROLE      [SYNOD_USER, else " ROLE_DEFAULT
    "]; its password is asked for, or in SYNOD_PASSWORD\n"
    "  -d, --database NAME  [SYNOD_DATABASE, else the role's name]\n"
    "  --password-file FILE its first line is the password\n"
    "  --ca FILE            certificates to trust [SYNOD_CA]: a node's own is DIR/tls/server.crt\n"
    "  --insecure           trust whoever answers\n"
    "  SYNOD_API_KEY        an API key instead of role and password\n"
    "\n"
    "how results look\n"
    "  --csv, --json, -A, --unaligned   -x, --expanded   -t, --tuples-only   -q, --quiet   --timing\n"
    "  --keep-going         a failed statement does not end a script\n"
    "\n"
    "load: --header (the first line bears names), --delimiter C, --columns a,b, --null TEXT\n"
    "key create: --role ROLE, --scopes sql,read,admin,metrics, --expires TIME (RFC 3339)\n"
    "--help, --version\n";

enum option_code {
    OPTION_URL = 256,
    OPTION_PASSWORD_FILE,
    OPTION_CA,
    OPTION_INSECURE,
    OPTION_CSV,
    OPTION_JSON,
    OPTION_TIMING,
    OPTION_KEEP_GOING,
    OPTION_HEADER,
    OPTION_DELIMITER,
    OPTION_COLUMNS,
    OPTION_NULL,
    OPTION_ROLE,
    OPTION_SCOPES,
    OPTION_EXPIRES,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"url", required_argument, NULL, OPTION_URL},
    {"user", required_argument, NULL, 'U'},
    {"database", required_argument, NULL, 'd'},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"ca", required_argument, NULL, OPTION_CA},
    {"insecure", no_argument, NULL, OPTION_INSECURE},
    {"csv", no_argument, NULL, OPTION_CSV},
    {"json", no_argument, NULL, OPTION_JSON},
    {"unaligned", no_argument, NULL, 'A'},
    {"expanded", no_argument, NULL, 'x'},
    {"tuples-only", no_argument, NULL, 't'},
    {"quiet", no_argument, NULL, 'q'},
    {"timing", no_argument, NULL, OPTION_TIMING},
    {"keep-going", no_argument, NULL, OPTION_KEEP_GOING},
    {"command", required_argument, NULL, 'c'},
    {"file", required_argument, NULL, 'f'},
    {"header", no_argument, NULL, OPTION_HEADER},
    {"delimiter", required_argument, NULL, OPTION_DELIMITER},
    {"columns", required_argument, NULL, OPTION_COLUMNS},
    {"null", required_argument, NULL, OPTION_NULL},
    {"role", required_argument, NULL, OPTION_ROLE},
    {"scopes", required_argument, NULL, OPTION_SCOPES},
    {"expires", required_argument, NULL, OPTION_EXPIRES},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

struct settings {
    struct server_options server;
    struct shell_options shell;
    struct load_options load;
    struct key_options key;
    const char *password_file;
    struct {
        bool is_file;
        const char *text;
    } script[SCRIPTS_MAX];
    int scripts;
};

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static void settings_open(struct settings *settings)
{
    *settings = (struct settings){.server = {.url = environment("SYNOD_URL", URL_DEFAULT),
                                             .role = environment("SYNOD_USER", ROLE_DEFAULT),
                                             .password = getenv("SYNOD_PASSWORD"),
                                             .api_key = environment("SYNOD_API_KEY", NULL),
                                             .database = environment("SYNOD_DATABASE", NULL),
                                             .authority = environment("SYNOD_CA", NULL)},
                                  .load = {.delimiter = ','}};
}

/* One option; false when it makes no sense. */
static bool take_option(struct settings *settings, int code, const char *value)
{
    struct print_options *print = &settings->shell.print;
    switch (code) {
    case OPTION_URL:
        settings->server.url = value;
        return true;
    case 'U':
        settings->server.role = value;
        return true;
    case 'd':
        settings->server.database = settings->key.database = value;
        return true;
    case OPTION_PASSWORD_FILE:
        settings->password_file = value;
        return true;
    case OPTION_CA:
        settings->server.authority = value;
        return true;
    case OPTION_INSECURE:
        return settings->server.insecure = true;
    case OPTION_CSV:
        print->format = PRINT_CSV;
        return true;
    case OPTION_JSON:
        print->format = PRINT_JSON;
        return true;
    case 'A':
        print->format = PRINT_UNALIGNED;
        return true;
    case 'x':
        return print->expanded = true;
    case 't':
        return print->tuples_only = true;
    case 'q':
        return print->quiet = true;
    case OPTION_TIMING:
        return settings->shell.timing = true;
    case OPTION_KEEP_GOING:
        return settings->shell.go_on = true;
    case 'c':
    case 'f':
        if (settings->scripts == SCRIPTS_MAX)
            return false;
        settings->script[settings->scripts].is_file = code == 'f';
        settings->script[settings->scripts++].text = value;
        return true;
    case OPTION_HEADER:
        return settings->load.header = true;
    case OPTION_DELIMITER:
        settings->load.delimiter = strcmp(value, "\\t") == 0 ? '\t' : value[0];
        return settings->load.delimiter && (value[1] == 0 || value[0] == '\\');
    case OPTION_COLUMNS:
        settings->load.columns = value;
        return true;
    case OPTION_NULL:
        settings->load.null = value;
        return true;
    case OPTION_ROLE:
        settings->key.role = value;
        return true;
    case OPTION_SCOPES:
        settings->key.scopes = value;
        return true;
    case OPTION_EXPIRES:
        settings->key.expires = value;
        return true;
    default:
        return false;
    }
}

/* The password, from where it was said to be. */
static bool find_password(struct settings *settings)
{
    char *line = NULL;
    size_t room = 0;
    if (settings->server.api_key || (settings->server.password && !settings->password_file))
        return true;
    if (settings->password_file) {
        FILE *file = fopen(settings->password_file, "r");
        ssize_t size = file ? getline(&line, &room, file) : -1;
        if (size < 0)
            perror(settings->password_file);
        else
            line[strcspn(line, "\r\n")] = 0;
        if (file)
            fclose(file);
        settings->server.password = line;
        return size >= 0;
    }
    if (!isatty(STDIN_FILENO))
        return true; /* perhaps there is none */
    char *prompt = text_make("Password for user %s: ", settings->server.role);
    settings->server.password = password_read(prompt);
    free(prompt);
    return settings->server.password != NULL;
}

static int run_sql(struct server *server, const struct settings *settings)
{
    int status = 0;
    for (int i = 0; i < settings->scripts && (status == 0 || settings->shell.go_on); i++)
        status |= settings->script[i].is_file
                      ? shell_file(server, &settings->shell, settings->script[i].text)
                      : shell_text(server, &settings->shell, settings->script[i].text);
    return settings->scripts ? status : shell_run(server, &settings->shell, stdin);
}

static int run_load(struct server *server, struct settings *settings, int count, char **words)
{
    if (count != 2) {
        fputs("usage: synod load TABLE FILE\n", stderr);
        return 2;
    }
    FILE *from = strcmp(words[1], "-") == 0 ? stdin : fopen(words[1], "r");
    if (!from) {
        perror(words[1]);
        return 1;
    }
    settings->load.table = words[0];
    bool done = load_file(server, &settings->load, from);
    if (from != stdin)
        fclose(from);
    return !done;
}

static int run(struct settings *settings, int count, char **words)
{
    const char *command = words[0];
    bool sql = strcmp(command, "sql") == 0, load = strcmp(command, "load") == 0;
    bool status = strcmp(command, "status") == 0, user = strcmp(command, "user") == 0;
    if (!sql && !load && !status && !user && strcmp(command, "key") != 0) {
        fprintf(stderr, "synod: there is no command \"%s\": see synod --help\n", command);
        return 2;
    }
    if (!find_password(settings))
        return 1;
    struct server *server = server_open(&settings->server);
    count--;
    words++;
    int outcome = sql      ? run_sql(server, settings)
                  : load   ? run_load(server, settings, count, words)
                  : status ? command_status(server, &settings->shell.print)
                  : user   ? command_user(server, &settings->shell.print, count, words)
                           : command_key(server, &settings->shell.print, &settings->key, count, words);
    server_close(server);
    return outcome;
}

static void note_interrupt(int number)
{
    server_interrupted = 1;
}

int cli_main(int argc, char **argv)
{
    struct settings settings;
    int code;
    setlocale(LC_CTYPE, ""); /* the line editor wants to know what a character is */
    settings_open(&settings);
    while ((code = getopt_long(argc, argv, "U:d:c:f:Axtq", long_options, NULL)) != -1) {
        if (code == OPTION_HELP || code == OPTION_VERSION) {
            fputs(code == OPTION_HELP ? help : "synod " SYNOD_VERSION "\n", stdout);
            return 0;
        }
        if (code == '?' || !take_option(&settings, code, optarg)) {
            fputs("synod: see synod --help\n", stderr);
            return 2;
        }
    }
    if (optind == argc) {
        fputs(help, stderr);
        return 2;
    }
    const struct sigaction interrupt = {.sa_handler = note_interrupt}; /* without SA_RESTART: it ends waits */
    sigaction(SIGINT, &interrupt, NULL);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = run(&settings, argc - optind, argv + optind);
    curl_global_cleanup();
    if (fflush(stdout) || ferror(stdout))
        status = 1;
    return status;
}
