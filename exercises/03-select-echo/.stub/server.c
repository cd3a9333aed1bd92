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
    /* Yours: close the descriptor, free the queue and the entry, and report
     * "gone ADDRESS, BYTES bytes, N here". */
    (void)c;
    (void)here;
}

/* Send what is queued, as far as the kernel takes it. */
static void client_flush(struct client *c)
{
    /* Yours: send from the front of the queue; what the kernel does not take now stays there.
     * Once nothing is owed to a client that has finished sending, close it. */
    (void)c;
}

/* Receive once, queue it, and send what can be sent. */
static void client_read(struct client *c)
{
    /* Yours: one recv of at most CHUNK bytes, then server_work().  Nothing may overtake what is queued
     * already.  At the end of file it may still be reading: what is queued is owed. */
    (void)c;
}

/* Take everybody who waits at the listener. */
static void accept_clients(int lfd)
{
    /* Yours: accept4 with SOCK_NONBLOCK | SOCK_CLOEXEC until nobody is left; when it fails,
     * server_accept_again says whether to go on.  A descriptor that no fd_set can hold is refused
     * (server_refuse) and closed; any other gets its entry, and the report "come ADDRESS, N here". */
    (void)lfd;
}

/* Make the sets for the next select: who is waited for, and for what.  Returns the highest
 * descriptor in them. */
static int watch_all(int lfd, fd_set *readable, fd_set *writable)
{
    FD_ZERO(readable);
    FD_ZERO(writable);
    /* Yours: the listener and every open client.  A client is read from while its queue is below
     * QUEUE_HIGH, and waited for to take bytes only while it has some queued. */
    return lfd;
}

/* Wait until somebody is ready, and give everybody who is their turn. */
static void serve_once(int lfd)
{
    fd_set readable;
    fd_set writable;
    int highest = watch_all(lfd, &readable, &writable);
    /* Yours: call select in place of sleep, and then give those that are ready their turn; a signal
     * that interrupts select is no failure. */
    sleep(1);
    (void)highest;
    (void)accept_clients;
    (void)client_flush;
    (void)client_read;
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
