/*
 * How long recv takes: the same call on a socket that blocks, and on one that does not.
 *
 * O_NONBLOCK belongs to the socket, not to the call, so that the same function measures both.  What
 * they do about waiting is the whole difference: one sleeps in the kernel, the other comes back.
 *
 * Compare with: lessons/02-busy-poll/recv_wait.c, which asks for it with a flag of each call.
 */

#include "wait_times.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

int set_blocking(int fd, bool blocking)
{
#ifdef STUB
    /* Yours: switch O_NONBLOCK of fd off or on, and leave every other flag as it is. */
    (void)fd;
    (void)blocking;
    errno = ENOSYS;
    return -1;
#else
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1)
        return -1;
    return fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
#endif
}

struct timing timed_recv(int fd, void *buffer, size_t size)
{
#ifdef STUB
    /* Yours: call recv, and note its result, its errno if it failed, and the time that it took
     * (clock_now of clock.h counts nanoseconds).  A signal may end recv with EINTR before anything has
     * come: wait on, and count the whole wait. */
    (void)fd;
    (void)buffer;
    (void)size;
    return (struct timing){.result = -1, .error = ENOSYS};
#else
    struct timing t = {0};
    int64_t start = clock_now();
    do /* [interrupted] a signal ends the call, and not the wait: start stays where it is */
        t.result = recv(fd, buffer, size, 0);
    while (t.result == -1 && errno == EINTR);
    t.ns = clock_now() - start;
    t.error = t.result == -1 ? errno : 0; /* [stale-errno] a call that succeeds leaves it alone */
    return t;
#endif
}

struct timing busy_recv(int fd, void *buffer, size_t size)
{
#ifdef STUB
    /* Yours: the same, but while the socket has nothing (EAGAIN), count that and ask again. */
    (void)fd;
    (void)buffer;
    (void)size;
    return (struct timing){.result = -1, .error = ENOSYS};
#else
    struct timing t = {0};
    int64_t start = clock_now();
    while ((t.result = recv(fd, buffer, size, 0)) == -1) {
        if (errno == EAGAIN)
            t.again++; /* [busy] nothing yet; it will hardly be there a microsecond later */
        else if (errno != EINTR)
            break;
    }
    t.ns = clock_now() - start;
    t.error = t.result == -1 ? errno : 0;
    return t;
#endif
}
