/* What the `zones` script makes: sorted by name without regard to case. */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_ZONE_TABLES_H
#define SYNOD_SQLFRONT_VALUE_TIME_ZONE_TABLES_H

#include "sqlfront/value/time/zone.h"

extern const struct time_zone zone_table[];
extern const size_t zone_table_count;
extern const struct zone_abbreviation zone_abbreviation_table[];
extern const size_t zone_abbreviation_table_count;

#endif
