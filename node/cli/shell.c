/* The interactive shell and scripts (shell.h). What is typed is gathered until a statement is whole (split.h); lines that begin with a
 * backslash are commands of the shell. */
#include "node/cli/shell.h"

#include "node/cli/complete.h"
#include "node/cli/describe.h"
#include "node/cli/load.h"
#include "node/cli/split.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <editline/readline.h>

#define FILES_DEPTH_MAX 16
#define HISTORY_LINES   2000

struct shell {
    struct server *server;
    struct shell_options options;
    FILE *to;            /* results */
    struct buffer typed; /* not yet sent */
    struct buffer last;  /* the statement sent last, for \g, \watch and \p */
    bool interactive, quit, failed;
    int depth; /* of \i */
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- statements ---- */

static bool defines(const char *sql)
{
    static const char *const words[] = {"create", "alter", "drop", "rollback"};
    sql += strspn(sql, " \t\n");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncasecmp(sql, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static bool send_last(struct shell *shell)
{
    double began = now_ms();
    server_interrupted = 0;
    bool done = print_statement(shell->server, buffer_string(&shell->last), &shell->options.print, shell->to);
    if (shell->options.timing)
        fprintf(shell->to, "Time: %.3f ms\n", now_ms() - began);
    if (defines(buffer_string(&shell->last)))
        complete_forget();
    shell->failed |= !done;
    return done;
}

/* Sends what is whole of what was typed. False when one failed and the rest is not to follow. */
static bool send_typed(struct shell *shell, bool all)
{
    enum split_state state;
    size_t size;
    while ((size = split_statement(buffer_string(&shell->typed), &state)) || (all && state == SPLIT_MIDDLE)) {
        size_t end = size ? size : shell->typed.size;
        buffer_clear(&shell->last);
        buffer_add(&shell->last, shell->typed.data, end);
        struct buffer rest = {0};
        buffer_add(&rest, shell->typed.data + end, shell->typed.size - end);
        buffer_free(&shell->typed);
        shell->typed = rest;
        const char *text = buffer_string(&shell->last);
        if (text[strspn(text, " \t\r\n;")] && !send_last(shell) && !shell->options.go_on)
            return false;
    }
    if (state == SPLIT_START)
        buffer_clear(&shell->typed);
    return true;
}

/* ---- commands ---- */

/* The next word of a command's arguments, quotes taken off; "" at the end. The caller's. */
static char *next_argument(const char **at)
{
    struct buffer word = {0};
    const char *c = *at + strspn(*at, " \t");
    char quote = 0;
    for (; *c && (quote || !isspace((unsigned char)*c)); c++) {
        if (quote && *c == quote)
            quote = 0;
        else if (!quote && *c == '\'')
            quote = *c;
        else
            buffer_add(&word, c, 1);
    }
    *at = c;
    char *copy = text_copy(buffer_string(&word), word.size);
    buffer_free(&word);
    return copy;
}

static bool set_switch(bool now, const char *argument)
{
    if (strcasecmp(argument, "on") == 0)
        return true;
    if (strcasecmp(argument, "off") == 0)
        return false;
    return !now;
}

static bool run_help(struct shell *shell, const char *arguments)
{
    fprintf(shell->to,
            "Statements end with ; and may go over lines. Tab completes, the arrow keys bring back.\n\n%s\n"
            "  \\c [DATABASE]    connect to another database\n"
            "  \\conninfo        where this is\n"
            "  \\copy TABLE [(COLUMNS)] from FILE [csv] [header]\n"
            "  \\copy {TABLE | (QUERY)} to FILE [header]\n"
            "  \\echo TEXT       write a text\n"
            "  \\g \\p \\r         send again, show, forget what was typed\n"
            "  \\i FILE          run a file\n"
            "  \\o [FILE]        results go to a file, or back here\n"
            "  \\timing [on|off] how long statements take\n"
            "  \\watch [SECONDS] send again and again until Ctrl-C\n"
            "  \\x [on|off]      a line for each column\n"
            "  \\q               leave\n",
            describe_help);
    return true;
}

static bool run_connect(struct shell *shell, const char *arguments)
{
    char *database = next_argument(&arguments);
    if (*database)
        server_database(shell->server, database);
    free(database);
    struct cells cells;
    bool done = cells_read(shell->server, "SELECT pg_catalog.current_database(), current_user", &cells);
    if (done && cells.rows)
        fprintf(shell->to, "You are now connected to database \"%s\" as user \"%s\".\n", cells.cell[0],
                cells.cell[1]);
    cells_free(&cells);
    complete_forget();
    return done;
}

static bool run_conninfo(struct shell *shell, const char *arguments)
{
    struct cells cells;
    bool done = cells_read(
        shell->server, "SELECT pg_catalog.current_database(), current_user, pg_catalog.version()", &cells);
    if (done && cells.rows)
        fprintf(shell->to, "You are connected to database \"%s\" as user \"%s\" at %s.\n%s\n", cells.cell[0],
                cells.cell[1], server_options(shell->server)->url, cells.cell[2]);
    cells_free(&cells);
    return done;
}

static bool run_echo(struct shell *shell, const char *arguments)
{
    fprintf(shell->to, "%s\n", arguments + strspn(arguments, " \t"));
    return true;
}

static bool run_go(struct shell *shell, const char *arguments)
{
    if (shell->typed.size)
        return send_typed(shell, true);
    return !shell->last.size || send_last(shell);
}

static bool run_show(struct shell *shell, const char *arguments)
{
    fprintf(shell->to, "%s\n", buffer_string(shell->typed.size ? &shell->typed : &shell->last));
    return true;
}

static bool run_reset(struct shell *shell, const char *arguments)
{
    buffer_clear(&shell->typed);
    return true;
}

static bool run_output(struct shell *shell, const char *arguments)
{
    char *path = next_argument(&arguments);
    FILE *file = *path ? fopen(path, "w") : stdout;
    if (!file)
        perror(path);
    else {
        if (shell->to != stdout)
            fclose(shell->to);
        shell->to = file;
    }
    free(path);
    return file != NULL;
}

static bool run_timing(struct shell *shell, const char *arguments)
{
    char *argument = next_argument(&arguments);
    shell->options.timing = set_switch(shell->options.timing, argument);
    fprintf(shell->to, "Timing is %s.\n", shell->options.timing ? "on" : "off");
    free(argument);
    return true;
}

static bool run_expanded(struct shell *shell, const char *arguments)
{
    char *argument = next_argument(&arguments);
    shell->options.print.expanded = set_switch(shell->options.print.expanded, argument);
    fprintf(shell->to, "Expanded display is %s.\n", shell->options.print.expanded ? "on" : "off");
    free(argument);
    return true;
}

static bool run_watch(struct shell *shell, const char *arguments)
{
    char *argument = next_argument(&arguments);
    double seconds = *argument ? strtod(argument, NULL) : 2;
    free(argument);
    if (shell->typed.size) {
        buffer_clear(&shell->last);
        buffer_add(&shell->last, shell->typed.data, shell->typed.size);
        buffer_clear(&shell->typed);
    }
    server_interrupted = 0;
    while (shell->last.size && !server_interrupted) {
        time_t now = time(NULL);
        char text[64];
        strftime(text, sizeof text, "%F %T", localtime(&now));
        fprintf(shell->to, "%s (every %gs)\n\n", text, seconds);
        if (!print_statement(shell->server, buffer_string(&shell->last), &shell->options.print, shell->to))
            return false;
        struct timespec rest = {.tv_sec = (time_t)seconds,
                                .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
        if (!server_interrupted)
            nanosleep(&rest, NULL); /* Ctrl-C ends it */
    }
    return true;
}

static bool run_include(struct shell *shell, const char *arguments)
{
    char *path = next_argument(&arguments);
    bool done = false;
    if (shell->depth == FILES_DEPTH_MAX)
        fprintf(stderr, "synod: files include each other more than %d deep\n", FILES_DEPTH_MAX);
    else {
        shell->depth++;
        done = shell_file(shell->server, &shell->options, path) == 0;
        shell->depth--;
    }
    free(path);
    return done;
}

/* ---- \copy ---- */

/* Up to the word `from` or `to` outside brackets: what is copied. The caller's; NULL when neither comes. */
static char *copied_thing(const char **at, bool *from)
{
    const char *start = *at + strspn(*at, " \t");
    int brackets = 0;
    for (const char *c = start; *c; c++) {
        brackets += (*c == '(') - (*c == ')');
        if (brackets || !isspace((unsigned char)*c))
            continue;
        const char *word = c + strspn(c, " \t");
        *from = strncasecmp(word, "from ", 5) == 0;
        if (*from || strncasecmp(word, "to ", 3) == 0) {
            *at = word + (*from ? 5 : 3);
            return text_copy(start, (size_t)(c - start));
        }
    }
    return NULL;
}

static bool copy_from(struct shell *shell, char *thing, const char *path, bool header)
{
    char *bracket = strchr(thing, '(');
    struct load_options load = {.header = header, .delimiter = ','};
    if (bracket) {
        *bracket = 0;
        load.columns = bracket + 1;
        bracket[1 + strcspn(bracket + 1, ")")] = 0;
    }
    thing[strcspn(thing, " \t")] = 0;
    load.table = thing;
    FILE *file = strcasecmp(path, "stdin") == 0 ? stdin : fopen(path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    bool done = load_file(shell->server, &load, file);
    if (file != stdin)
        fclose(file);
    return done;
}

static bool copy_to(struct shell *shell, const char *thing, const char *path, bool header)
{
    struct print_options options = {.format = PRINT_CSV, .tuples_only = !header, .quiet = true};
    bool query = thing[0] == '(';
    char *sql = query ? text_copy(thing + 1, strlen(thing) - 1) : text_make("TABLE %s", thing);
    if (query && strrchr(sql, ')'))
        *strrchr(sql, ')') = 0;
    FILE *file = strcasecmp(path, "stdout") == 0 ? shell->to : fopen(path, "w");
    if (!file)
        perror(path);
    bool done = file && print_statement(shell->server, sql, &options, file);
    if (file && file != shell->to && fclose(file)) {
        perror(path);
        done = false;
    }
    free(sql);
    return done;
}

static bool run_copy(struct shell *shell, const char *arguments)
{
    bool from, header = false, done;
    char *thing = copied_thing(&arguments, &from);
    if (!thing) {
        fputs("\\copy: wanted TABLE from FILE, or TABLE or (QUERY) to FILE\n", stderr);
        return false;
    }
    char *path = next_argument(&arguments), *word;
    while (*(word = next_argument(&arguments))) {
        header |= strcasecmp(word, "header") == 0;
        free(word);
    }
    free(word);
    done = from ? copy_from(shell, thing, path, header) : copy_to(shell, thing, path, header);
    free(path);
    free(thing);
    return done;
}

static bool run_quit(struct shell *shell, const char *arguments)
{
    shell->quit = true;
    return true;
}

static const struct {
    const char *name;
    bool (*run)(struct shell *shell, const char *arguments);
} commands[] = {
    {"?", run_help},
    {"c", run_connect},
    {"connect", run_connect},
    {"conninfo", run_conninfo},
    {"copy", run_copy},
    {"echo", run_echo},
    {"g", run_go},
    {"help", run_help},
    {"i", run_include},
    {"o", run_output},
    {"p", run_show},
    {"q", run_quit},
    {"quit", run_quit},
    {"r", run_reset},
    {"timing", run_timing},
    {"watch", run_watch},
    {"x", run_expanded},
};

/* A line that begins with a backslash. */
static bool run_command(struct shell *shell, const char *line)
{
    const char *at = line + 1;
    size_t size = strcspn(at, " \t");
    char *name = text_copy(at, size);
    bool known = false, done = false;
    server_interrupted = 0;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0] && !known; i++)
        if (strcmp(commands[i].name, name) == 0) {
            known = true;
            done = commands[i].run(shell, at + size);
        }
    if (!known) {
        const char *rest = at + size;
        char *pattern = next_argument(&rest);
        known = describe(shell->server, name, pattern, &shell->options.print, shell->to, &done);
        free(pattern);
    }
    if (!known)
        fprintf(stderr, "invalid command \\%s: try \\?\n", name);
    free(name);
    fflush(shell->to);
    shell->failed |= !done;
    return done || shell->interactive || shell->options.go_on;
}

/* ---- lines ---- */

/* One line without its end. False when the script is not to go on. */
static bool take_line(struct shell *shell, const char *line)
{
    const char *start = line + strspn(line, " \t");
    enum split_state state;
    bool fresh = split_statement(buffer_string(&shell->typed), &state) == 0 &&
                 (state == SPLIT_START || state == SPLIT_MIDDLE || state == SPLIT_BRACKET);
    if (*start == '\\' && fresh)
        return run_command(shell, start);
    buffer_text(&shell->typed, line);
    buffer_text(&shell->typed, "\n");
    return send_typed(shell, false) || shell->interactive;
}

static void shell_open(struct shell *shell, struct server *server, const struct shell_options *options)
{
    *shell = (struct shell){.server = server, .options = *options, .to = stdout};
}

static int shell_close(struct shell *shell)
{
    if (shell->to != stdout)
        fclose(shell->to);
    buffer_free(&shell->typed);
    buffer_free(&shell->last);
    return shell->failed;
}

static void read_lines(struct shell *shell, FILE *from)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    bool goes_on = true;
    while (goes_on && !shell->quit && (size = getline(&line, &room, from)) >= 0) {
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
            line[--size] = 0;
        goes_on = take_line(shell, line);
    }
    free(line);
    if (goes_on && !shell->quit)
        (void)send_typed(shell, true);
}

int shell_text(struct server *server, const struct shell_options *options, const char *text)
{
    struct shell shell;
    shell_open(&shell, server, options);
    FILE *from = fmemopen((void *)text, strlen(text) + !*text, "r");
    if (from) {
        read_lines(&shell, from);
        fclose(from);
    } else {
        perror("synod");
        shell.failed = true;
    }
    return shell_close(&shell);
}

int shell_file(struct server *server, const struct shell_options *options, const char *path)
{
    struct shell shell;
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (!from) {
        perror(path);
        return 1;
    }
    shell_open(&shell, server, options);
    read_lines(&shell, from);
    if (from != stdin)
        fclose(from);
    return shell_close(&shell);
}

/* ---- the terminal ---- */

static char *prompt_make(const struct shell *shell)
{
    enum split_state state = SPLIT_START;
    if (shell->typed.size)
        (void)split_statement(buffer_string(&shell->typed), &state);
    char transaction = server_transaction(shell->server);
    return text_make("%s%c%.*s> ", server_database_name(shell->server), (char)state, transaction != ' ',
                     &transaction);
}

static char *history_path(void)
{
    const char *home = getenv("HOME");
    return home && *home ? text_make("%s/.synod_history", home) : NULL;
}

static int shell_terminal(struct shell *shell)
{
    char *history = history_path();
    using_history();
    stifle_history(HISTORY_LINES);
    if (history)
        (void)read_history(history);
    complete_open(shell->server);
    shell->interactive = true;
    while (!shell->quit) {
        char *prompt = prompt_make(shell), *line = readline(prompt);
        free(prompt);
        if (!line && server_interrupted) { /* Ctrl-C: the line is given up */
            server_interrupted = 0;
            buffer_clear(&shell->typed);
            putchar('\n');
            continue;
        }
        if (!line)
            break;
        if (line[strspn(line, " \t")])
            add_history(line);
        (void)take_line(shell, line);
        free(line);
    }
    if (!shell->quit)
        putchar('\n');
    if (history)
        (void)write_history(history);
    complete_open(NULL);
    free(history);
    return 0;
}

int shell_run(struct server *server, const struct shell_options *options, FILE *from)
{
    struct shell shell;
    shell_open(&shell, server, options);
    if (!isatty(fileno(from))) {
        read_lines(&shell, from);
        return shell_close(&shell);
    }
    (void)run_connect(&shell, "");
    puts("Type \\? for help, \\q to leave.");
    int status = shell_terminal(&shell);
    (void)shell_close(&shell);
    return status;
}
