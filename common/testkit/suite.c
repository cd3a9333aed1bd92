/* suite - run a libcheck suite and say how it went.  See suite.h. */

#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Shared with the tests, which run in processes of their own. */
static int *skipped = NULL;

void suite_count_skip(const char *test, const char *why)
{
    /* libcheck's START_TEST(name) makes a function name_fn. */
    size_t length = strlen(test);
    if (length > 3 && strcmp(test + length - 3, "_fn") == 0)
        length -= 3;
    printf("skipped %.*s: %s\n", (int)length, test, why);
    fflush(stdout);
    if (skipped != NULL)
        ++*skipped;
}

static void print_failures(SRunner *runner)
{
    int count = srunner_ntests_failed(runner);
    TestResult **failures = srunner_failures(runner);
    for (int i = 0; i < count; i++) {
        const char *file = strrchr(tr_lfile(failures[i]), '/');
        printf("FAILED %s (%s:%d): %s\n", tr_tcname(failures[i]),
               file != NULL ? file + 1 : tr_lfile(failures[i]), tr_lno(failures[i]),
               tr_msg(failures[i]));
    }
    free(failures);
}

int suite_run(const char *name, Suite *suite, void (*report)(void))
{
    void *memory = mmap(NULL, sizeof *skipped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        return EXIT_FAILURE;
    }
    skipped = memory;
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_SILENT);
    print_failures(runner);
    if (report != NULL)
        report();
    int failed = srunner_ntests_failed(runner);
    int passed = srunner_ntests_run(runner) - failed - *skipped;
    printf("%s: %d passed, %d failed, %d skipped\n", name, passed, failed, *skipped);
    srunner_free(runner);
    munmap(memory, sizeof *skipped);
    skipped = NULL;
    return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
