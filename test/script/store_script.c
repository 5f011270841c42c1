/* Runs scripts of store commands on every store: what one answers, all must answer.
 *
 *     store_script FILE...            each script on each store; prints what differs
 *     store_script --bless FILE...    writes the memory store's answers into the scripts
 *
 * A script is blocks: comment lines, commands, a line "---", the answers, an empty line. Transactions are named T1, T2 …
 *
 *     begin T | put T key row | large T key row | del T key | commit T scn | rollback T number    (number 0 ends it)
 *     get S key | piece S key offset bytes | scan S from to | rscan S from to | newest key
 *     checkpoint scn oldest | collect oldest | pieces rows
 *
 * S is an SCN, a transaction (its own changes and everything committed), or T/n (its effects up to n). "-" is an open
 * end. Rows at rest know no SCN, so it is only told by get, and not for those. A large row is one that is written before it is
 * applied, where the store can do that; however short it is. */
#include "base/scope.h"
#include "engine/memory/memory.h"
#include "engine/row/row.h"
#include "test/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRANSACTIONS 32
#define LINE         400

struct run {
    const char *path;
    const char *store_name;
    struct store *store;
    struct world *world;
    struct scope *scope;
    struct writer writer[TRANSACTIONS];
    size_t pieces;
    char *out; /* all answers of the block */
    size_t out_size, out_room;
    bool bless;
    FILE *blessed;
    int differences;
    int blocks;
};

static void say(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct run *run, const char *format, ...)
{
    char text[LINE * 4];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (run->out_size + (size_t)size + 1 > run->out_room) {
        run->out_room = (run->out_room + (size_t)size + 1) * 2;
        run->out = realloc(run->out, run->out_room);
    }
    memcpy(run->out + run->out_size, text, (size_t)size + 1);
    run->out_size += (size_t)size;
}

static _Noreturn void broken(const struct run *run, const char *what, const char *word)
{
    fprintf(stderr, "%s: %s: %s\n", run->path, what, word);
    exit(1);
}

static void must(const struct run *run, enum sqlstate failed, const struct error *error)
{
    if (failed)
        broken(run, run->store_name, error_text(error, ERROR_MESSAGE));
}

static struct writer *writer_named(struct run *run, const char *name)
{
    unsigned long number = name[0] == 'T' ? strtoul(name + 1, NULL, 10) : 0;
    if (number == 0 || number >= TRANSACTIONS)
        broken(run, "no transaction", name);
    return &run->writer[number];
}

static struct snapshot snapshot_named(struct run *run, const char *name)
{
    if (name[0] != 'T')
        return (struct snapshot){.scn = strtoull(name, NULL, 10)};
    const char *slash = strchr(name, '/');
    uint32_t effects = slash ? (uint32_t)strtoul(slash + 1, NULL, 10) : UINT32_MAX;
    return (struct snapshot){
        .scn = SCN_NEWEST, .transaction = writer_named(run, name)->transaction, .own_effects = effects};
}

static void do_write(struct run *run, const char *name, enum effect_kind kind, const char *key,
                     const char *row)
{
    struct error error;
    struct effect effect = {.kind = kind, .key = bytes_of_text(key), .row = bytes_of_text(row)};
    must(run, run->store->ops->make_room(run->store, 1000, SCN_LOADED, SCN_LOADED, &error), &error);
    run->store->ops->apply(run->store, writer_named(run, name), &effect);
}

static void do_large(struct run *run, const char *name, const char *key, const char *row)
{
    struct error error;
    struct store_large large;
    struct effect effect = {
        .kind = EFFECT_UPDATE, .key = bytes_of_text(key), .row = bytes_of_text(row), .large = NULL};
    if (run->store->abilities & STORE_LARGE) {
        must(run, row_store_large_begin(run->store, effect.row.size, &large, &error), &error);
        must(run, row_store_large_write(run->store, &large, 0, effect.row, &error), &error);
        effect.row = bytes_of(NULL, 0);
        effect.large = &large;
    }
    run->store->ops->apply(run->store, writer_named(run, name), &effect);
}

static void do_piece(struct run *run, const char *line, const char *who, const char *key, const char *offset,
                     const char *bytes)
{
    struct error error;
    char into[LINE];
    struct store_piece piece = {
        .offset = strtoull(offset, NULL, 10), .into = into, .room = strtoull(bytes, NULL, 10)};
    struct snapshot snapshot = snapshot_named(run, who);
    must(run, run->store->ops->read(run->store, run->scope, &snapshot, bytes_of_text(key), &piece, &error),
         &error);
    if (piece.found)
        say(run, "%s: %.*s of %llu\n", line, (int)piece.bytes, into, (unsigned long long)piece.row_bytes);
    else
        say(run, "%s: (none)\n", line);
}

