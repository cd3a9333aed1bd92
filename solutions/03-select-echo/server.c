/*
 * A select echo server that reports who comes and who goes.
 *
 * It serves many clients at once and returns every byte.  On standard error, unless --quiet:
 *
 *     come 127.0.0.1:40112, 3 here
 *     gone 127.0.0.1:40112, 512 bytes, 2 here
 *
 * The bytes are those echoed, and the last number is how many clients are connected then.
 *
 * Compare with: lessons/03-select, which keeps its sets up to date; this one makes them anew.
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 16384,     /* bytes received at once */
    QUEUE_HIGH = 65536 /* a client with so many bytes queued is not read from */
};

struct client {
    int fd;                   /* its place in the table */
    bool open;                /* this entry of the table is in use */
    bool eof;                 /* the client has finished sending; what is queued is still owed */
    char name[NET_TEXT_SIZE]; /* its address, for the report */
    uint64_t echoed;          /* bytes that went back to it */
    struct queue out;         /* received, and not yet taken by the kernel */
};

/* Indexed by descriptor; there is room for every one that fits into an fd_set. */
static struct client *clients;
static int max_fd = -1; /* the highest descriptor of an open client, or -1 */
static int here;        /* how many are open */

/* The client has left, or has to: give back what it holds, and report it. */
static void client_close(struct client *c)
{
#ifdef STUB
    /* Yours: close the descriptor, free the queue and the entry, and report
     * "gone ADDRESS, BYTES bytes, N here". */
    (void)c;
    (void)here;
#else
    close(c->fd);
    queue_free(&c->out);
    c->open = false;
    while (max_fd >= 0 && !clients[max_fd].open)
        max_fd--;
    here--;
    server_report("gone %s, %" PRIu64 " bytes, %d here", c->name, c->echoed, here);
#endif
}

/* Send what is queued, as far as the kernel takes it. */
static void client_flush(struct client *c)
{
#ifdef STUB
    /* Yours: send from the front of the queue; what the kernel does not take now stays there.
     * Once nothing is owed to a client that has finished sending, close it. */
    (void)c;
#else
    while (c->out.length > 0) {
        ssize_t n = send(c->fd, queue_data(&c->out), c->out.length, 0);
        if (n >= 0) {
            queue_drop(&c->out, (size_t)n);
            c->echoed += (uint64_t)n;
        } else if (errno == EAGAIN) {
            return; /* [room-later] select tells when the kernel takes more */
        } else if (errno != EINTR) {
            client_close(c);
            return;
        }
    }
    if (c->eof)
        client_close(c);
#endif
}

/* Receive once, queue it, and send what can be sent. */
static void client_read(struct client *c)
{
#ifdef STUB
    /* Yours: one recv of at most CHUNK bytes, then server_work().  Nothing may overtake what is queued
     * already.  At the end of file it may still be reading: what is queued is owed. */
    (void)c;
#else
    char buf[CHUNK];
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n > 0) {
        server_work();
        if (queue_put(&c->out, buf, (size_t)n) == -1)
            client_close(c);
        else
            client_flush(c);
    } else if (n == 0) {
        c->eof = true; /* [half-close] first send what is queued */
        client_flush(c);
    } else if (errno != EAGAIN && errno != EINTR) {
        client_close(c);
    }
#endif
}

/* Take everybody who waits at the listener. */
static void accept_clients(int lfd)
{
#ifdef STUB
    /* Yours: accept4 with SOCK_NONBLOCK | SOCK_CLOEXEC until nobody is left; when it fails,
     * server_accept_again says whether to go on.  A descriptor that no fd_set can hold is refused
     * (server_refuse) and closed; any other gets its entry, and the report "come ADDRESS, N here". */
    (void)lfd;
#else
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
        struct client *c = &clients[cfd];
        *c = (struct client){.fd = cfd, .open = true, .out.limit = QUEUE_HIGH + CHUNK};
        net_peer_text(cfd, c->name); /* [name-kept] after a reset the socket no longer knows */
        if (cfd > max_fd)
            max_fd = cfd;
        here++;
        server_report("come %s, %d here", c->name, here);
    }
#endif
}

/* Make the sets for the next select: who is waited for, and for what.  Returns the highest
 * descriptor in them. */
static int watch_all(int lfd, fd_set *readable, fd_set *writable)
{
    FD_ZERO(readable);
    FD_ZERO(writable);
#ifdef STUB
    /* Yours: the listener and every open client.  A client is read from while its queue is below
     * QUEUE_HIGH, and waited for to take bytes only while it has some queued. */
    return lfd;
#else
    FD_SET(lfd, readable);
    for (int fd = 0; fd <= max_fd; fd++) {
        const struct client *c = &clients[fd];
        if (c->open && !c->eof && c->out.length < QUEUE_HIGH) /* [backpressure] */
            FD_SET(fd, readable);
        if (c->open && c->out.length > 0) /* [room-wanted] there is room nearly always */
            FD_SET(fd, writable);
    }
    return max_fd > lfd ? max_fd : lfd;
#endif
}

/* Wait until somebody is ready, and give everybody who is their turn. */
static void serve_once(int lfd)
{
    fd_set readable;
    fd_set writable;
    int highest = watch_all(lfd, &readable, &writable);
#ifdef STUB
    /* Yours: call select in place of sleep, and then give those that are ready their turn; a signal
     * that interrupts select is no failure. */
    sleep(1);
    (void)highest;
    (void)accept_clients;
    (void)client_flush;
    (void)client_read;
#else
    if (select(highest + 1, &readable, &writable, NULL, NULL) == -1) {
        if (errno == EINTR)
            return;
        die("select");
    }
    if (FD_ISSET(lfd, &readable))
        accept_clients(lfd);
    for (int fd = 0; fd <= highest; fd++) {
        if (clients[fd].open && FD_ISSET(fd, &writable))
            client_flush(&clients[fd]);
        if (clients[fd].open && FD_ISSET(fd, &readable))
            client_read(&clients[fd]);
    }
#endif
}

int main(int argc, char **argv)
{
    int lfd = server_start(argc, argv, "a select echo server that reports who comes and goes",
                           NULL);
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    if (lfd >= FD_SETSIZE)
        die("the listener's descriptor %d does not fit into an fd_set", lfd);
    clients = calloc_or_die(FD_SETSIZE, sizeof *clients);
    server_stop_on_signals(lfd);
    server_ready(lfd, "select");

    while (!server_stopping)
        serve_once(lfd);

    for (int fd = max_fd; fd >= 0; fd--)
        if (clients[fd].open)
            client_close(&clients[fd]);
    free(clients);
    close(lfd);
    return 0;
}
