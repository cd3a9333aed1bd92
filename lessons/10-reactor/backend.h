/*
 * backend - how a reactor waits: the only part that knows select, poll or epoll.
 *
 * A backend translates masks and waits; what an event means, and to whom it is delivered, stays in
 * reactor.c.
 */
#ifndef BACKEND_H
#define BACKEND_H

#include <stddef.h>

/* A descriptor that is ready, and for what (REACTOR_READ, REACTOR_WRITE). */
struct ready {
    int fd;
    unsigned events;
};

struct backend {
    const char *name;

    /* open - a fresh state with nothing watched, or NULL with errno. */
    void *(*open)(void);
    void (*close)(void *state);

    /* set - watch fd for `events` instead of `before`; 0 is not watched.  Only called if they differ.
     * Returns 0, or -1 with errno and nothing changed; ERANGE: no such number can be watched. */
    int (*set)(void *state, int fd, unsigned before, unsigned events);

    /* wait - sleep until something is ready, at most timeout_ms (-1: for ever), and write what is.
     * room is enough for every watched descriptor.  Returns how many, or -1 with errno. */
    int (*wait)(void *state, int timeout_ms, struct ready *ready, size_t room);
};

extern const struct backend backend_epoll, backend_poll, backend_select;

#endif
