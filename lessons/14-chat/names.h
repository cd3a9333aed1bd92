/*
 * names - find what has a name: users and rooms.
 *
 * Interface:
 *   names_init, names_free         a table
 *   names_find                     who has this name
 *   names_add, names_remove        O(1), whatever the number of names
 *
 * An entry stands inside what it names, as its first member, so that a name costs no allocation of
 * its own.  The hash is keyed with random bits; whoever finds collisions all the same makes one
 * chain as long as there are clients, no longer.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_SIZE = 33 }; /* the longest name and its final 0 */

struct name {
    struct name *next; /* in its chain */
    uint64_t hash;
    char text[NAME_SIZE]; /* as its owner wrote it */
};

struct names {
    struct name **chains;
    size_t chain_count; /* a power of two */
    size_t count;
    uint64_t key;
    bool fold; /* without regard to case, in ASCII */
};

/* names_init - make an empty table; fold: Bob is bob.  Returns 0, or -1 with errno. */
int names_init(struct names *t, bool fold);

/* names_free - release the table; what is named in it stays. */
void names_free(struct names *t);

/* names_find - the entry with this name, or NULL. */
struct name *names_find(const struct names *t, const char *text);

/* names_add - enter a name that is not there yet; n->text holds it.  Never fails: short of memory,
 * the chains only get longer. */
void names_add(struct names *t, struct name *n);

/* names_remove - take out an entry that is there. */
void names_remove(struct names *t, struct name *n);

#endif
