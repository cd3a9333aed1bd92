/*
 * An echo server with a bounded number of threads, one for each client, that keeps the books.
 *
 * All threads add to the same few numbers and may end at any moment, also in the middle of the
 * server's own end.  So everything that they share stands in one place, with the lock that guards it.
 *
 * Compare with: lessons/07-thread-per-client
 * Left out on purpose: numbers of each client; they are reported when it leaves.
 */

#include "server.h"
#include "net.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 16384,    /* bytes received at once */
    STACK = 256 << 10 /* bytes of a thread's stack; only what is touched becomes memory */
};

struct client {
    int fd;
    unsigned long long bytes;   /* echoed so far; its own thread's alone */
    struct client *next, *prev; /* in the list of those being served */
};

/* [one-lock] What the threads share.  The lock guards all of it, and the closing of a client's
 * descriptor as well: once closed, the number may belong to somebody else, and must not be shut
 * down for the client that had it. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t all_gone; /* present has become 0 */
    struct client *clients;
    unsigned long present, most; /* clients now, and at most at once */
    unsigned long served;        /* clients who have come, without those turned away */
    unsigned long long bytes;    /* echoed to those who have gone */
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .all_gone = PTHREAD_COND_INITIALIZER};

static unsigned long max_clients = 1024;

/* The contract of the exercise: one line, also with --quiet. */
static void print_statistics(void)
{
    pthread_mutex_lock(&shared.lock);
    fprintf(stderr, "served %lu clients, %llu bytes, %lu at most at once\n", shared.served,
            shared.bytes, shared.most);
    pthread_mutex_unlock(&shared.lock);
}

/* Echo until the client is done, and count what was echoed.  Returns why it ended. */
static const char *serve(struct client *c)
{
    /* Yours: receive and send until the client is done; only this thread may wait for it.  Short
     * transfers and interrupted calls are everyday.  Count in c->bytes what was sent back whole;
     * call server_work once for each chunk received. */
    (void)c;
    return "not served yet";
}

/* Take a client into the list and into the numbers.  Returns NULL with errno if there is no room or
 * no memory. */
static struct client *client_add(int cfd)
{
    /* Yours: a client in the list, unless there are max_clients; and the numbers that change when
     * one comes. */
    (void)cfd;
    errno = EUSERS;
    return NULL;
}

/* Take a client out of the list, add its bytes to everybody's, close its descriptor and free it. */
static void client_remove(struct client *c)
{
    /* Yours: what client_add did is undone, and the last one to go says so. */
    close(c->fd);
    free(c);
}

static void *client_thread(void *argument)
{
    struct client *c = argument;
    char peer[NET_TEXT_SIZE];
    server_report("client %d: connected from %s", c->fd, net_peer_text(c->fd, peer));
    const char *why = serve(c);
    server_report("client %d: %s after %llu bytes", c->fd, why, c->bytes);
    client_remove(c);
    return NULL;
}

/* [bounded-threads] A client beyond the limit, or one that the system has no thread for, is
 * turned away: it gets an end of file and not an endless wait. */
static void client_start(int cfd)
{
    struct client *c = client_add(cfd);
    if (c == NULL) {
        server_refuse("refused: no room for a client beyond %lu: %s", max_clients, strerror(errno));
        close(cfd);
        return;
    }
    /* Yours: a thread of its own, whose memory is given back when it ends.  What is given to it must
     * be the same when it looks as it is now. */
    client_thread(c);
}

/* Shutting a descriptor down wakes its thread, which closes it; wait for the last of them. */
static void stop_clients(void)
{
    /* Yours: wake every thread, whatever it waits in, and return when all have gone. */
}

int main(int argc, char **argv)
{
    const struct option_spec more[] = {
        {"max-clients", "N", OPTION_NUMBER, &max_clients, 1, 1000000, "threads at the same time"},
        {0},
    };
    int lfd = server_start(argc, argv, "an echo server with so many threads at most", more);
    server_stop_on_signals(lfd);
    server_ready(lfd, "thread-per-client");

    while (!server_stopping) {
        int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
        if (cfd != -1)
            client_start(cfd);
        else
            server_accept_again(lfd);
    }
    stop_clients();
    print_statistics();
    close(lfd);
    return 0;
}
