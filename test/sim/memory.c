/* Free lists by power-of-two size, cut from slabs. */
#include "test/sim/memory.h"

#include "base/check.h"
#include "base/scope.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_POISONS 1
#endif
#endif

#ifdef MEMORY_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes)   ((void)(memory), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#endif

#define SMALLEST   32
#define SLAB_BYTES (256 * 1024)

void memory_open(struct memory *memory, struct scope *scope)
{
    *memory = (struct memory){.scope = scope};
}

static uint32_t size_index(size_t bytes)
{
    uint32_t index = 0;
    while (index < MEMORY_SIZES && (size_t)SMALLEST << index < bytes)
        index++;
    return index;
}

static void *large(struct memory *memory, size_t bytes)
{
    struct error error;
    void *block;
    enum sqlstate failed = scope_alloc_large(memory->scope, bytes, 16, &block, &error);
    check(!failed, "no memory for %zu bytes of the simulation", bytes);
    return block;
}

/* What is left of the old slab is lost: at most one block in four slabs. */
static void *cut(struct memory *memory, size_t bytes)
{
    if ((size_t)(memory->end - memory->next) < bytes) {
        memory->next = large(memory, SLAB_BYTES);
        memory->end = memory->next + SLAB_BYTES;
        ASAN_POISON_MEMORY_REGION(memory->next, SLAB_BYTES);
    }
    void *block = memory->next;
    memory->next += bytes;
    return block;
}

void *memory_take(struct memory *memory, size_t bytes)
{
    uint32_t index = size_index(bytes);
    memory->in_use += bytes;
    if (index == MEMORY_SIZES)
        return large(memory, bytes);
    void *block = memory->free[index];
    if (!block)
        block = cut(memory, (size_t)SMALLEST << index);
    else {
        ASAN_UNPOISON_MEMORY_REGION(block, sizeof(void *));
        memcpy(&memory->free[index], block, sizeof(void *));
    }
    ASAN_UNPOISON_MEMORY_REGION(block, bytes);
    return block;
}

void *memory_take_zeroed(struct memory *memory, size_t bytes)
{
    return memset(memory_take(memory, bytes), 0, bytes);
}

char *memory_copy_text(struct memory *memory, const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(memory_take(memory, bytes), text, bytes);
}

void memory_give(struct memory *memory, void *block, size_t bytes)
{
    if (!block)
        return;
    uint32_t index = size_index(bytes);
    check(memory->in_use >= bytes);
    memory->in_use -= bytes;
    if (index == MEMORY_SIZES) {
        scope_free_large(memory->scope, block);
        return;
    }
    ASAN_UNPOISON_MEMORY_REGION(block, sizeof(void *));
    memcpy(block, &memory->free[index], sizeof(void *));
    memory->free[index] = block;
    ASAN_POISON_MEMORY_REGION(block, (size_t)SMALLEST << index);
}

void memory_give_text(struct memory *memory, char *text)
{
    if (text)
        memory_give(memory, text, strlen(text) + 1);
}
