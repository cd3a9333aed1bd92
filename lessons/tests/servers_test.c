/*
 * The one black-box suite that runs over every server there is: each promise, each model.
 *
 *   servers_test [--grid FILE] [MODEL...]
 *
 * A model's known limits stand in lessons/NN-name/limits.  There a promise is put to the same
 * test and expected to fail; one that is kept after all is an error, so that the list stays true.
 * At the end the grid of promise by model is printed; --grid also writes it into FILE.
 */

#include "models.h"
#include "own.h"
#include "promises.h"

#include "die.h"
#include "testkit/fault.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* Seconds that may pass before an expected failure is believed. */
#define IMPATIENCE 0.8

enum answer { FAILED, YES, NO, SKIPPED }; /* FAILED also if the test crashed or hung */

static struct model models[MODELS_MAX];
static size_t model_count;
static enum answer *answers; /* [model][promise], shared with the tests' processes */
static const char *grid_file = NULL;

static enum answer *answer_of(size_t model, size_t promise)
{
    return &answers[model * promise_count + promise];
}

/* Does the server keep the promise, whatever happens to it afterwards? */
static bool is_kept(const struct promise *p, const struct model *m, const char *limit)
{
    struct subject s = {.out = -1, .err = -1};
    if (!p->unstarted && !promise_start(p, m, &s))
        ck_abort_msg("%s, %s: %s", m->name, p->name, fault_text());
    double patience = wait_patience;
    if (limit != NULL)
        wait_patience = IMPATIENCE;
    bool kept = p->kept(m, &s);
    wait_patience = patience;
    char why[1400], said[256] = "";
    snprintf(why, sizeof why, "%s", fault_text());
    if (!kept && s.pid > 0)
        subject_last_errors(&s, said, sizeof said);
    if (said[0] != '\0')
        snprintf(why, sizeof why, "%.1024s\nThe server's last words:\n%s", fault_text(), said);
    if (s.pid > 0 && !subject_stop(&s))
        ck_abort_msg("%s, %s: %s%s%s", m->name, p->name, kept ? "" : why,
                     kept ? "" : "; and then: ", fault_text());
    subject_kill(&s);
    return kept || fault("%s", why);
}

START_TEST(promise_is_kept)
{
    const struct model *m = &models[(size_t)_i / promise_count];
    const struct promise *p = &promises[(size_t)_i % promise_count];
    enum answer *answer = answer_of((size_t)_i / promise_count, (size_t)_i % promise_count);
    const char *limit = model_limit(m, p->name);
    bool kept = is_kept(p, m, limit);
    if (promise_skipped() != NULL) {
        char test[160];
        snprintf(test, sizeof test, "%s, %s", m->name, p->name);
        suite_count_skip(test, promise_skipped());
        *answer = SKIPPED;
        return;
    }
    if (limit != NULL && kept)
        ck_abort_msg("%s, %s: kept after all; remove it from lessons/%s/limits", m->name, p->name,
                     m->folder);
    if (limit == NULL && !kept)
        ck_abort_msg("%s, %s: %s", m->name, p->name, fault_text());
    *answer = kept ? YES : NO;
}
END_TEST

START_TEST(own_promise_is_kept)
{
    const struct own_promise *p = &own_promises[(size_t)_i % own_promise_count];
    const struct model *m = &models[(size_t)_i / own_promise_count];
    if (strcmp(p->model, m->name) == 0 && !p->kept(m))
        ck_abort_msg("%s, %s: %s", m->name, p->name, fault_text());
}
END_TEST

/* A limit that names no promise would be expected for ever and never be tested. */
START_TEST(limits_name_promises)
{
    const struct model *m = &models[_i];
    for (size_t i = 0; i < m->limit_count; i++) {
        bool known = false;
        for (size_t n = 0; n < promise_count; n++)
            known |= strcmp(promises[n].name, m->limits[i].promise) == 0;
        if (!known)
            ck_abort_msg("lessons/%s/limits: there is no promise '%s'", m->folder,
                         m->limits[i].promise);
    }
}
END_TEST

/* ---- the grid ----------------------------------------------------------------------------- */

static void print_grid(FILE *to)
{
    static const char *const words[] = {"**FAILED**", "yes", "no", "skipped"};
    fprintf(to, "| Promise |");
    for (size_t m = 0; m < model_count; m++)
        fprintf(to, " %s |", models[m].name);
    fprintf(to, " What is promised |\n| --- |");
    for (size_t m = 0; m < model_count; m++)
        fprintf(to, " --- |");
    fprintf(to, " --- |\n");
    for (size_t p = 0; p < promise_count; p++) {
        fprintf(to, "| %s |", promises[p].name);
        for (size_t m = 0; m < model_count; m++) {
            fprintf(to, " %s |", words[*answer_of(m, p)]);
        }
        fprintf(to, " %s |\n", promises[p].meaning);
    }
    fprintf(to, "\n");
    for (size_t m = 0; m < model_count; m++)
        for (size_t i = 0; i < models[m].limit_count; i++)
            fprintf(to, "- %s, %s: %s\n", models[m].name, models[m].limits[i].promise,
                    models[m].limits[i].why);
}

static void report(void)
{
    print_grid(stdout);
    if (grid_file == NULL)
        return;
    FILE *file = fopen(grid_file, "we");
    if (file == NULL)
        die("%s", grid_file);
    print_grid(file);
    if (fclose(file) == EOF)
        die("%s", grid_file);
}

int main(int argc, char **argv)
{
    char **names = argv + 1;
    if (argc > 2 && strcmp(argv[1], "--grid") == 0) {
        grid_file = argv[2];
        names += 2;
    }
    model_count = models_find(models, names);

    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    answers = mmap(NULL, model_count * promise_count * sizeof *answers, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (answers == MAP_FAILED)
        die("mmap");

    Suite *suite = suite_create("servers");
    TCase *all = tcase_create("promises");
    tcase_set_timeout(all, SUITE_TIMEOUT);
    tcase_add_loop_test(all, promise_is_kept, 0, (int)(model_count * promise_count));
    suite_add_tcase(suite, all);
    TCase *own = tcase_create("of one model");
    tcase_set_timeout(own, SUITE_TIMEOUT);
    for (size_t m = 0; m < model_count; m++)
        for (size_t p = 0; p < own_promise_count; p++) {
            int i = (int)(m * own_promise_count + p);
            if (strcmp(own_promises[p].model, models[m].name) == 0)
                tcase_add_loop_test(own, own_promise_is_kept, i, i + 1);
        }
    suite_add_tcase(suite, own);
    TCase *known = tcase_create("limits");
    tcase_set_timeout(known, SUITE_TIMEOUT);
    tcase_add_loop_test(known, limits_name_promises, 0, (int)model_count);
    suite_add_tcase(suite, known);
    return suite_run("servers", suite, report);
}
