/*
 * wait_times - how long recv takes, on a socket that blocks and on one that does not.
 *
 * Interface:
 *   set_blocking   choose whether the calls on a descriptor may sleep
 *   timed_recv     one recv, and what came of it
 *   busy_recv      a nonblocking recv, again and again until something has come
 *
 * Yours to write, in wait_times.c.  The program that calls them is measure.c.
 */
#ifndef WAIT_TIMES_H
#define WAIT_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct timing {
    ssize_t result; /* what recv returned: bytes, 0 at the end of the stream, or -1 */
    int error;      /* its errno, if result is -1; else 0 */
    int64_t ns;     /* nanoseconds of CLOCK_MONOTONIC that it took, from call to return */
    long again;     /* busy_recv: how often recv said EAGAIN before that */
};

/*
 * set_blocking - let the calls on fd sleep (true), or answer EAGAIN instead (false).
 *
 * It is a flag of the open socket, and stays until it is changed again.  The other flags are kept.
 *
 * Returns 0, or -1 with errno.  See fcntl(2), F_GETFL.
 */
int set_blocking(int fd, bool blocking);

/*
 * timed_recv - receive at most size bytes with recv(2), and measure how long that takes.
 *
 * The waiting is recv's own.  A signal that ends the call (EINTR) does not end the wait: it goes on,
 * and all of it is measured.  EAGAIN is an answer like any other, and is returned.
 */
struct timing timed_recv(int fd, void *buffer, size_t size);

/*
 * busy_recv - ask a nonblocking socket again and again, without a pause, until it has an answer: bytes,
 * the end of the stream, or an error that is neither EAGAIN nor EINTR.
 */
struct timing busy_recv(int fd, void *buffer, size_t size);

#endif
