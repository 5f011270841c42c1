/* Runs a fuzz target over a corpus without libFuzzer: in the ordinary tests, and to look at a find.
 *
 *     fuzz_THING FILE-OR-FOLDER...
 *
 * Each input is tried whole and, up to PREFIXES_BYTES, cut at every length: most errors of decoders are at
 * ends. Options of libFuzzer are ignored, so that both can be called alike. */
#include "test/fuzz/fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Longest input to be cut at every length. */
#define PREFIXES_BYTES 2048

/* Longest input of all; libFuzzer's own are no longer than 4 KiB unless the corpus has longer ones. */
#define INPUT_BYTES_MAX (1024 * 1024)

static void try_input(const uint8_t *data, size_t size)
{
    /* Memory of its exact size, as libFuzzer gives. */
    uint8_t *exact = malloc(size + !size);
    if (!exact)
        abort();
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static bool replay_file(const char *path)
{
    static uint8_t data[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return false;
    }
    size_t size = fread(data, 1, sizeof data, file);
    bool whole = !ferror(file) && size < sizeof data;
    fclose(file);
    if (!whole) {
        fprintf(stderr, "%s: unreadable, or %d bytes or more\n", path, INPUT_BYTES_MAX);
        return false;
    }
    for (size_t cut = 0; cut < size && size <= PREFIXES_BYTES; cut++)
        try_input(data, cut);
    try_input(data, size);
    return true;
}

/* Gives the number of inputs, -1 when one could not be read. */
static int replay_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort), inputs = 0;
    for (int i = 0; i < count; i++) {
        char input[4096];
        snprintf(input, sizeof input, "%s/%s", path, entries[i]->d_name);
        if (inputs >= 0 && entries[i]->d_name[0] != '.')
            inputs = replay_file(input) ? inputs + 1 : -1;
        free(entries[i]);
    }
    if (count < 0) {
        perror(path);
        return -1;
    }
    free(entries);
    return inputs;
}

int main(int count, char **arguments)
{
    int inputs = 0;
    for (int i = 1; i < count; i++) {
        struct stat status;
        if (arguments[i][0] == '-')
            continue;
        bool folder = stat(arguments[i], &status) == 0 && S_ISDIR(status.st_mode);
        int more = folder ? replay_folder(arguments[i]) : replay_file(arguments[i]) ? 1 : -1;
        if (more < 0)
            return EXIT_FAILURE;
        inputs += more;
    }
    printf("%d inputs\n", inputs);
    return inputs ? EXIT_SUCCESS : EXIT_FAILURE; /* a corpus that is not there tests nothing */
}
