/* wait - waiting for events, and never for ever.  See wait.h. */

#include "wait.h"

#include "clock.h"
#include "fault.h"

#include <errno.h>
#include <string.h>

double wait_patience = 20.0 * WAIT_SCALE;

int64_t wait_limit = 0;
bool (*wait_in_vain)(bool begins) = NULL;

int64_t wait_deadline(void)
{
    int64_t deadline = clock_now() + (int64_t)(wait_patience * 1e9);
    return wait_limit != 0 && wait_limit < deadline ? wait_limit : deadline;
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

static bool is_in_vain(bool begins, const char *what)
{
    return wait_in_vain != NULL && wait_in_vain(begins) &&
           !fault("waited in vain for %s: %s", what, fault_text());
}

bool wait_any(struct pollfd *watched, nfds_t count, int64_t deadline, const char *what)
{
    bool hopeless = is_in_vain(true, what);
    for (;;) {
        int left = wait_left_ms(deadline);
        int slice = wait_in_vain != NULL && left > WAIT_LOOK_MS ? WAIT_LOOK_MS : left;
        int n = poll(watched, count, hopeless ? 0 : slice);
        if (n > 0)
            return true;
        if (n == -1 && errno != EINTR)
            return fault("poll: %s", strerror(errno));
        if (hopeless)
            return false;
        if (wait_left_ms(deadline) == 0)
            return wait_timed_out(what);
        hopeless = is_in_vain(false, what);
    }
}

bool wait_ready(int fd, short events, int64_t deadline, const char *what)
{
    struct pollfd watched = {.fd = fd, .events = events};
    return wait_any(&watched, 1, deadline, what);
}

bool wait_until(bool (*done)(void *), void *argument, const char *what)
{
    int64_t deadline = wait_deadline();
    int64_t look = clock_now() + WAIT_LOOK_MS * 1000000;
    bool hopeless = is_in_vain(true, what);
    while (!done(argument)) {
        if (hopeless)
            return false;
        if (wait_left_ms(deadline) == 0)
            return wait_timed_out(what);
        poll(NULL, 0, 1);
        if (clock_now() < look)
            continue;
        look = clock_now() + WAIT_LOOK_MS * 1000000;
        hopeless = is_in_vain(false, what);
    }
    return true;
}
