/* What the files of functions that know the catalog share. The catalog's own. */
#ifndef SYNOD_SQLFRONT_CATALOG_FUNCTIONS_H
#define SYNOD_SQLFRONT_CATALOG_FUNCTIONS_H

#include "base/scope.h"
#include "base/text.h"
#include "sqlfront/catalog/names.h"
#include "sqlfront/catalog/privilege.h"
#include "sqlfront/catalog/view.h"

#define ASKS(source, does)                                     \
    {                                                          \
        .name = source, .run = does, .flags = FUNCTION_SESSION \
    }

/* A text as result; NULL gives null. */
static inline enum sqlstate gives_text(struct value *result, const char *text)
{
    *result = text ? value_text(text) : value_null();
    return SQLSTATE_OK;
}

/* The grown text as result. */
enum sqlstate gives_grown(struct text *text, struct value *result, struct error *error);

/* An argument of a text type as a zero-terminated text in the call's scope. */
static inline const char *text_argument(struct call *call, const struct value *argument)
{
    return text_of(call->scope, argument);
}

extern const struct library show_library, visible_library, sequence_library, privilege_library, size_library,
    activity_library;

#endif
