/*
 * suite - run a libcheck suite and say how it went, as every suite of the kit does.
 *
 * Each test runs in a process of its own: one that crashes or hangs fails alone.
 */
#ifndef TESTKIT_SUITE_H
#define TESTKIT_SUITE_H

#include <check.h>

/* The seconds after which a test is killed: more than any of its waits takes. */
#define SUITE_TIMEOUT (120.0 * WAIT_SCALE)

/*
 * suite_run - run every test, print what failed and why, and last
 * "NAME: N passed, N failed, N skipped".
 *
 * report  called after the last test, for what else there is to print; or NULL
 *
 * Takes the suite over.  Returns the exit status for main: 0 only if none failed and at least one
 * passed.
 */
int suite_run(const char *name, Suite *suite, void (*report)(void));

/* suite_count_skip - count the running test as skipped, and print why. */
void suite_count_skip(const char *test, const char *why);

/* suite_skip - end a test that cannot run here, with the reason. */
#define suite_skip(why)                    \
    do {                                   \
        suite_count_skip(__func__, (why)); \
        return;                            \
    } while (0)

#endif
