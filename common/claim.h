/*
 * claim - a sentence about the kernel, and the measurement that tests it.
 *
 * Interface:
 *   claim_end            print the claim, what was measured and the verdict, and exit
 *   claim_cannot         the same where it cannot be measured
 *   claim_ns_a_call      how long a call takes
 *   claim_descriptors    have so many descriptors
 *
 * Each lessons/NN-name/claim_*.c tests one claim and prints one line of three words with tabs between
 * them: CLAIM, MEASUREMENT, VERDICT.  It exits 0 if the measurement shows what is true, 1 if it does
 * not, CLAIM_CANNOT if there was none.  `make claims` runs them all.
 */
#ifndef CLAIM_H
#define CLAIM_H

#include <stdbool.h>
#include <stddef.h>

enum { CLAIM_CANNOT = 77 };

struct claim {
    const char *says;  /* the claim */
    const char *truth; /* the verdict if the measurement shows it */
};

/* claim_end - say what was measured and whether that shows the truth, and exit. */
_Noreturn void claim_end(const struct claim *claim, bool shown, const char *measured, ...)
    __attribute__((format(printf, 3, 4)));

/* claim_cannot - say why it cannot be measured here, and exit CLAIM_CANNOT. */
_Noreturn void claim_cannot(const struct claim *claim, const char *why, ...)
    __attribute__((format(printf, 2, 3)));

/* claim_ns_a_call - nanoseconds that call(context) takes: the shortest of some rounds of 4 ms, for
 * whatever else the machine does can only make it longer. */
double claim_ns_a_call(void (*call)(void *), void *context);

/* claim_descriptors - raise the soft RLIMIT_NOFILE to `wanted` where that is allowed.  Returns the
 * limit, which may be less, or more.  See getrlimit(2). */
size_t claim_descriptors(size_t wanted);

#endif
