/* Tests of die: one line with the reason, and exit status 1. */

#include "die.h"

#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static void die_with(void *error)
{
    errno = *(int *)error;
    die("cannot open %s", "the door");
}

START_TEST(says_why)
{
    int error = EACCES;
    struct subject_outcome o;
    if (!subject_call(&o, die_with, &error))
        ck_abort_msg("%s", fault_text());
    ck_assert_int_eq(o.status, 1);
    ck_assert_str_eq(o.out, "");
    ck_assert_str_eq(o.err, "die_test: cannot open the door: Permission denied\n");
}
END_TEST

START_TEST(leaves_out_no_error)
{
    int error = 0;
    struct subject_outcome o;
    if (!subject_call(&o, die_with, &error))
        ck_abort_msg("%s", fault_text());
    ck_assert_int_eq(o.status, 1);
    ck_assert_str_eq(o.err, "die_test: cannot open the door\n");
}
END_TEST

static void ask_for_too_much(void *unused)
{
    (void)unused;
    free(calloc_or_die(SIZE_MAX / 2, 16));
}

START_TEST(calloc_dies)
{
    struct subject_outcome o;
    if (!subject_call(&o, ask_for_too_much, NULL))
        ck_abort_msg("%s", fault_text());
    ck_assert_int_eq(o.status, 1);
    ck_assert_ptr_nonnull(strstr(o.err, "die_test: cannot allocate "));
}
END_TEST

START_TEST(calloc_gives_zeroes)
{
    char *memory = calloc_or_die(1000, 3);
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(memory[i], 0);
    free(memory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("die");
    TCase *all = tcase_create("die");
    tcase_set_timeout(all, SUITE_TIMEOUT);
    tcase_add_test(all, says_why);
    tcase_add_test(all, leaves_out_no_error);
    if (!SANITIZER_ADDRESS && !SANITIZER_THREAD) /* they end the program by themselves */
        tcase_add_test(all, calloc_dies);
    tcase_add_test(all, calloc_gives_zeroes);
    suite_add_tcase(suite, all);
    return suite_run("die", suite, NULL);
}
