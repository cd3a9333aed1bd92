/* fuzz_dispatch - the chat room, fed with a script of what its clients do.  See fuzz_dispatch.c. */
#ifndef FUZZ_DISPATCH_H
#define FUZZ_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

/* LLVMFuzzerTestOneInput - run one script against a room of its own; abort with a line on standard
 * error that says what is wrong, if anything is.  Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
