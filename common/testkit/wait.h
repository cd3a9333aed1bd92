/*
 * wait - waiting for events, never for time to pass, and never for ever.
 *
 * Interface:
 *   wait_patience                how long anything may take
 *   wait_deadline, wait_left_ms  when it has taken too long, and what is left until then
 *   wait_ready, wait_any         until a descriptor is ready, or any of many
 *   wait_until                   until something that nobody announces is true
 *   wait_timed_out               the sentence for a wait that was in vain
 *   wait_limit, wait_in_vain     ends for all waits: a time, and the word of who knows better
 */
#ifndef TESTKIT_WAIT_H
#define TESTKIT_WAIT_H

#include "sanitizer.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* How much slower than usual this build may be. */
enum { WAIT_SCALE = SANITIZER_THREAD || SANITIZER_ADDRESS ? 4 : 1 };

/* The seconds that something that must happen may take, 20 times WAIT_SCALE unless it is set.
 * Generous, for a passing test never waits so long; who expects a failure lowers it. */
extern double wait_patience;

/* The time, as clock_now counts it, at which every wait ends, however patient; 0: none. */
extern int64_t wait_limit;

/*
 * Asked every WAIT_LOOK_MS of a wait whether what is waited for can still come; NULL: nobody is.
 *
 * begins  true at the beginning of a wait
 *
 * Returns true if it cannot, with a fault that says why.
 */
extern bool (*wait_in_vain)(bool begins);
enum { WAIT_LOOK_MS = 20 };

/* wait_deadline - the time, as clock_now counts it, at which patience ends. */
int64_t wait_deadline(void);

/* wait_left_ms - the milliseconds until a deadline, rounded up; 0 if it has passed. */
int wait_left_ms(int64_t deadline);

/* wait_timed_out - keep "timed out after N s waiting for WHAT" as the fault.  Returns false. */
bool wait_timed_out(const char *what);

/*
 * wait_ready - wait until fd has one of the events of poll(2), an error or a hang-up.
 *
 * what  names the event for the sentence that a time-out leaves
 */
bool wait_ready(int fd, short events, int64_t deadline, const char *what);

/* wait_any - the same for an array of poll(2): true once any entry is ready, see its revents. */
bool wait_any(struct pollfd *watched, nfds_t count, int64_t deadline, const char *what);

/* wait_until - ask every millisecond until done(argument) is true, for as long as patience
 * lasts. */
bool wait_until(bool (*done)(void *), void *argument, const char *what);

#endif
