/* What a fuzz target gives: the name and shape libFuzzer asks for. */
#ifndef SYNOD_TEST_FUZZ_FUZZ_H
#define SYNOD_TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Tries one input; a failed check() or a sanitizer's report is a find. Gives 0. Must do the same for the same
 * input, whatever ran before. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
