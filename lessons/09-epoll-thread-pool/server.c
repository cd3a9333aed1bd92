/*
 * An echo server in which one thread waits with epoll and hands ready clients to a pool of threads.
 *
 * The new idea: waiting needs one thread, computing needs one for each core.  A client that is ready
 * goes through a bounded queue to a worker, who owns it until he hands it back to epoll; with
 * EPOLLONESHOT it is not reported again before that, so it is never in two workers at once.
 *
 * Compare with: 05-epoll-lt
 * Left out on purpose: anything shared by two clients.  That would take a lock of its own.
 */

#include "server.h"
#include "die.h"
#include "net.h"
#include "queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
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
    READY_MAX = 256     /* ready clients that wait for a worker */
};

struct client {
    int fd;
    bool eof;                   /* the client has finished sending; what is queued is still owed */
    pthread_mutex_t turn;       /* see [hand-over] */
    struct queue out;           /* received, and not yet taken by the kernel */
    struct client *next, *prev; /* in the list of all */
};

static int epfd; /* the epoll instance */

/* All clients, so that they can be closed at the end.  Guarded by a lock, for any worker may close
 * one; a client itself needs none, as one thread at a time owns it. */
static pthread_mutex_t clients_lock = PTHREAD_MUTEX_INITIALIZER;
static struct client *clients;

/* [bounded-queue] The clients that are ready, in order.  Whoever finds it full waits, so that a
 * burst of work slows the reading down and does not fill the memory. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    struct epoll_event ring[READY_MAX]; /* data.ptr: the client */
    size_t first, count;
    bool closed; /* the workers go home */
} ready = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .filled = PTHREAD_COND_INITIALIZER,
           .drained = PTHREAD_COND_INITIALIZER};

static void ready_put(struct epoll_event event)
{
    pthread_mutex_lock(&ready.lock);
    while (ready.count == READY_MAX)
        pthread_cond_wait(&ready.drained, &ready.lock);
    ready.ring[(ready.first + ready.count++) % READY_MAX] = event;
    pthread_cond_signal(&ready.filled);
    pthread_mutex_unlock(&ready.lock);
}

/* The next ready client, who belongs to the caller now; false when the server stops. */
static bool ready_take(struct epoll_event *event)
{
    pthread_mutex_lock(&ready.lock);
    while (ready.count == 0 && !ready.closed)
        pthread_cond_wait(&ready.filled, &ready.lock);
    bool open = !ready.closed;
    if (open) {
        *event = ready.ring[ready.first];
        ready.first = (ready.first + 1) % READY_MAX;
        if (ready.count-- == READY_MAX)
            pthread_cond_signal(&ready.drained);
    }
    pthread_mutex_unlock(&ready.lock);
    return open;
}

static void client_close(struct client *c, const char *why)
{
    server_report("client %d: %s", c->fd, why);
    pthread_mutex_lock(&clients_lock);
    if (c->next != NULL)
        c->next->prev = c->prev;
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        clients = c->next;
    pthread_mutex_unlock(&clients_lock);
    close(c->fd); /* the last descriptor of the socket: the kernel drops it from the set */
    queue_free(&c->out);
    pthread_mutex_destroy(&c->turn);
    free(c);
}

/* [hand-back] The worker is done with the client: epoll may report it again, to whichever worker is
 * free then. */
static int client_watch(struct client *c, int op)
{
    uint32_t wanted = EPOLLONESHOT;
    if (!c->eof && c->out.length < QUEUE_HIGH) /* [backpressure] */
        wanted |= EPOLLIN;
    if (c->out.length > 0)
        wanted |= EPOLLOUT;
    struct epoll_event event = {.events = wanted, .data.ptr = c};
    return epoll_ctl(epfd, op, c->fd, &event);
}

/* Send what is queued, as far as the kernel takes it.  Returns NULL, or why the client is done. */
static const char *client_flush(struct client *c)
{
    while (c->out.length > 0) {
        ssize_t n = send(c->fd, queue_data(&c->out), c->out.length, 0);
        if (n >= 0)
            queue_drop(&c->out, (size_t)n);
        else if (errno == EAGAIN)
            return NULL;
        else if (errno != EINTR)
            return strerror(errno);
    }
    return c->eof ? "closed by the client" : NULL;
}

/* [partial-send] Send at once what the kernel takes, and queue the rest.  Nothing may overtake
 * what is queued already. */
