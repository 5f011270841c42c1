/* The parts of machine.c that a test feeds with files of its own. */
#ifndef SYNOD_BASE_LINUX_MACHINE_H
#define SYNOD_BASE_LINUX_MACHINE_H

#include <stddef.h>

/* Bytes the control groups in `membership_file` (as /proc/self/cgroup) allow, with the hierarchy mounted at
 * `mount`; SIZE_MAX when they set no limit. */
size_t machine_group_memory(const char *membership_file, const char *mount);

#endif
