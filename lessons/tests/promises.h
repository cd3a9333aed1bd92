/*
 * promises - what every echo server keeps, each as one function that is true of a server or not.
 *
 * None of them knows the model: one that cannot keep a promise says so in its file `limits`, and
 * is put to the same test.
 */
#ifndef TESTS_PROMISES_H
#define TESTS_PROMISES_H

#include "models.h"

#include "testkit/subject.h"

#include <stdbool.h>
#include <stddef.h>

struct promise {
    const char *name;
    const char *meaning; /* one line, for the grid */

    /* Returns true if the promise is kept, false with a fault if not.  It may stop the server. */
    bool (*kept)(const struct model *m, struct subject *s);

    bool unstarted;               /* it starts what it needs by itself; s is not running */
    const char *const *arguments; /* besides --port 0; or NULL */
    rlim_t descriptors;           /* the server's limit of them; 0: 1024 */
};

extern const struct promise promises[];
extern const size_t promise_count;

/* promise_start - start a model's server with a free port and the promise's arguments, and wait until
 * it and its workers wait. */
bool promise_start(const struct promise *p, const struct model *m, struct subject *s);

/* promise_skipped - why the promise that returned true last could not be tested here; NULL if it
 * was. */
const char *promise_skipped(void);

#endif
