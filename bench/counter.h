/* counter - how many system calls a process makes, as the kernel's tracepoint counts them. */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * counter_open - count the system calls of one thread from now on, and of what it starts.
 *
 * on_exec  count from its next exec on
 *
 * Returns a descriptor, or -1 where that is not permitted.  See perf_event_open(2).
 */
int counter_open(pid_t tid, bool on_exec);

/* counter_read - what it has counted until now; -1 if there is no counter. */
int64_t counter_read(int counter);

#endif
