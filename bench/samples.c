/* samples - every latency of a run, and exact percentiles of them.  See samples.h. */

#include "samples.h"

#include "die.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST = 1 << 16, DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

void samples_add(struct samples *s, int64_t value)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity > 0 ? s->capacity * 2 : FIRST;
        s->values = realloc(s->values, s->capacity * sizeof *s->values);
        if (s->values == NULL)
            die("no memory for %zu latencies", s->capacity);
    }
    s->values[s->count++] = value;
}

/* Radix sort, lowest digit first.  With qsort(3) the sorting alone would be 3 % of the CPU time
 * that the generator spends on a message. */
void samples_sort(struct samples *s)
{
    int64_t highest = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->values[i] > highest)
            highest = s->values[i];
    int64_t *from = s->values;
    int64_t *to = calloc_or_die(s->capacity + 1, sizeof *to);
    for (int shift = 0; shift < 63 && highest >> shift > 0; shift += DIGIT_BITS) {
        size_t place[DIGITS] = {0};
        for (size_t i = 0; i < s->count; i++)
            place[from[i] >> shift & (DIGITS - 1)]++;
        size_t next = 0;
        for (int digit = 0; digit < DIGITS; digit++) {
            size_t n = place[digit];
            place[digit] = next;
            next += n;
        }
        for (size_t i = 0; i < s->count; i++)
            to[place[from[i] >> shift & (DIGITS - 1)]++] = from[i];
        int64_t *swap = from;
        from = to;
        to = swap;
    }
    s->values = from;
    free(to);
}

int64_t samples_percentile(const struct samples *s, unsigned per_mille)
{
    size_t rank = (s->count * per_mille + 999) / 1000;
    return rank > 0 ? s->values[rank - 1] : 0;
}

double samples_mean(const struct samples *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += (double)s->values[i];
    return s->count > 0 ? sum / (double)s->count : 0;
}

void samples_free(struct samples *s)
{
    free(s->values);
    *s = (struct samples){0};
}
