/*
 * An echo server that closes whoever is idle: timers on the reactor.
 *
 * The new idea: a client has a time to live as well as a descriptor.  A timer of its own runs from one
 * byte to the next, and the loop sleeps until the first of them is due: no tick, no second thread.
 *
 * Compare with: lessons/10-reactor/server.c, which this grew out of
 * Left out on purpose: a word of farewell.  An idle client gets what is sent already, and an end of
 * file.
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
    int fd;
    bool eof;                      /* it has finished sending; what is queued is still owed */
    struct queue out;              /* received, and not yet taken by the kernel */
    struct reactor_timer idle;     /* due when no byte has moved for idle_ms */
    struct client *next, **before; /* in the list of all; what points at this one */
};

static struct client *clients; /* each allocated when it is accepted, and freed when it is closed */
static unsigned long idle_ms = 5000;
static struct reactor *reactor;

static reactor_handler client_ready;

/* ---- closing ------------------------------------------------------------------------------------ */

/* Close a client and free it.  Returns false, so that it can be what a function returns. */
static bool client_close(struct client *c, const char *why)
{
    server_report("client %d: %s", c->fd, why);
    /* Yours: c is about to be freed, and its descriptor's number will be the next client's.  What else
     * of this client does the reactor still know? */
    reactor_unwatch(reactor, c->fd);
    close(c->fd);
    queue_free(&c->out);
    *c->before = c->next;
    if (c->next != NULL)
        c->next->before = c->before;
    free(c);
    return false;
}

/* ---- timers ------------------------------------------------------------------------------------- */

/* Yours: two functions.  One is called by the reactor when a client's time is up.  The other starts the
 * client's timer, or sets it anew if it runs: the client has idle_ms from now on.  Then find each place
 * below where a client's time begins, or begins again. */

/* ---- echoing ------------------------------------------------------------------------------------ */

/* Tell the reactor what this client waits for: bytes, while they can be kept; room, only while
 * something is queued. */
static void client_watch(struct client *c)
{
    unsigned wanted = 0;
    if (!c->eof && c->out.length < QUEUE_HIGH)
        wanted |= REACTOR_READ;
    if (c->out.length > 0)
        wanted |= REACTOR_WRITE;
    if (reactor_watch(reactor, c->fd, wanted, client_ready, c) == -1)
        client_close(c, strerror(errno)); /* memory, or a number that the backend cannot watch */
}

/* Send what is queued, as far as the kernel takes it.  Returns false if the client is gone. */
static bool client_flush(struct client *c)
{
    while (c->out.length > 0) {
        ssize_t n = send(c->fd, queue_data(&c->out), c->out.length, 0);
        if (n >= 0) {
            queue_drop(&c->out, (size_t)n);
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR) {
            return client_close(c, strerror(errno));
        }
    }
    return !c->eof || client_close(c, "closed by the client");
}

/* Receive, and send it back at once as far as possible.  Returns false if the client is gone. */
static bool client_read(struct client *c)
{
    char buf[CHUNK];
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n > 0) {
        server_work();
        if (queue_put(&c->out, buf, (size_t)n) == -1)
            return client_close(c, strerror(errno));
    } else if (n == 0) {
        c->eof = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        return client_close(c, strerror(errno));
    }
    return client_flush(c);
}

static void client_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    (void)r;
    (void)fd;
    struct client *c = context;
    if ((events & REACTOR_READ) != 0 ? client_read(c) : client_flush(c))
        client_watch(c);
}

/* ---- coming and going --------------------------------------------------------------------------- */

static void client_open(int cfd)
{
    struct client *c = malloc(sizeof *c);
    if (c == NULL) {
        server_report("client %d: %s", cfd, strerror(errno));
        close(cfd);
        return;
    }
    *c = (struct client){.fd = cfd, .out.limit = QUEUE_HIGH + CHUNK};
    c->next = clients;
    c->before = &clients;
    if (clients != NULL)
        clients->before = &c->next;
    clients = c;
    client_watch(c);
}

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
        client_open(cfd);
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
        {"idle", "MS", OPTION_NUMBER, &idle_ms, 1, 86400000,
         "close a client after so much silence"},
        {"backend", "NAME", OPTION_TEXT, &backend, 0, 0, "how to wait: epoll, poll or select"},
        {0},
    };
    int lfd = server_start(argc, argv, "an echo server that closes idle clients", more);
    if ((reactor = reactor_new(backend)) == NULL) {
        if (errno == EINVAL)
            options_fail("--backend: '%s' is not one of epoll, poll, select", backend);
        die("cannot make a reactor");
    }
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    if (reactor_watch(reactor, lfd, REACTOR_READ, accept_clients, NULL) == -1 ||
        reactor_signal(reactor, SIGINT, stop, NULL) == -1 ||
        reactor_signal(reactor, SIGTERM, stop, NULL) == -1)
        die("cannot watch the listener and the signals");
    server_ready(lfd, "idle-timer");

    if (reactor_run(reactor) == -1)
        die("cannot wait with %s", backend);

    while (clients != NULL)
        client_close(clients, "server stopping");
    reactor_free(reactor);
    close(lfd);
    return 0;
}
