/*
 * An echo server that is told what has been done, not what could be done.
 *
 * The new idea: completion.  The server writes orders - accept, receive, send - into a ring that
 * it shares with the kernel, and reads from a second ring what has come of them.  One system call
 * a turn hands over all orders and waits for results; accept and receive are ordered once and
 * complete again and again (multishot), into buffers that are lent to the kernel.
 *
 * Compare with: 05-epoll-lt
 * Left out on purpose: registered descriptors, zero-copy sends and a kernel thread that polls.
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"
#include "ring.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = RING_CHUNK,   /* bytes received at once */
    QUEUE_HIGH = 65536,   /* a client with so many bytes queued is not read from */
    EVENTS = RING_EVENTS, /* completions taken at once */
};

/* What was ordered.  It comes back with the completion, beside the descriptor. */
enum order { ACCEPT, KNOCK, RECEIVE, SEND, CANCEL };

struct client {
    int fd;             /* its place in the table */
    bool open;          /* this entry of the table is in use */
    bool eof;           /* the client has finished sending; what is queued is still owed */
    bool closing;       /* closed as soon as the kernel has nothing left to do for it */
    bool receiving;     /* a receive is in the kernel */
    bool cancelled;     /* and has been called back */
    bool sending;       /* a send is in the kernel, of chunk or of the bytes in front */
    unsigned orders;    /* orders in the kernel, those three */
    char *own;          /* without multishot: the buffer to receive into */
    char *chunk;        /* a received buffer that is being sent, or NULL */
    size_t chunk_size;  /* bytes in it */
    struct queue front; /* received, and being sent: must not move meanwhile */
    struct queue out;   /* received behind that */
};

/* Indexed by descriptor: the kernel hands out the lowest free number, so the table is dense. */
static struct client *clients;
static int max_fd = -1;        /* the highest descriptor of an open client, or -1 */
static bool accepting = false; /* an accept, or a wait for somebody to accept, is in the kernel */

static uint64_t tag(enum order what, int fd)
{
    return (uint64_t)what << 32 | (uint32_t)fd;
}

static void client_order(struct client *c, struct io_uring_sqe *sqe, enum order what)
{
    sqe->user_data = tag(what, c->fd);
    c->orders++;
}

/* Order what this client waits for: bytes, while they can be kept. */
static void client_watch(struct client *c)
{
    bool wanted = !c->eof && c->front.length + c->out.length < QUEUE_HIGH;
    if (wanted && !c->receiving && c->chunk == NULL) {
        struct io_uring_sqe *sqe = ring_order();
        io_uring_prep_recv(sqe, c->fd, c->own, c->own != NULL ? CHUNK : 0, 0);
        if (ring_multishot) { /* [multishot] into any lent buffer, until called back */
            sqe->ioprio |= IORING_RECV_MULTISHOT;
            sqe->flags |= IOSQE_BUFFER_SELECT;
        }
        client_order(c, sqe, RECEIVE);
        c->receiving = true;
        c->cancelled = false;
    } else if (!wanted && c->receiving && !c->cancelled) { /* [backpressure] */
        struct io_uring_sqe *sqe = ring_order();
        io_uring_prep_rw(IORING_OP_ASYNC_CANCEL, sqe, -1, NULL, 0, 0);
        sqe->addr = tag(RECEIVE, c->fd);
        client_order(c, sqe, CANCEL);
        c->cancelled = true;
    }
}

static void client_close(struct client *c, const char *why)
{
    if (c->closing)
        return;
    server_report("client %d: %s", c->fd, why);
    c->closing = true;
    if (c->orders > 0)
        shutdown(c->fd, SHUT_RDWR); /* what is in the kernel completes now */
}

/* [lifetime] The kernel still writes into buffers, and reads from them, until it has said that it
 * is done.  Only then can they be freed, and the descriptor's number be used for another client. */
