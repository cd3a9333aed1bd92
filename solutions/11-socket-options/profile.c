/*
 * profile - socket options by profile.  See profile.h.
 *
 * The new idea: an option is asked for, and the kernel answers: by its value as it is read back, and by
 * the moment up to which it listens.
 *
 * Compare with: lessons/13-socket-options, which shows what each of them does
 */

#include "profile.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef STUB
/* Yours: the table of the README, as data, and what is needed more than once. */
#else
/* What a profile asks for.  0 is what a new socket has. */
struct settings {
    int reuse_address, nodelay, keepalive;
    int user_timeout_ms, unsent_low;
    bool buffers;
};

enum { IDLE_S = 60, INTERVAL_S = 10, COUNT = 3, GIVE_UP_S = IDLE_S + COUNT * INTERVAL_S };

/* Keepalive ends a silent connection, TCP_USER_TIMEOUT one that waits for an acknowledgement: after the
 * same time here, which the first counts in seconds and the second in milliseconds. */
static const struct settings profiles[] = {
    [PROFILE_INTERACTIVE] = {.nodelay = 1,
                             .keepalive = 1,
                             .user_timeout_ms = 1000 * GIVE_UP_S,
                             .unsent_low = 16384},
    [PROFILE_BULK] = {.buffers = true},
    [PROFILE_SERVER] = {.reuse_address = 1,
                        .nodelay = 1,
                        .keepalive = 1,
                        .user_timeout_ms = 1000 * GIVE_UP_S,
                        .buffers = true},
};

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

static int get(int fd, int level, int option, int *value)
{
    socklen_t length = sizeof *value;
    return getsockopt(fd, level, option, value, &length);
}

static int get_switch(int fd, int level, int option, bool *on)
{
    int value;
    if (get(fd, level, option, &value) == -1)
        return -1;
    *on = value != 0;
    return 0;
}

/* [halved] The kernel counts its own structures too: it doubles what it is asked for. */
static int get_buffer(int fd, int option, int asked, struct profile_buffer *b)
{
    int doubled;
    if (get(fd, SOL_SOCKET, option, &doubled) == -1)
        return -1;
    b->bytes = doubled / 2;
    b->capped = b->bytes < asked;
    return 0;
}

/* Close a socket after a failure, which errno still tells.  Returns -1. */
static int give_up(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* [in-time] A new socket with its profile, before anything else is done with it: bind(2) asks for
 * SO_REUSEADDR, and the handshake agrees on how far the window can be scaled, from the receive buffer
 * of that moment, for good. */
static int open_socket(enum profile which, int buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd != -1 && profile_apply(fd, which, buffer) == -1)
        return give_up(fd);
    return fd;
}
#endif

int profile_apply(int fd, enum profile which, int buffer)
{
#ifdef STUB
    /* Yours: set the options of the profile; the first that fails is the answer. */
    (void)fd;
    (void)which;
    (void)buffer;
    errno = ENOSYS;
    return -1;
#else
    const struct settings *s = &profiles[which];
    /* [tcp-first] A socket that is not TCP's refuses here, before anything has changed. */
    if (set(fd, IPPROTO_TCP, TCP_NODELAY, s->nodelay) == -1 ||
        set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, s->user_timeout_ms) == -1 ||
        set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, s->unsent_low) == -1)
        return -1;
    if (s->keepalive && (set(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S) == -1 ||
                         set(fd, IPPROTO_TCP, TCP_KEEPINTVL, INTERVAL_S) == -1 ||
                         set(fd, IPPROTO_TCP, TCP_KEEPCNT, COUNT) == -1))
        return -1;
    if (set(fd, SOL_SOCKET, SO_KEEPALIVE, s->keepalive) == -1 ||
        set(fd, SOL_SOCKET, SO_REUSEADDR, s->reuse_address) == -1)
        return -1;
    if (s->buffers && (set(fd, SOL_SOCKET, SO_RCVBUF, buffer) == -1 ||
                       set(fd, SOL_SOCKET, SO_SNDBUF, buffer) == -1))
        return -1;
    return 0;
#endif
}

int profile_read(int fd, int buffer, struct profile_state *state)
{
#ifdef STUB
    /* Yours: ask the kernel for each; nothing is known from having asked for it. */
    (void)fd;
    (void)buffer;
    (void)state;
    errno = ENOSYS;
    return -1;
#else
    struct profile_state s;
    if (get_switch(fd, SOL_SOCKET, SO_REUSEADDR, &s.reuse_address) == -1 ||
        get_switch(fd, IPPROTO_TCP, TCP_NODELAY, &s.nodelay) == -1 ||
        get_switch(fd, SOL_SOCKET, SO_KEEPALIVE, &s.keepalive) == -1 ||
        get(fd, IPPROTO_TCP, TCP_KEEPIDLE, &s.idle_s) == -1 ||
        get(fd, IPPROTO_TCP, TCP_KEEPINTVL, &s.interval_s) == -1 ||
        get(fd, IPPROTO_TCP, TCP_KEEPCNT, &s.count) == -1 ||
        get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &s.user_timeout_ms) == -1 ||
        get(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &s.unsent_low) == -1 ||
        get_buffer(fd, SO_RCVBUF, buffer, &s.receive) == -1 ||
        get_buffer(fd, SO_SNDBUF, buffer, &s.send) == -1)
        return -1;
    *state = s;
    return 0;
#endif
}

int profile_connect(const struct sockaddr_in *to, enum profile which, int buffer)
{
#ifdef STUB
    /* Yours: socket(2) and connect(2), and the profile in time. */
    (void)to;
    (void)which;
    (void)buffer;
    errno = ENOSYS;
    return -1;
#else
    int fd = open_socket(which, buffer);
    if (fd != -1 && connect(fd, (const struct sockaddr *)to, sizeof *to) == -1)
        return give_up(fd);
    return fd;
#endif
}

int profile_listen(const struct sockaddr_in *at, int buffer)
{
#ifdef STUB
    /* Yours: socket(2), bind(2) and listen(2), and the profile in time. */
    (void)at;
    (void)buffer;
    errno = ENOSYS;
    return -1;
#else
    int fd = open_socket(PROFILE_SERVER, buffer);
    if (fd != -1 &&
        (bind(fd, (const struct sockaddr *)at, sizeof *at) == -1 || listen(fd, SOMAXCONN) == -1))
        return give_up(fd);
    return fd;
#endif
}
