/* What TPC-C's loader and its terminals share: sizes, names, NURand (specification 5.11, clauses 1.2, 2.1.6, 4.3). */
#ifndef SYNOD_BENCH_CLIENT_TPCC_H
#define SYNOD_BENCH_CLIENT_TPCC_H

#include "bench/client/client.h"

enum { DISTRICTS = 10, LINES_MAX = 15, LAST_NAME_BYTES = 17 };

/* Sizes that --shrink divides, so that a test does not wait for 100,000 rows of stock; a shrunk run is no TPC-C. */
struct tpcc_sizes {
    int64_t warehouses, items, customers, last_names;
};

struct tpcc_sizes tpcc_sizes(const struct options *options);
/* Non-uniform random, clause 2.1.6; `c` is the run's constant. */
int64_t nu_rand(struct dice *dice, int64_t a, int64_t c, int64_t low, int64_t high);
/* Three syllables by the digits of a number from 0 to 999. */
void last_name(int64_t number, char text[LAST_NAME_BYTES]);
/* Letters and digits, between low and high of them, closed by a zero byte. */
void random_letters(struct dice *dice, int low, int high, char *text);
bool tpcc_load(PGconn *connection, const struct options *options);

/* The run's constants of NURand. C_LOAD for last names is used when loading; C_RUN differs from it by 65 to 119, and not by 96
 * or 112 (clause 2.1.6.1). */
enum { C_LOAD = 157, C_RUN = 223, C_CUSTOMER = 259, C_ITEM = 7911 };

#endif
