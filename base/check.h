/* The third kind of error: we broke our own rule. A failed check prints what it knows (the rule, the place,
 * the caller's sentence, the build id, a backtrace) and stops the process. It is on in production.
 *
 * Never check() what a user, a disk or a network can cause: that is an error to return (error.h). */
#ifndef SYNOD_BASE_CHECK_H
#define SYNOD_BASE_CHECK_H

/* check(rule) or check(rule, "sentence with %d figures", n). */
#define check(rule, ...) \
    (__builtin_expect(!(rule), 0) ? check_failed(__FILE__, __LINE__, #rule, "" __VA_ARGS__) : (void)0)

/* Prints and stops; never returns. `format` may be empty. */
_Noreturn void check_failed(const char *file, int line, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

/* Room for the text of a build id and its zero byte. */
#define CHECK_BUILD_ID_BYTES 41

/* Writes the build id that failed checks, logs and --version print: 40 hex digits, or "unknown". */
void check_build_id(char text[static CHECK_BUILD_ID_BYTES]);

#endif
