/*
 * transport - how bytes come from a client and go to it.
 *
 * The room knows a connection only through these four functions: a socket is one transport, and TLS
 * or WebSocket could be others; a test has one without a kernel behind it.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct connection;

struct transport {
    /* As read(2) and writev(2) on a nonblocking socket: -1 with EAGAIN instead of waiting. */
    ssize_t (*read)(struct connection *c, void *buffer, size_t size);
    ssize_t (*write)(struct connection *c, const struct iovec *vector, int count);
    /* Call session_ready for these events from now on: REACTOR_READ, _WRITE, both, or 0.
     * Returns 0, or -1 with errno. */
    int (*want)(struct connection *c, unsigned events);
    /* The end of the server's own bytes, as shutdown(2) with SHUT_WR. */
    void (*finish)(struct connection *c);
    void (*close)(struct connection *c);
};

struct session;
struct reactor;

struct connection {
    const struct transport *transport;
    struct session *session;
    struct reactor *reactor;
    int number; /* of the client in the log: the socket's descriptor */
};

/* The transport of a nonblocking socket, connection.number. */
extern const struct transport transport_socket;

#endif
