/* names - find what has a name.  See names.h. */

#include "names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { FIRST_CHAINS = 64 };

static char folded(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* FNV-1a from a random start, with the upper bits mixed down: only the lower ones choose a chain. */
static uint64_t hash_of(const struct names *t, const char *text)
{
    uint64_t hash = t->key;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)(t->fold ? folded(*text) : *text)) * 0x100000001b3;
    return hash ^ hash >> 32;
}

int names_init(struct names *t, bool fold)
{
    *t = (struct names){.chain_count = FIRST_CHAINS, .fold = fold};
    if (getrandom(&t->key, sizeof t->key, 0) != sizeof t->key)
        return -1;
    t->chains = calloc(FIRST_CHAINS, sizeof(struct name *));
    return t->chains != NULL ? 0 : -1;
}

void names_free(struct names *t)
{
    free(t->chains);
    t->chains = NULL;
}

static struct name **chain_of(const struct names *t, uint64_t hash)
{
    return &t->chains[hash & (t->chain_count - 1)];
}

struct name *names_find(const struct names *t, const char *text)
{
    uint64_t hash = hash_of(t, text);
    struct name *n = *chain_of(t, hash);
    while (n != NULL &&
           (n->hash != hash || (t->fold ? strcasecmp(n->text, text) : strcmp(n->text, text)) != 0))
        n = n->next;
    return n;
}

static void link_in(struct names *t, struct name *n)
{
    struct name **chain = chain_of(t, n->hash);
    n->next = *chain;
    *chain = n;
}

static void grow(struct names *t)
{
    struct names larger = *t;
    larger.chain_count *= 2;
    larger.chains = calloc(larger.chain_count, sizeof(struct name *));
    if (larger.chains == NULL)
        return;
    for (size_t i = 0; i < t->chain_count; i++)
        for (struct name *n = t->chains[i], *next; n != NULL; n = next) {
            next = n->next;
            link_in(&larger, n);
        }
    free(t->chains);
    *t = larger;
}

void names_add(struct names *t, struct name *n)
{
    if (t->count >= t->chain_count)
        grow(t);
    n->hash = hash_of(t, n->text);
    link_in(t, n);
    t->count++;
}

void names_remove(struct names *t, struct name *n)
{
    struct name **link = chain_of(t, n->hash);
    while (*link != n)
        link = &(*link)->next;
    *link = n->next;
    t->count--;
}
