/* Limits the system sets to this process, checked and raised before anything starts. */
#ifndef SYNOD_BASE_LINUX_LIMITS_H
#define SYNOD_BASE_LINUX_LIMITS_H

#include "base/linux/linux.h"

/* Raises the soft limits to what the options need, as far as the hard limits allow. Fails with 53400 and a
 * hint that says which limit must be raised to what. */
enum sqlstate linux_limits_raise(const struct linux_options *options, struct error *error);

#endif
