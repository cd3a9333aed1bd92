/* Tests of clock: it counts in nanoseconds and never goes back. */

#include "clock.h"

#include "testkit/suite.h"
#include "testkit/wait.h"

#include <time.h>

START_TEST(never_goes_back)
{
    int64_t last = clock_now();
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_now();
        ck_assert_int_ge(now, last);
        last = now;
    }
}
END_TEST

/* Two readings of the same clock enclose ours: same zero, same unit. */
START_TEST(counts_nanoseconds)
{
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    int64_t now = clock_now();
    clock_gettime(CLOCK_MONOTONIC, &after);
    ck_assert_int_le((int64_t)before.tv_sec * 1000000000 + before.tv_nsec, now);
    ck_assert_int_ge((int64_t)after.tv_sec * 1000000000 + after.tv_nsec, now);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *all = tcase_create("clock");
    tcase_set_timeout(all, SUITE_TIMEOUT);
    tcase_add_test(all, never_goes_back);
    tcase_add_test(all, counts_nanoseconds);
    suite_add_tcase(suite, all);
    return suite_run("clock", suite, NULL);
}
