/* What this process may use of the machine. A control group can allow less memory than the machine has, and
 * so can each of its ancestors:
 *
 *     /proc/self/cgroup   "0::/system.slice/synod.service"          (version 2)
 *     -> /sys/fs/cgroup/system.slice/synod.service/memory.max, /sys/fs/cgroup/system.slice/memory.max, ...
 *     /proc/self/cgroup   "9:memory:/docker/4f2a"                   (version 1)
 *     -> /sys/fs/cgroup/memory/docker/4f2a/memory.limit_in_bytes, ...
 *
 * Inside a container the path may be one of the host's that is not mounted there; the container's own group
 * is then the root of what is mounted, which the walk up ends with. */
#include "base/linux/machine.h"

#include "base/linux/linux.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t linux_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1; /* more than 1,024 processors: the set is too small to say which */
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}

/* The number in a file, SIZE_MAX for "max" or when there is no such file. */
static size_t limit_in(const char *path)
{
    char text[32] = "";
    FILE *file = fopen(path, "re");
    if (!file)
        return SIZE_MAX;
    char *got = fgets(text, sizeof text, file);
    fclose(file);
    if (!got || text[0] < '0' || text[0] > '9')
        return SIZE_MAX;
    errno = 0;
    unsigned long long limit = strtoull(text, NULL, 10);
    return errno || limit > SIZE_MAX ? SIZE_MAX : (size_t)limit;
}

/* The least limit of the group `path` below `mount` and its ancestors. */
static size_t limit_up(const char *mount, const char *path, const char *name)
{
    char group[4096], file[8192];
    size_t least = SIZE_MAX;
    snprintf(group, sizeof group, "%s", path);
    for (;;) {
        snprintf(file, sizeof file, "%s%s/%s", mount, group, name);
        size_t limit = limit_in(file);
        least = limit < least ? limit : least;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Whether `list` ("cpu,memory") names the controller "memory". */
static bool names_memory(const char *list, size_t length)
{
    const char *end = list + length;
    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *stop = comma ? comma : end;
        if (stop - list == 6 && !memcmp(list, "memory", 6))
            return true;
        list = stop + 1;
    }
    return false;
}

size_t machine_group_memory(const char *membership_file, const char *mount)
{
    char line[4096], memory_mount[4096];
    size_t least = SIZE_MAX;
    FILE *file = fopen(membership_file, "re");
    if (!file)
        return SIZE_MAX;
    snprintf(memory_mount, sizeof memory_mount, "%s/memory", mount);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        size_t limit = SIZE_MAX;
        if (path == controllers + 1)
            limit = limit_up(mount, path + 1, "memory.max");
        else if (names_memory(controllers + 1, (size_t)(path - controllers - 1)))
            limit = limit_up(memory_mount, path + 1, "memory.limit_in_bytes");
        least = limit < least ? limit : least;
    }
    fclose(file);
    return least;
}

size_t linux_memory(void)
{
    size_t machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    size_t group = machine_group_memory("/proc/self/cgroup", "/sys/fs/cgroup");
    return group < machine ? group : machine;
}
