/* transport - a nonblocking socket that a reactor watches.  See transport.h. */

#include "transport.h"

#include "../10-reactor/reactor.h"
#include "session.h"

#include <sys/socket.h>
#include <unistd.h>

static ssize_t socket_read(struct connection *c, void *buffer, size_t size)
{
    return recv(c->number, buffer, size, 0);
}

static ssize_t socket_write(struct connection *c, const struct iovec *vector, int count)
{
    if (count == 1)
        return send(c->number, vector->iov_base, vector->iov_len, MSG_NOSIGNAL);
    struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
    return sendmsg(c->number, &message, MSG_NOSIGNAL);
}

static void socket_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    (void)r;
    (void)fd;
    session_ready(context, events);
}

static int socket_want(struct connection *c, unsigned events)
{
    return reactor_watch(c->reactor, c->number, events, socket_ready, c->session);
}

static void socket_finish(struct connection *c)
{
    shutdown(c->number, SHUT_WR);
}

static void socket_close(struct connection *c)
{
    reactor_unwatch(c->reactor, c->number);
    close(c->number);
}

const struct transport transport_socket = {socket_read, socket_write, socket_want, socket_finish,
                                           socket_close};
