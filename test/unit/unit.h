/* What unit tests share beside Check: running one suite, watching a process die, pseudo-random numbers. */
#ifndef SYNOD_TEST_UNIT_UNIT_H
#define SYNOD_TEST_UNIT_UNIT_H

#include "base/bytes.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs the tests of one case and gives main()'s answer. CK_FORK=no runs them in this process, for a debugger.
 */
int unit_run(TCase *tests);

/* Runs `run(argument)` in a process of its own and gives its wait status (see wait(2)); what it wrote to
 * standard error goes into `said`, zero-terminated and cut to `room`. The process ends with status 0 when
 * `run` returns.
 */
int unit_run_apart(void (*run)(void *argument), void *argument, char *said, size_t room);

/* Whether `run(argument)` is stopped by a failed check whose words contain `words`. */
bool unit_check_fails(void (*run)(void *argument), void *argument, const char *words);

/* A seed that differs from run to run (or the environment's SEED, to repeat one); prints it. */
uint64_t unit_seed(void);

/* The next of a sequence of well-mixed numbers; `state` starts as a seed. (splitmix64, Steele et al. 2014) */
uint64_t unit_random(uint64_t *state);

/* Below `bound`, which is not 0. */
uint64_t unit_random_below(uint64_t *state, uint64_t bound);

/* Sanitizers make everything larger and slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNIT_SANITIZED 1
#endif
#endif

#endif
