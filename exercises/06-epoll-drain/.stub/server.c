/*
 * An echo server on edge-triggered epoll that loses no wake-up and starves nobody.
 *
 * The new idea: an edge is told once, so what was not read has to be remembered.  A client is read
 * from until nothing is left, but at most --turn bytes at a time; one whose turn ended before that
 * stands in line for its next turn, and while anybody stands there the server does not sleep.
 *
 * Compare with: lessons/06-epoll-et, which asks the kernel to remember (EPOLL_CTL_MOD).
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
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 16384,      /* bytes received at once, at most */
    QUEUE_HIGH = 65536, /* a client with so many bytes queued is not read from */
    EVENTS = 256        /* ready descriptors taken at once */
};

struct client {
    int fd;           /* its place in the table */
    bool open;        /* this entry of the table is in use */
    bool eof;         /* the client has finished sending; what is queued is still owed */
    bool unread;      /* there may be bytes that we were told of and have not read */
    struct queue out; /* received, and not yet taken by the kernel */
    /* Yours: what it takes to stand in a list of the clients whose turn ended too early. */
};

static unsigned long turn = 65536; /* bytes read from one client before the others' turn */

/* Indexed by descriptor: the kernel hands out the lowest free number, so the table is dense. */
static struct client *clients;
static int max_fd = -1; /* the highest descriptor of an open client, or -1 */
static int epfd;        /* the epoll instance */

/* Everything that can ever be of interest, asked for once. */
static int watch(int op, int fd)
{
    /* Yours: which events, told in which way?  As it stands, the kernel tells of nothing. */
    struct epoll_event event = {.events = 0, .data.fd = fd};
    return epoll_ctl(epfd, op, fd, &event);
}

/* Yours: the list.  <sys/queue.h> has some that are ready to use, see tailq(3). */

static void client_close(struct client *c, const char *why)
{
    server_report("client %d: %s", c->fd, why);
    c->open = false;
    while (max_fd >= 0 && !clients[max_fd].open)
        max_fd--;
    /* Yours: a client that is closed stands in no list. */
    queue_free(&c->out);
    close(c->fd); /* the last descriptor of the socket: the kernel drops it from the set */
}

/* Yours: to send what is queued as far as the kernel takes it; to read one chunk and echo it
 * (server_work() stands for the work that it takes: call it once for each chunk); to read from a
 * client until nothing is left, its queue is full, or `turn` bytes were read; and the next turn of
 * each client that was left unfinished. */

static void client_ready(struct client *c, uint32_t events)
{
    /* Yours: what the events say, and what is to be done about it. */
    (void)c;
    (void)events;
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
    const struct option_spec options[] = {
        {"turn", "BYTES", OPTION_NUMBER, &turn, 1, 1UL << 30,
         "read from one client before the others have their turn"},
        {0},
    };
    int lfd = server_start(argc, argv, "an echo server that drains, in turns", options);
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
        /* Yours: nobody may be left unfinished while the server sleeps. */
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
