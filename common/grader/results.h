/*
 * results - what the graders said, as one JSON object: the schema that every format is made from.
 *
 *   { "schema": 1, "kit": "5628e60", "sandbox": "...", "seed": 7, "points": 8, "max": 10, "excused": 0,
 *     "exercises": [ { "name": "06-epoll-drain", "title": "...", "seed": 7, "sandbox": "...",
 *                      "points": 8, "max": 10, "excused": 0,
 *                      "passed": 4, "failed": 1, "not_judged": 0, "faults": 0,
 *                      "untouched": false, "compiles": true, "compiler": null, "fault": null,
 *                      "checks": [ { "name": "every-byte", "title": "...", "needs": ["model"],
 *                                    "max": 2, "points": 2, "excused": false, "outcome": "passed",
 *                                    "message": "...", "story": [], "did": [], "expected": "...",
 *                                    "seconds": 0.41 } ] } ] }
 *
 * outcome is passed, failed, not judged, inconclusive or grader fault.  excused: for reasons that are
 * not the student's; the points of these checks are neither earned nor lost.
 */
#ifndef GRADER_RESULTS_H
#define GRADER_RESULTS_H

#include <jansson.h>
#include <stdbool.h>

/* What is known of an exercise before its grader's words are believed. */
struct results_input {
    const char *name, *title;
    const char *list;     /* the file with the lines of `grader --list` */
    const char *output;   /* the file with the grader's JSON; or NULL, and one of the next two */
    const char *compiler; /* the file with what the compiler said of the student's files */
    const char *fault;    /* why nothing could be judged, if it was not the student */
    bool untouched;       /* the student's files are the stubs */
};

/*
 * results_exercise - an exercise as the schema has it.
 *
 * Its checks are those of the list, in that order, whatever the grader's JSON holds: one that is
 * missing there, is worth something else, or has passed without a proof, is the grader's fault.
 * Returns NULL with a line on standard error if the list cannot be read.
 */
json_t *results_exercise(const struct results_input *in);

/* results_all - take exercises over, and add them up.  kit and sandbox may be NULL. */
json_t *results_all(json_t *exercises, const char *kit, const char *sandbox, const char *seed);

/* results_first - the first check of an exercise that has failed, or NULL. */
const json_t *results_first(const json_t *exercise);

/* results_complete - nothing is left for the student to do. */
bool results_complete(const json_t *exercise);

/* A member of an object: its text, "" if it has none; its number, 0; and whether it is true. */
const char *results_text(const json_t *object, const char *key);
long results_number(const json_t *object, const char *key);
bool results_true(const json_t *object, const char *key);

/* results_is - the outcome of a check. */
bool results_is(const json_t *check, const char *outcome);

/* results_waits_for - the check that kept this one from being judged, or NULL. */
const char *results_waits_for(const json_t *exercise, const json_t *check);

#endif
