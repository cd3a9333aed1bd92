/*
 * samples - every latency of a run, kept, and exact percentiles of them.
 *
 * No histogram and no estimate: a percentile is one of the values that were measured.
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* All zero bytes: no samples yet. */
struct samples {
    int64_t *values; /* nanoseconds, in the order of arrival until samples_sort */
    size_t count, capacity;
};

/* samples_add - keep one value of at least 0.  Ends the program if memory is short: a result from
 * some of the samples would not be the result. */
void samples_add(struct samples *s, int64_t value);

/* samples_sort - put the values in ascending order, for samples_percentile. */
void samples_sort(struct samples *s);

/* samples_percentile - the smallest value that is not below per_mille / 1000 of all (nearest rank:
 * 999 is p99.9, 1000 the maximum); the samples are sorted.  0 if there are none. */
int64_t samples_percentile(const struct samples *s, unsigned per_mille);

/* samples_mean - the arithmetic mean, 0 if there are none. */
double samples_mean(const struct samples *s);

void samples_free(struct samples *s);

#endif
