/* The settings of a session, as far as values ask for them. */
#include "test/unit/value_session.h"

#include "sqlfront/library/library.h"
#include "sqlfront/value/time/time.h"
#include "sqlfront/value/time/zone.h"
#include "test/unit/unit.h"

#include <stdlib.h>

static struct environment session;
static struct scope *scope;

static const struct type *find_type(struct environment *environment, uint32_t oid)
{
    return type_builtin(oid);
}

struct environment *value_session_open(struct scope *root)
{
    scope = root;
    session = (struct environment){.type_find = find_type,
                                   .extra_float_digits = 1,
                                   .standard_conforming_strings = true,
                                   .zone = &zone_utc};
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
    else if (strncmp(setting, "timezone", size) == 0)
        ck_assert_ptr_nonnull(session.zone = zone_named(scope, bytes_of_text(value)));
    else if (strncmp(setting, "datestyle", size) == 0)
        ck_assert(date_style_parse(value, &session.date_style, &session.date_order));
    else if (strncmp(setting, "intervalstyle", size) == 0)
        ck_assert(interval_style_parse(value, &session.interval_style));
    else
        ck_abort_msg("no setting %s", setting);
}
