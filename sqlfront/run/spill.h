/* Rows put aside on disk: what operators do not keep in memory beyond their grant.
 *
 * A *spill* is one temporary file, a *run* a list of rows in it, written once and then read any number of times. Runs of a
 * file may be written and read in turns; the blocks of a run that is dropped serve the next ones.
 *
 *     spill_open -> run_open -> run_add ... -> run_end -> reader_open -> reader_next ... -> run_drop
 *
 * The file has no name from the moment it is open, so nothing is left of it when its scope, or the node, ends. */
#ifndef SYNOD_SQLFRONT_RUN_SPILL_H
#define SYNOD_SQLFRONT_RUN_SPILL_H

#include "base/world.h"
#include "sqlfront/value/value.h"

/* What the files of one statement take together; its fragments on other cores add to it, too. */
struct spill_account {
    uint64_t limit; /* bytes (temp_file_limit); 0 = none */
    uint64_t used;  /* atomic */
    uint64_t most;  /* the largest `used`; about */
};

struct spill;
struct spill_run;
struct spill_reader;

struct spill_options {
    const char *directory;
    struct spill_account *account;
    size_t grant; /* bytes of memory of whoever spills: buffers are small where it is */
};

/* Makes the file; it goes with the scope. 53100, 58030. Yields. */
enum sqlstate spill_open(struct world *world, struct scope *scope, const struct spill_options *options,
                         struct spill **spill, struct error *error);
/* Removes names that a crash between making a file and taking its name away has left; nobody spills yet. Yields. */
enum sqlstate spill_clean(struct world *world, const char *directory, struct error *error);
/* Bytes in blocks written so far, given back or not. */
uint64_t spill_written(const struct spill *spill);
/* Bytes of memory a run takes while it is written, and a reader. */
size_t spill_buffer_bytes(const struct spill *spill);

/* A new run; what describes it is the scope's. `types` stay valid. Does not yield. */
struct spill_run *spill_run_open(struct spill *spill, struct scope *scope, uint32_t columns,
                                 const struct type *const *types);
/* Adds a row; `mark` is the caller's (a hash, a number). 53100 disk full, 53400 past temp_file_limit. Yields. */
enum sqlstate spill_run_add(struct spill_run *run, const struct value *values, uint64_t mark,
                            struct error *error);
enum sqlstate spill_run_add_row(struct spill_run *run, const struct value *const *columns, uint32_t row,
                                uint64_t mark, struct error *error);
/* Nothing more comes; gives the buffer back. Yields. */
enum sqlstate spill_run_end(struct spill_run *run, struct error *error);
uint64_t spill_run_rows(const struct spill_run *run);
/* About how much memory the rows would take as tuples. */
uint64_t spill_run_memory(const struct spill_run *run);
/* Its blocks serve other runs. No reader of it is used after this. */
void spill_run_drop(struct spill_run *run);

/* Reads from the first row on; several readers may read one run. Memory of the scope. Fails with 53200 only. */
enum sqlstate spill_reader_open(struct spill_run *run, struct scope *scope, struct spill_reader **reader,
                                struct error *error);
/* The next row; bytes of values are memory of the scope. XX001 when a block is not what was written. Yields. */
enum sqlstate spill_reader_next(struct spill_reader *reader, struct scope *scope, struct value *values,
                                uint64_t *mark, bool *found, struct error *error);

#endif
