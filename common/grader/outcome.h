/* outcome - what became of a check: written by the process that judges it, read by the one that
 * reports.  It stands in memory that the student's program never has. */
#ifndef GRADER_OUTCOME_H
#define GRADER_OUTCOME_H

#include "grade.h"

enum {
    OUTCOME_STEPS = 8,
    OUTCOME_LINES = 24, /* of the story */
    OUTCOME_WIDTH = 400
};

enum outcome_kind {
    OUTCOME_NONE, /* no verdict: the judge's fault */
    OUTCOME_PASSED,
    OUTCOME_FAILED,
    OUTCOME_NOT_JUDGED,   /* a check that it needs has not passed */
    OUTCOME_INCONCLUSIVE, /* measured, and the measurement does not tell */
    OUTCOME_FAULT         /* of the grader or the machine */
};

struct outcome {
    enum outcome_kind kind;
    char message[4096]; /* the proof, or what came */
    char did[OUTCOME_STEPS][OUTCOME_WIDTH];
    int did_count; /* ever; the last OUTCOME_STEPS are kept, step n at n % OUTCOME_STEPS */
    char expected[OUTCOME_WIDTH];
    char story[OUTCOME_LINES][OUTCOME_WIDTH];
    int story_count;
    uint64_t seed; /* of the faults, if there were any; else 0 */
    double seconds;
};

/* outcome_of_trial - make the trial of a check.  programs is the folder of the builds; seed 0 is none. */
struct trial *trial_new(const struct check *check, struct outcome *outcome, const char *programs,
                        uint64_t seed);

/* trial_free - end what still runs. */
void trial_free(struct trial *t);

/* story_tell - find the calls around a failure and the one that is wrong; to be called when the program
 * does nothing any more.  accepted is the accept that gave it the client concerned, or NULL. */
void story_tell(struct trial *t, const struct call *accepted, struct outcome *outcome,
                uint64_t marked, const char *mark);

#endif