static void do_get(struct run *run, const char *line, const char *who, const char *key)
{
    struct error error;
    struct store_row row;
    bool found;
    struct snapshot snapshot = snapshot_named(run, who);
    must(run,
         run->store->ops->get(run->store, run->scope, &snapshot, bytes_of_text(key), &row, &found, &error),
         &error);
    if (!found)
        say(run, "%s: (none)\n", line);
    else if (row.scn > SCN_LOADED)
        say(run, "%s: %.*s @%llu\n", line, (int)row.row.size, (const char *)row.row.data,
            (unsigned long long)row.scn);
    else
        say(run, "%s: %.*s\n", line, (int)row.row.size, (const char *)row.row.data);
}

static bool say_row(void *argument, const struct store_row *row)
{
    say(argument, " %.*s=%.*s", (int)row->key.size, (const char *)row->key.data, (int)row->row.size,
        (const char *)row->row.data);
    return true;
}

static void do_scan(struct run *run, const char *line, bool backward, const char *who, const char *from,
                    const char *to)
{
    struct error error;
    struct snapshot snapshot = snapshot_named(run, who);
    struct store_cursor cursor = {.backward = backward, .scope = scope_open(run->scope, "cursor")};
    struct store_sink sink = {.take = say_row, .argument = run};
    cursor.range.from = bytes_of_text(strcmp(from, "-") ? from : "");
    cursor.range.to_open = strcmp(to, "-") == 0;
    cursor.range.to = bytes_of_text(cursor.range.to_open ? "" : to);
    say(run, "%s:", line);
    while (!cursor.done)
        must(run, run->store->ops->scan(run->store, &snapshot, &cursor, run->pieces, &sink, &error), &error);
    say(run, "\n");
    scope_close(cursor.scope);
}

static void do_newest(struct run *run, const char *line, const char *key)
{
    struct error error;
    struct store_newest newest;
    must(run, run->store->ops->newest(run->store, 0, bytes_of_text(key), &newest, &error), &error);
    say(run, "%s: %s, ", line, newest.exists ? "there" : "absent");
    for (int i = 1; i < TRANSACTIONS; i++)
        if (newest.transaction && run->writer[i].transaction == newest.transaction) {
            say(run, "open T%d\n", i);
            return;
        }
    if (newest.scn > SCN_LOADED)
        say(run, "SCN %llu\n", (unsigned long long)newest.scn);
    else
        say(run, "none\n");
}

static void do_line(struct run *run, const char *line)
{
    char word[5][LINE] = {{0}};
    struct error error;
    struct store_checkpoint done;
    struct store *store = run->store;
    int words = sscanf(line, "%399s %399s %399s %399s %399s", word[0], word[1], word[2], word[3], word[4]);
    uint64_t number = strtoull(word[2], NULL, 10);
    if (!strcmp(word[0], "begin") && words == 2)
        *writer_named(run, word[1]) = (struct writer){.transaction = strtoull(word[1] + 1, NULL, 10)};
    else if (!strcmp(word[0], "put") && words == 4)
        do_write(run, word[1], EFFECT_UPDATE, word[2], word[3]);
    else if (!strcmp(word[0], "large") && words == 4)
        do_large(run, word[1], word[2], word[3]);
    else if (!strcmp(word[0], "piece") && words == 5)
        do_piece(run, line, word[1], word[2], word[3], word[4]);
    else if (!strcmp(word[0], "del") && words == 3)
        do_write(run, word[1], EFFECT_DELETE, word[2], "");
    else if (!strcmp(word[0], "commit") && words == 3)
        store->ops->commit(store, writer_named(run, word[1]), number);
    else if (!strcmp(word[0], "rollback") && words == 3)
        while (!store->ops->rollback(store, writer_named(run, word[1]), (uint32_t)number, 1))
            ;
    else if (!strcmp(word[0], "get") && words == 3)
        do_get(run, line, word[1], word[2]);
    else if (!strcmp(word[0], "scan") && words == 4)
        do_scan(run, line, false, word[1], word[2], word[3]);
    else if (!strcmp(word[0], "rscan") && words == 4)
        do_scan(run, line, true, word[1], word[2], word[3]);
    else if (!strcmp(word[0], "newest") && words == 2)
        do_newest(run, line, word[1]);
    else if (!strcmp(word[0], "checkpoint") && words == 3)
        must(run, store->ops->checkpoint(store, strtoull(word[1], NULL, 10), number, &done, &error), &error);
    else if (!strcmp(word[0], "collect") && words == 2)
        while (store->ops->collect(store, strtoull(word[1], NULL, 10)))
            ;
    else if (!strcmp(word[0], "pieces") && words == 2)
        run->pieces = strtoul(word[1], NULL, 10);
    else
        broken(run, "no such command", line);
}

