/*
 * An echo server in which one thread sleeps until any of its descriptors is ready.
 *
 * The new idea: select is given a set of descriptors and returns when one of them can be read
 * or written without waiting.  The loop of the busy poll stays, and now sleeps between its turns.
 *
 * Compare with: 02-busy-poll
 * Left out on purpose: descriptors of FD_SETSIZE (1024) and above, which no fd_set can hold.
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
#include <sys/select.h>
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
static int max_fd = -1;              /* the highest descriptor of an open client, or -1 */
static fd_set want_read, want_write; /* what select is asked to watch */

/* Tell select what this client waits for: bytes, while they can be kept; room, while something
 * is queued. */
static void client_watch(const struct client *c)
{
    FD_CLR(c->fd, &want_read);
    FD_CLR(c->fd, &want_write);
    if (c->open && !c->eof && c->out.length < QUEUE_HIGH) /* [backpressure] */
        FD_SET(c->fd, &want_read);
    if (c->open && c->out.length > 0)
        FD_SET(c->fd, &want_write);
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

static void client_ready(struct client *c, bool readable, bool writable)
{
    if (writable)
        client_flush(c);
    if (readable && c->open)
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
        if (cfd >= FD_SETSIZE) { /* [fd-setsize] FD_SET would write behind the end of the set */
            server_refuse("refused: descriptor %d does not fit into an fd_set of %d", cfd,
                          FD_SETSIZE);
            close(cfd);
            continue;
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
    int lfd = server_start(argc, argv, "an echo server that waits with select", NULL);
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    if (lfd >= FD_SETSIZE)
        die("the listener's descriptor %d does not fit into an fd_set", lfd);
    clients = calloc_or_die(FD_SETSIZE, sizeof *clients);
    FD_SET(lfd, &want_read);
    server_stop_on_signals(lfd);
    server_ready(lfd, "select");

    while (!server_stopping) {
        /* [rebuild] select overwrites its sets with the answer, so it gets copies. */
        fd_set readable = want_read;
        fd_set writable = want_write;
        int highest = max_fd > lfd ? max_fd : lfd;
        if (select(highest + 1, &readable, &writable, NULL, NULL) == -1) {
            if (errno == EINTR)
                continue;
            die("select");
        }
        /* [scan] It says how many are ready, not which: look at every one. */
        for (int fd = 0; fd <= highest; fd++) {
            if (fd == lfd && FD_ISSET(fd, &readable))
                accept_clients(lfd);
            else if (clients[fd].open)
                client_ready(&clients[fd], FD_ISSET(fd, &readable), FD_ISSET(fd, &writable));
        }
    }

    for (int fd = max_fd; fd >= 0; fd--)
        if (clients[fd].open)
            client_close(&clients[fd], "server stopping");
    free(clients);
    close(lfd);
    return 0;
}
