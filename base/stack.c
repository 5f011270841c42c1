/* The stack pool; the idea is in stack.h. */
#include "base/stack.h"
#include "base/context.h"
#include "base/system.h"

#ifdef CONTEXT_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

void stack_pool_open(struct stack_pool *pool)
{
    size_t page = system_page_bytes();
    *pool = (struct stack_pool){.bytes = (FIBER_STACK_BYTES + page - 1) / page * page + page};
}

/* Frames that never returned have left the sanitizer's marks. Whoever gets the memory next, here or from the
 * system, must not stumble over them. */
static void forget_marks(const struct stack_pool *pool, const struct stack *stack)
{
#ifdef CONTEXT_ADDRESS_SANITIZER
    size_t guard = system_page_bytes();
    ASAN_UNPOISON_MEMORY_REGION(stack->low + guard, pool->bytes - guard);
#else
    (void)pool;
    (void)stack;
#endif
}

static struct stack *stack_map(struct stack_pool *pool)
{
    char *low = system_pages_map(pool->bytes, true);
    if (!low)
        return NULL;
    size_t size = (sizeof(struct stack) + STACK_LINE_BYTES - 1) / STACK_LINE_BYTES * STACK_LINE_BYTES;
    struct stack *stack = (struct stack *)(low + pool->bytes - size);
    *stack = (struct stack){.low = low, .name = context_stack_known(low, low + pool->bytes)};
    return stack;
}

static void stack_unmap(struct stack_pool *pool, struct stack *stack)
{
    context_stack_gone(stack->name);
    system_pages_unmap(stack->low, pool->bytes);
}

void stack_pool_close(struct stack_pool *pool)
{
    for (struct stack *stack = pool->kept, *next; stack; stack = next) {
        next = stack->next;
        stack_unmap(pool, stack);
    }
    pool->kept = NULL;
    pool->kept_count = 0;
}

struct stack *stack_take(struct stack_pool *pool)
{
    struct stack *stack = pool->kept;
    if (!stack)
        return stack_map(pool);
    pool->kept = stack->next;
    pool->kept_count--;
    return stack;
}

void stack_give(struct stack_pool *pool, struct stack *stack)
{
    forget_marks(pool, stack);
    if (pool->kept_count == FIBER_STACKS_KEPT) {
        stack_unmap(pool, stack);
        return;
    }
    stack->next = pool->kept;
    pool->kept = stack;
    pool->kept_count++;
}

size_t stack_touched(const struct stack_pool *pool, const struct stack *stack)
{
    return system_pages_touched_from_top(stack->low, pool->bytes);
}

void stack_rest(const struct stack *stack, const void *pointer)
{
    size_t page = system_page_bytes();
    size_t used_from = (size_t)((const char *)pointer - stack->low) / page * page;
    if (used_from > page)
        system_pages_discard(stack->low + page, used_from - page);
}
