/*
 * The course says: SO_REUSEPORT balances load.
 *
 * It spreads connections over the listeners by a hash of the four numbers that name a connection:
 * evenly when there are very many, blindly always, for the hash does not know who is busy.  And a
 * connection waits in the queue of the listener that it was given to: if that one closes, as it does
 * when a worker that owns it dies, the kernel resets all that wait in it.
 *
 * Compare with: server.c, whose parent keeps every worker's listener for this very reason.
 */

#include "claim.h"
#include "clock.h"
#include "die.h"
#include "net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENERS = 4, QUEUED = 100, MOST = 1000, SPARE = 64, PATIENCE = 10 };

static const struct claim claim = {
    "SO_REUSEPORT balances load",
    "false: it hashes connections, and a dead listener's queue is lost"};

static int listeners[LISTENERS];
static int clients[MOST];
static char port[16] = "0";

static void listen_all(void)
{
    for (int i = 0; i < LISTENERS; i++) {
        listeners[i] = net_listen_with("127.0.0.1", port, MOST, SO_REUSEPORT);
        if (listeners[i] == -1 || net_set_nonblocking(listeners[i]) == -1)
            die("cannot listen");
        snprintf(port, sizeof port, "%d", net_local_port(listeners[0]));
    }
}

/* The connections in the queues of all listeners; of a listener tcpi_unacked is the queue. */
static int queued(void)
{
    int count = 0;
    for (int i = 0; i < LISTENERS; i++) {
        struct tcp_info info = {0};
        socklen_t length = sizeof info;
        if (getsockopt(listeners[i], IPPROTO_TCP, TCP_INFO, &info, &length) == -1)
            die("TCP_INFO");
        count += (int)info.tcpi_unacked;
    }
    return count;
}

/* Connections wait in the queues of the listeners, since nobody accepts them yet; connect can return a
 * moment before that. */
static void connect_all(int count)
{
    for (int i = 0; i < count; i++)
        clients[i] = net_connect_or_die("127.0.0.1", port);
    errno = 0;
    for (int64_t begin = clock_now(); queued() < count;)
        if (clock_now() - begin > PATIENCE * 1000000000LL)
            die("timed out after %d s waiting for %d connections to be queued", PATIENCE, count);
}

/* Accept what is queued on each listener, and close it.  Returns the largest number; smallest and
 * total say the rest. */
static int accept_all(int *smallest, int *total)
{
    int largest = 0;
    *smallest = MOST;
    *total = 0;
    for (int i = 0; i < LISTENERS; i++) {
        int count = 0;
        for (int fd; (fd = accept(listeners[i], NULL, NULL)) != -1; count++)
            close(fd);
        *total += count;
        largest = count > largest ? count : largest;
        *smallest = count < *smallest ? count : *smallest;
    }
    return largest;
}

static void close_all(int count)
{
    for (int i = 0; i < count; i++)
        close(clients[i]);
}

int main(void)
{
    static const int sizes[] = {10, 100, 1000};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    int smallest[SIZES], largest[SIZES], total = 0;
    size_t limit = claim_descriptors(2 * MOST + SPARE);
    if (limit < MOST + SPARE)
        claim_cannot(&claim, "needs %d descriptors, and the limit is %zu (ulimit -n)", MOST + SPARE,
                     limit);
    listen_all();
    bool uneven = false;
    for (int i = 0; i < SIZES; i++) {
        connect_all(sizes[i]);
        largest[i] = accept_all(&smallest[i], &total);
        if (total != sizes[i])
            die("%d of %d connections are in the queues", total, sizes[i]);
        uneven |= largest[i] - smallest[i] > 1;
        close_all(sizes[i]);
    }

    /* One of the listeners goes, as with the worker that owns it; then the others accept. */
    connect_all(QUEUED);
    close(listeners[0]);
    int lost = 0, accepted = 0;
    for (int i = 1; i < LISTENERS; i++)
        for (int fd; (fd = accept(listeners[i], NULL, NULL)) != -1; accepted++)
            close(fd);
    for (int i = 0; i < QUEUED; i++) {
        char byte;
        lost += recv(clients[i], &byte, 1, 0) == -1 && errno == ECONNRESET;
    }
    claim_end(
        &claim, uneven && lost > 0 && lost + accepted == QUEUED,
        "over %d listeners, fewest and most: 10 connections %d and %d, 100 %d and %d, 1000 %d "
        "and %d; one of them closed with %d queued on all: %d reset",
        LISTENERS, smallest[0], largest[0], smallest[1], largest[1], smallest[2], largest[2],
        QUEUED, lost);
}
