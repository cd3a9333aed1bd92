/* backend_poll - a reactor that waits with poll(2).  See backend.h. */

#include "backend.h"
#include "reactor.h"

#include <poll.h>
#include <stdlib.h>

/* One entry for each descriptor up to the highest watched; those between have the number -1, which
 * poll passes over. */
struct state {
    struct pollfd *entries;
    size_t count, capacity;
};

static void *poll_open(void)
{
    return calloc(1, sizeof(struct state));
}

static void poll_close(void *state)
{
    struct state *s = state;
    free(s->entries);
    free(s);
}

static int grow(struct state *s, size_t least)
{
    size_t capacity = s->capacity > 0 ? s->capacity : 64;
    while (capacity < least)
        capacity *= 2;
    struct pollfd *entries = realloc(s->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return -1;
    for (size_t i = s->capacity; i < capacity; i++)
        entries[i] = (struct pollfd){.fd = -1};
    s->entries = entries;
    s->capacity = capacity;
    return 0;
}

static int poll_set(void *state, int fd, unsigned before, unsigned events)
{
    struct state *s = state;
    size_t at = (size_t)fd;
    (void)before;
    if (at >= s->capacity && grow(s, at + 1) == -1)
        return -1;
    s->entries[at] = (struct pollfd){.fd = events != 0 ? fd : -1};
    s->entries[at].events |= (events & REACTOR_READ) != 0 ? POLLIN : 0;
    s->entries[at].events |= (events & REACTOR_WRITE) != 0 ? POLLOUT : 0;
    if (at >= s->count)
        s->count = at + 1;
    while (s->count > 0 && s->entries[s->count - 1].fd == -1)
        s->count--;
    return 0;
}

static int poll_wait(void *state, int timeout_ms, struct ready *ready, size_t room)
{
    struct state *s = state;
    int left = poll(s->entries, s->count, timeout_ms);
    if (left == -1)
        return -1;
    int n = 0;
    for (size_t i = 0; i < s->count && left > 0 && (size_t)n < room; i++) {
        short e = s->entries[i].revents;
        if (s->entries[i].fd == -1 || e == 0)
            continue;
        left--;
        ready[n].fd = (int)i;
        ready[n].events = ((e & POLLIN) != 0 ? REACTOR_READ : 0) |
                          ((e & POLLOUT) != 0 ? REACTOR_WRITE : 0);
        if (e & (POLLERR | POLLHUP | POLLNVAL))
            ready[n].events = REACTOR_READ | REACTOR_WRITE;
        n++;
    }
    return n;
}

const struct backend backend_poll = {"poll", poll_open, poll_close, poll_set, poll_wait};
