/* backend_epoll - a reactor that waits with epoll(7), level-triggered.  See backend.h. */

#include "backend.h"
#include "reactor.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 256 };

struct state {
    int epfd;
};

static void *epoll_open(void)
{
    struct state *s = malloc(sizeof *s);
    if (s == NULL)
        return NULL;
    s->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epfd == -1) {
        free(s);
        return NULL;
    }
    return s;
}

static void epoll_close(void *state)
{
    struct state *s = state;
    close(s->epfd);
    free(s);
}

static int epoll_set(void *state, int fd, unsigned before, unsigned events)
{
    struct state *s = state;
    struct epoll_event e = {.data.fd = fd};
    e.events |= (events & REACTOR_READ) != 0 ? EPOLLIN : 0;
    e.events |= (events & REACTOR_WRITE) != 0 ? EPOLLOUT : 0;
    int op = before == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    return epoll_ctl(s->epfd, op, fd, &e);
}

static int epoll_wait_ready(void *state, int timeout_ms, struct ready *ready, size_t room)
{
    struct state *s = state;
    struct epoll_event events[EVENTS];
    int n = epoll_wait(s->epfd, events, room < EVENTS ? (int)room : EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        unsigned e = events[i].events;
        ready[i].fd = events[i].data.fd;
        ready[i].events = ((e & EPOLLIN) != 0 ? REACTOR_READ : 0) |
                          ((e & EPOLLOUT) != 0 ? REACTOR_WRITE : 0);
        if (e & (EPOLLERR | EPOLLHUP))
            ready[i].events = REACTOR_READ | REACTOR_WRITE;
    }
    return n;
}

const struct backend backend_epoll = {"epoll", epoll_open, epoll_close, epoll_set,
                                      epoll_wait_ready};
