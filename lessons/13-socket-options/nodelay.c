/*
 * TCP_NODELAY: what happens when Nagle's algorithm meets the delayed acknowledgement.
 *
 * Nagle (RFC 896): a small segment waits while an earlier one is not acknowledged.  The receiver
 * (RFC 1122, 4.2.3.2) delays its acknowledgement, hoping to send it along with an answer.  A request
 * in two small writes makes each wait for the other, until a timer of 40 ms ends it.  The option
 * ends it too; so does writing the request at once, with fewer segments.
 */

#include "clock.h"
#include "die.h"
#include "net.h"
#include "options.h"
#include "plain.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HALF = 4, REQUEST = 2 * HALF, TRIPS = 20, BYTES = 500 };

/* The peer: answers each whole request with one byte, until the stream ends. */
static void *answer(void *far)
{
    char request[REQUEST];
    while (net_read_all(*(int *)far, request, REQUEST) == REQUEST &&
           net_write_all(*(int *)far, request, 1) == 0)
        ;
    return NULL;
}

/* A connection whose far end answers; ends when the near end is closed. */
static struct pair pair_with(bool nodelay)
{
    struct pair p = plain_pair();
    const int value = nodelay;
    if (setsockopt(p.near, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) == -1)
        die("TCP_NODELAY");
    return p;
}

/* One request and its answer, in one write or two.  Returns the milliseconds that it took. */
static double round_trip(int fd, int writes)
{
    char request[REQUEST] = {0};
    int64_t start = clock_now();
    for (int i = 0; i < writes; i++)
        if (net_write_all(fd, request, (size_t)(REQUEST / writes)) == -1)
            die("send");
    if (net_read_all(fd, request, 1) != 1)
        die("recv");
    return (double)(clock_now() - start) / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* [write-write-read] Print a row; returns the median in milliseconds. */
static double measure(bool nodelay, int writes)
{
    struct pair p = pair_with(nodelay);
    pthread_t thread;
    errno = pthread_create(&thread, NULL, answer, &p.far);
    if (errno != 0)
        die("cannot start a thread");
    double ms[TRIPS];
    for (int i = 0; i < TRIPS; i++)
        ms[i] = round_trip(p.near, writes);
    double segments = (double)tcp_state(p.near).tcpi_data_segs_out / TRIPS;
    int value = option_get(p.near, IPPROTO_TCP, TCP_NODELAY);
    close(p.near);
    pthread_join(thread, NULL);
    close(p.far);

    qsort(ms, TRIPS, sizeof *ms, compare);
    printf("%11d %18d %19.1f %13.3f %9.3f\n", value, writes, segments, ms[TRIPS / 2],
           ms[TRIPS - 1]);
    return ms[TRIPS / 2];
}

/* What Nagle is for: crumbs, one every 0.1 ms, that nobody answers.  Returns the segments that they
 * became.  With the option, congestion control alone gathers them, since it holds some back. */
static unsigned stream(bool nodelay)
{
    const struct timespec pause = {.tv_nsec = 100000};
    struct pair p = pair_with(nodelay);
    char bytes[BYTES] = {0};
    for (int i = 0; i < BYTES; i++) {
        if (net_write_all(p.near, &bytes[i], 1) == -1)
            die("send");
        nanosleep(&pause, NULL);
    }
    if (net_read_all(p.far, bytes, BYTES) != BYTES)
        die("recv");
    unsigned segments = tcp_state(p.near).tcpi_data_segs_out;
    close(p.near);
    close(p.far);
    return segments;
}

int main(int argc, char **argv)
{
    options_parse(argc, argv, "TCP_NODELAY: Nagle meets the delayed acknowledgement", NULL, NULL);
    printf("%d requests of %d bytes, each answered by one byte:\n\n", TRIPS, REQUEST);
    printf("%11s %18s %19s %13s %9s\n", "TCP_NODELAY", "writes a request", "segments a request",
           "median ms", "worst ms");
    double slow = measure(false, 2);
    double fast = measure(true, 2);
    measure(false, 1);
    printf("\nWith TCP_NODELAY the two writes take 1/%.0f of the time.\n", slow / fast);
    unsigned gathered = stream(false);
    unsigned each = stream(true);
    printf("%d writes of one byte, not answered: %u segments without it, %u with it.\n", BYTES,
           gathered, each);
    errno = 0;
    if (slow < fast)
        die("two writes were no slower without TCP_NODELAY");
    return 0;
}
