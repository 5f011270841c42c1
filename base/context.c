/* Making contexts, and calls on another stack. The frame a new context starts from must be what
 * context_swap() restores; each layout is drawn at the head of its assembler file. */
#include "base/context.h"
#include "base/check.h"

#include <stdint.h>
#include <string.h>

/* Valgrind guesses stack switches from jumps of the stack pointer and must be told where stacks are. The
 * requests are a few instructions without effect when it does not watch. */
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, top) 0U
#define VALGRIND_STACK_DEREGISTER(name)   (void)(name)
#endif

unsigned int context_stack_known(void *low, void *top)
{
    return VALGRIND_STACK_REGISTER(low, top);
}

void context_stack_gone(unsigned int name)
{
    VALGRIND_STACK_DEREGISTER(name);
}

/* Words context_swap() takes off the stack, and where among them lie the function, the argument and the
 * address to go on at. */
#if defined(__x86_64__)
enum { FRAME_WORDS = 7, FRAME_RUN = 3, FRAME_ARGUMENT = 2, FRAME_RETURN = 6 };
#elif defined(__aarch64__)
enum { FRAME_WORDS = 20, FRAME_RUN = 2, FRAME_ARGUMENT = 3, FRAME_RETURN = 1 };
#else
#error "fibers need a context switch for this processor: x86-64 and aarch64 have one"
#endif

void context_make(struct context *context, void *low, void *top, void (*run)(void *argument), void *argument)
{
    check((uintptr_t)top % 16 == 0, "a stack must end at a multiple of 16, not at %p", top);
    /* Zero in the frame pointer's place ends the chain of frames. */
    uintptr_t *frame = (uintptr_t *)top - FRAME_WORDS;
    memset(frame, 0, FRAME_WORDS * sizeof *frame);
    frame[FRAME_RUN] = (uintptr_t)run;
    frame[FRAME_ARGUMENT] = (uintptr_t)argument;
    frame[FRAME_RETURN] = (uintptr_t)context_entry;
    *context = (struct context){.stack_pointer = frame};
#ifdef CONTEXT_ADDRESS_SANITIZER
    context->low = low;
    context->bytes = (size_t)((char *)top - (char *)low);
#endif
#ifdef CONTEXT_THREAD_SANITIZER
    context->thread = __tsan_create_fiber(0);
#endif
}

#ifdef CONTEXT_ADDRESS_SANITIZER

/* A call on another stack that tells the sanitizer there and back. */
struct watched_call {
    void (*run)(void *argument);
    void *argument;
    const void *caller_low;
    size_t caller_bytes;
};

static void run_watched(void *argument)
{
    struct watched_call *call = argument;
    __sanitizer_finish_switch_fiber(NULL, &call->caller_low, &call->caller_bytes);
    call->run(call->argument);
    __sanitizer_start_switch_fiber(NULL, call->caller_low, call->caller_bytes);
}

void context_call(void *low, void *top, void (*run)(void *argument), void *argument)
{
    struct watched_call call = {.run = run, .argument = argument};
    void *fake_stack;
    __sanitizer_start_switch_fiber(&fake_stack, low, (size_t)((char *)top - (char *)low));
    context_call_at(top, run_watched, &call);
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
}

#else

void context_call(void *low, void *top, void (*run)(void *argument), void *argument)
{
    (void)low;
    context_call_at(top, run, argument);
}

#endif
