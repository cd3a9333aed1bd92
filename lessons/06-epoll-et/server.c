/*
 * An echo server that is told once, when something changes.
 *
 * The new idea: edge-triggered, epoll reports a descriptor when it becomes ready and not again
 * while it stays so.  Nothing has to be switched on and off (no EPOLL_CTL_MOD for EPOLLOUT);
 * in return the server must read until there is nothing left, or remember that it did not.
 *
 * Compare with: 05-epoll-lt
 * Left out on purpose: an edge-triggered listener.  It stays level-triggered, so that clients who
 * could not be accepted for want of memory are reported again.
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 16384,      /* bytes received at once */
    QUEUE_HIGH = 65536, /* a client with so many bytes queued is not read from */
    EVENTS = 256,       /* ready descriptors taken at once */
    TURN = 16           /* chunks read from one client before the others have their turn */
};

struct client {
    int fd;           /* its place in the table */
    bool open;        /* this entry of the table is in use */
    bool eof;         /* the client has finished sending; what is queued is still owed */
    bool unread;      /* there may be bytes that we were told of and have not read */
    bool hung_up;     /* the end of the stream stands behind those bytes */
    struct queue out; /* received, and not yet taken by the kernel */
};

/* Indexed by descriptor: the kernel hands out the lowest free number, so the table is dense. */
static struct client *clients;
static int max_fd = -1; /* the highest descriptor of an open client, or -1 */
static int epfd;        /* the epoll instance */

/* Everything that can ever be of interest, asked for once. */
static int watch(int op, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    return epoll_ctl(epfd, op, fd, &event);
}

static void client_close(struct client *c, const char *why)
{
    server_report("client %d: %s", c->fd, why);
    c->open = false;
    while (max_fd >= 0 && !clients[max_fd].open)
        max_fd--;
    queue_free(&c->out);
    close(c->fd); /* the last descriptor of the socket: the kernel drops it from the set */
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
        /* [short-read] Fewer bytes than asked for: that was all, and what comes later is a new
         * edge.  Only an end of stream that is here already is not: it has to be read. */
        c->unread = n == sizeof buf || c->hung_up;
        server_work();
        client_echo(c, buf, (size_t)n);
    } else if (n == 0) {
        c->unread = false;
        c->eof = true; /* [half-close] it may still be reading: first send what is queued */
        client_flush(c);
    } else if (errno == EAGAIN) {
        c->unread = false;
    } else if (errno != EINTR) {
        client_close(c, strerror(errno));
    }
}

/* [drain-until-eagain] Edge-triggered: this is the only time that we are told.  What is left
 * unread stays unread until the client sends more - which it will not, if it waits for our
 * answer.  So read until EAGAIN, or until a read says as much without being asked ([short-read]);
 * else leave `unread` set and make sure to come back: a full queue brings an EPOLLOUT edge as soon
 * as there is room, and after [fair-turn] the kernel is asked to report the client once more. */
static void client_drain(struct client *c)
{
    for (int chunk = 0; c->unread && c->out.length < QUEUE_HIGH; chunk++) { /* [backpressure] */
        if (chunk == TURN) {
            /* [fair-turn] A client that floods us goes to the end of the line: changing its entry
             * makes the kernel report what is ready anew, behind all the others. */
            watch(EPOLL_CTL_MOD, c->fd);
            return;
        }
        client_read(c);
        if (!c->open)
            return;
    }
}

static void client_ready(struct client *c, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP)) { /* reset: nothing can be sent any more */
        client_close(c, "connection reset");
        return;
    }
    if (events & EPOLLRDHUP)
        c->hung_up = true;
    if (events & EPOLLIN && !c->eof)
        c->unread = true;
    if (events & EPOLLOUT && c->out.length > 0)
        client_flush(c);
    if (c->open)
        client_drain(c);
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
        clients[cfd] = (struct client){.fd = cfd, .open = true, .out.limit = QUEUE_HIGH + CHUNK};
        if (cfd > max_fd)
            max_fd = cfd;
        if (watch(EPOLL_CTL_ADD, cfd) == -1)
            client_close(&clients[cfd], strerror(errno)); /* memory, or max_user_watches */
    }
}

int main(int argc, char **argv)
{
    int lfd = server_start(argc, argv, "an echo server that waits with edge-triggered epoll", NULL);
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    clients = calloc_or_die(net_descriptor_limit(), sizeof *clients);
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.fd = lfd}};
    if ((epfd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
        epoll_ctl(epfd, EPOLL_CTL_ADD, lfd, &events[0]) == -1)
        die("epoll");
    server_stop_on_signals(lfd);
    server_ready(lfd, "epoll-et");

    while (!server_stopping) {
        int n = epoll_wait(epfd, events, EVENTS, -1);
        if (n == -1) {
            if (errno == EINTR)
                continue;
            die("epoll_wait");
        }
        /* [ready-only] A descriptor stands here at most once, and only its own event closes it:
         * no event can belong to a client that is gone. */
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == lfd)
                accept_clients(lfd);
            else
                client_ready(&clients[events[i].data.fd], events[i].events);
        }
    }

    for (int fd = max_fd; fd >= 0; fd--)
        if (clients[fd].open)
            client_close(&clients[fd], "server stopping");
    free(clients);
    close(epfd);
    close(lfd);
    return 0;
}
