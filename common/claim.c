/* claim - a sentence about the kernel, and the measurement that tests it.  See claim.h. */

#include "claim.h"
#include "clock.h"
#include "die.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

void claim_end(const struct claim *claim, bool shown, const char *measured, ...)
{
    va_list arguments;
    printf("%s\t", claim->says);
    va_start(arguments, measured);
    vprintf(measured, arguments);
    va_end(arguments);
    printf("\t%s%s\n", shown ? "" : "NOT SHOWN: ", claim->truth);
    exit(shown ? EXIT_SUCCESS : EXIT_FAILURE);
}

void claim_cannot(const struct claim *claim, const char *why, ...)
{
    va_list arguments;
    printf("%s\t", claim->says);
    va_start(arguments, why);
    vprintf(why, arguments);
    va_end(arguments);
    puts("\tnot measured");
    exit(CLAIM_CANNOT);
}

double claim_ns_a_call(void (*call)(void *), void *context)
{
    enum { ROUNDS = 10, ROUND_NS = 4000000 };
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin = clock_now();
        int64_t now = begin;
        long calls = 0;
        for (long batch = 1; now - begin < ROUND_NS; batch *= 2) { /* few looks at the clock */
            for (long i = 0; i < batch; i++)
                call(context);
            calls += batch;
            now = clock_now();
        }
        double ns = (double)(now - begin) / (double)calls;
        if (round == 0 || ns < best)
            best = ns;
    }
    return best;
}

size_t claim_descriptors(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        die("getrlimit");
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* it fails: then the limit is what it was */
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur < SIZE_MAX ? (size_t)limit.rlim_cur : SIZE_MAX;
}
