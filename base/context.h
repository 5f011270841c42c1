/* Contexts: flows of control with a stack of their own, and the jump from one to another. Used by the
 * scheduler only; everyone else waits through fiber.h.
 *
 * A switch saves what the calling convention says a call preserves (x86-64: rbx, rbp, r12-r15, rsp; aarch64:
 * x19-x30, sp, d8-d15), nothing else: the compiler has saved the rest around the call. The control words for
 * floating point (mxcsr and x87; fpcr) are preserved by the convention, too, but not by us: nobody in the
 * house changes a rounding mode, and foreign code that might runs without waiting. Saving them measured 2 ns
 * more, of 8. Jumping instead of returning to the other side was tried, too: faster between two contexts, but
 * slower among many, where the return address is nearly always the scheduler's and so predicted.
 *
 * A suspended context is its stack pointer; what was saved lies on its stack. When a sanitizer watches, it is
 * told of every switch. (Intel's shadow stacks would stop the first switch. The assembler files bear no note
 * that they support them, so the linker leaves them off.) */
#ifndef SYNOD_BASE_CONTEXT_H
#define SYNOD_BASE_CONTEXT_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define CONTEXT_ADDRESS_SANITIZER 1
#endif
#if defined(__SANITIZE_THREAD__)
#define CONTEXT_THREAD_SANITIZER 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CONTEXT_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer)
#define CONTEXT_THREAD_SANITIZER 1
#endif
#endif

#ifdef CONTEXT_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CONTEXT_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

struct context {
    void *stack_pointer; /* while suspended */
#ifdef CONTEXT_ADDRESS_SANITIZER
    struct context *came_from; /* who switched here last */
    void *fake_stack;          /* the sanitizer's, while suspended */
    const void *low;           /* the stack's lowest byte; learnt on leaving, where we did not make it */
    size_t bytes;
#endif
#ifdef CONTEXT_THREAD_SANITIZER
    void *thread; /* the sanitizer's name for this flow of control */
#endif
};

/* ---- context_x86_64.S, context_aarch64.S ---- */

/* Saves, stores the stack pointer to *from, takes the stack pointer `to`, restores, goes on there. */
void context_swap(void **from, void *to);

/* Where a new context begins: calls the function with the argument context_make() left in saved registers.
 * No frame is above it: backtraces end here. */
void context_entry(void);

/* Calls run(argument) on the stack that ends at `top` and comes back. Backtraces go through it. */
void context_call_at(void *top, void (*run)(void *argument), void *argument);

/* ---- context.c ---- */

/* Makes a context on the stack from `low` up to `top` (aligned to 16), whose first switch calls
 * run(argument), which must call context_arrived() first and never return. */
void context_make(struct context *context, void *low, void *top, void (*run)(void *argument), void *argument);

/* Calls run(argument) on another stack, from `low` up to `top`, and comes back. */
void context_call(void *low, void *top, void (*run)(void *argument), void *argument);

/* Tells valgrind, should it watch, of memory that is a stack from now on, or no more. */
unsigned int context_stack_known(void *low, void *top);
void context_stack_gone(unsigned int name);

/* Makes the context stand for the flow of control that calls. Call it before switching away. */
static inline void context_adopt(struct context *context)
{
#ifdef CONTEXT_THREAD_SANITIZER
    context->thread = __tsan_get_current_fiber();
#else
    (void)context;
#endif
}

/* Frees what the sanitizers keep for a context made by context_make() that will not be switched to again. */
static inline void context_forget(struct context *context)
{
#ifdef CONTEXT_THREAD_SANITIZER
    __tsan_destroy_fiber(context->thread);
#else
    (void)context;
#endif
}

static inline void context_arrived(struct context *self)
{
#ifdef CONTEXT_ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(self->fake_stack, &self->came_from->low, &self->came_from->bytes);
#else
    (void)self;
#endif
}

/* Suspends `from`, which runs, and goes on in `to`. Returns when someone switches back. */
static inline void context_switch(struct context *from, struct context *to)
{
#ifdef CONTEXT_ADDRESS_SANITIZER
    to->came_from = from;
    __sanitizer_start_switch_fiber(&from->fake_stack, to->low, to->bytes);
#endif
#ifdef CONTEXT_THREAD_SANITIZER
    __tsan_switch_to_fiber(to->thread, 0);
#endif
    context_swap(&from->stack_pointer, to->stack_pointer);
    context_arrived(from);
}

/* Goes on in `to` for good: `from` ends. */
static inline _Noreturn void context_leave(struct context *from, struct context *to)
{
#ifdef CONTEXT_ADDRESS_SANITIZER
    to->came_from = from;
    __sanitizer_start_switch_fiber(NULL, to->low, to->bytes);
#endif
#ifdef CONTEXT_THREAD_SANITIZER
    __tsan_switch_to_fiber(to->thread, 0);
#endif
    context_swap(&from->stack_pointer, to->stack_pointer);
    __builtin_unreachable();
}

#endif
