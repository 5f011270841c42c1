/* Small whole files: read at once, and replaced so that a crash at any moment leaves the old text or the new
 * one, never a mixture. */
#ifndef SYNOD_NODE_FILE_H
#define SYNOD_NODE_FILE_H

#include "base/world.h"

/* DIR/NAME, allocated from the scope. */
const char *file_path(struct scope *scope, const char *directory, const char *name);

/* Reads a whole file into memory of the scope, with a zero byte behind it. Fails with 54000 when it is longer
 * than bytes_max, else as disk_open() and disk_read() do. Yields. */
enum sqlstate file_read_whole(struct world *world, struct scope *scope, const char *path, size_t bytes_max,
                              struct bytes *content, struct error *error);

/* Puts the content where the file DIR/NAME is to be, durably: a file DIR/NAME.new (what an earlier crash left
 * of one is removed) is written and synced, takes the name, and the directory is synced. Fails as the disk_
 * functions do; then the file is the old one or the new one. Yields. */
enum sqlstate file_replace(struct world *world, const char *directory, const char *name, struct bytes content,
                           struct error *error);

#endif
