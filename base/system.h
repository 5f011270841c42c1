/* What the ground floor itself needs of the operating system before there is a world: pages for stacks, a
 * last word, an end. Implemented in base/linux/system.c; everything else goes through world.h. */
#ifndef SYNOD_BASE_SYSTEM_H
#define SYNOD_BASE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

/* Maps pages (readable, writable, zero, committed when touched). `bytes` is a multiple of the page size. With
 * `guard`, the lowest page stops the process when touched. Gives NULL when the system refuses. */
void *system_pages_map(size_t bytes, bool guard);

/* Unmaps what system_pages_map() gave. */
void system_pages_unmap(void *pages, size_t bytes);

/* Gives the memory behind the pages back to the system; they read as zero afterwards. */
void system_pages_discard(void *pages, size_t bytes);

/* Bytes of one page: 4,096 on x86-64, up to 65,536 on aarch64. */
size_t system_page_bytes(void);

/* How many bytes at the upper end of the mapping were ever touched (down to the lowest touched page): the
 * high-water mark of a stack. The lowest page is taken for a guard and never counts. */
size_t system_pages_touched_from_top(void *pages, size_t bytes);

/* Writes text to standard error, whatever happens. */
void system_write_error(const char *text, size_t bytes);

/* Writes the callers' addresses and, where known, names to standard error. */
void system_write_backtrace(void);

/* Copies the running program's build id (the linker's note) into `id`; gives its bytes, at most `room`, 0
 * when the program bears none. */
size_t system_build_id(unsigned char *id, size_t room);

/* Whether the processor has what base/crc32c.c computes with: SSE 4.2 and PCLMUL, or aarch64's CRC extension.
 * A few instructions. */
bool system_has_crc32c(void);

/* Ends the process at once, with a core dump where the system allows one. */
_Noreturn void system_stop(void);

#endif
