/*
 * An echo server on a reactor: it says what shall happen when, and a small library waits.
 *
 * The new idea: the loop of lesson 05 does not know what it serves, so it can be a library
 * (reactor.h).  In the words of the pattern: the Reactor waits and calls; the Acceptor is the
 * handler of the listener, the Handler that of a client.  How it waits - select, poll or epoll -
 * is a choice at run time (backend.h).
 *
 * Compare with: 05-epoll-lt
 * Left out on purpose: threads.  Handlers run one at a time, so none of them needs a lock.
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"
#include "reactor.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 16384,     /* bytes received at once */
    QUEUE_HIGH = 65536 /* a client with so many bytes queued is not read from */
};

struct client {
    int fd;           /* its place in the table */
    bool open;        /* this entry of the table is in use */
    bool eof;         /* the client has finished sending; what is queued is still owed */
    struct queue out; /* received, and not yet taken by the kernel */
};

/* Indexed by descriptor: the kernel hands out the lowest free number, so the table is dense. */
static struct client *clients;
static int max_fd = -1; /* the highest descriptor of an open client, or -1 */
static struct reactor *reactor;

static reactor_handler client_ready;

static void client_close(struct client *c, const char *why)
{
    server_report("client %d: %s", c->fd, why);
    c->open = false;
    while (max_fd >= 0 && !clients[max_fd].open)
        max_fd--;
    queue_free(&c->out);
    reactor_unwatch(reactor, c->fd);
    close(c->fd);
}

/* Tell the reactor what this client waits for: bytes, while they can be kept; room, only while
 * something is queued. */
static void client_watch(struct client *c)
{
    unsigned wanted = 0;
    if (!c->eof && c->out.length < QUEUE_HIGH) /* [backpressure] */
        wanted |= REACTOR_READ;
    if (c->out.length > 0)
        wanted |= REACTOR_WRITE;
    if (reactor_watch(reactor, c->fd, wanted, client_ready, c) == -1)
        client_close(c, strerror(errno)); /* memory, or a number that the backend cannot watch */
}
/* Send what is queued, as far as the kernel takes it. */
static void client_flush(struct client *c)
{
    while (c->out.length > 0) {
        ssize_t n = send(c->fd, queue_data(&c->out), c->out.length, 0);
        if (n >= 0) {
            queue_drop(&c->out, (size_t)n);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            client_close(c, strerror(errno));
            return;
        }
    }
    if (c->eof)
        client_close(c, "closed by the client");
}

/* [partial-send] Send at once what the kernel takes, and queue the rest.  Nothing may overtake
 * what is queued already. */
static void client_echo(struct client *c, const char *bytes, size_t size)
{
    ssize_t n = 0;
    while (c->out.length == 0 && (n = send(c->fd, bytes, size, 0)) == -1 && errno == EINTR)
        ;
    if (n == -1 && errno == EAGAIN)
        n = 0;
    if (n == -1 || queue_put(&c->out, bytes + n, size - (size_t)n) == -1)
        client_close(c, strerror(errno));
}

static void client_read(struct client *c)
{
    char buf[CHUNK];
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n > 0) {
        server_work();
        client_echo(c, buf, (size_t)n);
    } else if (n == 0) {
        c->eof = true; /* [half-close] it may still be reading: first send what is queued */
        client_flush(c);
    } else if (errno != EAGAIN && errno != EINTR) {
        client_close(c, strerror(errno));
    }
}

/* [handler] A client is ready for something. */
static void client_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    (void)r;
    (void)fd;
    struct client *c = context;
    if (events & REACTOR_WRITE)
        client_flush(c);
    if (events & REACTOR_READ && c->open)
        client_read(c);
    if (c->open)
        client_watch(c);
}

/* [acceptor] Clients are waiting: each gets a handler. */
static void accept_clients(struct reactor *r, int lfd, unsigned events, void *context)
{
    (void)r;
    (void)events;
    (void)context;
    for (;;) {
        int cfd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (cfd == -1) {
            if (net_accept_again(lfd))
                continue;
            return;
        }
        char peer[NET_TEXT_SIZE];
        server_report("client %d: connected from %s", cfd, net_peer_text(cfd, peer));
        clients[cfd] = (struct client){.fd = cfd, .open = true, .out.limit = QUEUE_HIGH + CHUNK};
        if (cfd > max_fd)
            max_fd = cfd;
        client_watch(&clients[cfd]);
    }
}

static void stop(struct reactor *r, void *context)
{
    (void)context;
    reactor_stop(r);
}

int main(int argc, char **argv)
{
    const char *backend = reactor_backends[0];
    const struct option_spec more[] = {
        {"backend", "NAME", OPTION_TEXT, &backend, 0, 0, "how to wait: epoll, poll or select"},
        {0},
    };
    int lfd = server_start(argc, argv, "an echo server on a reactor", more);
    if ((reactor = reactor_new(backend)) == NULL) {
        if (errno == EINVAL)
            options_fail("--backend: '%s' is not one of epoll, poll, select", backend);
        die("cannot make a reactor");
    }
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    clients = calloc_or_die(net_descriptor_limit(), sizeof *clients);
    if (reactor_watch(reactor, lfd, REACTOR_READ, accept_clients, NULL) == -1 ||
        reactor_signal(reactor, SIGINT, stop, NULL) == -1 ||
        reactor_signal(reactor, SIGTERM, stop, NULL) == -1)
        die("cannot watch the listener and the signals");
    server_ready(lfd, "reactor");

    if (reactor_run(reactor) == -1)
        die("cannot wait with %s", backend);

    for (int fd = max_fd; fd >= 0; fd--)
        if (clients[fd].open)
            client_close(&clients[fd], "server stopping");
    reactor_free(reactor);
    free(clients);
    close(lfd);
    return 0;
}
