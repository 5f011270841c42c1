/* How a failed check ends the process: everything is written with what the stack holds, because memory,
 * scopes and the log may be what is broken. */
#include "base/check.h"
#include "base/system.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void check_build_id(char text[static CHECK_BUILD_ID_BYTES])
{
    unsigned char id[(CHECK_BUILD_ID_BYTES - 1) / 2];
    size_t bytes = system_build_id(id, sizeof id);
    strcpy(text, "unknown");
    for (size_t i = 0; i < bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", id[i]);
}

void check_failed(const char *file, int line, const char *rule, const char *format, ...)
{
    char sentence[512], text[1024], build[CHECK_BUILD_ID_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    check_build_id(build);
    int bytes = snprintf(text, sizeof text, "check failed: %s\n  %s%sat %s:%d, build %s\n", rule, sentence,
                         sentence[0] ? "\n  " : "", file, line, build);
    if (bytes >= (int)sizeof text) {
        bytes = (int)sizeof text - 1;
        text[bytes - 1] = '\n';
    }
    system_write_error(text, (size_t)bytes);
    system_write_backtrace();
    system_stop();
}
