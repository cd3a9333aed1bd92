/*
 * fuzz_test - the seeds of the fuzzer, and what a few changes make of them, in every build.
 *
 * The fuzzer itself is fuzz_run; this needs nothing but a compiler.
 */

#include "fuzz_seeds.h"

#include <stddef.h>

int main(void)
{
    return fuzz_seeds_run("fuzz", (const char *const[]){"lessons/14-chat/tests/seeds/*", NULL},
                          300);
}
