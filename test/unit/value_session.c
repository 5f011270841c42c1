/* The settings of a session, as far as values ask for them. */
#include "test/unit/value_session.h"

#include "sqlfront/library/library.h"
#include "test/unit/unit.h"

#include <stdlib.h>

static struct environment session;

static const struct type *find_type(struct environment *environment, uint32_t oid)
{
    return type_builtin(oid);
}

struct environment *value_session_open(struct scope *root)
{
    session = (struct environment){
        .type_find = find_type, .extra_float_digits = 1, .standard_conforming_strings = true};
    return &session;
}

void value_session_set(const char *setting)
{
    const char *value = strchr(setting, ' ');
    ck_assert_ptr_nonnull(value);
    size_t size = (size_t)(value - setting);
    value++;
    if (strncmp(setting, "extra_float_digits", size) == 0)
        session.extra_float_digits = atoi(value);
    else
        ck_abort_msg("no setting %s", setting);
}
