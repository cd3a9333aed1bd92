/*
 * An echo server that asks every socket, again and again, whether it has something.
 *
 * The new idea: a nonblocking call never waits; it answers EAGAIN instead, and one thread can
 * go on to the next client.  What the kernel does not take has to be kept and offered again,
 * so every client now has a queue.
 *
 * Compare with: 01-blocking
 * Left out on purpose: any way to sleep.  The loop takes a whole core even with nobody there.
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"

#include <errno.h>
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

static void client_close(struct client *c, const char *why)
{
    server_report("client %d: %s", c->fd, why);
    c->open = false;
    while (max_fd >= 0 && !clients[max_fd].open)
        max_fd--;
    queue_free(&c->out);
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
    }
}

int main(int argc, char **argv)
{
    int lfd = server_start(argc, argv, "an echo server that asks every socket in turn", NULL);
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    clients = calloc_or_die(net_descriptor_limit(), sizeof *clients);
    server_stop_on_signals(lfd);
    server_ready(lfd, "busy-poll");

    while (!server_stopping) {
        accept_clients(lfd); /* [busy] every call below may answer EAGAIN, for ever */
        for (int fd = 0; fd <= max_fd; fd++) {
            struct client *c = &clients[fd];
            if (c->open && c->out.length > 0)
                client_flush(c);
            if (c->open && !c->eof && c->out.length < QUEUE_HIGH) /* [backpressure] */
                client_read(c);
        }
    }

    for (int fd = max_fd; fd >= 0; fd--)
        if (clients[fd].open)
            client_close(&clients[fd], "server stopping");
    free(clients);
    close(lfd);
    return 0;
}
