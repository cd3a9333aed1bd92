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
    /* Yours: wait until fd is writable, but not past the deadline (as clock_now of clock.h counts);
     * then ask the socket how the attempt has ended. */
    (void)fd;
    (void)deadline;
    return ENOSYS;
}

int connect_timeout(const struct sockaddr *address, socklen_t length, int timeout_ms)
{
    /* Yours: a socket of the address's family whose calls do not wait; start the attempt; if it is under
     * way, await_outcome.  Whatever fails: close the socket, and say why in errno.  What succeeds is
     * handed out blocking. */
    (void)address;
    (void)length;
    errno = await_outcome(-1, clock_now() + timeout_ms * INT64_C(1000000));
    return -1;
}
