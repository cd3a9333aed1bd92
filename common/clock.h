/* clock - monotonic time, for intervals and deadlines. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

/* clock_now - nanoseconds of CLOCK_MONOTONIC, which no one can set back.  See
 * clock_gettime(2): through the vDSO it is not a system call. */
static inline int64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
