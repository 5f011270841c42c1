/* What h2o/http2_internal.h needs of klib's khash.h, which Debian's h2o was built with and does not bring: the layout of its hash
 * maps (n_buckets, size, n_occupied, upper_bound, two flag bits for each bucket, keys, values), to walk over an existing one. Nothing is
 * looked up or changed. */
#ifndef SYNOD_RESTGW_HTTP_KLIB_KHASH_H
#define SYNOD_RESTGW_HTTP_KLIB_KHASH_H

#include <stdint.h>

#define khiter_t uint32_t

#define KHASH_MAP_INIT_INT64(name, value)            \
    struct kh_##name {                               \
        uint32_t n_buckets, size, n_occupied, bound; \
        uint32_t *flags;                             \
        uint64_t *keys;                              \
        value *vals;                                 \
    };

#define khash_t(name) struct kh_##name

/* Either flag set: the bucket is empty or its entry was deleted. */
#define kh_has(map, at) (!((map)->flags[(at) >> 4] >> (((at)&15U) << 1) & 3))

#define kh_foreach_value(map, variable, code)                     \
    for (khiter_t kh_at = 0; kh_at < (map)->n_buckets; kh_at++) { \
        if (!kh_has(map, kh_at))                                  \
            continue;                                             \
        (variable) = (map)->vals[kh_at];                          \
        code;                                                     \
    }

/* For an inline function of h2o's header that we do not call: nothing is found. */
#define kh_get(name, map, key) ((void)(key), (map)->n_buckets)
#define kh_end(map)            ((map)->n_buckets)
#define kh_val(map, at)        ((map)->vals[at])

#endif