/* SCNs differ between a store that keeps history and one whose rows rest, so they only count where both tell one. */
static bool same_answer(const char *expected, const char *got)
{
    size_t size = strcspn(expected, "@\n"), got_size = strcspn(got, "@\n");
    while (size && expected[size - 1] == ' ')
        size--;
    while (got_size && got[got_size - 1] == ' ')
        got_size--;
    if (size != got_size || memcmp(expected, got, size) != 0)
        return false;
    const char *a = strchr(expected, '@'), *b = strchr(got, '@');
    return !a || !b || strcmp(a, b) == 0;
}

static void compare(struct run *run, char *expected)
{
    char *got = run->out ? run->out : (char[]){""}, *line;
    run->blocks++;
    while ((line = strsep(&expected, "\n")) && *line) {
        char *mine = strsep(&got, "\n");
        if (!mine || !same_answer(line, mine)) {
            printf("%s on %s\n  expected %s\n  got      %s\n", run->path, run->store_name, line,
                   mine ? mine : "");
            run->differences++;
        }
    }
    if (got && *got) {
        printf("%s on %s\n  not expected: %s\n", run->path, run->store_name, got);
        run->differences++;
    }
}

static void run_script(struct run *run)
{
    FILE *file = fopen(run->path, "r");
    if (!file)
        broken(run, "cannot be read", "");
    char line[LINE], expected[LINE * 100] = "";
    bool answers = false;
    run->pieces = 100;
    while (fgets(line, sizeof line, file)) {
        bool empty = line[0] == '\n';
        if (run->blessed && !(answers && !empty))
            fputs(line, run->blessed);
        if (answers && !empty) {
            strncat(expected, line, sizeof expected - strlen(expected) - 1);
            continue;
        }
        if (!strcmp(line, "---\n")) {
            answers = true;
            if (run->blessed && run->out)
                fputs(run->out, run->blessed);
        } else if (empty && answers) {
            compare(run, expected);
            answers = false;
            expected[0] = '\0';
            run->out_size = 0;
            if (run->out)
                run->out[0] = '\0';
        } else if (!empty && line[0] != '#') {
            line[strcspn(line, "\n")] = '\0';
            do_line(run, line);
        }
    }
    if (answers)
        compare(run, expected);
    fclose(file);
}

/* ---- the stores, in the simulator ---- */

static struct store *open_memory(struct run *run)
{
    return memory_store_open(run->scope, 1, 64 << 20);
}

static struct store *open_row(struct run *run)
{
    struct error error;
    struct volume_options options = {.path = "volume", .cache_bytes = 4 << 20, .identity = 1};
    struct row_store_options row = {.world = run->world, .shard = 1, .memory_bytes = 64 << 20};
    uint8_t root[VOLUME_ROOT_BYTES_MAX];
    size_t root_bytes;
    must(run, volume_open(run->world, run->scope, &options, &row.volume, root, &root_bytes, &error), &error);
    return row_store_open(run->scope, &row);
}

static const struct {
    const char *name;
    struct store *(*open)(struct run *run);
} stores[] = {{"memory", open_memory}, {"row", open_row}};

struct stage {
    struct run *run;
    size_t store;
};

static void core_main(struct world *world, void *argument)
{
    struct stage *stage = argument;
    struct run *run = stage->run;
    run->world = world;
    run->scope = scope_open(world->scope, "script");
    run->store_name = stores[stage->store].name;
    run->store = stores[stage->store].open(run);
    run_script(run);
    fiber_close_scope(world->scheduler, run->scope);
}

static bool ended(void *argument)
{
    return sim_state(argument) == SIM_ENDED;
}

static void run_on(struct run *run, size_t store)
{
    struct sim_options options = {.seed = 1, .nodes = 1, .log_level = LOG_WARN};
    struct stage stage = {.run = run, .store = store};
    sim_faults_none(&options.faults);
    struct sim *sim = sim_open(&options);
    struct sim_program program = {
        .name = "script", .cores = 1, .core_main = core_main, .argument = &stage, .spared = true};
    struct sim_process *process = sim_start(sim, 0, &program);
    if (sim_run(sim, 600 * SIM_SECOND, ended, process) != SIM_UNTIL)
        broken(run, "does not end on", stores[store].name);
    sim_close(sim);
    free(run->out);
}

int main(int count, char **arguments)
{
    bool bless = count > 1 && !strcmp(arguments[1], "--bless");
    int differences = 0, blocks = 0;
    for (int i = bless ? 2 : 1; i < count; i++)
        for (size_t store = 0; store < sizeof stores / sizeof *stores; store++) {
            struct run run = {.path = arguments[i]};
            char *text = NULL;
            size_t size;
            if (bless && store == 0)
                run.blessed = open_memstream(&text, &size);
            run_on(&run, store);
            differences += run.differences;
            blocks += run.blocks;
            if (!run.blessed)
                continue;
            fclose(run.blessed);
            FILE *file = fopen(arguments[i], "w");
            fwrite(text, 1, size, file);
            fclose(file);
            free(text);
        }
    printf("%d blocks, %d differences\n", blocks, differences);
    return blocks == 0 || differences ? 1 : 0;
}
