/*
 * An echo server that is told what has been done, not what could be done.
 *
 * The new idea: completion.  The server writes orders - accept, receive, send - into a ring that
 * it shares with the kernel, and reads from a second ring what has come of them.  One system call
 * a turn hands all orders over and waits.  Accept and receive are ordered once and complete again
 * and again (multishot); the kernel receives into buffers that are lent to it for all clients.
 *
 * Compare with: 05-epoll-lt
 * Left out on purpose: registered descriptors, zero-copy sends, and a kernel thread that fetches
 * the orders by itself (SQPOLL).
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
    CHUNK = RING_CHUNK,       /* bytes received at once */
    QUEUE_HIGH = 65536,       /* a client with so many bytes queued is not read from */
    EVENTS = RING_COMPLETIONS /* completions taken at once: all that there are */
};

/* What is ordered.  It comes back with the completion, and the descriptor with it. */
enum order { ACCEPT, KNOCK, RECEIVE, CANCEL, SEND, ROOM };

struct client {
    int fd;             /* its place in the table */
    bool open;          /* this entry of the table is in use */
    bool eof;           /* the client has finished sending; what is queued is still owed */
    bool closing;       /* is closed as soon as the kernel has nothing left to do for it */
    bool receiving;     /* a receive is in the kernel, */
    bool cancelled;     /* and has been called back */
    bool sending;       /* a send of what stands in front is in the kernel, */
    bool silent;        /* and completes only if it does not send all; */
    bool full;          /* or it did not, and we wait for room */
    bool listed;        /* in the list of silent sends, for this one or one before it */
    unsigned orders;    /* orders in the kernel that name this client */
    char *own;          /* without multishot: the buffer to receive into */
    struct queue front; /* received, and being sent: must not move meanwhile */
    struct queue out;   /* received after that */
};

/* Indexed by descriptor: the kernel hands out the lowest free number, so the table is dense. */
static struct client *clients;
static int max_fd = -1; /* the highest descriptor of an open client, or -1 */
static bool accepting;  /* an order for the listener is in the kernel */

static struct client **silent; /* the clients with a silent send, each once */
static size_t silent_count = 0;
static bool urgent; /* a silent send has something behind it: come back at once */

static uint64_t tag(enum order what, int fd)
{
    return (uint64_t)what << 32 | (uint32_t)fd;
}

static void client_order(struct client *c, struct io_uring_sqe *sqe, enum order what)
{
    sqe->user_data = tag(what, c->fd);
    c->orders++;
}

static void client_receive(struct client *c)
{
    struct io_uring_sqe *sqe = ring_order();
    io_uring_prep_recv(sqe, c->fd, c->own, c->own != NULL ? CHUNK : 0, 0);
    if (ring_multishot) { /* [multishot] again and again, each time into any lent buffer */
        sqe->ioprio |= IORING_RECV_MULTISHOT;
        sqe->flags |= IOSQE_BUFFER_SELECT;
    }
    client_order(c, sqe, RECEIVE);
    c->receiving = true;
    c->cancelled = false;
}

static void client_cancel(struct client *c)
{
    struct io_uring_sqe *sqe = ring_order();
    io_uring_prep_rw(IORING_OP_ASYNC_CANCEL, sqe, -1, NULL, 0, 0);
    sqe->addr = tag(RECEIVE, c->fd);
    client_order(c, sqe, CANCEL);
    c->cancelled = true;
}

/* [silent-send] Almost every send takes all at once: no completion then, and no turn to see it.
 * As it does not wait, once it is handed over it has either spoken up or sent all. */
static void client_send(struct client *c)
{
    struct io_uring_sqe *sqe = ring_order();
    int flags = MSG_DONTWAIT | (ring_multishot ? MSG_WAITALL : 0);
    io_uring_prep_send(sqe, c->fd, queue_data(&c->front), c->front.length, flags);
    if (ring_multishot)
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    client_order(c, sqe, SEND);
    c->silent = ring_multishot;
    /* [listed-once] One that spoke up stays listed until all are settled: this one takes its place.
     * Listed twice, the second would be settled with the first, before it was even handed over. */
    if (c->silent && !c->listed)
        silent[silent_count++] = c;
    c->listed |= c->silent;
}

/* [room] A send could wait for room by itself.  But where the kernel sees room and then finds none,
 * it gives that send a thread to sleep in, in the end: here readiness serves better. */
