/*
 * A poll echo server whose set has no holes: it grows when clients come, shrinks when they go,
 * and nobody in it is skipped or served twice.
 *
 * Two arrays stand side by side: entry i of both is the same connection.
 *
 *     watched   {lfd POLLIN} {5 POLLIN} {6 POLLIN|POLLOUT} {7 POLLIN}    what poll looks at
 *     clients   (the listener)  ...        ...                ...        what we know of it
 *                   0            1          2                  3           count is 4
 *
 * Compare with: lessons/04-poll, whose array is indexed by descriptor and has holes.
 * Left out on purpose: giving the arrays' memory back; only what poll copies shrinks.
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 16384,      /* bytes received at once */
    QUEUE_HIGH = 65536, /* a client with so many bytes queued is not read from */
    ROOM_FIRST = 8      /* entries of the arrays at first */
};

struct client {
    int fd;
    bool eof;         /* the client has finished sending; what is queued is still owed */
    struct queue out; /* received, and not yet taken by the kernel */
};

static struct pollfd *watched;
static struct client *clients;
static size_t count; /* entries in use, the listener's included */
static size_t room;  /* entries allocated */

/* ---- the set ------------------------------------------------------------------------------ */

/* Make room for twice as many entries.  Returns 0; or -1 with ENOMEM, and the set is as it was. */
static int set_grow(void)
{
    /* Yours: both arrays, with realloc, which may move them, and may fail for the second one. */
    return -1;
}

/* Append an entry that waits for something to read.  Returns 0, or -1 with ENOMEM. */
static int set_add(int fd)
{
    if (count == room && set_grow() == -1)
        return -1;
    /* Yours: fill in the next entry of both arrays; nothing may be left of one that stood there. */
    (void)fd;
    return 0;
}

/* Close entry i and leave no hole: the last entry takes its place. */
static void set_remove(size_t i)
{
    /* Yours: give back what the client holds, and fill the gap in both arrays. */
    queue_free(&clients[i].out);
}

/* ---- one client --------------------------------------------------------------------------- */

/* Send what is queued, as far as the kernel takes it.  Returns false if the client is to be closed. */
static bool client_flush(struct client *c)
{
    while (c->out.length > 0) {
        ssize_t n = send(c->fd, queue_data(&c->out), c->out.length, 0);
        if (n >= 0)
            queue_drop(&c->out, (size_t)n);
        else if (errno == EAGAIN)
            return true;
        else if (errno != EINTR)
            return false;
    }
    return !c->eof;
}

/* Receive once, queue it, and send what can be sent.  Returns false if the client is to be closed. */
static bool client_read(struct client *c)
{
    char buf[CHUNK];
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n == -1)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        c->eof = true; /* [half-close] first send what is queued */
    else
        server_work();
    return queue_put(&c->out, buf, (size_t)n) == 0 && client_flush(c);
}

/* Do what entry i is ready for, and say what it waits for next.  Returns false if it is to be
 * closed. */
static bool client_ready(size_t i)
{
    struct client *c = &clients[i];
    /* Yours: poll's answer is in watched[i].revents, and may hold several events at once, also
     * some that nobody asked for.  What is to be asked next goes into watched[i].events: a client is
     * read from while its queue is below QUEUE_HIGH, and waited for to take bytes only while it
     * has some queued. */
    return client_read(c) && client_flush(c);
}

/* ---- all of them -------------------------------------------------------------------------- */

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
        if (set_add(cfd) == -1) {
            server_refuse("refused: out of memory for client %d", cfd);
            close(cfd);
        }
    }
}

/* Wait until somebody is ready, and give everybody who is their turn, each once. */
static void serve_once(int lfd)
{
    /* Yours: poll the set in place of sleep, then give those that are ready their turn, and take out
     * those that are to be closed; a signal that interrupts poll is no failure.  While you go
     * through the set, entries leave it and new ones arrive. */
    sleep(1);
    (void)lfd;
    (void)accept_clients;
    (void)client_ready;
}

int main(int argc, char **argv)
{
    int lfd = server_start(argc, argv, "an echo server whose poll set has no holes", NULL);
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    room = ROOM_FIRST;
    watched = calloc_or_die(room, sizeof *watched);
    clients = calloc_or_die(room, sizeof *clients);
    set_add(lfd);
    server_stop_on_signals(lfd);
    server_ready(lfd, "poll");

    while (!server_stopping)
        serve_once(lfd);

    for (size_t i = count; i > 0; i--)
        set_remove(i - 1);
    free(watched);
    free(clients);
    return 0;
}
