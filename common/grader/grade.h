/*
 * grade - an exercise: its checks, what each is worth, and the program that judges them.
 *
 * A grader is a list of checks and a main that calls grade_main.  Each check is judged in a process of
 * its own (by libcheck), one after the other; the student's program is started anew for each, and is
 * never linked in.  A check passes only if its judge says so, with the proof: one that returns
 * without a verdict, exits or crashes is the grader's own fault, and is reported as such.
 */
#ifndef GRADER_GRADE_H
#define GRADER_GRADE_H

#include "trial.h"

struct check {
    const char *name;  /* as hints and mutants name it: "every-byte" */
    const char *title; /* what is right if it passes: "every byte comes back, in order" */
    int points;
    const char *needs;      /* checks that must have passed, separated by spaces; or NULL */
    enum trial_build build; /* the build of the student's program that it runs */
    void (*judge)(struct trial *t);
    double seconds; /* its deadline; 0: 30 */
};

struct exercise {
    const char *name;           /* "06-epoll-drain" */
    const char *title;          /* one line */
    const struct check *checks; /* in the order judged; the last one's name is NULL */
};

/*
 * grade_main - judge an exercise, and print one JSON object on standard output.
 *
 *   grader --programs DIR [--seed N] [--check NAME] [--sandbox TEXT]
 *   grader --list      the checks: name, points, needs, title, with tabs between them
 *
 * DIR holds plain/, address/ and thread/ with the student's programs.  Returns the status for main:
 * 0 if all was judged, 3 if the grader or the machine was at fault, 2 for bad usage.
 */
int grade_main(int argc, char **argv, const struct exercise *exercise);

#endif