static void client_await_room(struct client *c)
{
    struct io_uring_sqe *sqe = ring_order();
    io_uring_prep_poll_add(sqe, c->fd, POLLOUT);
    client_order(c, sqe, ROOM);
}

static void client_close(struct client *c, const char *why)
{
    if (c->closing)
        return;
    server_report("client %d: %s", c->fd, why);
    c->closing = true;
    if (c->orders > 0)
        shutdown(c->fd, SHUT_RDWR); /* whoever waits for room waits no longer */
}

/* [lifetime] The kernel reads and writes our memory until it has said that it is done.  Not before
 * may the memory be freed, or the descriptor's number become another client's. */
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

/* Send what is queued, in one piece.  [one-send] Of two sends in the kernel, the second could
 * overtake what the first has left: a client has one, and what comes meanwhile stands behind. */
static void client_flush(struct client *c)
{
    if (c->front.length == 0) {
        struct queue empty = c->front;
        c->front = c->out;
        c->out = empty;
    }
    c->sending = c->front.length > 0;
    if (c->sending && c->full) /* [partial-send] */
        client_await_room(c);
    else if (c->sending)
        client_send(c);
    else if (c->eof)
        client_close(c, "closed by the client");
}

/* Order what this client needs next: its bytes sent; more bytes, while they can be kept. */
static void client_watch(struct client *c)
{
    if (!c->sending && !c->closing)
        client_flush(c);
    if (c->closing && c->orders == 0) {
        client_free(c);
        return;
    }
    /* A receive that is given bytes with a reset behind them never sees the reset, nor a shutdown:
     * when the client is to be closed, too, it has to be called back. */
    bool wanted = !c->closing && !c->eof;
    wanted &= c->front.length + c->out.length < QUEUE_HIGH; /* [backpressure] */
    if (wanted && !c->receiving)
        client_receive(c);
    else if (!wanted && c->receiving && !c->cancelled)
        client_cancel(c);
    urgent |= c->silent && (c->closing || c->out.length > 0 || !c->receiving);
}

static void client_sent(struct client *c, int n)
{
    c->sending = c->silent = false;
    if (n >= 0)
        queue_drop(&c->front, (size_t)n);
    else if (n != -EAGAIN && n != -EINTR)
        client_close(c, strerror(-n));
    c->full = c->front.length > 0;
}

static void client_read(struct client *c, const struct io_uring_cqe *cqe)
{
    int n = cqe->res;
    char *bytes = ring_multishot ? ring_buffer(cqe) : c->own;
    c->receiving = cqe->flags & IORING_CQE_F_MORE;
    if (n > 0) {
        server_work();
        if (queue_put(&c->out, bytes, (size_t)n) == -1)
            client_close(c, strerror(errno));
    } else if (n == 0) {
        c->eof = true; /* [half-close] it may still be reading: first send what is queued */
    } else if (n != -ENOBUFS && n != -ECANCELED && n != -EAGAIN && n != -EINTR) {
        client_close(c, strerror(-n)); /* [no-buffers] is no fault of its own: order again */
    }
    ring_lend(bytes); /* [lent-buffers] few, for all clients: none may keep one */
}

static void client_completed(struct client *c, enum order what, const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_MORE))
        c->orders--;
    if (what == RECEIVE)
        client_read(c, cqe);
    else if (what == SEND)
        client_sent(c, cqe->res);
    else if (what == ROOM)
        c->sending = c->full = false;
    else if (what == CANCEL && cqe->res < 0)
        c->cancelled = false; /* the receive was not where it was looked for: try again */
    client_watch(c);
}

/* The silent sends that were handed over and have not spoken up have sent all. */
static void silent_sent(void)
{
    size_t n = silent_count;
    silent_count = 0; /* client_watch fills it anew, and never beyond i */
    for (size_t i = 0; i < n; i++) {
        struct client *c = silent[i];
        c->listed = false;
        if (!c->silent)
            continue;
        c->orders--;
        client_sent(c, (int)c->front.length);
        client_watch(c);
    }
}

