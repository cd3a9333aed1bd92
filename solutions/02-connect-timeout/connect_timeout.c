/*
 * A connect that waits no longer than it is told to.
 *
 * A blocking connect sleeps until the kernel gives up: for a minute or two, if nobody answers.  A
 * nonblocking one only starts the handshake; the waiting is poll's, which has a limit, and the outcome
 * is asked for when poll says that there is one.
 *
 * Compare with: the client of lessons/02-busy-poll
 * Left out on purpose: a name with several addresses, which is a loop around this.
 */

#include "connect_timeout.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* Sleep until the attempt is decided.  Returns its outcome: 0, or an errno. */
static int await_outcome(int fd, int64_t deadline)
{
#ifdef STUB
    /* Yours: wait until fd is writable, but not past the deadline (as clock_now of clock.h counts);
     * then ask the socket how the attempt has ended. */
    (void)fd;
    (void)deadline;
    return ENOSYS;
#else
    struct pollfd attempt = {.fd = fd, .events = POLLOUT};
    for (;;) {
        /* [deadline] A signal ends poll early: what is left is computed anew, and rounded up. */
        int64_t left = deadline - clock_now();
        int n = poll(&attempt, 1, left > 0 ? (int)((left + 999999) / 1000000) : 0);
        if (n == 1)
            break;
        if (n == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
    int error = 0; /* [so-error] writable means decided, and not connected */
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1 ? errno : error;
#endif
}

int connect_timeout(const struct sockaddr *address, socklen_t length, int timeout_ms)
{
#ifdef STUB
    /* Yours: a socket of the address's family whose calls do not wait; start the attempt; if it is under
     * way, await_outcome.  Whatever fails: close the socket, and say why in errno.  What succeeds is
     * handed out blocking. */
    (void)address;
    (void)length;
    errno = await_outcome(-1, clock_now() + timeout_ms * INT64_C(1000000));
    return -1;
#else
    int64_t deadline = clock_now() + timeout_ms * INT64_C(1000000);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    int error = connect(fd, address, length) == -1 ? errno : 0; /* [at-once] 0 is possible, too */
    if (error == EINPROGRESS || error == EINTR) /* a signal does not undo the attempt */
        error = await_outcome(fd, deadline);
    if (error == 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == -1)
        error = errno;
    if (error == 0)
        return fd;
    close(fd);
    errno = error; /* [errno-last] close may have changed it */
    return -1;
#endif
}
