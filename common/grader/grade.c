/* grade - run the checks of an exercise and print what became of them.  See grade.h. */

#include "grade.h"

#include "clock.h"
#include "options.h"
#include "outcome.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { STATUS_FAULT = 3, GRACE_SECONDS = 30 };

/* What the checks, which run in processes of their own, share with us.  A program that is being judged
 * never has it: all descriptors are closed for it, and its memory is new. */
static const struct exercise *exercise;
static struct outcome *outcomes;
static const char *programs, *only;
static unsigned long seed;

static size_t check_count(void)
{
    size_t count = 0;
    while (exercise->checks[count].name != NULL)
        count++;
    return count;
}

/* ---- judging ------------------------------------------------------------------------------------- */

/* The first of the checks that this one needs and that has not passed, or NULL. */
static const struct check *missing(const struct check *check)
{
    char needs[256];
    char *rest = NULL;
    snprintf(needs, sizeof needs, "%s", check->needs != NULL ? check->needs : "");
    for (const char *name = strtok_r(needs, " ", &rest); name != NULL;
         name = strtok_r(NULL, " ", &rest))
        for (size_t i = 0; i < check_count(); i++)
            if (strcmp(exercise->checks[i].name, name) == 0 && outcomes[i].kind != OUTCOME_PASSED)
                return &exercise->checks[i];
    return NULL;
}

static bool is_wanted(const struct check *check)
{
    return only == NULL || strcmp(only, check->name) == 0;
}

START_TEST(judge)
{
    const struct check *check = &exercise->checks[_i];
    struct outcome *o = &outcomes[_i];
    const struct check *before = only == NULL ? missing(check) : NULL;
    if (!is_wanted(check) || before != NULL) {
        o->kind = OUTCOME_NOT_JUDGED;
        if (before != NULL)
            snprintf(o->message, sizeof o->message, "first, %s must pass", before->name);
        return;
    }
    int64_t start = clock_now();
    struct trial *t = trial_new(check, o, programs, seed);
    if (t == NULL) {
        o->kind = OUTCOME_FAULT;
        snprintf(o->message, sizeof o->message, "out of memory");
        return;
    }
    check->judge(t);
    trial_free(t);
    o->seconds = (double)(clock_now() - start) / 1e9;
}
END_TEST

/* A check that said nothing, or of which libcheck says that it went wrong, is our own fault; and none
 * may be missing from what was run. */
static void settle(SRunner *runner)
{
    size_t count = check_count();
    int ran = srunner_ntests_run(runner);
    TestResult **results = srunner_results(runner);
    for (size_t i = 0; i < count; i++) {
        struct outcome *o = &outcomes[i];
        const char *wrong = NULL;
        if ((size_t)ran != count)
            wrong = "not all checks were run";
        else if (tr_rtype(results[i]) != CK_PASS)
            wrong = tr_msg(results[i]);
        else if (o->kind == OUTCOME_NONE || (o->kind == OUTCOME_PASSED && o->message[0] == '\0'))
            wrong = "the check ended without a verdict";
        if (wrong == NULL)
            continue;
        o->kind = OUTCOME_FAULT;
        snprintf(o->message, sizeof o->message, "the grader failed: %s", wrong);
    }
    free(results);
}

static void run_checks(void)
{
    Suite *suite = suite_create(exercise->name);
    for (size_t i = 0; i < check_count(); i++) {
        const struct check *check = &exercise->checks[i];
        TCase *group = tcase_create(check->name);
        tcase_set_timeout(group, (check->seconds > 0 ? check->seconds : 30) + GRACE_SECONDS);
        tcase_add_loop_test(group, judge, (int)i, (int)i + 1);
        suite_add_tcase(suite, group);
    }
    SRunner *runner = srunner_create(suite);
    /* What the environment says to libcheck (CK_RUN_CASE, CK_FORK...) is not for us. */
    static const char *const settings[] = {
        "CK_RUN_SUITE",     "CK_RUN_CASE",          "CK_INCLUDE_TAGS",     "CK_EXCLUDE_TAGS",
        "CK_FORK",          "CK_VERBOSITY",         "CK_DEFAULT_TIMEOUT",  "CK_TIMEOUT_MULTIPLIER",
        "CK_LOG_FILE_NAME", "CK_XML_LOG_FILE_NAME", "CK_TAP_LOG_FILE_NAME"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        unsetenv(settings[i]);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_SILENT);
    settle(runner);
    srunner_free(runner);
}

/* ---- telling ------------------------------------------------------------------------------------- */

static json_t *strings(const char *text, size_t stride, int first, int count, int ring)
{
    json_t *array = json_array();
    for (int i = first; i < count; i++)
        json_array_append_new(array,
                              json_stringn_nocheck(text + stride * (size_t)(i % ring),
                                                   strlen(text + stride * (size_t)(i % ring))));
    return array;
}

