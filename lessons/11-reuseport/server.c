/*
 * An echo server with one event loop for each core, each with its own listener on the same port.
 *
 * The new idea: with SO_REUSEPORT several sockets may listen on one port, and the kernel gives every
 * new connection to one of them, by a hash of its addresses and ports.  Each process runs lesson 05's
 * loop on its own listener, its own epoll set and its own clients, and shares nothing.
 *
 * Processes, not threads: nothing is shared, so threads would only add a way to bring all of them
 * down at once.  The parent opens the listeners and keeps them, so that the clients who wait for a
 * worker that dies are served by the next one; were the listener the worker's own, they would be
 * reset with it.
 *
 * Compare with: 05-epoll-lt
 * Left out on purpose: balance.  The hash does not know who is busy.
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"
#include "workers.h"

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
    EVENTS = 256        /* ready descriptors taken at once */
};

struct client {
    int fd;           /* its place in the table */
    bool open;        /* this entry of the table is in use */
    bool eof;         /* the client has finished sending; what is queued is still owed */
    uint32_t watched; /* the events that the kernel is asked for */
    struct queue out; /* received, and not yet taken by the kernel */
};

/* Indexed by descriptor: the kernel hands out the lowest free number, so the table is dense. */
static struct client *clients;
static int max_fd = -1;       /* the highest descriptor of an open client, or -1 */
static int epfd;              /* the epoll instance */
static unsigned long number;  /* of this worker, from 0 */
static unsigned long workers; /* how many there are */

/* [epollout-on-demand] Tell the kernel what this client waits for: bytes, while they can be kept;
 * room, only while something is queued, since an idle socket has room all the time.  Most turns
 * change nothing and cost no system call. */
static void client_watch(struct client *c)
{
    uint32_t wanted = 0;
    if (!c->eof && c->out.length < QUEUE_HIGH) /* [backpressure] */
        wanted |= EPOLLIN;
    if (c->out.length > 0)
        wanted |= EPOLLOUT;
    if (wanted == c->watched)
        return;
    struct epoll_event event = {.events = wanted, .data.fd = c->fd};
    epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &event); /* cannot fail: the entry is there */
    c->watched = wanted;
}

static void client_close(struct client *c, const char *why)
{
    server_report("worker %lu (pid %d): client %d: %s", number, (int)getpid(), c->fd, why);
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
        server_work();
        client_echo(c, buf, (size_t)n);
    } else if (n == 0) {
        c->eof = true; /* [half-close] it may still be reading: first send what is queued */
        client_flush(c);
    } else if (errno != EAGAIN && errno != EINTR) {
        client_close(c, strerror(errno));
    }
}

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
            if (net_accept_again(lfd))
                continue;
            return;
        }
        char peer[NET_TEXT_SIZE];
        server_report("worker %lu (pid %d): client %d: connected from %s", number, (int)getpid(),
                      cfd, net_peer_text(cfd, peer));
        clients[cfd] = (struct client){
            .fd = cfd, .open = true, .watched = EPOLLIN, .out.limit = QUEUE_HIGH + CHUNK};
        if (cfd > max_fd)
            max_fd = cfd;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = cfd};
        if (epoll_ctl(epfd, EPOLL_CTL_ADD, cfd, &event) == -1)
            client_close(&clients[cfd], strerror(errno)); /* memory, or max_user_watches */
    }
}

/* [share-nothing] What a worker runs: its own listener, its own loop.  It has nothing to put in order
 * before it dies, so SIGTERM simply kills it, and the kernel closes its clients. */
static void work(unsigned long own_number, void *context)
{
    const int *lfds = context;
    int lfd = lfds[own_number];
    number = own_number;
    for (unsigned long i = 0; i < workers; i++)
        if (lfds[i] != lfd)
            close(lfds[i]); /* another worker's; the parent keeps it for him */
    clients = calloc_or_die(net_descriptor_limit(), sizeof *clients);
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.fd = lfd}};
    if ((epfd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
        epoll_ctl(epfd, EPOLL_CTL_ADD, lfd, &events[0]) == -1)
        die("epoll");
    for (;;) {
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
}

static void started(void *context)
{
    server_ready(*(int *)context, "reuseport");
}

int main(int argc, char **argv)
{
    workers = (unsigned long)sysconf(_SC_NPROCESSORS_ONLN);
    const struct option_spec more[] = {
        {"workers", "N", OPTION_NUMBER, &workers, 1, 1024, "processes, each with a listener"},
        {0},
    };
    server_options(argc, argv, "an echo server with an event loop for each core", more);
    /* [port-taken] With SO_REUSEPORT a second server of ours would share the port with the first,
     * and nobody would be told.  So the port is asked for without it, once, and given back. */
    close(server_listen(SO_REUSEADDR));
    int *lfds = calloc_or_die(workers, sizeof *lfds);
    for (unsigned long i = 0; i < workers; i++) {
        lfds[i] = server_listen(SO_REUSEPORT); /* [own-listener] all of them on one port */
        if (net_set_nonblocking(lfds[i]) == -1)
            die("cannot make the listener nonblocking");
    }
    workers_run(workers, work, started, lfds);
    for (unsigned long i = 0; i < workers; i++)
        close(lfds[i]);
    free(lfds);
    return 0;
}
