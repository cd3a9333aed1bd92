/*
 * words - a sorted set of words, such as nicknames; rooms and files, where case counts.
 *
 * A set of all zero bytes is empty, and case does not count there.  At most WORDS_MAX are kept, for
 * they come from strangers; what is more is not.
 */
#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { WORDS_MAX = 20000 };

struct words {
    char **word;
    size_t count, capacity;
    bool exact; /* words that differ in case alone are two */
};

/* words_add - add a copy of word.  Returns false if it is there already, or there is no room. */
bool words_add(struct words *set, const char *word);

/* words_remove - remove word.  Returns false if it was not there. */
bool words_remove(struct words *set, const char *word);

bool words_has(const struct words *set, const char *word);

/* words_free - remove all. */
void words_free(struct words *set);

#endif
