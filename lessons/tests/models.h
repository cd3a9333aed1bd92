/* models - the servers there are, found by listing the lessons, and what each cannot do. */
#ifndef TESTS_MODELS_H
#define TESTS_MODELS_H

#include <limits.h>
#include <stddef.h>

enum { MODELS_MAX = 32, LIMITS_MAX = 32 };

/* One line of a lesson's file `limits`: "promise-name: why". */
struct limit {
    char promise[64];
    char why[256];
};

struct model {
    char folder[64];        /* "03-select" */
    const char *name;       /* "select": the folder without its number */
    char program[PATH_MAX]; /* the server that was built beside this test */
    struct limit limits[LIMITS_MAX];
    size_t limit_count;
};

/*
 * models_find - every lesson that has a server.c, in order.
 *
 * names  the models wanted, NULL at the end; an empty list means all, or with ThreadSanitizer
 *        all that have threads: in others it has nothing to look for, and holds back signals that
 *        arrive during a select(2) which it does not know
 *
 * Where the sources and the programs stand follows from where this program stands:
 * ROOT/build/lessons/tests/servers_test, whatever build is called.  Returns how many were found;
 * exits 1 with one line if a name is unknown or a file limits cannot be read as such.
 */
size_t models_find(struct model models[MODELS_MAX], char *const names[]);

/* model_limit - why the model cannot keep a promise, or NULL if it has to. */
const char *model_limit(const struct model *m, const char *promise);

#endif
