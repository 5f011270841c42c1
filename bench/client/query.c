/* Runs files of SQL and says how long each took, with the rows of its last result, as lines of JSON. */
#include "bench/client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FILE_BYTES_MAX = 1 << 16 };

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 32)
            printf("\\u%04x", (unsigned char)*text);
        else
            putchar(*text);
    putchar('"');
}

static void print_rows(const PGresult *result)
{
    putchar('[');
    for (int row = 0; row < PQntuples(result); row++) {
        printf("%s[", row ? "," : "");
        for (int column = 0; column < PQnfields(result); column++) {
            if (column)
                putchar(',');
            if (PQgetisnull(result, row, column))
                printf("null");
            else
                print_text(PQgetvalue(result, row, column));
        }
        putchar(']');
    }
    putchar(']');
}

static bool run_file(PGconn *connection, const char *path)
{
    static char text[FILE_BYTES_MAX];
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    PGresult *result = PQexec(connection, text);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    double seconds = (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
    printf("{\"seconds\":%.6f,", seconds);
    if (good) {
        printf("\"rows\":");
        print_rows(result);
    } else {
        printf("\"error\":");
        print_text(PQresultErrorMessage(result));
    }
    printf("}\n");
    fflush(stdout);
    PQclear(result);
    return good || PQstatus(connection) == CONNECTION_OK;
}

int run_files(const struct options *options, char **paths, int count)
{
    PGconn *connection = PQconnectdb(options->connection);
    bool good = PQstatus(connection) == CONNECTION_OK;
    if (!good)
        fprintf(stderr, "%s", PQerrorMessage(connection));
    for (int i = 0; good && i < count; i++)
        good = run_file(connection, paths[i]);
    PQfinish(connection);
    return good ? 0 : 1;
}
