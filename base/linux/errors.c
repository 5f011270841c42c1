/* What the system's error numbers mean to whoever asked: the one place where errno becomes a SQLSTATE. */
#include "base/linux/loop.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum sqlstate state_of_file(enum linux_deed deed, int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SQLSTATE_DISK_FULL;
    case EIO:
        return SQLSTATE_IO_ERROR;
    case ENOENT:
    case ENOTDIR:
        return SQLSTATE_UNDEFINED_FILE;
    case EEXIST:
    case ENOTEMPTY:
        return SQLSTATE_DUPLICATE_FILE;
    case EMFILE:
    case ENFILE:
        return deed == DEED_OPEN ? SQLSTATE_INSUFFICIENT_RESOURCES : SQLSTATE_SYSTEM_ERROR;
    case ENOMEM:
        return SQLSTATE_OUT_OF_MEMORY;
    default:
        return SQLSTATE_SYSTEM_ERROR;
    }
}

static enum sqlstate state_of_socket(int number)
{
    switch (number) {
    case EMFILE:
    case ENFILE:
        return SQLSTATE_TOO_MANY_CONNECTIONS;
    case EADDRINUSE:
        return SQLSTATE_OBJECT_IN_USE;
    case ENOMEM:
    case ENOBUFS:
        return SQLSTATE_OUT_OF_MEMORY;
    case EADDRNOTAVAIL:
    case EACCES:
    case EPERM:
    case EAFNOSUPPORT:
        return SQLSTATE_SYSTEM_ERROR;
    default: /* refused, reset, unreachable, timed out: the connection is not there */
        return SQLSTATE_CONNECTION_FAILURE;
    }
}

enum sqlstate linux_error(struct error *error, enum linux_deed deed, int number, const char *format, ...)
{
    char what[ERROR_ROOM_BYTES / 2], words[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    /* The GNU strerror_r() gives the text, which is in `words` only for numbers nobody knows. */
    const char *text = strerror_r(number, words, sizeof words);
    enum sqlstate state = deed == DEED_SOCKET ? state_of_socket(number) : state_of_file(deed, number);
    state = error_set(error, state, "%s: %s", what, text);
    if (number == EMFILE || number == ENFILE)
        error_add(error, ERROR_HINT,
                  number == EMFILE ? "Raise the limit of open files of the server (ulimit -n, LimitNOFILE)."
                                   : "Raise the system's limit of open files (sysctl fs.file-max).");
    return state;
}