static void accept_order(int lfd, enum order what)
{
    struct io_uring_sqe *sqe = ring_order();
    if (what == KNOCK)
        io_uring_prep_poll_add(sqe, lfd, POLLIN);
    else
        io_uring_prep_accept(sqe, lfd, NULL, NULL, SOCK_CLOEXEC);
    if (what == ACCEPT && ring_multishot)
        sqe->ioprio |= IORING_ACCEPT_MULTISHOT;
    sqe->user_data = tag(what, lfd);
    accepting = true;
}

static void accept_client(int cfd)
{
    char peer[NET_TEXT_SIZE];
    server_report("client %d: connected from %s", cfd, net_peer_text(cfd, peer));
    /* Until a receive is called back, it can fill all buffers, and once more those lent again. */
    struct queue empty = {.limit = QUEUE_HIGH + 2 * RING_BUFFERS * CHUNK};
    struct client *c = &clients[cfd];
    *c = (struct client){
        .fd = cfd, .open = true, .listed = c->listed, .front = empty, .out = empty};
    if (cfd > max_fd)
        max_fd = cfd;
    if (!ring_multishot && (c->own = malloc(CHUNK)) == NULL)
        client_close(c, strerror(errno));
    client_watch(c);
}

/* [knock] Out of descriptors, accept fails at once, even with nobody there: ordered again and again
 * it would spin.  Here, too, readiness serves better: wait until somebody is at the door. */
static void accept_completed(int lfd, const struct io_uring_cqe *cqe)
{
    accepting = cqe->flags & IORING_CQE_F_MORE;
    if (cqe->res >= 0)
        accept_client(cqe->res);
    if (accepting || server_stopping)
        return;
    bool out_of_descriptors = cqe->res == -EMFILE || cqe->res == -ENFILE;
    errno = cqe->res < 0 ? -cqe->res : 0;
    if (errno != 0 && !out_of_descriptors)
        server_accept_again(lfd);
    accept_order(lfd, out_of_descriptors ? KNOCK : ACCEPT);
}

/* By now a descriptor may be free.  If not, this client is refused. */
static void accept_knocked(int lfd)
{
    accepting = false;
    if (server_stopping)
        return;
    int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC); /* does not wait: somebody is there */
    if (cfd >= 0)
        accept_client(cfd);
    else
        server_accept_again(lfd);
    accept_order(lfd, ACCEPT);
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

/* Everything that the kernel has completed.  The sends first: then it is known which of the silent
 * ones have failed, and that the others have not. */
static void complete_all(void)
{
    static struct io_uring_cqe *cqes[EVENTS];
    unsigned n = io_uring_peek_batch_cqe(&ring, cqes, EVENTS);
    for (unsigned i = 0; i < n; i++)
        if (cqes[i]->user_data >> 32 == SEND)
            completed(cqes[i]);
    if (ring_is_settled())
        silent_sent();
    else
        urgent = true;
    for (unsigned i = 0; i < n; i++)
        if (cqes[i]->user_data >> 32 != SEND)
            completed(cqes[i]);
    io_uring_cq_advance(&ring, n);
}

static void close_all(void)
{
    for (int fd = max_fd; fd >= 0; fd--)
        if (clients[fd].open) {
            client_close(&clients[fd], "server stopping");
            client_watch(&clients[fd]);
        }
}

int main(int argc, char **argv)
{
    bool plain = false;
    const struct option_spec options[] = {
        {"plain", NULL, OPTION_FLAG, &plain, 0, 0, "no multishot, as on kernels before 6.0"}, {0}};
    int lfd = server_start(argc, argv, "an echo server that waits for completions", options);
    clients = calloc_or_die(net_descriptor_limit(), sizeof *clients);
    silent = calloc_or_die(net_descriptor_limit(), sizeof(struct client *));
    ring_open_or_die(plain);
    accept_order(lfd, ACCEPT);
    server_stop_on_signals(lfd);
    server_ready(lfd, "io-uring");

    /* When it stops, the listener is shut down, and so are all clients: every order completes. */
    while (!server_stopping || accepting || max_fd >= 0) {
        /* [one-call] Hand over all orders, and wait until anything has completed. */
        int n = io_uring_submit_and_wait(&ring, urgent ? 0 : 1);
        if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY) {
            errno = -n;
            die("io_uring_enter");
        }
        urgent = false;
        complete_all();
        if (server_stopping)
            close_all();
    }

    free(clients);
    free(silent);
    ring_close();
    close(lfd);
    return 0;
}