static void client_free(struct client *c)
{
    c->open = false;
    while (max_fd >= 0 && !clients[max_fd].open)
        max_fd--;
    queue_free(&c->front);
    queue_free(&c->out);
    free(c->own);
    close(c->fd);
}

static void client_settle(struct client *c)
{
    if (!c->closing)
        client_watch(c);
    else if (c->orders == 0)
        client_free(c);
}

/* [one-send] Two sends in the kernel could overtake each other: there is one at a time. */
static void client_send(struct client *c, const char *bytes, size_t size, int flags)
{
    struct io_uring_sqe *sqe = ring_order();
    io_uring_prep_send(sqe, c->fd, bytes, size, flags);
    client_order(c, sqe, SEND);
    c->sending = true;
}

/* Send what is queued.  The kernel waits for room, if there is none. */
static void client_flush(struct client *c)
{
    if (c->front.length == 0) { /* [frozen] what arrives now is queued behind, in other memory */
        struct queue empty = c->front;
        c->front = c->out;
        c->out = empty;
    }
    if (c->front.length > 0)
        client_send(c, queue_data(&c->front), c->front.length, 0);
    else if (c->eof)
        client_close(c, "closed by the client");
}

/* Send from the buffer that was received into.  [lent-buffers] The buffers are everybody's:
 * MSG_DONTWAIT, so that a client who does not read cannot keep one. */
static void client_echo(struct client *c, char *bytes, size_t size)
{
    if (!c->sending) {
        c->chunk = bytes;
        c->chunk_size = size;
        client_send(c, bytes, size, MSG_DONTWAIT);
        return;
    }
    if (queue_put(&c->out, bytes, size) == -1)
        client_close(c, strerror(errno));
    ring_lend(bytes);
}

/* A send has ended: n bytes are gone, or n is an error.  [partial-send] What is left of a chunk
 * stands before everything that has come since. */
static void client_sent(struct client *c, int n)
{
    c->sending = false;
    if (n == -EAGAIN || n == -EINTR)
        n = 0;
    if (c->chunk != NULL) {
        if (n >= 0 && queue_put(&c->front, c->chunk + n, c->chunk_size - (size_t)n) == -1)
            n = -errno;
        ring_lend(c->chunk);
        c->chunk = NULL;
    } else if (n >= 0) {
        queue_drop(&c->front, (size_t)n);
    }
    if (n < 0)
        client_close(c, strerror(-n));
    else if (!c->closing)
        client_flush(c);
}

static void client_read(struct client *c, const struct io_uring_cqe *cqe)
{
    int n = cqe->res;
    char *bytes = ring_multishot ? ring_buffer(cqe) : c->own;
    c->receiving = cqe->flags & IORING_CQE_F_MORE;
    if (n > 0 && !c->closing) {
        server_work();
        client_echo(c, bytes, (size_t)n);
        return;
    }
    ring_lend(bytes);
    if (c->closing)
        return;
    if (n == 0) {
        c->eof = true; /* [half-close] it may still be reading: first send what is queued */
        if (!c->sending)
            client_flush(c);
    } else if (n != -ENOBUFS && n != -ECANCELED && n != -EINTR && n != -EAGAIN) {
        client_close(c, strerror(-n)); /* [no-buffers] all are in use: ordered again */
    }
}

static void client_completed(struct client *c, enum order what, const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_MORE))
        c->orders--;
    if (what == RECEIVE)
        client_read(c, cqe);
    else if (what == SEND)
        client_sent(c, cqe->res);
    client_settle(c);
}

static void accept_order(int lfd)
{
    struct io_uring_sqe *sqe = ring_order();
    io_uring_prep_accept(sqe, lfd, NULL, NULL, SOCK_CLOEXEC);
    if (ring_multishot)
        sqe->ioprio |= IORING_ACCEPT_MULTISHOT;
    sqe->user_data = tag(ACCEPT, lfd);
    accepting = true;
}

