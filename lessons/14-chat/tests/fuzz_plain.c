/* fuzz_plain - the room that the fuzzer tries, without extensions.  See fuzz_dispatch.h. */

#include "fuzz_dispatch.h"

static const struct extension *const none[] = {NULL};

const struct fuzz_room fuzz_room = {.extensions = none};
