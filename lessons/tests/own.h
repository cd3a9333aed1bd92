/* own - what only one model promises: the tests of its own options. */
#ifndef TESTS_OWN_H
#define TESTS_OWN_H

#include "models.h"

#include <stdbool.h>
#include <stddef.h>

struct own_promise {
    const char *model; /* whose it is: "prefork" */
    const char *name;
    bool (*kept)(const struct model *m); /* false with a fault */
};

extern const struct own_promise own_promises[];
extern const size_t own_promise_count;

#endif
