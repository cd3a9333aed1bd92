/*
 * report - print results (see results.h) for whom they are made for.
 *
 * Interface:
 *   report_text        for a terminal: a table; or one exercise's checks and how they failed
 *   report_gradescope  its results.json
 *   report_autolab     the text, and last a line of JSON with the points of each exercise
 *   report_junit       XML as test runners of many systems read it
 *   report_class       students by exercises, as a table or as CSV
 */
#ifndef GRADER_REPORT_H
#define GRADER_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct report_style {
    bool colour;
    bool bars;    /* progress bars of blocks; else of number signs */
    bool student; /* say what to do next */
    bool detail;  /* of the one exercise that there is: its checks, and how they failed */
};

void report_text(FILE *out, const json_t *all, struct report_style style);
void report_gradescope(FILE *out, const json_t *all);
void report_autolab(FILE *out, const json_t *all, struct report_style style);
void report_junit(FILE *out, const json_t *all);

/*
 * report_class - the points of a class.
 *
 * results    each student's results, which have a member "student", too
 * exercises  the names of the columns
 *
 * A student without an exercise has "-" there; points that lack some which could not be judged, for no
 * fault of the student's, are followed by a question mark in the table.
 */
void report_class(FILE *out, const json_t *results, char *const exercises[], bool csv);

/* report_story - how a check went that did not pass, and why. */
void report_story(FILE *out, const json_t *exercise, const json_t *check, bool colour);

#endif