static json_t *words(const char *text)
{
    json_t *array = json_array();
    char copy[256];
    char *rest = NULL;
    snprintf(copy, sizeof copy, "%s", text != NULL ? text : "");
    for (const char *word = strtok_r(copy, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest))
        json_array_append_new(array, json_string(word));
    return array;
}

/* What came from a student's program may be anything: keep what is ASCII, show the rest. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x7f || ((unsigned char)*text < ' ' && *text != '\n'))
            *text = '?';
}

static json_t *check_as_json(const struct check *check, struct outcome *o)
{
    static const char *const kinds[] = {"grader fault", "passed",       "failed",
                                        "not judged",   "inconclusive", "grader fault"};
    int first = o->did_count > OUTCOME_STEPS ? o->did_count - OUTCOME_STEPS : 0;
    make_printable(o->message);
    make_printable(o->expected);
    for (int i = 0; i < OUTCOME_STEPS; i++)
        make_printable(o->did[i]);
    for (int i = 0; i < o->story_count; i++)
        make_printable(o->story[i]);
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:i, s:i, s:s, s:s, s:o, s:s, s:o, s:f}", "name", check->name, "title",
        check->title, "needs", words(check->needs), "max", check->points, "points",
        o->kind == OUTCOME_PASSED ? check->points : 0, "outcome", kinds[o->kind], "message",
        o->message, "did", strings(o->did[0], OUTCOME_WIDTH, first, o->did_count, OUTCOME_STEPS),
        "expected", o->expected, "story",
        strings(o->story[0], OUTCOME_WIDTH, 0, o->story_count, OUTCOME_LINES), "seconds",
        o->seconds);
    if (object != NULL && o->seed != 0)
        json_object_set_new(object, "seed", json_integer((json_int_t)o->seed));
    return object;
}

static bool print(FILE *out, const char *sandbox)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < check_count(); i++)
        if (is_wanted(&exercise->checks[i]))
            json_array_append_new(checks, check_as_json(&exercise->checks[i], &outcomes[i]));
    json_t *all = json_pack("{s:s, s:s, s:I, s:s?, s:o}", "name", exercise->name, "title",
                            exercise->title, "seed", (json_int_t)seed, "sandbox", sandbox, "checks",
                            checks);
    bool good = all != NULL && json_dumpf(all, out, JSON_INDENT(1)) == 0;
    json_decref(all);
    return good && fputc('\n', out) != EOF && fclose(out) == 0;
}

static int list(void)
{
    static const char *const builds[] = {"plain", "address", "thread"};
    for (const struct check *c = exercise->checks; c->name != NULL; c++)
        printf("%s\t%d\t%s\t%s\t%s\n", c->name, c->points, c->needs != NULL ? c->needs : "-",
               builds[c->build], c->title);
    return 0;
}

/* ---- main ---------------------------------------------------------------------------------------- */

/* The results go where nobody else writes: our standard output becomes our standard error. */
static FILE *take_output(void)
{
    int fd = fcntl(1, F_DUPFD_CLOEXEC, 3);
    if (fd == -1 || dup2(2, 1) == -1)
        return NULL;
    return fdopen(fd, "w");
}

int grade_main(int argc, char **argv, const struct exercise *e)
{
    bool only_list = false;
    const char *sandbox = NULL;
    const struct option_spec options[] = {
        {"programs", "DIR", OPTION_TEXT, &programs, 0, 0, "the builds of the student's programs"},
        {"seed", "N", OPTION_NUMBER, &seed, 0, 4294967295, "of the faults; 0: the check's own"},
        {"check", "NAME", OPTION_TEXT, &only, 0, 0, "judge this check alone"},
        {"sandbox", "TEXT", OPTION_TEXT, &sandbox, 0, 0,
         "what protects the machine, for the report"},
        {"list", NULL, OPTION_FLAG, &only_list, 0, 0, "print the checks and judge nothing"},
        {0},
    };
    exercise = e;
    options_parse(argc, argv, exercise->title, options, NULL);
    if (only_list)
        return list();
    if (programs == NULL)
        options_fail("--programs: which?");
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_DUMPABLE, 0); /* a program of our own user cannot look into us */
    FILE *out = take_output();
    void *memory = mmap(NULL, sizeof *outcomes * check_count(), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (out == NULL || memory == MAP_FAILED) {
        perror("grader");
        return STATUS_FAULT;
    }
    outcomes = memory;
    run_checks();
    int status = 0;
    for (size_t i = 0; i < check_count(); i++)
        if (outcomes[i].kind == OUTCOME_FAULT || outcomes[i].kind == OUTCOME_NONE)
            status = STATUS_FAULT;
    return print(out, sandbox) ? status : STATUS_FAULT;
}
