/* backend_select - a reactor that waits with select(2).  See backend.h. */

#include "backend.h"
#include "reactor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/select.h>

struct state {
    fd_set want_read, want_write;
    int highest; /* watched, or -1 */
};

static void *select_open(void)
{
    struct state *s = calloc(1, sizeof *s);
    if (s != NULL)
        s->highest = -1;
    return s;
}

static void select_close(void *state)
{
    free(state);
}

static int select_set(void *state, int fd, unsigned before, unsigned events)
{
    struct state *s = state;
    (void)before;
    if (fd >= FD_SETSIZE) {
        errno = ERANGE; /* FD_SET would write behind the end of the set */
        return -1;
    }
    FD_CLR(fd, &s->want_read);
    FD_CLR(fd, &s->want_write);
    if (events & REACTOR_READ)
        FD_SET(fd, &s->want_read);
    if (events & REACTOR_WRITE)
        FD_SET(fd, &s->want_write);
    if (fd > s->highest)
        s->highest = fd;
    while (s->highest >= 0 && !FD_ISSET(s->highest, &s->want_read) &&
           !FD_ISSET(s->highest, &s->want_write))
        s->highest--;
    return 0;
}

static int select_wait(void *state, int timeout_ms, struct ready *ready, size_t room)
{
    struct state *s = state;
    fd_set readable = s->want_read;
    fd_set writable = s->want_write;
    struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    if (select(s->highest + 1, &readable, &writable, NULL, timeout_ms == -1 ? NULL : &limit) == -1)
        return -1;
    int n = 0;
    for (int fd = 0; fd <= s->highest && (size_t)n < room; fd++) {
        unsigned events = (FD_ISSET(fd, &readable) ? REACTOR_READ : 0) |
                          (FD_ISSET(fd, &writable) ? REACTOR_WRITE : 0);
        if (events != 0)
            ready[n++] = (struct ready){fd, events};
    }
    return n;
}

const struct backend backend_select = {"select", select_open, select_close, select_set,
                                       select_wait};
