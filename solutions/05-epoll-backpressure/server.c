/*
 * An echo server on level-triggered epoll that owes its clients no more than it can keep.
 *
 * What send does not take at once is queued, and a client with a full queue is not read from until
 * some of it is gone: the client's own sends then wait, for TCP carries the pressure back to it.
 *
 * Compare with: lessons/05-epoll-lt
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 16384, /* bytes received at once */
    EVENTS = 64    /* ready descriptors taken at once */
};

struct client {
    int fd;           /* its place in the table */
    bool open;        /* this entry of the table is in use */
    bool eof;         /* the client has finished sending; what is queued is still owed */
    uint32_t watched; /* the events that the kernel is asked for */
    struct queue out; /* received, and not yet taken by the kernel */
};

static struct client *clients; /* indexed by descriptor */
static size_t limit;           /* entries in it */
static int epfd;
static unsigned long queue_high =
    65536; /* --queue: a client with so many bytes queued is not read */

static void client_close(struct client *c, const char *why)
{
    server_report("client %d: %s", c->fd, why);
    c->open = false;
    queue_free(&c->out);
    close(c->fd);
}

/* Tell the kernel what this client waits for. */
static void client_watch(struct client *c)
{
    uint32_t wanted = EPOLLIN;
#ifdef STUB
    /* Yours: EPOLLIN only while the client may be read from, EPOLLOUT only while something is queued. */
#else
    if (c->eof || c->out.length >= queue_high) /* [backpressure] */
        wanted = 0;
    if (c->out.length > 0)
        wanted |= EPOLLOUT;
#endif
    if (wanted == c->watched)
        return;
    struct epoll_event event = {.events = wanted, .data.fd = c->fd};
    epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &event);
    c->watched = wanted;
}

/* Send what is queued, as far as the kernel takes it.  A client that has finished sending is closed
 * as soon as nothing is owed to it any more. */
static void client_flush(struct client *c)
{
#ifdef STUB
    /* Yours.  queue.h has queue_data and queue_drop. */
    (void)c;
#else
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
#endif
}

/* Receive once, and echo what came: what the kernel does not take now is queued, and nothing may
 * overtake what is queued already.  At the end of the stream, what is queued is still owed. */
static void client_read(struct client *c)
{
#ifdef STUB
    /* Yours.  Until then, a client is closed when something comes. */
    client_close(c, "not written yet");
#else
    char buf[CHUNK];
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n == 0) {
        c->eof = true;
        client_flush(c);
    } else if (n == -1) {
        if (errno != EAGAIN && errno != EINTR)
            client_close(c, strerror(errno));
    } else if (queue_put(&c->out, buf, (size_t)n) == -1) {
        client_close(c, strerror(errno));
    } else {
        server_work();
        client_flush(c);
    }
#endif
}

/* One event of a client; whatever it did, the kernel is told what it waits for next. */
static void client_ready(struct client *c, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP)) { /* reset: nothing can be sent any more */
        client_close(c, "connection reset");
        return;
    }
    if (events & EPOLLOUT)
        client_flush(c);
    if (events & EPOLLIN && c->open)
        client_read(c);
    if (c->open)
        client_watch(c);
}

static void accept_clients(int lfd)
{
    for (;;) {
        int cfd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (cfd == -1) {
            if (server_accept_again(lfd))
                continue;
            return;
        }
        char peer[NET_TEXT_SIZE];
        server_report("client %d: connected from %s", cfd, net_peer_text(cfd, peer));
        clients[cfd] = (struct client){
            .fd = cfd, .open = true, .watched = EPOLLIN, .out.limit = queue_high + CHUNK};
        struct epoll_event event = {.events = EPOLLIN, .data.fd = cfd};
        if (epoll_ctl(epfd, EPOLL_CTL_ADD, cfd, &event) == -1)
            client_close(&clients[cfd], strerror(errno));
    }
}

int main(int argc, char **argv)
{
    const struct option_spec more[] = {
        {"queue", "BYTES", OPTION_NUMBER, &queue_high, 1, 1 << 30, "a client is owed no more"},
        {0},
    };
    int lfd = server_start(argc, argv, "an echo server that owes no more than it can keep", more);
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    limit = net_descriptor_limit();
    clients = calloc_or_die(limit, sizeof *clients);
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.fd = lfd}};
    if ((epfd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
        epoll_ctl(epfd, EPOLL_CTL_ADD, lfd, &events[0]) == -1)
        die("epoll");
    server_stop_on_signals(lfd);
    server_ready(lfd, "epoll-lt");

    while (!server_stopping) {
        int n = epoll_wait(epfd, events, EVENTS, -1);
        if (n == -1 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == lfd)
                accept_clients(lfd);
            else
                client_ready(&clients[events[i].data.fd], events[i].events);
        }
    }

    for (size_t fd = 0; fd < limit; fd++)
        if (clients[fd].open)
            client_close(&clients[fd], "server stopping");
    free(clients);
    close(epfd);
    close(lfd);
    return 0;
}
