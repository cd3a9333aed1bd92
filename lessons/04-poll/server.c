/*
 * An echo server in which one thread sleeps until any of its descriptors is ready, whatever
 * their numbers.
 *
 * The new idea: poll is given an array with one entry for each descriptor.  What is asked
 * (events) and what is answered (revents) stand apart, so the array is kept from call to call,
 * and no number is too high for it.
 *
 * Compare with: 03-select
 * Left out on purpose: a remedy for the cost.  The kernel still copies the whole array in and out,
 * and both sides look at every entry, at each call.
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"

#include <errno.h>
#include <poll.h>
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
static int max_fd = -1;        /* the highest descriptor of an open client, or -1 */
static struct pollfd *watched; /* what poll is asked to watch; indexed alike, -1 in a hole */

/* Tell poll what this client waits for: bytes, while they can be kept; room, while something
 * is queued. */
static void client_watch(const struct client *c)
{
    watched[c->fd] = (struct pollfd){.fd = c->open ? c->fd : -1};
    if (c->open && !c->eof && c->out.length < QUEUE_HIGH) /* [backpressure] */
        watched[c->fd].events |= POLLIN;
    if (c->open && c->out.length > 0)
        watched[c->fd].events |= POLLOUT;
}

static void client_close(struct client *c, const char *why)
{
    server_report("client %d: %s", c->fd, why);
    c->open = false;
    while (max_fd >= 0 && !clients[max_fd].open)
        max_fd--;
    queue_free(&c->out);
    client_watch(c);
    close(c->fd);
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

static void client_ready(struct client *c, short events)
{
    if (events & (POLLERR | POLLHUP)) { /* reset: nothing can be sent any more */
        client_close(c, "connection reset");
        return;
    }
    if (events & POLLOUT)
        client_flush(c);
    if (events & POLLIN && c->open)
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
        clients[cfd] = (struct client){.fd = cfd, .open = true, .out.limit = QUEUE_HIGH + CHUNK};
        if (cfd > max_fd)
            max_fd = cfd;
        client_watch(&clients[cfd]);
    }
}

int main(int argc, char **argv)
{
    int lfd = server_start(argc, argv, "an echo server that waits with poll", NULL);
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    size_t limit = net_descriptor_limit();
    clients = calloc_or_die(limit, sizeof *clients);
    watched = calloc_or_die(limit, sizeof *watched);
    for (size_t i = 0; i < limit; i++)
        watched[i].fd = -1; /* poll passes over a negative descriptor */
    watched[lfd] = (struct pollfd){.fd = lfd, .events = POLLIN};
    server_stop_on_signals(lfd);
    server_ready(lfd, "poll");

    while (!server_stopping) {
        /* [copied-whole] The kernel reads the array up to the highest number, and writes it back. */
        int highest = max_fd > lfd ? max_fd : lfd;
        if (poll(watched, (nfds_t)highest + 1, -1) == -1) {
            if (errno == EINTR)
                continue;
            die("poll");
        }
        /* [scan] It says how many are ready, not which: look at every one. */
        for (int fd = 0; fd <= highest; fd++) {
            if (fd == lfd && watched[fd].revents != 0)
                accept_clients(lfd);
            else if (clients[fd].open && watched[fd].revents != 0)
                client_ready(&clients[fd], watched[fd].revents);
        }
    }

    for (int fd = max_fd; fd >= 0; fd--)
        if (clients[fd].open)
            client_close(&clients[fd], "server stopping");
    free(watched);
    free(clients);
    close(lfd);
    return 0;
}
