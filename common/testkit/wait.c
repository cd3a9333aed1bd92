/* wait - waiting for events, and never for ever.  See wait.h. */

#include "wait.h"

#include "clock.h"
#include "fault.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

double wait_patience = 20.0 * WAIT_SCALE;

int64_t wait_deadline(void)
{
    return clock_now() + (int64_t)(wait_patience * 1e9);
}

int wait_left_ms(int64_t deadline)
{
    int64_t left = deadline - clock_now();
    return left > 0 ? (int)((left + 999999) / 1000000) : 0;
}

bool wait_timed_out(const char *what)
{
    return fault("timed out after %g s waiting for %s", wait_patience, what);
}

bool wait_ready(int fd, short events, int64_t deadline, const char *what)
{
    for (;;) {
        struct pollfd watched = {.fd = fd, .events = events};
        int n = poll(&watched, 1, wait_left_ms(deadline));
        if (n > 0)
            return true;
        if (n == -1 && errno != EINTR)
            return fault("poll: %s", strerror(errno));
        if (wait_left_ms(deadline) == 0)
            return wait_timed_out(what);
    }
}

bool wait_until(bool (*done)(void *), void *argument, const char *what)
{
    int64_t deadline = wait_deadline();
    while (!done(argument)) {
        if (wait_left_ms(deadline) == 0)
            return wait_timed_out(what);
        poll(NULL, 0, 1);
    }
    return true;
}
