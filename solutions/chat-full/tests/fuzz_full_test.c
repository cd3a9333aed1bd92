/* fuzz_full_test - lesson 14's fuzz_test, of the room with all extensions, and seeds for them. */

#include "tests/fuzz_dispatch.h"
#include "tests/fuzz_seeds.h"

#include <stdio.h>

int main(void)
{
    if (fuzz_room.extensions[0] ==
        NULL) { /* asked for, so that it is linked: the other one is not */
        fprintf(stderr, "fuzz_full_test: this room has no extensions\n");
        return 1;
    }
    return fuzz_seeds_run("fuzz_full",
                          (const char *const[]){"lessons/14-chat/tests/seeds/*",
                                                "solutions/chat-full/tests/seeds/*", NULL},
                          60);
}
