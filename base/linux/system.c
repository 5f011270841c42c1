/* What the ground floor needs of Linux before there is a world: pages, last words, an end. */
#include "base/system.h"
#include "base/check.h"

#include <elf.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13; Debian 12's headers are older */
#endif

size_t system_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* A guard the kernel keeps in the page table leaves the mapping whole, so neighbouring stacks merge into one
 * mapping; mprotect() cuts it in two, and the number of mappings of a process is limited. */
static bool guard_page(void *page, size_t bytes)
{
    return madvise(page, bytes, MADV_GUARD_INSTALL) == 0 || mprotect(page, bytes, PROT_NONE) == 0;
}

void *system_pages_map(size_t bytes, bool guard)
{
    size_t page = system_page_bytes();
    check(bytes > 0 && bytes % page == 0);
    void *pages =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    if (!guard)
        return pages;
    /* A stack: a huge page would commit 2 MiB at the first touch. A kernel without huge pages refuses. */
    madvise(pages, bytes, MADV_NOHUGEPAGE);
    if (!guard_page(pages, page)) {
        system_pages_unmap(pages, bytes);
        return NULL;
    }
    return pages;
}

void system_pages_unmap(void *pages, size_t bytes)
{
    int failed = munmap(pages, bytes);
    check(!failed, "unmapping %zu bytes at %p", bytes, pages);
}

void system_pages_discard(void *pages, size_t bytes)
{
    int failed = madvise(pages, bytes, MADV_DONTNEED);
    check(!failed, "discarding %zu bytes at %p", bytes, pages);
}

/* Looks from the bottom up, for a deep call may jump over pages it never touches. The guard itself would be
 * reported as resident by some kernels. */
size_t system_pages_touched_from_top(void *pages, size_t bytes)
{
    size_t page = system_page_bytes();
    unsigned char resident[1024];
    for (size_t at = page; at < bytes;) {
        size_t size = bytes - at < page * sizeof resident ? bytes - at : page * sizeof resident;
        int failed = mincore((char *)pages + at, size, resident);
        check(!failed, "looking at %zu bytes at %p", bytes, pages);
        for (size_t i = 0; i < size / page; i++) {
            if (resident[i] & 1)
                return bytes - at - i * page;
        }
        at += size;
    }
    return 0;
}

void system_write_error(const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(STDERR_FILENO, text, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        bytes -= (size_t)written;
    }
}

void system_write_backtrace(void)
{
    void *frames[64];
    int count = backtrace(frames, sizeof frames / sizeof *frames);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

/* Where the build id goes, and how much of it was found. */
struct build_id {
    unsigned char *id;
    size_t room, bytes;
};

static void find_in_notes(struct build_id *found, const char *at, size_t size)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)at;
        size_t name = (note->n_namesz + 3U) & ~(size_t)3, content = (note->n_descsz + 3U) & ~(size_t)3;
        if (sizeof *note + name + content > size)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !memcmp(note + 1, "GNU", 4)) {
            found->bytes = note->n_descsz < found->room ? note->n_descsz : found->room;
            memcpy(found->id, (const char *)(note + 1) + name, found->bytes);
            return;
        }
        at += sizeof *note + name + content;
        size -= sizeof *note + name + content;
    }
}

/* The loader lists the program itself first; libraries have build ids of their own, so we stop there. */
static int find_in_program(struct dl_phdr_info *program, size_t size, void *argument)
{
    struct build_id *found = argument;
    for (int i = 0; i < program->dlpi_phnum && !found->bytes; i++) {
        const ElfW(Phdr) *header = &program->dlpi_phdr[i];
        if (header->p_type == PT_NOTE)
            find_in_notes(found, (const char *)(program->dlpi_addr + header->p_vaddr), header->p_memsz);
    }
    return 1;
}

size_t system_build_id(unsigned char *id, size_t room)
{
    struct build_id found = {.id = id, .room = room};
    dl_iterate_phdr(find_in_program, &found);
    return found.bytes;
}

bool system_has_crc32c(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
    return getauxval(AT_HWCAP) & HWCAP_CRC32;
#endif
}

_Noreturn void system_stop(void)
{
    abort();
}