/* [knock] Out of descriptors, an accept fails at once, with nobody waiting: ordered again and
 * again it would spin.  Readiness helps: wait until somebody is there. */
static void accept_order_knock(int lfd)
{
    struct io_uring_sqe *sqe = ring_order();
    io_uring_prep_poll_add(sqe, lfd, POLLIN);
    sqe->user_data = tag(KNOCK, lfd);
    accepting = true;
}

static void accept_client(int cfd)
{
    char peer[NET_TEXT_SIZE];
    server_report("client %d: connected from %s", cfd, net_peer_text(cfd, peer));
    /* One turn can bring as much as there are buffers. */
    struct queue empty = {.limit = QUEUE_HIGH + RING_BUFFERS * CHUNK};
    clients[cfd] = (struct client){.fd = cfd, .open = true, .front = empty, .out = empty};
    if (cfd > max_fd)
        max_fd = cfd;
    if (!ring_multishot && (clients[cfd].own = malloc(CHUNK)) == NULL)
        client_close(&clients[cfd], strerror(errno));
    client_settle(&clients[cfd]);
}

static void accept_completed(int lfd, const struct io_uring_cqe *cqe)
{
    accepting = cqe->flags & IORING_CQE_F_MORE;
    if (cqe->res >= 0)
        accept_client(cqe->res);
    if (accepting || server_stopping)
        return;
    if (cqe->res == -EMFILE || cqe->res == -ENFILE) {
        accept_order_knock(lfd);
        return;
    }
    errno = -cqe->res;
    if (cqe->res < 0)
        net_accept_again(lfd);
    accept_order(lfd);
}

/* Somebody waits, so that accept4 does not.  Either a descriptor is free by now, or this one
 * client is refused. */
static void accept_knocked(int lfd)
{
    accepting = false;
    if (server_stopping)
        return;
    int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
    if (cfd == -1)
        net_accept_again(lfd);
    else
        accept_client(cfd);
    accept_order(lfd);
}

static void completed(const struct io_uring_cqe *cqe)
{
    enum order what = (enum order)(cqe->user_data >> 32);
    int fd = (int)(uint32_t)cqe->user_data;
    if (what == ACCEPT)
        accept_completed(fd, cqe);
    else if (what == KNOCK)
        accept_knocked(fd);
    else
        client_completed(&clients[fd], what, cqe);
}

static void close_all(void)
{
    for (int fd = max_fd; fd >= 0; fd--) {
        if (!clients[fd].open)
            continue;
        client_close(&clients[fd], "server stopping");
        client_settle(&clients[fd]);
    }
}

int main(int argc, char **argv)
{
    bool plain = false;
    const struct option_spec options[] = {
        {"plain", NULL, OPTION_FLAG, &plain, 0, 0, "no multishot, as on kernels before 6.1"}, {0}};
    int lfd = server_start(argc, argv, "an echo server that waits for completions", options);
    clients = calloc_or_die(net_descriptor_limit(), sizeof *clients);
    ring_open_or_die(plain);
    accept_order(lfd);
    server_stop_on_signals(lfd);
    server_ready(lfd, "io-uring");

    /* Stopping, the listener is shut down and so are all clients: every order completes soon. */
    while (!server_stopping || accepting || max_fd >= 0) {
        /* [one-call] Hand over all orders, and wait until at least one has completed. */
        int n = io_uring_submit_and_wait(&ring, 1);
        if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY) {
            errno = -n;
            die("io_uring_enter");
        }
        struct io_uring_cqe *cqes[EVENTS];
        unsigned count = io_uring_peek_batch_cqe(&ring, cqes, EVENTS);
        for (unsigned i = 0; i < count; i++)
            completed(cqes[i]);
        io_uring_cq_advance(&ring, count);
        if (server_stopping)
            close_all();
    }

    free(clients);
    ring_close();
    close(lfd);
    return 0;
}