static const char *client_echo(struct client *c, const char *bytes, size_t size)
{
    ssize_t n = 0;
    while (c->out.length == 0 && (n = send(c->fd, bytes, size, 0)) == -1 && errno == EINTR)
        ;
    if (n == -1 && errno == EAGAIN)
        n = 0;
    if (n == -1 || queue_put(&c->out, bytes + n, size - (size_t)n) == -1)
        return strerror(errno);
    return NULL;
}

static const char *client_read(struct client *c)
{
    char buf[CHUNK];
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n > 0) {
        server_work();
        return client_echo(c, buf, (size_t)n);
    }
    if (n == 0) {
        c->eof = true; /* [half-close] it may still be reading: first send what is queued */
        return client_flush(c);
    }
    return errno == EAGAIN || errno == EINTR ? NULL : strerror(errno);
}

/* Do what the client is ready for.  Returns NULL, or why the client is done. */
static const char *client_ready(struct client *c, uint32_t events)
{
    const char *why = NULL;
    if (events & (EPOLLERR | EPOLLHUP)) /* reset: nothing can be sent any more */
        return "connection reset";
    if (events & EPOLLOUT)
        why = client_flush(c);
    if (events & EPOLLIN && why == NULL)
        why = client_read(c);
    return why;
}

/* [hand-over] EPOLLONESHOT alone sees to it that no two workers have the same client.  But epoll is
 * nothing that C knows: only a lock makes what one worker wrote visible to the next (C11 5.1.2.4).
 * So each client has one, which is hardly ever waited for: by a worker who gets a client that
 * another is just handing back. */
static void *worker(void *unused)
{
    for (struct epoll_event event; ready_take(&event);) {
        struct client *c = event.data.ptr;
        pthread_mutex_lock(&c->turn);
        const char *why = client_ready(c, event.events);
        if (why == NULL && client_watch(c, EPOLL_CTL_MOD) == -1)
            why = strerror(errno);
        pthread_mutex_unlock(&c->turn);
        if (why != NULL) /* not handed back: it is still ours */
            client_close(c, why);
    }
    return unused;
}

static void client_add(int cfd)
{
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        server_refuse("refused: %s", strerror(errno));
        close(cfd);
        return;
    }
    c->fd = cfd;
    pthread_mutex_init(&c->turn, NULL);
    c->out.limit = QUEUE_HIGH + CHUNK;
    pthread_mutex_lock(&clients_lock);
    c->next = clients;
    if (clients != NULL)
        clients->prev = c;
    clients = c;
    pthread_mutex_unlock(&clients_lock);
    pthread_mutex_lock(&c->turn);
    int added = client_watch(c, EPOLL_CTL_ADD);
    pthread_mutex_unlock(&c->turn);
    if (added == -1)
        client_close(c, strerror(errno)); /* memory, or max_user_watches */
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
        server_report("client %d: connected from %s", cfd, net_peer_text(cfd, peer));
        client_add(cfd);
    }
}

/* Start the workers, who leave the signals to the thread that waits. */
static pthread_t *workers_start(unsigned long count)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t *threads = calloc_or_die(count, sizeof *threads);
    for (unsigned long i = 0; i < count; i++)
        if ((errno = pthread_create(&threads[i], NULL, worker, NULL)) != 0)
            die("cannot start worker %lu", i + 1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return threads;
}

static void workers_stop(pthread_t *threads, unsigned long count)
{
    pthread_mutex_lock(&ready.lock);
    ready.closed = true;
    pthread_cond_broadcast(&ready.filled);
    pthread_mutex_unlock(&ready.lock);
    for (unsigned long i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

int main(int argc, char **argv)
{
    unsigned long threads = 4;
    const struct option_spec more[] = {
        {"threads", "N", OPTION_NUMBER, &threads, 1, 1024, "workers that serve ready clients"},
        {0},
    };
    int lfd = server_start(argc, argv, "an echo server with epoll and a pool of threads", more);
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.ptr = NULL}}; /* the listener */
    if ((epfd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
        epoll_ctl(epfd, EPOLL_CTL_ADD, lfd, &events[0]) == -1)
        die("epoll");
    pthread_t *pool = workers_start(threads);
    server_stop_on_signals(lfd);
    server_ready(lfd, "epoll-thread-pool");

    while (!server_stopping) {
        int n = epoll_wait(epfd, events, EVENTS, -1);
        if (n == -1 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n && !server_stopping; i++) {
            if (events[i].data.ptr == NULL)
                accept_clients(lfd);
            else
                ready_put(events[i]);
        }
    }

    workers_stop(pool, threads);
    while (clients != NULL)
        client_close(clients, "server stopping");
    close(epfd);
    close(lfd);
    return 0;
}
