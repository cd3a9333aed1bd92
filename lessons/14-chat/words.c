/* words - a sorted set of words.  See words.h. */

#include "words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int compare(const struct words *set, const char *a, const char *b)
{
    int order = strcasecmp(a, b);
    return order == 0 && set->exact ? strcmp(a, b) : order;
}

/* The place of the first word that is not before this one. */
static size_t place_of(const struct words *set, const char *word)
{
    size_t low = 0;
    for (size_t high = set->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (compare(set, set->word[middle], word) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct words *set, size_t place, const char *word)
{
    return place < set->count && compare(set, set->word[place], word) == 0;
}

static bool grow(struct words *set)
{
    if (set->count < set->capacity)
        return true;
    size_t capacity = set->capacity > 0 ? 2 * set->capacity : 16;
    char **word = realloc(set->word, capacity * sizeof *word);
    if (word == NULL)
        return false;
    set->word = word;
    set->capacity = capacity;
    return true;
}

bool words_add(struct words *set, const char *word)
{
    size_t place = place_of(set, word);
    if (is_at(set, place, word) || set->count == WORDS_MAX || !grow(set))
        return false;
    char *copy = strdup(word);
    if (copy == NULL)
        return false;
    memmove(set->word + place + 1, set->word + place, (set->count - place) * sizeof *set->word);
    set->word[place] = copy;
    set->count++;
    return true;
}

bool words_remove(struct words *set, const char *word)
{
    size_t place = place_of(set, word);
    if (!is_at(set, place, word))
        return false;
    free(set->word[place]);
    set->count--;
    memmove(set->word + place, set->word + place + 1, (set->count - place) * sizeof *set->word);
    return true;
}

bool words_has(const struct words *set, const char *word)
{
    return is_at(set, place_of(set, word), word);
}

void words_free(struct words *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->word[i]);
    free(set->word);
    *set = (struct words){.exact = set->exact};
}
