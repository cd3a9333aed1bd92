/* fuzz_seeds - the seeds of the fuzzer, and what a few changes make of them.  See fuzz_seeds.h. */

#include "fuzz_seeds.h"

#include "fuzz_dispatch.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1 << 16 };

static glob_t seeds;
static unsigned changes;

/* A seed's bytes; returns how many. */
static size_t read_seed(const char *path, uint8_t *bytes)
{
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "cannot open %s", path);
    size_t size = fread(bytes, 1, SIZE, f);
    fclose(f);
    ck_assert(size > 0 && size < SIZE);
    return size;
}

/* No more random than a test may be: the same every time. */
static size_t below(uint64_t *state, size_t most)
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return (size_t)(*state >> 33) % most;
}

/* Change a few bytes; cut out, or double, a part. */
static size_t change(uint8_t *bytes, size_t size, uint64_t *state)
{
    for (size_t n = 1 + below(state, 4); n > 0; n--) {
        size_t at = below(state, size);
        size_t part = 1 + below(state, size - at < 200 ? size - at : 200);
        size_t kind = below(state, 3);
        if (kind == 0) {
            bytes[at] = (uint8_t)below(state, 256);
        } else if (kind == 1 && part < size) {
            memmove(bytes + at, bytes + at + part, size - at - part);
            size -= part;
        } else if (kind == 2 && size + part < SIZE) {
            memmove(bytes + at + part, bytes + at, size - at);
            size += part;
        }
    }
    return size;
}

START_TEST(a_seed_is_served)
{
    static uint8_t bytes[SIZE];
    size_t size = read_seed(seeds.gl_pathv[_i], bytes);
    LLVMFuzzerTestOneInput(bytes, size);
}
END_TEST

START_TEST(a_changed_seed_is_served)
{
    static uint8_t seed[SIZE], bytes[SIZE];
    size_t size = read_seed(seeds.gl_pathv[_i], seed);
    for (uint64_t n = 0; n < changes; n++) {
        uint64_t state = n;
        memcpy(bytes, seed, size);
        LLVMFuzzerTestOneInput(bytes, change(bytes, size, &state));
    }
}
END_TEST

int fuzz_seeds_run(const char *name, const char *const patterns[], unsigned changed)
{
    changes = changed;
    for (size_t i = 0; patterns[i] != NULL; i++)
        if (glob(patterns[i], i > 0 ? GLOB_APPEND : 0, NULL, &seeds) != 0) {
            fprintf(stderr, "%s: there is no %s here\n", name, patterns[i]);
            return 1;
        }
    Suite *suite = suite_create(name);
    TCase *all = tcase_create("seeds");
    tcase_add_loop_test(all, a_seed_is_served, 0, (int)seeds.gl_pathc);
    tcase_add_loop_test(all, a_changed_seed_is_served, 0, (int)seeds.gl_pathc);
    tcase_set_timeout(all, SUITE_TIMEOUT);
    suite_add_tcase(suite, all);
    return suite_run(name, suite, NULL);
}
